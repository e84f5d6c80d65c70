/* What needs no gateway: what is refused before anything is sent, and gateways that are not there or are
 * none. All else is in sdk/c/tests/live.c. */
#include "sdk/c/src/inner.h"
#include "tests/unit/support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEY "0123456789abcdef0123456789abcdef"

/* ---- a server of one reply ---- */

struct server {
	int fd;
	char url[64];
	const char *reply;
	char request[4096]; /* the newest */
	unsigned count;
	pthread_t thread;
};

static void *serve(void *context)
{
	struct server *server = context;
	for (;;) {
		int fd = accept(server->fd, NULL, NULL);
		if (fd < 0)
			return NULL;
		size_t n = 0;
		memset(server->request, 0, sizeof(server->request));
		/* The bodies of these tests end with a brace. */
		while (n < sizeof(server->request) - 1) {
			ssize_t got =
				read(fd, server->request + n, sizeof(server->request) - 1 - n);
			if (got <= 0)
				break;
			n += (size_t)got;
			if (strstr(server->request, "\r\n\r\n") &&
			    (strncmp(server->request, "GET", 3) == 0 ||
			     server->request[n - 1] == '}'))
				break;
		}
		server->count++;
		(void)!write(fd, server->reply, strlen(server->reply));
		close(fd);
	}
}

static void server_start(struct server *server, const char *reply)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	*server = (struct server){.reply = reply, .fd = socket(AF_INET, SOCK_STREAM, 0)};
	assert_true(server->fd >= 0);
	assert_int_equal(bind(server->fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(listen(server->fd, 8), 0);
	(void)snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%u",
		       ntohs(address.sin_port));
	assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_end(struct server *server)
{
	shutdown(server->fd, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->fd);
}

static struct caisson_gateway *gateway_at(const char *url, uint32_t patience_ms)
{
	struct caisson_gateway *gateway = NULL;
	struct caisson_options options = {
		.url = url, .api_key = KEY, .patience_ms = patience_ms, .timeout_ms = 5000};
	assert_int_equal(caisson_gateway_new(&gateway, &options, NULL), CAISSON_OK);
	return gateway;
}

/* ---- tests ---- */

static void addresses_and_keys(void **state)
{
	(void)state;
	static const char *const urls[] = {NULL,
					   "",
					   "gateway",
					   "ftp://gateway",
					   "ws://gateway",
					   "http://",
					   "http://name:password@gateway",
					   "http://gateway/?a=b",
					   "http://gateway/#a"};
	static const char *const keys[] = {NULL, "", "two words", "line\r\nX-More: 1",
					   "cl\xc3\xa9"};
	struct caisson_error error;
	for (size_t i = 0; i < CS_LEN(urls); i++) {
		struct caisson_gateway *gateway = NULL;
		struct caisson_options options = {.url = urls[i], .api_key = KEY};
		assert_int_equal(caisson_gateway_new(&gateway, &options, &error), CAISSON_INVALID);
		assert_null(strstr(error.text, "password@"));
		assert_null(gateway);
	}
	for (size_t i = 0; i < CS_LEN(keys); i++) {
		struct caisson_gateway *gateway = NULL;
		struct caisson_options options = {.url = "http://127.0.0.1", .api_key = keys[i]};
		assert_int_equal(caisson_gateway_new(&gateway, &options, &error), CAISSON_INVALID);
		assert_null(gateway);
	}
	caisson_gateway_free(NULL);
}

static void key_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	fclose(file);
}

static void none_by_environment(const char *text)
{
	struct caisson_gateway *gateway = NULL;
	struct caisson_error error;
	assert_int_equal(caisson_gateway_from_environment(&gateway, &error), CAISSON_INVALID);
	assert_string_equal(error.text, text);
	assert_null(gateway);
}

