/* Recorded reports of Milan (versions 2 and 3) under AMD's own roots, and what must not pass. What no
 * public recording has (Genoa, Turin, VLEK, version 5, revoked keys) is in test_generated. */
#include "given.h"
#include "verify/attest/snp_key.h"

/* 2026-07-01, within every certificate. */
#define NOW 1782864000u

struct recorded {
	const char *report;
	const char *vcek;
	const char *chain;
	size_t at; /* where the report begins */
	bool hex;
	uint32_t version;
	enum attest_tcb_status status;
	bool debug; /* the guest's policy allows it */
};

static const struct recorded all[] = {
	{"snp/go-sev-guest/attestation.bin", "snp/go-sev-guest/vcek.testcer",
	 "snp/go-sev-guest/milan.testcer", 0, false, 2, ATTEST_TCB_UP_TO_DATE, true},
	{"snp/virtee-sev/report_milan.hex", "snp/virtee-sev/vcek_milan.der",
	 "snp/virtee-sev/cert_chain_milan", 0, true, 2, ATTEST_TCB_UP_TO_DATE, false},
	{"snp/trustee/test-report.bin", "snp/trustee/test-vcek.der",
	 "snp/roots/milan_ask_ark_asvk.pem", 0, false, 2, ATTEST_TCB_UP_TO_DATE, false},
	{"snp/dstack/sev_snp_attestation.bin", "snp/dstack/sev_snp_vcek.pem",
	 "snp/dstack/sev_snp_ask.pem", 4, false, 3, ATTEST_TCB_OUT_OF_DATE, false},
};

static struct cs_bytes report_of(const struct recorded *recorded)
{
	struct cs_bytes file = given_file(recorded->report);
	if (recorded->hex) {
		char *text = keep(file.n);
		size_t n = file.n;
		memcpy(text, file.p, n);
		while (n > 0 && text[n - 1] == '\n')
			text[--n] = '\0';
		return unhex(text);
	}
	assert_true(file.n >= recorded->at + SNP_REPORT_SIZE);
	return cs_bytes(file.p + recorded->at, SNP_REPORT_SIZE);
}

static void give(struct given *given, const struct recorded *recorded, struct cs_bytes report)
{
	given_init(given, ATTEST_SNP, report, NOW);
	given_certificates(given, recorded->vcek);
	given_certificates(given, recorded->chain);
}

static void test_recorded(void **state)
{
	struct given given;
	(void)state;
	for (size_t i = 0; i < CS_LEN(all); i++) {
		struct cs_bytes report = report_of(&all[i]);
		give(&given, &all[i], report);
		given_accept(&given);
		assert_int_equal(given.result.tcb_status, all[i].status);
		assert_int_equal(given.result.hardware, ATTEST_SNP);
		assert_int_equal(given.result.debug, all[i].debug);
		assert_false(given.result.revocation);
		assert_int_equal(given_claim(&given, "report_version")->number, all[i].version);
		assert_bytes(given_claim(&given, "product")->bytes, cs_bytes_str("Milan"));
		assert_bytes(given_claim(&given, "measurement")->bytes,
			     cs_bytes(report.p + 0x90, 48));
		assert_bytes(cs_bytes(given.result.report_data, given.result.report_data_size),
			     cs_bytes(report.p + 0x50, 64));
	}
}

/* What the origin's README says of its report. */
static void test_the_origins_values(void **state)
{
	struct given given;
	(void)state;
	give(&given, &all[3], report_of(&all[3]));
	given_accept(&given);
	assert_bytes(given_claim(&given, "chip_id")->bytes,
		     unhex("38d174589d2dff97a6d40cb9f9d90b9507c027491219083cef3ce73ed18f7289"
			   "142d941ad61eabecd27d25f268c1095d665f6001358e98a4769c82734a6bb877"));
	assert_bytes(given_claim(&given, "host_data")->bytes,
		     unhex("783f0057820acb99249af56cc3b07b4e8d80f65183167cba9cf437bb680f742f"));
	assert_memory_equal(given.result.report_data, "attest-test-fixture-2026", 24);
}

