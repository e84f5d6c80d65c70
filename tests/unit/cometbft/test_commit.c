#include "tests/unit/cometbft/made.h"

/* ---- recorded and generated ---- */

/* Commits of chains that ran, each with the set of its height: all signatures, and the hash that
 * the next header has. */
static void test_recorded(void **state)
{
	(void)state;
	json_t *validators = read_vector("live-0.38.26/out_validators_5.json");
	struct cmt_validator_set set = set_of(at_path(validators, "result.validators"));
	const int heights[] = {1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 18, 20};
	size_t absent = 0;
	for (size_t i = 0; i < CS_LEN(heights); i++) {
		char name[64];
		(void)snprintf(name, sizeof name, "live-0.38.26/out_commit_%d.json", heights[i]);
		json_t *json = read_vector(name);
		const json_t *both = at_path(json, "result.signed_header");
		struct cmt_header h = header_of(json_object_get(both, "header"));
		struct cmt_commit c = commit_of(json_object_get(both, "commit"));
		assert_ok(cmt_commit_check(&c, NULL));
		assert_ok(cmt_signed_header_check(&h, &c, NULL));
		assert_ok(cmt_commit_verify(&c, &set, &h.chain_id, &c.block_id, heights[i], NULL));
		for (size_t j = 0; j < c.count; j++)
			absent += c.sigs[j].flag == CMT_ABSENT;
	}
	assert_true(absent > 0);
}

/* The commit in block 5 is of block 4: its hash, and the time that it gave the block. */
static void test_last_commit(void **state)
{
	(void)state;
	static const char *const files[] = {
		"live-0.38.26/out_block_2.json", "live-0.38.26/out_block_3.json",
		"live-0.38.26/out_block_5.json", "live-0.38.26/out_block_20.json"};
	json_t *validators = read_vector("live-0.38.26/out_validators_5.json");
	struct cmt_validator_set set = set_of(at_path(validators, "result.validators"));
	for (size_t i = 0; i < CS_LEN(files); i++) {
		json_t *json = read_vector(files[i]);
		struct cmt_header h = header_of(at_path(json, "result.block.header"));
		struct cmt_commit c = commit_of(at_path(json, "result.block.last_commit"));
		struct cs_pb_time time;
		assert_hash(cmt_commit_hash(&c), h.last_commit_hash.hash);
		assert_ok(cmt_median_time(&time, &c, &set));
		assert_int_equal(cs_pb_time_cmp(time, h.time), 0);
	}
}

static bool said(const json_t *one, const char *key)
{
	const json_t *field = json_object_get(one, key);
	assert_true(json_is_boolean(field));
	return json_is_true(field);
}

static void check_extended(const json_t *one, const struct cmt_validator_set *set,
			   const struct cmt_chain_id *id)
{
	struct cmt_commit c;
	struct cs_bytes bytes = hex_at(one, "extended");
	struct cs_buf buf = test_buf(bytes.n);
	assert_ok(cmt_extended_commit_decode(&c, bytes, test_arena(), NULL));
	cmt_extended_commit_encode(&buf, &c);
	assert_bytes(cs_buf_view(&buf), bytes);
	enum cs_err err =
		cmt_extended_commit_verify(&c, set, id, &c.block_id, c.height, test_arena(), NULL);
	assert_int_equal(err == CS_OK, said(one, "extended_ok"));
}

static void check_generated(const json_t *one, const struct cmt_chain_id *id)
{
	struct cmt_validator_set set = set_from(one, "set"), other = set_from(one, "other");
	const struct cmt_fraction third = {1, 3}, whole = {2, 3};
	struct cs_bytes bytes = hex_at(one, "commit");
	struct cs_buf buf = test_buf(CMT_COMMIT_SIZE_MAX(set.count));
	struct cmt_commit c;
	struct cs_pb_time time;
	assert_ok(cmt_commit_decode(&c, bytes, test_arena(), NULL));
	cmt_commit_encode(&buf, &c);
	assert_bytes(cs_buf_view(&buf), bytes);
	assert_hash(cmt_commit_hash(&c), hash_of(one, "hash"));
#define SAYS(key, call) assert_int_equal((call) == CS_OK, said(one, key))
	SAYS("full", cmt_commit_verify(&c, &set, id, &c.block_id, c.height, NULL));
	SAYS("light", cmt_commit_verify_light(&c, &set, id, &c.block_id, c.height, false, NULL));
	SAYS("light_all", cmt_commit_verify_light(&c, &set, id, &c.block_id, c.height, true, NULL));
	SAYS("third", cmt_commit_verify_trusting(&c, &other, id, third, false, NULL));
	SAYS("third_all", cmt_commit_verify_trusting(&c, &other, id, third, true, NULL));
	SAYS("two_thirds", cmt_commit_verify_trusting(&c, &other, id, whole, false, NULL));
#undef SAYS
	const json_t *median = json_object_get(one, "median");
	if (median == NULL) {
		assert_says("missing-field", cmt_median_time(&time, &c, &set));
		return;
	}
	assert_ok(cmt_median_time(&time, &c, &set));
	assert_int_equal(time.s, strtoll(json_string_value(json_array_get(median, 0)), NULL, 10));
	assert_int_equal(time.ns, json_integer_value(json_array_get(median, 1)));
}

