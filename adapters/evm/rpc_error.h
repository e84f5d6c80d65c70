/* What a node's refusal means, from its texts: who reacts to it and how. One table of the exact
 * texts of anvil 1.7.1, geth 1.13 to 1.16 and of common providers; a text that is not in it is the
 * node's failure only by its code. */
#ifndef ADAPTERS_EVM_RPC_ERROR_H
#define ADAPTERS_EVM_RPC_ERROR_H

#include "core/err.h"

enum evm_rpc_class {
	EVM_RPC_FINE,
	EVM_RPC_NODE,   /* broken, overloaded, behind: ask another one */
	EVM_RPC_LIMIT,  /* too many requests: ask another one, and this one less */
	EVM_RPC_RANGE,  /* eth_getLogs over too much: ask for less */
	EVM_RPC_METHOD, /* it has no such method */
	EVM_RPC_STATE,  /* it has no such block or no longer its state */
	EVM_RPC_FEE,    /* too low to enter the pool or to replace */
	EVM_RPC_NONCE,  /* used already */
	EVM_RPC_GAP,    /* too far ahead of the account */
	EVM_RPC_KNOWN,  /* the very same transaction is in the pool or mined: as good as accepted */
	EVM_RPC_FUNDS,  /* the account cannot pay */
	EVM_RPC_REVERT, /* the call itself fails: asking again or elsewhere changes nothing */
	EVM_RPC_INVALID, /* the request is refused for what it is */
	EVM_RPC_LIE,     /* the answer cannot be */
};

enum evm_rpc_class evm_rpc_classify(int64_t code, const char *message);
enum cs_err evm_rpc_class_err(enum evm_rpc_class class);
const char *evm_rpc_class_name(enum evm_rpc_class class);
/* Another endpoint may do better. */
bool evm_rpc_class_fails_over(enum evm_rpc_class class);

#endif
