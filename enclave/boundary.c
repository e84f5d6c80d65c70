#include "enclave/boundary.h"

#include "core/bytes.h"
#include "enclave/insecure.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define UNIX ((unsigned)BOUNDARY_UNIX)
#define LOOPBACK ((unsigned)BOUNDARY_LOOPBACK)
#define VSOCK ((unsigned)BOUNDARY_VSOCK)

const struct boundary_row *boundary_rows(void)
{
	static const struct boundary_row rows[] = {
#define BOUNDARY(backend, measured, transports, inside, root) \
	{#backend, measured, transports, inside, root},
#include "enclave/boundary.def"
#undef BOUNDARY
		{NULL, NULL, 0, 0, NULL},
	};
	return rows;
}

static int option(int fd, int name)
{
	int value = -1;
	socklen_t size = sizeof value;
	return getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

static bool is_loopback(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} address;
	socklen_t size = sizeof address;
	memset(&address, 0, sizeof address);
	if (getsockname(fd, &address.any, &size) != 0)
		return false;
	if (address.any.sa_family == AF_INET)
		return *(const uint8_t *)&address.in.sin_addr == 127; /* the network's order */
	return address.any.sa_family == AF_INET6 &&
	       memcmp(&address.in6.sin6_addr, &in6addr_loopback, sizeof in6addr_loopback) == 0;
}

/* 0: another address, or another family. */
static unsigned transport_of(int fd)
{
	switch (option(fd, SO_DOMAIN)) {
	case AF_UNIX:
		return BOUNDARY_UNIX;
	case AF_INET:
	case AF_INET6:
		return is_loopback(fd) ? BOUNDARY_LOOPBACK : 0;
	case AF_VSOCK:
		return BOUNDARY_VSOCK;
	default:
		return 0;
	}
}

static const struct boundary_row *row_of(const char *backend)
{
	const struct boundary_row *row = boundary_rows();
	while (row->backend != NULL && strcmp(row->backend, backend) != 0)
		row++;
	return row;
}

enum cs_err boundary_check(uint64_t *flags, const char *backend, int fd, uint64_t tolerated,
			   struct cs_why *why)
{
	const uint64_t inside = ENCLAVE_INSECURE_gateway_inside;
	const struct boundary_row *row = row_of(backend);
	if (option(fd, SO_ACCEPTCONN) != 1 || option(fd, SO_TYPE) != SOCK_STREAM)
		return cs_fail(why, CS_ERR_INVALID, "--listen-fd is not a listening stream socket");
	const unsigned transport = transport_of(fd);
	if ((row->transports & transport) != 0) {
		*flags = 0;
		return CS_OK;
	}
	if ((row->inside & transport) == 0)
		return cs_fail(why, CS_ERR_UNSUPPORTED,
			       "the socket of --listen-fd is none over which %s is served",
			       backend);
	if ((tolerated & inside) == 0)
		return cs_fail(
			why, CS_ERR_INSECURE_REFUSED,
			"with %s the gateway belongs outside of the machine that is measured, "
			"over vsock (--insecure-gateway-inside tolerates it)",
			backend);
	*flags = inside;
	return CS_OK;
}
