#include "gateway/journal_evidence.h"

#include "gateway/journal_private.h"

enum cs_err gateway_journal_evidence_add(struct gateway_journal *journal,
					 const struct cs_hash *chain,
					 const struct adapter_evidence *evidence, uint64_t now_ms,
					 bool *added)
{
	uint64_t count = 0;
	uint64_t known = 0;
	struct host_stmt *s = sql(journal, SQL_EVIDENCE_COUNT);
	host_bind_blob(s, 0, CS_BYTES_OF(chain->b));
	CS_TRY(gateway_journal_number(s, &count));
	s = sql(journal, SQL_EVIDENCE_KNOWN);
	host_bind_blob(s, 0, CS_BYTES_OF(chain->b));
	host_bind_blob(s, 1, CS_BYTES_OF(evidence->other.hash.b));
	CS_TRY(gateway_journal_number(s, &known));
	*added = known == 0;
	if (known != 0)
		return CS_OK;
	if (count >= GATEWAY_EVIDENCE_MAX)
		return CS_ERR_FULL;
	s = sql(journal, SQL_EVIDENCE_ADD);
	host_bind_blob(s, 0, CS_BYTES_OF(chain->b));
	host_bind_u64(s, 1, evidence->other.height);
	host_bind_blob(s, 2, CS_BYTES_OF(evidence->other.hash.b));
	host_bind_blob(s, 3, CS_BYTES_OF(evidence->ours.b));
	host_bind_blob(s, 4, evidence->against_other);
	host_bind_blob(s, 5, evidence->against_ours);
	host_bind_u64(s, 6, now_ms);
	return host_stmt_run(s);
}

static enum cs_err read_row(struct host_stmt *s, struct cs_arena *arena,
			    struct gateway_evidence *row)
{
	row->n = host_column_u64(s, 0);
	row->height = host_column_u64(s, 1);
	CS_TRY(host_column_copy(s, 2, row->other.b, sizeof(row->other.b)));
	CS_TRY(host_column_copy(s, 3, row->ours.b, sizeof(row->ours.b)));
	row->against_other = cs_arena_copy(arena, host_column_blob(s, 4));
	row->against_ours = cs_arena_copy(arena, host_column_blob(s, 5));
	row->found_ms = host_column_u64(s, 6);
	row->tries = (uint32_t)host_column_u64(s, 7);
	row->next_ms = host_column_u64(s, 8);
	return row->against_other.p && row->against_ours.p ? CS_OK : CS_ERR_NO_MEMORY;
}

enum cs_err gateway_journal_evidence(struct gateway_journal *journal, const struct cs_hash *chain,
				     struct cs_arena *arena,
				     struct gateway_evidence rows[GATEWAY_EVIDENCE_MAX],
				     size_t *count)
{
	struct host_stmt *s = sql(journal, SQL_EVIDENCE);
	enum cs_err err = CS_OK;
	size_t n = 0;
	host_bind_blob(s, 0, CS_BYTES_OF(chain->b));
	while (n < GATEWAY_EVIDENCE_MAX && err == CS_OK) {
		bool row = false;
		CS_TRY(host_stmt_next(s, &row));
		if (!row)
			break;
		err = read_row(s, arena, &rows[n++]);
	}
	host_stmt_reset(s);
	*count = n;
	return err;
}

enum cs_err gateway_journal_evidence_due(struct gateway_journal *journal,
					 const struct cs_hash *chain, uint64_t now_ms, uint64_t *n)
{
	struct host_stmt *s = sql(journal, SQL_EVIDENCE_DUE);
	host_bind_blob(s, 0, CS_BYTES_OF(chain->b));
	host_bind_u64(s, 1, now_ms);
	return gateway_journal_number(s, n);
}

enum cs_err gateway_journal_evidence_tried(struct gateway_journal *journal, uint64_t n,
					   uint32_t tries, uint64_t next_ms)
{
	struct host_stmt *s = sql(journal, SQL_EVIDENCE_TRIED);
	host_bind_u64(s, 0, n);
	host_bind_u64(s, 1, tries);
	host_bind_u64(s, 2, next_ms);
	return host_stmt_run(s);
}

enum cs_err gateway_journal_evidence_told(struct gateway_journal *journal, uint64_t n,
					  const struct gateway_evidence_node *node, bool *news)
{
	struct host_stmt *s = sql(journal, SQL_EVIDENCE_TOLD);
	host_bind_u64(s, 0, n);
	host_bind_text(s, 1, node->url);
	host_bind_u64(s, 2, node->taken);
	gateway_journal_bind_hash(s, 3, &node->against);
	host_bind_text(s, 4, node->why);
	host_bind_u64(s, 5, node->time_ms);
	CS_TRY(host_stmt_run(s));
	*news = host_store_changes(journal->store) > 0;
	return CS_OK;
}

enum cs_err gateway_journal_evidence_nodes(struct gateway_journal *journal, uint64_t n,
					   gateway_evidence_node_fn *each, void *ctx)
{
	struct host_stmt *s = sql(journal, SQL_EVIDENCE_NODES);
	host_bind_u64(s, 0, n);
	for (;;) {
		struct gateway_evidence_node node = {0};
		bool row = false;
		CS_TRY(host_stmt_next(s, &row));
		if (!row)
			return CS_OK;
		node.url = host_column_text(s, 0);
		node.taken = host_column_u64(s, 1) != 0;
		enum cs_err err = gateway_journal_column_hash(s, 2, &node.against);
		node.why = host_column_text(s, 3);
		node.time_ms = host_column_u64(s, 4);
		if (err != CS_OK) {
			host_stmt_reset(s);
			return err;
		}
		each(ctx, &node);
	}
}
