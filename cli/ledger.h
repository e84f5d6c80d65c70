/* What the commands of `caisson ledger` share: a node of the ledger that is asked by RPC. Nothing that it
 * says is believed without a proof; where that is left to `caisson ledger verify`, the print says so. */
#ifndef CLI_LEDGER_H
#define CLI_LEDGER_H

#include "cli/cli.h"
#include "cli/statement.h"

struct ledger_node {
	struct cli *cli;
	char url[2100];
};
/* --url or CAISSON_LEDGER_URL. */
enum cli_exit ledger_node_open(struct ledger_node *node, struct cli *cli);
/* JSON-RPC; takes params. *result is a new reference. Prints what goes wrong. */
enum cli_exit ledger_node_call(struct ledger_node *node, const char *method, json_t *params,
			       json_t **result);

/* CONTRACT.FUNCTION and its arguments, as the command line has them, into data of /call: nobody's
 * address, the contract's, the calldata. */
enum cli_exit ledger_build_call(const struct cli *cli, struct cs_buf *buf);

/* The longest that is sent: evidence with its collateral. */
#define LEDGER_SEND_CALLDATA_MAX (128u * 1024)
/* Signs one call by --key-file for the chain of --tag, sends it with --value and waits for its block.
 * What would revert is not sent. */
enum cli_exit ledger_send_call(struct cli *cli, const struct cs_address *to, struct cs_bytes input);

/* One abci_query. */
struct ledger_question {
	const char *path;
	struct cs_bytes data;
	uint64_t height; /* 0: the newest */
	bool prove;
};
struct ledger_reply {
	uint32_t code; /* relay_state/ledger/codes.def */
	char log[128];
	uint64_t height;
	struct cs_bytes value;
	struct cs_bytes proof; /* of the op "ics23:smt" */
	uint8_t *memory;       /* owns both: ledger_reply_clear */
};
enum cli_exit ledger_ask(struct ledger_node *node, struct ledger_reply *reply,
			 const struct ledger_question *question);
void ledger_reply_clear(struct ledger_reply *reply);

/* Several at a time, in order: `question` is filled for an index below count, `take` gets its reply, whose
 * code is 0, and says whether to go on. */
struct ledger_many {
	size_t count;
	void (*question)(void *context, struct ledger_question *question, uint8_t *data, size_t i);
	enum cli_exit (*take)(void *context, const struct ledger_reply *reply, size_t i);
	void *context;
};
#define LEDGER_QUESTION_SIZE_MAX 512u
enum cli_exit ledger_ask_many(struct ledger_node *node, const struct ledger_many *many);

/* The newest height whose application hash is in a header, and that hash and the chain's id. */
struct ledger_tip {
	uint64_t height;
	struct cs_hash app_hash;
	char chain_id[64];
};
/* height 0: the newest such; else that one. */
enum cli_exit ledger_find_tip(struct ledger_node *node, struct ledger_tip *tip, uint64_t height);

/* A value of the state with its proof, checked against the tip. */
enum cli_exit ledger_prove(struct ledger_node *node, struct statement_proof *proof,
			   const struct ledger_tip *tip, struct cs_bytes key);

#endif
