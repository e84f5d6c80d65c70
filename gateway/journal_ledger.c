#include "gateway/journal_private.h"

#include <string.h>

void gateway_journal_keep_moves(struct gateway_journal *journal)
{
	journal->keeps_moves = true;
}

/* ---- a move ---- */

/* Where on our chain the fact is that moved it, and what was signed about it. */
struct evidence {
	uint64_t height;
	const struct cs_hash *block;
	const struct cs_hash *tx;
	uint64_t statement;
};

static struct evidence at_source(const struct gateway_message *m, enum relay_event event)
{
	struct evidence evidence = {.height = m->height, .block = &m->block, .tx = &m->tx};
	if (event == RELAY_ON_SIGN)
		evidence.statement = m->statement;
	return evidence;
}

static struct evidence of_status(const struct gateway_message *m)
{
	return (struct evidence){.height = m->status_height, .tx = &m->status_tx};
}

/* What the other gateway told has no place on our chain. */
static struct evidence evidence_of(const struct gateway_message *m, enum relay_event event)
{
	bool source = m->side == RELAY_SOURCE;
	struct evidence evidence = {0};
	switch (event) {
	case RELAY_ON_OBSERVE:
	case RELAY_ON_VANISH:
	case RELAY_ON_REACH_FINALITY:
	case RELAY_ON_VERIFY:
	case RELAY_ON_SIGN:
		return at_source(m, event);
	case RELAY_ON_INCLUDE:
	case RELAY_ON_FAIL:
	case RELAY_ON_REACH_OUTCOME:
		return source ? evidence : of_status(m);
	case RELAY_ON_VERIFY_OUTCOME:
		if (!source)
			evidence = of_status(m);
		evidence.statement = m->outcome_statement;
		return evidence;
	case RELAY_ON_FINALIZE:
	case RELAY_ON_REFUND:
		return (struct evidence){.height = m->end_height, .tx = &m->end_tx};
	case RELAY_ON_SUBMIT:
	case RELAY_ON_DROP:
	case RELAY_ON_BEGIN_REFUND:
	case RELAY_EVENT_END:
		break;
	}
	return evidence;
}

static void bind_word(struct host_stmt *s, uint32_t index, const struct cs_hash *word)
{
	static const struct cs_hash none;
	host_bind_blob(s, index, CS_BYTES_OF((word ? word : &none)->b));
}

enum cs_err gateway_journal_keep_move(struct gateway_journal *journal,
				      const struct gateway_message *m, enum relay_event event)
{
	const struct evidence evidence = evidence_of(m, event);
	struct host_stmt *s = sql(journal, SQL_LEDGER_MOVE_ADD);
	if (!journal->keeps_moves)
		return CS_OK;
	host_bind_u64(s, 0, m->n);
	host_bind_blob(s, 1, CS_BYTES_OF(m->chain.b));
	host_bind_u64(s, 2, m->side);
	host_bind_blob(s, 3, CS_BYTES_OF(m->remote.b));
	host_bind_u64(s, 4, event);
	host_bind_u64(s, 5, evidence.height);
	bind_word(s, 6, evidence.block);
	bind_word(s, 7, evidence.tx);
	host_bind_u64(s, 8, evidence.statement);
	return host_stmt_run(s);
}

/* ---- those that wait ---- */

static enum cs_err read_move(struct host_stmt *s, const struct ledger_route *route,
			     struct ledger_move *move, uint64_t *message)
{
	struct ledger_move read = {.row = host_column_u64(s, 0),
				   .record = {.source = route->source,
					      .destination = route->destination,
					      .side = route->side}};
	struct ledger_record *record = &read.record;
	CS_TRY(host_column_copy(s, 2, record->message_id.b, sizeof(record->message_id.b)));
	record->event = (uint8_t)host_column_u64(s, 3);
	record->height = host_column_u64(s, 4);
	CS_TRY(host_column_copy(s, 5, record->block.b, sizeof(record->block.b)));
	CS_TRY(host_column_copy(s, 6, record->tx.b, sizeof(record->tx.b)));
	read.attempted = !host_column_is_null(s, 7);
	if (read.attempted) {
		record->index = (uint8_t)host_column_u64(s, 7);
		record->from = (uint8_t)host_column_u64(s, 8);
	}
	if (!host_column_is_null(s, 9))
		CS_TRY(host_column_copy(s, 9, record->digest.b, sizeof(record->digest.b)));
	*message = host_column_u64(s, 1);
	*move = read;
	return CS_OK;
}

