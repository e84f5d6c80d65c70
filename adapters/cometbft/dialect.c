/*~ Which chain a node is of: its id, and the tag that its state has since genesis. Errors of CometBFT
 * have one message for nearly all; what happened is in the data. */
#include "adapters/cometbft/inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* rpc/core: max_request_batch_size of CometBFT 0.38 and of our engine is 10. */
#define BATCH_MAX 10
/* 0x00 ‖ "chain": relay_state/ledger/chain.h. */
#define TAG_KEY "00636861696E"

static const struct {
	const char *text;
	enum adapter_rpc_class class;
} rules[] = {
	{"tx already exists in cache", ADAPTER_RPC_KNOWN},
	{"already in the mempool", ADAPTER_RPC_KNOWN},
	/* broadcast_evidence: our engine says of what a block carried what CometBFT keeps to itself */
	{"evidence that a block carried before", ADAPTER_RPC_KNOWN},
	{"too much evidence at once", ADAPTER_RPC_LIMIT},
	{"failed to add evidence", ADAPTER_RPC_INVALID},
	{"evidence.ValidateBasic failed", ADAPTER_RPC_INVALID},
	{"must be less than or equal to the current", ADAPTER_RPC_STATE},
	{"is not available", ADAPTER_RPC_STATE},
	{"could not find", ADAPTER_RPC_STATE},
	{"not found", ADAPTER_RPC_STATE},
	{"page should be within", ADAPTER_RPC_LIE}, /* it told the total itself */
};

static enum adapter_rpc_class classify(int64_t code, const char *message, const json_t *data)
{
	const char *text = json_is_string(data) ? json_string_value(data) : message;

	for (size_t i = 0; i < CS_LEN(rules); i++)
		if (strstr(text, rules[i].text) != NULL)
			return rules[i].class;
	switch (code) {
	case -32601:
		return ADAPTER_RPC_METHOD;
	case -32700:
	case -32600:
	case -32602:
		return ADAPTER_RPC_INVALID;
	default:
		return ADAPTER_RPC_NODE;
	}
}

static size_t probe(const void *context, struct adapter_rpc_call calls[ADAPTER_RPC_PROBE_MAX])
{
	(void)context;
	calls[0] = (struct adapter_rpc_call){"status", NULL};
	calls[1] = (struct adapter_rpc_call){
		"abci_query", json_pack("{s:s, s:s}", "path", "/store", "data", TAG_KEY)};
	return 2;
}

static bool read_tag(struct cs_hash *tag, const json_t *result)
{
	const json_t *response = json_object_get(result, "response");
	uint8_t *bytes = NULL;
	size_t size = 0;

	if (comet_json_base64(&bytes, &size, json_object_get(response, "value")) != CS_OK)
		return false;
	bool fits = size == sizeof(tag->b);
	if (fits)
		memcpy(tag->b, bytes, size);
	free(bytes);
	return fits;
}

static bool is_our_chain(const void *context, char why[120], uint64_t *height,
			 const struct adapter_rpc_reply *replies)
{
	const struct comet_nodes *nodes = context;
	const char *name = json_string_value(
		json_object_get(json_object_get(replies[0].result, "node_info"), "network"));
	const json_t *sync = json_object_get(replies[0].result, "sync_info");
	struct cs_hash tag;

	if (name == NULL)
		snprintf(why, 120, "a status without a network");
	else if (!cs_bytes_eq(cs_bytes_str(name), cmt_chain_id_bytes(&nodes->chain_id)))
		snprintf(why, 120, "the network is %.60s", name);
	else if (!read_tag(&tag, replies[1].result))
		snprintf(why, 120, "the application has no chain tag");
	else if (!cs_hash_eq(&tag, &nodes->chain_tag))
		snprintf(why, 120, "another genesis: its chain tag is not the configured one");
	else if (comet_json_u64(height, json_object_get(sync, "latest_block_height")) != CS_OK)
		*height = 0;
	return why[0] == '\0';
}

/* Not abci_query: of the newest state one that is behind answers otherwise. */
static const char *const reads[] = {"commit", "block", "block_results", "validators", NULL};

const struct adapter_rpc_dialect comet_dialect = {
	.batch_max = BATCH_MAX,
	.classify = classify,
	.reads = reads,
	.probe = probe,
	.is_our_chain = is_our_chain,
};

/* ---- the subscription ---- */

/* A header alone: its transactions are asked for where it has any. */
const char comet_hint_request[] =
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subscribe\",\"params\":{\"query\":"
	"\"tm.event='NewBlockHeader'\"}}";

enum adapter_hint_says comet_hint_read(struct cs_bytes text)
{
	json_t *json = text.n <= ADAPTER_HINT_SIZE_MAX ? adapter_json_parse(text) : NULL;
	const json_t *error = json_object_get(json, "error");
	const json_t *result = json_object_get(json, "result");
	enum adapter_hint_says says = ADAPTER_HINT_OTHER;

	if (!json_is_object(json))
		says = ADAPTER_HINT_LIE;
	else if (json_is_object(error))
		says = ADAPTER_HINT_REFUSED;
	else if (json_is_object(result) && json_object_size(result) == 0)
		says = ADAPTER_HINT_ACCEPTED;
	else if (json_is_string(json_object_get(result, "query")))
		says = ADAPTER_HINT_NEWS;
	json_decref(json);
	return says;
}
