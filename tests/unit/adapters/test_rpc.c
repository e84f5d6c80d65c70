/* Requests to several endpoints that are late, lie, break and limit: HTTP servers in the same loop. Their
 * chain has one number, 7. */
#include "adapters/rpc.h"
#include "common.h"
#include "host/alloc.h"
#include "host/http_server.h"

#define NODES_MAX 3
#define KEPT_MAX 32
#define WAIT_MS 10000
#define DELAY_MS 60
#define TIMEOUT_MS 1500

enum manner {
	WELL,
	HANG, /* until it is let go: then as it is said there */
	LIE,
	NONE, /* null */
	BROKEN,
	LIMITED,
	OTHER_IDS,
};

struct node {
	struct host_http_server *server;
	enum manner manner;
	unsigned asked; /* without the probes */
	unsigned probed;
	struct host_http_exchange *kept[KEPT_MAX];
	unsigned kept_count;
};

struct fixture {
	struct host_loop *loop;
	struct node nodes[NODES_MAX];
	char urls[NODES_MAX][64];
	struct adapter_rpc *rpc;
	bool ready;
	/* of the newest answer */
	unsigned done;
	unsigned wanted;
	enum adapter_rpc_class class;
	enum cs_err err;
	size_t endpoint;
	bool is_null;
	json_int_t value;
	/* for one wait */
	struct node *node;
	size_t at;
	uint64_t count;
	enum adapter_breaker breaker;
};

/* ---- the nodes ---- */

/* Of a batch, whose answers are as many. */
static void answer_all(struct host_http_exchange *exchange, const json_t *calls)
{
	json_t *list = json_array();

	for (size_t i = 0; i < json_array_size(calls); i++)
		json_array_append_new(list,
				      json_pack("{s:O,s:i}", "id",
						json_object_get(json_array_get(calls, i), "id"),
						"result", 7));
	host_http_reply_json(exchange, 200, list);
}

static void answer(struct host_http_exchange *exchange, enum manner manner)
{
	struct cs_why why;
	json_t *call = NULL;

	assert_ok(host_http_body_json(exchange, &call, &why));
	if (json_is_array(call)) {
		answer_all(exchange, call);
		json_decref(call);
		return;
	}
	json_int_t id = json_integer_value(json_object_get(call, "id"));
	json_decref(call);
	switch (manner) {
	case BROKEN:
		host_http_reply(exchange, 500, "text/plain", cs_bytes_str("broken"));
		return;
	case LIMITED:
		host_http_reply_header(exchange, "Retry-After", "1");
		host_http_reply(exchange, 429, "text/plain", cs_bytes_str("slow down"));
		return;
	case NONE:
		host_http_reply_json(exchange, 200, json_pack("{s:I,s:n}", "id", id, "result"));
		return;
	case LIE:
		host_http_reply_json(exchange, 200, json_pack("{s:I,s:i}", "id", id, "result", 8));
		return;
	case OTHER_IDS:
		host_http_reply_json(exchange, 200,
				     json_pack("{s:I,s:i}", "id", id + 1, "result", 7));
		return;
	case WELL:
	case HANG:
		host_http_reply_json(exchange, 200, json_pack("{s:I,s:i}", "id", id, "result", 7));
		return;
	}
}

static void on_request(void *context, struct host_http_exchange *exchange)
{
	struct node *node = context;
	struct cs_why why;
	json_t *call = NULL;

	assert_ok(host_http_body_json(exchange, &call, &why));
	const char *method = json_string_value(json_object_get(call, "method"));
	bool probe = method != NULL && strcmp(method, "probe") == 0;
	json_decref(call);
	if (probe) {
		node->probed++;
		answer(exchange, WELL);
		return;
	}
	node->asked++;
	if (node->manner != HANG) {
		answer(exchange, node->manner);
		return;
	}
	assert_true(node->kept_count < KEPT_MAX);
	node->kept[node->kept_count++] = exchange;
}

static void let_go(struct node *node, enum manner manner)
{
	while (node->kept_count > 0)
		answer(node->kept[--node->kept_count], manner);
}

/* ---- the client ---- */

static enum adapter_rpc_class classify(int64_t code, const char *message, const json_t *data)
{
	(void)code;
	(void)message;
	(void)data;
	return ADAPTER_RPC_NODE;
}

