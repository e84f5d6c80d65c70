#include "core/hash.h"
#include "relay_state/ledger/chain.h"
#include "relay_state/ledger/staking_parts.h"
#include "verify/cometbft/block_id.h"

#include <string.h>

/* ---- keys ---- */

struct cs_hash ledger_validator_digest(const struct cs_hash *chain_tag,
				       const struct cs_address *operator)
{
	const struct cs_hash tag = cs_keccak256(cs_bytes_str("caisson/ledger/validator/v1"));
	const struct cs_hash word = ledger_word_address(operator);
	struct cs_keccak keccak;
	cs_keccak_init(&keccak);
	cs_keccak_add(&keccak, CS_BYTES_OF(tag.b));
	cs_keccak_add(&keccak, CS_BYTES_OF(chain_tag->b));
	cs_keccak_add(&keccak, CS_BYTES_OF(word.b));
	return cs_keccak_end(&keccak);
}

static enum cs_err check_key(struct ledger_call *call, const struct cs_ed25519_key *key,
			     const uint8_t signature[CS_ED25519_SIGNATURE_SIZE])
{
	struct cs_hash tag;
	CS_TRY(ledger_use_gas(call, LEDGER_GAS_SIGNATURE));
	CS_TRY(ledger_use_gas(call, LEDGER_GAS_READ));
	CS_TRY(ledger_chain_get(call->state, &tag));
	const struct cs_hash digest = ledger_validator_digest(&tag, &call->sender);
	enum cs_err err = cs_ed25519_verify(key, CS_BYTES_OF(digest.b),
					    cs_bytes(signature, CS_ED25519_SIGNATURE_SIZE));
	if (err == CS_ERR_CRYPTO || err == CS_OK)
		return err;
	return ledger_revert_plain(call, "BadSignature()");
}

/* ---- what functions begin with ---- */

static enum cs_err get_parameters(struct ledger_call *call, struct ledger_parameters *parameters)
{
	CS_TRY(ledger_use_gas(call, LEDGER_GAS_READ));
	return ledger_parameters_get(call->state, parameters);
}

static enum cs_err get_own(struct ledger_call *call, struct staking_validator *validator,
			   const struct cs_address *address)
{
	enum cs_err err = staking_validator_get(call, validator, address);
	if (err == CS_ERR_NOT_FOUND)
		return ledger_revert_plain(call, "ValidatorUnknown()");
	if (err != CS_OK)
		return err;
	return cs_address_eq(&validator->operator, & call->sender)
		       ? CS_OK
		       : ledger_revert_plain(call, "NotOperator()");
}

static enum cs_err too_small(struct ledger_call *call, const struct ledger_parameters *parameters)
{
	const struct cs_u256 bond = staking_bond_min(parameters);
	const struct cs_hash word = cs_u256_word(&bond);
	return ledger_revert(call, "BondTooSmall(uint256)", &word, 1);
}

/* ---- deposits ---- */

/* What came with the call, on top of the deposit; it must be enough to be looked at. */
static enum cs_err add_bond(struct ledger_call *call, struct staking_validator *validator)
{
	struct ledger_parameters parameters;
	struct staking_totals totals;
	bool seated = true;
	CS_TRY(get_parameters(call, &parameters));
	CS_TRY(staking_totals_get(call, &totals));
	CS_TRY(staking_add(call, &validator->bonded, &call->value));
	CS_TRY(staking_add(call, &totals.bonded, &call->value));
	if (staking_power_of(&validator->bonded, &parameters) == 0)
		return too_small(call, &parameters);
	CS_TRY(staking_validator_put(call, validator));
	CS_TRY(staking_totals_put(call, &totals));
	CS_TRY(staking_seat(call, &seated, validator, &parameters));
	if (!seated)
		return ledger_revert_plain(call, "SeatsFull()");
	return ledger_emit_words(call, "Bonded(address,uint256)",
				 LEDGER_WORDS(ledger_word_address(&validator->address)),
				 LEDGER_WORDS(cs_u256_word(&call->value)));
}

