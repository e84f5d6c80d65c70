/* What one node thinks of another's evidence: simulated evidence as caisson-evidence makes it, and a recorded
 * quote of SGX in another's name. */
#include "enclave/ratls.h"
#include "enclave/tee.h"
#include "relay_state/node/attest_judge.h"
#include "tests/unit/support.h"
#include "verify/attest/ratls.h"

#include <sys/stat.h>
#include <unistd.h>

#define NOW_S 1785000000u
/* DER of SubjectPublicKeyInfo of Ed25519 (RFC 8410), before the key. */
#define SPKI_HEAD "302a300506032b6570032100"

#define ACCEPT ",\"insecure_accept_simulated\":true"
#define MEASUREMENT "1111111111111111111111111111111111111111111111111111111111111111"
#define ANOTHER "2222222222222222222222222222222222222222222222222222222222222222"

static char folder[32], policy_path[64], collateral[64], collateral_path[80];
static const struct cs_hash genesis = {{7}};

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof folder, "/tmp/caisson-judge-XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	(void)snprintf(policy_path, sizeof policy_path, "%s/policy.json", folder);
	(void)snprintf(collateral, sizeof collateral, "%s/collateral", folder);
	(void)snprintf(collateral_path, sizeof collateral_path, "%s/bad.json", collateral);
	return mkdir(collateral, 0700);
}

static int tear_down(void **state)
{
	(void)state;
	(void)unlink(policy_path);
	(void)unlink(collateral_path);
	(void)rmdir(collateral);
	return rmdir(folder);
}

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static enum cs_err open_judge(struct node_judge **judge, const char *policy, const char *from,
			      struct cs_why *why)
{
	const struct node_judge_options options = {
		.policy_file = policy_path, .collateral = from, .genesis_hash = &genesis};
	write_text(policy_path, policy);
	return node_judge_new(judge, &options, why);
}

/* One build; until and more are members, each with its comma before it. */
static struct node_judge *judge_by(const char *more, const char *measurement, const char *until)
{
	struct node_judge *judge = NULL;
	struct cs_why why = {{0}};
	char text[512];
	(void)snprintf(text, sizeof text,
		       "{\"version\":1,\"measurements\":[{\"kind\":\"simulated\",\"label\":"
		       "\"node 1\",\"values\":{\"measurement\":\"%s\"}%s}]%s}",
		       measurement, until, more);
	assert_ok(open_judge(&judge, text, NULL, &why));
	return judge;
}

static struct cs_bytes spki_of(uint8_t first)
{
	struct cs_bytes head = unhex(SPKI_HEAD);
	uint8_t *spki = keep(head.n + 32);
	memcpy(spki, head.p, head.n);
	memset(spki + head.n, first, 32);
	return cs_bytes(spki, head.n + 32);
}

/* Evidence of a machine that measured 11…11, about a key, for a chain and a time. */
static struct node_attest_shown shown_for(struct cs_bytes spki, const struct cs_hash *chain,
					  uint64_t issued_s)
{
	struct node_attest_shown shown = {.issued_s = issued_s};
	const struct cs_hash report = node_attest_report(spki, chain, issued_s);
	uint8_t memory[2][512], report_data[WIRE_REPORT_DATA_SIZE];
	struct cs_buf claims, evidence, extension;
	struct cs_hash measurement;
	memset(measurement.b, 0x11, sizeof measurement.b);
	cs_buf_init(&claims, memory[0], sizeof memory[0]);
	cs_buf_init(&evidence, memory[1], sizeof memory[1]);
	cs_buf_init(&extension, shown.extension, sizeof shown.extension);
	assert_ok(ratls_claims(&claims, spki, &report));
	ratls_report_data(report_data, cs_buf_view(&claims));
	assert_ok(
		tee_simulated.evidence(&tee_simulated, &evidence, report_data, &measurement, NULL));
	assert_ok(ratls_tagged(&extension, cs_buf_view(&evidence), cs_buf_view(&claims)));
	memcpy(shown.spki, spki.p, spki.n);
	shown.spki_size = spki.n;
	shown.extension_size = extension.n;
	return shown;
}

