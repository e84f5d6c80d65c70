/* Whom to ask for blocks: claims are hints, liars are asked and left behind. */
#include "relay_state/bft/sync.h"

/* cmocka.h needs the first four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

static void asks_who_is_further_on(void **unused)
{
	(void)unused;
	struct bft_sync s;
	uint32_t peer = 99;
	bft_sync_init(&s);
	assert_false(bft_sync_ask(&s, &peer, 5));
	bft_sync_claim(&s, 3, 5);
	assert_false(bft_sync_ask(&s, &peer, 5));
	bft_sync_claim(&s, 4, 6);
	assert_true(bft_sync_ask(&s, &peer, 5));
	assert_int_equal(peer, 4);
	/* One question at a time. */
	bft_sync_claim(&s, 7, 9);
	assert_false(bft_sync_ask(&s, &peer, 5));
	assert_false(bft_sync_answered(&s, 7, 5));
	assert_false(bft_sync_answered(&s, 4, 6));
	assert_true(bft_sync_answered(&s, 4, 5));
	assert_false(bft_sync_answered(&s, 4, 5));
	assert_true(bft_sync_ask(&s, &peer, 6));
	assert_int_equal(peer, 7);
}

static void leaves_who_does_not_answer(void **unused)
{
	(void)unused;
	struct bft_sync s;
	uint32_t peer;
	bft_sync_init(&s);
	bft_sync_claim(&s, 1, INT64_MAX);
	bft_sync_claim(&s, 2, 10);
	assert_true(bft_sync_ask(&s, &peer, 5));
	assert_int_equal(peer, 1);
	for (unsigned i = 0; i < BFT_SYNC_PATIENCE; i++) {
		assert_false(bft_sync_ask(&s, &peer, 5));
		bft_sync_tick(&s);
	}
	assert_true(bft_sync_ask(&s, &peer, 5));
	assert_int_equal(peer, 2);
	/* A late answer of the first is not what was asked. */
	assert_false(bft_sync_answered(&s, 1, 5));
	bft_sync_drop(&s, 2);
	assert_false(bft_sync_ask(&s, &peer, 5));
}

/* Decided without the answer: the next height is asked for at once. */
static void a_new_height_is_a_new_question(void **unused)
{
	(void)unused;
	struct bft_sync s;
	uint32_t peer;
	bft_sync_init(&s);
	bft_sync_claim(&s, 1, 10);
	bft_sync_claim(&s, 2, 10);
	assert_true(bft_sync_ask(&s, &peer, 5));
	assert_true(bft_sync_ask(&s, &peer, 6));
	assert_int_equal(peer, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_who_is_further_on),
		cmocka_unit_test(leaves_who_does_not_answer),
		cmocka_unit_test(a_new_height_is_a_new_question),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
