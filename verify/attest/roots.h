/* The vendors' own roots, one file for each vendor. attest_roots_vendors (evidence.h) puts them
 * together. */
#ifndef ATTEST_ROOTS_H
#define ATTEST_ROOTS_H

#include "core/bytes.h"

#define ATTEST_ROOTS_INTEL 1u
#define ATTEST_ROOTS_AMD 3u

/* X.509 in DER. */
extern const struct cs_bytes attest_roots_intel[ATTEST_ROOTS_INTEL];
extern const struct cs_bytes attest_roots_amd[ATTEST_ROOTS_AMD];

#endif
