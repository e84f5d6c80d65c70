/* The configuration of one gateway: a file read whole through one table (host/config.h), with what
 * spans several keys checked too, and the public part of the manifest that it names. Knows what is
 * allowed, starts nothing. */
#ifndef GATEWAY_CONFIG_H
#define GATEWAY_CONFIG_H

#include "host/http_server.h"
#include "host/service_config.h"

#define GATEWAY_CHAINS_MAX 8u
/* Of a chain: as many as its enclave has (enclave/state.h). */
#define GATEWAY_GAS_ACCOUNTS_MAX 16u
#define GATEWAY_PEERS_MAX 16u
#define GATEWAY_ROUTES_MAX 64u

/* How a message that was not delivered in time is proven dead (docs/protocol/envelope.md section
 * 4). */
enum gateway_expire {
	GATEWAY_EXPIRE_TOMBSTONE, /* a transaction writes it at the destination */
	GATEWAY_EXPIRE_ABSENCE, /* none or failed in a final block past the deadline: no transaction
				 */
};

/* What an API key may do: docs/rest.md. */
enum gateway_scope {
	GATEWAY_SCOPE_READ = 1 << 0,
	GATEWAY_SCOPE_SEND = 1 << 1,
	GATEWAY_SCOPE_SPONSOR = 1 << 2, /* with SEND: from the operator's account */
	GATEWAY_SCOPE_OPERATE = 1 << 3,
	GATEWAY_SCOPE_PEER = 1 << 4,
	GATEWAY_SCOPE_WEBHOOK = 1 << 5,
};
#define GATEWAY_SCOPES "read, send, sponsor, operate, peer, webhook"
extern const char *const gateway_scope_names[]; /* by bit, then NULL */

struct gateway_chain_config {
	struct host_chain_config common;
	bool has_bridge;
	struct cs_address bridge;
	bool has_token;
	struct cs_address token;
	unsigned gas_accounts;
};

/* How the enclave behind a peer is looked at. */
struct gateway_peer_attested {
	const char *place;      /* HOST:PORT of its attested port; NULL: it is not */
	const char *policy;     /* file; NULL without place alone */
	const char *collateral; /* file or folder; NULL: none */
	const char *roots;      /* file; NULL: none */
	struct cs_hash lineage; /* ours where the file names none */
	bool has_lineage;       /* the file names one */
	unsigned every_s;
};

struct gateway_peer_config {
	const char *name;
	const char *url;
	const char *api_key_file;
	struct gateway_peer_attested attested;
	const char *chains[GATEWAY_CHAINS_MAX];
	size_t chain_count;
};

struct gateway_route_config {
	const char *from_name; /* CAIP-2 */
	const char *to_name;
	struct cs_hash from;
	struct cs_hash to;
	enum gateway_expire expire;
};

struct gateway_webhooks_config {
	const char *key_file;
	struct host_networks networks; /* that receivers may be in, beside the public ones */
	bool insecure_http;
	const char *ca_file; /* NULL: the system's */
	unsigned timeout_ms;
	unsigned attempts_max;
	unsigned retry_min_ms;
	unsigned retry_max_ms;
	unsigned overlap_s;
};

struct gateway_config {
	struct host_config
		*file; /* errors, and what is written again; the texts below are copies */
	const char *path;
	const char *name;
	struct host_service service;
	struct host_ledger_config ledger; /* id NULL: none */
	unsigned lease_s;
	struct gateway_webhooks_config webhooks;
	const char *cors_origins[HOST_CORS_ORIGINS_MAX];
	size_t cors_origin_count;
	struct host_rate_terms rate;
	uint16_t events_port;
	unsigned readers_max;
	bool asks_providers; /* a chain is of the mode rpc_quorum: the enclave needs a proxy */
	unsigned batch_max;
	uint64_t batch_gas_max;
	unsigned pull_ms;
	unsigned export_ms;
	unsigned drain_ms;
	unsigned events_kept;
	unsigned proofs_after_s;
	unsigned proofs_mb;
	struct host_manifest manifest; /* the newest one */
	struct gateway_chain_config chains[GATEWAY_CHAINS_MAX];
	size_t chain_count;
	struct gateway_peer_config peers[GATEWAY_PEERS_MAX];
	size_t peer_count;
	struct gateway_route_config routes[GATEWAY_ROUTES_MAX];
	size_t route_count;
};

/* The table, for the sample and the reference page. */
const struct host_config_schema *gateway_config_schema(void);

/* with_manifest: reads and checks the manifest too; false where contracts are not deployed yet.
 * Never fails halfway: what is wrong is in host_config_error of config->file, and then nothing else
 * of it may be used. Relative paths are relative to the file's folder. INVALID when there is any
 * error. */
CS_NODISCARD enum cs_err gateway_config_load(struct gateway_config *config, const char *path,
					     bool with_manifest);
void gateway_config_free(struct gateway_config *config);

enum gateway_expire gateway_config_expire(const struct gateway_config *config,
					  const struct cs_hash *from, const struct cs_hash *to);

#endif
