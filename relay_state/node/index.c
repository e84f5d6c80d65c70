#include "relay_state/node/index.h"

#include "core/hash.h"
#include "host/alloc.h"
#include "host/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEARCH_SQL_SIZE 2048u

static const char *const migrations[] = {
	"CREATE TABLE blocks(height INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE,"
	" seconds INTEGER NOT NULL, nanos INTEGER NOT NULL, segment INTEGER NOT NULL,"
	" block_at INTEGER NOT NULL, outcome_at INTEGER NOT NULL) STRICT;"
	"CREATE TABLE txs(hash BLOB PRIMARY KEY, height INTEGER NOT NULL, position INTEGER NOT "
	"NULL)"
	" STRICT, WITHOUT ROWID;"
	"CREATE INDEX txs_height ON txs(height);"
	"CREATE TABLE attributes(key BLOB NOT NULL, value BLOB NOT NULL, height INTEGER NOT NULL,"
	" places TEXT NOT NULL, PRIMARY KEY(key, value, height))"
	" STRICT, WITHOUT ROWID;"
	"CREATE INDEX attributes_height ON attributes(height);"
	"CREATE TABLE evidence(hash BLOB PRIMARY KEY, height INTEGER NOT NULL)"
	" STRICT, WITHOUT ROWID;",
};

enum statement {
	PUT_BLOCK,
	PUT_TX,
	PUT_ATTRIBUTE,
	PUT_EVIDENCE,
	DROP_BLOCKS,
	DROP_TXS,
	DROP_ATTRIBUTES,
	BACK_BLOCKS,
	BACK_TXS,
	BACK_ATTRIBUTES,
	BACK_EVIDENCE,
	GET_LAST,
	GET_PLACE,
	GET_BLOCK,
	GET_TX,
	GET_EVIDENCE,
	STATEMENTS
};

#define PLACE "height, segment, block_at, outcome_at, hash, seconds, nanos"

/* A transaction that is there twice is found where it was last (CometBFT's indexer). Evidence is
 * never forgotten: it must not be carried twice. */
static const char *const texts[STATEMENTS] = {
	[PUT_BLOCK] = "INSERT INTO blocks VALUES(?, ?, ?, ?, ?, ?, ?)",
	[PUT_TX] = "INSERT OR REPLACE INTO txs VALUES(?, ?, ?)",
	[PUT_ATTRIBUTE] = "INSERT OR REPLACE INTO attributes VALUES(?, ?, ?, ?)",
	[PUT_EVIDENCE] = "INSERT OR IGNORE INTO evidence VALUES(?, ?)",
	[DROP_BLOCKS] = "DELETE FROM blocks WHERE height < ?",
	[DROP_TXS] = "DELETE FROM txs WHERE height < ?",
	[DROP_ATTRIBUTES] = "DELETE FROM attributes WHERE height < ?",
	[BACK_BLOCKS] = "DELETE FROM blocks WHERE height >= ?",
	[BACK_TXS] = "DELETE FROM txs WHERE height >= ?",
	[BACK_ATTRIBUTES] = "DELETE FROM attributes WHERE height >= ?",
	[BACK_EVIDENCE] = "DELETE FROM evidence WHERE height >= ?",
	/* NOLINTNEXTLINE(bugprone-suspicious-missing-comma): parts of one text */
	[GET_LAST] = "SELECT " PLACE " FROM blocks ORDER BY height DESC LIMIT 1",
	[GET_PLACE] = "SELECT " PLACE " FROM blocks WHERE height = ?",
	[GET_BLOCK] = "SELECT height FROM blocks WHERE hash = ?",
	[GET_TX] = "SELECT height, position FROM txs WHERE hash = ?",
	[GET_EVIDENCE] = "SELECT height FROM evidence WHERE hash = ?",
};

struct node_index {
	struct host_store *store;
	const struct node_search *search; /* the one that runs */
	struct host_stmt *stmts[STATEMENTS];
};

static enum cs_err prepare(struct node_index *index, struct cs_why *why)
{
	for (size_t i = 0; i < STATEMENTS; i++) {
		enum cs_err err = host_stmt_new(&index->stmts[i], index->store, texts[i]);
		if (err != CS_OK)
			return cs_fail(why, err, "the index: %s", host_store_why(index->store));
	}
	return CS_OK;
}

static bool test_condition(void *context, int64_t which, struct cs_bytes value)
{
	const struct node_index *index = context;
	const struct node_condition *c = &index->search->conditions[which];
	return c->holds(c->context, value);
}

