/* Hours of prices in which what the feed scheduler promises is checked at every second: with two
 * operators, with sources that disagree, with blocks that come late. */
#include "oracle/round.h"
#include "tests/unit/support.h"

#define T0 1700000000u /* seconds */
#define MS(s) ((uint64_t)(s)*1000)

static const struct oracle_round_settings usual = {
	.heartbeat_ms = MS(3600),
	.deviation_ppm = 5000,
	.poll_ms = MS(60),
	.lead_ms = MS(30),
	.jitter_ms = 0,
	.agree_ppm = 10000,
	.agree_min = 2,
	.jump_ppm = 200000,
	.trip_after = 3,
	.pause_max_ms = MS(600),
	.seed = 1,
};

static struct cs_int256 number(int64_t value)
{
	return (struct cs_int256){value < 0, cs_u256_u64((uint64_t)(value < 0 ? -value : value))};
}

#define HOURS_S 7200u
#define OPERATORS 2u
#define BLOCK_S 5u

struct market {
	uint64_t random;
	int64_t price;
};

static uint64_t draw(struct market *market, uint64_t below)
{
	market->random ^= market->random << 13;
	market->random ^= market->random >> 7;
	market->random ^= market->random << 17;
	return market->random % below;
}

/* Quiet first, then nervous. */
static void move(struct market *market, uint64_t second)
{
	int64_t step = second < HOURS_S / 2 ? 40 : 40000;
	market->price += (int64_t)draw(market, (uint64_t)(2 * step + 1)) - step;
	assert_true(market->price > 100000);
}

struct simulation {
	struct market market;
	struct oracle_round_state states[OPERATORS];
	struct oracle_round_settings settings[OPERATORS];
	/* In the next block: by operator, observed_at_s 0 for none. */
	struct oracle_round_point pending[OPERATORS];
	struct oracle_round_point chain;
	uint64_t round;
	uint64_t block_s;
	unsigned wasted;  /* taken, though neither heartbeat nor deviation asked for it any more */
	unsigned refused; /* older than what is there */
	unsigned asks;
	unsigned quiet; /* rounds of the first hour */
};

static void simulate_block(struct simulation *sim, uint64_t now_s)
{
	sim->block_s = now_s;
	for (size_t i = 0; i < OPERATORS; i++) {
		if (!sim->pending[i].known)
			continue;
		assert_true(sim->pending[i].observed_at_s <= now_s);
		bool newer = !sim->chain.known ||
			     sim->pending[i].observed_at_s > sim->chain.observed_at_s;
		sim->refused += !newer;
		sim->wasted += newer && sim->chain.known &&
			       now_s - sim->chain.observed_at_s < 3000 &&
			       oracle_round_ppm(&sim->pending[i].value, &sim->chain.value) < 5000;
		if (newer) {
			sim->chain = sim->pending[i];
			sim->round++;
		}
		sim->pending[i].known = false;
		oracle_round_settle(&sim->states[i]);
	}
	for (size_t i = 0; i < OPERATORS; i++)
		oracle_round_seen(&sim->states[i], sim->round, &sim->chain.value,
				  sim->chain.observed_at_s);
}

static void simulate_operator(struct simulation *sim, size_t i, uint64_t now_s, bool broken)
{
	struct oracle_round_state *state = &sim->states[i];
	struct oracle_round_decision decision =
		oracle_round_decide(&sim->settings[i], state, MS(now_s), sim->block_s);
	struct oracle_round_result outcome = {0, number(sim->market.price), now_s, 3};
	switch (decision.verb) {
	case ORACLE_ROUND_ASK:
		sim->asks++;
		if (broken)
			outcome.code = 48;
		oracle_round_asked(state, MS(now_s));
		assert_int_equal(oracle_round_take(state, &sim->settings[i], &outcome, MS(now_s)),
				 broken ? ORACLE_VERDICT_FAILED : ORACLE_VERDICT_GOOD);
		break;
	case ORACLE_ROUND_SUBMIT_DEVIATION:
	case ORACLE_ROUND_SUBMIT_HEARTBEAT:
		assert_false(broken && state->tripped);
		assert_true(state->good.observed_at_s <= sim->block_s);
		sim->pending[i] = state->good;
		oracle_round_submit(state);
		break;
	case ORACLE_ROUND_WAIT:
		assert_true(decision.at_ms > MS(now_s));
		break;
	case ORACLE_ROUND_HOLD:
	case ORACLE_ROUND_SUBMIT_ALONG:
		fail_msg("nobody paused it, and nobody is with it");
	}
}

