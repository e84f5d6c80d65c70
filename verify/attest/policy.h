/* What a relying party accepts, as JSON (docs/attestation.md): reference values, levels, ages. Says
 * nothing about evidence by itself; appraise.h holds the two against each other. */
#ifndef ATTEST_POLICY_H
#define ATTEST_POLICY_H

#include "verify/attest/evidence.h"

#define ATTEST_POLICY_VERSION 1u
#define ATTEST_POLICY_SIZE_MAX 65536u
/* Builds that are accepted at one time: a few roles on each kind, old and new. */
#define ATTEST_REFERENCES_MAX 128u
/* Of one reference: a TD's measurements, or the PCRs of one machine. */
#define ATTEST_REFERENCE_VALUES_MAX 32u

/* EAR's tiers (draft-ietf-rats-ear, AR4SI), from good to bad. */
enum attest_tier {
	ATTEST_TIER_NONE, /* nothing can be said */
	ATTEST_TIER_AFFIRMING,
	ATTEST_TIER_WARNING,
	ATTEST_TIER_CONTRAINDICATED,
};

/* "affirming". Static. */
const char *attest_tier_name(enum attest_tier tier);

/* A claim must be exactly this; or, where bytes.p is NULL, be a number of at least this. */
struct attest_reference_value {
	struct cs_bytes name;
	struct cs_bytes bytes;
	uint64_t at_least;
};

/* One build that is accepted: all of its values hold of the evidence. */
struct attest_reference {
	enum attest_kind kind; /* of the evidence or of the hardware inside it */
	struct cs_bytes label;
	uint64_t not_after_s; /* inclusive; 0: no end */
	size_t count;
	struct attest_reference_value *values;
};

/* What a TCB status comes to, in place of the table of docs/attestation.md. */
struct attest_tcb_rule {
	bool given;
	enum attest_tier tier;
	uint64_t until_s; /* the grace ends, inclusive: then the table holds again; 0: no end */
};

struct attest_policy {
	struct cs_hash hash;   /* SHA-256 of the text; zero: no policy was given */
	bool judges_reference; /* false: measurements are not looked at */
	size_t reference_count;
	struct attest_reference *references;
	struct attest_tcb_rule tcb[ATTEST_TCB_COUNT];
	uint64_t
		collateral_age_max_s; /* since the oldest issue date; 0: the vendor's dates alone */
	uint32_t tcb_evaluation_number_min;
	bool judges_report_data;
	struct cs_bytes report_data; /* then zeros to the end */
	bool insecure_accept_simulated;
	bool insecure_accept_debug;
	bool insecure_accept_test_roots;
};

/* Where none was given: the vendor's verdict alone. */
void attest_policy_init(struct attest_policy *policy);
/* Views into the arena. UNSUPPORTED (version), UNKNOWN_FIELD, MISSING_FIELD, INVALID (a value; a rule
 * for Revoked or NotSupported), TOO_LARGE, DUPLICATE, NO_MEMORY and the errors of cs_json_parse; why
 * names the place. */
CS_NODISCARD enum cs_err attest_policy_parse(struct attest_policy *out, struct cs_bytes json,
					     struct cs_arena *arena, struct cs_why *why);

#endif
