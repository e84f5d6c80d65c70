#include "relay_state/node/segment.h"

#include "core/reader.h"
#include "host/alloc.h"
#include "relay_state/bft/wal.h"

#include <stdlib.h>
#include <string.h>

#define MAGIC 0x43534253u /* "CSBS" */
#define WINDOW_SIZE (1024u * 1024)

void node_scratch_free(struct node_scratch *scratch)
{
	free(scratch->p);
	*scratch = (struct node_scratch){0};
}

uint8_t *node_scratch_take(struct node_scratch *scratch, size_t n)
{
	if (n > scratch->size) {
		free(scratch->p);
		scratch->p = host_alloc(n);
		scratch->size = n;
	}
	return scratch->p;
}

/* ---- writing ---- */

static void put_sized(struct cs_buf *buf, struct cs_bytes bytes)
{
	cs_put_u32(buf, (uint32_t)bytes.n);
	cs_put(buf, bytes);
}

static void put_body(struct cs_buf *buf, const struct node_record *record)
{
	uint8_t id[BFT_BLOCK_ID_SIZE];
	switch (record->type) {
	case NODE_RECORD_HEAD:
		cs_put_u32(buf, record->number);
		cs_put_u64(buf, record->size_before);
		cs_put_u64(buf, record->salt);
		return;
	case NODE_RECORD_BLOCK:
		bft_block_id_encode(id, &record->id);
		cs_put(buf, CS_BYTES_OF(id));
		put_sized(buf, record->block);
		cs_put(buf, record->commit);
		return;
	case NODE_RECORD_OUTCOME:
		cs_put_u64(buf, (uint64_t)record->base);
		put_sized(buf, record->state);
		cs_put(buf, record->results);
		return;
	case NODE_RECORD_MARK:
		return;
	}
}

/* Of HEAD, whose salt is not known before it is read, with salt 0. */
static uint32_t header_checksum(const uint8_t *header, enum node_record_type type, uint64_t offset,
				uint64_t salt)
{
	uint8_t where[16];
	cs_put_be64(where, type == NODE_RECORD_HEAD ? 0 : salt);
	cs_put_be64(where + 8, offset);
	return bft_crc32c(bft_crc32c(0, CS_BYTES_OF(where)), cs_bytes(header, 24));
}

