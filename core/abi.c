#include "core/abi.h"

#include "core/hash.h"

#include <string.h>

#define WORD 32u

struct cs_hash cs_abi_topic(const char *signature)
{
	return cs_keccak256(cs_bytes_str(signature));
}

void cs_abi_init(struct cs_abi *abi, struct cs_buf *buf)
{
	*abi = (struct cs_abi){.buf = buf, .base = {buf->n}, .depth = 1};
}

void cs_abi_call(struct cs_abi *abi, struct cs_buf *buf, const char *signature)
{
	struct cs_hash topic = cs_abi_topic(signature);
	cs_put(buf, cs_bytes(topic.b, 4));
	cs_abi_init(abi, buf);
}

void cs_abi_put_u64(struct cs_abi *abi, uint64_t value)
{
	cs_put_word_u64(abi->buf, value);
}

void cs_abi_put_word(struct cs_abi *abi, const struct cs_hash *word)
{
	cs_put_word(abi->buf, word);
}

void cs_abi_put_u256(struct cs_abi *abi, const struct cs_u256 *value)
{
	struct cs_hash word = cs_u256_word(value);
	cs_put_word(abi->buf, &word);
}

void cs_abi_put_address(struct cs_abi *abi, const struct cs_address *address)
{
	cs_put_zeros(abi->buf, WORD - sizeof address->b);
	cs_put(abi->buf, CS_BYTES_OF(address->b));
}

size_t cs_abi_slot(struct cs_abi *abi)
{
	size_t slot = abi->buf->n;
	cs_put_zeros(abi->buf, WORD);
	return slot;
}

/* The offset of a tail counts from the begin of the tuple that the slot is in, which is the
 * innermost open one. */
static void point(struct cs_abi *abi, size_t slot)
{
	cs_assert(abi->depth > 0);
	if (abi->buf->failed)
		return;
	cs_assert(slot >= abi->base[abi->depth - 1] && slot + WORD <= abi->buf->n);
	cs_put_be64(abi->buf->p + slot + WORD - 8, abi->buf->n - abi->base[abi->depth - 1]);
}

void cs_abi_enter(struct cs_abi *abi, size_t slot)
{
	point(abi, slot);
	cs_assert(abi->depth < CS_ABI_DEPTH_MAX);
	abi->base[abi->depth++] = abi->buf->n;
}

void cs_abi_enter_array(struct cs_abi *abi, size_t slot, size_t count)
{
	point(abi, slot);
	cs_assert(abi->depth < CS_ABI_DEPTH_MAX);
	cs_put_word_u64(abi->buf, count);
	abi->base[abi->depth++] = abi->buf->n;
}

void cs_abi_leave(struct cs_abi *abi)
{
	cs_assert(abi->depth > 1);
	abi->depth--;
}

void cs_abi_put_bytes(struct cs_abi *abi, size_t slot, struct cs_bytes bytes)
{
	point(abi, slot);
	cs_put_word_u64(abi->buf, bytes.n);
	cs_put(abi->buf, bytes);
	cs_put_zeros(abi->buf, (WORD - bytes.n % WORD) % WORD);
}

enum cs_err cs_abi_read(struct cs_abi_reader *reader, struct cs_bytes data, size_t head_count)
{
	size_t head_size;
	if (__builtin_mul_overflow(head_count, WORD, &head_size) || head_size > data.n)
		return CS_ERR_TRUNCATED;
	*reader = (struct cs_abi_reader){data, 0, head_size, head_size};
	return CS_OK;
}

static enum cs_err head_word(const struct cs_abi_reader *reader, struct cs_hash *word)
{
	if (reader->head_end - reader->head_next < WORD)
		return CS_ERR_TRUNCATED;
	memcpy(word->b, reader->data.p + reader->head_next, WORD);
	return CS_OK;
}

enum cs_err cs_abi_get_word(struct cs_abi_reader *reader, struct cs_hash *word)
{
	CS_TRY(head_word(reader, word));
	reader->head_next += WORD;
	return CS_OK;
}

static enum cs_err word_u64(const struct cs_hash *word, uint64_t max, uint64_t *value)
{
	uint64_t low;
	struct cs_u256 wide = cs_u256_from_word(word);
	CS_TRY(cs_u256_to_u64(&low, &wide));
	if (low > max)
		return CS_ERR_OVERFLOW;
	*value = low;
	return CS_OK;
}

static enum cs_err head_u64(struct cs_abi_reader *reader, uint64_t max, uint64_t *value)
{
	struct cs_hash word;
	CS_TRY(head_word(reader, &word));
	CS_TRY(word_u64(&word, max, value));
	reader->head_next += WORD;
	return CS_OK;
}

enum cs_err cs_abi_get_u64(struct cs_abi_reader *reader, uint64_t *value)
{
	return head_u64(reader, UINT64_MAX, value);
}

enum cs_err cs_abi_get_u8(struct cs_abi_reader *reader, uint8_t *value)
{
	uint64_t wide;
	CS_TRY(head_u64(reader, UINT8_MAX, &wide));
	*value = (uint8_t)wide;
	return CS_OK;
}

