#include "relay_state/ledger/chain.h"

#include <string.h>

static const uint8_t key[] = {0, 'c', 'h', 'a', 'i', 'n'};

struct cs_bytes ledger_chain_key(void)
{
	return CS_BYTES_OF(key);
}

enum cs_err ledger_chain_get(struct ledger_state *state, struct cs_hash *tag)
{
	struct cs_bytes value;
	enum cs_err err = ledger_state_get(state, &value, CS_BYTES_OF(key));
	if (err == CS_ERR_NOT_FOUND || (err == CS_OK && value.n != sizeof tag->b))
		return CS_ERR_DAMAGED;
	if (err != CS_OK)
		return err;
	memcpy(tag->b, value.p, sizeof tag->b);
	return CS_OK;
}

enum cs_err ledger_chain_put(struct ledger_state *state, const struct cs_hash *tag)
{
	return ledger_state_put(state, CS_BYTES_OF(key), CS_BYTES_OF(tag->b));
}
