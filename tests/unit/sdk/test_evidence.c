/* caisson_verify_evidence: recorded evidence at the moments of tests/vectors/attestation/README.md, generated and
 * simulated one, and everything that must not pass. What is verified how is tested in unit/verify/attest. */
#include "core/hash.h"
#include "host/json_values.h"
#include "sdk/c/include/caisson/client.h"
#include "tests/unit/sdk/vectors.h"
#include "tests/unit/support.h"

#define AT 1751000000u
#define BUNDLE(name) "dcap/dcap-qvl/" name "_collateral.json"
#define SIMULATED "caisson/evidence/simulated/v1"

static struct caisson_file file_of(const char *name)
{
	char path[512];
	(void)snprintf(path, sizeof(path), CS_VECTORS "/attestation/%s", name);
	const struct cs_bytes bytes = read_file(path);
	return (struct caisson_file){bytes.p, bytes.n};
}

static struct caisson_file text(const char *what)
{
	return (struct caisson_file){what, strlen(what)};
}

/* A quote with its collateral, which is kept until the next one. */
static struct caisson_evidence quote(const char *name, const char *bundle, uint64_t at_s)
{
	static struct caisson_file collateral;
	collateral = file_of(bundle);
	return (struct caisson_evidence){.evidence = file_of(name),
					 .at_s = at_s,
					 .collateral = &collateral,
					 .collateral_count = 1};
}

static struct caisson_evidence tdx(void)
{
	return quote("dcap/dcap-qvl/tdx_quote", BUNDLE("tdx_quote"), AT);
}

static struct caisson_answer *accepted(const struct caisson_evidence *evidence, const char *status)
{
	struct caisson_answer *verdict = NULL;
	struct caisson_error error = {.text = ""};
	if (caisson_verify_evidence(&verdict, evidence, &error) != CAISSON_OK)
		fail_msg("%s", error.text);
	assert_string_equal(caisson_answer_text(verdict, "status"), status);
	return verdict;
}

static void passes(const struct caisson_evidence *evidence, const char *status)
{
	caisson_answer_free(accepted(evidence, status));
}

