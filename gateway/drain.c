/* Before a stop: no new work is begun, what is under way ends. An operator asks for it by REST and is told
 * when the process may be stopped; SIGTERM does the same for a short while by itself. What has not ended
 * by then is in the journal, and goes on at the next start. */
#include "gateway/operator.h"
#include "host/alloc.h"

#include <stdio.h>
#include <stdlib.h>

#define DRAIN_S_MAX 3600u
#define DRAIN_S 60u

/* ---- what is under way ---- */

static unsigned flights(const struct gateway *gateway)
{
	unsigned count = 0;
	for (size_t i = 0; i < gateway->chain_count; i++) {
		const struct gateway_chain *chain = &gateway->chains[i];
		for (size_t k = 0; k < chain->route_count; k++) {
			const struct gateway_route *route = &chain->routes[k];
			const struct gateway_stage *const stages[] = {
				&route->sign, &route->deliver, &route->prove, &route->finalize};
			const bool busy[] = {route->expiring, route->retrying, route->learning};
			for (size_t s = 0; s < CS_LEN(stages); s++)
				count += gateway_stage_flights(stages[s]);
			for (size_t b = 0; b < CS_LEN(busy); b++)
				count += busy[b] ? 1u : 0u;
		}
	}
	return count;
}

static unsigned transactions(const struct gateway *gateway)
{
	unsigned count = 0;
	for (size_t i = 0; i < gateway->chain_count; i++)
		count += gateway_open_transactions(&gateway->chains[i]);
	return count;
}

bool gateway_drain_is_over(const struct gateway *gateway)
{
	return (flights(gateway) == 0 && transactions(gateway) == 0) ||
	       host_now_ms() >= gateway->drain.until_ms;
}

void gateway_drain_begin(struct gateway *gateway, const char *who, uint64_t timeout_ms)
{
	gateway->drain = (struct gateway_drain){
		.is_on = true, .since_ms = host_wall_ms(), .until_ms = host_now_ms() + timeout_ms};
	(void)snprintf(gateway->drain.who, sizeof(gateway->drain.who), "%s", who);
	log_info("gateway.draining", LOG_TEXT("who", who), LOG_U64("flights", flights(gateway)),
		 LOG_U64("transactions", transactions(gateway)));
}

static enum cs_err write_ready(void *context)
{
	struct gateway *gateway = context;
	return gateway_operator_told(gateway, "operator.drained", gateway->drain.who,
				     "%u transactions are left to the next start",
				     transactions(gateway));
}

void gateway_drain_tick(struct gateway *gateway)
{
	if (!gateway->drain.is_on || gateway->drain.is_told || !gateway_drain_is_over(gateway))
		return;
	gateway->drain.is_told = true;
	if (gateway_write(gateway, write_ready, gateway) != CS_OK)
		log_warn("gateway.drain_not_told");
}

/* ---- REST ---- */

static json_t *drain_json(const struct gateway *gateway)
{
	const struct gateway_drain *drain = &gateway->drain;
	json_t *json = json_object();
	json_object_set_new(json, "draining", json_boolean(drain->is_on));
	json_object_set_new(json, "who", drain->is_on ? json_string(drain->who) : json_null());
	json_object_set_new(json, "since_ms",
			    drain->is_on ? host_json_u64(drain->since_ms) : json_null());
	json_object_set_new(json, "flights", host_json_u64(flights(gateway)));
	json_object_set_new(json, "transactions", host_json_u64(transactions(gateway)));
	json_object_set_new(json, "ready",
			    json_boolean(drain->is_on && gateway_drain_is_over(gateway)));
	return json;
}

static void get_drain(void *context, struct host_http_exchange *exchange)
{
	host_http_reply_json(exchange, 200, drain_json(context));
}

struct verb {
	struct gateway *gateway;
	struct host_http_exchange *exchange;
	char who[HOST_API_KEY_NAME_MAX + 1];
	bool ends;
	uint64_t timeout_s;
};

static enum cs_err write_told(void *context)
{
	const struct verb *verb = context;
	if (verb->ends)
		return gateway_operator_told(verb->gateway, "operator.undrain", verb->who,
					     "work is taken again");
	return gateway_operator_told(verb->gateway, "operator.drain", verb->who, "for %llu s",
				     (unsigned long long)verb->timeout_s);
}

static void told(void *context, enum cs_err err)
{
	struct verb *verb = context;
	struct gateway *gateway = verb->gateway;
	if (err != CS_OK) {
		host_http_reply_problem(verb->exchange, err, NULL);
	} else {
		if (verb->ends)
			gateway->drain = (struct gateway_drain){.is_on = false};
		else
			gateway_drain_begin(gateway, verb->who, verb->timeout_s * 1000);
		host_http_reply_json(verb->exchange, verb->ends ? 200 : 202, drain_json(gateway));
		gateway_wake(gateway);
	}
	free(verb);
}

static enum cs_err read_timeout(const struct host_http_exchange *exchange, uint64_t *seconds,
				struct cs_why *why)
{
	static const char *const names[] = {"timeout_s", NULL};
	json_t *body = NULL;
	*seconds = DRAIN_S;
	if (host_http_body(exchange).n == 0)
		return CS_OK;
	CS_TRY(host_http_body_json(exchange, &body, why));
	enum cs_err err = host_json_known(body, names, "body", why);
	if (err == CS_OK && json_object_get(body, "timeout_s"))
		err = host_json_read_u64(body, "timeout_s", seconds, why);
	json_decref(body);
	if (err == CS_OK && *seconds > DRAIN_S_MAX)
		err = cs_fail(why, CS_ERR_INVALID, "timeout_s: above %u", DRAIN_S_MAX);
	return err;
}

static void do_verb(struct gateway *gateway, struct host_http_exchange *exchange, bool ends)
{
	struct cs_why why = {{0}};
	struct verb *verb = host_alloc(sizeof(*verb));
	*verb = (struct verb){.gateway = gateway, .exchange = exchange, .ends = ends};
	(void)snprintf(verb->who, sizeof(verb->who), "%s", gateway_operator_of(exchange));
	enum cs_err err = ends ? CS_OK : read_timeout(exchange, &verb->timeout_s, &why);
	/* As it is already: nothing is written. */
	if (err == CS_OK && ends != gateway->drain.is_on) {
		host_http_reply_json(exchange, ends ? 200 : 202, drain_json(gateway));
		free(verb);
		return;
	}
	if (err == CS_OK)
		err = gateway_write_then(gateway, write_told, verb, told, verb);
	if (err != CS_OK) {
		gateway_problem(exchange, err, &why);
		free(verb);
	}
}

static void post_drain(void *context, struct host_http_exchange *exchange)
{
	do_verb(context, exchange, false);
}

static void delete_drain(void *context, struct host_http_exchange *exchange)
{
	do_verb(context, exchange, true);
}

void gateway_api_drain_routes(struct gateway *gateway)
{
	struct host_http_server *server = gateway->server;
	host_http_server_route(server, "GET", "/v1/operator/drain?", GATEWAY_SCOPE_READ, get_drain,
			       gateway);
	host_http_server_route(server, "POST", "/v1/operator/drain?", GATEWAY_SCOPE_OPERATE,
			       post_drain, gateway);
	host_http_server_route(server, "DELETE", "/v1/operator/drain?", GATEWAY_SCOPE_OPERATE,
			       delete_drain, gateway);
}
