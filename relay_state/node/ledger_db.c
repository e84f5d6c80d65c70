#include "relay_state/node/ledger_db.h"

#include "host/alloc.h"
#include "host/store.h"
#include "relay_state/bft/wal.h"
#include "relay_state/node/ledger_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*~ A row of `pairs` is the newest value of a key, with the version that made it; without a value it
 * says that the key was removed then. A row of `history` is a run of what a version found at the keys
 * that it changed, in their order, from `first` on: the value before, and the version that had made
 * that one (0 and no value: it was not there). So an older value is found by going from one version
 * to the one before it, and to take a version back is to put its runs in the place of the pairs. */

/* The key of a row: its space and itself. */
#define KEY_SIZE_MAX (1u + LEDGER_KEY_SIZE_MAX)
/* A block's changes lie all over the file, and each writes its whole page: short ones, and the log is
 * written back after some blocks' worth of them, in 32 MiB. */
#define PAGE_SIZE 2048u
#define LOG_PAGES 16384u
/* Of the state of a new file. */
#define SUM_OF_NOTHING "1114675946"

static const char *const migrations[] = {
	/* Keys have their index beside the rows: an index's nodes hold whole keys, and rows are up to
	 * twenty times as long. */
	"CREATE TABLE pairs(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE,"
	" version INTEGER NOT NULL, sum INTEGER NOT NULL, value BLOB) STRICT;"
	"CREATE INDEX removed ON pairs(version) WHERE value IS NULL;"
	"CREATE TABLE history(id INTEGER PRIMARY KEY, version INTEGER NOT NULL,"
	" first BLOB NOT NULL, sum INTEGER NOT NULL, run BLOB NOT NULL,"
	" UNIQUE(version, first)) STRICT;"
	"CREATE TABLE state(id INTEGER PRIMARY KEY CHECK(id = 1), version INTEGER NOT NULL,"
	" oldest INTEGER NOT NULL, sum INTEGER NOT NULL) STRICT;"
	"INSERT INTO state VALUES(1, 0, 0, " SUM_OF_NOTHING ");",
};

enum statement {
	GET_PAIR,
	ADD_PAIR,
	SET_PAIR,
	DROP_PAIR,
	GET_ANY,
	GET_HISTORY,
	ADD_HISTORY,
	GET_NEWER,
	DROP_NEWER,
	DROP_OLDER,
	DROP_REMOVED,
	GET_STATE,
	SET_STATE,
	CLEAR_PAIRS,
	CLEAR_HISTORY,
	STATEMENTS
};

static const char *const texts[STATEMENTS] = {
	[GET_PAIR] = "SELECT version, sum, value, id FROM pairs WHERE key = ?",
	[ADD_PAIR] = "INSERT INTO pairs(version, sum, value, key) VALUES(?, ?, ?, ?)",
	[SET_PAIR] = "UPDATE pairs SET version = ?, sum = ?, value = ? WHERE id = ?",
	[DROP_PAIR] = "DELETE FROM pairs WHERE id = ?",
	[GET_ANY] = "SELECT 1 FROM pairs LIMIT 1",
	[GET_HISTORY] = ("SELECT sum, run FROM history WHERE version = ? AND first <= ?"
			 " ORDER BY first DESC LIMIT 1"),
	[ADD_HISTORY] = "INSERT INTO history(version, first, sum, run) VALUES(?, ?, ?, ?)",
	[GET_NEWER] = ("SELECT sum, run, version FROM history WHERE version > ?"
		       " ORDER BY version DESC"),
	[DROP_NEWER] = "DELETE FROM history WHERE version > ?",
	[DROP_OLDER] = ("DELETE FROM history WHERE id IN (SELECT id FROM history"
			" WHERE version <= ? ORDER BY version LIMIT ?)"),
	[DROP_REMOVED] = ("DELETE FROM pairs WHERE id IN (SELECT id FROM pairs"
			  " WHERE value IS NULL AND version <= ? ORDER BY version LIMIT ?)"),
	[GET_STATE] = "SELECT version, oldest, sum FROM state",
	[SET_STATE] = "UPDATE state SET version = ?, oldest = ?, sum = ?",
	[CLEAR_PAIRS] = "DELETE FROM pairs",
	[CLEAR_HISTORY] = "DELETE FROM history",
};

