/* What the files of state sync share: statesync.c (peers, snapshots, chunks, the application),
 * statesync_chain.c (light blocks, state, block). */
#ifndef NODE_STATESYNC_INNER_H
#define NODE_STATESYNC_INNER_H

#include "relay_state/node/statesync.h"
#include "relay_state/node/statesync_pool.h"
#include "verify/cometbft/light.h"

enum node_statesync_stage {
	NODE_SYNC_DISCOVER = 1,
	NODE_SYNC_LIGHT,
	NODE_SYNC_STATE,
	NODE_SYNC_BLOCK,
	NODE_SYNC_OFFER,
	NODE_SYNC_CHUNKS,
	NODE_SYNC_INFO,
	NODE_SYNC_OVER,
};

struct node_sync_peer {
	bool is_up;
	bool is_validator;
	struct cs_address address;
	bool has_told; /* a state of this height: */
	struct cs_hash told;
};

/* A request that one peer at a time is asked. */
struct node_sync_ask {
	uint32_t peer; /* BFT_PEER_NONE: nobody now */
	uint32_t last;
	uint64_t tried; /* bit i: peer i */
	uint64_t deadline_ms;
};

struct node_light_slot {
	struct cs_arena arena;
	uint8_t memory[CMT_LIGHT_BLOCK_ARENA_SIZE(BFT_VALIDATORS_MAX) + 1024];
	struct cmt_light_block block;
};

enum node_chunk_place {
	NODE_CHUNK_FREE = 0,
	NODE_CHUNK_ASKED,
	NODE_CHUNK_HERE,
};

struct node_chunk_slot {
	enum node_chunk_place place;
	uint32_t index, peer;
	uint64_t deadline_ms;
	struct cs_address sender; /* the peer's id: it may be gone when the chunk is applied */
	uint8_t *bytes;
	size_t size;
};

struct node_statesync {
	struct host_loop *loop;
	struct node_statesync_options options;
	const struct node_genesis *genesis;
	struct node_application *application;
	struct node_statesync_events events;
	void *context;
	struct node_peers *peers;
	struct host_timer *tick;
	uint64_t told_ms; /* when all were asked for snapshots */
	enum node_statesync_stage stage;
	uint64_t deadline_ms; /* of DISCOVER, STATE */
	struct node_sync_peer peer[BFT_PEERS_MAX];
	struct node_snapshot_pool pool;
	struct node_snapshot snapshot; /* the chosen one */
	struct node_sync_ask ask;

	/* LIGHT: the trusted block and a candidate take turns in two slots. */
	struct node_light_slot light[2];
	unsigned trusted; /* index */
	bool has_trusted;
	bool has_other_hash; /* a peer has another block at trust_height */
	int64_t want;
	uint32_t steps;

	/* STATE, BLOCK */
	struct bft_state state;
	uint32_t tries;
	uint8_t *block, *commit;
	size_t block_size, commit_size;
	struct cmt_block_id block_id;

	/* CHUNKS */
	struct node_chunk_slot slots[NODE_CHUNK_FETCHERS_MAX];
	uint64_t done[NODE_SNAPSHOT_CHUNKS_MAX / 64]; /* bit: applied */
	uint32_t done_count;
	struct node_chunk_slot *applying;
	uint32_t chunk_retries, snapshot_retries;
	uint64_t progress_ms;
	uint32_t holder; /* asked last */

	uint8_t *memory;
	struct cs_arena scratch;
};

/* statesync.c */
void node_sync_fail(struct node_statesync *s, enum cs_err err, const char *why);
void node_sync_send(struct node_statesync *s, uint32_t peer,
		    const struct node_statesync_message *message);
/* Not now: the next best snapshot. */
void node_sync_skip(struct node_statesync *s, const char *why);
/* State, block and commit are there. */
void node_sync_offer(struct node_statesync *s);
/* The peer is told good-bye for what it sent. */
void node_sync_refuse(struct node_statesync *s, uint32_t peer, enum cs_err err, const char *what);

/* statesync_chain.c */
/* Of a snapshot that was chosen. */
void node_sync_begin_chain(struct node_statesync *s);
void node_sync_light_answer(struct node_statesync *s, uint32_t peer,
			    const struct node_statesync_message *m);
void node_sync_state_answer(struct node_statesync *s, uint32_t peer,
			    const struct node_statesync_message *m);
void node_sync_block_answer(struct node_statesync *s, uint32_t peer, int64_t height,
			    struct cs_bytes block, struct cs_bytes commit);
void node_sync_chain_peer_up(struct node_statesync *s, uint32_t peer);
void node_sync_chain_peer_down(struct node_statesync *s, uint32_t peer);
void node_sync_chain_tick(struct node_statesync *s, uint64_t now_ms);
/* The header of the snapshot's height + 1. */
const struct cmt_header *node_sync_header(const struct node_statesync *s);

#endif
