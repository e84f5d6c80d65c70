/* WebSocket client and server against each other in one loop, over the socket of libwebsockets on
 * both sides; what a hostile peer does is written to a plain socket by hand. */
#include "host/alloc.h"
#include "host/loop.h"
#include "host/ws_client.h"
#include "host/ws_server.h"
#include "tests/unit/support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 10000

struct end {
	uint32_t opened;
	uint32_t messages;
	uint32_t closed;
	enum cs_err err;
	char why[256];
	char *text;
	size_t size;
};

struct fixture {
	struct host_loop *loop;
	struct host_ws_server *server;
	struct host_ws_client *client;
	struct host_ws_peer *peer;
	struct end at_client;
	struct end at_server;
	enum cs_err refuse;
	bool echo;
	bool free_client_in_message;
	char path[256];
	char query[256];
	char authorization[256];
	char origin[256];
	char url[128];
	uint32_t want;
	int fd;
	char heard[4096];
	size_t heard_size;
	struct host_timer *poll;
	bool heard_end;
};

static void note(struct end *end, struct cs_bytes text)
{
	free(end->text);
	end->messages++;
	end->size = text.n;
	end->text = (char *)host_copy(text);
}

static void note_closed(struct end *end, enum cs_err err, const char *why)
{
	end->closed++;
	end->err = err;
	(void)snprintf(end->why, sizeof end->why, "%s", why);
}

/* ---- the client's side ---- */

static void client_opened(void *context)
{
	struct fixture *f = context;
	f->at_client.opened++;
}

static void client_message(void *context, struct cs_bytes text)
{
	struct fixture *f = context;
	note(&f->at_client, text);
	if (f->free_client_in_message) {
		host_ws_client_free(f->client);
		f->client = NULL;
	}
}

static void client_closed(void *context, enum cs_err err, const char *why)
{
	struct fixture *f = context;
	note_closed(&f->at_client, err, why);
	f->client = NULL;
}

static const struct host_ws_client_events client_events = {client_opened, client_message,
							   client_closed};

/* ---- the server's side ---- */

static void copy(char to[256], const char *text)
{
	(void)snprintf(to, 256, "%s", text != NULL ? text : "(none)");
}

static enum cs_err server_accept(void *context, const struct host_ws_upgrade *upgrade,
				 struct host_ws_peer *peer)
{
	struct fixture *f = context;
	copy(f->path, host_ws_path(upgrade));
	copy(f->query, host_ws_query(upgrade, "cursor"));
	copy(f->authorization, host_ws_header(upgrade, "authorization"));
	copy(f->origin, host_ws_header(upgrade, "origin"));
	host_ws_peer_set(peer, f);
	return f->refuse;
}

static void server_opened(void *context, struct host_ws_peer *peer)
{
	struct fixture *f = context;
	assert_ptr_equal(host_ws_peer_get(peer), f);
	f->peer = peer;
	f->at_server.opened++;
}

static void server_message(void *context, struct host_ws_peer *peer, struct cs_bytes text)
{
	struct fixture *f = context;
	note(&f->at_server, text);
	if (f->echo)
		assert_ok(host_ws_peer_send(peer, text));
}

static void server_closed(void *context, struct host_ws_peer *peer, enum cs_err err,
			  const char *why)
{
	struct fixture *f = context;
	(void)peer;
	note_closed(&f->at_server, err, why);
	f->peer = NULL;
}

static const struct host_ws_server_events server_events = {server_accept, server_opened,
							   server_message, server_closed};

/* ---- fixture ---- */

static int set_up(void **state)
{
	struct fixture *f = host_alloc(sizeof *f);
	f->loop = host_loop_new();
	f->fd = -1;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	if (f->fd >= 0)
		close(f->fd);
	host_timer_free(f->poll);
	host_ws_client_free(f->client);
	host_ws_server_free(f->server);
	host_loop_free(f->loop);
	free(f->at_client.text);
	free(f->at_server.text);
	free(f);
	return 0;
}

static void serve(struct fixture *f, struct host_ws_server_options options)
{
	struct cs_why why = {{0}};
	assert_ok(host_ws_server_new(&f->server, f->loop, &options, &server_events, f, &why));
	assert_true(host_ws_server_port(f->server) > 0);
	(void)snprintf(f->url, sizeof f->url, "ws://127.0.0.1:%u/v1/events?x=1&cursor=a%%20b",
		       host_ws_server_port(f->server));
}

