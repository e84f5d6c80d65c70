/* Recipients at the built-in gateway: what they answer, what they call back, and gas. The cases are
 * those of tests/contracts/test_deliver.py, by the same names where there is one. */
#include "tests/unit/ledger/gateway_lab.h"

static struct world *world;

static int set_up(void **state)
{
	(void)state;
	world = world_new("ledger-1", false);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	world_free(world);
	return 0;
}

static struct cs_bytes one(enum wire_call call, const struct wire_message *message)
{
	return call_one(world, &world->remote, call, message);
}

static struct wire_message to(const struct cs_address *recipient, uint64_t min_gas_limit)
{
	struct wire_message message =
		message_to(world, &world->remote, recipient, cs_bytes_str("hello"));
	message.head.min_gas_limit = min_gas_limit;
	return message;
}

static void becomes(const struct wire_message *message, enum wire_status status)
{
	deliver(world, &world->remote, message, status);
}

/* Did a delivery with so much gas succeed? */
static bool try_with(uint64_t gas, struct cs_bytes input)
{
	struct cs_bytes output;
	world->lab->from = world->anyone;
	world->lab->gas_limit = gas;
	bool success = lab_try(world->lab, &output, WORLD_GATEWAY, input);
	world->lab->gas_limit = LAB_GAS;
	return success;
}

/* ---- what they answer ---- */

static void test_bad_recipient_leaves_nothing(void **state)
{
	(void)state;
	static const enum app_mode modes[] = {APP_WRONG_VALUE, APP_DIRTY_VALUE, APP_SHORT_VALUE,
					      APP_NO_VALUE,    APP_REVERTS,     APP_REVERTS_LONG,
					      APP_BURNS};
	for (size_t i = 0; i < CS_LEN(modes); i++) {
		app.mode = modes[i];
		struct wire_message message = to(&world->hostile, 100000);
		becomes(&message, WIRE_STATUS_FAILED);
		assert_int_equal(app_received(world, WORLD_HOSTILE), 0);
	}
}

static void test_long_return_value_is_good(void **state)
{
	(void)state;
	app.mode = APP_LONG_VALUE;
	struct wire_message message = to(&world->hostile, 100000);
	becomes(&message, WIRE_STATUS_DELIVERED);
	assert_int_equal(app_received(world, WORLD_HOSTILE), 1);
}

/* What the gateway itself uses beside the recipient is the same for a long answer and for none. */
static void test_return_bombs_cost_the_gateway_nothing(void **state)
{
	(void)state;
	static const enum app_mode modes[] = {APP_NO_VALUE, APP_REVERTS_LONG, APP_LONG_VALUE};
	uint64_t used[CS_LEN(modes)];
	struct wire_message first = to(&world->app, 100000);
	becomes(&first, WIRE_STATUS_DELIVERED); /* opens the word */
	for (size_t i = 0; i < CS_LEN(modes); i++) {
		app.mode = modes[i];
		struct wire_message message = to(&world->hostile, 100000);
		world_do_input(world, &world->anyone, WORLD_GATEWAY,
			       one(WIRE_CALL_DELIVER, &message));
		used[i] = world->lab->run.gas.used;
	}
	assert_int_equal(used[0], used[1]);
	/* A delivery writes its status once, a failure writes it twice; its answer of 20,032 bytes is
	 * the recipient's own to pay. */
	assert_true(used[2] < used[0] + (20032 - LEDGER_OUTPUT_FREE_SIZE) * LEDGER_GAS_OUTPUT_BYTE);
}

static void test_recipient_without_a_contract(void **state)
{
	(void)state;
	static const struct cs_address zero;
	const struct cs_address addresses[] = {zero, lab_address(0xab), world->user,
					       ledger_contract_address(99)};
	for (size_t i = 0; i < CS_LEN(addresses); i++) {
		struct wire_message message = to(&addresses[i], 100000);
		becomes(&message, WIRE_STATUS_FAILED);
		world_refuse_input(world, &world->anyone, WORLD_GATEWAY,
				   one(WIRE_CALL_RETRY, &message), "CallFailed()", LAB_NONE);
	}
}

