/* Recorded quotes of SGX and TDX under Intel's own root, with Intel's collateral, at the moment for which
 * tests/vectors/attestation/README.md gives a verdict (D1 and on), and what must not pass: each line of
 * its recipe of mutations. What no public recording has is in test_generated. */
#include "dcap_given.h"
#include "verify/attest/dcap.h"

#define D1_NOW 1751000000u
#define D2_NOW 1751000000u
#define D3_NOW 1771545600u

#define D1_BUNDLE "dcap/dcap-qvl/sgx_quote_collateral.json"
#define D2_BUNDLE "dcap/dcap-qvl/tdx_quote_collateral.json"
#define D3_BUNDLE "dcap/dcap-qvl/tdx_quote_outdated_collateral.json"

static void sgx(struct given *given)
{
	dcap_given_init(given, given_file("dcap/dcap-qvl/sgx_quote"), D1_NOW);
	dcap_given_bundle(given, D1_BUNDLE);
}

static void tdx(struct given *given)
{
	dcap_given_init(given, given_file("dcap/dcap-qvl/tdx_quote"), D2_NOW);
	dcap_given_bundle(given, D2_BUNDLE);
}

static void assert_verdict(struct given *given, const char *status, const char *advisories)
{
	given_accept(given);
	assert_string_equal(attest_tcb_status_name(given->result.tcb_status), status);
	assert_string_equal(dcap_given_advisories(given), advisories);
}

/* ---- the table of the README ---- */

static void test_bundles(void **state)
{
	static const struct {
		const char *quote, *bundle;
		uint64_t now_s;
		const char *status, *advisories;
		uint16_t version;
	} all[] = {
		/* D1, at both ends of its window too. */
		{"dcap/dcap-qvl/sgx_quote", D1_BUNDLE, D1_NOW, "ConfigurationAndSWHardeningNeeded",
		 "INTEL-SA-00289 INTEL-SA-00615", 3},
		{"dcap/dcap-qvl/sgx_quote", D1_BUNDLE, 1750330571,
		 "ConfigurationAndSWHardeningNeeded", "INTEL-SA-00289 INTEL-SA-00615", 3},
		{"dcap/dcap-qvl/sgx_quote", D1_BUNDLE, 1752919278,
		 "ConfigurationAndSWHardeningNeeded", "INTEL-SA-00289 INTEL-SA-00615", 3},
		/* D2 */
		{"dcap/dcap-qvl/tdx_quote", D2_BUNDLE, D2_NOW, "UpToDate", "", 4},
		{"dcap/dcap-qvl/tdx_quote", D2_BUNDLE, 1750329147, "UpToDate", "", 4},
		{"dcap/dcap-qvl/tdx_quote", D2_BUNDLE, 1752919235, "UpToDate", "", 4},
		/* D3 */
		{"dcap/dcap-qvl/tdx_quote_outdated", D3_BUNDLE, 1771412331, "NotSupported", "", 5},
		{"dcap/dcap-qvl/tdx_quote_outdated", D3_BUNDLE, 1774003275, "NotSupported", "", 5},
		/* D4 */
		{"dcap/go-tdx-guest/quote_v5_sample.dat", D3_BUNDLE, D3_NOW, "UpToDate", "", 5},
		/* D5 */
		{"dcap/automata/quotev5.dat", D3_BUNDLE, D3_NOW, "OutOfDate",
		 "INTEL-SA-01036 INTEL-SA-01079 INTEL-SA-01099 INTEL-SA-01103 INTEL-SA-01111", 5},
	};
	struct given given;
	(void)state;
	for (size_t i = 0; i < CS_LEN(all); i++) {
		dcap_given_init(&given, given_file(all[i].quote), all[i].now_s);
		dcap_given_bundle(&given, all[i].bundle);
		assert_verdict(&given, all[i].status, all[i].advisories);
		assert_true(given.result.revocation);
		assert_false(given.result.debug);
		assert_int_equal(given_claim(&given, "quote_version")->number, all[i].version);
		assert_int_equal(given.result.report_data_size, 64);
	}
}

