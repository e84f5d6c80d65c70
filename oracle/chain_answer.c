/* From a final event to a signed answer: the proofs of the receipts that hold the events, then one call
 * of the enclave, which looks the answers up. */
#include "adapters/claims.h"
#include "host/alloc.h"
#include "oracle/chain_requests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(ORACLE_BATCH_MAX <= CS_BATCH_MAX, "one flight is one call's claims");

struct oracle_flight {
	struct oracle_contract *contract;
	struct cs_arena *arena;
	struct oracle_request requests[ORACLE_BATCH_MAX];
	struct oracle_query queries[ORACLE_BATCH_MAX]; /* in the arena */
	size_t count;
	struct adapter_claims claims; /* of the requests, in their order */
	enum cs_err err;
	char why[ORACLE_WHY_MAX + 1];
	/* the reply */
	struct oracle_statement statement;
	struct cs_bytes results[ORACLE_BATCH_MAX]; /* protobuf, in the arena */
	uint32_t codes[ORACLE_BATCH_MAX];
	uint64_t observed_at[ORACLE_BATCH_MAX];
	struct oracle_flight *next;
};

static struct oracle *oracle_of(const struct oracle_flight *flight)
{
	return flight->contract->chain->oracle;
}

static void flight_free(struct oracle_flight *flight)
{
	oracle_arena_free(flight->arena);
	free(flight);
}

static void flight_end(struct oracle_flight *flight)
{
	struct oracle_listening *listening = flight->contract->chain->listening;
	struct oracle_flight **at = &listening->flights;
	while (*at != flight)
		at = &(*at)->next;
	*at = flight->next;
	for (size_t i = 0; i < flight->count; i++)
		oracle_end_under_way(&listening->asked, flight->requests[i].n);
	oracle_wake(oracle_of(flight));
	flight_free(flight);
}

void oracle_flights_free(struct oracle_listening *listening)
{
	while (listening->flights) {
		struct oracle_flight *flight = listening->flights;
		listening->flights = flight->next;
		flight_free(flight);
	}
}

/* ---- what became of it ---- */

/* Nothing that is tried later makes it right. */
static bool is_for_good(enum cs_err err)
{
	return err == CS_ERR_NOT_IN_MANIFEST;
}

static enum cs_err write_failed(void *context)
{
	struct oracle_flight *flight = context;
	struct oracle *oracle = oracle_of(flight);
	for (size_t i = 0; i < flight->count; i++) {
		struct oracle_request request;
		CS_TRY(oracle_request_postpone(oracle, flight->requests[i].n, ORACLE_OPEN, true,
					       flight->err, flight->why));
		if (!is_for_good(flight->err))
			continue;
		CS_TRY(oracle_journal_row(oracle->journal, flight->requests[i].n, &request));
		if (request.state == ORACLE_OPEN)
			CS_TRY(oracle_journal_move(oracle->journal, &request, ORACLE_REFUSED));
	}
	return CS_OK;
}

static void flight_fail(struct oracle_flight *flight, enum cs_err err, const char *why)
{
	struct oracle *oracle = oracle_of(flight);
	flight->err = err;
	if (why != flight->why)
		snprintf(flight->why, sizeof(flight->why), "%s", why ? why : "");
	if (oracle->stopping) {
		flight_end(flight);
		return;
	}
	log_warn("request.not_answered", LOG_TEXT("chain", flight->contract->chain->config->id),
		 LOG_U64("count", flight->count), LOG_HASH("id", &flight->requests[0].id),
		 LOG_ERR(err), LOG_TEXT("why", flight->why));
	if (oracle_write(oracle, write_failed, flight) != CS_OK)
		log_error("request.not_postponed");
	flight_end(flight);
}

/* Blocks until an answer that is signed now is in one. */
#define BLOCKS_TO_BRING 4u

static bool is_asked_again(const struct oracle_flight *flight, const struct oracle_request *request,
			   uint32_t code)
{
	uint64_t way_ms =
		(uint64_t)BLOCKS_TO_BRING * flight->contract->chain->config->block_time_ms;
	uint64_t deadline_ms = request->head.deadline * 1000;
	return deadline_ms > way_ms &&
	       oracle_asks_again(oracle_of(flight), code, request->tries, deadline_ms - way_ms);
}

