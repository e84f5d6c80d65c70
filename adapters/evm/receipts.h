/* The receipts of a block as a trie whose root was compared with the header: from
 * debug_getRawReceipts, eth_getBlockReceipts or one by one, whichever the node has. Kept by block,
 * so that many proofs of one block build one trie. */
#ifndef ADAPTERS_EVM_RECEIPTS_H
#define ADAPTERS_EVM_RECEIPTS_H

#include "adapters/evm/header.h"
#include "adapters/evm/trie_build.h"
#include "adapters/rpc.h"

#define EVM_RECEIPTS_BLOCKS_MAX 64
#define EVM_RECEIPTS_MEMORY_MAX (256u << 20)
/* Blocks that are being asked for, and who waits for them. */
#define EVM_RECEIPTS_WAITERS_MAX 4096
/* anvil builds eth_getBlockReceipts in time quadratic in the transactions: 0.1 s at 600, 10 s at
 * 4,800. */
#define EVM_RECEIPTS_QUADRATIC_MAX 300

struct evm_receipts;

/* The trie is valid during the call. */
typedef void evm_receipts_done(void *ctx, enum cs_err err, const char *why,
			       const struct evm_trie *trie);

struct evm_receipts *evm_receipts_new(struct host_loop *loop, struct adapter_rpc *rpc);
/* After adapter_rpc_close: nothing is being asked for any more. */
void evm_receipts_free(struct evm_receipts *receipts);
/* Asks what kind of node it is. */
void evm_receipts_start(struct evm_receipts *receipts);
/* done is called in a later turn, from the cache too. done NULL: only to have it ready. FULL.
 * Errors for done: REORGED (no such block any more), UNAVAILABLE (the block is there, its receipts
 * are not: pruned), RPC_LIE, and those of the node. */
CS_NODISCARD enum cs_err evm_receipts_get(struct evm_receipts *receipts, struct evm_header *header,
					  evm_receipts_done *done, void *ctx);
void evm_receipts_counters(const struct evm_receipts *receipts, uint64_t *built, uint64_t *hits);

#endif
