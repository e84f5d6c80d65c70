#include "tests/adapters/driver_open.h"

#include "adapters/cometbft/cometbft.h"
#include "adapters/evm/evm.h"
#include "adapters/evm/json.h"

static void fill(void *to, size_t n, const json_t *json)
{
	if (json != NULL)
		cs_assert(evm_json_fixed(to, n, json) == CS_OK);
}

static uint64_t number(const json_t *json, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(json, key));
}

static size_t urls(const char **to, const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		to[i] = json_string_value(json_array_get(list, i));
	return json_array_size(list);
}

static size_t addresses(struct cs_address *to, const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list) && i < ADAPTER_EVM_ORACLES_MAX; i++)
		fill(to[i].b, 20, json_array_get(list, i));
	return json_array_size(list);
}

static struct adapter_hedge_config hedge_of(const json_t *json)
{
	return (struct adapter_hedge_config){
		.percent = (unsigned)number(json, "hedge_percent"),
		.delay_min_ms = (unsigned)number(json, "hedge_delay_min_ms"),
		.delay_max_ms = (unsigned)number(json, "hedge_delay_max_ms")};
}

static enum cs_err open_evm(struct adapter **adapter, struct host_loop *loop, const json_t *json,
			    const struct adapter_listener *listener, struct cs_why *why)
{
	struct adapter_evm_config config = {
		.chain_id = number(json, "chain_id"),
		.start_height = number(json, "start_height"),
		.block_time_ms = (unsigned)number(json, "block_time_ms"),
		.poll_ms = (unsigned)number(json, "poll_ms"),
		.stalled_ms = (unsigned)number(json, "stalled_ms"),
		.request_timeout_ms = (unsigned)number(json, "request_timeout_ms"),
		.blocks_on_demand = json_is_true(json_object_get(json, "blocks_on_demand")),
		.hedge = hedge_of(json),
		.reconcile_ms = (unsigned)number(json, "reconcile_ms"),
		.logs_range = (unsigned)number(json, "logs_range"),
		.settle_blocks = (unsigned)number(json, "settle_blocks"),
		.reorg_blocks_max = (unsigned)number(json, "reorg_blocks_max"),
		.replace_blocks = (unsigned)number(json, "replace_blocks"),
		.in_flight_max = (unsigned)number(json, "in_flight_max"),
	};

	config.http_count = urls(config.http, json_object_get(json, "http"));
	config.ws_count = urls(config.ws, json_object_get(json, "ws"));
	fill(config.genesis_hash.b, 32, json_object_get(json, "genesis"));
	fill(config.gateway.b, 20, json_object_get(json, "gateway"));
	config.oracle_count = addresses(config.oracles, json_object_get(json, "oracles"));
	config.feed_count = addresses(config.feeds, json_object_get(json, "feeds"));
	return adapter_evm_new(adapter, loop, &config, listener, why);
}

static enum cs_err open_ledger(struct adapter **adapter, struct host_loop *loop, const json_t *json,
			       const struct adapter_listener *listener, struct cs_why *why)
{
	struct adapter_cometbft_config config = {
		.caip2 = json_string_value(json_object_get(json, "caip2")),
		.anchor.height = number(json, "anchor_height"),
		.block_time_ms = (unsigned)number(json, "block_time_ms"),
		.poll_ms = (unsigned)number(json, "poll_ms"),
		.stalled_ms = (unsigned)number(json, "stalled_ms"),
		.request_timeout_ms = (unsigned)number(json, "request_timeout_ms"),
		.blocks_on_demand = json_is_true(json_object_get(json, "blocks_on_demand")),
		.hedge = hedge_of(json),
		.reconcile_ms = (unsigned)number(json, "reconcile_ms"),
		.settle_blocks = (unsigned)number(json, "settle_blocks"),
		.resend_blocks = (unsigned)number(json, "resend_blocks"),
		.in_flight_max = (unsigned)number(json, "in_flight_max"),
		.valid_s = (unsigned)number(json, "valid_s"),
	};

	config.http_count = urls(config.http, json_object_get(json, "http"));
	config.ws_count = urls(config.ws, json_object_get(json, "ws"));
	fill(config.chain_tag.b, 32, json_object_get(json, "genesis"));
	fill(config.gateway.b, 20, json_object_get(json, "gateway"));
	fill(config.anchor.hash.b, 32, json_object_get(json, "anchor_hash"));
	return adapter_cometbft_new(adapter, loop, &config, listener, why);
}

enum cs_err driver_open(struct adapter **adapter, struct host_loop *loop, const json_t *settings,
			const struct adapter_listener *listener, struct cs_why *why)
{
	return json_object_get(settings, "caip2") != NULL
		       ? open_ledger(adapter, loop, settings, listener, why)
		       : open_evm(adapter, loop, settings, listener, why);
}
