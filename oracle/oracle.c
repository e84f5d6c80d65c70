#include "host/alloc.h"
#include "host/keyfile.h"
#include "oracle/ledger.h"
#include "oracle/rotation.h"
#include "relay_state/client/clock.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

/* How often due times, the keys file and whoever waits are looked at without an event. */
#define TICK_MS 100u
#define KEYS_CHECK_MS 1000u
#define TIDY_MS (3600u * 1000u)
#define DAY_MS (24u * 3600u * 1000u)
/* Blocks below the newest final one whose requests may be forgotten: neither the reconciler nor a
 * manifest's decision reads so far back. */
#define FORGOTTEN_BLOCKS 10000u
#define BODY_SIZE_MAX (256u * 1024)

/* ---- the pump ---- */

static void pump_chain(struct oracle_chain *chain)
{
	oracle_requests_cancel_late(chain);
	if (!chain->oracle->enclave_ready)
		return;
	adapter_providers_ask(&chain->providers);
	adapter_follow_feed(&chain->follow);
	if (!ledger_clock_signs(chain->oracle->clock))
		return;
	oracle_submit_resume(chain);
	bool agrees = adapter_follow_agrees(&chain->follow);
	if (!chain->follow.created || chain->follow.frozen || chain->follow.diverged)
		return;
	oracle_requests_pump(chain, agrees);
	oracle_rotation_pump(chain);
}

static void pump(void *context)
{
	struct oracle *oracle = context;
	oracle->awake = false;
	if (oracle->stopping || oracle->failed)
		return;
	/* Whoever reads the journal below acts on it: so it must be on disk. */
	enum cs_err err = host_store_flush(oracle_journal_store(oracle->journal));
	if (err != CS_OK) {
		oracle_fail(oracle, err, "flush");
		return;
	}
	oracle_apps_pump(oracle);
	for (size_t i = 0; i < oracle->chain_count; i++)
		pump_chain(&oracle->chains[i]);
	if (oracle->enclave_ready && ledger_clock_signs(oracle->clock))
		oracle_feeds_pump(oracle);
}

void oracle_wake(struct oracle *oracle)
{
	if (oracle->awake || oracle->stopping)
		return;
	oracle->awake = true;
	host_post(oracle->loop, pump, oracle);
}

/* ---- housekeeping ---- */

static void check_keys(struct oracle *oracle)
{
	struct stat st;
	struct cs_why why = {{0}};
	static struct host_api_keys fresh; /* 64 keys: too large for the stack of a callback */
	if (stat(oracle->config.service.keys_file, &st) != 0)
		return;
	int64_t mtime = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	if (mtime == oracle->keys_mtime_ns)
		return;
	oracle->keys_mtime_ns = mtime;
	enum cs_err err = host_api_keys_load(&fresh, oracle->config.service.keys_file,
					     oracle_scope_names, &why);
	if (err != CS_OK) {
		log_error("keys.refused", LOG_ERR(err), LOG_TEXT("why", why.text));
		return;
	}
	oracle->keys = fresh;
	log_info("keys.loaded", LOG_U64("count", fresh.count));
}

/* One portion of the step that is due: of a chain's requests, then of the rest. */
static enum cs_err write_tidy(void *context)
{
	struct oracle *oracle = context;
	uint64_t now_ms = host_wall_ms();
	uint64_t before_ms = now_ms - (uint64_t)oracle->config.kept_days * DAY_MS;
	bool more = false;
	if (oracle->tidy_step < oracle->chain_count) {
		const struct oracle_chain *chain = &oracle->chains[oracle->tidy_step];
		if (chain->follow.final_height > FORGOTTEN_BLOCKS)
			CS_TRY(oracle_journal_prune_chain(
				oracle->journal, &chain->identity, before_ms,
				chain->follow.final_height - FORGOTTEN_BLOCKS, &more));
	} else {
		enum oracle_prune what =
			(enum oracle_prune)(oracle->tidy_step - oracle->chain_count);
		CS_TRY(oracle_journal_prune(
			oracle->journal, what,
			what == ORACLE_PRUNE_SPECS ? now_ms - DAY_MS : before_ms, &more));
	}
	oracle->tidy_step += more ? 0 : 1;
	return CS_OK;
}

