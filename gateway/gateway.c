#include "gateway/answers.h"
#include "gateway/operator.h"
#include "gateway/postpone.h"
#include "gateway/webhooks.h"
#include "host/alloc.h"
#include "relay_state/client/clock.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

/* How often due times, the keys file and the lead of the light client are looked at without an
 * event. */
#define TICK_MS 200u
#define KEYS_CHECK_MS 1000u
#define TIDY_MS 60000u
#define IDEMPOTENCY_KEPT_MS (24u * 3600u * 1000u)

/* ---- the pump ---- */

/* agrees: what was reported up to the final height is final, and no more than that. */
static void pump_route(struct gateway_route *route, bool agrees)
{
	gateway_source_sign(route);
	if (agrees)
		gateway_outcome_mark_final(route);
	gateway_outcome_prove(route);
	if (!gateway_ledger_yields(route, RELAY_SOURCE))
		gateway_finalize(route);
	if (!gateway_ledger_yields(route, RELAY_DESTINATION))
		gateway_destination_retry(route);
	gateway_destination_deliver(route);
	gateway_destination_expire(route);
	gateway_rotation_announce(route);
}

static void pump(void *context)
{
	struct gateway *gateway = context;
	gateway->awake = false;
	if (gateway->stopping || gateway->failed)
		return;
	/* Whoever reads the journal below acts on it: so it must be on disk. */
	enum cs_err err = host_store_flush(gateway_journal_store(gateway->journal));
	if (err != CS_OK) {
		gateway_fail(gateway, err, "flush");
		return;
	}
	gateway_events_pump(gateway);
	gateway_webhooks_pump(gateway);
	gateway_peers_pump(gateway);
	for (size_t i = 0; i < gateway->chain_count; i++) {
		gateway_proofs_keep(&gateway->chains[i]);
		gateway_evidence_hand(&gateway->chains[i]);
	}
	if (!gateway->enclave_ready)
		return;
	for (size_t i = 0; i < gateway->chain_count; i++) {
		struct gateway_chain *chain = &gateway->chains[i];
		adapter_providers_ask(&chain->providers);
		adapter_follow_feed(&chain->follow);
		gateway_submitted_follow(chain);
		if (!ledger_clock_signs(gateway->clock) || gateway->drain.is_on)
			continue;
		gateway_submit_new(chain);
		bool agrees = adapter_follow_agrees(&chain->follow);
		if (!chain->follow.created || chain->follow.frozen || chain->follow.diverged)
			continue;
		gateway_source_mark_final(chain);
		if (agrees)
			gateway_finalize_end(chain);
		for (size_t k = 0; k < chain->route_count; k++)
			pump_route(&chain->routes[k], agrees);
	}
}

void gateway_wake(struct gateway *gateway)
{
	if (gateway->awake || gateway->stopping)
		return;
	gateway->awake = true;
	host_post(gateway->loop, pump, gateway);
}

/* ---- housekeeping ---- */

static void check_keys(struct gateway *gateway)
{
	struct stat st;
	struct cs_why why = {{0}};
	static struct host_api_keys fresh; /* 64 keys: too large for the stack of a callback */
	if (stat(gateway->config.service.keys_file, &st) != 0)
		return;
	int64_t mtime = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	if (mtime == gateway->keys_mtime_ns)
		return;
	gateway->keys_mtime_ns = mtime;
	enum cs_err err = host_api_keys_load(&fresh, gateway->config.service.keys_file,
					     gateway_scope_names, &why);
	if (err != CS_OK) {
		log_error("keys.refused", LOG_ERR(err), LOG_TEXT("why", why.text));
		return;
	}
	gateway->keys = fresh;
	log_info("keys.loaded", LOG_U64("count", fresh.count));
}

static enum cs_err write_tidy(void *context)
{
	struct gateway *gateway = context;
	CS_TRY(gateway_journal_events_prune(gateway->journal, gateway->config.events_kept));
	CS_TRY(gateway_webhooks_tidy(gateway));
	return gateway_journal_forget(gateway->journal, host_wall_ms() - IDEMPOTENCY_KEPT_MS);
}

static void tick(void *context)
{
	struct gateway *gateway = context;
	uint64_t now = host_now_ms();
	if (now - gateway->keys_checked_ms >= KEYS_CHECK_MS) {
		gateway->keys_checked_ms = now;
		check_keys(gateway);
	}
	if (now - gateway->tidied_ms >= TIDY_MS) {
		gateway->tidied_ms = now;
		if (gateway_write(gateway, write_tidy, gateway) != CS_OK)
			log_warn("journal.tidy_failed");
	}
	gateway_attested_tick(gateway);
	gateway_drain_tick(gateway);
	gateway_hurry_tick(gateway);
	for (size_t i = 0; i < gateway->chain_count; i++) {
		gateway_accounts_look(&gateway->chains[i]);
		gateway_unrouted_take(&gateway->chains[i]);
	}
	gateway_wake(gateway);
}

