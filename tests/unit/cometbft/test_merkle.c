#include "tests/unit/cometbft/values.h"

static void test_published(void **state)
{
	(void)state;
	json_t *vectors = read_vector("signbytes/merkle_and_keys.json"), *tree;
	struct cmt_merkle merkle;
	struct cs_hash n123, n456;
	size_t i, j;
	cmt_merkle_init(&merkle);
	assert_hash(cmt_merkle_root(&merkle), hash_of(vectors, "empty"));
	assert_hash(cmt_leaf_hash(CS_BYTES_NONE), hash_of(vectors, "leaf_empty"));
	/* RFC 6962's own: the node over the texts N123 and N456. */
	const struct cs_bytes pieces[] = {unhex("01"), cs_bytes_str("N123"), cs_bytes_str("N456")};
	assert_hash(cs_sha256_join(pieces, 3), hash_of(vectors, "inner_N123_N456"));
	json_array_foreach(at_path(vectors, "trees"), i, tree)
	{
		json_t *leaf;
		cmt_merkle_init(&merkle);
		json_array_foreach(json_object_get(tree, "leaves"), j, leaf)
			cmt_merkle_add(&merkle, unhex(json_string_value(leaf)));
		assert_hash(cmt_merkle_root(&merkle), hash_of(tree, "root"));
	}
	memset(n123.b, 1, sizeof n123.b);
	memset(n456.b, 2, sizeof n456.b);
	struct cs_hash ab = cmt_node_hash(&n123, &n456), ba = cmt_node_hash(&n456, &n123);
	assert_false(cs_hash_eq(&ab, &ba));
}

static struct cmt_tree tree_of(const json_t *leaves)
{
	struct cmt_tree tree;
	size_t count = json_array_size(leaves);
	struct cs_hash *hashes = keep(count * sizeof *hashes);
	for (size_t i = 0; i < count; i++)
		hashes[i] = cmt_leaf_hash(unhex(json_string_value(json_array_get(leaves, i))));
	assert_ok(cmt_tree_build(&tree, test_arena(), hashes, count));
	return tree;
}

/* CometBFT's trees of 0 to 17 leaves: root, and every proof to the byte. */
static void test_generated(void **state)
{
	(void)state;
	size_t i, j;
	json_t *one, *text;
	json_array_foreach(generated("trees"), i, one)
	{
		json_t *leaves = json_object_get(one, "leaves");
		struct cmt_tree tree = tree_of(leaves);
		struct cmt_merkle merkle;
		struct cs_hash root = hash_of(one, "root");
		assert_hash(cmt_tree_root(&tree), root);
		cmt_merkle_init(&merkle);
		json_array_foreach(leaves, j, text)
			cmt_merkle_add(&merkle, unhex(json_string_value(text)));
		assert_hash(cmt_merkle_root(&merkle), root);
		json_array_foreach(json_object_get(one, "proofs"), j, text)
		{
			struct cs_bytes leaf = unhex(json_string_value(json_array_get(leaves, j)));
			struct cs_buf buf = test_buf(CMT_PROOF_SIZE_MAX);
			struct cmt_proof proof, read;
			cmt_tree_prove(&proof, &tree, j);
			cmt_proof_encode(&buf, &proof);
			assert_bytes(cs_buf_view(&buf), unhex(json_string_value(text)));
			assert_ok(cmt_proof_decode(&read, cs_buf_view(&buf)));
			assert_ok(cmt_proof_check(&read, &root, leaf));
		}
	}
}

#define LEAVES 13u

static struct cmt_tree thirteen(void)
{
	struct cmt_tree tree;
	struct cs_hash *leaves = keep(LEAVES * sizeof *leaves);
	for (uint8_t i = 0; i < LEAVES; i++)
		leaves[i] = cmt_leaf_hash(cs_bytes(&i, 1));
	assert_ok(cmt_tree_build(&tree, test_arena(), leaves, LEAVES));
	return tree;
}

static void test_refused(void **state)
{
	(void)state;
	struct cmt_tree tree = thirteen();
	struct cs_hash root = cmt_tree_root(&tree), other = {{0}};
	struct cmt_proof good, bad;
	uint8_t item = 4, wrong = 5;
	cmt_tree_prove(&good, &tree, item);
	assert_ok(cmt_proof_check(&good, &root, cs_bytes(&item, 1)));
	assert_err(cmt_proof_check(&good, &other, cs_bytes(&item, 1)), CS_ERR_BAD_PROOF);
	assert_err(cmt_proof_check(&good, &root, cs_bytes(&wrong, 1)), CS_ERR_BAD_PROOF);
	for (size_t i = 0; i < good.count; i++) {
		bad = good;
		bad.aunts[i].b[31] ^= 1;
		assert_err(cmt_proof_check(&bad, &root, cs_bytes(&item, 1)), CS_ERR_BAD_PROOF);
	}
	bad = good;
	bad.count--;
	assert_err(cmt_proof_check(&bad, &root, cs_bytes(&item, 1)), CS_ERR_BAD_PROOF);
	bad = good;
	bad.count++;
	assert_err(cmt_proof_check(&bad, &root, cs_bytes(&item, 1)), CS_ERR_BAD_PROOF);
	bad = good;
	bad.leaf.b[0] ^= 1;
	assert_err(cmt_proof_check(&bad, &root, cs_bytes(&item, 1)), CS_ERR_BAD_PROOF);
}

