#include "adapters/rpc_inner.h"
#include "host/alloc.h"
#include "host/http_client.h"
#include "host/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct job;

/*~ A job is what a caller asks; it is cut into parts, each the body of one HTTP request; a leg is one
 * such request on its way. A part has one leg, and a second one when it is hedged. The leg whose answer
 * is not taken goes on without its part: what becomes of it is counted. */
struct rpc_leg {
	struct adapter_rpc *rpc;
	struct rpc_part *part; /* NULL: another one's answer was taken */
	struct rpc_leg *next;
	struct rpc_leg **back;
	uint64_t http_id;
	uint64_t first_id;
	size_t count;
	size_t endpoint;
	bool hedge;
	bool probe;
	bool trial;
	bool overtaken;
};

/* What a leg brought, when it can be read. */
struct answer {
	json_t *document;
	size_t endpoint;
	bool hedge;
	const struct adapter_rpc_reply *bad; /* another endpoint could answer this one better */
	struct adapter_rpc_reply replies[];
};

struct failure {
	enum adapter_rpc_class class;
	enum cs_err err;
	char why[120];
};

struct rpc_part {
	struct job *job;
	struct rpc_part *next;
	struct rpc_part **back;
	uint64_t first_id;
	size_t from;
	size_t count;
	char *body;
	size_t body_size;
	unsigned tried;  /* bit per endpoint */
	size_t endpoint; /* that failed last, or was asked first */
	struct rpc_leg *first;
	struct rpc_leg *hedge;
	uint64_t hedge_at_ms; /* 0: not, or not again */
	struct answer *spare; /* waits for a better one */
	json_t *document;
};

struct job {
	struct adapter_rpc *rpc;
	struct adapter_rpc_options options;
	adapter_rpc_done *done;
	void *ctx;
	bool read;
	bool probe;
	struct adapter_rpc_reply *replies;
	size_t count;
	size_t open; /* parts without an end */
	struct rpc_part *parts;
	size_t part_count;
};

static void leg_done(void *context, const struct host_http_response *response);

/* ---- legs ---- */

static void leg_free(struct rpc_leg *leg)
{
	struct adapter_health *health = &leg->rpc->endpoints[leg->endpoint].health;

	if (leg->overtaken)
		health->overtaken--;
	if (leg->trial)
		health->trying = false;
	if (leg->part != NULL && leg->hedge)
		leg->part->hedge = NULL;
	else if (leg->part != NULL)
		leg->part->first = NULL;
	*leg->back = leg->next;
	if (leg->next != NULL)
		leg->next->back = leg->back;
	free(leg);
}

static void leg_cancel(struct rpc_leg *leg)
{
	if (leg == NULL)
		return;
	host_http_cancel(leg->rpc->http, leg->http_id);
	leg_free(leg);
}

/* Its answer is not waited for any more. */
static void leg_detach(struct rpc_leg *leg, bool overtaken)
{
	struct rpc_endpoint *endpoint;

	if (leg == NULL)
		return;
	endpoint = &leg->rpc->endpoints[leg->endpoint];
	if (leg->hedge)
		leg->part->hedge = NULL;
	else
		leg->part->first = NULL;
	leg->part = NULL;
	leg->overtaken = overtaken;
	endpoint->health.overtaken += overtaken;
	endpoint->public.overtaken += overtaken;
}

static enum cs_err leg_send(struct rpc_part *part, struct rpc_endpoint *endpoint, bool hedge)
{
	struct job *job = part->job;
	struct adapter_rpc *rpc = job->rpc;
	struct rpc_leg *leg = host_alloc(sizeof(*leg));
	struct host_http_request request = {
		.url = endpoint->url,
		.headers = {{"Content-Type", "application/json"}},
		.body = cs_bytes(part->body, part->body_size),
		.timeout_ms = rpc->config.timeout_ms,
		.response_size_max = ADAPTER_RPC_REPLY_SIZE_MAX,
	};

	*leg = (struct rpc_leg){.rpc = rpc,
				.part = part,
				.first_id = part->first_id,
				.count = part->count,
				.endpoint = endpoint->index,
				.hedge = hedge,
				.probe = job->probe};
	enum cs_err err = host_http_send(rpc->http, &leg->http_id, &request, leg_done, leg);
	if (err != CS_OK) {
		free(leg);
		return err;
	}
	leg->next = rpc->legs;
	leg->back = &rpc->legs;
	if (rpc->legs != NULL)
		rpc->legs->back = &leg->next;
	rpc->legs = leg;
	if (hedge)
		part->hedge = leg;
	else
		part->first = leg;
	leg->trial = job->read && endpoint->health.breaker == ADAPTER_BREAKER_HALF_OPEN &&
		     !endpoint->health.trying;
	endpoint->health.trying |= leg->trial;
	part->tried |= 1u << endpoint->index;
	endpoint->public.requests++;
	return CS_OK;
}

