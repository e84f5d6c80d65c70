/* What contracts that take the signatures of enclaves ask for: the tag of this ledger, to which such
 * signatures are bound, and whether the register (contract 4) holds a key to be active. Knows no
 * preimage. */
#ifndef LEDGER_SIGNERS_H
#define LEDGER_SIGNERS_H

#include "relay_state/ledger/contract.h"

/* Computes on data of others, in the register's numbers: what signs usage and tasks. */
#define LEDGER_SIGNER_ROLE_COMPUTE 3u

/* The chain's tag, with gas for it. DAMAGED: before it has one. */
CS_NODISCARD enum cs_err ledger_signers_chain(struct ledger_call *call, struct cs_hash *tag);

/* Reverts unless the register says so of the key, by `isActive(bytes32 key, uint8 role) returns (bool)`
 * : EnclaveNotActive(bytes32). A ledger without a register has no such key. */
CS_NODISCARD enum cs_err ledger_signers_require(struct ledger_call *call, const struct cs_hash *key,
						uint8_t role);

/* The same, and a BIP-340 signature (R.x, s) of the key over the digest: SignatureInvalid(). */
CS_NODISCARD enum cs_err ledger_signers_check(struct ledger_call *call, const struct cs_hash *key,
					      uint8_t role, const uint8_t signature[64],
					      const struct cs_hash *digest);

#endif