static void connect_with(struct fixture *f, struct host_ws_client_options options)
{
	struct cs_why why = {{0}};
	if (options.url == NULL)
		options.url = f->url;
	assert_ok(host_ws_client_open(&f->client, f->loop, &options, &client_events, f, &why));
	assert_int_equal(f->at_client.opened, 0);
}

static bool both_open(void *context)
{
	struct fixture *f = context;
	return f->at_client.opened > 0 && f->at_server.opened > 0;
}

static bool client_got(void *context)
{
	struct fixture *f = context;
	return f->at_client.messages >= f->want;
}

static bool server_got(void *context)
{
	struct fixture *f = context;
	return f->at_server.messages >= f->want;
}

static bool client_gone(void *context)
{
	struct fixture *f = context;
	return f->at_client.closed > 0;
}

static bool server_gone(void *context)
{
	struct fixture *f = context;
	return f->at_server.closed > 0;
}

static bool both_gone(void *context)
{
	return client_gone(context) && server_gone(context);
}

static void wait_for(struct fixture *f, bool (*done)(void *context), uint32_t want)
{
	f->want = want;
	assert_ok(host_loop_run_until(f->loop, done, f, WAIT_MS));
}

static void open_both(struct fixture *f)
{
	serve(f, (struct host_ws_server_options){0});
	connect_with(f, (struct host_ws_client_options){0});
	wait_for(f, both_open, 0);
}

/* ---- messages ---- */

static void test_both_ways(void **state)
{
	struct fixture *f = *state;
	serve(f, (struct host_ws_server_options){.message_size_max = 2000000,
						 .queue_size_max = 4000000});
	connect_with(f, (struct host_ws_client_options){.headers = {{"Authorization", "Bearer key"},
								    {"Origin", "http://o"}}});
	assert_err(host_ws_client_send(f->client, cs_bytes_str("early")), CS_ERR_CLOSED);
	wait_for(f, both_open, 0);
	assert_string_equal(f->path, "/v1/events");
	assert_string_equal(f->query, "a b");
	assert_string_equal(f->authorization, "Bearer key");
	assert_string_equal(f->origin, "http://o");
	f->echo = true;
	assert_ok(host_ws_client_send(f->client, cs_bytes_str("h\xc3\xa9llo")));
	wait_for(f, client_got, 1);
	assert_string_equal(f->at_server.text, "h\xc3\xa9llo");
	assert_string_equal(f->at_client.text, "h\xc3\xa9llo");
	/* Empty, and one of many reads and writes. */
	assert_ok(host_ws_client_send(f->client, CS_BYTES_NONE));
	wait_for(f, client_got, 2);
	assert_int_equal(f->at_client.size, 0);
	size_t n = 1500000;
	char *big = host_alloc(n + 1);
	memset(big, 'b', n);
	assert_ok(host_ws_client_send(f->client, cs_bytes(big, n)));
	wait_for(f, client_got, 3);
	assert_int_equal(f->at_client.size, n);
	assert_memory_equal(f->at_client.text, big, n);
	free(big);
	/* Order. */
	for (int i = 0; i < 500; i++) {
		char text[16];
		(void)snprintf(text, sizeof text, "%d", i);
		assert_ok(host_ws_client_send(f->client, cs_bytes_str(text)));
	}
	wait_for(f, client_got, 503);
	assert_string_equal(f->at_client.text, "499");
	assert_int_equal(f->at_client.closed + f->at_server.closed, 0);
}

static void test_client_leaves(void **state)
{
	struct fixture *f = *state;
	open_both(f);
	host_ws_client_free(f->client);
	f->client = NULL;
	wait_for(f, server_gone, 0);
	assert_int_equal(f->at_server.err, CS_ERR_CLOSED);
	assert_int_equal(f->at_client.closed, 0);
	assert_non_null(strstr(f->at_server.why, "1000"));
}

static void test_client_freed_in_message(void **state)
{
	struct fixture *f = *state;
	open_both(f);
	f->free_client_in_message = true;
	assert_ok(host_ws_peer_send(f->peer, cs_bytes_str("one")));
	assert_ok(host_ws_peer_send(f->peer, cs_bytes_str("two")));
	wait_for(f, server_gone, 0);
	assert_int_equal(f->at_client.messages, 1);
	assert_int_equal(f->at_client.closed, 0);
}

