#include "tests/unit/cometbft/scene.h"

/* ---- conflicts ---- */

static void is_frozen(struct scene *s, const struct cmt_light_block *first,
		      const struct cmt_light_block *second)
{
	struct cmt_light_block anchor = scene_block(10), next = scene_block(60);
	struct verify_conflict conflict;
	struct verify_block block;
	assert_true(scene_status(s).frozen);
	assert_ok(verify_client_conflict(&s->client, &conflict));
	assert_int_equal(conflict.height, first->header.height);
	assert_hash(conflict.first_hash, cmt_header_hash(&first->header));
	assert_hash(conflict.second_hash, cmt_header_hash(&second->header));
	assert_bytes(conflict.first, scene_encoded(first));
	assert_bytes(conflict.second, scene_encoded(second));
	assert_hash(conflict.anchor_hash, s->config.anchor_hash);
	assert_err(scene_ask(s, s->config.anchor_height, &block), CS_ERR_FROZEN);
	assert_err(scene_update(s, &next), CS_ERR_FROZEN);
	assert_err(scene_create(s, &anchor), CS_ERR_FROZEN);
	assert_err(verify_client_ancestors(&s->client, &conflict.first, 1, &s->now, &block, NULL),
		   CS_ERR_FROZEN);
}

static void test_conflict(void **state)
{
	(void)state;
	struct cmt_light_block first = scene_block(20), second = scene_other_block(20),
			       newer = scene_block(30);
	struct scene s;
	scene_begin(&s);
	assert_ok(scene_update(&s, &first));
	assert_ok(scene_update(&s, &newer));
	assert_err(scene_update(&s, &second), CS_ERR_FROZEN);
	is_frozen(&s, &first, &second);
	/* Of the anchor itself, below which nothing is trusted. */
	struct cmt_light_block anchor = scene_block(10);
	second = scene_other_block(10);
	scene_begin(&s);
	assert_err(scene_update(&s, &second), CS_ERR_FROZEN);
	is_frozen(&s, &anchor, &second);
}

/* The attacker's block came first and skipped; the chain's own has other validators, and is reached
 * through a header in between. */
static void test_conflict_through_another_header(void **state)
{
	(void)state;
	struct cmt_validator_set a = scene_set(), b = made_set(3, 4, 10), c = made_set(5, 4, 10);
	struct cmt_light_block anchor = made_block(10, &a, &a), forged = scene_block(20);
	struct cmt_light_block middle = made_block(15, &b, &b), honest = made_block(20, &c, &c);
	struct scene s;
	size_t accepted;
	scene_open_at(&s, &anchor, (uint64_t)MADE_TIME_S + 100);
	assert_ok(scene_create(&s, &anchor));
	assert_ok(scene_update(&s, &forged));
	assert_err(scene_update(&s, &honest), CS_ERR_NOT_ENOUGH_TRUST);
	const struct cmt_light_block *both[] = {&middle, &honest};
	assert_err(scene_update_by(&s, both, 2, &accepted), CS_ERR_FROZEN);
	assert_int_equal(accepted, 1);
	is_frozen(&s, &forged, &honest);
}

static void test_no_conflict(void **state)
{
	(void)state;
	struct cmt_light_block first = scene_block(20), second = scene_other_block(20);
	struct scene s;
	scene_begin(&s);
	assert_ok(scene_update(&s, &first));
	/* Too few signed it. */
	second.commit.sigs[0] = second.commit.sigs[1] = CMT_SIG_ABSENT;
	assert_err(scene_update(&s, &second), CS_ERR_TOO_FEW_SEALS);
	second = scene_other_block(20);
	second.commit.sigs[2].signature.b[1] ^= 1;
	assert_err(scene_update(&s, &second), CS_ERR_BAD_SEAL);
	/* By strangers. */
	struct cmt_validator_set stranger = made_set(100, 4, 10);
	second = made_block(20, &stranger, &stranger);
	assert_err(scene_update(&s, &second), CS_ERR_NOT_ENOUGH_TRUST);
	second = made_block(10, &stranger, &stranger);
	assert_err(scene_update(&s, &second), CS_ERR_BAD_SIGNER_SET);
	/* The same header, committed in another round: no second header. */
	second = first;
	second.commit.sigs = keep(first.commit.count * sizeof *first.commit.sigs);
	memcpy(second.commit.sigs, first.commit.sigs,
	       first.commit.count * sizeof *first.commit.sigs);
	second.commit.round = 3;
	for (size_t i = 0; i < second.commit.count; i++)
		made_sign(&second.commit, i);
	assert_err(scene_update(&s, &second), CS_ERR_STALE_HEADER);
	assert_false(scene_status(&s).frozen);
	/* Outside the trusting period of the older one. */
	struct cmt_light_block newer = scene_block(30);
	assert_ok(scene_update(&s, &newer));
	s.now = scene_until(MADE_TIME_S + 20 + SCENE_PERIOD_S + 1);
	second = scene_other_block(20);
	assert_err(scene_update(&s, &second), CS_ERR_ANCHOR_TOO_OLD);
	assert_false(scene_status(&s).frozen);
}