static size_t probe(const void *context, struct adapter_rpc_call calls[ADAPTER_RPC_PROBE_MAX])
{
	(void)context;
	calls[0] = (struct adapter_rpc_call){"probe", NULL};
	return 1;
}

static bool is_our_chain(const void *context, char why[120], uint64_t *height,
			 const struct adapter_rpc_reply *replies)
{
	(void)context;
	(void)why;
	*height = 100;
	return json_integer_value(replies[0].result) == 7;
}

static const char *const reads[] = {"read", "look", NULL};
static const struct adapter_rpc_dialect dialect = {.batch_max = 2,
						   .classify = classify,
						   .reads = reads,
						   .probe = probe,
						   .is_our_chain = is_our_chain};

static bool holds(const void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	assert_non_null(ctx);
	for (size_t i = 0; i < count; i++)
		if (json_is_integer(replies[i].result) &&
		    json_integer_value(replies[i].result) != 7)
			return false;
	return true;
}

static void on_ready(void *ctx)
{
	struct fixture *f = ctx;

	f->ready = true;
}

static void on_done(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct fixture *f = ctx;

	assert_true(count > 0);
	f->done++;
	f->class = replies[0].class;
	f->err = replies[0].err;
	f->endpoint = replies[0].endpoint;
	f->is_null = replies[0].class == ADAPTER_RPC_FINE && json_is_null(replies[0].result);
	f->value = json_integer_value(replies[0].result);
}

static const struct adapter_endpoint *at_node(const struct fixture *f, size_t i)
{
	return adapter_rpc_endpoint(f->rpc, i);
}

static bool all_known(void *context)
{
	const struct fixture *f = context;

	for (size_t i = 0; i < adapter_rpc_endpoint_count(f->rpc); i++)
		if (at_node(f, i)->state != ADAPTER_ENDPOINT_OK)
			return false;
	return f->ready;
}

/* percent 100: and nothing is late, however slow the machine. */
static void open_rpc(struct fixture *f, size_t count, unsigned percent)
{
	const char *http[NODES_MAX];
	struct cs_why why;

	for (size_t i = 0; i < count; i++)
		http[i] = f->urls[i];
	const struct adapter_rpc_config config = {.dialect = &dialect,
						  .http = http,
						  .http_count = count,
						  .timeout_ms = TIMEOUT_MS,
						  .probe_ms = 100,
						  .hedge = {percent, percent < 100 ? 20 : WAIT_MS,
							    percent < 100 ? DELAY_MS : WAIT_MS},
						  .ctx = f,
						  .ready = on_ready};
	assert_ok(adapter_rpc_new(&f->rpc, f->loop, &config, &why));
	adapter_rpc_start(f->rpc);
	assert_ok(host_loop_run_until(f->loop, all_known, f, WAIT_MS));
}

static enum cs_err ask(struct fixture *f, const char *method)
{
	const struct adapter_rpc_options options = {.pin = ADAPTER_RPC_ANY, .check = holds};

	return adapter_rpc_call(f->rpc, &options, method, NULL, on_done, f);
}

static bool is_done(void *context)
{
	const struct fixture *f = context;

	return f->done >= f->wanted;
}

static void wait_done(struct fixture *f, unsigned count)
{
	f->wanted = count;
	assert_ok(host_loop_run_until(f->loop, is_done, f, WAIT_MS));
}

/* One read from its beginning to its end. */
static void read_once(struct fixture *f)
{
	f->done = 0;
	assert_ok(ask(f, "read"));
	wait_done(f, 1);
}

static bool never(void *context)
{
	(void)context;
	return false;
}

/* Time in which something must not happen. */
static void pass(struct fixture *f, uint64_t ms)
{
	assert_err(TIMEOUT, host_loop_run_until(f->loop, never, f, ms));
}

static bool was_asked(void *context)
{
	const struct fixture *f = context;

	return f->node->asked >= f->count;
}

static void wait_asked(struct fixture *f, size_t node, unsigned count)
{
	f->node = &f->nodes[node];
	f->count = count;
	assert_ok(host_loop_run_until(f->loop, was_asked, f, WAIT_MS));
}

static bool has_breaker(void *context)
{
	const struct fixture *f = context;

	return at_node(f, f->at)->breaker == f->breaker;
}

static void wait_breaker(struct fixture *f, size_t node, enum adapter_breaker breaker)
{
	f->at = node;
	f->breaker = breaker;
	assert_ok(host_loop_run_until(f->loop, has_breaker, f, WAIT_MS));
}

