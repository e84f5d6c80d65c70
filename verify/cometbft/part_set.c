#include "verify/cometbft/part_set.h"

static struct cs_bytes slice(struct cs_bytes block, size_t index)
{
	size_t from = index * CMT_PART_SIZE, left = block.n - from;
	return cs_bytes(block.p + from, left < CMT_PART_SIZE ? left : CMT_PART_SIZE);
}

enum cs_err cmt_part_set_make(struct cmt_part_set *set, struct cs_bytes block,
			      struct cs_arena *arena)
{
	struct cmt_part_set made = {.block = block};
	if (block.n == 0)
		return CS_ERR_INVALID;
	if (block.n > CMT_BLOCK_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	size_t count = (block.n + CMT_PART_SIZE - 1) / CMT_PART_SIZE;
	struct cs_hash *leaves = cs_arena_calloc(arena, count, sizeof *leaves);
	if (leaves == NULL)
		return CS_ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++)
		leaves[i] = cmt_leaf_hash(slice(block, i));
	CS_TRY(cmt_tree_build(&made.tree, arena, leaves, count));
	struct cs_hash root = cmt_tree_root(&made.tree);
	made.header = (struct cmt_part_set_header){(uint32_t)count, cmt_hash_of(&root)};
	*set = made;
	return CS_OK;
}

void cmt_part_get(struct cmt_part *part, const struct cmt_part_set *set, uint32_t index)
{
	part->index = index;
	cmt_tree_prove(&part->proof, &set->tree, index);
	part->bytes = slice(set->block, index);
}

enum cs_err cmt_part_check(const struct cmt_part *part, const struct cmt_part_set_header *header)
{
	if (header->total == 0 || !header->hash.some)
		return CS_ERR_INVALID;
	if (part->bytes.n > CMT_PART_SIZE)
		return CS_ERR_TOO_LARGE;
	if (part->proof.index != (int64_t)part->index ||
	    part->proof.total != (int64_t)header->total)
		return CS_ERR_BAD_PROOF;
	if (part->index < header->total - 1 && part->bytes.n != CMT_PART_SIZE)
		return CS_ERR_INVALID;
	return cmt_proof_check(&part->proof, &header->hash.hash, part->bytes);
}

void cmt_part_encode(struct cs_buf *buf, const struct cmt_part *part)
{
	cs_pb_put_uint(buf, 1, part->index);
	cs_pb_put_bytes(buf, 2, part->bytes);
	size_t begin = cs_pb_begin(buf, 3);
	cmt_proof_encode(buf, &part->proof);
	cs_pb_end(buf, begin);
}

enum cs_err cmt_part_decode(struct cmt_part *part, struct cs_bytes bytes)
{
	struct cmt_part p;
	struct cs_bytes proof = CS_BYTES_NONE;
	struct cs_pb pb;
	cs_pb_open(&pb, bytes);
	p.index = (uint32_t)cs_pb_uint(&pb, 1, UINT32_MAX);
	p.bytes = cs_pb_bytes(&pb, 2, CMT_PART_SIZE);
	if (!cs_pb_element(&pb, 3, &proof, CMT_PROOF_SIZE_MAX))
		cs_pb_fail(&pb, CS_ERR_MISSING_FIELD);
	CS_TRY(cs_pb_close(&pb));
	CS_TRY(cmt_proof_decode(&p.proof, proof));
	*part = p;
	return CS_OK;
}
