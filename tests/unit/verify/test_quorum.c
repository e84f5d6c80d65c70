/* rpc_quorum: what an answer of a provider says, and which votes make a block final. */
#include "core/hash.h"
#include "vectors.h"
#include "verify/evm/quorum.h"

#define DAY_S (24ull * 3600)
#define NOW (VECTORS_GENESIS_TIME + 1000)
#define BLOCKS 40u

/* ---- answers ---- */

static enum cs_err answer(struct verify_evm_answer *vote, struct cs_bytes body)
{
	static uint8_t block[VERIFY_EVM_ANSWER_ARENA_SIZE];
	struct cs_why why = {""};
	struct cs_arena arena;
	cs_arena_init(&arena, block, sizeof block);
	return verify_evm_quorum_read(vote, body, &arena, &why);
}

#define HASH "0x4e3a3754410177e6937ef1f84bba68ea139e8d1a2258c5f85db9f1cd715a1bdd"
#define BLOCK(number, hash, time) \
	"{\"number\":\"" number "\",\"hash\":\"" hash "\",\"timestamp\":\"" time "\"}"
#define ANSWER(result) "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":" result "}"

static void test_an_answer_is_read(void **state)
{
	struct verify_evm_answer vote = {.present = false};
	(void)state;
	assert_ok(answer(&vote, cs_bytes_str(ANSWER(BLOCK("0x1b4", HASH, "0x55ba467c")))));
	assert_true(vote.present);
	assert_int_equal(vote.height, 0x1b4);
	assert_int_equal(vote.time_s, 0x55ba467c);
	assert_hash(vote.hash, hash_of_text(HASH));
	/* White space, other members and their order, a null error, numbers that are no integers. */
	assert_ok(answer(&vote, cs_bytes_str(" { \"result\" : {\"totalDifficulty\":1.5e3, "
					     "\"hash\":\"" HASH "\",\n\"timestamp\":\"0x0\","
					     "\"transactions\":[\"0x1\"],\"number\":\"0x0\"},"
					     "\"error\":null,\"id\":1,\"jsonrpc\":\"2.0\"}\n")));
	assert_int_equal(vote.height, 0);
	assert_ok(answer(&vote, cs_bytes_str(ANSWER(BLOCK("0xffffffffffffffff", HASH, "0x1")))));
	assert_true(vote.height == UINT64_MAX);
}

