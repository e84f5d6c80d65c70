#include "core/reader.h"

#include <string.h>

void cs_reader_init(struct cs_reader *reader, struct cs_bytes bytes)
{
	*reader = (struct cs_reader){bytes.p, bytes.n, false};
}

struct cs_bytes cs_get(struct cs_reader *reader, size_t n)
{
	if (reader->failed || n > reader->left) {
		reader->failed = true;
		return CS_BYTES_NONE;
	}
	struct cs_bytes bytes = cs_bytes(reader->p, n);
	if (n > 0)
		reader->p += n;
	reader->left -= n;
	return bytes;
}

void cs_get_copy(struct cs_reader *reader, void *p, size_t n)
{
	struct cs_bytes bytes = cs_get(reader, n);
	if (reader->failed)
		memset(p, 0, n);
	else if (n > 0)
		memcpy(p, bytes.p, n);
}

uint8_t cs_get_u8(struct cs_reader *reader)
{
	uint8_t value;
	cs_get_copy(reader, &value, sizeof value);
	return value;
}

uint16_t cs_get_u16(struct cs_reader *reader)
{
	uint8_t b[2];
	cs_get_copy(reader, b, sizeof b);
	return cs_be16(b);
}

uint32_t cs_get_u32(struct cs_reader *reader)
{
	uint8_t b[4];
	cs_get_copy(reader, b, sizeof b);
	return cs_be32(b);
}

uint64_t cs_get_u64(struct cs_reader *reader)
{
	uint8_t b[8];
	cs_get_copy(reader, b, sizeof b);
	return cs_be64(b);
}

enum cs_err cs_reader_end(const struct cs_reader *reader)
{
	if (reader->failed)
		return CS_ERR_TRUNCATED;
	return reader->left > 0 ? CS_ERR_TRAILING : CS_OK;
}
