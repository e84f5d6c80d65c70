/* Decisions of the feed scheduler by tables; test_round_hours.c runs them. */
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

static struct oracle_round_point point(int64_t value, uint64_t observed_at_s)
{
	return (struct oracle_round_point){true, number(value), observed_at_s};
}

/* 2^n - less, with a sign. */
static struct cs_int256 power(unsigned n, uint64_t less, bool negative)
{
	struct cs_int256 out = {.negative = negative};
	struct cs_u256 sub = cs_u256_u64(less);
	out.magnitude.limb[n / 64] = UINT64_C(1) << n % 64;
	assert_ok(cs_u256_sub(&out.magnitude, &out.magnitude, &sub));
	return out;
}

/* ---- settings ---- */

static void settings_are_checked(void **unused)
{
	(void)unused;
	struct cs_why why;
	struct oracle_round_settings s = usual;
	assert_ok(oracle_round_check(&s, &why));
#define REFUSED(field, value, name)                                       \
	do {                                                              \
		s = usual;                                                \
		s.field = (value);                                        \
		assert_err(oracle_round_check(&s, &why), CS_ERR_INVALID); \
		assert_memory_equal(why.text, name, strlen(name));        \
	} while (0)
	REFUSED(heartbeat_ms, 0, "heartbeat");
	REFUSED(heartbeat_ms, ORACLE_ROUND_LENGTH_MAX_MS + 1, "heartbeat");
	REFUSED(poll_ms, 999, "poll");
	REFUSED(poll_ms, MS(3601), "poll");
	REFUSED(jitter_ms, MS(30) + 1, "jitter");
	REFUSED(lead_ms, MS(3600), "lead");
	REFUSED(lead_ms, UINT64_MAX, "lead");
	REFUSED(jump_ppm, 5000, "jump");
	REFUSED(agree_min, 0, "k");
	REFUSED(agree_min, 17, "k");
	REFUSED(trip_after, 0, "trip_after");
	REFUSED(trip_after, ORACLE_ROUND_TRIP_MAX + 1, "trip_after");
	REFUSED(pause_max_ms, MS(59), "pause_max");
	REFUSED(pause_max_ms, ORACLE_ROUND_LENGTH_MAX_MS + 1, "pause_max");
#undef REFUSED
	s = usual;
	s.lead_ms = MS(3580);
	s.jitter_ms = MS(20);
	assert_err(oracle_round_check(&s, &why), CS_ERR_INVALID);
	assert_err(oracle_round_check(&s, NULL), CS_ERR_INVALID);
	s.jump_ppm = 0;
	s.jitter_ms = MS(19);
	assert_ok(oracle_round_check(&s, &why));
}

/* ---- one decision ---- */

struct decision_row {
	const char *name;
	int64_t chain_value; /* 0: no round */
	int64_t good_value;  /* 0: none */
	uint64_t chain_s;    /* after T0 */
	uint64_t good_s;
	uint64_t asked_s;
	uint64_t now_s;
	uint64_t block_s;
	bool paused, tripped, submitting, spent;
	uint32_t failures;
	enum oracle_round_verb verb;
	uint64_t at_s;
};

