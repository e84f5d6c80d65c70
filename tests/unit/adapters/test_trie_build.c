#include "adapters/evm/trie_build.h"
#include "common.h"
#include "core/rlp.h"
#include "verify/evm/trie.h"

static void check_vector(const char *name)
{
	json_t *vector = load(name);
	const json_t *receipts = at(vector, "receiptsRlp");
	const json_t *proofs = at(vector, "allReceiptProofs");
	struct cs_hash root = hash_at(vector, "receiptsRoot");
	size_t count = json_array_size(receipts);
	struct cs_bytes *values = calloc(count, sizeof(*values));
	struct cs_bytes nodes[EVM_TRIE_PATH_MAX];
	struct evm_trie *trie;

	for (size_t i = 0; i < count; i++)
		values[i] = bytes_of(json_array_get(receipts, i));
	assert_ok(evm_trie_build(&trie, values, count));
	struct cs_hash own = evm_trie_root(trie);
	assert_memory_equal(own.b, root.b, 32);
	for (size_t i = 0; i < count; i++) {
		const json_t *proof = json_array_get(proofs, i);

		assert_bytes(evm_trie_value(trie, i), values[i]);
		assert_int_equal(evm_trie_prove(trie, i, nodes), json_array_size(proof));
		for (size_t j = 0; j < json_array_size(proof); j++) {
			struct cs_bytes node = bytes_of(json_array_get(proof, j));

			assert_bytes(nodes[j], node);
			drop(node);
		}
	}
	for (size_t i = 0; i < count; i++)
		drop(values[i]);
	free(values);
	evm_trie_free(trie);
	json_decref(vector);
}

static void test_recorded(void **state)
{
	(void)state;
	check_vector("evm/clique-1signer.json");
	check_vector("evm/clique-3signers.json");
	check_vector("evm/qbft-4validators.json");
}

/* Every proof of tries of all shapes under the enclave's verifier; small values lie inside their
 * parents. */
static void check_size(size_t count, size_t value_size)
{
	uint8_t *memory = malloc(count * value_size + 1);
	struct cs_bytes *values = calloc(count + 1, sizeof(*values));
	struct cs_bytes nodes[EVM_TRIE_PATH_MAX];
	struct evm_trie *trie;

	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < value_size; j++)
			memory[i * value_size + j] = (uint8_t)(i * 31 + j * 7 + (i >> 8) + 1);
		values[i] = cs_bytes(memory + i * value_size, value_size);
	}
	assert_ok(evm_trie_build(&trie, values, count));
	struct cs_hash root = evm_trie_root(trie);
	for (size_t i = 0; i < count; i++) {
		struct verify_nodes view = {nodes, evm_trie_prove(trie, i, nodes)};
		struct cs_bytes value;
		uint8_t key[8];
		struct cs_buf buf;
		bool present = false;

		cs_buf_init(&buf, key, sizeof(key));
		cs_rlp_put_u64(&buf, i);
		assert_ok(verify_trie(&present, &value, &root, cs_buf_view(&buf), &view));
		assert_true(present);
		assert_bytes(value, values[i]);
	}
	evm_trie_free(trie);
	free(values);
	free(memory);
}

static void test_sizes(void **state)
{
	static const size_t counts[] = {1,   2,   3,   15,  16,  17,  127,
					128, 129, 255, 256, 257, 300, 1000};

	(void)state;
	for (size_t i = 0; i < CS_LEN(counts); i++) {
		check_size(counts[i], 1);
		check_size(counts[i], 5);
		check_size(counts[i], 300);
	}
	check_size(66000, 40);
}

static void test_empty_and_bounds(void **state)
{
	struct evm_trie *trie;

	(void)state;
	assert_ok(evm_trie_build(&trie, NULL, 0));
	struct cs_hash root = evm_trie_root(trie);
	struct cs_hash empty = verify_trie_empty_root();
	assert_true(cs_hash_eq(&root, &empty));
	assert_int_equal(evm_trie_count(trie), 0);
	evm_trie_free(trie);
	assert_err(TOO_LARGE, evm_trie_build(&trie, NULL, EVM_TRIE_VALUES_MAX + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_empty_and_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
