#include "vectors.h"

static void expect(const struct cs_hash *root, struct cs_bytes key,
		   const struct verify_nodes *nodes, const struct cs_bytes *value)
{
	struct cs_bytes found;
	bool present;
	assert_ok(verify_trie(&present, &found, root, key, nodes));
	assert_int_equal(present, value != NULL);
	if (value)
		assert_true(cs_bytes_eq(found, *value));
}

static void test_ethereum_tests(void **state)
{
	struct vectors v;
	size_t i, j, proofs = 0;
	json_t *row, *proof;
	(void)state;
	vectors_open(&v, "generated/tries.json");
	json_array_foreach(vectors_at(v.root, "cases"), i, row)
	{
		struct cs_hash root = vectors_hash(&v, vectors_at(row, "root"));
		json_array_foreach(vectors_at(row, "proofs"), j, proof)
		{
			struct cs_bytes value = vectors_bytes(&v, json_array_get(proof, 1));
			struct verify_nodes nodes = vectors_nodes(&v, json_array_get(proof, 2));
			expect(&root, vectors_bytes(&v, json_array_get(proof, 0)), &nodes, &value);
			proofs++;
		}
		json_array_foreach(vectors_at(row, "absent"), j, proof)
		{
			struct verify_nodes nodes = vectors_nodes(&v, json_array_get(proof, 1));
			expect(&root, vectors_bytes(&v, json_array_get(proof, 0)), &nodes, NULL);
			proofs++;
		}
	}
	assert_true(proofs > 100);
	vectors_close(&v);
}

static void test_nodes_that_no_trie_has(void **state)
{
	struct vectors v;
	size_t i;
	json_t *row;
	(void)state;
	vectors_open(&v, "generated/tries.json");
	json_array_foreach(vectors_at(v.root, "bad"), i, row)
	{
		struct cs_hash root = vectors_hash(&v, vectors_at(row, "root"));
		struct cs_bytes key = vectors_bytes(&v, vectors_at(row, "key")), value;
		struct verify_nodes nodes = vectors_nodes(&v, vectors_at(row, "nodes"));
		enum cs_err err;
		bool present;
		err = verify_trie(&present, &value, &root, key, &nodes);
		if (strcmp(cs_err_name(err), json_string_value(vectors_at(row, "error"))) != 0)
			fail_msg("%s: %s", json_string_value(vectors_at(row, "name")),
				 cs_err_name(err));
	}
	assert_true(i > 20);
	vectors_close(&v);
}

static void test_the_empty_trie(void **state)
{
	static const uint8_t empty_string[] = {0x80}, other[] = {0x81};
	struct cs_bytes nodes[] = {CS_BYTES_OF(empty_string), CS_BYTES_OF(empty_string)};
	struct cs_bytes wrong[] = {CS_BYTES_OF(other)};
	struct cs_hash root = verify_trie_empty_root(), any = {{1}};
	struct verify_nodes none = {NULL, 0}, one = {nodes, 1}, two = {nodes, 2}, bad = {wrong, 1};
	struct cs_bytes key = cs_bytes_str("key"), value;
	bool present;
	(void)state;
	expect(&root, key, &none, NULL);
	expect(&root, key, &one, NULL);
	assert_says("bad-proof", verify_trie(&present, &value, &root, key, &two));
	assert_says("bad-proof", verify_trie(&present, &value, &root, key, &bad));
	assert_says("bad-proof", verify_trie(&present, &value, &any, key, &none));
	assert_says("bad-proof", verify_trie(&present, &value, &any, key, &one));
}

static void test_bounds(void **state)
{
	static struct cs_bytes nodes[VERIFY_TRIE_NODES_MAX + 1];
	static const uint8_t key[VERIFY_TRIE_KEY_SIZE_MAX + 1];
	struct cs_hash root = {{1}};
	struct verify_nodes many = {nodes, CS_LEN(nodes)}, none = {NULL, 0};
	struct cs_bytes value;
	bool present;
	(void)state;
	assert_says("too-large", verify_trie(&present, &value, &root, cs_bytes(key, 32), &many));
	assert_says("too-large", verify_trie(&present, &value, &root, CS_BYTES_OF(key), &none));
}

/* Without one of its nodes, with one twice, and under the roots and keys of its neighbours, no
 * proof holds. */
static void test_every_rearrangement_is_refused(void **state)
{
	struct vectors v;
	struct verify_nodes nodes, changed;
	struct cs_bytes copy[8], value, key;
	struct cs_hash root;
	json_t *proof;
	bool present;
	(void)state;
	vectors_open(&v, "generated/receipts.json");
	root = vectors_hash(&v, vectors_at(v.root, "root"));
	proof = json_array_get(vectors_at(v.root, "all"), 1);
	nodes = vectors_nodes(&v, vectors_at(proof, "nodes"));
	key = CS_BYTES_OF(((const uint8_t[]){50}));
	assert_in_range(nodes.n, 2, 6);
	assert_ok(verify_trie(&present, &value, &root, key, &nodes));
	assert_true(present);
	for (size_t skip = 0; skip < nodes.n; skip++) {
		changed = (struct verify_nodes){copy, 0};
		for (size_t i = 0; i < nodes.n; i++)
			if (i != skip)
				copy[changed.n++] = nodes.p[i];
		assert_says("bad-proof", verify_trie(&present, &value, &root, key, &changed));
		memcpy(copy, nodes.p, nodes.n * sizeof *copy);
		copy[nodes.n] = nodes.p[skip];
		changed.n = nodes.n + 1;
		assert_says("bad-proof", verify_trie(&present, &value, &root, key, &changed));
	}
	vectors_close(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ethereum_tests),
		cmocka_unit_test(test_nodes_that_no_trie_has),
		cmocka_unit_test(test_the_empty_trie),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_every_rearrangement_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
