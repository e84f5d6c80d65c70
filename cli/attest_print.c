/* What `caisson attest verify` and `attest connect` say: a report for people, the same as JSON, or the claims of EAR. */
#include "cli/attest.h"
#include "core/utc.h"
#include "host/enclave_json.h"
#include "verify/attest/ear.h"

#include <stdlib.h>
#include <string.h>

/* The longest claim is a public key. */
#define CLAIM_SIZE_MAX 1024u

static const char *hex_of(struct cs_bytes bytes)
{
	static char text[2 * CLAIM_SIZE_MAX + 1];
	cs_hex(text, cs_bytes(bytes.p, bytes.n < CLAIM_SIZE_MAX ? bytes.n : CLAIM_SIZE_MAX));
	return text;
}

/* ---- EAR ---- */

static json_t *ear_json(const struct attest_run *run)
{
	static const struct ear_verifier verifier = {"Caisson", CAISSON_VERSION};
	static uint8_t memory[EAR_SIZE_MAX];
	struct cs_buf buf;
	cs_buf_init(&buf, memory, sizeof(memory));
	ear_write(&buf, &run->result, &run->appraisal, &run->policy, &run->in, &verifier);
	return cs_buf_end(&buf) == CS_OK ? json_loadb((const char *)memory, buf.n, 0, NULL)
					 : json_null();
}

/* ---- JSON ---- */

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

