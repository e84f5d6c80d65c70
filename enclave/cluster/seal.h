/* The sealed state of a process of the cluster: AES-256-GCM under a key of the sealing root, for one
 * lineage and role. Says who sealed it and when; whether that is too old, it cannot say (anchors can). */
#ifndef CLUSTER_SEAL_H
#define CLUSTER_SEAL_H

#include "verify/cluster/manifest.h"
#include "verify/cluster/peer.h"

#define SEAL_HEAD_SIZE (8u + 32u + 32u + 8u + 8u + 32u + 32u)
#define SEAL_OVERHEAD (SEAL_HEAD_SIZE + CS_AEAD_TAG_SIZE)

/* In front, in the clear and authenticated. */
struct seal_head {
	struct cs_hash lineage;
	struct cs_hash build; /* SHA-256 of the label of the build that sealed; zero: it had none */
	uint64_t manifest_number;
	uint64_t counter;
	struct cs_hash record; /* of the TPM's record that goes with it (record.h); zero: none */
	struct cs_hash salt;   /* fresh for each */
};

/* A build is its label in the manifest. */
struct cs_hash seal_build(const struct cluster_self *self);
/* Appends plain.n + SEAL_OVERHEAD bytes. TOO_LARGE, CRYPTO. */
CS_NODISCARD enum cs_err seal_write(struct cs_buf *out, const struct cs_secret *root,
				    enum cluster_role role, const struct seal_head *head,
				    struct cs_bytes plain);
/* Writes sealed.n - SEAL_OVERHEAD bytes to out. SEAL_BROKEN: changed, or of another root, role or
 * lineage; then WRONG_LINEAGE, WRONG_MANIFEST (sealed under a later one than m), UNLISTED_BUILD: m does
 * not name the build that sealed it for the role; nothing is in out then. */
CS_NODISCARD enum cs_err seal_read(uint8_t *out, struct seal_head *head,
				   const struct cs_secret *root, enum cluster_role role,
				   const struct cluster_manifest *m, struct cs_bytes sealed,
				   struct cs_why *why);

#endif
