/* The store: group commit, undone writers, crash by SIGKILL, files of others. */
#include "host/alloc.h"
#include "host/store.h"
#include "tests/unit/support.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS 10000

static const char *const migrations[] = {
	"CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, data BLOB, n "
	"INTEGER CHECK (n >= 0)) STRICT",
	"ALTER TABLE thing ADD COLUMN extra TEXT; CREATE INDEX thing_n ON thing (n)",
};
static const struct host_store_schema schema = {.migrations = migrations,
						.migration_count = CS_LEN(migrations),
						.application_id = 0x43534a31};

struct fixture {
	struct host_loop *loop;
	struct host_store *store;
	struct host_stmt *insert;
	struct host_stmt *count;
	char folder[64];
	char path[128];
	/* of the next writer */
	const char *name;
	uint64_t n;
	enum cs_err fail_with;
	uint32_t committed;
	uint32_t wanted;
	enum cs_err committed_err;
	bool write_again;
};

static void open_store(struct fixture *f, struct host_loop *loop)
{
	struct cs_why why = {{0}};
	enum cs_err err = host_store_open(&f->store, loop, f->path, &schema, &why);
	if (err != CS_OK)
		print_message("%s\n", why.text);
	assert_ok(err);
	assert_ok(host_stmt_new(&f->insert, f->store,
				"INSERT INTO thing (name, data, n) VALUES (?, ?, ?)"));
	assert_ok(host_stmt_new(&f->count, f->store, "SELECT count(*) FROM thing"));
}

static void close_store(struct fixture *f)
{
	host_stmt_free(f->insert);
	host_stmt_free(f->count);
	host_store_close(f->store);
	f->store = NULL;
	f->insert = NULL;
	f->count = NULL;
}

