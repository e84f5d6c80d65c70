/* Random lives of the staking contract: whatever is called, signed, missed and proven, the supply is
 * accounts + deposits + what waits + rewards + the community's, nothing overflows, the set that the
 * engine gets is never empty (staking_world.c compares after each block). A failure is a seed. */
#include "tests/unit/ledger/staking_steps.h"
#include "tests/unit/support.h"

#define LIVES 40u
#define BYTES 3000u

/* xorshift64*: any spread will do. */
static uint64_t next(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 2685821657736338717ull;
}

static void test_lives(void **state)
{
	struct staking_lived sum = {0};
	(void)state;
	for (uint64_t life = 1; life <= LIVES; life++) {
		uint8_t bytes[BYTES];
		struct staking_lived lived;
		uint64_t seed = life;
		for (size_t i = 0; i < sizeof bytes; i++)
			bytes[i] = (uint8_t)(next(&seed) >> 56);
		print_message("life %llu\n", (unsigned long long)life);
		staking_live(&lived, CS_BYTES_OF(bytes));
		sum.blocks += lived.blocks;
		sum.called += lived.called;
		sum.refused += lived.refused;
		sum.tombstoned += lived.tombstoned;
		sum.jailed += lived.jailed;
		sum.joined += lived.joined;
	}
	print_message(
		"%zu blocks, %zu calls, %zu refused, %zu tombstoned, %zu jailed, %zu joined\n",
		sum.blocks, sum.called, sum.refused, sum.tombstoned, sum.jailed, sum.joined);
	/* The lives were no sleep. */
	assert_true(sum.blocks > LIVES * 50);
	assert_true(sum.called > sum.blocks / 2 && sum.refused > sum.blocks);
	assert_true(sum.tombstoned > LIVES && sum.jailed > LIVES && sum.joined > LIVES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_lives)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
