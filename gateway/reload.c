/* The configuration file, read again while the process runs (SIGHUP, POST /v1/operator/reload). It is
 * read and checked whole, compared with what is in force, and taken whole or not at all: a file with an
 * error, and one that changes what only a start can change, leaves everything as it is and says why by
 * path. What is made of it (adapters, keys of peers) is made before anything is exchanged.
 *   Whose nodes or terms of sending changed gets a new adapter, which begins at the journal's cursor and
 * takes up the open transactions from the journal, as after a start: docs/adr/0056. Another manifest, and
 * a chain that comes with it, wait for an enclave that runs under them: rollover.c, docs/adr/0065. */
#include "gateway/reload.h"

#include "gateway/succession.h"
#include "host/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Texts of a file that was in force are pointed to from everywhere: it is kept until the end. */
#define RELOADS_MAX 256u

/* What may change under a running process; every other key needs a start. */
static const char *const reloadable[] = {
	"log.level",
	"log.json",
	"api.keys_file",
	"api.rate_per_s",
	"api.burst",
	"journal.events_kept",
	"journal.proofs_after_s",
	"journal.proofs_mb",
	"enclave.manifests",
	"relay.batch_max",
	"relay.batch_gas_max",
	"relay.retry_min_ms",
	"relay.retry_max_ms",
	"relay.pull_ms",
	"relay.export_ms",
	"relay.drain_ms",
	"chains[].bridge",
	"chains[].token",
	"peers[].name",
	"peers[].url",
	"peers[].api_key_file",
	"peers[].chains",
	"peers[].attested",
	"peers[].attested_policy",
	"peers[].attested_collateral",
	"peers[].attested_roots",
	"peers[].attested_lineage",
	"peers[].attested_every_s",
	"routes[].from",
	"routes[].to",
	"routes[].expire",
	"chains[].gas_accounts",
};
/* The same; the chain's adapter is made anew. */
static const char *const of_adapter[] = {
	"chains[].rpc",
	"chains[].ws",
	"chains[].block_time_ms",
	"chains[].blocks_on_demand",
	"chains[].hedge_percent",
	"chains[].hedge_delay_min_ms",
	"chains[].hedge_delay_max_ms",
	"chains[].settle_blocks",
	"chains[].reorg_blocks_max",
	"chains[].replace_blocks",
	"chains[].in_flight_max",
	"chains[].max_fee_gwei",
	"chains[].min_priority_fee_gwei",
};

struct gateway_retired {
	struct gateway_config config;
	struct gateway_retired *next;
};

void gateway_reload_free(struct gateway_reload *reload)
{
	for (size_t i = 0; i < CS_LEN(reload->adapters); i++)
		if (reload->adapters[i])
			adapter_free(reload->adapters[i]);
	for (size_t i = 0; i < CS_LEN(reload->operator_keys); i++)
		gateway_operator_free(reload->operator_keys[i]);
	for (size_t i = 0; i < reload->change_count; i++)
		free(reload->changes[i]);
	if (reload->fresh)
		gateway_config_free(reload->fresh);
	free(reload->fresh);
	cs_wipe(reload->peers, sizeof(reload->peers));
	free(reload);
}

CS_PRINTF(2, 3) static void refuse(struct gateway_reload *reload, const char *format, ...)
{
	size_t n = strlen(reload->refused);
	va_list args;
	if (n > 0 && n + 2 < sizeof(reload->refused)) {
		memcpy(reload->refused + n, "; ", 3);
		n += 2;
	}
	va_start(args, format);
	(void)vsnprintf(reload->refused + n, sizeof(reload->refused) - n, format, args);
	va_end(args);
}

/* ---- what changed ---- */

static bool is_one_of(const char *const *patterns, size_t count, const char *path)
{
	for (size_t i = 0; i < count; i++)
		if (host_config_is_place(patterns[i], path))
			return true;
	return false;
}

