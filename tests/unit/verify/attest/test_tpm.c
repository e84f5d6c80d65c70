/* Recorded quotes: a plain TPM's (swtpm's, without anything that vouches for its key) and Azure's vTPM
 * over SNP, and what must not pass. Keys that somebody vouches for, ECC, PSS, activations and vTPMs under
 * a root of ours are in test_generated. */
#include "core/base64.h"
#include "given.h"
#include "verify/attest/tpm_evidence.h"

/* 2026-07-01, within every certificate. */
#define NOW 1782864000u

static struct cs_bytes unbase64(const char *text, enum cs_base64 form)
{
	size_t n = strlen(text);
	uint8_t *p = keep(CS_UNBASE64_SIZE(n));
	if (form == CS_BASE64_URL)
		n = strcspn(text, "=");
	assert_ok(cs_unbase64(p, &n, cs_bytes(text, n), form));
	return cs_bytes(p, n);
}

static struct cs_bytes text_of_json(const json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);
	struct cs_bytes bytes = cs_bytes(given_copy(cs_bytes_str(text)), strlen(text));
	free(text);
	return bytes;
}

/* vectors/attestation/tpm/NAME, to change. */
static json_t *evidence_of(const char *name)
{
	char path[512];
	(void)snprintf(path, sizeof path, CS_VECTORS "/attestation/tpm/%s", name);
	return read_json(path);
}

static void give(struct given *given, const json_t *json)
{
	given_init(given, ATTEST_TPM, text_of_json(json), NOW);
	given_certificates(given, "snp/roots/milan_ask_ark_asvk.pem");
}

static void test_azure_over_snp(void **state)
{
	static const char *const names[] = {"trustee-az-snp/evidence-v0.json",
					    "trustee-az-snp/evidence-v1.json"};
	struct given given;
	(void)state;
	for (size_t i = 0; i < CS_LEN(names); i++) {
		json_t *json = evidence_of(names[i]);
		give(&given, json);
		given_accept(&given);
		assert_int_equal(given.result.hardware, ATTEST_SNP);
		assert_false(given.result.whole_machine);
		assert_bytes(cs_bytes(given.result.report_data, given.result.report_data_size),
			     cs_bytes_str("challenge"));
		assert_int_equal(given_claim(&given, "pcr23")->bytes.n, 32);
		assert_int_equal(given_claim(&given, "measurement")->bytes.n, 48);
		json_decref(json);
	}
}

/* Of this machine's TCB nothing came along: signatures alone. */
static void test_azure_over_tdx(void **state)
{
	static const char *const names[] = {"trustee-az-tdx/evidence-v0.json",
					    "trustee-az-tdx/evidence-v1.json"};
	struct given given;
	(void)state;
	for (size_t i = 0; i < CS_LEN(names); i++) {
		json_t *json = evidence_of(names[i]);
		give(&given, json);
		given_accept(&given);
		assert_int_equal(given.result.hardware, ATTEST_TDX);
		assert_int_equal(given.result.tcb_status, ATTEST_TCB_NONE);
		assert_bytes(cs_bytes(given.result.report_data, given.result.report_data_size),
			     cs_bytes_str("challenge"));
		assert_int_equal(given_claim(&given, "mr_td")->bytes.n, 48);
		/* Another machine's quote below the same vTPM. */
		struct cs_bytes other = given_file("dcap/trustee/tdx_quote_6.dat");
		char *text = keep(CS_BASE64_SIZE(other.n));
		(void)cs_base64(text, other, CS_BASE64_URL);
		json_object_set_new(json, "td_quote", json_string(text));
		give(&given, json);
		given_refuse(&given, "runtime-data");
		json_decref(json);
	}
}

/* The certificate is in the file; of its chain the operator has to have the rest. */
static void test_azure_without_its_parts(void **state)
{
	struct given given;
	json_t *json = evidence_of("trustee-az-snp/evidence-v1.json");
	(void)state;
	given_init(&given, ATTEST_TPM, text_of_json(json), NOW);
	given_refuse(&given, "snp-chain");
	/* A quote by another VM's key, whose report this is not. */
	json_object_set_new(json, "tpm_quote", evidence_of("trustee-az-snp/tpm-quote-v1.json"));
	give(&given, json);
	given_refuse(&given, "quote-signature");
	json_decref(json);
}

static void test_a_quote_of_another_machine(void **state)
{
	struct given given;
	json_t *json = evidence_of("trustee-az-snp/evidence-v1.json");
	struct cs_bytes message = given_file("tpm/trustee-az-snp/tpm-quote.msg"),
			signature = given_file("tpm/trustee-az-snp/tpm-quote.sig");
	json_t *quote = json_object_get(json, "tpm_quote");
	char *text = keep(2 * signature.n + 1);
	(void)state;
	cs_hex(text, message);
	json_object_set_new(quote, "message", json_string(text));
	cs_hex(text, signature);
	json_object_set_new(quote, "signature", json_string(text));
	give(&given, json);
	given_refuse(&given, "quote-signature pcr-digest");
	json_decref(json);
}

