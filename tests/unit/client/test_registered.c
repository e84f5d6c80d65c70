/* Until when the register lets an identity's keys count: as contract 4 itself answers, over days, and by cases
 * that it takes long stories to reach. */
#include "relay_state/client/registered_watch.h"
#include "tests/unit/ledger/register_lab.h"

#define ENCLAVES LEDGER_ENCLAVES_NUMBER
#define DAY_S REGISTER_DAY_S
#define NOW_S 1000000u

static int set_up(void **state)
{
	*state = register_lab_new();
	return 0;
}

static int tear_down(void **state)
{
	lab_free(*state);
	return 0;
}

static struct cs_hash chain_1(void)
{
	return lab_byte_word(0x41);
}

/* ---- by the contract ---- */

/* A question goes from nobody to the contract; the lab wants what follows. */
static struct cs_bytes answer_to(struct lab *lab, struct cs_buf *buf)
{
	const struct cs_address to = ledger_contract_address(ENCLAVES);
	const struct cs_bytes all = cs_buf_view(buf);
	struct cs_bytes output;
	assert_ok(cs_buf_end(buf));
	for (size_t i = 0; i < 20; i++)
		assert_int_equal(all.p[i], 0);
	assert_memory_equal(all.p + 20, to.b, 20);
	assert_true(lab_try(lab, &output, ENCLAVES, cs_bytes(all.p + 40, all.n - 40)));
	return output;
}

static struct cs_buf room(void)
{
	static uint8_t memory[LEDGER_VIEW_SIZE_MAX];
	struct cs_buf buf;
	cs_buf_init(&buf, memory, sizeof memory);
	return buf;
}

static uint64_t newest_epoch(struct lab *lab, const struct cs_hash *identity)
{
	struct cs_buf buf = room();
	uint64_t epoch = 0;
	ledger_view_epoch(&buf, identity);
	assert_ok(ledger_read_epoch(&epoch, answer_to(lab, &buf)));
	return epoch;
}

static struct ledger_registered_key look_at(struct lab *lab, const struct cs_hash *identity,
					    uint64_t epoch)
{
	struct ledger_registered_key found = {0};
	struct cs_buf buf = room();
	ledger_view_key(&buf, identity, epoch);
	assert_ok(ledger_read_key(&found.key, answer_to(lab, &buf)));
	buf = room();
	ledger_view_holder(&buf, &found.key.x);
	assert_ok(ledger_read_holder(&found.holder, answer_to(lab, &buf)));
	buf = room();
	ledger_view_enclave(&buf, &found.holder.enclave);
	if (!cs_hash_is_zero(&found.holder.enclave))
		assert_ok(ledger_read_enclave(&found.enclave, answer_to(lab, &buf)));
	return found;
}

/* As the watch asks: the newest epoch, and the one before. */
static struct ledger_registered look(struct lab *lab)
{
	const struct cs_hash identity = chain_1();
	struct ledger_registered_key keys[LEDGER_REGISTERED_KEYS] = {0};
	const uint64_t epoch = newest_epoch(lab, &identity);
	for (size_t i = 0; i < LEDGER_REGISTERED_KEYS && epoch > i; i++)
		keys[i] = look_at(lab, &identity, epoch - i);
	return ledger_registered_judge(keys, lab->block.time_s);
}

static struct ledger_registration registration(struct lab *lab, uint64_t secret)
{
	const struct cs_hash identity = chain_1();
	return register_lab_registration(lab, LEDGER_ROLE_BRIDGE, &identity, secret);
}

static struct cs_hash begin(struct lab *lab)
{
	const struct ledger_registration r = registration(lab, 201);
	return register_lab_register(lab, &r);
}

