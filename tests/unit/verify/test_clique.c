#include "vectors.h"
#include "verify/evm/signers.h"

#define YEAR_S (365ull * 24 * 3600)

static struct verify_evm_config config_of(struct vectors *v, const json_t *chain)
{
	return (struct verify_evm_config){
		.mode = VERIFY_EVM_CLIQUE,
		.anchor_height = vectors_u64(vectors_at(chain, "height")),
		.anchor_hash = vectors_hash(v, vectors_at(chain, "hash")),
		.anchor_age_max_s = YEAR_S,
		.trusting_period_s = YEAR_S,
		.epoch_length = vectors_u64(vectors_at(chain, "epoch")),
		.seals_min = vectors_u64(vectors_at(chain, "seals_min")),
		.period_s = vectors_u64(vectors_at(chain, "period")),
	};
}

static void create(struct test_client *t, struct cs_bytes anchor, uint64_t now)
{
	struct verify_time time = vectors_now(now);
	struct cs_why why = {{0}};
	assert_ok(verify_client_create(&t->client, anchor, &time, &why));
}

static json_t *chain_named(struct vectors *v, const char *name)
{
	size_t i;
	json_t *chain;
	json_array_foreach(vectors_at(v->root, "chains"), i, chain)
	{
		if (strcmp(json_string_value(vectors_at(chain, "name")), name) == 0)
			return chain;
	}
	fail_msg("no chain %s", name);
	return NULL;
}

/* Header by header, the final height is the one that the generator found by its own rule. */
static void check_chain(struct vectors *v, const json_t *chain)
{
	struct verify_evm_config config = config_of(v, chain);
	uint64_t now = vectors_u64(vectors_at(chain, "time"));
	json_t *headers = vectors_at(chain, "headers"), *final = vectors_at(chain, "final");
	struct verify_status status;
	struct test_client t;
	test_client_open(&t, &config);
	create(&t, vectors_bytes(v, json_array_get(headers, 0)), now);
	for (size_t i = 1; i < json_array_size(headers); i++) {
		struct cs_bytes raw = vectors_bytes(v, json_array_get(headers, i));
		enum cs_err err = test_client_take(&t, raw, now);
		verify_client_status(&t.client, &status);
		if (err != CS_OK || status.final_height != vectors_u64(json_array_get(final, i)))
			fail_msg("%s %zu: %s, final %llu",
				 json_string_value(vectors_at(chain, "name")), i, cs_err_name(err),
				 (unsigned long long)status.final_height);
		assert_int_equal(status.head_height, config.anchor_height + i);
		assert_false(status.frozen);
	}
	test_client_close(&t);
}

static void test_generated_chains(void **state)
{
	struct vectors v;
	size_t i;
	json_t *chain;
	(void)state;
	vectors_open(&v, "generated/clique.json");
	json_array_foreach(vectors_at(v.root, "chains"), i, chain) check_chain(&v, chain);
	vectors_close(&v);
}

/* The set itself, against the generator's, after every header. */
static void test_signers_follow_the_votes(void **state)
{
	static struct verify_evm_signers signers;
	struct vectors v;
	size_t c;
	json_t *chain;
	struct cs_sig *sig = cs_sig_new(NULL);
	(void)state;
	vectors_open(&v, "generated/clique.json");
	json_array_foreach(vectors_at(v.root, "chains"), c, chain)
	{
		json_t *headers = vectors_at(chain, "headers");
		uint64_t epoch = vectors_u64(vectors_at(chain, "epoch"));
		for (size_t i = 0; i < json_array_size(headers); i++) {
			struct verify_evm_header h;
			struct verify_evm_step step;
			assert_ok(verify_evm_header_read(
				&h, vectors_bytes(&v, json_array_get(headers, i))));
			if (i == 0) {
				assert_ok(verify_clique_anchor(&signers, &h, epoch, sig, NULL));
			} else {
				assert_ok(
					verify_clique_check(&step, &signers, &h, epoch, sig, NULL));
				assert_ok(verify_clique_apply(&signers, &step, epoch));
			}
			assert_int_equal(signers.count, vectors_u64(json_array_get(
								vectors_at(chain, "signers"), i)));
		}
	}
	cs_sig_free(sig);
	vectors_close(&v);
}

