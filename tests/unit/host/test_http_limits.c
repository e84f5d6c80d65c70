/* What hostile clients do to the HTTP server and hostile servers to the HTTP client, over plain
 * sockets. */
#include "host/alloc.h"
#include "host/http_client.h"
#include "host/http_server.h"
#include "tests/unit/support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 10000
#define BODY_MAX 1000u

struct fixture {
	struct host_loop *loop;
	struct host_http_server *server;
	struct host_http_client *client;
	struct host_timer *timer;
	uint32_t handled;
	size_t handled_size;
	/* a plain socket, and what it hears */
	int fd;
	char heard[65536];
	size_t heard_size;
	bool ended;
	const char *drip;
	uint64_t began_ms;
	/* a plain listener, and what it says */
	int listener;
	int accepted;
	const char *say;
	size_t say_size;
	bool close_after;
	bool endless;
	uint32_t answers;
	enum cs_err err;
	int status;
};

static void echo(void *context, struct host_http_exchange *e)
{
	struct fixture *f = context;
	f->handled++;
	f->handled_size = host_http_body(e).n;
	host_http_reply(e, 200, "text/plain", cs_bytes_str("handled"));
}

static int set_up(void **state)
{
	struct fixture *f = host_alloc(sizeof *f);
	f->loop = host_loop_new();
	f->fd = -1;
	f->listener = -1;
	f->accepted = -1;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	int *fds[] = {&f->fd, &f->listener, &f->accepted};
	for (size_t i = 0; i < CS_LEN(fds); i++)
		if (*fds[i] >= 0)
			close(*fds[i]);
	host_timer_free(f->timer);
	host_http_client_free(f->client);
	host_http_server_free(f->server);
	host_loop_free(f->loop);
	free(f);
	return 0;
}

static void serve(struct fixture *f, struct host_http_server_options options)
{
	struct cs_why why;
	options.body_size_max = BODY_MAX;
	assert_ok(host_http_server_new(&f->server, f->loop, &options, &why));
	host_http_server_route(f->server, "POST", "/echo", 0, echo, f);
	host_http_server_route(f->server, "GET", "/echo", 0, echo, f);
}

static int plain_connect(const struct fixture *f)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(host_http_server_port(f->server)),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

static void listen_once(struct fixture *f)
{
	for (;;) {
		size_t room = sizeof f->heard - 1 - f->heard_size;
		ssize_t n = recv(f->fd, f->heard + f->heard_size, room, MSG_DONTWAIT);
		if (n <= 0) {
			f->ended = f->ended || n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
			return;
		}
		f->heard_size += (size_t)n;
		f->heard[f->heard_size] = 0;
	}
}

static void on_tick(void *context)
{
	struct fixture *f = context;
	listen_once(f);
	if (f->drip == NULL || f->ended)
		return;
	if (*f->drip != 0)
		(void)send(f->fd, f->drip++, 1, MSG_NOSIGNAL);
	else
		(void)send(f->fd, "x", 1, MSG_NOSIGNAL);
}

static bool has_ended(void *context)
{
	const struct fixture *f = context;
	return f->ended;
}

static bool has_heard(void *context)
{
	const struct fixture *f = context;
	return f->heard_size > 0 || f->ended;
}

static void say(struct fixture *f, const char *text, size_t n)
{
	f->fd = plain_connect(f);
	assert_int_equal(send(f->fd, text, n, MSG_NOSIGNAL), (ssize_t)n);
	f->timer = host_timer_new(f->loop, on_tick, f);
	host_timer_start(f->timer, 1, 5);
}

static void wait_for(struct fixture *f, bool (*done)(void *context))
{
	assert_ok(host_loop_run_until(f->loop, done, f, WAIT_MS));
}

static void expect_answer(struct fixture *f, const char *text, int status)
{
	char want[32];
	serve(f, (struct host_http_server_options){0});
	say(f, text, strlen(text));
	wait_for(f, has_heard);
	(void)snprintf(want, sizeof want, "HTTP/1.1 %d ", status);
	if (strncmp(f->heard, want, strlen(want)) != 0)
		fail_msg("%s", f->heard);
}

/* ---- the server's bounds ---- */

