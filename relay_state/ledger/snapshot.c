#include "relay_state/ledger/snapshot.h"

#include "relay_state/ledger/tree.h"
#include "relay_state/ledger/tree_walk.h"

#include <stdlib.h>
#include <string.h>

static size_t metadata_size(uint32_t chunks)
{
	return LEDGER_TIME_SIZE + chunks * sizeof(struct cs_hash);
}

/* ---- taking ---- */

enum cs_err ledger_snapshot_begin(struct ledger_snapshot *snapshot, uint64_t version,
				  uint64_t time_s, const struct ledger_db *db,
				  struct cs_arena *arena)
{
	struct cs_hash root;
	cs_assert(version > 0);
	CS_TRY(ledger_tree_root(&root, db, version, arena));
	if (cs_hash_is_zero(&root))
		return CS_ERR_NOT_FOUND;
	memset(snapshot, 0, sizeof *snapshot);
	snapshot->version = version;
	snapshot->root = root;
	cs_put_be64(snapshot->metadata, time_s);
	return CS_OK;
}

/* *fits false: the chunk is as it was. */
static enum cs_err put_pair(struct cs_buf *chunk, bool *fits, const struct ledger_walk *walk)
{
	const struct cs_bytes key = ledger_walk_place(walk)->key;
	const size_t mark = cs_arena_mark(walk->arena);
	struct cs_bytes value;
	CS_TRY(ledger_walk_value(walk, &value));
	*fits = chunk->n + 1 + key.n + 2 + value.n <= LEDGER_CHUNK_SIZE_MAX;
	if (*fits) {
		cs_put_u8(chunk, (uint8_t)key.n);
		cs_put(chunk, key);
		cs_put_u16(chunk, (uint16_t)value.n);
		cs_put(chunk, value);
	}
	cs_arena_rewind(walk->arena, mark);
	return CS_OK;
}

/* From the leaf at `next`, or where it would be (the first chunk's), to the last one that fits. */
static enum cs_err put_pairs(struct cs_buf *chunk, struct cs_hash *next, bool *is_done,
			     const struct ledger_snapshot *snapshot, struct ledger_walk *walk)
{
	bool found = true, fits = true;
	CS_TRY(ledger_walk_to(walk, next));
	if (!cs_hash_eq(&walk->steps[0]->nodes[1].hash, &snapshot->root))
		return CS_ERR_DAMAGED;
	if (ledger_walk_place(walk)->kind == LEDGER_EMPTY)
		CS_TRY(ledger_walk_beside(walk, true, &found));
	while (found) {
		*next = ledger_walk_place(walk)->path;
		CS_TRY(put_pair(chunk, &fits, walk));
		if (!fits)
			return CS_OK;
		CS_TRY(ledger_walk_beside(walk, true, &found));
	}
	*is_done = true;
	return CS_OK;
}

enum cs_err ledger_snapshot_next(struct ledger_snapshot *snapshot, struct cs_buf *chunk,
				 const struct ledger_db *db, struct cs_arena *arena)
{
	const size_t mark = cs_arena_mark(arena);
	struct ledger_walk *walk = cs_arena_alloc(arena, sizeof *walk);
	struct cs_hash next = snapshot->next;
	bool is_done = false;
	cs_assert(!snapshot->is_done && chunk->n == 0);
	if (walk == NULL)
		return CS_ERR_NO_MEMORY;
	if (snapshot->chunk_count == LEDGER_CHUNKS_MAX)
		return CS_ERR_TOO_LARGE;
	ledger_walk_init(walk, db, snapshot->version, arena);
	walk->gives_back = true;
	enum cs_err err = put_pairs(chunk, &next, &is_done, snapshot, walk);
	cs_arena_rewind(arena, mark);
	CS_TRY(err);
	CS_TRY(cs_buf_end(chunk));
	const struct cs_hash hash = cs_sha256(cs_buf_view(chunk));
	memcpy(snapshot->metadata + metadata_size(snapshot->chunk_count++), hash.b, sizeof hash.b);
	snapshot->next = next;
	snapshot->is_done = is_done;
	return CS_OK;
}

struct cs_bytes ledger_snapshot_metadata(const struct ledger_snapshot *snapshot)
{
	return cs_bytes(snapshot->metadata, metadata_size(snapshot->chunk_count));
}

struct cs_hash ledger_snapshot_hash(const struct ledger_snapshot *snapshot)
{
	return cs_sha256(ledger_snapshot_metadata(snapshot));
}

/* ---- restoring ---- */

static bool is_ours(const struct ledger_offer *offer)
{
	const struct cs_hash hash = cs_sha256(offer->metadata);
	return offer->format == LEDGER_SNAPSHOT_FORMAT && offer->version > 0 &&
	       offer->version <= INT64_MAX && offer->chunks > 0 &&
	       offer->chunks <= LEDGER_CHUNKS_MAX &&
	       offer->metadata.n == metadata_size(offer->chunks) &&
	       cs_bytes_eq(offer->hash, CS_BYTES_OF(hash.b));
}

enum cs_err ledger_restore_begin(struct ledger_restore *restore, bool *accepted,
				 const struct ledger_offer *offer, const struct cs_hash *root,
				 const struct ledger_db *db)
{
	if (!is_ours(offer)) {
		*accepted = false;
		return CS_OK;
	}
	CS_TRY(db->clear(db->context));
	memset(restore, 0, sizeof *restore);
	restore->version = offer->version;
	restore->root = *root;
	restore->chunk_count = offer->chunks;
	restore->time_s = cs_be64(offer->metadata.p);
	memcpy(restore->hashes, offer->metadata.p + LEDGER_TIME_SIZE,
	       offer->metadata.n - LEDGER_TIME_SIZE);
	*accepted = true;
	return CS_OK;
}

