#include "gateway/journal_webhooks.h"

#include "gateway/journal_private.h"

#include <stdio.h>
#include <string.h>

#define MESSAGE_TYPE "message."

/* ---- webhooks ---- */

enum cs_err gateway_journal_add_webhook(struct gateway_journal *journal, struct gateway_webhook *w)
{
	struct host_stmt *s = sql(journal, SQL_WEBHOOK_ADD);
	host_bind_text(s, 0, w->id);
	host_bind_text(s, 1, w->owner);
	host_bind_text(s, 2, w->url);
	host_bind_text(s, 3, w->filter.types);
	gateway_journal_bind_hash(s, 4, &w->filter.from);
	gateway_journal_bind_hash(s, 5, &w->filter.to);
	host_bind_text(s, 6, w->filter.message);
	host_bind_u64(s, 7, w->secret);
	host_bind_u64(s, 8, w->old_until_ms);
	host_bind_u64(s, 9, w->disabled);
	host_bind_text(s, 10, w->why);
	host_bind_u64(s, 11, w->cursor);
	host_bind_u64(s, 12, w->failures);
	host_bind_u64(s, 13, w->next_ms);
	host_bind_u64(s, 14, w->created_ms);
	CS_TRY(host_stmt_run(s));
	w->n = host_store_row(journal->store);
	return CS_OK;
}

static enum cs_err copy_text(char *text, size_t size, const char *from)
{
	const int n = snprintf(text, size, "%s", from ? from : "");
	return n >= 0 && (size_t)n < size ? CS_OK : CS_ERR_INVALID;
}

static enum cs_err read_webhook(struct host_stmt *s, struct gateway_webhook *w)
{
	w->n = host_column_u64(s, 0);
	CS_TRY(copy_text(w->id, sizeof(w->id), host_column_text(s, 1)));
	CS_TRY(copy_text(w->owner, sizeof(w->owner), host_column_text(s, 2)));
	CS_TRY(copy_text(w->url, sizeof(w->url), host_column_text(s, 3)));
	CS_TRY(copy_text(w->filter.types, sizeof(w->filter.types), host_column_text(s, 4)));
	CS_TRY(gateway_journal_column_hash(s, 5, &w->filter.from));
	CS_TRY(gateway_journal_column_hash(s, 6, &w->filter.to));
	CS_TRY(copy_text(w->filter.message, sizeof(w->filter.message), host_column_text(s, 7)));
	w->secret = (uint32_t)host_column_u64(s, 8);
	w->old_until_ms = host_column_u64(s, 9);
	w->disabled = host_column_u64(s, 10) != 0;
	CS_TRY(copy_text(w->why, sizeof(w->why), host_column_text(s, 11)));
	w->cursor = host_column_u64(s, 12);
	w->failures = (uint32_t)host_column_u64(s, 13);
	w->next_ms = host_column_u64(s, 14);
	w->created_ms = host_column_u64(s, 15);
	return CS_OK;
}

enum cs_err gateway_journal_webhooks(struct gateway_journal *journal,
				     struct gateway_webhook *webhooks, size_t count_max,
				     size_t *count)
{
	struct host_stmt *s = sql(journal, SQL_WEBHOOKS);
	size_t n = 0;
	for (;;) {
		bool row = false;
		CS_TRY(host_stmt_next(s, &row));
		if (!row)
			break;
		const enum cs_err err =
			n < count_max ? read_webhook(s, &webhooks[n]) : CS_ERR_TOO_LARGE;
		if (err != CS_OK) {
			host_stmt_reset(s);
			return err;
		}
		n++;
	}
	*count = n;
	return CS_OK;
}

