/* How far a light client that catches up may go: no further above the oldest message to be signed than it can look back, for as long as
 * that one moves; and when it is of no use any more. */
#include "gateway/gateway.h"
#include "tests/unit/support.h"

#include <stdlib.h>

#define NOW_MS 1000000u

static struct gateway_client_wait held;

static int fresh(void **state)
{
	(void)state;
	held = (struct gateway_client_wait){0};
	return 0;
}

static uint64_t hold(uint64_t waiting, uint64_t to, uint64_t after_ms)
{
	return gateway_client_hold(&held, waiting, to, NOW_MS + after_ms);
}

static void nothing_waits(void **state)
{
	(void)state;
	assert_int_equal(hold(0, 5000, 0), 5000);
	assert_int_equal(hold(5000, 5000, 0), 5000);
	assert_int_equal(hold(5000 - GATEWAY_CLIENT_WAIT, 5000, 0), 5000);
}

static void what_waits_holds_it(void **state)
{
	(void)state;
	assert_int_equal(hold(100, 5000, 0), 100 + GATEWAY_CLIENT_WAIT);
	assert_int_equal(hold(100, 6000, GATEWAY_CLIENT_WAIT_MS - 1), 100 + GATEWAY_CLIENT_WAIT);
}

/* As long as messages are signed it waits for all of them. */
static void what_moves_goes_on_holding_it(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(hold(100 + i, 5000, i * (GATEWAY_CLIENT_WAIT_MS - 1)),
				 100 + i + GATEWAY_CLIENT_WAIT);
}

/* A route that is paused holds up no other one. */
static void what_does_not_move_holds_it_no_longer(void **state)
{
	(void)state;
	assert_int_equal(hold(100, 5000, 0), 100 + GATEWAY_CLIENT_WAIT);
	assert_int_equal(hold(100, 5000, GATEWAY_CLIENT_WAIT_MS), 5000);
	assert_int_equal(hold(100, 9000, 10 * GATEWAY_CLIENT_WAIT_MS), 9000);
	/* an older one, of a reorganisation or a route that came: its own time */
	assert_int_equal(hold(50, 9000, 10 * GATEWAY_CLIENT_WAIT_MS), 50 + GATEWAY_CLIENT_WAIT);
}

/* Without a final block for the trusting period it is of no use any more. */
static void it_ends_with_the_trusting_period(void **state)
{
	const struct host_manifest_chain manifest = {.trusting_period_s = 86400};
	const struct host_manifest_chain endless = {.trusting_period_s = INT64_MAX};
	struct gateway_chain *chain = calloc(1, sizeof *chain);
	(void)state;
	assert_non_null(chain);
	chain->manifest = &manifest;
	assert_int_equal(gateway_client_expires_s(chain), 0);
	chain->follow.final_time_s = 1800000000;
	assert_int_equal(gateway_client_expires_s(chain), 1800086400);
	chain->manifest = &endless;
	assert_int_equal(gateway_client_expires_s(chain), INT64_MAX);
	free(chain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_waits, fresh),
		cmocka_unit_test_setup(what_waits_holds_it, fresh),
		cmocka_unit_test_setup(what_moves_goes_on_holding_it, fresh),
		cmocka_unit_test_setup(what_does_not_move_holds_it_no_longer, fresh),
		cmocka_unit_test(it_ends_with_the_trusting_period),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