/* Just outside of the window. */
static void test_windows(void **state)
{
	static const struct {
		const char *quote, *bundle;
		uint64_t now_s;
		const char *failed;
	} all[] = {
		{"dcap/dcap-qvl/sgx_quote", D1_BUNDLE, 1750330570, "tcb-info"},
		{"dcap/dcap-qvl/sgx_quote", D1_BUNDLE, 1752919279, "qe-identity"},
		{"dcap/dcap-qvl/tdx_quote", D2_BUNDLE, 1750329146, "qe-identity"},
		{"dcap/dcap-qvl/tdx_quote", D2_BUNDLE, 1752919236, "pck-revocation"},
		{"dcap/dcap-qvl/tdx_quote_outdated", D3_BUNDLE, 1771412330, "tcb-info"},
		{"dcap/dcap-qvl/tdx_quote_outdated", D3_BUNDLE, 1774003276, "pck-revocation"},
	};
	struct given given;
	(void)state;
	for (size_t i = 0; i < CS_LEN(all); i++) {
		dcap_given_init(&given, given_file(all[i].quote), all[i].now_s);
		dcap_given_bundle(&given, all[i].bundle);
		given_refuse(&given, all[i].failed);
		assert_int_equal(given.result.tcb_status, ATTEST_TCB_NONE);
	}
}

/* D6: the same quote as D5, half a year before: a TCB recovery changes the verdict. Its bundle lacks the
 * list of platforms' certificates. */
static void test_before_the_recovery(void **state)
{
	struct given given;
	(void)state;
	dcap_given_init(&given, given_file("dcap/automata/quotev5.dat"), 1749945600);
	dcap_given_bundle(&given, D2_BUNDLE);
	dcap_given_response(&given, given_file("dcap/automata/0625/tcbinfov3_90C06F000000.json"));
	dcap_given_response(&given, given_file("dcap/automata/0625/qe_td.json"));
	given.in.no_revocation = true;
	assert_verdict(&given, "UpToDate", "");
	assert_false(given.result.revocation);
	given.in.no_revocation = false;
	given_refuse(&given, "pck-revocation");
}

/* D4 with the TCB info of its origin, at the moment of the origin's test. The QE identity of that time was not
 * kept: signatures and TCB info are what is checked. */
static void test_its_own_tcb_info(void **state)
{
	struct given given;
	(void)state;
	dcap_given_init(&given, given_file("dcap/go-tdx-guest/quote_v5_sample.dat"), 1770080400);
	dcap_given_bundle(&given, D3_BUNDLE);
	given.in.no_revocation = true;
	given_refuse(&given, "tcb-info qe-identity");
	dcap_given_response(&given, given_file("dcap/go-tdx-guest/sample_tcbinfo_response_v5"));
	given_refuse(&given, "qe-identity");
}

/* D10 */
static void test_oasis_sgx(void **state)
{
	struct given given;
	(void)state;
	dcap_given_init(&given, given_file("dcap/oasis-core/quote_v3_ecdsa_p256_pck_chain.bin"),
			1671497404);
	given_certificates(&given, "dcap/oasis-core/tcb_info_v3_fmspc_00606A000000_certs.pem");
	dcap_given_response(&given,
			    given_file("dcap/oasis-core/tcb_info_v3_fmspc_00606A000000.json"));
	dcap_given_response(&given, given_file("dcap/oasis-core/qe_identity_v2.json"));
	given.in.no_revocation = true;
	assert_verdict(&given, "SWHardeningNeeded", "INTEL-SA-00615 INTEL-SA-00657");
	/* A chain without the signer of TCB info. */
	given.bag.certificate_count = 0;
	given_certificates(&given, "dcap/oasis-core/tcb_info_v3_fmspc_00606A000000_certs_bad.pem");
	given_refuse(&given, "tcb-info qe-identity");
}

static void spr_e4(struct given *given, const char *quote, uint64_t now_s)
{
	dcap_given_init(given, given_file(quote), now_s);
	given_certificates(given, "dcap/oasis-core/tcb_info_v3_fmspc_00606A000000_certs.pem");
	dcap_given_response(given, given_file("dcap/go-tdx-guest/sample_tcbInfo_response"));
	dcap_given_response(given, given_file("dcap/go-tdx-guest/sample_qeIdentity_response"));
	given_crl(given, given_file("dcap/go-tdx-guest/pckcrl"));
	given_crl(given, given_file("dcap/go-tdx-guest/rootcrl.der"));
}

/* D12 and D13: one evidence, with bytes behind it and without, and one collateral, in two files each. */
static void test_one_evidence_twice(void **state)
{
	static const char d12[] = "dcap/oasis-core/quote_v4_tdx_ecdsa_p256_out_of_date.bin";
	static const uint64_t within[] = {1687077778, 1687091776, 1688173200, 1688801099};
	struct given given;
	(void)state;
	for (size_t i = 0; i < CS_LEN(within); i++) {
		spr_e4(&given, d12, within[i]);
		dcap_given_response(&given, given_file("dcap/oasis-core/"
						       "tcb_info_v3_tdx_fmspc_50806F000000.json"));
		dcap_given_response(&given, given_file("dcap/oasis-core/qe_identity_v2_tdx.json"));
		assert_verdict(&given, "NotSupported", "");
		assert_true(given.result.revocation);
	}
	spr_e4(&given, d12, within[0] - 1);
	assert_ok(given_verify(&given));
	assert_false(attest_result_verified(&given.result));
	spr_e4(&given, d12, within[3] + 1);
	assert_ok(given_verify(&given));
	assert_false(attest_result_verified(&given.result));
	/* What follows is not zero: the origin's own test passes over it. All that is signed is good. */
	spr_e4(&given, "dcap/go-tdx-guest/tdx_prod_quote_SPR_E4.dat", 1688173200);
	given_refuse(&given, "trailing-bytes");
	/* 2053: even the root is over. */
	spr_e4(&given, d12, 2634858000);
	given_refuse(&given, "pck-chain");
}