static void test_certificates_of_others(void **state)
{
	struct given given;
	struct cs_bytes report = report_of(&all[2]);
	(void)state;
	/* The origin made these two wrong: no key of AMD's signed them. */
	static const char *const wrong[] = {"snp/trustee/test-vcek-invalid-legacy.der",
					    "snp/trustee/test-vcek-invalid-new.der"};
	for (size_t i = 0; i < CS_LEN(wrong); i++) {
		given_init(&given, ATTEST_SNP, report, NOW);
		given_certificates(&given, wrong[i]);
		given_certificates(&given, all[2].chain);
		given_refuse(&given, "snp-chain");
	}
	/* Another chip's: signed by AMD, at another TCB. */
	given_init(&given, ATTEST_SNP, report, NOW);
	given_certificates(&given, all[0].vcek);
	given_certificates(&given, all[0].chain);
	given_refuse(&given, "reported-tcb chip-id report-signature");
	/* Beside the right one it does not matter. */
	given_certificates(&given, all[2].vcek);
	given_accept(&given);
	/* Turin's key under Turin's root. */
	given_init(&given, ATTEST_SNP, report, NOW);
	given_certificates(&given, "snp/virtee-sev/vcek_turin.der");
	given_certificates(&given, "snp/virtee-sev/cert_chain_turin");
	given_refuse(&given, "reported-tcb chip-id report-signature");
}

static void test_what_is_missing(void **state)
{
	struct given given;
	struct cs_bytes report = report_of(&all[0]);
	(void)state;
	given_init(&given, ATTEST_SNP, report, NOW);
	given_refuse(&given, "endorsement-key");
	given_certificates(&given, all[0].chain);
	given_refuse(&given, "endorsement-key");
	given_init(&given, ATTEST_SNP, report, NOW);
	given_certificates(&given, all[0].vcek);
	given_refuse(&given, "snp-chain");
	/* The ARK need not come along, and another product's does not help. */
	give(&given, &all[0], report);
	given.roots.amd_count = 0;
	given_refuse(&given, "snp-chain");
	give(&given, &all[0], report);
	given.roots.amd++;
	given.roots.amd_count--;
	given_refuse(&given, "snp-chain");
	/* Lists of revoked keys were asked for. */
	give(&given, &all[0], report);
	given.in.no_revocation = false;
	given_refuse(&given, "snp-crl");
}

static void test_dates(void **state)
{
	struct given given;
	/* 2022-09-24T00:55:28Z to 2029-09-24T00:55:28Z. */
	const uint64_t begin = 1663980928, end = 1884905728;
	(void)state;
	give(&given, &all[0], report_of(&all[0]));
	given.in.now = (struct verify_time){begin, end};
	given_accept(&given);
	given.in.now.low_s = begin - 1;
	given_refuse(&given, "snp-chain");
	given.in.now = (struct verify_time){begin, end + 1};
	given_refuse(&given, "snp-chain");
}

/* Every byte of the signed part and of the signature counts. */
static void test_every_byte(void **state)
{
	struct given given;
	struct cs_bytes report = report_of(&all[0]);
	size_t unreadable = 0;
	(void)state;
	for (size_t i = 0; i < SNP_REPORT_SIZE; i++) {
		uint8_t *p = given_copy(report);
		p[i] ^= 1;
		give(&given, &all[0], cs_bytes(p, report.n));
		if (given_verify(&given) != CS_OK)
			unreadable++;
		else if (attest_result_verified(&given.result))
			fail_msg("byte %zu", i);
	}
	/* 416 around r and s that must be zero, and a few of version, algorithm, VMPL and the like. */
	assert_in_range(unreadable, 416, 440);
}

static void test_layout(void **state)
{
	struct snp_report out;
	struct cs_bytes report = report_of(&all[3]);
	static const struct {
		size_t at;
		uint8_t value;
		const char *name;
	} cases[] = {
		{0x00, 1, "unsupported"},     {0x00, 4, "unsupported"},
		{0x00, 6, "unsupported"},     {0x03, 1, "unsupported"},
		{0x34, 2, "unsupported"},     {0x34, 0, "unsupported"},
		{0x0a, 1, "malformed"},       {0x30, 4, "malformed"},
		{0x48, 0x08, "unsupported"},  {0x48, 0x1c, "unsupported"},
		{0x48, 0x20, "malformed"},    {0x4b, 0x80, "malformed"},
		{0x188, 0x17, "unsupported"}, {0x189, 0x20, "unsupported"},
		{0x2a0 + 48, 1, "malformed"}, {0x2a0 + 143, 1, "malformed"},
		{0x330, 1, "malformed"},      {0x49f, 1, "malformed"},
	};
	(void)state;
	assert_ok(snp_report_decode(&out, report, NULL));
	assert_int_equal(out.product, SNP_MILAN);
	assert_err(snp_report_decode(&out, cs_bytes(report.p, report.n - 1), NULL),
		   CS_ERR_TRUNCATED);
	assert_err(snp_report_decode(&out, CS_BYTES_NONE, NULL), CS_ERR_TRUNCATED);
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		uint8_t *p = given_copy(report);
		p[cases[i].at] = cases[i].value;
		enum cs_err err = snp_report_decode(&out, cs_bytes(p, report.n), NULL);
		if (strcmp(cs_err_name(err), cases[i].name) != 0)
			fail_msg("%zu: %s", i, cs_err_name(err));
	}
}

