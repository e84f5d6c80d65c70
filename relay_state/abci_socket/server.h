/* Offers an application to a CometBFT: listens, reads questions, calls the table of functions,
 * writes the answers in order. Any number of connections up to a bound; one call at a time, as the
 * application demands.
 *
 * What goes wrong on one connection ends that one alone, as in CometBFT's socket_server.go: bytes
 * that are no frame and failures of the application are answered by an exception and
 * the end of the connection; a method that is not known here is answered by an exception, and the
 * connection goes on. Nobody is authenticated: whoever connects may end the application's life as a
 * chain's state, so that addresses beyond this machine need insecure_remote. */
#ifndef ABCI_SOCKET_SERVER_H
#define ABCI_SOCKET_SERVER_H

#include "host/stream.h"
#include "relay_state/abci/app.h"
#include "relay_state/abci/codec.h"

/* A node makes four; one may stay from before its restart, and tools come beside. */
#define ABCI_SERVER_CONNECTIONS_MAX 16u
/* Answers that wait for a slow reader before no further question is taken. */
#define ABCI_SERVER_QUEUE_MAX (1024u * 1024)

struct abci_server;

/* For the log; each may be NULL. */
struct abci_server_events {
	void (*opened)(void *context, uint32_t connections);
	/* err CLOSED: the other side ended it. */
	void (*closed)(void *context, enum cs_err err, const char *why, uint32_t connections);
	/* An exception was answered. */
	void (*failed)(void *context, enum abci_method method, enum cs_err err, const char *why);
};

/* Zeros mean the default in brackets. */
struct abci_server_options {
	const char *address;   /* host_address_parse */
	bool insecure_remote;  /* also an address that is not of this machine */
	size_t frame_size_max; /* of questions [ABCI_FRAME_SIZE_MAX] */
	/* Bytes for the lists of one question and for its answer; taken from the system as they
	 * are used [256 MiB]. */
	size_t arena_size;
};

/* The application stays the caller's. INSECURE_REFUSED: an address beyond this machine; INVALID, IO,
 * CONFLICT: host_address_parse, host_listener_new. */
CS_NODISCARD enum cs_err abci_server_new(struct abci_server **server, struct host_loop *loop,
					 const struct abci_server_options *options,
					 const struct abci_app *app,
					 const struct abci_server_events *events, void *context,
					 struct cs_why *why);
uint16_t abci_server_port(const struct abci_server *server);
/* NULL is allowed; not inside its events. */
void abci_server_free(struct abci_server *server);

#endif
