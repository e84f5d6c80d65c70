/* The node's disk under an engine: every fault at every change of a run, then a start: everything
 * that was promised is there, or the start refuses. */
#include "tests/unit/node/one.h"
#include "tests/unit/support.h"

#include <stdlib.h>

#define HEIGHTS 3
#define SEEDS 200
#define SYNCS_MAX 8

static struct one *begin(uint64_t seed)
{
	struct one *one = calloc(1, sizeof *one);
	assert_non_null(one);
	one_init(one, seed);
	return one;
}

static void end(struct one *one)
{
	one_done(one);
	assert_int_equal(one->disk_of.open_count, 0);
	free(one);
}

static void must_start(struct one *one)
{
	enum cs_err err = one_start(one);
	if (err != CS_OK)
		print_message("start: %s: %s\n", cs_err_name(err), one->why.text);
	assert_ok(err);
	if (one->wrong != NULL)
		print_message("%s: %s\n", one->wrong, one->why.text);
	assert_null(one->wrong);
}

static void must_run(struct one *one, int64_t height)
{
	enum cs_err err = one_run(one, height);
	if (err != CS_OK)
		print_message("run to %lld: %s: %s\n", (long long)height, cs_err_name(err),
			      one->why.text);
	assert_ok(err);
}

static void restart(struct one *one, bool power)
{
	one_stop(one);
	faulty_restart(&one->disk_of, power);
	one->has_lost_power = power;
}

static void blocks_are_there_after_a_start(void **unused)
{
	(void)unused;
	struct one *one = begin(1);
	must_start(one);
	must_run(one, 5);
	for (int i = 0; i < 4; i++) {
		restart(one, i % 2 == 1);
		must_start(one);
		assert_true(node_disk_found(one->disk)->has_state);
		assert_int_equal(node_disk_found(one->disk)->base, 1);
		must_run(one, one->state_max + 2);
	}
	assert_int_equal(one->state_max, 13);
	assert_false(one->has_signed_twice);
	end(one);
}

/* Three signatures, the log before each of them leaves, the block, its outcome; and no log file for
 * each crash is left. */
static void a_height_takes_few_syncs(void **unused)
{
	(void)unused;
	struct one *one = begin(1);
	must_start(one);
	must_run(one, 2);
	uint64_t before = one->disk_of.syncs;
	must_run(one, 12);
	assert_in_range(one->disk_of.syncs - before, 1, 10 * SYNCS_MAX);
	for (int i = 0; i < 5; i++) {
		one->log_size = 1;
		restart(one, false);
		must_start(one);
		must_run(one, one->state_max + 3);
	}
	struct node_numbers numbers;
	assert_ok(node_folder_numbers(&numbers, &one->disk_of.folder, "log-", NULL));
	assert_int_equal(numbers.count, 1);
	free(numbers.list);
	end(one);
}

/* The number of changes of a start and HEIGHTS blocks, and of the start alone. */
static uint64_t count_changes(struct one *one)
{
	must_start(one);
	must_run(one, HEIGHTS);
	return one->disk_of.changes;
}

/* One life with a fault, then one or two without. */
static void suffer(struct one *one, enum faulty_kind kind, uint64_t at, bool power)
{
	struct faulty *f = &one->disk_of;
	f->fault = kind;
	f->fault_at = at;
	enum cs_err err = one_start(one);
	if (err == CS_OK)
		err = one_run(one, one->state_max + HEIGHTS);
	one->has_suffered = f->has_failed;
	if (f->has_failed)
		assert_true(err == CS_ERR_IO || err == CS_ERR_FULL);
	if (f->has_failed && kind == FAULTY_FULL)
		assert_int_equal(err, CS_ERR_FULL);
	assert_int_equal(f->changes_after_failure, 0);
	restart(one, power);
}

static void each_fault_at_each_change(void **unused)
{
	(void)unused;
	struct one *one = begin(1);
	uint64_t changes = count_changes(one);
	end(one);
	assert_true(changes > 30);
	for (int kind = FAULTY_KILL; kind < FAULTY_KINDS; kind++) {
		for (uint64_t at = 0; at < changes; at++) {
			bool power = kind == FAULTY_POWER || (kind != FAULTY_KILL && at % 3 == 0);
			one = begin(at * 31 + (uint64_t)kind);
			one->segment_size = 1; /* a segment for each height */
			one->log_size = 1;
			suffer(one, (enum faulty_kind)kind, at, power);
			assert_true(one->has_suffered);
			if (at % 3 == 0)
				one_forget_index(one);
			must_start(one);
			if (at % 5 < 3) {
				/* What a start has believed is durable before anything else. */
				restart(one, true);
				must_start(one);
			}
			/* One height: nothing later makes durable what this start left open. */
			must_run(one, one->state_max + 1);
			restart(one, true);
			one->check_all = true;
			must_start(one);
			assert_false(one->has_signed_twice);
			end(one);
		}
	}
}