/* ---- the end of parts and jobs ---- */

static void answer_free(struct answer *answer)
{
	if (answer == NULL)
		return;
	json_decref(answer->document);
	free(answer);
}

static void job_free(struct job *job)
{
	for (size_t i = 0; i < job->part_count; i++) {
		json_decref(job->parts[i].document);
		answer_free(job->parts[i].spare);
		free(job->parts[i].body);
	}
	free(job->parts);
	free(job->replies);
	free(job);
}

static void part_unlink(struct rpc_part *part)
{
	if (part->back == NULL)
		return;
	*part->back = part->next;
	if (part->next != NULL)
		part->next->back = part->back;
	part->back = NULL;
}

static void part_end(struct rpc_part *part)
{
	struct job *job = part->job;

	leg_detach(part->first, false);
	leg_detach(part->hedge, false);
	part_unlink(part);
	if (--job->open > 0)
		return;
	job->done(job->ctx, job->replies, job->count);
	job_free(job);
}

static void part_fail(struct rpc_part *part, enum adapter_rpc_class class, enum cs_err err,
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

/* The part ends with this answer, which is used up. */
static void part_take(struct rpc_part *part, struct answer *answer)
{
	struct adapter_rpc *rpc = part->job->rpc;

	if (answer->hedge)
		rpc->endpoints[answer->endpoint].public.hedges_won++;
	if (part->spare == answer)
		part->spare = NULL;
	memcpy(part->job->replies + part->from, answer->replies,
	       part->count * sizeof(answer->replies[0]));
	part->document = answer->document;
	free(answer);
	leg_detach(part->first, true);
	part_end(part);
}

/* True when it went out again, to another endpoint. */
static bool part_fail_over(struct rpc_part *part)
{
	struct job *job = part->job;
	const struct rpc_want want = {part->tried, job->options.height_min, job->read};
	struct rpc_endpoint *next;

	if (job->rpc->ending || job->options.only_pin)
		return false;
	next = rpc_pick(job->rpc, &want);
	return next != NULL && leg_send(part, next, false) == CS_OK;
}

/* ---- answers ---- */

static enum adapter_rpc_class http_class(int status)
{
	if (status == 429)
		return ADAPTER_RPC_LIMIT;
	/* many providers answer "too large" for a getLogs this way */
	return status == 413 ? ADAPTER_RPC_RANGE : ADAPTER_RPC_NODE;
}

static enum adapter_failure failure_of(enum adapter_rpc_class class)
{
	return class == ADAPTER_RPC_LIMIT ? ADAPTER_FAILURE_LIMIT
	       : class == ADAPTER_RPC_LIE ? ADAPTER_FAILURE_LIE
					  : ADAPTER_FAILURE_NODE;
}

/* Any answer that another endpoint could give better. */
static const struct adapter_rpc_reply *worst(const struct adapter_rpc_reply *replies, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (adapter_rpc_class_fails_over(replies[i].class))
			return &replies[i];
	return NULL;
}

static void no_answer(struct rpc_endpoint *endpoint, struct failure *failure,
		      const struct host_http_response *response)
{
	failure->class = response->err == CS_ERR_TOO_LARGE ? ADAPTER_RPC_RANGE : ADAPTER_RPC_NODE;
	failure->err = response->err;
	snprintf(failure->why, sizeof(failure->why), "%.119s", response->why);
	rpc_endpoint_failed(endpoint, ADAPTER_RPC_NODE,
			    response->err == CS_ERR_TIMEOUT ? ADAPTER_FAILURE_TIMEOUT
							    : ADAPTER_FAILURE_UNREACHABLE,
			    0, response->why);
}

static uint64_t retry_after_ms(const struct host_http_response *response)
{
	return adapter_retry_after_ms(host_http_response_header(response, "Retry-After"),
				      host_wall_ms());
}

static void no_json_rpc(struct rpc_endpoint *endpoint, struct failure *failure,
			const struct host_http_response *response, const char *why)
{
	bool http = response->status != 200;

	failure->class = http ? http_class(response->status) : ADAPTER_RPC_LIE;
	failure->err = adapter_rpc_class_err(failure->class);
	if (http)
		snprintf(failure->why, sizeof(failure->why), "HTTP status %d", response->status);
	else
		snprintf(failure->why, sizeof(failure->why), "%.119s", why);
	rpc_endpoint_failed(endpoint, failure->class,
			    http && failure->class != ADAPTER_RPC_LIMIT
				    ? ADAPTER_FAILURE_HTTP
				    : failure_of(failure->class),
			    retry_after_ms(response), failure->why);
}

/* Takes it apart and counts for its endpoint what it is. NULL: it is none, *failure says why. */
static struct answer *read_answer(const struct rpc_leg *leg, struct failure *failure,
				  const struct host_http_response *response)
{
	struct adapter_rpc *rpc = leg->rpc;
	struct rpc_endpoint *endpoint = &rpc->endpoints[leg->endpoint];
	struct cs_why why = {""};

	if (response->err != CS_OK) {
		no_answer(endpoint, failure, response);
		return NULL;
	}
	struct answer *answer =
		host_alloc(sizeof(*answer) + leg->count * sizeof(answer->replies[0]));
	*answer = (struct answer){.endpoint = leg->endpoint, .hedge = leg->hedge};
	if (adapter_rpc_decode(&answer->document, answer->replies, leg->count, leg->count == 1,
			       leg->first_id, response->body, rpc->config.dialect->classify,
			       &why) != CS_OK) {
		host_url_hide(why.text, endpoint->url);
		no_json_rpc(endpoint, failure, response, why.text);
		free(answer);
		return NULL;
	}
	for (size_t i = 0; i < leg->count; i++) {
		answer->replies[i].endpoint = leg->endpoint;
		host_url_hide(answer->replies[i].why, endpoint->url);
	}
	answer->bad = worst(answer->replies, leg->count);
	if (answer->bad != NULL) {
		rpc_endpoint_failed(endpoint, answer->bad->class, failure_of(answer->bad->class),
				    retry_after_ms(response), answer->bad->why);
	} else {
		rpc_endpoint_took(endpoint, response->took_us / 1000);
		rpc_endpoint_answered(endpoint, leg->probe);
	}
	return answer;
}

/* ---- two answers ---- */

static bool holds(const struct rpc_part *part, const struct answer *answer)
{
	const struct job *job = part->job;

	return answer->bad == NULL && (job->options.check == NULL ||
				       job->options.check(job->ctx, answer->replies, part->count));
}

/* Nothing is missing and nothing is refused. */
static bool is_whole(const struct rpc_part *part, const struct answer *answer)
{
	for (size_t i = 0; i < part->count; i++)
		if (answer->replies[i].class != ADAPTER_RPC_FINE ||
		    json_is_null(answer->replies[i].result))
			return false;
	return true;
}

/*~ A hedge must not make an answer worse. The endpoint that was asked first is believed as without
 * one, unless its answer does not hold; the other, which may be behind, is only if its answer is whole
 * too. More is better. */
static unsigned worth(const struct rpc_part *part, const struct answer *answer)
{
	if (answer->bad != NULL)
		return 0;
	if (!holds(part, answer))
		return answer->hedge ? 1 : 2;
	return !answer->hedge || is_whole(part, answer) ? 4 : 3;
}
#define WORTH_AT_ONCE 4

/* The better one of the two that came; what does not hold against one that does is a lie. */
static struct answer *judge(struct rpc_part *part, struct answer *answer)
{
	struct answer *other = part->spare;

	if (other == NULL)
		return answer;
	part->spare = NULL;
	if (worth(part, other) > worth(part, answer)) {
		struct answer *swap = answer;
		answer = other;
		other = swap;
	}
	if (holds(part, answer) && other->bad == NULL && !holds(part, other))
		adapter_rpc_lied(part->job->rpc, other->endpoint,
				 "an answer that does not hold, where another endpoint's does");
	answer_free(other);
	return answer;
}

static void part_got_none(struct rpc_part *part, const struct failure *failure)
{
	if (part->first != NULL || part->hedge != NULL)
		return; /* the other one may */
	if (part->spare != NULL && part->spare->bad == NULL)
		part_take(part, part->spare);
	else if (part_fail_over(part))
		return;
	else if (part->spare != NULL)
		part_take(part, part->spare);
	else
		part_fail(part, failure->class, failure->err, failure->why);
}

static void part_got(struct rpc_part *part, struct answer *answer)
{
	bool waits = part->first != NULL || part->hedge != NULL;

	if (waits && worth(part, answer) < WORTH_AT_ONCE) {
		part->spare = answer;
		return;
	}
	answer = judge(part, answer);
	if (answer->bad != NULL && part_fail_over(part)) {
		answer_free(answer);
		return;
	}
	part_take(part, answer);
}

static void leg_done(void *context, const struct host_http_response *response)
{
	struct rpc_leg *leg = context;
	struct rpc_part *part = leg->part;
	struct failure failure = {0};
	size_t endpoint = leg->endpoint;
	struct answer *answer = read_answer(leg, &failure, response);

	leg_free(leg);
	if (part == NULL) {
		answer_free(answer);
		return;
	}
	part->endpoint = endpoint;
	if (answer != NULL)
		part_got(part, answer);
	else
		part_got_none(part, &failure);
}

/* ---- hedges ---- */

static void hedge_arm(struct adapter_rpc *rpc, uint64_t at_ms)
{
	uint64_t now_ms = host_now_ms();

	if (host_timer_is_running(rpc->late) && rpc->hedge_next_ms <= at_ms)
		return;
	rpc->hedge_next_ms = at_ms;
	host_timer_start(rpc->late, at_ms > now_ms ? at_ms - now_ms : 0, 0);
}

static void hedge_plan(struct rpc_part *part)
{
	struct job *job = part->job;
	struct adapter_rpc *rpc = job->rpc;

	if (!job->read || job->options.only_pin || job->part_count > 1 ||
	    rpc->hedge.config.percent == 0 || rpc->endpoint_count < 2)
		return;
	adapter_hedge_earn(&rpc->hedge);
	part->hedge_at_ms =
		host_now_ms() +
		adapter_hedge_delay_ms(&rpc->hedge, &rpc->endpoints[part->first->endpoint].health);
	hedge_arm(rpc, part->hedge_at_ms);
}

/* It is late. */
static void hedge_send(struct rpc_part *part)
{
	struct adapter_rpc *rpc = part->job->rpc;
	const struct rpc_want want = {part->tried, part->job->options.height_min, true};
	struct rpc_endpoint *other = rpc_pick_hedge(rpc, &want);

	part->hedge_at_ms = 0;
	if (other != NULL && adapter_hedge_pay(&rpc->hedge) && leg_send(part, other, true) == CS_OK)
		other->public.hedges++;
	else
		rpc->endpoints[part->first->endpoint].public.unhedged++;
}

static void hedge_late(void *context)
{
	struct adapter_rpc *rpc = context;
	uint64_t now_ms = host_now_ms();
	uint64_t next_ms = UINT64_MAX;

	for (struct rpc_part *part = rpc->open; part != NULL; part = part->next) {
		if (part->hedge_at_ms != 0 && part->hedge_at_ms <= now_ms)
			hedge_send(part);
		if (part->hedge_at_ms != 0 && part->hedge_at_ms < next_ms)
			next_ms = part->hedge_at_ms;
	}
	if (next_ms != UINT64_MAX)
		hedge_arm(rpc, next_ms);
}

/* ---- requests ---- */

static void make_body(struct rpc_part *part, const struct adapter_rpc_call *calls)
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

static bool is_read(const struct adapter_rpc *rpc, const struct adapter_rpc_call *call)
{
	const char *const *reads = rpc->config.dialect->reads;

	for (size_t i = 0; reads != NULL && reads[i] != NULL; i++)
		if (strcmp(reads[i], call->method) == 0)
			return true;
	return false;
}

static bool are_reads(const struct adapter_rpc *rpc, const struct adapter_rpc_call *calls,
		      size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!is_read(rpc, &calls[i]))
			return false;
	return true;
}