enum cs_err node_record_encode(struct cs_bytes *bytes, struct node_scratch *scratch,
			       const struct node_record *record, uint64_t offset, uint64_t salt)
{
	struct cs_buf buf;
	size_t a = record->type == NODE_RECORD_BLOCK ? record->block.n : record->state.n;
	size_t b = record->type == NODE_RECORD_BLOCK ? record->commit.n : record->results.n;
	if (a > NODE_RECORD_BODY_SIZE_MAX || b > NODE_RECORD_BODY_SIZE_MAX - a)
		return CS_ERR_TOO_LARGE;
	size_t room = NODE_RECORD_HEADER_SIZE + BFT_BLOCK_ID_SIZE + 32 + a + b;
	uint8_t *p = node_scratch_take(scratch, room);
	cs_buf_init(&buf, p + NODE_RECORD_HEADER_SIZE, room - NODE_RECORD_HEADER_SIZE);
	put_body(&buf, record);
	cs_assert(cs_buf_end(&buf) == CS_OK);
	if (buf.n > NODE_RECORD_BODY_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	memset(p, 0, NODE_RECORD_HEADER_SIZE);
	cs_put_be32(p, MAGIC);
	p[4] = (uint8_t)record->type;
	cs_put_be64(p + 8, (uint64_t)record->height);
	cs_put_be32(p + 16, (uint32_t)buf.n);
	cs_put_be32(p + 20, bft_crc32c(0, cs_buf_view(&buf)));
	cs_put_be32(p + 24, header_checksum(p, record->type, offset, salt));
	*bytes = cs_bytes(p, NODE_RECORD_HEADER_SIZE + buf.n);
	return CS_OK;
}

/* ---- reading ---- */

static bool is_header(const uint8_t *p, uint64_t offset, uint64_t salt)
{
	return cs_be32(p) == MAGIC && p[4] >= NODE_RECORD_HEAD && p[4] <= NODE_RECORD_MARK &&
	       (p[5] | p[6] | p[7]) == 0 && (p[4] == NODE_RECORD_HEAD) == (offset == 0) &&
	       cs_be32(p + 16) <= NODE_RECORD_BODY_SIZE_MAX &&
	       cs_be32(p + 24) == header_checksum(p, (enum node_record_type)p[4], offset, salt);
}

static struct cs_bytes get_sized(struct cs_reader *reader)
{
	uint32_t n = cs_get_u32(reader);
	return cs_get(reader, n);
}

static enum cs_err get_body(struct node_record *record, struct cs_bytes body)
{
	struct cs_reader reader;
	uint8_t id[BFT_BLOCK_ID_SIZE];
	cs_reader_init(&reader, body);
	switch (record->type) {
	case NODE_RECORD_HEAD:
		record->number = cs_get_u32(&reader);
		record->size_before = cs_get_u64(&reader);
		record->salt = cs_get_u64(&reader);
		break;
	case NODE_RECORD_BLOCK:
		cs_get_copy(&reader, id, sizeof id);
		CS_TRY(bft_block_id_decode(&record->id, id));
		record->block = get_sized(&reader);
		record->commit = cs_get(&reader, reader.left);
		break;
	case NODE_RECORD_OUTCOME:
		record->base = (int64_t)cs_get_u64(&reader);
		record->state = get_sized(&reader);
		record->results = cs_get(&reader, reader.left);
		break;
	case NODE_RECORD_MARK:
		break;
	}
	return cs_reader_end(&reader);
}

static enum cs_err damaged(const struct node_file *file, uint64_t offset, const char *what,
			   struct cs_why *why)
{
	return cs_fail(why, CS_ERR_DAMAGED, "%s: %s at %llu", file->name, what,
		       (unsigned long long)offset);
}

/* A file that ends too early is as broken as one that reads wrong. */
static enum cs_err read_at(struct node_file *file, uint64_t offset, void *p, size_t n,
			   struct cs_why *why)
{
	enum cs_err err = node_file_read(file, offset, p, n, why);
	return err == CS_ERR_TRUNCATED ? CS_ERR_DAMAGED : err;
}

enum cs_err node_record_read(struct node_record *record, struct node_scratch *scratch,
			     struct node_file *file, uint64_t offset, uint64_t salt,
			     struct cs_why *why)
{
	uint8_t header[NODE_RECORD_HEADER_SIZE];
	struct node_record r = {0};
	CS_TRY(read_at(file, offset, header, sizeof header, why));
	if (!is_header(header, offset, salt))
		return damaged(file, offset, "no record", why);
	size_t n = cs_be32(header + 16);
	/* The size is as good as its checksum, and still bounded by what the file has. */
	uint64_t file_size;
	CS_TRY(node_file_size(file, &file_size, why));
	if (file_size < offset + sizeof header || n > file_size - offset - sizeof header)
		return damaged(file, offset, "a record that is cut", why);
	uint8_t *p = node_scratch_take(scratch, n + 1);
	CS_TRY(read_at(file, offset + sizeof header, p, n, why));
	if (bft_crc32c(0, cs_bytes(p, n)) != cs_be32(header + 20))
		return damaged(file, offset, "a broken record", why);
	r.type = (enum node_record_type)header[4];
	r.height = (int64_t)cs_be64(header + 8);
	r.size = sizeof header + n;
	if (get_body(&r, cs_bytes(p, n)) != CS_OK)
		return damaged(file, offset, "a record of another form", why);
	*record = r;
	return CS_OK;
}

enum cs_err node_record_is_followed(bool *is, struct node_scratch *scratch, struct node_file *file,
				    uint64_t offset, uint64_t salt, struct cs_why *why)
{
	uint64_t size;
	CS_TRY(node_file_size(file, &size, why));
	uint8_t *p = node_scratch_take(scratch, WINDOW_SIZE);
	for (uint64_t at = offset + 1; at + NODE_RECORD_HEADER_SIZE <= size;) {
		size_t n = size - at < WINDOW_SIZE ? (size_t)(size - at) : WINDOW_SIZE;
		CS_TRY(node_file_read(file, at, p, n, why));
		for (size_t i = 0; i + NODE_RECORD_HEADER_SIZE <= n; i++) {
			if (is_header(p + i, at + i, salt)) {
				*is = true;
				return CS_OK;
			}
		}
		at += n - NODE_RECORD_HEADER_SIZE + 1;
	}
	*is = false;
	return CS_OK;
}
