#include "cluster/host.h"

#include "host/alloc.h"
#include "host/enclave_process.h"
#include "host/keyfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DRAIN_MS 5000u
#define AGAIN_MS 50u
/* Exit statuses of the enclave for what another start does not change. */
#define REFUSAL_MIN 64
#define REFUSAL_MAX 69

void cluster_host_tell(struct cluster_host *cluster, enum wire_pipe_type type, uint32_t number,
		       struct cs_bytes body)
{
	uint8_t head[WIRE_PIPE_HEAD_SIZE];
	const struct wire_pipe_frame frame = {(uint32_t)body.n, type, number};
	if (cluster->enclave == NULL)
		return;
	wire_pipe_encode(head, &frame);
	/* The peers are not read any more before the queue is long: this is a bound, not a state. */
	if (host_stream_write(cluster->enclave, CS_BYTES_OF(head), SIZE_MAX / 2) != CS_OK ||
	    host_stream_write(cluster->enclave, body, SIZE_MAX / 2) != CS_OK)
		log_error("cluster.enclave_not_reached");
}

/* ---- what the enclave says ---- */

static void fail(struct cluster_host *cluster, const char *why)
{
	log_error("cluster.gives_up", LOG_TEXT("why", why));
	cluster->failed = true;
	host_loop_drain(cluster->loop, DRAIN_MS);
}

/* What is not kept is not answered: the enclave waits, and nothing that rests on it goes out. */
static void keep(struct cluster_host *cluster, uint32_t number, struct cs_bytes body)
{
	struct cs_why why = {""};
	const enum cs_err err = cluster_host_state_keep(cluster->config.state, body, &why);
	if (err == CS_OK)
		cluster_host_tell(cluster, WIRE_PIPE_KEPT, number, CS_BYTES_NONE);
	else
		fail(cluster, why.text);
}

static void take(struct cluster_host *cluster, const struct wire_pipe_frame *frame,
		 struct cs_bytes body)
{
	switch (frame->type) {
	case WIRE_PIPE_CONNECT:
		cluster_host_pipes_connect(cluster, frame->number, body);
		return;
	case WIRE_PIPE_DATA_OUT:
		cluster_host_pipes_data(cluster, frame->number, body);
		return;
	case WIRE_PIPE_END:
		cluster_host_pipes_end(cluster, frame->number);
		return;
	case WIRE_PIPE_KEEP:
		keep(cluster, frame->number, body);
		return;
	case WIRE_PIPE_ANSWER:
		if (frame->number != CLUSTER_ASK_OF_HOST)
			cluster_host_asks_answer(cluster, frame->number, body);
		else if (cluster->config.role == CLUSTER_KEY_SERVER)
			cluster_host_recovery_answer(cluster, body);
		else
			cluster_host_figures_status(cluster, body);
		return;
	case WIRE_PIPE_EVENT:
		/* It has opened its state, and the host has kept what it made. */
		cluster->is_up = cluster->is_up || frame->number == WIRE_PIPE_EVENT_STARTED;
		cluster_host_figures_event(cluster, frame->number, body);
		cluster_host_recovery_event(cluster, frame->number);
		return;
	case WIRE_PIPE_TIME_ASK:
		cluster_host_clock_ask(cluster, frame->number, body);
		return;
	case WIRE_PIPE_ANCHOR:
		cluster_host_anchor_write(cluster, body);
		return;
	case WIRE_PIPE_STATE:
	case WIRE_PIPE_ACCEPTED:
	case WIRE_PIPE_CONNECTED:
	case WIRE_PIPE_DATA_IN:
	case WIRE_PIPE_ENDED:
	case WIRE_PIPE_KEPT:
	case WIRE_PIPE_TICK:
	case WIRE_PIPE_ASK:
	case WIRE_PIPE_TIME_ANSWERS:
		return; /* ours to send: decode refuses them */
	}
}

static void on_bytes(void *context, struct cs_bytes bytes)
{
	struct cluster_host *cluster = context;
	struct wire_pipe_frame frame;
	size_t at = 0;
	cluster->inbox = host_append(cluster->inbox, &cluster->inbox_size, &cluster->inbox_room,
				     bytes.p, bytes.n);
	while (cluster->inbox_size - at >= WIRE_PIPE_HEAD_SIZE) {
		if (wire_pipe_decode(&frame, cluster->inbox + at, false) != CS_OK)
			return fail(cluster, "the enclave broke the rules of frames");
		if (cluster->inbox_size - at - WIRE_PIPE_HEAD_SIZE < frame.size)
			break;
		at += WIRE_PIPE_HEAD_SIZE;
		take(cluster, &frame, cs_bytes(cluster->inbox + at, frame.size));
		at += frame.size;
	}
	cluster->inbox_size -= at;
	if (cluster->inbox_size > 0)
		memmove(cluster->inbox, cluster->inbox + at, cluster->inbox_size);
}

/* ---- the enclave ---- */

static void on_connected(void *context)
{
	struct cluster_host *cluster = context;
	struct cs_why why = {""};
	uint8_t *state;
	size_t size;
	if (cluster_host_state_load(&state, &size, cluster->config.state, &why) != CS_OK)
		return fail(cluster, why.text);
	cluster_host_tell(cluster, WIRE_PIPE_STATE, 0, cs_bytes(state, size));
	free(state);
	host_timer_start(cluster->tick, CLUSTER_TICK_MS, CLUSTER_TICK_MS);
}

