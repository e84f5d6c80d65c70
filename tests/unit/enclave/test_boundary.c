/* Every row of boundary.def against every kind of socket, and what is none of them. */
#include "../support.h"
#include "enclave/boundary.h"
#include "enclave/insecure.h"

#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define INSIDE ((uint64_t)ENCLAVE_INSECURE_gateway_inside)

/* -1: the kernel has no such family. */
static int listening(int family, const void *address, socklen_t size)
{
	const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && bind(fd, address, size) == 0 && listen(fd, 1) == 0)
		return fd;
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

static int unix_socket(void)
{
	const struct sockaddr_un address = {.sun_family = AF_UNIX};
	return listening(AF_UNIX, &address,
			 sizeof(sa_family_t)); /* a name of the kernel's choice */
}

static int tcp(uint32_t ip)
{
	const struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(ip)}};
	return listening(AF_INET, &address, sizeof address);
}

static int tcp6(bool loopback)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = in6addr_any};
	if (loopback)
		address.sin6_addr = in6addr_loopback;
	return listening(AF_INET6, &address, sizeof address);
}

static int vsock(void)
{
	const struct sockaddr_vm address = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = VMADDR_PORT_ANY};
	return listening(AF_VSOCK, &address, sizeof address);
}

enum { AT_UNIX, AT_LOOPBACK, AT_NETWORK, AT_VSOCK, SOCKETS };

/* What DESIGN's table says, once more: U allowed, i allowed with the flag alone, - never. */
static const struct {
	const char *backend;
	char at[SOCKETS + 1];
} rows[] = {
	{"simulated", "U--U"}, {"gramine", "UU--"}, {"tsm", "i--U"},
	{"tpm", "U---"},       {"another", "----"},
};

static enum cs_err expected(char rule, bool tolerated)
{
	if (rule == 'U')
		return CS_OK;
	if (rule == 'i')
		return tolerated ? CS_OK : CS_ERR_INSECURE_REFUSED;
	return CS_ERR_UNSUPPORTED;
}

static void each(int fd, int at)
{
	for (size_t i = 0; i < CS_LEN(rows) && fd >= 0; i++) {
		for (int tolerated = 0; tolerated < 2; tolerated++) {
			uint64_t flags = 77;
			struct cs_why why = {""};
			const enum cs_err err =
				boundary_check(&flags, rows[i].backend, fd,
					       tolerated ? ~UINT64_C(0) : ~INSIDE, &why);
			const enum cs_err wanted = expected(rows[i].at[at], tolerated != 0);
			if (err != wanted)
				fail_msg("%s, socket %d: %s", rows[i].backend, at,
					 cs_err_name(err));
			assert_int_equal(flags, err != CS_OK            ? 77u
						: rows[i].at[at] == 'i' ? INSIDE
									: 0u);
			assert_true((err == CS_OK) == (why.text[0] == 0));
		}
	}
	if (fd >= 0)
		(void)close(fd);
}

static void every_row(void **state)
{
	(void)state;
	size_t count = 0;
	while (boundary_rows()[count].backend != NULL)
		count++;
	assert_int_equal(count, CS_LEN(rows) - 1);
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(boundary_rows()[i].backend, rows[i].backend);
		assert_true(boundary_rows()[i].measured[0] != 0 && boundary_rows()[i].root[0] != 0);
	}
	const int local = unix_socket();
	assert_true(local >= 0);
	each(local, AT_UNIX);
	const int loopback = tcp(INADDR_LOOPBACK);
	assert_true(loopback >= 0);
	each(loopback, AT_LOOPBACK);
	each(tcp(0x7f010203), AT_LOOPBACK);
	each(tcp(INADDR_ANY), AT_NETWORK);
	each(tcp6(true), AT_LOOPBACK);
	each(tcp6(false), AT_NETWORK);
}

static void vsock_rows(void **state)
{
	(void)state;
	const int fd = vsock();
	if (fd < 0) {
		print_message("this kernel has no vsock: not tested\n");
		skip();
	}
	each(fd, AT_VSOCK);
}

static void what_does_not_listen(void **state)
{
	(void)state;
	struct cs_why why;
	uint64_t flags = 77;
	int pair[2], pipes[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(pipe(pipes), 0);
	const int fds[] = {pair[0], pipes[0], -1};
	for (size_t i = 0; i < CS_LEN(fds); i++)
		assert_int_equal(boundary_check(&flags, "simulated", fds[i], ~UINT64_C(0), &why),
				 CS_ERR_INVALID);
	const struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int packets = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	assert_int_equal(bind(packets, (const struct sockaddr *)&address, sizeof(sa_family_t)), 0);
	assert_int_equal(listen(packets, 1), 0);
	assert_int_equal(boundary_check(&flags, "simulated", packets, ~UINT64_C(0), &why),
			 CS_ERR_INVALID);
	assert_int_equal(flags, 77);
	(void)close(packets);
	for (int i = 0; i < 2; i++) {
		(void)close(pair[i]);
		(void)close(pipes[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),
		cmocka_unit_test(vsock_rows),
		cmocka_unit_test(what_does_not_listen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