/* ---- sealed state ---- */

static struct cs_bytes sealed(const struct scene *s)
{
	struct cs_buf buf = test_buf(s->client.encoded_size_max);
	verify_client_encode(&s->client, &buf);
	assert_ok(cs_buf_end(&buf));
	return cs_buf_view(&buf);
}

static enum cs_err unseal(struct scene *s, struct cs_bytes bytes)
{
	return verify_client_decode(&s->client, bytes, NULL);
}

/* The client under this configuration, from these bytes. */
static enum cs_err again(struct scene *s, const struct cmt_client_config *config,
			 struct cs_bytes bytes)
{
	scene_open(s, config);
	return unseal(s, bytes);
}

/* Headers 10, 15, 20, …, the last with other validators. */
static void go_on(struct scene *s, int64_t last)
{
	struct cmt_validator_set set = scene_set(), other = made_set(3, 4, 10);
	scene_begin(s);
	for (int64_t h = 15; h < last; h += 5) {
		struct cmt_light_block block = scene_block(h);
		assert_ok(scene_update(s, &block));
	}
	struct cmt_light_block changed = made_block(last, &other, &set);
	assert_ok(scene_update(s, &changed));
}

static void test_state_goes_on_where_it_was(void **state)
{
	(void)state;
	struct cmt_light_block between = scene_block(17), newer = scene_block(40);
	struct cmt_light_block other = scene_other_block(20);
	struct verify_status before, after;
	struct verify_block block, known;
	struct scene s;
	go_on(&s, 25);
	struct cs_bytes bytes = sealed(&s);
	before = scene_status(&s);
	assert_ok(scene_ask(&s, 20, &known));
	assert_ok(again(&s, &s.config, bytes));
	after = scene_status(&s);
	assert_true(after.created);
	assert_int_equal(after.final_height, 25);
	assert_hash(after.final_hash, before.final_hash);
	assert_int_equal(after.final_time_s, before.final_time_s);
	assert_ok(scene_ask(&s, 20, &block));
	assert_memory_equal(&block, &known, sizeof block);
	assert_bytes(sealed(&s), bytes);
	/* Every way to go on, and the light blocks of those known are still there. */
	assert_ok(scene_update(&s, &between));
	assert_ok(scene_update(&s, &newer));
	struct verify_conflict conflict;
	struct cmt_light_block first = scene_block(20);
	assert_err(scene_update(&s, &other), CS_ERR_FROZEN);
	assert_ok(verify_client_conflict(&s.client, &conflict));
	assert_bytes(conflict.first, scene_encoded(&first));
	/* One that was never created. */
	struct cmt_client_config config = s.config;
	scene_open(&s, &config);
	bytes = sealed(&s);
	assert_ok(again(&s, &config, bytes));
	assert_false(scene_status(&s).created);
	scene_begin(&s);
	assert_ok(unseal(&s, bytes));
	assert_false(scene_status(&s).created);
}

