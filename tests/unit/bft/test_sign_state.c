/* What a key may sign after what it has signed, and that the state survives writes that do not
 * end. */
#include "relay_state/bft/sign_state.h"

/* cmocka.h needs the first four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
/* clang-format on */

static const uint8_t signature[64] = {1, 2, 3};
static const uint8_t extension_signature[64] = {4, 5, 6};

static struct cmt_block_id block(uint8_t tag)
{
	struct cs_hash hash;
	memset(hash.b, tag, sizeof hash.b);
	return (struct cmt_block_id){cmt_hash_of(&hash), {1, cmt_hash_of(&hash)}};
}

/* tag 0: nil. */
static struct bft_sign_request request(enum bft_sign_step step, int64_t height, int32_t round,
				       uint8_t tag)
{
	struct bft_sign_request r = {.step = step, .height = height, .round = round};
	if (tag != 0)
		r.block_id = block(tag);
	r.time_ns = 1000;
	return r;
}

static void only_rises(void **unused)
{
	(void)unused;
	struct bft_sign_state s;
	bft_sign_state_init(&s);
	struct bft_sign_request now = request(BFT_SIGN_PREVOTE, 5, 2, 1);
	assert_int_equal(bft_sign_state_may(&s, &now), BFT_SIGN_NEW);
	bft_sign_state_record(&s, &now, signature, NULL);
	static const struct {
		enum bft_sign_step step;
		int64_t height;
		int32_t round;
		uint8_t tag;
		enum bft_sign_verdict verdict;
	} rows[] = {
		{BFT_SIGN_PREVOTE, 5, 2, 1, BFT_SIGN_REPEAT},
		{BFT_SIGN_PREVOTE, 5, 2, 2, BFT_SIGN_REFUSE},
		{BFT_SIGN_PREVOTE, 5, 2, 0, BFT_SIGN_REFUSE},
		{BFT_SIGN_PROPOSAL, 5, 2, 1, BFT_SIGN_REFUSE},
		{BFT_SIGN_PRECOMMIT, 5, 2, 2, BFT_SIGN_NEW},
		{BFT_SIGN_PRECOMMIT, 5, 1, 1, BFT_SIGN_REFUSE},
		{BFT_SIGN_PREVOTE, 5, 3, 2, BFT_SIGN_NEW},
		{BFT_SIGN_PRECOMMIT, 4, 9, 1, BFT_SIGN_REFUSE},
		{BFT_SIGN_PROPOSAL, 6, 0, 2, BFT_SIGN_NEW},
	};
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		struct bft_sign_request r =
			request(rows[i].step, rows[i].height, rows[i].round, rows[i].tag);
		assert_int_equal(bft_sign_state_may(&s, &r), rows[i].verdict);
	}
}

/* Another time alone is the same thing: the old signature serves. */
static void another_time_is_a_repeat(void **unused)
{
	(void)unused;
	struct bft_sign_state s;
	bft_sign_state_init(&s);
	struct bft_sign_request r = request(BFT_SIGN_PROPOSAL, 1, 0, 1);
	r.pol_round = -1;
	bft_sign_state_record(&s, &r, signature, NULL);
	r.time_ns = 2000;
	assert_int_equal(bft_sign_state_may(&s, &r), BFT_SIGN_REPEAT);
	assert_int_equal(s.time_ns, 1000);
	r.pol_round = 0;
	assert_int_equal(bft_sign_state_may(&s, &r), BFT_SIGN_REFUSE);
}

static void remembers_the_lock_of_its_height(void **unused)
{
	(void)unused;
	struct bft_sign_state s;
	struct cmt_block_id one = block(1), two = block(2);
	bft_sign_state_init(&s);
	struct bft_sign_request r = request(BFT_SIGN_PRECOMMIT, 1, 0, 1);
	bft_sign_state_record(&s, &r, signature, NULL);
	r = request(BFT_SIGN_PREVOTE, 1, 1, 0);
	bft_sign_state_record(&s, &r, signature, NULL);
	r = request(BFT_SIGN_PRECOMMIT, 1, 1, 0);
	bft_sign_state_record(&s, &r, signature, NULL);
	assert_int_equal(s.lock_round, 0);
	assert_true(cmt_block_id_eq(&s.lock_id, &one));
	r = request(BFT_SIGN_PRECOMMIT, 1, 2, 2);
	bft_sign_state_record(&s, &r, signature, NULL);
	assert_int_equal(s.lock_round, 2);
	assert_true(cmt_block_id_eq(&s.lock_id, &two));
	r = request(BFT_SIGN_PREVOTE, 2, 0, 2);
	bft_sign_state_record(&s, &r, signature, NULL);
	assert_int_equal(s.lock_round, -1);
}

/* What peers hold: newer raises all, an older precommit for a block raises the lock alone, another
 * vote for the same place is a double signature. */