static void environment(void **state)
{
	(void)state;
	struct caisson_gateway *gateway = NULL;
	struct caisson_error error;
	char long_key[API_KEY_SIZE_MAX + 2] = "";
	char path[] = "/tmp/caisson-key-XXXXXX";
	unsetenv("CAISSON_URL");
	unsetenv("CAISSON_API_KEY_FILE");
	none_by_environment("CAISSON_URL is not set");
	setenv("CAISSON_URL", "", 1);
	none_by_environment("CAISSON_URL is not set");
	setenv("CAISSON_URL", "http://127.0.0.1:1//", 1);
	none_by_environment("CAISSON_API_KEY_FILE is not set");
	setenv("CAISSON_API_KEY_FILE", "/nowhere/key", 1);
	none_by_environment("the key file that CAISSON_API_KEY_FILE names cannot be read: "
			    "/nowhere/key: No such file or directory");
	setenv("CAISSON_API_KEY_FILE", "/", 1);
	none_by_environment("the key file that CAISSON_API_KEY_FILE names cannot be read: /: Is a "
			    "directory");
	int fd = mkstemp(path);
	close(fd);
	setenv("CAISSON_API_KEY_FILE", path, 1);
	memset(long_key, 'x', sizeof(long_key) - 1);
	static const char two_keys[] = KEY "\n" KEY "\n";
	const char *const no_keys[] = {"", "\n", "cl\xc3\xa9", "two words", two_keys, long_key};
	for (size_t i = 0; i < CS_LEN(no_keys); i++) {
		char text[160];
		key_file(path, no_keys[i]);
		(void)snprintf(text, sizeof(text),
			       "the file that CAISSON_API_KEY_FILE names holds no API key: %s",
			       path);
		none_by_environment(text);
	}
	key_file(path, KEY "\r\n");
	setenv("CAISSON_URL", "gateway:", 1);
	none_by_environment("the address does not begin with http:// or https:// and a host");
	setenv("CAISSON_URL", "http://127.0.0.1:1//", 1);
	assert_int_equal(caisson_gateway_from_environment(&gateway, &error), CAISSON_OK);
	unlink(path);
	assert_string_equal(gateway->url, "http://127.0.0.1:1");
	assert_string_equal(gateway->authorization, "Authorization: Bearer " KEY);
	caisson_gateway_free(gateway);
}

static void requests_that_are_never_right(void **state)
{
	(void)state;
	char long_key[130];
	memset(long_key, 'x', sizeof(long_key) - 1);
	long_key[sizeof(long_key) - 1] = 0;
	const struct caisson_send messages[] = {
		{.mode = CAISSON_PREPARE},
		{.to = "a"},
		{.to = "a", .mode = (enum caisson_mode)7},
		{.to = "a", .mode = CAISSON_PREPARE, .amount = "1"},
		{.to = "a", .mode = CAISSON_PREPARE, .deadline = UINT64_MAX},
		{.to = "\xff", .mode = CAISSON_PREPARE},
		{.to = "a", .mode = CAISSON_PREPARE, .idempotency_key = ""},
		{.to = "a", .mode = CAISSON_PREPARE, .idempotency_key = long_key},
		{.to = "a", .mode = CAISSON_PREPARE, .idempotency_key = "a\r\nX-More: 1"},
	};
	static const char *const targets[] = {"",       "v1/chains", "/v1/a b",
					      "/v1/\n", "/#",        "/\xc3\xa9"};
	struct caisson_gateway *gateway = gateway_at("http://127.0.0.1:1", UINT32_MAX);
	struct caisson_answer *answer = NULL;
	struct caisson_error error;
	for (size_t i = 0; i < CS_LEN(messages); i++)
		assert_int_equal(caisson_send_message(gateway, &answer, messages + i, &error),
				 CAISSON_INVALID);
	const struct caisson_send transfers[] = {
		{.to = "a", .mode = CAISSON_PREPARE},
		{.to = "a", .mode = CAISSON_PREPARE, .amount = "1", .payload = "x"}};
	for (size_t i = 0; i < CS_LEN(transfers); i++)
		assert_int_equal(caisson_transfer(gateway, &answer, transfers + i, &error),
				 CAISSON_INVALID);
	for (size_t i = 0; i < CS_LEN(targets); i++)
		assert_int_equal(caisson_get(gateway, &answer, targets[i], &error),
				 CAISSON_INVALID);
	assert_int_equal(caisson_message(gateway, &answer, "", NULL, &error), CAISSON_INVALID);
	assert_int_equal(caisson_message(gateway, &answer, "a", "both", &error), CAISSON_INVALID);
	assert_null(answer);
	caisson_gateway_free(gateway);
}

static void nobody_there(void **state)
{
	(void)state;
	struct caisson_answer *answer = NULL;
	struct caisson_error error;
	struct caisson_gateway *gateway = gateway_at("http://127.0.0.1:1", 500);
	uint64_t begin = now_ms();
	assert_int_equal(caisson_get(gateway, &answer, "/v1/chains", &error), CAISSON_UNREACHABLE);
	assert_true(now_ms() - begin >= PAUSE_MIN_MS); /* it was tried again */
	assert_int_equal(strncmp(error.text, "http://127.0.0.1:1: ", 20), 0);
	assert_non_null(strstr(error.text, "onnect to "));
	assert_null(strstr(error.text, KEY));
	assert_string_equal(caisson_err_name(error.err), "unreachable");
	caisson_gateway_free(gateway);
}

#define PROBLEM "Content-Type: application/problem+json\r\nConnection: close\r\n\r\n"

