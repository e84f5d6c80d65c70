#include "gateway/operator.h"
#include "host/dumps.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* Of a stop, beside what the configuration gives to transactions that are under way. */
#define STOP_MS 5000u
#define LOOK_MS 50u
/* As many readers as api.readers_max takes, and all else. */
#define FILES_MAX 70000u

/* The newest state of the light clients is stored before the process goes; what is lost without it
 * is only time. */
static void exported(void *context)
{
	struct gateway *gateway = context;
	host_loop_release(gateway->loop);
}

static void end(struct gateway *gateway)
{
	gateway->stopping = true;
	gateway_ledger_drain(gateway);
	gateway_enclave_export(gateway, exported, gateway);
}

static struct host_timer *looks;

static void look(void *context)
{
	struct gateway *gateway = context;
	if (!gateway_drain_is_over(gateway))
		return;
	host_timer_free(looks);
	looks = NULL;
	end(gateway);
}

static void drain(void *context)
{
	struct gateway *gateway = context;
	host_loop_hold(gateway->loop);
	gateway_drain_begin(gateway, "SIGTERM", gateway->config.drain_ms);
	gateway->drain.is_told = true; /* whoever stops it sees it stop */
	if (gateway_drain_is_over(gateway)) {
		end(gateway);
		return;
	}
	looks = host_timer_new(gateway->loop, look, gateway);
	host_timer_start(looks, LOOK_MS, LOOK_MS);
}

static int usage(FILE *to)
{
	fputs("usage: caisson-gateway --config FILE [--supervisor-fd N]\n"
	      "The gateway of one or several chains; `caisson up` starts it together with its "
	      "enclave.\n"
	      "exit status: 0 stopped by a signal, 1 failed while running, 2 wrong usage or "
	      "configuration\n",
	      to);
	return to == stdout ? 0 : 2;
}

/* What `caisson up` adds: docs/adr/0065. */
static bool take_supervisor(int *fd, const char *option, const char *value)
{
	char *end = NULL;
	long number = strtol(value, &end, 10);
	if (strcmp(option, "--supervisor-fd") != 0 || *end != 0 || number < 3 || number > 1023)
		return false;
	*fd = (int)number;
	return true;
}

/* A reader of events is an open file, and systemd gives 1,024 unless it is asked for more, up to the hard limit. */
static void raise_files(void)
{
	struct rlimit files;
	rlim_t wanted = FILES_MAX;
	if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= wanted)
		return;
	files.rlim_cur = files.rlim_max < wanted ? files.rlim_max : wanted;
	(void)setrlimit(RLIMIT_NOFILE, &files);
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return usage(stdout);
	int supervisor_fd = -1;
	if ((argc != 3 && argc != 5) || strcmp(argv[1], "--config") != 0 ||
	    (argc == 5 && !take_supervisor(&supervisor_fd, argv[3], argv[4])))
		return usage(stderr);
	static struct gateway gateway;
	if (host_dumps_off() != CS_OK) {
		fputs("caisson-gateway: core dumps cannot be switched off\n", stderr);
		return 1;
	}
	raise_files();
	/* Each large buffer, and there is one for every answer of a node, makes glibc merge its fast
	 * bins, which the small pieces of JSON have filled. Without them a piece is merged once. */
	(void)mallopt(M_MXFAST, 0);
	struct host_loop *loop = host_loop_new();
	if (gateway_start(&gateway, loop, argv[2], supervisor_fd) != CS_OK)
		return 2; /* nothing was begun that the next start would not find */
	host_loop_on_drain(loop, drain, &gateway);
	host_loop_catch_signals(loop, STOP_MS + gateway.config.drain_ms);
	host_loop_on_hangup(loop, gateway_reload_signal, &gateway);
	host_loop_run(loop);
	bool failed = gateway.failed;
	host_timer_free(looks);
	gateway_stop(&gateway);
	host_loop_free(loop);
	log_info("gateway.stopped", LOG_BOOL("failed", failed));
	return failed ? 1 : 0;
}
