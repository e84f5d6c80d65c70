/* Evidence of an enclave's hardware, by the verifier that enclaves, ledger and command line run (verify/attest).
 * Here is what an application gives to it, and from which verdict on it may go on. */
#include "core/nistp.h"
#include "gateway/attest_json.h"
#include "host/evidence_read.h"
#include "sdk/c/src/inner.h"
#include "verify/attest/collateral.h"
#include "verify/attest/policy_check.h"

#include <stdlib.h>
#include <string.h>

/* The verifier's own, and what is decoded of the files. */
#define ARENA_SIZE (ATTEST_ARENA_SIZE + 16u * 1024 * 1024)

_Static_assert(CAISSON_EVIDENCE_SIZE_MAX == 3 * ATTEST_EVIDENCE_SIZE_MAX, "as text");

/* What one verification works with. */
struct judged {
	const struct caisson_evidence *given;
	struct caisson_error *error;
	void *memory;
	struct cs_arena arena;
	struct cs_nistp *nistp;
	struct attest_collateral collateral;
	struct cs_bytes roots[ATTEST_CERTIFICATES_MAX];
	size_t root_count;
	struct attest_roots trusted;
	struct attest_input in;
	struct attest_policy policy;
	struct attest_result result;
	struct attest_appraisal appraisal;
	json_t *document; /* NULL: bare evidence */
	struct host_evidence_document read;
};

static struct cs_bytes view(const struct caisson_file *file)
{
	return cs_bytes(file->bytes, file->size);
}

static enum caisson_err no_memory(struct caisson_error *error)
{
	return fail_as(error, CAISSON_NO_MEMORY, "out of memory");
}

/* An argument that is wrong: what and why. Where memory or the library of cryptography failed it is not the
 * argument. */
static enum caisson_err wrong(struct judged *judged, const char *what, enum cs_err err,
			      const struct cs_why *why)
{
	if (err == CS_ERR_NO_MEMORY || err == CS_ERR_CRYPTO)
		return no_memory(judged->error);
	return fail_as(judged->error, CAISSON_INVALID, "%s: %s: %s", what, cs_err_sentence(err),
		       why->text);
}

/* ---- what was given ---- */

static enum caisson_err take_collateral(struct judged *judged)
{
	struct cs_why why = {{0}};
	for (size_t i = 0; i < judged->given->collateral_count; i++) {
		const struct caisson_file *file = &judged->given->collateral[i];
		enum cs_err err = file->size > ATTEST_COLLATERAL_SIZE_MAX
					  ? CS_ERR_TOO_LARGE
					  : attest_collateral_add(&judged->collateral, view(file),
								  &judged->arena, &why);
		if (err != CS_OK)
			return wrong(judged, "collateral", err, &why);
	}
	return CAISSON_OK;
}

static enum caisson_err take_roots(struct judged *judged, const char *what,
				   const struct caisson_file *files, size_t count)
{
	struct attest_collateral found;
	struct cs_why why = {{0}};
	for (size_t i = 0; i < count; i++) {
		found = (struct attest_collateral){.certificate_count = 0};
		enum cs_err err =
			attest_collateral_add(&found, view(&files[i]), &judged->arena, &why);
		if (err == CS_OK && found.certificate_count == 0)
			err = CS_ERR_NOT_FOUND;
		if (err == CS_OK &&
		    found.certificate_count > ATTEST_CERTIFICATES_MAX - judged->root_count)
			err = CS_ERR_TOO_LARGE;
		if (err != CS_OK)
			return wrong(judged, what, err, &why);
		memcpy(&judged->roots[judged->root_count], found.certificates,
		       found.certificate_count * sizeof(found.certificates[0]));
		judged->root_count += found.certificate_count;
	}
	return CAISSON_OK;
}

