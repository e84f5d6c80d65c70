/* `caisson up` (an oracle: up_oracle.c): the enclave and the gateway of one configuration, each started
 * again when it ends; with --enclave-only the enclave alone, where a gateway has another supervisor, such
 * as a container of its own. The enclave inherits its listening socket from here, so that it outlives a
 * gateway that was killed, and the other way round.
 *   A gateway that read its file again asks for an enclave that runs under it (docs/adr/0065): the one
 * that runs is stopped, the next one started, and the configuration before it kept until the gateway
 * says that it is in force. With --enclave-only SIGHUP does that, and an enclave that still runs after
 * some seconds has taken it. */
#include "cli/service.h"
#include "gateway/succession.h"
#include "host/alloc.h"
#include "host/egress.h"
#include "host/enclave_process.h"
#include "host/log.h"
#include "host/supervisor.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STOP_GRACE_MS 8000u
#define DRAIN_MS 15000u
/* A gateway that ends so often at once has a reason that another start does not change. */
#define FAST_ENDS_MAX 5u
#define FAST_MS 2000u
/* Exit statuses of caisson-enclave for what another start does not change. */
#define ENCLAVE_REFUSAL_MIN 64
#define ENCLAVE_REFUSAL_MAX 69
/* Where the enclave finds its end of the pair (host/enclave_process.h). */
#define EGRESS_FD "5"
/* The gateway its end of the other one: host_child's first. */
#define SUPERVISOR_FD "3"
#define EGRESS_ARGS_MAX 6u
/* An enclave that refuses its manifest ends in its first milliseconds. */
#define TAKEN_MS 5000u

struct up {
	struct cli *cli;
	struct host_loop *loop;
	struct gateway_config *config; /* what is in force */
	struct gateway_config *next;   /* what the enclave is tried under; NULL: nothing */
	struct host_timer *taken;      /* of next, with --enclave-only */
	bool changing;                 /* the enclave is stopped, for the next one */
	int supervised[2];             /* ours, and the gateway's */
	struct host_supervisor *supervisor;
	struct host_child *enclave; /* NULL: it could not be started */
	struct host_child *gateway;
	bool enclave_only;
	bool stopping;
	bool released;
	bool failed;
	unsigned fast_ends;
	uint64_t started_ms;
	int pair[2]; /* for an enclave that asks providers: ours, and the enclave's */
	struct host_egress *egress;
	char lineage[67];
	char enclave_program[4096];
	char gateway_program[4096];
};

/* ---- the proxy ---- */

static enum cs_err start_egress(struct up *up, struct cs_why *why)
{
	return host_egress_new(&up->egress, up->loop, up->pair[0], &up->config->service.egress,
			       why);
}

/* The next enclave finds a proxy and a pair that know nothing of the one before. */
static void renew_egress(struct up *up)
{
	struct cs_why why = {{0}};
	if (!up->egress)
		return;
	host_egress_free(up->egress);
	up->egress = NULL;
	host_egress_drain(up->pair);
	enum cs_err err = start_egress(up, &why);
	if (err != CS_OK)
		log_error("up.no_egress", LOG_ERR(err), LOG_TEXT("why", why.text));
}

static enum cs_err open_egress(struct up *up, struct cs_why *why)
{
	if (!up->config->asks_providers)
		return CS_OK;
	if (host_egress_pair(up->pair) != CS_OK)
		return cs_fail(why, CS_ERR_IO, "no socket pair for the egress proxy");
	return start_egress(up, why);
}

static void close_egress(struct up *up)
{
	host_egress_free(up->egress);
	for (size_t i = 0; i < CS_LEN(up->pair); i++)
		if (up->pair[i] > 0)
			(void)close(up->pair[i]);
}

/* ---- events ---- */

static void go_back(struct up *up, const char *why);

static void enclave_started(void *context, int pid)
{
	(void)context;
	log_info("up.enclave_started", LOG_I64("pid", pid));
}

static void give_up(struct up *up, const char *why)
{
	log_error("up.gives_up", LOG_TEXT("why", why));
	up->failed = true;
	host_loop_drain(up->loop, DRAIN_MS);
}

/* An enclave that says why it does not start (docs/protocol/boundary.md) would say so again. */
static void enclave_ended(void *context, int status, int signal, uint64_t restart_ms)
{
	struct up *up = context;
	if (up->stopping)
		return;
	log_error("up.enclave_ended", LOG_I64("status", status), LOG_I64("signal", signal),
		  LOG_U64("restart_ms", restart_ms));
	renew_egress(up);
	if (signal != 0 || status < ENCLAVE_REFUSAL_MIN || status > ENCLAVE_REFUSAL_MAX)
		return;
	if (up->next)
		go_back(up, "the enclave does not start under it; its last line in the log says "
			    "why");
	else
		give_up(up, "the enclave refuses to start; its last line says why");
}