static int set_up(void **state)
{
	struct fixture *f = host_alloc(sizeof *f);
	(void)snprintf(f->folder, sizeof f->folder, "/tmp/caisson-store-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	(void)snprintf(f->path, sizeof f->path, "%s/journal.db", f->folder);
	f->loop = host_loop_new();
	open_store(f, f->loop);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
	struct fixture *f = *state;
	char path[256];
	close_store(f);
	host_loop_free(f->loop);
	for (size_t i = 0; i < CS_LEN(suffixes); i++) {
		(void)snprintf(path, sizeof path, "%s%s", f->path, suffixes[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(f->folder), 0);
	free(f);
	return 0;
}

static enum cs_err write_one(void *context)
{
	struct fixture *f = context;
	host_bind_text(f->insert, 0, f->name);
	host_bind_blob(f->insert, 1, cs_bytes_str("data"));
	host_bind_u64(f->insert, 2, f->n);
	CS_TRY(host_stmt_run(f->insert));
	return f->fail_with;
}

static void on_committed(void *context, enum cs_err err)
{
	struct fixture *f = context;
	f->committed++;
	f->committed_err = err;
	if (f->write_again) {
		f->write_again = false;
		f->name = "again";
		assert_ok(host_store_write(f->store, write_one, f, on_committed, f));
	}
}

static enum cs_err put(struct fixture *f, const char *name, uint64_t n)
{
	f->name = name;
	f->n = n;
	return host_store_write(f->store, write_one, f, on_committed, f);
}

static bool all_committed(void *context)
{
	struct fixture *f = context;
	return f->committed >= f->wanted;
}

static void wait_committed(struct fixture *f, uint32_t count)
{
	f->wanted = count;
	assert_ok(host_loop_run_until(f->loop, all_committed, f, WAIT_MS));
}

static uint64_t count_things(struct fixture *f)
{
	bool row = false;
	assert_ok(host_stmt_next(f->count, &row));
	assert_true(row);
	uint64_t count = host_column_u64(f->count, 0);
	host_stmt_reset(f->count);
	return count;
}

static void test_group_commit(void **state)
{
	struct fixture *f = *state;
	char name[16];
	uint64_t before = host_store_figures(f->store).commits;
	for (uint32_t i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof name, "t%u", i);
		assert_ok(put(f, name, i));
	}
	/* Seen by readers of this process, told to nobody yet. */
	assert_int_equal(count_things(f), 100);
	assert_int_equal(f->committed, 0);
	wait_committed(f, 100);
	assert_int_equal(f->committed_err, CS_OK);
	struct host_store_figures figures = host_store_figures(f->store);
	assert_int_equal(figures.commits - before, 1);
	assert_int_equal(figures.writes, 100);
	assert_int_equal(figures.failures, 0);
}

static void test_write_inside_committed(void **state)
{
	struct fixture *f = *state;
	f->write_again = true;
	assert_ok(put(f, "first", 1));
	wait_committed(f, 2);
	assert_int_equal(count_things(f), 2);
	assert_int_equal(host_store_figures(f->store).commits, 2);
}

static void test_flush(void **state)
{
	struct fixture *f = *state;
	assert_ok(put(f, "a", 1));
	assert_ok(host_store_flush(f->store));
	assert_int_equal(f->committed, 0);
	assert_ok(host_store_flush(f->store));
	assert_ok(put(f, "b", 1));
	wait_committed(f, 2);
	assert_int_equal(host_store_figures(f->store).commits, 2);
}

static void test_failed_writer_is_undone(void **state)
{
	struct fixture *f = *state;
	assert_ok(put(f, "a", 1));
	f->fail_with = CS_ERR_CONFLICT;
	assert_err(put(f, "b", 2), CS_ERR_CONFLICT);
	f->fail_with = CS_OK;
	assert_err(put(f, "a", 3), CS_ERR_DUPLICATE);
	assert_err(put(f, NULL, 3), CS_ERR_INVALID);
	assert_err(put(f, "c", UINT64_MAX), CS_ERR_OVERFLOW);
	assert_ok(put(f, "d", INT64_MAX));
	wait_committed(f, 2);
	assert_int_equal(f->committed, 2);
	assert_int_equal(count_things(f), 2);
	assert_int_equal(host_store_changes(f->store), 1);
}

struct ending {
	struct fixture *f;
	enum cs_err told;
	enum cs_err fails_with;
	uint32_t count;
};

/* One thing more of every writer that goes well. */
static enum cs_err write_ending(void *context, enum cs_err err)
{
	struct ending *ending = context;
	ending->told = err;
	ending->count++;
	if (err != CS_OK)
		return err;
	host_bind_text(ending->f->insert, 0, ending->count == 1 ? "first end" : "another end");
	host_bind_blob(ending->f->insert, 1, cs_bytes_str("data"));
	host_bind_u64(ending->f->insert, 2, ending->count);
	CS_TRY(host_stmt_run(ending->f->insert));
	return ending->fails_with;
}

static void test_what_ends_a_writer_is_of_it(void **state)
{
	struct fixture *f = *state;
	struct ending ending = {.f = f};
	host_store_at_end(f->store, write_ending, &ending);
	assert_ok(put(f, "a", 1));
	assert_int_equal(count_things(f), 2);
	f->fail_with = CS_ERR_CONFLICT;
	assert_err(put(f, "b", 2), CS_ERR_CONFLICT);
	assert_int_equal(ending.told, CS_ERR_CONFLICT);
	assert_int_equal(count_things(f), 2);
	/* What it wrote and what the writer wrote are undone together. */
	f->fail_with = CS_OK;
	ending.fails_with = CS_ERR_FULL;
	assert_err(put(f, "c", 3), CS_ERR_FULL);
	assert_int_equal(ending.told, CS_OK);
	assert_int_equal(ending.count, 3);
	wait_committed(f, 1);
	assert_int_equal(f->committed, 1);
	assert_int_equal(count_things(f), 2);
}

static void test_columns(void **state)
{
	struct fixture *f = *state;
	struct host_stmt *get = NULL;
	bool row = false;
	uint8_t four[4];
	assert_ok(put(f, "n\xc3\xa4me", 7));
	assert_ok(host_stmt_new(&get, f->store,
				"SELECT name, data, n, extra, -5 FROM thing WHERE n = ?"));
	host_bind_u64(get, 0, 7);
	assert_ok(host_stmt_next(get, &row));
	assert_true(row);
	assert_string_equal(host_column_text(get, 0), "n\xc3\xa4me");
	assert_bytes(host_column_blob(get, 1), cs_bytes_str("data"));
	assert_ok(host_column_copy(get, 1, four, 4));
	assert_err(host_column_copy(get, 1, four, 3), CS_ERR_INVALID);
	assert_err(host_column_copy(get, 3, four, 4), CS_ERR_INVALID);
	assert_int_equal(host_column_u64(get, 2), 7);
	assert_true(host_column_is_null(get, 3));
	assert_null(host_column_text(get, 3));
	assert_int_equal(host_column_i64(get, 4), -5);
	assert_ok(host_stmt_next(get, &row));
	assert_false(row);
	/* Bindings are gone: null equals nothing. */
	assert_ok(host_stmt_next(get, &row));
	assert_false(row);
	host_bind_u64(get, 5, 7);
	assert_err(host_stmt_next(get, &row), CS_ERR_INVALID);
	host_stmt_free(get);
	get = NULL;
	assert_err(host_stmt_new(&get, f->store, "SELECT nothing FROM nowhere"), CS_ERR_MALFORMED);
	assert_err(host_stmt_new(&get, f->store, ""), CS_ERR_MALFORMED);
	assert_null(get);
	wait_committed(f, 1);
}

static void test_survives_reopening(void **state)
{
	struct fixture *f = *state;
	struct stat found;
	assert_ok(put(f, "a", 1));
	close_store(f);
	assert_int_equal(stat(f->path, &found), 0);
	assert_int_equal(found.st_mode & 0777, 0600);
	open_store(f, NULL);
	assert_int_equal(count_things(f), 1);
	/* Without a loop each write is its own commit. */
	f->committed = 0;
	assert_ok(put(f, "b", 1));
	assert_int_equal(f->committed, 1);
	assert_int_equal(host_store_figures(f->store).commits, 1);
}

static void test_one_process(void **state)
{
	struct fixture *f = *state;
	struct host_store *second = NULL;
	struct cs_why why = {{0}};
	assert_err(host_store_open(&second, f->loop, f->path, &schema, &why), CS_ERR_CONFLICT);
	assert_null(second);
	assert_non_null(strstr(why.text, "another process"));
}

static void test_others_files(void **state)
{
	struct fixture *f = *state;
	struct host_store *store = NULL;
	struct cs_why why = {{0}};
	struct host_store_schema other = schema;
	close_store(f);
	other.application_id = 7;
	assert_err(host_store_open(&store, f->loop, f->path, &other, &why), CS_ERR_INVALID);
	other = schema;
	other.migration_count = 1;
	assert_err(host_store_open(&store, f->loop, f->path, &other, &why), CS_ERR_INVALID);
	assert_non_null(strstr(why.text, "newer"));
	assert_err(host_store_open(&store, f->loop, f->folder, &schema, &why), CS_ERR_IO);
	assert_err(host_store_open(&store, f->loop, "/tmp/caisson-no-such-folder/x", &schema, &why),
		   CS_ERR_IO);
	/* No database at all. */
	FILE *file = fopen(f->path, "wb");
	assert_non_null(file);
	for (int i = 0; i < 1000; i++)
		assert_true(fputs("garbage ", file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_err(host_store_open(&store, f->loop, f->path, &schema, &why), CS_ERR_DAMAGED);
	assert_null(store);
	assert_int_equal(unlink(f->path), 0);
	char path[200];
	(void)snprintf(path, sizeof path, "%s.lock", f->folder);
	(void)unlink(path);
	open_store(f, f->loop);
}

static void test_bad_migration_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct host_store *store = NULL;
	struct cs_why why = {{0}};
	const char *const bad[] = {migrations[0], migrations[1],
				   "CREATE TABLE other (a INTEGER) STRICT; CREATE TABLE thing (a)"};
	const struct host_store_schema worse = {
		.migrations = bad, .migration_count = 3, .application_id = schema.application_id};
	close_store(f);
	assert_err(host_store_open(&store, f->loop, f->path, &worse, &why), CS_ERR_IO);
	open_store(f, f->loop);
	struct host_stmt *get = NULL;
	assert_err(host_stmt_new(&get, f->store, "SELECT a FROM other"), CS_ERR_MALFORMED);
}

static enum cs_err grow(void *context)
{
	return host_stmt_run(context);
}

/* SQLite rolls back by itself when the disk is full: everybody of the batch is told, and the store
 * goes on afterwards. */
static void test_disk_full(void **state)
{
	struct fixture *f = *state;
	struct host_stmt *pages = NULL;
	struct host_stmt *big = NULL;
	bool row = false;
	assert_ok(put(f, "before", 1));
	wait_committed(f, 1);
	assert_ok(host_stmt_new(&pages, f->store, "PRAGMA max_page_count = 8"));
	assert_ok(host_stmt_next(pages, &row));
	host_stmt_free(pages);
	assert_ok(put(f, "same batch", 1));
	assert_ok(host_stmt_new(&big, f->store, "UPDATE thing SET data = zeroblob(100000)"));
	assert_err(host_store_write(f->store, grow, big, NULL, NULL), CS_ERR_FULL);
	wait_committed(f, 2);
	host_stmt_free(big);
	/* Either the batch was kept whole or it was lost whole, and the callback says which. */
	assert_int_equal(count_things(f), f->committed_err == CS_OK ? 2 : 1);
	assert_ok(put(f, "after", 1));
	wait_committed(f, 3);
	assert_int_equal(f->committed_err, CS_OK);
}

/* ---- crash: a child writes and is killed; what it was told about must be there ---- */

static void tell_parent(void *context, enum cs_err err)
{
	int fd = *(const int *)context;
	char byte = err == CS_OK ? '+' : '-';
	assert_int_equal(write(fd, &byte, 1), 1);
}

struct crash {
	struct fixture *f;
	struct host_timer *timer;
	int fd;
	uint64_t next;
};

static void write_some(void *context)
{
	struct crash *crash = context;
	char name[24];
	for (int i = 0; i < 20; i++) {
		(void)snprintf(name, sizeof name, "c%llu", (unsigned long long)crash->next++);
		crash->f->name = name;
		crash->f->n = crash->next;
		assert_ok(host_store_write(crash->f->store, write_one, crash->f, tell_parent,
					   &crash->fd));
	}
}

/* first: names of an earlier round must not come again. */
static void child_of_crash(struct fixture *f, int fd, uint64_t first)
{
	struct crash crash = {.f = f, .fd = fd, .next = first};
	f->loop = host_loop_new();
	open_store(f, f->loop);
	crash.timer = host_timer_new(f->loop, write_some, &crash);
	host_timer_start(crash.timer, 0, 1);
	host_loop_run(f->loop);
	_exit(0);
}

static void test_crash(void **state)
{
	struct fixture *f = *state;
	uint64_t told = 0;
	close_store(f);
	for (int round = 0; round < 5; round++) {
		int ends[2];
		char bytes[512];
		assert_int_equal(pipe(ends), 0);
		uint64_t before = told;
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			close(ends[0]);
			child_of_crash(f, ends[1], (uint64_t)round * 1000000);
		}
		close(ends[1]);
		/* In the middle of its writing. */
		while (told - before < 200 + 37 * (uint64_t)round) {
			ssize_t n = read(ends[0], bytes, 16);
			assert_true(n > 0);
			for (ssize_t i = 0; i < n; i++)
				assert_int_equal(bytes[i], '+');
			told += (uint64_t)n;
		}
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		for (ssize_t n = read(ends[0], bytes, sizeof bytes); n > 0;
		     n = read(ends[0], bytes, sizeof bytes))
			told += (uint64_t)n;
		close(ends[0]);
	}
	open_store(f, f->loop);
	/* Batches of 20: none is there in part. */
	uint64_t count = count_things(f);
	assert_true(count >= told);
	assert_int_equal(count % 20, 0);
}

/* which: the first byte of the value, or -1: it is empty. */
static bool begins_with(void *context, int64_t which, struct cs_bytes value)
{
	uint32_t *calls = context;
	(*calls)++;
	return value.n == 0 ? which == -1 : which == value.p[0];
}

static void test_of_values(void **state)
{
	struct fixture *f = *state;
	struct host_stmt *find;
	uint32_t calls = 0;
	bool row = false;
	assert_ok(host_store_define(f->store, "begins", begins_with, &calls));
	assert_ok(host_stmt_new(&find, f->store,
				"WITH v(x) AS (VALUES (x'41ff'), (x''), (x'42'))"
				" SELECT x FROM v WHERE begins(?, x)"));
	host_bind_i64(find, 0, 'B');
	assert_ok(host_stmt_next(find, &row));
	assert_true(row && host_column_blob(find, 0).p[0] == 'B');
	assert_ok(host_stmt_next(find, &row));
	assert_false(row);
	assert_int_equal(calls, 3);
	host_bind_i64(find, 0, -1);
	assert_ok(host_stmt_next(find, &row));
	assert_true(row && host_column_blob(find, 0).n == 0);
	host_stmt_free(find);
}

static void test_bound_of_a_query(void **state)
{
	static const char endless[] =
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
		" SELECT i FROM n WHERE i < 0";
	struct fixture *f = *state;
	struct host_stmt *stmt;
	bool row = true;
	assert_ok(host_stmt_new(&stmt, f->store, endless));
	host_store_bound(f->store, 10);
	assert_err(host_stmt_next(stmt, &row), CS_ERR_TIMEOUT);
	/* Used up is used up, until there is a new one. */
	assert_err(host_stmt_next(stmt, &row), CS_ERR_TIMEOUT);
	host_stmt_free(stmt);
	host_store_bound(f->store, 0);
	assert_int_equal(count_things(f), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_group_commit),
		T(test_write_inside_committed),
		T(test_flush),
		T(test_failed_writer_is_undone),
		T(test_what_ends_a_writer_is_of_it),
		T(test_columns),
		T(test_of_values),
		cmocka_unit_test_setup_teardown(test_bound_of_a_query, set_up, tear_down),
		T(test_survives_reopening),
		T(test_one_process),
		T(test_others_files),
		T(test_bad_migration_changes_nothing),
		T(test_disk_full),
		T(test_crash),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
