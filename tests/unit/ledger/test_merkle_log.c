/* Logs against those of Certificate Transparency's authors, and against a tree of all lines. */
#include "relay_state/ledger/merkle_log.h"
#include "tests/unit/support.h"

#define VECTORS CS_VECTORS "/merkle_log/proofs.json"
#define COUNT_MAX 70u
#define ARENA_SIZE (64u * 1024)

static json_t *vectors;

static int load(void **state)
{
	(void)state;
	vectors = read_json(VECTORS);
	return 0;
}

static int unload(void **state)
{
	(void)state;
	json_decref(vectors);
	return 0;
}

static uint64_t number_of(const json_t *object, const char *key)
{
	return strtoull(text_of(object, key), NULL, 10);
}

static struct cs_bytes encoded(const struct cmt_merkle *log)
{
	struct cs_buf buf;
	cs_buf_init(&buf, keep(LEDGER_MERKLE_SIZE_MAX), LEDGER_MERKLE_SIZE_MAX);
	ledger_merkle_encode(&buf, log);
	assert_int_equal(cs_buf_end(&buf), CS_OK);
	return cs_buf_view(&buf);
}

/* ---- published vectors ---- */

static void test_roots_and_values_of_the_published_logs(void **state)
{
	const json_t *leaves = json_object_get(vectors, "leaves");
	struct cmt_merkle log;
	(void)state;
	cmt_merkle_init(&log);
	for (size_t n = 0; n <= json_array_size(leaves); n++) {
		const json_t *frontier = json_array_get(json_object_get(vectors, "frontiers"), n);
		const struct cs_hash root = cmt_merkle_root(&log);
		const struct cs_hash want = hash_of_text(
			json_string_value(json_array_get(json_object_get(vectors, "roots"), n)));
		const struct cs_bytes value = encoded(&log);
		assert_memory_equal(root.b, want.b, sizeof root.b);
		assert_int_equal(value.n, 8 + 32 * json_array_size(frontier));
		assert_int_equal(cs_be64(value.p), n);
		for (size_t i = 0; i < json_array_size(frontier); i++) {
			struct cs_hash node =
				hash_of_text(json_string_value(json_array_get(frontier, i)));
			assert_memory_equal(value.p + 8 + 32 * i, node.b, sizeof node.b);
		}
		if (n < json_array_size(leaves))
			assert_int_equal(
				ledger_merkle_append(
					&log, unhex(json_string_value(json_array_get(leaves, n)))),
				CS_OK);
	}
}

static void test_published_proofs_of_consistency(void **state)
{
	const json_t *all = json_object_get(vectors, "consistency"), *one;
	size_t i, good = 0;
	(void)state;
	json_array_foreach(all, i, one)
	{
		const json_t *nodes = json_object_get(one, "proof");
		struct ledger_consistency proof = {.count = json_array_size(nodes)};
		const struct ledger_merkle_head old = {number_of(one, "size1"),
						       hash_of_text(text_of(one, "root1"))};
		const struct ledger_merkle_head now = {number_of(one, "size2"),
						       hash_of_text(text_of(one, "root2"))};
		assert_true(proof.count <= CS_LEN(proof.nodes));
		for (size_t j = 0; j < proof.count; j++)
			proof.nodes[j] = hash_of_text(json_string_value(json_array_get(nodes, j)));
		const bool bad = json_is_true(json_object_get(one, "bad"));
		const enum cs_err err = ledger_merkle_check_consistency(&proof, &old, &now);
		if (err != (bad ? CS_ERR_BAD_PROOF : CS_OK))
			fail_msg("%s: %s", text_of(one, "name"), cs_err_name(err));
		good += !bad;
	}
	assert_true(i > 50 && good >= 4);
}

static void test_published_audit_paths(void **state)
{
	const json_t *all = json_object_get(vectors, "inclusion"), *one;
	size_t i, good = 0;
	(void)state;
	json_array_foreach(all, i, one)
	{
		const json_t *nodes = json_object_get(one, "proof");
		const json_t *leaves = json_object_get(vectors, "leaves");
		struct cmt_proof proof = {.total = (int64_t)number_of(one, "size"),
					  .index = (int64_t)number_of(one, "index"),
					  .leaf = hash_of_text(text_of(one, "leaf")),
					  .count = json_array_size(nodes)};
		const struct cs_hash root = hash_of_text(text_of(one, "root"));
		const bool bad = json_is_true(json_object_get(one, "bad"));
		bool found = false;
		for (size_t j = 0; j < proof.count; j++)
			proof.aunts[j] = hash_of_text(json_string_value(json_array_get(nodes, j)));
		for (size_t j = 0; j < json_array_size(leaves); j++)
			found = found || cmt_proof_check(&proof, &root,
							 unhex(json_string_value(json_array_get(
								 leaves, j)))) == CS_OK;
		if (found == bad)
			fail_msg("%s: %s", text_of(one, "name"), found ? "taken" : "refused");
		good += found;
	}
	assert_true(i > 50 && good >= 4);
}

/* ---- against a tree of all lines ---- */

