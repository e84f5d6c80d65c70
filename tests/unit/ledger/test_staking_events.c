/* What a deposit pays and earns: evidence, downtime, rewards, efficiency. Each block of a test compares
 * all sums with their parts (staking_world.h). */
#include "tests/unit/ledger/staking_lab.h"

/* ---- evidence ---- */

static void test_double_vote(void **state)
{
	struct world *world = *state;
	const uint64_t then_s = world->block.time_s;
	const struct abci_misbehavior twice[] = {
		world_evidence(world, 2, ABCI_DUPLICATE_VOTE, 3, then_s),
		world_evidence(world, 2, ABCI_DUPLICATE_VOTE, 3, then_s)};
	const struct cs_hash address = address_word(world, 2);
	punish(world, twice, 2);
	assert_int_equal(bonded(world, 2), 900);
	assert_true(world_validator(world, 2).tombstoned);
	assert_int_equal(world_power(world, 2), 0);
	struct staking_totals totals = world_totals(world);
	assert_int_equal(low(&totals.burnt), 100);
	/* The same again, and another: it is out already. */
	punish(world, twice, 1);
	const struct abci_misbehavior other =
		world_evidence(world, 2, ABCI_LIGHT_CLIENT_ATTACK, 2, then_s);
	punish(world, &other, 1);
	assert_int_equal(bonded(world, 2), 900);
	/* For ever, whatever it does. */
	expect_refusal(world, 2, 100, "bond(address)", &address, 1, "IsTombstoned()");
	expect_refusal(world, 2, 0, "unjail(address)", &address, 1, "IsTombstoned()");
	struct cs_bytes output;
	assert_false(world_register(world, &output, 2, 1000));
	expect_output(output, "ValidatorKnown()", NULL, 0);
	/* What is left is its operator's, after the delay. */
	unbond(world, 2, 900);
	world_blocks(world, 21);
	assert_int_equal(world_funds(world, &world->keys[2].operator), WORLD_FUNDS + 900);
}

static void test_attack(void **state)
{
	struct world *world = *state;
	const struct abci_misbehavior item =
		world_evidence(world, 1, ABCI_LIGHT_CLIENT_ATTACK, 2, world->block.time_s);
	punish(world, &item, 1);
	assert_int_equal(bonded(world, 1), 800);
	assert_true(world_validator(world, 1).tombstoned);
}

static void test_evidence_of_nothing(void **state)
{
	struct world *world = *state;
	const uint64_t now_s = world->block.time_s;
	struct abci_misbehavior items[] = {
		world_evidence(world, 70, ABCI_DUPLICATE_VOTE, 2, now_s),
		world_evidence(world, 1, ABCI_MISBEHAVIOR_UNKNOWN, 2, now_s),
		world_evidence(world, 1, ABCI_DUPLICATE_VOTE, 2, now_s - 20),
		world_evidence(world, 1, ABCI_DUPLICATE_VOTE, 2, now_s),
		world_evidence(world, 1, ABCI_DUPLICATE_VOTE, 2, now_s),
		world_evidence(world, 1, ABCI_DUPLICATE_VOTE, 2, now_s),
	};
	items[3].validator.address.n = 19;
	items[4].height = -1;
	items[5].time.s = -1;
	punish(world, items, CS_LEN(items));
	assert_int_equal(bonded(world, 1), BOND);
	/* As old as the delay: it counts. */
	const struct abci_misbehavior old =
		world_evidence(world, 1, ABCI_DUPLICATE_VOTE, 2, world->block.time_s + 1 - 20);
	punish(world, &old, 1);
	assert_int_equal(bonded(world, 1), 900);
}

/* What left the deposit before it happened is free; what left it at that height or after is not. */
static void test_evidence_reaches_what_waits(void **state)
{
	struct world *world = *state;
	unbond(world, 0, 100); /* at height 4: votes at 5 still */
	world_blocks(world, 1);
	unbond(world, 0, 200); /* at 5 */
	world_blocks(world, 1);
	unbond(world, 0, 300); /* at 6 */
	world_blocks(world, 1);
	const struct abci_misbehavior item =
		world_evidence(world, 0, ABCI_DUPLICATE_VOTE, 6, world->block.time_s);
	punish(world, &item, 1);
	assert_int_equal(bonded(world, 0), 400 - 40);
	struct staking_totals totals = world_totals(world);
	assert_int_equal(low(&totals.unbonding), 100 + 180 + 270);
	assert_int_equal(low(&totals.burnt), 40 + 20 + 30);
	world_blocks(world, 30);
	assert_int_equal(world_funds(world, &world->keys[0].operator), WORLD_FUNDS + 550);
}

