/* What apps ask over REST: requests, dry runs, specs by hash (docs/rest.md). */
#include "host/alloc.h"
#include "host/json_values.h"
#include "oracle/answer.h"
#include "oracle/app_requests.h"
#include "oracle/request_body.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define IDEMPOTENCY_KEY_MAX 128u
#define LIST_DEFAULT 50u
#define LIST_MAX 200u
/* Its sources have ended before (SERVICE_DRY_RUN_S of enclave/oracle/service.h: 12 s). */
#define DRY_RUN_TIMEOUT_MS 15000u
/* A row and its index take some hundred bytes beside the spec. */
#define SPEC_COUNTED_MIN 1024u

/* ---- what is known of a request ---- */

static json_t *request_json(struct oracle *oracle, const struct oracle_request *request)
{
	const struct oracle_chain *chain = oracle_chain_of(oracle, &request->chain);
	const struct oracle_contract *contract = oracle_contract_of(oracle, &request->contract);
	bool answered = request->statement != 0;
	json_t *json = json_object();
	json_object_set_new(json, "id", host_json_hash(&request->id));
	json_object_set_new(json, "kind",
			    json_string(request->kind == ORACLE_APP ? "app" : "chain"));
	json_object_set_new(json, "state", json_string(oracle_state_name(request->state)));
	json_object_set_new(json, "request_id",
			    cs_hash_is_zero(&request->request_id)
				    ? json_null()
				    : host_json_hash(&request->request_id));
	json_object_set_new(json, "chain", chain ? json_string(chain->config->id) : json_null());
	json_object_set_new(json, "contract",
			    contract ? host_json_hex(CS_BYTES_OF(contract->address.b))
				     : json_null());
	json_object_set_new(json, "spec_hash", host_json_hash(&request->head.spec_hash));
	json_object_set_new(json, "height", host_json_u64(request->height));
	json_object_set_new(json, "deadline", host_json_u64(request->head.deadline));
	json_object_set_new(json, "code", answered ? host_json_u64(request->code) : json_null());
	json_object_set_new(json, "code_name",
			    answered ? json_string(wire_oracle_code_name(request->code))
				     : json_null());
	json_object_set_new(json, "observed_at",
			    answered ? host_json_u64(request->observed_at) : json_null());
	json_object_set_new(json, "answered_ms",
			    answered ? host_json_u64(request->answered_ms) : json_null());
	json_object_set_new(json, "tries", host_json_u64(request->tries));
	json_object_set_new(json, "why", request->why[0] ? json_string(request->why) : json_null());
	json_object_set_new(json, "submission",
			    request->submission ? host_json_u64(request->submission) : json_null());
	json_object_set_new(json, "created_ms", host_json_u64(request->created_ms));
	json_object_set_new(json, "updated_ms", host_json_u64(request->updated_ms));
	return json;
}

/* NULL: not answered, or not to be read. */
static json_t *document_of(struct oracle *oracle, const struct oracle_request *request)
{
	struct oracle_answer answer;
	struct cs_why why = {{0}};
	struct cs_arena *arena = oracle_arena_new();
	json_t *json = NULL;
	enum cs_err err = oracle_answer_load(&answer, oracle, request, arena);
	if (err == CS_OK)
		err = oracle_answer_check(&answer, arena, &why);
	if (err == CS_OK)
		json = oracle_answer_json(&answer, arena);
	else if (err != CS_ERR_NOT_FOUND)
		log_error("answer.not_read", LOG_HASH("id", &request->id), LOG_ERR(err),
			  LOG_TEXT("why", why.text));
	oracle_arena_free(arena);
	return json;
}

void oracle_api_reply_request(struct oracle *oracle, struct host_http_exchange *exchange,
			      const struct cs_hash *id)
{
	struct oracle_request request;
	enum cs_err err = oracle_journal_find(oracle->journal, id, &request);
	if (err != CS_OK) {
		host_http_reply_problem(exchange, err, "no such request");
		return;
	}
	json_t *document = request.statement != 0 ? document_of(oracle, &request) : NULL;
	bool ended = document || oracle_state_ends(request.state);
	host_http_reply_json(exchange, ended ? 200 : 202,
			     document ? document : request_json(oracle, &request));
}