static void test_gateway_as_recipient(void **state)
{
	(void)state;
	const struct cs_address gateway = ledger_contract_address(WORLD_GATEWAY);
	struct wire_message message = to(&gateway, 100000);
	becomes(&message, WIRE_STATUS_FAILED);
}

/* The frame of the Solidity gateway is no function here. */
static void test_no_frame(void **state)
{
	(void)state;
	world_refuse_input(
		world, &world->owner, WORLD_GATEWAY,
		words_call("deliverFrame(bytes32,uint64,uint256,bool,address,bytes32,bytes,bytes)",
			   LAB_NONE),
		NULL, LAB_NONE);
}

/* ---- what they call back ---- */

static const enum wire_call four_calls[] = {WIRE_CALL_DELIVER, WIRE_CALL_RETRY, WIRE_CALL_CLOSE,
					    WIRE_CALL_EXPIRE};

static struct wire_message own_closer(void)
{
	struct wire_message message = to(&world->hostile, 600000);
	message.head.closer = lab_address_word(&world->hostile);
	return message;
}

static void calls_back(enum app_mode mode, struct cs_bytes data)
{
	app = (struct app){
		.mode = mode, .target = ledger_contract_address(WORLD_GATEWAY), .data = data};
}

static void test_reentry_finds_the_message_delivered(void **state)
{
	(void)state;
	for (size_t i = 0; i < CS_LEN(four_calls); i++) {
		struct wire_message message = own_closer();
		calls_back(APP_CALLS, one(four_calls[i], &message));
		becomes(&message, WIRE_STATUS_DELIVERED);
		assert_int_equal(app.called, 1);
		assert_false(app.call_succeeded);
		assert_int_equal(app_received(world, WORLD_HOSTILE), i + 1);
	}
}

static void test_reentry_from_a_failing_call(void **state)
{
	(void)state;
	for (size_t i = 0; i < CS_LEN(four_calls); i++) {
		struct wire_message message = own_closer();
		calls_back(APP_CALLS_FAILS, one(four_calls[i], &message));
		becomes(&message, WIRE_STATUS_FAILED);
		assert_int_equal(app.called, 1);
		assert_int_equal(app_received(world, WORLD_HOSTILE), 0);
	}
}

/* A retried recipient closes its own message: it finds it delivered, whatever it answers. */
static void test_reentry_in_retry(void **state)
{
	(void)state;
	struct wire_message message = own_closer();
	app.mode = APP_NO_VALUE;
	becomes(&message, WIRE_STATUS_FAILED);
	struct cs_bytes close = one(WIRE_CALL_CLOSE, &message);
	struct cs_bytes retry = one(WIRE_CALL_RETRY, &message);
	calls_back(APP_CALLS_FAILS, close);
	world_refuse_input(world, &world->anyone, WORLD_GATEWAY, retry, "CallFailed()", LAB_NONE);
	assert_int_equal(status_of(world, &message), WIRE_STATUS_FAILED);
	calls_back(APP_CALLS, close);
	world_do_input(world, &world->anyone, WORLD_GATEWAY, retry);
	assert_int_equal(app.called, 1);
	assert_false(app.call_succeeded);
	assert_int_equal(status_of(world, &message), WIRE_STATUS_DELIVERED);
}

/* The first recipient delivers the second message, whose recipient does the same again, with nothing
 * left to deliver. */
static void reentry_with_the_rest(bool ends_well)
{
	struct wire_message pair[] = {to(&world->hostile, 2000000), to(&world->app, 100000)};
	calls_back(ends_well ? APP_CALLS : APP_CALLS_FAILS, one(WIRE_CALL_DELIVER, &pair[1]));
	world_do_input(world, &world->anyone, WORLD_GATEWAY,
		       call_of(world, &world->remote, WIRE_CALL_DELIVER, pair, 2));
	assert_true(app.called >= 2);
	assert_int_equal(status_of(world, &pair[0]),
			 ends_well ? WIRE_STATUS_DELIVERED : WIRE_STATUS_FAILED);
	assert_int_equal(status_of(world, &pair[1]),
			 ends_well ? WIRE_STATUS_DELIVERED : WIRE_STATUS_FAILED);
	assert_int_equal(app_received(world, WORLD_APP), ends_well);
}

