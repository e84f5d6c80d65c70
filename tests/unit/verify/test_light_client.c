#include "core/hash.h"
#include "vectors.h"
#include "verify/evm/light_client_state.h"

#include <stdlib.h>

#define DAY_S (24ull * 3600)
#define GENESIS_TIME 1700000000ull

/* The Clique chain `votes`: 42 headers, one second apart. */
struct chain {
	struct vectors v;
	struct verify_evm_config config;
	struct verify_nodes headers;
	uint64_t now;
	struct test_client t;
};

static void chain_open(struct chain *c)
{
	json_t *chain;
	vectors_open(&c->v, "generated/clique.json");
	chain = json_array_get(vectors_at(c->v.root, "chains"), 0);
	c->headers = vectors_nodes(&c->v, vectors_at(chain, "headers"));
	c->now = vectors_u64(vectors_at(chain, "time"));
	c->config = (struct verify_evm_config){
		.mode = VERIFY_EVM_CLIQUE,
		.anchor_hash = vectors_hash(&c->v, vectors_at(chain, "hash")),
		.anchor_age_max_s = DAY_S,
		.trusting_period_s = 2 * DAY_S,
		.epoch_length = 8,
		.period_s = 1,
		.reorg_margin_s = 77,
	};
}

static enum cs_err chain_create(struct chain *c, struct verify_time now)
{
	struct cs_why why = {{0}};
	return verify_client_create(&c->t.client, c->headers.p[0], &now, &why);
}

static enum cs_err chain_update(struct chain *c, size_t from, size_t count, struct verify_time now,
				size_t *accepted)
{
	struct cs_why why = {{0}};
	return verify_client_update(&c->t.client, c->headers.p + from, count, &now, accepted, &why);
}

static void chain_begin(struct chain *c, size_t taken)
{
	size_t accepted;
	chain_open(c);
	test_client_open(&c->t, &c->config);
	assert_ok(chain_create(c, vectors_now(c->now)));
	assert_ok(chain_update(c, 1, taken, vectors_now(c->now), &accepted));
	assert_int_equal(accepted, taken);
}

static void chain_end(struct chain *c)
{
	test_client_close(&c->t);
	vectors_close(&c->v);
}

static struct verify_status status_of(const struct chain *c)
{
	struct verify_status status;
	verify_client_status(&c->t.client, &status);
	return status;
}

/* ---- opening and creating ---- */

static enum cs_err open_with(struct chain *c, const struct verify_evm_config *config)
{
	struct verify_client client;
	struct cs_why why;
	void *state = malloc(verify_evm_client_size());
	enum cs_err err = verify_evm_open(&client, state, config, c->t.sig, &why);
	free(state);
	return err;
}

static void test_configurations_that_are_refused(void **state)
{
	struct verify_evm_config config;
	struct chain c;
	(void)state;
	chain_begin(&c, 0);
	assert_ok(open_with(&c, &c.config));
	config = c.config;
	config.anchor_age_max_s = 0;
	assert_says("invalid", open_with(&c, &config));
	config = c.config;
	config.trusting_period_s = 0;
	assert_says("invalid", open_with(&c, &config));
	config = c.config;
	config.mode = (enum verify_evm_mode)0;
	assert_says("invalid", open_with(&c, &config));
	config.mode = (enum verify_evm_mode)9;
	assert_says("invalid", open_with(&c, &config));
	config = c.config;
	config.window = VERIFY_EVM_WINDOW_MAX + 1;
	assert_says("too-large", open_with(&c, &config));
	config = c.config;
	config.confirmations = VERIFY_EVM_CONFIRMATIONS_MAX + 1;
	assert_says("too-large", open_with(&c, &config));
	config = c.config;
	config.seals_min = VERIFY_EVM_SIGNERS_MAX + 1;
	assert_says("too-large", open_with(&c, &config));
	config = c.config;
	config.mode = VERIFY_EVM_INSECURE_DEV_HEAD;
#ifdef CAISSON_INSECURE_DEV_HEAD
	assert_ok(open_with(&c, &config));
#else
	assert_says("unsupported", open_with(&c, &config));
#endif
	chain_end(&c);
}

