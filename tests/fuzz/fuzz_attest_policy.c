/* Any text as a policy, and a result of the simulated backend and of a quote appraised by it: nothing
 * simulated is ever affirmed, nothing that failed is ever accepted. */
#include "tests/fuzz/fuzz.h"
#include "verify/attest/ear.h"

static void appraise(const struct attest_policy *policy, enum attest_kind kind, bool verified)
{
	static const struct verify_time now = {1800000000, 1800000000};
	static const struct ear_verifier verifier = {"fuzz", "0"};
	static const uint8_t measurement[32] = {1};
	static struct attest_result result;
	static struct attest_appraisal appraisal;
	static uint8_t memory[EAR_SIZE_MAX];
	const struct attest_input in = {.now = now};
	struct cs_buf buf;
	memset(&result, 0, sizeof result);
	result.kind = result.hardware = kind;
	result.revocation = true;
	result.tcb_status = kind == ATTEST_SIMULATED ? ATTEST_TCB_NONE : ATTEST_TCB_OUT_OF_DATE;
	result.collateral_issued_s = now.low_s - 100;
	attest_check(&result, "check", verified, "fuzz");
	attest_measurement(&result, "measurement", CS_BYTES_OF(measurement));
	attest_claim_number(&result, "isv_svn", 3);
	attest_appraise(&appraisal, &result, policy, &now);
	cs_assert(kind != ATTEST_SIMULATED || appraisal.status >= ATTEST_TIER_WARNING);
	cs_assert(kind != ATTEST_SIMULATED || appraisal.status == ATTEST_TIER_CONTRAINDICATED ||
		  (appraisal.insecure && policy->insecure_accept_simulated));
	cs_assert(verified || appraisal.status == ATTEST_TIER_CONTRAINDICATED);
	cs_buf_init(&buf, memory, sizeof memory);
	ear_write(&buf, &result, &appraisal, policy, &in, &verifier);
	cs_assert(cs_buf_end(&buf) == CS_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct attest_policy policy;
	struct cs_why why;
	fuzz_fill(&policy, sizeof policy);
	if (attest_policy_parse(&policy, cs_bytes(data, size), fuzz_arena(), &why) != CS_OK) {
		fuzz_untouched(&policy, sizeof policy);
		return 0;
	}
	cs_assert(policy.reference_count <= ATTEST_REFERENCES_MAX);
	appraise(&policy, ATTEST_SIMULATED, true);
	appraise(&policy, ATTEST_SIMULATED, false);
	appraise(&policy, ATTEST_SGX, true);
	appraise(&policy, ATTEST_SGX, false);
	return 0;
}