static const struct decision_row decisions[] = {
	{.name = "a new feed is asked for", .now_s = 1, .verb = ORACLE_ROUND_ASK},
	{.name = "its first value is submitted",
	 .good_value = 100,
	 .good_s = 5,
	 .asked_s = 5,
	 .now_s = 6,
	 .block_s = 5,
	 .verb = ORACLE_ROUND_SUBMIT_HEARTBEAT},
	{.name = "not before a block of its time",
	 .good_value = 100,
	 .good_s = 5,
	 .asked_s = 5,
	 .now_s = 6,
	 .block_s = 4,
	 .verb = ORACLE_ROUND_WAIT,
	 .at_s = 65},
	{.name = "nor when it is paused",
	 .good_value = 100,
	 .good_s = 5,
	 .asked_s = 5,
	 .now_s = 6,
	 .block_s = 5,
	 .paused = true,
	 .verb = ORACLE_ROUND_HOLD},
	{.name = "nor when it tripped since",
	 .good_value = 100,
	 .good_s = 5,
	 .asked_s = 5,
	 .now_s = 6,
	 .block_s = 5,
	 .tripped = true,
	 .failures = 3,
	 .verb = ORACLE_ROUND_WAIT,
	 .at_s = 125},
	{.name = "nor twice at once",
	 .good_value = 100,
	 .good_s = 5,
	 .asked_s = 5,
	 .now_s = 6,
	 .block_s = 5,
	 .submitting = true,
	 .verb = ORACLE_ROUND_WAIT,
	 .at_s = 65},
	{.name = "nor again after it failed",
	 .good_value = 100,
	 .good_s = 5,
	 .asked_s = 5,
	 .now_s = 6,
	 .block_s = 5,
	 .spent = true,
	 .verb = ORACLE_ROUND_WAIT,
	 .at_s = 65},
	{.name = "nor when it came long ago",
	 .good_value = 100,
	 .good_s = 5,
	 .asked_s = 66,
	 .now_s = 67,
	 .block_s = 67,
	 .verb = ORACLE_ROUND_WAIT,
	 .at_s = 126},
	{.name = "0.49% is no deviation",
	 .chain_value = 10000,
	 .chain_s = 1,
	 .good_value = 10049,
	 .good_s = 61,
	 .asked_s = 61,
	 .now_s = 62,
	 .block_s = 90,
	 .verb = ORACLE_ROUND_WAIT,
	 .at_s = 121},
	{.name = "0.50% is",
	 .chain_value = 10000,
	 .chain_s = 1,
	 .good_value = 10050,
	 .good_s = 61,
	 .asked_s = 61,
	 .now_s = 62,
	 .block_s = 90,
	 .verb = ORACLE_ROUND_SUBMIT_DEVIATION},
	{.name = "downwards too",
	 .chain_value = 10000,
	 .chain_s = 1,
	 .good_value = 9950,
	 .good_s = 61,
	 .asked_s = 61,
	 .now_s = 62,
	 .block_s = 90,
	 .verb = ORACLE_ROUND_SUBMIT_DEVIATION},
	{.name = "below zero too",
	 .chain_value = -10000,
	 .chain_s = 1,
	 .good_value = -10050,
	 .good_s = 61,
	 .asked_s = 61,
	 .now_s = 62,
	 .block_s = 90,
	 .verb = ORACLE_ROUND_SUBMIT_DEVIATION},
	{.name = "through zero",
	 .chain_value = 1,
	 .chain_s = 1,
	 .good_value = -1,
	 .good_s = 61,
	 .asked_s = 61,
	 .now_s = 62,
	 .block_s = 90,
	 .verb = ORACLE_ROUND_SUBMIT_DEVIATION},
	{.name = "what is on the chain is not submitted",
	 .chain_value = 10000,
	 .chain_s = 61,
	 .good_value = 20000,
	 .good_s = 61,
	 .asked_s = 61,
	 .now_s = 62,
	 .block_s = 90,
	 .verb = ORACLE_ROUND_WAIT,
	 .at_s = 121},
	{.name = "nor what is older than that",
	 .chain_value = 10000,
	 .chain_s = 62,
	 .good_value = 20000,
	 .good_s = 61,
	 .asked_s = 61,
	 .now_s = 63,
	 .block_s = 90,
	 .verb = ORACLE_ROUND_WAIT,
	 .at_s = 121},
	{.name = "a poll is due",
	 .chain_value = 10000,
	 .chain_s = 1,
	 .good_value = 10001,
	 .good_s = 61,
	 .asked_s = 61,
	 .now_s = 121,
	 .block_s = 121,
	 .verb = ORACLE_ROUND_ASK},
	{.name = "a moment before",
	 .chain_value = 10000,
	 .chain_s = 1,
	 .good_value = 10001,
	 .good_s = 61,
	 .asked_s = 61,
	 .now_s = 120,
	 .block_s = 120,
	 .verb = ORACLE_ROUND_WAIT,
	 .at_s = 121},
	{.name = "one failure changes no pause",
	 .asked_s = 61,
	 .now_s = 62,
	 .failures = 1,
	 .verb = ORACLE_ROUND_WAIT,
	 .at_s = 121},
	{.name = "the heartbeat is asked for before its poll",
	 .chain_value = 10000,
	 .chain_s = 0,
	 .good_value = 10001,
	 .good_s = 3550,
	 .asked_s = 3550,
	 .now_s = 3569,
	 .block_s = 3569,
	 .verb = ORACLE_ROUND_WAIT,
	 .at_s = 3570},
	{.name = "when its time has come",
	 .chain_value = 10000,
	 .chain_s = 0,
	 .good_value = 10001,
	 .good_s = 3550,
	 .asked_s = 3550,
	 .now_s = 3570,
	 .block_s = 3570,
	 .verb = ORACLE_ROUND_ASK},
	{.name = "and submitted",
	 .chain_value = 10000,
	 .chain_s = 0,
	 .good_value = 10000,
	 .good_s = 3570,
	 .asked_s = 3570,
	 .now_s = 3571,
	 .block_s = 3571,
	 .verb = ORACLE_ROUND_SUBMIT_HEARTBEAT},
	{.name = "one that failed then waits for its poll",
	 .chain_value = 10000,
	 .chain_s = 0,
	 .good_value = 10001,
	 .good_s = 3550,
	 .asked_s = 3570,
	 .now_s = 3571,
	 .failures = 1,
	 .block_s = 3571,
	 .verb = ORACLE_ROUND_WAIT,
	 .at_s = 3630},
	{.name = "a tripped feed has no heartbeat",
	 .chain_value = 10000,
	 .chain_s = 0,
	 .asked_s = 3500,
	 .now_s = 3571,
	 .failures = 3,
	 .tripped = true,
	 .block_s = 3571,
	 .verb = ORACLE_ROUND_WAIT,
	 .at_s = 3620},
	{.name = "its pause doubles",
	 .asked_s = 10,
	 .now_s = 11,
	 .failures = 4,
	 .tripped = true,
	 .verb = ORACLE_ROUND_WAIT,
	 .at_s = 250},
	{.name = "and doubles",
	 .asked_s = 10,
	 .now_s = 11,
	 .failures = 5,
	 .tripped = true,
	 .verb = ORACLE_ROUND_WAIT,
	 .at_s = 490},
	{.name = "to its end",
	 .asked_s = 10,
	 .now_s = 11,
	 .failures = 6,
	 .tripped = true,
	 .verb = ORACLE_ROUND_WAIT,
	 .at_s = 610},
	{.name = "and stays there",
	 .asked_s = 10,
	 .now_s = 11,
	 .failures = UINT32_MAX,
	 .tripped = true,
	 .verb = ORACLE_ROUND_WAIT,
	 .at_s = 610},
	{.name = "a tripped feed is asked for",
	 .asked_s = 10,
	 .now_s = 250,
	 .failures = 4,
	 .tripped = true,
	 .verb = ORACLE_ROUND_ASK},
	{.name = "a paused one is not",
	 .asked_s = 10,
	 .now_s = 99999,
	 .paused = true,
	 .verb = ORACLE_ROUND_HOLD},
	{.name = "a clock that was set back",
	 .asked_s = 99999,
	 .now_s = 11,
	 .verb = ORACLE_ROUND_ASK},
};

