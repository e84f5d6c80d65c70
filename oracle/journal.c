#include "host/alloc.h"
#include "oracle/journal_private.h"
#include "oracle/journal_submit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Migration i brings a journal of version i to i + 1. */
static const char *const migrations[] = {
#define SCHEMA(text) text
#include "oracle/journal_schema.def"
	,
#include "oracle/journal_ledger_schema.def"
#undef SCHEMA
};
#define APPLICATION_ID 0x43414f52

/* The numbers that the conditions of indices and queries name. */
_Static_assert(ORACLE_APP == 1 && ORACLE_CHAIN == 2, "kind");
_Static_assert(ORACLE_SUBMITTED == 4 && ORACLE_DONE == 5, "state=4, state<5");
_Static_assert(ORACLE_EXPIRED == 7 && ORACLE_REFUSED == 8, "state=7, state=8");
_Static_assert(ORACLE_SUBMISSION_SETTLED == 2 && ORACLE_SUBMISSION_FAILED == 3, "states pruned");
_Static_assert(ORACLE_SUBMISSION_OPEN == 0 && ORACLE_SUBMISSION_INCLUDED == 1 &&
		       ORACLE_SUBMISSION_UNKNOWN == 4,
	       "ADAPTER_SQL_SUBMISSIONS_OPEN");
_Static_assert(ORACLE_CALL_ANNOUNCE == 4, "kind<>4 of submissions");
_Static_assert(WIRE_KIND_ANSWER == 4, "kind=4 of statements");

static const char *const texts[SQL_COUNT] = {
#define SQL(name, text) [SQL_##name] = text,
#include "oracle/journal_sql.def"
#undef SQL
};

/* ---- opening ---- */

enum cs_err oracle_journal_open(struct oracle_journal **out, struct host_loop *loop,
				const char *path, struct cs_why *why)
{
	static const struct host_store_schema schema = {.migrations = migrations,
							.migration_count = CS_LEN(migrations),
							.application_id = APPLICATION_ID};
	struct oracle_journal *journal = host_alloc(sizeof(*journal));
	enum cs_err err = host_store_open(&journal->store, loop, path, &schema, why);
	for (size_t i = 0; i < SQL_COUNT && err == CS_OK; i++) {
		err = host_stmt_new(&journal->stmt[i], journal->store, texts[i]);
		if (err != CS_OK)
			err = cs_fail(why, err, "statement %zu: %.150s", i,
				      host_store_why(journal->store));
	}
	if (err != CS_OK) {
		oracle_journal_close(journal);
		return err;
	}
	*out = journal;
	return CS_OK;
}

void oracle_journal_close(struct oracle_journal *journal)
{
	if (!journal)
		return;
	for (size_t i = 0; i < SQL_COUNT; i++)
		host_stmt_free(journal->stmt[i]);
	host_store_close(journal->store);
	free(journal);
}

struct host_store *oracle_journal_store(struct oracle_journal *journal)
{
	return journal->store;
}

/* ---- columns ---- */

void oracle_bind_hash(struct host_stmt *s, uint32_t index, const struct cs_hash *hash)
{
	host_bind_blob(s, index, cs_hash_is_zero(hash) ? CS_BYTES_NONE : CS_BYTES_OF(hash->b));
}

enum cs_err oracle_column_hash(struct host_stmt *s, uint32_t index, struct cs_hash *hash)
{
	if (host_column_blob(s, index).n == 0) {
		memset(hash, 0, sizeof(*hash));
		return CS_OK;
	}
	return host_column_copy(s, index, hash->b, sizeof(hash->b));
}

void oracle_column_text(struct host_stmt *s, uint32_t index, char *text, size_t size)
{
	const char *found = host_column_text(s, index);
	snprintf(text, size, "%s", found ? found : "");
}

