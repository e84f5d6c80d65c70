#include "gateway/config.h"

#include "core/u256.h"
#include "host/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const gateway_scope_names[] = {"read", "send",    "sponsor", "operate",
					   "peer", "webhook", NULL};

static enum cs_err check_address(const char *text, struct cs_why *why)
{
	struct cs_address address;
	if (strncmp(text, "0x", 2) != 0 ||
	    cs_unhex(address.b, sizeof(address.b), cs_bytes_str(text)) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED, "is not an address: 0x and 40 hex digits");
	return CS_OK;
}

static enum cs_err check_expire(const char *text, struct cs_why *why)
{
	if (strcmp(text, "tombstone") != 0 && strcmp(text, "absence") != 0)
		return cs_fail(why, CS_ERR_INVALID, "is neither tombstone nor absence");
	return CS_OK;
}

#define TEXT HOST_CONFIG_TEXT
#define TEXTS HOST_CONFIG_TEXTS
#define NUMBER HOST_CONFIG_NUMBER
#define BOOL HOST_CONFIG_BOOL

/* The address is the proxy's to read, when it starts. */
static enum cs_err check_name(const char *text, struct cs_why *why)
{
	const char *equals = strchr(text, '=');
	if (!equals || equals == text || equals[1] == 0)
		return cs_fail(why, CS_ERR_MALFORMED, "is no name=address");
	return CS_OK;
}

/* As a browser writes it: scheme, host in small letters, and the port where it is not the scheme's
 * (RFC 6454, 6.2). Neither * nor null: those are everybody's. */
static enum cs_err check_origin(const char *text, struct cs_why *why)
{
	const char *host = strncmp(text, "https://", 8) == 0  ? text + 8
			   : strncmp(text, "http://", 7) == 0 ? text + 7
							      : "";
	if (!host[0] || strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789.-:[]") != strlen(host) ||
	    host[strlen(host) - 1] == ':')
		return cs_fail(why, CS_ERR_MALFORMED,
			       "is no origin such as https://app.example.org, without a path");
	return CS_OK;
}

/* Names are looked up when it is asked. */
static enum cs_err check_place(const char *text, struct cs_why *why)
{
	const char *colon = strrchr(text, ':');
	const char *port = colon ? colon + 1 : "";
	char *end = NULL;
	const unsigned long number = port[0] >= '0' && port[0] <= '9' ? strtoul(port, &end, 10) : 0;
	if (number == 0 || number > UINT16_MAX || *end || colon == text || text[0] == '-')
		return cs_fail(why, CS_ERR_INVALID, "is no HOST:PORT such as gateway.example:8443");
	return CS_OK;
}

static enum cs_err check_network(const char *text, struct cs_why *why)
{
	struct host_networks networks = {.count = 0};
	if (host_networks_add(&networks, text) != CS_OK)
		return cs_fail(why, CS_ERR_INVALID, "is no network such as 10.1.0.0/16");
	return CS_OK;
}

