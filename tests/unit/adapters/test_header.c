#include "adapters/evm/header.h"
#include "common.h"

static void check(const json_t *json, const json_t *rlp)
{
	struct cs_hash hash;
	struct evm_header *header;

	assert_ok(evm_header_from_json(&header, &hash, json));
	if (rlp != NULL) {
		struct cs_bytes raw = bytes_of(rlp);

		assert_bytes(header->public.rlp, raw);
		drop(raw);
	}
	struct cs_hash reported = hash_at(json, "hash");
	struct cs_hash parent = hash_at(json, "parentHash");
	assert_true(cs_hash_eq(&header->public.id.hash, &reported));
	assert_true(cs_hash_eq(&header->public.parent, &parent));
	evm_header_unref(header);
}

static void test_every_network(void **state)
{
	static const char *const names[] = {"evm/clique-1signer.json", "evm/clique-3signers.json",
					    "evm/qbft-4validators.json"};

	(void)state;
	for (size_t i = 0; i < CS_LEN(names); i++) {
		json_t *vector = load(names[i]);

		check(at(vector, "headerJson"), at(vector, "headerRlp"));
		json_decref(vector);
	}
	json_t *vector = load("evm/anvil-proofs.json");
	check(at(vector, "block"), NULL); /* 21 fields */
	json_decref(vector);
	vector = load("evm-rpc/geth.json");
	check(at(vector, "block"), at(vector, "rawHeader"));
	json_decref(vector);
	vector = load("evm-rpc/anvil.json");
	check(at(vector, "block"), NULL);
	json_decref(vector);
}

/* Raw headers: by the plain hash and by QBFT's, rounds above 0 included. */
static void test_raw(void **state)
{
	json_t *vector = load("evm/qbft-4validators.json");
	const json_t *headers = at(vector, "headers");
	const json_t *rounds = at(vector, "headerWithRoundAbove0");

	(void)state;
	for (size_t i = 0; i <= json_array_size(headers); i++) {
		const json_t *one =
			i < json_array_size(headers) ? json_array_get(headers, i) : rounds;
		struct cs_bytes raw = bytes_of(at(one, "headerRlp"));
		struct cs_hash hash = hash_at(one, "hash");
		struct evm_header *header;

		assert_ok(evm_header_from_raw(&header, raw, &hash, NULL));
		evm_header_unref(header);
		hash.b[5] ^= 1;
		assert_err(RPC_LIE, evm_header_from_raw(&header, raw, &hash, NULL));
		drop(raw);
	}
	json_decref(vector);
}

/* Any field changed: the hash does not fit. Any field of the first fifteen gone, or of another
 * type: unreadable. */
static void test_lies(void **state)
{
	static const char *const names[] = {
		"parentHash",       "sha3Uncles",   "miner",         "stateRoot",
		"transactionsRoot", "receiptsRoot", "logsBloom",     "difficulty",
		"number",           "gasLimit",     "gasUsed",       "timestamp",
		"extraData",        "mixHash",      "nonce",         "baseFeePerGas",
		"withdrawalsRoot",  "blobGasUsed",  "excessBlobGas", "parentBeaconBlockRoot",
		"requestsHash"};
	json_t *vector = load("evm/anvil-proofs.json");
	json_t *block = json_object_get(vector, "block");
	struct evm_header *header = NULL;
	struct cs_hash hash;

	(void)state;
	for (size_t i = 0; i < CS_LEN(names); i++) {
		json_t *old = json_incref(json_object_get(block, names[i]));
		char text[1100];

		assert_non_null(old);
		snprintf(text, sizeof(text), "%s", json_string_value(old));
		if (strlen(text) == 2)
			snprintf(text, sizeof(text), "0x00");
		char *last = text + strlen(text) - 1;
		*last = *last == '1' ? '2' : '1';
		json_object_set_new(block, names[i], json_string(text));
		assert_err(RPC_LIE, evm_header_from_json(&header, &hash, block));
		json_object_set_new(block, names[i], json_string("0xzz"));
		assert_err(MALFORMED, evm_header_from_json(&header, &hash, block));
		json_object_set_new(block, names[i], json_integer(3));
		assert_err(MALFORMED, evm_header_from_json(&header, &hash, block));
		json_object_del(block, names[i]);
		if (i < 15)
			assert_err(MISSING_FIELD, evm_header_from_json(&header, &hash, block));
		else
			assert_err(RPC_LIE, evm_header_from_json(&header, &hash, block));
		json_object_set_new(block, names[i], old);
	}
	assert_null(header);
	json_object_del(block, "hash");
	assert_err(MISSING_FIELD, evm_header_from_json(&header, &hash, block));
	assert_err(MISSING_FIELD, evm_header_from_json(&header, &hash, NULL));
	json_decref(vector);
}

static void test_extra_data_too_long(void **state)
{
	json_t *vector = load("evm/clique-1signer.json");
	json_t *block = json_object_get(vector, "headerJson");
	char *text = malloc(20003);
	struct evm_header *header;
	struct cs_hash hash;

	(void)state;
	memset(text, '0', 20002);
	text[1] = 'x';
	text[20002] = '\0';
	json_object_set_new(block, "extraData", json_string(text));
	assert_err(TOO_LARGE, evm_header_from_json(&header, &hash, block));
	free(text);
	json_decref(vector);
}

static void test_bloom(void **state)
{
	json_t *vector = load("evm-rpc/geth.json");
	struct evm_header *header;
	struct cs_address gateway;
	struct cs_hash hash;

	(void)state;
	assert_ok(evm_header_from_json(&header, &hash, at(vector, "block")));
	assert_ok(evm_json_address(&gateway, at(vector, "gateway")));
	assert_true(evm_bloom_may_have(header->bloom, CS_BYTES_OF(gateway.b)));
	const json_t *topics = at(json_array_get(at(vector, "logs"), 0), "topics");
	assert_ok(evm_json_hash(&hash, json_array_get(topics, 0)));
	assert_true(evm_bloom_may_have(header->bloom, CS_BYTES_OF(hash.b)));
	/* 38 logs fill a part of 2048 bits: most other topics are not promised */
	size_t promised = 0;
	for (unsigned i = 0; i < 256; i++) {
		hash.b[0] ^= (uint8_t)i;
		hash.b[1] = (uint8_t)(i + 1);
		promised += evm_bloom_may_have(header->bloom, CS_BYTES_OF(hash.b));
	}
	assert_true(promised < 64);
	assert_int_equal(header->tx_count, 20);
	assert_true(header->has_base_fee);
	evm_header_unref(header);
	json_decref(vector);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_network), cmocka_unit_test(test_raw),
		cmocka_unit_test(test_lies),          cmocka_unit_test(test_extra_data_too_long),
		cmocka_unit_test(test_bloom),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
