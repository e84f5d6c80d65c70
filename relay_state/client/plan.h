/* Which moves of a journal become which records: a ledger's history of a message goes on from where it
 * is, whoever wrote it so far. Decides by what was asked, asks nobody.
 *
 * A move is recorded at the next place when the table of relay_state/relay has it from the ledger's
 * state. Another gateway that had the lease before has recorded other moves (it submitted, this one
 * looked on): what leads nowhere from there was passed over by that history, and is never recorded. */
#ifndef RELAY_STATE_CLIENT_PLAN_H
#define RELAY_STATE_CLIENT_PLAN_H

#include "relay_state/client/calls.h"

#define LEDGER_PLAN_MOVES_MAX LEDGER_RECORDS_BATCH_MAX

enum ledger_verdict {
	LEDGER_MOVE_RECORD,  /* its record is in the batch */
	LEDGER_MOVE_WRITTEN, /* the ledger has it: an attempt of before went through */
	LEDGER_MOVE_PASSED,  /* the history went on without it, is full, or another route's */
};

/* A move as the journal has it. record.index and record.from are those of its last attempt, where there
 * was one; the plan sets them to where it goes. */
struct ledger_move {
	uint64_t row;
	struct ledger_record record;
	bool attempted;
	bool is_there;  /* what was asked of the place of the attempt: this record */
	size_t history; /* which of the histories it goes on with: ledger_plan_group */
	enum ledger_verdict verdict;
};

/* Gives each move the number of its message's side, counted from 0 in the order of the moves, and
 * returns how many there are; first[i]: the first move of history i. */
size_t ledger_plan_group(struct ledger_move *moves, size_t count,
			 size_t first[LEDGER_PLAN_MOVES_MAX]);
/* Somebody of another route began the history of this message: the ledger takes no record of ours there. */
bool ledger_is_taken(const struct ledger_history *history, const struct ledger_record *record);
/* Moves in the order of the journal. Sets verdicts and places, and writes the records of the batch in
 * the same order; histories are brought to where they will be. Returns how many records. */
size_t ledger_plan(struct ledger_move *moves, size_t count, struct ledger_history *histories,
		   struct ledger_record records[LEDGER_PLAN_MOVES_MAX]);

#endif
