/* A block header as the adapter keeps it: the RLP that hashes to the block hash, built from the
 * node's JSON or from debug_getRawHeader. A header whose bytes do not hash to what the node says is
 * never made. */
#ifndef ADAPTERS_EVM_HEADER_H
#define ADAPTERS_EVM_HEADER_H

#include "adapters/adapter.h"
#include "adapters/evm/json.h"

#define EVM_BLOOM_SIZE 256
#define EVM_TX_COUNT_UNKNOWN SIZE_MAX
/* Bits of a bloom from which on it tells little: at 1280 of 2048 every seventh block without an
 * event of ours seems to have one. */
#define EVM_BLOOM_BITS_FULL 1280

/* Shared by counting; nobody changes it. */
struct evm_header {
	unsigned refs;
	struct adapter_header public; /* rlp: a view of raw */
	struct cs_hash state_root;
	struct cs_hash receipts_root;
	uint8_t bloom[EVM_BLOOM_SIZE];
	bool has_base_fee;
	uint64_t base_fee_wei; /* UINT64_MAX when it is even more */
	uint64_t gas_limit;
	size_t tx_count;
	struct cs_hash
		*tx_hashes; /* tx_count, as the node says: nothing proves them. NULL: unknown */
	size_t raw_size;
	uint8_t raw[];
};

/* The hash must be keccak of the RLP, or QBFT's (round 0, no seals): RPC_LIE otherwise, and the
 * codec's errors. transactions: the array of hashes (or of objects, which leaves the hashes unknown)
 * that the node gave; NULL: unknown. OVERFLOW: a height or time of 2^63 and more. */
CS_NODISCARD enum cs_err evm_header_from_raw(struct evm_header **header, struct cs_bytes raw,
					     const struct cs_hash *hash,
					     const json_t *transactions);
/* Of eth_getBlockBy… with or without full transactions: every field that forks up to now have, as
 * long as they follow each other. RPC_LIE with *hash filled: the fields do not make this hash, so
 * that the node's raw bytes are to be asked for. Other errors: a field is missing or malformed. */
CS_NODISCARD enum cs_err evm_header_from_json(struct evm_header **header, struct cs_hash *hash,
					      const json_t *block);
/* Of its own, without the hashes of its transactions. */
struct evm_header *evm_header_copy(const struct evm_header *header);
struct evm_header *evm_header_ref(struct evm_header *header);
/* NULL is allowed. */
void evm_header_unref(struct evm_header *header);

/* False: no log of this address (and topic, if not NULL) is in the block. True: perhaps. */
bool evm_bloom_may_have(const uint8_t bloom[EVM_BLOOM_SIZE], struct cs_bytes address_or_topic);
bool evm_bloom_is_full(const uint8_t bloom[EVM_BLOOM_SIZE]);

#endif
