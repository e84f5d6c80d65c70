#include "relay_state/bft/message.h"

#include <string.h>

/* ---- status ---- */

static void status_encode(struct cs_buf *buf, const struct bft_status *status)
{
	cs_pb_put_int(buf, 1, status->height);
	cs_pb_put_int(buf, 2, status->round);
	cs_pb_put_uint(buf, 3, status->step);
	cs_pb_put_uint(buf, 4, status->has_proposal ? 1 : 0);
	if (status->has_parts) {
		cmt_put_part_set_header(buf, 5, &status->parts);
		cs_pb_put_fixed64(buf, 6, status->parts_have);
	}
	for (size_t i = 0; i < status->votes_count; i++) {
		const struct bft_status_votes *v = &status->votes[i];
		size_t begin = cs_pb_begin(buf, 7);
		cs_pb_put_int(buf, 1, v->round);
		cs_pb_put_uint(buf, 2, (uint64_t)v->type);
		if (v->of_block)
			cmt_put_block_id(buf, 3, &v->block_id);
		cs_pb_put_uint(buf, 4, v->have);
		cs_pb_end(buf, begin);
	}
}

static enum cs_err status_votes_decode(struct bft_status_votes *votes, struct cs_bytes bytes)
{
	struct bft_status_votes out = {0};
	struct cs_pb pb;
	cs_pb_open(&pb, bytes);
	out.round = cs_pb_int32(&pb, 1);
	out.type = (enum cmt_signed_type)cs_pb_uint(&pb, 2, CMT_PRECOMMIT);
	out.of_block = cs_pb_is_next(&pb, 3);
	if (out.of_block)
		out.block_id = cmt_get_block_id(&pb, 3);
	out.have = (uint32_t)cs_pb_uint(&pb, 4, UINT32_MAX);
	CS_TRY(cs_pb_close(&pb));
	if (out.round < 0 || (out.type != CMT_PREVOTE && out.type != CMT_PRECOMMIT))
		return CS_ERR_INVALID;
	*votes = out;
	return CS_OK;
}

static enum cs_err parts_header_read(struct cmt_part_set_header *parts, struct cs_pb *pb,
				     uint32_t field)
{
	struct cs_pb inner;
	cs_pb_enter_required(pb, field, &inner);
	parts->total = (uint32_t)cs_pb_uint(&inner, 1, UINT32_MAX);
	parts->hash = cmt_get_hash(&inner, 2);
	cs_pb_leave(pb, &inner);
	return parts->total > 0 && parts->hash.some ? CS_OK : CS_ERR_INVALID;
}

static enum cs_err status_decode(struct bft_status *status, struct cs_bytes bytes)
{
	struct bft_status out = {0};
	struct cs_bytes votes;
	struct cs_pb pb;
	cs_pb_open(&pb, bytes);
	out.height = cs_pb_int64(&pb, 1);
	out.round = cs_pb_int32(&pb, 2);
	out.step = (uint32_t)cs_pb_uint(&pb, 3, UINT32_MAX);
	out.has_proposal = cs_pb_bool(&pb, 4);
	out.has_parts = cs_pb_is_next(&pb, 5);
	if (out.has_parts) {
		enum cs_err err = parts_header_read(&out.parts, &pb, 5);
		if (err != CS_OK)
			cs_pb_fail(&pb, err);
		out.parts_have = cs_pb_fixed64(&pb, 6);
	}
	while (cs_pb_element(&pb, 7, &votes, BFT_MESSAGE_SIZE_MAX)) {
		if (out.votes_count == BFT_STATUS_VOTES_MAX)
			return CS_ERR_TOO_LARGE;
		CS_TRY(status_votes_decode(&out.votes[out.votes_count++], votes));
	}
	CS_TRY(cs_pb_close(&pb));
	if (out.height < 1 || out.round < 0)
		return CS_ERR_INVALID;
	*status = out;
	return CS_OK;
}

/* ---- the others ---- */

