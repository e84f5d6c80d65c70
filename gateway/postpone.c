#include "gateway/postpone.h"

#include <stdio.h>
#include <sys/random.h>

uint64_t gateway_pause_drawn(uint64_t pause_ms)
{
	uint64_t random = 0;
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
		return pause_ms;
	return pause_ms / 2 + random % (pause_ms / 2 + 1);
}

uint64_t gateway_backoff(const struct gateway *gateway, uint32_t tries)
{
	return host_service_next_try_ms(&gateway->config.service, tries);
}

/* What may be repeated unchanged is no try of the message's: it goes on in a batch with others. Its pause
 * grows all the same, from the one before, which the row tells: a half to one and a half longer each
 * time. Drawn for each row, so that those that failed together come back one after the other. */
static uint64_t next_of(const struct gateway *gateway, const struct gateway_message *message)
{
	uint64_t pause_max = gateway->config.service.retry_max_ms;
	uint64_t next = gateway_backoff(gateway, message->tries);
	if (message->next_ms <= message->updated_ms)
		return next;
	uint64_t last = message->next_ms - message->updated_ms;
	uint64_t pause = last < pause_max / 3 ? 3 * last : pause_max;
	uint64_t later = host_wall_ms() + gateway_pause_drawn(pause);
	return later > next ? later : next;
}

enum cs_err gateway_postpone(struct gateway *gateway, uint64_t n, enum relay_state state,
			     enum cs_err err, const char *why)
{
	struct gateway_message message;
	CS_TRY(gateway_journal_row(gateway->journal, n, &message));
	if (message.state != state)
		return CS_OK;
	if (!cs_err_may_retry(err) && message.tries < UINT32_MAX)
		message.tries++;
	message.next_ms = cs_err_may_retry(err) ? next_of(gateway, &message)
						: gateway_backoff(gateway, message.tries);
	char text[GATEWAY_WHY_MAX + 1];
	snprintf(text, sizeof(text), "%s: %s", cs_err_name(err),
		 why && why[0] ? why : cs_err_sentence(err));
	host_plain_text(message.why, sizeof(message.why), text, sizeof(text));
	return gateway_journal_save(gateway->journal, &message);
}

/* ---- what came back ---- */

/* Rows of one turn. */
#define HURRY_ROWS 256u

struct stage {
	enum relay_side side;
	enum relay_state state;
};
/* What waits for a chain, an enclave or a gas account. */
static const struct stage stages[] = {
	{RELAY_SOURCE, RELAY_FINAL},       {RELAY_SOURCE, RELAY_OUTCOME_VERIFIED},
	{RELAY_SOURCE, RELAY_REFUNDING},   {RELAY_DESTINATION, RELAY_SIGNED},
	{RELAY_DESTINATION, RELAY_FAILED}, {RELAY_DESTINATION, RELAY_OUTCOME_FINAL},
};

struct hurry {
	struct gateway_chain *chain;
	struct gateway_stuck stuck;
	size_t count;
};

static enum cs_err write_hurry(void *context)
{
	static struct gateway_message rows[HURRY_ROWS];
	struct hurry *hurry = context;
	struct gateway_journal *journal = hurry->chain->gateway->journal;
	CS_TRY(gateway_journal_stuck(journal, &hurry->stuck, rows, HURRY_ROWS, &hurry->count));
	for (size_t i = 0; i < hurry->count; i++) {
		rows[i].next_ms = hurry->stuck.due_ms;
		CS_TRY(gateway_journal_save(journal, &rows[i]));
	}
	return CS_OK;
}

void gateway_hurry(struct gateway_chain *chain)
{
	chain->hurry.at = 0;
	chain->hurry.due_ms = host_wall_ms();
}

bool gateway_hurry_step(struct gateway_chain *chain)
{
	struct gateway_journal *journal = chain->gateway->journal;
	for (; chain->hurry.at < chain->route_count * CS_LEN(stages); chain->hurry.at++) {
		const struct stage *stage = &stages[chain->hurry.at % CS_LEN(stages)];
		struct gateway_route *route = &chain->routes[chain->hurry.at / CS_LEN(stages)];
		struct hurry hurry = {.chain = chain,
				      .stuck = {.chain = &chain->identity,
						.remote = &route->remote,
						.side = stage->side,
						.state = stage->state,
						.due_ms = chain->hurry.due_ms,
						.untried_ms = chain->hurry.due_ms}};
		uint64_t left = 0;
		if (gateway_journal_stuck_count(journal, &hurry.stuck, &left) != CS_OK || left == 0)
			continue;
		if (gateway_write(chain->gateway, write_hurry, &hurry) == CS_OK)
			return true;
	}
	return false;
}

/* More endpoints that are well than before, or an end of the trouble. */
static bool came_back(struct gateway_chain *chain)
{
	struct adapter_endpoint endpoints[ADAPTER_ENDPOINTS_MAX];
	struct gateway_hurried *was = &chain->hurry;
	size_t count = adapter_endpoints(chain->adapter, endpoints, CS_LEN(endpoints));
	size_t well = 0;
	for (size_t i = 0; i < count; i++)
		well += endpoints[i].state == ADAPTER_ENDPOINT_OK ||
			endpoints[i].state == ADAPTER_ENDPOINT_LAGGING;
	bool troubled = gateway_chain_trouble(chain) != NULL;
	bool back = well > was->well || (was->troubled && !troubled);
	was->well = well;
	was->troubled = troubled;
	return back;
}

void gateway_hurry_tick(struct gateway *gateway)
{
	for (size_t i = 0; i < gateway->chain_count; i++) {
		struct gateway_chain *chain = &gateway->chains[i];
		if (chain->adapter && came_back(chain))
			gateway_hurry(chain);
		(void)gateway_hurry_step(chain);
	}
}
