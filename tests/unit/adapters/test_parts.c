/* Aligned parts of a batch: whatever is wanted is covered exactly once, each part folds to the root
 * by its path, and nothing costs more than it may. */
#include "adapters/parts.h"
#include "tests/unit/support.h"

static void leaves_of(struct cs_hash leaves[CS_BATCH_MAX])
{
	for (uint32_t i = 0; i < CS_BATCH_MAX; i++) {
		struct cs_hash id = {{(uint8_t)i, 0x5a}};
		leaves[i] = wire_leaf_message(&id);
	}
}

static void check_path(const struct cs_hash *leaves, uint32_t total,
		       const struct adapter_part *part)
{
	struct cs_hash path[CS_PATH_MAX];
	size_t count = adapter_part_path(path, leaves, total, part);
	struct cs_hash of_part = wire_root(leaves + part->first, part->count);
	struct cs_hash folded = wire_fold(&of_part, path, count);
	struct cs_hash root = wire_root(leaves, total);
	assert_true(cs_hash_eq(&folded, &root));
}

/* A small generator of its own: the same cases on every machine. */
static uint32_t next(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static void random_wishes_are_covered_exactly(void **unused)
{
	(void)unused;
	struct cs_hash leaves[CS_BATCH_MAX];
	uint32_t seed = 7;
	leaves_of(leaves);
	for (unsigned round = 0; round < 3000; round++) {
		struct adapter_part parts[CS_BATCH_MAX];
		bool wanted[CS_BATCH_MAX];
		bool alone[CS_BATCH_MAX];
		bool covered[CS_BATCH_MAX] = {false};
		uint64_t cost[CS_BATCH_MAX];
		uint32_t count = 1 + next(&seed) % CS_BATCH_MAX;
		uint64_t max = 100 + next(&seed) % 2000;
		for (uint32_t i = 0; i < count; i++) {
			wanted[i] = next(&seed) % 4 != 0;
			alone[i] = next(&seed) % 8 == 0;
			cost[i] = 10 + next(&seed) % 150;
		}
		size_t made = adapter_parts(parts, count, wanted, alone, cost, 50, max);
		for (size_t k = 0; k < made; k++) {
			uint64_t sum = 50;
			check_path(leaves, count, &parts[k]);
			for (uint32_t i = parts[k].first; i < parts[k].first + parts[k].count;
			     i++) {
				assert_true(wanted[i] && !covered[i]);
				assert_true(!alone[i] || parts[k].count == 1);
				covered[i] = true;
				sum += cost[i];
			}
			assert_true(sum <= max);
		}
		for (uint32_t i = 0; i < count; i++)
			assert_true(covered[i] == (wanted[i] && cost[i] <= max - 50));
	}
}

static void a_whole_batch_is_one_part(void **unused)
{
	(void)unused;
	struct adapter_part parts[CS_BATCH_MAX];
	bool wanted[CS_BATCH_MAX];
	bool alone[CS_BATCH_MAX] = {false};
	uint64_t cost[CS_BATCH_MAX];
	for (size_t i = 0; i < CS_BATCH_MAX; i++) {
		wanted[i] = true;
		cost[i] = 1;
	}
	for (size_t count = 1; count <= CS_BATCH_MAX; count++) {
		assert_int_equal(adapter_parts(parts, count, wanted, alone, cost, 0, 1000), 1);
		assert_int_equal(parts[0].count, count);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_wishes_are_covered_exactly),
		cmocka_unit_test(a_whole_batch_is_one_part),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
