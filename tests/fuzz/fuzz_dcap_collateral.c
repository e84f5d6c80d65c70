/* Any bytes as TCB info and as QE identity: what is read is sorted, and Intel's rules give a verdict for
 * every platform, the best one for a platform that has every number at its highest. */
#include "tests/fuzz/fuzz.h"
#include "verify/attest/dcap.h"

static void sorted(const struct dcap_levels *levels)
{
	cs_assert(levels->count > 0 && levels->count <= DCAP_LEVELS_MAX);
	for (size_t i = 1; i < levels->count; i++) {
		int order = memcmp(levels->at[i - 1].sgx, levels->at[i].sgx, DCAP_SVNS);
		cs_assert(order >= 0);
		if (order == 0)
			cs_assert(levels->at[i - 1].pce_svn >= levels->at[i].pce_svn);
	}
}

static void judge(const struct dcap_tcb_info *info, const struct cs_bytes data)
{
	static const struct dcap_level qe = {.status = ATTEST_TCB_UP_TO_DATE};
	uint8_t body[DCAP_TD15_REPORT_SIZE] = {0};
	struct dcap_pck pck = {.pce_svn = UINT16_MAX};
	memset(pck.svns, 0xff, sizeof pck.svns);
	memset(body, 0xff, DCAP_SVNS);
	body[1] = 0;
	struct dcap_td_report td = dcap_td_report(CS_BYTES_OF(body));
	struct dcap_verdict best = dcap_judge(info, &pck, info->is_tdx ? &td : NULL, &qe);
	/* A module without a version, which is 0 there, reaches no level that asks for one; Intel has none. */
	if (!info->is_tdx || info->levels.at[0].tdx[1] == 0) {
		cs_assert(best.level == &info->levels.at[0] && best.module == NULL);
		cs_assert(best.status == best.level->status);
		cs_assert(dcap_judge(info, &pck, NULL, NULL).status == ATTEST_TCB_NOT_SUPPORTED ||
			  best.level->status == ATTEST_TCB_REVOKED);
	}
	/* And some platform. */
	for (size_t i = 0; i < DCAP_SVNS && i < data.n; i++)
		pck.svns[i] = body[i] = body[584 + i] = data.p[data.n - 1 - i] & 0x0f;
	struct dcap_verdict some = dcap_judge(info, &pck, info->is_tdx ? &td : NULL, &qe);
	cs_assert(some.status > ATTEST_TCB_NONE && some.status < ATTEST_TCB_COUNT);
	cs_assert(some.level != NULL || some.status == ATTEST_TCB_NOT_SUPPORTED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cs_bytes bytes = cs_bytes(data, size);
	struct dcap_tcb_info info;
	struct dcap_qe_identity identity;
	struct cs_why why;
	fuzz_fill(&info, sizeof info);
	if (dcap_tcb_info_parse(&info, bytes, fuzz_arena(), &why) == CS_OK) {
		sorted(&info.levels);
		judge(&info, bytes);
	} else {
		fuzz_untouched(&info, sizeof info);
	}
	fuzz_fill(&identity, sizeof identity);
	if (dcap_qe_identity_parse(&identity, bytes, fuzz_arena(), &why) == CS_OK)
		cs_assert(dcap_level_of(&identity.levels, UINT16_MAX) == &identity.levels.at[0]);
	else
		fuzz_untouched(&identity, sizeof identity);
	return 0;
}
