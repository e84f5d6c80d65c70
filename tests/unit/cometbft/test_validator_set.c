#include "tests/unit/cometbft/made.h"

static struct cs_ed25519_key key_text(const json_t *text)
{
	struct cs_ed25519_key key;
	struct cs_bytes bytes = unhex(json_string_value(text));
	assert_int_equal(bytes.n, sizeof key.b);
	memcpy(key.b, bytes.p, bytes.n);
	return key;
}

/* [[key, power, priority?], …] */
static struct cmt_validator *list_of(const json_t *list)
{
	size_t count = json_array_size(list);
	struct cmt_validator *validators = keep((count + 1) * sizeof *validators);
	for (size_t i = 0; i < count; i++) {
		const json_t *one = json_array_get(list, i);
		struct cs_ed25519_key key = key_text(json_array_get(one, 0));
		const char *power = json_string_value(json_array_get(one, 1));
		validators[i] = cmt_validator_of(&key, strtoll(power, NULL, 10));
		if (json_array_size(one) > 2)
			validators[i].priority =
				strtoll(json_string_value(json_array_get(one, 2)), NULL, 10);
	}
	return validators;
}

static void check_state(const struct cmt_validator_set *set, const json_t *want)
{
	const json_t *list = json_object_get(want, "validators");
	struct cmt_validator *validators = list_of(list);
	struct cs_ed25519_key proposer = key_text(json_object_get(want, "proposer"));
	assert_int_equal(set->count, json_array_size(list));
	for (size_t i = 0; i < set->count; i++) {
		assert_memory_equal(set->list[i].key.b, validators[i].key.b, 32);
		assert_int_equal(set->list[i].power, validators[i].power);
		assert_int_equal(set->list[i].priority, validators[i].priority);
	}
	assert_memory_equal(cmt_validator_set_proposer(set)->key.b, proposer.b, 32);
	assert_hash(cmt_validator_set_hash(set), hash_of(want, "hash"));
}

static void check_step(struct cmt_validator_set *set, const json_t *step)
{
	const json_t *changes = json_object_get(step, "changes");
	if (changes != NULL) {
		enum cs_err err = cmt_validator_set_update(
			set, list_of(changes), json_array_size(changes), test_arena(), NULL);
		assert_int_equal(err != CS_OK, json_is_true(json_object_get(step, "error")));
	}
	if (json_object_get(step, "turns") != NULL)
		cmt_validator_set_increment(set, (uint32_t)i64_at(step, "turns"));
	check_state(set, step);
}

/* Sets that CometBFT made, changed (a third of the changes are refused) and let propose: every
 * power, priority, proposer and hash on the way. */
static void test_generated(void **state)
{
	(void)state;
	json_t *run, *step;
	size_t i, j;
	json_array_foreach(generated("validator_sets"), i, run)
	{
		const json_t *initial = json_object_get(run, "initial");
		json_t *first = json_object_get(run, "state");
		struct cmt_validator_set set, read;
		assert_ok(cmt_validator_set_init(&set, test_arena(), 64));
		assert_ok(cmt_validator_set_make(&set, list_of(initial), json_array_size(initial),
						 test_arena(), NULL));
		check_state(&set, first);
		struct cs_buf buf = test_buf(CMT_VALIDATOR_SET_SIZE_MAX(set.count));
		cmt_validator_set_encode(&buf, &set);
		assert_bytes(cs_buf_view(&buf), hex_at(first, "encoded"));
		assert_ok(cmt_validator_set_decode(&read, cs_buf_view(&buf), test_arena(), NULL));
		check_state(&read, first);
		json_array_foreach(json_object_get(run, "steps"), j, step) check_step(&set, step);
	}
}

