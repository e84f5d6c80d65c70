#include "relay_state/node/store.h"

#include "host/alloc.h"
#include "relay_state/node/indexer.h"

#include <stdlib.h>
#include <string.h>

#define NAME_NEW "blocks.new"

/*~ A segment that is there has its head: it is made under another name. The last record of the last
 * segment may be torn; everything else was synced before something was written behind it, and be it
 * the mark. A power cut may take the mark; then a last record that does not read is a torn one, and
 * what the index, the log and the application remember of it is compared. */

struct segment {
	uint32_t number;
	int64_t first; /* height */
	uint64_t salt;
	uint64_t size; /* at the opening, of its records */
};

struct node_store {
	struct node_folder *folder;
	struct node_index *index; /* settled before it is read */
	struct node_indexer *indexer;
	uint64_t segment_size;
	struct segment *segments; /* contiguous, rising */
	size_t segment_count, segment_room;
	struct node_file tail; /* the last segment */
	uint64_t end;
	uint64_t tail_size,
		last_at;          /* at the opening: its size, and where its last record begins */
	struct node_file reading; /* any other */
	uint32_t reading_number;
	struct node_store_found now;
	int64_t retain;
	bool is_pending; /* the tip has no outcome yet */
	struct node_record tip;
	uint64_t tip_at;
	struct node_scratch tip_scratch, out, in_block, in_outcome, scan;
};

static struct segment *last_segment(struct node_store *store)
{
	return &store->segments[store->segment_count - 1];
}

static void add_segment(struct node_store *store, const struct segment *segment)
{
	if (store->segment_count == store->segment_room) {
		store->segment_room = store->segment_room == 0 ? 16 : 2 * store->segment_room;
		store->segments =
			host_grow(store->segments, store->segment_room * sizeof *store->segments);
	}
	store->segments[store->segment_count++] = *segment;
}

static enum cs_err open_segment(struct node_store *store, struct node_file *file, uint32_t number,
				struct cs_why *why)
{
	char name[NODE_FILE_NAME_MAX];
	node_file_name(name, NODE_SEGMENT_PREFIX, number);
	return node_file_open(file, store->folder, name, false, why);
}

static void remember_tip(struct node_store *store, const struct node_record *block, uint64_t at)
{
	store->tip = *block;
	store->tip_at = at;
	store->is_pending = true;
	store->now.stored = block->height;
}

/* ---- the index ---- */

/* The tip and what came of it. */
static enum cs_err index_tip(struct node_store *store, uint64_t outcome_at, struct cs_bytes results,
			     struct cs_why *why)
{
	const struct node_indexer_job job = {.place = {.height = store->tip.height,
						       .segment = last_segment(store)->number,
						       .block_at = store->tip_at,
						       .outcome_at = outcome_at,
						       .hash = store->tip.id.hash.hash},
					     .base = store->now.base,
					     .block = store->tip.block,
					     .results = results};
	return node_indexer_put(store->indexer, &job, why);
}

/* ---- opening ---- */

static enum cs_err damaged(struct cs_why *why, const char *what, int64_t number)
{
	return cs_fail(why, CS_ERR_DAMAGED, "the blocks: %s %lld", what, (long long)number);
}

/* Behind the last record of a full segment stands its mark, or what a power cut left of it. */
static enum cs_err check_before(struct node_store *store, const struct node_record *head,
				struct cs_why *why)
{
	if (store->segment_count == 0)
		return CS_OK;
	struct segment *before = last_segment(store);
	if (before->size < head->size_before ||
	    before->size - head->size_before > NODE_RECORD_HEADER_SIZE)
		return damaged(why, "bytes are missing before segment", head->number);
	before->size = head->size_before;
	return CS_OK;
}