enum cs_err gateway_journal_save_webhook(struct gateway_journal *journal,
					 const struct gateway_webhook *w)
{
	struct host_stmt *s = sql(journal, SQL_WEBHOOK_SAVE);
	host_bind_u64(s, 0, w->n);
	host_bind_u64(s, 1, w->secret);
	host_bind_u64(s, 2, w->old_until_ms);
	host_bind_u64(s, 3, w->disabled);
	host_bind_text(s, 4, w->why);
	host_bind_u64(s, 5, w->cursor);
	host_bind_u64(s, 6, w->failures);
	host_bind_u64(s, 7, w->next_ms);
	return host_stmt_run(s);
}

enum cs_err gateway_journal_remove_webhook(struct gateway_journal *journal, uint64_t webhook)
{
	struct host_stmt *s = sql(journal, SQL_DELIVERIES_REMOVE);
	host_bind_u64(s, 0, webhook);
	CS_TRY(host_stmt_run(s));
	s = sql(journal, SQL_WEBHOOK_REMOVE);
	host_bind_u64(s, 0, webhook);
	return host_stmt_run(s);
}

/* ---- deliveries ---- */

enum cs_err gateway_journal_log_delivery(struct gateway_journal *journal, uint64_t webhook,
					 const struct gateway_delivery *delivery)
{
	struct host_stmt *s = sql(journal, SQL_DELIVERY_LOG);
	host_bind_u64(s, 0, webhook);
	host_bind_u64(s, 1, delivery->event);
	host_bind_text(s, 2, delivery->type);
	host_bind_u64(s, 3, delivery->delivered);
	host_bind_u64(s, 4, (uint64_t)delivery->status);
	host_bind_text(s, 5, delivery->why);
	host_bind_u64(s, 6, delivery->last_ms);
	return host_stmt_run(s);
}

enum cs_err gateway_journal_deliver_again(struct gateway_journal *journal, uint64_t webhook,
					  uint64_t event)
{
	struct host_stmt *s = sql(journal, SQL_DELIVERY_AGAIN);
	host_bind_u64(s, 0, webhook);
	host_bind_u64(s, 1, event);
	CS_TRY(host_stmt_run(s));
	return host_store_changes(journal->store) == 1 ? CS_OK : CS_ERR_NOT_FOUND;
}

enum cs_err gateway_journal_wanted_again(struct gateway_journal *journal, uint64_t webhook,
					 uint64_t *event)
{
	struct host_stmt *s = sql(journal, SQL_DELIVERY_WANTED);
	host_bind_u64(s, 0, webhook);
	return gateway_journal_number(s, event);
}

enum cs_err gateway_journal_deliveries(struct gateway_journal *journal, uint64_t webhook,
				       uint64_t before, struct gateway_delivery *deliveries,
				       size_t count_max, size_t *count)
{
	struct host_stmt *s = sql(journal, SQL_DELIVERIES);
	size_t n = 0;
	host_bind_u64(s, 0, webhook);
	host_bind_u64(s, 1, before ? before : INT64_MAX);
	host_bind_u64(s, 2, count_max);
	for (;;) {
		bool row = false;
		CS_TRY(host_stmt_next(s, &row));
		if (!row)
			break;
		struct gateway_delivery *d = &deliveries[n++];
		*d = (struct gateway_delivery){.event = host_column_u64(s, 0),
					       .delivered = host_column_u64(s, 2) != 0,
					       .again = host_column_u64(s, 3) != 0,
					       .attempts = (uint32_t)host_column_u64(s, 4),
					       .status = (int)host_column_u64(s, 5),
					       .first_ms = host_column_u64(s, 7),
					       .last_ms = host_column_u64(s, 8)};
		snprintf(d->type, sizeof(d->type), "%s", host_column_text(s, 1));
		snprintf(d->why, sizeof(d->why), "%s", host_column_text(s, 6));
	}
	*count = n;
	return CS_OK;
}

enum cs_err gateway_journal_prune_deliveries(struct gateway_journal *journal, uint64_t webhook)
{
	struct host_stmt *s = sql(journal, SQL_DELIVERIES_PRUNE);
	host_bind_u64(s, 0, webhook);
	host_bind_u64(s, 1, GATEWAY_DELIVERIES_KEPT);
	return host_stmt_run(s);
}

