#include "relay_state/node/kvstore_db.h"

#include "host/alloc.h"
#include "host/store.h"

#include <stdlib.h>
#include <string.h>

static const char *const migrations[] = {
	"CREATE TABLE pairs(key BLOB PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE validators(key BLOB PRIMARY KEY, power INTEGER NOT NULL)"
	" STRICT, WITHOUT ROWID;"
	"CREATE TABLE state(id INTEGER PRIMARY KEY CHECK(id = 1), height INTEGER NOT NULL,"
	" size INTEGER NOT NULL) STRICT;",
};

enum statement {
	PUT_PAIR,
	PUT_VALIDATOR,
	DROP_VALIDATOR,
	PUT_STATE,
	GET_PAIRS,
	GET_VALIDATORS,
	GET_STATE,
	STATEMENTS
};

static const char *const texts[STATEMENTS] = {
	[PUT_PAIR] = "INSERT OR REPLACE INTO pairs VALUES(?, ?)",
	[PUT_VALIDATOR] = "INSERT OR REPLACE INTO validators VALUES(?, ?)",
	[DROP_VALIDATOR] = "DELETE FROM validators WHERE key = ?",
	[PUT_STATE] = "INSERT OR REPLACE INTO state VALUES(1, ?, ?)",
	[GET_PAIRS] = "SELECT key, value FROM pairs",
	[GET_VALIDATORS] = "SELECT key, power FROM validators",
	[GET_STATE] = "SELECT height, size FROM state",
};

/* What came since the last commit: key and value at their place in the bytes. */
struct change {
	bool is_pair;
	size_t at, key_size, value_size;
	int64_t power;
};

struct node_kvstore_db {
	struct host_store *store;
	struct host_stmt *stmts[STATEMENTS];
	uint8_t *bytes;
	size_t size, room;
	struct change *changes;
	size_t count, count_room;
	int64_t height, transactions; /* of the commit that is written */
};

/* ---- writing ---- */

static void append(struct node_kvstore_db *db, struct cs_bytes bytes)
{
	if (bytes.n > 0)
		db->bytes = host_append(db->bytes, &db->size, &db->room, bytes.p, bytes.n);
}

static void add_change(struct node_kvstore_db *db, bool is_pair, struct cs_bytes key,
		       struct cs_bytes value, int64_t power)
{
	if (db->count == db->count_room) {
		db->count_room = db->count_room == 0 ? 64 : 2 * db->count_room;
		db->changes = host_grow(db->changes, db->count_room * sizeof *db->changes);
	}
	db->changes[db->count++] = (struct change){is_pair, db->size, key.n, value.n, power};
	append(db, key);
	append(db, value);
}

static enum cs_err on_pair(void *context, struct cs_bytes key, struct cs_bytes value)
{
	add_change(context, true, key, value, 0);
	return CS_OK;
}

static enum cs_err on_validator(void *context, struct cs_bytes key, int64_t power)
{
	add_change(context, false, key, CS_BYTES_NONE, power);
	return CS_OK;
}

static enum cs_err put_change(struct node_kvstore_db *db, const struct change *c)
{
	struct cs_bytes key = cs_bytes(db->bytes + c->at, c->key_size);
	struct host_stmt *stmt = db->stmts[c->is_pair     ? PUT_PAIR
					   : c->power > 0 ? PUT_VALIDATOR
							  : DROP_VALIDATOR];
	host_bind_blob(stmt, 0, key);
	if (c->is_pair)
		host_bind_blob(stmt, 1, cs_bytes(key.p + key.n, c->value_size));
	else if (c->power > 0)
		host_bind_i64(stmt, 1, c->power);
	return host_stmt_run(stmt);
}

static enum cs_err put_all(void *context)
{
	struct node_kvstore_db *db = context;
	for (size_t i = 0; i < db->count; i++)
		CS_TRY(put_change(db, &db->changes[i]));
	host_bind_i64(db->stmts[PUT_STATE], 0, db->height);
	host_bind_i64(db->stmts[PUT_STATE], 1, db->transactions);
	return host_stmt_run(db->stmts[PUT_STATE]);
}

