/* The event stream to readers who are behind, as server-sent events and by WebSocket: nothing is left out, nothing is
 * buffered for ever. The rest of it is in tests/e2e/test_surface.py. */
#include "gateway/gateway.h"
#include "host/alloc.h"
#include "tests/unit/support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 20000
#define TICK_MS 10
/* Far more than the sockets of loopback take on their own. */
#define EVENTS 60000u
#define HEARD_MAX (16u * 1024 * 1024)
/* More than are told at once, which is 256; rounds of so many begin so far apart. */
#define MANY 300u
#define ROUND_MS 15u

static const char key[] = "0123456789abcdef0123456789abcdef";

struct fixture {
	struct gateway gateway;
	struct host_loop *loop;
	struct host_timer *timer;
	char path[64];
	int fd;
	bool reads;
	bool ended;
	char *heard;
	size_t heard_size;
	const char *wanted;
	size_t looked_at; /* of what was heard, for what is wanted */
	bool found;
};

static void on_tick(void *context)
{
	struct fixture *f = context;
	gateway_wake(&f->gateway);
	while (f->reads && !f->ended && f->fd >= 0 && f->heard_size < HEARD_MAX) {
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

static void add_key(struct host_api_keys *keys)
{
	struct cs_why why = {{0}};
	char hex[65];
	char line[128];
	struct cs_hash hash = cs_sha256(cs_bytes_str(key));
	cs_hex(hex, CS_BYTES_OF(hash.b));
	snprintf(line, sizeof(line), "reader read %s\n", hex);
	assert_ok(host_api_keys_parse(keys, cs_bytes_str(line), gateway_scope_names, &why));
}

static int set_up(void **state)
{
	struct fixture *f = host_alloc(sizeof(*f));
	struct cs_why why = {{0}};
	f->loop = host_loop_new();
	f->heard = host_alloc(HEARD_MAX + 1);
	f->fd = -1;
	f->reads = true;
	f->gateway.loop = f->loop;
	snprintf(f->path, sizeof(f->path), "/tmp/caisson-events-XXXXXX");
	int fd = mkstemp(f->path);
	assert_true(fd >= 0);
	close(fd);
	unlink(f->path);
	assert_ok(gateway_journal_open(&f->gateway.journal, f->loop, f->path, &why));
	add_key(&f->gateway.keys);
	const struct host_http_server_options options = {.keys = &f->gateway.keys,
							 .connections_max = MANY + 100,
							 .connections_per_ip_max = MANY + 100,
							 .streams_max = MANY + 50};
	assert_ok(host_http_server_new(&f->gateway.server, f->loop, &options, &why));
	gateway_events_route(&f->gateway);
	assert_ok(gateway_events_start(&f->gateway, &why));
	f->timer = host_timer_new(f->loop, on_tick, f);
	host_timer_start(f->timer, TICK_MS, TICK_MS);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	static const char *const ends[] = {"", "-wal", "-shm"};
	struct fixture *f = *state;
	char path[80];
	f->gateway.stopping = true; /* a turn of the pump may be posted */
	if (f->fd >= 0)
		close(f->fd);
	host_timer_free(f->timer);
	gateway_events_stop(&f->gateway);
	host_http_server_free(f->gateway.server);
	gateway_journal_close(f->gateway.journal);
	host_loop_free(f->loop);
	for (size_t i = 0; i < CS_LEN(ends); i++) {
		snprintf(path, sizeof(path), "%s%s", f->path, ends[i]);
		unlink(path);
	}
	free(f->heard);
	free(f);
	return 0;
}

static enum cs_err write_event(void *context)
{
	struct fixture *f = context;
	return gateway_journal_event(f->gateway.journal, "chain.reorg", NULL,
				     "eip155:31337: from 62");
}

static enum cs_err write_events(void *context)
{
	struct fixture *f = context;
	for (size_t i = 0; i < EVENTS; i++)
		CS_TRY(gateway_journal_event(
			f->gateway.journal, "chain.reorg", NULL,
			"eip155:31337: from 62, and a word or two more, so that "
			"each of them takes some room"));
	return CS_OK;
}

static enum cs_err write_prune(void *context)
{
	struct fixture *f = context;
	return gateway_journal_events_prune(f->gateway.journal, 10);
}

static int ask(uint16_t port, int room, const char *text)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(fd >= 0);
	if (room > 0)
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)), 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
	return fd;
}

/* HTTP/1.0 has no chunks: the body ends with the connection. */
static int dial_as(struct fixture *f, const char *cursor, int room)
{
	char text[256];
	snprintf(text, sizeof(text),
		 "GET /v1/events HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
		 "Last-Event-ID: %s\r\n\r\n",
		 key, cursor);
	return ask(host_http_server_port(f->gateway.server), room, text);
}

/* A small window, so that it is full soon. */
static void dial(struct fixture *f, const char *cursor)
{
	f->fd = dial_as(f, cursor, 4096);
}

