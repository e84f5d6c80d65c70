/* What people and Prometheus see of the bridge's ledger. */
#include "gateway/ledger.h"

#include <string.h>

/* ---- status ---- */

static json_t *lease_json(struct gateway_ledger *ledger, const struct gateway_lease *lease)
{
	struct gateway *gateway = ledger->gateway;
	bool live = lease->until_ms != 0 && host_now_ms() < lease->until_ms;
	json_t *json = json_object();
	json_object_set_new(json, "from", json_string(gateway_caip2(gateway, &lease->key.source)));
	json_object_set_new(json, "to",
			    json_string(gateway_caip2(gateway, &lease->key.destination)));
	json_object_set_new(
		json, "side",
		json_string(lease->key.side == RELAY_SOURCE ? "source" : "destination"));
	json_object_set_new(json, "registered", json_boolean(lease->registered));
	json_object_set_new(json, "ours", json_boolean(live && lease->ours));
	json_object_set_new(json, "holder",
			    live ? host_json_hex(CS_BYTES_OF(lease->last.holder.b)) : json_null());
	json_object_set_new(json, "until_s", host_json_u64(lease->last.until_s));
	json_object_set_new(json, "fencing", host_json_u64(lease->last.fencing));
	return json;
}

/* Reads once: both figures are a scan. */
static uint64_t backlog(struct gateway *gateway)
{
	uint64_t moves = 0;
	return gateway_journal_ledger_backlog(gateway->journal, &moves) == CS_OK ? moves : 0;
}

static uint64_t conflicts(struct gateway *gateway)
{
	uint64_t count = 0;
	return gateway_journal_ledger_conflicts(gateway->journal, &count) == CS_OK ? count : 0;
}

json_t *gateway_ledger_json(struct gateway *gateway)
{
	struct gateway_ledger *ledger = gateway->ledger;
	if (!ledger)
		return json_null();
	struct ledger_client_health health = ledger_client_health(ledger->client);
	bool fine = ledger->trouble == LEDGER_FINE;
	json_t *json = json_object();
	json_t *leases = json_array();
	json_object_set_new(json, "id", json_string(gateway->config.ledger.id));
	json_object_set_new(json, "account",
			    host_json_hex(CS_BYTES_OF(ledger_writer_account(ledger->writer)->b)));
	json_object_set_new(json, "writes", json_boolean(fine));
	json_object_set_new(json, "state", json_string(ledger_trouble_name(ledger->trouble)));
	json_object_set_new(json, "why", fine ? json_null() : json_string(ledger->why));
	json_object_set_new(json, "waits",
			    ledger->waits[0] ? json_string(ledger->waits) : json_null());
	json_object_set_new(json, "nodes", host_json_u64(health.nodes));
	json_object_set_new(json, "reachable", host_json_u64(health.reachable));
	json_object_set_new(json, "height", host_json_u64(health.height));
	json_object_set_new(json, "backlog", host_json_u64(backlog(gateway)));
	json_object_set_new(json, "conflicts", host_json_u64(conflicts(gateway)));
	json_object_set_new(json, "records", host_json_u64(ledger->figures.records));
	json_object_set_new(json, "passed_over", host_json_u64(ledger->figures.passed));
	for (size_t i = 0; i < ledger->lease_count; i++)
		json_array_append_new(leases, lease_json(ledger, &ledger->leases[i]));
	json_object_set_new(json, "leases", leases);
	return json;
}

/* ---- metrics ---- */

static struct host_metric *series(struct gateway *gateway, enum host_metric_kind kind,
				  const char *name, const char *help)
{
	const struct host_metric_spec spec = {.name = name, .kind = kind, .help = help};
	return host_metrics_series(gateway->metrics, &spec);
}

static void count_up_to(struct gateway *gateway, const char *name, const char *help, uint64_t value)
{
	struct host_metric *metric = series(gateway, HOST_METRIC_COUNTER, name, help);
	uint64_t known = (uint64_t)host_metric_value(metric);
	if (value > known)
		host_metric_add(metric, value - known);
}

static size_t leases_held(const struct gateway_ledger *ledger)
{
	size_t held = 0;
	for (size_t i = 0; i < ledger->lease_count; i++)
		held += ledger_lease_is_held(&ledger->leases[i]);
	return held;
}

void gateway_ledger_collect(struct gateway *gateway)
{
	const struct gateway_ledger *ledger = gateway->ledger;
	if (!ledger)
		return;
	struct ledger_client_health health = ledger_client_health(ledger->client);
	const struct {
		const char *name;
		const char *help;
		double value;
	} gauges[] = {
		{"caisson_ledger_writing", "1: the bridge's ledger takes what this gateway writes.",
		 ledger->trouble == LEDGER_FINE},
		{"caisson_ledger_nodes_reachable", "Nodes of the bridge's ledger that answer.",
		 (double)health.reachable},
		{"caisson_ledger_height", "Newest block of the bridge's ledger that a node tells.",
		 (double)health.height},
		{"caisson_ledger_backlog", "Moves of messages that the ledger does not have yet.",
		 (double)backlog(gateway)},
		{"caisson_ledger_leases_held", "Leases of routes that this gateway holds.",
		 (double)leases_held(ledger)},
		{"caisson_ledger_conflicts",
		 "Records that contradict what the ledger has of our messages.",
		 (double)conflicts(gateway)},
	};
	for (size_t i = 0; i < CS_LEN(gauges); i++)
		host_metric_set(series(gateway, HOST_METRIC_GAUGE, gauges[i].name, gauges[i].help),
				gauges[i].value);
	const struct {
		const char *name;
		const char *help;
		uint64_t value;
	} counters[] = {
		{"caisson_ledger_records_total", "Relay records that the ledger took.",
		 ledger->figures.records},
		{"caisson_ledger_passed_over_total",
		 "Moves that the ledger's history went on without.", ledger->figures.passed},
		{"caisson_ledger_transactions_total",
		 "Transactions of this gateway in the ledger's blocks, whose calls happened.",
		 ledger->figures.transactions},
		{"caisson_ledger_reverted_total",
		 "Calls to the ledger that reverted, most of them when they were simulated.",
		 ledger->figures.reverted},
		{"caisson_ledger_gas_used_total", "Gas of those transactions.",
		 ledger->figures.gas_used},
	};
	for (size_t i = 0; i < CS_LEN(counters); i++)
		count_up_to(gateway, counters[i].name, counters[i].help, counters[i].value);
}
