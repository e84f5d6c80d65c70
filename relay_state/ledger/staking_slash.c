#include "relay_state/ledger/account.h"
#include "relay_state/ledger/staking_parts.h"

#include <string.h>

#define KIND_WINDOW 'w'
#define MILLION 1000000u
/* Blocks for which a deposit that was taken out at height H still votes: H + 1 is the last. */
#define VOTES_AFTER 1u

/* In events; beside CometBFT's kinds of misbehavior, 1 and 2. */
#define REASON_DOWNTIME 3u

/* ---- taking ---- */

static enum cs_err part_of(struct ledger_call *call, struct cs_u256 *part,
			   const struct cs_u256 *whole, uint64_t ppm)
{
	uint64_t rest;
	struct cs_u256 product = *whole;
	CS_TRY(staking_mul(call, &product, ppm));
	*part = cs_u256_div_u64(&rest, &product, MILLION);
	return CS_OK;
}

/* Out of the supply, and out of the contract's account. */
static enum cs_err burn(struct ledger_call *call, struct staking_totals *totals,
			const struct cs_u256 *amount)
{
	struct ledger_account account;
	CS_TRY(ledger_account_get(call->state, &account, &call->address));
	CS_TRY(staking_sub(call, &account.balance, amount));
	CS_TRY(ledger_account_put(call->state, &call->address, &account));
	CS_TRY(staking_sub(call, &totals->supply, amount));
	return staking_add(call, &totals->burnt, amount);
}

enum cs_err ledger_staking_burn(struct ledger_call *call, const struct cs_u256 *amount)
{
	struct ledger_call inner = *call;
	struct ledger_account account;
	struct staking_totals totals;
	inner.number = LEDGER_STAKING_NUMBER;
	inner.address = ledger_contract_address(LEDGER_STAKING_NUMBER);
	CS_TRY(ledger_use_gas(call, LEDGER_GAS_MOVE));
	CS_TRY(ledger_account_get(call->state, &account, &call->address));
	CS_TRY(staking_sub(call, &account.balance, amount));
	CS_TRY(ledger_account_put(call->state, &call->address, &account));
	enum cs_err err = staking_totals_get(&inner, &totals);
	if (err == CS_ERR_NOT_FOUND)
		return CS_OK;
	if (err == CS_OK)
		err = staking_sub(&inner, &totals.supply, amount);
	if (err == CS_OK)
		err = staking_add(&inner, &totals.burnt, amount);
	if (err == CS_OK)
		err = staking_totals_put(&inner, &totals);
	if (err == CS_ERR_REVERTED)
		call->output = inner.output;
	return err;
}

static enum cs_err slash_bonded(struct ledger_call *call, struct cs_u256 *taken,
				struct staking_validator *validator, struct staking_totals *totals,
				uint64_t ppm)
{
	CS_TRY(part_of(call, taken, &validator->bonded, ppm));
	CS_TRY(staking_sub(call, &validator->bonded, taken));
	return staking_sub(call, &totals->bonded, taken);
}

/* What was still a deposit when it happened. */
static enum cs_err slash_unbonding(struct ledger_call *call, struct cs_u256 *taken,
				   const struct cs_address *address, struct staking_totals *totals,
				   uint64_t ppm, uint64_t height)
{
	struct staking_unbondings unbondings;
	CS_TRY(staking_unbondings_get(call, &unbondings, address));
	for (size_t i = 0; i < unbondings.count; i++) {
		struct staking_unbonding *item = &unbondings.items[i];
		struct cs_u256 part;
		if (item->height + VOTES_AFTER < height)
			continue;
		CS_TRY(part_of(call, &part, &item->amount, ppm));
		CS_TRY(staking_sub(call, &item->amount, &part));
		CS_TRY(staking_sub(call, &totals->unbonding, &part));
		CS_TRY(staking_add(call, taken, &part));
	}
	return staking_unbondings_put(call, &unbondings, address);
}

static enum cs_err dispose(struct ledger_call *call, struct staking_totals *totals,
			   const struct cs_u256 *taken, const struct ledger_parameters *parameters)
{
	if (parameters->values[LEDGER_PARAM_SLASH_TO_COMMUNITY] != 0)
		CS_TRY(staking_add(call, &totals->community, taken));
	else
		CS_TRY(burn(call, totals, taken));
	return staking_totals_put(call, totals);
}

