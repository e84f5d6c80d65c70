/* The source side again: proven outcomes of what was sent. */
#include "relay_state/ledger/gateway_parts.h"

/* onOutcome(bytes32,uint8) */
#define ON_OUTCOME "onOutcome(bytes32,uint8)"
#define ON_OUTCOME_SIZE (4u + 2u * 32u)
/* What recording an outcome takes, its events, and its sender's call: so that it can be given all of
 * its gas, all but one 64th of what is left covers it. */
#define ITEM_GAS (GATEWAY_STATUS_GAS + 2u * GATEWAY_EVENT_GAS + LEDGER_GAS_CALL + 1000u)
#define ITEM_GAS_ALL (ITEM_GAS + LEDGER_OUTCOME_GAS + LEDGER_OUTCOME_GAS / 63u + GATEWAY_RESERVE)

struct outcome {
	struct cs_hash id;
	uint8_t status;
};

struct outcomes {
	struct cs_hash destination;
	uint32_t remote; /* the destination's index */
	size_t count;
	struct outcome items[CS_BATCH_MAX];
};

/* Reads destination, statement and outcomes, and checks that the one signed the other. */
static enum cs_err read_call(struct ledger_call *call, struct outcomes *outcomes,
			     struct cs_abi_reader *in)
{
	struct ledger_statement statement;
	struct ledger_remote remote;
	struct cs_abi_reader array;
	struct cs_hash leaves[CS_BATCH_MAX];
	CS_TRY(cs_abi_get_word(in, &outcomes->destination));
	CS_TRY(ledger_statement_read(in, &statement));
	CS_TRY(cs_abi_open_array(in, &array, 2, CS_BATCH_MAX, &outcomes->count));
	for (size_t i = 0; i < outcomes->count; i++) {
		CS_TRY(cs_abi_get_word(&array, &outcomes->items[i].id));
		CS_TRY(cs_abi_get_u8(&array, &outcomes->items[i].status));
	}
	CS_TRY(cs_abi_close(in, &array));
	if (outcomes->count == 0)
		return ledger_revert_plain(call, "BatchEmpty()");
	CS_TRY(ledger_use_gas(call, 2 * outcomes->count * LEDGER_GAS_HASH));
	for (size_t i = 0; i < outcomes->count; i++)
		leaves[i] = wire_leaf_outcome(&outcomes->items[i].id,
					      (enum wire_status)outcomes->items[i].status);
	const struct cs_hash root = wire_root(leaves, outcomes->count);
	CS_TRY(ledger_statement_check(call, WIRE_KIND_OUTCOME, &outcomes->destination, &statement,
				      &root));
	CS_TRY(ledger_remote_get(call, &remote, &outcomes->destination));
	outcomes->remote = remote.index;
	return CS_OK;
}

/* Calls `onOutcome` with its bounded gas and looks at nothing that it returns. */
static enum cs_err tell(struct ledger_call *call, const struct cs_address *sender,
			const struct outcome *outcome)
{
	static const struct cs_u256 nothing;
	uint8_t memory[ON_OUTCOME_SIZE];
	struct cs_buf data;
	struct cs_abi abi;
	struct cs_bytes output = CS_BYTES_NONE;
	bool heard = false;
	cs_buf_init(&data, memory, sizeof memory);
	cs_abi_call(&abi, &data, ON_OUTCOME);
	cs_abi_put_word(&abi, &outcome->id);
	cs_abi_put_u64(&abi, outcome->status);
	CS_TRY(ledger_call_contract(call, &heard, &output, sender, &nothing, cs_buf_view(&data),
				    LEDGER_OUTCOME_GAS));
	return heard ? CS_OK
		     : ledger_emit_words(call, "OutcomeRefused(bytes32)", &outcome->id, 1,
					 LEDGER_NO_WORDS);
}

static enum cs_err record(struct ledger_call *call, const struct outcomes *outcomes,
			  const struct outcome *outcome, struct gateway_sent *sent)
{
	sent->status = outcome->status;
	CS_TRY(gateway_sent_put(call, &outcome->id, sent));
	CS_TRY(ledger_emit_words(call, "MessageFinalized(bytes32,bytes32,uint8)",
				 LEDGER_WORDS(outcome->id, outcomes->destination),
				 LEDGER_WORDS(ledger_word_u64(outcome->status))));
	return ledger_is_contract(call, &sent->sender) ? tell(call, &sent->sender, outcome) : CS_OK;
}

/* Was this sent to the remote that speaks, and is its outcome open? What stands against it reverts a
 * batch of one, and is passed over in a longer one. */
static enum cs_err is_open(struct ledger_call *call, bool *answer, struct gateway_sent *sent,
			   const struct outcomes *outcomes, const struct outcome *outcome)
{
	const bool alone = outcomes->count == 1;
	*answer = false;
	if (outcome->status != WIRE_STATUS_DELIVERED && outcome->status != WIRE_STATUS_DEAD)
		return ledger_revert_plain(call, "OutcomeInvalid()");
	CS_TRY(gateway_sent_get(call, sent, &outcome->id));
	if (sent->remote == 0 || sent->remote != outcomes->remote)
		return alone ? ledger_revert_plain(call, "NotSent()") : CS_OK;
	if (sent->status != WIRE_STATUS_NONE)
		return alone ? gateway_status_is(call, (enum wire_status)sent->status) : CS_OK;
	*answer = true;
	return CS_OK;
}

/* Records outcomes and tells the senders. An item that is unknown here or finalized already is passed
 * over; a batch in which nothing is left to do reverts. */
enum cs_err gateway_finalize(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct outcomes outcomes;
	size_t done = 0;
	(void)out;
	CS_TRY(read_call(call, &outcomes, in));
	for (size_t i = 0; i < outcomes.count; i++) {
		struct gateway_sent sent;
		bool open = false;
		CS_TRY(is_open(call, &open, &sent, &outcomes, &outcomes.items[i]));
		if (!open)
			continue;
		if (call->gas->limit - call->gas->used < ITEM_GAS_ALL || !gateway_has_room(call)) {
			if (done == 0)
				return ledger_revert_plain(call, "GasTooLow()");
			break;
		}
		done++;
		CS_TRY(record(call, &outcomes, &outcomes.items[i], &sent));
	}
	return done == 0 ? ledger_revert_plain(call, "NothingToDo()") : CS_OK;
}
