/*~ Which chain a node is of: its chain id and the hash of its first block. */
#include "adapters/evm/inner.h"
#include "adapters/evm/rpc_error.h"

#include <stdio.h>

/* geth takes 1000 calls, anvil a body of 2 MB. */
#define BATCH_MAX 200

static enum adapter_rpc_class classify(int64_t code, const char *message, const json_t *data)
{
	(void)data;
	return evm_rpc_classify(code, message);
}

static size_t probe(const void *context, struct adapter_rpc_call calls[ADAPTER_RPC_PROBE_MAX])
{
	(void)context;
	calls[0] = (struct adapter_rpc_call){"eth_chainId", NULL};
	calls[1] = (struct adapter_rpc_call){"eth_getBlockByNumber", json_pack("[s,b]", "0x0", 0)};
	calls[2] = (struct adapter_rpc_call){"eth_blockNumber", NULL};
	return 3;
}

static bool is_our_chain(const void *context, char why[120], uint64_t *height,
			 const struct adapter_rpc_reply *replies)
{
	const struct adapter_evm_config *config = context;
	struct cs_hash genesis;
	uint64_t chain_id;

	if (evm_json_u64(&chain_id, replies[0].result) != CS_OK ||
	    evm_json_hash(&genesis, json_object_get(replies[1].result, "hash")) != CS_OK)
		snprintf(why, 120, "chain id or genesis block cannot be read");
	else if (chain_id != config->chain_id)
		snprintf(why, 120, "chain id %llu in place of %llu", (unsigned long long)chain_id,
			 (unsigned long long)config->chain_id);
	else if (!cs_hash_eq(&genesis, &config->genesis_hash))
		snprintf(why, 120, "another genesis block");
	else if (evm_json_u64(height, replies[2].result) != CS_OK)
		*height = 0;
	return why[0] == '\0';
}

/* What is checked against a header, and what nothing hangs on. Not calls and words of the newest state:
 * one that is behind would answer them otherwise. */
static const char *const reads[] = {"eth_getBlockByNumber",
				    "eth_getBlockByHash",
				    "eth_getBlockReceipts",
				    "debug_getRawReceipts",
				    "eth_getTransactionReceipt",
				    "eth_getLogs",
				    "eth_getProof",
				    "eth_gasPrice",
				    "eth_maxPriorityFeePerGas",
				    NULL};

const struct adapter_rpc_dialect evm_dialect = {
	.batch_max = BATCH_MAX,
	.classify = classify,
	.reads = reads,
	.probe = probe,
	.is_our_chain = is_our_chain,
};
