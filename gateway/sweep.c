/* POST /v1/operator/sweep: what is on one of the enclave's gas accounts of a chain goes to the one address that the
 * manifest names for it; the enclave signs a transfer to no other. Twice what the transfer may cost stays
 * behind, so that its fee can be raised. Written down with its amount before it is sent, and sent once. */
#include "core/u256.h"
#include "gateway/operator.h"
#include "host/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a transfer to an account without code; what the enclave signs. */
#define GAS_TRANSFER 21000u
#define STAYS 2u /* times what it may cost */

struct sweep {
	struct gateway_chain *chain;
	struct gateway_account *account;
	struct host_http_exchange *exchange;
	char who[HOST_API_KEY_NAME_MAX + 1];
	struct cs_u256 keep;
	struct cs_u256 balance;
	struct cs_u256 value;
	uint64_t submission;
};

static void fail(struct sweep *sweep, enum cs_err err, const char *why)
{
	host_http_reply_problem(sweep->exchange, err, why);
	free(sweep);
}

static json_t *decimal(const struct cs_u256 *value)
{
	char text[CS_U256_DECIMAL_SIZE];
	cs_u256_decimal(text, value);
	return json_string(text);
}

/* ---- written, then sent ---- */

static enum cs_err write_sweep(void *context)
{
	struct sweep *sweep = context;
	struct gateway_chain *chain = sweep->chain;
	char value[CS_U256_DECIMAL_SIZE];
	char to[2 * sizeof(chain->manifest->sweep_to.b) + 1];
	struct gateway_submission submission = {.chain = chain->identity,
						.kind = GATEWAY_SWEEP,
						.account = sweep->account->address,
						.to = chain->manifest->sweep_to,
						.value = cs_u256_word(&sweep->value),
						.gas_limit = GAS_TRANSFER};
	CS_TRY(gateway_journal_add_submission(chain->gateway->journal, &submission, CS_BYTES_NONE));
	sweep->submission = submission.n;
	cs_u256_decimal(value, &sweep->value);
	cs_hex(to, CS_BYTES_OF(chain->manifest->sweep_to.b));
	return gateway_operator_told(chain->gateway, "operator.sweep", sweep->who,
				     "%s: %s wei to 0x%s", chain->config->id, value, to);
}

static void committed(void *context, enum cs_err err)
{
	struct sweep *sweep = context;
	struct gateway_chain *chain = sweep->chain;
	if (err != CS_OK) {
		fail(sweep, err, NULL);
		return;
	}
	json_t *json = json_object();
	json_object_set_new(json, "chain", json_string(chain->config->id));
	json_object_set_new(json, "n", host_json_u64(sweep->submission));
	json_object_set_new(json, "account", host_json_hex(CS_BYTES_OF(sweep->account->address.b)));
	json_object_set_new(json, "to", host_json_hex(CS_BYTES_OF(chain->manifest->sweep_to.b)));
	json_object_set_new(json, "value", decimal(&sweep->value));
	json_object_set_new(json, "stays", decimal(&sweep->keep));
	host_http_reply_json(sweep->exchange, 202, json);
	gateway_wake(chain->gateway);
	free(sweep);
}

/* ---- how much ---- */

static enum cs_err reckon(struct sweep *sweep, const struct adapter_fees *fees)
{
	struct cs_u256 gas = cs_u256_u64(STAYS * GAS_TRANSFER);
	struct cs_u256 price = cs_u256_u64(fees->max_fee_wei);
	struct cs_u256 cost;
	struct cs_u256 stays;
	CS_TRY(cs_u256_mul(&cost, &gas, &price));
	CS_TRY(cs_u256_add(&stays, &cost, &sweep->keep));
	if (cs_u256_cmp(&sweep->balance, &stays) <= 0)
		return CS_ERR_NO_FUNDS;
	sweep->keep = stays;
	return cs_u256_sub(&sweep->value, &sweep->balance, &stays);
}

static bool is_busy(const struct gateway_account *account)
{
	return account->open + account->promised > 0;
}

static void fees_done(void *ctx, enum cs_err err, const char *why, const struct adapter_fees *fees)
{
	struct sweep *sweep = ctx;
	struct gateway_chain *chain = sweep->chain;
	if (err == CS_OK && is_busy(sweep->account)) {
		fail(sweep, CS_ERR_CONFLICT, "a transaction of the account began meanwhile");
		return;
	}
	if (err == CS_OK)
		err = reckon(sweep, fees);
	if (err == CS_ERR_NO_FUNDS) {
		fail(sweep, err, "what is there is what stays");
		return;
	}
	if (err == CS_OK)
		err = gateway_write_then(chain->gateway, write_sweep, sweep, committed, sweep);
	if (err != CS_OK)
		fail(sweep, err, why);
}

