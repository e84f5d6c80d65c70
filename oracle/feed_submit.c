/* From rounds to calls: which values of a statement go into which call, and what became of it. */
#include "adapters/parts.h"
#include "host/alloc.h"
#include "oracle/calls.h"
#include "oracle/feeds.h"

#include <stdio.h>
#include <string.h>

/* contracts/evm/GAS.md: one feed, and each further one of the same call. */
#define GAS_FIRST 45000u
#define GAS_FURTHER 12000u

struct submitting {
	struct oracle_feed_flight *flight;
	struct oracle_statement statement;
	/* by leaf */
	struct oracle_feed_live *live[ORACLE_BATCH_MAX];
	enum oracle_round_verb reason[ORACLE_BATCH_MAX];
	bool taken[ORACLE_BATCH_MAX];
	struct adapter_part parts[CS_BATCH_MAX];
	size_t part_count;
};

/* ---- which leaves ---- */

/* The gas of an aligned block of leaves (size is a power of two) with what is due of it: as one
 * call with everything, where all of it may go, or in two halves. */
static uint64_t choose(struct submitting *s, size_t first, size_t size)
{
	size_t total = s->statement.count;
	size_t end = first + size < total ? first + size : total;
	bool due = false;
	bool may = true;
	for (size_t i = first; i < end; i++) {
		due = due || (s->live[i] && s->reason[i] != ORACLE_ROUND_SUBMIT_ALONG);
		may = may && s->live[i] != NULL;
	}
	if (!due)
		return 0;
	uint64_t whole = GAS_FIRST + GAS_FURTHER * (end - first - 1);
	uint64_t split = UINT64_MAX;
	if (size > 1)
		split = choose(s, first, size / 2) + choose(s, first + size / 2, size / 2);
	if (!may || split < whole)
		return split;
	for (size_t i = first; i < end; i++)
		s->taken[i] = true;
	return whole;
}

/* Everybody who may go, with the reason; false when nobody is due any more. */
static bool gather(struct submitting *s, uint64_t now_ms)
{
	const struct oracle_feed_flight *flight = s->flight;
	uint64_t chain_time_s = flight->contract->chain->follow.head_time_s;
	bool due = false;
	for (size_t i = 0; i < flight->count; i++) {
		struct oracle_feed_live *live = flight->members[i];
		if (live->statement != s->statement.n || live->leaf >= s->statement.count ||
		    !oracle_round_may_submit(&live->settings, &live->state, now_ms, chain_time_s))
			continue;
		enum oracle_round_verb verb = oracle_round_goes_along(&live->settings, &live->state,
								      now_ms, chain_time_s);
		s->live[live->leaf] = live;
		s->reason[live->leaf] =
			verb == ORACLE_ROUND_WAIT ? ORACLE_ROUND_SUBMIT_ALONG : verb;
		due = due || verb != ORACLE_ROUND_WAIT;
	}
	return due;
}

/* ---- the calls ---- */

static enum cs_err write_member(struct oracle_feed_live *live, enum oracle_round_verb reason,
				uint64_t submission)
{
	const struct oracle_round_row row = {.n = live->round,
					     .outcome = ORACLE_ROUND_SUBMITTED,
					     .reason = reason,
					     .submission = submission};
	oracle_round_submit(&live->state);
	live->row.submission = submission;
	live->statement = 0;
	CS_TRY(oracle_journal_save_round(live->feeds->oracle->journal, &row));
	return oracle_feed_save(live);
}

