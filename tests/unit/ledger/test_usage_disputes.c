/* Disputes and payments: every move of the table, by whom and when, every other one refused. */
#include "tests/unit/ledger/usage_lab.h"

#define JANUARY 202601u
#define DAY 86400u

#define DISPUTE "dispute(bytes32,uint64,uint256,bytes32)"
#define DECIDE "decide(bytes32,uint64,uint256,bytes32)"
#define SETTLE "settle(address,uint32,uint256)"

static struct usage_lab *usage;

static int begin(void **state)
{
	(void)state;
	usage = usage_lab_new(&(struct usage_lab_options){.insecure = false});
	usage_take(usage, 0, 1);
	return 0;
}

static int end(void **state)
{
	(void)state;
	usage_lab_free(usage);
	return 0;
}

/* ---- moves ---- */

enum move {
	MOVE_DISPUTE,
	MOVE_WITHDRAW,
	MOVE_ACCEPT,
	MOVE_REJECT,
	MOVE_APPEAL,
	MOVE_DECIDE,
	MOVE_COUNT,
};

static const struct {
	const char *signature;
	bool has_amount;
} functions[MOVE_COUNT] = {
	{DISPUTE, true},
	{"withdraw(bytes32,uint64,bytes32)", false},
	{"accept(bytes32,uint64,bytes32)", false},
	{"reject(bytes32,uint64,bytes32)", false},
	{"appeal(bytes32,uint64,bytes32)", false},
	{DECIDE, true},
};

struct words {
	struct cs_hash w[4];
	size_t count;
};

static struct words words_of(enum move move, uint64_t nonce, uint64_t amount)
{
	struct words words = {.count = 0};
	words.w[words.count++] = usage->enclaves[0];
	words.w[words.count++] = lab_word(nonce);
	if (functions[move].has_amount)
		words.w[words.count++] = lab_word(amount);
	words.w[words.count++] = lab_byte_word((uint8_t)(0x50 + move));
	return words;
}

static struct cs_address who(enum move move)
{
	switch (move) {
	case MOVE_ACCEPT:
	case MOVE_REJECT:
		return usage->provider;
	case MOVE_DECIDE:
		return usage->arbiter;
	case MOVE_DISPUTE:
	case MOVE_WITHDRAW:
	case MOVE_APPEAL:
	case MOVE_COUNT:
		break;
	}
	return usage->consumer;
}

static void make(enum move move, uint64_t amount)
{
	const struct words words = words_of(move, 1, amount);
	usage->lab->from = who(move);
	lab_call(usage->lab, USAGE, functions[move].signature, words.w, words.count);
	assert_int_equal(lab_log_count(usage->lab,
				       "UsageDisputed(bytes32,address,address,uint64,uint8,"
				       "address,bytes32)"),
			 1);
}

static void refuse(enum move move, uint64_t amount, const char *error, const struct cs_hash *args,
		   size_t count)
{
	const struct words words = words_of(move, 1, amount);
	usage->lab->from = who(move);
	lab_refuse(usage->lab, USAGE, functions[move].signature, words.w, words.count, error, args,
		   count);
}

static struct cs_bytes dispute_seen(void)
{
	return lab_call(usage->lab, USAGE, "disputeOf(bytes32,uint64)",
			LAB_WORDS(usage->enclaves[0], lab_word(1)));
}

static uint8_t state_seen(void)
{
	const struct cs_bytes out = dispute_seen();
	assert_int_equal(out.n, 20 * 32);
	return out.p[31];
}

/* Everything but `legal` is refused, naming the state. */
static void refuse_others(uint8_t state, const bool legal[MOVE_COUNT])
{
	for (enum move move = 0; move < MOVE_COUNT; move++) {
		if (!legal[move])
			refuse(move, 1, "DisputeStateIs(uint8)", LAB_WORDS(lab_word(state)));
	}
}

/* ---- the table ---- */

static void test_before_there_is_a_dispute(void **state)
{
	(void)state;
	assert_int_equal(state_seen(), 0);
	refuse_others(0, (const bool[MOVE_COUNT]){[MOVE_DISPUTE] = true});
}

