#include "gateway/journal_private.h"

#include <stdio.h>
#include <string.h>

/* ---- outbox ---- */

enum cs_err gateway_journal_post(struct gateway_journal *journal, const char *peer,
				 enum gateway_item kind, uint64_t ref)
{
	struct host_stmt *s = sql(journal, SQL_OUTBOX_ADD);
	host_bind_u64(s, 0, ++journal->outbox_last);
	host_bind_text(s, 1, peer);
	host_bind_u64(s, 2, kind);
	host_bind_u64(s, 3, ref);
	return host_stmt_run(s);
}

enum cs_err gateway_journal_outbox(struct gateway_journal *journal, const char *peer,
				   uint64_t after, struct gateway_outbox_item *items,
				   size_t count_max, size_t *count)
{
	struct host_stmt *s = sql(journal, SQL_OUTBOX);
	size_t n = 0;
	host_bind_text(s, 0, peer);
	host_bind_u64(s, 1, after);
	host_bind_u64(s, 2, count_max);
	for (;;) {
		bool row = false;
		CS_TRY(host_stmt_next(s, &row));
		if (!row)
			break;
		items[n++] = (struct gateway_outbox_item){
			.n = host_column_u64(s, 0),
			.kind = (enum gateway_item)host_column_u64(s, 1),
			.ref = host_column_u64(s, 2)};
	}
	*count = n;
	return CS_OK;
}

enum cs_err gateway_journal_acked(struct gateway_journal *journal, const char *peer, uint64_t n)
{
	if (n > journal->outbox_last)
		return CS_ERR_CONFLICT;
	struct host_stmt *s = sql(journal, SQL_ACK_SET);
	host_bind_text(s, 0, peer);
	host_bind_u64(s, 1, n);
	CS_TRY(host_stmt_run(s));
	s = sql(journal, SQL_OUTBOX_DONE);
	host_bind_text(s, 0, peer);
	host_bind_u64(s, 1, n);
	return host_stmt_run(s);
}

enum cs_err gateway_journal_ack(struct gateway_journal *journal, const char *peer, uint64_t *n)
{
	struct host_stmt *s = sql(journal, SQL_ACK);
	host_bind_text(s, 0, peer);
	return gateway_journal_number(s, n);
}

enum cs_err gateway_journal_backlog(struct gateway_journal *journal, const char *peer,
				    uint64_t *count)
{
	struct host_stmt *s = sql(journal, SQL_OUTBOX_COUNT);
	host_bind_text(s, 0, peer);
	return gateway_journal_number(s, count);
}

enum cs_err gateway_journal_untold(struct gateway_journal *journal, const char *peer,
				   enum gateway_item kind, uint64_t count_max, uint64_t *count)
{
	struct host_stmt *s = sql(journal, SQL_OUTBOX_OF_KIND);
	host_bind_text(s, 0, peer);
	host_bind_u64(s, 1, kind);
	host_bind_u64(s, 2, count_max);
	return gateway_journal_number(s, count);
}

enum cs_err gateway_journal_consumed(struct gateway_journal *journal, const char *peer,
				     const char *instance, uint64_t *n)
{
	struct host_stmt *s = sql(journal, SQL_CONSUMED);
	host_bind_text(s, 0, peer);
	host_bind_text(s, 1, instance);
	return gateway_journal_number(s, n);
}

enum cs_err gateway_journal_peer(struct gateway_journal *journal, const char *peer,
				 char instance[40], uint64_t *n)
{
	struct host_stmt *s = sql(journal, SQL_PEER);
	bool row = false;
	host_bind_text(s, 0, peer);
	CS_TRY(host_stmt_next(s, &row));
	instance[0] = 0;
	*n = 0;
	if (row) {
		snprintf(instance, 40, "%s", host_column_text(s, 0));
		*n = host_column_u64(s, 1);
	}
	host_stmt_reset(s);
	return CS_OK;
}

enum cs_err gateway_journal_consume(struct gateway_journal *journal, const char *peer,
				    const char *instance, uint64_t n)
{
	struct host_stmt *s = sql(journal, SQL_CONSUME);
	host_bind_text(s, 0, peer);
	host_bind_text(s, 1, instance);
	host_bind_u64(s, 2, n);
	return host_stmt_run(s);
}

/* ---- events ---- */