enum cs_err oracle_column_copy(struct host_stmt *s, uint32_t index, struct cs_arena *arena,
			       struct cs_bytes *bytes)
{
	struct cs_bytes found = host_column_blob(s, index);
	struct cs_bytes copy = cs_arena_copy(arena, found);
	if (!copy.p && found.n != 0)
		return CS_ERR_NO_MEMORY;
	*bytes = copy;
	return CS_OK;
}

/* The first column of a query with at most one row, in the arena. */
static enum cs_err one_blob(struct host_stmt *s, struct cs_arena *arena, struct cs_bytes *value)
{
	bool row = false;
	CS_TRY(host_stmt_next(s, &row));
	if (!row)
		return CS_ERR_NOT_FOUND;
	enum cs_err err = oracle_column_copy(s, 0, arena, value);
	host_stmt_reset(s);
	return err;
}

/* ---- small things, specs ---- */

enum cs_err oracle_journal_put(struct oracle_journal *journal, const char *name,
			       struct cs_bytes value)
{
	struct host_stmt *s = sql(journal, SQL_PUT);
	host_bind_text(s, 0, name);
	host_bind_blob(s, 1, value);
	return host_stmt_run(s);
}

enum cs_err oracle_journal_get(struct oracle_journal *journal, const char *name,
			       struct cs_arena *arena, struct cs_bytes *value)
{
	struct host_stmt *s = sql(journal, SQL_GET);
	host_bind_text(s, 0, name);
	return one_blob(s, arena, value);
}

enum cs_err oracle_journal_put_spec(struct oracle_journal *journal, struct cs_bytes spec,
				    const char *key_name, struct cs_hash *hash)
{
	struct host_stmt *s = sql(journal, SQL_SPEC_PUT);
	struct cs_hash name = wire_spec_hash(spec);
	host_bind_blob(s, 0, CS_BYTES_OF(name.b));
	host_bind_blob(s, 1, spec);
	host_bind_u64(s, 2, host_wall_ms());
	host_bind_text(s, 3, key_name);
	CS_TRY(host_stmt_run(s));
	*hash = name;
	return CS_OK;
}

enum cs_err oracle_journal_spec_size(struct oracle_journal *journal, const char *key_name,
				     uint64_t spec_size_min, uint64_t *size)
{
	struct host_stmt *s = sql(journal, SQL_SPEC_SIZE);
	bool row = false;
	host_bind_text(s, 0, key_name);
	host_bind_u64(s, 1, spec_size_min);
	CS_TRY(host_stmt_next(s, &row));
	cs_assert(row); /* a sum has one row always */
	*size = host_column_u64(s, 0);
	host_stmt_reset(s);
	return CS_OK;
}

enum cs_err oracle_journal_spec_due(struct oracle_journal *journal, const struct cs_hash *hash)
{
	struct host_stmt *s = sql(journal, SQL_SPEC_DUE);
	host_bind_blob(s, 0, CS_BYTES_OF(hash->b));
	host_bind_u64(s, 1, host_wall_ms());
	return host_stmt_run(s);
}

enum cs_err oracle_journal_spec(struct oracle_journal *journal, const struct cs_hash *hash,
				struct cs_arena *arena, struct cs_bytes *spec)
{
	struct host_stmt *s = sql(journal, SQL_SPEC);
	host_bind_blob(s, 0, CS_BYTES_OF(hash->b));
	return one_blob(s, arena, spec);
}

/* ---- statements ---- */

static enum cs_err find_statement(struct oracle_journal *journal,
				  struct oracle_statement *statement)
{
	struct host_stmt *s = sql(journal, SQL_STATEMENT_FIND);
	bool row = false;
	host_bind_u64(s, 0, statement->st.statement.kind);
	host_bind_blob(s, 1, CS_BYTES_OF(statement->st.signature.rx.b));
	host_bind_blob(s, 2, CS_BYTES_OF(statement->st.signature.s.b));
	CS_TRY(host_stmt_next(s, &row));
	if (!row)
		return CS_ERR_NOT_FOUND;
	statement->n = host_column_u64(s, 0);
	host_stmt_reset(s);
	return CS_OK;
}

