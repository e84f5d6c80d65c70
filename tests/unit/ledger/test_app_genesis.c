/* What the application is founded with, and that nothing which is asked of it ends it. */
#include "relay_state/ledger/assets.h"
#include "relay_state/ledger/genesis.h"
#include "tests/unit/ledger/app_lab.h"

static struct cs_address user(const struct app_lab *lab, uint8_t key)
{
	return app_key_address(lab, key);
}

static int set_up(void **state)
{
	struct app_lab *lab = app_lab_new();
	app_lab_begin(lab);
	*state = lab;
	return 0;
}

static int tear_down(void **state)
{
	app_lab_free(*state);
	return 0;
}

static struct cs_bytes transfer(struct app_lab *lab, uint8_t key, uint64_t sequence, uint8_t to,
				uint64_t value)
{
	const struct app_tx tx = {
		.key = key, .sequence = sequence, .to = user(lab, to), .value = value};
	return app_sign(lab, &tx);
}

static struct cs_bytes creation(void)
{
	struct cs_buf buf;
	struct cs_abi abi;
	const struct cs_address minter = {{1}};
	cs_buf_init(&buf, keep(1000), 1000);
	cs_abi_call(&abi, &buf, "create(string,string,uint8,address)");
	size_t a = cs_abi_slot(&abi), b = cs_abi_slot(&abi);
	cs_abi_put_u64(&abi, 6);
	cs_abi_put_address(&abi, &minter);
	cs_abi_put_bytes(&abi, a, cs_bytes_str("Gold"));
	cs_abi_put_bytes(&abi, b, cs_bytes_str("AU"));
	return cs_buf_view(&buf);
}

static struct cs_bytes call_data(const struct cs_address *from, const struct cs_address *to,
				 struct cs_bytes input)
{
	uint8_t *p = keep(40 + input.n);
	memcpy(p, from->b, 20);
	memcpy(p + 20, to->b, 20);
	if (input.n > 0)
		memcpy(p + 40, input.p, input.n);
	return cs_bytes(p, 40 + input.n);
}

/* ---- genesis ---- */

struct exported {
	struct cs_buf text;
	size_t count;
};

static enum cs_err on_pair(void *context, struct cs_bytes key, struct cs_bytes value)
{
	struct exported *e = context;
	if (!ledger_is_exported(key))
		return CS_OK;
	ledger_export_pair(&e->text, key, value);
	e->count++;
	return CS_OK;
}

/* An export founds another chain with the same accounts, contracts and rules, under another tag. */
static void test_export(void **state)
{
	struct app_lab *lab = *state;
	const struct cs_address alice = user(lab, 1), dave = user(lab, 4);
	const struct cs_address assets = ledger_contract_address(LEDGER_ASSETS_NUMBER);
	struct exported e = {.count = 0};
	struct cs_bytes hash;
	struct app_tx tx = {.key = 1, .to = assets, .input = creation()};
	assert_int_equal(app_run(lab, app_sign(lab, &tx)).code, 0);
	assert_int_equal(app_run(lab, transfer(lab, 1, 1, 4, 100)).code, 0);
	const uint64_t balance = app_balance(lab, &alice);
	cs_buf_init(&e.text, keep(100000), 100000);
	cs_put_text(&e.text, "{\"pairs\":[\"0x");
	assert_ok(lab->table.scan(lab->table.context, LEDGER_VALUES, CS_BYTES_NONE, CS_BYTES_NONE,
				  on_pair, &e));
	cs_put_text(&e.text, "\"]}");
	cs_put_u8(&e.text, 0);
	assert_ok(cs_buf_end(&e.text));
	assert_true(e.count >= 7);
	struct app_lab *other = app_lab_new();
	if (app_lab_genesis(other, (const char *)e.text.p, &hash) != CS_OK)
		fail_msg("import: %s", other->why.text);
	assert_int_equal(app_balance(other, &alice), balance);
	assert_int_equal(app_sequence(other, &alice), 2);
	assert_int_equal(app_balance(other, &dave), 100);
	memcpy(other->chain.b, app_query(other, "/chain", CS_BYTES_NONE, 0, false).value.p, 32);
	assert_false(cs_hash_eq(&other->chain, &lab->chain));
	tx.sequence = 2;
	assert_int_equal(app_run(other, app_sign(other, &tx)).code, LEDGER_CODE_REVERTED);
	/* What was signed for the one chain is nothing on the other. */
	assert_int_equal(app_check(other, transfer(lab, 1, 3, 4, 1), ABCI_CHECK_TX_NEW).code,
			 LEDGER_CODE_WRONG_CHAIN);
	app_lab_free(other);
}

