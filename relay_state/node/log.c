#include "relay_state/node/log.h"

#include "host/alloc.h"
#include "relay_state/bft/record.h"
#include "relay_state/bft/wal.h"

#include <stdlib.h>

#define PREFIX "log-"
#define FRAME_SIZE BFT_WAL_HEADER_SIZE
#define MARK_SIZE (BFT_WAL_HEADER_SIZE + 8)

struct node_log {
	struct node_folder *folder;
	struct node_file file; /* the one that grows */
	uint32_t number;
	size_t file_size; /* where a new one is begun */
	size_t size_max;
	uint64_t end;
	uint64_t size;   /* at the opening */
	uint64_t synced; /* up to here there is nothing to sync but a mark */
	/* What the opening found, for the replay. */
	uint8_t *old;
	size_t old_size, old_room;
	uint8_t *frame; /* one record on its way out */
};

/* ---- opening ---- */

/* At once and not with the next record: a bit that turns in what was synced last is damage, and not
 * the tail of a crash, as long as the mark is there. It is not synced itself. */
static enum cs_err mark(struct node_log *log, struct cs_why *why)
{
	uint8_t bytes[MARK_SIZE];
	struct cs_buf buf;
	cs_buf_init(&buf, bytes, sizeof bytes);
	bft_wal_put_synced(&buf, log->end);
	cs_assert(cs_buf_end(&buf) == CS_OK);
	CS_TRY(node_file_write(&log->file, log->end, CS_BYTES_OF(bytes), why));
	log->end += sizeof bytes;
	log->synced = log->end;
	return CS_OK;
}

static enum cs_err read_file(struct node_file *file, uint8_t **bytes, size_t *n, struct cs_why *why)
{
	uint64_t size;
	CS_TRY(node_file_size(file, &size, why));
	if (size > NODE_LOG_SIZE_MAX)
		return cs_fail(why, CS_ERR_DAMAGED, "%s is too large to be a log", file->name);
	uint8_t *p = host_alloc((size_t)size + 1);
	enum cs_err err = node_file_read(file, 0, p, (size_t)size, why);
	if (err != CS_OK) {
		free(p);
		return err;
	}
	*bytes = p;
	*n = (size_t)size;
	return CS_OK;
}

static enum cs_err keep(struct node_log *log, struct node_log_found *found, const char *name,
			struct cs_bytes good, struct cs_why *why)
{
	struct bft_wal_record record;
	size_t offset = 0;
	while (bft_wal_get(&record, &offset, good) == CS_OK) {
		struct bft_event event;
		int64_t height = 0;
		if (record.type != BFT_WAL_EVENT)
			continue;
		if (bft_record_decode(&event, &height, record.bytes) != CS_OK)
			return cs_fail(why, CS_ERR_DAMAGED,
				       "%s: a record of another build, or none", name);
		found->records++;
		if (height > found->height_max)
			found->height_max = height;
	}
	if (good.n > 0)
		log->old = host_append(log->old, &log->old_size, &log->old_room, good.p, good.n);
	return CS_OK;
}

/* The whole of one file; `last`: it will grow. */
static enum cs_err take_file(struct node_log *log, uint32_t number, bool last,
			     struct node_log_found *found, struct cs_why *why)
{
	char name[NODE_FILE_NAME_MAX];
	struct node_file file;
	uint8_t *bytes = NULL;
	size_t size = 0, good = 0;
	node_file_name(name, PREFIX, number);
	CS_TRY(node_file_open(&file, log->folder, name, false, why));
	enum cs_err err = read_file(&file, &bytes, &size, why);
	if (err == CS_OK && bft_wal_check(&good, cs_bytes(bytes, size)) == BFT_WAL_DAMAGED)
		err = cs_fail(why, CS_ERR_DAMAGED, "%s is broken at %zu, before what was synced",
			      name, good);
	if (err == CS_OK)
		err = keep(log, found, name, cs_bytes(bytes, good), why);
	found->torn += size - good;
	free(bytes);
	if (err != CS_OK || !last) {
		node_file_close(&file);
		return err;
	}
	log->file = file;
	log->number = number;
	log->end = log->synced = good;
	log->size = size;
	return CS_OK;
}

static enum cs_err begin_file(struct node_log *log, uint32_t number, struct cs_why *why)
{
	char name[NODE_FILE_NAME_MAX];
	struct node_file file;
	node_file_name(name, PREFIX, number);
	CS_TRY(node_file_open(&file, log->folder, name, true, why));
	enum cs_err err = node_folder_sync(log->folder, why);
	if (err != CS_OK) {
		node_file_close(&file);
		return err;
	}
	node_file_close(&log->file);
	log->file = file;
	log->number = number;
	log->end = log->synced = 0;
	return CS_OK;
}