/* In the block in which it is due, evidence comes first. */
static void test_evidence_before_release(void **state)
{
	struct world *world = *state;
	unbond(world, 0, 500);
	const uint64_t then_s = world->block.time_s;
	world_blocks(world, 19);
	const struct abci_misbehavior item =
		world_evidence(world, 0, ABCI_DUPLICATE_VOTE, 4, then_s);
	punish(world, &item, 1);
	assert_int_equal(world_funds(world, &world->keys[0].operator), WORLD_FUNDS + 450);
}

static void test_community(void **state)
{
	struct world *world = world_new();
	(void)state;
	world_found_equal(world, 4, BOND, VALUES ",\"slash_to_community\":1");
	world_blocks(world, 2);
	const struct abci_misbehavior item =
		world_evidence(world, 0, ABCI_DUPLICATE_VOTE, 2, world->block.time_s);
	punish(world, &item, 1);
	struct staking_totals totals = world_totals(world);
	assert_int_equal(low(&totals.community), 100);
	assert_int_equal(low(&totals.burnt), 0);
	/* The owner of the parameters spends it, after the delay; nobody else does. */
	struct cs_hash words[] = {ledger_word_address(&world->owner), word(60)};
	struct cs_bytes output;
	expect_refusal(world, 0, 0, "payCommunity(address,uint256)", words, 2, "NotParameters()");
	uint8_t pay[68];
	const struct cs_hash topic = cs_abi_topic("payCommunity(address,uint256)");
	memcpy(pay, topic.b, 4);
	memcpy(pay + 4, words, 64);
	struct cs_buf buf;
	struct cs_abi abi;
	uint8_t scheduled[256];
	for (uint64_t amount = 60; amount <= 120; amount += 60) {
		pay[67] = (uint8_t)amount;
		cs_buf_init(&buf, scheduled, sizeof scheduled);
		cs_abi_call(&abi, &buf, "schedule(bytes)");
		cs_abi_put_bytes(&abi, cs_abi_slot(&abi), CS_BYTES_OF(pay));
		assert_true(world_call(world, &output, &world->owner, 0, PARAMETERS,
				       cs_buf_view(&buf)));
		world->block.time_s += 100;
		const bool paid =
			world_call(world, &output, &world->owner, 0, PARAMETERS, CS_BYTES_OF(pay));
		assert_int_equal(paid, amount == 60);
		if (!paid)
			expect_output(output, "CommunityHasLess()", NULL, 0);
	}
	assert_int_equal(world_funds(world, &world->owner), 60);
	world_blocks(world, 1);
	world_free(world);
}

/* ---- downtime ---- */

static void test_jail(void **state)
{
	struct world *world = *state;
	const struct cs_hash address = address_word(world, 3);
	for (size_t i = 0; i < 4; i++)
		block_without(world, 3);
	assert_int_equal(world_power(world, 3), 10);
	expect_refusal(world, 3, 0, "unjail(address)", &address, 1, "NotJailed()");
	block_without(world, 3);
	assert_int_equal(world_power(world, 3), 0);
	assert_int_equal(bonded(world, 3), BOND - 10);
	assert_int_equal(world_validator(world, 3).jailed_until_s, world->block.time_s + 5);
	/* It is asked for two more blocks, and not punished again. */
	block_without(world, 3);
	assert_int_equal(world->last.count, 4);
	block_without(world, 3);
	assert_int_equal(world->last.count, 3);
	assert_int_equal(bonded(world, 3), BOND - 10);
	struct cs_bytes output;
	const struct cs_hash until = word(world_validator(world, 3).jailed_until_s);
	assert_false(world_do(world, &output, &world->keys[3].operator, 0, STAKING,
			      "unjail(address)", &address, 1));
	expect_output(output, "JailedUntil(uint64)", &until, 1);
	world_blocks(world, 3);
	expect_refusal(world, 0, 0, "unjail(address)", &address, 1, "NotOperator()");
	expect_ok(world, 3, 0, "unjail(address)", &address, 1);
	world_blocks(world, 1);
	assert_int_equal(world_power(world, 3), 9);
	/* Its window is new: it may miss as many again. */
	world_blocks(world, 3);
	for (size_t i = 0; i < 4; i++)
		block_without(world, 3);
	assert_int_equal(world_validator(world, 3).jailed_until_s, 0);
	block_without(world, 3);
	assert_true(world_validator(world, 3).jailed_until_s != 0);
}

