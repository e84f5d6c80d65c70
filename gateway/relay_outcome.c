/* The destination's half after the chain holds a status: final by the enclave's light client,
 * proven, signed, handed back. */
#include "gateway/gateway.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

/* ---- reaching a final block ---- */

#define MARK_ROWS 256u

struct mark_write {
	struct gateway_route *route;
	struct gateway_message *rows;
	size_t count;
	bool absence;
};

static enum cs_err write_final(void *context)
{
	struct mark_write *write = context;
	struct gateway_chain *chain = write->route->chain;
	for (size_t i = 0; i < write->count; i++) {
		struct gateway_message *row = &write->rows[i];
		row->next_ms = gateway_turn_ms(row, host_wall_ms());
		row->tries = 0;
		row->submission = 0; /* whatever becomes of it changes nothing any more */
		CS_TRY(gateway_journal_move(chain->gateway->journal, row, RELAY_ON_REACH_OUTCOME));
		struct gateway_step step = {
			.message = row->n,
			.step = RELAY_STEP_OUTCOME_FINAL,
			.chain = chain->config->id,
			.block = chain->follow.final_height,
			.detail = chain->follow.insecure ? "dev-final (insecure)" : NULL};
		if (write->absence)
			step.detail = "not delivered in a final block past the deadline";
		CS_TRY(gateway_journal_step_again(chain->gateway->journal, &step));
	}
	return CS_OK;
}

/* How many rows it moved on. */
static size_t mark(struct gateway_route *route, struct gateway_pick *pick, bool absence)
{
	static struct gateway_message rows[MARK_ROWS];
	struct mark_write write = {route, rows, 0, absence};
	struct gateway *gateway = route->chain->gateway;
	pick->chain = &route->chain->identity;
	pick->side = RELAY_DESTINATION;
	pick->remote = &route->remote;
	pick->due_ms = INT64_MAX;
	enum cs_err err =
		gateway_journal_pick(gateway->journal, pick, rows, MARK_ROWS, &write.count);
	if (err == CS_OK && write.count > 0)
		err = gateway_write(gateway, write_final, &write);
	if (err != CS_OK)
		log_error("outcome.not_marked", LOG_ERR(err));
	return write.count;
}

void gateway_outcome_mark_final(struct gateway_route *route)
{
	static const enum relay_state open[] = {RELAY_SIGNED, RELAY_SUBMITTED, RELAY_FAILED};
	struct gateway_chain *chain = route->chain;
	if (chain->follow.final_height == 0)
		return;
	struct gateway_pick included = {
		.state = RELAY_INCLUDED,
		.height_max = adapter_proven_height(chain->adapter, chain->follow.final_height)};
	(void)mark(route, &included, false);
	if (gateway_config_expire(&chain->gateway->config, &route->remote, &chain->identity) !=
		    GATEWAY_EXPIRE_ABSENCE ||
	    gateway_paused(route, RELAY_DESTINATION, true) ||
	    chain->follow.final_time_s <= chain->manifest->reorg_margin_s ||
	    route->absence_height == chain->follow.final_height)
		return;
	size_t count = 0;
	for (size_t i = 0; i < CS_LEN(open); i++) {
		struct gateway_pick absent = {.state = open[i],
					      .deadline_max = chain->follow.final_time_s -
							      chain->manifest->reorg_margin_s};
		count += mark(route, &absent, true);
	}
	if (count == 0)
		route->absence_height = chain->follow.final_height;
}

/* ---- proving ---- */

struct flight {
	struct gateway_route *route;
	enum gateway_lane lane;
	uint64_t height;
	struct gateway_message rows[CS_BATCH_MAX];
	size_t count;
	struct cs_hash slots[ADAPTER_SLOTS_MAX]; /* the sentinel, then words of statuses */
	size_t slot_count;
	size_t slot_of[CS_BATCH_MAX];
	struct gateway_statement statement;
	enum cs_err err;
	char why[GATEWAY_WHY_MAX + 1];
};

static enum cs_err write_postponed(void *context)
{
	struct flight *flight = context;
	for (size_t i = 0; i < flight->count; i++)
		CS_TRY(gateway_postpone(flight->route->chain->gateway, flight->rows[i].n,
					RELAY_OUTCOME_FINAL, flight->err, flight->why));
	return CS_OK;
}