static void test_answers_that_are_no_vote(void **state)
{
	static const struct {
		const char *body;
		enum cs_err err;
	} rows[] = {
		{"", CS_ERR_TRUNCATED},
		{"<html>", CS_ERR_MALFORMED},
		{"[]", CS_ERR_INVALID},
		{"null", CS_ERR_INVALID},
		{ANSWER(BLOCK("0x1", HASH, "0x1")) "x", CS_ERR_TRAILING},
		{"[" ANSWER(BLOCK("0x1", HASH, "0x1")) "]", CS_ERR_INVALID},
		{"{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":" BLOCK("0x1", HASH, "0x1") "}",
		 CS_ERR_INVALID},
		{"{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"result\":" BLOCK("0x1", HASH, "0x1") "}",
		 CS_ERR_INVALID},
		{"{\"jsonrpc\":\"2.0\",\"result\":" BLOCK("0x1", HASH, "0x1") "}", CS_ERR_INVALID},
		{"{\"jsonrpc\":\"1.0\",\"id\":1,\"result\":" BLOCK("0x1", HASH, "0x1") "}",
		 CS_ERR_INVALID},
		{"{\"id\":1,\"result\":" BLOCK("0x1", HASH, "0x1") "}", CS_ERR_INVALID},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":1,\"result\":" BLOCK("0x1", HASH, "0x1") "}",
		 CS_ERR_DUPLICATE},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32000,\"message\":\"finalized "
		 "block not found\"}}",
		 CS_ERR_RPC},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{},\"result\":" BLOCK("0x1", HASH,
										"0x1") "}",
		 CS_ERR_RPC},
		{"{\"jsonrpc\":\"2.0\",\"id\":1}", CS_ERR_NOT_FOUND},
		{ANSWER("null"), CS_ERR_NOT_FOUND},
		{ANSWER("\"0x1\""), CS_ERR_MALFORMED},
		{ANSWER("[]"), CS_ERR_MALFORMED},
		{ANSWER("{}"), CS_ERR_MISSING_FIELD},
		{ANSWER("{\"number\":null,\"hash\":\"" HASH "\",\"timestamp\":\"0x1\"}"),
		 CS_ERR_INVALID},
		{ANSWER("{\"number\":1,\"hash\":\"" HASH "\",\"timestamp\":\"0x1\"}"),
		 CS_ERR_INVALID},
		{ANSWER(BLOCK("1", HASH, "0x1")), CS_ERR_MALFORMED},
		{ANSWER(BLOCK("0x", HASH, "0x1")), CS_ERR_MALFORMED},
		{ANSWER(BLOCK("0x01", HASH, "0x1")), CS_ERR_MALFORMED},
		{ANSWER(BLOCK("0x00", HASH, "0x1")), CS_ERR_MALFORMED},
		{ANSWER(BLOCK("0xA", HASH, "0x1")), CS_ERR_MALFORMED},
		{ANSWER(BLOCK("0x-1", HASH, "0x1")), CS_ERR_MALFORMED},
		{ANSWER(BLOCK("0x10000000000000000", HASH, "0x1")), CS_ERR_TOO_LARGE},
		{ANSWER(BLOCK("0x1", "0x4e3a", "0x1")), CS_ERR_MALFORMED},
		{ANSWER(BLOCK("0x1", HASH "00", "0x1")), CS_ERR_MALFORMED},
		{ANSWER("{\"number\":\"0x1\",\"timestamp\":\"0x1\"}"), CS_ERR_MALFORMED},
		{ANSWER("{\"number\":\"0x1\",\"hash\":\"" HASH "\"}"), CS_ERR_MISSING_FIELD},
		{ANSWER(BLOCK("0x1", HASH, "")), CS_ERR_MALFORMED},
	};
	(void)state;
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		struct verify_evm_answer vote = {.height = 77};
		const enum cs_err err = answer(&vote, cs_bytes_str(rows[i].body));
		if (err != rows[i].err)
			fail_msg("row %zu: %s, not %s: %s", i, cs_err_name(err),
				 cs_err_name(rows[i].err), rows[i].body);
		assert_false(vote.present);
		assert_int_equal(vote.height, 77);
	}
}

static void test_answers_are_bounded(void **state)
{
	struct verify_evm_answer vote = {.present = false};
	const size_t n = VERIFY_EVM_ANSWER_SIZE_MAX + 1;
	char *body = keep(n);
	(void)state;
	memset(body, ' ', n);
	assert_err(answer(&vote, cs_bytes(body, n)), CS_ERR_TOO_LARGE);
	/* The largest that is read: all of it values. */
	memset(body, '1', n);
	for (size_t i = 2; i < n; i += 2)
		body[i] = ',';
	body[0] = '[';
	assert_err(answer(&vote, cs_bytes(body, n - 1)), CS_ERR_TOO_LARGE);
	memset(body, '[', n);
	assert_err(answer(&vote, cs_bytes(body, n - 1)), CS_ERR_TOO_LARGE);
}

/* Recorded from real nodes: tests/vectors/rpc/README.md. */
static void test_answers_of_real_nodes(void **state)
{
	json_t *rows = read_json(CS_VECTORS "/rpc/answers.json");
	(void)state;
	assert_true(json_array_size(rows) >= 4);
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		struct verify_evm_answer vote = {.present = false};
		const enum cs_err err = answer(&vote, cs_bytes_str(text_of(row, "body")));
		assert_string_equal(cs_err_name(err), text_of(row, "error"));
		if (err != CS_OK)
			continue;
		assert_int_equal(vote.height, u64_of(row, "height"));
		assert_int_equal(vote.time_s, u64_of(row, "time_s"));
		assert_hash(vote.hash, hash_of(row, "hash"));
	}
	json_decref(rows);
}

