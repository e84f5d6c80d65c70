#include "core/hash.h"
#include "relay_state/ledger/assets.h"
#include "tests/unit/ledger/contract_lab.h"

#define ASSETS LEDGER_ASSETS_NUMBER
#define BRIDGE 240u
#define TRANSFER "Transfer(address,address,address,uint256)"

/* A contract that passes on what it is given to the assets: what a bridge is to them. */
static enum cs_err run_pass(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	const struct cs_address to = ledger_contract_address(ASSETS);
	struct cs_bytes input, output;
	bool success;
	(void)out;
	CS_TRY(cs_abi_get_bytes(in, 1000, &input));
	CS_TRY(ledger_call_contract(call, &success, &output, &to, &(struct cs_u256){{0}}, input,
				    0));
	return success ? CS_OK : ledger_revert_with(call, output);
}

static const struct ledger_function bridge_functions[] = {
	{"pass(bytes)", 0x5bf5b718, 1, false, 0, run_pass},
};
static const struct ledger_contract bridge = {"bridge", BRIDGE, bridge_functions, 1};
static const struct ledger_contract *const contracts[] = {&ledger_assets, &bridge};

static struct cs_address alice, bob, carol;

static int set_up(void **state)
{
	alice = lab_address(0xaa), bob = lab_address(0xbb), carol = lab_address(0xcc);
	*state = lab_new(contracts, CS_LEN(contracts));
	return 0;
}

static int tear_down(void **state)
{
	lab_free(*state);
	return 0;
}

static struct cs_hash w(const struct cs_address *address)
{
	return lab_address_word(address);
}

static struct cs_bytes creation(const char *name, struct cs_bytes symbol,
				const struct cs_address *minter)
{
	struct cs_buf buf;
	struct cs_abi abi;
	cs_buf_init(&buf, keep(1000), 1000);
	cs_abi_call(&abi, &buf, "create(string,string,uint8,address)");
	size_t a = cs_abi_slot(&abi), b = cs_abi_slot(&abi);
	cs_abi_put_u64(&abi, 18);
	cs_abi_put_address(&abi, minter);
	cs_abi_put_bytes(&abi, a, cs_bytes_str(name));
	cs_abi_put_bytes(&abi, b, symbol);
	assert_ok(cs_buf_end(&buf));
	return cs_buf_view(&buf);
}

static struct cs_address create(struct lab *lab, const char *name, const struct cs_address *minter)
{
	struct cs_bytes output;
	struct cs_address asset;
	assert_true(lab_try(lab, &output, ASSETS, creation(name, cs_bytes_str("SYM"), minter)));
	assert_int_equal(output.n, 32);
	memcpy(asset.b, output.p + 12, sizeof asset.b);
	return asset;
}

static uint64_t number(struct cs_hash word)
{
	assert_int_equal(word.b[0], 0);
	return cs_be64(word.b + 24);
}

static uint64_t balance(struct lab *lab, const struct cs_address *asset,
			const struct cs_address *account)
{
	return number(lab_ask(lab, ASSETS, "balanceOf(address,address)",
			      LAB_WORDS(w(asset), w(account))));
}

static uint64_t supply(struct lab *lab, const struct cs_address *asset)
{
	return number(lab_ask(lab, ASSETS, "totalSupply(address)", LAB_WORDS(w(asset))));
}

static void mint(struct lab *lab, const struct cs_address *asset, const struct cs_address *to,
		 uint64_t amount)
{
	lab_call(lab, ASSETS, "mint(address,address,uint256)",
		 LAB_WORDS(w(asset), w(to), lab_word(amount)));
}

static void test_table(void **state)
{
	(void)state;
	lab_check_table(&ledger_assets);
	lab_check_table(&bridge);
}