static void test_reentry_with_the_rest_of_the_batch(void **state)
{
	(void)state;
	reentry_with_the_rest(true);
}

static void test_reentry_with_the_rest_that_fails(void **state)
{
	(void)state;
	reentry_with_the_rest(false);
}

/* Recipients that deliver to one another, deeper than calls go: what is too deep stays open, and
 * nobody makes it fail who only nests calls. */
static void test_depth_fails_nobody(void **state)
{
	(void)state;
	const struct cs_address gateway = ledger_contract_address(WORLD_GATEWAY);
	for (unsigned depth = 0; depth < LEDGER_DEPTH_MAX; depth++) {
		struct cs_bytes output;
		struct wire_message message = to(&world->app, 100000);
		struct cs_bytes nested = app_run(&gateway, 0, one(WIRE_CALL_DELIVER, &message));
		for (unsigned i = 0; i < depth; i++)
			nested = app_run(&world->app, 0, nested);
		app.mode = APP_GOOD;
		world->lab->from = world->anyone;
		bool success = lab_try(world->lab, &output, WORLD_APP, nested);
		assert_int_equal(success, depth + 2 + 4 <= LEDGER_DEPTH_MAX);
		assert_int_equal(status_of(world, &message),
				 success ? WIRE_STATUS_DELIVERED : WIRE_STATUS_NONE);
	}
}

/* A transaction that has logged almost all that it may: what is delivered behind it stays open, and
 * nobody makes a recipient fail for want of a log. */
static void test_full_logs_fail_nobody(void **state)
{
	(void)state;
	const struct cs_address gateway = ledger_contract_address(WORLD_GATEWAY);
	size_t delivered = 0;
	for (size_t logs = LEDGER_LOGS_MAX - 20; logs < LEDGER_LOGS_MAX; logs++) {
		struct cs_bytes output;
		struct wire_message message = to(&world->app, 100000);
		app = (struct app){.mode = APP_GOOD, .logs = logs};
		world->lab->from = world->anyone;
		bool success = lab_try(world->lab, &output, WORLD_APP,
				       app_run(&gateway, 0, one(WIRE_CALL_DELIVER, &message)));
		assert_int_equal(status_of(world, &message),
				 success ? WIRE_STATUS_DELIVERED : WIRE_STATUS_NONE);
		delivered += success;
	}
	assert_int_equal(delivered, 4);
	app = (struct app){.mode = APP_GOOD};
}

/* ---- gas ---- */

static void test_item_that_wants_too_much_gas_ends_the_batch(void **state)
{
	(void)state;
	struct wire_message three[] = {to(&world->app, 100000), to(&world->app, 1ull << 63),
				       to(&world->app, 100000)};
	world_do_input(world, &world->anyone, WORLD_GATEWAY,
		       call_of(world, &world->remote, WIRE_CALL_DELIVER, three, 3));
	assert_int_equal(status_of(world, &three[0]), WIRE_STATUS_DELIVERED);
	assert_int_equal(status_of(world, &three[1]), WIRE_STATUS_NONE);
	assert_int_equal(status_of(world, &three[2]), WIRE_STATUS_NONE);
	becomes(&three[2], WIRE_STATUS_DELIVERED);
	struct wire_message most = to(&world->app, UINT64_MAX);
	world_refuse_input(world, &world->anyone, WORLD_GATEWAY, one(WIRE_CALL_DELIVER, &three[1]),
			   "GasTooLow()", LAB_NONE);
	world_refuse_input(world, &world->anyone, WORLD_GATEWAY, one(WIRE_CALL_DELIVER, &most),
			   "GasTooLow()", LAB_NONE);
	world_refuse_input(world, &world->anyone, WORLD_GATEWAY, one(WIRE_CALL_RETRY, &most),
			   "StatusIs(uint8)", LAB_WORDS(lab_word(0)));
}

/* Exactly minGasLimit in a delivery, so that who burns it burns what was paid for; all there is in a
 * retry. */
