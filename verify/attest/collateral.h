/* Collateral as it lies around: the vendors' own responses, certificates and lists in PEM, DER or hex,
 * and bundles of them. Sorts it into a bag by what it is, and judges nothing: who signed what is for the
 * verifier of each kind. */
#ifndef ATTEST_COLLATERAL_H
#define ATTEST_COLLATERAL_H

#include "verify/attest/evidence.h"

/* A bundle with PCK CRL is 20 KiB; CRLs grow with what was revoked. */
#define ATTEST_COLLATERAL_SIZE_MAX (1024u * 1024)

/* Adds what one file holds:
 *  - Intel's responses: {"tcbInfo":…,"signature":"…"} and {"enclaveIdentity":…,"signature":"…"}, whose
 *    inner object is taken byte for byte, as it was signed;
 *  - a bundle, in the members of Phala-Network/dcap-qvl: tcb_info, tcb_info_signature,
 *    tcb_info_issuer_chain, qe_identity, qe_identity_signature, qe_identity_issuer_chain, pck_crl,
 *    root_ca_crl, pck_crl_issuer_chain, pck_certificate_chain;
 *  - the transcript of a TPM credential's activation: an object with the member credential_blob;
 *  - PEM with any number of CERTIFICATE and X509 CRL blocks; one certificate or list in DER; hex of that.
 * Views into the file and the arena; what is there already is passed over. The bag is untouched on
 * failure. UNSUPPORTED: nothing of these; DUPLICATE: a second TCB info, QE identity or transcript that
 * differs;
 * UNKNOWN_FIELD, MISSING_FIELD, INVALID, MALFORMED, TOO_LARGE, NO_MEMORY. */
CS_NODISCARD enum cs_err attest_collateral_add(struct attest_collateral *bag, struct cs_bytes file,
					       struct cs_arena *arena, struct cs_why *why);

#endif
