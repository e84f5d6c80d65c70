#include "verify/cometbft/light_block.h"

enum cs_err cmt_signed_header_check(const struct cmt_header *header,
				    const struct cmt_commit *commit, struct cs_why *why)
{
	struct cs_hash hash = cmt_header_hash(header);
	struct cmt_hash expected = cmt_hash_of(&hash);
	if (commit->height != header->height)
		return cs_fail(why, CS_ERR_WRONG_BLOCK, "a commit of height %lld for header %lld",
			       (long long)commit->height, (long long)header->height);
	if (!cmt_hash_eq(&commit->block_id.hash, &expected))
		return cs_fail(why, CS_ERR_WRONG_BLOCK, "a commit of another header");
	return CS_OK;
}

enum cs_err cmt_light_block_check(const struct cmt_light_block *block, struct cs_why *why)
{
	CS_TRY(cmt_header_check(&block->header, why));
	CS_TRY(cmt_commit_check(&block->commit, why));
	CS_TRY(cmt_signed_header_check(&block->header, &block->commit, why));
	struct cs_hash set = cmt_validator_set_hash(&block->validators);
	if (!cs_hash_eq(&set, &block->header.validators_hash.hash))
		return cs_fail(why, CS_ERR_BAD_SIGNER_SET, "validators that are not the header's");
	return CS_OK;
}

void cmt_light_block_encode(struct cs_buf *buf, const struct cmt_light_block *block)
{
	size_t whole = cs_pb_begin(buf, 1);
	size_t part = cs_pb_begin(buf, 1);
	cmt_header_encode(buf, &block->header);
	cs_pb_end(buf, part);
	part = cs_pb_begin(buf, 2);
	cmt_commit_encode(buf, &block->commit);
	cs_pb_end(buf, part);
	cs_pb_end(buf, whole);
	part = cs_pb_begin(buf, 2);
	cmt_validator_set_encode(buf, &block->validators);
	cs_pb_end(buf, part);
}

/* Required. */
static struct cs_bytes part(struct cs_pb *pb, uint32_t field)
{
	struct cs_bytes bytes = CS_BYTES_NONE;
	if (!cs_pb_element(pb, field, &bytes, SIZE_MAX))
		cs_pb_fail(pb, CS_ERR_MISSING_FIELD);
	return bytes;
}

enum cs_err cmt_light_block_decode(struct cmt_light_block *block, struct cs_bytes bytes,
				   struct cs_arena *arena, struct cs_why *why)
{
	struct cmt_light_block made;
	struct cs_pb pb, both;
	cs_pb_open(&pb, bytes);
	cs_pb_enter_required(&pb, 1, &both);
	struct cs_bytes header = part(&both, 1), commit = part(&both, 2);
	cs_pb_leave(&pb, &both);
	struct cs_bytes validators = part(&pb, 2);
	enum cs_err err = cs_pb_close(&pb);
	if (err != CS_OK)
		return cs_fail(why, err, "the light block's form");
	CS_TRY(cmt_header_decode(&made.header, header, why));
	CS_TRY(cmt_commit_decode(&made.commit, commit, arena, why));
	CS_TRY(cmt_validator_set_decode(&made.validators, validators, arena, why));
	CS_TRY(cmt_light_block_check(&made, why));
	*block = made;
	return CS_OK;
}
