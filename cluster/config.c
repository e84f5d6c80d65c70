#include "cluster/config.h"

#include "host/alloc.h"
#include "host/service_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool find_role(enum cluster_role *role, const char *text)
{
	for (unsigned i = 1; i <= CLUSTER_ROLE_COUNT; i++) {
		*role = (enum cluster_role)i;
		if (strcmp(text, cluster_role_name(*role)) == 0)
			return true;
	}
	return false;
}

static enum cs_err check_role(const char *text, struct cs_why *why)
{
	enum cluster_role role;
	return find_role(&role, text)
		       ? CS_OK
		       : cs_fail(why, CS_ERR_INVALID, "is none of key-server, guard, worker");
}

static enum cs_err check_first(const char *text, struct cs_why *why)
{
	uint8_t hash[32];
	if (cs_unhex(hash, sizeof hash, cs_bytes_str(text)) == CS_OK)
		return CS_OK;
	return cs_fail(why, CS_ERR_MALFORMED, "is no hash of 64 hex digits");
}

static enum cs_err check_tcp(const char *text, struct cs_why *why)
{
	struct host_address address;
	CS_TRY(host_address_parse(&address, text, why));
	return address.is_unix ? cs_fail(why, CS_ERR_INVALID, "is no address of TCP") : CS_OK;
}

#define TEXT HOST_CONFIG_TEXT
#define TEXTS HOST_CONFIG_TEXTS
#define NUMBER HOST_CONFIG_NUMBER

static const struct host_config_key keys[] = {
	{"role", TEXT, 1, 16, NULL, check_role, "key-server, guard or worker."},
	{"application", TEXT, 1, 64, "", NULL,
	 "Of a worker: the application whose keys it asks for, as the manifest names it."},
#define SERVICE_LOG
#include "host/service_config.def"
	{"enclave.program", TEXT, 1, 4096, "\"caisson-cluster-enclave\"", NULL,
	 "The enclave's program; a name without / is looked for beside caisson-cluster."},
	{"enclave.socket", TEXT, 1, 100, "\"enclave.sock\"", NULL, "Its Unix socket."},
	{"enclave.seal_root", TEXT, 1, 4096, "\"seal.root\"", NULL,
	 "File of 64 hex digits under which the backends simulated and tsm seal; made by `caisson "
	 "keygen --seal-root FILE`."},
#define SERVICE_TEE
#include "host/service_config.def"
	{"enclave.collateral", TEXTS, 0, CLUSTER_HOST_COLLATERAL_MAX, "[]", NULL,
	 "Files of what the hardware's maker says of it, as `caisson attest verify --collateral` "
	 "takes "
	 "them: they go to peers beside its evidence. Read at every start of the enclave."},
	{"enclave.state", TEXT, 1, 4096, "\"state.sealed\"", NULL,
	 "Where its sealed state is kept, written before anything that rests on it is sent."},
	{"enclave.recovery", TEXT, 1, 4096, "\"recovery.file\"", NULL,
	 "Of a key server whose manifest has recovery keys: where the recovery of the newest epoch "
	 "is "
	 "written. It is not secret; copies belong on other machines."},
	{"enclave.first", TEXT, 64, 66, NULL, check_first,
	 "Hash of the cluster's first manifest: which cluster this is."},
	{"enclave.manifests", TEXTS, 1, CLUSTER_HOST_MANIFESTS_MAX, "[\"manifest-1.json\"]", NULL,
	 "The cluster's manifests, first to newest."},
	{"enclave.args", TEXTS, 0, CLUSTER_ENCLAVE_ARGS_MAX, "[]", NULL,
	 "Further options of caisson-cluster-enclave, such as --insecure-plain-memory."},
	{"network.listen", TEXT, 1, 100, "", check_tcp,
	 "ADDRESS:PORT. A key server's for guards and key servers, a worker's for other workers; a "
	 "guard has none."},
	{"network.local", TEXT, 1, 100, "", NULL,
	 "A guard's Unix socket for the workers of its machine, and where a worker finds its "
	 "guard's."},
	{"network.peers", TEXTS, 0, CLUSTER_ADDRESSES_MAX, "[]", check_tcp,
	 "ADDRESS:PORT. The key servers, the preferred one first; of a worker other workers."},
	{"ask.socket", TEXT, 1, 100, "\"ask.sock\"", NULL,
	 "Unix socket for `caisson cluster` and, of a worker, for the programs that use its keys; "
	 "mode 600."},
	{"ledger.id", TEXT, 8, CS_CAIP2_SIZE_MAX, NULL, host_check_ledger_id,
	 "cosmos:<chain id> of the ledger."},
	{"ledger.tag", TEXT, 66, 66, NULL, host_check_hash,
	 "Its chain tag, 0x and 64 hex digits: which genesis."},
	{"ledger.nodes", TEXTS, 1, HOST_RPC_MAX, NULL, host_check_http,
	 "HTTP endpoints of its nodes: more than the manifest's quorum of time keys."},
	{"ledger.key_file", TEXT, 1, 4096, "", NULL,
	 "Of a key server whose manifest has ledger.anchor: the key of the account that pays for "
	 "anchors, 64 hex digits, readable by its owner alone."},
	{"ledger.gas_price_max", NUMBER, 0, INT64_MAX, "1000", NULL,
	 "No anchor is written while the chain's least gas price is above it."},
	{"metrics.address", TEXT, 1, 45, "\"127.0.0.1\"", NULL, "Numeric address of metrics."},
	{"metrics.port", NUMBER, 0, 65535, NULL, NULL,
	 "Port of /metrics and /healthz; 0 takes a free one and logs it."},
};

