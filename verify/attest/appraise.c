#include "verify/attest/appraise.h"

#include "core/utc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct appraiser {
	struct attest_appraisal *out;
	const struct attest_result *result;
	const struct attest_policy *policy;
	const struct verify_time *now;
};

enum attest_tier attest_trust_tier(int value)
{
	const int from_zero = value < -1 ? -value - 1 : value;
	if (from_zero < ATTEST_TRUST_APPROVED && value >= -1)
		return ATTEST_TIER_NONE;
	if (from_zero < ATTEST_TRUST_UNSAFE)
		return ATTEST_TIER_AFFIRMING;
	return from_zero < ATTEST_TRUST_CONTRAINDICATED ? ATTEST_TIER_WARNING
							: ATTEST_TIER_CONTRAINDICATED;
}

const char *attest_trust_name(enum attest_trust_claim claim)
{
	switch (claim) {
	case ATTEST_TRUST_INSTANCE_IDENTITY:
		return "instance-identity";
	case ATTEST_TRUST_CONFIGURATION:
		return "configuration";
	case ATTEST_TRUST_EXECUTABLES:
		return "executables";
	case ATTEST_TRUST_FILE_SYSTEM:
		return "file-system";
	case ATTEST_TRUST_HARDWARE:
		return "hardware";
	case ATTEST_TRUST_RUNTIME_OPAQUE:
		return "runtime-opaque";
	case ATTEST_TRUST_STORAGE_OPAQUE:
		return "storage-opaque";
	case ATTEST_TRUST_SOURCED_DATA:
		return "sourced-data";
	}
	cs_assert(false);
	return NULL;
}

enum attest_trust_value attest_tcb_trust(enum attest_tcb_status status)
{
	switch (status) {
	case ATTEST_TCB_NONE:
		return ATTEST_TRUST_NO_CLAIM;
	case ATTEST_TCB_UP_TO_DATE:
		return ATTEST_TRUST_APPROVED;
	case ATTEST_TCB_SW_HARDENING_NEEDED:
	case ATTEST_TCB_CONFIGURATION_NEEDED:
	case ATTEST_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED:
	case ATTEST_TCB_TD_RELAUNCH_ADVISED:
	case ATTEST_TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED:
		return ATTEST_TRUST_UNSAFE;
	case ATTEST_TCB_OUT_OF_DATE:
	case ATTEST_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED:
	case ATTEST_TCB_REVOKED:
		return ATTEST_TRUST_CONTRAINDICATED;
	case ATTEST_TCB_NOT_SUPPORTED:
		return ATTEST_TRUST_UNRECOGNIZED;
	}
	cs_assert(false);
	return ATTEST_TRUST_NO_CLAIM;
}

/* ---- judging ---- */

static void CS_PRINTF(4, 5)
	judge(struct appraiser *a, const char *name, bool ok, const char *format, ...)
{
	cs_assert(a->out->judgement_count < ATTEST_JUDGEMENTS_MAX);
	struct attest_check *judgement = &a->out->judgements[a->out->judgement_count++];
	va_list args;
	judgement->name = name;
	judgement->outcome = ok ? ATTEST_PASSED : ATTEST_FAILED;
	va_start(args, format);
	(void)vsnprintf(judgement->detail.text, sizeof judgement->detail.text, format, args);
	va_end(args);
}

/* A claim only ever gets worse. */
static void set(struct appraiser *a, enum attest_trust_claim claim, enum attest_trust_value value)
{
	enum attest_trust_value *at = &a->out->vector[claim];
	if (value > *at)
		*at = value;
}

/* What an insecure_ word of the policy turns from contraindicated into a warning. */
static void tolerate(struct appraiser *a, const char *name, bool accepted,
		     enum attest_trust_claim claim, enum attest_trust_value otherwise,
		     const char *what)
{
	judge(a, name, accepted, "%s%s", what, accepted ? ": accepted, INSECURE" : "");
	set(a, claim, accepted ? ATTEST_TRUST_UNSAFE : otherwise);
	a->out->insecure |= accepted;
}

/* ---- rules ---- */

static bool is_real(const struct attest_result *result)
{
	return result->hardware != ATTEST_SIMULATED && result->hardware != ATTEST_NONE;
}

static enum attest_trust_value trust_of_tier(enum attest_tier tier)
{
	switch (tier) {
	case ATTEST_TIER_NONE:
		return ATTEST_TRUST_NO_CLAIM;
	case ATTEST_TIER_AFFIRMING:
		return ATTEST_TRUST_APPROVED;
	case ATTEST_TIER_WARNING:
		return ATTEST_TRUST_UNSAFE;
	case ATTEST_TIER_CONTRAINDICATED:
		return ATTEST_TRUST_CONTRAINDICATED;
	}
	cs_assert(false);
	return ATTEST_TRUST_NO_CLAIM;
}

