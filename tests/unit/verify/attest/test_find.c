/* What kind of evidence bytes are: recorded ones in every dress, and what is none. */
#include "tests/unit/support.h"
#include "verify/attest/simulated.h"

#define RECORDED CS_VECTORS "/attestation/"

static uint8_t memory[1024 * 1024];

static enum cs_err find(struct attest_evidence *out, struct cs_bytes bytes)
{
	struct cs_arena arena;
	struct cs_why why;
	cs_arena_init(&arena, memory, sizeof memory);
	return attest_evidence_find(out, bytes, &arena, &why);
}

static void finds(struct cs_bytes bytes, enum attest_kind kind, struct cs_bytes raw)
{
	struct attest_evidence found;
	assert_ok(find(&found, bytes));
	assert_int_equal(found.kind, kind);
	assert_bytes(found.bytes, raw);
}

static struct cs_bytes hex_of(struct cs_bytes raw, const char *prefix, size_t line)
{
	char *text = keep(4 * raw.n + 3), *digits = keep(2 * raw.n);
	size_t n = strlen(prefix);
	memcpy(text, prefix, n);
	cs_hex(digits, raw);
	for (size_t i = 0; i < 2 * raw.n; i++) {
		if (line > 0 && i > 0 && i % line == 0)
			text[n++] = '\n';
		text[n++] = digits[i];
	}
	text[n++] = '\n';
	return cs_bytes(text, n);
}

static struct cs_bytes base64_of(struct cs_bytes raw, bool url, size_t line)
{
	const char *alphabet =
		url ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		    : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *text = keep(2 * raw.n + 8);
	size_t n = 0, count = 0;
	for (size_t i = 0; i < raw.n; i += 3) {
		const size_t left = raw.n - i < 3 ? raw.n - i : 3;
		uint32_t bits = 0;
		for (size_t j = 0; j < 3; j++)
			bits = bits << 8 | (j < left ? raw.p[i + j] : 0u);
		for (size_t j = 0; j < 4; j++) {
			if (j > left && url)
				break;
			text[n++] = j > left ? '=' : alphabet[bits >> (18 - 6 * j) & 63];
			if (line > 0 && ++count % line == 0)
				text[n++] = '\n';
		}
	}
	return cs_bytes(text, n);
}

static void test_recorded(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		enum attest_kind kind;
	} rows[] = {
		{"dcap/dcap-qvl/sgx_quote", ATTEST_SGX},
		{"dcap/oasis-core/quote_v3_ecdsa_p256_eppid.bin", ATTEST_SGX},
		{"dcap/trustee/occlum_quote.dat", ATTEST_SGX},
		{"dcap/dcap-qvl/tdx_quote", ATTEST_TDX},
		{"dcap/dcap-qvl/tdx_quote_outdated", ATTEST_TDX},
		{"dcap/go-tdx-guest/tdx_prod_quote_SPR_E4.dat", ATTEST_TDX},
		{"snp/go-sev-guest/attestation.bin", ATTEST_SNP},
		{"snp/trustee/test-report.bin", ATTEST_SNP},
		{"tpm/trustee-tpm/tpm_evidence.json", ATTEST_TPM},
		{"tpm/trustee-az-snp/evidence-v0.json", ATTEST_TPM},
	};
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		char path[512];
		(void)snprintf(path, sizeof path, "%s%s", RECORDED, rows[i].path);
		const struct cs_bytes raw = read_file(path);
		finds(raw, rows[i].kind, raw);
		if (rows[i].kind == ATTEST_TPM)
			continue;
		finds(hex_of(raw, "", 0), rows[i].kind, raw);
		finds(hex_of(raw, "0x", 0), rows[i].kind, raw);
		finds(hex_of(raw, " \r\n\t", 60), rows[i].kind, raw);
		finds(base64_of(raw, false, 0), rows[i].kind, raw);
		finds(base64_of(raw, false, 76), rows[i].kind, raw);
		finds(base64_of(raw, true, 0), rows[i].kind, raw);
	}
}