static const struct host_config_key keys[] = {
	{"name", TEXT, 1, 32, NULL, NULL,
	 "Name of this gateway, as its peers' configuration calls it."},
#define SERVICE_LOG
#include "host/service_config.def"
	{"api.address", TEXT, 1, 45, "\"127.0.0.1\"", NULL,
	 "Numeric address of REST and events. TLS ends before it."},
	{"api.port", NUMBER, 0, 65535, "8080", NULL,
	 "Port of REST; 0 takes a free one and logs it."},
	{"api.events_port", NUMBER, 0, 65535, "8081", NULL, "Port of the WebSocket /v1/events."},
	{"api.readers_max", NUMBER, 1, 65536, "8192", NULL,
	 "Readers of that WebSocket at once; one more is refused with 503. Each is an open file "
	 "and some memory."},
	{"api.keys_file", TEXT, 1, 4096, "\"api.keys\"", NULL,
	 "The hashes of the API keys; written by `caisson keys`, read again when it changes."},
	{"api.rate_per_s", NUMBER, 0, 1000000, "1000", NULL,
	 "Requests a second of one API key, and of one address without a key; 0: as many as it "
	 "likes."},
	{"api.burst", NUMBER, 1, 1000000, "2000", NULL,
	 "So many at once, after a time of fewer; then 429 with Retry-After."},
	{"api.cors_origins", TEXTS, 0, HOST_CORS_ORIGINS_MAX, "[]", check_origin,
	 "Origins whose pages may call from a browser, such as https://app.example.org."},
	{"journal.path", TEXT, 1, 4096, "\"journal.db\"", NULL,
	 "The SQLite journal. One process opens it."},
	{"journal.events_kept", NUMBER, 1000, 10000000, "200000", NULL,
	 "Events kept for resuming streams."},
	{"journal.proofs_after_s", NUMBER, 0, 86400, "60", NULL,
	 "After so long without a signature the proof of a message's receipt is kept."},
	{"journal.proofs_mb", NUMBER, 0, 100000, "256", NULL,
	 "No more proofs are kept once they have so many MiB together; 0: none."},
	{"enclave.program", TEXT, 1, 4096, "\"caisson-enclave\"", NULL,
	 "The enclave's program, for `caisson up`; a name without / is looked for beside caisson."},
	{"enclave.socket", TEXT, 1, 100, "\"enclave.sock\"", NULL, "Its Unix socket."},
	{"enclave.seal_root", TEXT, 1, 4096, "\"seal.root\"", NULL,
	 "File of 64 hex digits under which the simulated backend seals; made by `caisson keygen "
	 "--seal-root FILE`."},
#define SERVICE_TEE
#include "host/service_config.def"
	{"enclave.manifests", TEXTS, 1, HOST_MANIFESTS_MAX, "[\"manifest.json\"]", NULL,
	 "The manifests of the lineage, first to newest."},
	{"enclave.args", TEXTS, 0, HOST_ENCLAVE_ARGS_MAX, "[]", NULL,
	 "Further options of caisson-enclave, such as --insecure-plain-memory."},
	{"enclave.trust_store", TEXT, 1, 4096, "", NULL,
	 "CA certificates in PEM, with the hash that the manifest names; only where it has a chain "
	 "of the mode rpc_quorum."},
	{"enclave.logs", TEXT, 1, 4096, "", NULL,
	 "Transparency logs, with the hash that the manifest names; none where it names none."},
	{"egress.networks", TEXTS, 0, HOST_EGRESS_NETWORKS_MAX, "[]", NULL,
	 "Loopback and private networks that providers of rpc_quorum may be in, such as "
	 "10.1.0.0/16."},
	{"egress.names", TEXTS, 0, HOST_EGRESS_NAMES_MAX, "[]", check_name,
	 "name=address, whatever a resolver says."},
	{"webhooks.key_file", TEXT, 1, 4096, "\"webhooks.key\"", NULL,
	 "What the secrets of webhooks are derived from: 64 hex digits, mode 600. Made with the "
	 "first "
	 "webhook; to be kept with the journal."},
	{"webhooks.networks", TEXTS, 0, HOST_NETWORKS_MAX, "[]", check_network,
	 "Loopback and private networks that receivers may be in, such as 10.1.0.0/16."},
	{"webhooks.insecure_http", BOOL, 0, 0, "false", NULL,
	 "INSECURE: receivers without TLS are taken too."},
	{"webhooks.ca_file", TEXT, 1, 4096, "", NULL,
	 "CA certificates in PEM for receivers; default: the system's."},
	{"webhooks.timeout_ms", NUMBER, 100, 60000, "15000", NULL,
	 "How long a receiver may take for its answer."},
	{"webhooks.attempts_max", NUMBER, 1, 100, "16", NULL,
	 "Attempts of one event until its webhook is disabled."},
	{"webhooks.retry_min_ms", NUMBER, 10, 3600000, "5000", NULL,
	 "Longest first pause between attempts; doubled each time. Each is drawn from its second "
	 "half."},
	{"webhooks.retry_max_ms", NUMBER, 100, 86400000, "14400000", NULL,
	 "No pause between attempts is longer."},
	{"webhooks.overlap_s", NUMBER, 0, 2592000, "86400", NULL,
	 "How long the secret before a rotation signs beside the new one."},
	{"relay.batch_max", NUMBER, 1, 64, "64", NULL,
	 "Messages of one statement and of one transaction."},
	{"relay.batch_gas_max", NUMBER, 300000, 100000000, "12000000", NULL,
	 "Gas limit of one transaction."},
#define SERVICE_RELAY
#include "host/service_config.def"
	{"relay.pull_ms", NUMBER, 100, 600000, "5000", NULL,
	 "How often peers are asked for what they could not push."},
	{"relay.export_ms", NUMBER, 500, 600000, "15000", NULL,
	 "How often the enclave's sealed state is stored."},
	{"relay.drain_ms", NUMBER, 0, 600000, "3000", NULL,
	 "How long a stop waits for what is under way: transactions that no block has."},
#define SERVICE_ATTESTED
#include "host/service_config.def"
#define SERVICE_LEDGER
#include "host/service_config.def"
	{"ledger.lease_s", NUMBER, 4, 600, "30", NULL,
	 "How long another gateway of a route waits after this one has gone."},
#define SERVICE_CHAIN
#include "host/service_config.def"
	{"chains[].operator_key_file", TEXT, 1, 4096, "", NULL,
	 "Key of the account that sends sponsored messages: 64 hex digits, mode 600."},
	{"chains[].bridge", TEXT, 42, 42, "", check_address,
	 "The token bridge, for POST /v1/transfers."},
	{"chains[].token", TEXT, 42, 42, "", check_address,
	 "The token that transfers carry unless they name another."},
	{"chains[].gas_accounts", NUMBER, 1, GATEWAY_GAS_ACCOUNTS_MAX, "1", NULL,
	 "Gas accounts that the enclave signs for, all to be funded; more than one of EVM chains "
	 "alone."},
	{"peers[].name", TEXT, 1, 32, NULL, NULL,
	 "Name of the other gateway: of the API key it calls us with."},
	{"peers[].url", TEXT, 1, 2048, NULL, host_check_http, "Its REST address, without a path."},
	{"peers[].api_key_file", TEXT, 1, 4096, NULL, NULL,
	 "File with the key (scope peer) that it gave us."},
	{"peers[].chains", TEXTS, 1, GATEWAY_CHAINS_MAX, NULL, host_check_caip2,
	 "The chains that it serves."},
	{"peers[].attested", TEXT, 3, 280, "", check_place,
	 "HOST:PORT of its attested port: nothing of it is taken while the enclave there is not "
	 "accepted. Without it: whatever its contract's keys signed is."},
	{"peers[].attested_policy", TEXT, 1, 4096, "", NULL,
	 "The policy that this enclave's evidence is judged by, as of `caisson attest connect`; it "
	 "must list measurements. Read at each look."},
	{"peers[].attested_collateral", TEXT, 1, 4096, "", NULL,
	 "File or folder of the makers' collateral. Read at each look."},
	{"peers[].attested_roots", TEXT, 1, 4096, "", NULL,
	 "Certificates under which keys of TPMs are believed."},
	{"peers[].attested_lineage", TEXT, 66, 66, "", host_check_hash,
	 "Its enclave's lineage, the hash of its first manifest; default: ours."},
	{"peers[].attested_every_s", NUMBER, 1, 1800, "1800", NULL,
	 "How often it is looked at. What was accepted counts for an hour."},
	{"routes[].from", TEXT, 1, CS_CAIP2_SIZE_MAX, NULL, host_check_caip2, "Source chain."},
	{"routes[].to", TEXT, 1, CS_CAIP2_SIZE_MAX, NULL, host_check_caip2, "Destination chain."},
	{"routes[].expire", TEXT, 1, 16, "\"tombstone\"", check_expire,
	 "How the destination's gateway proves that a message died: tombstone or absence."},
};

