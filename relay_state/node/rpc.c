#include "host/alloc.h"
#include "relay_state/node/rpc_inner.h"
#include "relay_state/node/rpc_port.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Blocks with their JSON; a call at a time uses it. */
#define ARENA_SIZE (NODE_FRAME_SIZE_MAX + 512u * 1024 * 1024)
#define ERROR_SIZE 512u
#define JSON_TYPE "application/json"
#define WS_MESSAGE_SIZE_MAX NODE_RPC_BODY_SIZE_MAX
/* Above what is read: so that it can be refused in words. */
#define HTTP_BODY_SIZE_MAX (4u * NODE_RPC_BODY_SIZE_MAX)
#define WS_QUEUE_SIZE_MAX (16u * 1024 * 1024)

/* ---- the end of a call ---- */

static void finish(struct rpc_call *call, json_t *response, bool is_error)
{
	json_decref(call->params);
	call->answered(call->context, response, is_error);
	free(call);
}

static json_t *response_of(struct rpc_call *call)
{
	json_t *response = json_object();
	(void)json_object_set_new(response, "jsonrpc", json_string("2.0"));
	if (call->id != NULL)
		(void)json_object_set_new(response, "id", call->id);
	call->id = NULL;
	return response;
}

void rpc_result(struct rpc_call *call, json_t *result)
{
	json_t *response = response_of(call);
	cs_assert(result != NULL);
	(void)json_object_set_new(response, "result", result);
	finish(call, response, false);
}

static json_t *error_of(int code, const char *data)
{
	const char *message = "Internal error";
	if (code == RPC_PARSE_ERROR)
		message = "Parse error. Invalid JSON";
	else if (code == RPC_INVALID_REQUEST)
		message = "Invalid Request";
	else if (code == RPC_METHOD_NOT_FOUND)
		message = "Method not found";
	else if (code == RPC_INVALID_PARAMS)
		message = "Invalid params";
	json_t *error = json_pack("{siss}", "code", code, "message", message);
	if (data[0] != 0)
		(void)json_object_set_new(error, "data", cometbft_json_text(cs_bytes_str(data)));
	return error;
}

static void fail(struct rpc_call *call, int code, const char *format, va_list args)
{
	char data[ERROR_SIZE];
	(void)vsnprintf(data, sizeof data, format, args);
	/* Over WebSocket CometBFT's handler says so. */
	if (code == RPC_INVALID_PARAMS && call->peer != NULL)
		code = RPC_INTERNAL_ERROR;
	json_t *response = response_of(call);
	(void)json_object_set_new(response, "error", error_of(code, data));
	finish(call, response, true);
}

void rpc_fail(struct rpc_call *call, int code, const char *data, ...)
{
	va_list args;
	va_start(args, data);
	fail(call, code, data, args);
	va_end(args);
}

void rpc_refuse(struct rpc_call *call, const char *data, ...)
{
	va_list args;
	va_start(args, data);
	fail(call, RPC_INTERNAL_ERROR, data, args);
	va_end(args);
}

/* ---- arguments ---- */

static json_t *argument(const struct rpc_call *call, const char *name)
{
	json_t *value = NULL;
	if (json_is_array(call->params)) {
		for (size_t i = 0; call->names[i] != NULL; i++) {
			if (strcmp(call->names[i], name) == 0)
				value = json_array_get(call->params, i);
		}
	} else {
		value = json_object_get(call->params, name);
	}
	return json_is_null(value) ? NULL : value;
}

static bool wrong(struct rpc_call *call, const char *name, const char *what)
{
	rpc_fail(call, RPC_INVALID_PARAMS, "error converting %s params to arguments: %s is no %s",
		 call->is_uri ? "http" : "json", name, what);
	return false;
}

/* A URI's quoted value without its quotes. */
static struct cs_bytes unquote(const char *text)
{
	size_t n = strlen(text);
	if (n >= 2 && text[0] == '"' && text[n - 1] == '"')
		return cs_bytes(text + 1, n - 2);
	return cs_bytes(text, n);
}

