/* Transactions of an account whose key the host holds: encoded and signed, EIP-1559 or, where a chain
 * has no base fee, EIP-155. It never sends anything. */
#ifndef ADAPTERS_EVM_SIGN_H
#define ADAPTERS_EVM_SIGN_H

#include "adapters/adapter.h"
#include "core/sig.h"

/* Under these terms: the call, or its cancellation. *raw: the caller's, freed by free(); hash: the
 * transaction's. Errors: those of cs_ecdsa_sign. */
CS_NODISCARD enum cs_err adapter_evm_sign(uint8_t **raw, size_t *raw_size, struct cs_hash *hash,
					  const struct cs_sig *sig, const struct cs_secret *key,
					  uint64_t chain_id, const struct adapter_signing *call,
					  const struct adapter_terms *terms);

#endif