/* Of a chain that comes everything is new; one that is served keeps its place. */
static void note_chain_change(struct gateway_reload *reload, const char *path)
{
	unsigned chain = 0;
	if (sscanf(path, "chains[%u]", &chain) != 1 || chain >= GATEWAY_CHAINS_MAX)
		refuse(reload, "%s: more chains than one process serves", path);
	else if (chain >= reload->gateway->chain_count)
		return;
	else if (is_one_of(of_adapter, CS_LEN(of_adapter), path))
		reload->remake[chain] = true;
	else if (host_config_is_place("chains[].id", path))
		refuse(reload,
		       "%s: a chain goes, or takes another place, with a start alone; one that "
		       "comes stands behind the others",
		       path);
	else if (!is_one_of(reloadable, CS_LEN(reloadable), path))
		refuse(reload, "%s: changes with a start alone", path);
}

static void note_change(void *context, const char *path)
{
	struct gateway_reload *reload = context;
	if (reload->change_count < GATEWAY_RELOAD_CHANGES_MAX)
		reload->changes[reload->change_count++] = host_text(path);
	if (strncmp(path, "chains[", 7) == 0)
		note_chain_change(reload, path);
	else if (!is_one_of(reloadable, CS_LEN(reloadable), path))
		refuse(reload, "%s: changes with a start alone", path);
}

/* Whatever the paths say: bytes may change under the name of a file. */
static void compare_manifests(struct gateway_reload *reload)
{
	const struct gateway_config *now = &reload->gateway->config;
	const struct gateway_config *fresh = reload->fresh;
	struct cs_why why = {{0}};
	if (gateway_lineage_check(now, fresh, &why) != CS_OK ||
	    gateway_time_goes_on(&now->manifest, &fresh->manifest, &why) != CS_OK) {
		refuse(reload, "enclave.manifests: %.200s", why.text);
		return;
	}
	for (size_t i = 0; i < now->chain_count; i++)
		if (gateway_chain_goes_on(&now->manifest, &fresh->manifest,
					  now->chains[i].common.manifest, &why) != CS_OK)
			refuse(reload, "enclave.manifests: %.200s, which takes a start", why.text);
}

static void compare(struct gateway_reload *reload)
{
	const struct gateway_config *now = &reload->gateway->config;
	host_config_compare(now->file, reload->fresh->file, note_change, reload);
	compare_manifests(reload);
	if (reload->fresh->asks_providers && !now->asks_providers)
		refuse(reload, "chains: the first one of rpc_quorum comes with a start: its "
			       "enclave needs a proxy");
}

/* ---- what is needed for it, before anything changes ---- */

static void load_peers(struct gateway_reload *reload)
{
	struct gateway *gateway = reload->gateway;
	const struct gateway_config *fresh = reload->fresh;
	for (size_t i = 0; i < fresh->peer_count; i++) {
		struct cs_why why = {{0}};
		if (gateway_peer_load(&reload->peers[i], gateway, &fresh->peers[i], &why) != CS_OK)
			refuse(reload, "peers[%zu]: %.200s", i, why.text);
	}
	if (reload->refused[0] == 0 &&
	    !gateway_peers_fit(gateway, reload->peers, fresh->peer_count))
		refuse(reload, "peers: so many new ones have room after a start alone");
}

static void make_adapter(struct gateway_reload *reload, size_t i)
{
	struct gateway *gateway = reload->gateway;
	struct gateway_chain *chain = &gateway->chains[i];
	const struct host_chain_config *config = &reload->fresh->chains[i].common;
	const struct adapter_contracts contracts = {.gateway = config->manifest->gateway};
	struct cs_why why = {{0}};
	chain->listen.manifest = config->manifest; /* read while it is made alone */
	enum cs_err err = adapter_listen_make(&chain->listen, config, gateway->loop, &contracts,
					      &reload->adapters[i], &why);
	chain->listen.manifest = chain->manifest;
	if (err != CS_OK)
		refuse(reload, "chains[%zu]: %.200s", i, why.text);
}

