/* Keys, epochs and rotation at the built-in gateway. The cases are those of tests/contracts/test_keys.py, by the same names where there is one. */
#include "core/hash.h"
#include "tests/unit/ledger/gateway_lab.h"

static struct world *world;
static struct cs_secret second, third;
static struct cs_hash second_x, third_x;

static int set_up(void **state)
{
	(void)state;
	world = world_new("ledger-1", false);
	second = secret_of("second");
	third = secret_of("third");
	second_x = x_of(world, &second);
	third_x = x_of(world, &third);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	world_free(world);
	return 0;
}

#define REGISTER_KEY "registerKey(bytes32,uint64,bytes32,bytes32,bytes32)"
#define KEY_CHANGED "KeyChanged(bytes32,uint64,uint8,uint64,uint64)"

/* ---- calls ---- */

static struct cs_bytes names_of(const struct remote *remote, uint64_t epoch, struct cs_hash x)
{
	return words_call(REGISTER_KEY, LAB_WORDS(remote->identity, lab_word(epoch), x,
						  lab_word(11), lab_word(12)));
}

static struct cs_bytes names(uint64_t epoch, struct cs_hash x)
{
	return names_of(&world->remote, epoch, x);
}

static struct cs_bytes of_key(const char *signature, uint64_t epoch)
{
	return words_call(signature, LAB_WORDS(world->remote.identity, lab_word(epoch)));
}

static struct cs_bytes retire(uint64_t epoch, uint64_t at_s)
{
	return words_call("retireKey(bytes32,uint64,uint64)",
			  LAB_WORDS(world->remote.identity, lab_word(epoch), lab_word(at_s)));
}

static struct cs_bytes rotation(uint64_t epoch, struct cs_hash x, uint64_t by,
				const struct cs_secret *key)
{
	uint8_t *memory = keep(WIRE_EVM_CALL_ROTATION_SIZE_MAX);
	struct signing how = signing_of(world, &world->remote, WIRE_KIND_ROTATION);
	struct cs_buf buf;
	const struct cs_hash leaf = wire_leaf_rotation(epoch, &x);
	how.epoch = by;
	if (key != NULL)
		how.key = *key;
	const struct wire_signed statement = sign(world, &how, &leaf);
	cs_buf_init(&buf, memory, WIRE_EVM_CALL_ROTATION_SIZE_MAX);
	assert_ok(wire_evm_call_announce_rotation(&buf, &statement, epoch, &x));
	return cs_buf_view(&buf);
}

static void act(const struct cs_address *from, struct cs_bytes input)
{
	world_do_input(world, from, WORLD_GATEWAY, input);
}

static void refuse(const struct cs_address *from, struct cs_bytes input, const char *error)
{
	world_refuse_input(world, from, WORLD_GATEWAY, input, error, LAB_NONE);
}

static void announce(uint64_t epoch, struct cs_hash x)
{
	act(&world->anyone, rotation(epoch, x, epoch - 1, NULL));
}

static void advance(uint64_t seconds)
{
	world_at(world, world_now(world) + seconds);
}

struct key {
	struct cs_hash x, state, not_before, not_after, namers;
};

static struct key key_of(uint64_t epoch)
{
	struct key key;
	struct cs_bytes output = lab_call(world->lab, WORLD_GATEWAY, "keyOf(bytes32,uint64)",
					  LAB_WORDS(world->remote.identity, lab_word(epoch)));
	assert_int_equal(output.n, sizeof key);
	memcpy(&key, output.p, sizeof key);
	return key;
}

static void assert_state(uint64_t epoch, enum wire_key_state want)
{
	assert_hash(key_of(epoch).state, lab_word(want));
}

static void assert_key(uint64_t epoch, struct cs_hash x, enum wire_key_state state,
		       uint64_t not_before, uint64_t not_after, unsigned namers)
{
	const struct key key = key_of(epoch);
	assert_hash(key.x, x);
	assert_hash(key.state, lab_word(state));
	assert_hash(key.not_before, lab_word(not_before));
	assert_hash(key.not_after, lab_word(not_after));
	assert_hash(key.namers, lab_word(namers));
}

/* A delivery under a key; error NULL: it must succeed. */
static void delivers(const struct cs_secret *key, uint64_t epoch, const char *error)
{
	struct wire_message message = message_make(world, &world->remote);
	struct signing how = signing_of(world, &world->remote, WIRE_KIND_MESSAGE);
	how.epoch = epoch;
	if (key != NULL)
		how.key = *key;
	const struct cs_hash root = messages_root(&message, 1);
	const struct wire_signed statement = sign(world, &how, &root);
	struct cs_bytes input = call_signed(WIRE_CALL_DELIVER, &statement, &message, 1);
	if (error == NULL)
		act(&world->anyone, input);
	else
		refuse(&world->anyone, input, error);
}

