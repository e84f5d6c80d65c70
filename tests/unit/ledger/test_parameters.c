/* Parameters: who may change them, when, within which bounds, and what the engine is told. */
#include "relay_state/ledger/timelock.h"
#include "tests/unit/ledger/staking_world.h"
#include "tests/unit/support.h"

#define PARAMETERS LEDGER_PARAMETERS_NUMBER
#define VALUES "\"power_unit\":100,\"unbonding_s\":200000"
/* Of the world's timelock. */
#define DELAY_S 100u

static int set_up(void **state)
{
	struct world *world = world_new();
	world_found_equal(world, 4, 1000, VALUES);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	world_free(*state);
	return 0;
}

static struct cs_hash name_word(const char *name)
{
	struct cs_hash word = {{0}};
	memcpy(word.b, name, strlen(name));
	return word;
}

static struct cs_bytes set_call(const char *name, uint64_t value)
{
	uint8_t *p = keep(68);
	const struct cs_hash topic = cs_abi_topic("set(bytes32,uint64)");
	const struct cs_hash words[] = {name_word(name), ledger_word_u64(value)};
	memcpy(p, topic.b, 4);
	memcpy(p + 4, words, sizeof words);
	return cs_bytes(p, 68);
}

static bool wrap(struct world *world, struct cs_bytes *output, const char *signature,
		 struct cs_bytes operation)
{
	struct cs_buf buf;
	struct cs_abi abi;
	cs_buf_init(&buf, keep(256), 256);
	cs_abi_call(&abi, &buf, signature);
	cs_abi_put_bytes(&abi, cs_abi_slot(&abi), operation);
	assert_int_equal(cs_buf_end(&buf), CS_OK);
	return world_call(world, output, &world->owner, 0, PARAMETERS, cs_buf_view(&buf));
}

/* Scheduled, waited for, done: is it done? */
static bool set(struct world *world, struct cs_bytes *output, const char *name, uint64_t value)
{
	const struct cs_bytes call = set_call(name, value);
	assert_true(wrap(world, output, "schedule(bytes)", call));
	world->block.time_s += DELAY_S;
	return world_call(world, output, &world->owner, 0, PARAMETERS, call);
}

static uint64_t get(struct world *world, const char *name)
{
	const struct cs_hash word = name_word(name);
	struct cs_bytes output;
	assert_true(world_do(world, &output, &world->keys[0].operator, 0, PARAMETERS,
			     "get(bytes32)", &word, 1));
	return cs_be64(output.p + 24);
}

static void expect_error(struct cs_bytes output, const char *error)
{
	const struct cs_hash topic = cs_abi_topic(error);
	assert_true(output.n >= 4);
	if (memcmp(output.p, topic.b, 4) != 0)
		fail_msg("reverts with %02x%02x%02x%02x, not %s", output.p[0], output.p[1],
			 output.p[2], output.p[3], error);
}

static void test_defaults(void **state)
{
	struct world *world = *state;
	assert_int_equal(get(world, "jail_s"), 600);
	assert_int_equal(get(world, "power_unit"), 100);
	assert_int_equal(get(world, "validators"), LEDGER_VALIDATORS_MAX);
	assert_int_equal(get(world, "versions_kept"), LEDGER_VERSIONS_KEPT_DEFAULT);
	const struct ledger_parameters parameters = ledger_parameters_default();
	struct cs_why why = {""};
	assert_int_equal(ledger_parameters_check(&parameters, &why), CS_OK);
}

static void test_set(void **state)
{
	struct world *world = *state;
	struct cs_bytes output;
	assert_true(set(world, &output, "jail_s", 7));
	assert_int_equal(get(world, "jail_s"), 7);
	/* One schedule is one change. */
	assert_false(
		world_call(world, &output, &world->owner, 0, PARAMETERS, set_call("jail_s", 7)));
	expect_error(output, "OperationUnknown()");
}

