#include "host/service_config.h"

#include "host/alloc.h"
#include "host/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what a row may say ---- */

enum cs_err host_check_log_level(const char *text, struct cs_why *why)
{
	enum host_log_level level;
	if (host_log_level_parse(&level, text) != CS_OK)
		return cs_fail(why, CS_ERR_INVALID, "is none of debug, info, warn, error");
	return CS_OK;
}

enum cs_err host_check_tee(const char *text, struct cs_why *why)
{
	static const char *const names[] = {"simulated", "gramine", "tsm", "tpm"};
	for (size_t i = 0; i < CS_LEN(names); i++)
		if (strcmp(names[i], text) == 0)
			return CS_OK;
	return cs_fail(why, CS_ERR_INVALID, "is none of simulated, gramine, tsm, tpm");
}

enum cs_err host_check_caip2(const char *text, struct cs_why *why)
{
	struct cs_caip2 name;
	enum cs_err err = cs_caip2_parse(&name, cs_bytes_str(text));
	if (err == CS_OK && !cs_bytes_eq(name.namespace, cs_bytes_str("eip155")) &&
	    !cs_bytes_eq(name.namespace, cs_bytes_str("cosmos")))
		err = CS_ERR_UNSUPPORTED;
	if (err != CS_OK)
		return cs_fail(why, err, "is no CAIP-2 id of eip155 or cosmos such as eip155:1");
	return CS_OK;
}

enum cs_err host_check_http(const char *text, struct cs_why *why)
{
	if (strncmp(text, "http://", 7) != 0 && strncmp(text, "https://", 8) != 0)
		return cs_fail(why, CS_ERR_MALFORMED, "does not begin with http:// or https://");
	return CS_OK;
}

enum cs_err host_check_ws(const char *text, struct cs_why *why)
{
	if (strncmp(text, "ws://", 5) != 0 && strncmp(text, "wss://", 6) != 0)
		return cs_fail(why, CS_ERR_MALFORMED, "does not begin with ws:// or wss://");
	return CS_OK;
}

/* What a ledger's CAIP-2 id begins with. */
#define COSMOS "cosmos:"

enum cs_err host_check_ledger_id(const char *text, struct cs_why *why)
{
	struct cs_caip2 name;
	if (cs_caip2_parse(&name, cs_bytes_str(text)) != CS_OK ||
	    strncmp(text, COSMOS, strlen(COSMOS)) != 0)
		return cs_fail(why, CS_ERR_INVALID, "is no CAIP-2 id such as cosmos:ledger-1");
	return CS_OK;
}

enum cs_err host_check_tcp(const char *text, struct cs_why *why)
{
	struct host_address address;
	CS_TRY(host_address_parse(&address, text, why));
	return address.is_unix ? cs_fail(why, CS_ERR_INVALID, "is no ADDRESS:PORT") : CS_OK;
}

enum cs_err host_check_hash(const char *text, struct cs_why *why)
{
	struct cs_hash hash;
	if (strncmp(text, "0x", 2) != 0 ||
	    cs_unhex(hash.b, sizeof(hash.b), cs_bytes_str(text)) != CS_OK || cs_hash_is_zero(&hash))
		return cs_fail(why, CS_ERR_MALFORMED, "is no hash: 0x and 64 hex digits, not 0");
	return CS_OK;
}

/* ---- values ---- */

const char *host_resolve(const char *path, const char *text)
{
	const char *slash = strrchr(path, '/');
	if (!text || text[0] == '/' || !slash)
		return text ? host_text(text) : NULL;
	size_t folder = (size_t)(slash - path) + 1;
	size_t size = folder + strlen(text) + 1;
	char *resolved = host_alloc(size);
	memcpy(resolved, path, folder);
	memcpy(resolved + folder, text, strlen(text) + 1);
	return resolved;
}

/* configfs-tsm has no key to seal with; SGX and TPMs have. */
static void read_tee(struct host_service *service, struct host_config *file, const char *path)
{
	const char *tee = host_config_text(file, "enclave.tee");
	const bool is_tpm = strcmp(tee, "tpm") == 0;
	service->enclave_tee = tee;
	service->enclave_tee_state =
		host_resolve(path, host_config_text(file, "enclave.tee_state"));
	if (is_tpm != (service->enclave_tee_state != NULL))
		host_config_complain(file, "enclave.tee_state",
				     is_tpm ? "is needed with the backend tpm"
					    : "is of the backend tpm alone");
	if (!is_tpm && strcmp(tee, "gramine") != 0)
		service->enclave_seal_root =
			host_resolve(path, host_config_text(file, "enclave.seal_root"));
}

