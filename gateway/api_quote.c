/* GET /v1/quote: what a message or a transfer costs now, and how long those before it took. The fee is the
 * contract's word, the price of gas the node's; the times are the journal's, of what was finalized. */
#include "adapters/evm/contract_error.h"
#include "core/caip.h"
#include "gateway/gateway.h"
#include "gateway/send_calls.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

#define SAMPLES_MAX 256u

struct quote {
	struct gateway_chain *chain;
	struct host_http_exchange *exchange;
	struct cs_arena *arena;
	struct gateway_send_body body;
	struct cs_hash remote;
	struct cs_u256 fee;
};

static void quote_free(struct quote *quote)
{
	gateway_arena_free(quote->arena);
	free(quote);
}

static void quote_fail(struct quote *quote, enum cs_err err, const char *why)
{
	host_http_reply_problem(quote->exchange, err, why);
	quote_free(quote);
}

/* ---- how long it took ---- */

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

/* The smallest that so many of a hundred do not exceed. */
static uint64_t percentile(const uint64_t *sorted, size_t count, size_t percent)
{
	return sorted[(count * percent + 99) / 100 - 1];
}

/* From the block of the event at the source to this step. Null where nothing was measured. */
static json_t *latency_json(const struct quote *quote, enum relay_step step)
{
	uint64_t took[SAMPLES_MAX];
	size_t count = 0;
	if (gateway_journal_latencies(quote->chain->gateway->journal, &quote->chain->identity,
				      &quote->remote, step, took, SAMPLES_MAX, &count) != CS_OK ||
	    count == 0)
		return json_null();
	qsort(took, count, sizeof(took[0]), ascending);
	return json_pack("{s:I,s:I,s:I}", "samples", (json_int_t)count, "p50_ms",
			 (json_int_t)percentile(took, count, 50), "p99_ms",
			 (json_int_t)percentile(took, count, 99));
}

/* ---- the answer ---- */

static json_t *decimal(const struct cs_u256 *value)
{
	char text[CS_U256_DECIMAL_SIZE];
	cs_u256_decimal(text, value);
	return json_string(text);
}

static void fees_done(void *ctx, enum cs_err err, const char *why, const struct adapter_fees *fees)
{
	struct quote *quote = ctx;
	struct cs_u256 cost;
	if (err == CS_OK) {
		struct cs_u256 gas = cs_u256_u64(gateway_send_gas(&quote->body));
		struct cs_u256 price = cs_u256_u64(fees->max_fee_wei);
		err = cs_u256_mul(&cost, &gas, &price);
	}
	if (err != CS_OK) {
		quote_fail(quote, cs_err_may_retry(err) ? err : CS_ERR_RPC, why);
		return;
	}
	struct cs_u256 price = cs_u256_u64(fees->max_fee_wei);
	json_t *json = json_object();
	json_object_set_new(json, "kind",
			    json_string(quote->body.transfer ? "transfer" : "message"));
	json_object_set_new(json, "from_chain", json_string(quote->chain->config->id));
	json_object_set_new(json, "to_chain",
			    json_string(gateway_caip2(quote->chain->gateway, &quote->remote)));
	json_object_set_new(json, "fee", decimal(&quote->fee));
	json_object_set_new(json, "gas", host_json_u64(gateway_send_gas(&quote->body)));
	json_object_set_new(json, "gas_price", decimal(&price));
	json_object_set_new(json, "gas_cost", decimal(&cost));
	json_object_set_new(json, "delivered", latency_json(quote, RELAY_STEP_EXECUTED));
	json_object_set_new(json, "finalized", latency_json(quote, RELAY_STEP_FINALIZED));
	host_http_reply_json(quote->exchange, 200, json);
	quote_free(quote);
}

static void fee_done(void *ctx, enum cs_err err, const char *why, struct cs_bytes data)
{
	struct quote *quote = ctx;
	char text[ADAPTER_CONTRACT_ERROR_MAX] = "";
	if (err == CS_OK && data.n != 32)
		err = CS_ERR_RPC_LIE;
	if (err == CS_OK)
		err = cs_u256_from_bytes(&quote->fee, data);
	if (err == CS_ERR_REVERTED && adapter_contract_error(text, sizeof(text), data)) {
		quote_fail(quote, err, text);
		return;
	}
	if (err == CS_OK)
		err = adapter_fees(quote->chain->adapter, fees_done, quote);
	if (err != CS_OK)
		quote_fail(quote,
			   cs_err_may_retry(err) || err == CS_ERR_REVERTED ? err : CS_ERR_RPC, why);
}

