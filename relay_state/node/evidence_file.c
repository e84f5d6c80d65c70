#include "relay_state/node/evidence_file.h"

#include "core/hash.h"
#include "host/alloc.h"
#include "relay_state/bft/wal.h"

#include <stdlib.h>
#include <string.h>

#define PREFIX "evidence-"
#define MARK_SIZE (BFT_WAL_HEADER_SIZE + 8)
#define RECORD_SIZE_MAX (BFT_WAL_HEADER_SIZE + BFT_EVIDENCE_SIZE_MAX)

struct node_evidence {
	struct node_folder *folder;
	struct node_file file; /* closed until there is a first piece */
	uint32_t number;       /* of the newest file, 0: none */
	uint64_t end;
	struct cs_hash *there; /* of what the file has */
	size_t there_count, there_room;
	/* What the opening found: whole records. */
	uint8_t *old;
	size_t old_size, old_room;
	uint8_t *frame; /* one record on its way out */
};

/* ---- opening ---- */

static enum cs_err read_file(struct node_evidence *e, struct node_file *file, uint64_t *torn,
			     struct cs_why *why)
{
	uint64_t size;
	size_t good = 0;
	CS_TRY(node_file_size(file, &size, why));
	if (size > NODE_EVIDENCE_FILE_SIZE_MAX)
		return cs_fail(why, CS_ERR_DAMAGED, "%s is too large to hold evidence", file->name);
	uint8_t *p = host_alloc((size_t)size + 1);
	enum cs_err err = node_file_read(file, 0, p, (size_t)size, why);
	if (err == CS_OK && bft_wal_check(&good, cs_bytes(p, (size_t)size)) == BFT_WAL_DAMAGED)
		err = cs_fail(why, CS_ERR_DAMAGED, "%s is broken at %zu, before what was synced",
			      file->name, good);
	if (err == CS_OK) {
		e->old = host_append(e->old, &e->old_size, &e->old_room, p, good);
		*torn += size - good;
	}
	free(p);
	return err;
}

static enum cs_err read_all(struct node_evidence *e, uint64_t *torn, struct cs_why *why)
{
	struct node_numbers numbers;
	enum cs_err err = CS_OK;
	CS_TRY(node_folder_numbers(&numbers, e->folder, PREFIX, why));
	for (size_t i = 0; i < numbers.count && err == CS_OK; i++) {
		char name[NODE_FILE_NAME_MAX];
		struct node_file file;
		node_file_name(name, PREFIX, numbers.list[i]);
		err = node_file_open(&file, e->folder, name, false, why);
		if (err != CS_OK)
			break;
		err = read_file(e, &file, torn, why);
		node_file_close(&file);
		e->number = numbers.list[i];
	}
	free(numbers.list);
	return err;
}

enum cs_err node_evidence_open(struct node_evidence **opened, struct node_folder *folder,
			       uint64_t *torn, struct cs_why *why)
{
	struct node_evidence *e = host_alloc(sizeof *e);
	e->folder = folder;
	e->frame = host_alloc(RECORD_SIZE_MAX + MARK_SIZE);
	enum cs_err err = read_all(e, torn, why);
	if (err != CS_OK) {
		node_evidence_close(e);
		return err;
	}
	*opened = e;
	return CS_OK;
}

void node_evidence_close(struct node_evidence *e)
{
	if (e == NULL)
		return;
	node_file_close(&e->file);
	free(e->there);
	free(e->old);
	free(e->frame);
	free(e);
}

bool node_evidence_next(const struct node_evidence *e, size_t *offset, struct cs_bytes *bytes)
{
	struct bft_wal_record record;
	while (bft_wal_get(&record, offset, cs_bytes(e->old, e->old_size)) == CS_OK) {
		if (record.type != BFT_WAL_EVENT)
			continue;
		*bytes = record.bytes;
		return true;
	}
	return false;
}

/* ---- writing ---- */

static bool is_there(const struct node_evidence *e, const struct cs_hash *hash)
{
	for (size_t i = 0; i < e->there_count; i++) {
		if (cs_hash_eq(&e->there[i], hash))
			return true;
	}
	return false;
}

