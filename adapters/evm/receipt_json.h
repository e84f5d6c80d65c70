/* Receipts out of a node's JSON: the consensus bytes of a receipt (EIP-2718). Logs with their places,
 * out of receipts. Of the answers of eth_getLogs only the blocks that they name: what is in a block
 * is told by its receipts. */
#ifndef ADAPTERS_EVM_RECEIPT_JSON_H
#define ADAPTERS_EVM_RECEIPT_JSON_H

#include "adapters/adapter.h"
#include "adapters/evm/contracts.h"
#include "adapters/evm/json.h"

/* A receipt: 30 M gas of logs at 8 gas a byte is 3.75 MB; what the trie and the enclave take is
 * less (64 KiB). */
#define EVM_RECEIPT_SIZE_MAX (4u << 20)

/* An upper bound of the bytes that evm_receipt_put writes. */
size_t evm_receipt_size_max(const json_t *receipt);
/* Appends the receipt as the trie holds it. Checks that it is of this block and index. RPC_LIE,
 * MISSING_FIELD, MALFORMED. */
CS_NODISCARD enum cs_err evm_receipt_put(struct cs_buf *buf, const json_t *receipt,
					 const struct cs_hash *block_hash, uint32_t index);

#define EVM_LOG_TOPICS_MAX 4

/* data: owned by the list. */
struct evm_log {
	struct adapter_position at;
	struct cs_address address;
	struct cs_hash topics[EVM_LOG_TOPICS_MAX];
	size_t topic_count;
	struct cs_bytes data;
};

struct evm_logs {
	struct evm_log *logs; /* by height, then by index */
	size_t count;
	size_t capacity;
};

/* A copy of the data is made. */
void evm_logs_append(struct evm_logs *logs, const struct evm_log *log);
void evm_logs_clear(struct evm_logs *logs);

/* Blocks that an answer names: nothing else of it is used. */
struct evm_candidates {
	struct adapter_block_id *ids; /* ascending; freed by free() */
	size_t count;
};

/* Appends the blocks of an eth_getLogs answer, each once. All logs must be of the contracts and of
 * heights in from..to, ascending by height, one hash for each, none `removed`: RPC_LIE otherwise.
 * After a failure nothing was appended. */
CS_NODISCARD enum cs_err evm_candidates_append_json(struct evm_candidates *blocks,
						    const json_t *logs,
						    const struct evm_contracts *contracts,
						    uint64_t from, uint64_t to);

#endif
