#include "gateway/journal_private.h"

#include <stdio.h>
#include <string.h>

/* ---- work ---- */

static bool waits(enum relay_state state)
{
	return state == RELAY_OBSERVED || state == RELAY_SUBMITTED || state == RELAY_INCLUDED;
}

enum cs_err gateway_journal_pick(struct gateway_journal *journal, const struct gateway_pick *pick,
				 struct gateway_message *messages, size_t count_max, size_t *count)
{
	enum sql which = pick->newest_first ? SQL_PICK_FREE_NEWEST : SQL_PICK_FREE_OLDEST;
	cs_assert(pick->height_max == 0 || waits(pick->state));
	if (waits(pick->state))
		which = pick->newest_first ? SQL_PICK_WAITING_NEWEST : SQL_PICK_WAITING_OLDEST;
	if (pick->height_max != 0)
		which = SQL_PICK_REACHED;
	struct host_stmt *s = sql(journal, which);
	host_bind_blob(s, 0, CS_BYTES_OF(pick->chain->b));
	host_bind_u64(s, 1, pick->side);
	host_bind_u64(s, 2, pick->state);
	host_bind_u64(s, 3, pick->due_ms);
	if (pick->remote)
		host_bind_blob(s, 4, CS_BYTES_OF(pick->remote->b));
	else
		host_bind_null(s, 4);
	host_bind_u64(s, 5, pick->height_max);
	host_bind_u64(s, 6, pick->deadline_max);
	host_bind_u64(s, 7, pick->wish_retry);
	host_bind_u64(s, 8, count_max);
	host_bind_u64(s, 9, pick->deadline_min);
	host_bind_u64(s, 10, pick->outcome_not);
	return gateway_journal_read_messages(s, messages, count_max, count);
}

enum cs_err gateway_journal_of_statement(struct gateway_journal *journal, uint64_t statement,
					 bool outcome, enum relay_side side,
					 struct gateway_message *messages, size_t count_max,
					 size_t *count)
{
	struct host_stmt *s = sql(journal, outcome ? SQL_OF_OUTCOME : SQL_OF_STATEMENT);
	host_bind_u64(s, 0, statement);
	host_bind_u64(s, 1, side);
	host_bind_u64(s, 2, count_max);
	return gateway_journal_read_messages(s, messages, count_max, count);
}

enum cs_err gateway_journal_of_submission(struct gateway_journal *journal, uint64_t submission,
					  struct gateway_message *messages, size_t count_max,
					  size_t *count)
{
	struct host_stmt *s = sql(journal, SQL_OF_SUBMISSION);
	host_bind_u64(s, 0, submission);
	host_bind_u64(s, 1, count_max);
	return gateway_journal_read_messages(s, messages, count_max, count);
}

enum cs_err gateway_journal_above(struct gateway_journal *journal, const struct cs_hash *chain,
				  enum gateway_place place, uint64_t height, uint64_t after,
				  struct gateway_message *messages, size_t count_max, size_t *count)
{
	static const enum sql which[] = {[GATEWAY_PLACE_SOURCE] = SQL_ABOVE_SOURCE,
					 [GATEWAY_PLACE_STATUS] = SQL_ABOVE_STATUS,
					 [GATEWAY_PLACE_END] = SQL_ABOVE_END};
	struct host_stmt *s = sql(journal, which[place]);
	host_bind_blob(s, 0, CS_BYTES_OF(chain->b));
	host_bind_u64(s, 1, height);
	host_bind_u64(s, 2, count_max);
	host_bind_u64(s, 3, after);
	return gateway_journal_read_messages(s, messages, count_max, count);
}

