/* How genesis founds the register and the records. */
#include "tests/unit/ledger/app_lab.h"

#define OWNER "\"owner\":\"0x1111111111111111111111111111111111111111\","
#define GUARDIAN "\"guardian\":\"0x2222222222222222222222222222222222222222\""
/* x of the generator, and of its double. */
#define ONE "\"0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798\""
#define TWO "\"0xc6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5\""
#define DELAYS ",\"delay_s\":60,\"rotation_delay_s\":120,\"overlap_s\":30,\"bond_delay_s\":5,"
#define REST "\"bond_min\":\"7\",\"lifetime_max_s\":1000"
#define ENCLAVES(threshold, administrators)                                                     \
	"{\"contracts\":{\"enclaves\":{" OWNER GUARDIAN DELAYS REST ",\"threshold\":" threshold \
	",\"administrators\":[" administrators "]}}}"

static int set_up(void **state)
{
	*state = app_lab_new();
	return 0;
}

static int tear_down(void **state)
{
	app_lab_free(*state);
	return 0;
}

static struct cs_bytes ask(struct app_lab *lab, uint8_t contract, const char *signature)
{
	uint8_t data[20 + 20 + 4] = {0};
	const struct cs_address to = ledger_contract_address(contract);
	const struct cs_bytes input = app_input(signature, NULL, 0);
	memcpy(data + 20, to.b, sizeof to.b);
	memcpy(data + 40, input.p, input.n);
	struct abci_query_response response = app_query(lab, "/call", CS_BYTES_OF(data), 0, false);
	assert_int_equal(response.code, 0);
	return response.value;
}

static void test_founded(void **state)
{
	struct app_lab *lab = *state;
	struct cs_bytes hash;
	assert_ok(app_lab_genesis(lab, ENCLAVES("2", ONE "," TWO), &hash));
	struct cs_bytes value = ask(lab, 4, "terms()");
	assert_int_equal(value.n, 96);
	assert_int_equal(value.p[31], 7);
	assert_int_equal(value.p[63], 5);
	assert_int_equal(cs_be64(value.p + 88), 1000);
	value = ask(lab, 4, "administrators()");
	assert_int_equal(value.n, 5 * 32);
	assert_int_equal(value.p[31], 2);
	/* Its identity is of this chain, as that of any contract. */
	value = ask(lab, 4, "identity()");
	assert_int_equal(value.n, 32);
	assert_false(cs_bytes_eq(value, cs_bytes((const uint8_t[32]){0}, 32)));
	assert_ok(app_lab_genesis(
		lab, "{\"contracts\":{\"records\":{" OWNER GUARDIAN ",\"delay_s\":60}}}", &hash));
	value = ask(lab, 5, "owner()");
	assert_int_equal(value.p[31], 0x11);
}

static void test_refused(void **state)
{
	struct app_lab *lab = *state;
	struct cs_bytes hash;
	static const struct {
		const char *text;
		enum cs_err err;
	} cases[] = {
		{ENCLAVES("0", ONE), CS_ERR_INVALID},
		{ENCLAVES("2", ONE), CS_ERR_INVALID},
		{ENCLAVES("1", ONE "," ONE), CS_ERR_INVALID},
		{ENCLAVES("17", ONE), CS_ERR_OVERFLOW},
		{ENCLAVES("1", "\"0x01\""), CS_ERR_MALFORMED},
		{ENCLAVES("1", "7"), CS_ERR_MALFORMED},
		{ENCLAVES("1", ONE) "x", CS_ERR_TRAILING},
		{"{\"contracts\":{\"enclaves\":{}}}", CS_ERR_MISSING_FIELD},
		{"{\"contracts\":{\"enclaves\":{\"what\":1}}}", CS_ERR_UNKNOWN_FIELD},
		{"{\"contracts\":{\"enclaves\":[]}}", CS_ERR_INVALID},
		{"{\"contracts\":{\"records\":{}}}", CS_ERR_MISSING_FIELD},
		{"{\"contracts\":{\"records\":{\"gateways\":[]}}}", CS_ERR_UNKNOWN_FIELD},
		{"{\"contracts\":{\"answers\":{}}}", CS_ERR_UNKNOWN_FIELD},
	};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		enum cs_err err = app_lab_genesis(lab, cases[i].text, &hash);
		if (err != cases[i].err)
			fail_msg("%s: %s (%s)", cases[i].text, cs_err_name(err), lab->why.text);
		assert_true(lab->why.text[0] != 0);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_founded),
		TEST(test_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
