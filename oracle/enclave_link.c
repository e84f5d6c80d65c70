/* The enclave beside us: its process, the proxies through which it reaches its sources and the
 * providers of its chains, and the session with it. All of them begin anew when it ends. */
#include "host/alloc.h"
#include "host/enclave_process.h"
#include "oracle/evidence.h"
#include "relay_state/client/clock.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In the child: host_enclave_spawn. */
#define EGRESS_FD "5"
#define RPC_EGRESS_FD "6"

/* One proxy of the enclave. */
struct way {
	const struct host_egress_options *options;
	struct host_egress *egress;
	int pair[2]; /* the proxy's end and the enclave's; -1: there is none */
	struct host_egress_counters before; /* of proxies that ended with their enclave */
};

enum {
	TO_SOURCES,
	TO_PROVIDERS, /* only where a contract's chain has some */
	WAYS,
};

struct oracle_enclave {
	struct oracle *oracle;
	struct way ways[WAYS];
	struct host_child *child;
	struct host_enclave_session *session;
	struct host_attested *attested; /* NULL: none is configured */
	struct host_timer *timer;
	uint64_t restarts;
	char program[4096];
	char lineage[67];
};

/* ---- the proxies ---- */

static enum cs_err way_open(struct oracle_enclave *enclave, struct way *way,
			    const struct host_egress_options *options, struct cs_why *why)
{
	way->options = options;
	if (host_egress_pair(way->pair) != CS_OK)
		return cs_fail(why, CS_ERR_IO, "no socket pair for the egress proxy");
	return host_egress_new(&way->egress, enclave->oracle->loop, way->pair[0], options, why);
}

static void add_counters(struct host_egress_counters *to, const struct host_egress_counters *more)
{
	to->requests += more->requests;
	to->malformed += more->malformed;
	to->connected += more->connected;
	to->unresolved += more->unresolved;
	to->forbidden += more->forbidden;
	to->refused += more->refused;
	to->full += more->full;
	to->bytes_out += more->bytes_out;
	to->bytes_in += more->bytes_in;
}

static void count_way(struct host_egress_counters *to, const struct way *way)
{
	struct host_egress_counters counters = {0};
	if (way->egress)
		host_egress_read(&counters, way->egress);
	add_counters(to, &counters);
	to->open += counters.open;
}

/* Its enclave is gone: whatever it asked for ends, and another begins. */
static void way_renew(struct oracle_enclave *enclave, struct way *way)
{
	struct cs_why why = {{0}};
	if (way->pair[0] < 0)
		return;
	count_way(&way->before, way);
	way->before.open = 0;
	host_egress_free(way->egress);
	way->egress = NULL;
	host_egress_drain(way->pair);
	enum cs_err err = host_egress_new(&way->egress, enclave->oracle->loop, way->pair[0],
					  way->options, &why);
	if (err != CS_OK)
		log_error("egress.not_started", LOG_ERR(err), LOG_TEXT("why", why.text));
}

static void way_close(struct way *way)
{
	host_egress_free(way->egress);
	for (size_t i = 0; i < CS_LEN(way->pair); i++) {
		if (way->pair[i] >= 0)
			(void)close(way->pair[i]);
	}
}

/* ---- the process ---- */

static void child_started(void *context, int pid)
{
	(void)context;
	log_info("enclave.started", LOG_I64("pid", pid));
}

static void child_ended(void *context, int status, int signal, uint64_t restart_ms)
{
	struct oracle_enclave *enclave = context;
	if (enclave->oracle->stopping)
		return;
	enclave->restarts++;
	log_error("enclave.ended", LOG_I64("status", status), LOG_I64("signal", signal),
		  LOG_U64("restart_ms", restart_ms));
	for (size_t i = 0; i < WAYS; i++)
		way_renew(enclave, &enclave->ways[i]);
}

