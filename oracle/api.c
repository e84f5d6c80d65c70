/* What an oracle says of itself: chains, enclave, keys, health, metrics. */
#include "adapters/conflict.h"
#include "adapters/follow_json.h"
#include "host/enclave_json.h"
#include "host/json_values.h"
#include "oracle/evidence.h"
#include "oracle/ledger.h"
#include "relay_state/client/clock.h"

#include <string.h>

#define METRICS_SIZE_MAX (1024u * 1024)

void oracle_problem(struct host_http_exchange *exchange, enum cs_err err, const struct cs_why *why)
{
	host_http_reply_problem(exchange, err, why ? why->text : NULL);
}

bool oracle_rate_takes(struct oracle *oracle, struct host_http_exchange *exchange)
{
	const struct host_api_key *key = host_http_key(exchange);
	struct oracle_rate *rate = &oracle->rates[0];
	uint64_t second = host_now_ms() / 1000;
	cs_assert(key != NULL);
	for (size_t i = 0; i < CS_LEN(oracle->rates); i++) {
		rate = &oracle->rates[i];
		/* A key that was taken back leaves a place to the next one. */
		if (strcmp(rate->key_name, key->name) == 0 || rate->second != second)
			break;
	}
	if (strcmp(rate->key_name, key->name) != 0 || rate->second != second) {
		memcpy(rate->key_name, key->name, sizeof(rate->key_name));
		rate->second = second;
		rate->count = 0;
	}
	if (rate->count < oracle->config.rate_max) {
		rate->count++;
		return true;
	}
	oracle->refused_rate++;
	host_http_reply_header(exchange, "Retry-After", "1");
	host_http_reply_problem(exchange, CS_ERR_RATE_LIMITED,
				"more requests in a second than this key may make");
	return false;
}

/* ---- chains ---- */

static json_t *contracts_json(const struct oracle_chain *chain)
{
	json_t *list = json_array();
	for (size_t i = 0; i < chain->contract_count; i++) {
		const struct oracle_contract *contract = &chain->contracts[i];
		const struct oracle_rotation *rotation = &contract->rotation;
		json_t *json = json_object();
		json_object_set_new(json, "address",
				    host_json_hex(CS_BYTES_OF(contract->address.b)));
		json_object_set_new(json, "identity", host_json_hash(&contract->identity));
		json_object_set_new(json, "kind",
				    json_string(contract->feeds ? "feeds" : "requests"));
		/* 0: no rotation was made yet. */
		json_object_set_new(json, "epoch", host_json_u64(rotation->epoch));
		json_object_set_new(json, "next_epoch", host_json_u64(rotation->next_epoch));
		json_array_append_new(list, json);
	}
	return list;
}

static json_t *chain_json(const struct oracle_chain *chain)
{
	json_t *json = adapter_follow_json(&chain->follow);
	json_object_set_new(json, "operator",
			    chain->has_operator ? host_json_hex(CS_BYTES_OF(chain->operator.b))
						: json_null());
	json_object_set_new(json, "finality", json_string(chain->manifest->mode));
	json_object_set_new(json, "providers", adapter_providers_json(&chain->providers));
	json_object_set_new(json, "frozen", json_boolean(chain->follow.frozen));
	json_object_set_new(json, "conflict",
			    chain->follow.frozen
				    ? json_sprintf("/v1/chains/%s/conflict", chain->config->id)
				    : json_null());
	json_object_set_new(json, "open_transactions", host_json_u64(chain->open_txs));
	json_object_set_new(json, "contracts", contracts_json(chain));
	return json;
}

static void get_chains(void *context, struct host_http_exchange *exchange)
{
	struct oracle *oracle = context;
	json_t *list = json_array();
	for (size_t i = 0; i < oracle->chain_count; i++)
		json_array_append_new(list, chain_json(&oracle->chains[i]));
	host_http_reply_json(
		exchange, 200,
		json_pack("{s:o,s:o}", "chains", list, "ledger", oracle_ledger_json(oracle)));
}

/* Rows of the journal at a time. */
#define SIGNED_ROWS 32u

/* Answers that were signed to requests of blocks from the conflict's height on. Contracts of the
 * branch that is kept take none that is not to a request of theirs. Messages and outcomes an oracle
 * signs none. */
static enum cs_err add_signed(void *context, json_t *json, uint64_t height)
{
	static struct oracle_request rows[SIGNED_ROWS];
	const struct oracle_chain *chain = context;
	json_t *answers = json_array();
	uint64_t after = 0;
	size_t count = 0;
	bool complete = true;
	json_object_set_new(json, "messages", json_array());
	json_object_set_new(json, "outcomes", json_array());
	json_object_set_new(json, "answers", answers);
	do {
		CS_TRY(oracle_journal_above(chain->oracle->journal, &chain->identity, false, height,
					    after, rows, CS_LEN(rows), &count));
		for (size_t i = 0; i < count && complete; i++) {
			after = rows[i].n;
			if (rows[i].statement == 0)
				continue;
			complete = json_array_size(answers) < ADAPTER_CONFLICT_IDS_MAX;
			if (complete)
				json_array_append_new(answers, host_json_hash(&rows[i].request_id));
		}
	} while (count == CS_LEN(rows) && complete);
	json_object_set_new(json, "complete", json_boolean(complete));
	return CS_OK;
}