static bool take(struct cs_bytes *rest, struct cs_bytes *out, size_t n)
{
	if (rest->n < n)
		return false;
	*out = cs_bytes(rest->p, n);
	*rest = cs_bytes(rest->p + n, rest->n - n);
	return true;
}

/* The next pair; the path of its key rises. */
static bool take_pair(struct cs_bytes *rest, struct ledger_change *pair,
		      struct ledger_restore *after)
{
	struct cs_bytes size;
	if (!take(rest, &size, 1) || size.p[0] == 0 || size.p[0] > LEDGER_KEY_SIZE_MAX ||
	    !take(rest, &pair->key, size.p[0]) || !take(rest, &size, 2))
		return false;
	const size_t value_size = (size_t)size.p[0] << 8 | size.p[1];
	if (value_size == 0 || value_size > LEDGER_VALUE_SIZE_MAX ||
	    !take(rest, &pair->value, value_size))
		return false;
	const struct cs_hash path = cs_sha256(pair->key);
	if (after->has_last && memcmp(path.b, after->last.b, sizeof path.b) <= 0)
		return false;
	after->last = path;
	after->has_last = true;
	pair->removed = false;
	return true;
}

static int by_key(const void *a, const void *b)
{
	const struct ledger_change *x = a, *y = b;
	const size_t n = x->key.n < y->key.n ? x->key.n : y->key.n;
	int order = memcmp(x->key.p, y->key.p, n);
	return order != 0 ? order : (x->key.n > y->key.n) - (x->key.n < y->key.n);
}

static enum cs_err put_batch(struct ledger_change *pairs, size_t count, const struct ledger_db *db,
			     struct cs_arena *arena)
{
	struct ledger_changes changes[LEDGER_SPACE_COUNT];
	struct cs_hash root;
	qsort(pairs, count, sizeof *pairs, by_key);
	changes[LEDGER_VALUES] = (struct ledger_changes){pairs, count};
	CS_TRY(ledger_tree_update(&root, &changes[LEDGER_PAGES], db, &changes[LEDGER_VALUES],
				  arena));
	return db->commit(db->context, 0, changes, 0);
}

static enum cs_err put_all(struct ledger_restore *after, bool *is_good, struct cs_bytes chunk,
			   const struct ledger_db *db, struct cs_arena *arena)
{
	struct ledger_change pairs[LEDGER_RESTORE_BATCH];
	const size_t mark = cs_arena_mark(arena);
	*is_good = true;
	while (chunk.n > 0) {
		size_t count = 0;
		while (*is_good && chunk.n > 0 && count < LEDGER_RESTORE_BATCH)
			*is_good = take_pair(&chunk, &pairs[count++], after);
		if (!*is_good)
			return CS_OK;
		enum cs_err err = put_batch(pairs, count, db, arena);
		cs_arena_rewind(arena, mark);
		CS_TRY(err);
	}
	return CS_OK;
}

/* Everything is there: is it what it must be? */
static enum cs_err finish(const struct ledger_restore *restore, bool *is_good,
			  const struct ledger_db *db, struct cs_arena *arena)
{
	struct ledger_changes last[LEDGER_SPACE_COUNT] = {{NULL, 0}};
	const size_t mark = cs_arena_mark(arena);
	struct cs_hash root;
	CS_TRY(ledger_tree_root(&root, db, 0, arena));
	*is_good = cs_hash_eq(&root, &restore->root);
	if (!*is_good)
		return CS_OK;
	enum cs_err err = ledger_block_time_add(&last[LEDGER_PAGES], restore->time_s, arena);
	if (err == CS_OK)
		err = db->commit(db->context, restore->version, last, 0);
	cs_arena_rewind(arena, mark);
	return err;
}

enum cs_err ledger_restore_chunk(struct ledger_restore *restore,
				 enum ledger_restore_verdict *verdict, struct cs_bytes chunk,
				 const struct ledger_db *db, struct cs_arena *arena)
{
	cs_assert(restore->next < restore->chunk_count);
	const struct cs_hash hash = cs_sha256(chunk);
	if (!cs_hash_eq(&hash, &restore->hashes[restore->next])) {
		*verdict = LEDGER_RESTORE_BAD_CHUNK;
		return CS_OK;
	}
	bool is_good = chunk.n > 0 && chunk.n <= LEDGER_CHUNK_SIZE_MAX;
	const struct cs_hash last = restore->last;
	const bool has_last = restore->has_last;
	if (is_good) {
		enum cs_err err = put_all(restore, &is_good, chunk, db, arena);
		if (err != CS_OK) {
			restore->last = last;
			restore->has_last = has_last;
			return err;
		}
	}
	restore->next++;
	const bool is_last = restore->next == restore->chunk_count;
	if (is_good && is_last)
		CS_TRY(finish(restore, &is_good, db, arena));
	if (!is_good) {
		restore->next = restore->chunk_count;
		CS_TRY(db->clear(db->context));
	}
	*verdict = !is_good  ? LEDGER_RESTORE_BAD_SNAPSHOT
		   : is_last ? LEDGER_RESTORE_DONE
			     : LEDGER_RESTORE_MORE;
	return CS_OK;
}
