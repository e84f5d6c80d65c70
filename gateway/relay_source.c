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
	struct gateway_pick pick = {.chain = &chain->identity,
				    .side = RELAY_SOURCE,
				    .state = RELAY_OBSERVED,
				    .due_ms = INT64_MAX,
				    .height_max = chain->follow.final_height};
	if (chain->follow.final_height == 0)
		return;
	enum cs_err err = gateway_journal_pick(chain->gateway->journal, &pick, messages, MARK_ROWS,
					       &write.count);
	if (err == CS_OK && write.count > 0)
		err = gateway_write(chain->gateway, write_final, &write);
	if (err != CS_OK)
		log_error("message.not_marked", LOG_ERR(err));
}

/* ---- final to signed ---- */

/* One receipt of the batch; its proof is copied into the flight's arena when it arrives. */
struct receipt {
	struct adapter_block_id block;
	uint32_t tx_index;
	size_t claims_from;
	bool has_proof;
	struct cs_bytes nodes[ADAPTER_PROOF_NODES_MAX];
	size_t node_count;
	struct cs_bytes leaf;
};

struct flight {
	struct gateway_route *route;
	struct cs_arena *arena;
	struct gateway_message messages[CS_BATCH_MAX];
	uint32_t receipt_of[CS_BATCH_MAX];
	bool placed[CS_BATCH_MAX]; /* its log index in the receipt is known */
	size_t count;
	struct receipt receipts[CS_BATCH_MAX];
	size_t receipt_count;
	unsigned waiting;
	enum cs_err err;
	char why[GATEWAY_WHY_MAX + 1];
	/* of blocks that left the client's window: a stretch at a time, downwards from `walk_top` */
	struct cs_bytes headers[ADAPTER_HEADERS_MAX];
	size_t header_count;
	uint64_t walk_top; /* 0: not begun */
	size_t walk_mark;  /* of the arena */
	/* the reply */
	struct gateway_statement statement;
};

struct wait {
	struct flight *flight;
	size_t receipt;
};

static void flight_end(struct flight *flight)
{
	flight->route->signing = false;
	gateway_wake(flight->route->chain->gateway);
	gateway_arena_free(flight->arena);
	free(flight);
}

static enum cs_err write_postponed(void *context)
{
	struct flight *flight = context;
	for (size_t i = 0; i < flight->count; i++)
		CS_TRY(gateway_postpone(flight->route->chain->gateway, flight->messages[i].n,
					RELAY_FINAL, flight->err, flight->why));
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
				message.log_index = flight->messages[i].log_index;
		}
		/* Verified and signed are one reply: one row is written, both moves are told. */
		CS_TRY(relay_move(&message.state, RELAY_ON_VERIFY));
		CS_TRY(gateway_journal_event(journal, "message", &message, NULL));
		CS_TRY(gateway_journal_move(journal, &message, RELAY_ON_SIGN));
		struct gateway_step step = {.message = message.n,
					    .step = RELAY_STEP_SIGNED,
					    .chain = chain->config->id};
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
	if (err == CS_ERR_STALE_HEADER && walk_down(flight))
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

static enum cs_err put_proof(Caisson__Wire__ProofNodes *pb, struct cs_arena *arena,
			     const struct receipt *receipt)
{
	caisson__wire__proof_nodes__init(pb);
	pb->n_nodes = receipt->node_count;
	pb->nodes = cs_arena_calloc(arena, receipt->node_count, sizeof(*pb->nodes));
	if (!pb->nodes && receipt->node_count > 0)
		return CS_ERR_NO_MEMORY;
	for (size_t i = 0; i < receipt->node_count; i++)
		pb->nodes[i] = wire_pb_bytes(arena, receipt->nodes[i]);
	if (receipt->leaf.n > 0)
		pb->leaf = wire_pb_bytes(arena, receipt->leaf);
	return CS_OK;
}

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
		if (flight->receipt_of[i] != r)
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
		claims[k].log_index = flight->messages[i].log_index;
		pb->messages[k] = &claims[k];
	}
	return CS_OK;
}

static enum cs_err put_receipt(struct flight *flight, size_t r, Caisson__Wire__ReceiptClaim *pb)
{
	struct cs_arena *arena = flight->arena;
	const struct receipt *receipt = &flight->receipts[r];
	caisson__wire__receipt_claim__init(pb);
	pb->height = receipt->block.height;
	pb->block_hash = wire_pb_bytes(arena, CS_BYTES_OF(receipt->block.hash.b));
	pb->tx_index = receipt->tx_index;
	pb->proof = cs_arena_alloc(arena, sizeof(*pb->proof));
	if (!pb->proof)
		return CS_ERR_NO_MEMORY;
	CS_TRY(put_proof(pb->proof, arena, receipt));
	return put_claims(flight, r, pb);
}

