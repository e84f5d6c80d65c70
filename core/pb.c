#include "core/pb.h"

#include <string.h>

#define NS_PER_S 1000000000ll

bool cs_pb_time_valid(struct cs_pb_time time)
{
	return time.s >= CS_PB_TIME_MIN_S && time.s <= CS_PB_TIME_MAX_S && time.ns >= 0 &&
	       time.ns <= CS_PB_TIME_NS_MAX;
}

int cs_pb_time_cmp(struct cs_pb_time a, struct cs_pb_time b)
{
	if (a.s != b.s)
		return a.s < b.s ? -1 : 1;
	return (a.ns > b.ns) - (a.ns < b.ns);
}

/* ---- writing ---- */

static size_t varint(uint8_t out[CS_PB_VARINT_SIZE_MAX], uint64_t value)
{
	size_t n = 0;
	for (; value >= 0x80; value >>= 7)
		out[n++] = (uint8_t)(value | 0x80);
	out[n++] = (uint8_t)value;
	return n;
}

void cs_pb_put_varint(struct cs_buf *buf, uint64_t value)
{
	uint8_t b[CS_PB_VARINT_SIZE_MAX];
	size_t n = varint(b, value);
	cs_put(buf, cs_bytes(b, n));
}

size_t cs_pb_varint_size(uint64_t value)
{
	uint8_t b[CS_PB_VARINT_SIZE_MAX];
	return varint(b, value);
}

static void put_tag(struct cs_buf *buf, uint32_t field, enum cs_pb_type type)
{
	cs_assert(field > 0 && field <= CS_PB_FIELD_MAX);
	cs_pb_put_varint(buf, (uint64_t)field << 3 | type);
}

void cs_pb_put_uint(struct cs_buf *buf, uint32_t field, uint64_t value)
{
	if (value == 0)
		return;
	put_tag(buf, field, CS_PB_VARINT);
	cs_pb_put_varint(buf, value);
}

void cs_pb_put_int(struct cs_buf *buf, uint32_t field, int64_t value)
{
	cs_pb_put_uint(buf, field, (uint64_t)value);
}

void cs_pb_put_sint(struct cs_buf *buf, uint32_t field, int64_t value)
{
	uint64_t sign = value < 0 ? UINT64_MAX : 0;
	cs_pb_put_uint(buf, field, (uint64_t)value << 1 ^ sign);
}

void cs_pb_put_fixed64(struct cs_buf *buf, uint32_t field, uint64_t value)
{
	uint8_t b[8];
	if (value == 0)
		return;
	for (size_t i = 0; i < sizeof b; i++)
		b[i] = (uint8_t)(value >> (8 * i));
	put_tag(buf, field, CS_PB_FIXED64);
	cs_put(buf, CS_BYTES_OF(b));
}

void cs_pb_put_sfixed64(struct cs_buf *buf, uint32_t field, int64_t value)
{
	cs_pb_put_fixed64(buf, field, (uint64_t)value);
}

void cs_pb_put_bytes(struct cs_buf *buf, uint32_t field, struct cs_bytes bytes)
{
	if (bytes.n > 0)
		cs_pb_put_element(buf, field, bytes);
}

void cs_pb_put_element(struct cs_buf *buf, uint32_t field, struct cs_bytes bytes)
{
	put_tag(buf, field, CS_PB_BYTES);
	cs_pb_put_varint(buf, bytes.n);
	cs_put(buf, bytes);
}

size_t cs_pb_begin_delimited(const struct cs_buf *buf)
{
	return buf->n;
}

size_t cs_pb_begin(struct cs_buf *buf, uint32_t field)
{
	put_tag(buf, field, CS_PB_BYTES);
	return cs_pb_begin_delimited(buf);
}

