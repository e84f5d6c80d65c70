/* Asks the nodes of a bridge's ledger every minute until when registrations in its register of enclaves count, and
 * says so in log, status and figures, so that an operator is warned in time. What a node says is believed for
 * the warning alone: nothing is signed, taken or refused by it. */
#ifndef RELAY_STATE_CLIENT_REGISTERED_WATCH_H
#define RELAY_STATE_CLIENT_REGISTERED_WATCH_H

#include "core/limits.h"
#include "host/metrics.h"
#include "relay_state/client/client.h"
#include "relay_state/client/registered.h"

#include <jansson.h>

/* A gateway's chains and their remotes. */
#define LEDGER_REGISTERED_MAX 64u

/* Whose registration is looked at. */
struct ledger_registered_who {
	struct cs_hash identity;
	char name[CS_CAIP2_SIZE_MAX + 1]; /* of its chain, for people */
	bool is_needed;                   /* something waits without it */
	/* Of our own enclave's keys, the newest epoch first: another key under their epochs is none. 0: it is
	 * somebody else's, of whom whichever keys count that the register has. */
	size_t key_count;
	uint64_t epochs[LEDGER_REGISTERED_KEYS];
	struct cs_hash keys[LEDGER_REGISTERED_KEYS];
};
/* Keeps the newest ones, in whatever order they come. */
void ledger_registered_add_key(struct ledger_registered_who *who, uint64_t epoch,
			       const struct cs_hash *x);
/* NULL: it is not in the list. */
struct ledger_registered_who *ledger_registered_find(struct ledger_registered_who *list,
						     size_t count, const struct cs_hash *identity);

/* Whom to ask about now, at most LEDGER_REGISTERED_MAX; 0: nobody yet. */
typedef size_t ledger_registered_list(void *ctx, struct ledger_registered_who *list);
/* What changed, beside the line in the log: whose, the state, the end; and at the first look what is wrong. */
typedef void ledger_registered_tell(void *ctx, const char *detail);

struct ledger_registered_watch;
/* The client and ctx live longer; tell NULL: the log is enough. Looks for the first time in a later turn of the loop. */
struct ledger_registered_watch *
ledger_registered_watch_new(struct host_loop *loop, struct ledger_client *client,
			    ledger_registered_list *list, ledger_registered_tell *tell, void *ctx);
/* After the client is freed, so that no answer comes any more. NULL is allowed. */
void ledger_registered_watch_free(struct ledger_registered_watch *watch);

/* As at the last look that was answered: `registrations` of api/openapi.json; the gauges. NULL: none. */
json_t *ledger_registered_json(const struct ledger_registered_watch *watch);
void ledger_registered_collect(const struct ledger_registered_watch *watch,
			       struct host_metrics *metrics);

#endif