static void flight_end(struct flight *flight, enum cs_err err, const char *why)
{
	struct gateway *gateway = flight->route->chain->gateway;
	gateway_stage_end(&flight->route->prove, flight->lane);
	if (err != CS_OK && !gateway->stopping) {
		flight->err = err;
		snprintf(flight->why, sizeof(flight->why), "%s", why ? why : "");
		log_warn("outcome.not_proven", LOG_TEXT("chain", flight->route->chain->config->id),
			 LOG_ERR(err), LOG_U64("count", flight->count),
			 LOG_HASH("id", &flight->rows[0].id), LOG_TEXT("why", why));
		if (gateway_write(gateway, write_postponed, flight) != CS_OK)
			log_error("outcome.not_postponed");
	}
	gateway_wake(gateway);
	free(flight);
}

static enum cs_err write_proven(void *context)
{
	struct flight *flight = context;
	struct gateway_chain *chain = flight->route->chain;
	struct gateway_journal *journal = chain->gateway->journal;
	CS_TRY(gateway_journal_add_statement(journal, &flight->statement));
	for (uint32_t leaf = 0; leaf < flight->statement.count; leaf++) {
		struct gateway_message row;
		CS_TRY(gateway_journal_find(journal, &flight->statement.ids[leaf],
					    RELAY_DESTINATION, &row));
		row.outcome = (enum wire_status)flight->statement.statuses[leaf];
		row.outcome_statement = flight->statement.n;
		row.outcome_leaf = leaf;
		row.submission = 0;
		row.tries = 0;
		row.why[0] = 0;
		CS_TRY(gateway_journal_move(journal, &row, RELAY_ON_VERIFY_OUTCOME));
		struct gateway_step step = {.message = row.n,
					    .step = RELAY_STEP_OUTCOME_SIGNED,
					    .chain = chain->config->id,
					    .block = flight->height,
					    .detail = relay_status_name(row.outcome)};
		CS_TRY(gateway_journal_step(journal, &step));
		CS_TRY(gateway_end_as_known(chain->gateway, &row));
	}
	return gateway_post_item(flight->route, GATEWAY_ITEM_OUTCOMES, flight->statement.n);
}

static enum cs_err take_reply(struct flight *flight, struct cs_bytes body)
{
	struct gateway *gateway = flight->route->chain->gateway;
	ProtobufCMessage *message = NULL;
	struct wire_signed signed_;
	CS_TRY(gateway_enclave_reply(&gateway->scratch, body,
				     &caisson__wire__signed_outcomes_reply__descriptor, &message));
	const Caisson__Wire__SignedOutcomesReply *reply =
		(const Caisson__Wire__SignedOutcomesReply *)message;
	CS_TRY(wire_signed_from_pb(&signed_, reply->statement));
	if (reply->n_outcomes != flight->count)
		return CS_ERR_INVALID;
	flight->statement = (struct gateway_statement){.statement = signed_.statement,
						       .signature = signed_.signature,
						       .count = (uint32_t)reply->n_outcomes};
	for (size_t i = 0; i < reply->n_outcomes; i++) {
		struct wire_outcome outcome;
		CS_TRY(wire_outcome_from_pb(&outcome, reply->outcomes[i]));
		flight->statement.ids[i] = outcome.message_id;
		flight->statement.statuses[i] = (uint8_t)outcome.status;
	}
	return gateway_statement_check(&flight->statement);
}

static void sign_done(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct flight *flight = context;
	struct gateway *gateway = flight->route->chain->gateway;
	size_t mark_ = cs_arena_mark(&gateway->scratch);
	if (err == CS_OK)
		err = take_reply(flight, body);
	cs_arena_rewind(&gateway->scratch, mark_);
	if (err == CS_OK)
		err = gateway_write(gateway, write_proven, flight);
	if (err == CS_OK)
		log_info("outcome.signed", LOG_TEXT("chain", flight->route->chain->config->id),
			 LOG_U64("count", flight->count),
			 LOG_HASH("root", &flight->statement.statement.root),
			 LOG_U64("height", flight->height));
	flight_end(flight, err, why);
}

static enum cs_err put_claim(struct flight *flight, size_t i,
			     const struct adapter_account_proof *proof,
			     Caisson__Wire__StatusClaim **out)
{
	struct gateway *gateway = flight->route->chain->gateway;
	struct cs_arena *arena = &gateway->scratch;
	struct wire_message content;
	Caisson__Wire__StatusClaim *pb = cs_arena_alloc(arena, sizeof(*pb));
	Caisson__Wire__MessageHead *head = cs_arena_alloc(arena, sizeof(*head));
	if (!pb || !head)
		return CS_ERR_NO_MEMORY;
	caisson__wire__status_claim__init(pb);
	CS_TRY(gateway_journal_content(gateway->journal, &flight->rows[i], arena, &content));
	CS_TRY(wire_head_to_pb(head, &content.head, arena));
	pb->head = head;
	CS_TRY(adapter_proof_to_pb(&pb->proof, arena, &proof->slots[flight->slot_of[i]].proof));
	*out = pb;
	return CS_OK;
}