static void test_who_and_when(void **state)
{
	struct world *world = *state;
	const struct cs_bytes call = set_call("jail_s", 7);
	struct cs_bytes output;
	assert_false(world_call(world, &output, &world->owner, 0, PARAMETERS, call));
	expect_error(output, "OperationUnknown()");
	assert_true(wrap(world, &output, "schedule(bytes)", call));
	world->block.time_s += DELAY_S - 1;
	assert_false(world_call(world, &output, &world->owner, 0, PARAMETERS, call));
	expect_error(output, "OperationEarly(uint256)");
	world->block.time_s += 1;
	assert_false(world_call(world, &output, &world->keys[0].operator, 0, PARAMETERS, call));
	expect_error(output, "NotOwner()");
	assert_true(wrap(world, &output, "cancel(bytes)", call));
	assert_false(world_call(world, &output, &world->owner, 0, PARAMETERS, call));
	expect_error(output, "OperationUnknown()");
	assert_true(wrap(world, &output, "schedule(bytes)", call));
	world->block.time_s += DELAY_S + LEDGER_OPERATION_LIFETIME_S;
	assert_false(world_call(world, &output, &world->owner, 0, PARAMETERS, call));
	expect_error(output, "OperationLate()");
	assert_int_equal(get(world, "jail_s"), 600);
}

static void refuse(struct world *world, const char *name, uint64_t value, const char *error)
{
	struct cs_bytes output;
	if (set(world, &output, name, value))
		fail_msg("%s becomes %llu", name, (unsigned long long)value);
	expect_error(output, error);
}

static void test_bounds(void **state)
{
	struct world *world = *state;
	static const char bounds[] = "ParameterBounds(uint256,uint256)";
	refuse(world, "jail", 7, "ParameterUnknown(bytes32)");
	refuse(world, "jail_s", 0, bounds);
	refuse(world, "jail_s", 2592001, bounds);
	refuse(world, "validators", LEDGER_VALIDATORS_MAX + 1, bounds);
	refuse(world, "validators", 0, bounds);
	refuse(world, "power_unit", 0, bounds);
	refuse(world, "slash_double_vote_ppm", 1000001, bounds);
	refuse(world, "block_bytes", 4194305, bounds);
	refuse(world, "block_gas", (uint64_t)LEDGER_BLOCK_GAS + 1, bounds);
	refuse(world, "epoch_blocks", UINT64_MAX, bounds);
}

/* Deposits are held for longer than evidence is taken, whichever of the two changes. */
static void test_conflicts(void **state)
{
	struct world *world = *state;
	struct cs_bytes output;
	assert_int_equal(get(world, "evidence_age_s"), 172800);
	refuse(world, "unbonding_s", 172800, "ParameterConflict()");
	refuse(world, "evidence_age_s", 200000, "ParameterConflict()");
	assert_true(set(world, &output, "unbonding_s", 172801));
	assert_true(set(world, &output, "evidence_age_s", 1999));
	refuse(world, "unbonding_s", 1999, "ParameterConflict()");
	refuse(world, "downtime_missed_blocks", 8192, "ParameterConflict()");
	assert_true(set(world, &output, "downtime_missed_blocks", 100));
	refuse(world, "downtime_window_blocks", 100, "ParameterConflict()");
	assert_true(set(world, &output, "evidence_bytes", 1048576));
	refuse(world, "block_bytes", 1048575, "ParameterConflict()");
}

static void test_rules(void **state)
{
	struct world *world = *state;
	struct cs_bytes output;
	struct ledger_rules rules;
	assert_true(set(world, &output, "gas_price_min", 9));
	assert_true(set(world, &output, "versions_kept", 11));
	assert_true(set(world, &output, "block_gas", 12000000));
	assert_int_equal(ledger_rules_get(world->state, &rules), CS_OK);
	assert_int_equal(rules.gas_price_min.limb[0], 9);
	assert_int_equal(rules.versions_kept, 11);
	assert_int_equal(rules.block_gas, 12000000);
}

/* What its genesis did not say, with the first block; then when it changes, and once. */
static void test_engine_is_told(void **state)
{
	struct world *world = *state;
	struct cs_bytes output;
	const struct world_tells tells = {.seconds = 1};
	world_begin(world, &tells);
	world_end(world);
	const struct abci_consensus_params *params = world->end.param_updates;
	assert_non_null(params);
	world_blocks(world, 1);
	assert_null(world->end.param_updates);
	assert_true(set(world, &output, "block_bytes", 1000000));
	assert_true(set(world, &output, "jail_s", 5));
	world_begin(world, &tells);
	struct ledger_end end = {0};
	struct ledger_call call =
		ledger_machine_as(&world->machine, &world->run, &ledger_parameters_contract);
	const size_t mark = ledger_state_mark(world->state);
	assert_int_equal(ledger_parameters_end(&call, &end), CS_OK);
	assert_int_equal(end.param_updates->block->max_bytes, 1000000);
	assert_int_equal(end.param_updates->block->max_gas, LEDGER_BLOCK_GAS);
	assert_int_equal(end.param_updates->evidence->max_age_duration_ns, 172800000000000);
	assert_int_equal(end.param_updates->evidence->max_age_num_blocks, 100000);
	assert_int_equal(end.param_updates->evidence->max_bytes, 262144);
	assert_null(end.param_updates->version);
	ledger_state_revert(world->state, mark);
	world_end(world);
	assert_non_null(world->end.param_updates);
	world_blocks(world, 1);
	assert_null(world->end.param_updates);
}

