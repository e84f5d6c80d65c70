/* Collateral in the shapes that it comes in, and what is none. */
#include "tests/unit/support.h"
#include "verify/attest/collateral.h"

#define RECORDED CS_VECTORS "/attestation/"

static uint8_t memory[4 * 1024 * 1024];
static struct cs_arena arena;
static struct attest_collateral bag;
static struct cs_why why;

static int set_up(void **state)
{
	(void)state;
	cs_arena_init(&arena, memory, sizeof memory);
	memset(&bag, 0, sizeof bag);
	return 0;
}

static enum cs_err add(const char *path)
{
	char whole[512];
	(void)snprintf(whole, sizeof whole, "%s%s", RECORDED, path);
	return attest_collateral_add(&bag, read_file(whole), &arena, &why);
}

static enum cs_err add_text(const char *text)
{
	return attest_collateral_add(&bag, cs_bytes_str(text), &arena, &why);
}

static void holds(size_t certificates, size_t crls)
{
	assert_int_equal(bag.certificate_count, certificates);
	assert_int_equal(bag.crl_count, crls);
}

static void test_bundle(void **state)
{
	(void)state;
	assert_ok(add("dcap/dcap-qvl/tdx_quote_collateral.json"));
	/* TCB signing certificate, root and intermediate, each once; PCK CRL and root CRL */
	holds(3, 2);
	assert_memory_equal(bag.tcb_info.json.p, "{\"id\":\"TDX\",", 12);
	assert_int_equal(bag.tcb_info.json.p[bag.tcb_info.json.n - 1], '}');
	assert_int_equal(bag.tcb_info.signature.n, 64);
	assert_memory_equal(bag.qe_identity.json.p, "{\"id\":\"TD_QE\",", 14);
	assert_int_equal(bag.qe_identity.signature.n, 64);
	assert_ok(add("dcap/dcap-qvl/tdx_quote_collateral.json"));
	holds(3, 2);
}

/* The vendor's responses: the inner object byte for byte. */
static void test_responses(void **state)
{
	(void)state;
	const struct cs_bytes file =
		read_file(RECORDED "dcap/go-tdx-guest/sample_tcbInfo_response");
	assert_ok(attest_collateral_add(&bag, file, &arena, &why));
	assert_memory_equal(bag.tcb_info.json.p, file.p + 11, bag.tcb_info.json.n);
	assert_memory_equal(bag.tcb_info.json.p, "{\"id\":\"TDX\",", 12);
	assert_int_equal(bag.tcb_info.json.p[bag.tcb_info.json.n - 1], '}');
	assert_ok(add("dcap/go-tdx-guest/sample_qeIdentity_response"));
	assert_memory_equal(bag.qe_identity.json.p, "{\"id\":\"TD_QE\",", 14);
	assert_ok(add("dcap/go-tdx-guest/pckcrl"));
	assert_ok(add("dcap/go-tdx-guest/rootcrl.der"));
	holds(0, 2);
	assert_err(add("dcap/go-tdx-guest/sample_tcbinfo_response_v5"), CS_ERR_DUPLICATE);
	assert_ok(add("dcap/go-tdx-guest/sample_tcbInfo_response"));
}

static void test_certificates(void **state)
{
	(void)state;
	assert_ok(add("dcap/oasis-core/tcb_info_v3_fmspc_00606A000000_certs.pem"));
	holds(2, 0);
	assert_ok(add("dcap/roots/Intel_SGX_Root_CA.der"));
	assert_ok(add("snp/roots/milan_ask_ark_asvk.pem"));
	holds(5, 0);
	assert_ok(add("snp/go-sev-guest/vcek.testcer"));
	assert_ok(add("dcap/intel-qvl-sample/rootCaCrl.pem"));
	assert_ok(add("dcap/intel-qvl-sample/rootCaCrl.der"));
	holds(6, 1);
}

/* Root CRLs come in hex from the vendor. */
static void test_hex(void **state)
{
	(void)state;
	const struct cs_bytes der = read_file(RECORDED "dcap/go-tdx-guest/rootcrl.der");
	char *hex = keep(2 * der.n + 2);
	cs_hex(hex, der);
	hex[2 * der.n] = '\n';
	assert_ok(add_text(hex));
	holds(0, 1);
	assert_bytes(bag.crls[0], der);
	hex[2 * der.n - 1] = 0;
	assert_err(add_text(hex), CS_ERR_MALFORMED);
}