static int set_up(void **state)
{
	struct fixture *f = host_alloc(sizeof(*f));
	const struct host_http_server_options options = {0};
	struct cs_why why;

	*f = (struct fixture){.loop = host_loop_new()};
	for (size_t i = 0; i < NODES_MAX; i++) {
		struct node *node = &f->nodes[i];

		if (host_http_server_new(&node->server, f->loop, &options, &why) != CS_OK)
			return -1;
		host_http_server_route(node->server, "POST", "/", 0, on_request, node);
		snprintf(f->urls[i], sizeof(f->urls[i]), "http://127.0.0.1:%u/",
			 host_http_server_port(node->server));
	}
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	adapter_rpc_free(f->rpc);
	for (size_t i = 0; i < NODES_MAX; i++) {
		let_go(&f->nodes[i], WELL);
		host_http_server_free(f->nodes[i].server);
	}
	host_loop_free(f->loop);
	free(f);
	return 0;
}

/* ---- hedges ---- */

static void test_one_that_is_in_time_is_asked_alone(void **state)
{
	struct fixture *f = *state;

	open_rpc(f, 2, 100);
	for (unsigned i = 0; i < 20; i++) {
		read_once(f);
		assert_int_equal(f->endpoint, 0);
	}
	assert_int_equal(f->nodes[1].asked, 0);
	assert_int_equal(at_node(f, 1)->hedges, 0);
	assert_true(at_node(f, 0)->answer_p95_ms > 0);
}

static void test_a_late_read_goes_to_the_next(void **state)
{
	struct fixture *f = *state;

	open_rpc(f, 2, 10);
	f->nodes[0].manner = HANG;
	uint64_t begin_ms = host_now_ms();
	read_once(f);
	assert_true(host_now_ms() - begin_ms >= 20 && host_now_ms() - begin_ms < TIMEOUT_MS);
	assert_int_equal(f->class, ADAPTER_RPC_FINE);
	assert_int_equal(f->endpoint, 1);
	assert_int_equal(f->value, 7);
	assert_int_equal(at_node(f, 1)->hedges, 1);
	assert_int_equal(at_node(f, 1)->hedges_won, 1);
	assert_int_equal(at_node(f, 0)->overtaken, 1);
	assert_int_equal(at_node(f, 0)->errors, 0); /* late is no failure yet */
	/* as long as it owes an answer, it is asked last: no second hedge */
	read_once(f);
	assert_int_equal(f->endpoint, 1);
	assert_int_equal(f->nodes[0].asked, 1);
	assert_int_equal(at_node(f, 1)->hedges, 1);
}

static void test_what_comes_too_late_is_counted(void **state)
{
	struct fixture *f = *state;

	open_rpc(f, 2, 10);
	f->nodes[0].manner = HANG;
	read_once(f);
	assert_int_equal(f->endpoint, 1);
	pass(f, TIMEOUT_MS + 200); /* its answer never comes */
	assert_int_equal(at_node(f, 0)->failures[ADAPTER_FAILURE_TIMEOUT], 1);
	assert_int_equal(at_node(f, 0)->errors, 1);
	read_once(f); /* and it is asked first again, which hangs again */
	assert_int_equal(f->nodes[0].asked, 2);
	let_go(&f->nodes[0], OTHER_IDS);
	pass(f, 100);
	assert_int_equal(at_node(f, 0)->lies, 1);
	assert_int_equal(f->done, 1);
}

static void test_only_reads_are_hedged(void **state)
{
	struct fixture *f = *state;
	const struct adapter_rpc_options pinned = {.pin = 0, .only_pin = true};
	const struct adapter_rpc_call mixed[] = {{"read", NULL}, {"send", NULL}};
	const struct adapter_rpc_call many[] = {{"read", NULL}, {"read", NULL}, {"look", NULL}};

	open_rpc(f, 2, 10);
	f->nodes[0].manner = HANG;
	f->done = 0;
	assert_ok(ask(f, "send"));
	assert_ok(adapter_rpc_call(f->rpc, &pinned, "read", NULL, on_done, f));
	/* with something else beside it, or in more than one HTTP request: answers stay together */
	assert_ok(adapter_rpc_batch(f->rpc, ADAPTER_RPC_DEFAULT, mixed, CS_LEN(mixed), on_done, f));
	assert_ok(adapter_rpc_batch(f->rpc, ADAPTER_RPC_DEFAULT, many, CS_LEN(many), on_done, f));
	wait_asked(f, 0, 5);
	pass(f, 5 * DELAY_MS);
	assert_int_equal(f->done, 0);
	assert_int_equal(f->nodes[1].asked, 0);
	assert_int_equal(at_node(f, 0)->unhedged, 0);
	let_go(&f->nodes[0], WELL);
	wait_done(f, 4);
	/* two reads in one HTTP request are one read */
	f->done = 0;
	assert_ok(adapter_rpc_batch(f->rpc, ADAPTER_RPC_DEFAULT, many, 2, on_done, f));
	wait_done(f, 1);
	assert_int_equal(f->endpoint, 1);
}

