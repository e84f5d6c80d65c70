#include "adapters/rpc.h"

#include "host/alloc.h"
#include "host/http_client.h"
#include "host/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBE_PAUSE_MAX_MS 30000
#define LIMITED_MS 1000
#define LIED_MS 10000
#define DIVERGED_MS 60000

struct endpoint {
	struct adapter_endpoint public;
	struct adapter_rpc *rpc;
	size_t index;
	char *url;    /* may hold a provider's key: never shown */
	char *origin; /* what people and metrics see */
	bool identified;
	bool probing;
	unsigned failures; /* in a row */
	unsigned probe_pause_ms;
	uint64_t probe_next_ms;
	uint64_t last_until_ms;     /* asked last until then: it said "too many", or lied */
	uint64_t diverged_until_ms; /* asked when nobody else is there */
};

struct job;

/* One HTTP request: a part of a job. */
struct part {
	struct job *job;
	struct part *next;
	struct part **back;
	uint64_t http_id;
	uint64_t first_id;
	size_t from;
	size_t count;
	char *body;
	size_t body_size;
	unsigned tried; /* bit per endpoint */
	size_t endpoint;
	json_t *document;
};

struct job {
	struct adapter_rpc *rpc;
	struct adapter_rpc_options options;
	adapter_rpc_done *done;
	void *ctx;
	struct adapter_rpc_reply *replies;
	size_t count;
	size_t open; /* parts without an end */
	struct part *parts;
	size_t part_count;
};

struct adapter_rpc {
	struct host_loop *loop;
	struct host_http_client *http;
	struct host_timer *timer;
	struct adapter_rpc_config config;
	struct endpoint endpoints[8];
	size_t endpoint_count;
	uint64_t height_best;
	uint64_t id_next;
	struct part *open;
	bool ready;
	bool ending;
};

static enum cs_err part_send(struct part *part);
static void part_done(void *context, const struct host_http_response *response);

/* ---- endpoints ---- */

static void set_state(struct endpoint *endpoint, enum adapter_endpoint_state state)
{
	struct adapter_rpc *rpc = endpoint->rpc;

	if (endpoint->public.state == state)
		return;
	endpoint->public.state = state;
	if (rpc->config.changed != NULL && !rpc->ending)
		rpc->config.changed(rpc->config.ctx, &endpoint->public);
}

static bool is_diverged(const struct endpoint *endpoint)
{
	return host_now_ms() < endpoint->diverged_until_ms;
}

static void failed(struct endpoint *endpoint, enum adapter_rpc_class class, const char *why)
{
	endpoint->public.errors++;
	snprintf(endpoint->public.why, sizeof(endpoint->public.why), "%.119s", why);
	if (class == ADAPTER_RPC_LIMIT) {
		endpoint->public.limited++;
		endpoint->last_until_ms = host_now_ms() + LIMITED_MS;
		return;
	}
	if (class == ADAPTER_RPC_LIE) {
		endpoint->public.lies++;
		endpoint->last_until_ms = host_now_ms() + LIED_MS;
	}
	if (++endpoint->failures >= ADAPTER_RPC_FAILURES_MAX && !is_diverged(endpoint) &&
	    endpoint->public.state != ADAPTER_ENDPOINT_WRONG_CHAIN)
		set_state(endpoint, ADAPTER_ENDPOINT_FAILING);
}

/* It answered as the chain that it must be. */
static void answered(struct endpoint *endpoint)
{
	endpoint->failures = 0;
	if (!endpoint->identified || is_diverged(endpoint))
		return;
	bool lags = endpoint->public.height + ADAPTER_RPC_LAG_MAX < endpoint->rpc->height_best;
	set_state(endpoint, lags ? ADAPTER_ENDPOINT_LAGGING : ADAPTER_ENDPOINT_OK);
}

void adapter_rpc_lied(struct adapter_rpc *rpc, size_t endpoint, const char *why)
{
	if (endpoint < rpc->endpoint_count)
		failed(&rpc->endpoints[endpoint], ADAPTER_RPC_LIE, why);
}

