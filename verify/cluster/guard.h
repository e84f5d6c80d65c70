/* The Guard of a machine: verifies the evidence of the Workers beside it, and vouches for them to a Key
 * Server that it verified itself. Holds no key of any application, and cannot open what it carries. */
#ifndef CLUSTER_GUARD_H
#define CLUSTER_GUARD_H

#include "verify/cluster/key_server.h"

/* Challenges that wait for a Worker's answer. */
#define CLUSTER_CHALLENGES_MAX 64u

struct cluster_guard {
	const struct cluster_manifest *manifest;
	struct cluster_pair identity;
	struct cluster_self
		self; /* the caller's to set; a worker of the same kind is of this platform */
	struct {
		struct cs_hash challenge; /* zero: free */
		uint64_t made_s;          /* the low end of then */
	} challenges[CLUSTER_CHALLENGES_MAX];
	bool has_anchor; /* the newest that a Key Server signed */
	struct cs_ed25519_key anchor_key;
	struct cluster_anchor anchor;
	uint8_t anchor_signature[CS_ED25519_SIGNATURE_SIZE];
	/* As a Key Server signed it: heard in this process's life, for the Workers beside it. */
	size_t revoked_count;
	struct cs_hash revoked[CLUSTER_REVOKED_MAX];
	uint8_t revoked_signature[CS_ED25519_SIGNATURE_SIZE];
};

/* A new instance, or one whose state comes back with cluster_guard_restore. CRYPTO. */
CS_NODISCARD enum cs_err cluster_guard_init(struct cluster_guard *guard,
					    const struct cluster_manifest *manifest,
					    const struct cs_secret *random);
void cluster_guard_done(struct cluster_guard *guard);
CS_NODISCARD enum cs_err cluster_guard_encode(const struct cluster_guard *guard, struct cs_buf *out,
					      struct cs_arena *arena, struct cs_why *why);
CS_NODISCARD enum cs_err cluster_guard_restore(struct cluster_guard *guard, struct cs_bytes state,
					       const struct cluster_tools *tools,
					       struct cs_why *why);
/* The next manifest of the lineage. WRONG_LINEAGE. */
CS_NODISCARD enum cs_err cluster_guard_manifest(struct cluster_guard *guard,
						const struct cluster_manifest *next,
						struct cs_why *why);

/* ---- towards the Key Server ---- */

CS_NODISCARD enum cs_err cluster_guard_hello(const struct cluster_guard *guard,
					     const struct cluster_session *session,
					     struct cs_buf *out, const struct cluster_tools *tools,
					     struct cs_why *why);
/* Errors of cluster_evidence_verify; FORBIDDEN: the peer is no Key Server. */
CS_NODISCARD enum cs_err cluster_guard_meet(struct cluster_guard *guard,
					    struct cluster_session *session, struct cs_bytes hello,
					    const struct cluster_tools *tools,
					    const struct verify_time *now, struct cs_why *why);
/* Looks at a ClusterGrant before it is carried on: *changed when its anchor is newer than the one that is
 * kept. The grant itself is the Worker's to judge. BAD_SIGNATURE (the anchor's), ROLLED_BACK: the Key
 * Server is behind what it signed before, WRONG_KEY: another cluster's anchor key, UNAUTHORIZED and the
 * codec's errors. */
CS_NODISCARD enum cs_err cluster_guard_carry(struct cluster_guard *guard, bool *changed,
					     const struct cluster_session *session,
					     struct cs_bytes grant,
					     const struct cluster_tools *tools, struct cs_why *why);

/* A ClusterRevokedRequest, and the ClusterRevokedReply to it: *changed when more is revoked than before.
 * NO_KEY: no grant was carried yet, by whose key the list could be checked; BAD_SIGNATURE, ROLLED_BACK. */
CS_NODISCARD enum cs_err cluster_guard_revoked_ask(const struct cluster_guard *guard,
						   struct cs_buf *out, struct cs_why *why);
CS_NODISCARD enum cs_err cluster_guard_revoked_hear(struct cluster_guard *guard, bool *changed,
						    struct cs_bytes reply,
						    const struct cluster_tools *tools,
						    struct cs_why *why);

/* ---- towards Workers ---- */

/* A Worker's ClusterRevokedRequest becomes a ClusterRevokedReply. */
CS_NODISCARD enum cs_err cluster_guard_revoked(const struct cluster_guard *guard,
					       struct cs_buf *out, struct cs_bytes request,
					       const struct cluster_tools *tools,
					       struct cs_why *why);

/* A ClusterChallengeReply. FULL: too many wait. */
CS_NODISCARD enum cs_err cluster_guard_challenge(struct cluster_guard *guard, struct cs_buf *out,
						 const struct cs_secret *random,
						 const struct verify_time *now, struct cs_why *why);
/* A Worker's ClusterJoinRequest becomes a ClusterVouchRequest of this session. The challenge is spent
 * whatever comes of it. UNKNOWN_NONCE: no such challenge, or spent; EXPIRED; BAD_SIGNATURE (the CSR's);
 * FORBIDDEN: a worker of
 * another machine; errors of cluster_evidence_verify and cluster_manifest_allows; UNAUTHORIZED (no session). */
CS_NODISCARD enum cs_err cluster_guard_vouch(struct cluster_guard *guard,
					     const struct cluster_session *session,
					     struct cs_buf *out, struct cs_bytes join,
					     const struct cluster_tools *tools,
					     const struct verify_time *now, struct cs_why *why);

#endif
