/* Which gas account pays: the choice, by what is under way and what is left. */
#include "gateway/gateway.h"
#include "tests/unit/support.h"

#define COUNT 4u
#define HOLD_MS 4000u
#define NOW_MS 1000000u
#define MAX 8u
#define CALL_COST 1000u

static struct gateway_account pool[COUNT];

static int fill(void **state)
{
	(void)state;
	memset(pool, 0, sizeof(pool));
	for (size_t i = 0; i < COUNT; i++) {
		pool[i] = (struct gateway_account){.is_there = true,
						   .is_known = true,
						   .balance = cs_u256_u64(1000000000),
						   .call_cost = CALL_COST,
						   .moved_ms = NOW_MS};
		pool[i].address.b[19] = (uint8_t)i;
	}
	return 0;
}

static size_t choose(size_t last)
{
	return gateway_pool_choose(pool, COUNT, last, MAX, HOLD_MS, NOW_MS);
}

static void test_the_fewest_under_way(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		pool[i].open = (unsigned)(5 - i);
	assert_int_equal(choose(0), 3);
	pool[3].promised = 4; /* written down, not handed over */
	assert_int_equal(choose(0), 2);
}

static void test_equals_take_turns(void **state)
{
	(void)state;
	for (size_t last = 0; last < COUNT; last++)
		assert_int_equal(choose(last), (last + 1) % COUNT);
	/* one of a pool that was larger before */
	assert_int_equal(choose(13), 14 % COUNT);
}

static void test_one_that_is_empty_is_passed_over(void **state)
{
	(void)state;
	pool[1].balance = cs_u256_u64(0);
	assert_int_equal(choose(0), 2);
	/* however many the others have */
	for (size_t i = 0; i < COUNT; i++)
		pool[i].open = i == 1 ? 0 : MAX - 1;
	assert_int_equal(choose(0), 2);
}

static void test_one_that_pays_for_a_few_calls_is_passed_over(void **state)
{
	(void)state;
	pool[1].balance = cs_u256_u64(7 * CALL_COST);
	assert_int_equal(choose(0), 2);
	pool[1].balance = cs_u256_u64(8 * CALL_COST);
	assert_int_equal(choose(0), 1);
	/* Its first calls cost what those of the others do. */
	pool[1].call_cost = 0;
	pool[1].balance = cs_u256_u64(7 * CALL_COST);
	assert_int_equal(choose(0), 2);
}

static void test_one_that_could_not_pay_is_tried_again_later(void **state)
{
	(void)state;
	pool[1].is_out = true;
	pool[1].out_ms = NOW_MS - 59999;
	assert_int_equal(choose(0), 2);
	pool[1].out_ms = NOW_MS - 60000;
	assert_int_equal(choose(0), 1);
}

static void test_one_in_which_nothing_moves_is_passed_over(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		pool[i].open = 3;
	pool[1].open = 1;
	pool[1].moved_ms = NOW_MS - HOLD_MS;
	assert_int_equal(choose(0), 1);
	pool[1].moved_ms = NOW_MS - HOLD_MS - 1;
	assert_int_equal(choose(0), 2);
	/* nothing is under way, so nothing is held up */
	pool[1].open = 0;
	assert_int_equal(choose(0), 1);
}

static void test_one_whose_balance_nobody_told_comes_second(void **state)
{
	(void)state;
	pool[1].is_known = false;
	pool[0].open = pool[2].open = pool[3].open = 2;
	assert_int_equal(choose(0), 2);
	pool[0].balance = pool[2].balance = pool[3].balance = cs_u256_u64(0);
	assert_int_equal(choose(0), 1);
}

/* A single account that is empty, or waits, is used as before: there is no other. */
static void test_the_only_one_is_used_as_it_is(void **state)
{
	(void)state;
	pool[0].balance = cs_u256_u64(0);
	pool[0].is_out = true;
	pool[0].out_ms = NOW_MS;
	pool[0].open = 1;
	pool[0].moved_ms = 0;
	assert_int_equal(gateway_pool_choose(pool, 1, 0, MAX, HOLD_MS, NOW_MS), 0);
	pool[0].open = MAX;
	assert_true(gateway_pool_choose(pool, 1, 0, MAX, HOLD_MS, NOW_MS) == GATEWAY_POOL_NONE);
}

