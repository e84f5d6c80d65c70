#include "core/cbor.h"

#include "core/utf8.h"

enum major {
	UINT,
	NEGATIVE,
	BYTES,
	TEXT,
	ARRAY,
	MAP,
	TAG,
	SIMPLE,
};

/* Additional information of a head. */
#define INFO_U8 24u
#define INFO_U64 27u
#define INFO_INDEFINITE 31u

struct head {
	enum major major;
	unsigned info;
	uint64_t value;
};

void cs_cbor_init(struct cs_cbor *cbor, struct cs_bytes bytes)
{
	*cbor = (struct cs_cbor){bytes.p, bytes.n};
}

static void advance(struct cs_cbor *cbor, size_t n)
{
	cbor->p += n;
	cbor->left -= n;
}

/* What the argument must be at least, by the width that it was given: 24 for one byte, and so on. */
static uint64_t shortest_of(unsigned width)
{
	return width == 1 ? INFO_U8 : (uint64_t)1 << (8 * (width / 2));
}

/* Of simple values and floats the argument is no number that could be shorter, except that simple
 * values below 32 have no second form. */
static enum cs_err check_argument(const struct head *head, unsigned width)
{
	if (head->major == SIMPLE)
		return width == 1 && head->value < 32 ? CS_ERR_MALFORMED : CS_OK;
	return head->value < shortest_of(width) ? CS_ERR_NON_CANONICAL : CS_OK;
}

/* Reads the head and leaves the cursor behind it. */
static enum cs_err read_head(struct cs_cbor *cbor, struct head *out)
{
	if (cbor->left == 0)
		return CS_ERR_TRUNCATED;
	struct head head = {(enum major)(cbor->p[0] >> 5), cbor->p[0] & 31u, cbor->p[0] & 31u};
	if (head.info == INFO_INDEFINITE)
		return CS_ERR_NON_CANONICAL;
	if (head.info > INFO_U64)
		return CS_ERR_MALFORMED;
	const unsigned width = head.info < INFO_U8 ? 0 : 1u << (head.info - INFO_U8);
	if (cbor->left - 1 < width)
		return CS_ERR_TRUNCATED;
	if (width > 0) {
		head.value = 0;
		for (unsigned i = 1; i <= width; i++)
			head.value = head.value << 8 | cbor->p[i];
		CS_TRY(check_argument(&head, width));
	}
	advance(cbor, 1 + width);
	*out = head;
	return CS_OK;
}

static enum cs_err read_typed(struct cs_cbor *cbor, struct head *head, enum major major)
{
	CS_TRY(read_head(cbor, head));
	return head->major == major ? CS_OK : CS_ERR_INVALID;
}

enum cs_err cs_cbor_uint(struct cs_cbor *cbor, uint64_t *value)
{
	struct cs_cbor at = *cbor;
	struct head head;
	CS_TRY(read_typed(&at, &head, UINT));
	*value = head.value;
	*cbor = at;
	return CS_OK;
}

enum cs_err cs_cbor_tag(struct cs_cbor *cbor, uint64_t *tag)
{
	struct cs_cbor at = *cbor;
	struct head head;
	CS_TRY(read_typed(&at, &head, TAG));
	*tag = head.value;
	*cbor = at;
	return CS_OK;
}

static enum cs_err read_string(struct cs_cbor *cbor, struct cs_bytes *bytes, enum major major)
{
	struct cs_cbor at = *cbor;
	struct head head;
	CS_TRY(read_typed(&at, &head, major));
	if (head.value > at.left)
		return CS_ERR_TRUNCATED;
	const struct cs_bytes found = cs_bytes(at.p, (size_t)head.value);
	if (major == TEXT && !cs_utf8_is_valid(found))
		return CS_ERR_MALFORMED;
	advance(&at, found.n);
	*bytes = found;
	*cbor = at;
	return CS_OK;
}

enum cs_err cs_cbor_bytes(struct cs_cbor *cbor, struct cs_bytes *bytes)
{
	return read_string(cbor, bytes, BYTES);
}

enum cs_err cs_cbor_text(struct cs_cbor *cbor, struct cs_bytes *text)
{
	return read_string(cbor, text, TEXT);
}

