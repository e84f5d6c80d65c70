#include "verify/cometbft/vote.h"

#include <string.h>

enum cs_err cmt_verify_seal(const struct cs_ed25519_key *key, const struct cs_buf *sign_bytes,
			    const struct cmt_signature *signature)
{
	/* A time that cannot be encoded. */
	if (cs_buf_end(sign_bytes) != CS_OK)
		return CS_ERR_INVALID;
	enum cs_err err =
		cs_ed25519_verify(key, cs_buf_view(sign_bytes), cmt_signature_bytes(signature));
	return err == CS_ERR_BAD_SIGNATURE ? CS_ERR_BAD_SEAL : err;
}

/* ---- votes ---- */

static enum cs_err check_extension(const struct cmt_vote *vote, struct cs_why *why)
{
	if (vote->type != CMT_PRECOMMIT || cmt_block_id_is_nil(&vote->block_id)) {
		if (vote->extension.n > 0 || vote->extension_signature.some)
			return cs_fail(why, CS_ERR_INVALID, "a vote that may have no extension");
		return CS_OK;
	}
	if (vote->extension.n > CMT_EXTENSION_SIZE_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "an extension of %zu bytes",
			       vote->extension.n);
	if (vote->extension.n > 0 && !vote->extension_signature.some)
		return cs_fail(why, CS_ERR_INVALID, "an extension without a signature");
	return CS_OK;
}

enum cs_err cmt_vote_check(const struct cmt_vote *vote, struct cs_why *why)
{
	if (vote->type != CMT_PREVOTE && vote->type != CMT_PRECOMMIT)
		return cs_fail(why, CS_ERR_INVALID, "a vote of type %d", (int)vote->type);
	if (vote->height < 1 || vote->round < 0 || vote->index < 0)
		return cs_fail(why, CS_ERR_INVALID, "a vote of height %lld, round %d, index %d",
			       (long long)vote->height, vote->round, vote->index);
	if (!cmt_block_id_is_nil(&vote->block_id) && !cmt_block_id_is_complete(&vote->block_id))
		return cs_fail(why, CS_ERR_INVALID, "a block id that is neither nil nor complete");
	if (!cs_pb_time_valid(vote->time))
		return cs_fail(why, CS_ERR_INVALID, "the vote's time");
	if (!vote->signature.some)
		return cs_fail(why, CS_ERR_INVALID, "a vote without a signature");
	return check_extension(vote, why);
}

void cmt_vote_encode(struct cs_buf *buf, const struct cmt_vote *vote)
{
	cs_pb_put_uint(buf, 1, vote->type);
	cs_pb_put_int(buf, 2, vote->height);
	cs_pb_put_int(buf, 3, vote->round);
	cmt_put_block_id(buf, 4, &vote->block_id);
	cs_pb_put_time(buf, 5, vote->time);
	cs_pb_put_bytes(buf, 6, CS_BYTES_OF(vote->validator.b));
	cs_pb_put_int(buf, 7, vote->index);
	cs_pb_put_bytes(buf, 8, cmt_signature_bytes(&vote->signature));
	cs_pb_put_bytes(buf, 9, vote->extension);
	cs_pb_put_bytes(buf, 10, cmt_signature_bytes(&vote->extension_signature));
}

enum cs_err cmt_vote_decode(struct cmt_vote *vote, struct cs_bytes bytes, struct cs_why *why)
{
	struct cmt_vote v = {0};
	struct cs_pb pb;
	cs_pb_open(&pb, bytes);
	v.type = (enum cmt_signed_type)cs_pb_uint(&pb, 1, CMT_PROPOSAL);
	v.height = cs_pb_int64(&pb, 2);
	v.round = cs_pb_int32(&pb, 3);
	v.block_id = cmt_get_block_id(&pb, 4);
	v.time = cs_pb_time(&pb, 5);
	(void)cmt_get_address(&pb, 6, &v.validator, false);
	v.index = cs_pb_int32(&pb, 7);
	v.signature = cmt_get_signature(&pb, 8);
	v.extension = cs_pb_bytes(&pb, 9, CMT_EXTENSION_SIZE_MAX);
	v.extension_signature = cmt_get_signature(&pb, 10);
	enum cs_err err = cs_pb_close(&pb);
	if (err != CS_OK)
		return cs_fail(why, err, "the vote's form");
	CS_TRY(cmt_vote_check(&v, why));
	*vote = v;
	return CS_OK;
}

static void put_canonical_block_id(struct cs_buf *buf, uint32_t field,
				   const struct cmt_block_id *id)
{
	if (!cmt_block_id_is_nil(id))
		cmt_put_block_id(buf, field, id);
}

void cmt_vote_sign_bytes(struct cs_buf *buf, const struct cmt_vote *vote,
			 const struct cmt_chain_id *chain_id)
{
	size_t begin = cs_pb_begin_delimited(buf);
	cs_pb_put_uint(buf, 1, vote->type);
	cs_pb_put_sfixed64(buf, 2, vote->height);
	cs_pb_put_sfixed64(buf, 3, vote->round);
	put_canonical_block_id(buf, 4, &vote->block_id);
	cs_pb_put_time(buf, 5, vote->time);
	cs_pb_put_bytes(buf, 6, cmt_chain_id_bytes(chain_id));
	cs_pb_end(buf, begin);
}

void cmt_extension_sign_bytes(struct cs_buf *buf, const struct cmt_vote *vote,
			      const struct cmt_chain_id *chain_id)
{
	size_t begin = cs_pb_begin_delimited(buf);
	cs_pb_put_bytes(buf, 1, vote->extension);
	cs_pb_put_sfixed64(buf, 2, vote->height);
	cs_pb_put_sfixed64(buf, 3, vote->round);
	cs_pb_put_bytes(buf, 4, cmt_chain_id_bytes(chain_id));
	cs_pb_end(buf, begin);
}