/* Its proxies, and whom it trusts there. */
static size_t add_ways(const struct oracle_enclave *enclave, const char **args)
{
	const struct oracle_config *config = &enclave->oracle->config;
	size_t n = 0;
	args[n++] = "--egress-fd";
	args[n++] = EGRESS_FD;
	args[n++] = "--trust-store";
	args[n++] = config->service.trust_store;
	if (config->service.logs) {
		args[n++] = "--logs";
		args[n++] = config->service.logs;
	}
	if (!config->asks_providers)
		return n;
	args[n++] = "--rpc-egress-fd";
	args[n++] = RPC_EGRESS_FD;
	args[n++] = "--rpc-trust-store";
	args[n++] = config->providers_trust_store;
	if (config->providers_logs) {
		args[n++] = "--rpc-logs";
		args[n++] = config->providers_logs;
	}
	return n;
}

static enum cs_err start_child(struct oracle_enclave *enclave, struct cs_why *why)
{
	static const struct host_child_events events = {.started = child_started,
							.ended = child_ended};
	const struct oracle_config *config = &enclave->oracle->config;
	struct host_enclave_spawn_options options = {
		.program = enclave->program,
		.socket_path = config->service.enclave_socket,
		.seal_root_path = config->service.enclave_seal_root,
		.tee = config->service.enclave_tee,
		.tee_state = config->service.enclave_tee_state,
		.egress_fd = enclave->ways[TO_SOURCES].pair[1]};
	size_t n = 0;
	if (config->asks_providers)
		options.rpc_egress_fd = enclave->ways[TO_PROVIDERS].pair[1];
	host_program_find(enclave->program, sizeof(enclave->program),
			  config->service.enclave_program);
	memcpy(enclave->lineage, "0x", 2);
	cs_hex(enclave->lineage + 2, CS_BYTES_OF(config->manifest.lineage.b));
	options.args[n++] = "--lineage";
	options.args[n++] = enclave->lineage;
	for (size_t i = 0; i < config->service.manifest_count; i++) {
		options.args[n++] = "--manifest";
		options.args[n++] = config->service.manifests[i];
	}
	if (config->service.attested.address)
		options.args[n++] = "--attested";
	n += add_ways(enclave, &options.args[n]);
	for (size_t i = 0; i < config->service.enclave_arg_count; i++)
		options.args[n++] = config->service.enclave_args[i];
	return host_enclave_spawn(&enclave->child, enclave->oracle->loop, &options, &events,
				  enclave, why);
}

/* ---- the session ---- */

static enum cs_err load_sealed(void *context, struct cs_arena *arena, struct cs_bytes *sealed)
{
	const struct oracle_enclave *enclave = context;
	CS_TRY(oracle_journal_get(enclave->oracle->journal, ORACLE_SEALED_NAME, arena, sealed));
	ledger_clock_stored(enclave->oracle->clock, *sealed);
	return CS_OK;
}

struct sealed_write {
	struct oracle *oracle;
	struct cs_bytes sealed;
};

static enum cs_err write_sealed(void *context)
{
	struct sealed_write *write = context;
	return oracle_journal_put(write->oracle->journal, ORACLE_SEALED_NAME, write->sealed);
}

/* Read again: it is what would come back after a crash. */
void oracle_enclave_stored(struct oracle *oracle)
{
	size_t mark = cs_arena_mark(&oracle->scratch);
	struct cs_bytes sealed;
	if (oracle->clock && load_sealed(oracle->enclave, &oracle->scratch, &sealed) != CS_OK)
		log_error("enclave.state_not_read");
	cs_arena_rewind(&oracle->scratch, mark);
}

struct stored_call {
	struct oracle *oracle;
	host_enclave_stored *stored;
	void *context;
};

static void sealed_committed(void *context, enum cs_err err)
{
	struct stored_call *call = context;
	if (err != CS_OK)
		oracle_fail(call->oracle, err, "store sealed state");
	else
		oracle_enclave_stored(call->oracle);
	call->stored(call->context, err);
	free(call);
}

