/* HTTP client and server against each other in one loop. */
#include "host/alloc.h"
#include "host/http_client.h"
#include "host/http_server.h"
#include "tests/unit/support.h"

#include <stdio.h>
#include <stdlib.h>

#define WAIT_MS 10000

struct fixture {
	struct host_loop *loop;
	struct host_http_client *client;
	struct host_http_server *server;
	struct host_api_keys keys;
	char base[64];
	/* of the last answer */
	uint32_t answers;
	enum cs_err err;
	int status;
	char body[65536];
	size_t body_size;
	char header[256];
	const char *want_header;
	/* what the server kept */
	struct host_http_exchange *kept[64];
	uint32_t kept_count;
	uint32_t observed;
	int observed_status;
	char observed_pattern[128];
	bool drained;
	uint32_t wanted;
};

static const char key_text[] = "0123456789abcdef0123456789abcdef";
static const char weak_text[] = "fedcba9876543210fedcba9876543210";

static void on_done(void *context, const struct host_http_response *response)
{
	struct fixture *f = context;
	f->answers++;
	f->err = response->err;
	f->status = response->status;
	f->body_size =
		response->body.n < sizeof f->body - 1 ? response->body.n : sizeof f->body - 1;
	memcpy(f->body, response->body.p != NULL ? (const void *)response->body.p : "",
	       f->body_size);
	f->body[f->body_size] = 0;
	f->header[0] = 0;
	if (f->want_header != NULL && response->err == CS_OK) {
		const char *value = host_http_response_header(response, f->want_header);
		(void)snprintf(f->header, sizeof f->header, "%s", value != NULL ? value : "(none)");
	}
	assert_non_null(response->why);
}

static bool all_answered(void *context)
{
	struct fixture *f = context;
	return f->answers >= f->wanted;
}

static void wait_answers(struct fixture *f, uint32_t count)
{
	f->wanted = count;
	assert_int_equal(host_loop_run_until(f->loop, all_answered, f, WAIT_MS), CS_OK);
}

static void call(struct fixture *f, const char *method, const char *path, const char *body,
		 const char *key)
{
	char url[4096];
	char bearer[256];
	(void)snprintf(url, sizeof url, "%s%s", f->base, path);
	struct host_http_request request = {.method = method, .url = url, .timeout_ms = 5000};
	if (body != NULL)
		request.body = cs_bytes_str(body);
	if (key != NULL) {
		(void)snprintf(bearer, sizeof bearer, "Bearer %s", key);
		request.headers[0] = (struct host_http_header){"Authorization", bearer};
	}
	f->answers = 0;
	assert_int_equal(host_http_send(f->client, NULL, &request, on_done, f), CS_OK);
	wait_answers(f, 1);
}

/* ---- handlers ---- */

static void echo(void *context, struct host_http_exchange *e)
{
	(void)context;
	host_http_reply_header(e, "X-Echo", "yes");
	host_http_reply(e, 200, "text/plain", host_http_body(e));
}

static void show(void *context, struct host_http_exchange *e)
{
	char text[1024];
	const char *q = host_http_query(e, "q");
	const char *none = host_http_query(e, "none");
	const struct host_api_key *key = host_http_key(e);
	(void)context;
	(void)snprintf(text, sizeof text, "%s %s %s q=%s none=%s key=%s", host_http_method(e),
		       host_http_param(e, "id"), host_http_pattern(e), q != NULL ? q : "null",
		       none != NULL ? none : "null", key != NULL ? key->name : "nobody");
	host_http_reply(e, 200, "text/plain", cs_bytes_str(text));
}

static void hold_back(void *context, struct host_http_exchange *e)
{
	struct fixture *f = context;
	f->kept[f->kept_count++] = e;
}

static void json(void *context, struct host_http_exchange *e)
{
	json_t *root = NULL;
	struct cs_why why;
	(void)context;
	enum cs_err err = host_http_body_json(e, &root, &why);
	if (err != CS_OK)
		host_http_reply_problem(e, err, why.text);
	else
		host_http_reply_json(e, 201, root);
}

static void observe(void *context, const struct host_http_exchange *e, int status, uint64_t took_us)
{
	struct fixture *f = context;
	assert_true(took_us < 60000000);
	f->observed++;
	f->observed_status = status;
	(void)snprintf(f->observed_pattern, sizeof f->observed_pattern, "%s", host_http_pattern(e));
}