static void dial_websocket(struct fixture *f, const char *cursor)
{
	char text[320];
	snprintf(text, sizeof(text),
		 "GET /v1/events?cursor=%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
		 "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
		 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
		 cursor, key);
	f->fd = ask(host_ws_server_port(f->gateway.events), 4096, text);
}

static bool has_heard(void *context)
{
	struct fixture *f = context;
	const size_t n = strlen(f->wanted);
	const size_t from = f->looked_at > n ? f->looked_at - n : 0;
	f->looked_at = f->heard_size;
	f->found = f->found || memmem(f->heard + from, f->heard_size - from, f->wanted, n) != NULL;
	return f->ended || f->found;
}

static bool has_ended(void *context)
{
	return ((struct fixture *)context)->ended;
}

static void hears(struct fixture *f, const char *text)
{
	f->wanted = text;
	f->looked_at = 0;
	f->found = false;
	assert_ok(host_loop_run_until(f->loop, has_heard, f, WAIT_MS));
	assert_true(f->found);
}

static void hang_up(struct fixture *f)
{
	close(f->fd);
	f->fd = -1;
	f->ended = false;
	f->heard_size = 0;
}

static bool never(void *context)
{
	(void)context;
	return false;
}

static void pass(struct fixture *f, uint64_t ms)
{
	assert_int_equal(host_loop_run_until(f->loop, never, f, ms), CS_ERR_TIMEOUT);
}

static void add_events(struct fixture *f)
{
	assert_ok(gateway_write(&f->gateway, write_events, f));
	pass(f, 100);
}

/* Lines that begin so. Not by strstr, for which a sanitizer measures the rest of the text each time. */
static size_t count_lines(const char *text, const char *beginning)
{
	size_t n = 0;
	for (const char *p = strchr(text, '\n'); p != NULL; p = strchr(p + 1, '\n'))
		n += strncmp(p + 1, beginning, strlen(beginning)) == 0;
	return n;
}

/* It pauses, and then gets all of it: the journal is the queue. */
static void a_slow_reader_gets_everything(void **state)
{
	struct fixture *f = *state;
	f->reads = false;
	add_events(f);
	dial(f, "0");
	pass(f, 500);
	f->reads = true;
	hears(f, "id: 60000\n");
	assert_non_null(strstr(f->heard, "retry: 1000\n\n"));
	assert_int_equal(count_lines(f->heard, "data: {\"cursor\":"), EVENTS);
}

/* It was at the end, is told from what is kept in memory, falls behind that, and goes on from the journal. */
static void a_reader_at_the_end_falls_behind_and_misses_nothing(void **state)
{
	struct fixture *f = *state;
	dial(f, "0");
	pass(f, 100);
	assert_ok(gateway_write(&f->gateway, write_event, f));
	hears(f, "id: 1\n");
	f->reads = false;
	add_events(f);
	pass(f, 500);
	f->reads = true;
	hears(f, "id: 60001\n");
	assert_int_equal(count_lines(f->heard, "data: {\"cursor\":"), EVENTS + 1);
	assert_ok(gateway_write(&f->gateway, write_event, f));
	hears(f, "id: 60002\n");
	assert_int_equal(count_lines(f->heard, "data: {\"cursor\":"), EVENTS + 2);
}

static void what_is_pruned_meanwhile_is_no_gap(void **state)
{
	struct fixture *f = *state;
	f->reads = false;
	add_events(f);
	dial(f, "0");
	pass(f, 500);
	assert_ok(gateway_write(&f->gateway, write_prune, f));
	f->reads = true;
	hears(f,
	      "event: dropped\ndata: {\"why\":\"the journal no longer keeps what follows\"}\n\n");
	assert_ok(host_loop_run_until(f->loop, has_ended, f, WAIT_MS));
	assert_null(strstr(f->heard, "id: 60000\n"));
}

/* At the start already: with the numbers that are kept. The one before the first of them misses nothing. */
static void a_cursor_that_is_no_longer_kept_is_refused(void **state)
{
	struct fixture *f = *state;
	add_events(f);
	assert_ok(gateway_write(&f->gateway, write_prune, f));
	static const char *const gone[] = {"0", "59989"};
	for (size_t i = 0; i < CS_LEN(gone); i++) {
		dial(f, gone[i]);
		hears(f, "cursor: the journal keeps the events 59991 to 60000");
		assert_int_equal(strncmp(f->heard + strcspn(f->heard, " "), " 409 ", 5), 0);
		assert_non_null(strstr(f->heard, "application/problem+json"));
		assert_null(strstr(f->heard, "data: "));
		hang_up(f);
	}
	dial(f, "59990");
	hears(f, "id: 60000\n");
	assert_int_equal(count_lines(f->heard, "data: {\"cursor\":"), 10);
}

static void a_reader_that_takes_nothing_is_dropped(void **state)
{
	struct fixture *f = *state;
	f->gateway.reader_stalled_ms = 300;
	f->reads = false;
	add_events(f);
	dial(f, "0");
	pass(f, 1500);
	f->reads = true;
	hears(f, "event: dropped\ndata: {\"why\":\"it took nothing for too long\"}\n\n");
	assert_ok(host_loop_run_until(f->loop, has_ended, f, WAIT_MS));
	assert_null(strstr(f->heard, "id: 60000\n"));
}