static void test_recorded(void **state)
{
	(void)state;
	json_t *json = read_vector("live-0.38.26/out_validators_5.json");
	struct cmt_validator_set set = set_of(at_path(json, "result.validators"));
	json_t *block = read_vector("live-0.38.26/out_block_5.json");
	assert_hash(cmt_validator_set_hash(&set),
		    hash_of(at_path(block, "result.block.header"), "validators_hash"));
	/* Who proposed last has the lowest priority, and was the header's proposer. */
	assert_memory_equal(set.proposer.address.b,
			    hex_at(at_path(block, "result.block.header"), "proposer_address").p,
			    20);
}

static void test_find(void **state)
{
	(void)state;
	struct cmt_validator_set set = made_set(1, 100, 3);
	struct cs_ed25519_key stranger = key_of(5000);
	struct cs_address address = cmt_address(&stranger);
	for (size_t i = 0; i < set.count; i++)
		assert_int_equal(cmt_validator_set_find(&set, &set.list[i].address), i);
	assert_true(cmt_validator_set_find(&set, &address) == SIZE_MAX);
	set.count = 0;
	assert_true(cmt_validator_set_find(&set, &address) == SIZE_MAX);
}

static void test_refused_fill(void **state)
{
	(void)state;
	struct cmt_validator_set good = made_set(1, 4, 3), set;
	struct cmt_validator list[4], stranger = good.list[0];
	struct cs_ed25519_key key = key_of(77);
	stranger = cmt_validator_of(&key, 3);
	assert_ok(cmt_validator_set_init(&set, test_arena(), 4));
	memcpy(list, good.list, sizeof list);
	assert_ok(cmt_validator_set_fill(&set, list, 4, &list[1], NULL));
	assert_int_equal(set.power, 12);
	assert_says("missing-field", cmt_validator_set_fill(&set, list, 0, NULL, NULL));
	assert_says("invalid", cmt_validator_set_fill(&set, list, 4, &stranger, NULL));
	assert_int_equal(set.count, 0);
	stranger.address = list[1].address;
	assert_says("invalid", cmt_validator_set_fill(&set, list, 4, &stranger, NULL));
	list[2] = list[1];
	assert_says("duplicate", cmt_validator_set_fill(&set, list, 4, NULL, NULL));
	list[2] = good.list[2];
	list[2].power = 0;
	assert_says("invalid", cmt_validator_set_fill(&set, list, 4, NULL, NULL));
	list[2].power = -1;
	assert_says("invalid", cmt_validator_set_fill(&set, list, 4, NULL, NULL));
	list[2].power = CMT_POWER_MAX;
	assert_says("overflow", cmt_validator_set_fill(&set, list, 4, NULL, NULL));
	list[2].power = CMT_POWER_MAX - 9;
	assert_ok(cmt_validator_set_fill(&set, list, 4, NULL, NULL));
	assert_int_equal(set.power, CMT_POWER_MAX);
	list[2].address.b[0] ^= 1;
	assert_says("invalid", cmt_validator_set_fill(&set, list, 4, NULL, NULL));
	assert_ok(cmt_validator_set_init(&set, test_arena(), 3));
	assert_says("too-large", cmt_validator_set_fill(&set, good.list, 4, NULL, NULL));
	assert_says("too-large",
		    cmt_validator_set_init(&set, test_arena(), CMT_VALIDATORS_MAX + 1));
}

/* A refused change leaves the set as it was, to the byte. */
static void check_refused(struct cmt_validator_set *set, const struct cmt_validator *changes,
			  size_t count, const char *name)
{
	struct cs_buf before = test_buf(CMT_VALIDATOR_SET_SIZE_MAX(set->count));
	struct cs_buf after = test_buf(CMT_VALIDATOR_SET_SIZE_MAX(set->count));
	size_t mark = cs_arena_mark(test_arena());
	cmt_validator_set_encode(&before, set);
	assert_says(name, cmt_validator_set_update(set, changes, count, test_arena(), NULL));
	cmt_validator_set_encode(&after, set);
	assert_bytes(cs_buf_view(&after), cs_buf_view(&before));
	assert_int_equal(cs_arena_mark(test_arena()), mark);
}

