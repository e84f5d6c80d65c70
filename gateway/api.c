/* What a gateway says of itself: chains, enclave, status, health, metrics. */
#include "adapters/conflict.h"
#include "adapters/follow_json.h"
#include "gateway/gateway.h"
#include "gateway/operator.h"
#include "gateway/webhooks.h"
#include "host/alloc.h"
#include "host/enclave_json.h"
#include "host/url.h"
#include "relay_state/client/clock.h"

#include <stdlib.h>
#include <string.h>

/* Some 200 bytes of each series. */
#define METRICS_SIZE_MAX (3u * 1024 * 1024)

/* ---- chains ---- */

static json_t *routes_json(const struct gateway_chain *chain)
{
	json_t *list = json_array();
	for (size_t i = 0; i < chain->route_count; i++) {
		const struct gateway_route *route = &chain->routes[i];
		json_t *json = json_object();
		json_object_set_new(json, "remote", json_string(route->remote_manifest->caip2));
		json_object_set_new(json, "identity", host_json_hash(&route->remote));
		json_t *peers = json_array();
		for (size_t k = 0; k < route->peer_count; k++)
			json_array_append_new(peers, json_string(route->peers[k]->name));
		json_object_set_new(json, "peers", peers);
		json_object_set_new(json, "epoch", host_json_u64(route->epoch));
		json_object_set_new(json, "next_epoch", host_json_u64(route->next_epoch));
		enum gateway_expire expire = gateway_config_expire(
			&chain->gateway->config, &route->remote, &chain->identity);
		json_object_set_new(
			json, "expire_incoming",
			json_string(expire == GATEWAY_EXPIRE_ABSENCE ? "absence" : "tombstone"));
		json_array_append_new(list, json);
	}
	return list;
}

static json_t *address_json(const struct gateway_account *account)
{
	return account->is_there ? host_json_hex(CS_BYTES_OF(account->address.b)) : json_null();
}

static json_t *chain_json(struct gateway_chain *chain)
{
	json_t *json = adapter_follow_json(&chain->follow);
	json_object_set_new(json, "gateway",
			    host_json_hex(CS_BYTES_OF(chain->manifest->gateway.b)));
	json_object_set_new(json, "bridge",
			    chain->own->has_bridge
				    ? host_json_hex(CS_BYTES_OF(chain->own->bridge.b))
				    : json_null());
	json_object_set_new(json, "token",
			    chain->own->has_token ? host_json_hex(CS_BYTES_OF(chain->own->token.b))
						  : json_null());
	json_object_set_new(json, "gas_account", address_json(&chain->accounts[0]));
	json_object_set_new(json, "operator",
			    address_json(&chain->accounts[GATEWAY_ACCOUNT_OPERATOR]));
	json_object_set_new(json, "accounts", gateway_accounts_json(chain));
	json_object_set_new(json, "finality", json_string(chain->manifest->mode));
	uint64_t expires_s = gateway_client_expires_s(chain);
	json_object_set_new(json, "trusting_period_s",
			    host_json_u64(chain->manifest->trusting_period_s));
	json_object_set_new(json, "client_expires_s",
			    expires_s > 0 ? host_json_u64(expires_s) : json_null());
	json_object_set_new(json, "providers", adapter_providers_json(&chain->providers));
	json_object_set_new(json, "frozen",
			    chain->follow.frozen ? json_string(ADAPTER_WHY_FROZEN) : json_null());
	json_object_set_new(json, "conflict",
			    chain->follow.frozen
				    ? json_sprintf("/v1/chains/%s/conflict", chain->config->id)
				    : json_null());
	json_object_set_new(json, "open_transactions",
			    host_json_u64(gateway_open_transactions(chain)));
	json_object_set_new(json, "routes", routes_json(chain));
	json_object_set_new(json, "unrouted", gateway_unrouted_json(chain));
	return json;
}

static json_t *chains_json(struct gateway *gateway)
{
	json_t *list = json_array();
	for (size_t i = 0; i < gateway->chain_count; i++)
		json_array_append_new(list, chain_json(&gateway->chains[i]));
	return list;
}

static void get_chains(void *context, struct host_http_exchange *exchange)
{
	host_http_reply_json(exchange, 200, json_pack("{s:o}", "chains", chains_json(context)));
}

/* ---- what froze a chain ---- */

