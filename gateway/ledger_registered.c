/* Whose registrations on the ledger are looked at: our enclave's, and the remotes'; and the event of a change. */
#include "gateway/ledger.h"

#include <stdio.h>

_Static_assert(GATEWAY_CHAINS_MAX + CS_MANIFEST_CHAINS_MAX <= LEDGER_REGISTERED_MAX, "all of them");

/* Messages wait without it: our enclave's anchors need it, or the manifest asks it of remotes. */
static struct ledger_registered_who *add(struct gateway *gateway,
					 struct ledger_registered_who *list, size_t *count,
					 const struct cs_hash *identity)
{
	const struct host_manifest_ledger *ledger = &gateway->config.manifest.ledger;
	struct ledger_registered_who *who = &list[(*count)++];
	*who = (struct ledger_registered_who){.identity = *identity};
	who->is_needed = gateway_chain_of(gateway, identity) ? ledger->is_there
							     : ledger->registration_wanted;
	(void)snprintf(who->name, sizeof(who->name), "%s", gateway_caip2(gateway, identity));
	return who;
}

static size_t add_own(struct gateway *gateway, struct ledger_registered_who *list)
{
	size_t mark = cs_arena_mark(&gateway->scratch);
	ProtobufCMessage *message = NULL;
	size_t count = 0;
	if (gateway_enclave_hello(gateway).n == 0 ||
	    gateway_enclave_reply(&gateway->scratch, gateway_enclave_hello(gateway),
				  &caisson__wire__hello_reply__descriptor, &message) != CS_OK)
		message = NULL;
	const Caisson__Wire__HelloReply *hello = (const Caisson__Wire__HelloReply *)message;
	for (size_t i = 0; hello && i < hello->n_keys; i++) {
		const struct cs_hash identity = wire_pb_hash(hello->keys[i]->chain);
		const struct cs_hash x = wire_pb_hash(hello->keys[i]->public_key);
		struct ledger_registered_who *who = ledger_registered_find(list, count, &identity);
		if (!who && !gateway_chain_of(gateway, &identity))
			continue;
		if (!who)
			who = add(gateway, list, &count, &identity);
		ledger_registered_add_key(who, hello->keys[i]->epoch, &x);
	}
	cs_arena_rewind(&gateway->scratch, mark);
	return count;
}

/* Ours, as soon as the enclave has keys; then the remotes of all routes. */
static size_t list(void *ctx, struct ledger_registered_who *who)
{
	struct gateway *gateway = ((struct gateway_ledger *)ctx)->gateway;
	size_t count = add_own(gateway, who);
	for (size_t i = 0; count > 0 && i < gateway->chain_count; i++) {
		const struct gateway_chain *chain = &gateway->chains[i];
		for (size_t k = 0; k < chain->route_count; k++) {
			const struct cs_hash *remote = &chain->routes[k].remote;
			if (count < LEDGER_REGISTERED_MAX && !gateway_chain_of(gateway, remote) &&
			    !ledger_registered_find(who, count, remote))
				(void)add(gateway, who, &count, remote);
		}
	}
	return count;
}

/* ---- telling it ---- */

struct telling {
	struct gateway *gateway;
	const char *detail;
};

static enum cs_err write_event(void *context)
{
	const struct telling *telling = context;
	return gateway_journal_event(telling->gateway->journal, "ledger.registration", NULL,
				     telling->detail);
}

static void tell(void *ctx, const char *detail)
{
	struct gateway *gateway = ((struct gateway_ledger *)ctx)->gateway;
	if (gateway_write(gateway, write_event, &(struct telling){gateway, detail}) != CS_OK)
		log_warn("registration.not_told", LOG_TEXT("what", detail));
}

void ledger_registered_start(struct gateway_ledger *ledger)
{
	ledger->watch = ledger_registered_watch_new(ledger->gateway->loop, ledger->service.client,
						    list, tell, ledger);
}
