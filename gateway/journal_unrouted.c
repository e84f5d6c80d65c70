#include "gateway/journal_unrouted.h"

#include "gateway/journal_private.h"
#include "host/log.h"

static void bind(struct host_stmt *s, const struct cs_hash *chain, const struct cs_hash *remote)
{
	host_bind_blob(s, 0, CS_BYTES_OF(chain->b));
	if (remote)
		host_bind_blob(s, 1, CS_BYTES_OF(remote->b));
}

enum cs_err gateway_journal_unrouted_add(struct gateway_journal *journal,
					 const struct cs_hash *chain, const struct cs_hash *remote,
					 uint64_t height, uint64_t sequence)
{
	uint64_t count = 0;
	struct host_stmt *s = sql(journal, SQL_UNROUTED_WIDEN);
	bind(s, chain, remote);
	host_bind_u64(s, 2, height);
	host_bind_u64(s, 3, sequence);
	CS_TRY(host_stmt_run(s));
	if (host_store_changes(journal->store) > 0)
		return CS_OK;
	s = sql(journal, SQL_UNROUTED_COUNT);
	bind(s, chain, NULL);
	CS_TRY(gateway_journal_number(s, &count));
	if (count >= GATEWAY_UNROUTED_MAX)
		return CS_ERR_FULL;
	s = sql(journal, SQL_UNROUTED_ADD);
	bind(s, chain, remote);
	host_bind_u64(s, 2, height);
	host_bind_u64(s, 3, sequence);
	host_bind_u64(s, 4, host_wall_ms());
	return host_stmt_run(s);
}

enum cs_err gateway_journal_unrouted_read(struct gateway_journal *journal,
					  const struct cs_hash *chain, const struct cs_hash *remote,
					  uint64_t next)
{
	static const enum sql both[] = {SQL_UNROUTED_DONE, SQL_UNROUTED_FROM};
	for (size_t i = 0; i < CS_LEN(both); i++) {
		struct host_stmt *s = sql(journal, both[i]);
		bind(s, chain, remote);
		host_bind_u64(s, 2, next);
		CS_TRY(host_stmt_run(s));
	}
	return CS_OK;
}

enum cs_err gateway_journal_unrouted(struct gateway_journal *journal, const struct cs_hash *chain,
				     struct gateway_unrouted rows[GATEWAY_UNROUTED_MAX],
				     size_t *count)
{
	struct host_stmt *s = sql(journal, SQL_UNROUTED);
	size_t n = 0;
	bind(s, chain, NULL);
	while (n < GATEWAY_UNROUTED_MAX) {
		bool row = false;
		CS_TRY(host_stmt_next(s, &row));
		if (!row)
			break;
		struct gateway_unrouted *r = &rows[n++];
		enum cs_err err = host_column_copy(s, 0, r->remote.b, sizeof(r->remote.b));
		r->from_height = host_column_u64(s, 1);
		r->to_height = host_column_u64(s, 2);
		r->from_sequence = host_column_u64(s, 3);
		r->to_sequence = host_column_u64(s, 4);
		r->since_ms = host_column_u64(s, 5);
		if (err != CS_OK) {
			host_stmt_reset(s);
			return err;
		}
	}
	host_stmt_reset(s);
	*count = n;
	return CS_OK;
}
