#include "relay_state/ledger/inbox.h"

#include "core/limits.h"
#include "relay_state/ledger/gateway.h"
#include "relay_state/ledger/pairs.h"

#include <string.h>

/* How many came (4); of the newest id (32), size of the sender (4), sender, payload. */
#define KIND_COUNT 'n'
#define KIND_LAST 'l'
#define HEAD_SIZE (32u + 4u)

#define SELECTOR_RECEIVE 0x2432ef26u

struct letter {
	struct cs_hash id;
	struct cs_bytes sender;
	struct cs_bytes payload;
};

/* ---- state ---- */

static enum cs_err put_last(struct ledger_call *call, const struct letter *letter)
{
	const struct ledger_key key = ledger_key(KIND_LAST);
	struct cs_buf buf;
	CS_TRY(cs_buf_init_arena(&buf, call->arena,
				 HEAD_SIZE + letter->sender.n + letter->payload.n));
	cs_put_word(&buf, &letter->id);
	cs_put_u32(&buf, (uint32_t)letter->sender.n);
	cs_put(&buf, letter->sender);
	cs_put(&buf, letter->payload);
	CS_TRY(cs_buf_end(&buf));
	return ledger_put(call, cs_bytes(key.b, key.n), cs_buf_view(&buf));
}

/* All empty before the first. */
static enum cs_err get_last(struct ledger_call *call, struct letter *letter)
{
	const struct ledger_key key = ledger_key(KIND_LAST);
	struct cs_bytes value;
	*letter = (struct letter){.sender = CS_BYTES_NONE, .payload = CS_BYTES_NONE};
	enum cs_err err = ledger_get(call, &value, cs_bytes(key.b, key.n));
	if (err == CS_ERR_NOT_FOUND)
		return CS_OK;
	CS_TRY(err);
	if (value.n < HEAD_SIZE)
		return CS_ERR_DAMAGED;
	const uint32_t size = cs_be32(value.p + sizeof letter->id.b);
	if (size > value.n - HEAD_SIZE)
		return CS_ERR_DAMAGED;
	memcpy(letter->id.b, value.p, sizeof letter->id.b);
	letter->sender = cs_bytes(value.p + HEAD_SIZE, size);
	letter->payload = cs_bytes(value.p + HEAD_SIZE + size, value.n - HEAD_SIZE - size);
	return CS_OK;
}

/* ---- functions ---- */

static enum cs_err emit_received(struct ledger_call *call, const struct letter *letter)
{
	const struct cs_hash topics[] = {cs_abi_topic("Received(bytes32,bytes,bytes)"), letter->id};
	struct cs_buf buf;
	struct cs_abi abi;
	/* Two words of the head, two lengths, the padding of each. */
	CS_TRY(cs_buf_init_arena(&buf, call->arena,
				 32 * 4 + letter->sender.n + letter->payload.n + 2 * 31));
	cs_abi_init(&abi, &buf);
	const size_t sender = cs_abi_slot(&abi), payload = cs_abi_slot(&abi);
	cs_abi_put_bytes(&abi, sender, letter->sender);
	cs_abi_put_bytes(&abi, payload, letter->payload);
	CS_TRY(cs_buf_end(&buf));
	return ledger_emit(call, topics, CS_LEN(topics), cs_buf_view(&buf));
}

static enum cs_err receive(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	const struct cs_address gateway = ledger_contract_address(LEDGER_GATEWAY_NUMBER);
	const struct ledger_key counter = ledger_key(KIND_COUNT);
	const struct cs_hash magic = ledger_word_bytes4(SELECTOR_RECEIVE);
	struct letter letter;
	uint32_t count;
	CS_TRY(cs_abi_get_word(in, &letter.id));
	CS_TRY(cs_abi_get_bytes(in, CS_INTEROP_SIZE_MAX, &letter.sender));
	CS_TRY(cs_abi_get_bytes(in, CS_PAYLOAD_SIZE_MAX, &letter.payload));
	if (!cs_address_eq(&call->sender, &gateway))
		return ledger_revert_plain(call, "OnlyGateway()");
	if (!cs_u256_is_zero(&call->value))
		return ledger_revert_plain(call, "ValueUnexpected()");
	CS_TRY(ledger_get_u32(call, &count, &counter));
	/* It counts on from 0: whoever wants all of them reads events. */
	CS_TRY(ledger_put_u32(call, &counter, count + 1));
	CS_TRY(put_last(call, &letter));
	cs_abi_put_word(out, &magic);
	return emit_received(call, &letter);
}

static enum cs_err received(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	const struct ledger_key counter = ledger_key(KIND_COUNT);
	uint32_t count;
	(void)in;
	CS_TRY(ledger_get_u32(call, &count, &counter));
	cs_abi_put_u64(out, count);
	return CS_OK;
}

static enum cs_err last_id(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct letter letter;
	(void)in;
	CS_TRY(get_last(call, &letter));
	cs_abi_put_word(out, &letter.id);
	return CS_OK;
}

static enum cs_err last_sender(struct ledger_call *call, struct cs_abi_reader *in,
			       struct cs_abi *out)
{
	struct letter letter;
	(void)in;
	CS_TRY(get_last(call, &letter));
	cs_abi_put_bytes(out, cs_abi_slot(out), letter.sender);
	return CS_OK;
}

static enum cs_err last_payload(struct ledger_call *call, struct cs_abi_reader *in,
				struct cs_abi *out)
{
	struct letter letter;
	(void)in;
	CS_TRY(get_last(call, &letter));
	cs_abi_put_bytes(out, cs_abi_slot(out), letter.payload);
	return CS_OK;
}

static const struct ledger_function functions[] = {
	{"receiveMessage(bytes32,bytes,bytes)", SELECTOR_RECEIVE, 3, true, 0, receive},
	{"received()", 0x83a6deb5, 0, false, 0, received},
	{"lastId()", 0xc1292cc3, 0, false, 0, last_id},
	{"lastSender()", 0x256fec88, 0, false, 0, last_sender},
	{"lastPayload()", 0x4cc2aa3c, 0, false, 0, last_payload},
};

const struct ledger_contract ledger_inbox = {
	.name = "inbox",
	.number = LEDGER_INBOX_NUMBER,
	.functions = functions,
	.function_count = CS_LEN(functions),
};
