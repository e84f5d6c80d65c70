/* What the accounts that pay on a chain have, and for how many calls it lasts: asked of the chain, which
 * no journal can know; a call's price comes from the journal. Nothing is decided by it: people look. */
#include "gateway/gateway.h"

#include <string.h>

#define ASK_MS 15000u
/* In JSON, whose numbers clients keep in a double. */
#define CALLS_MAX ((uint64_t)1 << 53)

static const char *const role_names[] = {
	[GATEWAY_ACCOUNT_GAS] = "gas", [GATEWAY_ACCOUNT_OPERATOR] = "operator"};

const char *gateway_account_role(enum gateway_account_kind kind)
{
	return role_names[kind];
}

const struct cs_address *gateway_account_address(const struct gateway_chain *chain,
						 enum gateway_account_kind kind)
{
	if (kind == GATEWAY_ACCOUNT_GAS)
		return chain->has_gas_account ? &chain->gas_account : NULL;
	return chain->has_operator ? &chain->operator: NULL;
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
	account->told_ms = host_now_ms();
}

static void ask(struct gateway_chain *chain, enum gateway_account_kind kind)
{
	struct gateway_account *account = &chain->accounts[kind];
	const struct cs_address *address = gateway_account_address(chain, kind);
	uint64_t now = host_now_ms();
	if (!address || account->asking ||
	    (account->asked_ms != 0 && now - account->asked_ms < ASK_MS))
		return;
	account->asked_ms = now;
	if (gateway_journal_call_cost(chain->gateway->journal, &chain->identity, address,
				      &account->call_cost) != CS_OK)
		account->call_cost = 0;
	account->asking = adapter_account(chain->adapter, address, answered, account) == CS_OK;
}

void gateway_accounts_look(struct gateway_chain *chain)
{
	if (!chain->adapter || chain->follow.head_height == 0)
		return;
	for (unsigned kind = 0; kind < GATEWAY_ACCOUNT_COUNT; kind++)
		ask(chain, (enum gateway_account_kind)kind);
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
	return account->is_known &&
	       (cs_u256_is_zero(&account->balance) ||
		(gateway_account_calls(account, &calls) && calls < GATEWAY_CALLS_LOW));
}

static json_t *account_json(const struct gateway_chain *chain, enum gateway_account_kind kind,
			    const struct cs_address *address)
{
	const struct gateway_account *account = &chain->accounts[kind];
	char text[CS_U256_DECIMAL_SIZE];
	uint64_t calls = 0;
	json_t *json = json_object();
	cs_u256_decimal(text, &account->balance);
	json_object_set_new(json, "role", json_string(gateway_account_role(kind)));
	json_object_set_new(json, "address", host_json_hex(CS_BYTES_OF(address->b)));
	json_object_set_new(json, "balance", account->is_known ? json_string(text) : json_null());
	json_object_set_new(json, "calls",
			    gateway_account_calls(account, &calls) ? host_json_u64(calls)
								   : json_null());
	json_object_set_new(json, "low", json_boolean(gateway_account_is_low(account)));
	return json;
}

json_t *gateway_accounts_json(const struct gateway_chain *chain)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < GATEWAY_ACCOUNT_COUNT; i++) {
		enum gateway_account_kind kind = (enum gateway_account_kind)i;
		const struct cs_address *address = gateway_account_address(chain, kind);
		if (address)
			json_array_append_new(list, account_json(chain, kind, address));
	}
	return list;
}
