/* The source's half of a message up to its envelope: final by the enclave's light client, verified,
 * signed, handed over. */
#include "gateway/gateway.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

/* ---- observed to final ---- */

#define MARK_ROWS 256u

struct mark_write {
	struct gateway_chain *chain;
	struct gateway_message *messages;
	size_t count;
};

static enum cs_err write_final(void *context)
{
	struct mark_write *write = context;
	struct gateway_chain *chain = write->chain;
	for (size_t i = 0; i < write->count; i++) {
		struct gateway_message *message = &write->messages[i];
		CS_TRY(gateway_journal_move(chain->gateway->journal, message,
					    RELAY_ON_REACH_FINALITY));
		struct gateway_step step = {
			.message = message->n,
			.step = RELAY_STEP_FINAL,
			.chain = chain->config->id,
			.block = chain->follow.final_height,
			.detail = chain->follow.insecure ? "dev-final (insecure)" : NULL};
		CS_TRY(gateway_journal_step(chain->gateway->journal, &step));
	}
	return CS_OK;
}

void gateway_source_mark_final(struct gateway_chain *chain)
{
	static struct gateway_message messages[MARK_ROWS];
	struct mark_write write = {chain, messages, 0};
	struct gateway_pick pick = {
		.chain = &chain->identity,
		.side = RELAY_SOURCE,
		.state = RELAY_OBSERVED,
		.due_ms = INT64_MAX,
		.height_max = adapter_proven_height(chain->adapter, chain->follow.final_height)};
	if (pick.height_max == 0)
		return;
	enum cs_err err = gateway_journal_pick(chain->gateway->journal, &pick, messages, MARK_ROWS,
					       &write.count);
	if (err == CS_OK && write.count > 0)
		err = gateway_write(chain->gateway, write_final, &write);
	if (err != CS_OK)
		log_error("message.not_marked", LOG_ERR(err));
}

/* ---- final to signed ---- */

struct flight {
	struct gateway_route *route;
	enum gateway_lane lane;
	struct cs_arena *arena;
	struct gateway_message messages[CS_BATCH_MAX];
	size_t count;
	struct adapter_claims claims; /* of the messages, in their order */
	bool is_kept;                 /* some of their proofs are the journal's */
	bool by_state;                /* proven by words of the gateway in place of receipts */
	uint64_t height;              /* of the block under which they are */
	enum cs_err err;
	char why[GATEWAY_WHY_MAX + 1];
	/* the reply */
	struct gateway_statement statement;
};

static void flight_end(struct flight *flight)
{
	gateway_stage_end(&flight->route->sign, flight->lane);
	gateway_wake(flight->route->chain->gateway);
	gateway_arena_free(flight->arena);
	free(flight);
}

/* Nothing can be shown yet: the next final block wakes the pump. */
static void flight_drop(struct flight *flight)
{
	gateway_stage_end(&flight->route->sign, flight->lane);
	gateway_arena_free(flight->arena);
	free(flight);
}

/* What could not be shown has a reason of its own; the others' is the flight's, OK: they go on. */
static enum cs_err postpone(struct flight *flight, size_t i)
{
	const char *why = NULL;
	enum cs_err err = adapter_claims_failed(&flight->claims, i, &why);
	if (err == CS_OK) {
		err = flight->err;
		why = flight->why;
	}
	return err == CS_OK ? CS_OK
			    : gateway_postpone(flight->route->chain->gateway, flight->messages[i].n,
					       RELAY_FINAL, err, why);
}

static enum cs_err write_postponed(void *context)
{
	struct flight *flight = context;
	struct gateway_journal *journal = flight->route->chain->gateway->journal;
	/* What was kept and proves nothing is asked for again. */
	bool forget = flight->is_kept &&
		      (flight->err == CS_ERR_BAD_PROOF || flight->err == CS_ERR_WRONG_EVENT);
	for (size_t i = 0; i < flight->count && forget; i++)
		CS_TRY(gateway_journal_forget_proof(journal, flight->messages[i].n));
	for (size_t i = 0; i < flight->count; i++)
		CS_TRY(postpone(flight, i));
	return CS_OK;
}

static void flight_fail(struct flight *flight, enum cs_err err, const char *why)
{
	struct gateway *gateway = flight->route->chain->gateway;
	flight->err = err;
	if (why != flight->why)
		snprintf(flight->why, sizeof(flight->why), "%s", why ? why : "");
	log_warn("message.not_signed", LOG_TEXT("chain", flight->route->chain->config->id),
		 LOG_U64("count", flight->count), LOG_HASH("id", &flight->messages[0].id),
		 LOG_ERR(err), LOG_TEXT("why", flight->why));
	if (!gateway->stopping && gateway_write(gateway, write_postponed, flight) != CS_OK)
		log_error("message.not_postponed");
	flight_end(flight);
}

