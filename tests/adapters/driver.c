/* An adapter as a program for tests: commands in JSON on standard input, one a line, answers and events
 * on standard output. What the adapter hands out is checked here with the verifier that the enclave
 * uses. */
#include "adapters/evm/json.h"
#include "host/alloc.h"
#include "host/loop.h"
#include "tests/adapters/driver_events.h"
#include "tests/adapters/driver_open.h"
#include "verify/cometbft/ics23.h"
#include "verify/cometbft/light_block.h"
#include "verify/evm/account.h"
#include "verify/evm/receipt.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX (4u << 20)
#define TXS_MAX 256

struct tx {
	struct adapter_tx *tx;
	bool ended;
};

static struct host_loop *loop;
static struct adapter *adapter;
static struct tx txs[TXS_MAX];

struct request {
	json_int_t id;
	struct cs_hash state_root;
	struct cs_hash receipts_root;
	struct cs_address address;
};

/* ---- output ---- */

static void print(json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	puts(text);
	(void)fflush(stdout);
	free(text);
	json_decref(json);
}

static json_t *json_id(const struct adapter_block_id *id)
{
	return json_pack("{s:I, s:o}", "height", (json_int_t)id->height, "hash",
			 host_json_hash(&id->hash));
}

static json_t *answer_of(const struct request *request, enum cs_err err, const char *why)
{
	return json_pack("{s:I, s:s, s:s}", "id", request->id, "err", cs_err_name(err), "why", why);
}

static json_t *json_header(const struct adapter_header *header)
{
	return json_pack("{s:o, s:o, s:I, s:o}", "id", json_id(&header->id), "parent",
			 host_json_hash(&header->parent), "time", (json_int_t)header->time_s, "rlp",
			 host_json_hex(header->rlp));
}

/* ---- events ---- */

static void on_head(void *ctx, const struct adapter_header *header)
{
	(void)ctx;
	print(json_pack("{s:s, s:o}", "event", "head", "block", json_id(&header->id)));
}

static void on_block(void *ctx, const struct adapter_block *block)
{
	json_t *events = json_array();

	(void)ctx;
	for (size_t i = 0; i < block->event_count; i++)
		json_array_append_new(events, driver_event_json(&block->events[i]));
	print(json_pack("{s:s, s:o, s:b, s:o}", "event", "block", "block",
			json_id(&block->header.id), "late", block->late, "events", events));
}

static void on_progress(void *ctx, const struct adapter_cursor *cursor)
{
	uint8_t bytes[ADAPTER_CURSOR_SIZE_MAX];
	size_t size;
	json_t *json = json_pack("{s:s}", "event", "progress");

	(void)ctx;
	cs_assert(adapter_cursor_encode(bytes, sizeof(bytes), &size, cursor) == CS_OK);
	json_object_set_new(json, "cursor", host_json_hex(cs_bytes(bytes, size)));
	if (cursor->count > 0)
		json_object_set_new(json, "block", json_id(&cursor->recent[cursor->count - 1]));
	print(json);
}

static void on_reorg(void *ctx, const struct adapter_reorg *reorg)
{
	(void)ctx;
	print(json_pack("{s:s, s:I, s:I, s:o, s:o, s:b, s:b}", "event", "reorg", "from",
			(json_int_t)reorg->from, "old_tip", (json_int_t)reorg->old_tip, "old_hash",
			host_json_hash(&reorg->old_hash), "new_hash",
			host_json_hash(&reorg->new_hash), "beyond", reorg->beyond_window,
			"diverged", reorg->diverged));
}

static void on_held(void *ctx, const struct adapter_reorg *reorg)
{
	(void)ctx;
	if (reorg == NULL)
		print(json_pack("{s:s}", "event", "released"));
	else
		print(json_pack("{s:s, s:I, s:I, s:o, s:b}", "event", "held", "from",
				(json_int_t)reorg->from, "old_tip", (json_int_t)reorg->old_tip,
				"new_hash", host_json_hash(&reorg->new_hash), "beyond",
				reorg->beyond_window));
}

