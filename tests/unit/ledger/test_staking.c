/* Deposits and the set, one rule at a time. Each block of a test compares all sums with their parts
 * (staking_world.h). */
#include "tests/unit/ledger/staking_lab.h"

/* ---- genesis ---- */

static void test_genesis(void **state)
{
	struct world *world = *state;
	const struct staking_totals totals = world_totals(world);
	assert_int_equal(low(&totals.bonded), 4 * BOND);
	assert_int_equal(low(&totals.supply), 4 * BOND + WORLD_KEYS * WORLD_FUNDS);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(world_power(world, i), BOND / 100);
}

static void refuse_genesis(const char *section, size_t count, int64_t power, enum cs_err want)
{
	struct world *world = world_new();
	struct abci_validator_update items[LEDGER_VALIDATORS_MAX];
	for (size_t i = 0; i < count; i++)
		items[i] = (struct abci_validator_update){
			{ABCI_KEY_ED25519, CS_BYTES_OF(world->keys[i].key.b)}, power};
	const struct abci_validator_updates updates = {items, count};
	if (section == NULL)
		section = world_section(world, 2, 2000000);
	assert_int_equal(world_found(world, NULL, section, &updates), want);
	assert_true(want == CS_OK || world->why.text[0] != 0);
	world_free(world);
}

static void test_genesis_refusals(void **state)
{
	(void)state;
	refuse_genesis(NULL, 2, 2, CS_OK);
	refuse_genesis(NULL, 2, 3, CS_ERR_INVALID);
	refuse_genesis(NULL, 1, 2, CS_ERR_INVALID);
	refuse_genesis(NULL, 3, 2, CS_ERR_INVALID);
	refuse_genesis("{\"validators\":[]}", 0, 1, CS_ERR_INVALID);
	refuse_genesis("{}", 0, 1, CS_ERR_MISSING_FIELD);
	refuse_genesis("{\"validators\":[],\"more\":1}", 0, 1, CS_ERR_UNKNOWN_FIELD);
#define ONE(key, bond)                                                                        \
	"{\"key\":\"0x" key "\",\"operator\":\"0x4040404040404040404040404040404040404040\"," \
	"\"bond\":\"" bond "\"}"
#define KEY "cecc1507dc1ddd7295951c290888f095adb9044d1b73d696e6df065d683bd4fc"
	refuse_genesis("{\"validators\":[" ONE(KEY, "999999") "]}", 1, 1, CS_ERR_INVALID);
	refuse_genesis("{\"validators\":[" ONE(KEY, "1000000") "," ONE(KEY, "1000000") "]}", 1, 1,
		       CS_ERR_DUPLICATE);
	/* 2^128: above the bound of the supply. */
	refuse_genesis("{\"validators\":[" ONE(KEY, "340282366920938463463374607431768211456") "]}",
		       1, 1, CS_ERR_OVERFLOW);
	refuse_genesis("{\"validators\":[" ONE(KEY, "-1") "]}", 1, 1, CS_ERR_MALFORMED);
}

/* Without a section nothing happens, and nothing can be called. */
static void test_not_founded(void **state)
{
	struct world *world = world_new();
	struct abci_validator_update item = {{ABCI_KEY_ED25519, CS_BYTES_OF(world->keys[0].key.b)},
					     10};
	struct cs_bytes output;
	struct ledger_end end = {0};
	const struct ledger_begin begin = {0};
	(void)state;
	assert_int_equal(world_found(world, NULL, NULL, &(struct abci_validator_updates){&item, 1}),
			 CS_OK);
	assert_false(world_register(world, &output, 1, 1000000));
	expect_output(output, "NoStaking()", NULL, 0);
	assert_false(world_do(world, &output, &world->owner, 0, STAKING, "totals()", NULL, 0));
	expect_output(output, "NoStaking()", NULL, 0);
	assert_false(world_do(world, &output, &world->owner, 0, STAKING, "epoch()", NULL, 0));
	expect_output(output, "NoStaking()", NULL, 0);
	struct ledger_call call = ledger_machine_as(&world->machine, &world->run, &ledger_staking);
	assert_int_equal(ledger_staking_begin(&call, &begin), CS_OK);
	assert_int_equal(ledger_staking_end(&call, &end), CS_OK);
	assert_int_equal(end.validator_updates.count, 0);
	world_free(world);
}

/* ---- deposits ---- */

