#include "host/keyfile.h"

#include "host/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* 0x, 64 digits, line break */
#define HEX_SIZE_MAX 67u

static enum cs_err read_all(uint8_t *p, size_t *size, int fd, size_t size_max, const char *path,
			    struct cs_why *why)
{
	size_t n = 0;
	/* One byte more than allowed tells that there is more. */
	while (n <= size_max) {
		ssize_t got = read(fd, p + n, size_max + 1 - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return cs_fail(why, CS_ERR_IO, "%.100s: %s", path, strerror(errno));
		if (got == 0)
			break;
		n += (size_t)got;
	}
	if (n > size_max)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%.100s: more than %zu bytes", path,
			       size_max);
	*size = n;
	return CS_OK;
}

/* forbidden: permission bits that the file must not have, and then it must be ours. */
static enum cs_err open_checked(int *opened, const char *path, unsigned forbidden,
				struct cs_why *why)
{
	struct stat found;
	/* Not blocking: a FIFO would make us wait for its writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return cs_fail(why, errno == ENOENT ? CS_ERR_NOT_FOUND : CS_ERR_IO, "%.100s: %s",
			       path, strerror(errno));
	enum cs_err err = CS_OK;
	if (fstat(fd, &found) != 0 || !S_ISREG(found.st_mode))
		err = cs_fail(why, CS_ERR_FORBIDDEN, "%.100s: no regular file", path);
	else if (forbidden != 0 && found.st_uid != geteuid() && found.st_uid != 0)
		err = cs_fail(why, CS_ERR_FORBIDDEN, "%.100s: belongs to somebody else", path);
	else if ((found.st_mode & forbidden) != 0)
		err = cs_fail(why, CS_ERR_FORBIDDEN, "%.100s: mode %04o, must not have %04o", path,
			      (unsigned)found.st_mode & 07777u, forbidden);
	if (err == CS_OK)
		*opened = fd;
	else
		(void)close(fd);
	return err;
}

enum cs_err host_file_load_own(uint8_t **bytes, size_t *size, const char *path, size_t size_max,
			       unsigned forbidden, struct cs_why *why)
{
	int fd = -1;
	size_t n = 0;
	CS_TRY(open_checked(&fd, path, forbidden, why));
	uint8_t *p = host_alloc(size_max + 2);
	enum cs_err err = read_all(p, &n, fd, size_max, path, why);
	(void)close(fd);
	if (err != CS_OK) {
		free(p);
		return err;
	}
	p[n] = 0;
	*bytes = p;
	*size = n;
	return CS_OK;
}

enum cs_err host_file_load(uint8_t **bytes, size_t *size, const char *path, size_t size_max,
			   struct cs_why *why)
{
	return host_file_load_own(bytes, size, path, size_max, 0, why);
}

/* A secret file into memory of ours that is wiped by the caller; without one line break at the end. */
static enum cs_err read_secret(uint8_t *p, size_t *size, size_t size_max, const char *path,
			       struct cs_why *why)
{
	int fd = -1;
	CS_TRY(open_checked(&fd, path, 077, why));
	enum cs_err err = read_all(p, size, fd, size_max, path, why);
	(void)close(fd);
	if (err == CS_OK && *size > 0 && p[*size - 1] == '\n')
		*size -= 1;
	return err;
}

enum cs_err host_keyfile_load(struct cs_secret *secret, const char *path, struct cs_why *why)
{
	uint8_t text[HEX_SIZE_MAX + 1];
	struct cs_secret read;
	size_t size = 0;
	enum cs_err err = read_secret(text, &size, HEX_SIZE_MAX, path, why);
	if (err == CS_ERR_TOO_LARGE)
		err = CS_ERR_MALFORMED;
	if (err == CS_OK)
		err = cs_unhex(read.b, sizeof read.b, cs_bytes(text, size));
	if (err == CS_OK)
		*secret = read;
	else if (err == CS_ERR_MALFORMED)
		(void)cs_fail(why, err, "%.100s: not 64 hex digits", path);
	cs_wipe(text, sizeof text);
	cs_wipe(&read, sizeof read);
	return err;
}

static bool write_all(int fd, const char *text, size_t n)
{
	for (size_t at = 0; at < n;) {
		const ssize_t wrote = write(fd, text + at, n - at);
		if (wrote < 0 && errno != EINTR)
			return false;
		at += wrote > 0 ? (size_t)wrote : 0;
	}
	return fsync(fd) == 0;
}

/* The folder's entry too. */
static bool sync_folder(const char *path)
{
	char folder[4096];
	const char *slash = strrchr(path, '/');
	const int n = slash == NULL ? snprintf(folder, sizeof folder, ".")
				    : snprintf(folder, sizeof folder, "%.*s",
					       (int)(slash - path + 1), path);
	const int fd = n > 0 && (size_t)n < sizeof folder
			       ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
			       : -1;
	const bool ok = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		(void)close(fd);
	return ok;
}

enum cs_err host_keyfile_make(struct cs_secret *secret, const char *path, struct cs_why *why)
{
	char text[2 * sizeof secret->b + 2];
	struct cs_secret made;
	if (getrandom(made.b, sizeof made.b, 0) != (ssize_t)sizeof made.b)
		return cs_fail(why, CS_ERR_IO, "no randomness");
	const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		cs_wipe(&made, sizeof made);
		return cs_fail(why, errno == EEXIST ? CS_ERR_DUPLICATE : CS_ERR_IO, "%.100s: %s",
			       path, strerror(errno));
	}
	cs_hex(text, CS_BYTES_OF(made.b));
	text[2 * sizeof made.b] = '\n';
	bool ok = write_all(fd, text, sizeof text - 1);
	ok = close(fd) == 0 && ok && sync_folder(path);
	if (ok)
		*secret = made;
	else
		(void)unlink(path);
	cs_wipe(text, sizeof text);
	cs_wipe(&made, sizeof made);
	return ok ? CS_OK : cs_fail(why, CS_ERR_IO, "%.100s: cannot be written", path);
}

enum cs_err host_tokenfile_load(char token[HOST_TOKEN_MAX + 1], const char *path,
				struct cs_why *why)
{
	uint8_t text[HOST_TOKEN_MAX + 2];
	size_t size = 0;
	enum cs_err err = read_secret(text, &size, HOST_TOKEN_MAX + 1, path, why);
	if (err == CS_ERR_TOO_LARGE ||
	    (err == CS_OK && (size < HOST_TOKEN_MIN || size > HOST_TOKEN_MAX)))
		err = CS_ERR_MALFORMED;
	for (size_t i = 0; err == CS_OK && i < size; i++)
		if (text[i] <= ' ' || text[i] > '~')
			err = CS_ERR_MALFORMED;
	if (err == CS_OK) {
		memcpy(token, text, size);
		token[size] = 0;
	} else if (err == CS_ERR_MALFORMED) {
		(void)cs_fail(why, err, "%.100s: not %u to %u visible characters", path,
			      HOST_TOKEN_MIN, HOST_TOKEN_MAX);
	}
	cs_wipe(text, sizeof text);
	return err;
}
