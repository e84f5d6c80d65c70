/* The loader of the ledger's figures: sends transactions to all nodes over WebSockets and notes when each
 * block is announced. It knows CometBFT's RPC alone, so that every column is asked the same.
 *
 *   bench_ledger SECONDS SIZE CONNECTIONS rate|window N PORT…
 *   bench_ledger SECONDS records:BATCH:FIRST:TAG CONNECTIONS rate|window N PORT…
 *
 * Transactions are keys and values of SIZE bytes for the kvstore, or relay records for the ledger whose chain has
 * this tag, BATCH each, one account a connection from the one of index FIRST on (ledger_records.h).
 * rate: N transactions a second, whatever comes back. window: N that are sent and not in a block. Each
 * transaction for the kvstore carries the time at which it was sent, so that who reads the blocks knows how long
 * it took. */
#include "bench/bench.h"
#include "bench/ledger_records.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64u
#define TX_SIZE_MAX BENCH_RECORDS_SIZE_MAX
#define BLOCKS_MAX 65536u
/* What one connection may have unsent before the next one is asked. */
#define OUT_FULL (256u * 1024)
#define DRAIN_S 10.0

struct connection {
	int fd;
	bool is_watching;
	uint8_t *out, *in;
	size_t out_size, out_room, out_begin, in_size, in_room;
};

struct seen {
	long long height, txs;
	double at;
};

static struct connection connections[CONNECTIONS_MAX];
static size_t connection_count;
static struct seen blocks[BLOCKS_MAX];
static size_t block_count;
static unsigned long long sent, accepted, refused, committed;
static char first_refusal[256];

static void append(uint8_t **p, size_t *size, size_t *room, const void *bytes, size_t n)
{
	if (*size + n > *room) {
		*room = 2 * (*size + n);
		*p = realloc(*p, *room);
		if (*p == NULL)
			bench_die("no memory");
	}
	memcpy(*p + *size, bytes, n);
	*size += n;
}

/* ---- WebSocket, a client's half (RFC 6455) ---- */

static void put_frame(struct connection *c, uint8_t opcode, const char *text, size_t n)
{
	/* Masked with zero, as a client must and nobody gains. */
	uint8_t head[14] = {(uint8_t)(0x80 | opcode)};
	size_t at = 2;
	if (n < 126) {
		head[1] = (uint8_t)(0x80 | n);
	} else {
		head[1] = 0x80 | 126;
		head[at++] = (uint8_t)(n >> 8);
		head[at++] = (uint8_t)n;
	}
	append(&c->out, &c->out_size, &c->out_room, head, at + 4);
	append(&c->out, &c->out_size, &c->out_room, text, n);
}

static void open_connection(struct connection *c, uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	char text[512];
	size_t size = 0;
	int on = 1;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0)
		bench_die("a node does not answer");
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	int n = snprintf(text, sizeof text,
			 "GET /websocket HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\n"
			 "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
			 "Sec-WebSocket-Version: 13\r\n\r\n",
			 port);
	if (write(c->fd, text, (size_t)n) != n)
		bench_die("a node does not take a request");
	/* Byte by byte, so that nothing of what follows is swallowed. */
	while (size + 1 < sizeof text && read(c->fd, text + size, 1) == 1) {
		text[++size] = 0;
		if (size >= 4 && memcmp(text + size - 4, "\r\n\r\n", 4) == 0)
			break;
	}
	if (strstr(text, " 101 ") == NULL)
		bench_die("a node offers no WebSocket");
	(void)fcntl(c->fd, F_SETFL, O_NONBLOCK);
}

static long long number_after(const char *text, const char *name)
{
	const char *at = strstr(text, name);
	return at != NULL ? strtoll(at + strlen(name), NULL, 10) : -1;
}

