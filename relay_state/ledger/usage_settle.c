#include "relay_state/ledger/assets.h"
#include "relay_state/ledger/usage_parts.h"

static bool is_native(const struct cs_address *asset)
{
	static const struct cs_address native;
	return cs_address_eq(asset, &native);
}

static enum cs_err pay_native(struct ledger_call *call, const struct cs_address *provider,
			      const struct cs_u256 *amount)
{
	bool moved = false;
	if (cs_u256_cmp(&call->value, amount) != 0)
		return ledger_revert_plain(call, "ValueInvalid()");
	CS_TRY(ledger_move(call, &moved, &call->address, provider, amount));
	return moved ? CS_OK : ledger_revert_plain(call, "PaymentFailed()");
}

/* Within the allowance that the consumer gave this contract. */
static enum cs_err pay_asset(struct ledger_call *call, const struct cs_address *asset,
			     const struct cs_address *provider, const struct cs_u256 *amount)
{
	const struct cs_address to = ledger_contract_address(LEDGER_ASSETS_NUMBER);
	const struct cs_u256 nothing = cs_u256_u64(0);
	const struct cs_hash yes = ledger_word_u64(1);
	uint8_t memory[4 + 4 * sizeof(struct cs_hash)];
	struct cs_bytes output;
	struct cs_abi abi;
	struct cs_buf buf;
	bool success = false;
	if (!cs_u256_is_zero(&call->value))
		return ledger_revert_plain(call, "ValueInvalid()");
	cs_buf_init(&buf, memory, sizeof memory);
	cs_abi_call(&abi, &buf, "transferFrom(address,address,address,uint256)");
	cs_abi_put_address(&abi, asset);
	cs_abi_put_address(&abi, &call->sender);
	cs_abi_put_address(&abi, provider);
	cs_abi_put_u256(&abi, amount);
	CS_TRY(ledger_call_contract(call, &success, &output, &to, &nothing, cs_buf_view(&buf), 0));
	if (!success)
		return ledger_revert_with(call, output);
	return cs_bytes_eq(output, CS_BYTES_OF(yes.b))
		       ? CS_OK
		       : ledger_revert_plain(call, "PaymentFailed()");
}

/* What is left of the month: charged less credited, which is never more, less paid. A credit that comes
 * after the payment leaves nothing, and is between the two. */
static struct cs_u256 due_of(const struct usage_balance *balance)
{
	struct cs_u256 due;
	if (cs_u256_sub(&due, &balance->charged, &balance->credited) != CS_OK ||
	    cs_u256_sub(&due, &due, &balance->paid) != CS_OK)
		return cs_u256_u64(0);
	return due;
}

/* Paid before it is moved: an asset cannot call back in between and pay twice. */
enum cs_err usage_settle(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct usage_pair pair = {.consumer = call->sender};
	struct usage_balance balance;
	struct usage_terms terms;
	struct cs_u256 amount;
	(void)out;
	CS_TRY(cs_abi_get_address(in, &pair.provider));
	CS_TRY(ledger_read_u32(in, &pair.period));
	CS_TRY(cs_abi_get_u256(in, &amount));
	CS_TRY(usage_terms_get(call, &terms));
	CS_TRY(usage_balance_get(call, &balance, &pair));
	const struct cs_u256 due = due_of(&balance);
	if (cs_u256_is_zero(&amount) || cs_u256_cmp(&amount, &due) > 0)
		return ledger_revert(call, "DueIs(uint256)", LEDGER_WORDS(cs_u256_word(&due)));
	if (cs_u256_add(&balance.paid, &balance.paid, &amount) != CS_OK)
		return ledger_revert_plain(call, "TotalOverflow()");
	CS_TRY(usage_balance_put(call, &balance, &pair));
	CS_TRY(is_native(&terms.asset) ? pay_native(call, &pair.provider, &amount)
				       : pay_asset(call, &terms.asset, &pair.provider, &amount));
	return ledger_emit_words(call, "UsageSettled(address,address,uint32,uint256,uint256)",
				 LEDGER_WORDS(ledger_word_address(&pair.provider),
					      ledger_word_address(&pair.consumer)),
				 LEDGER_WORDS(ledger_word_u64(pair.period), cs_u256_word(&amount),
					      cs_u256_word(&balance.paid)));
}

enum cs_err usage_balance_of(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct usage_balance balance;
	struct usage_pair pair;
	CS_TRY(cs_abi_get_address(in, &pair.provider));
	CS_TRY(cs_abi_get_address(in, &pair.consumer));
	CS_TRY(ledger_read_u32(in, &pair.period));
	CS_TRY(usage_balance_get(call, &balance, &pair));
	cs_abi_put_u256(out, &balance.charged);
	cs_abi_put_u256(out, &balance.credited);
	cs_abi_put_u256(out, &balance.paid);
	return CS_OK;
}