static enum cs_err read_head(struct node_store *store, uint32_t number, struct cs_why *why)
{
	struct node_file file;
	struct node_record head;
	struct segment segment = {.number = number};
	CS_TRY(open_segment(store, &file, number, why));
	enum cs_err err = node_record_read(&head, &store->scan, &file, 0, 0, why);
	if (err == CS_OK)
		err = node_file_size(&file, &segment.size, why);
	node_file_close(&file);
	CS_TRY(err);
	if (head.type != NODE_RECORD_HEAD || head.number != number)
		return damaged(why, "another file stands in place of segment", number);
	CS_TRY(check_before(store, &head, why));
	if (store->segment_count > 0 && head.height <= last_segment(store)->first)
		return damaged(why, "heights do not rise in segment", number);
	segment.first = head.height;
	segment.salt = head.salt;
	add_segment(store, &segment);
	return CS_OK;
}

/* The newest segments without a gap; older ones behind a gap were let go, or the base tells that
 * they are missing. */
static enum cs_err read_heads(struct node_store *store, const struct node_numbers *numbers,
			      struct cs_why *why)
{
	size_t begin = numbers->count;
	while (begin > 0 &&
	       (begin == numbers->count || numbers->list[begin - 1] + 1 == numbers->list[begin]))
		begin--;
	for (size_t i = begin; i < numbers->count; i++)
		CS_TRY(read_head(store, numbers->list[i], why));
	return CS_OK;
}

struct scanning {
	size_t at; /* segment */
	bool has_outcome;
	bool has_place; /* of the index's last */
	bool is_place_seen;
	struct node_place place;
};

static enum cs_err take_outcome(struct node_store *store, struct scanning *s,
				const struct node_record *outcome, uint64_t at, struct cs_why *why)
{
	const struct node_place *place = &s->place;
	if (!store->is_pending || outcome->height != store->tip.height)
		return damaged(why, "an outcome without its block at height", outcome->height);
	if (outcome->base > outcome->height || outcome->base < store->now.base)
		return damaged(why, "an impossible base at height", outcome->height);
	store->now.base = outcome->base;
	store->now.height = outcome->height;
	s->has_outcome = true;
	if (s->has_place && outcome->height == place->height) {
		s->is_place_seen = place->segment == store->segments[s->at].number &&
				   place->block_at == store->tip_at && place->outcome_at == at &&
				   cs_hash_eq(&place->hash, &store->tip.id.hash.hash);
		if (!s->is_place_seen)
			return damaged(why, "the index is of other blocks at height",
				       outcome->height);
	}
	store->is_pending = false;
	return CS_OK;
}

static enum cs_err take_record(struct node_store *store, struct scanning *s,
			       struct node_record *record, uint64_t at, struct cs_why *why)
{
	if (record->type == NODE_RECORD_HEAD)
		return damaged(why, "a head in the middle of segment",
			       store->segments[s->at].number);
	if (record->type == NODE_RECORD_OUTCOME) {
		CS_TRY(take_outcome(store, s, record, at, why));
		if (s->has_place && record->height <= s->place.height)
			return CS_OK;
		/* index_tip names the last segment: that of the scan, here. */
		size_t count = store->segment_count;
		store->segment_count = s->at + 1;
		enum cs_err err = index_tip(store, at, record->results, why);
		store->segment_count = count;
		return err;
	}
	if (store->is_pending || record->height != store->now.stored + 1)
		return damaged(why, "no block where one must be, height", store->now.stored + 1);
	/* The block stays until its outcome has been read. */
	struct node_scratch swap = store->tip_scratch;
	store->tip_scratch = store->scan;
	store->scan = swap;
	remember_tip(store, record, at);
	return CS_OK;
}

/* *last: where the last record begins; *end: where it ends. */
static enum cs_err scan_records(struct node_store *store, struct scanning *s,
				struct node_file *file, uint64_t *last, uint64_t *end,
				struct cs_why *why)
{
	const struct segment *segment = &store->segments[s->at];
	bool is_last = s->at + 1 == store->segment_count;
	uint64_t at = NODE_SEGMENT_HEAD_SIZE;
	while (at < segment->size) {
		struct node_record record;
		struct cs_why detail = {{0}};
		enum cs_err err =
			node_record_read(&record, &store->scan, file, at, segment->salt, &detail);
		if (err == CS_ERR_DAMAGED) {
			bool is_followed = true;
			if (is_last)
				CS_TRY(node_record_is_followed(&is_followed, &store->scan, file, at,
							       segment->salt, why));
			if (is_followed)
				return cs_fail(why, CS_ERR_DAMAGED, "%s", detail.text);
			break;
		}
		if (err != CS_OK)
			return cs_fail(why, err, "%s", detail.text);
		if (record.type == NODE_RECORD_MARK)
			break;
		CS_TRY(take_record(store, s, &record, at, why));
		*last = at;
		at += record.size;
	}
	*end = at;
	return CS_OK;
}