static void test_refused(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum cs_err err;
	} rows[] = {
		{"", CS_ERR_UNSUPPORTED},
		{"words", CS_ERR_UNSUPPORTED},
		{"00", CS_ERR_UNSUPPORTED},
		{"30", CS_ERR_UNSUPPORTED},
		{"0\x01", CS_ERR_UNSUPPORTED},
		{"{", CS_ERR_TRUNCATED},
		{"{\"tcb\": 1}", CS_ERR_UNKNOWN_FIELD},
		{"{\"tcb_info\": \"{}\"}", CS_ERR_MISSING_FIELD},
		{"{\"tcb_info_signature\": \"00\"}", CS_ERR_MISSING_FIELD},
		{"{\"tcb_info\": \"{}\", \"tcb_info_signature\": \"00\"}", CS_ERR_INVALID},
		{"{\"tcb_info\": {}, \"tcb_info_signature\": \"00\"}", CS_ERR_INVALID},
		{"{\"pck_crl\": \"zz\"}", CS_ERR_MALFORMED},
		{"{\"pck_crl\": \"3000\"}", CS_ERR_UNSUPPORTED},
		{"{\"pck_crl_issuer_chain\": \"-----BEGIN CERTIFICATE-----\\n\"}",
		 CS_ERR_MALFORMED},
		{"{\"tcbInfo\":{},\"signature\":\"00\"}", CS_ERR_TRUNCATED},
		{"-----BEGIN CERTIFICATE-----\nAAAA\n", CS_ERR_MALFORMED},
		{"-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n",
		 CS_ERR_UNSUPPORTED},
	};
	const struct attest_collateral empty = {.certificate_count = 0};
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		const enum cs_err err = add_text(rows[i].text);
		if (err != rows[i].err)
			fail_msg("%s: %s", rows[i].text, cs_err_name(err));
		assert_memory_equal(&bag, &empty, sizeof bag);
	}
}

static void test_activation(void **state)
{
	(void)state;
	assert_ok(add_text("{\"credential_blob\": \"\", \"answer\": \"\"}\n"));
	assert_bytes(bag.tpm_activation,
		     cs_bytes_str("{\"credential_blob\": \"\", \"answer\": \"\"}"));
	assert_ok(add_text("{\"credential_blob\": \"\", \"answer\": \"\"}"));
	assert_err(add_text("{\"credential_blob\": \"\"}"), CS_ERR_DUPLICATE);
}

/* Signature missing, in another place, with white space: the bytes that were signed are not known. */
static void test_damaged_response(void **state)
{
	(void)state;
	struct cs_bytes file = read_file(RECORDED "dcap/go-tdx-guest/sample_tcbInfo_response");
	char *text = keep(file.n + 1);
	while (file.p[file.n - 1] != '}')
		file.n--;
	for (size_t cut = 1; cut < 16; cut++) {
		memcpy(text, file.p, file.n - cut);
		text[file.n - cut] = 0;
		assert_err(add_text(text), CS_ERR_MALFORMED);
	}
	memcpy(text, file.p, file.n);
	text[file.n - 10] = 'g';
	assert_err(attest_collateral_add(&bag, cs_bytes(text, file.n), &arena, &why),
		   CS_ERR_MALFORMED);
	assert_null(bag.tcb_info.json.p);
}

static void test_bounds(void **state)
{
	(void)state;
	uint8_t *large = keep(ATTEST_COLLATERAL_SIZE_MAX + 1);
	assert_err(attest_collateral_add(&bag, cs_bytes(large, ATTEST_COLLATERAL_SIZE_MAX + 1),
					 &arena, &why),
		   CS_ERR_TOO_LARGE);
	/* Blocks of PEM are taken for certificates by their label: one more than fits. */
	char text[8192];
	size_t n = 0;
	for (unsigned i = 0; i <= ATTEST_CERTIFICATES_MAX; i++) {
		if (i == ATTEST_CERTIFICATES_MAX) {
			assert_ok(add_text(text));
			holds(ATTEST_CERTIFICATES_MAX, 0);
		}
		n += (size_t)snprintf(text + n, sizeof text - n,
				      "-----BEGIN CERTIFICATE-----\nAA%c%c\n-----END "
				      "CERTIFICATE-----\n",
				      'A' + (int)i % 26, 'A' + (int)i / 26);
	}
	assert_err(add_text(text), CS_ERR_TOO_LARGE);
	holds(ATTEST_CERTIFICATES_MAX, 0);
	cs_arena_init(&arena, memory, 64);
	assert_err(add("dcap/dcap-qvl/tdx_quote_collateral.json"), CS_ERR_NO_MEMORY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_bundle, set_up),
		cmocka_unit_test_setup(test_responses, set_up),
		cmocka_unit_test_setup(test_certificates, set_up),
		cmocka_unit_test_setup(test_hex, set_up),
		cmocka_unit_test_setup(test_activation, set_up),
		cmocka_unit_test_setup(test_refused, set_up),
		cmocka_unit_test_setup(test_damaged_response, set_up),
		cmocka_unit_test_setup(test_bounds, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
