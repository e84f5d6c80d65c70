/* From a kind to its verifier. */
#include "core/nistp.h"
#include "verify/attest/evidence.h"

#include <string.h>

enum cs_err attest_verify_inside(struct attest_work *work, const struct attest_evidence *evidence)
{
	switch (evidence->kind) {
	case ATTEST_SIMULATED:
		return simulated_verify(work, evidence->bytes);
	case ATTEST_SNP:
		return snp_verify(work, evidence->bytes);
	case ATTEST_SGX:
	case ATTEST_TDX:
		return dcap_verify(work, evidence->bytes);
	case ATTEST_TPM:
		return tpm_verify(work, evidence->bytes);
	case ATTEST_NONE:
	case ATTEST_RATLS:
		break;
	}
	return cs_fail(work->why, CS_ERR_UNSUPPORTED, "evidence of kind %s within other evidence",
		       attest_kind_name(evidence->kind));
}

static enum cs_err verify(struct attest_work *work, const struct attest_evidence *evidence)
{
	switch (evidence->kind) {
	case ATTEST_RATLS:
		return ratls_verify(work, evidence->bytes);
	case ATTEST_TPM:
	case ATTEST_SGX:
	case ATTEST_TDX:
	case ATTEST_SNP:
	case ATTEST_SIMULATED:
		return attest_verify_inside(work, evidence);
	case ATTEST_NONE:
		break;
	}
	return cs_fail(work->why, CS_ERR_UNSUPPORTED, "evidence of no kind");
}

enum cs_err attest_verify(struct attest_result *result, const struct attest_input *in,
			  struct cs_nistp *nistp, struct cs_arena *arena, struct cs_why *why)
{
	struct attest_work work = {
		.in = in, .nistp = nistp, .arena = arena, .result = result, .why = why};
	const struct attest_evidence *evidence = &in->evidence;
	memset(result, 0, sizeof *result);
	result->kind = evidence->kind;
	result->insecure_roots = in->roots->insecure;
	if (evidence->bytes.n > ATTEST_EVIDENCE_SIZE_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%zu bytes of evidence", evidence->bytes.n);
	enum cs_err err = verify(&work, evidence);
	/* Whatever became of it on the way: a library that failed has refuted nothing. */
	if (cs_nistp_failed(nistp))
		return cs_fail(why, CS_ERR_CRYPTO, "%s", cs_err_sentence(CS_ERR_CRYPTO));
	return err;
}