enum cs_err node_index_open(struct node_index **opened, const char *path, struct cs_why *why)
{
	static const struct host_store_schema schema = {.migrations = migrations,
							.migration_count = CS_LEN(migrations),
							.application_id = 0x43534c49};
	struct node_index *index = host_alloc(sizeof *index);
	enum cs_err err = host_store_open(&index->store, NULL, path, &schema, why);
	if (err == CS_OK)
		err = host_store_set_derived(index->store, why);
	if (err == CS_OK)
		err = host_store_define(index->store, "holds", test_condition, index);
	if (err == CS_OK)
		err = prepare(index, why);
	if (err != CS_OK) {
		node_index_close(index);
		return err;
	}
	*opened = index;
	return CS_OK;
}

void node_index_close(struct node_index *index)
{
	if (index == NULL)
		return;
	for (size_t i = 0; i < STATEMENTS; i++)
		host_stmt_free(index->stmts[i]);
	host_store_close(index->store);
	free(index);
}

/* ---- writing ---- */

/*~ What a block says of one key and value is one row, with the places as a JSON array: an attribute
 * that every transaction has costs no more than one that a single transaction has. Rows go in by
 * their order, so that neighbours share pages. A place is an event: of the block, or of the
 * transaction at a position. */

#define PLACES_PER_POSITION 1048576

struct mention {
	size_t at; /* of key and value in the bytes */
	const uint8_t *p;
	uint32_t key_size, value_size;
	int64_t place;
};

struct mentions {
	uint8_t *bytes;
	size_t size, room;
	struct mention *list;
	size_t count, list_room;
	uint8_t *places; /* of one row */
	size_t places_size, places_room;
};

static void mentions_done(struct mentions *m)
{
	free(m->bytes);
	free(m->list);
	free(m->places);
}

static void append(struct mentions *m, struct cs_bytes bytes)
{
	if (bytes.n > 0)
		m->bytes = host_append(m->bytes, &m->size, &m->room, bytes.p, bytes.n);
}

static void mention(struct mentions *m, struct cs_bytes type,
		    const struct abci_event_attribute *attribute, int64_t place)
{
	size_t key_size = type.n + 1 + attribute->key.n;
	if (!attribute->index || attribute->value.n > NODE_ATTRIBUTE_SIZE_MAX || type.n == 0 ||
	    attribute->key.n == 0 || key_size > NODE_ATTRIBUTE_SIZE_MAX)
		return;
	if (m->count == m->list_room) {
		m->list_room = m->list_room == 0 ? 256 : 2 * m->list_room;
		m->list = host_grow(m->list, m->list_room * sizeof *m->list);
	}
	m->list[m->count++] = (struct mention){.at = m->size,
					       .key_size = (uint32_t)key_size,
					       .value_size = (uint32_t)attribute->value.n,
					       .place = place};
	append(m, type);
	append(m, cs_bytes_str("."));
	append(m, attribute->key);
	append(m, attribute->value);
}

/* position -1: the block's. */
static void mention_all(struct mentions *m, const struct abci_events *events, int32_t position)
{
	for (size_t i = 0; i < events->count && i < PLACES_PER_POSITION; i++) {
		const struct abci_event *event = &events->items[i];
		int64_t place = ((int64_t)position + 1) * PLACES_PER_POSITION + (int64_t)i;
		for (size_t k = 0; k < event->attributes.count; k++)
			mention(m, event->type, &event->attributes.items[k], place);
	}
}

static int compare_bytes(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
	int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
	return order != 0 ? order : (a_size > b_size) - (a_size < b_size);
}

static int by_row(const struct mention *a, const struct mention *b)
{
	int order = compare_bytes(a->p, a->key_size, b->p, b->key_size);
	return order != 0 ? order
			  : compare_bytes(a->p + a->key_size, a->value_size, b->p + b->key_size,
					  b->value_size);
}

static int by_row_and_place(const void *x, const void *y)
{
	const struct mention *a = x, *b = y;
	int order = by_row(a, b);
	return order != 0 ? order : (a->place > b->place) - (a->place < b->place);
}

static void put_place(struct mentions *m, char before, int64_t place)
{
	char text[32];
	int n = snprintf(text, sizeof text, "%c%" PRId64, before, place);
	m->places = host_append(m->places, &m->places_size, &m->places_room, text, (size_t)n);
}