static void test_recipient_gets_its_gas_and_no_more(void **state)
{
	(void)state;
	app = (struct app){.mode = APP_USES, .gas = 5000000};
	struct wire_message message = to(&world->hostile, 70000);
	becomes(&message, WIRE_STATUS_FAILED);
	assert_int_equal(app.gas_seen, 70000);
	world_do_input(world, &world->anyone, WORLD_GATEWAY, one(WIRE_CALL_RETRY, &message));
	assert_int_equal(status_of(world, &message), WIRE_STATUS_DELIVERED);
	assert_true(app.gas_seen > 40000000);
}

static void test_poisoned_items_cost_their_own_gas(void **state)
{
	(void)state;
	struct wire_message items[6];
	for (size_t i = 0; i < 5; i++)
		items[i] = to(&world->hostile, 100000);
	items[5] = to(&world->app, 100000);
	app.mode = APP_BURNS;
	struct cs_bytes input = call_of(world, &world->remote, WIRE_CALL_DELIVER, items, 6);
	world_do_input(world, &world->anyone, WORLD_GATEWAY, input);
	for (size_t i = 0; i < 6; i++) /* the app burns its own too: it has the same mode */
		assert_int_equal(status_of(world, &items[i]), WIRE_STATUS_FAILED);
	assert_true(world->lab->run.gas.used < 6 * 130000 + 60000);
}

static void test_poisoned_item_does_not_stop_a_batch(void **state)
{
	(void)state;
	static const enum app_mode modes[] = {APP_WRONG_VALUE, APP_REVERTS_LONG, APP_BURNS};
	const struct cs_address nobody = lab_address(0x77);
	for (size_t i = 0; i < CS_LEN(modes); i++) {
		struct wire_message items[] = {to(&nobody, 100000), to(&world->hostile, 100000),
					       to(&nobody, 100000)};
		app.mode = modes[i];
		world_do_input(world, &world->anyone, WORLD_GATEWAY,
			       call_of(world, &world->remote, WIRE_CALL_DELIVER, items, 3));
		for (size_t j = 0; j < 3; j++)
			assert_int_equal(status_of(world, &items[j]), WIRE_STATUS_FAILED);
	}
}

/* Whatever gas a submitter brings: the recipient gets minGasLimit, or nothing is recorded. */
static void test_gas_griefing(void **state)
{
	(void)state;
	const uint64_t wanted = 200000;
	size_t delivered = 0, refused = 0;
	app = (struct app){.mode = APP_USES, .gas = wanted};
	for (uint64_t gas = 10000; gas < 300000; gas += 1000) {
		struct wire_message message = to(&world->hostile, wanted);
		bool success = try_with(gas, one(WIRE_CALL_DELIVER, &message));
		assert_int_equal(status_of(world, &message),
				 success ? WIRE_STATUS_DELIVERED : WIRE_STATUS_NONE);
		delivered += success;
		refused += !success;
	}
	assert_true(delivered > 10 && refused > 10);
}

/* The same around the edge, one by one. */
static void test_gas_griefing_to_the_unit(void **state)
{
	(void)state;
	const uint64_t wanted = 150000;
	uint64_t low = 10000, high = 600000;
	app = (struct app){.mode = APP_USES, .gas = wanted};
	while (high - low > 1) {
		const uint64_t gas = (low + high) / 2;
		struct wire_message probe = to(&world->hostile, wanted);
		if (try_with(gas, one(WIRE_CALL_DELIVER, &probe)))
			high = gas;
		else
			low = gas;
	}
	for (uint64_t gas = high - 12; gas < high + 12; gas++) {
		struct wire_message message = to(&world->hostile, wanted);
		bool success = try_with(gas, one(WIRE_CALL_DELIVER, &message));
		assert_int_equal(success, gas >= high);
		assert_int_equal(status_of(world, &message),
				 success ? WIRE_STATUS_DELIVERED : WIRE_STATUS_NONE);
	}
	/* One that burns it and fails is written down with the same gas. */
	app.mode = APP_BURNS;
	struct wire_message message = to(&world->hostile, wanted);
	assert_true(try_with(high, one(WIRE_CALL_DELIVER, &message)));
	assert_int_equal(status_of(world, &message), WIRE_STATUS_FAILED);
}

