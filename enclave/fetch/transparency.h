/* Certificate transparency (RFC 6962): counts the signed timestamps in a certificate that logs of the
 * manifest vouch for. */
#ifndef ENCLAVE_FETCH_TRANSPARENCY_H
#define ENCLAVE_FETCH_TRANSPARENCY_H

#include "enclave/fetch/fetch.h"

#include <openssl/x509.h>

struct transparency;

/* OpenSSL takes lists of logs from files alone: it reads one from memory (memfd_create) here. */
CS_NODISCARD enum cs_err transparency_new(struct transparency **out, const struct fetch_log *logs,
					  size_t count, struct cs_why *why);
void transparency_free(struct transparency *transparency);
/* Different operators whose logs signed the leaf, not later than now_s, each before it was retired. */
uint8_t transparency_count(const struct transparency *transparency, X509 *leaf, X509 *issuer,
			   uint64_t now_s);

#endif
