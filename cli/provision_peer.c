#include "cli/provision_peer.h"

#include "core/hash.h"
#include "host/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* Of Linux 6.5; the C library's header may be older. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#define EXECUTABLE_SIZE_MAX (1ull << 30)
#define CONTAINERS_SIZE_MAX (1u << 20)

/* ---- files ---- */

enum cs_err provision_hash_file(struct cs_hash *hash, struct stat *file, const char *path,
				struct cs_why *why)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, file) != 0) {
		const int error = errno;
		if (fd >= 0)
			(void)close(fd);
		return cs_fail(why, CS_ERR_IO, "%s: %s", path, strerror(error));
	}
	enum cs_err err = CS_OK;
	if (!S_ISREG(file->st_mode) || file->st_size == 0)
		err = cs_fail(why, CS_ERR_INVALID, "%s: no regular file", path);
	else if ((uint64_t)file->st_size > EXECUTABLE_SIZE_MAX)
		err = cs_fail(why, CS_ERR_TOO_LARGE, "%s: more than 1 GiB", path);
	else {
		const size_t size = (size_t)file->st_size;
		void *p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (p == MAP_FAILED) {
			err = cs_fail(why, CS_ERR_IO, "%s: %s", path, strerror(errno));
		} else {
			*hash = cs_sha256(cs_bytes(p, size));
			(void)munmap(p, size);
		}
	}
	(void)close(fd);
	return err;
}

bool provision_is_interpreter(const char *path)
{
	/* The first ones with whatever follows; the others alone or with a version behind. */
	static const char *const any[] = {"ld-", "ld.so", "qemu-"};
	static const char *const names[] = {
		"ash",    "awk",     "bash", "bun",   "busybox", "dash",  "deno", "dotnet",
		"fish",   "gawk",    "gdb",  "guile", "java",    "julia", "ksh",  "lua",
		"luajit", "mawk",    "mono", "node",  "nodejs",  "perl",  "php",  "pypy",
		"python", "Rscript", "ruby", "sh",    "tclsh",   "wine",  "zsh",
	};
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;
	for (size_t i = 0; i < CS_LEN(any); i++)
		if (strncmp(name, any[i], strlen(any[i])) == 0)
			return true;
	for (size_t i = 0; i < CS_LEN(names); i++) {
		const size_t n = strlen(names[i]);
		if (strncmp(name, names[i], n) == 0 &&
		    strspn(name + n, "0123456789.-") == strlen(name + n))
			return true;
	}
	return false;
}

/* ---- /proc ---- */

