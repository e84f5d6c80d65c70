/* Tasks: every move of the table, every other one refused; who signs, and until when. */
#include "core/hash.h"
#include "tests/unit/ledger/usage_lab.h"

#define SUBMIT "submit(bytes32,bytes32,uint64)"
#define START "start(bytes32,bytes32,bytes32,bytes32)"
#define DONE "done(bytes32,bytes32,bytes32,bytes32,bytes32)"
#define FAIL "fail(bytes32,bytes32,bytes32,bytes32)"
#define CANCEL "cancel(bytes32)"
#define EXPIRE "expire(bytes32)"
#define LIFETIME 1000u

static struct usage_lab *usage;
static struct cs_hash id;

static struct cs_hash submit(void)
{
	usage->lab->from = usage->consumer;
	return lab_ask(usage->lab, TASKS, SUBMIT,
		       LAB_WORDS(lab_byte_word(0xc0), lab_byte_word(0x1f),
				 lab_word(usage->lab->block.time_s + LIFETIME)));
}

static int begin(void **state)
{
	(void)state;
	usage = usage_lab_new(&(struct usage_lab_options){.insecure = false});
	id = submit();
	return 0;
}

static int end(void **state)
{
	(void)state;
	usage_lab_free(usage);
	return 0;
}

static struct cs_schnorr signed_by(size_t enclave, enum ledger_task_state state,
				   struct cs_hash first, struct cs_hash second)
{
	const struct ledger_task_step step = {id, state, usage->enclaves[0], first, second};
	return usage_sign_step(usage, &step, enclave, false);
}

static void start(void)
{
	const struct cs_schnorr s = signed_by(0, LEDGER_TASK_RUNNING, lab_word(0), lab_word(0));
	usage->lab->from = usage->anyone;
	lab_call(usage->lab, TASKS, START, LAB_WORDS(id, usage->enclaves[0], s.rx, s.s));
}

static void end_well(void)
{
	const struct cs_hash result = lab_byte_word(0x0e), attestation = lab_byte_word(0xa7);
	const struct cs_schnorr s = signed_by(0, LEDGER_TASK_DONE, result, attestation);
	lab_call(usage->lab, TASKS, DONE, LAB_WORDS(id, result, attestation, s.rx, s.s));
}

static void refuse_done(const char *error, const struct cs_hash *args, size_t count)
{
	const struct cs_hash result = lab_byte_word(0x0e), attestation = lab_byte_word(0xa7);
	const struct cs_schnorr s = signed_by(0, LEDGER_TASK_DONE, result, attestation);
	lab_refuse(usage->lab, TASKS, DONE, LAB_WORDS(id, result, attestation, s.rx, s.s), error,
		   args, count);
}

static void refuse_fail(const char *error, const struct cs_hash *args, size_t count)
{
	const struct cs_hash reason = lab_byte_word(0xbd);
	const struct cs_schnorr s = signed_by(0, LEDGER_TASK_FAILED, reason, lab_word(0));
	lab_refuse(usage->lab, TASKS, FAIL, LAB_WORDS(id, reason, s.rx, s.s), error, args, count);
}

static void refuse_start(const char *error, const struct cs_hash *args, size_t count)
{
	const struct cs_schnorr s = signed_by(0, LEDGER_TASK_RUNNING, lab_word(0), lab_word(0));
	lab_refuse(usage->lab, TASKS, START, LAB_WORDS(id, usage->enclaves[0], s.rx, s.s), error,
		   args, count);
}

static struct cs_bytes seen(void)
{
	const struct cs_bytes out = lab_call(usage->lab, TASKS, "taskOf(bytes32)", LAB_WORDS(id));
	assert_int_equal(out.n, 10 * 32);
	return out;
}

/* ---- moves ---- */

static void test_submitted_running_done(void **state)
{
	(void)state;
	assert_int_equal(seen().p[31], LEDGER_TASK_SUBMITTED);
	refuse_done("TaskStateIs(uint8)", LAB_WORDS(lab_word(1)));
	refuse_fail("TaskStateIs(uint8)", LAB_WORDS(lab_word(1)));
	start();
	assert_int_equal(seen().p[31], LEDGER_TASK_RUNNING);
	assert_memory_equal(seen().p + 7 * 32, usage->enclaves[0].b, 32);
	refuse_start("TaskStateIs(uint8)", LAB_WORDS(lab_word(2)));
	usage->lab->from = usage->consumer;
	lab_refuse(usage->lab, TASKS, CANCEL, LAB_WORDS(id), "TaskStateIs(uint8)",
		   LAB_WORDS(lab_word(2)));
	end_well();
	assert_int_equal(
		lab_log_count(usage->lab, "TaskChanged(bytes32,uint8,bytes32,bytes32,bytes32)"), 1);
	const struct cs_bytes out = seen();
	assert_int_equal(out.p[31], LEDGER_TASK_DONE);
	assert_int_equal(out.p[8 * 32], 0x0e);
	assert_int_equal(out.p[9 * 32], 0xa7);
	refuse_start("TaskStateIs(uint8)", LAB_WORDS(lab_word(3)));
	refuse_done("TaskStateIs(uint8)", LAB_WORDS(lab_word(3)));
	refuse_fail("TaskStateIs(uint8)", LAB_WORDS(lab_word(3)));
	lab_refuse(usage->lab, TASKS, EXPIRE, LAB_WORDS(id), "TaskStateIs(uint8)",
		   LAB_WORDS(lab_word(3)));
}

