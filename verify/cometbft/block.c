#include "verify/cometbft/block.h"

static bool says(const struct cmt_hash *said, const struct cs_hash *is)
{
	struct cmt_hash hash = cmt_hash_of(is);
	return cmt_hash_eq(said, &hash);
}

enum cs_err cmt_block_check(const struct cmt_block *block, struct cs_arena *arena,
			    struct cs_why *why)
{
	struct cs_hash evidence;
	struct cs_hash commit = cmt_commit_hash(&block->last_commit);
	struct cs_hash data = cmt_data_hash(block->txs, block->tx_count);
	CS_TRY(cmt_header_check(&block->header, why));
	CS_TRY(cmt_header_check_protocol(&block->header, CMT_BLOCK_PROTOCOL, why));
	CS_TRY(cmt_commit_check(&block->last_commit, why));
	if (!says(&block->header.last_commit_hash, &commit))
		return cs_fail(why, CS_ERR_WRONG_BLOCK, "the hash of the last commit");
	if (!says(&block->header.data_hash, &data))
		return cs_fail(why, CS_ERR_WRONG_BLOCK, "the hash of the transactions");
	for (size_t i = 0; i < block->evidence_count; i++)
		CS_TRY(cmt_evidence_check(&block->evidence[i], why));
	CS_TRY(cmt_evidence_root(&evidence, block->evidence, block->evidence_count, arena));
	if (!says(&block->header.evidence_hash, &evidence))
		return cs_fail(why, CS_ERR_WRONG_BLOCK, "the hash of the evidence");
	return CS_OK;
}

enum cs_err cmt_block_fill_hashes(struct cmt_block *block, struct cs_arena *arena)
{
	struct cs_hash evidence;
	CS_TRY(cmt_evidence_root(&evidence, block->evidence, block->evidence_count, arena));
	struct cs_hash commit = cmt_commit_hash(&block->last_commit);
	struct cs_hash data = cmt_data_hash(block->txs, block->tx_count);
	block->header.last_commit_hash = cmt_hash_of(&commit);
	block->header.data_hash = cmt_hash_of(&data);
	block->header.evidence_hash = cmt_hash_of(&evidence);
	return CS_OK;
}

void cmt_block_encode(struct cs_buf *buf, const struct cmt_block *block)
{
	size_t part = cs_pb_begin(buf, 1);
	cmt_header_encode(buf, &block->header);
	cs_pb_end(buf, part);
	part = cs_pb_begin(buf, 2);
	for (size_t i = 0; i < block->tx_count; i++)
		cs_pb_put_element(buf, 1, block->txs[i]);
	cs_pb_end(buf, part);
	part = cs_pb_begin(buf, 3);
	for (size_t i = 0; i < block->evidence_count; i++) {
		size_t one = cs_pb_begin(buf, 1);
		cmt_evidence_encode(buf, &block->evidence[i]);
		cs_pb_end(buf, one);
	}
	cs_pb_end(buf, part);
	part = cs_pb_begin(buf, 4);
	cmt_commit_encode(buf, &block->last_commit);
	cs_pb_end(buf, part);
}

/* Tags and lengths of the four parts, and of each element. */
#define PARTS_SIZE 64u
#define ELEMENT_SIZE 16u

size_t cmt_block_size_max(const struct cmt_block *block)
{
	size_t size =
		PARTS_SIZE + CMT_HEADER_SIZE_MAX + CMT_COMMIT_SIZE_MAX(block->last_commit.count);
	for (size_t i = 0; i < block->tx_count; i++)
		size += block->txs[i].n + ELEMENT_SIZE;
	for (size_t i = 0; i < block->evidence_count; i++)
		size += cmt_evidence_size_max(&block->evidence[i]) + ELEMENT_SIZE;
	return size;
}

static enum cs_err read_txs(struct cmt_block *block, struct cs_bytes data, struct cs_arena *arena)
{
	struct cs_pb pb;
	size_t i = 0;
	cs_pb_open(&pb, data);
	block->tx_count = cs_pb_count(&pb, 1, CMT_TXS_MAX);
	block->txs = cs_arena_calloc(arena, block->tx_count, sizeof *block->txs);
	if (block->txs == NULL)
		return CS_ERR_NO_MEMORY;
	while (i < block->tx_count && cs_pb_element(&pb, 1, &block->txs[i], SIZE_MAX))
		i++;
	return cs_pb_close(&pb);
}

static enum cs_err read_evidence(struct cmt_block *block, struct cs_bytes list,
				 struct cs_arena *arena, struct cs_why *why)
{
	struct cs_bytes one;
	struct cs_pb pb;
	size_t i = 0;
	cs_pb_open(&pb, list);
	block->evidence_count = cs_pb_count(&pb, 1, CMT_EVIDENCE_MAX);
	block->evidence = cs_arena_calloc(arena, block->evidence_count, sizeof *block->evidence);
	if (block->evidence == NULL)
		return CS_ERR_NO_MEMORY;
	while (cs_pb_element(&pb, 1, &one, SIZE_MAX))
		CS_TRY(cmt_evidence_decode(&block->evidence[i++], one, arena, why));
	return cs_pb_close(&pb);
}

enum cs_err cmt_block_decode(struct cmt_block *block, struct cs_bytes bytes, struct cs_arena *arena,
			     struct cs_why *why)
{
	struct cs_bytes parts[4] = {CS_BYTES_NONE};
	struct cmt_block made;
	struct cs_pb pb;
	if (bytes.n > CMT_BLOCK_SIZE_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "a block of %zu bytes", bytes.n);
	cs_pb_open(&pb, bytes);
	for (uint32_t i = 0; i < CS_LEN(parts); i++)
		if (!cs_pb_element(&pb, i + 1, &parts[i], SIZE_MAX))
			cs_pb_fail(&pb, CS_ERR_MISSING_FIELD);
	enum cs_err err = cs_pb_close(&pb);
	if (err == CS_OK)
		err = read_txs(&made, parts[1], arena);
	if (err != CS_OK)
		return cs_fail(why, err, "the block's form");
	CS_TRY(cmt_header_decode(&made.header, parts[0], why));
	CS_TRY(read_evidence(&made, parts[2], arena, why));
	CS_TRY(cmt_commit_decode(&made.last_commit, parts[3], arena, why));
	CS_TRY(cmt_block_check(&made, arena, why));
	*block = made;
	return CS_OK;
}