struct node_ledger_db {
	struct host_store *store;
	struct host_stmt *stmts[STATEMENTS];
	uint64_t version, oldest;
	enum cs_err broken; /* what a failed change said */
	struct cs_why why;
	/* The change that is written. */
	const struct ledger_changes *changes;
	uint64_t target, target_oldest, run_count;
	struct cs_buf run; /* of its history, over run_bytes */
	uint8_t run_bytes[LEDGER_RUN_SIZE_MAX];
};

/* A value and where it comes from. */
struct row {
	uint64_t version;
	struct cs_bytes value; /* a view until the next call on the statement */
	bool is_there;
	int64_t id;
};

/* ---- failures ---- */

static enum cs_err damaged(struct node_ledger_db *db, const char *why)
{
	return cs_fail(&db->why, CS_ERR_DAMAGED, "%s", why);
}

static enum cs_err checked(struct node_ledger_db *db, enum cs_err err)
{
	if (err == CS_OK)
		return CS_OK;
	bool is_damaged = err == CS_ERR_IO && host_store_is_damaged(db->store);
	return cs_fail(&db->why, is_damaged ? CS_ERR_DAMAGED : err, "%s",
		       host_store_why(db->store));
}

static enum cs_err run_stmt(struct node_ledger_db *db, enum statement which)
{
	return checked(db, host_stmt_run(db->stmts[which]));
}

const char *node_ledger_db_why(const struct node_ledger_db *db)
{
	return db->why.text;
}

/* ---- rows ---- */

static int64_t sum_of(struct cs_bytes key, const struct row *row)
{
	uint8_t numbers[9];
	cs_put_be64(numbers, row->version);
	numbers[8] = row->is_there;
	uint32_t crc = bft_crc32c(bft_crc32c(0, key), CS_BYTES_OF(numbers));
	return (int32_t)(row->is_there ? bft_crc32c(crc, row->value) : crc);
}

static int64_t sum_of_run(uint64_t version, struct cs_bytes run)
{
	uint8_t number[8];
	cs_put_be64(number, version);
	return (int32_t)bft_crc32c(bft_crc32c(0, CS_BYTES_OF(number)), run);
}

static struct cs_bytes row_key(uint8_t memory[KEY_SIZE_MAX], enum ledger_space space,
			       struct cs_bytes key)
{
	cs_assert(key.n > 0 && key.n <= LEDGER_KEY_SIZE_MAX);
	memory[0] = (uint8_t)space;
	memcpy(memory + 1, key.p, key.n);
	return cs_bytes(memory, key.n + 1);
}

static void bind_row(struct host_stmt *stmt, const struct row *row, int64_t sum)
{
	host_bind_u64(stmt, 0, row->version);
	host_bind_i64(stmt, 1, sum);
	if (row->is_there)
		host_bind_blob(stmt, 2, row->value);
	else
		host_bind_null(stmt, 2);
}

/* From the statement's first three columns. */
static enum cs_err take_row(struct node_ledger_db *db, struct row *row, struct host_stmt *stmt,
			    struct cs_bytes key)
{
	int64_t version = host_column_i64(stmt, 0);
	struct row read = {.version = (uint64_t)version,
			   .value = host_column_blob(stmt, 2),
			   .is_there = !host_column_is_null(stmt, 2)};
	if (version < 0 || read.value.n > LEDGER_VALUE_SIZE_MAX ||
	    host_column_i64(stmt, 1) != sum_of(key, &read))
		return damaged(db, "a row has another checksum");
	*row = read;
	return CS_OK;
}

