/* What `caisson attest verify` and `attest connect` say: a report for people, the same as JSON, or the claims of EAR. */
#include "cli/attest.h"
#include "core/utc.h"
#include "gateway/attest_json.h"
#include "host/enclave_json.h"
#include "host/evidence_read.h"

#include <stdlib.h>
#include <string.h>

/* Claims that are Unix seconds. */
#define DATES "certificate_not_"

static const char *hex_of(struct cs_bytes bytes)
{
	static char text[2 * GATEWAY_ATTEST_CLAIM_SIZE_MAX + 1];
	if (bytes.n > GATEWAY_ATTEST_CLAIM_SIZE_MAX)
		bytes.n = GATEWAY_ATTEST_CLAIM_SIZE_MAX;
	cs_hex(text, bytes);
	return text;
}

/* ---- JSON ---- */

static struct gateway_attest_verdict verdict_of(const struct attest_run *run)
{
	return (struct gateway_attest_verdict){&run->in, &run->result, &run->policy,
					       &run->appraisal};
}

json_t *attest_json(const struct attest_run *run)
{
	const struct gateway_attest_verdict verdict = verdict_of(run);
	json_t *json = gateway_attest_json(&verdict);
	/* What the report data says, if the check of it passed. */
	if (run->document != NULL) {
		json_t *report = host_evidence_bound(run->document);
		json_object_set_new(report, "insecure", host_insecure_json(run->document_flags));
		json_object_set_new(json, "report", report);
	}
	if (run->hello != NULL)
		json_object_set(json, "hello", run->hello);
	return json;
}

/* ---- for people ---- */

static void print_checks(const struct attest_check *checks, size_t count)
{
	static const char *const words[] = {"ok", "NO", "--"};
	for (size_t i = 0; i < count; i++)
		printf("  %s  %-28s %s\n", words[checks[i].outcome], checks[i].name,
		       checks[i].detail.text);
}

static void print_time(const char *name, uint64_t seconds)
{
	char text[CS_UTC_SIZE];
	if (seconds == 0 || seconds > CS_UTC_SECONDS_MAX)
		return;
	cs_utc_write(text, seconds);
	printf("  %-24s %s\n", name, text);
}

static void print_claims(const struct attest_result *result, bool measurements)
{
	for (size_t i = 0; i < result->claim_count; i++) {
		const struct attest_claim *claim = &result->claims[i];
		if (claim->measurement != measurements)
			continue;
		if (claim->bytes.p != NULL)
			printf("  %-24s %s\n", claim->name, hex_of(claim->bytes));
		else if (strncmp(claim->name, DATES, strlen(DATES)) == 0)
			print_time(claim->name, claim->number);
		else
			printf("  %-24s %llu\n", claim->name, (unsigned long long)claim->number);
	}
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
		if (result->tcb_evaluation_number > 0)
			printf("  %-24s %u\n", "tcb_evaluation_number",
			       result->tcb_evaluation_number);
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
	const struct gateway_attest_verdict verdict = verdict_of(run);
	if (cli_flag(run->cli, "ear"))
		cli_print_json(run->cli, gateway_attest_ear(&verdict));
	else if (run->cli->json)
		cli_print_json(run->cli, attest_json(run));
	else
		print_report(run);
}