static void get_conflict(void *context, struct host_http_exchange *exchange)
{
	struct oracle_chain *chain = oracle_chain_named(context, host_http_param(exchange, "id"));
	if (chain)
		adapter_conflict_reply(&chain->follow, exchange, add_signed, chain);
	else
		host_http_reply_problem(exchange, CS_ERR_NOT_FOUND, "no chain of this oracle");
}

/* ---- enclave and keys ---- */

/* In the scratch arena; NULL before the first hello. */
static const Caisson__Wire__HelloReply *hello_of(struct oracle *oracle)
{
	ProtobufCMessage *message = NULL;
	struct cs_bytes hello = oracle_enclave_hello(oracle);
	if (hello.n == 0 ||
	    oracle_enclave_reply(&oracle->scratch, hello, &caisson__wire__hello_reply__descriptor,
				 &message) != CS_OK)
		return NULL;
	return (const Caisson__Wire__HelloReply *)message;
}

static json_t *keys_json(const struct oracle *oracle, const Caisson__Wire__HelloReply *hello)
{
	json_t *list = json_array();
	for (size_t i = 0; i < hello->n_keys; i++) {
		const Caisson__Wire__KeyInfo *key = hello->keys[i];
		struct cs_hash chain = wire_pb_hash(key->chain);
		bool answers = cs_hash_eq(&chain, &oracle->config.manifest.identity);
		json_array_append_new(
			list, json_pack("{s:o,s:o,s:s,s:o,s:o}", "chain", host_json_hash(&chain),
					"identity", host_json_hash(&chain), "use",
					answers ? "answers" : "secrets", "epoch",
					host_json_u64(key->epoch), "public_key",
					host_json_hex(wire_pb_view(key->public_key))));
	}
	return list;
}

static json_t *hello_json(const struct oracle *oracle, const Caisson__Wire__HelloReply *hello)
{
	json_t *json = host_enclave_json(hello);
	json_object_set_new(json, "oracle", host_json_hash(&oracle->config.manifest.identity));
	json_object_set_new(json, "keys", keys_json(oracle, hello));
	return json;
}

static void get_enclave(void *context, struct host_http_exchange *exchange)
{
	struct oracle *oracle = context;
	size_t mark = cs_arena_mark(&oracle->scratch);
	const Caisson__Wire__HelloReply *hello = hello_of(oracle);
	json_t *json = hello ? hello_json(oracle, hello) : json_object();
	cs_arena_rewind(&oracle->scratch, mark);
	json_object_set_new(json, "ready", json_boolean(oracle->enclave_ready));
	json_object_set_new(json, "why",
			    oracle->enclave_why[0] ? json_string(oracle->enclave_why)
						   : json_null());
	host_http_reply_json(exchange, 200, json);
}

static void get_evidence(void *context, struct host_http_exchange *exchange)
{
	struct oracle *oracle = context;
	oracle->evidence.session = oracle_enclave_session(oracle);
	oracle->evidence.arena = &oracle->scratch;
	oracle->evidence.role = WIRE_REPORT_ORACLE_ENCLAVE;
	host_evidence_get(&oracle->evidence, exchange);
}

/* The newest of one use. */
static json_t *newest_key(const struct oracle *oracle, const Caisson__Wire__HelloReply *hello,
			  bool answers)
{
	const Caisson__Wire__KeyInfo *newest = NULL;
	for (size_t i = 0; i < hello->n_keys; i++) {
		const Caisson__Wire__KeyInfo *key = hello->keys[i];
		struct cs_hash chain = wire_pb_hash(key->chain);
		if (cs_hash_eq(&chain, &oracle->config.manifest.identity) == answers &&
		    (!newest || key->epoch > newest->epoch))
			newest = key;
	}
	if (!newest)
		return json_null();
	return json_pack("{s:o,s:o}", "public_key", host_json_hex(wire_pb_view(newest->public_key)),
			 "epoch", host_json_u64(newest->epoch));
}

/* That which answers of the newest key name; what hello says now, until it is kept. */
static void set_evidence(json_t *json, struct oracle *oracle,
			 const Caisson__Wire__HelloReply *hello)
{
	const json_t *answers = json_object_get(json, "answers");
	uint64_t epoch = (uint64_t)json_integer_value(json_object_get(answers, "epoch"));
	struct cs_hash digest;
	struct cs_bytes text;
	json_t *kept = NULL;
	if (oracle_evidence_of(oracle, epoch, hello->manifest_number, &digest) == CS_OK &&
	    oracle_evidence_document(oracle, &digest, &oracle->scratch, &text) == CS_OK)
		kept = json_loadb((const char *)text.p, text.n, 0, NULL);
	if (!kept)
		kept = host_enclave_json(hello);
	json_object_set(json, "evidence", json_object_get(kept, "evidence"));
	json_object_set(json, "evidence_digest", json_object_get(kept, "evidence_digest"));
	json_decref(kept);
}

