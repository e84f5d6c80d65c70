#include "relay_state/bft/sync.h"

#include <string.h>

void bft_sync_init(struct bft_sync *sync)
{
	memset(sync, 0, sizeof *sync);
}

void bft_sync_claim(struct bft_sync *sync, uint32_t peer, int64_t height)
{
	cs_assert(peer < BFT_PEERS_MAX);
	if (height > sync->claimed[peer])
		sync->claimed[peer] = height;
}

void bft_sync_drop(struct bft_sync *sync, uint32_t peer)
{
	cs_assert(peer < BFT_PEERS_MAX);
	sync->claimed[peer] = 0;
	if (sync->asking && sync->peer == peer)
		sync->asking = false;
}

bool bft_sync_ask(struct bft_sync *sync, uint32_t *peer, int64_t height)
{
	if (sync->asking && sync->height == height)
		return false;
	sync->asking = false;
	for (uint32_t i = 1; i <= BFT_PEERS_MAX; i++) {
		uint32_t at = (sync->last + i) % BFT_PEERS_MAX;
		if (sync->claimed[at] <= height)
			continue;
		sync->asking = true;
		sync->height = height;
		sync->peer = at;
		sync->last = at;
		sync->age = 0;
		*peer = at;
		return true;
	}
	return false;
}

bool bft_sync_answered(struct bft_sync *sync, uint32_t peer, int64_t height)
{
	if (!sync->asking || sync->peer != peer || sync->height != height)
		return false;
	sync->asking = false;
	return true;
}

void bft_sync_tick(struct bft_sync *sync)
{
	if (sync->asking && ++sync->age >= BFT_SYNC_PATIENCE)
		bft_sync_drop(sync, sync->peer);
}
