#include "relay_state/ledger/rules.h"

#include "relay_state/ledger/gas.h"

#include <string.h>

#define VALUE_SIZE 32u

static const uint8_t key[] = {0, 'r', 'u', 'l', 'e', 's'};

enum cs_err ledger_rules_get(struct ledger_state *state, struct ledger_rules *rules)
{
	struct cs_bytes value;
	enum cs_err err = ledger_state_get(state, &value, CS_BYTES_OF(key));
	if (err == CS_ERR_NOT_FOUND || (err == CS_OK && value.n != VALUE_SIZE))
		return CS_ERR_DAMAGED;
	if (err != CS_OK)
		return err;
	*rules = (struct ledger_rules){cs_be64(value.p),
				       cs_be64(value.p + 8),
				       {{cs_be64(value.p + 24), cs_be64(value.p + 16), 0, 0}}};
	return CS_OK;
}

enum cs_err ledger_rules_put(struct ledger_state *state, const struct ledger_rules *rules)
{
	uint8_t value[VALUE_SIZE];
	if (rules->block_gas == 0 || rules->block_gas > LEDGER_BLOCK_GAS ||
	    rules->versions_kept == 0 || rules->versions_kept > LEDGER_VERSIONS_KEPT_MAX ||
	    cs_u256_size(&rules->gas_price_min) > 16)
		return CS_ERR_INVALID;
	cs_put_be64(value, rules->block_gas);
	cs_put_be64(value + 8, rules->versions_kept);
	cs_put_be64(value + 16, rules->gas_price_min.limb[1]);
	cs_put_be64(value + 24, rules->gas_price_min.limb[0]);
	return ledger_state_put(state, CS_BYTES_OF(key), CS_BYTES_OF(value));
}
