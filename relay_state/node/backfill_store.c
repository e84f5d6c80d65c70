#include "relay_state/node/backfill_store.h"

#include "core/hash.h"
#include "host/alloc.h"
#include "host/store.h"
#include "verify/cometbft/evidence.h"

#include <stdlib.h>

static const char *const migrations[] = {
	"CREATE TABLE blocks(height INTEGER PRIMARY KEY, seconds INTEGER NOT NULL,"
	" nanos INTEGER NOT NULL, light BLOB NOT NULL, evidence BLOB NOT NULL, sum BLOB NOT NULL)"
	" STRICT;"
	"CREATE TABLE evidence(hash BLOB PRIMARY KEY, height INTEGER NOT NULL)"
	" STRICT, WITHOUT ROWID;"
	"CREATE TABLE state(id INTEGER PRIMARY KEY CHECK(id = 1), top INTEGER NOT NULL,"
	" status INTEGER NOT NULL) STRICT;",
};

enum statement {
	PUT_BLOCK,
	PUT_EVIDENCE,
	PUT_STATE,
	PUT_STATUS,
	DROP_BLOCKS,
	DROP_ALL_BLOCKS,
	DROP_ALL_EVIDENCE,
	DROP_STATE,
	GET_BLOCK,
	GET_EVIDENCE,
	GET_STATE,
	GET_LOWEST,
	GET_RISING,
	STATEMENTS
};

static const char *const texts[STATEMENTS] = {
	[PUT_BLOCK] = "INSERT INTO blocks VALUES(?, ?, ?, ?, ?, ?)",
	/* Two pieces of one hash: what CometBFT leaves out of an attack's may differ. */
	[PUT_EVIDENCE] = "INSERT OR IGNORE INTO evidence VALUES(?, ?)",
	[PUT_STATE] = "INSERT INTO state VALUES(1, ?, ?)",
	[PUT_STATUS] = "UPDATE state SET status = ?",
	[DROP_BLOCKS] = "DELETE FROM blocks WHERE height <= ?",
	[DROP_ALL_BLOCKS] = "DELETE FROM blocks",
	[DROP_ALL_EVIDENCE] = "DELETE FROM evidence",
	[DROP_STATE] = "DELETE FROM state",
	[GET_BLOCK] = "SELECT light, evidence, sum FROM blocks WHERE height = ?",
	[GET_EVIDENCE] = "SELECT height FROM evidence WHERE hash = ?",
	[GET_STATE] = "SELECT top, status FROM state",
	[GET_LOWEST] = "SELECT height FROM blocks ORDER BY height LIMIT 1",
	[GET_RISING] = "SELECT height, seconds, nanos FROM blocks ORDER BY height",
};

struct node_backfill_store {
	struct host_store *store;
	struct host_stmt *stmts[STATEMENTS];
	uint8_t *read; /* what was read last */
};

/* ---- beginning and end ---- */

static enum cs_err fail(struct node_backfill_store *b, enum cs_err err, struct cs_why *why)
{
	if (err == CS_OK)
		return CS_OK;
	return cs_fail(why, err, "the light blocks below the base: %s", host_store_why(b->store));
}

enum cs_err node_backfill_store_open(struct node_backfill_store **backfill, const char *path,
				     struct cs_why *why)
{
	static const struct host_store_schema schema = {.migrations = migrations,
							.migration_count = CS_LEN(migrations),
							.application_id = 0x43534246};
	struct node_backfill_store *b = host_alloc(sizeof *b);
	enum cs_err err = host_store_open(&b->store, NULL, path, &schema, why);
	/* What is lost is asked for again. */
	if (err == CS_OK)
		err = host_store_set_derived(b->store, why);
	for (size_t i = 0; i < STATEMENTS && err == CS_OK; i++)
		err = fail(b, host_stmt_new(&b->stmts[i], b->store, texts[i]), why);
	if (err != CS_OK) {
		node_backfill_store_close(b);
		return err;
	}
	*backfill = b;
	return CS_OK;
}

void node_backfill_store_close(struct node_backfill_store *b)
{
	if (b == NULL)
		return;
	for (size_t i = 0; i < STATEMENTS; i++)
		host_stmt_free(b->stmts[i]);
	host_store_close(b->store);
	free(b->read);
	free(b);
}

/* One number of the first row; 0 where there is none. */
static enum cs_err get_lowest(struct node_backfill_store *b, int64_t *lowest)
{
	struct host_stmt *stmt = b->stmts[GET_LOWEST];
	bool row = false;
	CS_TRY(host_stmt_next(stmt, &row));
	*lowest = row ? host_column_i64(stmt, 0) : 0;
	host_stmt_reset(stmt);
	return CS_OK;
}