/* Absent, nil and spoilt votes, sets that overlap: CometBFT's verdict on each. */
static void test_generated(void **state)
{
	(void)state;
	struct cmt_chain_id id = chain_id_of("caisson-vectors");
	json_t *one;
	size_t i;
	json_array_foreach(generated("commits"), i, one)
	{
		check_generated(one, &id);
		if (json_object_get(one, "extended") != NULL) {
			struct cmt_validator_set set = set_from(one, "set");
			check_extended(one, &set, &id);
		}
	}
}

/* ---- refusals ---- */

struct made {
	struct cmt_validator_set set;
	struct cmt_light_block block;
	struct cmt_commit *c;
};

static void make(struct made *m, size_t count)
{
	m->set = made_set(1, count, 10);
	m->block = made_block(5, &m->set, &m->set);
	m->c = &m->block.commit;
}

static enum cs_err full(const struct made *m)
{
	return cmt_commit_verify(m->c, &m->set, &m->block.header.chain_id,
				 &m->block.commit.block_id, 5, NULL);
}

static enum cs_err light(const struct made *m, bool all)
{
	return cmt_commit_verify_light(m->c, &m->set, &m->block.header.chain_id,
				       &m->block.commit.block_id, 5, all, NULL);
}

static enum cs_err trusting(const struct made *m, struct cmt_fraction level)
{
	return cmt_commit_verify_trusting(m->c, &m->set, &m->block.header.chain_id, level, false,
					  NULL);
}

static void test_two_thirds_are_too_few(void **state)
{
	(void)state;
	struct made m;
	make(&m, 6);
	m.c->sigs[0] = m.c->sigs[1] = CMT_SIG_ABSENT;
	assert_says("too-few-seals", full(&m));
	assert_says("too-few-seals", light(&m, false));
	assert_says("too-few-seals", trusting(&m, (struct cmt_fraction){2, 3}));
	assert_ok(trusting(&m, (struct cmt_fraction){1, 3}));
	make(&m, 6);
	m.c->sigs[3] = CMT_SIG_ABSENT;
	assert_ok(full(&m));
	assert_ok(light(&m, true));
	/* A vote for no block is checked, and counts for nothing. */
	m.c->sigs[2].flag = CMT_NIL;
	assert_says("bad-seal", full(&m));
	made_sign(m.c, 2);
	assert_says("too-few-seals", full(&m));
	assert_says("too-few-seals", light(&m, true));
}

static void test_a_wrong_signature(void **state)
{
	(void)state;
	struct made m;
	make(&m, 6);
	m.c->sigs[5].signature.b[2] ^= 4;
	assert_says("bad-seal", full(&m));
	assert_ok(light(&m, false)); /* four before it were enough */
	assert_says("bad-seal", light(&m, true));
	m.c->sigs[0].signature.b[2] ^= 4;
	assert_says("bad-seal", light(&m, false));
	assert_says("bad-seal", trusting(&m, (struct cmt_fraction){1, 3}));
	make(&m, 6);
	m.c->round++;
	assert_says("bad-seal", full(&m));
}

static void test_another_block_or_set(void **state)
{
	(void)state;
	struct made m;
	make(&m, 4);
	struct cmt_block_id other = m.c->block_id;
	other.parts.total++;
	const struct cmt_chain_id *id = &m.block.header.chain_id;
	assert_says("wrong-block", cmt_commit_verify(m.c, &m.set, id, &other, 5, NULL));
	assert_says("wrong-block", cmt_commit_verify(m.c, &m.set, id, &m.c->block_id, 6, NULL));
	struct cmt_validator_set wrong = made_set(1, 5, 10), strangers = made_set(50, 4, 10);
	assert_says("foreign-seal", cmt_commit_verify(m.c, &wrong, id, &m.c->block_id, 5, NULL));
	assert_says("foreign-seal",
		    cmt_commit_verify_light(m.c, &strangers, id, &m.c->block_id, 5, false, NULL));
	assert_says("too-few-seals",
		    cmt_commit_verify_trusting(m.c, &strangers, id, (struct cmt_fraction){1, 3},
					       false, NULL));
	struct cmt_chain_id chain = chain_id_of("mad3");
	assert_says("bad-seal", cmt_commit_verify(m.c, &m.set, &chain, &m.c->block_id, 5, NULL));
}

