/* Intel's collateral, as tests give it to the verifier: the three shapes in which recorded bundles come. */
#ifndef TESTS_UNIT_ATTEST_DCAP_GIVEN_H
#define TESTS_UNIT_ATTEST_DCAP_GIVEN_H

#include "given.h"

/* A quote under Intel's root at a moment, revocation lists wanted. */
void dcap_given_init(struct given *given, struct cs_bytes quote, uint64_t now_s);
/* One JSON document: PEM chains, lists in hex, inner objects as strings. */
void dcap_given_bundle(struct given *given, const char *name);
/* A response of Intel's service, {"tcbInfo":…,"signature":"…"} or {"enclaveIdentity":…}: the inner bytes
 * as they stand. */
void dcap_given_response(struct given *given, struct cs_bytes response);
/* The advisories of the result, sorted, by blanks. Lives until the next call. */
const char *dcap_given_advisories(const struct given *given);

#endif
