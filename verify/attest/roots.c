#include "verify/attest/roots.h"

#include "verify/attest/evidence.h"

const struct attest_roots attest_roots_vendors = {
	.intel = attest_roots_intel,
	.intel_count = ATTEST_ROOTS_INTEL,
	.amd = attest_roots_amd,
	.amd_count = ATTEST_ROOTS_AMD,
};
