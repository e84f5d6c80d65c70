/* Proofs of the receipts of a batch, each once; events placed in them, also on later pages; headers of
 * old blocks, a stretch at a time. */
#include "adapters/claims.h"
#include "tests/unit/support.h"
#include "wire/convert.h"

#define QUESTIONS_MAX 8u

struct question {
	struct adapter_block_id block;
	uint32_t tx_index;
	size_t claims_from;
	adapter_receipt_proof_fn *done;
	void *ctx;
};

/* Stands for the node and the owner; everything is recorded. */
struct world {
	struct adapter adapter;
	struct adapter_claims claims;
	struct adapter_follow follow;
	struct question questions[QUESTIONS_MAX];
	size_t question_count;
	enum cs_err ask_err;
	uint64_t from;
	size_t count;
	adapter_headers_fn *headers_done;
	void *headers_ctx;
	enum cs_err headers_err;
	unsigned done;
	enum cs_err err;
};

static struct world w;
static uint8_t block[1u << 20];
static struct cs_arena arena;

/* ---- the node ---- */

static enum cs_err receipt_proof(struct adapter *adapter, const struct adapter_block_id *id,
				 uint32_t tx_index, size_t claims_from,
				 adapter_receipt_proof_fn *done, void *ctx)
{
	assert_ptr_equal(adapter, &w.adapter);
	if (w.ask_err != CS_OK)
		return w.ask_err;
	assert_true(w.question_count < QUESTIONS_MAX);
	w.questions[w.question_count++] = (struct question){*id, tx_index, claims_from, done, ctx};
	return CS_OK;
}

static enum cs_err headers(struct adapter *adapter, uint64_t from, size_t count,
			   adapter_headers_fn *done, void *ctx)
{
	assert_ptr_equal(adapter, &w.adapter);
	w.from = from;
	w.count = count;
	w.headers_done = done;
	w.headers_ctx = ctx;
	return w.headers_err;
}

/* The receipt of question q holds these two ids at 3 and 4, of `total`. */
static void prove(size_t q, uint8_t first, uint8_t second, size_t total)
{
	struct adapter_receipt_proof proof = {
		.proof = {.nodes = {cs_bytes_str("root"), cs_bytes_str("branch")},
			  .count = 2,
			  .leaf = cs_bytes_str("leaf")},
		.claims = {{{{first}}, 3}, {{{second}}, 4}},
		.claim_count = 2,
		.claim_total = total};
	w.questions[q].done(w.questions[q].ctx, CS_OK, "", &proof);
}

static void give_headers(uint64_t from, size_t count)
{
	static struct adapter_header all[ADAPTER_HEADERS_MAX];
	for (size_t i = 0; i < count; i++)
		all[i] = (struct adapter_header){.id = {.height = from + i},
						 .rlp = cs_bytes_str("header")};
	w.headers_done(w.headers_ctx, CS_OK, "", all, count);
}

/* ---- the owner ---- */

static void done(void *context, enum cs_err err, const char *why)
{
	assert_ptr_equal(context, &w);
	assert_non_null(why);
	w.done++;
	w.err = err;
}

/* why: NULL for whichever. */
static void expect_failed(size_t i, enum cs_err err, const char *why)
{
	const char *told = NULL;
	assert_int_equal(adapter_claims_failed(&w.claims, i, &told), err);
	assert_non_null(told);
	if (why)
		assert_string_equal(told, why);
}

static void add(uint8_t id, uint64_t height, uint32_t tx_index)
{
	struct cs_hash hash = {{id}};
	struct adapter_block_id at = {height, {{(uint8_t)height}}};
	adapter_claims_add(&w.claims, &hash, &at, tx_index);
}

static int setup(void **state)
{
	static const struct adapter_ops ops = {.receipt_proof = receipt_proof, .headers = headers};
	(void)state;
	memset(&w, 0, sizeof(w));
	cs_arena_init(&arena, block, sizeof(block));
	w.adapter.ops = &ops;
	w.claims = (struct adapter_claims){
		.adapter = &w.adapter, .arena = &arena, .context = &w, .done = done};
	return 0;
}

/* ---- proofs ---- */

static void a_receipt_is_proven_once(void **state)
{
	(void)state;
	add(1, 10, 0);
	add(2, 10, 0);
	add(3, 10, 1); /* another transaction of the block */
	add(4, 11, 0);
	assert_int_equal(adapter_claims_ask(&w.claims), CS_OK);
	assert_int_equal(w.question_count, 3);
	assert_int_equal(w.questions[1].tx_index, 1);
	prove(0, 2, 1, 2);
	prove(2, 4, 9, 2);
	assert_int_equal(w.done, 0);
	prove(1, 9, 3, 2);
	assert_int_equal(w.done, 1);
	assert_int_equal(w.err, CS_OK);
	static const uint32_t at[] = {4, 3, 4, 3};
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(w.claims.log_index[i], at[i]);
	assert_int_equal(w.claims.receipt_of[3], 2);
	assert_int_equal(w.claims.receipts[2].block.height, 11);
}