static void test_recorded_text(void **state)
{
	(void)state;
	struct attest_evidence found;
	assert_ok(find(&found, read_file(RECORDED "dcap/dcap-qvl/quote-from-tappd.hex")));
	assert_int_equal(found.kind, ATTEST_TDX);
	assert_int_equal(found.bytes.n, 5006);
	assert_ok(find(&found, read_file(RECORDED "snp/virtee-sev/report_milan.hex")));
	assert_int_equal(found.kind, ATTEST_SNP);
	assert_int_equal(found.bytes.n, 1184);
	assert_ok(find(&found, read_file(RECORDED "ratls/ccc/gramine-cert.pem")));
	assert_int_equal(found.kind, ATTEST_RATLS);
	const struct cs_bytes der = found.bytes;
	uint8_t *copy = keep(der.n);
	memcpy(copy, der.p, der.n);
	finds(cs_bytes(copy, der.n), ATTEST_RATLS, cs_bytes(copy, der.n));
}

static void test_simulated(void **state)
{
	(void)state;
	uint8_t raw[sizeof SIMULATED_MARK + 96] = SIMULATED_MARK;
	finds(CS_BYTES_OF(raw), ATTEST_SIMULATED, CS_BYTES_OF(raw));
	finds(hex_of(CS_BYTES_OF(raw), "0x", 0), ATTEST_SIMULATED, CS_BYTES_OF(raw));
}

/* A damaged header still goes to the verifier that says what is wrong. */
static void test_damaged(void **state)
{
	(void)state;
	const struct cs_bytes quote = read_file(RECORDED "dcap/dcap-qvl/tdx_quote");
	const struct cs_bytes report = read_file(RECORDED "snp/go-sev-guest/attestation.bin");
	uint8_t *p = keep(quote.n), *r = keep(report.n);
	struct attest_evidence found;
	memcpy(p, quote.p, quote.n);
	p[0] = 6;
	finds(cs_bytes(p, quote.n), ATTEST_TDX, cs_bytes(p, quote.n));
	p[0] = 4;
	p[12] ^= 1;
	finds(cs_bytes(p, quote.n), ATTEST_TDX, cs_bytes(p, quote.n));
	p[12] ^= 1;
	p[4] = 0x82;
	assert_err(find(&found, cs_bytes(p, quote.n)), CS_ERR_UNSUPPORTED);
	memcpy(r, report.p, report.n);
	r[0] = 4;
	finds(cs_bytes(r, report.n), ATTEST_SNP, cs_bytes(r, report.n));
	r[0x34] = 2;
	finds(cs_bytes(r, report.n), ATTEST_SNP, cs_bytes(r, report.n));
}

static void test_none(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"",
		" ",
		"0x",
		"0x0",
		"abc",
		"zz zz",
		"SGVsbG8=",
		"00",
		"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
		"-----BEGIN CERTIFICATE-----\nAAAA\n"};
	static const char *const files[] = {
		"tpm/dstack/tpm_quote_sample.bin", "dcap/openenclave/sgx_report_bad.bin",
		"snp/dstack/sev_snp_attestation.bin", "tpm/rust-keylime/test-quote.txt"};
	struct attest_evidence found = {.kind = ATTEST_NONE};
	for (size_t i = 0; i < CS_LEN(texts); i++)
		assert_int_not_equal(find(&found, cs_bytes_str(texts[i])), CS_OK);
	for (size_t i = 0; i < CS_LEN(files); i++) {
		char path[512];
		(void)snprintf(path, sizeof path, "%s%s", RECORDED, files[i]);
		assert_int_not_equal(find(&found, read_file(path)), CS_OK);
	}
	assert_int_equal(found.kind, ATTEST_NONE);
}

static void test_bounds(void **state)
{
	(void)state;
	const size_t size = 3 * ATTEST_EVIDENCE_SIZE_MAX;
	struct attest_evidence found;
	struct cs_arena arena;
	struct cs_why why;
	char *text = keep(size + 1);
	memset(text, 'A', size + 1);
	assert_err(find(&found, cs_bytes(text, size + 1)), CS_ERR_TOO_LARGE);
	assert_err(find(&found, cs_bytes(text, size)), CS_ERR_UNSUPPORTED);
	cs_arena_init(&arena, memory, size + size / 4);
	assert_err(attest_evidence_find(&found, cs_bytes(text, size), &arena, &why),
		   CS_ERR_NO_MEMORY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded),  cmocka_unit_test(test_recorded_text),
		cmocka_unit_test(test_simulated), cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_none),      cmocka_unit_test(test_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
