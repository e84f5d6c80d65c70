/* State machines as tables: states, names, and for every state the set of states that may follow
 * it. A state changes through its table or not at all. */
#ifndef CS_SM_H
#define CS_SM_H

#include "core/bytes.h"

#define CS_SM_STATES_MAX 64u
#define CS_SM_BIT(state) (UINT64_C(1) << (state))

struct cs_sm {
	const char *name; /* of the machine, for `why` */
	unsigned state_count;
	const char *const *names;
	const uint64_t *next; /* by state: CS_SM_BIT of each successor */
};

/* Moves *state, or CONFLICT when the table does not allow it; a number outside the table is
 * INVALID. */
CS_NODISCARD enum cs_err cs_sm_move(const struct cs_sm *sm, unsigned *state, unsigned to,
				    struct cs_why *why);
bool cs_sm_may(const struct cs_sm *sm, unsigned from, unsigned to);
/* No state follows. */
bool cs_sm_is_terminal(const struct cs_sm *sm, unsigned state);
const char *cs_sm_name(const struct cs_sm *sm, unsigned state);
/* NOT_FOUND for a name that no state has. */
CS_NODISCARD enum cs_err cs_sm_parse(const struct cs_sm *sm, unsigned *state, struct cs_bytes name);

#endif
