/* Certificates that carry evidence about their own key (RA-TLS). Three forms are read: TCG DICE's tagged
 * evidence with its claims in CBOR (TCG DICE Attestation Architecture 1.1; CCC-Attestation,
 * interoperable-ra-tls), Gramine's legacy extension, and that of Intel's SGX SDK. Says that the key is
 * the attested one; whether a peer holds it, the TLS handshake shows. */
#ifndef ATTEST_RATLS_H
#define ATTEST_RATLS_H

#include "verify/attest/evidence.h"
#include "verify/attest/x509.h"

enum ratls_form {
	RATLS_TCG_DICE, /* report data is the hash of the claims, one of which is the key's hash */
	RATLS_GRAMINE,  /* report data is SHA-256 of SubjectPublicKeyInfo */
	RATLS_INTEL,    /* report data is the hash of the key's PEM, its final zero included */
};

struct ratls_evidence {
	enum ratls_form form;
	struct cs_bytes evidence; /* a quote, a report, … */
	struct cs_bytes claims;   /* TCG DICE: CBOR */
	enum cs_digest_kind key_hash_kind;
	struct cs_bytes key_hash;
	struct cs_bytes nonce; /* empty when the claims have none */
	/* The claim "caisson-report" of certificates of ours: the hash of wire/report.h, 32 bytes. What is
	 * in it is the reader's to expect. Empty when the claims have none. */
	struct cs_bytes report;
};

/* Finds the evidence of a certificate: TCG DICE's where there are several. Views into it. NOT_FOUND: it
 * has none; UNSUPPORTED: a report in place of a quote, another hash function; MISSING_FIELD: claims
 * without the key's hash; INVALID: a hash, or a report of ours, of another length; and the errors of core/cbor.h. */
CS_NODISCARD enum cs_err ratls_find(struct ratls_evidence *out,
				    const struct x509_certificate *certificate, struct cs_why *why);

/* For certificates with keys that x509.h does not read, whose extensions and SPKI somebody else found:
 * TCG DICE's extension, without the certificate. Views; same errors. */
CS_NODISCARD enum cs_err ratls_tagged_read(struct ratls_evidence *out, struct cs_bytes extension,
					   struct cs_why *why);
/* Adds the checks "ratls-claims" and "ratls-key" to the result of what was found: report data and claims
 * are of this key (DER of SubjectPublicKeyInfo). */
void ratls_check_binding(struct attest_result *result, const struct ratls_evidence *found,
			 struct cs_bytes spki);

#endif
