/* One thing at a time. What nodes answer decides when something is written and whether it is written
 * again, and nothing else. */
#include "relay_state/client/service.h"

#include "core/abi.h"
#include "host/alloc.h"
#include "host/json_values.h"
#include "host/keyfile.h"
#include "host/log.h"

#include <stdlib.h>
#include <string.h>

#define TICK_MAX_MS 250u
/* The process waits no longer for what it gives back. */
#define RELEASE_MS 3000u
/* Blocks' time in which a node may be found before it is said that there is none. */
#define START_BLOCKS 10u

static const char *const names[] = {
	[LEDGER_STARTING] = "starting", [LEDGER_FINE] = "fine",
	[LEDGER_NO_NODE] = "no_node",   [LEDGER_NOT_REGISTERED] = "not_registered",
	[LEDGER_NO_FUNDS] = "no_funds", [LEDGER_TOO_DEAR] = "too_dear",
	[LEDGER_REFUSED] = "refused"};

const char *ledger_address(char text[LEDGER_ADDRESS_TEXT], const struct cs_address *address)
{
	memcpy(text, "0x", 2);
	cs_hex(text + 2, CS_BYTES_OF(address->b));
	return text;
}

bool ledger_reverts_with(const struct ledger_report *report, const char *error)
{
	const struct cs_hash topic = cs_abi_topic(error);
	return report->data.n >= 4 && memcmp(report->data.p, topic.b, 4) == 0;
}

/* ---- trouble, once per change ---- */

void ledger_service_set_trouble(struct ledger_service *service, enum ledger_trouble trouble,
				const char *why)
{
	enum ledger_trouble before = service->trouble;
	host_plain_text(service->why, sizeof(service->why), why, strlen(why));
	if (trouble == before)
		return;
	service->trouble = trouble;
	if (trouble == LEDGER_FINE)
		log_info("ledger.writes", LOG_TEXT("ledger", service->config->id),
			 LOG_TEXT("was", names[before]));
	else
		log_warn("ledger.trouble", LOG_TEXT("ledger", service->config->id),
			 LOG_TEXT("what", names[trouble]), LOG_TEXT("why", service->why),
			 LOG_TEXT("then", "the work goes on; what is to be written waits"));
}

void ledger_service_pause(struct ledger_service *service)
{
	if (service->tries < UINT32_MAX)
		service->tries++;
	uint64_t wall = host_wall_ms();
	uint64_t next = host_service_next_try_ms(service->pauses, service->tries);
	service->pause_ms = host_now_ms() + (next > wall ? next - wall : 0);
}

void ledger_service_unpause(struct ledger_service *service)
{
	service->tries = 0;
	service->pause_ms = 0;
}

void ledger_service_no_answer(struct ledger_service *service, enum cs_err err, const char *why)
{
	ledger_service_pause(service);
	if (err != CS_ERR_CLOSED)
		ledger_service_set_trouble(service, LEDGER_NO_NODE,
					   why && why[0] ? why : cs_err_sentence(err));
}

/* ---- the writer ---- */

static void take_failure(struct ledger_service *service, const struct ledger_report *report)
{
	enum ledger_trouble trouble = LEDGER_NO_NODE;
	if (report->err == CS_ERR_NO_FUNDS)
		trouble = LEDGER_NO_FUNDS;
	else if (report->err == CS_ERR_UNDERPRICED)
		trouble = LEDGER_TOO_DEAR;
	else if (report->err == CS_ERR_TIMEOUT && report->why[0])
		trouble = service->trouble; /* it came too late: a look, and the next one */
	ledger_service_set_trouble(service, trouble, report->why);
	ledger_service_pause(service);
}

static void ended(void *ctx, const struct ledger_report *report)
{
	struct ledger_service *service = ctx;
	service->waits[0] = 0;
	service->ops->ended(service->ctx, report);
	switch (report->end) {
	case LEDGER_END_DONE:
		service->figures.transactions++;
		service->figures.gas_used += report->gas_used;
		ledger_service_unpause(service);
		if (service->trouble != LEDGER_NOT_REGISTERED) /* the owner's look ends that */
			ledger_service_set_trouble(service, LEDGER_FINE, "");
		break;
	case LEDGER_END_REVERTED:
		service->figures.reverted++;
		log_info("ledger.reverted", LOG_U64("kind", report->kind),
			 LOG_TEXT("why", report->why), LOG_U64("height", report->height));
		if (service->ops->is_stranger(report))
			ledger_service_set_trouble(service, LEDGER_NOT_REGISTERED, report->why);
		ledger_service_pause(service);
		break;
	case LEDGER_END_VOID:
	case LEDGER_END_UNKNOWN:
		log_info("ledger.void", LOG_U64("kind", report->kind),
			 LOG_BOOL("unknown", report->end == LEDGER_END_UNKNOWN));
		break;
	case LEDGER_END_NOT_SENT:
		take_failure(service, report);
		break;
	}
	ledger_service_kick(service);
}

