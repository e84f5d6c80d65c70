/* A WebSocket server (RFC 6455) for text messages on its own port, on the same loop. A client that
 * reads slower than is written to it is dropped with a reason; it never makes the others wait or
 * memory grow. */
#ifndef HOST_WS_SERVER_H
#define HOST_WS_SERVER_H

#include "host/loop.h"

struct host_ws_server;
struct host_ws_peer;
/* Of the HTTP upgrade, inside accept only. */
struct host_ws_upgrade;

const char *host_ws_path(const struct host_ws_upgrade *upgrade);
/* Decoded; NULL when absent. */
const char *host_ws_query(const struct host_ws_upgrade *upgrade, const char *name);
/* UNKNOWN_FIELD: there is another name than this one, or it is there twice; why begins with it. */
CS_NODISCARD enum cs_err host_ws_query_check(const struct host_ws_upgrade *upgrade,
					     const char *name, struct cs_why *why);
/* "authorization", "origin" or "user-agent"; NULL when absent. */
const char *host_ws_header(const struct host_ws_upgrade *upgrade, const char *name);

struct host_ws_server_events {
	/* OK opens the connection; else it is refused with the HTTP status of the error, as
	 * problem+json whose detail is what host_ws_refuse was given. The peer may not be written
	 * to before opened. */
	enum cs_err (*accept)(void *context, const struct host_ws_upgrade *upgrade,
			      struct host_ws_peer *peer);
	void (*opened)(void *context, struct host_ws_peer *peer);
	void (*message)(void *context, struct host_ws_peer *peer, struct cs_bytes text);
	/* Once for each peer whose accept said OK; the peer is gone when it returns. FULL: was too
	 * slow. Not after host_ws_server_free. */
	void (*closed)(void *context, struct host_ws_peer *peer, enum cs_err err, const char *why);
};

/* Inside accept: returns err, and keeps the sentence (ASCII). */
CS_NODISCARD enum cs_err host_ws_refuse(struct host_ws_peer *peer, enum cs_err err,
					const char *why);

/* Zeros mean the default in brackets. */
struct host_ws_server_options {
	const char *address;       /* numeric ["127.0.0.1"] */
	uint16_t port;             /* 0: any free one */
	uint32_t peers_max;        /* more are refused with 503 [256] */
	uint64_t message_size_max; /* incoming [64 KiB] */
	uint64_t queue_size_max;   /* outgoing, each peer [1 MiB] */
	uint64_t ping_ms;          /* silence before a ping [15,000] */
	uint64_t idle_ms;          /* silence, pongs included, before it is closed [45,000] */
};

/* IO: cannot bind; INVALID: the address is not numeric; UNAVAILABLE: libwebsockets does not start. */
CS_NODISCARD enum cs_err host_ws_server_new(struct host_ws_server **server, struct host_loop *loop,
					    const struct host_ws_server_options *options,
					    const struct host_ws_server_events *events,
					    void *context, struct cs_why *why);
uint16_t host_ws_server_port(const struct host_ws_server *server);
/* Closes everybody without further events. NULL is allowed. */
void host_ws_server_free(struct host_ws_server *server);

/* Whatever the owner wants to find again. */
void host_ws_peer_set(struct host_ws_peer *peer, void *value);
void *host_ws_peer_get(const struct host_ws_peer *peer);
/* Bytes that wait to be written: lets a producer that can pause do so. */
uint64_t host_ws_peer_queued(const struct host_ws_peer *peer);
/* How long the socket has taken nothing of it; 0: nothing waits. */
uint64_t host_ws_peer_stalled_ms(const struct host_ws_peer *peer);
/* The text is copied. FULL: it did not fit, the peer is being dropped (code 1013 "too slow"),
 * closed will follow. CLOSED: it is already closing. */
CS_NODISCARD enum cs_err host_ws_peer_send(struct host_ws_peer *peer, struct cs_bytes text);
/* What is queued is written first. code: 1000 to 4999, reason at most 123 bytes. closed will
 * follow. */
void host_ws_peer_close(struct host_ws_peer *peer, uint16_t code, const char *reason);
/* The same for one that takes nothing: what is queued is thrown away, and the close frame waits half a minute for it. */
void host_ws_peer_drop(struct host_ws_peer *peer, uint16_t code, const char *reason);

#endif
