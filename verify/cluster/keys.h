/* The key schedule (HKDF-SHA-256): from an epoch's root to an application's keys, from those to one key
 * for each purpose and message; and data under them. Old epochs decrypt until their date and never
 * encrypt; nothing is done past the date of the worker's certificate. */
#ifndef CLUSTER_KEYS_H
#define CLUSTER_KEYS_H

#include "verify/cluster/certificate.h"

struct cluster_epoch {
	uint64_t number; /* from 1 */
	uint64_t begun_s;
	uint64_t decrypt_until_s; /* inclusive; 0: the current one */
	struct cs_secret root;
};

/* An application's key of one epoch. */
struct cluster_epoch_key {
	uint64_t epoch;
	uint64_t decrypt_until_s;
	struct cs_secret key;
};

struct cluster_ring {
	struct cs_hash lineage;
	bool insecure;
	size_t application_size;
	char application[CLUSTER_APPLICATION_SIZE_MAX + 1];
	uint64_t until_s; /* of the worker's certificate, inclusive */
	size_t count;
	struct cluster_epoch_key keys[CLUSTER_EPOCHS_MAX]; /* ascending; the last one encrypts */
};

/* The key of an epoch for a role and its application: what a Key Server gives away. */
void cluster_key_application(struct cs_secret *out, const struct cluster_epoch *epoch,
			     const struct cs_hash *lineage, bool insecure, enum cluster_role role,
			     struct cs_bytes application);
/* The authority that signs certificates of an epoch. CRYPTO. */
CS_NODISCARD enum cs_err cluster_key_authority(struct cluster_pair *out,
					       const struct cluster_epoch *epoch,
					       const struct cs_hash *lineage, bool insecure);

/* ---- data of an application ---- */

#define CLUSTER_PURPOSE_SIZE_MAX 32u
#define CLUSTER_DATA_SIZE_MAX (1024u * 1024)
/* Version, epoch and salt in front, the tag behind. */
#define CLUSTER_DATA_OVERHEAD (1u + 8u + 32u + CS_AEAD_TAG_SIZE)

/* Appends plain.n + CLUSTER_DATA_OVERHEAD bytes: version 1 ‖ epoch ‖ salt ‖ AES-256-GCM under a key of
 * this purpose and salt alone. salt: 32 fresh random bytes. INVALID (purpose: 1 to 32 bytes of a-z, 0-9,
 * '-', '.'), TOO_LARGE, NO_KEY (the ring is empty), EXPIRED, NO_TIME, CRYPTO. */
CS_NODISCARD enum cs_err cluster_data_seal(struct cs_buf *out, const struct cluster_ring *ring,
					   struct cs_bytes purpose, struct cs_bytes aad,
					   struct cs_bytes plain, const struct cs_secret *salt,
					   const struct verify_time *now);
/* Appends the plaintext. UNSUPPORTED (version), TRUNCATED, TOO_LARGE, WRONG_EPOCH: an epoch that the ring
 * does not have; EXPIRED: one past its date, or the certificate; NO_TIME, SEAL_BROKEN, CRYPTO. */
CS_NODISCARD enum cs_err cluster_data_open(struct cs_buf *out, const struct cluster_ring *ring,
					   struct cs_bytes purpose, struct cs_bytes aad,
					   struct cs_bytes sealed, const struct verify_time *now);

/* ---- secrets of programs that are not the cluster's own ---- */

/* A program's secret: it is worth as much as the epoch that it is of. */
struct cluster_program_secret {
	uint64_t epoch;
	uint64_t
		until_s; /* so long the cluster gives it again; 0: while the epoch is the current one */
	struct cs_secret secret;
};

/* What cluster_file_seal adds. */
#define CLUSTER_FILE_OVERHEAD (4u + 8u + 32u + CS_AEAD_TAG_SIZE)

/* The secret of this name under an epoch of the ring; epoch 0: the newest. INVALID (name: as a purpose), NO_KEY,
 * WRONG_EPOCH, EXPIRED, NO_TIME. */
CS_NODISCARD enum cs_err cluster_program_secret(struct cluster_program_secret *out,
						const struct cluster_ring *ring,
						struct cs_bytes name, uint64_t epoch,
						const struct verify_time *now);
/* A file that the newest secret of this name opens, without the cluster: "CSF1" ‖ epoch ‖ salt ‖ AES-256-GCM.
 * Appends plain.n + CLUSTER_FILE_OVERHEAD bytes; salt: 32 fresh random bytes. Errors of
 * cluster_program_secret, TOO_LARGE, CRYPTO. */
CS_NODISCARD enum cs_err cluster_file_seal(struct cs_buf *out, const struct cluster_ring *ring,
					   struct cs_bytes name, struct cs_bytes plain,
					   const struct cs_secret *salt,
					   const struct verify_time *now);

#endif
