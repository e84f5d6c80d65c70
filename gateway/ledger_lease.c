/* Leases of routes: one for each side of a route that is ours. Whoever holds it submits and records;
 * they save gas and keep one history one story, and give no right: what they do not stop is decided by
 * the contracts' statuses. */
#include "gateway/ledger.h"
#include "host/alloc.h"

#include <string.h>

/* Leases of one question. */
#define LOOK_MAX 32u
/* After another one's lease should have ended: clocks differ, blocks come late. */
#define SLACK_MS 1000u
#define LOOK_MIN_MS 1000u

static void add_lease(struct gateway_ledger *ledger, struct gateway_route *route,
		      enum relay_side side)
{
	struct gateway_lease *lease = &ledger->leases[ledger->lease_count++];
	const struct cs_hash *own = &route->chain->identity;
	*lease = (struct gateway_lease){
		.route = route,
		.key = {.source = side == RELAY_SOURCE ? *own : route->remote,
			.destination = side == RELAY_SOURCE ? route->remote : *own,
			.side = (uint8_t)side}};
	route->leases[side] = lease;
}

void gateway_ledger_add(struct gateway_route *route)
{
	struct gateway_ledger *ledger = route->chain->gateway->ledger;
	if (!ledger)
		return;
	add_lease(ledger, route, RELAY_SOURCE);
	add_lease(ledger, route, RELAY_DESTINATION);
}

void ledger_leases_make(struct gateway_ledger *ledger)
{
	struct gateway *gateway = ledger->gateway;
	/* Of every route that there may ever be: routes point to them. */
	ledger->leases = host_calloc((size_t)2 * GATEWAY_CHAINS_MAX * CS_MANIFEST_CHAINS_MAX,
				     sizeof(*ledger->leases));
	for (size_t i = 0; i < gateway->chain_count; i++)
		for (size_t k = 0; k < gateway->chains[i].route_count; k++)
			gateway_ledger_add(&gateway->chains[i].routes[k]);
}

bool ledger_lease_is_held(const struct gateway_lease *lease)
{
	return lease->ours && host_now_ms() < lease->until_ms;
}

void ledger_leases_look_now(struct gateway_ledger *ledger)
{
	ledger->look_at = 0;
	ledger->look_ms = 0;
}

/* ---- looking ---- */

static void tell_change(const struct gateway_lease *lease, bool ours)
{
	char holder[LEDGER_ADDRESS_TEXT];
	if (lease->known && lease->ours == ours)
		return;
	log_info(ours ? "lease.ours" : "lease.others",
		 LOG_TEXT("chain", lease->route->chain->config->id),
		 LOG_TEXT("remote", lease->route->remote_manifest->caip2),
		 LOG_TEXT("side", lease->key.side == RELAY_SOURCE ? "source" : "destination"),
		 LOG_U64("fencing", lease->last.fencing),
		 LOG_TEXT("holder", ledger_address(holder, &lease->last.holder)));
}

/* Who cannot work leaves the lease to those who can: the others look on for as long as it is held. */
static bool may_wish(const struct gateway_lease *lease, bool ours)
{
	const char *trouble = gateway_chain_trouble(lease->route->chain);
	if (!lease->registered)
		return false;
	if (trouble && ours)
		log_warn("lease.not_renewed", LOG_TEXT("chain", lease->route->chain->config->id),
			 LOG_TEXT("remote", lease->route->remote_manifest->caip2),
			 LOG_TEXT("why", trouble));
	return trouble == NULL;
}