/* A nonce in a sender's hands is none; one that is only shown is. */
static void test_what_the_caller_calls_a_read_is_one(void **state)
{
	struct fixture *f = *state;

	open_rpc(f, 2, 10);
	f->nodes[0].manner = HANG;
	f->done = 0;
	assert_ok(adapter_rpc_call(f->rpc, ADAPTER_RPC_READ, "send", NULL, on_done, f));
	wait_done(f, 1);
	assert_int_equal(f->endpoint, 1);
	assert_int_equal(at_node(f, 1)->hedges_won, 1);
}

static void test_none_without_a_second_endpoint_or_by_config(void **state)
{
	struct fixture *f = *state;

	open_rpc(f, 1, 10);
	f->nodes[0].manner = HANG;
	f->done = 0;
	assert_ok(ask(f, "read"));
	pass(f, 5 * DELAY_MS);
	assert_int_equal(f->done, 0);
	assert_int_equal(at_node(f, 0)->unhedged, 0);
	adapter_rpc_free(f->rpc);
	f->rpc = NULL;
	let_go(&f->nodes[0], WELL);
	f->nodes[0].manner = WELL;
	open_rpc(f, 2, 0);
	f->nodes[0].manner = HANG;
	f->done = 0;
	assert_ok(ask(f, "read"));
	pass(f, 5 * DELAY_MS);
	assert_int_equal(f->done, 0);
	assert_int_equal(f->nodes[1].asked, 0);
}

static void test_the_budget_ends(void **state)
{
	struct fixture *f = *state;
	unsigned count = ADAPTER_HEDGE_BURST + 2;

	open_rpc(f, 2, 1);
	f->nodes[0].manner = HANG;
	f->done = 0;
	for (unsigned i = 0; i < count; i++)
		assert_ok(ask(f, "read"));
	wait_done(f, ADAPTER_HEDGE_BURST);
	assert_int_equal(at_node(f, 1)->hedges, ADAPTER_HEDGE_BURST);
	/* the others are not lost: they wait as long as they would have waited before */
	wait_done(f, count);
	assert_int_equal(f->class, ADAPTER_RPC_FINE);
	assert_int_equal(f->endpoint, 1);
	assert_int_equal(at_node(f, 0)->unhedged, 2);
	assert_int_equal(at_node(f, 1)->hedges, ADAPTER_HEDGE_BURST);
}

static void test_a_lie_and_then_the_truth(void **state)
{
	struct fixture *f = *state;

	open_rpc(f, 2, 10);
	f->nodes[0].manner = HANG;
	f->nodes[1].manner = LIE;
	f->done = 0;
	assert_ok(ask(f, "read"));
	wait_asked(f, 1, 1);
	pass(f, 50);
	assert_int_equal(f->done, 0); /* it does not hold, the other one may */
	let_go(&f->nodes[0], WELL);
	wait_done(f, 1);
	assert_int_equal(f->endpoint, 0);
	assert_int_equal(f->value, 7);
	assert_int_equal(at_node(f, 1)->lies, 1);
	assert_int_equal(at_node(f, 0)->lies, 0);
	assert_int_equal(at_node(f, 1)->hedges_won, 0);
}

/* The lie comes from the first while the second is on the way. */
static void test_a_lie_of_the_first(void **state)
{
	struct fixture *f = *state;

	open_rpc(f, 2, 10);
	f->nodes[0].manner = f->nodes[1].manner = HANG;
	f->done = 0;
	assert_ok(ask(f, "read"));
	wait_asked(f, 1, 1);
	let_go(&f->nodes[0], LIE);
	pass(f, 50);
	assert_int_equal(f->done, 0);
	let_go(&f->nodes[1], WELL);
	wait_done(f, 1);
	assert_int_equal(f->endpoint, 1);
	assert_int_equal(f->value, 7);
	assert_int_equal(at_node(f, 0)->lies, 1);
}