static void an_event_on_a_later_page(void **state)
{
	(void)state;
	add(1, 10, 0);
	assert_int_equal(adapter_claims_ask(&w.claims), CS_OK);
	prove(0, 8, 9, 4);
	assert_int_equal(w.done, 0);
	assert_int_equal(w.question_count, 2);
	assert_int_equal(w.questions[1].claims_from, 2);
	prove(1, 7, 1, 4);
	assert_int_equal(w.done, 1);
	assert_int_equal(w.err, CS_OK);
	assert_int_equal(w.claims.log_index[0], 4);
}

static void an_event_that_is_not_there(void **state)
{
	(void)state;
	add(1, 10, 0);
	assert_int_equal(adapter_claims_ask(&w.claims), CS_OK);
	prove(0, 8, 9, 2);
	assert_int_equal(w.done, 1);
	assert_int_equal(w.err, CS_ERR_WRONG_EVENT);
}

static void the_first_failure_is_told_when_all_have_answered(void **state)
{
	(void)state;
	add(1, 10, 0);
	add(2, 11, 0);
	assert_int_equal(adapter_claims_ask(&w.claims), CS_OK);
	w.questions[0].done(w.questions[0].ctx, CS_ERR_REORGED, NULL, NULL);
	assert_int_equal(w.done, 0);
	w.questions[1].done(w.questions[1].ctx, CS_ERR_TIMEOUT, "slow", NULL);
	assert_int_equal(w.done, 1);
	assert_int_equal(w.err, CS_ERR_REORGED);
}

static void what_cannot_be_asked_is_refused_at_once(void **state)
{
	(void)state;
	add(1, 10, 0);
	w.ask_err = CS_ERR_FULL;
	assert_int_equal(adapter_claims_ask(&w.claims), CS_ERR_FULL);
	assert_int_equal(w.done, 0);
	expect_failed(0, CS_ERR_FULL, "no proof could be asked for");
}

static void each_has_its_own_reason(void **state)
{
	static const bool shown[] = {false, true, false, true};
	(void)state;
	add(1, 10, 0);
	add(2, 11, 0);
	add(3, 12, 0);
	add(4, 11, 0);
	expect_failed(0, CS_ERR_OK, ""); /* nobody was asked */
	assert_int_equal(adapter_claims_ask(&w.claims), CS_OK);
	w.questions[2].done(w.questions[2].ctx, CS_ERR_RPC_LIE, "another root", NULL);
	prove(1, 4, 2, 2);
	w.questions[0].done(w.questions[0].ctx, CS_ERR_UNAVAILABLE, "pruned", NULL);
	assert_int_equal(w.done, 1);
	assert_int_equal(w.err, CS_ERR_RPC_LIE);
	expect_failed(0, CS_ERR_UNAVAILABLE, "pruned");
	expect_failed(1, CS_ERR_OK, NULL);
	expect_failed(2, CS_ERR_RPC_LIE, "another root");
	expect_failed(3, CS_ERR_OK, NULL);
	assert_false(adapter_claims_are_there(&w.claims));
	adapter_claims_keep(&w.claims, shown);
	assert_true(adapter_claims_are_there(&w.claims));
	assert_int_equal(w.claims.count, 2);
	assert_int_equal(w.claims.receipts[0].block.height, 11);
	for (size_t i = 0; i < w.claims.count; i++)
		expect_failed(i, CS_ERR_OK, NULL);
}

static void a_receipt_that_holds_one_of_two_events(void **state)
{
	(void)state;
	add(1, 10, 0);
	add(2, 10, 0);
	assert_int_equal(adapter_claims_ask(&w.claims), CS_OK);
	prove(0, 8, 2, 2);
	assert_int_equal(w.done, 1);
	expect_failed(0, CS_ERR_WRONG_EVENT, "the receipt does not hold the event");
	expect_failed(1, CS_ERR_OK, NULL);
}

/* Its receipt is there: the next page, which could not be asked for, is missing to the other event alone. */
static void a_later_page_that_cannot_be_asked_for(void **state)
{
	(void)state;
	add(1, 10, 0);
	add(2, 10, 0);
	assert_int_equal(adapter_claims_ask(&w.claims), CS_OK);
	w.ask_err = CS_ERR_FULL;
	prove(0, 8, 2, 4);
	assert_int_equal(w.done, 1);
	assert_int_equal(w.err, CS_ERR_FULL);
	expect_failed(0, CS_ERR_FULL, "no proof could be asked for");
	expect_failed(1, CS_ERR_OK, NULL);
}

