#include "vectors.h"
#include "verify/evm/signers.h"

#define YEAR_S (365ull * 24 * 3600)

struct qbft {
	struct vectors v;
	struct test_client t;
	json_t *chain;
	json_t *headers;
	uint64_t now;
};

/* Up to the creation of a client at block `anchor` of one of the file's chains. */
static enum cs_err begin_at(struct qbft *q, const char *chain, size_t anchor)
{
	struct verify_evm_config config = {
		.mode = VERIFY_EVM_QBFT, .anchor_age_max_s = YEAR_S, .trusting_period_s = YEAR_S};
	struct verify_time now;
	vectors_open(&q->v, "generated/qbft.json");
	q->chain = vectors_at(q->v.root, chain);
	q->headers = vectors_at(q->chain, "headers");
	q->now = vectors_u64(vectors_at(q->chain, "time"));
	now = vectors_now(q->now);
	config.anchor_height = anchor;
	config.anchor_hash =
		vectors_hash(&q->v, json_array_get(vectors_at(q->chain, "hashes"), anchor));
	config.period_s = vectors_u64(vectors_at(q->chain, "period"));
	config.epoch_length = vectors_u64(vectors_at(q->chain, "epoch"));
	test_client_open(&q->t, &config);
	return verify_client_create(
		&q->t.client, vectors_bytes(&q->v, json_array_get(q->headers, anchor)), &now, NULL);
}

static enum cs_err take(struct qbft *q, size_t i)
{
	return test_client_take(&q->t, vectors_bytes(&q->v, json_array_get(q->headers, i)), q->now);
}

static void begin(struct qbft *q, size_t taken)
{
	assert_ok(begin_at(q, "chain", 0));
	for (size_t i = 1; i <= taken; i++)
		assert_ok(take(q, i));
}

static void end(struct qbft *q)
{
	test_client_close(&q->t);
	vectors_close(&q->v);
}

static const char *const chains[] = {"chain", "random"};

static void check_rest(struct qbft *q, size_t from)
{
	struct verify_status status;
	json_t *hashes = vectors_at(q->chain, "hashes");
	for (size_t i = from; i < json_array_size(q->headers); i++) {
		struct cs_hash hash = vectors_hash(&q->v, json_array_get(hashes, i));
		enum cs_err err = take(q, i);
		if (err != CS_OK)
			fail_msg("header %zu: %s", i, cs_err_name(err));
		verify_client_status(&q->t.client, &status);
		assert_int_equal(status.final_height, i);
		assert_true(cs_hash_eq(&status.final_hash, &hash));
	}
}

static void test_generated_chains(void **state)
{
	struct qbft q;
	(void)state;
	for (size_t c = 0; c < CS_LEN(chains); c++) {
		assert_ok(begin_at(&q, chains[c], 0));
		assert_true(json_array_size(q.headers) > 30);
		check_rest(&q, 1);
		end(&q);
	}
}

/* After an epoch block no vote is open: there, and only there, a client can begin. */
static void test_anchors(void **state)
{
	struct qbft q;
	(void)state;
	for (size_t c = 0; c < CS_LEN(chains); c++) {
		size_t n, epoch;
		assert_ok(begin_at(&q, chains[c], 0));
		n = json_array_size(q.headers);
		epoch = vectors_u64(vectors_at(q.chain, "epoch"));
		end(&q);
		for (size_t i = 1; i < n; i++) {
			struct verify_status status;
			enum cs_err err = begin_at(&q, chains[c], i);
			verify_client_status(&q.t.client, &status);
			assert_int_equal(status.created, i % epoch == 0);
			if (i % epoch == 0)
				check_rest(&q, i + 1);
			else
				assert_says("bad-epoch", err);
			end(&q);
		}
	}
}

