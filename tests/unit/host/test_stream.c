/* Stream sockets: addresses, both kinds, slow readers, ends. */
#include "host/alloc.h"
#include "host/stream.h"
#include "tests/unit/support.h"

#include <sys/stat.h>
#include <unistd.h>

#define WAIT_MS 10000
#define QUEUED_MAX (64u * 1024 * 1024)

static void test_addresses(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum cs_err err;
		bool is_unix, is_loopback;
		const char *name;
		uint16_t port;
	} cases[] = {
		{"unix:///a/b.sock", CS_OK, true, true, "/a/b.sock", 0},
		{"unix://b.sock", CS_OK, true, true, "b.sock", 0},
		{"tcp://127.0.0.1:80", CS_OK, false, true, "127.0.0.1", 80},
		{"127.9.9.9:0", CS_OK, false, true, "127.9.9.9", 0},
		{"tcp://localhost:26658", CS_OK, false, true, "127.0.0.1", 26658},
		{"tcp://[::1]:65535", CS_OK, false, true, "::1", 65535},
		{"tcp://10.0.0.1:1", CS_OK, false, false, "10.0.0.1", 1},
		{"tcp://0.0.0.0:1", CS_OK, false, false, "0.0.0.0", 1},
		{"tcp://[::]:1", CS_OK, false, false, "::", 1},
		{"tcp://[2001:db8::1]:1", CS_OK, false, false, "2001:db8::1", 1},
		{"", CS_ERR_INVALID, 0, 0, NULL, 0},
		{"unix://", CS_ERR_INVALID, 0, 0, NULL, 0},
		{"tcp://", CS_ERR_INVALID, 0, 0, NULL, 0},
		{"tcp://:80", CS_ERR_INVALID, 0, 0, NULL, 0},
		{"tcp://127.0.0.1", CS_ERR_INVALID, 0, 0, NULL, 0},
		{"tcp://127.0.0.1:", CS_ERR_INVALID, 0, 0, NULL, 0},
		{"tcp://127.0.0.1:65536", CS_ERR_INVALID, 0, 0, NULL, 0},
		{"tcp://127.0.0.1:80x", CS_ERR_INVALID, 0, 0, NULL, 0},
		{"tcp://127.0.0.1:-1", CS_ERR_INVALID, 0, 0, NULL, 0},
		{"tcp://example.org:80", CS_ERR_INVALID, 0, 0, NULL, 0},
		{"tcp://::1:80", CS_ERR_INVALID, 0, 0, NULL, 0},
		{"tcp://[]:80", CS_ERR_INVALID, 0, 0, NULL, 0},
		{"udp://127.0.0.1:80", CS_ERR_INVALID, 0, 0, NULL, 0},
		{"unix:///a/path/that/is/longer/than/what/fits/into/the/address/of/a/socket/which"
		 "/is/one/hundred/and/eight/bytes/with/its/end",
		 CS_ERR_TOO_LARGE, 0, 0, NULL, 0},
	};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct host_address address = {.port = 7};
		struct cs_why why = {""};
		enum cs_err err = host_address_parse(&address, cases[i].text, &why);
		if (err != cases[i].err)
			fail_msg("%s: %s", cases[i].text, cs_err_name(err));
		if (err != CS_OK) {
			assert_int_equal(address.port, 7);
			assert_true(why.text[0] != 0);
			continue;
		}
		assert_int_equal(address.is_unix, cases[i].is_unix);
		assert_int_equal(address.is_loopback, cases[i].is_loopback);
		assert_string_equal(address.name, cases[i].name);
		assert_int_equal(address.port, cases[i].port);
	}
}

/* ---- two ends on one loop ---- */

struct end {
	struct host_stream *stream;
	uint8_t *got;
	size_t got_size, got_room;
	size_t bytes_calls;
	bool connected, drained, ended;
	enum cs_err err;
	size_t want;
	bool echo;
};

struct pair {
	struct host_loop *loop;
	struct host_listener *listener;
	struct end client, server;
	char folder[32];
	struct host_address address;
};

