/* The machine with two contracts that do what contracts can do. */
#include "relay_state/ledger/gas.h"
#include "tests/unit/ledger/contract_lab.h"

#define COUNTER 200u
#define CALLER 201u

static const struct cs_hash slot_zero;

/* ---- a counter, which reverts when it is told to ---- */

static enum cs_err run_add(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	static const char event[] = "Added(uint256,uint256)";
	struct cs_u256 more, sum;
	struct cs_hash word, topics[2] = {cs_abi_topic(event), {{0}}};
	CS_TRY(cs_abi_get_u256(in, &more));
	CS_TRY(ledger_load(call, &word, &slot_zero));
	sum = cs_u256_from_word(&word);
	CS_TRY(cs_u256_add(&sum, &sum, &more));
	word = cs_u256_word(&sum);
	CS_TRY(ledger_store(call, &slot_zero, &word));
	topics[1] = word;
	CS_TRY(ledger_emit(call, topics, 2, CS_BYTES_OF(word.b)));
	cs_abi_put_u256(out, &sum);
	return CS_OK;
}

static enum cs_err run_add_then_revert(struct ledger_call *call, struct cs_abi_reader *in,
				       struct cs_abi *out)
{
	struct cs_hash words[2] = {lab_word(7), lab_word(9)};
	CS_TRY(run_add(call, in, out));
	return ledger_revert(call, "TooMuch(uint256,uint256)", words, 2);
}

static enum cs_err run_total(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_hash word;
	(void)in;
	CS_TRY(ledger_load(call, &word, &slot_zero));
	cs_abi_put_word(out, &word);
	return CS_OK;
}

static enum cs_err run_forget_arguments(struct ledger_call *call, struct cs_abi_reader *in,
					struct cs_abi *out)
{
	const struct cs_hash word = lab_word(99);
	(void)in, (void)out;
	return ledger_store(call, &slot_zero, &word);
}

static enum cs_err run_bytes(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_bytes bytes;
	(void)call;
	CS_TRY(cs_abi_get_bytes(in, 100000, &bytes));
	size_t slot = cs_abi_slot(out);
	cs_abi_put_bytes(out, slot, bytes);
	return CS_OK;
}

static enum cs_err run_who(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	(void)in;
	cs_abi_put_address(out, &call->origin);
	cs_abi_put_address(out, &call->sender);
	cs_abi_put_address(out, &call->address);
	cs_abi_put_u256(out, &call->value);
	cs_abi_put_u64(out, call->block->height);
	return CS_OK;
}

static enum cs_err run_lost(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_bytes value;
	(void)in, (void)out;
	return ledger_get(call, &value, cs_bytes_str("never written"));
}

static enum cs_err run_log_many(struct ledger_call *call, struct cs_abi_reader *in,
				struct cs_abi *out)
{
	const struct cs_hash topic = lab_word(1);
	uint64_t count;
	(void)out;
	CS_TRY(cs_abi_get_u64(in, &count));
	for (uint64_t i = 0; i < count; i++)
		CS_TRY(ledger_emit(call, &topic, 1, CS_BYTES_NONE));
	return CS_OK;
}

static const struct ledger_function counter_functions[] = {
	{"add(uint256)", 0x1003e2d2, 1, false, 0, run_add},
	{"addThenRevert(uint256)", 0xe257ef4c, 1, false, 0, run_add_then_revert},
	{"total()", 0x2ddbd13a, 0, false, 10, run_total},
	{"forget(uint256)", 0xfdb8dee3, 1, false, 0, run_forget_arguments},
	{"echo(bytes)", 0x624fbfdc, 1, false, 0, run_bytes},
	{"who()", 0xd6d21dfd, 0, true, 0, run_who},
	{"lost()", 0x3b3493d3, 0, false, 0, run_lost},
	{"logMany(uint64)", 0x5cf4fe47, 1, false, 0, run_log_many},
};
static const struct ledger_contract counter = {"counter", COUNTER, counter_functions,
					       CS_LEN(counter_functions)};

/* ---- a caller of others ---- */

