/* eth_getProof's answer in one form, whatever node it comes from, checked against the state root
 * before anybody sees it. */
#ifndef ADAPTERS_EVM_PROOF_H
#define ADAPTERS_EVM_PROOF_H

#include "adapters/adapter.h"
#include "adapters/evm/json.h"

/* As ProofNodes wants it: the last node apart where it is large. TOO_LARGE. Views. */
CS_NODISCARD enum cs_err evm_proof_from_nodes(struct adapter_proof *proof,
					      const struct cs_bytes *nodes, size_t count);
/* An array of "0x…" nodes, into memory. The lone node 0x80 becomes no node. */
CS_NODISCARD enum cs_err evm_proof_read(struct adapter_proof *proof, struct cs_buf *memory,
					const json_t *array);
/* The whole answer; slots[count] is filled. An absent account has no storage proofs, whatever roots
 * and hashes the node shows for it. The errors of verify_account and verify_storage; RPC_LIE: a
 * value that is not the proven one. proof->block stays. */
CS_NODISCARD enum cs_err evm_account_proof_read(struct adapter_account_proof *proof,
						struct adapter_slot_proof *slots,
						struct cs_buf *memory, const json_t *json,
						const struct cs_hash *state_root,
						const struct cs_address *address,
						const struct cs_hash *wanted, size_t count);

#endif