static void test_accepted(void **state)
{
	(void)state;
	make(MOVE_DISPUTE, 1200);
	refuse_others(1, (const bool[MOVE_COUNT]){[MOVE_WITHDRAW] = true,
						  [MOVE_ACCEPT] = true,
						  [MOVE_REJECT] = true,
						  [MOVE_APPEAL] = true});
	make(MOVE_ACCEPT, 0);
	assert_int_equal(lab_log_count(usage->lab,
				       "UsageCredited(bytes32,address,address,uint64,uint32,"
				       "uint256)"),
			 1);
	assert_int_equal(state_seen(), 2);
	refuse_others(2, (const bool[MOVE_COUNT]){false});
	const struct usage_seen seen =
		usage_statement_seen(usage, &usage->provider, LEDGER_USAGE_PROVIDER, JANUARY);
	assert_true(seen.count == 2 && seen.charged == 5000 && seen.credited == 1200);
	assert_int_equal(
		usage_check_complete(usage, &usage->provider, LEDGER_USAGE_PROVIDER, JANUARY), 2);
	assert_int_equal(
		usage_check_complete(usage, &usage->consumer, LEDGER_USAGE_CONSUMER, JANUARY), 2);
	assert_true(usage_sums(usage, JANUARY).credited == 1200);
}

static void test_rejected_appealed_decided(void **state)
{
	(void)state;
	make(MOVE_DISPUTE, 5000);
	make(MOVE_REJECT, 0);
	refuse_others(3,
		      (const bool[MOVE_COUNT]){
			      [MOVE_WITHDRAW] = true, [MOVE_ACCEPT] = true, [MOVE_APPEAL] = true});
	make(MOVE_APPEAL, 0);
	refuse_others(5,
		      (const bool[MOVE_COUNT]){
			      [MOVE_WITHDRAW] = true, [MOVE_ACCEPT] = true, [MOVE_DECIDE] = true});
	refuse(MOVE_DECIDE, 5001, "AmountInvalid()", LAB_NONE);
	make(MOVE_DECIDE, 40);
	assert_int_equal(state_seen(), 6);
	refuse_others(6, (const bool[MOVE_COUNT]){false});
	assert_true(usage_sums(usage, JANUARY).credited == 40);
	/* Who, when and why of each step. */
	const struct cs_bytes out = dispute_seen();
	static const uint8_t states[] = {1, 3, 5, 6};
	static const enum move moves[] = {MOVE_DISPUTE, MOVE_REJECT, MOVE_APPEAL, MOVE_DECIDE};
	assert_int_equal(out.p[4 * 32 - 1], 4);
	for (size_t i = 0; i < 4; i++) {
		const uint8_t *step = out.p + (4 + 4 * i) * 32;
		const struct cs_address by = who(moves[i]);
		const struct cs_hash time = lab_word(usage->lab->block.time_s);
		assert_int_equal(step[31], states[i]);
		assert_memory_equal(step + 32 + 12, by.b, sizeof by.b);
		assert_memory_equal(step + 64, time.b, sizeof time.b);
		assert_int_equal(step[96], 0x50 + moves[i]);
	}
}

static void test_an_arbiter_who_gives_nothing_back(void **state)
{
	(void)state;
	make(MOVE_DISPUTE, 5000);
	make(MOVE_REJECT, 0);
	make(MOVE_APPEAL, 0);
	make(MOVE_DECIDE, 0);
	assert_true(usage_statement_seen(usage, &usage->provider, LEDGER_USAGE_PROVIDER, JANUARY)
			    .count == 1);
}

static void test_withdrawn(void **state)
{
	(void)state;
	make(MOVE_DISPUTE, 1);
	make(MOVE_WITHDRAW, 0);
	assert_int_equal(state_seen(), 4);
	refuse_others(4, (const bool[MOVE_COUNT]){false});
	assert_true(usage_sums(usage, JANUARY).credited == 0);
}

static void test_a_provider_gives_in_late(void **state)
{
	(void)state;
	make(MOVE_DISPUTE, 10);
	make(MOVE_REJECT, 0);
	make(MOVE_APPEAL, 0);
	make(MOVE_ACCEPT, 0);
	assert_true(usage_sums(usage, JANUARY).credited == 10);
}

/* ---- who and when ---- */

static void refuse_by(enum move move, const struct cs_address *from, const char *error)
{
	const struct words words = words_of(move, 1, 10);
	usage->lab->from = *from;
	lab_refuse(usage->lab, USAGE, functions[move].signature, words.w, words.count, error,
		   LAB_NONE);
}

