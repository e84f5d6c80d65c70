/* Everything that reads what a node answers: the reply itself, then each result as every kind of
 * thing that is asked for. What is taken must agree with the verifier that reads the same bytes. */
#include "adapters/evm/events.h"
#include "adapters/evm/header.h"
#include "adapters/evm/proof.h"
#include "adapters/evm/rpc_error.h"
#include "adapters/rpc.h"
#include "core/hash.h"
#include "tests/fuzz/fuzz.h"
#include "verify/evm/header.h"

#include <stdlib.h>
#include <string.h>

#define CALLS 4

static void read_header(const json_t *json)
{
	struct evm_header *header;
	struct cs_hash hash;

	if (evm_header_from_json(&header, &hash, json) != CS_OK)
		return;
	struct verify_evm_header again;
	cs_assert(verify_evm_header_read(&again, header->public.rlp) == CS_OK);
	cs_assert(again.number == header->public.id.height);
	evm_header_unref(header);
}

/* A gateway of any address, and the one that is named as an oracle. */
static struct evm_contracts watched(const json_t *address)
{
	struct adapter_evm_config config = {.chain_id = 1, .gateway = {{1}}, .oracle_count = 1};
	struct evm_contracts contracts;
	struct cs_why why;

	if (evm_json_address(&config.oracles[0], address) != CS_OK ||
	    evm_contracts_init(&contracts, &config, &why) != CS_OK) {
		config.oracles[0] = (struct cs_address){{2}};
		cs_assert(evm_contracts_init(&contracts, &config, &why) == CS_OK);
	}
	return contracts;
}

static void read_receipt(const json_t *json)
{
	struct adapter_claim claims[2];
	struct cs_hash block = {{0}};
	struct cs_buf buf;
	size_t count;
	size_t total;
	size_t size = evm_receipt_size_max(json);

	if (size > EVM_RECEIPT_SIZE_MAX)
		return;
	(void)!evm_json_hash(&block, json_object_get(json, "blockHash"));
	const struct evm_contracts contracts = watched(json_object_get(json, "to"));
	uint8_t *memory = malloc(size);
	cs_buf_init(&buf, memory, size);
	enum cs_err err = evm_receipt_put(&buf, json, &block, 0);
	cs_assert(err != CS_ERR_TOO_LARGE); /* the bound of the size holds */
	if (err == CS_OK)
		(void)!evm_events_claims(claims, 2, 0, &count, &total, cs_buf_view(&buf),
					 &contracts);
	free(memory);
}

static void read_candidates(const json_t *json)
{
	struct evm_candidates blocks = {NULL, 0};
	const struct evm_contracts contracts =
		watched(json_object_get(json_array_get(json, 0), "address"));

	if (evm_candidates_append_json(&blocks, json, &contracts, 0, UINT64_MAX) == CS_OK)
		cs_assert(blocks.count <= json_array_size(json));
	else
		cs_assert(blocks.count == 0);
	free(blocks.ids);
}

static void read_proof(const json_t *json)
{
	static uint8_t memory[1u << 16];
	struct adapter_account_proof proof = {.slot_count = 0};
	struct adapter_slot_proof slots[2];
	struct cs_hash wanted[2] = {{{0}}, {{1}}};
	struct cs_address address = {{0}};
	struct cs_buf buf;
	const json_t *root = json_array_get(json_object_get(json, "accountProof"), 0);
	uint8_t node[600];
	struct cs_buf first;

	cs_buf_init(&first, node, sizeof(node));
	if (evm_json_bytes(&first, root) != CS_OK || cs_buf_end(&first) != CS_OK)
		return;
	struct cs_hash state_root = cs_keccak256(cs_buf_view(&first));
	(void)!evm_json_address(&address, json_object_get(json, "address"));
	size_t count = json_array_size(json_object_get(json, "storageProof"));
	cs_buf_init(&buf, memory, sizeof(memory));
	(void)!evm_account_proof_read(&proof, slots, &buf, json, &state_root, &address, wanted,
				      count < 2 ? count : 2);
}

static enum adapter_rpc_class classify(int64_t code, const char *message, const json_t *data)
{
	(void)data;
	return evm_rpc_classify(code, message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct adapter_rpc_reply replies[CALLS];
	struct cs_why why;
	json_t *document;

	if (size < 1)
		return 0;
	size_t count = 1 + data[0] % CALLS;
	if (adapter_rpc_decode(&document, replies, count, count == 1, 1,
			       cs_bytes(data + 1, size - 1), classify, &why) != CS_OK)
		return 0;
	for (size_t i = 0; i < count; i++) {
		cs_assert((replies[i].class == ADAPTER_RPC_FINE) == (replies[i].result != NULL));
		read_header(replies[i].result);
		read_receipt(replies[i].result);
		read_candidates(replies[i].result);
		read_proof(replies[i].result);
	}
	json_decref(document);
	return 0;
}
