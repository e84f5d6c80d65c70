#include "relay_state/client/plan.h"

static bool is_same_side(const struct ledger_record *a, const struct ledger_record *b)
{
	return a->side == b->side && cs_hash_eq(&a->message_id, &b->message_id);
}

size_t ledger_plan_group(struct ledger_move *moves, size_t count,
			 size_t first[LEDGER_PLAN_MOVES_MAX])
{
	size_t groups = 0;

	cs_assert(count <= LEDGER_PLAN_MOVES_MAX);
	for (size_t i = 0; i < count; i++) {
		size_t at = 0;

		while (at < groups && !is_same_side(&moves[first[at]].record, &moves[i].record))
			at++;
		if (at == groups)
			first[groups++] = i;
		moves[i].history = at;
	}
	return groups;
}

bool ledger_is_taken(const struct ledger_history *history, const struct ledger_record *record)
{
	return history->count > 0 && !(cs_hash_eq(&history->source, &record->source) &&
				       cs_hash_eq(&history->destination, &record->destination));
}

/* The state after the event; false: the table has no such move from there. */
static bool leads(const struct ledger_history *history, const struct ledger_record *record,
		  uint8_t *to)
{
	enum relay_state state = (enum relay_state)history->state;

	if (history->count >= LEDGER_RECORDS_PER_SIDE_MAX || ledger_is_taken(history, record))
		return false;
	if (history->count == 0) {
		/* A history begins with its first move, or is not begun at all. */
		if (record->event !=
		    (record->side == RELAY_SOURCE ? RELAY_ON_OBSERVE : RELAY_ON_SIGN))
			return false;
		*to = (uint8_t)relay_first((enum relay_side)record->side);
		return true;
	}
	if (relay_move(&state, (enum relay_event)record->event) != CS_OK)
		return false;
	*to = (uint8_t)state;
	return true;
}

size_t ledger_plan(struct ledger_move *moves, size_t count, struct ledger_history *histories,
		   struct ledger_record records[LEDGER_PLAN_MOVES_MAX])
{
	size_t n = 0;

	cs_assert(count <= LEDGER_PLAN_MOVES_MAX);
	for (size_t i = 0; i < count; i++) {
		struct ledger_move *move = &moves[i];
		struct ledger_history *history = &histories[move->history];
		uint8_t to;

		if (move->attempted && move->is_there) {
			move->verdict = LEDGER_MOVE_WRITTEN;
			continue;
		}
		if (!leads(history, &move->record, &to)) {
			move->verdict = LEDGER_MOVE_PASSED;
			continue;
		}
		move->verdict = LEDGER_MOVE_RECORD;
		move->record.index = history->count++;
		move->record.from = history->state;
		history->state = to;
		history->source = move->record.source;
		history->destination = move->record.destination;
		records[n++] = move->record;
	}
	return n;
}
