/* Any bytes as a quote of SGX or TDX under Intel's root, with nothing beside it: the parts stay inside, and
 * without collateral there is no verdict, whatever the bytes. */
#include "core/nistp.h"
#include "tests/fuzz/fuzz.h"
#include "verify/attest/dcap_quote.h"
#include "verify/attest/evidence.h"

static void inside(struct cs_bytes view, struct cs_bytes whole)
{
	if (view.n > 0)
		cs_assert(view.p >= whole.p && view.n <= whole.n &&
			  (size_t)(view.p - whole.p) <= whole.n - view.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct attest_collateral none;
	static struct cs_nistp *nistp;
	static struct attest_result result;
	struct cs_bytes bytes = cs_bytes(data, size);
	struct attest_input in = {.evidence = {ATTEST_SGX, bytes},
				  .collateral = &none,
				  .roots = &attest_roots_vendors,
				  .now = {1750000000, 1750000000},
				  .no_revocation = true};
	struct dcap_quote quote;
	struct cs_why why;
	if (nistp == NULL)
		nistp = cs_nistp_new();
	cs_assert(nistp != NULL);
	fuzz_fill(&quote, sizeof quote);
	if (dcap_quote_parse(&quote, bytes, &why) != CS_OK) {
		fuzz_untouched(&quote, sizeof quote);
		return 0;
	}
	inside(quote.signed_part, bytes);
	inside(quote.body, quote.signed_part);
	inside(quote.chain, bytes);
	inside(quote.qe_auth_data, bytes);
	cs_assert(quote.signed_part.n + 4 + 128 < bytes.n - quote.trailing.n);
	if (attest_verify(&result, &in, nistp, fuzz_arena(), &why) != CS_OK)
		return 0;
	cs_assert(result.check_count > 0 && !result.revocation);
	cs_assert(result.tcb_status == ATTEST_TCB_NONE && result.advisory_count == 0);
	return 0;
}
