#include "tests/unit/cometbft/made.h"

#include <dirent.h>

static struct verify_time until(uint64_t high_s)
{
	return (struct verify_time){0, high_s};
}

static struct verify_time now_of(const json_t *text)
{
	struct cs_pb_time time = time_of(text);
	/* The vectors' times are whole seconds; the interval's high end is one of them. */
	assert_int_equal(time.ns, 0);
	return until((uint64_t)time.s);
}

/* ---- one step: tendermint-rs' model-based cases ---- */

struct trusted {
	struct cmt_header header;
	struct cmt_validator_set validators;
};

/* Trust skips by the validators of the next height, where the case has them. */
static void trust(struct trusted *t, const struct cmt_header *header, const json_t *next)
{
	const json_t *list = json_object_get(next, "validators");
	t->header = *header;
	if (json_array_size(list) > 0)
		t->validators = set_of(list);
	else
		t->validators.count = 0;
}

static const char *verdict_of(enum cs_err err)
{
	if (err == CS_OK)
		return "SUCCESS";
	return err == CS_ERR_NOT_ENOUGH_TRUST ? "NOT_ENOUGH_TRUST" : "INVALID";
}

static size_t run_single_step(const char *name)
{
	char path[256];
	(void)snprintf(path, sizeof path, "light/single_step/%s", name);
	json_t *json = read_vector(path), *input;
	const json_t *initial = at_path(json, "initial");
	struct cmt_header header = header_of(at_path(initial, "signed_header.header"));
	struct cmt_light_options options = {
		.trust_level = CMT_TRUST_LEVEL_DEFAULT,
		.trusting_period_s = (uint64_t)i64_at(initial, "trusting_period") / 1000000000,
		.block_protocol = CMT_BLOCK_PROTOCOL,
		.drift_max_s = 1};
	struct trusted t;
	size_t i;
	trust(&t, &header, at_path(initial, "next_validator_set"));
	json_array_foreach(at_path(json, "input"), i, input)
	{
		const json_t *block = at_path(input, "block");
		struct cmt_light_block untrusted =
			light_block_of(at_path(block, "signed_header"),
				       at_path(block, "validator_set.validators"));
		struct verify_time now = now_of(at_path(input, "now"));
		struct cmt_trusted from = {&t.header, &t.validators};
		struct cs_why why = {""};
		enum cs_err err = cmt_light_verify(&from, &untrusted, &options, &now, &why);
		if (strcmp(verdict_of(err), text_of(input, "verdict")) != 0)
			fail_msg("%s, input %zu: %s (%s), not %s", name, i, cs_err_name(err),
				 why.text, text_of(input, "verdict"));
		if (err == CS_OK)
			trust(&t, &untrusted.header, at_path(block, "next_validator_set"));
	}
	return i;
}