/* ---- fixture ---- */

static void add_key(struct fixture *f, const char *name, const char *text, uint32_t scopes)
{
	struct host_api_key *key = &f->keys.keys[f->keys.count++];
	(void)snprintf(key->name, sizeof key->name, "%s", name);
	key->hash = cs_sha256(cs_bytes_str(text));
	key->scopes = scopes;
}

static void start_server(struct fixture *f, struct host_http_server_options options)
{
	struct cs_why why = {{0}};
	options.keys = &f->keys;
	options.observe = observe;
	options.observe_context = f;
	assert_int_equal(host_http_server_new(&f->server, f->loop, &options, &why), CS_OK);
	(void)snprintf(f->base, sizeof f->base, "http://127.0.0.1:%u",
		       host_http_server_port(f->server));
	host_http_server_route(f->server, "POST", "/echo", 0, echo, f);
	host_http_server_route(f->server, "PUT", "/echo", 0, echo, f);
	host_http_server_route(f->server, "GET", "/things/{id}", 0, show, f);
	host_http_server_route(f->server, "GET", "/secret/{id}", 1, show, f);
	host_http_server_route(f->server, "POST", "/secret/{id}", 3, show, f);
	host_http_server_route(f->server, "POST", "/json", 0, json, f);
	host_http_server_route(f->server, "GET", "/later", 0, hold_back, f);
	host_http_server_route(f->server, "GET", "/list/{id}?q&more", 0, show, f);
	host_http_server_route(f->server, "GET", "/plain/{id}?", 1, show, f);
	assert_int_equal(host_http_client_allow(f->client, f->base, &why), CS_OK);
}

static int set_up(void **state)
{
	struct fixture *f = host_alloc(sizeof *f);
	f->loop = host_loop_new();
	f->client = host_http_client_new(f->loop, NULL);
	add_key(f, "all", key_text, 3);
	add_key(f, "reader", weak_text, 1);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	host_http_client_free(f->client);
	host_http_server_free(f->server);
	host_loop_free(f->loop);
	free(f);
	return 0;
}

/* ---- tests ---- */

static void test_echo(void **state)
{
	struct fixture *f = *state;
	start_server(f, (struct host_http_server_options){0});
	f->want_header = "x-echo";
	call(f, NULL, "/echo", "hello", NULL);
	assert_int_equal(f->err, CS_OK);
	assert_int_equal(f->status, 200);
	assert_string_equal(f->body, "hello");
	assert_string_equal(f->header, "yes");
	call(f, "PUT", "/echo", "", NULL);
	assert_int_equal(f->status, 200);
	assert_int_equal(f->body_size, 0);
	/* A body of many reads on both sides. */
	char *big = host_alloc(60001);
	memset(big, 'x', 60000);
	call(f, "POST", "/echo", big, NULL);
	assert_int_equal(f->status, 200);
	assert_int_equal(f->body_size, 60000);
	assert_memory_equal(f->body, big, 60000);
	free(big);
	assert_int_equal(f->observed, 3);
	assert_string_equal(f->observed_pattern, "/echo");
}

static void test_parts_of_a_request(void **state)
{
	struct fixture *f = *state;
	start_server(f, (struct host_http_server_options){0});
	call(f, NULL, "/things/a%20b?x=1&q=1%2B1+2&q=no", NULL, NULL);
	assert_string_equal(f->body, "GET a b /things/{id} q=1+1 2 none=null key=nobody");
	call(f, NULL, "/things/%2e%2e?none", NULL, NULL);
	assert_string_equal(f->body, "GET .. /things/{id} q=null none= key=nobody");
	call(f, "HEAD", "/things/1", NULL, NULL);
	assert_int_equal(f->status, 200);
	assert_int_equal(f->body_size, 0);
}

static void expect_problem(const struct fixture *f, int status, const char *code)
{
	json_t *root = json_loads(f->body, 0, NULL);
	assert_int_equal(f->err, CS_OK);
	assert_int_equal(f->status, status);
	assert_non_null(root);
	assert_string_equal(json_string_value(json_object_get(root, "code")), code);
	assert_int_equal(json_integer_value(json_object_get(root, "status")), status);
	assert_non_null(json_object_get(root, "title"));
	assert_non_null(json_object_get(root, "type"));
	json_decref(root);
	assert_string_equal(f->header, "application/problem+json");
}

