#include "relay_state/node/file.h"

#include "host/alloc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a real folder ---- */

static int folder_fd(void *context)
{
	return *(int *)context;
}

static int real_open(void *context, int *handle, const char *name, bool create)
{
	int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0);
	int fd = openat(folder_fd(context), name, flags, 0600);
	if (fd < 0)
		return errno;
	*handle = fd;
	return 0;
}

static void real_close(void *context, int handle)
{
	(void)context;
	(void)close(handle);
}

static int real_size(void *context, int handle, uint64_t *size)
{
	struct stat status;
	(void)context;
	if (fstat(handle, &status) != 0)
		return errno;
	*size = (uint64_t)status.st_size;
	return 0;
}

static int real_read(void *context, int handle, uint64_t offset, void *p, size_t n, size_t *got)
{
	uint8_t *to = p;
	size_t done = 0;
	(void)context;
	while (done < n) {
		ssize_t more = pread(handle, to + done, n - done, (off_t)(offset + done));
		if (more < 0 && errno == EINTR)
			continue;
		if (more < 0)
			return errno;
		if (more == 0)
			break;
		done += (size_t)more;
	}
	*got = done;
	return 0;
}

static int real_write(void *context, int handle, uint64_t offset, struct cs_bytes bytes)
{
	size_t done = 0;
	(void)context;
	while (done < bytes.n) {
		ssize_t more =
			pwrite(handle, bytes.p + done, bytes.n - done, (off_t)(offset + done));
		if (more < 0 && errno == EINTR)
			continue;
		if (more <= 0)
			return more < 0 ? errno : EIO;
		done += (size_t)more;
	}
	return 0;
}

static int real_sync(void *context, int handle)
{
	(void)context;
	return fdatasync(handle) == 0 ? 0 : errno;
}

static int real_truncate(void *context, int handle, uint64_t size)
{
	(void)context;
	return ftruncate(handle, (off_t)size) == 0 ? 0 : errno;
}

static int real_rename(void *context, const char *from, const char *to)
{
	int fd = folder_fd(context);
	return renameat(fd, from, fd, to) == 0 ? 0 : errno;
}

static int real_remove(void *context, const char *name)
{
	return unlinkat(folder_fd(context), name, 0) == 0 ? 0 : errno;
}

static int real_sync_folder(void *context)
{
	return fsync(folder_fd(context)) == 0 ? 0 : errno;
}

