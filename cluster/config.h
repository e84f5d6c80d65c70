/* The configuration of one process of a key cluster (docs/cluster-config.md): its role, its enclave, where it
 * listens and whom it reaches. Starts nothing. */
#ifndef CLUSTER_CONFIG_H
#define CLUSTER_CONFIG_H

#include "host/config.h"
#include "host/log.h"
#include "host/service_config.h"
#include "host/stream.h"
#include "verify/cluster/cluster.h"

#define CLUSTER_ADDRESSES_MAX 64u
#define CLUSTER_HOST_MANIFESTS_MAX 64u
#define CLUSTER_ENCLAVE_ARGS_MAX 16u
#define CLUSTER_HOST_COLLATERAL_MAX 8u

const struct host_config_schema *cluster_config_schema(void);

/* An address that is not configured has no name. */
struct cluster_config {
	const char *path;
	struct host_config *file;
	enum cluster_role role;
	const char *role_name;
	const char *application; /* of a worker; else NULL */
	enum host_log_level log_level;
	bool log_json;
	const char *enclave_program;
	const char *enclave_socket;
	const char *seal_root; /* NULL: the hardware has its own */
	const char *tee;
	const char *tee_state; /* NULL unless tee is "tpm" */
	const char *collateral[CLUSTER_HOST_COLLATERAL_MAX];
	uint32_t collateral_count;
	const char *state;
	const char *recovery; /* of a key server */
	const char *enclave_args[CLUSTER_ENCLAVE_ARGS_MAX];
	uint32_t enclave_arg_count;
	const char *first; /* hash of the first manifest, hex */
	const char *manifests[CLUSTER_HOST_MANIFESTS_MAX];
	uint32_t manifest_count;
	struct host_address listen;                       /* TCP */
	struct host_address local;                        /* of a guard: a Unix socket */
	struct host_address guard;                        /* of a worker: the same */
	struct host_address peers[CLUSTER_ADDRESSES_MAX]; /* key servers, or other workers */
	uint32_t peer_count;
	struct host_address ask; /* a Unix socket */
	struct {
		const char *chain_id; /* NULL: there is no such table */
		struct cs_hash tag;
		const char *nodes[HOST_RPC_MAX];
		uint32_t node_count;
		const char *key_file; /* NULL: no anchor is written */
		uint64_t gas_price_max;
	} ledger;
	const char *metrics_address;
	uint16_t metrics_port;
	bool has_metrics;
};

/* INVALID: what is wrong is in host_config_error of config->file. Freed in any case by
 * cluster_config_free. */
CS_NODISCARD enum cs_err cluster_config_load(struct cluster_config *config, const char *path);
void cluster_config_free(struct cluster_config *config);

#endif
