#include "oracle/journal_submit.h"

#include "oracle/journal_private.h"

enum cs_err oracle_journal_add_submission(struct oracle_journal *journal,
					  struct oracle_submission *row, struct cs_bytes data)
{
	struct host_stmt *s = sql(journal, SQL_SUBMISSION_ADD);
	row->created_ms = host_wall_ms();
	host_bind_blob(s, 0, CS_BYTES_OF(row->chain.b));
	host_bind_blob(s, 1, CS_BYTES_OF(row->contract.b));
	host_bind_u64(s, 2, row->call);
	host_bind_u64(s, 3, row->state);
	host_bind_blob(s, 4, CS_BYTES_OF(row->account.b));
	host_bind_u64(s, 5, row->statement);
	host_bind_blob(s, 6, CS_BYTES_OF(row->to.b));
	host_bind_u64(s, 7, row->gas_limit);
	host_bind_blob(s, 8, data);
	host_bind_text(s, 9, row->why);
	host_bind_u64(s, 10, row->created_ms);
	CS_TRY(host_stmt_run(s));
	row->n = host_store_row(journal->store);
	return CS_OK;
}

static enum cs_err read_row(struct host_stmt *s, struct oracle_submission *out)
{
	struct oracle_submission row = {.n = host_column_u64(s, 0)};
	CS_TRY(host_column_copy(s, 1, row.chain.b, sizeof(row.chain.b)));
	CS_TRY(host_column_copy(s, 2, row.contract.b, sizeof(row.contract.b)));
	row.call = (enum oracle_call)host_column_u64(s, 3);
	row.state = (enum oracle_submission_state)host_column_u64(s, 4);
	CS_TRY(host_column_copy(s, 5, row.account.b, sizeof(row.account.b)));
	row.statement = host_column_u64(s, 6);
	CS_TRY(host_column_copy(s, 7, row.to.b, sizeof(row.to.b)));
	row.gas_limit = host_column_u64(s, 8);
	row.nonce = host_column_u64(s, 9);
	CS_TRY(oracle_column_hash(s, 10, &row.hash));
	row.height = host_column_u64(s, 11);
	row.succeeded = host_column_u64(s, 12) != 0;
	row.gas_used = host_column_u64(s, 13);
	row.gas_price_wei = host_column_u64(s, 14);
	oracle_column_text(s, 15, row.why, sizeof(row.why));
	row.created_ms = host_column_u64(s, 16);
	*out = row;
	return CS_OK;
}

enum cs_err oracle_journal_submission(struct oracle_journal *journal, uint64_t n,
				      struct oracle_submission *submission, struct cs_arena *arena,
				      struct cs_bytes *data)
{
	struct host_stmt *s = sql(journal, SQL_SUBMISSION);
	struct oracle_submission row;
	struct cs_bytes call = CS_BYTES_NONE;
	bool found = false;
	host_bind_u64(s, 0, n);
	CS_TRY(host_stmt_next(s, &found));
	if (!found)
		return CS_ERR_NOT_FOUND;
	enum cs_err err = read_row(s, &row);
	if (err == CS_OK && data)
		err = oracle_column_copy(s, 17, arena, &call);
	host_stmt_reset(s);
	if (err != CS_OK)
		return err;
	if (submission)
		*submission = row;
	if (data)
		*data = call;
	return CS_OK;
}

enum cs_err oracle_journal_save_submission(struct oracle_journal *journal,
					   const struct oracle_submission *row)
{
	struct host_stmt *s = sql(journal, SQL_SUBMISSION_SAVE);
	host_bind_u64(s, 0, row->n);
	host_bind_u64(s, 1, row->state);
	host_bind_blob(s, 2, CS_BYTES_OF(row->account.b));
	host_bind_blob(s, 3, CS_BYTES_OF(row->to.b));
	host_bind_u64(s, 4, row->gas_limit);
	host_bind_u64(s, 5, row->nonce);
	oracle_bind_hash(s, 6, &row->hash);
	host_bind_u64(s, 7, row->height);
	host_bind_u64(s, 8, row->succeeded);
	host_bind_u64(s, 9, row->gas_used);
	host_bind_u64(s, 10, row->gas_price_wei);
	host_bind_text(s, 11, row->why);
	host_bind_u64(s, 12, host_wall_ms());
	return host_stmt_run(s);
}

enum cs_err oracle_journal_submission_deadline(struct oracle_journal *journal, uint64_t submission,
					       uint64_t *deadline_s)
{
	struct host_stmt *s = sql(journal, SQL_SUBMISSION_DEADLINE);
	bool row = false;
	host_bind_u64(s, 0, submission);
	CS_TRY(host_stmt_next(s, &row));
	cs_assert(row); /* a maximum has one row always */
	*deadline_s = host_column_u64(s, 0);
	host_stmt_reset(s);
	return CS_OK;
}

/* ---- attempts ---- */

enum cs_err oracle_journal_add_attempt(struct oracle_journal *journal,
				       const struct adapter_attempt *attempt)
{
	return adapter_attempt_add(sql(journal, SQL_ATTEMPT_ADD), attempt);
}

enum cs_err oracle_journal_attempts(struct oracle_journal *journal, uint64_t submission,
				    struct cs_arena *arena, struct adapter_attempt *attempts,
				    size_t count_max, size_t *count)
{
	return adapter_attempts_read(sql(journal, SQL_ATTEMPTS), submission, arena, attempts,
				     count_max, count);
}

enum cs_err oracle_journal_open_submissions(struct oracle_journal *journal,
					    const struct cs_hash *chain, uint64_t after,
					    uint64_t *rows, size_t count_max, size_t *count)
{
	return adapter_submissions_open(sql(journal, SQL_SUBMISSIONS_OPEN), chain, after, rows,
					count_max, count);
}

/* ---- calls that bring no fee ---- */

enum cs_err oracle_journal_unpaid(struct oracle_journal *journal, const struct cs_hash *chain,
				  const struct cs_hash *asker, uint64_t since_ms,
				  struct oracle_unpaid *gas)
{
	struct host_stmt *s = sql(journal, SQL_UNPAID);
	bool row = false;
	host_bind_blob(s, 0, CS_BYTES_OF(chain->b));
	oracle_bind_hash(s, 1, asker);
	host_bind_u64(s, 2, since_ms);
	CS_TRY(host_stmt_next(s, &row));
	cs_assert(row); /* sums have one row always */
	*gas = (struct oracle_unpaid){host_column_u64(s, 0), host_column_u64(s, 1)};
	host_stmt_reset(s);
	return CS_OK;
}

enum cs_err oracle_journal_add_unpaid(struct oracle_journal *journal, const struct cs_hash *chain,
				      const struct cs_hash *asker, uint64_t gas, uint64_t forget_ms)
{
	struct host_stmt *s = sql(journal, SQL_PRUNE_UNPAID);
	host_bind_u64(s, 0, forget_ms);
	CS_TRY(host_stmt_run(s));
	s = sql(journal, SQL_UNPAID_ADD);
	host_bind_blob(s, 0, CS_BYTES_OF(chain->b));
	oracle_bind_hash(s, 1, asker);
	host_bind_u64(s, 2, gas);
	host_bind_u64(s, 3, host_wall_ms());
	return host_stmt_run(s);
}
