/* Headers from a node, in rows: built from JSON, from raw bytes where the JSON does not make the
 * hash, linked to each other. An answer that cannot be marks its endpoint and fails with RPC_LIE.
 */
#ifndef ADAPTERS_EVM_FETCH_H
#define ADAPTERS_EVM_FETCH_H

#include "adapters/evm/header.h"
#include "adapters/rpc.h"

/* headers[count] are borrowed: who keeps one takes a reference. Fewer than asked when the node's
 * chain ends there; 0 too. REORGED: they do not link, the chain changed while it answered. */
typedef void evm_headers_done(void *ctx, enum cs_err err, const char *why,
			      struct evm_header *const *headers, size_t count, size_t endpoint);

/* count from 1 to ADAPTER_HEADERS_MAX. */
CS_NODISCARD enum cs_err evm_fetch_headers(struct adapter_rpc *rpc,
					   const struct adapter_rpc_options *options, uint64_t from,
					   size_t count, evm_headers_done *done, void *ctx);
/* The newest one. */
CS_NODISCARD enum cs_err evm_fetch_head(struct adapter_rpc *rpc,
					const struct adapter_rpc_options *options,
					evm_headers_done *done, void *ctx);

#endif
