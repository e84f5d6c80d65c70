#include "cluster/host.h"
#include "host/alloc.h"
#include "host/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_SIZE_MAX 4096u

enum cs_err cluster_host_state_load(uint8_t **bytes, size_t *size, const char *path,
				    struct cs_why *why)
{
	if (access(path, F_OK) != 0 && errno == ENOENT) {
		*bytes = host_copy(CS_BYTES_NONE);
		*size = 0;
		return CS_OK;
	}
	return host_file_load(bytes, size, path, WIRE_PIPE_BODY_SIZE_MAX, why);
}

static bool write_all(int fd, struct cs_bytes bytes)
{
	while (bytes.n > 0) {
		const ssize_t done = write(fd, bytes.p, bytes.n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		bytes = cs_bytes(bytes.p + done, bytes.n - (size_t)done);
	}
	return true;
}

/* The name is durable when its folder is. */
static bool sync_folder(const char *path)
{
	char copy[PATH_SIZE_MAX];
	(void)snprintf(copy, sizeof copy, "%s", path);
	const int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const bool done = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		(void)close(fd);
	return done;
}

enum cs_err cluster_host_state_keep(const char *path, struct cs_bytes bytes, struct cs_why *why)
{
	char next[PATH_SIZE_MAX];
	const int n = snprintf(next, sizeof next, "%s.new", path);
	if (n < 0 || (size_t)n >= sizeof next)
		return cs_fail(why, CS_ERR_TOO_LARGE, "the path of the state is too long");
	const int fd = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool kept = fd >= 0 && write_all(fd, bytes) && fsync(fd) == 0;
	if (fd >= 0)
		kept = close(fd) == 0 && kept;
	kept = kept && rename(next, path) == 0 && sync_folder(path);
	return kept ? CS_OK : cs_fail(why, CS_ERR_IO, "%.200s: %s", path, strerror(errno));
}