static void decisions_by_table(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < CS_LEN(decisions); i++) {
		const struct decision_row *row = &decisions[i];
		struct oracle_round_state state = {
			.paused = row->paused,
			.tripped = row->tripped,
			.submitting = row->submitting,
			.spent = row->spent,
			.failures = row->failures,
			.asked_ms = row->asked_s ? MS(T0 + row->asked_s) : 0,
		};
		if (row->chain_value != 0) {
			state.chain = point(row->chain_value, T0 + row->chain_s);
			state.chain_round = 7;
		}
		if (row->good_value != 0) {
			state.good = point(row->good_value, T0 + row->good_s);
			state.good_ms = MS(T0 + row->good_s);
		}
		struct oracle_round_decision got =
			oracle_round_decide(&usual, &state, MS(T0 + row->now_s), T0 + row->block_s);
		if (got.verb != row->verb ||
		    got.at_ms != (row->verb == ORACLE_ROUND_WAIT ? MS(T0 + row->at_s) : 0))
			fail_msg("%s: verb %d, at %lld s", row->name, (int)got.verb,
				 (long long)(got.at_ms / 1000) - (long long)T0);
	}
}

static void a_deviation_of_zero_is_any_change(void **unused)
{
	(void)unused;
	struct oracle_round_settings s = usual;
	struct oracle_round_state state = {.chain = point(10000, T0),
					   .chain_round = 1,
					   .good = point(10000, T0 + 60),
					   .good_ms = MS(T0 + 60),
					   .asked_ms = MS(T0 + 60)};
	s.deviation_ppm = 0;
	assert_int_equal(oracle_round_decide(&s, &state, MS(T0 + 61), T0 + 61).verb,
			 ORACLE_ROUND_WAIT);
	state.good = point(10001, T0 + 60);
	assert_int_equal(oracle_round_decide(&s, &state, MS(T0 + 61), T0 + 61).verb,
			 ORACLE_ROUND_SUBMIT_DEVIATION);
	/* From zero every value is far away. */
	state.chain = point(0, T0);
	s.deviation_ppm = UINT32_MAX;
	assert_int_equal(oracle_round_decide(&s, &state, MS(T0 + 61), T0 + 61).verb,
			 ORACLE_ROUND_SUBMIT_DEVIATION);
}