static bool take_id(struct host_http_exchange *exchange, const char *text, struct cs_hash *id)
{
	if (strncmp(text, "0x", 2) == 0 &&
	    cs_unhex(id->b, sizeof(id->b), cs_bytes_str(text)) == CS_OK)
		return true;
	host_http_reply_problem(exchange, CS_ERR_MALFORMED, "id: not 0x and 64 hex digits");
	return false;
}

static void get_request(void *context, struct host_http_exchange *exchange)
{
	struct oracle *oracle = context;
	struct oracle_request request;
	struct cs_hash id;
	if (!take_id(exchange, host_http_param(exchange, "id"), &id))
		return;
	enum cs_err err = oracle_journal_find(oracle->journal, &id, &request);
	if (err != CS_OK) {
		host_http_reply_problem(exchange, err, "no such request");
		return;
	}
	json_t *document = request.statement != 0 ? document_of(oracle, &request) : NULL;
	host_http_reply_json(exchange, 200, document ? document : request_json(oracle, &request));
}

static void get_state(void *context, struct host_http_exchange *exchange)
{
	struct oracle *oracle = context;
	struct oracle_request request;
	struct cs_hash id;
	if (!take_id(exchange, host_http_param(exchange, "id"), &id))
		return;
	enum cs_err err = oracle_journal_find(oracle->journal, &id, &request);
	if (err != CS_OK)
		host_http_reply_problem(exchange, err, "no such request");
	else
		host_http_reply_json(exchange, 200, request_json(oracle, &request));
}

/* ---- the list ---- */

static bool take_number(struct host_http_exchange *exchange, const char *name, uint64_t max,
			uint64_t *value)
{
	const char *text = host_http_query(exchange, name);
	char *end = NULL;
	if (!text)
		return true;
	unsigned long long number = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != 0 || number > max) {
		struct cs_why why;
		cs_why_write(&why, "%s: is not 0 to %llu", name, (unsigned long long)max);
		oracle_problem(exchange, CS_ERR_INVALID, &why);
		return false;
	}
	*value = number;
	return true;
}

static void get_requests(void *context, struct host_http_exchange *exchange)
{
	struct oracle *oracle = context;
	const char *state_name = host_http_query(exchange, "state");
	const char *kind_name = host_http_query(exchange, "kind");
	enum oracle_state state = 0;
	enum oracle_kind kind = 0;
	uint64_t limit = LIST_DEFAULT;
	uint64_t after = 0;
	size_t count = 0;
	if (state_name && oracle_state_parse(&state, state_name) != CS_OK) {
		host_http_reply_problem(exchange, CS_ERR_INVALID, "state: there is no such one");
		return;
	}
	if (kind_name)
		kind = strcmp(kind_name, "app") == 0     ? ORACLE_APP
		       : strcmp(kind_name, "chain") == 0 ? ORACLE_CHAIN
							 : 0;
	if (kind_name && kind == 0) {
		host_http_reply_problem(exchange, CS_ERR_INVALID, "kind: neither app nor chain");
		return;
	}
	if (!take_number(exchange, "limit", LIST_MAX, &limit) ||
	    !take_number(exchange, "after", INT64_MAX, &after))
		return;
	limit = limit ? limit : LIST_DEFAULT;
	struct oracle_request *rows = host_calloc(LIST_MAX, sizeof(*rows));
	enum cs_err err = oracle_journal_list(oracle->journal, state, kind, after, rows,
					      (size_t)limit, &count);
	if (err != CS_OK) {
		host_http_reply_problem(exchange, err, NULL);
		free(rows);
		return;
	}
	json_t *list = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, request_json(oracle, &rows[i]));
	json_t *next = count == limit ? json_sprintf("%llu", (unsigned long long)rows[count - 1].n)
				      : json_null();
	host_http_reply_json(exchange, 200, json_pack("{s:o,s:o}", "requests", list, "next", next));
	free(rows);
}

/* ---- asking ---- */

