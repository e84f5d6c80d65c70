/* Whom to ask for blocks and what is held of them: claims are hints, liars are asked and left
 * behind, nothing grows beyond its bounds. */
#include "relay_state/bft/sync.h"

/* cmocka.h needs the first four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
/* clang-format on */

static uint8_t memory[2000]; /* two of the largest answers */
static const uint8_t made[1001];

static struct bft_sync begin(void)
{
	struct bft_sync s;
	bft_sync_init(&s, memory, sizeof memory);
	return s;
}

/* Answers are small from now on. */
static struct bft_sync begin_small(void)
{
	struct bft_sync s = begin();
	s.expected = 10;
	return s;
}

static void is_asked(struct bft_sync *s, int64_t from, uint32_t peer, int64_t height)
{
	uint32_t at = 99;
	int64_t h = 0;
	assert_true(bft_sync_ask(s, &at, &h, from));
	assert_int_equal(at, peer);
	assert_int_equal(h, height);
}

static void nobody_is_asked(struct bft_sync *s, int64_t from)
{
	uint32_t peer = 99;
	int64_t height = 77;
	assert_false(bft_sync_ask(s, &peer, &height, from));
	assert_int_equal(peer, 99);
	assert_int_equal(height, 77);
}

static void late(struct bft_sync *s)
{
	for (unsigned i = 0; i < BFT_SYNC_PATIENCE; i++)
		bft_sync_tick(s);
}

static bool has(const struct bft_sync *s, int64_t height, uint32_t *peer, size_t *size)
{
	struct cs_bytes block, commit;
	if (!bft_sync_find(s, peer, &block, &commit, height))
		return false;
	*size = block.n + commit.n;
	return true;
}

static void asks_who_is_further_on(void **unused)
{
	(void)unused;
	struct bft_sync s = begin();
	nobody_is_asked(&s, 5);
	bft_sync_claim(&s, 3, 5);
	nobody_is_asked(&s, 5);
	bft_sync_claim(&s, 4, 6);
	is_asked(&s, 5, 4, 5);
	/* The same is not asked for twice, and of whom it was not asked it is no answer. */
	nobody_is_asked(&s, 5);
	assert_false(bft_sync_answered(&s, 7, 5, 1));
	assert_false(bft_sync_answered(&s, 4, 6, 1));
	assert_true(bft_sync_answered(&s, 4, 5, 1));
	assert_false(bft_sync_answered(&s, 4, 5, 1));
}

static void several_of_several(void **unused)
{
	(void)unused;
	struct bft_sync s = begin_small();
	for (uint32_t peer = 1; peer <= 3; peer++)
		bft_sync_claim(&s, peer, 100);
	for (int64_t i = 0; i < (int64_t)BFT_SYNC_AHEAD; i++)
		is_asked(&s, 5, 1 + (uint32_t)i % 3, 5 + i);
	nobody_is_asked(&s, 5);
	/* One decided: one more. */
	bft_sync_pass(&s, 6);
	is_asked(&s, 6, 2, 5 + BFT_SYNC_AHEAD);
	nobody_is_asked(&s, 6);
}

static void one_peer_has_a_share(void **unused)
{
	(void)unused;
	struct bft_sync s = begin_small();
	bft_sync_claim(&s, 1, 100);
	for (int64_t i = 0; i < (int64_t)BFT_SYNC_PEER_MAX; i++)
		is_asked(&s, 5, 1, 5 + i);
	nobody_is_asked(&s, 5);
	assert_true(bft_sync_answered(&s, 1, 7, 10));
	bft_sync_hold(&s, 1, 7, cs_bytes(made, 10), CS_BYTES_NONE);
	is_asked(&s, 5, 1, 5 + BFT_SYNC_PEER_MAX);
	nobody_is_asked(&s, 5);
}

/* As many as answers fit, by the size of the last; the height in work does not wait for room. */
static void bytes_bound_what_is_asked_and_held(void **unused)
{
	(void)unused;
	struct bft_sync s = begin();
	uint32_t peer;
	size_t size;
	bft_sync_claim(&s, 1, 100);
	is_asked(&s, 5, 1, 5);
	is_asked(&s, 5, 1, 6);
	nobody_is_asked(&s, 5);
	assert_true(bft_sync_answered(&s, 1, 6, 1001));
	bft_sync_hold(&s, 1, 6, cs_bytes(made, 1000), cs_bytes(made, 1));
	bft_sync_hold(&s, 1, 7, cs_bytes(made, 1000), CS_BYTES_NONE);
	assert_true(has(&s, 6, &peer, &size));
	assert_int_equal(size, 1001);
	assert_false(has(&s, 7, &peer, &size));
	assert_true(bft_sync_answered(&s, 1, 5, 1001));
	is_asked(&s, 5, 1, 5);
	nobody_is_asked(&s, 5);
	/* Small ones fit in numbers, and no more than are ahead. */
	bft_sync_pass(&s, 10);
	assert_int_equal(s.size, 0);
	for (int64_t h = 10; h < 40; h++)
		bft_sync_hold(&s, 1, h, cs_bytes(made, 1), CS_BYTES_NONE);
	assert_int_equal(s.held_count, BFT_SYNC_AHEAD);
}

