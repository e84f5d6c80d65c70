#include "oracle/round.h"

#define MILLION 1000000u

/* ---- settings ---- */

enum cs_err oracle_round_check(const struct oracle_round_settings *s, struct cs_why *why)
{
	if (s->heartbeat_ms == 0 || s->heartbeat_ms > ORACLE_ROUND_LENGTH_MAX_MS)
		return cs_fail(why, CS_ERR_INVALID, "heartbeat: 1 s to 0xffffff s");
	if (s->poll_ms < ORACLE_ROUND_POLL_MIN_MS || s->poll_ms > s->heartbeat_ms)
		return cs_fail(why, CS_ERR_INVALID, "poll: 1 s to the heartbeat");
	if (s->jitter_ms > s->poll_ms / 2)
		return cs_fail(why, CS_ERR_INVALID, "jitter: at most half of poll");
	if (s->lead_ms >= s->heartbeat_ms || s->jitter_ms >= s->heartbeat_ms - s->lead_ms)
		return cs_fail(why, CS_ERR_INVALID, "lead: with jitter below the heartbeat");
	if (s->jump_ppm != 0 && s->jump_ppm <= s->deviation_ppm)
		return cs_fail(why, CS_ERR_INVALID, "jump: above the deviation");
	if (s->agree_min == 0 || s->agree_min > ORACLE_ROUND_SOURCES_MAX)
		return cs_fail(why, CS_ERR_INVALID, "k: 1 to %u", ORACLE_ROUND_SOURCES_MAX);
	if (s->trip_after == 0 || s->trip_after > ORACLE_ROUND_TRIP_MAX)
		return cs_fail(why, CS_ERR_INVALID, "trip_after: 1 to %u", ORACLE_ROUND_TRIP_MAX);
	if (s->pause_max_ms < s->poll_ms || s->pause_max_ms > ORACLE_ROUND_LENGTH_MAX_MS)
		return cs_fail(why, CS_ERR_INVALID, "pause_max: poll to 0xffffff s");
	return CS_OK;
}

/* ---- arithmetic ---- */

static struct cs_u256 distance(const struct cs_int256 *a, const struct cs_int256 *b)
{
	struct cs_u256 d;
	/* Both are int256. */
	cs_assert(cs_int256_distance(&d, a, b) == CS_OK);
	return d;
}

/* -1, 0, 1: |value - from| is below, at or above ppm millionths of |from|. */
static int compare(const struct cs_int256 *value, const struct cs_int256 *from, uint32_t ppm)
{
	struct cs_u256 is = distance(value, from);
	struct cs_u256 may;
	struct cs_u256 scale = cs_u256_u64(MILLION);
	struct cs_u256 part = cs_u256_u64(ppm);
	bool is_huge = cs_u256_mul(&is, &is, &scale) != CS_OK;
	bool may_huge = cs_u256_mul(&may, &from->magnitude, &part) != CS_OK;
	if (is_huge || may_huge)
		return is_huge ? 1 : -1;
	return cs_u256_cmp(&is, &may);
}

uint64_t oracle_round_ppm(const struct cs_int256 *value, const struct cs_int256 *from)
{
	struct cs_u256 d = distance(value, from);
	struct cs_u256 scale = cs_u256_u64(MILLION);
	struct cs_u256 rest;
	uint64_t ppm;
	if (cs_u256_is_zero(&d))
		return 0;
	if (cs_u256_is_zero(&from->magnitude) || cs_u256_mul(&d, &d, &scale) != CS_OK)
		return UINT64_MAX;
	cs_u256_div(&d, &rest, &d, &from->magnitude);
	return cs_u256_to_u64(&ppm, &d) == CS_OK ? ppm : UINT64_MAX;
}

uint32_t oracle_round_agreeing(const struct oracle_round_source *sources, size_t count,
			       const struct cs_int256 *value, uint32_t agree_ppm)
{
	uint32_t mask = 0;
	cs_assert(count <= ORACLE_ROUND_SOURCES_MAX);
	for (size_t i = 0; i < count; i++) {
		if (sources[i].answered && compare(&sources[i].value, value, agree_ppm) <= 0)
			mask |= UINT32_C(1) << i;
	}
	return mask;
}

/* splitmix64: neighbours among seeds and moments give unrelated waits. */
static uint64_t jitter(const struct oracle_round_settings *settings, uint64_t moment)
{
	uint64_t z = settings->seed + (moment + 1) * UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (z ^ (z >> 31)) % (settings->jitter_ms + 1);
}

/* ---- deciding ---- */

static bool is_newer(const struct oracle_round_point *a, const struct oracle_round_point *b)
{
	return a->known && (!b->known || a->observed_at_s > b->observed_at_s);
}