/* The report with its certificates in one file, as an extended guest request gives them. */
static struct cs_bytes with_table(struct cs_bytes report, const uint8_t guid[16],
				  struct cs_bytes certificate, uint32_t offset)
{
	size_t n = report.n + 48 + certificate.n;
	uint8_t *p = keep(n), *entry = p + report.n;
	uint32_t size = (uint32_t)certificate.n;
	memcpy(p, report.p, report.n);
	memcpy(entry, guid, 16);
	memcpy(entry + 16, &offset, 4);
	memcpy(entry + 20, &size, 4);
	memcpy(entry + 48, certificate.p, certificate.n);
	return cs_bytes(p, n);
}

static void test_certificate_table(void **state)
{
	static const uint8_t vcek[16] = {0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64,
					 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd};
	struct cs_bytes report = report_of(&all[0]), key = given_file(all[0].vcek), bytes;
	struct given given;
	(void)state;
	bytes = with_table(report, vcek, key, 48);
	given_init(&given, ATTEST_SNP, bytes, NOW);
	given_certificates(&given, all[0].chain);
	given_accept(&given);
	given.in.evidence.bytes.n = report.n + 47;
	assert_err(given_verify(&given), CS_ERR_TRUNCATED);
	given.in.evidence.bytes.n = bytes.n - 1;
	assert_err(given_verify(&given), CS_ERR_MALFORMED);
	given.in.evidence.bytes = with_table(report, vcek, key, 47);
	assert_err(given_verify(&given), CS_ERR_MALFORMED);
	given.in.evidence.bytes = with_table(report, vcek, key, UINT32_MAX);
	assert_err(given_verify(&given), CS_ERR_MALFORMED);
	/* One that is passed over. */
	given.in.evidence.bytes = with_table(report, report.p, key, 48);
	given_refuse(&given, "endorsement-key");
}

static void test_table_bounds(void **state)
{
	static uint8_t many[SNP_TABLE_SIZE_MAX + 1];
	struct snp_table table;
	(void)state;
	assert_ok(snp_table_decode(&table, CS_BYTES_NONE, NULL));
	assert_err(snp_table_decode(&table, CS_BYTES_OF(many), NULL), CS_ERR_TOO_LARGE);
	assert_ok(snp_table_decode(&table, cs_bytes(many, 24), NULL));
	memset(many, 1, sizeof many);
	assert_err(snp_table_decode(&table, cs_bytes(many, 24 * 18), NULL), CS_ERR_TOO_LARGE);
}

/* A recorded certificate of Turin's, of which no public report exists. */
static void test_turins_certificate(void **state)
{
	struct x509_certificate certificate;
	struct snp_key key;
	(void)state;
	assert_ok(x509_certificate_parse(&certificate, given_file("snp/virtee-sev/vcek_turin.der"),
					 NULL));
	assert_true(snp_key_is(&certificate, SNP_SIGNER_VCEK));
	assert_false(snp_key_is(&certificate, SNP_SIGNER_VLEK));
	assert_ok(snp_key_decode(&key, &certificate, SNP_SIGNER_VCEK, NULL));
	assert_bytes(key.product_name, cs_bytes_str("Turin"));
	assert_bytes(key.hwid, unhex("1e550a8ee5cf9f4d"));
	assert_int_equal(key.tcb.microcode, 9);
	assert_int_equal(key.tcb.fmc + key.tcb.boot_loader + key.tcb.tee + key.tcb.snp, 0);
	assert_err(snp_key_decode(&key, &certificate, SNP_SIGNER_VLEK, NULL), CS_ERR_MISSING_FIELD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded),
		cmocka_unit_test(test_the_origins_values),
		cmocka_unit_test(test_certificates_of_others),
		cmocka_unit_test(test_what_is_missing),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_turins_certificate),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_certificate_table),
		cmocka_unit_test(test_table_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
