/* The OCSP response that a server staples (RFC 6960, RFC 6066): checked whenever there is one, by the
 * enclave's time. */
#ifndef ENCLAVE_FETCH_STAPLE_H
#define ENCLAVE_FETCH_STAPLE_H

#include "enclave/fetch/fetch.h"

#include <openssl/x509.h>

/* NULL: good until *until_s. Else why not (static): malformed, not signed by the issuer or whom it
 * appointed, about another certificate, revoked, unknown, not of this time. roots: with its time set. */
const char *staple_check(uint64_t *until_s, struct cs_bytes response, STACK_OF(X509) * chain,
			 X509_STORE *roots, const struct verify_time *now);

#endif
