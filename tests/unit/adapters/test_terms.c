#include "adapters/evm/submit_inner.h"
#include "common.h"

#define GWEI 1000000000ull

static void test_bump(void **state)
{
	struct adapter_fees fees = {
		.base_fee_wei = 1, .max_fee_wei = 10, .max_priority_fee_wei = 1};
	struct adapter_terms terms = {.max_fee_wei = 8 * GWEI + 1, .max_priority_fee_wei = 0};

	(void)state;
	for (unsigned i = 0; i < 30; i++) {
		struct adapter_terms old = terms;

		assert_ok(evm_terms_bump(&terms, &fees, UINT64_MAX));
		assert_true(terms.max_fee_wei * 8 >= old.max_fee_wei * 9);
		assert_true(terms.max_priority_fee_wei * 8 >= old.max_priority_fee_wei * 9);
		assert_true(terms.max_priority_fee_wei > old.max_priority_fee_wei);
		assert_true(terms.max_priority_fee_wei <= terms.max_fee_wei);
	}
	fees.max_fee_wei = 900 * GWEI; /* the chain asks for more than the eighth */
	assert_ok(evm_terms_bump(&terms, &fees, UINT64_MAX));
	assert_int_equal(terms.max_fee_wei, 900 * GWEI);
}

static void test_cap(void **state)
{
	struct adapter_fees fees = {.max_fee_wei = 100, .max_priority_fee_wei = 10};
	struct adapter_terms terms = {.max_fee_wei = 80, .max_priority_fee_wei = 8};
	struct adapter_terms before;

	(void)state;
	assert_ok(evm_terms_bump(&terms, &fees, 90)); /* the eighth fits, what is asked does not */
	assert_int_equal(terms.max_fee_wei, 90);
	before = terms;
	assert_err(POLICY_FEE, evm_terms_bump(&terms, &fees, 100));
	assert_memory_equal(&terms, &before, sizeof(terms));
	terms = (struct adapter_terms){.max_fee_wei = UINT64_MAX - 1, .max_priority_fee_wei = 1};
	assert_err(POLICY_FEE, evm_terms_bump(&terms, &fees, UINT64_MAX - 1));
}

static void test_legacy(void **state)
{
	struct adapter_fees fees = {.max_fee_wei = 0, .legacy = true};
	struct adapter_terms terms = {.gas_limit = 1};

	(void)state;
	assert_ok(evm_terms_first(&terms, &fees, 10)); /* chains without a price */
	assert_true(terms.legacy && terms.max_fee_wei == 0 && terms.max_priority_fee_wei == 0);
	assert_ok(evm_terms_bump(&terms, &fees, 10));
	assert_true(terms.max_fee_wei == 1 && terms.max_priority_fee_wei == 0);
	fees.max_fee_wei = 11;
	assert_err(POLICY_FEE, evm_terms_first(&terms, &fees, 10));
}

static void test_first(void **state)
{
	struct adapter_fees fees = {
		.base_fee_wei = 50, .max_fee_wei = 110, .max_priority_fee_wei = 10};
	struct adapter_terms terms = {.gas_limit = 1};

	(void)state;
	assert_ok(evm_terms_first(&terms, &fees, 200));
	assert_true(terms.max_fee_wei == 110 && terms.max_priority_fee_wei == 10 && !terms.legacy);
	assert_ok(evm_terms_first(&terms, &fees, 60));
	assert_true(terms.max_fee_wei == 60 && terms.max_priority_fee_wei == 10);
	fees.max_priority_fee_wei = 100;
	assert_ok(evm_terms_first(&terms, &fees, 60));
	assert_int_equal(terms.max_priority_fee_wei, 60);
	assert_err(POLICY_FEE, evm_terms_first(&terms, &fees, 49));
}

static void test_cursor(void **state)
{
	struct adapter_cursor cursor = {.count = 3};
	struct adapter_cursor back = {.count = 0};
	uint8_t bytes[ADAPTER_CURSOR_SIZE_MAX];
	size_t size;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		cursor.recent[i] =
			(struct adapter_block_id){.height = 100 + i, .hash = {{(uint8_t)i}}};
	assert_ok(adapter_cursor_encode(bytes, sizeof(bytes), &size, &cursor));
	assert_int_equal(size, 128);
	assert_ok(adapter_cursor_decode(&back, cs_bytes(bytes, size)));
	assert_int_equal(back.count, 3);
	assert_int_equal(back.recent[2].height, 102);
	assert_err(TRUNCATED, adapter_cursor_decode(&back, cs_bytes(bytes, size - 1)));
	assert_err(TRAILING, adapter_cursor_decode(&back, cs_bytes(bytes, size + 1)));
	bytes[8 + 40 + 7] = 150; /* a gap */
	assert_err(MALFORMED, adapter_cursor_decode(&back, cs_bytes(bytes, size)));
	bytes[7] = 65;
	assert_err(TOO_LARGE, adapter_cursor_decode(&back, cs_bytes(bytes, sizeof(bytes))));
	assert_err(TRUNCATED, adapter_cursor_decode(&back, CS_BYTES_NONE));
	assert_err(TOO_LARGE, adapter_cursor_encode(bytes, 20, &size, &cursor));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bump),   cmocka_unit_test(test_cap),
		cmocka_unit_test(test_legacy), cmocka_unit_test(test_first),
		cmocka_unit_test(test_cursor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
