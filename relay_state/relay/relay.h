/* What may happen to one message, as tables: its states, the moves between them, and the eighteen
 * steps that people see. Knows nothing of chains, clocks or journals; whoever writes a state asks
 * here first whether the move is legal. */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include "core/err.h"
#include "wire/envelope.h"

enum relay_state {
	RELAY_STATE_NONE = 0,
#define RELAY_STATE(code, number, name, ends, sentence) RELAY_##code = (number),
#include "relay_state/relay/states.def"
#undef RELAY_STATE
	RELAY_STATE_END
};

enum relay_event {
#define RELAY_EVENT(code, name) RELAY_ON_##code,
#include "relay_state/relay/events.def"
#undef RELAY_EVENT
	RELAY_EVENT_END
};

enum relay_side {
	RELAY_SOURCE = 1,
	RELAY_DESTINATION = 2,
};

enum relay_step {
	RELAY_STEP_NONE = 0,
#define RELAY_STEP(number, code, name, side, fact) RELAY_STEP_##code = (number),
#include "relay_state/relay/steps.def"
#undef RELAY_STEP
	RELAY_STEP_END
};
#define RELAY_STEP_COUNT 18
_Static_assert(RELAY_STEP_END == RELAY_STEP_COUNT + 1, "eighteen steps");

/* CONFLICT when the table has no such move; *state is the state moved to, untouched on failure. */
CS_NODISCARD enum cs_err relay_move(enum relay_state *state, enum relay_event event);
bool relay_may_move(enum relay_state state, enum relay_event event);
/* The state in which each gateway's journal begins a message. */
enum relay_state relay_first(enum relay_side side);

/* The moves that bring a message of the source to its end from this state, once its chain holds for good that
 * it was finalized with this outcome (DELIVERED or DEAD); what was not heard of it is passed through. How
 * many; 0: from there it does not end so. */
#define RELAY_END_EVENTS_MAX 3u
size_t relay_events_to_end(enum relay_state state, enum wire_status outcome,
			   enum relay_event events[RELAY_END_EVENTS_MAX]);

/* Nothing moves it any more; an abandoned one begins again if its event comes back. */
bool relay_ends(enum relay_state state);

/* Static strings, NULL for a number that is no state, event or step. */
const char *relay_state_name(enum relay_state state);
const char *relay_status_name(enum wire_status status);
const char *relay_step_name(unsigned step);
enum relay_side relay_step_side(unsigned step);
/* NOT_FOUND when no state has the name. */
CS_NODISCARD enum cs_err relay_state_parse(enum relay_state *state, const char *name);

#endif
