/* Outcomes at the built-in gateway. The cases are those of tests/contracts/test_send.py, by the same
 * names where there is one. */
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

#define FINALIZED "MessageFinalized(bytes32,bytes32,uint8)"
#define REFUSED "OutcomeRefused(bytes32)"

static void refuse(struct cs_bytes input, const char *error)
{
	world_refuse_input(world, &world->anyone, WORLD_GATEWAY, input, error, LAB_NONE);
}

static void refuse_status(struct cs_bytes input, unsigned status)
{
	world_refuse_input(world, &world->anyone, WORLD_GATEWAY, input, "StatusIs(uint8)",
			   LAB_WORDS(lab_word(status)));
}

static struct cs_bytes one(const struct cs_hash *id, unsigned status)
{
	return finalize_one(world, &world->remote, id, status);
}

static void act(struct cs_bytes input)
{
	world_do_input(world, &world->anyone, WORLD_GATEWAY, input);
}

/* A contract sends. */
static struct cs_hash sent_by(uint8_t number)
{
	const struct cs_address gateway = ledger_contract_address(WORLD_GATEWAY);
	struct cs_bytes data = send_call(account_of(world->remote.caip2, &world->remote.app),
					 cs_bytes_str("x"), NULL, 0);
	world_do_input(world, &world->user, number, app_run(&gateway, 0, data));
	const struct cs_hash id =
		lab_log(world->lab, "MessageSent(bytes32,bytes,bytes,bytes,uint256,bytes[])", 0)
			->topics[1];
	const struct cs_address contract = ledger_contract_address(number);
	assert_hash(lab_ask(world->lab, WORLD_GATEWAY, "sentBy(bytes32)", &id, 1),
		    lab_address_word(&contract));
	return id;
}

static void test_finalized(void **state)
{
	(void)state;
	for (unsigned status = WIRE_STATUS_DELIVERED; status <= WIRE_STATUS_DEAD; status++) {
		const struct cs_hash id = sent_by(WORLD_APP);
		act(one(&id, status));
		const struct ledger_log *log = lab_log(world->lab, FINALIZED, 0);
		const struct cs_hash word = lab_word(status);
		assert_int_equal(log->topic_count, 3);
		assert_hash(log->topics[1], id);
		assert_hash(log->topics[2], world->remote.identity);
		assert_bytes(log->data, CS_BYTES_OF(word.b));
		assert_int_equal(lab_log_count(world->lab, REFUSED), 0);
		assert_int_equal(outcome_of(world, &id), status);
		assert_int_equal(app_outcome(world, &id), status);
		refuse_status(one(&id, WIRE_STATUS_DELIVERED), status);
		refuse_status(one(&id, WIRE_STATUS_DEAD), status);
		assert_int_equal(outcome_of(world, &id), status);
	}
}

static void test_finalize_for_an_account(void **state)
{
	(void)state;
	const struct cs_hash id = send_one(world, &world->remote);
	act(one(&id, WIRE_STATUS_DELIVERED));
	assert_int_equal(lab_log_count(world->lab, REFUSED), 0);
	assert_int_equal(outcome_of(world, &id), WIRE_STATUS_DELIVERED);
}

static void test_hostile_sender_is_finalized_all_the_same(void **state)
{
	(void)state;
	static const enum app_mode modes[] = {APP_REVERTS_LONG, APP_BURNS};
	for (size_t i = 0; i < CS_LEN(modes); i++) {
		const struct wire_outcome both[] = {
			{sent_by(WORLD_APP), WIRE_STATUS_DELIVERED},
			{send_one(world, &world->remote), WIRE_STATUS_DEAD}};
		app.mode = modes[i];
		act(finalize_of(world, &world->remote, both, 2));
		assert_int_equal(lab_log_count(world->lab, REFUSED), 1);
		assert_true(world->lab->run.gas.used < 300000);
		assert_int_equal(outcome_of(world, &both[0].message_id), WIRE_STATUS_DELIVERED);
		assert_int_equal(outcome_of(world, &both[1].message_id), WIRE_STATUS_DEAD);
		assert_int_equal(app_outcome(world, &both[0].message_id), 0);
		app.mode = APP_GOOD;
	}
	/* One that has no onOutcome at all. */
	const struct cs_hash id = sent_by(WORLD_HOSTILE);
	act(one(&id, WIRE_STATUS_DELIVERED));
	assert_int_equal(lab_log_count(world->lab, REFUSED), 1);
	assert_int_equal(outcome_of(world, &id), WIRE_STATUS_DELIVERED);
}

static void test_outcome_of_another_status(void **state)
{
	(void)state;
	static const unsigned statuses[] = {0, 1, 4, 255};
	const struct cs_hash id = send_one(world, &world->remote);
	for (size_t i = 0; i < CS_LEN(statuses); i++)
		refuse(one(&id, statuses[i]), "OutcomeInvalid()");
	refuse(one(&id, 256), NULL);
	assert_int_equal(outcome_of(world, &id), WIRE_STATUS_NONE);
}

