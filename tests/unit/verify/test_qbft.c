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

static void begin(struct qbft *q, size_t taken)
{
	struct verify_evm_config config = {
		.mode = VERIFY_EVM_QBFT, .anchor_age_max_s = YEAR_S, .trusting_period_s = YEAR_S};
	struct verify_time now;
	vectors_open(&q->v, "generated/qbft.json");
	q->chain = vectors_at(q->v.root, "chain");
	q->headers = vectors_at(q->chain, "headers");
	q->now = vectors_u64(vectors_at(q->chain, "time"));
	now = vectors_now(q->now);
	config.anchor_hash = vectors_hash(&q->v, vectors_at(q->chain, "hash"));
	config.period_s = vectors_u64(vectors_at(q->chain, "period"));
	test_client_open(&q->t, &config);
	assert_ok(verify_client_create(
		&q->t.client, vectors_bytes(&q->v, json_array_get(q->headers, 0)), &now, NULL));
	for (size_t i = 1; i <= taken; i++)
		assert_ok(test_client_take(
			&q->t, vectors_bytes(&q->v, json_array_get(q->headers, i)), q->now));
}

static void end(struct qbft *q)
{
	test_client_close(&q->t);
	vectors_close(&q->v);
}

static void test_generated_chain(void **state)
{
	struct verify_status status;
	struct qbft q;
	size_t n;
	(void)state;
	begin(&q, 0);
	n = json_array_size(q.headers);
	assert_true(n > 30);
	for (size_t i = 1; i < n; i++) {
		json_t *hashes = vectors_at(q.chain, "hashes");
		struct cs_hash hash = vectors_hash(&q.v, json_array_get(hashes, i));
		enum cs_err err = test_client_take(
			&q.t, vectors_bytes(&q.v, json_array_get(q.headers, i)), q.now);
		if (err != CS_OK)
			fail_msg("header %zu: %s", i, cs_err_name(err));
		verify_client_status(&q.t.client, &status);
		assert_int_equal(status.final_height, i);
		assert_true(cs_hash_eq(&status.final_hash, &hash));
	}
	end(&q);
}

static void test_bad_headers(void **state)
{
	struct vectors v;
	size_t i, n;
	(void)state;
	vectors_open(&v, "generated/qbft.json");
	n = json_array_size(vectors_at(v.root, "bad"));
	vectors_close(&v);
	assert_true(n >= 30);
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
	struct verify_evm_config config = {.mode = VERIFY_EVM_QBFT,
					   .anchor_age_max_s = YEAR_S,
					   .trusting_period_s = YEAR_S,
					   .period_s = 1};
	struct verify_time now = vectors_now(0x6b018ad3 + 600);
	struct verify_status status;
	struct test_client t;
	struct vectors v;
	json_t *headers;
	(void)state;
	vectors_open(&v, "qbft-4validators.json");
	headers = vectors_at(v.root, "headers");
	/* Its genesis is of the year 1970: too old for an anchor. */
	config.anchor_hash = vectors_hash(&v, vectors_at(json_array_get(headers, 1), "hash"));
	config.anchor_height = 1;
	test_client_open(&t, &config);
	assert_ok(verify_client_create(
		&t.client, vectors_bytes(&v, vectors_at(json_array_get(headers, 1), "headerRlp")),
		&now, NULL));
	for (size_t i = 2; i < json_array_size(headers); i++)
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
		cmocka_unit_test(test_generated_chain),
		cmocka_unit_test(test_bad_headers),
		cmocka_unit_test(test_conflict_freezes),
		cmocka_unit_test(test_every_flipped_bit_of_what_is_signed_is_noticed),
		cmocka_unit_test(test_recorded_chain),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