static struct job *job_new(struct adapter_rpc *rpc, const struct adapter_rpc_options *options,
			   const struct adapter_rpc_call *calls, size_t count,
			   adapter_rpc_done *done, void *ctx)
{
	struct job *job = host_alloc(sizeof(*job));
	size_t batch_max = rpc->config.dialect->batch_max;

	*job = (struct job){
		.rpc = rpc, .options = *options, .done = done, .ctx = ctx, .count = count};
	job->read = options->read || are_reads(rpc, calls, count);
	job->replies = host_calloc(count, sizeof(*job->replies));
	job->part_count = (count + batch_max - 1) / batch_max;
	job->parts = host_calloc(job->part_count, sizeof(*job->parts));
	job->open = job->part_count;
	for (size_t i = 0; i < job->part_count; i++) {
		struct rpc_part *part = &job->parts[i];

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

static void part_link(struct rpc_part *part, struct rpc_part **list)
{
	part->next = *list;
	part->back = list;
	if (*list != NULL)
		(*list)->back = &part->next;
	*list = part;
}

/* All of its parts go out, or none. */
static enum cs_err job_start(struct job *job, struct rpc_endpoint *first)
{
	enum cs_err err = CS_OK;

	for (size_t i = 0; i < job->part_count && err == CS_OK; i++) {
		struct rpc_part *part = &job->parts[i];

		part->endpoint = first->index;
		err = part->body_size > ADAPTER_RPC_REQUEST_SIZE_MAX ? CS_ERR_TOO_LARGE
								     : leg_send(part, first, false);
		if (err == CS_OK) {
			part_link(part, &job->rpc->open);
			hedge_plan(part);
		}
	}
	if (err == CS_OK)
		return CS_OK;
	for (size_t i = 0; i < job->part_count; i++) {
		leg_cancel(job->parts[i].first);
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

static bool is_one_known(const struct adapter_rpc *rpc, unsigned avoid)
{
	for (size_t i = 0; i < rpc->endpoint_count; i++)
		if (rpc->endpoints[i].identified && (avoid & 1u << i) == 0)
			return true;
	return false;
}

/* The pinned one, unless it is out and another may be asked. */
static struct rpc_endpoint *first_of(struct adapter_rpc *rpc,
				     const struct adapter_rpc_options *options, bool read)
{
	const struct rpc_want want = {options->avoid, options->height_min, read};
	struct rpc_endpoint *pinned =
		options->pin < rpc->endpoint_count ? &rpc->endpoints[options->pin] : NULL;

	if (pinned != NULL && (options->only_pin || rpc_endpoint_is_fit(pinned, read)))
		return pinned;
	return rpc_pick(rpc, &want);
}

enum cs_err adapter_rpc_batch(struct adapter_rpc *rpc, const struct adapter_rpc_options *options,
			      const struct adapter_rpc_call *calls, size_t count,
			      adapter_rpc_done *done, void *ctx)
{
	bool read = options->read || are_reads(rpc, calls, count);
	struct rpc_endpoint *first = first_of(rpc, options, read);
	enum cs_err err = CS_ERR_UNAVAILABLE;

	cs_assert(count > 0 && count <= ADAPTER_RPC_CALLS_MAX);
	if (first != NULL && first->identified && !rpc->ending)
		err = job_start(job_new(rpc, options, calls, count, done, ctx), first);
	else if (first == NULL && is_one_known(rpc, options->avoid))
		err = CS_ERR_RATE_LIMITED;
	drop_params(calls, count);
	return err;
}

enum cs_err adapter_rpc_call(struct adapter_rpc *rpc, const struct adapter_rpc_options *options,
			     const char *method, json_t *params, adapter_rpc_done *done, void *ctx)
{
	struct adapter_rpc_call call = {method, params};

	return adapter_rpc_batch(rpc, options, &call, 1, done, ctx);
}

enum cs_err rpc_ask_one(struct rpc_endpoint *endpoint, const struct adapter_rpc_call *calls,
			size_t count, adapter_rpc_done *done, void *ctx)
{
	const struct adapter_rpc_options options = {.pin = endpoint->index, .only_pin = true};
	struct job *job = job_new(endpoint->rpc, &options, calls, count, done, ctx);

	job->probe = true;
	job->read = false; /* no trial: it tells which chain, not whether work is done */
	enum cs_err err = job_start(job, endpoint);
	drop_params(calls, count);
	return err;
}

/* ---- life ---- */

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
	rpc->timer = host_timer_new(loop, rpc_probe_all, rpc);
	rpc->late = host_timer_new(loop, hedge_late, rpc);
	adapter_hedge_init(&rpc->hedge, &config->hedge);
	for (size_t i = 0; i < config->http_count; i++) {
		struct rpc_endpoint *endpoint = &rpc->endpoints[rpc->endpoint_count++];

		rpc_endpoint_init(endpoint, rpc, i, config->http[i]);
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
	while (rpc->open != NULL)
		part_fail(rpc->open, ADAPTER_RPC_NODE, CS_ERR_CLOSED, "the adapter ends");
	while (rpc->legs != NULL)
		leg_cancel(rpc->legs);
	host_timer_stop(rpc->timer);
	host_timer_stop(rpc->late);
}

void adapter_rpc_free(struct adapter_rpc *rpc)
{
	if (rpc == NULL)
		return;
	adapter_rpc_close(rpc);
	host_timer_free(rpc->timer);
	host_timer_free(rpc->late);
	host_http_client_free(rpc->http);
	for (size_t i = 0; i < rpc->endpoint_count; i++)
		rpc_endpoint_done(&rpc->endpoints[i]);
	free(rpc);
}

bool adapter_rpc_is_ready(const struct adapter_rpc *rpc)
{
	return rpc->ready;
}
