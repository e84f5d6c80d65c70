/* Policies that no evidence can ever match, and those that some can. */
#include "tests/unit/support.h"
#include "verify/attest/policy_check.h"

static uint8_t memory[1024 * 1024];
static struct cs_arena arena;

static void parse(struct attest_policy *policy, const char *members)
{
	char json[2048];
	struct cs_why why = {""};
	(void)snprintf(json, sizeof json, "{\"version\": 1%s}", members);
	cs_arena_init(&arena, memory, sizeof memory);
	assert_ok(attest_policy_parse(policy, cs_bytes_str(json), &arena, &why));
}

#define B4 "00112233"
#define B32 B4 B4 B4 B4 B4 B4 B4 B4
#define B48 B32 B4 B4 B4 B4
#define ONE(build) ", \"measurements\": [" build "]"
#define VALUE(kind, name, hex) "{\"kind\": \"" kind "\", \"values\": {\"" name "\": \"" hex "\"}}"
#define LEAST(kind, name, hex, of, number)                                   \
	"{\"kind\": \"" kind "\", \"values\": {\"" name "\": \"" hex "\"}, " \
	"\"at_least\": {\"" of "\": " number "}}"

static void test_what_can_match(void **state)
{
	static const char *const good[] = {
		"",
		", \"report_data\": \"aabb\", \"collateral_age_max_s\": 1",
		ONE(VALUE("sgx", "mr_enclave", B32)),
		ONE(LEAST("sgx", "mr_signer", "0x" B32, "isv_svn", "65535")),
		ONE(LEAST("sgx", "mr_signer", B32, "isv_svn", "0")),
		ONE(VALUE("tdx", "rtmr3", B48)),
		ONE(VALUE("snp", "measurement", B48)),
		ONE(LEAST("snp", "measurement", B48, "guest_svn", "4294967295")),
		/* A vTPM says what its machine's hardware says, too. */
		ONE(VALUE("snp", "pcr11", B32)),
		ONE(VALUE("tpm", "measurement", B48)),
		ONE(VALUE("tpm", "pcr0", B32)),
		ONE(VALUE("tpm", "pcr23", B48)),
		ONE(VALUE("tpm", "pcr7", B32 B32)),
		ONE(VALUE("tpm", "pcr_digest", B48)),
		ONE(VALUE("tdx", "nonce", B32)),
		/* That simulated evidence is not accepted is said of the evidence. */
		ONE(VALUE("simulated", "measurement", B32)),
	};
	(void)state;
	for (size_t i = 0; i < CS_LEN(good); i++) {
		struct attest_policy policy;
		struct cs_why why = {""};
		parse(&policy, good[i]);
		assert_ok(attest_policy_check(&policy, &why));
	}
}

static void test_what_never_matches(void **state)
{
	static const struct {
		const char *members;
		const char *why;
	} bad[] = {
		{", \"measurements\": []", "an empty list accepts nothing"},
		{ONE(VALUE("sgx", "mrenclave", B32)), "kind sgx says nothing of 'mrenclave'"},
		{ONE(VALUE("sgx", "mr_td", B48)), "kind sgx says nothing of 'mr_td'"},
		{ONE(VALUE("tdx", "mr_enclave", B32)), "kind tdx says nothing of 'mr_enclave'"},
		{ONE(VALUE("sgx", "pcr0", B32)), "kind sgx says nothing of 'pcr0'"},
		{ONE(VALUE("tpm", "pcr24", B32)), "'pcr24'"},
		{ONE(VALUE("tpm", "pcr00", B32)), "'pcr00'"},
		{ONE(VALUE("tpm", "pcr1x", B32)), "'pcr1x'"},
		{ONE(VALUE("tpm", "pcr", B32)), "'pcr'"},
		/* SHA-1, which is refused wherever it stands, and no hash at all. */
		{ONE(VALUE("tpm", "pcr7", B4 B4 B4 B4 B4)),
		 "'pcr7' has 32, 48 or 64 bytes, here are 20"},
		{ONE(VALUE("tpm", "pcr7", "00")), "'pcr7' has 32, 48 or 64 bytes, here are 1"},
		{ONE(VALUE("snp", "pcr_digest", B4)),
		 "'pcr_digest' has 32, 48 or 64 bytes, here are 4"},
		{ONE(LEAST("tpm", "pcr0", B32, "pcr1", "4")), "'pcr1' is no number"},
		{ONE(VALUE("tpm", "mr_enclave", B32)), "kind tpm says nothing of 'mr_enclave'"},
		{ONE(VALUE("sgx", "mr_enclave", B32 B4)), "has 32 bytes, here are 36"},
		{ONE(VALUE("sgx", "mr_enclave", B4)), "has 32 bytes, here are 4"},
		{ONE(VALUE("snp", "measurement", B32)), "has 48 bytes, here are 32"},
		{ONE(VALUE("sgx", "isv_svn", "04")), "'isv_svn' is a number"},
		{ONE(LEAST("sgx", "mr_signer", B32, "mr_enclave", "4")), "is no number"},
		{ONE(LEAST("sgx", "mr_signer", B32, "isv_svn", "65536")), "never above 65535"},
		{ONE(LEAST("snp", "measurement", B48, "guest_svn", "4294967296")),
		 "never above 4294967295"},
		{ONE(VALUE("simulated", "measurement", B48)), "has 32 bytes, here are 48"},
		/* One of several is a mistake, too; it is named. */
		{ONE(VALUE("tdx", "mr_td", B48) ", " VALUE("sgx", "mr_td", B48)),
		 "measurements[1] can never match"},
	};
	(void)state;
	for (size_t i = 0; i < CS_LEN(bad); i++) {
		struct attest_policy policy;
		struct cs_why why = {""};
		parse(&policy, bad[i].members);
		assert_err(attest_policy_check(&policy, &why), CS_ERR_INVALID);
		assert_non_null(strstr(why.text, bad[i].why));
	}
}

#define UNTIL(time)                                                                             \
	"{\"kind\": \"sgx\", \"values\": {\"mr_enclave\": \"" B32 "\"}, \"not_after\": \"" time \
	"\"}"
#define JANUARY 1798761600u /* 2027-01-01T00:00:00Z */

static void test_what_is_over(void **state)
{
	struct attest_policy policy;
	(void)state;
	parse(&policy, ONE(UNTIL("2027-01-01T00:00:00Z")));
	assert_false(attest_policy_is_over(&policy, JANUARY)); /* inclusive */
	assert_true(attest_policy_is_over(&policy, JANUARY + 1));
	parse(&policy, ONE(UNTIL("2026-12-01T00:00:00Z") ", " UNTIL("2027-01-01T00:00:00Z")));
	assert_false(attest_policy_is_over(&policy, JANUARY));
	assert_true(attest_policy_is_over(&policy, JANUARY + 1));
	parse(&policy, ONE(UNTIL("2026-12-01T00:00:00Z") ", " VALUE("tdx", "mr_td", B48)));
	assert_false(attest_policy_is_over(&policy, UINT64_MAX));
	parse(&policy, "");
	assert_false(attest_policy_is_over(&policy, UINT64_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_can_match),
		cmocka_unit_test(test_what_never_matches),
		cmocka_unit_test(test_what_is_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