static void on_stalled(void *ctx, uint64_t stalled_ms)
{
	(void)ctx;
	print(json_pack("{s:s, s:I}", "event", "stalled", "ms", (json_int_t)stalled_ms));
}

/* Each other block must be one that a light client reads. */
static void on_conflict(void *ctx, const struct adapter_block_id *id)
{
	static uint8_t memory[1u << 16];
	struct adapter_header others[ADAPTER_OTHERS_MAX];
	size_t count = adapter_others(adapter, others);
	json_t *list = json_array();

	(void)ctx;
	for (size_t i = 0; i < count; i++) {
		struct cmt_light_block block;
		struct cs_arena arena;
		struct cs_why why;

		cs_arena_init(&arena, memory, sizeof(memory));
		cs_assert(cmt_light_block_decode(&block, others[i].rlp, &arena, &why) == CS_OK);
		struct cs_hash hash = cmt_header_hash(&block.header);
		cs_assert(cs_hash_eq(&hash, &others[i].id.hash));
		cs_arena_done(&arena);
		json_array_append_new(list, json_header(&others[i]));
	}
	print(json_pack("{s:s, s:o, s:o}", "event", "conflict", "block", json_id(id), "others",
			list));
}

static void on_evidence(void *ctx, const struct adapter_evidence *evidence)
{
	(void)ctx;
	print(driver_evidence_json(evidence));
}

static void on_endpoint(void *ctx, const struct adapter_endpoint *endpoint)
{
	(void)ctx;
	print(json_pack("{s:s, s:s, s:s, s:b, s:s}", "event", "endpoint", "url", endpoint->url,
			"state", adapter_endpoint_state_name(endpoint->state), "websocket",
			endpoint->websocket, "why", endpoint->why));
}

/* ---- answers ---- */

static void headers_done(void *ctx, enum cs_err err, const char *why,
			 const struct adapter_header *headers, size_t count)
{
	struct request *request = ctx;
	json_t *answer = answer_of(request, err, why);
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_header(&headers[i]));
	json_object_set_new(answer, "headers", list);
	print(answer);
	free(request);
}

static size_t nodes_of(struct cs_bytes nodes[ADAPTER_PROOF_NODES_MAX + 1],
		       const struct adapter_proof *proof)
{
	memcpy(nodes, proof->nodes, proof->count * sizeof(nodes[0]));
	if (proof->leaf.n > 0)
		nodes[proof->count] = proof->leaf;
	return proof->count + (proof->leaf.n > 0);
}

static void check_claims(json_t *answer, const struct request *request,
			 const struct adapter_receipt_proof *proof)
{
	struct cs_bytes nodes[ADAPTER_PROOF_NODES_MAX + 1];
	struct verify_nodes view = {nodes, nodes_of(nodes, &proof->proof)};
	struct verify_receipt receipt;
	struct verify_log log;
	json_t *claims = json_array();
	enum cs_err err = verify_receipt(&receipt, &request->receipts_root, proof->tx_index, &view);

	for (size_t i = 0; i < proof->claim_count && err == CS_OK; i++) {
		err = verify_receipt_log(&log, &receipt, proof->claims[i].log_index);
		if (err == CS_OK &&
		    (!cs_address_eq(&log.address, &request->address) || log.topic_count != 3 ||
		     !cs_hash_eq(&log.topics[1], &proof->claims[i].id)))
			err = CS_ERR_WRONG_LOG;
		json_array_append_new(
			claims, json_pack("{s:o, s:I}", "id", host_json_hash(&proof->claims[i].id),
					  "log_index", (json_int_t)proof->claims[i].log_index));
	}
	json_object_set_new(answer, "verified", json_string(cs_err_name(err)));
	json_object_set_new(answer, "claims", claims);
	json_object_set_new(answer, "claim_total", json_integer((json_int_t)proof->claim_total));
	json_object_set_new(answer, "nodes", json_integer((json_int_t)view.n));
}

static void receipt_done(void *ctx, enum cs_err err, const char *why,
			 const struct adapter_receipt_proof *proof)
{
	struct request *request = ctx;
	json_t *answer = answer_of(request, err, why);

	if (proof != NULL)
		check_claims(answer, request, proof);
	print(answer);
	free(request);
}

