/* From one enclave to the next without a stop of the gateway: a configuration with another manifest, or
 * with one more chain, waits here until an enclave says that it runs under it (docs/adr/0065). `caisson
 * up` starts that enclave when it is asked; where somebody else does, it is theirs to start again.
 *   The sealed state goes to it as after any restart. While nothing is sealed under the new manifest the
 * old one can come back; what it has sealed no older manifest opens, so from then on there is only
 * forward, through crashes too: file, state and enclave are of one manifest, and every start takes it. */
#include "gateway/reload.h"
#include "gateway/succession.h"
#include "relay_state/client/clock.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* So long the answer to a request waits: an enclave that starts takes well under a second, a key
 * that hardware makes some more. */
#define HOLD_MS 15000u

bool gateway_rollover_is_needed(const struct gateway_reload *reload)
{
	struct cs_hash now = gateway_plan_of(&reload->gateway->config);
	struct cs_hash next = gateway_plan_of(reload->fresh);
	return !cs_hash_eq(&now, &next);
}

/* ---- what waits ---- */

static void forget(struct gateway *gateway)
{
	gateway->coming = NULL;
	host_timer_stop(gateway->coming_timer);
}

static void tell_supervisor(struct gateway *gateway, enum host_supervisor_kind kind,
			    const struct cs_hash *plan)
{
	if (!gateway->supervisor)
		return;
	enum cs_err err = host_supervisor_send(gateway->supervisor, kind, plan, "");
	if (err != CS_OK)
		log_error("rollover.not_told", LOG_ERR(err));
}

/* Back to what is in force. */
static void give_way(struct gateway *gateway, const char *why)
{
	struct gateway_reload *coming = gateway->coming;
	forget(gateway);
	tell_supervisor(gateway, HOST_SUPERVISOR_BACK, &coming->plan);
	gateway_reload_refuse(coming, "%s", why);
}

bool gateway_rollover_give_up(struct gateway *gateway)
{
	struct gateway_reload *coming = gateway->coming;
	if (!coming)
		return true;
	if (coming->on_trial || coming->sealed)
		return false;
	forget(gateway);
	tell_supervisor(gateway, HOST_SUPERVISOR_BACK, &coming->plan);
	log_warn("rollover.given_up", LOG_TEXT("who", coming->who));
	gateway_reload_free(coming);
	return true;
}

/* ---- asking for it ---- */

static void ask(void *context)
{
	struct gateway *gateway = context;
	if (gateway->coming && !gateway->stopping)
		tell_supervisor(gateway, HOST_SUPERVISOR_TRY, &gateway->coming->plan);
}

/* The newest state of the light clients goes along: what is lost without it is only time. */
static void export_and_ask(struct gateway *gateway)
{
	if (gateway->enclave_ready && ledger_clock_seals(gateway->clock))
		gateway_enclave_export(gateway, ask, gateway);
	else
		ask(gateway);
}

static enum cs_err write_waits(void *context)
{
	const struct gateway_reload *coming = context;
	return gateway_operator_told(coming->gateway, "operator.reload", coming->who, "waits: %s",
				     coming->why);
}

/* It is in the journal who wanted it. */
static void written(void *context, enum cs_err err)
{
	struct gateway *gateway = context;
	if (!gateway->coming)
		return;
	if (err != CS_OK) {
		give_way(gateway, "the journal cannot be written");
	} else if (gateway->supervisor) {
		export_and_ask(gateway);
	} else {
		gateway_reload_reply_waits(gateway->coming);
		/* It may be there, and have been refused. */
		if (!gateway->enclave_ready)
			host_enclave_session_again(gateway->enclave);
		gateway_reload_next(gateway);
	}
}