static void test_single_steps(void **state)
{
	(void)state;
	DIR *folder = opendir(COMETBFT "light/single_step");
	const struct dirent *entry;
	size_t files = 0, steps = 0;
	assert_non_null(folder);
	while ((entry = readdir(folder)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		steps += run_single_step(entry->d_name);
		files++;
	}
	closedir(folder);
	assert_int_equal(files, 12);
	assert_true(steps > 25);
}

/* ---- skipping: the cases of tendermint-rs, with the verdicts of CometBFT's own client ---- */

struct chain {
	struct cmt_light_block blocks[24];
	size_t count;
};

/* A list of names of blocks; each stands in the first case that uses it. */
static void read_chain(struct chain *chain, const json_t *names)
{
	const json_t *name, *one;
	size_t i, j;
	chain->count = json_array_size(names);
	assert_in_range(chain->count, 1, CS_LEN(chain->blocks));
	json_array_foreach(names, i, name)
	{
		const char *hex = NULL;
		json_array_foreach(generated("light"), j, one) if (hex == NULL) hex =
			json_string_value(json_object_get(json_object_get(one, "blocks"),
							  json_string_value(name)));
		assert_non_null(hex);
		assert_ok(
			cmt_light_block_decode(&chain->blocks[i], unhex(hex), test_arena(), NULL));
		struct cs_buf buf = test_buf(CMT_LIGHT_BLOCK_SIZE_MAX(4));
		cmt_light_block_encode(&buf, &chain->blocks[i]);
		assert_bytes(cs_buf_view(&buf), unhex(hex));
	}
}

static const struct cmt_light_block *at_height(const struct chain *chain, int64_t height)
{
	for (size_t i = 0; i < chain->count; i++)
		if (chain->blocks[i].header.height == height)
			return &chain->blocks[i];
	fail_msg("no block of height %lld", (long long)height);
	abort();
}

struct skipping {
	struct cmt_light_options options;
	struct verify_time now;
};

/* What a host does with the light client: asks for the target, then for heights in between. The
 * trace of what was verified goes on from its last block. */
static enum cs_err skip_to(struct chain *trace, int64_t target, const struct chain *from,
			   const struct skipping *s)
{
	int64_t ask = target;
	while (trace->blocks[trace->count - 1].header.height < target) {
		const struct cmt_light_block *last = &trace->blocks[trace->count - 1];
		struct cmt_trusted trusted = {&last->header, &last->validators};
		enum cs_err err = cmt_light_verify(&trusted, at_height(from, ask), &s->options,
						   &s->now, NULL);
		if (err == CS_OK) {
			assert_true(trace->count < CS_LEN(trace->blocks));
			trace->blocks[trace->count++] = *at_height(from, ask);
			ask = target;
			continue;
		}
		ask = cmt_light_pivot(last->header.height, ask);
		if (err != CS_ERR_NOT_ENOUGH_TRUST || ask == 0)
			return err;
	}
	return CS_OK;
}

static void check_attack(const struct cmt_divergence *d)
{
	struct cmt_light_attack e;
	assert_ok(cmt_light_attack_make(&e, d->conflicting, d->trusted, d->common, test_arena()));
	bool lunatic = e.common_height == d->common->header.height;
	const struct cmt_light_block *from = lunatic ? d->common : d->trusted;
	assert_ok(cmt_light_attack_verify(&e, &from->header, &from->validators, &d->trusted->header,
					  &d->trusted->commit, test_arena(), NULL));
	assert_true(e.byzantine_count > 0);
}

/* A client asks its witness for the heights that it verified, and for what lies between where the
 * witness' sets need it: two traces that part are an attack, whoever made it. */
static bool is_attack(const struct chain *trace, const json_t *witness, const struct skipping *s)
{
	struct chain all, other = {.count = 1};
	struct cmt_divergence d;
	read_chain(&all, witness);
	other.blocks[0] = all.blocks[0];
	for (size_t i = 1; i < trace->count; i++)
		assert_ok(skip_to(&other, trace->blocks[i].header.height, &all, s));
	enum cs_err err = cmt_light_diverge(&d, trace->blocks, trace->count, other.blocks,
					    other.count, &s->options, &s->now, NULL);
	if (err != CS_OK) {
		assert_says("not-found", err);
		return false;
	}
	check_attack(&d);
	return true;
}

static const char *run_skipping(const json_t *json, size_t *steps)
{
	struct skipping s = {.options = {CMT_TRUST_LEVEL_DEFAULT,
					 (uint64_t)i64_at(json, "period_s"), CMT_BLOCK_PROTOCOL,
					 CMT_DRIFT_DEFAULT_S},
			     .now = until((uint64_t)i64_at(json, "now"))};
	struct chain primary, trace = {.count = 1};
	const json_t *witness;
	size_t i, attacks = 0;
	read_chain(&primary, json_object_get(json, "primary"));
	trace.blocks[0] = primary.blocks[0];
	if (skip_to(&trace, i64_at(json, "target"), &primary, &s) != CS_OK)
		return "error";
	json_array_foreach(json_object_get(json, "witnesses"), i, witness) attacks +=
		is_attack(&trace, witness, &s);
	*steps = trace.count - 1;
	return attacks > 0 ? "attack" : "ok";
}

static void test_skipping(void **state)
{
	(void)state;
	json_t *one;
	size_t i;
	json_array_foreach(generated("light"), i, one)
	{
		size_t steps = 0;
		const char *verdict = run_skipping(one, &steps);
		if (strcmp(verdict, text_of(one, "verdict")) != 0)
			fail_msg("%s: %s", text_of(one, "name"), verdict);
		/* The worst case needs every height, and no other as many. */
		assert_int_equal(steps == 10, strcmp(text_of(one, "name"), "worst case") == 0);
	}
	assert_int_equal(i, 9);
}

/* Headers that Tendermint 0.33 hashed and signed, in another encoding: none is taken. */
static void test_an_older_encoding(void **state)
{
	(void)state;
	json_t *json = read_vector("light/tendermint-0.33/conflicting_headers.json"), *one;
	size_t i;
	json_array_foreach(at_path(json, "primary.lite_blocks"), i, one)
	{
		struct cmt_light_block block = light_block_of(
			at_path(one, "signed_header"), at_path(one, "validator_set.validators"));
		assert_says("wrong-block", cmt_light_block_check(&block, NULL));
	}
	assert_int_equal(i, 5);
}

/* ---- a recorded chain, across a change of its validators ---- */

static struct cmt_light_block recorded(int64_t height)
{
	char name[64];
	(void)snprintf(name, sizeof name, "testnet-0.38.19/light_block_%lld.json",
		       (long long)height);
	json_t *json = read_vector(name);
	return light_block_of(at_path(json, "commit.signed_header"),
			      at_path(json, "validators.validators"));
}

static void test_recorded(void **state)
{
	(void)state;
	static const int64_t heights[] = {1154, 1155, 1158, 1159, 1160, 1161};
	struct cmt_light_options options = {CMT_TRUST_LEVEL_DEFAULT, 3600, CMT_BLOCK_PROTOCOL,
					    CMT_DRIFT_DEFAULT_S};
	struct cmt_light_block from = recorded(heights[0]);
	struct verify_time now = until((uint64_t)from.header.time.s + 60);
	for (size_t i = 1; i < CS_LEN(heights); i++) {
		struct cmt_light_block to = recorded(heights[i]);
		struct cmt_trusted trusted = {&from.header, &from.validators};
		assert_ok(cmt_light_verify(&trusted, &to, &options, &now, NULL));
		from = to;
	}
	/* From before the change to after it: one new validator alone signs with 7 of 10. */
	from = recorded(1155);
	struct cmt_light_block to = recorded(1161);
	struct cmt_trusted trusted = {&from.header, &from.validators};
	assert_says("not-enough-trust", cmt_light_verify(&trusted, &to, &options, &now, NULL));
	/* And two blocks of another chain. */
	json_t *a = read_vector("simapp/light_block_56.json");
	json_t *b = read_vector("simapp/light_block_57.json");
	from = light_block_of(at_path(a, "commit.signed_header"),
			      at_path(a, "validators.validators"));
	to = light_block_of(at_path(b, "commit.signed_header"),
			    at_path(b, "validators.validators"));
	now = until((uint64_t)to.header.time.s + 1);
	assert_ok(cmt_light_verify(&trusted, &to, &options, &now, NULL));
	assert_ok(cmt_light_verify_parent(&to.header, &from.header, NULL));
	assert_says("unlinked",
		    cmt_light_verify_parent(&from.header, &to.header, NULL) == CS_ERR_BAD_TIME
			    ? CS_ERR_UNLINKED
			    : CS_OK);
}

/* ---- refusals ---- */

struct scene {
	struct cmt_validator_set set;
	struct cmt_light_block from, to;
	struct cmt_light_options options;
	struct verify_time now;
};

static void begin(struct scene *s, int64_t height)
{
	s->set = made_set(1, 6, 10);
	s->from = made_block(10, &s->set, &s->set);
	s->to = made_block(height, &s->set, &s->set);
	s->options = (struct cmt_light_options){CMT_TRUST_LEVEL_DEFAULT, 1000, CMT_BLOCK_PROTOCOL,
						CMT_DRIFT_DEFAULT_S};
	s->now = until((uint64_t)MADE_TIME_S + 100);
}

static enum cs_err verify(const struct scene *s)
{
	struct cmt_trusted trusted = {&s->from.header, &s->from.validators};
	return cmt_light_verify(&trusted, &s->to, &s->options, &s->now, NULL);
}

static void test_time(void **state)
{
	(void)state;
	struct scene s;
	begin(&s, 20);
	assert_ok(verify(&s));
	/* The trusted header's time has 7 ns: it ends 7 ns after the second. */
	s.now = until((uint64_t)MADE_TIME_S + 10 + 1000);
	assert_ok(verify(&s));
	s.now = until((uint64_t)MADE_TIME_S + 10 + 1001);
	assert_says("anchor-too-old", verify(&s));
	s.now = until(0);
	assert_says("no-time", verify(&s));
	s.now = until(UINT64_MAX);
	assert_says("anchor-too-old", verify(&s));
	s.now = until((uint64_t)MADE_TIME_S + 20 - CMT_DRIFT_DEFAULT_S);
	assert_says("future-header", verify(&s));
	s.now.high_s++;
	assert_ok(verify(&s));
	s.options.trusting_period_s = UINT64_MAX;
	assert_ok(verify(&s));
	s.to.header.time = s.from.header.time;
	made_seal(&s.to);
	assert_says("bad-time", verify(&s));
}

/* At the very nanosecond: a period is over, a header is too far ahead. */
static void test_time_at_its_bounds(void **state)
{
	(void)state;
	struct scene s;
	begin(&s, 20);
	s.from.header.time.ns = s.to.header.time.ns = 0;
	made_seal(&s.from);
	made_seal(&s.to);
	s.now = until((uint64_t)MADE_TIME_S + 10 + 1000);
	assert_says("anchor-too-old", verify(&s));
	s.now.high_s--;
	assert_ok(verify(&s));
	s.now = until((uint64_t)MADE_TIME_S + 20 - CMT_DRIFT_DEFAULT_S);
	assert_says("future-header", verify(&s));
	s.to.header.time = (struct cs_pb_time){MADE_TIME_S + 19, CS_PB_TIME_NS_MAX};
	made_seal(&s.to);
	assert_ok(verify(&s));
}

static void test_options(void **state)
{
	(void)state;
	struct scene s;
	begin(&s, 20);
	const struct cmt_fraction bad[] = {{0, 1}, {1, 0}, {1, 4}, {4, 3}, {UINT64_MAX, UINT64_MAX},
					   {0, 0}};
	for (size_t i = 0; i < CS_LEN(bad); i++) {
		s.options.trust_level = bad[i];
		assert_says("invalid", verify(&s));
	}
	s.options.trust_level = (struct cmt_fraction){1, 1};
	assert_says("not-enough-trust", verify(&s));
	s.options.trust_level = (struct cmt_fraction){5, 6};
	assert_ok(verify(&s));
	s.options.trusting_period_s = 0;
	assert_says("invalid", verify(&s));
	begin(&s, 20);
	s.options.block_protocol = 12;
	assert_says("unsupported", verify(&s));
}

static void test_headers(void **state)
{
	(void)state;
	struct scene s;
	begin(&s, 10);
	assert_says("stale-header", verify(&s));
	begin(&s, 9);
	assert_says("stale-header", verify(&s));
	begin(&s, 20);
	s.to.header.chain_id = chain_id_of("other");
	assert_says("wrong-chain", verify(&s));
	begin(&s, 20);
	s.to.header.app_version++;
	assert_says("wrong-block", verify(&s));
	begin(&s, 20);
	s.to.commit.height = 21;
	assert_says("wrong-block", verify(&s));
	begin(&s, 20);
	s.to.commit.sigs[5].flag = (enum cmt_flag)9;
	assert_says("invalid", verify(&s));
	assert_says("invalid", cmt_light_block_check(&s.to, NULL));
	begin(&s, 20);
	s.to.validators = made_set(2, 6, 10);
	assert_says("bad-signer-set", verify(&s));
	begin(&s, 20);
	struct cmt_validator_set other = made_set(3, 6, 10);
	struct cmt_trusted trusted = {&s.from.header, &other};
	assert_says("invalid", cmt_light_verify(&trusted, &s.to, &s.options, &s.now, NULL));
}

static void test_adjacent(void **state)
{
	(void)state;
	struct scene s;
	begin(&s, 11);
	assert_ok(verify(&s));
	/* The next set must be the one announced, whoever signs. */
	struct cmt_validator_set other = made_set(2, 6, 10);
	s.to = made_block(11, &other, &other);
	assert_says("bad-signer-set", verify(&s));
	s.from = made_block(10, &s.set, &other);
	assert_ok(verify(&s));
	s.to.commit.sigs[0] = s.to.commit.sigs[1] = CMT_SIG_ABSENT;
	assert_says("too-few-seals", verify(&s));
}

static void test_skips(void **state)
{
	(void)state;
	struct scene s;
	begin(&s, 20);
	/* Two of six are a third, and not more. */
	struct cmt_validator_set two_stay = made_set(5, 6, 10), three_stay = made_set(4, 6, 10);
	s.to = made_block(20, &two_stay, &two_stay);
	assert_says("not-enough-trust", verify(&s));
	s.to = made_block(20, &three_stay, &three_stay);
	assert_ok(verify(&s));
	/* More than a third of the old set, and fewer than two thirds of the new one. */
	struct cmt_validator_set many = made_set(1, 18, 10);
	s.to = made_block(20, &many, &many);
	for (size_t i = 0, left = 6; i < 18; i++) {
		if (cmt_validator_set_find(&s.set, &many.list[i].address) == SIZE_MAX && left > 0) {
			s.to.commit.sigs[i] = CMT_SIG_ABSENT;
			left--;
		}
	}
	assert_says("too-few-seals", verify(&s));
	assert_int_equal(cmt_light_pivot(10, 20), 15);
	assert_int_equal(cmt_light_pivot(10, 12), 11);
	assert_int_equal(cmt_light_pivot(10, 11), 0);
	assert_int_equal(cmt_light_pivot(10, 10), 0);
	assert_int_equal(cmt_light_pivot(1, INT64_MAX), INT64_MAX / 2 + 1);
}

static void test_parents(void **state)
{
	(void)state;
	struct scene s;
	begin(&s, 11);
	struct cs_hash hash = cmt_header_hash(&s.from.header);
	s.to.header.last_block_id = s.from.commit.block_id;
	assert_hash(s.to.header.last_block_id.hash.hash, hash);
	assert_ok(cmt_light_verify_parent(&s.to.header, &s.from.header, NULL));
	struct cmt_header bad = s.from.header;
	bad.app_version++;
	assert_says("unlinked", cmt_light_verify_parent(&s.to.header, &bad, NULL));
	bad = s.from.header;
	bad.time = s.to.header.time;
	assert_says("bad-time", cmt_light_verify_parent(&s.to.header, &bad, NULL));
	bad = s.from.header;
	bad.chain_id = chain_id_of("other");
	assert_says("wrong-chain", cmt_light_verify_parent(&s.to.header, &bad, NULL));
	bad = s.from.header;
	bad.height = 0;
	assert_says("invalid", cmt_light_verify_parent(&s.to.header, &bad, NULL));
}

static void test_divergence(void **state)
{
	(void)state;
	struct scene s;
	struct cmt_divergence d;
	begin(&s, 20);
	struct cmt_light_block first[] = {s.from, made_block(15, &s.set, &s.set), s.to};
	struct cmt_light_block second[] = {first[0], first[1], made_block(20, &s.set, &s.set)};
#define DIVERGE(n, m) cmt_light_diverge(&d, first, n, second, m, &s.options, &s.now, NULL)
	assert_says("not-found", DIVERGE(3, 3));
	assert_ok(cmt_header_set_app_hash(&second[2].header, cs_bytes_str("another")));
	made_seal(&second[2]);
	assert_ok(DIVERGE(3, 3));
	assert_int_equal(d.common->header.height, 15);
	assert_ptr_equal(d.conflicting, &first[2]);
	assert_ptr_equal(d.trusted, &second[2]);
	assert_says("not-found", DIVERGE(2, 2));
	assert_says("unlinked", DIVERGE(3, 0));
	second[2].commit.sigs[0].signature.b[0] ^= 1;
	assert_says("bad-seal", DIVERGE(3, 3));
	/* Forward lunatic: a block far ahead whose time the chain has passed already. */
	first[2] = made_block(90, &s.set, &s.set);
	first[2].header.time.s = MADE_TIME_S + 19;
	made_seal(&first[2]);
	second[2] = made_block(20, &s.set, &s.set);
	assert_ok(DIVERGE(3, 3));
	assert_int_equal(d.trusted->header.height, 20);
	first[2].header.time.s = MADE_TIME_S + 21;
	made_seal(&first[2]);
	assert_says("not-found", DIVERGE(3, 3));
	second[0] = made_block(11, &s.set, &s.set);
	assert_says("unlinked", DIVERGE(3, 3));
#undef DIVERGE
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_single_steps),
		cmocka_unit_test(test_skipping),
		cmocka_unit_test(test_an_older_encoding),
		cmocka_unit_test(test_recorded),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_time_at_its_bounds),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_adjacent),
		cmocka_unit_test(test_skips),
		cmocka_unit_test(test_parents),
		cmocka_unit_test(test_divergence),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