static void check_conflict(struct vectors *v, const struct test_client *t, const json_t *expected)
{
	struct verify_conflict conflict;
	assert_ok(verify_client_conflict(&t->client, &conflict));
	assert_int_equal(conflict.height, vectors_u64(vectors_at(expected, "height")));
	assert_true(cs_bytes_eq(conflict.first, vectors_bytes(v, vectors_at(expected, "first"))));
	assert_true(cs_bytes_eq(conflict.second, vectors_bytes(v, vectors_at(expected, "second"))));
	assert_false(cs_hash_eq(&conflict.first_hash, &conflict.second_hash));
}

static void check_step(struct vectors *v, const char *name, size_t at, struct test_client *t,
		       const json_t *step, uint64_t now_s)
{
	struct verify_nodes headers = vectors_nodes(v, vectors_at(step, "headers"));
	struct verify_time now = vectors_now(now_s);
	struct verify_status status;
	struct verify_conflict none;
	struct cs_why why = {{0}};
	size_t accepted = 99;
	enum cs_err err =
		verify_client_update(&t->client, headers.p, headers.n, &now, &accepted, &why);
	verify_client_status(&t->client, &status);
	if (strcmp(cs_err_name(err), json_string_value(vectors_at(step, "error"))) != 0 ||
	    accepted != vectors_u64(vectors_at(step, "accepted")) ||
	    status.final_height != vectors_u64(vectors_at(step, "final")))
		fail_msg("%s, step %zu: %s (%s), %zu accepted, final %llu", name, at,
			 cs_err_name(err), why.text, accepted,
			 (unsigned long long)status.final_height);
	assert_int_equal(status.frozen, err == CS_ERR_FROZEN);
	if (json_object_get(step, "conflict"))
		check_conflict(v, t, json_object_get(step, "conflict"));
	else if (!status.frozen)
		assert_says("not-found", verify_client_conflict(&t->client, &none));
}

static void test_forks(void **state)
{
	struct vectors v;
	size_t i, j;
	json_t *scenario, *step;
	(void)state;
	vectors_open(&v, "generated/clique.json");
	json_array_foreach(vectors_at(v.root, "forks"), i, scenario)
	{
		struct verify_evm_config config = config_of(&v, scenario);
		uint64_t now = vectors_u64(vectors_at(scenario, "time"));
		struct test_client t;
		test_client_open(&t, &config);
		create(&t, vectors_bytes(&v, vectors_at(scenario, "anchor")), now);
		json_array_foreach(vectors_at(scenario, "steps"), j, step) check_step(
			&v, json_string_value(vectors_at(scenario, "name")), j, &t, step, now);
		test_client_close(&t);
	}
	vectors_close(&v);
}

static void check_bad(struct vectors *v, const json_t *row)
{
	json_t *chain = chain_named(v, json_string_value(vectors_at(row, "chain")));
	struct verify_evm_config config = config_of(v, chain);
	json_t *headers = vectors_at(chain, "headers");
	uint64_t now = vectors_u64(vectors_at(chain, "time"));
	struct verify_status before, after;
	struct test_client t;
	enum cs_err err;
	test_client_open(&t, &config);
	create(&t, vectors_bytes(v, json_array_get(headers, 0)), now);
	for (size_t i = 1; i <= vectors_u64(vectors_at(row, "after")); i++)
		assert_ok(test_client_take(&t, vectors_bytes(v, json_array_get(headers, i)), now));
	verify_client_status(&t.client, &before);
	err = test_client_take(&t, vectors_bytes(v, vectors_at(row, "header")), now);
	verify_client_status(&t.client, &after);
	if (strcmp(cs_err_name(err), json_string_value(vectors_at(row, "error"))) != 0)
		fail_msg("%s: %s", json_string_value(vectors_at(row, "name")), cs_err_name(err));
	assert_int_equal(before.head_height, after.head_height);
	assert_false(after.frozen);
	/* And the good one that belongs there is still taken. */
	assert_ok(test_client_take(
		&t,
		vectors_bytes(v,
			      json_array_get(headers, vectors_u64(vectors_at(row, "after")) + 1)),
		now));
	test_client_close(&t);
}