static void gateway_started(void *context, int pid)
{
	struct up *up = context;
	up->started_ms = host_now_ms();
	log_info("up.gateway_started", LOG_I64("pid", pid));
}

static void gateway_ended(void *context, int status, int signal, uint64_t restart_ms)
{
	struct up *up = context;
	if (up->stopping)
		return;
	log_error("up.gateway_ended", LOG_I64("status", status), LOG_I64("signal", signal),
		  LOG_U64("restart_ms", restart_ms));
	up->fast_ends =
		host_now_ms() - up->started_ms < FAST_MS && signal == 0 ? up->fast_ends + 1 : 0;
	if (up->fast_ends >= FAST_ENDS_MAX)
		give_up(up, "the gateway ends as soon as it starts");
}

/* ---- stopping: the gateway first, so that it can store the enclave's state ---- */

static void all_stopped(void *context)
{
	struct up *up = context;
	if (!up->released)
		host_loop_release(up->loop);
	up->released = true;
}

static void gateway_stopped(void *context)
{
	struct up *up = context;
	if (!up->enclave)
		all_stopped(up);
	else if (!up->changing) /* else it is stopped already: replaced() */
		host_child_stop(up->enclave, STOP_GRACE_MS, all_stopped, up);
}

static void drain(void *context)
{
	struct up *up = context;
	up->stopping = true;
	log_info("up.stopping");
	host_loop_hold(up->loop);
	if (!up->gateway)
		gateway_stopped(up);
	else
		host_child_stop(up->gateway, STOP_GRACE_MS + up->config->drain_ms, gateway_stopped,
				up);
}

/* ---- starting ---- */

/* What lets the enclave ask providers; its bridge refuses these where no chain is of rpc_quorum. */
static size_t add_egress(const struct up *up, const char **args)
{
	size_t n = 0;
	if (!up->egress)
		return 0;
	args[n++] = "--egress-fd";
	args[n++] = EGRESS_FD;
	args[n++] = "--trust-store";
	args[n++] = up->config->service.trust_store;
	if (up->config->service.logs) {
		args[n++] = "--logs";
		args[n++] = up->config->service.logs;
	}
	return n;
}

static enum cs_err start_enclave(struct up *up, struct cs_why *why)
{
	static const struct host_child_events events = {.started = enclave_started,
							.ended = enclave_ended};
	struct host_enclave_spawn_options options = {
		.program = up->enclave_program,
		.socket_path = up->config->service.enclave_socket,
		.seal_root_path = up->config->service.enclave_seal_root,
		.tee = up->config->service.enclave_tee,
		.tee_state = up->config->service.enclave_tee_state,
		.egress_fd = up->pair[1]};
	const struct gateway_config *config = up->next ? up->next : up->config;
	struct host_manifest first;
	size_t n = 0;
	size_t room = CS_LEN(options.args) - 1;
	CS_TRY(host_manifest_load(&first, config->service.manifests[0], why));
	memcpy(up->lineage, "0x", 2);
	cs_hex(up->lineage + 2, CS_BYTES_OF(first.hash.b));
	options.args[n++] = "--lineage";
	options.args[n++] = up->lineage;
	if (up->config->service.attested.address)
		options.args[n++] = "--attested";
	if (3 + EGRESS_ARGS_MAX + 2 * config->service.manifest_count + 2 * config->chain_count +
		    up->config->service.enclave_arg_count >
	    room)
		return cs_fail(why, CS_ERR_TOO_LARGE, "too many arguments for caisson-enclave");
	for (size_t i = 0; i < config->service.manifest_count; i++) {
		options.args[n++] = "--manifest";
		options.args[n++] = config->service.manifests[i];
	}
	for (size_t i = 0; i < config->chain_count; i++) {
		options.args[n++] = "--serve";
		options.args[n++] = config->chains[i].common.id;
	}
	n += add_egress(up, &options.args[n]);
	for (size_t i = 0; i < up->config->service.enclave_arg_count; i++)
		options.args[n++] = up->config->service.enclave_args[i];
	return host_enclave_spawn(&up->enclave, up->loop, &options, &events, up, why);
}

static enum cs_err start_gateway(struct up *up, struct cs_why *why)
{
	static const struct host_child_events events = {.started = gateway_started,
							.ended = gateway_ended};
	struct host_child_options options = {
		.program = up->gateway_program,
		.args = {"--config", up->config->path, "--supervisor-fd", SUPERVISOR_FD, NULL},
		.fds = {up->supervised[1]},
		.fd_count = 1};
	up->started_ms = host_now_ms();
	return host_child_new(&up->gateway, up->loop, &options, &events, up, why);
}

/* ---- from one enclave to the next ---- */

static void config_free(struct gateway_config *config)
{
	if (config)
		gateway_config_free(config);
	free(config);
}

