#include "enclave/fetch/staple.h"

#include "enclave/fetch/x509_time.h"

#include <openssl/ocsp.h>

/* A response with more single answers than this is for somebody else. */
#define ANSWERS_MAX 16

/* Does the answer speak of the leaf? By the hash that the responder chose. */
static bool is_about(OCSP_SINGLERESP *answer, const X509 *leaf, const X509 *issuer)
{
	ASN1_OBJECT *algorithm = NULL;
	OCSP_CERTID *want = NULL;
	OCSP_CERTID *got = OCSP_CERTID_dup(OCSP_SINGLERESP_get0_id(answer));
	if (got != NULL && OCSP_id_get0_info(NULL, &algorithm, NULL, NULL, got) == 1 &&
	    EVP_get_digestbyobj(algorithm) != NULL)
		want = OCSP_cert_to_id(EVP_get_digestbyobj(algorithm), leaf, issuer);
	const bool same = want != NULL && OCSP_id_cmp(want, got) == 0;
	OCSP_CERTID_free(want);
	OCSP_CERTID_free(got);
	return same;
}

static const char *check_answer(uint64_t *until_s, OCSP_SINGLERESP *answer,
				const struct verify_time *now)
{
	ASN1_GENERALIZEDTIME *from = NULL, *to = NULL;
	uint64_t from_s, to_s;
	const int status = OCSP_single_get0_status(answer, NULL, NULL, &from, &to);
	if (status == V_OCSP_CERTSTATUS_REVOKED)
		return "the certificate is revoked";
	if (status != V_OCSP_CERTSTATUS_GOOD)
		return "the responder does not know the certificate";
	/* Without an end it would be good for ever. */
	if (!x509_time_s(&from_s, from) || !x509_time_s(&to_s, to))
		return "the stapled response has no end";
	if (verify_time_reached(now, from_s) != CS_OK)
		return "the stapled response is of the future";
	if (verify_time_before(now, to_s) != CS_OK)
		return "the stapled response is out of date";
	*until_s = to_s;
	return NULL;
}

static const char *check_basic(uint64_t *until_s, OCSP_BASICRESP *basic, STACK_OF(X509) * chain,
			       X509_STORE *roots, const struct verify_time *now)
{
	/* Signed by the issuer, or by whom the issuer's own signature names for this (4.2.2.2). */
	if (OCSP_basic_verify(basic, chain, roots, 0) != 1)
		return "the stapled response is not signed by the issuer";
	for (int i = 0; i < OCSP_resp_count(basic) && i < ANSWERS_MAX; i++) {
		OCSP_SINGLERESP *answer = OCSP_resp_get0(basic, i);
		if (is_about(answer, sk_X509_value(chain, 0), sk_X509_value(chain, 1)))
			return check_answer(until_s, answer, now);
	}
	return "the stapled response is about another certificate";
}

const char *staple_check(uint64_t *until_s, struct cs_bytes response, STACK_OF(X509) * chain,
			 X509_STORE *roots, const struct verify_time *now)
{
	const char *why = "the stapled response cannot be read";
	const uint8_t *p = response.p;
	OCSP_BASICRESP *basic = NULL;
	OCSP_RESPONSE *read = d2i_OCSP_RESPONSE(NULL, &p, (long)response.n);
	if (read != NULL && p == response.p + response.n &&
	    OCSP_response_status(read) == OCSP_RESPONSE_STATUS_SUCCESSFUL)
		basic = OCSP_response_get1_basic(read);
	if (basic != NULL)
		why = check_basic(until_s, basic, chain, roots, now);
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(read);
	return why;
}
