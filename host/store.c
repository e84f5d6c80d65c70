#include "host/store.h"

#include "host/alloc.h"
#include "host/loop_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Statements and columns are few and known; a text of SQL beyond this is a bug. */
#define SQL_SIZE_MAX 65536
/* Writers of one batch: at this number it is committed before the turn ends. */
#define BATCH_MAX 4096u
#define BUSY_TIMEOUT_MS 5000

/* What frames every batch and every writer in it, prepared like the statements of the owner. */
enum frame { FRAME_BEGIN, FRAME_COMMIT, FRAME_SAVEPOINT, FRAME_RELEASE, FRAME_COUNT };
static const char *const frame_texts[FRAME_COUNT] = {"BEGIN IMMEDIATE", "COMMIT",
						     "SAVEPOINT writer", "RELEASE writer"};

struct waiter {
	host_store_committed *committed;
	void *context;
};

/* SQLite's, which frees it with the database. */
struct definition {
	host_store_test *test;
	void *context;
};

struct told {
	struct told *next;
	uint32_t count;
	enum cs_err err;
	struct waiter *waiters;
};

struct host_store {
	sqlite3 *db;
	sqlite3_stmt *frames[FRAME_COUNT];
	int lock_fd;
	struct host_loop *loop;
	uv_prepare_t *prepare; /* commits before the loop waits */
	uv_idle_t *idle;       /* keeps it from waiting while a batch is open */
	bool open;             /* a batch */
	bool broken;           /* it was rolled back: everybody in it will be told so */
	bool writing;          /* inside a writer */
	uint32_t waiter_count;
	uint32_t waiter_room;
	struct waiter *waiters;
	host_store_end *end; /* NULL: none */
	void *end_context;
	uint32_t steps_left_k;
	struct told *told; /* committed by flush, to be told in the next turn */
	struct host_store_figures figures;
};

struct host_stmt {
	struct host_store *store;
	sqlite3_stmt *sqlite;
	enum cs_err bind_err;
};

static enum cs_err err_of(int code)
{
	switch (code) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return CS_OK;
	case SQLITE_CONSTRAINT_UNIQUE:
	case SQLITE_CONSTRAINT_PRIMARYKEY:
	case SQLITE_CONSTRAINT_ROWID:
		return CS_ERR_DUPLICATE;
	case SQLITE_FULL:
		return CS_ERR_FULL;
	case SQLITE_NOMEM:
		return CS_ERR_NO_MEMORY;
	case SQLITE_TOOBIG:
		return CS_ERR_TOO_LARGE;
	case SQLITE_INTERRUPT:
		return CS_ERR_TIMEOUT;
	default:
		return (code & 0xff) == SQLITE_CONSTRAINT ? CS_ERR_INVALID : CS_ERR_IO;
	}
}

static enum cs_err run_sql(struct host_store *store, const char *sql, struct cs_why *why)
{
	int code = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
	if (code != SQLITE_OK)
		return cs_fail(why, err_of(sqlite3_extended_errcode(store->db)), "%s",
			       sqlite3_errmsg(store->db));
	return CS_OK;
}

static enum cs_err run_frame(struct host_store *store, enum frame frame)
{
	int code = sqlite3_step(store->frames[frame]);
	(void)sqlite3_reset(store->frames[frame]);
	return err_of(code);
}