/* More power for the same deposits: all of them are counted anew. */
static void test_power_unit(void **state)
{
	struct world *world = *state;
	struct cs_bytes output;
	world_blocks(world, 1);
	assert_int_equal(world_power(world, 0), 10);
	assert_true(set(world, &output, "power_unit", 10));
	world_blocks(world, 1);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(world_power(world, i), 100);
	assert_true(set(world, &output, "validators", 3));
	world_blocks(world, 1);
	assert_int_equal(world->next.count, 3);
	/* A minimum that nobody has leaves the set as it is. */
	assert_true(set(world, &output, "power_min", 101));
	world_blocks(world, 2);
	assert_int_equal(world->next.count, 3);
}

static void refuse_genesis(const char *section, enum cs_err want)
{
	struct world *world = world_new();
	struct abci_validator_update item = {{ABCI_KEY_ED25519, CS_BYTES_OF(world->keys[0].key.b)},
					     1};
	assert_int_equal(
		world_found(world, section, NULL, &(struct abci_validator_updates){&item, 1}),
		want);
	assert_true(want == CS_OK || world->why.text[0] != 0);
	world_free(world);
}

static void test_genesis(void **state)
{
	(void)state;
#define OWNER "\"owner\":\"0x4040404040404040404040404040404040404040\""
	refuse_genesis("{" OWNER ",\"delay_s\":0}", CS_OK);
	refuse_genesis("{" OWNER ",\"delay_s\":0,\"values\":{\"jail_s\":60}}", CS_OK);
	refuse_genesis("{\"delay_s\":0}", CS_ERR_MISSING_FIELD);
	refuse_genesis("{" OWNER "}", CS_ERR_MISSING_FIELD);
	refuse_genesis("{\"owner\":\"0x0000000000000000000000000000000000000000\",\"delay_s\":0}",
		       CS_ERR_INVALID);
	refuse_genesis("{" OWNER ",\"delay_s\":315360001}", CS_ERR_OVERFLOW);
	refuse_genesis("{" OWNER ",\"delay_s\":0,\"more\":1}", CS_ERR_UNKNOWN_FIELD);
	refuse_genesis("{" OWNER ",\"delay_s\":0,\"values\":{\"jail\":60}}", CS_ERR_UNKNOWN_FIELD);
	refuse_genesis("{" OWNER ",\"delay_s\":0,\"values\":{\"jail_s\":0}}", CS_ERR_INVALID);
	refuse_genesis("{" OWNER ",\"delay_s\":0,\"values\":{\"unbonding_s\":172800}}",
		       CS_ERR_INVALID);
}

static void test_views(void **state)
{
	struct world *world = *state;
	struct cs_bytes output;
	const struct cs_hash name = name_word("jail_s");
	assert_true(world_do(world, &output, &world->owner, 0, PARAMETERS, "boundsOf(bytes32)",
			     &name, 1));
	assert_int_equal(cs_be64(output.p + 24), 1);
	assert_int_equal(cs_be64(output.p + 56), 2592000);
	assert_true(world_do(world, &output, &world->owner, 0, PARAMETERS, "all()", NULL, 0));
	assert_int_equal(output.n, (4 + 2 * LEDGER_PARAMETER_COUNT) * 32);
	for (size_t i = 0; i < ledger_parameters_contract.function_count; i++) {
		const struct ledger_function *function = &ledger_parameters_contract.functions[i];
		const uint32_t selector = cs_be32(cs_abi_topic(function->signature).b);
		assert_int_equal(function->selector, selector);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(defaults),       TEST(set),
		TEST(who_and_when),   TEST(bounds),
		TEST(conflicts),      TEST(rules),
		TEST(engine_is_told), TEST(power_unit),
		TEST(views),          cmocka_unit_test(test_genesis),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
