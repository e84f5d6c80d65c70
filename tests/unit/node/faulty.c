#include "tests/unit/node/faulty.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

uint64_t faulty_below(struct faulty *f, uint64_t n)
{
	/* splitmix64 */
	uint64_t x = f->random += 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return (x ^ x >> 31) % n;
}

/* ---- contents ---- */

static void resize(struct faulty_content *c, size_t size)
{
	if (size > c->room) {
		c->room = 2 * size;
		c->p = realloc(c->p, c->room);
		cs_assert(c->p != NULL);
	}
	if (size > c->size)
		memset(c->p + c->size, 0, size - c->size);
	c->size = size;
}

static void put(struct faulty_content *c, uint64_t offset, const uint8_t *p, size_t n)
{
	if (n == 0)
		return;
	if (offset + n > c->size)
		resize(c, (size_t)offset + n);
	memcpy(c->p + offset, p, n);
}

static void copy(struct faulty_content *to, const struct faulty_content *from)
{
	resize(to, 0);
	put(to, 0, from->p, from->size);
}

static void remember(struct faulty_file *file, bool is_truncate, uint64_t offset, const uint8_t *p,
		     size_t n)
{
	file->changes = realloc(file->changes, (file->change_count + 1) * sizeof *file->changes);
	cs_assert(file->changes != NULL);
	struct faulty_change *c = &file->changes[file->change_count++];
	*c = (struct faulty_change){is_truncate, offset, malloc(n + 1), n};
	cs_assert(c->bytes != NULL);
	if (n > 0)
		memcpy(c->bytes, p, n);
}

static void forget(struct faulty_file *file)
{
	for (size_t i = 0; i < file->change_count; i++)
		free(file->changes[i].bytes);
	file->change_count = 0;
}

/* What a sync writes: the pages that count as changed, and no others. */
static void settle_all(struct faulty_file *file)
{
	for (size_t i = 0; i < file->change_count; i++) {
		const struct faulty_change *c = &file->changes[i];
		if (c->is_truncate)
			resize(&file->durable, (size_t)c->offset);
		else
			put(&file->durable, c->offset, c->bytes, c->n);
	}
	forget(file);
}

/* Each change by itself: there, torn, or not. */
static void settle_some(struct faulty *f, struct faulty_file *file)
{
	for (size_t i = 0; i < file->change_count; i++) {
		const struct faulty_change *c = &file->changes[i];
		uint64_t dice = faulty_below(f, 10);
		if (dice < 2)
			continue;
		if (c->is_truncate)
			resize(&file->durable, (size_t)c->offset);
		else
			put(&file->durable, c->offset, c->bytes,
			    dice < 5 ? (size_t)faulty_below(f, c->n + 1) : c->n);
	}
	forget(file);
}

/* ---- the table ---- */

/* What happens to this change: 0, or an errno; *part: how much of n bytes still gets in. */
static int begin_change(struct faulty *f, size_t n, size_t *part)
{
	uint64_t number = f->changes++;
	*part = n;
	if (f->has_failed) {
		f->changes_after_failure++;
		*part = 0;
		return EIO;
	}
	if (f->fault == FAULTY_NONE || number != f->fault_at)
		return 0;
	f->has_failed = true;
	*part = (size_t)faulty_below(f, n + 1);
	return f->fault == FAULTY_FULL ? ENOSPC : EIO;
}

static int find(const struct faulty_names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++) {
		if (strcmp(names->list[i].name, name) == 0)
			return (int)i;
	}
	return -1;
}

static void history(struct faulty *f)
{
	cs_assert(f->history_count < FAULTY_NAMES);
	f->history[f->history_count++] = f->names;
}

static void set_name(struct faulty_name *entry, const char *name)
{
	size_t size = strlen(name) + 1;
	cs_assert(size <= sizeof entry->name);
	memcpy(entry->name, name, size);
}

static int do_open(void *context, int *handle, const char *name, bool create)
{
	struct faulty *f = context;
	size_t part;
	int at = find(&f->names, name);
	if (at < 0 && !create)
		return ENOENT;
	if (at < 0) {
		int code = begin_change(f, 0, &part);
		if (code != 0)
			return code;
		cs_assert(f->names.count < FAULTY_NAMES && f->file_count < FAULTY_FILES);
		at = (int)f->names.count++;
		set_name(&f->names.list[at], name);
		f->names.list[at].file = (int)f->file_count++;
		history(f);
	}
	*handle = f->names.list[at].file;
	f->open_count++;
	return 0;
}

static void do_close(void *context, int handle)
{
	struct faulty *f = context;
	(void)handle;
	f->open_count--;
}

static int do_size(void *context, int handle, uint64_t *size)
{
	struct faulty *f = context;
	*size = f->files[handle].now.size;
	return 0;
}

static int do_read(void *context, int handle, uint64_t offset, void *p, size_t n, size_t *got)
{
	struct faulty *f = context;
	const struct faulty_content *c = &f->files[handle].now;
	size_t left = offset < c->size ? c->size - (size_t)offset : 0;
	*got = n < left ? n : left;
	if (*got > 0)
		memcpy(p, c->p + offset, *got);
	return 0;
}

