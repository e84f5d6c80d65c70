#include "adapters/evm/rpc_error.h"

#include <string.h>
#include <strings.h>

/* The first line that matches wins: the narrow text stands before the wide one. `where`: begins
 * with, or contains. */
enum where { BEGIN, WITHIN };

static const struct rule {
	const char *text;
	enum where where;
	enum evm_rpc_class class;
} rules[] = {
	/* the transaction is there already */
	{"already known", BEGIN, EVM_RPC_KNOWN},                /* geth */
	{"transaction already imported", BEGIN, EVM_RPC_KNOWN}, /* anvil */
	{"known transaction", BEGIN, EVM_RPC_KNOWN}, /* geth before 1.10, GoQuorum, Besu */
	/* fee */
	{"replacement transaction underpriced", BEGIN, EVM_RPC_FEE},      /* geth, anvil */
	{"transaction underpriced", BEGIN, EVM_RPC_FEE},                  /* geth; anvil */
	{"max fee per gas less than block base fee", BEGIN, EVM_RPC_FEE}, /* anvil; geth's call */
	{"err: max fee per gas less than block base fee", BEGIN, EVM_RPC_FEE},
	{"future transaction tries to replace pending", BEGIN, EVM_RPC_FEE}, /* geth, pool full */
	{"txpool is full", BEGIN, EVM_RPC_FEE},                              /* geth */
	{"gas price below", WITHIN, EVM_RPC_FEE},
	{"fee too low", WITHIN, EVM_RPC_FEE},
	/* nonce */
	{"nonce too low", BEGIN, EVM_RPC_NONCE}, /* geth, with numbers behind; anvil */
	{"OldNonce", BEGIN, EVM_RPC_NONCE},
	{"invalid transaction nonce", BEGIN, EVM_RPC_NONCE},
	{"nonce too high", BEGIN, EVM_RPC_GAP}, /* geth */
	{"tx-nonce too distant", WITHIN, EVM_RPC_GAP},
	/* funds */
	{"insufficient funds", WITHIN,
	 EVM_RPC_FUNDS}, /* geth, anvil; "failed with 50000000 gas: …" */
	{"insufficient balance", WITHIN, EVM_RPC_FUNDS},
	/* the call itself */
	{"execution reverted", BEGIN, EVM_RPC_REVERT}, /* geth, anvil */
	{"vm execution error", BEGIN, EVM_RPC_REVERT},
	{"evm error", BEGIN, EVM_RPC_REVERT}, /* anvil: "EVM error InvalidFEOpcode" */
	{"invalid opcode", BEGIN, EVM_RPC_REVERT},
	{"out of gas", BEGIN, EVM_RPC_REVERT},
	{"gas required exceeds allowance", BEGIN, EVM_RPC_REVERT}, /* geth's estimate */
	{"gas required exceeds block gas limit", BEGIN, EVM_RPC_REVERT},
	/* eth_getLogs */
	{"query returned more than", BEGIN, EVM_RPC_RANGE},
	{"query exceeds max results", BEGIN, EVM_RPC_RANGE},
	{"query timeout exceeded", BEGIN, EVM_RPC_RANGE},
	{"invalid block range", BEGIN, EVM_RPC_INVALID}, /* geth: from above to */
	{"block range", WITHIN, EVM_RPC_RANGE},
	{"range too large", WITHIN, EVM_RPC_RANGE},
	{"range is too", WITHIN, EVM_RPC_RANGE},
	{"exceed maximum block range", WITHIN, EVM_RPC_RANGE},
	{"too many blocks", WITHIN, EVM_RPC_RANGE},
	{"log response size exceeded", WITHIN, EVM_RPC_RANGE},
	{"response size", WITHIN, EVM_RPC_RANGE},
	{"response too large", WITHIN, EVM_RPC_RANGE}, /* geth: batch response too large */
	{"eth_getlogs is limited", WITHIN, EVM_RPC_RANGE},
	{"exceeds the range", WITHIN, EVM_RPC_RANGE},
	/* rate */
	{"rate limit", WITHIN, EVM_RPC_LIMIT},
	{"too many requests", WITHIN, EVM_RPC_LIMIT},
	{"request limit", WITHIN, EVM_RPC_LIMIT},
	{"exceeded its throughput", WITHIN, EVM_RPC_LIMIT},
	{"capacity exceeded", WITHIN, EVM_RPC_LIMIT},
	/* what it does not have */
	{"method not found", BEGIN, EVM_RPC_METHOD},                 /* anvil */
	{"does not exist/is not available", WITHIN, EVM_RPC_METHOD}, /* geth */
	{"method not supported", WITHIN, EVM_RPC_METHOD},
	{"unsupported method", WITHIN, EVM_RPC_METHOD},
	{"not whitelisted", WITHIN, EVM_RPC_METHOD},
	{"missing trie node", BEGIN, EVM_RPC_STATE}, /* geth */
	{"header not found", BEGIN, EVM_RPC_STATE},  /* geth */
	{"header for hash not found", BEGIN, EVM_RPC_STATE},
	{"block not found", BEGIN, EVM_RPC_STATE},
	{"resource not found", BEGIN, EVM_RPC_STATE}, /* anvil */
	{"unknown block", BEGIN, EVM_RPC_STATE},      /* anvil, geth */
	{"required historical state unavailable", BEGIN, EVM_RPC_STATE},
	{"historical state", BEGIN, EVM_RPC_STATE},
	{"state histories haven't been fully indexed", WITHIN, EVM_RPC_STATE},
	{"no state available", WITHIN, EVM_RPC_STATE},
	{"blockoutofrange", WITHIN, EVM_RPC_STATE}, /* anvil: "BlockOutOfRangeError: …" */
	{"transaction indexing is in progress", BEGIN, EVM_RPC_NODE},
	/* the transaction for what it is */
	{"intrinsic gas too", BEGIN, EVM_RPC_INVALID}, /* geth, anvil: low; anvil: high */
	{"exceeds block gas limit", BEGIN, EVM_RPC_INVALID},
	{"gas limit reached", BEGIN, EVM_RPC_INVALID},
	{"tx fee (", BEGIN, EVM_RPC_INVALID}, /* geth: … exceeds the configured cap */
	{"invalid chain id", BEGIN, EVM_RPC_INVALID},
	{"invalid sender", BEGIN, EVM_RPC_INVALID},
	{"oversized data", BEGIN, EVM_RPC_INVALID},
	{"transaction type not supported", BEGIN, EVM_RPC_INVALID},
	{"max priority fee per gas higher than max fee per gas", BEGIN, EVM_RPC_INVALID},
	{"only replay-protected", BEGIN, EVM_RPC_INVALID},
	{"rlp:", BEGIN, EVM_RPC_INVALID},                         /* geth */
	{"typed transaction too short", BEGIN, EVM_RPC_INVALID},  /* geth */
	{"failed to decode transaction", BEGIN, EVM_RPC_INVALID}, /* anvil */
};

