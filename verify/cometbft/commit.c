#include "verify/cometbft/commit.h"

#include "verify/cometbft/merkle.h"
#include "verify/cometbft/order.h"

#include <string.h>

/* ---- form ---- */

static bool sig_is_empty(const struct cmt_commit_sig *sig)
{
	static const struct cs_address none;
	return cs_address_eq(&sig->validator, &none) && !sig->signature.some &&
	       cs_pb_time_cmp(sig->time, CS_PB_TIME_ZERO) == 0;
}

static enum cs_err check_sig(const struct cmt_commit_sig *sig, size_t index, struct cs_why *why)
{
	switch (sig->flag) {
	case CMT_ABSENT:
		if (!sig_is_empty(sig))
			return cs_fail(why, CS_ERR_INVALID, "absent vote %zu has something", index);
		return CS_OK;
	case CMT_COMMIT:
	case CMT_NIL:
		if (!sig->signature.some || !cs_pb_time_valid(sig->time))
			return cs_fail(why, CS_ERR_INVALID, "vote %zu: signature or time", index);
		return CS_OK;
	}
	return cs_fail(why, CS_ERR_INVALID, "vote %zu of flag %d", index, (int)sig->flag);
}

enum cs_err cmt_commit_check(const struct cmt_commit *commit, struct cs_why *why)
{
	if (commit->height < 0 || commit->round < 0)
		return cs_fail(why, CS_ERR_INVALID, "a commit of height %lld, round %d",
			       (long long)commit->height, commit->round);
	if (commit->count > CMT_VALIDATORS_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%zu signatures", commit->count);
	if (commit->height == 0 && commit->count == 0)
		return CS_OK;
	if (commit->height > 0 && (cmt_block_id_is_nil(&commit->block_id) || commit->count == 0))
		return cs_fail(why, CS_ERR_INVALID, "a commit for no block or without signatures");
	for (size_t i = 0; i < commit->count; i++)
		CS_TRY(check_sig(&commit->sigs[i], i, why));
	return CS_OK;
}

static enum cs_err check_extension(const struct cmt_commit_sig *sig, bool demanded, size_t index,
				   struct cs_why *why)
{
	bool some = sig->extension.n > 0;
	if (sig->extension.n > CMT_EXTENSION_SIZE_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "extension %zu", index);
	/* CometBFT alone would let a vote for the block have an unsigned extension here. */
	if (some && !sig->extension_signature.some)
		return cs_fail(why, CS_ERR_INVALID, "extension %zu without a signature", index);
	if (!demanded)
		return CS_OK;
	if (sig->extension_signature.some != (sig->flag == CMT_COMMIT))
		return cs_fail(why, CS_ERR_INVALID, "the extension of vote %zu", index);
	return CS_OK;
}

enum cs_err cmt_extended_commit_check(const struct cmt_commit *commit, bool demanded,
				      struct cs_why *why)
{
	CS_TRY(cmt_commit_check(commit, why));
	for (size_t i = 0; i < commit->count; i++)
		CS_TRY(check_extension(&commit->sigs[i], demanded, i, why));
	return CS_OK;
}

/* ---- encoding ---- */

static void put_sig(struct cs_buf *buf, const struct cmt_commit_sig *sig, bool extended)
{
	cs_pb_put_uint(buf, 1, sig->flag);
	if (sig->flag != CMT_ABSENT)
		cs_pb_put_bytes(buf, 2, CS_BYTES_OF(sig->validator.b));
	cs_pb_put_time(buf, 3, sig->time);
	cs_pb_put_bytes(buf, 4, cmt_signature_bytes(&sig->signature));
	if (!extended)
		return;
	cs_pb_put_bytes(buf, 5, sig->extension);
	cs_pb_put_bytes(buf, 6, cmt_signature_bytes(&sig->extension_signature));
}

static void encode(struct cs_buf *buf, const struct cmt_commit *commit, bool extended)
{
	cs_pb_put_int(buf, 1, commit->height);
	cs_pb_put_int(buf, 2, commit->round);
	cmt_put_block_id(buf, 3, &commit->block_id);
	for (size_t i = 0; i < commit->count; i++) {
		size_t begin = cs_pb_begin(buf, 4);
		put_sig(buf, &commit->sigs[i], extended);
		cs_pb_end(buf, begin);
	}
}

void cmt_commit_encode(struct cs_buf *buf, const struct cmt_commit *commit)
{
	encode(buf, commit, false);
}

size_t cmt_extended_commit_size_max(const struct cmt_commit *commit)
{
	size_t size = CMT_COMMIT_SIZE_MAX(commit->count);
	/* Two more fields, and longer lengths of the elements. */
	for (size_t i = 0; i < commit->count; i++)
		size += commit->sigs[i].extension.n + CS_ED25519_SIGNATURE_SIZE + 16;
	return size;
}

void cmt_extended_commit_encode(struct cs_buf *buf, const struct cmt_commit *commit)
{
	encode(buf, commit, true);
}

static enum cs_err read_sig(struct cmt_commit_sig *sig, struct cs_bytes bytes, bool extended)
{
	struct cs_pb pb;
	cs_pb_open(&pb, bytes);
	sig->flag = (enum cmt_flag)cs_pb_uint(&pb, 1, CMT_NIL);
	bool some = cmt_get_address(&pb, 2, &sig->validator, true);
	sig->time = cs_pb_time(&pb, 3);
	sig->signature = cmt_get_signature(&pb, 4);
	if (extended) {
		sig->extension = cs_pb_bytes(&pb, 5, CMT_EXTENSION_SIZE_MAX);
		sig->extension_signature = cmt_get_signature(&pb, 6);
	}
	if (some != (sig->flag != CMT_ABSENT))
		cs_pb_fail(&pb, CS_ERR_INVALID);
	return cs_pb_close(&pb);
}

static enum cs_err decode(struct cmt_commit *commit, struct cs_bytes bytes, bool extended,
			  struct cs_arena *arena, struct cs_why *why)
{
	struct cs_bytes one;
	struct cs_pb pb;
	size_t i = 0;
	cs_pb_open(&pb, bytes);
	commit->height = cs_pb_int64(&pb, 1);
	commit->round = cs_pb_int32(&pb, 2);
	commit->block_id = cmt_get_block_id(&pb, 3);
	commit->count = cs_pb_count(&pb, 4, CMT_VALIDATORS_MAX);
	commit->sigs = cs_arena_calloc(arena, commit->count, sizeof *commit->sigs);
	if (commit->sigs == NULL)
		return CS_ERR_NO_MEMORY;
	while (cs_pb_element(&pb, 4, &one, SIZE_MAX)) {
		enum cs_err err = read_sig(&commit->sigs[i++], one, extended);
		if (err != CS_OK)
			return cs_fail(why, err, "signature %zu of the commit", i - 1);
	}
	enum cs_err err = cs_pb_close(&pb);
	return err == CS_OK ? CS_OK : cs_fail(why, err, "the commit's form");
}

enum cs_err cmt_commit_decode(struct cmt_commit *commit, struct cs_bytes bytes,
			      struct cs_arena *arena, struct cs_why *why)
{
	struct cmt_commit made;
	CS_TRY(decode(&made, bytes, false, arena, why));
	CS_TRY(cmt_commit_check(&made, why));
	*commit = made;
	return CS_OK;
}

enum cs_err cmt_extended_commit_decode(struct cmt_commit *commit, struct cs_bytes bytes,
				       struct cs_arena *arena, struct cs_why *why)
{
	struct cmt_commit made;
	CS_TRY(decode(&made, bytes, true, arena, why));
	CS_TRY(cmt_extended_commit_check(&made, false, why));
	*commit = made;
	return CS_OK;
}

struct cs_hash cmt_commit_hash(const struct cmt_commit *commit)
{
	struct cmt_merkle merkle;
	cmt_merkle_init(&merkle);
	for (size_t i = 0; i < commit->count; i++) {
		uint8_t memory[CMT_COMMIT_SIG_SIZE_MAX];
		struct cs_buf buf;
		cs_buf_init(&buf, memory, sizeof memory);
		put_sig(&buf, &commit->sigs[i], false);
		cs_assert(cs_buf_end(&buf) == CS_OK);
		cmt_merkle_add(&merkle, cs_buf_view(&buf));
	}
	return cmt_merkle_root(&merkle);
}

struct cmt_vote cmt_commit_vote(const struct cmt_commit *commit, size_t index)
{
	cs_assert(index < commit->count && commit->sigs[index].flag != CMT_ABSENT);
	const struct cmt_commit_sig *sig = &commit->sigs[index];
	struct cmt_vote vote = {.type = CMT_PRECOMMIT,
				.height = commit->height,
				.round = commit->round,
				.time = sig->time,
				.validator = sig->validator,
				.index = (int32_t)index,
				.signature = sig->signature,
				.extension = sig->extension,
				.extension_signature = sig->extension_signature};
	if (sig->flag == CMT_COMMIT)
		vote.block_id = commit->block_id;
	return vote;
}

struct cmt_commit_sig cmt_commit_sig_of(const struct cmt_vote *vote)
{
	if (vote == NULL)
		return CMT_SIG_ABSENT;
	return (struct cmt_commit_sig){.flag = cmt_block_id_is_nil(&vote->block_id) ? CMT_NIL
										    : CMT_COMMIT,
				       .validator = vote->validator,
				       .time = vote->time,
				       .signature = vote->signature,
				       .extension = vote->extension,
				       .extension_signature = vote->extension_signature};
}

/* ---- BFT time ---- */

static bool time_before(const void *context, uint16_t a, uint16_t b)
{
	const struct cmt_commit *commit = context;
	return cs_pb_time_cmp(commit->sigs[a].time, commit->sigs[b].time) < 0;
}

enum cs_err cmt_median_time(struct cs_pb_time *time, const struct cmt_commit *commit,
			    const struct cmt_validator_set *set)
{
	uint16_t order[CMT_VALIDATORS_MAX];
	size_t count = 0;
	int64_t total = 0;
	cs_assert(commit->count <= CMT_VALIDATORS_MAX);
	for (size_t i = 0; i < commit->count; i++) {
		if (commit->sigs[i].flag == CMT_ABSENT)
			continue;
		size_t at = cmt_validator_set_find(set, &commit->sigs[i].validator);
		if (at == SIZE_MAX)
			return CS_ERR_FOREIGN_SEAL;
		/* One address many times: a commit that nothing verified. */
		if (__builtin_add_overflow(total, set->list[at].power, &total))
			return CS_ERR_OVERFLOW;
		order[count++] = (uint16_t)i;
	}
	if (count == 0)
		return CS_ERR_MISSING_FIELD;
	cmt_order(order, count, time_before, commit);
	int64_t left = total / 2;
	for (size_t i = 0; i < count; i++) {
		const struct cmt_commit_sig *sig = &commit->sigs[order[i]];
		int64_t power = set->list[cmt_validator_set_find(set, &sig->validator)].power;
		if (left <= power) {
			*time = sig->time;
			return CS_OK;
		}
		left -= power;
	}
	return CS_ERR_MISSING_FIELD;
}
