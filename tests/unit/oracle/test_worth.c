/* What bringing an answer may cost: bounds to the unit, and no overflow that lets one through. */
#include "oracle/worth.h"
#include "tests/unit/support.h"

static void gas_grows_with_what_is_brought(void **state)
{
	(void)state;
	const uint64_t bare = oracle_worth_gas(0, 0, false);
	assert_int_equal(bare, 75000 + 544 * 40);
	assert_int_equal(oracle_worth_gas(0, 32, false) - bare, 32 * 40);
	assert_int_equal(oracle_worth_gas(320000, 0, false) - bare, 330000);
	assert_int_equal(oracle_worth_gas(0, 0, true) - bare, 115000);
	/* what no contract takes does not wrap around to little */
	assert_true(oracle_worth_gas(UINT64_MAX, 0, true) > UINT64_MAX / 4);
}

static void a_fee_pays_or_not(void **state)
{
	(void)state;
	const struct cs_u256 fee = cs_u256_u64(1000000);
	assert_true(oracle_worth_paid(&fee, 100000, 10, 100));
	assert_false(oracle_worth_paid(&fee, 100001, 10, 100));
	assert_false(oracle_worth_paid(&fee, 100000, 10, 101));
	assert_true(oracle_worth_paid(&fee, 200000, 10, 50));
	assert_false(oracle_worth_paid(&fee, 200000, 10, 51));
}

static void without_a_minimum_any_fee_will_do(void **state)
{
	(void)state;
	const struct cs_u256 none = cs_u256_u64(0);
	assert_true(oracle_worth_paid(&none, UINT64_MAX, UINT64_MAX, 0));
	assert_false(oracle_worth_paid(&none, 1, 1, 1));
	assert_true(oracle_worth_paid(&none, 1, 0, 1)); /* gas that costs nothing */
}

static void large_figures_do_not_wrap(void **state)
{
	(void)state;
	struct cs_hash word;
	memset(word.b, 0xff, sizeof(word.b));
	const struct cs_u256 most = cs_u256_from_word(&word);
	const struct cs_u256 one = cs_u256_u64(1);
	assert_true(oracle_worth_paid(&most, UINT64_MAX, UINT64_MAX, 10000));
	assert_false(oracle_worth_paid(&one, UINT64_MAX, UINT64_MAX, 10000));
}

static const struct oracle_worth_limits limits = {
	.callback_gas_max = 300000, .asker_gas_max = 1000000, .gas_max = 2000000};

static void what_brings_no_fee_is_bounded(void **state)
{
	(void)state;
	assert_null(oracle_worth_unpaid(&limits, 300000, 500000, 0, 0));
	assert_non_null(oracle_worth_unpaid(&limits, 300001, 500000, 0, 0));
	/* of one asker */
	assert_null(oracle_worth_unpaid(&limits, 0, 500000, 500000, 500000));
	assert_non_null(oracle_worth_unpaid(&limits, 0, 500001, 500000, 500000));
	/* of all */
	assert_null(oracle_worth_unpaid(&limits, 0, 500000, 0, 1500000));
	assert_non_null(oracle_worth_unpaid(&limits, 0, 500001, 0, 1500000));
	/* more was allowed before than is now: after a change of the configuration */
	assert_non_null(oracle_worth_unpaid(&limits, 0, 1, 1000001, 1000001));
	assert_non_null(oracle_worth_unpaid(&limits, 0, UINT64_MAX, 1, 1));
}

static void a_limit_of_nothing_brings_nothing(void **state)
{
	(void)state;
	const struct oracle_worth_limits none = {300000, 0, 2000000};
	assert_non_null(oracle_worth_unpaid(&none, 0, 1, 0, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gas_grows_with_what_is_brought),
		cmocka_unit_test(a_fee_pays_or_not),
		cmocka_unit_test(without_a_minimum_any_fee_will_do),
		cmocka_unit_test(large_figures_do_not_wrap),
		cmocka_unit_test(what_brings_no_fee_is_bounded),
		cmocka_unit_test(a_limit_of_nothing_brings_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