struct ask {
	struct oracle *oracle;
	struct host_http_exchange *exchange;
	struct cs_arena *arena;
	struct oracle_body body;
	struct oracle_request request;
	uint64_t wait_ms;
	char key[IDEMPOTENCY_KEY_MAX + 1];
	struct cs_hash body_hash;
};

static void ask_free(struct ask *ask)
{
	oracle_arena_free(ask->arena);
	free(ask);
}

static void ask_fail(struct ask *ask, enum cs_err err, const char *why)
{
	host_http_reply_problem(ask->exchange, err, why);
	ask_free(ask);
}

/* RFC 7240: `Prefer: respond-async`, `Prefer: wait=10`. */
static uint64_t wait_of(const struct oracle *oracle, const struct host_http_exchange *exchange)
{
	const char *prefer = host_http_request_header(exchange, "Prefer");
	uint64_t most = oracle->config.wait_ms;
	if (!prefer)
		return most;
	if (strcmp(prefer, "respond-async") == 0)
		return 0;
	if (strncmp(prefer, "wait=", 5) == 0 && prefer[5] >= '0' && prefer[5] <= '9') {
		unsigned long seconds = strtoul(prefer + 5, NULL, 10);
		return seconds < most / 1000 ? seconds * 1000 : most;
	}
	return most;
}

static void wait_or_reply(struct ask *ask, const struct cs_hash *id)
{
	if (ask->wait_ms == 0 || !oracle_apps_wait(ask->oracle, id, ask->exchange, ask->wait_ms))
		oracle_api_reply_request(ask->oracle, ask->exchange, id);
	ask_free(ask);
}

static enum cs_err write_ask(void *context)
{
	struct ask *ask = context;
	struct oracle_journal *journal = ask->oracle->journal;
	CS_TRY(oracle_journal_add(journal, &ask->request, &ask->body.query));
	if (ask->key[0] == 0)
		return CS_OK;
	return oracle_journal_remember(journal, ask->request.key_name, ask->key, &ask->body_hash,
				       &ask->request.id);
}

static void ask_committed(void *context, enum cs_err err)
{
	struct ask *ask = context;
	if (err != CS_OK) {
		oracle_fail(ask->oracle, err, "commit of a request");
		ask_fail(ask, err, NULL);
		return;
	}
	oracle_apps_add(ask->oracle, &ask->request);
	wait_or_reply(ask, &ask->request.id);
}

/* Head as we ask for it: the enclave chooses counter and times. */
static enum cs_err make_request(struct ask *ask)
{
	const struct oracle_query *query = &ask->body.query;
	struct oracle_request *request = &ask->request;
	if (getrandom(request->id.b, sizeof(request->id.b), 0) != (ssize_t)sizeof(request->id.b))
		return CS_ERR_IO;
	request->kind = ORACLE_APP;
	request->state = ORACLE_OPEN;
	request->head = (struct wire_request){
		.receiver = wire_app_identity(query->audience),
		.asker = wire_app_asker(query->audience),
		.spec_hash = wire_spec_hash(query->spec),
		.arguments_hash = wire_arguments_hash(query->arguments, query->argument_count),
		.secrets_hash = wire_secrets_hash(query->secrets),
		.max_age = ask->body.max_age,
		.time = host_wall_ms() / 1000};
	request->head.deadline = request->head.time + ask->body.timeout_s;
	return CS_OK;
}

