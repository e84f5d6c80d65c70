/* Proofs that are kept: of the block that the message is in and no other, once for all messages of a receipt, gone with the
 * move that needs them no more, and counted by what is written. */
#include "gateway/journal_proofs.h"
#include "tests/unit/gateway/journal_fixture.h"

struct keep {
	const struct gateway_message *message;
	struct cs_bytes proof;
	uint32_t log_index;
};

static enum cs_err keep_body(struct fixture *f, void *context)
{
	const struct keep *keep = context;
	return gateway_journal_keep_proof(f->journal, keep->message, keep->proof, keep->log_index);
}

static void put(struct fixture *f, const struct gateway_message *m, const char *proof,
		uint32_t log_index)
{
	struct keep context = {m, cs_bytes_str(proof), log_index};
	assert_int_equal(write_(f, keep_body, &context), CS_OK);
}

static enum cs_err forget_body(struct fixture *f, void *context)
{
	const struct gateway_message *m = context;
	return gateway_journal_forget_proof(f->journal, m->n);
}

static void assert_kept(struct fixture *f, uint64_t count, uint64_t bytes)
{
	struct gateway_proofs_kept kept = {99, 99};
	assert_int_equal(gateway_journal_proofs_kept(f->journal, &kept), CS_OK);
	assert_int_equal(kept.count, count);
	assert_int_equal(kept.bytes, bytes);
}

static void assert_proof(struct fixture *f, const struct gateway_message *m, const char *proof,
			 uint32_t log_index)
{
	struct cs_bytes got = CS_BYTES_NONE;
	uint32_t index = 0;
	assert_int_equal(gateway_journal_proof(f->journal, m, &f->arena, &got, &index), CS_OK);
	assert_int_equal(got.n, strlen(proof));
	assert_memory_equal(got.p, proof, got.n);
	assert_int_equal(index, log_index);
}

static void assert_none(struct fixture *f, const struct gateway_message *m)
{
	struct cs_bytes got = CS_BYTES_NONE;
	uint32_t index = 77;
	assert_int_equal(gateway_journal_proof(f->journal, m, &f->arena, &got, &index),
			 CS_ERR_NOT_FOUND);
	assert_null(got.p);
	assert_int_equal(index, 77);
}

/* Two messages of one receipt. */
static void two(struct fixture *f, struct gateway_message *a, struct gateway_message *b)
{
	*a = sample(1, RELAY_SOURCE);
	*b = sample(2, RELAY_SOURCE);
	b->height = a->height;
	b->block = a->block;
	assert_int_equal(add(f, a), CS_OK);
	assert_int_equal(add(f, b), CS_OK);
	assert_none(f, a);
	assert_kept(f, 0, 0);
	put(f, a, "proof", 5);
	put(f, b, "proof", 7);
	assert_kept(f, 1, 5);
}

static void a_receipt_is_kept_once_and_over_a_start(void **state)
{
	struct fixture *f = *state;
	struct gateway_message a;
	struct gateway_message b;
	two(f, &a, &b);
	reopen(f);
	assert_proof(f, &a, "proof", 5);
	assert_proof(f, &b, "proof", 7);
	put(f, &a, "proof", 6);
	assert_proof(f, &a, "proof", 6);
	assert_kept(f, 1, 5);
}

static void it_goes_with_the_last_of_its_messages(void **state)
{
	struct fixture *f = *state;
	struct gateway_message a;
	struct gateway_message b;
	two(f, &a, &b);
	assert_int_equal(move(f, &a, RELAY_ON_REACH_FINALITY), CS_OK);
	assert_proof(f, &a, "proof", 5);
	assert_int_equal(relay_move(&a.state, RELAY_ON_VERIFY), CS_OK);
	assert_int_equal(move(f, &a, RELAY_ON_SIGN), CS_OK);
	assert_none(f, &a);
	assert_kept(f, 1, 5);
	assert_int_equal(move(f, &b, RELAY_ON_VANISH), CS_OK);
	assert_none(f, &b);
	assert_kept(f, 0, 0);
}

static void what_is_forgotten_is_gone(void **state)
{
	struct fixture *f = *state;
	struct gateway_message a;
	struct gateway_message b;
	two(f, &a, &b);
	assert_int_equal(write_(f, forget_body, &a), CS_OK);
	assert_int_equal(write_(f, forget_body, &a), CS_OK);
	assert_none(f, &a);
	assert_proof(f, &b, "proof", 7);
	assert_int_equal(write_(f, forget_body, &b), CS_OK);
	assert_kept(f, 0, 0);
}

/* After a reorganisation it is in another block, of which the old receipt says nothing. */
static void of_another_block_it_is_none(void **state)
{
	struct fixture *f = *state;
	struct gateway_message a;
	struct gateway_message b;
	two(f, &a, &b);
	struct gateway_message moved = a;
	moved.block = a_hash(0xb0, 99);
	assert_none(f, &moved);
	moved = a;
	moved.tx_index++;
	assert_none(f, &moved);
	moved = a;
	moved.block = a_hash(0xb0, 99);
	put(f, &moved, "another", 1);
	assert_proof(f, &moved, "another", 1);
	assert_none(f, &a);
	assert_kept(f, 2, 12);
}

static void messages_are_found_by_their_height(void **state)
{
	struct fixture *f = *state;
	struct gateway_message rows[4];
	struct gateway_message a;
	struct gateway_message b;
	struct gateway_message c = sample(3, RELAY_SOURCE);
	struct gateway_message other = sample(4, RELAY_DESTINATION);
	uint64_t lowest = 99;
	size_t count = 99;
	assert_int_equal(gateway_journal_lowest_unsigned(f->journal, &c.chain, &lowest), CS_OK);
	assert_int_equal(lowest, 0);
	two(f, &a, &b);
	assert_int_equal(add(f, &c), CS_OK);
	assert_int_equal(add(f, &other), CS_OK);
	assert_int_equal(gateway_journal_from_height(f->journal, &a.chain, a.height - 1, INT64_MAX,
						     rows, 4, &count),
			 CS_OK);
	assert_int_equal(count, 3);
	assert_true(rows[0].n == a.n && rows[1].n == b.n && rows[2].n == c.n);
	assert_int_equal(
		gateway_journal_from_height(f->journal, &a.chain, a.height, a.n, rows, 1, &count),
		CS_OK);
	assert_true(count == 1 && rows[0].n == b.n);
	assert_int_equal(gateway_journal_from_height(f->journal, &a.remote, 0, 0, rows, 4, &count),
			 CS_OK);
	assert_int_equal(count, 0);
	assert_int_equal(gateway_journal_lowest_unsigned(f->journal, &a.chain, &lowest), CS_OK);
	assert_int_equal(lowest, a.height);
	assert_int_equal(move(f, &a, RELAY_ON_VANISH), CS_OK);
	assert_int_equal(move(f, &b, RELAY_ON_VANISH), CS_OK);
	assert_int_equal(move(f, &c, RELAY_ON_REACH_FINALITY), CS_OK);
	assert_int_equal(gateway_journal_lowest_unsigned(f->journal, &a.chain, &lowest), CS_OK);
	assert_int_equal(lowest, c.height);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_receipt_is_kept_once_and_over_a_start),
		T(it_goes_with_the_last_of_its_messages),
		T(what_is_forgotten_is_gone),
		T(of_another_block_it_is_none),
		T(messages_are_found_by_their_height),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