/* Of a ledger: under the application's hash. */
static enum cs_err check_state(struct cs_hash *word, const struct request *request,
			       const struct adapter_slot_proof *slot)
{
	uint8_t key[2 + sizeof(slot->slot.b)] = {request->address.b[19], 's'};
	struct cs_bytes value;
	bool found;

	memcpy(key + 2, slot->slot.b, sizeof(slot->slot.b));
	CS_TRY(cmt_ics23_lookup(&found, &value, &cmt_ics23_smt, &request->state_root,
				slot->proof.state, CS_BYTES_OF(key)));
	if (found && value.n == sizeof(word->b))
		memcpy(word->b, value.p, value.n);
	return CS_OK;
}

static void account_proof_done(void *ctx, enum cs_err err, const char *why,
			       const struct adapter_account_proof *proof)
{
	struct request *request = ctx;
	json_t *answer = answer_of(request, err, why);

	if (proof != NULL) {
		struct verify_nodes nodes = {proof->account.nodes, proof->account.count};
		struct verify_account account;
		json_t *slots = json_array();
		bool is_ledger = proof->slot_count > 0 && proof->slots[0].proof.state.n > 0;
		enum cs_err verified = is_ledger ? CS_OK
						 : verify_account(&account, &request->state_root,
								  &request->address, &nodes);

		for (size_t i = 0; i < proof->slot_count; i++) {
			const struct adapter_slot_proof *slot = &proof->slots[i];
			struct verify_nodes own = {slot->proof.nodes, slot->proof.count};
			struct cs_hash word = {{0}};

			if (is_ledger && verified == CS_OK)
				verified = check_state(&word, request, slot);
			else if (verified == CS_OK && account.exists)
				verified = verify_storage(&word, &account.storage_root, &slot->slot,
							  &own);
			json_array_append_new(slots, host_json_hash(&word));
		}
		json_object_set_new(answer, "verified", json_string(cs_err_name(verified)));
		json_object_set_new(answer, "exists", json_boolean(proof->exists));
		json_object_set_new(answer, "code_hash", host_json_hash(&proof->code_hash));
		json_object_set_new(answer, "slots", slots);
	}
	print(answer);
	free(request);
}

static void call_done(void *ctx, enum cs_err err, const char *why, struct cs_bytes data)
{
	struct request *request = ctx;
	json_t *answer = answer_of(request, err, why);

	json_object_set_new(answer, "data", host_json_hex(data));
	print(answer);
	free(request);
}

static void gas_done(void *ctx, enum cs_err err, const char *why, uint64_t gas)
{
	struct request *request = ctx;
	json_t *answer = answer_of(request, err, why);

	json_object_set_new(answer, "gas", json_integer((json_int_t)gas));
	print(answer);
	free(request);
}

static void fees_done(void *ctx, enum cs_err err, const char *why, const struct adapter_fees *fees)
{
	struct request *request = ctx;
	json_t *answer = answer_of(request, err, why);

	if (fees != NULL) {
		json_object_set_new(answer, "base", json_integer((json_int_t)fees->base_fee_wei));
		json_object_set_new(answer, "max", json_integer((json_int_t)fees->max_fee_wei));
		json_object_set_new(answer, "tip",
				    json_integer((json_int_t)fees->max_priority_fee_wei));
		json_object_set_new(answer, "legacy", json_boolean(fees->legacy));
	}
	print(answer);
	free(request);
}

static void account_done(void *ctx, enum cs_err err, const char *why,
			 const struct adapter_account *account)
{
	struct request *request = ctx;
	json_t *answer = answer_of(request, err, why);

	if (account != NULL) {
		json_object_set_new(answer, "balance", host_json_hash(&account->balance));
		json_object_set_new(answer, "code_hash", host_json_hash(&account->code_hash));
		json_object_set_new(answer, "has_code", json_boolean(account->has_code));
		json_object_set_new(answer, "nonce", json_integer((json_int_t)account->nonce));
	}
	print(answer);
	free(request);
}

