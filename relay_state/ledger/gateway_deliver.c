/* The destination side: what arrives under an enclave's signature, and what becomes of it. */
#include "relay_state/ledger/gateway_parts.h"

#include <string.h>

/* An item until its recipient is called: its status is read and written, its sender's chain hashed,
 * its recipient called. */
#define ITEM_GAS (LEDGER_GAS_READ + 64u + LEDGER_GAS_HASH + GATEWAY_STATUS_GAS + LEDGER_GAS_CALL)
/* Of a messageId: four parts, its attributes, itself; and its leaf, a node of the tree. */
#define MESSAGE_HASHES 8u

/* receiveMessage(bytes32,bytes,bytes), which is also what it must return. */
#define SELECTOR_RECEIVE 0x2432ef26u

/* What the call carries of a message; `sender` is ERC-7930, the recipient an account of this
 * chain. */
struct arrival {
	struct cs_hash id;
	uint64_t sequence;
	uint64_t deadline_s;
	uint64_t min_gas_limit;
	uint8_t finality;
	struct cs_hash closer;
	struct cs_hash refund_to;
	struct cs_address recipient;
	struct cs_bytes sender;
	struct cs_bytes payload;
};

struct arrivals {
	struct cs_hash source;
	struct ledger_remote remote; /* the source's */
	size_t count;
	struct arrival items[CS_BATCH_MAX];
	struct cs_buf scratch; /* calldata for the longest of them */
};

/* What became of an attempt: GAS says nothing about the recipient: whoever submits must bring more,
 * or call from less deep, or with less before it in the transaction. */
enum verdict {
	VERDICT_DELIVERED,
	VERDICT_REFUSED,
	VERDICT_GAS,
};

/* ---- what the call carries ---- */

/* The members of the tuple in their order. */
static enum cs_err read_arrival(struct cs_abi_reader *in, struct arrival *item)
{
	CS_TRY(cs_abi_get_u64(in, &item->sequence));
	CS_TRY(cs_abi_get_u64(in, &item->deadline_s));
	CS_TRY(cs_abi_get_u64(in, &item->min_gas_limit));
	CS_TRY(cs_abi_get_u8(in, &item->finality));
	CS_TRY(cs_abi_get_word(in, &item->closer));
	CS_TRY(cs_abi_get_word(in, &item->refund_to));
	CS_TRY(cs_abi_get_address(in, &item->recipient));
	CS_TRY(cs_abi_get_bytes(in, CS_INTEROP_SIZE_MAX, &item->sender));
	return cs_abi_get_bytes(in, CS_PAYLOAD_SIZE_MAX, &item->payload);
}

static enum cs_err read_tuple(struct cs_abi_reader *in, struct arrival *item)
{
	struct cs_abi_reader tuple;
	CS_TRY(cs_abi_open(in, &tuple, 9));
	CS_TRY(read_arrival(&tuple, item));
	return cs_abi_close(in, &tuple);
}

static enum cs_err read_tuples(struct cs_abi_reader *in, struct arrivals *arrivals)
{
	struct cs_abi_reader array;
	CS_TRY(cs_abi_open_array(in, &array, 1, CS_BATCH_MAX, &arrivals->count));
	for (size_t i = 0; i < arrivals->count; i++)
		CS_TRY(read_tuple(&array, &arrivals->items[i]));
	return cs_abi_close(in, &array);
}

static enum cs_err find_id(struct arrival *item, const struct cs_hash *source,
			   const struct ledger_self *self)
{
	uint8_t memory[CS_INTEROP_SIZE_MAX];
	struct cs_buf recipient;
	cs_buf_init(&recipient, memory, sizeof memory);
	CS_TRY(gateway_account(&recipient, self, &item->recipient));
	struct wire_message message = {
		.head = {.source = *source,
			 .destination = self->identity,
			 .sequence = item->sequence,
			 .deadline = item->deadline_s,
			 .min_gas_limit = item->min_gas_limit,
			 .closer = item->closer,
			 .refund_to = item->refund_to,
			 .finality = item->finality},
		.sender = item->sender,
		.recipient = cs_buf_view(&recipient),
		.payload = item->payload,
	};
	wire_message_seal(&message);
	item->id = wire_message_id(&message.head);
	return CS_OK;
}