static void test_bad_headers(void **state)
{
	struct vectors v;
	size_t i;
	json_t *row;
	(void)state;
	vectors_open(&v, "generated/clique.json");
	json_array_foreach(vectors_at(v.root, "bad"), i, row) check_bad(&v, row);
	assert_true(i >= 28);
	vectors_close(&v);
}

static void test_bad_anchors(void **state)
{
	struct vectors v;
	size_t i;
	json_t *row;
	(void)state;
	vectors_open(&v, "generated/clique.json");
	json_array_foreach(vectors_at(v.root, "bad_anchors"), i, row)
	{
		struct verify_evm_config config = {.mode = VERIFY_EVM_CLIQUE,
						   .anchor_age_max_s = YEAR_S,
						   .trusting_period_s = YEAR_S};
		struct verify_time now = vectors_now(1700000000);
		struct verify_status status;
		struct test_client t;
		enum cs_err err;
		config.anchor_height = vectors_u64(vectors_at(row, "height"));
		config.anchor_hash = vectors_hash(&v, vectors_at(row, "hash"));
		test_client_open(&t, &config);
		err = verify_client_create(&t.client, vectors_bytes(&v, vectors_at(row, "header")),
					   &now, NULL);
		if (strcmp(cs_err_name(err), json_string_value(vectors_at(row, "error"))) != 0)
			fail_msg("%s: %s", json_string_value(vectors_at(row, "name")),
				 cs_err_name(err));
		verify_client_status(&t.client, &status);
		assert_false(status.created);
		test_client_close(&t);
	}
	assert_true(i >= 7);
	vectors_close(&v);
}

/* Every single bit of a header that would be taken. */
static void test_every_flipped_bit_is_noticed(void **state)
{
	struct verify_evm_config config;
	struct test_client t;
	struct cs_bytes raw;
	struct vectors v;
	json_t *chain, *headers;
	uint64_t now;
	(void)state;
	vectors_open(&v, "generated/clique.json");
	chain = chain_named(&v, "seven-all");
	headers = vectors_at(chain, "headers");
	config = config_of(&v, chain);
	now = vectors_u64(vectors_at(chain, "time"));
	test_client_open(&t, &config);
	create(&t, vectors_bytes(&v, json_array_get(headers, 0)), now);
	raw = vectors_bytes(&v, json_array_get(headers, 1));
	for (size_t bit = 0; bit < 8 * raw.n; bit++) {
		vectors_flip(raw, bit);
		assert_int_not_equal(test_client_take(&t, raw, now), CS_OK);
		vectors_flip(raw, bit);
	}
	assert_ok(test_client_take(&t, raw, now));
	test_client_close(&t);
	vectors_close(&v);
}

/* Their genesis blocks are dated 1970. */
static void check_recorded(const char *name, size_t lag)
{
	struct vectors v;
	struct test_client t;
	struct verify_status status;
	json_t *headers;
	struct verify_evm_config config = {.mode = VERIFY_EVM_CLIQUE,
					   .anchor_age_max_s = 100 * YEAR_S,
					   .trusting_period_s = 100 * YEAR_S,
					   .period_s = 1};
	uint64_t now = 0x6b018edb + 60;
	vectors_open(&v, name);
	headers = vectors_at(v.root, "headers");
	config.anchor_hash = vectors_hash(&v, vectors_at(json_array_get(headers, 0), "hash"));
	test_client_open(&t, &config);
	create(&t, vectors_bytes(&v, vectors_at(json_array_get(headers, 0), "headerRlp")), now);
	for (size_t i = 1; i < json_array_size(headers); i++) {
		json_t *row = json_array_get(headers, i);
		assert_ok(
			test_client_take(&t, vectors_bytes(&v, vectors_at(row, "headerRlp")), now));
		verify_client_status(&t.client, &status);
		assert_int_equal(status.head_height, i);
		assert_in_range(i - status.final_height, 0, lag);
	}
	assert_true(status.final_height > 10);
	test_client_close(&t);
	vectors_close(&v);
}