/* True: the key made a request before, or is refused. */
static bool asked_before(struct ask *ask)
{
	const char *key = host_http_request_header(ask->exchange, "Idempotency-Key");
	const struct host_api_key *caller = host_http_key(ask->exchange);
	struct cs_keccak keccak;
	struct cs_hash id;
	snprintf(ask->request.key_name, sizeof(ask->request.key_name), "%s",
		 caller ? caller->name : "");
	if (!key)
		return false;
	if (key[0] == 0 || strlen(key) > IDEMPOTENCY_KEY_MAX) {
		ask_fail(ask, CS_ERR_INVALID, "Idempotency-Key: 1 to 128 characters");
		return true;
	}
	snprintf(ask->key, sizeof(ask->key), "%s", key);
	cs_keccak_init(&keccak);
	cs_keccak_add(&keccak, host_http_body(ask->exchange));
	ask->body_hash = cs_keccak_end(&keccak);
	enum cs_err err = oracle_journal_idempotent(ask->oracle->journal, ask->request.key_name,
						    ask->key, &ask->body_hash, &id);
	if (err == CS_ERR_NOT_FOUND)
		return false;
	if (err != CS_OK) {
		ask_fail(ask, err,
			 err == CS_ERR_CONFLICT ? "Idempotency-Key: was used with another request"
						: NULL);
		return true;
	}
	host_http_reply_header(ask->exchange, "Idempotent-Replayed", "true");
	wait_or_reply(ask, &id);
	return true;
}

static void ask_without_room(struct ask *ask, enum cs_err err)
{
	if (err == CS_ERR_RATE_LIMITED) {
		ask->oracle->refused_rate++;
		host_http_reply_header(ask->exchange, "Retry-After", "1");
	}
	ask_fail(ask, err,
		 err == CS_ERR_RATE_LIMITED ? "as many requests are open as this key may have"
					    : "as many requests are open as may be");
}

static void post_request(void *context, struct host_http_exchange *exchange)
{
	struct oracle *oracle = context;
	struct cs_why why = {{0}};
	json_t *json = NULL;
	if (!oracle_rate_takes(oracle, exchange))
		return;
	struct ask *ask = host_alloc(sizeof(*ask));
	*ask = (struct ask){.oracle = oracle,
			    .exchange = exchange,
			    .arena = oracle_arena_new(),
			    .wait_ms = wait_of(oracle, exchange)};
	enum cs_err err = host_http_body_json(exchange, &json, &why);
	if (err == CS_OK)
		err = oracle_body_read(&ask->body, ORACLE_BODY_REQUEST, json, ask->arena, &why);
	json_decref(json);
	if (err != CS_OK) {
		ask_fail(ask, err, why.text);
		return;
	}
	if (asked_before(ask))
		return;
	err = oracle_apps_room(oracle, ask->request.key_name);
	if (err != CS_OK) {
		ask_without_room(ask, err);
		return;
	}
	err = make_request(ask);
	if (err == CS_OK)
		err = oracle_write_then(oracle, write_ask, ask, ask_committed, ask);
	if (err != CS_OK)
		ask_fail(ask, err, NULL);
}

/* ---- dry runs ---- */

/* Of the places that the enclave has, so that they leave room for what is paid for. */
#define DRY_RUNS_MAX 32u

struct dry_run {
	struct oracle *oracle;
	struct host_http_exchange *exchange;
	struct cs_arena *arena;
	struct oracle_body body;
};

static void dry_run_free(struct dry_run *run)
{
	run->oracle->dry_runs--;
	oracle_arena_free(run->arena);
	free(run);
}

static void dry_run_fail(struct dry_run *run, enum cs_err err, const char *why)
{
	host_http_reply_problem(run->exchange, err, why);
	dry_run_free(run);
}

static json_t *text_or_null(const char *text)
{
	return text && text[0] ? json_string(text) : json_null();
}

static json_t *value_or_null(const struct dry_run *run, ProtobufCBinaryData value)
{
	json_t *json =
		value.len ? oracle_value_json(run->body.query.spec, wire_pb_view(value), run->arena)
			  : NULL;
	return json ? json : json_null();
}

static json_t *code_name(uint32_t code)
{
	const char *name = wire_oracle_code_name(code);
	return json_string(name ? name : "unknown");
}

static json_t *dry_run_json(const struct dry_run *run, const Caisson__Wire__OracleResult *result)
{
	struct cs_hash spec_hash = wire_spec_hash(run->body.query.spec);
	json_t *sources = json_array();
	for (size_t i = 0; i < result->n_sources; i++) {
		const Caisson__Wire__OracleSource *row = result->sources[i];
		json_array_append_new(
			sources,
			json_pack("{s:I,s:s,s:I,s:o,s:o,s:o}", "index", (json_int_t)row->index,
				  "host", row->host_port, "code", (json_int_t)row->code,
				  "code_name", code_name(row->code), "value",
				  value_or_null(run, row->value), "why", text_or_null(row->why)));
	}
	return json_pack("{s:I,s:o,s:o,s:o,s:o,s:o}", "code", (json_int_t)result->code, "code_name",
			 code_name(result->code), "value", value_or_null(run, result->value), "why",
			 text_or_null(result->why), "spec_hash", host_json_hash(&spec_hash),
			 "sources", sources);
}