static struct node_attest_shown good(void)
{
	return shown_for(spki_of(1), &genesis, NOW_S);
}

static struct node_verdict ask(struct node_judge *judge, const struct node_attest_shown *shown,
			       uint64_t now_s)
{
	struct node_verdict verdict;
	node_judge_peer(judge, &verdict, shown, now_s);
	return verdict;
}

static void expect_refusal(struct node_judge *judge, const struct node_attest_shown *shown,
			   uint64_t now_s, const char *check)
{
	const struct node_verdict verdict = ask(judge, shown, now_s);
	assert_false(verdict.is_admitted);
	assert_string_equal(verdict.check, check);
	assert_true(strlen(verdict.detail) > 0);
}

static void test_admitted(void **state)
{
	(void)state;
	struct node_judge *judge = judge_by(ACCEPT, MEASUREMENT, "");
	const struct node_attest_shown shown = good();
	assert_true(node_judge_is_insecure(judge));
	/* Again and again: nothing of an earlier verdict stays. */
	for (int i = 0; i < 3; i++) {
		const struct node_verdict verdict = ask(judge, &shown, NOW_S + 1);
		assert_true(verdict.is_admitted && verdict.is_insecure);
		assert_string_equal(verdict.kind, "simulated");
		assert_string_equal(verdict.label, "node 1");
		assert_string_equal(verdict.check, "");
	}
	node_judge_free(judge);
}

static void test_policies_that_refuse(void **state)
{
	(void)state;
	static const struct {
		const char *more, *measurement, *until, *check;
	} cases[] = {
		{"", MEASUREMENT, "", "policy-simulated"},
		{ACCEPT, ANOTHER, "", "policy-measurements"},
		{ACCEPT, MEASUREMENT, ",\"not_after\":\"2026-01-01T00:00:00Z\"",
		 "policy-measurements"},
	};
	const struct node_attest_shown shown = good();
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct node_judge *judge =
			judge_by(cases[i].more, cases[i].measurement, cases[i].until);
		expect_refusal(judge, &shown, NOW_S, cases[i].check);
		node_judge_free(judge);
	}
}

static void test_what_binds(void **state)
{
	(void)state;
	static const struct cs_hash another_chain = {{8}};
	struct node_judge *judge = judge_by(ACCEPT, MEASUREMENT, "");
	const struct cs_bytes other = spki_of(2);
	struct node_attest_shown shown = good();
	memcpy(shown.spki, other.p, other.n);
	expect_refusal(judge, &shown, NOW_S, "ratls-key");
	shown = good();
	shown.issued_s += 60;
	expect_refusal(judge, &shown, NOW_S, "node-report");
	shown = shown_for(spki_of(1), &another_chain, NOW_S);
	expect_refusal(judge, &shown, NOW_S, "node-report");
	/* The last byte is of the claims. */
	shown = good();
	shown.extension[shown.extension_size - 1] ^= 1;
	expect_refusal(judge, &shown, NOW_S, "ratls-claims");
	node_judge_free(judge);
}

static void test_age(void **state)
{
	(void)state;
	struct node_judge *judge = judge_by(ACCEPT, MEASUREMENT, "");
	const struct node_attest_shown shown = good();
	assert_true(ask(judge, &shown, NOW_S + NODE_ATTEST_LIFE_S).is_admitted);
	expect_refusal(judge, &shown, NOW_S + NODE_ATTEST_LIFE_S + 1, "node-age");
	assert_true(ask(judge, &shown, NOW_S - NODE_ATTEST_AHEAD_S).is_admitted);
	expect_refusal(judge, &shown, NOW_S - NODE_ATTEST_AHEAD_S - 1, "node-age");
	node_judge_free(judge);
}

