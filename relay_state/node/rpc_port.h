/* One port for HTTP and WebSocket: looks at the first line of each connection and passes its bytes
 * on to the one server or the other, which listen on this machine only. Changes no byte. */
#ifndef NODE_RPC_PORT_H
#define NODE_RPC_PORT_H

#include "host/stream.h"

/* A first line without an end by then goes to the HTTP server, which refuses it. */
#define NODE_RPC_LINE_SIZE_MAX 256u
#define NODE_RPC_CONNECTIONS_MAX 512u
/* For the bytes that tell which of the two it is; then the connection ends. As long as CometBFT
 * waits for a request's head. */
#define NODE_RPC_LINE_MS 10000u
/* What waits for a side that does not read before the other is not read any more. */
#define NODE_RPC_QUEUE_MAX (256u * 1024)

struct node_rpc_port;

/* IO, CONFLICT: the address cannot be had. */
CS_NODISCARD enum cs_err node_rpc_port_new(struct node_rpc_port **port, struct host_loop *loop,
					   const struct host_address *address, uint16_t http_port,
					   uint16_t ws_port, struct cs_why *why);
uint16_t node_rpc_port_number(const struct node_rpc_port *port);
/* NULL is allowed. */
void node_rpc_port_free(struct node_rpc_port *port);

#endif