void adapter_rpc_lacks(struct adapter_rpc *rpc, size_t index, const char *why)
{
	if (index >= rpc->endpoint_count)
		return;
	struct adapter_endpoint *public = &rpc->endpoints[index].public;
	public->errors++;
	snprintf(public->why, sizeof(public->why), "%.119s", why);
}

void adapter_rpc_saw_height(struct adapter_rpc *rpc, size_t endpoint, uint64_t height)
{
	if (endpoint >= rpc->endpoint_count)
		return;
	rpc->endpoints[endpoint].public.height = height;
	if (height > rpc->height_best && !is_diverged(&rpc->endpoints[endpoint]))
		rpc->height_best = height;
	answered(&rpc->endpoints[endpoint]);
}

void adapter_rpc_diverged(struct adapter_rpc *rpc, size_t index, const char *why)
{
	if (index >= rpc->endpoint_count)
		return;
	struct endpoint *endpoint = &rpc->endpoints[index];
	endpoint->diverged_until_ms = host_now_ms() + DIVERGED_MS;
	endpoint->public.diverged++;
	endpoint->public.errors++;
	snprintf(endpoint->public.why, sizeof(endpoint->public.why), "%.119s", why);
	rpc->height_best = 0;
	for (size_t i = 0; i < rpc->endpoint_count; i++)
		if (!is_diverged(&rpc->endpoints[i]) &&
		    rpc->endpoints[i].public.height > rpc->height_best)
			rpc->height_best = rpc->endpoints[i].public.height;
	set_state(endpoint, ADAPTER_ENDPOINT_DIVERGED);
}

/* Lower is asked earlier. */
static unsigned rank(const struct endpoint *endpoint, uint64_t height_min, uint64_t now_ms)
{
	unsigned value = now_ms < endpoint->diverged_until_ms ? 16 : 0;

	if (endpoint->public.state == ADAPTER_ENDPOINT_FAILING)
		value += 8;
	if (now_ms < endpoint->last_until_ms)
		value += 4;
	if (endpoint->public.height < height_min)
		value += 2;
	if (endpoint->public.state == ADAPTER_ENDPOINT_LAGGING)
		value += 1;
	return value;
}

static struct endpoint *pick(struct adapter_rpc *rpc, unsigned tried, uint64_t height_min)
{
	struct endpoint *best = NULL;
	unsigned best_rank = 0;
	uint64_t now_ms = host_now_ms();

	for (size_t i = 0; i < rpc->endpoint_count; i++) {
		struct endpoint *endpoint = &rpc->endpoints[i];

		if (!endpoint->identified || (tried & 1u << i) != 0)
			continue;
		unsigned value = rank(endpoint, height_min, now_ms);
		if (best == NULL || value < best_rank) {
			best = endpoint;
			best_rank = value;
		}
	}
	return best;
}

size_t adapter_rpc_other(struct adapter_rpc *rpc, size_t except)
{
	unsigned tried = except < rpc->endpoint_count ? 1u << except : 0;
	struct endpoint *other = pick(rpc, tried, 0);

	return other == NULL ? except : other->index;
}

/* ---- requests ---- */

static void job_free(struct job *job)
{
	for (size_t i = 0; i < job->part_count; i++) {
		json_decref(job->parts[i].document);
		free(job->parts[i].body);
	}
	free(job->parts);
	free(job->replies);
	free(job);
}

static void part_unlink(struct part *part)
{
	if (part->back == NULL)
		return;
	*part->back = part->next;
	if (part->next != NULL)
		part->next->back = part->back;
	part->back = NULL;
}

static void part_end(struct part *part)
{
	struct job *job = part->job;

	part_unlink(part);
	if (--job->open > 0)
		return;
	job->done(job->ctx, job->replies, job->count);
	job_free(job);
}

static void part_fail(struct part *part, enum adapter_rpc_class class, enum cs_err err,
		      const char *why)
{
	for (size_t i = 0; i < part->count; i++) {
		struct adapter_rpc_reply *reply = &part->job->replies[part->from + i];

		*reply = (struct adapter_rpc_reply){
			.class = class, .err = err, .endpoint = part->endpoint};
		snprintf(reply->why, sizeof(reply->why), "%.119s", why);
	}
	part_end(part);
}