/* The set itself, against the generator's, after every header. */
static void test_validators_follow_the_votes(void **state)
{
	static struct verify_evm_signers set;
	struct qbft q;
	(void)state;
	for (size_t c = 0; c < CS_LEN(chains); c++) {
		uint64_t epoch;
		size_t changes = 0;
		assert_ok(begin_at(&q, chains[c], 0));
		epoch = vectors_u64(vectors_at(q.chain, "epoch"));
		for (size_t i = 0; i < json_array_size(q.headers); i++) {
			struct verify_evm_header h;
			struct verify_qbft_extra x;
			struct verify_evm_step step;
			size_t before = set.count;
			assert_ok(verify_evm_header_read(
				&h, vectors_bytes(&q.v, json_array_get(q.headers, i))));
			assert_ok(verify_qbft_extra_read(&x, &h));
			if (i == 0) {
				assert_ok(verify_qbft_anchor(&set, &h, &x, epoch, NULL));
			} else {
				assert_ok(verify_qbft_check(&step, &set, &h, &x, q.t.sig, NULL));
				assert_ok(verify_qbft_apply(&set, &step, epoch));
				changes += set.count != before;
			}
			assert_int_equal(set.count, vectors_u64(json_array_get(
							    vectors_at(q.chain, "signers"), i)));
			if (i % epoch == 0)
				assert_int_equal(set.vote_count, 0);
		}
		assert_true(changes >= 4);
		end(&q);
	}
}

/* Open votes are in the sealed state. */
static void test_state_goes_on_between_votes(void **state)
{
	static uint8_t memory[1 << 20];
	struct cs_buf buf;
	struct qbft q;
	(void)state;
	assert_ok(begin_at(&q, "chain", 0));
	for (size_t i = 1; i < json_array_size(q.headers); i++) {
		assert_ok(take(&q, i));
		cs_buf_init(&buf, memory, q.t.client.encoded_size_max);
		verify_client_encode(&q.t.client, &buf);
		assert_ok(cs_buf_end(&buf));
		assert_ok(verify_client_decode(&q.t.client, cs_buf_view(&buf), NULL));
	}
	end(&q);
}

static struct verify_evm_step vote_of(uint8_t who, uint8_t subject, bool adds)
{
	struct verify_evm_step step = {.number = 1, .flags = VERIFY_EVM_STEP_VOTE};
	step.who.b[0] = who;
	step.subject.b[0] = subject;
	if (adds)
		step.flags |= VERIFY_EVM_STEP_VOTE_ADDS;
	return step;
}

static void begin_set(struct verify_evm_signers *set, uint8_t count)
{
	struct cs_address who = {{0}};
	memset(set, 0, sizeof *set);
	for (who.b[0] = 1; who.b[0] <= count; who.b[0]++)
		assert_ok(verify_evm_signer_add(set, &who));
}

/* How many of n must agree, in either direction: floor(n/2) + 1. */
static void test_majorities(void **state)
{
	static struct verify_evm_signers set;
	(void)state;
	for (uint8_t n = 1; n <= 9; n++)
		for (unsigned adds = 0; adds < 2; adds++) {
			const size_t after = adds ? n + 1u : n - 1u;
			begin_set(&set, n);
			for (uint8_t voter = 1; voter <= n / 2 + 1; voter++) {
				struct verify_evm_step step = vote_of(voter, adds ? 99 : n, adds);
				assert_int_equal(set.count, n);
				assert_ok(verify_qbft_apply(&set, &step, 30000));
			}
			assert_int_equal(set.count, after);
			assert_int_equal(set.vote_count, 0);
		}
}

/* Besu keeps them: a majority that wants what is clears the votes of those who want otherwise. */
static void test_votes_that_change_nothing(void **state)
{
	static struct verify_evm_signers set;
	static const struct {
		uint8_t who;
		bool adds;
		size_t votes;
	} rows[] = {{4, false, 1}, {1, true, 2},  {2, true, 3},  {2, true, 3},
		    {3, true, 0},  {1, false, 1}, {2, false, 2}, {2, true, 2}};
	(void)state;
	begin_set(&set, 4);
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		struct verify_evm_step step = vote_of(rows[i].who, 3, rows[i].adds);
		assert_ok(verify_qbft_apply(&set, &step, 30000));
		assert_int_equal(set.vote_count, rows[i].votes);
		assert_int_equal(set.count, 4);
	}
}

