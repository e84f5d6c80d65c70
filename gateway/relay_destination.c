/* The destination's half until the chain holds a status: look first, then deliver, retry or expire. */
#include "gateway/gateway.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

/* Between two looks at what another gateway shall submit. */
#define YIELD_MS 2000u

struct flight {
	struct gateway_route *route;
	enum gateway_lane lane;
	enum gateway_kind kind; /* deliver or expire */
	uint64_t statement;
	uint64_t due_ms;
	struct gateway_message rows[CS_BATCH_MAX];
	size_t count;
	uint8_t statuses[CS_BATCH_MAX];
	enum cs_err err;
	const char *why;
};

/* The statement's rows that are still in this state, due, and nobody's: all that were never tried,
 * or one that was. */
static enum cs_err load_rows(struct flight *flight, const struct gateway_message *first)
{
	struct gateway *gateway = flight->route->chain->gateway;
	size_t found = 0;
	CS_TRY(gateway_journal_of_statement(gateway->journal, flight->statement, false,
					    RELAY_DESTINATION, flight->rows, CS_BATCH_MAX, &found));
	flight->count = 0;
	for (size_t i = 0; i < found; i++) {
		const struct gateway_message *row = &flight->rows[i];
		bool fits = first->tries > 0 ? row->n == first->n : row->tries == 0;
		if (fits && row->state == first->state && row->submission == 0 &&
		    row->next_ms <= flight->due_ms)
			flight->rows[flight->count++] = *row;
	}
	return CS_OK;
}

/* The chain's clock for what is sent now: what has its deadline up to this comes too late. */
static uint64_t late_s(const struct gateway_chain *chain)
{
	uint64_t next = chain->follow.head_time_s + (chain->config->block_time_ms + 999) / 1000;
	return next > chain->follow.final_time_s ? next : chain->follow.final_time_s;
}

/* Whether the transaction would do something: what nobody needs is not paid for twice. */
static bool is_wanted(const struct flight *flight, const struct gateway_message *row,
		      uint8_t status)
{
	if (flight->kind == GATEWAY_DELIVER)
		return status == WIRE_STATUS_NONE && row->deadline > late_s(flight->route->chain);
	return status <= WIRE_STATUS_FAILED &&
	       row->deadline <= flight->route->chain->follow.final_time_s;
}

/* What a status changes is the source's to know. */
static enum cs_err move(struct flight *flight, struct gateway_message *row, enum relay_event event)
{
	CS_TRY(gateway_journal_move(flight->route->chain->gateway->journal, row, event));
	return gateway_post_item(flight->route, GATEWAY_ITEM_NOTE, row->n);
}

/* ---- deliver ---- */

static enum cs_err note_status(struct flight *flight, struct gateway_message *row,
			       enum wire_status status)
{
	struct gateway_chain *chain = flight->route->chain;
	/* The event tells the position; where it does not come, the newest block is position
	 * enough: the status is there. */
	if (row->status_height == 0 && row->tries < 3) {
		row->tries++;
		row->next_ms = gateway_backoff(chain->gateway, row->tries);
		return gateway_journal_save(chain->gateway->journal, row);
	}
	row->status = status;
	if (row->status_height == 0)
		row->status_height = chain->follow.head_height;
	row->tries = 0;
	return move(flight, row, status == WIRE_STATUS_FAILED ? RELAY_ON_FAIL : RELAY_ON_INCLUDE);
}

/* Another gateway holds the lease of this route: what is to be done is its work, and is looked at again.
 * What it does shows as an event, or as a status where the event came before the envelope. */
static enum cs_err leave(const struct flight *flight, struct gateway_message *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		rows[i].next_ms = host_wall_ms() + YIELD_MS;
		CS_TRY(gateway_journal_save(flight->route->chain->gateway->journal, &rows[i]));
	}
	return CS_OK;
}

static enum cs_err write_wanted(void *context)
{
	struct flight *flight = context;
	struct gateway_message wanted[CS_BATCH_MAX];
	size_t count = 0;
	for (size_t i = 0; i < flight->count; i++) {
		struct gateway_message row;
		CS_TRY(gateway_journal_row(flight->route->chain->gateway->journal,
					   flight->rows[i].n, &row));
		if (row.state != flight->rows[i].state || row.submission != 0)
			continue; /* its event was faster */
		if (is_wanted(flight, &row, flight->statuses[i]))
			wanted[count++] = row;
		else if (flight->statuses[i] != WIRE_STATUS_NONE &&
			 flight->statuses[i] != row.status)
			CS_TRY(note_status(flight, &row, (enum wire_status)flight->statuses[i]));
		else if (flight->statuses[i] == WIRE_STATUS_FAILED && row.state == RELAY_SIGNED)
			CS_TRY(move(flight, &row, RELAY_ON_FAIL));
	}
	if (count == 0)
		return CS_OK;
	/* Paused or drained while the chain was asked: the pump does not pick them any more. */
	if (flight->route->chain->gateway->drain.is_on ||
	    gateway_paused(flight->route, RELAY_DESTINATION, flight->kind == GATEWAY_EXPIRE))
		return CS_OK;
	if (gateway_ledger_yields(flight->route, RELAY_DESTINATION))
		return leave(flight, wanted, count);
	return gateway_batch_write(flight->route->chain, flight->kind, flight->statement, wanted,
				   count);
}