/* True when it went out again, to another endpoint. */
static bool part_fail_over(struct part *part)
{
	struct job *job = part->job;
	struct endpoint *next;

	if (job->rpc->ending || job->options.only_pin)
		return false;
	next = pick(job->rpc, part->tried, job->options.height_min);
	if (next == NULL)
		return false;
	part->endpoint = next->index;
	return part_send(part) == CS_OK;
}

static enum cs_err part_send(struct part *part)
{
	struct adapter_rpc *rpc = part->job->rpc;
	struct endpoint *endpoint = &rpc->endpoints[part->endpoint];
	struct host_http_request request = {
		.url = endpoint->url,
		.headers = {{"Content-Type", "application/json"}},
		.body = cs_bytes(part->body, part->body_size),
		.timeout_ms = rpc->config.timeout_ms,
		.response_size_max = ADAPTER_RPC_REPLY_SIZE_MAX,
	};

	part->tried |= 1u << part->endpoint;
	endpoint->public.requests++;
	return host_http_send(rpc->http, &part->http_id, &request, part_done, part);
}

static enum adapter_rpc_class http_class(int status)
{
	if (status == 429)
		return ADAPTER_RPC_LIMIT;
	/* many providers answer "too large" for a getLogs this way */
	return status == 413 ? ADAPTER_RPC_RANGE : ADAPTER_RPC_NODE;
}

/* Any answer that another endpoint could give better. */
static const struct adapter_rpc_reply *worst(const struct adapter_rpc_reply *replies, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (adapter_rpc_class_fails_over(replies[i].class))
			return &replies[i];
	return NULL;
}

static void part_done(void *context, const struct host_http_response *response)
{
	struct part *part = context;
	struct job *job = part->job;
	struct endpoint *endpoint = &job->rpc->endpoints[part->endpoint];
	struct adapter_rpc_reply *replies = job->replies + part->from;
	struct cs_why why = {""};
	enum adapter_rpc_class class;

	part->http_id = 0;
	if (response->err != CS_OK) {
		failed(endpoint, ADAPTER_RPC_NODE, response->why);
		if (!part_fail_over(part))
			part_fail(part,
				  response->err == CS_ERR_TOO_LARGE ? ADAPTER_RPC_RANGE
								    : ADAPTER_RPC_NODE,
				  response->err, response->why);
		return;
	}
	enum cs_err err = adapter_rpc_decode(&part->document, replies, part->count,
					     part->count == 1, part->first_id, response->body,
					     job->rpc->config.dialect->classify, &why);
	host_url_hide(why.text, endpoint->url);
	if (err != CS_OK) {
		class = response->status != 200 ? http_class(response->status) : ADAPTER_RPC_LIE;
		if (response->status != 200)
			snprintf(why.text, sizeof(why.text), "HTTP status %d", response->status);
		failed(endpoint, class, why.text);
		if (!part_fail_over(part))
			part_fail(part, class, adapter_rpc_class_err(class), why.text);
		return;
	}
	for (size_t i = 0; i < part->count; i++) {
		replies[i].endpoint = part->endpoint;
		host_url_hide(replies[i].why, endpoint->url);
	}
	const struct adapter_rpc_reply *bad = worst(replies, part->count);
	if (bad != NULL) {
		failed(endpoint, bad->class, bad->why);
		json_t *document = part->document;
		part->document = NULL;
		if (part_fail_over(part)) {
			json_decref(document);
			return;
		}
		part->document = document;
	} else {
		answered(endpoint);
	}
	part_end(part);
}

static void make_body(struct part *part, const struct adapter_rpc_call *calls)
{
	json_t *array = json_array();

	for (size_t i = 0; i < part->count; i++) {
		json_t *params = calls[part->from + i].params;

		json_array_append_new(
			array, json_pack("{s:s, s:I, s:s, s:o}", "jsonrpc", "2.0", "id",
					 (json_int_t)(part->first_id + i), "method",
					 calls[part->from + i].method, "params",
					 params != NULL ? json_incref(params) : json_array()));
	}
	part->body = json_dumps(part->count == 1 ? json_array_get(array, 0) : array, JSON_COMPACT);
	json_decref(array);
	cs_assert(part->body != NULL);
	part->body_size = strlen(part->body);
}

