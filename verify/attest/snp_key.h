/* The certificates of AMD's endorsement keys (VCEK and VLEK Certificate and KDS Interface, AMD 57230):
 * which chip or provider a key belongs to and the TCB that it is derived from. Reads what a certificate
 * says; whether AMD says it is x509.h's matter. */
#ifndef SNP_KEY_H
#define SNP_KEY_H

#include "verify/attest/snp_report.h"
#include "verify/attest/x509.h"

/* Views into the certificate. */
struct snp_key {
	const struct x509_certificate *certificate;
	enum snp_signer kind;
	struct cs_bytes product_name; /* "Milan-B0", "Turin" */
	struct snp_tcb tcb;
	struct cs_bytes hwid;   /* VCEK: 64 bytes, of Turin 8 */
	struct cs_bytes csp_id; /* VLEK: the provider's name */
};

/* By its common name, SEV-VCEK or SEV-VLEK. */
bool snp_key_is(const struct x509_certificate *certificate, enum snp_signer kind);

/* UNSUPPORTED: no key of P-384; MISSING_FIELD, MALFORMED: extensions of AMD's are not what they must
 * be. */
CS_NODISCARD enum cs_err snp_key_decode(struct snp_key *key,
					const struct x509_certificate *certificate,
					enum snp_signer kind, struct cs_why *why);

/* The report is of this chip: with masked chip identifiers no VCEK is. */
bool snp_key_is_of_chip(const struct snp_key *key, const struct snp_report *report);

#endif
