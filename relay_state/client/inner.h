/* What the files of the client share; for them alone. */
#ifndef RELAY_STATE_CLIENT_INNER_H
#define RELAY_STATE_CLIENT_INNER_H

#include "adapters/cometbft/nodes.h"
#include "relay_state/client/client.h"

struct ledger_client_times;

struct ledger_client {
	struct host_loop *loop;
	struct comet_nodes nodes;
	struct ledger_client_times *times; /* questions for the time that are open */
	bool closed;
	void *ctx;
	void (*changed)(void *ctx, const struct adapter_endpoint *node);
};

/* Ends all of them with CLOSED. */
void ledger_client_end_times(struct ledger_client *client);

#endif