/* From when on the heartbeat wants a new value; 0 while there is none. */
static uint64_t heartbeat_at(const struct oracle_round_settings *settings,
			     const struct oracle_round_state *state)
{
	if (!state->chain.known)
		return 0;
	uint64_t since_ms = state->chain.observed_at_s * 1000;
	/* The same wait for feeds that were observed together, some seconds apart. */
	return since_ms + settings->heartbeat_ms - settings->lead_ms - settings->jitter_ms +
	       jitter(settings, since_ms / settings->heartbeat_ms);
}

static bool moved(const struct oracle_round_settings *settings,
		  const struct oracle_round_state *state)
{
	if (cs_int256_cmp(&state->good.value, &state->chain.value) == 0)
		return false;
	return compare(&state->good.value, &state->chain.value, settings->deviation_ppm) >= 0;
}

/* What came before a pause or a failure is asked for again. */
static uint64_t fresh_until(const struct oracle_round_settings *settings,
			    const struct oracle_round_state *state)
{
	return state->good_ms +
	       (settings->poll_ms > settings->block_ms ? settings->poll_ms : settings->block_ms);
}

/* But for the block. */
static bool is_ready(const struct oracle_round_settings *settings,
		     const struct oracle_round_state *state, uint64_t now_ms)
{
	if (state->paused || state->tripped || state->submitting || state->spent)
		return false;
	return is_newer(&state->good, &state->chain) && now_ms < fresh_until(settings, state);
}

bool oracle_round_may_submit(const struct oracle_round_settings *settings,
			     const struct oracle_round_state *state, uint64_t now_ms,
			     uint64_t chain_time_s)
{
	return is_ready(settings, state, now_ms) && state->good.observed_at_s <= chain_time_s;
}

/* Why the newest good value is to be submitted, and when; WAIT: it is not. early_ms: how much of the
 * heartbeat is forgiven. */
static enum oracle_round_verb reason(uint64_t *at_ms, const struct oracle_round_settings *settings,
				     const struct oracle_round_state *state, uint64_t early_ms)
{
	/* Values that came together wait together. */
	uint64_t after_jitter = state->good_ms + jitter(settings, state->good_ms);
	*at_ms = after_jitter;
	if (!state->chain.known)
		return ORACLE_ROUND_SUBMIT_HEARTBEAT;
	if (moved(settings, state))
		return ORACLE_ROUND_SUBMIT_DEVIATION;
	/* One from before that moment would begin the next heartbeat early: it is asked for again. */
	if (state->good_ms + early_ms < heartbeat_at(settings, state))
		return ORACLE_ROUND_WAIT;
	*at_ms = state->good_ms;
	return ORACLE_ROUND_SUBMIT_HEARTBEAT;
}

static uint64_t pause_ms(const struct oracle_round_settings *settings,
			 const struct oracle_round_state *state)
{
	uint64_t pause = settings->poll_ms;
	if (!state->tripped)
		return pause;
	for (uint32_t i = settings->trip_after; i <= state->failures; i++) {
		if (pause >= settings->pause_max_ms / 2)
			return settings->pause_max_ms;
		pause *= 2;
	}
	return pause;
}

static uint64_t ask_at(const struct oracle_round_settings *settings,
		       const struct oracle_round_state *state, uint64_t now_ms)
{
	uint64_t at = state->asked_ms + pause_ms(settings, state);
	uint64_t heartbeat = heartbeat_at(settings, state);
	/* Never, or by a clock that was set back since. */
	if (state->asked_ms == 0 || state->asked_ms > now_ms)
		return 0;
	/* Once for the heartbeat: what fails then has the pauses of others. */
	if (!state->tripped && !state->submitting && state->asked_ms < heartbeat && heartbeat < at)
		return heartbeat;
	return at;
}

static struct oracle_round_decision wait_until(uint64_t at_ms)
{
	return (struct oracle_round_decision){ORACLE_ROUND_WAIT, at_ms};
}

struct oracle_round_decision oracle_round_decide(const struct oracle_round_settings *settings,
						 const struct oracle_round_state *state,
						 uint64_t now_ms, uint64_t chain_time_s)
{
	enum oracle_round_verb verb = ORACLE_ROUND_WAIT;
	uint64_t submit_ms = UINT64_MAX;
	uint64_t ask_ms = ask_at(settings, state, now_ms);
	if (state->paused)
		return (struct oracle_round_decision){ORACLE_ROUND_HOLD, 0};
	if (is_ready(settings, state, now_ms))
		verb = reason(&submit_ms, settings, state, 0);
	if (verb != ORACLE_ROUND_WAIT && submit_ms <= now_ms)
		return state->good.observed_at_s <= chain_time_s
			       ? (struct oracle_round_decision){verb, 0}
			       : wait_until(fresh_until(settings, state));
	if (ask_ms <= now_ms)
		return (struct oracle_round_decision){ORACLE_ROUND_ASK, 0};
	return wait_until(verb != ORACLE_ROUND_WAIT && submit_ms < ask_ms ? submit_ms : ask_ms);
}