static enum cs_err query_number(struct host_store *store, int64_t *value, const char *sql,
				struct cs_why *why)
{
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v2(store->db, sql, -1, &stmt, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_step(stmt);
	if (code == SQLITE_ROW)
		*value = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	if (code != SQLITE_ROW)
		return cs_fail(why, CS_ERR_IO, "%s: %s", sql, sqlite3_errmsg(store->db));
	return CS_OK;
}

/* ---- batches ---- */

const char *host_store_why(const struct host_store *store)
{
	return sqlite3_errmsg(store->db);
}

bool host_store_is_damaged(const struct host_store *store)
{
	int code = sqlite3_errcode(store->db) & 0xff;
	return code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
}

static void on_idle(uv_idle_t *idle)
{
	(void)idle;
}

static void do_not_wait(struct host_store *store)
{
	if (store->idle != NULL)
		uv_idle_start(store->idle, on_idle);
}

static enum cs_err begin(struct host_store *store)
{
	if (store->broken)
		return CS_ERR_IO;
	if (store->open)
		return CS_OK;
	CS_TRY(run_frame(store, FRAME_BEGIN));
	store->open = true;
	do_not_wait(store);
	return CS_OK;
}

static void tell(struct waiter *waiters, uint32_t count, enum cs_err err)
{
	for (uint32_t i = 0; i < count; i++)
		waiters[i].committed(waiters[i].context, err);
	free(waiters);
}

/* Ends the batch and hands over who waits for it. */
static enum cs_err commit(struct host_store *store, struct waiter **waiters, uint32_t *count)
{
	uint64_t began = host_now_us();
	enum cs_err err = CS_OK;
	if (store->broken || run_frame(store, FRAME_COMMIT) != CS_OK) {
		err = CS_ERR_IO;
		store->figures.failures++;
		/* SQLite may have rolled back by itself already. */
		if (sqlite3_get_autocommit(store->db) == 0)
			(void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	} else {
		store->figures.commits++;
	}
	uint64_t took = host_now_us() - began;
	if (took > store->figures.commit_us_max)
		store->figures.commit_us_max = took;
	store->open = false;
	store->broken = false;
	*waiters = store->waiters;
	*count = store->waiter_count;
	store->waiters = NULL;
	store->waiter_count = 0;
	store->waiter_room = 0;
	return err;
}

static void tell_flushed(struct host_store *store)
{
	struct told *told = store->told;
	store->told = told->next;
	struct waiter *waiters = told->waiters;
	uint32_t count = told->count;
	enum cs_err err = told->err;
	free(told);
	tell(waiters, count, err);
}

enum cs_err host_store_flush(struct host_store *store)
{
	struct waiter *waiters = NULL;
	uint32_t count = 0;
	cs_assert(!store->writing);
	if (!store->open)
		return CS_OK;
	enum cs_err err = commit(store, &waiters, &count);
	if (count == 0 || store->loop == NULL) {
		tell(waiters, count, err);
		return err;
	}
	struct told *told = host_alloc(sizeof *told);
	*told = (struct told){.count = count, .err = err, .waiters = waiters};
	struct told **last = &store->told;
	while (*last != NULL)
		last = &(*last)->next;
	*last = told;
	do_not_wait(store);
	return err;
}

static void on_prepare(uv_prepare_t *prepare)
{
	struct host_store *store = prepare->data;
	struct waiter *waiters = NULL;
	uint32_t count = 0;
	uv_idle_stop(store->idle);
	while (store->told != NULL)
		tell_flushed(store);
	if (!store->open)
		return;
	enum cs_err err = commit(store, &waiters, &count);
	tell(waiters, count, err);
}

static void wait_for_commit(struct host_store *store, host_store_committed *committed,
			    void *context)
{
	if (committed == NULL)
		return;
	if (store->waiter_count == store->waiter_room) {
		store->waiter_room = store->waiter_room < 32 ? 64 : store->waiter_room * 2;
		store->waiters =
			host_grow(store->waiters, store->waiter_room * sizeof *store->waiters);
	}
	store->waiters[store->waiter_count++] = (struct waiter){committed, context};
}

/* A writer that fails undoes only its own work. When even that fails (SQLite rolls back by itself
 * when the disk is full) the whole batch is lost, and no further writer may slip into what looks
 * like it. */
static void undo(struct host_store *store)
{
	if (sqlite3_get_autocommit(store->db) != 0 ||
	    run_sql(store, "ROLLBACK TO writer; RELEASE writer", NULL) != CS_OK)
		store->broken = true;
}

enum cs_err host_store_write(struct host_store *store, host_store_writer *write,
			     void *write_context, host_store_committed *committed,
			     void *committed_context)
{
	cs_assert(!store->writing);
	if (store->waiter_count >= BATCH_MAX)
		CS_TRY(host_store_flush(store));
	CS_TRY(begin(store));
	CS_TRY(run_frame(store, FRAME_SAVEPOINT));
	store->writing = true;
	enum cs_err err = write(write_context);
	if (store->end)
		err = store->end(store->end_context, err);
	store->writing = false;
	if (err == CS_OK)
		err = run_frame(store, FRAME_RELEASE);
	if (err != CS_OK) {
		undo(store);
		return err;
	}
	store->figures.writes++;
	wait_for_commit(store, committed, committed_context);
	return store->loop == NULL ? host_store_flush(store) : CS_OK;
}

void host_store_at_end(struct host_store *store, host_store_end *end, void *context)
{
	cs_assert(!store->writing);
	store->end = end;
	store->end_context = context;
}

struct host_store_figures host_store_figures(const struct host_store *store)
{
	return store->figures;
}

uint64_t host_store_changes(const struct host_store *store)
{
	return (uint64_t)sqlite3_changes64(store->db);
}

uint64_t host_store_row(const struct host_store *store)
{
	return (uint64_t)sqlite3_last_insert_rowid(store->db);
}

/* ---- opening ---- */

/* One process at a time: SQLite itself would allow several, and the journal has one writer. */
static enum cs_err take_lock(int *lock_fd, const char *path, struct cs_why *why)
{
	char lock_path[4096];
	int n = snprintf(lock_path, sizeof lock_path, "%s.lock", path);
	if (n < 0 || (size_t)n >= sizeof lock_path)
		return cs_fail(why, CS_ERR_TOO_LARGE, "the path is too long");
	int fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return cs_fail(why, CS_ERR_IO, "%.100s: %s", lock_path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		(void)close(fd);
		return cs_fail(why, CS_ERR_CONFLICT, "another process has %.100s open", path);
	}
	*lock_fd = fd;
	return CS_OK;
}

static enum cs_err create_private(const char *path, struct cs_why *why)
{
	/* SQLite would create it with the umask's mode, and gives its WAL the mode of the database. */
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return cs_fail(why, CS_ERR_IO, "%.100s: %s", path, strerror(errno));
	(void)close(fd);
	return CS_OK;
}

static enum cs_err check_owner(struct host_store *store, const struct host_store_schema *schema,
			       int64_t *version, struct cs_why *why)
{
	int64_t application = 0;
	int64_t tables = 0;
	CS_TRY(query_number(store, &application, "PRAGMA application_id", why));
	CS_TRY(query_number(store, version, "PRAGMA user_version", why));
	CS_TRY(query_number(store, &tables, "SELECT count(*) FROM sqlite_master", why));
	if (application != (int64_t)(int32_t)schema->application_id &&
	    (application != 0 || tables != 0 || *version != 0))
		return cs_fail(why, CS_ERR_INVALID, "the file belongs to another application");
	if (*version < 0 || *version > (int64_t)schema->migration_count)
		return cs_fail(why, CS_ERR_INVALID, "schema version %lld is newer than ours, %u",
			       (long long)*version, schema->migration_count);
	return CS_OK;
}

static enum cs_err migrate(struct host_store *store, const struct host_store_schema *schema,
			   int64_t version, struct cs_why *why)
{
	char number[96];
	for (uint32_t i = (uint32_t)version; i < schema->migration_count; i++) {
		CS_TRY(run_sql(store, "BEGIN IMMEDIATE", why));
		(void)snprintf(number, sizeof number,
			       "PRAGMA application_id=%d; PRAGMA user_version=%u",
			       (int)(int32_t)schema->application_id, i + 1);
		enum cs_err err = run_sql(store, schema->migrations[i], why);
		if (err == CS_OK)
			err = run_sql(store, number, why);
		if (err == CS_OK)
			err = run_sql(store, "COMMIT", why);
		if (err != CS_OK) {
			if (sqlite3_get_autocommit(store->db) == 0)
				(void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
			return err;
		}
	}
	return CS_OK;
}

static enum cs_err open_db(struct host_store *store, const char *path,
			   const struct host_store_schema *schema, struct cs_why *why)
{
	int64_t version = 0;
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	/* Its own count of memory costs a lock for each piece. Refused once a database is open: the
	 * first one has asked for it. */
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	CS_TRY(create_private(path, why));
	if (sqlite3_open_v2(path, &store->db, flags, NULL) != SQLITE_OK)
		return cs_fail(why, CS_ERR_IO, "%.100s: %s", path, sqlite3_errmsg(store->db));
	sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
	sqlite3_limit(store->db, SQLITE_LIMIT_SQL_LENGTH, SQL_SIZE_MAX);
	(void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	/* Without it SQLite compares what is bound with the conditions of partial indices, and then
	 * compiles such a statement anew for every other value. */
	(void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_ENABLE_QPSG, 1, NULL);
	CS_TRY(check_owner(store, schema, &version, why));
	if (schema->page_size > 0) {
		char text[40];
		(void)snprintf(text, sizeof text, "PRAGMA page_size=%" PRIu32, schema->page_size);
		CS_TRY(run_sql(store, text, why));
	}
	CS_TRY(run_sql(
		store,
		"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
		"PRAGMA trusted_schema=OFF; PRAGMA temp_store=MEMORY; PRAGMA cell_size_check=ON;"
		/* pages, four times the default: what a burst writes again and again reaches the
		 * database less often */
		"PRAGMA wal_autocheckpoint=4000;"
		/* KiB: what is open stays in memory */
		"PRAGMA cache_size=-16384",
		why));
	CS_TRY(migrate(store, schema, version, why));
	for (size_t i = 0; i < FRAME_COUNT; i++)
		if (sqlite3_prepare_v3(store->db, frame_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
				       &store->frames[i], NULL) != SQLITE_OK)
			return cs_fail(why, CS_ERR_IO, "%.100s: %s", path,
				       sqlite3_errmsg(store->db));
	return CS_OK;
}

/* SQLITE_BUSY: a statement was not freed. */
static int close_db(struct host_store *store)
{
	for (size_t i = 0; i < FRAME_COUNT; i++)
		sqlite3_finalize(store->frames[i]);
	return sqlite3_close(store->db);
}

static void watch_turns(struct host_store *store)
{
	uv_loop_t *uv = host_loop_uv(store->loop);
	store->prepare = host_alloc(sizeof *store->prepare);
	store->idle = host_alloc(sizeof *store->idle);
	cs_assert(uv_prepare_init(uv, store->prepare) == 0);
	cs_assert(uv_idle_init(uv, store->idle) == 0);
	store->prepare->data = store;
	cs_assert(uv_prepare_start(store->prepare, on_prepare) == 0);
}

enum cs_err host_store_open(struct host_store **opened, struct host_loop *loop, const char *path,
			    const struct host_store_schema *schema, struct cs_why *why)
{
	struct host_store *store = host_alloc(sizeof *store);
	store->loop = loop;
	store->lock_fd = -1;
	enum cs_err err = take_lock(&store->lock_fd, path, why);
	if (err == CS_OK)
		err = open_db(store, path, schema, why);
	if (err == CS_ERR_IO && store->db != NULL && host_store_is_damaged(store))
		err = CS_ERR_DAMAGED;
	if (err != CS_OK) {
		(void)close_db(store);
		if (store->lock_fd >= 0)
			(void)close(store->lock_fd);
		free(store);
		return err;
	}
	if (loop != NULL)
		watch_turns(store);
	*opened = store;
	return CS_OK;
}

enum cs_err host_store_set_derived(struct host_store *store, struct cs_why *why)
{
	return run_sql(store, "PRAGMA synchronous=NORMAL; PRAGMA cache_size=-4096", why);
}

enum cs_err host_store_set_alone(struct host_store *store, uint32_t cache_kib, uint32_t log_pages,
				 struct cs_why *why)
{
	char text[128];
	(void)snprintf(text, sizeof text,
		       "PRAGMA locking_mode=EXCLUSIVE; PRAGMA cache_size=-%" PRIu32
		       "; PRAGMA wal_autocheckpoint=%" PRIu32,
		       cache_kib, log_pages);
	return run_sql(store, text, why);
}

static void free_handle(uv_handle_t *handle)
{
	free(handle);
}

void host_store_close(struct host_store *store)
{
	struct waiter *waiters = NULL;
	uint32_t count = 0;
	if (store == NULL)
		return;
	cs_assert(!store->writing);
	if (store->open) {
		(void)commit(store, &waiters, &count);
		free(waiters);
	}
	while (store->told != NULL) {
		struct told *told = store->told;
		store->told = told->next;
		free(told->waiters);
		free(told);
	}
	if (store->prepare != NULL) {
		uv_close((uv_handle_t *)store->prepare, free_handle);
		uv_close((uv_handle_t *)store->idle, free_handle);
	}
	cs_assert(close_db(store) == SQLITE_OK);
	(void)close(store->lock_fd);
	free(store);
}

/* ---- statements ---- */

enum cs_err host_stmt_new(struct host_stmt **made, struct host_store *store, const char *sql)
{
	sqlite3_stmt *sqlite = NULL;
	if (sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &sqlite, NULL) !=
		    SQLITE_OK ||
	    sqlite == NULL)
		return CS_ERR_MALFORMED;
	struct host_stmt *stmt = host_alloc(sizeof *stmt);
	stmt->store = store;
	stmt->sqlite = sqlite;
	*made = stmt;
	return CS_OK;
}

void host_stmt_free(struct host_stmt *stmt)
{
	if (stmt == NULL)
		return;
	sqlite3_finalize(stmt->sqlite);
	free(stmt);
}

static void bound(struct host_stmt *stmt, int code)
{
	if (code != SQLITE_OK && stmt->bind_err == CS_OK)
		stmt->bind_err = code == SQLITE_RANGE || code == SQLITE_MISUSE ? CS_ERR_INVALID
									       : err_of(code);
}

void host_bind_u64(struct host_stmt *stmt, uint32_t index, uint64_t value)
{
	if (value > INT64_MAX) {
		if (stmt->bind_err == CS_OK)
			stmt->bind_err = CS_ERR_OVERFLOW;
		return;
	}
	host_bind_i64(stmt, index, (int64_t)value);
}

void host_bind_i64(struct host_stmt *stmt, uint32_t index, int64_t value)
{
	bound(stmt, sqlite3_bind_int64(stmt->sqlite, (int)index + 1, value));
}

void host_bind_blob(struct host_stmt *stmt, uint32_t index, struct cs_bytes value)
{
	/* An empty view may have no address, and that would be null. */
	const void *p = value.n > 0 ? (const void *)value.p : "";
	bound(stmt, sqlite3_bind_blob64(stmt->sqlite, (int)index + 1, p, value.n, SQLITE_STATIC));
}

void host_bind_text(struct host_stmt *stmt, uint32_t index, const char *value)
{
	bound(stmt, sqlite3_bind_text(stmt->sqlite, (int)index + 1, value, -1, SQLITE_STATIC));
}

void host_bind_null(struct host_stmt *stmt, uint32_t index)
{
	bound(stmt, sqlite3_bind_null(stmt->sqlite, (int)index + 1));
}

static void call_test(sqlite3_context *sqlite, int count, sqlite3_value **values)
{
	const struct definition *d = sqlite3_user_data(sqlite);
	(void)count;
	const void *p = sqlite3_value_blob(values[1]);
	size_t n = (size_t)sqlite3_value_bytes(values[1]);
	sqlite3_result_int(sqlite, d->test(d->context, sqlite3_value_int64(values[0]),
					   n > 0 ? cs_bytes(p, n) : CS_BYTES_NONE));
}

enum cs_err host_store_define(struct host_store *store, const char *name, host_store_test *test,
			      void *context)
{
	struct definition *d = host_alloc(sizeof *d);
	*d = (struct definition){test, context};
	int code = sqlite3_create_function_v2(
		store->db, name, 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, d,
		call_test, NULL, NULL, free);
	return code == SQLITE_OK ? CS_OK : CS_ERR_MALFORMED;
}

static int on_progress(void *context)
{
	struct host_store *store = context;
	return store->steps_left_k == 0 || --store->steps_left_k == 0;
}

void host_store_bound(struct host_store *store, uint32_t steps_k)
{
	store->steps_left_k = steps_k;
	sqlite3_progress_handler(store->db, 1000, steps_k > 0 ? on_progress : NULL, store);
}

void host_stmt_reset(struct host_stmt *stmt)
{
	(void)sqlite3_reset(stmt->sqlite);
	(void)sqlite3_clear_bindings(stmt->sqlite);
	stmt->bind_err = CS_OK;
}

/* One step, which nothing but a row leaves open. */
static enum cs_err step(struct host_stmt *stmt, bool *row)
{
	enum cs_err err = stmt->bind_err;
	if (err == CS_OK) {
		int code = sqlite3_step(stmt->sqlite);
		if (code == SQLITE_ROW) {
			*row = true;
			return CS_OK;
		}
		err = err_of(code);
	}
	host_stmt_reset(stmt);
	if (err == CS_OK)
		*row = false;
	return err;
}

enum cs_err host_stmt_run(struct host_stmt *stmt)
{
	bool row = false;
	cs_assert(stmt->store->writing);
	enum cs_err err = step(stmt, &row);
	/* A statement that changes something and has rows (RETURNING) is asked with host_stmt_next. */
	if (err == CS_OK && row)
		host_stmt_reset(stmt);
	return err;
}

enum cs_err host_stmt_next(struct host_stmt *stmt, bool *row)
{
	cs_assert(stmt->store->writing || sqlite3_stmt_readonly(stmt->sqlite));
	return step(stmt, row);
}

uint64_t host_column_u64(struct host_stmt *stmt, uint32_t index)
{
	int64_t value = sqlite3_column_int64(stmt->sqlite, (int)index);
	cs_assert(value >= 0);
	return (uint64_t)value;
}

int64_t host_column_i64(struct host_stmt *stmt, uint32_t index)
{
	return sqlite3_column_int64(stmt->sqlite, (int)index);
}

struct cs_bytes host_column_blob(struct host_stmt *stmt, uint32_t index)
{
	const void *p = sqlite3_column_blob(stmt->sqlite, (int)index);
	return cs_bytes(p, p != NULL ? (size_t)sqlite3_column_bytes(stmt->sqlite, (int)index) : 0);
}

const char *host_column_text(struct host_stmt *stmt, uint32_t index)
{
	return (const char *)sqlite3_column_text(stmt->sqlite, (int)index);
}

bool host_column_is_null(struct host_stmt *stmt, uint32_t index)
{
	return sqlite3_column_type(stmt->sqlite, (int)index) == SQLITE_NULL;
}

enum cs_err host_column_copy(struct host_stmt *stmt, uint32_t index, void *p, size_t n)
{
	struct cs_bytes blob = host_column_blob(stmt, index);
	if (blob.n != n)
		return CS_ERR_INVALID;
	if (n > 0)
		memcpy(p, blob.p, n);
	return CS_OK;
}