enum cs_err node_backfill_store_look(struct node_backfill_store *b,
				     struct node_backfill_found *found)
{
	struct node_backfill_found now = {.status = NODE_BACKFILL_NONE};
	struct host_stmt *stmt = b->stmts[GET_STATE];
	bool row = false;
	CS_TRY(host_stmt_next(stmt, &row));
	if (row) {
		int64_t status = host_column_i64(stmt, 1);
		now.top = host_column_i64(stmt, 0);
		if (status < NODE_BACKFILL_BEGUN || status > NODE_BACKFILL_SHORT)
			status = NODE_BACKFILL_NONE;
		now.status = (enum node_backfill_status)status;
	}
	host_stmt_reset(stmt);
	CS_TRY(get_lowest(b, &now.lowest));
	*found = now;
	return CS_OK;
}

/* ---- writing ---- */

struct writing {
	struct node_backfill_store *b;
	const struct node_backfilled *backfilled;
	int64_t height;
	enum node_backfill_status status;
};

static enum cs_err run(struct node_backfill_store *b, host_store_writer *writer, struct writing *w,
		       struct cs_why *why)
{
	enum cs_err err = host_store_write(b->store, writer, w, NULL, NULL);
	if (err == CS_OK)
		err = host_store_flush(b->store);
	return fail(b, err, why);
}

static enum cs_err begin(void *context)
{
	const struct writing *w = context;
	struct host_stmt **stmts = w->b->stmts;
	CS_TRY(host_stmt_run(stmts[DROP_ALL_BLOCKS]));
	CS_TRY(host_stmt_run(stmts[DROP_ALL_EVIDENCE]));
	CS_TRY(host_stmt_run(stmts[DROP_STATE]));
	if (w->height == 0)
		return CS_OK;
	host_bind_i64(stmts[PUT_STATE], 0, w->height);
	host_bind_i64(stmts[PUT_STATE], 1, NODE_BACKFILL_BEGUN);
	return host_stmt_run(stmts[PUT_STATE]);
}

enum cs_err node_backfill_store_begin(struct node_backfill_store *b, int64_t top,
				      struct cs_why *why)
{
	struct writing w = {.b = b, .height = top};
	return run(b, begin, &w, why);
}

static struct cs_hash sum_of(int64_t height, struct cs_bytes light, struct cs_bytes evidence)
{
	uint8_t parts[8 + 2 * sizeof(struct cs_hash)];
	struct cs_hash a = cs_sha256(light), c = cs_sha256(evidence);
	struct cs_buf buf;
	cs_buf_init(&buf, parts, sizeof parts);
	cs_put_u64(&buf, (uint64_t)height);
	cs_put(&buf, CS_BYTES_OF(a.b));
	cs_put(&buf, CS_BYTES_OF(c.b));
	cs_assert(cs_buf_end(&buf) == CS_OK);
	return cs_sha256(cs_buf_view(&buf));
}

static enum cs_err put(void *context)
{
	const struct writing *w = context;
	const struct node_backfilled *f = w->backfilled;
	struct host_stmt *block = w->b->stmts[PUT_BLOCK], *evidence = w->b->stmts[PUT_EVIDENCE];
	struct cs_hash sum = sum_of(f->height, f->light, f->evidence);
	host_bind_i64(block, 0, f->height);
	host_bind_i64(block, 1, f->time.s);
	host_bind_i64(block, 2, f->time.ns);
	host_bind_blob(block, 3, f->light);
	host_bind_blob(block, 4, f->evidence);
	host_bind_blob(block, 5, CS_BYTES_OF(sum.b));
	CS_TRY(host_stmt_run(block));
	for (size_t i = 0; i < f->hash_count; i++) {
		host_bind_blob(evidence, 0, CS_BYTES_OF(f->hashes[i].b));
		host_bind_i64(evidence, 1, f->height);
		CS_TRY(host_stmt_run(evidence));
	}
	return CS_OK;
}

enum cs_err node_backfill_store_put(struct node_backfill_store *b,
				    const struct node_backfilled *backfilled, struct cs_why *why)
{
	struct writing w = {.b = b, .backfilled = backfilled};
	struct node_backfill_found now;
	CS_TRY(fail(b, node_backfill_store_look(b, &now), why));
	int64_t above = now.lowest != 0 ? now.lowest : now.top;
	if (now.status != NODE_BACKFILL_BEGUN || backfilled->height != above - 1)
		return cs_fail(why, CS_ERR_INVALID, "height %lld is not the one below %lld",
			       (long long)backfilled->height, (long long)above);
	return run(b, put, &w, why);
}