enum cs_err oracle_journal_add_statement(struct oracle_journal *journal,
					 struct oracle_statement *statement)
{
	const struct wire_statement *what = &statement->st.statement;
	cs_assert(statement->count >= 1 && statement->count <= ORACLE_BATCH_MAX);
	enum cs_err err = find_statement(journal, statement);
	if (err != CS_ERR_NOT_FOUND)
		return err;
	struct host_stmt *s = sql(journal, SQL_STATEMENT_ADD);
	host_bind_u64(s, 0, what->kind);
	host_bind_blob(s, 1, CS_BYTES_OF(what->signer.b));
	host_bind_blob(s, 2, CS_BYTES_OF(what->receiver.b));
	host_bind_u64(s, 3, what->epoch);
	host_bind_u64(s, 4, what->manifest_number);
	host_bind_blob(s, 5, CS_BYTES_OF(what->root.b));
	host_bind_blob(s, 6, CS_BYTES_OF(statement->st.signature.rx.b));
	host_bind_blob(s, 7, CS_BYTES_OF(statement->st.signature.ry.b));
	host_bind_blob(s, 8, CS_BYTES_OF(statement->st.signature.s.b));
	host_bind_blob(
		s, 9,
		cs_bytes(statement->leaves[0].b, statement->count * sizeof(statement->leaves[0])));
	host_bind_u64(s, 10, host_wall_ms());
	CS_TRY(host_stmt_run(s));
	statement->n = host_store_row(journal->store);
	return CS_OK;
}

static enum cs_err read_statement(struct host_stmt *s, struct oracle_statement *out)
{
	struct wire_statement *what = &out->st.statement;
	struct cs_bytes leaves = host_column_blob(s, 9);
	what->kind = (enum wire_kind)host_column_u64(s, 0);
	CS_TRY(host_column_copy(s, 1, what->signer.b, sizeof(what->signer.b)));
	CS_TRY(host_column_copy(s, 2, what->receiver.b, sizeof(what->receiver.b)));
	what->epoch = host_column_u64(s, 3);
	what->manifest_number = host_column_u64(s, 4);
	CS_TRY(host_column_copy(s, 5, what->root.b, sizeof(what->root.b)));
	CS_TRY(host_column_copy(s, 6, out->st.signature.rx.b, 32));
	CS_TRY(host_column_copy(s, 7, out->st.signature.ry.b, 32));
	CS_TRY(host_column_copy(s, 8, out->st.signature.s.b, 32));
	if (leaves.n == 0 || leaves.n > sizeof(out->leaves) || leaves.n % sizeof(struct cs_hash))
		return CS_ERR_INVALID;
	memcpy(out->leaves, leaves.p, leaves.n);
	out->count = (uint32_t)(leaves.n / sizeof(struct cs_hash));
	return CS_OK;
}

enum cs_err oracle_journal_statement(struct oracle_journal *journal, uint64_t n,
				     struct oracle_statement *statement)
{
	struct host_stmt *s = sql(journal, SQL_STATEMENT);
	struct oracle_statement out = {.n = n};
	bool row = false;
	host_bind_u64(s, 0, n);
	CS_TRY(host_stmt_next(s, &row));
	if (!row)
		return CS_ERR_NOT_FOUND;
	enum cs_err err = read_statement(s, &out);
	host_stmt_reset(s);
	if (err == CS_OK)
		*statement = out;
	return err;
}

/* ---- idempotency keys ---- */