static enum cs_err emit_slashed(struct ledger_call *call, const struct cs_address *address,
				uint64_t reason, uint64_t height, const struct cs_u256 *taken)
{
	return ledger_emit_words(call, "Slashed(address,uint8,uint64,uint256)",
				 LEDGER_WORDS(ledger_word_address(address)),
				 LEDGER_WORDS(ledger_word_u64(reason), ledger_word_u64(height),
					      cs_u256_word(taken)));
}

/* ---- evidence ---- */

static enum cs_err tombstone(struct ledger_call *call, struct staking_validator *validator,
			     const struct abci_misbehavior *item,
			     const struct ledger_parameters *parameters)
{
	const uint64_t ppm =
		parameters
			->values[item->type == ABCI_DUPLICATE_VOTE ? LEDGER_PARAM_SLASH_DOUBLE_VOTE
								   : LEDGER_PARAM_SLASH_ATTACK];
	const uint64_t height = (uint64_t)item->height;
	struct staking_totals totals;
	struct cs_u256 taken;
	bool seated = true;
	CS_TRY(staking_totals_get(call, &totals));
	CS_TRY(slash_bonded(call, &taken, validator, &totals, ppm));
	CS_TRY(slash_unbonding(call, &taken, &validator->address, &totals, ppm, height));
	CS_TRY(dispose(call, &totals, &taken, parameters));
	validator->tombstoned = true;
	CS_TRY(staking_validator_put(call, validator));
	CS_TRY(staking_seat(call, &seated, validator, parameters));
	CS_TRY(emit_slashed(call, &validator->address, item->type, height, &taken));
	return ledger_emit_words(call, "Tombstoned(address)",
				 LEDGER_WORDS(ledger_word_address(&validator->address)),
				 LEDGER_NO_WORDS);
}

/* Older evidence finds deposits gone that were there then: those who stayed would pay alone. */
static bool is_too_old(const struct ledger_call *call, const struct abci_misbehavior *item,
		       uint64_t delay_s)
{
	const uint64_t now_s = call->block->time_s;
	if (item->time.s < 0)
		return true;
	const uint64_t then_s = (uint64_t)item->time.s;
	return then_s < now_s && now_s - then_s > delay_s;
}

static enum cs_err punish_one(struct ledger_call *call, const struct abci_misbehavior *item,
			      const struct ledger_parameters *parameters)
{
	struct staking_validator validator;
	struct cs_address address;
	if (item->type != ABCI_DUPLICATE_VOTE && item->type != ABCI_LIGHT_CLIENT_ATTACK)
		return CS_OK;
	if (item->height < 0 || item->validator.address.n != sizeof address.b ||
	    is_too_old(call, item, parameters->values[LEDGER_PARAM_UNBONDING_S]))
		return CS_OK;
	memcpy(address.b, item->validator.address.p, sizeof address.b);
	enum cs_err err = staking_validator_get(call, &validator, &address);
	if (err != CS_OK)
		return err == CS_ERR_NOT_FOUND ? CS_OK : err;
	/* It is out for ever: a second time, or the same once more, takes nothing. */
	return validator.tombstoned ? CS_OK : tombstone(call, &validator, item, parameters);
}

enum cs_err staking_punish(struct ledger_call *call, const struct abci_misbehaviors *misbehavior,
			   const struct ledger_parameters *parameters)
{
	for (size_t i = 0; i < misbehavior->count; i++)
		CS_TRY(punish_one(call, &misbehavior->items[i], parameters));
	return CS_OK;
}

/* ---- downtime ---- */

/* How many blocks the window has ‖ a bit for each height modulo that, set where it was missed. */
struct window {
	uint8_t bytes[4 + LEDGER_DOWNTIME_WINDOW_MAX / 8];
	size_t n;
};

static struct ledger_key window_key(const struct cs_address *address)
{
	return ledger_key_of(KIND_WINDOW, CS_BYTES_OF(address->b));
}