/* Room for the calldata of any of the items, which is written over the last one's. */
static enum cs_err take_scratch(struct ledger_call *call, struct arrivals *arrivals)
{
	size_t size_max = 0;
	for (size_t i = 0; i < arrivals->count; i++) {
		const struct arrival *item = &arrivals->items[i];
		/* Three words of the head, two lengths, two paddings. */
		size_t size = 4 + 32 * 5 + item->sender.n + item->payload.n + 2 * 31;
		size_max = size > size_max ? size : size_max;
	}
	return cs_buf_init_arena(&arrivals->scratch, call->arena, size_max);
}

/* Reads source, statement and messages, and checks that the one signed the other. */
static enum cs_err read_call(struct ledger_call *call, struct arrivals *arrivals,
			     struct cs_abi_reader *in, bool many)
{
	struct ledger_statement statement;
	struct ledger_self self;
	struct cs_hash leaves[CS_BATCH_MAX];
	CS_TRY(cs_abi_get_word(in, &arrivals->source));
	CS_TRY(ledger_statement_read(in, &statement));
	arrivals->count = 1;
	CS_TRY(many ? read_tuples(in, arrivals) : read_tuple(in, &arrivals->items[0]));
	if (arrivals->count == 0)
		return ledger_revert_plain(call, "BatchEmpty()");
	CS_TRY(ledger_self_get(call, &self));
	CS_TRY(ledger_use_gas(call, arrivals->count * MESSAGE_HASHES * LEDGER_GAS_HASH));
	for (size_t i = 0; i < arrivals->count; i++) {
		CS_TRY(find_id(&arrivals->items[i], &arrivals->source, &self));
		leaves[i] = wire_leaf_message(&arrivals->items[i].id);
	}
	const struct cs_hash root = wire_root(leaves, arrivals->count);
	CS_TRY(ledger_statement_check(call, WIRE_KIND_MESSAGE, &arrivals->source, &statement,
				      &root));
	CS_TRY(ledger_remote_get(call, &arrivals->remote, &arrivals->source));
	return take_scratch(call, arrivals);
}

/* ---- the recipient ---- */

static uint64_t gas_left(const struct ledger_call *call)
{
	return call->gas->limit - call->gas->used;
}

/* Does what is left cover the item, its recipient's gas (so that it can be given: all but one 64th of
 * what there is then) and the reserve? */
static bool covers(const struct ledger_call *call, uint64_t min_gas_limit)
{
	const uint64_t left = gas_left(call), fixed = ITEM_GAS + GATEWAY_RESERVE;
	return left > fixed && min_gas_limit < left &&
	       left - fixed > min_gas_limit + min_gas_limit / 63;
}

static bool is_magic(struct cs_bytes output)
{
	static const uint8_t zeros[28];
	return output.n >= 32 && cs_be32(output.p) == SELECTOR_RECEIVE &&
	       memcmp(output.p + 4, zeros, sizeof zeros) == 0;
}

static enum cs_err call_recipient(struct ledger_call *call, bool *good, struct cs_buf *scratch,
				  const struct arrival *item, uint64_t gas)
{
	static const struct cs_u256 nothing;
	struct cs_bytes output = CS_BYTES_NONE;
	struct cs_abi abi;
	scratch->n = 0;
	cs_put_u32(scratch, SELECTOR_RECEIVE);
	cs_abi_init(&abi, scratch);
	cs_abi_put_word(&abi, &item->id);
	size_t sender = cs_abi_slot(&abi), payload = cs_abi_slot(&abi);
	cs_abi_put_bytes(&abi, sender, item->sender);
	cs_abi_put_bytes(&abi, payload, item->payload);
	CS_TRY(cs_buf_end(scratch));
	CS_TRY(ledger_call_contract(call, good, &output, &item->recipient, &nothing,
				    cs_buf_view(scratch), gas));
	*good = *good && is_magic(output);
	return CS_OK;
}

