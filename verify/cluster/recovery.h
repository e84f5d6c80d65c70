/* Recovery: when no Key Server is left, r of n holders of recovery keys give their shares to a new one, after
 * each has seen by evidence that it is of a build that the manifest names. Never gives anybody the state
 * itself, and no holder learns anything about it alone. */
#ifndef CLUSTER_RECOVERY_H
#define CLUSTER_RECOVERY_H

#include "core/shamir.h"
#include "verify/cluster/key_server.h"

/* Appends a ClusterRecovery for the recovery keys of the manifest in force. CONFLICT: the manifest has none;
 * NO_KEY: there is no cluster; WRONG_KEY: a recovery key that is none. */
CS_NODISCARD enum cs_err cluster_recovery_make(const struct cluster_key_server *ks,
					       struct cs_buf *out,
					       const struct cluster_tools *tools,
					       const struct cs_secret *random, struct cs_why *why);

/* ---- the new Key Server ---- */

/* Appends a ClusterRecoverRequest; the box is kept until the shares are there. CONFLICT: it has state;
 * WRONG_LINEAGE, WRONG_MANIFEST: the recovery is not of this manifest's chain. */
CS_NODISCARD enum cs_err cluster_recovery_ask(const struct cluster_key_server *ks,
					      struct cs_secret *box, struct cs_buf *out,
					      struct cs_bytes recovery,
					      const struct cluster_tools *tools,
					      const struct cs_secret *random, struct cs_why *why);
struct cluster_recovery_answers {
	struct cs_bytes recovery;
	const struct cs_bytes *shares; /* each a ClusterRecoverShare */
	size_t count;
};
/* Takes the state from the recovery and as many ClusterRecoverShares as its threshold says, and begins a new
 * epoch with it. UNAUTHORIZED: too few; SEAL_BROKEN: shares of something else, or for somebody else. *ks is
 * not changed by a failure. The caller seals. */
CS_NODISCARD enum cs_err cluster_recovery_take(struct cluster_key_server *ks,
					       const struct cs_secret *box,
					       const struct cluster_recovery_answers *answers,
					       const struct cluster_tools *tools,
					       const struct cs_secret *random,
					       const struct verify_time *now, struct cs_why *why);

/* ---- a holder ---- */

struct cluster_recovery_question {
	struct cs_bytes recovery;
	struct cs_bytes request; /* ClusterRecoverRequest */
	const struct verify_time *now;
};
/* Opens the holder's share of the recovery and seals it to who asks: a ClusterRecoverShare; *asker says who
 * that is. `manifest` is the newest that the holder knows. Errors of cluster_evidence_verify; WRONG_LINEAGE, WRONG_MANIFEST; SEAL_BROKEN:
 * there is no share for `holder`. */
CS_NODISCARD enum cs_err cluster_recovery_answer(struct cs_buf *out, struct cluster_peer *asker,
						 const struct cluster_recovery_question *question,
						 const struct cs_secret *holder,
						 const struct cluster_manifest *manifest,
						 const struct cluster_tools *tools,
						 const struct cs_secret *random,
						 struct cs_why *why);

#endif