bool rpc_number(struct rpc_call *call, const char *name, int64_t *value, bool *given)
{
	const json_t *json = argument(call, name);
	char copy[24];
	*given = json != NULL;
	if (json_is_integer(json)) {
		*value = json_integer_value(json);
		return true;
	}
	const char *text = json_string_value(json);
	if (json == NULL || (call->is_uri && text != NULL && text[0] == 0)) {
		*given = false;
		return true;
	}
	struct cs_bytes plain = text != NULL ? unquote(text) : CS_BYTES_NONE;
	if (text == NULL || plain.n >= sizeof copy)
		return wrong(call, name, "number");
	memcpy(copy, plain.p, plain.n);
	copy[plain.n] = 0;
	return cometbft_unnumber(value, copy) == CS_OK || wrong(call, name, "number");
}

bool rpc_bool(struct rpc_call *call, const char *name, bool *value)
{
	const json_t *json = argument(call, name);
	const char *text = json_string_value(json);
	*value = false;
	if (json == NULL)
		return true;
	if (json_is_boolean(json) || (call->is_uri && text != NULL)) {
		bool yes = json_is_true(json) || (text != NULL && strcmp(text, "true") == 0);
		if (text != NULL && !yes && strcmp(text, "false") != 0 && text[0] != 0)
			return wrong(call, name, "bool");
		*value = yes;
		return true;
	}
	return wrong(call, name, "bool");
}

static bool is_hex(const char *text)
{
	return text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
}

bool rpc_text(struct rpc_call *call, const char *name, char **text)
{
	const json_t *json = argument(call, name);
	*text = NULL;
	if (json == NULL) {
		*text = host_text("");
		return true;
	}
	if (!json_is_string(json))
		return wrong(call, name, "string");
	const char *value = json_string_value(json);
	if (call->is_uri && value[0] != 0 && value[0] != '"')
		return wrong(call, name, "string in quotes");
	struct cs_bytes plain = call->is_uri ? unquote(value) : cs_bytes_str(value);
	*text = (char *)host_copy(plain);
	return true;
}

bool rpc_bytes(struct rpc_call *call, const char *name, bool hex, uint8_t **bytes, size_t *size)
{
	const json_t *json = argument(call, name);
	const char *value = json != NULL ? json_string_value(json) : "";
	if (value == NULL)
		return wrong(call, name, "string");
	size_t n = strlen(value);
	enum cs_err err = CS_OK;
	*bytes = host_alloc(n + 4);
	*size = 0;
	if (call->is_uri && is_hex(value)) {
		*size = (n - 2) / 2;
		err = cs_unhex(*bytes, *size, cs_bytes(value, n));
	} else if (call->is_uri) {
		struct cs_bytes plain = unquote(value);
		memcpy(*bytes, plain.p, plain.n);
		*size = plain.n;
		err = plain.n == n && n > 0 ? CS_ERR_MALFORMED : CS_OK;
	} else if (hex) {
		*size = n / 2;
		err = cs_unhex(*bytes, *size, cs_bytes(value, n));
	} else {
		err = cometbft_unbase64(*bytes, size, cs_bytes(value, n));
	}
	if (err == CS_OK)
		return true;
	free(*bytes);
	*bytes = NULL;
	return wrong(call, name, hex ? "bytes in hex" : "bytes");
}

/* ---- a request ---- */

/* id is taken. */
static struct rpc_call *new_call(struct node_rpc *rpc, json_t *id, rpc_answered *answered,
				 void *context)
{
	struct rpc_call *call = host_alloc(sizeof *call);
	call->rpc = rpc;
	call->id = id;
	call->answered = answered;
	call->context = context;
	return call;
}

static void run(struct rpc_call *call, const struct rpc_method *method)
{
	size_t mark = cs_arena_mark(&call->rpc->arena);
	struct node_rpc *rpc = call->rpc;
	call->names = method->names;
	method->run(call);
	cs_arena_rewind(&rpc->arena, mark);
}

static bool is_text_or_none(const json_t *value)
{
	return value == NULL || json_is_null(value) || json_is_string(value);
}

/* What Go reads into its struct of a request; anything else spoils the whole body. */
static bool is_request(const json_t *object)
{
	const json_t *id = json_object_get(object, "id");
	return json_is_object(object) && is_text_or_none(json_object_get(object, "method")) &&
	       is_text_or_none(json_object_get(object, "jsonrpc")) &&
	       (is_text_or_none(id) || json_is_number(id));
}

/* A fraction is cut off, as CometBFT does. */
static json_t *id_of(const json_t *object)
{
	json_t *id = json_object_get(object, "id");
	if (!json_is_real(id))
		return json_incref(id);
	double value = json_real_value(id);
	return json_integer(value > -1e15 && value < 1e15 ? (json_int_t)value : -1);
}

