/* What two nodes say to each other about snapshots (CometBFT's p2p/legacy-docs/messages/state-sync,
 * with light blocks and states on the same channel). One bounded decoder; nothing is allocated,
 * views point into the input. */
#ifndef NODE_STATESYNC_MESSAGE_H
#define NODE_STATESYNC_MESSAGE_H

#include "relay_state/abci/messages.h"
#include "relay_state/bft/state.h"
#include "verify/cometbft/light_block.h"

/* As CometBFT's chunkMsgSize; Cosmos SDK's chunks are 10 MB. */
#define NODE_CHUNK_SIZE_MAX (16u * 1000 * 1000)
/* CometBFT's recentSnapshots. */
#define NODE_SNAPSHOTS_PER_PEER 10u
#define NODE_SNAPSHOT_HASH_SIZE_MAX 64u
/* Hashes of 2,048 chunks. */
#define NODE_SNAPSHOT_METADATA_SIZE_MAX (64u * 1024)
#define NODE_SNAPSHOT_CHUNKS_MAX 65536u
#define NODE_LIGHT_BLOCK_SIZE_MAX CMT_LIGHT_BLOCK_SIZE_MAX(BFT_VALIDATORS_MAX)
/* tendermint.types.EvidenceList of one block. */
#define NODE_EVIDENCE_LIST_SIZE_MAX BFT_BLOCK_SIZE_MAX
#define NODE_STATESYNC_MESSAGE_SIZE_MAX (NODE_CHUNK_SIZE_MAX + 256u)

_Static_assert(NODE_SNAPSHOTS_PER_PEER *(NODE_SNAPSHOT_METADATA_SIZE_MAX +
					 NODE_SNAPSHOT_HASH_SIZE_MAX + 64u) <
		       NODE_STATESYNC_MESSAGE_SIZE_MAX,
	       "a list of snapshots is no larger than a chunk");

/* The numbers are the fields of a oneof. */
enum node_statesync_type {
	NODE_SNAPSHOTS_REQUEST = 1,
	NODE_SNAPSHOTS_ANSWER = 2,
	NODE_CHUNK_REQUEST = 3,
	NODE_CHUNK_ANSWER = 4,
	NODE_LIGHT_REQUEST = 5,
	NODE_LIGHT_ANSWER = 6, /* no bytes: not here, or not yet */
	NODE_STATE_REQUEST = 7,
	NODE_STATE_ANSWER = 8, /* the same */
};

struct node_statesync_message {
	enum node_statesync_type type;
	uint64_t height; /* of all but the first two */
	/* CHUNK */
	uint32_t format, index;
	bool is_missing;
	/* The chunk; tendermint.types.LightBlock; tendermint.state.State. */
	struct cs_bytes bytes;
	/* LIGHT_ANSWER: what the block carried, for whoever fetches light blocks in place of blocks;
	 * tendermint.types.EvidenceList, empty: nothing. */
	struct cs_bytes evidence;
	/* SNAPSHOTS_ANSWER */
	struct abci_snapshot snapshots[NODE_SNAPSHOTS_PER_PEER];
	size_t snapshot_count;
};

/* Room for the encoding. */
size_t node_statesync_size_max(const struct node_statesync_message *message);
void node_statesync_encode(struct cs_buf *buf, const struct node_statesync_message *message);
/* UNSUPPORTED: another type; INVALID: height 0, a snapshot without chunks, a chunk that is missing
 * and there, evidence without a light block; TOO_LARGE above the bounds here; the errors of
 * cs_pb. */
CS_NODISCARD enum cs_err node_statesync_decode(struct node_statesync_message *message,
					       struct cs_bytes bytes);
/* What a node that syncs itself answers to a request: nothing is here. False: it is none. */
bool node_statesync_nothing(struct node_statesync_message *answer,
			    const struct node_statesync_message *request);

#endif
