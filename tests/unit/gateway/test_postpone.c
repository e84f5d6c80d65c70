/* When what failed is tried again: the rows and their times. What brings it back early, seen from
 * outside, is e2e/test_pruned.py's and e2e/test_endpoint.py's. */
#include "gateway/postpone.h"
#include "tests/unit/gateway/journal_fixture.h"

#define MIN_MS 500u
#define MAX_MS 60000u

static struct gateway gateway;
static struct gateway_chain *const chain = &gateway.chains[0];

static struct gateway_message final_row(struct fixture *f, uint8_t n)
{
	struct gateway_message m = sample(n, RELAY_SOURCE);
	assert_int_equal(add(f, &m), CS_OK);
	assert_int_equal(move(f, &m, RELAY_ON_REACH_FINALITY), CS_OK);
	return m;
}

static int start(void **state)
{
	memset(&gateway, 0, sizeof(gateway));
	if (setup(state) != 0)
		return -1;
	const struct fixture *f = *state;
	gateway.journal = f->journal;
	gateway.config.service.retry_min_ms = MIN_MS;
	gateway.config.service.retry_max_ms = MAX_MS;
	gateway.stopping = true; /* nobody is woken */
	gateway.chain_count = 1;
	*chain = (struct gateway_chain){
		.gateway = &gateway, .identity = a_hash(0xc0, 1), .route_count = 1};
	chain->routes[0].remote = a_hash(0xc0, 2);
	return 0;
}

struct failure {
	uint64_t n;
	enum relay_state state;
	enum cs_err err;
};

static enum cs_err postpone_body(struct fixture *f, void *context)
{
	const struct failure *failure = context;
	(void)f;
	return gateway_postpone(&gateway, failure->n, failure->state, failure->err, NULL);
}

static struct gateway_message row(struct fixture *f, uint64_t n)
{
	struct gateway_message m;
	assert_int_equal(gateway_journal_row(f->journal, n, &m), CS_OK);
	return m;
}

static enum cs_err save_body(struct fixture *f, void *context)
{
	return gateway_journal_save(f->journal, context);
}

/* The pause that a failure brought. */
static uint64_t fails(struct fixture *f, uint64_t n, enum cs_err err)
{
	struct failure failure = {n, RELAY_FINAL, err};
	assert_int_equal(write_(f, postpone_body, &failure), CS_OK);
	struct gateway_message m = row(f, n);
	assert_true(m.next_ms >= m.updated_ms);
	return m.next_ms - m.updated_ms;
}

/* Between the clock's reading for the one and for the other there may be some time. */
#define SLACK_MS 200u

static void pauses_grow_and_no_try_is_counted(void **state)
{
	struct fixture *f = *state;
	struct gateway_message m = final_row(f, 1);
	uint64_t last = fails(f, m.n, CS_ERR_REORGED);
	assert_in_range(last, MIN_MS - SLACK_MS, MIN_MS);
	for (int i = 0; i < 24; i++) {
		uint64_t pause = fails(f, m.n, i % 2 ? CS_ERR_RPC : CS_ERR_REORGED);
		uint64_t wanted = 3 * last / 2 < MAX_MS / 2 ? 3 * last / 2 : MAX_MS / 2;
		assert_true(pause + SLACK_MS >= wanted && pause <= 3 * last && pause <= MAX_MS);
		last = pause;
	}
	assert_true(last + SLACK_MS >= MAX_MS / 2);
	assert_int_equal(row(f, m.n).tries, 0);
}

/* Those that failed together only because of one of them come apart. */
static void pauses_of_two_differ(void **state)
{
	struct fixture *f = *state;
	struct gateway_message one = final_row(f, 1);
	struct gateway_message two = final_row(f, 2);
	bool differ = false;
	for (int i = 0; i < 12 && !differ; i++) {
		(void)fails(f, one.n, CS_ERR_RPC);
		(void)fails(f, two.n, CS_ERR_RPC);
		uint64_t a = row(f, one.n).next_ms;
		uint64_t b = row(f, two.n).next_ms;
		differ = (a > b ? a - b : b - a) > SLACK_MS;
	}
	assert_true(differ);
}

static void what_may_not_be_repeated_counts(void **state)
{
	struct fixture *f = *state;
	struct gateway_message m = final_row(f, 1);
	for (uint32_t i = 1; i <= 3; i++) {
		assert_in_range(fails(f, m.n, CS_ERR_BAD_PROOF),
				MIN_MS * (1u << (i - 1)) - SLACK_MS, MIN_MS * (1u << (i - 1)));
		assert_int_equal(row(f, m.n).tries, i);
	}
	/* and is the least that a failure of another kind waits */
	assert_true(fails(f, m.n, CS_ERR_RPC) + SLACK_MS >= 4 * MIN_MS);
	assert_int_equal(row(f, m.n).tries, 3);
}