static enum cs_err register_validator(struct ledger_call *call, struct cs_abi_reader *in,
				      struct cs_abi *out)
{
	struct staking_validator validator = {.operator= call->sender };
	struct staking_validator known;
	struct staking_totals totals;
	struct cs_hash words[3];
	uint8_t signature[CS_ED25519_SIGNATURE_SIZE];
	for (size_t i = 0; i < CS_LEN(words); i++)
		CS_TRY(cs_abi_get_word(in, &words[i]));
	enum cs_err err = staking_totals_get(call, &totals);
	if (err != CS_OK)
		return err == CS_ERR_NOT_FOUND ? ledger_revert_plain(call, "NoStaking()") : err;
	memcpy(validator.key.b, words[0].b, sizeof validator.key.b);
	memcpy(signature, words[1].b, sizeof words[1].b);
	memcpy(signature + sizeof words[1].b, words[2].b, sizeof words[2].b);
	validator.address = cmt_address(&validator.key);
	err = staking_validator_get(call, &known, &validator.address);
	if (err == CS_OK)
		return ledger_revert_plain(call, "ValidatorKnown()");
	if (err != CS_ERR_NOT_FOUND)
		return err;
	CS_TRY(check_key(call, &validator.key, signature));
	CS_TRY(ledger_emit_words(call, "Registered(address,address,bytes32)",
				 LEDGER_WORDS(ledger_word_address(&validator.address),
					      ledger_word_address(&validator.operator)),
				 LEDGER_WORDS(words[0])));
	CS_TRY(add_bond(call, &validator));
	cs_abi_put_address(out, &validator.address);
	return CS_OK;
}

static enum cs_err bond(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct staking_validator validator;
	struct cs_address address;
	(void)out;
	CS_TRY(cs_abi_get_address(in, &address));
	CS_TRY(get_own(call, &validator, &address));
	if (validator.tombstoned)
		return ledger_revert_plain(call, "IsTombstoned()");
	if (cs_u256_is_zero(&call->value))
		return ledger_revert_plain(call, "NothingBonded()");
	return add_bond(call, &validator);
}

/* A rest without power would be a deposit that does nothing. */
static enum cs_err check_rest(struct ledger_call *call, const struct staking_validator *validator,
			      const struct cs_u256 *amount,
			      const struct ledger_parameters *parameters)
{
	struct cs_u256 rest;
	bool is_last = false;
	if (cs_u256_is_zero(amount) || cs_u256_sub(&rest, &validator->bonded, amount) != CS_OK)
		return ledger_revert_plain(call, "NotBonded()");
	if (staking_power_of(&rest, parameters) > 0)
		return CS_OK;
	if (!cs_u256_is_zero(&rest))
		return too_small(call, parameters);
	CS_TRY(staking_is_last(call, &is_last, &validator->address));
	return is_last ? ledger_revert_plain(call, "LastValidator()") : CS_OK;
}

static enum cs_err unbond(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct staking_validator validator;
	struct ledger_parameters parameters;
	struct cs_address address;
	struct cs_u256 amount;
	bool seated = true;
	(void)out;
	CS_TRY(cs_abi_get_address(in, &address));
	CS_TRY(cs_abi_get_u256(in, &amount));
	CS_TRY(get_own(call, &validator, &address));
	CS_TRY(get_parameters(call, &parameters));
	CS_TRY(check_rest(call, &validator, &amount, &parameters));
	CS_TRY(staking_unbond(call, &validator, &amount,
			      parameters.values[LEDGER_PARAM_UNBONDING_S]));
	return staking_seat(call, &seated, &validator, &parameters);
}

static enum cs_err unjail(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct staking_validator validator;
	struct ledger_parameters parameters;
	struct cs_address address;
	bool seated = true;
	(void)out;
	CS_TRY(cs_abi_get_address(in, &address));
	CS_TRY(get_own(call, &validator, &address));
	CS_TRY(get_parameters(call, &parameters));
	if (validator.tombstoned)
		return ledger_revert_plain(call, "IsTombstoned()");
	if (validator.jailed_until_s == 0)
		return ledger_revert_plain(call, "NotJailed()");
	if (call->block->time_s < validator.jailed_until_s) {
		const struct cs_hash word = ledger_word_u64(validator.jailed_until_s);
		return ledger_revert(call, "JailedUntil(uint64)", &word, 1);
	}
	if (staking_power_of(&validator.bonded, &parameters) == 0)
		return too_small(call, &parameters);
	validator.jailed_until_s = 0;
	CS_TRY(staking_validator_put(call, &validator));
	CS_TRY(staking_seat(call, &seated, &validator, &parameters));
	if (!seated)
		return ledger_revert_plain(call, "SeatsFull()");
	return ledger_emit_words(call, "Unjailed(address)",
				 LEDGER_WORDS(ledger_word_address(&address)), LEDGER_NO_WORDS);
}

/* ---- rewards and the community's ---- */

