/* The bridge's ledger: one thing at a time, in the order of what others wait for. What nodes answer
 * decides when something is written and whether it is written again, and nothing else. */
#include "gateway/ledger.h"

#include "core/abi.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

#define TICK_MAX_MS 250u
/* The process waits no longer for its leases to be released. */
#define RELEASE_MS 3000u

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

const char *ledger_trouble_name(enum ledger_trouble trouble)
{
	return names[trouble];
}

void ledger_set_trouble(struct gateway_ledger *ledger, enum ledger_trouble trouble, const char *why)
{
	host_plain_text(ledger->why, sizeof(ledger->why), why, strlen(why));
	if (trouble == ledger->trouble)
		return;
	const char *before = names[ledger->trouble];
	ledger->trouble = trouble;
	if (trouble == LEDGER_FINE)
		log_info("ledger.back", LOG_TEXT("ledger", ledger->gateway->config.ledger.id),
			 LOG_TEXT("was", before));
	else
		log_warn("ledger.trouble", LOG_TEXT("ledger", ledger->gateway->config.ledger.id),
			 LOG_TEXT("what", names[trouble]), LOG_TEXT("why", ledger->why),
			 LOG_TEXT("then", "messages are relayed; their records wait"));
}

void ledger_pause(struct gateway_ledger *ledger)
{
	if (ledger->tries < UINT32_MAX)
		ledger->tries++;
	uint64_t wall = host_wall_ms();
	uint64_t next = gateway_backoff(ledger->gateway, ledger->tries);
	ledger->pause_ms = host_now_ms() + (next > wall ? next - wall : 0);
}

void ledger_no_answer(struct gateway_ledger *ledger, enum cs_err err, const char *why)
{
	ledger_pause(ledger);
	if (err != CS_ERR_CLOSED)
		ledger_set_trouble(ledger, LEDGER_NO_NODE,
				   why && why[0] ? why : cs_err_sentence(err));
}

bool ledger_write(struct gateway_ledger *ledger, host_store_writer *write, void *context)
{
	enum cs_err err = gateway_write(ledger->gateway, write, context);
	if (err != CS_OK)
		gateway_fail(ledger->gateway, err, "what the ledger has");
	return err == CS_OK;
}

/* ---- the end of the process ---- */

static void let_go(struct gateway_ledger *ledger)
{
	if (!ledger->holding)
		return;
	ledger->holding = false;
	host_loop_release(ledger->gateway->loop);
}

void gateway_ledger_drain(struct gateway *gateway)
{
	struct gateway_ledger *ledger = gateway->ledger;
	if (!ledger)
		return;
	ledger->releasing = true;
	ledger->holding = true;
	ledger->drain_ms = host_now_ms() + RELEASE_MS;
	host_loop_hold(gateway->loop);
	ledger_kick(ledger);
}

/* ---- what became of a transaction ---- */

static enum cs_err write_ended(void *context)
{
	struct gateway_ledger *ledger = context;
	return gateway_journal_ledger_ended(ledger->gateway->journal, false);
}

static void take_failure(struct gateway_ledger *ledger, const struct ledger_report *report)
{
	if (report->err == CS_ERR_NO_FUNDS)
		ledger_set_trouble(ledger, LEDGER_NO_FUNDS, report->why);
	else if (report->err == CS_ERR_UNDERPRICED)
		ledger_set_trouble(ledger, LEDGER_TOO_DEAR, report->why);
	else
		ledger_set_trouble(ledger, LEDGER_NO_NODE, report->why);
	ledger_pause(ledger);
}

static bool reverts_with(const struct ledger_report *report, const char *error)
{
	const struct cs_hash topic = cs_abi_topic(error);
	return report->data.n >= 4 && memcmp(report->data.p, topic.b, 4) == 0;
}

bool ledger_is_stranger(const struct ledger_report *report)
{
	return reverts_with(report, "NotReporter()") || reverts_with(report, "NotGateway()");
}

static void take_revert(struct gateway_ledger *ledger, const struct ledger_report *report)
{
	ledger->figures.reverted++;
	if (ledger_is_stranger(report))
		ledger_set_trouble(ledger, LEDGER_NOT_REGISTERED,
				   "the account is no gateway of this chain there");
	else if (report->kind == LEDGER_KIND_RECORDS && ledger->reverts > 1)
		ledger_set_trouble(ledger, LEDGER_REFUSED, report->why);
	log_info("ledger.reverted", LOG_U64("kind", report->kind), LOG_TEXT("why", report->why),
		 LOG_U64("height", report->height));
	ledger_leases_look_now(ledger);
	ledger_pause(ledger);
}

