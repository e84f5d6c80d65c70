/* What a gateway adds to following its chain (adapters/follow): messages that wait for their
 * signature hold the light client back, and whoever subscribed is told that a chain stopped. */
#include "gateway/gateway.h"
#include "relay_state/client/clock.h"

static bool is_ready(void *context)
{
	const struct gateway_chain *chain = context;
	return chain->gateway->enclave_ready && !chain->gateway->stopping;
}

static enum cs_err call(void *context, enum wire_type type, const ProtobufCMessage *message,
			host_enclave_done *done, void *done_context)
{
	const struct gateway_chain *chain = context;
	struct ledger_clock *clock = chain->gateway->clock;
	/* Of what may have expired the enclave wants to know how late it is. */
	if (ledger_clock_wants(clock, type))
		return ledger_clock_call(clock, type, message, done, done_context);
	return gateway_enclave_call(chain->gateway, type, message, done, done_context);
}

static void changed(void *context)
{
	const struct gateway_chain *chain = context;
	gateway_enclave_changed(chain->gateway);
}

static void wake(void *context)
{
	const struct gateway_chain *chain = context;
	gateway_wake(chain->gateway);
}

/* ---- telling ---- */

struct tell_write {
	const struct gateway_chain *chain;
	const char *event;
	const char *why;
};

static enum cs_err write_tell(void *context)
{
	const struct tell_write *write = context;
	char detail[256];
	snprintf(detail, sizeof(detail), "%s: %s", write->chain->config->id, write->why);
	return gateway_journal_event(write->chain->gateway->journal, write->event, NULL, detail);
}

static void tell(void *context, const char *event, const char *why)
{
	const struct gateway_chain *chain = context;
	struct tell_write write = {chain, event, why};
	if (gateway_write(chain->gateway, write_tell, &write) != CS_OK)
		log_error("chain.not_told", LOG_TEXT("chain", chain->config->id));
}

/* ---- holding ---- */

/* The oldest source block that a message still waits to be signed from; 0: none. */
static uint64_t oldest_waiting(const struct gateway_chain *chain)
{
	static const enum relay_state waiting[] = {RELAY_OBSERVED, RELAY_FINAL};
	uint64_t oldest = 0;
	for (size_t i = 0; i < CS_LEN(waiting); i++) {
		struct gateway_message message;
		size_t count = 0;
		struct gateway_pick pick = {.chain = &chain->identity,
					    .side = RELAY_SOURCE,
					    .state = waiting[i],
					    .due_ms = INT64_MAX,
					    .height_max =
						    waiting[i] == RELAY_OBSERVED ? INT64_MAX : 0};
		if (gateway_journal_pick(chain->gateway->journal, &pick, &message, 1, &count) !=
			    CS_OK ||
		    count == 0)
			continue;
		/* One that keeps failing holds nobody up. */
		if (message.tries < 3 && (oldest == 0 || message.height < oldest))
			oldest = message.height;
	}
	return oldest;
}

uint64_t gateway_client_hold(struct gateway_client_wait *held, uint64_t waiting, uint64_t to,
			     uint64_t now_ms)
{
	if (waiting == 0 || to <= waiting + GATEWAY_CLIENT_WAIT)
		return to;
	if (held->height != waiting)
		*held = (struct gateway_client_wait){waiting, now_ms};
	return now_ms - held->since_ms < GATEWAY_CLIENT_WAIT_MS ? waiting + GATEWAY_CLIENT_WAIT
								: to;
}

uint64_t gateway_client_expires_s(const struct gateway_chain *chain)
{
	const uint64_t from_s = chain->follow.final_time_s;
	const uint64_t period_s = chain->manifest->trusting_period_s;
	if (from_s == 0)
		return 0;
	return from_s < INT64_MAX - period_s ? from_s + period_s : INT64_MAX;
}

static uint64_t hold(void *context, uint64_t to)
{
	struct gateway_chain *chain = context;
	return gateway_client_hold(&chain->client_wait, oldest_waiting(chain), to, host_now_ms());
}

void gateway_follow_init(struct gateway_chain *chain)
{
	static const struct adapter_follow_ops ops = {.ready = is_ready,
						      .call = call,
						      .changed = changed,
						      .wake = wake,
						      .tell = tell,
						      .hold = hold};
	chain->follow =
		(struct adapter_follow){.ops = &ops,
					.context = chain,
					.scratch = &chain->gateway->scratch,
					.name = chain->config->id,
					.identity = chain->identity,
					.anchor_height = chain->manifest->anchor_height,
					.feed_max = adapter_providers_feed_max(chain->manifest)};
	chain->providers =
		(struct adapter_providers){.follow = &chain->follow,
					   .manifest = chain->manifest,
					   .block_time_ms = chain->config->block_time_ms};
}
