#include "gateway/send_calls.h"

#include "core/abi.h"

#define CALL_SIZE_MAX 40000u
#define GAS_SEND 260000u
#define GAS_TRANSFER 420000u
#define GAS_PAYLOAD_BYTE 20u

static void put_attributes(struct cs_abi *abi, const struct gateway_send_body *body, size_t slot)
{
	size_t slots[CS_LEN(body->attributes)];
	cs_abi_enter_array(abi, slot, body->attribute_count);
	for (size_t i = 0; i < body->attribute_count; i++)
		slots[i] = cs_abi_slot(abi);
	for (size_t i = 0; i < body->attribute_count; i++)
		cs_abi_put_bytes(abi, slots[i], body->attributes[i]);
	cs_abi_leave(abi);
}

enum cs_err gateway_send_quote(struct cs_buf *buf, const struct gateway_send_body *body,
			       struct cs_arena *arena)
{
	struct cs_abi abi;
	CS_TRY(cs_buf_init_arena(buf, arena, CALL_SIZE_MAX));
	cs_abi_call(&abi, buf,
		    body->transfer ? "quote(bytes,bytes[])" : "quote(bytes,uint256,bytes[])");
	size_t recipient = cs_abi_slot(&abi);
	if (!body->transfer)
		cs_abi_put_u64(&abi, body->payload.n);
	size_t attributes = cs_abi_slot(&abi);
	cs_abi_put_bytes(&abi, recipient, body->recipient);
	put_attributes(&abi, body, attributes);
	return cs_buf_end(buf);
}

static void put_transfer(struct cs_abi *abi, struct cs_buf *buf,
			 const struct gateway_send_body *body)
{
	cs_abi_call(abi, buf, "transfer(address,uint256,bytes,address,bytes[])");
	cs_abi_put_address(abi, &body->token);
	cs_abi_put_u256(abi, &body->amount);
	size_t recipient = cs_abi_slot(abi);
	cs_abi_put_address(abi, &body->refund_to);
	size_t attributes = cs_abi_slot(abi);
	cs_abi_put_bytes(abi, recipient, body->recipient);
	put_attributes(abi, body, attributes);
}

static void put_message(struct cs_abi *abi, struct cs_buf *buf,
			const struct gateway_send_body *body)
{
	cs_abi_call(abi, buf, "sendMessage(bytes,bytes,bytes[])");
	size_t recipient = cs_abi_slot(abi);
	size_t payload = cs_abi_slot(abi);
	size_t attributes = cs_abi_slot(abi);
	cs_abi_put_bytes(abi, recipient, body->recipient);
	cs_abi_put_bytes(abi, payload, body->payload);
	put_attributes(abi, body, attributes);
}

enum cs_err gateway_send_data(struct cs_buf *buf, const struct gateway_send_body *body,
			      struct cs_arena *arena)
{
	struct cs_abi abi;
	CS_TRY(cs_buf_init_arena(buf, arena, CALL_SIZE_MAX));
	if (body->transfer)
		put_transfer(&abi, buf, body);
	else
		put_message(&abi, buf, body);
	return cs_buf_end(buf);
}

uint64_t gateway_send_gas(const struct gateway_send_body *body)
{
	return (body->transfer ? GAS_TRANSFER : GAS_SEND) + GAS_PAYLOAD_BYTE * body->payload.n;
}
