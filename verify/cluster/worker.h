/* The Worker: shows evidence to its Guard, checks by itself that what comes back is of a Key Server that
 * the manifest names, and holds its application's keys until its certificate ends. Needs to know nothing
 * of the hardware of any peer. */
#ifndef CLUSTER_WORKER_H
#define CLUSTER_WORKER_H

#include "verify/cluster/key_server.h"

struct cluster_worker {
	const struct cluster_manifest *manifest;
	struct cluster_pair identity; /* of its certificates */
	size_t application_size;
	char application[CLUSTER_APPLICATION_SIZE_MAX + 1];
	/* The request that waits for its grant. */
	bool waiting;
	struct cs_secret box;
	struct cs_hash csr;
	/* What the last grant gave. */
	struct cluster_ring ring;
	struct cluster_trust trust;
	size_t certificate_size; /* 0: none yet */
	uint8_t certificate[CLUSTER_CERTIFICATE_SIZE_MAX];
	uint64_t begun_s;         /* notBefore of the certificate, without the skew */
	uint64_t manifest_number; /* the highest that a grant was made under */
	uint64_t epoch;           /* the highest seen */
	bool has_anchor_key;
	struct cs_ed25519_key anchor_key; /* of the first grant; never another */
};

/* INVALID: no name of an application; CRYPTO. */
CS_NODISCARD enum cs_err cluster_worker_init(struct cluster_worker *worker,
					     const struct cluster_manifest *manifest,
					     struct cs_bytes application,
					     const struct cs_secret *random);
void cluster_worker_done(struct cluster_worker *worker);
CS_NODISCARD enum cs_err cluster_worker_encode(const struct cluster_worker *worker,
					       struct cs_buf *out, struct cs_arena *arena,
					       struct cs_why *why);
/* Keys of a certificate that has ended are not taken back: then it joins anew. WRONG_LINEAGE,
 * NOT_IN_MANIFEST (another application), codec's errors. */
CS_NODISCARD enum cs_err cluster_worker_restore(struct cluster_worker *worker,
						struct cs_bytes state,
						const struct cluster_tools *tools,
						const struct verify_time *now, struct cs_why *why);
CS_NODISCARD enum cs_err cluster_worker_manifest(struct cluster_worker *worker,
						 const struct cluster_manifest *next,
						 struct cs_why *why);

/* Without keys, past half of the certificate's life, or a grant was made under an older manifest. */
bool cluster_worker_due(const struct cluster_worker *worker, const struct verify_time *now);
/* A Guard's ClusterChallengeReply becomes a ClusterJoinRequest; replaces one that waits. */
CS_NODISCARD enum cs_err cluster_worker_ask(struct cluster_worker *worker, struct cs_buf *out,
					    struct cs_bytes challenge,
					    const struct cluster_tools *tools,
					    const struct cs_secret *random, struct cs_why *why);
/* Takes the ClusterGrant that answers: evidence of the Key Server, its signature, the certificate and the
 * keys are checked before any of it replaces what there was. UNKNOWN_NONCE: none is waited for; EXPIRED
 * (a statement too old), UNLINKED, WRONG_KEY (another's certificate, another cluster's anchor key),
 * BAD_SIGNATURE, SEAL_BROKEN, ROLLED_BACK: an older manifest or epoch than seen before; REVOKED: itself;
 * errors of cluster_evidence_verify. The caller seals the worker's state after it. */
CS_NODISCARD enum cs_err cluster_worker_take(struct cluster_worker *worker, struct cs_bytes grant,
					     const struct cluster_tools *tools,
					     const struct verify_time *now, struct cs_why *why);
/* A ClusterRevokedRequest to the Guard, and the ClusterRevokedReply to it, between two grants: *changed when
 * more is revoked than before; the caller seals the state and ends connections of who is not trusted any
 * more. Where it is this Worker itself, its keys are gone. NO_KEY: without keys nothing is to be heard;
 * BAD_SIGNATURE, ROLLED_BACK. */
CS_NODISCARD enum cs_err cluster_worker_revoked_ask(const struct cluster_worker *worker,
						    struct cs_buf *out, struct cs_why *why);
CS_NODISCARD enum cs_err cluster_worker_revoked_hear(struct cluster_worker *worker, bool *changed,
						     struct cs_bytes reply,
						     const struct cluster_tools *tools,
						     struct cs_why *why);
/* Ends what is past its date: keys of old epochs, and all of them with the certificate. */
void cluster_worker_tick(struct cluster_worker *worker, const struct verify_time *now);

#endif