/* ---- the question ---- */

/* As the body of POST /v1/messages or /v1/transfers, with zeros for a payload. */
static enum cs_err body_of(json_t **out, bool *transfer, const struct host_http_exchange *exchange,
			   struct cs_why *why)
{
	const char *kind = host_http_query(exchange, "kind");
	const char *size = host_http_query(exchange, "payload_size");
	const char *limit = host_http_query(exchange, "min_gas_limit");
	uint64_t bytes = 0;
	uint64_t gas = 0;
	*transfer = kind && strcmp(kind, "transfer") == 0;
	if (kind && !*transfer && strcmp(kind, "message") != 0)
		return cs_fail(why, CS_ERR_INVALID, "kind: neither message nor transfer");
	if (size && !gateway_read_number(size, CS_PAYLOAD_SIZE_MAX, &bytes))
		return cs_fail(why, CS_ERR_INVALID, "payload_size: 0 to %u", CS_PAYLOAD_SIZE_MAX);
	if (limit && !gateway_read_number(limit, INT64_MAX, &gas))
		return cs_fail(why, CS_ERR_INVALID, "min_gas_limit: not a number");
	json_t *json = json_pack("{s:s,s:s*,s:s*}", "mode", "prepare", "to",
				 host_http_query(exchange, "to"), "from_chain",
				 host_http_query(exchange, "from_chain"));
	if (!json)
		return cs_fail(why, CS_ERR_MALFORMED, "the query is not UTF-8");
	if (limit)
		json_object_set_new(json, "attributes",
				    json_pack("{s:I}", "min_gas_limit", (json_int_t)gas));
	if (*transfer) {
		json_object_set_new(json, "amount", json_string("1"));
	} else {
		char *payload = host_alloc(2 * bytes + 3);
		memset(payload, '0', 2 * bytes + 2);
		payload[1] = 'x';
		json_object_set_new(json, "payload", json_string(payload));
		free(payload);
	}
	*out = json;
	return CS_OK;
}

static enum cs_err find_route(struct quote *quote, struct gateway *gateway)
{
	struct cs_account to;
	quote->chain = gateway_chain_of(gateway, &quote->body.chain->common.manifest->identity);
	CS_TRY(cs_interop_account(&to, quote->body.recipient));
	const struct host_manifest_chain *remote =
		host_manifest_named(&gateway->config.manifest, to.caip2);
	if (!remote)
		return CS_ERR_NOT_IN_MANIFEST;
	quote->remote = remote->identity;
	return CS_OK;
}

static enum cs_err begin(struct quote *quote, struct gateway *gateway, struct cs_why *why)
{
	struct cs_buf buf;
	json_t *json = NULL;
	struct gateway_send_terms terms = {.config = &gateway->config};
	CS_TRY(body_of(&json, &terms.transfer, quote->exchange, why));
	enum cs_err err = gateway_send_body_read(&quote->body, &terms, json, quote->arena, why);
	json_decref(json);
	CS_TRY(err);
	CS_TRY(find_route(quote, gateway));
	CS_TRY(gateway_send_quote(&buf, &quote->body, quote->arena));
	return adapter_call(quote->chain->adapter, NULL,
			    quote->body.transfer ? &quote->chain->own->bridge
						 : &quote->chain->manifest->gateway,
			    cs_buf_view(&buf), fee_done, quote);
}

static void get_quote(void *context, struct host_http_exchange *exchange)
{
	struct cs_why why = {{0}};
	struct quote *quote = host_alloc(sizeof(*quote));
	quote->exchange = exchange;
	quote->arena = gateway_arena_new();
	enum cs_err err = begin(quote, context, &why);
	if (err != CS_OK)
		quote_fail(quote, err, why.text);
}

void gateway_api_quote_routes(struct gateway *gateway)
{
	host_http_server_route(gateway->server, "GET",
			       "/v1/quote?to&from_chain&kind&payload_size&min_gas_limit",
			       GATEWAY_SCOPE_READ, get_quote, gateway);
}