static enum cs_err write_signed(void *context)
{
	struct flight *flight = context;
	struct gateway_chain *chain = flight->route->chain;
	struct gateway_journal *journal = chain->gateway->journal;
	CS_TRY(gateway_journal_add_statement(journal, &flight->statement));
	for (uint32_t leaf = 0; leaf < flight->statement.count; leaf++) {
		struct gateway_message message;
		CS_TRY(gateway_journal_find(journal, &flight->statement.ids[leaf], RELAY_SOURCE,
					    &message));
		if (message.state != RELAY_FINAL)
			return CS_ERR_CONFLICT; /* a reorganisation was faster: nothing of this is
						   handed over */
		message.tries = 0;
		message.why[0] = 0;
		message.next_ms = host_wall_ms();
		message.statement = flight->statement.n;
		message.leaf = leaf;
		for (size_t i = 0; i < flight->count; i++) {
			if (flight->messages[i].n == message.n)
				message.log_index = flight->claims.log_index[i];
		}
		/* Verified and signed are one reply: one row is written, both moves are told. */
		CS_TRY(relay_move(&message.state, RELAY_ON_VERIFY));
		CS_TRY(gateway_journal_told(journal, &message, RELAY_ON_VERIFY));
		CS_TRY(gateway_journal_move(journal, &message, RELAY_ON_SIGN));
		struct gateway_step step = {.message = message.n,
					    .step = RELAY_STEP_SIGNED,
					    .chain = chain->config->id,
					    .block = flight->by_state ? flight->height
								      : message.height};
		CS_TRY(gateway_journal_step(journal, &step));
	}
	return gateway_post_item(flight->route, GATEWAY_ITEM_MESSAGES, flight->statement.n);
}

static enum cs_err take_reply(struct flight *flight, struct cs_bytes body)
{
	ProtobufCMessage *message = NULL;
	struct wire_signed signed_;
	CS_TRY(gateway_enclave_reply(flight->arena, body, &caisson__wire__signed_reply__descriptor,
				     &message));
	const Caisson__Wire__SignedReply *reply = (const Caisson__Wire__SignedReply *)message;
	CS_TRY(wire_signed_from_pb(&signed_, reply->statement));
	if (reply->n_message_ids != flight->count)
		return CS_ERR_INVALID;
	flight->statement = (struct gateway_statement){.statement = signed_.statement,
						       .signature = signed_.signature,
						       .count = (uint32_t)reply->n_message_ids};
	for (size_t i = 0; i < reply->n_message_ids; i++)
		flight->statement.ids[i] = wire_pb_hash(reply->message_ids[i]);
	return gateway_statement_check(&flight->statement);
}

static bool walk_down(struct flight *flight);

static void sign_done(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct flight *flight = context;
	struct gateway *gateway = flight->route->chain->gateway;
	if (err == CS_ERR_STALE_HEADER && !flight->by_state && walk_down(flight))
		return;
	if (err == CS_OK)
		err = take_reply(flight, body);
	if (err == CS_OK)
		err = gateway_write(gateway, write_signed, flight);
	if (err != CS_OK) {
		flight_fail(flight, err, why);
		return;
	}
	log_info("message.signed", LOG_TEXT("chain", flight->route->chain->config->id),
		 LOG_U64("count", flight->count),
		 LOG_HASH("root", &flight->statement.statement.root),
		 LOG_U64("epoch", flight->statement.statement.epoch));
	flight_end(flight);
}

/* ---- the request ---- */

static enum cs_err put_claims(struct flight *flight, size_t r, Caisson__Wire__ReceiptClaim *pb)
{
	struct cs_arena *arena = flight->arena;
	pb->messages = cs_arena_calloc(arena, flight->count, sizeof(*pb->messages));
	Caisson__Wire__MessageClaim *claims =
		cs_arena_calloc(arena, flight->count, sizeof(*claims));
	Caisson__Wire__MessageHead *heads = cs_arena_calloc(arena, flight->count, sizeof(*heads));
	if (!pb->messages || !claims || !heads)
		return CS_ERR_NO_MEMORY;
	for (size_t i = 0; i < flight->count; i++) {
		struct wire_message content;
		if (flight->claims.receipt_of[i] != r)
			continue;
		size_t mark = cs_arena_mark(&flight->route->chain->gateway->scratch);
		enum cs_err err = gateway_journal_content(
			flight->route->chain->gateway->journal, &flight->messages[i],
			&flight->route->chain->gateway->scratch, &content);
		size_t k = pb->n_messages++;
		caisson__wire__message_claim__init(&claims[k]);
		if (err == CS_OK)
			err = wire_head_to_pb(&heads[k], &content.head, arena);
		cs_arena_rewind(&flight->route->chain->gateway->scratch, mark);
		CS_TRY(err);
		claims[k].head = &heads[k];
		claims[k].log_index = flight->claims.log_index[i];
		pb->messages[k] = &claims[k];
	}
	return CS_OK;
}

