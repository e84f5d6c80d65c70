/* Figures for Prometheus. What is counted of messages comes from the journal at the time of asking,
 * so that it is true after a restart too. */
#include "gateway/webhooks.h"
#include "relay_state/client/clock.h"

#include <string.h>

static struct host_metric *series(struct gateway *gateway, enum host_metric_kind kind,
				  const char *name, const char *help, const char *chain,
				  const char *side, const char *state)
{
	struct host_metric_spec spec = {.name = name, .kind = kind, .help = help};
	size_t n = 0;
	if (chain)
		spec.labels[n++] = (struct host_metric_label){"chain", chain};
	if (side)
		spec.labels[n++] = (struct host_metric_label){"side", side};
	if (state)
		spec.labels[n++] = (struct host_metric_label){"state", state};
	return host_metrics_series(gateway->metrics, &spec);
}

static struct host_metric *gauge(struct gateway *gateway, const char *name, const char *help,
				 const char *chain, const char *side, const char *state)
{
	return series(gateway, HOST_METRIC_GAUGE, name, help, chain, side, state);
}

/* What others count, since the start: taken over as it stands. */
static void count_up_to(struct gateway *gateway, const char *name, const char *help,
			const char *chain, uint64_t value)
{
	struct host_metric *metric =
		series(gateway, HOST_METRIC_COUNTER, name, help, chain, NULL, NULL);
	uint64_t known = (uint64_t)host_metric_value(metric);
	if (value > known)
		host_metric_add(metric, value - known);
}

#define MESSAGES_HELP "Messages in the journal by chain, side and state."
#define AGE_HELP "Age of the message that is longest in this state."

static void count_row(void *ctx, const struct cs_hash *chain, enum relay_side side,
		      enum relay_state state, uint64_t count, uint64_t oldest_ms)
{
	struct gateway *gateway = ctx;
	const char *caip2 = gateway_caip2(gateway, chain);
	const char *name = relay_state_name(state);
	const char *of = side == RELAY_SOURCE ? "source" : "destination";
	uint64_t now = host_wall_ms();
	if (!name)
		return;
	host_metric_set(gauge(gateway, "caisson_messages", MESSAGES_HELP, caip2, of, name),
			(double)count);
	if (!relay_ends(state))
		host_metric_set(gauge(gateway, "caisson_message_oldest_age_seconds", AGE_HELP,
				      caip2, of, name),
				now > oldest_ms ? (double)(now - oldest_ms) / 1000 : 0);
}

static void clear_counts(struct gateway *gateway)
{
	for (size_t i = 0; i < gateway->chain_count; i++) {
		for (unsigned side = RELAY_SOURCE; side <= RELAY_DESTINATION; side++) {
			for (unsigned state = 1; state < RELAY_STATE_END; state++)
				count_row(gateway, &gateway->chains[i].identity,
					  (enum relay_side)side, (enum relay_state)state, 0,
					  host_wall_ms());
		}
	}
}

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
		count_up_to(gateway, rows[i].name, rows[i].help, id, rows[i].value);
}

static void collect_providers(struct gateway_chain *chain)
{
	if (!adapter_has_providers(chain->manifest))
		return;
	host_metric_set(gauge(chain->gateway, "caisson_chain_providers_voting",
			      "Providers that named a block when they were asked last.",
			      chain->config->id, NULL, NULL),
			(double)adapter_providers_voting(&chain->providers));
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

static void collect_chain(struct gateway_chain *chain)
{
	struct gateway *gateway = chain->gateway;
	struct adapter_counters c;
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
		{"caisson_chain_frozen", "1: nothing is signed for this chain.",
		 chain->follow.frozen},
		{"caisson_chain_diverged", "1: the node's branch does not hold the final block.",
		 chain->follow.diverged},
		{"caisson_chain_stalled_seconds", "Time without a new block beyond what is usual.",
		 (double)chain->follow.stalled_ms / 1000},
		{"caisson_transactions_open", "Transactions that are not settled.",
		 (double)(chain->open_gas + chain->open_operator)},
		{"caisson_adapter_reorg_depth_max", "Deepest reorganisation since the start.",
		 (double)c.reorg_depth_max},
	};
	for (size_t i = 0; i < CS_LEN(rows); i++)
		host_metric_set(gauge(gateway, rows[i].name, rows[i].help, id, NULL, NULL),
				rows[i].value);
	collect_counters(gateway, id, &c);
	collect_providers(chain);
	for (size_t i = 0; i < chain->route_count; i++)
		collect_pauses(&chain->routes[i]);
}

static void collect(void *context)
{
	struct gateway *gateway = context;
	struct host_store_figures figures =
		host_store_figures(gateway_journal_store(gateway->journal));
	clear_counts(gateway);
	if (gateway_journal_counts(gateway->journal, count_row, gateway) != CS_OK)
		log_warn("metrics.no_counts");
	for (size_t i = 0; i < gateway->chain_count; i++)
		collect_chain(&gateway->chains[i]);
	host_metric_set(gauge(gateway, "caisson_enclave_ready",
			      "1: the enclave has keys and answers.", NULL, NULL, NULL),
			gateway->enclave_ready);
	host_metric_set(gauge(gateway, "caisson_enclave_signs",
			      "1: it has time, and its state is proven to be the newest.", NULL,
			      NULL, NULL),
			gateway->enclave_ready && ledger_clock_signs(gateway->clock));
	count_up_to(gateway, "caisson_journal_writes_total", "Writers of the journal.", NULL,
		    figures.writes);
	count_up_to(gateway, "caisson_journal_commits_total", "Commits of the journal.", NULL,
		    figures.commits);
	gateway_ledger_collect(gateway);
	gateway_webhooks_collect(gateway);
	for (size_t i = 0; i < gateway->peer_count; i++) {
		uint64_t waiting = 0;
		struct host_metric_spec spec = {.name = "caisson_peer_outbox",
						.kind = HOST_METRIC_GAUGE,
						.help = "Items that a peer has not taken yet.",
						.labels = {{"peer", gateway->peers[i].name}}};
		if (gateway->peers[i].config &&
		    gateway_journal_backlog(gateway->journal, gateway->peers[i].name, &waiting) ==
			    CS_OK)
			host_metric_set(host_metrics_series(gateway->metrics, &spec),
					(double)waiting);
	}
}

void gateway_metrics_start(struct gateway *gateway)
{
	host_metrics_on_collect(gateway->metrics, collect, gateway);
}
