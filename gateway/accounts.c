/* What the accounts that pay on a chain have, and for how many calls it lasts: asked of the chain, which
 * no journal can know; a call's price comes from the journal. People look at it, and the pool (pool.c)
 * chooses by it which account pays. */
#include "gateway/gateway.h"

#include <stdio.h>
#include <string.h>

#define ASK_MS 15000u
/* In JSON, whose numbers clients keep in a double. */
#define CALLS_MAX ((uint64_t)1 << 53)

static const char *role_of(size_t index)
{
	return index == GATEWAY_ACCOUNT_OPERATOR ? "operator" : "gas";
}

const char *gateway_account_name(char text[GATEWAY_ACCOUNT_NAME_SIZE], size_t index)
{
	bool numbered = index > 0 && index < GATEWAY_GAS_ACCOUNTS_MAX;
	if (numbered)
		(void)snprintf(text, GATEWAY_ACCOUNT_NAME_SIZE, "gas-%u", (unsigned)index);
	else
		(void)snprintf(text, GATEWAY_ACCOUNT_NAME_SIZE, "%s", role_of(index));
	return text;
}

bool gateway_account_is_shown(const struct gateway_chain *chain, size_t index)
{
	const struct gateway_account *account = &chain->accounts[index];
	return account->is_there && (index < chain->own->gas_accounts ||
				     index == GATEWAY_ACCOUNT_OPERATOR || account->open > 0);
}

/* ---- asking ---- */

static void answered(void *context, enum cs_err err, const char *why,
		     const struct adapter_account *told)
{
	struct gateway_account *account = context;
	(void)why; /* the endpoint's state has it */
	account->asking = false;
	if (err != CS_OK)
		return;
	account->is_known = true;
	account->balance = cs_u256_from_word(&told->balance);
	if (cs_u256_cmp(&account->balance, &account->need) >= 0)
		account->is_out = false; /* somebody sent it something */
	account->told_ms = host_now_ms();
}

static void ask(struct gateway_chain *chain, struct gateway_account *account)
{
	uint64_t now = host_now_ms();
	if (account->asking || (account->asked_ms != 0 && now - account->asked_ms < ASK_MS))
		return;
	account->asked_ms = now;
	if (gateway_journal_call_cost(chain->gateway->journal, &chain->identity, &account->address,
				      &account->call_cost) != CS_OK)
		account->call_cost = 0;
	account->asking =
		adapter_account(chain->adapter, &account->address, answered, account) == CS_OK;
}

void gateway_accounts_look(struct gateway_chain *chain)
{
	if (!chain->adapter || chain->follow.head_height == 0)
		return;
	for (size_t i = 0; i < GATEWAY_ACCOUNT_COUNT; i++)
		if (gateway_account_is_shown(chain, i))
			ask(chain, &chain->accounts[i]);
}

/* ---- what is known ---- */

bool gateway_account_calls(const struct gateway_account *account, uint64_t *calls)
{
	uint64_t rest = 0;
	if (!account->is_known || account->call_cost == 0)
		return false;
	struct cs_u256 count = cs_u256_div_u64(&rest, &account->balance, account->call_cost);
	if (cs_u256_to_u64(calls, &count) != CS_OK || *calls > CALLS_MAX)
		*calls = CALLS_MAX;
	return true;
}

bool gateway_account_is_low(const struct gateway_account *account)
{
	uint64_t calls = 0;
	return account->is_out ||
	       (account->is_known &&
		(cs_u256_is_zero(&account->balance) ||
		 (gateway_account_calls(account, &calls) && calls < GATEWAY_CALLS_LOW)));
}

static json_t *account_json(const struct gateway_account *account, size_t index)
{
	char text[CS_U256_DECIMAL_SIZE];
	uint64_t calls = 0;
	json_t *json = json_object();
	cs_u256_decimal(text, &account->balance);
	json_object_set_new(json, "role", json_string(role_of(index)));
	json_object_set_new(json, "index",
			    host_json_u64(index == GATEWAY_ACCOUNT_OPERATOR ? 0 : index));
	json_object_set_new(json, "address", host_json_hex(CS_BYTES_OF(account->address.b)));
	json_object_set_new(json, "open_transactions", host_json_u64(account->open));
	json_object_set_new(json, "balance", account->is_known ? json_string(text) : json_null());
	json_object_set_new(json, "calls",
			    gateway_account_calls(account, &calls) ? host_json_u64(calls)
								   : json_null());
	json_object_set_new(json, "cannot_pay", json_boolean(account->is_out));
	json_object_set_new(json, "low", json_boolean(gateway_account_is_low(account)));
	return json;
}

json_t *gateway_accounts_json(const struct gateway_chain *chain)
{
	json_t *list = json_array();
	for (size_t i = 0; i < GATEWAY_ACCOUNT_COUNT; i++)
		if (gateway_account_is_shown(chain, i))
			json_array_append_new(list, account_json(&chain->accounts[i], i));
	return list;
}