static void dry_run_done(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct dry_run *run = context;
	ProtobufCMessage *message = NULL;
	if (err == CS_ERR_TIMEOUT)
		why = "the enclave did not answer within 15 s";
	if (err == CS_OK)
		err = oracle_enclave_reply(run->arena, body,
					   &caisson__wire__oracle_reply__descriptor, &message);
	const Caisson__Wire__OracleReply *reply = (const Caisson__Wire__OracleReply *)message;
	if (err == CS_OK && reply->n_results != 1)
		err = CS_ERR_MALFORMED;
	if (err != CS_OK) {
		dry_run_fail(run, err, why);
		return;
	}
	host_http_reply_json(run->exchange, 200, dry_run_json(run, reply->results[0]));
	dry_run_free(run);
}

static enum cs_err send_dry_run(struct dry_run *run)
{
	const struct oracle_query *query = &run->body.query;
	Caisson__Wire__DryRunRequest request = CAISSON__WIRE__DRY_RUN_REQUEST__INIT;
	ProtobufCBinaryData arguments[WIRE_ARGUMENTS_MAX];
	for (size_t i = 0; i < query->argument_count; i++)
		arguments[i] = wire_pb_bytes(run->arena, query->arguments[i]);
	request.spec = wire_pb_bytes(run->arena, query->spec);
	request.arguments = arguments;
	request.n_arguments = query->argument_count;
	return oracle_enclave_call(run->oracle, WIRE_DRY_RUN, &request.base, DRY_RUN_TIMEOUT_MS,
				   dry_run_done, run);
}

static void post_dry_run(void *context, struct host_http_exchange *exchange)
{
	struct oracle *oracle = context;
	struct cs_why why = {{0}};
	json_t *json = NULL;
	if (!oracle_rate_takes(oracle, exchange))
		return;
	if (oracle->dry_runs >= DRY_RUNS_MAX) {
		host_http_reply_problem(exchange, CS_ERR_FULL,
					"as many dry runs are under way as may be");
		return;
	}
	struct dry_run *run = host_alloc(sizeof(*run));
	oracle->dry_runs++;
	*run = (struct dry_run){
		.oracle = oracle, .exchange = exchange, .arena = oracle_arena_new()};
	enum cs_err err = host_http_body_json(exchange, &json, &why);
	if (err == CS_OK)
		err = oracle_body_read(&run->body, ORACLE_BODY_DRY_RUN, json, run->arena, &why);
	json_decref(json);
	if (err == CS_OK)
		err = send_dry_run(run);
	if (err == CS_ERR_UNAVAILABLE)
		cs_why_write(&why, "the enclave is not ready");
	if (err != CS_OK)
		dry_run_fail(run, err, why.text);
}

/* ---- specs by hash ---- */

struct spec_write {
	struct oracle *oracle;
	struct host_http_exchange *exchange;
	struct cs_bytes spec;
	const char *key_name;
	struct cs_hash hash;
};

static enum cs_err write_spec(void *context)
{
	struct spec_write *write = context;
	CS_TRY(oracle_journal_put_spec(write->oracle->journal, write->spec, write->key_name,
				       &write->hash));
	return oracle_journal_spec_due(write->oracle->journal, &write->hash);
}

static void spec_committed(void *context, enum cs_err err)
{
	struct spec_write *write = context;
	if (err != CS_OK)
		host_http_reply_problem(write->exchange, err, NULL);
	else
		host_http_reply_json(write->exchange, 200,
				     json_pack("{s:o}", "spec_hash", host_json_hash(&write->hash)));
	oracle_wake(write->oracle);
	free(write);
}