static enum cs_err store_sealed(void *context, struct cs_bytes sealed, host_enclave_stored *stored,
				void *stored_context)
{
	struct oracle_enclave *enclave = context;
	struct sealed_write write = {enclave->oracle, sealed};
	struct stored_call *call = host_alloc(sizeof(*call));
	*call = (struct stored_call){enclave->oracle, stored, stored_context};
	enum cs_err err =
		oracle_write_then(enclave->oracle, write_sealed, &write, sealed_committed, call);
	if (err != CS_OK)
		free(call);
	return err;
}

static enum cs_err take_hello(void *context, const Caisson__Wire__HelloReply *hello,
			      struct cs_why *why)
{
	struct oracle_enclave *enclave = context;
	struct oracle *oracle = enclave->oracle;
	struct cs_hash manifest = wire_pb_hash(hello->manifest_hash);
	size_t served = 0;
	if (!cs_hash_eq(&manifest, &oracle->config.manifest.base.hash))
		return cs_fail(why, CS_ERR_WRONG_MANIFEST,
			       "the enclave runs under another manifest than the oracle");
	oracle->insecure_flags = hello->insecure_flags;
	ledger_clock_hello(oracle->clock, hello);
	for (size_t i = 0; i < oracle->chain_count; i++)
		oracle->chains[i].follow.created = false;
	for (size_t i = 0; i < hello->n_clients; i++) {
		struct cs_hash identity = wire_pb_hash(hello->clients[i]->chain);
		struct oracle_chain *chain = oracle_chain_of(oracle, &identity);
		if (chain) {
			adapter_follow_take_status(&chain->follow, hello->clients[i]);
			served++;
		}
	}
	if (served != oracle->chain_count)
		return cs_fail(why, CS_ERR_NOT_IN_MANIFEST,
			       "the enclave serves other chains than the oracle");
	return CS_OK;
}

static void session_ready(void *context)
{
	struct oracle_enclave *enclave = context;
	struct oracle *oracle = enclave->oracle;
	oracle->enclave_ready = true;
	oracle->enclave_why[0] = 0;
	for (size_t i = 0; i < oracle->chain_count; i++)
		adapter_follow_begin(&oracle->chains[i].follow);
	log_info("enclave.ready", LOG_U64("insecure_flags", oracle->insecure_flags));
	ledger_clock_up(oracle->clock);
	oracle_evidence_look(oracle);
	oracle_wake(oracle);
}

static void session_failed(void *context, enum cs_err err, const char *why)
{
	struct oracle_enclave *enclave = context;
	enclave->oracle->enclave_ready = false;
	oracle_why(enclave->oracle->enclave_why, err, why);
}

static void session_down(void *context, enum cs_err err, const char *why)
{
	struct oracle_enclave *enclave = context;
	session_failed(context, err, why);
	ledger_clock_down(enclave->oracle->clock);
	for (size_t i = 0; i < enclave->oracle->chain_count; i++)
		enclave->oracle->chains[i].follow.created = false;
}

static void export_tick(void *context)
{
	struct oracle_enclave *enclave = context;
	if (ledger_clock_seals(enclave->oracle->clock))
		host_enclave_session_export(enclave->session, NULL, NULL);
}