static void test_while_the_good_ones_are_full_nobody_takes_more(void **state)
{
	(void)state;
	pool[0].balance = cs_u256_u64(0);
	for (size_t i = 1; i < COUNT; i++)
		pool[i].open = MAX;
	assert_true(choose(0) == GATEWAY_POOL_NONE);
	pool[2].open--;
	assert_int_equal(choose(0), 2);
}

static void test_none_before_the_enclave_told_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		pool[i].is_there = false;
	assert_true(choose(0) == GATEWAY_POOL_NONE);
	pool[3].is_there = true;
	assert_int_equal(choose(0), 3);
}

/* ---- of a chain ---- */

static void make(struct gateway_chain *chain, struct gateway_chain_config *own, unsigned count)
{
	memset(chain, 0, sizeof(*chain));
	*own = (struct gateway_chain_config){.common = {.id = "eip155:1",
							.in_flight_max = 2,
							.replace_blocks = 4,
							.block_time_ms = 1000},
					     .gas_accounts = count};
	chain->own = own;
	chain->config = &own->common;
	for (size_t i = 0; i < COUNT; i++)
		chain->accounts[i] = pool[i];
}

static void test_what_is_written_down_counts(void **state)
{
	static struct gateway_chain chain;
	struct gateway_chain_config own;
	(void)state;
	make(&chain, &own, 2);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(gateway_pool_take(&chain)->b[19], (i + 1) % 2);
	assert_int_equal(chain.accounts[0].promised, 2);
	assert_int_equal(chain.accounts[1].promised, 2);
	assert_false(gateway_may_submit(&chain, GATEWAY_DELIVER, GATEWAY_LANE_NEW));
	/* Old messages have half of what two accounts may have under way. */
	chain.accounts[0].promised = chain.accounts[1].promised = 1;
	assert_false(gateway_may_submit(&chain, GATEWAY_DELIVER, GATEWAY_LANE_OLD));
	assert_true(gateway_may_submit(&chain, GATEWAY_DELIVER, GATEWAY_LANE_NEW));
	chain.accounts[1].promised = 0;
	assert_true(gateway_may_submit(&chain, GATEWAY_DELIVER, GATEWAY_LANE_OLD));
	own.common.in_flight_max = 1; /* rounded up: they are never left without any */
	assert_true(gateway_may_submit(&chain, GATEWAY_DELIVER, GATEWAY_LANE_OLD));
	/* A batch of more parts is written all the same, and never beyond the pool. */
	assert_true(gateway_pool_take(&chain)->b[19] < 2);
}

static void test_an_account_is_found_by_its_address(void **state)
{
	static struct gateway_chain chain;
	struct gateway_chain_config own;
	const struct cs_address other = {{1}};
	(void)state;
	make(&chain, &own, 2);
	/* in the pool no more, but the enclave's */
	assert_int_equal(gateway_pool_index(&chain, &pool[3].address), 3);
	assert_true(gateway_pool_index(&chain, &other) == GATEWAY_POOL_NONE);
	/* what the operator's account has is not the enclave's */
	chain.accounts[GATEWAY_ACCOUNT_OPERATOR] =
		(struct gateway_account){.is_there = true, .address = other};
	assert_true(gateway_pool_index(&chain, &other) == GATEWAY_POOL_NONE);
}

static void test_the_chain_is_out_when_all_are(void **state)
{
	static struct gateway_chain chain;
	struct gateway_chain_config own;
	(void)state;
	make(&chain, &own, 2);
	chain.accounts[0].is_out = true;
	chain.accounts[0].out_ms = host_now_ms();
	assert_false(gateway_pool_is_out(&chain));
	assert_true(gateway_pool_has_better(&chain, &chain.accounts[0]));
	assert_false(gateway_pool_has_better(&chain, &chain.accounts[1]));
	chain.accounts[1].is_out = true;
	assert_true(gateway_pool_is_out(&chain)); /* the third is in no pool */
	chain.accounts[1].is_out = false;
	chain.accounts[1].balance = cs_u256_u64(0);
	assert_true(gateway_pool_is_out(&chain));
	/* An account that is empty is no trouble while nothing wants to be paid. */
	chain.accounts[0].is_out = false;
	chain.accounts[0].balance = cs_u256_u64(0);
	assert_false(gateway_pool_is_out(&chain));
}

