#include "oracle/config.h"

#include "host/alloc.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const oracle_scope_names[] = {"read", "ask", "operate", NULL};

static bool is_address(const char *text)
{
	uint8_t bytes[16];
	return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

/* "10.1.0.0/16": the proxy itself refuses what is left. */
static enum cs_err check_network(const char *text, struct cs_why *why)
{
	char address[64];
	const char *slash = strchr(text, '/');
	char *end = NULL;
	unsigned long bits = slash ? strtoul(slash + 1, &end, 10) : 129;
	if (!slash || (size_t)(slash - text) >= sizeof(address) || slash[1] == 0 || *end != 0 ||
	    bits > 128)
		return cs_fail(why, CS_ERR_MALFORMED, "is no network such as 10.1.0.0/16");
	snprintf(address, sizeof(address), "%.*s", (int)(slash - text), text);
	if (!is_address(address))
		return cs_fail(why, CS_ERR_MALFORMED, "is no network such as 10.1.0.0/16");
	return CS_OK;
}

static enum cs_err check_name(const char *text, struct cs_why *why)
{
	const char *equals = strchr(text, '=');
	if (!equals || equals == text || !is_address(equals + 1))
		return cs_fail(why, CS_ERR_MALFORMED, "is no name=address");
	return CS_OK;
}

#define TEXT HOST_CONFIG_TEXT
#define TEXTS HOST_CONFIG_TEXTS
#define NUMBER HOST_CONFIG_NUMBER
#define BOOL HOST_CONFIG_BOOL

static const struct host_config_key keys[] = {
	{"name", TEXT, 1, 32, NULL, NULL, "Name of this oracle, for people."},
#define SERVICE_LOG
#include "host/service_config.def"
	{"api.address", TEXT, 1, 45, "\"127.0.0.1\"", NULL,
	 "Numeric address of REST. TLS ends before it."},
	{"api.port", NUMBER, 0, 65535, "8090", NULL,
	 "Port of REST; 0 takes a free one and logs it."},
	{"api.keys_file", TEXT, 1, 4096, "\"api.keys\"", NULL,
	 "The hashes of the API keys with their scopes (read, ask, operate), read again when it "
	 "changes."},
	{"api.waiting_max", NUMBER, 1, 10000, "1024", NULL,
	 "Requests of apps that are open at a time, of one key a quarter of them; more are "
	 "refused."},
	{"api.rate_max", NUMBER, 1, 100000, "1000", NULL,
	 "New requests, dry runs and specs of one key per second."},
	{"api.specs_kib_max", NUMBER, 16, 16777216, "16384", NULL,
	 "KiB of the specs that one key published and that are kept; each counts for at least "
	 "one."},
	{"api.wait_ms", NUMBER, 0, 55000, "20000", NULL,
	 "So long POST /v1/oracle/requests waits for the answer before it replies with the id."},
	{"journal.path", TEXT, 1, 4096, "\"journal.db\"", NULL,
	 "The SQLite journal. One process opens it."},
	{"journal.kept_days", NUMBER, 1, 3650, "30", NULL,
	 "Days that ended requests, rounds of feeds and settled calls are kept."},
	{"enclave.program", TEXT, 1, 4096, "\"caisson-oracle-enclave\"", NULL,
	 "The enclave's program; a name without / is looked for beside caisson-oracle."},
	{"enclave.socket", TEXT, 1, 100, "\"enclave.sock\"", NULL, "Its Unix socket."},
	{"enclave.seal_root", TEXT, 1, 4096, "\"seal.root\"", NULL,
	 "File of 64 hex digits under which the simulated backend seals; made by `caisson keygen "
	 "--seal-root FILE`."},
#define SERVICE_TEE
#include "host/service_config.def"
	{"enclave.manifests", TEXTS, 1, HOST_MANIFESTS_MAX, "[\"manifest.json\"]", NULL,
	 "The manifests of the lineage, first to newest."},
	{"enclave.trust_store", TEXT, 1, 4096, NULL, NULL,
	 "CA certificates in PEM, with the hash that the manifest names."},
	{"enclave.logs", TEXT, 1, 4096, "", NULL,
	 "Transparency logs, with the hash that the manifest names; none where it names none."},
	{"enclave.args", TEXTS, 0, HOST_ENCLAVE_ARGS_MAX, "[]", NULL,
	 "Further options of caisson-oracle-enclave, such as --insecure-plain-memory."},
	{"enclave.export_ms", NUMBER, 500, 600000, "15000", NULL,
	 "How often the enclave's sealed state is stored when its light clients moved."},
	{"egress.networks", TEXTS, 0, HOST_EGRESS_NETWORKS_MAX, "[]", check_network,
	 "Private networks that sources may be in; public addresses need none."},
	{"egress.names", TEXTS, 0, HOST_EGRESS_NAMES_MAX, "[]", check_name,
	 "name=address: what a resolver is not asked for."},
	{"egress.connections_max", NUMBER, 1, 4096, "512", NULL, "Connections to sources."},
	{"providers.trust_store", TEXT, 1, 4096, "", NULL,
	 "CA certificates in PEM, with the hash that `rpc` of the manifest names; only where a "
	 "contract is on a chain of the mode rpc_quorum."},
	{"providers.logs", TEXT, 1, 4096, "", NULL,
	 "Transparency logs, with the hash that `rpc` of the manifest names; none where it names "
	 "none."},
	{"providers.networks", TEXTS, 0, HOST_EGRESS_NETWORKS_MAX, "[]", check_network,
	 "Private networks that providers may be in; public addresses need none."},
	{"providers.names", TEXTS, 0, HOST_EGRESS_NAMES_MAX, "[]", check_name,
	 "name=address: what a resolver is not asked for."},
#define SERVICE_RELAY
#include "host/service_config.def"
#define SERVICE_ATTESTED
#include "host/service_config.def"
#define SERVICE_LEDGER
#include "host/service_config.def"
#define SERVICE_CHAIN
#include "host/service_config.def"
	{"chains[].operator_key_file", TEXT, 1, 4096, "", NULL,
	 "Key of the account that pays for answers: 64 hex digits, mode 600. Without it answers "
	 "are "
	 "made and served, and nobody brings them to the chain."},
	{"chains[].refund", BOOL, 0, 0, "false", NULL,
	 "Refund requests that passed their deadline, at the operator's cost, and again where that "
	 "failed; anybody may."},
	{"chains[].fee_min_percent", NUMBER, 0, 10000, "0", NULL,
	 "An answer waits while its fee is less than so much of what bringing it costs at most "
	 "now. 0: whatever the contract takes is enough."},
	{"chains[].unpaid_gas_max", NUMBER, 0, 100000000000, "12000000", NULL,
	 "Gas in an hour for calls that bring no fee: answers that give it back, refunds. What is "
	 "above is left to refund, by anybody."},
	{"chains[].unpaid_asker_gas_max", NUMBER, 0, 100000000000, "3000000", NULL,
	 "The same, of one asker."},
	{"chains[].unpaid_callback_gas_max", NUMBER, 0, 100000000, "300000", NULL,
	 "No answer that gives its fee back is brought to a callback that may use more gas."},
};

static const struct host_config_table tables[] = {
	{"log", 0, 0, "What is written to standard error."},
	{"api", 0, 0, "Where apps and people call."},
	{"journal", 0, 0, "Where everything is written before it happens."},
	{"enclave", 0, 0, "The sealed process, which caisson-oracle starts itself."},
	{"egress", 0, 0, "The proxy through which the enclave reaches its sources."},
	{"providers", 0, 0,
	 "The way to the providers of chains of the mode rpc_quorum, and whom the enclave trusts "
	 "there: a proxy and a trust of their own."},
	{"relay", 0, 0, "How failures are repeated."},
	{"attested", 0, 1,
	 "A port over which clients talk to the enclave itself, by TLS that ends in it. Without "
	 "it: none."},
	{"ledger", 0, 1,
	 "The bridge's ledger, where this oracle records what it answered. Without it: nowhere."},
	{"chains[]", 0, ORACLE_CHAINS_MAX,
	 "The chains whose contracts are served; none for apps alone."},
};

const struct host_config_schema *oracle_config_schema(void)
{
	static const struct host_config_schema schema = {keys, CS_LEN(keys), tables,
							 CS_LEN(tables)};
	return &schema;
}

/* ---- from the file to the structure; only called when every value is valid by itself ---- */

static void read_chain(struct oracle_config *config, uint32_t i)
{
	const struct host_config *file = config->file;
	struct oracle_chain_config *chain = &config->chains[i];
	host_chain_config_read(&chain->common, file, config->path, i);
	chain->refund = host_config_bool(file, "chains[%u].refund", i);
	chain->fee_min_percent =
		(unsigned)host_config_number(file, "chains[%u].fee_min_percent", i);
	chain->unpaid_gas_max = (uint64_t)host_config_number(file, "chains[%u].unpaid_gas_max", i);
	chain->unpaid_asker_gas_max =
		(uint64_t)host_config_number(file, "chains[%u].unpaid_asker_gas_max", i);
	chain->unpaid_callback_gas_max =
		(uint64_t)host_config_number(file, "chains[%u].unpaid_callback_gas_max", i);
}

static void read_values(struct oracle_config *config)
{
	const struct host_config *file = config->file;
	config->name = host_config_text(file, "name");
	host_service_read(&config->service, config->file, config->path);
	config->service.egress.connections_max =
		(uint32_t)host_config_number(file, "egress.connections_max");
	config->providers_trust_store =
		host_resolve(config->path, host_config_text(file, "providers.trust_store"));
	config->providers_logs =
		host_resolve(config->path, host_config_text(file, "providers.logs"));
	host_egress_config_read(&config->providers_egress, file, "providers");
	config->export_ms = (unsigned)host_config_number(file, "enclave.export_ms");
	config->waiting_max = (unsigned)host_config_number(file, "api.waiting_max");
	config->rate_max = (unsigned)host_config_number(file, "api.rate_max");
	config->specs_size_max = (uint64_t)host_config_number(file, "api.specs_kib_max") * 1024;
	config->wait_ms = (unsigned)host_config_number(file, "api.wait_ms");
	config->kept_days = (unsigned)host_config_number(file, "journal.kept_days");
	host_ledger_config_read(&config->ledger, file, config->path);
	config->chain_count = host_config_count(file, "chains");
	for (uint32_t i = 0; i < config->chain_count; i++)
		read_chain(config, i);
}

/* ---- what the manifest adds ---- */

static bool has_contract(const struct oracle_manifest *manifest,
			 const struct host_manifest_chain *chain)
{
	for (size_t i = 0; i < manifest->contract_count; i++) {
		if (manifest->contracts[i].chain == chain)
			return true;
	}
	return false;
}

static void check_chains(struct oracle_config *config)
{
	char path[HOST_CONFIG_PATH_MAX];
	for (unsigned i = 0; i < config->chain_count; i++) {
		struct host_chain_config *chain = &config->chains[i].common;
		chain->manifest = host_manifest_named(&config->manifest.base, chain->id);
		snprintf(path, sizeof(path), "chains[%u].id", i);
		if (!chain->manifest)
			host_config_complain(config->file, path, "%s is not in the manifest",
					     chain->id);
		else if (!has_contract(&config->manifest, chain->manifest))
			host_config_complain(config->file, path,
					     "the manifest names no contract on %s", chain->id);
	}
}

/* The enclave follows the chains of all contracts, also of those that this file does not name. */
static void check_providers(struct oracle_config *config)
{
	for (size_t i = 0; i < config->manifest.contract_count; i++)
		if (strcmp(config->manifest.contracts[i].chain->mode, HOST_RPC_QUORUM) == 0)
			config->asks_providers = true;
	if (config->asks_providers && !config->providers_trust_store)
		host_config_complain(config->file, "providers.trust_store",
				     "a contract on a chain of the mode rpc_quorum needs it");
}

enum cs_err oracle_config_load(struct oracle_config *config, const char *path, bool with_manifest)
{
	memset(config, 0, sizeof(*config));
	config->path = host_text(path);
	config->file = host_config_load(oracle_config_schema(), path);
	if (host_config_error_count(config->file) == 0) {
		read_values(config);
		host_service_check(&config->service, config->file);
	}
	if (host_config_error_count(config->file) == 0 && with_manifest) {
		struct cs_why why = {{0}};
		if (oracle_manifest_load(&config->manifest, config->service.manifests,
					 config->service.manifest_count, &why) != CS_OK) {
			host_config_complain(config->file, "enclave.manifests", "%s", why.text);
		} else {
			check_chains(config);
			check_providers(config);
		}
	}
	return host_config_error_count(config->file) == 0 ? CS_OK : CS_ERR_INVALID;
}

void oracle_config_free(struct oracle_config *config)
{
	for (size_t i = 0; i < config->chain_count; i++)
		host_chain_config_free(&config->chains[i].common);
	host_service_free(&config->service);
	host_ledger_config_free(&config->ledger);
	host_egress_config_free(&config->providers_egress);
	free((void *)(uintptr_t)config->providers_trust_store);
	free((void *)(uintptr_t)config->providers_logs);
	free((void *)(uintptr_t)config->path);
	host_config_free(config->file);
	memset(config, 0, sizeof(*config));
}
