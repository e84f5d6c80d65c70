#include "adapters/rpc_class.h"

static const struct {
	const char *name;
	enum cs_err err;
	bool fails_over;
} classes[] = {
	[ADAPTER_RPC_FINE] = {"fine", CS_ERR_OK, false},
	[ADAPTER_RPC_NODE] = {"node", CS_ERR_RPC, true},
	[ADAPTER_RPC_LIMIT] = {"limit", CS_ERR_RATE_LIMITED, true},
	[ADAPTER_RPC_RANGE] = {"range", CS_ERR_TOO_LARGE, false},
	[ADAPTER_RPC_METHOD] = {"method", CS_ERR_UNSUPPORTED, false},
	[ADAPTER_RPC_STATE] = {"state", CS_ERR_NOT_FOUND, false},
	[ADAPTER_RPC_FEE] = {"fee", CS_ERR_UNDERPRICED, false},
	[ADAPTER_RPC_NONCE] = {"nonce", CS_ERR_NONCE, false},
	[ADAPTER_RPC_GAP] = {"gap", CS_ERR_NONCE, false},
	[ADAPTER_RPC_KNOWN] = {"known", CS_ERR_DUPLICATE, false},
	[ADAPTER_RPC_FUNDS] = {"funds", CS_ERR_NO_FUNDS, false},
	[ADAPTER_RPC_REVERT] = {"revert", CS_ERR_REVERTED, false},
	[ADAPTER_RPC_INVALID] = {"invalid", CS_ERR_INVALID, false},
	[ADAPTER_RPC_LIE] = {"lie", CS_ERR_RPC_LIE, true},
};

enum cs_err adapter_rpc_class_err(enum adapter_rpc_class class)
{
	return classes[class].err;
}

const char *adapter_rpc_class_name(enum adapter_rpc_class class)
{
	return classes[class].name;
}

bool adapter_rpc_class_fails_over(enum adapter_rpc_class class)
{
	return classes[class].fails_over;
}
