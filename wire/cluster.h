/* Frames of the key cluster (docs/protocol/cluster.md): the head of the enclave's boundary before every
 * protobuf body, with types of their own. Knows nothing of sockets. */
#ifndef WIRE_CLUSTER_H
#define WIRE_CLUSTER_H

#include "wire/cluster.pb-c.h"
#include "wire/decode.h"

enum wire_cluster_type {
	/* ErrorReply of enclave.proto, in place of any reply. */
	WIRE_CLUSTER_ERROR = 1,
#define WIRE_CLUSTER_TYPE(name, number, request, reply) \
	WIRE_CLUSTER_##name = (number), WIRE_CLUSTER_##name##_REPLY = (number) + 1,
#include "wire/cluster_types.def"
#undef WIRE_CLUSTER_TYPE
};

/* A body: a statement with all collateral that the schema allows is above a frame of the enclave's
 * boundary, what vendors send is 100 KiB. */
struct wire_cluster_frame {
	uint32_t body_size; /* at most CS_FRAME_BODY_SIZE_MAX */
	enum wire_cluster_type type;
	uint64_t request_id;
};

void wire_cluster_frame_encode(uint8_t head[WIRE_FRAME_HEAD_SIZE],
			       const struct wire_cluster_frame *frame);
/* TOO_LARGE, UNSUPPORTED (a type that is in no table), NON_CANONICAL (the two zero bytes). */
CS_NODISCARD enum cs_err wire_cluster_frame_decode(struct wire_cluster_frame *frame,
						   const uint8_t head[WIRE_FRAME_HEAD_SIZE]);
/* Neither reply nor error. */
bool wire_cluster_type_is_request(enum wire_cluster_type type);
/* "cluster_hello": static, for logs. */
const char *wire_cluster_type_name(enum wire_cluster_type type);
/* The body's message of a type that the table has. */
const ProtobufCMessageDescriptor *wire_cluster_type_message(enum wire_cluster_type type);

/* SHA-256 of wire/cluster.proto: in wire/cluster.lock, in the report data of all roles. */
extern const struct cs_hash wire_cluster_schema_digest;

#endif