/* Claims, report and quote hang together: no byte of the claims can change. */
static void test_claims_are_bound(void **state)
{
	struct given given;
	json_t *json = evidence_of("trustee-az-snp/evidence-v1.json");
	struct cs_bytes hcl = unbase64(text_of(json, "hcl_report"), CS_BASE64_URL);
	const struct {
		size_t at;
		const char *failed;
	} cases[] = {{32 + 0x50, "report-signature runtime-data"},
		     {32 + 0x90, "report-signature"},
		     {1236, "runtime-data"},
		     {1236 + 1109, "runtime-data"}};
	(void)state;
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		uint8_t *p = given_copy(hcl);
		char *text = keep(CS_BASE64_SIZE(hcl.n));
		p[cases[i].at] ^= 1;
		(void)cs_base64(text, cs_bytes(p, hcl.n), CS_BASE64_URL);
		json_object_set_new(json, "hcl_report", json_string(text));
		give(&given, json);
		given_refuse(&given, cases[i].failed);
	}
	json_decref(json);
}

static void test_plain_without_trust(void **state)
{
	struct given given;
	json_t *json = evidence_of("trustee-tpm/tpm_evidence.json");
	(void)state;
	give(&given, json);
	/* Its signature and digest are good; nobody says that the key is a TPM's. */
	given_refuse(&given, "ak-trust");
	assert_int_equal(given.result.hardware, ATTEST_TPM);
	assert_true(given.result.whole_machine);
	assert_int_equal(given_claim(&given, "firmware_version")->number, 0x2019102300163636);
	json_array_set_new(json_object_get(json_object_get(json, "tpm_quote"), "pcrs"), 7,
			   json_string("1000000000000000000000000000000000000000000000000000"
				       "000000000000"));
	give(&given, json);
	given_refuse(&given, "ak-trust pcr-digest");
	json_decref(json);
}

static void test_shapes(void **state)
{
	static const struct {
		const char *text, *name;
	} cases[] = {
		{"{}", "missing-field"},
		{"[]", "invalid"},
		{"{\"vcek\":1}", "missing-field"},
		{"{\"vcek\":1,\"td_quote\":1}", "unknown-field"},
		{"{\"version\":1,\"vcek\":\"\"}", "missing-field"},
		{"{\"version\":2,\"vcek\":\"\"}", "unsupported"},
		{"{\"td_quote\":\"\",\"more\":1}", "unknown-field"},
		{"{\"version\":0,\"td_quote\":\"\"}", "unsupported"},
		{"{\"ak_public\":\"AA\"}", "malformed"},
		{"{\"ak_public\":[256]}", "malformed"},
		{"{\"ak_public\":[1,\"2\"]}", "malformed"},
		{"{\"ak_public\":true}", "malformed"},
		{"{\"ak_public\":\"AAAA\",\"tpm_quote\":{}}", "missing-field"},
		{"{\"ak_public\":\"AAAA\",\"tpm_quote\":{\"message\":\"AAAA\",\"signature\":"
		 "\"AAAA\","
		 "\"pcrs\":[\"00\"]}}",
		 "malformed"},
	};
	struct given given;
	(void)state;
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		given_init(&given, ATTEST_TPM, cs_bytes_str(cases[i].text), NOW);
		enum cs_err err = given_verify(&given);
		if (strcmp(cs_err_name(err), cases[i].name) != 0)
			fail_msg("%s: %s (%s)", cases[i].text, cs_err_name(err), given.why.text);
	}
}

static void test_quote_layout(void **state)
{
	struct tpm_quote out;
	struct cs_bytes quote = given_file("tpm/dstack/tpm_quote_sample.bin");
	static const struct {
		size_t at;
		uint8_t value;
		enum cs_err err;
	} cases[] = {{0, 0xfe, CS_ERR_MALFORMED}, {5, 0x17, CS_ERR_UNSUPPORTED},
		     {6, 0xff, CS_ERR_TRUNCATED}, {42, 0xff, CS_ERR_TRUNCATED},
		     {64, 2, CS_ERR_MALFORMED},   {73, 0xff, CS_ERR_TOO_LARGE},
		     {79, 0, CS_ERR_MALFORMED},   {79, 5, CS_ERR_MALFORMED},
		     {83, 0xff, CS_ERR_TRUNCATED}};
	(void)state;
	/* What the origin's README says of it. */
	assert_ok(tpm_quote_decode(&out, quote, NULL));
	assert_bytes(out.extra_data, unhex("12345678"));
	assert_int_equal(out.reset_count, 16);
	assert_int_equal(out.restart_count, 0);
	assert_true(out.safe);
	assert_int_equal(out.selection_count, 1);
	assert_int_equal(out.selections[0].hash, TPM_SHA256);
	assert_int_equal(out.selections[0].pcrs, 7);
	assert_int_equal(out.pcr_digest.n, 32);
	for (size_t n = 0; n < quote.n; n++)
		assert_err(
			tpm_quote_decode(&out, cs_bytes(given_copy(cs_bytes(quote.p, n)), n), NULL),
			CS_ERR_TRUNCATED);
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		uint8_t *p = given_copy(quote);
		p[cases[i].at] = cases[i].value;
		enum cs_err err = tpm_quote_decode(&out, cs_bytes(p, quote.n), NULL);
		if (err != cases[i].err)
			fail_msg("%zu: %s", i, cs_err_name(err));
	}
}