static const struct host_config_table tables[] = {
	{"log", 0, 0, "What is written to standard error."},
	{"api", 0, 0, "Where applications, people and peers call."},
	{"journal", 0, 0, "Where everything is written before it happens."},
	{"enclave", 0, 0, "The sealed process beside this gateway."},
	{"egress", 0, 0, "The proxy through which the enclave reaches providers of rpc_quorum."},
	{"webhooks", 0, 0, "How events are delivered to receivers that applications name."},
	{"relay", 0, 0, "How the work is cut."},
	{"attested", 0, 1,
	 "A port over which clients talk to the enclave itself, by TLS that ends in it. Without "
	 "it: none."},
	{"ledger", 0, 1,
	 "The bridge's ledger, where this gateway writes what it does. Without it: nowhere."},
	{"chains[]", 1, GATEWAY_CHAINS_MAX, "The chains that this gateway serves: one by default."},
	{"peers[]", 0, GATEWAY_PEERS_MAX, "The gateways of other chains."},
	{"routes[]", 0, GATEWAY_ROUTES_MAX, "What differs from the default on one route."},
};

const struct host_config_schema *gateway_config_schema(void)
{
	static const struct host_config_schema schema = {keys, CS_LEN(keys), tables,
							 CS_LEN(tables)};
	return &schema;
}