static void test_genesis_is_one_state(void **state)
{
	struct app_lab *lab = *state;
	struct cs_bytes hash;
	uint8_t first[32];
	assert_ok(app_lab_genesis(lab, "{}", &hash));
	memcpy(first, hash.p, 32);
	assert_ok(app_lab_genesis(lab, "", &hash));
	assert_memory_equal(hash.p, first, 32);
	assert_ok(app_lab_genesis(lab, "{\"accounts\":[]}", &hash));
	assert_memory_equal(hash.p, first, 32);
	/* Accounts in any order. */
#define ONE "{\"address\":\"0x0000000000000000000000000000000000000001\",\"balance\":\"1\"}"
#define TWO "{\"address\":\"0x0000000000000000000000000000000000000002\",\"balance\":\"2\"}"
	assert_ok(app_lab_genesis(lab, "{\"accounts\":[" ONE "," TWO "]}", &hash));
	memcpy(first, hash.p, 32);
	assert_ok(app_lab_genesis(lab, "{\"accounts\":[" TWO "," ONE "]}", &hash));
	assert_memory_equal(hash.p, first, 32);
}

static void test_refused_genesis(void **state)
{
	struct app_lab *lab = *state;
	struct cs_bytes hash;
	static const struct {
		const char *text;
		enum cs_err err;
	} cases[] = {
		{"[]", CS_ERR_INVALID},
		{"{", CS_ERR_TRUNCATED},
		{"{\"what\":1}", CS_ERR_UNKNOWN_FIELD},
		{"{\"accounts\":{}}", CS_ERR_INVALID},
		{"{\"accounts\":[{}]}", CS_ERR_MISSING_FIELD},
		{"{\"accounts\":[{\"address\":\"0x01\",\"balance\":\"1\"}]}", CS_ERR_MALFORMED},
		{"{\"accounts\":[" ONE "," ONE "]}", CS_ERR_DUPLICATE},
		{"{\"accounts\":[{\"address\":\"0x0000000000000000000000000000000000000003\","
		 "\"balance\":\"-1\"}]}",
		 CS_ERR_MALFORMED},
		{"{\"accounts\":[{\"address\":\"0x0000000000000000000000000000000000000003\","
		 "\"balance\":"
		 "\"115792089237316195423570985008687907853269984665640564039457584007913129639935"
		 "\""
		 "}," ONE "]}",
		 CS_ERR_OVERFLOW},
		{"{\"rules\":{\"versions_kept\":0}}", CS_ERR_INVALID},
		{"{\"rules\":{\"versions_kept\":100001}}", CS_ERR_OVERFLOW},
		{"{\"rules\":{\"gas_price_min\":\"340282366920938463463374607431768211456\"}}",
		 CS_ERR_INVALID},
		{"{\"rules\":{\"block_gas\":1}}", CS_ERR_UNKNOWN_FIELD},
		{"{\"contracts\":{\"nothing\":{}}}", CS_ERR_UNKNOWN_FIELD},
		{"{\"contracts\":{\"assets\":{}}}", CS_ERR_UNKNOWN_FIELD},
		{"{\"contracts\":{\"gateway\":{}}}", CS_ERR_MISSING_FIELD},
		{"{\"pairs\":[1]}", CS_ERR_TOO_LARGE},
		{"{\"pairs\":[\"0x\"]}", CS_ERR_TOO_LARGE},
		{"{\"pairs\":[\"0xzz\"]}", CS_ERR_MALFORMED},
		{"{\"pairs\":[\"0x0141\"]}", CS_ERR_TRUNCATED},
		{"{\"pairs\":[\"0x000000000161\"]}", CS_ERR_INVALID},                 /* no key */
		{"{\"pairs\":[\"0x014100000000\"]}", CS_ERR_INVALID},                 /* no value */
		{"{\"pairs\":[\"0x01410000000161014100000001ff\"]}", CS_ERR_INVALID}, /* twice */
		{"{\"pairs\":[\"0x014200000001610141000000016162\"]}", CS_ERR_INVALID},
		{"{\"pairs\":[\"0x06006368616967000000016161\"]}", CS_ERR_TRUNCATED},
		{"{\"pairs\":[\"0x06006368616966000000016106006368616966000000016a\"]}",
		 CS_ERR_INVALID},
		/* An account's pair that is none; the chain's tag. */
		{"{\"pairs\":[\"0x150000000000000000000000000000000000000000010000000161\"]}",
		 CS_ERR_INVALID},
		{"{\"pairs\":[\"0x0600636861696e0000000161\"]}", CS_ERR_INVALID},
	};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		enum cs_err err = app_lab_genesis(lab, cases[i].text, &hash);
		if (err != cases[i].err)
			fail_msg("%s: %s (%s)", cases[i].text, cs_err_name(err), lab->why.text);
		assert_true(lab->why.text[0] != 0);
	}
}

