/* POST /v1/operator/accept-reorg: a reorganisation that is deeper than chains[].reorg_blocks_max is followed. It
 * is named by its lowest block, so that what the operator looked at is what is followed, and no other. */
#include "gateway/operator.h"
#include "host/alloc.h"

#include <stdlib.h>

struct acceptance {
	struct gateway_chain *chain;
	struct host_http_exchange *exchange;
	struct cs_hash block;
	struct adapter_reorg held;
	char who[HOST_API_KEY_NAME_MAX + 1];
};

static enum cs_err write_told(void *context)
{
	const struct acceptance *acceptance = context;
	const struct adapter_reorg *held = &acceptance->held;
	return gateway_operator_told(acceptance->chain->gateway, "operator.accept_reorg",
				     acceptance->who, "%s: %llu blocks from %llu",
				     acceptance->chain->config->id,
				     (unsigned long long)(held->old_tip - held->from + 1),
				     (unsigned long long)held->from);
}

static const char *why_not(enum cs_err err)
{
	if (err == CS_ERR_NOT_FOUND)
		return "no reorganisation of this chain waits";
	return err == CS_ERR_CONFLICT ? "another reorganisation waits: GET /v1/chains" : NULL;
}

static void told(void *context, enum cs_err err)
{
	struct acceptance *acceptance = context;
	const struct gateway_chain *chain = acceptance->chain;
	const struct adapter_reorg *held = &acceptance->held;
	if (err == CS_OK)
		err = adapter_accept_reorg(chain->adapter, &acceptance->block);
	if (err != CS_OK)
		host_http_reply_problem(acceptance->exchange, err, why_not(err));
	else
		host_http_reply_json(acceptance->exchange, 202,
				     json_pack("{s:s,s:o,s:o}", "chain", chain->config->id,
					       "from_height", host_json_u64(held->from), "blocks",
					       host_json_u64(held->old_tip - held->from + 1)));
	free(acceptance);
}

static enum cs_err read_body(struct gateway *gateway, struct acceptance *acceptance,
			     const json_t *body, struct cs_why *why)
{
	static const char *const names[] = {"chain", "block_hash", NULL};
	CS_TRY(host_json_known(body, names, "body", why));
	const json_t *chain = json_object_get(body, "chain");
	if (chain && !json_is_string(chain))
		return cs_fail(why, CS_ERR_MALFORMED, "chain: not a text");
	if (!chain && gateway->chain_count > 1)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "chain: say which");
	CS_TRY(host_json_read_hash(body, "block_hash", &acceptance->block, why));
	acceptance->chain = chain ? gateway_chain_named(gateway, json_string_value(chain))
				  : &gateway->chains[0];
	if (!acceptance->chain)
		return cs_fail(why, CS_ERR_NOT_FOUND, "chain: not one of this gateway");
	const struct adapter_follow *follow = &acceptance->chain->follow;
	if (!follow->is_held)
		return cs_fail(why, CS_ERR_NOT_FOUND, "%s", why_not(CS_ERR_NOT_FOUND));
	if (!cs_hash_eq(&follow->held.new_hash, &acceptance->block))
		return cs_fail(why, CS_ERR_CONFLICT, "%s", why_not(CS_ERR_CONFLICT));
	acceptance->held = follow->held;
	return CS_OK;
}

static void post_accept(void *context, struct host_http_exchange *exchange)
{
	struct gateway *gateway = context;
	struct cs_why why = {{0}};
	json_t *body = NULL;
	struct acceptance *acceptance = host_alloc(sizeof(*acceptance));
	acceptance->exchange = exchange;
	(void)snprintf(acceptance->who, sizeof(acceptance->who), "%s",
		       gateway_operator_of(exchange));
	enum cs_err err = host_http_body_json(exchange, &body, &why);
	if (err == CS_OK)
		err = read_body(gateway, acceptance, body, &why);
	json_decref(body);
	if (err == CS_OK)
		err = gateway_write_then(gateway, write_told, acceptance, told, acceptance);
	if (err != CS_OK) {
		gateway_problem(exchange, err, &why);
		free(acceptance);
	}
}

void gateway_api_reorg_routes(struct gateway *gateway)
{
	host_http_server_route(gateway->server, "POST", "/v1/operator/accept-reorg?",
			       GATEWAY_SCOPE_OPERATE, post_accept, gateway);
}