static void on_drained(void *context)
{
	cluster_host_pipes_resume(context);
}

static void gone(struct cluster_host *cluster)
{
	host_stream_free(cluster->enclave);
	cluster->enclave = NULL;
	cluster->is_up = false;
	cluster->inbox_size = 0;
	host_timer_stop(cluster->tick);
	cluster_host_pipes_reset(cluster);
	cluster_host_asks_reset(cluster);
	cluster_host_clock_reset(cluster);
}

static void on_ended(void *context, enum cs_err err)
{
	struct cluster_host *cluster = context;
	(void)err;
	gone(cluster);
	if (!cluster->stopping)
		host_timer_start(cluster->again, AGAIN_MS, 0);
}

static void connect_enclave(void *context)
{
	static const struct host_stream_events events = {on_connected, on_bytes, on_drained,
							 on_ended};
	struct cluster_host *cluster = context;
	struct host_address address = {.is_unix = true, .is_loopback = true};
	(void)snprintf(address.name, sizeof address.name, "%s", cluster->config.enclave_socket);
	cluster->enclave = host_stream_connect(cluster->loop, &address, &events, cluster);
}

static void on_tick(void *context)
{
	cluster_host_tell(context, WIRE_PIPE_TICK, 0, CS_BYTES_NONE);
}

static void child_ended(void *context, int status, int signal, uint64_t restart_ms)
{
	struct cluster_host *cluster = context;
	if (cluster->stopping)
		return;
	log_error("cluster.enclave_ended", LOG_I64("status", status), LOG_I64("signal", signal),
		  LOG_U64("restart_ms", restart_ms));
	if (signal == 0 && status >= REFUSAL_MIN && status <= REFUSAL_MAX)
		fail(cluster, "the enclave refuses to start; its last line says why");
}

static enum cs_err spawn(struct cluster_host *cluster, struct cs_why *why)
{
	static char program[4096];
	static const struct host_child_events events = {NULL, child_ended};
	const struct cluster_config *config = &cluster->config;
	struct host_enclave_spawn_options options = {.program = program,
						     .socket_path = config->enclave_socket,
						     .seal_root_path = config->seal_root,
						     .tee = config->tee,
						     .tee_state = config->tee_state};
	size_t n = 0;
	host_program_find(program, sizeof program, config->enclave_program);
	options.args[n++] = "--role";
	options.args[n++] = config->role_name;
	options.args[n++] = "--first";
	options.args[n++] = config->first;
	if (config->application != NULL) {
		options.args[n++] = "--application";
		options.args[n++] = config->application;
	}
	for (uint32_t i = 0; i < config->manifest_count; i++) {
		options.args[n++] = "--manifest";
		options.args[n++] = config->manifests[i];
	}
	for (uint32_t i = 0; i < config->collateral_count; i++) {
		options.args[n++] = "--collateral";
		options.args[n++] = config->collateral[i];
	}
	for (uint32_t i = 0; i < config->enclave_arg_count; i++)
		options.args[n++] = config->enclave_args[i];
	return host_enclave_spawn(&cluster->child, cluster->loop, &options, &events, cluster, why);
}

/* ---- the whole ---- */

static void open_log(const struct cluster_config *config)
{
	const struct host_log_options options = {
		.level = config->log_level, .json = config->log_json, .fd = 2};
	host_log_open(&options);
}

static enum cs_err start(struct cluster_host *cluster, struct cs_why *why)
{
	cluster->tick = host_timer_new(cluster->loop, on_tick, cluster);
	cluster->again = host_timer_new(cluster->loop, connect_enclave, cluster);
	CS_TRY(cluster_host_figures_open(cluster, why));
	CS_TRY(cluster_host_pipes_open(cluster, why));
	CS_TRY(cluster_host_asks_open(cluster, why));
	CS_TRY(cluster_host_clock_open(cluster, why));
	CS_TRY(cluster_host_anchor_open(cluster, why));
	CS_TRY(spawn(cluster, why));
	connect_enclave(cluster);
	return CS_OK;
}

enum cs_err cluster_host_start(struct cluster_host *cluster, struct host_loop *loop,
			       const char *path)
{
	struct cs_why why = {""};
	*cluster = (struct cluster_host){.loop = loop};
	enum cs_err err = cluster_config_load(&cluster->config, path);
	if (err != CS_OK) {
		for (uint32_t i = 0; i < host_config_error_count(cluster->config.file); i++)
			(void)fprintf(stderr, "caisson-cluster: %s\n",
				      host_config_error(cluster->config.file, i));
		cluster_config_free(&cluster->config);
		return err;
	}
	open_log(&cluster->config);
	err = start(cluster, &why);
	if (err == CS_OK)
		return CS_OK;
	log_error("cluster.not_started", LOG_ERR(err), LOG_TEXT("why", why.text));
	cluster_host_stop(cluster);
	return err;
}

void cluster_host_stop(struct cluster_host *cluster)
{
	cluster->stopping = true;
	if (cluster->enclave != NULL)
		gone(cluster);
	if (cluster->metrics != NULL)
		cluster_host_figures_close(cluster);
	cluster_host_asks_close(cluster);
	cluster_host_anchor_close(cluster);
	cluster_host_clock_close(cluster);
	cluster_host_pipes_close(cluster);
	host_child_free(cluster->child);
	host_timer_free(cluster->tick);
	host_timer_free(cluster->again);
	free(cluster->inbox);
	cluster_config_free(&cluster->config);
}