static void holds_one_of_each_height(void **unused)
{
	(void)unused;
	struct bft_sync s = begin();
	struct cs_bytes block, commit;
	uint32_t peer;
	bft_sync_hold(&s, 1, 6, cs_bytes_str("six"), cs_bytes_str("6"));
	bft_sync_hold(&s, 2, 7, cs_bytes_str("seven"), cs_bytes_str("77"));
	bft_sync_hold(&s, 3, 7, cs_bytes_str("another"), cs_bytes_str("0"));
	bft_sync_pass(&s, 7);
	assert_false(bft_sync_find(&s, &peer, &block, &commit, 6));
	assert_true(bft_sync_find(&s, &peer, &block, &commit, 7));
	assert_int_equal(peer, 2);
	assert_true(cs_bytes_eq(block, cs_bytes_str("seven")));
	assert_true(cs_bytes_eq(commit, cs_bytes_str("77")));
	nobody_is_asked(&s, 7);
}

/* Silent: another one is asked, the late answer still counts, once. */
static void leaves_who_does_not_answer(void **unused)
{
	(void)unused;
	struct bft_sync s = begin();
	bft_sync_claim(&s, 1, INT64_MAX);
	bft_sync_claim(&s, 2, 6);
	is_asked(&s, 5, 1, 5);
	is_asked(&s, 5, 1, 6);
	nobody_is_asked(&s, 5);
	late(&s);
	is_asked(&s, 5, 2, 5);
	nobody_is_asked(&s, 5);
	/* Slow ones are asked last. */
	bft_sync_claim(&s, 1, 100);
	bft_sync_claim(&s, 3, 100);
	is_asked(&s, 5, 3, 6);
	assert_true(bft_sync_answered(&s, 1, 5, 1));
	assert_false(bft_sync_answered(&s, 1, 5, 1));
	/* With nobody else they are asked again. */
	bft_sync_drop(&s, 2);
	bft_sync_drop(&s, 3);
	late(&s);
	bft_sync_claim(&s, 1, 100);
	is_asked(&s, 5, 1, 5);
}

/* Whoever is gone takes along what only it could be blamed for. */
static void a_peer_that_goes_away(void **unused)
{
	(void)unused;
	struct bft_sync s = begin_small();
	uint32_t peer;
	size_t size;
	bft_sync_claim(&s, 1, 100);
	bft_sync_claim(&s, 2, 7);
	is_asked(&s, 5, 1, 5);
	is_asked(&s, 5, 2, 6);
	is_asked(&s, 5, 1, 7);
	assert_true(bft_sync_answered(&s, 1, 7, 10));
	bft_sync_hold(&s, 1, 7, cs_bytes(made, 10), CS_BYTES_NONE);
	assert_true(bft_sync_answered(&s, 2, 6, 10));
	bft_sync_hold(&s, 2, 6, cs_bytes(made, 10), CS_BYTES_NONE);
	bft_sync_drop(&s, 1);
	assert_false(has(&s, 7, &peer, &size));
	assert_true(has(&s, 6, &peer, &size));
	assert_false(bft_sync_answered(&s, 1, 5, 10));
	is_asked(&s, 5, 2, 5);
	nobody_is_asked(&s, 5);
}

static void who_lacks_it_must_claim_anew(void **unused)
{
	(void)unused;
	struct bft_sync s = begin();
	bft_sync_claim(&s, 1, 100);
	is_asked(&s, 5, 1, 5);
	assert_true(bft_sync_answered(&s, 1, 5, 0));
	bft_sync_lacks(&s, 1);
	nobody_is_asked(&s, 5);
	bft_sync_claim(&s, 1, 6);
	is_asked(&s, 5, 1, 5);
}

/* Peers that never answer fill no memory. */
static void late_ones_are_forgotten(void **unused)
{
	(void)unused;
	struct bft_sync s = begin_small();
	for (unsigned round = 0; round < 50; round++) {
		uint32_t peer;
		int64_t height;
		for (uint32_t i = 0; i < BFT_PEERS_MAX; i++)
			bft_sync_claim(&s, i, 100);
		for (unsigned i = 0; i < BFT_SYNC_AHEAD; i++)
			assert_true(bft_sync_ask(&s, &peer, &height, 5));
		nobody_is_asked(&s, 5);
		late(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_who_is_further_on),
		cmocka_unit_test(several_of_several),
		cmocka_unit_test(one_peer_has_a_share),
		cmocka_unit_test(bytes_bound_what_is_asked_and_held),
		cmocka_unit_test(holds_one_of_each_height),
		cmocka_unit_test(leaves_who_does_not_answer),
		cmocka_unit_test(a_peer_that_goes_away),
		cmocka_unit_test(who_lacks_it_must_claim_anew),
		cmocka_unit_test(late_ones_are_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
