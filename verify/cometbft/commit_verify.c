#include "verify/cometbft/commit.h"

/* What one verification counts. */
struct tally {
	const struct cmt_commit *commit;
	const struct cmt_validator_set *set;
	const struct cmt_chain_id *chain_id;
	int64_t needed; /* more than this */
	int64_t signed_power;
	struct cs_why *why;
};

/* More than numerator/denominator of the set's power; CMT_POWER_MAX × 2 cannot overflow. */
static enum cs_err set_needed(struct tally *t, uint64_t numerator, uint64_t denominator)
{
	uint64_t product;
	if (denominator == 0)
		return cs_fail(t->why, CS_ERR_INVALID, "a fraction of zero parts");
	if (__builtin_mul_overflow((uint64_t)t->set->power, numerator, &product) ||
	    product > INT64_MAX)
		return cs_fail(t->why, CS_ERR_OVERFLOW, "a fraction too wide");
	t->needed = (int64_t)(product / denominator);
	return CS_OK;
}

static enum cs_err check_seal(const struct tally *t, size_t index,
			      const struct cmt_validator *validator)
{
	uint8_t memory[CMT_SIGN_BYTES_MAX];
	struct cs_buf buf;
	struct cmt_vote vote = cmt_commit_vote(t->commit, index);
	cs_buf_init(&buf, memory, sizeof memory);
	cmt_vote_sign_bytes(&buf, &vote, t->chain_id);
	enum cs_err err = cmt_verify_seal(&validator->key, &buf, &vote.signature);
	return err == CS_OK ? CS_OK : cs_fail(t->why, err, "signature %zu of the commit", index);
}

static enum cs_err suffices(const struct tally *t)
{
	if (t->signed_power > t->needed)
		return CS_OK;
	return cs_fail(t->why, CS_ERR_TOO_FEW_SEALS, "power %lld of more than %lld",
		       (long long)t->signed_power, (long long)t->needed);
}

static enum cs_err check_place(const struct tally *t, size_t index)
{
	if (cs_address_eq(&t->set->list[index].address, &t->commit->sigs[index].validator))
		return CS_OK;
	return cs_fail(t->why, CS_ERR_FOREIGN_SEAL, "vote %zu is of another address", index);
}

static enum cs_err check_subject(const struct tally *t, const struct cmt_block_id *block_id,
				 int64_t height)
{
	if (t->set->count != t->commit->count)
		return cs_fail(t->why, CS_ERR_FOREIGN_SEAL, "%zu votes of %zu validators",
			       t->commit->count, t->set->count);
	if (t->commit->height != height || !cmt_block_id_eq(&t->commit->block_id, block_id))
		return cs_fail(t->why, CS_ERR_WRONG_BLOCK, "a commit of another block");
	return CS_OK;
}

enum cs_err cmt_commit_verify(const struct cmt_commit *commit, const struct cmt_validator_set *set,
			      const struct cmt_chain_id *chain_id,
			      const struct cmt_block_id *block_id, int64_t height,
			      struct cs_why *why)
{
	struct tally t = {commit, set, chain_id, 0, 0, why};
	CS_TRY(check_subject(&t, block_id, height));
	CS_TRY(set_needed(&t, 2, 3));
	for (size_t i = 0; i < commit->count; i++) {
		if (commit->sigs[i].flag == CMT_ABSENT)
			continue;
		CS_TRY(check_place(&t, i));
		CS_TRY(check_seal(&t, i, &set->list[i]));
		if (commit->sigs[i].flag == CMT_COMMIT)
			t.signed_power += set->list[i].power;
	}
	return suffices(&t);
}

/* The power is counted before a signature is looked at: too little of it costs nothing. */
static enum cs_err light_power(struct tally *t)
{
	for (size_t i = 0; i < t->commit->count; i++) {
		if (t->commit->sigs[i].flag != CMT_COMMIT)
			continue;
		CS_TRY(check_place(t, i));
		t->signed_power += t->set->list[i].power;
	}
	CS_TRY(suffices(t));
	t->signed_power = 0;
	return CS_OK;
}

enum cs_err cmt_commit_verify_light(const struct cmt_commit *commit,
				    const struct cmt_validator_set *set,
				    const struct cmt_chain_id *chain_id,
				    const struct cmt_block_id *block_id, int64_t height, bool all,
				    struct cs_why *why)
{
	struct tally t = {commit, set, chain_id, 0, 0, why};
	CS_TRY(check_subject(&t, block_id, height));
	CS_TRY(set_needed(&t, 2, 3));
	CS_TRY(light_power(&t));
	for (size_t i = 0; i < commit->count; i++) {
		if (commit->sigs[i].flag != CMT_COMMIT)
			continue;
		CS_TRY(check_seal(&t, i, &set->list[i]));
		t.signed_power += set->list[i].power;
		if (!all && t.signed_power > t.needed)
			break;
	}
	return suffices(&t);
}

/* As light_power. places: where in the set each voter is, SIZE_MAX for strangers and other
 * votes. */
static enum cs_err trusting_power(struct tally *t, size_t *places)
{
	bool seen[CMT_VALIDATORS_MAX] = {false};
	for (size_t i = 0; i < t->commit->count; i++) {
		const struct cmt_commit_sig *sig = &t->commit->sigs[i];
		places[i] = sig->flag == CMT_COMMIT
				    ? cmt_validator_set_find(t->set, &sig->validator)
				    : SIZE_MAX;
		if (places[i] == SIZE_MAX)
			continue;
		if (seen[places[i]])
			return cs_fail(t->why, CS_ERR_DUPLICATE_SEAL, "vote %zu is a second one",
				       i);
		seen[places[i]] = true;
		t->signed_power += t->set->list[places[i]].power;
	}
	CS_TRY(suffices(t));
	t->signed_power = 0;
	return CS_OK;
}

enum cs_err cmt_commit_verify_trusting(const struct cmt_commit *commit,
				       const struct cmt_validator_set *set,
				       const struct cmt_chain_id *chain_id,
				       struct cmt_fraction level, bool all, struct cs_why *why)
{
	struct tally t = {commit, set, chain_id, 0, 0, why};
	size_t places[CMT_VALIDATORS_MAX];
	cs_assert(commit->count <= CMT_VALIDATORS_MAX);
	CS_TRY(set_needed(&t, level.numerator, level.denominator));
	CS_TRY(trusting_power(&t, places));
	for (size_t i = 0; i < commit->count; i++) {
		if (places[i] == SIZE_MAX)
			continue;
		CS_TRY(check_seal(&t, i, &set->list[places[i]]));
		t.signed_power += set->list[places[i]].power;
		if (!all && t.signed_power > t.needed)
			break;
	}
	return suffices(&t);
}

enum cs_err cmt_extended_commit_verify(const struct cmt_commit *commit,
				       const struct cmt_validator_set *set,
				       const struct cmt_chain_id *chain_id,
				       const struct cmt_block_id *block_id, int64_t height,
				       struct cs_arena *arena, struct cs_why *why)
{
	CS_TRY(cmt_extended_commit_check(commit, true, why));
	CS_TRY(cmt_commit_verify(commit, set, chain_id, block_id, height, why));
	for (size_t i = 0; i < commit->count; i++) {
		if (commit->sigs[i].flag != CMT_COMMIT)
			continue;
		struct cmt_vote vote = cmt_commit_vote(commit, i);
		enum cs_err err = cmt_extension_verify(&vote, chain_id, &set->list[i].key, arena);
		if (err != CS_OK)
			return cs_fail(why, err, "extension %zu of the commit", i);
	}
	return CS_OK;
}