/* More validators than votes, though those who are there have the power and stand in their places. */
static void test_a_vote_for_each(void **state)
{
	(void)state;
	struct made m;
	make(&m, 4);
	struct cmt_validator_set more;
	struct cs_ed25519_key key = key_of(90);
	struct cmt_validator one = cmt_validator_of(&key, 1);
	assert_ok(cmt_validator_set_init(&more, test_arena(), 5));
	assert_ok(cmt_validator_set_copy(&more, &m.set));
	assert_ok(cmt_validator_set_update(&more, &one, 1, test_arena(), NULL));
	const struct cmt_chain_id *id = &m.block.header.chain_id;
	assert_says("foreign-seal", cmt_commit_verify(m.c, &more, id, &m.c->block_id, 5, NULL));
	assert_says("foreign-seal",
		    cmt_commit_verify_light(m.c, &more, id, &m.c->block_id, 5, false, NULL));
	assert_says("too-large", cmt_validator_set_copy(&m.set, &more));
}

/* One validator's signature in everybody's place: power is never counted twice. */
static void test_one_for_all(void **state)
{
	(void)state;
	struct made m;
	make(&m, 6);
	for (size_t i = 1; i < 6; i++)
		m.c->sigs[i] = m.c->sigs[0];
	assert_says("duplicate-seal", trusting(&m, (struct cmt_fraction){1, 3}));
	assert_says("foreign-seal", light(&m, false));
	assert_says("foreign-seal", full(&m));
}

static void test_trust_levels(void **state)
{
	(void)state;
	struct made m;
	make(&m, 3);
	assert_ok(trusting(&m, (struct cmt_fraction){2, 3}));
	assert_says("too-few-seals", trusting(&m, (struct cmt_fraction){1, 1}));
	assert_says("invalid", trusting(&m, (struct cmt_fraction){1, 0}));
	assert_says("overflow", trusting(&m, (struct cmt_fraction){UINT64_MAX, UINT64_MAX}));
	struct cmt_validator_set heavy = made_set(1, 1, CMT_POWER_MAX);
	m.block = made_block(5, &heavy, &heavy);
	m.set = heavy;
	assert_ok(full(&m));
	assert_ok(trusting(&m, (struct cmt_fraction){2, 3}));
	assert_says("overflow", trusting(&m, (struct cmt_fraction){9, 9}));
}

