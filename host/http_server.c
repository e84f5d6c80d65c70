#include "host/http_server.h"

#include "host/alloc.h"
#include "host/http_stream.h"
#include "host/loop_inner.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 256u
#define BODY_SIZE_MAX (1024u * 1024u)
#define RECEIVE_TIMEOUT_MS 10000u
#define IDLE_TIMEOUT_S 60u
#define REPLY_TIMEOUT_MS 60000u
#define STREAMS_MAX 64u
/* Request line and headers of one request, and MHD's own needs for a connection. */
#define CONNECTION_MEMORY (32u * 1024u)
#define SWEEP_MS 250u
/* Of requests and of answers, beside those that every page may use. */
#define CORS_HEADERS                                                                   \
	"Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, " \
	"traceparent, tracestate"
#define CORS_EXPOSED "Allow, ETag, Idempotent-Replayed, Retry-After, WWW-Authenticate"
#define CORS_MAX_AGE_S "600"

/* Addresses that are known by themselves: as many as may be connected. */
#define RATE_ADDRESSES CONNECTIONS_MAX

struct connection {
	struct host_http_server *server;
	struct connection *prev;
	struct connection *next;
	int fd;
	bool receiving;    /* a request has begun */
	bool handling;     /* it has been read */
	uint64_t since_ms; /* of the state */
	uint64_t limit_ms; /* of waiting for the next request */
};

struct host_http_server {
	struct MHD_Daemon *daemon;
	uv_poll_t *poll;
	struct host_timer *timer; /* MHD's own timeouts */
	struct host_timer *sweep;
	struct host_http_server_options options;
	uint16_t port;
	struct host_rate *rate_of_keys;
	struct host_rate *rate_of_addresses;
	struct host_http_limited limited;
	uint32_t route_count;
	struct host_http_route routes[HOST_HTTP_ROUTES_MAX];
	struct connection *connections;
	struct host_http_exchange *exchanges;
	bool connection_ended;
	bool draining;
	bool drain_told;
	host_call *drained;
	void *drained_context;
};

/* ---- connections, and what is too slow ---- */

static void on_connection(void *context, struct MHD_Connection *mhd, void **slot,
			  enum MHD_ConnectionNotificationCode code)
{
	struct host_http_server *server = context;
	struct connection *c = *slot;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		const union MHD_ConnectionInfo *info =
			MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
		c = host_alloc(sizeof *c);
		c->server = server;
		c->fd = info != NULL ? info->connect_fd : -1;
		c->since_ms = host_now_ms();
		c->limit_ms = server->options.receive_timeout_ms;
		c->next = server->connections;
		if (c->next != NULL)
			c->next->prev = c;
		server->connections = c;
		*slot = c;
		if (!host_timer_is_running(server->sweep))
			host_timer_start(server->sweep, SWEEP_MS, SWEEP_MS);
		return;
	}
	if (c == NULL)
		return;
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		server->connections = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	*slot = NULL;
	server->connection_ended = true;
	free(c);
}

static struct connection *connection_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return info != NULL ? info->socket_context : NULL;
}

/* The request line is there. */
static void *on_uri(void *context, const char *uri, struct MHD_Connection *mhd)
{
	struct connection *c = connection_of(mhd);
	(void)context;
	(void)uri;
	if (c != NULL) {
		c->receiving = true;
		c->since_ms = host_now_ms();
	}
	return NULL;
}

/* When nothing is under way any more. Last of all: the owner may free the server. */
static void check_drained(struct host_http_server *server)
{
	if (!server->draining || server->drain_told || server->exchanges != NULL)
		return;
	for (struct connection *c = server->connections; c != NULL; c = c->next)
		if (c->receiving)
			return;
	for (struct connection *c = server->connections; c != NULL; c = c->next)
		(void)shutdown(c->fd, SHUT_RDWR);
	server->drain_told = true;
	server->drained(server->drained_context);
}

static void sweep(void *context)
{
	struct host_http_server *server = context;
	uint64_t now = host_now_ms();
	for (struct connection *c = server->connections; c != NULL; c = c->next) {
		uint64_t limit = c->receiving ? server->options.receive_timeout_ms : c->limit_ms;
		/* MHD's timeout starts anew with every byte; this one does not. */
		if (!c->handling && now - c->since_ms > limit)
			(void)shutdown(c->fd, SHUT_RDWR);
	}
	struct host_http_exchange *next;
	for (struct host_http_exchange *e = server->exchanges; e != NULL; e = next) {
		next = e->next;
		if (e->suspended && !e->replied &&
		    now - e->handled_ms > server->options.reply_timeout_ms)
			host_http_exchange_expire(e);
	}
	/* Nothing to watch: no reason to wake up. */
	if (server->connections == NULL && server->exchanges == NULL)
		host_timer_stop(server->sweep);
	check_drained(server);
}

