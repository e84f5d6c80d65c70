/* One way to ask an application, whether it is in this process or behind a socket: who asks does
 * not see the difference. In this process questions are answered in the order of asking, in later
 * turns of the loop; behind a socket in the order of each connection (client.h).
 *
 * The first failure ends it, wherever the application is: the open questions are told, then failed
 * is called, once. */
#ifndef ABCI_SOCKET_LINK_H
#define ABCI_SOCKET_LINK_H

#include "relay_state/abci/app.h"
#include "relay_state/abci_socket/client.h"

struct abci_link;

/* Zeros mean the default in brackets. */
struct abci_local_options {
	uint32_t calls_max; /* open questions [8,192] */
	size_t queued_max;  /* bytes of their copies [128 MiB] */
	size_t arena_size;  /* for one question and its answer [256 MiB] */
};

/* In this process; ready is called in a later turn. The application's state stays the caller's and
 * lives longer. */
struct abci_link *abci_link_local(struct host_loop *loop, const struct abci_app *app,
				  const struct abci_local_options *options,
				  const struct abci_client_events *events, void *context);
/* Behind a socket; the errors of abci_client_new. */
CS_NODISCARD enum cs_err abci_link_socket(struct abci_link **link, struct host_loop *loop,
					  const struct abci_client_options *options,
					  const struct abci_client_events *events, void *context,
					  struct cs_why *why);
/* The question is copied. The errors of abci_client_call; on failure done is not called. done may be
 * NULL. The application's failure is APPLICATION with its own sentence. */
CS_NODISCARD enum cs_err abci_link_call(struct abci_link *link, const struct abci_request *request,
					abci_client_done *done, void *context);
bool abci_link_is_ready(const struct abci_link *link);
uint32_t abci_link_calls_in_flight(const struct abci_link *link);
/* Open questions end without a word. NULL is allowed; allowed inside done and events. */
void abci_link_free(struct abci_link *link);

#endif
