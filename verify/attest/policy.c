#include "verify/attest/policy.h"

#include "core/hash.h"
#include "core/json.h"
#include "core/utc.h"

#include <string.h>

/* A label is for people: a line. */
#define LABEL_SIZE_MAX 128u
#define NAME_SIZE_MAX 64u
/* Claims are at most as long as a report's largest field. */
#define VALUE_SIZE_MAX 64u

const char *attest_tier_name(enum attest_tier tier)
{
	switch (tier) {
	case ATTEST_TIER_NONE:
		return "none";
	case ATTEST_TIER_AFFIRMING:
		return "affirming";
	case ATTEST_TIER_WARNING:
		return "warning";
	case ATTEST_TIER_CONTRAINDICATED:
		return "contraindicated";
	}
	cs_assert(false);
	return NULL;
}

void attest_policy_init(struct attest_policy *policy)
{
	memset(policy, 0, sizeof *policy);
}

/* ---- single values ---- */

static enum cs_err time_read(uint64_t *seconds, const struct cs_json *json, const char *key,
			     struct cs_why *why)
{
	struct cs_bytes text;
	*seconds = 0;
	if (cs_json_find(json, key) == NULL)
		return CS_OK;
	CS_TRY(cs_json_member_string(&text, json, key, CS_UTC_SIZE, why));
	const enum cs_err err = cs_utc_parse(seconds, text);
	if (err != CS_OK)
		return cs_fail(why, err, "%s: not a time as 2026-01-31T00:00:00Z", key);
	return *seconds > 0 ? CS_OK : cs_fail(why, CS_ERR_INVALID, "%s: 1970", key);
}

/* Hex with or without 0x, 1 to VALUE_SIZE_MAX bytes. */
static enum cs_err hex_read(struct cs_bytes *out, struct cs_bytes text, struct cs_arena *arena,
			    struct cs_why *why)
{
	const size_t prefix = text.n >= 2 && text.p[0] == '0' && text.p[1] == 'x' ? 2 : 0;
	const size_t n = (text.n - prefix) / 2;
	if (n == 0 || n > VALUE_SIZE_MAX)
		return cs_fail(why, CS_ERR_INVALID, "hex of %zu bytes, 1 to %u are possible", n,
			       VALUE_SIZE_MAX);
	uint8_t *p = cs_arena_alloc(arena, n);
	if (p == NULL)
		return CS_ERR_NO_MEMORY;
	const enum cs_err err = cs_unhex(p, n, text);
	if (err != CS_OK)
		return cs_fail(why, err, "not hex");
	*out = cs_bytes(p, n);
	return CS_OK;
}

static enum cs_err flag_read(bool *out, const struct cs_json *json, const char *key,
			     struct cs_why *why)
{
	*out = false;
	return cs_json_find(json, key) == NULL ? CS_OK : cs_json_member_bool(out, json, key, why);
}

static enum cs_err number_read(uint64_t *out, const struct cs_json *json, const char *key,
			       uint64_t max, struct cs_why *why)
{
	*out = 0;
	return cs_json_find(json, key) == NULL ? CS_OK
					       : cs_json_member_u64(out, json, key, max, why);
}

/* ---- references ---- */

/* The kinds that a reference may be of. */
static enum cs_err kind_read(enum attest_kind *out, const struct cs_json *json, struct cs_why *why)
{
	static const enum attest_kind kinds[] = {ATTEST_SGX, ATTEST_TDX, ATTEST_SNP, ATTEST_TPM,
						 ATTEST_SIMULATED};
	struct cs_bytes name;
	CS_TRY(cs_json_member_string(&name, json, "kind", NAME_SIZE_MAX, why));
	for (size_t i = 0; i < CS_LEN(kinds); i++) {
		if (cs_bytes_eq(name, cs_bytes_str(attest_kind_name(kinds[i])))) {
			*out = kinds[i];
			return CS_OK;
		}
	}
	return cs_fail(why, CS_ERR_INVALID, "kind: none of sgx, tdx, snp, tpm, simulated");
}

static enum cs_err values_read(struct attest_reference *reference, const struct cs_json *values,
			       struct cs_arena *arena, struct cs_why *why)
{
	for (const struct cs_json *json = values->child; json != NULL; json = json->next) {
		struct attest_reference_value *value = &reference->values[reference->count++];
		value->name = json->key;
		if (json->type != CS_JSON_STRING)
			return cs_fail(why, CS_ERR_INVALID, "values: hex in strings");
		CS_TRY(hex_read(&value->bytes, json->text, arena, why));
	}
	return CS_OK;
}

