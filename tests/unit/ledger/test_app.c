#include "core/hash.h"
#include "relay_state/ledger/account.h"
#include "relay_state/ledger/assets.h"
#include "relay_state/ledger/gas.h"
#include "relay_state/ledger/tree.h"
#include "tests/unit/ledger/app_lab.h"
#include "verify/cometbft/ics23.h"

#define BALANCE 10000000u
#define SIZE_ANY (4 * 1024 * 1024)

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

/* Gas of a plain transfer: the transaction, a call, a move. */
static uint64_t transfer_gas(struct cs_bytes tx)
{
	return ledger_tx_gas(tx.n, 1) + LEDGER_GAS_CALL + LEDGER_GAS_MOVE;
}

/* ---- blocks ---- */

static void test_transfer(void **state)
{
	struct app_lab *lab = *state;
	const struct cs_address alice = user(lab, 1), dave = user(lab, 4);
	const struct cs_address staking = ledger_contract_address(LEDGER_STAKING_NUMBER);
	struct cs_bytes tx = transfer(lab, 1, 0, 4, 5000);
	struct abci_tx_result result = app_run(lab, tx);
	assert_int_equal(result.code, 0);
	assert_int_equal(result.gas_wanted, APP_GAS);
	assert_int_equal(result.gas_used, transfer_gas(tx));
	assert_int_equal(result.events.count, 1);
	assert_bytes(result.events.items[0].type, cs_bytes_str("fee"));
	assert_int_equal(app_balance(lab, &dave), 5000);
	assert_int_equal(app_balance(lab, &alice), BALANCE - 5000 - transfer_gas(tx));
	assert_int_equal(app_balance(lab, &staking), transfer_gas(tx));
	assert_int_equal(app_sequence(lab, &alice), 1);
	assert_int_equal(app_sequence(lab, &dave), 0);
}

/* Finalizing is pure until the commit, and gives the same again: after another block, after a crash,
 * and at another node. */
static void test_finalize_again(void **state)
{
	struct app_lab *lab = *state;
	struct app_lab *other = app_lab_new();
	struct cs_bytes txs[] = {transfer(lab, 1, 0, 4, 5000), transfer(lab, 2, 0, 4, 1)};
	uint8_t first[32], mixed[32];
	app_lab_begin(other);
	memcpy(first, app_finalize(lab, txs, 2).app_hash.p, 32);
	memcpy(mixed, app_finalize(lab, txs + 1, 1).app_hash.p, 32);
	assert_memory_not_equal(first, mixed, 32);
	assert_int_equal(memory_db_version(lab->db), 0);
	assert_memory_equal(app_finalize(lab, txs, 2).app_hash.p, first, 32);
	app_lab_restart(lab);
	assert_memory_equal(app_finalize(lab, txs, 2).app_hash.p, first, 32);
	app_commit(lab);
	assert_memory_equal(app_finalize(other, txs, 2).app_hash.p, first, 32);
	/* What info says is what the commit made. */
	struct abci_info_request request = {0};
	struct abci_info_response response = {0};
	struct abci_call call = {&lab->arena, &lab->why};
	app_lab_restart(lab);
	assert_ok(lab->abci.info(lab->abci.state, &request, &response, &call));
	assert_int_equal(response.last_block_height, 1);
	assert_bytes(response.last_block_app_hash, cs_bytes(first, 32));
	app_lab_free(other);
}

static void test_empty_block_changes_nothing(void **state)
{
	struct app_lab *lab = *state;
	uint8_t first[32];
	memcpy(first, app_finalize(lab, NULL, 0).app_hash.p, 32);
	app_commit(lab);
	assert_memory_equal(app_finalize(lab, NULL, 0).app_hash.p, first, 32);
}

/* A page's key is the path to it: those of the last paths come behind the key of the block's time, and the
 * store is given what it asks for, ascending keys. */
static void test_pages_behind_the_time(void **state)
{
	struct app_lab *lab = *state;
	uint8_t key[LEDGER_ACCOUNT_KEY_SIZE];
	uint64_t sequence = 0;
	for (uint32_t i = 1; sequence < 3; i++) {
		struct app_tx tx = {.key = 1, .sequence = sequence, .value = 1};
		cs_put_be32(tx.to.b, i);
		ledger_account_key(key, &tx.to);
		if (cs_sha256(CS_BYTES_OF(key)).b[0] != 0xff)
			continue;
		assert_int_equal(app_run(lab, app_sign(lab, &tx)).code, 0);
		sequence++;
	}
	const int64_t height = lab->height;
	app_lab_restart(lab);
	assert_int_equal(app_run(lab, transfer(lab, 1, sequence, 4, 1)).code, 0);
	assert_int_equal(lab->height, height + 1);
}