static void jitter_differs_by_seed_and_moment(void **unused)
{
	(void)unused;
	struct oracle_round_settings s = usual;
	uint64_t first[8], second[8];
	unsigned same = 0;
	s.jitter_ms = MS(30);
	for (uint64_t seed = 0; seed < 8; seed++) {
		struct oracle_round_state state = {
			.chain = point(200, T0 - 100), .good = point(100, T0), .chain_round = 1};
		s.seed = seed;
		state.good_ms = state.asked_ms = MS(T0);
		first[seed] = oracle_round_decide(&s, &state, MS(T0), T0).at_ms;
		assert_in_range(first[seed], MS(T0), MS(T0 + 30));
		/* The same question has the same answer. */
		assert_int_equal(oracle_round_decide(&s, &state, MS(T0), T0).at_ms, first[seed]);
		assert_int_equal(oracle_round_decide(&s, &state, first[seed], T0).verb,
				 ORACLE_ROUND_SUBMIT_DEVIATION);
		state.good_ms = state.asked_ms = MS(T0 + 60);
		second[seed] = oracle_round_decide(&s, &state, MS(T0 + 60), T0).at_ms - MS(60);
		assert_in_range(second[seed], MS(T0), MS(T0 + 30));
		same += first[seed] == second[seed];
		for (uint64_t other = 0; other < seed; other++)
			same += first[seed] == first[other];
	}
	assert_int_equal(same, 0);
}

static void others_go_along(void **unused)
{
	(void)unused;
	struct oracle_round_settings s = usual;
	struct oracle_round_state state = {.chain = point(10000, T0),
					   .chain_round = 1,
					   .good = point(10000, T0 + 3555),
					   .good_ms = MS(T0 + 3555),
					   .asked_ms = MS(T0 + 3555)};
	/* Its heartbeat wants it from 3570 on; 15 s are forgiven, a second more is not. */
	assert_int_equal(oracle_round_goes_along(&s, &state, MS(T0 + 3556), T0 + 3556),
			 ORACLE_ROUND_SUBMIT_HEARTBEAT);
	state.good_ms = MS(T0 + 3554);
	assert_int_equal(oracle_round_goes_along(&s, &state, MS(T0 + 3556), T0 + 3556),
			 ORACLE_ROUND_WAIT);
	assert_true(oracle_round_may_submit(&s, &state, MS(T0 + 3556), T0 + 3556));
	state.asked_ms = MS(T0 + 3540);
	assert_true(oracle_round_asks_along(&s, &state, MS(T0 + 3555)));
	assert_false(oracle_round_asks_along(&s, &state, MS(T0 + 3554)));
	state.good = point(11000, T0 + 3555);
	assert_int_equal(oracle_round_goes_along(&s, &state, MS(T0 + 3556), T0 + 3556),
			 ORACLE_ROUND_SUBMIT_DEVIATION);
	/* Nothing is taken along that could not go alone. */
	assert_int_equal(oracle_round_goes_along(&s, &state, MS(T0 + 3556), T0 + 3554),
			 ORACLE_ROUND_WAIT);
	assert_int_equal(oracle_round_goes_along(&s, &state, MS(T0 + 3614), T0 + 3614),
			 ORACLE_ROUND_WAIT);
	state.tripped = true;
	assert_false(oracle_round_may_submit(&s, &state, MS(T0 + 3556), T0 + 3556));
	state.tripped = false;
	oracle_round_pause(&state);
	assert_int_equal(oracle_round_goes_along(&s, &state, MS(T0 + 3556), T0 + 3556),
			 ORACLE_ROUND_WAIT);
	assert_false(oracle_round_asks_along(&s, &state, MS(T0 + 9999)));
}

/* ---- one outcome ---- */

