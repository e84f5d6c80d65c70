/* When a feed is asked for, and which of its rounds are worth a transaction: heartbeat, deviation,
 * jitter between operators, and the breaker that holds back what the sources do not agree on. Pure:
 * settings, state and time go in, a decision comes out; it never sees a clock, a chain or a disk.
 *
 * Units: _ms are milliseconds since 1970 or lengths; _s are seconds since 1970, as contracts count
 * them; _ppm are millionths of the magnitude of what a value is compared with (of a zero every
 * other value is further away than any proportion). Values are whole numbers with the feed's
 * decimals. */
#ifndef ORACLE_ROUND_H
#define ORACLE_ROUND_H

#include "core/decimal.h"

/* A source is asked at most once in a second for one feed. */
#define ORACLE_ROUND_POLL_MIN_MS 1000u
/* The contract keeps heartbeats in 24 bits of seconds; nothing here is longer. */
#define ORACLE_ROUND_LENGTH_MAX_MS (UINT64_C(0xffffff) * 1000)
#define ORACLE_ROUND_TRIP_MAX 1000u
/* Sources of a spec (wire/oracle.h has the same bound). */
#define ORACLE_ROUND_SOURCES_MAX 16u

struct oracle_round_settings {
	/* A value is due at least so often, and when it moved so far (0: when it moved at all). */
	uint64_t heartbeat_ms;
	uint32_t deviation_ppm;
	/* From one asking to the next; at most the heartbeat. */
	uint64_t poll_ms;
	/* So long before the heartbeat's end a value is asked for, since the fetch and the block take
	 * their time; with the jitter below the heartbeat. */
	uint64_t lead_ms;
	/* A due value waits for a part of it, by seed and moment; at most half of poll_ms, so that it
	 * is still the newest then. seed: another one for every operator and contract. */
	uint64_t jitter_ms;
	uint64_t seed;
	/* So long a due value waits for a block of its time before it is asked for again. */
	uint64_t block_ms;
	/* A source agrees when it is so near to the round's value; with fewer than agree_min (k) that
	 * agree there is no round. */
	uint32_t agree_ppm;
	uint32_t agree_min;
	/* Further from the last good value there is no round; 0: no such bound. */
	uint32_t jump_ppm;
	/* So many rounds without a value in a row trip the feed; then its pauses double from poll_ms
	 * up to pause_max_ms. */
	uint32_t trip_after;
	uint64_t pause_max_ms;
};

/* INVALID, and why names the setting. */
CS_NODISCARD enum cs_err oracle_round_check(const struct oracle_round_settings *settings,
					    struct cs_why *why);

struct oracle_round_point {
	bool known;
	struct cs_int256 value;
	uint64_t observed_at_s;
};

/* Everything zero: a feed of which nothing is known. */
struct oracle_round_state {
	bool paused;
	bool tripped;
	bool jump_allowed; /* an operator looked at it: the next value may be anywhere */
	bool submitting;   /* a transaction of ours is on its way */
	bool spent;        /* `good` was handed over: whatever became of it, it is not again */
	struct oracle_round_point chain; /* newest on the chain, whoever brought it */
	uint64_t chain_round;            /* of it; 0: none */
	struct oracle_round_point good;  /* newest that was good */
	uint64_t good_ms;                /* when it came */
	uint64_t asked_ms;               /* 0: never */
	uint32_t failures;               /* rounds in a row */
};

/* ---- deciding ---- */

/* Numbers are in the journal (the reason of a round): only append. */
enum oracle_round_verb {
	ORACLE_ROUND_HOLD = 1, /* paused: nothing until somebody resumes it */
	ORACLE_ROUND_WAIT = 2, /* nothing before at_ms */
	ORACLE_ROUND_ASK = 3,
	ORACLE_ROUND_SUBMIT_DEVIATION = 4, /* state.good */
	ORACLE_ROUND_SUBMIT_HEARTBEAT = 5, /* the same: the last one is old, or there is none */
	ORACLE_ROUND_SUBMIT_ALONG = 6,     /* never decided: cheaper taken than left out */
};
struct oracle_round_decision {
	enum oracle_round_verb verb;
	uint64_t at_ms; /* of WAIT; a block, a round, a word of the operator may come before */
};
/* chain_time_s: of the newest block. A value is submitted within poll_ms (or block_ms, if that is
 * longer) after it came, or not at all, and not while it is of that block's future: the contract
 * would refuse it. While it waits for that alone nothing is asked, or quick polls would bring ever
 * newer values that no block is new enough for. */
