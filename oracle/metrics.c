/* Figures for Prometheus. What is counted of requests comes from the journal at the time of asking,
 * so that it is true after a restart too. */
#include "oracle/app_requests.h"
#include "oracle/ledger.h"
#include "relay_state/client/clock.h"

#include <string.h>

static struct host_metric *series(struct oracle *oracle, enum host_metric_kind kind,
				  const char *name, const char *help,
				  const struct host_metric_label *labels, size_t count)
{
	struct host_metric_spec spec = {.name = name, .kind = kind, .help = help};
	cs_assert(count <= HOST_METRIC_LABELS_MAX);
	if (count > 0)
		memcpy(spec.labels, labels, count * sizeof(*labels));
	return host_metrics_series(oracle->metrics, &spec);
}

static void gauge(struct oracle *oracle, const char *name, const char *help, double value)
{
	host_metric_set(series(oracle, HOST_METRIC_GAUGE, name, help, NULL, 0), value);
}

/* What others count, since the start: taken over as it stands. */
static void count_up_to(struct oracle *oracle, const char *name, const char *help, uint64_t value)
{
	struct host_metric *metric = series(oracle, HOST_METRIC_COUNTER, name, help, NULL, 0);
	uint64_t known = (uint64_t)host_metric_value(metric);
	if (value > known)
		host_metric_add(metric, value - known);
}

/* ---- requests ---- */

static void set_requests(struct oracle *oracle, enum oracle_kind kind, enum oracle_state state,
			 const char *code, uint64_t count)
{
	const struct host_metric_label labels[] = {{"kind", kind == ORACLE_APP ? "app" : "chain"},
						   {"state", oracle_state_name(state)},
						   {"code", code}};
	host_metric_set(series(oracle, HOST_METRIC_GAUGE, "caisson_oracle_requests",
			       "Requests in the journal by kind, state and code of the answer.",
			       labels, CS_LEN(labels)),
			(double)count);
}

static void clear_requests(struct oracle *oracle)
{
	static const char *const codes[] = {
#define WIRE_ORACLE(code, number, name, refunded) name,
#include "wire/oracle_codes.def"
#undef WIRE_ORACLE
	};
	for (unsigned state = 1; state <= ORACLE_STATE_MAX; state++) {
		for (size_t i = 0; i < CS_LEN(codes); i++) {
			set_requests(oracle, ORACLE_APP, (enum oracle_state)state, codes[i], 0);
			set_requests(oracle, ORACLE_CHAIN, (enum oracle_state)state, codes[i], 0);
		}
	}
}

static void count_row(void *ctx, enum oracle_kind kind, enum oracle_state state, uint32_t code,
		      uint64_t count)
{
	const char *name = wire_oracle_code_name(code);
	if (name && oracle_state_name(state))
		set_requests(ctx, kind, state, name, count);
}

static void collect_requests(struct oracle *oracle)
{
	uint64_t open = 0;
	uint64_t asking = 0;
	uint64_t answered = 0;
	uint64_t retried = 0;
	clear_requests(oracle);
	if (oracle_journal_counts(oracle->journal, count_row, oracle) != CS_OK)
		log_warn("metrics.no_counts");
	oracle_apps_figures(oracle, &open, &asking, &answered, &retried);
	gauge(oracle, "caisson_oracle_app_requests_open", "Requests of apps that are not ended.",
	      (double)open);
	gauge(oracle, "caisson_oracle_app_requests_asking",
	      "Requests of apps that the enclave works on.", (double)asking);
	count_up_to(oracle, "caisson_oracle_app_answers_total", "Answers signed for apps.",
		    answered);
	count_up_to(oracle, "caisson_oracle_app_retries_total",
		    "Requests of apps that are asked again.", retried);
	count_up_to(oracle, "caisson_oracle_rate_limited_total",
		    "Requests over REST above what their key may make or have open.",
		    oracle->refused_rate);
}

/* ---- enclave and egress ---- */

static void collect_enclave(struct oracle *oracle)
{
	struct host_egress_counters c;
	uint64_t restarts = 0;
	bool running = false;
	oracle_enclave_figures(oracle, &c, &restarts, &running);
	const struct {
		const char *name;
		const char *help;
		uint64_t value;
	} rows[] = {
		{"caisson_oracle_enclave_restarts_total", "Times that the enclave ended.",
		 restarts},
		{"caisson_egress_requests_total", "Connections that the enclave asked for.",
		 c.requests},
		{"caisson_egress_connected_total", "Connections that were made.", c.connected},
		{"caisson_egress_unresolved_total", "Names without an address.", c.unresolved},
		{"caisson_egress_forbidden_total", "Addresses that may not be reached.",
		 c.forbidden},
		{"caisson_egress_refused_total", "Connections that were not made.", c.refused},
		{"caisson_egress_full_total", "Connections above the bound.", c.full},
		{"caisson_egress_malformed_total", "Messages that were not understood.",
		 c.malformed},
		{"caisson_egress_sent_bytes_total", "Bytes from the enclave.", c.bytes_out},
		{"caisson_egress_received_bytes_total", "Bytes to the enclave.", c.bytes_in},
	};
	for (size_t i = 0; i < CS_LEN(rows); i++)
		count_up_to(oracle, rows[i].name, rows[i].help, rows[i].value);
	gauge(oracle, "caisson_egress_open", "Connections that are open.", c.open);
	gauge(oracle, "caisson_oracle_enclave_running", "Whether the enclave's process runs.",
	      running);
	gauge(oracle, "caisson_oracle_enclave_ready", "Whether the enclave answers.",
	      oracle->enclave_ready);
	gauge(oracle, "caisson_oracle_enclave_signs",
	      "Whether it has time, and its state is proven to be the newest.",
	      oracle->enclave_ready && ledger_clock_signs(oracle->clock));
}

