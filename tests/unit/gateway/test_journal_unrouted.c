/* Where messages without a route lie: one row a destination, as often as a block is told, up to a number of
 * destinations; what was read again is gone, and no more than that. */
#include "gateway/journal_unrouted.h"
#include "tests/unit/gateway/journal_fixture.h"

struct note {
	struct cs_hash chain;
	struct cs_hash remote;
	uint64_t height;
	uint64_t sequence;
	enum cs_err err;
};

static enum cs_err note_body(struct fixture *f, void *context)
{
	struct note *n = context;
	n->err = gateway_journal_unrouted_add(f->journal, &n->chain, &n->remote, n->height,
					      n->sequence);
	return CS_OK;
}

static enum cs_err note(struct fixture *f, uint8_t chain, uint8_t remote, uint64_t height,
			uint64_t sequence)
{
	struct note n = {a_hash(0xc0, chain), a_hash(0xd0, remote), height, sequence, CS_OK};
	assert_int_equal(write_(f, note_body, &n), CS_OK);
	return n.err;
}

static enum cs_err read_body(struct fixture *f, void *context)
{
	const struct note *n = context;
	return gateway_journal_unrouted_read(f->journal, &n->chain, &n->remote, n->height);
}

static void read_up_to(struct fixture *f, uint8_t chain, uint8_t remote, uint64_t next)
{
	struct note n = {a_hash(0xc0, chain), a_hash(0xd0, remote), next, 0, CS_OK};
	assert_int_equal(write_(f, read_body, &n), CS_OK);
}

static struct gateway_unrouted rows[GATEWAY_UNROUTED_MAX];

static size_t list(struct fixture *f, uint8_t chain)
{
	size_t count = 99;
	struct cs_hash identity = a_hash(0xc0, chain);
	memset(rows, 0, sizeof(rows));
	assert_int_equal(gateway_journal_unrouted(f->journal, &identity, rows, &count), CS_OK);
	return count;
}

static void expect(size_t i, uint8_t remote, uint64_t from, uint64_t to, uint64_t first,
		   uint64_t last)
{
	struct cs_hash hash = a_hash(0xd0, remote);
	assert_memory_equal(&rows[i].remote, &hash, sizeof(hash));
	assert_int_equal(rows[i].from_height, from);
	assert_int_equal(rows[i].to_height, to);
	assert_int_equal(rows[i].from_sequence, first);
	assert_int_equal(rows[i].to_sequence, last);
	assert_true(rows[i].since_ms > 0);
}

static void a_destination_has_one_row(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(list(f, 1), 0);
	/* The second time as after a restart, or by the reconciler. */
	for (unsigned again = 0; again < 2; again++) {
		assert_int_equal(note(f, 1, 1, 100, 5), CS_OK);
		assert_int_equal(note(f, 1, 1, 300, 7), CS_OK);
		assert_int_equal(note(f, 1, 1, 200, 6), CS_OK); /* found late */
		assert_int_equal(note(f, 1, 2, 250, 1), CS_OK);
		assert_int_equal(note(f, 2, 1, 9, 1), CS_OK);
	}
	assert_int_equal(list(f, 1), 2);
	expect(0, 1, 100, 300, 5, 7);
	expect(1, 2, 250, 250, 1, 1);
	reopen(f);
	assert_int_equal(list(f, 1), 2);
	expect(0, 1, 100, 300, 5, 7);
	assert_int_equal(list(f, 2), 1);
	expect(0, 1, 9, 9, 1, 1);
}

static void what_was_read_again_is_gone(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(note(f, 1, 1, 100, 1), CS_OK);
	assert_int_equal(note(f, 1, 1, 300, 9), CS_OK);
	assert_int_equal(note(f, 1, 2, 100, 1), CS_OK);
	assert_int_equal(note(f, 2, 1, 100, 1), CS_OK);
	read_up_to(f, 1, 1, 50); /* nothing of it */
	assert_int_equal(list(f, 1), 2);
	expect(0, 1, 100, 300, 1, 9);
	read_up_to(f, 1, 1, 300);
	assert_int_equal(list(f, 1), 2);
	expect(0, 1, 300, 300, 1, 9);
	read_up_to(f, 1, 1, 301);
	assert_int_equal(list(f, 1), 1);
	expect(0, 2, 100, 100, 1, 1);
	read_up_to(f, 1, 1, 301); /* what is not there */
	assert_int_equal(list(f, 1), 1);
	assert_int_equal(list(f, 2), 1);
}

static void so_many_destinations_and_no_more(void **state)
{
	struct fixture *f = *state;
	for (unsigned i = 0; i < GATEWAY_UNROUTED_MAX; i++)
		assert_int_equal(note(f, 1, (uint8_t)i, 100, 1), CS_OK);
	assert_int_equal(note(f, 1, 200, 100, 1), CS_ERR_FULL);
	assert_int_equal(note(f, 2, 200, 100, 1), CS_OK); /* of another chain */
	assert_int_equal(note(f, 1, 0, 101, 2), CS_OK);   /* one that is known */
	assert_int_equal(list(f, 1), GATEWAY_UNROUTED_MAX);
	expect(0, 0, 100, 101, 1, 2);
	read_up_to(f, 1, 7, 101);
	assert_int_equal(note(f, 1, 200, 102, 2), CS_OK);
	assert_int_equal(list(f, 1), GATEWAY_UNROUTED_MAX);
	expect(GATEWAY_UNROUTED_MAX - 1, 200, 102, 102, 2, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_destination_has_one_row, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_read_again_is_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(so_many_destinations_and_no_more, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
