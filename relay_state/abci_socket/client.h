/* Drives an application behind a socket, as a CometBFT node does: four connections, made in its
 * order (query, snapshot, mempool, consensus), questions written without waiting, answers matched
 * in order on each connection, a flush behind what one turn of the loop has asked.
 *
 * Nothing that the application sends is believed beyond its form: an answer of another kind, one
 * that nobody asked for, bytes that are no frame, an exception, silence beyond the timeout and an
 * end of any connection all end the client as a whole, once, with the reason. Whoever made it makes
 * another one and asks info again: what the application had done is not known. */
#ifndef ABCI_SOCKET_CLIENT_H
#define ABCI_SOCKET_CLIENT_H

#include "host/stream.h"
#include "relay_state/abci/codec.h"

struct abci_client;

/* err OK: the answer, which is of the question's method; it lives until this returns. Else why, and
 * response is NULL: CLOSED, TIMEOUT, APPLICATION (it answered with an exception), or what was wrong
 * with its bytes. The question may or may not have been done. */
typedef void abci_client_done(void *context, enum cs_err err, const char *why,
			      const struct abci_response *response);

struct abci_client_events {
	/* All four connections are there. */
	void (*ready)(void *context);
	/* Once, after the open questions were told: nothing more happens. */
	void (*failed)(void *context, enum cs_err err, const char *why);
};

/* Zeros mean the default in brackets. */
struct abci_client_options {
	const char *address;  /* host_address_parse */
	bool insecure_remote; /* also an address that is not of this machine */
	uint64_t connect_ms;  /* for all four together, tried again meanwhile [10,000] */
	uint64_t timeout_ms;  /* of each question [60,000]; noticed up to an eighth later */
	uint32_t
		calls_max; /* open questions of one connection, with the flush of each turn [8,192] */
	size_t queued_max;     /* bytes of one connection that wait to be written [128 MiB] */
	size_t frame_size_max; /* of answers [ABCI_FRAME_SIZE_MAX] */
	size_t arena_size;     /* for the lists of one answer [256 MiB] */
};

/* Connects in the background. INVALID, TOO_LARGE: host_address_parse; INSECURE_REFUSED. */
CS_NODISCARD enum cs_err abci_client_new(struct abci_client **client, struct host_loop *loop,
					 const struct abci_client_options *options,
					 const struct abci_client_events *events, void *context,
					 struct cs_why *why);
/* Asks on the connection of the question's method; the question is written before this returns.
 * UNAVAILABLE: not ready; CLOSED: it has failed; FULL: calls_max or queued_max; the errors of
 * abci_request_encode. On failure done is not called. done may be NULL. */
CS_NODISCARD enum cs_err abci_client_call(struct abci_client *client,
					  const struct abci_request *request,
					  abci_client_done *done, void *context);
bool abci_client_is_ready(const struct abci_client *client);
/* Open questions of all connections. */
uint32_t abci_client_calls_in_flight(const struct abci_client *client);
/* Open questions end without a word. NULL is allowed; allowed inside done and events. */
void abci_client_free(struct abci_client *client);

#endif