enum cs_err gateway_journal_signed(struct gateway_journal *journal, const struct cs_hash *chain,
				   bool outcomes, uint64_t height, struct cs_hash *ids,
				   size_t count_max, size_t *count)
{
	struct host_stmt *s = sql(journal, outcomes ? SQL_SIGNED_OUTCOMES : SQL_SIGNED_MESSAGES);
	size_t n = 0;
	host_bind_blob(s, 0, CS_BYTES_OF(chain->b));
	host_bind_u64(s, 1, height);
	host_bind_u64(s, 2, count_max);
	if (outcomes)
		host_bind_u64(s, 3, RELAY_STEP_OUTCOME_FINAL);
	for (;;) {
		bool row = false;
		CS_TRY(host_stmt_next(s, &row));
		if (!row)
			break;
		if (host_column_copy(s, 0, ids[n].b, sizeof(ids[n].b)) != CS_OK) {
			host_stmt_reset(s);
			return CS_ERR_INVALID;
		}
		n++;
	}
	*count = n;
	return CS_OK;
}

enum cs_err gateway_journal_ending(struct gateway_journal *journal, const struct cs_hash *chain,
				   uint64_t final_height, struct gateway_message *messages,
				   size_t count_max, size_t *count)
{
	struct host_stmt *s = sql(journal, SQL_ENDING);
	host_bind_blob(s, 0, CS_BYTES_OF(chain->b));
	host_bind_u64(s, 1, final_height);
	host_bind_u64(s, 2, count_max);
	return gateway_journal_read_messages(s, messages, count_max, count);
}

static void bind_hash_or_any(struct host_stmt *s, uint32_t index, const struct cs_hash *hash)
{
	if (hash)
		host_bind_blob(s, index, CS_BYTES_OF(hash->b));
	else
		host_bind_null(s, index);
}

static void bind_bytes_or_any(struct host_stmt *s, uint32_t index, struct cs_bytes bytes)
{
	if (bytes.n > 0)
		host_bind_blob(s, index, bytes);
	else
		host_bind_null(s, index);
}

enum cs_err gateway_journal_list(struct gateway_journal *journal,
				 const struct gateway_filter *filter, uint64_t before,
				 struct gateway_message *messages, size_t count_max, size_t *count,
				 uint64_t *next)
{
	uint64_t last = 0;
	CS_TRY(gateway_journal_number(sql(journal, SQL_MESSAGE_LAST), &last));
	uint64_t top = before != 0 && before <= last ? before : last + 1;
	uint64_t low = top > GATEWAY_LIST_ROWS ? top - GATEWAY_LIST_ROWS : 1;
	struct host_stmt *s = sql(journal, SQL_LIST);
	host_bind_u64(s, 0, low);
	host_bind_u64(s, 1, top);
	host_bind_u64(s, 2, count_max);
	host_bind_u64(s, 3, filter->state);
	host_bind_u64(s, 4, filter->side);
	bind_hash_or_any(s, 5, filter->from);
	bind_hash_or_any(s, 6, filter->to);
	bind_hash_or_any(s, 7, filter->tx);
	bind_bytes_or_any(s, 8, filter->sender);
	bind_bytes_or_any(s, 9, filter->recipient);
	CS_TRY(gateway_journal_read_messages(s, messages, count_max, count));
	*next = *count == count_max ? messages[*count - 1].n : low;
	if (*next <= 1)
		*next = 0;
	return CS_OK;
}

enum cs_err gateway_journal_latencies(struct gateway_journal *journal, const struct cs_hash *chain,
				      const struct cs_hash *remote, enum relay_step step,
				      uint64_t *took_ms, size_t count_max, size_t *count)
{
	struct host_stmt *s = sql(journal, SQL_LATENCIES);
	size_t n = 0;
	host_bind_blob(s, 0, CS_BYTES_OF(chain->b));
	host_bind_blob(s, 1, CS_BYTES_OF(remote->b));
	host_bind_u64(s, 2, step);
	host_bind_u64(s, 3, count_max);
	for (;;) {
		bool row = false;
		CS_TRY(host_stmt_next(s, &row));
		if (!row)
			break;
		took_ms[n++] = host_column_u64(s, 0);
	}
	*count = n;
	return CS_OK;
}