static enum cs_err write_postponed(void *context)
{
	struct flight *flight = context;
	for (size_t i = 0; i < flight->count; i++)
		CS_TRY(gateway_postpone(flight->route->chain->gateway, flight->rows[i].n,
					flight->rows[i].state, flight->err, flight->why));
	return CS_OK;
}

static void flight_end(struct flight *flight, enum cs_err err, const char *why)
{
	struct gateway *gateway = flight->route->chain->gateway;
	if (flight->kind == GATEWAY_DELIVER)
		gateway_stage_end(&flight->route->deliver, flight->lane);
	else
		flight->route->expiring = false;
	if (err != CS_OK && !gateway->stopping) {
		flight->err = err;
		flight->why = why;
		log_warn("message.not_delivered",
			 LOG_TEXT("chain", flight->route->chain->config->id), LOG_ERR(err),
			 LOG_TEXT("why", why));
		if (gateway_write(gateway, write_postponed, flight) != CS_OK)
			log_error("message.not_postponed");
	}
	free(flight);
}

static void send_flight(struct flight *flight)
{
	struct gateway *gateway = flight->route->chain->gateway;
	enum cs_err err = gateway->stopping ? CS_OK : gateway_write(gateway, write_wanted, flight);
	flight_end(flight, err, "");
}

/* What reverts is written down already. */
static void flight_rehearsed(void *ctx, enum cs_err err, const char *why)
{
	struct flight *flight = ctx;
	if (err == CS_OK)
		send_flight(flight);
	else
		flight_end(flight, err == CS_ERR_REVERTED ? CS_OK : err, why);
}

static void statuses_done(void *ctx, enum cs_err err, const char *why, const uint8_t *statuses,
			  size_t count)
{
	struct flight *flight = ctx;
	struct gateway_chain *chain = flight->route->chain;
	if (err == CS_OK && count != flight->count)
		err = CS_ERR_RPC_LIE;
	if (err != CS_OK || chain->gateway->stopping) {
		flight_end(flight, err, why);
		return;
	}
	memcpy(flight->statuses, statuses, count);
	/* What failed before would cost gas again for the same. */
	if (flight->rows[0].tries == 0 || gateway_ledger_yields(flight->route, RELAY_DESTINATION) ||
	    !is_wanted(flight, &flight->rows[0], flight->statuses[0])) {
		send_flight(flight);
		return;
	}
	err = gateway_rehearse(
		chain, flight->kind == GATEWAY_DELIVER ? WIRE_CALL_DELIVER : WIRE_CALL_EXPIRE,
		&chain->accounts[0].address, &flight->rows[0], flight_rehearsed, flight);
	if (err != CS_OK)
		flight_end(flight, err, "the chain could not be asked");
}

/* False: the enclave does not know the key yet; learning has begun. */
static bool key_is_there(struct gateway_route *route, uint64_t statement)
{
	struct gateway_statement st;
	if (gateway_journal_statement(route->chain->gateway->journal, statement, &st) != CS_OK)
		return false;
	if (gateway_key_is_learned(route, st.statement.epoch))
		return true;
	gateway_key_learn(route, st.statement.epoch);
	return false;
}

/* Looks at the chain first: the flight goes on in statuses_done. */
static void begin_flight(struct gateway_route *route, enum gateway_kind kind,
			 enum gateway_lane lane, const struct gateway_message *first,
			 uint64_t due_ms)
{
	uint64_t sequences[CS_BATCH_MAX];
	struct flight *flight = host_alloc(sizeof(*flight));
	flight->route = route;
	flight->kind = kind;
	flight->lane = lane;
	flight->statement = first->statement;
	flight->due_ms = due_ms;
	enum cs_err err = load_rows(flight, first);
	for (size_t i = 0; i < flight->count; i++)
		sequences[i] = flight->rows[i].sequence;
	if (err == CS_OK && flight->count > 0)
		err = adapter_statuses(route->chain->adapter, &route->remote, sequences,
				       flight->count, statuses_done, flight);
	if (err != CS_OK || flight->count == 0)
		free(flight);
	else if (kind == GATEWAY_DELIVER)
		gateway_stage_begin(&route->deliver, lane, flight->rows, flight->count);
	else
		route->expiring = true;
}

static void deliver_lane(struct gateway_route *route, enum gateway_lane lane)
{
	struct gateway_chain *chain = route->chain;
	struct gateway_stage *stage = &route->deliver;
	struct gateway_message picked[CS_BATCH_MAX];
	size_t count = 0;
	if (stage->lanes[lane].busy || !gateway_may_submit(chain, GATEWAY_DELIVER, lane))
		return;
	struct gateway_pick pick = {.chain = &chain->identity,
				    .side = RELAY_DESTINATION,
				    .state = RELAY_SIGNED,
				    .remote = &route->remote,
				    .due_ms = host_wall_ms(),
				    .deadline_min = late_s(chain),
				    .newest_first = lane == GATEWAY_LANE_NEW || stage->newest};
	if (gateway_journal_pick(chain->gateway->journal, &pick, picked, CS_BATCH_MAX, &count) !=
	    CS_OK)
		return;
	if (gateway_stage_keep(stage, lane, picked, count, pick.due_ms) == 0)
		return;
	if (lane == GATEWAY_LANE_OLD)
		stage->newest = !stage->newest;
	if (key_is_there(route, picked[0].statement))
		begin_flight(route, GATEWAY_DELIVER, lane, &picked[0], pick.due_ms);
}