void gateway_rollover_begin(struct gateway_reload *reload)
{
	struct gateway *gateway = reload->gateway;
	cs_assert(gateway->coming == NULL);
	gateway->coming = reload;
	reload->plan = gateway_plan_of(reload->fresh);
	reload->since_ms = host_wall_ms();
	snprintf(
		reload->why, sizeof(reload->why),
		gateway->supervisor
			? "the enclave starts again, under manifest %llu and %zu chains"
			: "the enclave has to be started again, under manifest %llu and %zu chains "
			  "(`caisson up --enclave-only` does it by SIGHUP)",
		(unsigned long long)reload->fresh->manifest.number, reload->fresh->chain_count);
	log_info("rollover.waits", LOG_TEXT("who", reload->who),
		 LOG_U64("manifest", reload->fresh->manifest.number),
		 LOG_U64("chains", reload->fresh->chain_count));
	if (gateway->supervisor)
		host_timer_start(gateway->coming_timer, HOLD_MS, 0);
	if (gateway_write_then(gateway, write_waits, reload, written, gateway) != CS_OK)
		give_way(gateway, "the journal cannot be written");
}

/* Whoever asked has waited long enough; it goes on by itself, or another file takes its place. */
static void held(void *context)
{
	struct gateway *gateway = context;
	if (!gateway->coming)
		return;
	gateway_reload_reply_waits(gateway->coming);
	gateway_reload_next(gateway);
}

/* ---- what the enclave says ---- */

static bool serves(const Caisson__Wire__HelloReply *hello, const struct cs_hash *identity)
{
	for (size_t i = 0; i < hello->n_clients; i++) {
		struct cs_hash client = wire_pb_hash(hello->clients[i]->chain);
		if (cs_hash_eq(&client, identity))
			return true;
	}
	return false;
}

static enum cs_err runs_under(const Caisson__Wire__HelloReply *hello,
			      const struct gateway_config *config, struct cs_why *why)
{
	struct cs_hash manifest = wire_pb_hash(hello->manifest_hash);
	if (!cs_hash_eq(&manifest, &config->manifest.hash))
		return cs_fail(why, CS_ERR_WRONG_MANIFEST,
			       "the enclave runs under another manifest than the gateway");
	for (size_t i = 0; i < config->chain_count; i++)
		if (!serves(hello, &config->chains[i].common.manifest->identity))
			return cs_fail(why, CS_ERR_NOT_IN_MANIFEST,
				       "the enclave serves other chains than the gateway");
	return CS_OK;
}

/* This process began with a file that its enclave does not run under: it was killed while it waited, or
 * the file was changed before. Once: a second try would end as the first. */
static void ask_at_start(struct gateway *gateway, const Caisson__Wire__HelloReply *hello)
{
	if (!gateway->supervisor || gateway->supervisor_asked || gateway->coming ||
	    hello->manifest_number > gateway->config.manifest.number)
		return;
	struct cs_hash plan = gateway_plan_of(&gateway->config);
	gateway->supervisor_asked = true;
	log_info("rollover.at_start", LOG_U64("manifest", gateway->config.manifest.number));
	tell_supervisor(gateway, HOST_SUPERVISOR_TRY, &plan);
}

enum cs_err gateway_rollover_hello(struct gateway *gateway, const Caisson__Wire__HelloReply *hello,
				   bool *waits, struct cs_why *why)
{
	struct gateway_reload *coming = gateway->coming;
	*waits = false;
	if (coming && runs_under(hello, coming->fresh, why) == CS_OK) {
		*waits = hello->n_keys == 0;
		coming->on_trial = true;
		if (!*waits) {
			forget(gateway);
			gateway_reload_take(coming);
		}
		return CS_OK;
	}
	enum cs_err err = runs_under(hello, &gateway->config, why);
	if (err != CS_OK)
		ask_at_start(gateway, hello);
	return err;
}

void gateway_rollover_ready(struct gateway *gateway)
{
	struct cs_hash plan = gateway_plan_of(&gateway->config);
	gateway->supervisor_asked = false;
	if (!gateway->coming)
		tell_supervisor(gateway, HOST_SUPERVISOR_KEEP, &plan);
}