static void test_a_client_that_was_not_created_answers_nothing(void **state)
{
	struct verify_time now = {1, 2};
	struct verify_block block;
	struct chain c;
	size_t accepted;
	(void)state;
	chain_open(&c);
	test_client_open(&c.t, &c.config);
	assert_says("not-found", chain_update(&c, 1, 1, now, &accepted));
	assert_says("not-found", verify_client_block(&c.t.client, 0, &now, &block, NULL));
	assert_says("not-found",
		    verify_client_ancestors(&c.t.client, c.headers.p, 1, &now, &block, NULL));
	assert_false(status_of(&c).created);
	chain_end(&c);
}

static void test_anchors_that_are_refused(void **state)
{
	struct verify_time now;
	struct chain c;
	struct cs_why why;
	(void)state;
	chain_open(&c);
	test_client_open(&c.t, &c.config);
	now = vectors_now(c.now);
	assert_says("anchor-mismatch",
		    verify_client_create(&c.t.client, c.headers.p[1], &now, &why));
	assert_says("truncated",
		    verify_client_create(&c.t.client, cs_bytes(c.headers.p[0].p, 99), &now, &why));
	test_client_close(&c.t);
	c.config.anchor_height = 1;
	test_client_open(&c.t, &c.config);
	assert_says("anchor-mismatch", chain_create(&c, now));
	test_client_close(&c.t);
	/* The right hash at a height that is no epoch block. */
	c.config.anchor_hash = cs_keccak256(c.headers.p[1]);
	test_client_open(&c.t, &c.config);
	assert_says("bad-epoch", verify_client_create(&c.t.client, c.headers.p[1], &now, &why));
	assert_false(status_of(&c).created);
	chain_end(&c);
}

static void test_an_epoch_block_is_an_anchor_too(void **state)
{
	struct verify_time now;
	struct cs_why why;
	struct chain c;
	size_t accepted;
	(void)state;
	chain_open(&c);
	now = vectors_now(c.now);
	c.config.anchor_height = 24;
	c.config.anchor_hash = cs_keccak256(c.headers.p[24]);
	test_client_open(&c.t, &c.config);
	assert_ok(verify_client_create(&c.t.client, c.headers.p[24], &now, &why));
	assert_says("unlinked", chain_update(&c, 26, 1, now, &accepted));
	assert_ok(chain_update(&c, 25, 17, now, &accepted));
	assert_int_equal(status_of(&c).final_height, 40);
	chain_end(&c);
}

/* ---- time ---- */

static void test_a_late_start_with_an_old_anchor(void **state)
{
	struct chain c;
	(void)state;
	chain_open(&c);
	test_client_open(&c.t, &c.config);
	assert_says("no-time", chain_create(&c, (struct verify_time){GENESIS_TIME, 0}));
	assert_says("anchor-too-old",
		    chain_create(&c, (struct verify_time){GENESIS_TIME, GENESIS_TIME + DAY_S + 1}));
	assert_says("future-header",
		    chain_create(&c, (struct verify_time){
					     1, GENESIS_TIME - VERIFY_EVM_DRIFT_DEFAULT_S - 1}));
	assert_ok(chain_create(&c, (struct verify_time){0, GENESIS_TIME + DAY_S}));
	chain_end(&c);
}

static void test_the_trusting_period_bounds_everything(void **state)
{
	struct verify_time late, end, unbounded = {GENESIS_TIME, 0};
	struct verify_block block;
	struct chain c;
	uint64_t final_s;
	size_t accepted;
	(void)state;
	chain_begin(&c, 10);
	final_s = status_of(&c).final_time_s;
	assert_int_equal(final_s, GENESIS_TIME + 8);
	end = (struct verify_time){0, final_s + 2 * DAY_S};
	late = (struct verify_time){0, final_s + 2 * DAY_S + 1};
	assert_ok(verify_client_block(&c.t.client, 8, &end, &block, NULL));
	assert_says("anchor-too-old", verify_client_block(&c.t.client, 8, &late, &block, NULL));
	assert_says("anchor-too-old", chain_update(&c, 11, 1, late, &accepted));
	assert_says("anchor-too-old",
		    verify_client_ancestors(&c.t.client, c.headers.p, 9, &late, &block, NULL));
	assert_says("no-time", verify_client_block(&c.t.client, 8, &unbounded, &block, NULL));
	assert_says("no-time", chain_update(&c, 11, 1, unbounded, &accepted));
	assert_ok(chain_update(&c, 11, 1, end, &accepted));
	chain_end(&c);
}