static void refused(const struct caisson_evidence *evidence, enum caisson_err err, const char *why)
{
	struct caisson_answer *verdict = NULL;
	struct caisson_error error = {.text = ""};
	if (caisson_verify_evidence(&verdict, evidence, &error) != err)
		fail_msg("\"%s\", where \"%s\" was expected", error.text, why);
	if (strstr(error.text, why) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", why, error.text);
	assert_int_equal(error.err, err);
	assert_null(verdict);
	assert_int_equal(caisson_verify_evidence(&verdict, evidence, NULL), err);
}

/* ---- recorded ---- */

static void test_affirmed(void **state)
{
	const struct caisson_evidence evidence = tdx();
	uint64_t number = 0;
	(void)state;
	struct caisson_answer *verdict = accepted(&evidence, "affirming");
	assert_string_equal(caisson_answer_text(verdict, "kind"), "tdx");
	assert_string_equal(caisson_answer_text(verdict, "tcb_status"), "UpToDate");
	assert_int_equal(caisson_answer_count(verdict, "advisories"), 0);
	assert_int_equal(strlen(caisson_answer_text(verdict, "measurements/mr_td")), 96);
	assert_true(caisson_answer_number(verdict, "claims/quote_version", &number));
	assert_int_equal(number, 4);
	assert_true(caisson_answer_is_true(verdict, "revocation"));
	assert_false(caisson_answer_is_true(verdict, "insecure"));
	assert_false(caisson_answer_has(verdict, "report"));
	assert_string_equal(caisson_answer_text(verdict, "at"), "2025-06-27T04:53:20Z");
	assert_string_equal(caisson_answer_text(verdict, "ear/submods/tdx/ear.status"),
			    "affirming");
	caisson_answer_free(verdict);
}

static void test_a_warning_is_asked_for(void **state)
{
	struct caisson_evidence evidence =
		quote("dcap/dcap-qvl/sgx_quote", BUNDLE("sgx_quote"), AT);
	(void)state;
	refused(&evidence, CAISSON_NOT_PROVEN, "warning");
	evidence.warning = true;
	struct caisson_answer *verdict = accepted(&evidence, "warning");
	assert_string_equal(caisson_answer_text(verdict, "tcb_status"),
			    "ConfigurationAndSWHardeningNeeded");
	assert_int_equal(caisson_answer_count(verdict, "advisories"), 2);
	caisson_answer_free(verdict);
	/* Lists that were not looked at. */
	evidence = tdx();
	evidence.no_revocation = true;
	refused(&evidence, CAISSON_NOT_PROVEN, "policy-revocation");
	evidence.warning = true;
	passes(&evidence, "warning");
}

static void test_what_is_not_good(void **state)
{
	struct caisson_evidence evidence;
	(void)state;
	evidence = quote("dcap/automata/quotev5.dat", BUNDLE("tdx_quote_outdated"), 1771545600);
	evidence.warning = true;
	refused(&evidence, CAISSON_NOT_PROVEN, "contraindicated: policy-tcb: OutOfDate");
	/* At other moments the collateral is none. */
	evidence = tdx();
	evidence.warning = true;
	evidence.at_s = 1752919236;
	refused(&evidence, CAISSON_NOT_PROVEN, "contraindicated: pck-revocation");
	/* Nothing but signatures. */
	evidence = tdx();
	evidence.warning = evidence.no_revocation = true;
	evidence.collateral_count = 0;
	refused(&evidence, CAISSON_NOT_PROVEN, "none: policy-tcb");
	/* A bit of it; no evidence. */
	evidence = tdx();
	evidence.warning = true;
	uint8_t *changed = keep(evidence.evidence.size);
	memcpy(changed, evidence.evidence.bytes, evidence.evidence.size);
	changed[600] ^= 1;
	evidence.evidence.bytes = changed;
	refused(&evidence, CAISSON_NOT_PROVEN, "quote-signature");
	evidence.evidence = text("nothing of these");
	refused(&evidence, CAISSON_NOT_PROVEN, "evidence-form");
}

/* ---- policies ---- */

static void test_policies(void **state)
{
	struct caisson_evidence evidence = tdx();
	char policy[512];
	(void)state;
	struct caisson_answer *verdict = accepted(&evidence, "affirming");
	(void)snprintf(policy, sizeof(policy),
		       "{\"version\":1,\"measurements\":[{\"kind\":\"tdx\",\"values\":{\"mr_td\":"
		       "\"%s\"}}]}",
		       caisson_answer_text(verdict, "measurements/mr_td"));
	caisson_answer_free(verdict);
	evidence.policy = text(policy);
	passes(&evidence, "affirming");
	char *digit = strstr(policy, "mr_td\":\"") + 8;
	*digit = *digit == '0' ? '1' : '0';
	evidence.warning = true;
	refused(&evidence, CAISSON_NOT_PROVEN, "policy-measurements");
	evidence.policy = text("{\"version\":1,\"measurements\":[]}");
	refused(&evidence, CAISSON_INVALID, "policy");
	evidence.policy = text("{\"version\":1,\"more\":1}");
	refused(&evidence, CAISSON_INVALID, "policy");
	evidence.policy = text("{");
	refused(&evidence, CAISSON_INVALID, "policy");
}

static void test_report_data(void **state)
{
	struct caisson_evidence evidence = tdx();
	uint8_t bound[65] = {0};
	(void)state;
	struct caisson_answer *verdict = accepted(&evidence, "affirming");
	assert_ok(cs_unhex(bound, 64, cs_bytes_str(caisson_answer_text(verdict, "report_data"))));
	caisson_answer_free(verdict);
	evidence.report_data = bound;
	evidence.report_data_size = 64;
	passes(&evidence, "affirming");
	bound[63] ^= 1;
	refused(&evidence, CAISSON_NOT_PROVEN, "policy-report-data");
	evidence.report_data_size = 65;
	refused(&evidence, CAISSON_INVALID, "report_data");
}

/* ---- roots ---- */

/* A quote of a TPM under a root of the tests: generated, no hardware made it. */
static void test_roots(void **state)
{
	json_t *all = vector_file("attestation/generated/tpm"), *row = NULL;
	const json_t *objects = json_object_get(all, "objects");
	struct caisson_evidence evidence = {.warning = true};
	struct caisson_file root, certificates[8];
	size_t i;
	json_t *name;
	(void)state;
	json_array_foreach(json_object_get(all, "cases"), i, row)
	{
		if (strcmp(text_of(row, "name"), "certified, P-256") == 0)
			break;
	}
	evidence.evidence = text(text_of(row, "text"));
	evidence.at_s = u64_of(row, "now");
	json_array_foreach(json_object_get(row, "certificates"), i, name)
	{
		assert_true(i < CS_LEN(certificates));
		certificates[i] = text(text_of(objects, json_string_value(name)));
	}
	evidence.collateral = certificates;
	evidence.collateral_count = json_array_size(json_object_get(row, "certificates"));
	evidence.no_revocation = true;
	refused(&evidence, CAISSON_NOT_PROVEN, "ak-certificate");
	root = text(text_of(objects,
			    json_string_value(json_array_get(json_object_get(row, "roots"), 0))));
	evidence.roots = &root;
	evidence.root_count = 1;
	struct caisson_answer *verdict = accepted(&evidence, "warning");
	assert_true(caisson_answer_is_true(verdict, "whole_machine"));
	caisson_answer_free(verdict);
	evidence.warning = false;
	refused(&evidence, CAISSON_NOT_PROVEN, "warning");
	root = text("no certificate");
	refused(&evidence, CAISSON_INVALID, "roots");
	json_decref(all);
}

static void test_insecure_roots(void **state)
{
	struct caisson_file root = file_of("dcap/roots/Intel_SGX_Root_CA.der");
	struct caisson_evidence evidence = tdx();
	(void)state;
	evidence.warning = true;
	evidence.insecure_roots = &root;
	evidence.insecure_root_count = 1;
	/* Intel's own among them: who gives roots is told, and asked again. */
	refused(&evidence, CAISSON_NOT_PROVEN, "policy-roots");
	evidence.policy = text("{\"version\":1,\"insecure_accept_test_roots\":true}");
	struct caisson_answer *verdict = accepted(&evidence, "warning");
	assert_true(caisson_answer_is_true(verdict, "insecure"));
	caisson_answer_free(verdict);
	root = file_of("dcap/dcap-qvl/tdx_quote");
	refused(&evidence, CAISSON_INVALID, "insecure_roots");
}

/* ---- documents of a gateway ---- */

/* Simulated evidence under the preimage of the first vector of report data, with the second list of keys in it. */
static json_t *document(void)
{
	static const char *const copied[] = {"role", "manifest_hash", "lineage", "schema_digest"};
	json_t *vectors = vector_file("report/report");
	const json_t *report = json_array_get(json_object_get(vectors, "reports"), 0);
	const json_t *list = json_array_get(json_object_get(vectors, "key_lists"), 1);
	const json_t *key = json_array_get(json_object_get(list, "keys"), 0);
	const struct cs_bytes preimage = bytes_of(report, "preimage"),
			      hash = bytes_of(list, "hash");
	uint8_t changed[1024], evidence[sizeof(SIMULATED) + 32 + 64] = SIMULATED;
	assert_true(preimage.n <= sizeof(changed) && hash.n == 32);
	memcpy(changed, preimage.p, preimage.n);
	memcpy(changed + 64, hash.p, 32);
	const struct cs_hash data = cs_keccak256(cs_bytes(changed, preimage.n));
	memset(evidence + sizeof(SIMULATED), 0x11, 32);
	memcpy(evidence + sizeof(SIMULATED) + 32, data.b, 32);
	json_t *made = json_object();
	for (size_t i = 0; i < CS_LEN(copied); i++)
		json_object_set(made, copied[i], json_object_get(report, copied[i]));
	json_object_set(made, "nonce", json_object_get(json_object_get(report, "fresh"), "nonce"));
	json_object_set_new(made, "manifest_number", json_integer(1));
	json_object_set_new(made, "insecure_flags", json_integer(0));
	json_object_set_new(made, "keys",
			    json_pack("[{s:O,s:i,s:O,s:O}]", "identity",
				      json_object_get(key, "chain"), "epoch", 1, "public_key",
				      json_object_get(key, "public_key"), "gas_address",
				      json_object_get(key, "gas_address")));
	json_object_set_new(made, "evidence", host_json_hex(CS_BYTES_OF(evidence)));
	json_decref(vectors);
	return made;
}

/* Takes the document. */
static struct caisson_evidence of(json_t *made)
{
	static const uint8_t nonce[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	char *dumped = json_dumps(made, 0), *kept = keep(strlen(dumped) + 1);
	memcpy(kept, dumped, strlen(dumped) + 1);
	free(dumped);
	json_decref(made);
	return (struct caisson_evidence){
		.evidence = text(kept),
		.at_s = AT,
		.policy = text("{\"version\":1,\"insecure_accept_simulated\":true}"),
		.nonce = nonce,
		.nonce_size = sizeof(nonce),
		.warning = true};
}

static void test_document(void **state)
{
	struct caisson_evidence evidence = of(document());
	(void)state;
	struct caisson_answer *verdict = accepted(&evidence, "warning");
	assert_string_equal(caisson_answer_text(verdict, "kind"), "simulated");
	assert_true(caisson_answer_is_true(verdict, "insecure"));
	assert_string_equal(caisson_answer_text(verdict, "report/role"), "bridge-enclave");
	assert_true(caisson_answer_has(verdict, "report/keys/0/public_key"));
	caisson_answer_free(verdict);
	/* Simulated evidence is never affirmed, and not even that without the policy's word. */
	evidence.warning = false;
	refused(&evidence, CAISSON_NOT_PROVEN, "warning");
	evidence.warning = true;
	evidence.policy = (struct caisson_file){NULL, 0};
	refused(&evidence, CAISSON_NOT_PROVEN, "policy-simulated");
	/* Without a nonce it may be of another time, and the verdict's check says so. */
	evidence = of(document());
	evidence.nonce_size = 0;
	passes(&evidence, "warning");
}

static void test_documents_that_are_not_bound(void **state)
{
	static const char *const hashes[] = {"manifest_hash", "lineage", "schema_digest"};
	static const char *const numbers[] = {"manifest_number", "insecure_flags"};
	struct caisson_evidence evidence;
	const struct cs_hash other = {{7}};
	json_t *made;
	(void)state;
	for (size_t i = 0; i < CS_LEN(hashes); i++) {
		made = document();
		json_object_set_new(made, hashes[i], host_json_hash(&other));
		evidence = of(made);
		refused(&evidence, CAISSON_NOT_PROVEN, "policy-report-data");
	}
	for (size_t i = 0; i < CS_LEN(numbers); i++) {
		made = document();
		json_object_set_new(made, numbers[i], json_integer(2));
		evidence = of(made);
		refused(&evidence, CAISSON_NOT_PROVEN, "policy-report-data");
	}
	made = document();
	json_object_set_new(made, "role", json_string("oracle-enclave"));
	evidence = of(made);
	refused(&evidence, CAISSON_NOT_PROVEN, "policy-report-data");
	made = document();
	json_object_set_new(json_array_get(json_object_get(made, "keys"), 0), "public_key",
			    host_json_hash(&other));
	evidence = of(made);
	refused(&evidence, CAISSON_NOT_PROVEN, "policy-report-data");
	/* Somebody else's nonce, in the document or as what was asked. */
	made = document();
	json_object_set_new(made, "nonce", host_json_hash(&other));
	evidence = of(made);
	refused(&evidence, CAISSON_NOT_PROVEN, "nonce");
	evidence = of(document());
	evidence.nonce = other.b;
	refused(&evidence, CAISSON_NOT_PROVEN, "nonce");
	/* No form. */
	made = document();
	json_object_set_new(made, "more", json_true());
	evidence = of(made);
	refused(&evidence, CAISSON_NOT_PROVEN, "the document");
	made = document();
	json_object_del(made, "keys");
	evidence = of(made);
	refused(&evidence, CAISSON_NOT_PROVEN, "the document");
}

static void test_arguments(void **state)
{
	struct caisson_evidence evidence = tdx();
	struct caisson_file bad = text("{\"tcbInfo\":{},\"signature\":\"00\"}");
	uint8_t *large = keep(CAISSON_EVIDENCE_SIZE_MAX + 1);
	(void)state;
	evidence.at_s = 0;
	refused(&evidence, CAISSON_INVALID, "at_s");
	evidence = tdx();
	evidence.evidence.size = 0;
	refused(&evidence, CAISSON_INVALID, "evidence");
	memset(large, 'A', CAISSON_EVIDENCE_SIZE_MAX + 1);
	evidence.evidence = (struct caisson_file){large, CAISSON_EVIDENCE_SIZE_MAX + 1};
	refused(&evidence, CAISSON_INVALID, "evidence");
	evidence = tdx();
	evidence.collateral = &bad;
	refused(&evidence, CAISSON_INVALID, "collateral");
	bad = text("none of these");
	refused(&evidence, CAISSON_INVALID, "collateral");
	/* A nonce is a document's; what a document is bound to it says itself. */
	evidence = tdx();
	evidence.nonce = large;
	evidence.nonce_size = 16;
	refused(&evidence, CAISSON_INVALID, "nonce");
	evidence = of(document());
	evidence.report_data = large;
	evidence.report_data_size = 32;
	refused(&evidence, CAISSON_INVALID, "report data");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_affirmed),
		cmocka_unit_test(test_a_warning_is_asked_for),
		cmocka_unit_test(test_what_is_not_good),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_report_data),
		cmocka_unit_test(test_roots),
		cmocka_unit_test(test_insecure_roots),
		cmocka_unit_test(test_document),
		cmocka_unit_test(test_documents_that_are_not_bound),
		cmocka_unit_test(test_arguments),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