/* One of another length counts heights in another way: it begins anew. */
static enum cs_err get_window(struct ledger_call *call, struct window *window,
			      struct staking_power *voter, uint64_t blocks)
{
	const struct ledger_key key = window_key(&voter->address);
	struct cs_bytes value = CS_BYTES_NONE;
	window->n = 4 + (blocks + 7) / 8;
	memset(window->bytes, 0, sizeof window->bytes);
	cs_put_be32(window->bytes, (uint32_t)blocks);
	enum cs_err err = ledger_get(call, &value, cs_bytes(key.b, key.n));
	if (err != CS_OK && err != CS_ERR_NOT_FOUND)
		return err;
	if (value.n == window->n && memcmp(value.p, window->bytes, 4) == 0)
		memcpy(window->bytes, value.p, value.n);
	else
		voter->missed = 0;
	return CS_OK;
}

static enum cs_err put_window(struct ledger_call *call, const struct window *window,
			      const struct staking_power *voter)
{
	const struct ledger_key key = window_key(&voter->address);
	if (voter->missed == 0)
		return ledger_remove(call, cs_bytes(key.b, key.n));
	return ledger_put(call, cs_bytes(key.b, key.n), cs_bytes(window->bytes, window->n));
}

enum cs_err staking_window_forget(struct ledger_call *call, const struct cs_address *address)
{
	const struct ledger_key key = window_key(address);
	return ledger_remove(call, cs_bytes(key.b, key.n));
}

static enum cs_err jail(struct ledger_call *call, struct staking_power *voter,
			struct staking_validator *validator,
			const struct ledger_parameters *parameters)
{
	struct staking_totals totals;
	struct cs_u256 taken;
	bool seated = true;
	voter->missed = 0;
	CS_TRY(staking_window_forget(call, &voter->address));
	CS_TRY(staking_totals_get(call, &totals));
	CS_TRY(slash_bonded(call, &taken, validator, &totals,
			    parameters->values[LEDGER_PARAM_SLASH_DOWNTIME]));
	CS_TRY(dispose(call, &totals, &taken, parameters));
	validator->jailed_until_s = call->block->time_s + parameters->values[LEDGER_PARAM_JAIL_S];
	CS_TRY(staking_validator_put(call, validator));
	CS_TRY(staking_seat(call, &seated, validator, parameters));
	CS_TRY(emit_slashed(call, &voter->address, REASON_DOWNTIME, call->block->height, &taken));
	return ledger_emit_words(call, "Jailed(address,uint64)",
				 LEDGER_WORDS(ledger_word_address(&voter->address)),
				 LEDGER_WORDS(ledger_word_u64(validator->jailed_until_s)));
}

/* Who is out already, and is asked for two more blocks, is not counted. */
static enum cs_err jail_if_free(struct ledger_call *call, struct staking_power *voter,
				const struct ledger_parameters *parameters)
{
	struct staking_validator validator;
	CS_TRY(staking_validator_get(call, &validator, &voter->address));
	if (validator.tombstoned || validator.jailed_until_s != 0) {
		voter->missed = 0;
		return staking_window_forget(call, &voter->address);
	}
	return jail(call, voter, &validator, parameters);
}

enum cs_err staking_watch(struct ledger_call *call, struct staking_power *voter, bool missed,
			  const struct ledger_parameters *parameters)
{
	const uint64_t blocks = parameters->values[LEDGER_PARAM_DOWNTIME_WINDOW];
	struct window window;
	CS_TRY(get_window(call, &window, voter, blocks));
	const uint64_t place = call->block->height % blocks;
	uint8_t *byte = &window.bytes[4 + place / 8];
	const uint8_t bit = (uint8_t)(1u << place % 8);
	if ((*byte & bit) != 0 && !missed) {
		*byte &= (uint8_t)~bit;
		voter->missed--;
	} else if ((*byte & bit) == 0 && missed) {
		*byte |= bit;
		voter->missed++;
	} else {
		return CS_OK;
	}
	if (voter->missed > parameters->values[LEDGER_PARAM_DOWNTIME_MISSED])
		return jail_if_free(call, voter, parameters);
	return put_window(call, &window, voter);
}
