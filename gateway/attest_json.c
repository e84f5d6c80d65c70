#include "gateway/attest_json.h"

#include "core/utc.h"

static json_t *hex_json(struct cs_bytes bytes)
{
	char text[2 * GATEWAY_ATTEST_CLAIM_SIZE_MAX + 1];
	if (bytes.n > GATEWAY_ATTEST_CLAIM_SIZE_MAX)
		bytes.n = GATEWAY_ATTEST_CLAIM_SIZE_MAX;
	cs_hex(text, bytes);
	return json_string(text);
}

static void add_checks(json_t *list, const struct attest_check *checks, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		json_t *check = json_object();
		json_object_set_new(check, "name", json_string(checks[i].name));
		json_object_set_new(check, "ok",
				    checks[i].outcome == ATTEST_SKIPPED
					    ? json_null()
					    : json_boolean(checks[i].outcome == ATTEST_PASSED));
		json_object_set_new(check, "detail", json_string(checks[i].detail.text));
		json_array_append_new(list, check);
	}
}

static json_t *checks_json(const struct gateway_attest_verdict *verdict)
{
	json_t *checks = json_array();
	add_checks(checks, verdict->result->checks, verdict->result->check_count);
	add_checks(checks, verdict->appraisal->judgements, verdict->appraisal->judgement_count);
	return checks;
}

static json_t *claims_json(const struct attest_result *result, bool measurements)
{
	json_t *claims = json_object();
	for (size_t i = 0; i < result->claim_count; i++) {
		const struct attest_claim *claim = &result->claims[i];
		if (claim->measurement != measurements)
			continue;
		json_object_set_new(claims, claim->name,
				    claim->bytes.p != NULL
					    ? hex_json(claim->bytes)
					    : json_integer((json_int_t)claim->number));
	}
	return claims;
}

static json_t *advisories_json(const struct attest_result *result)
{
	json_t *advisories = json_array();
	for (size_t i = 0; i < result->advisory_count; i++)
		json_array_append_new(advisories,
				      json_stringn((const char *)result->advisories[i].p,
						   result->advisories[i].n));
	return advisories;
}

static json_t *time_json(uint64_t seconds)
{
	char text[CS_UTC_SIZE];
	if (seconds == 0 || seconds > CS_UTC_SECONDS_MAX)
		return json_null();
	cs_utc_write(text, seconds);
	return json_string(text);
}

static json_t *collateral_json(const struct attest_result *result)
{
	json_t *collateral = json_object();
	json_object_set_new(collateral, "issued", time_json(result->collateral_issued_s));
	json_object_set_new(collateral, "until", time_json(result->collateral_until_s));
	json_object_set_new(collateral, "tcb_date", time_json(result->tcb_date_s));
	json_object_set_new(collateral, "tcb_evaluation_number",
			    json_integer(result->tcb_evaluation_number));
	return collateral;
}

json_t *gateway_attest_ear(const struct gateway_attest_verdict *verdict)
{
	static const struct ear_verifier verifier = {"Caisson", CAISSON_VERSION};
	uint8_t memory[EAR_SIZE_MAX];
	struct cs_buf buf;
	cs_buf_init(&buf, memory, sizeof(memory));
	ear_write(&buf, verdict->result, verdict->appraisal, verdict->policy, verdict->in,
		  &verifier);
	return cs_buf_end(&buf) == CS_OK ? json_loadb((const char *)memory, buf.n, 0, NULL)
					 : json_null();
}

json_t *gateway_attest_json(const struct gateway_attest_verdict *verdict)
{
	const struct attest_result *result = verdict->result;
	const struct attest_appraisal *appraisal = verdict->appraisal;
	const char *tcb_status = attest_tcb_status_name(result->tcb_status);
	json_t *json = json_object();
	json_object_set_new(json, "kind", json_string(attest_kind_name(result->kind)));
	json_object_set_new(json, "hardware", json_string(attest_kind_name(result->hardware)));
	json_object_set_new(json, "status", json_string(attest_tier_name(appraisal->status)));
	json_object_set_new(json, "tcb_status",
			    tcb_status == NULL ? json_null() : json_string(tcb_status));
	json_object_set_new(json, "advisories", advisories_json(result));
	json_object_set_new(json, "measurements", claims_json(result, true));
	json_object_set_new(json, "claims", claims_json(result, false));
	json_object_set_new(json, "report_data",
			    hex_json(cs_bytes(result->report_data, result->report_data_size)));
	json_object_set_new(json, "debug", json_boolean(result->debug));
	json_object_set_new(json, "revocation", json_boolean(result->revocation));
	json_object_set_new(json, "whole_machine", json_boolean(appraisal->whole_machine));
	json_object_set_new(json, "insecure", json_boolean(appraisal->insecure));
	json_object_set_new(json, "collateral", collateral_json(result));
	json_object_set_new(json, "until", time_json(result->until_s));
	json_object_set_new(json, "at", time_json(verdict->in->now.low_s));
	json_object_set_new(json, "checks", checks_json(verdict));
	json_object_set_new(json, "ear", gateway_attest_ear(verdict));
	return json;
}
