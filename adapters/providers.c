#include "adapters/providers.h"

#include "host/json_values.h"
#include "host/log.h"
#include "wire/convert.h"
#include "wire/oracle.h"

#include <string.h>

/* A chain of fast blocks is asked once a second, one of slow ones so often that a provider that was away
 * is noticed. */
#define ASK_MIN_MS 1000u
#define ASK_MAX_MS 60000u

bool adapter_has_providers(const struct host_manifest_chain *chain)
{
	return strcmp(chain->mode, HOST_RPC_QUORUM) == 0;
}

uint64_t adapter_providers_feed_max(const struct host_manifest_chain *chain)
{
	return adapter_has_providers(chain) ? 0 : UINT64_MAX;
}

static void ask_ended(struct adapter_providers *providers)
{
	unsigned pause = providers->block_time_ms;
	pause = pause < ASK_MIN_MS ? ASK_MIN_MS : pause > ASK_MAX_MS ? ASK_MAX_MS : pause;
	providers->asking = false;
	providers->ask_after_ms = host_now_ms() + pause;
}

static void take_provider(struct adapter_providers *providers, size_t i,
			  const Caisson__Wire__ProviderAnswer *answer)
{
	struct adapter_provider *provider = &providers->last[i];
	if (answer->code != provider->code || i >= providers->count) {
		if (answer->code != WIRE_ORACLE_OK)
			log_warn("provider.no_vote", LOG_TEXT("chain", providers->follow->name),
				 LOG_U64("provider", i),
				 LOG_TEXT("answer", wire_oracle_code_name(answer->code)),
				 LOG_TEXT("why", answer->why));
		else
			log_info("provider.votes", LOG_TEXT("chain", providers->follow->name),
				 LOG_U64("provider", i), LOG_U64("height", answer->height));
	}
	*provider = (struct adapter_provider){answer->code, answer->height};
}

static void take_reply(struct adapter_providers *providers,
		       const Caisson__Wire__ClientQuorumReply *reply)
{
	struct adapter_follow *follow = providers->follow;
	const uint64_t final = follow->final_height;
	adapter_follow_take_status(follow, reply->status);
	for (size_t i = 0; i < reply->n_providers && i < CS_LEN(providers->last); i++)
		take_provider(providers, i, reply->providers[i]);
	providers->count = reply->n_providers;
	follow->feed_max = reply->named_height; /* what no provider named is of no use yet */
	if (follow->final_height != final)
		follow->ops->changed(follow->context);
	follow->ops->wake(follow->context);
}

static void ask_done(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct adapter_providers *providers = context;
	struct adapter_follow *follow = providers->follow;
	size_t mark = cs_arena_mark(follow->scratch);
	ProtobufCMessage *message = NULL;
	ask_ended(providers);
	if (err == CS_OK)
		err = host_enclave_reply(follow->scratch, body,
					 &caisson__wire__client_quorum_reply__descriptor, &message);
	if (err == CS_OK)
		take_reply(providers, (const Caisson__Wire__ClientQuorumReply *)message);
	cs_arena_rewind(follow->scratch, mark);
	if (err == CS_OK || err == CS_ERR_CLOSED)
		return;
	log_warn("provider.not_asked", LOG_TEXT("chain", follow->name), LOG_ERR(err),
		 LOG_TEXT("why", why));
	if (err == CS_ERR_FROZEN)
		adapter_follow_freeze(follow);
}

void adapter_providers_ask(struct adapter_providers *providers)
{
	struct adapter_follow *follow = providers->follow;
	Caisson__Wire__ClientQuorumRequest request = CAISSON__WIRE__CLIENT_QUORUM_REQUEST__INIT;
	if (!adapter_has_providers(providers->manifest) || !follow->created || follow->frozen ||
	    providers->asking || !follow->ops->ready(follow->context) ||
	    host_now_ms() < providers->ask_after_ms)
		return;
	size_t mark = cs_arena_mark(follow->scratch);
	request.chain = wire_pb_bytes(follow->scratch, CS_BYTES_OF(follow->identity.b));
	providers->asking = true;
	if (follow->ops->call(follow->context, WIRE_CLIENT_QUORUM, &request.base, ask_done,
			      providers) != CS_OK)
		ask_ended(providers);
	cs_arena_rewind(follow->scratch, mark);
}

/* ---- showing ---- */

size_t adapter_providers_voting(const struct adapter_providers *providers)
{
	size_t voting = 0;
	for (size_t i = 0; i < providers->count; i++)
		voting += providers->last[i].code == WIRE_ORACLE_OK;
	return voting;
}

json_t *adapter_providers_json(const struct adapter_providers *providers)
{
	if (!adapter_has_providers(providers->manifest))
		return json_null();
	json_t *list = json_array();
	for (size_t i = 0; i < providers->count; i++) {
		const struct adapter_provider *provider = &providers->last[i];
		json_array_append_new(list,
				      json_pack("{s:s,s:o}", "answer",
						wire_oracle_code_name(provider->code), "height",
						provider->code == WIRE_ORACLE_OK
							? host_json_u64(provider->height)
							: json_null()));
	}
	return list;
}