static void test_headers_of_the_future(void **state)
{
	struct chain c;
	size_t accepted;
	(void)state;
	chain_begin(&c, 10);
	assert_says("future-header",
		    chain_update(&c, 11, 1,
				 (struct verify_time){0, GENESIS_TIME + 11 -
								 VERIFY_EVM_DRIFT_DEFAULT_S - 1},
				 &accepted));
	assert_ok(chain_update(
		&c, 11, 1, (struct verify_time){0, GENESIS_TIME + 11 - VERIFY_EVM_DRIFT_DEFAULT_S},
		&accepted));
	chain_end(&c);
}

/* ---- updates and blocks ---- */

static void test_blocks_and_what_is_not_final(void **state)
{
	struct verify_time now;
	struct verify_block block;
	struct cs_hash hash;
	struct chain c;
	(void)state;
	chain_begin(&c, 20);
	now = vectors_now(c.now);
	for (uint64_t h = 0; h <= status_of(&c).final_height; h++) {
		assert_ok(verify_client_block(&c.t.client, h, &now, &block, NULL));
		hash = cs_keccak256(c.headers.p[h]);
		assert_true(cs_hash_eq(&block.hash, &hash));
		assert_int_equal(block.height, h);
		assert_int_equal(block.time_s, GENESIS_TIME + h);
		assert_int_equal(block.final_height, status_of(&c).final_height);
		assert_int_equal(block.reorg_margin_s, 77);
	}
	assert_says("not-final", verify_client_block(&c.t.client, status_of(&c).final_height + 1,
						     &now, &block, NULL));
	assert_says("not-final", verify_client_block(&c.t.client, 20, &now, &block, NULL));
	assert_says("not-final", verify_client_block(&c.t.client, UINT64_MAX, &now, &block, NULL));
	chain_end(&c);
}

static void test_a_refused_header_keeps_the_ones_before_it(void **state)
{
	struct cs_bytes row[4];
	struct verify_time now;
	struct cs_why why;
	struct chain c;
	size_t accepted;
	(void)state;
	chain_begin(&c, 5);
	now = vectors_now(c.now);
	row[0] = c.headers.p[6];
	row[1] = c.headers.p[7];
	row[2] = c.headers.p[9];
	row[3] = c.headers.p[8];
	assert_says("unlinked", verify_client_update(&c.t.client, row, 4, &now, &accepted, &why));
	assert_int_equal(accepted, 2);
	assert_int_equal(status_of(&c).head_height, 7);
	row[0] = c.headers.p[3];
	row[1] = c.headers.p[8];
	assert_ok(verify_client_update(&c.t.client, row, 2, &now, &accepted, &why));
	assert_int_equal(accepted, 1);
	assert_says("too-large", verify_client_update(&c.t.client, row, VERIFY_HEADERS_MAX + 1,
						      &now, &accepted, &why));
	chain_end(&c);
}

static void test_a_small_window_and_ancestors(void **state)
{
	struct verify_block blocks[64], block;
	struct verify_time now;
	struct chain c;
	uint64_t oldest;
	size_t accepted;
	(void)state;
	chain_open(&c);
	c.config.window = 4;
	test_client_open(&c.t, &c.config);
	now = vectors_now(c.now);
	assert_ok(chain_create(&c, now));
	assert_ok(chain_update(&c, 1, 41, now, &accepted));
	oldest = status_of(&c).final_height - 3;
	assert_ok(verify_client_block(&c.t.client, oldest, &now, &block, NULL));
	assert_says("stale-header",
		    verify_client_block(&c.t.client, oldest - 1, &now, &block, NULL));
	/* From block 0 to the parent of the oldest, to the oldest, and to one inside of the window. */
	for (uint64_t last = oldest - 1; last <= oldest + 1; last++) {
		assert_ok(verify_client_ancestors(&c.t.client, c.headers.p, last + 1, &now, blocks,
						  NULL));
		for (uint64_t h = 0; h <= last; h++) {
			struct cs_hash hash = cs_keccak256(c.headers.p[h]);
			assert_true(cs_hash_eq(&blocks[h].hash, &hash));
			assert_int_equal(blocks[h].height, h);
		}
	}
	memset(blocks, 0x5a, sizeof blocks);
	block = blocks[0];
	assert_says("unlinked", verify_client_ancestors(&c.t.client, c.headers.p, oldest - 1, &now,
							blocks, NULL));
	assert_says("unlinked",
		    verify_client_ancestors(&c.t.client, c.headers.p, 42, &now, blocks, NULL));
	assert_says("missing-field",
		    verify_client_ancestors(&c.t.client, c.headers.p, 0, &now, blocks, NULL));
	assert_says("too-large",
		    verify_client_ancestors(&c.t.client, c.headers.p, VERIFY_HEADERS_MAX + 1, &now,
					    blocks, NULL));
	assert_memory_equal(&block, &blocks[0], sizeof block);
	chain_end(&c);
}