enum cs_err gateway_journal_ledger_moves(struct gateway_journal *journal,
					 const struct ledger_route *route, uint64_t after,
					 struct ledger_move *moves, uint64_t *messages,
					 size_t count_max, size_t *count)
{
	struct host_stmt *s = sql(journal, SQL_LEDGER_MOVES);
	bool source = route->side == RELAY_SOURCE;
	size_t n = 0;
	host_bind_blob(s, 0, CS_BYTES_OF((source ? &route->source : &route->destination)->b));
	host_bind_u64(s, 1, route->side);
	host_bind_blob(s, 2, CS_BYTES_OF((source ? &route->destination : &route->source)->b));
	host_bind_u64(s, 3, after);
	host_bind_u64(s, 4, count_max);
	for (;;) {
		bool row = false;
		CS_TRY(host_stmt_next(s, &row));
		if (!row)
			break;
		enum cs_err err = n < count_max ? read_move(s, route, &moves[n], &messages[n])
						: CS_ERR_TOO_LARGE;
		if (err != CS_OK) {
			host_stmt_reset(s);
			return err;
		}
		n++;
	}
	*count = n;
	return CS_OK;
}

/* ---- what is in flight ---- */

enum cs_err gateway_journal_ledger_sent(struct gateway_journal *journal,
					const struct ledger_sent *sent,
					const struct ledger_move *moves, size_t count)
{
	CS_TRY(ledger_sent_put(sql(journal, SQL_LEDGER_SENT_PUT), sent));
	for (size_t i = 0; i < count; i++) {
		struct host_stmt *s = sql(journal, SQL_LEDGER_MOVE_PLACE);
		if (moves[i].verdict != LEDGER_MOVE_RECORD)
			continue;
		host_bind_u64(s, 0, moves[i].row);
		host_bind_u64(s, 1, moves[i].record.index);
		host_bind_u64(s, 2, moves[i].record.from);
		CS_TRY(host_stmt_run(s));
	}
	return CS_OK;
}

enum cs_err gateway_journal_ledger_ended(struct gateway_journal *journal, bool recorded)
{
	CS_TRY(host_stmt_run(
		sql(journal, recorded ? SQL_LEDGER_FLIGHT_DONE : SQL_LEDGER_FLIGHT_BACK)));
	return host_stmt_run(sql(journal, SQL_LEDGER_SENT_CLEAR));
}

enum cs_err gateway_journal_ledger_forget(struct gateway_journal *journal, uint64_t row)
{
	struct host_stmt *s = sql(journal, SQL_LEDGER_MOVE_DONE);
	host_bind_u64(s, 0, row);
	return host_stmt_run(s);
}

enum cs_err gateway_journal_ledger_flight(struct gateway_journal *journal, struct cs_arena *arena,
					  struct ledger_sent *sent)
{
	return ledger_sent_get(sql(journal, SQL_LEDGER_SENT_GET), arena, sent);
}

/* ---- figures ---- */

enum cs_err gateway_journal_ledger_backlog(struct gateway_journal *journal, uint64_t *moves)
{
	return gateway_journal_number(sql(journal, SQL_LEDGER_BACKLOG), moves);
}

enum cs_err gateway_journal_ledger_conflicts(struct gateway_journal *journal, uint64_t *conflicts)
{
	return gateway_journal_number(sql(journal, SQL_LEDGER_CONFLICTS), conflicts);
}

enum cs_err gateway_journal_ledger_conflict(struct gateway_journal *journal, uint64_t message,
					    uint64_t conflicts, bool *news)
{
	struct host_stmt *s = sql(journal, SQL_LEDGER_CONFLICT);
	host_bind_u64(s, 0, message);
	host_bind_u64(s, 1, conflicts);
	CS_TRY(host_stmt_run(s));
	*news = host_store_changes(journal->store) > 0;
	return CS_OK;
}