/* ---- from the file's values to the structure; only called when every value is valid by itself ---- */

static bool read_address(struct cs_address *address, const char *text)
{
	return text && cs_unhex(address->b, sizeof(address->b), cs_bytes_str(text)) == CS_OK;
}

static void read_chain(struct gateway_config *config, uint32_t i)
{
	const struct host_config *file = config->file;
	struct gateway_chain_config *chain = &config->chains[i];
	host_chain_config_read(&chain->common, file, config->path, i);
	chain->has_bridge =
		read_address(&chain->bridge, host_config_text(file, "chains[%u].bridge", i));
	chain->has_token =
		read_address(&chain->token, host_config_text(file, "chains[%u].token", i));
	chain->gas_accounts = (unsigned)host_config_number(file, "chains[%u].gas_accounts", i);
}

static void read_attested(struct gateway_peer_attested *attested,
			  const struct gateway_config *config, uint32_t i)
{
	const struct host_config *file = config->file;
	const char *lineage = host_config_text(file, "peers[%u].attested_lineage", i);
	attested->place = host_config_text(file, "peers[%u].attested", i);
	attested->policy =
		host_resolve(config->path, host_config_text(file, "peers[%u].attested_policy", i));
	attested->collateral = host_resolve(
		config->path, host_config_text(file, "peers[%u].attested_collateral", i));
	attested->roots =
		host_resolve(config->path, host_config_text(file, "peers[%u].attested_roots", i));
	attested->has_lineage =
		lineage && cs_unhex(attested->lineage.b, sizeof(attested->lineage.b),
				    cs_bytes_str(lineage)) == CS_OK;
	attested->every_s = (unsigned)host_config_number(file, "peers[%u].attested_every_s", i);
}

static void read_peer(struct gateway_config *config, uint32_t i)
{
	const struct host_config *file = config->file;
	struct gateway_peer_config *peer = &config->peers[i];
	peer->name = host_config_text(file, "peers[%u].name", i);
	peer->url = host_config_text(file, "peers[%u].url", i);
	peer->api_key_file =
		host_resolve(config->path, host_config_text(file, "peers[%u].api_key_file", i));
	read_attested(&peer->attested, config, i);
	peer->chain_count = host_config_count(file, "peers[%u].chains", i);
	for (uint32_t k = 0; k < peer->chain_count; k++)
		peer->chains[k] = host_config_text(file, "peers[%u].chains[%u]", i, k);
}

static void read_route(struct gateway_config *config, uint32_t i)
{
	struct gateway_route_config *route = &config->routes[i];
	route->from_name = host_config_text(config->file, "routes[%u].from", i);
	route->to_name = host_config_text(config->file, "routes[%u].to", i);
	const char *expire = host_config_text(config->file, "routes[%u].expire", i);
	route->expire =
		strcmp(expire, "absence") == 0 ? GATEWAY_EXPIRE_ABSENCE : GATEWAY_EXPIRE_TOMBSTONE;
}