static void what_is_not_kept_is_left_out(void **state)
{
	static const bool kept[] = {false, true, false, true};
	(void)state;
	add(1, 10, 0);
	add(2, 11, 0);
	add(3, 12, 0);
	add(4, 11, 0);
	w.claims.log_index[1] = 6;
	w.claims.log_index[3] = 7;
	adapter_claims_keep(&w.claims, kept);
	assert_int_equal(w.claims.count, 2);
	assert_int_equal(w.claims.receipt_count, 1);
	assert_int_equal(w.claims.receipts[0].block.height, 11);
	assert_int_equal(w.claims.ids[1].b[0], 4);
	assert_int_equal(w.claims.receipt_of[0], 0);
	assert_int_equal(w.claims.receipt_of[1], 0);
	assert_int_equal(w.claims.log_index[0], 6);
	assert_int_equal(w.claims.log_index[1], 7);
}

/* ---- headers ---- */

static void down_to_the_lowest_in_full_stretches(void **state)
{
	static const uint64_t from[] = {612, 356, 100};
	(void)state;
	w.follow.final_height = 1000;
	for (size_t i = 0; i < CS_LEN(from); i++) {
		assert_true(adapter_claims_walk(&w.claims, &w.follow, 100));
		assert_int_equal(w.from, from[i]);
		assert_int_equal(w.count, i == 0 ? 139 : ADAPTER_HEADERS_MAX);
		give_headers(w.from, w.count);
		assert_int_equal(w.done, i + 1);
		assert_int_equal(w.err, CS_OK);
	}
	ProtobufCBinaryData *all = NULL;
	size_t count = 0;
	assert_int_equal(adapter_claims_headers(&w.claims, &all, &count), CS_OK);
	assert_int_equal(count, ADAPTER_HEADERS_MAX);
	assert_memory_equal(all[count - 1].data, "header", 6);
	/* the whole way was shown */
	assert_false(adapter_claims_walk(&w.claims, &w.follow, 100));
}

static void not_from_below_the_anchor(void **state)
{
	(void)state;
	w.follow.final_height = 1000;
	w.follow.anchor_height = 900;
	assert_true(adapter_claims_walk(&w.claims, &w.follow, 890));
	assert_int_equal(w.from, 890);
	assert_int_equal(w.count, 11);
	setup(NULL);
	w.follow.final_height = 200; /* the chain is shorter than the window */
	assert_false(adapter_claims_walk(&w.claims, &w.follow, 10));
}

static void headers_that_do_not_join(void **state)
{
	(void)state;
	w.follow.final_height = 1000;
	assert_true(adapter_claims_walk(&w.claims, &w.follow, 700));
	give_headers(w.from, w.count - 1);
	assert_int_equal(w.err, CS_ERR_REORGED);
	assert_int_equal(w.claims.header_count, 0);
	setup(NULL);
	w.follow.final_height = 1000;
	w.headers_err = CS_ERR_FULL;
	assert_true(adapter_claims_walk(&w.claims, &w.follow, 700));
	assert_int_equal(w.done, 1);
	assert_int_equal(w.err, CS_ERR_UNAVAILABLE);
}

/* ---- into a request ---- */

static void a_proof_in_a_request(void **state)
{
	const struct adapter_proof proof = {.nodes = {cs_bytes_str("root")}, .count = 1};
	Caisson__Wire__ProofNodes *pb = NULL;
	(void)state;
	assert_int_equal(adapter_proof_to_pb(&pb, &arena, &proof), CS_OK);
	assert_int_equal(pb->n_nodes, 1);
	assert_memory_equal(pb->nodes[0].data, "root", 4);
	assert_int_equal(pb->leaf.len, 0);
	struct cs_arena small;
	uint8_t bytes[16];
	cs_arena_init(&small, bytes, sizeof(bytes));
	assert_int_equal(adapter_proof_to_pb(&pb, &small, &proof), CS_ERR_NO_MEMORY);
}

/* ---- what was kept ---- */

static struct cs_bytes encoded(const struct adapter_proof *proof)
{
	struct cs_bytes bytes = CS_BYTES_NONE;
	assert_int_equal(adapter_proof_encode(&bytes, &arena, proof), CS_OK);
	return bytes;
}

