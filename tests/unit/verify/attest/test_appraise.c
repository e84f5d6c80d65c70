/* Appraisal: what a result comes to under a policy, and the same as EAR. */
#include "core/json.h"
#include "tests/unit/support.h"
#include "verify/attest/ear.h"

#define NOW_S 1800000000u

static const uint8_t enclave[32] = {1, 2, 3}, other[32] = {9};
static const struct verify_time now = {NOW_S, NOW_S};
static struct attest_result result;
static struct attest_policy policy;
static struct attest_appraisal appraisal;

/* SGX, verified, up to date, with an enclave and its number. */
static int set_up(void **state)
{
	(void)state;
	memset(&result, 0, sizeof result);
	result.kind = result.hardware = ATTEST_SGX;
	result.tcb_status = ATTEST_TCB_UP_TO_DATE;
	result.revocation = true;
	result.collateral_issued_s = NOW_S - 1000;
	result.tcb_evaluation_number = 17;
	attest_check(&result, "quote-signature", true, "good");
	attest_measurement(&result, "mr_enclave", CS_BYTES_OF(enclave));
	attest_claim_number(&result, "isv_svn", 4);
	attest_report_data(&result, unhex("aabb000000000000"));
	attest_policy_init(&policy);
	return 0;
}

static void appraise(void)
{
	memset(&appraisal, 0x5a, sizeof appraisal);
	attest_appraise(&appraisal, &result, &policy, &now);
}

static void comes_to(enum attest_tier tier)
{
	appraise();
	assert_int_equal(appraisal.status, tier);
}

static enum attest_outcome judgement(const char *name)
{
	for (size_t i = 0; i < appraisal.judgement_count; i++) {
		if (strcmp(appraisal.judgements[i].name, name) == 0)
			return appraisal.judgements[i].outcome;
	}
	return ATTEST_SKIPPED;
}

/* ---- tiers ---- */

static void test_tiers(void **state)
{
	(void)state;
	for (int value = -128; value <= 127; value++) {
		enum attest_tier tier = ATTEST_TIER_NONE;
		if ((value >= 2 && value <= 31) || (value <= -2 && value >= -32))
			tier = ATTEST_TIER_AFFIRMING;
		else if ((value >= 32 && value <= 95) || (value <= -33 && value >= -96))
			tier = ATTEST_TIER_WARNING;
		else if (value >= 96 || value <= -97)
			tier = ATTEST_TIER_CONTRAINDICATED;
		assert_int_equal(attest_trust_tier(value), tier);
	}
}

/* veraison/ear: the status of a vector is its worst tier. */
static void test_published(void **state)
{
	(void)state;
	static const char *const files[] = {"ear-claims-tv-ok.json",
					    "ear-claims-key-attestation-ok.json",
					    "ear-claims-key-attestation-ko.json"};
	for (size_t i = 0; i < CS_LEN(files); i++) {
		char path[256];
		const char *name;
		json_t *submodule, *value;
		size_t known = 0;
		enum attest_tier worst = ATTEST_TIER_NONE;
		(void)snprintf(path, sizeof path, CS_VECTORS "/attestation/ear/%s", files[i]);
		json_t *file = read_json(path);
		assert_string_equal(text_of(file, "eat_profile"), EAR_PROFILE);
		json_t *submodules = json_object_get(file, "submods");
		json_object_foreach(submodules, name, submodule)
		{
			const char *claim;
			json_t *vector = json_object_get(submodule, "ear.trustworthiness-vector");
			json_object_foreach(vector, claim, value)
			{
				const enum attest_tier tier =
					attest_trust_tier((int)json_integer_value(value));
				worst = tier > worst ? tier : worst;
				for (unsigned j = 0; j < ATTEST_TRUST_COUNT; j++)
					known += strcmp(claim,
							attest_trust_name(
								(enum attest_trust_claim)j)) == 0;
			}
			assert_int_equal(known, json_object_size(vector));
			assert_string_equal(text_of(submodule, "ear.status"),
					    attest_tier_name(worst));
		}
		json_decref(file);
	}
}

/* ---- the vendor's verdict ---- */

