#include "adapters/rpc_inner.h"
#include "host/alloc.h"
#include "host/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBE_PAUSE_MAX_MS 30000
#define LIED_MS 10000
#define DIVERGED_MS 60000

/* ---- what is known of one ---- */

static void set_state(struct rpc_endpoint *endpoint, enum adapter_endpoint_state state)
{
	struct adapter_rpc *rpc = endpoint->rpc;

	if (endpoint->public.state == state)
		return;
	endpoint->public.state = state;
	if (rpc->config.changed != NULL && !rpc->ending)
		rpc->config.changed(rpc->config.ctx, &endpoint->public);
}

static bool is_diverged(const struct rpc_endpoint *endpoint)
{
	return host_now_ms() < endpoint->diverged_until_ms;
}

static void set_why(struct rpc_endpoint *endpoint, const char *why)
{
	endpoint->public.errors++;
	snprintf(endpoint->public.why, sizeof(endpoint->public.why), "%.119s", why);
}

/* An open breaker is what people are told of. */
static void set_ill(struct rpc_endpoint *endpoint)
{
	endpoint->public.breaker = endpoint->health.breaker;
	if (endpoint->health.breaker == ADAPTER_BREAKER_OPEN && !is_diverged(endpoint) &&
	    endpoint->public.state != ADAPTER_ENDPOINT_WRONG_CHAIN)
		set_state(endpoint, ADAPTER_ENDPOINT_FAILING);
}

void rpc_endpoint_failed(struct rpc_endpoint *endpoint, enum adapter_rpc_class class,
			 enum adapter_failure failure, uint64_t retry_after_ms, const char *why)
{
	uint64_t now_ms = host_now_ms();

	set_why(endpoint, why);
	endpoint->public.failures[failure]++;
	if (class == ADAPTER_RPC_LIMIT) {
		endpoint->public.limited++;
		adapter_health_limited(&endpoint->health, now_ms, retry_after_ms);
		return;
	}
	if (class == ADAPTER_RPC_LIE) {
		endpoint->public.lies++;
		endpoint->health.last_until_ms = now_ms + LIED_MS;
	}
	adapter_health_failed(&endpoint->health, now_ms);
	set_ill(endpoint);
}

/* It is of the chain, and answers. */
static void set_well(struct rpc_endpoint *endpoint)
{
	bool lags = endpoint->public.height + ADAPTER_RPC_LAG_MAX < endpoint->rpc->height_best;

	if (!endpoint->identified || is_diverged(endpoint) ||
	    endpoint->health.breaker == ADAPTER_BREAKER_OPEN)
		return;
	set_state(endpoint, lags ? ADAPTER_ENDPOINT_LAGGING : ADAPTER_ENDPOINT_OK);
}

void rpc_endpoint_answered(struct rpc_endpoint *endpoint, bool probe)
{
	if (endpoint->identified)
		endpoint->rpc->heard_ms = host_now_ms();
	if (probe)
		adapter_health_probed(&endpoint->health, host_now_ms());
	else
		adapter_health_answered(&endpoint->health, host_now_ms());
	endpoint->public.breaker = endpoint->health.breaker;
	set_well(endpoint);
}

void rpc_endpoint_took(struct rpc_endpoint *endpoint, uint64_t took_ms)
{
	adapter_health_took(&endpoint->health, took_ms);
	endpoint->public.answer_p50_ms = adapter_health_within_ms(&endpoint->health, 50);
	endpoint->public.answer_p95_ms = adapter_health_within_ms(&endpoint->health, 95);
	endpoint->public.answer_p99_ms = adapter_health_within_ms(&endpoint->health, 99);
}

void adapter_rpc_lied(struct adapter_rpc *rpc, size_t endpoint, const char *why)
{
	if (endpoint < rpc->endpoint_count)
		rpc_endpoint_failed(&rpc->endpoints[endpoint], ADAPTER_RPC_LIE, ADAPTER_FAILURE_LIE,
				    0, why);
}

void adapter_rpc_lacks(struct adapter_rpc *rpc, size_t index, const char *why)
{
	if (index < rpc->endpoint_count)
		set_why(&rpc->endpoints[index], why);
}