static void is_raised_by_what_peers_hold(void **unused)
{
	(void)unused;
	struct bft_sign_state s;
	bool changed;
	bft_sign_state_init(&s);
	struct bft_sign_request r = request(BFT_SIGN_PREVOTE, 3, 4, 1);
	assert_int_equal(bft_sign_state_raise(&s, &changed, &r, signature, NULL), CS_OK);
	assert_true(changed);
	assert_int_equal(s.round, 4);
	r = request(BFT_SIGN_PRECOMMIT, 3, 2, 7);
	assert_int_equal(bft_sign_state_raise(&s, &changed, &r, signature, NULL), CS_OK);
	assert_true(changed);
	assert_int_equal(s.round, 4);
	assert_int_equal(s.lock_round, 2);
	assert_int_equal(bft_sign_state_raise(&s, &changed, &r, signature, NULL), CS_OK);
	assert_false(changed);
	r = request(BFT_SIGN_PRECOMMIT, 2, 9, 7);
	assert_int_equal(bft_sign_state_raise(&s, &changed, &r, signature, NULL), CS_OK);
	assert_false(changed);
	r = request(BFT_SIGN_PREVOTE, 3, 4, 2);
	assert_int_equal(bft_sign_state_raise(&s, &changed, &r, signature, NULL), CS_ERR_CONFLICT);
	assert_true(cmt_block_id_eq(&s.block_id,
				    &(struct cmt_block_id){block(1).hash, block(1).parts}));
}

/* Whoever passes our precommit on may leave its extension out: nothing was signed twice. */
static void an_extension_that_is_left_out_is_no_conflict(void **unused)
{
	(void)unused;
	struct bft_sign_state s;
	bool changed = true;
	bft_sign_state_init(&s);
	struct bft_sign_request r = request(BFT_SIGN_PRECOMMIT, 3, 4, 1);
	r.has_extension = true;
	r.extension = cs_bytes_str("an extension");
	bft_sign_state_record(&s, &r, signature, extension_signature);
	r = request(BFT_SIGN_PRECOMMIT, 3, 4, 1);
	assert_int_equal(bft_sign_state_raise(&s, &changed, &r, signature, NULL), CS_OK);
	assert_false(changed);
	assert_true(s.has_extension);
	/* To sign it without is another thing. */
	assert_int_equal(bft_sign_state_may(&s, &r), BFT_SIGN_REFUSE);
	r.block_id = block(2);
	assert_int_equal(bft_sign_state_raise(&s, &changed, &r, signature, NULL), CS_ERR_CONFLICT);
}

static struct bft_sign_state full_state(uint64_t sequence)
{
	struct bft_sign_state s;
	bft_sign_state_init(&s);
	struct bft_sign_request r = request(BFT_SIGN_PRECOMMIT, 7, 3, 9);
	r.has_extension = true;
	r.extension = cs_bytes_str("an extension");
	bft_sign_state_record(&s, &r, signature, extension_signature);
	s.sequence = sequence;
	return s;
}

static void encodes_and_loads(void **unused)
{
	(void)unused;
	uint8_t slots[2][BFT_SIGN_SLOT_SIZE] = {{0}};
	struct bft_sign_state s = full_state(1), read;
	unsigned next;
	bool damaged;
	assert_int_equal(bft_sign_state_load(&read, &next, &damaged, CS_BYTES_OF(slots[0]),
					     CS_BYTES_OF(slots[1])),
			 CS_ERR_NOT_FOUND);
	bft_sign_state_encode(slots[0], &s);
	assert_int_equal(bft_sign_state_load(&read, &next, &damaged, CS_BYTES_OF(slots[0]),
					     CS_BYTES_OF(slots[1])),
			 CS_OK);
	assert_false(damaged);
	assert_int_equal(next, 1);
	assert_int_equal(read.extension_size, strlen("an extension"));
	assert_memory_equal(read.extension, "an extension", read.extension_size);
	assert_memory_equal(read.extension_signature, extension_signature, 64);
	assert_int_equal(read.lock_round, 3);
	s.round = 4;
	s.sequence = 2;
	bft_sign_state_encode(slots[1], &s);
	assert_int_equal(bft_sign_state_load(&read, &next, &damaged, CS_BYTES_OF(slots[0]),
					     CS_BYTES_OF(slots[1])),
			 CS_OK);
	assert_int_equal(read.round, 4);
	assert_int_equal(next, 0);
}

/* A slot that is broken in any byte is not read; the other one serves, and it is said. */
static void a_broken_slot_is_told(void **unused)
{
	(void)unused;
	uint8_t slots[2][BFT_SIGN_SLOT_SIZE];
	struct bft_sign_state s = full_state(1), read;
	unsigned next;
	bool damaged;
	bft_sign_state_encode(slots[0], &s);
	s.sequence = 2;
	bft_sign_state_encode(slots[1], &s);
	for (size_t at = 0; at < BFT_SIGN_SLOT_SIZE; at += 7) {
		slots[1][at] ^= 0x10;
		assert_int_equal(bft_sign_state_load(&read, &next, &damaged, CS_BYTES_OF(slots[0]),
						     CS_BYTES_OF(slots[1])),
				 CS_OK);
		assert_true(damaged);
		assert_int_equal(read.sequence, 1);
		assert_int_equal(next, 1);
		slots[1][at] ^= 0x10;
	}
	slots[0][0] ^= 1;
	slots[1][0] ^= 1;
	assert_int_equal(bft_sign_state_load(&read, &next, &damaged, CS_BYTES_OF(slots[0]),
					     CS_BYTES_OF(slots[1])),
			 CS_ERR_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_rises),
		cmocka_unit_test(another_time_is_a_repeat),
		cmocka_unit_test(remembers_the_lock_of_its_height),
		cmocka_unit_test(is_raised_by_what_peers_hold),
		cmocka_unit_test(an_extension_that_is_left_out_is_no_conflict),
		cmocka_unit_test(encodes_and_loads),
		cmocka_unit_test(a_broken_slot_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
