/* The parts of `caisson provision`. */
#ifndef CLI_PROVISION_H
#define CLI_PROVISION_H

#include "cli/cli.h"

struct provision_places {
	const char *listen;     /* the Unix socket for programs */
	const char *worker;     /* the one beside the worker */
	const char *containers; /* NULL: no rule about a container fits */
};

/* Serves programs until SIGTERM or SIGINT. Each connection has a process of its own, in which what was read and
 * opened for it ends with it. */
enum cli_exit provision_serve(struct cli *cli, const struct provision_places *places);

#endif