static enum cs_err open_files(struct node_log *log, struct node_log_found *found,
			      struct cs_why *why)
{
	struct node_numbers numbers;
	enum cs_err err = CS_OK;
	CS_TRY(node_folder_numbers(&numbers, log->folder, PREFIX, why));
	for (size_t i = 0; i < numbers.count && err == CS_OK; i++)
		err = take_file(log, numbers.list[i], i + 1 == numbers.count, found, why);
	free(numbers.list);
	return err;
}

enum cs_err node_log_open(struct node_log **opened, const struct node_log_options *options,
			  struct node_log_found *found, struct cs_why *why)
{
	struct node_log_found f = {0};
	struct node_log *log = host_alloc(sizeof *log);
	cs_assert(options->size_max <= NODE_LOG_SIZE_MAX);
	log->folder = options->folder;
	log->file_size = options->file_size != 0 ? options->file_size : NODE_LOG_SIZE_DEFAULT;
	log->size_max = options->size_max != 0 ? options->size_max : NODE_LOG_SIZE_MAX;
	log->frame = host_alloc(FRAME_SIZE + BFT_WAL_BYTES_SIZE_MAX);
	enum cs_err err = open_files(log, &f, why);
	if (err != CS_OK) {
		node_log_close(log);
		return err;
	}
	*found = f;
	*opened = log;
	return CS_OK;
}

/* What is good is written again and synced before it is believed: a process that died before its
 * sync, or because of it, leaves it in the kernel's pages alone, and those may count as clean.
 * Older files hold heights that are done. */
enum cs_err node_log_mend(struct node_log *log, struct cs_why *why)
{
	if (log->file.folder == NULL)
		return begin_file(log, 1, why);
	cs_assert(log->end <= log->old_size); /* before the replay */
	struct cs_bytes good = cs_bytes(log->old + (log->old_size - log->end), (size_t)log->end);
	if (log->end < log->size)
		CS_TRY(node_file_truncate(&log->file, log->end, why));
	if (good.n == 0)
		return node_file_sync(&log->file, why);
	CS_TRY(node_file_write(&log->file, 0, good, why));
	CS_TRY(node_file_sync(&log->file, why));
	return mark(log, why);
}

void node_log_close(struct node_log *log)
{
	if (log == NULL)
		return;
	node_file_close(&log->file);
	free(log->old);
	free(log->frame);
	free(log);
}

enum cs_err node_log_replay(struct node_log *log, struct bft *bft, struct cs_why *why)
{
	struct bft_wal_record record;
	struct cs_bytes old = cs_bytes(log->old, log->old_size);
	size_t offset = 0;
	enum cs_err err = CS_OK;
	while (err == CS_OK && bft_wal_get(&record, &offset, old) == CS_OK) {
		if (record.type != BFT_WAL_EVENT)
			continue;
		err = bft_replay(bft, record.bytes);
		if (err != CS_OK)
			err = cs_fail(why, err,
				      "the log before its byte %zu does not fit the state", offset);
	}
	free(log->old);
	log->old = NULL;
	log->old_size = log->old_room = 0;
	return err;
}

/* ---- writing ---- */

enum cs_err node_log_append(struct node_log *log, struct cs_bytes bytes, struct cs_why *why)
{
	struct cs_buf buf;
	cs_buf_init(&buf, log->frame, FRAME_SIZE + BFT_WAL_BYTES_SIZE_MAX);
	bft_wal_put(&buf, BFT_WAL_EVENT, bytes);
	cs_assert(cs_buf_end(&buf) == CS_OK);
	if (log->end + buf.n + MARK_SIZE > log->size_max)
		return cs_fail(why, CS_ERR_FULL, "%s: one height fills the log", log->file.name);
	CS_TRY(node_file_write(&log->file, log->end, cs_buf_view(&buf), why));
	log->end += buf.n;
	return CS_OK;
}

enum cs_err node_log_sync(struct node_log *log, struct cs_why *why)
{
	if (log->synced == log->end)
		return CS_OK;
	CS_TRY(node_file_sync(&log->file, why));
	return mark(log, why);
}

/* Old files go without a sync of the folder: should one come back, or its removal be cut short, it
 * holds heights that are done, and goes with the next. */
static enum cs_err remove_old(struct node_log *log, struct cs_why *why)
{
	struct node_numbers numbers;
	char name[NODE_FILE_NAME_MAX];
	enum cs_err err = CS_OK;
	CS_TRY(node_folder_numbers(&numbers, log->folder, PREFIX, why));
	for (size_t i = 0; i < numbers.count && err == CS_OK; i++) {
		if (numbers.list[i] == log->number)
			continue;
		node_file_name(name, PREFIX, numbers.list[i]);
		err = node_folder_remove(log->folder, name, why);
	}
	free(numbers.list);
	return err;
}

enum cs_err node_log_forget(struct node_log *log, struct cs_why *why)
{
	CS_TRY(begin_file(log, log->number + 1, why));
	return remove_old(log, why);
}

enum cs_err node_log_committed(struct node_log *log, struct cs_why *why)
{
	return log->end < log->file_size ? CS_OK : node_log_forget(log, why);
}