/* forward(address,uint256,uint64,bytes): returns whether it worked and what came back. */
static enum cs_err run_forward(struct ledger_call *call, struct cs_abi_reader *in,
			       struct cs_abi *out)
{
	struct cs_address to;
	struct cs_u256 value;
	uint64_t gas_max;
	struct cs_bytes input, output;
	bool success;
	CS_TRY(cs_abi_get_address(in, &to));
	CS_TRY(cs_abi_get_u256(in, &value));
	CS_TRY(cs_abi_get_u64(in, &gas_max));
	CS_TRY(cs_abi_get_bytes(in, 100000, &input));
	CS_TRY(ledger_call_contract(call, &success, &output, &to, &value, input, gas_max));
	cs_abi_put_u64(out, success);
	size_t slot = cs_abi_slot(out);
	cs_abi_put_bytes(out, slot, output);
	return CS_OK;
}

/* Calls itself until that fails; is how deep it came. */
static enum cs_err run_dive(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_bytes output;
	struct cs_hash deeper = {{0}};
	bool success;
	(void)in;
	CS_TRY(ledger_call_contract(call, &success, &output, &call->address, &(struct cs_u256){{0}},
				    call->input, 0));
	if (success) {
		assert_int_equal(output.n, sizeof deeper.b);
		memcpy(deeper.b, output.p, sizeof deeper.b);
	}
	cs_abi_put_u64(out, cs_be64(deeper.b + 24) + 1);
	return CS_OK;
}

/* pay(address,uint256) of its own balance. */
static enum cs_err run_pay(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_address to;
	struct cs_u256 amount, left;
	bool moved;
	CS_TRY(cs_abi_get_address(in, &to));
	CS_TRY(cs_abi_get_u256(in, &amount));
	CS_TRY(ledger_move(call, &moved, &call->address, &to, &amount));
	CS_TRY(ledger_balance(call, &left, &call->address));
	cs_abi_put_u64(out, moved);
	cs_abi_put_u256(out, &left);
	return CS_OK;
}

static const struct ledger_function caller_functions[] = {
	{"forward(address,uint256,uint64,bytes)", 0x420e47c7, 4, true, 0, run_forward},
	{"dive()", 0x1a495601, 0, false, 0, run_dive},
	{"pay(address,uint256)", 0xc4076876, 2, true, 0, run_pay},
};
static const struct ledger_contract caller = {"caller", CALLER, caller_functions,
					      CS_LEN(caller_functions)};

static const struct ledger_contract *const contracts[] = {&counter, &caller};

static int set_up(void **state)
{
	*state = lab_new(contracts, CS_LEN(contracts));
	return 0;
}

static int tear_down(void **state)
{
	lab_free(*state);
	return 0;
}

static struct cs_bytes forward(const struct cs_address *to, uint64_t value, uint64_t gas_max,
			       struct cs_bytes input)
{
	struct cs_buf buf;
	struct cs_abi abi;
	const size_t size = 4 + 6 * 32 + input.n + 32;
	cs_buf_init(&buf, keep(size), size);
	cs_abi_call(&abi, &buf, "forward(address,uint256,uint64,bytes)");
	cs_abi_put_address(&abi, to);
	cs_abi_put_u64(&abi, value);
	cs_abi_put_u64(&abi, gas_max);
	size_t slot = cs_abi_slot(&abi);
	cs_abi_put_bytes(&abi, slot, input);
	assert_ok(cs_buf_end(&buf));
	return cs_buf_view(&buf);
}

static struct cs_bytes input_of(const char *signature, const struct cs_hash *words, size_t count)
{
	struct cs_buf buf;
	struct cs_abi abi;
	const size_t size = 4 + count * 32;
	cs_buf_init(&buf, keep(size), size);
	cs_abi_call(&abi, &buf, signature);
	for (size_t i = 0; i < count; i++)
		cs_abi_put_word(&abi, &words[i]);
	return cs_buf_view(&buf);
}

static void assert_total(struct lab *lab, uint64_t want)
{
	assert_hash(lab_ask(lab, COUNTER, "total()", LAB_NONE), lab_word(want));
}

static void test_tables(void **state)
{
	(void)state;
	lab_check_table(&counter);
	lab_check_table(&caller);
}