static void get_key(void *context, struct host_http_exchange *exchange)
{
	struct oracle *oracle = context;
	size_t mark = cs_arena_mark(&oracle->scratch);
	const Caisson__Wire__HelloReply *hello = oracle->enclave_ready ? hello_of(oracle) : NULL;
	if (!hello) {
		host_http_reply_problem(exchange, CS_ERR_UNAVAILABLE, "the enclave is not ready");
	} else {
		json_t *json = json_object();
		json_object_set_new(json, "oracle",
				    host_json_hash(&oracle->config.manifest.identity));
		json_object_set_new(json, "lineage",
				    host_json_hash(&oracle->config.manifest.lineage));
		json_object_set_new(json, "answers", newest_key(oracle, hello, true));
		json_object_set_new(json, "secrets", newest_key(oracle, hello, false));
		json_object_set_new(json, "measurement",
				    host_json_hex(wire_pb_view(hello->measurement)));
		json_object_set_new(json, "manifest_hash",
				    host_json_hex(wire_pb_view(hello->manifest_hash)));
		set_evidence(json, oracle, hello);
		json_object_set_new(json, "insecure_flags", host_json_u64(hello->insecure_flags));
		host_http_reply_json(exchange, 200, json);
	}
	cs_arena_rewind(&oracle->scratch, mark);
}

/* The document that answers name. */
static void get_kept_evidence(void *context, struct host_http_exchange *exchange)
{
	struct oracle *oracle = context;
	const char *name = host_http_param(exchange, "digest");
	struct cs_hash digest;
	struct cs_bytes text;
	if (cs_unhex(digest.b, sizeof(digest.b), cs_bytes_str(name)) != CS_OK) {
		host_http_reply_problem(exchange, CS_ERR_MALFORMED, "digest: not 32 bytes of hex");
		return;
	}
	size_t mark = cs_arena_mark(&oracle->scratch);
	enum cs_err err = oracle_evidence_document(oracle, &digest, &oracle->scratch, &text);
	if (err == CS_OK)
		host_http_reply(exchange, 200, "application/json", text);
	else
		host_http_reply_problem(exchange, err, "no answer of this oracle names it");
	cs_arena_rewind(&oracle->scratch, mark);
}

/* ---- health and metrics ---- */

/* Everything that must be there for an answer; the first that is not. */
static const char *not_ready(const struct oracle *oracle)
{
	if (!oracle->enclave_ready)
		return "the enclave is not ready";
	if (ledger_clock_trouble(oracle->clock))
		return ledger_clock_trouble(oracle->clock);
	for (size_t i = 0; i < oracle->chain_count; i++) {
		const char *trouble = adapter_follow_trouble(&oracle->chains[i].follow);
		if (trouble)
			return trouble;
	}
	return NULL;
}

static void get_health(void *context, struct host_http_exchange *exchange)
{
	const char *why = not_ready(context);
	if (why)
		host_http_reply_problem(exchange, CS_ERR_UNAVAILABLE, why);
	else
		host_http_reply_json(exchange, 200, json_pack("{s:b}", "ready", 1));
}

static void get_metrics(void *context, struct host_http_exchange *exchange)
{
	struct oracle *oracle = context;
	struct cs_buf buf;
	size_t mark = cs_arena_mark(&oracle->scratch);
	enum cs_err err = cs_buf_init_arena(&buf, &oracle->scratch, METRICS_SIZE_MAX);
	if (err == CS_OK)
		err = host_metrics_write(oracle->metrics, &buf);
	if (err != CS_OK)
		host_http_reply_problem(exchange, err, NULL);
	else
		host_http_reply(exchange, 200, HOST_METRICS_CONTENT_TYPE, cs_buf_view(&buf));
	cs_arena_rewind(&oracle->scratch, mark);
}

void oracle_api_routes(struct oracle *oracle)
{
	struct host_http_server *server = oracle->server;
	host_http_server_route(server, "GET", "/healthz", 0, get_health, oracle);
	host_http_server_route(server, "GET", "/metrics", 0, get_metrics, oracle);
	host_http_server_route(server, "GET", "/v1/chains?", ORACLE_SCOPE_READ, get_chains, oracle);
	host_http_server_route(server, "GET", "/v1/chains/{id}/conflict?", ORACLE_SCOPE_READ,
			       get_conflict, oracle);
	host_http_server_route(server, "GET", "/v1/enclave?", ORACLE_SCOPE_READ, get_enclave,
			       oracle);
	host_http_server_route(server, "GET", "/v1/enclave/evidence?nonce", ORACLE_SCOPE_READ,
			       get_evidence, oracle);
	host_http_server_route(server, "GET", "/v1/oracle/key?", ORACLE_SCOPE_READ, get_key,
			       oracle);
	host_http_server_route(server, "GET", "/v1/oracle/evidence/{digest}?", ORACLE_SCOPE_READ,
			       get_kept_evidence, oracle);
}
