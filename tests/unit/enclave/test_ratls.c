/* Certificates that the enclave makes, read by the verifier that reads everybody's; whose vectors are from
 * outside (tests/unit/verify/attest/test_ratls.c). */
#include "core/nistp.h"
#include "enclave/ratls.h"
#include "enclave/tee.h"
#include "tests/unit/support.h"
#include "verify/attest/evidence.h"
#include "verify/attest/ratls.h"

#define ISSUED UINT64_C(1700000000)
#define LIFE 3600u

struct made {
	struct evp_pkey_st *key;
	uint8_t spki[RATLS_SPKI_SIZE];
	struct ratls_content content;
	struct cs_arena arena;
	struct cs_bytes der;
};

static const struct cs_hash measurement = {{0xe5, 1}};
static const struct cs_hash report = {{0x4e, 2}};

static struct cs_bytes evidence_over(struct cs_bytes hashed)
{
	struct cs_why why;
	struct cs_buf out;
	uint8_t report_data[WIRE_REPORT_DATA_SIZE];
	cs_buf_init(&out, keep(TEE_EVIDENCE_SIZE_MAX), TEE_EVIDENCE_SIZE_MAX);
	ratls_report_data(report_data, hashed);
	assert_ok(tee_simulated.evidence(&tee_simulated, &out, report_data, &measurement, &why));
	return cs_buf_view(&out);
}

static struct made *made_new(void)
{
	struct made *made = keep(sizeof *made);
	struct cs_buf claims;
	cs_arena_init(&made->arena, keep(1u << 20), 1u << 20);
	assert_ok(ratls_key_make(&made->key, made->spki));
	cs_buf_init(&claims, keep(RATLS_CLAIMS_SIZE_MAX), RATLS_CLAIMS_SIZE_MAX);
	assert_ok(ratls_claims(&claims, CS_BYTES_OF(made->spki), &report));
	made->content = (struct ratls_content){.key = made->key,
					       .claims = cs_buf_view(&claims),
					       .evidence = evidence_over(cs_buf_view(&claims)),
					       .not_before_s = ISSUED,
					       .not_after_s = ISSUED + LIFE,
					       .serial = {0xff, 7}};
	return made;
}

static void write(struct made *made)
{
	struct cs_buf out;
	cs_buf_init(&out, keep(RATLS_CERTIFICATE_SIZE_MAX), RATLS_CERTIFICATE_SIZE_MAX);
	assert_ok(ratls_write(&out, &made->content, &made->arena));
	made->der = cs_buf_view(&out);
	cs_arena_rewind(&made->arena, 0);
}

/* The names of the checks that failed, by blanks. */
static const char *failed(struct made *made, struct attest_result *result, uint64_t now_s)
{
	static char names[512];
	static const struct attest_collateral none;
	const struct attest_input in = {.evidence = {ATTEST_RATLS, made->der},
					.collateral = &none,
					.roots = &attest_roots_vendors,
					.now = {now_s, now_s},
					.no_revocation = true};
	struct cs_why why = {""};
	struct cs_nistp *nistp = cs_nistp_new();
	assert_ok(attest_verify(result, &in, nistp, &made->arena, &why));
	cs_nistp_free(nistp);
	size_t n = 0;
	names[0] = '\0';
	for (size_t i = 0; i < result->check_count; i++)
		if (result->checks[i].outcome == ATTEST_FAILED)
			n += (size_t)snprintf(names + n, sizeof names - n, "%s%s", n > 0 ? " " : "",
					      result->checks[i].name);
	return names;
}

static void done(struct made *made)
{
	ratls_key_free(made->key);
}

static void test_verifies(void **state)
{
	(void)state;
	static struct attest_result result;
	struct made *made = made_new();
	write(made);
	assert_string_equal(failed(made, &result, ISSUED), "");
	assert_true(attest_result_verified(&result));
	assert_int_equal(result.hardware, ATTEST_SIMULATED);
	assert_bytes(attest_result_claim(&result, "public_key")->bytes, CS_BYTES_OF(made->spki));
	assert_bytes(attest_result_claim(&result, "caisson_report")->bytes, CS_BYTES_OF(report.b));
	assert_bytes(attest_result_claim(&result, "measurement")->bytes,
		     CS_BYTES_OF(measurement.b));
	assert_string_equal(failed(made, &result, ISSUED + LIFE), "");
	assert_string_equal(failed(made, &result, ISSUED + LIFE + 1), "ratls-dates");
	assert_string_equal(failed(made, &result, ISSUED - 1), "ratls-dates");
	done(made);
}