static void test_call(void **state)
{
	struct lab *lab = *state;
	assert_hash(lab_ask(lab, COUNTER, "add(uint256)", LAB_WORDS(lab_word(5))), lab_word(5));
	assert_int_equal(lab->run.logs.count, 1);
	const struct ledger_log *log = lab_log(lab, "Added(uint256,uint256)", 0);
	const struct cs_address address = ledger_contract_address(COUNTER);
	assert_memory_equal(log->address.b, address.b, sizeof address.b);
	assert_int_equal(log->topic_count, 2);
	assert_hash(log->topics[1], lab_word(5));
	assert_int_equal(log->data.n, 32);
	/* A call, a read that finds nothing, a write of a word, an event of 96 bytes. */
	assert_int_equal(lab->run.gas.used, LEDGER_GAS_CALL + LEDGER_GAS_READ + LEDGER_GAS_WRITE +
						    65 * LEDGER_GAS_WRITE_BYTE + LEDGER_GAS_LOG +
						    96 * LEDGER_GAS_LOG_BYTE);
	assert_total(lab, 5);
	lab_next_block(lab, 10);
	assert_total(lab, 5);
	lab_call(lab, COUNTER, "add(uint256)", LAB_WORDS(lab_word(6)));
	assert_total(lab, 11);
}

static void test_revert(void **state)
{
	struct lab *lab = *state;
	lab_call(lab, COUNTER, "add(uint256)", LAB_WORDS(lab_word(5)));
	lab_refuse(lab, COUNTER, "addThenRevert(uint256)", LAB_WORDS(lab_word(6)),
		   "TooMuch(uint256,uint256)", LAB_WORDS(lab_word(7), lab_word(9)));
	assert_true(lab->run.gas.used > LEDGER_GAS_WRITE);
	assert_total(lab, 5);
	/* A sum that overflows. */
	lab_refuse(lab, COUNTER, "add(uint256)", LAB_WORDS(lab_byte_word(0xff)), NULL, LAB_NONE);
	assert_total(lab, 5);
}

static void test_refused_input(void **state)
{
	struct lab *lab = *state;
	struct cs_bytes add = input_of("add(uint256)", LAB_WORDS(lab_word(1), lab_word(2)));
	const size_t whole = 4 + 32;
	for (size_t n = 0; n < add.n; n++) {
		if (n != whole)
			lab_refuse_input(lab, COUNTER, cs_bytes(add.p, n), NULL, LAB_NONE);
	}
	lab_refuse_input(lab, COUNTER, unhex("00000000"), NULL, LAB_NONE);
	lab_refuse(lab, COUNTER, "unknown()", LAB_NONE, NULL, LAB_NONE);
	/* Arguments that a function did not look at. */
	lab_refuse(lab, COUNTER, "forget(uint256)", LAB_WORDS(lab_word(1)), NULL, LAB_NONE);
	/* A value where none is taken, and more than there is. */
	lab_fund(lab, &lab->from, 10);
	lab->value = cs_u256_u64(1);
	lab_refuse(lab, COUNTER, "add(uint256)", LAB_WORDS(lab_word(1)), NULL, LAB_NONE);
	lab->value = cs_u256_u64(11);
	lab_refuse(lab, COUNTER, "who()", LAB_NONE, NULL, LAB_NONE);
	assert_int_equal(lab_funds(lab, &lab->from), 10);
	assert_total(lab, 0);
}

static void test_output(void **state)
{
	struct lab *lab = *state;
	struct cs_buf buf;
	struct cs_abi abi;
	/* The longest that fits, and one word more. */
	for (size_t more = 0; more < 2; more++) {
		const size_t n = LEDGER_OUTPUT_SIZE_MAX - 64 + more;
		uint8_t *text = keep(n);
		cs_buf_init(&buf, keep(n + 200), n + 200);
		cs_abi_call(&abi, &buf, "echo(bytes)");
		size_t slot = cs_abi_slot(&abi);
		cs_abi_put_bytes(&abi, slot, cs_bytes(text, n));
		assert_ok(cs_buf_end(&buf));
		struct cs_bytes output;
		if (more == 0) {
			assert_true(lab_try(lab, &output, COUNTER, cs_buf_view(&buf)));
			assert_int_equal(output.n, LEDGER_OUTPUT_SIZE_MAX);
		} else {
			lab_refuse_input(lab, COUNTER, cs_buf_view(&buf), NULL, LAB_NONE);
		}
	}
}