/* keylime's: a SHA-1 quote can be read, and no verdict stands on it. */
static void test_sha1(void **state)
{
	struct cs_bytes file = given_file("tpm/rust-keylime/test-quote.txt");
	char *text = (char *)given_copy(file), *rest = NULL;
	assert_int_equal(text[0], 'r');
	struct cs_bytes message = unbase64(strtok_r(text + 1, ":", &rest), CS_BASE64),
			signature = unbase64(strtok_r(NULL, ":", &rest), CS_BASE64);
	struct tpm_signature decoded;
	struct tpm_quote quote;
	struct given given;
	(void)state;
	assert_ok(tpm_quote_decode(&quote, message, NULL));
	assert_int_equal(quote.selections[0].hash, TPM_SHA1);
	assert_bytes(quote.extra_data, cs_bytes_str("TEST"));
	assert_ok(tpm_signature_decode(&decoded, signature, NULL));
	json_t *json = evidence_of("trustee-tpm/tpm_evidence.json");
	char *encoded = keep(CS_BASE64_SIZE(message.n));
	(void)cs_base64(encoded, message, CS_BASE64);
	json_object_set_new(json_object_get(json, "tpm_quote"), "message", json_string(encoded));
	give(&given, json);
	given_refuse(&given, "ak-trust quote-signature pcr-bank");
	assert_string_equal(given.result.checks[given.result.check_count - 1].detail.text,
			    "the bank is of SHA-1, which is refused");
	encoded = keep(CS_BASE64_SIZE(signature.n));
	(void)cs_base64(encoded, signature, CS_BASE64);
	json_object_set_new(json_object_get(json, "tpm_quote"), "signature", json_string(encoded));
	give(&given, json);
	given_refuse(&given, "ak-trust signature-hash");
	json_decref(json);
}

static void test_public_areas(void **state)
{
	/* An AK of the generator's: RSA-2048, RSASSA with SHA-256. */
	json_t *json = read_json(CS_VECTORS "/attestation/generated/tpm.json");
	const char *area_text = NULL;
	struct tpm_public out;
	size_t i;
	json_t *row;
	(void)state;
	json_array_foreach(json_object_get(json, "cases"), i, row)
	{
		if (strcmp(text_of(row, "name"), "activated, rsa2048 pkcs1") != 0)
			continue;
		json_t *inner = json_loads(text_of(row, "text"), 0, NULL);
		struct cs_bytes text = cs_bytes_str(text_of(inner, "ak_area"));
		area_text = (const char *)given_copy(text);
		json_decref(inner);
	}
	assert_non_null(area_text);
	struct cs_bytes area = unbase64(area_text, CS_BASE64);
	assert_ok(tpm_public_decode(&out, area, NULL));
	assert_int_equal(out.type, TPM_RSA);
	assert_int_equal(out.name_hash, TPM_SHA256);
	assert_int_equal(out.scheme, TPM_RSASSA);
	assert_int_equal(out.exponent, 65537);
	assert_int_equal(out.n.n, 256);
	assert_true(tpm_public_is_attestation_key(&out));
	for (size_t n = 0; n < area.n; n++)
		assert_err(
			tpm_public_decode(&out, cs_bytes(given_copy(cs_bytes(area.p, n)), n), NULL),
			CS_ERR_TRUNCATED);
	uint8_t *p = given_copy(area);
	p[1] = 0x25; /* a symmetric key */
	assert_err(tpm_public_decode(&out, cs_bytes(p, area.n), NULL), CS_ERR_UNSUPPORTED);
	p = given_copy(area);
	p[13] = 0x99; /* a scheme that nobody knows */
	assert_err(tpm_public_decode(&out, cs_bytes(p, area.n), NULL), CS_ERR_UNSUPPORTED);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_azure_over_snp),
		cmocka_unit_test(test_azure_over_tdx),
		cmocka_unit_test(test_azure_without_its_parts),
		cmocka_unit_test(test_a_quote_of_another_machine),
		cmocka_unit_test(test_claims_are_bound),
		cmocka_unit_test(test_plain_without_trust),
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_quote_layout),
		cmocka_unit_test(test_sha1),
		cmocka_unit_test(test_public_areas),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
