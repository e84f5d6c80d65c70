#include "verify/cometbft/evidence.h"

#include "verify/cometbft/merkle.h"

#include <string.h>

/* What of an encoded attack is neither light block nor validators: numbers, a time, tags,
 * lengths. */
#define ATTACK_REST_SIZE 96u
/* And of two votes. */
#define VOTES_REST_SIZE 96u

int64_t cmt_evidence_height(const struct cmt_evidence *evidence)
{
	return evidence->kind == CMT_DUPLICATE_VOTE ? evidence->duplicate_vote.a.height
						    : evidence->light_attack.common_height;
}

struct cs_pb_time cmt_evidence_time(const struct cmt_evidence *evidence)
{
	return evidence->kind == CMT_DUPLICATE_VOTE ? evidence->duplicate_vote.time
						    : evidence->light_attack.time;
}

/* ---- form ---- */

static enum cs_err check_votes(const struct cmt_duplicate_vote *e, struct cs_why *why)
{
	CS_TRY(cmt_vote_check(&e->a, why));
	CS_TRY(cmt_vote_check(&e->b, why));
	if (cmt_block_id_cmp(&e->a.block_id, &e->b.block_id) >= 0)
		return cs_fail(why, CS_ERR_INVALID, "votes in the wrong order");
	return CS_OK;
}

static enum cs_err check_attack(const struct cmt_light_attack *e, struct cs_why *why)
{
	if (e->power_total < 1 || e->common_height < 1 ||
	    e->common_height > e->conflicting.header.height)
		return cs_fail(why, CS_ERR_INVALID, "the power or the height of an attack");
	CS_TRY(cmt_header_check_protocol(&e->conflicting.header, CMT_BLOCK_PROTOCOL, why));
	return cmt_light_block_check(&e->conflicting, why);
}

enum cs_err cmt_evidence_check(const struct cmt_evidence *evidence, struct cs_why *why)
{
	if (!cs_pb_time_valid(cmt_evidence_time(evidence)))
		return cs_fail(why, CS_ERR_INVALID, "the time of evidence");
	switch (evidence->kind) {
	case CMT_DUPLICATE_VOTE:
		return check_votes(&evidence->duplicate_vote, why);
	case CMT_LIGHT_ATTACK:
		return check_attack(&evidence->light_attack, why);
	}
	return CS_ERR_UNSUPPORTED;
}

/* ---- encoding ---- */

size_t cmt_evidence_size_max(const struct cmt_evidence *evidence)
{
	const struct cmt_duplicate_vote *votes = &evidence->duplicate_vote;
	const struct cmt_light_attack *attack = &evidence->light_attack;
	if (evidence->kind == CMT_DUPLICATE_VOTE)
		return CMT_VOTE_SIZE_MAX(votes->a.extension.n) +
		       CMT_VOTE_SIZE_MAX(votes->b.extension.n) + VOTES_REST_SIZE;
	size_t count = attack->conflicting.commit.count > attack->conflicting.validators.count
			       ? attack->conflicting.commit.count
			       : attack->conflicting.validators.count;
	return CMT_LIGHT_BLOCK_SIZE_MAX(count) + attack->byzantine_count * CMT_VALIDATOR_SIZE_MAX +
	       ATTACK_REST_SIZE;
}

static void put_votes(struct cs_buf *buf, const struct cmt_duplicate_vote *e)
{
	size_t begin = cs_pb_begin(buf, 1);
	cmt_vote_encode(buf, &e->a);
	cs_pb_end(buf, begin);
	begin = cs_pb_begin(buf, 2);
	cmt_vote_encode(buf, &e->b);
	cs_pb_end(buf, begin);
	cs_pb_put_int(buf, 3, e->power_total);
	cs_pb_put_int(buf, 4, e->power);
	cs_pb_put_time(buf, 5, e->time);
}

static void put_attack(struct cs_buf *buf, const struct cmt_light_attack *e)
{
	size_t begin = cs_pb_begin(buf, 1);
	cmt_light_block_encode(buf, &e->conflicting);
	cs_pb_end(buf, begin);
	cs_pb_put_int(buf, 2, e->common_height);
	for (size_t i = 0; i < e->byzantine_count; i++) {
		begin = cs_pb_begin(buf, 3);
		cmt_validator_encode(buf, &e->byzantine[i]);
		cs_pb_end(buf, begin);
	}
	cs_pb_put_int(buf, 4, e->power_total);
	cs_pb_put_time(buf, 5, e->time);
}

static void put_body(struct cs_buf *buf, const struct cmt_evidence *evidence)
{
	if (evidence->kind == CMT_DUPLICATE_VOTE)
		put_votes(buf, &evidence->duplicate_vote);
	else
		put_attack(buf, &evidence->light_attack);
}

void cmt_evidence_encode(struct cs_buf *buf, const struct cmt_evidence *evidence)
{
	size_t begin = cs_pb_begin(buf, (uint32_t)evidence->kind);
	put_body(buf, evidence);
	cs_pb_end(buf, begin);
}

/* A message field that must be there. */
static struct cs_bytes part(struct cs_pb *pb, uint32_t field)
{
	struct cs_bytes bytes = CS_BYTES_NONE;
	if (!cs_pb_element(pb, field, &bytes, SIZE_MAX))
		cs_pb_fail(pb, CS_ERR_MISSING_FIELD);
	return bytes;
}