static bool contains(const char *text, const char *part)
{
	size_t n = strlen(part);

	for (; *text != '\0'; text++)
		if (strncasecmp(text, part, n) == 0)
			return true;
	return false;
}

enum evm_rpc_class evm_rpc_classify(int64_t code, const char *message)
{
	for (size_t i = 0; i < CS_LEN(rules); i++) {
		const struct rule *rule = &rules[i];

		if (rule->where == BEGIN ? strncasecmp(message, rule->text, strlen(rule->text)) == 0
					 : contains(message, rule->text))
			return rule->class;
	}
	switch (code) {
	case -32601:
		return EVM_RPC_METHOD;
	case -32700:
	case -32600:
	case -32602:
		return EVM_RPC_INVALID;
	case -32005: /* EIP-1474: limit exceeded */
	case 429:
		return EVM_RPC_LIMIT;
	case 3: /* geth, EIP-1474's neighbours: execution reverted */
		return EVM_RPC_REVERT;
	case -32003: /* EIP-1474: transaction rejected */
		return EVM_RPC_INVALID;
	default:
		return EVM_RPC_NODE;
	}
}

static const struct {
	const char *name;
	enum cs_err err;
	bool fails_over;
} classes[] = {
	[EVM_RPC_FINE] = {"fine", CS_ERR_OK, false},
	[EVM_RPC_NODE] = {"node", CS_ERR_RPC, true},
	[EVM_RPC_LIMIT] = {"limit", CS_ERR_RATE_LIMITED, true},
	[EVM_RPC_RANGE] = {"range", CS_ERR_TOO_LARGE, false},
	[EVM_RPC_METHOD] = {"method", CS_ERR_UNSUPPORTED, false},
	[EVM_RPC_STATE] = {"state", CS_ERR_NOT_FOUND, false},
	[EVM_RPC_FEE] = {"fee", CS_ERR_UNDERPRICED, false},
	[EVM_RPC_NONCE] = {"nonce", CS_ERR_NONCE, false},
	[EVM_RPC_GAP] = {"gap", CS_ERR_NONCE, false},
	[EVM_RPC_KNOWN] = {"known", CS_ERR_DUPLICATE, false},
	[EVM_RPC_FUNDS] = {"funds", CS_ERR_NO_FUNDS, false},
	[EVM_RPC_REVERT] = {"revert", CS_ERR_REVERTED, false},
	[EVM_RPC_INVALID] = {"invalid", CS_ERR_INVALID, false},
	[EVM_RPC_LIE] = {"lie", CS_ERR_RPC_LIE, true},
};

enum cs_err evm_rpc_class_err(enum evm_rpc_class class)
{
	return classes[class].err;
}

const char *evm_rpc_class_name(enum evm_rpc_class class)
{
	return classes[class].name;
}

bool evm_rpc_class_fails_over(enum evm_rpc_class class)
{
	return classes[class].fails_over;
}
