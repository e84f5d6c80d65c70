#include "relay_state/ledger/account.h"
#include "relay_state/ledger/staking_parts.h"

#include <string.h>

/* Parts per million and year (of 365.25 days), as one division. */
#define MILLION_YEARS_S ((uint64_t)31557600 * 1000000)

/* ---- records ---- */

static void enter_epoch(struct staking_record *record, uint64_t epoch)
{
	if (record->epoch == epoch)
		return;
	record->epoch = epoch;
	record->asked = record->missed = record->proposed = 0;
	record->expected = cs_u256_u64(0);
}

/* A voter of this power has earned and done what there was since its record began: into it. */
static enum cs_err settle(struct ledger_call *call, struct staking_record *record, uint64_t power,
			  const struct staking_shares *shares)
{
	struct cs_u256 earned = shares->reward, expected = shares->expected;
	enter_epoch(record, shares->epoch);
	CS_TRY(staking_sub(call, &earned, &record->reward_begin));
	CS_TRY(staking_mul(call, &earned, power));
	CS_TRY(staking_add(call, &record->owed, &earned));
	CS_TRY(staking_sub(call, &expected, &record->expected_begin));
	CS_TRY(staking_mul(call, &expected, power));
	CS_TRY(staking_add(call, &record->expected, &expected));
	record->asked += shares->blocks - record->blocks_begin;
	record->reward_begin = shares->reward;
	record->expected_begin = shares->expected;
	record->blocks_begin = shares->blocks;
	return CS_OK;
}

static enum cs_err settle_voter(struct ledger_call *call, struct staking_record *record,
				const struct staking_power *voter,
				const struct staking_shares *shares)
{
	CS_TRY(staking_record_get(call, record, &voter->address));
	return settle(call, record, voter->power, shares);
}

enum cs_err staking_record_now(struct ledger_call *call, struct staking_record *record,
			       const struct cs_address *address)
{
	struct staking_shares shares;
	struct staking_powers voters;
	CS_TRY(staking_shares_get(call, &shares));
	CS_TRY(staking_powers_get(call, &voters, STAKING_VOTERS));
	const struct staking_power *voter = staking_powers_find(&voters, address);
	if (voter != NULL)
		return settle_voter(call, record, voter, &shares);
	return staking_record_get(call, record, address);
}

struct cs_u256 staking_take_owed(struct staking_record *record)
{
	const struct cs_u256 whole = {
		{record->owed.limb[1], record->owed.limb[2], record->owed.limb[3], 0}};
	record->owed = cs_u256_u64(record->owed.limb[0]);
	return whole;
}

/* ---- who votes ---- */

static bool is_address(struct cs_bytes bytes, const struct cs_address *address)
{
	return cs_bytes_eq(bytes, CS_BYTES_OF(address->b));
}

static bool are_voters(const struct staking_powers *voters, const struct abci_commit_info *commit)
{
	if (voters->count != commit->votes.count)
		return false;
	for (size_t i = 0; i < voters->count; i++) {
		const struct abci_validator *validator = &commit->votes.items[i].validator;
		if (!is_address(validator->address, &voters->items[i].address) ||
		    (uint64_t)validator->power != voters->items[i].power)
			return false;
	}
	return true;
}

/* In the order of the votes; what the old ones missed stays with them. */
static enum cs_err read_voters(struct ledger_call *call, struct staking_powers *voters,
			       struct staking_powers *old, const struct abci_commit_info *commit)
{
	voters->count = 0;
	if (commit->votes.count > CS_LEN(voters->items))
		return cs_fail(call->why, CS_ERR_TOO_LARGE, "%zu votes of a commit",
			       commit->votes.count);
	for (size_t i = 0; i < commit->votes.count; i++) {
		const struct abci_validator *validator = &commit->votes.items[i].validator;
		struct staking_power *item = &voters->items[voters->count++];
		if (validator->address.n != sizeof item->address.b || validator->power < 1)
			return cs_fail(call->why, CS_ERR_INVALID, "a vote of no validator");
		memcpy(item->address.b, validator->address.p, sizeof item->address.b);
		const struct staking_power *was = staking_powers_find(old, &item->address);
		item->power = (uint64_t)validator->power;
		item->missed = was == NULL ? 0 : was->missed;
	}
	return CS_OK;
}

/* The end of one that was asked until now: in full when it is asked no more. */
static enum cs_err end_voter(struct ledger_call *call, const struct staking_power *voter,
			     bool leaves, const struct staking_shares *shares)
{
	struct staking_record record;
	CS_TRY(settle_voter(call, &record, voter, shares));
	CS_TRY(staking_record_put(call, &record, &voter->address));
	if (!leaves)
		return CS_OK;
	CS_TRY(staking_epoch_put(call, &record, &voter->address));
	return staking_window_forget(call, &voter->address);
}