enum cs_err gateway_journal_step_times(struct gateway_journal *journal, const struct cs_hash *chain,
				       const struct cs_hash *remote, size_t count_max,
				       gateway_step_fn *each, void *ctx)
{
	struct host_stmt *s = sql(journal, SQL_STEP_TIMES);
	host_bind_blob(s, 0, CS_BYTES_OF(chain->b));
	host_bind_blob(s, 1, CS_BYTES_OF(remote->b));
	host_bind_u64(s, 2, count_max);
	for (;;) {
		bool row = false;
		CS_TRY(host_stmt_next(s, &row));
		if (!row)
			return CS_OK;
		const struct gateway_step step = {.message = host_column_u64(s, 0),
						  .step = (enum relay_step)host_column_u64(s, 1),
						  .time_ms = host_column_u64(s, 2)};
		each(ctx, &step);
	}
}

/* The next row of counts or of reasons, with the columns that they share. */
static enum cs_err next_count(struct host_stmt *s, struct gateway_count *found, bool *row)
{
	*found = (struct gateway_count){.count = 0};
	CS_TRY(host_stmt_next(s, row));
	if (!*row)
		return CS_OK;
	if (host_column_copy(s, 0, found->chain.b, sizeof(found->chain.b)) != CS_OK ||
	    host_column_copy(s, 1, found->remote.b, sizeof(found->remote.b)) != CS_OK) {
		host_stmt_reset(s);
		return CS_ERR_INVALID;
	}
	found->side = (enum relay_side)host_column_u64(s, 2);
	found->count = host_column_u64(s, 4);
	return CS_OK;
}

enum cs_err gateway_journal_counts(struct gateway_journal *journal, gateway_count_fn *each,
				   void *ctx)
{
	struct host_stmt *s = sql(journal, SQL_COUNTS);
	for (;;) {
		bool row = false;
		struct gateway_count found;
		CS_TRY(next_count(s, &found, &row));
		if (!row)
			return CS_OK;
		found.state = (enum relay_state)host_column_u64(s, 3);
		found.oldest_ms = host_column_u64(s, 5);
		each(ctx, &found);
	}
}

bool gateway_wants_pay(const struct gateway_message *m)
{
	if (m->submission == 0 && m->why[0])
		return false;
	if (m->side == RELAY_SOURCE)
		return (m->state == RELAY_OUTCOME_VERIFIED || m->state == RELAY_REFUNDING) &&
		       m->outcome_statement != 0 && m->end_height == 0;
	return m->state == RELAY_SIGNED || m->state == RELAY_SUBMITTED;
}

enum cs_err gateway_journal_reasons(struct gateway_journal *journal, gateway_reason_fn *each,
				    void *ctx)
{
	struct host_stmt *s = sql(journal, SQL_REASONS);
	for (;;) {
		bool row = false;
		struct gateway_count found;
		CS_TRY(next_count(s, &found, &row));
		if (!row)
			return CS_OK;
		each(ctx, &found, host_column_text(s, 3), host_column_u64(s, 5) != 0);
	}
}

/* ---- statements ---- */

static bool same_statement(const struct gateway_statement *a, const struct gateway_statement *b)
{
	return a->statement.kind == b->statement.kind &&
	       cs_hash_eq(&a->statement.signer, &b->statement.signer) &&
	       cs_hash_eq(&a->statement.receiver, &b->statement.receiver) &&
	       a->statement.epoch == b->statement.epoch &&
	       a->statement.manifest_number == b->statement.manifest_number &&
	       cs_hash_eq(&a->statement.root, &b->statement.root) &&
	       cs_hash_eq(&a->signature.ry, &b->signature.ry) && a->count == b->count &&
	       memcmp(a->ids, b->ids, a->count * sizeof(a->ids[0])) == 0 &&
	       memcmp(a->statuses, b->statuses, a->count) == 0;
}

