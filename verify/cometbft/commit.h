/* Commits: the precommits of a block's validators in the order of their set, as the next block and
 * the light client carry them; with vote extensions the extended commit (types/block.go Commit,
 * ExtendedCommit; types/validation.go). */
#ifndef CMT_COMMIT_H
#define CMT_COMMIT_H

#include "verify/cometbft/validator_set.h"
#include "verify/cometbft/vote.h"

/* tendermint.types.CommitSig as an element, and Commit. */
#define CMT_COMMIT_SIG_SIZE_MAX 128u
#define CMT_COMMIT_SIZE_MAX(count) ((count)*CMT_COMMIT_SIG_SIZE_MAX + 128u)

/* tendermint.types.BlockIDFlag. */
enum cmt_flag {
	CMT_ABSENT = 1, /* no vote came */
	CMT_COMMIT = 2, /* for the commit's block */
	CMT_NIL = 3,    /* for no block */
};

/* Of one who is absent everything else is empty, the time Go's zero. */
struct cmt_commit_sig {
	enum cmt_flag flag;
	struct cs_address validator;
	struct cs_pb_time time;
	struct cs_bytes extension; /* a view; of extended commits only, as its signature */
	struct cmt_signature signature, extension_signature;
};

#define CMT_SIG_ABSENT ((struct cmt_commit_sig){.flag = CMT_ABSENT, .time = CS_PB_TIME_ZERO})

/* The first block of a chain carries an empty one: height 0, nil, no signatures. */
struct cmt_commit {
	int64_t height;
	int32_t round;
	struct cmt_block_id block_id;
	struct cmt_commit_sig *sigs;
	size_t count;
};

/* A fraction of voting power, in [1/3, 1] where it is a trust level. */
struct cmt_fraction {
	uint64_t numerator;
	uint64_t denominator;
};

/* INVALID: height or round below 0; from height 1 on: a nil block, no signatures, one of an unknown
 * flag, an absent one that has something, another one without a signature, a time that cannot be
 * encoded. TOO_LARGE above CMT_VALIDATORS_MAX. Extensions are looked at by
 * cmt_extended_commit_check. */
CS_NODISCARD enum cs_err cmt_commit_check(const struct cmt_commit *commit, struct cs_why *why);
void cmt_commit_encode(struct cs_buf *buf, const struct cmt_commit *commit);
/* The signatures' memory is the arena's. The errors of cs_pb and cmt_commit_check; NO_MEMORY. */
CS_NODISCARD enum cs_err cmt_commit_decode(struct cmt_commit *commit, struct cs_bytes bytes,
					   struct cs_arena *arena, struct cs_why *why);
/* What a header's last_commit_hash is of: the signatures alone. */
struct cs_hash cmt_commit_hash(const struct cmt_commit *commit);
/* The precommit behind a signature; not of one who is absent. */
struct cmt_vote cmt_commit_vote(const struct cmt_commit *commit, size_t index);
/* The signature that a precommit becomes; of NULL an absent one. */
struct cmt_commit_sig cmt_commit_sig_of(const struct cmt_vote *vote);

/* ---- verification ----
 *
 * Of commits that passed cmt_commit_check. All refuse with BAD_SEAL (a signature), TOO_FEW_SEALS
 * (not enough power behind the block), OVERFLOW (a fraction too wide), CRYPTO. */

/* That more than 2/3 of the set signed, and that whatever is there is right: nil votes too. For
 * blocks, where applications see who signed. FOREIGN_SEAL: another number of signatures than
 * validators, another address than the validator's of its place; WRONG_BLOCK: another height or
 * block id than this. */
CS_NODISCARD enum cs_err cmt_commit_verify(const struct cmt_commit *commit,
					   const struct cmt_validator_set *set,
					   const struct cmt_chain_id *chain_id,
					   const struct cmt_block_id *block_id, int64_t height,
					   struct cs_why *why);
/* That more than 2/3 of the set signed. Without `all` it stops as soon as they are enough; with it,
 * for evidence, every signature for the block is checked. */
CS_NODISCARD enum cs_err cmt_commit_verify_light(const struct cmt_commit *commit,
						 const struct cmt_validator_set *set,
						 const struct cmt_chain_id *chain_id,
						 const struct cmt_block_id *block_id,
						 int64_t height, bool all, struct cs_why *why);
/* That more than `level` of a set signed that is not the commit's own; who is in it is found by
 * address. DUPLICATE_SEAL: one address twice; INVALID: a level of zero parts. */
CS_NODISCARD enum cs_err cmt_commit_verify_trusting(const struct cmt_commit *commit,
						    const struct cmt_validator_set *set,
						    const struct cmt_chain_id *chain_id,
						    struct cmt_fraction level, bool all,
						    struct cs_why *why);

/* ---- with vote extensions ---- */

/* As cmt_commit_check, and of each signature: TOO_LARGE, INVALID as types/block.go's
 * ExtendedCommitSig.ValidateBasic. `demanded`: extensions are in force, so that each vote for the
 * block has an extension signature, and no other. */
CS_NODISCARD enum cs_err cmt_extended_commit_check(const struct cmt_commit *commit, bool demanded,
						   struct cs_why *why);
/* Room for cmt_extended_commit_encode. */
size_t cmt_extended_commit_size_max(const struct cmt_commit *commit);
void cmt_extended_commit_encode(struct cs_buf *buf, const struct cmt_commit *commit);
/* Extensions are views into `bytes`. */
CS_NODISCARD enum cs_err cmt_extended_commit_decode(struct cmt_commit *commit,
						    struct cs_bytes bytes, struct cs_arena *arena,
						    struct cs_why *why);
/* cmt_commit_verify, and every extension's signature. */
CS_NODISCARD enum cs_err
cmt_extended_commit_verify(const struct cmt_commit *commit, const struct cmt_validator_set *set,
			   const struct cmt_chain_id *chain_id, const struct cmt_block_id *block_id,
			   int64_t height, struct cs_arena *arena, struct cs_why *why);

/* ---- BFT time ---- */

/* The time of the block that carries the commit: the median of its votes' times, weighted by power
 * (state/state.go MedianTime; spec/consensus/bft-time.md). FOREIGN_SEAL: a vote of one who is not
 * in the set; MISSING_FIELD: no vote; OVERFLOW: of a commit that nothing verified. */
CS_NODISCARD enum cs_err cmt_median_time(struct cs_pb_time *time, const struct cmt_commit *commit,
					 const struct cmt_validator_set *set);

#endif
