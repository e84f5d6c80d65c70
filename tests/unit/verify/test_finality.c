/* Finality over headers that are made here: long stalls of Clique, and the development chain that
 * does not seal. */
#include "core/hash.h"
#include "vectors.h"

#define DAY_S (24ull * 3600)
#define GENESIS_TIME VECTORS_GENESIS_TIME

#define STALLED_SIGNERS 7u

struct stalled {
	struct vectors v;
	struct test_client t;
	struct cs_secret keys[STALLED_SIGNERS];
	struct cs_address who[STALLED_SIGNERS];
	struct cs_hash tip;
};

/* The next header by the signer with this key: in turn or out of it. */
static struct cs_bytes stalled_header(struct stalled *s, uint64_t number, size_t key)
{
	uint8_t extra[97] = {0};
	size_t before = 0;
	struct cs_ecdsa signature;
	struct cs_bytes header;
	struct cs_hash digest;
	for (size_t i = 0; i < STALLED_SIGNERS; i++)
		before += memcmp(s->who[i].b, s->who[key].b, 20) < 0;
	uint64_t difficulty = number % STALLED_SIGNERS == before ? 2 : 1;
	header = vectors_header(&s->v, &s->tip, number, difficulty, cs_bytes(extra, 32));
	digest = cs_keccak256(header);
	assert_ok(cs_ecdsa_sign(s->t.sig, &signature, &s->keys[key], &digest));
	memcpy(extra + 32, signature.r.b, 32);
	memcpy(extra + 64, signature.s.b, 32);
	extra[96] = signature.parity;
	header = vectors_header(&s->v, &s->tip, number, difficulty, CS_BYTES_OF(extra));
	s->tip = cs_keccak256(header);
	return header;
}

static void stalled_begin(struct stalled *s, struct cs_bytes *anchor)
{
	struct verify_evm_config config = {
		.mode = VERIFY_EVM_CLIQUE, .anchor_age_max_s = DAY_S, .trusting_period_s = DAY_S};
	struct verify_time now = vectors_now(GENESIS_TIME + 3600);
	struct cs_hash zero = {{0}};
	uint8_t extra[32 + 20 * STALLED_SIGNERS + 65] = {0};
	vectors_open(&s->v, "generated/clique.json");
	s->t.sig = cs_sig_new(NULL);
	for (size_t i = 0; i < STALLED_SIGNERS; i++) {
		memset(s->keys[i].b, (int)(i + 1), 32);
		assert_ok(cs_key_address(s->t.sig, &s->who[i], &s->keys[i]));
		memcpy(extra + 32 + 20 * i, s->who[i].b, 20);
	}
	cs_sig_free(s->t.sig);
	*anchor = vectors_header(&s->v, &zero, 0, 1, CS_BYTES_OF(extra));
	config.anchor_hash = s->tip = cs_keccak256(*anchor);
	test_client_open(&s->t, &config);
	assert_ok(verify_client_create(&s->t.client, *anchor, &now, NULL));
}

/* Four of seven seal, five are needed: nothing becomes final for longer than the table of headers
 * is. When the fifth comes back, finality does too, and every block in between can be reached. */
static void test_finality_comes_back_after_a_long_stall(void **state)
{
	static struct cs_bytes headers[800];
	static struct verify_block blocks[VERIFY_HEADERS_MAX];
	struct verify_time now = vectors_now(GENESIS_TIME + 3600);
	struct verify_status status;
	struct cs_hash hash;
	struct stalled s;
	uint64_t n = 1;
	(void)state;
	stalled_begin(&s, &headers[0]);
	for (; n <= 700; n++) {
		headers[n] = stalled_header(&s, n, n % 4);
		assert_ok(test_client_take(&s.t, headers[n], now.high_s));
	}
	verify_client_status(&s.t.client, &status);
	assert_int_equal(status.final_height, 0);
	assert_int_equal(status.head_height, 700);
	headers[n] = stalled_header(&s, n, 4);
	assert_ok(test_client_take(&s.t, headers[n], now.high_s));
	verify_client_status(&s.t.client, &status);
	assert_int_equal(status.head_height, 701);
	assert_int_equal(status.final_height, 701 - 4);
	/* Block 1, in three steps of at most 256 headers. */
	assert_says("unlinked",
		    verify_client_ancestors(&s.t.client, headers + 1, 100, &now, blocks, NULL));
	assert_ok(verify_client_ancestors(&s.t.client, headers + 300, 256, &now, blocks, NULL));
	assert_ok(verify_client_ancestors(&s.t.client, headers + 100, 200, &now, blocks, NULL));
	assert_ok(verify_client_ancestors(&s.t.client, headers + 1, 99, &now, blocks, NULL));
	hash = cs_keccak256(headers[1]);
	assert_int_equal(blocks[0].height, 1);
	assert_true(cs_hash_eq(&blocks[0].hash, &hash));
	assert_ok(verify_client_ancestors(&s.t.client, headers, 1, &now, blocks, NULL));
	assert_says("unlinked",
		    verify_client_ancestors(&s.t.client, headers + 1, 98, &now, blocks, NULL));
	for (n = 702; n < 710; n++) {
		headers[n] = stalled_header(&s, n, (n + 3) % STALLED_SIGNERS);
		assert_ok(test_client_take(&s.t, headers[n], now.high_s));
	}
	verify_client_status(&s.t.client, &status);
	assert_int_equal(status.final_height, 709 - 4);
	test_client_close(&s.t);
	vectors_close(&s.v);
}

