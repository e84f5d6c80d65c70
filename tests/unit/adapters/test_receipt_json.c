#include "adapters/evm/receipt_json.h"
#include "adapters/evm/trie_build.h"
#include "common.h"

static enum cs_err put(struct cs_bytes *value, const json_t *receipt, const struct cs_hash *block,
		       uint32_t index)
{
	size_t size = evm_receipt_size_max(receipt);
	uint8_t *memory = malloc(size + 1);
	struct cs_buf buf;

	cs_buf_init(&buf, memory, size);
	enum cs_err err = evm_receipt_put(&buf, receipt, block, index);
	if (err != CS_OK) {
		free(memory);
		return err;
	}
	*value = cs_buf_view(&buf);
	return CS_OK;
}

/* JSON receipts of types 0, 1 and 2 make the root of the header, and geth's own bytes. */
static void check(const char *name)
{
	json_t *vector = load(name);
	const json_t *receipts = at(vector, "receipts");
	const json_t *raw = json_object_get(vector, "rawReceipts");
	struct cs_hash block = hash_at(at(vector, "block"), "hash");
	struct cs_hash root = hash_at(at(vector, "block"), "receiptsRoot");
	size_t count = json_array_size(receipts);
	struct cs_bytes *values = calloc(count, sizeof(*values));
	struct evm_trie *trie;

	for (size_t i = 0; i < count; i++) {
		assert_ok(put(&values[i], json_array_get(receipts, i), &block, (uint32_t)i));
		if (raw != NULL) {
			struct cs_bytes own = bytes_of(json_array_get(raw, i));

			assert_bytes(values[i], own);
			drop(own);
		}
	}
	assert_ok(evm_trie_build(&trie, values, count));
	struct cs_hash own = evm_trie_root(trie);
	assert_true(cs_hash_eq(&own, &root));
	evm_trie_free(trie);
	for (size_t i = 0; i < count; i++)
		drop(values[i]);
	free(values);
	json_decref(vector);
}

static void test_roots(void **state)
{
	(void)state;
	check("evm-rpc/anvil.json");
	check("evm-rpc/geth.json");
}

static void test_refusals(void **state)
{
	static const struct {
		const char *key;
		const char *value;
		enum cs_err err;
	} bad[] = {
		{"status", "\"0x2\"", CS_ERR_MALFORMED},
		{"status", "1", CS_ERR_MALFORMED},
		{"status", "null", CS_ERR_MISSING_FIELD}, /* then a root, which is not there */
		{"cumulativeGasUsed", "null", CS_ERR_MISSING_FIELD},
		{"cumulativeGasUsed", "\"0x10000000000000000\"", CS_ERR_OVERFLOW},
		{"logsBloom", "\"0x00\"", CS_ERR_MALFORMED},
		{"logs", "null", CS_ERR_MALFORMED},
		{"logs", "{}", CS_ERR_MALFORMED},
		{"logs", "[null]", CS_ERR_MALFORMED},
		{"logs", "[{\"topics\":[]}]", CS_ERR_MISSING_FIELD},
		{"type", "\"0x80\"", CS_ERR_MALFORMED},
		{"type", "2", CS_ERR_MALFORMED},
		{"transactionIndex", "\"0x5\"", CS_ERR_RPC_LIE},
		{"transactionIndex", "\"0x100000000\"", CS_ERR_OVERFLOW},
		{"blockHash", "\"0x1234\"", CS_ERR_MALFORMED},
	};
	json_t *vector = load("evm-rpc/geth.json");
	json_t *receipt = json_array_get(json_object_get(vector, "receipts"), 0);
	struct cs_hash block = hash_at(at(vector, "block"), "hash");
	struct cs_bytes value;

	(void)state;
	for (size_t i = 0; i < CS_LEN(bad); i++) {
		json_t *old = json_incref(json_object_get(receipt, bad[i].key));

		json_object_set_new(receipt, bad[i].key,
				    json_loads(bad[i].value, JSON_DECODE_ANY, NULL));
		if (put(&value, receipt, &block, 0) != bad[i].err)
			fail_msg("%s: %s", bad[i].key, bad[i].value);
		json_object_set_new(receipt, bad[i].key, old);
	}
	block.b[0] ^= 1;
	assert_err(RPC_LIE, put(&value, receipt, &block, 0));
	assert_err(MALFORMED, put(&value, NULL, &block, 0));
	json_decref(vector);
}

/* Of an answer of eth_getLogs only the block is taken, once. */
static void test_candidates(void **state)
{
	static const struct {
		const char *key;
		const char *value;
		enum cs_err err;
	} bad[] = {
		{"removed", "true", CS_ERR_RPC_LIE},
		{"address", "\"0x1111111111111111111111111111111111111111\"", CS_ERR_RPC_LIE},
		{"address", "null", CS_ERR_MISSING_FIELD},
		{"blockNumber", "\"0x1\"", CS_ERR_RPC_LIE},
		{"blockNumber", "null", CS_ERR_MISSING_FIELD}, /* pending */
		{"blockHash", "null", CS_ERR_MISSING_FIELD},
		{"blockHash",
		 "\"0x1111111111111111111111111111111111111111111111111111111111111111\"",
		 CS_ERR_RPC_LIE}, /* two blocks of one height */
	};
	json_t *vector = load("evm-rpc/anvil.json");
	json_t *array = json_object_get(vector, "logs");
	json_t *log = json_array_get(array, 5);
	struct evm_candidates blocks = {NULL, 0};
	struct cs_hash hash = hash_at(at(vector, "block"), "hash");
	struct adapter_evm_config config = {.chain_id = 1};
	struct evm_contracts contracts;
	struct cs_why why;
	uint64_t height;

	(void)state;
	assert_ok(evm_json_address(&config.gateway, at(vector, "gateway")));
	assert_ok(evm_contracts_init(&contracts, &config, &why));
	assert_ok(evm_json_u64(&height, at(at(vector, "block"), "number")));
	assert_ok(evm_candidates_append_json(&blocks, array, &contracts, height, height));
	assert_int_equal(blocks.count, 1);
	assert_int_equal(blocks.ids[0].height, height);
	assert_true(cs_hash_eq(&blocks.ids[0].hash, &hash));
	for (size_t i = 0; i < CS_LEN(bad); i++) {
		json_t *old = json_incref(json_object_get(log, bad[i].key));

		json_object_set_new(log, bad[i].key,
				    json_loads(bad[i].value, JSON_DECODE_ANY, NULL));
		if (evm_candidates_append_json(&blocks, array, &contracts, 0, height) != bad[i].err)
			fail_msg("%s: %s", bad[i].key, bad[i].value);
		assert_int_equal(blocks.count, 1); /* nothing of it stays */
		json_object_set_new(log, bad[i].key, old);
	}
	assert_err(RPC_LIE,
		   evm_candidates_append_json(&blocks, array, &contracts, height + 1, height + 9));
	assert_err(RPC_LIE,
		   evm_candidates_append_json(&blocks, at(vector, "block"), &contracts, 0, height));
	json_t *none = json_array();
	assert_ok(evm_candidates_append_json(&blocks, none, &contracts, 0, height));
	assert_int_equal(blocks.count, 1);
	json_array_append_new(none, json_null());
	assert_err(MALFORMED, evm_candidates_append_json(&blocks, none, &contracts, 0, height));
	json_decref(none);
	free(blocks.ids);
	json_decref(vector);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roots),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_candidates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