static struct job *job_new(struct adapter_rpc *rpc, const struct adapter_rpc_options *options,
			   const struct adapter_rpc_call *calls, size_t count,
			   adapter_rpc_done *done, void *ctx)
{
	struct job *job = host_alloc(sizeof(*job));
	size_t batch_max = rpc->config.dialect->batch_max;

	*job = (struct job){
		.rpc = rpc, .options = *options, .done = done, .ctx = ctx, .count = count};
	job->replies = host_calloc(count, sizeof(*job->replies));
	job->part_count = (count + batch_max - 1) / batch_max;
	job->parts = host_calloc(job->part_count, sizeof(*job->parts));
	job->open = job->part_count;
	for (size_t i = 0; i < job->part_count; i++) {
		struct part *part = &job->parts[i];

		part->job = job;
		part->from = i * batch_max;
		part->count = count - part->from < batch_max ? count - part->from : batch_max;
		part->first_id = rpc->id_next;
		part->tried = options->avoid;
		rpc->id_next += part->count;
		make_body(part, calls);
	}
	return job;
}

static void part_link(struct part *part, struct part **list)
{
	part->next = *list;
	part->back = list;
	if (*list != NULL)
		(*list)->back = &part->next;
	*list = part;
}

/* All of its parts go out, or none. */
static enum cs_err job_start(struct job *job, const struct endpoint *first)
{
	enum cs_err err = CS_OK;
	size_t sent = 0;

	for (; sent < job->part_count && err == CS_OK; sent++) {
		struct part *part = &job->parts[sent];

		part->endpoint = first->index;
		err = part->body_size > ADAPTER_RPC_REQUEST_SIZE_MAX ? CS_ERR_TOO_LARGE
								     : part_send(part);
		if (err == CS_OK)
			part_link(part, &job->rpc->open);
	}
	if (err == CS_OK)
		return CS_OK;
	for (size_t i = 0; i + 1 < sent; i++) {
		host_http_cancel(job->rpc->http, job->parts[i].http_id);
		part_unlink(&job->parts[i]);
	}
	job_free(job);
	return err;
}

static void drop_params(const struct adapter_rpc_call *calls, size_t count)
{
	for (size_t i = 0; i < count; i++)
		json_decref(calls[i].params);
}

enum cs_err adapter_rpc_batch(struct adapter_rpc *rpc, const struct adapter_rpc_options *options,
			      const struct adapter_rpc_call *calls, size_t count,
			      adapter_rpc_done *done, void *ctx)
{
	struct endpoint *first = NULL;
	enum cs_err err = CS_ERR_UNAVAILABLE;

	cs_assert(count > 0 && count <= ADAPTER_RPC_CALLS_MAX);
	if (options->pin < rpc->endpoint_count)
		first = &rpc->endpoints[options->pin];
	else
		first = pick(rpc, options->avoid, options->height_min);
	if (first != NULL && first->identified && !rpc->ending)
		err = job_start(job_new(rpc, options, calls, count, done, ctx), first);
	drop_params(calls, count);
	return err;
}

enum cs_err adapter_rpc_call(struct adapter_rpc *rpc, const struct adapter_rpc_options *options,
			     const char *method, json_t *params, adapter_rpc_done *done, void *ctx)
{
	struct adapter_rpc_call call = {method, params};

	return adapter_rpc_batch(rpc, options, &call, 1, done, ctx);
}

/* ---- probes ---- */

static void probe_failed(struct endpoint *endpoint)
{
	unsigned pause = endpoint->probe_pause_ms * 2;

	endpoint->probe_pause_ms = pause < PROBE_PAUSE_MAX_MS ? pause : PROBE_PAUSE_MAX_MS;
}

static void probe_done(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct endpoint *endpoint = ctx;
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
		snprintf(endpoint->public.why, sizeof(endpoint->public.why), "%s", why);
		endpoint->identified = false;
		endpoint->public.errors++;
		endpoint->public.lies++;
		set_state(endpoint, ADAPTER_ENDPOINT_WRONG_CHAIN);
		probe_failed(endpoint);
		return;
	}
	endpoint->identified = true;
	endpoint->probe_pause_ms = rpc->config.probe_ms;
	if (height > 0)
		adapter_rpc_saw_height(rpc, endpoint->index, height);
	answered(endpoint);
	if (!rpc->ready) {
		rpc->ready = true;
		rpc->config.ready(rpc->config.ctx);
	}
}

