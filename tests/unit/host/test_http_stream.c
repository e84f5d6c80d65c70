/* Replies that go on, to readers who are quick, slow, silent or gone. */
#include "host/alloc.h"
#include "host/http_server.h"
#include "tests/unit/support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 10000
#define TICK_MS 10
#define HEARD_MAX (8u * 1024 * 1024)
#define STREAMS_MAX 2u
static const char ask[] = "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n";

struct fixture {
	struct host_loop *loop;
	struct host_http_server *server;
	struct host_timer *timer;
	struct host_http_stream *stream; /* the newest */
	uint32_t opened;
	uint32_t refused;
	uint32_t closed;
	uint32_t drained;
	int fd;
	bool reads;
	bool ended;
	char *heard;
	size_t heard_size;
	const char *wanted;
};

static void on_closed(void *context)
{
	struct fixture *f = context;
	f->closed++;
}

static void open_stream(void *context, struct host_http_exchange *e)
{
	struct fixture *f = context;
	enum cs_err err = host_http_reply_stream(&f->stream, e, "text/event-stream", on_closed, f);
	if (err != CS_OK) {
		f->refused++;
		host_http_reply_problem(e, err, NULL);
		return;
	}
	f->opened++;
}

static void on_tick(void *context)
{
	struct fixture *f = context;
	while (f->reads && !f->ended && f->heard_size < HEARD_MAX) {
		ssize_t n = recv(f->fd, f->heard + f->heard_size, HEARD_MAX - f->heard_size,
				 MSG_DONTWAIT);
		if (n <= 0) {
			f->ended = n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
			break;
		}
		f->heard_size += (size_t)n;
		f->heard[f->heard_size] = 0;
	}
}

static int set_up(void **state)
{
	struct fixture *f = host_alloc(sizeof *f);
	struct cs_why why;
	f->loop = host_loop_new();
	f->heard = host_alloc(HEARD_MAX + 1);
	f->fd = -1;
	f->reads = true;
	const struct host_http_server_options options = {.streams_max = STREAMS_MAX};
	assert_ok(host_http_server_new(&f->server, f->loop, &options, &why));
	host_http_server_route(f->server, "GET", "/stream", 0, open_stream, f);
	f->timer = host_timer_new(f->loop, on_tick, f);
	host_timer_start(f->timer, TICK_MS, TICK_MS);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	if (f->fd >= 0)
		close(f->fd);
	host_timer_free(f->timer);
	host_http_server_free(f->server);
	host_loop_free(f->loop);
	free(f->heard);
	free(f);
	return 0;
}

/* A small window, so that it is full soon. */
static int dial(const struct fixture *f, const char *text)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(host_http_server_port(f->server)),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int room = 4096;
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room), 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(send(fd, text, strlen(text), 0), (ssize_t)strlen(text));
	return fd;
}

static void wait_for(struct fixture *f, bool (*done)(void *context))
{
	assert_ok(host_loop_run_until(f->loop, done, f, WAIT_MS));
}

static bool is_open(void *context)
{
	return ((struct fixture *)context)->opened > 0;
}

static bool has_heard(void *context)
{
	const struct fixture *f = context;
	return strstr(f->heard, f->wanted) != NULL;
}

static bool is_closed(void *context)
{
	return ((struct fixture *)context)->closed > 0;
}

static void begin(struct fixture *f)
{
	f->fd = dial(f, ask);
	wait_for(f, is_open);
}

static void hears(struct fixture *f, const char *text)
{
	f->wanted = text;
	wait_for(f, has_heard);
}

static void say(struct fixture *f, const char *text)
{
	host_http_stream_send(f->stream, cs_bytes_str(text));
}

/* Each piece comes when it is sent, not with the next one, and the body has an end. */
static void pieces_come_as_they_are_sent(void **state)
{
	struct fixture *f = *state;
	begin(f);
	say(f, "one\n");
	hears(f, "one\n");
	assert_non_null(strstr(f->heard, "HTTP/1.1 200 "));
	assert_non_null(strstr(f->heard, "Content-Type: text/event-stream\r\n"));
	assert_int_equal(host_http_stream_stalled_ms(f->stream), 0);
	say(f, "two\n");
	say(f, "three\n");
	hears(f, "two\nthree\n");
	host_http_stream_end(f->stream, cs_bytes_str("last\n"));
	hears(f, "last\n\r\n0\r\n\r\n");
	assert_int_equal(f->closed, 0);
}

