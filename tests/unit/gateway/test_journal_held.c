/* Items of peers that wait: in their order, by route, each peer's apart, over a restart, and no more than there is
 * room for. */
#include "gateway/journal_held.h"
#include "tests/unit/gateway/journal_fixture.h"

struct holding {
	const char *peer;
	struct gateway_held_route route;
	json_t *item;
	uint64_t n;
	enum cs_err err;
};

static struct gateway_held_route a_route(uint8_t ours, uint8_t remote)
{
	return (struct gateway_held_route){"east's", a_hash(0xc0, ours), a_hash(0xd0, remote)};
}

static enum cs_err hold_body(struct fixture *f, void *context)
{
	struct holding *h = context;
	h->err = gateway_journal_hold(f->journal, h->peer, &h->route, h->item);
	return CS_OK;
}

static enum cs_err hold_item(struct fixture *f, const char *peer, uint8_t remote, json_t *item)
{
	struct holding h = {.peer = peer, .route = a_route(1, remote), .item = item};
	assert_int_equal(write_(f, hold_body, &h), CS_OK);
	json_decref(item);
	return h.err;
}

static enum cs_err hold(struct fixture *f, const char *peer, uint8_t remote, int n)
{
	return hold_item(f, peer, remote, json_pack("{s:i}", "n", n));
}

static enum cs_err done_body(struct fixture *f, void *context)
{
	const struct holding *h = context;
	return gateway_journal_held_done(f->journal, h->n);
}

static void done(struct fixture *f, uint64_t n)
{
	struct holding h = {.n = n};
	assert_int_equal(write_(f, done_body, &h), CS_OK);
}

static uint64_t count_of(struct fixture *f, const char *peer)
{
	uint64_t count = UINT64_MAX;
	assert_int_equal(gateway_journal_held_count(f->journal, peer, &count), CS_OK);
	return count;
}

static bool is_held(struct fixture *f, const char *peer, struct gateway_held_route route)
{
	bool held = false;
	assert_int_equal(gateway_journal_is_held(f->journal, peer, &route, &held), CS_OK);
	return held;
}

/* The next one after *n is this, of this route. */
static void expect_next(struct fixture *f, const char *peer, uint64_t *n, uint8_t remote,
			int number)
{
	struct gateway_held_route route;
	struct gateway_held_route wanted = a_route(1, remote);
	json_t *item = NULL;
	assert_int_equal(gateway_journal_held_next(f->journal, peer, n, &route), CS_OK);
	assert_string_equal(route.instance, wanted.instance);
	assert_true(cs_hash_eq(&route.ours, &wanted.ours));
	assert_true(cs_hash_eq(&route.remote, &wanted.remote));
	assert_int_equal(gateway_journal_held_item(f->journal, *n, &item), CS_OK);
	assert_int_equal(json_integer_value(json_object_get(item, "n")), number);
	json_decref(item);
}

static void expect_end(struct fixture *f, const char *peer, uint64_t n)
{
	struct gateway_held_route route;
	assert_int_equal(gateway_journal_held_next(f->journal, peer, &n, &route), CS_ERR_NOT_FOUND);
}

static void in_their_order_and_each_peer_apart(void **state)
{
	struct fixture *f = *state;
	uint64_t n = 0;
	uint64_t first = 0;
	json_t *item = NULL;
	expect_end(f, "east", 0);
	assert_int_equal(count_of(f, "east"), 0);
	assert_int_equal(hold(f, "east", 2, 7), CS_OK);
	assert_int_equal(hold(f, "west", 2, 70), CS_OK);
	assert_int_equal(hold(f, "east", 3, 8), CS_OK);
	assert_int_equal(hold(f, "east", 2, 9), CS_OK);
	reopen(f);
	assert_int_equal(count_of(f, "east"), 3);
	assert_int_equal(count_of(f, "west"), 1);
	assert_int_equal(count_of(f, ""), 0);
	expect_next(f, "east", &n, 2, 7);
	first = n;
	expect_next(f, "east", &n, 3, 8);
	expect_next(f, "east", &n, 2, 9);
	expect_end(f, "east", n);
	done(f, first);
	assert_int_equal(gateway_journal_held_item(f->journal, first, &item), CS_ERR_NOT_FOUND);
	n = 0;
	expect_next(f, "east", &n, 3, 8);
	assert_int_equal(count_of(f, "west"), 1);
}

static void by_route(void **state)
{
	struct fixture *f = *state;
	uint64_t n = 0;
	assert_int_equal(hold(f, "east", 2, 1), CS_OK);
	assert_true(is_held(f, "east", a_route(1, 2)));
	assert_false(is_held(f, "east", a_route(1, 3)));
	assert_false(is_held(f, "east", a_route(2, 2)));
	assert_false(is_held(f, "west", a_route(1, 2)));
	/* Of another journal of that peer, or of nobody's. */
	struct gateway_held_route other = a_route(1, 2);
	other.instance[0] = 'l';
	assert_false(is_held(f, "east", other));
	expect_next(f, "east", &n, 2, 1);
	done(f, n);
	assert_false(is_held(f, "east", a_route(1, 2)));
}

static void so_many_and_no_more(void **state)
{
	struct fixture *f = *state;
	uint64_t n = 0;
	for (int i = 0; i < (int)GATEWAY_HELD_MAX; i++)
		assert_int_equal(hold(f, "east", 2, i), CS_OK);
	assert_int_equal(hold(f, "east", 3, 0), CS_ERR_FULL);
	assert_int_equal(hold(f, "west", 3, 0), CS_OK);
	assert_int_equal(count_of(f, "east"), GATEWAY_HELD_MAX);
	expect_next(f, "east", &n, 2, 0);
	done(f, n);
	assert_int_equal(hold(f, "east", 3, 0), CS_OK);
}

static void so_much_and_no_more(void **state)
{
	struct fixture *f = *state;
	static char text[GATEWAY_HELD_SIZE_MAX / 4 + 1];
	memset(text, 'x', sizeof(text) - 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(hold_item(f, "east", 2, json_pack("{s:s}", "n", text)), CS_OK);
	assert_int_equal(hold_item(f, "east", 2, json_pack("{s:s}", "n", text)), CS_ERR_FULL);
	assert_int_equal(hold(f, "east", 2, 1), CS_OK);
	assert_int_equal(count_of(f, "east"), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(in_their_order_and_each_peer_apart),
		T(by_route),
		T(so_many_and_no_more),
		T(so_much_and_no_more),
#undef T
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
