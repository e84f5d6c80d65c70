/* A file of the block store, as a disk may give it back. The first byte says whether the records are
 * sealed again after the input was changed (sizes and checksums made right), so that what is behind
 * the checksums is reached. What is read is written again to the same bytes, nothing outside the file
 * is read, and a good record in front of a broken one is seen by whoever looks for what follows. */
#include "relay_state/bft/wal.h"
#include "relay_state/node/segment.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <stdlib.h>

#define SALT 0x0123456789abcdefull
#define CHECKSUM_AT 24u

struct memory {
	uint8_t *p;
	size_t n;
};

static int open_memory(void *context, int *handle, const char *name, bool create)
{
	(void)context, (void)name, (void)create;
	*handle = 1;
	return 0;
}

static void close_memory(void *context, int handle)
{
	(void)context, (void)handle;
}

static int size_memory(void *context, int handle, uint64_t *size)
{
	const struct memory *m = context;
	(void)handle;
	*size = m->n;
	return 0;
}

static int read_memory(void *context, int handle, uint64_t offset, void *p, size_t n, size_t *got)
{
	const struct memory *m = context;
	(void)handle;
	size_t left = offset < m->n ? m->n - (size_t)offset : 0;
	*got = n < left ? n : left;
	if (*got > 0)
		memcpy(p, m->p + offset, *got);
	return 0;
}

/* ---- sealing what an input holds ---- */

static void seal_one(struct memory *m, size_t at)
{
	uint8_t where[16], *p = m->p + at;
	size_t left = m->n - at - NODE_RECORD_HEADER_SIZE;
	uint32_t size = cs_be32(p + 16);
	cs_put_be32(p, 0x43534253u);
	memset(p + 5, 0, 3);
	p[4] = at == 0 ? NODE_RECORD_HEAD : (uint8_t)(2 + p[4] % 3);
	size = size < left ? size : (uint32_t)left;
	cs_put_be32(p + 16, size);
	cs_put_be32(p + 20, bft_crc32c(0, cs_bytes(p + NODE_RECORD_HEADER_SIZE, size)));
	cs_put_be64(where, at == 0 ? 0 : SALT);
	cs_put_be64(where + 8, at);
	cs_put_be32(p + CHECKSUM_AT,
		    bft_crc32c(bft_crc32c(0, CS_BYTES_OF(where)), cs_bytes(p, CHECKSUM_AT)));
}

static void seal(struct memory *m)
{
	for (size_t at = 0; m->n - at >= NODE_RECORD_HEADER_SIZE;) {
		seal_one(m, at);
		at += NODE_RECORD_HEADER_SIZE + cs_be32(m->p + at + 16);
	}
}

/* ---- reading ---- */

static void check_same(const struct memory *m, size_t at, const struct node_record *record)
{
	static struct node_scratch scratch;
	struct cs_bytes again;
	cs_assert(record->size <= m->n - at);
	cs_assert(node_record_encode(&again, &scratch, record, at, SALT) == CS_OK);
	cs_assert(cs_bytes_eq(again, cs_bytes(m->p + at, record->size)));
}

static void read_all(struct memory *m)
{
	static struct node_scratch scratch;
	struct node_folder folder = {.table = {.context = m,
					       .open = open_memory,
					       .close = close_memory,
					       .size = size_memory,
					       .read = read_memory}};
	struct node_file file;
	struct node_record record;
	bool is_followed = false;
	size_t at = 0;
	cs_assert(node_file_open(&file, &folder, "blocks-00000001", false, NULL) == CS_OK);
	for (;;) {
		fuzz_fill(&record, sizeof record);
		enum cs_err err = node_record_read(&record, &scratch, &file, at, SALT, NULL);
		if (err != CS_OK) {
			cs_assert(err == CS_ERR_DAMAGED);
			fuzz_untouched(&record, sizeof record);
			break;
		}
		cs_assert((record.type == NODE_RECORD_HEAD) == (at == 0));
		check_same(m, at, &record);
		at += record.size;
	}
	/* From the first byte on the second record, if it was good, follows. */
	cs_assert(node_record_is_followed(&is_followed, &scratch, &file, 0, SALT, NULL) == CS_OK);
	node_file_close(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory m = {.n = size - 1};
	if (size < 2 || size > 64 * 1024)
		return 0;
	/* Of exactly its size, so that a sanitizer sees every step outside. */
	m.p = malloc(m.n);
	cs_assert(m.p != NULL);
	memcpy(m.p, data + 1, m.n);
	if (data[0] & 1)
		seal(&m);
	read_all(&m);
	free(m.p);
	return 0;
}