enum cs_err gateway_journal_event(struct gateway_journal *journal, const char *kind,
				  const struct gateway_message *message, const char *detail)
{
	struct host_stmt *s = sql(journal, SQL_EVENT_ADD);
	host_bind_u64(s, 0, host_wall_ms());
	host_bind_text(s, 1, kind);
	if (message)
		host_bind_blob(s, 2, CS_BYTES_OF(message->id.b));
	else
		host_bind_null(s, 2);
	host_bind_u64(s, 3, message ? message->side : 0);
	host_bind_u64(s, 4, message ? message->state : 0);
	host_bind_text(s, 5, detail);
	return host_stmt_run(s);
}

enum cs_err gateway_journal_events(struct gateway_journal *journal, uint64_t after,
				   size_t count_max, gateway_event_fn *each, void *ctx,
				   uint64_t *last)
{
	struct host_stmt *s = sql(journal, SQL_EVENTS);
	host_bind_u64(s, 0, after);
	host_bind_u64(s, 1, count_max);
	for (;;) {
		bool row = false;
		CS_TRY(host_stmt_next(s, &row));
		if (!row)
			return CS_OK;
		struct gateway_event event = {.n = host_column_u64(s, 0),
					      .time_ms = host_column_u64(s, 1),
					      .kind = host_column_text(s, 2),
					      .side = (enum relay_side)host_column_u64(s, 4),
					      .state = (enum relay_state)host_column_u64(s, 5),
					      .detail = host_column_text(s, 6)};
		if (!host_column_is_null(s, 3) && host_column_copy(s, 3, event.id.b, 32) != CS_OK) {
			host_stmt_reset(s);
			return CS_ERR_INVALID;
		}
		each(ctx, &event);
		*last = event.n;
	}
}

enum cs_err gateway_journal_events_span(struct gateway_journal *journal, uint64_t *first,
					uint64_t *last)
{
	struct host_stmt *s = sql(journal, SQL_EVENTS_SPAN);
	bool row = false;
	CS_TRY(host_stmt_next(s, &row));
	if (row) {
		*first = host_column_u64(s, 0);
		*last = host_column_u64(s, 1);
	}
	host_stmt_reset(s);
	return CS_OK;
}

enum cs_err gateway_journal_events_prune(struct gateway_journal *journal, uint64_t kept)
{
	struct host_stmt *s = sql(journal, SQL_EVENTS_PRUNE);
	host_bind_u64(s, 0, kept);
	return host_stmt_run(s);
}

/* ---- requests ---- */

enum cs_err gateway_journal_add_request(struct gateway_journal *journal,
					struct gateway_request *request)
{
	struct host_stmt *s = sql(journal, SQL_REQUEST_ADD);
	request->created_ms = host_wall_ms();
	host_bind_text(s, 0, request->id);
	host_bind_text(s, 1, request->mode);
	host_bind_blob(s, 2, CS_BYTES_OF(request->chain.b));
	host_bind_blob(s, 3, CS_BYTES_OF(request->payload.b));
	host_bind_u64(s, 4, request->submission);
	host_bind_u64(s, 5, request->created_ms);
	host_bind_text(s, 6, request->trace.parent);
	host_bind_text(s, 7, request->trace.state);
	CS_TRY(host_stmt_run(s));
	return gateway_journal_number(sql(journal, SQL_REQUEST_LAST), &request->n);
}

/* What was imported may be anything: it goes into headers and logs. */
static void read_trace(struct host_stmt *s, uint32_t index, struct host_trace *trace)
{
	host_trace_read(trace, host_column_text(s, index), host_column_text(s, index + 1));
}

static enum cs_err read_request(struct host_stmt *s, struct gateway_request *request)
{
	bool row = false;
	CS_TRY(host_stmt_next(s, &row));
	if (!row)
		return CS_ERR_NOT_FOUND;
	struct gateway_request out = {.n = host_column_u64(s, 0)};
	snprintf(out.id, sizeof(out.id), "%s", host_column_text(s, 1));
	snprintf(out.mode, sizeof(out.mode), "%s", host_column_text(s, 2));
	enum cs_err err = host_column_copy(s, 3, out.chain.b, 32);
	if (err == CS_OK)
		err = host_column_copy(s, 4, out.payload.b, 32);
	out.submission = host_column_u64(s, 5);
	out.message = host_column_u64(s, 6);
	out.created_ms = host_column_u64(s, 7);
	read_trace(s, 8, &out.trace);
	host_stmt_reset(s);
	if (err == CS_OK)
		*request = out;
	return err;
}

enum cs_err gateway_journal_request(struct gateway_journal *journal, const char *id,
				    struct gateway_request *request)
{
	struct host_stmt *s = sql(journal, SQL_REQUEST);
	host_bind_text(s, 0, id);
	return read_request(s, request);
}