static void export_tick(void *context)
{
	struct gateway *gateway = context;
	if (ledger_clock_seals(gateway->clock))
		gateway_enclave_export(gateway, NULL, NULL);
}

/* ---- starting ---- */

enum cs_err gateway_operator_load(struct gateway *gateway, const struct host_chain_config *config,
				  struct cs_secret **key, struct cs_address *address,
				  struct cs_why *why)
{
	if (!config->operator_key_file)
		return CS_OK;
	struct cs_secret *loaded = host_alloc(sizeof(*loaded));
	enum cs_err err = host_keyfile_load(loaded, config->operator_key_file, why);
	if (err == CS_OK && cs_key_address(gateway->sig, address, loaded) != CS_OK)
		err = cs_fail(why, CS_ERR_INVALID, "%s is not a private key",
			      config->operator_key_file);
	if (err == CS_OK)
		*key = loaded;
	else
		gateway_operator_free(loaded);
	return err;
}

void gateway_operator_free(struct cs_secret *key)
{
	if (key)
		cs_wipe(key, sizeof(*key));
	free(key);
}

void gateway_chain_prepare(struct gateway *gateway, size_t index)
{
	struct gateway_chain *chain = &gateway->chains[index];
	chain->gateway = gateway;
	chain->own = &gateway->config.chains[index];
	chain->config = &chain->own->common;
	chain->manifest = chain->config->manifest;
	chain->identity = chain->manifest->identity;
	cs_hex(chain->identity_hex, CS_BYTES_OF(chain->identity.b));
	gateway_follow_init(chain);
}

static enum cs_err prepare_chain(struct gateway *gateway, size_t index, struct cs_why *why)
{
	struct gateway_chain *chain = &gateway->chains[index];
	gateway_chain_prepare(gateway, index);
	struct gateway_account *account = &chain->accounts[GATEWAY_ACCOUNT_OPERATOR];
	CS_TRY(gateway_operator_load(gateway, chain->config, &chain->operator_key,
				     &account->address, why));
	account->is_there = chain->operator_key != NULL;
	return CS_OK;
}

enum cs_err gateway_routes_prepare(struct gateway_chain *chain, struct cs_why *why)
{
	struct gateway *gateway = chain->gateway;
	for (size_t k = 0; k < chain->manifest->remote_count; k++) {
		const struct host_manifest_chain *remote = host_manifest_chain(
			&gateway->config.manifest, &chain->manifest->remotes[k]);
		if (!remote || gateway_route_of(chain, &remote->identity))
			continue;
		struct gateway_route *route = &chain->routes[chain->route_count++];
		route->chain = chain;
		route->remote = remote->identity;
		route->remote_manifest = remote;
		gateway_route_peers(route);
		if (route->peer_count == 0)
			return cs_fail(why, CS_ERR_INVALID, "no gateway serves %s", remote->caip2);
		if (gateway_rotation_load(route) != CS_OK)
			return cs_fail(why, CS_ERR_INVALID,
				       "the journal's rotation to %s cannot be read",
				       remote->caip2);
		gateway_ledger_add(route);
		chain->unrouted_after_ms = 0;
	}
	return CS_OK;
}

static enum cs_err start_server(struct gateway *gateway, struct cs_why *why)
{
	struct host_http_server_options options = {.address = gateway->config.service.address,
						   .port = gateway->config.service.port,
						   .body_size_max = 6u * 1024 * 1024,
						   .etags = true,
						   .cors_origins = gateway->config.cors_origins,
						   .cors_origin_count =
							   gateway->config.cors_origin_count,
						   .rate = gateway->config.rate,
						   .keys = &gateway->keys,
						   .scope_names = gateway_scope_names};
	CS_TRY(host_http_server_new(&gateway->server, gateway->loop, &options, why));
	gateway_api_routes(gateway);
	return gateway_events_start(gateway, why);
}

