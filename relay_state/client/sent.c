#include "relay_state/client/sent.h"

enum cs_err ledger_sent_put(struct host_stmt *stmt, const struct ledger_sent *sent)
{
	host_bind_u64(stmt, 0, sent->kind);
	host_bind_u64(stmt, 1, sent->sequence);
	host_bind_u64(stmt, 2, sent->valid_until_s);
	host_bind_blob(stmt, 3, CS_BYTES_OF(sent->hash.b));
	host_bind_blob(stmt, 4, sent->raw);
	host_bind_u64(stmt, 5, host_wall_ms());
	return host_stmt_run(stmt);
}

static enum cs_err read_row(struct host_stmt *stmt, struct cs_arena *arena,
			    struct ledger_sent *sent)
{
	struct ledger_sent read = {.kind = host_column_u64(stmt, 0),
				   .sequence = host_column_u64(stmt, 1),
				   .valid_until_s = host_column_u64(stmt, 2)};

	CS_TRY(host_column_copy(stmt, 3, read.hash.b, sizeof(read.hash.b)));
	if (host_column_blob(stmt, 4).n == 0)
		return CS_ERR_INVALID;
	read.raw = cs_arena_copy(arena, host_column_blob(stmt, 4));
	if (read.raw.p == NULL)
		return CS_ERR_NO_MEMORY;
	*sent = read;
	return CS_OK;
}

enum cs_err ledger_sent_get(struct host_stmt *stmt, struct cs_arena *arena,
			    struct ledger_sent *sent)
{
	bool row = false;

	CS_TRY(host_stmt_next(stmt, &row));
	if (!row)
		return CS_ERR_NOT_FOUND;
	enum cs_err err = read_row(stmt, arena, sent);
	host_stmt_reset(stmt);
	return err;
}