static void test_votes_are_bounded_and_of_validators(void **state)
{
	static struct verify_evm_signers set;
	struct verify_evm_step step = vote_of(9, 50, true);
	(void)state;
	begin_set(&set, 4);
	assert_says("bad-signer-set", verify_qbft_apply(&set, &step, 30000));
	step = vote_of(1, 50, true);
	for (uint32_t i = 0; i < VERIFY_EVM_VOTES_MAX; i++) {
		cs_put_be32(step.subject.b + 16, i + 1);
		assert_ok(verify_qbft_apply(&set, &step, 30000));
	}
	/* The same again takes no room. */
	assert_ok(verify_qbft_apply(&set, &step, 30000));
	cs_put_be32(step.subject.b + 16, VERIFY_EVM_VOTES_MAX + 1);
	assert_says("full", verify_qbft_apply(&set, &step, 30000));
	step.number = 30000;
	assert_ok(verify_qbft_apply(&set, &step, 30000));
	assert_int_equal(set.vote_count, 0);
}

static void test_bad_headers(void **state)
{
	struct vectors v;
	size_t i, n;
	(void)state;
	vectors_open(&v, "generated/qbft.json");
	n = json_array_size(vectors_at(v.root, "bad"));
	vectors_close(&v);
	assert_true(n >= 45);
	for (i = 0; i < n; i++) {
		struct verify_status status;
		struct qbft q;
		uint64_t after;
		enum cs_err err;
		json_t *row;
		begin(&q, 0);
		row = json_array_get(vectors_at(q.v.root, "bad"), i);
		after = vectors_u64(vectors_at(row, "after"));
		end(&q);
		begin(&q, after);
		row = json_array_get(vectors_at(q.v.root, "bad"), i);
		err = test_client_take(&q.t, vectors_bytes(&q.v, vectors_at(row, "header")), q.now);
		if (strcmp(cs_err_name(err), json_string_value(vectors_at(row, "error"))) != 0)
			fail_msg("%s: %s", json_string_value(vectors_at(row, "name")),
				 cs_err_name(err));
		verify_client_status(&q.t.client, &status);
		assert_int_equal(status.final_height, after);
		assert_false(status.frozen);
		assert_ok(test_client_take(
			&q.t, vectors_bytes(&q.v, json_array_get(q.headers, after + 1)), q.now));
		end(&q);
	}
}

static void test_conflict_freezes(void **state)
{
	struct verify_conflict conflict;
	struct verify_block block;
	struct verify_time now;
	struct cs_bytes first, second;
	struct qbft q;
	json_t *c;
	(void)state;
	begin(&q, 8);
	now = vectors_now(q.now);
	c = vectors_at(q.v.root, "conflict");
	first = vectors_bytes(&q.v, vectors_at(c, "first"));
	second = vectors_bytes(&q.v, vectors_at(c, "second"));
	/* Too few seals are no conflict, other seals of the same block neither, an older header
	 * neither. */
	assert_says("too-few-seals",
		    test_client_take(&q.t, vectors_bytes(&q.v, vectors_at(c, "weak")), q.now));
	assert_says("stale-header",
		    test_client_take(&q.t, vectors_bytes(&q.v, vectors_at(c, "same")), q.now));
	assert_says("stale-header", test_client_take(&q.t, first, q.now));
	assert_ok(verify_client_block(&q.t.client, 5, &now, &block, NULL));
	assert_says("frozen", test_client_take(&q.t, second, q.now));
	assert_ok(verify_client_conflict(&q.t.client, &conflict));
	assert_int_equal(conflict.height, 5);
	assert_true(cs_bytes_eq(conflict.first, first));
	assert_true(cs_bytes_eq(conflict.second, second));
	assert_says("frozen", verify_client_block(&q.t.client, 5, &now, &block, NULL));
	assert_says(
		"frozen",
		test_client_take(&q.t, vectors_bytes(&q.v, json_array_get(q.headers, 9)), q.now));
	assert_says("frozen",
		    verify_client_create(&q.t.client,
					 vectors_bytes(&q.v, json_array_get(q.headers, 0)), &now,
					 NULL));
	end(&q);
}