static void read_enclave(struct host_service *service, struct host_config *file, const char *path)
{
	const char *program = host_config_text(file, "enclave.program");
	service->enclave_program =
		strchr(program, '/') ? host_resolve(path, program) : host_text(program);
	service->enclave_socket = host_resolve(path, host_config_text(file, "enclave.socket"));
	read_tee(service, file, path);
	service->trust_store = host_resolve(path, host_config_text(file, "enclave.trust_store"));
	service->logs = host_resolve(path, host_config_text(file, "enclave.logs"));
	service->enclave_arg_count = host_config_count(file, "enclave.args");
	for (uint32_t i = 0; i < service->enclave_arg_count; i++)
		service->enclave_args[i] = host_config_text(file, "enclave.args[%u]", i);
	service->manifest_count = host_config_count(file, "enclave.manifests");
	for (uint32_t i = 0; i < service->manifest_count; i++)
		service->manifests[i] =
			host_resolve(path, host_config_text(file, "enclave.manifests[%u]", i));
}

void host_egress_config_read(struct host_egress_options *egress, const struct host_config *file,
			     const char *table)
{
	egress->network_count = host_config_count(file, "%s.networks", table);
	for (uint32_t i = 0; i < egress->network_count; i++)
		egress->networks[i] = host_config_text(file, "%s.networks[%u]", table, i);
	egress->name_count = host_config_count(file, "%s.names", table);
	for (uint32_t i = 0; i < egress->name_count; i++) {
		char *name = host_text(host_config_text(file, "%s.names[%u]", table, i));
		char *equals = strchr(name, '=');
		*equals = 0;
		egress->names[i] = (struct host_egress_name){name, equals + 1};
	}
}

void host_egress_config_free(struct host_egress_options *egress)
{
	for (size_t i = 0; i < egress->name_count; i++)
		free((void *)(uintptr_t)egress->names[i].name);
	egress->name_count = 0;
}

void host_attested_config_read(struct host_attested_config *attested,
			       const struct host_config *file)
{
	*attested = (struct host_attested_config){
		.address = host_config_text(file, "attested.address")};
	if (!attested->address)
		return;
	attested->connections_max = (uint32_t)host_config_number(file, "attested.connections_max");
	attested->connections_per_s =
		(uint32_t)host_config_number(file, "attested.connections_per_s");
	attested->idle_ms = (uint32_t)host_config_number(file, "attested.idle_ms");
}

void host_service_read(struct host_service *service, struct host_config *file, const char *path)
{
	/* Checked by the table. */
	if (host_log_level_parse(&service->log_level, host_config_text(file, "log.level")) != CS_OK)
		service->log_level = HOST_LOG_INFO;
	service->log_json = host_config_bool(file, "log.json");
	service->address = host_config_text(file, "api.address");
	service->port = (uint16_t)host_config_number(file, "api.port");
	service->keys_file = host_resolve(path, host_config_text(file, "api.keys_file"));
	service->journal = host_resolve(path, host_config_text(file, "journal.path"));
	service->retry_min_ms = (unsigned)host_config_number(file, "relay.retry_min_ms");
	service->retry_max_ms = (unsigned)host_config_number(file, "relay.retry_max_ms");
	read_enclave(service, file, path);
	host_egress_config_read(&service->egress, file, "egress");
	host_attested_config_read(&service->attested, file);
}

void host_service_free(struct host_service *service)
{
	const char *copies[] = {service->keys_file,         service->journal,
				service->enclave_program,   service->enclave_socket,
				service->enclave_seal_root, service->enclave_tee_state,
				service->trust_store,       service->logs};
	for (size_t i = 0; i < CS_LEN(copies); i++)
		free((void *)(uintptr_t)copies[i]);
	for (size_t i = 0; i < service->manifest_count; i++)
		free((void *)(uintptr_t)service->manifests[i]);
	host_egress_config_free(&service->egress);
}