/* Neither holds (headers of a chain whose JSON does not make the hash): the caller judges, nobody lied. */
static void test_two_that_do_not_hold(void **state)
{
	struct fixture *f = *state;

	open_rpc(f, 2, 10);
	f->nodes[0].manner = HANG;
	f->nodes[1].manner = LIE;
	f->done = 0;
	assert_ok(ask(f, "read"));
	wait_asked(f, 1, 1);
	let_go(&f->nodes[0], LIE);
	wait_done(f, 1);
	assert_int_equal(f->endpoint, 0);
	assert_int_equal(f->value, 8);
	assert_int_equal(at_node(f, 0)->lies + at_node(f, 1)->lies, 0);
}

static void test_a_hedge_that_is_behind(void **state)
{
	struct fixture *f = *state;

	open_rpc(f, 2, 10);
	f->nodes[0].manner = HANG;
	f->nodes[1].manner = NONE;
	f->done = 0;
	assert_ok(ask(f, "read"));
	wait_asked(f, 1, 1);
	pass(f, 50);
	assert_int_equal(f->done, 0); /* it may be that it has not seen the block yet */
	let_go(&f->nodes[0], WELL);
	wait_done(f, 1);
	assert_int_equal(f->endpoint, 0);
	assert_int_equal(f->value, 7);
	/* and where the first gives nothing, it is better than nothing */
	f->done = 0;
	assert_ok(ask(f, "read"));
	wait_asked(f, 1, 2);
	let_go(&f->nodes[0], BROKEN);
	wait_done(f, 1);
	assert_true(f->is_null);
	assert_int_equal(f->endpoint, 1);
}

static void test_a_hedge_that_fails(void **state)
{
	struct fixture *f = *state;

	open_rpc(f, 3, 10);
	f->nodes[0].manner = HANG;
	f->nodes[1].manner = BROKEN;
	f->done = 0;
	assert_ok(ask(f, "read"));
	wait_asked(f, 1, 1);
	pass(f, 50);
	assert_int_equal(f->done, 0);
	assert_int_equal(at_node(f, 1)->failures[ADAPTER_FAILURE_HTTP], 1);
	let_go(&f->nodes[0], BROKEN); /* both: then a third */
	wait_done(f, 1);
	assert_int_equal(f->endpoint, 2);
	assert_int_equal(f->value, 7);
}

/* ---- the end ---- */

static void test_the_end_with_both_on_the_way(void **state)
{
	struct fixture *f = *state;

	open_rpc(f, 2, 10);
	f->nodes[0].manner = f->nodes[1].manner = HANG;
	f->done = 0;
	assert_ok(ask(f, "read"));
	wait_asked(f, 1, 1);
	adapter_rpc_close(f->rpc);
	assert_int_equal(f->done, 1);
	assert_int_equal(f->err, CS_ERR_CLOSED);
	assert_err(UNAVAILABLE, ask(f, "read"));
	let_go(&f->nodes[0], WELL);
	let_go(&f->nodes[1], WELL);
	pass(f, 50);
	assert_int_equal(f->done, 1);
}

static void test_the_end_with_one_that_was_overtaken(void **state)
{
	struct fixture *f = *state;

	open_rpc(f, 2, 10);
	f->nodes[0].manner = HANG;
	read_once(f);
	assert_int_equal(f->endpoint, 1);
	adapter_rpc_free(f->rpc);
	f->rpc = NULL;
	assert_int_equal(f->done, 1);
}

/* ---- the breaker ---- */