static void read_webhooks(struct gateway_config *config)
{
	struct gateway_webhooks_config *webhooks = &config->webhooks;
	const struct host_config *file = config->file;
	const char *ca_file = host_config_text(file, "webhooks.ca_file");
	webhooks->key_file =
		host_resolve(config->path, host_config_text(file, "webhooks.key_file"));
	webhooks->ca_file = host_resolve(config->path, ca_file);
	const uint32_t count = host_config_count(file, "webhooks.networks");
	for (uint32_t i = 0; i < count; i++) /* each was checked */
		(void)!host_networks_add(&webhooks->networks,
					 host_config_text(file, "webhooks.networks[%u]", i));
	webhooks->insecure_http = host_config_bool(file, "webhooks.insecure_http");
	webhooks->timeout_ms = (unsigned)host_config_number(file, "webhooks.timeout_ms");
	webhooks->attempts_max = (unsigned)host_config_number(file, "webhooks.attempts_max");
	webhooks->retry_min_ms = (unsigned)host_config_number(file, "webhooks.retry_min_ms");
	webhooks->retry_max_ms = (unsigned)host_config_number(file, "webhooks.retry_max_ms");
	webhooks->overlap_s = (unsigned)host_config_number(file, "webhooks.overlap_s");
}

static void read_values(struct gateway_config *config)
{
	const struct host_config *file = config->file;
	config->name = host_config_text(file, "name");
	host_service_read(&config->service, config->file, config->path);
	config->events_port = (uint16_t)host_config_number(file, "api.events_port");
	config->readers_max = (unsigned)host_config_number(file, "api.readers_max");
	config->events_kept = (unsigned)host_config_number(file, "journal.events_kept");
	config->proofs_after_s = (unsigned)host_config_number(file, "journal.proofs_after_s");
	config->proofs_mb = (unsigned)host_config_number(file, "journal.proofs_mb");
	config->batch_max = (unsigned)host_config_number(file, "relay.batch_max");
	config->batch_gas_max = (uint64_t)host_config_number(file, "relay.batch_gas_max");
	config->pull_ms = (unsigned)host_config_number(file, "relay.pull_ms");
	config->export_ms = (unsigned)host_config_number(file, "relay.export_ms");
	config->drain_ms = (unsigned)host_config_number(file, "relay.drain_ms");
	read_webhooks(config);
	config->rate.per_s = (uint32_t)host_config_number(file, "api.rate_per_s");
	config->rate.burst = (uint32_t)host_config_number(file, "api.burst");
	config->cors_origin_count = host_config_count(file, "api.cors_origins");
	for (uint32_t i = 0; i < config->cors_origin_count; i++)
		config->cors_origins[i] = host_config_text(file, "api.cors_origins[%u]", i);
	host_ledger_config_read(&config->ledger, file, config->path);
	if (config->ledger.id)
		config->lease_s = (unsigned)host_config_number(file, "ledger.lease_s");
	config->chain_count = host_config_count(file, "chains");
	for (uint32_t i = 0; i < config->chain_count; i++)
		read_chain(config, i);
	config->peer_count = host_config_count(file, "peers");
	for (uint32_t i = 0; i < config->peer_count; i++)
		read_peer(config, i);
	config->route_count = host_config_count(file, "routes");
	for (uint32_t i = 0; i < config->route_count; i++)
		read_route(config, i);
}

/* ---- what spans several keys; after all reading, because a file with complaints has no values ---- */

static void check_attested(struct gateway_config *config, unsigned i)
{
	const struct gateway_peer_attested *attested = &config->peers[i].attested;
	const struct {
		const char *name;
		bool is_there;
	} others[] = {{"attested_policy", attested->policy != NULL},
		      {"attested_collateral", attested->collateral != NULL},
		      {"attested_roots", attested->roots != NULL},
		      {"attested_lineage", attested->has_lineage}};
	char path[HOST_CONFIG_PATH_MAX];
	snprintf(path, sizeof(path), "peers[%u].attested", i);
	if (attested->place && !attested->policy)
		host_config_complain(config->file, path, "needs attested_policy");
	for (size_t k = 0; k < CS_LEN(others); k++)
		if (!attested->place && others[k].is_there)
			host_config_complain(config->file, path, "is missing beside %s",
					     others[k].name);
}