static struct cs_bytes signed_by(const struct signing *how, const struct cs_hash *id,
				 unsigned signed_status, unsigned status)
{
	static uint8_t memory[WIRE_EVM_CALL_FINALIZE_SIZE_MAX];
	const struct cs_hash leaf = wire_leaf_outcome(id, (enum wire_status)signed_status);
	const struct wire_signed statement = sign(world, how, &leaf);
	const struct wire_outcome outcome = {*id, (enum wire_status)status};
	struct cs_buf buf;
	cs_buf_init(&buf, memory, sizeof memory);
	assert_ok(wire_evm_call_finalize(&buf, &statement, &outcome, 1));
	return cs_buf_view(&buf);
}

static void test_outcome_statement_refused(void **state)
{
	(void)state;
	const struct cs_hash id = send_one(world, &world->remote);
	const struct signing good = signing_of(world, &world->remote, WIRE_KIND_OUTCOME);
	struct signing how = good;
	how.key = secret_of("a stranger");
	refuse(signed_by(&how, &id, 2, 2), "SignatureInvalid()");
	how = good;
	how.receiver = lab_word(5);
	refuse(signed_by(&how, &id, 2, 2), "SignatureInvalid()");
	how = good;
	how.domain = WIRE_DOMAIN_INSECURE;
	refuse(signed_by(&how, &id, 2, 2), "SignatureInvalid()");
	how = good;
	how.epoch = 9;
	refuse(signed_by(&how, &id, 2, 2), "KeyNotActive()");
	how = good;
	how.manifest = 0;
	refuse(signed_by(&how, &id, 2, 2), "ManifestTooOld()");
	static const enum wire_kind kinds[] = {WIRE_KIND_MESSAGE, WIRE_KIND_ROTATION,
					       WIRE_KIND_ANSWER};
	for (size_t i = 0; i < CS_LEN(kinds); i++) {
		how = good;
		how.kind = kinds[i];
		refuse(signed_by(&how, &id, 2, 2), "SignatureInvalid()");
	}
	/* Another outcome than was signed. */
	refuse(signed_by(&good, &id, 2, 3), "SignatureInvalid()");
	refuse(signed_by(&good, &id, 3, 2), "SignatureInvalid()");
	assert_int_equal(outcome_of(world, &id), WIRE_STATUS_NONE);
	act(signed_by(&good, &id, 3, 3));
}

/* An enclave speaks for its own chain: it cannot finalize what was sent to another. */
static void test_outcome_by_the_key_of_another_chain(void **state)
{
	(void)state;
	struct remote other = remote_make(world, "cosmos:ledger-2", "second");
	world_register(world, &other);
	const struct cs_hash id = send_one(world, &world->remote), unknown = lab_word(7);
	refuse(finalize_one(world, &other, &id, WIRE_STATUS_DEAD), "NotSent()");
	refuse(one(&unknown, WIRE_STATUS_DEAD), "NotSent()");
	act(one(&id, WIRE_STATUS_DELIVERED));
}

static void test_outcomes_in_a_batch(void **state)
{
	(void)state;
	struct cs_hash sent[4];
	const struct cs_hash unknown = lab_word(1);
	for (size_t i = 0; i < CS_LEN(sent); i++)
		sent[i] = sent_by(WORLD_APP);
	act(one(&sent[1], WIRE_STATUS_DEAD));
	const struct wire_outcome batch[] = {{sent[0], WIRE_STATUS_DELIVERED},
					     {sent[1], WIRE_STATUS_DELIVERED},
					     {unknown, WIRE_STATUS_DEAD},
					     {sent[2], WIRE_STATUS_DEAD},
					     {sent[0], WIRE_STATUS_DEAD}};
	struct cs_bytes input = finalize_of(world, &world->remote, batch, CS_LEN(batch));
	act(input);
	assert_int_equal(lab_log_count(world->lab, FINALIZED), 2);
	static const unsigned want[] = {2, 3, 3, 0};
	for (size_t i = 0; i < CS_LEN(sent); i++)
		assert_int_equal(outcome_of(world, &sent[i]), want[i]);
	refuse(input, "NothingToDo()");
	/* Selector, three words, the statement's six, and a count of none. */
	uint8_t *none = keep(input.n);
	memcpy(none, input.p, input.n);
	memset(none + 4 + 32 * 10, 0, 32);
	refuse(cs_bytes(none, input.n), "BatchEmpty()");
}

static void test_part_of_a_batch_of_outcomes(void **state)
{
	(void)state;
	struct cs_hash sent[3], leaves[3];
	struct signing how = signing_of(world, &world->remote, WIRE_KIND_OUTCOME);
	for (size_t i = 0; i < CS_LEN(sent); i++) {
		sent[i] = send_one(world, &world->remote);
		leaves[i] = wire_leaf_outcome(&sent[i], WIRE_STATUS_DELIVERED);
	}
	how.path_count = wire_path(how.path, leaves, CS_LEN(leaves), 2);
	act(signed_by(&how, &sent[2], 2, 2));
	assert_int_equal(outcome_of(world, &sent[0]), WIRE_STATUS_NONE);
	assert_int_equal(outcome_of(world, &sent[2]), WIRE_STATUS_DELIVERED);
}