static void make_adapters(struct gateway_reload *reload)
{
	struct gateway *gateway = reload->gateway;
	for (size_t i = 0; i < reload->fresh->chain_count && reload->refused[0] == 0; i++)
		if (reload->remake[i] || i >= gateway->chain_count)
			make_adapter(reload, i);
}

static void load_operators(struct gateway_reload *reload)
{
	struct gateway *gateway = reload->gateway;
	for (size_t i = gateway->chain_count; i < reload->fresh->chain_count; i++) {
		struct cs_why why = {{0}};
		if (gateway_operator_load(gateway, &reload->fresh->chains[i].common,
					  &reload->operator_keys[i], &reload->operators[i],
					  &why) != CS_OK)
			refuse(reload, "chains[%zu].operator_key_file: %.200s", i, why.text);
	}
}

static void prepare(struct gateway_reload *reload)
{
	struct gateway *gateway = reload->gateway;
	if (gateway_config_load(reload->fresh, gateway->config.path, true) != CS_OK) {
		for (uint32_t i = 0; i < host_config_error_count(reload->fresh->file); i++)
			refuse(reload, "%s", host_config_error(reload->fresh->file, i));
		return;
	}
	compare(reload);
	if (reload->refused[0] == 0 &&
	    (reload->change_count > 0 || gateway_rollover_is_needed(reload)) &&
	    gateway->reload_count == RELOADS_MAX)
		refuse(reload, "so many reloads are enough for one process: start it again");
	if (reload->refused[0] == 0)
		load_peers(reload);
	if (reload->refused[0] == 0)
		load_operators(reload);
	if (reload->refused[0] == 0)
		make_adapters(reload);
}

/* ---- taking it ---- */

static void retire(struct gateway *gateway, const struct gateway_config *fresh)
{
	struct gateway_retired *retired = host_alloc(sizeof(*retired));
	retired->config = gateway->config;
	retired->next = gateway->retired;
	gateway->retired = retired;
	gateway->reload_count++;
	gateway->config = *fresh;
	struct gateway_config *config = &gateway->config;
	for (size_t i = 0; i < config->chain_count; i++)
		config->chains[i].common.manifest =
			host_manifest_named(&config->manifest, config->chains[i].common.id);
}

void gateway_reload_done(struct gateway *gateway)
{
	while (gateway->retired) {
		struct gateway_retired *next = gateway->retired->next;
		gateway_config_free(&gateway->retired->config);
		free(gateway->retired);
		gateway->retired = next;
	}
}

/* The transactions that were under way are taken up from the journal; their signatures that are on
 * their way come to nobody. */
static void exchange_adapter(struct gateway_chain *chain, struct adapter *adapter)
{
	enum cs_err err = adapter_listen_exchange(&chain->listen, &chain->adapter, adapter);
	adapter_sender_move(&chain->sender, adapter);
	chain->submitted_pause_ms = 0;
	if (err != CS_OK)
		gateway_fail(chain->gateway, err, "a new adapter");
	log_info("chain.adapter_exchanged", LOG_TEXT("chain", chain->config->id));
}

/* The manifest lies where the one before lay, and may list in another order. */
static void rebind(struct gateway_chain *chain)
{
	const struct host_manifest *manifest = &chain->gateway->config.manifest;
	chain->manifest = chain->config->manifest;
	chain->listen.manifest = chain->manifest;
	chain->providers.manifest = chain->manifest;
	for (size_t k = 0; k < chain->route_count; k++) {
		struct gateway_route *route = &chain->routes[k];
		route->absence_height = 0;
		route->remote_manifest = host_manifest_chain(manifest, &route->remote);
		cs_assert(route->remote_manifest != NULL); /* gateway_chain_goes_on */
	}
}

static void place_chains(struct gateway_reload *reload)
{
	struct gateway *gateway = reload->gateway;
	for (size_t i = 0; i < gateway->config.chain_count; i++) {
		struct gateway_chain *chain = &gateway->chains[i];
		if (i < gateway->chain_count) {
			rebind(chain);
			continue;
		}
		gateway_chain_prepare(gateway, i);
		chain->operator_key = reload->operator_keys[i];
		chain->accounts[GATEWAY_ACCOUNT_OPERATOR].address = reload->operators[i];
		chain->accounts[GATEWAY_ACCOUNT_OPERATOR].is_there = chain->operator_key != NULL;
		reload->operator_keys[i] = NULL;
	}
	gateway->chain_count = gateway->config.chain_count;
}