enum cs_err oracle_enclave_start(struct oracle *oracle, struct cs_why *why)
{
	static const struct host_enclave_session_events events = {.load = load_sealed,
								  .store = store_sealed,
								  .hello = take_hello,
								  .ready = session_ready,
								  .down = session_down,
								  .failed = session_failed};
	struct oracle_enclave *enclave = host_alloc(sizeof(*enclave));
	const struct host_enclave_session_options options = {
		.path = oracle->config.service.enclave_socket,
		.schema = &wire_oracle_schema_digest,
		.arena = &oracle->scratch,
		.timeout_ms = ORACLE_ENCLAVE_TIMEOUT_MS};
	oracle->enclave = enclave;
	enclave->oracle = oracle;
	for (size_t i = 0; i < WAYS; i++)
		enclave->ways[i].pair[0] = enclave->ways[i].pair[1] = -1;
	CS_TRY(way_open(enclave, &enclave->ways[TO_SOURCES], &oracle->config.service.egress, why));
	if (oracle->config.asks_providers)
		CS_TRY(way_open(enclave, &enclave->ways[TO_PROVIDERS],
				&oracle->config.providers_egress, why));
	CS_TRY(start_child(enclave, why));
	enclave->session = host_enclave_session_new(oracle->loop, &options, &events, enclave);
	enclave->timer = host_timer_new(oracle->loop, export_tick, enclave);
	host_timer_start(enclave->timer, oracle->config.export_ms, oracle->config.export_ms);
	return oracle->config.service.attested.address
		       ? host_attested_new(&enclave->attested, oracle->loop,
					   &oracle->config.service.attested, enclave->session, why)
		       : CS_OK;
}

void oracle_enclave_stop(struct oracle *oracle)
{
	struct oracle_enclave *enclave = oracle->enclave;
	if (!enclave)
		return;
	host_timer_free(enclave->timer);
	host_enclave_session_free(enclave->session);
	host_attested_free(enclave->attested);
	host_child_free(enclave->child);
	for (size_t i = 0; i < WAYS; i++)
		way_close(&enclave->ways[i]);
	free(enclave);
	oracle->enclave = NULL;
}

struct host_enclave_session *oracle_enclave_session(const struct oracle *oracle)
{
	return oracle->enclave->session;
}

enum cs_err oracle_enclave_call(struct oracle *oracle, enum wire_type type,
				const ProtobufCMessage *message, uint64_t timeout_ms,
				host_enclave_done *done, void *context)
{
	if (!oracle->enclave_ready)
		return CS_ERR_UNAVAILABLE;
	return host_enclave_session_call(oracle->enclave->session, type, message, timeout_ms, done,
					 context);
}

enum cs_err oracle_enclave_send(const struct oracle *oracle, enum wire_type type,
				struct cs_bytes body, host_enclave_done *done, void *context)
{
	return host_enclave_session_send(oracle->enclave->session, type, body,
					 ORACLE_ENCLAVE_TIMEOUT_MS, done, context);
}

void oracle_enclave_init(const struct oracle *oracle)
{
	host_enclave_session_init(oracle->enclave->session);
}

enum cs_err oracle_enclave_reply(struct cs_arena *arena, struct cs_bytes body,
				 const ProtobufCMessageDescriptor *type, ProtobufCMessage **message)
{
	return host_enclave_reply(arena, body, type, message);
}

struct cs_bytes oracle_enclave_hello(const struct oracle *oracle)
{
	return oracle->enclave ? host_enclave_session_hello(oracle->enclave->session)
			       : CS_BYTES_NONE;
}

void oracle_enclave_ask_hello(struct oracle *oracle)
{
	host_enclave_session_ask_hello(oracle->enclave->session);
}

void oracle_enclave_changed(struct oracle *oracle)
{
	host_enclave_session_changed(oracle->enclave->session);
}

void oracle_enclave_export(struct oracle *oracle, host_call *then, void *context)
{
	host_enclave_session_export(oracle->enclave ? oracle->enclave->session : NULL, then,
				    context);
}

void oracle_enclave_figures(const struct oracle *oracle, struct host_egress_counters *counters,
			    uint64_t *restarts, bool *running)
{
	const struct oracle_enclave *enclave = oracle->enclave;
	struct host_egress_counters now = {0};
	for (size_t i = 0; i < WAYS; i++) {
		count_way(&now, &enclave->ways[i]);
		add_counters(&now, &enclave->ways[i].before);
	}
	*counters = now;
	*restarts = enclave->restarts;
	*running = host_child_pid(enclave->child) != 0;
}