/* One row, of the mentions [begin, end). */
static enum cs_err put_row(struct node_index *index, struct mentions *m, size_t begin, size_t end,
			   int64_t height)
{
	const struct mention *first = &m->list[begin];
	struct host_stmt *put = index->stmts[PUT_ATTRIBUTE];
	m->places_size = 0;
	for (size_t i = begin; i < end; i++) {
		if (i == begin || m->list[i].place != m->list[i - 1].place)
			put_place(m, i == begin ? '[' : ',', m->list[i].place);
	}
	m->places = host_append(m->places, &m->places_size, &m->places_room, "]", sizeof "]");
	host_bind_blob(put, 0, cs_bytes(first->p, first->key_size));
	host_bind_blob(put, 1, cs_bytes(first->p + first->key_size, first->value_size));
	host_bind_i64(put, 2, height);
	host_bind_text(put, 3, (const char *)m->places);
	return host_stmt_run(put);
}

static enum cs_err put_mentions(struct node_index *index, struct mentions *m, int64_t height)
{
	for (size_t i = 0; i < m->count; i++)
		m->list[i].p = m->bytes + m->list[i].at;
	if (m->count > 0)
		qsort(m->list, m->count, sizeof *m->list, by_row_and_place);
	for (size_t begin = 0, end; begin < m->count; begin = end) {
		for (end = begin + 1;
		     end < m->count && by_row(&m->list[begin], &m->list[end]) == 0;)
			end++;
		CS_TRY(put_row(index, m, begin, end, height));
	}
	return CS_OK;
}

static enum cs_err put_events(struct node_index *index, const struct node_indexed *indexed)
{
	const struct abci_finalize_block_response *results = indexed->results;
	struct mentions mentions = {0};
	if (results == NULL)
		return CS_OK;
	mention_all(&mentions, &results->events, -1);
	for (size_t i = 0; i < indexed->block->tx_count && i < results->tx_results.count; i++)
		mention_all(&mentions, &results->tx_results.items[i].events, (int32_t)i);
	enum cs_err err = put_mentions(index, &mentions, indexed->place.height);
	mentions_done(&mentions);
	return err;
}

static enum cs_err put_block(struct node_index *index, const struct node_indexed *indexed)
{
	const struct node_place *place = &indexed->place;
	struct host_stmt *put = index->stmts[PUT_BLOCK];
	host_bind_i64(put, 0, place->height);
	host_bind_blob(put, 1, CS_BYTES_OF(place->hash.b));
	host_bind_i64(put, 2, indexed->block->header.time.s);
	host_bind_i64(put, 3, indexed->block->header.time.ns);
	host_bind_u64(put, 4, place->segment);
	host_bind_u64(put, 5, place->block_at);
	host_bind_u64(put, 6, place->outcome_at);
	return host_stmt_run(put);
}

static enum cs_err put_txs(struct node_index *index, const struct node_indexed *indexed)
{
	struct host_stmt *put = index->stmts[PUT_TX];
	for (size_t i = 0; i < indexed->block->tx_count; i++) {
		struct cs_hash hash = cs_sha256(indexed->block->txs[i]);
		host_bind_blob(put, 0, CS_BYTES_OF(hash.b));
		host_bind_i64(put, 1, indexed->place.height);
		host_bind_i64(put, 2, (int64_t)i);
		CS_TRY(host_stmt_run(put));
	}
	return CS_OK;
}

static enum cs_err drop_below(struct node_index *index, int64_t base)
{
	static const enum statement drops[] = {DROP_BLOCKS, DROP_TXS, DROP_ATTRIBUTES};
	for (size_t i = 0; i < CS_LEN(drops); i++) {
		host_bind_i64(index->stmts[drops[i]], 0, base);
		CS_TRY(host_stmt_run(index->stmts[drops[i]]));
	}
	return CS_OK;
}

static enum cs_err put_height(struct node_index *index, const struct node_indexed *indexed)
{
	struct host_stmt *evidence = index->stmts[PUT_EVIDENCE];
	CS_TRY(put_block(index, indexed));
	CS_TRY(put_txs(index, indexed));
	CS_TRY(put_events(index, indexed));
	for (size_t i = 0; i < indexed->block->evidence_count; i++) {
		host_bind_blob(evidence, 0, CS_BYTES_OF(indexed->evidence[i].b));
		host_bind_i64(evidence, 1, indexed->place.height);
		CS_TRY(host_stmt_run(evidence));
	}
	return drop_below(index, indexed->base);
}

