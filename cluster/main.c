/* caisson-cluster: the host half of a key server, a guard or a worker. */
#include "cluster/host.h"

#include <stdio.h>
#include <string.h>

#define DRAIN_MS 5000u

static int usage(FILE *to)
{
	fputs("usage: caisson-cluster --config FILE | --sample | --reference\n"
	      "A key server, a guard or a worker of a key cluster, as the file says; it starts its "
	      "enclave. --sample prints a configuration with every key, --reference their page.\n"
	      "exit status: 0 stopped by a signal, 1 failed while running, 2 wrong usage or "
	      "configuration\n",
	      to);
	return to == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
	static struct cluster_host cluster;
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return usage(stdout);
	if (argc == 2 && strcmp(argv[1], "--sample") == 0) {
		host_config_write_sample(cluster_config_schema(), stdout);
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "--reference") == 0) {
		host_config_write_reference(cluster_config_schema(), stdout);
		return 0;
	}
	if (argc != 3 || strcmp(argv[1], "--config") != 0)
		return usage(stderr);
	struct host_loop *loop = host_loop_new();
	if (cluster_host_start(&cluster, loop, argv[2]) != CS_OK)
		return 2;
	host_loop_catch_signals(loop, DRAIN_MS);
	host_loop_run(loop);
	const bool failed = cluster.failed;
	cluster_host_stop(&cluster);
	host_loop_free(loop);
	log_info("cluster.stopped", LOG_BOOL("failed", failed));
	return failed ? 1 : 0;
}