static void test_breaker(void **state)
{
	struct fixture *f = *state;

	open_rpc(f, 2, 0);
	f->nodes[0].manner = BROKEN;
	for (unsigned i = 0; i < ADAPTER_BREAKER_FAILURES; i++) {
		read_once(f);
		assert_int_equal(f->endpoint, 1);
	}
	assert_int_equal(f->nodes[0].asked, ADAPTER_BREAKER_FAILURES);
	assert_int_equal(at_node(f, 0)->breaker, ADAPTER_BREAKER_OPEN);
	assert_int_equal(at_node(f, 0)->state, ADAPTER_ENDPOINT_FAILING);
	for (unsigned i = 0; i < 5; i++)
		read_once(f);
	assert_int_equal(f->nodes[0].asked, ADAPTER_BREAKER_FAILURES); /* left out */
	/* its probes are fine; what it is there for is not */
	wait_breaker(f, 0, ADAPTER_BREAKER_HALF_OPEN);
	f->done = 0;
	assert_ok(ask(f, "send")); /* no trial with something that must not fail */
	wait_done(f, 1);
	assert_int_equal(f->endpoint, 1);
	read_once(f);
	assert_int_equal(f->endpoint, 1);
	assert_int_equal(f->nodes[0].asked, ADAPTER_BREAKER_FAILURES + 1);
	assert_int_equal(at_node(f, 0)->breaker, ADAPTER_BREAKER_OPEN);
	f->nodes[0].manner = WELL;
	wait_breaker(f, 0, ADAPTER_BREAKER_HALF_OPEN);
	read_once(f);
	assert_int_equal(f->endpoint, 0);
	assert_int_equal(at_node(f, 0)->breaker, ADAPTER_BREAKER_CLOSED);
	assert_int_equal(at_node(f, 0)->state, ADAPTER_ENDPOINT_OK);
}

static void test_the_last_ones_are_not_left_out(void **state)
{
	struct fixture *f = *state;

	open_rpc(f, 2, 0);
	f->nodes[0].manner = f->nodes[1].manner = BROKEN;
	while (at_node(f, 0)->breaker != ADAPTER_BREAKER_OPEN ||
	       at_node(f, 1)->breaker != ADAPTER_BREAKER_OPEN) {
		read_once(f);
		assert_int_equal(f->class, ADAPTER_RPC_NODE);
	}
	f->nodes[1].manner = WELL;
	read_once(f);
	assert_int_equal(f->endpoint, 1);
	assert_int_equal(at_node(f, 1)->breaker, ADAPTER_BREAKER_CLOSED);
}

/* ---- limits ---- */

static void test_retry_after(void **state)
{
	struct fixture *f = *state;

	open_rpc(f, 2, 0);
	f->nodes[0].manner = LIMITED;
	read_once(f);
	assert_int_equal(f->endpoint, 1);
	assert_int_equal(at_node(f, 0)->limited, 1);
	assert_int_equal(at_node(f, 0)->failures[ADAPTER_FAILURE_LIMIT], 1);
	unsigned probed = f->nodes[0].probed;
	uint64_t until_ms = host_now_ms() + 700;
	while (host_now_ms() < until_ms) {
		read_once(f);
		assert_int_equal(f->endpoint, 1);
	}
	assert_int_equal(f->nodes[0].asked, 1);
	assert_true(f->nodes[0].probed <= probed + 1); /* one may have been on the way */
	f->nodes[0].manner = WELL;
	pass(f, 600);
	read_once(f);
	assert_int_equal(f->endpoint, 0);
}

static void test_retry_after_of_the_only_one(void **state)
{
	struct fixture *f = *state;

	open_rpc(f, 1, 0);
	f->nodes[0].manner = LIMITED;
	read_once(f);
	assert_int_equal(f->class, ADAPTER_RPC_LIMIT);
	assert_err(RATE_LIMITED, ask(f, "read"));
	f->done = 0;
	assert_ok(ask(f, "send")); /* worth more than its wish */
	wait_done(f, 1);
	assert_int_equal(f->nodes[0].asked, 2);
	f->nodes[0].manner = WELL;
	pass(f, 1100);
	read_once(f);
	assert_int_equal(f->class, ADAPTER_RPC_FINE);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_one_that_is_in_time_is_asked_alone),
		T(test_a_late_read_goes_to_the_next),
		T(test_what_comes_too_late_is_counted),
		T(test_only_reads_are_hedged),
		T(test_what_the_caller_calls_a_read_is_one),
		T(test_none_without_a_second_endpoint_or_by_config),
		T(test_the_budget_ends),
		T(test_a_lie_and_then_the_truth),
		T(test_a_lie_of_the_first),
		T(test_two_that_do_not_hold),
		T(test_a_hedge_that_is_behind),
		T(test_a_hedge_that_fails),
		T(test_the_end_with_both_on_the_way),
		T(test_the_end_with_one_that_was_overtaken),
		T(test_breaker),
		T(test_the_last_ones_are_not_left_out),
		T(test_retry_after),
		T(test_retry_after_of_the_only_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
