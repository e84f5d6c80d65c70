#include "enclave/port.h"

static enum cs_err read_head(struct wire_frame *frame, struct cs_bytes plain)
{
	CS_TRY(wire_frame_decode(frame, plain.p));
	if (!wire_type_is_request(frame->type))
		return CS_ERR_UNSUPPORTED;
	return frame->body_size > PORT_REQUEST_SIZE_MAX ? CS_ERR_TOO_LARGE : CS_OK;
}

bool port_is_due(struct cs_bytes plain)
{
	struct wire_frame frame;
	if (plain.n < WIRE_FRAME_HEAD_SIZE)
		return false;
	return read_head(&frame, plain) != CS_OK ||
	       plain.n - WIRE_FRAME_HEAD_SIZE >= frame.body_size;
}

static enum cs_err answer(struct port *port, struct cs_buf *out, const struct enclave_call *call,
			  const struct wire_frame *frame, struct cs_bytes body)
{
	struct cs_buf reply;
	uint8_t head[WIRE_FRAME_HEAD_SIZE];
	struct wire_frame back = {.request_id = frame->request_id};
	CS_TRY(cs_buf_init_arena(&reply, &call->e->arena, PORT_REPLY_SIZE_MAX));
	back.type = enclave_step_visitor(call, &port->visitor, frame->type, body, &reply);
	back.body_size = (uint32_t)reply.n;
	wire_frame_encode(head, &back);
	cs_put(out, CS_BYTES_OF(head));
	cs_put(out, cs_buf_view(&reply));
	return cs_buf_end(out);
}

enum cs_err port_take(struct port *port, size_t *used, struct cs_buf *out,
		      const struct enclave_call *call, struct cs_bytes plain)
{
	struct wire_frame frame;
	*used = 0;
	if (!port_is_due(plain))
		return CS_OK;
	CS_TRY(read_head(&frame, plain));
	if (port->requests == PORT_REQUESTS_MAX)
		return CS_ERR_RATE_LIMITED;
	CS_TRY(answer(port, out, call, &frame,
		      cs_bytes(plain.p + WIRE_FRAME_HEAD_SIZE, frame.body_size)));
	port->requests++;
	*used = WIRE_FRAME_HEAD_SIZE + frame.body_size;
	return CS_OK;
}
