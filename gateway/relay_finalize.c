/* The source's half after the outcome came back: finalize or refund, and the end. */

#include "gateway/gateway.h"
#include "host/alloc.h"

#include <stdlib.h>

struct finalize_write {
	struct gateway_route *route;
	enum gateway_lane lane;
	uint64_t statement;
	struct gateway_message rows[CS_BATCH_MAX];
	size_t count;
	enum cs_err err;
	const char *why;
};

static enum cs_err write_finalize(void *context)
{
	struct finalize_write *write = context;
	return gateway_batch_write(write->route->chain, GATEWAY_FINALIZE, write->statement,
				   write->rows, write->count);
}

static bool is_open(const struct gateway_message *row, uint64_t now)
{
	return (row->state == RELAY_OUTCOME_VERIFIED || row->state == RELAY_REFUNDING) &&
	       row->submission == 0 && row->end_height == 0 && row->next_ms <= now &&
	       row->outcome_statement != 0;
}

static enum cs_err write_rehearsed(void *context)
{
	struct finalize_write *write = context;
	struct gateway *gateway = write->route->chain->gateway;
	struct gateway_message *row = &write->rows[0];
	CS_TRY(gateway_journal_row(gateway->journal, row->n, row));
	if (!is_open(row, INT64_MAX))
		return CS_OK; /* its event was faster */
	if (write->err != CS_OK)
		return gateway_postpone(gateway, row->n, row->state, write->err, write->why);
	return write_finalize(write);
}

/* Only what reverts is written down already. */
static void finalize_rehearsed(void *ctx, enum cs_err err, const char *why)
{
	struct finalize_write *write = ctx;
	struct gateway *gateway = write->route->chain->gateway;
	struct gateway_message *row = &write->rows[0];
	gateway_stage_end(&write->route->finalize, write->lane);
	write->err = err;
	write->why = why;
	if (err != CS_ERR_REVERTED && !gateway->stopping &&
	    gateway_write(gateway, write_rehearsed, write) != CS_OK)
		log_error("message.not_finalized", LOG_HASH("id", &row->id));
	free(write);
}

/* What failed before would cost gas again for the same. */
static void rehearse(struct gateway_route *route, enum gateway_lane lane,
		     const struct gateway_message *row)
{
	struct gateway_chain *chain = route->chain;
	struct finalize_write *write = host_alloc(sizeof(*write));
	write->route = route;
	write->lane = lane;
	write->statement = row->outcome_statement;
	write->rows[0] = *row;
	write->count = 1;
	if (gateway_rehearse(chain, WIRE_CALL_FINALIZE, &chain->accounts[0].address, row,
			     finalize_rehearsed, write) == CS_OK)
		gateway_stage_begin(&route->finalize, lane, row, 1);
	else
		free(write);
}

/* Those of the first row's statement that never failed go with it. */
static void finalize_with(struct gateway_route *route, const struct gateway_message *first,
			  uint64_t now, bool holds_dead)
{
	static struct finalize_write write;
	struct gateway *gateway = route->chain->gateway;
	size_t count = 0;
	write.route = route;
	write.statement = first->outcome_statement;
	write.count = 0;
	if (gateway_journal_of_statement(gateway->journal, write.statement, true, RELAY_SOURCE,
					 write.rows, CS_BATCH_MAX, &count) != CS_OK)
		return;
	for (size_t i = 0; i < count; i++) {
		if (write.rows[i].tries == 0 && is_open(&write.rows[i], now) &&
		    !(holds_dead && write.rows[i].outcome == WIRE_STATUS_DEAD))
			write.rows[write.count++] = write.rows[i];
	}
	if (write.count > 0 && gateway_write(gateway, write_finalize, &write) != CS_OK)
		log_error("message.not_finalized", LOG_HASH("id", &first->id));
}

