#include "relay_state/ledger/staking_parts.h"

#define MILLION 1000000u

static enum cs_err get_known(struct ledger_call *call, struct staking_validator *validator,
			     struct cs_abi_reader *in)
{
	struct cs_address address;
	CS_TRY(cs_abi_get_address(in, &address));
	enum cs_err err = staking_validator_get(call, validator, &address);
	return err == CS_ERR_NOT_FOUND ? ledger_revert_plain(call, "ValidatorUnknown()") : err;
}

static enum cs_err get_founded(struct ledger_call *call, struct staking_totals *totals)
{
	enum cs_err err = staking_totals_get(call, totals);
	return err == CS_ERR_NOT_FOUND ? ledger_revert_plain(call, "NoStaking()") : err;
}

/* (bytes32 key, address operator, uint256 bonded, uint64 power, uint64 jailedUntil, bool tombstoned,
 * uint256 missed); power: of its seat. */
enum cs_err staking_validator_of(struct ledger_call *call, struct cs_abi_reader *in,
				 struct cs_abi *out)
{
	struct staking_validator validator;
	struct staking_powers powers;
	struct cs_hash key;
	CS_TRY(get_known(call, &validator, in));
	CS_TRY(staking_powers_get(call, &powers, STAKING_SEATS));
	const struct staking_power *item = staking_powers_find(&powers, &validator.address);
	const uint64_t power = item == NULL ? 0 : item->power;
	CS_TRY(staking_powers_get(call, &powers, STAKING_VOTERS));
	item = staking_powers_find(&powers, &validator.address);
	_Static_assert(sizeof key == sizeof validator.key, "both are 32 bytes");
	for (size_t i = 0; i < sizeof key.b; i++)
		key.b[i] = validator.key.b[i];
	cs_abi_put_word(out, &key);
	cs_abi_put_address(out, &validator.operator);
	cs_abi_put_u256(out, &validator.bonded);
	cs_abi_put_u64(out, power);
	cs_abi_put_u64(out, validator.jailed_until_s);
	cs_abi_put_u64(out, validator.tombstoned);
	cs_abi_put_u64(out, item == NULL ? 0 : item->missed);
	return CS_OK;
}

/* (uint256 amount, uint64 height, uint64 matures)[], oldest first. */
enum cs_err staking_unbondings_of(struct ledger_call *call, struct cs_abi_reader *in,
				  struct cs_abi *out)
{
	struct staking_validator validator;
	struct staking_unbondings unbondings;
	CS_TRY(get_known(call, &validator, in));
	CS_TRY(staking_unbondings_get(call, &unbondings, &validator.address));
	cs_abi_enter_array(out, cs_abi_slot(out), unbondings.count);
	for (size_t i = 0; i < unbondings.count; i++) {
		cs_abi_put_u256(out, &unbondings.items[i].amount);
		cs_abi_put_u64(out, unbondings.items[i].height);
		cs_abi_put_u64(out, unbondings.items[i].matures_s);
	}
	cs_abi_leave(out);
	return CS_OK;
}

enum cs_err staking_rewards_of(struct ledger_call *call, struct cs_abi_reader *in,
			       struct cs_abi *out)
{
	struct staking_validator validator;
	struct staking_record record;
	CS_TRY(get_known(call, &validator, in));
	CS_TRY(staking_record_now(call, &record, &validator.address));
	const struct cs_u256 amount = staking_take_owed(&record);
	cs_abi_put_u256(out, &amount);
	return CS_OK;
}

/* (address validator, uint64 power)[] */
static enum cs_err put_powers(struct ledger_call *call, struct cs_abi *out, enum staking_list list)
{
	struct staking_powers powers;
	CS_TRY(staking_powers_get(call, &powers, list));
	cs_abi_enter_array(out, cs_abi_slot(out), powers.count);
	for (size_t i = 0; i < powers.count; i++) {
		cs_abi_put_address(out, &powers.items[i].address);
		cs_abi_put_u64(out, powers.items[i].power);
	}
	cs_abi_leave(out);
	return CS_OK;
}

enum cs_err staking_set_now(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	(void)in;
	return put_powers(call, out, STAKING_SET);
}

enum cs_err staking_seats_now(struct ledger_call *call, struct cs_abi_reader *in,
			      struct cs_abi *out)
{
	(void)in;
	return put_powers(call, out, STAKING_SEATS);
}

/* (uint256 supply, bonded, unbonding, rewards, community, minted, burnt) */
enum cs_err staking_totals_now(struct ledger_call *call, struct cs_abi_reader *in,
			       struct cs_abi *out)
{
	struct staking_totals totals;
	(void)in;
	CS_TRY(get_founded(call, &totals));
	const struct cs_u256 *const parts[STAKING_TOTALS_COUNT] = {
		&totals.supply,    &totals.bonded, &totals.unbonding, &totals.rewards,
		&totals.community, &totals.minted, &totals.burnt};
	for (size_t i = 0; i < STAKING_TOTALS_COUNT; i++)
		cs_abi_put_u256(out, parts[i]);
	return CS_OK;
}

/* (uint64 epoch, uint64 blocks of it so far) */
enum cs_err staking_epoch_now(struct ledger_call *call, struct cs_abi_reader *in,
			      struct cs_abi *out)
{
	struct staking_totals totals;
	struct staking_shares shares;
	(void)in;
	CS_TRY(get_founded(call, &totals));
	CS_TRY(staking_shares_get(call, &shares));
	cs_abi_put_u64(out, shares.epoch);
	cs_abi_put_u64(out, shares.epoch_blocks);
	return CS_OK;
}

/* (uint64 asked, uint64 signed, uint64 proposed, uint256 expected proposals in millionths), of an
 * epoch that has ended or of the one under way; zeros of one that is kept no more. */
enum cs_err staking_efficiency_of(struct ledger_call *call, struct cs_abi_reader *in,
				  struct cs_abi *out)
{
	struct staking_validator validator;
	struct staking_shares shares;
	struct staking_record record;
	uint64_t epoch;
	CS_TRY(get_known(call, &validator, in));
	CS_TRY(cs_abi_get_u64(in, &epoch));
	CS_TRY(staking_shares_get(call, &shares));
	if (epoch == shares.epoch)
		CS_TRY(staking_record_now(call, &record, &validator.address));
	else
		CS_TRY(staking_epoch_get(call, &record, &validator.address, epoch));
	if (record.epoch != epoch)
		record = (struct staking_record){0};
	CS_TRY(staking_mul(call, &record.expected, MILLION));
	const struct cs_u256 expected = {
		{record.expected.limb[1] >> 32 | record.expected.limb[2] << 32,
		 record.expected.limb[2] >> 32 | record.expected.limb[3] << 32,
		 record.expected.limb[3] >> 32, 0}};
	cs_abi_put_u64(out, record.asked);
	cs_abi_put_u64(out, record.asked - record.missed);
	cs_abi_put_u64(out, record.proposed);
	cs_abi_put_u256(out, &expected);
	return CS_OK;
}