void gateway_destination_deliver(struct gateway_route *route)
{
	if (gateway_paused(route, RELAY_DESTINATION, false))
		return;
	for (enum gateway_lane lane = 0; lane < GATEWAY_LANES; lane++)
		deliver_lane(route, lane);
}

/* ---- expire: a tombstone for what was not delivered in time ---- */

void gateway_destination_expire(struct gateway_route *route)
{
	static const enum relay_state open[] = {RELAY_SIGNED, RELAY_FAILED};
	struct gateway_chain *chain = route->chain;
	/* A refused one waits for its deadline, which the chain's clock shows. */
	uint64_t chain_ms = chain->follow.final_time_s * 1000;
	uint64_t due_ms = host_wall_ms() > chain_ms ? host_wall_ms() : chain_ms;
	if (gateway_config_expire(&chain->gateway->config, &route->remote, &chain->identity) !=
		    GATEWAY_EXPIRE_TOMBSTONE ||
	    gateway_paused(route, RELAY_DESTINATION, true))
		return;
	for (size_t i = 0; i < CS_LEN(open) && !route->expiring &&
			   gateway_may_submit(chain, GATEWAY_EXPIRE, GATEWAY_LANE_OLD);
	     i++) {
		struct gateway_message first;
		size_t count = 0;
		struct gateway_pick pick = {.chain = &chain->identity,
					    .side = RELAY_DESTINATION,
					    .state = open[i],
					    .remote = &route->remote,
					    .due_ms = due_ms,
					    .deadline_max = chain->follow.final_time_s};
		if (gateway_journal_pick(chain->gateway->journal, &pick, &first, 1, &count) !=
			    CS_OK ||
		    count == 0)
			continue;
		if (key_is_there(route, first.statement))
			begin_flight(route, GATEWAY_EXPIRE, GATEWAY_LANE_OLD, &first, due_ms);
	}
}

/* ---- retry: because somebody asked for it ---- */

struct retry {
	struct gateway_route *route;
	struct gateway_message row;
	enum cs_err err;
	const char *why;
};

static enum cs_err write_retry(void *context)
{
	struct retry *retry = context;
	struct gateway_chain *chain = retry->route->chain;
	struct gateway_message row;
	CS_TRY(gateway_journal_row(chain->gateway->journal, retry->row.n, &row));
	if (row.state != RELAY_FAILED || row.submission != 0 || chain->gateway->drain.is_on ||
	    gateway_paused(retry->route, RELAY_DESTINATION, false))
		return CS_OK; /* somebody else was faster, or an operator */
	if (retry->err != CS_OK)
		return gateway_postpone(chain->gateway, row.n, row.state, retry->err, retry->why);
	return gateway_batch_write(chain, GATEWAY_RETRY, row.statement, &row, 1);
}

/* What reverts is written down already, and the wish with it. */
static void retry_rehearsed(void *ctx, enum cs_err err, const char *why)
{
	struct retry *retry = ctx;
	struct gateway *gateway = retry->route->chain->gateway;
	retry->route->retrying = false;
	retry->err = err;
	retry->why = why;
	if (err != CS_ERR_REVERTED && !gateway->stopping &&
	    gateway_write(gateway, write_retry, retry) != CS_OK)
		log_error("message.not_retried", LOG_HASH("id", &retry->row.id));
	free(retry);
}

void gateway_destination_retry(struct gateway_route *route)
{
	struct gateway_chain *chain = route->chain;
	struct gateway_message row;
	size_t count = 0;
	if (route->retrying || gateway_paused(route, RELAY_DESTINATION, false) ||
	    !gateway_may_submit(chain, GATEWAY_RETRY, GATEWAY_LANE_NEW))
		return;
	struct gateway_pick pick = {.chain = &chain->identity,
				    .side = RELAY_DESTINATION,
				    .state = RELAY_FAILED,
				    .remote = &route->remote,
				    .due_ms = host_wall_ms(),
				    .deadline_min = late_s(chain),
				    .wish_retry = true};
	if (gateway_journal_pick(chain->gateway->journal, &pick, &row, 1, &count) != CS_OK ||
	    count == 0 || !key_is_there(route, row.statement))
		return;
	struct retry *retry = host_alloc(sizeof(*retry));
	*retry = (struct retry){.route = route, .row = row};
	enum cs_err err = gateway_rehearse(chain, WIRE_CALL_RETRY, &chain->accounts[0].address,
					   &row, retry_rehearsed, retry);
	route->retrying = err == CS_OK;
	if (err != CS_OK)
		free(retry);
}