static void expect_refused(struct app_lab *lab, struct cs_bytes tx, enum ledger_code code)
{
	const struct cs_address alice = user(lab, 1);
	const uint64_t balance = app_balance(lab, &alice), sequence = app_sequence(lab, &alice);
	assert_int_equal(app_check(lab, tx, ABCI_CHECK_TX_NEW).code, code);
	assert_false(app_process(lab, &tx, 1));
	struct cs_bytes out[1];
	if (code != LEDGER_CODE_BAD_SIGNATURE)
		assert_int_equal(app_prepare(lab, out, &tx, 1, SIZE_ANY), 0);
	struct abci_tx_result result = app_run(lab, tx);
	assert_int_equal(result.code, code);
	assert_int_equal(result.gas_used, 0);
	assert_int_equal(result.events.count, 0);
	assert_bytes(result.codespace, cs_bytes_str("ledger"));
	assert_true(result.log.n > 0);
	assert_int_equal(app_balance(lab, &alice), balance);
	assert_int_equal(app_sequence(lab, &alice), sequence);
}

static void test_refused_transactions(void **state)
{
	struct app_lab *lab = *state;
	struct app_tx tx = {.key = 1, .to = user(lab, 4), .value = 1};
	struct cs_bytes good = app_sign(lab, &tx);
	expect_refused(lab, CS_BYTES_NONE, LEDGER_CODE_MALFORMED);
	expect_refused(lab, cs_bytes_str("key=value"), LEDGER_CODE_MALFORMED);
	expect_refused(lab, cs_bytes(good.p, good.n - 1), LEDGER_CODE_BAD_SIGNATURE);
	uint8_t *changed = keep(good.n);
	memcpy(changed, good.p, good.n);
	changed[good.n - 40] ^= 1;
	expect_refused(lab, cs_bytes(changed, good.n), LEDGER_CODE_BAD_SIGNATURE);
	tx.sequence = 1;
	expect_refused(lab, app_sign(lab, &tx), LEDGER_CODE_WRONG_SEQUENCE);
	tx.sequence = UINT64_MAX;
	expect_refused(lab, app_sign(lab, &tx), LEDGER_CODE_WRONG_SEQUENCE);
	tx.sequence = 0;
	tx.gas_limit = ledger_tx_gas(good.n, 1) - 1;
	expect_refused(lab, app_sign(lab, &tx), LEDGER_CODE_GAS_TOO_LOW);
	tx.gas_limit = LEDGER_BLOCK_GAS + 1;
	expect_refused(lab, app_sign(lab, &tx), LEDGER_CODE_GAS_TOO_HIGH);
	tx.gas_limit = APP_GAS;
	tx.gas_price = 11; /* 11 million are not there */
	expect_refused(lab, app_sign(lab, &tx), LEDGER_CODE_NO_FUNDS);
	tx.gas_price = 1;
	struct cs_hash chain = lab->chain;
	lab->chain.b[0] ^= 1;
	struct cs_bytes foreign = app_sign(lab, &tx);
	lab->chain = chain;
	expect_refused(lab, foreign, LEDGER_CODE_WRONG_CHAIN);
	uint8_t *large = keep(LEDGER_TX_SIZE_MAX + 1);
	expect_refused(lab, cs_bytes(large, LEDGER_TX_SIZE_MAX + 1), LEDGER_CODE_TOO_LARGE);
	/* Good, once. */
	assert_int_equal(app_run(lab, good).code, 0);
	expect_refused(lab, good, LEDGER_CODE_WRONG_SEQUENCE);
	const struct app_tx poor = {.key = 4, .to = user(lab, 1)};
	const struct cs_address dave = user(lab, 4);
	assert_int_equal(app_balance(lab, &dave), 1);
	expect_refused(lab, app_sign(lab, &poor), LEDGER_CODE_NO_FUNDS);
}

