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

struct date {
	char text[CS_UTC_SIZE];
};

static struct date date(uint64_t seconds)
{
	struct date date;
	cs_utc_write(date.text, seconds < CS_UTC_SECONDS_MAX ? seconds : CS_UTC_SECONDS_MAX);
	return date;
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
	char why[96] = "";
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
		value = holds ? trust_of_tier(rule->tier) : value;
		(void)snprintf(why, sizeof why, "%s%s%s%s",
			       holds ? " by the policy's rule" : ", and the policy's rule, ",
			       holds ? "" : attest_tier_name(rule->tier),
			       rule->until_s == 0 ? ""
			       : holds            ? " until "
						  : ", was until ",
			       rule->until_s == 0 ? "" : date(rule->until_s).text);
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
	if (issued_s == 0) {
		judge(a, "policy-collateral-age", false,
		      "none that has a date was looked at, and the policy's most is %llu s",
		      (unsigned long long)age_max_s);
	} else {
		const uint64_t passed_s = a->now->high_s > issued_s ? a->now->high_s - issued_s : 0;
		judge(a, "policy-collateral-age", fresh,
		      "the oldest was issued at %s, %llu s ago, and the policy's most is %llu s",
		      date(issued_s).text, (unsigned long long)passed_s,
		      (unsigned long long)age_max_s);
	}
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
	judge(a, "policy-tcb-evaluation-number", number >= least,
	      "the collateral's is %u, the policy's least %u", number, least);
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
		judge(a, "policy-revocation", false,
		      "revocation was not checked: a warning at best");
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

/* Its place, and the first of its label. */
struct build_name {
	char text[64];
};

static struct build_name build_name(const struct attest_reference *reference, size_t index)
{
	struct build_name name;
	const size_t n = reference->label.n;
	if (n == 0)
		(void)snprintf(name.text, sizeof name.text, "measurements[%zu]", index);
	else
		(void)snprintf(name.text, sizeof name.text, "measurements[%zu] '%.*s%s'", index,
			       n > 24 ? 24 : (int)n, (const char *)reference->label.p,
			       n > 24 ? "..." : "");
	return name;
}

static void reference_found(struct appraiser *a, const struct attest_reference *reference,
			    size_t index)
{
	const bool whole =
		a->result->hardware == ATTEST_SGX || a->result->hardware == ATTEST_SIMULATED;
	a->out->reference = reference;
	judge(a, "policy-measurements", true, "%s: all of its values are the evidence's",
	      build_name(reference, index).text);
	set(a, ATTEST_TRUST_EXECUTABLES,
	    whole ? ATTEST_TRUST_APPROVED : ATTEST_TRUST_APPROVED_BOOT);
}

/* Of the build that was looked at last: which value is another one. */
static void reference_differs(struct appraiser *a, const struct attest_reference_value *value,
			      const char *build, size_t count)
{
	const struct attest_claim *claim = claim_of(a->result, value->name);
	const int n = (int)value->name.n;
	const char *name = (const char *)value->name.p;
	char builds[40] = "";
	if (count > 1)
		(void)snprintf(builds, sizeof builds, "none of %zu builds; ", count);
	if (claim == NULL || (claim->bytes.p == NULL) != (value->bytes.p == NULL)) {
		judge(a, "policy-measurements", false, "%s%s: the evidence has no such %.*s",
		      builds, build, n, name);
	} else if (value->bytes.p == NULL) {
		judge(a, "policy-measurements", false,
		      "%s%s: %.*s is %llu, the policy's least %llu", builds, build, n, name,
		      (unsigned long long)claim->number, (unsigned long long)value->at_least);
	} else {
		const size_t from = attest_hex_from(claim->bytes, value->bytes);
		judge(a, "policy-measurements", false, "%s%s: %.*s is %s, the policy's %s", builds,
		      build, n, name, attest_hex(claim->bytes, from).text,
		      attest_hex(value->bytes, from).text);
	}
}

static void kind_is_not_named(struct appraiser *a)
{
	const char *kind = attest_kind_name(a->result->kind);
	const char *hardware = attest_kind_name(a->result->hardware);
	const bool one =
		a->result->kind == a->result->hardware || a->result->hardware == ATTEST_NONE;
	judge(a, "policy-measurements", false, "the policy names no build of kind %s%s%s", kind,
	      one ? "" : " or ", one ? "" : hardware);
}

static void judge_measurements(struct appraiser *a)
{
	const struct attest_policy *policy = a->policy;
	size_t of_kind = 0, of_build = 0;
	const struct attest_reference *over = NULL;
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
			of_build = i;
		} else if (!is_in_force(a, reference)) {
			over = reference;
		} else {
			reference_found(a, reference, i);
			return;
		}
	}
	if (over != NULL)
		judge(a, "policy-measurements", false,
		      "%s is this build, but was until %s, judged as of %s",
		      build_name(over, (size_t)(over - policy->references)).text,
		      date(over->not_after_s).text, date(a->now->low_s).text);
	else if (of_kind == 0)
		kind_is_not_named(a);
	else
		reference_differs(a, last, build_name(&policy->references[of_build], of_build).text,
				  of_kind);
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
	const struct cs_bytes expected = a->policy->report_data;
	const struct cs_bytes data = cs_bytes(a->result->report_data, a->result->report_data_size);
	const bool same = report_data_is(a->result, expected);
	const size_t from = attest_hex_from(data, expected);
	if (same)
		judge(a, "policy-report-data", true, "%s, as expected", attest_hex(data, 0).text);
	else
		judge(a, "policy-report-data", false, "%s, expected is %s%s",
		      attest_hex(data, from).text, attest_hex(expected, from).text,
		      expected.n < data.n ? " and then zeros" : "");
	set(a, ATTEST_TRUST_INSTANCE_IDENTITY,
	    same ? ATTEST_TRUST_APPROVED : ATTEST_TRUST_UNRECOGNIZED);
}

/* ---- the whole ---- */

static const char *failed_check(const struct attest_result *result)
{
	for (size_t i = 0; i < result->check_count; i++)
		if (result->checks[i].outcome == ATTEST_FAILED)
			return result->checks[i].name;
	return "nothing was checked";
}

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
		judge(&a, "policy-evidence", false, "the evidence does not verify: %s",
		      failed_check(result));
	} else {
		judge_hardware(&a);
		judge_memory(&a);
		judge_measurements(&a);
		judge_report_data(&a);
	}
	out->status = status_of(out);
	out->insecure &= out->status != ATTEST_TIER_CONTRAINDICATED;
}