static void statuses_done(void *ctx, enum cs_err err, const char *why, const uint8_t *statuses,
			  size_t count)
{
	struct request *request = ctx;
	json_t *answer = answer_of(request, err, why);
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_integer(statuses[i]));
	json_object_set_new(answer, "statuses", list);
	print(answer);
	free(request);
}

static void plain_done(void *ctx, enum cs_err err, const char *why)
{
	struct request *request = ctx;

	print(answer_of(request, err, why));
	free(request);
}

/* ---- transactions ---- */

static json_int_t tx_index(const struct adapter_tx *tx)
{
	for (size_t i = 0; i < TXS_MAX; i++)
		if (txs[i].tx == tx && !txs[i].ended)
			return (json_int_t)i;
	return -1;
}

/* The place of a transaction that is being made: adapter_submit has not returned yet. */
static void on_sign(void *ctx, struct adapter_tx *tx, const struct adapter_terms *terms)
{
	(void)ctx;
	print(json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:b, s:b, s:I, s:I}", "event", "sign", "tx",
			tx_index(tx), "nonce", (json_int_t)terms->nonce, "gas",
			(json_int_t)terms->gas_limit, "max", (json_int_t)terms->max_fee_wei, "tip",
			(json_int_t)terms->max_priority_fee_wei, "legacy", terms->legacy, "cancel",
			terms->cancel, "attempt", (json_int_t)terms->attempt, "valid_until",
			(json_int_t)terms->valid_until_s));
}

static void on_report(void *ctx, struct adapter_tx *tx, const struct adapter_tx_report *report)
{
	json_int_t index = tx_index(tx);

	(void)ctx;
	print(json_pack("{s:s, s:I, s:s, s:s, s:s, s:I, s:o, s:b, s:b, s:o, s:I, s:I}", "event",
			"tx", "tx", index, "state", adapter_tx_state_name(report->state), "err",
			cs_err_name(report->err), "why", report->why, "nonce",
			(json_int_t)report->nonce, "hash", host_json_hash(&report->hash),
			"cancelled", report->cancelled, "succeeded", report->succeeded, "block",
			json_id(&report->block), "gas_used", (json_int_t)report->gas_used,
			"attempts", (json_int_t)report->attempts));
	if (index >= 0 &&
	    (report->state == ADAPTER_TX_SETTLED || report->state == ADAPTER_TX_FAILED))
		txs[index].ended = true;
}

/* ---- commands ---- */

static struct cs_bytes bytes_of(const json_t *json, uint8_t **memory)
{
	size_t size = evm_json_bytes_size(json);
	struct cs_buf buf;

	*memory = host_alloc(size + 1);
	cs_buf_init(&buf, *memory, size);
	cs_assert(size == 0 || evm_json_bytes(&buf, json) == CS_OK);
	return cs_buf_view(&buf);
}

static void fill(void *to, size_t n, const json_t *json)
{
	if (json != NULL)
		cs_assert(evm_json_fixed(to, n, json) == CS_OK);
}

static uint64_t number(const json_t *json, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(json, key));
}

static void fill_resume(struct adapter_tx_resume *resume, const json_t *json, uint8_t **memory)
{
	const json_t *hashes = json_object_get(json, "hashes");

	resume->terms = (struct adapter_terms){.nonce = number(json, "nonce"),
					       .gas_limit = number(json, "gas"),
					       .max_fee_wei = number(json, "max"),
					       .max_priority_fee_wei = number(json, "tip")};
	resume->count = json_array_size(hashes);
	for (size_t i = 0; i < resume->count; i++)
		fill(resume->hashes[i].b, 32, json_array_get(hashes, i));
	resume->raw = bytes_of(json_object_get(json, "raw"), memory);
	if (number(json, "included") != 0)
		resume->included =
			(struct adapter_tx_report){.state = ADAPTER_TX_INCLUDED,
						   .nonce = resume->terms.nonce,
						   .hash = resume->hashes[0],
						   .succeeded = true,
						   .block.height = number(json, "included")};
}