static enum cs_err ask_source_again(struct oracle_flight *flight, struct oracle_request *request,
				    uint32_t code)
{
	const char *known = wire_oracle_code_name(code);
	const char *name = known ? known : "unknown code";
	request->tries++;
	request->next_ms = oracle_backoff(oracle_of(flight), request->tries);
	request->code = request->statement == 0 ? code : request->code;
	snprintf(request->why, sizeof(request->why), "a source failed, it is asked again: %s",
		 name);
	log_info("request.asked_again", LOG_HASH("id", &request->id),
		 LOG_U64("tries", request->tries), LOG_TEXT("code", name));
	return oracle_journal_save(oracle_of(flight)->journal, request);
}

static enum cs_err write_answers(void *context)
{
	struct oracle_flight *flight = context;
	struct oracle_journal *journal = oracle_of(flight)->journal;
	for (size_t i = 0; i < flight->count; i++) {
		struct oracle_request request;
		enum cs_err err = oracle_journal_row(journal, flight->requests[i].n, &request);
		if (err == CS_ERR_NOT_FOUND || (err == CS_OK && request.state != ORACLE_OPEN))
			continue; /* a block was faster */
		CS_TRY(err);
		if (is_asked_again(flight, &request, flight->codes[i])) {
			CS_TRY(ask_source_again(flight, &request, flight->codes[i]));
			continue;
		}
		/* An equal one is written once. */
		CS_TRY(oracle_journal_add_statement(journal, &flight->statement));
		request.code = flight->codes[i];
		request.observed_at = flight->observed_at[i];
		request.tries = 0;
		request.next_ms = host_wall_ms();
		CS_TRY(oracle_journal_answered(journal, &request, &flight->statement, (uint32_t)i,
					       flight->results[i]));
	}
	return CS_OK;
}

/* ---- the reply ---- */

/* A result is of the request that stands at its place. */
static enum cs_err take_result(struct oracle_flight *flight, size_t i,
			       const Caisson__Wire__OracleResult *result, struct cs_hash *leaf)
{
	const struct oracle_request *request = &flight->requests[i];
	struct wire_answer answer = {.request_id = wire_pb_hash(result->request_id),
				     .spec_hash = wire_pb_hash(result->spec_hash),
				     .code = result->code,
				     .observed_at = result->observed_at,
				     .evidence_hash = wire_pb_hash(result->evidence_hash),
				     .value = wire_pb_view(result->value)};
	size_t size = protobuf_c_message_get_packed_size(&result->base);
	if (!cs_hash_eq(&answer.request_id, &request->request_id) ||
	    !cs_hash_eq(&answer.spec_hash, &request->head.spec_hash) || result->code > UINT8_MAX ||
	    result->observed_at > INT64_MAX)
		return CS_ERR_INVALID;
	uint8_t *bytes = cs_arena_alloc(flight->arena, size);
	if (!bytes)
		return CS_ERR_NO_MEMORY;
	flight->results[i] = cs_bytes(bytes, protobuf_c_message_pack(&result->base, bytes));
	flight->codes[i] = result->code;
	flight->observed_at[i] = result->observed_at;
	*leaf = wire_leaf_answer(&answer);
	return CS_OK;
}

static enum cs_err take_reply(struct oracle_flight *flight, struct cs_bytes body)
{
	ProtobufCMessage *message = NULL;
	struct cs_hash leaves[ORACLE_BATCH_MAX];
	CS_TRY(oracle_enclave_reply(flight->arena, body, &caisson__wire__oracle_reply__descriptor,
				    &message));
	const Caisson__Wire__OracleReply *reply = (const Caisson__Wire__OracleReply *)message;
	if (!reply->statement || reply->n_results != flight->count)
		return CS_ERR_INVALID;
	for (size_t i = 0; i < flight->count; i++)
		CS_TRY(take_result(flight, i, reply->results[i], &leaves[i]));
	CS_TRY(oracle_statement_take(&flight->statement, reply->statement, leaves, flight->count));
	const struct wire_statement *st = &flight->statement.st.statement;
	return st->kind == WIRE_KIND_ANSWER &&
			       cs_hash_eq(&st->receiver, &flight->contract->identity)
		       ? CS_OK
		       : CS_ERR_INVALID;
}