static enum cs_err put_receipt(struct flight *flight, size_t r, Caisson__Wire__ReceiptClaim *pb)
{
	struct cs_arena *arena = flight->arena;
	const struct adapter_claimed_receipt *receipt = &flight->claims.receipts[r];
	caisson__wire__receipt_claim__init(pb);
	pb->height = receipt->block.height;
	pb->block_hash = wire_pb_bytes(arena, CS_BYTES_OF(receipt->block.hash.b));
	pb->tx_index = receipt->tx_index;
	CS_TRY(adapter_proof_to_pb(&pb->proof, arena, &receipt->proof));
	return put_claims(flight, r, pb);
}

static enum cs_err send_sign(struct flight *flight)
{
	struct gateway_chain *chain = flight->route->chain;
	struct cs_arena *arena = flight->arena;
	Caisson__Wire__SignMessagesRequest request = CAISSON__WIRE__SIGN_MESSAGES_REQUEST__INIT;
	size_t receipt_count = flight->claims.receipt_count;
	Caisson__Wire__ReceiptClaim *claims =
		cs_arena_calloc(arena, receipt_count, sizeof(*claims));
	request.receipts = cs_arena_calloc(arena, receipt_count, sizeof(*request.receipts));
	if (!claims || !request.receipts)
		return CS_ERR_NO_MEMORY;
	request.chain = wire_pb_bytes(arena, CS_BYTES_OF(chain->identity.b));
	request.receiver = wire_pb_bytes(arena, CS_BYTES_OF(flight->route->remote.b));
	request.epoch = flight->route->epoch;
	for (size_t i = 0; i < receipt_count; i++) {
		CS_TRY(put_receipt(flight, i, &claims[i]));
		request.receipts[i] = &claims[i];
	}
	request.n_receipts = receipt_count;
	CS_TRY(adapter_claims_headers(&flight->claims, &request.headers, &request.n_headers));
	return gateway_enclave_call(chain->gateway, WIRE_SIGN_MESSAGES, &request.base, sign_done,
				    flight);
}

/* ---- the request of a chain that proves no events ---- */

static enum cs_err put_sent(struct flight *flight, size_t i,
			    const struct adapter_account_proof *proof,
			    Caisson__Wire__SentClaim **out)
{
	struct gateway *gateway = flight->route->chain->gateway;
	struct cs_arena *arena = flight->arena;
	struct wire_message content;
	Caisson__Wire__SentClaim *pb = cs_arena_alloc(arena, sizeof(*pb));
	Caisson__Wire__MessageHead *head = cs_arena_alloc(arena, sizeof(*head));
	if (!pb || !head)
		return CS_ERR_NO_MEMORY;
	caisson__wire__sent_claim__init(pb);
	size_t mark = cs_arena_mark(&gateway->scratch);
	enum cs_err err = gateway_journal_content(gateway->journal, &flight->messages[i],
						  &gateway->scratch, &content);
	if (err == CS_OK)
		err = wire_head_to_pb(head, &content.head, arena);
	cs_arena_rewind(&gateway->scratch, mark);
	CS_TRY(err);
	pb->head = head;
	CS_TRY(adapter_proof_to_pb(&pb->proof, arena, &proof->slots[1 + i].proof));
	*out = pb;
	return CS_OK;
}

