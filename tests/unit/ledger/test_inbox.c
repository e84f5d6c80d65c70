#include "relay_state/ledger/gateway.h"
#include "relay_state/ledger/inbox.h"
#include "tests/unit/ledger/contract_lab.h"

#define INBOX LEDGER_INBOX_NUMBER

static const struct ledger_contract *const contracts[] = {&ledger_inbox};
static uint8_t memory[CS_PAYLOAD_SIZE_MAX + 1000];

static int set_up(void **state)
{
	struct lab *lab = lab_new(contracts, CS_LEN(contracts));
	lab->from = ledger_contract_address(LEDGER_GATEWAY_NUMBER);
	*state = lab;
	return 0;
}

static int tear_down(void **state)
{
	lab_free(*state);
	return 0;
}

static struct cs_bytes calldata(uint8_t id, struct cs_bytes sender, struct cs_bytes payload)
{
	const struct cs_hash word = lab_byte_word(id);
	struct cs_buf buf;
	struct cs_abi abi;
	cs_buf_init(&buf, memory, sizeof memory);
	cs_abi_call(&abi, &buf, "receiveMessage(bytes32,bytes,bytes)");
	cs_abi_put_word(&abi, &word);
	size_t a = cs_abi_slot(&abi), b = cs_abi_slot(&abi);
	cs_abi_put_bytes(&abi, a, sender);
	cs_abi_put_bytes(&abi, b, payload);
	assert_ok(cs_buf_end(&buf));
	return cs_buf_view(&buf);
}

static void assert_last(struct lab *lab, const char *function, const char *text)
{
	struct cs_bytes value;
	struct cs_abi_reader in;
	assert_ok(cs_abi_read(&in, lab_call(lab, INBOX, function, LAB_NONE), 1));
	assert_ok(cs_abi_get_bytes(&in, CS_PAYLOAD_SIZE_MAX, &value));
	assert_ok(cs_abi_end(&in));
	assert_bytes(value, cs_bytes_str(text));
}

static void test_table(void **state)
{
	(void)state;
	lab_check_table(&ledger_inbox);
}

static void test_empty(void **state)
{
	struct lab *lab = *state;
	assert_last(lab, "lastPayload()", "");
	assert_last(lab, "lastSender()", "");
	assert_hash(lab_ask(lab, INBOX, "received()", LAB_NONE), lab_word(0));
	assert_hash(lab_ask(lab, INBOX, "lastId()", LAB_NONE), lab_word(0));
}

static void test_keeps_the_newest(void **state)
{
	struct lab *lab = *state;
	struct cs_bytes output;
	assert_true(
		lab_try(lab, &output, INBOX,
			calldata(1, cs_bytes_str("alice"), cs_bytes_str("a longer first one"))));
	/* The selector, left in its word: what a gateway takes as "received". */
	static const uint8_t magic[32] = {0x24, 0x32, 0xef, 0x26};
	assert_bytes(output, CS_BYTES_OF(magic));
	assert_int_equal(lab_log_count(lab, "Received(bytes32,bytes,bytes)"), 1);
	assert_hash(lab_log(lab, "Received(bytes32,bytes,bytes)", 0)->topics[1], lab_byte_word(1));
	lab_next_block(lab, 1);
	assert_true(lab_try(lab, &output, INBOX,
			    calldata(2, cs_bytes_str("bob"), cs_bytes_str("second"))));
	assert_last(lab, "lastPayload()", "second");
	assert_last(lab, "lastSender()", "bob");
	assert_hash(lab_ask(lab, INBOX, "lastId()", LAB_NONE), lab_byte_word(2));
	assert_hash(lab_ask(lab, INBOX, "received()", LAB_NONE), lab_word(2));
}

static void test_the_largest(void **state)
{
	static uint8_t payload[CS_PAYLOAD_SIZE_MAX + 1];
	struct lab *lab = *state;
	struct cs_bytes output;
	memset(payload, 0x61, sizeof payload);
	assert_true(
		lab_try(lab, &output, INBOX,
			calldata(1, cs_bytes_str("alice"), cs_bytes(payload, sizeof payload - 1))));
	/* One byte more is no message. */
	assert_false(
		lab_try(lab, &output, INBOX,
			calldata(2, cs_bytes_str("alice"), cs_bytes(payload, sizeof payload))));
	assert_hash(lab_ask(lab, INBOX, "received()", LAB_NONE), lab_word(1));
}

static void test_refusals(void **state)
{
	struct lab *lab = *state;
	lab->value = cs_u256_u64(1);
	lab_fund(lab, &lab->from, 10);
	lab_refuse_input(lab, INBOX, calldata(1, cs_bytes_str("a"), cs_bytes_str("b")),
			 "ValueUnexpected()", LAB_NONE);
	lab->from = lab_address(0xaa);
	lab_refuse_input(lab, INBOX, calldata(1, cs_bytes_str("a"), cs_bytes_str("b")),
			 "OnlyGateway()", LAB_NONE);
	assert_hash(lab_ask(lab, INBOX, "received()", LAB_NONE), lab_word(0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_table, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_empty, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_keeps_the_newest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_largest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