static void test_refused_changes(void **state)
{
	(void)state;
	struct cmt_validator_set set = made_set(1, 3, 10);
	struct cmt_validator two[3];
	struct cs_ed25519_key new_key = key_of(9);
	memcpy(two, set.list, sizeof two);
	two[1] = two[0];
	check_refused(&set, two, 2, "duplicate");
	two[0].power = -1;
	check_refused(&set, two, 1, "invalid");
	two[0].power = CMT_POWER_MAX + 1;
	check_refused(&set, two, 1, "overflow");
	two[0].power = CMT_POWER_MAX;
	check_refused(&set, two, 1, "overflow");
	two[0] = cmt_validator_of(&new_key, 0);
	check_refused(&set, two, 1, "not-found");
	two[0].power = 1;
	check_refused(&set, two, 1, "too-large");
	memcpy(two, set.list, sizeof two);
	two[0].power = two[1].power = two[2].power = 0;
	check_refused(&set, two, 3, "missing-field");
	assert_ok(cmt_validator_set_update(&set, two, 2, test_arena(), NULL));
	assert_int_equal(set.count, 1);
	assert_ok(cmt_validator_set_update(&set, NULL, 0, test_arena(), NULL));
	assert_says("invalid", cmt_validator_set_make(&set, two, 1, test_arena(), NULL));
}

/* Over many turns everybody proposes as often as his power says. */
static void test_turns_follow_power(void **state)
{
	(void)state;
	struct cmt_validator_set set = made_set(1, 4, 1);
	size_t turns[4] = {0};
	struct cmt_validator change = set.list[3];
	change.power = 7;
	assert_ok(cmt_validator_set_update(&set, &change, 1, test_arena(), NULL));
	for (size_t i = 0; i < 1000; i++) {
		cmt_validator_set_increment(&set, 1);
		turns[cmt_validator_set_find(&set, &set.proposer.address)]++;
	}
	assert_in_range(turns[0], 699, 701);
	for (size_t i = 1; i < 4; i++)
		assert_in_range(turns[i], 99, 101);
}

/* Priorities that came from elsewhere, as far apart as they can be. */
static void test_extreme_priorities(void **state)
{
	(void)state;
	struct cmt_validator_set set = made_set(1, 2, 1);
	set.list[0].priority = INT64_MAX;
	set.list[1].priority = INT64_MIN;
	cmt_validator_set_increment(&set, 3);
	assert_true(set.has_proposer);
	set.list[0].priority = INT64_MIN;
	set.list[1].priority = INT64_MIN;
	cmt_validator_set_increment(&set, 1);
	assert_int_equal(set.list[0].priority + set.list[1].priority, 0);
}

/* Differences that do not fit wrap around, as Go's do: what ValidatorSet of CometBFT 0.38.26 makes of
 * these priorities in two turns, and who proposes in each. */
static void test_differences_wrap(void **state)
{
	(void)state;
	static const struct {
		size_t count;
		int64_t power[3], priority[3], after[2][3];
		size_t proposer[2];
	} cases[] = {
		{2,
		 {1, 1},
		 {INT64_MAX, INT64_MIN},
		 {{9223372036854775805, -9223372036854775806},
		  {4611686018427387902, -4611686018427387901}},
		 {0, 0}},
		{2, {1, 1}, {INT64_MAX - 3, 0}, {{1, -1}, {0, 0}}, {0, 0}},
		{2,
		 {1, 1},
		 {1ll << 62, -(1ll << 62)},
		 {{4611686018427387903, -4611686018427387903}, {-1, 1}},
		 {0, 1}},
		{2, {1, 1}, {(1ll << 62) + 5, -(1ll << 62) - 4}, {{1, -1}, {0, 0}}, {0, 0}},
		{3,
		 {3, 2, 1},
		 {INT64_MAX - 7, 12, INT64_MIN + 100},
		 {{1024819115206086193, -1, -1024819115206086192}, {2, 2, -4}},
		 {0, 0}},
		{3, {3, 2, 1}, {INT64_MAX - 20, 12, 0}, {{5, -1, -2}, {2, 1, -1}}, {0, 0}},
	};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct cmt_validator list[3];
		struct cmt_validator_set set;
		for (size_t k = 0; k < cases[i].count; k++) {
			struct cs_ed25519_key key = key_of((uint32_t)k + 1);
			list[k] = cmt_validator_of(&key, cases[i].power[k]);
		}
		assert_ok(cmt_validator_set_init(&set, test_arena(), 3));
		assert_ok(cmt_validator_set_make(&set, list, cases[i].count, test_arena(), NULL));
		for (size_t k = 0; k < cases[i].count; k++)
			set.list[k].priority = cases[i].priority[k];
		for (size_t turn = 0; turn < 2; turn++) {
			cmt_validator_set_increment(&set, 1);
			for (size_t k = 0; k < cases[i].count; k++)
				assert_int_equal(set.list[k].priority, cases[i].after[turn][k]);
			assert_int_equal(cmt_validator_set_find(&set, &set.proposer.address),
					 cases[i].proposer[turn]);
		}
	}
}

