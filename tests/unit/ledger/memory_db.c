#include "tests/unit/ledger/memory_db.h"

#include <stdlib.h>
#include <string.h>

/* What a key was from a version on. */
struct edition {
	uint64_t version;
	uint8_t *value; /* NULL: it was not there */
	size_t size;
};

struct pair {
	uint8_t *key;
	size_t key_size;
	struct edition *editions; /* ascending versions */
	size_t count;
};

struct space {
	struct pair *pairs; /* ascending keys */
	size_t count, room;
};

struct memory_db {
	struct space spaces[LEDGER_SPACE_COUNT];
	uint64_t version, oldest;
	size_t gets;
	enum cs_err get_err, commit_err;
};

static void *grown(void *p, size_t size)
{
	void *q = realloc(p, size == 0 ? 1 : size);
	cs_assert(q != NULL);
	return q;
}

static uint8_t *copy(struct cs_bytes bytes)
{
	uint8_t *p = grown(NULL, bytes.n);
	if (bytes.n > 0)
		memcpy(p, bytes.p, bytes.n);
	return p;
}

/* ---- pairs ---- */

/* The first pair that is not below the key. */
static size_t place_of(const struct space *space, struct cs_bytes key)
{
	size_t low = 0, high = space->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct pair *pair = &space->pairs[middle];
		if (cs_bytes_compare(cs_bytes(pair->key, pair->key_size), key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct pair *find(const struct space *space, struct cs_bytes key)
{
	size_t i = place_of(space, key);
	if (i == space->count ||
	    !cs_bytes_eq(cs_bytes(space->pairs[i].key, space->pairs[i].key_size), key))
		return NULL;
	return &space->pairs[i];
}

static struct pair *find_or_add(struct space *space, struct cs_bytes key)
{
	struct pair *found = find(space, key);
	if (found != NULL)
		return found;
	if (space->count == space->room) {
		space->room = space->room == 0 ? 64 : 2 * space->room;
		space->pairs = grown(space->pairs, space->room * sizeof *space->pairs);
	}
	size_t i = place_of(space, key);
	memmove(&space->pairs[i + 1], &space->pairs[i], (space->count - i) * sizeof *space->pairs);
	space->pairs[i] = (struct pair){.key = copy(key), .key_size = key.n};
	space->count++;
	return &space->pairs[i];
}

static void pair_done(struct pair *pair)
{
	for (size_t i = 0; i < pair->count; i++)
		free(pair->editions[i].value);
	free(pair->editions);
	free(pair->key);
}

static void drop_pair(struct space *space, size_t i)
{
	pair_done(&space->pairs[i]);
	space->count--;
	memmove(&space->pairs[i], &space->pairs[i + 1], (space->count - i) * sizeof *space->pairs);
}

static const struct edition *edition_at(const struct pair *pair, uint64_t version)
{
	const struct edition *found = NULL;
	for (size_t i = 0; i < pair->count && pair->editions[i].version <= version; i++)
		found = &pair->editions[i];
	return found != NULL && found->value != NULL ? found : NULL;
}

static void drop_edition(struct pair *pair, size_t i)
{
	free(pair->editions[i].value);
	pair->count--;
	memmove(&pair->editions[i], &pair->editions[i + 1],
		(pair->count - i) * sizeof *pair->editions);
}

static void add_edition(struct pair *pair, uint64_t version, const struct ledger_change *change)
{
	if (pair->count > 0 && pair->editions[pair->count - 1].version == version)
		drop_edition(pair, pair->count - 1);
	pair->editions = grown(pair->editions, (pair->count + 1) * sizeof *pair->editions);
	pair->editions[pair->count++] =
		(struct edition){version, change->removed ? NULL : copy(change->value),
				 change->removed ? 0 : change->value.n};
}

/* ---- the table ---- */

static enum cs_err get(void *context, struct cs_bytes *value, enum ledger_space space,
		       struct cs_bytes key, uint64_t version, struct cs_arena *arena)
{
	struct memory_db *db = context;
	db->gets++;
	CS_TRY(db->get_err);
	if (version > db->version || (version != 0 && version < db->oldest))
		return CS_ERR_UNAVAILABLE;
	const struct pair *pair = find(&db->spaces[space], key);
	const struct edition *edition =
		pair == NULL ? NULL : edition_at(pair, version == 0 ? UINT64_MAX : version);
	if (edition == NULL)
		return CS_ERR_NOT_FOUND;
	struct cs_bytes bytes = cs_arena_copy(arena, cs_bytes(edition->value, edition->size));
	if (bytes.p == NULL)
		return CS_ERR_NO_MEMORY;
	*value = bytes;
	return CS_OK;
}

static enum cs_err scan(void *context, enum ledger_space space, struct cs_bytes prefix,
			struct cs_bytes after, ledger_pair_fn *take, void *take_context)
{
	const struct memory_db *db = context;
	const struct space *in = &db->spaces[space];
	CS_TRY(db->get_err);
	for (size_t i = place_of(in, cs_bytes_compare(prefix, after) > 0 ? prefix : after);
	     i < in->count; i++) {
		struct cs_bytes key = cs_bytes(in->pairs[i].key, in->pairs[i].key_size);
		const struct edition *edition = edition_at(&in->pairs[i], UINT64_MAX);
		if (key.n < prefix.n || (prefix.n > 0 && memcmp(key.p, prefix.p, prefix.n) != 0))
			return CS_OK;
		if (edition != NULL && !cs_bytes_eq(key, after))
			CS_TRY(take(take_context, key, cs_bytes(edition->value, edition->size)));
	}
	return CS_OK;
}

/* Every value that was replaced at or before the oldest version. */
static void prune(struct space *space, uint64_t oldest)
{
	for (size_t i = space->count; i-- > 0;) {
		struct pair *pair = &space->pairs[i];
		while (pair->count > 1 && pair->editions[1].version <= oldest)
			drop_edition(pair, 0);
		if (pair->count == 1 && pair->editions[0].version <= oldest &&
		    pair->editions[0].value == NULL)
			drop_pair(space, i);
	}
}

static void check(const struct ledger_changes *changes)
{
	for (size_t i = 0; i < changes->count; i++) {
		cs_assert(changes->items[i].key.n > 0);
		cs_assert(i == 0 ||
			  cs_bytes_compare(changes->items[i - 1].key, changes->items[i].key) < 0);
	}
}

static enum cs_err commit(void *context, uint64_t version,
			  const struct ledger_changes changes[LEDGER_SPACE_COUNT],
			  uint64_t keep_from)
{
	struct memory_db *db = context;
	CS_TRY(db->commit_err);
	cs_assert(version > db->version || (version == 0 && db->version == 0));
	for (size_t s = 0; s < LEDGER_SPACE_COUNT; s++) {
		check(&changes[s]);
		for (size_t i = 0; i < changes[s].count; i++)
			add_edition(find_or_add(&db->spaces[s], changes[s].items[i].key), version,
				    &changes[s].items[i]);
	}
	if (db->version == 0)
		db->oldest = version;
	db->version = version;
	if (keep_from <= db->oldest)
		return CS_OK;
	db->oldest = keep_from < version ? keep_from : version;
	for (size_t s = 0; s < LEDGER_SPACE_COUNT; s++)
		prune(&db->spaces[s], db->oldest);
	return CS_OK;
}

static enum cs_err clear(void *context)
{
	struct memory_db *db = context;
	for (size_t s = 0; s < LEDGER_SPACE_COUNT; s++) {
		while (db->spaces[s].count > 0)
			drop_pair(&db->spaces[s], db->spaces[s].count - 1);
	}
	db->version = db->oldest = 0;
	return CS_OK;
}

struct ledger_db memory_db_table(struct memory_db *db)
{
	return (struct ledger_db){db, get, scan, commit, clear};
}

/* ---- the tests' side ---- */

struct memory_db *memory_db_new(void)
{
	struct memory_db *db = calloc(1, sizeof *db);
	cs_assert(db != NULL);
	return db;
}

void memory_db_free(struct memory_db *db)
{
	if (db == NULL)
		return;
	cs_assert(clear(db) == CS_OK);
	for (size_t s = 0; s < LEDGER_SPACE_COUNT; s++)
		free(db->spaces[s].pairs);
	free(db);
}

uint64_t memory_db_version(const struct memory_db *db)
{
	return db->version;
}

uint64_t memory_db_oldest(const struct memory_db *db)
{
	return db->oldest;
}

size_t memory_db_count(const struct memory_db *db, enum ledger_space space)
{
	size_t count = 0;
	for (size_t i = 0; i < db->spaces[space].count; i++)
		count += edition_at(&db->spaces[space].pairs[i], UINT64_MAX) != NULL;
	return count;
}

size_t memory_db_gets(const struct memory_db *db)
{
	return db->gets;
}

void memory_db_rollback(struct memory_db *db, uint64_t version)
{
	cs_assert(version >= db->oldest && version <= db->version);
	for (size_t s = 0; s < LEDGER_SPACE_COUNT; s++) {
		for (size_t i = db->spaces[s].count; i-- > 0;) {
			struct pair *pair = &db->spaces[s].pairs[i];
			while (pair->count > 0 && pair->editions[pair->count - 1].version > version)
				drop_edition(pair, pair->count - 1);
			if (pair->count == 0)
				drop_pair(&db->spaces[s], i);
		}
	}
	db->version = version;
}

void memory_db_fail_get(struct memory_db *db, enum cs_err err)
{
	db->get_err = err;
}

void memory_db_fail_commit(struct memory_db *db, enum cs_err err)
{
	db->commit_err = err;
}

uint8_t *memory_db_value(struct memory_db *db, enum ledger_space space, struct cs_bytes key,
			 size_t *size)
{
	struct pair *pair = find(&db->spaces[space], key);
	if (pair == NULL)
		return NULL;
	*size = pair->editions[pair->count - 1].size;
	return pair->editions[pair->count - 1].value;
}

void memory_db_lose(struct memory_db *db, enum ledger_space space, struct cs_bytes key)
{
	struct pair *pair = find(&db->spaces[space], key);
	cs_assert(pair != NULL);
	drop_pair(&db->spaces[space], (size_t)(pair - db->spaces[space].pairs));
}