static void test_create(void **state)
{
	struct lab *lab = *state;
	struct cs_address asset = create(lab, "Gold", &bob);
	const struct ledger_log *log =
		lab_log(lab, "AssetCreated(address,address,string,string,uint8,address)", 0);
	assert_hash(log->topics[1], w(&asset));
	assert_hash(log->topics[2], w(&alice));
	struct cs_address other = create(lab, "Silver", &bob);
	assert_false(cs_address_eq(&asset, &other));
	lab->from = bob;
	other = create(lab, "Gold", &bob);
	assert_false(cs_address_eq(&asset, &other));
	/* The name and the symbol as they were given. */
	struct cs_bytes info = lab_call(lab, ASSETS, "info(address)", LAB_WORDS(w(&asset)));
	struct cs_abi_reader in;
	struct cs_bytes name, symbol;
	struct cs_address minter;
	uint8_t decimals;
	assert_ok(cs_abi_read(&in, info, 4));
	assert_ok(cs_abi_get_bytes(&in, 100, &name));
	assert_ok(cs_abi_get_bytes(&in, 100, &symbol));
	assert_ok(cs_abi_get_u8(&in, &decimals));
	assert_ok(cs_abi_get_address(&in, &minter));
	assert_ok(cs_abi_end(&in));
	assert_bytes(name, cs_bytes_str("Gold"));
	assert_bytes(symbol, cs_bytes_str("SYM"));
	assert_int_equal(decimals, 18);
	assert_memory_equal(minter.b, bob.b, sizeof bob.b);
}

/* keccak-256 of the preimage, by another implementation (pycryptodome). */
static void test_number(void **state)
{
	(void)state;
	const struct cs_address creator = lab_address(0x11);
	const struct cs_address asset = ledger_asset_of(&creator, cs_bytes_str("Gold"));
	assert_bytes(CS_BYTES_OF(asset.b), unhex("beeecb2b7607b8bcc2428c91b890106ab6bd3e50"));
}

static void test_create_refusals(void **state)
{
	struct lab *lab = *state;
	struct cs_address asset = create(lab, "Gold", &bob);
	static const char long_name[] =
		"12345678901234567890123456789012345678901234567890123456789012345";
	struct cs_bytes symbol = cs_bytes_str("SYM");
	assert_int_equal(strlen(long_name), LEDGER_ASSET_NAME_SIZE_MAX + 1);
	lab_refuse_input(lab, ASSETS, creation("Gold", symbol, &carol), "AssetKnown(address)",
			 LAB_WORDS(w(&asset)));
	lab_refuse_input(lab, ASSETS, creation("", symbol, &bob), "AssetInvalid()", LAB_NONE);
	lab_refuse_input(lab, ASSETS, creation(long_name, symbol, &bob), "AssetInvalid()",
			 LAB_NONE);
	create(lab, long_name + 1, &bob);
	lab_refuse_input(lab, ASSETS, creation("\xc3\x28", symbol, &bob), "AssetInvalid()",
			 LAB_NONE);
	lab_refuse_input(lab, ASSETS, creation("A", CS_BYTES_NONE, &bob), "AssetInvalid()",
			 LAB_NONE);
	lab_refuse_input(lab, ASSETS, creation("A", cs_bytes_str("12345678901234567"), &bob),
			 "AssetInvalid()", LAB_NONE);
}

static void test_unknown(void **state)
{
	struct lab *lab = *state;
	const struct cs_address none = lab_address(0x77);
	const struct cs_hash words[] = {w(&none), w(&bob), w(&carol), lab_word(1)};
	static const struct {
		const char *signature;
		size_t count;
	} cases[] = {
		{"balanceOf(address,address)", 2},
		{"totalSupply(address)", 1},
		{"info(address)", 1},
		{"allowance(address,address,address)", 3},
		{"transfer(address,address,uint256)", 3},
		{"mint(address,address,uint256)", 3},
		{"burn(address,address,uint256)", 3},
		{"approve(address,address,uint256)", 3},
		{"transferFrom(address,address,address,uint256)", 4},
		{"setMinter(address,address)", 2},
	};
	for (size_t i = 0; i < CS_LEN(cases); i++)
		lab_refuse(lab, ASSETS, cases[i].signature, words, cases[i].count,
			   "AssetUnknown(address)", words, 1);
}