static bool walk_down(struct oracle_flight *flight);

static void answer_done(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct oracle_flight *flight = context;
	struct oracle *oracle = oracle_of(flight);
	if (err == CS_ERR_STALE_HEADER && !oracle->stopping && walk_down(flight))
		return;
	if (err == CS_OK)
		err = take_reply(flight, body);
	if (err == CS_OK && !oracle->stopping)
		err = oracle_write(oracle, write_answers, flight);
	if (err != CS_OK) {
		flight_fail(flight, err, why);
		return;
	}
	for (size_t i = 0; i < flight->count; i++)
		log_info("request.answered", LOG_TEXT("chain", flight->contract->chain->config->id),
			 LOG_HASH("id", &flight->requests[i].id), LOG_U64("code", flight->codes[i]),
			 LOG_U64("observed_at", flight->observed_at[i]));
	flight_end(flight);
}

/* ---- the request ---- */

static void put_head(Caisson__Wire__OracleHead *pb, struct cs_arena *arena,
		     const struct wire_request *head)
{
	struct cs_hash fee = cs_u256_word(&head->fee);
	caisson__wire__oracle_head__init(pb);
	pb->counter = head->counter;
	pb->asker = wire_pb_bytes(arena, CS_BYTES_OF(head->asker.b));
	pb->callback = wire_pb_bytes(arena, CS_BYTES_OF(head->callback.b));
	pb->callback_gas = head->callback_gas;
	pb->fee = wire_pb_bytes(arena, CS_BYTES_OF(fee.b));
	pb->max_age = head->max_age;
	pb->time = head->time;
	pb->deadline = head->deadline;
}

static enum cs_err put_query(Caisson__Wire__OracleQuery *pb, struct cs_arena *arena,
			     const struct oracle_query *query)
{
	caisson__wire__oracle_query__init(pb);
	pb->n_arguments = query->argument_count;
	pb->arguments = cs_arena_calloc(arena, query->argument_count + 1, sizeof(*pb->arguments));
	if (!pb->arguments)
		return CS_ERR_NO_MEMORY;
	pb->spec = wire_pb_bytes(arena, query->spec);
	for (size_t i = 0; i < query->argument_count; i++)
		pb->arguments[i] = wire_pb_bytes(arena, query->arguments[i]);
	pb->secrets = wire_pb_bytes(arena, query->secrets);
	return CS_OK;
}

static enum cs_err put_claim(struct oracle_flight *flight, size_t i, Caisson__Wire__OracleClaim *pb)
{
	struct cs_arena *arena = flight->arena;
	const struct adapter_claimed_receipt *receipt =
		&flight->claims.receipts[flight->claims.receipt_of[i]];
	caisson__wire__oracle_claim__init(pb);
	pb->head = cs_arena_alloc(arena, sizeof(*pb->head));
	pb->query = cs_arena_alloc(arena, sizeof(*pb->query));
	if (!pb->head || !pb->query)
		return CS_ERR_NO_MEMORY;
	pb->height = receipt->block.height;
	pb->block_hash = wire_pb_bytes(arena, CS_BYTES_OF(receipt->block.hash.b));
	pb->tx_index = receipt->tx_index;
	pb->log_index = flight->claims.log_index[i];
	put_head(pb->head, arena, &flight->requests[i].head);
	CS_TRY(put_query(pb->query, arena, &flight->queries[i]));
	return adapter_proof_to_pb(&pb->proof, arena, &receipt->proof);
}