static void test_register(void **state)
{
	struct world *world = *state;
	struct cs_bytes output;
	assert_false(world_register(world, &output, 9, 199));
	expect_output(output, "BondTooSmall(uint256)", LEDGER_WORDS(word(200)));
	assert_true(world_register(world, &output, 9, 700));
	const struct cs_hash address = address_word(world, 9);
	assert_true(cs_bytes_eq(output, CS_BYTES_OF(address.b)));
	assert_false(world_register(world, &output, 9, 700));
	expect_output(output, "ValidatorKnown()", NULL, 0);
	assert_int_equal(world_funds(world, &world->keys[9].operator), WORLD_FUNDS - 700);
	world_blocks(world, 1);
	assert_int_equal(world_power(world, 9), 7);
	/* It votes from the block after the next on, and earns from then on. */
	world_blocks(world, 3);
	assert_int_equal(world->last.count, 5);
}

static void test_foreign_key(void **state)
{
	struct world *world = *state;
	struct cs_bytes output;
	struct world_key own = world->keys[9];
	/* The key's holder signed for another operator. */
	world->keys[9].operator= world->keys[10].operator;
	uint8_t signature[CS_ED25519_SIGNATURE_SIZE];
	struct cs_hash words[3], tag = {{0xcc}};
	const struct cs_hash digest = ledger_validator_digest(&tag, &own.operator);
	assert_int_equal(cs_ed25519_sign(signature, &own.secret, CS_BYTES_OF(digest.b)), CS_OK);
	memcpy(words[0].b, own.key.b, 32);
	memcpy(words[1].b, signature, 32);
	memcpy(words[2].b, signature + 32, 32);
	const char *const call = "register(bytes32,bytes32,bytes32)";
	assert_false(
		world_do(world, &output, &world->keys[10].operator, 700, STAKING, call, words, 3));
	expect_output(output, "BadSignature()", NULL, 0);
	words[2].b[0] ^= 1;
	assert_false(world_do(world, &output, &own.operator, 700, STAKING, call, words, 3));
	expect_output(output, "BadSignature()", NULL, 0);
	words[2].b[0] ^= 1;
	assert_true(world_do(world, &output, &own.operator, 700, STAKING, call, words, 3));
	world->keys[9] = own;
	world_blocks(world, 1);
}

static void test_bond(void **state)
{
	struct world *world = *state;
	const struct cs_hash address = address_word(world, 0), unknown = address_word(world, 70);
	expect_refusal(world, 1, 100, "bond(address)", &address, 1, "NotOperator()");
	expect_refusal(world, 1, 100, "bond(address)", &unknown, 1, "ValidatorUnknown()");
	expect_refusal(world, 0, 0, "bond(address)", &address, 1, "NothingBonded()");
	expect_ok(world, 0, 250, "bond(address)", &address, 1);
	world_blocks(world, 1);
	assert_int_equal(world_power(world, 0), 12);
}

static void test_unbond(void **state)
{
	struct world *world = *state;
	const struct cs_hash all[] = {address_word(world, 0), word(BOND + 1)};
	const struct cs_hash nothing[] = {address_word(world, 0), word(0)};
	const struct cs_hash rest[] = {address_word(world, 0), word(BOND - 199)};
	const struct cs_address *operator= & world->keys[0].operator;
	expect_refusal(world, 0, 0, "unbond(address,uint256)", all, 2, "NotBonded()");
	expect_refusal(world, 0, 0, "unbond(address,uint256)", nothing, 2, "NotBonded()");
	expect_refusal(world, 1, 0, "unbond(address,uint256)", all, 2, "NotOperator()");
	too_small(world, 0, 0, "unbond(address,uint256)", rest, 2);
	unbond(world, 0, 300);
	world_blocks(world, 1);
	assert_int_equal(world_power(world, 0), 7);
	assert_int_equal(bonded(world, 0), 700);
	const struct staking_totals totals = world_totals(world);
	assert_int_equal(low(&totals.unbonding), 300);
	/* In the block of the second, and not before. */
	world_blocks(world, 18);
	assert_int_equal(world_funds(world, operator), WORLD_FUNDS);
	world_blocks(world, 1);
	assert_int_equal(world_funds(world, operator), WORLD_FUNDS + 300);
	assert_int_equal(log_count(world, "Released(address,uint256)"), 0);
}

static void test_unbondings_are_bounded(void **state)
{
	struct world *world = *state;
	const struct cs_hash one[] = {address_word(world, 0), word(1)};
	for (size_t i = 0; i < LEDGER_UNBONDINGS_MAX; i++)
		unbond(world, 0, 1);
	expect_refusal(world, 0, 0, "unbond(address,uint256)", one, 2, "TooManyUnbondings()");
	world_blocks(world, 21);
	unbond(world, 0, 1);
}