static void test_days_before_its_end(void **state)
{
	struct lab *lab = *state;
	assert_int_equal(look(lab).standing, LEDGER_STANDING_NOT_REGISTERED);
	assert_int_equal(look(lab).expires_s, 0);
	const struct cs_hash enclave = begin(lab);
	const uint64_t end_s = lab->block.time_s + 30 * DAY_S;
	struct ledger_registered now = look(lab);
	assert_int_equal(now.standing, LEDGER_STANDING_ACTIVE);
	assert_int_equal(now.expires_s, end_s);
	assert_int_equal(now.evidence_kind, 0);
	assert_hash(now.enclave, enclave);
	assert_false(ledger_registered_ends_soon(&now, lab->block.time_s));

	lab_next_block(lab, 23 * DAY_S);
	now = look(lab);
	assert_false(ledger_registered_ends_soon(&now, lab->block.time_s));
	lab_next_block(lab, 1);
	now = look(lab);
	assert_true(ledger_registered_ends_soon(&now, lab->block.time_s));

	lab_next_block(lab, 7 * DAY_S - 2);
	assert_int_equal(look(lab).standing, LEDGER_STANDING_ACTIVE);
	lab_next_block(lab, 1);
	now = look(lab);
	assert_int_equal(now.standing, LEDGER_STANDING_EXPIRED);
	assert_int_equal(now.expires_s, end_s);
	assert_false(ledger_registered_ends_soon(&now, lab->block.time_s));
}

static void test_a_renewal(void **state)
{
	struct lab *lab = *state;
	const struct cs_hash enclave = begin(lab);
	lab_next_block(lab, 31 * DAY_S);
	assert_int_equal(look(lab).standing, LEDGER_STANDING_EXPIRED);
	struct ledger_registration r = registration(lab, 201);
	r.enclave = enclave;
	assert_hash(register_lab_register(lab, &r), enclave);
	assert_int_equal(look(lab).standing, LEDGER_STANDING_ACTIVE);
	assert_int_equal(look(lab).expires_s, lab->block.time_s + 30 * DAY_S);
}

static void test_suspended_and_revoked(void **state)
{
	struct lab *lab = *state;
	const struct cs_hash enclave = begin(lab);
	register_lab_from(lab, REGISTER_GUARDIAN);
	lab_call(lab, ENCLAVES, "suspendEnclave(bytes32)", LAB_WORDS(enclave));
	assert_int_equal(look(lab).standing, LEDGER_STANDING_STOPPED);
	register_lab_by_owner(lab, ENCLAVES, "enableEnclave(bytes32)", LAB_WORDS(enclave));
	assert_int_equal(look(lab).standing, LEDGER_STANDING_ACTIVE);
	register_lab_from(lab, REGISTER_GUARDIAN);
	lab_call(lab, ENCLAVES, "suspendKey(bytes32,uint64)", LAB_WORDS(chain_1(), lab_word(1)));
	assert_int_equal(look(lab).standing, LEDGER_STANDING_STOPPED);
	lab_call(lab, ENCLAVES, "revokeEnclave(bytes32)", LAB_WORDS(enclave));
	assert_int_equal(look(lab).standing, LEDGER_STANDING_STOPPED);
	/* What is stopped ends all the same, and is told as stopped. */
	lab_next_block(lab, 31 * DAY_S);
	assert_int_equal(look(lab).standing, LEDGER_STANDING_STOPPED);
}

/* A key with an end of its own, and the next enclave's, which counts after the owner's delay. */
static void test_a_key_that_is_retired(void **state)
{
	struct lab *lab = *state;
	(void)begin(lab);
	register_lab_from(lab, REGISTER_OWNER);
	const uint64_t end_s = lab->block.time_s + 2 * DAY_S;
	lab_call(lab, ENCLAVES, "retireKey(bytes32,uint64,uint64)",
		 LAB_WORDS(chain_1(), lab_word(1), lab_word(end_s)));
	assert_int_equal(look(lab).expires_s, end_s);
	const struct ledger_registered now = look(lab);
	assert_true(ledger_registered_ends_soon(&now, lab->block.time_s));
	struct ledger_registration r = registration(lab, 202);
	r.keys[0].epoch = 2;
	const struct cs_hash next = register_lab_register(lab, &r);
	assert_int_equal(look(lab).standing, LEDGER_STANDING_ACTIVE);
	assert_int_equal(look(lab).expires_s, r.expires_s);
	lab_next_block(lab, 2 * DAY_S);
	assert_int_equal(look(lab).standing, LEDGER_STANDING_ACTIVE);
	assert_hash(look(lab).enclave, next);
}