static void expect_detail(const struct fixture *f, const char *beginning)
{
	json_t *root = json_loads(f->body, 0, NULL);
	const char *detail = json_string_value(json_object_get(root, "detail"));
	assert_memory_equal(detail != NULL ? detail : "", beginning, strlen(beginning));
	json_decref(root);
}

static void test_unknown_and_wrong(void **state)
{
	struct fixture *f = *state;
	start_server(f, (struct host_http_server_options){0});
	f->want_header = "content-type";
	static const char *const unknown[] = {"/",           "/nothing",  "/things", "/things/",
					      "/things/1/2", "/echo/",    "//echo",  "/things/%00",
					      "/things/%zz", "/things/%2"};
	for (size_t i = 0; i < CS_LEN(unknown); i++) {
		call(f, NULL, unknown[i], NULL, NULL);
		expect_problem(f, 404, "not-found");
	}
	call(f, NULL, "/things/1?q=%zz", NULL, NULL);
	expect_problem(f, 400, "malformed");
	call(f, "DELETE", "/echo", NULL, NULL);
	expect_problem(f, 405, "unsupported");
	f->want_header = "allow";
	call(f, "DELETE", "/echo", NULL, NULL);
	assert_string_equal(f->header, "POST, PUT");
	call(f, "DELETE", "/things/1", NULL, NULL);
	assert_string_equal(f->header, "GET");
}

/* Only where the route says which there are. */
static void test_queries_that_are_bound(void **state)
{
	struct fixture *f = *state;
	start_server(f, (struct host_http_server_options){0});
	f->want_header = "content-type";
	static const char *const good[] = {"/list/1", "/list/1?q=5", "/list/1?more=&q=%35",
					   "/list/1?"};
	/* And what the problem's detail says of it: the name, so far as it can be shown. */
	static const char *const bad[][2] = {
		{"/list/1?p=5", "p: the query has it and the route does not take it"},
		{"/list/1?q=1&q=1", "q: the query has it twice"},
		{"/list/1?Q=1", "Q: the query has it and"},
		{"/list/1?q&more=&x&x", "x: the query has it and"},
		{"/list/1?=1", ": the query has it and"},
		{"/list/1?limt%0d%22%c3=1", "limt?\"?: the query has it and"},
		{"/list/1?q%00=1", ""},
	};
	for (size_t i = 0; i < CS_LEN(good); i++) {
		call(f, NULL, good[i], NULL, NULL);
		assert_int_equal(f->status, 200);
		assert_string_equal(f->observed_pattern, "/list/{id}");
	}
	for (size_t i = 0; i < CS_LEN(bad); i++) {
		call(f, NULL, bad[i][0], NULL, NULL);
		expect_problem(f, 400, bad[i][1][0] != 0 ? "unknown-field" : "malformed");
		expect_detail(f, bad[i][1]);
	}
	/* Who may not ask is not told what there is to ask. */
	call(f, NULL, "/plain/1?q=1", NULL, NULL);
	expect_problem(f, 401, "unauthorized");
	call(f, NULL, "/plain/1?q=1", NULL, weak_text);
	expect_problem(f, 400, "unknown-field");
	call(f, NULL, "/things/1?whatever=1", NULL, NULL);
	assert_int_equal(f->status, 200);
}

static void test_keys(void **state)
{
	struct fixture *f = *state;
	start_server(f, (struct host_http_server_options){0});
	call(f, NULL, "/secret/1", NULL, key_text);
	assert_string_equal(f->body, "GET 1 /secret/{id} q=null none=null key=all");
	call(f, NULL, "/secret/1", NULL, weak_text);
	assert_int_equal(f->status, 200);
	f->want_header = "content-type";
	call(f, NULL, "/secret/1", NULL, NULL);
	expect_problem(f, 401, "unauthorized");
	call(f, NULL, "/secret/1", NULL, "0123456789abcdef0123456789abcdeX");
	expect_problem(f, 401, "unauthorized");
	call(f, NULL, "/secret/1", NULL, "");
	expect_problem(f, 401, "unauthorized");
	call(f, "POST", "/secret/1", "body", weak_text);
	expect_problem(f, 403, "forbidden");
	f->want_header = "www-authenticate";
	call(f, NULL, "/secret/1", NULL, NULL);
	assert_string_equal(f->header, "Bearer");
}

