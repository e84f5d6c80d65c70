/* Certificates and revocation lists (RFC 5280) of the vendors of TEEs, read by one strict parser of our
 * own: which certificate is good may not depend on a library's version, because nodes of a ledger must
 * agree. Less than RFC 5280: no policies, no name constraints, no delta or indirect lists; a critical
 * extension that is not read is refused. Never fetches anything. */
#ifndef ATTEST_X509_H
#define ATTEST_X509_H

#include "core/arena.h"
#include "core/digest.h"
#include "core/nistp.h"
#include "core/rsa.h"
#include "verify/verify.h"

/* DER of a certificate; those with evidence inside take 10 KiB. */
#define X509_CERTIFICATE_SIZE_MAX 65536u
/* From the leaf to the root, both counted: TPM vendors have two intermediates. */
#define X509_PATH_MAX 6u

/* ---- keys and signatures ---- */

enum x509_key_kind {
	X509_KEY_OTHER, /* read as far as its bytes; nothing that it signed verifies */
	X509_KEY_P256,
	X509_KEY_P384,
	X509_KEY_RSA,
};

struct x509_key {
	enum x509_key_kind kind;
	struct cs_bytes spki;  /* SubjectPublicKeyInfo, DER with its header */
	struct cs_bytes point; /* P-256, P-384: x and y */
	struct cs_rsa_key rsa;
};

enum x509_signature_kind {
	X509_SIGNATURE_OTHER, /* SHA-1, MD5, DSA, Ed25519 …: refused where it is checked */
	X509_SIGNATURE_ECDSA,
	X509_SIGNATURE_RSA_PKCS1,
	X509_SIGNATURE_RSA_PSS, /* salt as long as the digest, MGF1 of the same hash */
};

struct x509_algorithm {
	enum x509_signature_kind kind;
	enum cs_digest_kind digest;
};

/* A SubjectPublicKeyInfo, all of bytes. RSA keys that core/rsa.h would refuse are OTHER. */
CS_NODISCARD enum cs_err x509_key_parse(struct x509_key *key, struct cs_bytes spki);
/* signature as in a certificate: DER of r and s, or RSA's bytes. BAD_SIGNATURE; UNSUPPORTED: an
 * algorithm or a key of kind OTHER; WRONG_KEY: a point that is none; CRYPTO. */
CS_NODISCARD enum cs_err x509_verify_signature(const struct x509_key *key,
					       const struct x509_algorithm *algorithm,
					       struct cs_bytes message, struct cs_bytes signature,
					       struct cs_nistp *nistp);

/* ---- certificates ---- */

/* Bits of keyUsage, the first in the highest (RFC 5280, 4.2.1.3). */
#define X509_DIGITAL_SIGNATURE 0x8000u
#define X509_KEY_CERT_SIGN 0x0400u
#define X509_CRL_SIGN 0x0200u

/* Views into the DER. */
struct x509_certificate {
	struct cs_bytes der;
	struct cs_bytes tbs;        /* what is signed */
	struct cs_bytes serial;     /* two's complement */
	struct cs_bytes issuer;     /* Name, DER with its header: compared byte by byte */
	struct cs_bytes subject;    /* may be an empty Name */
	struct cs_bytes extensions; /* contents of the list; see x509_extension */
	struct cs_bytes signature;
	struct x509_algorithm algorithm;
	struct x509_key key;
	uint64_t not_before_s; /* both inclusive */
	uint64_t not_after_s;
	bool is_ca;
	bool has_path_length;
	bool has_key_usage;
	bool critical_unknown; /* a critical extension that is none of basicConstraints, keyUsage,
				  extKeyUsage, subjectAltName */
	uint8_t path_length;   /* 255 for more */
	uint16_t key_usage;
	/* The SubjectPublicKeyInfo under which the signature was found good before, so that it is not
	 * verified again; empty after x509_certificate_parse. */
	struct cs_bytes verified_by;
};

/* Version 3, all of der. MALFORMED, TRUNCATED, TRAILING, NON_CANONICAL, INVALID, TOO_LARGE, DUPLICATE
 * (extension), UNSUPPORTED (version); why says where. */