/* ---- the same by WebSocket ---- */

/* A frame's head has bytes of zero. */
static size_t count_in(const char *text, size_t n, const char *part)
{
	const size_t size = strlen(part);
	size_t count = 0;
	for (const char *p = text; (p = memmem(p, n - (size_t)(p - text), part, size)); p += size)
		count++;
	return count;
}

static void a_slow_websocket_gets_everything(void **state)
{
	struct fixture *f = *state;
	f->reads = false;
	add_events(f);
	dial_websocket(f, "0");
	pass(f, 500);
	f->reads = true;
	hears(f, "{\"cursor\":60000,");
	assert_int_equal(count_in(f->heard, f->heard_size, "{\"cursor\":"), EVENTS);
}

/* It resumes, and is told why by the frame that ends it: 1013. */
static void a_websocket_that_takes_nothing_is_dropped(void **state)
{
	struct fixture *f = *state;
	f->gateway.reader_stalled_ms = 300;
	f->reads = false;
	add_events(f);
	dial_websocket(f, "0");
	pass(f, 1500);
	f->reads = true;
	hears(f, "\x03\xf5it took nothing for too long");
	assert_ok(host_loop_run_until(f->loop, has_ended, f, WAIT_MS));
	assert_int_equal(count_in(f->heard, f->heard_size, "{\"cursor\":60000,"), 0);
}

/* ---- many of them ---- */

struct crowd {
	struct fixture *f;
	int fds[MANY];
	uint64_t cursors[MANY]; /* of the last event that each was told; all before it, too */
	size_t times[MANY];     /* how often each was told */
	size_t count;
	uint64_t until; /* events are written up to this one, one each turn of the timer */
	uint64_t written;
};

static enum cs_err write_one(void *context)
{
	return write_event(((struct crowd *)context)->f);
}

static void look_at_one(struct crowd *c, size_t i)
{
	char text[65536];
	ssize_t n = recv(c->fds[i], text, sizeof(text) - 1, MSG_DONTWAIT);
	if (n <= 0)
		return;
	text[n] = 0;
	bool any = false;
	for (const char *p = text; (p = strstr(p, "id: ")) != NULL; p++) {
		uint64_t cursor = strtoull(p + 4, NULL, 10);
		assert_int_equal(cursor, c->cursors[i] + 1);
		c->cursors[i] = cursor;
		any = true;
	}
	c->times[i] += any;
}

static void on_crowd(void *context)
{
	struct crowd *c = context;
	if (c->written < c->until && gateway_write(&c->f->gateway, write_one, c) == CS_OK)
		c->written++;
	gateway_wake(&c->f->gateway);
	for (size_t i = 0; i < c->count; i++)
		if (c->fds[i] >= 0)
			look_at_one(c, i);
}

static bool all_know(void *context)
{
	const struct crowd *c = context;
	for (size_t i = 0; i < c->count; i++)
		if (c->fds[i] >= 0 && c->cursors[i] < c->until)
			return false;
	return true;
}

static void crowd_leaves(struct crowd *c, size_t first, size_t step)
{
	for (size_t i = first; i < c->count; i += step) {
		if (c->fds[i] >= 0)
			close(c->fds[i]);
		c->fds[i] = -1;
	}
}

/* Events come one by one, each awaited by all. Nobody is told more often than the pace allows, all are told everything,
 * and who leaves while the others have their turn takes nobody's. */
static void many_readers_are_told_in_turn(void **state)
{
	struct fixture *f = *state;
	static struct crowd c;
	c = (struct crowd){.f = f, .count = MANY};
	for (size_t i = 0; i < MANY; i++) {
		c.fds[i] = dial_as(f, "0", 0);
		if (i % 50 == 49)
			pass(f, 20);
	}
	pass(f, 200);
	struct host_timer *timer = host_timer_new(f->loop, on_crowd, &c);
	uint64_t began_ms = host_now_ms();
	host_timer_start(timer, 1, 1);
	c.until = 150;
	assert_ok(host_loop_run_until(f->loop, all_know, &c, WAIT_MS));
	uint64_t rounds = (host_now_ms() - began_ms) / ROUND_MS + 2;
	for (size_t i = 0; i < MANY; i++)
		assert_in_range(c.times[i], 1, rounds);
	crowd_leaves(&c, 0, 3);
	c.until = 200;
	assert_ok(host_loop_run_until(f->loop, all_know, &c, WAIT_MS));
	crowd_leaves(&c, 1, 1);
	pass(f, 100);
	host_timer_free(timer);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_slow_reader_gets_everything),
		T(a_reader_at_the_end_falls_behind_and_misses_nothing),
		T(what_is_pruned_meanwhile_is_no_gap),
		T(a_cursor_that_is_no_longer_kept_is_refused),
		T(a_reader_that_takes_nothing_is_dropped),
		T(a_slow_websocket_gets_everything),
		T(a_websocket_that_takes_nothing_is_dropped),
		T(many_readers_are_told_in_turn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
