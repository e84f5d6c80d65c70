/* What a WebSocket server has for a peer goes out together: many frames in one write, each as RFC 6455 has it, in their
 * order, however the socket takes them. And a server that libwebsockets cannot make is an error. */
#include "host/alloc.h"
#include "host/loop.h"
#include "host/ws_client.h"
#include "host/ws_server.h"
#include "tests/unit/support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 20000
#define HEARD_MAX (4u * 1024 * 1024)

struct fixture {
	struct host_loop *loop;
	struct host_ws_server *server;
	struct host_ws_client *client;
	struct host_ws_peer *peer;
	struct host_timer *timer;
	int fd;
	size_t read_max; /* at once */
	char *heard;
	size_t heard_size;
	size_t frames; /* whole ones in what was heard */
	size_t parsed;
	size_t pongs;
	size_t want;
	size_t messages; /* at the client */
	bool closed;
};

/* Text number i of a size: its number, then letters. */
static void make_text(char *text, size_t n, size_t i)
{
	char number[24];
	memset(text, (int)('a' + i % 26), n);
	int digits = snprintf(number, sizeof(number), "%zu ", i);
	if ((size_t)digits <= n)
		memcpy(text, number, (size_t)digits);
}

/* Around what a frame's head has one, three or nine bytes for, and around the size of a write. */
static const size_t sizes[] = {0,     1,     5,     125,   126,   127,   2047,  2048,  16379,
			       16380, 16381, 16384, 16385, 40000, 65535, 65536, 70000, 3};

static void send_sizes(struct fixture *f, size_t from)
{
	char *text = host_alloc(70000);
	for (size_t i = 0; i < CS_LEN(sizes); i++) {
		make_text(text, sizes[i], from + i);
		assert_ok(host_ws_peer_send(f->peer, cs_bytes(text, sizes[i])));
	}
	free(text);
}

/* ---- both sides ---- */

static enum cs_err on_accept(void *context, const struct host_ws_upgrade *upgrade,
			     struct host_ws_peer *peer)
{
	(void)context;
	(void)upgrade;
	(void)peer;
	return CS_OK;
}

static void on_opened(void *context, struct host_ws_peer *peer)
{
	((struct fixture *)context)->peer = peer;
}

static const struct host_ws_server_events server_events = {.accept = on_accept,
							   .opened = on_opened};

static void client_opened(void *context)
{
	(void)context;
}

static void client_message(void *context, struct cs_bytes text)
{
	struct fixture *f = context;
	size_t n = sizes[f->messages % CS_LEN(sizes)];
	char *expected = host_alloc(n + 1);
	make_text(expected, n, f->messages);
	assert_int_equal(text.n, n);
	if (n > 0)
		assert_memory_equal(text.p, expected, n);
	free(expected);
	f->messages++;
}

static void client_closed(void *context, enum cs_err err, const char *why)
{
	struct fixture *f = context;
	(void)err;
	(void)why;
	f->closed = true;
	f->client = NULL;
}

static int set_up(void **state)
{
	struct fixture *f = host_alloc(sizeof(*f));
	f->loop = host_loop_new();
	f->heard = host_alloc(HEARD_MAX + 1);
	f->fd = -1;
	f->read_max = HEARD_MAX;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	if (f->fd >= 0)
		close(f->fd);
	host_timer_free(f->timer);
	host_ws_client_free(f->client);
	host_ws_server_free(f->server);
	host_loop_free(f->loop);
	free(f->heard);
	free(f);
	return 0;
}

static void serve(struct fixture *f)
{
	struct cs_why why = {{0}};
	const struct host_ws_server_options options = {.queue_size_max = HEARD_MAX};
	assert_ok(host_ws_server_new(&f->server, f->loop, &options, &server_events, f, &why));
}

static bool is_open(void *context)
{
	return ((struct fixture *)context)->peer != NULL;
}

static void wait_for(struct fixture *f, bool (*done)(void *context), size_t want)
{
	f->want = want;
	assert_ok(host_loop_run_until(f->loop, done, f, WAIT_MS));
}

/* ---- a plain socket ---- */