static void check_values(struct gateway_config *config)
{
	char path[HOST_CONFIG_PATH_MAX];
	host_service_check(&config->service, config->file);
	if (config->service.port != 0 && config->service.port == config->events_port)
		host_config_complain(config->file, "api.events_port", "is api.port");
	if (config->webhooks.retry_max_ms < config->webhooks.retry_min_ms)
		host_config_complain(config->file, "webhooks.retry_max_ms",
				     "is below webhooks.retry_min_ms");
	for (unsigned i = 0; i < config->chain_count; i++) {
		const struct gateway_chain_config *chain = &config->chains[i];
		snprintf(path, sizeof(path), "chains[%u].gas_accounts", i);
		/* What was on them could not be swept. */
		if (chain->gas_accounts > 1 &&
		    strncmp(chain->common.id, "eip155:", strlen("eip155:")) != 0)
			host_config_complain(config->file, path,
					     "is above 1 for %s: a pool is of EVM chains alone",
					     chain->common.id);
	}
	for (unsigned i = 0; i < config->peer_count; i++) {
		snprintf(path, sizeof(path), "peers[%u].name", i);
		if (strcmp(config->peers[i].name, config->name) == 0)
			host_config_complain(config->file, path, "is our own name");
		for (unsigned k = 0; k < i; k++) {
			if (strcmp(config->peers[k].name, config->peers[i].name) == 0)
				host_config_complain(config->file, path, "is there twice");
		}
		check_attested(config, i);
	}
}

/* ---- what the manifest adds ---- */

static bool some_gateway_serves(const struct gateway_config *config, const char *caip2)
{
	for (size_t i = 0; i < config->chain_count; i++) {
		if (strcmp(config->chains[i].common.id, caip2) == 0)
			return true;
	}
	for (size_t i = 0; i < config->peer_count; i++) {
		for (size_t k = 0; k < config->peers[i].chain_count; k++) {
			if (strcmp(config->peers[i].chains[k], caip2) == 0)
				return true;
		}
	}
	return false;
}

static void check_chains(struct gateway_config *config)
{
	char path[HOST_CONFIG_PATH_MAX];
	for (unsigned i = 0; i < config->chain_count; i++) {
		struct host_chain_config *chain = &config->chains[i].common;
		chain->manifest = host_manifest_named(&config->manifest, chain->id);
		snprintf(path, sizeof(path), "chains[%u].id", i);
		if (!chain->manifest) {
			host_config_complain(config->file, path, "%s is not in the manifest",
					     chain->id);
			continue;
		}
		for (size_t k = 0; k < chain->manifest->remote_count; k++) {
			const struct host_manifest_chain *remote = host_manifest_chain(
				&config->manifest, &chain->manifest->remotes[k]);
			if (remote && !some_gateway_serves(config, remote->caip2))
				host_config_complain(
					config->file, path,
					"its remote %s is neither served here nor by a peer",
					remote->caip2);
		}
	}
	for (unsigned i = 0; i < config->peer_count; i++) {
		for (unsigned k = 0; k < config->peers[i].chain_count; k++) {
			snprintf(path, sizeof(path), "peers[%u].chains[%u]", i, k);
			if (!host_manifest_named(&config->manifest, config->peers[i].chains[k]))
				host_config_complain(config->file, path,
						     "%s is not in the manifest",
						     config->peers[i].chains[k]);
		}
	}
}

static void check_providers(struct gateway_config *config)
{
	for (unsigned i = 0; i < config->chain_count; i++)
		if (config->chains[i].common.manifest &&
		    strcmp(config->chains[i].common.manifest->mode, HOST_RPC_QUORUM) == 0)
			config->asks_providers = true;
	if (config->asks_providers && !config->service.trust_store)
		host_config_complain(config->file, "enclave.trust_store",
				     "a chain of the mode rpc_quorum needs it");
}

