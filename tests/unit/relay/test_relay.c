/* Every pair of state and event is tried: what the list below allows must move exactly there,
 * everything else must refuse and leave the state as it was. The list is written out by hand,
 * beside the table, so that a change of one shows. */
#include "relay_state/relay/relay.h"

/* cmocka.h needs the first three before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
/* clang-format on */

struct legal {
	enum relay_state from;
	enum relay_event event;
	enum relay_state to;
};

static const struct legal legal[] = {
	{RELAY_OBSERVED, RELAY_ON_REACH_FINALITY, RELAY_FINAL},
	{RELAY_OBSERVED, RELAY_ON_VANISH, RELAY_ABANDONED},
	{RELAY_ABANDONED, RELAY_ON_OBSERVE, RELAY_OBSERVED},
	{RELAY_SIGNED, RELAY_ON_OBSERVE, RELAY_OBSERVED},
	{RELAY_FINAL, RELAY_ON_VANISH, RELAY_ABANDONED},
	{RELAY_FINAL, RELAY_ON_VERIFY, RELAY_VERIFIED},
	{RELAY_FINAL, RELAY_ON_VERIFY_OUTCOME, RELAY_OUTCOME_VERIFIED},
	{RELAY_VERIFIED, RELAY_ON_SIGN, RELAY_SIGNED},
	{RELAY_SIGNED, RELAY_ON_SUBMIT, RELAY_SUBMITTED},
	{RELAY_SIGNED, RELAY_ON_INCLUDE, RELAY_INCLUDED},
	{RELAY_SIGNED, RELAY_ON_FAIL, RELAY_FAILED},
	{RELAY_SIGNED, RELAY_ON_REACH_OUTCOME, RELAY_OUTCOME_FINAL},
	{RELAY_SIGNED, RELAY_ON_VERIFY_OUTCOME, RELAY_OUTCOME_VERIFIED},
	{RELAY_SUBMITTED, RELAY_ON_DROP, RELAY_SIGNED},
	{RELAY_SUBMITTED, RELAY_ON_INCLUDE, RELAY_INCLUDED},
	{RELAY_SUBMITTED, RELAY_ON_FAIL, RELAY_FAILED},
	{RELAY_SUBMITTED, RELAY_ON_REACH_OUTCOME, RELAY_OUTCOME_FINAL},
	{RELAY_SUBMITTED, RELAY_ON_VERIFY_OUTCOME, RELAY_OUTCOME_VERIFIED},
	{RELAY_INCLUDED, RELAY_ON_DROP, RELAY_SIGNED},
	{RELAY_INCLUDED, RELAY_ON_FAIL, RELAY_FAILED},
	{RELAY_INCLUDED, RELAY_ON_REACH_OUTCOME, RELAY_OUTCOME_FINAL},
	{RELAY_INCLUDED, RELAY_ON_VERIFY_OUTCOME, RELAY_OUTCOME_VERIFIED},
	{RELAY_FAILED, RELAY_ON_SUBMIT, RELAY_SUBMITTED},
	{RELAY_FAILED, RELAY_ON_DROP, RELAY_SIGNED},
	{RELAY_FAILED, RELAY_ON_INCLUDE, RELAY_INCLUDED},
	{RELAY_FAILED, RELAY_ON_REACH_OUTCOME, RELAY_OUTCOME_FINAL},
	{RELAY_FAILED, RELAY_ON_VERIFY_OUTCOME, RELAY_OUTCOME_VERIFIED},
	{RELAY_OUTCOME_FINAL, RELAY_ON_VERIFY_OUTCOME, RELAY_OUTCOME_VERIFIED},
	{RELAY_OUTCOME_VERIFIED, RELAY_ON_FINALIZE, RELAY_FINALIZED},
	{RELAY_OUTCOME_VERIFIED, RELAY_ON_BEGIN_REFUND, RELAY_REFUNDING},
	{RELAY_REFUNDING, RELAY_ON_REFUND, RELAY_REFUNDED},
};

static enum relay_state expected(unsigned from, unsigned event)
{
	for (size_t i = 0; i < CS_LEN(legal); i++) {
		if (legal[i].from == from && legal[i].event == event)
			return legal[i].to;
	}
	return RELAY_STATE_NONE;
}

static void moves_are_exactly_the_list(void **unused)
{
	(void)unused;
	for (unsigned from = 0; from <= RELAY_STATE_END; from++) {
		for (unsigned event = 0; event <= RELAY_EVENT_END; event++) {
			enum relay_state state = (enum relay_state)from;
			enum relay_state to = expected(from, event);
			enum cs_err err = relay_move(&state, (enum relay_event)event);
			if (to == RELAY_STATE_NONE) {
				assert_int_equal(err, CS_ERR_CONFLICT);
				assert_int_equal(state, from);
			} else {
				assert_int_equal(err, CS_OK);
				assert_int_equal(state, to);
			}
		}
	}
}