/* Both ask in the same seconds, which is the worst for them. */
static void simulate(struct simulation *sim, uint64_t jitter_ms)
{
	*sim = (struct simulation){.market = {88172645463325252u, 100000000}};
	for (size_t i = 0; i < OPERATORS; i++) {
		sim->settings[i] = usual;
		sim->settings[i].jitter_ms = jitter_ms;
		sim->settings[i].seed = 1 + i;
		assert_ok(oracle_round_check(&sim->settings[i], NULL));
	}
	for (uint64_t s = 0; s < HOURS_S; s++) {
		move(&sim->market, s);
		if (s % BLOCK_S == 0)
			simulate_block(sim, T0 + s);
		for (size_t i = 0; i < OPERATORS; i++)
			simulate_operator(sim, i, T0 + s, false);
		/* The promises, once the first value is there: no older than the heartbeat, and off by
		 * no more than what a poll, the jitter and a block can hide. */
		if (s < 60)
			continue;
		struct cs_int256 price = number(sim->market.price);
		assert_true(sim->chain.known);
		assert_true(T0 + s - sim->chain.observed_at_s <= 3600);
		assert_true(oracle_round_ppm(&price, &sim->chain.value) < 2 * 5000);
		if (s == HOURS_S / 2)
			sim->quiet = (unsigned)sim->round;
	}
}

static void two_operators_keep_a_feed_for_two_hours(void **unused)
{
	(void)unused;
	struct simulation sim;
	simulate(&sim, MS(30));
	/* Quiet: the first and the heartbeat, and what both brought. Then by deviation. */
	assert_in_range(sim.quiet, 2, 4);
	assert_in_range(sim.round, sim.quiet + 5, 60);
	assert_in_range(sim.asks, 2 * HOURS_S / 60 - 2, 2 * HOURS_S / 60 + 8);
	unsigned twice = sim.wasted + sim.refused;
	/* Where their waits differ by less than a block. */
	assert_true(twice * 2 <= sim.round);
	/* Without jitter they pay for every round twice. */
	simulate(&sim, 0);
	assert_int_equal(sim.wasted + sim.refused, sim.round);
}

/* Polls of a second, blocks of twelve that are heard of two seconds late: there is a value from after
 * every block. */
static void quick_polls_wait_for_their_block(void **unused)
{
	(void)unused;
	struct simulation sim = {.market = {88172645463325252u, 100000000}};
	struct oracle_round_settings *s = &sim.settings[0];
	*s = usual;
	s->heartbeat_ms = MS(60);
	s->lead_ms = MS(30);
	s->poll_ms = MS(1);
	s->block_ms = MS(48);
	s->pause_max_ms = MS(60);
	assert_ok(oracle_round_check(s, NULL));
	for (uint64_t now = 0; now < 1200; now++) {
		move(&sim.market, 0);
		if (now % 12 == 2)
			simulate_block(&sim, T0 + now - 2);
		simulate_operator(&sim, 0, T0 + now, false);
		if (now > 60)
			assert_true(T0 + now - sim.chain.observed_at_s <= 60);
	}
	assert_in_range(sim.round, 20, 60);
	assert_true(sim.asks > 300);
}

static void an_hour_in_which_sources_disagree(void **unused)
{
	(void)unused;
	struct simulation sim = {.market = {88172645463325252u, 100000000}};
	uint64_t round = 0;
	unsigned asks = 0;
	sim.settings[0] = usual;
	for (uint64_t s = 0; s < HOURS_S; s++) {
		move(&sim.market, 0);
		if (s % BLOCK_S == 0)
			simulate_block(&sim, T0 + s);
		simulate_operator(&sim, 0, T0 + s, s >= 600 && s < 4200);
		if (s == 660) {
			round = sim.round;
			asks = sim.asks;
		}
		if (s == 4200) {
			/* Nothing was published, and it was asked for seldom: 2 more, then pauses. */
			assert_int_equal(sim.round, round);
			assert_true(sim.states[0].tripped);
			assert_in_range(sim.asks - asks, 6, 12);
		}
	}
	assert_false(sim.states[0].tripped);
	assert_int_equal(sim.round, round + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_operators_keep_a_feed_for_two_hours),
		cmocka_unit_test(quick_polls_wait_for_their_block),
		cmocka_unit_test(an_hour_in_which_sources_disagree),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