/* The statement stays open with the row, also on failure. NOT_FOUND. */
static enum cs_err find_pair(struct node_ledger_db *db, struct row *row, struct cs_bytes key)
{
	struct host_stmt *stmt = db->stmts[GET_PAIR];
	bool found = false;
	host_bind_blob(stmt, 0, key);
	CS_TRY(checked(db, host_stmt_next(stmt, &found)));
	if (!found)
		return CS_ERR_NOT_FOUND;
	CS_TRY(take_row(db, row, stmt, key));
	row->id = host_column_i64(stmt, 3);
	return CS_OK;
}

/* From the statement's first two columns; a view as above. */
static enum cs_err take_run(struct node_ledger_db *db, struct cs_bytes *run, struct host_stmt *stmt,
			    uint64_t version)
{
	*run = host_column_blob(stmt, 1);
	return run->n <= LEDGER_RUN_SIZE_MAX &&
			       host_column_i64(stmt, 0) == sum_of_run(version, *run)
		       ? CS_OK
		       : damaged(db, "a run of the history has another checksum");
}

static enum cs_err take_entry(struct node_ledger_db *db, struct row *row,
			      const struct ledger_run_entry *entry, uint64_t version)
{
	*row = (struct row){
		.version = entry->since, .value = entry->value, .is_there = entry->is_there};
	return row->version < version ? CS_OK : damaged(db, "a version comes after a later one");
}

/* What the version found there; stays open as above. */
static enum cs_err find_before(struct node_ledger_db *db, struct row *row, uint64_t version,
			       struct cs_bytes key)
{
	struct host_stmt *stmt = db->stmts[GET_HISTORY];
	struct ledger_run_entry entry;
	struct cs_bytes run;
	bool found = false;
	host_stmt_reset(stmt);
	host_bind_u64(stmt, 0, version);
	host_bind_blob(stmt, 1, key);
	CS_TRY(checked(db, host_stmt_next(stmt, &found)));
	if (found) {
		CS_TRY(take_run(db, &run, stmt, version));
		found = ledger_run_find(run, &entry, key) == CS_OK;
	}
	return found ? take_entry(db, row, &entry, version)
		     : damaged(db, "what a version has changed is gone");
}

/* ---- reading ---- */

static enum cs_err find_at(struct node_ledger_db *db, struct row *row, struct cs_bytes key,
			   uint64_t version)
{
	CS_TRY(find_pair(db, row, key));
	while (row->version > version)
		CS_TRY(find_before(db, row, row->version, key));
	return row->is_there ? CS_OK : CS_ERR_NOT_FOUND;
}

static enum cs_err get(void *context, struct cs_bytes *value, enum ledger_space space,
		       struct cs_bytes key, uint64_t version, struct cs_arena *arena)
{
	struct node_ledger_db *db = context;
	uint8_t memory[KEY_SIZE_MAX];
	struct cs_bytes copy = CS_BYTES_NONE;
	struct row row;
	CS_TRY(db->broken);
	if (version > db->version || (version != 0 && version < db->oldest))
		return CS_ERR_UNAVAILABLE;
	enum cs_err err =
		find_at(db, &row, row_key(memory, space, key), version == 0 ? UINT64_MAX : version);
	if (err == CS_OK) {
		copy = cs_arena_copy(arena, row.value);
		err = copy.p == NULL ? CS_ERR_NO_MEMORY : CS_OK;
	}
	host_stmt_reset(db->stmts[GET_PAIR]);
	host_stmt_reset(db->stmts[GET_HISTORY]);
	CS_TRY(err);
	*value = copy;
	return CS_OK;
}

static enum cs_err take_pair(struct node_ledger_db *db, struct host_stmt *stmt,
			     ledger_pair_fn *take, void *take_context)
{
	struct cs_bytes key = host_column_blob(stmt, 3);
	struct row row;
	CS_TRY(take_row(db, &row, stmt, key));
	return row.is_there ? take(take_context, cs_bytes(key.p + 1, key.n - 1), row.value) : CS_OK;
}