static void test_others_may_not(void **state)
{
	(void)state;
	refuse_by(MOVE_DISPUTE, &usage->provider, "NotConsumer()");
	make(MOVE_DISPUTE, 10);
	refuse_by(MOVE_ACCEPT, &usage->consumer, "NotProvider()");
	refuse_by(MOVE_REJECT, &usage->arbiter, "NotProvider()");
	refuse_by(MOVE_WITHDRAW, &usage->provider, "NotConsumer()");
	make(MOVE_REJECT, 0);
	refuse_by(MOVE_APPEAL, &usage->anyone, "NotConsumer()");
	make(MOVE_APPEAL, 0);
	refuse_by(MOVE_DECIDE, &usage->owner, "NotArbiter()");
}

static void test_windows(void **state)
{
	const uint64_t first = usage->lab->block.time_s;
	(void)state;
	usage_take(usage, 0, 2);
	lab_next_block(usage->lab, USAGE_WINDOW - 1);
	make(MOVE_DISPUTE, 10);
	/* Another one, a second later. */
	lab_next_block(usage->lab, 1);
	const struct words other = words_of(MOVE_DISPUTE, 2, 10);
	usage->lab->from = usage->consumer;
	lab_refuse(usage->lab, USAGE, DISPUTE, other.w, other.count, "DisputeLate(uint64)",
		   LAB_WORDS(lab_word(first + USAGE_WINDOW)));
	/* A provider who says nothing. */
	refuse(MOVE_APPEAL, 0, "DisputeEarly(uint64)",
	       LAB_WORDS(lab_word(first + 2 * USAGE_WINDOW - 1)));
	lab_next_block(usage->lab, USAGE_WINDOW - 1);
	make(MOVE_APPEAL, 0);
	make(MOVE_DECIDE, 10);
}

static void test_an_appeal_that_comes_late(void **state)
{
	(void)state;
	make(MOVE_DISPUTE, 10);
	make(MOVE_REJECT, 0);
	const uint64_t rejected = usage->lab->block.time_s;
	lab_next_block(usage->lab, USAGE_WINDOW);
	refuse(MOVE_APPEAL, 0, "DisputeLate(uint64)", LAB_WORDS(lab_word(rejected + USAGE_WINDOW)));
}

static void test_amounts_that_cannot_be_claimed(void **state)
{
	(void)state;
	refuse(MOVE_DISPUTE, 0, "AmountInvalid()", LAB_NONE);
	refuse(MOVE_DISPUTE, 5001, "AmountInvalid()", LAB_NONE);
	const struct words other = words_of(MOVE_DISPUTE, 9, 10);
	usage->lab->from = usage->consumer;
	lab_refuse(usage->lab, USAGE, DISPUTE, other.w, other.count, "RecordUnknown()", LAB_NONE);
}

static void test_a_credit_is_a_line_of_the_month_of_the_decision(void **state)
{
	(void)state;
	lab_next_block(usage->lab, 29 * DAY);
	usage_take(usage, 0, 2);
	const struct words words = words_of(MOVE_DISPUTE, 2, 700);
	usage->lab->from = usage->consumer;
	lab_call(usage->lab, USAGE, DISPUTE, words.w, words.count);
	lab_next_block(usage->lab, 2 * DAY);
	const struct words answer = words_of(MOVE_ACCEPT, 2, 0);
	usage->lab->from = usage->provider;
	lab_call(usage->lab, USAGE, functions[MOVE_ACCEPT].signature, answer.w, answer.count);
	const struct usage_seen january =
		usage_statement_seen(usage, &usage->consumer, LEDGER_USAGE_CONSUMER, JANUARY);
	const struct usage_seen february =
		usage_statement_seen(usage, &usage->consumer, LEDGER_USAGE_CONSUMER, 202602);
	assert_true(january.count == 2 && january.credited == 0 && january.closed);
	assert_true(february.count == 1 && february.charged == 0 && february.credited == 700);
	/* What is due is less for the month of the charge. */
	assert_true(usage_sums(usage, JANUARY).credited == 700);
}

