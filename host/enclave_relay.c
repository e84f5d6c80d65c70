/* caisson-enclave-relay: stands where a gateway expects its enclave's program, and is only the way to an enclave that is not beside it:
 * in a virtual machine, or under Gramine. Takes the connection that the gateway makes and carries its bytes. Reads none of
 * them and holds no key; what a gateway could do to an enclave beside it, it can do to this one.
 *
 *   caisson-enclave-relay --connect CID:PORT|loopback:PORT --listen-fd N [options of the enclave's program: passed over]
 *
 * CID:PORT is vsock(7), loopback:PORT is TCP of 127.0.0.1. */
#include <errno.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE_SIZE 65536u
/* An enclave that is not there is asked again so much later. */
#define AGAIN_S 1u

enum { USAGE = 64, FAILED = 70 };

struct arguments {
	int listen_fd;
	const char *text; /* of the address, for people */
	union {
		sa_family_t family;
		struct sockaddr any;
		struct sockaddr_vm vsock;
		struct sockaddr_in loopback;
	} to;
	socklen_t to_size; /* 0: none was given */
};

static bool take_number(uint32_t *out, const char *text, const char **rest)
{
	char *end;
	errno = 0;
	const unsigned long long value = strtoull(text, &end, 10);
	*rest = end;
	*out = (uint32_t)value;
	return errno == 0 && end != text && text[0] != '-' && value < UINT32_MAX;
}

static bool take_vsock(struct arguments *args, const char *text)
{
	uint32_t cid, port;
	const char *rest;
	if (!take_number(&cid, text, &rest) || *rest != ':' ||
	    !take_number(&port, rest + 1, &rest) || *rest != '\0')
		return false;
	args->to.vsock =
		(struct sockaddr_vm){.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port};
	args->to_size = sizeof args->to.vsock;
	return true;
}

static bool take_address(struct arguments *args, const char *text)
{
	static const char loopback[] = "loopback:";
	uint32_t port;
	const char *rest;
	args->text = text;
	if (strncmp(text, loopback, sizeof loopback - 1) != 0)
		return take_vsock(args, text);
	if (!take_number(&port, text + sizeof loopback - 1, &rest) || *rest != '\0' || port == 0 ||
	    port > 65535)
		return false;
	args->to.loopback = (struct sockaddr_in){.sin_family = AF_INET,
						 .sin_port = htons((uint16_t)port),
						 .sin_addr = {htonl(INADDR_LOOPBACK)}};
	args->to_size = sizeof args->to.loopback;
	return true;
}

/* The others are the enclave's: it has them where they are measured. */
static bool take_arguments(struct arguments *args, int argc, char **argv)
{
	*args = (struct arguments){.listen_fd = -1};
	for (int i = 1; i + 1 < argc; i++) {
		uint32_t fd;
		const char *rest;
		if (strcmp(argv[i], "--listen-fd") == 0 && take_number(&fd, argv[i + 1], &rest) &&
		    *rest == '\0' && fd <= INT32_MAX)
			args->listen_fd = (int)fd;
		if (strcmp(argv[i], "--connect") == 0 && !take_address(args, argv[i + 1]))
			return false;
	}
	return args->listen_fd > STDERR_FILENO && args->to_size > 0;
}

static bool write_all(int fd, const uint8_t *p, size_t n)
{
	while (n > 0) {
		const ssize_t done = send(fd, p, n, MSG_NOSIGNAL);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		p += done;
		n -= (size_t)done;
	}
	return true;
}

/* One piece from one end to the other; false: the connection is over. */
static bool carry(int from, int to)
{
	static uint8_t piece[PIECE_SIZE];
	const ssize_t got = read(from, piece, sizeof piece);
	if (got < 0 && errno == EINTR)
		return true;
	return got > 0 && write_all(to, piece, (size_t)got);
}

/* The boundary is question and answer: whoever does not read is not read either. */
static void pump(int a, int b)
{
	struct pollfd ends[] = {{.fd = a, .events = POLLIN}, {.fd = b, .events = POLLIN}};
	for (;;) {
		if (poll(ends, 2, -1) < 0 && errno != EINTR)
			return;
		if (ends[0].revents != 0 && !carry(a, b))
			return;
		if (ends[1].revents != 0 && !carry(b, a))
			return;
	}
}

static void serve(int client, const struct arguments *args)
{
	const int enclave = socket(args->to.family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (enclave >= 0 && connect(enclave, &args->to.any, args->to_size) == 0) {
		pump(client, enclave);
	} else {
		fprintf(stderr, "caisson-enclave-relay: %s: %s\n", args->text, strerror(errno));
		(void)sleep(AGAIN_S);
	}
	if (enclave >= 0)
		(void)close(enclave);
}

int main(int argc, char **argv)
{
	struct arguments args;
	if (!take_arguments(&args, argc, argv)) {
		fputs("usage: caisson-enclave-relay --connect CID:PORT|loopback:PORT --listen-fd N "
		      "[options of the enclave]\n",
		      stderr);
		return USAGE;
	}
	fprintf(stderr, "caisson-enclave-relay: the enclave is at %s\n", args.text);
	for (;;) {
		const int client = accept4(args.listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (client < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (client < 0) {
			fprintf(stderr, "caisson-enclave-relay: %s\n", strerror(errno));
			return FAILED;
		}
		serve(client, &args);
		(void)close(client);
	}
}