static void on_text(struct connection *c, const char *text)
{
	if (c->is_watching) {
		long long height = number_after(text, "\"height\":\"");
		long long txs = number_after(text, "\"num_txs\":\"");
		if (height > 0 && txs >= 0 && block_count < BLOCKS_MAX) {
			blocks[block_count++] = (struct seen){height, txs, bench_now()};
			committed += (unsigned long long)txs;
		}
		return;
	}
	if (strstr(text, "\"code\":0,") != NULL) {
		accepted++;
	} else {
		if (refused++ == 0)
			(void)snprintf(first_refusal, sizeof first_refusal, "%s", text);
	}
}

static void take_frames(struct connection *c)
{
	size_t used = 0;
	while (c->in_size - used >= 2) {
		const uint8_t *p = c->in + used;
		size_t n = p[1] & 127, head = 2, left = c->in_size - used;
		if (n == 126)
			head = 4;
		else if (n == 127)
			head = 10;
		if (left < head)
			break;
		if (head > 2)
			n = 0;
		for (size_t i = 2; i < head; i++)
			n = n << 8 | p[i];
		if (left - head < n)
			break;
		if ((p[0] & 15) == 9)
			put_frame(c, 10, (const char *)p + head, n);
		if ((p[0] & 15) == 8)
			bench_die("a node ended a WebSocket");
		if ((p[0] & 15) <= 1) {
			char *text = malloc(n + 1);
			if (text == NULL)
				bench_die("no memory");
			memcpy(text, p + head, n);
			text[n] = 0;
			on_text(c, text);
			free(text);
		}
		used += head + n;
	}
	memmove(c->in, c->in + used, c->in_size - used);
	c->in_size -= used;
}

/* ---- the load ---- */

static size_t base64(char *to, const uint8_t *p, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t at = 0;
	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) |
			     (i + 2 < n ? p[i + 2] : 0);
		to[at++] = digits[v >> 18];
		to[at++] = digits[v >> 12 & 63];
		to[at++] = i + 1 < n ? digits[v >> 6 & 63] : '=';
		to[at++] = i + 2 < n ? digits[v & 63] : '=';
	}
	return at;
}

static void make_pair(uint8_t *tx, size_t size)
{
	char key[64];
	int n = snprintf(key, sizeof key,
			 "%016llx-%010llu=", (unsigned long long)(bench_now() * 1e9), sent);
	memset(tx, 'x', size);
	memcpy(tx, key, (size_t)n);
}

/* size 0: records. */
static void send_tx(struct connection *c, size_t size)
{
	static uint8_t tx[TX_SIZE_MAX];
	static char text[2 * TX_SIZE_MAX];
	if (size == 0)
		size = bench_records_tx(tx, (size_t)(c - connections) - 1);
	else
		make_pair(tx, size);
	int used = snprintf(text, sizeof text,
			    "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"broadcast_tx_sync\","
			    "\"params\":{\"tx\":\"",
			    sent);
	size_t end = (size_t)used + base64(text + used, tx, size);
	memcpy(text + end, "\"}}", 3);
	put_frame(c, 1, text, end + 3);
	sent++;
}

static void watch(struct connection *c)
{
	static const char text[] =
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subscribe\",\"params\":{\"query\":"
		"\"tm.event='NewBlockEvents'\"}}";
	c->is_watching = true;
	put_frame(c, 1, text, sizeof text - 1);
}

static void turn(int wait_ms)
{
	static uint8_t bytes[65536];
	struct pollfd polls[CONNECTIONS_MAX];
	for (size_t i = 0; i < connection_count; i++) {
		struct connection *c = &connections[i];
		polls[i] = (struct pollfd){
			c->fd, (short)(POLLIN | (c->out_size > c->out_begin ? POLLOUT : 0)), 0};
	}
	(void)poll(polls, connection_count, wait_ms);
	for (size_t i = 0; i < connection_count; i++) {
		struct connection *c = &connections[i];
		ssize_t n;
		if (c->out_size > c->out_begin) {
			n = write(c->fd, c->out + c->out_begin, c->out_size - c->out_begin);
			if (n > 0)
				c->out_begin += (size_t)n;
			if (c->out_begin == c->out_size)
				c->out_begin = c->out_size = 0;
		}
		if ((polls[i].revents & (POLLIN | POLLHUP | POLLERR)) == 0)
			continue;
		while ((n = read(c->fd, bytes, sizeof bytes)) > 0)
			append(&c->in, &c->in_size, &c->in_room, bytes, (size_t)n);
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			bench_die("a node is gone");
		take_frames(c);
	}
}