void cs_pb_end(struct cs_buf *buf, size_t begin)
{
	uint8_t length[CS_PB_VARINT_SIZE_MAX];
	if (buf->failed)
		return;
	cs_assert(begin <= buf->n);
	size_t body = buf->n - begin, n = varint(length, body);
	cs_put_zeros(buf, n);
	if (buf->failed)
		return;
	memmove(buf->p + begin + n, buf->p + begin, body);
	memcpy(buf->p + begin, length, n);
}

void cs_pb_put_time_body(struct cs_buf *buf, struct cs_pb_time time)
{
	if (!cs_pb_time_valid(time)) {
		buf->failed = true;
		return;
	}
	cs_pb_put_int(buf, 1, time.s);
	cs_pb_put_int(buf, 2, time.ns);
}

void cs_pb_put_time(struct cs_buf *buf, uint32_t field, struct cs_pb_time time)
{
	size_t begin = cs_pb_begin(buf, field);
	cs_pb_put_time_body(buf, time);
	cs_pb_end(buf, begin);
}

void cs_pb_put_duration(struct cs_buf *buf, uint32_t field, int64_t ns)
{
	size_t begin = cs_pb_begin(buf, field);
	cs_pb_put_int(buf, 1, ns / NS_PER_S);
	cs_pb_put_int(buf, 2, ns % NS_PER_S);
	cs_pb_end(buf, begin);
}

/* ---- any order ---- */

enum cs_err cs_pb_take_varint(struct cs_bytes *bytes, uint64_t *value)
{
	uint64_t v = 0;
	for (size_t i = 0; i < CS_PB_VARINT_SIZE_MAX; i++) {
		if (i == bytes->n)
			return CS_ERR_TRUNCATED;
		uint8_t b = bytes->p[i];
		if (i == CS_PB_VARINT_SIZE_MAX - 1 && b > 1)
			return CS_ERR_OVERFLOW;
		v |= (uint64_t)(b & 0x7f) << (7 * i);
		if (b >= 0x80)
			continue;
		if (b == 0 && i > 0)
			return CS_ERR_NON_CANONICAL;
		*value = v;
		*bytes = cs_bytes(bytes->p + i + 1, bytes->n - i - 1);
		return CS_OK;
	}
	return CS_ERR_OVERFLOW;
}

static enum cs_err take_bytes(struct cs_bytes *from, size_t n, struct cs_bytes *bytes)
{
	if (n > from->n)
		return CS_ERR_TRUNCATED;
	*bytes = cs_bytes(from->p, n);
	*from = cs_bytes(from->p + n, from->n - n);
	return CS_OK;
}

enum cs_err cs_pb_take_delimited(struct cs_bytes *bytes, struct cs_bytes *message, size_t size_max)
{
	struct cs_bytes rest = *bytes;
	uint64_t n;
	CS_TRY(cs_pb_take_varint(&rest, &n));
	if (n > size_max)
		return CS_ERR_TOO_LARGE;
	CS_TRY(take_bytes(&rest, n, message));
	*bytes = rest;
	return CS_OK;
}

static enum cs_err take_fixed(struct cs_bytes *from, size_t n, uint64_t *value)
{
	struct cs_bytes bytes;
	CS_TRY(take_bytes(from, n, &bytes));
	*value = 0;
	for (size_t i = 0; i < n; i++)
		*value |= (uint64_t)bytes.p[i] << (8 * i);
	return CS_OK;
}

static enum cs_err take_tag(struct cs_bytes *from, uint32_t *number, unsigned *type)
{
	uint64_t tag;
	CS_TRY(cs_pb_take_varint(from, &tag));
	if (tag >> 3 == 0 || tag >> 3 > CS_PB_FIELD_MAX)
		return CS_ERR_MALFORMED;
	*number = (uint32_t)(tag >> 3);
	*type = tag & 7;
	return CS_OK;
}

