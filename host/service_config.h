/* The part of a configuration that every service has: its log, REST, journal, enclave, egress,
 * pauses and the chains that it follows. The rows (service_config.def) are for the service's own table
 * (host/config.h), which adds what it alone knows. Starts nothing. */
#ifndef HOST_SERVICE_CONFIG_H
#define HOST_SERVICE_CONFIG_H

#include "core/caip.h"
#include "host/attested.h"
#include "host/config.h"
#include "host/egress.h"
#include "host/log.h"
#include "host/manifest.h"

#define HOST_RPC_MAX 8u
#define HOST_MANIFESTS_MAX 64u
#define HOST_ENCLAVE_ARGS_MAX 16u

/* ---- what a row may say ---- */
CS_NODISCARD enum cs_err host_check_log_level(const char *text, struct cs_why *why);
CS_NODISCARD enum cs_err host_check_tee(const char *text, struct cs_why *why);
CS_NODISCARD enum cs_err host_check_caip2(const char *text, struct cs_why *why);
CS_NODISCARD enum cs_err host_check_http(const char *text, struct cs_why *why);
CS_NODISCARD enum cs_err host_check_ws(const char *text, struct cs_why *why);
CS_NODISCARD enum cs_err host_check_tcp(const char *text, struct cs_why *why);
CS_NODISCARD enum cs_err host_check_ledger_id(const char *text, struct cs_why *why);
CS_NODISCARD enum cs_err host_check_hash(const char *text, struct cs_why *why);

/* ---- values: texts are the file's or copies; host_service_free frees the copies ---- */

struct host_service {
	enum host_log_level log_level;
	bool log_json;
	const char *address;
	uint16_t port;
	const char *keys_file;
	const char *journal;
	const char *enclave_program;
	const char *enclave_socket;
	const char *enclave_seal_root; /* NULL: the hardware has its own */
	const char *enclave_tee;
	const char *enclave_tee_state; /* NULL unless enclave_tee is "tpm" */
	const char *enclave_args[HOST_ENCLAVE_ARGS_MAX];
	size_t enclave_arg_count;
	const char *manifests[HOST_MANIFESTS_MAX]; /* the lineage, first to newest */
	size_t manifest_count;
	const char *trust_store; /* NULL: there is none */
	const char *logs;        /* of certificates; NULL: there are none */
	struct host_egress_options egress;
	struct host_attested_config attested; /* address NULL: there is no such table */
	unsigned retry_min_ms;
	unsigned retry_max_ms;
};

struct host_chain_config {
	const char *id; /* CAIP-2 */
	const struct host_manifest_chain *manifest;
	const char *http[HOST_RPC_MAX];
	size_t http_count;
	const char *ws[HOST_RPC_MAX];
	size_t ws_count;
	uint64_t start_height;
	unsigned block_time_ms;
	bool blocks_on_demand;
	unsigned hedge_percent; /* 0: no hedges */
	unsigned hedge_delay_min_ms;
	unsigned hedge_delay_max_ms;
	unsigned settle_blocks;
	unsigned reorg_blocks_max; /* 0: no bound */
	unsigned replace_blocks;
	unsigned in_flight_max;
	uint64_t max_fee_wei;
	uint64_t min_priority_fee_wei;
	const char *operator_key_file; /* NULL: there is no such account */
};

/* The table [ledger]: the bridge's ledger, to which the service writes. */
struct host_ledger_config {
	const char *id;       /* CAIP-2; NULL: there is no such table */
	const char *chain_id; /* what follows "cosmos:" */
	struct cs_hash tag;
	const char *nodes[HOST_RPC_MAX];
	size_t node_count;
	const char *key_file;
	uint64_t gas_price_max;
	unsigned block_time_ms;
};

/* Only of a file without errors, whose table has the rows of service_config.def and those of [api],
 * [journal], [enclave] and [egress] that the members name. path: of the file; relative ones are
 * relative to its folder. */
void host_service_read(struct host_service *service, struct host_config *file, const char *path);
void host_service_free(struct host_service *service);
/* `networks` and `names` of a table whose rows were checked; the copies are freed by
 * host_egress_config_free. */
void host_egress_config_read(struct host_egress_options *egress, const struct host_config *file,
			     const char *table);
void host_egress_config_free(struct host_egress_options *egress);
/* Of a file whose table has the rows of SERVICE_ATTESTED. */
void host_attested_config_read(struct host_attested_config *attested,
			       const struct host_config *file);
/* Of entry i of [[chains]]; manifest is the caller's to find. */
void host_chain_config_read(struct host_chain_config *chain, const struct host_config *file,
			    const char *path, uint32_t i);
void host_chain_config_free(struct host_chain_config *chain);
/* Of a file whose table has the rows of SERVICE_LEDGER. */
void host_ledger_config_read(struct host_ledger_config *ledger, const struct host_config *file,
			     const char *path);
void host_ledger_config_free(struct host_ledger_config *ledger);
/* What spans several keys: the pauses, and a chain that is there twice. Before any other complaint:
 * it reads the file. */
void host_service_check(const struct host_service *service, struct host_config *file);

/* Wall clock of the next try after this many failures: the pauses double. */
uint64_t host_service_next_try_ms(const struct host_service *service, uint32_t tries);

/* A copy of text, relative to the folder of the file at path; NULL of NULL. */
const char *host_resolve(const char *path, const char *text);

#endif
