/* Policies: what they say, and what is none. */
#include "tests/unit/support.h"
#include "verify/attest/policy.h"

static uint8_t memory[4 * 1024 * 1024];
static struct cs_arena arena;

static enum cs_err parse(struct attest_policy *policy, const char *json)
{
	struct cs_why why;
	cs_arena_init(&arena, memory, sizeof memory);
	return attest_policy_parse(policy, cs_bytes_str(json), &arena, &why);
}

static void test_least(void **state)
{
	(void)state;
	struct attest_policy policy;
	assert_ok(parse(&policy, "{\"version\": 1}"));
	assert_false(policy.judges_reference);
	assert_false(policy.judges_report_data);
	assert_false(policy.insecure_accept_simulated);
	assert_false(cs_hash_is_zero(&policy.hash));
	assert_ok(parse(&policy, "{\"version\": 1, \"measurements\": []}"));
	assert_true(policy.judges_reference);
	assert_int_equal(policy.reference_count, 0);
}

static void test_all(void **state)
{
	(void)state;
	static const char json[] =
		"{\"version\": 1, \"measurements\": [{\"kind\": \"sgx\", \"label\": \"oracle 2\","
		" \"values\": {\"mr_enclave\": \"0x0102\", \"mr_signer\": \"03\"},"
		" \"at_least\": {\"isv_svn\": 4}, \"not_after\": \"2027-01-01T00:00:00Z\"}],"
		" \"tcb\": [{\"status\": \"OutOfDate\", \"tier\": \"warning\","
		" \"until\": \"2026-12-01T00:00:00Z\"}],"
		" \"collateral_age_max_s\": 604800, \"tcb_evaluation_number_min\": 17,"
		" \"report_data\": \"aabb\", \"insecure_accept_simulated\": true,"
		" \"insecure_accept_debug\": true, \"insecure_accept_test_roots\": true}";
	struct attest_policy policy;
	assert_ok(parse(&policy, json));
	assert_int_equal(policy.reference_count, 1);
	const struct attest_reference *reference = &policy.references[0];
	assert_int_equal(reference->kind, ATTEST_SGX);
	assert_bytes(reference->label, cs_bytes_str("oracle 2"));
	assert_int_equal(reference->not_after_s, 1798761600);
	assert_int_equal(reference->count, 3);
	assert_bytes(reference->values[0].name, cs_bytes_str("mr_enclave"));
	assert_bytes(reference->values[0].bytes, unhex("0102"));
	assert_bytes(reference->values[1].bytes, unhex("03"));
	assert_bytes(reference->values[2].name, cs_bytes_str("isv_svn"));
	assert_null(reference->values[2].bytes.p);
	assert_int_equal(reference->values[2].at_least, 4);
	assert_true(policy.tcb[ATTEST_TCB_OUT_OF_DATE].given);
	assert_int_equal(policy.tcb[ATTEST_TCB_OUT_OF_DATE].tier, ATTEST_TIER_WARNING);
	assert_int_equal(policy.tcb[ATTEST_TCB_OUT_OF_DATE].until_s, 1796083200);
	assert_false(policy.tcb[ATTEST_TCB_UP_TO_DATE].given);
	assert_int_equal(policy.collateral_age_max_s, 604800);
	assert_int_equal(policy.tcb_evaluation_number_min, 17);
	assert_true(policy.judges_report_data);
	assert_bytes(policy.report_data, unhex("aabb"));
	assert_true(policy.insecure_accept_simulated);
	assert_true(policy.insecure_accept_debug);
	assert_true(policy.insecure_accept_test_roots);
}

#define REFERENCE(text) "{\"version\": 1, \"measurements\": [{" text "}]}"
#define TCB(text) "{\"version\": 1, \"tcb\": [" text "]}"