static enum cs_err do_submit(const json_t *command)
{
	struct adapter_submission submission = {
		.may_repeat = json_is_true(json_object_get(command, "repeat")),
		.is_urgent = json_is_true(json_object_get(command, "urgent")),
		.gas_limit = number(command, "gas"),
		.max_fee_cap_wei = number(command, "cap"),
		.sign = on_sign,
		.report = on_report,
	};
	struct adapter_tx_resume resume = {.count = 0};
	const json_t *old = json_object_get(command, "resume");
	size_t index = (size_t)number(command, "tx");
	uint8_t *data;
	uint8_t *raw = NULL;

	cs_assert(index < TXS_MAX);
	fill(submission.from.b, 20, json_object_get(command, "from"));
	fill(submission.to.b, 20, json_object_get(command, "to"));
	submission.data = bytes_of(json_object_get(command, "data"), &data);
	if (old != NULL) {
		fill_resume(&resume, old, &raw);
		submission.resume = &resume;
	}
	enum cs_err err = adapter_submit(adapter, &txs[index].tx, &submission);
	txs[index].ended = err != CS_OK;
	free(data);
	free(raw);
	return err;
}

static enum cs_err do_signed(const json_t *command)
{
	const json_t *refused = json_object_get(command, "refused");
	size_t index = (size_t)number(command, "tx");
	struct cs_hash hash = {{0}};
	uint8_t *memory;

	cs_assert(index < TXS_MAX && !txs[index].ended);
	if (refused != NULL) {
		adapter_tx_refused(adapter, txs[index].tx,
				   strcmp(json_string_value(refused), "policy-fee") == 0
					   ? CS_ERR_POLICY_FEE
					   : CS_ERR_FORBIDDEN,
				   "the enclave refuses");
		return CS_OK;
	}
	struct cs_bytes raw = bytes_of(json_object_get(command, "raw"), &memory);
	fill(hash.b, 32, json_object_get(command, "hash"));
	adapter_tx_signed(adapter, txs[index].tx, raw, &hash);
	free(memory);
	return CS_OK;
}

static enum cs_err do_statuses(const json_t *command, struct request *request)
{
	const json_t *list = json_object_get(command, "sequences");
	uint64_t sequences[ADAPTER_STATUSES_MAX];
	struct cs_hash source;

	for (size_t i = 0; i < json_array_size(list); i++)
		sequences[i] = (uint64_t)json_integer_value(json_array_get(list, i));
	fill(source.b, 32, json_object_get(command, "source"));
	return adapter_statuses(adapter, &source, sequences, json_array_size(list), statuses_done,
				request);
}

static enum cs_err do_account_proof(const json_t *command, struct request *request,
				    const struct adapter_block_id *block)
{
	const json_t *list = json_object_get(command, "slots");
	struct cs_hash slots[ADAPTER_SLOTS_MAX];

	for (size_t i = 0; i < json_array_size(list); i++)
		fill(slots[i].b, 32, json_array_get(list, i));
	return adapter_account_proof(adapter, block, &request->address, slots,
				     json_array_size(list), account_proof_done, request);
}

static enum cs_err do_endpoints(const struct request *request)
{
	struct adapter_endpoint list[16];
	size_t count = adapter_endpoints(adapter, list, CS_LEN(list));
	json_t *answer = answer_of(request, CS_OK, "");
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++) {
		const struct adapter_endpoint *e = &list[i];
		json_t *json =
			json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:s}", "url", e->url,
				  "state", adapter_endpoint_state_name(e->state), "height",
				  (json_int_t)e->height, "errors", (json_int_t)e->errors, "lies",
				  (json_int_t)e->lies, "requests", (json_int_t)e->requests,
				  "diverged", (json_int_t)e->diverged, "why", e->why);
		json_t *more = json_pack(
			"{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "breaker",
			adapter_breaker_name(e->breaker), "limited", (json_int_t)e->limited,
			"timeouts", (json_int_t)e->failures[ADAPTER_FAILURE_TIMEOUT], "hedges",
			(json_int_t)e->hedges, "hedges_won", (json_int_t)e->hedges_won, "overtaken",
			(json_int_t)e->overtaken, "unhedged", (json_int_t)e->unhedged,
			"answer_p95_ms", (json_int_t)e->answer_p95_ms);
		json_object_update(json, more);
		json_decref(more);
		json_array_append_new(array, json);
	}
	json_object_set_new(answer, "endpoints", array);
	print(answer);
	return CS_OK;
}

