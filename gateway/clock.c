/* Where the enclave takes its time from the bridge's ledger: a gateway's side of it (its enclave's
 * session, its stored state, and the account that writes anchors). */
#include "relay_state/client/clock.h"

#include "gateway/ledger.h"

#include <string.h>

#define ANNOUNCEMENT_NAME "announcement of a key"

static bool ready(void *ctx)
{
	const struct gateway *gateway = ctx;
	return gateway->enclave_ready && !gateway->stopping;
}

static enum cs_err send(void *ctx, enum wire_type type, struct cs_bytes body,
			host_enclave_done *done, void *done_ctx)
{
	const struct gateway *gateway = ctx;
	return host_enclave_session_send(gateway->enclave, type, body, GATEWAY_ENCLAVE_TIMEOUT_MS,
					 done, done_ctx);
}

static void seal(void *ctx)
{
	struct gateway *gateway = ctx;
	gateway_enclave_changed(gateway);
	gateway_enclave_export(gateway, NULL, NULL);
}

static void kick(void *ctx)
{
	struct gateway *gateway = ctx;
	if (gateway->ledger)
		ledger_service_kick(&gateway->ledger->service);
}

static void changed(void *ctx)
{
	struct gateway *gateway = ctx;
	if (!ready(gateway))
		return;
	gateway_enclave_ask_hello(gateway);
	gateway_wake(gateway);
}

static void proven(void *ctx)
{
	const struct gateway *gateway = ctx;
	host_enclave_session_init(gateway->enclave);
}

static enum cs_err keep(void *ctx, struct cs_bytes announcement)
{
	const struct gateway *gateway = ctx;
	return gateway_journal_put(gateway->journal, ANNOUNCEMENT_NAME, announcement);
}

static enum cs_err write_told(void *ctx)
{
	return keep(ctx, CS_BYTES_NONE);
}

static void told(void *ctx)
{
	struct gateway *gateway = ctx;
	enum cs_err err = gateway_write(gateway, write_told, gateway);
	if (err != CS_OK)
		gateway_fail(gateway, err, "what the register was told");
}

bool ledger_anchor_send(struct gateway_ledger *ledger)
{
	enum cs_err err = ledger_clock_send(ledger->gateway->clock, ledger->service.writer);
	if (err != CS_OK && err != CS_ERR_NOT_FOUND)
		ledger_service_no_answer(&ledger->service, err, NULL);
	return err != CS_ERR_NOT_FOUND;
}

void ledger_anchor_ended(struct gateway_ledger *ledger, const struct ledger_report *report)
{
	ledger_clock_ended(ledger->gateway->clock, report);
}

enum cs_err gateway_clock_start(struct gateway *gateway, struct cs_why *why)
{
	static const struct ledger_clock_ops ops = {.ready = ready,
						    .send = send,
						    .seal = seal,
						    .kick = kick,
						    .changed = changed,
						    .proven = proven,
						    .keep = keep,
						    .told = told};
	struct ledger_clock_config config = {
		.anchor_kind = LEDGER_KIND_ANCHOR,
		.rotation_kind = LEDGER_KIND_ROTATION,
		.client = gateway->ledger ? gateway->ledger->service.client : NULL,
		.manifest = &gateway->config.manifest.ledger,
		.ledger = &gateway->config.ledger,
		.scratch = &gateway->scratch,
		.ops = &ops,
		.ctx = gateway};
	size_t mark = cs_arena_mark(&gateway->scratch);
	enum cs_err err = gateway_journal_get(gateway->journal, ANNOUNCEMENT_NAME,
					      &gateway->scratch, &config.announcement);
	if (err == CS_OK || err == CS_ERR_NOT_FOUND)
		err = ledger_clock_new(&gateway->clock, gateway->loop, &config, why);
	cs_arena_rewind(&gateway->scratch, mark);
	return err;
}

void gateway_clock_stop(struct gateway *gateway)
{
	ledger_clock_free(gateway->clock);
	gateway->clock = NULL;
}
