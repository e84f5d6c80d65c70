/* OpenSSL fails while good evidence is verified: nothing is refuted by that. Either it verifies (the
 * library did without), or the failure is said. */
#include "core/nistp.h"
#include "dcap_given.h"
#include "verify/attest/snp_report.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#define SNP_NOW 1782864000u
#define TDX_NOW 1751000000u
/* What one verification takes is far below; every one of them held when all were tried (5,747). */
#define ALLOCATIONS_MAX 20000u
#define STRIDE 5u

/* ---- memory that is missing once ---- */

static size_t allocations, missing; /* counted from 1; missing 0: all are there */

static bool is_missing(void)
{
	return ++allocations == missing;
}

static void *give(size_t n, const char *file, int line)
{
	(void)file, (void)line;
	return is_missing() ? NULL : malloc(n);
}

static void *change(void *p, size_t n, const char *file, int line)
{
	(void)file, (void)line;
	return is_missing() ? NULL : realloc(p, n);
}

static void take(void *p, const char *file, int line)
{
	(void)file, (void)line;
	free(p);
}

/* ---- evidence, all of it good ---- */

static void tdx(struct given *given)
{
	dcap_given_init(given, given_file("dcap/dcap-qvl/tdx_quote"), TDX_NOW);
	dcap_given_bundle(given, "dcap/dcap-qvl/tdx_quote_collateral.json");
}

/* A chain of RSA-PSS, and ECDSA over P-384. */
static void snp(struct given *given)
{
	struct cs_bytes report = given_file("snp/trustee/test-report.bin");
	given_init(given, ATTEST_SNP, cs_bytes(report.p, SNP_REPORT_SIZE), SNP_NOW);
	given_certificates(given, "snp/trustee/test-vcek.der");
	given_certificates(given, "snp/roots/milan_ask_ark_asvk.pem");
}

/* One verification by a context of its own, which has to make every key. */
static enum cs_err verify(struct given *given, size_t missing_at)
{
	allocations = 0;
	missing = missing_at;
	struct cs_nistp *nistp = cs_nistp_new();
	enum cs_err err = nistp == NULL ? CS_ERR_NO_MEMORY : given_verify_by(given, nistp);
	missing = 0;
	cs_nistp_free(nistp);
	return err;
}

/* A verdict or a failure, never "refuted". */
static bool fails(struct given *given, enum cs_err err, size_t at, size_t count)
{
	if (err == CS_OK && !attest_result_verified(&given->result))
		fail_msg("%zu of %zu refutes it: %s", at, count, given_failed(given));
	if (err != CS_OK && err != CS_ERR_CRYPTO && err != CS_ERR_NO_MEMORY)
		fail_msg("%zu of %zu: %s", at, count, cs_err_name(err));
	return err != CS_OK;
}

static void test_memory(void **state)
{
	struct given given;
	size_t failures = 0;
	tdx(&given);
	assert_ok(verify(&given, 0));
	assert_true(attest_result_verified(&given.result));
	size_t count = allocations;
	assert_in_range(count, 10, ALLOCATIONS_MAX);
	for (size_t at = 1; at <= count; at += STRIDE)
		failures += fails(&given, verify(&given, at), at, count);
	assert_true(failures > 50);
	(void)state;
}

/* ---- keys that cannot be made ready (ld --wrap) ---- */

static size_t keys, unready; /* as allocations */

int __real_EVP_PKEY_verify_init(EVP_PKEY_CTX *context);
int __wrap_EVP_PKEY_verify_init(EVP_PKEY_CTX *context);
int __wrap_EVP_PKEY_verify_init(EVP_PKEY_CTX *context)
{
	return ++keys == unready ? 0 : __real_EVP_PKEY_verify_init(context);
}

static void each_key(struct given *given)
{
	keys = unready = 0;
	assert_ok(verify(given, 0));
	assert_true(attest_result_verified(&given->result));
	size_t count = keys;
	assert_in_range(count, 3, 100);
	for (size_t at = 1; at <= count; at++) {
		keys = 0;
		unready = at;
		assert_err(verify(given, 0), CS_ERR_CRYPTO);
	}
	unready = 0;
	assert_ok(verify(given, 0));
}

/* Among them the keys of revocation lists and of the signers of TCB info. */
static void test_keys(void **state)
{
	struct given given;
	tdx(&given);
	each_key(&given);
	snp(&given);
	each_key(&given);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_keys),
	};
	/* Before its first allocation, or not at all. */
	if (CRYPTO_set_mem_functions(give, change, take) != 1)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