/* The times and levels of the configuration are not the state's: they may change. */
static void test_state_under_other_rules(void **state)
{
	(void)state;
	struct verify_block block;
	struct scene s;
	go_on(&s, 40);
	struct cs_bytes bytes = sealed(&s);
	struct cmt_client_config config = s.config;
	config.trusting_period_s = 10;
	config.trust_level = (struct cmt_fraction){1, 1};
	config.window = 3;
	assert_ok(again(&s, &config, bytes));
	assert_err(scene_ask(&s, 40, &block), CS_ERR_ANCHOR_TOO_OLD);
	s.now = scene_until(MADE_TIME_S + 45);
	/* The newest of them. */
	assert_ok(scene_ask(&s, 40, &block));
	assert_ok(scene_ask(&s, 30, &block));
	assert_err(scene_ask(&s, 25, &block), CS_ERR_STALE_HEADER);
	assert_true(sealed(&s).n < bytes.n);
}

static void test_state_of_something_else_is_refused(void **state)
{
	(void)state;
	struct scene s;
	go_on(&s, 20);
	struct cs_bytes bytes = sealed(&s);
	struct cmt_client_config others[5];
	for (size_t i = 0; i < CS_LEN(others); i++)
		others[i] = s.config;
	others[0].chain.b[31] ^= 1;
	others[1].chain_id = chain_id_of("mad");
	others[2].chain_id = chain_id_of("Made");
	others[3].anchor_height++;
	others[4].anchor_hash.b[0] ^= 1;
	for (size_t i = 0; i < CS_LEN(others); i++) {
		assert_err(again(&s, &others[i], bytes), CS_ERR_ANCHOR_MISMATCH);
		assert_false(scene_status(&s).created);
	}
}

static void test_broken_state_is_refused(void **state)
{
	(void)state;
	struct scene s;
	go_on(&s, 20);
	struct cs_bytes bytes = sealed(&s);
	struct cmt_client_config config = s.config;
	for (size_t n = 0; n < bytes.n; n++) {
		uint8_t *cut = malloc(n == 0 ? 1 : n);
		assert_non_null(cut);
		memcpy(cut, bytes.p, n);
		assert_int_not_equal(unseal(&s, cs_bytes(cut, n)), CS_OK);
		assert_false(scene_status(&s).created);
		free(cut);
	}
	uint8_t *more = keep(bytes.n + 1);
	memcpy(more, bytes.p, bytes.n);
	more[bytes.n] = 0;
	assert_err(unseal(&s, cs_bytes(more, bytes.n + 1)), CS_ERR_TRAILING);
	more[0]++;
	assert_err(unseal(&s, cs_bytes(more, bytes.n)), CS_ERR_UNSUPPORTED);
	/* The configuration is as it was. */
	assert_ok(again(&s, &config, bytes));
	assert_bytes(sealed(&s), bytes);
}

/* Whatever one bit of the state becomes: refused, or a state that can be asked, go on and be sealed
 * again. */
