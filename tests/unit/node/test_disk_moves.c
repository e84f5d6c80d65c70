/* A chain that begins with a state from elsewhere, and one that goes a height back: on a folder that
 * fails at every change, all of it has happened or nothing. */
#include "core/hash.h"
#include "tests/unit/node/one.h"
#include "tests/unit/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEIGHTS 5
#define CHANGES_MAX 64u

struct scene {
	struct one *one; /* the chain, stopped */
	struct faulty disk;
	char index_path[100];
	struct node_disk *open;
	struct bft_state state; /* after HEIGHTS - 1 */
	struct node_stored_block block;
	uint8_t *block_bytes, *commit_bytes, *scratch;
};

static void copy_source(struct scene *s)
{
	struct node_store *store = node_disk_store(s->one->disk);
	struct cs_bytes state, results;
	struct cs_arena arena;
	struct cs_why why = {{0}};
	assert_ok(node_store_block(store, &s->block, HEIGHTS - 1, &why));
	s->block_bytes = malloc(s->block.block.n);
	s->commit_bytes = malloc(s->block.commit.n);
	memcpy(s->block_bytes, s->block.block.p, s->block.block.n);
	memcpy(s->commit_bytes, s->block.commit.p, s->block.commit.n);
	s->block.block.p = s->block_bytes;
	s->block.commit.p = s->commit_bytes;
	assert_ok(node_store_outcome(store, &state, &results, HEIGHTS - 1, &why));
	s->scratch = malloc(1024 * 1024);
	cs_arena_init(&arena, s->scratch, 1024 * 1024);
	bft_state_init(&s->state);
	assert_ok(bft_state_decode(&s->state, state, &arena, &why));
}

static struct scene *make(uint64_t segment_size)
{
	struct scene *s = calloc(1, sizeof *s);
	assert_non_null(s);
	s->one = calloc(1, sizeof *s->one);
	assert_non_null(s->one);
	one_init(s->one, 1);
	s->one->segment_size = segment_size;
	assert_ok(one_start(s->one));
	assert_ok(one_run(s->one, HEIGHTS));
	copy_source(s);
	one_stop(s->one);
	faulty_restart(&s->one->disk_of, false);
	(void)snprintf(s->index_path, sizeof s->index_path, "%s-2", s->one->index_path);
	return s;
}

static void forget_index(const struct scene *s)
{
	static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
	char path[128];
	for (size_t i = 0; i < CS_LEN(ends); i++) {
		(void)snprintf(path, sizeof path, "%s%s", s->index_path, ends[i]);
		(void)unlink(path);
	}
}

static void end(struct scene *s)
{
	one_done(s->one);
	free(s->one);
	free(s->block_bytes);
	free(s->commit_bytes);
	free(s->scratch);
	free(s);
}

static void open_disk(struct scene *s, struct node_folder *folder, const char *index,
		      uint64_t segment_size)
{
	struct cs_why why = {{0}};
	const struct node_disk_options options = {.folder = folder,
						  .index_path = index,
						  .initial_height = 1,
						  .chain_id = &s->one->genesis.chain_id,
						  .genesis_hash = &s->one->genesis_hash,
						  .segment_size = segment_size};
	enum cs_err err = node_disk_open(&s->open, &options, &why);
	if (err != CS_OK)
		fail_msg("%s: %s", cs_err_name(err), why.text);
}

/* ---- a beginning ---- */

static bool is_begun(struct scene *s)
{
	const struct node_disk_found *found = node_disk_found(s->open);
	struct node_stored_block block;
	if (!found->has_state) {
		assert_int_equal(found->stored, 0);
		return false;
	}
	assert_int_equal(found->state->last_height, HEIGHTS - 1);
	assert_int_equal(found->base, HEIGHTS - 1);
	assert_int_equal(found->stored, HEIGHTS - 1);
	assert_bytes(found->last_commit, s->block.commit);
	assert_ok(node_store_block(node_disk_store(s->open), &block, HEIGHTS - 1, NULL));
	assert_bytes(block.block, s->block.block);
	return true;
}

static void open_new(struct scene *s)
{
	open_disk(s, &s->disk.folder, s->index_path, 0);
}

/* Whether the change of this number came. */
static bool begins_with_fault(struct scene *s, enum faulty_kind kind, uint64_t at)
{
	struct cs_why why = {{0}};
	faulty_init(&s->disk, at);
	forget_index(s);
	open_new(s);
	s->disk.fault = kind;
	s->disk.fault_at = s->disk.changes + at;
	enum cs_err err = node_disk_begin_at(s->open, &s->state, &s->block, &why);
	bool has_failed = s->disk.has_failed;
	assert_true(has_failed == (err != CS_OK));
	assert_int_equal(s->disk.changes_after_failure, 0);
	node_disk_close(s->open);
	faulty_restart(&s->disk, kind == FAULTY_POWER);
	open_new(s);
	bool is = is_begun(s);
	assert_true(is || has_failed);
	if (!is)
		assert_ok(node_disk_begin_at(s->open, &s->state, &s->block, &why));
	assert_err(node_disk_begin_at(s->open, &s->state, &s->block, &why), CS_ERR_CONFLICT);
	node_disk_close(s->open);
	faulty_restart(&s->disk, true);
	open_new(s);
	assert_true(is_begun(s));
	node_disk_close(s->open);
	faulty_done(&s->disk);
	forget_index(s);
	return has_failed;
}

