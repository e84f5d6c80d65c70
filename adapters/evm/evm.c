#include "adapters/evm/evm.h"

#include "adapters/evm/inner.h"
#include "adapters/evm/sign.h"
#include "adapters/evm/transaction.h"
#include "host/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GWEI 1000000000ull

/* ---- configuration ---- */

static enum cs_err check_urls(const char *const *urls, size_t count, const char *plain,
			      const char *tls, struct cs_why *why)
{
	if (count > ADAPTER_EVM_ENDPOINTS_MAX)
		return cs_fail(why, CS_ERR_INVALID, "more than %d endpoints",
			       ADAPTER_EVM_ENDPOINTS_MAX);
	for (size_t i = 0; i < count; i++)
		if (strncmp(urls[i], plain, strlen(plain)) != 0 &&
		    strncmp(urls[i], tls, strlen(tls)) != 0)
			return cs_fail(why, CS_ERR_INVALID,
				       "endpoint %zu does not begin with %s or %s", i, plain, tls);
	return CS_OK;
}

static enum cs_err check(const struct adapter_evm_config *config, struct cs_why *why)
{
	CS_TRY(check_urls(config->http, config->http_count, "http://", "https://", why));
	CS_TRY(check_urls(config->ws, config->ws_count, "ws://", "wss://", why));
	if (config->http_count == 0)
		return cs_fail(why, CS_ERR_INVALID, "http: at least one endpoint");
	if (config->chain_id == 0)
		return cs_fail(why, CS_ERR_INVALID, "chain_id: 0");
	if (cs_hash_is_zero(&config->genesis_hash))
		return cs_fail(why, CS_ERR_INVALID, "genesis_hash: zero");
	if (config->reconcile_blocks > EVM_WATCH_WINDOW)
		return cs_fail(why, CS_ERR_INVALID, "reconcile_blocks: above %d", EVM_WATCH_WINDOW);
	if (config->reorg_blocks_max > EVM_WATCH_WINDOW)
		return cs_fail(why, CS_ERR_INVALID, "reorg_blocks_max: above %d", EVM_WATCH_WINDOW);
	if (config->in_flight_max > 64)
		return cs_fail(why, CS_ERR_INVALID, "in_flight_max: above 64");
	return CS_OK;
}

static void set_default(unsigned *value, unsigned normal)
{
	if (*value == 0)
		*value = normal;
}

static void set_defaults(struct adapter_evm_config *config)
{
	set_default(&config->block_time_ms, 1000);
	set_default(&config->poll_ms, config->block_time_ms);
	set_default(&config->stalled_ms,
		    config->block_time_ms > 1500 ? 10 * config->block_time_ms : 15000);
	set_default(&config->request_timeout_ms, 10000);
	set_default(&config->reconcile_ms, 30000);
	set_default(&config->reconcile_blocks, 128);
	set_default(&config->logs_range, 2000);
	set_default(&config->settle_blocks, 2);
	set_default(&config->replace_blocks, 4);
	set_default(&config->in_flight_max, 16);
	set_default(&config->gas_margin_percent, 20);
	if (config->max_fee_cap_wei == 0)
		config->max_fee_cap_wei = 500 * GWEI;
	if (config->min_priority_fee_wei == 0)
		config->min_priority_fee_wei = GWEI;
}

static void copy_texts(struct adapter_evm_config *config)
{
	for (size_t i = 0; i < config->http_count; i++)
		config->http[i] = host_text(config->http[i]);
	for (size_t i = 0; i < config->ws_count; i++)
		config->ws[i] = host_text(config->ws[i]);
}

static void free_texts(struct adapter_evm_config *config)
{
	for (size_t i = 0; i < config->http_count; i++)
		free((void *)(uintptr_t)config->http[i]);
	for (size_t i = 0; i < config->ws_count; i++)
		free((void *)(uintptr_t)config->ws[i]);
}

/* ---- the table ---- */

static void on_ready(void *ctx)
{
	struct evm *evm = ctx;

	evm_receipts_start(evm->receipts);
	evm_watch_start(evm->watch);
	adapter_hint_start(evm->hint);
	evm_rescan_start(evm->rescan);
}

static void on_changed(void *ctx, const struct adapter_endpoint *endpoint)
{
	struct evm *evm = ctx;

	if (evm->listener.endpoint != NULL && !evm->ending)
		evm->listener.endpoint(evm->listener.ctx, endpoint);
}

static void on_news(void *ctx)
{
	struct evm *evm = ctx;

	evm_watch_kick(evm->watch);
}

static enum cs_err start(struct adapter *adapter, const struct adapter_cursor *cursor)
{
	struct evm *evm = evm_of(adapter);

	CS_TRY(evm_watch_load(evm->watch, cursor));
	adapter_rpc_start(evm->rpc);
	return CS_OK;
}

/*~ The end: first nothing new, then every open call of the node is answered with CLOSED, so that
 * each request ends at its caller; then the parts, users before what they use. */
static void evm_free(struct adapter *adapter)
{
	struct evm *evm = evm_of(adapter);

	evm->ending = true;
	adapter_rpc_close(evm->rpc);
	adapter_later_end(evm->later);
	evm_rescan_free(evm->rescan);
	evm_receipts_free(evm->receipts);
	evm_submit_free(evm->submit);
	adapter_hint_free(evm->hint);
	evm_watch_free(evm->watch);
	evm_header_cache_free(evm->header_cache);
	adapter_rpc_free(evm->rpc);
	adapter_later_free(evm->later);
	free_texts(&evm->config);
	free(evm);
}