/* While the trunk is out of the table, a fork from the last final block may still win. */
static void test_a_fork_from_below_the_trunk(void **state)
{
	struct verify_time now = vectors_now(GENESIS_TIME + 3600);
	struct verify_status status;
	struct cs_bytes anchor, last;
	struct stalled s;
	struct cs_hash tip;
	(void)state;
	stalled_begin(&s, &anchor);
	for (uint64_t n = 1; n <= 600; n++) {
		last = stalled_header(&s, n, n % 4);
		assert_ok(test_client_take(&s.t, last, now.high_s));
	}
	tip = s.tip;
	s.tip = cs_keccak256(anchor);
	for (uint64_t n = 1; n <= 7; n++)
		assert_ok(test_client_take(&s.t, stalled_header(&s, n, n % STALLED_SIGNERS),
					   now.high_s));
	verify_client_status(&s.t.client, &status);
	assert_int_equal(status.final_height, 3);
	assert_int_equal(status.head_height, 7);
	s.tip = tip;
	assert_says("unlinked", test_client_take(&s.t, stalled_header(&s, 601, 4), now.high_s));
	test_client_close(&s.t);
	vectors_close(&s.v);
}

/* ---- insecure_dev_head ---- */

#ifdef CAISSON_INSECURE_DEV_HEAD

/* A header that only links: `salt` makes another one of the same height. */
static struct cs_bytes dev_header(struct vectors *v, const struct cs_hash *parent, uint64_t number,
				  uint8_t salt)
{
	return vectors_header(v, parent, number, 0, cs_bytes(&salt, 1));
}

struct dev {
	struct vectors v;
	struct test_client t;
	struct verify_evm_config config;
	struct cs_bytes anchor;
};

static void dev_begin(struct dev *d, uint64_t confirmations)
{
	struct verify_time now = vectors_now(GENESIS_TIME + DAY_S);
	struct cs_hash zero = {{0}};
	vectors_open(&d->v, "generated/clique.json");
	d->anchor = dev_header(&d->v, &zero, 0, 0);
	d->config = (struct verify_evm_config){.mode = VERIFY_EVM_INSECURE_DEV_HEAD,
					       .anchor_hash = cs_keccak256(d->anchor),
					       .anchor_age_max_s = 2 * DAY_S,
					       .trusting_period_s = 2 * DAY_S,
					       .confirmations = confirmations};
	test_client_open(&d->t, &d->config);
	assert_ok(verify_client_create(&d->t.client, d->anchor, &now, NULL));
}

/* Takes `count` headers on top of `parent`; gives the last. */
static struct cs_bytes dev_extend(struct dev *d, struct cs_bytes parent, uint64_t number,
				  size_t count, uint8_t salt, const char *error)
{
	for (size_t i = 0; i < count; i++) {
		struct cs_hash hash = cs_keccak256(parent);
		parent = dev_header(&d->v, &hash, number + i, salt);
		assert_says(i + 1 < count ? "ok" : error,
			    test_client_take(&d->t, parent, GENESIS_TIME + DAY_S));
	}
	return parent;
}

static uint64_t dev_final(const struct dev *d)
{
	struct verify_status status;
	verify_client_status(&d->t.client, &status);
	assert_true(status.insecure);
	return status.final_height;
}

static void dev_end(struct dev *d)
{
	test_client_close(&d->t);
	vectors_close(&d->v);
}

static void test_dev_head_follows_below_and_freezes_above(void **state)
{
	struct verify_conflict conflict;
	struct cs_bytes five, six, other;
	struct dev d;
	(void)state;
	dev_begin(&d, 0);
	five = dev_extend(&d, d.anchor, 1, 5, 1, "ok");
	assert_int_equal(dev_final(&d), 3);
	/* Blocks 5, 6, … of another branch replace 5: nothing was final there. */
	six = dev_extend(&d, five, 6, 1, 1, "ok");
	assert_int_equal(dev_final(&d), 4);
	other = dev_extend(&d, five, 6, 3, 2, "ok");
	assert_int_equal(dev_final(&d), 6);
	/* Height 6 is final now: its other child chain is late, and three more make it a second
	 * final one. */
	dev_extend(&d, six, 7, 1, 1, "ok");
	assert_int_equal(dev_final(&d), 6);
	dev_extend(&d, other, 9, 1, 2, "ok");
	assert_int_equal(dev_final(&d), 7);
	assert_says("not-found", verify_client_conflict(&d.t.client, &conflict));
	dev_extend(&d, dev_extend(&d, six, 7, 1, 1, "stale-header"), 8, 1, 1, "frozen");
	assert_ok(verify_client_conflict(&d.t.client, &conflict));
	assert_int_equal(conflict.height, 6);
	assert_true(cs_bytes_eq(conflict.second, six));
	dev_end(&d);
}