static void test_the_question(void **state)
{
	static const char *const tags[] = {"finalized", "safe", "latest"};
	(void)state;
	for (size_t i = 0; i < CS_LEN(tags); i++) {
		json_error_t error;
		const enum verify_evm_tag tag = (enum verify_evm_tag)(i + 1);
		const struct cs_bytes body = verify_evm_quorum_question(tag);
		json_t *json = json_loadb((const char *)body.p, body.n, 0, &error);
		const json_t *params = json_object_get(json, "params");
		assert_string_equal(text_of(json, "method"), "eth_getBlockByNumber");
		assert_string_equal(text_of(json, "jsonrpc"), "2.0");
		assert_int_equal(u64_of(json, "id"), 1);
		assert_string_equal(json_string_value(json_array_get(params, 0)), tags[i]);
		assert_true(json_is_false(json_array_get(params, 1)));
		assert_string_equal(verify_evm_tag_name(tag), tags[i]);
		json_decref(json);
	}
	assert_null(verify_evm_tag_name((enum verify_evm_tag)9));
	assert_int_equal(verify_evm_quorum_question((enum verify_evm_tag)9).n, 0);
}

/* ---- votes ---- */

struct branch {
	struct cs_bytes header[BLOCKS + 1]; /* by height */
	struct cs_hash hash[BLOCKS + 1];
};

struct quorum {
	struct vectors v;
	struct test_client t;
	struct verify_evm_config config;
	struct branch main;
	struct branch fork; /* leaves main on top of fork_at */
	struct verify_evm_answer votes[VERIFY_EVM_PROVIDERS_MAX];
};

static void grow(struct quorum *q, struct branch *branch, uint64_t from, uint8_t salt)
{
	for (uint64_t i = from; i <= BLOCKS; i++) {
		struct cs_hash zero = {{0}};
		branch->header[i] = vectors_header(&q->v, i ? &branch->hash[i - 1] : &zero, i, 0,
						   cs_bytes(&salt, 1));
		branch->hash[i] = cs_keccak256(branch->header[i]);
	}
}

/* n providers of which k; the fork leaves the main branch on top of a height. */
static void begin(struct quorum *q, size_t n, size_t k, uint64_t depth, uint64_t fork_at)
{
	const struct verify_time now = vectors_now(NOW);
	*q = (struct quorum){.votes = {{.present = false}}};
	vectors_open(&q->v, "generated/clique.json");
	grow(q, &q->main, 0, 1);
	q->fork = q->main;
	grow(q, &q->fork, fork_at + 1, 2);
	q->config = (struct verify_evm_config){.mode = VERIFY_EVM_RPC_QUORUM,
					       .anchor_hash = q->main.hash[0],
					       .anchor_age_max_s = DAY_S,
					       .trusting_period_s = DAY_S,
					       .provider_count = n,
					       .quorum_min = k,
					       .confirmations = depth,
					       .answer_age_max_s = 1000};
	test_client_open(&q->t, &q->config);
	assert_ok(verify_client_create(&q->t.client, q->main.header[0], &now, NULL));
}

static void end(struct quorum *q)
{
	test_client_close(&q->t);
	vectors_close(&q->v);
}

/* One after the other; the last says this, others of a branch that is late may be stale. */
static void feed(struct quorum *q, const struct branch *branch, uint64_t from, uint64_t to,
		 const char *error)
{
	for (uint64_t i = from; i <= to; i++) {
		const enum cs_err err = test_client_take(&q->t, branch->header[i], NOW);
		if (i == to)
			assert_says(error, err);
		else
			assert_true(err == CS_OK || err == CS_ERR_STALE_HEADER);
	}
}

static void says(struct quorum *q, size_t provider, const struct branch *branch, uint64_t height)
{
	q->votes[provider] = (struct verify_evm_answer){.present = true,
							.height = height,
							.hash = branch->hash[height],
							.time_s = VECTORS_GENESIS_TIME + height};
}

static enum cs_err vote_at(struct quorum *q, uint64_t now)
{
	const struct verify_time time = vectors_now(now);
	struct cs_why why = {""};
	return verify_evm_quorum_take(&q->t.client, q->votes, q->config.provider_count, &time,
				      &why);
}

static uint64_t final_of(const struct quorum *q)
{
	struct verify_status status;
	verify_client_status(&q->t.client, &status);
	assert_false(status.insecure);
	return status.final_height;
}

