/* Statuses of the built-in gateway in every order, beside a model of the table of
 * docs/protocol/envelope.md section 4, and the words of section 5 where an enclave proves them. The cases
 * are those of tests/contracts/test_deliver.py and test_vectors.py, by the same names where there is
 * one. */
#include "core/hash.h"
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

static bool try_as(const struct cs_address *from, struct cs_bytes input)
{
	struct cs_bytes output;
	world->lab->from = *from;
	return lab_try(world->lab, &output, WORLD_GATEWAY, input);
}

/* What becomes of a message by the table; NONE: the call reverts. */
static enum wire_status allowed(enum wire_call call, enum wire_status status, bool late, bool good)
{
	if (call == WIRE_CALL_DELIVER && status == WIRE_STATUS_NONE && !late)
		return good ? WIRE_STATUS_DELIVERED : WIRE_STATUS_FAILED;
	if (call == WIRE_CALL_RETRY && status == WIRE_STATUS_FAILED && !late && good)
		return WIRE_STATUS_DELIVERED;
	if (call == WIRE_CALL_CLOSE && status == WIRE_STATUS_FAILED && !late)
		return WIRE_STATUS_DEAD;
	if (call == WIRE_CALL_EXPIRE &&
	    (status == WIRE_STATUS_NONE || status == WIRE_STATUS_FAILED) && late)
		return WIRE_STATUS_DEAD;
	return WIRE_STATUS_NONE;
}

static const enum wire_call four_calls[] = {WIRE_CALL_DELIVER, WIRE_CALL_RETRY, WIRE_CALL_CLOSE,
					    WIRE_CALL_EXPIRE};

static struct wire_message closable(struct remote *remote)
{
	struct wire_message message = message_make(world, remote);
	message.head.closer = lab_address_word(&world->closer);
	return message;
}

/* A model of the two-bit field beside the contract, over neighbours in words and the ends of the
 * range. */
static void test_sequences_do_not_disturb_each_other(void **state)
{
	(void)state;
	static const uint64_t pool[] = {
		255, 1, 128, 2, UINT64_MAX, 63, 64, 126, 127, UINT64_MAX - 1, 129, 256, 1ull << 63};
	enum wire_status want[CS_LEN(pool)] = {WIRE_STATUS_NONE};
	struct wire_message messages[CS_LEN(pool)];
	for (size_t i = 0; i < CS_LEN(pool); i++) {
		messages[i] = closable(&world->remote);
		messages[i].head.sequence = pool[i];
	}
	for (size_t i = 0; i < CS_LEN(pool); i++) {
		want[i] = i % 3 == 0 ? WIRE_STATUS_DELIVERED : WIRE_STATUS_FAILED;
		app.mode = i % 3 == 0 ? APP_GOOD : APP_REVERTS;
		deliver(world, &world->remote, &messages[i], want[i]);
		if (i % 3 == 1) {
			assert_true(
				try_as(&world->closer, call_one(world, &world->remote,
								WIRE_CALL_CLOSE, &messages[i])));
			want[i] = WIRE_STATUS_DEAD;
		}
		for (size_t j = 0; j < CS_LEN(pool); j++)
			assert_int_equal(status_of(world, &messages[j]), want[j]);
	}
}

/* The order of the four calls that the number names. */
static void order_of(unsigned number, enum wire_call order[4])
{
	enum wire_call left[4];
	memcpy(left, four_calls, sizeof left);
	for (unsigned n = 4, i = 0; n > 0; i++) {
		const unsigned pick = number % n;
		number /= n;
		order[i] = left[pick];
		left[pick] = left[--n];
	}
}

static void every_order(enum wire_status start, bool late, bool good)
{
	const uint64_t deadline = world_now(world) + 500;
	struct wire_message messages[24];
	for (size_t i = 0; i < CS_LEN(messages); i++) {
		messages[i] = closable(&world->remote);
		messages[i].head.deadline = deadline;
		app.mode = APP_REVERTS;
		if (start == WIRE_STATUS_FAILED)
			deliver(world, &world->remote, &messages[i], WIRE_STATUS_FAILED);
	}
	app.mode = good ? APP_GOOD : APP_REVERTS;
	world_at(world, deadline - !late);
	for (unsigned i = 0; i < CS_LEN(messages); i++) {
		enum wire_call order[4];
		enum wire_status status = start;
		order_of(i, order);
		for (size_t j = 0; j < CS_LEN(order); j++) {
			const enum wire_status after = allowed(order[j], status, late, good);
			bool ran = try_as(&world->closer,
					  call_one(world, &world->remote, order[j], &messages[i]));
			assert_int_equal(ran, after != WIRE_STATUS_NONE);
			status = ran ? after : status;
			assert_int_equal(status_of(world, &messages[i]), status);
		}
	}
}