static void waits(void *ctx, const char *why)
{
	struct ledger_service *service = ctx;
	bool is_news = strcmp(service->waits, why) != 0;
	host_plain_text(service->waits, sizeof(service->waits), why, strlen(why));
	if (is_news && why[0])
		log_info("ledger.waits", LOG_TEXT("why", service->waits));
	if (ledger_client_health(service->client).reachable == 0)
		ledger_service_set_trouble(service, LEDGER_NO_NODE,
					   why[0] ? why : "no node answers");
}

static enum cs_err keep(void *ctx, const struct ledger_sent *sent)
{
	struct ledger_service *service = ctx;
	return service->ops->keep(service->ctx, sent);
}

void ledger_service_committed(void *context, enum cs_err err)
{
	struct ledger_service *service = context;
	if (err != CS_OK)
		service->ops->fail(service->ctx, err, "commit");
	else
		ledger_writer_kept(service->writer);
}

/* ---- one thing at a time ---- */

static void let_go(struct ledger_service *service)
{
	if (!service->holding)
		return;
	service->holding = false;
	host_loop_release(service->loop);
}

static void work(struct ledger_service *service)
{
	if (!service->releasing)
		(void)service->ops->work(service->ctx);
	else if (!service->ops->release || !service->ops->release(service->ctx))
		let_go(service);
}

static void resume(struct ledger_service *service)
{
	service->resumed = true;
	enum cs_err err = service->ops->resume(service->ctx, service->writer);
	if (err == CS_OK)
		log_info("ledger.resumed", LOG_TEXT("ledger", service->config->id));
	else if (err == CS_ERR_NOT_FOUND)
		ledger_service_kick(service);
	else
		service->ops->fail(service->ctx, err, "the transaction in flight");
}

static void step(void *context)
{
	struct ledger_service *service = context;
	uint64_t now = host_now_ms();
	if (service->releasing && now >= service->drain_ms)
		let_go(service);
	if (service->asking || ledger_writer_is_busy(service->writer))
		return;
	if (ledger_client_health(service->client).reachable == 0) {
		if (service->trouble != LEDGER_STARTING ||
		    now - service->started_ms > START_BLOCKS * service->config->block_time_ms)
			ledger_service_set_trouble(service, LEDGER_NO_NODE, "no node answers");
		if (service->releasing)
			let_go(service);
		return;
	}
	if (!service->resumed)
		resume(service);
	else if (now >= service->pause_ms || service->releasing)
		work(service);
}

void ledger_service_kick(struct ledger_service *service)
{
	unsigned block = service->config->block_time_ms;
	host_timer_start(service->timer, 0, block < 2 * TICK_MAX_MS ? block / 2 + 1 : TICK_MAX_MS);
}

void ledger_service_drain(struct ledger_service *service)
{
	service->releasing = true;
	service->holding = true;
	service->drain_ms = host_now_ms() + RELEASE_MS;
	host_loop_hold(service->loop);
	ledger_service_kick(service);
}

/* ---- life ---- */

static enum cs_err make_client(struct ledger_service *service, struct cs_why *why)
{
	const struct host_ledger_config *config = service->config;
	struct ledger_client_config client = {.chain_id = config->chain_id,
					      .chain_tag = config->tag,
					      .node_count = config->node_count,
					      .probe_ms = 2 * config->block_time_ms};
	for (size_t i = 0; i < config->node_count; i++)
		client.nodes[i] = config->nodes[i];
	return ledger_client_new(&service->client, service->loop, &client, why);
}

static enum cs_err make_writer(struct ledger_service *service, struct cs_why *why)
{
	static const struct ledger_writer_ops ops = {.keep = keep, .ended = ended, .waits = waits};
	const struct host_ledger_config *config = service->config;
	struct ledger_writer_config writer = {.client = service->client,
					      .sig = service->sig,
					      .key = service->key,
					      .chain_tag = config->tag,
					      .gas_price_max = config->gas_price_max,
					      .poll_ms = config->block_time_ms,
					      .ops = &ops,
					      .ctx = service};
	if (ledger_writer_new(&service->writer, service->loop, &writer) != CS_OK)
		return cs_fail(why, CS_ERR_INVALID, "%s is not a private key", config->key_file);
	return CS_OK;
}