struct outcome_row {
	const char *name;
	struct oracle_round_result outcome;
	enum oracle_verdict verdict;
};

/* Before: 1000 on the chain at T0 + 10, 1100 was good at T0 + 70. */
static void outcomes_by_table(void **unused)
{
	(void)unused;
	const struct outcome_row rows[] = {
		{"usual", {0, number(1101), T0 + 130, 2}, ORACLE_VERDICT_GOOD},
		{"as far as it may", {0, number(1320), T0 + 130, 3}, ORACLE_VERDICT_GOOD},
		{"further", {0, number(1321), T0 + 130, 3}, ORACLE_VERDICT_JUMP},
		{"downwards", {0, number(879), T0 + 130, 3}, ORACLE_VERDICT_JUMP},
		{"another sign", {0, number(-1100), T0 + 130, 3}, ORACLE_VERDICT_JUMP},
		{"zero", {0, number(0), T0 + 130, 3}, ORACLE_VERDICT_JUMP},
		{"one source", {0, number(1101), T0 + 130, 1}, ORACLE_VERDICT_DISAGREE},
		{"none", {0, number(1101), T0 + 130, 0}, ORACLE_VERDICT_DISAGREE},
		{"the same second", {0, number(1101), T0 + 70, 2}, ORACLE_VERDICT_OLD},
		{"older", {0, number(1101), T0 + 69, 2}, ORACLE_VERDICT_OLD},
		{"disagreement", {48, number(0), T0 + 130, 0}, ORACLE_VERDICT_FAILED},
		{"unreachable", {16, number(0), T0 + 130, 0}, ORACLE_VERDICT_FAILED},
		{"a value beside a code", {16, number(1101), T0 + 130, 3}, ORACLE_VERDICT_FAILED},
		{"int128 and one", {0, power(127, 0, false), T0 + 130, 3}, ORACLE_VERDICT_UNFIT},
		{"-int128 and one less",
		 {0, power(128, 1, true), T0 + 130, 3},
		 ORACLE_VERDICT_UNFIT},
		{"int256", {0, power(255, 1, false), T0 + 130, 3}, ORACLE_VERDICT_UNFIT},
		{"a time of 33 bits",
		 {0, number(1101), UINT64_C(1) << 32, 3},
		 ORACLE_VERDICT_UNFIT},
		{"the largest there is",
		 {0, power(127, 1, false), T0 + 130, 3},
		 ORACLE_VERDICT_JUMP},
		{"the smallest", {0, power(127, 0, true), T0 + 130, 3}, ORACLE_VERDICT_JUMP},
	};
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		struct oracle_round_state state = {.chain = point(1000, T0 + 10),
						   .chain_round = 3,
						   .good = point(1100, T0 + 70),
						   .good_ms = MS(T0 + 70),
						   .failures = 1};
		bool good = rows[i].verdict == ORACLE_VERDICT_GOOD;
		bool old = rows[i].verdict == ORACLE_VERDICT_OLD;
		enum oracle_verdict got =
			oracle_round_take(&state, &usual, &rows[i].outcome, MS(T0 + 131));
		if (got != rows[i].verdict)
			fail_msg("%s: %s", rows[i].name, oracle_verdict_name(got));
		assert_int_equal(state.failures, good ? 0 : old ? 1 : 2);
		assert_int_equal(state.good.observed_at_s, good ? T0 + 130 : T0 + 70);
		assert_int_equal(state.good_ms, good ? MS(T0 + 131) : MS(T0 + 70));
		assert_false(state.tripped);
	}
}

static void int128_is_taken_to_its_ends(void **unused)
{
	(void)unused;
	const struct oracle_round_result ends[] = {{0, power(127, 1, false), T0 + 1, 2},
						   {0, power(127, 0, true), UINT32_MAX, 2}};
	for (size_t i = 0; i < CS_LEN(ends); i++) {
		struct oracle_round_state state = {0};
		assert_int_equal(oracle_round_take(&state, &usual, &ends[i], MS(T0)),
				 ORACLE_VERDICT_GOOD);
		assert_int_equal(cs_int256_cmp(&state.good.value, &ends[i].value), 0);
	}
}