/* After its end the connection takes the next request. */
static void a_connection_goes_on_after_it(void **state)
{
	struct fixture *f = *state;
	begin(f);
	host_http_stream_end(f->stream, CS_BYTES_NONE);
	hears(f, "0\r\n\r\n");
	assert_int_equal(send(f->fd, ask, strlen(ask), 0), (ssize_t)strlen(ask));
	f->opened = 0;
	wait_for(f, is_open);
	say(f, "again\n");
	hears(f, "again\n");
}

static bool is_stalled(void *context)
{
	return host_http_stream_stalled_ms(((struct fixture *)context)->stream) > 100;
}

/* What is queued is bounded by the producer; what is dropped ends between two pieces, and the reader
 * hears why. */
static void a_slow_reader_is_dropped_with_the_reason(void **state)
{
	struct fixture *f = *state;
	char piece[1024];
	memset(piece, '.', sizeof piece - 1);
	piece[0] = '<';
	piece[sizeof piece - 2] = '>';
	piece[sizeof piece - 1] = 0;
	f->reads = false;
	begin(f);
	for (size_t i = 0; i < 7000; i++)
		say(f, piece);
	wait_for(f, is_stalled);
	assert_true(host_http_stream_queued(f->stream) > 100 * sizeof piece);
	host_http_stream_end(f->stream, cs_bytes_str("dropped\n"));
	f->reads = true;
	hears(f, "dropped\n\r\n0\r\n\r\n");
	const char *last = strstr(f->heard, "dropped\n");
	while (last[-1] != '>')
		last--; /* a chunk's head may stand between */
	assert_true(strstr(f->heard, "dropped") - last < 16);
	assert_true(f->heard_size < 7000 * sizeof piece);
	assert_int_equal(f->closed, 0);
}

static bool is_noticed(void *context)
{
	struct fixture *f = context;
	if (f->closed == 0)
		say(f, "anybody there?\n");
	return f->closed > 0;
}

static void who_goes_away_is_noticed(void **state)
{
	struct fixture *f = *state;
	begin(f);
	say(f, "one\n");
	hears(f, "one\n");
	f->reads = false;
	close(f->fd);
	f->fd = -1;
	wait_for(f, is_noticed);
	assert_int_equal(f->closed, 1);
}

static bool is_refused(void *context)
{
	return ((struct fixture *)context)->refused > 0;
}

static void no_more_than_may_be(void **state)
{
	struct fixture *f = *state;
	int fds[STREAMS_MAX];
	for (size_t i = 0; i < STREAMS_MAX; i++) {
		f->opened = 0;
		fds[i] = dial(f, ask);
		wait_for(f, is_open);
	}
	f->fd = dial(f, ask);
	wait_for(f, is_refused);
	hears(f, "HTTP/1.1 503 ");
	hears(f, "\"code\":\"full\"");
	for (size_t i = 0; i < STREAMS_MAX; i++)
		close(fds[i]);
}

/* HEAD has no body: it is over at once. */
static void head_is_not_followed_by_a_stream(void **state)
{
	struct fixture *f = *state;
	f->fd = dial(f, "HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n");
	wait_for(f, is_closed);
	hears(f, "\r\n\r\n");
	assert_non_null(strstr(f->heard, "HTTP/1.1 200 "));
}

static void on_drained(void *context)
{
	((struct fixture *)context)->drained++;
}

static bool is_drained(void *context)
{
	return ((struct fixture *)context)->drained > 0;
}

static void a_drain_ends_it(void **state)
{
	struct fixture *f = *state;
	begin(f);
	say(f, "one\n");
	host_http_server_drain(f->server, on_drained, f);
	hears(f, "one\n\r\n0\r\n\r\n");
	wait_for(f, is_drained);
	assert_int_equal(f->closed, 1);
}

static void the_servers_end_is_told(void **state)
{
	struct fixture *f = *state;
	begin(f);
	say(f, "one\n");
	hears(f, "one\n");
	host_http_server_free(f->server);
	f->server = NULL;
	assert_int_equal(f->closed, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(pieces_come_as_they_are_sent),
		T(a_connection_goes_on_after_it),
		T(a_slow_reader_is_dropped_with_the_reason),
		T(who_goes_away_is_noticed),
		T(no_more_than_may_be),
		T(head_is_not_followed_by_a_stream),
		T(a_drain_ends_it),
		T(the_servers_end_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