static void schedule(struct cs_bytes operation)
{
	act(&world->owner, bytes_call("schedule(bytes)", operation));
}

/* ---- keys by the owner ---- */

static void test_first_key_needs_no_delay(void **state)
{
	(void)state;
	const struct remote other = remote_make(world, "eip155:5", "other");
	refuse(&world->owner, names_of(&other, 1, other.x), "RemoteUnknown()");
	act(&world->owner, register_call(&other));
	refuse(&world->anyone, names_of(&other, 7, other.x), "NotOwner()");
	refuse(&world->guardian, names_of(&other, 7, other.x), "NotOwner()");
	refuse(&world->owner, names_of(&other, 0, other.x), "KeyInvalid()");
	act(&world->owner, names_of(&other, 7, other.x));
	const struct ledger_log *log =
		lab_log(world->lab, "KeyRegistered(bytes32,uint64,bytes32,bytes32,bytes32)", 0);
	const struct cs_hash want[] = {lab_word(7), other.x, lab_word(11), lab_word(12)};
	assert_hash(log->topics[1], other.identity);
	assert_bytes(log->data, cs_bytes(want, sizeof want));
	/* The exemption is spent, for any epoch. */
	static const uint64_t epochs[] = {7, 8, 1};
	for (size_t i = 0; i < CS_LEN(epochs); i++)
		refuse(&world->owner, names_of(&other, epochs[i], second_x), "OperationUnknown()");
}

static void test_exemption_is_spent_even_when_the_key_is_gone(void **state)
{
	(void)state;
	act(&world->guardian, of_key("revokeKey(bytes32,uint64)", 1));
	refuse(&world->owner, names(2, second_x), "OperationUnknown()");
}

