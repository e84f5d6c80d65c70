#include "gateway/gateway.h"

enum cs_err gateway_sign_operator(struct gateway_chain *chain,
				  const struct gateway_submission *submission, struct cs_bytes data,
				  const struct adapter_terms *terms, uint8_t **raw,
				  size_t *raw_size, struct cs_hash *hash)
{
	const struct gateway_account *payer = &chain->accounts[GATEWAY_ACCOUNT_OPERATOR];
	struct adapter_signing call = {.from = payer->address,
				       .to = submission->to,
				       .value = submission->value,
				       .data = data};

	if (!payer->is_there)
		return CS_ERR_NO_KEY;
	return adapter_sign(chain->adapter, raw, raw_size, hash, chain->gateway->sig,
			    chain->operator_key, &call, terms);
}
