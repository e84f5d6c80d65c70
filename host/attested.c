#include "host/attested.h"

#include "host/alloc.h"
#include "host/log.h"

#include <stdlib.h>

#define TICK_MS 1000u
#define CALL_TIMEOUT_MS 20000u
/* An AttestedReply, decoded: its data once in the frame and once here. */
#define ARENA_SIZE (192u * 1024)

struct visit {
	struct host_attested *port;
	struct visit *next, **at;
	struct host_stream *stream; /* NULL: it ended while the enclave was asked */
	uint64_t number;
	uint64_t since_ms, heard_ms;
	uint32_t pieces;
	size_t size;
	bool asking; /* a call is under way: whoever ends it frees */
	bool known;  /* the enclave holds something of it */
};

struct host_attested {
	struct host_loop *loop;
	struct host_enclave_session *session;
	struct host_attested_config config;
	struct host_listener *listener;
	struct host_timer *tick;
	struct visit *visits; /* the newest first */
	uint32_t count;
	uint64_t last_number;
	uint32_t accepted; /* in this second */
	uint32_t refused;
	struct cs_arena arena;
};

static void step(struct visit *visit, struct cs_bytes piece);

/* ---- ends ---- */

static void free_visit(struct visit *visit)
{
	*visit->at = visit->next;
	if (visit->next != NULL)
		visit->next->at = visit->at;
	visit->port->count--;
	free(visit);
}

static void on_forgotten(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	/* Where it could not be told, the enclave forgets with the session. */
	(void)context, (void)err, (void)why, (void)body;
}

static void tell_gone(const struct visit *visit)
{
	Caisson__Wire__AttestedRequest in = CAISSON__WIRE__ATTESTED_REQUEST__INIT;
	in.connection = visit->number;
	in.gone = true;
	const enum cs_err err =
		host_enclave_session_call(visit->port->session, WIRE_ATTESTED, &in.base,
					  CALL_TIMEOUT_MS, on_forgotten, visit->port);
	if (err != CS_OK)
		log_debug("attested.not_told", LOG_ERR(err));
}

/* Now, or when the enclave has answered. */
static void drop(struct visit *visit)
{
	host_stream_free(visit->stream);
	visit->stream = NULL;
	if (visit->asking)
		return;
	if (visit->known)
		tell_gone(visit);
	free_visit(visit);
}

/* ---- to the enclave and back ---- */

static void write_reply(struct visit *visit, const Caisson__Wire__AttestedReply *out)
{
	if (out->data.len > 0 &&
	    host_stream_write(visit->stream, cs_bytes(out->data.data, out->data.len),
			      HOST_ATTESTED_QUEUE_MAX) != CS_OK) {
		drop(visit);
		return;
	}
	if (out->over)
		host_stream_finish(visit->stream);
	else if (out->more)
		step(visit, CS_BYTES_NONE);
	else
		host_stream_resume(visit->stream);
}

static void on_reply(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct visit *visit = context;
	struct host_attested *port = visit->port;
	ProtobufCMessage *message = NULL;
	visit->asking = false;
	if (err == CS_OK) {
		cs_arena_rewind(&port->arena, 0);
		err = host_enclave_reply(&port->arena, body,
					 &caisson__wire__attested_reply__descriptor, &message);
		why = "";
	}
	if (err != CS_OK) {
		log_warn("attested.refused", LOG_ERR(err), LOG_TEXT("why", why));
		visit->known = false;
		drop(visit);
		return;
	}
	const Caisson__Wire__AttestedReply *out =
		(const Caisson__Wire__AttestedReply *)(const void *)message;
	visit->known = !out->over;
	if (out->over && out->why[0] != '\0')
		log_info("attested.ended", LOG_TEXT("why", out->why));
	if (visit->stream == NULL)
		drop(visit);
	else
		write_reply(visit, out);
}

/* One piece at a time: what comes meanwhile waits in the kernel. */
static void step(struct visit *visit, struct cs_bytes piece)
{
	Caisson__Wire__AttestedRequest in = CAISSON__WIRE__ATTESTED_REQUEST__INIT;
	in.connection = visit->number;
	in.data.data = (uint8_t *)(uintptr_t)piece.p;
	in.data.len = piece.n;
	host_stream_pause(visit->stream);
	visit->asking = true;
	const enum cs_err err = host_enclave_session_call(
		visit->port->session, WIRE_ATTESTED, &in.base, CALL_TIMEOUT_MS, on_reply, visit);
	if (err == CS_OK)
		return;
	visit->asking = false;
	log_warn("attested.no_enclave", LOG_ERR(err));
	drop(visit);
}