static void encode_body(struct cs_buf *buf, const struct bft_message *m)
{
	size_t inner;
	switch (m->type) {
	case BFT_MESSAGE_PROPOSAL:
		inner = cs_pb_begin(buf, 1);
		cmt_proposal_encode(buf, &m->proposal);
		cs_pb_end(buf, inner);
		break;
	case BFT_MESSAGE_PART:
		cs_pb_put_int(buf, 1, m->part.height);
		cs_pb_put_int(buf, 2, m->part.round);
		inner = cs_pb_begin(buf, 3);
		cmt_part_encode(buf, &m->part.part);
		cs_pb_end(buf, inner);
		break;
	case BFT_MESSAGE_VOTE:
		inner = cs_pb_begin(buf, 1);
		cmt_vote_encode(buf, &m->vote);
		cs_pb_end(buf, inner);
		break;
	case BFT_MESSAGE_STATUS:
		status_encode(buf, &m->status);
		break;
	case BFT_MESSAGE_OWN_ASK:
		cs_pb_put_int(buf, 1, m->own_ask.height);
		cs_pb_put_bytes(buf, 2, CS_BYTES_OF(m->own_ask.validator.b));
		break;
	case BFT_MESSAGE_OWN_VOTES:
		cs_pb_put_int(buf, 1, m->own_votes.height);
		for (size_t i = 0; i < m->own_votes.count; i++) {
			inner = cs_pb_begin(buf, 2);
			cmt_vote_encode(buf, &m->own_votes.votes[i]);
			cs_pb_end(buf, inner);
		}
		break;
	case BFT_MESSAGE_BLOCK_REQUEST:
		cs_pb_put_int(buf, 1, m->block_request);
		break;
	case BFT_MESSAGE_BLOCK_ANSWER:
		cs_pb_put_int(buf, 1, m->block_answer.height);
		cs_pb_put_bytes(buf, 2, m->block_answer.block);
		cs_pb_put_bytes(buf, 3, m->block_answer.commit);
		break;
	case BFT_MESSAGE_EVIDENCE:
		cs_pb_put_bytes(buf, 1, m->evidence);
		break;
	}
}

void bft_message_encode(struct cs_buf *buf, const struct bft_message *message)
{
	size_t begin = cs_pb_begin(buf, (uint32_t)message->type);
	encode_body(buf, message);
	cs_pb_end(buf, begin);
}

static enum cs_err only_field(struct cs_bytes *inner, struct cs_bytes body)
{
	struct cs_pb pb;
	cs_pb_open(&pb, body);
	if (!cs_pb_element(&pb, 1, inner, BFT_MESSAGE_SIZE_MAX))
		cs_pb_fail(&pb, CS_ERR_MISSING_FIELD);
	return cs_pb_close(&pb);
}

/* What is wrong under every header: types/part_set.go ValidateBasic. */
static enum cs_err part_check(const struct cmt_part *part)
{
	if (part->proof.index != (int64_t)part->index)
		return CS_ERR_BAD_PROOF;
	if (part->proof.total > (int64_t)BFT_PARTS_MAX)
		return CS_ERR_TOO_LARGE;
	if (part->proof.index >= part->proof.total || part->bytes.n == 0)
		return CS_ERR_INVALID;
	bool is_last = part->proof.index == part->proof.total - 1;
	return is_last || part->bytes.n == CMT_PART_SIZE ? CS_OK : CS_ERR_INVALID;
}

static enum cs_err part_decode(struct bft_message *m, struct cs_bytes body)
{
	struct cs_pb pb;
	struct cs_bytes part = CS_BYTES_NONE;
	cs_pb_open(&pb, body);
	m->part.height = cs_pb_int64(&pb, 1);
	m->part.round = cs_pb_int32(&pb, 2);
	if (!cs_pb_element(&pb, 3, &part, BFT_MESSAGE_SIZE_MAX))
		cs_pb_fail(&pb, CS_ERR_MISSING_FIELD);
	CS_TRY(cs_pb_close(&pb));
	if (m->part.height < 1 || m->part.round < 0)
		return CS_ERR_INVALID;
	CS_TRY(cmt_part_decode(&m->part.part, part));
	return part_check(&m->part.part);
}

static enum cs_err own_ask_decode(struct bft_message *m, struct cs_bytes body)
{
	struct cs_pb pb;
	cs_pb_open(&pb, body);
	m->own_ask.height = cs_pb_int64(&pb, 1);
	(void)cmt_get_address(&pb, 2, &m->own_ask.validator, false);
	CS_TRY(cs_pb_close(&pb));
	return m->own_ask.height < 1 ? CS_ERR_INVALID : CS_OK;
}