enum cs_err gateway_journal_add_statement(struct gateway_journal *journal,
					  struct gateway_statement *st)
{
	struct host_stmt *s = sql(journal, SQL_STATEMENT_FIND);
	uint64_t found = 0;
	host_bind_u64(s, 0, st->statement.kind);
	host_bind_blob(s, 1, CS_BYTES_OF(st->signature.rx.b));
	host_bind_blob(s, 2, CS_BYTES_OF(st->signature.s.b));
	CS_TRY(gateway_journal_number(s, &found));
	if (found != 0) {
		struct gateway_statement known;
		CS_TRY(gateway_journal_statement(journal, found, &known));
		st->n = found;
		return same_statement(&known, st) ? CS_OK : CS_ERR_CONFLICT;
	}
	s = sql(journal, SQL_STATEMENT_ADD);
	host_bind_u64(s, 0, st->statement.kind);
	host_bind_blob(s, 1, CS_BYTES_OF(st->statement.signer.b));
	host_bind_blob(s, 2, CS_BYTES_OF(st->statement.receiver.b));
	host_bind_u64(s, 3, st->statement.epoch);
	host_bind_u64(s, 4, st->statement.manifest_number);
	host_bind_blob(s, 5, CS_BYTES_OF(st->statement.root.b));
	host_bind_blob(s, 6, CS_BYTES_OF(st->signature.rx.b));
	host_bind_blob(s, 7, CS_BYTES_OF(st->signature.ry.b));
	host_bind_blob(s, 8, CS_BYTES_OF(st->signature.s.b));
	host_bind_blob(s, 9, cs_bytes(st->ids, st->count * sizeof(st->ids[0])));
	host_bind_blob(s, 10, cs_bytes(st->statuses, st->count));
	host_bind_u64(s, 11, host_wall_ms());
	CS_TRY(host_stmt_run(s));
	s = sql(journal, SQL_STATEMENT_FIND);
	host_bind_u64(s, 0, st->statement.kind);
	host_bind_blob(s, 1, CS_BYTES_OF(st->signature.rx.b));
	host_bind_blob(s, 2, CS_BYTES_OF(st->signature.s.b));
	return gateway_journal_number(s, &st->n);
}

static enum cs_err read_statement(struct host_stmt *s, struct gateway_statement *out)
{
	struct gateway_statement st = {.n = host_column_u64(s, 0)};
	st.statement.kind = (enum wire_kind)host_column_u64(s, 1);
	CS_TRY(host_column_copy(s, 2, st.statement.signer.b, 32));
	CS_TRY(host_column_copy(s, 3, st.statement.receiver.b, 32));
	st.statement.epoch = host_column_u64(s, 4);
	st.statement.manifest_number = host_column_u64(s, 5);
	CS_TRY(host_column_copy(s, 6, st.statement.root.b, 32));
	CS_TRY(host_column_copy(s, 7, st.signature.rx.b, 32));
	CS_TRY(host_column_copy(s, 8, st.signature.ry.b, 32));
	CS_TRY(host_column_copy(s, 9, st.signature.s.b, 32));
	struct cs_bytes ids = host_column_blob(s, 10);
	struct cs_bytes statuses = host_column_blob(s, 11);
	if (ids.n % 32 != 0 || ids.n / 32 > CS_BATCH_MAX || ids.n / 32 != statuses.n || ids.n == 0)
		return CS_ERR_INVALID;
	st.count = (uint32_t)statuses.n;
	memcpy(st.ids, ids.p, ids.n);
	memcpy(st.statuses, statuses.p, statuses.n);
	*out = st;
	return CS_OK;
}

enum cs_err gateway_journal_statement(struct gateway_journal *journal, uint64_t n,
				      struct gateway_statement *statement)
{
	struct host_stmt *s = sql(journal, SQL_STATEMENT);
	bool row = false;
	host_bind_u64(s, 0, n);
	CS_TRY(host_stmt_next(s, &row));
	if (!row)
		return CS_ERR_NOT_FOUND;
	enum cs_err err = read_statement(s, statement);
	host_stmt_reset(s);
	return err;
}

/* ---- submissions ---- */