/* ---- what is no answer ---- */

static void test_answers_that_are_none(void **state)
{
	static const uint8_t zeros[14 * 32];
	uint8_t words[13 * 32] = {0};
	struct ledger_registered_key found;
	uint64_t epoch;
	(void)state;
	assert_ok(ledger_read_epoch(&epoch, cs_bytes(zeros, 32)));
	assert_err(ledger_read_epoch(&epoch, cs_bytes(zeros, 31)), CS_ERR_TRUNCATED);
	assert_err(ledger_read_epoch(&epoch, cs_bytes(zeros, 64)), CS_ERR_TRAILING);
	assert_err(ledger_read_key(&found.key, cs_bytes(zeros, 4 * 32)), CS_ERR_TRUNCATED);
	assert_err(ledger_read_holder(&found.holder, cs_bytes(zeros, 7 * 32)), CS_ERR_TRAILING);
	assert_err(ledger_read_enclave(&found.enclave, cs_bytes(zeros, 14 * 32)), CS_ERR_TRAILING);
	assert_err(ledger_read_enclave(&found.enclave, CS_BYTES_NONE), CS_ERR_TRUNCATED);
	/* A fourth state of a key, and of an enclave; an end that no clock reaches. */
	words[2 * 32 - 1] = WIRE_KEY_REVOKED + 1;
	assert_err(ledger_read_key(&found.key, cs_bytes(words, 5 * 32)), CS_ERR_INVALID);
	words[2 * 32 - 1] = 0;
	words[31] = LEDGER_ENCLAVE_REVOKED + 1;
	assert_err(ledger_read_enclave(&found.enclave, CS_BYTES_OF(words)), CS_ERR_INVALID);
	words[31] = LEDGER_ENCLAVE_ACTIVE;
	assert_ok(ledger_read_enclave(&found.enclave, CS_BYTES_OF(words)));
	words[9 * 32 + 24] = 0x80;
	assert_err(ledger_read_enclave(&found.enclave, CS_BYTES_OF(words)), CS_ERR_INVALID);
	words[9 * 32 + 23] = 1;
	assert_err(ledger_read_enclave(&found.enclave, CS_BYTES_OF(words)), CS_ERR_OVERFLOW);
}

/* ---- by cases ---- */

static struct ledger_registered_key key_from_to(uint64_t from_s, uint64_t to_s, uint64_t expires_s)
{
	return (struct ledger_registered_key){
		.key = {lab_word(7), WIRE_KEY_ACTIVE, from_s, to_s},
		.holder = {lab_word(9),
			   NOW_S >= from_s && (to_s == 0 || NOW_S < to_s) && NOW_S < expires_s},
		.enclave = {LEDGER_ENCLAVE_ACTIVE, 0, expires_s}};
}

static struct ledger_registered judge(struct ledger_registered_key newest,
				      struct ledger_registered_key before)
{
	return ledger_registered_judge((struct ledger_registered_key[]){newest, before}, NOW_S);
}