enum cs_err gateway_journal_request_row(struct gateway_journal *journal, uint64_t n,
					struct gateway_request *request)
{
	struct host_stmt *s = sql(journal, SQL_REQUEST_ROW);
	host_bind_u64(s, 0, n);
	return read_request(s, request);
}

enum cs_err gateway_journal_request_of(struct gateway_journal *journal, uint64_t submission,
				       struct gateway_request *request)
{
	struct host_stmt *s = sql(journal, SQL_REQUEST_OF_SUBMISSION);
	host_bind_u64(s, 0, submission);
	return read_request(s, request);
}

enum cs_err gateway_journal_match_request(struct gateway_journal *journal,
					  const struct cs_hash *chain, const struct cs_hash *tx,
					  const struct cs_hash *payload,
					  struct gateway_request *request)
{
	struct host_stmt *s = sql(journal, SQL_REQUEST_BY_TX);
	host_bind_blob(s, 0, CS_BYTES_OF(chain->b));
	host_bind_blob(s, 1, CS_BYTES_OF(tx->b));
	enum cs_err err = read_request(s, request);
	if (err != CS_ERR_NOT_FOUND)
		return err;
	s = sql(journal, SQL_REQUEST_BY_PAYLOAD);
	host_bind_blob(s, 0, CS_BYTES_OF(chain->b));
	host_bind_blob(s, 1, CS_BYTES_OF(payload->b));
	return read_request(s, request);
}

enum cs_err gateway_journal_link_request(struct gateway_journal *journal, uint64_t request,
					 uint64_t message)
{
	struct host_stmt *s = sql(journal, SQL_REQUEST_LINK);
	host_bind_u64(s, 0, request);
	host_bind_u64(s, 1, message);
	return host_stmt_run(s);
}

enum cs_err gateway_journal_add_trace(struct gateway_journal *journal, uint64_t message,
				      const struct host_trace *trace)
{
	struct host_stmt *s = sql(journal, SQL_TRACE_ADD);
	if (!trace->parent[0])
		return CS_OK;
	host_bind_u64(s, 0, message);
	host_bind_text(s, 1, trace->parent);
	host_bind_text(s, 2, trace->state);
	return host_stmt_run(s);
}

void gateway_journal_trace(struct gateway_journal *journal, uint64_t message,
			   struct host_trace *trace)
{
	struct host_stmt *s = sql(journal, SQL_TRACE);
	bool row = false;
	host_trace_read(trace, NULL, NULL);
	host_bind_u64(s, 0, message);
	if (host_stmt_next(s, &row) == CS_OK && row) {
		read_trace(s, 0, trace);
		host_stmt_reset(s);
	}
}

enum cs_err gateway_journal_idempotent(struct gateway_journal *journal, const char *key_name,
				       const char *key, const struct cs_hash *body,
				       struct cs_arena *arena, int *status, const char **text)
{
	struct host_stmt *s = sql(journal, SQL_IDEMPOTENT);
	struct cs_hash before;
	bool row = false;
	host_bind_text(s, 0, key_name);
	host_bind_text(s, 1, key);
	CS_TRY(host_stmt_next(s, &row));
	if (!row)
		return CS_ERR_NOT_FOUND;
	enum cs_err err = host_column_copy(s, 0, before.b, 32);
	if (err == CS_OK && !cs_hash_eq(&before, body))
		err = CS_ERR_CONFLICT;
	if (err == CS_OK) {
		const char *answer = host_column_text(s, 2);
		struct cs_bytes copy = cs_arena_copy(arena, cs_bytes(answer, strlen(answer) + 1));
		if (copy.p) {
			*status = (int)host_column_u64(s, 1);
			*text = (const char *)copy.p;
		} else {
			err = CS_ERR_NO_MEMORY;
		}
	}
	host_stmt_reset(s);
	return err;
}

enum cs_err gateway_journal_remember(struct gateway_journal *journal, const char *key_name,
				     const char *key, const struct cs_hash *body, int status,
				     const char *text)
{
	struct host_stmt *s = sql(journal, SQL_REMEMBER);
	host_bind_text(s, 0, key_name);
	host_bind_text(s, 1, key);
	host_bind_blob(s, 2, CS_BYTES_OF(body->b));
	host_bind_u64(s, 3, (uint64_t)status);
	host_bind_text(s, 4, text);
	host_bind_u64(s, 5, host_wall_ms());
	return host_stmt_run(s);
}

enum cs_err gateway_journal_forget(struct gateway_journal *journal, uint64_t before_ms)
{
	struct host_stmt *s = sql(journal, SQL_FORGET);
	host_bind_u64(s, 0, before_ms);
	return host_stmt_run(s);
}
