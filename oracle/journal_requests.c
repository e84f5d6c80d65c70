/* Requests, what they ask, and their answers. */
#include "oracle/journal_private.h"

#include <stdio.h>
#include <string.h>

#define ARGUMENTS_SIZE_MAX (WIRE_ARGUMENTS_MAX * (4u + WIRE_ARGUMENT_SIZE_MAX))

/* ---- reading ---- */

/* Columns 8 to 18. */
static enum cs_err read_head(struct host_stmt *s, struct wire_request *head)
{
	uint8_t counter[8];
	struct cs_hash fee;
	CS_TRY(host_column_copy(s, 8, counter, sizeof(counter)));
	head->counter = cs_be64(counter);
	CS_TRY(oracle_column_hash(s, 9, &head->asker));
	CS_TRY(oracle_column_hash(s, 10, &head->spec_hash));
	CS_TRY(oracle_column_hash(s, 11, &head->arguments_hash));
	CS_TRY(oracle_column_hash(s, 12, &head->secrets_hash));
	CS_TRY(oracle_column_hash(s, 13, &head->callback));
	head->callback_gas = host_column_u64(s, 14);
	CS_TRY(oracle_column_hash(s, 15, &fee));
	head->fee = cs_u256_from_word(&fee);
	head->max_age = host_column_u64(s, 16);
	head->time = host_column_u64(s, 17);
	head->deadline = host_column_u64(s, 18);
	return CS_OK;
}

static enum cs_err read_row(struct host_stmt *s, struct oracle_request *request)
{
	struct oracle_request r = {.n = host_column_u64(s, 0),
				   .kind = (enum oracle_kind)host_column_u64(s, 1),
				   .state = (enum oracle_state)host_column_u64(s, 2)};
	CS_TRY(host_column_copy(s, 3, r.id.b, sizeof(r.id.b)));
	CS_TRY(oracle_column_hash(s, 4, &r.request_id));
	CS_TRY(oracle_column_hash(s, 5, &r.chain));
	CS_TRY(oracle_column_hash(s, 6, &r.contract));
	oracle_column_text(s, 7, r.key_name, sizeof(r.key_name));
	CS_TRY(read_head(s, &r.head));
	r.height = host_column_u64(s, 19);
	CS_TRY(oracle_column_hash(s, 20, &r.block));
	CS_TRY(oracle_column_hash(s, 21, &r.tx));
	r.tx_index = (uint32_t)host_column_u64(s, 22);
	r.log_index_block = (uint32_t)host_column_u64(s, 23);
	r.statement = host_column_u64(s, 24);
	r.leaf = (uint32_t)host_column_u64(s, 25);
	r.code = (uint32_t)host_column_u64(s, 26);
	r.observed_at = host_column_u64(s, 27);
	r.answered_ms = host_column_u64(s, 28);
	r.end_height = host_column_u64(s, 29);
	CS_TRY(oracle_column_hash(s, 30, &r.end_tx));
	r.submission = host_column_u64(s, 31);
	r.next_ms = host_column_u64(s, 32);
	r.tries = (uint32_t)host_column_u64(s, 33);
	oracle_column_text(s, 34, r.why, sizeof(r.why));
	r.created_ms = host_column_u64(s, 35);
	r.updated_ms = host_column_u64(s, 36);
	*request = r;
	return CS_OK;
}

static enum cs_err read_one(struct host_stmt *s, struct oracle_request *request)
{
	bool row = false;
	CS_TRY(host_stmt_next(s, &row));
	if (!row)
		return CS_ERR_NOT_FOUND;
	enum cs_err err = read_row(s, request);
	host_stmt_reset(s);
	return err;
}

/* The query's LIMIT is count_max. */
static enum cs_err read_rows(struct host_stmt *s, struct oracle_request *requests, size_t count_max,
			     size_t *count)
{
	size_t n = 0;
	for (;;) {
		bool row = false;
		CS_TRY(host_stmt_next(s, &row));
		if (!row)
			break;
		enum cs_err err = n < count_max ? read_row(s, &requests[n]) : CS_ERR_TOO_LARGE;
		if (err != CS_OK) {
			host_stmt_reset(s);
			return err;
		}
		n++;
	}
	*count = n;
	return CS_OK;
}

/* ---- the query: arguments as one blob, each after its size ---- */

static struct cs_bytes put_arguments(uint8_t bytes[ARGUMENTS_SIZE_MAX],
				     const struct oracle_query *query)
{
	size_t n = 0;
	cs_assert(query->argument_count <= WIRE_ARGUMENTS_MAX);
	for (size_t i = 0; i < query->argument_count; i++) {
		struct cs_bytes argument = query->arguments[i];
		cs_assert(argument.n <= WIRE_ARGUMENT_SIZE_MAX);
		cs_put_be32(bytes + n, (uint32_t)argument.n);
		if (argument.n > 0)
			memcpy(bytes + n + 4, argument.p, argument.n);
		n += 4 + argument.n;
	}
	return cs_bytes(bytes, n);
}

