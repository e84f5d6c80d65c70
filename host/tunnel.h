/* Moves bytes between a socket that is already connected and a host and port that are connected
 * first: one look-up, the addresses that the owner allows in their order, then both directions until
 * the socket's other end is closed. Never looks at a byte; keeps at most one unsent piece in each
 * direction. */
#ifndef HOST_TUNNEL_H
#define HOST_TUNNEL_H

#include "host/loop.h"

/* Of a name's addresses; more are not tried. */
#define HOST_TUNNEL_ADDRESSES_MAX 4u
#define HOST_TUNNEL_PIECE_SIZE_MAX (64u * 1024)

struct host_tunnel;
struct sockaddr;

struct host_tunnel_events {
	/* May this address be connected to? */
	bool (*allowed)(void *context, const struct sockaddr *address);
	void (*connected)(void *context);
	/* Once: OK: the socket's other end was closed; NOT_FOUND: no address; FORBIDDEN: none that is allowed;
	 * UNAVAILABLE: no connection; TIMEOUT: none in time, or idle; CLOSED: cut. The socket is
	 * open until host_tunnel_free. */
	void (*ended)(void *context, enum cs_err err);
	/* Each piece that was passed on; out: away from the socket. */
	void (*moved)(void *context, bool out, size_t size);
};

struct host_tunnel_options {
	const char *host; /* a name or an address */
	uint16_t port;
	uint64_t connect_ms; /* look-up and all attempts */
	uint64_t idle_ms;
};

/* Takes the descriptor over: a connected stream socket, which is closed with the tunnel. */
struct host_tunnel *host_tunnel_new(struct host_loop *loop, int fd,
				    const struct host_tunnel_options *options,
				    const struct host_tunnel_events *events, void *context);
/* No event after it. NULL is allowed. */
void host_tunnel_free(struct host_tunnel *tunnel);

/* Calls call(context) whenever the descriptor can be read, which stays the caller's and open. */
struct host_watch;
struct host_watch *host_watch_new(struct host_loop *loop, int fd, host_call *call, void *context);
void host_watch_free(struct host_watch *watch);

#endif