bool oracle_round_asks_along(const struct oracle_round_settings *settings,
			     const struct oracle_round_state *state, uint64_t now_ms)
{
	return !state->paused && ask_at(settings, state, now_ms) <= now_ms + settings->poll_ms / 4;
}

enum oracle_round_verb oracle_round_goes_along(const struct oracle_round_settings *settings,
					       const struct oracle_round_state *state,
					       uint64_t now_ms, uint64_t chain_time_s)
{
	uint64_t at_ms;
	if (!oracle_round_may_submit(settings, state, now_ms, chain_time_s))
		return ORACLE_ROUND_WAIT;
	return reason(&at_ms, settings, state, settings->poll_ms / 4);
}

/* ---- what happens ---- */

void oracle_round_asked(struct oracle_round_state *state, uint64_t now_ms)
{
	state->asked_ms = now_ms;
}

void oracle_round_submit(struct oracle_round_state *state)
{
	state->submitting = true;
	state->spent = true;
}

void oracle_round_settle(struct oracle_round_state *state)
{
	state->submitting = false;
}

/* -2^127 to 2^127 - 1. */
static bool fits(const struct cs_int256 *value)
{
	const uint64_t *limb = value->magnitude.limb;
	if (limb[3] != 0 || limb[2] != 0)
		return false;
	return limb[1] >> 63 == 0 ||
	       (value->negative && limb[1] == UINT64_C(1) << 63 && limb[0] == 0);
}

static enum oracle_verdict judge(const struct oracle_round_state *state,
				 const struct oracle_round_settings *settings,
				 const struct oracle_round_result *outcome)
{
	const struct oracle_round_point *last =
		is_newer(&state->chain, &state->good) ? &state->chain : &state->good;
	if (outcome->code != 0)
		return ORACLE_VERDICT_FAILED;
	if (!fits(&outcome->value) || outcome->observed_at_s > UINT32_MAX)
		return ORACLE_VERDICT_UNFIT;
	if (outcome->agreed < settings->agree_min)
		return ORACLE_VERDICT_DISAGREE;
	if (last->known && outcome->observed_at_s <= last->observed_at_s)
		return ORACLE_VERDICT_OLD;
	if (last->known && !state->jump_allowed && settings->jump_ppm != 0 &&
	    compare(&outcome->value, &last->value, settings->jump_ppm) > 0)
		return ORACLE_VERDICT_JUMP;
	return ORACLE_VERDICT_GOOD;
}

enum oracle_verdict oracle_round_take(struct oracle_round_state *state,
				      const struct oracle_round_settings *settings,
				      const struct oracle_round_result *outcome, uint64_t now_ms)
{
	enum oracle_verdict verdict = judge(state, settings, outcome);
	switch (verdict) {
	case ORACLE_VERDICT_GOOD:
		state->good =
			(struct oracle_round_point){true, outcome->value, outcome->observed_at_s};
		state->good_ms = now_ms;
		state->spent = false;
		state->failures = 0;
		state->tripped = false;
		state->jump_allowed = false;
		break;
	case ORACLE_VERDICT_OLD:
		break;
	case ORACLE_VERDICT_FAILED:
	case ORACLE_VERDICT_DISAGREE:
	case ORACLE_VERDICT_JUMP:
	case ORACLE_VERDICT_UNFIT:
		if (state->failures < UINT32_MAX)
			state->failures++;
		state->tripped = state->failures >= settings->trip_after;
		break;
	}
	return verdict;
}

void oracle_round_seen(struct oracle_round_state *state, uint64_t round,
		       const struct cs_int256 *value, uint64_t observed_at_s)
{
	state->chain_round = round;
	state->chain = (struct oracle_round_point){0};
	if (round != 0)
		state->chain = (struct oracle_round_point){true, *value, observed_at_s};
}

void oracle_round_pause(struct oracle_round_state *state)
{
	state->paused = true;
}

void oracle_round_resume(struct oracle_round_state *state)
{
	state->paused = false;
	state->tripped = false;
	state->failures = 0;
	state->jump_allowed = true;
	/* Now, not when a long pause is over. */
	state->asked_ms = 0;
}

/* ---- names ---- */

const char *oracle_verdict_name(enum oracle_verdict verdict)
{
	switch (verdict) {
	case ORACLE_VERDICT_GOOD:
		return "good";
	case ORACLE_VERDICT_OLD:
		return "old";
	case ORACLE_VERDICT_FAILED:
		return "failed";
	case ORACLE_VERDICT_DISAGREE:
		return "disagreement";
	case ORACLE_VERDICT_JUMP:
		return "jump";
	case ORACLE_VERDICT_UNFIT:
		return "unfit";
	}
	cs_bug("not a verdict", __FILE__, __LINE__);
}

const char *oracle_round_state_name(const struct oracle_round_state *state)
{
	if (state->paused)
		return "paused";
	return state->tripped ? "tripped" : "active";
}