static enum caisson_err take_all_roots(struct judged *judged)
{
	const struct caisson_evidence *given = judged->given;
	judged->trusted = attest_roots_vendors;
	enum caisson_err err = take_roots(judged, "insecure_roots", given->insecure_roots,
					  given->insecure_root_count);
	if (err != CAISSON_OK)
		return err;
	const size_t count = judged->root_count;
	if (count > 0)
		judged->trusted = (struct attest_roots){.intel = judged->roots,
							.intel_count = count,
							.amd = judged->roots,
							.amd_count = count,
							.insecure = true};
	err = take_roots(judged, "roots", given->roots, given->root_count);
	judged->trusted.tpm = judged->roots + count;
	judged->trusted.tpm_count = judged->root_count - count;
	return err;
}

static enum caisson_err take_policy(struct judged *judged)
{
	const struct caisson_evidence *given = judged->given;
	struct cs_why why = {{0}};
	attest_policy_init(&judged->policy);
	if (given->policy.size > 0) {
		enum cs_err err = attest_policy_parse(&judged->policy, view(&given->policy),
						      &judged->arena, &why);
		if (err == CS_OK)
			err = attest_policy_check(&judged->policy, &why);
		if (err != CS_OK)
			return wrong(judged, "policy", err, &why);
	}
	if (given->report_data_size > ATTEST_REPORT_DATA_SIZE_MAX)
		return fail_as(judged->error, CAISSON_INVALID, "report_data: more than %u bytes",
			       ATTEST_REPORT_DATA_SIZE_MAX);
	if (given->report_data_size > 0) {
		judged->policy.judges_report_data = true;
		judged->policy.report_data = cs_bytes(given->report_data, given->report_data_size);
	}
	return CAISSON_OK;
}

/* A document of GET /v1/enclave/evidence: the evidence in it, which has to be bound to all that it says. */
static enum caisson_err take_evidence(struct judged *judged, struct cs_bytes *evidence)
{
	const struct caisson_evidence *given = judged->given;
	struct cs_why why = {{0}};
	json_t *json = json_loadb(given->evidence.bytes, given->evidence.size,
				  JSON_REJECT_DUPLICATES, NULL);
	*evidence = view(&given->evidence);
	if (!host_evidence_is_document(json)) {
		json_decref(json);
		return given->nonce_size == 0
			       ? CAISSON_OK
			       : fail_as(judged->error, CAISSON_INVALID,
					 "nonce: only for what GET /v1/enclave/evidence gave");
	}
	judged->document = json;
	if (judged->policy.judges_report_data)
		return fail_as(judged->error, CAISSON_INVALID,
			       "the document says what the evidence must be bound to: no report "
			       "data beside it");
	enum cs_err err = host_evidence_read(&judged->read, json, ATTEST_EVIDENCE_SIZE_MAX,
					     &judged->arena, &why);
	if (err == CS_ERR_NO_MEMORY)
		return no_memory(judged->error);
	if (err != CS_OK)
		return fail_as(judged->error, CAISSON_NOT_PROVEN, "the document: %s", why.text);
	judged->policy.judges_report_data = true;
	judged->policy.report_data = judged->read.report_data;
	*evidence = judged->read.evidence;
	return CAISSON_OK;
}

/* ---- the verdict ---- */

static void check_nonce(struct judged *judged)
{
	const struct caisson_evidence *given = judged->given;
	if (judged->document == NULL)
		return;
	if (given->nonce_size == 0)
		attest_skip(&judged->result, "nonce", "none was given: it may be of another time");
	else
		(void)attest_check(
			&judged->result, "nonce",
			cs_bytes_eq(cs_bytes(given->nonce, given->nonce_size), judged->read.nonce),
			"the document's is the one given, and report data binds it");
}

/* Evidence that cannot be read is a verdict, too: one check, which failed. */
static enum caisson_err judge(struct judged *judged, struct cs_bytes evidence)
{
	struct cs_why why = {{0}};
	enum cs_err err =
		attest_evidence_find(&judged->in.evidence, evidence, &judged->arena, &why);
	if (err == CS_OK)
		err = attest_verify(&judged->result, &judged->in, judged->nistp, &judged->arena,
				    &why);
	if (err == CS_ERR_NO_MEMORY || err == CS_ERR_CRYPTO)
		return no_memory(judged->error);
	if (err != CS_OK) {
		memset(&judged->result, 0, sizeof(judged->result));
		judged->result.kind = judged->in.evidence.kind;
		attest_check(&judged->result, "evidence-form", false, "%s: %.150s",
			     cs_err_sentence(err), why.text);
	}
	check_nonce(judged);
	attest_appraise(&judged->appraisal, &judged->result, &judged->policy, &judged->in.now);
	/* Genuine hardware around a program that says of itself that something is missing. */
	if (judged->document != NULL && judged->read.insecure_flags != 0 &&
	    judged->appraisal.status == ATTEST_TIER_AFFIRMING)
		judged->appraisal.status = ATTEST_TIER_WARNING;
	return CAISSON_OK;
}