static void test_json(void **state)
{
	struct fixture *f = *state;
	start_server(f, (struct host_http_server_options){0});
	call(f, NULL, "/json", "{\"a\":[1,\"\\u00e9\"]}", NULL);
	assert_int_equal(f->status, 201);
	assert_string_equal(f->body, "{\"a\":[1,\"\\u00E9\"]}");
	f->want_header = "content-type";
	static const char *const bad[] = {
		"", "{", "{\"a\":1,\"a\":2}", "{} x", "[1,]", "{\"a\":\"\xff\"}", "nul"};
	for (size_t i = 0; i < CS_LEN(bad); i++) {
		call(f, "POST", "/json", bad[i], NULL);
		expect_problem(f, 400, "malformed");
	}
}

static bool has_kept(void *context)
{
	struct fixture *f = context;
	return f->kept_count > 0;
}

static void test_later(void **state)
{
	struct fixture *f = *state;
	char url[128];
	start_server(f, (struct host_http_server_options){0});
	(void)snprintf(url, sizeof url, "%s/later", f->base);
	struct host_http_request request = {.url = url};
	for (uint32_t i = 0; i < 40; i++)
		assert_int_equal(host_http_send(f->client, NULL, &request, on_done, f), CS_OK);
	assert_int_equal(host_http_calls_in_flight(f->client), 40);
	/* 16 connections to one host: so many are with the handler, the others wait in the client. */
	while (f->answers < 40) {
		uint32_t before = f->answers;
		assert_int_equal(host_loop_run_until(f->loop, has_kept, f, WAIT_MS), CS_OK);
		/* The last one first. */
		while (f->kept_count > 0)
			host_http_reply(f->kept[--f->kept_count], 202, "text/plain",
					cs_bytes_str("later"));
		wait_answers(f, before + 1);
		assert_int_equal(f->status, 202);
		assert_string_equal(f->body, "later");
	}
	assert_int_equal(host_http_calls_in_flight(f->client), 0);
}

static void start_later(struct fixture *f)
{
	char url[128];
	(void)snprintf(url, sizeof url, "%s/later", f->base);
	struct host_http_request request = {.url = url, .timeout_ms = 5000};
	f->answers = 0;
	assert_int_equal(host_http_send(f->client, NULL, &request, on_done, f), CS_OK);
	assert_int_equal(host_loop_run_until(f->loop, has_kept, f, WAIT_MS), CS_OK);
}

static void test_too_late(void **state)
{
	struct fixture *f = *state;
	start_server(f, (struct host_http_server_options){.reply_timeout_ms = 100});
	f->want_header = "content-type";
	start_later(f);
	wait_answers(f, 1);
	expect_problem(f, 504, "timeout");
	/* The handler still has it, and what it says goes nowhere. */
	host_http_reply(f->kept[0], 200, "text/plain", cs_bytes_str("too late"));
}

static void test_client_gone_while_waiting(void **state)
{
	struct fixture *f = *state;
	char url[128];
	uint64_t id = 0;
	start_server(f, (struct host_http_server_options){0});
	(void)snprintf(url, sizeof url, "%s/later", f->base);
	struct host_http_request request = {.url = url};
	assert_int_equal(host_http_send(f->client, &id, &request, on_done, f), CS_OK);
	assert_int_equal(host_loop_run_until(f->loop, has_kept, f, WAIT_MS), CS_OK);
	assert_true(host_http_cancel(f->client, id));
	assert_false(host_http_cancel(f->client, id));
	host_http_reply(f->kept[0], 200, "text/plain", cs_bytes_str("nobody"));
	f->kept_count = 0;
	f->want_header = NULL;
	call(f, NULL, "/echo", "still there", NULL);
	assert_string_equal(f->body, "still there");
	assert_int_equal(f->answers, 1);
}

static void test_server_freed_while_handling(void **state)
{
	struct fixture *f = *state;
	start_server(f, (struct host_http_server_options){0});
	start_later(f);
	host_http_server_free(f->server);
	f->server = NULL;
	wait_answers(f, 1);
	assert_int_equal(f->err, CS_ERR_CLOSED);
	assert_string_equal(host_http_path(f->kept[0]), "/later");
	host_http_reply_problem(f->kept[0], CS_ERR_UNAVAILABLE, NULL);
}