static void judge_tcb(struct appraiser *a)
{
	const enum attest_tcb_status status = a->result->tcb_status;
	const struct attest_tcb_rule *rule = &a->policy->tcb[status];
	enum attest_trust_value value = attest_tcb_trust(status);
	const char *why = "";
	if (a->result->whole_machine) {
		set(a, ATTEST_TRUST_HARDWARE, ATTEST_TRUST_APPROVED);
		return;
	}
	if (status == ATTEST_TCB_NONE) {
		judge(a, "policy-tcb", false, "nobody judged the TCB: is collateral missing?");
		return;
	}
	if (rule->given) {
		const bool holds = rule->until_s == 0 ||
				   verify_time_before(a->now, rule->until_s + 1) == CS_OK;
		why = holds ? " by the policy's rule" : ", and the policy's grace is over";
		value = holds ? trust_of_tier(rule->tier) : value;
	}
	judge(a, "policy-tcb", attest_trust_tier(value) != ATTEST_TIER_CONTRAINDICATED,
	      "%s is %s%s", attest_tcb_status_name(status),
	      attest_tier_name(attest_trust_tier(value)), why);
	set(a, ATTEST_TRUST_HARDWARE, value);
}

/* Where something was judged at all: collateral of no date is as old as one likes. */
static void judge_age(struct appraiser *a)
{
	const struct attest_result *result = a->result;
	const uint64_t issued_s = result->collateral_issued_s,
		       age_max_s = a->policy->collateral_age_max_s;
	if (age_max_s == 0 ||
	    (issued_s == 0 && result->tcb_status == ATTEST_TCB_NONE && !result->whole_machine))
		return;
	const bool fresh = issued_s > 0 && verify_time_fresh(a->now, issued_s, age_max_s) == CS_OK;
	char issued[CS_UTC_SIZE] = "";
	if (issued_s > 0)
		cs_utc_write(issued, issued_s);
	judge(a, "policy-collateral-age", fresh, "%s%s, at most %llu s may have passed",
	      issued_s > 0 ? "the oldest was issued at " : "none that has a date was looked at",
	      issued, (unsigned long long)age_max_s);
	if (!fresh)
		set(a, ATTEST_TRUST_HARDWARE, ATTEST_TRUST_CONTRAINDICATED);
}

/* Intel's alone. */
static void judge_evaluation_number(struct appraiser *a)
{
	const struct attest_result *result = a->result;
	const uint32_t least = a->policy->tcb_evaluation_number_min,
		       number = result->tcb_evaluation_number;
	const bool has_number = result->hardware == ATTEST_SGX || result->hardware == ATTEST_TDX;
	if (least == 0 || !has_number || result->collateral_issued_s == 0)
		return;
	judge(a, "policy-tcb-evaluation-number", number >= least, "%u, at least %u", number, least);
	if (number < least)
		set(a, ATTEST_TRUST_HARDWARE, ATTEST_TRUST_CONTRAINDICATED);
}

static void judge_hardware(struct appraiser *a)
{
	const struct attest_result *result = a->result;
	const struct attest_policy *policy = a->policy;
	if (!is_real(result)) {
		tolerate(a, "policy-simulated", policy->insecure_accept_simulated,
			 ATTEST_TRUST_HARDWARE, ATTEST_TRUST_UNRECOGNIZED,
			 "simulated: nobody vouches for it");
		return;
	}
	judge_tcb(a);
	judge_age(a);
	judge_evaluation_number(a);
	if (result->insecure_roots)
		tolerate(a, "policy-roots", policy->insecure_accept_test_roots,
			 ATTEST_TRUST_HARDWARE, ATTEST_TRUST_UNRECOGNIZED,
			 "roots that are not the vendor's own");
	if (!result->revocation && !result->whole_machine &&
	    result->tcb_status != ATTEST_TCB_NONE) {
		judge(a, "policy-revocation", false, "revocation was not checked");
		set(a, ATTEST_TRUST_HARDWARE, ATTEST_TRUST_UNSAFE);
	}
}

static void judge_memory(struct appraiser *a)
{
	const struct attest_result *result = a->result;
	if (result->debug)
		tolerate(a, "policy-debug", a->policy->insecure_accept_debug,
			 ATTEST_TRUST_CONFIGURATION, ATTEST_TRUST_CONTRAINDICATED,
			 "debug: the machine's owner reads its memory");
	if (!is_real(result))
		return;
	if (result->whole_machine || result->debug)
		set(a, ATTEST_TRUST_RUNTIME_OPAQUE, ATTEST_TRUST_UNSAFE);
	else if (result->tcb_status != ATTEST_TCB_NONE)
		set(a, ATTEST_TRUST_RUNTIME_OPAQUE, ATTEST_TRUST_APPROVED);
}

/* ---- reference values ---- */

/* By name: policies name claims, evidence has few. */
static const struct attest_claim *claim_of(const struct attest_result *result, struct cs_bytes name)
{
	for (size_t i = 0; i < result->claim_count; i++) {
		if (cs_bytes_eq(cs_bytes_str(result->claims[i].name), name))
			return &result->claims[i];
	}
	return NULL;
}

