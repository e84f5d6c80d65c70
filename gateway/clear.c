/* POST /v1/operator/clear: everything that waits on one route is tried again now, whatever pause its
 * last failure brought it, and its failed messages are retried. It only says that their time has come:
 * a bounded number of rows a turn, and the pump takes old and new work by turns, so that nothing live
 * waits behind it. What failed before still goes alone, after the chain was asked what it would do. */
#include "gateway/operator.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

/* Rows of one writer. */
#define CLEAR_ROWS 256u

struct stage {
	enum relay_side side;
	enum relay_state state;
	bool wishes; /* it moves only because somebody asks */
};
static const struct stage stages[] = {
	{RELAY_SOURCE, RELAY_FINAL, false},       {RELAY_SOURCE, RELAY_OUTCOME_VERIFIED, false},
	{RELAY_SOURCE, RELAY_REFUNDING, false},   {RELAY_DESTINATION, RELAY_OUTCOME_FINAL, false},
	{RELAY_DESTINATION, RELAY_SIGNED, false}, {RELAY_DESTINATION, RELAY_FAILED, false},
	{RELAY_DESTINATION, RELAY_FAILED, true},
};

struct clear {
	struct gateway *gateway;
	struct host_http_exchange *exchange;
	char who[HOST_API_KEY_NAME_MAX + 1];
	char from[CS_CAIP2_SIZE_MAX + 1];
	char to[CS_CAIP2_SIZE_MAX + 1];
	uint64_t began_ms;
	size_t stage;
	uint64_t left; /* of the stage: so many waited when it began, and no more are touched */
	bool counted;
	uint64_t hurried;
	uint64_t retried;
};

static void work(void *context);

/* The route of the stage, where this gateway has that side of it. */
static struct gateway_route *route_of(const struct clear *clear, const struct stage *stage)
{
	bool source = stage->side == RELAY_SOURCE;
	struct gateway_chain *chain =
		gateway_chain_named(clear->gateway, source ? clear->from : clear->to);
	for (size_t i = 0; chain && i < chain->route_count; i++)
		if (strcmp(chain->routes[i].remote_manifest->caip2,
			   source ? clear->to : clear->from) == 0)
			return &chain->routes[i];
	return NULL;
}

static struct gateway_stuck stuck_of(const struct clear *clear, const struct gateway_route *route)
{
	const struct stage *stage = &stages[clear->stage];
	return (struct gateway_stuck){.chain = &route->chain->identity,
				      .remote = &route->remote,
				      .side = stage->side,
				      .state = stage->state,
				      .due_ms = clear->began_ms,
				      .unwished = stage->wishes};
}

static enum cs_err write_rows(void *context)
{
	static struct gateway_message rows[CLEAR_ROWS];
	struct clear *clear = context;
	struct gateway_journal *journal = clear->gateway->journal;
	const struct gateway_route *route = route_of(clear, &stages[clear->stage]);
	struct gateway_stuck stuck = stuck_of(clear, route);
	size_t count = 0;
	CS_TRY(gateway_journal_stuck(journal, &stuck, rows,
				     clear->left < CLEAR_ROWS ? clear->left : CLEAR_ROWS, &count));
	for (size_t i = 0; i < count; i++) {
		rows[i].next_ms = clear->began_ms;
		if (stuck.unwished) {
			rows[i].wish_retry = 1;
			rows[i].tries = 0;
		}
		CS_TRY(gateway_journal_save(journal, &rows[i]));
	}
	*(stuck.unwished ? &clear->retried : &clear->hurried) += count;
	clear->left = count == 0 ? 0 : clear->left - count;
	return CS_OK;
}

static void finish(struct clear *clear, enum cs_err err)
{
	struct gateway *gateway = clear->gateway;
	if (err != CS_OK) {
		host_http_reply_problem(clear->exchange, err, NULL);
	} else {
		/* What waits for a peer waits for nothing but the peer. */
		for (size_t i = 0; i < gateway->peer_count; i++)
			gateway->peers[i].push_after_ms = 0;
		json_t *json = json_object();
		json_object_set_new(json, "from_chain", json_string(clear->from));
		json_object_set_new(json, "to_chain", json_string(clear->to));
		json_object_set_new(json, "hurried", host_json_u64(clear->hurried));
		json_object_set_new(json, "retried", host_json_u64(clear->retried));
		host_http_reply_json(clear->exchange, 200, json);
	}
	gateway_wake(gateway);
	free(clear);
}

static void batch_committed(void *context, enum cs_err err)
{
	struct clear *clear = context;
	gateway_wake(clear->gateway);
	if (err != CS_OK)
		finish(clear, err);
	else
		host_post(clear->gateway->loop, work, clear);
}

/* The next stage that has anything to do. OK with clear->stage at the end: none. */
static enum cs_err seek(struct clear *clear)
{
	for (; clear->stage < CS_LEN(stages); clear->stage++, clear->counted = false) {
		const struct gateway_route *route = route_of(clear, &stages[clear->stage]);
		if (!route)
			continue;
		struct gateway_stuck stuck = stuck_of(clear, route);
		if (!clear->counted)
			CS_TRY(gateway_journal_stuck_count(clear->gateway->journal, &stuck,
							   &clear->left));
		clear->counted = true;
		if (clear->left > 0)
			return CS_OK;
	}
	return CS_OK;
}

static void work(void *context)
{
	struct clear *clear = context;
	enum cs_err err = clear->gateway->stopping ? CS_ERR_CLOSED : seek(clear);
	if (err != CS_OK || clear->stage == CS_LEN(stages)) {
		finish(clear, err);
		return;
	}
	err = gateway_write_then(clear->gateway, write_rows, clear, batch_committed, clear);
	if (err != CS_OK)
		finish(clear, err);
}

/* ---- the request ---- */

static enum cs_err write_told(void *context)
{
	const struct clear *clear = context;
	return gateway_operator_told(clear->gateway, "operator.clear", clear->who, "%s>%s",
				     clear->from, clear->to);
}

static void post_clear(void *context, struct host_http_exchange *exchange)
{
	static const char *const names[] = {"from_chain", "to_chain", NULL};
	struct gateway *gateway = context;
	struct cs_why why = {{0}};
	json_t *body = NULL;
	struct clear *clear = host_alloc(sizeof(*clear));
	*clear = (struct clear){
		.gateway = gateway, .exchange = exchange, .began_ms = host_wall_ms()};
	(void)snprintf(clear->who, sizeof(clear->who), "%s", gateway_operator_of(exchange));
	enum cs_err err = host_http_body_json(exchange, &body, &why);
	if (err == CS_OK)
		err = host_json_known(body, names, "body", &why);
	if (err == CS_OK)
		err = gateway_operator_subject(gateway, body, false, clear->from, clear->to, &why);
	json_decref(body);
	if (err == CS_OK)
		err = gateway_write_then(gateway, write_told, clear, batch_committed, clear);
	if (err != CS_OK) {
		gateway_problem(exchange, err, &why);
		free(clear);
	}
}

void gateway_api_clear_routes(struct gateway *gateway)
{
	host_http_server_route(gateway->server, "POST", "/v1/operator/clear?",
			       GATEWAY_SCOPE_OPERATE, post_clear, gateway);
}