static void every_bit(struct scene *s, struct cs_bytes bytes)
{
	struct cmt_light_block next = scene_block(60);
	struct cs_bytes raw = scene_encoded(&next);
	uint8_t *copy = keep(bytes.n), *memory = keep(s->client.encoded_size_max);
	struct verify_conflict conflict;
	struct verify_block block;
	struct cs_buf buf;
	size_t accepted, taken = 0;
	memcpy(copy, bytes.p, bytes.n);
	for (size_t bit = 0; bit < 8 * bytes.n; bit++) {
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (unseal(s, cs_bytes(copy, bytes.n)) == CS_OK) {
			struct verify_status status = scene_status(s);
			cs_buf_init(&buf, memory, s->client.encoded_size_max);
			verify_client_encode(&s->client, &buf);
			assert_ok(cs_buf_end(&buf));
			assert_bytes(cs_buf_view(&buf), cs_bytes(copy, bytes.n));
			(void)!scene_ask(s, status.final_height, &block);
			if (status.frozen)
				assert_ok(verify_client_conflict(&s->client, &conflict));
			else if (bit % 8 == 0)
				(void)!verify_client_update(&s->client, &raw, 1, &s->now, &accepted,
							    NULL);
			taken++;
		} else {
			assert_false(scene_status(s).created);
		}
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_in_range(taken, 1, 8 * bytes.n - 1);
}

static void test_changed_state_does_no_harm(void **state)
{
	(void)state;
	struct cmt_light_block other = scene_other_block(15);
	struct scene s;
	go_on(&s, 20);
	every_bit(&s, sealed(&s));
	go_on(&s, 20);
	assert_err(scene_update(&s, &other), CS_ERR_FROZEN);
	every_bit(&s, sealed(&s));
}

/* A full window, every set and light block that is kept, of the largest sets. */
static void test_the_largest_state(void **state)
{
	(void)state;
	struct cmt_validator_set sets[CMT_CLIENT_SETS_MAX + 1];
	struct cmt_light_block first = {.header.height = 0};
	struct cmt_client_config config;
	struct verify_block block;
	struct scene s;
	for (uint32_t i = 0; i < CS_LEN(sets); i++)
		sets[i] = made_set(1 + 20 * i, CMT_CLIENT_VALIDATORS_MAX, CMT_POWER_MAX / 1000);
	for (int64_t h = 1; h <= 9; h++) {
		const struct cmt_validator_set *set = &sets[(h - 1) / 2];
		struct cmt_light_block at = made_block(h, set, &sets[h / 2]);
		if (h == 1) {
			first = at;
			config = scene_config(&first);
			config.window = CMT_CLIENT_WINDOW_MAX;
			scene_open(&s, &config);
			s.now = scene_until(MADE_TIME_S + 100);
			assert_ok(scene_create(&s, &first));
		} else {
			assert_ok(scene_update(&s, &at));
		}
	}
	struct cs_bytes bytes = sealed(&s);
	assert_in_range(bytes.n, CMT_CLIENT_SETS_MAX * 40 * CMT_CLIENT_VALIDATORS_MAX,
			s.client.encoded_size_max);
	assert_ok(again(&s, &config, bytes));
	assert_bytes(sealed(&s), bytes);
	assert_ok(scene_ask(&s, 9, &block));
	struct cmt_light_block other = made_block(9, &sets[4], &sets[3]);
	assert_err(scene_update(&s, &other), CS_ERR_FROZEN);
	bytes = sealed(&s);
	assert_ok(again(&s, &config, bytes));
	assert_bytes(sealed(&s), bytes);
	assert_true(scene_status(&s).frozen);
	/* The enclave seals 1 MiB: seven chains with the usual window. */
	config.window = 0;
	scene_open(&s, &config);
	assert_true(7 * s.client.encoded_size_max < 1024 * 1024);
}

static void stays_frozen(struct scene *s, const struct cmt_client_config *config,
			 struct cs_bytes bytes, const struct cmt_light_block *second)
{
	struct cmt_light_block first = scene_block(20);
	struct cmt_client_config anchor = s->config;
	assert_ok(again(s, config, bytes));
	assert_bytes(sealed(s), bytes);
	s->config = anchor; /* its own, whatever it was opened with */
	is_frozen(s, &first, second);
	s->config = anchor;
}

/* No configuration of the chain lifts it, and it keeps the anchor that it began at. */
static void test_a_freeze_is_sealed(void **state)
{
	(void)state;
	struct cmt_light_block first = scene_block(20), second = scene_other_block(20);
	struct scene s;
	scene_begin(&s);
	assert_ok(scene_update(&s, &first));
	assert_err(scene_update(&s, &second), CS_ERR_FROZEN);
	struct cs_bytes bytes = sealed(&s);
	struct cmt_client_config config = s.config;
	stays_frozen(&s, &config, bytes, &second);
	config.anchor_height = 30;
	config.anchor_hash = scene_status(&s).final_hash;
	config.trusting_period_s *= 2;
	config.window = 5;
	stays_frozen(&s, &config, bytes, &second);
	config.chain.b[1] ^= 1;
	assert_err(again(&s, &config, bytes), CS_ERR_ANCHOR_MISMATCH);
	assert_false(scene_status(&s).frozen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conflict),
		cmocka_unit_test(test_conflict_through_another_header),
		cmocka_unit_test(test_no_conflict),
		cmocka_unit_test(test_state_goes_on_where_it_was),
		cmocka_unit_test(test_state_under_other_rules),
		cmocka_unit_test(test_state_of_something_else_is_refused),
		cmocka_unit_test(test_broken_state_is_refused),
		cmocka_unit_test(test_changed_state_does_no_harm),
		cmocka_unit_test(test_the_largest_state),
		cmocka_unit_test(test_a_freeze_is_sealed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
