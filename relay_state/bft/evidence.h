/* Evidence on its way into a block: votes that conflict become DuplicateVoteEvidence once the block
 * of their height, whose time it names, is decided; a person or a peer may bring it too, also of an
 * attack on light clients. It waits here until a block carries it or it is too old
 * (evidence/pool.go). What blocks carried and who validated when is the node's to remember: a table
 * of questions. */
#ifndef BFT_EVIDENCE_H
#define BFT_EVIDENCE_H

#include "relay_state/bft/state.h"

#define BFT_EVIDENCE_KEPT_MAX 64u
/* One piece. Two votes take 500 bytes; an attack by a set as large as ours 7 KiB, one by a set that
 * was filled up with strangers fits up to some 300 of them. */
#define BFT_EVIDENCE_SIZE_MAX (64u * 1024)
/* All that wait. */
#define BFT_EVIDENCE_POOL_SIZE (256u * 1024)
/* Pairs of votes of one validator: who signs a thousand takes nobody else's room. */
#define BFT_EVIDENCE_EACH_MAX 8u
/* Signatures that are checked for one peer between two ticks of the status timer. More evidence than
 * that is left alone; what costs more is owed to the next ticks. */
#define BFT_EVIDENCE_WORK_MAX 64
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
	/* The header of a block below the last one, and the commit of it that the next block carries:
	 * the same at every node. What the commit points to is the arena's; NO_MEMORY. */
	enum cs_err (*signed_header_at)(void *context, struct cmt_header *header,
					struct cmt_commit *commit, int64_t height,
					struct cs_arena *arena);
	/* Whether a decided block carried the evidence of this hash (cmt_evidence_hash). */
	bool (*is_committed)(void *context, const struct cs_hash *hash);
};

/* Of a chain whose past nobody keeps: evidence is judged by no engine with it, and a block that
 * carries some is not valid. For examples and models. */
struct bft_history bft_history_none(void);
/* For signed_header_at, out of blocks that were verified: the header alone, the commit of the block
 * before alone. What cs_pb and the parts' decoders refuse. */
CS_NODISCARD enum cs_err bft_block_header(struct cmt_header *header, struct cs_bytes block);
CS_NODISCARD enum cs_err bft_block_last_commit(struct cmt_commit *commit, struct cs_bytes block,
					       struct cs_arena *arena);
/* What it carries: tendermint.types.EvidenceList, a view. */
CS_NODISCARD enum cs_err bft_block_evidence(struct cs_bytes *list, struct cs_bytes block);

struct bft_evidence_entry {
	struct cs_hash hash;
	bool is_told; /* to the peers */
	bool is_pair; /* of votes, by this validator: */
	struct cs_address validator;
	size_t offset, size; /* tendermint.types.Evidence, in the pool's memory */
};

struct bft_conflict {
	struct cmt_vote a, b; /* without extensions */
};

/* Entries in the order in which they came. */
struct bft_evidence_pool {
	size_t count, used;
	struct bft_evidence_entry entries[BFT_EVIDENCE_KEPT_MAX];
	uint8_t memory[BFT_EVIDENCE_POOL_SIZE];
	struct bft_conflict conflicts[BFT_CONFLICTS_MAX];
	size_t conflict_count;
};

void bft_evidence_init(struct bft_evidence_pool *pool);
/* Both signed by one validator for one place, checked. False: known, or no room. */
bool bft_evidence_conflict(struct bft_evidence_pool *pool, const struct cmt_vote *a,
			   const struct cmt_vote *b);
/* The conflicts of the state's last height become evidence, verified against its validators. They
 * are the entries from *first on. */
void bft_evidence_ripen(struct bft_evidence_pool *pool, size_t *first,
			const struct bft_state *state, struct cs_arena *scratch);
struct cs_bytes bft_evidence_bytes(const struct bft_evidence_pool *pool, size_t index);
bool bft_evidence_is_kept(const struct bft_evidence_pool *pool, const struct cs_hash *hash);
/* Signatures that bft_evidence_check may have to verify. */
int32_t bft_evidence_work(const struct cmt_evidence *evidence);

/* Of evidence that passed cmt_evidence_check, everything that a block's must be: of a kept height,
 * not too old, not committed, verified against the set of its height. An attack is judged once a
 * block carries a commit of the common height; the trusted header is the chain's of the conflicting
 * height, or the newest that has such a commit (a forward lunatic attack). EXPIRED; DUPLICATE:
 * committed before; NOT_FOUND; the errors of cmt_duplicate_vote_verify and of
 * cmt_light_attack_verify.
 *
 * *is_false (may be NULL): every node that has the heights finds this, now and later; whoever
 * brings it knows it. */
CS_NODISCARD enum cs_err bft_evidence_check(const struct cmt_evidence *evidence, bool *is_false,
					    const struct bft_state *state,
					    const struct bft_history *history,
					    struct cs_arena *scratch, struct cs_why *why);
/* All of a block, and that none is there twice. */
CS_NODISCARD enum cs_err bft_evidence_check_list(const struct cmt_evidence *list, size_t count,
						 const struct bft_state *state,
						 const struct bft_history *history,
						 struct cs_arena *scratch, struct cs_why *why);

/* What came of a piece that somebody brought. */
struct bft_evidence_added {
	bool is_known; /* it waits here already */
	bool is_false; /* see above; or it does not read */
	int32_t work;  /* signatures that may have been looked at */
};
/* From a peer or a person: checked, kept as the last entry. FULL: no room, or enough of this
 * validator; TOO_LARGE. *added says something in every case. */
CS_NODISCARD enum cs_err bft_evidence_add(struct bft_evidence_pool *pool,
					  struct bft_evidence_added *added, struct cs_bytes bytes,
					  const struct bft_state *state,
					  const struct bft_history *history,
					  struct cs_arena *scratch, struct cs_why *why);
/* How many entries, from the first on, a block takes into size_max bytes of its evidence; *size:
 * what they take there. */
size_t bft_evidence_fit(size_t *size, const struct bft_evidence_pool *pool, size_t size_max);
/* tendermint.types.EvidenceList of the first `count`. */
void bft_evidence_encode_list(struct cs_buf *buf, const struct bft_evidence_pool *pool,
			      size_t count);
/* The first `count`, decoded into the arena. */
CS_NODISCARD enum cs_err bft_evidence_pick(struct cmt_evidence **list,
					   const struct bft_evidence_pool *pool, size_t count,
					   struct cs_arena *scratch);
/* A block carried these; and what is too old now goes too. */
void bft_evidence_update(struct bft_evidence_pool *pool, const struct cmt_evidence *carried,
			 size_t count, const struct bft_state *state, struct cs_arena *scratch);

#endif
