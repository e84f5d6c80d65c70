#include "relay_state/bft/wal.h"

#include <string.h>

/* Four bits at a time: sixteen words instead of a table of 256. Every block passes here several times,
 * so where the processor has an instruction for it that is taken. */
static const uint32_t crc_nibble[16] = {
	0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
	0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
	0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

static uint32_t crc_by_table(uint32_t crc, struct cs_bytes bytes)
{
	for (size_t i = 0; i < bytes.n; i++) {
		crc ^= bytes.p[i];
		crc = crc >> 4 ^ crc_nibble[crc & 15];
		crc = crc >> 4 ^ crc_nibble[crc & 15];
	}
	return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t crc_by_instruction(uint32_t crc,
								     struct cs_bytes bytes)
{
	size_t i = 0;
	for (; bytes.n - i >= 8; i += 8) {
		uint64_t word;
		memcpy(&word, bytes.p + i, sizeof word);
		crc = (uint32_t)__builtin_ia32_crc32di(crc, word);
	}
	for (; i < bytes.n; i++)
		crc = __builtin_ia32_crc32qi(crc, bytes.p[i]);
	return crc;
}
#endif

uint32_t bft_crc32c(uint32_t crc, struct cs_bytes bytes)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		return ~crc_by_instruction(~crc, bytes);
#endif
	return ~crc_by_table(~crc, bytes);
}

static uint32_t checksum(const uint8_t length[4], uint8_t type, struct cs_bytes bytes)
{
	uint32_t crc = bft_crc32c(0, cs_bytes(length, 4));
	crc = bft_crc32c(crc, cs_bytes(&type, 1));
	return bft_crc32c(crc, bytes);
}

void bft_wal_put(struct cs_buf *buf, enum bft_wal_type type, struct cs_bytes bytes)
{
	uint8_t length[4];
	cs_assert(bytes.n <= BFT_WAL_BYTES_SIZE_MAX && type < BFT_WAL_TYPE_END);
	cs_put_be32(length, (uint32_t)bytes.n);
	cs_put(buf, CS_BYTES_OF(length));
	cs_put_u32(buf, checksum(length, (uint8_t)type, bytes));
	cs_put_u8(buf, (uint8_t)type);
	cs_put(buf, bytes);
}

void bft_wal_put_synced(struct cs_buf *buf, uint64_t offset)
{
	uint8_t bytes[8];
	cs_put_be64(bytes, offset);
	bft_wal_put(buf, BFT_WAL_SYNCED, CS_BYTES_OF(bytes));
}

enum cs_err bft_wal_get(struct bft_wal_record *record, size_t *offset, struct cs_bytes log)
{
	cs_assert(*offset <= log.n);
	size_t left = log.n - *offset;
	if (left == 0)
		return CS_ERR_NOT_FOUND;
	if (left < BFT_WAL_HEADER_SIZE)
		return CS_ERR_TRUNCATED;
	const uint8_t *p = log.p + *offset;
	uint32_t n = cs_be32(p);
	uint8_t type = p[8];
	if (n > BFT_WAL_BYTES_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	if (type == 0 || type >= BFT_WAL_TYPE_END)
		return CS_ERR_MALFORMED;
	if (n > left - BFT_WAL_HEADER_SIZE)
		return CS_ERR_TRUNCATED;
	struct cs_bytes bytes = cs_bytes(p + BFT_WAL_HEADER_SIZE, n);
	if (checksum(p, type, bytes) != cs_be32(p + 4))
		return CS_ERR_MALFORMED;
	if (type == BFT_WAL_SYNCED && n != 8)
		return CS_ERR_MALFORMED;
	*record = (struct bft_wal_record){(enum bft_wal_type)type, bytes};
	*offset += BFT_WAL_HEADER_SIZE + n;
	return CS_OK;
}

#define MARK_BYTES 8u /* of BFT_WAL_SYNCED */

/* Whether a good record behind the break says that the break had been synced. What others sent is
 * in there too: only a mark that stands where it says is one, so that nobody makes a torn tail look
 * like damage by a transaction full of marks. */
static bool was_promised(size_t broken, struct cs_bytes log)
{
	struct bft_wal_record record;
	size_t work = BFT_WAL_SEARCH_FACTOR * log.n;
	for (size_t at = broken + 1; at + BFT_WAL_HEADER_SIZE <= log.n; at++) {
		size_t next = at, n = cs_be32(log.p + at);
		/* A mark is always looked at; of the rest, a transaction can hold the head of a long
		 * record at every ninth byte. */
		if (n > MARK_BYTES && n <= log.n - at - BFT_WAL_HEADER_SIZE) {
			if (n > work)
				continue;
			work -= n;
		}
		if (bft_wal_get(&record, &next, log) != CS_OK)
			continue;
		if (record.type == BFT_WAL_SYNCED && cs_be64(record.bytes.p) == at)
			return true;
		at = next - 1;
	}
	return false;
}

enum bft_wal_verdict bft_wal_check(size_t *good, struct cs_bytes log)
{
	struct bft_wal_record record;
	enum cs_err err;
	*good = 0;
	do {
		err = bft_wal_get(&record, good, log);
	} while (err == CS_OK);
	if (err == CS_ERR_NOT_FOUND)
		return BFT_WAL_CLEAN;
	return was_promised(*good, log) ? BFT_WAL_DAMAGED : BFT_WAL_TORN;
}