static int do_write(void *context, int handle, uint64_t offset, struct cs_bytes bytes)
{
	struct faulty *f = context;
	size_t part;
	int code = begin_change(f, bytes.n, &part);
	put(&f->files[handle].now, offset, bytes.p, part);
	remember(&f->files[handle], false, offset, bytes.p, part);
	return code;
}

static int do_sync(void *context, int handle)
{
	struct faulty *f = context;
	struct faulty_file *file = &f->files[handle];
	size_t part;
	f->syncs++;
	int code = begin_change(f, 0, &part);
	if (code == 0)
		settle_all(file);
	else if (f->fault == FAULTY_EIO || f->fault == FAULTY_FULL)
		settle_some(f, file);
	return code;
}

static int do_truncate(void *context, int handle, uint64_t size)
{
	struct faulty *f = context;
	size_t part;
	int code = begin_change(f, 0, &part);
	if (code != 0)
		return code;
	resize(&f->files[handle].now, (size_t)size);
	remember(&f->files[handle], true, size, NULL, 0);
	return 0;
}

static void drop_name(struct faulty_names *names, int at)
{
	names->list[at] = names->list[--names->count];
}

static int do_rename(void *context, const char *from, const char *to)
{
	struct faulty *f = context;
	size_t part;
	int code = begin_change(f, 0, &part);
	if (code != 0)
		return code;
	int old = find(&f->names, to);
	if (old >= 0)
		drop_name(&f->names, old);
	int at = find(&f->names, from);
	if (at < 0)
		return ENOENT;
	set_name(&f->names.list[at], to);
	history(f);
	return 0;
}

static int do_remove(void *context, const char *name)
{
	struct faulty *f = context;
	size_t part;
	int code = begin_change(f, 0, &part);
	if (code != 0)
		return code;
	int at = find(&f->names, name);
	if (at < 0)
		return ENOENT;
	drop_name(&f->names, at);
	history(f);
	return 0;
}

static void names_durable(struct faulty *f)
{
	f->history[0] = f->names;
	f->history_count = 1;
}

static int do_sync_folder(void *context)
{
	struct faulty *f = context;
	size_t part;
	int code = begin_change(f, 0, &part);
	if (code == 0)
		names_durable(f);
	return code;
}

static int do_list(void *context, node_file_each *each, void *each_context)
{
	struct faulty *f = context;
	for (size_t i = 0; i < f->names.count; i++)
		each(each_context, f->names.list[i].name);
	return 0;
}

static int do_random(void *context, uint8_t *p, size_t n)
{
	struct faulty *f = context;
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)faulty_below(f, 256);
	return 0;
}

/* ---- the test's side ---- */

void faulty_init(struct faulty *f, uint64_t seed)
{
	memset(f, 0, sizeof *f);
	f->random = seed;
	f->history_count = 1;
	f->folder.table = (struct node_file_table){
		f,           do_open,   do_close,  do_size,        do_read, do_write, do_sync,
		do_truncate, do_rename, do_remove, do_sync_folder, do_list, do_random};
}

void faulty_done(struct faulty *f)
{
	for (size_t i = 0; i < f->file_count; i++) {
		forget(&f->files[i]);
		free(f->files[i].changes);
		free(f->files[i].now.p);
		free(f->files[i].durable.p);
	}
}

void faulty_restart(struct faulty *f, bool power)
{
	cs_assert(f->open_count == 0);
	if (power) {
		for (size_t i = 0; i < f->file_count; i++) {
			settle_some(f, &f->files[i]);
			copy(&f->files[i].now, &f->files[i].durable);
		}
		/* A journal keeps the order of names. */
		f->names = f->history[faulty_below(f, f->history_count)];
		names_durable(f);
	}
	f->folder.broken = false;
	f->fault = FAULTY_NONE;
	f->has_failed = false;
	f->changes = 0;
}

bool faulty_flip(struct faulty *f, const char *prefix)
{
	for (size_t i = 0; i < f->names.count; i++) {
		struct faulty_file *file = &f->files[f->names.list[i].file];
		if (strncmp(f->names.list[i].name, prefix, strlen(prefix)) != 0 ||
		    file->now.size == 0)
			continue;
		size_t at = (size_t)faulty_below(f, file->now.size);
		uint8_t bit = (uint8_t)(1u << faulty_below(f, 8));
		file->now.p[at] ^= bit;
		if (at < file->durable.size)
			file->durable.p[at] ^= bit;
		return true;
	}
	return false;
}

bool faulty_lose(struct faulty *f, const char *name)
{
	int at = find(&f->names, name);
	if (at < 0)
		return false;
	drop_name(&f->names, at);
	names_durable(f);
	return true;
}

struct cs_bytes faulty_look(struct faulty *f, const char *name)
{
	int at = find(&f->names, name);
	if (at < 0)
		return CS_BYTES_NONE;
	const struct faulty_content *c = &f->files[f->names.list[at].file].now;
	return cs_bytes(c->p, c->size);
}