/* A segment whose name only the kernel knows: no log file is begun here, whose sync would save
 * it. */
static void names_that_are_believed_are_durable(void **unused)
{
	(void)unused;
	for (uint64_t at = 0; at < 60; at++) {
		struct one *one = begin(at);
		one->segment_size = 1;
		suffer(one, FAULTY_EIO, at, false);
		must_start(one);
		must_run(one, one->state_max + 1);
		restart(one, true);
		must_start(one);
		end(one);
	}
}

/* A chain's data do not go on under another genesis, and what is refused changes nothing. */
static void another_genesis_is_refused(void **unused)
{
	(void)unused;
	struct one *one = begin(1);
	must_start(one);
	must_run(one, 2);
	restart(one, true);
	one->genesis_hash.b[31] ^= 1;
	for (int i = 0; i < 2; i++) {
		assert_err(one_start(one), CS_ERR_CONFLICT);
		assert_non_null(strstr(one->why.text, "another genesis"));
		restart(one, false);
	}
	one->genesis_hash.b[31] ^= 1;
	must_start(one);
	must_run(one, 3);
	restart(one, true);
	one->genesis.chain_id.text[0] ^= 1;
	assert_err(one_start(one), CS_ERR_WRONG_CHAIN);
	end(one);
}

/* A home of an earlier build: what it has now is written down, and counts from then on. */
static void a_home_without_its_genesis_takes_one(void **unused)
{
	(void)unused;
	struct one *one = begin(1);
	must_start(one);
	must_run(one, 2);
	restart(one, true);
	assert_true(faulty_lose(&one->disk_of, "genesis"));
	one->genesis_hash.b[0] ^= 1;
	must_start(one);
	restart(one, true);
	one->genesis_hash.b[0] ^= 1;
	assert_err(one_start(one), CS_ERR_CONFLICT);
	end(one);
}

static void flip(struct one *one)
{
	static const char *const prefixes[] = {"log-", "blocks-", "sign_state", "genesis"};
	struct faulty *f = &one->disk_of;
	if (faulty_flip(f, prefixes[faulty_below(f, CS_LEN(prefixes))]))
		one->is_bit_flipped = true;
}

/* Lives with faults of any kind one after the other, and at times a bit that turned. */
static void many_lives(uint64_t seed)
{
	struct one *one = begin(seed);
	struct faulty *f = &one->disk_of;
	one->segment_size = 1 + faulty_below(f, 4000);
	one->log_size = 1 + (size_t)faulty_below(f, 20000);
	one->check_all = true;
	if (faulty_below(f, 3) == 0)
		one->retain_blocks = 1 + (int64_t)faulty_below(f, 5);
	for (int life = 0; life < 6; life++) {
		enum faulty_kind kind = (enum faulty_kind)faulty_below(f, FAULTY_KINDS);
		bool power = faulty_below(f, 2) == 0;
		one->is_bit_flipped = false;
		suffer(one, kind, faulty_below(f, 60), power);
		if (faulty_below(f, 4) == 0)
			flip(one);
		else if (faulty_below(f, 4) == 0)
			one_forget_index(one);
		enum cs_err err = one_start(one);
		if (err == CS_ERR_DAMAGED && one->is_bit_flipped)
			break;
		if (err != CS_OK || one->wrong != NULL)
			print_message("seed %llu life %d: %s %s: %s\n", (unsigned long long)seed,
				      life, cs_err_name(err), one->wrong != NULL ? one->wrong : "",
				      one->why.text);
		assert_ok(err);
		assert_null(one->wrong);
		if (one->retain_blocks > 0 && one->state_max > 0)
			assert_true(node_disk_found(one->disk)->base <=
					    one->state_max - one->retain_blocks + 1 ||
				    node_disk_found(one->disk)->base == 1);
		restart(one, false);
		/* The lock may be on a block that was in the lost tail alone: one who is alone
		 * waits for it for ever, which is right. */
		if (one->is_bit_flipped && power)
			break;
	}
	assert_false(one->has_signed_twice);
	end(one);
}

static void all_seeds(void **unused)
{
	(void)unused;
	const char *given = getenv("CAISSON_SEED");
	if (given != NULL) {
		many_lives(strtoull(given, NULL, 10));
		return;
	}
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		many_lives(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_are_there_after_a_start),
		cmocka_unit_test(a_height_takes_few_syncs),
		cmocka_unit_test(each_fault_at_each_change),
		cmocka_unit_test(names_that_are_believed_are_durable),
		cmocka_unit_test(another_genesis_is_refused),
		cmocka_unit_test(a_home_without_its_genesis_takes_one),
		cmocka_unit_test(all_seeds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