/* Ours is renewed at half; what has ended is anybody's. */
static void take_look(struct gateway_ledger *ledger, struct gateway_lease *lease,
		      const struct ledger_lease *read)
{
	const struct cs_address *own = ledger_writer_account(ledger->service.writer);
	bool ended = read->until_s <= ledger->time_s;
	uint64_t left_s = ended ? 0 : read->until_s - ledger->time_s;
	bool ours = !ended && cs_address_eq(&read->holder, own);
	lease->last = *read;
	if (!ended)
		tell_change(lease, ours);
	lease->known = lease->known || !ended;
	lease->ours = ours;
	lease->until_ms = ended ? 0 : host_now_ms() + left_s * 1000 + (ours ? 0 : SLACK_MS);
	lease->wish = LEDGER_WISH_NOTHING;
	bool renews = ours && 2 * left_s <= ledger->gateway->config.lease_s;
	if ((ended || renews) && may_wish(lease, ours))
		lease->wish = ended ? LEDGER_WISH_TAKE : LEDGER_WISH_RENEW;
}

/* When the next round is due: a quarter of a lease, or as soon as another one's ends. */
static void end_round(struct gateway_ledger *ledger)
{
	uint64_t now = host_now_ms();
	uint64_t pause = ledger->gateway->config.lease_s * 250u;
	const char *missing = NULL;
	for (size_t i = 0; i < ledger->lease_count; i++) {
		const struct gateway_lease *lease = &ledger->leases[i];
		if (!lease->registered)
			missing = lease->route->chain->config->id;
		else if (!lease->ours && lease->until_ms > now && lease->until_ms - now < pause)
			pause = lease->until_ms - now;
	}
	ledger->look_at = 0;
	ledger->look_ms = now + (pause > LOOK_MIN_MS ? pause : LOOK_MIN_MS);
	if (ledger->service.trouble == LEDGER_NO_NODE)
		ledger_service_unpause(&ledger->service);
	if (missing)
		ledger_service_set_trouble(&ledger->service, LEDGER_NOT_REGISTERED, missing);
	else if (ledger->service.trouble == LEDGER_STARTING ||
		 ledger->service.trouble == LEDGER_NO_NODE ||
		 ledger->service.trouble == LEDGER_NOT_REGISTERED)
		ledger_service_set_trouble(&ledger->service, LEDGER_FINE, "");
}

/* Two answers for each: the lease, whether we are its gateway; before them the chain's time. */
static enum cs_err read_look(struct gateway_ledger *ledger,
			     const struct ledger_client_answer *answers, size_t count,
			     const char **why)
{
	for (size_t i = 0; i < count; i++) {
		*why = answers[i].why;
		CS_TRY(answers[i].err);
		if (answers[i].code != 0)
			return CS_ERR_RPC_LIE;
	}
	*why = "an answer about a lease that does not read";
	if (answers[0].value.n != LEDGER_CHAIN_ANSWER_SIZE)
		return CS_ERR_RPC_LIE;
	uint64_t time_s = cs_be64(answers[0].value.p + LEDGER_CHAIN_ANSWER_SIZE - 8);
	if (time_s > ledger->time_s)
		ledger->time_s = time_s;
	for (size_t i = 1; i + 1 < count; i += 2) {
		struct gateway_lease *lease = &ledger->leases[ledger->look_at];
		struct ledger_lease read;
		CS_TRY(ledger_read_lease(&read, answers[i].value));
		CS_TRY(ledger_read_bool(&lease->registered, answers[i + 1].value));
		take_look(ledger, lease, &read);
		ledger->look_at++;
	}
	return CS_OK;
}

static void looked(void *ctx, const struct ledger_client_answer *answers, size_t count)
{
	struct gateway_ledger *ledger = ctx;
	const char *why = "";
	ledger->service.asking = false;
	enum cs_err err = read_look(ledger, answers, count, &why);
	if (err != CS_OK)
		ledger_service_no_answer(&ledger->service, err, why);
	else if (ledger->look_at >= ledger->lease_count)
		end_round(ledger);
	if (err != CS_ERR_CLOSED)
		ledger_service_kick(&ledger->service);
}