static void test_dev_head_confirmations(void **state)
{
	struct dev d;
	(void)state;
	dev_begin(&d, 5);
	dev_extend(&d, d.anchor, 1, 5, 1, "ok");
	assert_int_equal(dev_final(&d), 0);
	dev_end(&d);
	dev_begin(&d, 1);
	dev_extend(&d, d.anchor, 1, 5, 1, "ok");
	assert_int_equal(dev_final(&d), 4);
	dev_end(&d);
}

/* The table of pending headers fills up with forks: the branch that goes on gets the room, another
 * one must be brought again. */
static void test_pending_headers_are_bounded(void **state)
{
	struct verify_status status;
	struct cs_bytes tip;
	struct dev d;
	(void)state;
	dev_begin(&d, 64);
	tip = dev_extend(&d, d.anchor, 1, 40, 1, "ok");
	for (size_t salt = 2; salt < 12; salt++)
		dev_extend(&d, d.anchor, 1, 60, (uint8_t)salt, "ok");
	dev_extend(&d, tip, 41, 1, 1, "unlinked");
	dev_extend(&d, d.anchor, 1, 70, 1, "ok");
	verify_client_status(&d.t.client, &status);
	assert_int_equal(status.final_height, 70 - 64);
	assert_int_equal(status.head_height, 70);
	dev_end(&d);
}

/* Forks of height 1 with extraData of 7 KB push the ring around: the freeze keeps the hash of the
 * first, not its bytes. */
static void test_old_raw_headers_are_overwritten(void **state)
{
	struct verify_conflict conflict;
	struct cs_bytes one, other;
	struct cs_hash hash;
	uint8_t large[7000];
	struct dev d;
	(void)state;
	dev_begin(&d, 2);
	one = dev_extend(&d, d.anchor, 1, 1, 1, "ok");
	dev_extend(&d, one, 2, 3, 1, "ok");
	hash = cs_keccak256(d.anchor);
	for (size_t salt = 0; salt < 100; salt++) {
		memset(large, (int)salt, sizeof large);
		assert_says("stale-header",
			    test_client_take(&d.t,
					     vectors_header(&d.v, &hash, 1, 0, CS_BYTES_OF(large)),
					     GENESIS_TIME + DAY_S));
	}
	other = dev_extend(&d, d.anchor, 1, 1, 9, "stale-header");
	dev_extend(&d, dev_extend(&d, other, 2, 1, 9, "stale-header"), 3, 1, 9, "frozen");
	assert_ok(verify_client_conflict(&d.t.client, &conflict));
	assert_int_equal(conflict.height, 1);
	assert_int_equal(conflict.first.n, 0);
	hash = cs_keccak256(one);
	assert_true(cs_hash_eq(&conflict.first_hash, &hash));
	assert_true(cs_bytes_eq(conflict.second, other));
	dev_end(&d);
}

/* A window of one block: what is final has no older neighbour to fork from. */
static void test_a_window_of_one(void **state)
{
	struct verify_block block;
	struct verify_time now = vectors_now(GENESIS_TIME + DAY_S);
	struct cs_bytes five;
	struct dev d;
	(void)state;
	dev_begin(&d, 2);
	d.config.window = 1;
	test_client_close(&d.t);
	test_client_open(&d.t, &d.config);
	assert_ok(verify_client_create(&d.t.client, d.anchor, &now, NULL));
	five = dev_extend(&d, d.anchor, 1, 5, 1, "ok");
	assert_int_equal(dev_final(&d), 3);
	assert_ok(verify_client_block(&d.t.client, 3, &now, &block, NULL));
	assert_says("stale-header", verify_client_block(&d.t.client, 2, &now, &block, NULL));
	dev_extend(&d, five, 6, 3, 1, "ok");
	assert_int_equal(dev_final(&d), 6);
	dev_end(&d);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finality_comes_back_after_a_long_stall),
		cmocka_unit_test(test_a_fork_from_below_the_trunk),
#ifdef CAISSON_INSECURE_DEV_HEAD
		cmocka_unit_test(test_dev_head_follows_below_and_freezes_above),
		cmocka_unit_test(test_dev_head_confirmations),
		cmocka_unit_test(test_pending_headers_are_bounded),
		cmocka_unit_test(test_old_raw_headers_are_overwritten),
		cmocka_unit_test(test_a_window_of_one),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