CS_NODISCARD enum cs_err x509_certificate_parse(struct x509_certificate *out, struct cs_bytes der,
						struct cs_why *why);
/* The contents of extnValue by the bytes of its object identifier (without tag and length; it may be
 * anything, as Gramine's is). NOT_FOUND. critical may be NULL. */
CS_NODISCARD enum cs_err x509_extension(struct cs_bytes *value, bool *critical,
					const struct x509_certificate *certificate,
					struct cs_bytes oid);
/* The last commonName of a Name; empty when there is none. */
struct cs_bytes x509_common_name(struct cs_bytes name);
/* NOT_YET_VALID, EXPIRED, NO_TIME. */
CS_NODISCARD enum cs_err x509_in_dates(const struct x509_certificate *certificate,
				       const struct verify_time *now);
/* Names fit, issuer is a CA that may sign certificates, and the signature is its: UNLINKED, FORBIDDEN,
 * and those of x509_verify_signature. Looks at no dates. */
CS_NODISCARD enum cs_err x509_issued_by(const struct x509_certificate *certificate,
					const struct x509_certificate *issuer,
					struct cs_nistp *nistp);

/* ---- revocation lists ---- */

struct x509_crl {
	struct cs_bytes der;
	struct cs_bytes tbs;
	struct cs_bytes issuer;
	struct cs_bytes entries; /* contents of revokedCertificates; empty when there are none */
	struct cs_bytes signature;
	struct x509_algorithm algorithm;
	uint64_t this_update_s;
	uint64_t next_update_s;      /* inclusive */
	struct cs_bytes verified_by; /* as of a certificate */
};

/* Version 2 with nextUpdate, all of der, every entry: as x509_certificate_parse; UNSUPPORTED for a
 * critical extension. */
CS_NODISCARD enum cs_err x509_crl_parse(struct x509_crl *out, struct cs_bytes der,
					struct cs_why *why);
/* The list is the issuer's and of this time: UNLINKED, FORBIDDEN, NOT_YET_VALID, EXPIRED, NO_TIME, and
 * those of x509_verify_signature. */
CS_NODISCARD enum cs_err x509_crl_verify(const struct x509_crl *crl,
					 const struct x509_certificate *issuer,
					 const struct verify_time *now, struct cs_nistp *nistp);
bool x509_crl_lists(const struct x509_crl *crl, struct cs_bytes serial);

/* ---- paths ---- */

/* What a path is looked for in. Order does not matter. */
struct x509_pool {
	const struct x509_certificate *roots; /* believed */
	size_t root_count;
	const struct x509_certificate *certificates; /* whatever came along, roots too */
	size_t certificate_count;
	const struct x509_crl *crls;
	size_t crl_count;
};

struct x509_path {
	const struct x509_certificate *certificates[X509_PATH_MAX]; /* leaf first, root last */
	size_t count; /* 1: the leaf is itself a root, byte for byte */
};

/* For a sentence: "in force from … to …, judged as of …". */
struct x509_dates {
	char text[96];
};
struct x509_dates x509_dates(uint64_t from_s, uint64_t until_s, const struct verify_time *now);

/* A path from leaf to a root: every certificate in its dates, the issuers CAs within their path lengths,
 * no unread critical extension, every signature good. Takes the first issuer that fits at each step,
 * roots first, and does not go back: vendors' hierarchies are lines. NOT_FOUND: no issuer; else why the
 * last one did not fit. Says nothing about revocation. */
CS_NODISCARD enum cs_err x509_path_find(struct x509_path *path, const struct x509_certificate *leaf,
					const struct x509_pool *pool, const struct verify_time *now,
					struct cs_nistp *nistp, struct cs_why *why);
/* Of one certificate by a list of its issuer's that is in the pool: OK with the list in *used,
 * REVOKED; NOT_FOUND when the issuer has none there; else why the last one was not good. */
CS_NODISCARD enum cs_err
x509_not_revoked(const struct x509_crl **used, const struct x509_certificate *certificate,
		 const struct x509_certificate *issuer, const struct x509_pool *pool,
		 const struct verify_time *now, struct cs_nistp *nistp, struct cs_why *why);

#endif