static void test_mint_and_transfer(void **state)
{
	struct lab *lab = *state;
	struct cs_address asset = create(lab, "Gold", &alice);
	mint(lab, &asset, &bob, 100);
	const struct ledger_log *log = lab_log(lab, TRANSFER, 0);
	assert_int_equal(log->topic_count, 4);
	assert_hash(log->topics[2], lab_word(0));
	assert_hash(log->topics[3], w(&bob));
	lab->from = bob;
	assert_hash(lab_ask(lab, ASSETS, "transfer(address,address,uint256)",
			    LAB_WORDS(w(&asset), w(&carol), lab_word(30))),
		    lab_word(1));
	assert_int_equal(balance(lab, &asset, &bob), 70);
	assert_int_equal(balance(lab, &asset, &carol), 30);
	assert_int_equal(supply(lab, &asset), 100);
	/* To oneself, all of it, nothing. */
	lab_call(lab, ASSETS, "transfer(address,address,uint256)",
		 LAB_WORDS(w(&asset), w(&bob), lab_word(70)));
	assert_int_equal(balance(lab, &asset, &bob), 70);
	lab_call(lab, ASSETS, "transfer(address,address,uint256)",
		 LAB_WORDS(w(&asset), w(&carol), lab_word(0)));
	lab_call(lab, ASSETS, "transfer(address,address,uint256)",
		 LAB_WORDS(w(&asset), w(&carol), lab_word(70)));
	assert_int_equal(balance(lab, &asset, &bob), 0);
	lab_refuse(lab, ASSETS, "transfer(address,address,uint256)",
		   LAB_WORDS(w(&asset), w(&carol), lab_word(1)),
		   "ERC20InsufficientBalance(address,uint256,uint256)",
		   LAB_WORDS(w(&bob), lab_word(0), lab_word(1)));
	lab->from = carol;
	lab_refuse(lab, ASSETS, "transfer(address,address,uint256)",
		   LAB_WORDS(w(&asset), lab_word(0), lab_word(1)), "ERC20InvalidReceiver(address)",
		   LAB_WORDS(lab_word(0)));
	lab_refuse(lab, ASSETS, "transfer(address,address,uint256)",
		   LAB_WORDS(w(&asset), lab_byte_word(0xff), lab_word(1)), NULL, LAB_NONE);
}

static void test_minters(void **state)
{
	struct lab *lab = *state;
	struct cs_address asset = create(lab, "Gold", &bob);
	const struct cs_hash words[] = {w(&asset), w(&alice), lab_word(5)};
	lab_refuse(lab, ASSETS, "mint(address,address,uint256)", words, 3, "OnlyMinter()",
		   LAB_NONE);
	lab_refuse(lab, ASSETS, "setMinter(address,address)", words, 2, "OnlyMinter()", LAB_NONE);
	lab->from = bob;
	mint(lab, &asset, &alice, 5);
	/* A minter with a key burns only what it was allowed. */
	lab_refuse(lab, ASSETS, "burn(address,address,uint256)", words, 3,
		   "ERC20InsufficientAllowance(address,uint256,uint256)",
		   LAB_WORDS(w(&bob), lab_word(0), lab_word(5)));
	lab_call(lab, ASSETS, "setMinter(address,address)", LAB_WORDS(w(&asset), lab_word(0)));
	lab_refuse(lab, ASSETS, "mint(address,address,uint256)", words, 3, "OnlyMinter()",
		   LAB_NONE);
	/* A question has no sender, which is nobody too. */
	lab->from = (struct cs_address){{0}};
	lab_refuse(lab, ASSETS, "mint(address,address,uint256)", words, 3, "OnlyMinter()",
		   LAB_NONE);
	assert_int_equal(supply(lab, &asset), 5);
}

static void test_overflow(void **state)
{
	struct lab *lab = *state;
	struct cs_address asset = create(lab, "Gold", &alice);
	struct cs_hash all = lab_byte_word(0xff);
	lab_call(lab, ASSETS, "mint(address,address,uint256)", LAB_WORDS(w(&asset), w(&bob), all));
	lab_refuse(lab, ASSETS, "mint(address,address,uint256)",
		   LAB_WORDS(w(&asset), w(&carol), lab_word(1)), "SupplyOverflow()", LAB_NONE);
	lab_refuse(lab, ASSETS, "mint(address,address,uint256)",
		   LAB_WORDS(w(&asset), w(&bob), lab_word(1)), "SupplyOverflow()", LAB_NONE);
	assert_hash(lab_ask(lab, ASSETS, "totalSupply(address)", LAB_WORDS(w(&asset))), all);
}

static void test_burn(void **state)
{
	struct lab *lab = *state;
	struct cs_address asset = create(lab, "Gold", &alice);
	mint(lab, &asset, &bob, 100);
	lab->from = bob;
	lab_call(lab, ASSETS, "burn(address,address,uint256)",
		 LAB_WORDS(w(&asset), w(&bob), lab_word(40)));
	assert_hash(lab_log(lab, TRANSFER, 0)->topics[3], lab_word(0));
	assert_int_equal(balance(lab, &asset, &bob), 60);
	assert_int_equal(supply(lab, &asset), 60);
	lab_refuse(lab, ASSETS, "burn(address,address,uint256)",
		   LAB_WORDS(w(&asset), w(&bob), lab_word(61)),
		   "ERC20InsufficientBalance(address,uint256,uint256)",
		   LAB_WORDS(w(&bob), lab_word(60), lab_word(61)));
}