static int real_list(void *context, node_file_each *each, void *each_context)
{
	int fd = openat(folder_fd(context), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	if (folder == NULL) {
		int code = errno;
		if (fd >= 0)
			(void)close(fd);
		return code;
	}
	errno = 0;
	while ((entry = readdir(folder)) != NULL)
		each(each_context, entry->d_name);
	int code = errno;
	(void)closedir(folder);
	return code;
}

static int real_random(void *context, uint8_t *p, size_t n)
{
	(void)context;
	ssize_t got = getrandom(p, n, 0);
	if (got < 0)
		return errno;
	return (size_t)got == n ? 0 : EIO;
}

static enum cs_err err_of(int code)
{
	if (code == ENOSPC || code == EDQUOT)
		return CS_ERR_FULL;
	return code == ENOENT ? CS_ERR_NOT_FOUND : CS_ERR_IO;
}

enum cs_err node_folder_open(struct node_folder *folder, const char *path, struct cs_why *why)
{
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return cs_fail(why, CS_ERR_IO, "%.100s: %s", path, strerror(errno));
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return cs_fail(why, CS_ERR_IO, "%.100s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		(void)close(fd);
		return cs_fail(why, CS_ERR_CONFLICT, "another process has %.100s open", path);
	}
	int *context = host_alloc(sizeof *context);
	*context = fd;
	*folder = (struct node_folder){.table = {context, real_open, real_close, real_size,
						 real_read, real_write, real_sync, real_truncate,
						 real_rename, real_remove, real_sync_folder,
						 real_list, real_random}};
	return CS_OK;
}

static int reading_open(void *context, int *handle, const char *name, bool create)
{
	if (create)
		return EROFS;
	int fd = openat(folder_fd(context), name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno;
	*handle = fd;
	return 0;
}

enum cs_err node_folder_open_reading(struct node_folder *folder, const char *path,
				     struct cs_why *why)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return cs_fail(why, err_of(errno), "%.100s: %s", path, strerror(errno));
	int *context = host_alloc(sizeof *context);
	*context = fd;
	/* Broken from the beginning: file.c lets no change through. */
	*folder = (struct node_folder){.table = {context, reading_open, real_close, real_size,
						 real_read, real_write, real_sync, real_truncate,
						 real_rename, real_remove, real_sync_folder,
						 real_list, real_random},
				       .broken = true};
	return CS_OK;
}

void node_folder_close(struct node_folder *folder)
{
	(void)close(folder_fd(folder->table.context));
	free(folder->table.context);
	memset(folder, 0, sizeof *folder);
}

/* ---- any folder ---- */

static enum cs_err fails(int code, const char *what, const char *name, struct cs_why *why)
{
	return cs_fail(why, err_of(code), "%s %s: %s", what, name, strerror(code));
}

/* A change that failed is the last one. */
static enum cs_err changed(struct node_folder *folder, int code, const char *what, const char *name,
			   struct cs_why *why)
{
	if (code == 0)
		return CS_OK;
	folder->broken = true;
	return fails(code, what, name, why);
}

static enum cs_err may_change(const struct node_folder *folder, const char *name,
			      struct cs_why *why)
{
	if (folder->broken)
		return cs_fail(why, CS_ERR_IO, "%s: a write or sync failed before", name);
	return CS_OK;
}

enum cs_err node_file_open(struct node_file *file, struct node_folder *folder, const char *name,
			   bool create, struct cs_why *why)
{
	int handle;
	cs_assert(strlen(name) < NODE_FILE_NAME_MAX);
	if (create)
		CS_TRY(may_change(folder, name, why));
	int code = folder->table.open(folder->table.context, &handle, name, create);
	if (code != 0)
		return create ? changed(folder, code, "create", name, why)
			      : fails(code, "open", name, why);
	file->folder = folder;
	file->handle = handle;
	(void)snprintf(file->name, sizeof file->name, "%s", name);
	return CS_OK;
}

void node_file_close(struct node_file *file)
{
	if (file->folder == NULL)
		return;
	file->folder->table.close(file->folder->table.context, file->handle);
	file->folder = NULL;
}

enum cs_err node_file_size(struct node_file *file, uint64_t *size, struct cs_why *why)
{
	const struct node_file_table *t = &file->folder->table;
	uint64_t n;
	int code = t->size(t->context, file->handle, &n);
	if (code != 0)
		return fails(code, "size of", file->name, why);
	*size = n;
	return CS_OK;
}

enum cs_err node_file_read(struct node_file *file, uint64_t offset, void *p, size_t n,
			   struct cs_why *why)
{
	const struct node_file_table *t = &file->folder->table;
	size_t got = 0;
	int code = t->read(t->context, file->handle, offset, p, n, &got);
	if (code != 0)
		return fails(code, "read", file->name, why);
	if (got < n)
		return cs_fail(why, CS_ERR_TRUNCATED, "%s ends at %llu", file->name,
			       (unsigned long long)(offset + got));
	return CS_OK;
}

enum cs_err node_file_write(struct node_file *file, uint64_t offset, struct cs_bytes bytes,
			    struct cs_why *why)
{
	const struct node_file_table *t = &file->folder->table;
	CS_TRY(may_change(file->folder, file->name, why));
	return changed(file->folder, t->write(t->context, file->handle, offset, bytes), "write",
		       file->name, why);
}

enum cs_err node_file_sync(struct node_file *file, struct cs_why *why)
{
	const struct node_file_table *t = &file->folder->table;
	CS_TRY(may_change(file->folder, file->name, why));
	return changed(file->folder, t->sync(t->context, file->handle), "sync", file->name, why);
}

enum cs_err node_file_truncate(struct node_file *file, uint64_t size, struct cs_why *why)
{
	const struct node_file_table *t = &file->folder->table;
	CS_TRY(may_change(file->folder, file->name, why));
	return changed(file->folder, t->truncate(t->context, file->handle, size), "truncate",
		       file->name, why);
}

enum cs_err node_folder_rename(struct node_folder *folder, const char *from, const char *to,
			       struct cs_why *why)
{
	const struct node_file_table *t = &folder->table;
	CS_TRY(may_change(folder, to, why));
	CS_TRY(changed(folder, t->rename(t->context, from, to), "rename to", to, why));
	return node_folder_sync(folder, why);
}

static enum cs_err write_whole(struct node_file *file, struct cs_bytes bytes, struct cs_why *why)
{
	CS_TRY(node_file_truncate(file, 0, why));
	CS_TRY(node_file_write(file, 0, bytes, why));
	return node_file_sync(file, why);
}

enum cs_err node_folder_put(struct node_folder *folder, const char *name, struct cs_bytes bytes,
			    struct cs_why *why)
{
	char new_name[NODE_FILE_NAME_MAX];
	struct node_file file;
	int n = snprintf(new_name, sizeof new_name, "%s.new", name);
	cs_assert(n > 0 && (size_t)n < sizeof new_name);
	CS_TRY(node_file_open(&file, folder, new_name, true, why));
	enum cs_err err = write_whole(&file, bytes, why);
	node_file_close(&file);
	CS_TRY(err);
	return node_folder_rename(folder, new_name, name, why);
}

enum cs_err node_folder_remove(struct node_folder *folder, const char *name, struct cs_why *why)
{
	const struct node_file_table *t = &folder->table;
	CS_TRY(may_change(folder, name, why));
	return changed(folder, t->remove(t->context, name), "remove", name, why);
}

enum cs_err node_folder_sync(struct node_folder *folder, struct cs_why *why)
{
	const struct node_file_table *t = &folder->table;
	CS_TRY(may_change(folder, "the folder", why));
	return changed(folder, t->sync_folder(t->context), "sync", "the folder", why);
}

enum cs_err node_folder_random(struct node_folder *folder, uint8_t *p, size_t n, struct cs_why *why)
{
	int code = folder->table.random(folder->table.context, p, n);
	return code == 0 ? CS_OK : fails(code, "random bytes for", "the folder", why);
}

/* ---- numbered files ---- */

void node_file_name(char name[NODE_FILE_NAME_MAX], const char *prefix, uint32_t number)
{
	int n = snprintf(name, NODE_FILE_NAME_MAX, "%s%08u", prefix, number);
	cs_assert(n > 0 && (size_t)n < NODE_FILE_NAME_MAX);
}

struct numbering {
	const char *prefix;
	struct node_numbers found;
	size_t room;
	bool too_many;
};

static void take_number(void *context, const char *name)
{
	struct numbering *n = context;
	char again[NODE_FILE_NAME_MAX];
	size_t prefix_size = strlen(n->prefix);
	if (strncmp(name, n->prefix, prefix_size) != 0 || strlen(name) > prefix_size + 10)
		return;
	unsigned long number = strtoul(name + prefix_size, NULL, 10);
	if (number > UINT32_MAX)
		return;
	node_file_name(again, n->prefix, (uint32_t)number);
	if (strcmp(again, name) != 0)
		return;
	if (n->found.count == NODE_FILES_MAX) {
		n->too_many = true;
		return;
	}
	if (n->found.count == n->room) {
		n->room = n->room == 0 ? 16 : 2 * n->room;
		n->found.list = host_grow(n->found.list, n->room * sizeof *n->found.list);
	}
	n->found.list[n->found.count++] = (uint32_t)number;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

enum cs_err node_folder_numbers(struct node_numbers *numbers, struct node_folder *folder,
				const char *prefix, struct cs_why *why)
{
	struct numbering n = {.prefix = prefix};
	int code = folder->table.list(folder->table.context, take_number, &n);
	if (code != 0 || n.too_many) {
		free(n.found.list);
		if (n.too_many)
			return cs_fail(why, CS_ERR_TOO_LARGE, "too many files %s…", prefix);
		return fails(code, "list", "the folder", why);
	}
	if (n.found.count > 0)
		qsort(n.found.list, n.found.count, sizeof *n.found.list, by_number);
	*numbers = n.found;
	return CS_OK;
}
