/* A line with a delay: whatever comes to a port arrives at another one so many milliseconds later, in
 * both directions, and in order.
 *
 *   bench_forward MILLISECONDS FROM:TO…
 *
 * Prints one line when it listens; SIGTERM ends it and prints its CPU seconds. */
#include "bench/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINES_MAX 64u
#define PAIRS_MAX 512u
#define PIECE_SIZE (64u * 1024)
/* What one direction holds; beyond it the sender waits, as on a long line with that window. */
#define HELD_MAX (64u * 1024 * 1024)

struct piece {
	struct piece *next;
	double due;
	size_t size, begin; /* size 0: the end */
	uint8_t bytes[];
};

struct direction {
	int from, to;
	struct piece *first, **last;
	size_t held;
	bool is_ended;
};

struct pair {
	bool is_used;
	struct direction ways[2];
};

static struct pair pairs[PAIRS_MAX];
static double delay_s;
static volatile sig_atomic_t is_over;

static void on_signal(int number)
{
	(void)number;
	is_over = 1;
}

static struct sockaddr_in loopback(const char *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

static int listen_on(const char *port)
{
	struct sockaddr_in address = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
	    listen(fd, 64) != 0)
		bench_die("a port is not to be had");
	return fd;
}

static void set_up(int fd)
{
	int on = 1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
}

static void take_connection(int listener, const char *port)
{
	struct sockaddr_in address = loopback(port);
	int outer = accept(listener, NULL, NULL);
	int inner = socket(AF_INET, SOCK_STREAM, 0);
	if (outer < 0 || inner < 0 ||
	    connect(inner, (struct sockaddr *)&address, sizeof address) != 0) {
		(void)close(outer);
		(void)close(inner);
		return;
	}
	set_up(outer);
	set_up(inner);
	for (size_t i = 0; i < PAIRS_MAX; i++) {
		struct pair *p = &pairs[i];
		if (p->is_used)
			continue;
		*p = (struct pair){.is_used = true,
				   .ways = {{outer, inner, NULL, NULL, 0, false},
					    {inner, outer, NULL, NULL, 0, false}}};
		p->ways[0].last = &p->ways[0].first;
		p->ways[1].last = &p->ways[1].first;
		return;
	}
	bench_die("too many connections");
}

static void hold(struct direction *d)
{
	for (;;) {
		struct piece *piece = malloc(sizeof *piece + PIECE_SIZE);
		if (piece == NULL)
			bench_die("no memory");
		ssize_t n = read(d->from, piece->bytes, PIECE_SIZE);
		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			free(piece);
			return;
		}
		piece->size = n > 0 ? (size_t)n : 0;
		piece = realloc(piece, sizeof *piece + piece->size);
		if (piece == NULL)
			bench_die("no memory");
		piece->next = NULL;
		piece->begin = 0;
		piece->due = bench_now() + delay_s;
		*d->last = piece;
		d->last = &piece->next;
		d->held += piece->size;
		d->is_ended = piece->size == 0;
		if (d->is_ended || d->held >= HELD_MAX)
			return;
	}
}

/* False: the connection is over. */
static bool deliver(struct direction *d, double now)
{
	while (d->first != NULL && d->first->due <= now) {
		struct piece *piece = d->first;
		if (piece->size == 0)
			return false;
		ssize_t n = write(d->to, piece->bytes + piece->begin, piece->size - piece->begin);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		piece->begin += (size_t)n;
		if (piece->begin < piece->size)
			return true;
		d->held -= piece->size;
		d->first = piece->next;
		if (d->first == NULL)
			d->last = &d->first;
		free(piece);
	}
	return true;
}

static void end_pair(struct pair *p)
{
	for (unsigned k = 0; k < 2; k++) {
		for (struct piece *piece = p->ways[k].first; piece != NULL;) {
			struct piece *next = piece->next;
			free(piece);
			piece = next;
		}
	}
	(void)close(p->ways[0].from);
	(void)close(p->ways[1].from);
	p->is_used = false;
}

/* Sub-millisecond: poll counts in whole ones, and a line that is a millisecond late is another line. */
static void wait_for(struct pollfd *polls, size_t count, double due)
{
	double left = due - bench_now();
	struct timespec t = {0, 0};
	if (left > 0) {
		t.tv_sec = (time_t)left;
		t.tv_nsec = (long)((left - (double)t.tv_sec) * 1e9);
	}
	(void)ppoll(polls, (nfds_t)count, &t, NULL);
}

static void turn(const int *listeners, char *const *to, size_t line_count)
{
	static struct pollfd polls[LINES_MAX + 2 * PAIRS_MAX];
	static struct direction *of[LINES_MAX + 2 * PAIRS_MAX];
	size_t count = line_count;
	double due = bench_now() + 1;
	for (size_t i = 0; i < line_count; i++)
		polls[i] = (struct pollfd){listeners[i], POLLIN, 0};
	for (size_t i = 0; i < PAIRS_MAX; i++) {
		for (unsigned k = 0; pairs[i].is_used && k < 2; k++) {
			struct direction *d = &pairs[i].ways[k];
			if (d->first != NULL && d->first->due < due)
				due = d->first->due;
			if (d->is_ended || d->held >= HELD_MAX)
				continue;
			of[count] = d;
			polls[count++] = (struct pollfd){d->from, POLLIN, 0};
		}
	}
	wait_for(polls, count, due);
	for (size_t i = line_count; i < count; i++) {
		if (polls[i].revents != 0)
			hold(of[i]);
	}
	for (size_t i = 0; i < PAIRS_MAX; i++) {
		struct pair *p = &pairs[i];
		double now = bench_now();
		if (p->is_used && (!deliver(&p->ways[0], now) || !deliver(&p->ways[1], now)))
			end_pair(p);
	}
	for (size_t i = 0; i < line_count; i++) {
		if (polls[i].revents != 0)
			take_connection(listeners[i], to[i]);
	}
}

int main(int argc, char **argv)
{
	int listeners[LINES_MAX];
	char *to[LINES_MAX];
	size_t count = 0;
	if (argc < 3 || argc - 2 > (int)LINES_MAX)
		bench_die("MILLISECONDS FROM:TO…");
	delay_s = strtod(argv[1], NULL) / 1000;
	(void)signal(SIGTERM, on_signal);
	(void)signal(SIGPIPE, SIG_IGN);
	for (int i = 2; i < argc; i++) {
		char *colon = strchr(argv[i], ':');
		if (colon == NULL)
			bench_die("FROM:TO");
		*colon = 0;
		to[count] = colon + 1;
		listeners[count++] = listen_on(argv[i]);
	}
	printf("listening\n");
	(void)fflush(stdout);
	while (!is_over)
		turn(listeners, to, count);
	printf("{\"cpu_s\": %.3f}\n", bench_cpu());
	return 0;
}