/* Zero, the order of the group, the prime, all ones, and an x of no point. */
static void bad_keys(struct cs_hash keys[5])
{
	keys[0] = lab_word(0);
	keys[1] =
		hash_of_text("0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
	keys[2] =
		hash_of_text("0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f");
	keys[3] = lab_byte_word(0xff);
	keys[4] = lab_word(5);
}

static void test_key_that_is_none(void **state)
{
	(void)state;
	struct cs_hash keys[5];
	bad_keys(keys);
	for (size_t i = 0; i < CS_LEN(keys); i++)
		schedule(names(2, keys[i]));
	advance(WORLD_DELAY);
	for (size_t i = 0; i < CS_LEN(keys); i++) {
		refuse(&world->owner, names(2, keys[i]), "KeyInvalid()");
		refuse(&world->anyone, rotation(2, keys[i], 1, NULL), "KeyInvalid()");
	}
}

static void test_later_key_waits(void **state)
{
	(void)state;
	struct cs_bytes input = names(2, second_x);
	refuse(&world->owner, input, "OperationUnknown()");
	schedule(input);
	const uint64_t ready = world_now(world) + WORLD_DELAY;
	const struct cs_hash id = cs_keccak256(input);
	assert_hash(lab_ask(world->lab, WORLD_GATEWAY, "readyAt(bytes32)", &id, 1),
		    lab_word(ready));
	world_at(world, ready - 1);
	world_refuse_input(world, &world->owner, WORLD_GATEWAY, input, "OperationEarly(uint256)",
			   LAB_WORDS(lab_word(ready)));
	world_at(world, ready);
	refuse(&world->owner, names(2, third_x), "OperationUnknown()");
	refuse(&world->guardian, input, "NotOwner()");
	act(&world->owner, input);
	assert_int_equal(lab_log_count(world->lab, "OperationExecuted(bytes32)"), 1);
	assert_key(2, second_x, WIRE_KEY_ACTIVE, ready, 0, 1);
	delivers(&second, 2, NULL);
	delivers(NULL, 1, NULL);
	refuse(&world->owner, input, "OperationUnknown()");
}

static void test_epoch_is_named_once(void **state)
{
	(void)state;
	schedule(names(1, second_x));
	schedule(names(1, world->remote.x));
	advance(WORLD_DELAY);
	refuse(&world->owner, names(1, second_x), "KeyKnown()");
	refuse(&world->owner, names(1, world->remote.x), "KeyKnown()");
}

/* Valid before notAfter, not at it. */
static void test_retired(void **state)
{
	(void)state;
	const uint64_t end = world_now(world) + 500;
	refuse(&world->owner, retire(5, end), "KeyUnknown()");
	refuse(&world->owner, retire(1, 0), "KeyNotShortened()");
	refuse(&world->guardian, retire(1, end), "NotOwner()");
	act(&world->owner, retire(1, end));
	const uint64_t later[] = {end, end + 1, 0, UINT64_MAX};
	for (size_t i = 0; i < CS_LEN(later); i++)
		refuse(&world->owner, retire(1, later[i]), "KeyNotShortened()");
	world_at(world, end - 1);
	delivers(NULL, 1, NULL);
	world_at(world, end);
	delivers(NULL, 1, "KeyExpired()");
}

/* ---- suspend, revoke, enable ---- */

static void suspended_key_signs_nothing(const struct cs_address *who)
{
	const struct cs_hash sent = send_one(world, &world->remote);
	struct wire_message failed = message_make(world, &world->remote);
	struct wire_message fresh = message_make(world, &world->remote);
	failed.head.closer = lab_address_word(&world->closer);
	app.mode = APP_REVERTS;
	deliver(world, &world->remote, &failed, WIRE_STATUS_FAILED);
	app.mode = APP_GOOD;
	act(who, of_key("suspendKey(bytes32,uint64)", 1));
	const struct cs_bytes calls[] = {
		call_one(world, &world->remote, WIRE_CALL_DELIVER, &fresh),
		call_one(world, &world->remote, WIRE_CALL_RETRY, &failed),
		call_one(world, &world->remote, WIRE_CALL_CLOSE, &failed),
		call_one(world, &world->remote, WIRE_CALL_EXPIRE, &fresh),
		finalize_one(world, &world->remote, &sent, WIRE_STATUS_DELIVERED),
		rotation(2, second_x, 1, NULL),
	};
	for (size_t i = 0; i < CS_LEN(calls); i++)
		refuse(&world->closer, calls[i], "KeyNotActive()");
	struct cs_bytes enable = of_key("enableKey(bytes32,uint64)", 1);
	refuse(&world->owner, of_key("suspendKey(bytes32,uint64)", 1), "KeyNotActive()");
	refuse(&world->owner, enable, "OperationUnknown()");
	refuse(&world->guardian, enable, "NotOwner()");
	world_later_input(world, WORLD_GATEWAY, enable);
	deliver(world, &world->remote, &fresh, WIRE_STATUS_DELIVERED);
	act(&world->anyone, finalize_one(world, &world->remote, &sent, WIRE_STATUS_DELIVERED));
}

static void test_suspended_key_signs_nothing(void **state)
{
	(void)state;
	suspended_key_signs_nothing(&world->owner);
}

static void test_suspended_by_the_guardian(void **state)
{
	(void)state;
	suspended_key_signs_nothing(&world->guardian);
}

static void test_last_epoch_can_be_stopped_too(void **state)
{
	(void)state;
	world_later_input(world, WORLD_GATEWAY, names(UINT64_MAX, second_x));
	act(&world->guardian, of_key("suspendKey(bytes32,uint64)", UINT64_MAX));
	act(&world->guardian, of_key("revokeKey(bytes32,uint64)", UINT64_MAX));
	assert_state(UINT64_MAX, WIRE_KEY_REVOKED);
	assert_state(0, WIRE_KEY_ABSENT);
}

static void test_strangers_stop_nothing(void **state)
{
	(void)state;
	refuse(&world->anyone, of_key("suspendKey(bytes32,uint64)", 1), "NotOwnerOrGuardian()");
	refuse(&world->anyone, of_key("revokeKey(bytes32,uint64)", 1), "NotOwnerOrGuardian()");
	refuse(&world->owner, of_key("suspendKey(bytes32,uint64)", 2), "KeyNotActive()");
	refuse(&world->owner, of_key("revokeKey(bytes32,uint64)", 2), "KeyUnknown()");
}

static void test_revoked_for_ever(void **state)
{
	(void)state;
	struct cs_bytes revoke = of_key("revokeKey(bytes32,uint64)", 1);
	struct cs_bytes enable = of_key("enableKey(bytes32,uint64)", 1);
	struct cs_bytes again = names(1, world->remote.x);
	act(&world->guardian, revoke);
	delivers(NULL, 1, "KeyNotActive()");
	refuse(&world->guardian, revoke, "KeyRevoked()");
	refuse(&world->guardian, of_key("suspendKey(bytes32,uint64)", 1), "KeyNotActive()");
	schedule(enable);
	schedule(again);
	advance(WORLD_DELAY);
	refuse(&world->owner, enable, "KeyNotSuspended()");
	refuse(&world->owner, again, "KeyKnown()");
	/* The way back when a sealed key has died with its host: another epoch, by the owner. */
	world_later_input(world, WORLD_GATEWAY, names(2, second_x));
	delivers(&second, 2, NULL);
}

/* ---- announced rotation ---- */

static void test_rotation(void **state)
{
	(void)state;
	announce(2, second_x);
	const uint64_t effect = world_now(world) + WORLD_ROTATION_DELAY,
		       end = effect + WORLD_OVERLAP;
	assert_key(2, second_x, WIRE_KEY_ACTIVE, effect, 0, 2);
	assert_hash(key_of(1).not_after, lab_word(end));
	world_at(world, effect - 1);
	delivers(NULL, 1, NULL);
	delivers(&second, 2, "KeyEarly()");
	world_at(world, effect);
	delivers(&second, 2, NULL);
	delivers(NULL, 1, NULL);
	world_at(world, end - 1);
	delivers(NULL, 1, NULL);
	world_at(world, end);
	delivers(NULL, 1, "KeyExpired()");
	delivers(&second, 2, NULL);
	/* And on: the new one announces the next. */
	act(&world->anyone, rotation(3, third_x, 2, &second));
	assert_state(3, WIRE_KEY_ACTIVE);
}

static void test_rotation_refused(void **state)
{
	(void)state;
	refuse(&world->anyone, rotation(2, second_x, 1, &second), "SignatureInvalid()");
	static const uint64_t epochs[] = {0, 1, 3, UINT64_MAX};
	for (size_t i = 0; i < CS_LEN(epochs); i++)
		refuse(&world->anyone, rotation(epochs[i], second_x, 1, NULL), "EpochNotNext()");
	/* Another key than was signed. */
	struct cs_bytes good = rotation(2, second_x, 1, NULL);
	uint8_t *other = keep(good.n);
	memcpy(other, good.p, good.n);
	memcpy(other + 4 + 3 * 32, third_x.b, sizeof third_x.b);
	refuse(&world->anyone, cs_bytes(other, good.n), "SignatureInvalid()");
	assert_state(2, WIRE_KEY_ABSENT);
}

static void test_pending_key_announces_nothing(void **state)
{
	(void)state;
	announce(2, second_x);
	refuse(&world->anyone, rotation(3, third_x, 2, &second), "KeyEarly()");
	refuse(&world->anyone, rotation(2, second_x, 1, NULL), "KeyKnown()");
}

static void test_two_announcements_for_one_epoch(void **state)
{
	(void)state;
	announce(2, second_x);
	announce(2, third_x);
	const struct ledger_log *log =
		lab_log(world->lab, "RotationConflict(bytes32,uint64,bytes32,bytes32)", 0);
	const struct cs_hash want[] = {lab_word(2), second_x, third_x};
	assert_bytes(log->data, cs_bytes(want, sizeof want));
	assert_int_equal(lab_log_count(world->lab, KEY_CHANGED), 2);
	assert_state(1, WIRE_KEY_SUSPENDED);
	assert_state(2, WIRE_KEY_SUSPENDED);
	assert_hash(key_of(2).x, second_x);
	delivers(NULL, 1, "KeyNotActive()");
	advance(WORLD_ROTATION_DELAY);
	delivers(&second, 2, "KeyNotActive()");
}

/* Whoever holds the old key in its overlap and announces another: both are stopped, as nobody can
 * tell who is who. */
static void test_second_announcement_after_the_first_took_effect(void **state)
{
	(void)state;
	announce(2, second_x);
	advance(WORLD_ROTATION_DELAY + 1);
	announce(2, third_x);
	assert_state(1, WIRE_KEY_SUSPENDED);
	assert_state(2, WIRE_KEY_SUSPENDED);
}

static void test_confirmed_key_survives_its_predecessor(void **state)
{
	(void)state;
	announce(2, second_x);
	const uint64_t effect = world_now(world) + WORLD_ROTATION_DELAY;
	world_later_input(world, WORLD_GATEWAY, names(2, second_x));
	assert_key(2, second_x, WIRE_KEY_ACTIVE, effect, 0, 3); /* confirmed, not earlier */
	announce(2, third_x); /* the holder of the old key is exposed */
	assert_state(1, WIRE_KEY_SUSPENDED);
	assert_state(2, WIRE_KEY_ACTIVE);
	act(&world->guardian, of_key("revokeKey(bytes32,uint64)", 1));
	assert_state(2, WIRE_KEY_ACTIVE);
	world_at(world, effect);
	delivers(&second, 2, NULL);
}

static void test_owner_cannot_confirm_another_key(void **state)
{
	(void)state;
	announce(2, second_x);
	schedule(names(2, third_x));
	advance(WORLD_DELAY);
	refuse(&world->owner, names(2, third_x), "KeyKnown()");
}

static void test_epoch_of_the_owner_cannot_be_announced(void **state)
{
	(void)state;
	world_later_input(world, WORLD_GATEWAY, names(2, second_x));
	refuse(&world->anyone, rotation(2, second_x, 1, NULL), "KeyKnown()");
	refuse(&world->anyone, rotation(2, third_x, 1, NULL), "EpochReserved()");
	assert_state(1, WIRE_KEY_ACTIVE);
}

static void test_revoking_follows_the_chain_of_announcements(void **state)
{
	(void)state;
	const struct cs_secret fourth = secret_of("fourth");
	announce(2, second_x);
	advance(WORLD_ROTATION_DELAY);
	act(&world->anyone, rotation(3, third_x, 2, &second));
	world_later_input(world, WORLD_GATEWAY, names(4, x_of(world, &fourth)));
	act(&world->owner, of_key("revokeKey(bytes32,uint64)", 1));
	assert_int_equal(lab_log_count(world->lab, KEY_CHANGED), 3);
	for (uint64_t epoch = 1; epoch <= 3; epoch++)
		assert_state(epoch, WIRE_KEY_REVOKED);
	assert_state(4, WIRE_KEY_ACTIVE);
	delivers(&second, 2, "KeyNotActive()");
}

static void test_revoking_a_successor_leaves_the_old(void **state)
{
	(void)state;
	announce(2, second_x);
	act(&world->guardian, of_key("revokeKey(bytes32,uint64)", 2));
	assert_state(1, WIRE_KEY_ACTIVE);
	assert_state(2, WIRE_KEY_REVOKED);
	delivers(NULL, 1, NULL);
	refuse(&world->anyone, rotation(2, second_x, 1, NULL), "KeyKnown()");
}

static void test_suspending_takes_pending_successors_along(void **state)
{
	(void)state;
	announce(2, second_x);
	act(&world->guardian, of_key("suspendKey(bytes32,uint64)", 1));
	assert_state(1, WIRE_KEY_SUSPENDED);
	assert_state(2, WIRE_KEY_SUSPENDED);
}

static void test_suspending_leaves_successors_in_effect(void **state)
{
	(void)state;
	announce(2, second_x);
	advance(WORLD_ROTATION_DELAY);
	act(&world->guardian, of_key("suspendKey(bytes32,uint64)", 1));
	assert_state(1, WIRE_KEY_SUSPENDED);
	assert_state(2, WIRE_KEY_ACTIVE);
}

static void test_rotation_does_not_lengthen_a_retired_key(void **state)
{
	(void)state;
	const uint64_t end = world_now(world) + 100;
	act(&world->owner, retire(1, end));
	announce(2, second_x);
	assert_hash(key_of(1).not_after, lab_word(end));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		TEST(test_first_key_needs_no_delay),
		TEST(test_exemption_is_spent_even_when_the_key_is_gone),
		TEST(test_key_that_is_none),
		TEST(test_later_key_waits),
		TEST(test_epoch_is_named_once),
		TEST(test_retired),
		TEST(test_suspended_key_signs_nothing),
		TEST(test_suspended_by_the_guardian),
		TEST(test_last_epoch_can_be_stopped_too),
		TEST(test_strangers_stop_nothing),
		TEST(test_revoked_for_ever),
		TEST(test_rotation),
		TEST(test_rotation_refused),
		TEST(test_pending_key_announces_nothing),
		TEST(test_two_announcements_for_one_epoch),
		TEST(test_second_announcement_after_the_first_took_effect),
		TEST(test_confirmed_key_survives_its_predecessor),
		TEST(test_owner_cannot_confirm_another_key),
		TEST(test_epoch_of_the_owner_cannot_be_announced),
		TEST(test_revoking_follows_the_chain_of_announcements),
		TEST(test_revoking_a_successor_leaves_the_old),
		TEST(test_suspending_takes_pending_successors_along),
		TEST(test_suspending_leaves_successors_in_effect),
		TEST(test_rotation_does_not_lengthen_a_retired_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
