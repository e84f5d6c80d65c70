#include "relay_state/bft/sync.h"

#include <string.h>

void bft_sync_init(struct bft_sync *sync, uint8_t *bytes, size_t size_max)
{
	memset(sync, 0, sizeof *sync);
	sync->bytes = bytes;
	sync->size_max = size_max;
	/* Until an answer tells more: as large as any. */
	sync->expected = size_max / BFT_SYNC_HELD_BLOCKS;
}

void bft_sync_claim(struct bft_sync *sync, uint32_t peer, int64_t height)
{
	cs_assert(peer < BFT_PEERS_MAX);
	if (height > sync->claimed[peer])
		sync->claimed[peer] = height;
}

/* ---- what is held ---- */

static void release(struct bft_sync *sync, size_t i)
{
	const struct bft_sync_held gone = sync->held[i];
	size_t size = gone.block_size + gone.commit_size;
	memmove(sync->bytes + gone.at, sync->bytes + gone.at + size, sync->size - gone.at - size);
	sync->size -= size;
	sync->held_count--;
	for (size_t k = i; k < sync->held_count; k++) {
		sync->held[k] = sync->held[k + 1];
		sync->held[k].at -= size;
	}
}

static const struct bft_sync_held *find_held(const struct bft_sync *sync, int64_t height)
{
	for (size_t i = 0; i < sync->held_count; i++) {
		if (sync->held[i].height == height)
			return &sync->held[i];
	}
	return NULL;
}

void bft_sync_hold(struct bft_sync *sync, uint32_t peer, int64_t height, struct cs_bytes block,
		   struct cs_bytes commit)
{
	size_t size = block.n + commit.n;
	cs_assert(peer < BFT_PEERS_MAX);
	if (sync->held_count == BFT_SYNC_AHEAD || size > sync->size_max - sync->size ||
	    find_held(sync, height) != NULL)
		return;
	sync->held[sync->held_count++] =
		(struct bft_sync_held){height, peer, sync->size, block.n, commit.n};
	/* Empty ones have no address, which memcpy does not take. */
	if (block.n > 0)
		memcpy(sync->bytes + sync->size, block.p, block.n);
	if (commit.n > 0)
		memcpy(sync->bytes + sync->size + block.n, commit.p, commit.n);
	sync->size += size;
}

bool bft_sync_find(const struct bft_sync *sync, uint32_t *peer, struct cs_bytes *block,
		   struct cs_bytes *commit, int64_t height)
{
	const struct bft_sync_held *held = find_held(sync, height);
	if (held == NULL)
		return false;
	*peer = held->peer;
	*block = cs_bytes(sync->bytes + held->at, held->block_size);
	*commit = cs_bytes(sync->bytes + held->at + held->block_size, held->commit_size);
	return true;
}

/* ---- who is left ---- */

void bft_sync_lacks(struct bft_sync *sync, uint32_t peer)
{
	cs_assert(peer < BFT_PEERS_MAX);
	sync->claimed[peer] = 0;
}

void bft_sync_drop(struct bft_sync *sync, uint32_t peer)
{
	bft_sync_lacks(sync, peer);
	sync->is_slow[peer] = false;
	for (size_t i = 0; i < BFT_SYNC_REQUESTS_MAX; i++) {
		if (sync->requests[i].peer == peer)
			sync->requests[i].height = 0;
	}
	for (size_t i = sync->held_count; i-- > 0;) {
		if (sync->held[i].peer == peer)
			release(sync, i);
	}
}

void bft_sync_pass(struct bft_sync *sync, int64_t height)
{
	for (size_t i = 0; i < BFT_SYNC_REQUESTS_MAX; i++) {
		if (sync->requests[i].height < height)
			sync->requests[i].height = 0;
	}
	for (size_t i = sync->held_count; i-- > 0;) {
		if (sync->held[i].height < height)
			release(sync, i);
	}
}

/* ---- requests ---- */

static bool is_under_way(const struct bft_sync *sync, int64_t height)
{
	for (size_t i = 0; i < BFT_SYNC_REQUESTS_MAX; i++) {
		if (sync->requests[i].height == height && sync->requests[i].age < BFT_SYNC_PATIENCE)
			return true;
	}
	return false;
}

static size_t count_of(const struct bft_sync *sync, uint32_t peer)
{
	size_t count = 0;
	for (size_t i = 0; i < BFT_SYNC_REQUESTS_MAX; i++)
		count += sync->requests[i].height != 0 && sync->requests[i].peer == peer &&
			 sync->requests[i].age < BFT_SYNC_PATIENCE;
	return count;
}

/* Answers under way count with the size that the last one had. */
static bool has_room(const struct bft_sync *sync)
{
	size_t count = 1;
	for (size_t i = 0; i < BFT_SYNC_REQUESTS_MAX; i++)
		count += sync->requests[i].height != 0 && sync->requests[i].age < BFT_SYNC_PATIENCE;
	return count * sync->expected <= sync->size_max - sync->size;
}

static bool choose_peer(struct bft_sync *sync, int64_t height, bool slow)
{
	for (uint32_t i = 1; i <= BFT_PEERS_MAX; i++) {
		uint32_t at = (sync->last + i) % BFT_PEERS_MAX;
		if (sync->claimed[at] <= height || sync->is_slow[at] != slow ||
		    count_of(sync, at) >= BFT_SYNC_PEER_MAX)
			continue;
		sync->last = at;
		return true;
	}
	return false;
}

/* Its own late one, a free one, the oldest: more than BFT_SYNC_AHEAD are never in time. */
static struct bft_sync_request *room_for(struct bft_sync *sync, uint32_t peer, int64_t height)
{
	struct bft_sync_request *best = &sync->requests[0];
	for (size_t i = 0; i < BFT_SYNC_REQUESTS_MAX; i++) {
		struct bft_sync_request *r = &sync->requests[i];
		if (r->height == height && r->peer == peer)
			return r;
		if (best->height != 0 && (r->height == 0 || r->age > best->age))
			best = r;
	}
	return best;
}

bool bft_sync_ask(struct bft_sync *sync, uint32_t *peer, int64_t *height, int64_t from)
{
	for (int64_t h = from; h - from < (int64_t)BFT_SYNC_AHEAD; h++) {
		if (find_held(sync, h) != NULL || is_under_way(sync, h))
			continue;
		if (h > from && !has_room(sync))
			return false;
		if (!choose_peer(sync, h, false) && !choose_peer(sync, h, true))
			return false;
		*room_for(sync, sync->last, h) =
			(struct bft_sync_request){.height = h, .peer = sync->last};
		*peer = sync->last;
		*height = h;
		return true;
	}
	return false;
}

bool bft_sync_answered(struct bft_sync *sync, uint32_t peer, int64_t height, size_t size)
{
	for (size_t i = 0; i < BFT_SYNC_REQUESTS_MAX; i++) {
		struct bft_sync_request *r = &sync->requests[i];
		if (r->height == 0 || r->height != height || r->peer != peer)
			continue;
		sync->is_slow[peer] = r->age >= BFT_SYNC_PATIENCE;
		r->height = 0;
		if (size > 0)
			sync->expected = size;
		return true;
	}
	return false;
}

void bft_sync_tick(struct bft_sync *sync)
{
	for (size_t i = 0; i < BFT_SYNC_REQUESTS_MAX; i++) {
		struct bft_sync_request *r = &sync->requests[i];
		if (r->height == 0 || ++r->age != BFT_SYNC_PATIENCE)
			continue;
		sync->claimed[r->peer] = 0;
		sync->is_slow[r->peer] = true;
	}
}
