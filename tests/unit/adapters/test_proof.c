#include "adapters/evm/proof.h"
#include "common.h"

#define MEMORY_SIZE 65536

static uint8_t memory[MEMORY_SIZE];
static struct adapter_slot_proof slots[4];
static struct adapter_account_proof proof;

static enum cs_err read_proof(const json_t *json, const struct cs_hash *root)
{
	const json_t *storage = json_object_get(json, "storageProof");
	struct cs_address address;
	struct cs_hash wanted[4];
	struct cs_buf buf;
	size_t count = json_array_size(storage);

	cs_buf_init(&buf, memory, sizeof(memory));
	proof = (struct adapter_account_proof){.slot_count = 0};
	assert_ok(evm_json_address(&address, at(json, "address")));
	for (size_t i = 0; i < count; i++)
		assert_ok(evm_json_word(&wanted[i], at(json_array_get(storage, i), "key")));
	return evm_account_proof_read(&proof, slots, &buf, json, root, &address, wanted, count);
}

static void test_anvil(void **state)
{
	json_t *vector = load("evm/anvil-proofs.json");
	struct cs_hash root = hash_at(at(vector, "block"), "stateRoot");

	(void)state;
	assert_ok(read_proof(at(vector, "present"), &root));
	assert_true(proof.exists && proof.slot_count == 3);
	assert_ok(read_proof(at(vector, "absent_slots"), &root));
	assert_true(proof.exists);
	for (size_t i = 0; i < proof.slot_count; i++)
		assert_true(cs_hash_is_zero(&slots[i].value));
	assert_ok(read_proof(at(vector, "absent_account"), &root));
	assert_false(proof.exists);
	assert_ok(read_proof(at(vector, "empty_storage_account"), &root));
	assert_true(proof.exists);
	assert_int_equal(slots[0].proof.count, 0); /* anvil said ["0x80"] */
	root.b[0] ^= 1;
	assert_err(BAD_PROOF, read_proof(at(vector, "present"), &root));
	json_decref(vector);
}

static void test_geth_and_quorum(void **state)
{
	static const char *const names[] = {"evm/clique-1signer.json", "evm/clique-3signers.json",
					    "evm/qbft-4validators.json"};

	(void)state;
	for (size_t i = 0; i < CS_LEN(names); i++) {
		json_t *vector = load(names[i]);
		struct cs_hash root = hash_at(at(vector, "headerJson"), "stateRoot");

		assert_ok(read_proof(at(vector, "ethGetProof"), &root));
		assert_true(proof.exists);
		json_decref(vector);
	}
}

static void expect_refusal(const json_t *json, const struct cs_hash *root, const char *what)
{
	enum cs_err err = read_proof(json, root);

	if (err == CS_OK)
		fail_msg("%s was taken", what);
}

static void test_lies(void **state)
{
	json_t *vector = load("evm/anvil-proofs.json");
	struct cs_hash root = hash_at(at(vector, "block"), "stateRoot");
	json_t *present = json_object_get(vector, "present");
	json_t *nodes = json_object_get(present, "accountProof");
	json_t *slot = json_array_get(json_object_get(present, "storageProof"), 0);

	(void)state;
	json_object_set_new(slot, "value", json_string("0x1234567"));
	assert_err(RPC_LIE, read_proof(present, &root));
	json_object_del(slot, "value");
	assert_err(MISSING_FIELD, read_proof(present, &root));
	json_object_set_new(slot, "value", json_string("0x0"));
	json_object_set_new(slot, "proof", json_array());
	expect_refusal(present, &root, "no proof of a slot");
	json_object_set_new(slot, "proof", json_string("0x"));
	assert_err(MALFORMED, read_proof(present, &root));
	json_array_append_new(nodes, json_string("0x80"));
	expect_refusal(present, &root, "a node too many");
	json_array_remove(nodes, json_array_size(nodes) - 1);
	json_array_remove(nodes, json_array_size(nodes) - 1);
	expect_refusal(present, &root, "a node too few");
	for (size_t i = 0; i < 40; i++)
		json_array_append_new(nodes, json_string("0x80"));
	assert_err(TOO_LARGE, read_proof(present, &root));
	json_object_set_new(present, "accountProof", json_null());
	assert_err(MALFORMED, read_proof(present, &root));
	json_decref(vector);
}

static void test_large_leaf(void **state)
{
	static uint8_t large[5000];
	struct cs_bytes nodes[] = {cs_bytes(large, 532), cs_bytes(large, 1024),
				   cs_bytes(large, 1025)};
	struct adapter_proof out;

	(void)state;
	assert_ok(evm_proof_from_nodes(&out, nodes, 3));
	assert_int_equal(out.count, 2);
	assert_int_equal(out.leaf.n, 1025);
	assert_ok(evm_proof_from_nodes(&out, nodes, 2));
	assert_int_equal(out.count, 2);
	assert_int_equal(out.leaf.n, 0);
	nodes[0] = cs_bytes(large, 1025);
	assert_err(TOO_LARGE, evm_proof_from_nodes(&out, nodes, 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_anvil),
		cmocka_unit_test(test_geth_and_quorum),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_large_leaf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
