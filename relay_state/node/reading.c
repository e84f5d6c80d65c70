#include "relay_state/node/reading.h"

#include "host/alloc.h"
#include "relay_state/bft/wal.h"
#include "relay_state/node/log.h"

#include <stdlib.h>
#include <string.h>

#define LOG_PREFIX "log-"
#define EVIDENCE_PREFIX "evidence-"
#define SIGN_STATE "sign_state"

static void unread(const struct node_reading *r, const char *file, const char *why)
{
	if (r->unread != NULL)
		r->unread(r->context, file, why);
}

static enum cs_err give(const struct node_reading *r, const struct node_record *record)
{
	if (record->type == NODE_RECORD_BLOCK)
		return r->block != NULL ? r->block(r->context, record) : CS_OK;
	if (record->type == NODE_RECORD_OUTCOME)
		return r->outcome != NULL ? r->outcome(r->context, record) : CS_OK;
	return CS_OK;
}

static enum cs_err read_segment(const struct node_reading *r, struct node_scratch *scratch,
				struct node_file *file)
{
	struct node_record record;
	struct cs_why why = {{0}};
	uint64_t size = 0, at = NODE_SEGMENT_HEAD_SIZE;
	CS_TRY(node_file_size(file, &size, &why));
	enum cs_err err = node_record_read(&record, scratch, file, 0, 0, &why);
	if (err == CS_OK && record.type != NODE_RECORD_HEAD)
		err = cs_fail(&why, CS_ERR_DAMAGED, "no head");
	uint64_t salt = err == CS_OK ? record.salt : 0;
	while (err == CS_OK && at < size) {
		err = node_record_read(&record, scratch, file, at, salt, &why);
		if (err != CS_OK || record.type == NODE_RECORD_MARK)
			break;
		CS_TRY(give(r, &record));
		at += record.size;
	}
	if (err != CS_OK)
		unread(r, file->name, why.text);
	return CS_OK;
}

static enum cs_err give_record(const struct node_reading *r, const char *name, bool is_log,
			       struct cs_bytes bytes)
{
	struct bft_event event;
	int64_t height = 0;
	if (!is_log)
		return r->evidence != NULL ? r->evidence(r->context, bytes) : CS_OK;
	if (bft_record_decode(&event, &height, bytes) != CS_OK)
		unread(r, name, "a record of another build, or none");
	else if (r->logged != NULL)
		return r->logged(r->context, height, &event, name);
	return CS_OK;
}

static enum cs_err give_records(const struct node_reading *r, const char *name, bool is_log,
				struct cs_bytes log)
{
	struct bft_wal_record record;
	size_t offset = 0;
	enum cs_err err;
	while ((err = bft_wal_get(&record, &offset, log)) == CS_OK) {
		if (record.type == BFT_WAL_EVENT)
			CS_TRY(give_record(r, name, is_log, record.bytes));
	}
	if (err != CS_ERR_NOT_FOUND)
		unread(r, name, cs_err_sentence(err));
	return CS_OK;
}

static enum cs_err read_records(const struct node_reading *r, struct node_scratch *scratch,
				struct node_file *file)
{
	struct cs_why why = {{0}};
	uint64_t size = 0;
	CS_TRY(node_file_size(file, &size, &why));
	if (size > NODE_LOG_SIZE_MAX) {
		unread(r, file->name, "larger than a log can be");
		return CS_OK;
	}
	uint8_t *bytes = node_scratch_take(scratch, size + 1);
	enum cs_err err = node_file_read(file, 0, bytes, size, &why);
	if (err != CS_OK) {
		unread(r, file->name, why.text);
		return CS_OK;
	}
	bool is_log = strncmp(file->name, LOG_PREFIX, sizeof LOG_PREFIX - 1) == 0;
	return give_records(r, file->name, is_log, cs_bytes(bytes, size));
}

typedef enum cs_err reader(const struct node_reading *r, struct node_scratch *scratch,
			   struct node_file *file);

static enum cs_err read_numbered(const struct node_reading *r, struct node_folder *folder,
				 const char *prefix, reader *read, struct cs_why *why)
{
	struct node_numbers numbers;
	struct node_scratch scratch = {0};
	CS_TRY(node_folder_numbers(&numbers, folder, prefix, why));
	enum cs_err err = CS_OK;
	for (size_t i = 0; i < numbers.count && err == CS_OK; i++) {
		struct node_file file;
		char name[NODE_FILE_NAME_MAX];
		node_file_name(name, prefix, numbers.list[i]);
		/* Gone meanwhile: a node that lets go. */
		if (node_file_open(&file, folder, name, false, NULL) != CS_OK) {
			unread(r, name, "it cannot be opened");
			continue;
		}
		err = read(r, &scratch, &file);
		node_file_close(&file);
	}
	node_scratch_free(&scratch);
	free(numbers.list);
	return err;
}

static enum cs_err read_sign_state(const struct node_reading *r, struct node_folder *folder)
{
	struct bft_sign_state state;
	struct node_file file;
	uint8_t slots[2][BFT_SIGN_SLOT_SIZE];
	unsigned slot_next;
	bool damaged = false;
	if (r->signed_last == NULL ||
	    node_file_open(&file, folder, SIGN_STATE, false, NULL) != CS_OK)
		return CS_OK;
	enum cs_err err = node_file_read(&file, 0, slots, sizeof slots, NULL);
	node_file_close(&file);
	if (err == CS_OK)
		err = bft_sign_state_load(&state, &slot_next, &damaged, CS_BYTES_OF(slots[0]),
					  CS_BYTES_OF(slots[1]));
	if (damaged || (err != CS_OK && err != CS_ERR_NOT_FOUND))
		unread(r, SIGN_STATE, "a slot does not read");
	return err == CS_OK ? r->signed_last(r->context, &state) : CS_OK;
}

enum cs_err node_reading_walk(const char *home, const struct node_reading *r, struct cs_why *why)
{
	char path[NODE_PATH_SIZE_MAX];
	struct node_folder folder;
	CS_TRY(node_path(path, home, "data", why));
	CS_TRY(node_folder_open_reading(&folder, path, why));
	enum cs_err err = read_numbered(r, &folder, NODE_SEGMENT_PREFIX, read_segment, why);
	if (err == CS_OK)
		err = read_numbered(r, &folder, LOG_PREFIX, read_records, why);
	if (err == CS_OK)
		err = read_numbered(r, &folder, EVIDENCE_PREFIX, read_records, why);
	if (err == CS_OK)
		err = read_sign_state(r, &folder);
	node_folder_close(&folder);
	return err;
}
