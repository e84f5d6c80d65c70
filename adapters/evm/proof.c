#include "adapters/evm/proof.h"

#include "adapters/evm/inner.h"
#include "host/alloc.h"
#include "verify/evm/account.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- nodes ---- */

enum cs_err evm_proof_from_nodes(struct adapter_proof *proof, const struct cs_bytes *nodes,
				 size_t count)
{
	struct adapter_proof out = {.count = 0};

	for (size_t i = 0; i < count; i++) {
		if (nodes[i].n > ADAPTER_PROOF_NODE_SIZE_MAX && i + 1 == count) {
			out.leaf = nodes[i];
			break;
		}
		if (out.count == ADAPTER_PROOF_NODES_MAX ||
		    nodes[i].n > ADAPTER_PROOF_NODE_SIZE_MAX)
			return CS_ERR_TOO_LARGE;
		out.nodes[out.count++] = nodes[i];
	}
	*proof = out;
	return CS_OK;
}

/* anvil gives the node 0x80 for an empty trie, geth none: none it is. */
enum cs_err evm_proof_read(struct adapter_proof *proof, struct cs_buf *memory, const json_t *array)
{
	struct cs_bytes nodes[ADAPTER_PROOF_NODES_MAX + 1];
	size_t count = json_array_size(array);

	if (!json_is_array(array))
		return CS_ERR_MALFORMED;
	if (count > CS_LEN(nodes))
		return CS_ERR_TOO_LARGE;
	for (size_t i = 0; i < count; i++) {
		size_t begin = memory->n;

		CS_TRY(evm_json_bytes(memory, json_array_get(array, i)));
		CS_TRY(cs_buf_end(memory));
		nodes[i] = cs_bytes(memory->p + begin, memory->n - begin);
	}
	if (count == 1 && nodes[0].n == 1 && nodes[0].p[0] == 0x80)
		count = 0;
	return evm_proof_from_nodes(proof, nodes, count);
}

static struct verify_nodes view(const struct adapter_proof *proof)
{
	return (struct verify_nodes){.p = proof->nodes, .n = proof->count};
}

/* ---- eth_getProof ---- */

static enum cs_err read_slot(struct adapter_slot_proof *slot, struct cs_buf *memory,
			     const json_t *json, const struct verify_account *account)
{
	enum cs_err err;

	CS_TRY(evm_json_word(&slot->value, json_object_get(json, "value")));
	CS_TRY(evm_proof_read(&slot->proof, memory, json_object_get(json, "proof")));
	if (!account->exists)
		return CS_OK; /* there is no storage to prove anything about */
	struct verify_nodes nodes = view(&slot->proof);
	struct cs_hash word;
	err = verify_storage(&word, &account->storage_root, &slot->slot, &nodes);
	if (err != CS_OK)
		return err;
	return cs_hash_eq(&word, &slot->value) ? CS_OK : CS_ERR_RPC_LIE;
}

enum cs_err evm_account_proof_read(struct adapter_account_proof *proof,
				   struct adapter_slot_proof *slots, struct cs_buf *memory,
				   const json_t *json, const struct cs_hash *state_root,
				   const struct cs_address *address, const struct cs_hash *wanted,
				   size_t count)
{
	const json_t *storage = json_object_get(json, "storageProof");
	struct verify_account account;

	CS_TRY(evm_proof_read(&proof->account, memory, json_object_get(json, "accountProof")));
	struct verify_nodes nodes = view(&proof->account);
	CS_TRY(verify_account(&account, state_root, address, &nodes));
	proof->exists = account.exists;
	proof->code_hash = account.code_hash;
	if (!json_is_array(storage) || json_array_size(storage) != count)
		return CS_ERR_MALFORMED;
	for (size_t i = 0; i < count; i++) {
		slots[i].slot = wanted[i];
		CS_TRY(read_slot(&slots[i], memory, json_array_get(storage, i), &account));
	}
	proof->slots = slots;
	proof->slot_count = count;
	return CS_OK;
}

struct account_proof {
	struct evm *evm;
	adapter_account_proof_fn *done;
	void *ctx;
	struct adapter_block_id block;
	struct cs_hash state_root;
	struct cs_address address;
	bool again; /* one more try, elsewhere */
	size_t count;
	struct cs_hash slots[];
};

static void account_end(struct account_proof *request, enum cs_err err, const char *why,
			const struct adapter_account_proof *proof)
{
	request->done(request->ctx, err, why, proof);
	free(request);
}

static size_t text_size(const json_t *json)
{
	size_t size = 0;

	for (size_t i = 0; i < json_array_size(json); i++)
		size += evm_json_bytes_size(json_array_get(json, i));
	return size;
}

static size_t memory_size(const json_t *json)
{
	const json_t *storage = json_object_get(json, "storageProof");
	size_t size = text_size(json_object_get(json, "accountProof"));

	for (size_t i = 0; i < json_array_size(storage); i++)
		size += text_size(json_object_get(json_array_get(storage, i), "proof"));
	return size;
}

static enum cs_err ask_account(struct account_proof *request);

static void proof_wrong(struct account_proof *request, const struct adapter_rpc_reply *reply)
{
	static const char why[] = "a proof that does not lead to the state root";

	adapter_rpc_lied(request->evm->rpc, reply->endpoint, why);
	if (!request->again &&
	    adapter_rpc_other(request->evm->rpc, reply->endpoint) != reply->endpoint) {
		request->again = true;
		if (ask_account(request) == CS_OK)
			return;
	}
	account_end(request, CS_ERR_RPC_LIE, why, NULL);
}