static void tell_refused(struct up *up, const struct gateway_config *config, const char *why)
{
	struct cs_hash plan = gateway_plan_of(config);
	log_error("up.refused", LOG_U64("manifest", config->manifest.number), LOG_TEXT("why", why));
	if (up->supervisor &&
	    host_supervisor_send(up->supervisor, HOST_SUPERVISOR_REFUSED, &plan, why) != CS_OK)
		log_error("up.not_told");
}

static void start_again(struct up *up)
{
	struct cs_why why = {{0}};
	renew_egress(up);
	enum cs_err err = start_enclave(up, &why);
	if (err != CS_OK && up->next) {
		tell_refused(up, up->next, why.text);
		config_free(up->next);
		up->next = NULL;
		err = start_enclave(up, &why);
	}
	if (err != CS_OK)
		give_up(up, why.text);
	else
		log_info("up.enclave_started", LOG_I64("pid", host_child_pid(up->enclave)));
}

static void replaced(void *context)
{
	struct up *up = context;
	host_child_free(up->enclave);
	up->enclave = NULL;
	up->changing = false;
	if (!up->stopping)
		start_again(up);
	else if (!up->gateway || host_child_pid(up->gateway) == 0)
		all_stopped(up);
}

/* Under next, or what is in force; one that is being stopped for another plan starts under this one. */
static void replace(struct up *up)
{
	host_timer_stop(up->taken);
	if (up->changing || up->stopping)
		return;
	if (!up->enclave) {
		start_again(up);
		return;
	}
	up->changing = true;
	host_child_stop(up->enclave, STOP_GRACE_MS, replaced, up);
}

static void drop_next(struct up *up)
{
	config_free(up->next);
	up->next = NULL;
	replace(up);
}

/* In the end of an enclave: it is not started again by itself, but under what is in force. */
static void go_back(struct up *up, const char *why)
{
	tell_refused(up, up->next, why);
	drop_next(up);
}

static bool runs_under(const struct gateway_config *config, const struct cs_hash *plan)
{
	struct cs_hash own;
	if (!config)
		return false;
	own = gateway_plan_of(config);
	return cs_hash_eq(&own, plan);
}

static void keep_next(struct up *up)
{
	log_info("up.taken", LOG_U64("manifest", up->next->manifest.number));
	config_free(up->config);
	up->config = up->next;
	up->next = NULL;
}

/* NULL: the file is not one that an enclave can be started under now. */
static struct gateway_config *read_again(struct up *up, struct cs_why *why)
{
	struct gateway_config *fresh = host_alloc(sizeof(*fresh));
	enum cs_err err = gateway_config_load(fresh, up->config->path, true);
	if (err != CS_OK)
		err = cs_fail(why, err, "%.200s", host_config_error(fresh->file, 0));
	else if (fresh->asks_providers && !up->egress)
		err = cs_fail(why, CS_ERR_UNSUPPORTED,
			      "the first chain of rpc_quorum takes a start");
	if (err == CS_OK)
		return fresh;
	config_free(fresh);
	return NULL;
}

static void try_next(struct up *up, struct gateway_config *fresh)
{
	config_free(up->next);
	up->next = fresh;
	log_info("up.next", LOG_U64("manifest", fresh->manifest.number),
		 LOG_U64("chains", fresh->chain_count));
	replace(up);
}

/* The file that the gateway read, or none. */
static void asked(struct up *up, const struct cs_hash *plan)
{
	struct cs_why why = {{0}};
	if (runs_under(up->next ? up->next : up->config, plan))
		return;
	struct gateway_config *fresh = read_again(up, &why);
	if (fresh && runs_under(fresh, plan)) {
		try_next(up, fresh);
		return;
	}
	const char *text = fresh ? "the file is another one by now" : why.text;
	config_free(fresh);
	log_error("up.refused", LOG_TEXT("why", text));
	if (host_supervisor_send(up->supervisor, HOST_SUPERVISOR_REFUSED, plan, text) != CS_OK)
		log_error("up.not_told");
}

static void on_gateway(void *context, enum host_supervisor_kind kind, const struct cs_hash *plan,
		       const char *text)
{
	struct up *up = context;
	(void)text;
	switch (kind) {
	case HOST_SUPERVISOR_TRY:
		asked(up, plan);
		break;
	case HOST_SUPERVISOR_KEEP:
		if (runs_under(up->next, plan))
			keep_next(up);
		break;
	case HOST_SUPERVISOR_BACK:
		if (runs_under(up->next, plan))
			drop_next(up);
		break;
	case HOST_SUPERVISOR_REFUSED: /* ours to say */
		break;
	}
}

static void taken(void *context)
{
	struct up *up = context;
	if (up->next)
		keep_next(up);
}