static enum cs_err vote_decode(struct cmt_vote *vote, struct cs_bytes bytes)
{
	CS_TRY(cmt_vote_decode(vote, bytes, NULL));
	return vote->extension.n <= BFT_EXTENSION_SIZE_MAX ? CS_OK : CS_ERR_TOO_LARGE;
}

static enum cs_err own_votes_decode(struct bft_message *m, struct cs_bytes body)
{
	struct cs_pb pb;
	struct cs_bytes vote;
	cs_pb_open(&pb, body);
	m->own_votes.height = cs_pb_int64(&pb, 1);
	m->own_votes.count = 0;
	while (cs_pb_element(&pb, 2, &vote, BFT_MESSAGE_SIZE_MAX)) {
		if (m->own_votes.count == BFT_OWN_VOTES_MAX)
			return CS_ERR_TOO_LARGE;
		CS_TRY(vote_decode(&m->own_votes.votes[m->own_votes.count++], vote));
	}
	CS_TRY(cs_pb_close(&pb));
	return m->own_votes.height < 1 ? CS_ERR_INVALID : CS_OK;
}

static enum cs_err block_decode(struct bft_message *m, struct cs_bytes body)
{
	struct cs_pb pb;
	cs_pb_open(&pb, body);
	m->block_answer.height = cs_pb_int64(&pb, 1);
	m->block_answer.block = cs_pb_bytes(&pb, 2, BFT_BLOCK_SIZE_MAX);
	m->block_answer.commit = cs_pb_bytes(&pb, 3, BFT_COMMIT_SIZE_MAX);
	CS_TRY(cs_pb_close(&pb));
	if (m->block_answer.height < 1 ||
	    (m->block_answer.block.n == 0) != (m->block_answer.commit.n == 0))
		return CS_ERR_INVALID;
	return CS_OK;
}

static enum cs_err request_decode(struct bft_message *m, struct cs_bytes body)
{
	struct cs_pb pb;
	cs_pb_open(&pb, body);
	m->block_request = cs_pb_int64(&pb, 1);
	CS_TRY(cs_pb_close(&pb));
	return m->block_request < 1 ? CS_ERR_INVALID : CS_OK;
}

static enum cs_err decode_body(struct bft_message *m, struct cs_bytes body)
{
	struct cs_bytes inner;
	switch (m->type) {
	case BFT_MESSAGE_PROPOSAL:
		CS_TRY(only_field(&inner, body));
		CS_TRY(cmt_proposal_decode(&m->proposal, inner, NULL));
		return m->proposal.pol_round < m->proposal.round ? CS_OK : CS_ERR_INVALID;
	case BFT_MESSAGE_PART:
		return part_decode(m, body);
	case BFT_MESSAGE_VOTE:
		CS_TRY(only_field(&inner, body));
		return vote_decode(&m->vote, inner);
	case BFT_MESSAGE_STATUS:
		return status_decode(&m->status, body);
	case BFT_MESSAGE_OWN_ASK:
		return own_ask_decode(m, body);
	case BFT_MESSAGE_OWN_VOTES:
		return own_votes_decode(m, body);
	case BFT_MESSAGE_BLOCK_REQUEST:
		return request_decode(m, body);
	case BFT_MESSAGE_BLOCK_ANSWER:
		return block_decode(m, body);
	case BFT_MESSAGE_EVIDENCE:
		return only_field(&m->evidence, body);
	}
	return CS_ERR_UNSUPPORTED;
}

enum cs_err bft_message_decode(struct bft_message *message, struct cs_bytes bytes)
{
	struct bft_message out;
	struct cs_pb_field field;
	if (bytes.n > BFT_MESSAGE_BLOCK_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	CS_TRY(cs_pb_next(&bytes, &field));
	if (field.type != CS_PB_BYTES)
		return CS_ERR_MALFORMED;
	if (bytes.n != 0)
		return CS_ERR_TRAILING;
	if (field.number != BFT_MESSAGE_BLOCK_ANSWER && field.bytes.n > BFT_MESSAGE_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	memset(&out, 0, sizeof out);
	out.type = (enum bft_message_type)field.number;
	CS_TRY(decode_body(&out, field.bytes));
	*message = out;
	return CS_OK;
}
