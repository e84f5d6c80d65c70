/* The ledger's state in SQLite: the same answers as the double in memory gives, at every version that is
 * kept, after restarts and rollbacks; whole versions after kill -9; files that are damaged. */
#include "host/alloc.h"
#include "relay_state/ledger/tree.h"
#include "relay_state/node/ledger_db.h"
#include "tests/unit/ledger/memory_db.h"
#include "tests/unit/support.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARENA_SIZE (8u * 1024 * 1024)
#define KEYS 200u
#define CHANGES_MAX 64u

struct scene {
	char folder[64], path[128];
	struct node_ledger_db *db;
	struct ledger_db table;
	struct cs_arena arena;
	struct cs_why why;
};

static enum cs_err try_open(struct scene *s)
{
	s->why.text[0] = 0;
	CS_TRY(node_ledger_db_open(&s->db, s->path, &s->why));
	s->table = node_ledger_db_table(s->db);
	return CS_OK;
}

static void open_db(struct scene *s)
{
	assert_ok(try_open(s));
}

static void close_db(struct scene *s)
{
	node_ledger_db_close(s->db);
	s->db = NULL;
}

static int set_up(void **state)
{
	struct scene *s = host_alloc(sizeof *s);
	(void)snprintf(s->folder, sizeof s->folder, "/tmp/caisson-ledger-XXXXXX");
	assert_non_null(mkdtemp(s->folder));
	(void)snprintf(s->path, sizeof s->path, "%s/ledger.db", s->folder);
	cs_arena_init(&s->arena, host_alloc(ARENA_SIZE), ARENA_SIZE);
	*state = s;
	return 0;
}

static void remove_files(struct scene *s)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
	char path[160];
	for (size_t i = 0; i < CS_LEN(suffixes); i++) {
		(void)snprintf(path, sizeof path, "%s%s", s->path, suffixes[i]);
		(void)unlink(path);
	}
}

static int tear_down(void **state)
{
	struct scene *s = *state;
	void *memory = s->arena.block;
	close_db(s);
	remove_files(s);
	(void)rmdir(s->folder);
	cs_arena_done(&s->arena);
	free(memory);
	free(s);
	return 0;
}

/* ---- blocks that follow from their height alone ---- */

struct block {
	struct ledger_change items[LEDGER_SPACE_COUNT][CHANGES_MAX];
	uint8_t bytes[LEDGER_SPACE_COUNT][CHANGES_MAX][64];
	struct ledger_changes changes[LEDGER_SPACE_COUNT];
};

