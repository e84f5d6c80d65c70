#include "oracle/journal_private.h"

void oracle_journal_keep_answers(struct oracle_journal *journal)
{
	journal->keeps_answers = true;
}

enum cs_err oracle_journal_keep_answer(struct oracle_journal *journal,
				       const struct oracle_request *request)
{
	struct host_stmt *s = sql(journal, SQL_LEDGER_ANSWER_ADD);
	if (!journal->keeps_answers || request->statement == 0)
		return CS_OK; /* somebody else's answer was faster: it is not ours to record */
	host_bind_u64(s, 0, request->n);
	return host_stmt_run(s);
}

enum cs_err oracle_journal_ledger_rows(struct oracle_journal *journal,
				       struct oracle_ledger_row *rows, size_t count_max,
				       size_t *count)
{
	struct host_stmt *s = sql(journal, SQL_LEDGER_ANSWERS);
	size_t n = 0;
	host_bind_u64(s, 0, count_max);
	for (;;) {
		bool row = false;
		CS_TRY(host_stmt_next(s, &row));
		if (!row)
			break;
		cs_assert(n < count_max);
		rows[n++] =
			(struct oracle_ledger_row){host_column_u64(s, 0), host_column_u64(s, 1)};
	}
	*count = n;
	return CS_OK;
}

enum cs_err oracle_journal_ledger_sent(struct oracle_journal *journal,
				       const struct ledger_sent *sent,
				       const struct oracle_ledger_row *rows, size_t count)
{
	CS_TRY(ledger_sent_put(sql(journal, SQL_LEDGER_SENT_PUT), sent));
	for (size_t i = 0; i < count; i++) {
		struct host_stmt *s = sql(journal, SQL_LEDGER_ANSWER_FLIGHT);
		host_bind_u64(s, 0, rows[i].n);
		CS_TRY(host_stmt_run(s));
	}
	return CS_OK;
}

enum cs_err oracle_journal_ledger_ended(struct oracle_journal *journal, bool recorded)
{
	CS_TRY(host_stmt_run(
		sql(journal, recorded ? SQL_LEDGER_FLIGHT_DONE : SQL_LEDGER_FLIGHT_BACK)));
	return host_stmt_run(sql(journal, SQL_LEDGER_SENT_CLEAR));
}

enum cs_err oracle_journal_ledger_forget(struct oracle_journal *journal, uint64_t n)
{
	struct host_stmt *s = sql(journal, SQL_LEDGER_ANSWER_DONE);
	host_bind_u64(s, 0, n);
	return host_stmt_run(s);
}

enum cs_err oracle_journal_ledger_flight(struct oracle_journal *journal, struct cs_arena *arena,
					 struct ledger_sent *sent)
{
	return ledger_sent_get(sql(journal, SQL_LEDGER_SENT_GET), arena, sent);
}

enum cs_err oracle_journal_ledger_backlog(struct oracle_journal *journal, uint64_t *count)
{
	struct host_stmt *s = sql(journal, SQL_LEDGER_BACKLOG);
	bool row = false;
	CS_TRY(host_stmt_next(s, &row));
	*count = row ? host_column_u64(s, 0) : 0;
	host_stmt_reset(s);
	return CS_OK;
}
