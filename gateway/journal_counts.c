/* How many messages are where. A trigger for each row would cost more than the row does: what a writer
 * moves is summed, and written as the last of it. */
#include "gateway/journal_private.h"

static enum cs_err write_sums(struct gateway_journal *journal)
{
	for (size_t i = 0; i < journal->sum_count; i++) {
		const struct count_sum *sum = &journal->sums[i];
		struct host_stmt *s = sql(journal, SQL_COUNT_ADD);
		if (sum->change == 0)
			continue;
		host_bind_blob(s, 0, CS_BYTES_OF(sum->chain.b));
		host_bind_blob(s, 1, CS_BYTES_OF(sum->remote.b));
		host_bind_u64(s, 2, sum->side);
		host_bind_u64(s, 3, sum->state);
		host_bind_i64(s, 4, sum->change);
		CS_TRY(host_stmt_run(s));
	}
	journal->sum_count = 0;
	return CS_OK;
}

enum cs_err gateway_journal_write_counts(void *context, enum cs_err err)
{
	struct gateway_journal *journal = context;
	if (err == CS_OK)
		err = write_sums(journal);
	journal->sum_count = 0;
	return err;
}

static struct count_sum *sum_of(struct gateway_journal *journal, const struct gateway_message *m,
				enum relay_state state)
{
	for (size_t i = 0; i < journal->sum_count; i++) {
		struct count_sum *sum = &journal->sums[i];
		if (sum->state == state && sum->side == m->side &&
		    cs_hash_eq(&sum->remote, &m->remote) && cs_hash_eq(&sum->chain, &m->chain))
			return sum;
	}
	return NULL;
}

enum cs_err gateway_journal_count(struct gateway_journal *journal, const struct gateway_message *m,
				  enum relay_state state, int change)
{
	struct count_sum *sum = sum_of(journal, m, state);
	if (!sum) {
		if (journal->sum_count == SUMS_MAX)
			CS_TRY(write_sums(journal));
		sum = &journal->sums[journal->sum_count++];
		*sum = (struct count_sum){m->chain, m->remote, m->side, state, 0};
	}
	sum->change += change;
	return CS_OK;
}

enum cs_err gateway_journal_count_all(struct gateway_journal *journal)
{
	return host_stmt_run(sql(journal, SQL_COUNT_ALL));
}