/* What the journal knows to be signed from the conflict's height on. */
static enum cs_err add_signed(void *context, json_t *json, uint64_t height)
{
	static struct cs_hash ids[ADAPTER_CONFLICT_IDS_MAX + 1];
	static const char *const names[] = {"messages", "outcomes"};
	const struct gateway_chain *chain = context;
	bool complete = true;
	for (size_t i = 0; i < CS_LEN(names); i++) {
		size_t count = 0;
		json_t *list = json_array();
		json_object_set_new(json, names[i], list);
		CS_TRY(gateway_journal_signed(chain->gateway->journal, &chain->identity, i == 1,
					      height, ids, CS_LEN(ids), &count));
		complete = complete && count <= ADAPTER_CONFLICT_IDS_MAX;
		for (size_t k = 0; k < count && k < ADAPTER_CONFLICT_IDS_MAX; k++)
			json_array_append_new(list, host_json_hash(&ids[k]));
	}
	json_object_set_new(json, "complete", json_boolean(complete));
	return CS_OK;
}

static void get_conflict(void *context, struct host_http_exchange *exchange)
{
	struct gateway_chain *chain = gateway_chain_named(context, host_http_param(exchange, "id"));
	if (chain)
		adapter_conflict_reply(&chain->follow, exchange, add_signed, chain);
	else
		host_http_reply_problem(exchange, CS_ERR_NOT_FOUND, "no chain of this gateway");
}

/* ---- enclave ---- */

static void get_enclave(void *context, struct host_http_exchange *exchange)
{
	struct gateway *gateway = context;
	size_t mark = cs_arena_mark(&gateway->scratch);
	ProtobufCMessage *message = NULL;
	json_t *json = NULL;
	if (gateway_enclave_hello(gateway).n &&
	    gateway_enclave_reply(&gateway->scratch, gateway_enclave_hello(gateway),
				  &caisson__wire__hello_reply__descriptor, &message) == CS_OK) {
		json = host_enclave_json((const Caisson__Wire__HelloReply *)message);
		json_object_set_new(json, "keys", gateway_json_keys(gateway));
	}
	cs_arena_rewind(&gateway->scratch, mark);
	if (!json)
		json = json_object();
	json_object_set_new(json, "ready", json_boolean(gateway->enclave_ready));
	json_object_set_new(json, "why",
			    gateway->enclave_why[0] ? json_string(gateway->enclave_why)
						    : json_null());
	host_http_reply_json(exchange, 200, json);
}

static void get_evidence(void *context, struct host_http_exchange *exchange)
{
	struct gateway *gateway = context;
	gateway->evidence.session = gateway->enclave;
	gateway->evidence.arena = &gateway->scratch;
	gateway->evidence.role = WIRE_REPORT_BRIDGE_ENCLAVE;
	host_evidence_get(&gateway->evidence, exchange);
}

/* ---- status and health ---- */

struct count_ctx {
	struct gateway *gateway;
	json_t *list;
};

static void count_row(void *ctx, const struct gateway_count *row)
{
	struct count_ctx *c = ctx;
	json_array_append_new(
		c->list,
		json_pack("{s:s,s:s,s:s,s:s,s:I,s:I}", "chain",
			  gateway_caip2(c->gateway, &row->chain), "remote",
			  gateway_caip2(c->gateway, &row->remote), "side",
			  row->side == RELAY_SOURCE ? "source" : "destination", "state",
			  relay_state_name(row->state) ? relay_state_name(row->state) : "", "count",
			  (json_int_t)row->count, "oldest_ms", (json_int_t)row->oldest_ms));
}

static json_t *peers_json(struct gateway *gateway)
{
	json_t *list = json_array();
	for (size_t i = 0; i < gateway->peer_count; i++) {
		struct gateway_peer *peer = &gateway->peers[i];
		uint64_t waiting = 0;
		if (gateway_journal_backlog(gateway->journal, peer->name, &waiting) != CS_OK ||
		    !peer->config)
			continue;
		char *place = host_url_origin(peer->config->url);
		json_array_append_new(list, json_pack("{s:s,s:s,s:b,s:I,s:o}", "name", peer->name,
						      "url", place, "reachable", peer->reachable,
						      "waiting", (json_int_t)waiting, "attested",
						      gateway_attested_json(peer)));
		free(place);
	}
	return list;
}

/* Everything that must be there for a message to move; the first that is not. */
static const char *not_ready(struct gateway *gateway)
{
	const char *trouble = gateway->drain.is_on ? "it is drained before a stop" : NULL;
	for (size_t i = 0; i < gateway->chain_count && !trouble; i++)
		trouble = gateway_chain_trouble(&gateway->chains[i]);
	return trouble;
}

