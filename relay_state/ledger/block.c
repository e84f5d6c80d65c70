#include "relay_state/ledger/block.h"

#include "core/hash.h"
#include "relay_state/ledger/account.h"
#include "relay_state/ledger/chain.h"
#include "relay_state/ledger/gas.h"

#include <string.h>

/* ---- codes ---- */

static const struct {
	enum ledger_code code;
	const char *name;
	const char *sentence;
} codes[] = {
#define LEDGER_CODE(code, number, name, sentence) {LEDGER_CODE_##code, name, sentence},
#include "relay_state/ledger/codes.def"
#undef LEDGER_CODE
};

static size_t find_code(enum ledger_code code)
{
	size_t i = 0;
	while (i < CS_LEN(codes) && codes[i].code != code)
		i++;
	cs_assert(i < CS_LEN(codes));
	return i;
}

const char *ledger_code_name(enum ledger_code code)
{
	return codes[find_code(code)].name;
}

const char *ledger_code_sentence(enum ledger_code code)
{
	return codes[find_code(code)].sentence;
}

/* ---- admission ---- */

enum cs_err ledger_admission_init(struct ledger_admission *admission, struct ledger_state *state,
				  const struct cs_sig *sig, struct ledger_verified *verified,
				  uint64_t time_s)
{
	*admission = (struct ledger_admission){
		.state = state, .sig = sig, .verified = verified, .time_s = time_s};
	CS_TRY(ledger_rules_get(state, &admission->rules));
	return ledger_chain_get(state, &admission->chain);
}

uint64_t ledger_tx_gas(size_t size, size_t signature_count)
{
	return LEDGER_GAS_TX + LEDGER_GAS_TX_BYTE * (uint64_t)size +
	       LEDGER_GAS_SIGNATURE * (uint64_t)signature_count;
}

/* What a decoder or a verifier says of the bytes; everything else is a failure of ours. */
static bool is_answer(enum cs_err err)
{
	return (err >= CS_ERR_MALFORMED && err <= CS_ERR_UNSUPPORTED) ||
	       err == CS_ERR_BAD_SIGNATURE || err == CS_ERR_WRONG_KEY;
}

static enum cs_err verify(struct ledger_admission *a, enum ledger_code *code,
			  const struct ledger_tx *tx, struct cs_bytes bytes)
{
	if (a->skip_signatures)
		return CS_OK;
	const struct cs_hash hash = cs_sha256(bytes);
	struct cs_hash *place = &a->verified->hashes[cs_be32(hash.b) % LEDGER_VERIFIED_MAX];
	if (cs_hash_eq(place, &hash))
		return CS_OK;
	enum cs_err err = ledger_tx_verify(tx, a->sig);
	if (err == CS_OK)
		*place = hash;
	else if (is_answer(err))
		*code = LEDGER_CODE_BAD_SIGNATURE;
	else
		return err;
	return CS_OK;
}

static struct cs_u256 price_of(const struct ledger_tx *tx)
{
	return (struct cs_u256){{tx->gas_price_low, tx->gas_price_high, 0, 0}};
}

/* A price of 128 bits and a limit of 64: no overflow. */
static struct cs_u256 fee_of(const struct ledger_tx *tx, uint64_t gas)
{
	struct cs_u256 price = price_of(tx), amount = cs_u256_u64(gas), fee;
	enum cs_err err = cs_u256_mul(&fee, &price, &amount);
	cs_assert(err == CS_OK);
	return fee;
}

/* Everything that needs no account and no key. */
static enum ledger_code check_form(const struct ledger_admission *a, struct ledger_tx *tx,
				   struct cs_bytes bytes)
{
	size_t signature_count = 0;
	const struct cs_u256 price = price_of(tx);
	if (!cs_hash_eq(&tx->chain, &a->chain))
		return LEDGER_CODE_WRONG_CHAIN;
	if (tx->valid_until != 0 && a->time_s > tx->valid_until)
		return LEDGER_CODE_EXPIRED;
	if (ledger_tx_signature_count(tx, &signature_count) != CS_OK)
		return LEDGER_CODE_BAD_SIGNATURE;
	if (tx->gas_limit < ledger_tx_gas(bytes.n, signature_count))
		return LEDGER_CODE_GAS_TOO_LOW;
	if (tx->gas_limit > a->rules.block_gas)
		return LEDGER_CODE_GAS_TOO_HIGH;
	if (cs_u256_cmp(&price, &a->rules.gas_price_min) < 0)
		return LEDGER_CODE_PRICE_TOO_LOW;
	return LEDGER_CODE_OK;
}