static void start_chain(struct gateway_chain *chain, struct adapter *adapter)
{
	struct cs_why why = {{0}};
	chain->adapter = adapter;
	enum cs_err err = gateway_chain_start(chain, &why);
	if (err != CS_OK)
		gateway_fail(chain->gateway, err, "a chain that came");
	log_info("chain.came", LOG_TEXT("chain", chain->config->id));
}

/* What was there goes on as it is; only journal errors are left, and end the process. */
static void exchange(struct gateway_reload *reload)
{
	struct gateway *gateway = reload->gateway;
	const size_t before = gateway->chain_count;
	struct cs_why why = {{0}};
	place_chains(reload);
	gateway_peers_replace(gateway, reload->peers, gateway->config.peer_count);
	for (size_t i = 0; i < gateway->chain_count; i++) {
		struct gateway_chain *chain = &gateway->chains[i];
		enum cs_err err = gateway_routes_prepare(chain, &why);
		if (err != CS_OK)
			gateway_fail(gateway, err, why.text);
		if (i >= before)
			start_chain(chain, reload->adapters[i]);
		else if (reload->adapters[i])
			exchange_adapter(chain, reload->adapters[i]);
		reload->adapters[i] = NULL;
	}
}

static void take(struct gateway_reload *reload)
{
	struct gateway *gateway = reload->gateway;
	retire(gateway, reload->fresh);
	free(reload->fresh);
	reload->fresh = NULL;
	host_log_open(&(struct host_log_options){.level = gateway->config.service.log_level,
						 .json = gateway->config.service.log_json,
						 .fd = 2});
	gateway->keys_mtime_ns = 0;
	host_http_server_set_rate(gateway->server, gateway->config.rate);
	host_timer_start(gateway->export_timer, gateway->config.export_ms,
			 gateway->config.export_ms);
	exchange(reload);
	gateway_wake(gateway);
}

/* ---- the answer ---- */

static void changes_text(const struct gateway_reload *reload, char *text, size_t size)
{
	size_t n = 0;
	text[0] = 0;
	for (size_t i = 0; i < reload->change_count && n < size; i++)
		n += (size_t)snprintf(text + n, size - n, "%s%s", i > 0 ? ", " : "",
				      reload->changes[i]);
}

static void reply(struct gateway_reload *reload, int status)
{
	json_t *json = json_object();
	json_t *changed = json_array();
	for (size_t i = 0; i < reload->change_count; i++)
		json_array_append_new(changed, json_string(reload->changes[i]));
	json_object_set_new(json, "changed", changed);
	if (status == 202)
		json_object_set_new(json, "waiting", json_string(reload->why));
	if (reload->exchange)
		host_http_reply_json(reload->exchange, status, json);
	else
		json_decref(json);
	reload->exchange = NULL;
}

void gateway_reload_reply_waits(struct gateway_reload *reload)
{
	reply(reload, 202);
	reload->is_answered = true;
}

void gateway_reload_next(struct gateway *gateway)
{
	bool again = gateway->reload_again;
	gateway->reloading = false;
	gateway->reload_again = false;
	if (again)
		gateway_reload_signal(gateway);
}

static void finish(struct gateway_reload *reload)
{
	struct gateway *gateway = reload->gateway;
	const bool next = !reload->is_answered;
	gateway_reload_free(reload);
	if (next)
		gateway_reload_next(gateway);
}

static void refused(struct gateway_reload *reload)
{
	log_error("reload.refused", LOG_TEXT("who", reload->who), LOG_TEXT("why", reload->refused));
	if (reload->exchange)
		host_http_reply_problem(reload->exchange, CS_ERR_CONFLICT, reload->refused);
	finish(reload);
}