static void test_ancestors_with_a_gap_or_a_stranger(void **state)
{
	struct verify_block blocks[8];
	struct cs_bytes row[3], swapped;
	struct verify_time now;
	struct chain c;
	(void)state;
	chain_begin(&c, 20);
	now = vectors_now(c.now);
	memcpy(row, c.headers.p + 3, sizeof row);
	assert_ok(verify_client_ancestors(&c.t.client, row, 3, &now, blocks, NULL));
	row[1] = c.headers.p[2];
	assert_says("unlinked", verify_client_ancestors(&c.t.client, row, 3, &now, blocks, NULL));
	row[1] = c.headers.p[4];
	swapped = row[0];
	row[0] = row[1];
	row[1] = swapped;
	assert_says("unlinked", verify_client_ancestors(&c.t.client, row, 3, &now, blocks, NULL));
	row[0] = swapped;
	row[1] = vectors_copy(&c.v, c.headers.p[4]);
	vectors_flip(row[1], 8 * row[1].n - 1);
	assert_says("unlinked", verify_client_ancestors(&c.t.client, row, 3, &now, blocks, NULL));
	assert_says("unlinked",
		    verify_client_ancestors(&c.t.client, row + 1, 1, &now, blocks, NULL));
	chain_end(&c);
}

/* ---- state ---- */

static struct cs_bytes encode(struct chain *c)
{
	size_t size = c->t.client.encoded_size_max;
	uint8_t *memory = malloc(size);
	struct cs_bytes copy;
	struct cs_buf buf;
	assert_non_null(memory);
	cs_buf_init(&buf, memory, size);
	verify_client_encode(&c->t.client, &buf);
	assert_ok(cs_buf_end(&buf));
	copy = vectors_copy(&c->v, cs_buf_view(&buf));
	free(memory);
	return copy;
}

static size_t encoded_size(struct chain *c)
{
	static uint8_t memory[1 << 20];
	struct cs_buf buf;
	cs_buf_init(&buf, memory, c->t.client.encoded_size_max);
	verify_client_encode(&c->t.client, &buf);
	assert_ok(cs_buf_end(&buf));
	return cs_buf_view(&buf).n;
}

static void test_state_goes_on_where_it_was(void **state)
{
	struct verify_status before, after;
	struct cs_bytes bytes, again;
	struct chain c;
	size_t accepted;
	(void)state;
	for (size_t cut = 0; cut <= 40; cut += 5) {
		chain_open(&c);
		c.config.window = 16;
		test_client_open(&c.t, &c.config);
		assert_ok(chain_create(&c, vectors_now(c.now)));
		assert_ok(chain_update(&c, 1, cut, vectors_now(c.now), &accepted));
		before = status_of(&c);
		bytes = encode(&c);
		test_client_close(&c.t);
		test_client_open(&c.t, &c.config);
		assert_ok(verify_client_decode(&c.t.client, bytes, NULL));
		after = status_of(&c);
		assert_int_equal(before.final_height, after.final_height);
		assert_true(cs_hash_eq(&before.final_hash, &after.final_hash));
		assert_int_equal(after.head_height, after.final_height);
		again = encode(&c);
		assert_true(cs_bytes_eq(bytes, again));
		assert_ok(chain_update(&c, before.final_height + 1, 41 - before.final_height,
				       vectors_now(c.now), &accepted));
		assert_int_equal(status_of(&c).final_height, 40);
		chain_end(&c);
	}
}

