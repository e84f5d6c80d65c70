/* What an oracle's host adds to following its chains (adapters/follow): nothing holds the light
 * clients back, and the log is enough for what stops one. */
#include "oracle/oracle.h"
#include "relay_state/client/clock.h"

static bool is_ready(void *context)
{
	const struct oracle_chain *chain = context;
	return chain->oracle->enclave_ready && !chain->oracle->stopping;
}

static enum cs_err call(void *context, enum wire_type type, const ProtobufCMessage *message,
			host_enclave_done *done, void *done_context)
{
	const struct oracle_chain *chain = context;
	/* Of what may have expired the enclave wants to know how late it is. */
	if (ledger_clock_wants(chain->oracle->clock, type))
		return ledger_clock_call(chain->oracle->clock, type, message, done, done_context);
	return oracle_enclave_call(chain->oracle, type, message, ORACLE_ENCLAVE_TIMEOUT_MS, done,
				   done_context);
}

static void changed(void *context)
{
	const struct oracle_chain *chain = context;
	oracle_enclave_changed(chain->oracle);
}

static void seal(void *context)
{
	const struct oracle_chain *chain = context;
	if (ledger_clock_seals(chain->oracle->clock))
		oracle_enclave_export(chain->oracle, NULL, NULL);
}

static void wake(void *context)
{
	const struct oracle_chain *chain = context;
	oracle_wake(chain->oracle);
}

void oracle_follow_init(struct oracle_chain *chain)
{
	static const struct adapter_follow_ops ops = {
		.ready = is_ready, .call = call, .changed = changed, .seal = seal, .wake = wake};
	chain->follow =
		(struct adapter_follow){.ops = &ops,
					.context = chain,
					.scratch = &chain->oracle->scratch,
					.name = chain->config->id,
					.identity = chain->identity,
					.anchor_height = chain->manifest->anchor_height,
					.feed_max = adapter_providers_feed_max(chain->manifest)};
	chain->providers =
		(struct adapter_providers){.follow = &chain->follow,
					   .manifest = chain->manifest,
					   .block_time_ms = chain->config->block_time_ms};
}