static enum cs_err rescan(struct adapter *adapter, uint64_t from, uint64_t to,
			  adapter_done_fn *done, void *ctx)
{
	return evm_rescan_add(evm_of(adapter)->rescan, from, to, done, ctx);
}

static void final(struct adapter *adapter, const struct adapter_block_id *block)
{
	evm_watch_final(evm_of(adapter)->watch, block);
}

static enum cs_err accept_reorg(struct adapter *adapter, const struct cs_hash *new_hash)
{
	return evm_watch_accept(evm_of(adapter)->watch, new_hash);
}

static bool hash_at(struct adapter *adapter, uint64_t height, struct cs_hash *hash)
{
	return evm_watch_hash(evm_of(adapter)->watch, height, hash);
}

static size_t endpoints(struct adapter *adapter, struct adapter_endpoint *list, size_t count_max)
{
	struct evm *evm = evm_of(adapter);
	size_t http = adapter_rpc_endpoint_count(evm->rpc);
	size_t count = http + adapter_hint_endpoint_count(evm->hint);

	for (size_t i = 0; i < count && i < count_max; i++)
		list[i] = i < http ? *adapter_rpc_endpoint(evm->rpc, i)
				   : *adapter_hint_endpoint(evm->hint, i - http);
	return count;
}

static void get_counters(struct adapter *adapter, struct adapter_counters *counters)
{
	struct evm *evm = evm_of(adapter);

	struct adapter_hint_counters hint = adapter_hint_counters(evm->hint);

	*counters = evm->counters;
	counters->ws_connects = hint.connects;
	counters->ws_hints = hint.hints;
	counters->ws_silent = hint.silent;
	evm_receipts_counters(evm->receipts, &counters->tries_built, &counters->trie_hits);
}

static enum cs_err sign(struct adapter *adapter, uint8_t **raw, size_t *raw_size,
			struct cs_hash *hash, const struct cs_sig *sig, const struct cs_secret *key,
			const struct adapter_signing *call, const struct adapter_terms *terms)
{
	return adapter_evm_sign(raw, raw_size, hash, sig, key, evm_of(adapter)->config.chain_id,
				call, terms);
}

static enum cs_err read_transaction(struct adapter *adapter, struct adapter_transaction *out,
				    const struct cs_sig *sig, struct cs_bytes raw,
				    struct cs_why *why)
{
	return adapter_evm_transaction_read(out, sig, evm_of(adapter)->config.chain_id, raw, why);
}

static const struct adapter_ops ops = {
	.name = "evm",
	.has_allowances = true,
	.proves_events = true,
	.start = start,
	.free = evm_free,
	.headers = evm_headers,
	.receipt_proof = evm_receipt_proof,
	.account_proof = evm_account_proof,
	.call = evm_call,
	.rehearse = evm_rehearse,
	.estimate = evm_estimate,
	.fees = evm_fees,
	.account = evm_account,
	.statuses = evm_statuses,
	.rescan = rescan,
	.final = final,
	.accept_reorg = accept_reorg,
	.submit = evm_submit_add,
	.tx_signed = evm_tx_signed,
	.tx_refused = evm_tx_refused,
	.tx_cancel = evm_tx_cancel,
	.tx_raise = evm_tx_raise,
	.send_raw = evm_send_raw,
	.read_transaction = read_transaction,
	.receipt = evm_receipt,
	.hash_at = hash_at,
	.endpoints = endpoints,
	.sign = sign,
	.counters = get_counters,
};

enum cs_err adapter_evm_new(struct adapter **adapter, struct host_loop *loop,
			    const struct adapter_evm_config *config,
			    const struct adapter_listener *listener, struct cs_why *why)
{
	struct evm_contracts contracts;

	CS_TRY(check(config, why));
	CS_TRY(evm_contracts_init(&contracts, config, why));
	struct evm *evm = host_alloc(sizeof(*evm));
	*evm = (struct evm){.base = {&ops}, .loop = loop, .config = *config, .listener = *listener};
	copy_texts(&evm->config);
	set_defaults(&evm->config);
	evm->contracts = contracts;
	evm->logs_range = evm->config.logs_range;
	struct adapter_rpc_config rpc = {
		.http = evm->config.http,
		.http_count = evm->config.http_count,
		.dialect = &evm_dialect,
		.dialect_context = &evm->config,
		.timeout_ms = evm->config.request_timeout_ms,
		.hedge = evm->config.hedge,
		.probe_ms = 5 * evm->config.block_time_ms,
		.ctx = evm,
		.changed = on_changed,
		.ready = on_ready,
	};
	struct adapter_hint_config hint = {
		.ws = evm->config.ws,
		.ws_count = evm->config.ws_count,
		.request = evm_hint_request,
		.read = evm_hint_read,
		.ctx = evm,
		.news = on_news,
		.changed = on_changed,
	};
	enum cs_err err = adapter_rpc_new(&evm->rpc, loop, &rpc, why);
	if (err != CS_OK) {
		free_texts(&evm->config);
		free(evm);
		return err;
	}
	evm->later = adapter_later_new(loop);
	evm->header_cache = evm_header_cache_new();
	evm->receipts = evm_receipts_new(loop, evm->rpc);
	evm->submit = evm_submit_new(evm);
	evm->hint = adapter_hint_new(loop, &hint);
	evm->watch = evm_watch_new(evm);
	evm->rescan = evm_rescan_new(evm);
	*adapter = &evm->base;
	return CS_OK;
}
