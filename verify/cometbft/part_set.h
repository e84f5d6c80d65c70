/* Blocks in parts of 64 KiB, each with a proof under the part set header that votes sign
 * (types/part_set.go). Which parts a node has is the engine's matter. */
#ifndef CMT_PART_SET_H
#define CMT_PART_SET_H

#include "verify/cometbft/block_id.h"
#include "verify/cometbft/merkle.h"

/* tendermint.types.Part. */
#define CMT_PART_ENCODED_SIZE_MAX (CMT_PART_SIZE + CMT_PROOF_SIZE_MAX + 32u)

struct cmt_part {
	uint32_t index;
	struct cs_bytes bytes; /* a view */
	struct cmt_proof proof;
};

/* An encoded block as parts; a view of it, and a tree of the arena. */
struct cmt_part_set {
	struct cs_bytes block;
	struct cmt_tree tree;
	struct cmt_part_set_header header;
};

/* TOO_LARGE above CMT_BLOCK_SIZE_MAX; INVALID: no bytes; NO_MEMORY. */
CS_NODISCARD enum cs_err cmt_part_set_make(struct cmt_part_set *set, struct cs_bytes block,
					   struct cs_arena *arena);
/* index < header.total. */
void cmt_part_get(struct cmt_part *part, const struct cmt_part_set *set, uint32_t index);

/* Whether it is the part of its index under the header. BAD_PROOF: another index or total than the
 * proof's, not under the hash; TOO_LARGE: above CMT_PART_SIZE; INVALID: one that is not the last
 * and shorter, a header without parts. */
CS_NODISCARD enum cs_err cmt_part_check(const struct cmt_part *part,
					const struct cmt_part_set_header *header);
void cmt_part_encode(struct cs_buf *buf, const struct cmt_part *part);
/* A view into `bytes`. The errors of cs_pb and cmt_proof_decode. */
CS_NODISCARD enum cs_err cmt_part_decode(struct cmt_part *part, struct cs_bytes bytes);

#endif