static json_t *claims_json(const struct attest_result *result, bool measurements)
{
	json_t *claims = json_object();
	for (size_t i = 0; i < result->claim_count; i++) {
		const struct attest_claim *claim = &result->claims[i];
		if (claim->measurement != measurements)
			continue;
		json_object_set_new(claims, claim->name,
				    claim->bytes.p != NULL
					    ? json_string(hex_of(claim->bytes))
					    : json_integer((json_int_t)claim->number));
	}
	return claims;
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

/* What the report data says, if the check of it passed. */
static json_t *document_json(const struct attest_run *run)
{
	static const char *const bound[] = {"role",          "nonce",           "keys",
					    "manifest_hash", "manifest_number", "lineage",
					    "schema_digest", "insecure_flags"};
	json_t *json = json_object();
	for (size_t i = 0; i < CS_LEN(bound); i++)
		json_object_set(json, bound[i], json_object_get(run->document, bound[i]));
	json_object_set_new(json, "insecure", host_insecure_json(run->document_flags));
	return json;
}

json_t *attest_json(const struct attest_run *run)
{
	const struct attest_result *result = &run->result;
	const char *tcb_status = attest_tcb_status_name(result->tcb_status);
	json_t *json = json_object(), *advisories = json_array(), *checks = json_array();
	for (size_t i = 0; i < result->advisory_count; i++)
		json_array_append_new(advisories,
				      json_stringn((const char *)result->advisories[i].p,
						   result->advisories[i].n));
	add_checks(checks, result->checks, result->check_count);
	add_checks(checks, run->appraisal.judgements, run->appraisal.judgement_count);
	json_object_set_new(json, "kind", json_string(attest_kind_name(result->kind)));
	json_object_set_new(json, "hardware", json_string(attest_kind_name(result->hardware)));
	json_object_set_new(json, "status", json_string(attest_tier_name(run->appraisal.status)));
	json_object_set_new(json, "tcb_status",
			    tcb_status == NULL ? json_null() : json_string(tcb_status));
	json_object_set_new(json, "advisories", advisories);
	json_object_set_new(json, "measurements", claims_json(result, true));
	json_object_set_new(json, "claims", claims_json(result, false));
	json_object_set_new(
		json, "report_data",
		json_string(hex_of(cs_bytes(result->report_data, result->report_data_size))));
	json_object_set_new(json, "debug", json_boolean(result->debug));
	json_object_set_new(json, "revocation", json_boolean(result->revocation));
	json_object_set_new(json, "whole_machine", json_boolean(run->appraisal.whole_machine));
	json_object_set_new(json, "insecure", json_boolean(run->appraisal.insecure));
	json_object_set_new(json, "collateral", collateral_json(result));
	json_object_set_new(json, "until", time_json(result->until_s));
	json_object_set_new(json, "at", time_json(run->in.now.low_s));
	json_object_set_new(json, "checks", checks);
	if (run->document != NULL)
		json_object_set_new(json, "report", document_json(run));
	if (run->hello != NULL)
		json_object_set(json, "hello", run->hello);
	json_object_set_new(json, "ear", ear_json(run));
	return json;
}

/* ---- for people ---- */

static void print_checks(const struct attest_check *checks, size_t count)
{
	static const char *const words[] = {"ok", "NO", "--"};
	for (size_t i = 0; i < count; i++)
		printf("  %s  %-24s %s\n", words[checks[i].outcome], checks[i].name,
		       checks[i].detail.text);
}

static void print_claims(const struct attest_result *result, bool measurements)
{
	for (size_t i = 0; i < result->claim_count; i++) {
		const struct attest_claim *claim = &result->claims[i];
		if (claim->measurement != measurements)
			continue;
		if (claim->bytes.p != NULL)
			printf("  %-24s %s\n", claim->name, hex_of(claim->bytes));
		else
			printf("  %-24s %llu\n", claim->name, (unsigned long long)claim->number);
	}
}

static void print_time(const char *name, uint64_t seconds)
{
	char text[CS_UTC_SIZE];
	if (seconds == 0 || seconds > CS_UTC_SECONDS_MAX)
		return;
	cs_utc_write(text, seconds);
	printf("  %-24s %s\n", name, text);
}

static void print_verdict(const struct attest_run *run)
{
	const struct attest_result *result = &run->result;
	const struct attest_appraisal *appraisal = &run->appraisal;
	const char *tcb_status = attest_tcb_status_name(result->tcb_status);
	printf("kind     %s", attest_kind_name(result->kind));
	if (result->hardware != result->kind && result->hardware != ATTEST_NONE)
		printf(", over %s", attest_kind_name(result->hardware));
	printf("\nstatus   %s%s\n", attest_tier_name(appraisal->status),
	       attest_result_verified(result) ? "" : ": it does NOT verify");
	printf("TCB      %s\n", tcb_status == NULL ? "not judged" : tcb_status);
	for (size_t i = 0; i < result->advisory_count; i++)
		printf("         %.*s\n", (int)result->advisories[i].n,
		       (const char *)result->advisories[i].p);
	if (appraisal->whole_machine)
		printf("class    whole machine: its owner and all of its software are trusted\n");
	if (result->debug)
		printf("DEBUG    the machine's owner reads and changes its memory\n");
	if (appraisal->insecure)
		printf("INSECURE accepted only by an insecure_accept_ of the policy\n");
	if (result->insecure_roots)
		printf("INSECURE the roots are not the vendor's own\n");
	if (run->in.no_revocation)
		printf("NOTE     revocation was not checked\n");
	if (run->passed_over > 0)
		printf("NOTE     %zu files of the folder are no collateral\n", run->passed_over);
	if (!run->policy.judges_reference)
		printf("NOTE     no policy names measurements: they are shown, not judged\n");
}

static void print_document(const struct attest_run *run)
{
	const json_t *document = run->document;
	const json_t *keys = json_object_get(document, "keys");
	json_t *flags = host_insecure_json(run->document_flags);
	printf("\nthe enclave, where %s is ok\n",
	       run->hello != NULL ? "channel-binding" : "policy-report-data");
	printf("  %-24s %s\n", "role", cli_text_of(document, "role"));
	printf("  %-24s %s, number %lld\n", "manifest", cli_text_of(document, "manifest_hash"),
	       cli_number_of(document, "manifest_number"));
	printf("  %-24s %s\n", "lineage", cli_text_of(document, "lineage"));
	printf("  %-24s %s\n", "schema", cli_text_of(document, "schema_digest"));
	for (size_t i = 0; i < json_array_size(keys); i++)
		printf("  %-24s %s epoch %lld\n", "key",
		       cli_text_of(json_array_get(keys, i), "public_key"),
		       cli_number_of(json_array_get(keys, i), "epoch"));
	for (size_t i = 0; i < json_array_size(flags); i++)
		printf("  %-24s %s\n", "INSECURE", json_string_value(json_array_get(flags, i)));
	json_decref(flags);
}

static void print_report(const struct attest_run *run)
{
	const struct attest_result *result = &run->result;
	print_verdict(run);
	if (run->document != NULL)
		print_document(run);
	printf("\nchecks\n");
	print_checks(result->checks, result->check_count);
	print_checks(run->appraisal.judgements, run->appraisal.judgement_count);
	if (result->claim_count > 0) {
		printf("\nmeasurements\n");
		print_claims(result, true);
		printf("\nclaims\n");
		print_claims(result, false);
		printf("  %-24s %s\n", "report_data",
		       hex_of(cs_bytes(result->report_data, result->report_data_size)));
	}
	if (result->collateral_issued_s > 0) {
		printf("\ncollateral\n");
		print_time("issued", result->collateral_issued_s);
		print_time("until", result->collateral_until_s);
		print_time("tcb_date", result->tcb_date_s);
		printf("  %-24s %u\n", "tcb_evaluation_number", result->tcb_evaluation_number);
	}
}

void attest_print_brief(const struct attest_run *run, int indent)
{
	const struct attest_result *result = &run->result;
	printf("%*s%s, evidence of kind %s%s%s\n", indent, "",
	       attest_tier_name(run->appraisal.status), attest_kind_name(result->kind),
	       run->appraisal.insecure ? ", INSECURE: accepted only by an insecure_accept_ of the "
					 "policy"
				       : "",
	       run->appraisal.whole_machine ? ", the whole machine is trusted" : "");
	for (size_t i = 0; i < result->claim_count; i++)
		if (result->claims[i].measurement && result->claims[i].bytes.p != NULL)
			printf("%*s%-10s 0x%s\n", indent, "", result->claims[i].name,
			       hex_of(result->claims[i].bytes));
}

void attest_print(struct attest_run *run)
{
	if (cli_flag(run->cli, "ear"))
		cli_print_json(run->cli, ear_json(run));
	else if (run->cli->json)
		cli_print_json(run->cli, attest_json(run));
	else
		print_report(run);
}