/* Every item takes a byte at least, so a count beyond what is left cannot be true. */
static enum cs_err read_count(struct cs_cbor *cbor, size_t *count, enum major major)
{
	struct cs_cbor at = *cbor;
	struct head head;
	CS_TRY(read_typed(&at, &head, major));
	if (head.value > (major == MAP ? at.left / 2 : at.left))
		return CS_ERR_TRUNCATED;
	*count = (size_t)head.value;
	*cbor = at;
	return CS_OK;
}

enum cs_err cs_cbor_array(struct cs_cbor *cbor, size_t *count)
{
	return read_count(cbor, count, ARRAY);
}

enum cs_err cs_cbor_map(struct cs_cbor *cbor, size_t *count)
{
	return read_count(cbor, count, MAP);
}

/* Passes over a head and, of a string, over its bytes; *inside is how many items belong to it. */
static enum cs_err skip_one(struct cs_cbor *cbor, size_t *inside)
{
	struct cs_cbor ahead = *cbor;
	struct cs_bytes string;
	struct head head;
	CS_TRY(read_head(&ahead, &head));
	*inside = 0;
	switch (head.major) {
	case UINT:
	case NEGATIVE:
	case SIMPLE:
		break;
	case BYTES:
	case TEXT:
		return read_string(cbor, &string, head.major);
	case ARRAY:
		return read_count(cbor, inside, ARRAY);
	case MAP:
		CS_TRY(read_count(cbor, inside, MAP));
		*inside *= 2;
		return CS_OK;
	case TAG:
		*inside = 1;
		break;
	}
	*cbor = ahead;
	return CS_OK;
}

enum cs_err cs_cbor_skip(struct cs_cbor *cbor)
{
	struct cs_cbor at = *cbor;
	size_t left[CS_CBOR_DEPTH_MAX]; /* items still to come, at each level that is open */
	size_t depth = 0, inside;
	do {
		CS_TRY(skip_one(&at, &inside));
		if (inside > 0) {
			if (depth == CS_CBOR_DEPTH_MAX)
				return CS_ERR_TOO_LARGE;
			left[depth++] = inside;
			continue;
		}
		while (depth > 0 && --left[depth - 1] == 0)
			depth--;
	} while (depth > 0);
	*cbor = at;
	return CS_OK;
}

enum cs_err cs_cbor_end(const struct cs_cbor *cbor)
{
	return cbor->left == 0 ? CS_OK : CS_ERR_TRAILING;
}

/* One item, as its bytes. */
static enum cs_err read_item(struct cs_cbor *cbor, struct cs_bytes *item)
{
	const uint8_t *begin = cbor->p;
	CS_TRY(cs_cbor_skip(cbor));
	*item = cs_bytes(begin, (size_t)(cbor->p - begin));
	return CS_OK;
}

static bool is_key(struct cs_bytes item, const char *key)
{
	struct cs_cbor cbor;
	struct cs_bytes text;
	cs_cbor_init(&cbor, item);
	return cs_cbor_text(&cbor, &text) == CS_OK && cs_bytes_eq(text, cs_bytes_str(key));
}

enum cs_err cs_cbor_find(struct cs_bytes *value, struct cs_bytes map, const char *key)
{
	struct cs_bytes keys[CS_CBOR_MEMBERS_MAX], item, found = CS_BYTES_NONE;
	struct cs_cbor cbor;
	size_t count;
	cs_cbor_init(&cbor, map);
	CS_TRY(cs_cbor_map(&cbor, &count));
	if (count > CS_CBOR_MEMBERS_MAX)
		return CS_ERR_TOO_LARGE;
	for (size_t i = 0; i < count; i++) {
		CS_TRY(read_item(&cbor, &keys[i]));
		CS_TRY(read_item(&cbor, &item));
		for (size_t j = 0; j < i; j++) {
			if (cs_bytes_eq(keys[i], keys[j]))
				return CS_ERR_DUPLICATE;
		}
		if (is_key(keys[i], key))
			found = item;
	}
	CS_TRY(cs_cbor_end(&cbor));
	if (found.p == NULL)
		return CS_ERR_NOT_FOUND;
	*value = found;
	return CS_OK;
}