static void test_server_closes(void **state)
{
	struct fixture *f = *state;
	open_both(f);
	assert_ok(host_ws_peer_send(f->peer, cs_bytes_str("last")));
	host_ws_peer_close(f->peer, 4001, "the key was revoked");
	assert_err(host_ws_peer_send(f->peer, cs_bytes_str("after")), CS_ERR_CLOSED);
	wait_for(f, both_gone, 0);
	assert_string_equal(f->at_client.text, "last");
	assert_int_equal(f->at_client.err, CS_ERR_CLOSED);
	assert_non_null(strstr(f->at_client.why, "4001 the key was revoked"));
	assert_string_equal(f->at_server.why, "the key was revoked");
}

static void test_server_freed(void **state)
{
	struct fixture *f = *state;
	open_both(f);
	host_ws_server_free(f->server);
	f->server = NULL;
	wait_for(f, client_gone, 0);
	assert_int_equal(f->at_client.err, CS_ERR_CLOSED);
	assert_int_equal(f->at_server.closed, 0);
}

/* ---- refusals ---- */

static void test_refused_by_hook(void **state)
{
	struct fixture *f = *state;
	serve(f, (struct host_ws_server_options){0});
	f->refuse = CS_ERR_UNAUTHORIZED;
	connect_with(f, (struct host_ws_client_options){0});
	wait_for(f, client_gone, 0);
	assert_int_equal(f->at_client.err, CS_ERR_UNAVAILABLE);
	assert_int_equal(f->at_client.opened, 0);
	assert_int_equal(f->at_server.opened + f->at_server.closed, 0);
}

static void test_too_many_peers(void **state)
{
	struct fixture *f = *state;
	struct fixture second = {.loop = f->loop};
	serve(f, (struct host_ws_server_options){.peers_max = 1});
	connect_with(f, (struct host_ws_client_options){0});
	wait_for(f, both_open, 0);
	struct host_ws_client_options options = {.url = f->url};
	assert_ok(host_ws_client_open(&second.client, f->loop, &options, &client_events, &second,
				      NULL));
	wait_for(&second, client_gone, 0);
	assert_int_equal(second.at_client.err, CS_ERR_UNAVAILABLE);
	assert_int_equal(f->at_client.closed, 0);
}

static void test_nobody_there(void **state)
{
	struct fixture *f = *state;
	serve(f, (struct host_ws_server_options){0});
	host_ws_server_free(f->server);
	f->server = NULL;
	connect_with(f, (struct host_ws_client_options){.url = "ws://127.0.0.1:1/"});
	wait_for(f, client_gone, 0);
	assert_int_equal(f->at_client.err, CS_ERR_UNAVAILABLE);
}

static void test_bad_urls(void **state)
{
	struct fixture *f = *state;
	struct cs_why why;
	static const char *const bad[] = {"",
					  "http://127.0.0.1/",
					  "ws://",
					  "ws://u:p@127.0.0.1/",
					  "127.0.0.1:80",
					  "ws://127.0.0.1:99999/",
					  "ws://a b/"};
	for (size_t i = 0; i < CS_LEN(bad); i++) {
		struct host_ws_client_options options = {.url = bad[i]};
		assert_err(
			host_ws_client_open(&f->client, f->loop, &options, &client_events, f, &why),
			CS_ERR_MALFORMED);
	}
	struct host_ws_client_options options = {.url = "ws://127.0.0.1/",
						 .headers = {{"X", "a\r\nY: b"}}};
	assert_err(host_ws_client_open(&f->client, f->loop, &options, &client_events, f, &why),
		   CS_ERR_MALFORMED);
	assert_null(f->client);
}

static void test_message_above_bound(void **state)
{
	struct fixture *f = *state;
	serve(f, (struct host_ws_server_options){.message_size_max = 1000});
	connect_with(f, (struct host_ws_client_options){.message_size_max = 500});
	wait_for(f, both_open, 0);
	char text[1001];
	memset(text, 'x', sizeof text);
	assert_ok(host_ws_peer_send(f->peer, cs_bytes(text, 500)));
	assert_ok(host_ws_client_send(f->client, cs_bytes(text, 1000)));
	wait_for(f, client_got, 1);
	wait_for(f, server_got, 1);
	assert_ok(host_ws_client_send(f->client, cs_bytes(text, 1001)));
	wait_for(f, both_gone, 0);
	assert_int_equal(f->at_server.err, CS_ERR_TOO_LARGE);
	assert_non_null(strstr(f->at_client.why, "1009"));
	assert_int_equal(f->at_server.messages, 1);
}