static void proof_done(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct account_proof *request = ctx;
	struct adapter_account_proof proof = {.block = request->block};
	const struct adapter_rpc_reply *reply = &replies[0];
	struct cs_buf memory;

	(void)count;
	if (reply->class == ADAPTER_RPC_STATE) {
		account_end(request, CS_ERR_UNAVAILABLE, reply->why, NULL);
		return;
	}
	if (reply->class != ADAPTER_RPC_FINE) {
		account_end(request, reply->err, reply->why, NULL);
		return;
	}
	size_t size = memory_size(reply->result);
	uint8_t *block = host_alloc(size + 1);
	struct adapter_slot_proof *slots = host_calloc(request->count + 1, sizeof(*slots));
	cs_buf_init(&memory, block, size);
	enum cs_err err =
		evm_account_proof_read(&proof, slots, &memory, reply->result, &request->state_root,
				       &request->address, request->slots, request->count);
	if (err == CS_OK)
		account_end(request, CS_OK, "", &proof);
	else
		proof_wrong(request, reply);
	free(slots);
	free(block);
}

static enum cs_err ask_account(struct account_proof *request)
{
	struct adapter_rpc_options options = {.pin = ADAPTER_RPC_ANY,
					      .height_min = request->block.height};
	json_t *slots = json_array();

	for (size_t i = 0; i < request->count; i++)
		json_array_append_new(slots, host_json_hash(&request->slots[i]));
	return adapter_rpc_call(request->evm->rpc, &options, "eth_getProof",
				json_pack("[o,o,o]", evm_json_from_address(&request->address),
					  slots, host_json_hash(&request->block.hash)),
				proof_done, request);
}

static void account_header(void *ctx, enum cs_err err, const char *why, struct evm_header *header)
{
	struct account_proof *request = ctx;

	if (err == CS_OK) {
		request->state_root = header->state_root;
		err = ask_account(request);
		why = cs_err_sentence(err);
	}
	if (err != CS_OK)
		account_end(request, err, why, NULL);
}

enum cs_err evm_account_proof(struct adapter *adapter, const struct adapter_block_id *block,
			      const struct cs_address *address, const struct cs_hash *slots,
			      size_t count, adapter_account_proof_fn *done, void *ctx)
{
	struct evm *evm = evm_of(adapter);

	if (count > ADAPTER_SLOTS_MAX)
		return CS_ERR_INVALID;
	struct account_proof *request =
		host_alloc(sizeof(*request) + count * sizeof(request->slots[0]));
	*request = (struct account_proof){.evm = evm,
					  .done = done,
					  .ctx = ctx,
					  .block = *block,
					  .address = *address,
					  .count = count};
	memcpy(request->slots, slots, count * sizeof(slots[0]));
	enum cs_err err = evm_header_of(evm, block, false, account_header, request);
	if (err != CS_OK)
		free(request);
	return err;
}

/* ---- receipts ---- */

struct receipt_proof {
	struct evm *evm;
	adapter_receipt_proof_fn *done;
	void *ctx;
	struct adapter_block_id block;
	uint32_t tx_index;
	size_t claims_from;
};

static void receipt_end(struct receipt_proof *request, enum cs_err err, const char *why,
			const struct adapter_receipt_proof *proof)
{
	request->done(request->ctx, err, why, proof);
	free(request);
}

static void receipts_done(void *ctx, enum cs_err err, const char *why, const struct evm_trie *trie)
{
	struct receipt_proof *request = ctx;
	struct evm *evm = request->evm;
	struct adapter_receipt_proof proof = {.block = request->block,
					      .tx_index = request->tx_index};
	struct cs_bytes nodes[EVM_TRIE_PATH_MAX];

	if (err != CS_OK) {
		receipt_end(request, err, why, NULL);
		return;
	}
	if (request->tx_index >= evm_trie_count(trie)) {
		receipt_end(request, CS_ERR_NOT_FOUND, "the block has no such transaction", NULL);
		return;
	}
	size_t count = evm_trie_prove(trie, request->tx_index, nodes);
	err = evm_proof_from_nodes(&proof.proof, nodes, count);
	if (err == CS_OK)
		err = evm_events_claims(proof.claims, ADAPTER_CLAIMS_MAX, request->claims_from,
					&proof.claim_count, &proof.claim_total,
					evm_trie_value(trie, request->tx_index), &evm->contracts);
	receipt_end(request, err, err == CS_OK ? "" : cs_err_sentence(err),
		    err == CS_OK ? &proof : NULL);
}

static void receipt_header(void *ctx, enum cs_err err, const char *why, struct evm_header *header)
{
	struct receipt_proof *request = ctx;

	if (err == CS_OK) {
		err = evm_receipts_get(request->evm->receipts, header, receipts_done, request);
		why = cs_err_sentence(err);
	}
	if (err != CS_OK)
		receipt_end(request, err, why, NULL);
}

enum cs_err evm_receipt_proof(struct adapter *adapter, const struct adapter_block_id *block,
			      uint32_t tx_index, size_t claims_from, adapter_receipt_proof_fn *done,
			      void *ctx)
{
	struct evm *evm = evm_of(adapter);
	struct receipt_proof *request = host_alloc(sizeof(*request));

	*request = (struct receipt_proof){.evm = evm,
					  .done = done,
					  .ctx = ctx,
					  .block = *block,
					  .tx_index = tx_index,
					  .claims_from = claims_from};
	enum cs_err err = evm_header_of(evm, block, false, receipt_header, request);
	if (err != CS_OK)
		free(request);
	return err;
}
