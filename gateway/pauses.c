/* What an operator holds up here, until it is resumed: a route, or a chain. It is in the journal, so
 * that no restart forgets it, and it is this gateway's alone: another one of the same route goes on.
 *   Paused, nothing new is signed for the route at its source and nothing is delivered or retried at
 * its destination. What is under way ends: transactions are followed, outcomes are proven and
 * finalized. What dies meanwhile is refunded, unless refunds are paused by name. */
#include "gateway/gateway.h"
#include "gateway/operator.h"
#include "host/alloc.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- who did what ---- */

enum cs_err gateway_operator_told(struct gateway *gateway, const char *kind, const char *who,
				  const char *format, ...)
{
	char detail[HOST_API_KEY_NAME_MAX + 2 + 2 * GATEWAY_WHY_MAX];
	char text[2 * GATEWAY_WHY_MAX];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	(void)snprintf(detail, sizeof(detail), "%s %s", who, text);
	log_info("operator.told", LOG_TEXT("kind", kind), LOG_TEXT("who", who),
		 LOG_TEXT("what", text));
	return gateway_journal_event(gateway->journal, kind, NULL, detail);
}

const char *gateway_operator_of(const struct host_http_exchange *exchange)
{
	const struct host_api_key *key = host_http_key(exchange);
	return key ? key->name : "";
}

/* ---- what is paused ---- */

static enum cs_err reload(struct gateway *gateway)
{
	return gateway_journal_pauses(gateway->journal, gateway->pauses, GATEWAY_PAUSES_MAX,
				      &gateway->pause_count);
}

enum cs_err gateway_pauses_load(struct gateway *gateway, struct cs_why *why)
{
	enum cs_err err = reload(gateway);
	if (err != CS_OK)
		return cs_fail(why, err, "what is paused cannot be read");
	for (size_t i = 0; i < gateway->pause_count; i++)
		log_warn("route.paused", LOG_TEXT("from", gateway->pauses[i].from),
			 LOG_TEXT("to", gateway->pauses[i].to),
			 LOG_TEXT("who", gateway->pauses[i].who));
	return CS_OK;
}

static bool covers(const struct gateway_pause *pause, const char *from, const char *to)
{
	if (pause->to[0] == 0)
		return strcmp(pause->from, from) == 0 || strcmp(pause->from, to) == 0;
	return strcmp(pause->from, from) == 0 && strcmp(pause->to, to) == 0;
}

const struct gateway_pause *gateway_paused_between(const struct gateway *gateway, const char *from,
						   const char *to, bool refunds)
{
	for (size_t i = 0; i < gateway->pause_count; i++) {
		const struct gateway_pause *pause = &gateway->pauses[i];
		if ((pause->refunds || !refunds) && covers(pause, from, to))
			return pause;
	}
	return NULL;
}

const struct gateway_pause *gateway_paused(const struct gateway_route *route, enum relay_side side,
					   bool refunds)
{
	const char *here = route->chain->config->id;
	const char *there = route->remote_manifest->caip2;
	bool source = side == RELAY_SOURCE;
	return gateway_paused_between(route->chain->gateway, source ? here : there,
				      source ? there : here, refunds);
}

const char *gateway_paused_why(const struct gateway_pause *pause, char *text, size_t size)
{
	(void)snprintf(text, size, "%s paused %s%s%s%s%s", pause->who, pause->from,
		       pause->to[0] ? " to " : "", pause->to, pause->reason[0] ? ": " : "",
		       pause->reason);
	return text;
}

/* ---- as JSON ---- */

static json_t *name_json(const char *name)
{
	return name[0] ? json_string(name) : json_null();
}

static json_t *pause_json(const struct gateway_pause *pause)
{
	json_t *json = json_object();
	bool chain = pause->to[0] == 0;
	json_object_set_new(json, "chain", name_json(chain ? pause->from : ""));
	json_object_set_new(json, "from_chain", name_json(chain ? "" : pause->from));
	json_object_set_new(json, "to_chain", name_json(pause->to));
	json_object_set_new(json, "refunds", json_boolean(pause->refunds));
	json_object_set_new(json, "since_ms", host_json_u64(pause->since_ms));
	json_object_set_new(json, "who", json_string(pause->who));
	json_object_set_new(json, "reason", name_json(pause->reason));
	return json;
}

json_t *gateway_json_pauses(const struct gateway *gateway)
{
	json_t *list = json_array();
	for (size_t i = 0; i < gateway->pause_count; i++)
		json_array_append_new(list, pause_json(&gateway->pauses[i]));
	return list;
}

static json_t *route_json(const struct gateway_route *route, enum relay_side side)
{
	const char *here = route->chain->config->id;
	const char *there = route->remote_manifest->caip2;
	bool source = side == RELAY_SOURCE;
	const struct gateway_pause *pause = gateway_paused(route, side, false);
	json_t *json = json_object();
	json_object_set_new(json, "from_chain", json_string(source ? here : there));
	json_object_set_new(json, "to_chain", json_string(source ? there : here));
	json_object_set_new(json, "side", json_string(source ? "source" : "destination"));
	json_t *peers = json_array();
	for (size_t i = 0; i < route->peer_count; i++)
		json_array_append_new(peers, json_string(route->peers[i]->name));
	json_object_set_new(json, "peers", peers);
	json_object_set_new(json, "paused", pause ? pause_json(pause) : json_null());
	json_object_set_new(json, "refunds_paused",
			    json_boolean(gateway_paused(route, side, true) != NULL));
	return json;
}