static enum cs_err minima_read(struct attest_reference *reference, const struct cs_json *minima,
			       struct cs_why *why)
{
	for (const struct cs_json *json = minima->child; json != NULL; json = json->next) {
		struct attest_reference_value *value = &reference->values[reference->count++];
		value->name = json->key;
		const enum cs_err err = cs_json_u64(&value->at_least, json);
		if (err != CS_OK)
			return cs_fail(why, err, "at_least: numbers");
	}
	return CS_OK;
}

static enum cs_err reference_read(struct attest_reference *reference, const struct cs_json *json,
				  struct cs_arena *arena, struct cs_why *why)
{
	static const char *const keys[] = {"kind", "label", "values", "at_least", "not_after"};
	const struct cs_json *values, *minima = NULL;
	CS_TRY(cs_json_only(json, keys, CS_LEN(keys), why));
	CS_TRY(kind_read(&reference->kind, json, why));
	if (cs_json_find(json, "label") != NULL)
		CS_TRY(cs_json_member_string(&reference->label, json, "label", LABEL_SIZE_MAX,
					     why));
	CS_TRY(time_read(&reference->not_after_s, json, "not_after", why));
	CS_TRY(cs_json_member(&values, json, "values", CS_JSON_OBJECT, why));
	if (cs_json_find(json, "at_least") != NULL)
		CS_TRY(cs_json_member(&minima, json, "at_least", CS_JSON_OBJECT, why));
	const size_t count = values->count + (minima == NULL ? 0 : minima->count);
	if (values->count == 0)
		return cs_fail(why, CS_ERR_INVALID, "values: a reference has one at least");
	if (count > ATTEST_REFERENCE_VALUES_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%zu values", count);
	reference->values = cs_arena_calloc(arena, count, sizeof *reference->values);
	if (reference->values == NULL)
		return CS_ERR_NO_MEMORY;
	CS_TRY(values_read(reference, values, arena, why));
	return minima == NULL ? CS_OK : minima_read(reference, minima, why);
}

static enum cs_err references_read(struct attest_policy *policy, const struct cs_json *json,
				   struct cs_arena *arena, struct cs_why *why)
{
	const struct cs_json *list;
	if (cs_json_find(json, "measurements") == NULL)
		return CS_OK;
	CS_TRY(cs_json_member(&list, json, "measurements", CS_JSON_ARRAY, why));
	policy->judges_reference = true;
	if (list->count > ATTEST_REFERENCES_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%zu measurements", list->count);
	policy->references = cs_arena_calloc(arena, list->count, sizeof *policy->references);
	if (policy->references == NULL)
		return CS_ERR_NO_MEMORY;
	for (const struct cs_json *item = list->child; item != NULL; item = item->next) {
		struct cs_why inner = {""};
		const enum cs_err err = reference_read(&policy->references[policy->reference_count],
						       item, arena, &inner);
		if (err != CS_OK)
			return cs_fail(why, err, "measurements[%zu]: %.160s",
				       policy->reference_count, inner.text);
		policy->reference_count++;
	}
	return CS_OK;
}

/* ---- TCB levels ---- */

static enum cs_err status_read(enum attest_tcb_status *out, const struct cs_json *json,
			       struct cs_why *why)
{
	struct cs_bytes name;
	CS_TRY(cs_json_member_string(&name, json, "status", NAME_SIZE_MAX, why));
	for (unsigned i = ATTEST_TCB_UP_TO_DATE; i < ATTEST_TCB_COUNT; i++) {
		const enum attest_tcb_status status = (enum attest_tcb_status)i;
		if (!cs_bytes_eq(name, cs_bytes_str(attest_tcb_status_name(status))))
			continue;
		if (status == ATTEST_TCB_REVOKED || status == ATTEST_TCB_NOT_SUPPORTED)
			return cs_fail(why, CS_ERR_INVALID, "tcb: %s is never accepted",
				       attest_tcb_status_name(status));
		*out = status;
		return CS_OK;
	}
	return cs_fail(why, CS_ERR_INVALID, "tcb: no status of Intel's");
}

static enum cs_err tier_read(enum attest_tier *out, const struct cs_json *json, struct cs_why *why)
{
	struct cs_bytes name;
	CS_TRY(cs_json_member_string(&name, json, "tier", NAME_SIZE_MAX, why));
	for (unsigned i = ATTEST_TIER_AFFIRMING; i <= ATTEST_TIER_CONTRAINDICATED; i++) {
		if (cs_bytes_eq(name, cs_bytes_str(attest_tier_name((enum attest_tier)i)))) {
			*out = (enum attest_tier)i;
			return CS_OK;
		}
	}
	return cs_fail(why, CS_ERR_INVALID,
		       "tcb: tier is none of affirming, warning, contraindicated");
}

static enum cs_err tcb_read(struct attest_policy *policy, const struct cs_json *json,
			    struct cs_why *why)
{
	static const char *const keys[] = {"status", "tier", "until"};
	const struct cs_json *list;
	if (cs_json_find(json, "tcb") == NULL)
		return CS_OK;
	CS_TRY(cs_json_member(&list, json, "tcb", CS_JSON_ARRAY, why));
	for (const struct cs_json *item = list->child; item != NULL; item = item->next) {
		struct attest_tcb_rule rule = {.given = true};
		enum attest_tcb_status status;
		CS_TRY(cs_json_only(item, keys, CS_LEN(keys), why));
		CS_TRY(status_read(&status, item, why));
		CS_TRY(tier_read(&rule.tier, item, why));
		CS_TRY(time_read(&rule.until_s, item, "until", why));
		if (policy->tcb[status].given)
			return cs_fail(why, CS_ERR_DUPLICATE, "tcb: %s is there twice",
				       attest_tcb_status_name(status));
		policy->tcb[status] = rule;
	}
	return CS_OK;
}

/* ---- the whole ---- */

static enum cs_err limits_read(struct attest_policy *policy, const struct cs_json *json,
			       struct cs_arena *arena, struct cs_why *why)
{
	struct cs_bytes text;
	uint64_t number;
	CS_TRY(number_read(&policy->collateral_age_max_s, json, "collateral_age_max_s",
			   CS_UTC_SECONDS_MAX, why));
	CS_TRY(number_read(&number, json, "tcb_evaluation_number_min", UINT32_MAX, why));
	policy->tcb_evaluation_number_min = (uint32_t)number;
	if (cs_json_find(json, "report_data") == NULL)
		return CS_OK;
	policy->judges_report_data = true;
	CS_TRY(cs_json_member_string(&text, json, "report_data", 2 * VALUE_SIZE_MAX + 2, why));
	return hex_read(&policy->report_data, text, arena, why);
}

static enum cs_err insecure_read(struct attest_policy *policy, const struct cs_json *json,
				 struct cs_why *why)
{
	CS_TRY(flag_read(&policy->insecure_accept_simulated, json, "insecure_accept_simulated",
			 why));
	CS_TRY(flag_read(&policy->insecure_accept_debug, json, "insecure_accept_debug", why));
	return flag_read(&policy->insecure_accept_test_roots, json, "insecure_accept_test_roots",
			 why);
}

enum cs_err attest_policy_parse(struct attest_policy *out, struct cs_bytes json,
				struct cs_arena *arena, struct cs_why *why)
{
	static const char *const keys[] = {
		"version",
		"measurements",
		"tcb",
		"collateral_age_max_s",
		"tcb_evaluation_number_min",
		"report_data",
		"insecure_accept_simulated",
		"insecure_accept_debug",
		"insecure_accept_test_roots",
	};
	struct attest_policy policy;
	const struct cs_json *root;
	uint64_t version;
	attest_policy_init(&policy);
	if (json.n > ATTEST_POLICY_SIZE_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "a policy of %zu bytes", json.n);
	CS_TRY(cs_json_parse(&root, json, CS_JSON_INTEGERS, arena, why));
	CS_TRY(cs_json_only(root, keys, CS_LEN(keys), why));
	CS_TRY(cs_json_member_u64(&version, root, "version", UINT32_MAX, why));
	if (version != ATTEST_POLICY_VERSION)
		return cs_fail(why, CS_ERR_UNSUPPORTED, "a policy of version %llu",
			       (unsigned long long)version);
	CS_TRY(references_read(&policy, root, arena, why));
	CS_TRY(tcb_read(&policy, root, why));
	CS_TRY(limits_read(&policy, root, arena, why));
	CS_TRY(insecure_read(&policy, root, why));
	policy.hash = cs_sha256(json);
	*out = policy;
	return CS_OK;
}