void gateway_reload_refuse(struct gateway_reload *reload, const char *format, ...)
{
	char text[GATEWAY_WHY_MAX + 1];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	refuse(reload, "%s", text);
	refused(reload);
}

static enum cs_err write_told(void *context)
{
	const struct gateway_reload *reload = context;
	char text[GATEWAY_WHY_MAX];
	changes_text(reload, text, sizeof(text));
	return gateway_operator_told(reload->gateway, "operator.reload", reload->who, "%s", text);
}

static void take_and_answer(struct gateway_reload *reload)
{
	take(reload);
	reply(reload, 200);
	finish(reload);
}

/* The enclave's state is stored under it: what the journal cannot take now ends the process, and the
 * next start reads the same file. */
void gateway_reload_take(struct gateway_reload *reload)
{
	enum cs_err err = gateway_write(reload->gateway, write_told, reload);
	if (err != CS_OK)
		gateway_fail(reload->gateway, err, "a configuration that is taken");
	take_and_answer(reload);
}

/* In a turn of its own: adapters are not freed inside what they call. */
static void told(void *context, enum cs_err err)
{
	struct gateway_reload *reload = context;
	if (err != CS_OK) {
		refuse(reload, "the journal cannot be written");
		refused(reload);
		return;
	}
	take_and_answer(reload);
}

static void take_keys_of_peers(struct gateway_reload *reload)
{
	struct gateway *gateway = reload->gateway;
	for (size_t i = 0; i < reload->fresh->peer_count; i++) {
		struct gateway_peer *peer = gateway_peer_named(gateway, reload->peers[i].name);
		memcpy(peer->authorization, reload->peers[i].authorization,
		       sizeof(peer->authorization));
		gateway_attested_configure(peer);
	}
}

static void run(void *context)
{
	struct gateway_reload *reload = context;
	struct gateway *gateway = reload->gateway;
	prepare(reload);
	if (gateway->stopping)
		refuse(reload, "the process ends");
	if (reload->refused[0] == 0 && !gateway_rollover_give_up(gateway))
		refuse(reload, "the enclave's state is stored under the file before this one, "
			       "which is about to be taken");
	if (reload->refused[0]) {
		refused(reload);
		return;
	}
	if (gateway_rollover_is_needed(reload)) {
		gateway_rollover_begin(reload);
		return;
	}
	/* The same file: keys of peers may be other ones, and are taken; so may policies. */
	if (reload->change_count == 0) {
		take_keys_of_peers(reload);
		log_info("reload.unchanged", LOG_TEXT("who", reload->who));
		reply(reload, 200);
		finish(reload);
		return;
	}
	if (gateway_write_then(gateway, write_told, reload, told, reload) != CS_OK) {
		refuse(reload, "the journal cannot be written");
		refused(reload);
	}
}

static void begin(struct gateway *gateway, struct host_http_exchange *exchange, const char *who)
{
	struct gateway_reload *reload = host_alloc(sizeof(*reload));
	reload->gateway = gateway;
	reload->exchange = exchange;
	reload->fresh = host_alloc(sizeof(*reload->fresh));
	(void)snprintf(reload->who, sizeof(reload->who), "%s", who);
	gateway->reloading = true;
	host_post(gateway->loop, run, reload);
}

void gateway_reload_signal(void *context)
{
	struct gateway *gateway = context;
	if (gateway->reloading)
		gateway->reload_again = true;
	else
		begin(gateway, NULL, "SIGHUP");
}

static void post_reload(void *context, struct host_http_exchange *exchange)
{
	struct gateway *gateway = context;
	if (!gateway_body_is_empty(exchange))
		return;
	if (gateway->reloading)
		host_http_reply_problem(exchange, CS_ERR_FULL, "another reload is under way");
	else
		begin(gateway, exchange, gateway_operator_of(exchange));
}

void gateway_api_reload_routes(struct gateway *gateway)
{
	host_http_server_route(gateway->server, "POST", "/v1/operator/reload?",
			       GATEWAY_SCOPE_OPERATE, post_reload, gateway);
}