static void test_out_of_gas(void **state)
{
	struct lab *lab = *state;
	struct cs_bytes output;
	struct cs_bytes input = input_of("add(uint256)", LAB_WORDS(lab_word(1)));
	lab_call(lab, COUNTER, "add(uint256)", LAB_WORDS(lab_word(1)));
	lab_call(lab, COUNTER, "add(uint256)", LAB_WORDS(lab_word(1)));
	const uint64_t needed = lab->run.gas.used;
	for (uint64_t gas = 0; gas < needed; gas += 97) {
		lab->gas_limit = gas;
		lab_refuse_input(lab, COUNTER, input, NULL, LAB_NONE);
		assert_int_equal(lab->run.gas.used, gas);
	}
	lab->gas_limit = needed - 1;
	lab_refuse_input(lab, COUNTER, input, NULL, LAB_NONE);
	lab->gas_limit = needed;
	assert_true(lab_try(lab, &output, COUNTER, input));
	lab->gas_limit = LAB_GAS;
	assert_total(lab, 3);
}

static void test_logs(void **state)
{
	struct lab *lab = *state;
	lab_call(lab, COUNTER, "logMany(uint64)", LAB_WORDS(lab_word(LEDGER_LOGS_MAX)));
	assert_int_equal(lab->run.logs.count, LEDGER_LOGS_MAX);
	lab_refuse(lab, COUNTER, "logMany(uint64)", LAB_WORDS(lab_word(LEDGER_LOGS_MAX + 1)), NULL,
		   LAB_NONE);
}

/* What forward returned: did the inner call succeed, and its output. */
static bool inner(struct lab *lab, struct cs_bytes *output, struct cs_bytes input)
{
	struct cs_bytes all;
	struct cs_abi_reader in;
	bool success;
	assert_true(lab_try(lab, &all, CALLER, input));
	assert_ok(cs_abi_read(&in, all, 2));
	assert_ok(cs_abi_get_bool(&in, &success));
	assert_ok(cs_abi_get_bytes(&in, 100000, output));
	assert_ok(cs_abi_end(&in));
	return success;
}

static void test_inner_calls(void **state)
{
	struct lab *lab = *state;
	const struct cs_address to = ledger_contract_address(COUNTER);
	const struct cs_address self = ledger_contract_address(CALLER);
	const struct cs_address nobody = lab_address(0x77);
	struct cs_bytes output;
	assert_true(inner(lab, &output,
			  forward(&to, 0, 0, input_of("add(uint256)", LAB_WORDS(lab_word(4))))));
	assert_bytes(output, CS_BYTES_OF(lab_word(4).b));
	assert_int_equal(lab->run.logs.count, 1);
	/* It reverts: what it changed and logged is gone, the outer call goes on. */
	assert_false(inner(
		lab, &output,
		forward(&to, 0, 0, input_of("addThenRevert(uint256)", LAB_WORDS(lab_word(4))))));
	assert_int_equal(output.n, 4 + 64);
	assert_int_equal(lab->run.logs.count, 0);
	/* Out of the gas that it got, of which the caller has more. */
	assert_false(
		inner(lab, &output,
		      forward(&to, 0, 3000, input_of("add(uint256)", LAB_WORDS(lab_word(4))))));
	assert_int_equal(output.n, 0);
	assert_true(lab->run.gas.used > 3000 && lab->run.gas.used < 6000);
	assert_total(lab, 4);
	/* With a value of the caller's own. */
	lab_fund(lab, &self, 100);
	assert_true(inner(lab, &output, forward(&to, 60, 0, input_of("who()", LAB_NONE))));
	assert_int_equal(output.n, 5 * 32);
	assert_memory_equal(output.p + 12, lab->from.b, 20);
	assert_memory_equal(output.p + 32 + 12, self.b, 20);
	assert_memory_equal(output.p + 64 + 12, to.b, 20);
	assert_int_equal(cs_be64(output.p + 96 + 24), 60);
	assert_false(inner(lab, &output, forward(&to, 41, 0, input_of("who()", LAB_NONE))));
	assert_int_equal(lab_funds(lab, &self), 40);
	assert_int_equal(lab_funds(lab, &to), 60);
	/* To somebody who is no contract. */
	assert_true(inner(lab, &output, forward(&nobody, 40, 0, cs_bytes_str("hello"))));
	assert_int_equal(output.n, 0);
	assert_int_equal(lab_funds(lab, &nobody), 40);
}

static void test_depth(void **state)
{
	struct lab *lab = *state;
	assert_hash(lab_ask(lab, CALLER, "dive()", LAB_NONE), lab_word(LEDGER_DEPTH_MAX));
}

