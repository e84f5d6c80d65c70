/* What the refusal of a node means, whatever the chain: who reacts to it and how. Which text is of which
 * class the chain's dialect says (rpc.h). */
#ifndef ADAPTERS_RPC_CLASS_H
#define ADAPTERS_RPC_CLASS_H

#include "core/err.h"

enum adapter_rpc_class {
	ADAPTER_RPC_FINE,
	ADAPTER_RPC_NODE,   /* broken, overloaded, behind: ask another one */
	ADAPTER_RPC_LIMIT,  /* too many requests: ask another one, and this one less */
	ADAPTER_RPC_RANGE,  /* too much at once: ask for less */
	ADAPTER_RPC_METHOD, /* it has no such method */
	ADAPTER_RPC_STATE,  /* it has no such block or no longer its state */
	ADAPTER_RPC_FEE,    /* too low to enter the pool or to replace */
	ADAPTER_RPC_NONCE,  /* used already */
	ADAPTER_RPC_GAP,    /* too far ahead of the account */
	ADAPTER_RPC_KNOWN, /* the very same transaction is in the pool or mined: as good as accepted */
	ADAPTER_RPC_FUNDS,   /* the account cannot pay */
	ADAPTER_RPC_REVERT,  /* the call itself fails: asking again or elsewhere changes nothing */
	ADAPTER_RPC_INVALID, /* the request is refused for what it is */
	ADAPTER_RPC_LIE,     /* the answer cannot be */
};

enum cs_err adapter_rpc_class_err(enum adapter_rpc_class class);
const char *adapter_rpc_class_name(enum adapter_rpc_class class);
/* Another endpoint may do better. */
bool adapter_rpc_class_fails_over(enum adapter_rpc_class class);

#endif