static void the_newest_of_both_is_what_a_jump_is_measured_by(void **unused)
{
	(void)unused;
	const struct oracle_round_result next = {0, number(1900), T0 + 130, 2};
	struct oracle_round_state state = {.good = point(1000, T0 + 10)};
	oracle_round_seen(&state, 9, &(struct cs_int256){false, cs_u256_u64(2000)}, T0 + 100);
	assert_int_equal(oracle_round_take(&state, &usual, &next, 0), ORACLE_VERDICT_GOOD);
	/* The first value of all cannot jump. */
	state = (struct oracle_round_state){0};
	assert_int_equal(oracle_round_take(&state, &usual, &next, 0), ORACLE_VERDICT_GOOD);
	/* Nor can one without a bound. */
	struct oracle_round_settings s = usual;
	s.jump_ppm = 0;
	state = (struct oracle_round_state){.good = point(1, T0 + 10)};
	assert_int_equal(oracle_round_take(&state, &s, &next, 0), ORACLE_VERDICT_GOOD);
}

/* ---- the breaker ---- */

static void failures_in_a_row_trip_it(void **unused)
{
	(void)unused;
	const struct oracle_round_result bad = {48, number(0), T0 + 60, 0};
	struct oracle_round_result good = {0, number(1000), T0 + 61, 3};
	struct oracle_round_state state = {0};
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(oracle_round_take(&state, &usual, &bad, 0), ORACLE_VERDICT_FAILED);
	assert_string_equal(oracle_round_state_name(&state), "active");
	/* One good round between them begins the count again. */
	assert_int_equal(oracle_round_take(&state, &usual, &good, 0), ORACLE_VERDICT_GOOD);
	for (unsigned i = 0; i < 3; i++) {
		assert_false(state.tripped);
		assert_int_equal(oracle_round_take(&state, &usual, &bad, 0), ORACLE_VERDICT_FAILED);
	}
	assert_string_equal(oracle_round_state_name(&state), "tripped");
	/* Agreement heals it, an old round does not. */
	assert_int_equal(oracle_round_take(&state, &usual, &good, 0), ORACLE_VERDICT_OLD);
	assert_true(state.tripped);
	good.observed_at_s++;
	assert_int_equal(oracle_round_take(&state, &usual, &good, 0), ORACLE_VERDICT_GOOD);
	assert_string_equal(oracle_round_state_name(&state), "active");
	assert_int_equal(state.failures, 0);
}

static void after_a_jump_an_operator_decides(void **unused)
{
	(void)unused;
	struct oracle_round_result far = {0, number(2000), T0 + 60, 3};
	struct oracle_round_state state = {.good = point(1000, T0), .asked_ms = MS(T0 + 60)};
	for (unsigned i = 0; i < 5; i++, far.observed_at_s++)
		assert_int_equal(oracle_round_take(&state, &usual, &far, 0), ORACLE_VERDICT_JUMP);
	assert_true(state.tripped);
	oracle_round_pause(&state);
	assert_string_equal(oracle_round_state_name(&state), "paused");
	assert_int_equal(oracle_round_decide(&usual, &state, MS(T0 + 9999), T0).verb,
			 ORACLE_ROUND_HOLD);
	oracle_round_resume(&state);
	assert_string_equal(oracle_round_state_name(&state), "active");
	assert_int_equal(oracle_round_decide(&usual, &state, MS(T0 + 61), T0).verb,
			 ORACLE_ROUND_ASK);
	assert_int_equal(oracle_round_take(&state, &usual, &far, 0), ORACLE_VERDICT_GOOD);
	/* That was for one value. */
	far = (struct oracle_round_result){0, number(9000), T0 + 90, 3};
	assert_int_equal(oracle_round_take(&state, &usual, &far, 0), ORACLE_VERDICT_JUMP);
}

static void resuming_excuses_no_disagreement(void **unused)
{
	(void)unused;
	const struct oracle_round_result alone = {0, number(1000), T0 + 60, 1};
	struct oracle_round_state state = {0};
	oracle_round_resume(&state);
	assert_int_equal(oracle_round_take(&state, &usual, &alone, 0), ORACLE_VERDICT_DISAGREE);
	assert_true(state.jump_allowed);
}