static void test_state_of_something_else_is_refused(void **state)
{
	struct verify_evm_config others[5];
	struct cs_bytes bytes;
	struct chain c;
	(void)state;
	chain_begin(&c, 10);
	bytes = encode(&c);
	for (size_t i = 0; i < 5; i++)
		others[i] = c.config;
	others[0].mode = VERIFY_EVM_QBFT;
	others[1].chain.b[0] ^= 1;
	others[2].anchor_height++;
	others[3].anchor_hash.b[31] ^= 1;
	others[4].epoch_length++;
	test_client_close(&c.t);
	for (size_t i = 0; i < 5; i++) {
		test_client_open(&c.t, &others[i]);
		assert_says("anchor-mismatch", verify_client_decode(&c.t.client, bytes, NULL));
		assert_false(status_of(&c).created);
		test_client_close(&c.t);
	}
	test_client_open(&c.t, &c.config);
	assert_ok(verify_client_decode(&c.t.client, bytes, NULL));
	chain_end(&c);
}

static void test_broken_state_is_refused(void **state)
{
	struct cs_bytes bytes;
	struct chain c;
	uint8_t *more;
	(void)state;
	chain_begin(&c, 10);
	bytes = encode(&c);
	for (size_t n = 0; n < bytes.n; n++) {
		assert_int_not_equal(verify_client_decode(&c.t.client, cs_bytes(bytes.p, n), NULL),
				     CS_OK);
		assert_false(status_of(&c).created);
	}
	more = malloc(bytes.n + 1);
	assert_non_null(more);
	memcpy(more, bytes.p, bytes.n);
	more[bytes.n] = 0;
	assert_says("trailing",
		    verify_client_decode(&c.t.client, cs_bytes(more, bytes.n + 1), NULL));
	more[0]++;
	assert_says("unsupported",
		    verify_client_decode(&c.t.client, cs_bytes(more, bytes.n), NULL));
	free(more);
	chain_end(&c);
}

/* Whatever one byte of the state becomes: refused, or a state that can be sealed again. */
static void test_changed_state_does_no_harm(void **state)
{
	static const uint8_t changes[] = {0x01, 0x80, 0xff};
	struct cs_bytes bytes;
	struct chain c;
	uint8_t *copy;
	(void)state;
	chain_begin(&c, 12);
	bytes = encode(&c);
	copy = vectors_keep(&c.v, bytes.n);
	memcpy(copy, bytes.p, bytes.n);
	for (size_t i = 0; i < bytes.n; i++)
		for (size_t k = 0; k < CS_LEN(changes); k++) {
			copy[i] ^= changes[k];
			if (verify_client_decode(&c.t.client, cs_bytes(copy, bytes.n), NULL) ==
			    CS_OK)
				assert_true(encoded_size(&c) <= bytes.n);
			else
				assert_false(status_of(&c).created);
			copy[i] ^= changes[k];
		}
	chain_end(&c);
}

/* Taken under this configuration it is frozen still, and sealed again it is what it was. */
static void stays_frozen(struct chain *c, const struct verify_evm_config *config,
			 struct cs_bytes sealed, const struct verify_conflict *before)
{
	struct verify_conflict after;
	struct cs_why why;
	test_client_close(&c->t);
	test_client_open(&c->t, config);
	assert_ok(verify_client_decode(&c->t.client, sealed, &why));
	assert_true(status_of(c).frozen);
	assert_ok(verify_client_conflict(&c->t.client, &after));
	assert_int_equal(before->height, after.height);
	assert_int_equal(before->anchor_height, after.anchor_height);
	assert_true(cs_hash_eq(&before->anchor_hash, &after.anchor_hash));
	assert_true(cs_bytes_eq(encode(c), sealed));
}

/* A freeze is sealed, keeps both headers and its anchor, and no configuration of the chain lifts it:
 * neither another epoch, mode nor anchor. */
