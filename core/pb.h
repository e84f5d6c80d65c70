/* Protobuf's wire format, for foreign messages that are hashed or signed: a writer that gives the
 * bytes that gogoproto and other ordered encoders give, a reader that takes exactly those bytes,
 * and a walk over fields in any order for messages whose form is not ours to demand. Knows no
 * schema and never allocates.
 *
 * Canonical form: fields in ascending order, each singular one at most once, nothing unknown,
 * scalars and byte strings that are empty or zero left out, varints minimal, submessages that are
 * not nullable always there (protobuf.dev/programming-guides/encoding; proto3). What the reader
 * accepts is written again to the same bytes. */
#ifndef CS_PB_H
#define CS_PB_H

#include "core/buf.h"

/* Of a tag: 29 bits. */
#define CS_PB_FIELD_MAX 0x1fffffffu
#define CS_PB_VARINT_SIZE_MAX 10u

/* google.protobuf.Timestamp: 0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999999999Z. */
struct cs_pb_time {
	int64_t s;
	int32_t ns;
};
#define CS_PB_TIME_MIN_S (-62135596800ll)
#define CS_PB_TIME_MAX_S 253402300799ll
#define CS_PB_TIME_NS_MAX 999999999
/* What Go calls the zero time: year 1. */
#define CS_PB_TIME_ZERO ((struct cs_pb_time){CS_PB_TIME_MIN_S, 0})

bool cs_pb_time_valid(struct cs_pb_time time);
/* Before, same, after: -1, 0, 1. */
int cs_pb_time_cmp(struct cs_pb_time a, struct cs_pb_time b);

/* ---- writing ---- */

void cs_pb_put_varint(struct cs_buf *buf, uint64_t value);
/* Bytes of the varint: 1 to 10. */
size_t cs_pb_varint_size(uint64_t value);

/* uint32, uint64, bool and enums; int32 and int64 (10 bytes when negative); sint64 (zigzag);
 * fixed64; sfixed64. Nothing when 0. */
void cs_pb_put_uint(struct cs_buf *buf, uint32_t field, uint64_t value);
void cs_pb_put_int(struct cs_buf *buf, uint32_t field, int64_t value);
void cs_pb_put_sint(struct cs_buf *buf, uint32_t field, int64_t value);
void cs_pb_put_fixed64(struct cs_buf *buf, uint32_t field, uint64_t value);
void cs_pb_put_sfixed64(struct cs_buf *buf, uint32_t field, int64_t value);
/* string, bytes. Nothing when empty. */
void cs_pb_put_bytes(struct cs_buf *buf, uint32_t field, struct cs_bytes bytes);
/* An element of a repeated field: there when empty too. */
void cs_pb_put_element(struct cs_buf *buf, uint32_t field, struct cs_bytes bytes);
/* A submessage, there when empty too; what is put between the two is its body, which moves when its
 * length is put before it: while it is written the buffer needs no more room than at the end. */
size_t cs_pb_begin(struct cs_buf *buf, uint32_t field);
void cs_pb_end(struct cs_buf *buf, size_t begin);
/* The same without a tag: a length-delimited message, as CometBFT signs and frames them. */
size_t cs_pb_begin_delimited(const struct cs_buf *buf);
/* google.protobuf.Timestamp and Duration, always there. A time that is not valid fails the
 * buffer. */
void cs_pb_put_time(struct cs_buf *buf, uint32_t field, struct cs_pb_time time);
void cs_pb_put_duration(struct cs_buf *buf, uint32_t field, int64_t ns);
/* The bodies alone. */
void cs_pb_put_time_body(struct cs_buf *buf, struct cs_pb_time time);

/* ---- reading the canonical form ---- */

/* Stands at the next field of one message. The first thing that is wrong fails it for good, and
 * every later read gives zeros: cs_pb_close tells. Fields are asked for in ascending order. */
struct cs_pb {
	struct cs_bytes rest;
	uint32_t last;
	enum cs_err err;
};