static void test_moves(void **state)
{
	struct lab *lab = *state;
	const struct cs_address self = ledger_contract_address(CALLER);
	const struct cs_address rich = lab_address(0x77);
	struct ledger_account account = {.balance = cs_u256_u64(0)};
	lab_fund(lab, &lab->from, 10);
	lab->value = cs_u256_u64(10);
	struct cs_bytes output = lab_call(lab, CALLER, "pay(address,uint256)",
					  LAB_WORDS(lab_address_word(&lab->from), lab_word(3)));
	assert_int_equal(output.p[31], 1);
	assert_int_equal(output.p[63], 7);
	/* To itself nothing changes, also where it would overflow. */
	lab_call(lab, CALLER, "pay(address,uint256)",
		 LAB_WORDS(lab_address_word(&self), lab_word(7)));
	assert_int_equal(lab_funds(lab, &self), 7);
	output = lab_call(lab, CALLER, "pay(address,uint256)",
			  LAB_WORDS(lab_address_word(&lab->from), lab_word(8)));
	assert_int_equal(output.p[31], 0);
	memset(&account.balance, 0xff, sizeof account.balance);
	assert_ok(ledger_account_put(lab->state, &rich, &account));
	output = lab_call(lab, CALLER, "pay(address,uint256)",
			  LAB_WORDS(lab_address_word(&rich), lab_word(1)));
	assert_int_equal(output.p[31], 0);
	assert_int_equal(lab_funds(lab, &self), 7);
	assert_int_equal(lab_funds(lab, &lab->from), 3);
}

/* Nobody's address: the value arrives, an input is for nobody. */
static void test_plain_transfer(void **state)
{
	struct lab *lab = *state;
	const struct cs_address to = lab_address(0x99);
	const struct cs_u256 value = cs_u256_u64(4);
	struct cs_why why;
	struct cs_bytes output;
	bool success;
	lab_fund(lab, &lab->from, 10);
	assert_ok(ledger_run_init(&lab->run, &lab->block, &lab->arena, &why, &lab->from, LAB_GAS));
	assert_ok(ledger_machine_call(&lab->machine, &lab->run, &success, &output, &to, &value,
				      CS_BYTES_NONE));
	assert_true(success);
	assert_int_equal(lab_funds(lab, &to), 4);
	assert_ok(ledger_machine_call(&lab->machine, &lab->run, &success, &output, &to, &value,
				      cs_bytes_str("hello")));
	assert_false(success);
	assert_int_equal(lab_funds(lab, &to), 4);
}

/* What is no answer ends the application. */
static void test_failures(void **state)
{
	struct lab *lab = *state;
	const struct cs_address to = ledger_contract_address(COUNTER);
	const struct cs_u256 none = cs_u256_u64(0);
	struct cs_why why = {""};
	struct cs_bytes output;
	bool success;
	assert_ok(ledger_run_init(&lab->run, &lab->block, &lab->arena, &why, &lab->from, LAB_GAS));
	assert_err(ledger_machine_call(&lab->machine, &lab->run, &success, &output, &to, &none,
				       input_of("lost()", LAB_NONE)),
		   CS_ERR_DAMAGED);
	assert_true(why.text[0] != 0);
	/* A word of the state that is none. */
	uint8_t key[34] = {COUNTER, 's'};
	assert_ok(ledger_state_put(lab->state, CS_BYTES_OF(key), cs_bytes_str("short")));
	assert_err(ledger_machine_call(&lab->machine, &lab->run, &success, &output, &to, &none,
				       input_of("total()", LAB_NONE)),
		   CS_ERR_DAMAGED);
}

static void test_views(void **state)
{
	struct lab *lab = *state;
	lab->is_view = true;
	assert_hash(lab_ask(lab, COUNTER, "add(uint256)", LAB_WORDS(lab_word(5))), lab_word(5));
	assert_total(lab, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		TEST(test_call),
		TEST(test_revert),
		TEST(test_refused_input),
		TEST(test_output),
		TEST(test_out_of_gas),
		TEST(test_logs),
		TEST(test_inner_calls),
		TEST(test_depth),
		TEST(test_moves),
		TEST(test_plain_transfer),
		TEST(test_failures),
		TEST(test_views),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