static void test_statuses(void **state)
{
	(void)state;
	static const enum attest_tier table[ATTEST_TCB_COUNT] = {
		[ATTEST_TCB_NONE] = ATTEST_TIER_NONE,
		[ATTEST_TCB_UP_TO_DATE] = ATTEST_TIER_AFFIRMING,
		[ATTEST_TCB_SW_HARDENING_NEEDED] = ATTEST_TIER_WARNING,
		[ATTEST_TCB_CONFIGURATION_NEEDED] = ATTEST_TIER_WARNING,
		[ATTEST_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED] = ATTEST_TIER_WARNING,
		[ATTEST_TCB_TD_RELAUNCH_ADVISED] = ATTEST_TIER_WARNING,
		[ATTEST_TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED] = ATTEST_TIER_WARNING,
		[ATTEST_TCB_OUT_OF_DATE] = ATTEST_TIER_CONTRAINDICATED,
		[ATTEST_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED] = ATTEST_TIER_CONTRAINDICATED,
		[ATTEST_TCB_REVOKED] = ATTEST_TIER_CONTRAINDICATED,
		[ATTEST_TCB_NOT_SUPPORTED] = ATTEST_TIER_CONTRAINDICATED,
	};
	for (unsigned i = 0; i < ATTEST_TCB_COUNT; i++) {
		result.tcb_status = (enum attest_tcb_status)i;
		comes_to(table[i]);
	}
}

static void test_rules(void **state)
{
	(void)state;
	struct attest_tcb_rule *rule = &policy.tcb[ATTEST_TCB_OUT_OF_DATE];
	result.tcb_status = ATTEST_TCB_OUT_OF_DATE;
	*rule = (struct attest_tcb_rule){true, ATTEST_TIER_WARNING, 0};
	comes_to(ATTEST_TIER_WARNING);
	rule->tier = ATTEST_TIER_AFFIRMING;
	comes_to(ATTEST_TIER_AFFIRMING);
	rule->until_s = NOW_S;
	comes_to(ATTEST_TIER_AFFIRMING);
	rule->until_s = NOW_S - 1;
	comes_to(ATTEST_TIER_CONTRAINDICATED);
	assert_int_equal(judgement("policy-tcb"), ATTEST_FAILED);
	policy.tcb[ATTEST_TCB_UP_TO_DATE] =
		(struct attest_tcb_rule){true, ATTEST_TIER_CONTRAINDICATED, 0};
	result.tcb_status = ATTEST_TCB_UP_TO_DATE;
	comes_to(ATTEST_TIER_CONTRAINDICATED);
}

static void test_failed_check(void **state)
{
	(void)state;
	attest_check(&result, "pck-chain", false, "bad");
	policy.insecure_accept_simulated = policy.insecure_accept_debug = true;
	policy.insecure_accept_test_roots = true;
	comes_to(ATTEST_TIER_CONTRAINDICATED);
	assert_int_equal(appraisal.vector[ATTEST_TRUST_HARDWARE], ATTEST_TRUST_CRYPTO_FAILED);
	assert_int_equal(appraisal.vector[ATTEST_TRUST_RUNTIME_OPAQUE], ATTEST_TRUST_NO_CLAIM);
	assert_false(appraisal.insecure);
	result.check_count = 0; /* nothing was checked */
	comes_to(ATTEST_TIER_CONTRAINDICATED);
	attest_skip(&result, "tcb-info", "none");
	comes_to(ATTEST_TIER_CONTRAINDICATED);
}

static void test_collateral(void **state)
{
	(void)state;
	policy.collateral_age_max_s = 1000;
	comes_to(ATTEST_TIER_AFFIRMING);
	policy.collateral_age_max_s = 999;
	comes_to(ATTEST_TIER_CONTRAINDICATED);
	assert_int_equal(judgement("policy-collateral-age"), ATTEST_FAILED);
	policy.collateral_age_max_s = 0;
	policy.tcb_evaluation_number_min = 17;
	comes_to(ATTEST_TIER_AFFIRMING);
	policy.tcb_evaluation_number_min = 18;
	comes_to(ATTEST_TIER_CONTRAINDICATED);
	assert_int_equal(judgement("policy-tcb-evaluation-number"), ATTEST_FAILED);
}

/* Of a maker whose collateral is lists of revoked keys alone, and of a TPM. */
static void test_age_without_documents(void **state)
{
	(void)state;
	result.kind = result.hardware = ATTEST_SNP;
	result.tcb_evaluation_number = 0;
	policy.tcb_evaluation_number_min = 17; /* Intel's, of which AMD has none */
	policy.collateral_age_max_s = 1000;
	comes_to(ATTEST_TIER_AFFIRMING);
	assert_int_equal(judgement("policy-tcb-evaluation-number"), ATTEST_SKIPPED);
	policy.collateral_age_max_s = 999;
	comes_to(ATTEST_TIER_CONTRAINDICATED);
	assert_int_equal(judgement("policy-collateral-age"), ATTEST_FAILED);
	/* Nothing of a date: not young enough. */
	policy.collateral_age_max_s = UINT64_MAX / 2;
	result.collateral_issued_s = 0;
	comes_to(ATTEST_TIER_CONTRAINDICATED);
	assert_int_equal(judgement("policy-collateral-age"), ATTEST_FAILED);
	result.kind = result.hardware = ATTEST_TPM;
	result.tcb_status = ATTEST_TCB_NONE;
	result.whole_machine = true;
	comes_to(ATTEST_TIER_CONTRAINDICATED);
	result.collateral_issued_s = NOW_S - 1000;
	comes_to(ATTEST_TIER_WARNING);
	/* Nothing was judged, and nothing is said of it. */
	result.kind = result.hardware = ATTEST_SGX;
	result.whole_machine = false;
	result.collateral_issued_s = 0;
	comes_to(ATTEST_TIER_NONE);
}

