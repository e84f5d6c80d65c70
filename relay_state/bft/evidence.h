/* Evidence on its way into a block: votes that conflict become DuplicateVoteEvidence once the block
 * of their height, whose time it names, is decided; it waits here until a block carries it or it is
 * too old (evidence/pool.go). What blocks carried and who validated when is the node's to remember:
 * a table of questions. */
#ifndef BFT_EVIDENCE_H
#define BFT_EVIDENCE_H

#include "relay_state/bft/state.h"

#define BFT_EVIDENCE_KEPT_MAX 64u
/* Two votes without extensions, and three numbers. */
#define BFT_EVIDENCE_SIZE_MAX 1024u
/* Conflicts of one height that wait for its block: one for each validator. */
#define BFT_CONFLICTS_MAX BFT_VALIDATORS_MAX

/* Answers come from the blocks up to the state's last height (SAVE_STATE has been executed for
 * them) and from no other, so that every node gives the same. NOT_FOUND for heights that are not
 * kept. */
struct bft_history {
	void *context;
	enum cs_err (*validators_at)(void *context, const struct cmt_validator_set **set,
				     int64_t height);
	enum cs_err (*time_at)(void *context, struct cs_pb_time *time, int64_t height);
	/* Whether a decided block carried the evidence of this hash (cmt_evidence_hash). */
	bool (*is_committed)(void *context, const struct cs_hash *hash);
};

struct bft_evidence_entry {
	bool used;
	struct cs_hash hash;
	int64_t height;
	size_t size;
	uint8_t bytes[BFT_EVIDENCE_SIZE_MAX]; /* tendermint.types.Evidence */
};

struct bft_conflict {
	struct cmt_vote a, b; /* without extensions */
};

struct bft_evidence_pool {
	struct bft_evidence_entry entries[BFT_EVIDENCE_KEPT_MAX];
	struct bft_conflict conflicts[BFT_CONFLICTS_MAX];
	size_t conflict_count;
};

void bft_evidence_init(struct bft_evidence_pool *pool);
/* Both signed by one validator for one place, checked. False: known, or no room. */
bool bft_evidence_conflict(struct bft_evidence_pool *pool, const struct cmt_vote *a,
			   const struct cmt_vote *b);
/* The conflicts of the last height become evidence; called after every block. Gives how many
 * entries are new and their indices. */
size_t bft_evidence_ripen(struct bft_evidence_pool *pool, const struct bft_state *state,
			  const struct bft_history *history, size_t fresh[BFT_CONFLICTS_MAX],
			  struct cs_arena *scratch);
/* Everything that a block's evidence must be: of a kept height, not too old, not committed,
 * verified against the set of its height. UNSUPPORTED: a light client attack, which this node
 * cannot judge; EXPIRED; DUPLICATE: committed before; NOT_FOUND; the errors of
 * cmt_duplicate_vote_verify. */
CS_NODISCARD enum cs_err bft_evidence_check(const struct cmt_evidence *evidence,
					    const struct bft_state *state,
					    const struct bft_history *history,
					    struct cs_arena *scratch, struct cs_why *why);
/* All of a block, and that none is there twice. */
CS_NODISCARD enum cs_err bft_evidence_check_list(const struct cmt_evidence *list, size_t count,
						 const struct bft_state *state,
						 const struct bft_history *history,
						 struct cs_arena *scratch, struct cs_why *why);
/* From a peer or a person: checked, kept. *known: it was there. FULL: no room; TOO_LARGE. */
CS_NODISCARD enum cs_err bft_evidence_add(struct bft_evidence_pool *pool, bool *known,
					  struct cs_bytes bytes, const struct bft_state *state,
					  const struct bft_history *history,
					  struct cs_arena *scratch, struct cs_why *why);
/* For a block: decoded into the arena, at most size_max bytes and CMT_EVIDENCE_MAX pieces. */
CS_NODISCARD enum cs_err bft_evidence_pick(struct cmt_evidence **list, size_t *count,
					   const struct bft_evidence_pool *pool, int64_t size_max,
					   struct cs_arena *scratch);
/* A block carried these; and what is too old now goes too. */
void bft_evidence_update(struct bft_evidence_pool *pool, const struct cmt_evidence *carried,
			 size_t count, const struct bft_state *state, struct cs_arena *scratch);

#endif
