#include "adapters/evm/submit_inner.h"

/* geth asks for a tenth more on both fees, anvil for less; an eighth satisfies all. */
static uint64_t raised(uint64_t wei)
{
	uint64_t more = wei / 8 + (wei % 8 != 0) + (wei == 0);

	return wei > UINT64_MAX - more ? UINT64_MAX : wei + more;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

enum cs_err evm_terms_bump(struct adapter_terms *terms, const struct adapter_fees *fees,
			   uint64_t cap_wei)
{
	struct adapter_terms out = *terms;

	out.max_fee_wei = larger(raised(terms->max_fee_wei), fees->max_fee_wei);
	out.max_priority_fee_wei = terms->legacy ? 0
						 : larger(raised(terms->max_priority_fee_wei),
							  fees->max_priority_fee_wei);
	out.max_fee_wei = larger(out.max_fee_wei, out.max_priority_fee_wei);
	/* what is asked now may lie above the cap while the eighth does not */
	if (out.max_fee_wei > cap_wei)
		out.max_fee_wei = larger(raised(terms->max_fee_wei), out.max_priority_fee_wei);
	if (out.max_fee_wei > cap_wei)
		return CS_ERR_POLICY_FEE;
	*terms = out;
	return CS_OK;
}

enum cs_err evm_terms_first(struct adapter_terms *terms, const struct adapter_fees *fees,
			    uint64_t cap_wei)
{
	uint64_t needed = fees->legacy ? fees->max_fee_wei : fees->base_fee_wei;

	if (needed > cap_wei)
		return CS_ERR_POLICY_FEE;
	terms->legacy = fees->legacy;
	terms->max_fee_wei = fees->max_fee_wei < cap_wei ? fees->max_fee_wei : cap_wei;
	terms->max_priority_fee_wei = fees->max_priority_fee_wei < terms->max_fee_wei
					      ? fees->max_priority_fee_wei
					      : terms->max_fee_wei;
	return CS_OK;
}