static bool count_is_wrong(const struct rpc_method *method, const json_t *params, size_t *count)
{
	*count = 0;
	while (method->names[*count] != NULL)
		(*count)++;
	return json_is_array(params) && json_array_size(params) != *count;
}

/* One that is_request. */
static void run_object(struct node_rpc *rpc, const json_t *object, struct host_ws_peer *peer,
		       rpc_answered *answered, void *context)
{
	const char *name = json_string_value(json_object_get(object, "method"));
	json_t *params = json_object_get(object, "params");
	size_t count;
	json_t *id = id_of(object);
	if (id == NULL || json_is_null(id)) {
		json_decref(id);
		answered(context, NULL, false);
		return;
	}
	struct rpc_call *call = new_call(rpc, id, answered, context);
	call->peer = peer;
	const struct rpc_method *method = name != NULL ? rpc_method_find(name) : NULL;
	if (method == NULL || (method->is_ws && peer == NULL))
		return rpc_fail(call, RPC_METHOD_NOT_FOUND, "%s", "");
	if (params != NULL && !json_is_null(params) && !json_is_object(params) &&
	    !json_is_array(params))
		return rpc_fail(call, RPC_INVALID_PARAMS,
				"error converting json params to arguments: expected map or array");
	if (count_is_wrong(method, params, &count))
		return rpc_fail(call, RPC_INVALID_PARAMS,
				"error converting json params to arguments: expected %zu "
				"parameters, got %zu",
				count, json_array_size(params));
	call->params = json_incref(params);
	run(call, method);
}

/* ---- HTTP ---- */

/* The requests of one body, one after the other: what the second asks is after what the first did. */
struct batch {
	struct node_rpc *rpc;
	rpc_done *done;
	void *context;
	json_t *requests; /* a list */
	size_t next;
	json_t *responses;
	bool is_uri;
	int status;
};

static void reply_batch(struct batch *b)
{
	size_t count = json_array_size(b->responses);
	char *text = host_text("");
	if (count > 0) {
		free(text);
		text = cometbft_json_dump(
			count == 1 ? json_array_get(b->responses, 0) : b->responses, 0);
	}
	b->done(b->context, text, b->status);
	free(text);
	json_decref(b->responses);
	json_decref(b->requests);
	free(b);
}

static void on_answered(void *context, json_t *response, bool is_error)
{
	struct batch *b = context;
	if (response != NULL)
		(void)json_array_append_new(b->responses, response);
	if (b->is_uri && is_error && b->status == 200)
		b->status = 500;
	if (b->next == json_array_size(b->requests))
		return reply_batch(b);
	run_object(b->rpc, json_array_get(b->requests, b->next++), NULL, on_answered, b);
}

static struct batch *new_batch(struct node_rpc *rpc, rpc_done *done, void *context)
{
	struct batch *b = host_alloc(sizeof *b);
	*b = (struct batch){.rpc = rpc, .done = done, .context = context, .status = 200};
	b->responses = json_array();
	return b;
}

/* An answer to what could not be read. */
static void refuse_body(struct batch *b, int status, int code, const char *data)
{
	b->status = status;
	rpc_fail(new_call(b->rpc, NULL, on_answered, b), code, "%s", data);
}

/* NULL: no body of requests. `null` is none of them. */
static json_t *read_requests(struct cs_bytes body)
{
	json_error_t error;
	json_t *root = json_loadb((const char *)body.p, body.n, JSON_DECODE_ANY, &error);
	if (root == NULL || json_is_array(root))
		return root;
	json_t *list = json_array();
	if (json_is_null(root))
		json_decref(root);
	else
		(void)json_array_append_new(list, root);
	return list;
}

static bool are_requests(const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *request = json_array_get(list, i);
		if (!json_is_null(request) && !is_request(request))
			return false;
	}
	return true;
}

