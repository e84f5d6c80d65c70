#include "relay_state/relay/relay.h"

#include <string.h>

struct state_row {
	const char *name;
	bool ends;
};

static const struct state_row states[RELAY_STATE_END] = {
#define RELAY_STATE(code, number, name, ends, sentence) [number] = {name, ends},
#include "relay_state/relay/states.def"
#undef RELAY_STATE
};

static const uint8_t moves[RELAY_STATE_END][RELAY_EVENT_END] = {
#define RELAY_MOVE(from, event, to) [RELAY_##from][RELAY_ON_##event] = RELAY_##to,
#include "relay_state/relay/moves.def"
#undef RELAY_MOVE
};

struct step_row {
	const char *name;
	enum relay_side side;
};

static const struct step_row steps[RELAY_STEP_END] = {
#define RELAY_STEP(number, code, name, side, fact) [number] = {name, RELAY_##side},
#include "relay_state/relay/steps.def"
#undef RELAY_STEP
};

static bool is_state(enum relay_state state)
{
	return state > RELAY_STATE_NONE && state < RELAY_STATE_END;
}

bool relay_may_move(enum relay_state state, enum relay_event event)
{
	return is_state(state) && event < RELAY_EVENT_END &&
	       moves[state][event] != RELAY_STATE_NONE;
}

enum cs_err relay_move(enum relay_state *state, enum relay_event event)
{
	if (!relay_may_move(*state, event))
		return CS_ERR_CONFLICT;
	*state = (enum relay_state)moves[*state][event];
	return CS_OK;
}

size_t relay_events_to_end(enum relay_state state, enum wire_status outcome,
			   enum relay_event events[RELAY_END_EVENTS_MAX])
{
	static const enum relay_event delivered[] = {RELAY_ON_VERIFY_OUTCOME, RELAY_ON_FINALIZE};
	static const enum relay_event dead[RELAY_END_EVENTS_MAX] = {
		RELAY_ON_VERIFY_OUTCOME, RELAY_ON_BEGIN_REFUND, RELAY_ON_REFUND};
	bool is_dead = outcome == WIRE_STATUS_DEAD;
	const enum relay_event *way = is_dead ? dead : delivered;
	size_t length = is_dead ? CS_LEN(dead) : CS_LEN(delivered);
	size_t count = 0;
	for (size_t i = 0; i < length; i++) {
		if (relay_move(&state, way[i]) == CS_OK)
			events[count++] = way[i];
	}
	return state == RELAY_FINALIZED || state == RELAY_REFUNDED ? count : 0;
}

enum relay_state relay_first(enum relay_side side)
{
	return side == RELAY_SOURCE ? RELAY_OBSERVED : RELAY_SIGNED;
}

bool relay_ends(enum relay_state state)
{
	return is_state(state) && states[state].ends;
}

const char *relay_state_name(enum relay_state state)
{
	return is_state(state) ? states[state].name : NULL;
}

const char *relay_status_name(enum wire_status status)
{
	static const char *const names[] = {"none", "failed", "delivered", "dead"};
	return status < CS_LEN(names) ? names[status] : NULL;
}

const char *relay_step_name(unsigned step)
{
	return step < RELAY_STEP_END ? steps[step].name : NULL;
}

enum relay_side relay_step_side(unsigned step)
{
	cs_assert(step > RELAY_STEP_NONE && step < RELAY_STEP_END);
	return steps[step].side;
}

enum cs_err relay_state_parse(enum relay_state *state, const char *name)
{
	for (unsigned i = RELAY_STATE_NONE + 1; i < RELAY_STATE_END; i++) {
		if (strcmp(states[i].name, name) == 0) {
			*state = (enum relay_state)i;
			return CS_OK;
		}
	}
	return CS_ERR_NOT_FOUND;
}