static void test_every_flipped_bit_of_what_is_signed_is_noticed(void **state)
{
	struct verify_evm_header h;
	struct verify_qbft_extra x;
	struct cs_bytes raw;
	struct qbft q;
	size_t seals_at, seals_end;
	(void)state;
	begin(&q, 2);
	raw = vectors_bytes(&q.v, json_array_get(q.headers, 3));
	assert_ok(verify_evm_header_read(&h, raw));
	assert_ok(verify_qbft_extra_read(&x, &h));
	seals_at = (size_t)(x.seals[0].p - raw.p);
	seals_end = (size_t)(x.seals[x.seal_count - 1].p - raw.p) + 65;
	for (size_t bit = 0; bit < 8 * raw.n; bit++) {
		enum cs_err err;
		vectors_flip(raw, bit);
		err = test_client_take(&q.t, raw, q.now);
		vectors_flip(raw, bit);
		assert_int_not_equal(err, CS_OK);
		if (bit / 8 >= seals_at && bit / 8 < seals_end)
			assert_true(err == CS_ERR_BAD_SEAL || err == CS_ERR_FOREIGN_SEAL ||
				    err == CS_ERR_TRUNCATED || err == CS_ERR_MALFORMED ||
				    err == CS_ERR_NON_CANONICAL);
	}
	assert_ok(test_client_take(&q.t, raw, q.now));
	end(&q);
}

static void test_recorded_chain(void **state)
{
	/* Its genesis is of the year 1970. */
	struct verify_evm_config config = {.mode = VERIFY_EVM_QBFT,
					   .anchor_age_max_s = 100 * YEAR_S,
					   .trusting_period_s = 100 * YEAR_S,
					   .period_s = 1};
	struct verify_time now = vectors_now(0x6b018ad3 + 600);
	struct verify_status status;
	struct test_client t;
	struct vectors v;
	json_t *headers;
	(void)state;
	vectors_open(&v, "qbft-4validators.json");
	headers = vectors_at(v.root, "headers");
	config.anchor_hash = vectors_hash(&v, vectors_at(json_array_get(headers, 0), "hash"));
	test_client_open(&t, &config);
	assert_ok(verify_client_create(
		&t.client, vectors_bytes(&v, vectors_at(json_array_get(headers, 0), "headerRlp")),
		&now, NULL));
	for (size_t i = 1; i < json_array_size(headers); i++)
		assert_ok(test_client_take(
			&t, vectors_bytes(&v, vectors_at(json_array_get(headers, i), "headerRlp")),
			now.high_s));
	verify_client_status(&t.client, &status);
	assert_int_equal(status.final_height, json_array_size(headers) - 1);
	test_client_close(&t);
	vectors_close(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_generated_chains),
		cmocka_unit_test(test_anchors),
		cmocka_unit_test(test_validators_follow_the_votes),
		cmocka_unit_test(test_state_goes_on_between_votes),
		cmocka_unit_test(test_majorities),
		cmocka_unit_test(test_votes_that_change_nothing),
		cmocka_unit_test(test_votes_are_bounded_and_of_validators),
		cmocka_unit_test(test_bad_headers),
		cmocka_unit_test(test_conflict_freezes),
		cmocka_unit_test(test_every_flipped_bit_of_what_is_signed_is_noticed),
		cmocka_unit_test(test_recorded_chain),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