enum cs_err gateway_journal_add_submission(struct gateway_journal *journal,
					   struct gateway_submission *sub, struct cs_bytes data)
{
	struct host_stmt *s = sql(journal, SQL_SUBMISSION_ADD);
	sub->created_ms = host_wall_ms();
	host_bind_blob(s, 0, CS_BYTES_OF(sub->chain.b));
	host_bind_u64(s, 1, sub->kind);
	host_bind_blob(s, 2, CS_BYTES_OF(sub->account.b));
	host_bind_u64(s, 3, sub->statement);
	host_bind_u64(s, 4, sub->first);
	host_bind_u64(s, 5, sub->count);
	host_bind_blob(s, 6, CS_BYTES_OF(sub->to.b));
	host_bind_blob(s, 7, CS_BYTES_OF(sub->value.b));
	host_bind_u64(s, 8, sub->gas_limit);
	host_bind_blob(s, 9, data);
	host_bind_u64(s, 10, sub->request);
	host_bind_u64(s, 11, sub->created_ms);
	CS_TRY(host_stmt_run(s));
	return gateway_journal_number(sql(journal, SQL_SUBMISSION_LAST), &sub->n);
}

static enum cs_err read_submission(struct host_stmt *s, struct gateway_submission *out)
{
	struct gateway_submission sub = {.n = host_column_u64(s, 0)};
	CS_TRY(host_column_copy(s, 1, sub.chain.b, 32));
	sub.kind = (enum gateway_kind)host_column_u64(s, 2);
	sub.state = (enum gateway_submission_state)host_column_u64(s, 3);
	CS_TRY(host_column_copy(s, 4, sub.account.b, 20));
	sub.statement = host_column_u64(s, 5);
	sub.first = (uint32_t)host_column_u64(s, 6);
	sub.count = (uint32_t)host_column_u64(s, 7);
	CS_TRY(host_column_copy(s, 8, sub.to.b, 20));
	CS_TRY(host_column_copy(s, 9, sub.value.b, 32));
	sub.gas_limit = host_column_u64(s, 10);
	sub.nonce = host_column_u64(s, 11);
	if (host_column_blob(s, 12).n != 0)
		CS_TRY(host_column_copy(s, 12, sub.hash.b, 32));
	sub.height = host_column_u64(s, 13);
	sub.succeeded = host_column_u64(s, 14) != 0;
	sub.gas_used = host_column_u64(s, 15);
	sub.gas_price_wei = host_column_u64(s, 16);
	sub.request = host_column_u64(s, 17);
	sub.created_ms = host_column_u64(s, 18);
	*out = sub;
	return CS_OK;
}

enum cs_err gateway_journal_submission(struct gateway_journal *journal, uint64_t n,
				       struct gateway_submission *submission,
				       struct cs_arena *arena, struct cs_bytes *data)
{
	struct host_stmt *s = sql(journal, SQL_SUBMISSION);
	bool row = false;
	host_bind_u64(s, 0, n);
	CS_TRY(host_stmt_next(s, &row));
	if (!row)
		return CS_ERR_NOT_FOUND;
	enum cs_err err = CS_OK;
	if (data) {
		struct cs_bytes found = host_column_blob(s, 19);
		struct cs_bytes copy = cs_arena_copy(arena, found);
		if (!copy.p && found.n != 0)
			err = CS_ERR_NO_MEMORY;
		else
			*data = copy;
	}
	if (err == CS_OK)
		err = read_submission(s, submission);
	host_stmt_reset(s);
	return err;
}

enum cs_err gateway_journal_save_submission(struct gateway_journal *journal,
					    const struct gateway_submission *sub, const char *why)
{
	struct host_stmt *s = sql(journal, SQL_SUBMISSION_SAVE);
	journal->version++;
	host_bind_u64(s, 0, sub->n);
	host_bind_u64(s, 1, sub->state);
	host_bind_u64(s, 2, sub->nonce);
	host_bind_blob(s, 3,
		       cs_hash_is_zero(&sub->hash) ? CS_BYTES_NONE : CS_BYTES_OF(sub->hash.b));
	host_bind_u64(s, 4, sub->height);
	host_bind_u64(s, 5, sub->succeeded);
	host_bind_u64(s, 6, sub->gas_used);
	host_bind_u64(s, 7, sub->gas_price_wei);
	host_bind_text(s, 8, why);
	host_bind_u64(s, 9, host_wall_ms());
	return host_stmt_run(s);
}