static void test_gateway_is_founded(void **state)
{
	struct app_lab *lab = *state;
	struct cs_bytes hash;
	const struct cs_address gateway = ledger_contract_address(1), zero = {{0}};
	static const char text[] = "{\"contracts\":{\"gateway\":{"
				   "\"owner\":\"0x1111111111111111111111111111111111111111\","
				   "\"guardian\":\"0x2222222222222222222222222222222222222222\","
				   "\"delay_s\":60,\"rotation_delay_s\":120,\"overlap_s\":60}}}";
	assert_ok(app_lab_genesis(lab, text, &hash));
	struct abci_query_response response = app_query(
		lab, "/call", call_data(&zero, &gateway, app_input("owner()", NULL, 0)), 0, false);
	assert_int_equal(response.code, 0);
	assert_int_equal(response.value.n, 32);
	assert_int_equal(response.value.p[31], 0x11);
}

/* Every contract founded at once. */
#define OWNERS                                                      \
	"\"owner\":\"0x1111111111111111111111111111111111111111\"," \
	"\"guardian\":\"0x2222222222222222222222222222222222222222\",\"delay_s\":60"
static const char founding[] =
	"{\"contracts\":{"
	"\"gateway\":{" OWNERS ",\"rotation_delay_s\":120,\"overlap_s\":60},"
	"\"bridge\":{" OWNERS ",\"window_s\":3600},"
	"\"enclaves\":{" OWNERS ",\"rotation_delay_s\":120,\"overlap_s\":60,"
	"\"threshold\":1,\"administrators\":["
	"\"0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798\"],"
	"\"bond_min\":\"1\",\"bond_delay_s\":60,\"lifetime_max_s\":86400},"
	"\"records\":{" OWNERS "},"
	"\"usage\":{" OWNERS ",\"arbiter\":\"0x3333333333333333333333333333333333333333\","
	"\"asset\":\"0x0000000000000000000000000000000000000000\",\"age_max_s\":3600,"
	"\"window_s\":3600,\"retention_s\":864000,"
	"\"metrics\":[{\"name\":\"cpu.seconds\",\"decimals\":3,\"unit\":\"s\"}]},"
	"\"tasks\":{\"insecure\":true}}}";

static void test_all_are_founded(void **state)
{
	struct app_lab *lab = *state;
	struct cs_bytes hash;
	char changed[sizeof founding];
	if (app_lab_genesis(lab, founding, &hash) != CS_OK)
		fail_msg("genesis: %s", lab->why.text);
	/* An administrator who is no point. */
	memcpy(changed, founding, sizeof founding);
	memcpy(strstr(changed, "79be667e"), "ffffffff", 8);
	assert_true(app_lab_genesis(lab, changed, &hash) != CS_OK);
}

/* Words that are often something: zeros, small numbers, offsets, all ones. */
static struct cs_bytes any_input(uint32_t selector, size_t words, uint32_t seed)
{
	const size_t size = 4 + 32 * (words + 6);
	uint8_t *p = keep(size);
	cs_put_be32(p, selector);
	for (size_t i = 0; i < words + 6; i++) {
		seed = seed * 1664525u + 1013904223u;
		uint8_t *word = p + 4 + 32 * i;
		switch (seed >> 29) {
		case 0:
		case 1:
			break;
		case 2:
		case 3:
			word[31] = (uint8_t)(32 * words);
			break;
		case 4:
			word[31] = (uint8_t)(seed >> 20);
			break;
		case 5:
			memset(word + 12, 0x11, 20);
			break;
		case 6:
			word[31] = 1;
			break;
		default:
			memset(word, 0xff, 32);
			break;
		}
	}
	return cs_bytes(p, size - 32 * (seed % 7));
}

/* Nobody ends the chain by a call: every function, with much that is nothing and some that is
 * something. */
static void call_everything(struct app_lab *lab)
{
	const struct ledger_modules modules = ledger_modules();
	const struct cs_address alice = user(lab, 1);
	size_t calls = 0;
	for (size_t i = 0; i < modules.count; i++) {
		const struct ledger_contract *contract = modules.items[i].contract;
		const struct cs_address to = ledger_contract_address(contract->number);
		for (size_t j = 0; j < contract->function_count; j++) {
			const struct ledger_function *function = &contract->functions[j];
			for (uint32_t seed = 0; seed < 60; seed++, calls++) {
				struct cs_bytes input =
					any_input(function->selector, function->words, seed);
				struct abci_query_response response = app_query(
					lab, "/call", call_data(&alice, &to, input), 0, false);
				if (response.code != 0 && response.code != LEDGER_CODE_REVERTED &&
				    response.code != LEDGER_CODE_OUT_OF_GAS)
					fail_msg("%s: code %u", function->signature, response.code);
			}
		}
	}
	assert_true(calls > 3000);
}

static void test_no_call_ends_the_application(void **state)
{
	struct app_lab *lab = *state;
	struct cs_bytes hash;
	call_everything(lab);
	assert_ok(app_lab_genesis(lab, founding, &hash));
	call_everything(lab);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_export),          TEST(test_genesis_is_one_state),
		TEST(test_refused_genesis), TEST(test_gateway_is_founded),
		TEST(test_all_are_founded), TEST(test_no_call_ends_the_application),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