/* Not more in one block than there may be; the rest in the next ones. */
static void test_releases_are_bounded(void **state)
{
	struct world *world = *state;
	for (size_t i = 0; i < 3; i++) {
		for (size_t k = 0; k < LEDGER_UNBONDINGS_MAX; k++)
			unbond(world, i, 1);
	}
	const struct world_tells later = {.seconds = 100};
	world_begin(world, &later);
	assert_int_equal(log_count(world, "Released(address,uint256)"), LEDGER_RELEASES_MAX);
	world_end(world);
	struct staking_totals totals = world_totals(world);
	assert_int_equal(low(&totals.unbonding), 24 - LEDGER_RELEASES_MAX);
	world_blocks(world, 1);
	totals = world_totals(world);
	assert_int_equal(low(&totals.unbonding), 0);
}

/* ---- the set ---- */

static void test_leave_and_come_back(void **state)
{
	struct world *world = *state;
	const struct cs_hash address = address_word(world, 0);
	unbond(world, 0, BOND);
	world_blocks(world, 1);
	assert_int_equal(world_power(world, 0), 0);
	assert_int_equal(world->next.count, 3);
	too_small(world, 0, 199, "bond(address)", &address, 1);
	expect_ok(world, 0, 200, "bond(address)", &address, 1);
	world_blocks(world, 1);
	assert_int_equal(world_power(world, 0), 2);
}

static void test_last_validator(void **state)
{
	struct world *world = *state;
	const struct cs_hash words[] = {address_word(world, 3), word(BOND)};
	for (size_t i = 0; i < 3; i++)
		unbond(world, i, BOND);
	expect_refusal(world, 3, 0, "unbond(address,uint256)", words, 2, "LastValidator()");
	world_blocks(world, 3);
	assert_int_equal(world->now.count, 1);
	expect_refusal(world, 3, 0, "unbond(address,uint256)", words, 2, "LastValidator()");
	unbond(world, 3, BOND - 200);
	/* It is replaced in the block in which another comes. */
	struct cs_bytes output;
	assert_true(world_register(world, &output, 9, 200));
	unbond(world, 3, 200);
	world_blocks(world, 1);
	assert_int_equal(world->next.count, 1);
	assert_int_equal(world_power(world, 9), 2);
}