static void test_two_of_three(void **state)
{
	struct quorum q;
	(void)state;
	begin(&q, 3, 2, 0, 10);
	feed(&q, &q.main, 1, 20, "ok");
	assert_int_equal(final_of(&q), 0);
	assert_ok(vote_at(&q, NOW));
	assert_int_equal(final_of(&q), 0);
	says(&q, 0, &q.main, 15);
	assert_ok(vote_at(&q, NOW));
	assert_int_equal(final_of(&q), 0);
	/* One is down; the other names a descendant, and thereby this one. */
	says(&q, 2, &q.main, 18);
	assert_ok(vote_at(&q, NOW));
	assert_int_equal(final_of(&q), 15);
	/* The third is ahead of all headers: it counts when they come. */
	says(&q, 1, &q.main, 25);
	assert_ok(vote_at(&q, NOW));
	assert_int_equal(final_of(&q), 15);
	feed(&q, &q.main, 21, 25, "ok");
	assert_int_equal(final_of(&q), 18);
	/* What is named later and lower takes nothing back. */
	for (size_t i = 0; i < 3; i++)
		says(&q, i, &q.main, 3);
	assert_ok(vote_at(&q, NOW));
	assert_int_equal(final_of(&q), 18);
	end(&q);
}

static void test_all_of_one_and_many(void **state)
{
	struct quorum q;
	(void)state;
	begin(&q, 1, 1, 0, 10);
	feed(&q, &q.main, 1, 5, "ok");
	says(&q, 0, &q.main, 5);
	assert_ok(vote_at(&q, NOW));
	assert_int_equal(final_of(&q), 5);
	end(&q);
	begin(&q, 16, 9, 0, 10);
	feed(&q, &q.main, 1, 30, "ok");
	for (size_t i = 0; i < 16; i++)
		says(&q, i, &q.main, 10 + i);
	assert_ok(vote_at(&q, NOW));
	assert_int_equal(final_of(&q), 10 + 16 - 9);
	end(&q);
}

/* A vote for a hash that no header has, for a wrong height of a hash, for another branch. */
static void test_lies_count_for_nothing(void **state)
{
	struct quorum q;
	(void)state;
	begin(&q, 3, 2, 0, 10);
	feed(&q, &q.main, 1, 20, "ok");
	says(&q, 0, &q.main, 15);
	says(&q, 1, &q.main, 15);
	q.votes[1].hash.b[0] ^= 1;
	assert_ok(vote_at(&q, NOW));
	assert_int_equal(final_of(&q), 0);
	says(&q, 1, &q.main, 15);
	q.votes[1].height = 16;
	assert_ok(vote_at(&q, NOW));
	q.votes[1].height = 14;
	assert_ok(vote_at(&q, NOW));
	assert_int_equal(final_of(&q), 0);
	/* The branches have blocks up to 10 in common, and that much is final. */
	feed(&q, &q.fork, 11, 15, "ok");
	says(&q, 1, &q.fork, 15);
	assert_ok(vote_at(&q, NOW));
	assert_int_equal(final_of(&q), 10);
	/* The liar stays behind: three honest rounds later nothing of it matters. */
	says(&q, 2, &q.main, 15);
	assert_ok(vote_at(&q, NOW));
	assert_int_equal(final_of(&q), 15);
	end(&q);
}

/* Two of three that lie alike are the quorum: docs/trust.md. */
static void test_a_lying_quorum_is_believed(void **state)
{
	struct quorum q;
	(void)state;
	begin(&q, 3, 2, 0, 10);
	feed(&q, &q.main, 1, 15, "ok");
	feed(&q, &q.fork, 11, 15, "ok");
	says(&q, 0, &q.main, 15);
	says(&q, 1, &q.fork, 15);
	says(&q, 2, &q.fork, 15);
	assert_ok(vote_at(&q, NOW));
	assert_int_equal(final_of(&q), 15);
	/* And when they say the truth afterwards, the lie is found. */
	says(&q, 1, &q.main, 15);
	assert_says("frozen", vote_at(&q, NOW));
	end(&q);
}