/* D15: a bundle of PEM chains, DER in hex and JSON, one behind the other. */
static void test_relaunch(void **state)
{
	struct cs_bytes file = given_file("dcap/openenclave/tdx_endorsement.bin");
	struct given given;
	(void)state;
	dcap_given_init(&given, given_file("dcap/openenclave/tdx_quote-moduleupdate-seamldr5.dat"),
			1740614400);
	given_certificates(&given, "dcap/openenclave/tdx_endorsement.bin");
	dcap_given_response(&given, cs_bytes(file.p + 9832, 4269));
	dcap_given_response(&given, cs_bytes(file.p + 15994, 624));
	given.in.no_revocation = true;
	given_accept(&given);
	assert_string_equal(attest_tcb_status_name(given.result.tcb_status), "TDRelaunchAdvised");
	assert_string_equal(dcap_given_advisories(&given), "INTEL-SA-01036 INTEL-SA-01099");
}

/* No collateral: who signed, and nothing about how current it is. */
static void test_signature_only(void **state)
{
	static const struct {
		const char *quote;
		bool debug;
	} all[] = {
		{"dcap/trustee/occlum_quote.dat", true},    {"dcap/trustee/tdx_quote_4.dat", true},
		{"dcap/trustee/tdx_quote_5.dat", false},    {"dcap/trustee/tdx_quote_6.dat", false},
		{"dcap/openenclave/tdx_quote.bin", false},  {"dcap/openenclave/sgx_quote", true},
		{"tpm/trustee-az-tdx/td-quote.bin", false},
	};
	struct given given;
	(void)state;
	for (size_t i = 0; i < CS_LEN(all); i++) {
		dcap_given_init(&given, given_file(all[i].quote), D3_NOW);
		given.in.no_revocation = true;
		given_accept(&given);
		assert_int_equal(given.result.tcb_status, ATTEST_TCB_NONE);
		assert_int_equal(given.result.debug, all[i].debug);
		/* Lists are asked for unless one says that they are not. */
		given.in.no_revocation = false;
		given_refuse(&given, "pck-revocation");
	}
}

static void test_unsupported(void **state)
{
	struct given given;
	(void)state;
	dcap_given_init(&given, given_file("dcap/oasis-core/quote_v3_ecdsa_p256_eppid.bin"),
			D1_NOW);
	assert_err(given_verify(&given), CS_ERR_UNSUPPORTED);
	assert_non_null(strstr(given.why.text, "type 3"));
	dcap_given_init(&given, given_file("dcap/intel-qvl-sample/quote.dat"), D1_NOW);
	assert_err(given_verify(&given), CS_ERR_UNSUPPORTED);
	/* Open Enclave's 16 bytes before the quote. */
	dcap_given_init(&given, given_file("dcap/openenclave/sgx_report_bad.bin"), D1_NOW);
	assert_err(given_verify(&given), CS_ERR_UNSUPPORTED);
}

/* ---- the recipe of mutations ---- */

/* Where the parts of a quote begin: of version 3 and of version 4. */
struct places {
	size_t header, body, signature, key, qe_report, qe_signature, auth, chain;
};
static const struct places v3 = {12, 48, 436, 500, 564, 948, 1014, 1052};
static const struct places v4 = {12, 48, 636, 700, 770, 1154, 1220, 1258};

static void flip(struct given *given, size_t at, uint8_t with, const char *failed)
{
	struct cs_bytes whole = given->in.evidence.bytes;
	uint8_t *changed = given_copy(whole);
	assert_true(at < whole.n);
	changed[at] ^= with;
	given->in.evidence.bytes = cs_bytes(changed, whole.n);
	given_refuse(given, failed);
	assert_int_equal(given->result.tcb_status, ATTEST_TCB_NONE);
	given->in.evidence.bytes = whole;
}