/* What no gateway gave names the address, and what may be wrong with it. */
static void replies_and_what_they_mean(void **state)
{
	(void)state;
	static const char none[] =
		"without an answer that a gateway gives: is this the address of one?";
	static const struct {
		const char *reply;
		enum caisson_err err;
		bool again;
		const char *
			text; /* behind the address and ": ", where it is no problem of a gateway's */
	} cases[] = {
		{"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"a\":1}", CAISSON_OK, false, NULL},
		{"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<html>", CAISSON_BAD_REPLY, false,
		 none},
		{"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n[]", CAISSON_BAD_REPLY, false, none},
		{"HTTP/1.1 404 No\r\nConnection: close\r\n\r\n<html>", CAISSON_BAD_REPLY, false,
		 none},
		{"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 20000000\r\n\r\n{",
		 CAISSON_UNREACHABLE, true, ""},
		{"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nConnection: close\r\n\r\n",
		 CAISSON_BAD_REPLY, false, "HTTP 302, a redirect: it is not followed"},
		{"HTTP/1.1 502 Bad\r\nConnection: close\r\n\r\n<html>", CAISSON_UNREACHABLE, true,
		 "HTTP 502 of something in front of the gateway"},
		{"nonsense", CAISSON_UNREACHABLE, true, ""},
		{"HTTP/1.1 404 No\r\n" PROBLEM
		 "{\"code\":\"not-found\",\"title\":\"t\",\"status\":404,\"retry\":false}",
		 CAISSON_REFUSED, false, NULL},
		{"HTTP/1.1 403 No\r\n" PROBLEM "{\"code\":\"forbidden\",\"title\":\"t\",\"detail\":"
		 "\"no scope\",\"retry\":false}",
		 CAISSON_REFUSED, false, NULL},
		{"HTTP/1.1 503 No\r\n" PROBLEM
		 "{\"code\":\"full\",\"title\":\"t\",\"detail\":\"d\",\"retry\":true}",
		 CAISSON_REFUSED, true, NULL},
		{"HTTP/1.1 409 No\r\n" PROBLEM
		 "{\"code\":\"in-progress\",\"title\":\"t\",\"retry\":true}",
		 CAISSON_REFUSED, true, NULL},
		{"HTTP/1.1 409 No\r\n" PROBLEM
		 "{\"code\":\"not-final\",\"title\":\"t\",\"retry\":true}",
		 CAISSON_REFUSED, false, NULL},
	};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct server server;
		struct caisson_answer *answer = NULL;
		struct caisson_error error = {.text = ""};
		server_start(&server, cases[i].reply);
		struct caisson_gateway *gateway = gateway_at(server.url, 2000);
		if (caisson_get(gateway, &answer, "/v1/x", &error) != cases[i].err)
			fail_msg("%zu: %s", i, error.text);
		if (cases[i].text && (strncmp(error.text, server.url, strlen(server.url)) != 0 ||
				      !strstr(error.text, cases[i].text)))
			fail_msg("%zu: %s", i, error.text);
		server_end(&server);
		if ((server.count > 1) != cases[i].again)
			fail_msg("%zu: %u requests", i, server.count);
		assert_non_null(strstr(server.request, "\r\nAuthorization: Bearer " KEY "\r\n"));
		assert_int_equal(answer != NULL, cases[i].err == CAISSON_OK);
		caisson_answer_free(answer);
		caisson_gateway_free(gateway);
	}
}

/* Retry-After: no sooner, and not at all where that is beyond the caller's patience. */
static void asked_to_wait(void **state)
{
	(void)state;
	static const struct {
		const char *reply;
		unsigned requests_max;
		uint64_t took_min_ms;
	} cases[] = {
		{"HTTP/1.1 429 No\r\nRetry-After: 1\r\n" PROBLEM
		 "{\"code\":\"rate-limited\",\"title\":\"t\",\"retry\":true}",
		 2, 1000},
		{"HTTP/1.1 429 No\r\nRetry-After: 60\r\n" PROBLEM
		 "{\"code\":\"rate-limited\",\"title\":\"t\",\"retry\":true}",
		 1, 0},
	};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct server server;
		struct caisson_answer *answer = NULL;
		struct caisson_error error = {.text = ""};
		server_start(&server, cases[i].reply);
		struct caisson_gateway *gateway = gateway_at(server.url, 1500);
		uint64_t began_ms = now_ms();
		assert_int_equal(caisson_get(gateway, &answer, "/v1/x", &error), CAISSON_REFUSED);
		uint64_t took_ms = now_ms() - began_ms;
		server_end(&server);
		assert_in_range(server.count, 1, cases[i].requests_max);
		if (server.count > 1)
			assert_true(took_ms >= cases[i].took_min_ms);
		assert_int_equal(error.status, 429);
		caisson_gateway_free(gateway);
	}
}