enum cs_err oracle_journal_idempotent(struct oracle_journal *journal, const char *key_name,
				      const char *key, const struct cs_hash *body,
				      struct cs_hash *id)
{
	struct host_stmt *s = sql(journal, SQL_KEY_FIND);
	struct cs_hash was;
	struct cs_hash request;
	bool row = false;
	host_bind_text(s, 0, key_name);
	host_bind_text(s, 1, key);
	CS_TRY(host_stmt_next(s, &row));
	if (!row)
		return CS_ERR_NOT_FOUND;
	enum cs_err err = host_column_copy(s, 0, was.b, sizeof(was.b));
	if (err == CS_OK)
		err = host_column_copy(s, 1, request.b, sizeof(request.b));
	host_stmt_reset(s);
	if (err == CS_OK && !cs_hash_eq(&was, body))
		err = CS_ERR_CONFLICT;
	if (err == CS_OK)
		*id = request;
	return err;
}

enum cs_err oracle_journal_remember(struct oracle_journal *journal, const char *key_name,
				    const char *key, const struct cs_hash *body,
				    const struct cs_hash *id)
{
	struct host_stmt *s = sql(journal, SQL_KEY_ADD);
	host_bind_text(s, 0, key_name);
	host_bind_text(s, 1, key);
	host_bind_blob(s, 2, CS_BYTES_OF(body->b));
	host_bind_blob(s, 3, CS_BYTES_OF(id->b));
	host_bind_u64(s, 4, host_wall_ms());
	return host_stmt_run(s);
}

/* ---- housekeeping ---- */

/* With its parameters bound but the last. *more: there may be a further portion. */
static enum cs_err prune_run(struct oracle_journal *journal, enum sql which, uint32_t limit_index,
			     bool *more)
{
	struct host_stmt *s = sql(journal, which);
	host_bind_u64(s, limit_index, ORACLE_PRUNE_ROWS);
	CS_TRY(host_stmt_run(s));
	*more = host_store_changes(journal->store) >= ORACLE_PRUNE_ROWS;
	return CS_OK;
}

static enum cs_err prune_submissions(struct oracle_journal *journal, uint64_t before_ms, bool *more)
{
	bool attempts;
	host_bind_u64(sql(journal, SQL_PRUNE_ATTEMPTS), 0, before_ms);
	CS_TRY(prune_run(journal, SQL_PRUNE_ATTEMPTS, 1, &attempts));
	host_bind_u64(sql(journal, SQL_PRUNE_SUBMISSIONS), 0, before_ms);
	return prune_run(journal, SQL_PRUNE_SUBMISSIONS, 1, more);
}

enum cs_err oracle_journal_prune(struct oracle_journal *journal, enum oracle_prune what,
				 uint64_t before_ms, bool *more)
{
	/* Statements go last: what referred to them is gone by then. */
	static const enum sql all[ORACLE_PRUNE_COUNT] = {
		[ORACLE_PRUNE_KEYS] = SQL_PRUNE_KEYS,
		[ORACLE_PRUNE_REQUESTS] = SQL_PRUNE_REQUESTS,
		[ORACLE_PRUNE_ROUNDS] = SQL_PRUNE_ROUNDS,
		[ORACLE_PRUNE_SUBMISSIONS] = SQL_PRUNE_SUBMISSIONS,
		[ORACLE_PRUNE_STATEMENTS] = SQL_PRUNE_STATEMENTS,
		[ORACLE_PRUNE_SPECS] = SQL_PRUNE_SPECS,
	};
	cs_assert(what < ORACLE_PRUNE_COUNT);
	if (what == ORACLE_PRUNE_SUBMISSIONS)
		return prune_submissions(journal, before_ms, more);
	host_bind_u64(sql(journal, all[what]), 0, before_ms);
	return prune_run(journal, all[what], 1, more);
}

enum cs_err oracle_journal_prune_chain(struct oracle_journal *journal, const struct cs_hash *chain,
				       uint64_t before_ms, uint64_t height, bool *more)
{
	struct host_stmt *s = sql(journal, SQL_PRUNE_CHAIN);
	host_bind_blob(s, 0, CS_BYTES_OF(chain->b));
	host_bind_u64(s, 1, before_ms);
	host_bind_u64(s, 2, height);
	return prune_run(journal, SQL_PRUNE_CHAIN, 3, more);
}