/* ---- chains ---- */

static void collect_chain(struct oracle *oracle, const struct oracle_chain *chain)
{
	const struct host_metric_label label = {"chain", chain->config->id};
	const struct {
		const char *name;
		const char *help;
		uint64_t value;
	} rows[] = {
		{"caisson_oracle_chain_head", "Newest block as the node tells it.",
		 chain->follow.head_height},
		{"caisson_oracle_chain_cursor", "Blocks up to it were read.",
		 chain->follow.cursor_height},
		{"caisson_oracle_client_head", "Newest header that the light client holds.",
		 chain->follow.client_head},
		{"caisson_oracle_client_final", "Newest final block of the light client.",
		 chain->follow.final_height},
		{"caisson_oracle_chain_frozen", "Whether the light client is frozen.",
		 chain->follow.frozen},
		{"caisson_oracle_chain_reorg_held_blocks",
		 "Depth of a reorganisation that is not followed; 0: none.",
		 chain->follow.is_held ? chain->follow.held.old_tip - chain->follow.held.from + 1
				       : 0},
		{"caisson_oracle_chain_open_transactions", "Transactions that wait for a block.",
		 chain->open_txs},
	};
	for (size_t i = 0; i < CS_LEN(rows); i++)
		host_metric_set(
			series(oracle, HOST_METRIC_GAUGE, rows[i].name, rows[i].help, &label, 1),
			(double)rows[i].value);
}

static void collect_providers(struct oracle *oracle, const struct oracle_chain *chain)
{
	const struct host_metric_label label = {"chain", chain->config->id};
	if (!adapter_has_providers(chain->manifest))
		return;
	host_metric_set(series(oracle, HOST_METRIC_GAUGE, "caisson_chain_providers_voting",
			       "Providers that named a block when they were asked last.", &label,
			       1),
			(double)adapter_providers_voting(&chain->providers));
}

static void collect_unpaid(struct oracle *oracle, const struct oracle_chain *chain)
{
	const struct host_metric_label label = {"chain", chain->config->id};
	const struct cs_hash nobody = {{0}};
	struct oracle_unpaid gas;
	if (oracle_journal_unpaid(oracle->journal, &chain->identity, &nobody,
				  host_wall_ms() - ORACLE_UNPAID_MS, &gas) != CS_OK)
		return;
	host_metric_set(series(oracle, HOST_METRIC_GAUGE, "caisson_oracle_chain_unpaid_gas",
			       "Gas of the last hour for calls that bring no fee.", &label, 1),
			(double)gas.of_all);
}

/* What the adapter counts, since the start. */
static void collect_adapter(struct oracle *oracle, const struct oracle_chain *chain)
{
	const struct host_metric_label label = {"chain", chain->config->id};
	struct adapter_counters c;
	if (!chain->adapter)
		return;
	adapter_counters(chain->adapter, &c);
	const struct {
		const char *name;
		const char *help;
		uint64_t value;
	} rows[] = {
		{"caisson_adapter_events_total", "Events of the contracts.", c.events},
		{"caisson_adapter_foreign_events_total", "Logs that are not what they should be.",
		 c.foreign},
		{"caisson_adapter_late_events_total", "Events that only the reconciler found.",
		 c.late},
		{"caisson_adapter_reorgs_total", "Reorganisations.", c.reorgs},
		{"caisson_adapter_transactions_sent_total", "Transactions sent.", c.txs_sent},
		{"caisson_adapter_transactions_replaced_total",
		 "Transactions replaced by dearer ones.", c.txs_replaced},
	};
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		struct host_metric *metric =
			series(oracle, HOST_METRIC_COUNTER, rows[i].name, rows[i].help, &label, 1);
		uint64_t known = (uint64_t)host_metric_value(metric);
		if (rows[i].value > known)
			host_metric_add(metric, rows[i].value - known);
	}
}

static void collect(void *context)
{
	struct oracle *oracle = context;
	collect_requests(oracle);
	collect_enclave(oracle);
	oracle_ledger_collect(oracle);
	for (size_t i = 0; i < oracle->chain_count; i++) {
		collect_chain(oracle, &oracle->chains[i]);
		collect_providers(oracle, &oracle->chains[i]);
		collect_unpaid(oracle, &oracle->chains[i]);
		collect_adapter(oracle, &oracle->chains[i]);
	}
}

void oracle_metrics_start(struct oracle *oracle)
{
	host_metrics_on_collect(oracle->metrics, collect, oracle);
}