enum cs_err cs_pb_next(struct cs_bytes *message, struct cs_pb_field *field)
{
	struct cs_bytes rest = *message;
	struct cs_pb_field f = {0};
	unsigned type;
	CS_TRY(take_tag(&rest, &f.number, &type));
	switch (type) {
	case CS_PB_VARINT:
		CS_TRY(cs_pb_take_varint(&rest, &f.value));
		break;
	case CS_PB_FIXED64:
		CS_TRY(take_fixed(&rest, 8, &f.value));
		break;
	case CS_PB_FIXED32:
		CS_TRY(take_fixed(&rest, 4, &f.value));
		break;
	case CS_PB_BYTES:
		CS_TRY(cs_pb_take_delimited(&rest, &f.bytes, SIZE_MAX));
		break;
	default:
		return CS_ERR_MALFORMED;
	}
	f.type = (enum cs_pb_type)type;
	*field = f;
	*message = rest;
	return CS_OK;
}

/* ---- canonical form ---- */

void cs_pb_open(struct cs_pb *pb, struct cs_bytes message)
{
	*pb = (struct cs_pb){message, 0, CS_OK};
}

void cs_pb_fail(struct cs_pb *pb, enum cs_err err)
{
	if (pb->err == CS_OK)
		pb->err = err;
	pb->rest = CS_BYTES_NONE;
}

enum cs_err cs_pb_close(struct cs_pb *pb)
{
	struct cs_bytes rest = pb->rest;
	struct cs_pb_field field;
	if (pb->err == CS_OK && rest.n > 0) {
		enum cs_err err = cs_pb_next(&rest, &field);
		if (err != CS_OK)
			cs_pb_fail(pb, err);
		else if (field.number == pb->last)
			cs_pb_fail(pb, CS_ERR_DUPLICATE);
		else
			cs_pb_fail(pb, field.number < pb->last ? CS_ERR_NON_CANONICAL
							       : CS_ERR_UNKNOWN_FIELD);
	}
	return pb->err;
}

bool cs_pb_is_next(const struct cs_pb *pb, uint32_t field)
{
	struct cs_bytes rest = pb->rest;
	uint32_t number = 0;
	unsigned type;
	return pb->err == CS_OK && rest.n > 0 && take_tag(&rest, &number, &type) == CS_OK &&
	       number == field;
}

/* Takes the field when it is the next one, and of this type. */
static bool take(struct cs_pb *pb, uint32_t field, enum cs_pb_type type, struct cs_pb_field *out)
{
	if (!cs_pb_is_next(pb, field))
		return false;
	enum cs_err err = cs_pb_next(&pb->rest, out);
	if (err == CS_OK && out->type != type)
		err = CS_ERR_MALFORMED;
	if (err != CS_OK)
		cs_pb_fail(pb, err);
	pb->last = field;
	return err == CS_OK;
}

static uint64_t scalar(struct cs_pb *pb, uint32_t field, enum cs_pb_type type)
{
	struct cs_pb_field f;
	if (!take(pb, field, type, &f))
		return 0;
	if (f.value == 0)
		cs_pb_fail(pb, CS_ERR_NON_CANONICAL);
	return f.value;
}

uint64_t cs_pb_uint(struct cs_pb *pb, uint32_t field, uint64_t max)
{
	uint64_t value = scalar(pb, field, CS_PB_VARINT);
	if (value <= max)
		return value;
	cs_pb_fail(pb, CS_ERR_OVERFLOW);
	return 0;
}

int64_t cs_pb_int64(struct cs_pb *pb, uint32_t field)
{
	return (int64_t)scalar(pb, field, CS_PB_VARINT);
}

int32_t cs_pb_int32(struct cs_pb *pb, uint32_t field)
{
	int64_t value = cs_pb_int64(pb, field);
	if (value >= INT32_MIN && value <= INT32_MAX)
		return (int32_t)value;
	cs_pb_fail(pb, CS_ERR_OVERFLOW);
	return 0;
}

int64_t cs_pb_sint64(struct cs_pb *pb, uint32_t field)
{
	uint64_t value = scalar(pb, field, CS_PB_VARINT);
	return (int64_t)(value >> 1 ^ (value & 1 ? UINT64_MAX : 0));
}