static void a_beginning_is_whole_or_nothing(void **unused)
{
	(void)unused;
	struct scene *s = make(0);
	for (int kind = FAULTY_KILL; kind < FAULTY_KINDS; kind++) {
		uint64_t at = 0;
		while (begins_with_fault(s, (enum faulty_kind)kind, at))
			assert_true(++at < CHANGES_MAX);
		assert_true(at > 4);
	}
	end(s);
}

static void a_beginning_that_does_not_fit(void **unused)
{
	(void)unused;
	struct scene *s = make(0);
	struct cs_why why = {{0}};
	faulty_init(&s->disk, 1);
	open_new(s);
	s->block.height++;
	assert_err(node_disk_begin_at(s->open, &s->state, &s->block, &why), CS_ERR_CONFLICT);
	assert_false(is_begun(s));
	node_disk_close(s->open);
	faulty_done(&s->disk);
	forget_index(s);
	/* Where there is a chain already. */
	open_disk(s, &s->one->disk_of.folder, s->one->index_path, 0);
	s->block.height--;
	assert_err(node_disk_begin_at(s->open, &s->state, &s->block, &why), CS_ERR_CONFLICT);
	node_disk_close(s->open);
	end(s);
}

/* ---- a step back ---- */

struct place {
	int64_t height, stored;
};

static struct place look(struct scene *s, uint64_t segment_size)
{
	struct one *one = s->one;
	open_disk(s, &one->disk_of.folder, one->index_path, segment_size);
	const struct node_disk_found *found = node_disk_found(s->open);
	struct place place = {found->state->last_height, found->stored};
	node_disk_close(s->open);
	faulty_restart(&one->disk_of, false);
	return place;
}

static bool steps_back_with_fault(uint64_t segment_size, bool hard, enum faulty_kind kind,
				  uint64_t at)
{
	struct scene *s = make(segment_size);
	struct one *one = s->one;
	struct cs_why why = {{0}};
	struct cs_bytes app_hash;
	int64_t height = 0;
	open_disk(s, &one->disk_of.folder, one->index_path, segment_size);
	one->disk_of.fault = kind;
	one->disk_of.fault_at = one->disk_of.changes + at;
	enum cs_err err = node_disk_roll_back(s->open, hard, &height, &app_hash, &why);
	bool has_failed = one->disk_of.has_failed;
	assert_true(has_failed == (err != CS_OK));
	if (err == CS_OK) {
		assert_int_equal(height, HEIGHTS - 1);
		assert_bytes(app_hash, cs_bytes(s->state.app_hash, s->state.app_hash_size));
	}
	node_disk_close(s->open);
	faulty_restart(&one->disk_of, kind == FAULTY_POWER);
	struct place now = look(s, segment_size);
	bool is_back = now.height == HEIGHTS - 1 && now.stored == (hard ? HEIGHTS - 1 : HEIGHTS);
	bool is_as_before = now.height == HEIGHTS && now.stored == HEIGHTS;
	assert_true(is_back || (has_failed && is_as_before));
	end(s);
	return has_failed;
}

static void a_step_back_is_whole_or_nothing(void **unused)
{
	(void)unused;
	for (unsigned variant = 0; variant < 4; variant++) {
		for (int kind = FAULTY_KILL; kind < FAULTY_KINDS; kind++) {
			uint64_t at = 0;
			while (steps_back_with_fault(variant / 2, variant % 2 == 1,
						     (enum faulty_kind)kind, at))
				assert_true(++at < CHANGES_MAX);
			assert_true(at > 1);
		}
	}
}

/* As far as heights are kept, and the chain is made again from there. */
static void steps_back_to_the_first_height(void **unused)
{
	(void)unused;
	struct scene *s = make(1);
	struct one *one = s->one;
	struct cs_why why = {{0}};
	struct cs_bytes app_hash;
	int64_t height = 0;
	for (int64_t left = HEIGHTS - 1; left >= 1; left--) {
		open_disk(s, &one->disk_of.folder, one->index_path, 1);
		assert_ok(node_disk_roll_back(s->open, true, &height, &app_hash, &why));
		assert_int_equal(height, left);
		node_disk_close(s->open);
		faulty_restart(&one->disk_of, false);
	}
	open_disk(s, &one->disk_of.folder, one->index_path, 1);
	assert_err(node_disk_roll_back(s->open, true, &height, &app_hash, &why), CS_ERR_CONFLICT);
	assert_err(node_disk_roll_back(s->open, false, &height, &app_hash, &why), CS_ERR_CONFLICT);
	node_disk_close(s->open);
	faulty_restart(&one->disk_of, false);
	struct place now = look(s, 1);
	assert_int_equal(now.height, 1);
	assert_int_equal(now.stored, 1);
	end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_beginning_is_whole_or_nothing),
		cmocka_unit_test(a_beginning_that_does_not_fit),
		cmocka_unit_test(a_step_back_is_whole_or_nothing),
		cmocka_unit_test(steps_back_to_the_first_height),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