/* ---- libmicrohttpd's side of the loop ---- */

static void service(struct host_http_server *server)
{
	MHD_UNSIGNED_LONG_LONG timeout;
	do {
		server->connection_ended = false;
		MHD_run(server->daemon);
		/* At its limit it had stopped to accept, and only looks at that again when it runs. */
	} while (server->connection_ended);
	if (MHD_get_timeout(server->daemon, &timeout) == MHD_YES)
		host_timer_start(server->timer, timeout, 0);
	else
		host_timer_stop(server->timer);
	check_drained(server);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	service(poll->data);
}

static void on_timer(void *context)
{
	service(context);
}

bool host_http_server_has_etags(const struct host_http_server *server)
{
	return server->options.etags;
}

bool host_http_server_has_room(const struct host_http_server *server)
{
	uint32_t count = 0;
	for (const struct host_http_exchange *e = server->exchanges; e != NULL; e = e->next)
		count += e->stream != NULL;
	return count < server->options.streams_max && !server->draining;
}

void host_http_server_wake(struct host_http_server *server)
{
	host_timer_start(server->timer, 0, 0);
}

/* ---- one request ---- */

static void unlink_exchange(struct host_http_exchange *e)
{
	struct host_http_server *server = e->server;
	if (server == NULL)
		return;
	if (e->prev != NULL)
		e->prev->next = e->next;
	else
		server->exchanges = e->next;
	if (e->next != NULL)
		e->next->prev = e->prev;
	e->prev = NULL;
	e->next = NULL;
	e->server = NULL;
}

/* ---- cross-origin requests ---- */

/* The origin of the page that asks, if it may read our answers. */
static const char *page_of(const struct host_http_exchange *e)
{
	const struct host_http_server *server = e->server;
	const char *origin = host_http_request_header(e, "origin");
	for (size_t i = 0; origin != NULL && i < server->options.cors_origin_count; i++)
		if (strcmp(server->options.cors_origins[i], origin) == 0)
			return origin;
	return NULL;
}

/* Caches must not give one page what was meant for another. */
static void add_cors(const struct host_http_exchange *e)
{
	if (e->server == NULL || e->server->options.cors_origin_count == 0)
		return;
	(void)MHD_add_response_header(e->response, "Vary", "Origin");
	const char *page = page_of(e);
	if (page == NULL)
		return;
	(void)MHD_add_response_header(e->response, "Access-Control-Allow-Origin", page);
	(void)MHD_add_response_header(e->response, "Access-Control-Expose-Headers", CORS_EXPOSED);
}

static bool is_preflight(const struct host_http_exchange *e)
{
	return strcmp(host_http_method(e), "OPTIONS") == 0 && page_of(e) != NULL &&
	       host_http_request_header(e, "access-control-request-method") != NULL;
}

static void reply_preflight(struct host_http_exchange *e)
{
	e->handler_holds = true;
	host_http_reply_header(e, "Access-Control-Allow-Headers", CORS_HEADERS);
	host_http_reply_header(e, "Access-Control-Max-Age", CORS_MAX_AGE_S);
	host_http_reply(e, 204, NULL, CS_BYTES_NONE);
}

/* ---- how often ---- */

