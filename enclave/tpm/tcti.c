#include "enclave/tpm/tpm.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* tag, size, code: of commands and responses (TPM Library part 3, 1.59, section 5). */
#define HEAD_SIZE 10u

struct wire {
	TSS2_TCTI_CONTEXT_COMMON_V1 common; /* first: what the library knows of it */
	int fd;
};

static TSS2_RC transmit(TSS2_TCTI_CONTEXT *tcti, size_t size, const uint8_t *command)
{
	const struct wire *wire = (struct wire *)(void *)tcti;
	ssize_t n;
	do
		n = write(wire->fd, command, size);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)size ? TSS2_RC_SUCCESS : TSS2_TCTI_RC_IO_ERROR;
}

/* A device gives all of it at once, and only once; a socket may not. */
static TSS2_RC receive(TSS2_TCTI_CONTEXT *tcti, size_t *size, uint8_t *response, int32_t timeout)
{
	const struct wire *wire = (struct wire *)(void *)tcti;
	size_t have = 0, all = HEAD_SIZE;
	(void)timeout;
	if (response == NULL) { /* how much there may be */
		*size = TPM2_MAX_RESPONSE_SIZE;
		return TSS2_RC_SUCCESS;
	}
	while (have < all) {
		const ssize_t n = read(wire->fd, response + have, *size - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return TSS2_TCTI_RC_IO_ERROR;
		have += (size_t)n;
		if (have >= HEAD_SIZE)
			all = (size_t)response[2] << 24 | (size_t)response[3] << 16 |
			      (size_t)response[4] << 8 | response[5];
		if (all < HEAD_SIZE || all > *size)
			return TSS2_TCTI_RC_MALFORMED_RESPONSE;
	}
	*size = have;
	return have == all ? TSS2_RC_SUCCESS : TSS2_TCTI_RC_MALFORMED_RESPONSE;
}

static TSS2_RC set_locality(TSS2_TCTI_CONTEXT *tcti, uint8_t locality)
{
	(void)tcti;
	return locality == 0 ? TSS2_RC_SUCCESS : TSS2_TCTI_RC_NOT_IMPLEMENTED;
}

static int open_root(const char *root)
{
	struct stat status;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (stat(root, &status) != 0)
		return -1;
	if (!S_ISSOCK(status.st_mode))
		return open(root, O_RDWR | O_CLOEXEC);
	if (strlen(root) >= sizeof address.sun_path)
		return -1;
	memcpy(address.sun_path, root, strlen(root) + 1);
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

enum cs_err tpm_connect(TSS2_TCTI_CONTEXT **tcti, const char *root, struct cs_why *why)
{
	static struct wire wire;
	wire = (struct wire){.common = {.magic = 0x6373746172746d31,
					.version = 1,
					.transmit = transmit,
					.receive = receive,
					.setLocality = set_locality},
			     .fd = open_root(root)};
	if (wire.fd < 0)
		return cs_fail(why, CS_ERR_UNAVAILABLE,
			       "%s cannot be opened: there is no TPM 2.0, or no right to it", root);
	*tcti = (TSS2_TCTI_CONTEXT *)(void *)&wire;
	return CS_OK;
}
