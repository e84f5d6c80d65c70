/* An append-only Merkle log (RFC 6962 section 2.1, RFC 9162 section 2.1: SHA-256, 0x00 before a leaf,
 * 0x01 before a node) as one bounded value of the ledger's state: what was appended is not kept, and
 * whoever has all lines makes the same root again. The tree is CometBFT's (verify/cometbft/merkle.h),
 * whose audit paths are this log's too; here are the value, and proofs of consistency.
 *
 *     value = count (8) ‖ roots of the full subtrees, the largest first (32 each): one for each bit of
 *             the count that is set */
#ifndef LEDGER_MERKLE_LOG_H
#define LEDGER_MERKLE_LOG_H

#include "core/reader.h"
#include "verify/cometbft/merkle.h"

/* Four thousand million lines: a party has a log for each month. */
#define LEDGER_MERKLE_COUNT_MAX UINT32_MAX
#define LEDGER_MERKLE_SIZE_MAX (8u + 32u * 32u)

/* FULL: LEDGER_MERKLE_COUNT_MAX lines are in it. At most 32 hashes, one on average. */
CS_NODISCARD enum cs_err ledger_merkle_append(struct cmt_merkle *log, struct cs_bytes line);

void ledger_merkle_encode(struct cs_buf *buf, const struct cmt_merkle *log);
/* Reads one from where the reader is. TOO_LARGE: a count above the maximum. What is cut is the
 * reader's to tell. */
CS_NODISCARD enum cs_err ledger_merkle_decode(struct cmt_merkle *log, struct cs_reader *reader);

/* That a log of `count` lines began with the old one's. */
struct ledger_consistency {
	struct cs_hash nodes[CMT_AUNTS_MAX + 1];
	size_t count;
};

/* From all nodes of the newer log; old_count is at most its count. Of an empty log, or of the same,
 * no nodes. */
void ledger_merkle_prove_consistency(struct ledger_consistency *proof, const struct cmt_tree *tree,
				     uint64_t old_count);

struct ledger_merkle_head {
	uint64_t count;
	struct cs_hash root;
};
/* RFC 9162 section 2.1.4.2. BAD_PROOF: anything else than the nodes that these counts ask for and
 * that lead to both roots. */
CS_NODISCARD enum cs_err ledger_merkle_check_consistency(const struct ledger_consistency *proof,
							 const struct ledger_merkle_head *old,
							 const struct ledger_merkle_head *now);

#endif