static enum cs_err start_parts(struct gateway *gateway, struct cs_why *why)
{
	struct gateway_config *config = &gateway->config;
	struct cs_secret seed;
	if (getrandom(seed.b, sizeof(seed.b), 0) != (ssize_t)sizeof(seed.b))
		return cs_fail(why, CS_ERR_IO, "no randomness");
	gateway->sig = cs_sig_new(&seed);
	cs_wipe(&seed, sizeof(seed));
	if (!gateway->sig)
		return cs_fail(why, CS_ERR_NO_MEMORY, "no memory");
	CS_TRY(gateway_journal_open(&gateway->journal, gateway->loop, config->service.journal,
				    why));
	CS_TRY(gateway_pauses_load(gateway, why));
	gateway->http = host_http_client_new(gateway->loop, &(struct host_http_client_options){0});
	for (size_t i = 0; i < config->peer_count; i++)
		CS_TRY(gateway_peer_load(&gateway->peers[gateway->peer_count++], gateway,
					 &config->peers[i], why));
	for (size_t i = 0; i < gateway->peer_count; i++) {
		struct gateway_peer *peer = &gateway->peers[i];
		gateway_attested_configure(peer);
		peer->attested_told = peer->attested.state;
	}
	struct gateway_peer *self = &gateway->peers[gateway->peer_count++];
	self->gateway = gateway;
	self->name = "";
	gateway->chain_count = config->chain_count;
	for (size_t i = 0; i < gateway->chain_count; i++)
		CS_TRY(prepare_chain(gateway, i, why));
	for (size_t i = 0; i < gateway->chain_count; i++)
		CS_TRY(gateway_routes_prepare(&gateway->chains[i], why));
	gateway->metrics = host_metrics_new();
	gateway_metrics_start(gateway);
	check_keys(gateway);
	CS_TRY(gateway_webhooks_start(gateway, why));
	CS_TRY(start_server(gateway, why));
	CS_TRY(gateway_ledger_start(gateway, why));
	CS_TRY(gateway_clock_start(gateway, why));
	for (size_t i = 0; i < gateway->chain_count; i++)
		CS_TRY(gateway_chain_start(&gateway->chains[i], why));
	CS_TRY(gateway_rollover_start(gateway, why));
	CS_TRY(gateway_enclave_start(gateway));
	return config->service.attested.address
		       ? host_attested_new(&gateway->attested, gateway->loop,
					   &config->service.attested, gateway->enclave, why)
		       : CS_OK;
}

enum cs_err gateway_start(struct gateway *gateway, struct host_loop *loop, const char *config_path,
			  int supervisor_fd)
{
	struct cs_why why = {{0}};
	memset(gateway, 0, sizeof(*gateway));
	gateway->loop = loop;
	gateway->supervisor_fd = supervisor_fd;
	gateway->started_ms = host_now_ms();
	cs_arena_init(&gateway->scratch, host_alloc(GATEWAY_ARENA_SIZE), GATEWAY_ARENA_SIZE);
	enum cs_err err = gateway_config_load(&gateway->config, config_path, true);
	if (err != CS_OK) {
		for (uint32_t i = 0; i < host_config_error_count(gateway->config.file); i++)
			log_error("config.refused",
				  LOG_TEXT("why", host_config_error(gateway->config.file, i)));
		return err;
	}
	host_log_open(&(struct host_log_options){.level = gateway->config.service.log_level,
						 .json = gateway->config.service.log_json,
						 .fd = 2});
	err = start_parts(gateway, &why);
	if (err != CS_OK) {
		log_error("gateway.not_started", LOG_ERR(err), LOG_TEXT("why", why.text));
		return err;
	}
	gateway->timer = host_timer_new(loop, tick, gateway);
	host_timer_start(gateway->timer, TICK_MS, TICK_MS);
	gateway->export_timer = host_timer_new(loop, export_tick, gateway);
	host_timer_start(gateway->export_timer, gateway->config.export_ms,
			 gateway->config.export_ms);
	log_info("gateway.started", LOG_TEXT("name", gateway->config.name),
		 LOG_U64("port", host_http_server_port(gateway->server)),
		 LOG_U64("events_port", host_ws_server_port(gateway->events)),
		 LOG_TEXT("instance", gateway_journal_instance(gateway->journal)),
		 LOG_HASH("manifest", &gateway->config.manifest.hash),
		 LOG_U64("manifest_number", gateway->config.manifest.number));
	return CS_OK;
}

void gateway_stop(struct gateway *gateway)
{
	gateway->stopping = true;
	host_timer_free(gateway->timer);
	host_timer_free(gateway->export_timer);
	gateway_ledger_stop(gateway);
	gateway_rollover_stop(gateway);
	gateway_enclave_stop(gateway);
	gateway_clock_stop(gateway);
	for (size_t i = 0; i < gateway->chain_count; i++) {
		struct gateway_chain *chain = &gateway->chains[i];
		if (chain->adapter)
			adapter_free(chain->adapter);
		adapter_sender_done(&chain->sender);
		gateway_operator_free(chain->operator_key);
	}
	gateway_attested_stop(gateway);
	gateway_events_stop(gateway);
	gateway_webhooks_stop(gateway);
	host_http_server_free(gateway->server);
	host_http_client_free(gateway->http);
	gateway_answers_free(gateway);
	gateway_journal_close(gateway->journal);
	host_metrics_free(gateway->metrics);
	cs_sig_free(gateway->sig);
	gateway_config_free(&gateway->config);
	gateway_reload_done(gateway);
	free(gateway->scratch.block);
	free(gateway->reference);
	for (size_t i = 0; i < gateway->peer_count; i++)
		cs_wipe(gateway->peers[i].authorization, sizeof(gateway->peers[i].authorization));
}
