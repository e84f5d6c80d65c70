/* config.toml of a node. What is shared with CometBFT has its names, forms and meaning; the strict
 * TOML of host/config. */
#ifndef NODE_CONFIG_H
#define NODE_CONFIG_H

#include "host/config.h"
#include "relay_state/node/node.h"

#define NODE_CONFIG_PEERS_SIZE_MAX 8192u

/* In a home. */
#define NODE_TIME_KEY_NAME "config/time_key"

struct node_config {
	struct host_config *file; /* texts are views into it */
	char home[NODE_PATH_SIZE_MAX];
	char genesis_file[NODE_PATH_SIZE_MAX];
	char validator_key_file[NODE_PATH_SIZE_MAX];
	char node_key_file[NODE_PATH_SIZE_MAX];
	char time_key_file[NODE_PATH_SIZE_MAX];
	char data_folder[NODE_PATH_SIZE_MAX];
	char evidence_policy[NODE_PATH_SIZE_MAX];
	char evidence_collateral[NODE_PATH_SIZE_MAX];
	char evidence_roots[NODE_PATH_SIZE_MAX];
	char evidence_state_folder[NODE_PATH_SIZE_MAX];
	char peers_text[NODE_CONFIG_PEERS_SIZE_MAX];
	const char *peers[NODE_DIAL_MAX];
	struct host_address rpc; /* port 0 with an empty name: no RPC */
	bool has_rpc;
	struct host_address metrics;
	bool has_metrics;
	const char *metrics_namespace;
	struct node_options node;
};

const struct host_config_schema *node_config_schema(void);
/* home/config/config.toml. INVALID: every error was written to standard error; IO, TOO_LARGE. */
CS_NODISCARD enum cs_err node_config_load(struct node_config *config, const char *home,
					  struct cs_why *why);
void node_config_done(struct node_config *config);

/* "1.5s", "300ms", "0s": nanoseconds. MALFORMED, OVERFLOW (above a day). */
CS_NODISCARD enum cs_err node_duration(int64_t *ns, const char *text);

struct node_config_new {
	const char *moniker;
	const char *proxy_app;
	const char *rpc_laddr;
	const char *p2p_laddr;
	const char *metrics_laddr;
	const char *persistent_peers;
};
/* The file for `init` and `testnet`. TOO_LARGE. */
CS_NODISCARD enum cs_err node_config_write(struct cs_buf *to, const struct node_config_new *from);

#endif