/* Four of any eight are allowed, for ever: a window, not a sum. */
static void test_window(void **state)
{
	struct world *world = *state;
	for (size_t i = 0; i < 40; i++) {
		if (i % 2 == 0)
			block_without(world, 3);
		else
			world_blocks(world, 1);
	}
	assert_int_equal(world_validator(world, 3).jailed_until_s, 0);
	world_blocks(world, 8);
	/* Nothing is left of it. */
	struct ledger_call call = ledger_machine_as(&world->machine, &world->run, &ledger_staking);
	struct staking_powers voters;
	assert_int_equal(staking_powers_get(&call, &voters, STAKING_VOTERS), CS_OK);
	for (size_t i = 0; i < voters.count; i++)
		assert_int_equal(voters.items[i].missed, 0);
}

/* Of another length it begins anew: heights mean other bits. */
static void test_window_changes(void **state)
{
	struct world *world = *state;
	for (size_t i = 0; i < 4; i++)
		block_without(world, 3);
	set_parameter(world, "downtime_window_blocks", 7);
	for (size_t i = 0; i < 4; i++)
		block_without(world, 3);
	assert_int_equal(world_validator(world, 3).jailed_until_s, 0);
	/* And what was missed is forgotten when it is heard of again. */
	set_parameter(world, "downtime_window_blocks", 9);
	world_blocks(world, 1);
	for (size_t i = 0; i < 4; i++)
		block_without(world, 3);
	assert_int_equal(world_validator(world, 3).jailed_until_s, 0);
	block_without(world, 3);
	assert_true(world_validator(world, 3).jailed_until_s != 0);
}

/* A shorter delay does not overtake: what was unbonded first is paid first. */
static void test_delay_changes(void **state)
{
	struct world *world = *state;
	unbond(world, 0, 100);
	set_parameter(world, "evidence_age_s", 1);
	set_parameter(world, "unbonding_s", 2000);
	unbond(world, 1, 100);
	set_parameter(world, "unbonding_s", 2);
	unbond(world, 2, 100);
	const struct world_tells tells = {.seconds = 1800};
	world_begin(world, &tells);
	world_end(world);
	assert_int_equal(world_funds(world, &world->keys[0].operator), WORLD_FUNDS + 100);
	assert_int_equal(world_funds(world, &world->keys[1].operator), WORLD_FUNDS);
	assert_int_equal(world_funds(world, &world->keys[2].operator), WORLD_FUNDS);
	world_begin(world, &tells);
	world_end(world);
	assert_int_equal(world_funds(world, &world->keys[1].operator), WORLD_FUNDS + 100);
	assert_int_equal(world_funds(world, &world->keys[2].operator), WORLD_FUNDS + 100);
}

/* A vote for nothing is no downtime, but earns nothing. */
static void test_votes_for_nothing(void **state)
{
	struct world *world = *state;
	enum abci_block_id_flag flags[4];
	struct cs_bytes output;
	const struct world_tells tells = {.flags = flags, .seconds = 1};
	for (size_t i = 0; i < 4; i++)
		flags[i] = cs_address_eq(&world->last.list[i].address, &world->keys[3].address)
				   ? ABCI_BLOCK_ID_NIL
				   : ABCI_BLOCK_ID_COMMIT;
	for (size_t k = 0; k < 9; k++) {
		world_pay_fees(world, &world->keys[9].operator, 300);
		world_begin(world, &tells);
		world_end(world);
	}
	assert_int_equal(world_validator(world, 3).jailed_until_s, 0);
	const struct cs_hash lazy = address_word(world, 3), busy = address_word(world, 0);
	assert_true(world_do(world, &output, &world->owner, 0, STAKING, "rewardsOf(address)", &lazy,
			     1));
	assert_int_equal(cs_be64(output.p + 24), 0);
	assert_true(world_do(world, &output, &world->owner, 0, STAKING, "rewardsOf(address)", &busy,
			     1));
	assert_int_equal(cs_be64(output.p + 24), 900);
}

/* ---- rewards ---- */

static void test_rewards(void **state)
{
	struct world *world = *state;
	const struct cs_hash address = address_word(world, 1);
	struct cs_bytes output;
	world_pay_fees(world, &world->keys[9].operator, 1001);
	world_blocks(world, 1);
	expect_refusal(world, 0, 0, "withdrawRewards(address)", &address, 1, "NotOperator()");
	expect_ok(world, 1, 0, "withdrawRewards(address)", &address, 1);
	assert_int_equal(world_funds(world, &world->keys[1].operator), WORLD_FUNDS + 250);
	/* A quarter is owed still, and in what four more make. */
	for (size_t i = 0; i < 4; i++) {
		world_pay_fees(world, &world->keys[9].operator, 1);
		world_blocks(world, 1);
	}
	assert_true(world_do(world, &output, &world->keys[1].operator, 0, STAKING,
			     "withdrawRewards(address)", &address, 1));
	assert_int_equal(cs_be64(output.p + 24), 1);
	expect_ok(world, 1, 0, "withdrawRewards(address)", &address, 1);
	assert_int_equal(world_funds(world, &world->keys[1].operator), WORLD_FUNDS + 251);
	world_blocks(world, 1);
}

