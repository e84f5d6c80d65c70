/* The configuration of one oracle: a file read whole through one table (host/config.h), with what
 * spans several keys checked too, and the public part of the manifest that it names. Knows what is
 * allowed, starts nothing. */
#ifndef ORACLE_CONFIG_H
#define ORACLE_CONFIG_H

#include "host/service_config.h"
#include "oracle/manifest.h"

#define ORACLE_CHAINS_MAX 8u

/* What an API key may do. */
enum oracle_scope {
	ORACLE_SCOPE_READ = 1 << 0,
	ORACLE_SCOPE_ASK = 1 << 1,
	ORACLE_SCOPE_OPERATE = 1 << 2,
};
#define ORACLE_SCOPES "read, ask, operate"
extern const char *const oracle_scope_names[]; /* by bit, then NULL */

struct oracle_chain_config {
	struct host_chain_config common;
	bool refund;              /* what passed its deadline is refunded by us too */
	unsigned fee_min_percent; /* of what bringing an answer costs; below it waits. 0: any fee */
	/* Calls that bring no fee: gas in an hour, and the largest callback. */
	uint64_t unpaid_gas_max;
	uint64_t unpaid_asker_gas_max;
	uint64_t unpaid_callback_gas_max;
};

struct oracle_config {
	struct host_config *file; /* errors; the texts below are its own or copies */
	const char *path;
	const char *name;
	struct host_service service;
	struct host_ledger_config ledger; /* id NULL: none */
	unsigned waiting_max;             /* requests of apps that are open at a time */
	unsigned rate_max;                /* new requests of one key per second */
	uint64_t specs_size_max;          /* bytes of the specs that one key published */
	unsigned wait_ms;   /* so long POST /v1/oracle/requests waits for the answer */
	unsigned kept_days; /* ended requests, rounds of feeds, settled calls */
	unsigned export_ms;
	struct oracle_manifest manifest;
	/* of chains whose final blocks are named by providers */
	bool asks_providers;               /* the manifest has a contract on one */
	const char *providers_trust_store; /* NULL: there is none */
	const char *providers_logs;
	struct host_egress_options providers_egress;
	struct oracle_chain_config chains[ORACLE_CHAINS_MAX];
	size_t chain_count;
};

/* The table, for the sample and the reference page. */
const struct host_config_schema *oracle_config_schema(void);

/* with_manifest: reads the manifests too; false where contracts are not deployed yet. Never fails
 * halfway: what is wrong is in host_config_error of config->file, and then nothing else of it may
 * be used. Relative paths are relative to the file's folder. INVALID when there is any error.
 * *config must not move: chains point into its manifest. */
CS_NODISCARD enum cs_err oracle_config_load(struct oracle_config *config, const char *path,
					    bool with_manifest);
void oracle_config_free(struct oracle_config *config);

#endif
