#include "core/rlp.h"

#include <string.h>

/* Yellow paper, appendix B: first bytes of the four forms that have a length. */
#define STRING_SHORT 0x80u
#define STRING_LONG 0xb7u
#define LIST_SHORT 0xc0u
#define LIST_LONG 0xf7u
/* Payloads up to here have their length in the first byte. */
#define SHORT_MAX 55u

/* The long form's length field of n bytes that follows the first byte. */
static enum cs_err long_length(struct cs_bytes bytes, size_t n, size_t *length)
{
	uint64_t value = 0;
	if (n > bytes.n - 1)
		return CS_ERR_TRUNCATED;
	if (bytes.p[1] == 0)
		return CS_ERR_NON_CANONICAL;
	for (size_t i = 0; i < n; i++)
		value = value << 8 | bytes.p[1 + i];
	if (value <= SHORT_MAX)
		return CS_ERR_NON_CANONICAL;
	*length = value;
	return CS_OK;
}

/* The item at the front of the bytes. */
static enum cs_err front(struct cs_rlp_item *item, struct cs_bytes bytes)
{
	size_t head = 1, length = 0;
	if (bytes.n == 0)
		return CS_ERR_TRUNCATED;
	uint8_t first = bytes.p[0];
	if (first < STRING_SHORT) {
		*item = (struct cs_rlp_item){false, cs_bytes(bytes.p, 1), cs_bytes(bytes.p, 1)};
		return CS_OK;
	}
	bool is_list = first >= LIST_SHORT;
	size_t short_form = is_list ? LIST_SHORT : STRING_SHORT;
	if (first - short_form <= SHORT_MAX) {
		length = first - short_form;
	} else {
		size_t n = first - (is_list ? LIST_LONG : STRING_LONG);
		CS_TRY(long_length(bytes, n, &length));
		head += n;
	}
	if (length > bytes.n - head)
		return CS_ERR_TRUNCATED;
	if (!is_list && length == 1 && bytes.p[head] < STRING_SHORT)
		return CS_ERR_NON_CANONICAL;
	item->is_list = is_list;
	item->payload = cs_bytes(bytes.p + head, length);
	item->whole = cs_bytes(bytes.p, head + length);
	return CS_OK;
}

enum cs_err cs_rlp_one(struct cs_rlp_item *item, struct cs_bytes bytes)
{
	struct cs_rlp_item found;
	CS_TRY(front(&found, bytes));
	if (found.whole.n != bytes.n)
		return CS_ERR_TRAILING;
	*item = found;
	return CS_OK;
}

enum cs_err cs_rlp_open(struct cs_rlp *list, struct cs_bytes bytes)
{
	struct cs_rlp_item item;
	CS_TRY(cs_rlp_one(&item, bytes));
	return cs_rlp_enter(list, &item);
}

enum cs_err cs_rlp_enter(struct cs_rlp *list, const struct cs_rlp_item *item)
{
	if (!item->is_list)
		return CS_ERR_MALFORMED;
	list->rest = item->payload;
	return CS_OK;
}

bool cs_rlp_more(const struct cs_rlp *list)
{
	return list->rest.n > 0;
}

enum cs_err cs_rlp_end(const struct cs_rlp *list)
{
	return list->rest.n > 0 ? CS_ERR_TRAILING : CS_OK;
}

static void step(struct cs_rlp *list, const struct cs_rlp_item *item)
{
	list->rest = cs_bytes(list->rest.p + item->whole.n, list->rest.n - item->whole.n);
}

enum cs_err cs_rlp_next(struct cs_rlp *list, struct cs_rlp_item *item)
{
	CS_TRY(front(item, list->rest));
	step(list, item);
	return CS_OK;
}

static enum cs_err front_string(struct cs_rlp_item *item, const struct cs_rlp *list)
{
	CS_TRY(front(item, list->rest));
	return item->is_list ? CS_ERR_MALFORMED : CS_OK;
}

enum cs_err cs_rlp_list(struct cs_rlp *list, struct cs_rlp *inner)
{
	struct cs_rlp_item item;
	CS_TRY(front(&item, list->rest));
	CS_TRY(cs_rlp_enter(inner, &item));
	step(list, &item);
	return CS_OK;
}

enum cs_err cs_rlp_bytes(struct cs_rlp *list, struct cs_bytes *bytes)
{
	struct cs_rlp_item item;
	CS_TRY(front_string(&item, list));
	*bytes = item.payload;
	step(list, &item);
	return CS_OK;
}

enum cs_err cs_rlp_fixed(struct cs_rlp *list, void *p, size_t n)
{
	struct cs_rlp_item item;
	CS_TRY(front_string(&item, list));
	if (item.payload.n != n)
		return CS_ERR_MALFORMED;
	if (n > 0)
		memcpy(p, item.payload.p, n);
	step(list, &item);
	return CS_OK;
}

enum cs_err cs_rlp_hash(struct cs_rlp *list, struct cs_hash *hash)
{
	return cs_rlp_fixed(list, hash->b, sizeof hash->b);
}