enum cs_err ledger_admit(struct ledger_admission *a, enum ledger_code *code, struct ledger_tx *tx,
			 struct cs_bytes bytes)
{
	struct ledger_account account;
	enum cs_err err = ledger_tx_decode(tx, bytes);
	if (err != CS_OK) {
		*code = err == CS_ERR_TOO_LARGE ? LEDGER_CODE_TOO_LARGE : LEDGER_CODE_MALFORMED;
		return CS_OK;
	}
	*code = check_form(a, tx, bytes);
	if (*code != LEDGER_CODE_OK)
		return CS_OK;
	CS_TRY(ledger_account_get(a->state, &account, &tx->sender));
	const struct cs_u256 fee = fee_of(tx, tx->gas_limit);
	if (account.sequence != tx->sequence || tx->sequence == UINT64_MAX)
		*code = LEDGER_CODE_WRONG_SEQUENCE;
	else if (cs_u256_sub(&account.balance, &account.balance, &fee) != CS_OK)
		*code = LEDGER_CODE_NO_FUNDS;
	else
		CS_TRY(verify(a, code, tx, bytes));
	if (*code != LEDGER_CODE_OK)
		return CS_OK;
	account.sequence++;
	return ledger_account_put(a->state, &tx->sender, &account);
}

/* ---- execution ---- */

static enum ledger_code code_of_failure(const struct ledger_execution *e,
					const struct ledger_run *run,
					const struct ledger_tx_call *call, struct cs_bytes output)
{
	if (call->input.n > 0 && ledger_machine_find(e->machine, &call->to) == NULL)
		return LEDGER_CODE_NO_CONTRACT;
	return run->gas.used == run->gas.limit && output.n == 0 ? LEDGER_CODE_OUT_OF_GAS
								: LEDGER_CODE_REVERTED;
}

/* What a transaction returns is told to everybody; without gas for it, it is told to nobody. */
static bool pay_for_data(struct ledger_run *run, struct cs_bytes *data)
{
	if (data->n > LEDGER_OUTPUT_SIZE_MAX)
		data->n = LEDGER_OUTPUT_SIZE_MAX;
	const uint64_t gas = data->n * LEDGER_GAS_RESULT_BYTE;
	if (gas <= run->gas.limit - run->gas.used) {
		run->gas.used += gas;
		return true;
	}
	run->gas.used = run->gas.limit;
	*data = CS_BYTES_NONE;
	return false;
}

enum cs_err ledger_execute_calls(const struct ledger_execution *e, struct ledger_result *result,
				 const struct ledger_tx *tx, uint64_t gas_used)
{
	struct ledger_run run;
	bool success = true;
	const size_t mark = ledger_state_mark(e->machine->state);
	CS_TRY(ledger_run_init(&run, e->block, e->arena, e->why, &tx->sender, tx->gas_limit));
	run.gas.used = gas_used;
	result->code = LEDGER_CODE_OK;
	for (size_t i = 0; i < tx->call_count && success; i++) {
		const struct ledger_tx_call *call = &tx->calls[i];
		CS_TRY(ledger_machine_call(e->machine, &run, &success, &result->data, &call->to,
					   &call->value, call->input));
		if (!success)
			result->code = code_of_failure(e, &run, call, result->data);
	}
	if (!pay_for_data(&run, &result->data)) {
		success = false;
		result->code = LEDGER_CODE_OUT_OF_GAS;
	}
	if (!success) {
		ledger_state_revert(e->machine->state, mark);
		run.logs.count = 0;
	}
	result->gas_used = run.gas.used;
	result->logs = run.logs;
	return CS_OK;
}

static enum cs_err credit(struct ledger_state *state, const struct cs_address *address,
			  const struct cs_u256 *amount, struct cs_why *why)
{
	struct ledger_account account;
	CS_TRY(ledger_account_get(state, &account, address));
	/* All balances together are below 2^256 since genesis. */
	if (cs_u256_add(&account.balance, &account.balance, amount) != CS_OK)
		return cs_fail(why, CS_ERR_DAMAGED, "more of the native asset than there is");
	return ledger_account_put(state, address, &account);
}

/* The whole limit was taken by the admission. */
static enum cs_err settle(const struct ledger_execution *e, struct ledger_result *result,
			  const struct ledger_tx *tx)
{
	const struct cs_address staking = ledger_contract_address(LEDGER_STAKING_NUMBER);
	const struct cs_u256 back = fee_of(tx, tx->gas_limit - result->gas_used);
	result->fee = fee_of(tx, result->gas_used);
	CS_TRY(credit(e->machine->state, &tx->sender, &back, e->why));
	return credit(e->machine->state, &staking, &result->fee, e->why);
}

enum cs_err ledger_execute(const struct ledger_execution *e, struct ledger_result *result,
			   struct cs_bytes bytes)
{
	struct ledger_tx tx;
	size_t signature_count = 0;
	*result = (struct ledger_result){0};
	CS_TRY(ledger_admit(e->admission, &result->code, &tx, bytes));
	if (result->code != LEDGER_CODE_OK)
		return CS_OK;
	result->gas_wanted = tx.gas_limit;
	result->payer = tx.sender;
	CS_TRY(ledger_tx_signature_count(&tx, &signature_count));
	CS_TRY(ledger_execute_calls(e, result, &tx, ledger_tx_gas(bytes.n, signature_count)));
	return settle(e, result, &tx);
}
