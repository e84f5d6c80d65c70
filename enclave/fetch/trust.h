/* Whom connections trust: the files that the manifest names by their hashes. */
#ifndef ENCLAVE_FETCH_TRUST_H
#define ENCLAVE_FETCH_TRUST_H

#include "enclave/fetch/fetch.h"
#include "enclave/manifest.h"

#define TRUST_STORE_SIZE_MAX (4u * 1024 * 1024)
#define TRUST_LOGS_SIZE_MAX (256u * 1024)

/* store: CA certificates in PEM; text between them is passed over. logs: canonical JSON
 * {"logs":[{"key":"0x…","operator":"…","retired_at_s":0}],"version":1}, empty where the manifest names
 * none. fetch_new with what they say and with the manifest's switches. NOT_IN_MANIFEST: a file is not the one
 * that the manifest names; MALFORMED, TOO_LARGE; NOT_FOUND: a private CA that is not in the store. */
CS_NODISCARD enum cs_err trust_open(struct fetch **fetch, const struct manifest_trust *wanted,
				    struct cs_bytes store, struct cs_bytes logs, int egress_fd,
				    struct cs_why *why);

#endif