void adapter_rpc_saw_height(struct adapter_rpc *rpc, size_t endpoint, uint64_t height)
{
	if (endpoint >= rpc->endpoint_count)
		return;
	rpc->endpoints[endpoint].public.height = height;
	if (height > rpc->height_best && !is_diverged(&rpc->endpoints[endpoint]))
		rpc->height_best = height;
	set_well(&rpc->endpoints[endpoint]);
}

void adapter_rpc_diverged(struct adapter_rpc *rpc, size_t index, const char *why)
{
	if (index >= rpc->endpoint_count)
		return;
	struct rpc_endpoint *endpoint = &rpc->endpoints[index];
	endpoint->diverged_until_ms = host_now_ms() + DIVERGED_MS;
	endpoint->public.diverged++;
	set_why(endpoint, why);
	rpc->height_best = 0;
	for (size_t i = 0; i < rpc->endpoint_count; i++)
		if (!is_diverged(&rpc->endpoints[i]) &&
		    rpc->endpoints[i].public.height > rpc->height_best)
			rpc->height_best = rpc->endpoints[i].public.height;
	set_state(endpoint, ADAPTER_ENDPOINT_DIVERGED);
}

/* ---- which one is asked ---- */

#define RANK_FAR 2u /* not known to be at the height that is asked for */

/* Lower is asked earlier. */
static unsigned rank(const struct rpc_endpoint *endpoint, uint64_t height_min, uint64_t now_ms)
{
	unsigned value = now_ms < endpoint->diverged_until_ms ? 16 : 0;

	if (endpoint->health.breaker == ADAPTER_BREAKER_OPEN)
		value += 8;
	if (now_ms < endpoint->health.last_until_ms || endpoint->health.overtaken > 0)
		value += 4;
	if (endpoint->public.height < height_min)
		value += RANK_FAR;
	if (endpoint->public.state == ADAPTER_ENDPOINT_LAGGING)
		value += 1;
	return value;
}

bool rpc_endpoint_is_fit(const struct rpc_endpoint *endpoint, bool read)
{
	const struct adapter_health *health = &endpoint->health;

	return endpoint->identified && adapter_health_takes_reads(health, host_now_ms()) &&
	       (read || health->breaker == ADAPTER_BREAKER_CLOSED);
}

static bool is_any_fit(const struct adapter_rpc *rpc, bool read)
{
	for (size_t i = 0; i < rpc->endpoint_count; i++)
		if (rpc_endpoint_is_fit(&rpc->endpoints[i], read))
			return true;
	return false;
}

struct rpc_endpoint *rpc_pick(struct adapter_rpc *rpc, const struct rpc_want *want)
{
	struct rpc_endpoint *best = NULL;
	unsigned best_rank = 0;
	uint64_t now_ms = host_now_ms();
	bool any_fit = is_any_fit(rpc, want->read);

	for (size_t i = 0; i < rpc->endpoint_count; i++) {
		struct rpc_endpoint *endpoint = &rpc->endpoints[i];
		const struct adapter_health *health = &endpoint->health;

		if (!endpoint->identified || (want->tried & 1u << i) != 0 ||
		    (any_fit && !rpc_endpoint_is_fit(endpoint, want->read)) ||
		    (want->read && now_ms < health->left_out_until_ms))
			continue;
		unsigned value = rank(endpoint, want->height_min, now_ms);
		if (health->breaker == ADAPTER_BREAKER_HALF_OPEN && want->read && !health->trying &&
		    (value & ~RANK_FAR) == 0)
			return endpoint; /* its trial */
		if (best == NULL || value < best_rank) {
			best = endpoint;
			best_rank = value;
		}
	}
	return best;
}

struct rpc_endpoint *rpc_pick_hedge(struct adapter_rpc *rpc, const struct rpc_want *want)
{
	struct rpc_endpoint *best = NULL;
	unsigned best_rank = 0;
	uint64_t now_ms = host_now_ms();

	for (size_t i = 0; i < rpc->endpoint_count; i++) {
		struct rpc_endpoint *endpoint = &rpc->endpoints[i];
		unsigned value = rank(endpoint, want->height_min, now_ms);

		if ((want->tried & 1u << i) != 0 || !rpc_endpoint_is_fit(endpoint, false) ||
		    (value & ~RANK_FAR) != 0 || (best != NULL && value >= best_rank))
			continue;
		best = endpoint;
		best_rank = value;
	}
	return best;
}

