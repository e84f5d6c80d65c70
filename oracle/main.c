#include "host/dumps.h"
#include "oracle/oracle.h"

#include <stdio.h>
#include <string.h>

#define DRAIN_MS 5000u

/* The newest state of the light clients is stored before the process goes; what is lost without it
 * is only time. */
static void exported(void *context)
{
	struct oracle *oracle = context;
	host_loop_release(oracle->loop);
}

static void drain(void *context)
{
	struct oracle *oracle = context;
	log_info("oracle.draining");
	oracle->stopping = true;
	host_loop_hold(oracle->loop);
	oracle_enclave_export(oracle, exported, oracle);
}

static int usage(FILE *to)
{
	fputs("usage: caisson-oracle --config FILE\n"
	      "An oracle: it starts its enclave, answers requests of apps and of contracts, and "
	      "keeps feeds.\n"
	      "exit status: 0 stopped by a signal, 1 failed while running, 2 wrong usage or "
	      "configuration\n",
	      to);
	return to == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
	static struct oracle oracle;
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return usage(stdout);
	if (argc != 3 || strcmp(argv[1], "--config") != 0)
		return usage(stderr);
	if (host_dumps_off() != CS_OK) {
		fputs("caisson-oracle: core dumps cannot be switched off\n", stderr);
		return 1;
	}
	struct host_loop *loop = host_loop_new();
	if (oracle_start(&oracle, loop, argv[2]) != CS_OK)
		return 2; /* nothing was begun that the next start would not find */
	host_loop_on_drain(loop, drain, &oracle);
	host_loop_catch_signals(loop, DRAIN_MS);
	host_loop_run(loop);
	bool failed = oracle.failed;
	oracle_stop(&oracle);
	host_loop_free(loop);
	log_info("oracle.stopped", LOG_BOOL("failed", failed));
	return failed ? 1 : 0;
}
