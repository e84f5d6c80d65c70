/* Readers of a gateway's WebSocket /v1/events: how many get everything, and how late. The API key comes on stdin, so
 * that it is in no list of processes.
 *
 *   bench_subscribers PORT COUNT SECONDS
 *
 * Says `ready` once all are connected or refused, listens so many seconds, then prints one JSON object. An event is late
 * by the wall clock on which it is read minus its own time_ms, which is when the gateway began to write it down: its
 * commit is part of that. Every reader's cursors must follow each other without a gap. */
#include "bench/bench.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_SIZE 16384u
#define AT_ONCE 256
#define CONNECT_TIMEOUT_S 10
#define OP_TEXT 0x1u
#define OP_PING 0x9u

struct reader {
	int fd;
	size_t size;
	unsigned long long cursor, events, gaps;
	char buffer[BUFFER_SIZE];
};

static struct reader *readers;
static size_t count, connected, lost;
static double *lags; /* milliseconds */
static size_t lag_count, lag_room;
static char key[256];

static double wall_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

/* ---- connecting ---- */

static bool upgrade(struct reader *r)
{
	char request[640];
	int n = snprintf(
		request, sizeof(request),
		"GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: "
		"Upgrade\r\n"
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
		"Authorization: Bearer %s\r\n\r\n",
		key);
	if (n <= 0 || (size_t)n >= sizeof(request) || send(r->fd, request, (size_t)n, 0) != n)
		return false;
	for (;;) {
		ssize_t got = recv(r->fd, r->buffer + r->size, BUFFER_SIZE - 1 - r->size, 0);
		if (got <= 0)
			return false;
		r->size += (size_t)got;
		r->buffer[r->size] = 0;
		char *end = strstr(r->buffer, "\r\n\r\n");
		if (end == NULL)
			continue;
		if (strncmp(r->buffer, "HTTP/1.1 101", 12) != 0)
			return false;
		size_t head = (size_t)(end + 4 - r->buffer);
		r->size -= head;
		memmove(r->buffer, r->buffer + head, r->size);
		return true;
	}
}

static void connect_one(struct reader *r, uint16_t port, int epoll)
{
	const struct sockaddr_in to = {.sin_family = AF_INET,
				       .sin_port = htons(port),
				       .sin_addr = {htonl(INADDR_LOOPBACK)}};
	const struct timeval timeout = {.tv_sec = CONNECT_TIMEOUT_S};
	struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = r}};
	r->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (r->fd < 0)
		bench_die("no more sockets: raise the limit of open files");
	(void)setsockopt(r->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	if (connect(r->fd, (const struct sockaddr *)&to, sizeof(to)) != 0 || !upgrade(r)) {
		close(r->fd);
		r->fd = -1;
		return;
	}
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, r->fd, &event) != 0)
		bench_die("epoll");
	connected++;
}

/* ---- listening ---- */

static unsigned long long number_after(const char *text, size_t n, const char *name)
{
	const char *at = memmem(text, n, name, strlen(name));
	return at != NULL ? strtoull(at + strlen(name), NULL, 10) : 0;
}

static void take_event(struct reader *r, const char *text, size_t n, double now_ms)
{
	unsigned long long cursor = number_after(text, n, "\"cursor\":");
	double time_ms = (double)number_after(text, n, "\"time_ms\":");
	if (cursor == 0 || time_ms <= 0)
		bench_die("an event without cursor or time");
	r->gaps += r->cursor != 0 && cursor != r->cursor + 1;
	r->cursor = cursor;
	r->events++;
	if (lag_count == lag_room) {
		lag_room = lag_room > 0 ? 2 * lag_room : 1u << 20;
		lags = realloc(lags, lag_room * sizeof(*lags));
		if (lags == NULL)
			bench_die("no memory");
	}
	lags[lag_count++] = now_ms - time_ms;
}