static enum cs_err take_arguments(struct oracle_query *query, struct cs_bytes bytes)
{
	while (bytes.n > 0) {
		if (bytes.n < 4 || query->argument_count == WIRE_ARGUMENTS_MAX)
			return CS_ERR_INVALID;
		size_t n = cs_be32(bytes.p);
		if (n > bytes.n - 4)
			return CS_ERR_INVALID;
		query->arguments[query->argument_count++] = cs_bytes(bytes.p + 4, n);
		bytes = cs_bytes(bytes.p + 4 + n, bytes.n - 4 - n);
	}
	return CS_OK;
}

static enum cs_err add_query(struct oracle_journal *journal, uint64_t request,
			     const struct oracle_query *query)
{
	struct host_stmt *s = sql(journal, SQL_QUERY_ADD);
	uint8_t arguments[ARGUMENTS_SIZE_MAX];
	struct cs_hash hash;
	host_bind_u64(s, 0, request);
	host_bind_blob(s, 1, put_arguments(arguments, query));
	host_bind_blob(s, 2, query->secrets);
	host_bind_blob(s, 3, query->audience);
	CS_TRY(host_stmt_run(s));
	return query->spec.n > 0 ? oracle_journal_put_spec(journal, query->spec, "", &hash) : CS_OK;
}

enum cs_err oracle_journal_query(struct oracle_journal *journal,
				 const struct oracle_request *request, struct cs_arena *arena,
				 struct oracle_query *query)
{
	struct host_stmt *s = sql(journal, SQL_QUERY);
	struct oracle_query out = {0};
	struct cs_bytes arguments = CS_BYTES_NONE;
	bool row = false;
	host_bind_u64(s, 0, request->n);
	host_bind_blob(s, 1, CS_BYTES_OF(request->head.spec_hash.b));
	CS_TRY(host_stmt_next(s, &row));
	if (!row)
		return CS_ERR_NOT_FOUND;
	enum cs_err err = oracle_column_copy(s, 0, arena, &arguments);
	if (err == CS_OK)
		err = oracle_column_copy(s, 1, arena, &out.secrets);
	if (err == CS_OK)
		err = oracle_column_copy(s, 2, arena, &out.audience);
	if (err == CS_OK && !host_column_is_null(s, 3))
		err = oracle_column_copy(s, 3, arena, &out.spec);
	host_stmt_reset(s);
	if (err == CS_OK)
		err = take_arguments(&out, arguments);
	if (err == CS_OK)
		*query = out;
	return err;
}

/* ---- requests ---- */

enum cs_err oracle_journal_add(struct oracle_journal *journal, struct oracle_request *r,
			       const struct oracle_query *query)
{
	struct host_stmt *s = sql(journal, SQL_REQUEST_ADD);
	struct cs_hash fee = cs_u256_word(&r->head.fee);
	uint8_t counter[8];
	cs_put_be64(counter, r->head.counter);
	r->created_ms = r->created_ms ? r->created_ms : host_wall_ms();
	r->updated_ms = r->created_ms;
	host_bind_u64(s, 0, r->kind);
	host_bind_u64(s, 1, r->state);
	host_bind_blob(s, 2, CS_BYTES_OF(r->id.b));
	oracle_bind_hash(s, 3, &r->request_id);
	oracle_bind_hash(s, 4, &r->chain);
	oracle_bind_hash(s, 5, &r->contract);
	host_bind_text(s, 6, r->key_name);
	host_bind_blob(s, 7, CS_BYTES_OF(counter));
	oracle_bind_hash(s, 8, &r->head.asker);
	oracle_bind_hash(s, 9, &r->head.spec_hash);
	oracle_bind_hash(s, 10, &r->head.arguments_hash);
	oracle_bind_hash(s, 11, &r->head.secrets_hash);
	oracle_bind_hash(s, 12, &r->head.callback);
	host_bind_u64(s, 13, r->head.callback_gas);
	oracle_bind_hash(s, 14, &fee);
	host_bind_u64(s, 15, r->head.max_age);
	host_bind_u64(s, 16, r->head.time);
	host_bind_u64(s, 17, r->head.deadline);
	host_bind_u64(s, 18, r->height);
	oracle_bind_hash(s, 19, &r->block);
	oracle_bind_hash(s, 20, &r->tx);
	host_bind_u64(s, 21, r->tx_index);
	host_bind_u64(s, 22, r->log_index_block);
	host_bind_u64(s, 23, r->next_ms);
	host_bind_u64(s, 24, r->created_ms);
	CS_TRY(host_stmt_run(s));
	r->n = host_store_row(journal->store);
	return add_query(journal, r->n, query);
}

