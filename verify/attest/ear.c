#include "verify/attest/ear.h"

#include "core/hash.h"
#include "core/json.h"

static void put_name(struct cs_buf *buf, const char *name)
{
	cs_json_write_string(buf, cs_bytes_str(name));
	cs_put_u8(buf, ':');
}

static void put_string(struct cs_buf *buf, const char *name, const char *text)
{
	put_name(buf, name);
	cs_json_write_string(buf, cs_bytes_str(text));
}

static void put_hash(struct cs_buf *buf, const char *prefix, const struct cs_hash *hash)
{
	char hex[2 * sizeof hash->b + 1];
	cs_hex(hex, CS_BYTES_OF(hash->b));
	cs_put_text(buf, "\"%s%s\"", prefix, hex);
}

static void put_advisories(struct cs_buf *buf, const struct attest_result *result)
{
	put_name(buf, "ear.caisson.advisories");
	cs_put_u8(buf, '[');
	for (size_t i = 0; i < result->advisory_count; i++) {
		if (i > 0)
			cs_put_u8(buf, ',');
		cs_json_write_string(buf, result->advisories[i]);
	}
	cs_put_u8(buf, ']');
}

/* In the order of their names, as the canonical form wants it; claims that are not made are left
 * out. */
static void put_vector(struct cs_buf *buf, const struct attest_appraisal *appraisal)
{
	static const enum attest_trust_claim sorted[ATTEST_TRUST_COUNT] = {
		ATTEST_TRUST_CONFIGURATION,     ATTEST_TRUST_EXECUTABLES,
		ATTEST_TRUST_FILE_SYSTEM,       ATTEST_TRUST_HARDWARE,
		ATTEST_TRUST_INSTANCE_IDENTITY, ATTEST_TRUST_RUNTIME_OPAQUE,
		ATTEST_TRUST_SOURCED_DATA,      ATTEST_TRUST_STORAGE_OPAQUE,
	};
	bool some = false;
	put_name(buf, "ear.trustworthiness-vector");
	cs_put_u8(buf, '{');
	for (size_t i = 0; i < ATTEST_TRUST_COUNT; i++) {
		const enum attest_trust_value value = appraisal->vector[sorted[i]];
		if (value == ATTEST_TRUST_NO_CLAIM)
			continue;
		if (some)
			cs_put_u8(buf, ',');
		some = true;
		put_name(buf, attest_trust_name(sorted[i]));
		cs_put_text(buf, "%d", (int)value);
	}
	cs_put_u8(buf, '}');
}

static void put_submodule(struct cs_buf *buf, const struct attest_result *result,
			  const struct attest_appraisal *appraisal,
			  const struct attest_policy *policy, const struct attest_input *in)
{
	const struct cs_hash evidence = cs_sha256(in->evidence.bytes);
	const char *tcb_status = attest_tcb_status_name(result->tcb_status);
	cs_put_u8(buf, '{');
	put_name(buf, "ear.appraisal-policy-id");
	if (cs_hash_is_zero(&policy->hash))
		cs_json_write_string(buf, cs_bytes_str("caisson:policy:none"));
	else
		put_hash(buf, "caisson:policy:sha256:", &policy->hash);
	cs_put_u8(buf, ',');
	put_advisories(buf, result);
	cs_put_u8(buf, ',');
	put_string(buf, "ear.caisson.class", appraisal->whole_machine ? "whole-machine" : "tee");
	cs_put_u8(buf, ',');
	put_name(buf, "ear.caisson.evidence-sha256");
	put_hash(buf, "", &evidence);
	cs_put_text(buf, ",\"ear.caisson.insecure\":%s,", appraisal->insecure ? "true" : "false");
	put_name(buf, "ear.caisson.tcb-status");
	if (tcb_status == NULL)
		cs_put_text(buf, "null");
	else
		cs_json_write_string(buf, cs_bytes_str(tcb_status));
	cs_put_u8(buf, ',');
	put_string(buf, "ear.status", attest_tier_name(appraisal->status));
	cs_put_u8(buf, ',');
	put_vector(buf, appraisal);
	cs_put_u8(buf, '}');
}

void ear_write(struct cs_buf *buf, const struct attest_result *result,
	       const struct attest_appraisal *appraisal, const struct attest_policy *policy,
	       const struct attest_input *in, const struct ear_verifier *verifier)
{
	cs_put_u8(buf, '{');
	put_name(buf, "ear.verifier-id");
	cs_put_u8(buf, '{');
	put_string(buf, "build", verifier->build);
	cs_put_u8(buf, ',');
	put_string(buf, "developer", verifier->developer);
	cs_put_text(buf, "},");
	put_string(buf, "eat_profile", EAR_PROFILE);
	cs_put_text(buf, ",\"iat\":%llu,", (unsigned long long)in->now.low_s);
	put_name(buf, "submods");
	cs_put_u8(buf, '{');
	put_name(buf, attest_kind_name(result->kind));
	put_submodule(buf, result, appraisal, policy, in);
	cs_put_text(buf, "}}");
}