static void test_recorded_chains(void **state)
{
	(void)state;
	check_recorded("clique-1signer.json", 0);
	check_recorded("clique-3signers.json", 12);
}

static void test_seals_needed(void **state)
{
	static const struct {
		size_t signers, seals_min, needed;
	} rows[] = {{1, 0, 1}, {2, 0, 2}, {3, 0, 3},   {4, 0, 3}, {5, 0, 4},   {6, 0, 4},
		    {7, 0, 5}, {9, 0, 6}, {64, 0, 43}, {7, 1, 4}, {7, 6, 6},   {7, 7, 7},
		    {7, 8, 7}, {3, 2, 2}, {1, 5, 1},   {2, 1, 2}, {64, 64, 64}};
	(void)state;
	for (size_t i = 0; i < CS_LEN(rows); i++)
		assert_int_equal(verify_clique_seals_needed(rows[i].signers, rows[i].seals_min),
				 rows[i].needed);
}

static void test_votes_are_bounded(void **state)
{
	static struct verify_evm_signers signers;
	struct verify_evm_step step = {.flags = VERIFY_EVM_STEP_VOTE | VERIFY_EVM_STEP_VOTE_ADDS};
	struct cs_address who = {{0}};
	(void)state;
	memset(&signers, 0, sizeof signers);
	for (uint8_t i = 0; i < 3; i++) {
		who.b[0] = i;
		assert_ok(verify_evm_signer_add(&signers, &who));
	}
	who.b[0] = 0;
	step.who = who;
	for (uint32_t i = 0; i < VERIFY_EVM_VOTES_MAX; i++) {
		step.number = i + 1;
		cs_put_be32(step.subject.b + 16, i + 1);
		assert_ok(verify_clique_apply(&signers, &step, 30000));
	}
	step.number++;
	cs_put_be32(step.subject.b + 16, VERIFY_EVM_VOTES_MAX + 1);
	assert_says("full", verify_clique_apply(&signers, &step, 30000));
	step.number = 30000;
	assert_ok(verify_clique_apply(&signers, &step, 30000));
	assert_int_equal(signers.vote_count, 1);
}

static void test_signers_are_bounded(void **state)
{
	static struct verify_evm_signers signers;
	struct cs_address who = {{0}};
	(void)state;
	memset(&signers, 0, sizeof signers);
	for (size_t i = 0; i < VERIFY_EVM_SIGNERS_MAX; i++) {
		who.b[0] = (uint8_t)(251 * (i + 1));
		assert_ok(verify_evm_signer_add(&signers, &who));
		assert_says("duplicate", verify_evm_signer_add(&signers, &who));
	}
	for (size_t i = 1; i < VERIFY_EVM_SIGNERS_MAX; i++)
		assert_true(memcmp(signers.who[i - 1].b, signers.who[i].b, 20) < 0);
	who.b[1] = 1;
	assert_says("too-large", verify_evm_signer_add(&signers, &who));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_generated_chains),
		cmocka_unit_test(test_signers_follow_the_votes),
		cmocka_unit_test(test_forks),
		cmocka_unit_test(test_bad_headers),
		cmocka_unit_test(test_bad_anchors),
		cmocka_unit_test(test_every_flipped_bit_is_noticed),
		cmocka_unit_test(test_recorded_chains),
		cmocka_unit_test(test_seals_needed),
		cmocka_unit_test(test_votes_are_bounded),
		cmocka_unit_test(test_signers_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