static void test_failed_by_its_enclave(void **state)
{
	const struct cs_hash reason = lab_byte_word(0xbd);
	(void)state;
	start();
	const struct cs_schnorr s = signed_by(0, LEDGER_TASK_FAILED, reason, lab_word(0));
	lab_call(usage->lab, TASKS, FAIL, LAB_WORDS(id, reason, s.rx, s.s));
	assert_int_equal(seen().p[31], LEDGER_TASK_FAILED);
	refuse_done("TaskStateIs(uint8)", LAB_WORDS(lab_word(4)));
	refuse_start("TaskStateIs(uint8)", LAB_WORDS(lab_word(4)));
}

static void test_cancelled(void **state)
{
	(void)state;
	usage->lab->from = usage->anyone;
	lab_refuse(usage->lab, TASKS, CANCEL, LAB_WORDS(id), "NotSubmitter()", LAB_NONE);
	usage->lab->from = usage->consumer;
	lab_call(usage->lab, TASKS, CANCEL, LAB_WORDS(id));
	assert_int_equal(seen().p[31], LEDGER_TASK_FAILED);
	lab_refuse(usage->lab, TASKS, CANCEL, LAB_WORDS(id), "TaskStateIs(uint8)",
		   LAB_WORDS(lab_word(4)));
}

static void test_expired(void **state)
{
	const struct cs_hash first = id;
	(void)state;
	id = submit();
	assert_false(cs_hash_eq(&id, &first));
	start();
	lab_next_block(usage->lab, LIFETIME - 1);
	lab_refuse(usage->lab, TASKS, EXPIRE, LAB_WORDS(id), "DeadlineAhead()", LAB_NONE);
	lab_next_block(usage->lab, 1);
	refuse_done("DeadlinePassed()", LAB_NONE);
	lab_call(usage->lab, TASKS, EXPIRE, LAB_WORDS(id));
	assert_int_equal(seen().p[31], LEDGER_TASK_FAILED);
	/* One that never ran. */
	id = first;
	refuse_start("DeadlinePassed()", LAB_NONE);
	lab_call(usage->lab, TASKS, EXPIRE, LAB_WORDS(id));
	assert_int_equal(seen().p[31], LEDGER_TASK_FAILED);
}

/* ---- who signs what ---- */

static void test_signatures(void **state)
{
	const struct cs_hash result = lab_byte_word(0x0e), attestation = lab_byte_word(0xa7);
	struct cs_schnorr s = signed_by(1, LEDGER_TASK_RUNNING, lab_word(0), lab_word(0));
	(void)state;
	lab_refuse(usage->lab, TASKS, START, LAB_WORDS(id, usage->enclaves[0], s.rx, s.s),
		   "SignatureInvalid()", LAB_NONE);
	usage_enclave_active[0] = false;
	refuse_start("EnclaveNotActive(bytes32)", LAB_WORDS(usage->enclaves[0]));
	usage_enclave_active[0] = true;
	start();
	/* Another result than was signed, the signature of another state, another enclave's. */
	s = signed_by(0, LEDGER_TASK_DONE, attestation, result);
	lab_refuse(usage->lab, TASKS, DONE, LAB_WORDS(id, result, attestation, s.rx, s.s),
		   "SignatureInvalid()", LAB_NONE);
	s = signed_by(0, LEDGER_TASK_FAILED, result, attestation);
	lab_refuse(usage->lab, TASKS, DONE, LAB_WORDS(id, result, attestation, s.rx, s.s),
		   "SignatureInvalid()", LAB_NONE);
	s = signed_by(1, LEDGER_TASK_DONE, result, attestation);
	lab_refuse(usage->lab, TASKS, DONE, LAB_WORDS(id, result, attestation, s.rx, s.s),
		   "SignatureInvalid()", LAB_NONE);
	/* An enclave that is revoked while it runs. */
	usage_enclave_active[0] = false;
	refuse_done("EnclaveNotActive(bytes32)", LAB_WORDS(usage->enclaves[0]));
}

