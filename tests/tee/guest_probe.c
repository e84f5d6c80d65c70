/* In a test's guest in the place of the enclave: starts the enclave and caisson-enclave-relay beside itself and is the gateway, over real
 * vsock (loopback, CID 1). A test's image alone has it: a real one holds the enclave and nothing else.
 *
 *   guest_probe --listen-fd 3 ENCLAVE ARGUMENT…      what follows is the enclave's; 4 is its sealing root */
#include <linux/vm_sockets.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define HEAD_SIZE 16u
#define HELLO 2u

static _Noreturn void give_up(const char *what)
{
	printf("probe: %s failed\n", what);
	exit(1);
}

static void start_enclave(char **argv)
{
	char *arguments[64] = {argv[3]};
	static char option[] = "--listen-fd", three[] = "3";
	size_t n = 1;
	arguments[n++] = option;
	arguments[n++] = three;
	for (char **at = argv + 4; *at != NULL && n < 63; at++)
		arguments[n++] = *at;
	if (fork() == 0) {
		(void)execv(arguments[0], arguments);
		give_up("exec of the enclave");
	}
}

static int start_relay(void)
{
	const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/gateway"};
	const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	char fd[16];
	if (listener < 0 ||
	    bind(listener, (const struct sockaddr *)&address, sizeof address) != 0 ||
	    listen(listener, 1) != 0)
		give_up("the gateway's socket");
	(void)snprintf(fd, sizeof fd, "%d", listener);
	if (fork() == 0) {
		(void)execl("/relay", "/relay", "--listen-fd", fd, "--seal-root-fd", "4",
			    "--connect", "1:5000", (char *)NULL);
		give_up("exec of the relay");
	}
	const int s = socket(AF_UNIX, SOCK_STREAM, 0);
	if (s < 0 || connect(s, (const struct sockaddr *)&address, sizeof address) != 0)
		give_up("connect");
	return s;
}

static void read_all(int fd, uint8_t *p, size_t n)
{
	while (n > 0) {
		const ssize_t got = read(fd, p, n);
		if (got <= 0)
			give_up("read");
		p += got;
		n -= (size_t)got;
	}
}

int main(int argc, char **argv)
{
	uint8_t hello[HEAD_SIZE + 34] = {0, 0, 0, 34, 0, HELLO};
	static uint8_t body[2u * 1024 * 1024];
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 4)
		give_up("usage");
	start_enclave(argv);
	const int s = start_relay();
	hello[HEAD_SIZE] = 0x0a;
	hello[HEAD_SIZE + 1] = 32;
	memset(hello + HEAD_SIZE + 2, 0x21, 32);
	if (write(s, hello, sizeof hello) != (ssize_t)sizeof hello)
		give_up("write");
	read_all(s, hello, HEAD_SIZE);
	const size_t size = (size_t)hello[1] << 16 | (size_t)hello[2] << 8 | hello[3];
	if (hello[0] != 0 || size > sizeof body)
		give_up("the answer");
	read_all(s, body, size);
	printf("probe: answer of type %u, %zu bytes, %s\n", hello[5], size,
	       memmem(body, size, "simulated", 9) != NULL ? "simulated" : "of another backend");
	(void)sleep(1);
	return 0;
}