enum cs_err cs_rlp_address(struct cs_rlp *list, struct cs_address *address)
{
	return cs_rlp_fixed(list, address->b, sizeof address->b);
}

/* A number has no leading zero: 0 is the empty string. */
static enum cs_err front_number(struct cs_rlp_item *item, const struct cs_rlp *list,
				size_t size_max)
{
	CS_TRY(front_string(item, list));
	if (item->payload.n > 0 && item->payload.p[0] == 0)
		return CS_ERR_NON_CANONICAL;
	return item->payload.n > size_max ? CS_ERR_OVERFLOW : CS_OK;
}

enum cs_err cs_rlp_u64(struct cs_rlp *list, uint64_t *value)
{
	struct cs_rlp_item item;
	uint64_t number = 0;
	CS_TRY(front_number(&item, list, sizeof number));
	for (size_t i = 0; i < item.payload.n; i++)
		number = number << 8 | item.payload.p[i];
	*value = number;
	step(list, &item);
	return CS_OK;
}

enum cs_err cs_rlp_u256(struct cs_rlp *list, struct cs_u256 *value)
{
	struct cs_rlp_item item;
	CS_TRY(front_number(&item, list, 32));
	CS_TRY(cs_u256_from_bytes(value, item.payload));
	step(list, &item);
	return CS_OK;
}

enum cs_err cs_rlp_skip(struct cs_rlp *list, size_t count)
{
	struct cs_rlp at = *list;
	struct cs_rlp_item item;
	for (size_t i = 0; i < count; i++)
		CS_TRY(cs_rlp_next(&at, &item));
	*list = at;
	return CS_OK;
}

enum cs_err cs_rlp_count(const struct cs_rlp *list, size_t count_max, size_t *count)
{
	struct cs_rlp at = *list;
	struct cs_rlp_item item;
	size_t n = 0;
	while (cs_rlp_more(&at)) {
		CS_TRY(cs_rlp_next(&at, &item));
		if (++n > count_max)
			return CS_ERR_TOO_LARGE;
	}
	*count = n;
	return CS_OK;
}

enum cs_err cs_rlp_check(struct cs_bytes bytes)
{
	struct cs_rlp open[CS_RLP_DEPTH_MAX];
	struct cs_rlp_item item;
	size_t depth = 0;
	CS_TRY(cs_rlp_one(&item, bytes));
	for (;;) {
		if (item.is_list) {
			if (depth == CS_RLP_DEPTH_MAX)
				return CS_ERR_TOO_LARGE;
			open[depth++].rest = item.payload;
		}
		while (depth > 0 && !cs_rlp_more(&open[depth - 1]))
			depth--;
		if (depth == 0)
			return CS_OK;
		CS_TRY(cs_rlp_next(&open[depth - 1], &item));
	}
}

static size_t number_size(uint64_t value)
{
	return value == 0 ? 0 : (size_t)(71 - __builtin_clzll(value)) / 8;
}

static size_t head_size(size_t payload_size)
{
	return payload_size <= SHORT_MAX ? 1 : 1 + number_size(payload_size);
}

static void put_head(struct cs_buf *buf, size_t n, unsigned short_form, unsigned long_form)
{
	uint8_t be[8];
	if (n <= SHORT_MAX) {
		cs_put_u8(buf, (uint8_t)(short_form + n));
		return;
	}
	size_t size = number_size(n);
	cs_put_be64(be, n);
	cs_put_u8(buf, (uint8_t)(long_form + size));
	cs_put(buf, cs_bytes(be + sizeof be - size, size));
}

void cs_rlp_put_bytes(struct cs_buf *buf, struct cs_bytes bytes)
{
	if (bytes.n != 1 || bytes.p[0] >= STRING_SHORT)
		put_head(buf, bytes.n, STRING_SHORT, STRING_LONG);
	cs_put(buf, bytes);
}

void cs_rlp_put_u64(struct cs_buf *buf, uint64_t value)
{
	uint8_t be[8];
	size_t n = number_size(value);
	cs_put_be64(be, value);
	cs_rlp_put_bytes(buf, cs_bytes(be + sizeof be - n, n));
}

void cs_rlp_put_u256(struct cs_buf *buf, const struct cs_u256 *value)
{
	struct cs_hash word = cs_u256_word(value);
	size_t n = cs_u256_size(value);
	cs_rlp_put_bytes(buf, cs_bytes(word.b + sizeof word.b - n, n));
}

void cs_rlp_put_list(struct cs_buf *buf, size_t payload_size)
{
	put_head(buf, payload_size, LIST_SHORT, LIST_LONG);
}

size_t cs_rlp_list_begin(const struct cs_buf *buf)
{
	return buf->n;
}

void cs_rlp_list_end(struct cs_buf *buf, size_t begin)
{
	cs_assert(begin <= buf->n);
	size_t payload_size = buf->n - begin, head = head_size(payload_size);
	cs_put_zeros(buf, head);
	if (buf->failed)
		return;
	memmove(buf->p + begin + head, buf->p + begin, payload_size);
	struct cs_buf front_buf;
	cs_buf_init(&front_buf, buf->p + begin, head);
	cs_rlp_put_list(&front_buf, payload_size);
}