void rpc_take_post(struct node_rpc *rpc, struct cs_bytes body, rpc_done *done, void *context)
{
	struct batch *b = new_batch(rpc, done, context);
	if (body.n > NODE_RPC_BODY_SIZE_MAX)
		return refuse_body(b, 400, RPC_INVALID_REQUEST,
				   "error reading request body: http: request body too large");
	b->requests = read_requests(body);
	b->next = json_array_size(b->requests);
	if (b->requests == NULL || !are_requests(b->requests))
		return refuse_body(b, 500, RPC_PARSE_ERROR, "error unmarshaling request");
	if (b->next > NODE_RPC_BATCH_MAX)
		return refuse_body(b, 200, RPC_INVALID_REQUEST,
				   "batch request exceeds maximum (10) allowed number of requests");
	b->next = 0;
	on_answered(b, NULL, false);
}

void rpc_take_get(struct node_rpc *rpc, const struct rpc_method *method, json_t *params,
		  rpc_done *done, void *context)
{
	struct batch *b = new_batch(rpc, done, context);
	struct rpc_call *call = new_call(rpc, json_integer(-1), on_answered, b);
	b->is_uri = true;
	call->is_uri = true;
	call->params = params;
	if (method->is_ws) {
		b->status = 404;
		return rpc_fail(call, RPC_METHOD_NOT_FOUND, "%s", "");
	}
	run(call, method);
}

static void reply(void *context, const char *text, int status)
{
	host_http_reply(context, status, JSON_TYPE, cs_bytes_str(text));
}

static void list_endpoints(struct host_http_exchange *exchange)
{
	const struct rpc_method *method;
	struct cs_buf buf;
	uint8_t text[8192];
	cs_buf_init(&buf, text, sizeof text);
	cs_put_text(&buf, "<html><body>Available endpoints:<br>");
	for (size_t i = 0; (method = rpc_method_at(i)) != NULL; i++) {
		cs_put_text(&buf, "<a href=\"/%s", method->name);
		for (size_t k = 0; method->names[k] != NULL; k++)
			cs_put_text(&buf, "%c%s=_", k == 0 ? '?' : '&', method->names[k]);
		cs_put_text(&buf, "\">%s</a><br>", method->name);
	}
	cs_put_text(&buf, "</body></html>");
	cs_assert(cs_buf_end(&buf) == CS_OK);
	host_http_reply(exchange, 200, "text/html", cs_buf_view(&buf));
}

static void on_post(void *context, struct host_http_exchange *exchange)
{
	struct cs_bytes body = host_http_body(exchange);
	if (body.n == 0)
		return list_endpoints(exchange);
	rpc_take_post(context, body, reply, exchange);
}

static void on_list(void *context, struct host_http_exchange *exchange)
{
	(void)context;
	list_endpoints(exchange);
}

static void on_get(void *context, struct host_http_exchange *exchange)
{
	const struct rpc_route *route = context;
	json_t *params = json_object();
	for (size_t i = 0; route->method->names[i] != NULL; i++) {
		const char *value = host_http_query(exchange, route->method->names[i]);
		if (value != NULL)
			(void)json_object_set_new(params, route->method->names[i],
						  json_string(value));
	}
	rpc_take_get(route->rpc, route->method, params, reply, exchange);
}

/* ---- WebSocket ---- */

static enum cs_err on_ws_accept(void *context, const struct host_ws_upgrade *upgrade,
				struct host_ws_peer *peer)
{
	(void)context;
	if (strcmp(host_ws_path(upgrade), "/websocket") == 0)
		return CS_OK;
	return host_ws_refuse(peer, CS_ERR_NOT_FOUND, "subscriptions are at /websocket");
}

static void on_ws_opened(void *context, struct host_ws_peer *peer)
{
	(void)context;
	/* Alive until closed: what asks later looks here. */
	host_ws_peer_set(peer, host_calloc(1, sizeof(struct host_ws_peer **)));
}

/* Whoever answers later must not write to a peer that is gone. */
struct ws_answer {
	struct node_rpc *rpc;
	struct host_ws_peer *peer;
	struct ws_answer *next;
};

static void on_ws_answered(void *context, json_t *response, bool is_error)
{
	struct ws_answer *a = context;
	(void)is_error;
	if (a->peer != NULL && response != NULL) {
		char *text = cometbft_json_dump(response, 0);
		(void)!host_ws_peer_send(a->peer, cs_bytes_str(text));
		free(text);
	}
	if (a->peer != NULL) {
		struct ws_answer **at = host_ws_peer_get(a->peer);
		while (*at != a)
			at = &(*at)->next;
		*at = a->next;
	}
	json_decref(response);
	free(a);
}

