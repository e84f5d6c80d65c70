/* What a chain's gateway says in a final block: words of its storage, proven as the chain proves its
 * state. Of an EVM chain that is a Merkle-Patricia proof under the gateway's account, of a ledger an
 * ICS-23 proof under the application hash; each chain takes its own kind alone. */
#include "verify/cometbft/gateway.h"

#include "enclave/state.h"

static enum cs_err state_proof(struct enclave_call *call, struct cs_bytes *proof,
			       const Caisson__Wire__ProofNodes *pb)
{
	if (pb->n_nodes != 0 || pb->leaf.len != 0)
		return cs_fail(&call->why, CS_ERR_INVALID,
			       "nodes of a trie, where the chain proves by ICS-23");
	if (pb->state.len == 0)
		return cs_fail(&call->why, CS_ERR_MISSING_FIELD, "no ICS-23 proof");
	*proof = wire_pb_view(pb->state);
	return CS_OK;
}

static enum cs_err check_ledger(struct enclave_call *call, const struct enclave_chain *chain,
				const struct verify_block *block,
				const Caisson__Wire__ProofNodes *account,
				const Caisson__Wire__ProofNodes *sentinel)
{
	struct cs_bytes proof;
	/* The contract is the ledger's own: there is no account whose code could be another's. */
	if (account != NULL &&
	    (account->n_nodes != 0 || account->leaf.len != 0 || account->state.len != 0))
		return cs_fail(&call->why, CS_ERR_INVALID, "a ledger's gateway has no account");
	CS_TRY(state_proof(call, &proof, sentinel));
	return cmt_gateway(&block->state_root, &chain->manifest->identity, proof);
}

static enum cs_err check_evm(struct enclave_call *call, struct cs_hash *storage_root,
			     const struct enclave_chain *chain, const struct verify_block *block,
			     const Caisson__Wire__ProofNodes *account,
			     const Caisson__Wire__ProofNodes *sentinel)
{
	const struct verify_evm_gateway gateway = {.address = chain->manifest->gateway,
						   .code_hash = chain->manifest->code_hash,
						   .identity = chain->manifest->identity};
	struct verify_nodes account_nodes;
	struct verify_nodes sentinel_nodes;
	CS_TRY(enclave_nodes(call, &account_nodes, account));
	CS_TRY(enclave_nodes(call, &sentinel_nodes, sentinel));
	return verify_evm_gateway(storage_root, block, &gateway, &account_nodes, &sentinel_nodes);
}

enum cs_err enclave_gateway_at(struct enclave_call *call, struct enclave_gateway *gateway,
			       const struct enclave_chain *chain, const struct verify_block *block,
			       const Caisson__Wire__ProofNodes *account,
			       const Caisson__Wire__ProofNodes *sentinel)
{
	struct enclave_gateway found = {enclave_chain_is_ledger(chain), block->state_root};
	const enum cs_err err =
		found.is_ledger ? check_ledger(call, chain, block, account, sentinel)
				: check_evm(call, &found.root, chain, block, account, sentinel);
	if (err != CS_OK)
		return cs_fail(&call->why, err, "gateway of %s at block %llu: %s",
			       chain->manifest->caip2, (unsigned long long)block->height,
			       cs_err_sentence(err));
	*gateway = found;
	return CS_OK;
}

enum cs_err enclave_gateway_status(struct enclave_call *call, enum wire_status *status,
				   const struct enclave_gateway *gateway,
				   const struct cs_hash *source, uint64_t sequence,
				   const Caisson__Wire__ProofNodes *pb)
{
	struct verify_nodes nodes;
	struct cs_bytes proof;
	if (gateway->is_ledger) {
		CS_TRY(state_proof(call, &proof, pb));
		return cmt_gateway_status(status, &gateway->root, source, sequence, proof);
	}
	CS_TRY(enclave_nodes(call, &nodes, pb));
	return verify_evm_gateway_status(status, &gateway->root, source, sequence, &nodes);
}

enum cs_err enclave_gateway_key(struct enclave_call *call, struct wire_key *key,
				const struct enclave_gateway *gateway, const struct cs_hash *remote,
				uint64_t epoch, const Caisson__Wire__ProofNodes *x_pb,
				const Caisson__Wire__ProofNodes *window_pb)
{
	struct verify_nodes x_nodes, window_nodes;
	struct cs_bytes x, window;
	if (gateway->is_ledger) {
		CS_TRY(state_proof(call, &x, x_pb));
		CS_TRY(state_proof(call, &window, window_pb));
		return cmt_gateway_key(key, &gateway->root, remote, epoch, x, window);
	}
	CS_TRY(enclave_nodes(call, &x_nodes, x_pb));
	CS_TRY(enclave_nodes(call, &window_nodes, window_pb));
	return verify_evm_gateway_key(key, &gateway->root, remote, epoch, &x_nodes, &window_nodes);
}

enum cs_err enclave_gateway_sent(struct enclave_call *call, const struct enclave_gateway *gateway,
				 const struct cs_hash *message_id,
				 const Caisson__Wire__ProofNodes *pb)
{
	struct cs_bytes proof;
	bool sent;
	cs_assert(gateway->is_ledger);
	CS_TRY(state_proof(call, &proof, pb));
	CS_TRY(cmt_gateway_sent(&sent, &gateway->root, message_id, proof));
	return sent ? CS_OK : CS_ERR_NOT_FOUND;
}