static void on_bytes(void *context, struct cs_bytes bytes)
{
	struct visit *visit = context;
	visit->heard_ms = host_now_ms();
	visit->size += bytes.n;
	if (++visit->pieces > HOST_ATTESTED_PIECES_MAX || visit->size > HOST_ATTESTED_SIZE_MAX) {
		log_info("attested.ended", LOG_TEXT("why", "more than a connection may send"));
		drop(visit);
		return;
	}
	step(visit, bytes);
}

static void on_drained(void *context)
{
	(void)context;
}

static void on_ended(void *context, enum cs_err err)
{
	(void)err;
	drop(context);
}

/* ---- who comes ---- */

/* Silent ones make room for those who may have something to say. */
static struct visit *oldest_silent(struct host_attested *port)
{
	struct visit *found = NULL;
	for (struct visit *visit = port->visits; visit != NULL; visit = visit->next)
		if (visit->pieces == 0)
			found = visit;
	return found;
}

static bool has_place(struct host_attested *port)
{
	if (++port->accepted > port->config.connections_per_s)
		return false;
	if (port->count < port->config.connections_max)
		return true;
	struct visit *silent = oldest_silent(port);
	if (silent == NULL)
		return false;
	drop(silent);
	return true;
}

static void on_accepted(void *context, struct host_stream *stream)
{
	static const struct host_stream_events events = {NULL, on_bytes, on_drained, on_ended};
	struct host_attested *port = context;
	if (!host_enclave_session_is_ready(port->session) || !has_place(port)) {
		port->refused++;
		host_stream_free(stream);
		return;
	}
	struct visit *visit = host_alloc(sizeof *visit);
	const uint64_t now_ms = host_now_ms();
	*visit = (struct visit){.port = port,
				.stream = stream,
				.number = ++port->last_number,
				.since_ms = now_ms,
				.heard_ms = now_ms,
				.next = port->visits,
				.at = &port->visits};
	if (visit->next != NULL)
		visit->next->at = &visit->next;
	port->visits = visit;
	port->count++;
	host_stream_serve(stream, &events, visit);
}

static void on_tick(void *context)
{
	struct host_attested *port = context;
	const uint64_t now_ms = host_now_ms();
	for (struct visit *visit = port->visits, *next; visit != NULL; visit = next) {
		next = visit->next;
		if (visit->stream != NULL && (now_ms - visit->heard_ms >= port->config.idle_ms ||
					      now_ms - visit->since_ms >= HOST_ATTESTED_LIFE_MS))
			drop(visit);
	}
	if (port->refused > 0)
		log_warn("attested.turned_away", LOG_U64("connections", port->refused));
	port->accepted = port->refused = 0;
}

/* ---- the port ---- */

enum cs_err host_attested_new(struct host_attested **out, struct host_loop *loop,
			      const struct host_attested_config *config,
			      struct host_enclave_session *session, struct cs_why *why)
{
	struct host_address address;
	CS_TRY(host_address_parse(&address, config->address, why));
	struct host_attested *port = host_alloc(sizeof *port);
	port->loop = loop;
	port->config = *config;
	port->session = session;
	const enum cs_err err =
		host_listener_new(&port->listener, loop, &address, on_accepted, port, why);
	if (err != CS_OK) {
		free(port);
		return err;
	}
	cs_arena_init(&port->arena, host_alloc(ARENA_SIZE), ARENA_SIZE);
	port->tick = host_timer_new(loop, on_tick, port);
	host_timer_start(port->tick, TICK_MS, TICK_MS);
	log_info("attested.listens", LOG_TEXT("address", address.name),
		 LOG_U64("port", host_attested_port(port)));
	*out = port;
	return CS_OK;
}

uint16_t host_attested_port(const struct host_attested *port)
{
	return host_listener_port(port->listener);
}

void host_attested_free(struct host_attested *port)
{
	if (port == NULL)
		return;
	host_timer_free(port->tick);
	host_listener_free(port->listener);
	for (struct visit *visit = port->visits, *next; visit != NULL; visit = next) {
		next = visit->next;
		host_stream_free(visit->stream);
		free(visit);
	}
	free(port->arena.block);
	free(port);
}
