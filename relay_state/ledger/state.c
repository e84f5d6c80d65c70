#include "relay_state/ledger/state.h"

#include "core/hash.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

/* A key with the value that is committed and the one that the block under way gives it. */
struct entry {
	struct cs_bytes key;
	struct cs_bytes committed;
	struct cs_bytes value;
	bool was_there;
	bool is_there;
	uint32_t next; /* of the same bucket */
};

struct undo {
	uint32_t entry;
	struct cs_bytes value;
	bool is_there;
};

struct ledger_state {
	struct ledger_db db;
	struct cs_arena arena; /* of keys and values */
	uint8_t seed[16];
	struct entry *entries;
	struct undo *undo;
	uint32_t *buckets;
	size_t keys_max;
	size_t undo_max;
	size_t bucket_count; /* a power of two */
	size_t count;
	size_t undo_count;
};

/* Each key may be changed so often on average before a block is full: a transfer writes its two
 * accounts once, a batch writes a word of statuses once for each message. */
#define CHANGES_PER_KEY 16u

static size_t buckets_of(size_t keys_max)
{
	size_t count = 64;
	while (count < keys_max)
		count *= 2;
	return count;
}

/* Every part is a multiple of 16 bytes. */
static size_t padded(size_t size)
{
	return (size + 15) / 16 * 16;
}

static size_t fixed_size(size_t keys_max)
{
	return padded(sizeof(struct ledger_state)) + padded(keys_max * sizeof(struct entry)) +
	       padded(keys_max * CHANGES_PER_KEY * sizeof(struct undo)) +
	       padded(buckets_of(keys_max) * sizeof(uint32_t));
}

size_t ledger_state_size(const struct ledger_state_options *options)
{
	return fixed_size(options->keys_max) + padded(options->bytes_max);
}

struct ledger_state *ledger_state_init(void *memory, const struct ledger_db *db,
				       const struct ledger_state_options *options)
{
	struct ledger_state *state = memory;
	uint8_t *p = memory;
	const size_t keys_max = options->keys_max;
	cs_assert(keys_max > 0 && keys_max < NONE / CHANGES_PER_KEY);
	*state = (struct ledger_state){.db = *db,
				       .keys_max = keys_max,
				       .undo_max = keys_max * CHANGES_PER_KEY,
				       .bucket_count = buckets_of(keys_max)};
	memcpy(state->seed, options->seed, sizeof state->seed);
	p += padded(sizeof *state);
	state->entries = (struct entry *)(void *)p;
	p += padded(keys_max * sizeof(struct entry));
	state->undo = (struct undo *)(void *)p;
	p += padded(state->undo_max * sizeof(struct undo));
	state->buckets = (uint32_t *)(void *)p;
	cs_arena_init(&state->arena, (uint8_t *)memory + fixed_size(keys_max),
		      padded(options->bytes_max));
	ledger_state_reset(state);
	return state;
}

void ledger_state_reset(struct ledger_state *state)
{
	cs_arena_rewind(&state->arena, 0);
	memset(state->buckets, 0xff, state->bucket_count * sizeof *state->buckets);
	state->count = 0;
	state->undo_count = 0;
}

static uint64_t hash_of(const struct ledger_state *state, struct cs_bytes key)
{
	const struct cs_bytes pieces[] = {CS_BYTES_OF(state->seed), key};
	struct cs_hash hash = cs_sha256_join(pieces, CS_LEN(pieces));
	return cs_be64(hash.b);
}

static enum cs_err copy(struct ledger_state *state, struct cs_bytes *out, struct cs_bytes bytes)
{
	*out = cs_arena_copy(&state->arena, bytes);
	return out->p == NULL ? CS_ERR_FULL : CS_OK;
}