static enum cs_err send_sign(struct flight *flight)
{
	struct gateway_chain *chain = flight->route->chain;
	struct cs_arena *arena = flight->arena;
	Caisson__Wire__SignMessagesRequest request = CAISSON__WIRE__SIGN_MESSAGES_REQUEST__INIT;
	Caisson__Wire__ReceiptClaim *claims =
		cs_arena_calloc(arena, flight->receipt_count, sizeof(*claims));
	request.receipts = cs_arena_calloc(arena, flight->receipt_count, sizeof(*request.receipts));
	request.headers =
		cs_arena_calloc(arena, flight->header_count + 1, sizeof(*request.headers));
	if (!claims || !request.receipts || !request.headers)
		return CS_ERR_NO_MEMORY;
	request.chain = wire_pb_bytes(arena, CS_BYTES_OF(chain->identity.b));
	request.receiver = wire_pb_bytes(arena, CS_BYTES_OF(flight->route->remote.b));
	request.epoch = flight->route->epoch;
	for (size_t i = 0; i < flight->receipt_count; i++) {
		CS_TRY(put_receipt(flight, i, &claims[i]));
		request.receipts[i] = &claims[i];
	}
	request.n_receipts = flight->receipt_count;
	for (size_t i = 0; i < flight->header_count; i++)
		request.headers[i] = wire_pb_bytes(arena, flight->headers[i]);
	request.n_headers = flight->header_count;
	return gateway_enclave_call(chain->gateway, WIRE_SIGN_MESSAGES, &request.base, sign_done,
				    flight);
}

/* ---- blocks that left the window of the light client ----
 * They are proven by the headers between: a stretch of them goes with the request, down from what the
 * client holds. A block that is further down is refused again, but the client has then reached the
 * end of that stretch, and the next one joins there. */

static void ancestors_done(void *context, enum cs_err err, const char *why,
			   const struct adapter_header *headers, size_t count)
{
	struct flight *flight = context;
	if (flight->route->chain->gateway->stopping)
		err = CS_ERR_CLOSED;
	if (err == CS_OK && (count == 0 || headers[count - 1].id.height != flight->walk_top))
		err = CS_ERR_REORGED;
	for (size_t i = 0; i < count && err == CS_OK; i++) {
		flight->headers[i] = cs_arena_copy(flight->arena, headers[i].rlp);
		if (!flight->headers[i].p)
			err = CS_ERR_NO_MEMORY;
	}
	flight->header_count = count;
	if (err == CS_OK)
		err = send_sign(flight);
	if (err != CS_OK)
		flight_fail(flight, err, why);
}

/* Keeps what the last stretch can prove: the others come with a flight of their own. */
static void keep_near(struct flight *flight, uint64_t lowest)
{
	uint32_t place[CS_BATCH_MAX] = {0};
	size_t receipts = 0;
	size_t kept = 0;
	for (size_t r = 0; r < flight->receipt_count; r++) {
		place[r] = (uint32_t)receipts;
		if (flight->receipts[r].block.height - lowest < ADAPTER_HEADERS_MAX)
			flight->receipts[receipts++] = flight->receipts[r];
	}
	for (size_t i = 0; i < flight->count; i++) {
		if (flight->messages[i].height - lowest >= ADAPTER_HEADERS_MAX)
			continue;
		flight->receipt_of[kept] = place[flight->receipt_of[i]];
		flight->messages[kept++] = flight->messages[i];
	}
	flight->receipt_count = receipts;
	flight->count = kept;
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
	const struct gateway_chain *chain = flight->route->chain;
	uint64_t lowest = lowest_of(flight);
	if (flight->walk_top == 0) {
		/* Inside of the client's window, and not below where it begins. */
		uint64_t inside = chain->follow.final_height > GATEWAY_CLIENT_INSIDE
					  ? chain->follow.final_height - GATEWAY_CLIENT_INSIDE
					  : 0;
		uint64_t anchor = chain->manifest->anchor_height;
		flight->walk_top = inside > anchor ? inside : anchor;
		flight->walk_mark = cs_arena_mark(flight->arena);
		keep_near(flight, lowest);
	} else {
		flight->walk_top -= flight->header_count;
	}
	if (flight->walk_top < lowest)
		return false;
	cs_arena_rewind(flight->arena, flight->walk_mark);
	/* The last stretch is a full one: it begins at the lowest. */
	uint64_t count = (flight->walk_top - lowest) % ADAPTER_HEADERS_MAX + 1;
	if (adapter_headers(chain->adapter, flight->walk_top - count + 1, (size_t)count,
			    ancestors_done, flight) != CS_OK)
		flight_fail(flight, CS_ERR_UNAVAILABLE, "headers of old blocks");
	return true;
}

/* ---- proofs ---- */