/* ---- what is wanted ---- */

void gateway_event_type(char type[GATEWAY_WEBHOOK_TYPE_MAX + 1], const struct gateway_event *event)
{
	const bool moved = strcmp(event->kind, "message") == 0;
	snprintf(type, GATEWAY_WEBHOOK_TYPE_MAX + 1, "%s%s", moved ? MESSAGE_TYPE : "",
		 moved ? relay_state_name(event->state) : event->kind);
}

bool gateway_event_type_is_known(const char *type)
{
	static const char *const kinds[] = {
		"message.refused",       "request.failed",     "chain.reorg",
		"chain.diverged",        "chain.frozen",       "chain.reorg_held",
		"operator.accept_reorg", "ledger.conflict",    "webhook.disabled",
		"operator.pause",        "operator.resume",    "operator.observe",
		"operator.observed",     "operator.clear",     "operator.retry",
		"operator.reload",       "operator.drain",     "operator.undrain",
		"operator.drained",      "operator.raise",     "operator.sweep",
		"peer.attested",         "ledger.registration"};
	enum relay_state state;
	for (size_t i = 0; i < CS_LEN(kinds); i++)
		if (strcmp(kinds[i], type) == 0)
			return true;
	return strncmp(type, MESSAGE_TYPE, strlen(MESSAGE_TYPE)) == 0 &&
	       relay_state_parse(&state, type + strlen(MESSAGE_TYPE)) == CS_OK;
}

static bool is_listed(const char *list, const char *name)
{
	const size_t n = strlen(name);
	for (const char *at = list; *at; at += strcspn(at, ","), at += *at == ',')
		if (strcspn(at, ",") == n && memcmp(at, name, n) == 0)
			return true;
	return false;
}

/* request.failed: its detail begins with the request's id and a space. */
static bool is_of_request(const struct gateway_event *event, const char *id)
{
	const size_t n = strlen(id);
	return strcmp(event->kind, "request.failed") == 0 && event->detail &&
	       strncmp(event->detail, id, n) == 0 && event->detail[n] == ' ';
}

static enum cs_err message_matches(struct gateway_journal *journal,
				   const struct gateway_webhook_filter *filter,
				   const struct gateway_event *event, bool *matches)
{
	struct gateway_message row;
	struct gateway_request request = {.id = ""};
	char id[67] = "0x";
	CS_TRY(gateway_journal_find(journal, &event->id, event->side, &row));
	const bool source = row.side == RELAY_SOURCE;
	const struct cs_hash *from = source ? &row.chain : &row.remote;
	const struct cs_hash *to = source ? &row.remote : &row.chain;
	if (filter->message[0] == 'r' && row.request)
		CS_TRY(gateway_journal_request_row(journal, row.request, &request));
	cs_hex(id + 2, CS_BYTES_OF(event->id.b));
	*matches = (cs_hash_is_zero(&filter->from) || cs_hash_eq(&filter->from, from)) &&
		   (cs_hash_is_zero(&filter->to) || cs_hash_eq(&filter->to, to)) &&
		   (!filter->message[0] || strcmp(filter->message, id) == 0 ||
		    strcmp(filter->message, request.id) == 0);
	return CS_OK;
}

enum cs_err gateway_webhook_wants(struct gateway_journal *journal,
				  const struct gateway_webhook_filter *filter,
				  const struct gateway_event *event, bool *wants)
{
	char type[GATEWAY_WEBHOOK_TYPE_MAX + 1];
	const bool has_route = !cs_hash_is_zero(&filter->from) || !cs_hash_is_zero(&filter->to);
	gateway_event_type(type, event);
	*wants = !filter->types[0] || is_listed(filter->types, type);
	if (!*wants || (!has_route && !filter->message[0]))
		return CS_OK;
	if (event->side != 0)
		return message_matches(journal, filter, event, wants);
	*wants = !has_route && is_of_request(event, filter->message);
	return CS_OK;
}