/* The whole of /proc/PID/NAME, terminated; false: it is not there, or larger. */
static bool read_proc(char *text, size_t size, pid_t pid, const char *name)
{
	char path[64];
	(void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	size_t n = 0;
	ssize_t got = 1;
	while (got > 0 && n < size - 1) {
		got = read(fd, text + n, size - 1 - n);
		n += got > 0 ? (size_t)got : 0;
	}
	(void)close(fd);
	text[n] = 0;
	return got == 0;
}

/* Field 22 of stat; the second one, in parentheses, may hold anything. */
static bool start_time(uint64_t *out, pid_t pid)
{
	char text[1024];
	if (!read_proc(text, sizeof text, pid, "stat"))
		return false;
	const char *at = strrchr(text, ')');
	for (int field = 2; at != NULL && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (at == NULL)
		return false;
	char *end;
	errno = 0;
	*out = strtoull(at + 1, &end, 10);
	return errno == 0 && end != at + 1;
}

static bool is_alive(const struct provision_peer *peer)
{
	struct pollfd ended = {.fd = peer->pidfd, .events = POLLIN};
	uint64_t started = 0;
	if (peer->pidfd >= 0)
		return poll(&ended, 1, 0) == 0;
	return start_time(&started, peer->pid) && started == peer->started;
}

/* ---- containers ---- */

static bool own_cgroup(char *out, size_t size, pid_t pid)
{
	char text[8192];
	if (!read_proc(text, sizeof text, pid, "cgroup"))
		return false;
	for (char *line = text, *next; line != NULL && *line != 0; line = next) {
		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = 0;
		if (strncmp(line, "0::", 3) == 0 && strlen(line + 3) < size) {
			memcpy(out, line + 3, strlen(line + 3) + 1);
			return true;
		}
	}
	return false;
}

/* The digest that the operator's file has for the cgroup of the process: all of its name, since whoever owns
 * a cgroup names those below it. */
static enum cs_err find_container(struct provision_peer *peer, const char *containers,
				  struct cs_why *why)
{
	static const char prefix[] = " sha256:";
	char cgroup[4096];
	uint8_t *bytes = NULL;
	size_t size = 0;
	if (containers == NULL || !own_cgroup(cgroup, sizeof cgroup, peer->pid))
		return CS_OK;
	CS_TRY(host_file_load_own(&bytes, &size, containers, CONTAINERS_SIZE_MAX, S_IWGRP | S_IWOTH,
				  why));
	enum cs_err err = CS_OK;
	unsigned number = 1;
	for (char *line = (char *)bytes, *next; line != NULL && *line != 0 && err == CS_OK;
	     line = next, number++) {
		struct cs_hash digest;
		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = 0;
		char *at = strstr(line, prefix);
		if (at == NULL || cs_unhex(digest.b, sizeof digest.b,
					   cs_bytes_str(at + sizeof prefix - 1)) != CS_OK) {
			err = cs_fail(why, CS_ERR_MALFORMED, "%s: line %u is no CGROUP sha256:HEX",
				      containers, number);
			continue;
		}
		*at = 0;
		if (strcmp(line, cgroup) == 0) {
			peer->has_container = true;
			peer->container = digest;
		}
	}
	free(bytes);
	return err;
}

/* ---- the peer ---- */

static bool find_peer(struct provision_peer *peer, int socket)
{
	struct ucred credentials;
	socklen_t size = sizeof credentials;
	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0 ||
	    credentials.pid <= 0)
		return false;
	peer->pid = credentials.pid;
	peer->user = credentials.uid;
	size = sizeof peer->pidfd;
	if (getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &peer->pidfd, &size) != 0)
		peer->pidfd = -1;
	/* Without it the number is the process's only as long as the process that had it at this start
	 * does: looked at first, and again after everything else. */
	return start_time(&peer->started, peer->pid);
}

enum cs_err provision_peer_look(struct provision_peer *peer, int socket, const char *containers,
				struct cs_why *why)
{
	char exe[64], path[4096];
	struct cs_why ignored;
	*peer = (struct provision_peer){.pidfd = -1};
	if (!find_peer(peer, socket))
		return cs_fail(why, CS_ERR_FORBIDDEN,
			       "the program is not of this process namespace, or has ended");
	(void)snprintf(exe, sizeof exe, "/proc/%d/exe", (int)peer->pid);
	const ssize_t n = readlink(exe, path, sizeof path - 1);
	/* The file that it runs, also when another one has its name by now. */
	if (n <= 0 || provision_hash_file(&peer->executable, &peer->file, exe, &ignored) != CS_OK)
		return cs_fail(why, CS_ERR_FORBIDDEN,
			       "the program's file cannot be read (of another user: "
			       "CAP_SYS_PTRACE)");
	path[n] = 0;
	char *deleted = n > 10 ? path + n - 10 : NULL;
	if (deleted != NULL && strcmp(deleted, " (deleted)") == 0)
		*deleted = 0;
	peer->is_interpreter = provision_is_interpreter(path);
	CS_TRY(find_container(peer, containers, why));
	return is_alive(peer) ? CS_OK : cs_fail(why, CS_ERR_FORBIDDEN, "the program has ended");
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

enum cs_err provision_peer_again(const struct provision_peer *peer, const char *containers,
				 struct cs_why *why)
{
	struct provision_peer now = {.pid = peer->pid, .pidfd = -1};
	const struct stat *before = &peer->file;
	char exe[64];
	(void)snprintf(exe, sizeof exe, "/proc/%d/exe", (int)peer->pid);
	const bool is_same = stat(exe, &now.file) == 0 && now.file.st_dev == before->st_dev &&
			     now.file.st_ino == before->st_ino &&
			     now.file.st_size == before->st_size &&
			     same_time(now.file.st_mtim, before->st_mtim);
	CS_TRY(find_container(&now, containers, why));
	if (!is_same || now.has_container != peer->has_container ||
	    !cs_hash_eq(&now.container, &peer->container) || !is_alive(peer))
		return cs_fail(why, CS_ERR_FORBIDDEN,
			       "the program became another one, or has ended");
	return CS_OK;
}

void provision_peer_done(struct provision_peer *peer)
{
	if (peer->pidfd >= 0)
		(void)close(peer->pidfd);
}