static void account_done(void *ctx, enum cs_err err, const char *why,
			 const struct adapter_account *account)
{
	struct sweep *sweep = ctx;
	if (err == CS_OK) {
		sweep->balance = cs_u256_from_word(&account->balance);
		err = adapter_fees(sweep->chain->adapter, fees_done, sweep);
	}
	if (err != CS_OK)
		fail(sweep, err, why);
}

/* ---- the request ---- */

static enum cs_err read_keep(const json_t *body, struct cs_u256 *keep, struct cs_why *why)
{
	const json_t *given = json_object_get(body, "keep");
	*keep = cs_u256_u64(0);
	if (!given)
		return CS_OK;
	if (!json_is_string(given) ||
	    cs_u256_from_decimal(keep, cs_bytes_str(json_string_value(given))) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED, "keep: no amount in wei, as decimal text");
	return CS_OK;
}

/* One that is in use no more may still have something. */
static enum cs_err read_account(const json_t *body, struct sweep *sweep, struct cs_why *why)
{
	const json_t *given = json_object_get(body, "account");
	json_int_t index = json_integer_value(given); /* without one: the first */
	if (given && (!json_is_integer(given) || index < 0 || index >= GATEWAY_GAS_ACCOUNTS_MAX))
		return cs_fail(why, CS_ERR_MALFORMED, "account: no index below %u",
			       GATEWAY_GAS_ACCOUNTS_MAX);
	sweep->account = &sweep->chain->accounts[index];
	return CS_OK;
}

static enum cs_err read_body(struct gateway *gateway, struct sweep *sweep, const json_t *body,
			     struct cs_why *why)
{
	static const char *const names[] = {"chain", "account", "keep", NULL};
	CS_TRY(host_json_known(body, names, "body", why));
	const json_t *chain = json_object_get(body, "chain");
	if (chain && !json_is_string(chain))
		return cs_fail(why, CS_ERR_MALFORMED, "chain: not a text");
	if (!chain && gateway->chain_count > 1)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "chain: say which");
	sweep->chain = chain ? gateway_chain_named(gateway, json_string_value(chain))
			     : &gateway->chains[0];
	if (!sweep->chain)
		return cs_fail(why, CS_ERR_NOT_FOUND, "chain: not one of this gateway");
	CS_TRY(read_account(body, sweep, why));
	return read_keep(body, &sweep->keep, why);
}

static enum cs_err may_sweep(const struct sweep *sweep, struct cs_why *why)
{
	const struct gateway_chain *chain = sweep->chain;
	if (strncmp(chain->config->id, "eip155:", strlen("eip155:")) != 0)
		return cs_fail(why, CS_ERR_UNSUPPORTED, "%s: gas accounts of EVM chains alone",
			       chain->config->id);
	if (!chain->gateway->enclave_ready || !sweep->account->is_there)
		return cs_fail(why, CS_ERR_UNAVAILABLE, "the enclave is not ready");
	if (is_busy(sweep->account))
		return cs_fail(why, CS_ERR_CONFLICT,
			       "%u transactions of the account are under way: pause the chain, and "
			       "wait",
			       sweep->account->open);
	return CS_OK;
}

static void post_sweep(void *context, struct host_http_exchange *exchange)
{
	struct gateway *gateway = context;
	struct cs_why why = {{0}};
	json_t *body = NULL;
	struct sweep *sweep = host_alloc(sizeof(*sweep));
	sweep->exchange = exchange;
	(void)snprintf(sweep->who, sizeof(sweep->who), "%s", gateway_operator_of(exchange));
	enum cs_err err = host_http_body_json(exchange, &body, &why);
	if (err == CS_OK)
		err = read_body(gateway, sweep, body, &why);
	json_decref(body);
	if (err == CS_OK)
		err = may_sweep(sweep, &why);
	if (err == CS_OK)
		err = adapter_account(sweep->chain->adapter, &sweep->account->address, account_done,
				      sweep);
	if (err != CS_OK) {
		gateway_problem(exchange, err, &why);
		free(sweep);
	}
}

void gateway_api_sweep_routes(struct gateway *gateway)
{
	host_http_server_route(gateway->server, "POST", "/v1/operator/sweep?",
			       GATEWAY_SCOPE_OPERATE, post_sweep, gateway);
}