/* One whole frame, or 0. No frame of a server is masked, and none here is a part of a message. */
static size_t take_frame(struct fixture *f, const uint8_t *p, size_t n)
{
	size_t head = 2;
	if (n < 2)
		return 0;
	size_t size = p[1];
	assert_int_equal(p[1] & 0x80, 0);
	if (size == 126 && n >= 4) {
		head = 4;
		size = cs_be16(p + 2);
		assert_true(size > 125);
	} else if (size >= 126) {
		return 0;
	}
	if (n < head + size)
		return 0;
	if (p[0] == 0x8A) {
		f->pongs++;
		return head + size;
	}
	assert_int_equal(p[0], 0x81);
	char *expected = host_alloc(size + 1);
	make_text(expected, size, f->frames);
	assert_memory_equal(p + head, expected, size);
	free(expected);
	f->frames++;
	return head + size;
}

static void on_tick(void *context)
{
	struct fixture *f = context;
	size_t room = HEARD_MAX - f->heard_size;
	ssize_t n = recv(f->fd, f->heard + f->heard_size, room < f->read_max ? room : f->read_max,
			 MSG_DONTWAIT);
	if (n <= 0)
		return;
	f->heard_size += (size_t)n;
	f->heard[f->heard_size] = 0;
	if (f->parsed == 0) {
		const char *end = strstr(f->heard, "\r\n\r\n");
		if (end == NULL)
			return;
		f->parsed = (size_t)(end + 4 - f->heard);
	}
	for (size_t took; (took = take_frame(f, (const uint8_t *)f->heard + f->parsed,
					     f->heard_size - f->parsed)) > 0;)
		f->parsed += took;
}

static void dial(struct fixture *f, int room)
{
	static const char head[] =
		"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(host_ws_server_port(f->server)),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	f->fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(f->fd >= 0);
	if (room > 0)
		assert_int_equal(setsockopt(f->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)), 0);
	assert_int_equal(connect(f->fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(send(f->fd, head, sizeof(head) - 1, 0), (ssize_t)sizeof(head) - 1);
	wait_for(f, is_open, 0);
	f->timer = host_timer_new(f->loop, on_tick, f);
	host_timer_start(f->timer, 1, 1);
}

static bool has_upgraded(void *context)
{
	return ((struct fixture *)context)->parsed > 0;
}

static bool has_frames(void *context)
{
	struct fixture *f = context;
	return f->frames >= f->want;
}

static uint32_t segments_in(int fd)
{
	struct tcp_info info = {0};
	socklen_t n = sizeof(info);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n), 0);
	assert_true(n >= offsetof(struct tcp_info, tcpi_data_segs_in) + 4);
	return info.tcpi_data_segs_in;
}

/* ---- tests ---- */

/* With so many as the limit nothing more can be opened. */
static rlim_t lowest_free_file(void)
{
	int fd = dup(STDERR_FILENO);
	assert_true(fd >= 0);
	close(fd);
	return (rlim_t)fd;
}

/* Neither server nor client is made where libwebsockets does not start, and both are once it does. */
static void where_it_does_not_start_it_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct cs_why why = {{0}};
	struct rlimit was;
	static const struct host_ws_client_events events = {
		.opened = client_opened, .message = client_message, .closed = client_closed};
	const struct host_ws_client_options to = {.url = "ws://127.0.0.1:9/"};
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	struct rlimit none = {.rlim_cur = lowest_free_file(), .rlim_max = was.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	enum cs_err err = host_ws_server_new(
		&f->server, f->loop, &(struct host_ws_server_options){0}, &server_events, f, &why);
	struct cs_why of_client = {{0}};
	enum cs_err client_err =
		host_ws_client_open(&f->client, f->loop, &to, &events, f, &of_client);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_err(err, CS_ERR_UNAVAILABLE);
	assert_err(client_err, CS_ERR_UNAVAILABLE);
	assert_non_null(strstr(why.text, "libwebsockets-evlib-uv"));
	assert_non_null(strstr(of_client.text, "libwebsockets-evlib-uv"));
	assert_null(f->server);
	assert_null(f->client);
	serve(f);
	dial(f, 0);
}