static void test_what_is_disputed_is_not_pruned(void **state)
{
	const struct cs_hash words[] = {lab_address_word(&usage->provider),
					lab_word(LEDGER_USAGE_PROVIDER), lab_word(JANUARY),
					lab_word(10)};
	(void)state;
	make(MOVE_DISPUTE, 10);
	lab_next_block(usage->lab, 2 * USAGE_RETENTION);
	lab_refuse(usage->lab, USAGE, "prune(address,uint8,uint32,uint64)", words, 4,
		   "NothingToPrune()", LAB_NONE);
	make(MOVE_REJECT, 0);
	/* The consumer may still appeal. */
	lab_next_block(usage->lab, USAGE_WINDOW - 1);
	lab_refuse(usage->lab, USAGE, "prune(address,uint8,uint32,uint64)", words, 4,
		   "NothingToPrune()", LAB_NONE);
	lab_next_block(usage->lab, 1);
	lab_call(usage->lab, USAGE, "prune(address,uint8,uint32,uint64)", words, 4);
	const struct cs_hash others[] = {lab_address_word(&usage->consumer),
					 lab_word(LEDGER_USAGE_CONSUMER), lab_word(JANUARY),
					 lab_word(10)};
	lab_call(usage->lab, USAGE, "prune(address,uint8,uint32,uint64)", others, 4);
	/* With the line its dispute is gone. */
	assert_int_equal(state_seen(), 0);
	refuse(MOVE_ACCEPT, 0, "RecordUnknown()", LAB_NONE);
}

static void test_another_arbiter(void **state)
{
	static const char set[] = "setArbiter(address)";
	const struct cs_hash word = lab_address_word(&usage->anyone);
	(void)state;
	usage->lab->from = usage->anyone;
	lab_refuse(usage->lab, USAGE, set, &word, 1, "NotOwner()", LAB_NONE);
	usage->lab->from = usage->owner;
	lab_refuse(usage->lab, USAGE, set, &word, 1, "OperationUnknown()", LAB_NONE);
}

/* ---- payments ---- */

static struct cs_bytes settle_words(uint32_t period, uint64_t amount)
{
	struct cs_hash *words = keep(3 * sizeof *words);
	words[0] = lab_address_word(&usage->provider);
	words[1] = lab_word(period);
	words[2] = lab_word(amount);
	return cs_bytes(words, 3 * sizeof *words);
}

static void pay(uint64_t amount, uint64_t value)
{
	const struct cs_bytes words = settle_words(JANUARY, amount);
	usage->lab->from = usage->consumer;
	usage->lab->value = cs_u256_u64(value);
	lab_call(usage->lab, USAGE, SETTLE, (const struct cs_hash *)(const void *)words.p, 3);
}

static void refuse_pay(uint32_t period, uint64_t amount, uint64_t value, const char *error,
		       const struct cs_hash *args, size_t count)
{
	const struct cs_bytes words = settle_words(period, amount);
	usage->lab->from = usage->consumer;
	usage->lab->value = cs_u256_u64(value);
	lab_refuse(usage->lab, USAGE, SETTLE, (const struct cs_hash *)(const void *)words.p, 3,
		   error, args, count);
}

static void test_paid_in_the_native_asset(void **state)
{
	(void)state;
	lab_fund(usage->lab, &usage->consumer, 10000);
	refuse_pay(JANUARY, 5001, 5001, "DueIs(uint256)", LAB_WORDS(lab_word(5000)));
	refuse_pay(JANUARY, 0, 0, "DueIs(uint256)", LAB_WORDS(lab_word(5000)));
	refuse_pay(202602, 1, 1, "DueIs(uint256)", LAB_WORDS(lab_word(0)));
	refuse_pay(JANUARY, 100, 99, "ValueInvalid()", LAB_NONE);
	pay(2000, 2000);
	assert_true(lab_funds(usage->lab, &usage->provider) == 2000);
	assert_true(usage_sums(usage, JANUARY).paid == 2000);
	make(MOVE_DISPUTE, 500);
	make(MOVE_ACCEPT, 0);
	refuse_pay(JANUARY, 2501, 2501, "DueIs(uint256)", LAB_WORDS(lab_word(2500)));
	pay(2500, 2500);
	refuse_pay(JANUARY, 1, 1, "DueIs(uint256)", LAB_WORDS(lab_word(0)));
	assert_true(lab_funds(usage->lab, &usage->provider) == 4500);
	assert_true(lab_funds(usage->lab, &usage->consumer) == 5500);
	/* More than there is. */
	usage_take(usage, 0, 2);
	lab_fund(usage->lab, &usage->consumer, 10);
	refuse_pay(JANUARY, 11, 11, NULL, LAB_NONE);
}