static enum cs_err take_pairs(struct node_ledger_db *db, struct host_stmt *stmt,
			      ledger_pair_fn *take, void *take_context)
{
	bool found = false;
	CS_TRY(checked(db, host_stmt_next(stmt, &found)));
	while (found) {
		CS_TRY(take_pair(db, stmt, take, take_context));
		CS_TRY(checked(db, host_stmt_next(stmt, &found)));
	}
	return CS_OK;
}

/* The first key above all that begin so: the space's byte at least can be raised. */
static struct cs_bytes end_of(uint8_t memory[KEY_SIZE_MAX], struct cs_bytes prefix)
{
	size_t n = prefix.n;
	memcpy(memory, prefix.p, n);
	while (memory[n - 1] == 0xff)
		n--;
	memory[n - 1]++;
	return cs_bytes(memory, n);
}

/* A statement of its own each time: one that takes may scan, too. */
static enum cs_err scan(void *context, enum ledger_space space, struct cs_bytes prefix,
			struct cs_bytes after, ledger_pair_fn *take, void *take_context)
{
	static const char *const text = "SELECT version, sum, value, key FROM pairs"
					" WHERE key >= ? AND key > ? AND key < ? ORDER BY key";
	struct node_ledger_db *db = context;
	uint8_t from[KEY_SIZE_MAX] = {(uint8_t)space}, above[KEY_SIZE_MAX] = {(uint8_t)space};
	uint8_t end[KEY_SIZE_MAX];
	struct host_stmt *stmt = NULL;
	cs_assert(prefix.n <= LEDGER_KEY_SIZE_MAX && after.n <= LEDGER_KEY_SIZE_MAX);
	if (prefix.n > 0)
		memcpy(from + 1, prefix.p, prefix.n);
	if (after.n > 0)
		memcpy(above + 1, after.p, after.n);
	CS_TRY(db->broken);
	CS_TRY(host_stmt_new(&stmt, db->store, text));
	host_bind_blob(stmt, 0, cs_bytes(from, prefix.n + 1));
	host_bind_blob(stmt, 1, cs_bytes(above, after.n + 1));
	host_bind_blob(stmt, 2, end_of(end, cs_bytes(from, prefix.n + 1)));
	enum cs_err err = take_pairs(db, stmt, take, take_context);
	host_stmt_free(stmt);
	return err;
}

/* ---- writing ---- */

static enum cs_err put_pair(struct node_ledger_db *db, const struct row *old, bool is_old,
			    struct cs_bytes key, const struct row *row)
{
	struct host_stmt *stmt = db->stmts[is_old ? SET_PAIR : ADD_PAIR];
	bind_row(stmt, row, sum_of(key, row));
	if (is_old)
		host_bind_i64(stmt, 3, old->id);
	else
		host_bind_blob(stmt, 3, key);
	return run_stmt(db, is_old ? SET_PAIR : ADD_PAIR);
}

/* The run that was begun becomes a row. */
static enum cs_err end_run(struct node_ledger_db *db)
{
	struct host_stmt *stmt = db->stmts[ADD_HISTORY];
	const struct cs_bytes run = cs_buf_view(&db->run);
	if (run.n == 0)
		return CS_OK;
	host_bind_u64(stmt, 0, db->target);
	host_bind_blob(stmt, 1, cs_bytes(run.p + 1, run.p[0]));
	host_bind_i64(stmt, 2, sum_of_run(db->target, run));
	host_bind_blob(stmt, 3, run);
	CS_TRY(run_stmt(db, ADD_HISTORY));
	db->run_count++;
	cs_buf_init(&db->run, db->run_bytes, sizeof db->run_bytes);
	return CS_OK;
}