static void test_refused(void **state)
{
	(void)state;
	static const struct {
		const char *json;
		enum cs_err err;
	} rows[] = {
		{"", CS_ERR_TRUNCATED},
		{"[]", CS_ERR_INVALID},
		{"{}", CS_ERR_MISSING_FIELD},
		{"{\"version\": 2}", CS_ERR_UNSUPPORTED},
		{"{\"version\": \"1\"}", CS_ERR_INVALID},
		{"{\"version\": 1, \"accept_simulated\": true}", CS_ERR_UNKNOWN_FIELD},
		{"{\"version\": 1, \"insecure_accept_simulated\": 1}", CS_ERR_INVALID},
		{"{\"version\": 1, \"collateral_age_max_s\": -1}", CS_ERR_OVERFLOW},
		{"{\"version\": 1, \"tcb_evaluation_number_min\": 4294967296}", CS_ERR_OVERFLOW},
		{"{\"version\": 1, \"report_data\": \"\"}", CS_ERR_INVALID},
		{"{\"version\": 1, \"report_data\": \"abc\"}", CS_ERR_MALFORMED},
		{"{\"version\": 1, \"report_data\": \"0g\"}", CS_ERR_MALFORMED},
		{"{\"version\": 1, \"version\": 1}", CS_ERR_DUPLICATE},
		{"{\"version\": 1, \"measurements\": {}}", CS_ERR_INVALID},
		{"{\"version\": 1, \"measurements\": [1]}", CS_ERR_INVALID},
		{REFERENCE(""), CS_ERR_MISSING_FIELD},
		{REFERENCE("\"kind\": \"sgx\""), CS_ERR_MISSING_FIELD},
		{REFERENCE("\"kind\": \"ratls\", \"values\": {\"a\": \"00\"}"), CS_ERR_INVALID},
		{REFERENCE("\"kind\": \"none\", \"values\": {\"a\": \"00\"}"), CS_ERR_INVALID},
		{REFERENCE("\"kind\": \"sgx\", \"values\": {}"), CS_ERR_INVALID},
		{REFERENCE("\"kind\": \"sgx\", \"values\": {\"a\": 1}"), CS_ERR_INVALID},
		{REFERENCE("\"kind\": \"sgx\", \"values\": {\"a\": \"\"}"), CS_ERR_INVALID},
		{REFERENCE("\"kind\": \"sgx\", \"values\": {\"a\": \"0x\"}"), CS_ERR_INVALID},
		{REFERENCE("\"kind\": \"sgx\", \"values\": {\"a\": \"00\", \"a\": \"01\"}"),
		 CS_ERR_DUPLICATE},
		{REFERENCE("\"kind\": \"sgx\", \"values\": {\"a\": \"00\"}, \"label\": 1"),
		 CS_ERR_INVALID},
		{REFERENCE("\"kind\": \"sgx\", \"values\": {\"a\": \"00\"}, "
			   "\"not_after\": \"2027-02-30T00:00:00Z\""),
		 CS_ERR_INVALID},
		{REFERENCE("\"kind\": \"sgx\", \"values\": {\"a\": \"00\"}, "
			   "\"not_after\": \"tomorrow\""),
		 CS_ERR_MALFORMED},
		{REFERENCE("\"kind\": \"sgx\", \"values\": {\"a\": \"00\"}, "
			   "\"at_least\": {\"isv_svn\": \"4\"}"),
		 CS_ERR_INVALID},
		{TCB("{\"status\": \"Revoked\", \"tier\": \"warning\"}"), CS_ERR_INVALID},
		{TCB("{\"status\": \"NotSupported\", \"tier\": \"warning\"}"), CS_ERR_INVALID},
		{TCB("{\"status\": \"Fine\", \"tier\": \"warning\"}"), CS_ERR_INVALID},
		{TCB("{\"status\": \"OutOfDate\", \"tier\": \"none\"}"), CS_ERR_INVALID},
		{TCB("{\"status\": \"OutOfDate\"}"), CS_ERR_MISSING_FIELD},
		{TCB("{\"tier\": \"warning\"}"), CS_ERR_MISSING_FIELD},
		{TCB("{\"status\": \"OutOfDate\", \"tier\": \"warning\", \"for\": 1}"),
		 CS_ERR_UNKNOWN_FIELD},
		{TCB("{\"status\": \"OutOfDate\", \"tier\": \"warning\"}, "
		     "{\"status\": \"OutOfDate\", \"tier\": \"affirming\"}"),
		 CS_ERR_DUPLICATE},
	};
	struct attest_policy policy, before;
	memset(&policy, 0x5a, sizeof policy);
	before = policy;
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		const enum cs_err err = parse(&policy, rows[i].json);
		if (err != rows[i].err)
			fail_msg("%s: %s", rows[i].json, cs_err_name(err));
		assert_memory_equal(&policy, &before, sizeof policy);
	}
}

static void test_bounds(void **state)
{
	(void)state;
	struct attest_policy policy;
	for (unsigned count = ATTEST_REFERENCE_VALUES_MAX; count <= ATTEST_REFERENCE_VALUES_MAX + 1;
	     count++) {
		char *json = keep(4096);
		size_t n = (size_t)snprintf(json, 4096,
					    "{\"version\":1,\"measurements\":[{\"kind\":\"tpm\","
					    "\"values\":{");
		for (unsigned i = 0; i < count; i++)
			n += (size_t)snprintf(json + n, 4096 - n, "%s\"v%u\":\"00\"",
					      i == 0 ? "" : ",", i);
		(void)snprintf(json + n, 4096 - n, "}}]}");
		assert_err(parse(&policy, json),
			   count == ATTEST_REFERENCE_VALUES_MAX ? CS_OK : CS_ERR_TOO_LARGE);
	}
	for (unsigned count = ATTEST_REFERENCES_MAX; count <= ATTEST_REFERENCES_MAX + 1; count++) {
		const size_t size = 65536;
		char *json = keep(size);
		size_t n = (size_t)snprintf(json, size, "{\"version\":1,\"measurements\":[");
		for (unsigned i = 0; i < count; i++)
			n += (size_t)snprintf(json + n, size - n,
					      "%s{\"kind\":\"snp\",\"values\":{\"measurement\":"
					      "\"00\"}}",
					      i == 0 ? "" : ",");
		(void)snprintf(json + n, size - n, "]}");
		assert_err(parse(&policy, json),
			   count == ATTEST_REFERENCES_MAX ? CS_OK : CS_ERR_TOO_LARGE);
	}
	char *json = keep(ATTEST_POLICY_SIZE_MAX + 2);
	memset(json, ' ', ATTEST_POLICY_SIZE_MAX + 1);
	memcpy(json, "{\"version\":1}", 13);
	assert_err(parse(&policy, json), CS_ERR_TOO_LARGE);
	json[ATTEST_POLICY_SIZE_MAX] = 0;
	assert_ok(parse(&policy, json));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_least),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