enum cs_err cs_abi_get_bool(struct cs_abi_reader *reader, bool *value)
{
	uint64_t wide;
	CS_TRY(head_u64(reader, 1, &wide));
	*value = wide != 0;
	return CS_OK;
}

enum cs_err cs_abi_get_u256(struct cs_abi_reader *reader, struct cs_u256 *value)
{
	struct cs_hash word;
	CS_TRY(cs_abi_get_word(reader, &word));
	*value = cs_u256_from_word(&word);
	return CS_OK;
}

enum cs_err cs_abi_get_address(struct cs_abi_reader *reader, struct cs_address *address)
{
	struct cs_hash word;
	CS_TRY(head_word(reader, &word));
	for (size_t i = 0; i < WORD - sizeof address->b; i++) {
		if (word.b[i] != 0)
			return CS_ERR_OVERFLOW;
	}
	memcpy(address->b, word.b + WORD - sizeof address->b, sizeof address->b);
	reader->head_next += WORD;
	return CS_OK;
}

/* The next head word points to where the last tail ended. */
static enum cs_err tail_begin(const struct cs_abi_reader *reader, struct cs_bytes *rest)
{
	struct cs_hash word;
	uint64_t offset;
	CS_TRY(head_word(reader, &word));
	CS_TRY(word_u64(&word, UINT64_MAX, &offset));
	if (offset != reader->tail_next)
		return CS_ERR_NON_CANONICAL;
	*rest = cs_bytes(reader->data.p + reader->tail_next, reader->data.n - reader->tail_next);
	return CS_OK;
}

/* The same where the tail's first word is a size or a count. */
static enum cs_err tail(const struct cs_abi_reader *reader, uint64_t max, uint64_t *number,
			struct cs_bytes *rest)
{
	struct cs_hash word;
	struct cs_bytes all;
	CS_TRY(tail_begin(reader, &all));
	if (all.n < WORD)
		return CS_ERR_TRUNCATED;
	memcpy(word.b, all.p, WORD);
	if (word_u64(&word, max, number) != CS_OK)
		return CS_ERR_TOO_LARGE;
	*rest = cs_bytes(all.p + WORD, all.n - WORD);
	return CS_OK;
}

enum cs_err cs_abi_get_bytes(struct cs_abi_reader *reader, size_t size_max, struct cs_bytes *bytes)
{
	uint64_t size;
	struct cs_bytes rest;
	CS_TRY(tail(reader, size_max, &size, &rest));
	if (size > rest.n)
		return CS_ERR_TRUNCATED;
	size_t padding = (WORD - size % WORD) % WORD;
	if (padding > rest.n - size)
		return CS_ERR_TRUNCATED;
	for (size_t i = 0; i < padding; i++) {
		if (rest.p[size + i] != 0)
			return CS_ERR_NON_CANONICAL;
	}
	*bytes = cs_bytes(rest.p, size);
	reader->head_next += WORD;
	reader->tail_next += WORD + size + padding;
	return CS_OK;
}

enum cs_err cs_abi_open(struct cs_abi_reader *reader, struct cs_abi_reader *inner,
			size_t head_count)
{
	struct cs_bytes rest;
	CS_TRY(tail_begin(reader, &rest));
	return cs_abi_read(inner, rest, head_count);
}

enum cs_err cs_abi_open_array(struct cs_abi_reader *reader, struct cs_abi_reader *inner,
			      size_t words, size_t count_max, size_t *count)
{
	uint64_t n;
	size_t head_count;
	struct cs_bytes rest;
	CS_TRY(tail(reader, count_max, &n, &rest));
	if (__builtin_mul_overflow(n, words, &head_count))
		return CS_ERR_TRUNCATED;
	CS_TRY(cs_abi_read(inner, rest, head_count));
	*count = n;
	return CS_OK;
}

enum cs_err cs_abi_close(struct cs_abi_reader *reader, const struct cs_abi_reader *inner)
{
	if (inner->head_next != inner->head_end)
		return CS_ERR_TRAILING;
	cs_assert(inner->data.p >= reader->data.p + reader->tail_next);
	reader->head_next += WORD;
	reader->tail_next = (size_t)(inner->data.p - reader->data.p) + inner->tail_next;
	return CS_OK;
}

enum cs_err cs_abi_get_bytes_array(struct cs_abi_reader *reader, size_t count_max, size_t size_max,
				   struct cs_bytes *items, size_t *count)
{
	size_t n;
	struct cs_abi_reader inner;
	CS_TRY(cs_abi_open_array(reader, &inner, 1, count_max, &n));
	for (size_t i = 0; i < n; i++)
		CS_TRY(cs_abi_get_bytes(&inner, size_max, &items[i]));
	CS_TRY(cs_abi_close(reader, &inner));
	*count = n;
	return CS_OK;
}

enum cs_err cs_abi_end(const struct cs_abi_reader *reader)
{
	return reader->head_next == reader->head_end && reader->tail_next == reader->data.n
		       ? CS_OK
		       : CS_ERR_TRAILING;
}
