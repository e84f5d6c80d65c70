/* What a round trip to the enclave costs beside a bare ping-pong of the same sizes over the same
 * kind of socket, in turns in one run: bench_enclave SOCKET, the Unix socket of a running
 * caisson-enclave. The request is PublicKeys, which is empty. Writes one JSON object. */
#include "bench/bench.h"
#include "wire/enclave.pb-c.h"
#include "wire/frame.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUND 4000u

static void send_all(int fd, const uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			bench_die("send failed");
		p += sent;
		n -= (size_t)sent;
	}
}

/* False at the end of the stream. */
static bool read_all(int fd, uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t got = recv(fd, p, n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		p += got;
		n -= (size_t)got;
	}
	return true;
}

/* One request; the size of the reply's body. */
static size_t call(int fd, enum wire_type type, const uint8_t *body, size_t n)
{
	static uint8_t frame_bytes[WIRE_FRAME_HEAD_SIZE + 256], reply[65536];
	static uint64_t id;
	struct wire_frame frame = {(uint32_t)n, type, ++id};
	wire_frame_encode(frame_bytes, &frame);
	if (n > 0)
		memcpy(frame_bytes + WIRE_FRAME_HEAD_SIZE, body, n);
	send_all(fd, frame_bytes, WIRE_FRAME_HEAD_SIZE + n);
	if (!read_all(fd, reply, WIRE_FRAME_HEAD_SIZE) || wire_frame_decode(&frame, reply) != CS_OK)
		bench_die("no reply from the enclave");
	if (frame.type != type + 1 || frame.request_id != id || frame.body_size > sizeof(reply))
		bench_die("the enclave refused");
	if (!read_all(fd, reply, frame.body_size))
		bench_die("a reply is cut off");
	return frame.body_size;
}

static void hello(int fd)
{
	uint8_t nonce[32] = {1}, body[64];
	Caisson__Wire__HelloRequest request = CAISSON__WIRE__HELLO_REQUEST__INIT;
	request.nonce.data = nonce;
	request.nonce.len = sizeof(nonce);
	size_t n = caisson__wire__hello_request__pack(&request, body);
	(void)call(fd, WIRE_HELLO, body, n);
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address.sun_path))
		bench_die("the socket's path is too long");
	memcpy(address.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
		bench_die("nobody listens on the socket");
	return fd;
}

/* The other end of the ping-pong: reads a request, answers with so many bytes. */
static _Noreturn void echo(int fd, size_t reply_size)
{
	static uint8_t bytes[65536];
	while (read_all(fd, bytes, WIRE_FRAME_HEAD_SIZE))
		send_all(fd, bytes, reply_size);
	_exit(0);
}

static void ping(int fd, size_t reply_size)
{
	static uint8_t bytes[65536];
	send_all(fd, bytes, WIRE_FRAME_HEAD_SIZE);
	if (!read_all(fd, bytes, reply_size))
		bench_die("the echo ended");
}

int main(int argc, char **argv)
{
	if (argc != 2)
		bench_die("usage: bench_enclave SOCKET");
	int enclave = connect_to(argv[1]), pair[2];
	hello(enclave);
	size_t reply_size = WIRE_FRAME_HEAD_SIZE + call(enclave, WIRE_PUBLIC_KEYS, NULL, 0);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		bench_die("no socket pair");
	pid_t child = fork();
	if (child < 0)
		bench_die("no process");
	if (child == 0) {
		close(pair[0]);
		close(enclave);
		echo(pair[1], reply_size);
	}
	close(pair[1]);
	double ours[BENCH_RUNS], bare[BENCH_RUNS], ratio[BENCH_RUNS];
	for (size_t run = 0; run < BENCH_RUNS; run++) {
		double begin = bench_now();
		for (size_t i = 0; i < ROUND; i++)
			(void)call(enclave, WIRE_PUBLIC_KEYS, NULL, 0);
		double middle = bench_now();
		for (size_t i = 0; i < ROUND; i++)
			ping(pair[0], reply_size);
		ours[run] = (middle - begin) / ROUND * 1e6;
		bare[run] = (bench_now() - middle) / ROUND * 1e6;
		ratio[run] = ours[run] / bare[run];
	}
	close(pair[0]);
	(void)waitpid(child, NULL, 0);
	printf("{\"reply_bytes\": %zu, \"round_trip_us\": %.2f, \"ping_pong_us\": %.2f, \"ratio\": "
	       "%.3f}\n",
	       reply_size, bench_median(ours, BENCH_RUNS), bench_median(bare, BENCH_RUNS),
	       bench_median(ratio, BENCH_RUNS));
	close(enclave);
	return 0;
}