static void one_that_moved_on_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct gateway_message m = final_row(f, 1);
	struct failure failure = {m.n, RELAY_OBSERVED, CS_ERR_RPC};
	assert_int_equal(write_(f, postpone_body, &failure), CS_OK);
	assert_string_equal(row(f, m.n).why, "");
}

static void after_a_new_beginning_pauses_are_short(void **state)
{
	struct fixture *f = *state;
	struct gateway_message m = final_row(f, 1);
	for (int i = 0; i < 12; i++)
		(void)fails(f, m.n, CS_ERR_RPC);
	struct gateway_message now = row(f, m.n);
	now.next_ms = host_wall_ms(); /* as POST /v1/operator/clear does */
	assert_int_equal(write_(f, save_body, &now), CS_OK);
	assert_in_range(fails(f, m.n, CS_ERR_RPC), MIN_MS - SLACK_MS, MIN_MS);
}

/* ---- what came back ---- */

static uint64_t waits_ms(struct fixture *f, uint64_t n)
{
	uint64_t now = host_wall_ms();
	uint64_t next = row(f, n).next_ms;
	return next > now ? next - now : 0;
}

static void what_waits_is_hurried_once(void **state)
{
	struct fixture *f = *state;
	struct gateway_message waits = final_row(f, 1);
	struct gateway_message refused = final_row(f, 2);
	for (int i = 0; i < 12; i++) {
		(void)fails(f, waits.n, CS_ERR_RPC);
		(void)fails(f, refused.n, CS_ERR_BAD_PROOF);
	}
	while (host_wall_ms() <= row(f, refused.n).updated_ms)
		;
	gateway_hurry(chain);
	assert_true(gateway_hurry_step(chain));
	assert_int_equal(waits_ms(f, waits.n), 0);
	assert_true(waits_ms(f, refused.n) > MAX_MS / 2); /* nothing that came back helps it */
	/* It fails again at once: that is no reason to hurry it again. */
	(void)fails(f, waits.n, CS_ERR_RPC);
	assert_false(gateway_hurry_step(chain));
	assert_true(waits_ms(f, waits.n) > 0);
}

static void more_rows_than_a_turn_takes(void **state)
{
	struct fixture *f = *state;
	enum { ROWS = 300 };
	gateway.config.service.retry_min_ms = MAX_MS; /* none comes due meanwhile */
	for (uint32_t i = 0; i < ROWS; i++) {
		struct gateway_message m = sample(1, RELAY_SOURCE);
		m.id.b[1] = (uint8_t)(i >> 8);
		m.id.b[2] = (uint8_t)i;
		m.sequence = i + 1;
		assert_int_equal(add(f, &m), CS_OK);
		assert_int_equal(move(f, &m, RELAY_ON_REACH_FINALITY), CS_OK);
		(void)fails(f, m.n, CS_ERR_RPC);
	}
	while (host_wall_ms() <= row(f, ROWS).updated_ms)
		;
	gateway_hurry(chain);
	assert_true(gateway_hurry_step(chain));
	assert_true(gateway_hurry_step(chain));
	assert_false(gateway_hurry_step(chain));
	for (uint64_t n = 1; n <= ROWS; n++)
		assert_int_equal(waits_ms(f, n), 0);
}

static size_t well;

static size_t endpoints_of(struct adapter *adapter, struct adapter_endpoint *endpoints,
			   size_t count_max)
{
	(void)adapter;
	assert_true(count_max >= 2);
	for (size_t i = 0; i < 2; i++)
		endpoints[i] = (struct adapter_endpoint){
			.state = i < well ? ADAPTER_ENDPOINT_OK : ADAPTER_ENDPOINT_FAILING};
	return 2;
}

/* One of two endpoints fails, and is well again. */
static void an_endpoint_that_came_back(void **state)
{
	static const struct adapter_ops ops = {.endpoints = endpoints_of};
	struct adapter adapter = {.ops = &ops};
	struct fixture *f = *state;
	struct gateway_message m = final_row(f, 1);
	chain->adapter = &adapter;
	well = 2;
	gateway_hurry_tick(&gateway);
	for (int i = 0; i < 12; i++)
		(void)fails(f, m.n, CS_ERR_RPC);
	while (host_wall_ms() <= row(f, m.n).updated_ms)
		;
	gateway_hurry_tick(&gateway);
	well = 1;
	gateway_hurry_tick(&gateway);
	assert_true(waits_ms(f, m.n) > 0);
	well = 2;
	gateway_hurry_tick(&gateway);
	assert_int_equal(waits_ms(f, m.n), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, start, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(pauses_grow_and_no_try_is_counted),
		T(pauses_of_two_differ),
		T(what_may_not_be_repeated_counts),
		T(one_that_moved_on_is_left_alone),
		T(after_a_new_beginning_pauses_are_short),
		T(what_waits_is_hurried_once),
		T(more_rows_than_a_turn_takes),
		T(an_endpoint_that_came_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
