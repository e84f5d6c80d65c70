/* Which configuration a running gateway may go over to when its manifest or its chains become others:
 * what only adds, with a manifest that follows the one in force. Compares; starts and stores nothing. */
#ifndef GATEWAY_SUCCESSION_H
#define GATEWAY_SUCCESSION_H

#include "gateway/config.h"

/* Names what an enclave runs under: the newest manifest, and the chains that it serves, in the file's
 * order. Both configurations were loaded with their manifest. */
struct cs_hash gateway_plan_of(const struct gateway_config *config);

/* The files of fresh->enclave.manifests from the manifest in force on: each names the one before by
 * number and hash. The errors of host_manifest_load; WRONG_MANIFEST for one that is older, of
 * another bridge or another branch; why names the file. */
CS_NODISCARD enum cs_err gateway_lineage_check(const struct gateway_config *now,
					       const struct gateway_config *fresh,
					       struct cs_why *why);

/* What both manifests say of `served`, a chain that is served already, of its remotes, and of the time
 * lets a process go on with it: where it is, how its blocks become final and what was decided after a
 * freeze are the same, and no remote is gone. UNSUPPORTED: it takes a start; why says what. */
CS_NODISCARD enum cs_err gateway_chain_goes_on(const struct host_manifest *now,
					       const struct host_manifest *next,
					       const struct host_manifest_chain *served,
					       struct cs_why *why);
CS_NODISCARD enum cs_err gateway_time_goes_on(const struct host_manifest *now,
					      const struct host_manifest *next, struct cs_why *why);

#endif
