/* Any bytes as a file of collateral: what is taken is a view of the file or the arena, twice the same
 * file is once, and what is refused leaves the bag alone. */
#include "tests/fuzz/fuzz.h"
#include "verify/attest/collateral.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct attest_collateral bag, again;
	struct cs_arena *arena = fuzz_arena();
	const struct cs_bytes file = cs_bytes(data, size);
	struct cs_why why;
	fuzz_fill(&bag, sizeof bag);
	bag.certificate_count = bag.crl_count = 0;
	bag.tcb_info = bag.qe_identity = (struct attest_signed_json){{NULL, 0}, {NULL, 0}};
	again = bag;
	if (attest_collateral_add(&bag, file, arena, &why) != CS_OK) {
		cs_assert(memcmp(&bag, &again, sizeof bag) == 0);
		return 0;
	}
	cs_assert(bag.certificate_count <= ATTEST_CERTIFICATES_MAX);
	cs_assert(bag.crl_count <= ATTEST_CRLS_MAX);
	cs_assert(bag.tcb_info.json.p == NULL || bag.tcb_info.signature.n == 64);
	cs_assert(bag.qe_identity.json.p == NULL || bag.qe_identity.signature.n == 64);
	again = bag;
	cs_assert(attest_collateral_add(&bag, file, arena, &why) == CS_OK);
	cs_assert(memcmp(&bag, &again, sizeof bag) == 0);
	return 0;
}
