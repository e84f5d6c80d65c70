/* What the ledger's contracts revert with, in words. */
#include "adapters/cometbft/revert.h"
#include "core/abi.h"
#include "tests/unit/support.h"

#include <string.h>

struct reverted {
	uint8_t memory[200];
	struct cs_buf buf;
	struct cs_abi abi;
};

static void begin(struct reverted *reverted, const char *signature)
{
	cs_buf_init(&reverted->buf, reverted->memory, sizeof reverted->memory);
	cs_abi_call(&reverted->abi, &reverted->buf, signature);
}

static void expect(const struct reverted *reverted, const char *want)
{
	char text[ADAPTER_CONTRACT_ERROR_MAX];
	comet_revert_text(text, cs_buf_view(&reverted->buf));
	assert_string_equal(text, want);
}

static void test_names_and_arguments(void **state)
{
	struct reverted reverted;
	const struct cs_address holder = {{[0] = 0xab, [19] = 0x01}};
	const struct cs_hash id = {{[31] = 0x07}};
	(void)state;
	begin(&reverted, "NotOperator()");
	expect(&reverted, "NotOperator()");
	begin(&reverted, "LeaseHeld(address,uint64)");
	cs_abi_put_address(&reverted.abi, &holder);
	cs_abi_put_u64(&reverted.abi, 1763836800);
	expect(&reverted, "LeaseHeld(0xab00000000000000000000000000000000000001, 1763836800)");
	begin(&reverted, "RecordKnown(bytes32,uint64)");
	cs_abi_put_word(&reverted.abi, &id);
	cs_abi_put_u64(&reverted.abi, UINT64_MAX);
	expect(&reverted,
	       "RecordKnown(0x0000000000000000000000000000000000000000000000000000000000000007, "
	       "18446744073709551615)");
}

/* A node chooses these bytes. */
static void test_what_does_not_fit_its_signature(void **state)
{
	struct reverted reverted;
	char text[ADAPTER_CONTRACT_ERROR_MAX];
	struct cs_hash most;
	(void)state;
	memset(most.b, 0xff, sizeof most.b);
	begin(&reverted, "LeaseHeld(address,uint64)");
	expect(&reverted, "LeaseHeld()");
	cs_put_u8(&reverted.buf, 1);
	expect(&reverted, "LeaseHeld()");
	begin(&reverted, "NotOperator()");
	cs_abi_put_word(&reverted.abi, &most);
	expect(&reverted, "NotOperator()");
	/* As long as the numbers may be. */
	begin(&reverted, "ParameterBounds(uint256,uint256)");
	cs_abi_put_word(&reverted.abi, &most);
	cs_abi_put_word(&reverted.abi, &most);
	comet_revert_text(text, cs_buf_view(&reverted.buf));
	assert_true(strlen(text) < sizeof text &&
		    strstr(text, "ParameterBounds(1157920892") == text);
}

/* What both kinds of chain have keeps its sentence; what nobody has keeps its selector. */
static void test_what_is_known_elsewhere_or_nowhere(void **state)
{
	struct reverted reverted;
	char text[ADAPTER_CONTRACT_ERROR_MAX];
	(void)state;
	begin(&reverted, "KeyNotActive()");
	comet_revert_text(text, cs_buf_view(&reverted.buf));
	assert_true(strstr(text, "KeyNotActive: ") == text);
	cs_buf_init(&reverted.buf, reverted.memory, sizeof reverted.memory);
	expect(&reverted, "the call gives no reason");
	cs_put_u32(&reverted.buf, 0x12345678);
	expect(&reverted, "error 0x12345678");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_and_arguments),
		cmocka_unit_test(test_what_does_not_fit_its_signature),
		cmocka_unit_test(test_what_is_known_elsewhere_or_nowhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