static enum cs_err copy_proof(struct flight *flight, struct receipt *receipt,
			      const struct adapter_proof *proof)
{
	for (size_t i = 0; i < proof->count; i++) {
		receipt->nodes[i] = cs_arena_copy(flight->arena, proof->nodes[i]);
		if (!receipt->nodes[i].p)
			return CS_ERR_NO_MEMORY;
	}
	receipt->node_count = proof->count;
	if (proof->leaf.n > 0) {
		receipt->leaf = cs_arena_copy(flight->arena, proof->leaf);
		if (!receipt->leaf.p)
			return CS_ERR_NO_MEMORY;
	}
	receipt->has_proof = true;
	return CS_OK;
}

/* False: some message of this receipt is on a later page of claims. */
static bool place_claims(struct flight *flight, size_t r, const struct adapter_receipt_proof *proof)
{
	bool all = true;
	for (size_t i = 0; i < flight->count; i++) {
		if (flight->receipt_of[i] != r || flight->placed[i])
			continue;
		for (size_t k = 0; k < proof->claim_count && !flight->placed[i]; k++) {
			if (cs_hash_eq(&proof->claims[k].id, &flight->messages[i].id)) {
				flight->messages[i].log_index = proof->claims[k].log_index;
				flight->placed[i] = true;
			}
		}
		all = all && flight->placed[i];
	}
	return all;
}

static void ask_proof(struct flight *flight, size_t r);

static void proofs_complete(struct flight *flight)
{
	enum cs_err err = flight->err;
	if (err == CS_OK && (flight->route->chain->gateway->stopping ||
			     !flight->route->chain->gateway->enclave_ready))
		err = CS_ERR_CLOSED;
	if (err == CS_OK)
		err = send_sign(flight);
	if (err != CS_OK)
		flight_fail(flight, err, flight->why);
}

static void proof_done(void *context, enum cs_err err, const char *why,
		       const struct adapter_receipt_proof *proof)
{
	struct wait *wait = context;
	struct flight *flight = wait->flight;
	size_t r = wait->receipt;
	struct receipt *receipt = &flight->receipts[r];
	free(wait);
	flight->waiting--;
	if (err == CS_OK && !receipt->has_proof)
		err = copy_proof(flight, receipt, &proof->proof);
	if (err == CS_OK && !place_claims(flight, r, proof)) {
		receipt->claims_from += proof->claim_count;
		if (proof->claim_count == 0 || receipt->claims_from >= proof->claim_total) {
			err = CS_ERR_WRONG_EVENT;
			why = "the receipt does not hold the message";
		} else {
			ask_proof(flight, r);
		}
	}
	if (err != CS_OK && flight->err == CS_OK) {
		flight->err = err;
		snprintf(flight->why, sizeof(flight->why), "%s", why ? why : "");
	}
	if (flight->waiting == 0)
		proofs_complete(flight);
}

static void ask_proof(struct flight *flight, size_t r)
{
	struct wait *wait = host_alloc(sizeof(*wait));
	struct receipt *receipt = &flight->receipts[r];
	*wait = (struct wait){flight, r};
	enum cs_err err =
		adapter_receipt_proof(flight->route->chain->adapter, &receipt->block,
				      receipt->tx_index, receipt->claims_from, proof_done, wait);
	if (err == CS_OK) {
		flight->waiting++;
		return;
	}
	free(wait);
	if (flight->err == CS_OK)
		flight->err = err;
}

static void add_message(struct flight *flight, const struct gateway_message *message)
{
	size_t r = 0;
	while (r < flight->receipt_count &&
	       !(cs_hash_eq(&flight->receipts[r].block.hash, &message->block) &&
		 flight->receipts[r].tx_index == message->tx_index))
		r++;
	if (r == flight->receipt_count) {
		flight->receipts[r] = (struct receipt){.block = {message->height, message->block},
						       .tx_index = message->tx_index};
		flight->receipt_count++;
	}
	flight->receipt_of[flight->count] = (uint32_t)r;
	flight->messages[flight->count++] = *message;
}

void gateway_source_sign(struct gateway_route *route)
{
	struct gateway_chain *chain = route->chain;
	struct gateway *gateway = chain->gateway;
	struct gateway_message picked[CS_BATCH_MAX];
	size_t count = 0;
	if (route->signing)
		return;
	struct gateway_pick pick = {.chain = &chain->identity,
				    .side = RELAY_SOURCE,
				    .state = RELAY_FINAL,
				    .remote = &route->remote,
				    .due_ms = host_wall_ms(),
				    .newest_first = route->sign_newest};
	if (gateway_journal_pick(gateway->journal, &pick, picked, gateway_batch_max(gateway),
				 &count) != CS_OK ||
	    count == 0)
		return;
	count = gateway_batch_keep(picked, count);
	route->sign_newest = !route->sign_newest;
	struct flight *flight = host_alloc(sizeof(*flight));
	flight->route = route;
	flight->arena = gateway_arena_new();
	for (size_t i = 0; i < count; i++)
		add_message(flight, &picked[i]);
	route->signing = true;
	for (size_t r = 0; r < flight->receipt_count; r++)
		ask_proof(flight, r);
	if (flight->waiting == 0)
		flight_fail(flight, flight->err, "no proof could be asked for");
}