/* The frame around a recipient's call: *delivered* is written first, so that no re-entry finds the
 * message open, and everything in it is undone unless the recipient is a contract and returns exactly
 * the magic value. */
static enum cs_err attempt(struct ledger_call *call, enum verdict *verdict,
			   struct arrivals *arrivals, const struct arrival *item, bool all_gas)
{
	const bool is_contract = ledger_is_contract(call, &item->recipient);
	bool good = false;
	*verdict = VERDICT_GAS;
	if (!gateway_has_room(call) || !covers(call, is_contract ? item->min_gas_limit : 0))
		return CS_OK;
	*verdict = VERDICT_REFUSED;
	/* No contract answers without gas; the machine takes 0 for all that there is. */
	if (!is_contract || (item->min_gas_limit == 0 && !all_gas))
		return CS_OK;
	const size_t mark = ledger_state_mark(call->state), log_count = call->logs->count;
	CS_TRY(gateway_status_put(call, &arrivals->source, item->sequence, WIRE_STATUS_DELIVERED));
	CS_TRY(call_recipient(call, &good, &arrivals->scratch, item,
			      all_gas ? gas_left(call) - LEDGER_GAS_CALL - GATEWAY_RESERVE
				      : item->min_gas_limit));
	if (good) {
		*verdict = VERDICT_DELIVERED;
		return CS_OK;
	}
	ledger_state_revert(call->state, mark);
	call->logs->count = log_count;
	return CS_OK;
}

/* ---- the four calls ---- */

static enum cs_err emit_status(struct ledger_call *call, const struct arrivals *arrivals,
			       const struct arrival *item, enum wire_status status)
{
	return ledger_emit_words(
		call, "MessageStatus(bytes32,bytes32,uint64,uint8)",
		LEDGER_WORDS(item->id, arrivals->source),
		LEDGER_WORDS(ledger_word_u64(item->sequence), ledger_word_u64(status)));
}

static enum cs_err set_status(struct ledger_call *call, const struct arrivals *arrivals,
			      const struct arrival *item, enum wire_status status)
{
	CS_TRY(gateway_status_put(call, &arrivals->source, item->sequence, status));
	return emit_status(call, arrivals, item, status);
}

static bool is_late(const struct ledger_call *call, const struct arrival *item)
{
	return call->block->time_s >= item->deadline_s;
}

/* May this item be attempted? What stands against it reverts a batch of one, and is passed over in a
 * longer one. */
static enum cs_err is_deliverable(struct ledger_call *call, bool *answer,
				  const struct arrivals *arrivals, const struct arrival *item)
{
	const bool alone = arrivals->count == 1;
	enum wire_status known = WIRE_STATUS_NONE;
	bool speaks = false;
	*answer = false;
	if (is_late(call, item))
		return alone ? ledger_revert_plain(call, "DeadlinePassed()") : CS_OK;
	CS_TRY(gateway_status_get(call, &known, &arrivals->source, item->sequence));
	if (known != WIRE_STATUS_NONE)
		return alone ? gateway_status_is(call, known) : CS_OK;
	CS_TRY(ledger_remote_speaks_for(call, &speaks, &arrivals->remote, item->sender));
	if (!speaks)
		return alone ? ledger_revert_plain(call, "SenderForeign()") : CS_OK;
	*answer = true;
	return CS_OK;
}

/* Delivers what can be delivered: items that are late, were handled before or name a sender of another
 * chain are passed over, and where the gas left would not cover an item's minGasLimit the batch ends.
 * It reverts if nothing was done. A recipient gets exactly its minGasLimit, which is what the fee pays
 * for: one that burns all it has costs no other item its gas. */