static void test_depth(void **state)
{
	struct quorum q;
	(void)state;
	begin(&q, 3, 2, 4, 10);
	feed(&q, &q.main, 1, 20, "ok");
	says(&q, 0, &q.main, 4);
	says(&q, 1, &q.main, 4);
	assert_ok(vote_at(&q, NOW));
	assert_int_equal(final_of(&q), 0);
	says(&q, 0, &q.main, 12);
	says(&q, 1, &q.main, 14);
	assert_ok(vote_at(&q, NOW));
	assert_int_equal(final_of(&q), 8);
	/* Heads on two branches within the depth: an ordinary reorganisation. */
	feed(&q, &q.fork, 11, 14, "ok");
	says(&q, 0, &q.fork, 14);
	assert_ok(vote_at(&q, NOW));
	assert_int_equal(final_of(&q), 10);
	says(&q, 0, &q.main, 15);
	says(&q, 1, &q.main, 16);
	assert_ok(vote_at(&q, NOW));
	assert_int_equal(final_of(&q), 11);
	/* The other branch gets as deep: that is a conflict. */
	says(&q, 0, &q.fork, 14);
	says(&q, 1, &q.fork, 14);
	assert_ok(vote_at(&q, NOW));
	feed(&q, &q.fork, 15, 16, "ok");
	says(&q, 0, &q.fork, 15);
	says(&q, 1, &q.fork, 15);
	assert_says("frozen", vote_at(&q, NOW));
	end(&q);
}

static void test_a_conflict_freezes(void **state)
{
	struct verify_conflict conflict;
	struct verify_evm_config other;
	struct cs_buf buf;
	struct quorum q;
	(void)state;
	begin(&q, 3, 2, 0, 10);
	feed(&q, &q.main, 1, 15, "ok");
	says(&q, 0, &q.main, 15);
	says(&q, 1, &q.main, 15);
	assert_ok(vote_at(&q, NOW));
	assert_int_equal(final_of(&q), 15);
	/* One alone proves nothing. */
	says(&q, 2, &q.fork, 14);
	assert_ok(vote_at(&q, NOW));
	/* Two do, though nobody brought the header. */
	says(&q, 1, &q.fork, 14);
	assert_says("frozen", vote_at(&q, NOW));
	assert_ok(verify_client_conflict(&q.t.client, &conflict));
	assert_int_equal(conflict.height, 14);
	assert_hash(conflict.first_hash, q.main.hash[14]);
	assert_hash(conflict.second_hash, q.fork.hash[14]);
	assert_bytes(conflict.first, q.main.header[14]);
	assert_int_equal(conflict.second.n, 0);
	assert_says("frozen", vote_at(&q, NOW));
	feed(&q, &q.main, 16, 16, "frozen");
	/* It is in the sealed state, under whatever number of providers. */
	cs_buf_init(&buf, keep(q.t.client.encoded_size_max), q.t.client.encoded_size_max);
	verify_client_encode(&q.t.client, &buf);
	assert_ok(cs_buf_end(&buf));
	test_client_close(&q.t);
	other = q.config;
	other.provider_count = other.quorum_min = 5;
	test_client_open(&q.t, &other);
	assert_ok(verify_client_decode(&q.t.client, cs_buf_view(&buf), NULL));
	assert_ok(verify_client_conflict(&q.t.client, &conflict));
	assert_int_equal(conflict.height, 14);
	end(&q);
}

static void test_a_branch_whose_headers_come_freezes(void **state)
{
	struct verify_conflict conflict;
	struct quorum q;
	(void)state;
	begin(&q, 3, 2, 0, 10);
	feed(&q, &q.main, 1, 15, "ok");
	says(&q, 0, &q.main, 15);
	says(&q, 1, &q.main, 15);
	assert_ok(vote_at(&q, NOW));
	says(&q, 0, &q.fork, 20);
	says(&q, 1, &q.fork, 19);
	assert_ok(vote_at(&q, NOW));
	feed(&q, &q.fork, 11, 15, "stale-header");
	feed(&q, &q.fork, 16, 19, "ok");
	feed(&q, &q.fork, 20, 20, "frozen");
	assert_ok(verify_client_conflict(&q.t.client, &conflict));
	assert_int_equal(conflict.height, 11);
	assert_bytes(conflict.second, q.fork.header[11]);
	end(&q);
}