static void test_revocation(void **state)
{
	(void)state;
	result.revocation = false;
	comes_to(ATTEST_TIER_WARNING);
	assert_int_equal(judgement("policy-revocation"), ATTEST_FAILED);
	policy.tcb[ATTEST_TCB_UP_TO_DATE] =
		(struct attest_tcb_rule){true, ATTEST_TIER_AFFIRMING, 0};
	comes_to(ATTEST_TIER_WARNING);
}

/* ---- what is insecure ---- */

static void test_simulated(void **state)
{
	(void)state;
	result.kind = result.hardware = ATTEST_SIMULATED;
	result.tcb_status = ATTEST_TCB_NONE;
	result.revocation = false;
	comes_to(ATTEST_TIER_CONTRAINDICATED);
	assert_false(appraisal.insecure);
	policy.insecure_accept_simulated = true;
	comes_to(ATTEST_TIER_WARNING);
	assert_true(appraisal.insecure);
	policy.judges_reference = true; /* of no build */
	comes_to(ATTEST_TIER_CONTRAINDICATED);
	assert_false(appraisal.insecure);
}

/* Whatever a policy says, there is no way to affirm it. */
static void test_simulated_is_never_affirming(void **state)
{
	(void)state;
	for (unsigned status = 0; status < ATTEST_TCB_COUNT; status++) {
		for (unsigned flags = 0; flags < 16; flags++) {
			result.kind = result.hardware = ATTEST_SIMULATED;
			result.tcb_status = (enum attest_tcb_status)status;
			result.debug = flags & 1;
			result.insecure_roots = flags & 2;
			policy.insecure_accept_simulated = flags & 4;
			policy.insecure_accept_debug = policy.insecure_accept_test_roots =
				flags & 8;
			for (unsigned i = 0; i < ATTEST_TCB_COUNT; i++)
				policy.tcb[i] =
					(struct attest_tcb_rule){true, ATTEST_TIER_AFFIRMING, 0};
			appraise();
			assert_int_not_equal(appraisal.status, ATTEST_TIER_AFFIRMING);
			assert_int_not_equal(appraisal.status, ATTEST_TIER_NONE);
		}
	}
}

static void test_debug(void **state)
{
	(void)state;
	result.debug = true;
	comes_to(ATTEST_TIER_CONTRAINDICATED);
	policy.insecure_accept_debug = true;
	comes_to(ATTEST_TIER_WARNING);
	assert_true(appraisal.insecure);
}

static void test_roots(void **state)
{
	(void)state;
	result.insecure_roots = true;
	comes_to(ATTEST_TIER_CONTRAINDICATED);
	policy.insecure_accept_test_roots = true;
	comes_to(ATTEST_TIER_WARNING);
	assert_true(appraisal.insecure);
	assert_int_equal(judgement("policy-roots"), ATTEST_PASSED);
}

static void test_whole_machine(void **state)
{
	(void)state;
	result.kind = result.hardware = ATTEST_TPM;
	result.tcb_status = ATTEST_TCB_NONE;
	result.whole_machine = true;
	result.revocation = false;
	comes_to(ATTEST_TIER_WARNING);
	assert_true(appraisal.whole_machine);
	assert_false(appraisal.insecure);
	assert_int_equal(appraisal.vector[ATTEST_TRUST_RUNTIME_OPAQUE], ATTEST_TRUST_UNSAFE);
}

/* ---- measurements ---- */

static struct attest_reference_value values[2];
static struct attest_reference references[3];

static void expect_enclave(const uint8_t *mr_enclave, uint64_t isv_svn)
{
	values[0] = (struct attest_reference_value){cs_bytes_str("mr_enclave"),
						    cs_bytes(mr_enclave, 32), 0};
	values[1] =
		(struct attest_reference_value){cs_bytes_str("isv_svn"), CS_BYTES_NONE, isv_svn};
	references[0] = (struct attest_reference){ATTEST_SGX, cs_bytes_str("it"), 0, 2, values};
	policy.judges_reference = true;
	policy.references = references;
	policy.reference_count = 1;
}