static void test_gas_griefing_in_a_batch(void **state)
{
	(void)state;
	const uint64_t wanted = 200000;
	bool seen[4] = {false};
	app = (struct app){.mode = APP_USES, .gas = wanted};
	for (uint64_t gas = 180000; gas < 720000; gas += 2500) {
		struct wire_message three[] = {to(&world->hostile, wanted),
					       to(&world->hostile, wanted),
					       to(&world->hostile, wanted)};
		(void)try_with(gas, call_of(world, &world->remote, WIRE_CALL_DELIVER, three, 3));
		size_t count = 0;
		for (size_t i = 0; i < 3; i++) {
			enum wire_status status = status_of(world, &three[i]);
			assert_true(status == WIRE_STATUS_DELIVERED || status == WIRE_STATUS_NONE);
			assert_true(status == WIRE_STATUS_NONE || count == i);
			count += status == WIRE_STATUS_DELIVERED;
		}
		seen[count] = true;
	}
	assert_true(seen[0] && seen[1] && seen[2] && seen[3]);
}

static void test_recipient_that_burns_all_gas_is_failed_not_stuck(void **state)
{
	(void)state;
	static const uint64_t limits[] = {0, 1, 1000, 200000};
	app.mode = APP_BURNS;
	for (size_t i = 0; i < CS_LEN(limits); i++) {
		struct wire_message message = to(&world->hostile, limits[i]);
		assert_true(try_with(400000, one(WIRE_CALL_DELIVER, &message)));
		assert_int_equal(status_of(world, &message), WIRE_STATUS_FAILED);
	}
	/* Without gas of its own it is retried with all there is. */
	app.mode = APP_GOOD;
	struct wire_message none = to(&world->app, 0);
	becomes(&none, WIRE_STATUS_FAILED);
	world_do_input(world, &world->anyone, WORLD_GATEWAY, one(WIRE_CALL_RETRY, &none));
	assert_int_equal(status_of(world, &none), WIRE_STATUS_DELIVERED);
}

/* What docs/ledger.md tells submitters to bring handles every item of a batch, though each burns all
 * that it gets. */
static void test_the_gas_that_submitters_are_told_to_bring(void **state)
{
	(void)state;
	static const uint64_t limits[] = {0, 300000, 10, 1000000};
	struct wire_message items[25];
	uint64_t gas = LEDGER_GAS_CALL + 40000;
	app.mode = APP_BURNS;
	for (size_t i = 0; i < CS_LEN(items); i++) {
		items[i] = to(&world->hostile, limits[i % CS_LEN(limits)]);
		items[i].head.sequence = 4000 + 128 * i; /* a word each: the dearest */
		gas += 26000 + items[i].head.min_gas_limit * 64 / 63 + 1;
	}
	assert_true(try_with(
		gas, call_of(world, &world->remote, WIRE_CALL_DELIVER, items, CS_LEN(items))));
	for (size_t i = 0; i < CS_LEN(items); i++)
		assert_int_equal(status_of(world, &items[i]), WIRE_STATUS_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		TEST(test_bad_recipient_leaves_nothing),
		TEST(test_long_return_value_is_good),
		TEST(test_return_bombs_cost_the_gateway_nothing),
		TEST(test_recipient_without_a_contract),
		TEST(test_gateway_as_recipient),
		TEST(test_no_frame),
		TEST(test_reentry_finds_the_message_delivered),
		TEST(test_reentry_from_a_failing_call),
		TEST(test_reentry_in_retry),
		TEST(test_reentry_with_the_rest_of_the_batch),
		TEST(test_reentry_with_the_rest_that_fails),
		TEST(test_depth_fails_nobody),
		TEST(test_full_logs_fail_nobody),
		TEST(test_item_that_wants_too_much_gas_ends_the_batch),
		TEST(test_recipient_gets_its_gas_and_no_more),
		TEST(test_poisoned_items_cost_their_own_gas),
		TEST(test_poisoned_item_does_not_stop_a_batch),
		TEST(test_gas_griefing),
		TEST(test_gas_griefing_to_the_unit),
		TEST(test_gas_griefing_in_a_batch),
		TEST(test_recipient_that_burns_all_gas_is_failed_not_stuck),
		TEST(test_the_gas_that_submitters_are_told_to_bring),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