static void test_form(void **state)
{
	(void)state;
	struct cmt_validator_set set = made_set(1, 3, 10), read;
	struct cs_buf buf = test_buf(CMT_VALIDATOR_SET_SIZE_MAX(9));
	cmt_validator_set_encode(&buf, &set);
	for (size_t n = 0; n < buf.n; n++)
		assert_true(cmt_validator_set_decode(&read, cs_bytes(buf.p, n), test_arena(),
						     NULL) != CS_OK);
	cs_pb_put_int(&buf, 3, 30);
	assert_says("unknown-field",
		    cmt_validator_set_decode(&read, cs_buf_view(&buf), test_arena(), NULL));
	/* A secp256k1 key is told apart. */
	buf = test_buf(256);
	size_t whole = cs_pb_begin(&buf, 1);
	cs_pb_put_bytes(&buf, 1, CS_BYTES_OF(set.list[0].address.b));
	size_t key = cs_pb_begin(&buf, 2);
	cs_pb_put_bytes(&buf, 2, cs_bytes(keep(33), 33));
	cs_pb_end(&buf, key);
	cs_pb_put_int(&buf, 3, 1);
	cs_pb_end(&buf, whole);
	assert_says("unsupported",
		    cmt_validator_set_decode(&read, cs_buf_view(&buf), test_arena(), NULL));
}

static void test_too_many(void **state)
{
	(void)state;
	struct cmt_validator_set set = made_set(1, 1, 1), read;
	struct cs_buf buf = test_buf(CMT_VALIDATOR_SET_SIZE_MAX(CMT_VALIDATORS_MAX + 1));
	for (size_t i = 0; i <= CMT_VALIDATORS_MAX; i++) {
		size_t begin = cs_pb_begin(&buf, 1);
		cmt_validator_encode(&buf, &set.list[0]);
		cs_pb_end(&buf, begin);
	}
	size_t begin = cs_pb_begin(&buf, 2);
	cmt_validator_encode(&buf, &set.list[0]);
	cs_pb_end(&buf, begin);
	assert_ok(cs_buf_end(&buf));
	assert_says("too-large",
		    cmt_validator_set_decode(&read, cs_buf_view(&buf), test_arena(), NULL));
	struct cs_arena small;
	cs_arena_init(&small, keep(256), 256);
	buf = test_buf(CMT_VALIDATOR_SET_SIZE_MAX(4));
	set = made_set(1, 4, 1);
	cmt_validator_set_encode(&buf, &set);
	assert_says("no-memory", cmt_validator_set_decode(&read, cs_buf_view(&buf), &small, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_generated),
		cmocka_unit_test(test_recorded),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_refused_fill),
		cmocka_unit_test(test_refused_changes),
		cmocka_unit_test(test_turns_follow_power),
		cmocka_unit_test(test_extreme_priorities),
		cmocka_unit_test(test_differences_wrap),
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_too_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