bool cs_pb_bool(struct cs_pb *pb, uint32_t field)
{
	return cs_pb_uint(pb, field, 1) == 1;
}

uint64_t cs_pb_fixed64(struct cs_pb *pb, uint32_t field)
{
	return scalar(pb, field, CS_PB_FIXED64);
}

int64_t cs_pb_sfixed64(struct cs_pb *pb, uint32_t field)
{
	return (int64_t)cs_pb_fixed64(pb, field);
}

bool cs_pb_element(struct cs_pb *pb, uint32_t field, struct cs_bytes *bytes, size_t size_max)
{
	struct cs_pb_field f;
	if (!take(pb, field, CS_PB_BYTES, &f))
		return false;
	if (f.bytes.n > size_max) {
		cs_pb_fail(pb, CS_ERR_TOO_LARGE);
		return false;
	}
	*bytes = f.bytes;
	return true;
}

struct cs_bytes cs_pb_bytes(struct cs_pb *pb, uint32_t field, size_t size_max)
{
	struct cs_bytes bytes;
	if (!cs_pb_element(pb, field, &bytes, size_max))
		return CS_BYTES_NONE;
	if (bytes.n == 0)
		cs_pb_fail(pb, CS_ERR_NON_CANONICAL);
	return bytes;
}

size_t cs_pb_count(struct cs_pb *pb, uint32_t field, size_t count_max)
{
	struct cs_pb ahead = *pb;
	struct cs_bytes bytes;
	size_t count = 0;
	while (cs_pb_element(&ahead, field, &bytes, SIZE_MAX)) {
		if (count++ == count_max) {
			cs_pb_fail(pb, CS_ERR_TOO_LARGE);
			return 0;
		}
	}
	if (ahead.err != CS_OK)
		cs_pb_fail(pb, ahead.err);
	return pb->err == CS_OK ? count : 0;
}

bool cs_pb_enter(struct cs_pb *pb, uint32_t field, struct cs_pb *inner)
{
	struct cs_bytes bytes = CS_BYTES_NONE;
	bool there = cs_pb_element(pb, field, &bytes, SIZE_MAX);
	cs_pb_open(inner, bytes);
	return there;
}

void cs_pb_enter_required(struct cs_pb *pb, uint32_t field, struct cs_pb *inner)
{
	if (!cs_pb_enter(pb, field, inner))
		cs_pb_fail(pb, CS_ERR_MISSING_FIELD);
}

void cs_pb_leave(struct cs_pb *pb, struct cs_pb *inner)
{
	enum cs_err err = cs_pb_close(inner);
	if (err != CS_OK)
		cs_pb_fail(pb, err);
}

struct cs_pb_time cs_pb_time(struct cs_pb *pb, uint32_t field)
{
	struct cs_pb inner;
	struct cs_pb_time time;
	cs_pb_enter_required(pb, field, &inner);
	time.s = cs_pb_int64(&inner, 1);
	time.ns = cs_pb_int32(&inner, 2);
	if (!cs_pb_time_valid(time))
		cs_pb_fail(&inner, CS_ERR_INVALID);
	cs_pb_leave(pb, &inner);
	return time;
}

int64_t cs_pb_duration(struct cs_pb *pb, uint32_t field)
{
	struct cs_pb inner;
	int64_t ns = 0;
	cs_pb_enter_required(pb, field, &inner);
	int64_t s = cs_pb_int64(&inner, 1);
	int32_t rest = cs_pb_int32(&inner, 2);
	if (rest <= -NS_PER_S || rest >= NS_PER_S || (s > 0 && rest < 0) || (s < 0 && rest > 0))
		cs_pb_fail(&inner, CS_ERR_INVALID);
	else if (__builtin_mul_overflow(s, NS_PER_S, &ns) || __builtin_add_overflow(ns, rest, &ns))
		cs_pb_fail(&inner, CS_ERR_OVERFLOW);
	cs_pb_leave(pb, &inner);
	return ns;
}