static void set_drained(void *context)
{
	struct fixture *f = context;
	f->drained = true;
}

static bool is_drained(void *context)
{
	struct fixture *f = context;
	return f->drained;
}

static void test_drain(void **state)
{
	struct fixture *f = *state;
	start_server(f, (struct host_http_server_options){0});
	call(f, NULL, "/echo", "a kept connection", NULL);
	start_later(f);
	host_http_server_drain(f->server, set_drained, f);
	assert_false(f->drained);
	assert_int_equal(host_loop_run_until(f->loop, is_drained, f, 300), CS_ERR_TIMEOUT);
	f->want_header = "connection";
	host_http_reply(f->kept[0], 200, "text/plain", cs_bytes_str("last words"));
	wait_answers(f, 1);
	assert_string_equal(f->body, "last words");
	assert_string_equal(f->header, "close");
	assert_int_equal(host_loop_run_until(f->loop, is_drained, f, WAIT_MS), CS_OK);
	f->want_header = NULL;
	char url[128];
	(void)snprintf(url, sizeof url, "%s/later", f->base);
	struct host_http_request request = {.url = url, .timeout_ms = 2000};
	f->answers = 0;
	assert_int_equal(host_http_send(f->client, NULL, &request, on_done, f), CS_OK);
	wait_answers(f, 1);
	assert_int_equal(f->err, CS_ERR_UNAVAILABLE);
}

static void test_drain_idle(void **state)
{
	struct fixture *f = *state;
	start_server(f, (struct host_http_server_options){0});
	host_http_server_drain(f->server, set_drained, f);
	assert_int_equal(host_loop_run_until(f->loop, is_drained, f, WAIT_MS), CS_OK);
}

static void test_client_refuses(void **state)
{
	struct fixture *f = *state;
	struct cs_why why;
	start_server(f, (struct host_http_server_options){0});
	static const char *const bad[] = {"",
					  "ftp://127.0.0.1/",
					  "file:///etc/passwd",
					  "http://",
					  "http://u:p@127.0.0.1/",
					  "127.0.0.1",
					  "http://127.0.0.1:99999/",
					  "http://a b/"};
	for (size_t i = 0; i < CS_LEN(bad); i++)
		assert_int_equal(host_http_client_allow(f->client, bad[i], &why), CS_ERR_MALFORMED);
	char url[128];
	struct host_http_request request = {.url = url};
	(void)snprintf(url, sizeof url, "http://127.0.0.2:%u/echo",
		       host_http_server_port(f->server));
	assert_int_equal(host_http_send(f->client, NULL, &request, on_done, f), CS_ERR_FORBIDDEN);
	(void)snprintf(url, sizeof url, "https://127.0.0.1:%u/echo",
		       host_http_server_port(f->server));
	assert_int_equal(host_http_send(f->client, NULL, &request, on_done, f), CS_ERR_FORBIDDEN);
	(void)snprintf(url, sizeof url, "http://127.0.0.1:1/echo");
	assert_int_equal(host_http_send(f->client, NULL, &request, on_done, f), CS_ERR_FORBIDDEN);
	(void)snprintf(url, sizeof url, "http://127.0.0.1:%u@127.0.0.9/",
		       host_http_server_port(f->server));
	assert_int_equal(host_http_send(f->client, NULL, &request, on_done, f), CS_ERR_MALFORMED);
	(void)snprintf(url, sizeof url, "%s/echo", f->base);
	request.headers[0] = (struct host_http_header){"X-A", "b\r\nX-C: d"};
	assert_int_equal(host_http_send(f->client, NULL, &request, on_done, f), CS_ERR_MALFORMED);
	request.headers[0] = (struct host_http_header){NULL, NULL};
	request.method = "GET /evil";
	assert_int_equal(host_http_send(f->client, NULL, &request, on_done, f), CS_ERR_MALFORMED);
	assert_int_equal(host_http_calls_in_flight(f->client), 0);
}

