#include "wire/pipe.h"

struct kind {
	bool known;
	bool from_host;
	uint32_t size_max;
};

static const struct kind kinds[] = {
#define WIRE_PIPE(name, number, from_host, size_max) [number] = {true, (from_host), (size_max)},
	WIRE_PIPE_TYPES(WIRE_PIPE)
#undef WIRE_PIPE
};

void wire_pipe_encode(uint8_t head[WIRE_PIPE_HEAD_SIZE], const struct wire_pipe_frame *frame)
{
	cs_assert(frame->type < CS_LEN(kinds) && frame->size <= kinds[frame->type].size_max);
	cs_put_be32(head, frame->size);
	head[4] = (uint8_t)frame->type;
	head[5] = head[6] = head[7] = 0;
	cs_put_be32(head + 8, frame->number);
}

enum cs_err wire_pipe_decode(struct wire_pipe_frame *frame, const uint8_t head[WIRE_PIPE_HEAD_SIZE],
			     bool from_host)
{
	const uint8_t type = head[4];
	const uint32_t size = cs_be32(head);
	if (type >= CS_LEN(kinds) || !kinds[type].known || kinds[type].from_host != from_host)
		return CS_ERR_UNSUPPORTED;
	if (size > kinds[type].size_max)
		return CS_ERR_TOO_LARGE;
	if (head[5] != 0 || head[6] != 0 || head[7] != 0)
		return CS_ERR_NON_CANONICAL;
	*frame = (struct wire_pipe_frame){size, (enum wire_pipe_type)type, cs_be32(head + 8)};
	return CS_OK;
}