static void flip_all(struct given *given, const struct places *at)
{
	given_accept(given);
	flip(given, at->header, 0x01, "qe-vendor quote-signature");
	flip(given, at->header + 20, 0x80, "quote-signature");
	flip(given, at->body, 0x01, "quote-signature");
	flip(given, at->body + 383, 0x01, "quote-signature");
	flip(given, at->signature, 0x01, "quote-signature");
	flip(given, at->signature + 63, 0x01, "quote-signature");
	flip(given, at->key, 0x01, "qe-report-data quote-signature");
	flip(given, at->key + 63, 0x80, "qe-report-data quote-signature");
	flip(given, at->qe_report, 0x01, "qe-report-signature");
	flip(given, at->qe_report + 320, 0x01, "qe-report-signature qe-report-data");
	flip(given, at->qe_signature + 1, 0x10, "qe-report-signature");
	flip(given, at->auth, 0x01, "qe-report-data");
	flip(given, at->auth + 31, 0x01, "qe-report-data");
}

static void test_flipped_bits(void **state)
{
	struct given given;
	(void)state;
	sgx(&given);
	flip_all(&given, &v3);
	tdx(&given);
	flip_all(&given, &v4);
	flip(&given, given.in.evidence.bytes.n - 1, 0x01, "trailing-bytes");
}

/* A bit of the leaf, in base64: what is signed no longer verifies, or can no longer be read. */
static void test_flipped_leaf(void **state)
{
	struct given given;
	size_t read = 0;
	(void)state;
	sgx(&given);
	struct cs_bytes whole = given.in.evidence.bytes;
	const uint8_t *leaf_end = memmem(whole.p, whole.n, "-----END", 8);
	assert_non_null(leaf_end);
	for (size_t at = v3.chain + 28; whole.p + at < leaf_end; at += 13) {
		uint8_t *changed = given_copy(whole);
		if (changed[at] == '\n' || changed[at] == '-')
			continue;
		changed[at] = changed[at] == 'A' ? 'B' : 'A';
		if (changed[at] == whole.p[at])
			continue;
		given.in.evidence.bytes = cs_bytes(changed, whole.n);
		if (given_verify(&given) == CS_OK) {
			assert_false(attest_result_verified(&given.result));
			assert_int_equal(given.result.tcb_status, ATTEST_TCB_NONE);
			read++;
		}
	}
	assert_true(read > 40);
}

/* Every prefix: cut off, and never more than that. */
static void test_truncated(void **state)
{
	static const char *const quotes[] = {"dcap/dcap-qvl/sgx_quote", "dcap/dcap-qvl/tdx_quote",
					     "dcap/automata/quotev5.dat"};
	struct dcap_quote quote;
	(void)state;
	for (size_t i = 0; i < CS_LEN(quotes); i++) {
		struct cs_bytes whole = given_file(quotes[i]);
		assert_ok(dcap_quote_parse(&quote, whole, NULL));
		size_t end = whole.n - quote.trailing.n;
		for (size_t n = 0; n < end; n++)
			assert_err(dcap_quote_parse(&quote, cs_bytes(whole.p, n), NULL),
				   CS_ERR_TRUNCATED);
		assert_ok(dcap_quote_parse(&quote, cs_bytes(whole.p, end), NULL));
		assert_int_equal(quote.trailing.n, 0);
	}
}

static void patch(const char *name, size_t at, const char *hex, enum cs_err err)
{
	struct cs_bytes whole = given_file(name), with = unhex(hex);
	struct dcap_quote quote;
	uint8_t *changed = given_copy(whole);
	memcpy(changed + at, with.p, with.n);
	assert_err(dcap_quote_parse(&quote, cs_bytes(changed, whole.n), NULL), err);
}

