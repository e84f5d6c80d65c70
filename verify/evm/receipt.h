/* A transaction's receipt under a block's receipts root, and one log in it. Typed receipts
 * (EIP-2718) of every type are read the same way: the payload has had one shape from type 1 to 4,
 * and a type with another shape is refused. */
#ifndef VERIFY_EVM_RECEIPT_H
#define VERIFY_EVM_RECEIPT_H

#include "verify/evm/trie.h"

#define VERIFY_LOG_TOPICS_MAX 4u
/* Logs of one receipt: what 375 gas a log allow in a block of 60 M, rounded up to a power of two. */
#define VERIFY_LOGS_MAX (1u << 18)

struct verify_receipt {
	uint8_t type; /* 0: legacy */
	bool success;
	uint64_t cumulative_gas;
	struct cs_bytes logs; /* the payload of the list */
	size_t log_count;
};

struct verify_log {
	struct cs_address address;
	struct cs_hash topics[VERIFY_LOG_TOPICS_MAX];
	size_t topic_count;
	struct cs_bytes data;
};

/* The receipt of transaction `index`. NO_RECEIPT: the block proves that it has no such transaction.
 * UNSUPPORTED: a receipt from before Byzantium (a state root in place of the status), or an unknown
 * type of another shape. The errors of verify_trie. */
CS_NODISCARD enum cs_err verify_receipt(struct verify_receipt *receipt,
					const struct cs_hash *receipts_root, uint32_t index,
					const struct verify_nodes *proof);
/* Reads a receipt as the trie holds it. A failed transaction has no logs: MALFORMED when it has. */
CS_NODISCARD enum cs_err verify_receipt_read(struct verify_receipt *receipt, struct cs_bytes value);
/* The log at a position in the receipt, from 0. NO_LOG when there are not so many. */
CS_NODISCARD enum cs_err verify_receipt_log(struct verify_log *log,
					    const struct verify_receipt *receipt, uint32_t index);
/* Whether any log's topic at `position` is `topic`. */
bool verify_receipt_has_topic(const struct verify_receipt *receipt, size_t position,
			      const struct cs_hash *topic);

#endif
