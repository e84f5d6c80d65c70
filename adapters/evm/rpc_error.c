#include "adapters/evm/rpc_error.h"

#include <string.h>
#include <strings.h>

/* The first line that matches wins: the narrow text stands before the wide one. `where`: begins
 * with, or contains. */
enum where { BEGIN, WITHIN };

static const struct rule {
	const char *text;
	enum where where;
	enum adapter_rpc_class class;
} rules[] = {
	/* the transaction is there already */
	{"already known", BEGIN, ADAPTER_RPC_KNOWN},                /* geth */
	{"transaction already imported", BEGIN, ADAPTER_RPC_KNOWN}, /* anvil */
	{"known transaction", BEGIN, ADAPTER_RPC_KNOWN}, /* geth before 1.10, GoQuorum, Besu */
	/* fee */
	{"replacement transaction underpriced", BEGIN, ADAPTER_RPC_FEE}, /* geth, anvil */
	{"transaction underpriced", BEGIN, ADAPTER_RPC_FEE},             /* geth; anvil */
	{"max fee per gas less than block base fee", BEGIN,
	 ADAPTER_RPC_FEE}, /* anvil; geth's call */
	{"err: max fee per gas less than block base fee", BEGIN, ADAPTER_RPC_FEE},
	{"future transaction tries to replace pending", BEGIN,
	 ADAPTER_RPC_FEE},                          /* geth, pool full */
	{"txpool is full", BEGIN, ADAPTER_RPC_FEE}, /* geth */
	{"gas price below", WITHIN, ADAPTER_RPC_FEE},
	{"fee too low", WITHIN, ADAPTER_RPC_FEE},
	/* nonce */
	{"nonce too low", BEGIN, ADAPTER_RPC_NONCE}, /* geth, with numbers behind; anvil */
	{"OldNonce", BEGIN, ADAPTER_RPC_NONCE},
	{"invalid transaction nonce", BEGIN, ADAPTER_RPC_NONCE},
	{"nonce too high", BEGIN, ADAPTER_RPC_GAP}, /* geth */
	{"tx-nonce too distant", WITHIN, ADAPTER_RPC_GAP},
	/* funds */
	{"insufficient funds", WITHIN,
	 ADAPTER_RPC_FUNDS}, /* geth, anvil; "failed with 50000000 gas: …" */
	{"insufficient balance", WITHIN, ADAPTER_RPC_FUNDS},
	/* the call itself */
	{"execution reverted", BEGIN, ADAPTER_RPC_REVERT}, /* geth, anvil */
	{"vm execution error", BEGIN, ADAPTER_RPC_REVERT},
	{"evm error", BEGIN, ADAPTER_RPC_REVERT}, /* anvil: "EVM error InvalidFEOpcode" */
	{"invalid opcode", BEGIN, ADAPTER_RPC_REVERT},
	{"out of gas", BEGIN, ADAPTER_RPC_REVERT},
	{"gas required exceeds allowance", BEGIN, ADAPTER_RPC_REVERT}, /* geth's estimate */
	{"gas required exceeds block gas limit", BEGIN, ADAPTER_RPC_REVERT},
	/* eth_getLogs */
	{"query returned more than", BEGIN, ADAPTER_RPC_RANGE},
	{"query exceeds max results", BEGIN, ADAPTER_RPC_RANGE},
	{"query timeout exceeded", BEGIN, ADAPTER_RPC_RANGE},
	{"invalid block range", BEGIN, ADAPTER_RPC_INVALID}, /* geth: from above to */
	{"block range", WITHIN, ADAPTER_RPC_RANGE},
	{"range too large", WITHIN, ADAPTER_RPC_RANGE},
	{"range is too", WITHIN, ADAPTER_RPC_RANGE},
	{"exceed maximum block range", WITHIN, ADAPTER_RPC_RANGE},
	{"too many blocks", WITHIN, ADAPTER_RPC_RANGE},
	{"log response size exceeded", WITHIN, ADAPTER_RPC_RANGE},
	{"response size", WITHIN, ADAPTER_RPC_RANGE},
	{"response too large", WITHIN, ADAPTER_RPC_RANGE}, /* geth: batch response too large */
	{"eth_getlogs is limited", WITHIN, ADAPTER_RPC_RANGE},
	{"exceeds the range", WITHIN, ADAPTER_RPC_RANGE},
	/* rate */
	{"rate limit", WITHIN, ADAPTER_RPC_LIMIT},
	{"too many requests", WITHIN, ADAPTER_RPC_LIMIT},
	{"request limit", WITHIN, ADAPTER_RPC_LIMIT},
	{"exceeded its throughput", WITHIN, ADAPTER_RPC_LIMIT},
	{"capacity exceeded", WITHIN, ADAPTER_RPC_LIMIT},
	/* what it does not have */
	{"method not found", BEGIN, ADAPTER_RPC_METHOD},                 /* anvil */
	{"does not exist/is not available", WITHIN, ADAPTER_RPC_METHOD}, /* geth */
	{"method not supported", WITHIN, ADAPTER_RPC_METHOD},
	{"unsupported method", WITHIN, ADAPTER_RPC_METHOD},
	{"not whitelisted", WITHIN, ADAPTER_RPC_METHOD},
	{"missing trie node", BEGIN, ADAPTER_RPC_STATE}, /* geth */
	{"header not found", BEGIN, ADAPTER_RPC_STATE},  /* geth */
	{"header for hash not found", BEGIN, ADAPTER_RPC_STATE},
	{"block not found", BEGIN, ADAPTER_RPC_STATE},
	{"resource not found", BEGIN, ADAPTER_RPC_STATE}, /* anvil */
	{"unknown block", BEGIN, ADAPTER_RPC_STATE},      /* anvil, geth */
	{"required historical state unavailable", BEGIN, ADAPTER_RPC_STATE},
	{"historical state", BEGIN, ADAPTER_RPC_STATE},
	{"pruned history unavailable", BEGIN, ADAPTER_RPC_STATE}, /* EIP-4444: code 4444 */
	{"state histories haven't been fully indexed", WITHIN, ADAPTER_RPC_STATE},
	{"no state available", WITHIN, ADAPTER_RPC_STATE},
	{"blockoutofrange", WITHIN, ADAPTER_RPC_STATE}, /* anvil: "BlockOutOfRangeError: …" */
	{"transaction indexing is in progress", BEGIN, ADAPTER_RPC_NODE},
	/* the transaction for what it is */
	{"intrinsic gas too", BEGIN, ADAPTER_RPC_INVALID}, /* geth, anvil: low; anvil: high */
	{"exceeds block gas limit", BEGIN, ADAPTER_RPC_INVALID},
	{"gas limit reached", BEGIN, ADAPTER_RPC_INVALID},
	{"tx fee (", BEGIN, ADAPTER_RPC_INVALID}, /* geth: … exceeds the configured cap */
	{"invalid chain id", BEGIN, ADAPTER_RPC_INVALID},
	{"invalid sender", BEGIN, ADAPTER_RPC_INVALID},
	{"oversized data", BEGIN, ADAPTER_RPC_INVALID},
	{"transaction type not supported", BEGIN, ADAPTER_RPC_INVALID},
	{"max priority fee per gas higher than max fee per gas", BEGIN, ADAPTER_RPC_INVALID},
	{"only replay-protected", BEGIN, ADAPTER_RPC_INVALID},
	{"rlp:", BEGIN, ADAPTER_RPC_INVALID},                         /* geth */
	{"typed transaction too short", BEGIN, ADAPTER_RPC_INVALID},  /* geth */
	{"failed to decode transaction", BEGIN, ADAPTER_RPC_INVALID}, /* anvil */
};

static bool contains(const char *text, const char *part)
{
	size_t n = strlen(part);

	for (; *text != '\0'; text++)
		if (strncasecmp(text, part, n) == 0)
			return true;
	return false;
}

enum adapter_rpc_class evm_rpc_classify(int64_t code, const char *message)
{
	for (size_t i = 0; i < CS_LEN(rules); i++) {
		const struct rule *rule = &rules[i];

		if (rule->where == BEGIN ? strncasecmp(message, rule->text, strlen(rule->text)) == 0
					 : contains(message, rule->text))
			return rule->class;
	}
	switch (code) {
	case -32601:
		return ADAPTER_RPC_METHOD;
	case -32700:
	case -32600:
	case -32602:
		return ADAPTER_RPC_INVALID;
	case -32005: /* EIP-1474: limit exceeded */
	case 429:
		return ADAPTER_RPC_LIMIT;
	case 3: /* geth, EIP-1474's neighbours: execution reverted */
		return ADAPTER_RPC_REVERT;
	case -32003: /* EIP-1474: transaction rejected */
		return ADAPTER_RPC_INVALID;
	default:
		return ADAPTER_RPC_NODE;
	}
}