static void test_body_at_bound(void **state)
{
	struct fixture *f = *state;
	char text[2048];
	int n = snprintf(text, sizeof text,
			 "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %u\r\n\r\n%0*d",
			 BODY_MAX, (int)BODY_MAX, 0);
	assert_true(n > 0);
	expect_answer(f, text, 200);
	assert_int_equal(f->handled_size, BODY_MAX);
}

/* RFC 9112, 6.3 and 11.2: what a proxy before us may have read as something else. The request
 * behind it is not read. */
static void test_ambiguous_requests(void **state)
{
	static const char *const headers[] = {
		"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
		"Content-Length: 2\r\nContent-Length: 50\r\n",
		"Content-Length: 2\r\ncontent-length: 2\r\n",
		"Transfer-Encoding: xchunked\r\n",
		"Transfer-Encoding: gzip, chunked\r\n",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
		"Content-Length: 5\r\nTransfer-Encoding : chunked\r\n",
		"Content-Length: 2\r\nHost: y\r\n",
		"Content-Length: 2\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n",
		"Content-Length: 2\r\nIdempotency-Key: a\r\nIdempotency-Key: b\r\n"};
	struct fixture *f = *state;
	serve(f, (struct host_http_server_options){0});
	for (size_t i = 0; i < CS_LEN(headers); i++) {
		char text[512];
		int n = snprintf(text, sizeof text,
				 "POST /echo HTTP/1.1\r\nHost: x\r\n%s\r\n0\r\n\r\n"
				 "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n",
				 headers[i]);
		f->heard_size = 0;
		f->ended = false;
		say(f, text, (size_t)n);
		wait_for(f, has_ended);
		assert_memory_equal(f->heard, "HTTP/1.1 400 ", 13);
		assert_non_null(strstr(f->heard, "application/problem+json"));
		assert_null(strstr(f->heard + 13, "HTTP/1.1 "));
		assert_int_equal(f->handled, 0);
		host_timer_free(f->timer);
		f->timer = NULL;
		close(f->fd);
		f->fd = -1;
	}
}