static enum cs_err do_counters(const struct request *request)
{
	struct adapter_counters c;
	json_t *answer = answer_of(request, CS_OK, "");

	adapter_counters(adapter, &c);
	json_object_set_new(
		answer, "counters",
		json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:"
			  "I,s:I}",
			  "blocks", (json_int_t)c.blocks, "events", (json_int_t)c.events, "foreign",
			  (json_int_t)c.foreign, "late", (json_int_t)c.late, "reorgs",
			  (json_int_t)c.reorgs, "reorg_depth_max", (json_int_t)c.reorg_depth_max,
			  "ws_connects", (json_int_t)c.ws_connects, "ws_hints",
			  (json_int_t)c.ws_hints, "ws_silent", (json_int_t)c.ws_silent,
			  "logs_splits", (json_int_t)c.logs_splits, "logs_denied",
			  (json_int_t)c.logs_denied, "tries_built", (json_int_t)c.tries_built,
			  "trie_hits", (json_int_t)c.trie_hits, "txs_sent", (json_int_t)c.txs_sent,
			  "txs_replaced", (json_int_t)c.txs_replaced, "txs_resent",
			  (json_int_t)c.txs_resent, "nonces_resynced",
			  (json_int_t)c.nonces_resynced, "unstorable", (json_int_t)c.unstorable,
			  "txs_unknown", (json_int_t)c.txs_unknown));
	print(answer);
	return CS_OK;
}

/* True: the answer comes later, and request belongs to it. */
static enum cs_err begin(const char *what, const json_t *command, struct request *request)
{
	struct adapter_block_id block = {.height = number(command, "height")};
	struct cs_address to;
	uint8_t *memory;
	enum cs_err err = CS_ERR_UNSUPPORTED;

	fill(block.hash.b, 32, json_object_get(command, "hash"));
	fill(to.b, 20, json_object_get(command, "to"));
	struct cs_bytes data = bytes_of(json_object_get(command, "data"), &memory);
	if (strcmp(what, "headers") == 0)
		err = adapter_headers(adapter, number(command, "from"),
				      (size_t)number(command, "count"), headers_done, request);
	else if (strcmp(what, "receipt_proof") == 0)
		err = adapter_receipt_proof(adapter, &block, (uint32_t)number(command, "index"),
					    (size_t)number(command, "claims_from"), receipt_done,
					    request);
	else if (strcmp(what, "account_proof") == 0)
		err = do_account_proof(command, request, &block);
	else if (strcmp(what, "call") == 0)
		err = adapter_call(adapter, NULL, &to, data, call_done, request);
	else if (strcmp(what, "estimate") == 0)
		err = adapter_estimate(adapter, &request->address, &to, data, gas_done, request);
	else if (strcmp(what, "fees") == 0)
		err = adapter_fees(adapter, fees_done, request);
	else if (strcmp(what, "account") == 0)
		err = adapter_account(adapter, &request->address, account_done, request);
	else if (strcmp(what, "statuses") == 0)
		err = do_statuses(command, request);
	else if (strcmp(what, "rescan") == 0)
		err = adapter_rescan(adapter, number(command, "first"), number(command, "last"),
				     plain_done, request);
	else if (strcmp(what, "send_raw") == 0)
		err = adapter_send_raw(adapter, data, plain_done, request);
	else if (strcmp(what, "hand_evidence") == 0)
		err = adapter_hand_evidence(adapter, (size_t)number(command, "endpoint"), data,
					    plain_done, request);
	free(memory);
	return err;
}

static enum cs_err do_final(const json_t *command)
{
	struct adapter_block_id block = {.height = number(command, "height")};

	fill(block.hash.b, 32, json_object_get(command, "hash"));
	adapter_final(adapter, &block);
	return CS_OK;
}

