/* Asking the enclave to ask the providers of a chain (finality mode rpc_quorum), as often as the chain makes
 * blocks. What they say is between them and the enclave; here it is shown, and tells how far headers are
 * of use. */
#include "gateway/gateway.h"

#include <string.h>

/* A chain of fast blocks is asked once a second, one of slow ones so often that a provider that was away
 * is noticed. */
#define ASK_MIN_MS 1000u
#define ASK_MAX_MS 60000u

bool gateway_chain_has_providers(const struct gateway_chain *chain)
{
	return strcmp(chain->manifest->mode, HOST_RPC_QUORUM) == 0;
}

static void ask_ended(struct gateway_chain *chain)
{
	unsigned pause = chain->config->block_time_ms;
	pause = pause < ASK_MIN_MS ? ASK_MIN_MS : pause > ASK_MAX_MS ? ASK_MAX_MS : pause;
	chain->asking = false;
	chain->ask_after_ms = host_now_ms() + pause;
}

static void take_provider(struct gateway_chain *chain, size_t i,
			  const Caisson__Wire__ProviderAnswer *answer)
{
	struct gateway_provider *provider = &chain->providers[i];
	if (answer->code != provider->code || i >= chain->provider_count) {
		if (answer->code != WIRE_ORACLE_OK)
			log_warn("provider.no_vote", LOG_TEXT("chain", chain->config->id),
				 LOG_U64("provider", i),
				 LOG_TEXT("answer", wire_oracle_code_name(answer->code)),
				 LOG_TEXT("why", answer->why));
		else
			log_info("provider.votes", LOG_TEXT("chain", chain->config->id),
				 LOG_U64("provider", i), LOG_U64("height", answer->height));
	}
	*provider = (struct gateway_provider){answer->code, answer->height};
}

static void take_reply(struct gateway_chain *chain, const Caisson__Wire__ClientQuorumReply *reply)
{
	const uint64_t final = chain->follow.final_height;
	adapter_follow_take_status(&chain->follow, reply->status);
	for (size_t i = 0; i < reply->n_providers && i < CS_LEN(chain->providers); i++)
		take_provider(chain, i, reply->providers[i]);
	chain->provider_count = reply->n_providers;
	chain->follow.feed_max = reply->named_height; /* what no provider named is of no use yet */
	if (chain->follow.final_height != final)
		gateway_enclave_changed(chain->gateway);
	gateway_wake(chain->gateway);
}

static void ask_done(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct gateway_chain *chain = context;
	struct gateway *gateway = chain->gateway;
	size_t mark = cs_arena_mark(&gateway->scratch);
	ProtobufCMessage *message = NULL;
	ask_ended(chain);
	if (err == CS_OK)
		err = gateway_enclave_reply(&gateway->scratch, body,
					    &caisson__wire__client_quorum_reply__descriptor,
					    &message);
	if (err == CS_OK)
		take_reply(chain, (const Caisson__Wire__ClientQuorumReply *)message);
	cs_arena_rewind(&gateway->scratch, mark);
	if (err == CS_OK || err == CS_ERR_CLOSED)
		return;
	log_warn("provider.not_asked", LOG_TEXT("chain", chain->config->id), LOG_ERR(err),
		 LOG_TEXT("why", why));
	if (err == CS_ERR_FROZEN)
		adapter_follow_freeze(&chain->follow);
}

void gateway_providers_ask(struct gateway_chain *chain)
{
	struct gateway *gateway = chain->gateway;
	Caisson__Wire__ClientQuorumRequest request = CAISSON__WIRE__CLIENT_QUORUM_REQUEST__INIT;
	if (!gateway_chain_has_providers(chain) || !chain->follow.created || chain->follow.frozen ||
	    chain->asking || !gateway->enclave_ready || host_now_ms() < chain->ask_after_ms)
		return;
	size_t mark = cs_arena_mark(&gateway->scratch);
	request.chain = wire_pb_bytes(&gateway->scratch, CS_BYTES_OF(chain->identity.b));
	chain->asking = true;
	if (gateway_enclave_call(gateway, WIRE_CLIENT_QUORUM, &request.base, ask_done, chain) !=
	    CS_OK)
		ask_ended(chain);
	cs_arena_rewind(&gateway->scratch, mark);
}