/* Another one for each call. */
static void keys_of_requests(void **state)
{
	(void)state;
	struct server server;
	struct caisson_answer *answer = NULL;
	const struct caisson_send send = {.to = "eip155:1:0x00",
					  .mode = CAISSON_SPONSORED,
					  .payload = "\x01\xff",
					  .payload_size = 2,
					  .min_gas_limit = 5};
	char first[64] = "";
	server_start(&server, "HTTP/1.1 202 OK\r\nConnection: close\r\n\r\n{\"request_id\":\"r\"}");
	struct caisson_gateway *gateway = gateway_at(server.url, UINT32_MAX);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(caisson_send_message(gateway, &answer, &send, NULL), CAISSON_OK);
		caisson_answer_free(answer);
		const char *key = strstr(server.request, "\r\nIdempotency-Key: ");
		assert_non_null(key);
		assert_true(strncmp(first, key, sizeof(first) - 20) != 0);
		(void)snprintf(first, sizeof(first), "%s", key);
	}
	assert_non_null(strstr(server.request, "\"payload\":\"0x01ff\""));
	assert_non_null(strstr(server.request, "\"attributes\":{\"min_gas_limit\":5}"));
	assert_int_equal(strncmp(server.request, "POST /v1/messages ", 18), 0);
	/* An id is one part of the path. */
	assert_int_equal(caisson_message(gateway, &answer, "../x?a=#", "source", NULL), CAISSON_OK);
	caisson_answer_free(answer);
	assert_int_equal(
		strncmp(server.request, "GET /v1/messages/..%2Fx%3Fa%3D%23?side=source ", 46), 0);
	server_end(&server);
	caisson_gateway_free(gateway);
}

struct seen {
	uint64_t cursors[8];
	unsigned count;
	unsigned enough;
	unsigned idle;
};

static bool on_event(void *context, const struct caisson_answer *event)
{
	struct seen *seen = context;
	if (!event)
		return ++seen->idle < 3;
	assert_true(caisson_answer_number(event, "cursor", seen->cursors + seen->count));
	return ++seen->count < seen->enough;
}

static void events_that_are_cut_and_events_that_are_none(void **state)
{
	(void)state;
	struct server server;
	struct seen seen = {.enough = 3};
	struct caisson_error error;
	uint64_t cursor = 5;
	server_start(&server,
		     "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
		     "id: 6\ndata: {\"cursor\":6}\n\nid: 7\ndata: {\"cursor\":7}\n\nid: 8\nda");
	struct caisson_gateway *gateway = gateway_at(server.url, UINT32_MAX);
	assert_int_equal(caisson_events(gateway, &cursor, on_event, &seen, &error), CAISSON_OK);
	/* After the cut it asked again, from there. */
	assert_int_equal(strncmp(server.request, "GET /v1/events?cursor=7 ", 24), 0);
	assert_true(seen.count == 3 && cursor == seen.cursors[2]);
	/* What is no stream is not asked for again and again. */
	static const char *const wrong[][2] = {
		{"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nid: 6\ndata: "
		 "nonsense\n\n",
		 "an event that no gateway sends"},
		{"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>\n\n",
		 "is this the address of one?"},
		{"HTTP/1.1 404 No\r\nContent-Type: text/html\r\n\r\n<html>\n\n",
		 "is this the address of one?"}};
	for (size_t i = 0; i < CS_LEN(wrong); i++) {
		server.reply = wrong[i][0];
		cursor = 5;
		assert_int_equal(caisson_events(gateway, &cursor, on_event, &seen, &error),
				 CAISSON_BAD_REPLY);
		assert_int_equal(cursor, 5);
		assert_int_equal(strncmp(error.text, server.url, strlen(server.url)), 0);
		assert_non_null(strstr(error.text, wrong[i][1]));
	}
	server.reply = "HTTP/1.1 409 No\r\n" PROBLEM
		       "{\"code\":\"conflict\",\"title\":\"t\",\"retry\":false}";
	assert_int_equal(caisson_events(gateway, &cursor, on_event, &seen, &error),
			 CAISSON_REFUSED);
	assert_string_equal(error.code, "conflict");
	server_end(&server);
	/* Nobody there: the application ends it. */
	assert_int_equal(caisson_events(gateway, &cursor, on_event, &seen, &error), CAISSON_OK);
	assert_int_equal(seen.idle, 3);
	caisson_gateway_free(gateway);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_and_keys),
		cmocka_unit_test(environment),
		cmocka_unit_test(requests_that_are_never_right),
		cmocka_unit_test(nobody_there),
		cmocka_unit_test(replies_and_what_they_mean),
		cmocka_unit_test(asked_to_wait),
		cmocka_unit_test(keys_of_requests),
		cmocka_unit_test(events_that_are_cut_and_events_that_are_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