static void test_what_waits_for_money_says_so_while_there_is_none(void **state)
{
	static struct gateway gateway;
	struct gateway_chain_config own;
	struct gateway_chain *chain = &gateway.chains[0];
	struct gateway_message m = {.side = RELAY_DESTINATION, .state = RELAY_SIGNED};
	char text[2 * GATEWAY_WHY_MAX];
	(void)state;
	make(chain, &own, 1);
	chain->identity.b[0] = 1;
	m.chain = chain->identity;
	gateway.chain_count = 1;
	assert_null(gateway_unpaid_why(&gateway, &m, text, sizeof(text)));
	chain->accounts[0].is_out = true;
	assert_string_equal(gateway_unpaid_why(&gateway, &m, text, sizeof(text)),
			    "no-funds: the gas account cannot pay, send money to "
			    "0x0000000000000000000000000000000000000000 on eip155:1");
	/* What waits for something else has its own reason, but with a transaction it waits for that. */
	snprintf(m.why, sizeof(m.why), "unavailable: no node answers");
	assert_null(gateway_unpaid_why(&gateway, &m, text, sizeof(text)));
	m.submission = 3;
	assert_non_null(gateway_unpaid_why(&gateway, &m, text, sizeof(text)));
	m.state = RELAY_SUBMITTED;
	assert_non_null(gateway_unpaid_why(&gateway, &m, text, sizeof(text)));
	m.state = RELAY_INCLUDED; /* a block took it */
	assert_null(gateway_unpaid_why(&gateway, &m, text, sizeof(text)));
	m.side = RELAY_SOURCE; /* the other gateway delivers */
	m.state = RELAY_SIGNED;
	assert_null(gateway_unpaid_why(&gateway, &m, text, sizeof(text)));
	m.state = RELAY_OUTCOME_VERIFIED;
	m.outcome_statement = 4;
	assert_non_null(gateway_unpaid_why(&gateway, &m, text, sizeof(text)));
	m.end_height = 5; /* done */
	assert_null(gateway_unpaid_why(&gateway, &m, text, sizeof(text)));
	m.end_height = 0;
	chain->accounts[0].is_out = false;
	assert_null(gateway_unpaid_why(&gateway, &m, text, sizeof(text)));
	chain->accounts[0].is_out = true;
	m.chain.b[0] = 2; /* a chain that is not served any more */
	assert_null(gateway_unpaid_why(&gateway, &m, text, sizeof(text)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_the_fewest_under_way, fill),
		cmocka_unit_test_setup(test_equals_take_turns, fill),
		cmocka_unit_test_setup(test_one_that_is_empty_is_passed_over, fill),
		cmocka_unit_test_setup(test_one_that_pays_for_a_few_calls_is_passed_over, fill),
		cmocka_unit_test_setup(test_one_that_could_not_pay_is_tried_again_later, fill),
		cmocka_unit_test_setup(test_one_in_which_nothing_moves_is_passed_over, fill),
		cmocka_unit_test_setup(test_one_whose_balance_nobody_told_comes_second, fill),
		cmocka_unit_test_setup(test_the_only_one_is_used_as_it_is, fill),
		cmocka_unit_test_setup(test_while_the_good_ones_are_full_nobody_takes_more, fill),
		cmocka_unit_test_setup(test_none_before_the_enclave_told_them, fill),
		cmocka_unit_test_setup(test_what_is_written_down_counts, fill),
		cmocka_unit_test_setup(test_an_account_is_found_by_its_address, fill),
		cmocka_unit_test_setup(test_the_chain_is_out_when_all_are, fill),
		cmocka_unit_test_setup(test_what_waits_for_money_says_so_while_there_is_none, fill),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
