/* The Unix socket beside a process of a key cluster (wire/cluster_ask.h): where it is, and one question with its
 * answer. Whoever may open the socket may ask. */
#ifndef CLI_CLUSTER_H
#define CLI_CLUSTER_H

#include "cli/cli.h"
#include "wire/cluster_ask.h"
#include "wire/pipe.h"

/* What answers does so in this time, or not at all. */
#define CLI_CLUSTER_ANSWER_S 30

struct cli_cluster_answer {
	uint8_t bytes[WIRE_PIPE_ANSWER_SIZE_MAX];
	char name[64]; /* of the error; "ok" */
	struct cs_bytes what;
};

/* By --socket, --config or CAISSON_CLUSTER_SOCKET; prints why there is none. */
enum cli_exit cli_cluster_socket(struct cli *cli, char *path, size_t size);
/* A connected socket whose reading waits so long; -1. */
int cli_cluster_connect(const char *path, int patience_s);
/* False: the connection ended, or what came is no answer. */
bool cli_cluster_exchange(int fd, struct cli_cluster_answer *answer, struct cs_bytes question);
/* Asks whom the options name; prints what was refused. */
enum cli_exit cli_cluster_ask(struct cli *cli, struct cli_cluster_answer *answer,
			      enum wire_cluster_ask verb, struct cs_bytes argument);
/* The same where nothing comes back: prints `done`. */
enum cli_exit cli_cluster_order(struct cli *cli, enum wire_cluster_ask verb,
				struct cs_bytes argument, const char *done);
bool cli_write_all(int fd, struct cs_bytes bytes);

#endif