static void on_connected(void *context)
{
	((struct end *)context)->connected = true;
}

static void on_bytes(void *context, struct cs_bytes bytes)
{
	struct end *end = context;
	end->bytes_calls++;
	end->got = host_append(end->got, &end->got_size, &end->got_room, bytes.p, bytes.n);
	if (end->echo)
		assert_ok(host_stream_write(end->stream, bytes, QUEUED_MAX));
}

static void on_drained(void *context)
{
	((struct end *)context)->drained = true;
}

static void on_ended(void *context, enum cs_err err)
{
	struct end *end = context;
	assert_false(end->ended);
	end->ended = true;
	end->err = err;
}

static const struct host_stream_events events = {on_connected, on_bytes, on_drained, on_ended};

static void on_accepted(void *context, struct host_stream *stream)
{
	struct pair *pair = context;
	pair->server.stream = stream;
	host_stream_serve(stream, &events, &pair->server);
}

static bool has_want(void *context)
{
	const struct end *end = context;
	return end->got_size >= end->want;
}

static bool is_connected(void *context)
{
	struct pair *pair = context;
	return pair->client.connected && pair->server.stream != NULL;
}

static bool is_drained(void *context)
{
	return ((struct end *)context)->drained;
}

static bool is_ended(void *context)
{
	return ((struct end *)context)->ended;
}

static void wait_for(struct pair *pair, bool (*done)(void *context), void *context)
{
	assert_ok(host_loop_run_until(pair->loop, done, context, WAIT_MS));
}

static void open_pair(struct pair *pair, const char *scheme)
{
	char text[96];
	memset(pair, 0, sizeof *pair);
	snprintf(pair->folder, sizeof pair->folder, "/tmp/caisson-stream-XXXXXX");
	assert_non_null(mkdtemp(pair->folder));
	if (strcmp(scheme, "unix") == 0)
		snprintf(text, sizeof text, "unix://%s/s", pair->folder);
	else
		snprintf(text, sizeof text, "tcp://%s:0",
			 strcmp(scheme, "tcp6") == 0 ? "[::1]" : "127.0.0.1");
	assert_ok(host_address_parse(&pair->address, text, NULL));
	pair->loop = host_loop_new();
	assert_ok(host_listener_new(&pair->listener, pair->loop, &pair->address, on_accepted, pair,
				    NULL));
	if (!pair->address.is_unix) {
		assert_int_not_equal(host_listener_port(pair->listener), 0);
		pair->address.port = host_listener_port(pair->listener);
	}
	pair->client.stream =
		host_stream_connect(pair->loop, &pair->address, &events, &pair->client);
	assert_err(host_stream_write(pair->client.stream, cs_bytes_str("early"), QUEUED_MAX),
		   CS_ERR_CLOSED);
	wait_for(pair, is_connected, pair);
}

static void close_pair(struct pair *pair)
{
	host_stream_free(pair->client.stream);
	host_stream_free(pair->server.stream);
	host_listener_free(pair->listener);
	host_loop_free(pair->loop);
	free(pair->client.got);
	free(pair->server.got);
	assert_int_equal(rmdir(pair->folder), 0);
}

static void test_bytes_both_ways(void **state)
{
	(void)state;
	static const char *const schemes[] = {"unix", "tcp", "tcp6"};
	for (size_t i = 0; i < CS_LEN(schemes); i++) {
		struct pair pair;
		open_pair(&pair, schemes[i]);
		pair.server.echo = true;
		pair.client.want = 5;
		assert_ok(host_stream_write(pair.client.stream, cs_bytes_str("hello"), QUEUED_MAX));
		wait_for(&pair, has_want, &pair.client);
		assert_bytes(cs_bytes(pair.client.got, pair.client.got_size),
			     cs_bytes_str("hello"));
		host_stream_free(pair.client.stream);
		pair.client.stream = NULL;
		wait_for(&pair, is_ended, &pair.server);
		assert_int_equal(pair.server.err, CS_ERR_CLOSED);
		assert_err(host_stream_write(pair.server.stream, cs_bytes_str("x"), QUEUED_MAX),
			   CS_ERR_CLOSED);
		close_pair(&pair);
	}
}

