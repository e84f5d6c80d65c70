/* Which block to ask of whom while others are further on. Heights that peers claim are hints: one
 * that does not deliver is asked last, and nothing else depends on a claim. Knows no block; every
 * block that comes is checked by its commit like any decision. */
#ifndef BFT_SYNC_H
#define BFT_SYNC_H

#include "relay_state/bft/types.h"

/* Ticks of the status timer after which a request counts as lost. */
#define BFT_SYNC_PATIENCE 2u

struct bft_sync {
	int64_t claimed[BFT_PEERS_MAX]; /* the height that the peer works on; 0: nothing known */
	bool asking;
	int64_t height; /* asked for */
	uint32_t peer;
	unsigned age;  /* ticks */
	uint32_t last; /* peer asked last, so that the turn goes round */
};

void bft_sync_init(struct bft_sync *sync);
/* A claim counts when it is higher than the one before. */
void bft_sync_claim(struct bft_sync *sync, uint32_t peer, int64_t height);
/* The peer is gone, has not the block, or sent one that does not verify: it must claim anew. */
void bft_sync_drop(struct bft_sync *sync, uint32_t peer);
/* Whether to ask *peer for the block of this height now; if so it is remembered as asked. */
bool bft_sync_ask(struct bft_sync *sync, uint32_t *peer, int64_t height);
/* Whether this peer was asked for this height; it is no longer. */
bool bft_sync_answered(struct bft_sync *sync, uint32_t peer, int64_t height);
void bft_sync_tick(struct bft_sync *sync);

#endif
