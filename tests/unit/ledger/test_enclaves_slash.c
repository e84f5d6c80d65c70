/* What follows from two things that one key signed and that cannot both be true: whose the money is then.
 * Which reports are taken is told by the story of register.json (test_enclaves.c). */
#include "relay_state/ledger/enclaves_parts.h"
#include "relay_state/ledger/parameters.h"
#include "relay_state/ledger/staking_parts.h"
#include "tests/unit/ledger/register_lab.h"
#include "verify/cometbft/anchor.h"

#define ENCLAVES LEDGER_ENCLAVES_NUMBER
#define SECRET 201u
#define BOND 1001u
#define REPORT \
	"reportAnchors(bytes32,uint64,uint64,(bytes32,bytes32,bytes32),(bytes32,bytes32,bytes32))"
#define REPORT_WORDS 9u
#define SLASHED "EnclaveSlashed(bytes32,bytes32,uint8,uint256,uint256,address)"

struct test {
	struct lab *lab;
	struct cs_hash enclave;
	struct cs_hash words[REPORT_WORDS]; /* of the report of its key */
};

static void sign_anchor(const struct test *test, struct cs_hash words[3], struct cs_hash digest)
{
	const struct cs_hash own = register_lab_identity();
	const struct cmt_anchor anchor = {lab_byte_word(0x21), lab_byte_word(0x41), 1, 5, digest};
	const struct cs_hash signed_digest = cmt_anchor_digest(&own, &anchor);
	words[0] = digest;
	register_lab_sign(test->lab, words + 1, SECRET, &signed_digest);
}

static int set_up(void **state)
{
	static struct test test;
	test = (struct test){.lab = register_lab_new()};
	const struct cs_hash identity = lab_byte_word(0x41);
	struct ledger_registration r =
		register_lab_registration(test.lab, LEDGER_ROLE_BRIDGE, &identity, SECRET);
	r.bond = cs_u256_u64(BOND);
	test.enclave = register_lab_register(test.lab, &r);
	test.words[0] = register_lab_x(test.lab, SECRET);
	test.words[1] = lab_word(1);
	test.words[2] = lab_word(5);
	sign_anchor(&test, test.words + 3, lab_byte_word(0x74));
	sign_anchor(&test, test.words + 6, lab_byte_word(0x75));
	register_lab_from(test.lab, REGISTER_OTHER);
	*state = &test;
	return 0;
}

static int tear_down(void **state)
{
	struct test *test = *state;
	lab_free(test->lab);
	return 0;
}

/* As contract 10 keeps them: 'v', all values. */
static void set_parameters(struct test *test, uint64_t slash, uint64_t reward)
{
	struct ledger_parameters parameters = ledger_parameters_default();
	uint8_t value[8 * LEDGER_PARAMETER_COUNT];
	static const uint8_t key[] = {LEDGER_PARAMETERS_NUMBER, 'v'};
	struct ledger_parameters read;
	parameters.values[LEDGER_PARAM_ENCLAVE_SLASH] = slash;
	parameters.values[LEDGER_PARAM_ENCLAVE_REWARD] = reward;
	for (size_t i = 0; i < LEDGER_PARAMETER_COUNT; i++)
		cs_put_be64(value + 8 * i, parameters.values[i]);
	assert_ok(ledger_state_put(test->lab->state, CS_BYTES_OF(key), CS_BYTES_OF(value)));
	assert_ok(ledger_parameters_get(test->lab->state, &read));
	assert_int_equal(read.values[LEDGER_PARAM_ENCLAVE_REWARD], reward);
}

static void assert_slashed(struct test *test, uint64_t slashed, uint64_t reward, uint64_t before)
{
	const struct cs_address held = ledger_contract_address(ENCLAVES);
	const struct cs_address reporter = lab_address(REGISTER_OTHER);
	lab_call(test->lab, ENCLAVES, REPORT, test->words, REPORT_WORDS);
	assert_int_equal(lab_log_count(test->lab, SLASHED), 1);
	const struct ledger_log *log = lab_log(test->lab, SLASHED, 0);
	const struct cs_hash want[] = {lab_word(LEDGER_CONTRADICTION_ANCHOR), lab_word(slashed),
				       lab_word(reward), lab_address_word(&reporter)};
	assert_bytes(log->data, cs_bytes(want, sizeof want));
	assert_hash(log->topics[1], test->enclave);
	assert_hash(log->topics[2], test->words[0]);
	assert_int_equal(lab_log_count(test->lab, "KeyChanged(bytes32,uint64,uint8,uint64,uint64)"),
			 1);
	assert_int_equal(lab_funds(test->lab, &held), BOND - slashed);
	assert_int_equal(lab_funds(test->lab, &reporter), before + reward);
}

static uint64_t reporter_funds(struct test *test)
{
	const struct cs_address reporter = lab_address(REGISTER_OTHER);
	return lab_funds(test->lab, &reporter);
}

/* Half, rounded down, which nobody gets. */
static void test_burnt(void **state)
{
	assert_slashed(*state, BOND / 2, 0, reporter_funds(*state));
}

/* Out of the supply, where there is one; the account of contract 7 is not touched. */
static void test_out_of_the_supply(void **state)
{
	struct test *test = *state;
	struct staking_totals totals = {.supply = cs_u256_u64(5000), .burnt = cs_u256_u64(7)};
	const struct cs_address staking = ledger_contract_address(LEDGER_STAKING_NUMBER);
	struct ledger_call call = register_lab_call(test->lab, LEDGER_STAKING_NUMBER);
	uint64_t supply, burnt;
	assert_ok(staking_totals_put(&call, &totals));
	assert_slashed(test, BOND / 2, 0, reporter_funds(test));
	call = register_lab_call(test->lab, LEDGER_STAKING_NUMBER);
	assert_ok(staking_totals_get(&call, &totals));
	assert_ok(cs_u256_to_u64(&supply, &totals.supply));
	assert_ok(cs_u256_to_u64(&burnt, &totals.burnt));
	assert_int_equal(supply, 5000 - BOND / 2);
	assert_int_equal(burnt, 7 + BOND / 2);
	assert_int_equal(lab_funds(test->lab, &staking), 0);
}