static enum cs_err begin_voter(struct ledger_call *call, const struct staking_power *voter,
			       const struct staking_shares *shares)
{
	struct staking_record record;
	CS_TRY(staking_record_get(call, &record, &voter->address));
	enter_epoch(&record, shares->epoch);
	record.reward_begin = shares->reward;
	record.expected_begin = shares->expected;
	record.blocks_begin = shares->blocks;
	return staking_record_put(call, &record, &voter->address);
}

static enum cs_err follow_voters(struct ledger_call *call, struct staking_powers *voters,
				 const struct abci_commit_info *commit,
				 const struct staking_shares *shares)
{
	struct staking_powers old = *voters;
	if (commit->votes.count == 0 || are_voters(voters, commit))
		return CS_OK;
	CS_TRY(read_voters(call, voters, &old, commit));
	for (size_t i = 0; i < old.count; i++) {
		const struct staking_power *item = &old.items[i];
		const struct staking_power *now = staking_powers_find(voters, &item->address);
		if (now == NULL || now->power != item->power)
			CS_TRY(end_voter(call, item, now == NULL, shares));
	}
	for (size_t i = 0; i < voters->count; i++) {
		if (staking_powers_find(&old, &voters->items[i].address) == NULL)
			CS_TRY(begin_voter(call, &voters->items[i], shares));
	}
	return staking_powers_put(call, voters, STAKING_VOTERS);
}

/* ---- what there is to share ---- */

static enum cs_err mint(struct ledger_call *call, struct staking_totals *totals,
			struct staking_shares *shares, uint64_t ppm)
{
	const uint64_t now_s = call->block->time_s;
	uint64_t passed_s = now_s > shares->time_s ? now_s - shares->time_s : 0;
	struct cs_u256 amount = totals->supply, supply = totals->supply;
	const struct cs_u256 rest = cs_u256_u64(shares->mint_rest);
	struct ledger_account account;
	shares->time_s = now_s;
	if (ppm == 0)
		return CS_OK;
	if (passed_s > LEDGER_INFLATION_STEP_MAX_S)
		passed_s = LEDGER_INFLATION_STEP_MAX_S;
	CS_TRY(staking_mul(call, &amount, ppm * passed_s));
	CS_TRY(staking_add(call, &amount, &rest));
	amount = cs_u256_div_u64(&shares->mint_rest, &amount, MILLION_YEARS_S);
	CS_TRY(staking_add(call, &supply, &amount));
	if (cs_u256_size(&supply) > LEDGER_SUPPLY_BITS_MAX / 8)
		return CS_OK;
	CS_TRY(ledger_account_get(call->state, &account, &call->address));
	CS_TRY(staking_add(call, &account.balance, &amount));
	CS_TRY(ledger_account_put(call->state, &call->address, &account));
	totals->supply = supply;
	return staking_add(call, &totals->minted, &amount);
}

/* What lies in the account and is nobody's yet: fees of the last block, and what was minted. */
static enum cs_err surplus(struct ledger_call *call, struct cs_u256 *amount,
			   const struct staking_totals *totals)
{
	struct ledger_account account;
	CS_TRY(ledger_account_get(call->state, &account, &call->address));
	CS_TRY(staking_sub(call, &account.balance, &totals->bonded));
	CS_TRY(staking_sub(call, &account.balance, &totals->unbonding));
	CS_TRY(staking_sub(call, &account.balance, &totals->rewards));
	CS_TRY(staking_sub(call, &account.balance, &totals->community));
	*amount = account.balance;
	return CS_OK;
}

/* Among units of power that signed; what is left of the division waits for the next time. */
static enum cs_err share(struct ledger_call *call, struct staking_totals *totals,
			 struct staking_shares *shares, uint64_t signed_power)
{
	struct cs_u256 amount, all;
	const struct cs_u256 rest = cs_u256_u64(shares->reward_rest);
	CS_TRY(surplus(call, &amount, totals));
	if (signed_power == 0 || cs_u256_is_zero(&amount))
		return CS_OK;
	CS_TRY(staking_add(call, &totals->rewards, &amount));
	cs_assert(amount.limb[3] == 0);
	all = (struct cs_u256){{0, amount.limb[0], amount.limb[1], amount.limb[2]}};
	CS_TRY(staking_add(call, &all, &rest));
	all = cs_u256_div_u64(&shares->reward_rest, &all, signed_power);
	return staking_add(call, &shares->reward, &all);
}

static enum cs_err expect(struct ledger_call *call, struct staking_shares *shares, uint64_t power)
{
	uint64_t rest;
	const struct cs_u256 one = {{0, (uint64_t)1 << 32, 0, 0}};
	if (power == 0)
		return CS_OK;
	const struct cs_u256 each = cs_u256_div_u64(&rest, &one, power);
	shares->blocks++;
	shares->epoch_blocks++;
	return staking_add(call, &shares->expected, &each);
}

/* ---- a block ---- */

static bool has_signed(const struct abci_vote *vote)
{
	return vote->block_id_flag == ABCI_BLOCK_ID_COMMIT;
}