static void get_routes(void *context, struct host_http_exchange *exchange)
{
	struct gateway *gateway = context;
	json_t *list = json_array();
	for (size_t i = 0; i < gateway->chain_count; i++) {
		const struct gateway_chain *chain = &gateway->chains[i];
		for (size_t k = 0; k < chain->route_count; k++) {
			json_array_append_new(list, route_json(&chain->routes[k], RELAY_SOURCE));
			json_array_append_new(list,
					      route_json(&chain->routes[k], RELAY_DESTINATION));
		}
	}
	host_http_reply_json(exchange, 200, json_pack("{s:o}", "routes", list));
}

/* ---- which route or chain a verb is about ---- */

static enum cs_err read_name(const json_t *body, const char *name, char *text, struct cs_why *why)
{
	const json_t *value = json_object_get(body, name);
	text[0] = 0;
	if (!value)
		return CS_OK;
	if (!json_is_string(value))
		return cs_fail(why, CS_ERR_MALFORMED, "%s: not a text", name);
	if (json_string_length(value) > CS_CAIP2_SIZE_MAX || json_string_length(value) == 0)
		return cs_fail(why, CS_ERR_INVALID, "%s: no CAIP-2 id", name);
	(void)snprintf(text, CS_CAIP2_SIZE_MAX + 1, "%s", json_string_value(value));
	return CS_OK;
}

static bool is_route(const struct gateway *gateway, const char *from, const char *to)
{
	for (size_t i = 0; i < gateway->chain_count; i++) {
		const struct gateway_chain *chain = &gateway->chains[i];
		const char *here = chain->config->id;
		for (size_t k = 0; k < chain->route_count; k++) {
			const char *there = chain->routes[k].remote_manifest->caip2;
			bool any =
				to[0] == 0 && (strcmp(from, here) == 0 || strcmp(from, there) == 0);
			bool out = strcmp(from, here) == 0 && strcmp(to, there) == 0;
			bool in = strcmp(from, there) == 0 && strcmp(to, here) == 0;
			if (any || out || in)
				return true;
		}
	}
	return false;
}

enum cs_err gateway_operator_subject(const struct gateway *gateway, const json_t *body,
				     bool takes_chain, char from[CS_CAIP2_SIZE_MAX + 1],
				     char to[CS_CAIP2_SIZE_MAX + 1], struct cs_why *why)
{
	char chain[CS_CAIP2_SIZE_MAX + 1];
	CS_TRY(read_name(body, "chain", chain, why));
	CS_TRY(read_name(body, "from_chain", from, why));
	CS_TRY(read_name(body, "to_chain", to, why));
	bool route = from[0] && to[0];
	if (!route && (from[0] || to[0]))
		return cs_fail(why, CS_ERR_MISSING_FIELD, "%s: a route has both",
			       from[0] ? "to_chain" : "from_chain");
	if (!route && !chain[0])
		return cs_fail(why, CS_ERR_MISSING_FIELD, "%s",
			       takes_chain ? "chain, or from_chain and to_chain: say which"
					   : "from_chain, to_chain: say which");
	if (route && chain[0])
		return cs_fail(why, CS_ERR_INVALID, "chain: a route is named too");
	if (!route)
		memcpy(from, chain, sizeof(chain));
	if (!is_route(gateway, from, to))
		return cs_fail(why, CS_ERR_NOT_FOUND, "%s%s%s: not of this gateway", from,
			       to[0] ? " to " : "", to);
	return CS_OK;
}

/* ---- the verbs ---- */

struct verb {
	struct gateway *gateway;
	struct host_http_exchange *exchange;
	struct gateway_pause pause;
};

/* The same pause again, whoever asks: nothing is written. */
static bool is_paused_so(const struct gateway *gateway, const struct gateway_pause *wanted)
{
	for (size_t i = 0; i < gateway->pause_count; i++) {
		const struct gateway_pause *pause = &gateway->pauses[i];
		if (strcmp(pause->from, wanted->from) == 0 && strcmp(pause->to, wanted->to) == 0 &&
		    pause->refunds == wanted->refunds && strcmp(pause->reason, wanted->reason) == 0)
			return true;
	}
	return false;
}

static bool is_named(const struct gateway *gateway, const struct gateway_pause *wanted)
{
	for (size_t i = 0; i < gateway->pause_count; i++)
		if (strcmp(gateway->pauses[i].from, wanted->from) == 0 &&
		    strcmp(gateway->pauses[i].to, wanted->to) == 0)
			return true;
	return false;
}