/* All of it, and a half of that, the most that there may be, to who reported. */
static void test_reward(void **state)
{
	struct test *test = *state;
	set_parameters(test, 1000000, 500000);
	assert_slashed(test, BOND, BOND / 2, reporter_funds(test));
	lab_next_block(test->lab, 60 * REGISTER_DAY_S);
	register_lab_from(test->lab, REGISTER_BONDER);
	lab_refuse(test->lab, ENCLAVES, "withdrawBond(bytes32)", LAB_WORDS(test->enclave),
		   "BondMissing()", LAB_NONE);
}

/* A share of nothing ends the enclave all the same. */
static void test_nothing(void **state)
{
	struct test *test = *state;
	set_parameters(test, 0, 500000);
	assert_slashed(test, 0, 0, reporter_funds(test));
	lab_refuse(test->lab, ENCLAVES, REPORT, test->words, REPORT_WORDS, "EnclaveTombstoned()",
		   LAB_NONE);
	const struct cs_hash active =
		lab_ask(test->lab, ENCLAVES, "isActive(bytes32,uint8)",
			LAB_WORDS(test->words[0], lab_word(LEDGER_ROLE_BRIDGE)));
	assert_hash(active, lab_word(0));
}

/* A bond that was paid back is none; what was signed still ends the enclave. */
static void test_after_the_bond_has_gone(void **state)
{
	struct test *test = *state;
	lab_next_block(test->lab, 60 * REGISTER_DAY_S);
	register_lab_from(test->lab, REGISTER_BONDER);
	lab_call(test->lab, ENCLAVES, "withdrawBond(bytes32)", LAB_WORDS(test->enclave));
	register_lab_from(test->lab, REGISTER_OTHER);
	lab_call(test->lab, ENCLAVES, REPORT, test->words, REPORT_WORDS);
	const struct cs_bytes tombstone =
		lab_call(test->lab, ENCLAVES, "tombstoneOf(bytes32)", LAB_WORDS(test->enclave));
	assert_int_equal(tombstone.n, 7 * 32);
	assert_int_equal(tombstone.p[31], LEDGER_CONTRADICTION_ANCHOR);
	assert_true(cs_be64(tombstone.p + 3 * 32 + 24) == 0);
}

/* The largest bond: nothing overflows on the way to its share. */
static void test_largest_bond(void **state)
{
	struct test *test = *state;
	const struct cs_address held = ledger_contract_address(ENCLAVES);
	struct ledger_account account = {.sequence = 0};
	struct enclaves_row row;
	struct cs_hash want = {{0}};
	memset(&account.balance, 0xff, sizeof account.balance);
	memset(want.b, 0xff, sizeof want.b);
	want.b[0] = 0x7f;
	struct ledger_call call = register_lab_call(test->lab, ENCLAVES);
	assert_ok(ledger_account_put(test->lab->state, &held, &account));
	assert_ok(enclaves_get(&call, &row, &test->enclave));
	row.bond = account.balance;
	assert_ok(enclaves_put(&call, &test->enclave, &row));
	lab_call(test->lab, ENCLAVES, REPORT, test->words, REPORT_WORDS);
	const struct ledger_log *log = lab_log(test->lab, SLASHED, 0);
	assert_memory_equal(log->data.p + 32, want.b, sizeof want.b);
}

/* Calldata is canonical: what is behind it, or cut, is no report. */
static void test_form(void **state)
{
	struct test *test = *state;
	struct cs_hash words[REPORT_WORDS + 1];
	memcpy(words, test->words, sizeof test->words);
	words[REPORT_WORDS] = lab_word(0);
	lab_refuse(test->lab, ENCLAVES, REPORT, words, REPORT_WORDS + 1, NULL, LAB_NONE);
	lab_refuse(test->lab, ENCLAVES, REPORT, words, REPORT_WORDS - 1, NULL, LAB_NONE);
	words[1].b[0] = 1; /* an epoch above 64 bits */
	lab_refuse(test->lab, ENCLAVES, REPORT, words, REPORT_WORDS, NULL, LAB_NONE);
	test->lab->value = cs_u256_u64(1);
	lab_refuse(test->lab, ENCLAVES, REPORT, test->words, REPORT_WORDS, NULL, LAB_NONE);
}

/* Gas that ends anywhere takes back everything. */
static void test_out_of_gas(void **state)
{
	struct test *test = *state;
	set_parameters(test, 500000, 500000);
	lab_call(test->lab, ENCLAVES, REPORT, test->words, REPORT_WORDS);
	const uint64_t needs = test->lab->run.gas.used;
	print_message("a report of anchors: %llu gas\n", (unsigned long long)needs);
	lab_free(test->lab);
	(void)set_up(state);
	test = *state;
	set_parameters(test, 500000, 500000);
	for (uint64_t limit = 500; limit < needs; limit += needs / 97) {
		test->lab->gas_limit = limit;
		lab_refuse(test->lab, ENCLAVES, REPORT, test->words, REPORT_WORDS, NULL, LAB_NONE);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_burnt),
		TEST(test_out_of_the_supply),
		TEST(test_reward),
		TEST(test_nothing),
		TEST(test_after_the_bond_has_gone),
		TEST(test_largest_bond),
		TEST(test_form),
		TEST(test_out_of_gas),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