/* Whatever gas a submitter brings: a sender hears its outcome with all of its gas, or nothing is
 * recorded. */
static void test_finalize_gas_griefing(void **state)
{
	(void)state;
	size_t done = 0, refused = 0;
	for (uint64_t gas = 20000; gas < 300000; gas += 2000) {
		struct cs_bytes output;
		app.mode = APP_GOOD;
		const struct cs_hash id = sent_by(WORLD_APP);
		/* All that it gets but what its own write takes. */
		app = (struct app){.mode = APP_USES, .gas = LEDGER_OUTCOME_GAS - 7000};
		world->lab->from = world->anyone;
		world->lab->gas_limit = gas;
		bool success = lab_try(world->lab, &output, WORLD_GATEWAY,
				       one(&id, WIRE_STATUS_DELIVERED));
		assert_true(!success || lab_log_count(world->lab, REFUSED) == 0);
		world->lab->gas_limit = LAB_GAS;
		assert_int_equal(outcome_of(world, &id),
				 success ? WIRE_STATUS_DELIVERED : WIRE_STATUS_NONE);
		if (success)
			assert_int_equal(app.gas_seen, LEDGER_OUTCOME_GAS);
		done += success;
		refused += !success;
	}
	assert_true(done > 10 && refused > 10);
}

/* The formula of docs/ledger.md for senders that burn what they get. */
static void test_the_gas_that_submitters_are_told_to_bring(void **state)
{
	(void)state;
	static const size_t counts[] = {1, 2, 12};
	for (size_t i = 0; i < CS_LEN(counts); i++) {
		struct wire_outcome batch[12];
		struct cs_bytes output;
		app.mode = APP_GOOD;
		for (size_t j = 0; j < counts[i]; j++)
			batch[j] = (struct wire_outcome){sent_by(WORLD_APP), WIRE_STATUS_DEAD};
		app.mode = APP_BURNS;
		world->lab->gas_limit = 40000 + counts[i] * (LEDGER_OUTCOME_GAS * 64 / 63 + 20000);
		world->lab->from = world->anyone;
		assert_true(lab_try(world->lab, &output, WORLD_GATEWAY,
				    finalize_of(world, &world->remote, batch, counts[i])));
		world->lab->gas_limit = LAB_GAS;
		for (size_t j = 0; j < counts[i]; j++)
			assert_int_equal(outcome_of(world, &batch[j].message_id), WIRE_STATUS_DEAD);
	}
}

/* The status is recorded before the sender hears of it: finalizing again from inside finds it done. */
static void test_outcome_that_reenters(void **state)
{
	(void)state;
	const struct cs_hash id = sent_by(WORLD_APP);
	app = (struct app){.mode = APP_CALLS,
			   .target = ledger_contract_address(WORLD_GATEWAY),
			   .data = one(&id, WIRE_STATUS_DEAD)};
	act(one(&id, WIRE_STATUS_DELIVERED));
	assert_int_equal(app.called, 1);
	assert_false(app.call_succeeded);
	assert_int_equal(outcome_of(world, &id), WIRE_STATUS_DELIVERED);
	assert_int_equal(app_outcome(world, &id), WIRE_STATUS_DELIVERED);
}

/* Nor is a sender's outcome lost by who submits it from too deep, or behind too many logs. */
static void test_outcome_needs_room(void **state)
{
	(void)state;
	const struct cs_hash id = sent_by(WORLD_APP);
	const struct cs_address gateway = ledger_contract_address(WORLD_GATEWAY);
	struct cs_bytes nested = app_run(&gateway, 0, one(&id, WIRE_STATUS_DELIVERED));
	app.logs = LEDGER_LOGS_MAX - 10;
	world_refuse_input(world, &world->anyone, WORLD_APP, nested, "GasTooLow()", LAB_NONE);
	app.logs = 0;
	for (unsigned i = 0; i < 3; i++)
		nested = app_run(&world->app, 0, nested);
	world_refuse_input(world, &world->anyone, WORLD_APP, nested, "GasTooLow()", LAB_NONE);
	assert_int_equal(outcome_of(world, &id), WIRE_STATUS_NONE);
	act(one(&id, WIRE_STATUS_DELIVERED));
	assert_int_equal(app_outcome(world, &id), WIRE_STATUS_DELIVERED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		TEST(test_finalized),
		TEST(test_finalize_for_an_account),
		TEST(test_hostile_sender_is_finalized_all_the_same),
		TEST(test_outcome_of_another_status),
		TEST(test_outcome_statement_refused),
		TEST(test_outcome_by_the_key_of_another_chain),
		TEST(test_outcomes_in_a_batch),
		TEST(test_part_of_a_batch_of_outcomes),
		TEST(test_finalize_gas_griefing),
		TEST(test_the_gas_that_submitters_are_told_to_bring),
		TEST(test_outcome_that_reenters),
		TEST(test_outcome_needs_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
