#include "gateway/journal_proofs.h"

#include "gateway/journal_private.h"

enum cs_err gateway_journal_proofs_kept(struct gateway_journal *journal,
					struct gateway_proofs_kept *kept)
{
	struct host_stmt *s = sql(journal, SQL_PROOFS_KEPT);
	bool row = false;
	CS_TRY(host_stmt_next(s, &row));
	*kept = (struct gateway_proofs_kept){0};
	if (row) {
		kept->count = host_column_u64(s, 0);
		kept->bytes = host_column_u64(s, 1);
	}
	host_stmt_reset(s);
	return CS_OK;
}

enum cs_err gateway_journal_keep_proof(struct gateway_journal *journal,
				       const struct gateway_message *message, struct cs_bytes proof,
				       uint32_t log_index)
{
	CS_TRY(gateway_journal_forget_proof(journal, message->n));
	struct host_stmt *s = sql(journal, SQL_RECEIPT_ADD);
	host_bind_blob(s, 0, CS_BYTES_OF(message->block.b));
	host_bind_u64(s, 1, message->tx_index);
	host_bind_blob(s, 2, proof);
	CS_TRY(host_stmt_run(s));
	s = sql(journal, SQL_CLAIM_ADD);
	host_bind_u64(s, 0, message->n);
	host_bind_blob(s, 1, CS_BYTES_OF(message->block.b));
	host_bind_u64(s, 2, message->tx_index);
	host_bind_u64(s, 3, log_index);
	return host_stmt_run(s);
}

enum cs_err gateway_journal_proof(struct gateway_journal *journal,
				  const struct gateway_message *message, struct cs_arena *arena,
				  struct cs_bytes *proof, uint32_t *log_index)
{
	struct host_stmt *s = sql(journal, SQL_PROOF);
	bool row = false;
	host_bind_u64(s, 0, message->n);
	host_bind_blob(s, 1, CS_BYTES_OF(message->block.b));
	host_bind_u64(s, 2, message->tx_index);
	CS_TRY(host_stmt_next(s, &row));
	struct cs_bytes kept = row ? cs_arena_copy(arena, host_column_blob(s, 0)) : CS_BYTES_NONE;
	uint32_t index = row ? (uint32_t)host_column_u64(s, 1) : 0;
	host_stmt_reset(s);
	if (!row)
		return CS_ERR_NOT_FOUND;
	if (!kept.p)
		return CS_ERR_NO_MEMORY;
	*proof = kept;
	*log_index = index;
	return CS_OK;
}

enum cs_err gateway_journal_forget_proof(struct gateway_journal *journal, uint64_t n)
{
	struct host_stmt *s = sql(journal, SQL_CLAIM_REMOVE);
	host_bind_u64(s, 0, n);
	return host_stmt_run(s);
}

enum cs_err gateway_journal_from_height(struct gateway_journal *journal,
					const struct cs_hash *chain, uint64_t height, uint64_t n,
					struct gateway_message *messages, size_t count_max,
					size_t *count)
{
	struct host_stmt *s = sql(journal, SQL_FROM_HEIGHT);
	host_bind_blob(s, 0, CS_BYTES_OF(chain->b));
	host_bind_u64(s, 1, height);
	host_bind_u64(s, 2, n);
	host_bind_u64(s, 3, count_max);
	return gateway_journal_read_messages(s, messages, count_max, count);
}

enum cs_err gateway_journal_lowest_unsigned(struct gateway_journal *journal,
					    const struct cs_hash *chain, uint64_t *height)
{
	struct host_stmt *s = sql(journal, SQL_LOWEST_UNSIGNED);
	host_bind_blob(s, 0, CS_BYTES_OF(chain->b));
	return gateway_journal_number(s, height);
}
