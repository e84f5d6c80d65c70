/* Whole blocks: header, transactions, evidence, the last commit, and that they belong together
 * (types/block.go). Whether the block is the right one for a state is the engine's matter. */
#ifndef CMT_BLOCK_H
#define CMT_BLOCK_H

#include "verify/cometbft/evidence.h"
#include "verify/cometbft/part_set.h"
#include "verify/cometbft/tx.h"

/* Of one block: 21 MB, CometBFT's default, in transactions of 84 bytes. */
#define CMT_TXS_MAX (256u * 1024)

struct cmt_block {
	struct cmt_header header;
	struct cs_bytes *txs; /* views */
	size_t tx_count;
	struct cmt_evidence *evidence;
	size_t evidence_count;
	struct cmt_commit last_commit;
};

/* What the header says of the rest: WRONG_BLOCK (a hash of the last commit, of the transactions, of
 * the evidence), and the errors of each part. The arena is given back. */
CS_NODISCARD enum cs_err cmt_block_check(const struct cmt_block *block, struct cs_arena *arena,
					 struct cs_why *why);
/* Fills the three hashes in the header from the rest. NO_MEMORY. */
CS_NODISCARD enum cs_err cmt_block_fill_hashes(struct cmt_block *block, struct cs_arena *arena);
/* tendermint.types.Block. */
void cmt_block_encode(struct cs_buf *buf, const struct cmt_block *block);
size_t cmt_block_size_max(const struct cmt_block *block);
/* Views into `bytes`; tables are the arena's. TOO_LARGE: CMT_BLOCK_SIZE_MAX, CMT_TXS_MAX,
 * CMT_EVIDENCE_MAX; the errors of cs_pb and cmt_block_check. */
CS_NODISCARD enum cs_err cmt_block_decode(struct cmt_block *block, struct cs_bytes bytes,
					  struct cs_arena *arena, struct cs_why *why);

#endif
