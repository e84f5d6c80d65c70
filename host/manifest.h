/* What a gateway and an oracle's host need of the manifest (docs/protocol/manifest.md): the chains'
 * names, identities and contracts, and the hash by which the enclave calls it. The enclave checks signatures and
 * form; here only what is used is read. */
#ifndef HOST_MANIFEST_H
#define HOST_MANIFEST_H

#include "core/caip.h"
#include "core/hash.h"
#include "core/limits.h"

/* The mode whose final blocks are named by providers that the enclave asks. */
#define HOST_RPC_QUORUM "rpc_quorum"

struct host_manifest_chain {
	char caip2[CS_CAIP2_SIZE_MAX + 1];
	uint64_t chain_id;      /* of eip155, else 0 */
	struct cs_hash genesis; /* hash of block 0; of a ledger its tag */
	struct cs_address gateway;
	struct cs_hash identity;
	char mode[24];
	uint64_t anchor_height;
	struct cs_hash anchor_hash;
	uint64_t confirmations;
	uint64_t reorg_margin_s;
	uint64_t trusting_period_s; /* without a final block for so long the client is of no use */
	uint64_t gas_limit_max;
	struct cs_address sweep_to; /* where what is on the gas account may go */
	uint64_t abandoned_height;  /* of the conflict that the manifest decides; 0: none */
	size_t remote_count;
	struct cs_hash remotes[CS_MANIFEST_REMOTES_MAX];
};

/* The bridge's ledger, where the enclave takes its time from it. */
struct host_manifest_ledger {
	bool is_there;
	char caip2[CS_CAIP2_SIZE_MAX + 1];
	struct cs_hash genesis;  /* its tag */
	struct cs_hash identity; /* of its register of enclaves */
	uint64_t anchor_height;
	uint64_t quorum; /* time keys that must answer */
	uint64_t proof_age_max_s;
	uint64_t anchor_lag_max;
	bool registration_wanted; /* of enclaves whose keys are learned */
};

struct host_manifest {
	char name[CS_MANIFEST_NAME_SIZE_MAX + 1];
	struct cs_hash hash;
	struct cs_hash previous; /* hash of the one before; zero: it is the first */
	uint64_t number;
	uint64_t batch_max;
	bool insecure_host_time;
	struct host_manifest_ledger ledger;
	size_t chain_count;
	struct host_manifest_chain chains[CS_MANIFEST_CHAINS_MAX];
};

/* The errors of cs_json_parse_canonical and its members, UNSUPPORTED for a chain that is neither
 * of eip155 nor of cosmos; why names the field. */
CS_NODISCARD enum cs_err host_manifest_read(struct host_manifest *manifest, struct cs_bytes file,
					    struct cs_why *why);
/* The errors of host_file_load too. */
CS_NODISCARD enum cs_err host_manifest_load(struct host_manifest *manifest, const char *path,
					    struct cs_why *why);

/* Is next the one after this in its lineage, by number and hash? Who signed it the enclave checks.
 * WRONG_MANIFEST, with why. */
CS_NODISCARD enum cs_err host_manifest_follows(const struct host_manifest *next,
					       const struct host_manifest *before,
					       struct cs_why *why);

/* NULL when there is none. */
const struct host_manifest_chain *host_manifest_chain(const struct host_manifest *manifest,
						      const struct cs_hash *identity);
const struct host_manifest_chain *host_manifest_named(const struct host_manifest *manifest,
						      const char *caip2);
bool host_manifest_lists(const struct host_manifest_chain *chain, const struct cs_hash *remote);

#endif
