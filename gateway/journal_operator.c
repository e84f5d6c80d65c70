#include "gateway/journal_private.h"

#include <stdio.h>

enum cs_err gateway_journal_pause(struct gateway_journal *journal,
				  const struct gateway_pause *pause)
{
	struct host_stmt *s = sql(journal, SQL_PAUSE);
	host_bind_text(s, 0, pause->from);
	host_bind_text(s, 1, pause->to);
	host_bind_u64(s, 2, pause->refunds);
	host_bind_u64(s, 3, pause->since_ms);
	host_bind_text(s, 4, pause->who);
	host_bind_text(s, 5, pause->reason);
	return host_stmt_run(s);
}

enum cs_err gateway_journal_resume(struct gateway_journal *journal, const char *from,
				   const char *to)
{
	struct host_stmt *s = sql(journal, SQL_RESUME);
	host_bind_text(s, 0, from);
	host_bind_text(s, 1, to);
	CS_TRY(host_stmt_run(s));
	return host_store_changes(journal->store) > 0 ? CS_OK : CS_ERR_NOT_FOUND;
}

static void read_text(struct host_stmt *s, uint32_t column, char *text, size_t size)
{
	const char *value = host_column_text(s, column);
	snprintf(text, size, "%s", value ? value : "");
}

static void read_pause(struct host_stmt *s, struct gateway_pause *pause)
{
	read_text(s, 0, pause->from, sizeof(pause->from));
	read_text(s, 1, pause->to, sizeof(pause->to));
	pause->refunds = host_column_u64(s, 2) != 0;
	pause->since_ms = host_column_u64(s, 3);
	read_text(s, 4, pause->who, sizeof(pause->who));
	read_text(s, 5, pause->reason, sizeof(pause->reason));
}

enum cs_err gateway_journal_pauses(struct gateway_journal *journal, struct gateway_pause *pauses,
				   size_t count_max, size_t *count)
{
	struct host_stmt *s = sql(journal, SQL_PAUSES);
	size_t n = 0;
	for (;;) {
		bool row = false;
		CS_TRY(host_stmt_next(s, &row));
		if (!row)
			break;
		if (n == count_max) {
			host_stmt_reset(s);
			return CS_ERR_TOO_LARGE;
		}
		read_pause(s, &pauses[n++]);
	}
	*count = n;
	return CS_OK;
}

static void bind_stuck(struct host_stmt *s, const struct gateway_stuck *stuck)
{
	host_bind_blob(s, 0, CS_BYTES_OF(stuck->chain->b));
	host_bind_u64(s, 1, stuck->side);
	host_bind_u64(s, 2, stuck->state);
	host_bind_blob(s, 3, CS_BYTES_OF(stuck->remote->b));
	host_bind_u64(s, 4, stuck->due_ms);
	host_bind_u64(s, 5, stuck->unwished);
	host_bind_u64(s, 6, stuck->untried_ms);
}

enum cs_err gateway_journal_stuck_count(struct gateway_journal *journal,
					const struct gateway_stuck *stuck, uint64_t *count)
{
	struct host_stmt *s = sql(journal, SQL_STUCK_COUNT);
	bind_stuck(s, stuck);
	return gateway_journal_number(s, count);
}

enum cs_err gateway_journal_stuck(struct gateway_journal *journal,
				  const struct gateway_stuck *stuck,
				  struct gateway_message *messages, size_t count_max, size_t *count)
{
	struct host_stmt *s = sql(journal, SQL_STUCK);
	bind_stuck(s, stuck);
	host_bind_u64(s, 7, count_max);
	return gateway_journal_read_messages(s, messages, count_max, count);
}
