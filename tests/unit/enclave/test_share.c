/* Who gets a transfer: by kind, by host, and by what he has already. */
#include "enclave/oracle/share.h"
#include "tests/unit/support.h"

static struct share share;

static int setup(void **state)
{
	(void)state;
	share = (struct share){0};
	return 0;
}

static struct cs_hash host(unsigned number)
{
	return (struct cs_hash){{1, (uint8_t)(number >> 8), (uint8_t)number}};
}

/* As many as there are, each of another host and another query. */
static size_t take_all(enum share_kind kind, unsigned first)
{
	size_t count = 0;
	for (;; count++) {
		const struct cs_hash one = host(first + (unsigned)count);
		if (!share_take(&share, kind, &one, 0))
			return count;
	}
}

static void test_kinds_have_places_of_their_own(void **state)
{
	(void)state;
	assert_int_equal(take_all(SHARE_ASKED, 0), SHARE_ASKED_MAX);
	assert_int_equal(take_all(SHARE_FEEDS, 1000), SHARE_FEEDS_MAX);
	assert_int_equal(share.host_count, FETCH_TRANSFERS_MAX);
	const struct cs_hash one = host(0);
	assert_false(share_take(&share, SHARE_FEEDS, &one, 0));
	assert_int_equal(share.running[SHARE_FEEDS], SHARE_FEEDS_MAX);
	share_give(&share, SHARE_ASKED, &one);
	assert_false(share_take(&share, SHARE_FEEDS, &one, 0));
	assert_true(share_take(&share, SHARE_ASKED, &one, 0));
	for (unsigned i = 0; i < SHARE_ASKED_MAX; i++) {
		const struct cs_hash each = host(i);
		share_give(&share, SHARE_ASKED, &each);
	}
	for (unsigned i = 0; i < SHARE_FEEDS_MAX; i++) {
		const struct cs_hash each = host(1000 + i);
		share_give(&share, SHARE_FEEDS, &each);
	}
	assert_int_equal(share.host_count, 0);
	assert_int_equal(share.running[SHARE_ASKED] + share.running[SHARE_FEEDS], 0);
}

static void test_a_host_has_a_part(void **state)
{
	(void)state;
	const struct cs_hash one = host(1), other = host(2);
	for (size_t i = 0; i < SHARE_HOST_ASKED_MAX; i++)
		assert_true(share_take(&share, SHARE_ASKED, &one, 0));
	assert_false(share_take(&share, SHARE_ASKED, &one, 0));
	assert_true(share_take(&share, SHARE_ASKED, &other, 0));
	/* What requests have of a host takes nothing from the feeds that ask it too. */
	for (size_t i = 0; i < SHARE_HOST_FEEDS_MAX; i++)
		assert_true(share_take(&share, SHARE_FEEDS, &one, 0));
	assert_false(share_take(&share, SHARE_FEEDS, &one, 0));
	assert_int_equal(share.host_count, 2);
	share_give(&share, SHARE_ASKED, &one);
	assert_true(share_take(&share, SHARE_ASKED, &one, 0));
	share_give(&share, SHARE_ASKED, &other);
	assert_int_equal(share.host_count, 1);
}

static size_t take_for_one(enum share_kind kind, unsigned query)
{
	size_t own = 0;
	while (own < WIRE_SOURCES_MAX) {
		const struct cs_hash one = host(query * WIRE_SOURCES_MAX + (unsigned)own);
		if (!share_take(&share, kind, &one, own))
			break;
		own++;
	}
	return own;
}

/* What share.h promises of sixteen requests of sixteen sources, and what is left for the next. */
static void test_the_more_is_asked_the_fewer_has_each(void **state)
{
	(void)state;
	size_t last = WIRE_SOURCES_MAX;
	for (unsigned i = 0; i < 16; i++) {
		const size_t count = take_for_one(SHARE_ASKED, i);
		assert_true(count >= 1 && count <= last && (i >= 4 || count == WIRE_SOURCES_MAX));
		last = count;
	}
	assert_int_equal(share.running[SHARE_ASKED], SHARE_ASKED_MAX - 28);
	assert_int_equal(take_for_one(SHARE_ASKED, 16), 4);
	/* Many more: each gets one at least, until there is none. */
	for (unsigned i = 17; share.running[SHARE_ASKED] < SHARE_ASKED_MAX; i++)
		assert_true(take_for_one(SHARE_ASKED, i) >= 1);
	assert_int_equal(take_for_one(SHARE_ASKED, 200), 0);
	assert_int_equal(take_for_one(SHARE_FEEDS, 201), WIRE_SOURCES_MAX);
	assert_int_equal(take_for_one(SHARE_FEEDS, 202), WIRE_SOURCES_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_kinds_have_places_of_their_own, setup),
		cmocka_unit_test_setup(test_a_host_has_a_part, setup),
		cmocka_unit_test_setup(test_the_more_is_asked_the_fewer_has_each, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