static enum cs_err send_sent(struct flight *flight, const struct adapter_account_proof *proof)
{
	struct gateway_chain *chain = flight->route->chain;
	struct cs_arena *arena = flight->arena;
	Caisson__Wire__SignMessagesRequest request = CAISSON__WIRE__SIGN_MESSAGES_REQUEST__INIT;
	if (proof->slot_count != 1 + flight->count)
		return CS_ERR_RPC_LIE;
	request.chain = wire_pb_bytes(arena, CS_BYTES_OF(chain->identity.b));
	request.receiver = wire_pb_bytes(arena, CS_BYTES_OF(flight->route->remote.b));
	request.epoch = flight->route->epoch;
	request.height = flight->height;
	CS_TRY(adapter_proof_to_pb(&request.sentinel, arena, &proof->slots[0].proof));
	request.sent = cs_arena_calloc(arena, flight->count, sizeof(*request.sent));
	if (!request.sent)
		return CS_ERR_NO_MEMORY;
	for (size_t i = 0; i < flight->count; i++)
		CS_TRY(put_sent(flight, i, proof, &request.sent[i]));
	request.n_sent = flight->count;
	return gateway_enclave_call(chain->gateway, WIRE_SIGN_MESSAGES, &request.base, sign_done,
				    flight);
}

static void words_done(void *context, enum cs_err err, const char *why,
		       const struct adapter_account_proof *proof)
{
	struct flight *flight = context;
	const struct gateway *gateway = flight->route->chain->gateway;
	if (err == CS_OK && (gateway->stopping || !gateway->enclave_ready))
		err = CS_ERR_CLOSED;
	if (err == CS_OK)
		err = send_sent(flight, proof);
	if (err != CS_OK)
		flight_fail(flight, err, why);
}

/* Is it shown by the block so many below the final one? */
static bool is_shown(const struct gateway_chain *chain, const struct gateway_message *message,
		     uint64_t below)
{
	return chain->follow.final_height > below &&
	       message->height <=
		       adapter_proven_height(chain->adapter, chain->follow.final_height - below);
}

/* A message may ask for more final blocks on top of the one that shows it: those that one block serves
 * go together. */
static enum cs_err ask_words(struct flight *flight)
{
	struct gateway_chain *chain = flight->route->chain;
	struct cs_hash slots[1 + CS_BATCH_MAX] = {wire_evm_sentinel_slot()};
	struct adapter_block_id block = {0, chain->follow.final_hash};
	uint64_t below = 0;
	size_t count = 0;
	for (size_t i = 0; i < flight->count; i++) {
		struct gateway_message *message = &flight->messages[i];
		uint64_t wants = count == 0 ? message->finality : below;
		if (message->finality > wants || !is_shown(chain, message, wants))
			continue;
		below = wants;
		flight->messages[count] = *message;
		flight->claims.log_index[count] = message->log_index;
		slots[1 + count] = wire_evm_sent_slot(&message->id);
		count++;
	}
	if (count == 0)
		return CS_ERR_NOT_FINAL;
	flight->count = count;
	flight->height = block.height = chain->follow.final_height - below;
	if (below > 0 && !adapter_hash_at(chain->adapter, block.height, &block.hash))
		return CS_ERR_NOT_FINAL;
	return adapter_account_proof(chain->adapter, &block, &chain->manifest->gateway, slots,
				     1 + count, words_done, flight);
}

/* ---- receipts, and headers of old blocks ---- */

/* Those that it keeps are flown with, in their order. */
static void keep(struct flight *flight, const bool *kept)
{
	size_t count = 0;
	adapter_claims_keep(&flight->claims, kept);
	for (size_t i = 0; i < flight->count; i++)
		if (kept[i])
			flight->messages[count++] = flight->messages[i];
	flight->count = count;
}

/* One that no node can show holds up no other: it waits with its own reason, and the rest goes on. False: nothing
 * is left, or it was not proofs that failed. */
static bool leave_unshown(struct flight *flight, enum cs_err err, const char *why)
{
	struct gateway *gateway = flight->route->chain->gateway;
	bool shown[CS_BATCH_MAX];
	size_t first = flight->count;
	size_t count = 0;
	for (size_t i = 0; i < flight->count; i++) {
		const char *reason = NULL;
		shown[i] = adapter_claims_failed(&flight->claims, i, &reason) == CS_OK;
		count += shown[i];
		if (!shown[i] && first == flight->count)
			first = i;
	}
	if (count == 0 || first == flight->count || gateway->stopping)
		return false;
	log_warn("message.not_signed", LOG_TEXT("chain", flight->route->chain->config->id),
		 LOG_U64("count", flight->count - count),
		 LOG_HASH("id", &flight->messages[first].id), LOG_ERR(err), LOG_TEXT("why", why));
	if (gateway_write(gateway, write_postponed, flight) != CS_OK)
		return false;
	keep(flight, shown);
	return true;
}