static void test_allowances(void **state)
{
	struct lab *lab = *state;
	struct cs_address asset = create(lab, "Gold", &alice);
	mint(lab, &asset, &alice, 100);
	const struct cs_hash spend[] = {w(&asset), w(&alice), w(&carol), lab_word(30)};
	const struct cs_hash pair[] = {w(&asset), w(&alice), w(&bob)};
	lab_call(lab, ASSETS, "approve(address,address,uint256)",
		 LAB_WORDS(w(&asset), w(&bob), lab_word(50)));
	assert_int_equal(lab_log_count(lab, "Approval(address,address,address,uint256)"), 1);
	lab->from = bob;
	lab_call(lab, ASSETS, "transferFrom(address,address,address,uint256)", spend, 4);
	assert_int_equal(
		number(lab_ask(lab, ASSETS, "allowance(address,address,address)", pair, 3)), 20);
	lab_refuse(lab, ASSETS, "transferFrom(address,address,address,uint256)", spend, 4,
		   "ERC20InsufficientAllowance(address,uint256,uint256)",
		   LAB_WORDS(w(&bob), lab_word(20), lab_word(30)));
	lab_call(lab, ASSETS, "burn(address,address,uint256)",
		 LAB_WORDS(w(&asset), w(&alice), lab_word(20)));
	assert_int_equal(balance(lab, &asset, &alice), 50);
	lab->from = alice;
	lab_call(lab, ASSETS, "approve(address,address,uint256)",
		 LAB_WORDS(w(&asset), w(&bob), lab_byte_word(0xff)));
	lab->from = bob;
	lab_call(lab, ASSETS, "transferFrom(address,address,address,uint256)", spend, 4);
	assert_hash(lab_ask(lab, ASSETS, "allowance(address,address,address)", pair, 3),
		    lab_byte_word(0xff));
	/* Allowed, but not there. */
	lab_refuse(lab, ASSETS, "transferFrom(address,address,address,uint256)", spend, 4,
		   "ERC20InsufficientBalance(address,uint256,uint256)",
		   LAB_WORDS(w(&alice), lab_word(20), lab_word(30)));
}

static struct cs_bytes passed(const char *signature, const struct cs_hash *words, size_t count)
{
	struct cs_buf inner, buf;
	struct cs_abi abi;
	cs_buf_init(&inner, keep(500), 500);
	cs_abi_call(&abi, &inner, signature);
	for (size_t i = 0; i < count; i++)
		cs_abi_put_word(&abi, &words[i]);
	cs_buf_init(&buf, keep(1000), 1000);
	cs_abi_call(&abi, &buf, "pass(bytes)");
	size_t slot = cs_abi_slot(&abi);
	cs_abi_put_bytes(&abi, slot, cs_buf_view(&inner));
	assert_ok(cs_buf_end(&buf));
	return cs_buf_view(&buf);
}

/* A contract as minter burns what anybody holds: its own rules say when. */
static void test_bridge(void **state)
{
	struct lab *lab = *state;
	const struct cs_address minter = ledger_contract_address(BRIDGE);
	struct cs_address asset = create(lab, "Gold", &minter);
	struct cs_address other = create(lab, "Silver", &alice);
	struct cs_bytes output;
	const struct cs_hash words[] = {w(&asset), w(&bob), lab_word(9)};
	assert_true(
		lab_try(lab, &output, BRIDGE, passed("mint(address,address,uint256)", words, 3)));
	assert_int_equal(balance(lab, &asset, &bob), 9);
	assert_true(
		lab_try(lab, &output, BRIDGE, passed("burn(address,address,uint256)", words, 3)));
	assert_int_equal(supply(lab, &asset), 0);
	mint(lab, &other, &bob, 9);
	const struct cs_hash others[] = {w(&other), w(&bob), lab_word(9)};
	lab_refuse_input(lab, BRIDGE, passed("burn(address,address,uint256)", others, 3),
			 "ERC20InsufficientAllowance(address,uint256,uint256)",
			 LAB_WORDS(w(&minter), lab_word(0), lab_word(9)));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table), TEST(test_create),   TEST(test_number),
		TEST(test_create_refusals),   TEST(test_unknown),  TEST(test_mint_and_transfer),
		TEST(test_minters),           TEST(test_overflow), TEST(test_burn),
		TEST(test_allowances),        TEST(test_bridge),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
