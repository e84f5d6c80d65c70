#include "wire/cluster.h"

static const struct {
	enum wire_cluster_type type;
	const char *name;
	const ProtobufCMessageDescriptor *message;
} types[] = {
	{WIRE_CLUSTER_ERROR, "error_reply", &caisson__wire__error_reply__descriptor},
#define WIRE_CLUSTER_TYPE(name, number, request, reply)                           \
	{WIRE_CLUSTER_##name, #request, &caisson__wire__##request##__descriptor}, \
		{WIRE_CLUSTER_##name##_REPLY, #reply, &caisson__wire__##reply##__descriptor},
#include "wire/cluster_types.def"
#undef WIRE_CLUSTER_TYPE
};

static size_t place_of(unsigned type)
{
	size_t i = 0;
	while (i < CS_LEN(types) && (unsigned)types[i].type != type)
		i++;
	return i;
}

void wire_cluster_frame_encode(uint8_t head[WIRE_FRAME_HEAD_SIZE],
			       const struct wire_cluster_frame *frame)
{
	cs_put_be32(head, frame->body_size);
	cs_put_be16(head + 4, (uint16_t)frame->type);
	cs_put_be16(head + 6, 0);
	cs_put_be64(head + 8, frame->request_id);
}

enum cs_err wire_cluster_frame_decode(struct wire_cluster_frame *frame,
				      const uint8_t head[WIRE_FRAME_HEAD_SIZE])
{
	const uint32_t body_size = cs_be32(head);
	const unsigned type = cs_be16(head + 4);
	if (body_size > CS_FRAME_BODY_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	if (place_of(type) == CS_LEN(types))
		return CS_ERR_UNSUPPORTED;
	if (cs_be16(head + 6) != 0)
		return CS_ERR_NON_CANONICAL;
	*frame = (struct wire_cluster_frame){body_size, (enum wire_cluster_type)type,
					     cs_be64(head + 8)};
	return CS_OK;
}

bool wire_cluster_type_is_request(enum wire_cluster_type type)
{
	return type % 2 == 0;
}

const char *wire_cluster_type_name(enum wire_cluster_type type)
{
	const size_t place = place_of(type);
	cs_assert(place < CS_LEN(types));
	return types[place].name;
}

const ProtobufCMessageDescriptor *wire_cluster_type_message(enum wire_cluster_type type)
{
	const size_t place = place_of(type);
	cs_assert(place < CS_LEN(types));
	return types[place].message;
}
