/* Any bytes as a certificate with evidence, as the extension's value inside a recorded one, and as
 * evidence of any kind in any dress. Nothing that the fuzzer makes verifies under the vendors' roots,
 * except the simulated kind, which has none. */
#include "core/nistp.h"
#include "tests/fuzz/fuzz.h"
#include "verify/attest/evidence.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct attest_collateral none;
	static struct cs_nistp *nistp;
	static struct attest_result result;
	struct attest_input in = {.collateral = &none,
				  .roots = &attest_roots_vendors,
				  .now = {1700000000, 1700000000}};
	struct cs_arena *arena = fuzz_arena();
	struct cs_why why;
	if (nistp == NULL)
		nistp = cs_nistp_new();
	cs_assert(nistp != NULL);
	if (attest_evidence_find(&in.evidence, cs_bytes(data, size), arena, &why) != CS_OK)
		return 0;
	if (attest_verify(&result, &in, nistp, arena, &why) != CS_OK)
		return 0;
	cs_assert(result.kind == in.evidence.kind && result.check_count > 0);
	cs_assert(result.tcb_status == ATTEST_TCB_NONE || result.hardware == ATTEST_SNP);
	return 0;
}