enum cs_err oracle_journal_find(struct oracle_journal *journal, const struct cs_hash *id,
				struct oracle_request *request)
{
	struct host_stmt *s = sql(journal, SQL_REQUEST_FIND);
	host_bind_blob(s, 0, CS_BYTES_OF(id->b));
	enum cs_err err = read_one(s, request);
	if (err != CS_ERR_NOT_FOUND)
		return err;
	s = sql(journal, SQL_REQUEST_FIND_SIGNED);
	host_bind_blob(s, 0, CS_BYTES_OF(id->b));
	return read_one(s, request);
}

enum cs_err oracle_journal_row(struct oracle_journal *journal, uint64_t n,
			       struct oracle_request *request)
{
	struct host_stmt *s = sql(journal, SQL_REQUEST_ROW);
	host_bind_u64(s, 0, n);
	return read_one(s, request);
}

enum cs_err oracle_journal_save(struct oracle_journal *journal, struct oracle_request *r)
{
	struct host_stmt *s = sql(journal, SQL_REQUEST_SAVE);
	uint8_t counter[8];
	cs_put_be64(counter, r->head.counter);
	r->updated_ms = host_wall_ms();
	host_bind_u64(s, 0, r->n);
	host_bind_u64(s, 1, r->state);
	oracle_bind_hash(s, 2, &r->request_id);
	host_bind_blob(s, 3, CS_BYTES_OF(counter));
	oracle_bind_hash(s, 4, &r->head.asker);
	host_bind_u64(s, 5, r->head.time);
	host_bind_u64(s, 6, r->head.deadline);
	host_bind_u64(s, 7, r->height);
	oracle_bind_hash(s, 8, &r->block);
	oracle_bind_hash(s, 9, &r->tx);
	host_bind_u64(s, 10, r->tx_index);
	host_bind_u64(s, 11, r->log_index_block);
	host_bind_u64(s, 12, r->statement);
	host_bind_u64(s, 13, r->leaf);
	host_bind_u64(s, 14, r->code);
	host_bind_u64(s, 15, r->observed_at);
	host_bind_u64(s, 16, r->answered_ms);
	host_bind_u64(s, 17, r->end_height);
	oracle_bind_hash(s, 18, &r->end_tx);
	host_bind_u64(s, 19, r->submission);
	host_bind_u64(s, 20, r->next_ms);
	host_bind_u64(s, 21, r->tries);
	host_bind_text(s, 22, r->why);
	host_bind_u64(s, 23, r->updated_ms);
	return host_stmt_run(s);
}

enum cs_err oracle_journal_move(struct oracle_journal *journal, struct oracle_request *request,
				enum oracle_state to)
{
	enum oracle_state before = request->state;
	CS_TRY(oracle_state_move(&request->state, to));
	enum cs_err err = oracle_journal_save(journal, request);
	if (err == CS_OK && to == ORACLE_DONE)
		err = oracle_journal_keep_answer(journal, request);
	if (err != CS_OK)
		request->state = before;
	return err;
}

enum cs_err oracle_journal_forget(struct oracle_journal *journal,
				  const struct oracle_request *request)
{
	struct host_stmt *s = sql(journal, SQL_REQUEST_FORGET);
	host_bind_u64(s, 0, request->n);
	return host_stmt_run(s);
}

/* ---- answers ---- */

enum cs_err oracle_journal_answered(struct oracle_journal *journal, struct oracle_request *request,
				    const struct oracle_statement *statement, uint32_t leaf,
				    struct cs_bytes result)
{
	struct host_stmt *s = sql(journal, SQL_ANSWER_PUT);
	cs_assert(statement->n != 0 && leaf < statement->count && result.n > 0);
	host_bind_u64(s, 0, request->n);
	host_bind_blob(s, 1, result);
	CS_TRY(host_stmt_run(s));
	request->statement = statement->n;
	request->leaf = leaf;
	request->answered_ms = host_wall_ms();
	request->why[0] = 0;
	return oracle_journal_move(journal, request,
				   request->kind == ORACLE_APP ? ORACLE_DONE : ORACLE_ANSWERED);
}

enum cs_err oracle_journal_result(struct oracle_journal *journal,
				  const struct oracle_request *request, struct cs_arena *arena,
				  struct cs_bytes *result)
{
	struct host_stmt *s = sql(journal, SQL_ANSWER);
	bool row = false;
	host_bind_u64(s, 0, request->n);
	CS_TRY(host_stmt_next(s, &row));
	if (!row)
		return CS_ERR_NOT_FOUND;
	enum cs_err err = oracle_column_copy(s, 0, arena, result);
	host_stmt_reset(s);
	return err;
}