static void test_a_credit_after_the_payment_leaves_nothing_due(void **state)
{
	(void)state;
	lab_fund(usage->lab, &usage->consumer, 10000);
	pay(5000, 5000);
	make(MOVE_DISPUTE, 5000);
	make(MOVE_ACCEPT, 0);
	refuse_pay(JANUARY, 1, 1, "DueIs(uint256)", LAB_WORDS(lab_word(0)));
}

static struct cs_bytes create_asset(const struct cs_address *minter)
{
	static uint8_t memory[1024];
	struct cs_abi abi;
	struct cs_buf buf;
	cs_buf_init(&buf, memory, sizeof memory);
	cs_abi_call(&abi, &buf, "create(string,string,uint8,address)");
	const size_t name = cs_abi_slot(&abi), symbol = cs_abi_slot(&abi);
	cs_abi_put_u64(&abi, 2);
	cs_abi_put_address(&abi, minter);
	cs_abi_put_bytes(&abi, name, cs_bytes_str("Euro"));
	cs_abi_put_bytes(&abi, symbol, cs_bytes_str("EUR"));
	assert_int_equal(cs_buf_end(&buf), CS_OK);
	return cs_buf_view(&buf);
}

static void test_paid_in_an_asset(void **state)
{
	const struct cs_address creator = lab_address(0x77);
	const struct cs_address asset = ledger_asset_of(&creator, cs_bytes_str("Euro"));
	const struct cs_address contract = ledger_contract_address(USAGE);
	const struct cs_hash word = lab_address_word(&asset);
	struct cs_bytes output;
	(void)state;
	usage_lab_free(usage);
	usage = usage_lab_new(&(struct usage_lab_options){.asset = asset});
	usage_take(usage, 0, 1);
	usage->lab->from = creator;
	assert_true(lab_try(usage->lab, &output, LEDGER_ASSETS_NUMBER, create_asset(&creator)));
	lab_call(usage->lab, LEDGER_ASSETS_NUMBER, "mint(address,address,uint256)",
		 LAB_WORDS(word, lab_address_word(&usage->consumer), lab_word(6000)));
	refuse_pay(JANUARY, 100, 0, "ERC20InsufficientAllowance(address,uint256,uint256)",
		   LAB_WORDS(lab_address_word(&contract), lab_word(0), lab_word(100)));
	usage->lab->from = usage->consumer;
	lab_call(usage->lab, LEDGER_ASSETS_NUMBER, "approve(address,address,uint256)",
		 LAB_WORDS(word, lab_address_word(&contract), lab_word(5000)));
	lab_fund(usage->lab, &usage->consumer, 100);
	refuse_pay(JANUARY, 100, 100, "ValueInvalid()", LAB_NONE);
	pay(4000, 0);
	assert_hash(lab_ask(usage->lab, LEDGER_ASSETS_NUMBER, "balanceOf(address,address)",
			    LAB_WORDS(word, lab_address_word(&usage->provider))),
		    lab_word(4000));
	assert_true(usage_sums(usage, JANUARY).paid == 4000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_before_there_is_a_dispute, begin, end),
		cmocka_unit_test_setup_teardown(test_accepted, begin, end),
		cmocka_unit_test_setup_teardown(test_rejected_appealed_decided, begin, end),
		cmocka_unit_test_setup_teardown(test_an_arbiter_who_gives_nothing_back, begin, end),
		cmocka_unit_test_setup_teardown(test_withdrawn, begin, end),
		cmocka_unit_test_setup_teardown(test_a_provider_gives_in_late, begin, end),
		cmocka_unit_test_setup_teardown(test_others_may_not, begin, end),
		cmocka_unit_test_setup_teardown(test_windows, begin, end),
		cmocka_unit_test_setup_teardown(test_an_appeal_that_comes_late, begin, end),
		cmocka_unit_test_setup_teardown(test_amounts_that_cannot_be_claimed, begin, end),
		cmocka_unit_test_setup_teardown(
			test_a_credit_is_a_line_of_the_month_of_the_decision, begin, end),
		cmocka_unit_test_setup_teardown(test_what_is_disputed_is_not_pruned, begin, end),
		cmocka_unit_test_setup_teardown(test_another_arbiter, begin, end),
		cmocka_unit_test_setup_teardown(test_paid_in_the_native_asset, begin, end),
		cmocka_unit_test_setup_teardown(test_a_credit_after_the_payment_leaves_nothing_due,
						begin, end),
		cmocka_unit_test_setup_teardown(test_paid_in_an_asset, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
