/* Protobuf bodies of the boundary, strict: the raw bytes are checked against the schema and its
 * bounds before protobuf-c sees them, so that nothing it would tolerate (unknown fields, merged or
 * repeated singular fields, fields out of order, longer forms than needed, explicit zeros) gets
 * through, and its memory is the arena's.
 *
 * A message of the schema has exactly one accepted encoding, which is the one that wire_encode
 * writes. */
#ifndef WIRE_DECODE_H
#define WIRE_DECODE_H

#include "core/buf.h"
#include "wire/enclave.pb-c.h"
#include "wire/frame.h"
#include "wire/oracle.pb-c.h"

/* Messages inside messages; the schema has 4. */
#define WIRE_DEPTH_MAX 6u

/* The body's message of a type; NULL for none in this schema. */
const ProtobufCMessageDescriptor *wire_type_message(enum wire_type type);

/* The message lives in the arena, copies included: bytes may go away. A singular message field is
 * never NULL unless the schema marks it `optional`; strings are UTF-8 without NUL. TRUNCATED,
 * TRAILING, MALFORMED (wire type, UTF-8), UNKNOWN_FIELD, MISSING_FIELD (fixed size or required
 * message absent), DUPLICATE, NON_CANONICAL (order, long varint, explicit default), OVERFLOW (a
 * varint above its type), INVALID (size other than the fixed one, number outside the enum),
 * TOO_LARGE (above a bound), NO_MEMORY. why names the field. */
CS_NODISCARD enum cs_err wire_decode(ProtobufCMessage **message,
				     const ProtobufCMessageDescriptor *type, struct cs_bytes bytes,
				     struct cs_arena *arena, struct cs_why *why);
/* The same checks without making the message. */
CS_NODISCARD enum cs_err wire_check(const ProtobufCMessageDescriptor *type, struct cs_bytes bytes,
				    struct cs_why *why);
/* Appends the encoding and checks it as a reader will: what we send is never refused by our own
 * rules. */
CS_NODISCARD enum cs_err wire_encode(struct cs_buf *buf, const ProtobufCMessage *message,
				     struct cs_why *why);

/* SHA-256 of wire/enclave.proto: in wire/schema.lock, in hello, in the report data. */
extern const struct cs_hash wire_schema_digest;
/* SHA-256 of wire/enclave.proto and wire/oracle.proto: in wire/oracle.lock; what an oracle tells. */
extern const struct cs_hash wire_oracle_schema_digest;

#endif