static enum cs_err put_history(struct node_ledger_db *db, struct cs_bytes key,
			       const struct row *old)
{
	const struct ledger_run_entry entry = {key, old->version, old->is_there, old->value};
	if (ledger_run_add(&db->run, &entry))
		return CS_OK;
	CS_TRY(end_run(db));
	cs_assert(ledger_run_add(&db->run, &entry));
	return CS_OK;
}

static enum cs_err drop_pair(struct node_ledger_db *db, const struct row *old)
{
	host_bind_i64(db->stmts[DROP_PAIR], 0, old->id);
	return run_stmt(db, DROP_PAIR);
}

/* The first version has none before it that could be asked for. */
static enum cs_err put_old(struct node_ledger_db *db, const struct row *old, bool is_old,
			   struct cs_bytes key, const struct row *row)
{
	const bool has_history = db->version > 0;
	if (!old->is_there && !row->is_there)
		return CS_OK;
	if (has_history)
		CS_TRY(put_history(db, key, old));
	if (!has_history && !row->is_there)
		return drop_pair(db, old);
	return put_pair(db, old, is_old, key, row);
}

static enum cs_err put_change(struct node_ledger_db *db, enum ledger_space space,
			      const struct ledger_change *change)
{
	uint8_t memory[KEY_SIZE_MAX];
	const struct cs_bytes key = row_key(memory, space, change->key);
	const struct row row = {
		.version = db->target, .value = change->value, .is_there = !change->removed};
	struct row old = {.is_there = false};
	enum cs_err err = find_pair(db, &old, key);
	bool is_old = err == CS_OK;
	if (err == CS_ERR_NOT_FOUND)
		err = CS_OK;
	if (err == CS_OK)
		err = put_old(db, &old, is_old, key, &row);
	host_stmt_reset(db->stmts[GET_PAIR]);
	return err;
}

static enum cs_err put_state(struct node_ledger_db *db, uint64_t version, uint64_t oldest)
{
	uint8_t numbers[16];
	struct host_stmt *stmt = db->stmts[SET_STATE];
	cs_put_be64(numbers, version);
	cs_put_be64(numbers + 8, oldest);
	host_bind_u64(stmt, 0, version);
	host_bind_u64(stmt, 1, oldest);
	host_bind_i64(stmt, 2, (int32_t)bft_crc32c(0, CS_BYTES_OF(numbers)));
	CS_TRY(run_stmt(db, SET_STATE));
	return host_store_changes(db->store) == 1 ? CS_OK : damaged(db, "the state's row is gone");
}

static enum cs_err drop_some(struct node_ledger_db *db, enum statement which, uint64_t count_max)
{
	host_bind_u64(db->stmts[which], 0, db->target_oldest);
	host_bind_u64(db->stmts[which], 1, count_max);
	return run_stmt(db, which);
}

static enum cs_err write_changes(void *context)
{
	struct node_ledger_db *db = context;
	uint64_t count = 0;
	db->run_count = 0;
	cs_buf_init(&db->run, db->run_bytes, sizeof db->run_bytes);
	for (size_t s = 0; s < LEDGER_SPACE_COUNT; s++) {
		count += db->changes[s].count;
		for (size_t i = 0; i < db->changes[s].count; i++) {
			const struct ledger_change *items = db->changes[s].items;
			cs_assert(i == 0 || cs_bytes_compare(items[i - 1].key, items[i].key) < 0);
			CS_TRY(put_change(db, (enum ledger_space)s, &items[i]));
		}
	}
	CS_TRY(end_run(db));
	CS_TRY(drop_some(db, DROP_OLDER, 2 * db->run_count + NODE_LEDGER_PRUNED_RUNS_MIN));
	CS_TRY(drop_some(db, DROP_REMOVED, 2 * count + NODE_LEDGER_PRUNED_MIN));
	return put_state(db, db->target, db->target_oldest);
}