struct putting {
	struct node_index *index;
	node_index_next *next;
	void *context;
	struct cs_why *why;
	bool is_told; /* why has it */
};

static enum cs_err put(void *context)
{
	struct putting *p = context;
	for (;;) {
		struct node_indexed indexed = {.base = 0};
		enum cs_err err = p->next(p->context, &indexed, p->why);
		if (err == CS_ERR_NOT_FOUND)
			return CS_OK;
		p->is_told = err != CS_OK;
		CS_TRY(err);
		CS_TRY(put_height(p->index, &indexed));
	}
}

enum cs_err node_index_put(struct node_index *index, node_index_next *next, void *context,
			   struct cs_why *why)
{
	struct putting p = {index, next, context, why, false};
	enum cs_err err = host_store_write(index->store, put, &p, NULL, NULL);
	if (err == CS_OK)
		err = host_store_flush(index->store);
	if (err != CS_OK && !p.is_told)
		return cs_fail(why, err, "the index: %s", host_store_why(index->store));
	return err;
}

struct rolling {
	struct node_index *index;
	int64_t height;
};

static enum cs_err roll_back(void *context)
{
	static const enum statement drops[] = {BACK_BLOCKS, BACK_TXS, BACK_ATTRIBUTES,
					       BACK_EVIDENCE};
	const struct rolling *r = context;
	for (size_t i = 0; i < CS_LEN(drops); i++) {
		host_bind_i64(r->index->stmts[drops[i]], 0, r->height);
		CS_TRY(host_stmt_run(r->index->stmts[drops[i]]));
	}
	return CS_OK;
}

enum cs_err node_index_roll_back(struct node_index *index, int64_t height, struct cs_why *why)
{
	struct rolling r = {index, height};
	enum cs_err err = host_store_write(index->store, roll_back, &r, NULL, NULL);
	if (err == CS_OK)
		err = host_store_flush(index->store);
	if (err != CS_OK)
		return cs_fail(why, err, "the index: %s", host_store_why(index->store));
	return CS_OK;
}

/* ---- reading ---- */

struct row {
	struct node_place place;
	struct cs_pb_time time;
};

static enum cs_err get_row(struct host_stmt *stmt, struct row *row)
{
	bool is_there = false;
	struct row r = {0};
	CS_TRY(host_stmt_next(stmt, &is_there));
	if (!is_there)
		return CS_ERR_NOT_FOUND;
	r.place.height = host_column_i64(stmt, 0);
	r.place.segment = (uint32_t)host_column_i64(stmt, 1);
	r.place.block_at = (uint64_t)host_column_i64(stmt, 2);
	r.place.outcome_at = (uint64_t)host_column_i64(stmt, 3);
	enum cs_err err = host_column_copy(stmt, 4, r.place.hash.b, sizeof r.place.hash.b);
	r.time.s = host_column_i64(stmt, 5);
	r.time.ns = (int32_t)host_column_i64(stmt, 6);
	host_stmt_reset(stmt);
	CS_TRY(err);
	*row = r;
	return CS_OK;
}

enum cs_err node_index_last(struct node_index *index, struct node_place *place)
{
	struct row row;
	CS_TRY(get_row(index->stmts[GET_LAST], &row));
	*place = row.place;
	return CS_OK;
}

static enum cs_err get_height(struct node_index *index, struct row *row, int64_t height)
{
	host_bind_i64(index->stmts[GET_PLACE], 0, height);
	return get_row(index->stmts[GET_PLACE], row);
}

enum cs_err node_index_place(struct node_index *index, struct node_place *place, int64_t height)
{
	struct row row;
	CS_TRY(get_height(index, &row, height));
	*place = row.place;
	return CS_OK;
}

enum cs_err node_index_time(struct node_index *index, struct cs_pb_time *time, int64_t height)
{
	struct row row;
	CS_TRY(get_height(index, &row, height));
	*time = row.time;
	return CS_OK;
}

static enum cs_err get_hit(struct host_stmt *stmt, struct node_hit *hit, const struct cs_hash *hash,
			   bool has_position)
{
	bool is_there = false;
	host_bind_blob(stmt, 0, CS_BYTES_OF(hash->b));
	CS_TRY(host_stmt_next(stmt, &is_there));
	if (!is_there)
		return CS_ERR_NOT_FOUND;
	hit->height = host_column_i64(stmt, 0);
	hit->position = has_position ? (int32_t)host_column_i64(stmt, 1) : -1;
	host_stmt_reset(stmt);
	return CS_OK;
}