static void test_every_order_in_one_block(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 8; i++)
		every_order(i & 1 ? WIRE_STATUS_FAILED : WIRE_STATUS_NONE, (i & 2) != 0,
			    (i & 4) != 0);
}

/* ---- at random ---- */

struct page {
	struct wire_message message;
	enum wire_status status;
};
#define PAGES 16u

static uint64_t next_random(uint64_t *random, uint64_t below)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return *random % below;
}

/* One call with some of the messages of one source: it happens if one of them may. */
static void turn(uint64_t *random, struct remote *remote, struct page book[PAGES])
{
	const enum wire_call call = four_calls[next_random(random, 4)];
	const bool many = call == WIRE_CALL_DELIVER || call == WIRE_CALL_EXPIRE;
	const bool good = next_random(random, 2) == 0;
	const size_t first = next_random(random, PAGES);
	const size_t count = many ? 1 + next_random(random, 5) : 1;
	struct wire_message messages[5];
	enum wire_status after[5];
	bool any = false;
	app.mode = good ? APP_GOOD : APP_REVERTS;
	for (size_t i = 0; i < count; i++) {
		const struct page *page = &book[(first + 3 * i) % PAGES];
		messages[i] = page->message;
		after[i] = allowed(call, page->status,
				   world_now(world) >= page->message.head.deadline, good);
		any = any || after[i] != WIRE_STATUS_NONE;
	}
	assert_int_equal(try_as(&world->closer, call_of(world, remote, call, messages, count)),
			 any);
	for (size_t i = 0; i < count; i++) {
		struct page *page = &book[(first + 3 * i) % PAGES];
		page->status = after[i] == WIRE_STATUS_NONE ? page->status : after[i];
	}
}

/* Batches, retries, closings and expiries at random times over two sources, beside the model. */
static void walk(uint64_t seed)
{
	uint64_t random = seed * 0x9e3779b97f4a7c15u + 1;
	struct remote other = remote_make(world, "cosmos:ledger-2", "second");
	struct remote *const remotes[] = {&world->remote, &other};
	static struct page books[2][PAGES];
	size_t seen[4] = {0};
	world_register(world, &other);
	for (size_t i = 0; i < 2 * PAGES; i++) {
		struct page *page = &books[i % 2][i / 2];
		*page = (struct page){closable(remotes[i % 2]), WIRE_STATUS_NONE};
		page->message.head.sequence = 120 + i / 2;
		page->message.head.deadline = world_now(world) + 50 + next_random(&random, 350);
	}
	for (unsigned i = 0; i < 120; i++) {
		const size_t side = next_random(&random, 2);
		world_at(world, world_now(world) + next_random(&random, 6));
		turn(&random, remotes[side], books[side]);
		for (size_t j = 0; j < 2 * PAGES; j++) {
			const struct page *page = &books[j % 2][j / 2];
			const enum wire_status status = status_of(world, &page->message);
			if (status != page->status)
				fail_msg("seed %llu: step %u", (unsigned long long)seed, i);
			seen[status]++;
		}
	}
	assert_true(seen[WIRE_STATUS_DELIVERED] > 0 && seen[WIRE_STATUS_DEAD] > 0);
}

static void test_random_walk(void **state)
{
	for (uint64_t seed = 1; seed <= 4; seed++) {
		walk(seed);
		tear_down(state);
		set_up(state);
	}
}

/* ---- what is proven ---- */

static struct cs_hash word_at(const struct cs_hash *slot)
{
	uint8_t key[2 + sizeof *slot] = {WORLD_GATEWAY, 's'};
	struct cs_bytes value;
	struct cs_hash word = {{0}};
	memcpy(key + 2, slot->b, sizeof *slot);
	enum cs_err err = ledger_state_get(world->lab->state, &value, CS_BYTES_OF(key));
	if (err == CS_ERR_NOT_FOUND)
		return word;
	assert_ok(err);
	assert_int_equal(value.n, sizeof word);
	memcpy(word.b, value.p, sizeof word);
	return word;
}

