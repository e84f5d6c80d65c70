/* `caisson up` of an oracle: one child, because the process starts its enclave itself (it holds the
 * other end of its connections). Started again when it ends. */
#include "cli/service.h"
#include "host/child.h"
#include "host/log.h"

#include <stdlib.h>

#define STOP_GRACE_MS 8000u
#define DRAIN_MS 15000u
/* One that ends so often at once has a reason that another start does not change. */
#define FAST_ENDS_MAX 5u
#define FAST_MS 2000u

struct up_oracle {
	struct cli *cli;
	struct host_loop *loop;
	struct host_child *child;
	bool stopping;
	bool failed;
	unsigned fast_ends;
	uint64_t started_ms;
};

static void started(void *context, int pid)
{
	struct up_oracle *up = context;
	up->started_ms = host_now_ms();
	log_info("up.oracle_started", LOG_I64("pid", pid));
}

static void ended(void *context, int status, int signal, uint64_t restart_ms)
{
	struct up_oracle *up = context;
	if (up->stopping)
		return;
	log_error("up.oracle_ended", LOG_I64("status", status), LOG_I64("signal", signal),
		  LOG_U64("restart_ms", restart_ms));
	up->fast_ends =
		host_now_ms() - up->started_ms < FAST_MS && signal == 0 ? up->fast_ends + 1 : 0;
	if (up->fast_ends < FAST_ENDS_MAX)
		return;
	log_error("up.gives_up", LOG_TEXT("why", "the oracle ends as soon as it starts"));
	up->failed = true;
	host_loop_drain(up->loop, DRAIN_MS);
}

static void stopped(void *context)
{
	struct up_oracle *up = context;
	host_loop_release(up->loop);
}

static void drain(void *context)
{
	struct up_oracle *up = context;
	up->stopping = true;
	log_info("up.stopping");
	host_loop_hold(up->loop);
	host_child_stop(up->child, STOP_GRACE_MS, stopped, up);
}

static enum cli_exit run(struct up_oracle *up, const char *path)
{
	static const struct host_child_events events = {.started = started, .ended = ended};
	char program[4096];
	struct cs_why why = {{0}};
	host_program_find(program, sizeof(program), "caisson-oracle");
	struct host_child_options options = {.program = program, .args = {"--config", path, NULL}};
	up->loop = host_loop_new();
	/* Before the child: whoever stops us at once stops it too. */
	host_loop_on_drain(up->loop, drain, up);
	host_loop_catch_signals(up->loop, DRAIN_MS);
	up->started_ms = host_now_ms();
	enum cs_err err = host_child_new(&up->child, up->loop, &options, &events, up, &why);
	if (err == CS_OK) {
		log_info("up.started", LOG_I64("oracle", host_child_pid(up->child)));
		host_loop_run(up->loop);
	}
	host_child_free(up->child);
	host_loop_free(up->loop);
	if (err != CS_OK)
		return cli_fail(up->cli, CLI_FAILED, "%s", why.text);
	return up->failed ? CLI_FAILED : CLI_OK;
}

enum cli_exit cli_up_oracle(struct cli *cli, const char *path)
{
	static struct cli_service service;
	struct up_oracle up = {.cli = cli};
	enum cli_exit code = CLI_USAGE;
	if (cli_service_load(&service, cli, path, true) == CS_OK) {
		host_log_open(&(struct host_log_options){.level = service.common->log_level,
							 .json = service.common->log_json,
							 .fd = 2});
		code = run(&up, path);
	} else {
		for (uint32_t i = 0; i < host_config_error_count(service.file); i++)
			fprintf(stderr, "%s\n", host_config_error(service.file, i));
	}
	cli_service_free(&service);
	return code;
}
