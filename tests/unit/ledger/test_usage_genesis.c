/* The whole application with usage records founded by its genesis: what it takes, what it refuses, and a
 * statement with its proof. */
#include "relay_state/ledger/tree.h"
#include "relay_state/ledger/usage.h"
#include "tests/unit/ledger/app_lab.h"
#include "verify/cometbft/ics23.h"

#define OWNER "0x0101010101010101010101010101010101010101"
#define TIMES "\"delay_s\": 10, \"age_max_s\": 100, \"window_s\": 100, \"retention_s\": 1000"
#define USAGE_OF(more)                                                                  \
	"{\"contracts\": {\"usage\": {\"owner\": \"" OWNER "\", \"guardian\": \"" OWNER \
	"\", " TIMES more "}}}"

static struct app_lab *lab;

static int begin(void **state)
{
	(void)state;
	lab = app_lab_new();
	return 0;
}

static int end(void **state)
{
	(void)state;
	app_lab_free(lab);
	return 0;
}

static struct cs_bytes ask(const char *signature, const struct cs_hash *words, size_t count)
{
	const struct cs_address to = ledger_contract_address(LEDGER_USAGE_NUMBER);
	const struct cs_bytes input = app_input(signature, words, count);
	uint8_t *data = keep(40 + input.n);
	memcpy(data + 20, to.b, sizeof to.b);
	memcpy(data + 40, input.p, input.n);
	const struct abci_query_response response =
		app_query(lab, "/call", cs_bytes(data, 40 + input.n), 0, false);
	assert_int_equal(response.code, 0);
	return response.value;
}

static void test_terms_and_metrics(void **state)
{
	struct cs_hash name = {{'r', 'o', 'w', 's'}};
	struct cs_bytes hash;
	(void)state;
	assert_ok(app_lab_genesis(
		lab,
		USAGE_OF(", \"arbiter\": \"" OWNER "\", \"insecure\": true, \"metrics\": "
			 "[{\"name\": \"rows\", \"decimals\": 2, \"unit\": \"row\"}]"),
		&hash));
	app_finalize(lab, NULL, 0);
	app_commit(lab);
	const struct cs_bytes metric = ask("metricOf(bytes32)", &name, 1);
	assert_int_equal(metric.p[31], 1);
	assert_int_equal(metric.p[63], 2);
	assert_memory_equal(metric.p + 64, "row\0", 4);
	const struct cs_bytes terms = ask("terms()", NULL, 0);
	assert_int_equal(terms.n, 6 * 32);
	assert_int_equal(terms.p[31], 1);
	assert_int_equal(terms.p[3 * 32 - 1], 100);
	assert_int_equal(terms.p[6 * 32 - 1], 1);
}

static void test_a_ledger_without_them(void **state)
{
	struct cs_hash name = {{'r', 'o', 'w', 's'}};
	struct cs_bytes hash;
	(void)state;
	assert_ok(app_lab_genesis(lab, "{}", &hash));
	app_finalize(lab, NULL, 0);
	app_commit(lab);
	assert_int_equal(ask("metricOf(bytes32)", &name, 1).p[31], 0);
}

static void test_what_is_refused(void **state)
{
	static const char *const bad[] = {
		"{\"contracts\": {\"usage\": {}}}",
		USAGE_OF(", \"colour\": 1"),
		USAGE_OF(", \"arbiter\": \"0x01\""),
		USAGE_OF(", \"insecure\": 1"),
		USAGE_OF(", \"metrics\": {}"),
		USAGE_OF(", \"metrics\": [{\"name\": \"Rows\", \"decimals\": 2, \"unit\": \"r\"}]"),
		USAGE_OF(
			", \"metrics\": [{\"name\": \"rows\", \"decimals\": 19, \"unit\": \"r\"}]"),
		USAGE_OF(", \"metrics\": [{\"name\": \"rows\", \"decimals\": 2}]"),
		USAGE_OF(", \"metrics\": [{\"name\": \"r\", \"decimals\": 2, \"unit\": \"r\"}, "
			 "{\"name\": \"r\", \"decimals\": 2, \"unit\": \"r\"}]"),
		USAGE_OF(", \"metrics\": [{\"name\": \"a23456789012345678901234567890123\", "
			 "\"decimals\": 2, \"unit\": \"r\"}]"),
		"{\"contracts\": {\"tasks\": {}}}",
		"{\"contracts\": {\"tasks\": {\"insecure\": 0}}}",
	};
	struct cs_bytes hash;
	(void)state;
	for (size_t i = 0; i < CS_LEN(bad); i++) {
		if (app_lab_genesis(lab, bad[i], &hash) == CS_OK)
			fail_msg("%s is taken", bad[i]);
		assert_true(lab->why.text[0] != 0);
		app_lab_free(lab);
		lab = app_lab_new();
	}
	assert_ok(
		app_lab_genesis(lab, "{\"contracts\": {\"tasks\": {\"insecure\": true}}}", &hash));
}

static void test_a_statement_that_is_not_there_is_proven_so(void **state)
{
	const struct ledger_usage_account account = {{{1}}, LEDGER_USAGE_PROVIDER, 202601};
	uint8_t key[LEDGER_USAGE_STATEMENT_KEY_SIZE];
	struct cs_hash root;
	struct cs_bytes hash;
	(void)state;
	assert_ok(app_lab_genesis(lab, USAGE_OF(""), &hash));
	const struct abci_finalize_block_response block = app_finalize(lab, NULL, 0);
	memcpy(root.b, block.app_hash.p, sizeof root.b);
	app_commit(lab);
	ledger_usage_statement_key(key, &account, false);
	const struct abci_query_response response =
		app_query(lab, "/store", CS_BYTES_OF(key), 0, true);
	assert_int_equal(response.proof_ops->ops.count, 1);
	assert_ok(cmt_ics23_absence(&cmt_ics23_smt, &root, response.proof_ops->ops.items[0].data,
				    CS_BYTES_OF(key)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_terms_and_metrics, begin, end),
		cmocka_unit_test_setup_teardown(test_a_ledger_without_them, begin, end),
		cmocka_unit_test_setup_teardown(test_what_is_refused, begin, end),
		cmocka_unit_test_setup_teardown(test_a_statement_that_is_not_there_is_proven_so,
						begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