static void test_the_mode_of_the_socket(void **state)
{
	(void)state;
	struct pair pair;
	struct stat info;
	open_pair(&pair, "unix");
	assert_int_equal(stat(pair.address.name, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
	struct host_listener *second;
	struct cs_why why = {""};
	assert_err(host_listener_new(&second, pair.loop, &pair.address, on_accepted, &pair, &why),
		   CS_ERR_CONFLICT);
	close_pair(&pair);
}

/* More than a kernel takes: what waits is counted and bounded, and goes out when it is read. */
static void test_a_slow_reader(void **state)
{
	(void)state;
	static uint8_t block[4 * 1024 * 1024];
	struct pair pair;
	open_pair(&pair, "unix");
	host_stream_pause(pair.server.stream);
	for (size_t i = 0; i < sizeof block; i++)
		block[i] = (uint8_t)(i * 7 + i / 251);
	assert_ok(host_stream_write(pair.client.stream, CS_BYTES_OF(block), sizeof block));
	assert_true(host_stream_queued(pair.client.stream) > 0);
	assert_err(host_stream_write(pair.client.stream, CS_BYTES_OF(block), sizeof block),
		   CS_ERR_FULL);
	pair.server.want = sizeof block;
	assert_err(host_loop_run_until(pair.loop, has_want, &pair.server, 50), CS_ERR_TIMEOUT);
	assert_int_equal(pair.server.got_size, 0);
	host_stream_resume(pair.server.stream);
	wait_for(&pair, has_want, &pair.server);
	wait_for(&pair, is_drained, &pair.client);
	assert_bytes(cs_bytes(pair.server.got, pair.server.got_size), CS_BYTES_OF(block));
	close_pair(&pair);
}

/* All of it arrives, what the other side says meanwhile is not told, and both ends end. */
static void test_finish(void **state)
{
	(void)state;
	static uint8_t block[2 * 1024 * 1024];
	struct pair pair;
	open_pair(&pair, "tcp");
	pair.server.want = sizeof block;
	assert_ok(host_stream_write(pair.server.stream, cs_bytes_str("unread"), QUEUED_MAX));
	assert_ok(host_stream_write(pair.client.stream, CS_BYTES_OF(block), QUEUED_MAX));
	host_stream_finish(pair.client.stream);
	assert_err(host_stream_write(pair.client.stream, cs_bytes_str("x"), QUEUED_MAX),
		   CS_ERR_CLOSED);
	wait_for(&pair, has_want, &pair.server);
	wait_for(&pair, is_ended, &pair.server);
	assert_int_equal(pair.server.err, CS_ERR_CLOSED);
	/* The server's end still holds its side open: the finished one does not wait for ever. */
	wait_for(&pair, is_ended, &pair.client);
	assert_int_equal(pair.client.err, CS_ERR_CLOSED);
	assert_int_equal(pair.client.got_size, 0);
	close_pair(&pair);
}

static void test_nobody_there(void **state)
{
	(void)state;
	struct pair pair;
	open_pair(&pair, "unix");
	struct host_address address;
	struct end end = {.stream = NULL};
	assert_ok(host_address_parse(&address, "unix:///nonexistent/socket", NULL));
	end.stream = host_stream_connect(pair.loop, &address, &events, &end);
	assert_false(end.ended);
	wait_for(&pair, is_ended, &end);
	assert_int_equal(end.err, CS_ERR_UNAVAILABLE);
	assert_false(end.connected);
	host_stream_free(end.stream);
	/* Freed before it could say so. */
	end = (struct end){.stream = NULL};
	end.stream = host_stream_connect(pair.loop, &address, &events, &end);
	host_stream_free(end.stream);
	close_pair(&pair);
	assert_false(end.ended);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_bytes_both_ways),
		cmocka_unit_test(test_the_mode_of_the_socket),
		cmocka_unit_test(test_a_slow_reader),
		cmocka_unit_test(test_finish),
		cmocka_unit_test(test_nobody_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
