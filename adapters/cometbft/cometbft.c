#include "adapters/cometbft/cometbft.h"

#include "adapters/cometbft/inner.h"
#include "core/caip.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

#define GIGA 1000000000ull

/* ---- configuration ---- */

static enum cs_err check_urls(const char *const *urls, size_t count, const char *plain,
			      const char *tls, struct cs_why *why)
{
	if (count > ADAPTER_COMETBFT_ENDPOINTS_MAX)
		return cs_fail(why, CS_ERR_INVALID, "more than %d endpoints",
			       ADAPTER_COMETBFT_ENDPOINTS_MAX);
	for (size_t i = 0; i < count; i++)
		if (strncmp(urls[i], plain, strlen(plain)) != 0 &&
		    strncmp(urls[i], tls, strlen(tls)) != 0)
			return cs_fail(why, CS_ERR_INVALID,
				       "endpoint %zu does not begin with %s or %s", i, plain, tls);
	return CS_OK;
}

static enum cs_err check(struct cmt_chain_id *chain_id,
			 const struct adapter_cometbft_config *config, struct cs_why *why)
{
	struct cs_caip2 name;

	CS_TRY(check_urls(config->http, config->http_count, "http://", "https://", why));
	CS_TRY(check_urls(config->ws, config->ws_count, "ws://", "wss://", why));
	if (config->http_count == 0)
		return cs_fail(why, CS_ERR_INVALID, "http: at least one endpoint");
	if (cs_caip2_parse(&name, cs_bytes_str(config->caip2)) != CS_OK ||
	    !cs_bytes_eq(name.namespace, cs_bytes_str("cosmos")) ||
	    cmt_chain_id_set(chain_id, name.reference) != CS_OK)
		return cs_fail(why, CS_ERR_INVALID, "caip2: not cosmos:<chain id>");
	if (cs_hash_is_zero(&config->chain_tag))
		return cs_fail(why, CS_ERR_INVALID, "chain_tag: zero");
	if (config->anchor.height == 0 || config->anchor.height > INT64_MAX)
		return cs_fail(why, CS_ERR_INVALID, "anchor: not from 1 to 2^63 - 1");
	if (config->reconcile_blocks > COMET_WATCH_WINDOW)
		return cs_fail(why, CS_ERR_INVALID, "reconcile_blocks: above %d",
			       COMET_WATCH_WINDOW);
	if (config->in_flight_max > 64)
		return cs_fail(why, CS_ERR_INVALID, "in_flight_max: above 64");
	return CS_OK;
}

static void set_default(unsigned *value, unsigned normal)
{
	if (*value == 0)
		*value = normal;
}

static void set_defaults(struct adapter_cometbft_config *config)
{
	set_default(&config->block_time_ms, 1000);
	set_default(&config->poll_ms, config->block_time_ms);
	set_default(&config->stalled_ms,
		    config->block_time_ms > 1500 ? 10 * config->block_time_ms : 15000);
	set_default(&config->request_timeout_ms, 10000);
	set_default(&config->reconcile_ms, 30000);
	set_default(&config->reconcile_blocks, 128);
	set_default(&config->settle_blocks, 1);
	set_default(&config->resend_blocks, 4);
	set_default(&config->in_flight_max, 16);
	set_default(&config->gas_margin_percent, 20);
	set_default(&config->valid_s, 60);
	if (config->max_fee_cap_wei == 0)
		config->max_fee_cap_wei = 500 * GIGA;
}

static void copy_texts(struct adapter_cometbft_config *config)
{
	config->caip2 = host_text(config->caip2);
	for (size_t i = 0; i < config->http_count; i++)
		config->http[i] = host_text(config->http[i]);
	for (size_t i = 0; i < config->ws_count; i++)
		config->ws[i] = host_text(config->ws[i]);
}

static void free_texts(struct adapter_cometbft_config *config)
{
	free((void *)(uintptr_t)config->caip2);
	for (size_t i = 0; i < config->http_count; i++)
		free((void *)(uintptr_t)config->http[i]);
	for (size_t i = 0; i < config->ws_count; i++)
		free((void *)(uintptr_t)config->ws[i]);
}

/* ---- the table ---- */

static void on_ready(void *ctx)
{
	struct comet *comet = ctx;

	comet_watch_start(comet->watch);
	adapter_hint_start(comet->hint);
	comet_rescan_start(comet->rescan);
}

static void on_changed(void *ctx, const struct adapter_endpoint *endpoint)
{
	struct comet *comet = ctx;

	if (comet->listener.endpoint != NULL && !comet->ending)
		comet->listener.endpoint(comet->listener.ctx, endpoint);
}

static void on_news(void *ctx)
{
	struct comet *comet = ctx;

	comet_watch_kick(comet->watch);
}

static enum cs_err start(struct adapter *adapter, const struct adapter_cursor *cursor)
{
	struct comet *comet = comet_of(adapter);

	CS_TRY(comet_watch_load(comet->watch, cursor));
	adapter_rpc_start(comet->nodes.rpc);
	return CS_OK;
}