static const struct attest_check *first_failed(const struct attest_check *checks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (checks[i].outcome == ATTEST_FAILED)
			return &checks[i];
	return NULL;
}

static enum caisson_err suffices(struct judged *judged)
{
	const enum attest_tier status = judged->appraisal.status;
	const struct attest_check *failed =
		first_failed(judged->result.checks, judged->result.check_count);
	if (status == ATTEST_TIER_AFFIRMING ||
	    (status == ATTEST_TIER_WARNING && judged->given->warning))
		return CAISSON_OK;
	if (failed == NULL)
		failed = first_failed(judged->appraisal.judgements,
				      judged->appraisal.judgement_count);
	return fail_as(judged->error, CAISSON_NOT_PROVEN, "%s%s%s%s%s", attest_tier_name(status),
		       failed != NULL ? ": " : "", failed != NULL ? failed->name : "",
		       failed != NULL ? ": " : "", failed != NULL ? failed->detail.text : "");
}

static enum caisson_err answer(struct judged *judged, struct caisson_answer **verdict)
{
	const struct gateway_attest_verdict all = {&judged->in, &judged->result, &judged->policy,
						   &judged->appraisal};
	json_t *json = gateway_attest_json(&all);
	if (json != NULL && judged->document != NULL)
		json_object_set_new(json, "report", host_evidence_bound(judged->document));
	struct caisson_answer *made = answer_new(json);
	if (made == NULL)
		return no_memory(judged->error);
	*verdict = made;
	return CAISSON_OK;
}

static enum caisson_err verify(struct judged *judged, struct caisson_answer **verdict)
{
	struct cs_bytes evidence;
	enum caisson_err err = take_policy(judged);
	if (err == CAISSON_OK)
		err = take_all_roots(judged);
	if (err == CAISSON_OK)
		err = take_collateral(judged);
	if (err == CAISSON_OK)
		err = take_evidence(judged, &evidence);
	if (err == CAISSON_OK)
		err = judge(judged, evidence);
	if (err == CAISSON_OK)
		err = suffices(judged);
	return err == CAISSON_OK ? answer(judged, verdict) : err;
}

enum caisson_err caisson_verify_evidence(struct caisson_answer **verdict,
					 const struct caisson_evidence *evidence,
					 struct caisson_error *error)
{
	if (evidence->at_s == 0 || evidence->evidence.size == 0 ||
	    evidence->evidence.size > CAISSON_EVIDENCE_SIZE_MAX)
		return fail_as(error, CAISSON_INVALID,
			       "at_s and evidence of 1 to %u bytes are needed",
			       CAISSON_EVIDENCE_SIZE_MAX);
	struct judged *judged = calloc(1, sizeof(*judged));
	if (judged == NULL)
		return no_memory(error);
	judged->given = evidence;
	judged->error = error;
	judged->memory = malloc(ARENA_SIZE);
	judged->nistp = cs_nistp_new();
	enum caisson_err err = CAISSON_NO_MEMORY;
	if (judged->memory != NULL && judged->nistp != NULL) {
		cs_arena_init(&judged->arena, judged->memory, ARENA_SIZE);
		judged->in = (struct attest_input){
			.collateral = &judged->collateral,
			.roots = &judged->trusted,
			.now = {evidence->at_s, evidence->at_s},
			.no_revocation = evidence->no_revocation,
		};
		err = verify(judged, verdict);
	} else {
		err = no_memory(error);
	}
	cs_nistp_free(judged->nistp);
	json_decref(judged->document);
	free(judged->memory);
	free(judged);
	return err;
}
