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
	json_t *json = ledger_service_json(&ledger->service, backlog(gateway));
	json_t *leases = json_array();
	json_object_set_new(json, "conflicts", host_json_u64(conflicts(gateway)));
	json_object_set_new(json, "records", host_json_u64(ledger->recorded));
	json_object_set_new(json, "passed_over", host_json_u64(ledger->passed));
	for (size_t i = 0; i < ledger->lease_count; i++)
		json_array_append_new(leases, lease_json(ledger, &ledger->leases[i]));
	json_object_set_new(json, "leases", leases);
	json_object_set_new(json, "registrations", ledger_registered_json(ledger->watch));
	return json;
}

/* ---- metrics ---- */

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
	struct host_metrics *metrics = gateway->metrics;
	ledger_service_collect(&ledger->service, metrics, backlog(gateway));
	ledger_gauge(metrics, "caisson_ledger_leases_held",
		     "Leases of routes that this gateway holds.", (double)leases_held(ledger));
	ledger_gauge(metrics, "caisson_ledger_conflicts",
		     "Records that contradict what the ledger has of our messages.",
		     (double)conflicts(gateway));
	ledger_count(metrics, "caisson_ledger_records_total", "Relay records that the ledger took.",
		     ledger->recorded);
	ledger_count(metrics, "caisson_ledger_passed_over_total",
		     "Moves that the ledger's history went on without.", ledger->passed);
	ledger_registered_collect(ledger->watch, metrics);
}