static enum cs_err append(struct node_store *store, struct cs_bytes bytes, struct cs_why *why)
{
	const struct node_record mark = {.type = NODE_RECORD_MARK, .height = store->now.stored};
	CS_TRY(node_file_write(&store->tail, store->end, bytes, why));
	CS_TRY(node_file_sync(&store->tail, why));
	store->end += bytes.n;
	CS_TRY(node_record_encode(&bytes, &store->scan, &mark, store->end,
				  last_segment(store)->salt));
	return node_file_write(&store->tail, store->end, bytes, why);
}

static enum cs_err scan_segment(struct node_store *store, struct scanning *s, struct cs_why *why)
{
	const struct segment *segment = &store->segments[s->at];
	struct node_file file;
	uint64_t last = 0, end = 0;
	if (store->is_pending || segment->first != store->now.stored + 1)
		return damaged(why, "heights are missing before", segment->first);
	CS_TRY(open_segment(store, &file, segment->number, why));
	enum cs_err err = scan_records(store, s, &file, &last, &end, why);
	if (err != CS_OK || s->at + 1 < store->segment_count) {
		node_file_close(&file);
		return err;
	}
	store->tail = file;
	store->end = end;
	store->tail_size = segment->size;
	store->last_at = last;
	if (end < segment->size && segment->size - end != NODE_RECORD_HEADER_SIZE)
		store->now.torn = segment->size - end;
	return CS_OK;
}

static enum cs_err find_begin(struct node_store *store, struct scanning *s, bool check_all,
			      struct cs_why *why)
{
	enum cs_err err = node_index_last(store->index, &s->place);
	if (err == CS_ERR_NOT_FOUND)
		return CS_OK;
	if (err != CS_OK)
		return cs_fail(why, err, "the index does not read");
	/* Older than everything that is kept: a power cut took its end, pruning what it knew. */
	if (store->segment_count > 0 && s->place.height < store->segments[0].first)
		return CS_OK;
	s->has_place = true;
	for (size_t i = 0; i < store->segment_count; i++) {
		if (store->segments[i].number == s->place.segment) {
			s->at = check_all ? 0 : i;
			return CS_OK;
		}
	}
	return damaged(why, "the index has blocks that are missing, up to height", s->place.height);
}

static enum cs_err drop_segments(struct node_store *store, struct cs_why *why)
{
	size_t drop = 0;
	char name[NODE_FILE_NAME_MAX];
	while (drop + 1 < store->segment_count &&
	       store->segments[drop + 1].first <= store->now.base) {
		/* The index lets go first. */
		CS_TRY(node_indexer_settle(store->indexer, why));
		if (store->reading.folder != NULL &&
		    store->reading_number == store->segments[drop].number)
			node_file_close(&store->reading);
		node_file_name(name, NODE_SEGMENT_PREFIX, store->segments[drop].number);
		CS_TRY(node_folder_remove(store->folder, name, why));
		drop++;
	}
	if (drop > 0) {
		store->segment_count -= drop;
		memmove(store->segments, store->segments + drop,
			store->segment_count * sizeof *store->segments);
	}
	return CS_OK;
}

static enum cs_err drop_strays(struct node_store *store, const struct node_numbers *numbers,
			       struct cs_why *why)
{
	char name[NODE_FILE_NAME_MAX];
	for (size_t i = 0; i < numbers->count; i++) {
		if (numbers->list[i] >= store->segments[0].number)
			break;
		node_file_name(name, NODE_SEGMENT_PREFIX, numbers->list[i]);
		CS_TRY(node_folder_remove(store->folder, name, why));
	}
	return CS_OK;
}