static void ended(void *ctx, const struct ledger_report *report)
{
	struct gateway_ledger *ledger = ctx;
	bool records = report->kind == LEDGER_KIND_RECORDS;
	ledger->waits[0] = 0;
	if (records)
		ledger_records_ended(ledger, report);
	else if (report->was_sent && !ledger_write(ledger, write_ended, ledger))
		return;
	if (report->kind == LEDGER_KIND_ANCHOR)
		ledger_anchor_ended(ledger, report);
	switch (report->end) {
	case LEDGER_END_DONE:
		ledger->figures.transactions++;
		ledger->figures.gas_used += report->gas_used;
		ledger->tries = 0;
		if (ledger->trouble != LEDGER_NOT_REGISTERED) /* a look ends that */
			ledger_set_trouble(ledger, LEDGER_FINE, "");
		if (!records)
			ledger_leases_look_now(ledger);
		break;
	case LEDGER_END_REVERTED:
		take_revert(ledger, report);
		break;
	case LEDGER_END_VOID:
	case LEDGER_END_UNKNOWN:
		log_info("ledger.void", LOG_U64("kind", report->kind),
			 LOG_BOOL("unknown", report->end == LEDGER_END_UNKNOWN));
		ledger_leases_look_now(ledger);
		break;
	case LEDGER_END_NOT_SENT:
		take_failure(ledger, report);
		break;
	}
	ledger_kick(ledger);
}

static void waits(void *ctx, const char *why)
{
	struct gateway_ledger *ledger = ctx;
	bool is_news = strcmp(ledger->waits, why) != 0;
	host_plain_text(ledger->waits, sizeof(ledger->waits), why, strlen(why));
	if (is_news && why[0])
		log_info("ledger.waits", LOG_TEXT("why", ledger->waits));
	if (ledger_client_health(ledger->client).reachable == 0)
		ledger_set_trouble(ledger, LEDGER_NO_NODE, why[0] ? why : "no node answers");
}

/* ---- writing down ---- */

struct keeping {
	struct gateway_ledger *ledger;
	const struct ledger_sent *sent;
};

static enum cs_err write_sent(void *context)
{
	const struct keeping *keeping = context;
	struct gateway_ledger *ledger = keeping->ledger;
	size_t count = keeping->sent->kind == LEDGER_KIND_RECORDS ? ledger->count : 0;
	return gateway_journal_ledger_sent(ledger->gateway->journal, keeping->sent, ledger->moves,
					   count);
}

static void kept(void *context, enum cs_err err)
{
	struct gateway_ledger *ledger = context;
	if (err != CS_OK)
		gateway_fail(ledger->gateway, err, "commit");
	else
		ledger_writer_kept(ledger->writer);
}

static enum cs_err keep(void *ctx, const struct ledger_sent *sent)
{
	struct gateway_ledger *ledger = ctx;
	struct keeping keeping = {ledger, sent};
	return gateway_write_then(ledger->gateway, write_sent, &keeping, kept, ledger);
}

/* ---- one thing at a time ---- */

static void resume(struct gateway_ledger *ledger)
{
	struct gateway *gateway = ledger->gateway;
	size_t mark = cs_arena_mark(&gateway->scratch);
	struct ledger_sent sent;
	enum cs_err err = gateway_journal_ledger_flight(gateway->journal, &gateway->scratch, &sent);
	ledger->resumed = true;
	if (err == CS_OK) {
		log_info("ledger.resumed", LOG_U64("kind", sent.kind),
			 LOG_U64("sequence", sent.sequence), LOG_HASH("tx", &sent.hash));
		ledger_writer_resume(ledger->writer, &sent);
	} else if (err != CS_ERR_NOT_FOUND) {
		gateway_fail(gateway, err, "the transaction in flight");
	}
	cs_arena_rewind(&gateway->scratch, mark);
}

static bool work(struct gateway_ledger *ledger)
{
	if (ledger_leases_look(ledger))
		return true;
	if (ledger->releasing) {
		if (!ledger_leases_release(ledger))
			let_go(ledger);
		return true;
	}
	return ledger_anchor_send(ledger) || ledger_leases_send(ledger) ||
	       ledger_records_next(ledger);
}