/* Keys and serial numbers are never two certificates'. */
static void test_serial(void **state)
{
	(void)state;
	struct made *made = made_new();
	struct x509_certificate certificate;
	struct cs_why why;
	write(made);
	assert_ok(x509_certificate_parse(&certificate, made->der, &why));
	assert_bytes(certificate.serial, unhex("7f070000000000000000000000000000"));
	assert_false(certificate.is_ca);
	assert_false(certificate.critical_unknown);
	assert_int_equal(certificate.key_usage, X509_DIGITAL_SIGNATURE);
	done(made);
}

/* As large as evidence may be, twice; and Gramine's form alone, as its clients look for it. */
static void test_legacy(void **state)
{
	(void)state;
	struct made *made = made_new();
	struct x509_certificate certificate;
	struct cs_bytes value;
	struct cs_why why;
	static const uint8_t oid[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
				      0xf8, 0x4d, 0x8a, 0x39, 0x06};
	made->content.legacy = evidence_over(CS_BYTES_OF(made->spki));
	write(made);
	assert_ok(x509_certificate_parse(&certificate, made->der, &why));
	assert_ok(x509_extension(&value, NULL, &certificate, CS_BYTES_OF(oid)));
	assert_bytes(value, made->content.legacy);
	made->content.legacy = made->content.evidence =
		cs_bytes(keep(TEE_EVIDENCE_SIZE_MAX), TEE_EVIDENCE_SIZE_MAX);
	write(made);
	assert_ok(x509_certificate_parse(&certificate, made->der, &why));
	done(made);
}

/* Evidence that was made for another key's certificate. */
static void test_stolen_evidence(void **state)
{
	(void)state;
	static struct attest_result result;
	struct made *victim = made_new(), *thief = made_new();
	thief->content.claims = victim->content.claims;
	thief->content.evidence = victim->content.evidence;
	write(thief);
	assert_string_equal(failed(thief, &result, ISSUED), "ratls-key");
	struct cs_buf claims;
	cs_buf_init(&claims, keep(RATLS_CLAIMS_SIZE_MAX), RATLS_CLAIMS_SIZE_MAX);
	assert_ok(ratls_claims(&claims, CS_BYTES_OF(thief->spki), &report));
	thief->content.claims = cs_buf_view(&claims);
	write(thief);
	assert_string_equal(failed(thief, &result, ISSUED), "ratls-claims");
	done(victim);
	done(thief);
}

static void test_changed_certificate(void **state)
{
	(void)state;
	static struct attest_result result;
	struct made *made = made_new();
	write(made);
	uint8_t *copy = keep(made->der.n);
	memcpy(copy, made->der.p, made->der.n);
	copy[made->der.n - 1] ^= 1;
	made->der = cs_bytes(copy, made->der.n);
	assert_string_equal(failed(made, &result, ISSUED), "ratls-signature");
	done(made);
}

static void test_refused_content(void **state)
{
	(void)state;
	struct made *made = made_new();
	struct cs_buf out;
	uint8_t *memory = keep(RATLS_CERTIFICATE_SIZE_MAX);
	cs_buf_init(&out, memory, RATLS_CERTIFICATE_SIZE_MAX);
	made->content.not_after_s = ISSUED - 1;
	assert_err(ratls_write(&out, &made->content, &made->arena), CS_ERR_INVALID);
	made->content.not_after_s = UINT64_MAX;
	assert_err(ratls_write(&out, &made->content, &made->arena), CS_ERR_INVALID);
	made->content.not_after_s = ISSUED + LIFE;
	made->content.evidence =
		cs_bytes(keep(RATLS_CERTIFICATE_SIZE_MAX), RATLS_CERTIFICATE_SIZE_MAX);
	assert_err(ratls_write(&out, &made->content, &made->arena), CS_ERR_TOO_LARGE);
	done(made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verifies),
		cmocka_unit_test(test_serial),
		cmocka_unit_test(test_legacy),
		cmocka_unit_test(test_stolen_evidence),
		cmocka_unit_test(test_changed_certificate),
		cmocka_unit_test(test_refused_content),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
