/* What froze the light client of a chain, over REST: the two headers as the enclave kept them, and
 * what the process knows to be signed since. It repeats the enclave's words, and decides
 * nothing. */
#ifndef ADAPTERS_CONFLICT_H
#define ADAPTERS_CONFLICT_H

#include "adapters/follow.h"
#include "host/http_server.h"

/* Ids of one list; more of each kind than a manifest can list. */
#define ADAPTER_CONFLICT_IDS_MAX 1024u

/* Adds what was signed from this height on. An error is the reply's. */
typedef enum cs_err adapter_conflict_signed(void *ctx, json_t *json, uint64_t height);

/* Asks the enclave, and replies: 200, NOT_FOUND where there is no conflict, UNAVAILABLE while the
 * enclave is not ready. add and ctx live as long as follow. */
void adapter_conflict_reply(struct adapter_follow *follow, struct host_http_exchange *exchange,
			    adapter_conflict_signed *add, void *ctx);

#endif