static enum cs_err write_part(struct submitting *s, const struct adapter_part *part)
{
	struct oracle *oracle = s->flight->feeds->oracle;
	struct oracle_submit_item items[ORACLE_BATCH_MAX];
	struct wire_signed st = s->statement.st;
	struct oracle_call_wish wish = {.contract = s->flight->contract,
					.call = ORACLE_CALL_SUBMIT,
					.statement = s->statement.n};
	struct cs_buf buf;
	uint64_t submission = 0;
	st.path_count = adapter_part_path(st.path, s->statement.leaves, s->statement.count, part);
	for (uint32_t i = 0; i < part->count; i++) {
		const struct oracle_feed_live *live = s->live[part->first + i];
		items[i] =
			(struct oracle_submit_item){.index = live->row.index,
						    .observed_at = live->state.good.observed_at_s,
						    .spec_hash = live->row.spec_hash,
						    .evidence_hash = live->evidence_hash};
		CS_TRY(cs_int256_word(&items[i].value, &live->state.good.value));
	}
	CS_TRY(cs_buf_init_arena(&buf, &oracle->scratch, ORACLE_CALL_SUBMIT_SIZE_MAX));
	CS_TRY(oracle_call_submit(&buf, &st, items, part->count));
	wish.data = cs_buf_view(&buf);
	CS_TRY(oracle_submit(oracle, &wish, &submission));
	for (uint32_t i = part->first; i < part->first + part->count; i++)
		CS_TRY(write_member(s->live[i], s->reason[i], submission));
	log_info("feed.submit", LOG_TEXT("chain", s->flight->contract->chain->config->id),
		 LOG_U64("feeds", part->count), LOG_U64("submission", submission));
	return CS_OK;
}

static enum cs_err write_parts(void *context)
{
	struct submitting *s = context;
	for (size_t i = 0; i < s->part_count; i++)
		CS_TRY(write_part(s, &s->parts[i]));
	return CS_OK;
}

static enum cs_err submit(struct submitting *s)
{
	struct oracle *oracle = s->flight->feeds->oracle;
	static const bool alone[CS_BATCH_MAX];
	static const uint64_t cost[CS_BATCH_MAX];
	CS_TRY(oracle_journal_statement(oracle->journal, s->flight->members[0]->statement,
					&s->statement));
	if (!gather(s, host_wall_ms()))
		return CS_OK;
	choose(s, 0, ORACLE_BATCH_MAX);
	s->part_count =
		adapter_parts(s->parts, s->statement.count, s->taken, alone, cost, 0, UINT64_MAX);
	return oracle_write(oracle, write_parts, s);
}

void oracle_feed_submit(struct oracle_feed_flight *flight)
{
	struct cs_arena *arena = &flight->feeds->oracle->scratch;
	size_t mark = cs_arena_mark(arena);
	struct submitting s = {.flight = flight};
	enum cs_err err = oracle_may_submit(flight->contract->chain) ? submit(&s) : CS_OK;
	cs_arena_rewind(arena, mark);
	for (size_t i = 0; i < flight->count && err != CS_OK; i++)
		oracle_feed_hold_up(flight->members[i], err, "submission");
	oracle_feed_land(flight);
}

/* ---- what became of a call ---- */

static struct oracle_feed_live *live_of(struct oracle *oracle, uint64_t row)
{
	for (size_t i = 0; oracle->feeds && i < oracle->feeds->count; i++) {
		if (oracle->feeds->live[i]->row.n == row)
			return oracle->feeds->live[i];
	}
	return NULL;
}

/* Adds a round's share to the feed's cost, or takes it back. */
static enum cs_err count_cost(struct oracle_feed *feed, const struct oracle_round_row *round,
			      bool back)
{
	struct cs_u256 gas = cs_u256_u64(round->gas_used);
	struct cs_u256 wei = cs_u256_u64(round->gas_price_wei);
	CS_TRY(cs_u256_mul(&wei, &wei, &gas));
	if (back) {
		feed->gas_total -= round->gas_used;
		return cs_u256_sub(&feed->wei_total, &feed->wei_total, &wei);
	}
	feed->gas_total += round->gas_used;
	return cs_u256_add(&feed->wei_total, &feed->wei_total, &wei);
}

static void release(struct oracle_feed_live *live, uint64_t submission)
{
	if (live->row.submission != submission)
		return;
	live->row.submission = 0;
	oracle_round_settle(&live->state);
}

