/* Which blocks to ask of whom while others are further on, and the blocks that came before their
 * turn. Heights that peers claim are hints: one that does not deliver is asked last, and nothing else
 * depends on a claim. Knows no block: what is held is bytes that a peer sent, and each is checked by
 * its commit when its height is in work, like any decision. */
#ifndef BFT_SYNC_H
#define BFT_SYNC_H

#include "core/bytes.h"
#include "relay_state/bft/types.h"

/* Ticks of the status timer after which a height is asked of another peer too. */
#define BFT_SYNC_PATIENCE 2u
/* The height in work and those above it that may be under way or held. */
#define BFT_SYNC_AHEAD 16u
/* Of one peer at once. */
#define BFT_SYNC_PEER_MAX 6u
/* Requests that are remembered, late ones too; the oldest is forgotten for a new one. */
#define BFT_SYNC_REQUESTS_MAX (2 * BFT_SYNC_AHEAD)
/* What is held: as many of the largest blocks with their commits. Smaller ones fit in numbers. */
#define BFT_SYNC_HELD_BLOCKS 2u

struct bft_sync_request {
	int64_t height; /* 0: free */
	uint32_t peer;
	unsigned age; /* ticks; from BFT_SYNC_PATIENCE on it is late, and may still be answered */
};

struct bft_sync_held {
	int64_t height;
	uint32_t peer;
	size_t at, block_size, commit_size; /* in bytes; the commit is behind the block */
};

struct bft_sync {
	int64_t claimed[BFT_PEERS_MAX]; /* the height that the peer works on; 0: nothing known */
	bool is_slow[BFT_PEERS_MAX];    /* was late since its last answer: asked last */
	struct bft_sync_request requests[BFT_SYNC_REQUESTS_MAX];
	uint32_t last; /* peer asked last, so that the turn goes round */
	struct bft_sync_held held[BFT_SYNC_AHEAD];
	size_t held_count;
	uint8_t *bytes; /* size_max, not ours */
	size_t size, size_max;
	size_t expected; /* size of an answer, by those that came */
};

/* bytes: memory for what is held, as long as *sync lives. */
void bft_sync_init(struct bft_sync *sync, uint8_t *bytes, size_t size_max);
/* A claim counts when it is higher than the one before. */
void bft_sync_claim(struct bft_sync *sync, uint32_t peer, int64_t height);
/* The peer is gone, or sent a block that does not verify: it must claim anew, and what it was asked
 * for and what it had sent is asked of others. */
void bft_sync_drop(struct bft_sync *sync, uint32_t peer);
/* The peer has not the block that it was asked for: it must claim anew. */
void bft_sync_lacks(struct bft_sync *sync, uint32_t peer);
/* Everything below this height is decided. */
void bft_sync_pass(struct bft_sync *sync, int64_t height);
/* What to ask for next, of *peer: the lowest height from this one on, at most BFT_SYNC_AHEAD of
 * them, that is neither held nor under way. It is remembered as asked. False: nothing, of nobody,
 * or no room for an answer; room is demanded of all but the first height, whose block is not held. */
bool bft_sync_ask(struct bft_sync *sync, uint32_t *peer, int64_t *height, int64_t from);
/* Whether this peer was asked for this height, be it late; it is no longer. size: of block and
 * commit, 0 when it has none. */
bool bft_sync_answered(struct bft_sync *sync, uint32_t peer, int64_t height, size_t size);
/* Keeps a copy until its height is in work. What is there already, and what does not fit, is left
 * out: it is asked for again. */
void bft_sync_hold(struct bft_sync *sync, uint32_t peer, int64_t height, struct cs_bytes block,
		   struct cs_bytes commit);
/* Views until the next change of *sync. False: that height is not held. */
bool bft_sync_find(const struct bft_sync *sync, uint32_t *peer, struct cs_bytes *block,
		   struct cs_bytes *commit, int64_t height);
void bft_sync_tick(struct bft_sync *sync);

#endif
