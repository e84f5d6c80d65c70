/* What the files of methods share: blocks read for a call, and the methods about the chain. */
#ifndef NODE_RPC_METHODS_H
#define NODE_RPC_METHODS_H

#include "core/hash.h"
#include "host/alloc.h"
#include "relay_state/node/rpc_inner.h"

#include <stdio.h>

struct rpc_block {
	struct node_stored_block stored; /* views until another block is read */
	struct cmt_block block;
};

/* A height that is applied, into the call's arena. */
CS_NODISCARD enum cs_err rpc_load_block(struct rpc_call *call, struct rpc_block *block,
					int64_t height);
/* What the application answered to it, read into the call's arena; NOT_FOUND. */
CS_NODISCARD enum cs_err rpc_load_results(struct rpc_call *call,
					  struct abci_finalize_block_response *results,
					  int64_t height);
/* Of the argument "height", the last one without it. False: the call was ended. */
bool rpc_height(struct rpc_call *call, int64_t *height);
json_t *rpc_json_node_info(const struct node_rpc *rpc);
json_t *rpc_json_protocols(const struct node_rpc *rpc);

void rpc_run_net_info(struct rpc_call *call);
void rpc_run_consensus_state(struct rpc_call *call);

void rpc_run_blockchain(struct rpc_call *call);
void rpc_run_block(struct rpc_call *call);
void rpc_run_block_by_hash(struct rpc_call *call);
void rpc_run_header(struct rpc_call *call);
void rpc_run_header_by_hash(struct rpc_call *call);
void rpc_run_block_results(struct rpc_call *call);
void rpc_run_commit(struct rpc_call *call);
void rpc_run_validators(struct rpc_call *call);
void rpc_run_consensus_params(struct rpc_call *call);
void rpc_run_tx(struct rpc_call *call);
void rpc_run_tx_search(struct rpc_call *call);
void rpc_run_block_search(struct rpc_call *call);
void rpc_run_broadcast_evidence(struct rpc_call *call);

void rpc_run_caisson_time(struct rpc_call *call);

#endif