enum cs_err node_index_block(struct node_index *index, int64_t *height, const struct cs_hash *hash)
{
	struct node_hit hit;
	CS_TRY(get_hit(index->stmts[GET_BLOCK], &hit, hash, false));
	*height = hit.height;
	return CS_OK;
}

enum cs_err node_index_tx(struct node_index *index, struct node_hit *hit,
			  const struct cs_hash *hash)
{
	return get_hit(index->stmts[GET_TX], hit, hash, true);
}

enum cs_err node_index_has_evidence(struct node_index *index, bool *has, const struct cs_hash *hash)
{
	struct node_hit hit;
	enum cs_err err = get_hit(index->stmts[GET_EVIDENCE], &hit, hash, false);
	if (err != CS_OK && err != CS_ERR_NOT_FOUND)
		return err;
	*has = err == CS_OK;
	return CS_OK;
}

/* ---- searching ---- */

static enum cs_err search_sql(struct cs_buf *sql, const struct node_search *search)
{
	const char *all = search->blocks ? "SELECT height, -1 AS position FROM blocks"
					 : "SELECT height, position FROM txs";
	if (search->count == 0)
		cs_put_text(sql, "SELECT height, position FROM (%s", all);
	else
		cs_put_text(sql, "SELECT height, place / %d - 1 AS position FROM (",
			    PLACES_PER_POSITION);
	for (size_t i = 0; i < search->count; i++) {
		const struct node_condition *c = &search->conditions[i];
		cs_put_text(sql,
			    "%sSELECT a.height, p.value AS place FROM attributes AS a,"
			    " json_each(a.places) AS p WHERE a.key = ?%s",
			    i > 0 ? " INTERSECT " : "",
			    c->any || c->holds != NULL ? "" : " AND a.value = ?");
		if (c->holds != NULL)
			cs_put_text(sql, " AND holds(%zu, a.value)", i);
		cs_put_text(sql, " AND p.value %s %d",
			    search->blocks ? "<" : ">=", PLACES_PER_POSITION);
	}
	cs_put_text(sql,
		    ") WHERE height BETWEEN ? AND ? GROUP BY height, position"
		    " ORDER BY height %s, position %s",
		    search->newest_first ? "DESC" : "ASC", search->newest_first ? "DESC" : "ASC");
	cs_put_u8(sql, 0);
	return cs_buf_end(sql);
}

static void bind_search(struct host_stmt *stmt, const struct node_search *search)
{
	uint32_t at = 0;
	for (size_t i = 0; i < search->count; i++) {
		host_bind_blob(stmt, at++, search->conditions[i].key);
		if (!search->conditions[i].any && search->conditions[i].holds == NULL)
			host_bind_blob(stmt, at++, search->conditions[i].value);
	}
	host_bind_i64(stmt, at++, search->height_min);
	host_bind_i64(stmt, at, search->height_max);
}

enum cs_err node_index_search(struct node_index *index, struct node_hit *hits, size_t *count,
			      size_t count_max, uint64_t *total, const struct node_search *search)
{
	char text[SEARCH_SQL_SIZE];
	struct cs_buf sql;
	struct host_stmt *stmt;
	uint64_t seen = 0;
	size_t taken = 0;
	bool row = false;
	if (search->count > NODE_CONDITIONS_MAX || search->height_min < 0)
		return CS_ERR_INVALID;
	cs_buf_init(&sql, text, sizeof text);
	CS_TRY(search_sql(&sql, search));
	CS_TRY(host_stmt_new(&stmt, index->store, text));
	bind_search(stmt, search);
	index->search = search;
	host_store_bound(index->store, NODE_SEARCH_STEPS_K_MAX);
	enum cs_err err = host_stmt_next(stmt, &row);
	while (err == CS_OK && row) {
		if (seen++ >= search->skip && taken < count_max)
			hits[taken++] = (struct node_hit){host_column_i64(stmt, 0),
							  (int32_t)host_column_i64(stmt, 1)};
		err = host_stmt_next(stmt, &row);
	}
	host_store_bound(index->store, 0);
	index->search = NULL;
	host_stmt_free(stmt);
	CS_TRY(err);
	*count = taken;
	*total = seen;
	return CS_OK;
}