/* Nothing of what a client sends needs to be secret from a proxy here: a mask of zeros (RFC 6455, 5.3). */
static void pong(struct reader *r, const char *data, size_t n)
{
	char frame[6 + 125] = {(char)0x8A, (char)(0x80 | n)};
	memcpy(frame + 6, data, n);
	(void)!send(r->fd, frame, 6 + n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Bytes of the first frame, 0: it is not whole yet. */
static size_t take_frame(struct reader *r, const char *p, size_t n, double now_ms)
{
	if (n < 2)
		return 0;
	size_t head = 2, size = (uint8_t)p[1] & 0x7F;
	unsigned op = (uint8_t)p[0] & 0x0F;
	if (size == 127)
		bench_die("an event of 64 KiB");
	if (size == 126) {
		if (n < 4)
			return 0;
		head = 4;
		size = (size_t)(uint8_t)p[2] << 8 | (uint8_t)p[3];
	}
	if (n < head + size)
		return 0;
	if (op == OP_TEXT)
		take_event(r, p + head, size, now_ms);
	else if (op == OP_PING && size <= 125)
		pong(r, p + head, size);
	return head + size;
}

static void take(struct reader *r)
{
	ssize_t got = recv(r->fd, r->buffer + r->size, BUFFER_SIZE - r->size, MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		close(r->fd);
		r->fd = -1;
		lost++;
		return;
	}
	r->size += (size_t)got;
	size_t at = 0, n;
	double now_ms = wall_ms();
	while ((n = take_frame(r, r->buffer + at, r->size - at, now_ms)) > 0)
		at += n;
	r->size -= at;
	memmove(r->buffer, r->buffer + at, r->size);
}

static void listen_for(int epoll, int timeout_ms)
{
	struct epoll_event events[AT_ONCE];
	int n = epoll_wait(epoll, events, AT_ONCE, timeout_ms);
	for (int i = 0; i < n; i++)
		take(events[i].data.ptr);
}

/* ---- what came of it ---- */

static double part(double share)
{
	return lag_count > 0 ? lags[(size_t)(share * (double)(lag_count - 1))] : 0;
}

static void print(double seconds)
{
	unsigned long long least = ~0ull, most = 0, gaps = 0, last_least = ~0ull, last_most = 0;
	for (size_t i = 0; i < count; i++) {
		const struct reader *r = &readers[i];
		if (r->fd < 0)
			continue;
		least = r->events < least ? r->events : least;
		most = r->events > most ? r->events : most;
		last_least = r->cursor < last_least ? r->cursor : last_least;
		last_most = r->cursor > last_most ? r->cursor : last_most;
		gaps += r->gaps;
	}
	qsort(lags, lag_count, sizeof(*lags), bench_compare);
	printf("{\"readers\": %zu, \"connected\": %zu, \"lost\": %zu, \"delivered\": %zu, "
	       "\"per_s\": %.0f, \"events_least\": %llu, "
	       "\"events_most\": %llu, \"last_least\": %llu, \"last_most\": %llu, \"gaps\": %llu, "
	       "\"lag_ms\": {\"p50\": %.1f, \"p99\": %.1f, "
	       "\"max\": %.1f}, \"cpu_s\": %.2f}\n",
	       count, connected, lost, lag_count, (double)lag_count / seconds,
	       connected ? least : 0, most, connected ? last_least : 0, last_most, gaps, part(0.5),
	       part(0.99), part(1), bench_cpu());
}

int main(int argc, char **argv)
{
	struct rlimit files;
	if (argc != 4 || fgets(key, sizeof(key), stdin) == NULL)
		bench_die("usage: bench_subscribers PORT COUNT SECONDS, the API key on stdin");
	key[strcspn(key, "\r\n")] = 0;
	uint16_t port = (uint16_t)strtoul(argv[1], NULL, 10);
	count = strtoul(argv[2], NULL, 10);
	double seconds = strtod(argv[3], NULL);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	readers = calloc(count, sizeof(*readers));
	int epoll = epoll_create1(0);
	if (readers == NULL || epoll < 0)
		bench_die("no memory");
	/* The first ones answer pings while the last ones connect. */
	for (size_t i = 0; i < count; i++) {
		connect_one(&readers[i], port, epoll);
		listen_for(epoll, 0);
	}
	puts("ready");
	fflush(stdout);
	double end = bench_now() + seconds;
	for (double left; (left = end - bench_now()) > 0;)
		listen_for(epoll, (int)(left * 1e3) + 1);
	print(seconds);
	return 0;
}