static bool is_too_often(struct host_http_server *server, struct host_http_exchange *e)
{
	char text[16];
	uint32_t retry_s = 0;
	bool takes;
	if (e->route.is_unlimited)
		return false;
	if (e->key != NULL) {
		takes = host_rate_takes(server->rate_of_keys, &retry_s, &server->options.rate,
					&e->key->hash, host_now_us());
		server->limited.by_key += !takes;
	} else {
		const union MHD_ConnectionInfo *info =
			MHD_get_connection_info(e->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
		const struct cs_hash caller =
			host_rate_caller(info != NULL ? info->client_addr : NULL);
		takes = host_rate_takes(server->rate_of_addresses, &retry_s, &server->options.rate,
					&caller, host_now_us());
		server->limited.by_address += !takes;
	}
	if (takes)
		return false;
	(void)snprintf(text, sizeof text, "%u", retry_s);
	host_http_reply_header(e, "Retry-After", text);
	return true;
}

void host_http_server_set_rate(struct host_http_server *server, struct host_rate_terms terms)
{
	server->options.rate = terms;
}

struct host_http_limited host_http_server_limited(const struct host_http_server *server)
{
	return server->limited;
}

/* Who asks, where that is asked. */
static enum cs_err check_key(const struct host_http_server *server, struct host_http_exchange *e)
{
	if (e->route.scopes == 0)
		return CS_OK;
	if (server->options.keys == NULL)
		return CS_ERR_UNAUTHORIZED;
	CS_TRY(host_api_keys_check(&e->key, server->options.keys,
				   host_http_request_header(e, "authorization"), e->route.scopes));
	e->of_key = *e->key;
	e->key = &e->of_key;
	return CS_OK;
}

/* Decides what is known before the body: a refusal or a handler. */
static void decide(struct host_http_server *server, struct host_http_exchange *e)
{
	char allow[64];
	const struct host_http_route *route = NULL;
	enum cs_err err =
		host_http_route_find(&route, allow, server->routes, server->route_count, e);
	enum cs_err key_err = CS_OK;
	if (err == CS_OK) {
		e->route = *route;
		key_err = check_key(server, e);
	}
	if (is_too_often(server, e)) {
		e->refused = CS_ERR_RATE_LIMITED;
		return;
	}
	if (err == CS_ERR_UNSUPPORTED && is_preflight(e)) {
		e->preflight = true;
		host_http_reply_header(e, "Access-Control-Allow-Methods", allow);
		return;
	}
	if (err != CS_OK) {
		if (allow[0] != 0)
			host_http_reply_header(e, "Allow", allow);
		e->refused_status = allow[0] != 0 ? MHD_HTTP_METHOD_NOT_ALLOWED : 0;
		e->refused = err;
		return;
	}
	if (key_err == CS_ERR_UNAUTHORIZED)
		host_http_reply_header(e, "WWW-Authenticate", "Bearer");
	err = key_err;
	if (err == CS_OK && route->query_is_bound)
		err = host_http_query_check(e, route->query, NULL);
	e->refused = err;
}

static struct host_http_exchange *begin(struct host_http_server *server, struct MHD_Connection *mhd,
					const char *method, const char *path)
{
	struct host_http_exchange *e = host_http_exchange_new(mhd, method, path);
	e->server = server;
	e->next = server->exchanges;
	if (e->next != NULL)
		e->next->prev = e;
	server->exchanges = e;
	e->body_size_max = server->options.body_size_max;
	decide(server, e);
	const char *length = host_http_request_header(e, "content-length");
	/* MHD has checked that it is a number. */
	if (length != NULL && strtoull(length, NULL, 10) > e->body_size_max) {
		e->refused = CS_ERR_TOO_LARGE;
		e->refused_status = 0;
	}
	if (e->broken != NULL) {
		e->refused = CS_ERR_MALFORMED;
		e->refused_status = 0;
	}
	return e;
}

static enum MHD_Result queue(struct host_http_exchange *e)
{
	enum MHD_Result result;
	if (e->server == NULL || e->server->draining || e->broken != NULL)
		(void)MHD_add_response_header(e->response, "Connection", "close");
	add_cors(e);
	result = MHD_queue_response(e->mhd, (unsigned)e->status, e->response);
	MHD_destroy_response(e->response);
	e->response = NULL;
	return result;
}

static void refuse(struct host_http_exchange *e)
{
	char detail[HOST_API_KEY_LACKS_MAX] = "";
	struct cs_why why = {{0}};
	const char *text = detail;
	e->handler_holds = true;
	if (e->broken != NULL)
		(void)snprintf(detail, sizeof detail, "%s", e->broken);
	else if (e->refused == CS_ERR_TOO_LARGE)
		(void)snprintf(detail, sizeof detail, "the body is above %llu bytes",
			       (unsigned long long)e->body_size_max);
	else if (e->refused_status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)snprintf(detail, sizeof detail, "the route takes other methods");
	else if (e->refused == CS_ERR_NOT_FOUND)
		(void)snprintf(detail, sizeof detail, "no such route");
	else if (e->refused == CS_ERR_RATE_LIMITED)
		(void)snprintf(detail, sizeof detail, "more requests than %s may make",
			       e->key != NULL ? "this API key" : "this address");
	else if (e->refused == CS_ERR_UNAUTHORIZED)
		(void)snprintf(detail, sizeof detail, "no API key that is known here");
	else if (e->refused == CS_ERR_FORBIDDEN)
		host_api_key_lacks(detail, e->route.scopes, e->server->options.scope_names);
	else if (e->refused == CS_ERR_UNKNOWN_FIELD &&
		 host_http_query_check(e, e->route.query, &why) != CS_OK)
		text = why.text;
	host_http_reply_problem_status(e, e->refused_status, e->refused, text);
}

static void handle(struct host_http_exchange *e)
{
	e->handled_ms = host_now_ms();
	e->handler_holds = true;
	e->in_handler = true;
	e->route.handler(e->route.context, e);
	e->in_handler = false;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *mhd, const char *path,
				  const char *method, const char *version, const char *data,
				  size_t *size, void **slot)
{
	struct host_http_server *server = context;
	struct host_http_exchange *e = *slot;
	(void)version;
	if (e == NULL) {
		e = begin(server, mhd, method, path);
		*slot = e;
		/* A body that will not be read is refused before it is sent. */
		if (e->refused == CS_ERR_TOO_LARGE || e->broken != NULL) {
			refuse(e);
			return queue(e);
		}
		return MHD_YES;
	}
	if (*size > 0) {
		bool ok = host_http_exchange_body(e, data, *size);
		*size = 0;
		return ok ? MHD_YES : MHD_NO;
	}
	if (e->response != NULL)
		return queue(e);
	struct connection *c = connection_of(mhd);
	if (c != NULL)
		c->handling = true;
	if (e->refused != CS_OK)
		refuse(e);
	else if (e->preflight)
		reply_preflight(e);
	else
		handle(e);
	if (e->response != NULL)
		return queue(e);
	e->suspended = true;
	MHD_suspend_connection(mhd);
	return MHD_YES;
}

static void on_completed(void *context, struct MHD_Connection *mhd, void **slot,
			 enum MHD_RequestTerminationCode code)
{
	struct host_http_server *server = context;
	struct host_http_exchange *e = *slot;
	struct connection *c = connection_of(mhd);
	(void)code;
	if (c != NULL) {
		c->receiving = false;
		c->handling = false;
		c->since_ms = host_now_ms();
		c->limit_ms =
			server->options.idle_timeout_s * 1000 + server->options.receive_timeout_ms;
	}
	if (e == NULL)
		return;
	*slot = NULL;
	if (server->options.observe != NULL)
		server->options.observe(server->options.observe_context, e, e->status,
					host_now_us() - e->began_us);
	unlink_exchange(e);
	if (e->stream != NULL)
		host_http_stream_gone(e->stream);
	host_http_exchange_gone(e);
}

/* ---- routes ---- */

void host_http_server_route(struct host_http_server *server, const char *method,
			    const char *pattern, uint32_t scopes, host_http_handler *handler,
			    void *context)
{
	cs_assert(server->route_count < HOST_HTTP_ROUTES_MAX);
	for (uint32_t i = 0; i < server->route_count; i++)
		cs_assert(strcmp(server->routes[i].method, method) != 0 ||
			  strcmp(server->routes[i].pattern, pattern) != 0);
	struct host_http_route *route = &server->routes[server->route_count++];
	cs_assert(pattern[0] == '/');
	int n = snprintf(route->method, sizeof route->method, "%s", method);
	cs_assert(n > 0 && (size_t)n < sizeof route->method);
	size_t path_size = strcspn(pattern, "?");
	n = snprintf(route->pattern, sizeof route->pattern, "%.*s", (int)path_size, pattern);
	cs_assert(n > 0 && (size_t)n < sizeof route->pattern);
	route->query_is_bound = pattern[path_size] == '?';
	n = snprintf(route->query, sizeof route->query, "%s",
		     route->query_is_bound ? pattern + path_size + 1 : "");
	cs_assert(n >= 0 && (size_t)n < sizeof route->query);
	route->is_unlimited = scopes == HOST_HTTP_UNLIMITED;
	route->scopes = route->is_unlimited ? 0 : scopes;
	route->handler = handler;
	route->context = context;
}

bool host_http_server_route_terms(const struct host_http_server *server, uint32_t index,
				  struct host_http_route_terms *terms)
{
	if (index >= server->route_count)
		return false;
	const struct host_http_route *route = &server->routes[index];
	*terms = (struct host_http_route_terms){
		.method = route->method,
		.pattern = route->pattern,
		.query = route->query_is_bound ? route->query : NULL,
		.scopes = route->scopes,
	};
	return true;
}

/* ---- the server ---- */

/* We decode segments and query values ourselves, after they were taken apart. */
static size_t keep_escapes(void *context, struct MHD_Connection *mhd, char *text)
{
	(void)context;
	(void)mhd;
	return strlen(text);
}

static void drop_log(void *context, const char *format, va_list args)
{
	(void)context;
	(void)format;
	(void)args;
}

static void defaults(struct host_http_server_options *options)
{
	if (options->address == NULL)
		options->address = "127.0.0.1";
	if (options->connections_max == 0)
		options->connections_max = CONNECTIONS_MAX;
	if (options->body_size_max == 0)
		options->body_size_max = BODY_SIZE_MAX;
	if (options->receive_timeout_ms == 0)
		options->receive_timeout_ms = RECEIVE_TIMEOUT_MS;
	if (options->idle_timeout_s == 0)
		options->idle_timeout_s = IDLE_TIMEOUT_S;
	if (options->reply_timeout_ms == 0)
		options->reply_timeout_ms = REPLY_TIMEOUT_MS;
	if (options->streams_max == 0)
		options->streams_max = STREAMS_MAX;
}

static enum cs_err start_daemon(struct host_http_server *server, struct cs_why *why)
{
	const struct host_http_server_options *o = &server->options;
	struct sockaddr_storage address = {0};
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
	if (uv_ip4_addr(o->address, o->port, (struct sockaddr_in *)&address) != 0) {
		if (uv_ip6_addr(o->address, o->port, (struct sockaddr_in6 *)&address) != 0)
			return cs_fail(why, CS_ERR_INVALID, "%s is not a numeric address",
				       o->address);
		flags |= MHD_USE_IPv6;
	}
	server->daemon = MHD_start_daemon(
		flags, o->port, NULL, NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER,
		drop_log, NULL, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_CONNECTION_LIMIT,
		o->connections_max, MHD_OPTION_PER_IP_CONNECTION_LIMIT, o->connections_per_ip_max,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)o->idle_timeout_s,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, server, MHD_OPTION_URI_LOG_CALLBACK, on_uri, NULL, MHD_OPTION_END);
	if (server->daemon == NULL)
		return cs_fail(why, CS_ERR_IO, "cannot listen on %s port %u", o->address, o->port);
	return CS_OK;
}