static bool value_holds(const struct attest_result *result,
			const struct attest_reference_value *value)
{
	const struct attest_claim *claim = claim_of(result, value->name);
	if (claim == NULL)
		return false;
	if (value->bytes.p != NULL)
		return claim->bytes.p != NULL && cs_bytes_eq(claim->bytes, value->bytes);
	return claim->bytes.p == NULL && claim->number >= value->at_least;
}

static bool is_of_kind(const struct attest_result *result, const struct attest_reference *reference)
{
	return reference->kind == result->kind || reference->kind == result->hardware;
}

/* The first value that does not hold; NULL when all do. */
static const struct attest_reference_value *mismatch(const struct attest_result *result,
						     const struct attest_reference *reference)
{
	for (size_t i = 0; i < reference->count; i++) {
		if (!value_holds(result, &reference->values[i]))
			return &reference->values[i];
	}
	return NULL;
}

static bool is_in_force(const struct appraiser *a, const struct attest_reference *reference)
{
	return reference->not_after_s == 0 ||
	       verify_time_before(a->now, reference->not_after_s + 1) == CS_OK;
}

static void reference_found(struct appraiser *a, const struct attest_reference *reference,
			    size_t index)
{
	const bool whole =
		a->result->hardware == ATTEST_SGX || a->result->hardware == ATTEST_SIMULATED;
	a->out->reference = reference;
	judge(a, "policy-measurements", true, "measurements[%zu] %.*s", index,
	      (int)reference->label.n, (const char *)reference->label.p);
	set(a, ATTEST_TRUST_EXECUTABLES,
	    whole ? ATTEST_TRUST_APPROVED : ATTEST_TRUST_APPROVED_BOOT);
}

static void judge_measurements(struct appraiser *a)
{
	const struct attest_policy *policy = a->policy;
	size_t of_kind = 0, expired = 0;
	const struct attest_reference_value *last = NULL;
	if (!policy->judges_reference)
		return;
	for (size_t i = 0; i < policy->reference_count; i++) {
		const struct attest_reference *reference = &policy->references[i];
		if (!is_of_kind(a->result, reference))
			continue;
		of_kind++;
		const struct attest_reference_value *wrong = mismatch(a->result, reference);
		if (wrong != NULL) {
			last = wrong;
		} else if (!is_in_force(a, reference)) {
			expired++;
		} else {
			reference_found(a, reference, i);
			return;
		}
	}
	if (expired > 0)
		judge(a, "policy-measurements", false,
		      "the policy names this build, but no longer");
	else if (of_kind == 0)
		judge(a, "policy-measurements", false, "the policy names no build of this kind");
	else
		judge(a, "policy-measurements", false,
		      "none of %zu builds; of the last, %.*s differs", of_kind, (int)last->name.n,
		      (const char *)last->name.p);
	set(a, ATTEST_TRUST_EXECUTABLES, ATTEST_TRUST_CONTRAINDICATED);
}

static bool report_data_is(const struct attest_result *result, struct cs_bytes expected)
{
	if (expected.n > result->report_data_size ||
	    memcmp(result->report_data, expected.p, expected.n) != 0)
		return false;
	for (size_t i = expected.n; i < result->report_data_size; i++) {
		if (result->report_data[i] != 0)
			return false;
	}
	return true;
}

static void judge_report_data(struct appraiser *a)
{
	if (!a->policy->judges_report_data)
		return;
	const bool same = report_data_is(a->result, a->policy->report_data);
	judge(a, "policy-report-data", same, same ? "as expected" : "not what was expected");
	set(a, ATTEST_TRUST_INSTANCE_IDENTITY,
	    same ? ATTEST_TRUST_APPROVED : ATTEST_TRUST_UNRECOGNIZED);
}

/* ---- the whole ---- */

/* The worst of all; but nothing is affirmed of hardware of which nothing is known. */
static enum attest_tier status_of(const struct attest_appraisal *appraisal)
{
	enum attest_tier worst = ATTEST_TIER_NONE;
	for (size_t i = 0; i < ATTEST_TRUST_COUNT; i++) {
		const enum attest_tier tier = attest_trust_tier((int)appraisal->vector[i]);
		if (tier > worst)
			worst = tier;
	}
	if (worst != ATTEST_TIER_CONTRAINDICATED &&
	    appraisal->vector[ATTEST_TRUST_HARDWARE] == ATTEST_TRUST_NO_CLAIM)
		return ATTEST_TIER_NONE;
	return worst;
}

void attest_appraise(struct attest_appraisal *out, const struct attest_result *result,
		     const struct attest_policy *policy, const struct verify_time *now)
{
	struct appraiser a = {out, result, policy, now};
	memset(out, 0, sizeof *out);
	out->whole_machine = result->whole_machine;
	if (!attest_result_verified(result)) {
		set(&a, ATTEST_TRUST_HARDWARE, ATTEST_TRUST_CRYPTO_FAILED);
		judge(&a, "policy-evidence", false, "the evidence does not verify");
	} else {
		judge_hardware(&a);
		judge_memory(&a);
		judge_measurements(&a);
		judge_report_data(&a);
	}
	out->status = status_of(out);
	out->insecure &= out->status != ATTEST_TIER_CONTRAINDICATED;
}
