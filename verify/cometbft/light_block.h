/* What a light client is given for one height: header, commit and validator set, and whether the
 * three belong together (types/light.go). Nothing here says that the set is the right one: light.h
 * does. */
#ifndef CMT_LIGHT_BLOCK_H
#define CMT_LIGHT_BLOCK_H

#include "verify/cometbft/commit.h"
#include "verify/cometbft/header.h"

#define CMT_LIGHT_BLOCK_SIZE_MAX(validators)                     \
	(CMT_HEADER_SIZE_MAX + CMT_COMMIT_SIZE_MAX(validators) + \
	 CMT_VALIDATOR_SET_SIZE_MAX(validators) + 32u)
/* What the decoder takes of an arena for so many validators. */
#define CMT_LIGHT_BLOCK_ARENA_SIZE(validators)                                          \
	((validators) * (sizeof(struct cmt_commit_sig) + sizeof(struct cmt_validator) + \
			 sizeof(uint16_t)) +                                            \
	 96u)

struct cmt_light_block {
	struct cmt_header header;
	struct cmt_commit commit;
	struct cmt_validator_set validators; /* of the header's height */
};

/* Of a header and commit that passed their checks: the commit is for this header. WRONG_BLOCK. */
CS_NODISCARD enum cs_err cmt_signed_header_check(const struct cmt_header *header,
						 const struct cmt_commit *commit,
						 struct cs_why *why);
/* All of it but signatures: header, commit, that they are of one block, that the set is the
 * header's (BAD_SIGNER_SET). */
CS_NODISCARD enum cs_err cmt_light_block_check(const struct cmt_light_block *block,
					       struct cs_why *why);

/* tendermint.types.LightBlock. Of a set with a proposer. */
void cmt_light_block_encode(struct cs_buf *buf, const struct cmt_light_block *block);
/* Signatures and validators are the arena's. The errors of the three parts and of
 * cmt_light_block_check; MISSING_FIELD. */
CS_NODISCARD enum cs_err cmt_light_block_decode(struct cmt_light_block *block,
						struct cs_bytes bytes, struct cs_arena *arena,
						struct cs_why *why);

#endif
