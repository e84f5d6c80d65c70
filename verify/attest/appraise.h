/* Appraisal (RFC 9334): what a result of evidence.h is worth under a policy, as EAR's trustworthiness
 * vector and its four tiers. Verifies nothing itself: a result with a failed check is contraindicated
 * whatever the policy says. */
#ifndef ATTEST_APPRAISE_H
#define ATTEST_APPRAISE_H

#include "verify/attest/policy.h"

/* Judgements on the longest path: one for each member of a policy. */
#define ATTEST_JUDGEMENTS_MAX 16u

/* The claims of AR4SI (draft-ietf-rats-ar4si, 2.3), in the order of its table. */
enum attest_trust_claim {
	ATTEST_TRUST_INSTANCE_IDENTITY,
	ATTEST_TRUST_CONFIGURATION,
	ATTEST_TRUST_EXECUTABLES,
	ATTEST_TRUST_FILE_SYSTEM,
	ATTEST_TRUST_HARDWARE,
	ATTEST_TRUST_RUNTIME_OPAQUE,
	ATTEST_TRUST_STORAGE_OPAQUE,
	ATTEST_TRUST_SOURCED_DATA,
};
#define ATTEST_TRUST_COUNT (ATTEST_TRUST_SOURCED_DATA + 1u)

/* Its values that are used here. */
enum attest_trust_value {
	ATTEST_TRUST_NO_CLAIM = 0,
	ATTEST_TRUST_APPROVED = 2, /* hardware genuine, instance known, memory encrypted, … */
	ATTEST_TRUST_APPROVED_BOOT = 3, /* executables: what was booted, not what ran later */
	ATTEST_TRUST_UNSAFE = 32,       /* genuine, with known weaknesses; memory isolated only */
	ATTEST_TRUST_CONTRAINDICATED = 96,
	ATTEST_TRUST_UNRECOGNIZED = 97,
	ATTEST_TRUST_CRYPTO_FAILED = 99,
};

struct attest_appraisal {
	enum attest_tier status;
	enum attest_trust_value vector[ATTEST_TRUST_COUNT];
	/* Not contraindicated only because of an insecure_accept_…. */
	bool insecure;
	bool whole_machine;                       /* as the result's */
	const struct attest_reference *reference; /* that the evidence matched; NULL */
	size_t judgement_count;
	struct attest_check judgements[ATTEST_JUDGEMENTS_MAX]; /* "policy-tcb" */
};

/* The tier of a value: -1 to 1 none, to 31 affirming, to 95 warning, then contraindicated, and the
 * same on the negative side (AR4SI, 2.3.2). */
enum attest_tier attest_trust_tier(int value);
/* "hardware". Static. */
const char *attest_trust_name(enum attest_trust_claim claim);

/* What a status comes to without a rule of the policy: docs/attestation.md's table. */
enum attest_trust_value attest_tcb_trust(enum attest_tcb_status status);

/* Of a result of attest_verify, at the same now. Always has an answer. */
void attest_appraise(struct attest_appraisal *out, const struct attest_result *result,
		     const struct attest_policy *policy, const struct verify_time *now);

#endif
