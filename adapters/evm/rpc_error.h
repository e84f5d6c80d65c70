/* What an EVM node's refusal means, from its texts. One table of the exact texts of anvil 1.7.1, geth
 * 1.13 to 1.16 and of common providers; a text that is not in it is the node's failure only by its
 * code. */
#ifndef ADAPTERS_EVM_RPC_ERROR_H
#define ADAPTERS_EVM_RPC_ERROR_H

#include "adapters/rpc_class.h"

enum adapter_rpc_class evm_rpc_classify(int64_t code, const char *message);

#endif
