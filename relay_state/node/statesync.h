/* State sync: a node without a chain takes an application's snapshot from its peers, and the chain's
 * state, block and commit of that height, instead of every block since the beginning (CometBFT
 * v0.38 statesync; docs/ledger-node.md). Believes nothing but trust_hash, the light client, and what
 * validators with more than a third of the power agree on.
 *
 *   1. Peers say which snapshots they have; the best is taken.
 *   2. The header of the next height, by the light client of verify/cometbft from trust_hash on.
 *   3. The chain's state after the snapshot's height: the header binds everything in it but the
 *      validators' priorities and two heights of changes; those are what validators of more than a
 *      third of the power, who have proven their keys, say alike.
 *   4. The block of the height with a commit, by the state.
 *   5. The application: OfferSnapshot, ApplySnapshotChunk, Info, which must tell the header's
 *      application hash. */
#ifndef NODE_STATESYNC_H
#define NODE_STATESYNC_H

#include "relay_state/node/application.h"
#include "relay_state/node/peers.h"
#include "relay_state/node/store.h"

/* Chunks asked for or waiting to be applied: memory for so many of NODE_CHUNK_SIZE_MAX. */
#define NODE_CHUNK_FETCHERS_MAX 8u
/* Times that the application wants a chunk again before its snapshot is given up. */
#define NODE_CHUNK_RETRIES_MAX 64u
#define NODE_SNAPSHOT_RETRIES_MAX 3u
/* No chunk was applied for so long (CometBFT's chunkTimeout). */
#define NODE_SNAPSHOT_STALL_MS 120000u
/* Headers between trust_height and the snapshot that the light client may need. */
#define NODE_LIGHT_STEPS_MAX 512u
/* Everybody is asked for snapshots again, and hears from us. */
#define NODE_STATESYNC_TELL_MS 2000u
/* What one request of a light block, a state, a block is tried for at all peers. */
#define NODE_STATE_TRIES_MAX 3u

struct node_statesync;

struct node_statesync_options {
	bool enable;
	int64_t trust_height;
	struct cs_hash trust_hash;
	uint64_t trust_period_s;
	uint64_t discovery_ms;
	uint64_t request_ms; /* of one answer; then another peer is asked */
	uint32_t chunk_fetchers;
};

/* What a node begins with; views until the events return. */
struct node_statesync_result {
	const struct bft_state *state;
	struct node_stored_block block; /* of the state's last height */
};

struct node_statesync_events {
	/* The application has told that it is there. */
	void (*done)(void *context, const struct node_statesync_result *result);
	/* trust_hash is no peer's, too old, or the application ends it. */
	void (*failed)(void *context, enum cs_err err, const char *why);
};

/* The caller's, as long as the sync lives. */
struct node_statesync_needs {
	const struct node_statesync_options *options;
	const struct node_peers_options *peers;
	const struct node_genesis *genesis;
	struct node_application *application;
};

/* Listens and dials as `peers` says. The errors of node_peers_new. */
CS_NODISCARD enum cs_err node_statesync_new(struct node_statesync **sync, struct host_loop *loop,
					    const struct node_statesync_needs *needs,
					    const struct node_statesync_events *events,
					    void *context, struct cs_why *why);
uint16_t node_statesync_port(const struct node_statesync *sync);
/* After the application is gone, or in `done`. NULL is allowed. */
void node_statesync_free(struct node_statesync *sync);

#endif
