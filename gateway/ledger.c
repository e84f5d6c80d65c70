/* What a gateway writes to its bridge's ledger, in the order of what others wait for: leases, then
 * records. */
#include "gateway/ledger.h"

#include "host/alloc.h"

#include <stdlib.h>

bool ledger_write(struct gateway_ledger *ledger, host_store_writer *write, void *context)
{
	enum cs_err err = gateway_write(ledger->gateway, write, context);
	if (err != CS_OK)
		gateway_fail(ledger->gateway, err, "what the ledger has");
	return err == CS_OK;
}

/* ---- what became of a transaction ---- */

/* In the journal: the newest block with a transaction of ours. A node that is behind it would show
 * histories without what we wrote. */
#define HEIGHT_NAME "ledger_height"

enum cs_err ledger_write_over(struct gateway_ledger *ledger, const struct ledger_report *report)
{
	struct gateway_journal *journal = ledger->gateway->journal;
	bool recorded = report->kind == LEDGER_KIND_RECORDS && report->end == LEDGER_END_DONE;
	uint8_t height[8];
	if (!report->was_sent)
		return CS_OK;
	CS_TRY(gateway_journal_ledger_ended(journal, recorded));
	if (report->height == 0)
		return CS_OK;
	cs_put_be64(height, report->height);
	return gateway_journal_put(journal, HEIGHT_NAME, CS_BYTES_OF(height));
}

static enum cs_err read_height(struct gateway *gateway, struct ledger_writer *writer)
{
	struct cs_bytes height;
	enum cs_err err =
		gateway_journal_get(gateway->journal, HEIGHT_NAME, &gateway->scratch, &height);
	if (err == CS_OK && height.n == 8)
		ledger_writer_saw(writer, cs_be64(height.p));
	return err == CS_ERR_NOT_FOUND ? CS_OK : err;
}

struct over {
	struct gateway_ledger *ledger;
	const struct ledger_report *report;
};

static enum cs_err write_ended(void *context)
{
	const struct over *over = context;
	return ledger_write_over(over->ledger, over->report);
}

static bool is_stranger(const struct ledger_report *report)
{
	return ledger_is_stranger(report);
}

bool ledger_is_stranger(const struct ledger_report *report)
{
	return ledger_reverts_with(report, "NotReporter()") ||
	       ledger_reverts_with(report, "NotGateway()");
}

static void ended(void *ctx, const struct ledger_report *report)
{
	struct gateway_ledger *ledger = ctx;
	bool records = report->kind == LEDGER_KIND_RECORDS;
	if (records)
		ledger_records_ended(ledger, report);
	else
		(void)ledger_write(ledger, write_ended, &(struct over){ledger, report});
	if (report->kind == LEDGER_KIND_ANCHOR || report->kind == LEDGER_KIND_ROTATION)
		ledger_anchor_ended(ledger, report);
	/* What was taken is ours when the ledger says so; what failed has a reason there. */
	if (!records || report->end != LEDGER_END_DONE)
		ledger_leases_look_now(ledger);
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

static enum cs_err keep(void *ctx, const struct ledger_sent *sent)
{
	struct gateway_ledger *ledger = ctx;
	struct keeping keeping = {ledger, sent};
	return gateway_write_then(ledger->gateway, write_sent, &keeping, ledger_service_committed,
				  &ledger->service);
}

static enum cs_err resume(void *ctx, struct ledger_writer *writer)
{
	struct gateway *gateway = ((struct gateway_ledger *)ctx)->gateway;
	size_t mark = cs_arena_mark(&gateway->scratch);
	struct ledger_sent sent;
	enum cs_err err = read_height(gateway, writer);
	if (err == CS_OK)
		err = gateway_journal_ledger_flight(gateway->journal, &gateway->scratch, &sent);
	if (err == CS_OK)
		ledger_writer_resume(writer, &sent);
	cs_arena_rewind(&gateway->scratch, mark);
	return err;
}

/* ---- one thing at a time ---- */

static bool work(void *ctx)
{
	struct gateway_ledger *ledger = ctx;
	if (ledger->gateway->failed)
		return false;
	return ledger_leases_look(ledger) || ledger_anchor_send(ledger) ||
	       ledger_leases_send(ledger) || ledger_records_next(ledger);
}

static bool release(void *ctx)
{
	return ledger_leases_release(ctx);
}

static void fail(void *ctx, enum cs_err err, const char *what)
{
	gateway_fail(((struct gateway_ledger *)ctx)->gateway, err, what);
}

/* ---- life ---- */

enum cs_err gateway_ledger_start(struct gateway *gateway, struct cs_why *why)
{
	static const struct ledger_service_ops ops = {.work = work,
						      .release = release,
						      .resume = resume,
						      .keep = keep,
						      .ended = ended,
						      .is_stranger = is_stranger,
						      .fail = fail};
	if (!gateway->config.ledger.id)
		return CS_OK;
	struct gateway_ledger *ledger = host_calloc(1, sizeof(*ledger));
	gateway->ledger = ledger;
	ledger->gateway = gateway;
	ledger->batch_max = LEDGER_PLAN_MOVES_MAX;
	ledger->service = (struct ledger_service){.ops = &ops,
						  .ctx = ledger,
						  .loop = gateway->loop,
						  .config = &gateway->config.ledger,
						  .pauses = &gateway->config.service,
						  .sig = gateway->sig};
	ledger_leases_make(ledger);
	gateway_journal_keep_moves(gateway->journal);
	CS_TRY(ledger_service_start(&ledger->service, why));
	ledger_registered_start(ledger);
	return CS_OK;
}

void gateway_ledger_stop(struct gateway *gateway)
{
	struct gateway_ledger *ledger = gateway->ledger;
	if (!ledger)
		return;
	gateway->ledger = NULL;
	ledger_service_stop(&ledger->service);
	ledger_registered_watch_free(ledger->watch);
	free(ledger->leases);
	free(ledger);
}

void gateway_ledger_drain(struct gateway *gateway)
{
	if (gateway->ledger)
		ledger_service_drain(&gateway->ledger->service);
}

bool gateway_ledger_yields(const struct gateway_route *route, enum relay_side side)
{
	const struct gateway_lease *lease = route->leases[side];
	return lease && lease->known && !lease->ours && lease->until_ms != 0 &&
	       host_now_ms() < lease->until_ms;
}