enum cs_err gateway_journal_submission_why(struct gateway_journal *journal, uint64_t n,
					   char why[GATEWAY_WHY_MAX + 1])
{
	struct host_stmt *s = sql(journal, SQL_SUBMISSION_WHY);
	bool row = false;
	host_bind_u64(s, 0, n);
	CS_TRY(host_stmt_next(s, &row));
	if (!row)
		return CS_ERR_NOT_FOUND;
	const char *text = host_column_is_null(s, 0) ? "" : host_column_text(s, 0);
	snprintf(why, GATEWAY_WHY_MAX + 1, "%s", text);
	host_stmt_reset(s);
	return CS_OK;
}

enum cs_err gateway_journal_add_attempt(struct gateway_journal *journal,
					const struct adapter_attempt *attempt)
{
	journal->version++;
	return adapter_attempt_add(sql(journal, SQL_ATTEMPT_ADD), attempt);
}

enum cs_err gateway_journal_attempts(struct gateway_journal *journal, uint64_t submission,
				     struct cs_arena *arena, struct adapter_attempt *attempts,
				     size_t count_max, size_t *count)
{
	return adapter_attempts_read(sql(journal, SQL_ATTEMPTS), submission, arena, attempts,
				     count_max, count);
}

enum cs_err gateway_journal_add_given(struct gateway_journal *journal,
				      struct gateway_submission *sub,
				      struct adapter_attempt *attempt)
{
	CS_TRY(gateway_journal_add_submission(journal, sub, CS_BYTES_NONE));
	sub->state = GATEWAY_SUBMISSION_GIVEN;
	sub->nonce = attempt->terms.nonce;
	sub->hash = attempt->hash;
	attempt->submission = sub->n;
	CS_TRY(gateway_journal_save_submission(journal, sub, NULL));
	return gateway_journal_add_attempt(journal, attempt);
}

enum cs_err gateway_journal_given(struct gateway_journal *journal, const struct cs_hash *chain,
				  uint64_t after, uint64_t *rows, size_t count_max, size_t *count)
{
	return adapter_submissions_open(sql(journal, SQL_GIVEN), chain, after, rows, count_max,
					count);
}

enum cs_err gateway_journal_given_count(struct gateway_journal *journal,
					const struct cs_hash *chain, uint64_t *count)
{
	struct host_stmt *s = sql(journal, SQL_GIVEN_COUNT);
	host_bind_blob(s, 0, CS_BYTES_OF(chain->b));
	return gateway_journal_number(s, count);
}

enum cs_err gateway_journal_attempted(struct gateway_journal *journal, const struct cs_hash *hash,
				      uint64_t *submission)
{
	struct host_stmt *s = sql(journal, SQL_ATTEMPTED);
	bool row = false;
	host_bind_blob(s, 0, CS_BYTES_OF(hash->b));
	CS_TRY(host_stmt_next(s, &row));
	if (!row)
		return CS_ERR_NOT_FOUND;
	*submission = host_column_u64(s, 0);
	host_stmt_reset(s);
	return CS_OK;
}

enum cs_err gateway_journal_call_cost(struct gateway_journal *journal, const struct cs_hash *chain,
				      const struct cs_address *account, uint64_t *cost)
{
	struct host_stmt *s = sql(journal, SQL_CALL_COSTS);
	uint64_t dearest = 0;
	host_bind_blob(s, 0, CS_BYTES_OF(chain->b));
	host_bind_blob(s, 1, CS_BYTES_OF(account->b));
	for (;;) {
		bool row = false;
		uint64_t one = 0;
		CS_TRY(host_stmt_next(s, &row));
		if (!row)
			break;
		if (__builtin_mul_overflow(host_column_u64(s, 0), host_column_u64(s, 1), &one))
			one = UINT64_MAX;
		dearest = one > dearest ? one : dearest;
	}
	*cost = dearest;
	return CS_OK;
}

enum cs_err gateway_journal_open_submissions(struct gateway_journal *journal,
					     const struct cs_hash *chain, uint64_t after,
					     uint64_t *rows, size_t count_max, size_t *count)
{
	return adapter_submissions_open(sql(journal, SQL_SUBMISSIONS_OPEN), chain, after, rows,
					count_max, count);
}