static void test_a_freeze_survives_sealing(void **state)
{
	struct verify_conflict before, after;
	struct verify_time now;
	struct verify_nodes nodes;
	struct cs_bytes bytes;
	struct cs_why why;
	struct chain c;
	json_t *scenario, *step;
	size_t i, accepted;
	(void)state;
	chain_open(&c);
	scenario = json_array_get(vectors_at(c.v.root, "forks"), 1);
	c.config.anchor_hash = vectors_hash(&c.v, vectors_at(scenario, "hash"));
	c.config.epoch_length = vectors_u64(vectors_at(scenario, "epoch"));
	test_client_open(&c.t, &c.config);
	now = vectors_now(c.now);
	assert_ok(verify_client_create(
		&c.t.client, vectors_bytes(&c.v, vectors_at(scenario, "anchor")), &now, &why));
	json_array_foreach(vectors_at(scenario, "steps"), i, step)
	{
		enum cs_err err;
		nodes = vectors_nodes(&c.v, vectors_at(step, "headers"));
		err = verify_client_update(&c.t.client, nodes.p, nodes.n, &now, &accepted, &why);
		assert_says(json_string_value(vectors_at(step, "error")), err);
	}
	assert_ok(verify_client_conflict(&c.t.client, &before));
	bytes = encode(&c);
	before.first = vectors_copy(&c.v, before.first);
	before.second = vectors_copy(&c.v, before.second);
	test_client_close(&c.t);
	test_client_open(&c.t, &c.config);
	assert_ok(verify_client_decode(&c.t.client, bytes, &why));
	assert_true(status_of(&c).frozen);
	assert_ok(verify_client_conflict(&c.t.client, &after));
	assert_int_equal(before.height, after.height);
	assert_true(before.first.n > 0 && cs_bytes_eq(before.first, after.first));
	assert_true(before.second.n > 0 && cs_bytes_eq(before.second, after.second));
	assert_says("frozen",
		    verify_client_create(&c.t.client,
					 vectors_bytes(&c.v, vectors_at(scenario, "anchor")), &now,
					 &why));
	assert_says("frozen",
		    verify_client_update(&c.t.client, nodes.p, nodes.n, &now, &accepted, &why));
	struct verify_evm_config other = c.config;
	other.epoch_length++;
	stays_frozen(&c, &other, bytes, &before);
	other = c.config;
	other.mode = VERIFY_EVM_QBFT;
	stays_frozen(&c, &other, bytes, &before);
	other = c.config;
	other.anchor_height = 30000;
	stays_frozen(&c, &other, bytes, &before);
	/* Of another chain it is nobody's; and what is broken leaves the opener's configuration. */
	other.chain.b[0] ^= 1;
	test_client_close(&c.t);
	test_client_open(&c.t, &other);
	assert_says("anchor-mismatch", verify_client_decode(&c.t.client, bytes, &why));
	assert_false(status_of(&c).frozen);
	other.chain = c.config.chain;
	test_client_close(&c.t);
	test_client_open(&c.t, &other);
	assert_says("truncated",
		    verify_client_decode(&c.t.client, cs_bytes(bytes.p, bytes.n - 1), &why));
	assert_false(status_of(&c).frozen);
	assert_int_equal(((const struct verify_evm_client *)c.t.client.state)->config.anchor_height,
			 30000);
	chain_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_configurations_that_are_refused),
		cmocka_unit_test(test_a_client_that_was_not_created_answers_nothing),
		cmocka_unit_test(test_anchors_that_are_refused),
		cmocka_unit_test(test_an_epoch_block_is_an_anchor_too),
		cmocka_unit_test(test_a_late_start_with_an_old_anchor),
		cmocka_unit_test(test_the_trusting_period_bounds_everything),
		cmocka_unit_test(test_headers_of_the_future),
		cmocka_unit_test(test_blocks_and_what_is_not_final),
		cmocka_unit_test(test_a_refused_header_keeps_the_ones_before_it),
		cmocka_unit_test(test_a_small_window_and_ancestors),
		cmocka_unit_test(test_ancestors_with_a_gap_or_a_stranger),
		cmocka_unit_test(test_state_goes_on_where_it_was),
		cmocka_unit_test(test_state_of_something_else_is_refused),
		cmocka_unit_test(test_broken_state_is_refused),
		cmocka_unit_test(test_changed_state_does_no_harm),
		cmocka_unit_test(test_a_freeze_survives_sealing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