static void on_ws_message(void *context, struct host_ws_peer *peer, struct cs_bytes text)
{
	struct node_rpc *rpc = context;
	json_error_t error;
	struct ws_answer **first = host_ws_peer_get(peer);
	struct ws_answer *a = host_alloc(sizeof *a);
	*a = (struct ws_answer){rpc, peer, *first};
	*first = a;
	json_t *root = json_loadb((const char *)text.p, text.n, JSON_DECODE_ANY, &error);
	if (root == NULL || !(json_is_null(root) || is_request(root)))
		rpc_fail(new_call(rpc, NULL, on_ws_answered, a), RPC_PARSE_ERROR,
			 "error unmarshaling request");
	else
		run_object(rpc, root, peer, on_ws_answered, a);
	json_decref(root);
}

static void on_ws_closed(void *context, struct host_ws_peer *peer, enum cs_err err, const char *why)
{
	struct node_rpc *rpc = context;
	struct ws_answer **first = host_ws_peer_get(peer);
	(void)err;
	(void)why;
	rpc_events_peer_gone(rpc->events, peer);
	for (struct ws_answer *a = first != NULL ? *first : NULL; a != NULL; a = a->next)
		a->peer = NULL;
	free(first);
}

/* ---- beginning and end ---- */

static void add_routes(struct node_rpc *rpc)
{
	host_http_server_route(rpc->http, "POST", "/", 0, on_post, rpc);
	host_http_server_route(rpc->http, "GET", "/", 0, on_list, rpc);
	for (size_t i = 0; rpc_method_at(i) != NULL; i++) {
		char pattern[64];
		const struct rpc_method *method = rpc_method_at(i);
		(void)snprintf(pattern, sizeof pattern, "/%s", method->name);
		cs_assert(i < CS_LEN(rpc->routes));
		rpc->routes[i] = (struct rpc_route){rpc, method};
		host_http_server_route(rpc->http, "GET", pattern, 0, on_get, &rpc->routes[i]);
	}
}

static enum cs_err listen_on(struct node_rpc *rpc, const struct host_address *address,
			     struct cs_why *why)
{
	static const struct host_ws_server_events ws_events = {on_ws_accept, on_ws_opened,
							       on_ws_message, on_ws_closed};
	const struct host_http_server_options http = {.body_size_max = HTTP_BODY_SIZE_MAX,
						      .connections_max = 512,
						      .reply_timeout_ms =
							      2 * NODE_RPC_COMMIT_TIMEOUT_MS};
	const struct host_ws_server_options ws = {.message_size_max = WS_MESSAGE_SIZE_MAX,
						  .queue_size_max = WS_QUEUE_SIZE_MAX};
	CS_TRY(host_http_server_new(&rpc->http, rpc->loop, &http, why));
	add_routes(rpc);
	CS_TRY(host_ws_server_new(&rpc->ws, rpc->loop, &ws, &ws_events, rpc, why));
	return node_rpc_port_new(&rpc->port, rpc->loop, address, host_http_server_port(rpc->http),
				 host_ws_server_port(rpc->ws), why);
}

enum cs_err node_rpc_new(struct node_rpc **out, struct host_loop *loop, struct node *node,
			 const struct host_address *address, struct cs_why *why)
{
	struct node_rpc *rpc = host_alloc(sizeof *rpc);
	rpc->loop = loop;
	rpc->node = node;
	rpc->arena_memory = host_alloc(ARENA_SIZE);
	cs_arena_init(&rpc->arena, rpc->arena_memory, ARENA_SIZE);
	enum cs_err err = listen_on(rpc, address, why);
	if (err != CS_OK) {
		node_rpc_free(rpc);
		return err;
	}
	rpc->events = rpc_events_new(rpc, loop, node);
	(void)snprintf(rpc->address, sizeof rpc->address, "tcp://%s:%u", address->name,
		       node_rpc_port(rpc));
	*out = rpc;
	return CS_OK;
}

uint16_t node_rpc_port(const struct node_rpc *rpc)
{
	return node_rpc_port_number(rpc->port);
}

void node_rpc_free(struct node_rpc *rpc)
{
	if (rpc == NULL)
		return;
	node_rpc_port_free(rpc->port);
	rpc_events_free(rpc->events);
	host_ws_server_free(rpc->ws);
	host_http_server_free(rpc->http);
	free(rpc->arena_memory);
	free(rpc);
}
