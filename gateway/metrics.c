/* Figures for Prometheus. What is counted of messages comes from the journal at the time of asking,
 * so that it is true after a restart too. */
#include "gateway/gateway.h"
#include "gateway/journal_held.h"
#include "gateway/webhooks.h"
#include "host/enclave_json.h"
#include "relay_state/client/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LATENCY_SAMPLES 256u
/* As gateway_is_stopped has it. */
#define FOR_GOOD "reverted-for-good"
#define INSECURE "caisson_enclave_insecure"
#define INSECURE_HELP "1: what weakens trust, by its name; any: at least one of them."
#define ATTESTED "caisson_peer_attested"
#define EVIDENCE_ENDS "caisson_peer_evidence_expires_timestamp_seconds"
#define LABELS(...) ((const struct host_metric_label[HOST_METRIC_LABELS_MAX]){__VA_ARGS__})

static struct host_metric *series(struct gateway *gateway, enum host_metric_kind kind,
				  const char *name, const char *help,
				  const struct host_metric_label *labels)
{
	struct host_metric_spec spec = {.name = name, .kind = kind, .help = help};
	for (size_t i = 0; labels && i < HOST_METRIC_LABELS_MAX; i++)
		spec.labels[i] = labels[i];
	return host_metrics_series(gateway->metrics, &spec);
}

static void gauge(struct gateway *gateway, const char *name, const char *help,
		  const struct host_metric_label *labels, double value)
{
	host_metric_set(series(gateway, HOST_METRIC_GAUGE, name, help, labels), value);
}

/* What others count, since the start: taken over as it stands. */
static void count_up_to(struct gateway *gateway, const char *name, const char *help,
			const struct host_metric_label *labels, uint64_t value)
{
	struct host_metric *metric = series(gateway, HOST_METRIC_COUNTER, name, help, labels);
	uint64_t known = (uint64_t)host_metric_value(metric);
	if (value > known)
		host_metric_add(metric, value - known);
}

/* ---- messages: is anything stuck, for how long, and why ---- */

static const char *side_name(enum relay_side side)
{
	return side == RELAY_SOURCE ? "source" : "destination";
}

static void count_row(void *ctx, const struct gateway_count *row)
{
	struct gateway *gateway = ctx;
	const char *name = relay_state_name(row->state);
	uint64_t now = host_wall_ms();
	if (!name)
		return;
	const struct host_metric_label *labels =
		LABELS({"chain", gateway_caip2(gateway, &row->chain)},
		       {"remote", gateway_caip2(gateway, &row->remote)},
		       {"side", side_name(row->side)}, {"state", name});
	gauge(gateway, "caisson_messages",
	      "Messages in the journal by chain, remote, side and state.", labels,
	      (double)row->count);
	if (!relay_ends(row->state))
		gauge(gateway, "caisson_message_oldest_age_seconds",
		      "Time since the journal first heard of the oldest message of this state.",
		      labels,
		      row->count > 0 && now > row->oldest_ms ? (double)(now - row->oldest_ms) / 1000
							     : 0);
}

/* Labels come from the tables of this program, never from what a peer wrote. */
static const char *reason_name(const char *reason)
{
	for (unsigned err = 1; err < CS_ERR_COUNT; err++)
		if (reason && strcmp(cs_err_name((enum cs_err)err), reason) == 0)
			return cs_err_name((enum cs_err)err);
	return reason && strcmp(reason, "reverted for good") == 0 ? FOR_GOOD : "other";
}

#define HELD "caisson_messages_held"

static void hold(struct gateway *gateway, const struct gateway_count *row, const char *reason)
{
	struct host_metric *metric =
		series(gateway, HOST_METRIC_GAUGE, HELD,
		       "Messages that have not ended and that an error holds up, by its name.",
		       LABELS({"chain", gateway_caip2(gateway, &row->chain)},
			      {"remote", gateway_caip2(gateway, &row->remote)},
			      {"side", side_name(row->side)}, {"reason", reason}));
	host_metric_set(metric, host_metric_value(metric) + (double)row->count);
}

