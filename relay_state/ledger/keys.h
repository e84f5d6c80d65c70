/* Which keys speak for a remote, who may change that, and whether a statement is one of theirs: what
 * contracts/evm/src/KeyRegistry.sol is. Knows nothing of what statements are about.
 *
 * The first key of a remote is registered by the owner without delay; later ones by the owner after
 * the delay, or by the current key's own announcement after the rotation's delay, which is longer.
 * Guardian and owner suspend and revoke at once. Only the owner, after the delay, enables a suspended
 * key again; a revoked one never comes back.
 *
 * Storage: slot 2 of docs/protocol/envelope.md section 5. Own state: 'n' ‖ remote ‖ epoch: who named
 * the key (1). */
#ifndef LEDGER_KEYS_H
#define LEDGER_KEYS_H

#include "relay_state/ledger/contract.h"
#include "wire/envelope.h"

/* The tuple of a call: a signature over the root of a batch, and the path from what the call carries
 * up to it. */
struct ledger_statement {
	uint64_t epoch;
	uint64_t manifest;
	struct cs_schnorr signature;
	size_t path_count;
	struct cs_hash path[CS_PATH_MAX];
};
/* The errors of cs_abi_get_…; TOO_LARGE for a path above CS_PATH_MAX. */
CS_NODISCARD enum cs_err ledger_statement_read(struct cs_abi_reader *in,
					       struct ledger_statement *statement);

/* Reverts unless it is a statement of this kind by a valid key of `signer`, made for this contract,
 * over a tree that holds `subtree`: KeyNotActive(), KeyEarly(), KeyExpired(), ManifestTooOld(),
 * SignatureInvalid(). */
CS_NODISCARD enum cs_err ledger_statement_check(struct ledger_call *call, enum wire_kind kind,
						const struct cs_hash *signer,
						const struct ledger_statement *statement,
						const struct cs_hash *subtree);
/* The same for a statement that was made for somebody else: who keeps what others were told. */
CS_NODISCARD enum cs_err ledger_statement_check_for(struct ledger_call *call, enum wire_kind kind,
						    const struct cs_hash *signer,
						    const struct cs_hash *receiver,
						    const struct ledger_statement *statement,
						    const struct cs_hash *subtree);
/* Whether x signed it, whatever its key's state is and the times are: SignatureInvalid(). Takes the
 * gas of it; *digest is what was signed, in this contract's domain. */
CS_NODISCARD enum cs_err ledger_statement_verify(struct ledger_call *call, struct cs_hash *digest,
						 const struct cs_hash *x, enum wire_kind kind,
						 const struct cs_hash *signer,
						 const struct cs_hash *receiver,
						 const struct ledger_statement *statement,
						 const struct cs_hash *subtree);

/* ---- for contracts that name keys by rules of their own ---- */

/* Absent where none was named. */
CS_NODISCARD enum cs_err ledger_key_get(struct ledger_call *call, struct wire_key *key,
					const struct cs_hash *remote, uint64_t epoch);
/* KeyInvalid() unless 0 < x < n and a point has this x. */
CS_NODISCARD enum cs_err ledger_key_check(struct ledger_call *call, const struct cs_hash *x);
/* As the owner names a key: it is active from not_before_s on; one that was announced with this x is
 * confirmed. KeyKnown(). */
CS_NODISCARD enum cs_err ledger_key_name(struct ledger_call *call, const struct cs_hash *remote,
					 uint64_t epoch, const struct cs_hash *x,
					 uint64_t not_before_s);
/* The same for a key that is there: it no longer falls with its predecessor. KeyUnknown(). */
CS_NODISCARD enum cs_err ledger_key_confirm(struct ledger_call *call, const struct cs_hash *remote,
					    uint64_t epoch);
/* Ends a key for ever with the successors that it alone named; one that has ended, or is not there,
 * stays as it is. */
CS_NODISCARD enum cs_err ledger_key_revoke(struct ledger_call *call, const struct cs_hash *remote,
					   uint64_t epoch);

ledger_function_fn ledger_keys_identity, ledger_keys_domain, ledger_keys_insecure,
	ledger_keys_rotation_delay, ledger_keys_overlap, ledger_keys_raise_manifest,
	ledger_keys_register, ledger_keys_suspend, ledger_keys_revoke, ledger_keys_enable,
	ledger_keys_retire, ledger_keys_announce, ledger_keys_of;

/* clang-format off */
#define LEDGER_KEYS_FUNCTIONS                                                                          \
	{"identity()", 0x2c159a1a, 0, false, 0, ledger_keys_identity},                                 \
	{"domain()", 0xc2fb26a6, 0, false, 0, ledger_keys_domain},                                     \
	{"insecure()", 0x783075c6, 0, false, 0, ledger_keys_insecure},                                 \
	{"rotationDelay()", 0xc647f844, 0, false, 0, ledger_keys_rotation_delay},                      \
	{"overlap()", 0xea9e4070, 0, false, 0, ledger_keys_overlap},                                   \
	{"raiseManifest(bytes32,uint64)", 0x52929df8, 2, false, 0, ledger_keys_raise_manifest},        \
	{"registerKey(bytes32,uint64,bytes32,bytes32,bytes32)",                                        \
	 0x78bb0b07, 5, false, 0, ledger_keys_register},                                               \
	{"suspendKey(bytes32,uint64)", 0x98aeb5d5, 2, false, 0, ledger_keys_suspend},                  \
	{"revokeKey(bytes32,uint64)", 0xa675c9a9, 2, false, 0, ledger_keys_revoke},                    \
	{"enableKey(bytes32,uint64)", 0xa7b96b86, 2, false, 0, ledger_keys_enable},                    \
	{"retireKey(bytes32,uint64,uint64)", 0x4b5846ac, 3, false, 0, ledger_keys_retire},             \
	{"announceRotation(bytes32,(uint64,uint64,uint256,uint256,uint256,bytes32[]),uint64,bytes32)", \
	 0x3ad7a664, 4, false, 0, ledger_keys_announce},                                               \
	{"keyOf(bytes32,uint64)", 0xa7eb8241, 2, false, 0, ledger_keys_of}
/* clang-format on */

#endif