static const struct host_config_table tables[] = {
	{"log", 0, 0, "What is written to standard error."},
	{"enclave", 0, 0, "The sealed process, which caisson-cluster starts itself."},
	{"network", 0, 0, "Whose connections it carries. It reads none of them."},
	{"ask", 0, 0, "Where an operator, and a worker's programs, ask."},
	{"ledger", 0, 1,
	 "Whose nodes tell the time, where the manifest's is [\"ledger\"]. What they say the "
	 "enclave "
	 "checks."},
	{"metrics", 0, 1, "Figures for Prometheus. Without it: none."},
};

const struct host_config_schema *cluster_config_schema(void)
{
	static const struct host_config_schema schema = {keys, CS_LEN(keys), tables,
							 CS_LEN(tables)};
	return &schema;
}

/* A Unix socket's path, relative to the folder of the file. */
static void read_unix(struct host_address *address, struct cluster_config *config, const char *path)
{
	struct cs_why why = {""};
	const char *text = host_config_text(config->file, "%s", path);
	char url[HOST_ADDRESS_SIZE_MAX + 16];
	if (text == NULL)
		return;
	const char *resolved = host_resolve(config->path, text);
	(void)snprintf(url, sizeof url, "unix://%s", resolved);
	if (host_address_parse(address, url, &why) != CS_OK)
		host_config_complain(config->file, path, "%s", why.text);
	free((void *)(uintptr_t)resolved);
}

static void read_tcp(struct host_address *address, struct cluster_config *config, const char *path)
{
	struct cs_why why = {""};
	const char *text = host_config_text(config->file, "%s", path);
	if (text != NULL && host_address_parse(address, text, &why) != CS_OK)
		host_config_complain(config->file, path, "%s", why.text);
}

/* configfs-tsm has no key to seal with; SGX and TPMs have. */
static void read_tee(struct cluster_config *config)
{
	struct host_config *file = config->file;
	const char *path = config->path;
	config->tee = host_config_text(file, "enclave.tee");
	const bool is_tpm = strcmp(config->tee, "tpm") == 0;
	config->tee_state = host_resolve(path, host_config_text(file, "enclave.tee_state"));
	if (is_tpm != (config->tee_state != NULL))
		host_config_complain(file, "enclave.tee_state",
				     is_tpm ? "is needed with the backend tpm"
					    : "is of the backend tpm alone");
	if (!is_tpm && strcmp(config->tee, "gramine") != 0)
		config->seal_root = host_resolve(path, host_config_text(file, "enclave.seal_root"));
	config->collateral_count = host_config_count(file, "enclave.collateral");
	for (uint32_t i = 0; i < config->collateral_count; i++)
		config->collateral[i] =
			host_resolve(path, host_config_text(file, "enclave.collateral[%u]", i));
}

static void read_enclave(struct cluster_config *config)
{
	const struct host_config *file = config->file;
	const char *path = config->path;
	config->enclave_program = host_config_text(file, "enclave.program");
	config->enclave_socket = host_resolve(path, host_config_text(file, "enclave.socket"));
	read_tee(config);
	config->state = host_resolve(path, host_config_text(file, "enclave.state"));
	config->recovery = host_resolve(path, host_config_text(file, "enclave.recovery"));
	config->first = host_config_text(file, "enclave.first");
	config->manifest_count = host_config_count(file, "enclave.manifests");
	for (uint32_t i = 0; i < config->manifest_count; i++)
		config->manifests[i] =
			host_resolve(path, host_config_text(file, "enclave.manifests[%u]", i));
	config->enclave_arg_count = host_config_count(file, "enclave.args");
	for (uint32_t i = 0; i < config->enclave_arg_count; i++)
		config->enclave_args[i] = host_config_text(file, "enclave.args[%u]", i);
}

