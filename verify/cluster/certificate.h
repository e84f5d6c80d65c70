/* X.509 certificates of the cluster (RFC 5280, Ed25519 by RFC 8410): one profile, one encoding. A
 * certificate is read by taking its fields out, writing it again and comparing: what is not byte for
 * byte what cluster_certificate_write makes is refused. Any TLS library can carry them. */
#ifndef CLUSTER_CERTIFICATE_H
#define CLUSTER_CERTIFICATE_H

#include "verify/cluster/preimage.h"

#define CLUSTER_CERTIFICATE_SIZE_MAX 1024u
#define CLUSTER_SERIAL_SIZE 16u

struct cluster_certificate {
	enum cluster_role
		role;   /* KEY_SERVER: the authority of an epoch, or an instance by itself */
	bool insecure;  /* the lineage is */
	bool authority; /* signs others */
	struct cs_hash lineage;
	uint64_t epoch;
	size_t application_size; /* 0 unless a worker's */
	char application[CLUSTER_APPLICATION_SIZE_MAX + 1];
	uint8_t serial[CLUSTER_SERIAL_SIZE]; /* the first byte is 0x40 to 0x7f */
	struct cs_ed25519_key key;
	struct cs_ed25519_key issuer; /* `key` where it is signed by itself */
	uint64_t not_before_s;        /* both inclusive */
	uint64_t not_after_s;
};

/* Appends the DER, signed by `issuer`, whose key is certificate->issuer. TOO_LARGE, CRYPTO, INVALID (a
 * time that has no form). */
CS_NODISCARD enum cs_err cluster_certificate_write(struct cs_buf *out,
						   const struct cluster_certificate *certificate,
						   const struct cs_secret *issuer);
/* Of the same form, and signed by `issuer`: DER's errors, NON_CANONICAL: any other encoding of the same
 * fields; UNLINKED: another issuer's; BAD_SIGNATURE. Looks at no dates. issuer NULL: signed by itself. */
CS_NODISCARD enum cs_err cluster_certificate_read(struct cluster_certificate *out,
						  struct cs_bytes der,
						  const struct cs_ed25519_key *issuer,
						  struct cs_why *why);
/* NOT_YET_VALID, EXPIRED, NO_TIME. */
CS_NODISCARD enum cs_err cluster_certificate_in_dates(const struct cluster_certificate *certificate,
						      const struct verify_time *now);
/* The key of any certificate that TLS brings before anything is believed: of Ed25519, else
 * UNSUPPORTED; DER's errors. */
CS_NODISCARD enum cs_err cluster_certificate_key(struct cs_ed25519_key *key, struct cs_bytes der);

/* Whom workers believe: authorities of the epochs in force and the keys that were revoked. */
struct cluster_trust {
	struct cs_hash lineage;
	size_t authority_count;
	struct cluster_certificate authorities[CLUSTER_EPOCHS_MAX]; /* the current one last */
	size_t sizes[CLUSTER_EPOCHS_MAX]; /* of their DER, for the chains of TLS */
	uint8_t ders[CLUSTER_EPOCHS_MAX][CLUSTER_CERTIFICATE_SIZE_MAX];
	size_t revoked_count;
	struct cs_hash revoked[CLUSTER_REVOKED_MAX]; /* ascending */
};

/* A Worker's certificate that a peer shows in TLS. UNLINKED: of no authority in force; FORBIDDEN: not a
 * worker's; WRONG_LINEAGE; REVOKED; NOT_YET_VALID, EXPIRED (its own or its authority's dates), NO_TIME. */
CS_NODISCARD enum cs_err cluster_trust_verify(struct cluster_certificate *out, struct cs_bytes der,
					      const struct cluster_trust *trust,
					      const struct verify_time *now, struct cs_why *why);
bool cluster_revoked(const struct cs_hash *revoked, size_t count, const struct cs_hash *spki);

#endif
