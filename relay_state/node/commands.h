/* The commands of caisson-ledger, each a function over its options. */
#ifndef NODE_COMMANDS_H
#define NODE_COMMANDS_H

#include "relay_state/node/config.h"

struct node_command {
	const char *home;
	const char *out;
	const char *chain_id;  /* NULL: a random one */
	const char *proxy_app; /* NULL: the configuration's */
	const char *log_level;
	const char *node;
	bool log_json;
	uint32_t validators;
	uint16_t port;
};

/* CONFLICT: a file is there already; nothing that exists is changed. */
CS_NODISCARD enum cs_err node_command_init(const struct node_command *command, struct cs_why *why);
CS_NODISCARD enum cs_err node_command_testnet(const struct node_command *command,
					      struct cs_why *why);
/* Until a signal (OK) or until the node cannot go on. */
CS_NODISCARD enum cs_err node_command_start(const struct node_command *command, struct cs_why *why);
CS_NODISCARD enum cs_err node_command_status(const struct node_command *command,
					     struct cs_why *why);
CS_NODISCARD enum cs_err node_command_show_node_id(const struct node_command *command,
						   struct cs_why *why);
CS_NODISCARD enum cs_err node_command_show_validator(const struct node_command *command,
						     struct cs_why *why);

#endif
