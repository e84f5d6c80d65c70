/* A signed transaction as eth_sendRawTransaction takes it, read before it is passed on: whose it is, and
 * what it calls. Bytes in, fields out; nothing is sent. */
#ifndef ADAPTERS_EVM_TRANSACTION_H
#define ADAPTERS_EVM_TRANSACTION_H

#include "adapters/adapter.h"
#include "core/sig.h"

/* Of types 0 (with the chain's id: EIP-155), 1 (EIP-2930) and 2 (EIP-1559), strictly as RLP; data is a
 * view into raw. The errors of cs_rlp_check; UNSUPPORTED: another type; INVALID: of another chain, of
 * every chain, or with a high s (EIP-2); BAD_SIGNATURE. */
CS_NODISCARD enum cs_err adapter_evm_transaction_read(struct adapter_transaction *out,
						      const struct cs_sig *sig, uint64_t chain_id,
						      struct cs_bytes raw, struct cs_why *why);

#endif