/* Told before it is sent. */
static void test_body_announced_too_large(void **state)
{
	struct fixture *f = *state;
	expect_answer(f, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n", 413);
	assert_int_equal(f->handled, 0);
	wait_for(f, has_ended);
}

static void test_body_announced_absurd(void **state)
{
	struct fixture *f = *state;
	expect_answer(
		f, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551615\r\n\r\n",
		413);
	assert_int_equal(f->handled, 0);
}

static void test_chunks(void **state)
{
	struct fixture *f = *state;
	expect_answer(f,
		      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
		      "chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
		      200);
	assert_int_equal(f->handled_size, 5);
}

static void test_chunks_too_large(void **state)
{
	struct fixture *f = *state;
	char text[4096];
	int n = snprintf(text, sizeof text,
			 "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
			 "258\r\n%0600d\r\n258\r\n%0600d\r\n0\r\n\r\n",
			 0, 0);
	assert_true(n > 0);
	expect_answer(f, text, 413);
	assert_int_equal(f->handled, 0);
}

/* Far beyond the bound nobody reads on. */
static void test_chunks_endless(void **state)
{
	struct fixture *f = *state;
	char text[8192];
	serve(f, (struct host_http_server_options){0});
	int n = snprintf(text, sizeof text,
			 "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
			 "1000\r\n%04096d\r\n",
			 0);
	say(f, text, (size_t)n);
	wait_for(f, has_ended);
	assert_int_equal(f->handled, 0);
}

static void test_headers_too_large(void **state)
{
	struct fixture *f = *state;
	char *text = host_alloc(80000);
	serve(f, (struct host_http_server_options){0});
	int n = snprintf(text, 80000, "GET /echo HTTP/1.1\r\nHost: x\r\nX: %070000d\r\n\r\n", 0);
	say(f, text, (size_t)n);
	free(text);
	wait_for(f, has_ended);
	assert_true(f->heard_size == 0 || strncmp(f->heard, "HTTP/1.1 4", 10) == 0);
	assert_int_equal(f->handled, 0);
}

static void test_not_http(void **state)
{
	struct fixture *f = *state;
	serve(f, (struct host_http_server_options){0});
	static const char *const bad[] = {
		"\x16\x03\x01\x02garbage\r\n\r\n", "GET\r\n\r\n", "GET /echo\r\n\r\n",
		"GET /echo HTTP/1.1\r\nno colon\r\n\r\n",
		"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
		"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1x\r\n\r\n",
		"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		/* libmicrohttpd 0.9.75 sends the head of these answers twice: no handler has seen the
		 * request, the one behind it is not read, and the connection ends. */
		"GET /echo HTTP/1.1\r\n\r\nGET /echo HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"
		"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n"};
	for (size_t i = 0; i < CS_LEN(bad); i++) {
		f->ended = false;
		f->heard_size = 0;
		say(f, bad[i], strlen(bad[i]));
		/* A request that is not one is answered with 4xx or cut. */
		(void)shutdown(f->fd, SHUT_WR);
		wait_for(f, has_ended);
		assert_true(f->heard_size == 0 || strncmp(f->heard, "HTTP/1.1 4", 10) == 0);
		assert_true(f->heard_size == 0 || strstr(f->heard, "handled") == NULL);
		host_timer_free(f->timer);
		f->timer = NULL;
		close(f->fd);
		f->fd = -1;
	}
	assert_int_equal(f->handled, 0);
}

static void drip(struct fixture *f, const char *first, const char *then)
{
	serve(f, (struct host_http_server_options){.receive_timeout_ms = 400});
	f->began_ms = host_now_ms();
	f->drip = then;
	say(f, first, strlen(first));
	wait_for(f, has_ended);
	uint64_t took = host_now_ms() - f->began_ms;
	/* Each byte is soon enough for an idle timeout; the whole is not. */
	assert_true(took >= 390 && took < 5000);
	assert_int_equal(f->handled, 0);
}

static void test_slow_request_line(void **state)
{
	drip(*state, "G", "ET /echo?");
}

static void test_slow_headers(void **state)
{
	drip(*state, "GET /echo HTTP/1.1\r\nHost: x\r\n", "X-Slow: ");
}

static void test_slow_body(void **state)
{
	drip(*state, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n", "abc");
}

static void test_silent(void **state)
{
	struct fixture *f = *state;
	serve(f, (struct host_http_server_options){.receive_timeout_ms = 300});
	say(f, "", 0);
	wait_for(f, has_ended);
	assert_int_equal(f->heard_size, 0);
}

/* A request that ends half way. */
static void test_cut_body(void **state)
{
	struct fixture *f = *state;
	static const char text[] =
		"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"half\":";
	serve(f, (struct host_http_server_options){.receive_timeout_ms = 300});
	say(f, text, sizeof text - 1);
	(void)shutdown(f->fd, SHUT_WR);
	wait_for(f, has_ended);
	assert_int_equal(f->handled, 0);
}

static void test_pipelined(void **state)
{
	struct fixture *f = *state;
	static const char text[] = "GET /echo HTTP/1.1\r\nHost: x\r\n\r\nGET /echo "
				   "HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	serve(f, (struct host_http_server_options){0});
	say(f, text, sizeof text - 1);
	wait_for(f, has_ended);
	assert_int_equal(f->handled, 2);
}

/* Connections above the bound wait or are closed; those below it are served, and later ones too. */
static void test_many_connections(void **state)
{
	struct fixture *f = *state;
	int fds[8];
	serve(f,
	      (struct host_http_server_options){.connections_max = 4, .receive_timeout_ms = 300});
	for (size_t i = 0; i < CS_LEN(fds); i++)
		fds[i] = plain_connect(f);
	static const char text[] = "GET /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	say(f, text, sizeof text - 1);
	wait_for(f, has_ended);
	assert_int_equal(f->handled, 1);
	for (size_t i = 0; i < CS_LEN(fds); i++)
		close(fds[i]);
}

/* ---- the client against a server by hand ---- */

static void on_done(void *context, const struct host_http_response *response)
{
	struct fixture *f = context;
	f->answers++;
	f->err = response->err;
	f->status = response->status;
}

static bool has_answer(void *context)
{
	const struct fixture *f = context;
	return f->answers > 0;
}

static void serve_by_hand(void *context)
{
	struct fixture *f = context;
	char request[4096];
	if (f->accepted < 0) {
		f->accepted = accept4(f->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		return;
	}
	if (recv(f->accepted, request, sizeof request, 0) > 0 || f->endless) {
		/* Endless: a body without a length, as fast as the other side takes it. */
		do {
			if (send(f->accepted, f->say, f->say_size, MSG_NOSIGNAL) < 0)
				break;
		} while (f->endless);
		if (f->close_after)
			(void)shutdown(f->accepted, SHUT_RDWR);
	}
}

static void ask_by_hand(struct fixture *f, const char *text, size_t n)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;
	char url[64];
	f->say = text;
	f->say_size = n;
	f->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(f->listener, (const struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(f->listener, 4), 0);
	assert_int_equal(getsockname(f->listener, (struct sockaddr *)&address, &size), 0);
	f->timer = host_timer_new(f->loop, serve_by_hand, f);
	host_timer_start(f->timer, 1, 2);
	f->client = host_http_client_new(f->loop, NULL);
	(void)snprintf(url, sizeof url, "http://127.0.0.1:%u/", ntohs(address.sin_port));
	assert_ok(host_http_client_allow(f->client, url, NULL));
	struct host_http_request request = {
		.url = url, .timeout_ms = 500, .response_size_max = 100000};
	assert_ok(host_http_send(f->client, NULL, &request, on_done, f));
	wait_for(f, has_answer);
}

static void test_answer_without_length(void **state)
{
	struct fixture *f = *state;
	f->close_after = true;
	ask_by_hand(f, "HTTP/1.1 200 OK\r\n\r\nbody", 23);
	assert_int_equal(f->err, CS_OK);
	assert_int_equal(f->status, 200);
}

static void test_answer_endless(void **state)
{
	struct fixture *f = *state;
	f->endless = true;
	ask_by_hand(f, "HTTP/1.1 200 OK\r\n\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 63);
	assert_int_equal(f->err, CS_ERR_TOO_LARGE);
}

static void test_answer_announced_too_large(void **state)
{
	struct fixture *f = *state;
	ask_by_hand(f, "HTTP/1.1 200 OK\r\nContent-Length: 100001\r\n\r\nx", 44);
	assert_int_equal(f->err, CS_ERR_TOO_LARGE);
}

static void test_answer_cut(void **state)
{
	struct fixture *f = *state;
	f->close_after = true;
	ask_by_hand(f, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", 44);
	assert_int_equal(f->err, CS_ERR_CLOSED);
	assert_int_equal(f->status, 0);
}

static void test_answer_never(void **state)
{
	struct fixture *f = *state;
	ask_by_hand(f, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", 44);
	assert_int_equal(f->err, CS_ERR_TIMEOUT);
}

static void test_answer_not_http(void **state)
{
	struct fixture *f = *state;
	f->close_after = true;
	ask_by_hand(f, "SSH-2.0-OpenSSH\r\n", 17);
	assert_true(f->err != CS_OK);
}

static void test_answer_headers_endless(void **state)
{
	struct fixture *f = *state;
	f->endless = true;
	ask_by_hand(f, "HTTP/1.1 200 OK\r\nX: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n",
		    66);
	assert_true(f->err == CS_ERR_TOO_LARGE || f->err == CS_ERR_IO);
}

static void test_redirect_is_not_followed(void **state)
{
	struct fixture *f = *state;
	f->close_after = true;
	ask_by_hand(
		f,
		"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
		73);
	assert_int_equal(f->err, CS_OK);
	assert_int_equal(f->status, 302);
}

/* ---- how often ---- */

#define KEY_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static unsigned heard(const struct fixture *f, const char *what)
{
	unsigned count = 0;
	for (const char *at = strstr(f->heard, what); at; at = strstr(at + 1, what))
		count++;
	return count;
}

/* So many requests on one connection, the last of which ends it. */
static void ask(struct fixture *f, unsigned count, const char *path, const char *key)
{
	char text[8192];
	size_t n = 0;
	for (unsigned i = 0; i < count; i++) {
		n += (size_t)snprintf(
			text + n, sizeof text - n, "GET %s HTTP/1.1\r\nHost: x\r\n%s%s%s%s\r\n",
			path, key ? "Authorization: Bearer " : "", key ? key : "",
			key ? "\r\n" : "", i + 1 == count ? "Connection: close\r\n" : "");
		assert_true(n < sizeof text);
	}
	host_timer_free(f->timer);
	f->timer = NULL;
	if (f->fd >= 0)
		close(f->fd);
	f->heard_size = 0;
	f->heard[0] = 0;
	f->ended = false;
	say(f, text, n);
	wait_for(f, has_ended);
}

static void test_too_often(void **state)
{
	static const char *const scope_names[] = {"read", "send", NULL};
	struct fixture *f = *state;
	struct cs_why why;
	char lines[512];
	char hex[2][65];
	struct host_api_keys keys;
	struct cs_hash a = cs_sha256(cs_bytes_str(KEY_A));
	struct cs_hash b = cs_sha256(cs_bytes_str(KEY_B));
	cs_hex(hex[0], CS_BYTES_OF(a.b));
	cs_hex(hex[1], CS_BYTES_OF(b.b));
	(void)snprintf(lines, sizeof lines, "a read %s\nb read %s\n", hex[0], hex[1]);
	assert_ok(host_api_keys_parse(&keys, cs_bytes_str(lines), scope_names, &why));
	/* one token a second: few come back while the test runs */
	serve(f,
	      (struct host_http_server_options){.keys = &keys, .rate = {.per_s = 1, .burst = 10}});
	host_http_server_route(f->server, "GET", "/keyed", 1, echo, f);
	host_http_server_route(f->server, "GET", "/sent", 2, echo, f);
	host_http_server_route(f->server, "GET", "/health", HOST_HTTP_UNLIMITED, echo, f);

	ask(f, 30, "/keyed", KEY_A);
	assert_in_range(heard(f, "HTTP/1.1 200 "), 10, 29);
	assert_int_equal(heard(f, "HTTP/1.1 200 ") + heard(f, "HTTP/1.1 429 "), 30);
	assert_int_equal(heard(f, "Retry-After: 1\r\n"), heard(f, "HTTP/1.1 429 "));
	assert_int_equal(heard(f, "urn:caisson:error:rate-limited"), heard(f, "HTTP/1.1 429 "));
	assert_int_equal(f->handled, heard(f, "HTTP/1.1 200 "));
	assert_int_equal(host_http_server_limited(f->server).by_key, heard(f, "HTTP/1.1 429 "));
	/* another key is not concerned, nor is who has none */
	ask(f, 10, "/keyed", KEY_B);
	assert_int_equal(heard(f, "HTTP/1.1 200 "), 10);
	ask(f, 4, "/echo", NULL);
	assert_int_equal(heard(f, "HTTP/1.1 200 "), 4);
	/* unknown keys, missing scopes and unknown paths are their address's */
	ask(f, 3, "/keyed", "unknown");
	assert_int_equal(heard(f, "HTTP/1.1 401 "), 3);
	ask(f, 3, "/sent", KEY_A);
	assert_int_equal(heard(f, "HTTP/1.1 403 "), 3);
	ask(f, 20, "/nowhere", NULL);
	assert_in_range(heard(f, "HTTP/1.1 404 "), 0, 19);
	assert_int_equal(heard(f, "HTTP/1.1 404 ") + heard(f, "HTTP/1.1 429 "), 20);
	/* a refusal for it says nothing of what it would have been */
	ask(f, 9, "/keyed", "unknown");
	assert_true(heard(f, "HTTP/1.1 429 ") >= 1);
	assert_int_equal(heard(f, "WWW-Authenticate"), heard(f, "HTTP/1.1 401 "));
	assert_true(host_http_server_limited(f->server).by_address >= 2);
	/* health is not counted and not refused */
	ask(f, 60, "/health", NULL);
	assert_int_equal(heard(f, "HTTP/1.1 200 "), 60);
	/* other terms hold from the next request on */
	host_http_server_set_rate(f->server, (struct host_rate_terms){0});
	ask(f, 60, "/keyed", KEY_A);
	assert_int_equal(heard(f, "HTTP/1.1 200 "), 60);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_body_at_bound),
		T(test_ambiguous_requests),
		T(test_body_announced_too_large),
		T(test_body_announced_absurd),
		T(test_chunks),
		T(test_chunks_too_large),
		T(test_chunks_endless),
		T(test_headers_too_large),
		T(test_not_http),
		T(test_slow_request_line),
		T(test_slow_headers),
		T(test_slow_body),
		T(test_silent),
		T(test_cut_body),
		T(test_pipelined),
		T(test_many_connections),
		T(test_answer_without_length),
		T(test_answer_endless),
		T(test_answer_announced_too_large),
		T(test_answer_cut),
		T(test_answer_never),
		T(test_answer_not_http),
		T(test_answer_headers_endless),
		T(test_redirect_is_not_followed),
		T(test_too_often),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