static uint32_t next(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* Prefixes of 0xff are among them. */
static struct cs_bytes key_of(uint8_t *memory, uint32_t k)
{
	memory[0] = k < 192 ? (uint8_t)(0x10 + k / 16) : 0xff;
	memory[1] = (uint8_t)(0xf0 + k % 16);
	memory[2] = memory[3] = 0;
	return cs_bytes(memory, 2 + k % 3);
}

/* Keys from few enough that they are changed, removed and there again; ascending. */
static void make_changes(struct block *block, size_t space, uint32_t *seed)
{
	size_t count = 0;
	for (uint32_t k = next(seed) % 8; k < KEYS && count < CHANGES_MAX;
	     k += 1 + next(seed) % 12) {
		uint8_t *bytes = block->bytes[space][count];
		const size_t value_size = 1 + next(seed) % 50;
		memset(bytes + 8, (int)next(seed), value_size);
		block->items[space][count++] = (struct ledger_change){
			key_of(bytes, k), cs_bytes(bytes + 8, value_size), next(seed) % 4 == 0};
	}
	block->changes[space] = (struct ledger_changes){block->items[space], count};
}

static void make_block(struct block *block, uint64_t height)
{
	uint32_t seed = (uint32_t)(height * 2654435761u + 11);
	for (size_t s = 0; s < LEDGER_SPACE_COUNT; s++)
		make_changes(block, s, &seed);
}

static uint64_t keep_from(uint64_t height, uint64_t window)
{
	return height > window ? height - window : 0;
}

static void commit_block(struct ledger_db *table, uint64_t height, uint64_t window)
{
	struct block block;
	make_block(&block, height);
	assert_ok(table->commit(table->context, height, block.changes, keep_from(height, window)));
}

/* ---- the same as the double ---- */

static void expect_same_get(struct scene *s, struct ledger_db *model, enum ledger_space space,
			    struct cs_bytes key, uint64_t version)
{
	struct cs_bytes want = CS_BYTES_NONE, got = CS_BYTES_NONE;
	cs_arena_rewind(&s->arena, 0);
	enum cs_err err = model->get(model->context, &want, space, key, version, &s->arena);
	assert_err(s->table.get(s->table.context, &got, space, key, version, &s->arena), err);
	assert_bytes(got, want);
}

struct seen {
	struct cs_buf buf;
	size_t count;
};

static enum cs_err take(void *context, struct cs_bytes key, struct cs_bytes value)
{
	struct seen *seen = context;
	cs_put_u8(&seen->buf, (uint8_t)key.n);
	cs_put(&seen->buf, key);
	cs_put_u8(&seen->buf, (uint8_t)value.n);
	cs_put(&seen->buf, value);
	seen->count++;
	return CS_OK;
}

static void expect_same_scan(struct scene *s, struct ledger_db *model, enum ledger_space space,
			     struct cs_bytes prefix, struct cs_bytes after)
{
	static uint8_t memory[2][65536];
	struct seen seen[2] = {{.count = 0}};
	cs_buf_init(&seen[0].buf, memory[0], sizeof memory[0]);
	cs_buf_init(&seen[1].buf, memory[1], sizeof memory[1]);
	assert_ok(model->scan(model->context, space, prefix, after, take, &seen[0]));
	assert_ok(s->table.scan(s->table.context, space, prefix, after, take, &seen[1]));
	assert_ok(cs_buf_end(&seen[0].buf));
	assert_int_equal(seen[0].count, seen[1].count);
	assert_bytes(cs_buf_view(&seen[1].buf), cs_buf_view(&seen[0].buf));
}

static void expect_same(struct scene *s, struct memory_db *memory)
{
	struct ledger_db model = memory_db_table(memory);
	static struct block block;
	assert_int_equal(node_ledger_db_version(s->db), memory_db_version(memory));
	assert_int_equal(node_ledger_db_oldest(s->db), memory_db_oldest(memory));
	for (uint64_t v = memory_db_oldest(memory) - 1; v <= memory_db_version(memory) + 1; v++) {
		for (size_t space = 0; space < LEDGER_SPACE_COUNT; space++) {
			for (uint32_t k = 0; k < KEYS; k++) {
				uint8_t key[4];
				expect_same_get(s, &model, (enum ledger_space)space, key_of(key, k),
						v);
			}
		}
	}
	make_block(&block, 7);
	for (size_t space = 0; space < LEDGER_SPACE_COUNT; space++) {
		const struct ledger_changes *some = &block.changes[space];
		expect_same_scan(s, &model, (enum ledger_space)space, CS_BYTES_NONE, CS_BYTES_NONE);
		for (size_t i = 0; i < some->count; i += 5) {
			struct cs_bytes key = some->items[i].key;
			expect_same_scan(s, &model, (enum ledger_space)space, CS_BYTES_NONE, key);
			expect_same_scan(s, &model, (enum ledger_space)space, cs_bytes(key.p, 1),
					 CS_BYTES_NONE);
			expect_same_scan(s, &model, (enum ledger_space)space, cs_bytes(key.p, 1),
					 key);
		}
	}
}

static void test_is_the_double(void **state)
{
	struct scene *s = *state;
	struct memory_db *memory = memory_db_new();
	struct ledger_db model = memory_db_table(memory);
	open_db(s);
	for (uint64_t height = 1; height <= 40; height++) {
		commit_block(&s->table, height, 6);
		commit_block(&model, height, 6);
		if (height % 10 == 9) {
			/* A commit that closed is there; so is everything that came before. */
			close_db(s);
			open_db(s);
		}
		if (height % 5 == 4)
			expect_same(s, memory);
		if (height % 10 == 5) {
			uint64_t back = height - height % 4;
			assert_ok(node_ledger_db_rollback(s->db, back, &s->why));
			memory_db_rollback(memory, back);
			expect_same(s, memory);
			for (uint64_t again = back + 1; again <= height; again++) {
				commit_block(&s->table, again, 6);
				commit_block(&model, again, 6);
			}
			expect_same(s, memory);
		}
	}
	memory_db_free(memory);
}

static void test_versions_rise_by_any_step(void **state)
{
	struct scene *s = *state;
	struct memory_db *memory = memory_db_new();
	struct ledger_db model = memory_db_table(memory);
	open_db(s);
	for (uint64_t height = 1000; height < 1060; height += 7) {
		commit_block(&s->table, height, 30);
		commit_block(&model, height, 30);
	}
	expect_same(s, memory);
	assert_ok(node_ledger_db_rollback(s->db, 1045, &s->why));
	memory_db_rollback(memory, 1045);
	expect_same(s, memory);
	assert_err(node_ledger_db_rollback(s->db, 1046, &s->why), CS_ERR_UNAVAILABLE);
	assert_err(node_ledger_db_rollback(s->db, node_ledger_db_oldest(s->db) - 1, &s->why),
		   CS_ERR_UNAVAILABLE);
	assert_err(node_ledger_db_rollback(s->db, 0, &s->why), CS_ERR_UNAVAILABLE);
	assert_non_null(strstr(s->why.text, "has versions"));
	expect_same(s, memory);
	memory_db_free(memory);
}

/* ---- sizes of tables, by another hand ---- */

static int64_t ask_number(struct scene *s, const char *sql)
{
	sqlite3 *sqlite = NULL;
	sqlite3_stmt *stmt = NULL;
	assert_int_equal(
		sqlite3_open_v2(s->path, &sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(sqlite, sql, -1, &stmt, NULL), SQLITE_OK);
	int code = sqlite3_step(stmt);
	int64_t number =
		code == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : sqlite3_changes(sqlite);
	assert_true(code == SQLITE_ROW || code == SQLITE_DONE);
	(void)sqlite3_finalize(stmt);
	assert_int_equal(sqlite3_close(sqlite), SQLITE_OK);
	return number;
}

/* Nobody else reads it while it is open. */
static int64_t ask_between(struct scene *s, const char *sql)
{
	close_db(s);
	int64_t number = ask_number(s, sql);
	open_db(s);
	return number;
}

static void test_forgets_in_bounded_steps(void **state)
{
	struct scene *s = *state;
	struct block block;
	const struct ledger_changes none[LEDGER_SPACE_COUNT] = {{NULL, 0}};
	open_db(s);
	for (uint64_t height = 1; height <= 200; height++)
		commit_block(&s->table, height, 1000);
	const int64_t before = ask_between(s, "SELECT count(*) FROM history");
	assert_true(before > 3 * (int64_t)NODE_LEDGER_PRUNED_RUNS_MIN);
	/* One commit leaves most of it, and older versions are not answered any more. */
	make_block(&block, 201);
	assert_ok(s->table.commit(s->table.context, 201, block.changes, 201));
	assert_int_equal(node_ledger_db_oldest(s->db), 201);
	assert_in_range(before - ask_between(s, "SELECT count(*) FROM history"),
			NODE_LEDGER_PRUNED_RUNS_MIN - 1, NODE_LEDGER_PRUNED_RUNS_MIN + 8);
	struct cs_bytes value;
	assert_err(s->table.get(s->table.context, &value, LEDGER_VALUES, cs_bytes("ab", 2), 200,
				&s->arena),
		   CS_ERR_UNAVAILABLE);
	for (uint64_t height = 202; height < 220; height++)
		assert_ok(s->table.commit(s->table.context, height, none, height));
	assert_int_equal(ask_between(s, "SELECT count(*) FROM history"), 0);
	assert_int_equal(ask_between(s, "SELECT count(*) FROM pairs WHERE value IS NULL"), 0);
	assert_true(ask_between(s, "SELECT count(*) FROM pairs") > 100);
}

/* One that the block leaves there. */
static size_t kept(const struct block *block)
{
	size_t i = 0;
	while (block->items[LEDGER_VALUES][i].removed)
		i++;
	return i;
}

static void test_version_zero_is_begun_work(void **state)
{
	struct scene *s = *state;
	struct block block;
	struct cs_bytes value;
	open_db(s);
	for (uint64_t part = 1; part <= 3; part++) {
		make_block(&block, part);
		assert_ok(s->table.commit(s->table.context, 0, block.changes, 0));
	}
	assert_ok(s->table.get(s->table.context, &value, LEDGER_VALUES,
			       block.items[LEDGER_VALUES][kept(&block)].key, 0, &s->arena));
	close_db(s);
	assert_true(ask_number(s, "SELECT count(*) FROM pairs") > 0);
	open_db(s);
	assert_int_equal(ask_between(s, "SELECT count(*) FROM pairs"), 0);
	/* Completed, it stays, and the first version is all there is. */
	make_block(&block, 1);
	assert_ok(s->table.commit(s->table.context, 0, block.changes, 0));
	make_block(&block, 2);
	assert_ok(s->table.commit(s->table.context, 9, block.changes, 0));
	assert_int_equal(ask_between(s, "SELECT count(*) FROM history"), 0);
	assert_int_equal(ask_between(s, "SELECT count(*) FROM pairs WHERE value IS NULL"), 0);
	close_db(s);
	open_db(s);
	assert_int_equal(node_ledger_db_version(s->db), 9);
	assert_int_equal(node_ledger_db_oldest(s->db), 9);
	assert_err(s->table.get(s->table.context, &value, LEDGER_VALUES, cs_bytes("ab", 2), 8,
				&s->arena),
		   CS_ERR_UNAVAILABLE);
	assert_true(ask_between(s, "SELECT count(*) FROM pairs") > 0);
	assert_ok(s->table.clear(s->table.context));
	assert_int_equal(node_ledger_db_version(s->db), 0);
	assert_int_equal(ask_between(s, "SELECT count(*) FROM pairs"), 0);
	commit_block(&s->table, 3, 5);
	assert_int_equal(node_ledger_db_version(s->db), 3);
}

static enum cs_err take_nested(void *context, struct cs_bytes key, struct cs_bytes value)
{
	struct scene *s = context;
	struct seen seen = {.count = 0};
	struct cs_bytes got;
	static uint8_t memory[65536];
	cs_buf_init(&seen.buf, memory, sizeof memory);
	cs_arena_rewind(&s->arena, 0);
	assert_ok(s->table.get(s->table.context, &got, LEDGER_VALUES, key, 0, &s->arena));
	assert_bytes(got, value);
	assert_ok(s->table.scan(s->table.context, LEDGER_VALUES, key, CS_BYTES_NONE, take, &seen));
	assert_true(seen.count > 0);
	return CS_ERR_TOO_LARGE;
}

static void test_one_that_takes_asks_again(void **state)
{
	struct scene *s = *state;
	open_db(s);
	commit_block(&s->table, 1, 5);
	assert_err(s->table.scan(s->table.context, LEDGER_VALUES, CS_BYTES_NONE, CS_BYTES_NONE,
				 take_nested, s),
		   CS_ERR_TOO_LARGE);
	commit_block(&s->table, 2, 5);
}

static void test_no_memory(void **state)
{
	struct scene *s = *state;
	struct cs_bytes value = cs_bytes("untouched", 9);
	struct block block;
	open_db(s);
	make_block(&block, 1);
	block.items[0][0].removed = false;
	assert_ok(s->table.commit(s->table.context, 1, block.changes, 0));
	struct cs_arena none;
	_Alignas(16) uint8_t some[16];
	cs_arena_init(&none, some, 0);
	assert_err(s->table.get(s->table.context, &value, LEDGER_VALUES, block.items[0][0].key, 0,
				&none),
		   CS_ERR_NO_MEMORY);
	assert_bytes(value, cs_bytes("untouched", 9));
}

/* ---- kill -9 ---- */

/* One block as the application has it: values, and the pages of their tree. */
static struct cs_hash commit_tree(struct ledger_db *table, uint64_t height, struct cs_arena *arena)
{
	struct block block;
	struct cs_hash root;
	make_block(&block, height);
	struct ledger_changes changes[LEDGER_SPACE_COUNT] = {block.changes[LEDGER_VALUES]};
	cs_arena_rewind(arena, 0);
	assert_ok(ledger_tree_update(&root, &changes[LEDGER_PAGES], table, &changes[LEDGER_VALUES],
				     arena));
	assert_ok(table->commit(table->context, height, changes, keep_from(height, 20)));
	return root;
}

static void child(struct scene *s, int out)
{
	struct node_ledger_db *db = NULL;
	if (node_ledger_db_open(&db, s->path, &s->why) != CS_OK)
		_exit(1);
	struct ledger_db table = node_ledger_db_table(db);
	for (uint64_t height = node_ledger_db_version(db) + 1;; height++) {
		(void)commit_tree(&table, height, &s->arena);
		if (write(out, &height, sizeof height) != (ssize_t)sizeof height)
			_exit(1);
	}
}

/* How far it said that it was when it died: a few heights after `heights` more. */
static uint64_t run_and_kill(struct scene *s, size_t heights, uint32_t spins)
{
	int ends[2];
	uint64_t height = 0, last = 0;
	int status = 0;
	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(ends[0]);
		child(s, ends[1]);
	}
	(void)close(ends[1]);
	for (size_t i = 0; i < heights; i++)
		assert_int_equal(read(ends[0], &last, sizeof last), sizeof last);
	/* Somewhere in the next one. */
	for (volatile uint32_t spin = 0; spin < spins; spin++)
		continue;
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	while (read(ends[0], &height, sizeof height) == (ssize_t)sizeof height)
		last = height;
	(void)close(ends[0]);
	return last;
}

static void test_kill_leaves_whole_versions(void **state)
{
	static struct cs_hash roots[4096];
	struct scene *s = *state;
	struct memory_db *memory = memory_db_new();
	struct ledger_db model = memory_db_table(memory);
	uint32_t seed = 9;
	uint64_t known = 0;
	for (size_t round = 0; round < 12; round++) {
		uint64_t said = run_and_kill(s, 10 + next(&seed) % 20, next(&seed) % 400000);
		open_db(s);
		uint64_t version = node_ledger_db_version(s->db);
		/* A process that dies loses nothing that it has written. */
		assert_in_range(version, said, said + 1);
		assert_true(version < CS_LEN(roots));
		for (; known < version; known++)
			roots[known + 1] = commit_tree(&model, known + 1, &s->arena);
		expect_same(s, memory);
		for (uint64_t v = node_ledger_db_oldest(s->db); v <= version; v++) {
			struct cs_hash root;
			cs_arena_rewind(&s->arena, 0);
			assert_ok(ledger_tree_root(&root, &s->table, v, &s->arena));
			assert_hash(root, roots[v]);
		}
		close_db(s);
	}
	memory_db_free(memory);
}

/* ---- damage ---- */

/* What is there, read in every way. */
static enum cs_err read_all(struct scene *s)
{
	static struct block block;
	struct ledger_db *t = &s->table;
	struct cs_bytes value;
	struct seen seen = {.count = 0};
	static uint8_t memory[65536];
	for (size_t space = 0; space < LEDGER_SPACE_COUNT; space++) {
		cs_buf_init(&seen.buf, memory, sizeof memory);
		CS_TRY(t->scan(t->context, (enum ledger_space)space, CS_BYTES_NONE, CS_BYTES_NONE,
			       take, &seen));
	}
	for (uint64_t v = node_ledger_db_oldest(s->db); v <= node_ledger_db_version(s->db); v++) {
		make_block(&block, v);
		for (size_t space = 0; space < LEDGER_SPACE_COUNT; space++) {
			for (size_t i = 0; i < block.changes[space].count; i++) {
				cs_arena_rewind(&s->arena, 0);
				enum cs_err err =
					t->get(t->context, &value, (enum ledger_space)space,
					       block.items[space][i].key, v - (v > 1), &s->arena);
				if (err != CS_OK && err != CS_ERR_NOT_FOUND &&
				    err != CS_ERR_UNAVAILABLE)
					return err;
			}
		}
	}
	return CS_OK;
}

static void fill(struct scene *s)
{
	open_db(s);
	for (uint64_t height = 1; height <= 30; height++)
		commit_block(&s->table, height, 10);
	close_db(s);
}

static off_t size_of(struct scene *s)
{
	struct stat st;
	assert_int_equal(stat(s->path, &st), 0);
	return st.st_size;
}

static void flip(struct scene *s, off_t at, uint8_t mask)
{
	uint8_t byte = 0;
	int fd = open(s->path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= mask;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	(void)close(fd);
}

/* Nothing but good answers or an error that says so, and the file is left as it is. */
static void test_flipped_bits(void **state)
{
	struct scene *s = *state;
	struct memory_db *memory = memory_db_new();
	struct ledger_db model = memory_db_table(memory);
	size_t told = 0, at_start = 0, count = 0;
	uint32_t seed = 5;
	for (uint64_t height = 1; height <= 30; height++)
		commit_block(&model, height, 10);
	fill(s);
	const off_t size = size_of(s);
	for (; count < 400; count++) {
		const off_t at = (off_t)(next(&seed) % (uint32_t)size);
		const uint8_t mask = (uint8_t)(1u << next(&seed) % 8);
		flip(s, at, mask);
		enum cs_err err = try_open(s);
		at_start += err != CS_OK;
		if (err == CS_OK)
			err = read_all(s);
		assert_true(err == CS_OK || err == CS_ERR_DAMAGED ||
			    (s->db == NULL && err == CS_ERR_INVALID));
		if (err != CS_OK)
			assert_true((s->db != NULL ? node_ledger_db_why(s->db) : s->why.text)[0] !=
				    0);
		told += err != CS_OK;
		close_db(s);
		flip(s, at, mask);
	}
	/* Most of a file is rows; the rest is free room, and keys of an index. */
	assert_in_range(told, count / 3, count);
	assert_true(at_start > 0);
	open_db(s);
	expect_same(s, memory);
	memory_db_free(memory);
}

static void test_a_truncated_file(void **state)
{
	struct scene *s = *state;
	fill(s);
	const off_t size = size_of(s);
	for (off_t cut = 1; cut < 8; cut++) {
		assert_int_equal(truncate(s->path, size - cut * 4096 - cut % 2), 0);
		assert_err(try_open(s), CS_ERR_DAMAGED);
		assert_null(s->db);
		assert_true(s->why.text[0] != 0);
	}
	/* Nothing of it: a new one, of version 0, which the engine has to fill from its blocks. */
	assert_int_equal(truncate(s->path, 0), 0);
	open_db(s);
	assert_int_equal(node_ledger_db_version(s->db), 0);
}

static void test_what_is_not_ours(void **state)
{
	struct scene *s = *state;
	FILE *file = fopen(s->path, "w");
	assert_non_null(file);
	for (int i = 0; i < 500; i++)
		(void)fputs("this is no database\n", file);
	(void)fclose(file);
	assert_err(try_open(s), CS_ERR_DAMAGED);
	remove_files(s);
	(void)ask_number(s, "SELECT 1");
	assert_int_equal(ask_number(s, "PRAGMA application_id=7"), 0);
	assert_err(try_open(s), CS_ERR_INVALID);
	remove_files(s);
	fill(s);
	(void)ask_number(s, "PRAGMA user_version=2");
	assert_err(try_open(s), CS_ERR_INVALID);
	(void)ask_number(s, "PRAGMA user_version=1");
	struct node_ledger_db *other = NULL;
	open_db(s);
	assert_err(node_ledger_db_open(&other, s->path, &s->why), CS_ERR_CONFLICT);
}

/* Each leaves a file that SQLite finds good. */
static void test_rows_that_were_changed(void **state)
{
	static const char *const at_start[] = {
		"UPDATE state SET version = 29",
		"UPDATE state SET oldest = 25",
		"DELETE FROM state",
		"ALTER TABLE history RENAME COLUMN first TO begin",
	};
	static const char *const later[] = {
		"UPDATE pairs SET value = x'00' WHERE id = (SELECT max(id) FROM pairs WHERE value "
		"IS NOT NULL)",
		"UPDATE pairs SET value = NULL",
		"UPDATE pairs SET version = version - 1",
		"UPDATE pairs SET version = -1",
		"UPDATE pairs SET key = x'00aa' WHERE id = 1",
		"UPDATE pairs SET value = zeroblob(30000) WHERE id = 1",
		"UPDATE history SET version = version + 1000",
		"UPDATE history SET run = CAST(run || x'01' AS BLOB)",
		"UPDATE history SET run = x'', sum = 0",
		"UPDATE history SET run = zeroblob(30000)",
		"UPDATE history SET sum = sum + 1",
		"UPDATE history SET first = CAST(first || x'ff' AS BLOB)",
		"DELETE FROM history",
	};
	struct scene *s = *state;
	for (size_t i = 0; i < CS_LEN(at_start) + CS_LEN(later); i++) {
		const bool is_early = i < CS_LEN(at_start);
		remove_files(s);
		fill(s);
		(void)ask_number(s, is_early ? at_start[i] : later[i - CS_LEN(at_start)]);
		enum cs_err err = try_open(s);
		assert_int_equal(err == CS_OK, !is_early);
		if (err == CS_OK)
			err = read_all(s);
		assert_err(err, CS_ERR_DAMAGED);
		close_db(s);
	}
}

static void test_a_failed_change_is_the_last(void **state)
{
	struct scene *s = *state;
	struct block block;
	struct cs_bytes value;
	fill(s);
	(void)ask_number(s, "UPDATE pairs SET value = x'00' WHERE value IS NOT NULL");
	open_db(s);
	make_block(&block, 31);
	assert_err(s->table.commit(s->table.context, 31, block.changes, 0), CS_ERR_DAMAGED);
	assert_non_null(strstr(node_ledger_db_why(s->db), "checksum"));
	assert_int_equal(node_ledger_db_version(s->db), 30);
	assert_err(s->table.get(s->table.context, &value, LEDGER_VALUES, cs_bytes("zz", 2), 0,
				&s->arena),
		   CS_ERR_DAMAGED);
	assert_err(s->table.commit(s->table.context, 31, block.changes, 0), CS_ERR_DAMAGED);
	assert_err(node_ledger_db_rollback(s->db, 29, &s->why), CS_ERR_DAMAGED);
	assert_err(s->table.clear(s->table.context), CS_ERR_DAMAGED);
	close_db(s);
	/* Nothing of it is on the disk. */
	open_db(s);
	assert_int_equal(node_ledger_db_version(s->db), 30);
	assert_err(node_ledger_db_rollback(s->db, 29, &s->why), CS_ERR_DAMAGED);
	assert_non_null(strstr(s->why.text, "checksum"));
	close_db(s);
	open_db(s);
	assert_int_equal(node_ledger_db_version(s->db), 30);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_is_the_double),
		CASE(test_versions_rise_by_any_step),
		CASE(test_forgets_in_bounded_steps),
		CASE(test_version_zero_is_begun_work),
		CASE(test_one_that_takes_asks_again),
		CASE(test_no_memory),
		CASE(test_kill_leaves_whole_versions),
		CASE(test_flipped_bits),
		CASE(test_a_truncated_file),
		CASE(test_what_is_not_ours),
		CASE(test_rows_that_were_changed),
		CASE(test_a_failed_change_is_the_last),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