/* ---- work ---- */

enum cs_err oracle_journal_pick(struct oracle_journal *journal, const struct oracle_pick *pick,
				struct oracle_request *requests, size_t count_max, size_t *count)
{
	struct host_stmt *s = sql(journal, pick->asker_max > 0 ? SQL_PICK_FAIR : SQL_PICK);
	host_bind_u64(s, 0, pick->kind);
	host_bind_blob(s, 1, pick->chain ? CS_BYTES_OF(pick->chain->b) : CS_BYTES_NONE);
	host_bind_u64(s, 2, pick->state);
	host_bind_u64(s, 3, pick->due_ms);
	host_bind_u64(s, 4, pick->height_max);
	host_bind_u64(s, 5, count_max);
	if (pick->asker_max > 0)
		host_bind_u64(s, 6, pick->asker_max);
	return read_rows(s, requests, count_max, count);
}

enum cs_err oracle_journal_pick_refunds(struct oracle_journal *journal, const struct cs_hash *chain,
					uint64_t due_ms, struct oracle_request *requests,
					size_t count_max, size_t *count)
{
	struct host_stmt *s = sql(journal, SQL_PICK_REFUNDS);
	host_bind_blob(s, 0, CS_BYTES_OF(chain->b));
	host_bind_u64(s, 1, due_ms);
	host_bind_u64(s, 2, count_max);
	return read_rows(s, requests, count_max, count);
}

enum cs_err oracle_journal_pick_refused(struct oracle_journal *journal, const struct cs_hash *chain,
					uint64_t time_s, struct oracle_request *requests,
					size_t count_max, size_t *count)
{
	struct host_stmt *s = sql(journal, SQL_PICK_REFUSED);
	host_bind_blob(s, 0, CS_BYTES_OF(chain->b));
	host_bind_u64(s, 1, time_s);
	host_bind_u64(s, 2, count_max);
	return read_rows(s, requests, count_max, count);
}

enum cs_err oracle_journal_above(struct oracle_journal *journal, const struct cs_hash *chain,
				 bool ends, uint64_t height, uint64_t after,
				 struct oracle_request *requests, size_t count_max, size_t *count)
{
	struct host_stmt *s = sql(journal, ends ? SQL_ABOVE_END : SQL_ABOVE);
	host_bind_blob(s, 0, CS_BYTES_OF(chain->b));
	host_bind_u64(s, 1, height);
	host_bind_u64(s, 2, after);
	host_bind_u64(s, 3, count_max);
	return read_rows(s, requests, count_max, count);
}

enum cs_err oracle_journal_of_statement(struct oracle_journal *journal, uint64_t statement,
					struct oracle_request *requests, size_t count_max,
					size_t *count)
{
	struct host_stmt *s = sql(journal, SQL_OF_STATEMENT);
	host_bind_u64(s, 0, statement);
	host_bind_u64(s, 1, count_max);
	return read_rows(s, requests, count_max, count);
}

enum cs_err oracle_journal_of_submission(struct oracle_journal *journal, uint64_t submission,
					 struct oracle_request *requests, size_t count_max,
					 size_t *count)
{
	struct host_stmt *s = sql(journal, SQL_OF_SUBMISSION);
	host_bind_u64(s, 0, submission);
	host_bind_u64(s, 1, count_max);
	return read_rows(s, requests, count_max, count);
}

/* ---- for people ---- */

enum cs_err oracle_journal_list(struct oracle_journal *journal, enum oracle_state state,
				enum oracle_kind kind, uint64_t before,
				struct oracle_request *requests, size_t count_max, size_t *count)
{
	struct host_stmt *s = sql(journal, SQL_LIST);
	host_bind_u64(s, 0, state);
	host_bind_u64(s, 1, kind);
	host_bind_u64(s, 2, before);
	host_bind_u64(s, 3, count_max);
	return read_rows(s, requests, count_max, count);
}

enum cs_err oracle_journal_counts(struct oracle_journal *journal, oracle_count_fn *each, void *ctx)
{
	struct host_stmt *s = sql(journal, SQL_COUNTS);
	for (;;) {
		bool row = false;
		CS_TRY(host_stmt_next(s, &row));
		if (!row)
			return CS_OK;
		each(ctx, (enum oracle_kind)host_column_u64(s, 0),
		     (enum oracle_state)host_column_u64(s, 1), (uint32_t)host_column_u64(s, 2),
		     host_column_u64(s, 3));
	}
}
