#include "adapters/attempts.h"

#include "host/loop.h"

enum cs_err adapter_attempt_add(struct host_stmt *s, const struct adapter_attempt *attempt)
{
	const struct adapter_terms *terms = &attempt->terms;
	host_bind_u64(s, 0, attempt->submission);
	host_bind_u64(s, 1, terms->attempt);
	host_bind_u64(s, 2, terms->nonce);
	host_bind_u64(s, 3, terms->gas_limit);
	host_bind_u64(s, 4, terms->max_fee_wei);
	host_bind_u64(s, 5, terms->max_priority_fee_wei);
	host_bind_u64(s, 6, terms->legacy);
	host_bind_u64(s, 7, terms->cancel);
	host_bind_blob(s, 8, CS_BYTES_OF(attempt->hash.b));
	host_bind_blob(s, 9, attempt->raw);
	host_bind_u64(s, 10, host_wall_ms());
	return host_stmt_run(s);
}

static enum cs_err read_attempt(struct host_stmt *s, uint64_t submission, struct cs_arena *arena,
				struct adapter_attempt *out)
{
	struct adapter_attempt attempt = {.submission = submission,
					  .terms = {.attempt = (unsigned)host_column_u64(s, 0),
						    .nonce = host_column_u64(s, 1),
						    .gas_limit = host_column_u64(s, 2),
						    .max_fee_wei = host_column_u64(s, 3),
						    .max_priority_fee_wei = host_column_u64(s, 4),
						    .legacy = host_column_u64(s, 5) != 0,
						    .cancel = host_column_u64(s, 6) != 0}};
	CS_TRY(host_column_copy(s, 7, attempt.hash.b, sizeof(attempt.hash.b)));
	attempt.raw = cs_arena_copy(arena, host_column_blob(s, 8));
	if (!attempt.raw.p)
		return CS_ERR_NO_MEMORY;
	*out = attempt;
	return CS_OK;
}

enum cs_err adapter_attempts_read(struct host_stmt *s, uint64_t submission, struct cs_arena *arena,
				  struct adapter_attempt *attempts, size_t count_max, size_t *count)
{
	size_t n = 0;
	host_bind_u64(s, 0, submission);
	host_bind_u64(s, 1, count_max);
	for (;;) {
		bool row = false;
		CS_TRY(host_stmt_next(s, &row));
		if (!row)
			break;
		enum cs_err err = read_attempt(s, submission, arena, &attempts[n]);
		if (err != CS_OK) {
			host_stmt_reset(s);
			return err;
		}
		n++;
	}
	*count = n;
	return CS_OK;
}

enum cs_err adapter_submissions_open(struct host_stmt *s, const struct cs_hash *chain,
				     uint64_t after, uint64_t *rows, size_t count_max,
				     size_t *count)
{
	size_t n = 0;
	host_bind_blob(s, 0, CS_BYTES_OF(chain->b));
	host_bind_u64(s, 1, after);
	host_bind_u64(s, 2, count_max);
	for (;;) {
		bool row = false;
		CS_TRY(host_stmt_next(s, &row));
		if (!row)
			break;
		rows[n++] = host_column_u64(s, 0);
	}
	*count = n;
	return CS_OK;
}
