#include "gateway/journal_held.h"

#include "gateway/journal_private.h"

#include <stdlib.h>
#include <string.h>

static void bind_route(struct host_stmt *s, const char *peer,
		       const struct gateway_held_route *route)
{
	host_bind_text(s, 0, peer);
	host_bind_text(s, 1, route->instance);
	host_bind_blob(s, 2, CS_BYTES_OF(route->ours.b));
	host_bind_blob(s, 3, CS_BYTES_OF(route->remote.b));
}

static enum cs_err look_for_room(struct gateway_journal *journal, const char *peer, size_t size)
{
	struct host_stmt *s = sql(journal, SQL_HELD_ROOM);
	bool row = false;
	host_bind_text(s, 0, peer);
	CS_TRY(host_stmt_next(s, &row));
	uint64_t count = row ? host_column_u64(s, 0) : 0;
	uint64_t bytes = row ? host_column_u64(s, 1) : 0;
	host_stmt_reset(s);
	return count < GATEWAY_HELD_MAX && bytes + size <= GATEWAY_HELD_SIZE_MAX ? CS_OK
										 : CS_ERR_FULL;
}

enum cs_err gateway_journal_hold(struct gateway_journal *journal, const char *peer,
				 const struct gateway_held_route *route, const json_t *item)
{
	char *text = json_dumps(item, JSON_COMPACT);
	if (!text)
		return CS_ERR_NO_MEMORY;
	enum cs_err err = look_for_room(journal, peer, strlen(text));
	if (err == CS_OK) {
		struct host_stmt *s = sql(journal, SQL_HELD_ADD);
		bind_route(s, peer, route);
		host_bind_text(s, 4, text);
		err = host_stmt_run(s);
	}
	free(text);
	return err;
}

enum cs_err gateway_journal_held_done(struct gateway_journal *journal, uint64_t n)
{
	struct host_stmt *s = sql(journal, SQL_HELD_DONE);
	host_bind_u64(s, 0, n);
	return host_stmt_run(s);
}

enum cs_err gateway_journal_held_count(struct gateway_journal *journal, const char *peer,
				       uint64_t *count)
{
	struct host_stmt *s = sql(journal, SQL_HELD_COUNT);
	host_bind_text(s, 0, peer);
	return gateway_journal_number(s, count);
}

enum cs_err gateway_journal_is_held(struct gateway_journal *journal, const char *peer,
				    const struct gateway_held_route *route, bool *is_held)
{
	uint64_t count = 0;
	struct host_stmt *s = sql(journal, SQL_HELD_OF_ROUTE);
	bind_route(s, peer, route);
	CS_TRY(gateway_journal_number(s, &count));
	*is_held = count > 0;
	return CS_OK;
}

enum cs_err gateway_journal_held_next(struct gateway_journal *journal, const char *peer,
				      uint64_t *n, struct gateway_held_route *route)
{
	struct gateway_held_route found = {.instance = ""};
	struct host_stmt *s = sql(journal, SQL_HELD_NEXT);
	bool row = false;
	host_bind_text(s, 0, peer);
	host_bind_u64(s, 1, *n);
	CS_TRY(host_stmt_next(s, &row));
	if (!row)
		return CS_ERR_NOT_FOUND;
	uint64_t number = host_column_u64(s, 0);
	const char *instance = host_column_text(s, 1);
	enum cs_err err = instance != NULL && strlen(instance) < sizeof(found.instance)
				  ? CS_OK
				  : CS_ERR_MALFORMED;
	if (err == CS_OK)
		memcpy(found.instance, instance, strlen(instance));
	if (err == CS_OK)
		err = host_column_copy(s, 2, found.ours.b, sizeof(found.ours.b));
	if (err == CS_OK)
		err = host_column_copy(s, 3, found.remote.b, sizeof(found.remote.b));
	host_stmt_reset(s);
	CS_TRY(err);
	*n = number;
	*route = found;
	return CS_OK;
}

enum cs_err gateway_journal_held_item(struct gateway_journal *journal, uint64_t n, json_t **item)
{
	struct host_stmt *s = sql(journal, SQL_HELD_ITEM);
	bool row = false;
	host_bind_u64(s, 0, n);
	CS_TRY(host_stmt_next(s, &row));
	if (!row)
		return CS_ERR_NOT_FOUND;
	const char *text = host_column_text(s, 0);
	json_t *json = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
	host_stmt_reset(s);
	if (!json)
		return CS_ERR_MALFORMED;
	*item = json;
	return CS_OK;
}