static void get_status(void *context, struct host_http_exchange *exchange)
{
	struct gateway *gateway = context;
	struct count_ctx counts = {gateway, json_array()};
	const char *why = not_ready(gateway);
	if (gateway_journal_counts(gateway->journal, count_row, &counts) != CS_OK)
		json_array_clear(counts.list);
	uint64_t first = 0;
	uint64_t last = 0;
	if (gateway_journal_events_span(gateway->journal, &first, &last) != CS_OK)
		last = 0;
	struct host_store_figures figures =
		host_store_figures(gateway_journal_store(gateway->journal));
	json_t *json = json_object();
	json_object_set_new(json, "name", json_string(gateway->config.name));
	json_object_set_new(json, "ready", json_boolean(why == NULL));
	json_object_set_new(json, "why", why ? json_string(why) : json_null());
	json_object_set_new(json, "uptime_ms", host_json_u64(host_now_ms() - gateway->started_ms));
	json_object_set_new(json, "manifest_hash", host_json_hash(&gateway->config.manifest.hash));
	json_object_set_new(json, "manifest_number",
			    host_json_u64(gateway->config.manifest.number));
	json_object_set_new(json, "events_port",
			    host_json_u64(host_ws_server_port(gateway->events)));
	json_object_set_new(json, "event_cursor", host_json_u64(last));
	json_object_set_new(json, "messages", counts.list);
	json_object_set_new(json, "peers", peers_json(gateway));
	json_object_set_new(json, "chains", chains_json(gateway));
	json_object_set_new(json, "paused", gateway_json_pauses(gateway));
	json_object_set_new(json, "reload", gateway_rollover_json(gateway));
	json_object_set_new(json, "ledger", gateway_ledger_json(gateway));
	json_object_set_new(json, "journal",
			    json_pack("{s:I,s:I,s:I}", "writes", (json_int_t)figures.writes,
				      "commits", (json_int_t)figures.commits, "commit_us_max",
				      (json_int_t)figures.commit_us_max));
	host_http_reply_json(exchange, 200, json);
}

static void get_health(void *context, struct host_http_exchange *exchange)
{
	struct gateway *gateway = context;
	const char *why = not_ready(gateway);
	if (why)
		host_http_reply_problem(exchange, CS_ERR_UNAVAILABLE, why);
	else
		host_http_reply_json(exchange, 200, json_pack("{s:b}", "ready", 1));
}

static void get_metrics(void *context, struct host_http_exchange *exchange)
{
	struct gateway *gateway = context;
	struct cs_buf buf;
	size_t mark = cs_arena_mark(&gateway->scratch);
	enum cs_err err = cs_buf_init_arena(&buf, &gateway->scratch, METRICS_SIZE_MAX);
	if (err == CS_OK)
		err = host_metrics_write(gateway->metrics, &buf);
	if (err != CS_OK)
		host_http_reply_problem(exchange, err, NULL);
	else
		host_http_reply(exchange, 200, HOST_METRICS_CONTENT_TYPE, cs_buf_view(&buf));
	cs_arena_rewind(&gateway->scratch, mark);
}

void gateway_api_routes(struct gateway *gateway)
{
	struct host_http_server *server = gateway->server;
	host_http_server_route(server, "GET", "/healthz", HOST_HTTP_UNLIMITED, get_health, gateway);
	host_http_server_route(server, "GET", "/metrics", HOST_HTTP_UNLIMITED, get_metrics,
			       gateway);
	host_http_server_route(server, "GET", "/v1/chains?", GATEWAY_SCOPE_READ, get_chains,
			       gateway);
	host_http_server_route(server, "GET", "/v1/chains/{id}/conflict?", GATEWAY_SCOPE_READ,
			       get_conflict, gateway);
	host_http_server_route(server, "GET", "/v1/enclave?", GATEWAY_SCOPE_READ, get_enclave,
			       gateway);
	host_http_server_route(server, "GET", "/v1/enclave/evidence?nonce", GATEWAY_SCOPE_READ,
			       get_evidence, gateway);
	host_http_server_route(server, "GET", "/v1/status?", GATEWAY_SCOPE_READ, get_status,
			       gateway);
	gateway_events_route(gateway);
	gateway_api_message_routes(gateway);
	gateway_api_send_routes(gateway);
	gateway_api_quote_routes(gateway);
	gateway_api_webhook_routes(gateway);
	gateway_api_peer_routes(gateway);
	gateway_api_rotation_routes(gateway);
	gateway_api_pause_routes(gateway);
	gateway_api_observe_routes(gateway);
	gateway_api_reorg_routes(gateway);
	gateway_api_clear_routes(gateway);
	gateway_api_reload_routes(gateway);
	gateway_api_drain_routes(gateway);
	gateway_api_transaction_routes(gateway);
	gateway_api_sweep_routes(gateway);
	gateway_api_reference_routes(gateway);
	gateway_api_ui_routes(gateway);
}