/*~ As in the EVM's: nothing new, every open call is answered with CLOSED, then the parts. */
static void comet_free(struct adapter *adapter)
{
	struct comet *comet = comet_of(adapter);

	comet->ending = true;
	adapter_rpc_close(comet->nodes.rpc);
	adapter_later_end(comet->later);
	comet_rescan_free(comet->rescan);
	comet_submit_free(comet->submit);
	adapter_hint_free(comet->hint);
	comet_witness_free(comet->witness);
	comet_evidence_free(comet->evidence);
	comet_watch_free(comet->watch);
	adapter_rpc_free(comet->nodes.rpc);
	adapter_later_free(comet->later);
	comet_sets_free(&comet->nodes);
	free_texts(&comet->config);
	free(comet);
}

/* What was reported is never withdrawn: nothing hangs on what is final. */
static void final(struct adapter *adapter, const struct adapter_block_id *block)
{
	(void)adapter;
	(void)block;
}

static bool hash_at(struct adapter *adapter, uint64_t height, struct cs_hash *hash)
{
	return comet_watch_hash(comet_of(adapter)->watch, height, hash);
}

static size_t endpoints(struct adapter *adapter, struct adapter_endpoint *list, size_t count_max)
{
	struct comet *comet = comet_of(adapter);
	size_t http = adapter_rpc_endpoint_count(comet->nodes.rpc);
	size_t count = http + adapter_hint_endpoint_count(comet->hint);

	for (size_t i = 0; i < count && i < count_max; i++)
		list[i] = i < http ? *adapter_rpc_endpoint(comet->nodes.rpc, i)
				   : *adapter_hint_endpoint(comet->hint, i - http);
	return count;
}

static void get_counters(struct adapter *adapter, struct adapter_counters *counters)
{
	struct comet *comet = comet_of(adapter);
	struct adapter_hint_counters hint = adapter_hint_counters(comet->hint);

	*counters = comet->counters;
	counters->ws_connects = hint.connects;
	counters->ws_hints = hint.hints;
	counters->ws_silent = hint.silent;
}

static const struct adapter_ops ops = {
	.name = "cometbft",
	.state_lag = 1,
	.start = start,
	.free = comet_free,
	.headers = comet_headers,
	.receipt_proof = comet_receipt_proof,
	.account_proof = comet_account_proof,
	.call = comet_call,
	.rehearse = comet_rehearse,
	.estimate = comet_estimate,
	.fees = comet_fees,
	.account = comet_account,
	.statuses = comet_statuses,
	.rescan = comet_rescan_add,
	.final = final,
	.submit = comet_submit_add,
	.tx_signed = comet_tx_signed,
	.tx_refused = comet_tx_refused,
	.tx_cancel = comet_tx_cancel,
	.send_raw = comet_send_raw,
	.receipt = comet_receipt,
	.hash_at = hash_at,
	.others = comet_others,
	.hand_evidence = comet_hand_evidence,
	.endpoints = endpoints,
	.sign = comet_sign,
	.counters = get_counters,
};

static enum cs_err make_rpc(struct comet *comet, struct cs_why *why)
{
	const struct adapter_rpc_config rpc = {
		.dialect = &comet_dialect,
		.dialect_context = &comet->nodes,
		.http = comet->config.http,
		.http_count = comet->config.http_count,
		.timeout_ms = comet->config.request_timeout_ms,
		.hedge = comet->config.hedge,
		.probe_ms = 5 * comet->config.block_time_ms,
		.ctx = comet,
		.changed = on_changed,
		.ready = on_ready,
	};

	return adapter_rpc_new(&comet->nodes.rpc, comet->loop, &rpc, why);
}

static void make_parts(struct comet *comet)
{
	const struct adapter_hint_config hint = {
		.ws = comet->config.ws,
		.ws_count = comet->config.ws_count,
		.request = comet_hint_request,
		.read = comet_hint_read,
		.ctx = comet,
		.news = on_news,
		.changed = on_changed,
	};

	comet->later = adapter_later_new(comet->loop);
	comet->submit = comet_submit_new(comet);
	comet->hint = adapter_hint_new(comet->loop, &hint);
	comet->watch = comet_watch_new(comet);
	comet->rescan = comet_rescan_new(comet);
	comet->witness = comet_witness_new(comet);
	comet->evidence = comet_evidence_new(comet);
}

enum cs_err adapter_cometbft_new(struct adapter **adapter, struct host_loop *loop,
				 const struct adapter_cometbft_config *config,
				 const struct adapter_listener *listener, struct cs_why *why)
{
	struct cmt_chain_id chain_id;
	struct evm_contracts contracts;

	CS_TRY(check(&chain_id, config, why));
	CS_TRY(evm_contracts_of_gateway(&contracts, config->caip2, &config->chain_tag,
					&config->gateway, why));
	struct comet *comet = host_alloc(sizeof(*comet));
	*comet = (struct comet){.base = {&ops},
				.loop = loop,
				.config = *config,
				.nodes = {.chain_id = chain_id, .chain_tag = config->chain_tag},
				.listener = *listener,
				.contracts = contracts};
	copy_texts(&comet->config);
	set_defaults(&comet->config);
	enum cs_err err = make_rpc(comet, why);
	if (err != CS_OK) {
		free_texts(&comet->config);
		free(comet);
		return err;
	}
	make_parts(comet);
	*adapter = &comet->base;
	return CS_OK;
}