bool ledger_leases_look(struct gateway_ledger *ledger)
{
	static uint8_t data[2 * LOOK_MAX][LEDGER_VIEW_SIZE_MAX];
	struct ledger_client_query queries[1 + 2 * LOOK_MAX] = {{.path = "/chain"}};
	size_t n = 0;
	if (ledger->look_at == 0 && host_now_ms() < ledger->look_ms)
		return false;
	if (ledger->lease_count == 0)
		return false;
	for (size_t i = ledger->look_at; i < ledger->lease_count && n < 2 * LOOK_MAX; i++) {
		const struct gateway_lease *lease = &ledger->leases[i];
		struct cs_buf buf;
		cs_buf_init(&buf, data[n], sizeof(data[n]));
		ledger_view_lease(&buf, &lease->key);
		queries[++n] =
			(struct ledger_client_query){.path = "/call", .data = cs_buf_view(&buf)};
		cs_buf_init(&buf, data[n], sizeof(data[n]));
		ledger_view_gateway(&buf, ledger_writer_account(ledger->service.writer),
				    &lease->route->chain->identity);
		queries[++n] =
			(struct ledger_client_query){.path = "/call", .data = cs_buf_view(&buf)};
	}
	enum cs_err err = ledger_client_query(ledger->service.client,
					      ledger_writer_height(ledger->service.writer), queries,
					      n + 1, looked, ledger);
	ledger->service.asking = err == CS_OK;
	if (err != CS_OK)
		ledger_service_no_answer(&ledger->service, err, "");
	return true;
}

/* ---- taking, renewing, releasing ---- */

struct calls {
	struct ledger_tx_call list[LEDGER_CALLS_MAX];
	uint8_t data[LEDGER_CALLS_MAX][LEDGER_CALLDATA_SIZE_MAX];
	size_t count;
};

static void add_call(struct calls *calls, const struct gateway_ledger *ledger,
		     const struct gateway_lease *lease, bool release)
{
	struct cs_buf buf;
	uint64_t seconds = ledger->gateway->config.lease_s;
	cs_buf_init(&buf, calls->data[calls->count], sizeof(calls->data[0]));
	if (release)
		ledger_call_release_lease(&buf, &lease->key, lease->last.fencing);
	else if (lease->wish == LEDGER_WISH_TAKE)
		ledger_call_take_lease(&buf, &lease->key, seconds);
	else
		ledger_call_renew_lease(&buf, &lease->key, lease->last.fencing, seconds);
	calls->list[calls->count++] = (struct ledger_tx_call){
		.to = ledger_contract_address(LEDGER_RECORDS_NUMBER), .input = cs_buf_view(&buf)};
}

static bool send_calls(struct gateway_ledger *ledger, const struct calls *calls)
{
	if (calls->count == 0)
		return false;
	enum cs_err err = ledger_writer_send(ledger->service.writer, LEDGER_KIND_LEASES,
					     calls->list, calls->count, 0);
	if (err != CS_OK)
		ledger_service_no_answer(&ledger->service, err, "");
	return true;
}

bool ledger_leases_send(struct gateway_ledger *ledger)
{
	static struct calls calls; /* 16 KiB: too large for the stack of a callback */
	calls.count = 0;
	for (size_t i = 0; i < ledger->lease_count && calls.count < LEDGER_CALLS_MAX; i++) {
		struct gateway_lease *lease = &ledger->leases[i];
		if (lease->wish == LEDGER_WISH_NOTHING)
			continue;
		add_call(&calls, ledger, lease, false);
		lease->wish = LEDGER_WISH_NOTHING; /* the look after it says what became of it */
	}
	return send_calls(ledger, &calls);
}

bool ledger_leases_release(struct gateway_ledger *ledger)
{
	static struct calls calls;
	calls.count = 0;
	for (size_t i = 0; i < ledger->lease_count && calls.count < LEDGER_CALLS_MAX; i++) {
		struct gateway_lease *lease = &ledger->leases[i];
		if (ledger_lease_is_held(lease))
			add_call(&calls, ledger, lease, true);
		lease->ours =
			false; /* once: the next one waits for the end of the lease otherwise */
	}
	return send_calls(ledger, &calls);
}
