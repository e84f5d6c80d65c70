#include "relay_state/node/statesync_pool.h"

#include "core/hash.h"
#include "core/pb.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

/* ---- one snapshot ---- */

static struct cs_hash key_of(const struct abci_snapshot *s)
{
	uint8_t head[16 + 2 * 32];
	struct cs_hash hash = cs_sha256(s->hash), metadata = cs_sha256(s->metadata);
	cs_put_be64(head, s->height);
	cs_put_be32(head + 8, s->format);
	cs_put_be32(head + 12, s->chunks);
	memcpy(head + 16, hash.b, 32);
	memcpy(head + 48, metadata.b, 32);
	return cs_sha256(CS_BYTES_OF(head));
}

static void fill(struct node_snapshot *to, const struct abci_snapshot *from,
		 const struct cs_hash *key)
{
	memset(to, 0, sizeof *to);
	cs_assert(from->hash.n <= sizeof to->hash);
	to->key = *key;
	to->height = from->height;
	to->format = from->format;
	to->chunks = from->chunks;
	to->hash_size = from->hash.n;
	memcpy(to->hash, from->hash.p, from->hash.n);
	to->metadata = host_copy(from->metadata);
	to->metadata_size = from->metadata.n;
}

struct abci_snapshot node_snapshot_view(const struct node_snapshot *s)
{
	return (struct abci_snapshot){s->height, s->format, s->chunks,
				      cs_bytes(s->hash, s->hash_size),
				      cs_bytes(s->metadata, s->metadata_size)};
}

void node_snapshot_copy(struct node_snapshot *to, const struct node_snapshot *from)
{
	const struct abci_snapshot view = node_snapshot_view(from);
	fill(to, &view, &from->key);
}

void node_snapshot_done(struct node_snapshot *s)
{
	free(s->metadata);
	memset(s, 0, sizeof *s);
}

/* ---- what is out of the question ---- */

static bool has_key(const struct node_rejections *r, const struct cs_hash *key)
{
	for (size_t i = 0; i < r->count; i++) {
		if (cs_hash_eq(&r->keys[i], key))
			return true;
	}
	return false;
}

static void add_key(struct node_rejections *r, const struct cs_hash *key)
{
	if (has_key(r, key))
		return;
	r->keys[r->next] = *key;
	r->next = (r->next + 1) % NODE_REJECTED_MAX;
	if (r->count < NODE_REJECTED_MAX)
		r->count++;
}

void node_pool_reject(struct node_snapshot_pool *pool, const struct cs_hash *key)
{
	add_key(&pool->rejected, key);
}

void node_pool_skip(struct node_snapshot_pool *pool, const struct cs_hash *key)
{
	add_key(&pool->skipped, key);
}

void node_pool_unskip(struct node_snapshot_pool *pool)
{
	memset(&pool->skipped, 0, sizeof pool->skipped);
}

static bool is_format_rejected(const struct node_snapshot_pool *pool, uint32_t format)
{
	for (size_t i = 0; i < pool->format_count; i++) {
		if (pool->formats[i] == format)
			return true;
	}
	return false;
}

void node_pool_reject_format(struct node_snapshot_pool *pool, uint32_t format)
{
	if (!is_format_rejected(pool, format) && pool->format_count < NODE_FORMATS_REJECTED_MAX)
		pool->formats[pool->format_count++] = format;
}

/* ---- who has what ---- */

void node_pool_init(struct node_snapshot_pool *pool)
{
	memset(pool, 0, sizeof *pool);
}

void node_pool_drop_peer(struct node_snapshot_pool *pool, uint32_t peer)
{
	struct node_snapshot_list *list = &pool->of[peer];
	for (size_t i = 0; i < list->count; i++) {
		node_snapshot_done(list->items[i]);
		free(list->items[i]);
	}
	list->count = 0;
}

void node_pool_done(struct node_snapshot_pool *pool)
{
	for (uint32_t i = 0; i < BFT_PEERS_MAX; i++)
		node_pool_drop_peer(pool, i);
}

void node_pool_put(struct node_snapshot_pool *pool, uint32_t peer,
		   const struct node_statesync_message *answer)
{
	struct node_snapshot_list *list = &pool->of[peer];
	node_pool_drop_peer(pool, peer);
	for (size_t i = 0; i < answer->snapshot_count; i++) {
		struct cs_hash key = key_of(&answer->snapshots[i]);
		struct node_snapshot *s = host_alloc(sizeof *s);
		fill(s, &answer->snapshots[i], &key);
		list->items[list->count++] = s;
	}
}

static const struct node_snapshot *find(const struct node_snapshot_list *list,
					const struct cs_hash *key)
{
	for (size_t i = 0; i < list->count; i++) {
		if (cs_hash_eq(&list->items[i]->key, key))
			return list->items[i];
	}
	return NULL;
}

void node_pool_drop(struct node_snapshot_pool *pool, uint32_t peer, const struct cs_hash *key)
{
	struct node_snapshot_list *list = &pool->of[peer];
	for (size_t i = 0; i < list->count; i++) {
		if (!cs_hash_eq(&list->items[i]->key, key))
			continue;
		node_snapshot_done(list->items[i]);
		free(list->items[i]);
		list->items[i--] = list->items[--list->count];
	}
}

uint32_t node_pool_holders(const struct node_snapshot_pool *pool, const struct cs_hash *key)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < BFT_PEERS_MAX; i++)
		count += find(&pool->of[i], key) != NULL;
	return count;
}

uint32_t node_pool_holder(const struct node_snapshot_pool *pool, const struct cs_hash *key,
			  uint32_t after)
{
	for (uint32_t i = 1; i <= BFT_PEERS_MAX; i++) {
		uint32_t at = (after + i) % BFT_PEERS_MAX;
		if (find(&pool->of[at], key) != NULL)
			return at;
	}
	return BFT_PEERS_MAX;
}

static bool is_better(const struct node_snapshot_pool *pool, const struct node_snapshot *a,
		      const struct node_snapshot *b)
{
	if (a->height != b->height)
		return a->height > b->height;
	if (a->format != b->format)
		return a->format > b->format;
	return node_pool_holders(pool, &a->key) > node_pool_holders(pool, &b->key);
}

const struct node_snapshot *node_pool_best(const struct node_snapshot_pool *pool,
					   uint64_t height_min, uint64_t height_max)
{
	const struct node_snapshot *best = NULL;
	for (uint32_t peer = 0; peer < BFT_PEERS_MAX; peer++) {
		for (size_t i = 0; i < pool->of[peer].count; i++) {
			const struct node_snapshot *s = pool->of[peer].items[i];
			if (s->height < height_min || s->height > height_max ||
			    has_key(&pool->rejected, &s->key) || has_key(&pool->skipped, &s->key) ||
			    is_format_rejected(pool, s->format))
				continue;
			if (best == NULL || is_better(pool, s, best))
				best = s;
		}
	}
	return best;
}

size_t node_pool_count(const struct node_snapshot_pool *pool)
{
	size_t count = 0;
	for (uint32_t i = 0; i < BFT_PEERS_MAX; i++)
		count += pool->of[i].count;
	return count;
}