static struct cs_bytes line(size_t index)
{
	static uint8_t lines[COUNT_MAX + 1][8];
	cs_put_be64(lines[index], index);
	return CS_BYTES_OF(lines[index]);
}

static struct ledger_merkle_head head_of(size_t count)
{
	struct cmt_merkle log;
	cmt_merkle_init(&log);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(ledger_merkle_append(&log, line(i)), CS_OK);
	return (struct ledger_merkle_head){count, cmt_merkle_root(&log)};
}

static void test_every_log_is_consistent_with_every_earlier_one(void **state)
{
	static struct ledger_merkle_head heads[COUNT_MAX + 2];
	static uint8_t memory[ARENA_SIZE];
	(void)state;
	for (size_t n = 0; n < CS_LEN(heads); n++)
		heads[n] = head_of(n);
	for (size_t n = 1; n <= COUNT_MAX; n++) {
		struct cs_hash leaves[COUNT_MAX];
		struct cmt_tree tree;
		struct cs_arena arena;
		cs_arena_init(&arena, memory, sizeof memory);
		for (size_t i = 0; i < n; i++)
			leaves[i] = cmt_leaf_hash(line(i));
		assert_int_equal(cmt_tree_build(&tree, &arena, leaves, n), CS_OK);
		for (size_t old = 0; old <= n; old++) {
			struct ledger_consistency proof;
			ledger_merkle_prove_consistency(&proof, &tree, old);
			assert_int_equal(
				ledger_merkle_check_consistency(&proof, &heads[old], &heads[n]),
				CS_OK);
			/* Another earlier log has another root, one node more or less is not it. */
			const struct ledger_merkle_head other = {old, heads[old + 1].root};
			assert_int_equal(ledger_merkle_check_consistency(&proof, &other, &heads[n]),
					 CS_ERR_BAD_PROOF);
			if (proof.count > 0) {
				proof.count--;
				assert_int_equal(ledger_merkle_check_consistency(
							 &proof, &heads[old], &heads[n]),
						 CS_ERR_BAD_PROOF);
				proof.count++;
			}
			proof.nodes[proof.count++] = heads[n].root;
			assert_int_equal(
				ledger_merkle_check_consistency(&proof, &heads[old], &heads[n]),
				CS_ERR_BAD_PROOF);
		}
	}
}

static void test_an_older_log_never_follows_a_newer_one(void **state)
{
	const struct ledger_consistency none = {.count = 0};
	const struct ledger_merkle_head one = head_of(1), two = head_of(2);
	(void)state;
	assert_int_equal(ledger_merkle_check_consistency(&none, &two, &one), CS_ERR_BAD_PROOF);
}

/* ---- the value ---- */

static void test_a_value_reads_back(void **state)
{
	struct cmt_merkle log, again;
	(void)state;
	cmt_merkle_init(&log);
	for (size_t n = 0; n < COUNT_MAX; n++) {
		const struct cs_bytes value = encoded(&log);
		struct cs_reader reader;
		memset(&again, 0xee, sizeof again);
		cs_reader_init(&reader, value);
		assert_int_equal(ledger_merkle_decode(&again, &reader), CS_OK);
		assert_int_equal(cs_reader_end(&reader), CS_OK);
		assert_int_equal(ledger_merkle_append(&log, line(n)), CS_OK);
		assert_int_equal(ledger_merkle_append(&again, line(n)), CS_OK);
		const struct cs_hash root = cmt_merkle_root(&log), same = cmt_merkle_root(&again);
		assert_memory_equal(root.b, same.b, sizeof root.b);
		for (size_t cut = 0; cut < value.n; cut++) {
			cs_reader_init(&reader, cs_bytes(value.p, cut));
			if (ledger_merkle_decode(&again, &reader) == CS_OK)
				assert_int_equal(cs_reader_end(&reader), CS_ERR_TRUNCATED);
		}
	}
}

static void test_a_log_has_a_largest_count(void **state)
{
	struct cmt_merkle log = {.count = LEDGER_MERKLE_COUNT_MAX - 1};
	struct cs_reader reader;
	uint8_t value[8];
	(void)state;
	assert_int_equal(ledger_merkle_append(&log, line(0)), CS_OK);
	assert_int_equal(encoded(&log).n, LEDGER_MERKLE_SIZE_MAX);
	assert_int_equal(ledger_merkle_append(&log, line(0)), CS_ERR_FULL);
	cs_put_be64(value, (uint64_t)LEDGER_MERKLE_COUNT_MAX + 1);
	cs_reader_init(&reader, CS_BYTES_OF(value));
	assert_int_equal(ledger_merkle_decode(&log, &reader), CS_ERR_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roots_and_values_of_the_published_logs),
		cmocka_unit_test(test_published_proofs_of_consistency),
		cmocka_unit_test(test_published_audit_paths),
		cmocka_unit_test(test_every_log_is_consistent_with_every_earlier_one),
		cmocka_unit_test(test_an_older_log_never_follows_a_newer_one),
		cmocka_unit_test(test_a_value_reads_back),
		cmocka_unit_test(test_a_log_has_a_largest_count),
	};
	return cmocka_run_group_tests(tests, load, unload);
}