/* With --enclave-only: its gateway is told by somebody else. */
static void reload_enclave(struct up *up)
{
	struct cs_why why = {{0}};
	struct gateway_config *fresh = read_again(up, &why);
	struct cs_hash plan;
	if (!fresh) {
		log_error("up.refused", LOG_TEXT("why", why.text));
		return;
	}
	plan = gateway_plan_of(fresh);
	if (runs_under(up->next ? up->next : up->config, &plan)) {
		log_info("up.unchanged");
		config_free(fresh);
		return;
	}
	try_next(up, fresh);
	host_timer_start(up->taken, TAKEN_MS, 0);
}

/* Whoever tells us tells the gateway, which asks for what it needs of us: the file is its. */
static void hang_up(void *context)
{
	struct up *up = context;
	int pid = up->gateway ? host_child_pid(up->gateway) : 0;
	if (up->enclave_only && !up->stopping)
		reload_enclave(up);
	else if (pid > 0)
		(void)kill(pid, SIGHUP);
}

static enum cs_err open_supervisor(struct up *up, struct cs_why *why)
{
	if (up->enclave_only)
		return CS_OK;
	enum cs_err err = host_supervisor_pair(up->supervised);
	if (err == CS_OK)
		err = host_supervisor_new(&up->supervisor, up->loop, up->supervised[0], on_gateway,
					  up);
	return err == CS_OK ? CS_OK : cs_fail(why, err, "no socket pair for the gateway");
}

static void close_supervisor(struct up *up)
{
	host_supervisor_free(up->supervisor);
	host_timer_free(up->taken);
	for (size_t i = 0; i < CS_LEN(up->supervised); i++)
		if (up->supervised[i] > 0)
			(void)close(up->supervised[i]);
}

/* ---- the whole ---- */

static enum cli_exit run(struct up *up)
{
	struct cs_why why = {{0}};
	host_program_find(up->enclave_program, sizeof(up->enclave_program),
			  up->config->service.enclave_program);
	host_program_find(up->gateway_program, sizeof(up->gateway_program), "caisson-gateway");
	up->loop = host_loop_new();
	/* Before the first child: whoever stops us at once stops them too. */
	host_loop_on_drain(up->loop, drain, up);
	host_loop_catch_signals(up->loop, DRAIN_MS + up->config->drain_ms);
	host_loop_on_hangup(up->loop, hang_up, up);
	up->taken = host_timer_new(up->loop, taken, up);
	enum cs_err err = open_egress(up, &why);
	if (err == CS_OK)
		err = open_supervisor(up, &why);
	if (err == CS_OK)
		err = start_enclave(up, &why);
	if (err == CS_OK && !up->enclave_only)
		err = start_gateway(up, &why);
	if (err == CS_OK) {
		log_info("up.started", LOG_TEXT("name", up->config->name),
			 LOG_I64("enclave", host_child_pid(up->enclave)),
			 LOG_I64("gateway", up->gateway ? host_child_pid(up->gateway) : 0));
		host_loop_run(up->loop);
	}
	host_child_free(up->gateway);
	host_child_free(up->enclave);
	close_egress(up);
	close_supervisor(up);
	host_loop_free(up->loop);
	if (err != CS_OK)
		return cli_fail(up->cli, CLI_FAILED, "%s", why.text);
	return up->failed ? CLI_FAILED : CLI_OK;
}

enum cli_exit cli_up(struct cli *cli)
{
	static struct up up;
	const char *file =
		cli->positional_count == 1 ? cli->positional[0] : cli_option(cli, "config");
	if (!file)
		file = getenv("CAISSON_CONFIG");
	up.cli = cli;
	if (!file || cli->positional_count > 1)
		return cli_fail(cli, CLI_USAGE, "which configuration?");
	up.enclave_only = cli_flag(cli, "enclave-only");
	if (cli_is_oracle(cli, file)) {
		if (up.enclave_only)
			return cli_fail(cli, CLI_USAGE,
					"--enclave-only: an oracle starts its enclave itself");
		return cli_up_oracle(cli, file);
	}
	enum cli_exit code = CLI_USAGE;
	up.config = host_alloc(sizeof(*up.config));
	if (gateway_config_load(up.config, file, true) == CS_OK && up.enclave_only &&
	    up.config->asks_providers) {
		code = cli_fail(cli, CLI_USAGE,
				"--enclave-only: this enclave asks providers through a proxy of "
				"`caisson up`, beside its gateway");
	} else if (host_config_error_count(up.config->file) == 0) {
		host_log_open(&(struct host_log_options){.level = up.config->service.log_level,
							 .json = up.config->service.log_json,
							 .fd = 2});
		code = run(&up);
	} else {
		for (uint32_t i = 0; i < host_config_error_count(up.config->file); i++)
			fprintf(stderr, "%s\n", host_config_error(up.config->file, i));
	}
	config_free(up.config);
	config_free(up.next);
	return code;
}