static void test_measurements(void **state)
{
	(void)state;
	expect_enclave(enclave, 4);
	comes_to(ATTEST_TIER_AFFIRMING);
	assert_ptr_equal(appraisal.reference, &references[0]);
	assert_int_equal(appraisal.vector[ATTEST_TRUST_EXECUTABLES], ATTEST_TRUST_APPROVED);
	expect_enclave(enclave, 5);
	comes_to(ATTEST_TIER_CONTRAINDICATED);
	assert_null(appraisal.reference);
	expect_enclave(other, 4);
	comes_to(ATTEST_TIER_CONTRAINDICATED);
	expect_enclave(enclave, 0);
	values[0].bytes.n = 31;
	comes_to(ATTEST_TIER_CONTRAINDICATED);
	expect_enclave(enclave, 0);
	values[0].name = cs_bytes_str("mr_enclav");
	comes_to(ATTEST_TIER_CONTRAINDICATED);
	expect_enclave(enclave, 0);
	values[1].name = cs_bytes_str("mr_enclave"); /* no number */
	comes_to(ATTEST_TIER_CONTRAINDICATED);
	expect_enclave(enclave, 0);
	values[0].name = cs_bytes_str("isv_svn"); /* no bytes */
	comes_to(ATTEST_TIER_CONTRAINDICATED);
	expect_enclave(enclave, 0);
	references[0].kind = ATTEST_TDX;
	comes_to(ATTEST_TIER_CONTRAINDICATED);
	policy.reference_count = 0;
	comes_to(ATTEST_TIER_CONTRAINDICATED);
	assert_int_equal(judgement("policy-measurements"), ATTEST_FAILED);
}

static void test_not_after(void **state)
{
	(void)state;
	expect_enclave(enclave, 4);
	references[0].not_after_s = NOW_S;
	comes_to(ATTEST_TIER_AFFIRMING);
	references[0].not_after_s = NOW_S - 1;
	comes_to(ATTEST_TIER_CONTRAINDICATED);
	references[1] = references[0]; /* another row names it for longer */
	references[1].not_after_s = NOW_S + 1;
	policy.reference_count = 2;
	comes_to(ATTEST_TIER_AFFIRMING);
	assert_ptr_equal(appraisal.reference, &references[1]);
}

/* Inside a certificate, or below a vTPM: the hardware's rows count. */
static void test_inside(void **state)
{
	(void)state;
	expect_enclave(enclave, 4);
	result.kind = ATTEST_RATLS;
	comes_to(ATTEST_TIER_AFFIRMING);
	result.kind = ATTEST_TPM;
	result.hardware = ATTEST_SNP;
	references[0].kind = ATTEST_SNP;
	comes_to(ATTEST_TIER_AFFIRMING);
	assert_int_equal(appraisal.vector[ATTEST_TRUST_EXECUTABLES], ATTEST_TRUST_APPROVED_BOOT);
	references[0].kind = ATTEST_TPM;
	comes_to(ATTEST_TIER_AFFIRMING);
	references[0].kind = ATTEST_SGX;
	comes_to(ATTEST_TIER_CONTRAINDICATED);
}

static void test_report_data(void **state)
{
	(void)state;
	static const struct {
		const char *hex;
		enum attest_tier tier;
	} rows[] = {{"aabb", ATTEST_TIER_AFFIRMING},
		    {"aabb00", ATTEST_TIER_AFFIRMING},
		    {"aabb000000000000", ATTEST_TIER_AFFIRMING},
		    {"aa", ATTEST_TIER_CONTRAINDICATED},
		    {"aabc", ATTEST_TIER_CONTRAINDICATED},
		    {"aabb01", ATTEST_TIER_CONTRAINDICATED},
		    {"aabb00000000000000", ATTEST_TIER_CONTRAINDICATED}};
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		policy.judges_report_data = true;
		policy.report_data = unhex(rows[i].hex);
		comes_to(rows[i].tier);
	}
}

/* An interval of time: what ends is judged by its high end, and by none when that is not known. */
static void test_interval(void **state)
{
	(void)state;
	const struct verify_time unbounded = {NOW_S, 0};
	expect_enclave(enclave, 4);
	references[0].not_after_s = NOW_S + 1000;
	attest_appraise(&appraisal, &result, &policy, &unbounded);
	assert_int_equal(appraisal.status, ATTEST_TIER_CONTRAINDICATED);
	references[0].not_after_s = 0;
	attest_appraise(&appraisal, &result, &policy, &unbounded);
	assert_int_equal(appraisal.status, ATTEST_TIER_AFFIRMING);
	policy.collateral_age_max_s = 100000;
	attest_appraise(&appraisal, &result, &policy, &unbounded);
	assert_int_equal(appraisal.status, ATTEST_TIER_CONTRAINDICATED);
}