static void test_message_above_clients_bound(void **state)
{
	struct fixture *f = *state;
	serve(f, (struct host_ws_server_options){0});
	connect_with(f, (struct host_ws_client_options){.message_size_max = 500});
	wait_for(f, both_open, 0);
	char text[501] = {0};
	memset(text, 'x', sizeof text);
	assert_ok(host_ws_peer_send(f->peer, cs_bytes(text, 501)));
	wait_for(f, both_gone, 0);
	assert_int_equal(f->at_client.err, CS_ERR_TOO_LARGE);
	assert_int_equal(f->at_client.messages, 0);
}

static void test_queue_above_bound(void **state)
{
	struct fixture *f = *state;
	serve(f, (struct host_ws_server_options){0});
	connect_with(f, (struct host_ws_client_options){.queue_size_max = 1000});
	wait_for(f, both_open, 0);
	char text[400];
	memset(text, 'x', sizeof text);
	assert_ok(host_ws_client_send(f->client, cs_bytes(text, 400)));
	assert_ok(host_ws_client_send(f->client, cs_bytes(text, 400)));
	assert_err(host_ws_client_send(f->client, cs_bytes(text, 400)), CS_ERR_FULL);
	wait_for(f, server_got, 2);
	assert_ok(host_ws_client_send(f->client, cs_bytes(text, 400)));
	wait_for(f, server_got, 3);
}

/* ---- peers made of a plain socket ---- */

