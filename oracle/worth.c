#include "oracle/worth.h"

#define GAS_PER_ANSWER 75000u
#define GAS_PER_REFUND 115000u
/* Calldata at 16 gas a byte, hashing and the event's 8. */
#define GAS_PER_BYTE 40u

uint64_t oracle_worth_gas(uint64_t callback_gas, size_t value_size, bool refunded)
{
	uint64_t gas = GAS_PER_ANSWER + (ORACLE_WORTH_ANSWER_SIZE + value_size) * GAS_PER_BYTE;
	if (callback_gas > UINT64_MAX / 4)
		return UINT64_MAX / 2;
	gas += callback_gas + callback_gas / 32;
	return refunded ? gas + GAS_PER_REFUND : gas;
}

bool oracle_worth_paid(const struct cs_u256 *fee, uint64_t gas, uint64_t price_wei,
		       unsigned percent)
{
	const struct cs_u256 hundred = cs_u256_u64(100);
	struct cs_u256 offered;
	struct cs_u256 wanted = cs_u256_u64(gas);
	struct cs_u256 factor = cs_u256_u64(price_wei);
	if (percent == 0)
		return true;
	if (cs_u256_mul(&offered, fee, &hundred) != CS_OK)
		return true; /* a hundredth of all that a word can say pays for any gas */
	if (cs_u256_mul(&wanted, &wanted, &factor) != CS_OK)
		return false;
	factor = cs_u256_u64(percent);
	return cs_u256_mul(&wanted, &wanted, &factor) == CS_OK &&
	       cs_u256_cmp(&offered, &wanted) >= 0;
}

static bool fits(uint64_t gas, uint64_t used, uint64_t max)
{
	return used <= max && gas <= max - used;
}

const char *oracle_worth_unpaid(const struct oracle_worth_limits *limits, uint64_t callback_gas,
				uint64_t gas, uint64_t asker_used, uint64_t used)
{
	if (callback_gas > limits->callback_gas_max)
		return "the fee goes back, and its callback may use more gas than is spent for "
		       "nothing";
	if (!fits(gas, asker_used, limits->asker_gas_max))
		return "the fee goes back, and this asker's share of gas for nothing is used up";
	if (!fits(gas, used, limits->gas_max))
		return "the fee goes back, and the gas of this hour for nothing is used up";
	return NULL;
}
