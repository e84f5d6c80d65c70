#include "verify/cometbft/tx.h"

struct cs_hash cmt_data_hash(const struct cs_bytes *txs, size_t count)
{
	struct cmt_merkle merkle;
	cmt_merkle_init(&merkle);
	for (size_t i = 0; i < count; i++) {
		struct cs_hash hash = cs_sha256(txs[i]);
		cmt_merkle_add(&merkle, CS_BYTES_OF(hash.b));
	}
	return cmt_merkle_root(&merkle);
}

enum cs_err cmt_data_tree(struct cmt_tree *tree, struct cs_arena *arena, const struct cs_bytes *txs,
			  size_t count)
{
	struct cs_hash *leaves = cs_arena_calloc(arena, count, sizeof *leaves);
	if (leaves == NULL)
		return CS_ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		struct cs_hash hash = cs_sha256(txs[i]);
		leaves[i] = cmt_leaf_hash(CS_BYTES_OF(hash.b));
	}
	return cmt_tree_build(tree, arena, leaves, count);
}

enum cs_err cmt_tx_check(const struct cmt_proof *proof, const struct cs_hash *data_hash,
			 struct cs_bytes tx)
{
	struct cs_hash hash = cs_sha256(tx);
	return cmt_proof_check(proof, data_hash, CS_BYTES_OF(hash.b));
}

void cmt_result_encode(struct cs_buf *buf, const struct cmt_tx_result *result)
{
	cs_pb_put_uint(buf, 1, result->code);
	cs_pb_put_bytes(buf, 2, result->data);
	cs_pb_put_int(buf, 5, result->gas_wanted);
	cs_pb_put_int(buf, 6, result->gas_used);
}

enum cs_err cmt_results_hash(struct cs_hash *hash, const struct cmt_tx_result *results,
			     size_t count, struct cs_arena *arena)
{
	struct cmt_merkle merkle;
	cmt_merkle_init(&merkle);
	for (size_t i = 0; i < count; i++) {
		struct cs_buf buf;
		size_t mark = cs_arena_mark(arena);
		CS_TRY(cs_buf_init_arena(&buf, arena, CMT_RESULT_SIZE_MAX(results[i].data.n)));
		cmt_result_encode(&buf, &results[i]);
		cs_assert(cs_buf_end(&buf) == CS_OK);
		cmt_merkle_add(&merkle, cs_buf_view(&buf));
		cs_arena_rewind(arena, mark);
	}
	*hash = cmt_merkle_root(&merkle);
	return CS_OK;
}