/* The entry of the key, read from below where it is new. */
static enum cs_err find(struct ledger_state *state, struct entry **out, struct cs_bytes key)
{
	cs_assert(key.n > 0 && key.n <= LEDGER_KEY_SIZE_MAX);
	uint32_t *bucket = &state->buckets[hash_of(state, key) & (state->bucket_count - 1)];
	for (uint32_t i = *bucket; i != NONE; i = state->entries[i].next) {
		if (cs_bytes_eq(state->entries[i].key, key)) {
			*out = &state->entries[i];
			return CS_OK;
		}
	}
	struct entry entry = {.next = *bucket};
	if (state->count == state->keys_max)
		return CS_ERR_FULL;
	CS_TRY(copy(state, &entry.key, key));
	enum cs_err err = state->db.get(state->db.context, &entry.committed, LEDGER_VALUES, key, 0,
					&state->arena);
	if (err == CS_ERR_NO_MEMORY)
		return CS_ERR_FULL;
	if (err != CS_OK && err != CS_ERR_NOT_FOUND)
		return err;
	entry.was_there = entry.is_there = err == CS_OK;
	entry.value = entry.committed;
	*bucket = (uint32_t)state->count;
	state->entries[state->count] = entry;
	*out = &state->entries[state->count++];
	return CS_OK;
}

enum cs_err ledger_state_get(struct ledger_state *state, struct cs_bytes *value,
			     struct cs_bytes key)
{
	struct entry *entry = NULL;
	CS_TRY(find(state, &entry, key));
	if (!entry->is_there)
		return CS_ERR_NOT_FOUND;
	*value = entry->value;
	return CS_OK;
}

static enum cs_err change(struct ledger_state *state, struct entry *entry, struct cs_bytes value,
			  bool is_there)
{
	if (state->undo_count == state->undo_max)
		return CS_ERR_FULL;
	state->undo[state->undo_count++] =
		(struct undo){(uint32_t)(entry - state->entries), entry->value, entry->is_there};
	entry->value = value;
	entry->is_there = is_there;
	return CS_OK;
}

enum cs_err ledger_state_put(struct ledger_state *state, struct cs_bytes key, struct cs_bytes value)
{
	struct entry *entry = NULL;
	struct cs_bytes kept;
	cs_assert(value.n > 0 && value.n <= LEDGER_VALUE_SIZE_MAX);
	CS_TRY(find(state, &entry, key));
	if (entry->is_there && cs_bytes_eq(entry->value, value))
		return CS_OK;
	CS_TRY(copy(state, &kept, value));
	return change(state, entry, kept, true);
}

enum cs_err ledger_state_remove(struct ledger_state *state, struct cs_bytes key)
{
	struct entry *entry = NULL;
	CS_TRY(find(state, &entry, key));
	return entry->is_there ? change(state, entry, CS_BYTES_NONE, false) : CS_OK;
}

size_t ledger_state_mark(const struct ledger_state *state)
{
	return state->undo_count;
}

void ledger_state_revert(struct ledger_state *state, size_t mark)
{
	cs_assert(mark <= state->undo_count);
	while (state->undo_count > mark) {
		const struct undo *undo = &state->undo[--state->undo_count];
		state->entries[undo->entry].value = undo->value;
		state->entries[undo->entry].is_there = undo->is_there;
	}
}

static bool differs(const struct entry *entry)
{
	return entry->is_there != entry->was_there ||
	       (entry->is_there && !cs_bytes_eq(entry->value, entry->committed));
}

static int by_key(const void *a, const void *b)
{
	const struct ledger_change *x = a, *y = b;
	return cs_bytes_compare(x->key, y->key);
}

enum cs_err ledger_state_changes(const struct ledger_state *state, struct ledger_changes *changes,
				 struct cs_arena *arena)
{
	size_t count = 0;
	for (size_t i = 0; i < state->count; i++)
		count += differs(&state->entries[i]);
	struct ledger_change *items = cs_arena_calloc(arena, count, sizeof *items);
	if (items == NULL)
		return CS_ERR_NO_MEMORY;
	count = 0;
	for (size_t i = 0; i < state->count; i++) {
		const struct entry *entry = &state->entries[i];
		if (differs(entry))
			items[count++] =
				(struct ledger_change){entry->key, entry->value, !entry->is_there};
	}
	qsort(items, count, sizeof *items, by_key);
	*changes = (struct ledger_changes){items, count};
	return CS_OK;
}