static void finalize_lane(struct gateway_route *route, enum gateway_lane lane,
			  enum relay_state state, bool holds_dead)
{
	struct gateway_chain *chain = route->chain;
	struct gateway *gateway = chain->gateway;
	struct gateway_stage *stage = &route->finalize;
	struct gateway_message picked[CS_BATCH_MAX];
	const struct gateway_message *first = &picked[0];
	struct gateway_statement statement;
	uint64_t now = host_wall_ms();
	size_t count = 0;
	if (!gateway_may_submit(chain, GATEWAY_FINALIZE, lane))
		return;
	struct gateway_pick pick = {.chain = &chain->identity,
				    .side = RELAY_SOURCE,
				    .state = state,
				    .remote = &route->remote,
				    .due_ms = now,
				    .outcome_not =
					    holds_dead ? WIRE_STATUS_DEAD : WIRE_STATUS_NONE};
	if (gateway_stage_pick(stage, lane, gateway->journal, &pick, picked, 1, &count) != CS_OK ||
	    count == 0 || !is_open(first, now))
		return;
	if (first->tries > 0 && stage->lanes[lane].busy)
		return;
	if (gateway_journal_statement(gateway->journal, first->outcome_statement, &statement) !=
	    CS_OK)
		return;
	if (!gateway_key_is_learned(route, statement.statement.epoch)) {
		gateway_key_learn(route, statement.statement.epoch);
		return;
	}
	if (first->tries > 0) {
		rehearse(route, lane, first);
		return;
	}
	if (lane == GATEWAY_LANE_OLD)
		stage->newest = !stage->newest;
	finalize_with(route, first, now, holds_dead);
}

void gateway_finalize(struct gateway_route *route)
{
	bool holds_dead = gateway_paused(route, RELAY_SOURCE, true) != NULL;
	for (enum gateway_lane lane = 0; lane < GATEWAY_LANES; lane++) {
		finalize_lane(route, lane, RELAY_OUTCOME_VERIFIED, holds_dead);
		finalize_lane(route, lane, RELAY_REFUNDING, holds_dead);
	}
}

/* ---- the end: what ended it is final ---- */

#define END_ROWS 256u

struct end_write {
	struct gateway_chain *chain;
	struct gateway_message *rows;
	size_t count;
};

static enum cs_err write_end(void *context)
{
	struct host_trace trace;
	struct end_write *write = context;
	struct gateway_chain *chain = write->chain;
	struct gateway_journal *journal = chain->gateway->journal;
	for (size_t i = 0; i < write->count; i++) {
		struct gateway_message *row = &write->rows[i];
		enum relay_event way[RELAY_END_EVENTS_MAX];
		size_t length = relay_events_to_end(row->state, row->outcome, way);
		row->why[0] = 0;
		for (size_t k = 0; k < length; k++)
			CS_TRY(gateway_journal_move(journal, row, way[k]));
		struct gateway_step step = {
			.message = row->n,
			.step = RELAY_STEP_FINALIZATION_FINAL,
			.chain = chain->config->id,
			.tx = &row->end_tx,
			.block = chain->follow.final_height,
			.detail = chain->follow.insecure ? "dev-final (insecure)" : NULL};
		CS_TRY(gateway_journal_step(journal, &step));
		step = (struct gateway_step){.message = row->n,
					     .step = RELAY_STEP_NOTIFIED,
					     .detail = relay_state_name(row->state)};
		CS_TRY(gateway_journal_step(journal, &step));
		struct gateway_route *route = gateway_route_of(chain, &row->remote);
		if (route)
			CS_TRY(gateway_post_item(route, GATEWAY_ITEM_NOTE, row->n));
		log_info("message.ended", LOG_TEXT("chain", chain->config->id),
			 LOG_HASH("id", &row->id), LOG_TEXT("state", relay_state_name(row->state)),
			 gateway_log_message_trace(chain->gateway, row->n, &trace));
	}
	return CS_OK;
}

/* A write that moves nothing would wake the pump for the next one. */
static size_t keep_those_that_end(struct gateway_message *rows, size_t count)
{
	enum relay_event way[RELAY_END_EVENTS_MAX];
	size_t kept = 0;
	for (size_t i = 0; i < count; i++) {
		if (relay_events_to_end(rows[i].state, rows[i].outcome, way) > 0)
			rows[kept++] = rows[i];
	}
	return kept;
}

void gateway_finalize_end(struct gateway_chain *chain)
{
	static struct gateway_message rows[END_ROWS];
	struct end_write write = {chain, rows, 0};
	if (chain->follow.final_height == 0)
		return;
	enum cs_err err =
		gateway_journal_ending(chain->gateway->journal, &chain->identity,
				       chain->follow.final_height, rows, END_ROWS, &write.count);
	if (err == CS_OK)
		write.count = keep_those_that_end(rows, write.count);
	if (err == CS_OK && write.count > 0)
		err = gateway_write(chain->gateway, write_end, &write);
	if (err != CS_OK)
		log_error("message.not_ended", LOG_ERR(err));
}
