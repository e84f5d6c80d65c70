/* Audit paths of lines: those of a tree of all lines (verify/cometbft/merkle.h, which has vectors from
 * outside), though the first lines are known by their roots alone. */
#include "cli/statement_path.h"
#include "core/arena.h"
#include "tests/unit/support.h"

#define COUNT_MAX 70u

static struct cs_bytes item(uint8_t *byte, size_t i)
{
	*byte = (uint8_t)i;
	return cs_bytes(byte, 1);
}

static void add(struct statement_leaves *leaves, size_t pruned, size_t count)
{
	struct cmt_merkle log;
	uint8_t byte;
	cmt_merkle_init(&log);
	for (size_t i = 0; i < pruned; i++)
		cmt_merkle_add(&log, item(&byte, i));
	statement_leaves_init(leaves, &log);
	for (size_t i = pruned; i < count; i++)
		assert_int_equal(statement_leaves_add(leaves, item(&byte, i)), CS_OK);
}

static void check(const struct statement_leaves *leaves, const struct cmt_tree *tree, size_t index)
{
	const struct cs_hash root = cmt_tree_root(tree);
	struct cmt_proof path, want;
	uint8_t byte;
	assert_int_equal(statement_path(&path, leaves, index), CS_OK);
	cmt_tree_prove(&want, tree, index);
	assert_int_equal(path.total, want.total);
	assert_int_equal(path.index, want.index);
	assert_int_equal(path.count, want.count);
	assert_memory_equal(path.aunts, want.aunts, want.count * sizeof(want.aunts[0]));
	assert_int_equal(cmt_proof_check(&path, &root, item(&byte, index)), CS_OK);
	assert_int_equal(cmt_proof_check(&path, &root, item(&byte, index + 1)), CS_ERR_BAD_PROOF);
}

static void test_every_line_of_every_log(void **state)
{
	static uint8_t memory[1u << 16];
	(void)state;
	for (size_t count = 1; count <= COUNT_MAX; count++) {
		struct cs_hash hashes[COUNT_MAX];
		struct cmt_tree tree;
		struct cs_arena arena;
		uint8_t byte;
		for (size_t i = 0; i < count; i++)
			hashes[i] = cmt_leaf_hash(item(&byte, i));
		cs_arena_init(&arena, memory, sizeof(memory));
		assert_int_equal(cmt_tree_build(&tree, &arena, hashes, count), CS_OK);
		for (size_t pruned = 0; pruned < count; pruned++) {
			struct statement_leaves leaves;
			add(&leaves, pruned, count);
			for (size_t i = pruned; i < count; i++)
				check(&leaves, &tree, i);
			statement_leaves_clear(&leaves);
		}
	}
}

static void test_lines_that_are_not_there(void **state)
{
	struct statement_leaves leaves;
	struct cmt_proof path;
	(void)state;
	add(&leaves, 3, 10);
	assert_int_equal(statement_path(&path, &leaves, 2), CS_ERR_NOT_FOUND);
	assert_int_equal(statement_path(&path, &leaves, 10), CS_ERR_NOT_FOUND);
	assert_int_equal(statement_path(&path, &leaves, UINT64_MAX), CS_ERR_NOT_FOUND);
	statement_leaves_clear(&leaves);
	add(&leaves, 4, 4);
	assert_int_equal(statement_path(&path, &leaves, 3), CS_ERR_NOT_FOUND);
	statement_leaves_clear(&leaves);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_line_of_every_log),
		cmocka_unit_test(test_lines_that_are_not_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