static enum cs_err on_committed(void *context, int64_t height, int64_t size)
{
	struct node_kvstore_db *db = context;
	db->height = height;
	db->transactions = size;
	enum cs_err err = host_store_write(db->store, put_all, db, NULL, NULL);
	if (err == CS_OK)
		err = host_store_flush(db->store);
	db->size = db->count = 0;
	return err;
}

struct abci_kvstore_hooks node_kvstore_db_hooks(struct node_kvstore_db *db)
{
	return (struct abci_kvstore_hooks){db, on_pair, on_validator, on_committed};
}

/* ---- reading ---- */

typedef enum cs_err take_row(struct host_stmt *stmt, struct abci_kvstore *store);

static enum cs_err take_pair(struct host_stmt *stmt, struct abci_kvstore *store)
{
	return abci_kvstore_import_pair(store, host_column_blob(stmt, 0),
					host_column_blob(stmt, 1));
}

static enum cs_err take_validator(struct host_stmt *stmt, struct abci_kvstore *store)
{
	return abci_kvstore_import_validator(store, host_column_blob(stmt, 0),
					     host_column_i64(stmt, 1));
}

static enum cs_err take_state(struct host_stmt *stmt, struct abci_kvstore *store)
{
	return abci_kvstore_import_end(store, host_column_i64(stmt, 0), host_column_i64(stmt, 1));
}

static enum cs_err take_all(struct host_stmt *stmt, take_row *take, struct abci_kvstore *store)
{
	bool row = false;
	CS_TRY(host_stmt_next(stmt, &row));
	while (row) {
		enum cs_err err = take(stmt, store);
		if (err != CS_OK) {
			host_stmt_reset(stmt);
			return err;
		}
		CS_TRY(host_stmt_next(stmt, &row));
	}
	return CS_OK;
}

enum cs_err node_kvstore_db_load(struct node_kvstore_db *db, struct abci_kvstore *store,
				 struct cs_why *why)
{
	enum cs_err err = take_all(db->stmts[GET_PAIRS], take_pair, store);
	if (err == CS_OK)
		err = take_all(db->stmts[GET_VALIDATORS], take_validator, store);
	if (err == CS_OK)
		err = take_all(db->stmts[GET_STATE], take_state, store);
	if (err == CS_OK)
		return CS_OK;
	bool known = err == CS_ERR_NO_MEMORY || err == CS_ERR_IO;
	return cs_fail(why, known ? err : CS_ERR_DAMAGED, "the kvstore's database: %s",
		       cs_err_sentence(err));
}

/* ---- beginning and end ---- */

enum cs_err node_kvstore_db_open(struct node_kvstore_db **out, const char *path, struct cs_why *why)
{
	static const struct host_store_schema schema = {.migrations = migrations,
							.migration_count = CS_LEN(migrations),
							.application_id = 0x4353564b};
	struct node_kvstore_db *db = host_alloc(sizeof *db);
	enum cs_err err = host_store_open(&db->store, NULL, path, &schema, why);
	for (size_t i = 0; i < STATEMENTS && err == CS_OK; i++) {
		err = host_stmt_new(&db->stmts[i], db->store, texts[i]);
		if (err != CS_OK)
			cs_why_write(why, "the kvstore's database: %s", host_store_why(db->store));
	}
	if (err != CS_OK) {
		node_kvstore_db_close(db);
		return err;
	}
	*out = db;
	return CS_OK;
}

void node_kvstore_db_close(struct node_kvstore_db *db)
{
	if (db == NULL)
		return;
	for (size_t i = 0; i < STATEMENTS; i++)
		host_stmt_free(db->stmts[i]);
	host_store_close(db->store);
	free(db->bytes);
	free(db->changes);
	free(db);
}