static void reason_row(void *ctx, const struct gateway_count *row, const char *reason,
		       bool wants_pay)
{
	const struct gateway_chain *chain = wants_pay ? gateway_chain_of(ctx, &row->chain) : NULL;
	if (chain && gateway_pool_is_out(chain))
		hold(ctx, row, cs_err_name(CS_ERR_NO_FUNDS));
	else if (reason && reason[0])
		hold(ctx, row, reason_name(reason));
}

/* The series of a route are there from the start, at zero where the journal has nothing. */
static void clear_route(const struct gateway_route *route)
{
	struct gateway *gateway = route->chain->gateway;
	struct gateway_count row = {.chain = route->chain->identity, .remote = route->remote};
	for (unsigned side = RELAY_SOURCE; side <= RELAY_DESTINATION; side++) {
		row.side = (enum relay_side)side;
		hold(gateway, &row, FOR_GOOD);
		for (unsigned state = 1; state < RELAY_STATE_END; state++) {
			row.state = (enum relay_state)state;
			count_row(gateway, &row);
		}
	}
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static const struct {
	const char *name;
	size_t percent;
} quantiles[] = {{"0.5", 50}, {"0.99", 99}};

static void collect_latency(const struct gateway_route *route, enum relay_step step,
			    const char *until)
{
	struct gateway *gateway = route->chain->gateway;
	uint64_t took_ms[LATENCY_SAMPLES];
	size_t count = 0;
	if (gateway_journal_latencies(gateway->journal, &route->chain->identity, &route->remote,
				      step, took_ms, LATENCY_SAMPLES, &count) != CS_OK ||
	    count == 0)
		return;
	qsort(took_ms, count, sizeof(took_ms[0]), by_size);
	for (size_t i = 0; i < CS_LEN(quantiles); i++) {
		const size_t at = (count - 1) * quantiles[i].percent / 100;
		gauge(gateway, "caisson_message_latency_seconds",
		      "From the block of the event at the source, of the newest 256 finalized "
		      "messages.",
		      LABELS({"chain", route->chain->config->id},
			     {"remote", route->remote_manifest->caip2}, {"until", until},
			     {"quantile", quantiles[i].name}),
		      (double)took_ms[at] / 1000);
	}
}

/* Of a route's newest messages, how long each step took: since the step before it that happened. */
struct step_times {
	uint64_t message;
	uint64_t before_ms;
	size_t count[RELAY_STEP_COUNT];
	uint64_t took_ms[RELAY_STEP_COUNT][LATENCY_SAMPLES];
};

static void step_row(void *ctx, const struct gateway_step *step)
{
	struct step_times *times = ctx;
	const size_t i = (size_t)step->step - 1;
	bool is_first = step->message != times->message;
	if (i < RELAY_STEP_COUNT && !is_first && times->count[i] < LATENCY_SAMPLES)
		/* Blocks tell whole seconds, and another gateway's clock is another. */
		times->took_ms[i][times->count[i]++] =
			step->time_ms > times->before_ms ? step->time_ms - times->before_ms : 0;
	times->message = step->message;
	times->before_ms = step->time_ms;
}

static void collect_steps(const struct gateway_route *route)
{
	static struct step_times times; /* 37 KiB: too large for the stack of a callback */
	struct gateway *gateway = route->chain->gateway;
	memset(times.count, 0, sizeof(times.count));
	times.message = 0;
	if (gateway_journal_step_times(gateway->journal, &route->chain->identity, &route->remote,
				       LATENCY_SAMPLES, step_row, &times) != CS_OK)
		return;
	for (size_t i = 0; i < RELAY_STEP_COUNT; i++) {
		qsort(times.took_ms[i], times.count[i], sizeof(times.took_ms[i][0]), by_size);
		for (size_t k = 0; k < CS_LEN(quantiles) && times.count[i] > 0; k++) {
			size_t at = (times.count[i] - 1) * quantiles[k].percent / 100;
			gauge(gateway, "caisson_message_step_seconds",
			      "From the step before, of the newest 256 finalized messages.",
			      LABELS({"chain", route->chain->config->id},
				     {"remote", route->remote_manifest->caip2},
				     {"step", relay_step_name((unsigned)i + 1)},
				     {"quantile", quantiles[k].name}),
			      (double)times.took_ms[i][at] / 1000);
		}
	}
}

static void collect_messages(struct gateway *gateway)
{
	host_metrics_clear(gateway->metrics, HELD);
	for (size_t i = 0; i < gateway->chain_count; i++) {
		const struct gateway_chain *chain = &gateway->chains[i];
		for (size_t k = 0; k < chain->route_count; k++) {
			clear_route(&chain->routes[k]);
			collect_latency(&chain->routes[k], RELAY_STEP_EXECUTED, "delivered");
			collect_latency(&chain->routes[k], RELAY_STEP_FINALIZED, "finalized");
			collect_steps(&chain->routes[k]);
		}
	}
	if (gateway_journal_counts(gateway->journal, count_row, gateway) != CS_OK ||
	    gateway_journal_reasons(gateway->journal, reason_row, gateway) != CS_OK)
		log_warn("metrics.no_counts");
}

/* ---- chains, their endpoints, their accounts ---- */

static void collect_counters(struct gateway *gateway, const char *id,
			     const struct adapter_counters *c)
{
	const struct {
		const char *name;
		const char *help;
		uint64_t value;
	} rows[] = {
		{"caisson_adapter_events_total", "Events of the gateway contract.", c->events},
		{"caisson_adapter_late_events_total", "Events that only the reconciler found.",
		 c->late},
		{"caisson_adapter_foreign_events_total",
		 "Logs that do not decode or name another message.", c->foreign},
		{"caisson_adapter_unstorable_events_total",
		 "Events left out for a number that no journal holds.", c->unstorable},
		{"caisson_adapter_denied_logs_total",
		 "Blocks that eth_getLogs named and whose receipts hold nothing.", c->logs_denied},
		{"caisson_adapter_reorgs_total", "Reorganisations.", c->reorgs},
		{"caisson_adapter_websocket_connects_total", "Connections of the websocket.",
		 c->ws_connects},
		{"caisson_adapter_websocket_silent_total",
		 "Websockets that said nothing while blocks came.", c->ws_silent},
		{"caisson_adapter_transactions_sent_total", "Transactions sent.", c->txs_sent},
		{"caisson_adapter_transactions_replaced_total",
		 "Transactions replaced by a better fee.", c->txs_replaced},
		{"caisson_adapter_transactions_unknown_total",
		 "Transactions of which no endpoint says whether they happened.", c->txs_unknown},
	};
	for (size_t i = 0; i < CS_LEN(rows); i++)
		count_up_to(gateway, rows[i].name, rows[i].help, LABELS({"chain", id}),
			    rows[i].value);
}

static void collect_providers(struct gateway_chain *chain)
{
	if (!adapter_has_providers(chain->manifest))
		return;
	gauge(chain->gateway, "caisson_chain_providers_voting",
	      "Providers that named a block when they were asked last.",
	      LABELS({"chain", chain->config->id}),
	      (double)adapter_providers_voting(&chain->providers));
}

/* What only one that is asked has: a websocket brings hints. */
static void collect_asked(struct gateway_chain *chain, const char *number,
			  const struct adapter_endpoint *e)
{
	struct gateway *gateway = chain->gateway;
	const char *id = chain->config->id;
	const struct host_metric_label *labels =
		LABELS({"chain", id}, {"endpoint", number}, {"url", e->url});
	const struct {
		const char *quantile;
		unsigned ms;
	} times[] = {
		{"0.5", e->answer_p50_ms}, {"0.95", e->answer_p95_ms}, {"0.99", e->answer_p99_ms}};
	const struct {
		const char *name;
		const char *help;
		uint64_t value;
	} counts[] = {
		{"caisson_endpoint_hedges_total",
		 "Reads that it got because another endpoint was late.", e->hedges},
		{"caisson_endpoint_hedges_won_total", "Of them those that it answered first.",
		 e->hedges_won},
		{"caisson_endpoint_overtaken_total", "Its reads that another one answered first.",
		 e->overtaken},
		{"caisson_endpoint_unhedged_total",
		 "Its late reads that went nowhere else: the budget was spent, or nobody was fit.",
		 e->unhedged},
	};
	for (size_t i = 0; i < CS_LEN(counts); i++)
		count_up_to(gateway, counts[i].name, counts[i].help, labels, counts[i].value);
	for (size_t i = 0; i < ADAPTER_FAILURE_COUNT; i++)
		count_up_to(gateway, "caisson_endpoint_failures_total",
			    "Requests that failed, by how.",
			    LABELS({"chain", id}, {"endpoint", number}, {"url", e->url},
				   {"class", adapter_failure_name((enum adapter_failure)i)}),
			    e->failures[i]);
	gauge(gateway, "caisson_endpoint_breaker", "0: closed, 1: half open, 2: open, left out.",
	      labels,
	      e->breaker == ADAPTER_BREAKER_OPEN        ? 2
	      : e->breaker == ADAPTER_BREAKER_HALF_OPEN ? 1
							: 0);
	for (size_t i = 0; i < CS_LEN(times) && e->answer_p50_ms > 0; i++)
		gauge(gateway, "caisson_endpoint_answer_seconds",
		      "Time within which its newest 64 answers came.",
		      LABELS({"chain", id}, {"endpoint", number}, {"url", e->url},
			     {"quantile", times[i].quantile}),
		      times[i].ms / 1000.0);
}

static void collect_endpoint(struct gateway_chain *chain, size_t index,
			     const struct adapter_endpoint *e, uint64_t height_best)
{
	struct gateway *gateway = chain->gateway;
	char number[8];
	snprintf(number, sizeof(number), "%zu", index);
	const struct host_metric_label *labels =
		LABELS({"chain", chain->config->id}, {"endpoint", number}, {"url", e->url});
	const struct {
		const char *name;
		const char *help;
		uint64_t value;
	} counts[] = {
		{"caisson_endpoint_requests_total", "Requests to the endpoint.", e->requests},
		{"caisson_endpoint_errors_total", "Requests that failed.", e->errors},
		{"caisson_endpoint_limited_total", "Answers that say: too many.", e->limited},
		{"caisson_endpoint_lies_total", "Answers that cannot be.", e->lies},
		{"caisson_endpoint_diverged_total",
		 "Times that it was set aside for a history of its own.", e->diverged},
	};
	for (size_t i = 0; i < CS_LEN(counts); i++)
		count_up_to(gateway, counts[i].name, counts[i].help, labels, counts[i].value);
	/* A websocket to which nobody has listened yet is neither. */
	if (!e->websocket || e->state != ADAPTER_ENDPOINT_UNKNOWN)
		gauge(gateway, "caisson_endpoint_up",
		      "1: it answers, and is at the height of the others.", labels,
		      e->state == ADAPTER_ENDPOINT_OK);
	gauge(gateway, "caisson_endpoint_height", "Newest block that the endpoint told.", labels,
	      (double)e->height);
	if (e->websocket)
		return;
	gauge(gateway, "caisson_endpoint_lag_blocks",
	      "Blocks behind the endpoint that told the highest.", labels,
	      (double)(height_best - e->height));
	collect_asked(chain, number, e);
}

static double as_double(const struct cs_u256 *value)
{
	struct cs_hash word = cs_u256_word(value);
	double sum = 0;
	for (size_t i = 0; i < sizeof(word.b); i++)
		sum = sum * 256 + word.b[i];
	return sum;
}

static void collect_account(struct gateway_chain *chain, size_t index)
{
	const struct gateway_account *account = &chain->accounts[index];
	char name[GATEWAY_ACCOUNT_NAME_SIZE];
	uint64_t calls = 0;
	const struct host_metric_label *labels = LABELS(
		{"chain", chain->config->id}, {"account", gateway_account_name(name, index)});
	gauge(chain->gateway, "caisson_account_transactions_open",
	      "Transactions of an account that no block has.", labels, account->open);
	if (!account->is_known)
		return;
	gauge(chain->gateway, "caisson_account_balance",
	      "What an account that pays has, in the chain's smallest unit.", labels,
	      as_double(&account->balance));
	gauge(chain->gateway, "caisson_account_balance_age_seconds",
	      "Time since a node told that balance.", labels,
	      (double)(host_now_ms() - account->told_ms) / 1000);
	gauge(chain->gateway, "caisson_account_low",
	      "1: it pays for fewer than a hundred calls like the dearest of its newest, or could "
	      "not pay.",
	      labels, gateway_account_is_low(account));
	if (gateway_account_calls(account, &calls))
		gauge(chain->gateway, "caisson_account_calls",
		      "Calls like the dearest of its newest hundred that it pays for.", labels,
		      (double)calls);
}

static void collect_pauses(const struct gateway_route *route)
{
	static const struct {
		const char *what;
		bool refunds;
	} rows[] = {{"messages", false}, {"refunds", true}};
	const char *here = route->chain->config->id;
	const char *there = route->remote_manifest->caip2;
	for (unsigned side = RELAY_SOURCE; side <= RELAY_DESTINATION; side++) {
		for (size_t i = 0; i < CS_LEN(rows); i++) {
			struct host_metric_spec spec = {
				.name = "caisson_route_paused",
				.kind = HOST_METRIC_GAUGE,
				.help = "1: an operator paused it here.",
				.labels = {
					{"from", side == RELAY_SOURCE ? here : there},
					{"to", side == RELAY_SOURCE ? there : here},
					{"side", side == RELAY_SOURCE ? "source" : "destination"},
					{"what", rows[i].what}}};
			bool paused = gateway_paused(route, (enum relay_side)side,
						     rows[i].refunds) != NULL;
			host_metric_set(host_metrics_series(route->chain->gateway->metrics, &spec),
					paused);
		}
	}
}

static void collect_client_end(const struct gateway_chain *chain)
{
	const uint64_t expires_s = gateway_client_expires_s(chain);
	gauge(chain->gateway, "caisson_chain_trusting_period_seconds",
	      "How old the light client's newest final block may become.",
	      LABELS({"chain", chain->config->id}), (double)chain->manifest->trusting_period_s);
	if (expires_s > 0)
		gauge(chain->gateway, "caisson_chain_client_expires_timestamp_seconds",
		      "When the light client is of no use any more unless a block becomes final.",
		      LABELS({"chain", chain->config->id}), (double)expires_s);
}

static void collect_chain(struct gateway_chain *chain)
{
	struct gateway *gateway = chain->gateway;
	struct adapter_counters c;
	struct adapter_endpoint endpoints[ADAPTER_ENDPOINTS_MAX];
	const char *id = chain->config->id;
	adapter_counters(chain->adapter, &c);
	const struct {
		const char *name;
		const char *help;
		double value;
	} rows[] = {
		{"caisson_chain_head_height", "Newest block that the node tells.",
		 (double)chain->follow.head_height},
		{"caisson_chain_final_height", "Newest final block of the enclave's light client.",
		 (double)chain->follow.final_height},
		{"caisson_chain_cursor_height", "Block up to which every event is in the journal.",
		 (double)chain->follow.cursor_height},
		{"caisson_chain_ready", "1: messages of this chain can move.",
		 gateway_chain_trouble(chain) == NULL},
		{"caisson_chain_insecure", "1: its blocks count as final by nobody's word.",
		 chain->follow.insecure},
		{"caisson_chain_frozen", "1: nothing is signed for this chain.",
		 chain->follow.frozen},
		{"caisson_chain_diverged", "1: the node's branch does not hold the final block.",
		 chain->follow.diverged},
		{"caisson_chain_reorg_held_blocks",
		 "Depth of a reorganisation that waits for an operator; 0: none does.",
		 chain->follow.is_held
			 ? (double)(chain->follow.held.old_tip - chain->follow.held.from + 1)
			 : 0},
		{"caisson_chain_stalled_seconds", "Time without a new block beyond what is usual.",
		 (double)chain->follow.stalled_ms / 1000},
		{"caisson_chain_client_stands_seconds",
		 "Time for which the light client has taken nothing of what there is for it.",
		 (double)adapter_follow_stands_ms(&chain->follow) / 1000},
		{"caisson_transactions_open", "Transactions that are not settled.",
		 (double)gateway_open_transactions(chain)},
		{"caisson_chain_unrouted_messages",
		 "Messages for destinations to which no route goes: taken up when one does.",
		 (double)gateway_unrouted_count(chain)},
		{"caisson_adapter_reorg_depth_max", "Deepest reorganisation since the start.",
		 (double)c.reorg_depth_max},
	};
	for (size_t i = 0; i < CS_LEN(rows); i++)
		gauge(gateway, rows[i].name, rows[i].help, LABELS({"chain", id}), rows[i].value);
	collect_client_end(chain);
	collect_counters(gateway, id, &c);
	collect_providers(chain);
	for (size_t i = 0; i < chain->route_count; i++)
		collect_pauses(&chain->routes[i]);
	size_t count = adapter_endpoints(chain->adapter, endpoints, CS_LEN(endpoints));
	uint64_t height_best = 0;
	for (size_t i = 0; i < count && i < CS_LEN(endpoints); i++)
		height_best = endpoints[i].height > height_best ? endpoints[i].height : height_best;
	for (size_t i = 0; i < count && i < CS_LEN(endpoints); i++)
		collect_endpoint(chain, i, &endpoints[i], height_best);
	for (size_t i = 0; i < GATEWAY_ACCOUNT_COUNT; i++)
		if (gateway_account_is_shown(chain, i))
			collect_account(chain, i);
}

/* ---- the enclave, the journal, peers ---- */

/* Each flag that weakens trust is a series of its own: nobody has to know the bits. */
static void collect_insecure(struct gateway *gateway)
{
	size_t mark = cs_arena_mark(&gateway->scratch);
	ProtobufCMessage *message = NULL;
	host_metrics_clear(gateway->metrics, INSECURE);
	gauge(gateway, INSECURE, INSECURE_HELP, LABELS({"flag", "any"}), 0);
	if (gateway_enclave_hello(gateway).n &&
	    gateway_enclave_reply(&gateway->scratch, gateway_enclave_hello(gateway),
				  &caisson__wire__hello_reply__descriptor, &message) == CS_OK) {
		const Caisson__Wire__HelloReply *hello = (const Caisson__Wire__HelloReply *)message;
		json_t *names = host_insecure_json(hello->insecure_flags);
		for (size_t i = 0; i < json_array_size(names); i++)
			gauge(gateway, INSECURE, INSECURE_HELP,
			      LABELS({"flag", json_string_value(json_array_get(names, i))}), 1);
		gauge(gateway, INSECURE, INSECURE_HELP, LABELS({"flag", "any"}),
		      hello->insecure_flags != 0);
		json_decref(names);
	}
	cs_arena_rewind(&gateway->scratch, mark);
}

static void collect_enclave(struct gateway *gateway)
{
	gauge(gateway, "caisson_enclave_ready", "1: the enclave has keys and answers.", NULL,
	      gateway->enclave_ready);
	gauge(gateway, "caisson_enclave_signs",
	      "1: it has time, and its state is proven to be the newest.", NULL,
	      gateway->enclave_ready && ledger_clock_signs(gateway->clock));
	collect_insecure(gateway);
}

static void collect_peer(struct gateway *gateway, const struct gateway_peer *peer)
{
	uint64_t waiting = 0;
	if (!peer->config)
		return;
	gauge(gateway, "caisson_peer_reachable", "1: the newest call of this peer succeeded.",
	      LABELS({"peer", peer->name}), peer->reachable);
	if (gateway_journal_backlog(gateway->journal, peer->name, &waiting) == CS_OK)
		gauge(gateway, "caisson_peer_outbox", "Items that a peer has not taken yet.",
		      LABELS({"peer", peer->name}), (double)waiting);
	if (gateway_journal_held_count(gateway->journal, peer->name, &waiting) == CS_OK)
		gauge(gateway, "caisson_peer_held",
		      "Items of a peer that wait here for a key, or for a newer manifest.",
		      LABELS({"peer", peer->name}), (double)waiting);
}

/* Of a peer that is not looked at any more all of them are 0. */
static void collect_attested(struct gateway *gateway, const struct gateway_peer *peer)
{
	const struct gateway_attested_peer *attested = &peer->attested;
	if (attested->state == GATEWAY_ATTESTED_OFF)
		return;
	for (unsigned i = GATEWAY_ATTESTED_UNKNOWN; i < GATEWAY_ATTESTED_COUNT; i++)
		gauge(gateway, ATTESTED,
		      "1: the state of a peer's enclave; nothing of it is taken unless accepted.",
		      LABELS({"peer", peer->name},
			     {"state", gateway_attested_name((enum gateway_attested)i)}),
		      attested->state == i);
	for (unsigned i = 0; i < GATEWAY_ANSWER_COUNT; i++)
		count_up_to(gateway, "caisson_peer_attested_answers_total",
			    "Looks at a peer's enclave by what they came to.",
			    LABELS({"peer", peer->name},
				   {"answer",
				    gateway_attested_answer_name((enum gateway_attested_answer)i)}),
			    attested->answers[i]);
	if (attested->evidence_until_s > 0)
		gauge(gateway, EVIDENCE_ENDS,
		      "The first end of what a peer's evidence was accepted by: then it is "
		      "refused.",
		      LABELS({"peer", peer->name}), (double)attested->evidence_until_s);
}

static void collect_limited(struct gateway *gateway)
{
	static const char name[] = "caisson_api_limited_total";
	static const char help[] = "Requests that were too many, of API keys and of addresses.";
	struct host_http_limited limited = host_http_server_limited(gateway->server);
	count_up_to(gateway, name, help, LABELS({"of", "key"}), limited.by_key);
	count_up_to(gateway, name, help, LABELS({"of", "address"}), limited.by_address);
}

static void collect_proofs(struct gateway *gateway)
{
	struct gateway_proofs_kept kept;
	if (gateway_journal_proofs_kept(gateway->journal, &kept) != CS_OK)
		return;
	gauge(gateway, "caisson_proofs_kept", "Receipts whose proofs are kept.", NULL,
	      (double)kept.count);
	gauge(gateway, "caisson_proofs_kept_bytes", "Size of these proofs.", NULL,
	      (double)kept.bytes);
}

static void collect(void *context)
{
	struct gateway *gateway = context;
	struct host_store_figures figures =
		host_store_figures(gateway_journal_store(gateway->journal));
	collect_messages(gateway);
	for (size_t i = 0; i < gateway->chain_count; i++)
		collect_chain(&gateway->chains[i]);
	collect_enclave(gateway);
	collect_proofs(gateway);
	count_up_to(gateway, "caisson_journal_writes_total", "Writers of the journal.", NULL,
		    figures.writes);
	count_up_to(gateway, "caisson_journal_commits_total", "Commits of the journal.", NULL,
		    figures.commits);
	collect_limited(gateway);
	gateway_ledger_collect(gateway);
	gateway_webhooks_collect(gateway);
	host_metrics_clear(gateway->metrics, ATTESTED);
	host_metrics_clear(gateway->metrics, EVIDENCE_ENDS);
	for (size_t i = 0; i < gateway->peer_count; i++) {
		collect_peer(gateway, &gateway->peers[i]);
		collect_attested(gateway, &gateway->peers[i]);
	}
}

void gateway_metrics_start(struct gateway *gateway)
{
	host_metrics_on_collect(gateway->metrics, collect, gateway);
}