enum cs_err host_http_server_new(struct host_http_server **made, struct host_loop *loop,
				 const struct host_http_server_options *options, struct cs_why *why)
{
	struct host_http_server *server = host_alloc(sizeof *server);
	server->options = *options;
	defaults(&server->options);
	enum cs_err err = start_daemon(server, why);
	if (err != CS_OK) {
		free(server);
		return err;
	}
	server->rate_of_keys = host_rate_new(HOST_API_KEYS_MAX);
	server->rate_of_addresses = host_rate_new(RATE_ADDRESSES);
	server->options.address = NULL; /* the caller's, no longer needed */
	server->port = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
	server->timer = host_timer_new(loop, on_timer, server);
	server->sweep = host_timer_new(loop, sweep, server);
	server->poll = host_alloc(sizeof *server->poll);
	server->poll->data = server;
	int fd = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	cs_assert(uv_poll_init(host_loop_uv(loop), server->poll, fd) == 0);
	cs_assert(uv_poll_start(server->poll, UV_READABLE, on_poll) == 0);
	*made = server;
	return CS_OK;
}

uint16_t host_http_server_port(const struct host_http_server *server)
{
	return server->port;
}

void host_http_server_drain(struct host_http_server *server, host_call *drained, void *context)
{
	cs_assert(!server->draining);
	server->draining = true;
	server->drained = drained;
	server->drained_context = context;
	int fd = MHD_quiesce_daemon(server->daemon);
	if (fd >= 0)
		(void)close(fd);
	for (struct host_http_exchange *e = server->exchanges; e != NULL; e = e->next)
		if (e->stream != NULL)
			host_http_stream_finish(e->stream);
	/* Its first round is what tells, so not from inside this call. */
	host_timer_start(server->sweep, 0, SWEEP_MS);
}

static void free_poll(uv_handle_t *handle)
{
	free(handle);
}

void host_http_server_free(struct host_http_server *server)
{
	if (server == NULL)
		return;
	server->draining = true;
	server->drain_told = true;
	server->options.observe = NULL;
	/* MHD must not be stopped while a connection is suspended. */
	for (struct host_http_exchange *e = server->exchanges; e != NULL; e = e->next) {
		if (e->suspended && !e->resumed) {
			e->resumed = true;
			MHD_resume_connection(e->mhd);
		} else if (e->stream != NULL) {
			host_http_stream_finish(e->stream);
		}
	}
	uv_close((uv_handle_t *)server->poll, free_poll);
	host_timer_free(server->timer);
	host_timer_free(server->sweep);
	MHD_stop_daemon(server->daemon);
	free(server->rate_of_keys);
	free(server->rate_of_addresses);
	free(server);
}