static enum cs_err do_accept_reorg(const json_t *command)
{
	struct cs_hash hash = {{0}};

	fill(hash.b, 32, json_object_get(command, "hash"));
	return adapter_accept_reorg(adapter, &hash);
}

static bool answers_at_once(const char *what, const json_t *command, const struct request *request)
{
	size_t index = (size_t)number(command, "tx");
	enum cs_err err;

	if (strcmp(what, "submit") == 0)
		err = do_submit(command);
	else if (strcmp(what, "signed") == 0)
		err = do_signed(command);
	else if (strcmp(what, "cancel") == 0)
		err = index < TXS_MAX && !txs[index].ended
			      ? adapter_tx_cancel(adapter, txs[index].tx)
			      : CS_ERR_NOT_FOUND;
	else if (strcmp(what, "final") == 0)
		err = do_final(command);
	else if (strcmp(what, "accept_reorg") == 0)
		err = do_accept_reorg(command);
	else if (strcmp(what, "endpoints") == 0)
		return do_endpoints(request) == CS_OK;
	else if (strcmp(what, "counters") == 0)
		return do_counters(request) == CS_OK;
	else
		return false;
	print(answer_of(request, err, ""));
	return true;
}

static void on_line(void *context)
{
	json_t *command = json_loads(context, 0, NULL);
	const char *what = json_string_value(json_object_get(command, "do"));

	free(context);
	cs_assert(what != NULL);
	struct request *request = host_alloc(sizeof(*request));
	request->id = json_integer_value(json_object_get(command, "id"));
	fill(request->state_root.b, 32, json_object_get(command, "state_root"));
	fill(request->receipts_root.b, 32, json_object_get(command, "receipts_root"));
	fill(request->address.b, 20, json_object_get(command, "address"));
	if (answers_at_once(what, command, request)) {
		free(request);
	} else {
		enum cs_err err = begin(what, command, request);

		if (err != CS_OK) {
			print(answer_of(request, err, "refused at once"));
			free(request);
		}
	}
	json_decref(command);
}

static void on_end(void *context)
{
	(void)context;
	host_loop_stop(loop);
}

static void *read_lines(void *context)
{
	static char line[LINE_MAX];

	(void)context;
	while (fgets(line, sizeof(line), stdin) != NULL)
		host_post(loop, on_line, host_text(line));
	host_post(loop, on_end, NULL);
	return NULL;
}

/* ---- start ---- */

static void open_adapter(const json_t *json)
{
	const struct adapter_listener listener = {.head = on_head,
						  .block = on_block,
						  .progress = on_progress,
						  .reorg = on_reorg,
						  .held = on_held,
						  .stalled = on_stalled,
						  .conflict = on_conflict,
						  .evidence = on_evidence,
						  .endpoint = on_endpoint};
	struct adapter_cursor cursor = {.count = 0};
	struct cs_why why = {""};
	uint8_t *memory;
	struct cs_bytes bytes = bytes_of(json_object_get(json, "cursor"), &memory);

	if (bytes.n > 0)
		cs_assert(adapter_cursor_decode(&cursor, bytes) == CS_OK);
	free(memory);
	enum cs_err err = driver_open(&adapter, loop, json, &listener, &why);
	if (err == CS_OK)
		err = adapter_start(adapter, &cursor);
	print(json_pack("{s:s, s:s, s:s}", "event", "started", "err", cs_err_name(err), "why",
			why.text));
	if (err != CS_OK)
		exit(1);
}

int main(int argc, char **argv)
{
	json_t *json = argc == 2 ? json_loads(argv[1], 0, NULL) : NULL;
	pthread_t reader;

	if (json == NULL)
		return 2;
	for (size_t i = 0; i < TXS_MAX; i++)
		txs[i].ended = true;
	loop = host_loop_new();
	open_adapter(json);
	if (pthread_create(&reader, NULL, read_lines, NULL) != 0)
		return 3;
	host_loop_run(loop);
	adapter_free(adapter);
	(void)pthread_join(reader, NULL);
	host_loop_free(loop);
	json_decref(json);
	print(json_pack("{s:s}", "event", "ended"));
	return 0;
}