size_t adapter_rpc_other(struct adapter_rpc *rpc, size_t except)
{
	struct rpc_want want = {.tried = except < rpc->endpoint_count ? 1u << except : 0};
	struct rpc_endpoint *other = rpc_pick(rpc, &want);

	return other == NULL ? except : other->index;
}

/* ---- probes ---- */

static void probe_failed(struct rpc_endpoint *endpoint)
{
	unsigned pause = endpoint->probe_pause_ms * 2;

	endpoint->probe_pause_ms = pause < PROBE_PAUSE_MAX_MS ? pause : PROBE_PAUSE_MAX_MS;
}

static void probe_done(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct rpc_endpoint *endpoint = ctx;
	struct adapter_rpc *rpc = endpoint->rpc;
	const struct adapter_rpc_dialect *dialect = rpc->config.dialect;
	char why[sizeof(endpoint->public.why)] = "";
	uint64_t height = 0;

	endpoint->probing = false;
	endpoint->probe_next_ms = host_now_ms() + endpoint->probe_pause_ms;
	if (rpc->ending)
		return;
	for (size_t i = 0; i < count; i++)
		if (replies[i].class != ADAPTER_RPC_FINE) {
			probe_failed(endpoint);
			return;
		}
	if (!dialect->is_our_chain(rpc->config.dialect_context, why, &height, replies)) {
		set_why(endpoint, why);
		endpoint->identified = false;
		endpoint->public.lies++;
		endpoint->public.failures[ADAPTER_FAILURE_LIE]++;
		set_state(endpoint, ADAPTER_ENDPOINT_WRONG_CHAIN);
		probe_failed(endpoint);
		return;
	}
	endpoint->identified = true;
	endpoint->probe_pause_ms = rpc->config.probe_ms;
	if (height > 0)
		adapter_rpc_saw_height(rpc, endpoint->index, height);
	rpc_endpoint_answered(endpoint, true);
	if (!rpc->ready) {
		rpc->ready = true;
		rpc->config.ready(rpc->config.ctx);
	}
}

static void probe(struct rpc_endpoint *endpoint)
{
	struct adapter_rpc_call calls[ADAPTER_RPC_PROBE_MAX] = {{NULL, NULL}};
	const struct adapter_rpc_config *config = &endpoint->rpc->config;
	size_t count = config->dialect->probe(config->dialect_context, calls);

	endpoint->probing = true;
	enum cs_err err = rpc_ask_one(endpoint, calls, count, probe_done, endpoint);
	if (err == CS_OK)
		return;
	endpoint->probing = false;
	rpc_endpoint_failed(endpoint, ADAPTER_RPC_NODE, ADAPTER_FAILURE_UNREACHABLE, 0,
			    cs_err_sentence(err));
	probe_failed(endpoint);
	endpoint->probe_next_ms = host_now_ms() + endpoint->probe_pause_ms;
}

void rpc_probe_all(void *context)
{
	struct adapter_rpc *rpc = context;
	uint64_t now_ms = host_now_ms();

	for (size_t i = 0; i < rpc->endpoint_count; i++) {
		struct rpc_endpoint *endpoint = &rpc->endpoints[i];

		if (!endpoint->probing && now_ms >= endpoint->probe_next_ms &&
		    now_ms >= endpoint->health.left_out_until_ms)
			probe(endpoint);
	}
}

/* ---- life ---- */

void rpc_endpoint_init(struct rpc_endpoint *endpoint, struct adapter_rpc *rpc, size_t index,
		       const char *url)
{
	endpoint->rpc = rpc;
	endpoint->index = index;
	endpoint->url = host_text(url);
	endpoint->origin = host_url_origin(url);
	endpoint->public.url = endpoint->origin;
	endpoint->probe_pause_ms = 250;
}

void rpc_endpoint_done(struct rpc_endpoint *endpoint)
{
	free(endpoint->url);
	free(endpoint->origin);
}

uint64_t adapter_rpc_silent_ms(const struct adapter_rpc *rpc)
{
	return host_now_ms() - rpc->heard_ms;
}

size_t adapter_rpc_endpoint_count(const struct adapter_rpc *rpc)
{
	return rpc->endpoint_count;
}

const struct adapter_endpoint *adapter_rpc_endpoint(const struct adapter_rpc *rpc, size_t index)
{
	return &rpc->endpoints[index].public;
}
