#include "core/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void cs_buf_init(struct cs_buf *buf, void *memory, size_t size_max)
{
	*buf = (struct cs_buf){memory, 0, size_max, false};
}

enum cs_err cs_buf_init_arena(struct cs_buf *buf, struct cs_arena *arena, size_t size_max)
{
	uint8_t *memory = cs_arena_alloc(arena, size_max);
	if (memory == NULL)
		return CS_ERR_NO_MEMORY;
	cs_buf_init(buf, memory, size_max);
	return CS_OK;
}

static uint8_t *room(struct cs_buf *buf, size_t n)
{
	if (buf->failed || n > buf->size_max - buf->n) {
		buf->failed = true;
		return NULL;
	}
	uint8_t *p = buf->p + buf->n;
	buf->n += n;
	return p;
}

void cs_put(struct cs_buf *buf, struct cs_bytes bytes)
{
	uint8_t *p = room(buf, bytes.n);
	if (p != NULL && bytes.n > 0)
		memcpy(p, bytes.p, bytes.n);
}

void cs_put_u8(struct cs_buf *buf, uint8_t value)
{
	cs_put(buf, cs_bytes(&value, 1));
}

void cs_put_u16(struct cs_buf *buf, uint16_t value)
{
	uint8_t b[2];
	cs_put_be16(b, value);
	cs_put(buf, CS_BYTES_OF(b));
}

void cs_put_u32(struct cs_buf *buf, uint32_t value)
{
	uint8_t b[4];
	cs_put_be32(b, value);
	cs_put(buf, CS_BYTES_OF(b));
}

void cs_put_u64(struct cs_buf *buf, uint64_t value)
{
	uint8_t b[8];
	cs_put_be64(b, value);
	cs_put(buf, CS_BYTES_OF(b));
}

void cs_put_word_u64(struct cs_buf *buf, uint64_t value)
{
	cs_put_zeros(buf, 24);
	cs_put_u64(buf, value);
}

void cs_put_word(struct cs_buf *buf, const struct cs_hash *word)
{
	cs_put(buf, CS_BYTES_OF(word->b));
}

void cs_put_zeros(struct cs_buf *buf, size_t n)
{
	uint8_t *p = room(buf, n);
	if (p != NULL)
		memset(p, 0, n);
}

void cs_put_text(struct cs_buf *buf, const char *format, ...)
{
	char text[512];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof text)
		buf->failed = true;
	else
		cs_put(buf, cs_bytes(text, (size_t)n));
}

struct cs_bytes cs_buf_view(const struct cs_buf *buf)
{
	return cs_bytes(buf->p, buf->n);
}

enum cs_err cs_buf_end(const struct cs_buf *buf)
{
	return buf->failed ? CS_ERR_TOO_LARGE : CS_OK;
}