static void test_fields_of_the_layout(void **state)
{
	static const char sgx_3[] = "dcap/dcap-qvl/sgx_quote", tdx_4[] = "dcap/dcap-qvl/tdx_quote",
			  tdx_5[] = "dcap/automata/quotev5.dat";
	(void)state;
	/* versions, key types, TEE types, bodies */
	patch(sgx_3, 0, "0200", CS_ERR_UNSUPPORTED);
	patch(sgx_3, 0, "0600", CS_ERR_UNSUPPORTED);
	patch(sgx_3, 2, "0300", CS_ERR_UNSUPPORTED);
	patch(sgx_3, 4, "81000000", CS_ERR_UNSUPPORTED);
	patch(tdx_4, 4, "82000000", CS_ERR_UNSUPPORTED);
	patch(tdx_5, 48, "0100", CS_ERR_UNSUPPORTED);
	patch(tdx_5, 48, "0400", CS_ERR_UNSUPPORTED);
	patch(tdx_5, 48, "0200", CS_ERR_MALFORMED);
	patch(tdx_5, 50, "ffffffff", CS_ERR_MALFORMED);
	/* lengths: too much, and one too few or too many */
	patch(sgx_3, 432, "ffffffff", CS_ERR_TRUNCATED);
	patch(sgx_3, 432, "45100000", CS_ERR_TRUNCATED);
	patch(sgx_3, 432, "43100000", CS_ERR_TRUNCATED);
	patch(sgx_3, 1012, "ffff", CS_ERR_TRUNCATED);
	patch(sgx_3, 1048, "ffffffff", CS_ERR_TRUNCATED);
	patch(sgx_3, 1048, "db0d0000", CS_ERR_TRAILING);
	patch(tdx_4, 632, "ffffffff", CS_ERR_TRUNCATED);
	patch(tdx_4, 766, "ffffffff", CS_ERR_TRUNCATED);
	patch(tdx_4, 766, "45100000", CS_ERR_TRAILING);
	patch(tdx_4, 1254, "ffffffff", CS_ERR_TRUNCATED);
	patch(tdx_4, 1254, "5d0e0000", CS_ERR_TRAILING);
	/* certification data: 6 within 6, 5 where 6 belongs, the PPID, the leaf alone */
	patch(tdx_4, 1252, "0600", CS_ERR_UNSUPPORTED);
	patch(tdx_4, 764, "0500", CS_ERR_UNSUPPORTED);
	patch(sgx_3, 1046, "0600", CS_ERR_UNSUPPORTED);
	patch(sgx_3, 1046, "0300", CS_ERR_UNSUPPORTED);
	patch(sgx_3, 1046, "0400", CS_ERR_UNSUPPORTED);
}

static void test_wrong_collateral(void **state)
{
	struct given given, other;
	(void)state;
	/* TCB info of another platform, of another TEE; the quoting enclave of the other TEE. */
	sgx(&given);
	tdx(&other);
	given.bag.tcb_info = other.bag.tcb_info;
	given_refuse(&given, "tcb-info-platform");
	sgx(&given);
	given.bag.qe_identity = other.bag.qe_identity;
	given_refuse(&given, "qe-identity-match");
	tdx(&given);
	dcap_given_response(&given, given_file("dcap/automata/0625/tcbinfov3_90C06F000000.json"));
	given_refuse(&given, "tcb-info-platform");
	/* Nothing of one of the two. */
	sgx(&given);
	given.bag.tcb_info.json = CS_BYTES_NONE;
	given_refuse(&given, "tcb-info");
	sgx(&given);
	given.bag.qe_identity.json = CS_BYTES_NONE;
	given_refuse(&given, "qe-identity");
	/* The list of the other CA; no list of the root's; a list that cannot be read. */
	sgx(&given);
	tdx(&other);
	given.bag.crls[1] = other.bag.crls[1];
	given_refuse(&given, "pck-revocation");
	sgx(&given);
	given.bag.crls[0] = given.bag.crls[1];
	given_refuse(&given, "pck-revocation tcb-info qe-identity");
	sgx(&given);
	given.bag.crls[1].n--;
	given_refuse(&given, "collateral-form pck-revocation");
	/* Another root. */
	sgx(&given);
	struct cs_bytes root = given.bag.certificates[0];
	given_roots(&given, &root, 1);
	given_refuse(&given, "pck-chain");
}

static struct cs_bytes flipped(struct cs_bytes bytes, size_t at)
{
	uint8_t *changed = given_copy(bytes);
	changed[at] ^= 0x01;
	return cs_bytes(changed, bytes.n);
}

static void test_flipped_collateral(void **state)
{
	struct given given;
	(void)state;
	sgx(&given);
	struct attest_collateral good = given.bag;
	for (size_t at = 0; at < good.tcb_info.json.n; at += 97) {
		given.bag.tcb_info.json = flipped(good.tcb_info.json, at);
		given_refuse(&given, "tcb-info");
	}
	given.bag = good;
	for (size_t at = 0; at < good.qe_identity.json.n; at += 97) {
		given.bag.qe_identity.json = flipped(good.qe_identity.json, at);
		given_refuse(&given, "qe-identity");
	}
	given.bag = good;
	for (size_t at = 0; at < 64; at += 9) {
		given.bag.tcb_info.signature = flipped(good.tcb_info.signature, at);
		given_refuse(&given, "tcb-info");
	}
	given.bag = good;
	for (size_t i = 0; i < good.crl_count; i++) {
		for (size_t at = 0; at < good.crls[i].n; at += 7) {
			given.bag = good;
			given.bag.crls[i] = flipped(good.crls[i], at);
			assert_ok(given_verify(&given));
			assert_false(attest_result_verified(&given.result));
		}
	}
}

