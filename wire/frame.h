/* Frames of the enclave's boundary (docs/protocol/boundary.md): a 16-byte header before every
 * protobuf body. Knows nothing of sockets. */
#ifndef WIRE_FRAME_H
#define WIRE_FRAME_H

#include "core/bytes.h"
#include "core/limits.h"

#define WIRE_FRAME_HEAD_SIZE 16u
#define WIRE_VERSION 2u

enum wire_type {
	WIRE_ERROR = 1,
#define WIRE_TYPE(name, number, request, reply) \
	WIRE_##name = (number), WIRE_##name##_REPLY = (number) + 1,
#include "wire/types.def"
#undef WIRE_TYPE
};

struct wire_frame {
	uint32_t body_size;
	enum wire_type type;
	uint64_t request_id;
};

void wire_frame_encode(uint8_t head[WIRE_FRAME_HEAD_SIZE], const struct wire_frame *frame);
/* TOO_LARGE (body above CS_FRAME_BODY_SIZE_MAX), UNSUPPORTED (a type that is in no table),
 * NON_CANONICAL (the two zero bytes). */
CS_NODISCARD enum cs_err wire_frame_decode(struct wire_frame *frame,
					   const uint8_t head[WIRE_FRAME_HEAD_SIZE]);
/* Neither reply nor error. */
bool wire_type_is_request(enum wire_type type);
/* "hello_request", "hello_reply", "error_reply": static, for logs. */
const char *wire_type_name(enum wire_type type);

#endif