static enum cs_err end(void *context)
{
	const struct writing *w = context;
	host_bind_i64(w->b->stmts[PUT_STATUS], 0, w->status);
	return host_stmt_run(w->b->stmts[PUT_STATUS]);
}

enum cs_err node_backfill_store_end(struct node_backfill_store *b, enum node_backfill_status status,
				    struct cs_why *why)
{
	struct writing w = {.b = b, .status = status};
	return run(b, end, &w, why);
}

/* ---- letting go ---- */

bool node_backfill_is_old(int64_t height, struct cs_pb_time time, const struct cmt_params *params,
			  int64_t last_height, struct cs_pb_time last_time)
{
	struct cmt_evidence about = {.kind = CMT_DUPLICATE_VOTE};
	about.duplicate_vote.a.height = height;
	about.duplicate_vote.time = time;
	return cmt_evidence_is_old(&about, params, last_height, last_time);
}

/* Times rise with heights: what is too old is at the lower end. */
static enum cs_err find_old(struct node_backfill_store *b, int64_t *old,
			    const struct cmt_params *params, int64_t height, struct cs_pb_time now)
{
	struct host_stmt *stmt = b->stmts[GET_RISING];
	bool row = false;
	*old = 0;
	CS_TRY(host_stmt_next(stmt, &row));
	while (row) {
		int64_t at = host_column_i64(stmt, 0);
		struct cs_pb_time time = {host_column_i64(stmt, 1),
					  (int32_t)host_column_i64(stmt, 2)};
		if (!node_backfill_is_old(at, time, params, height, now)) {
			host_stmt_reset(stmt);
			return CS_OK;
		}
		*old = at;
		CS_TRY(host_stmt_next(stmt, &row));
	}
	return CS_OK;
}

static enum cs_err drop(void *context)
{
	const struct writing *w = context;
	host_bind_i64(w->b->stmts[DROP_BLOCKS], 0, w->height);
	return host_stmt_run(w->b->stmts[DROP_BLOCKS]);
}

enum cs_err node_backfill_store_trim(struct node_backfill_store *b, const struct cmt_params *params,
				     int64_t height, struct cs_pb_time now, struct cs_why *why)
{
	struct writing w = {.b = b};
	CS_TRY(fail(b, find_old(b, &w.height, params, height, now), why));
	return w.height == 0 ? CS_OK : run(b, drop, &w, why);
}

/* ---- reading ---- */

/* Columns die with the next call on the statement. */
static enum cs_err copy_row(struct node_backfill_store *b, struct host_stmt *stmt,
			    struct node_backfilled *out)
{
	struct cs_bytes light = host_column_blob(stmt, 0), evidence = host_column_blob(stmt, 1);
	struct cs_hash sum, expected = sum_of(out->height, light, evidence);
	CS_TRY(host_column_copy(stmt, 2, sum.b, sizeof sum.b));
	if (!cs_hash_eq(&sum, &expected))
		return CS_ERR_DAMAGED;
	size_t size = 0, room = 0;
	free(b->read);
	b->read = host_append(NULL, &size, &room, light.p, light.n);
	if (evidence.n > 0)
		b->read = host_append(b->read, &size, &room, evidence.p, evidence.n);
	out->light = cs_bytes(b->read, light.n);
	out->evidence = cs_bytes(b->read + light.n, evidence.n);
	return CS_OK;
}

enum cs_err node_backfill_store_get(struct node_backfill_store *b, struct node_backfilled *out,
				    int64_t height)
{
	struct host_stmt *stmt = b->stmts[GET_BLOCK];
	struct node_backfilled made = {.height = height};
	bool row = false;
	host_bind_i64(stmt, 0, height);
	CS_TRY(host_stmt_next(stmt, &row));
	if (!row)
		return CS_ERR_NOT_FOUND;
	enum cs_err err = copy_row(b, stmt, &made);
	host_stmt_reset(stmt);
	CS_TRY(err);
	*out = made;
	return CS_OK;
}

enum cs_err node_backfill_store_has_evidence(struct node_backfill_store *b, bool *has,
					     const struct cs_hash *hash)
{
	struct host_stmt *stmt = b->stmts[GET_EVIDENCE];
	bool row = false;
	host_bind_blob(stmt, 0, CS_BYTES_OF(hash->b));
	CS_TRY(host_stmt_next(stmt, &row));
	host_stmt_reset(stmt);
	*has = row;
	return CS_OK;
}