/* ---- documents that Intel never wrote ---- */

static _Alignas(16) uint8_t document_memory[1 << 20];

static enum cs_err read_tcb_info(struct cs_bytes json)
{
	struct dcap_tcb_info info;
	struct cs_arena arena;
	cs_arena_init(&arena, document_memory, sizeof document_memory);
	return dcap_tcb_info_parse(&info, json, &arena, NULL);
}

static enum cs_err read_qe_identity(struct cs_bytes json)
{
	struct dcap_qe_identity identity;
	struct cs_arena arena;
	cs_arena_init(&arena, document_memory, sizeof document_memory);
	return dcap_qe_identity_parse(&identity, json, &arena, NULL);
}

/* What is put in, behind the first place where the other text stands, and what the reader says then. */
struct change {
	const char *behind, *put;
	enum cs_err err;
};

static struct cs_bytes changed_text(struct cs_bytes text, const struct change *change)
{
	const uint8_t *found = memmem(text.p, text.n, change->behind, strlen(change->behind));
	size_t n = strlen(change->put);
	if (found == NULL)
		fail_msg("%s is not in the document", change->behind);
	size_t at = (size_t)(found - text.p) + strlen(change->behind);
	uint8_t *p = keep(text.n + n);
	memcpy(p, text.p, at);
	memcpy(p + at, change->put, n);
	memcpy(p + at + n, text.p + at, text.n - at);
	return cs_bytes(p, text.n + n);
}

/* As it is the document is read; with any one of the changes it is not. */
static void refuse_changes(enum cs_err (*read)(struct cs_bytes), struct cs_bytes good,
			   const struct change *changes, size_t count)
{
	assert_ok(read(good));
	for (size_t i = 0; i < count; i++) {
		enum cs_err err = read(changed_text(good, &changes[i]));
		if (err != changes[i].err)
			fail_msg("%s%s: %s, not %s", changes[i].behind, changes[i].put,
				 cs_err_name(err), cs_err_name(changes[i].err));
	}
}

/* What Open Enclave's tests take for bad, done to documents of Intel's that are good. */
static void test_bad_tcb_info(void **state)
{
	static const struct change sgx_changes[] = {
		/* a name that is another one: the member is missing, at each level */
		{"{\"i", "x", CS_ERR_MISSING_FIELD},
		{"\"versio", "x", CS_ERR_MISSING_FIELD},
		{"\"issueDat", "x", CS_ERR_MISSING_FIELD},
		{"\"nextUpdat", "x", CS_ERR_MISSING_FIELD},
		{"\"fmsp", "x", CS_ERR_MISSING_FIELD},
		{"\"pceI", "x", CS_ERR_MISSING_FIELD},
		{"\"tcbTyp", "x", CS_ERR_MISSING_FIELD},
		{"\"tcbEvaluationDataNumbe", "x", CS_ERR_MISSING_FIELD},
		{"\"tcbLevel", "x", CS_ERR_MISSING_FIELD},
		{"[{\"tc", "x", CS_ERR_MISSING_FIELD},
		{"\"tcbDat", "x", CS_ERR_MISSING_FIELD},
		{"\"tcbStatu", "x", CS_ERR_MISSING_FIELD},
		{"\"sgxtcbcomponent", "x", CS_ERR_MISSING_FIELD},
		{"\"pcesv", "x", CS_ERR_MISSING_FIELD},
		{"{\"sv", "x", CS_ERR_MISSING_FIELD},
		/* a value of another type, at each level */
		{"\"version\":", "\"3\",\"x\":", CS_ERR_INVALID},
		{"\"nextUpdate\":", "1,\"x\":", CS_ERR_INVALID},
		{"\"tcbLevels\":", "1,\"x\":", CS_ERR_INVALID},
		{"[{\"tcb\":", "1,\"x\":", CS_ERR_INVALID},
		{"\"tcbStatus\":", "1,\"x\":", CS_ERR_INVALID},
		{"\"sgxtcbcomponents\":", "1,\"x\":", CS_ERR_INVALID},
		{"\"svn\":", "\"1\",\"x\":", CS_ERR_INVALID},
		{"\"pcesvn\":", "\"1\",\"x\":", CS_ERR_INVALID},
		{"\"advisoryIDs\":", "1,\"x\":", CS_ERR_INVALID},
		{"\"advisoryIDs\":[", "1,", CS_ERR_INVALID},
		/* numbers */
		{"\"svn\":", "2560", CS_ERR_OVERFLOW},
		{"\"svn\":", "99999999999999999999", CS_ERR_OVERFLOW},
		{"\"svn\":", "0.", CS_ERR_INVALID},
		{"\"svn\":", "-", CS_ERR_OVERFLOW},
		{"\"svn\":", "+", CS_ERR_MALFORMED},
		{"\"pcesvn\":", "65536", CS_ERR_OVERFLOW},
		{"\"tcbType\":", "1", CS_ERR_OVERFLOW},
		/* texts */
		{"\"issueDate\":\"", "x", CS_ERR_MALFORMED},
		{"\"nextUpdate\":\"2025-", "9", CS_ERR_MALFORMED},
		{"\"tcbDate\":\"", " ", CS_ERR_MALFORMED},
		{"\"fmspc\":\"", "\\q", CS_ERR_MALFORMED},
		{"\"fmspc\":\"", "0", CS_ERR_MALFORMED},
		{"\"pceId\":\"", "zz", CS_ERR_MALFORMED},
		{"\"tcbStatus\":\"", "Not", CS_ERR_INVALID},
		{"\"id\":\"", "T", CS_ERR_UNSUPPORTED},
		{"{", "\"version\":3,", CS_ERR_DUPLICATE},
	};
	static const struct change tdx_changes[] = {
		{"\"tdxModul", "x", CS_ERR_MISSING_FIELD},
		{"\"mrsigne", "x", CS_ERR_MISSING_FIELD},
		{"\"attribute", "x", CS_ERR_MISSING_FIELD},
		{"\"attributesMas", "x", CS_ERR_MISSING_FIELD},
		{"\"tdxtcbcomponent", "x", CS_ERR_MISSING_FIELD},
		{"\"isvsv", "x", CS_ERR_MISSING_FIELD},
		{"\"tdxModuleIdentities\":", "1,\"x\":", CS_ERR_INVALID},
		{"\"mrsigner\":\"", "00", CS_ERR_MALFORMED},
		{"\"id\":\"TDX_", "0", CS_ERR_INVALID},
	};
	struct given given;
	(void)state;
	sgx(&given);
	refuse_changes(read_tcb_info, given.bag.tcb_info.json, sgx_changes, CS_LEN(sgx_changes));
	tdx(&given);
	refuse_changes(read_tcb_info, given.bag.tcb_info.json, tdx_changes, CS_LEN(tdx_changes));
}