static enum cs_err append(struct node_evidence *e, struct cs_bytes bytes, struct cs_why *why)
{
	struct cs_hash hash = cs_sha256(bytes);
	struct cs_buf buf;
	if (is_there(e, &hash))
		return CS_OK;
	cs_buf_init(&buf, e->frame, RECORD_SIZE_MAX);
	bft_wal_put(&buf, BFT_WAL_EVENT, bytes);
	if (cs_buf_end(&buf) != CS_OK)
		return cs_fail(why, CS_ERR_TOO_LARGE, "evidence of %zu bytes", bytes.n);
	CS_TRY(node_file_write(&e->file, e->end, cs_buf_view(&buf), why));
	e->end += buf.n;
	if (e->there_count == e->there_room) {
		e->there_room = 2 * e->there_room + 64;
		e->there = host_grow(e->there, e->there_room * sizeof *e->there);
	}
	e->there[e->there_count++] = hash;
	return CS_OK;
}

/* The mark is not synced itself: as in the log. */
static enum cs_err sync(struct node_evidence *e, struct cs_why *why)
{
	struct cs_buf buf;
	CS_TRY(node_file_sync(&e->file, why));
	cs_buf_init(&buf, e->frame, MARK_SIZE);
	bft_wal_put_synced(&buf, e->end);
	cs_assert(cs_buf_end(&buf) == CS_OK);
	CS_TRY(node_file_write(&e->file, e->end, cs_buf_view(&buf), why));
	e->end += buf.n;
	return CS_OK;
}

static enum cs_err begin_file(struct node_evidence *e, struct cs_why *why)
{
	char name[NODE_FILE_NAME_MAX];
	struct node_file file;
	node_file_name(name, PREFIX, e->number + 1);
	CS_TRY(node_file_open(&file, e->folder, name, true, why));
	node_file_close(&e->file);
	e->file = file;
	e->number++;
	e->end = 0;
	e->there_count = 0;
	return CS_OK;
}

/* Its names and bytes are durable before an older one goes. One that comes back after all holds what
 * the engine will refuse. */
static enum cs_err end_file(struct node_evidence *e, struct cs_why *why)
{
	struct node_numbers numbers;
	char name[NODE_FILE_NAME_MAX];
	CS_TRY(sync(e, why));
	CS_TRY(node_folder_sync(e->folder, why));
	CS_TRY(node_folder_numbers(&numbers, e->folder, PREFIX, why));
	enum cs_err err = CS_OK;
	for (size_t i = 0; i < numbers.count && err == CS_OK; i++) {
		if (numbers.list[i] == e->number)
			continue;
		node_file_name(name, PREFIX, numbers.list[i]);
		err = node_folder_remove(e->folder, name, why);
	}
	free(numbers.list);
	return err;
}

enum cs_err node_evidence_mend(struct node_evidence *e, struct cs_why *why)
{
	struct cs_bytes bytes;
	size_t offset = 0;
	if (e->number == 0)
		return CS_OK;
	CS_TRY(begin_file(e, why));
	while (node_evidence_next(e, &offset, &bytes))
		CS_TRY(append(e, bytes, why));
	return end_file(e, why);
}

enum cs_err node_evidence_put(struct node_evidence *e, struct cs_bytes bytes, struct cs_why *why)
{
	uint64_t before = e->end;
	bool is_first = e->file.folder == NULL;
	if (is_first)
		CS_TRY(begin_file(e, why));
	CS_TRY(append(e, bytes, why));
	if (e->end == before)
		return CS_OK;
	return is_first ? end_file(e, why) : sync(e, why);
}

enum cs_err node_evidence_committed(struct node_evidence *e, const struct bft *bft,
				    struct cs_why *why)
{
	if (e->end < NODE_EVIDENCE_FILE_SIZE)
		return CS_OK;
	CS_TRY(begin_file(e, why));
	for (size_t i = 0; i < bft_evidence_waiting(bft); i++)
		CS_TRY(append(e, bft_evidence_at(bft, i), why));
	return end_file(e, why);
}
