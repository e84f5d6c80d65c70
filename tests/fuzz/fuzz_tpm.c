/* A TPM's evidence. The first byte says where the rest goes: to the readers of its structures, to the
 * outside form, to an activation's transcript, or into a quote that was generated under a root of ours,
 * whose message, signature or claims it changes. */
#include "tests/fuzz/attest_given.h"
#include "tests/fuzz/fuzz.h"
#include "verify/attest/tpm_evidence.h"

static void structures(struct cs_bytes bytes)
{
	struct tpm_signature signature;
	struct tpm_public key;
	struct tpm_quote quote;
	struct tpm_hcl hcl;
	fuzz_fill(&quote, sizeof quote);
	if (tpm_quote_decode(&quote, bytes, NULL) != CS_OK)
		fuzz_untouched(&quote, sizeof quote);
	else
		cs_assert(quote.selection_count <= TPM_SELECTIONS_MAX &&
			  quote.extra_data.n <= TPM_EXTRA_DATA_SIZE_MAX);
	fuzz_fill(&signature, sizeof signature);
	if (tpm_signature_decode(&signature, bytes, NULL) != CS_OK)
		fuzz_untouched(&signature, sizeof signature);
	fuzz_fill(&key, sizeof key);
	if (tpm_public_decode(&key, bytes, NULL) != CS_OK)
		fuzz_untouched(&key, sizeof key);
	fuzz_fill(&hcl, sizeof hcl);
	if (tpm_hcl_decode(&hcl, bytes, NULL) != CS_OK)
		fuzz_untouched(&hcl, sizeof hcl);
	else
		cs_assert(hcl.claims.p + hcl.claims.n <= bytes.p + bytes.n);
}

static void claims(struct cs_bytes bytes)
{
	struct cs_bytes modulus, exponent;
	struct tpm_transcript transcript;
	(void)!tpm_hcl_key(&modulus, &exponent, bytes, fuzz_arena(), NULL);
	(void)!tpm_transcript_decode(&transcript, bytes, fuzz_arena(), NULL);
}

/* Whatever verifies is what the generator's key signed. */
static void judge(const struct fuzz_given *given, struct cs_bytes evidence)
{
	struct attest_result result;
	if (fuzz_verify(&result, given, ATTEST_TPM, evidence, CS_BYTES_NONE) != CS_OK ||
	    !attest_result_verified(&result))
		return;
	cs_assert(cs_bytes_eq(cs_bytes(result.report_data, result.report_data_size),
			      cs_bytes_str("challenge")));
	cs_assert(result.whole_machine && attest_result_claim(&result, "reset_count")->number == 3);
}

/* Who challenged is believed about the secret, but not about what the TPM answered. */
static void activate(const struct fuzz_given *given, struct cs_bytes json)
{
	struct attest_result result;
	struct tpm_transcript transcript;
	if (json.n == 0 ||
	    fuzz_verify(&result, given, ATTEST_TPM, given->evidence, json) != CS_OK ||
	    !attest_result_verified(&result))
		return;
	cs_assert(tpm_transcript_decode(&transcript, json, fuzz_arena(), NULL) == CS_OK);
	cs_assert(cs_bytes_eq(transcript.answer, transcript.secret));
}

/* The generated evidence is text: what changes is a character of it. */
static void change(const struct fuzz_given *given, struct cs_bytes bytes)
{
	static uint8_t changed[ATTEST_EVIDENCE_SIZE_MAX];
	size_t n = given->evidence.n;
	memcpy(changed, given->evidence.p, n);
	for (size_t i = 0; i < 4 && bytes.n >= 3; i++) {
		changed[cs_be16(bytes.p) % n] = bytes.p[2];
		bytes = cs_bytes(bytes.p + 3, bytes.n - 3);
	}
	judge(given, cs_bytes(changed, n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct fuzz_given *given = fuzz_given("tpm", "activated, p256 ecdsa"),
				*ecc = fuzz_given("tpm", "activated, an endorsement key p256");
	if (size < 1)
		return 0;
	struct cs_bytes rest = cs_bytes(data + 1, size - 1);
	switch (data[0] % 5) {
	case 0:
		structures(rest);
		break;
	case 1:
		claims(rest);
		break;
	case 2:
		judge(given, rest);
		break;
	case 3:
		activate(data[0] & 0x80 ? ecc : given, rest);
		break;
	case 4:
		change(given, rest);
		break;
	}
	return 0;
}