void gateway_rollover_sealed(struct gateway *gateway)
{
	if (gateway->coming && gateway->coming->on_trial)
		gateway->coming->sealed = true;
}

void gateway_rollover_down(struct gateway *gateway)
{
	if (gateway->coming)
		gateway->coming->on_trial = false;
}

/* What an enclave that died, or is slow, leaves unanswered says nothing of the manifest. */
static bool is_verdict(enum cs_err err)
{
	return err != CS_ERR_CLOSED && err != CS_ERR_TIMEOUT && err != CS_ERR_UNAVAILABLE &&
	       err != CS_ERR_IO;
}

void gateway_rollover_failed(struct gateway *gateway, enum cs_err err, const char *why)
{
	struct gateway_reload *coming = gateway->coming;
	char text[GATEWAY_WHY_MAX + 1];
	if (!coming || !coming->on_trial || !is_verdict(err))
		return;
	snprintf(text, sizeof(text), "the enclave does not go on under manifest %llu: %s: %.100s",
		 (unsigned long long)coming->fresh->manifest.number, cs_err_name(err), why);
	coming->on_trial = false;
	if (gateway->supervisor && !coming->sealed)
		give_way(gateway, text);
	else
		snprintf(coming->why, sizeof(coming->why), "%s", text);
}

/* ---- what `caisson up` says ---- */

static void on_supervisor(void *context, enum host_supervisor_kind kind, const struct cs_hash *plan,
			  const char *text)
{
	struct gateway *gateway = context;
	struct gateway_reload *coming = gateway->coming;
	if (kind != HOST_SUPERVISOR_REFUSED)
		return;
	if (coming && cs_hash_eq(&coming->plan, plan) && !coming->sealed) {
		forget(gateway);
		gateway_reload_refuse(coming, "%s", text);
		return;
	}
	log_error("rollover.refused", LOG_TEXT("why", text));
	struct cs_hash now = gateway_plan_of(&gateway->config);
	if (cs_hash_eq(&now, plan) && !gateway->enclave_ready)
		snprintf(gateway->enclave_why, sizeof(gateway->enclave_why), "%s", text);
}

json_t *gateway_rollover_json(const struct gateway *gateway)
{
	const struct gateway_reload *coming = gateway->coming;
	if (!coming)
		return json_null();
	json_t *json = json_object();
	json_t *chains = json_array();
	for (size_t i = gateway->chain_count; i < coming->fresh->chain_count; i++)
		json_array_append_new(chains, json_string(coming->fresh->chains[i].common.id));
	json_object_set_new(json, "manifest_hash", host_json_hash(&coming->fresh->manifest.hash));
	json_object_set_new(json, "manifest_number", host_json_u64(coming->fresh->manifest.number));
	json_object_set_new(json, "chains", chains);
	json_object_set_new(json, "since_ms", host_json_u64(coming->since_ms));
	json_object_set_new(json, "why", json_string(coming->why));
	return json;
}

/* ---- life ---- */

enum cs_err gateway_rollover_start(struct gateway *gateway, struct cs_why *why)
{
	gateway->coming_timer = host_timer_new(gateway->loop, held, gateway);
	if (gateway->supervisor_fd < 0)
		return CS_OK;
	enum cs_err err = host_supervisor_new(&gateway->supervisor, gateway->loop,
					      gateway->supervisor_fd, on_supervisor, gateway);
	(void)close(gateway->supervisor_fd);
	return err == CS_OK ? CS_OK : cs_fail(why, err, "--supervisor-fd is no such descriptor");
}

void gateway_rollover_stop(struct gateway *gateway)
{
	if (gateway->coming)
		gateway_reload_free(gateway->coming);
	gateway->coming = NULL;
	host_timer_free(gateway->coming_timer);
	host_supervisor_free(gateway->supervisor);
	gateway->supervisor = NULL;
}