struct oracle_round_decision oracle_round_decide(const struct oracle_round_settings *settings,
						 const struct oracle_round_state *state,
						 uint64_t now_ms, uint64_t chain_time_s);

/* Whether it goes along when another feed of the contract is asked for, or submitted under the same
 * statement, because its own time comes within a quarter of poll_ms, or only the jitter holds it. For
 * a submission the reason is returned; WAIT: it stays. */
bool oracle_round_asks_along(const struct oracle_round_settings *settings,
			     const struct oracle_round_state *state, uint64_t now_ms);
enum oracle_round_verb oracle_round_goes_along(const struct oracle_round_settings *settings,
					       const struct oracle_round_state *state,
					       uint64_t now_ms, uint64_t chain_time_s);
/* Whether state.good could be submitted, due or not. */
bool oracle_round_may_submit(const struct oracle_round_settings *settings,
			     const struct oracle_round_state *state, uint64_t now_ms,
			     uint64_t chain_time_s);

/* ---- what happens ---- */

/* It is being asked for. */
void oracle_round_asked(struct oracle_round_state *state, uint64_t now_ms);

/* state.good is handed over for submission; and what became of that is known. */
void oracle_round_submit(struct oracle_round_state *state);
void oracle_round_settle(struct oracle_round_state *state);

struct oracle_round_result {
	uint32_t code; /* of the enclave's round; wire/oracle_codes.def */
	struct cs_int256 value;
	uint64_t observed_at_s;
	uint32_t agreed; /* sources */
};
enum oracle_verdict {
	ORACLE_VERDICT_GOOD,
	ORACLE_VERDICT_OLD,      /* good, and no newer than what is known: nothing changes */
	ORACLE_VERDICT_FAILED,   /* the enclave signed that there is no value */
	ORACLE_VERDICT_DISAGREE, /* too few sources agree with it */
	ORACLE_VERDICT_JUMP,
	ORACLE_VERDICT_UNFIT, /* the contract cannot hold it: int128, and 32 bits of seconds */
};
/* "good", "old", "failed", "disagreement", "jump", "unfit". */
const char *oracle_verdict_name(enum oracle_verdict verdict);
/* Only a good round is ever submitted. The others but an old one are failures, which trip the feed
 * when enough come in a row; a good one ends both. */
enum oracle_verdict oracle_round_take(struct oracle_round_state *state,
				      const struct oracle_round_settings *settings,
				      const struct oracle_round_result *outcome, uint64_t now_ms);

/* What the chain holds now: also less than before, after a reorganisation. round 0: nothing. */
void oracle_round_seen(struct oracle_round_state *state, uint64_t round,
		       const struct cs_int256 *value, uint64_t observed_at_s);

void oracle_round_pause(struct oracle_round_state *state);
/* Forgets failures as well, and takes the next value however far it is. */
void oracle_round_resume(struct oracle_round_state *state);

/* "active", "paused", "tripped". */
const char *oracle_round_state_name(const struct oracle_round_state *state);

/* ---- arithmetic ---- */

/* |value - from| in millionths of |from|, rounded down; UINT64_MAX when it does not fit, and for a
 * difference from 0. */
uint64_t oracle_round_ppm(const struct cs_int256 *value, const struct cs_int256 *from);

struct oracle_round_source {
	bool answered;
	struct cs_int256 value;
};
/* Bit i: source i answered, and within agree_ppm of value. count at most
 * ORACLE_ROUND_SOURCES_MAX. */
uint32_t oracle_round_agreeing(const struct oracle_round_source *sources, size_t count,
			       const struct cs_int256 *value, uint32_t agree_ppm);

#endif