static void test_insecure_enclaves(void **state)
{
	const struct ledger_task_step step = {id, LEDGER_TASK_RUNNING, usage->enclaves[0],
					      lab_word(0), lab_word(0)};
	struct cs_schnorr s = usage_sign_step(usage, &step, 0, true);
	(void)state;
	lab_refuse(usage->lab, TASKS, START, LAB_WORDS(id, usage->enclaves[0], s.rx, s.s),
		   "SignatureInvalid()", LAB_NONE);
	usage_lab_free(usage);
	usage = usage_lab_new(&(struct usage_lab_options){.insecure = true});
	id = submit();
	assert_hash(id, step.id);
	refuse_start("SignatureInvalid()", LAB_NONE);
	lab_call(usage->lab, TASKS, START, LAB_WORDS(id, usage->enclaves[0], s.rx, s.s));
	assert_hash(lab_ask(usage->lab, TASKS, "insecure()", LAB_NONE), lab_word(1));
}

static void test_what_an_id_and_a_digest_are(void **state)
{
	const struct cs_hash words[] = {
		cs_keccak256(cs_bytes_str("caisson/task/v1")),
		usage->chain,
		lab_address_word(&usage->consumer),
		lab_word(0),
	};
	const struct cs_hash want = cs_keccak256(cs_bytes(words, sizeof words));
	/* By tests/lib/crypto.py: keccak(tag + 32 × c4 + 32 × 01 + word(3) + 32 × 02 + 32 × 03 + 32 × 04). */
	const struct ledger_task_step step = {lab_byte_word(1), LEDGER_TASK_DONE, lab_byte_word(2),
					      lab_byte_word(3), lab_byte_word(4)};
	(void)state;
	assert_hash(id, want);
	assert_hash(
		ledger_task_digest(&step, &usage->chain, false),
		hash_of_text("eecf57e8db0812e5204af2df50526c7fdb713aaea6b682b7c49bdf6cae95a1c2"));
	assert_hash(
		ledger_task_digest(&step, &usage->chain, true),
		hash_of_text("7511c1131294cf9d3580c6de55270b214bd75c8c16366ec369b5b8a9f513c6fb"));
}

/* ---- refusals ---- */

static void test_deadlines(void **state)
{
	const uint64_t now = usage->lab->block.time_s;
	const uint64_t bad[] = {0, now, now + LEDGER_TASK_LIFETIME_MAX_S + 1, UINT64_MAX};
	(void)state;
	for (size_t i = 0; i < CS_LEN(bad); i++)
		lab_refuse(usage->lab, TASKS, SUBMIT,
			   LAB_WORDS(lab_word(0), lab_word(0), lab_word(bad[i])),
			   "DeadlineInvalid()", LAB_NONE);
	lab_call(usage->lab, TASKS, SUBMIT,
		 LAB_WORDS(lab_word(0), lab_word(0), lab_word(now + LEDGER_TASK_LIFETIME_MAX_S)));
}

static void test_tasks_that_are_not_there(void **state)
{
	(void)state;
	id = lab_byte_word(0x5a);
	refuse_start("TaskUnknown()", LAB_NONE);
	refuse_done("TaskUnknown()", LAB_NONE);
	refuse_fail("TaskUnknown()", LAB_NONE);
	lab_refuse(usage->lab, TASKS, CANCEL, LAB_WORDS(id), "TaskUnknown()", LAB_NONE);
	lab_refuse(usage->lab, TASKS, EXPIRE, LAB_WORDS(id), "TaskUnknown()", LAB_NONE);
	lab_refuse(usage->lab, TASKS, "taskOf(bytes32)", LAB_WORDS(id), "TaskUnknown()", LAB_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_submitted_running_done, begin, end),
		cmocka_unit_test_setup_teardown(test_failed_by_its_enclave, begin, end),
		cmocka_unit_test_setup_teardown(test_cancelled, begin, end),
		cmocka_unit_test_setup_teardown(test_expired, begin, end),
		cmocka_unit_test_setup_teardown(test_signatures, begin, end),
		cmocka_unit_test_setup_teardown(test_insecure_enclaves, begin, end),
		cmocka_unit_test_setup_teardown(test_what_an_id_and_a_digest_are, begin, end),
		cmocka_unit_test_setup_teardown(test_deadlines, begin, end),
		cmocka_unit_test_setup_teardown(test_tasks_that_are_not_there, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