static void tidy(struct oracle *oracle)
{
	if (oracle->tidy_step >= oracle->chain_count + ORACLE_PRUNE_COUNT)
		return;
	if (oracle_write(oracle, write_tidy, oracle) != CS_OK) {
		log_warn("journal.tidy_failed");
		oracle->tidy_step = oracle->chain_count + ORACLE_PRUNE_COUNT; /* in an hour again */
	}
}

static void tick(void *context)
{
	struct oracle *oracle = context;
	uint64_t now = host_now_ms();
	if (now - oracle->keys_checked_ms >= KEYS_CHECK_MS) {
		oracle->keys_checked_ms = now;
		check_keys(oracle);
	}
	if (now - oracle->tidied_ms >= TIDY_MS) {
		oracle->tidied_ms = now;
		oracle->tidy_step = 0;
	}
	tidy(oracle);
	oracle_wake(oracle);
}

/* ---- starting ---- */

static void prepare_contracts(struct oracle *oracle, struct oracle_chain *chain)
{
	const struct oracle_manifest *manifest = &oracle->config.manifest;
	for (size_t i = 0; i < manifest->contract_count; i++) {
		const struct oracle_manifest_contract *named = &manifest->contracts[i];
		if (named->chain != chain->manifest)
			continue;
		chain->contracts[chain->contract_count++] =
			(struct oracle_contract){.chain = chain,
						 .manifest = named,
						 .identity = named->identity,
						 .address = named->address,
						 .feeds = named->feeds};
	}
}

static enum cs_err prepare_chain(struct oracle *oracle, size_t index, struct cs_why *why)
{
	struct oracle_chain *chain = &oracle->chains[index];
	chain->oracle = oracle;
	chain->own = &oracle->config.chains[index];
	chain->config = &chain->own->common;
	chain->manifest = chain->config->manifest;
	chain->identity = chain->manifest->identity;
	cs_hex(chain->identity_hex, CS_BYTES_OF(chain->identity.b));
	oracle_follow_init(chain);
	prepare_contracts(oracle, chain);
	if (!chain->config->operator_key_file)
		return CS_OK;
	chain->operator_key = host_alloc(sizeof(*chain->operator_key));
	CS_TRY(host_keyfile_load(chain->operator_key, chain->config->operator_key_file, why));
	if (cs_key_address(oracle->sig, &chain->operator, chain->operator_key) != CS_OK)
		return cs_fail(why, CS_ERR_INVALID, "%s is not a private key",
			       chain->config->operator_key_file);
	chain->has_operator = true;
	return CS_OK;
}

static void warn_of_others(const struct oracle *oracle)
{
	const struct oracle_manifest *manifest = &oracle->config.manifest;
	for (size_t i = 0; i < manifest->contract_count; i++) {
		const struct host_manifest_chain *chain = manifest->contracts[i].chain;
		bool served = false;
		for (size_t k = 0; k < oracle->chain_count; k++)
			served = served || oracle->chains[k].manifest == chain;
		if (!served)
			log_warn("contract.not_served", LOG_TEXT("chain", chain->caip2),
				 LOG_TEXT("why", "the configuration does not name its chain"));
	}
}

static enum cs_err start_server(struct oracle *oracle, struct cs_why *why)
{
	struct host_http_server_options options = {.address = oracle->config.service.address,
						   .port = oracle->config.service.port,
						   .body_size_max = BODY_SIZE_MAX,
						   .keys = &oracle->keys,
						   .scope_names = oracle_scope_names};
	CS_TRY(host_http_server_new(&oracle->server, oracle->loop, &options, why));
	oracle_api_routes(oracle);
	oracle_api_request_routes(oracle);
	oracle_api_feeds_routes(oracle);
	oracle_api_rotation_routes(oracle);
	return CS_OK;
}

