/* A program that is not the cluster's own, for tests/cluster/test_provision.py: asks for a secret as
 * docs/protocol/cluster.md says, and prints "ok EPOCH HASH-OF-THE-SECRET" or the error's name.
 *
 *   program SOCKET NAME                waits for a line first, when it is told to ("-w" before SOCKET)
 *   program -x OTHER SOCKET NAME       asks, leaves the rest to its child, and becomes OTHER
 *   program -c SOCKET NAME             asks, and its child sends the answer back
 *   program -s                         sleeps until it is ended */
#include "core/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void give_up(const char *what)
{
	printf("%s\n", what);
	exit(1);
}

static void put(int fd, const uint8_t *p, size_t n)
{
	uint8_t frame[4 + 64];
	cs_put_be32(frame, (uint32_t)n);
	memcpy(frame + 4, p, n);
	if (send(fd, frame, 4 + n, MSG_NOSIGNAL) != (ssize_t)(4 + n))
		give_up("closed");
}

static void get(int fd, uint8_t *p, size_t n)
{
	while (n > 0) {
		const ssize_t got = read(fd, p, n);
		if (got <= 0)
			give_up("closed");
		p += got;
		n -= (size_t)got;
	}
}

/* What is behind "ok"; ends the program with the name of an error. */
static size_t answer(int fd, uint8_t *out, size_t size)
{
	uint8_t head[4], body[1024];
	get(fd, head, sizeof head);
	const size_t n = cs_be32(head);
	if (n == 0 || n > sizeof body - 1)
		give_up("malformed");
	get(fd, body, n);
	const size_t name = body[0];
	if (name != 2 || memcmp(body + 1, "ok", 2) != 0) {
		body[1 + name] = 0;
		give_up((const char *)body + 1);
	}
	if (n - 3 > size)
		give_up("malformed");
	memcpy(out, body + 3, n - 3);
	return n - 3;
}

static void rest(int fd)
{
	uint8_t challenge[32], secret[48];
	char hex[65];
	if (answer(fd, challenge, sizeof challenge) != sizeof challenge)
		give_up("malformed");
	put(fd, challenge, sizeof challenge);
	if (answer(fd, secret, sizeof secret) != sizeof secret)
		give_up("malformed");
	const struct cs_hash hash = cs_sha256(cs_bytes(secret + 16, 32));
	cs_hex(hex, CS_BYTES_OF(hash.b));
	printf("ok %u %s\n", (unsigned)cs_be64(secret), hex);
}

static int begin(const char *path, const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	uint8_t request[8 + 32] = {0};
	const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	(void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	if (strlen(name) > 32 ||
	    connect(fd, (const struct sockaddr *)&address, sizeof address) != 0)
		give_up("unreachable");
	memcpy(request + 8, name, strlen(name));
	put(fd, request, 8 + strlen(name));
	return fd;
}

/* The child finishes; this process, whose pid it was that connected, becomes another program. */
static void become(const char *program, const char *path, const char *name)
{
	static char sleeps[] = "-s";
	char copy[4096];
	(void)snprintf(copy, sizeof copy, "%s", program);
	char *const arguments[] = {copy, sleeps, NULL};
	const int fd = begin(path, name);
	const pid_t child = fork();
	if (child == 0) {
		(void)usleep(300 * 1000); /* the other one has its new name by then */
		rest(fd);
		exit(0);
	}
	(void)execv(copy, arguments);
	give_up("exec");
}

static int by_a_child(const char *path, const char *name)
{
	const int fd = begin(path, name);
	int status = 0;
	const pid_t child = fork();
	if (child == 0) {
		rest(fd);
		exit(0);
	}
	(void)waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 2 && strcmp(argv[1], "-s") == 0)
		return (int)sleep(60);
	if (argc == 5 && strcmp(argv[1], "-x") == 0)
		become(argv[2], argv[3], argv[4]);
	if (argc == 4 && strcmp(argv[1], "-c") == 0)
		return by_a_child(argv[2], argv[3]);
	if (argc == 4 && strcmp(argv[1], "-w") == 0) {
		printf("waiting\n");
		(void)getchar();
		argv++;
		argc--;
	}
	if (argc != 3)
		give_up("usage");
	rest(begin(argv[1], argv[2]));
	return 0;
}