/* The gateways of a bridge are of one lineage: its name is the hash of its first manifest. */
static void check_lineages(struct gateway_config *config)
{
	struct host_manifest *first = host_alloc(sizeof(*first));
	struct cs_why why = {{0}};
	/* Read by the enclave alone, otherwise. */
	bool wanted = false;
	for (size_t i = 0; i < config->peer_count; i++)
		wanted = wanted || (config->peers[i].attested.place &&
				    !config->peers[i].attested.has_lineage);
	if (wanted && host_manifest_load(first, config->service.manifests[0], &why) != CS_OK)
		host_config_complain(config->file, "enclave.manifests", "%s: %s",
				     config->service.manifests[0], why.text);
	for (size_t i = 0; i < config->peer_count; i++)
		if (wanted && !config->peers[i].attested.has_lineage)
			config->peers[i].attested.lineage = first->hash;
	free(first);
}

static void check_routes(struct gateway_config *config)
{
	char path[HOST_CONFIG_PATH_MAX];
	for (unsigned i = 0; i < config->route_count; i++) {
		struct gateway_route_config *route = &config->routes[i];
		const struct host_manifest_chain *a =
			host_manifest_named(&config->manifest, route->from_name);
		const struct host_manifest_chain *b =
			host_manifest_named(&config->manifest, route->to_name);
		snprintf(path, sizeof(path), "routes[%u].%s", i, a ? "to" : "from");
		if (!a || !b) {
			host_config_complain(config->file, path, "%s is not in the manifest",
					     a ? route->to_name : route->from_name);
			continue;
		}
		if (!host_manifest_lists(a, &b->identity))
			host_config_complain(config->file, path,
					     "the manifest has no route from %s to %s",
					     route->from_name, route->to_name);
		route->from = a->identity;
		route->to = b->identity;
	}
}

enum cs_err gateway_config_load(struct gateway_config *config, const char *path, bool with_manifest)
{
	memset(config, 0, sizeof(*config));
	config->path = host_text(path);
	config->file = host_config_load(gateway_config_schema(), path);
	if (host_config_error_count(config->file) == 0) {
		read_values(config);
		check_values(config);
	}
	if (host_config_error_count(config->file) == 0 && with_manifest) {
		struct cs_why why = {{0}};
		const char *newest = config->service.manifests[config->service.manifest_count - 1];
		if (host_manifest_load(&config->manifest, newest, &why) != CS_OK) {
			host_config_complain(config->file, "enclave.manifests", "%s: %s", newest,
					     why.text);
		} else {
			check_chains(config);
			check_providers(config);
			check_routes(config);
			check_lineages(config);
		}
	}
	return host_config_error_count(config->file) == 0 ? CS_OK : CS_ERR_INVALID;
}

void gateway_config_free(struct gateway_config *config)
{
	for (size_t i = 0; i < config->chain_count; i++)
		host_chain_config_free(&config->chains[i].common);
	for (size_t i = 0; i < config->peer_count; i++) {
		const struct gateway_peer_attested *attested = &config->peers[i].attested;
		free((void *)(uintptr_t)config->peers[i].api_key_file);
		free((void *)(uintptr_t)attested->policy);
		free((void *)(uintptr_t)attested->collateral);
		free((void *)(uintptr_t)attested->roots);
	}
	free((void *)(uintptr_t)config->webhooks.key_file);
	free((void *)(uintptr_t)config->webhooks.ca_file);
	host_service_free(&config->service);
	host_ledger_config_free(&config->ledger);
	free((void *)(uintptr_t)config->path);
	host_config_free(config->file);
	memset(config, 0, sizeof(*config));
}

enum gateway_expire gateway_config_expire(const struct gateway_config *config,
					  const struct cs_hash *from, const struct cs_hash *to)
{
	for (size_t i = 0; i < config->route_count; i++) {
		if (cs_hash_eq(&config->routes[i].from, from) &&
		    cs_hash_eq(&config->routes[i].to, to))
			return config->routes[i].expire;
	}
	return GATEWAY_EXPIRE_TOMBSTONE;
}