void cs_pb_open(struct cs_pb *pb, struct cs_bytes message);
/* The first failure, or UNKNOWN_FIELD, DUPLICATE, NON_CANONICAL (out of order) when something was
 * not asked for. */
CS_NODISCARD enum cs_err cs_pb_close(struct cs_pb *pb);
/* What the reader of a message itself finds wrong; the first failure stays. */
void cs_pb_fail(struct cs_pb *pb, enum cs_err err);
/* Is the next field this one? False after a failure. */
bool cs_pb_is_next(const struct cs_pb *pb, uint32_t field);

/* Zero when the field is not there. Failures of all: TRUNCATED, NON_CANONICAL (a zero that is
 * there, a longer varint than needed), MALFORMED (another wire type), OVERFLOW (above max). */
uint64_t cs_pb_uint(struct cs_pb *pb, uint32_t field, uint64_t max);
int64_t cs_pb_int64(struct cs_pb *pb, uint32_t field);
int32_t cs_pb_int32(struct cs_pb *pb, uint32_t field);
int64_t cs_pb_sint64(struct cs_pb *pb, uint32_t field);
bool cs_pb_bool(struct cs_pb *pb, uint32_t field);
uint64_t cs_pb_fixed64(struct cs_pb *pb, uint32_t field);
int64_t cs_pb_sfixed64(struct cs_pb *pb, uint32_t field);
/* A view into the message, empty when the field is not there. TOO_LARGE above size_max. */
struct cs_bytes cs_pb_bytes(struct cs_pb *pb, uint32_t field, size_t size_max);
/* The next element of a repeated field of bytes or messages; false when there is none. */
bool cs_pb_element(struct cs_pb *pb, uint32_t field, struct cs_bytes *bytes, size_t size_max);
/* How many elements of this field follow in a row, without moving on; TOO_LARGE above count_max. */
size_t cs_pb_count(struct cs_pb *pb, uint32_t field, size_t count_max);
/* Opens a submessage: false, and an empty reader, when it is not there. */
bool cs_pb_enter(struct cs_pb *pb, uint32_t field, struct cs_pb *inner);
/* The same where the submessage is not nullable: MISSING_FIELD. */
void cs_pb_enter_required(struct cs_pb *pb, uint32_t field, struct cs_pb *inner);
/* Closes the inner reader; its failure becomes the outer one's. */
void cs_pb_leave(struct cs_pb *pb, struct cs_pb *inner);
/* Required. INVALID: outside what the format allows. */
struct cs_pb_time cs_pb_time(struct cs_pb *pb, uint32_t field);
/* Required; nanoseconds. OVERFLOW when they are not an int64. */
int64_t cs_pb_duration(struct cs_pb *pb, uint32_t field);

/* ---- reading any order ---- */

enum cs_pb_type {
	CS_PB_VARINT = 0,
	CS_PB_FIXED64 = 1,
	CS_PB_BYTES = 2,
	CS_PB_FIXED32 = 5,
};

struct cs_pb_field {
	uint32_t number;
	enum cs_pb_type type;
	uint64_t value;        /* of varints and fixed ones */
	struct cs_bytes bytes; /* of CS_PB_BYTES, a view */
};

/* Takes the next field off the front of the message; the caller judges number, type and what comes
 * twice. TRUNCATED, NON_CANONICAL (a longer varint than needed), MALFORMED (field 0, a group, an
 * unknown type), OVERFLOW (a varint above 64 bits); nothing moves on failure. */
CS_NODISCARD enum cs_err cs_pb_next(struct cs_bytes *message, struct cs_pb_field *field);
/* A varint off the front, and a message with its length before it; TOO_LARGE above size_max. */
CS_NODISCARD enum cs_err cs_pb_take_varint(struct cs_bytes *bytes, uint64_t *value);
CS_NODISCARD enum cs_err cs_pb_take_delimited(struct cs_bytes *bytes, struct cs_bytes *message,
					      size_t size_max);

#endif
