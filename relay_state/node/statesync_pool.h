/* Which snapshots the peers of a syncing node have, and which of them are out of the question
 * (CometBFT statesync/snapshots.go). Believes nothing of what a snapshot says about itself: what is
 * best is only what is tried first. */
#ifndef NODE_STATESYNC_POOL_H
#define NODE_STATESYNC_POOL_H

#include "relay_state/bft/types.h"
#include "relay_state/node/statesync_message.h"

/* The oldest rejections are forgotten first: what is tried again is rejected again. */
#define NODE_REJECTED_MAX 256u
#define NODE_FORMATS_REJECTED_MAX 16u

/* With memory of its own. */
struct node_snapshot {
	struct cs_hash key; /* of all its fields: the same snapshot at two peers */
	uint64_t height;
	uint32_t format, chunks;
	size_t hash_size;
	uint8_t hash[NODE_SNAPSHOT_HASH_SIZE_MAX];
	uint8_t *metadata;
	size_t metadata_size;
};

struct node_snapshot_list {
	struct node_snapshot *items[NODE_SNAPSHOTS_PER_PEER];
	size_t count;
};

struct node_rejections {
	struct cs_hash keys[NODE_REJECTED_MAX];
	size_t count, next;
};

struct node_snapshot_pool {
	struct node_snapshot_list of[BFT_PEERS_MAX];
	struct node_rejections rejected; /* for this sync */
	struct node_rejections skipped;  /* until node_pool_unskip */
	uint32_t formats[NODE_FORMATS_REJECTED_MAX];
	size_t format_count;
};

void node_pool_init(struct node_snapshot_pool *pool);
void node_pool_done(struct node_snapshot_pool *pool);
/* What this peer has, in place of what it had before. */
void node_pool_put(struct node_snapshot_pool *pool, uint32_t peer,
		   const struct node_statesync_message *answer);
void node_pool_drop_peer(struct node_snapshot_pool *pool, uint32_t peer);
/* The peer has this one no longer. */
void node_pool_drop(struct node_snapshot_pool *pool, uint32_t peer, const struct cs_hash *key);
void node_pool_reject(struct node_snapshot_pool *pool, const struct cs_hash *key);
void node_pool_reject_format(struct node_snapshot_pool *pool, uint32_t format);
void node_pool_skip(struct node_snapshot_pool *pool, const struct cs_hash *key);
void node_pool_unskip(struct node_snapshot_pool *pool);
/* Heights in [height_min, height_max]; the highest, then the highest format, then the one that most
 * peers have. NULL: none. Valid until the next change. */
const struct node_snapshot *node_pool_best(const struct node_snapshot_pool *pool,
					   uint64_t height_min, uint64_t height_max);
/* How many peers have it. */
uint32_t node_pool_holders(const struct node_snapshot_pool *pool, const struct cs_hash *key);
/* The next peer after this one, in a ring, that has it; BFT_PEERS_MAX: nobody. */
uint32_t node_pool_holder(const struct node_snapshot_pool *pool, const struct cs_hash *key,
			  uint32_t after);
size_t node_pool_count(const struct node_snapshot_pool *pool);

/* A copy, and its end. */
void node_snapshot_copy(struct node_snapshot *to, const struct node_snapshot *from);
void node_snapshot_done(struct node_snapshot *snapshot);
/* A view. */
struct abci_snapshot node_snapshot_view(const struct node_snapshot *snapshot);

#endif
