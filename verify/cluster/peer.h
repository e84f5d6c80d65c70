/* Evidence of a peer, held against the manifest: what all three roles do before they believe anybody. */
#ifndef CLUSTER_PEER_H
#define CLUSTER_PEER_H

#include "verify/cluster/certificate.h"

/* Which machine evidence is of, by its maker's name for it: SHA-256 of "caisson/cluster/platform/v1" ‖ kind
 * (1) ‖ the name, which is the chip's of SEV-SNP, the PPID of SGX and TDX, the qualified name of a TPM's
 * attestation key. Simulated evidence has none, nor has SEV-SNP where the provider hides the chip (VLEK). */
struct cluster_platform {
	bool known;
	struct cs_hash id;
};

/* A peer whose evidence was verified. */
struct cluster_peer {
	enum cluster_role role;
	enum attest_kind kind; /* of the hardware */
	struct cluster_platform platform;
	struct cs_hash spki; /* of the key that the evidence binds */
	uint64_t verified_s; /* the high end of now */
	uint64_t manifest_number;
	uint64_t insecure_flags;
	bool insecure; /* accepted only because of an insecure_accept_… */
	bool whole_machine;
	size_t build_size;
	char build[CLUSTER_BUILD_SIZE_MAX + 1]; /* label of the reference that matched */
};

/* Makes the evidence of this process. *out points into tools->arena. The backend's errors, NO_MEMORY. */
CS_NODISCARD enum cs_err
cluster_evidence_make(Caisson__Wire__ClusterEvidence *out, enum cluster_role role,
		      const struct cs_ed25519_key *key, const struct wire_report_fresh *fresh,
		      const struct cluster_manifest *manifest, const struct cluster_tools *tools,
		      struct cs_why *why);
/* What comes beside the evidence of this process: files as their vendors give them (attest_collateral_add),
 * not believed by anybody. *out points into the arena and the files. The errors of attest_collateral_add;
 * TOO_LARGE: one that no message takes; INVALID: the transcript of an activation, which is evidence for
 * nobody else (docs/attestation.md). */
CS_NODISCARD enum cs_err cluster_collateral_read(Caisson__Wire__ClusterCollateral *out,
						 const struct cs_bytes *files, size_t count,
						 struct cs_arena *arena, struct cs_why *why);

/* What this process's own evidence says of it. Nobody has judged it: that is for those who are shown it. */
struct cluster_self {
	enum attest_kind kind;
	struct cluster_platform platform;
	size_t build_size; /* 0: the manifest names no such build for the role */
	char build[CLUSTER_BUILD_SIZE_MAX + 1];
};
/* The backend's errors, and those of evidence that cannot be read. */
CS_NODISCARD enum cs_err cluster_self_read(struct cluster_self *out, enum cluster_role role,
					   const struct cluster_manifest *manifest,
					   const struct cluster_tools *tools,
					   const struct verify_time *now, struct cs_why *why);

/* Whose evidence it must be, and why it is not an old one. */
struct cluster_expected {
	enum cluster_role role;
	struct cs_hash spki;
	struct wire_report_fresh fresh;
};
/* Verifies, binds and appraises. WRONG_MANIFEST (number, hash); INSECURE_REFUSED: an insecure flag in a
 * lineage that is not; WRONG_KEY: report data is not of this role, key, freshness and manifest; FORBIDDEN:
 * a check of the evidence failed, or the policy says no; UNLISTED_BUILD: a build that the manifest does
 * not name for the role; errors of attest_verify for evidence that cannot be read. why says which. */
CS_NODISCARD enum cs_err cluster_evidence_verify(struct cluster_peer *peer,
						 const Caisson__Wire__ClusterEvidence *evidence,
						 const struct cluster_expected *expected,
						 const struct cluster_manifest *manifest,
						 const struct cluster_tools *tools,
						 const struct verify_time *now, struct cs_why *why);

/* One end of a connection between a Guard and a Key Server, or two Key Servers. */
struct cluster_session {
	struct cluster_channel channel;
	bool verified;
	struct cluster_peer peer;
};

/* Of the key, or of the platform where there is one. `revoked` has both. */
bool cluster_peer_is_revoked(const struct cluster_peer *peer, const struct cs_hash *revoked,
			     size_t revoked_count);

/* The peer was verified, is not too old, its build is still named and neither its key nor its platform
 * revoked: asked before every use. UNAUTHORIZED, EXPIRED, NO_TIME, UNLISTED_BUILD, REVOKED. */
CS_NODISCARD enum cs_err cluster_session_check(const struct cluster_session *session,
					       enum cluster_role role,
					       const struct cluster_manifest *manifest,
					       const struct cs_hash *revoked, size_t revoked_count,
					       const struct verify_time *now, struct cs_why *why);

#endif