static void test_expiry(void **state)
{
	struct app_lab *lab = *state;
	struct app_tx tx = {.key = 1, .to = user(lab, 4), .value = 1};
	/* Block 1 has the genesis' time and ten seconds. */
	tx.valid_until = APP_TIME_S + 9;
	struct cs_bytes late = app_sign(lab, &tx);
	tx.valid_until = APP_TIME_S + 10;
	struct cs_bytes just = app_sign(lab, &tx);
	struct cs_bytes out[1];
	assert_false(app_process(lab, &late, 1));
	assert_int_equal(app_prepare(lab, out, &late, 1, SIZE_ANY), 0);
	assert_int_equal(app_finalize(lab, &late, 1).tx_results.items[0].code, LEDGER_CODE_EXPIRED);
	assert_true(app_process(lab, &just, 1));
	assert_int_equal(app_run(lab, just).code, 0);
	/* The mempool knows the time of the last block. */
	tx.sequence = 1;
	tx.valid_until = APP_TIME_S + 9;
	assert_int_equal(app_check(lab, app_sign(lab, &tx), ABCI_CHECK_TX_NEW).code,
			 LEDGER_CODE_EXPIRED);
}

/* What was taken is paid, whatever its calls do; they happen all or not at all. */
static void test_failing_calls(void **state)
{
	struct app_lab *lab = *state;
	const struct cs_address alice = user(lab, 1), dave = user(lab, 4);
	struct app_tx tx = {.key = 1, .to = dave, .value = 4000000, .copies = 3};
	struct abci_tx_result result = app_run(lab, app_sign(lab, &tx));
	assert_int_equal(result.code, LEDGER_CODE_REVERTED); /* the third has nothing left */
	assert_int_equal(app_balance(lab, &dave), 0);
	assert_int_equal(app_balance(lab, &alice), BALANCE - (uint64_t)result.gas_used);
	assert_int_equal(app_sequence(lab, &alice), 1);
	/* Input for nobody. */
	tx = (struct app_tx){.key = 1, .sequence = 1, .to = dave, .input = cs_bytes_str("hello")};
	assert_int_equal(app_run(lab, app_sign(lab, &tx)).code, LEDGER_CODE_NO_CONTRACT);
	tx = (struct app_tx){.key = 1,
			     .sequence = 2,
			     .to = ledger_contract_address(99),
			     .input = cs_bytes_str("hello")};
	assert_int_equal(app_run(lab, app_sign(lab, &tx)).code, LEDGER_CODE_NO_CONTRACT);
	/* A contract's own words. */
	const struct cs_hash words[3] = {{{0}}, {{1}}, {{2}}};
	tx = (struct app_tx){.key = 1,
			     .sequence = 3,
			     .to = ledger_contract_address(LEDGER_ASSETS_NUMBER),
			     .input = app_input("balanceOf(address,address)", words, 2)};
	result = app_run(lab, app_sign(lab, &tx));
	assert_int_equal(result.code, LEDGER_CODE_REVERTED);
	assert_int_equal(result.data.n, 0); /* no address */
	const struct cs_hash zeros[2] = {{{0}}, {{0}}};
	tx.sequence = 4;
	tx.input = app_input("balanceOf(address,address)", zeros, 2);
	result = app_run(lab, app_sign(lab, &tx));
	assert_int_equal(result.code, LEDGER_CODE_REVERTED);
	assert_bytes(result.data, app_input("AssetUnknown(address)", zeros, 1));
	assert_int_equal(app_sequence(lab, &alice), 5);
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

static void test_contract_call(void **state)
{
	struct app_lab *lab = *state;
	const struct cs_address alice = user(lab, 1);
	const struct cs_address asset = ledger_asset_of(&alice, cs_bytes_str("Gold"));
	struct app_tx tx = {
		.key = 1, .to = ledger_contract_address(LEDGER_ASSETS_NUMBER), .input = creation()};
	struct abci_tx_result result = app_run(lab, app_sign(lab, &tx));
	assert_int_equal(result.code, 0);
	assert_int_equal(result.data.n, 32);
	assert_memory_equal(result.data.p + 12, asset.b, sizeof asset.b);
	assert_int_equal(result.events.count, 2);
	const struct abci_event *log = &result.events.items[1];
	assert_bytes(log->type, cs_bytes_str("log"));
	assert_int_equal(log->attributes.count, 5);
	assert_bytes(log->attributes.items[0].key, cs_bytes_str("address"));
	assert_bytes(log->attributes.items[0].value,
		     cs_bytes_str("0x0000000000000000000000000000000000ca1503"));
	assert_bytes(log->attributes.items[2].key, cs_bytes_str("topic1"));
	assert_true(log->attributes.items[2].index);
	assert_false(log->attributes.items[4].index);
	/* The same with any limit below is out of gas, and pays all of it. */
	const uint64_t used = (uint64_t)result.gas_used;
	tx.key = 2;
	tx.gas_limit = used - 1;
	result = app_run(lab, app_sign(lab, &tx));
	assert_int_equal(result.code, LEDGER_CODE_OUT_OF_GAS);
	assert_int_equal(result.gas_used, used - 1);
	assert_int_equal(result.data.n, 0);
	tx.sequence = 1;
	tx.gas_limit = used;
	assert_int_equal(app_run(lab, app_sign(lab, &tx)).code, 0);
}

static void test_gas_price(void **state)
{
	struct app_lab *lab = *state;
	struct cs_bytes hash;
	assert_ok(app_lab_genesis(
		lab,
		"{\"rules\":{\"gas_price_min\":\"5\"},\"accounts\":[{\"address\":"
		"\"0x7e5f4552091a69125d5dfcb7b8c2659029395bdf\",\"balance\":\"9000000\"}]}",
		&hash));
	struct abci_query_response chain = app_query(lab, "/chain", CS_BYTES_NONE, 0, false);
	assert_int_equal(cs_be64(chain.value.p + 56), 5);
	assert_int_equal(cs_be64(chain.value.p + 40), LEDGER_BLOCK_GAS);
	memcpy(lab->chain.b, chain.value.p, 32);
	struct app_tx tx = {.key = 1, .to = user(lab, 4), .gas_price = 4};
	assert_int_equal(app_check(lab, app_sign(lab, &tx), ABCI_CHECK_TX_NEW).code,
			 LEDGER_CODE_PRICE_TOO_LOW);
	tx.gas_price = 5;
	assert_int_equal(app_check(lab, app_sign(lab, &tx), ABCI_CHECK_TX_NEW).code, 0);
	const struct cs_address alice = user(lab, 1);
	struct abci_tx_result result = app_run(lab, app_sign(lab, &tx));
	assert_int_equal(app_balance(lab, &alice), 9000000 - 5 * (uint64_t)result.gas_used);
}

/* ---- the mempool and proposals ---- */

static void test_check(void **state)
{
	struct app_lab *lab = *state;
	struct cs_bytes txs[3];
	for (uint64_t i = 0; i < 3; i++)
		txs[i] = transfer(lab, 1, i, 4, 1);
	assert_int_equal(app_check(lab, txs[1], ABCI_CHECK_TX_NEW).code,
			 LEDGER_CODE_WRONG_SEQUENCE);
	struct app_tx urgent = {.key = 1, .to = user(lab, 4), .value = 1, .gas_price = 3};
	struct abci_check_tx_response response =
		app_check(lab, app_sign(lab, &urgent), ABCI_CHECK_TX_NEW);
	assert_int_equal(response.code, 0);
	assert_int_equal(response.gas_wanted, APP_GAS);
	assert_int_equal(response.events.count, 1);
	assert_bytes(response.events.items[0].type, cs_bytes_str("mempool"));
	assert_bytes(response.events.items[0].attributes.items[0].value, cs_bytes_str("3"));
	/* Its sequence is taken, whatever the other would pay. */
	assert_int_equal(app_check(lab, txs[0], ABCI_CHECK_TX_NEW).code,
			 LEDGER_CODE_WRONG_SEQUENCE);
	assert_int_equal(app_check(lab, txs[1], ABCI_CHECK_TX_NEW).code, 0);
	assert_int_equal(app_check(lab, txs[2], ABCI_CHECK_TX_NEW).code, 0);
	/* After a block what waits is asked about again, in order. */
	assert_int_equal(app_run(lab, app_sign(lab, &urgent)).code, 0);
	assert_int_equal(app_check(lab, txs[1], ABCI_CHECK_TX_RECHECK).code, 0);
	assert_int_equal(app_check(lab, txs[2], ABCI_CHECK_TX_RECHECK).code, 0);
	assert_int_equal(app_check(lab, transfer(lab, 1, 3, 4, 1), ABCI_CHECK_TX_NEW).code, 0);
	assert_int_equal(app_check(lab, txs[1], ABCI_CHECK_TX_RECHECK).code,
			 LEDGER_CODE_WRONG_SEQUENCE);
}

/* Fees of everything that waits are counted together. */
static void test_check_funds(void **state)
{
	struct app_lab *lab = *state;
	for (uint64_t i = 0; i <= 10; i++)
		assert_int_equal(app_check(lab, transfer(lab, 1, i, 4, 1), ABCI_CHECK_TX_NEW).code,
				 i < 10 ? LEDGER_CODE_OK : LEDGER_CODE_NO_FUNDS);
}

static void test_prepare(void **state)
{
	struct app_lab *lab = *state;
	struct cs_bytes out[8];
	/* By priority: later sequences first, one in between that is not there, one of nobody. */
	struct cs_bytes txs[] = {transfer(lab, 1, 2, 4, 1), transfer(lab, 1, 1, 4, 1),
				 transfer(lab, 2, 5, 4, 1), cs_bytes_str("key=value"),
				 transfer(lab, 1, 0, 4, 1), transfer(lab, 3, 0, 4, 1),
				 transfer(lab, 1, 0, 4, 2)};
	assert_int_equal(app_prepare(lab, out, txs, CS_LEN(txs), SIZE_ANY), 4);
	assert_bytes(out[0], txs[4]);
	assert_bytes(out[1], txs[5]);
	assert_bytes(out[2], txs[1]);
	assert_bytes(out[3], txs[0]);
	assert_true(app_process(lab, out, 4));
	assert_false(app_process(lab, txs, CS_LEN(txs)));
	struct cs_bytes swapped[] = {out[2], out[0]};
	assert_false(app_process(lab, swapped, 2));
	struct cs_bytes twice[] = {out[0], out[0]};
	assert_false(app_process(lab, twice, 2));
	assert_true(app_process(lab, NULL, 0));
	/* As many bytes as there are, each with its field. */
	const int64_t one = (int64_t)(out[0].n + 3);
	assert_int_equal(app_prepare(lab, out, txs, CS_LEN(txs), 2 * one), 2);
	assert_int_equal(app_prepare(lab, out, txs, CS_LEN(txs), one), 1);
	assert_int_equal(app_prepare(lab, out, txs, CS_LEN(txs), one - 1), 0);
}

/* The limits of all are within a block's. */
static void test_block_gas(void **state)
{
	struct app_lab *lab = *state;
	struct cs_bytes out[3], txs[3], hash;
	struct app_tx tx = {.key = 1, .to = user(lab, 4), .gas_limit = LEDGER_BLOCK_GAS / 2};
	assert_ok(app_lab_genesis(
		lab,
		"{\"accounts\":[{\"address\":\"0x7e5f4552091a69125d5dfcb7b8c2659029395bdf\","
		"\"balance\":\"900000000\"}]}",
		&hash));
	memcpy(lab->chain.b, app_query(lab, "/chain", CS_BYTES_NONE, 0, false).value.p, 32);
	for (uint64_t i = 0; i < 3; i++) {
		tx.sequence = i;
		txs[i] = app_sign(lab, &tx);
	}
	assert_int_equal(app_prepare(lab, out, txs, 3, SIZE_ANY), 2);
	assert_true(app_process(lab, txs, 2));
	assert_false(app_process(lab, txs, 3));
}

/* ---- questions ---- */

static void test_queries(void **state)
{
	struct app_lab *lab = *state;
	const struct cs_address alice = user(lab, 1), dave = user(lab, 4);
	uint8_t key[LEDGER_ACCOUNT_KEY_SIZE];
	ledger_account_key(key, &alice);
	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(app_run(lab, transfer(lab, 1, i, 4, 100)).code, 0);
	struct abci_query_response response = app_query(lab, "/store", CS_BYTES_OF(key), 0, false);
	assert_int_equal(response.code, 0);
	assert_int_equal(response.height, 5);
	assert_int_equal(response.value.n, LEDGER_ACCOUNT_SIZE);
	assert_int_equal(cs_be64(response.value.p), 5);
	/* Within the window, at the height that was asked for. */
	response = app_query(lab, "/store", CS_BYTES_OF(key), 4, false);
	assert_int_equal(response.height, 4);
	assert_int_equal(cs_be64(response.value.p), 4);
	response = app_query(lab, "/account", CS_BYTES_OF(dave.b), 3, false);
	assert_int_equal(cs_be64(response.value.p + 32), 300);
	assert_int_equal(app_query(lab, "/account", CS_BYTES_OF(dave.b), 1, false).code,
			 LEDGER_CODE_NOT_KEPT);
	assert_int_equal(app_query(lab, "/store", CS_BYTES_OF(key), 6, false).code,
			 LEDGER_CODE_NOT_KEPT);
	assert_int_equal(app_query(lab, "/store", CS_BYTES_OF(key), -1, false).code,
			 LEDGER_CODE_NOT_KEPT);
	assert_int_equal(app_query(lab, "/store", CS_BYTES_OF(key), 1, true).code,
			 LEDGER_CODE_NOT_KEPT);
	assert_int_equal(app_query(lab, "/store", CS_BYTES_NONE, 0, false).code,
			 LEDGER_CODE_INVALID);
	assert_int_equal(app_query(lab, "/account", CS_BYTES_OF(key), 0, false).code,
			 LEDGER_CODE_INVALID);
	assert_int_equal(app_query(lab, "/nowhere", CS_BYTES_NONE, 0, false).code,
			 LEDGER_CODE_NO_PATH);
	assert_int_equal(app_query(lab, "", CS_BYTES_NONE, 0, false).code, LEDGER_CODE_NO_PATH);
	response = app_query(lab, "/chain", CS_BYTES_NONE, 4, false);
	assert_int_equal(cs_be64(response.value.p + 64), APP_TIME_S + 40);
	/* The time is known after a restart too. */
	app_lab_restart(lab);
	response = app_query(lab, "/chain", CS_BYTES_NONE, 0, false);
	assert_int_equal(cs_be64(response.value.p + 64), APP_TIME_S + 50);
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

static void test_views(void **state)
{
	struct app_lab *lab = *state;
	const struct cs_address alice = user(lab, 1);
	const struct cs_address assets = ledger_contract_address(LEDGER_ASSETS_NUMBER);
	const struct cs_address asset = ledger_asset_of(&alice, cs_bytes_str("Gold"));
	struct cs_hash words[2] = {{{0}}, {{0}}};
	struct app_tx tx = {.key = 1, .to = assets, .input = creation()};
	struct cs_bytes signed_tx = app_sign(lab, &tx), body = app_body(lab, &tx);
	memcpy(words[0].b + 12, asset.b, 20);
	struct cs_bytes question =
		call_data(&alice, &assets, app_input("totalSupply(address)", words, 1));
	assert_int_equal(app_query(lab, "/call", question, 0, false).code, LEDGER_CODE_REVERTED);
	/* What a question creates is gone with it. */
	assert_int_equal(
		app_query(lab, "/call", call_data(&alice, &assets, creation()), 0, false).code, 0);
	struct abci_query_response response = app_query(lab, "/call", question, 0, false);
	assert_int_equal(response.code, LEDGER_CODE_REVERTED);
	assert_bytes(response.value, app_input("AssetUnknown(address)", words, 1));
	/* What it will cost, signed or not, is what it costs. */
	response = app_query(lab, "/simulate", body, 0, false);
	assert_int_equal(response.code, 0);
	const uint64_t unsigned_gas = cs_be64(response.value.p);
	response = app_query(lab, "/simulate", signed_tx, 0, false);
	const uint64_t gas = cs_be64(response.value.p);
	assert_int_equal(response.value.n, 8 + 32);
	assert_true(unsigned_gas >= gas);
	assert_int_equal(app_run(lab, signed_tx).gas_used, gas);
	response = app_query(lab, "/simulate", signed_tx, 0, false);
	assert_int_equal(response.code, LEDGER_CODE_REVERTED);
	assert_int_equal(app_query(lab, "/simulate", cs_bytes_str("?"), 0, false).code,
			 LEDGER_CODE_MALFORMED);
	response = app_query(lab, "/call", question, 0, false);
	assert_int_equal(response.code, 0);
	assert_int_equal(response.value.n, 32);
	assert_int_equal(app_query(lab, "/call", cs_bytes_str("short"), 0, false).code,
			 LEDGER_CODE_INVALID);
	assert_int_equal(
		app_query(lab, "/call", call_data(&alice, &alice, cs_bytes_str("hello")), 0, false)
			.code,
		LEDGER_CODE_NO_CONTRACT);
}

static void test_proofs(void **state)
{
	struct app_lab *lab = *state;
	const struct cs_address alice = user(lab, 1), nobody = {{9}};
	uint8_t key[LEDGER_ACCOUNT_KEY_SIZE], missing[LEDGER_ACCOUNT_KEY_SIZE];
	struct cs_bytes tx = transfer(lab, 1, 0, 4, 100);
	struct cs_hash root;
	ledger_account_key(key, &alice);
	ledger_account_key(missing, &nobody);
	memcpy(root.b, app_finalize(lab, &tx, 1).app_hash.p, sizeof root.b);
	app_commit(lab);
	assert_int_equal(app_run(lab, transfer(lab, 1, 1, 4, 100)).code, 0);
	struct abci_query_response response = app_query(lab, "/store", CS_BYTES_OF(key), 1, true);
	assert_int_equal(response.code, 0);
	assert_non_null(response.proof_ops);
	assert_int_equal(response.proof_ops->ops.count, 1);
	const struct abci_proof_op *op = &response.proof_ops->ops.items[0];
	assert_bytes(op->type, cs_bytes_str("ics23:smt"));
	assert_bytes(op->key, CS_BYTES_OF(key));
	assert_int_equal(cs_be64(response.value.p), 1);
	assert_ok(cmt_ics23_membership(&cmt_ics23_smt, &root, op->data, CS_BYTES_OF(key),
				       response.value));
	response = app_query(lab, "/store", CS_BYTES_OF(missing), 1, true);
	assert_int_equal(response.code, 0);
	assert_int_equal(response.value.n, 0);
	assert_ok(cmt_ics23_absence(&cmt_ics23_smt, &root, response.proof_ops->ops.items[0].data,
				    CS_BYTES_OF(missing)));
}

/* ---- failures ---- */

static void test_failures(void **state)
{
	struct app_lab *lab = *state;
	struct cs_bytes tx = transfer(lab, 1, 0, 4, 1);
	struct abci_finalize_block_request request = {
		.txs = {&tx, 1}, .height = 1, .time = {APP_TIME_S + 10, 0}};
	struct abci_finalize_block_response response = {0};
	struct abci_commit_response committed = {0};
	struct abci_call call = {&lab->arena, &lab->why};
	assert_err(lab->abci.commit(lab->abci.state, &committed, &call), CS_ERR_INVALID);
	memory_db_fail_get(lab->db, CS_ERR_IO);
	assert_err(lab->abci.finalize_block(lab->abci.state, &request, &response, &call),
		   CS_ERR_IO);
	assert_true(lab->why.text[0] != 0);
	assert_err(lab->abci.commit(lab->abci.state, &committed, &call), CS_ERR_INVALID);
	memory_db_fail_get(lab->db, CS_OK);
	assert_ok(lab->abci.finalize_block(lab->abci.state, &request, &response, &call));
	memory_db_fail_commit(lab->db, CS_ERR_IO);
	assert_err(lab->abci.commit(lab->abci.state, &committed, &call), CS_ERR_IO);
	memory_db_fail_commit(lab->db, CS_OK);
	assert_int_equal(app_run(lab, tx).code, 0);
	/* A height that was already committed, and none. */
	assert_err(lab->abci.finalize_block(lab->abci.state, &request, &response, &call),
		   CS_ERR_INVALID);
	request.height = 0;
	assert_err(lab->abci.finalize_block(lab->abci.state, &request, &response, &call),
		   CS_ERR_INVALID);
	/* The rules are gone. */
	memory_db_lose(lab->db, LEDGER_VALUES,
		       CS_BYTES_OF(((const uint8_t[]){0, 'r', 'u', 'l', 'e', 's'})));
	request.height = 2;
	assert_err(lab->abci.finalize_block(lab->abci.state, &request, &response, &call),
		   CS_ERR_DAMAGED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_transfer),
		TEST(test_finalize_again),
		TEST(test_empty_block_changes_nothing),
		TEST(test_pages_behind_the_time),
		TEST(test_refused_transactions),
		TEST(test_expiry),
		TEST(test_failing_calls),
		TEST(test_contract_call),
		TEST(test_gas_price),
		TEST(test_check),
		TEST(test_check_funds),
		TEST(test_prepare),
		TEST(test_block_gas),
		TEST(test_queries),
		TEST(test_views),
		TEST(test_proofs),
		TEST(test_failures),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