static enum cs_err scan_all(struct node_store *store, const struct node_store_options *options,
			    struct cs_why *why)
{
	struct scanning s = {0};
	CS_TRY(find_begin(store, &s, options->check_all, why));
	if (store->segment_count == 0) {
		store->now.is_fresh = true;
		return CS_OK;
	}
	int64_t first = store->segments[0].first;
	bool is_from_begin = store->segments[0].number == 1;
	store->now.stored = store->segments[s.at].first - 1;
	for (; s.at < store->segment_count; s.at++)
		CS_TRY(scan_segment(store, &s, why));
	CS_TRY(node_indexer_settle(store->indexer, why));
	if (s.has_place && !s.is_place_seen)
		return damaged(why, "the index has more than there is, height", s.place.height);
	if (!s.has_outcome && !is_from_begin)
		return damaged(why, "all outcomes are missing before", first);
	if (!s.has_outcome && !store->is_pending)
		store->now.stored = 0;
	if (s.has_outcome && store->now.base < first)
		return damaged(why, "heights are missing from", store->now.base);
	return CS_OK;
}

static enum cs_err open_store(struct node_store *store, const struct node_store_options *options,
			      struct cs_why *why)
{
	struct node_numbers numbers;
	CS_TRY(node_index_open(&store->index, options->index_path, why));
	store->indexer = node_indexer_new(store->index);
	CS_TRY(node_folder_numbers(&numbers, store->folder, NODE_SEGMENT_PREFIX, why));
	enum cs_err err = read_heads(store, &numbers, why);
	if (err == CS_OK)
		err = scan_all(store, options, why);
	if (err == CS_OK && store->segment_count > 0)
		err = drop_strays(store, &numbers, why);
	if (err == CS_OK && store->segment_count > 0)
		err = drop_segments(store, why);
	free(numbers.list);
	return err;
}

