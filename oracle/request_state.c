#include "oracle/request_state.h"

#include "core/bytes.h"

#include <string.h>

static const char *const names[ORACLE_STATE_MAX + 1] = {
	[ORACLE_OBSERVED] = "observed", [ORACLE_OPEN] = "open",
	[ORACLE_ANSWERED] = "answered", [ORACLE_SUBMITTED] = "submitted",
	[ORACLE_DONE] = "done",         [ORACLE_REFUNDED] = "refunded",
	[ORACLE_EXPIRED] = "expired",   [ORACLE_REFUSED] = "refused",
};

#define TO(state) (1u << ORACLE_##state)

/* The contract decides: whatever we believe, it may be answered or refunded by somebody else. A
 * reorganisation takes such an end back to what was known without it. */
static const unsigned moves[ORACLE_STATE_MAX + 1] = {
	[ORACLE_OBSERVED] = TO(OPEN) | TO(DONE) | TO(REFUNDED) | TO(EXPIRED),
	[ORACLE_OPEN] =
		TO(OBSERVED) | TO(ANSWERED) | TO(DONE) | TO(REFUNDED) | TO(EXPIRED) | TO(REFUSED),
	[ORACLE_ANSWERED] = TO(OBSERVED) | TO(OPEN) | TO(ANSWERED) | TO(SUBMITTED) | TO(DONE) |
			    TO(REFUNDED) | TO(EXPIRED),
	[ORACLE_SUBMITTED] = TO(ANSWERED) | TO(DONE) | TO(REFUNDED) | TO(EXPIRED),
	[ORACLE_DONE] = TO(OBSERVED) | TO(OPEN) | TO(ANSWERED) | TO(SUBMITTED) | TO(EXPIRED),
	[ORACLE_REFUNDED] = TO(OBSERVED) | TO(OPEN) | TO(ANSWERED) | TO(SUBMITTED) | TO(EXPIRED),
	[ORACLE_EXPIRED] = TO(OBSERVED) | TO(DONE) | TO(REFUNDED),
	[ORACLE_REFUSED] = TO(DONE) | TO(REFUNDED) | TO(EXPIRED),
};

const char *oracle_state_name(unsigned state)
{
	return state <= ORACLE_STATE_MAX ? names[state] : NULL;
}

enum cs_err oracle_state_parse(enum oracle_state *state, const char *name)
{
	for (unsigned i = 1; i <= ORACLE_STATE_MAX; i++) {
		if (strcmp(names[i], name) == 0) {
			*state = (enum oracle_state)i;
			return CS_OK;
		}
	}
	return CS_ERR_INVALID;
}

bool oracle_state_ends(enum oracle_state state)
{
	return state >= ORACLE_DONE;
}

enum cs_err oracle_state_move(enum oracle_state *state, enum oracle_state to)
{
	cs_assert(*state >= 1 && *state <= ORACLE_STATE_MAX && to >= 1 && to <= ORACLE_STATE_MAX);
	if ((moves[*state] & (1u << to)) == 0)
		return CS_ERR_CONFLICT;
	*state = to;
	return CS_OK;
}