/* Open files run out at each place of a server's start: it is an error, and the loop ends. (Of its plugin, of what
 * wakes it: without that libwebsockets 4.1 starts all the same, and does not end.) */
static void without_files_it_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct rlimit was;
	bool works = false;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	for (rlim_t left = 0; !works; left++) {
		struct cs_why why = {{0}};
		struct host_loop *loop = host_loop_new();
		struct host_ws_server *server = NULL;
		struct rlimit some = {.rlim_cur = lowest_free_file() + left,
				      .rlim_max = was.rlim_max};
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &some), 0);
		enum cs_err err =
			host_ws_server_new(&server, loop, &(struct host_ws_server_options){0},
					   &server_events, f, &why);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
		works = err == CS_OK;
		if (!works)
			assert_true(err == CS_ERR_UNAVAILABLE || err == CS_ERR_IO);
		host_ws_server_free(server);
		host_loop_free(loop);
		assert_true(left < 16);
	}
}

static bool has_messages(void *context)
{
	struct fixture *f = context;
	return f->messages >= f->want;
}

static void frames_of_all_sizes_in_order(void **state)
{
	struct fixture *f = *state;
	struct cs_why why = {{0}};
	char url[64];
	static const struct host_ws_client_events events = {
		.opened = client_opened, .message = client_message, .closed = client_closed};
	serve(f);
	snprintf(url, sizeof(url), "ws://127.0.0.1:%u/", host_ws_server_port(f->server));
	const struct host_ws_client_options options = {.url = url};
	assert_ok(host_ws_client_open(&f->client, f->loop, &options, &events, f, &why));
	wait_for(f, is_open, 0);
	send_sizes(f, 0);
	send_sizes(f, CS_LEN(sizes));
	wait_for(f, has_messages, 2 * CS_LEN(sizes));
	send_sizes(f, 2 * CS_LEN(sizes));
	wait_for(f, has_messages, 3 * CS_LEN(sizes));
	assert_false(f->closed);
	assert_int_equal(host_ws_peer_queued(f->peer), 0);
}

static void what_waits_is_one_write(void **state)
{
	struct fixture *f = *state;
	char text[300];
	serve(f);
	dial(f, 0);
	wait_for(f, has_upgraded, 0);
	uint32_t before = segments_in(f->fd);
	for (size_t i = 0; i < 40; i++) {
		make_text(text, sizeof(text), i);
		assert_ok(host_ws_peer_send(f->peer, cs_bytes(text, sizeof(text))));
	}
	wait_for(f, has_frames, 40);
	assert_int_equal(segments_in(f->fd) - before, 1);
	make_text(text, 5, 40);
	assert_ok(host_ws_peer_send(f->peer, cs_bytes(text, 5)));
	wait_for(f, has_frames, 41);
	assert_int_equal(segments_in(f->fd) - before, 2);
}

/* Its socket takes parts of what is written, and meanwhile it pings: a pong stands between frames, never inside one. */
static void a_reader_that_takes_little_at_once(void **state)
{
	struct fixture *f = *state;
	static const uint8_t ping[] = {0x89, 0x84, 0, 0, 0, 0, 'p', 'i', 'n', 'g'};
	char text[3000];
	serve(f);
	dial(f, 4096);
	wait_for(f, has_upgraded, 0);
	f->read_max = 700;
	for (size_t i = 0; i < 600; i++) {
		make_text(text, sizeof(text), i);
		assert_ok(host_ws_peer_send(f->peer, cs_bytes(text, sizeof(text))));
	}
	for (size_t i = 1; i <= 3; i++) {
		wait_for(f, has_frames, i * 3);
		assert_int_equal(send(f->fd, ping, sizeof(ping), MSG_NOSIGNAL), sizeof(ping));
	}
	f->read_max = HEARD_MAX;
	wait_for(f, has_frames, 600);
	assert_int_equal(f->frames, 600);
	assert_in_range(f->pongs, 1, 3);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(where_it_does_not_start_it_is_an_error), T(without_files_it_is_an_error),
		T(frames_of_all_sizes_in_order),           T(what_waits_is_one_write),
		T(a_reader_that_takes_little_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