static void test_votes_are_of_one_round_and_expire(void **state)
{
	struct quorum q;
	(void)state;
	begin(&q, 3, 2, 0, 10);
	feed(&q, &q.main, 1, 10, "ok");
	says(&q, 0, &q.main, 20);
	assert_ok(vote_at(&q, NOW));
	q.votes[0].present = false;
	says(&q, 1, &q.main, 20);
	assert_ok(vote_at(&q, NOW));
	feed(&q, &q.main, 11, 20, "ok");
	assert_int_equal(final_of(&q), 0);
	/* Both, but before their headers by too long. */
	says(&q, 0, &q.main, 25);
	says(&q, 1, &q.main, 25);
	assert_ok(vote_at(&q, NOW));
	assert_int_equal(final_of(&q), 0);
	for (uint64_t i = 21; i <= 25; i++)
		assert_ok(test_client_take(&q.t, q.main.header[i],
					   NOW + VERIFY_EVM_ROUND_AGE_MAX_S + 1));
	assert_int_equal(final_of(&q), 0);
	/* A block that is older than answer_age_max_s, at the bound and above it. */
	assert_ok(vote_at(&q, VECTORS_GENESIS_TIME + 25 + 1001));
	assert_int_equal(final_of(&q), 0);
	assert_ok(vote_at(&q, VECTORS_GENESIS_TIME + 25 + 1000));
	assert_int_equal(final_of(&q), 25);
	end(&q);
}

static void test_votes_that_are_refused(void **state)
{
	const struct verify_time now = vectors_now(NOW);
	const struct verify_time endless = {.low_s = NOW, .high_s = 0};
	struct cs_why why = {""};
	struct quorum q;
	(void)state;
	begin(&q, 3, 2, 0, 10);
	feed(&q, &q.main, 1, 10, "ok");
	for (size_t i = 0; i < 3; i++)
		says(&q, i, &q.main, 10);
	assert_err(verify_evm_quorum_take(&q.t.client, q.votes, 2, &now, &why), CS_ERR_INVALID);
	assert_err(verify_evm_quorum_take(&q.t.client, q.votes, 4, &now, &why), CS_ERR_INVALID);
	assert_err(verify_evm_quorum_take(&q.t.client, q.votes, 3, &endless, &why), CS_ERR_NO_TIME);
	assert_err(vote_at(&q, NOW + DAY_S), CS_ERR_ANCHOR_TOO_OLD);
	assert_int_equal(final_of(&q), 0);
	test_client_close(&q.t);
	test_client_open(&q.t, &q.config);
	assert_err(vote_at(&q, NOW), CS_ERR_NOT_FOUND);
	/* An old anchor begins no client in this mode either. */
	assert_err(verify_client_create(&q.t.client, q.main.header[0],
					&(struct verify_time){0, VECTORS_GENESIS_TIME + DAY_S + 1},
					&why),
		   CS_ERR_ANCHOR_TOO_OLD);
	end(&q);
}

static void test_configurations_that_are_refused(void **state)
{
	static const struct {
		size_t n, k;
		uint64_t age, depth;
		enum cs_err err;
	} rows[] = {
		{0, 0, 1, 0, CS_ERR_INVALID},
		{17, 9, 1, 0, CS_ERR_INVALID},
		{3, 1, 1, 0, CS_ERR_INVALID},
		{4, 2, 1, 0, CS_ERR_INVALID},
		{3, 4, 1, 0, CS_ERR_INVALID},
		{3, 2, 0, 0, CS_ERR_INVALID},
		{3, 2, 1, 65, CS_ERR_TOO_LARGE},
		{3, 2, 1, 64, CS_OK},
		{16, 9, 1, 0, CS_OK},
		{1, 1, 1, 0, CS_OK},
	};
	void *memory = aligned_alloc(16, (verify_evm_client_size() + 15) / 16 * 16);
	struct cs_sig *sig = cs_sig_new(NULL);
	(void)state;
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		const struct verify_evm_config config = {.mode = VERIFY_EVM_RPC_QUORUM,
							 .anchor_age_max_s = 1,
							 .trusting_period_s = 1,
							 .provider_count = rows[i].n,
							 .quorum_min = rows[i].k,
							 .answer_age_max_s = rows[i].age,
							 .confirmations = rows[i].depth};
		struct verify_client client;
		struct cs_why why = {""};
		assert_err(verify_evm_open(&client, memory, &config, sig, &why), rows[i].err);
	}
	cs_sig_free(sig);
	free(memory);
}

