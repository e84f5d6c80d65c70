#include "relay_state/ledger/account.h"
#include "relay_state/ledger/staking_parts.h"
#include "verify/cometbft/block_id.h"

#include <string.h>

static enum cs_err read_validator(struct staking_validator *validator, const struct cs_json *json,
				  struct cs_why *why)
{
	static const char *const names[] = {"key", "operator", "bond"};
	struct staking_validator read = {0};
	CS_TRY(cs_json_only(json, names, CS_LEN(names), why));
	CS_TRY(cs_json_member_hex(read.key.b, sizeof read.key.b, json, "key", why));
	CS_TRY(cs_json_member_hex(read.operator.b, sizeof read.operator.b, json, "operator", why));
	CS_TRY(cs_json_member_u256(&read.bonded, json, "bond", why));
	read.address = cmt_address(&read.key);
	*validator = read;
	return CS_OK;
}

static enum cs_err found_validator(struct ledger_call *call, struct staking_powers *seats,
				   struct staking_totals *totals, const struct cs_json *json,
				   const struct ledger_parameters *parameters)
{
	struct staking_validator validator;
	CS_TRY(read_validator(&validator, json, call->why));
	const uint64_t power = staking_power_of(&validator.bonded, parameters);
	if (power == 0)
		return cs_fail(call->why, CS_ERR_INVALID, "a validator's bond is too small");
	if (staking_powers_find(seats, &validator.address) != NULL)
		return cs_fail(call->why, CS_ERR_DUPLICATE, "a validator is there twice");
	if (seats->count == LEDGER_SEATS_MAX)
		return cs_fail(call->why, CS_ERR_TOO_LARGE, "more than %u validators",
			       LEDGER_SEATS_MAX);
	if (cs_u256_add(&totals->bonded, &totals->bonded, &validator.bonded) != CS_OK)
		return cs_fail(call->why, CS_ERR_OVERFLOW, "the sum of all bonds");
	seats->items[seats->count++] =
		(struct staking_power){.address = validator.address, .power = power};
	return staking_validator_put(call, &validator);
}

static enum cs_err found_validators(struct ledger_call *call, struct staking_powers *seats,
				    struct staking_totals *totals, const struct cs_json *section,
				    const struct ledger_parameters *parameters)
{
	static const char *const names[] = {"validators"};
	const struct cs_json *list;
	CS_TRY(cs_json_only(section, names, CS_LEN(names), call->why));
	CS_TRY(cs_json_member(&list, section, "validators", CS_JSON_ARRAY, call->why));
	for (const struct cs_json *item = list->child; item != NULL; item = item->next)
		CS_TRY(found_validator(call, seats, totals, item, parameters));
	if (seats->count == 0)
		return cs_fail(call->why, CS_ERR_INVALID, "no validator has a bond");
	return CS_OK;
}

/* What validators bring lies in the contract's account. */
static enum cs_err found_totals(struct ledger_call *call, struct staking_totals *totals,
				const struct cs_u256 *supply)
{
	struct ledger_account account;
	CS_TRY(ledger_account_get(call->state, &account, &call->address));
	if (!cs_u256_is_zero(&account.balance))
		return cs_fail(call->why, CS_ERR_INVALID, "the staking contract has an account");
	account.balance = totals->bonded;
	if (cs_u256_add(&totals->supply, supply, &totals->bonded) != CS_OK ||
	    cs_u256_size(&totals->supply) > LEDGER_SUPPLY_BITS_MAX / 8)
		return cs_fail(call->why, CS_ERR_OVERFLOW, "the supply has more than %u bits",
			       LEDGER_SUPPLY_BITS_MAX);
	CS_TRY(ledger_account_put(call->state, &call->address, &account));
	return staking_totals_put(call, totals);
}

static enum cs_err check(struct ledger_call *call, const struct abci_validator_updates *engine)
{
	struct staking_powers set;
	CS_TRY(staking_powers_get(call, &set, STAKING_SET));
	if (set.count != engine->count)
		return cs_fail(call->why, CS_ERR_INVALID,
			       "%zu validators have bonds, the engine's genesis has %zu", set.count,
			       engine->count);
	for (size_t i = 0; i < engine->count; i++) {
		const struct abci_validator_update *item = &engine->items[i];
		struct cs_ed25519_key key;
		if (item->pub_key.type != ABCI_KEY_ED25519 || item->pub_key.bytes.n != sizeof key.b)
			return cs_fail(call->why, CS_ERR_UNSUPPORTED,
				       "a validator's key is not of Ed25519");
		memcpy(key.b, item->pub_key.bytes.p, sizeof key.b);
		const struct cs_address address = cmt_address(&key);
		struct staking_power *found = staking_powers_find(&set, &address);
		if (found == NULL || item->power < 1 || found->power != (uint64_t)item->power)
			return cs_fail(call->why, CS_ERR_INVALID,
				       "validator %zu of the engine's genesis has another bond, or "
				       "none",
				       i);
		staking_powers_drop(&set, found);
	}
	return CS_OK;
}

static enum cs_err found(struct ledger_call *call, const struct ledger_genesis *genesis,
			 const struct cs_json *section)
{
	struct ledger_parameters parameters;
	struct staking_powers seats = {0}, set;
	struct staking_totals totals = {0};
	const struct staking_shares shares = {.epoch = 1, .time_s = call->block->time_s};
	CS_TRY(ledger_parameters_get(call->state, &parameters));
	CS_TRY(found_validators(call, &seats, &totals, section, &parameters));
	CS_TRY(found_totals(call, &totals, &genesis->supply));
	CS_TRY(staking_shares_put(call, &shares));
	CS_TRY(staking_powers_put(call, &seats, STAKING_SEATS));
	CS_TRY(staking_seats_count(call, &parameters));
	staking_best(&set, &seats, parameters.values[LEDGER_PARAM_VALIDATORS]);
	return staking_powers_put(call, &set, STAKING_SET);
}

enum cs_err ledger_staking_genesis(struct ledger_call *call, const struct ledger_genesis *genesis,
				   const struct cs_json *section)
{
	struct staking_totals totals;
	enum cs_err err = staking_totals_get(call, &totals);
	if (err != CS_OK && err != CS_ERR_NOT_FOUND)
		return err;
	if (section == NULL)
		return err == CS_OK ? check(call, &genesis->validators) : CS_OK;
	if (err == CS_OK)
		return cs_fail(call->why, CS_ERR_DUPLICATE,
			       "genesis: validators among the pairs, and anew");
	CS_TRY(found(call, genesis, section));
	return check(call, &genesis->validators);
}