enum cs_err ledger_service_start(struct ledger_service *service, struct cs_why *why)
{
	char text[LEDGER_ADDRESS_TEXT];
	service->started_ms = host_now_ms();
	service->key = host_alloc(sizeof(*service->key));
	CS_TRY(host_keyfile_load(service->key, service->config->key_file, why));
	CS_TRY(make_client(service, why));
	CS_TRY(make_writer(service, why));
	service->timer = host_timer_new(service->loop, step, service);
	ledger_client_start(service->client);
	ledger_service_kick(service);
	log_info("ledger.started", LOG_TEXT("ledger", service->config->id),
		 LOG_TEXT("account", ledger_address(text, ledger_writer_account(service->writer))));
	return CS_OK;
}

void ledger_service_stop(struct ledger_service *service)
{
	host_timer_free(service->timer);
	ledger_writer_free(service->writer);
	ledger_client_free(service->client);
	if (service->key)
		cs_wipe(service->key, sizeof(*service->key));
	free(service->key);
}

/* ---- for people and Prometheus ---- */

json_t *ledger_service_json(const struct ledger_service *service, uint64_t backlog)
{
	struct ledger_client_health health = ledger_client_health(service->client);
	bool fine = service->trouble == LEDGER_FINE;
	json_t *json = json_object();
	json_object_set_new(json, "id", json_string(service->config->id));
	json_object_set_new(json, "account",
			    host_json_hex(CS_BYTES_OF(ledger_writer_account(service->writer)->b)));
	json_object_set_new(json, "writes", json_boolean(fine));
	json_object_set_new(json, "state", json_string(names[service->trouble]));
	json_object_set_new(json, "why", fine ? json_null() : json_string(service->why));
	json_object_set_new(json, "waits",
			    service->waits[0] ? json_string(service->waits) : json_null());
	json_object_set_new(json, "nodes", host_json_u64(health.nodes));
	json_object_set_new(json, "reachable", host_json_u64(health.reachable));
	json_object_set_new(json, "height", host_json_u64(health.height));
	json_object_set_new(json, "backlog", host_json_u64(backlog));
	return json;
}

static struct host_metric *series(struct host_metrics *metrics, enum host_metric_kind kind,
				  const char *name, const char *help)
{
	const struct host_metric_spec spec = {.name = name, .kind = kind, .help = help};
	return host_metrics_series(metrics, &spec);
}

void ledger_gauge(struct host_metrics *metrics, const char *name, const char *help, double value)
{
	host_metric_set(series(metrics, HOST_METRIC_GAUGE, name, help), value);
}

void ledger_count(struct host_metrics *metrics, const char *name, const char *help, uint64_t value)
{
	struct host_metric *metric = series(metrics, HOST_METRIC_COUNTER, name, help);
	uint64_t known = (uint64_t)host_metric_value(metric);
	if (value > known)
		host_metric_add(metric, value - known);
}

void ledger_service_collect(const struct ledger_service *service, struct host_metrics *metrics,
			    uint64_t backlog)
{
	struct ledger_client_health health = ledger_client_health(service->client);
	ledger_gauge(metrics, "caisson_ledger_writing",
		     "1: the bridge's ledger takes what this service writes.",
		     service->trouble == LEDGER_FINE);
	ledger_gauge(metrics, "caisson_ledger_nodes_reachable",
		     "Nodes of the bridge's ledger that answer.", (double)health.reachable);
	ledger_gauge(metrics, "caisson_ledger_height",
		     "Newest block of the bridge's ledger that a node tells.",
		     (double)health.height);
	ledger_gauge(metrics, "caisson_ledger_backlog",
		     "What is to be written, and the ledger does not have yet.", (double)backlog);
	ledger_count(metrics, "caisson_ledger_transactions_total",
		     "Transactions of this service in the ledger's blocks, whose calls happened.",
		     service->figures.transactions);
	ledger_count(metrics, "caisson_ledger_reverted_total",
		     "Calls to the ledger that reverted, most of them when they were simulated.",
		     service->figures.reverted);
	ledger_count(metrics, "caisson_ledger_gas_used_total", "Gas of those transactions.",
		     service->figures.gas_used);
}
