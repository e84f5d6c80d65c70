/* The states of a request and the moves between them. PURE: a table. */
#ifndef ORACLE_REQUEST_STATE_H
#define ORACLE_REQUEST_STATE_H

#include "core/err.h"

/* Numbers are in the journal: only append. */
enum oracle_state {
	ORACLE_OBSERVED = 1,  /* of a chain's: its block is not final */
	ORACLE_OPEN = 2,      /* to be asked; an app's begins here */
	ORACLE_ANSWERED = 3,  /* of a chain's: signed, not brought to the contract */
	ORACLE_SUBMITTED = 4, /* a call with the answer is under way */
	ORACLE_DONE = 5,      /* of a chain's: the contract has it; of an app's: signed */
	ORACLE_REFUNDED = 6,  /* the contract gave the fee back */
	ORACLE_EXPIRED = 7,   /* its deadline passed without an answer */
	/* Never answered: the enclave refused it for good. A chain's expires after its deadline. */
	ORACLE_REFUSED = 8,
};
#define ORACLE_STATE_MAX 8u

/* "observed" …; NULL for a number that there is not. */
const char *oracle_state_name(unsigned state);
/* INVALID for a name that there is not. */
CS_NODISCARD enum cs_err oracle_state_parse(enum oracle_state *state, const char *name);
/* Nothing more is done for it by us. A reorganisation may still take back done and refunded. */
bool oracle_state_ends(enum oracle_state state);
/* *state becomes `to`, or CONFLICT: the table has no such move. */
CS_NODISCARD enum cs_err oracle_state_move(enum oracle_state *state, enum oracle_state to);

#endif