static void what_was_kept_is_not_asked_for(void **state)
{
	const struct adapter_proof proof = {.nodes = {cs_bytes_str("root"), cs_bytes_str("branch")},
					    .count = 2,
					    .leaf = cs_bytes_str("leaf")};
	struct cs_bytes kept = encoded(&proof);
	(void)state;
	add(1, 100, 0);
	add(2, 100, 0);
	add(3, 101, 0);
	assert_int_equal(adapter_claims_give(&w.claims, 0, kept, 9), CS_OK);
	assert_false(adapter_claims_are_there(&w.claims));
	assert_int_equal(adapter_claims_give(&w.claims, 1, kept, 11), CS_OK);
	assert_false(adapter_claims_are_there(&w.claims));
	assert_int_equal(adapter_claims_ask(&w.claims), CS_OK);
	assert_int_equal(w.question_count, 1);
	assert_int_equal(w.questions[0].block.height, 101);
	prove(0, 3, 4, 2);
	assert_int_equal(w.done, 1);
	assert_int_equal(w.err, CS_OK);
	assert_true(adapter_claims_are_there(&w.claims));
	assert_int_equal(w.claims.log_index[0], 9);
	assert_int_equal(w.claims.log_index[1], 11);
	for (size_t i = 0; i < w.claims.count; i++)
		expect_failed(i, CS_ERR_OK, "");
	assert_int_equal(w.claims.receipts[0].proof.count, 2);
	assert_memory_equal(w.claims.receipts[0].proof.nodes[1].p, "branch", 6);
	assert_memory_equal(w.claims.receipts[0].proof.leaf.p, "leaf", 4);
}

/* Cut anywhere, too long, or with more than a proof has: refused, and the event is asked for. */
static void what_was_kept_badly_is_refused(void **state)
{
	static const uint8_t empty[] = {0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0};
	static const uint8_t many[] = {0, 0, 0, ADAPTER_PROOF_NODES_MAX + 1, 0, 0, 0, 0};
	static const uint8_t large[] = {0, 0, 0, 1, 0, 0, 4, 1, 0};
	const struct adapter_proof proof = {
		.nodes = {cs_bytes_str("root")}, .count = 1, .leaf = cs_bytes_str("leaf")};
	struct cs_bytes kept = encoded(&proof);
	struct adapter_proof out;
	(void)state;
	add(1, 100, 0);
	for (size_t n = 0; n < kept.n; n++)
		assert_int_not_equal(adapter_claims_give(&w.claims, 0, cs_bytes(kept.p, n), 1),
				     CS_OK);
	assert_int_equal(adapter_proof_decode(&out, CS_BYTES_OF(empty)), CS_ERR_MALFORMED);
	assert_int_equal(adapter_proof_decode(&out, CS_BYTES_OF(many)), CS_ERR_TOO_LARGE);
	assert_int_equal(adapter_proof_decode(&out, CS_BYTES_OF(large)), CS_ERR_TOO_LARGE);
	uint8_t longer[64];
	memcpy(longer, kept.p, kept.n);
	longer[kept.n] = 0;
	assert_int_not_equal(adapter_proof_decode(&out, cs_bytes(longer, kept.n + 1)), CS_OK);
	assert_false(w.claims.receipts[0].has_proof || w.claims.placed[0]);
	assert_int_equal(adapter_claims_ask(&w.claims), CS_OK);
	assert_int_equal(w.question_count, 1);
	struct cs_arena small;
	uint8_t bytes[4];
	cs_arena_init(&small, bytes, sizeof(bytes));
	assert_int_equal(adapter_proof_encode(&kept, &small, &proof), CS_ERR_NO_MEMORY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_receipt_is_proven_once, setup),
		cmocka_unit_test_setup(an_event_on_a_later_page, setup),
		cmocka_unit_test_setup(an_event_that_is_not_there, setup),
		cmocka_unit_test_setup(the_first_failure_is_told_when_all_have_answered, setup),
		cmocka_unit_test_setup(what_cannot_be_asked_is_refused_at_once, setup),
		cmocka_unit_test_setup(each_has_its_own_reason, setup),
		cmocka_unit_test_setup(a_receipt_that_holds_one_of_two_events, setup),
		cmocka_unit_test_setup(a_later_page_that_cannot_be_asked_for, setup),
		cmocka_unit_test_setup(what_is_not_kept_is_left_out, setup),
		cmocka_unit_test_setup(down_to_the_lowest_in_full_stretches, setup),
		cmocka_unit_test_setup(not_from_below_the_anchor, setup),
		cmocka_unit_test_setup(headers_that_do_not_join, setup),
		cmocka_unit_test_setup(a_proof_in_a_request, setup),
		cmocka_unit_test_setup(what_was_kept_is_not_asked_for, setup),
		cmocka_unit_test_setup(what_was_kept_badly_is_refused, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
