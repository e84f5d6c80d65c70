#include "core/sm.h"

enum cs_err cs_sm_move(const struct cs_sm *sm, unsigned *state, unsigned to, struct cs_why *why)
{
	cs_assert(sm->state_count <= CS_SM_STATES_MAX);
	if (*state >= sm->state_count || to >= sm->state_count)
		return cs_fail(why, CS_ERR_INVALID, "%s: state %u or %u is outside the table",
			       sm->name, *state, to);
	if (!cs_sm_may(sm, *state, to))
		return cs_fail(why, CS_ERR_CONFLICT, "%s: %s does not become %s", sm->name,
			       sm->names[*state], sm->names[to]);
	*state = to;
	return CS_OK;
}

bool cs_sm_may(const struct cs_sm *sm, unsigned from, unsigned to)
{
	return from < sm->state_count && to < sm->state_count &&
	       (sm->next[from] & CS_SM_BIT(to)) != 0;
}

bool cs_sm_is_terminal(const struct cs_sm *sm, unsigned state)
{
	cs_assert(state < sm->state_count);
	return sm->next[state] == 0;
}

const char *cs_sm_name(const struct cs_sm *sm, unsigned state)
{
	cs_assert(state < sm->state_count);
	return sm->names[state];
}

enum cs_err cs_sm_parse(const struct cs_sm *sm, unsigned *state, struct cs_bytes name)
{
	for (unsigned i = 0; i < sm->state_count; i++) {
		if (cs_bytes_eq(cs_bytes_str(sm->names[i]), name)) {
			*state = i;
			return CS_OK;
		}
	}
	return CS_ERR_NOT_FOUND;
}