static void step(void *context)
{
	struct gateway_ledger *ledger = context;
	uint64_t now = host_now_ms();
	if (ledger->gateway->failed)
		return;
	if (ledger->releasing && now >= ledger->drain_ms)
		let_go(ledger);
	if (ledger->asking || ledger_writer_is_busy(ledger->writer))
		return;
	if (ledger_client_health(ledger->client).reachable == 0) {
		if (ledger->trouble != LEDGER_STARTING ||
		    now - ledger->gateway->started_ms >
			    10u * ledger->gateway->config.ledger.block_time_ms)
			ledger_set_trouble(ledger, LEDGER_NO_NODE, "no node answers");
		if (ledger->releasing)
			let_go(ledger);
		return;
	}
	if (!ledger->resumed)
		resume(ledger);
	else if (now >= ledger->pause_ms || ledger->releasing)
		(void)work(ledger);
}

void ledger_kick(struct gateway_ledger *ledger)
{
	unsigned block = ledger->gateway->config.ledger.block_time_ms;
	host_timer_start(ledger->timer, 0, block < 2 * TICK_MAX_MS ? block / 2 + 1 : TICK_MAX_MS);
}

/* ---- life ---- */

static enum cs_err make_client(struct gateway_ledger *ledger, struct cs_why *why)
{
	const struct host_ledger_config *config = &ledger->gateway->config.ledger;
	struct ledger_client_config client = {.chain_id = config->chain_id,
					      .chain_tag = config->tag,
					      .node_count = config->node_count,
					      .probe_ms = 2 * config->block_time_ms};
	for (size_t i = 0; i < config->node_count; i++)
		client.nodes[i] = config->nodes[i];
	return ledger_client_new(&ledger->client, ledger->gateway->loop, &client, why);
}

static enum cs_err make_writer(struct gateway_ledger *ledger, struct cs_why *why)
{
	static const struct ledger_writer_ops ops = {.keep = keep, .ended = ended, .waits = waits};
	const struct host_ledger_config *config = &ledger->gateway->config.ledger;
	struct ledger_writer_config writer = {.client = ledger->client,
					      .sig = ledger->gateway->sig,
					      .key = ledger->key,
					      .chain_tag = config->tag,
					      .gas_price_max = config->gas_price_max,
					      .poll_ms = config->block_time_ms,
					      .ops = &ops,
					      .ctx = ledger};
	if (ledger_writer_new(&ledger->writer, ledger->gateway->loop, &writer) != CS_OK)
		return cs_fail(why, CS_ERR_INVALID, "%s is not a private key", config->key_file);
	return CS_OK;
}

enum cs_err gateway_ledger_start(struct gateway *gateway, struct cs_why *why)
{
	if (!gateway->config.ledger.id)
		return CS_OK;
	struct gateway_ledger *ledger = host_calloc(1, sizeof(*ledger));
	char text[LEDGER_ADDRESS_TEXT];
	gateway->ledger = ledger;
	ledger->gateway = gateway;
	ledger->batch_max = LEDGER_PLAN_MOVES_MAX;
	ledger->key = host_alloc(sizeof(*ledger->key));
	CS_TRY(host_keyfile_load(ledger->key, gateway->config.ledger.key_file, why));
	CS_TRY(make_client(ledger, why));
	CS_TRY(make_writer(ledger, why));
	ledger_leases_make(ledger);
	gateway_journal_keep_moves(gateway->journal);
	ledger->timer = host_timer_new(gateway->loop, step, ledger);
	ledger_client_start(ledger->client);
	ledger_kick(ledger);
	log_info("ledger.started", LOG_TEXT("ledger", gateway->config.ledger.id),
		 LOG_TEXT("account", ledger_address(text, ledger_writer_account(ledger->writer))));
	return CS_OK;
}

void gateway_ledger_stop(struct gateway *gateway)
{
	struct gateway_ledger *ledger = gateway->ledger;
	if (!ledger)
		return;
	gateway->ledger = NULL;
	host_timer_free(ledger->timer);
	ledger_writer_free(ledger->writer);
	ledger_client_free(ledger->client);
	if (ledger->key)
		cs_wipe(ledger->key, sizeof(*ledger->key));
	free(ledger->key);
	free(ledger->leases);
	free(ledger);
}

bool gateway_ledger_yields(const struct gateway_route *route, enum relay_side side)
{
	const struct gateway_lease *lease = route->leases[side];
	return lease && lease->known && !lease->ours && lease->until_ms != 0 &&
	       host_now_ms() < lease->until_ms;
}