static void test_what_does_not_read(void **state)
{
	(void)state;
	struct node_judge *judge = judge_by(ACCEPT, MEASUREMENT, "");
	struct node_attest_shown shown = good();
	const size_t size = shown.extension_size;
	for (size_t n = 1; n < size; n++) {
		shown.extension_size = n;
		expect_refusal(judge, &shown, NOW_S, "evidence-read");
	}
	shown.extension_size = size + 1;
	expect_refusal(judge, &shown, NOW_S, "evidence-read");
	shown.extension_size = 0;
	expect_refusal(judge, &shown, NOW_S, "no-evidence");
	node_judge_free(judge);
}

/* The extension of a certificate that rats-tls made on SGX, under a key of ours. */
static void test_recorded_quote(void **state)
{
	(void)state;
	static const uint8_t oid[] = {0x67, 0x81, 0x05, 0x05, 0x04, 0x09};
	static uint8_t memory[256 * 1024];
	struct node_judge *judge = judge_by(ACCEPT, MEASUREMENT, "");
	struct node_attest_shown shown = good();
	struct x509_certificate certificate;
	struct attest_evidence found;
	struct cs_bytes extension;
	struct cs_arena arena;
	struct cs_why why = {{0}};
	cs_arena_init(&arena, memory, sizeof memory);
	assert_ok(attest_evidence_find(
		&found, read_file(CS_VECTORS "/attestation/ratls/ccc/rats-tls-cert.pem"), &arena,
		&why));
	assert_ok(x509_certificate_parse(&certificate, found.bytes, &why));
	assert_ok(x509_extension(&extension, NULL, &certificate, CS_BYTES_OF(oid)));
	assert_true(extension.n <= sizeof shown.extension);
	memcpy(shown.extension, extension.p, extension.n);
	shown.extension_size = extension.n;
	/* Its vendor's rules come first, and there is no collateral for them. */
	expect_refusal(judge, &shown, NOW_S, "pck-revocation");
	assert_string_equal(ask(judge, &shown, NOW_S).kind, "sgx");
	node_judge_free(judge);
}

static void test_files(void **state)
{
	(void)state;
	static const char another[] = "{\"version\":1,\"measurements\":[{\"kind\":\"simulated\","
				      "\"values\":{\"measurement\":\"" ANOTHER "\"}}]}";
	struct node_judge *judge = NULL;
	struct cs_why why = {{0}};
	assert_err(open_judge(&judge, "{\"version\":1}", NULL, &why), CS_ERR_INVALID);
	assert_non_null(strstr(why.text, "lists no measurements"));
	assert_err(open_judge(&judge, "{\"version\":2,\"measurements\":[]}", NULL, &why),
		   CS_ERR_UNSUPPORTED);
	assert_err(open_judge(&judge, "{\"version\":1,\"measurements\":[]}", NULL, &why),
		   CS_ERR_INVALID);
	assert_non_null(strstr(why.text, "an empty list accepts nothing"));
	assert_err(open_judge(&judge, another, "/nowhere", &why), CS_ERR_INVALID);
	/* JSON that is no collateral, such as the policy itself, is an error there. */
	assert_true(open_judge(&judge, another, folder, &why) != CS_OK);
	assert_ok(open_judge(&judge, another, collateral, &why));
	assert_false(node_judge_is_insecure(judge));
	assert_ok(node_judge_reload(judge, &why));
	write_text(collateral_path, "{\"tcbInfo\":{},\"signature\":\"00\"}");
	assert_true(node_judge_reload(judge, &why) != CS_OK);
	const struct node_attest_shown shown = good();
	expect_refusal(judge, &shown, NOW_S, "policy-simulated");
	node_judge_free(judge);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_admitted),
		cmocka_unit_test(test_policies_that_refuse),
		cmocka_unit_test(test_what_binds),
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_what_does_not_read),
		cmocka_unit_test(test_recorded_quote),
		cmocka_unit_test(test_files),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
