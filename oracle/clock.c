/* Where the enclave takes its time from the bridge's ledger: an oracle's side of it, as a gateway's
 * (gateway/clock.c). */
#include "relay_state/client/clock.h"

#include "oracle/ledger.h"

#include <string.h>

#define ANNOUNCEMENT_NAME "announcement of a key"

static bool ready(void *ctx)
{
	const struct oracle *oracle = ctx;
	return oracle->enclave_ready && !oracle->stopping;
}

static enum cs_err send(void *ctx, enum wire_type type, struct cs_bytes body,
			host_enclave_done *done, void *done_ctx)
{
	const struct oracle *oracle = ctx;
	return oracle_enclave_send(oracle, type, body, done, done_ctx);
}

static void seal(void *ctx)
{
	struct oracle *oracle = ctx;
	oracle_enclave_changed(oracle);
	oracle_enclave_export(oracle, NULL, NULL);
}

static void kick(void *ctx)
{
	oracle_ledger_kick(ctx);
}

static void changed(void *ctx)
{
	struct oracle *oracle = ctx;
	if (!ready(oracle))
		return;
	oracle_enclave_ask_hello(oracle);
	oracle_wake(oracle);
}

static void proven(void *ctx)
{
	oracle_enclave_init(ctx);
}

static enum cs_err keep(void *ctx, struct cs_bytes announcement)
{
	const struct oracle *oracle = ctx;
	return oracle_journal_put(oracle->journal, ANNOUNCEMENT_NAME, announcement);
}

static enum cs_err write_told(void *ctx)
{
	return keep(ctx, CS_BYTES_NONE);
}

static void told(void *ctx)
{
	struct oracle *oracle = ctx;
	enum cs_err err = oracle_write(oracle, write_told, oracle);
	if (err != CS_OK)
		oracle_fail(oracle, err, "what the register was told");
}

enum cs_err oracle_clock_start(struct oracle *oracle, struct cs_why *why)
{
	static const struct ledger_clock_ops ops = {.ready = ready,
						    .send = send,
						    .seal = seal,
						    .kick = kick,
						    .changed = changed,
						    .proven = proven,
						    .keep = keep,
						    .told = told};
	struct ledger_clock_config config = {.client = oracle_ledger_client(oracle),
					     .manifest = &oracle->config.manifest.base.ledger,
					     .ledger = &oracle->config.ledger,
					     .anchor_kind = ORACLE_LEDGER_ANCHOR,
					     .rotation_kind = ORACLE_LEDGER_ROTATION,
					     .scratch = &oracle->scratch,
					     .ops = &ops,
					     .ctx = oracle};
	size_t mark = cs_arena_mark(&oracle->scratch);
	enum cs_err err = oracle_journal_get(oracle->journal, ANNOUNCEMENT_NAME, &oracle->scratch,
					     &config.announcement);
	if (err == CS_OK || err == CS_ERR_NOT_FOUND)
		err = ledger_clock_new(&oracle->clock, oracle->loop, &config, why);
	cs_arena_rewind(&oracle->scratch, mark);
	return err;
}

void oracle_clock_stop(struct oracle *oracle)
{
	ledger_clock_free(oracle->clock);
	oracle->clock = NULL;
}