static enum cs_err send_answer(struct oracle_flight *flight)
{
	struct cs_arena *arena = flight->arena;
	Caisson__Wire__AnswerChainRequest request = CAISSON__WIRE__ANSWER_CHAIN_REQUEST__INIT;
	Caisson__Wire__OracleClaim *claims = cs_arena_calloc(arena, flight->count, sizeof(*claims));
	request.claims = cs_arena_calloc(arena, flight->count, sizeof(*request.claims));
	if (!claims || !request.claims)
		return CS_ERR_NO_MEMORY;
	request.receiver = wire_pb_bytes(arena, CS_BYTES_OF(flight->contract->identity.b));
	request.epoch = flight->contract->rotation.epoch;
	for (size_t i = 0; i < flight->count; i++) {
		CS_TRY(put_claim(flight, i, &claims[i]));
		request.claims[i] = &claims[i];
	}
	request.n_claims = flight->count;
	CS_TRY(adapter_claims_headers(&flight->claims, &request.headers, &request.n_headers));
	return oracle_enclave_call(oracle_of(flight), WIRE_ANSWER_CHAIN, &request.base,
				   ORACLE_ANSWER_TIMEOUT_MS, answer_done, flight);
}

/* Proofs, or headers of old blocks, are there. */
static void claims_done(void *context, enum cs_err err, const char *why)
{
	struct oracle_flight *flight = context;
	if (err == CS_OK && oracle_of(flight)->stopping)
		err = CS_ERR_CLOSED;
	if (err == CS_OK)
		err = send_answer(flight);
	if (err != CS_OK)
		flight_fail(flight, err, why);
}

/* The first of them goes on alone: what is near it in the chain may be far from the others. */
static void keep_first(struct oracle_flight *flight)
{
	static const bool kept[CS_BATCH_MAX] = {true};
	struct oracle_listening *listening = flight->contract->chain->listening;
	while (flight->count > 1)
		oracle_end_under_way(&listening->asked, flight->requests[--flight->count].n);
	adapter_claims_keep(&flight->claims, kept);
}

/* False: the whole way was shown, and it is refused nevertheless. */
static bool walk_down(struct oracle_flight *flight)
{
	if (flight->claims.walk_top == 0)
		keep_first(flight);
	return adapter_claims_walk(&flight->claims, &flight->contract->chain->follow,
				   flight->requests[0].height);
}

/* ---- the beginning ---- */

struct unknown_write {
	struct oracle *oracle;
	uint64_t n;
};

static enum cs_err write_unknown(void *context)
{
	const struct unknown_write *write = context;
	return oracle_request_postpone(write->oracle, write->n, ORACLE_OPEN, true, CS_ERR_NOT_FOUND,
				       "the bytes of its spec are not known here");
}

/* False: it cannot be asked for now. */
static bool add(struct oracle_flight *flight, const struct oracle_request *request)
{
	struct oracle *oracle = oracle_of(flight);
	struct oracle_query query;
	if (oracle_journal_query(oracle->journal, request, flight->arena, &query) != CS_OK)
		return false;
	if (query.spec.n == 0) {
		struct unknown_write write = {oracle, request->n};
		if (oracle_write(oracle, write_unknown, &write) != CS_OK)
			log_error("request.not_postponed");
		return false;
	}
	if (!oracle_take_under_way(&flight->contract->chain->listening->asked, request))
		return false;
	const struct adapter_block_id block = {request->height, request->block};
	adapter_claims_add(&flight->claims, &request->request_id, &block, request->tx_index);
	flight->queries[flight->count] = query;
	flight->requests[flight->count++] = *request;
	return true;
}

void oracle_answer_begin(struct oracle_contract *contract, const struct oracle_request *requests,
			 size_t count)
{
	struct oracle_listening *listening = contract->chain->listening;
	if (listening->asked.count == ORACLE_UNDER_WAY_MAX)
		return;
	struct oracle_flight *flight = host_alloc(sizeof(*flight));
	flight->contract = contract;
	flight->arena = oracle_arena_new();
	flight->claims = (struct adapter_claims){.adapter = contract->chain->adapter,
						 .arena = flight->arena,
						 .context = flight,
						 .done = claims_done};
	for (size_t i = 0; i < count; i++)
		(void)add(flight, &requests[i]);
	if (flight->count == 0) {
		flight_free(flight);
		return;
	}
	flight->next = listening->flights;
	listening->flights = flight;
	enum cs_err err = adapter_claims_ask(&flight->claims);
	if (err != CS_OK)
		flight_fail(flight, err, "no proof could be asked for");
}
