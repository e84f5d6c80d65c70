/* Pages of other origins: those that are named may read answers and are told what they may send; to all
 * others the server answers as if it had never heard of them. */
#include "host/http_client.h"
#include "host/http_server.h"
#include "tests/unit/support.h"

#define WAIT_MS 10000

static const char *const origins[] = {"https://app.example.org", "http://localhost:3000"};

struct fixture {
	struct host_loop *loop;
	struct host_http_server *server;
	struct host_http_client *client;
	char base[64];
	bool done;
	int status;
	char allowed[80], exposed[128], methods[64], headers[128], vary[32], credentials[16];
};

static void get_thing(void *context, struct host_http_exchange *exchange)
{
	(void)context;
	host_http_reply_json(exchange, 200, json_object());
}

static void start(struct fixture *f, size_t count)
{
	struct cs_why why;
	const struct host_http_server_options options = {.cors_origins = origins,
							 .cors_origin_count = count};
	memset(f, 0, sizeof(*f));
	f->loop = host_loop_new();
	assert_ok(host_http_server_new(&f->server, f->loop, &options, &why));
	host_http_server_route(f->server, "GET", "/thing", 0, get_thing, f);
	host_http_server_route(f->server, "POST", "/thing", 1, get_thing, f);
	f->client = host_http_client_new(f->loop, NULL);
	snprintf(f->base, sizeof(f->base), "http://127.0.0.1:%u", host_http_server_port(f->server));
	assert_ok(host_http_client_allow(f->client, f->base, &why));
}

static void stop(struct fixture *f)
{
	host_http_client_free(f->client);
	host_http_server_free(f->server);
	host_loop_free(f->loop);
}

static void keep_header(char *text, size_t size, const struct host_http_response *response,
			const char *name)
{
	const char *value = host_http_response_header(response, name);
	snprintf(text, size, "%s", value ? value : "");
}

static void on_done(void *context, const struct host_http_response *response)
{
	struct fixture *f = context;
	f->done = true;
	f->status = response->status;
	keep_header(f->allowed, sizeof(f->allowed), response, "access-control-allow-origin");
	keep_header(f->exposed, sizeof(f->exposed), response, "access-control-expose-headers");
	keep_header(f->methods, sizeof(f->methods), response, "access-control-allow-methods");
	keep_header(f->headers, sizeof(f->headers), response, "access-control-allow-headers");
	keep_header(f->credentials, sizeof(f->credentials), response,
		    "access-control-allow-credentials");
	keep_header(f->vary, sizeof(f->vary), response, "vary");
}

static bool is_done(void *context)
{
	return ((struct fixture *)context)->done;
}

static void ask(struct fixture *f, const char *method, const char *path, const char *origin,
		bool preflight)
{
	char url[96];
	snprintf(url, sizeof(url), "%s%s", f->base, path);
	struct host_http_request request = {.method = method, .url = url};
	size_t n = 0;
	if (origin)
		request.headers[n++] = (struct host_http_header){"Origin", origin};
	if (preflight)
		request.headers[n++] =
			(struct host_http_header){"Access-Control-Request-Method", "POST"};
	f->done = false;
	assert_ok(host_http_send(f->client, NULL, &request, on_done, f));
	assert_ok(host_loop_run_until(f->loop, is_done, f, WAIT_MS));
	assert_string_equal(f->credentials, "");
}

static void a_named_page_reads_answers(void **state)
{
	struct fixture f;
	(void)state;
	start(&f, CS_LEN(origins));
	for (size_t i = 0; i < CS_LEN(origins); i++) {
		ask(&f, "GET", "/thing", origins[i], false);
		assert_int_equal(f.status, 200);
		assert_string_equal(f.allowed, origins[i]);
		assert_string_equal(f.vary, "Origin");
		assert_non_null(strstr(f.exposed, "ETag"));
		/* Refusals too: a page that cannot read them does not know why. */
		ask(&f, "POST", "/thing", origins[i], false);
		assert_int_equal(f.status, 401);
		assert_string_equal(f.allowed, origins[i]);
	}
	stop(&f);
}

static void it_is_told_what_it_may_send(void **state)
{
	struct fixture f;
	(void)state;
	start(&f, CS_LEN(origins));
	ask(&f, "OPTIONS", "/thing", origins[0], true);
	assert_int_equal(f.status, 204);
	assert_string_equal(f.allowed, origins[0]);
	assert_string_equal(f.methods, "GET, POST");
	assert_non_null(strstr(f.headers, "Authorization"));
	assert_non_null(strstr(f.headers, "Idempotency-Key"));
	assert_null(strchr(f.headers, '*'));
	/* Of what is not there there is nothing to tell; without the question it is another method. */
	ask(&f, "OPTIONS", "/nothing", origins[0], true);
	assert_int_equal(f.status, 404);
	ask(&f, "OPTIONS", "/thing", origins[0], false);
	assert_int_equal(f.status, 405);
	stop(&f);
}

static void other_pages_are_told_nothing(void **state)
{
	static const char *const others[] = {"https://app.example.org.evil.example",
					     "https://app.example.org:443",
					     "http://app.example.org",
					     "https://APP.example.org",
					     "https://app.example.org/",
					     "https://app.example",
					     "null",
					     "*",
					     NULL};
	struct fixture f;
	(void)state;
	start(&f, CS_LEN(origins));
	for (size_t i = 0; i < CS_LEN(others); i++) {
		ask(&f, "GET", "/thing", others[i], false);
		assert_int_equal(f.status, 200);
		assert_string_equal(f.allowed, "");
		assert_string_equal(f.vary, "Origin");
		ask(&f, "OPTIONS", "/thing", others[i], true);
		assert_int_equal(f.status, 405);
		assert_string_equal(f.allowed, "");
		assert_string_equal(f.methods, "");
	}
	stop(&f);
}

static void without_origins_there_is_none_of_it(void **state)
{
	struct fixture f;
	(void)state;
	start(&f, 0);
	ask(&f, "GET", "/thing", origins[0], false);
	assert_string_equal(f.allowed, "");
	assert_string_equal(f.vary, "");
	ask(&f, "OPTIONS", "/thing", origins[0], true);
	assert_int_equal(f.status, 405);
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_named_page_reads_answers),
		cmocka_unit_test(it_is_told_what_it_may_send),
		cmocka_unit_test(other_pages_are_told_nothing),
		cmocka_unit_test(without_origins_there_is_none_of_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