/* Votes go to a client of this mode alone. */
static void test_a_sealed_chain_takes_no_votes(void **state)
{
	const struct verify_evm_config config = {
		.mode = VERIFY_EVM_QBFT, .anchor_age_max_s = 1, .trusting_period_s = 1};
	const struct verify_time now = vectors_now(NOW);
	const struct verify_evm_answer vote = {.present = true};
	struct cs_why why = {""};
	struct test_client t;
	(void)state;
	test_client_open(&t, &config);
	assert_err(verify_evm_quorum_take(&t.client, &vote, 1, &now, &why), CS_ERR_INVALID);
	assert_err(verify_evm_quorum_take(&t.client, NULL, 0, &now, &why), CS_ERR_INVALID);
	test_client_close(&t);
}

/* ---- against a model: a tree of headers, rounds and headers in any order ---- */

#define NODES 24u

struct model {
	size_t parent[NODES];
	uint64_t height[NODES];
	struct cs_bytes header[NODES];
	struct cs_hash hash[NODES];
	bool known[NODES];
	size_t final;
	bool frozen;
	size_t n, k;
	uint64_t depth;
	struct verify_evm_answer answers[VERIFY_EVM_PROVIDERS_MAX];
};

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static bool is_below(const struct model *m, size_t low, size_t high)
{
	while (m->height[high] > m->height[low])
		high = m->parent[high];
	return high == low;
}

static size_t named_node(const struct model *m, const struct verify_evm_answer *answer)
{
	for (size_t i = 0; answer->present && i < NODES; i++)
		if (m->known[i] && m->height[i] == answer->height &&
		    cs_hash_eq(&m->hash[i], &answer->hash))
			return i;
	return NODES;
}

static size_t support_of(const struct model *m, size_t node)
{
	size_t count = 0;
	for (size_t i = 0; i < m->n; i++) {
		const size_t named = named_node(m, &m->answers[i]);
		count += named < NODES && m->height[named] >= m->height[node] + m->depth &&
			 is_below(m, node, named);
	}
	return count;
}

static void model_settle(struct model *m)
{
	size_t best = m->final;
	for (size_t i = 0; i < NODES; i++) {
		if (!m->known[i] || support_of(m, i) < m->k)
			continue;
		if (m->height[i] <= m->height[m->final] && !is_below(m, i, m->final))
			m->frozen = true;
		else if (m->height[i] > m->height[m->final] && !is_below(m, m->final, i))
			m->frozen = true;
		else if (m->height[i] > m->height[best])
			best = i;
	}
	if (!m->frozen)
		m->final = best;
}

/* A quorum names another hash at a height that is final. */
static void model_contradict(struct model *m)
{
	for (size_t i = 0; m->depth == 0 && i < m->n; i++) {
		const struct verify_evm_answer *answer = &m->answers[i];
		size_t at = m->final;
		size_t same = 0;
		if (!answer->present || answer->height > m->height[m->final])
			continue;
		while (m->height[at] > answer->height)
			at = m->parent[at];
		for (size_t j = 0; j < m->n; j++)
			same += m->answers[j].present && m->answers[j].height == answer->height &&
				cs_hash_eq(&m->answers[j].hash, &answer->hash);
		m->frozen = m->frozen || (same >= m->k && !cs_hash_eq(&m->hash[at], &answer->hash));
	}
}

static void model_begin(struct model *m, struct vectors *v, uint64_t *seed)
{
	*m = (struct model){.known = {true}};
	m->n = 1 + next_random(seed) % 5;
	m->k = m->n / 2 + 1 + next_random(seed) % (m->n - m->n / 2);
	m->depth = next_random(seed) % 3;
	for (size_t i = 0; i < NODES; i++) {
		const uint8_t salt = (uint8_t)i;
		const struct cs_hash zero = {{0}};
		/* Mostly one branch. */
		m->parent[i] =
			i == 0 || next_random(seed) % 4 != 0 ? i - (i > 0) : next_random(seed) % i;
		m->height[i] = i == 0 ? 0 : m->height[m->parent[i]] + 1;
		m->header[i] = vectors_header(v, i ? &m->hash[m->parent[i]] : &zero, m->height[i],
					      0, cs_bytes(&salt, 1));
		m->hash[i] = cs_keccak256(m->header[i]);
	}
}