static void probe(struct endpoint *endpoint)
{
	struct adapter_rpc_options options = {.pin = endpoint->index, .only_pin = true};
	struct adapter_rpc_call calls[ADAPTER_RPC_PROBE_MAX] = {{NULL, NULL}};
	const struct adapter_rpc_config *config = &endpoint->rpc->config;
	size_t count = config->dialect->probe(config->dialect_context, calls);

	endpoint->probing = true;
	enum cs_err err = job_start(
		job_new(endpoint->rpc, &options, calls, count, probe_done, endpoint), endpoint);
	drop_params(calls, count);
	if (err == CS_OK)
		return;
	endpoint->probing = false;
	failed(endpoint, ADAPTER_RPC_NODE, cs_err_sentence(err));
	probe_failed(endpoint);
	endpoint->probe_next_ms = host_now_ms() + endpoint->probe_pause_ms;
}

static void tick(void *ctx)
{
	struct adapter_rpc *rpc = ctx;
	uint64_t now_ms = host_now_ms();

	for (size_t i = 0; i < rpc->endpoint_count; i++) {
		struct endpoint *endpoint = &rpc->endpoints[i];

		if (!endpoint->probing && now_ms >= endpoint->probe_next_ms)
			probe(endpoint);
	}
}

/* ---- life ---- */

static void free_endpoint(struct endpoint *endpoint)
{
	free(endpoint->url);
	free(endpoint->origin);
}

enum cs_err adapter_rpc_new(struct adapter_rpc **out, struct host_loop *loop,
			    const struct adapter_rpc_config *config, struct cs_why *why)
{
	struct host_http_client_options options = {.calls_max = 2048};
	struct adapter_rpc *rpc = host_alloc(sizeof(*rpc));

	cs_assert(config->http_count <= CS_LEN(rpc->endpoints));
	rpc->loop = loop;
	rpc->config = *config;
	rpc->id_next = 1;
	rpc->http = host_http_client_new(loop, &options);
	rpc->timer = host_timer_new(loop, tick, rpc);
	for (size_t i = 0; i < config->http_count; i++) {
		struct endpoint *endpoint = &rpc->endpoints[rpc->endpoint_count++];

		endpoint->rpc = rpc;
		endpoint->index = i;
		endpoint->url = host_text(config->http[i]);
		endpoint->origin = host_url_origin(endpoint->url);
		endpoint->public.url = endpoint->origin;
		endpoint->probe_pause_ms = 250;
		enum cs_err err = host_http_client_allow(rpc->http, endpoint->url, why);
		if (err != CS_OK) {
			adapter_rpc_free(rpc);
			return err;
		}
	}
	*out = rpc;
	return CS_OK;
}

void adapter_rpc_start(struct adapter_rpc *rpc)
{
	host_timer_start(rpc->timer, 0, 250);
}

void adapter_rpc_close(struct adapter_rpc *rpc)
{
	rpc->ending = true;
	while (rpc->open != NULL) {
		struct part *part = rpc->open;

		if (part->http_id != 0)
			host_http_cancel(rpc->http, part->http_id);
		part_fail(part, ADAPTER_RPC_NODE, CS_ERR_CLOSED, "the adapter ends");
	}
	host_timer_stop(rpc->timer);
}

void adapter_rpc_free(struct adapter_rpc *rpc)
{
	if (rpc == NULL)
		return;
	adapter_rpc_close(rpc);
	host_timer_free(rpc->timer);
	host_http_client_free(rpc->http);
	for (size_t i = 0; i < rpc->endpoint_count; i++)
		free_endpoint(&rpc->endpoints[i]);
	free(rpc);
}

bool adapter_rpc_is_ready(const struct adapter_rpc *rpc)
{
	return rpc->ready;
}

size_t adapter_rpc_endpoint_count(const struct adapter_rpc *rpc)
{
	return rpc->endpoint_count;
}

const struct adapter_endpoint *adapter_rpc_endpoint(const struct adapter_rpc *rpc, size_t index)
{
	return &rpc->endpoints[index].public;
}