enum cs_err gateway_deliver(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct arrivals arrivals;
	size_t done = 0;
	(void)out;
	CS_TRY(read_call(call, &arrivals, in, true));
	for (size_t i = 0; i < arrivals.count; i++) {
		const struct arrival *item = &arrivals.items[i];
		enum verdict verdict = VERDICT_GAS;
		bool open = false;
		if (done > 0 && !covers(call, 0))
			break;
		CS_TRY(is_deliverable(call, &open, &arrivals, item));
		if (!open)
			continue;
		CS_TRY(attempt(call, &verdict, &arrivals, item, false));
		if (verdict == VERDICT_GAS && done == 0)
			return ledger_revert_plain(call, "GasTooLow()");
		if (verdict == VERDICT_GAS)
			break;
		done++;
		CS_TRY(verdict == VERDICT_DELIVERED
			       ? emit_status(call, &arrivals, item, WIRE_STATUS_DELIVERED)
			       : set_status(call, &arrivals, item, WIRE_STATUS_FAILED));
	}
	return done == 0 ? ledger_revert_plain(call, "NothingToDo()") : CS_OK;
}

/* Calls the recipient of a failed message again, with all the gas there is; reverts unless it
 * succeeds. */
enum cs_err gateway_retry(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct arrivals arrivals;
	const struct arrival *item = &arrivals.items[0];
	enum wire_status known = WIRE_STATUS_NONE;
	enum verdict verdict = VERDICT_GAS;
	bool speaks = false;
	(void)out;
	CS_TRY(read_call(call, &arrivals, in, false));
	if (is_late(call, item))
		return ledger_revert_plain(call, "DeadlinePassed()");
	CS_TRY(gateway_status_get(call, &known, &arrivals.source, item->sequence));
	if (known != WIRE_STATUS_FAILED)
		return gateway_status_is(call, known);
	CS_TRY(ledger_remote_speaks_for(call, &speaks, &arrivals.remote, item->sender));
	if (!speaks)
		return ledger_revert_plain(call, "SenderForeign()");
	CS_TRY(attempt(call, &verdict, &arrivals, item, true));
	switch (verdict) {
	case VERDICT_GAS:
		return ledger_revert_plain(call, "GasTooLow()");
	case VERDICT_REFUSED:
		return ledger_revert_plain(call, "CallFailed()");
	case VERDICT_DELIVERED:
		break;
	}
	return emit_status(call, &arrivals, item, WIRE_STATUS_DELIVERED);
}

/* Gives a failed message up before its deadline; only its closer may. */
enum cs_err gateway_close(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct arrivals arrivals;
	const struct arrival *item = &arrivals.items[0];
	const struct cs_hash caller = ledger_word_address(&call->sender);
	enum wire_status known = WIRE_STATUS_NONE;
	(void)out;
	CS_TRY(read_call(call, &arrivals, in, false));
	if (!cs_hash_eq(&item->closer, &caller))
		return ledger_revert_plain(call, "NotCloser()");
	if (is_late(call, item))
		return ledger_revert_plain(call, "DeadlinePassed()");
	CS_TRY(gateway_status_get(call, &known, &arrivals.source, item->sequence));
	if (known != WIRE_STATUS_FAILED)
		return gateway_status_is(call, known);
	return set_status(call, &arrivals, item, WIRE_STATUS_DEAD);
}

/* From the deadline on, anyone turns what was not delivered into *dead*. */
enum cs_err gateway_expire(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct arrivals arrivals;
	size_t done = 0;
	(void)out;
	CS_TRY(read_call(call, &arrivals, in, true));
	const bool alone = arrivals.count == 1;
	for (size_t i = 0; i < arrivals.count; i++) {
		const struct arrival *item = &arrivals.items[i];
		enum wire_status known = WIRE_STATUS_NONE;
		if (!is_late(call, item)) {
			if (alone)
				return ledger_revert_plain(call, "DeadlineNotReached()");
			continue;
		}
		CS_TRY(gateway_status_get(call, &known, &arrivals.source, item->sequence));
		if (known == WIRE_STATUS_DELIVERED || known == WIRE_STATUS_DEAD) {
			if (alone)
				return gateway_status_is(call, known);
			continue;
		}
		done++;
		CS_TRY(set_status(call, &arrivals, item, WIRE_STATUS_DEAD));
	}
	return done == 0 ? ledger_revert_plain(call, "NothingToDo()") : CS_OK;
}