/* A vote for nothing is a vote: only who was not heard of was down. */
static bool was_heard(const struct abci_vote *vote)
{
	return vote->block_id_flag == ABCI_BLOCK_ID_COMMIT ||
	       vote->block_id_flag == ABCI_BLOCK_ID_NIL;
}

static enum cs_err share_out(struct ledger_call *call, struct staking_shares *shares,
			     const struct abci_commit_info *commit,
			     const struct ledger_parameters *parameters)
{
	struct staking_totals totals, before;
	uint64_t power = 0, signed_power = 0;
	CS_TRY(staking_totals_get(call, &totals));
	before = totals;
	for (size_t i = 0; i < commit->votes.count; i++) {
		const struct abci_vote *vote = &commit->votes.items[i];
		power += (uint64_t)vote->validator.power;
		signed_power += has_signed(vote) ? (uint64_t)vote->validator.power : 0;
	}
	/* The first block has no commit: nobody is there to earn. */
	CS_TRY(mint(call, &totals, shares,
		    signed_power == 0 ? 0 : parameters->values[LEDGER_PARAM_INFLATION]));
	CS_TRY(share(call, &totals, shares, signed_power));
	CS_TRY(expect(call, shares, power));
	if (memcmp(&before, &totals, sizeof totals) == 0)
		return CS_OK;
	return staking_totals_put(call, &totals);
}

/* Who did not sign gets nothing of what the others share. */
static enum cs_err pass_over(struct ledger_call *call, const struct staking_power *voter,
			     bool missed, const struct staking_shares *before,
			     const struct staking_shares *shares)
{
	struct staking_record record;
	CS_TRY(settle_voter(call, &record, voter, before));
	record.reward_begin = shares->reward;
	record.missed += missed;
	return staking_record_put(call, &record, &voter->address);
}

static enum cs_err count_votes(struct ledger_call *call, struct staking_powers *voters,
			       const struct abci_commit_info *commit,
			       const struct staking_shares *before,
			       const struct staking_shares *shares,
			       const struct ledger_parameters *parameters)
{
	bool changed = false;
	for (size_t i = 0; i < commit->votes.count; i++) {
		const struct abci_vote *vote = &commit->votes.items[i];
		struct staking_power *voter = &voters->items[i];
		const uint32_t missed_before = voter->missed;
		if (!has_signed(vote))
			CS_TRY(pass_over(call, voter, !was_heard(vote), before, shares));
		if (!was_heard(vote) || voter->missed > 0)
			CS_TRY(staking_watch(call, voter, !was_heard(vote), parameters));
		changed = changed || voter->missed != missed_before;
	}
	return changed ? staking_powers_put(call, voters, STAKING_VOTERS) : CS_OK;
}

static enum cs_err count_proposer(struct ledger_call *call, const struct staking_shares *shares)
{
	const struct cs_address *address = &call->block->proposer;
	struct staking_validator validator;
	struct staking_record record;
	enum cs_err err = staking_validator_get(call, &validator, address);
	if (err != CS_OK)
		return err == CS_ERR_NOT_FOUND ? CS_OK : err;
	CS_TRY(staking_record_get(call, &record, address));
	enter_epoch(&record, shares->epoch);
	record.proposed++;
	return staking_record_put(call, &record, address);
}

static enum cs_err end_epoch(struct ledger_call *call, const struct staking_powers *voters,
			     struct staking_shares *shares)
{
	for (size_t i = 0; i < voters->count; i++) {
		const struct staking_power *voter = &voters->items[i];
		struct staking_record record;
		CS_TRY(settle_voter(call, &record, voter, shares));
		CS_TRY(staking_record_put(call, &record, &voter->address));
		CS_TRY(staking_epoch_put(call, &record, &voter->address));
	}
	CS_TRY(ledger_emit_words(call, "EpochEnded(uint64)",
				 LEDGER_WORDS(ledger_word_u64(shares->epoch)), LEDGER_NO_WORDS));
	shares->epoch++;
	shares->epoch_blocks = 0;
	return CS_OK;
}

enum cs_err staking_count(struct ledger_call *call, const struct abci_commit_info *last_commit,
			  const struct ledger_parameters *parameters)
{
	struct staking_shares shares, before;
	struct staking_powers voters;
	CS_TRY(staking_shares_get(call, &shares));
	CS_TRY(staking_powers_get(call, &voters, STAKING_VOTERS));
	CS_TRY(follow_voters(call, &voters, last_commit, &shares));
	before = shares;
	CS_TRY(share_out(call, &shares, last_commit, parameters));
	CS_TRY(count_votes(call, &voters, last_commit, &before, &shares, parameters));
	CS_TRY(count_proposer(call, &shares));
	if (shares.epoch_blocks >= parameters->values[LEDGER_PARAM_EPOCH_BLOCKS])
		CS_TRY(end_epoch(call, &voters, &shares));
	return staking_shares_put(call, &shares);
}