static void delivered_and_refunded_exclude_each_other(void **unused)
{
	(void)unused;
	for (unsigned event = 0; event < RELAY_EVENT_END; event++) {
		assert_false(relay_may_move(RELAY_FINALIZED, (enum relay_event)event));
		assert_false(relay_may_move(RELAY_REFUNDED, (enum relay_event)event));
	}
	assert_false(relay_may_move(RELAY_REFUNDING, RELAY_ON_FINALIZE));
	assert_false(relay_may_move(RELAY_OUTCOME_VERIFIED, RELAY_ON_REFUND));
	assert_false(relay_may_move(RELAY_INCLUDED, RELAY_ON_BEGIN_REFUND));
}

/* What somebody else finalized ends from every state in which it can rest. */
static void what_the_chain_ended_ends_from_wherever_it_is(void **unused)
{
	static const enum wire_status outcomes[] = {WIRE_STATUS_DELIVERED, WIRE_STATUS_DEAD};
	static const enum relay_state ends[] = {RELAY_FINALIZED, RELAY_REFUNDED};
	static const enum relay_state open[] = {
		RELAY_FINAL,         RELAY_SIGNED,           RELAY_SUBMITTED, RELAY_INCLUDED,
		RELAY_OUTCOME_FINAL, RELAY_OUTCOME_VERIFIED, RELAY_FAILED};
	enum relay_event events[RELAY_END_EVENTS_MAX];
	(void)unused;
	for (size_t o = 0; o < CS_LEN(outcomes); o++) {
		for (size_t i = 0; i < CS_LEN(open); i++) {
			enum relay_state state = open[i];
			size_t count = relay_events_to_end(state, outcomes[o], events);
			assert_in_range(count, 1, RELAY_END_EVENTS_MAX);
			for (size_t k = 0; k < count; k++)
				assert_int_equal(relay_move(&state, events[k]), CS_OK);
			assert_int_equal(state, ends[o]);
		}
		/* Not final yet, or over. */
		assert_int_equal(relay_events_to_end(RELAY_OBSERVED, outcomes[o], events), 0);
		assert_int_equal(relay_events_to_end(RELAY_ABANDONED, outcomes[o], events), 0);
		assert_int_equal(relay_events_to_end(ends[o], outcomes[o], events), 0);
	}
	assert_int_equal(relay_events_to_end(RELAY_REFUNDING, WIRE_STATUS_DEAD, events), 1);
	/* A contradiction, which is nobody's to settle here. */
	assert_int_equal(relay_events_to_end(RELAY_REFUNDING, WIRE_STATUS_DELIVERED, events), 0);
}

/* From each side's first state every other state but the source's own can be reached, and an end
 * from every state. */
static void every_state_reaches_an_end(void **unused)
{
	(void)unused;
	for (unsigned from = RELAY_STATE_NONE + 1; from < RELAY_STATE_END; from++) {
		bool seen[RELAY_STATE_END] = {false};
		seen[from] = true;
		for (unsigned round = 0; round < RELAY_STATE_END; round++) {
			for (size_t i = 0; i < CS_LEN(legal); i++) {
				if (seen[legal[i].from])
					seen[legal[i].to] = true;
			}
		}
		assert_true(seen[RELAY_FINALIZED] || relay_ends((enum relay_state)from) ||
			    from == RELAY_REFUNDING);
		assert_true(seen[RELAY_REFUNDED] || relay_ends((enum relay_state)from));
	}
	assert_int_equal(relay_first(RELAY_SOURCE), RELAY_OBSERVED);
	assert_int_equal(relay_first(RELAY_DESTINATION), RELAY_SIGNED);
}

static void names_are_unique_and_parse(void **unused)
{
	(void)unused;
	for (unsigned i = RELAY_STATE_NONE + 1; i < RELAY_STATE_END; i++) {
		enum relay_state state = RELAY_STATE_NONE;
		assert_int_equal(relay_state_parse(&state, relay_state_name((enum relay_state)i)),
				 CS_OK);
		assert_int_equal(state, i);
	}
	enum relay_state state = RELAY_FINAL;
	assert_int_equal(relay_state_parse(&state, "finalised"), CS_ERR_NOT_FOUND);
	assert_int_equal(state, RELAY_FINAL);
	assert_null(relay_state_name(RELAY_STATE_NONE));
	assert_null(relay_state_name(RELAY_STATE_END));
	assert_string_equal(relay_status_name(WIRE_STATUS_DEAD), "dead");
}

static void there_are_eighteen_steps(void **unused)
{
	(void)unused;
	unsigned at_destination = 0;
	for (unsigned n = 1; n <= RELAY_STEP_COUNT; n++) {
		assert_non_null(relay_step_name(n));
		for (unsigned m = 1; m < n; m++)
			assert_string_not_equal(relay_step_name(n), relay_step_name(m));
		at_destination += relay_step_side(n) == RELAY_DESTINATION;
	}
	/* 7 to 13 happen at the destination. */
	assert_int_equal(at_destination, 7);
	assert_null(relay_step_name(0));
	assert_null(relay_step_name(19));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moves_are_exactly_the_list),
		cmocka_unit_test(delivered_and_refunded_exclude_each_other),
		cmocka_unit_test(what_the_chain_ended_ends_from_wherever_it_is),
		cmocka_unit_test(every_state_reaches_an_end),
		cmocka_unit_test(names_are_unique_and_parse),
		cmocka_unit_test(there_are_eighteen_steps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