static enum cs_err send_outcomes(struct flight *flight, const struct adapter_account_proof *proof)
{
	struct gateway_chain *chain = flight->route->chain;
	struct cs_arena *arena = &chain->gateway->scratch;
	Caisson__Wire__SignOutcomesRequest request = CAISSON__WIRE__SIGN_OUTCOMES_REQUEST__INIT;
	if (proof->slot_count != flight->slot_count)
		return CS_ERR_RPC_LIE;
	request.chain = wire_pb_bytes(arena, CS_BYTES_OF(chain->identity.b));
	request.receiver = wire_pb_bytes(arena, CS_BYTES_OF(flight->route->remote.b));
	request.epoch = flight->route->epoch;
	request.height = flight->height;
	CS_TRY(adapter_proof_to_pb(&request.account, arena, &proof->account));
	CS_TRY(adapter_proof_to_pb(&request.sentinel, arena, &proof->slots[0].proof));
	request.claims = cs_arena_calloc(arena, flight->count, sizeof(*request.claims));
	if (!request.claims)
		return CS_ERR_NO_MEMORY;
	for (size_t i = 0; i < flight->count; i++)
		CS_TRY(put_claim(flight, i, proof, &request.claims[i]));
	request.n_claims = flight->count;
	return gateway_enclave_call(chain->gateway, WIRE_SIGN_OUTCOMES, &request.base, sign_done,
				    flight);
}

static void proof_done(void *ctx, enum cs_err err, const char *why,
		       const struct adapter_account_proof *proof)
{
	struct flight *flight = ctx;
	struct gateway *gateway = flight->route->chain->gateway;
	size_t mark_ = cs_arena_mark(&gateway->scratch);
	if (err == CS_OK && !gateway->enclave_ready)
		err = CS_ERR_CLOSED;
	if (err == CS_OK)
		err = send_outcomes(flight, proof);
	cs_arena_rewind(&gateway->scratch, mark_);
	if (err != CS_OK)
		flight_end(flight, err, why);
}

/* False: no room for another word. */
static bool add_row(struct flight *flight, const struct gateway_message *row)
{
	struct cs_hash slot = wire_evm_status_slot(&row->remote, row->sequence);
	size_t k = 1;
	while (k < flight->slot_count && !cs_hash_eq(&flight->slots[k], &slot))
		k++;
	if (k == flight->slot_count) {
		if (k == ADAPTER_SLOTS_MAX)
			return false;
		flight->slots[flight->slot_count++] = slot;
	}
	flight->slot_of[flight->count] = k;
	flight->rows[flight->count++] = *row;
	return true;
}

static void prove_lane(struct gateway_route *route, enum gateway_lane lane)
{
	struct gateway_chain *chain = route->chain;
	struct gateway *gateway = chain->gateway;
	struct gateway_stage *stage = &route->prove;
	struct gateway_message picked[CS_BATCH_MAX];
	size_t count = 0;
	if (stage->lanes[lane].busy || gateway_is_ahead(route, GATEWAY_ITEM_OUTCOMES, lane))
		return;
	struct gateway_pick pick = {.chain = &chain->identity,
				    .side = RELAY_DESTINATION,
				    .state = RELAY_OUTCOME_FINAL,
				    .remote = &route->remote,
				    .due_ms = host_wall_ms()};
	if (gateway_stage_pick(stage, lane, gateway->journal, &pick, picked,
			       gateway_batch_max(gateway), &count) != CS_OK)
		return;
	count = gateway_batch_keep(picked, count);
	if (count == 0)
		return;
	if (lane == GATEWAY_LANE_OLD)
		stage->newest = !stage->newest;
	struct flight *flight = host_alloc(sizeof(*flight));
	flight->route = route;
	flight->lane = lane;
	flight->height = chain->follow.final_height;
	flight->slots[0] = wire_evm_sentinel_slot();
	flight->slot_count = 1;
	for (size_t i = 0; i < count && add_row(flight, &picked[i]); i++)
		;
	const struct adapter_block_id block = {chain->follow.final_height,
					       chain->follow.final_hash};
	gateway_stage_begin(stage, lane, flight->rows, flight->count);
	enum cs_err err =
		adapter_account_proof(chain->adapter, &block, &chain->manifest->gateway,
				      flight->slots, flight->slot_count, proof_done, flight);
	if (err != CS_OK)
		flight_end(flight, err, "the proof could not be asked for");
}

void gateway_outcome_prove(struct gateway_route *route)
{
	if (route->chain->follow.final_height == 0)
		return;
	for (enum gateway_lane lane = 0; lane < GATEWAY_LANES; lane++)
		prove_lane(route, lane);
}