static bool may_send(bool is_rate, unsigned long long n, double begin)
{
	if (is_rate)
		return (double)sent < (double)n * (bench_now() - begin);
	/* What was refused is in no block. */
	return sent - refused < n + committed;
}

static size_t read_kind(const char *text)
{
	char *end;
	if (strncmp(text, "records:", 8) != 0)
		return strtoul(text, NULL, 10);
	const size_t batch = strtoul(text + 8, &end, 10);
	const size_t first = *end == ':' ? strtoul(end + 1, &end, 10) : 0;
	bench_records_init(*end == ':' ? end + 1 : "", batch, first);
	return 0;
}

int main(int argc, char **argv)
{
	size_t per_node = 0, at = 1;
	if (argc < 7)
		bench_die("SECONDS SIZE CONNECTIONS rate|window N PORT…");
	double seconds = strtod(argv[1], NULL);
	size_t size = read_kind(argv[2]);
	per_node = strtoul(argv[3], NULL, 10);
	bool is_rate = strcmp(argv[4], "rate") == 0;
	unsigned long long n = strtoull(argv[5], NULL, 10);
	size_t nodes = (size_t)argc - 6;
	if ((size > 0 && size < 64) || size > TX_SIZE_MAX || nodes * per_node + 1 > CONNECTIONS_MAX)
		bench_die("too much");
	open_connection(&connections[connection_count++], (uint16_t)strtoul(argv[6], NULL, 10));
	watch(&connections[0]);
	for (size_t i = 0; i < nodes * per_node; i++)
		open_connection(&connections[connection_count++],
				(uint16_t)strtoul(argv[6 + i % nodes], NULL, 10));
	/* From a block on, so that the first of them is known. */
	for (double end = bench_now() + 30; block_count == 0; turn(10)) {
		if (bench_now() > end)
			bench_die("no block comes");
	}
	double begin = bench_now(), cpu = bench_cpu();
	while (bench_now() - begin < seconds) {
		for (unsigned i = 0; i < 64 && may_send(is_rate, n, begin); i++) {
			struct connection *c = &connections[1 + at++ % (connection_count - 1)];
			if (c->out_size - c->out_begin < OUT_FULL)
				send_tx(c, size);
		}
		turn(may_send(is_rate, n, begin) ? 0 : 1);
	}
	double end = bench_now();
	cpu = bench_cpu() - cpu;
	unsigned long long at_end = committed;
	while (committed < accepted && bench_now() - end < DRAIN_S)
		turn(10);
	printf("{\"seconds\": %.4f, \"sent\": %llu, \"accepted\": %llu, \"refused\": %llu, "
	       "\"committed_in_time\": %llu, \"committed\": %llu, \"cpu_s\": %.3f, \"begin\": "
	       "%.6f, "
	       "\"end\": %.6f, \"refusal\": \"",
	       end - begin, sent, accepted, refused, at_end, committed, cpu, begin, end);
	for (const char *p = first_refusal; *p != 0; p++)
		printf(*p == '"' || *p == '\\' || *p < ' ' ? "'" : "%c", *p);
	printf("\", \"blocks\": [");
	for (size_t i = 0; i < block_count; i++)
		printf("%s[%lld, %lld, %.6f]", i > 0 ? ", " : "", blocks[i].height, blocks[i].txs,
		       blocks[i].at);
	printf("]}\n");
	return 0;
}
