/* Evidence with its collateral, as tests give it to the verifier: files of tests/vectors/attestation
 * or bytes, and what came of it. */
#ifndef TESTS_UNIT_ATTEST_GIVEN_H
#define TESTS_UNIT_ATTEST_GIVEN_H

#include "tests/unit/support.h"
#include "verify/attest/evidence.h"

struct given {
	struct attest_collateral bag;
	struct attest_roots roots;
	struct attest_input in;
	struct attest_result result;
	struct cs_why why;
	struct cs_arena *arena;
};

/* Of vectors/attestation. */
struct cs_bytes given_file(const char *name);
/* Evidence of this kind at a moment, under the vendors' roots, with an empty bag and without
 * revocation. */
void given_init(struct given *given, enum attest_kind kind, struct cs_bytes evidence,
		uint64_t now_s);
/* All certificates or lists of a file into the bag: PEM, or one in DER. */
void given_certificates(struct given *given, const char *name);
void given_crl(struct given *given, struct cs_bytes der);
/* Other roots. */
void given_roots(struct given *given, const struct cs_bytes *roots, size_t count);

enum cs_err given_verify(struct given *given);
/* By another context than that of all tests. */
enum cs_err given_verify_by(struct given *given, struct cs_nistp *nistp);
/* It can be read, and every check passes. */
void given_accept(struct given *given);
/* It can be read, and exactly this check fails; failed may name several, by blanks. */
void given_refuse(struct given *given, const char *failed);
/* The names of the checks that failed, by blanks; "" when it verified. Lives until the next call. */
const char *given_failed(const struct given *given);
const struct attest_claim *given_claim(const struct given *given, const char *name);
/* A copy of its own, to change. */
uint8_t *given_copy(struct cs_bytes bytes);

#endif