static void test_client_bounds(void **state)
{
	struct fixture *f = *state;
	char url[128];
	start_server(f, (struct host_http_server_options){0});
	(void)snprintf(url, sizeof url, "%s/echo", f->base);
	struct host_http_request request = {
		.url = url, .body = cs_bytes_str("0123456789"), .response_size_max = 10};
	assert_int_equal(host_http_send(f->client, NULL, &request, on_done, f), CS_OK);
	wait_answers(f, 1);
	assert_int_equal(f->status, 200);
	request.response_size_max = 9;
	f->answers = 0;
	assert_int_equal(host_http_send(f->client, NULL, &request, on_done, f), CS_OK);
	wait_answers(f, 1);
	assert_int_equal(f->err, CS_ERR_TOO_LARGE);
	/* Nobody answers. */
	(void)snprintf(url, sizeof url, "%s/later", f->base);
	request = (struct host_http_request){.url = url, .timeout_ms = 100};
	f->answers = 0;
	assert_int_equal(host_http_send(f->client, NULL, &request, on_done, f), CS_OK);
	wait_answers(f, 1);
	assert_int_equal(f->err, CS_ERR_TIMEOUT);
	assert_int_equal(f->kept_count, 1);
	host_http_reply(f->kept[0], 200, "text/plain", CS_BYTES_NONE);
	f->kept_count = 0;
}

static void test_client_full(void **state)
{
	struct fixture *f = *state;
	char url[128];
	start_server(f, (struct host_http_server_options){0});
	host_http_client_free(f->client);
	f->client =
		host_http_client_new(f->loop, &(struct host_http_client_options){.calls_max = 3});
	assert_int_equal(host_http_client_allow(f->client, f->base, NULL), CS_OK);
	(void)snprintf(url, sizeof url, "%s/echo", f->base);
	struct host_http_request request = {.url = url, .body = cs_bytes_str("x")};
	uint64_t ids[3];
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(host_http_send(f->client, &ids[i], &request, on_done, f), CS_OK);
	assert_int_equal(host_http_send(f->client, NULL, &request, on_done, f), CS_ERR_FULL);
	assert_true(host_http_cancel(f->client, ids[1]));
	assert_int_equal(host_http_send(f->client, NULL, &request, on_done, f), CS_OK);
	wait_answers(f, 3);
	assert_int_equal(host_http_calls_in_flight(f->client), 0);
	assert_false(host_http_cancel(f->client, ids[0]));
}

struct freeing {
	struct fixture *f;
	bool done;
};

static void free_inside(void *context, const struct host_http_response *response)
{
	struct freeing *freeing = context;
	assert_int_equal(response->err, CS_OK);
	host_http_client_free(freeing->f->client);
	freeing->f->client = NULL;
	freeing->done = true;
}

static bool is_freed(void *context)
{
	struct freeing *freeing = context;
	return freeing->done;
}

static void test_client_freed_in_callback(void **state)
{
	struct fixture *f = *state;
	struct freeing freeing = {f, false};
	char url[128];
	start_server(f, (struct host_http_server_options){0});
	(void)snprintf(url, sizeof url, "%s/echo", f->base);
	struct host_http_request request = {.url = url, .body = cs_bytes_str("x")};
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(host_http_send(f->client, NULL, &request,
						i == 0 ? free_inside : on_done,
						i == 0 ? (void *)&freeing : (void *)f),
				 CS_OK);
	assert_int_equal(host_loop_run_until(f->loop, is_freed, &freeing, WAIT_MS), CS_OK);
}

static void test_cannot_bind(void **state)
{
	struct fixture *f = *state;
	struct host_http_server *second = NULL;
	struct cs_why why = {{0}};
	start_server(f, (struct host_http_server_options){0});
	struct host_http_server_options options = {.port = host_http_server_port(f->server)};
	assert_int_equal(host_http_server_new(&second, f->loop, &options, &why), CS_ERR_IO);
	assert_non_null(strstr(why.text, "127.0.0.1"));
	options.address = "localhost";
	assert_int_equal(host_http_server_new(&second, f->loop, &options, &why), CS_ERR_INVALID);
	assert_null(second);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_echo),
		T(test_parts_of_a_request),
		T(test_unknown_and_wrong),
		T(test_queries_that_are_bound),
		T(test_keys),
		T(test_json),
		T(test_later),
		T(test_too_late),
		T(test_client_gone_while_waiting),
		T(test_server_freed_while_handling),
		T(test_drain),
		T(test_drain_idle),
		T(test_client_refuses),
		T(test_client_bounds),
		T(test_client_full),
		T(test_client_freed_in_callback),
		T(test_cannot_bind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