void host_chain_config_read(struct host_chain_config *chain, const struct host_config *file,
			    const char *path, uint32_t i)
{
	chain->id = host_config_text(file, "chains[%u].id", i);
	chain->http_count = host_config_count(file, "chains[%u].rpc", i);
	for (uint32_t k = 0; k < chain->http_count; k++)
		chain->http[k] = host_config_text(file, "chains[%u].rpc[%u]", i, k);
	chain->ws_count = host_config_count(file, "chains[%u].ws", i);
	for (uint32_t k = 0; k < chain->ws_count; k++)
		chain->ws[k] = host_config_text(file, "chains[%u].ws[%u]", i, k);
	chain->start_height = (uint64_t)host_config_number(file, "chains[%u].start_height", i);
	chain->block_time_ms = (unsigned)host_config_number(file, "chains[%u].block_time_ms", i);
	chain->blocks_on_demand = host_config_bool(file, "chains[%u].blocks_on_demand", i);
	chain->hedge_percent = (unsigned)host_config_number(file, "chains[%u].hedge_percent", i);
	chain->hedge_delay_min_ms =
		(unsigned)host_config_number(file, "chains[%u].hedge_delay_min_ms", i);
	chain->hedge_delay_max_ms =
		(unsigned)host_config_number(file, "chains[%u].hedge_delay_max_ms", i);
	chain->settle_blocks = (unsigned)host_config_number(file, "chains[%u].settle_blocks", i);
	chain->reorg_blocks_max =
		(unsigned)host_config_number(file, "chains[%u].reorg_blocks_max", i);
	chain->replace_blocks = (unsigned)host_config_number(file, "chains[%u].replace_blocks", i);
	chain->in_flight_max = (unsigned)host_config_number(file, "chains[%u].in_flight_max", i);
	chain->max_fee_wei =
		(uint64_t)host_config_number(file, "chains[%u].max_fee_gwei", i) * 1000000000u;
	chain->min_priority_fee_wei =
		(uint64_t)host_config_number(file, "chains[%u].min_priority_fee_gwei", i) *
		1000000000u;
	chain->operator_key_file =
		host_resolve(path, host_config_text(file, "chains[%u].operator_key_file", i));
}

void host_chain_config_free(struct host_chain_config *chain)
{
	free((void *)(uintptr_t)chain->operator_key_file);
}

/* ---- the bridge's ledger ---- */

void host_ledger_config_read(struct host_ledger_config *ledger, const struct host_config *file,
			     const char *path)
{
	struct host_ledger_config read = {.id = host_config_text(file, "ledger.id")};
	*ledger = read;
	if (!read.id)
		return;
	read.chain_id = read.id + strlen(COSMOS);
	const char *tag = host_config_text(file, "ledger.tag");
	/* Checked by the table. */
	if (cs_unhex(read.tag.b, sizeof(read.tag.b), cs_bytes_str(tag)) != CS_OK)
		return;
	read.node_count = host_config_count(file, "ledger.nodes");
	for (uint32_t i = 0; i < read.node_count; i++)
		read.nodes[i] = host_config_text(file, "ledger.nodes[%u]", i);
	read.key_file = host_resolve(path, host_config_text(file, "ledger.key_file"));
	read.gas_price_max = (uint64_t)host_config_number(file, "ledger.gas_price_max");
	read.block_time_ms = (unsigned)host_config_number(file, "ledger.block_time_ms");
	*ledger = read;
}

void host_ledger_config_free(struct host_ledger_config *ledger)
{
	free((void *)(uintptr_t)ledger->key_file);
}

void host_service_check(const struct host_service *service, struct host_config *file)
{
	bool twice[HOST_CONFIG_TABLES_MAX] = {false};
	bool hedged_wrongly[HOST_CONFIG_TABLES_MAX] = {false};
	uint32_t count = host_config_count(file, "chains");
	for (uint32_t i = 0; i < count; i++) {
		const char *id = host_config_text(file, "chains[%u].id", i);
		for (uint32_t k = 0; k < i; k++)
			twice[i] = twice[i] ||
				   strcmp(host_config_text(file, "chains[%u].id", k), id) == 0;
		hedged_wrongly[i] = host_config_number(file, "chains[%u].hedge_delay_max_ms", i) <
				    host_config_number(file, "chains[%u].hedge_delay_min_ms", i);
	}
	/* Complaints after all reading: a file that has one has no values. */
	if (service->retry_max_ms < service->retry_min_ms)
		host_config_complain(file, "relay.retry_max_ms", "is below relay.retry_min_ms");
	for (uint32_t i = 0; i < count; i++) {
		char path[HOST_CONFIG_PATH_MAX];
		snprintf(path, sizeof(path), "chains[%u].id", i);
		if (twice[i])
			host_config_complain(file, path, "is there twice");
		snprintf(path, sizeof(path), "chains[%u].hedge_delay_max_ms", i);
		if (hedged_wrongly[i])
			host_config_complain(file, path, "is below hedge_delay_min_ms");
	}
}

uint64_t host_service_next_try_ms(const struct host_service *service, uint32_t tries)
{
	uint64_t pause = service->retry_min_ms;
	for (uint32_t i = 1; i < tries && pause < service->retry_max_ms; i++)
		pause *= 2;
	return host_wall_ms() + (pause < service->retry_max_ms ? pause : service->retry_max_ms);
}