/* By the power that voted, not by the one that is to come. */
static void test_rewards_follow_votes(void **state)
{
	struct world *world = *state;
	const struct cs_hash address = address_word(world, 0);
	expect_ok(world, 0, 1000, "bond(address)", &address, 1);
	for (size_t i = 0; i < 6; i++) {
		world_pay_fees(world, &world->keys[9].operator, 4000);
		world_blocks(world, 1);
	}
	/* Blocks 4 and 5, and the commits of 3, 4, 5 that 4, 5, 6 carry, had the old power. */
	struct cs_bytes output;
	assert_true(world_do(world, &output, &world->owner, 0, STAKING, "rewardsOf(address)",
			     &address, 1));
	assert_int_equal(cs_be64(output.p + 24), 3 * 1000 + 3 * 1600);
}

static void test_inflation(void **state)
{
	struct world *world = world_new();
	(void)state;
	world_found_equal(world, 4, BOND, VALUES ",\"inflation_ppm_per_year\":100000");
	const struct staking_totals before = world_totals(world);
	const struct world_tells hour = {.seconds = 3600}, year = {.seconds = 31557600};
	world_blocks(world, 1);
	world_begin(world, &hour);
	world_end(world);
	struct staking_totals totals = world_totals(world);
	/* A tenth in a year of 8766 hours. */
	assert_int_equal(low(&totals.minted), low(&before.supply) / 10 / 8766);
	assert_int_equal(low(&totals.supply), low(&before.supply) + low(&totals.minted));
	/* A chain that stood still for a year mints for an hour. */
	const uint64_t minted = low(&totals.minted);
	world_begin(world, &year);
	world_end(world);
	totals = world_totals(world);
	assert_in_range(low(&totals.minted), 2 * minted, 2 * minted + 12);
	world_blocks(world, 20);
	world_free(world);
}

static void test_efficiency(void **state)
{
	struct world *world = *state;
	struct cs_bytes output;
	uint64_t asked = 0, proposed = 0, expected = 0;
	/* Three blocks of it are gone, of which the first had no commit: eight more end it. */
	block_without(world, 2);
	world_blocks(world, 7);
	assert_int_equal(log_count(world, "EpochEnded(uint64)"), 0);
	assert_true(world_do(world, &output, &world->owner, 0, STAKING, "epoch()", NULL, 0));
	assert_int_equal(cs_be64(output.p + 24), 2);
	assert_int_equal(cs_be64(output.p + 56), 0);
	for (size_t i = 0; i < 4; i++) {
		const struct cs_hash words[] = {address_word(world, i), word(1)};
		assert_true(world_do(world, &output, &world->owner, 0, STAKING,
				     "efficiencyOf(address,uint64)", words, 2));
		assert_int_equal(cs_be64(output.p + 24), 10);
		assert_int_equal(cs_be64(output.p + 56), i == 2 ? 9 : 10);
		asked += cs_be64(output.p + 24);
		proposed += cs_be64(output.p + 88);
		expected += cs_be64(output.p + 120);
	}
	assert_int_equal(asked, 40);
	assert_int_equal(proposed, 11);
	assert_in_range(expected, 9999990, 10000000);
	/* The one under way, and one that never was. */
	world_blocks(world, 2);
	const struct cs_hash now[] = {address_word(world, 0), word(2)};
	assert_true(world_do(world, &output, &world->owner, 0, STAKING,
			     "efficiencyOf(address,uint64)", now, 2));
	assert_int_equal(cs_be64(output.p + 24), 2);
	const struct cs_hash never[] = {address_word(world, 0), word(65)};
	assert_true(world_do(world, &output, &world->owner, 0, STAKING,
			     "efficiencyOf(address,uint64)", never, 2));
	assert_int_equal(cs_be64(output.p + 24), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(double_vote),
		TEST(attack),
		TEST(evidence_of_nothing),
		TEST(evidence_reaches_what_waits),
		TEST(evidence_before_release),
		cmocka_unit_test(test_community),
		TEST(jail),
		TEST(window),
		TEST(window_changes),
		TEST(delay_changes),
		TEST(votes_for_nothing),
		TEST(rewards),
		TEST(rewards_follow_votes),
		cmocka_unit_test(test_inflation),
		TEST(efficiency),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