/* ---- EAR ---- */

static json_t *ear_of(size_t size)
{
	static const struct ear_verifier verifier = {"Caisson \"x\"", "0.1.0"};
	static uint8_t memory[EAR_SIZE_MAX], tree[1024 * 1024];
	const struct attest_input in = {.evidence = {ATTEST_SGX, CS_BYTES_OF(enclave)}, .now = now};
	const struct cs_json *canonical;
	struct cs_arena arena;
	struct cs_buf buf;
	struct cs_why why;
	appraise();
	cs_buf_init(&buf, memory, size);
	ear_write(&buf, &result, &appraisal, &policy, &in, &verifier);
	if (cs_buf_end(&buf) != CS_OK)
		return NULL;
	cs_arena_init(&arena, tree, sizeof tree);
	assert_ok(cs_json_parse_canonical(&canonical, cs_buf_view(&buf), &arena, &why));
	json_error_t error;
	return json_loadb((const char *)memory, buf.n, 0, &error);
}

static void test_ear(void **state)
{
	(void)state;
	assert_ok(attest_advisory(&result, cs_bytes_str("INTEL-SA-00289")));
	assert_ok(attest_advisory(&result, cs_bytes_str("INTEL-SA-00615")));
	assert_ok(attest_advisory(&result, cs_bytes_str("INTEL-SA-00289")));
	result.tcb_status = ATTEST_TCB_SW_HARDENING_NEEDED;
	expect_enclave(enclave, 4);
	json_t *ear = ear_of(EAR_SIZE_MAX);
	json_t *submodule = json_object_get(json_object_get(ear, "submods"), "sgx");
	json_t *vector = json_object_get(submodule, "ear.trustworthiness-vector");
	assert_string_equal(text_of(ear, "eat_profile"), EAR_PROFILE);
	assert_int_equal(u64_of(ear, "iat"), NOW_S);
	assert_string_equal(text_of(json_object_get(ear, "ear.verifier-id"), "developer"),
			    "Caisson \"x\"");
	assert_string_equal(text_of(submodule, "ear.status"), "warning");
	assert_string_equal(text_of(submodule, "ear.caisson.tcb-status"), "SWHardeningNeeded");
	assert_int_equal(json_array_size(json_object_get(submodule, "ear.caisson.advisories")), 2);
	assert_string_equal(text_of(submodule, "ear.appraisal-policy-id"), "caisson:policy:none");
	assert_int_equal(json_object_size(vector), 3);
	assert_int_equal(u64_of(vector, "hardware"), 32);
	assert_int_equal(u64_of(vector, "executables"), 2);
	assert_int_equal(u64_of(vector, "runtime-opaque"), 2);
	json_decref(ear);
	assert_null(ear_of(200));
	result.tcb_status = ATTEST_TCB_NONE;
	ear = ear_of(EAR_SIZE_MAX);
	submodule = json_object_get(json_object_get(ear, "submods"), "sgx");
	assert_string_equal(text_of(submodule, "ear.status"), "none");
	assert_true(json_is_null(json_object_get(submodule, "ear.caisson.tcb-status")));
	json_decref(ear);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tiers),
		cmocka_unit_test(test_published),
		cmocka_unit_test_setup(test_statuses, set_up),
		cmocka_unit_test_setup(test_rules, set_up),
		cmocka_unit_test_setup(test_failed_check, set_up),
		cmocka_unit_test_setup(test_collateral, set_up),
		cmocka_unit_test_setup(test_age_without_documents, set_up),
		cmocka_unit_test_setup(test_revocation, set_up),
		cmocka_unit_test_setup(test_simulated, set_up),
		cmocka_unit_test_setup(test_simulated_is_never_affirming, set_up),
		cmocka_unit_test_setup(test_debug, set_up),
		cmocka_unit_test_setup(test_roots, set_up),
		cmocka_unit_test_setup(test_whole_machine, set_up),
		cmocka_unit_test_setup(test_measurements, set_up),
		cmocka_unit_test_setup(test_not_after, set_up),
		cmocka_unit_test_setup(test_inside, set_up),
		cmocka_unit_test_setup(test_report_data, set_up),
		cmocka_unit_test_setup(test_interval, set_up),
		cmocka_unit_test_setup(test_ear, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
