/* Transactions and their results under a header: data_hash, proofs under it, last_results_hash
 * (types/tx.go, types/results.go). A proof shows that a transaction is in the block, not what it
 * did. */
#ifndef CMT_TX_H
#define CMT_TX_H

#include "verify/cometbft/merkle.h"

/* The root of a block's transactions: the leaves are their hashes. */
struct cs_hash cmt_data_hash(const struct cs_bytes *txs, size_t count);
/* The tree behind it, for proofs. NO_MEMORY. */
CS_NODISCARD enum cs_err cmt_data_tree(struct cmt_tree *tree, struct cs_arena *arena,
				       const struct cs_bytes *txs, size_t count);
/* Whether the transaction is under the data hash, at proof->index. BAD_PROOF. */
CS_NODISCARD enum cs_err cmt_tx_check(const struct cmt_proof *proof,
				      const struct cs_hash *data_hash, struct cs_bytes tx);

/* The part of abci.ExecTxResult that every node must have alike. */
struct cmt_tx_result {
	uint32_t code;
	struct cs_bytes data; /* a view */
	int64_t gas_wanted;
	int64_t gas_used;
};

/* One leaf: CMT_RESULT_SIZE_MAX bytes. */
#define CMT_RESULT_SIZE_MAX(data_size) ((data_size) + 48u)
void cmt_result_encode(struct cs_buf *buf, const struct cmt_tx_result *result);
/* The last_results_hash of the next header. The arena holds one leaf at a time: NO_MEMORY. */
CS_NODISCARD enum cs_err cmt_results_hash(struct cs_hash *hash, const struct cmt_tx_result *results,
					  size_t count, struct cs_arena *arena);

#endif
