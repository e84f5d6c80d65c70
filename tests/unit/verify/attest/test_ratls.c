/* Recorded certificates with evidence, of Gramine and of rats-tls: what they carry, to what it is bound,
 * and what changes when a byte of them does. */
#include "given.h"
#include "verify/attest/ratls.h"

/* 2023-06-01T00:00:00Z: all of the recorded certificates are in their dates. */
#define NOW_S 1685577600u
#define GRAMINE "ratls/ccc/gramine-cert.pem"
#define RATS_TLS "ratls/ccc/rats-tls-cert.pem"

static struct given given;

/* The certificate's DER, a copy to change. */
static uint8_t *certificate(const char *name, size_t *size)
{
	static uint8_t memory[256 * 1024];
	struct attest_evidence found;
	struct cs_arena arena;
	struct cs_why why;
	cs_arena_init(&arena, memory, sizeof memory);
	assert_ok(attest_evidence_find(&found, given_file(name), &arena, &why));
	assert_int_equal(found.kind, ATTEST_RATLS);
	*size = found.bytes.n;
	return given_copy(found.bytes);
}

static size_t find(const uint8_t *p, size_t size, struct cs_bytes what)
{
	for (size_t i = 0; i + what.n <= size; i++) {
		if (memcmp(p + i, what.p, what.n) == 0)
			return i;
	}
	fail_msg("not in the certificate");
	return 0;
}

static const char *verify(const uint8_t *der, size_t size, uint64_t now_s)
{
	given_init(&given, ATTEST_RATLS, cs_bytes(der, size), now_s);
	assert_ok(given_verify(&given));
	return given_failed(&given);
}

static void test_recorded(void **state)
{
	(void)state;
	static const char *const files[] = {GRAMINE, RATS_TLS};
	for (size_t i = 0; i < CS_LEN(files); i++) {
		size_t size;
		const uint8_t *der = certificate(files[i], &size);
		assert_string_equal(verify(der, size, NOW_S), "");
		assert_int_equal(given.result.kind, ATTEST_RATLS);
		assert_int_equal(given.result.hardware, ATTEST_SGX);
		assert_int_equal(given.result.tcb_status, ATTEST_TCB_NONE);
		assert_non_null(given_claim(&given, "public_key"));
		assert_int_equal(given_claim(&given, "mr_enclave")->bytes.n, 32);
	}
}

static void test_dates(void **state)
{
	(void)state;
	size_t size;
	const uint8_t *der = certificate(RATS_TLS, &size);
	assert_string_equal(verify(der, size, NOW_S), "");
	const uint64_t last_s = given_claim(&given, "certificate_not_after")->number;
	const uint64_t first_s = given_claim(&given, "certificate_not_before")->number;
	assert_string_equal(verify(der, size, last_s), "");
	assert_string_equal(verify(der, size, last_s + 1), "ratls-dates");
	assert_string_equal(verify(der, size, first_s - 1), "ratls-dates");
}

/* Gramine's own extension is read where TCG DICE's is not there: its identifier is changed, which
 * breaks the certificate's signature and nothing else. */
static void test_legacy(void **state)
{
	(void)state;
	size_t size;
	uint8_t *der = certificate(GRAMINE, &size);
	der[find(der, size, unhex("0606678105050409")) + 7] = 0x0a;
	assert_string_equal(verify(der, size, NOW_S), "ratls-signature");
	assert_string_equal(given.result.checks[0].detail.text, "Gramine's legacy extension");
	/* and without both there is none */
	der[find(der, size, unhex("060b06092a864886f84d8a3906")) + 12] = 0x07;
	given_init(&given, ATTEST_RATLS, cs_bytes(der, size), NOW_S);
	assert_err(given_verify(&given), CS_ERR_NOT_FOUND);
}

/* Claims, the hash in them, the quote's report data: each alone. */
static void test_binding(void **state)
{
	(void)state;
	size_t size;
	uint8_t *der = certificate(RATS_TLS, &size);
	const size_t hash = find(der, size, unhex("7075626b65792d68617368")) + 11 + 6;
	const size_t other = find(der, size, unhex("6b65795f30")) + 8;
	der[hash] ^= 1;
	assert_string_equal(verify(der, size, NOW_S), "ratls-signature ratls-claims ratls-key");
	der[hash] ^= 1;
	der[other] ^= 1;
	assert_string_equal(verify(der, size, NOW_S), "ratls-signature ratls-claims");
	der[other] ^= 1;
	const size_t quote = find(der, size, unhex("939a7233f79c4ca9940a0db3957f0607")) - 12;
	der[quote + 48 + 320] ^= 1;
	assert_string_equal(verify(der, size, NOW_S),
			    "ratls-signature quote-signature ratls-claims");
	der[quote + 48 + 320] ^= 1;
	der[quote + 48 + 320 + 40] ^= 1;
	assert_string_equal(verify(der, size, NOW_S),
			    "ratls-signature quote-signature ratls-claims");
}

/* Another key in the certificate: the evidence is a bearer token that it does not fit. */
static void test_key(void **state)
{
	(void)state;
	size_t size;
	uint8_t *der = certificate(RATS_TLS, &size);
	const size_t point = find(der, size, unhex("2a8648ce3d03010703420004")) + 12;
	der[point + 40] ^= 1;
	given_init(&given, ATTEST_RATLS, cs_bytes(der, size), NOW_S);
	assert_ok(given_verify(&given));
	assert_non_null(strstr(given_failed(&given), "ratls-key"));
	assert_non_null(strstr(given_failed(&given), "ratls-signature"));
}

static void test_truncated(void **state)
{
	(void)state;
	size_t size;
	const uint8_t *der = certificate(RATS_TLS, &size);
	for (size_t n = 0; n < size; n += n < 400 ? 1 : 97) {
		uint8_t *cut = given_copy(cs_bytes(der, n));
		given_init(&given, ATTEST_RATLS, cs_bytes(cut, n), NOW_S);
		assert_int_not_equal(given_verify(&given), CS_OK);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded), cmocka_unit_test(test_dates),
		cmocka_unit_test(test_legacy),   cmocka_unit_test(test_binding),
		cmocka_unit_test(test_key),      cmocka_unit_test(test_truncated),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