static void test_a_rotation(void **state)
{
	(void)state;
	const uint64_t end_s = NOW_S + 30 * DAY_S;
	/* Announced: the old one ends, and the next one counts before that. */
	struct ledger_registered now =
		judge(key_from_to(NOW_S + 60, 0, end_s), key_from_to(1, NOW_S + 120, end_s));
	assert_int_equal(now.standing, LEDGER_STANDING_ACTIVE);
	assert_int_equal(now.expires_s, end_s);
	/* A gap between them is an end. */
	now = judge(key_from_to(NOW_S + 121, 0, end_s), key_from_to(1, NOW_S + 120, end_s));
	assert_int_equal(now.expires_s, NOW_S + 120);
	/* One of another enclave, which ends sooner, lengthens nothing. */
	now = judge(key_from_to(NOW_S + 60, 0, NOW_S + 100), key_from_to(1, NOW_S + 120, end_s));
	assert_int_equal(now.expires_s, NOW_S + 120);
	/* Over: the old one's end is nobody's. */
	now = judge(key_from_to(NOW_S - 60, 0, end_s), key_from_to(1, NOW_S, end_s));
	assert_int_equal(now.standing, LEDGER_STANDING_ACTIVE);
	assert_int_equal(now.expires_s, end_s);
	/* Nothing counts until the next one does. */
	now = judge(key_from_to(NOW_S + 60, 0, end_s), key_from_to(1, NOW_S, end_s));
	assert_int_equal(now.standing, LEDGER_STANDING_NOT_YET);
	assert_int_equal(now.expires_s, end_s);
	/* The newest says why none counts. */
	struct ledger_registered_key stopped = key_from_to(1, 0, end_s);
	stopped.key.state = WIRE_KEY_SUSPENDED;
	now = judge(stopped, key_from_to(1, NOW_S, end_s));
	assert_int_equal(now.standing, LEDGER_STANDING_STOPPED);
	now = judge((struct ledger_registered_key){0}, key_from_to(1, 0, NOW_S));
	assert_int_equal(now.standing, LEDGER_STANDING_EXPIRED);
	/* In time and of an active enclave, whose manifest is not the one that counts. */
	stopped = key_from_to(1, 0, end_s);
	stopped.holder.active = false;
	now = judge(stopped, (struct ledger_registered_key){0});
	assert_int_equal(now.standing, LEDGER_STANDING_STOPPED);
}

static void test_when_it_is_looked_at_again(void **state)
{
	(void)state;
	struct ledger_registered now = {.standing = LEDGER_STANDING_ACTIVE,
					.expires_s = NOW_S + 60};
	assert_int_equal(ledger_registered_pause_ms(&now, NOW_S), 60000);
	now.expires_s = NOW_S + 30;
	assert_int_equal(ledger_registered_pause_ms(&now, NOW_S), 31000);
	now.expires_s = NOW_S + 1;
	assert_int_equal(ledger_registered_pause_ms(&now, NOW_S), 2000);
	now.standing = LEDGER_STANDING_EXPIRED;
	assert_int_equal(ledger_registered_pause_ms(&now, NOW_S), 10000);
}

/* Hello has them in whatever order; the two newest are looked at. */
static void test_whose_keys(void **state)
{
	static const uint64_t epochs[] = {2, 5, 1, 4};
	struct ledger_registered_who who[2] = {{.identity = lab_word(1)},
					       {.identity = lab_word(2)}};
	const struct cs_hash second = lab_word(2), third = lab_word(3);
	(void)state;
	for (size_t i = 0; i < CS_LEN(epochs); i++) {
		const struct cs_hash x = lab_word(100 + epochs[i]);
		ledger_registered_add_key(&who[1], epochs[i], &x);
	}
	assert_int_equal(who[1].key_count, 2);
	assert_int_equal(who[1].epochs[0], 5);
	assert_hash(who[1].keys[0], lab_word(105));
	assert_int_equal(who[1].epochs[1], 4);
	assert_hash(who[1].keys[1], lab_word(104));
	assert_ptr_equal(ledger_registered_find(who, 2, &second), &who[1]);
	assert_null(ledger_registered_find(who, 2, &third));
	assert_null(ledger_registered_find(who, 1, &second));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_days_before_its_end),
		TEST(test_a_renewal),
		TEST(test_suspended_and_revoked),
		TEST(test_a_key_that_is_retired),
		cmocka_unit_test(test_answers_that_are_none),
		cmocka_unit_test(test_a_rotation),
		cmocka_unit_test(test_when_it_is_looked_at_again),
		cmocka_unit_test(test_whose_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
