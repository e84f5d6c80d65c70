/* Transactions of an account whose key the host holds: encoded and signed, EIP-1559 or, where a chain
 * has no base fee, EIP-155. It never sends anything. */
#ifndef ADAPTERS_EVM_SIGN_H
#define ADAPTERS_EVM_SIGN_H

#include "adapters/adapter.h"
#include "core/sig.h"

struct adapter_evm_call {
	uint64_t chain_id;
	struct cs_address from; /* of the key: where a cancellation goes */
	struct cs_address to;
	struct cs_hash value; /* a word */
	struct cs_bytes data;
};

/* Under these terms: the call, or its cancellation. *raw: the caller's, freed by free(); hash: the
 * transaction's. Errors: those of cs_ecdsa_sign. */
CS_NODISCARD enum cs_err adapter_evm_sign(uint8_t **raw, size_t *raw_size, struct cs_hash *hash,
					  const struct cs_sig *sig, const struct cs_secret *key,
					  const struct adapter_evm_call *call,
					  const struct adapter_terms *terms);

#endif