enum cs_err cmt_vote_verify(const struct cmt_vote *vote, const struct cmt_chain_id *chain_id,
			    const struct cs_ed25519_key *key)
{
	uint8_t memory[CMT_SIGN_BYTES_MAX];
	struct cs_buf buf;
	struct cs_address address = cmt_address(key);
	if (!cs_address_eq(&address, &vote->validator))
		return CS_ERR_FOREIGN_SEAL;
	cs_buf_init(&buf, memory, sizeof memory);
	cmt_vote_sign_bytes(&buf, vote, chain_id);
	return cmt_verify_seal(key, &buf, &vote->signature);
}

enum cs_err cmt_extension_verify(const struct cmt_vote *vote, const struct cmt_chain_id *chain_id,
				 const struct cs_ed25519_key *key, struct cs_arena *arena)
{
	struct cs_buf buf;
	if (vote->type != CMT_PRECOMMIT || cmt_block_id_is_nil(&vote->block_id))
		return CS_OK;
	if (!vote->extension_signature.some)
		return CS_ERR_MISSING_FIELD;
	if (vote->extension.n > CMT_EXTENSION_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	size_t mark = cs_arena_mark(arena);
	CS_TRY(cs_buf_init_arena(&buf, arena, CMT_EXTENSION_SIGN_BYTES_MAX(vote->extension.n)));
	cmt_extension_sign_bytes(&buf, vote, chain_id);
	enum cs_err err = cmt_verify_seal(key, &buf, &vote->extension_signature);
	cs_arena_rewind(arena, mark);
	return err;
}

/* ---- proposals ---- */

enum cs_err cmt_proposal_check(const struct cmt_proposal *proposal, struct cs_why *why)
{
	if (proposal->height < 0 || proposal->round < 0 || proposal->pol_round < -1)
		return cs_fail(why, CS_ERR_INVALID, "a proposal of height %lld, round %d, POL %d",
			       (long long)proposal->height, proposal->round, proposal->pol_round);
	if (!cmt_block_id_is_complete(&proposal->block_id))
		return cs_fail(why, CS_ERR_INVALID, "a proposal without a complete block id");
	if (!cs_pb_time_valid(proposal->time))
		return cs_fail(why, CS_ERR_INVALID, "the proposal's time");
	if (!proposal->signature.some)
		return cs_fail(why, CS_ERR_INVALID, "a proposal without a signature");
	return CS_OK;
}

void cmt_proposal_encode(struct cs_buf *buf, const struct cmt_proposal *proposal)
{
	cs_pb_put_uint(buf, 1, CMT_PROPOSAL);
	cs_pb_put_int(buf, 2, proposal->height);
	cs_pb_put_int(buf, 3, proposal->round);
	cs_pb_put_int(buf, 4, proposal->pol_round);
	cmt_put_block_id(buf, 5, &proposal->block_id);
	cs_pb_put_time(buf, 6, proposal->time);
	cs_pb_put_bytes(buf, 7, cmt_signature_bytes(&proposal->signature));
}

enum cs_err cmt_proposal_decode(struct cmt_proposal *proposal, struct cs_bytes bytes,
				struct cs_why *why)
{
	struct cmt_proposal p;
	struct cs_pb pb;
	memset(&p, 0, sizeof p);
	cs_pb_open(&pb, bytes);
	uint64_t type = cs_pb_uint(&pb, 1, CMT_PROPOSAL);
	p.height = cs_pb_int64(&pb, 2);
	p.round = cs_pb_int32(&pb, 3);
	p.pol_round = cs_pb_int32(&pb, 4);
	p.block_id = cmt_get_block_id(&pb, 5);
	p.time = cs_pb_time(&pb, 6);
	p.signature = cmt_get_signature(&pb, 7);
	enum cs_err err = cs_pb_close(&pb);
	if (err == CS_OK && type != CMT_PROPOSAL)
		err = CS_ERR_INVALID;
	if (err != CS_OK)
		return cs_fail(why, err, "the proposal's form");
	CS_TRY(cmt_proposal_check(&p, why));
	*proposal = p;
	return CS_OK;
}

void cmt_proposal_sign_bytes(struct cs_buf *buf, const struct cmt_proposal *proposal,
			     const struct cmt_chain_id *chain_id)
{
	size_t begin = cs_pb_begin_delimited(buf);
	cs_pb_put_uint(buf, 1, CMT_PROPOSAL);
	cs_pb_put_sfixed64(buf, 2, proposal->height);
	cs_pb_put_sfixed64(buf, 3, proposal->round);
	cs_pb_put_int(buf, 4, proposal->pol_round);
	put_canonical_block_id(buf, 5, &proposal->block_id);
	cs_pb_put_time(buf, 6, proposal->time);
	cs_pb_put_bytes(buf, 7, cmt_chain_id_bytes(chain_id));
	cs_pb_end(buf, begin);
}

enum cs_err cmt_proposal_verify(const struct cmt_proposal *proposal,
				const struct cmt_chain_id *chain_id,
				const struct cs_ed25519_key *key)
{
	uint8_t memory[CMT_SIGN_BYTES_MAX];
	struct cs_buf buf;
	cs_buf_init(&buf, memory, sizeof memory);
	cmt_proposal_sign_bytes(&buf, proposal, chain_id);
	return cmt_verify_seal(key, &buf, &proposal->signature);
}
