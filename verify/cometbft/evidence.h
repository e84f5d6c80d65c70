/* Evidence that validators misbehaved: two votes of one for one place, or a light block that is not
 * the chain's (types/evidence.go, evidence/verify.go; spec/light-client/attacks). Blocks carry it,
 * applications punish by it; an honest validator never appears in any that verifies. */
#ifndef CMT_EVIDENCE_H
#define CMT_EVIDENCE_H

#include "verify/cometbft/light_block.h"
#include "verify/cometbft/params.h"

/* In one block. */
#define CMT_EVIDENCE_MAX 64u

/* The votes stand in the order of their block ids (cmt_block_id_cmp). */
struct cmt_duplicate_vote {
	struct cmt_vote a;
	struct cmt_vote b;
	int64_t power_total;    /* of the set of the votes' height */
	int64_t power;          /* of the validator in it */
	struct cs_pb_time time; /* of the block of that height */
};

/* Lunatic (the header is not what the chain computes), equivocation (two commits of one round) or
 * amnesia (of two rounds: nobody can be named). */
struct cmt_light_attack {
	struct cmt_light_block conflicting;
	int64_t common_height; /* the last that both agree about, or the conflicting block's own */
	struct cmt_validator *byzantine; /* in the order of cmt_validator_before */
	size_t byzantine_count;
	int64_t power_total;    /* of the set of the common height */
	struct cs_pb_time time; /* of the block of the common height */
};

enum cmt_evidence_kind {
	CMT_DUPLICATE_VOTE = 1,
	CMT_LIGHT_ATTACK = 2,
};

struct cmt_evidence {
	enum cmt_evidence_kind kind;
	union {
		struct cmt_duplicate_vote duplicate_vote;
		struct cmt_light_attack light_attack;
	};
};

/* ---- making ---- */

/* In the right order. `set` and `time` are of the votes' height. NOT_FOUND: nobody of the set. The
 * votes are not compared: cmt_duplicate_vote_verify does. */
CS_NODISCARD enum cs_err cmt_duplicate_vote_make(struct cmt_duplicate_vote *evidence,
						 const struct cmt_vote *one,
						 const struct cmt_vote *other,
						 const struct cmt_validator_set *set,
						 struct cs_pb_time time);
/* Against a block that conflicts with a trusted one, both traced back to `common`. Keeps pointers
 * into `conflicting`; the list of the guilty is the arena's: NO_MEMORY. */
CS_NODISCARD enum cs_err cmt_light_attack_make(struct cmt_light_attack *evidence,
					       const struct cmt_light_block *conflicting,
					       const struct cmt_light_block *trusted,
					       const struct cmt_light_block *common,
					       struct cs_arena *arena);

/* ---- encoding ---- */

int64_t cmt_evidence_height(const struct cmt_evidence *evidence);
struct cs_pb_time cmt_evidence_time(const struct cmt_evidence *evidence);
/* ValidateBasic: the votes, their order; the light block, powers and heights. INVALID, and the
 * errors of the parts. */
CS_NODISCARD enum cs_err cmt_evidence_check(const struct cmt_evidence *evidence,
					    struct cs_why *why);
/* tendermint.types.Evidence, as blocks and peers carry it. */
void cmt_evidence_encode(struct cs_buf *buf, const struct cmt_evidence *evidence);
/* Views into `bytes`; the rest is the arena's. */
CS_NODISCARD enum cs_err cmt_evidence_decode(struct cmt_evidence *evidence, struct cs_bytes bytes,
					     struct cs_arena *arena, struct cs_why *why);
/* By which a node knows evidence that it has. Of a light attack CometBFT hashes 31 of the header's
 * 32 bytes, and the common height: the signatures may vary. The arena holds the votes meanwhile:
 * NO_MEMORY. */
CS_NODISCARD enum cs_err cmt_evidence_hash(struct cs_hash *hash,
					   const struct cmt_evidence *evidence,
					   struct cs_arena *arena);
/* A header's evidence_hash; the leaves are the encoded messages without the oneof around them. */
CS_NODISCARD enum cs_err cmt_evidence_root(struct cs_hash *root, const struct cmt_evidence *list,
					   size_t count, struct cs_arena *arena);
/* Room for cmt_evidence_encode. */
size_t cmt_evidence_size_max(const struct cmt_evidence *evidence);

/* ---- verification ---- */

/* Older than both bounds of the parameters, seen from a block's height and time. */
bool cmt_evidence_is_old(const struct cmt_evidence *evidence, const struct cmt_params *params,
			 int64_t height, struct cs_pb_time now);
/* Against the set and the time of the votes' height. NOT_FOUND: no validator then; INVALID: not two
 * votes of one validator for one place and two blocks, other powers or another time than recorded;
 * BAD_SEAL; CRYPTO. */
CS_NODISCARD enum cs_err cmt_duplicate_vote_verify(const struct cmt_duplicate_vote *evidence,
						   const struct cmt_chain_id *chain_id,
						   const struct cmt_validator_set *set,
						   struct cs_pb_time time, struct cs_why *why);
/* Against the node's own: `common`, the header of the common height, with its set; `trusted`, the
 * one of the conflicting height with its commit, or the newest where the chain is not that far (a
 * forward lunatic attack). The list of the guilty is computed and compared. Of evidence that passed
 * cmt_evidence_check. INVALID: the same header, one that the trusted header does not make wrong,
 * times or powers that are not recorded so, another list; and the refusals of commits. */
CS_NODISCARD enum cs_err cmt_light_attack_verify(const struct cmt_light_attack *evidence,
						 const struct cmt_header *common,
						 const struct cmt_validator_set *common_set,
						 const struct cmt_header *trusted,
						 const struct cmt_commit *trusted_commit,
						 struct cs_arena *arena, struct cs_why *why);

#endif