static void read_ledger(struct cluster_config *config)
{
	const struct host_config *file = config->file;
	const char *id = host_config_text(file, "ledger.id");
	const char *tag = host_config_text(file, "ledger.tag");
	if (id == NULL || tag == NULL)
		return;
	/* The rows have checked both. */
	config->ledger.chain_id = strchr(id, ':') + 1;
	if (cs_unhex(config->ledger.tag.b, sizeof config->ledger.tag.b, cs_bytes_str(tag)) != CS_OK)
		config->ledger.chain_id = NULL;
	config->ledger.node_count = host_config_count(file, "ledger.nodes");
	for (uint32_t i = 0; i < config->ledger.node_count; i++)
		config->ledger.nodes[i] = host_config_text(file, "ledger.nodes[%u]", i);
	config->ledger.key_file =
		host_resolve(config->path, host_config_text(file, "ledger.key_file"));
	config->ledger.gas_price_max = (uint64_t)host_config_number(file, "ledger.gas_price_max");
}

static void read_values(struct cluster_config *config)
{
	struct host_config *file = config->file;
	struct cs_why why = {""};
	config->role_name = host_config_text(file, "role");
	(void)find_role(&config->role, config->role_name); /* the row has checked it */
	config->application = host_config_text(file, "application");
	if (host_log_level_parse(&config->log_level, host_config_text(file, "log.level")) != CS_OK)
		config->log_level = HOST_LOG_INFO;
	config->log_json = host_config_bool(file, "log.json");
	/* Without the table there is no address either. */
	config->metrics_address = host_config_text(file, "metrics.address");
	config->has_metrics = config->metrics_address != NULL;
	if (config->has_metrics)
		config->metrics_port = (uint16_t)host_config_number(file, "metrics.port");
	config->peer_count = host_config_count(file, "network.peers");
	read_enclave(config);
	read_ledger(config);
	read_tcp(&config->listen, config, "network.listen");
	read_unix(config->role == CLUSTER_GUARD ? &config->local : &config->guard, config,
		  "network.local");
	read_unix(&config->ask, config, "ask.socket");
	for (uint32_t i = 0; i < config->peer_count; i++)
		if (host_address_parse(&config->peers[i],
				       host_config_text(file, "network.peers[%u]", i),
				       &why) != CS_OK)
			host_config_complain(file, "network.peers", "%s", why.text);
}

static void check_role_keys(struct cluster_config *config)
{
	struct host_config *file = config->file;
	const enum cluster_role role = config->role;
	if ((role == CLUSTER_WORKER) != (config->application != NULL))
		host_config_complain(file, "application", "%s",
				     role == CLUSTER_WORKER ? "is required of a worker"
							    : "is a worker's alone");
	if (role == CLUSTER_KEY_SERVER && config->listen.name[0] == 0)
		host_config_complain(file, "network.listen", "is required of a key server");
	if (role == CLUSTER_GUARD && config->listen.name[0] != 0)
		host_config_complain(file, "network.listen", "a guard has no such port");
	if (role == CLUSTER_GUARD && config->peer_count == 0)
		host_config_complain(file, "network.peers", "a guard needs a key server");
	if (role == CLUSTER_KEY_SERVER && config->guard.name[0] != 0)
		host_config_complain(file, "network.local", "a key server has no such socket");
	if (role != CLUSTER_KEY_SERVER && config->local.name[0] == 0 && config->guard.name[0] == 0)
		host_config_complain(file, "network.local", "is required of a %s",
				     config->role_name);
}

enum cs_err cluster_config_load(struct cluster_config *config, const char *path)
{
	memset(config, 0, sizeof *config);
	config->path = host_text(path);
	config->file = host_config_load(cluster_config_schema(), path);
	if (host_config_error_count(config->file) == 0)
		read_values(config);
	if (host_config_error_count(config->file) == 0)
		check_role_keys(config);
	return host_config_error_count(config->file) == 0 ? CS_OK : CS_ERR_INVALID;
}

static void free_text(const char *text)
{
	free((void *)(uintptr_t)text);
}

void cluster_config_free(struct cluster_config *config)
{
	free_text(config->enclave_socket);
	free_text(config->seal_root);
	free_text(config->ledger.key_file);
	free_text(config->tee_state);
	for (uint32_t i = 0; i < config->collateral_count; i++)
		free_text(config->collateral[i]);
	free_text(config->state);
	free_text(config->recovery);
	for (uint32_t i = 0; i < config->manifest_count; i++)
		free_text(config->manifests[i]);
	host_config_free(config->file);
	free_text(config->path);
}
