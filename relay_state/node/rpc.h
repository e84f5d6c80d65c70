/* CometBFT v0.38's RPC over a node: HTTP GET with a query, JSON-RPC 2.0 by POST, batches, and
 * subscriptions on /websocket, all on one port. Names, numbers and forms are CometBFT's, so that its
 * clients do not see the difference; what is not served says so. Authenticates nobody. */
#ifndef NODE_RPC_H
#define NODE_RPC_H

#include "host/stream.h"
#include "relay_state/node/node.h"

/* rpc/jsonrpc: max_request_batch_size, max_body_bytes. */
#define NODE_RPC_BATCH_MAX 10u
#define NODE_RPC_BODY_SIZE_MAX 1000000u
/* max_subscriptions_per_client, max_subscription_clients; all of them together. */
#define NODE_RPC_SUBSCRIPTIONS_PER_CLIENT 5u
#define NODE_RPC_SUBSCRIPTION_CLIENTS_MAX 100u
#define NODE_RPC_SUBSCRIPTIONS_MAX \
	(NODE_RPC_SUBSCRIPTIONS_PER_CLIENT * NODE_RPC_SUBSCRIPTION_CLIENTS_MAX)
/* timeout_broadcast_tx_commit. */
#define NODE_RPC_COMMIT_TIMEOUT_MS 10000u
#define NODE_RPC_PER_PAGE_DEFAULT 30
#define NODE_RPC_PER_PAGE_MAX 100

struct node_rpc;

/* Of a node that has started. IO, CONFLICT: the address. */
CS_NODISCARD enum cs_err node_rpc_new(struct node_rpc **rpc, struct host_loop *loop,
				      struct node *node, const struct host_address *address,
				      struct cs_why *why);
uint16_t node_rpc_port(const struct node_rpc *rpc);
/* Before the node. NULL is allowed. */
void node_rpc_free(struct node_rpc *rpc);

#endif
