/* Backfill: after a state sync the light blocks below the snapshot's height, downwards for as long
 * as evidence about them may come (Tendermint v0.35's reverse sync, ADR 068), so that this node
 * judges such evidence as everybody else does. Believes nothing that a peer sends but what hashes
 * to what the header above it says, and trusts no peer to stay, to answer or to have it.
 *
 * Peers are asked for many heights at once; what comes is looked at in the order of heights, from
 * the base down:
 *   header      its hash is in the header above (last_block_id)
 *   validators  their hash is in the header
 *   commit      of more than two thirds of these validators, for this block; the one that the next
 *               block carries (last_commit_hash of the header above)
 *   evidence    that the block carried; its hash is in the header
 * It is written down as it is verified: a crash goes on where it was. */
#ifndef NODE_BACKFILL_H
#define NODE_BACKFILL_H

#include "relay_state/node/backfill_store.h"
#include "relay_state/node/chain_files.h"
#include "relay_state/node/peers.h"

/* Heights that are asked for or wait for those above them, and of one peer. */
#define NODE_BACKFILL_SLOTS 16u
#define NODE_BACKFILL_PER_PEER 4u
/* When everybody who is there was asked for the next height in vain, all are asked again. */
#define NODE_BACKFILL_RETRY_MS 1000u
/* So often (and not for so long: a machine may have slept); then the rest is given up. */
#define NODE_BACKFILL_ROUNDS 30u
/* The log tells how far it is. */
#define NODE_BACKFILL_TELL_HEIGHTS 10000

struct node_backfill;

struct node_backfill_options {
	uint64_t request_ms; /* of one answer; then another peer is asked */
	uint64_t retry_ms;
	uint32_t rounds;
	const struct cmt_header *base; /* of the node's lowest block; copied */
	const struct bft_state *state; /* says what is too old */
};

struct node_backfill_events {
	/* The store tells how far it came. */
	void (*done)(void *context);
	/* The store does. */
	void (*failed)(void *context, enum cs_err err, const char *why);
};

/* Whether a light block and the evidence of its block are what the header above says, as above; the
 * hashes of that evidence, in the arena. `bytes` live as long as the outputs. WRONG_CHAIN, INVALID:
 * another height; UNLINKED: another header; BAD_PROOF: another commit than the next block's, other
 * evidence; the errors of cmt_light_block_decode, of cmt_commit_verify_light and of
 * cmt_evidence_decode; NO_MEMORY. */
CS_NODISCARD enum cs_err node_backfill_check(struct cmt_light_block *light, struct cs_hash **hashes,
					     size_t *hash_count, struct cs_bytes light_bytes,
					     struct cs_bytes evidence,
					     const struct cmt_header *above, struct cs_arena *arena,
					     struct cs_why *why);

/* Goes on with what the store has begun, or begins below the base. Listens and dials with these
 * options; all of it is the caller's as long as the backfill lives. IO, DAMAGED: the store; the
 * errors of node_peers_new. */
CS_NODISCARD enum cs_err node_backfill_new(struct node_backfill **backfill, struct host_loop *loop,
					   const struct node_backfill_options *options,
					   const struct node_peers_options *peers,
					   struct node_backfill_store *store,
					   const struct node_backfill_events *events, void *context,
					   struct cs_why *why);
uint16_t node_backfill_port(const struct node_backfill *backfill);
/* Also in its events. NULL is allowed. */
void node_backfill_free(struct node_backfill *backfill);

#endif