/* Whoever is slashed stays when nobody else is there: the chain goes on. */
static void test_last_is_slashed(void **state)
{
	struct world *world = *state;
	struct abci_misbehavior items[4];
	struct cs_bytes output;
	for (size_t i = 0; i < 4; i++)
		items[i] = world_evidence(world, i, ABCI_DUPLICATE_VOTE, 2, world->block.time_s);
	punish(world, items, 4);
	assert_int_equal(world->next.count, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(bonded(world, i), BOND - BOND / 10);
	assert_true(world_register(world, &output, 9, 200));
	world_blocks(world, 1);
	assert_int_equal(world->next.count, 1);
	assert_int_equal(world_power(world, 9), 2);
}

static void test_best_validators(void **state)
{
	struct world *world = *state;
	struct cs_bytes output;
	size_t joined = 0;
	/* 28 places are left; they are taken by the ten best at a time. */
	for (size_t i = 4; i < LEDGER_VALIDATORS_MAX + 2; i++)
		assert_true(world_register(world, &output, i, 1000 + 100 * i));
	world_blocks(world, 1);
	for (size_t i = 4; i < LEDGER_VALIDATORS_MAX + 2; i++)
		joined += world_power(world, i) != 0;
	assert_int_equal(joined, LEDGER_JOINS_MAX);
	assert_int_equal(world_power(world, LEDGER_VALIDATORS_MAX + 1), 10 + 33);
	world_blocks(world, 4);
	assert_int_equal(world->next.count, LEDGER_VALIDATORS_MAX);
	/* Of four with the least power, the two lowest addresses are in. */
	for (size_t i = 0; i < 4; i++) {
		size_t lower = 0;
		for (size_t k = 0; k < 4; k++)
			lower += memcmp(world->keys[k].address.b, world->keys[i].address.b, 20) < 0;
		assert_int_equal(world_power(world, i) != 0, lower < 2);
	}
}

static void test_seats(void **state)
{
	struct world *world = *state;
	struct cs_bytes output;
	for (size_t i = 4; i < LEDGER_SEATS_MAX; i++)
		assert_true(world_register(world, &output, i, 300));
	world_blocks(world, 4);
	assert_false(world_register(world, &output, LEDGER_SEATS_MAX, 300));
	expect_output(output, "SeatsFull()", NULL, 0);
	/* More than the last who waits: its seat. */
	assert_true(world_register(world, &output, LEDGER_SEATS_MAX, 400));
	world_blocks(world, 2);
	assert_true(world_power(world, LEDGER_SEATS_MAX) == 4);
	/* Who lost it has its deposit still, and takes it out, or adds to it. */
	size_t lost = 0;
	for (size_t i = 4; i < LEDGER_SEATS_MAX; i++) {
		const struct cs_hash address = address_word(world, i);
		assert_true(world_do(world, &output, &world->owner, 0, STAKING,
				     "validatorOf(address)", &address, 1));
		if (cs_be64(output.p + 3 * 32 + 24) == 0)
			lost = i;
	}
	assert_true(lost != 0);
	const struct cs_hash address = address_word(world, lost);
	expect_refusal(world, lost, 0, "bond(address)", &address, 1, "NothingBonded()");
	expect_ok(world, lost, 100, "bond(address)", &address, 1);
	unbond(world, lost, 400);
	world_blocks(world, 1);
}

/* A third leaves at a time. */
static void test_leaves_are_bounded(void **state)
{
	struct world *world = *state;
	struct cs_bytes output;
	struct abci_misbehavior items[LEDGER_VALIDATORS_MAX];
	for (size_t i = 4; i < LEDGER_VALIDATORS_MAX; i++)
		assert_true(world_register(world, &output, i, 1000));
	world_blocks(world, 5);
	assert_int_equal(world->last.count, LEDGER_VALIDATORS_MAX);
	for (size_t i = 0; i < 25; i++)
		items[i] = world_evidence(world, i, ABCI_DUPLICATE_VOTE, 2, world->block.time_s);
	punish(world, items, 25);
	assert_int_equal(world->next.count, LEDGER_VALIDATORS_MAX - LEDGER_LEAVES_MAX);
	world_blocks(world, 2);
	assert_int_equal(world->next.count, 7);
}

/* ---- questions ---- */

static void test_views(void **state)
{
	struct world *world = *state;
	struct cs_bytes output;
	const struct cs_hash address = address_word(world, 0), unknown = address_word(world, 70);
	unbond(world, 0, 100);
	assert_true(world_do(world, &output, &world->owner, 0, STAKING, "unbondingsOf(address)",
			     &address, 1));
	assert_int_equal(output.n, 5 * 32);
	assert_int_equal(cs_be64(output.p + 56), 1);
	assert_int_equal(cs_be64(output.p + 88), 100);
	assert_true(world_do(world, &output, &world->owner, 0, STAKING, "validators()", NULL, 0));
	assert_int_equal(output.n, (2 + 8) * 32);
	assert_true(world_do(world, &output, &world->owner, 0, STAKING, "seats()", NULL, 0));
	assert_int_equal(output.n, (2 + 8) * 32);
	assert_true(world_do(world, &output, &world->owner, 0, STAKING, "totals()", NULL, 0));
	assert_int_equal(output.n, 7 * 32);
	assert_int_equal(cs_be64(output.p + 56), 4 * BOND - 100);
	expect_refusal(world, 0, 0, "validatorOf(address)", &unknown, 1, "ValidatorUnknown()");
	expect_refusal(world, 0, 0, "unbondingsOf(address)", &unknown, 1, "ValidatorUnknown()");
	expect_refusal(world, 0, 0, "rewardsOf(address)", &unknown, 1, "ValidatorUnknown()");
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ledger_staking.function_count; i++) {
		const struct ledger_function *function = &ledger_staking.functions[i];
		const uint32_t selector = cs_be32(cs_abi_topic(function->signature).b);
		assert_int_equal(function->selector, selector);
		assert_int_equal(function->words > 0, strstr(function->signature, "()") == NULL);
		for (size_t k = 0; k < i; k++)
			assert_true(ledger_staking.functions[k].selector != selector);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		TEST(genesis),
		cmocka_unit_test(test_genesis_refusals),
		cmocka_unit_test(test_not_founded),
		TEST(register),
		TEST(foreign_key),
		TEST(bond),
		TEST(unbond),
		TEST(unbondings_are_bounded),
		TEST(releases_are_bounded),
		TEST(leave_and_come_back),
		TEST(last_validator),
		TEST(last_is_slashed),
		TEST(best_validators),
		TEST(seats),
		TEST(leaves_are_bounded),
		TEST(views),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
