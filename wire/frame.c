#include "wire/frame.h"

static const struct {
	const char *request;
	const char *reply;
	enum wire_type type;
} names[] = {
#define WIRE_TYPE(name, number, request, reply) {#request, #reply, WIRE_##name},
#include "wire/types.def"
#undef WIRE_TYPE
};

/* Replies are one above their requests, which are even. */
static bool is_known(unsigned type)
{
	for (size_t i = 0; i < CS_LEN(names); i++) {
		if ((type & ~1u) == (unsigned)names[i].type)
			return true;
	}
	return type == WIRE_ERROR;
}

void wire_frame_encode(uint8_t head[WIRE_FRAME_HEAD_SIZE], const struct wire_frame *frame)
{
	cs_put_be32(head, frame->body_size);
	cs_put_be16(head + 4, (uint16_t)frame->type);
	cs_put_be16(head + 6, 0);
	cs_put_be64(head + 8, frame->request_id);
}

enum cs_err wire_frame_decode(struct wire_frame *frame, const uint8_t head[WIRE_FRAME_HEAD_SIZE])
{
	uint32_t body_size = cs_be32(head);
	unsigned type = cs_be16(head + 4);
	if (body_size > CS_FRAME_BODY_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	if (!is_known(type))
		return CS_ERR_UNSUPPORTED;
	if (cs_be16(head + 6) != 0)
		return CS_ERR_NON_CANONICAL;
	*frame = (struct wire_frame){body_size, (enum wire_type)type, cs_be64(head + 8)};
	return CS_OK;
}

bool wire_type_is_request(enum wire_type type)
{
	return type % 2 == 0;
}

const char *wire_type_name(enum wire_type type)
{
	for (size_t i = 0; i < CS_LEN(names); i++) {
		if (type == names[i].type)
			return names[i].request;
		if ((unsigned)type == (unsigned)names[i].type + 1)
			return names[i].reply;
	}
	return "error_reply";
}