static void test_bad_qe_identity(void **state)
{
	static const struct change changes[] = {
		{"{\"i", "x", CS_ERR_MISSING_FIELD},
		{"\"versio", "x", CS_ERR_MISSING_FIELD},
		{"\"issueDat", "x", CS_ERR_MISSING_FIELD},
		{"\"nextUpdat", "x", CS_ERR_MISSING_FIELD},
		{"\"tcbEvaluationDataNumbe", "x", CS_ERR_MISSING_FIELD},
		{"\"miscselec", "x", CS_ERR_MISSING_FIELD},
		{"\"miscselectMas", "x", CS_ERR_MISSING_FIELD},
		{"\"attribute", "x", CS_ERR_MISSING_FIELD},
		{"\"attributesMas", "x", CS_ERR_MISSING_FIELD},
		{"\"mrsigne", "x", CS_ERR_MISSING_FIELD},
		{"\"isvprodi", "x", CS_ERR_MISSING_FIELD},
		{"\"tcbLevel", "x", CS_ERR_MISSING_FIELD},
		{"\"isvsv", "x", CS_ERR_MISSING_FIELD},
		{"\"tcbStatu", "x", CS_ERR_MISSING_FIELD},
		{"\"miscselect\":\"", "00", CS_ERR_MALFORMED},
		{"\"attributes\":\"", "zz", CS_ERR_MALFORMED},
		{"\"isvprodid\":", "65536", CS_ERR_OVERFLOW},
		{"\"isvsvn\":", "-", CS_ERR_OVERFLOW},
		/* a word for platforms: an enclave is never so */
		{"\"tcbStatus\":\"", "SWHardeningNeeded\",\"x\":\"", CS_ERR_INVALID},
		{"\"id\":\"", "TD", CS_ERR_UNSUPPORTED},
	};
	struct given given;
	(void)state;
	sgx(&given);
	refuse_changes(read_qe_identity, given.bag.qe_identity.json, changes, CS_LEN(changes));
}