enum cs_err node_store_open(struct node_store **opened, const struct node_store_options *options,
			    struct cs_why *why)
{
	if (options->segment_size > NODE_SEGMENT_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	struct node_store *store = host_alloc(sizeof *store);
	store->folder = options->folder;
	store->segment_size =
		options->segment_size != 0 ? options->segment_size : NODE_SEGMENT_SIZE_DEFAULT;
	enum cs_err err = open_store(store, options, why);
	if (err != CS_OK) {
		node_store_close(store);
		return err;
	}
	*opened = store;
	return CS_OK;
}

/* A process that died before its sync, or because of it, leaves a last record that reads from the
 * kernel's pages and is not on the disk, and pages that count as clean: it is written again. */
enum cs_err node_store_mend(struct node_store *store, struct cs_why *why)
{
	if (store->segment_count == 0)
		return CS_OK;
	uint64_t end = store->end;
	if (end < store->tail_size)
		CS_TRY(node_file_truncate(&store->tail, end, why));
	if (store->last_at == 0)
		return node_file_sync(&store->tail, why);
	size_t n = (size_t)(end - store->last_at);
	uint8_t *p = node_scratch_take(&store->out, n);
	CS_TRY(node_file_read(&store->tail, store->last_at, p, n, why));
	store->end = store->last_at;
	return append(store, cs_bytes(p, n), why);
}

void node_store_close(struct node_store *store)
{
	if (store == NULL)
		return;
	node_file_close(&store->tail);
	node_file_close(&store->reading);
	node_indexer_free(store->indexer);
	node_index_close(store->index);
	node_scratch_free(&store->tip_scratch);
	node_scratch_free(&store->out);
	node_scratch_free(&store->in_block);
	node_scratch_free(&store->in_outcome);
	node_scratch_free(&store->scan);
	free(store->segments);
	free(store);
}

struct node_store_found node_store_look(const struct node_store *store)
{
	return store->now;
}

/* ---- writing ---- */

static enum cs_err write_head(struct node_store *store, struct node_file *file,
			      const struct segment *segment, struct cs_why *why)
{
	struct node_record head = {.type = NODE_RECORD_HEAD,
				   .height = segment->first,
				   .number = segment->number,
				   .size_before = store->end,
				   .salt = segment->salt};
	struct cs_bytes bytes;
	CS_TRY(node_record_encode(&bytes, &store->out, &head, 0, 0));
	CS_TRY(node_file_truncate(file, 0, why));
	CS_TRY(node_file_write(file, 0, bytes, why));
	return node_file_sync(file, why);
}

static enum cs_err new_segment(struct node_store *store, struct segment *segment, int64_t first,
			       struct cs_why *why)
{
	uint8_t salt[8];
	*segment = (struct segment){.first = first, .size = NODE_SEGMENT_HEAD_SIZE};
	segment->number = store->segment_count > 0 ? last_segment(store)->number + 1 : 1;
	CS_TRY(node_folder_random(store->folder, salt, sizeof salt, why));
	segment->salt = cs_be64(salt);
	return CS_OK;
}

/* NAME_NEW, whose bytes are durable, becomes the tail. */
static enum cs_err take_new(struct node_store *store, const struct segment *segment, uint64_t end,
			    struct cs_why *why)
{
	char name[NODE_FILE_NAME_MAX];
	node_file_name(name, NODE_SEGMENT_PREFIX, segment->number);
	CS_TRY(node_folder_rename(store->folder, NAME_NEW, name, why));
	node_file_close(&store->tail);
	CS_TRY(open_segment(store, &store->tail, segment->number, why));
	add_segment(store, segment);
	store->end = end;
	return CS_OK;
}

static enum cs_err begin_segment(struct node_store *store, int64_t first, struct cs_why *why)
{
	struct segment segment;
	struct node_file file;
	CS_TRY(new_segment(store, &segment, first, why));
	CS_TRY(node_file_open(&file, store->folder, NAME_NEW, true, why));
	enum cs_err err = write_head(store, &file, &segment, why);
	node_file_close(&file);
	CS_TRY(err);
	return take_new(store, &segment, NODE_SEGMENT_HEAD_SIZE, why);
}

enum cs_err node_store_put_block(struct node_store *store, const struct node_stored_block *block,
				 struct cs_why *why)
{
	struct cs_bytes bytes;
	struct node_record record = {.type = NODE_RECORD_BLOCK,
				     .height = block->height,
				     .id = block->id,
				     .block = block->block,
				     .commit = block->commit};
	if (store->is_pending) {
		if (block->height == store->tip.height &&
		    cmt_block_id_eq(&block->id, &store->tip.id))
			return CS_OK;
		return cs_fail(why, CS_ERR_CONFLICT, "another block is stored at height %lld",
			       (long long)store->tip.height);
	}
	if (block->height < 1 || (store->now.stored > 0 && block->height != store->now.stored + 1))
		return cs_fail(why, CS_ERR_CONFLICT, "height %lld does not follow %lld",
			       (long long)block->height, (long long)store->now.stored);
	if (block->block.n > BFT_BLOCK_SIZE_MAX || block->commit.n > NODE_COMMIT_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	if (store->segment_count == 0 ||
	    (store->end >= store->segment_size && store->end > NODE_SEGMENT_HEAD_SIZE))
		CS_TRY(begin_segment(store, block->height, why));
	uint64_t at = store->end;
	CS_TRY(node_record_encode(&bytes, &store->tip_scratch, &record, at,
				  last_segment(store)->salt));
	CS_TRY(append(store, bytes, why));
	record.block.p = bytes.p + NODE_RECORD_HEADER_SIZE + BFT_BLOCK_ID_SIZE + 4;
	record.commit.p = record.block.p + record.block.n;
	record.size = bytes.n;
	remember_tip(store, &record, at);
	return CS_OK;
}

enum cs_err node_store_put_outcome(struct node_store *store, int64_t height, struct cs_bytes state,
				   struct cs_bytes results, struct cs_why *why)
{
	struct cs_bytes bytes;
	struct node_record record = {.type = NODE_RECORD_OUTCOME,
				     .height = height,
				     .base = store->now.base,
				     .state = state,
				     .results = results};
	if (!store->is_pending || height != store->tip.height)
		return cs_fail(why, CS_ERR_CONFLICT, "no block of height %lld waits",
			       (long long)height);
	if (record.base == 0)
		record.base = height;
	if (store->retain > record.base)
		record.base = store->retain < height ? store->retain : height;
	uint64_t at = store->end;
	CS_TRY(node_record_encode(&bytes, &store->out, &record, at, last_segment(store)->salt));
	CS_TRY(append(store, bytes, why));
	store->now.base = record.base;
	store->now.height = height;
	store->is_pending = false;
	CS_TRY(index_tip(store, at, results, why));
	return drop_segments(store, why);
}

/* Block and outcome behind the head of a file that nobody knows yet; *end: where they end. */
static enum cs_err write_first(struct node_store *store, struct node_file *file,
			       const struct segment *segment, struct node_record *block,
			       struct cs_bytes state, uint64_t *end, struct cs_why *why)
{
	const struct node_record outcome = {.type = NODE_RECORD_OUTCOME,
					    .height = block->height,
					    .base = block->height,
					    .state = state};
	struct cs_bytes bytes;
	uint64_t at = NODE_SEGMENT_HEAD_SIZE;
	CS_TRY(node_record_encode(&bytes, &store->tip_scratch, block, at, segment->salt));
	block->block.p = bytes.p + NODE_RECORD_HEADER_SIZE + BFT_BLOCK_ID_SIZE + 4;
	block->commit.p = block->block.p + block->block.n;
	block->size = bytes.n;
	CS_TRY(write_head(store, file, segment, why));
	CS_TRY(node_file_write(file, at, bytes, why));
	at += bytes.n;
	CS_TRY(node_record_encode(&bytes, &store->out, &outcome, at, segment->salt));
	CS_TRY(node_file_write(file, at, bytes, why));
	*end = at + bytes.n;
	return node_file_sync(file, why);
}

enum cs_err node_store_begin_at(struct node_store *store, const struct node_stored_block *block,
				struct cs_bytes state, struct cs_why *why)
{
	struct node_record record = {.type = NODE_RECORD_BLOCK,
				     .height = block->height,
				     .id = block->id,
				     .block = block->block,
				     .commit = block->commit};
	struct segment segment;
	struct node_file file;
	uint64_t end = 0;
	if (store->now.stored > 0 || store->segment_count > 0 || block->height < 1)
		return cs_fail(why, CS_ERR_CONFLICT, "the blocks begin at height %lld already",
			       (long long)store->now.base);
	if (block->block.n > BFT_BLOCK_SIZE_MAX || block->commit.n > NODE_COMMIT_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	CS_TRY(new_segment(store, &segment, block->height, why));
	CS_TRY(node_file_open(&file, store->folder, NAME_NEW, true, why));
	enum cs_err err = write_first(store, &file, &segment, &record, state, &end, why);
	node_file_close(&file);
	CS_TRY(err);
	CS_TRY(take_new(store, &segment, end, why));
	remember_tip(store, &record, NODE_SEGMENT_HEAD_SIZE);
	store->is_pending = false;
	store->now.base = store->now.height = block->height;
	return index_tip(store, NODE_SEGMENT_HEAD_SIZE + record.size, CS_BYTES_NONE, why);
}

/* A segment that was begun and holds no block: a crash, or an earlier step back. */
static enum cs_err drop_empty_tail(struct node_store *store, struct cs_why *why)
{
	char name[NODE_FILE_NAME_MAX];
	if (store->segment_count < 2 || store->end != NODE_SEGMENT_HEAD_SIZE)
		return CS_OK;
	node_file_close(&store->tail);
	node_file_name(name, NODE_SEGMENT_PREFIX, last_segment(store)->number);
	CS_TRY(node_folder_remove(store->folder, name, why));
	CS_TRY(node_folder_sync(store->folder, why));
	store->segment_count--;
	return open_segment(store, &store->tail, last_segment(store)->number, why);
}

static enum cs_err cut_tail(struct node_store *store, const struct node_place *place, uint64_t size,
			    struct cs_why *why)
{
	if (place->segment != last_segment(store)->number)
		CS_TRY(drop_empty_tail(store, why));
	if (place->segment != last_segment(store)->number)
		return damaged(why, "the last height is in segment", place->segment);
	CS_TRY(node_file_truncate(&store->tail, size, why));
	return node_file_sync(&store->tail, why);
}

enum cs_err node_store_roll_back(struct node_store *store, bool hard, int64_t *height,
				 struct cs_why *why)
{
	int64_t last = store->now.height;
	struct node_place place = {.height = last + 1, .block_at = store->tip_at};
	if (last == 0)
		return cs_fail(why, CS_ERR_CONFLICT, "there is no state");
	place.segment = last_segment(store)->number;
	if (store->is_pending) {
		if (hard)
			CS_TRY(cut_tail(store, &place, place.block_at, why));
		*height = last;
		return CS_OK;
	}
	if (last - 1 < store->now.base)
		return cs_fail(why, CS_ERR_CONFLICT, "height %lld is not kept",
			       (long long)(last - 1));
	CS_TRY(node_indexer_settle(store->indexer, why));
	CS_TRY(node_index_place(store->index, &place, last));
	/* An index that knows less is mended by a start, one that knows more refuses it. */
	CS_TRY(node_index_roll_back(store->index, last, why));
	CS_TRY(cut_tail(store, &place, hard ? place.block_at : place.outcome_at, why));
	*height = last - 1;
	return CS_OK;
}

void node_store_let_go(struct node_store *store, int64_t retain_height)
{
	if (retain_height > store->retain)
		store->retain = retain_height;
}

/* ---- reading ---- */

static enum cs_err read_at(struct node_store *store, struct node_record *record,
			   struct node_scratch *scratch, uint32_t number, uint64_t at,
			   struct cs_why *why)
{
	const struct segment *first = &store->segments[0];
	struct node_file *file = &store->tail;
	cs_assert(store->segment_count > 0);
	if (number < first->number || number - first->number >= store->segment_count)
		return CS_ERR_NOT_FOUND;
	const struct segment *segment = &store->segments[number - first->number];
	if (segment != last_segment(store)) {
		if (store->reading.folder == NULL || store->reading_number != number) {
			node_file_close(&store->reading);
			CS_TRY(open_segment(store, &store->reading, number, why));
			store->reading_number = number;
		}
		file = &store->reading;
	}
	return node_record_read(record, scratch, file, at, segment->salt, why);
}

static enum cs_err read_height(struct node_store *store, struct node_record *record,
			       enum node_record_type type, int64_t height, struct cs_why *why)
{
	struct node_place place;
	bool is_block = type == NODE_RECORD_BLOCK;
	if (height < store->now.base || height > store->now.height || height < 1)
		return CS_ERR_NOT_FOUND;
	CS_TRY(node_indexer_settle(store->indexer, why));
	enum cs_err err = node_index_place(store->index, &place, height);
	if (err == CS_ERR_NOT_FOUND)
		return damaged(why, "the index lacks height", height);
	CS_TRY(err);
	CS_TRY(read_at(store, record, is_block ? &store->in_block : &store->in_outcome,
		       place.segment, is_block ? place.block_at : place.outcome_at, why));
	if (record->type != type || record->height != height)
		return damaged(why, "the index leads elsewhere for height", height);
	return CS_OK;
}

enum cs_err node_store_block(struct node_store *store, struct node_stored_block *block,
			     int64_t height, struct cs_why *why)
{
	struct node_record record;
	/* The tip is in memory, whether it has its outcome or not. */
	if (store->now.stored > 0 && height == store->now.stored)
		record = store->tip;
	else
		CS_TRY(read_height(store, &record, NODE_RECORD_BLOCK, height, why));
	*block = (struct node_stored_block){height, record.id, record.block, record.commit};
	return CS_OK;
}

enum cs_err node_store_outcome(struct node_store *store, struct cs_bytes *state,
			       struct cs_bytes *results, int64_t height, struct cs_why *why)
{
	struct node_record record;
	CS_TRY(read_height(store, &record, NODE_RECORD_OUTCOME, height, why));
	*state = record.state;
	*results = record.results;
	return CS_OK;
}

/* What could not be written is told by the next outcome. */
struct node_index *node_store_index(struct node_store *store)
{
	(void)!node_indexer_settle(store->indexer, NULL);
	return store->index;
}