static void plain_connect(struct fixture *f)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(host_ws_server_port(f->server)),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	f->fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(f->fd >= 0);
	int small = 4096;
	assert_int_equal(setsockopt(f->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
	assert_int_equal(connect(f->fd, (const struct sockaddr *)&address, sizeof address), 0);
}

static void plain_write(struct fixture *f, const void *p, size_t n)
{
	assert_int_equal(send(f->fd, p, n, MSG_NOSIGNAL), (ssize_t)n);
}

static void listen_once(void *context)
{
	struct fixture *f = context;
	for (;;) {
		size_t room = sizeof f->heard - 1 - f->heard_size;
		ssize_t n = recv(f->fd, f->heard + f->heard_size, room, MSG_DONTWAIT);
		if (n <= 0) {
			f->heard_end = n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
			return;
		}
		f->heard_size += (size_t)n;
		f->heard[f->heard_size] = 0;
	}
}

static bool plain_ended(void *context)
{
	struct fixture *f = context;
	return f->heard_end;
}

static void listen_plain(struct fixture *f)
{
	f->poll = host_timer_new(f->loop, listen_once, f);
	host_timer_start(f->poll, 1, 2);
}

static void plain_upgrade(struct fixture *f)
{
	static const char head[] =
		"GET /v1/events HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: "
		"Upgrade\r\n"
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
	plain_connect(f);
	plain_write(f, head, sizeof head - 1);
}

static bool server_open(void *context)
{
	struct fixture *f = context;
	return f->at_server.opened > 0;
}

static void test_plain_http(void **state)
{
	struct fixture *f = *state;
	serve(f, (struct host_ws_server_options){0});
	plain_connect(f);
	plain_write(f, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27);
	listen_plain(f);
	wait_for(f, plain_ended, 0);
	assert_non_null(strstr(f->heard, "HTTP/1.1 426"));
	assert_int_equal(f->at_server.opened, 0);
}

static void test_refusal_has_status(void **state)
{
	struct fixture *f = *state;
	serve(f, (struct host_ws_server_options){0});
	f->refuse = CS_ERR_UNAUTHORIZED;
	plain_upgrade(f);
	listen_plain(f);
	wait_for(f, plain_ended, 0);
	assert_non_null(strstr(f->heard, "HTTP/1.0 401"));
}

/* Frames of a client are masked; with a mask of zeros they can be written as they are. */
static void plain_frame(struct fixture *f, uint8_t first, const char *text, size_t n)
{
	uint8_t head[6] = {first, (uint8_t)(0x80 | n)};
	assert_true(n < 126);
	plain_write(f, head, sizeof head);
	plain_write(f, text, n);
}

static void test_fragments(void **state)
{
	struct fixture *f = *state;
	serve(f, (struct host_ws_server_options){.message_size_max = 12});
	plain_upgrade(f);
	wait_for(f, server_open, 0);
	plain_frame(f, 0x01, "in ", 3);
	plain_frame(f, 0x89, "ping", 4);
	plain_frame(f, 0x00, "three ", 6);
	plain_frame(f, 0x80, "arts", 3);
	wait_for(f, server_got, 1);
	assert_string_equal(f->at_server.text, "in three art");
	/* Together above the bound, each alone not. */
	plain_frame(f, 0x01, "1234567", 7);
	plain_frame(f, 0x80, "123456", 6);
	(void)shutdown(f->fd, SHUT_WR);
	wait_for(f, server_gone, 0);
	assert_int_equal(f->at_server.err, CS_ERR_TOO_LARGE);
}

static void plain_refused(struct fixture *f, uint8_t first, const char *text, size_t n,
			  enum cs_err err)
{
	serve(f, (struct host_ws_server_options){0});
	plain_upgrade(f);
	wait_for(f, server_open, 0);
	plain_frame(f, first, text, n);
	/* Else it is given some seconds to answer the close frame. */
	(void)shutdown(f->fd, SHUT_WR);
	wait_for(f, server_gone, 0);
	assert_int_equal(f->at_server.err, err);
	assert_int_equal(f->at_server.messages, 0);
}

static void test_binary(void **state)
{
	plain_refused(*state, 0x82, "binary", 6, CS_ERR_MALFORMED);
}

static void test_bad_utf8(void **state)
{
	plain_refused(*state, 0x81, "a\xff", 2, CS_ERR_CLOSED);
}

static void test_reserved_bits(void **state)
{
	plain_refused(*state, 0xf1, "abc", 3, CS_ERR_CLOSED);
}

static void test_reserved_opcode(void **state)
{
	plain_refused(*state, 0x83, "abc", 3, CS_ERR_CLOSED);
}

static void test_slow_reader(void **state)
{
	struct fixture *f = *state;
	char text[10000];
	enum cs_err err = CS_OK;
	uint32_t sent = 0;
	serve(f, (struct host_ws_server_options){.queue_size_max = 100000});
	plain_upgrade(f);
	wait_for(f, server_open, 0);
	memset(text, 's', sizeof text);
	/* It never reads: the kernel's buffers fill, then ours. */
	while (err == CS_OK && sent < 10000) {
		err = host_ws_peer_send(f->peer, cs_bytes(text, sizeof text));
		sent++;
		if (err == CS_OK && sent % 5 == 0)
			(void)!host_loop_run_until(f->loop, server_gone, f, 0);
		assert_true(host_ws_peer_queued(f->peer) <= 100000);
	}
	assert_int_equal(err, CS_ERR_FULL);
	assert_err(host_ws_peer_send(f->peer, cs_bytes_str("more")), CS_ERR_CLOSED);
	wait_for(f, server_gone, 0);
	assert_int_equal(f->at_server.err, CS_ERR_FULL);
	assert_string_equal(f->at_server.why, "reads too slowly");
}

static void test_silence_at_server(void **state)
{
	struct fixture *f = *state;
	serve(f, (struct host_ws_server_options){.ping_ms = 40, .idle_ms = 200});
	plain_upgrade(f);
	wait_for(f, server_open, 0);
	listen_plain(f);
	wait_for(f, server_gone, 0);
	assert_int_equal(f->at_server.err, CS_ERR_TIMEOUT);
	/* It was pinged before. */
	const char *body = strstr(f->heard, "\r\n\r\n");
	assert_non_null(body);
	assert_memory_equal(body + 4, "\x89\x01", 2);
}

static bool never(void *context)
{
	(void)context;
	return false;
}

static void test_pings_keep_alive(void **state)
{
	struct fixture *f = *state;
	serve(f, (struct host_ws_server_options){.ping_ms = 40, .idle_ms = 250});
	connect_with(f, (struct host_ws_client_options){.ping_ms = 40, .idle_ms = 250});
	wait_for(f, both_open, 0);
	assert_err(host_loop_run_until(f->loop, never, f, 700), CS_ERR_TIMEOUT);
	assert_int_equal(f->at_client.closed + f->at_server.closed, 0);
}

/* It answers no ping, as one whose pongs come after all that waits for it: what it takes shows that it is there. When it takes
 * nothing any more it is silent. */
static void test_who_takes_something_is_not_silent(void **state)
{
	struct fixture *f = *state;
	static char text[10000];
	serve(f, (struct host_ws_server_options){.ping_ms = 40, .idle_ms = 500});
	plain_upgrade(f);
	wait_for(f, server_open, 0);
	memset(text, 's', sizeof text);
	for (uint64_t began_ms = host_now_ms(); host_now_ms() - began_ms < 2000;) {
		assert_int_equal(f->at_server.closed, 0);
		while (host_ws_peer_queued(f->peer) < 500000)
			assert_ok(host_ws_peer_send(f->peer, cs_bytes(text, sizeof text)));
		char taken[32768];
		assert_true(recv(f->fd, taken, sizeof taken, MSG_DONTWAIT) != 0);
		assert_err(host_loop_run_until(f->loop, never, f, 5), CS_ERR_TIMEOUT);
	}
	assert_int_equal(f->at_server.closed, 0);
	assert_err(host_loop_run_until(f->loop, never, f, 1500), CS_ERR_TIMEOUT);
	/* libwebsockets would wait some seconds more for it to take the close frame. */
	close(f->fd);
	f->fd = -1;
	wait_for(f, server_gone, 0);
	assert_int_equal(f->at_server.err, CS_ERR_TIMEOUT);
	assert_string_equal(f->at_server.why, "silent for too long");
}

/* A process that stood still longer than the bound: that was not the other side's silence. */
static void test_stall_is_not_silence(void **state)
{
	struct fixture *f = *state;
	serve(f, (struct host_ws_server_options){.ping_ms = 40, .idle_ms = 250});
	connect_with(f, (struct host_ws_client_options){.ping_ms = 40, .idle_ms = 250});
	wait_for(f, both_open, 0);
	for (int i = 0; i < 3; i++) {
		assert_err(host_loop_run_until(f->loop, never, f, 100), CS_ERR_TIMEOUT);
		(void)usleep(400000);
	}
	assert_err(host_loop_run_until(f->loop, never, f, 100), CS_ERR_TIMEOUT);
	assert_int_equal(f->at_client.closed + f->at_server.closed, 0);
}

/* A listener that accepts by the kernel alone and never answers. */
static void test_silence_at_client(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof address;
	f->fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(f->fd, (const struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(f->fd, 4), 0);
	assert_int_equal(getsockname(f->fd, (struct sockaddr *)&address, &n), 0);
	(void)snprintf(f->url, sizeof f->url, "ws://127.0.0.1:%u/", ntohs(address.sin_port));
	connect_with(f, (struct host_ws_client_options){.connect_timeout_ms = 200});
	wait_for(f, client_gone, 0);
	assert_int_equal(f->at_client.err, CS_ERR_TIMEOUT);
	assert_int_equal(f->at_client.opened, 0);
}

static void test_name_lookup(void **state)
{
	struct fixture *f = *state;
	char url[64];
	serve(f, (struct host_ws_server_options){0});
	connect_with(f, (struct host_ws_client_options){.url = "ws://name.invalid:9/"});
	wait_for(f, client_gone, 0);
	assert_int_equal(f->at_client.err, CS_ERR_UNAVAILABLE);
	/* Freed while the name is looked up. */
	(void)snprintf(url, sizeof url, "ws://127.0.0.1:%u/", host_ws_server_port(f->server));
	connect_with(f, (struct host_ws_client_options){.url = url});
	host_ws_client_free(f->client);
	f->client = NULL;
}

static void test_cannot_bind(void **state)
{
	struct fixture *f = *state;
	struct host_ws_server *second = NULL;
	struct cs_why why = {{0}};
	serve(f, (struct host_ws_server_options){0});
	struct host_ws_server_options options = {.port = host_ws_server_port(f->server)};
	assert_err(host_ws_server_new(&second, f->loop, &options, &server_events, f, &why),
		   CS_ERR_IO);
	options.address = "localhost";
	assert_err(host_ws_server_new(&second, f->loop, &options, &server_events, f, &why),
		   CS_ERR_INVALID);
	assert_null(second);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_both_ways),
		T(test_client_leaves),
		T(test_client_freed_in_message),
		T(test_server_closes),
		T(test_server_freed),
		T(test_refused_by_hook),
		T(test_too_many_peers),
		T(test_nobody_there),
		T(test_bad_urls),
		T(test_message_above_bound),
		T(test_message_above_clients_bound),
		T(test_queue_above_bound),
		T(test_plain_http),
		T(test_refusal_has_status),
		T(test_fragments),
		T(test_binary),
		T(test_bad_utf8),
		T(test_reserved_bits),
		T(test_reserved_opcode),
		T(test_slow_reader),
		T(test_silence_at_server),
		T(test_who_takes_something_is_not_silent),
		T(test_pings_keep_alive),
		T(test_stall_is_not_silence),
		T(test_silence_at_client),
		T(test_name_lookup),
		T(test_cannot_bind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
