#include "relay_state/ledger/staking_parts.h"

#include <string.h>

#define KIND_QUEUE 'q'
#define KIND_ENDS 'h'

/* Of everything that waits, by index: the first, the one after the last, and when that matures: a
 * later one never matures earlier, whatever the delay was. */
struct ends {
	uint64_t first;
	uint64_t end;
	uint64_t matures_s;
};
#define ENDS_SIZE 24u
/* address ‖ when it matures */
#define ENTRY_SIZE 28u

static enum cs_err get_ends(struct ledger_call *call, struct ends *ends)
{
	uint8_t value[ENDS_SIZE];
	const struct ledger_key key = ledger_key(KIND_ENDS);
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	*ends = (struct ends){cs_be64(value), cs_be64(value + 8), cs_be64(value + 16)};
	return CS_OK;
}

static enum cs_err put_ends(struct ledger_call *call, const struct ends *ends)
{
	uint8_t value[ENDS_SIZE];
	const struct ledger_key key = ledger_key(KIND_ENDS);
	cs_put_be64(value, ends->first);
	cs_put_be64(value + 8, ends->end);
	cs_put_be64(value + 16, ends->matures_s);
	return ledger_put_fixed(call, &key, value, sizeof value);
}

static struct ledger_key entry_key(uint64_t index)
{
	struct ledger_key key = ledger_key(KIND_QUEUE);
	ledger_key_add_u64(&key, index);
	return key;
}

static enum cs_err enqueue(struct ledger_call *call, uint64_t *matures_s,
			   const struct cs_address *address, uint64_t delay_s)
{
	uint8_t value[ENTRY_SIZE];
	struct ends ends;
	CS_TRY(get_ends(call, &ends));
	const uint64_t due_s = call->block->time_s + delay_s;
	if (due_s > ends.matures_s)
		ends.matures_s = due_s;
	const struct ledger_key key = entry_key(ends.end++);
	memcpy(value, address->b, sizeof address->b);
	cs_put_be64(value + sizeof address->b, ends.matures_s);
	CS_TRY(ledger_put_fixed(call, &key, value, sizeof value));
	*matures_s = ends.matures_s;
	return put_ends(call, &ends);
}

enum cs_err staking_unbond(struct ledger_call *call, struct staking_validator *validator,
			   const struct cs_u256 *amount, uint64_t delay_s)
{
	struct staking_unbondings unbondings;
	struct staking_totals totals;
	CS_TRY(staking_unbondings_get(call, &unbondings, &validator->address));
	if (unbondings.count == LEDGER_UNBONDINGS_MAX)
		return ledger_revert_plain(call, "TooManyUnbondings()");
	struct staking_unbonding *item = &unbondings.items[unbondings.count++];
	item->amount = *amount;
	item->height = call->block->height;
	CS_TRY(enqueue(call, &item->matures_s, &validator->address, delay_s));
	CS_TRY(staking_unbondings_put(call, &unbondings, &validator->address));
	CS_TRY(staking_sub(call, &validator->bonded, amount));
	CS_TRY(staking_validator_put(call, validator));
	CS_TRY(staking_totals_get(call, &totals));
	CS_TRY(staking_sub(call, &totals.bonded, amount));
	CS_TRY(staking_add(call, &totals.unbonding, amount));
	CS_TRY(staking_totals_put(call, &totals));
	return ledger_emit_words(
		call, "Unbonding(address,uint256,uint256)",
		LEDGER_WORDS(ledger_word_address(&validator->address)),
		LEDGER_WORDS(cs_u256_word(amount), ledger_word_u64(item->matures_s)));
}

/* A validator's parts wait in the same order as the queue: the oldest is the one that is due. */
static enum cs_err release_one(struct ledger_call *call, const struct cs_address *address)
{
	struct staking_validator validator;
	struct staking_unbondings unbondings;
	struct staking_totals totals;
	CS_TRY(staking_validator_get(call, &validator, address));
	CS_TRY(staking_unbondings_get(call, &unbondings, address));
	if (unbondings.count == 0)
		return cs_fail(call->why, CS_ERR_DAMAGED, "nothing waits of what is due");
	const struct cs_u256 amount = unbondings.items[0].amount;
	unbondings.count--;
	memmove(unbondings.items, unbondings.items + 1,
		unbondings.count * sizeof unbondings.items[0]);
	CS_TRY(staking_unbondings_put(call, &unbondings, address));
	CS_TRY(staking_totals_get(call, &totals));
	CS_TRY(staking_sub(call, &totals.unbonding, &amount));
	CS_TRY(staking_totals_put(call, &totals));
	CS_TRY(staking_pay(call, &validator.operator, & amount));
	return ledger_emit_words(call, "Released(address,uint256)",
				 LEDGER_WORDS(ledger_word_address(address)),
				 LEDGER_WORDS(cs_u256_word(&amount)));
}

enum cs_err staking_release(struct ledger_call *call)
{
	uint8_t value[ENTRY_SIZE];
	struct ends ends;
	struct cs_address address;
	CS_TRY(get_ends(call, &ends));
	const uint64_t first = ends.first;
	while (ends.first < ends.end && ends.first - first < LEDGER_RELEASES_MAX) {
		const struct ledger_key key = entry_key(ends.first);
		CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
		if (cs_be64(value + sizeof address.b) > call->block->time_s)
			break;
		memcpy(address.b, value, sizeof address.b);
		CS_TRY(release_one(call, &address));
		CS_TRY(ledger_remove(call, cs_bytes(key.b, key.n)));
		ends.first++;
	}
	return ends.first == first ? CS_OK : put_ends(call, &ends);
}