static void test_layout(void **state)
{
	(void)state;
	const struct cs_hash source = world->remote.identity;
	struct wire_message message = message_make(world, &world->remote);
	struct cs_hash slot = wire_evm_sentinel_slot(), words[WIRE_EVM_KEY_WORDS], word;
	struct wire_key key;
	assert_hash(word_at(&slot), wire_evm_sentinel_value(&world->identity));
	for (unsigned i = 0; i < WIRE_EVM_KEY_WORDS; i++) {
		slot = wire_evm_key_slot(&source, 1, i);
		words[i] = word_at(&slot);
	}
	assert_ok(wire_evm_key(&key, words));
	assert_hash(key.x, world->remote.x);
	assert_int_equal(key.state, WIRE_KEY_ACTIVE);
	assert_int_equal(key.not_before_s, world_now(world));
	assert_int_equal(key.not_after_s, 0);
	slot = wire_evm_status_slot(&source, message.head.sequence);
	word = word_at(&slot);
	assert_true(cs_hash_is_zero(&word)); /* no pair: its absence is what is proven */
	deliver(world, &world->remote, &message, WIRE_STATUS_DELIVERED);
	word = word_at(&slot);
	assert_int_equal(wire_evm_status(&word, message.head.sequence), WIRE_STATUS_DELIVERED);
	assert_int_equal(wire_evm_status(&word, message.head.sequence + 1), WIRE_STATUS_NONE);
	/* A key that ends, and one that is suspended. */
	const uint64_t end = world_now(world) + 77;
	world_do(world, &world->owner, WORLD_GATEWAY, "retireKey(bytes32,uint64,uint64)",
		 LAB_WORDS(source, lab_word(1), lab_word(end)));
	world_do(world, &world->guardian, WORLD_GATEWAY, "suspendKey(bytes32,uint64)",
		 LAB_WORDS(source, lab_word(1)));
	slot = wire_evm_key_slot(&source, 1, 1);
	words[1] = word_at(&slot);
	assert_ok(wire_evm_key(&key, words));
	assert_int_equal(key.state, WIRE_KEY_SUSPENDED);
	assert_int_equal(key.not_after_s, end);
}

static void test_signed_again_under_a_new_epoch(void **state)
{
	(void)state;
	const struct cs_secret second = secret_of("second");
	const struct cs_hash zero = {{0}};
	world_later(
		world, WORLD_GATEWAY, "registerKey(bytes32,uint64,bytes32,bytes32,bytes32)",
		LAB_WORDS(world->remote.identity, lab_word(2), x_of(world, &second), zero, zero));
	struct wire_message first = message_make(world, &world->remote);
	struct wire_message next = message_make(world, &world->remote);
	struct signing how = signing_of(world, &world->remote, WIRE_KIND_MESSAGE);
	deliver(world, &world->remote, &first, WIRE_STATUS_DELIVERED);
	how.key = second;
	how.epoch = 2;
	struct cs_hash root = messages_root(&first, 1);
	struct wire_signed statement = sign(world, &how, &root);
	world_refuse_input(world, &world->anyone, WORLD_GATEWAY,
			   call_signed(WIRE_CALL_DELIVER, &statement, &first, 1), "StatusIs(uint8)",
			   LAB_WORDS(lab_word(WIRE_STATUS_DELIVERED)));
	root = messages_root(&next, 1);
	statement = sign(world, &how, &root);
	struct cs_bytes good = call_signed(WIRE_CALL_DELIVER, &statement, &next, 1);
	how.epoch = 1;
	statement = sign(world, &how, &root);
	world_refuse_input(world, &world->anyone, WORLD_GATEWAY,
			   call_signed(WIRE_CALL_DELIVER, &statement, &next, 1),
			   "SignatureInvalid()", LAB_NONE);
	world_do_input(world, &world->anyone, WORLD_GATEWAY, good);
	assert_int_equal(app_received(world, WORLD_APP), 2);
}

/* Two chains with one id, whose states at genesis differ: they do not share their tag, and so not
 * their identity. */
static void test_twin_chain(void **state)
{
	(void)state;
	struct wire_message message = message_make(world, &world->remote);
	struct cs_bytes input = call_one(world, &world->remote, WIRE_CALL_DELIVER, &message);
	struct world *twin = world_new("ledger-1", false);
	const struct cs_hash other_tag = cs_keccak256(cs_bytes_str("another genesis"));
	world_name(twin, &other_tag);
	assert_false(cs_hash_eq(&twin->identity, &world->identity));
	assert_hash(lab_ask(twin->lab, WORLD_GATEWAY, "sentinel()", LAB_NONE),
		    wire_evm_sentinel_value(&twin->identity));
	world_refuse_input(twin, &twin->anyone, WORLD_GATEWAY, input, "SignatureInvalid()",
			   LAB_NONE);
	world_free(twin);
	world_do_input(world, &world->anyone, WORLD_GATEWAY, input);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		TEST(test_sequences_do_not_disturb_each_other),
		TEST(test_every_order_in_one_block),
		TEST(test_random_walk),
		TEST(test_layout),
		TEST(test_signed_again_under_a_new_epoch),
		TEST(test_twin_chain),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
