/* The commands of caisson-ledger, each a function over its options. */
#ifndef NODE_COMMANDS_H
#define NODE_COMMANDS_H

#include "core/u256.h"
#include "relay_state/node/chain_files.h"
#include "relay_state/node/config.h"

/* Homes that forensics reads together. */
#define NODE_HOMES_MAX 32u

/* Accounts that a new ledger is given by arguments; more in a file. */
#define NODE_FUNDS_MAX 64u

struct node_command {
	const char *home; /* the last of: */
	const char *homes[NODE_HOMES_MAX];
	size_t home_count;
	const char *out;
	const char *chain_id;  /* NULL: a random one */
	const char *proxy_app; /* NULL: the configuration's */
	const char *log_level;
	const char *node;
	bool log_json;
	uint32_t validators;
	uint16_t port;
	int64_t height;        /* 0: the last */
	const char *app_state; /* a file; NULL: none */
	struct node_fund {
		struct cs_address address;
		struct cs_u256 amount;
	} funds[NODE_FUNDS_MAX]; /* accounts of a new ledger */
	size_t fund_count;
	bool has_bond;
	struct node_fund bond; /* of each validator of a new ledger, and its operator */
	bool hard;
	int64_t from, to; /* heights; 0: from the first, to the last */
	bool json;
	const char *account, *identity; /* show-time-key, show-validator: in hex; NULL: none */
};

/* What the options say of a new genesis' app_state, owned by the caller: the file's JSON with the funds
 * among its accounts and, with a bond, the deposits of the genesis' validators, whose powers follow;
 * NULL where they say nothing. MALFORMED, IO; INVALID: a bond that is no power, or beside the file's. */
CS_NODISCARD enum cs_err node_command_app_state(char **app_state,
						const struct node_command *command,
						struct node_genesis *genesis, struct cs_why *why);

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
/* The validator's public key; with a chain's tag and an operator's account the calldata that registers
 * it with the staking contract instead. MALFORMED: they are not hex of their sizes. */
CS_NODISCARD enum cs_err node_command_show_validator(const struct node_command *command,
						     struct cs_why *why);
/* The time key; with an identity of a register and an account also the calldata that registers it for
 * that account. NOT_FOUND: the node has none; MALFORMED: they are not hex of their sizes. */
CS_NODISCARD enum cs_err node_command_show_time_key(const struct node_command *command,
						    struct cs_why *why);
/* The state after a height as the genesis of another chain, to standard output. NOT_FOUND: it is not
 * kept. Changes nothing. */
CS_NODISCARD enum cs_err node_command_export(const struct node_command *command,
					     struct cs_why *why);
/* One height back, with `hard` the block too. CONFLICT: the node runs, or the height before is not
 * kept. */
CS_NODISCARD enum cs_err node_command_rollback(const struct node_command *command,
					       struct cs_why *why);
/* Who signed what, who is guilty: forensics.h. Changes nothing. */
CS_NODISCARD enum cs_err node_command_forensics(const struct node_command *command,
						struct cs_why *why);

#endif