static enum cs_err withdraw_rewards(struct ledger_call *call, struct cs_abi_reader *in,
				    struct cs_abi *out)
{
	struct staking_validator validator;
	struct staking_record record;
	struct staking_totals totals;
	struct cs_address address;
	CS_TRY(cs_abi_get_address(in, &address));
	CS_TRY(get_own(call, &validator, &address));
	CS_TRY(staking_record_now(call, &record, &address));
	const struct cs_u256 amount = staking_take_owed(&record);
	CS_TRY(staking_record_put(call, &record, &address));
	CS_TRY(staking_totals_get(call, &totals));
	CS_TRY(staking_sub(call, &totals.rewards, &amount));
	CS_TRY(staking_totals_put(call, &totals));
	CS_TRY(staking_pay(call, &validator.operator, & amount));
	cs_abi_put_u256(out, &amount);
	return ledger_emit_words(call, "RewardsWithdrawn(address,uint256)",
				 LEDGER_WORDS(ledger_word_address(&address)),
				 LEDGER_WORDS(cs_u256_word(&amount)));
}

static enum cs_err pay_community(struct ledger_call *call, struct cs_abi_reader *in,
				 struct cs_abi *out)
{
	const struct cs_address owner = ledger_contract_address(LEDGER_PARAMETERS_NUMBER);
	struct staking_totals totals;
	struct cs_address to;
	struct cs_u256 amount;
	(void)out;
	CS_TRY(cs_abi_get_address(in, &to));
	CS_TRY(cs_abi_get_u256(in, &amount));
	if (!cs_address_eq(&call->sender, &owner))
		return ledger_revert_plain(call, "NotParameters()");
	enum cs_err err = staking_totals_get(call, &totals);
	if (err != CS_OK)
		return err == CS_ERR_NOT_FOUND ? ledger_revert_plain(call, "NoStaking()") : err;
	if (cs_u256_sub(&totals.community, &totals.community, &amount) != CS_OK)
		return ledger_revert_plain(call, "CommunityHasLess()");
	CS_TRY(staking_totals_put(call, &totals));
	CS_TRY(staking_pay(call, &to, &amount));
	return ledger_emit_words(call, "CommunityPaid(address,uint256)",
				 LEDGER_WORDS(ledger_word_address(&to)),
				 LEDGER_WORDS(cs_u256_word(&amount)));
}

/* ---- a block ---- */

enum cs_err ledger_staking_begin(struct ledger_call *call, const struct ledger_begin *begin)
{
	struct ledger_parameters parameters;
	struct staking_totals totals;
	enum cs_err err = staking_totals_get(call, &totals);
	if (err != CS_OK)
		return err == CS_ERR_NOT_FOUND ? CS_OK : err;
	CS_TRY(ledger_parameters_get(call->state, &parameters));
	/* Evidence first: what is due in this block is reached by what this block brings. */
	CS_TRY(staking_punish(call, &begin->misbehavior, &parameters));
	CS_TRY(staking_count(call, &begin->last_commit, &parameters));
	return staking_release(call);
}

/* ---- the table ---- */

static const struct ledger_function functions[] = {
	{"register(bytes32,bytes32,bytes32)", 0x4da274fd, 3, true, 0, register_validator},
	{"bond(address)", 0x247ce85b, 1, true, 0, bond},
	{"unbond(address,uint256)", 0xa5d059ca, 2, false, 0, unbond},
	{"unjail(address)", 0x449ecfe6, 1, false, 0, unjail},
	{"withdrawRewards(address)", 0x42d86693, 1, false, 0, withdraw_rewards},
	{"payCommunity(address,uint256)", 0xd96f721b, 2, false, 0, pay_community},
	{"validatorOf(address)", 0xf666d1b2, 1, false, 0, staking_validator_of},
	{"unbondingsOf(address)", 0x205a6ec7, 1, false, 0, staking_unbondings_of},
	{"rewardsOf(address)", 0x479ba7ae, 1, false, 0, staking_rewards_of},
	{"validators()", 0xca1e7819, 0, false, 0, staking_set_now},
	{"seats()", 0x9c5655d6, 0, false, 0, staking_seats_now},
	{"totals()", 0xc038a38e, 0, false, 0, staking_totals_now},
	{"epoch()", 0x900cf0cf, 0, false, 0, staking_epoch_now},
	{"efficiencyOf(address,uint64)", 0xa70f75a7, 2, false, 0, staking_efficiency_of},
};

const struct ledger_contract ledger_staking = {
	.name = "staking",
	.number = LEDGER_STAKING_NUMBER,
	.functions = functions,
	.function_count = CS_LEN(functions),
};