/* Open Enclave's own files are of version 1, which is refused whole: the good ones too. */
static void test_documents_of_version_1(void **state)
{
	static const char *const identities[] = {"ok",
						 "missing_attributes",
						 "missing_attributesmask",
						 "missing_issuedate",
						 "missing_isvprodid",
						 "missing_isvsvn",
						 "missing_miscselect",
						 "missing_miscselectmask",
						 "missing_mrsigner",
						 "missing_nextupdate",
						 "missing_qeidentity",
						 "missing_signature",
						 "missing_version"};
	static const char *const infos[] = {"",
					    "_with_pceid",
					    "NegativeCompSvn",
					    "NegativeFloat",
					    "NegativeIntegerOverflow",
					    "NegativeIntegerWithSign",
					    "NegativeInvalidIssueDate",
					    "NegativeInvalidNextUpdate",
					    "NegativeMissingNextUpdate",
					    "NegativePceSvn",
					    "NegativePropertyMissingLevel0",
					    "NegativePropertyMissingLevel1",
					    "NegativePropertyMissingLevel2",
					    "NegativePropertyMissingLevel3",
					    "NegativePropertyWrongTypeLevel0",
					    "NegativePropertyWrongTypeLevel1",
					    "NegativePropertyWrongTypeLevel2",
					    "NegativePropertyWrongTypeLevel3",
					    "NegativeSignature",
					    "NegativeStringEscape"};
	char name[128];
	(void)state;
	for (size_t i = 0; i < CS_LEN(identities); i++) {
		(void)snprintf(name, sizeof name, "dcap/openenclave/qeidentity/qe_identity_%s.json",
			       identities[i]);
		assert_int_not_equal(read_qe_identity(given_file(name)), CS_OK);
	}
	for (size_t i = 0; i < CS_LEN(infos); i++) {
		(void)snprintf(name, sizeof name, "dcap/openenclave/tcbinfo/tcbInfo%s.json",
			       infos[i]);
		assert_int_not_equal(read_tcb_info(given_file(name)), CS_OK);
	}
}

/* ---- opened once ---- */

static void test_kept_collateral(void **state)
{
	static struct dcap_collateral opened;
	struct cs_nistp *nistp = cs_nistp_new();
	struct given given;
	struct cs_arena arena;
	size_t size = 2u << 20;
	(void)state;
	assert_non_null(nistp);
	tdx(&given);
	cs_arena_init(&arena, keep(size), size);
	assert_ok(dcap_collateral_open(&opened, &given.bag, &given.roots, nistp, &arena));
	given.in.dcap = &opened;
	memset(&given.bag, 0, sizeof given.bag);
	assert_verdict(&given, "UpToDate", "");
	/* Dates are asked for each quote. */
	given.in.now = (struct verify_time){1752919236, 1752919236};
	given_refuse(&given, "pck-revocation");
	/* An interval must fit as a whole. */
	given.in.now = (struct verify_time){1752919230, 1752919236};
	given_refuse(&given, "pck-revocation");
	given.in.now = (struct verify_time){1750329000, 1752919000};
	given_refuse(&given, "qe-identity");
	/* Nothing bounds the time from above: nothing that expires is good. */
	given.in.now = (struct verify_time){D2_NOW, 0};
	given_refuse(&given, "pck-chain");
	cs_nistp_free(nistp);
}

static void test_no_memory(void **state)
{
	struct given given;
	struct cs_nistp *nistp = cs_nistp_new();
	size_t refused = 0;
	(void)state;
	assert_non_null(nistp);
	tdx(&given);
	given.in.collateral = &given.bag;
	given.in.roots = &given.roots;
	for (size_t size = 0; size < 400000; size += 4999) {
		uint8_t *memory = malloc(size + 1);
		struct cs_arena arena;
		assert_non_null(memory);
		cs_arena_init(&arena, memory, size);
		enum cs_err err = attest_verify(&given.result, &given.in, nistp, &arena, NULL);
		assert_true(err == CS_OK || err == CS_ERR_NO_MEMORY);
		if (err == CS_ERR_NO_MEMORY)
			refused++;
		else
			assert_true(attest_result_verified(&given.result));
		free(memory);
	}
	assert_true(refused > 5);
	cs_nistp_free(nistp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bundles),
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_before_the_recovery),
		cmocka_unit_test(test_its_own_tcb_info),
		cmocka_unit_test(test_oasis_sgx),
		cmocka_unit_test(test_one_evidence_twice),
		cmocka_unit_test(test_relaunch),
		cmocka_unit_test(test_signature_only),
		cmocka_unit_test(test_unsupported),
		cmocka_unit_test(test_flipped_bits),
		cmocka_unit_test(test_flipped_leaf),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_fields_of_the_layout),
		cmocka_unit_test(test_wrong_collateral),
		cmocka_unit_test(test_flipped_collateral),
		cmocka_unit_test(test_bad_tcb_info),
		cmocka_unit_test(test_bad_qe_identity),
		cmocka_unit_test(test_documents_of_version_1),
		cmocka_unit_test(test_kept_collateral),
		cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
