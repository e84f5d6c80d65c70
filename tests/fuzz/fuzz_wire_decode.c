/* The first byte chooses a message of the boundary, the rest is its body: what is accepted has
 * exactly this encoding, and converts without reading outside. */
#include "tests/fuzz/fuzz.h"
#include "wire/convert.h"

/* Above the last type of wire/types.def. */
#define TYPES_END 80

static void convert(const ProtobufCMessage *message)
{
	if (message->descriptor != &caisson__wire__sign_transaction_request__descriptor)
		return;
	const Caisson__Wire__SignTransactionRequest *request = (const void *)message;
	struct wire_signed statement;
	if (request->statement != NULL &&
	    wire_signed_from_pb(&statement, request->statement) == CS_OK)
		cs_assert(statement.path_count == request->statement->n_path);
	for (size_t i = 0; i < request->n_messages; i++) {
		struct wire_message one;
		if (wire_message_from_pb(&one, request->messages[i]) != CS_OK)
			continue;
		wire_message_seal(&one);
		cs_assert(wire_message_check(&one) == CS_OK);
	}
	for (size_t i = 0; i < request->n_outcomes; i++) {
		struct wire_outcome one;
		if (wire_outcome_from_pb(&one, request->outcomes[i]) == CS_OK)
			cs_assert(one.status == WIRE_STATUS_DELIVERED ||
				  one.status == WIRE_STATUS_DEAD);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	const ProtobufCMessageDescriptor *type =
		wire_type_message((enum wire_type)(data[0] % TYPES_END));
	struct cs_arena *arena = fuzz_arena();
	struct cs_bytes body = cs_bytes(data + 1, size - 1);
	struct cs_why why;
	ProtobufCMessage *message;
	struct cs_buf buf;
	if (type == NULL || wire_decode(&message, type, body, arena, &why) != CS_OK)
		return 0;
	convert(message);
	cs_assert(cs_buf_init_arena(&buf, arena, body.n) == CS_OK);
	cs_assert(wire_encode(&buf, message, &why) == CS_OK);
	fuzz_same(&buf, body);
	return 0;
}
