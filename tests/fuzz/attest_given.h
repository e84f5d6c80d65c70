/* What fuzz targets of evidence share: a generated case of tests/vectors/attestation by its name, and the
 * verifier over other evidence with that case's collateral. Read once. */
#ifndef TESTS_FUZZ_ATTEST_GIVEN_H
#define TESTS_FUZZ_ATTEST_GIVEN_H

#include "verify/attest/evidence.h"

struct fuzz_given {
	struct cs_bytes evidence;
	struct attest_collateral bag;
	struct cs_bytes roots[4];
	size_t root_count;
	uint64_t now_s;
	void *file; /* some of it leads there */
};

/* Of generated/<file>.json; two cases in a process at the most. */
const struct fuzz_given *fuzz_given(const char *file, const char *name);
/* activation: empty for the case's own. */
enum cs_err fuzz_verify(struct attest_result *result, const struct fuzz_given *given,
			enum attest_kind kind, struct cs_bytes evidence,
			struct cs_bytes activation);

#endif
