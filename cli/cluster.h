/* Questions to a process of a key cluster, over its ask.socket: what `caisson cluster …` shares. */
#ifndef CLI_CLUSTER_H
#define CLI_CLUSTER_H

#include "cli/cli.h"
#include "wire/cluster_ask.h"
#include "wire/pipe.h"

struct cli_cluster_answer {
	uint8_t bytes[WIRE_PIPE_ANSWER_SIZE_MAX];
	char name[64];
	struct cs_bytes what; /* a view into bytes */
};

/* Prints what was refused. */
enum cli_exit cli_cluster_ask(struct cli *cli, struct cli_cluster_answer *answer,
			      enum wire_cluster_ask verb, struct cs_bytes argument);
/* The same where nothing comes back: prints `done`. */
enum cli_exit cli_cluster_order(struct cli *cli, enum wire_cluster_ask verb,
				struct cs_bytes argument, const char *done);

#endif