static enum cs_err read_votes(struct cmt_duplicate_vote *e, struct cs_bytes bytes,
			      struct cs_why *why)
{
	struct cs_pb pb;
	cs_pb_open(&pb, bytes);
	struct cs_bytes a = part(&pb, 1), b = part(&pb, 2);
	e->power_total = cs_pb_int64(&pb, 3);
	e->power = cs_pb_int64(&pb, 4);
	e->time = cs_pb_time(&pb, 5);
	CS_TRY(cs_pb_close(&pb));
	CS_TRY(cmt_vote_decode(&e->a, a, why));
	return cmt_vote_decode(&e->b, b, why);
}

static enum cs_err read_byzantine(struct cs_pb *pb, struct cmt_light_attack *e,
				  struct cs_arena *arena)
{
	struct cs_bytes one;
	size_t i = 0;
	e->byzantine_count = cs_pb_count(pb, 3, CMT_VALIDATORS_MAX);
	e->byzantine = cs_arena_calloc(arena, e->byzantine_count, sizeof *e->byzantine);
	if (e->byzantine == NULL)
		return CS_ERR_NO_MEMORY;
	while (cs_pb_element(pb, 3, &one, SIZE_MAX))
		CS_TRY(cmt_validator_decode(&e->byzantine[i++], one));
	return CS_OK;
}

static enum cs_err read_attack(struct cmt_light_attack *e, struct cs_bytes bytes,
			       struct cs_arena *arena, struct cs_why *why)
{
	struct cs_pb pb;
	cs_pb_open(&pb, bytes);
	struct cs_bytes block = part(&pb, 1);
	e->common_height = cs_pb_int64(&pb, 2);
	CS_TRY(read_byzantine(&pb, e, arena));
	e->power_total = cs_pb_int64(&pb, 4);
	e->time = cs_pb_time(&pb, 5);
	CS_TRY(cs_pb_close(&pb));
	return cmt_light_block_decode(&e->conflicting, block, arena, why);
}

static enum cs_err read_evidence(struct cmt_evidence *e, struct cs_bytes bytes,
				 struct cs_arena *arena, struct cs_why *why)
{
	struct cs_pb_field field;
	struct cs_bytes rest = bytes;
	CS_TRY(cs_pb_next(&rest, &field));
	if (field.type != CS_PB_BYTES)
		return CS_ERR_MALFORMED;
	if (rest.n > 0)
		return CS_ERR_TRAILING;
	e->kind = (enum cmt_evidence_kind)field.number;
	switch (e->kind) {
	case CMT_DUPLICATE_VOTE:
		return read_votes(&e->duplicate_vote, field.bytes, why);
	case CMT_LIGHT_ATTACK:
		return read_attack(&e->light_attack, field.bytes, arena, why);
	}
	return CS_ERR_UNKNOWN_FIELD;
}

enum cs_err cmt_evidence_decode(struct cmt_evidence *evidence, struct cs_bytes bytes,
				struct cs_arena *arena, struct cs_why *why)
{
	struct cmt_evidence made;
	memset(&made, 0, sizeof made);
	cs_why_write(why, "the form of evidence");
	CS_TRY(read_evidence(&made, bytes, arena, why));
	CS_TRY(cmt_evidence_check(&made, why));
	*evidence = made;
	return CS_OK;
}

/* ---- hashes ---- */

static enum cs_err body(struct cs_buf *buf, const struct cmt_evidence *evidence,
			struct cs_arena *arena)
{
	CS_TRY(cs_buf_init_arena(buf, arena, cmt_evidence_size_max(evidence)));
	put_body(buf, evidence);
	return cs_buf_end(buf);
}

/* types/evidence.go LightClientAttackEvidence.Hash: the copy stops one byte short of the hash,
 * which leaves a zero; the height is a zigzag varint. */
static struct cs_hash attack_hash(const struct cmt_light_attack *e)
{
	uint8_t memory[sizeof(struct cs_hash) + CS_PB_VARINT_SIZE_MAX];
	struct cs_buf buf;
	struct cs_hash header = cmt_header_hash(&e->conflicting.header);
	header.b[sizeof header.b - 1] = 0;
	cs_buf_init(&buf, memory, sizeof memory);
	cs_put(&buf, CS_BYTES_OF(header.b));
	cs_pb_put_varint(&buf, (uint64_t)e->common_height << 1);
	return cs_sha256(cs_buf_view(&buf));
}

enum cs_err cmt_evidence_hash(struct cs_hash *hash, const struct cmt_evidence *evidence,
			      struct cs_arena *arena)
{
	struct cs_buf buf;
	if (evidence->kind == CMT_LIGHT_ATTACK) {
		*hash = attack_hash(&evidence->light_attack);
		return CS_OK;
	}
	size_t mark = cs_arena_mark(arena);
	enum cs_err err = body(&buf, evidence, arena);
	if (err == CS_OK)
		*hash = cs_sha256(cs_buf_view(&buf));
	cs_arena_rewind(arena, mark);
	return err;
}

enum cs_err cmt_evidence_root(struct cs_hash *root, const struct cmt_evidence *list, size_t count,
			      struct cs_arena *arena)
{
	struct cmt_merkle merkle;
	cmt_merkle_init(&merkle);
	for (size_t i = 0; i < count; i++) {
		struct cs_buf buf;
		size_t mark = cs_arena_mark(arena);
		enum cs_err err = body(&buf, &list[i], arena);
		if (err == CS_OK)
			cmt_merkle_add(&merkle, cs_buf_view(&buf));
		cs_arena_rewind(arena, mark);
		CS_TRY(err);
	}
	*root = cmt_merkle_root(&merkle);
	return CS_OK;
}
