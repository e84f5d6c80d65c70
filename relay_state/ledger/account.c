#include "relay_state/ledger/account.h"

#include <string.h>

void ledger_account_key(uint8_t key[LEDGER_ACCOUNT_KEY_SIZE], const struct cs_address *address)
{
	key[0] = LEDGER_OWN_KEYS;
	memcpy(key + 1, address->b, sizeof address->b);
}

enum cs_err ledger_account_decode(struct ledger_account *account, struct cs_bytes value)
{
	struct cs_hash word;
	if (value.n != LEDGER_ACCOUNT_SIZE)
		return CS_ERR_DAMAGED;
	memcpy(word.b, value.p + 8, sizeof word.b);
	*account = (struct ledger_account){cs_be64(value.p), cs_u256_from_word(&word)};
	return CS_OK;
}

enum cs_err ledger_account_get(struct ledger_state *state, struct ledger_account *account,
			       const struct cs_address *address)
{
	uint8_t key[LEDGER_ACCOUNT_KEY_SIZE];
	struct cs_bytes value;
	ledger_account_key(key, address);
	enum cs_err err = ledger_state_get(state, &value, CS_BYTES_OF(key));
	if (err == CS_ERR_NOT_FOUND) {
		*account = (struct ledger_account){0};
		return CS_OK;
	}
	return err != CS_OK ? err : ledger_account_decode(account, value);
}

enum cs_err ledger_account_put(struct ledger_state *state, const struct cs_address *address,
			       const struct ledger_account *account)
{
	uint8_t key[LEDGER_ACCOUNT_KEY_SIZE], value[LEDGER_ACCOUNT_SIZE];
	struct cs_hash word = cs_u256_word(&account->balance);
	ledger_account_key(key, address);
	if (account->sequence == 0 && cs_u256_is_zero(&account->balance))
		return ledger_state_remove(state, CS_BYTES_OF(key));
	cs_put_be64(value, account->sequence);
	memcpy(value + 8, word.b, sizeof word.b);
	return ledger_state_put(state, CS_BYTES_OF(key), CS_BYTES_OF(value));
}

enum cs_err ledger_account_move(struct ledger_state *state, bool *moved,
				const struct cs_address *from, const struct cs_address *to,
				const struct cs_u256 *amount)
{
	struct ledger_account giver, taker;
	CS_TRY(ledger_account_get(state, &giver, from));
	CS_TRY(ledger_account_get(state, &taker, to));
	if (cs_u256_sub(&giver.balance, &giver.balance, amount) != CS_OK) {
		*moved = false;
		return CS_OK;
	}
	if (!cs_address_eq(from, to)) {
		if (cs_u256_add(&taker.balance, &taker.balance, amount) != CS_OK) {
			*moved = false;
			return CS_OK;
		}
		CS_TRY(ledger_account_put(state, from, &giver));
		CS_TRY(ledger_account_put(state, to, &taker));
	}
	*moved = true;
	return CS_OK;
}