static void test_index_and_total_are_bound(void **state)
{
	(void)state;
	struct cmt_tree tree = thirteen();
	struct cs_hash root = cmt_tree_root(&tree);
	const int64_t out[] = {-1, 13, INT64_MAX, INT64_MIN};
	for (uint8_t item = 0; item < LEAVES; item++) {
		struct cmt_proof proof;
		for (int64_t index = 0; index < LEAVES; index++) {
			cmt_tree_prove(&proof, &tree, item);
			proof.index = index;
			assert_int_equal(cmt_proof_check(&proof, &root, cs_bytes(&item, 1)) ==
						 CS_OK,
					 index == item);
		}
		for (size_t i = 0; i < CS_LEN(out); i++) {
			proof.index = out[i];
			assert_err(cmt_proof_check(&proof, &root, cs_bytes(&item, 1)),
				   CS_ERR_BAD_PROOF);
		}
		cmt_tree_prove(&proof, &tree, item);
		proof.total = 0;
		assert_err(cmt_proof_check(&proof, &root, cs_bytes(&item, 1)), CS_ERR_BAD_PROOF);
		proof.total = INT64_MAX;
		assert_err(cmt_proof_check(&proof, &root, cs_bytes(&item, 1)), CS_ERR_BAD_PROOF);
	}
}

/* Of one leaf there is no path that an index could contradict. */
static void test_one_leaf(void **state)
{
	(void)state;
	struct cmt_tree tree;
	struct cs_hash leaf = cmt_leaf_hash(cs_bytes_str("x"));
	struct cmt_proof proof;
	assert_ok(cmt_tree_build(&tree, test_arena(), &leaf, 1));
	struct cs_hash root = cmt_tree_root(&tree);
	cmt_tree_prove(&proof, &tree, 0);
	assert_ok(cmt_proof_check(&proof, &root, cs_bytes_str("x")));
	proof.index = 1;
	assert_err(cmt_proof_check(&proof, &root, cs_bytes_str("x")), CS_ERR_BAD_PROOF);
	proof.index = INT64_MIN;
	assert_err(cmt_proof_check(&proof, &root, cs_bytes_str("x")), CS_ERR_BAD_PROOF);
	proof.index = proof.total = 0;
	assert_err(cmt_proof_check(&proof, &root, cs_bytes_str("x")), CS_ERR_BAD_PROOF);
}

static void test_form(void **state)
{
	(void)state;
	struct cmt_tree tree = thirteen();
	struct cs_buf buf = test_buf(CMT_PROOF_SIZE_MAX + 128);
	struct cmt_proof proof, untouched;
	cmt_tree_prove(&proof, &tree, 0);
	memset(&untouched, 0x5a, sizeof untouched);
	struct cmt_proof before = untouched;
	cmt_proof_encode(&buf, &proof);
	struct cs_bytes whole = cs_buf_view(&buf);
	for (size_t n = 0; n < whole.n; n++)
		if (cmt_proof_decode(&untouched, cs_bytes(whole.p, n)) == CS_OK)
			memset(&untouched, 0x5a, sizeof untouched); /* without its last aunts */
	assert_memory_equal(&untouched, &before, sizeof before);
	cs_pb_put_element(&buf, 4, cs_bytes(proof.leaf.b, 31));
	assert_err(cmt_proof_decode(&untouched, cs_buf_view(&buf)), CS_ERR_INVALID);
	buf.n = whole.n;
	cs_pb_put_element(&buf, 4, CS_BYTES_NONE);
	assert_err(cmt_proof_decode(&untouched, cs_buf_view(&buf)), CS_ERR_INVALID);
	buf = test_buf(2 * CMT_PROOF_SIZE_MAX);
	cs_pb_put_int(&buf, 1, 1);
	cs_pb_put_bytes(&buf, 3, CS_BYTES_OF(proof.leaf.b));
	for (size_t i = 0; i <= CMT_AUNTS_MAX; i++)
		cs_pb_put_element(&buf, 4, CS_BYTES_OF(proof.leaf.b));
	assert_err(cmt_proof_decode(&untouched, cs_buf_view(&buf)), CS_ERR_TOO_LARGE);
	buf = test_buf(64);
	cs_pb_put_int(&buf, 1, -1);
	cs_pb_put_bytes(&buf, 3, CS_BYTES_OF(proof.leaf.b));
	assert_err(cmt_proof_decode(&untouched, cs_buf_view(&buf)), CS_ERR_INVALID);
	assert_memory_equal(&untouched, &before, sizeof before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published), cmocka_unit_test(test_generated),
		cmocka_unit_test(test_refused),   cmocka_unit_test(test_index_and_total_are_bound),
		cmocka_unit_test(test_one_leaf),  cmocka_unit_test(test_form),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
