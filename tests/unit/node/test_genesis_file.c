/* The genesis' hash beside the data: compared at each start, written down once, whole or not at
 * all. */
#include "relay_state/node/genesis_file.h"
#include "tests/unit/node/faulty.h"
#include "tests/unit/support.h"

#include <stdlib.h>
#include <string.h>

static const struct cs_hash first = {{1}}, other = {{2}};

static struct faulty *begin(uint64_t seed)
{
	struct faulty *f = calloc(1, sizeof *f);
	assert_non_null(f);
	faulty_init(f, seed);
	return f;
}

static void end(struct faulty *f)
{
	assert_int_equal(f->open_count, 0);
	faulty_done(f);
	free(f);
}

static enum cs_err compare(struct faulty *f, const struct cs_hash *hash, bool fresh)
{
	struct cs_why why = {{0}};
	return node_genesis_keep(&f->folder, hash, fresh, &why);
}

static void another_one_is_refused(void **unused)
{
	(void)unused;
	struct faulty *f = begin(1);
	assert_ok(compare(f, &first, true));
	faulty_restart(f, true);
	uint64_t changes = f->changes;
	assert_ok(compare(f, &first, false));
	assert_err(compare(f, &other, false), CS_ERR_CONFLICT);
	assert_ok(compare(f, &first, false));
	assert_int_equal(f->changes, changes);
	end(f);
}

/* Nothing was done under the first one: a genesis that did not start may be mended. */
static void a_fresh_folder_takes_another(void **unused)
{
	(void)unused;
	struct faulty *f = begin(1);
	assert_ok(compare(f, &first, true));
	assert_ok(compare(f, &other, true));
	faulty_restart(f, true);
	assert_err(compare(f, &first, false), CS_ERR_CONFLICT);
	assert_ok(compare(f, &other, false));
	end(f);
}

static void a_folder_without_one_takes_it(void **unused)
{
	(void)unused;
	struct faulty *f = begin(1);
	assert_ok(compare(f, &first, false));
	faulty_restart(f, true);
	assert_err(compare(f, &other, false), CS_ERR_CONFLICT);
	end(f);
}

static void a_turned_bit_is_no_other_genesis(void **unused)
{
	(void)unused;
	for (uint64_t seed = 1; seed < 50; seed++) {
		struct faulty *f = begin(seed);
		assert_ok(compare(f, &first, true));
		assert_true(faulty_flip(f, "genesis"));
		assert_err(compare(f, &first, false), CS_ERR_DAMAGED);
		assert_err(compare(f, &first, true), CS_ERR_DAMAGED);
		end(f);
	}
}

/* At every change of the first start: after it there is none or the right one. */
static void each_fault_at_each_change(void **unused)
{
	(void)unused;
	struct faulty *f = begin(1);
	assert_ok(compare(f, &first, true));
	const uint64_t changes = f->changes;
	end(f);
	assert_true(changes >= 3);
	for (int kind = FAULTY_KILL; kind < FAULTY_KINDS; kind++) {
		for (uint64_t at = 0; at < changes; at++) {
			f = begin(at * 31 + (uint64_t)kind);
			f->fault = (enum faulty_kind)kind;
			f->fault_at = at;
			assert_err(compare(f, &first, true),
				   kind == FAULTY_FULL ? CS_ERR_FULL : CS_ERR_IO);
			assert_true(f->has_failed);
			faulty_restart(f, at % 2 == 0);
			assert_ok(compare(f, &first, true));
			faulty_restart(f, true);
			assert_ok(compare(f, &first, false));
			assert_err(compare(f, &other, false), CS_ERR_CONFLICT);
			end(f);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_one_is_refused),
		cmocka_unit_test(a_fresh_folder_takes_another),
		cmocka_unit_test(a_folder_without_one_takes_it),
		cmocka_unit_test(a_turned_bit_is_no_other_genesis),
		cmocka_unit_test(each_fault_at_each_change),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