/* Down, a block of the tree, a hash of none, a height of another. */
static void model_answers(struct model *m, uint64_t *seed)
{
	const size_t common = next_random(seed) % NODES;
	for (size_t i = 0; i < m->n; i++) {
		const uint64_t kind = next_random(seed) % 8;
		const size_t node = kind < 5 ? common : next_random(seed) % NODES;
		m->answers[i] = (struct verify_evm_answer){.present = kind != 7,
							   .height = m->height[node],
							   .hash = m->hash[node],
							   .time_s = NOW};
		if (kind == 6)
			m->answers[i].hash.b[0] ^= 1;
		if (kind == 5 && next_random(seed) % 4 == 0)
			m->answers[i].height ^= 1;
	}
}

static void model_turn(struct model *m, struct test_client *t, uint64_t *seed)
{
	const struct verify_time now = vectors_now(NOW);
	struct cs_why why = {""};
	enum cs_err err;
	if (next_random(seed) % 3 != 0) {
		const size_t node = 1 + next_random(seed) % (NODES - 1);
		const bool links = m->known[m->parent[node]];
		err = test_client_take(t, m->header[node], NOW);
		if (!m->frozen && links) {
			m->known[node] = true;
			model_settle(m);
		}
		assert_true(links || err != CS_OK);
	} else {
		if (!m->frozen) {
			model_answers(m, seed);
			model_settle(m);
			model_contradict(m);
		}
		err = verify_evm_quorum_take(&t->client, m->answers, m->n, &now, &why);
		assert_true(err == CS_OK || err == CS_ERR_FROZEN);
	}
	assert_int_equal(err == CS_ERR_FROZEN, m->frozen);
}

static void test_the_model_agrees(void **state)
{
	const struct verify_time now = vectors_now(NOW);
	size_t frozen = 0, advanced = 0;
	(void)state;
	for (uint64_t run = 1; run <= 600; run++) {
		static struct model m;
		uint64_t seed = run * UINT64_C(0x9e3779b97f4a7c15);
		struct verify_status status;
		struct test_client t;
		struct vectors v;
		vectors_open(&v, "generated/clique.json");
		model_begin(&m, &v, &seed);
		test_client_open(&t, &(struct verify_evm_config){.mode = VERIFY_EVM_RPC_QUORUM,
								 .anchor_hash = m.hash[0],
								 .anchor_age_max_s = DAY_S,
								 .trusting_period_s = DAY_S,
								 .provider_count = m.n,
								 .quorum_min = m.k,
								 .confirmations = m.depth,
								 .answer_age_max_s = DAY_S});
		assert_ok(verify_client_create(&t.client, m.header[0], &now, NULL));
		for (size_t turn = 0; turn < 120; turn++) {
			model_turn(&m, &t, &seed);
			verify_client_status(&t.client, &status);
			if (status.frozen != m.frozen ||
			    (!m.frozen && status.final_height != m.height[m.final]))
				fail_msg("run %u, turn %zu: final %u, not %u; frozen %d, not %d",
					 (unsigned)run, turn, (unsigned)status.final_height,
					 (unsigned)m.height[m.final], status.frozen, m.frozen);
			if (!m.frozen)
				assert_hash(status.final_hash, m.hash[m.final]);
		}
		frozen += m.frozen;
		advanced += m.final != 0;
		test_client_close(&t);
		vectors_close(&v);
	}
	/* Both ends are reached often. */
	assert_true(frozen > 50 && frozen < 550 && advanced > 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_answer_is_read),
		cmocka_unit_test(test_answers_that_are_no_vote),
		cmocka_unit_test(test_answers_are_bounded),
		cmocka_unit_test(test_answers_of_real_nodes),
		cmocka_unit_test(test_the_question),
		cmocka_unit_test(test_two_of_three),
		cmocka_unit_test(test_all_of_one_and_many),
		cmocka_unit_test(test_lies_count_for_nothing),
		cmocka_unit_test(test_a_lying_quorum_is_believed),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_a_conflict_freezes),
		cmocka_unit_test(test_a_branch_whose_headers_come_freezes),
		cmocka_unit_test(test_votes_are_of_one_round_and_expire),
		cmocka_unit_test(test_votes_that_are_refused),
		cmocka_unit_test(test_configurations_that_are_refused),
		cmocka_unit_test(test_a_sealed_chain_takes_no_votes),
		cmocka_unit_test(test_the_model_agrees),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