/* Proofs, or headers of old blocks, are there. */
static void claims_done(void *context, enum cs_err err, const char *why)
{
	struct flight *flight = context;
	const struct gateway *gateway = flight->route->chain->gateway;
	if (err != CS_OK && leave_unshown(flight, err, why))
		err = CS_OK;
	if (err == CS_OK && (gateway->stopping || !gateway->enclave_ready))
		err = CS_ERR_CLOSED;
	if (err == CS_OK)
		err = send_sign(flight);
	if (err != CS_OK)
		flight_fail(flight, err, why);
}

/* Keeps what the last stretch can prove: the others come with a flight of their own. */
static void keep_near(struct flight *flight, uint64_t lowest)
{
	bool kept[CS_BATCH_MAX];
	for (size_t i = 0; i < flight->count; i++)
		kept[i] = flight->messages[i].height - lowest < ADAPTER_HEADERS_MAX;
	keep(flight, kept);
}

static uint64_t lowest_of(const struct flight *flight)
{
	uint64_t lowest = UINT64_MAX;
	for (size_t i = 0; i < flight->count; i++)
		lowest = flight->messages[i].height < lowest ? flight->messages[i].height : lowest;
	return lowest;
}

/* False: the whole way was shown, and it is refused nevertheless. */
static bool walk_down(struct flight *flight)
{
	uint64_t lowest = lowest_of(flight);
	if (flight->claims.walk_top == 0)
		keep_near(flight, lowest);
	return adapter_claims_walk(&flight->claims, &flight->route->chain->follow, lowest);
}

/* ---- the beginning ---- */

/* A new message waits for no headers of old blocks: those that need them go in the other lane. */
static size_t keep_inside(const struct gateway_chain *chain, struct gateway_message *rows,
			  size_t count)
{
	uint64_t lowest = adapter_claims_inside(&chain->follow);
	size_t kept = 0;
	for (size_t i = 0; i < count; i++)
		if (rows[i].height >= lowest)
			rows[kept++] = rows[i];
	return kept;
}

static void sign_lane(struct gateway_route *route, enum gateway_lane lane)
{
	struct gateway_chain *chain = route->chain;
	struct gateway *gateway = chain->gateway;
	struct gateway_stage *stage = &route->sign;
	struct gateway_message picked[CS_BATCH_MAX];
	size_t count = 0;
	if (stage->lanes[lane].busy || gateway_is_ahead(route, GATEWAY_ITEM_MESSAGES, lane))
		return;
	struct gateway_pick pick = {.chain = &chain->identity,
				    .side = RELAY_SOURCE,
				    .state = RELAY_FINAL,
				    .remote = &route->remote,
				    .due_ms = host_wall_ms()};
	if (gateway_stage_pick(stage, lane, gateway->journal, &pick, picked,
			       gateway_batch_max(gateway), &count) != CS_OK)
		return;
	if (lane == GATEWAY_LANE_NEW)
		count = keep_inside(chain, picked, count);
	count = gateway_batch_keep(picked, count);
	if (count == 0)
		return;
	if (lane == GATEWAY_LANE_OLD)
		stage->newest = !stage->newest;
	struct flight *flight = host_alloc(sizeof(*flight));
	flight->route = route;
	flight->lane = lane;
	flight->arena = gateway_arena_new();
	flight->claims = (struct adapter_claims){.adapter = chain->adapter,
						 .arena = flight->arena,
						 .context = flight,
						 .done = claims_done};
	for (size_t i = 0; i < count; i++) {
		const struct adapter_block_id block = {picked[i].height, picked[i].block};
		adapter_claims_add(&flight->claims, &picked[i].id, &block, picked[i].tx_index);
		flight->messages[flight->count++] = picked[i];
	}
	gateway_stage_begin(stage, lane, picked, count);
	flight->by_state = !adapter_proves_events(chain->adapter);
	flight->is_kept =
		!flight->by_state && gateway_proofs_take(chain, &flight->claims, flight->messages);
	if (flight->is_kept && adapter_claims_are_there(&flight->claims)) {
		claims_done(flight, CS_OK, "");
		return;
	}
	enum cs_err err =
		flight->by_state ? ask_words(flight) : adapter_claims_ask(&flight->claims);
	if (err == CS_ERR_NOT_FINAL)
		flight_drop(flight);
	else if (err != CS_OK)
		claims_done(flight, err, "no proof could be asked for");
}

void gateway_source_sign(struct gateway_route *route)
{
	if (gateway_paused(route, RELAY_SOURCE, false))
		return;
	for (enum gateway_lane lane = 0; lane < GATEWAY_LANES; lane++)
		sign_lane(route, lane);
}