static void test_form(void **state)
{
	(void)state;
	struct made m;
	struct cmt_commit read, bad;
	make(&m, 3);
	m.c->sigs[1] = CMT_SIG_ABSENT;
	struct cs_buf buf = test_buf(CMT_COMMIT_SIZE_MAX(3));
	cmt_commit_encode(&buf, m.c);
	for (size_t n = 0; n < buf.n; n++) {
		enum cs_err err = cmt_commit_decode(&read, cs_bytes(buf.p, n), test_arena(), NULL);
		if (err == CS_OK)
			assert_true(read.count < 3);
	}
	for (size_t bit = 0; bit < 8 * buf.n; bit++) {
		buf.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (cmt_commit_decode(&read, cs_buf_view(&buf), test_arena(), NULL) == CS_OK) {
			struct cs_buf again = test_buf(2 * CMT_COMMIT_SIZE_MAX(3));
			cmt_commit_encode(&again, &read);
			assert_bytes(cs_buf_view(&again), cs_buf_view(&buf));
		}
		buf.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	bad = *m.c;
	bad.round = -1;
	assert_says("invalid", cmt_commit_check(&bad, NULL));
	bad = *m.c;
	bad.block_id = (struct cmt_block_id){.parts.total = 0};
	assert_says("invalid", cmt_commit_check(&bad, NULL));
	bad = *m.c;
	bad.count = 0;
	assert_says("invalid", cmt_commit_check(&bad, NULL));
	bad.height = 0;
	assert_ok(cmt_commit_check(&bad, NULL));
	bad.count = CMT_VALIDATORS_MAX + 1;
	assert_says("too-large", cmt_commit_check(&bad, NULL));
}

static void test_form_of_signatures(void **state)
{
	(void)state;
	struct made m;
	make(&m, 1);
	struct cmt_commit_sig *sig = &m.c->sigs[0];
	const struct cmt_commit_sig good = *sig;
	sig->flag = CMT_ABSENT;
	assert_says("invalid", cmt_commit_check(m.c, NULL));
	*sig = CMT_SIG_ABSENT;
	sig->time = good.time;
	assert_says("invalid", cmt_commit_check(m.c, NULL));
	*sig = CMT_SIG_ABSENT;
	assert_ok(cmt_commit_check(m.c, NULL));
	*sig = good;
	sig->signature.some = false;
	assert_says("invalid", cmt_commit_check(m.c, NULL));
	*sig = good;
	sig->flag = (enum cmt_flag)4;
	assert_says("invalid", cmt_commit_check(m.c, NULL));
	sig->flag = (enum cmt_flag)0;
	assert_says("invalid", cmt_commit_check(m.c, NULL));
	*sig = good;
	sig->extension = cs_bytes_str("x");
	assert_says("invalid", cmt_extended_commit_check(m.c, false, NULL));
	sig->extension_signature = good.signature;
	assert_ok(cmt_extended_commit_check(m.c, true, NULL));
	sig->flag = CMT_NIL;
	assert_says("invalid", cmt_extended_commit_check(m.c, true, NULL));
	*sig = good;
	assert_ok(cmt_extended_commit_check(m.c, false, NULL));
	assert_says("invalid", cmt_extended_commit_check(m.c, true, NULL));
}

static enum cs_err read_sig(unsigned flag, bool address)
{
	static const struct cs_address zero;
	struct cmt_commit c;
	struct cs_buf buf = test_buf(256);
	const struct cmt_signature sig = {.some = true};
	cs_pb_put_int(&buf, 1, 0);
	cmt_put_block_id(&buf, 3, &(struct cmt_block_id){.parts.total = 0});
	size_t begin = cs_pb_begin(&buf, 4);
	cs_pb_put_uint(&buf, 1, flag);
	if (address)
		cs_pb_put_bytes(&buf, 2, CS_BYTES_OF(zero.b));
	cs_pb_put_time(&buf, 3, CS_PB_TIME_ZERO);
	if (flag != CMT_ABSENT)
		cs_pb_put_bytes(&buf, 4, cmt_signature_bytes(&sig));
	cs_pb_end(&buf, begin);
	return cmt_commit_decode(&c, cs_buf_view(&buf), test_arena(), NULL);
}

/* Twenty zeros are an address, and none is none. */
static void test_addresses(void **state)
{
	(void)state;
	assert_ok(read_sig(CMT_ABSENT, false));
	assert_says("invalid", read_sig(CMT_ABSENT, true));
	assert_ok(read_sig(CMT_COMMIT, true));
	assert_says("invalid", read_sig(CMT_COMMIT, false));
	assert_says("invalid", read_sig(CMT_NIL, false));
	assert_says("overflow", read_sig(4, true));
}

static void test_votes_and_back(void **state)
{
	(void)state;
	struct made m;
	make(&m, 3);
	m.c->sigs[2].flag = CMT_NIL;
	made_sign(m.c, 2);
	for (size_t i = 0; i < 3; i++) {
		struct cmt_vote vote = cmt_commit_vote(m.c, i);
		struct cmt_commit_sig sig = cmt_commit_sig_of(&vote);
		assert_ok(cmt_vote_check(&vote, NULL));
		assert_ok(cmt_vote_verify(&vote, &m.block.header.chain_id, &m.set.list[i].key));
		assert_int_equal(sig.flag, m.c->sigs[i].flag);
		assert_memory_equal(sig.signature.b, m.c->sigs[i].signature.b, 64);
	}
	assert_int_equal(cmt_commit_sig_of(NULL).flag, CMT_ABSENT);
}

static void test_median_refused(void **state)
{
	(void)state;
	struct made m;
	struct cs_pb_time time;
	struct cmt_validator_set other = made_set(40, 3, 1);
	make(&m, 3);
	assert_ok(cmt_median_time(&time, m.c, &m.set));
	assert_int_equal(time.ns, 1);
	assert_says("foreign-seal", cmt_median_time(&time, m.c, &other));
	for (size_t i = 0; i < 3; i++)
		m.c->sigs[i] = CMT_SIG_ABSENT;
	assert_says("missing-field", cmt_median_time(&time, m.c, &m.set));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded),
		cmocka_unit_test(test_last_commit),
		cmocka_unit_test(test_generated),
		cmocka_unit_test(test_two_thirds_are_too_few),
		cmocka_unit_test(test_a_wrong_signature),
		cmocka_unit_test(test_another_block_or_set),
		cmocka_unit_test(test_a_vote_for_each),
		cmocka_unit_test(test_one_for_all),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_trust_levels),
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_form_of_signatures),
		cmocka_unit_test(test_votes_and_back),
		cmocka_unit_test(test_median_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