static enum cs_err write_pause(void *context)
{
	struct verb *verb = context;
	struct gateway *gateway = verb->gateway;
	const struct gateway_pause *pause = &verb->pause;
	CS_TRY(gateway_journal_pause(gateway->journal, pause));
	return gateway_operator_told(gateway, "operator.pause", pause->who, "%s%s%s%s%s%s",
				     pause->from, pause->to[0] ? ">" : "", pause->to,
				     pause->refunds ? " with refunds" : "",
				     pause->reason[0] ? ": " : "", pause->reason);
}

static enum cs_err write_resume(void *context)
{
	struct verb *verb = context;
	struct gateway *gateway = verb->gateway;
	const struct gateway_pause *pause = &verb->pause;
	enum cs_err err = gateway_journal_resume(gateway->journal, pause->from, pause->to);
	if (err == CS_ERR_NOT_FOUND)
		return CS_OK;
	CS_TRY(err);
	return gateway_operator_told(gateway, "operator.resume", pause->who, "%s%s%s", pause->from,
				     pause->to[0] ? ">" : "", pause->to);
}

static void reply(struct verb *verb)
{
	json_t *json = json_object();
	json_object_set_new(json, "paused", gateway_json_pauses(verb->gateway));
	host_http_reply_json(verb->exchange, 200, json);
	free(verb);
}

/* From what is on disk: a pause that could be lost is none. */
static void committed(void *context, enum cs_err err)
{
	struct verb *verb = context;
	if (err == CS_OK)
		err = reload(verb->gateway);
	if (err != CS_OK) {
		gateway_fail(verb->gateway, err, "commit of a pause");
		host_http_reply_problem(verb->exchange, err, NULL);
		free(verb);
		return;
	}
	gateway_wake(verb->gateway);
	reply(verb);
}

static enum cs_err read_terms(struct gateway_pause *pause, const json_t *body, struct cs_why *why)
{
	const json_t *refunds = json_object_get(body, "refunds");
	const json_t *reason = json_object_get(body, "reason");
	if (refunds && !json_is_boolean(refunds))
		return cs_fail(why, CS_ERR_MALFORMED, "refunds: neither true nor false");
	pause->refunds = json_is_true(refunds);
	if (reason && !json_is_string(reason))
		return cs_fail(why, CS_ERR_MALFORMED, "reason: not a text");
	if (json_string_length(reason) > GATEWAY_REASON_MAX)
		return cs_fail(why, CS_ERR_INVALID, "reason: longer than %u bytes",
			       GATEWAY_REASON_MAX);
	if (reason)
		host_plain_text(pause->reason, sizeof(pause->reason), json_string_value(reason),
				json_string_length(reason));
	return CS_OK;
}

static void do_verb(struct gateway *gateway, struct host_http_exchange *exchange, bool pauses)
{
	static const char *const terms[] = {"chain",   "from_chain", "to_chain",
					    "refunds", "reason",     NULL};
	static const char *const subject[] = {"chain", "from_chain", "to_chain", NULL};
	struct cs_why why = {{0}};
	json_t *body = NULL;
	struct verb *verb = host_alloc(sizeof(*verb));
	*verb = (struct verb){.gateway = gateway, .exchange = exchange};
	struct gateway_pause *pause = &verb->pause;
	enum cs_err err = host_http_body_json(exchange, &body, &why);
	if (err == CS_OK)
		err = host_json_known(body, pauses ? terms : subject, "body", &why);
	if (err == CS_OK)
		err = gateway_operator_subject(gateway, body, true, pause->from, pause->to, &why);
	if (err == CS_OK)
		err = read_terms(pause, body, &why);
	json_decref(body);
	/* What the configuration has no more is resumed by its name all the same. */
	if (err == CS_ERR_NOT_FOUND && !pauses && is_named(gateway, pause))
		err = CS_OK;
	pause->since_ms = host_wall_ms();
	(void)snprintf(pause->who, sizeof(pause->who), "%s", gateway_operator_of(exchange));
	if (err == CS_OK && pauses && is_paused_so(gateway, pause)) {
		reply(verb);
		return;
	}
	if (err == CS_OK && pauses && gateway->pause_count == GATEWAY_PAUSES_MAX)
		err = cs_fail(&why, CS_ERR_FULL, "so many pauses are in force");
	if (err == CS_OK)
		err = gateway_write_then(gateway, pauses ? write_pause : write_resume, verb,
					 committed, verb);
	if (err != CS_OK) {
		gateway_problem(exchange, err, &why);
		free(verb);
	}
}

static void post_pause(void *context, struct host_http_exchange *exchange)
{
	do_verb(context, exchange, true);
}

static void post_resume(void *context, struct host_http_exchange *exchange)
{
	do_verb(context, exchange, false);
}

void gateway_api_pause_routes(struct gateway *gateway)
{
	struct host_http_server *server = gateway->server;
	host_http_server_route(server, "GET", "/v1/routes?", GATEWAY_SCOPE_READ, get_routes,
			       gateway);
	host_http_server_route(server, "POST", "/v1/operator/pause?", GATEWAY_SCOPE_OPERATE,
			       post_pause, gateway);
	host_http_server_route(server, "POST", "/v1/operator/resume?", GATEWAY_SCOPE_OPERATE,
			       post_resume, gateway);
}