/* What is published again takes no more room. */
static enum cs_err find_room(struct spec_write *write, struct cs_why *why)
{
	struct oracle *oracle = write->oracle;
	const struct host_api_key *caller = host_http_key(write->exchange);
	struct cs_hash hash = wire_spec_hash(write->spec);
	struct cs_bytes known;
	uint64_t size = 0;
	write->key_name = caller ? caller->name : "";
	size_t mark = cs_arena_mark(&oracle->scratch);
	enum cs_err err = oracle_journal_spec(oracle->journal, &hash, &oracle->scratch, &known);
	cs_arena_rewind(&oracle->scratch, mark);
	if (err != CS_ERR_NOT_FOUND)
		return err;
	CS_TRY(oracle_journal_spec_size(oracle->journal, write->key_name, SPEC_COUNTED_MIN, &size));
	uint64_t more = write->spec.n > SPEC_COUNTED_MIN ? write->spec.n : SPEC_COUNTED_MIN;
	if (size + more > oracle->config.specs_size_max)
		return cs_fail(why, CS_ERR_FULL,
			       "as many specs of this key are kept as may be; one that nothing "
			       "refers to leaves after a day");
	return CS_OK;
}

static void put_spec(void *context, struct host_http_exchange *exchange)
{
	struct oracle *oracle = context;
	struct cs_why why = {{0}};
	struct oracle_body body;
	json_t *json = NULL;
	if (!oracle_rate_takes(oracle, exchange))
		return;
	struct cs_arena *arena = oracle_arena_new();
	struct spec_write *write = host_alloc(sizeof(*write));
	*write = (struct spec_write){.oracle = oracle, .exchange = exchange};
	enum cs_err err = host_http_body_json(exchange, &json, &why);
	if (err == CS_OK)
		err = oracle_body_read(&body, ORACLE_BODY_SPEC, json, arena, &why);
	json_decref(json);
	if (err == CS_OK) {
		write->spec = body.query.spec;
		err = find_room(write, &why);
	}
	if (err == CS_OK)
		err = oracle_write_then(oracle, write_spec, write, spec_committed, write);
	if (err != CS_OK) {
		oracle_problem(exchange, err, &why);
		free(write);
	}
	oracle_arena_free(arena);
}

static void get_spec(void *context, struct host_http_exchange *exchange)
{
	struct oracle *oracle = context;
	struct cs_hash hash;
	struct cs_bytes spec;
	if (!take_id(exchange, host_http_param(exchange, "hash"), &hash))
		return;
	size_t mark = cs_arena_mark(&oracle->scratch);
	enum cs_err err = oracle_journal_spec(oracle->journal, &hash, &oracle->scratch, &spec);
	if (err == CS_OK)
		host_http_reply(exchange, 200, "application/json", spec);
	else
		host_http_reply_problem(exchange, err, "nobody published this spec here");
	cs_arena_rewind(&oracle->scratch, mark);
}

void oracle_api_request_routes(struct oracle *oracle)
{
	struct host_http_server *server = oracle->server;
	host_http_server_route(server, "POST", "/v1/oracle/requests?", ORACLE_SCOPE_ASK,
			       post_request, oracle);
	host_http_server_route(server, "POST", "/v1/oracle/requests:dry-run?", ORACLE_SCOPE_ASK,
			       post_dry_run, oracle);
	host_http_server_route(server, "GET", "/v1/oracle/requests?state&kind&limit&after",
			       ORACLE_SCOPE_READ, get_requests, oracle);
	host_http_server_route(server, "GET", "/v1/oracle/requests/{id}?", ORACLE_SCOPE_READ,
			       get_request, oracle);
	host_http_server_route(server, "GET", "/v1/oracle/requests/{id}/state?", ORACLE_SCOPE_READ,
			       get_state, oracle);
	host_http_server_route(server, "PUT", "/v1/oracle/specs?", ORACLE_SCOPE_ASK, put_spec,
			       oracle);
	host_http_server_route(server, "GET", "/v1/oracle/specs/{hash}?", ORACLE_SCOPE_READ,
			       get_spec, oracle);
}