static enum cs_err start_parts(struct oracle *oracle, struct cs_why *why)
{
	struct oracle_config *config = &oracle->config;
	struct cs_secret seed;
	if (getrandom(seed.b, sizeof(seed.b), 0) != (ssize_t)sizeof(seed.b))
		return cs_fail(why, CS_ERR_IO, "no randomness");
	oracle->sig = cs_sig_new(&seed);
	cs_wipe(&seed, sizeof(seed));
	if (!oracle->sig)
		return cs_fail(why, CS_ERR_NO_MEMORY, "no memory");
	CS_TRY(oracle_journal_open(&oracle->journal, oracle->loop, config->service.journal, why));
	oracle->chain_count = config->chain_count;
	for (size_t i = 0; i < oracle->chain_count; i++)
		CS_TRY(prepare_chain(oracle, i, why));
	warn_of_others(oracle);
	if (oracle_rotation_load(oracle) != CS_OK)
		return cs_fail(why, CS_ERR_INVALID, "the journal's rotations cannot be read");
	if (oracle_apps_start(oracle) != CS_OK)
		return cs_fail(why, CS_ERR_IO, "the journal's open requests cannot be read");
	oracle->metrics = host_metrics_new();
	oracle_metrics_start(oracle);
	check_keys(oracle);
	CS_TRY(oracle_ledger_start(oracle, why));
	CS_TRY(oracle_clock_start(oracle, why));
	CS_TRY(start_server(oracle, why));
	for (size_t i = 0; i < oracle->chain_count; i++)
		CS_TRY(oracle_chain_start(&oracle->chains[i], why));
	CS_TRY(oracle_feeds_start(oracle, why));
	return oracle_enclave_start(oracle, why);
}

enum cs_err oracle_start(struct oracle *oracle, struct host_loop *loop, const char *config_path)
{
	struct cs_why why = {{0}};
	memset(oracle, 0, sizeof(*oracle));
	oracle->loop = loop;
	oracle->started_ms = host_now_ms();
	cs_arena_init(&oracle->scratch, host_alloc(ORACLE_ARENA_SIZE), ORACLE_ARENA_SIZE);
	enum cs_err err = oracle_config_load(&oracle->config, config_path, true);
	if (err != CS_OK) {
		for (uint32_t i = 0; i < host_config_error_count(oracle->config.file); i++)
			log_error("config.refused",
				  LOG_TEXT("why", host_config_error(oracle->config.file, i)));
		return err;
	}
	host_log_open(&(struct host_log_options){.level = oracle->config.service.log_level,
						 .json = oracle->config.service.log_json,
						 .fd = 2});
	err = start_parts(oracle, &why);
	if (err != CS_OK) {
		log_error("oracle.not_started", LOG_ERR(err), LOG_TEXT("why", why.text));
		return err;
	}
	oracle->timer = host_timer_new(loop, tick, oracle);
	host_timer_start(oracle->timer, TICK_MS, TICK_MS);
	log_info("oracle.started", LOG_TEXT("name", oracle->config.name),
		 LOG_U64("port", host_http_server_port(oracle->server)),
		 LOG_HASH("oracle", &oracle->config.manifest.identity),
		 LOG_HASH("manifest", &oracle->config.manifest.base.hash),
		 LOG_U64("manifest_number", oracle->config.manifest.base.number));
	return CS_OK;
}

void oracle_stop(struct oracle *oracle)
{
	oracle->stopping = true;
	host_timer_free(oracle->timer);
	oracle_ledger_stop(oracle);
	oracle_enclave_stop(oracle);
	oracle_clock_stop(oracle);
	for (size_t i = 0; i < oracle->chain_count; i++) {
		struct oracle_chain *chain = &oracle->chains[i];
		oracle_chain_stop(chain);
		if (chain->operator_key)
			cs_wipe(chain->operator_key, sizeof(*chain->operator_key));
		free(chain->operator_key);
	}
	oracle_feeds_stop(oracle);
	oracle_apps_stop(oracle);
	host_http_server_free(oracle->server);
	oracle_journal_close(oracle->journal);
	host_metrics_free(oracle->metrics);
	cs_sig_free(oracle->sig);
	oracle_config_free(&oracle->config);
	free(oracle->scratch.block);
}
