/* The egress proxy alone, as a process for tests and benchmarks.
 *
 *	egress-proxy FD [--allow NETWORK]… [--name NAME=ADDRESS]… [--connections N] [--connect-ms N]
 *
 * On SIGTERM it prints its counters as a line of JSON and ends. */
#include "host/egress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void stop(void *context)
{
	host_loop_stop(context);
}

static void take_option(struct host_egress_options *options, const char *name, char *value)
{
	if (strcmp(name, "--allow") == 0 && options->network_count < HOST_EGRESS_NETWORKS_MAX) {
		options->networks[options->network_count++] = value;
	} else if (strcmp(name, "--name") == 0 && strchr(value, '=') != NULL &&
		   options->name_count < HOST_EGRESS_NAMES_MAX) {
		char *equals = strchr(value, '=');
		*equals = '\0';
		options->names[options->name_count++] =
			(struct host_egress_name){value, equals + 1};
	} else if (strcmp(name, "--connections") == 0) {
		options->connections_max = (uint32_t)strtoul(value, NULL, 10);
	} else if (strcmp(name, "--connect-ms") == 0) {
		options->connect_ms = strtoul(value, NULL, 10);
	} else if (strcmp(name, "--idle-ms") == 0) {
		options->idle_ms = strtoul(value, NULL, 10);
	} else {
		fprintf(stderr, "egress-proxy: %s %s\n", name, value);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct host_egress_options options = {.network_count = 0};
	struct host_egress_counters c;
	struct host_egress *egress;
	struct cs_why why = {""};
	if (argc < 2)
		return 2;
	for (int i = 2; i + 1 < argc; i += 2)
		take_option(&options, argv[i], argv[i + 1]);
	struct host_loop *loop = host_loop_new();
	if (host_egress_new(&egress, loop, (int)strtol(argv[1], NULL, 10), &options, &why) !=
	    CS_OK) {
		fprintf(stderr, "egress-proxy: %s\n", why.text);
		return 1;
	}
	host_loop_catch_signals(loop, 1000);
	host_loop_on_drain(loop, stop, loop);
	puts("{\"ready\":true}");
	fflush(stdout);
	host_loop_run(loop);
	host_egress_read(&c, egress);
	printf("{\"requests\":%llu,\"malformed\":%llu,\"connected\":%llu,\"unresolved\":%llu,"
	       "\"forbidden\":%llu,\"refused\":%llu,\"full\":%llu,\"bytes_out\":%llu,"
	       "\"bytes_in\":%llu,\"open\":%u}\n",
	       (unsigned long long)c.requests, (unsigned long long)c.malformed,
	       (unsigned long long)c.connected, (unsigned long long)c.unresolved,
	       (unsigned long long)c.forbidden, (unsigned long long)c.refused,
	       (unsigned long long)c.full, (unsigned long long)c.bytes_out,
	       (unsigned long long)c.bytes_in, c.open);
	host_egress_free(egress);
	host_loop_free(loop);
	return 0;
}
