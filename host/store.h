/* A SQLite database that does not lose what it confirmed: WAL, synchronous FULL, foreign keys,
 * strict errors. Writers of one turn of the loop share one transaction and one fsync; each is told
 * after the commit. One process opens it at a time.
 *   Who keeps a journal here writes SQL that other databases take as well (PostgreSQL, of those that were thought of), but for what is
 * SQLite's alone: in its schema STRICT, WITHOUT ROWID, INTEGER PRIMARY KEY as a number that is given (host_store_row), x'' and the
 * gateway's two triggers that keep `counts`; in its queries ?1 for $1, CROSS JOIN as the order of the tables, INDEXED BY, instr, and
 * functions of our own (host_store_define); and what the journal's export reads of sqlite_master and PRAGMAs. */
#ifndef HOST_STORE_H
#define HOST_STORE_H

#include "host/loop.h"

struct host_store;
struct host_stmt;

/* The schema's history: migration i brings version i to i + 1, in one transaction together with the
 * new number. Only ever append. */
struct host_store_schema {
	const char *const *migrations;
	uint32_t migration_count;
	uint32_t application_id; /* tells our files from others' (PRAGMA application_id) */
	uint32_t page_size;      /* of a new file, bytes; 0: SQLite's own, 4096 */
};

/* Creates the file with mode 0600. CONFLICT: another process has it open; INVALID: another
 * application's file, or one of a newer version; DAMAGED: no database, or one of which something is
 * missing; IO: the rest, why says what SQLite says. loop may be NULL: then every write commits at
 * once, and its callback is called before host_store_write returns. */
CS_NODISCARD enum cs_err host_store_open(struct host_store **store, struct host_loop *loop,
					 const char *path, const struct host_store_schema *schema,
					 struct cs_why *why);
/* Everything in it can be made anew from elsewhere: from now on commits do not wait for the disk
 * (synchronous NORMAL), and fewer pages are kept in memory. After a power cut the last ones may be
 * missing, never a part of one. */
CS_NODISCARD enum cs_err host_store_set_derived(struct host_store *store, struct cs_why *why);
/* Nobody else reads the file while it is open here, not even another connection: then no statement
 * takes locks. Of the database's pages so much stays in memory, and what the log has of them is
 * written back when it has so many. */
CS_NODISCARD enum cs_err host_store_set_alone(struct host_store *store, uint32_t cache_kib,
					      uint32_t log_pages, struct cs_why *why);
/* Commits what is open, without callbacks. Statements must have been freed. Not inside a callback
 * of the store. NULL is allowed. */
void host_store_close(struct host_store *store);

/* ---- writing ---- */
/* Executes the statements of one writer; whatever it returns but OK undoes what it did. It sees its
 * own and earlier writes. */
typedef enum cs_err host_store_writer(void *context);
/* Called once the batch is on disk (OK), or when it could not be written (IO): then nothing of the
 * whole batch is there. */
typedef void host_store_committed(void *context, enum cs_err err);
/* Runs write(context) at once, inside the batch. Returns its error, and then committed is not
 * called. committed may be NULL; inside it new writes are allowed and belong to the next batch. Not
 * to be nested. */
CS_NODISCARD enum cs_err host_store_write(struct host_store *store, host_store_writer *write,
					  void *write_context, host_store_committed *committed,
					  void *committed_context);
/* Runs at the end of every writer, inside it, with what the writer returned: what it summed up is
 * written once (OK) or forgotten. What end returns is what the writer returns. One for a store. */
typedef enum cs_err host_store_end(void *context, enum cs_err err);
void host_store_at_end(struct host_store *store, host_store_end *end, void *context);
/* Commits the open batch now; its callbacks follow in the next turn. IO as above. */
CS_NODISCARD enum cs_err host_store_flush(struct host_store *store);
/* What SQLite said last; never NULL. */
const char *host_store_why(const struct host_store *store);
/* Was it that the file is not what SQLite wrote? To be asked right after an IO. */
bool host_store_is_damaged(const struct host_store *store);

struct host_store_figures {
	uint64_t writes;  /* writers that succeeded */
	uint64_t commits; /* fsyncs */
	uint64_t failures;
	uint64_t commit_us_max;
};
struct host_store_figures host_store_figures(const struct host_store *store);

/* ---- statements: prepared once, kept. Parameters and columns count from 0 ---- */
/* MALFORMED: SQLite does not take it. */
CS_NODISCARD enum cs_err host_stmt_new(struct host_stmt **stmt, struct host_store *store,
				       const char *sql);
void host_stmt_free(struct host_stmt *stmt);

/* A bind that fails is remembered and returned by the next run or next. Blobs and texts must live
 * until then. */
void host_bind_u64(struct host_stmt *stmt, uint32_t index,
		   uint64_t value); /* OVERFLOW above 2^63 - 1 */
void host_bind_i64(struct host_stmt *stmt, uint32_t index, int64_t value);
void host_bind_blob(struct host_stmt *stmt, uint32_t index, struct cs_bytes value);
void host_bind_text(struct host_stmt *stmt, uint32_t index, const char *value); /* NULL: null */
void host_bind_null(struct host_stmt *stmt, uint32_t index);

/* A statement without rows; inside a writer only. Then it is reset and its bindings are cleared.
 * DUPLICATE: a unique constraint; INVALID: another constraint; FULL: no room on disk; IO. */
CS_NODISCARD enum cs_err host_stmt_run(struct host_stmt *stmt);
/* Rows changed by the last run of this store. */
uint64_t host_store_changes(const struct host_store *store);
/* The rowid of the last row that was inserted. */
uint64_t host_store_row(const struct host_store *store);
/* NAME(which, value) in the store's queries: whether test(context, which, value) is true of a blob.
 * Before the statements that have it; MALFORMED: SQLite does not take the name. */
typedef bool host_store_test(void *context, int64_t which, struct cs_bytes value);
CS_NODISCARD enum cs_err host_store_define(struct host_store *store, const char *name,
					   host_store_test *test, void *context);
/* What is asked from now on ends with TIMEOUT after so many thousand steps of SQLite's machine
 * together; 0: never. */
void host_store_bound(struct host_store *store, uint32_t steps_k);
/* A query: *row tells whether there is a (further) row. After the last one, and on failure, it is
 * reset and its bindings are cleared. */
CS_NODISCARD enum cs_err host_stmt_next(struct host_stmt *stmt, bool *row);
/* Ends a query before its last row. Needed: an open query holds up the commit. */
void host_stmt_reset(struct host_stmt *stmt);

/* Columns of the current row. Views live until the next call on the statement. */
uint64_t host_column_u64(struct host_stmt *stmt,
			 uint32_t index); /* a negative value is a bug of the schema */
int64_t host_column_i64(struct host_stmt *stmt, uint32_t index);
struct cs_bytes host_column_blob(struct host_stmt *stmt, uint32_t index);
const char *host_column_text(struct host_stmt *stmt, uint32_t index); /* NULL: null */
bool host_column_is_null(struct host_stmt *stmt, uint32_t index);
/* Exactly n bytes: INVALID otherwise. */
CS_NODISCARD enum cs_err host_column_copy(struct host_stmt *stmt, uint32_t index, void *p,
					  size_t n);

#endif