/* Its block is gone: it is on its way again. */
static enum cs_err take_back(struct oracle_feed_live *live, struct oracle_round_row *round)
{
	if (round->outcome == ORACLE_ROUND_SUBMITTED)
		return CS_OK;
	CS_TRY(count_cost(&live->row, round, true));
	round->outcome = ORACLE_ROUND_SUBMITTED;
	round->gas_used = 0;
	round->gas_price_wei = 0;
	round->why[0] = 0;
	if (live->row.submission == 0) {
		live->row.submission = round->submission;
		live->state.submitting = true;
	}
	return CS_OK;
}

/* Told once more when its reason has a name. */
static void tell_lost(struct oracle_feed_live *live, struct oracle_round_row *round,
		      const struct oracle_submission *submission)
{
	bool ours = round->outcome != ORACLE_ROUND_LOST || strcmp(live->why, round->why) == 0;
	round->outcome = ORACLE_ROUND_LOST;
	snprintf(round->why, sizeof(round->why), "%s", submission->why);
	if (ours)
		snprintf(live->why, sizeof(live->why), "%s", submission->why);
}

static enum cs_err take_included(struct oracle_feed_live *live, struct oracle_round_row *round,
				 const struct oracle_submission *submission, uint64_t gas)
{
	release(live, submission->n);
	if (round->outcome == ORACLE_ROUND_LOST && !submission->succeeded)
		tell_lost(live, round, submission);
	if (round->outcome != ORACLE_ROUND_SUBMITTED)
		return CS_OK;
	round->gas_used = gas;
	round->gas_price_wei = submission->gas_price_wei;
	CS_TRY(count_cost(&live->row, round, false));
	if (!submission->succeeded) {
		tell_lost(live, round, submission);
		return CS_OK;
	}
	round->outcome = ORACLE_ROUND_INCLUDED;
	/* The event says the same, and the next look is what counts. */
	if (!live->state.chain.known || round->observed_at > live->state.chain.observed_at_s) {
		struct cs_int256 value = cs_int256_from_word(&round->value);
		oracle_round_seen(&live->state, live->state.chain_round + 1, &value,
				  round->observed_at);
	}
	return CS_OK;
}

static void take_failed(struct oracle_feed_live *live, struct oracle_round_row *round,
			const struct oracle_submission *submission)
{
	release(live, submission->n);
	if (round->outcome != ORACLE_ROUND_SUBMITTED)
		return;
	tell_lost(live, round, submission);
}

static enum cs_err take_report(struct oracle_feed_live *live, struct oracle_round_row *round,
			       const struct oracle_submission *submission, uint64_t gas)
{
	switch (submission->state) {
	case ORACLE_SUBMISSION_OPEN:
	case ORACLE_SUBMISSION_UNKNOWN:
		return take_back(live, round);
	case ORACLE_SUBMISSION_INCLUDED:
	case ORACLE_SUBMISSION_SETTLED:
		return take_included(live, round, submission, gas);
	case ORACLE_SUBMISSION_FAILED:
		take_failed(live, round, submission);
		return CS_OK;
	}
	return CS_ERR_INVALID;
}

enum cs_err oracle_feeds_reported(struct oracle_chain *chain,
				  const struct oracle_submission *submission)
{
	struct oracle *oracle = chain->oracle;
	struct oracle_round_row rounds[ORACLE_BATCH_MAX];
	size_t mark = cs_arena_mark(&oracle->scratch);
	size_t count = 0;
	enum cs_err err = oracle_journal_rounds_of(oracle->journal, submission->n, &oracle->scratch,
						   rounds, CS_LEN(rounds), &count);
	for (size_t i = 0; i < count && err == CS_OK; i++) {
		struct oracle_feed_live *live = live_of(oracle, rounds[i].feed);
		/* Equal shares, the rest on the first. */
		uint64_t gas = submission->gas_used / count;
		if (i == 0)
			gas += submission->gas_used % count;
		/* Of a contract that the manifest does not name any more. */
		if (!live)
			continue;
		err = take_report(live, &rounds[i], submission, gas);
		if (err == CS_OK)
			err = oracle_journal_save_round(oracle->journal, &rounds[i]);
		if (err == CS_OK)
			err = oracle_feed_save(live);
	}
	cs_arena_rewind(&oracle->scratch, mark);
	return err;
}
