/* Where the enclave takes its time from the bridge's ledger: a gateway's side of it (its enclave's
 * session, its stored state, and the account that writes anchors). */
#include "relay_state/client/clock.h"

#include "gateway/ledger.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

struct gateway_clock {
	struct gateway *gateway;
	struct ledger_clock *clock;
	struct cs_bytes calldata; /* heap: of the anchor that is to be written; none */
};

static bool ready(void *ctx)
{
	const struct gateway_clock *own = ctx;
	return own->gateway->enclave_ready && !own->gateway->stopping;
}

static enum cs_err send(void *ctx, enum wire_type type, struct cs_bytes body,
			host_enclave_done *done, void *done_ctx)
{
	const struct gateway_clock *own = ctx;
	return host_enclave_session_send(own->gateway->enclave, type, body,
					 GATEWAY_ENCLAVE_TIMEOUT_MS, done, done_ctx);
}

static void seal(void *ctx)
{
	const struct gateway_clock *own = ctx;
	gateway_enclave_changed(own->gateway);
	gateway_enclave_export(own->gateway, NULL, NULL);
}

static void forget_calldata(struct gateway_clock *own)
{
	free((void *)(uintptr_t)own->calldata.p);
	own->calldata = CS_BYTES_NONE;
}

static void write_anchor(void *ctx, struct cs_bytes calldata)
{
	struct gateway_clock *own = ctx;
	forget_calldata(own);
	own->calldata = cs_bytes(host_copy(calldata), calldata.n);
	ledger_service_kick(&own->gateway->ledger->service);
}

static void changed(void *ctx)
{
	const struct gateway_clock *own = ctx;
	gateway_enclave_ask_hello(own->gateway);
	gateway_wake(own->gateway);
}

static void proven(void *ctx)
{
	const struct gateway_clock *own = ctx;
	host_enclave_session_init(own->gateway->enclave);
}

/* ---- the account's turn ---- */

bool ledger_anchor_send(struct gateway_ledger *ledger)
{
	struct gateway_clock *own = ledger->gateway->clock;
	if (!own || own->calldata.n == 0)
		return false;
	struct ledger_tx_call call = {.to = {{[17] = 0xca, [18] = 0x15, [19] = 0x05}},
				      .input = own->calldata};
	enum cs_err err =
		ledger_writer_send(ledger->service.writer, LEDGER_KIND_ANCHOR, &call, 1, 0);
	if (err == CS_OK)
		forget_calldata(own);
	else
		ledger_service_no_answer(&ledger->service, err, NULL);
	return true;
}

void ledger_anchor_ended(struct gateway_ledger *ledger, const struct ledger_report *report)
{
	struct gateway_clock *own = ledger->gateway->clock;
	if (!own)
		return;
	enum cs_err err = report->end == LEDGER_END_DONE       ? CS_OK
			  : report->end == LEDGER_END_REVERTED ? CS_ERR_REVERTED
			  : report->err != CS_OK               ? report->err
							       : CS_ERR_UNAVAILABLE;
	ledger_clock_written(own->clock, err,
			     report->why && report->why[0] ? report->why : cs_err_sentence(err));
}

/* ---- for the rest of the gateway ---- */

struct ledger_clock *gateway_clock(const struct gateway *gateway)
{
	return gateway->clock ? gateway->clock->clock : NULL;
}

bool gateway_clock_seals(const struct gateway *gateway)
{
	const struct ledger_clock *clock = gateway_clock(gateway);
	return !clock || ledger_clock_state(clock) == LEDGER_ANCHOR_PROVEN ||
	       ledger_clock_state(clock) == LEDGER_ANCHOR_KEYS;
}

enum cs_err gateway_clock_start(struct gateway *gateway, struct cs_why *why)
{
	static const struct ledger_clock_ops ops = {.ready = ready,
						    .send = send,
						    .seal = seal,
						    .write = write_anchor,
						    .changed = changed,
						    .proven = proven};
	const struct host_manifest_ledger *manifest = &gateway->config.manifest.ledger;
	if (!manifest->is_there)
		return CS_OK;
	if (!gateway->ledger)
		return cs_fail(why, CS_ERR_MISSING_FIELD,
			       "[ledger]: the manifest takes its time from %s", manifest->caip2);
	if (strcmp(manifest->caip2, gateway->config.ledger.id) != 0 ||
	    !cs_hash_eq(&manifest->genesis, &gateway->config.ledger.tag))
		return cs_fail(why, CS_ERR_INVALID,
			       "[ledger] is another one than %s of the manifest", manifest->caip2);
	struct gateway_clock *own = host_calloc(1, sizeof(*own));
	const struct ledger_clock_config config = {.client = gateway->ledger->service.client,
						   .manifest = manifest,
						   .scratch = &gateway->scratch,
						   .ops = &ops,
						   .ctx = own};
	own->gateway = gateway;
	own->clock = ledger_clock_new(gateway->loop, &config);
	gateway->clock = own;
	return CS_OK;
}

void gateway_clock_stop(struct gateway *gateway)
{
	struct gateway_clock *own = gateway->clock;
	if (!own)
		return;
	gateway->clock = NULL;
	ledger_clock_free(own->clock);
	forget_calldata(own);
	free(own);
}