/* A failed change is the last one (ADR 25). */
static enum cs_err change(struct node_ledger_db *db, host_store_writer *write)
{
	CS_TRY(db->broken);
	db->why.text[0] = 0;
	enum cs_err err = host_store_write(db->store, write, db, NULL, NULL);
	if (err != CS_OK) {
		/* A writer has said more than what SQLite says of its end. */
		if (db->why.text[0] == 0)
			err = checked(db, err);
		db->broken = err;
		return err;
	}
	db->version = db->target;
	db->oldest = db->target_oldest;
	return CS_OK;
}

static enum cs_err commit(void *context, uint64_t version,
			  const struct ledger_changes changes[LEDGER_SPACE_COUNT],
			  uint64_t keep_from)
{
	struct node_ledger_db *db = context;
	cs_assert(version > db->version || (version == 0 && db->version == 0));
	cs_assert(version <= INT64_MAX);
	db->changes = changes;
	db->target = version;
	db->target_oldest = db->version == 0 ? version : db->oldest;
	if (keep_from > db->target_oldest)
		db->target_oldest = keep_from < version ? keep_from : version;
	return change(db, write_changes);
}

static enum cs_err write_nothing(void *context)
{
	struct node_ledger_db *db = context;
	CS_TRY(run_stmt(db, CLEAR_PAIRS));
	CS_TRY(run_stmt(db, CLEAR_HISTORY));
	return put_state(db, 0, 0);
}

static enum cs_err clear(void *context)
{
	struct node_ledger_db *db = context;
	db->target = db->target_oldest = 0;
	return change(db, write_nothing);
}

struct ledger_db node_ledger_db_table(struct node_ledger_db *db)
{
	return (struct ledger_db){db, get, scan, commit, clear};
}

uint64_t node_ledger_db_version(const struct node_ledger_db *db)
{
	return db->version;
}

uint64_t node_ledger_db_oldest(const struct node_ledger_db *db)
{
	return db->oldest;
}

/* ---- back ---- */

static enum cs_err put_back(struct node_ledger_db *db, struct cs_bytes key, uint64_t version,
			    const struct row *before)
{
	struct row now;
	enum cs_err err = find_pair(db, &now, key);
	if (err == CS_ERR_NOT_FOUND || (err == CS_OK && now.version != version))
		err = damaged(db, "a pair is not what the newest version has made it");
	if (err == CS_OK)
		err = before->is_there || before->version > 0
			      ? put_pair(db, &now, true, key, before)
			      : drop_pair(db, &now);
	host_stmt_reset(db->stmts[GET_PAIR]);
	return err;
}

/* Each entry of GET_NEWER's row is what its pair becomes. */
static enum cs_err put_run_back(struct node_ledger_db *db, struct host_stmt *newer)
{
	const uint64_t version = (uint64_t)host_column_i64(newer, 2);
	struct ledger_run_entry entry;
	struct cs_reader reader;
	struct cs_bytes run;
	struct row before;
	enum cs_err err;
	CS_TRY(take_run(db, &run, newer, version));
	cs_reader_init(&reader, run);
	while ((err = ledger_run_next(&reader, &entry)) == CS_OK) {
		CS_TRY(take_entry(db, &before, &entry, version));
		CS_TRY(put_back(db, entry.key, version, &before));
	}
	return err == CS_ERR_NOT_FOUND ? CS_OK : damaged(db, "a run of the history is none");
}

static enum cs_err write_back(void *context)
{
	struct node_ledger_db *db = context;
	struct host_stmt *newer = db->stmts[GET_NEWER];
	bool found = false;
	host_bind_u64(newer, 0, db->target);
	enum cs_err err = checked(db, host_stmt_next(newer, &found));
	while (err == CS_OK && found) {
		err = put_run_back(db, newer);
		if (err == CS_OK)
			err = checked(db, host_stmt_next(newer, &found));
	}
	host_stmt_reset(newer);
	CS_TRY(err);
	host_bind_u64(db->stmts[DROP_NEWER], 0, db->target);
	CS_TRY(run_stmt(db, DROP_NEWER));
	return put_state(db, db->target, db->target_oldest);
}

