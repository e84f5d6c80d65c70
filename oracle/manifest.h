/* What an oracle's host needs of the manifest (docs/protocol/manifest.md, boundary-oracle.md): the
 * part of every chain that every host process reads, the lineage, and the contracts that take answers.
 * The enclave checks signatures and form; here only what is used is read. */
#ifndef ORACLE_MANIFEST_H
#define ORACLE_MANIFEST_H

#include "host/manifest.h"

#define ORACLE_CONTRACTS_MAX 16u

struct oracle_manifest_contract {
	const struct host_manifest_chain *chain;
	struct cs_address address;
	bool feeds;              /* takes rounds of feeds; else it takes requests */
	struct cs_hash identity; /* the receiver of its answers */
};

struct oracle_manifest {
	struct host_manifest base;
	struct cs_hash lineage;  /* hash of the first manifest */
	struct cs_hash identity; /* of the oracle: the signer of every answer */
	size_t contract_count;
	struct oracle_manifest_contract contracts[ORACLE_CONTRACTS_MAX];
};

/* paths: the lineage, first to newest, count from 1. The contracts point into *manifest, which must
 * not move. The errors of host_manifest_load; MISSING_FIELD: the newest names no oracle;
 * NOT_IN_MANIFEST: a contract on a chain that is not there. why names file and field. */
CS_NODISCARD enum cs_err oracle_manifest_load(struct oracle_manifest *manifest,
					      const char *const *paths, size_t count,
					      struct cs_why *why);

#endif