static void what_was_handed_over_is_not_again(void **unused)
{
	(void)unused;
	struct oracle_round_result next = {0, number(1000), T0 + 60, 3};
	struct oracle_round_state state = {0};
	oracle_round_asked(&state, MS(T0 + 60));
	assert_int_equal(oracle_round_take(&state, &usual, &next, MS(T0 + 60)),
			 ORACLE_VERDICT_GOOD);
	assert_int_equal(oracle_round_decide(&usual, &state, MS(T0 + 61), T0 + 61).verb,
			 ORACLE_ROUND_SUBMIT_HEARTBEAT);
	oracle_round_submit(&state);
	assert_int_equal(oracle_round_decide(&usual, &state, MS(T0 + 61), T0 + 61).verb,
			 ORACLE_ROUND_WAIT);
	/* It failed: the next round's value goes. */
	oracle_round_settle(&state);
	assert_int_equal(oracle_round_decide(&usual, &state, MS(T0 + 62), T0 + 61).verb,
			 ORACLE_ROUND_WAIT);
	next.observed_at_s += 60;
	assert_int_equal(oracle_round_take(&state, &usual, &next, MS(T0 + 120)),
			 ORACLE_VERDICT_GOOD);
	assert_int_equal(oracle_round_decide(&usual, &state, MS(T0 + 121), T0 + 121).verb,
			 ORACLE_ROUND_SUBMIT_HEARTBEAT);
}

static void a_reorganisation_brings_the_old_round_back(void **unused)
{
	(void)unused;
	struct cs_int256 value = number(1000);
	struct oracle_round_state state = {0};
	oracle_round_seen(&state, 5, &value, T0 + 60);
	oracle_round_seen(&state, 4, &value, T0);
	assert_int_equal(state.chain_round, 4);
	assert_int_equal(state.chain.observed_at_s, T0);
	oracle_round_seen(&state, 0, NULL, 0);
	assert_false(state.chain.known);
}

/* ---- arithmetic ---- */

static void proportions(void **unused)
{
	(void)unused;
	const struct {
		struct cs_int256 value, from;
		uint64_t ppm;
	} rows[] = {
		{number(1000), number(1000), 0},
		{number(0), number(0), 0},
		{number(1), number(0), UINT64_MAX},
		{number(0), number(-7), 1000000},
		{number(1005), number(1000), 5000},
		{number(995), number(1000), 5000},
		{number(-995), number(-1000), 5000},
		{number(-1000), number(1000), 2000000},
		{number(3), number(7), 571428},
		{power(127, 1, false), power(127, 0, true), 1999999},
		{power(127, 1, false), number(1), UINT64_MAX},
		{power(255, 1, false), power(255, 0, true), UINT64_MAX},
	};
	for (size_t i = 0; i < CS_LEN(rows); i++)
		assert_int_equal(oracle_round_ppm(&rows[i].value, &rows[i].from), rows[i].ppm);
}

static void sources_that_agree(void **unused)
{
	(void)unused;
	const struct cs_int256 value = number(1000);
	const struct oracle_round_source sources[] = {
		{true, number(1000)},  {true, number(1010)},        {true, number(1011)},
		{true, number(990)},   {true, number(989)},         {false, number(1000)},
		{true, number(-1000)}, {true, power(255, 0, true)},
	};
	const struct cs_int256 zero = number(0);
	const struct oracle_round_source low[] = {{true, number(0)}, {true, number(1)}};
	assert_int_equal(oracle_round_agreeing(sources, CS_LEN(sources), &value, 10000), 0x0b);
	assert_int_equal(oracle_round_agreeing(sources, CS_LEN(sources), &value, 0), 0x01);
	assert_int_equal(oracle_round_agreeing(sources, 0, &value, 10000), 0);
	assert_int_equal(oracle_round_agreeing(low, 2, &zero, UINT32_MAX), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_are_checked),
		cmocka_unit_test(decisions_by_table),
		cmocka_unit_test(a_deviation_of_zero_is_any_change),
		cmocka_unit_test(jitter_differs_by_seed_and_moment),
		cmocka_unit_test(others_go_along),
		cmocka_unit_test(outcomes_by_table),
		cmocka_unit_test(int128_is_taken_to_its_ends),
		cmocka_unit_test(the_newest_of_both_is_what_a_jump_is_measured_by),
		cmocka_unit_test(failures_in_a_row_trip_it),
		cmocka_unit_test(after_a_jump_an_operator_decides),
		cmocka_unit_test(resuming_excuses_no_disagreement),
		cmocka_unit_test(what_was_handed_over_is_not_again),
		cmocka_unit_test(a_reorganisation_brings_the_old_round_back),
		cmocka_unit_test(proportions),
		cmocka_unit_test(sources_that_agree),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