enum cs_err node_ledger_db_rollback(struct node_ledger_db *db, uint64_t version, struct cs_why *why)
{
	if (version == 0 || version < db->oldest || version > db->version)
		return cs_fail(why, CS_ERR_UNAVAILABLE,
			       "the ledger's state has versions %llu to %llu",
			       (unsigned long long)db->oldest, (unsigned long long)db->version);
	db->target = version;
	db->target_oldest = db->oldest;
	enum cs_err err = change(db, write_back);
	return err == CS_OK ? CS_OK
			    : cs_fail(why, err, "the ledger's state: %s", node_ledger_db_why(db));
}

/* ---- beginning and end ---- */

static enum cs_err read_state(struct node_ledger_db *db)
{
	struct host_stmt *stmt = db->stmts[GET_STATE];
	uint8_t numbers[16];
	bool found = false;
	CS_TRY(checked(db, host_stmt_next(stmt, &found)));
	if (!found)
		return damaged(db, "the state's row is gone");
	uint64_t version = (uint64_t)host_column_i64(stmt, 0);
	uint64_t oldest = (uint64_t)host_column_i64(stmt, 1);
	int64_t sum = host_column_i64(stmt, 2);
	host_stmt_reset(stmt);
	cs_put_be64(numbers, version);
	cs_put_be64(numbers + 8, oldest);
	if (sum != (int32_t)bft_crc32c(0, CS_BYTES_OF(numbers)) || version > INT64_MAX ||
	    oldest > version)
		return damaged(db, "the state's row has another checksum");
	db->version = version;
	db->oldest = oldest;
	return CS_OK;
}

/* A part of the state at genesis or of a snapshot, which did not become a version. */
static enum cs_err forget_begun(struct node_ledger_db *db)
{
	bool found = false;
	if (db->version > 0)
		return CS_OK;
	CS_TRY(checked(db, host_stmt_next(db->stmts[GET_ANY], &found)));
	host_stmt_reset(db->stmts[GET_ANY]);
	return found ? clear(db) : CS_OK;
}

static enum cs_err prepare(struct node_ledger_db *db)
{
	for (size_t i = 0; i < STATEMENTS; i++) {
		enum cs_err err = host_stmt_new(&db->stmts[i], db->store, texts[i]);
		/* Our own number of the schema, and other tables. */
		if (err == CS_ERR_MALFORMED)
			return damaged(db, host_store_why(db->store));
		CS_TRY(err);
	}
	return CS_OK;
}

enum cs_err node_ledger_db_open(struct node_ledger_db **out, const char *path, struct cs_why *why)
{
	static const struct host_store_schema schema = {.migrations = migrations,
							.migration_count = CS_LEN(migrations),
							.application_id = 0x43534c45,
							.page_size = PAGE_SIZE};
	struct node_ledger_db *db = host_alloc(sizeof *db);
	enum cs_err err = host_store_open(&db->store, NULL, path, &schema, why);
	if (err == CS_OK)
		err = host_store_set_derived(db->store, why);
	if (err == CS_OK)
		err = host_store_set_alone(db->store, NODE_LEDGER_CACHE_KIB, LOG_PAGES, why);
	if (err == CS_OK) {
		err = prepare(db);
		if (err == CS_OK)
			err = read_state(db);
		if (err == CS_OK)
			err = forget_begun(db);
		if (err != CS_OK)
			cs_why_write(why, "the ledger's state: %s", node_ledger_db_why(db));
	}
	if (err != CS_OK) {
		node_ledger_db_close(db);
		return err;
	}
	*out = db;
	return CS_OK;
}

void node_ledger_db_close(struct node_ledger_db *db)
{
	if (db == NULL)
		return;
	for (size_t i = 0; i < STATEMENTS; i++)
		host_stmt_free(db->stmts[i]);
	host_store_close(db->store);
	free(db);
}
