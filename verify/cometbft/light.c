#include "verify/cometbft/light.h"

enum cs_err cmt_light_options_check(const struct cmt_light_options *options, struct cs_why *why)
{
	struct cmt_fraction level = options->trust_level;
	/* numerator ≤ denominator keeps the product in range. */
	if (level.denominator == 0 || level.denominator > UINT32_MAX ||
	    level.numerator > level.denominator || 3 * level.numerator < level.denominator)
		return cs_fail(why, CS_ERR_INVALID, "a trust level of %llu/%llu",
			       (unsigned long long)level.numerator,
			       (unsigned long long)level.denominator);
	if (options->trusting_period_s == 0)
		return cs_fail(why, CS_ERR_INVALID, "no trusting period");
	return CS_OK;
}

/* `time` + `seconds`, at the end of what can be encoded when it is later. */
static struct cs_pb_time later(struct cs_pb_time time, uint64_t seconds)
{
	if (seconds > (uint64_t)(CS_PB_TIME_MAX_S - time.s))
		return (struct cs_pb_time){CS_PB_TIME_MAX_S, CS_PB_TIME_NS_MAX};
	time.s += (int64_t)seconds;
	return time;
}

static struct cs_pb_time seconds(uint64_t s)
{
	return later((struct cs_pb_time){0, 0}, s);
}

static enum cs_err check_fresh(const struct cmt_header *trusted,
			       const struct cmt_light_options *options,
			       const struct verify_time *now, struct cs_why *why)
{
	if (now->high_s == 0)
		return cs_fail(why, CS_ERR_NO_TIME, "nothing bounds the time");
	if (cs_pb_time_cmp(later(trusted->time, options->trusting_period_s),
			   seconds(now->high_s)) <= 0)
		return cs_fail(why, CS_ERR_ANCHOR_TOO_OLD, "the trusted header of height %lld",
			       (long long)trusted->height);
	return CS_OK;
}

static enum cs_err check_header(const struct cmt_header *trusted,
				const struct cmt_header *untrusted,
				const struct cmt_light_options *options,
				const struct verify_time *now, struct cs_why *why)
{
	long long height = untrusted->height;
	if (!cmt_chain_id_eq(&trusted->chain_id, &untrusted->chain_id))
		return cs_fail(why, CS_ERR_WRONG_CHAIN, "header %lld", height);
	if (untrusted->height <= trusted->height)
		return cs_fail(why, CS_ERR_STALE_HEADER, "header %lld, %lld is trusted", height,
			       (long long)trusted->height);
	if (cs_pb_time_cmp(untrusted->time, trusted->time) <= 0)
		return cs_fail(why, CS_ERR_BAD_TIME, "header %lld is not later", height);
	if (cs_pb_time_cmp(untrusted->time, later(seconds(now->high_s), options->drift_max_s)) >= 0)
		return cs_fail(why, CS_ERR_FUTURE_HEADER, "header %lld", height);
	return CS_OK;
}

static enum cs_err check_skip(const struct cmt_trusted *trusted,
			      const struct cmt_light_block *untrusted,
			      const struct cmt_light_options *options, struct cs_why *why)
{
	struct cs_hash hash = cmt_validator_set_hash(trusted->validators);
	struct cmt_hash set = cmt_hash_of(&hash);
	if (!cmt_hash_eq(&set, &trusted->header->validators_hash) &&
	    !cmt_hash_eq(&set, &trusted->header->next_validators_hash))
		return cs_fail(why, CS_ERR_INVALID, "validators that are not the trusted header's");
	enum cs_err err = cmt_commit_verify_trusting(&untrusted->commit, trusted->validators,
						     &trusted->header->chain_id,
						     options->trust_level, false, why);
	return err == CS_ERR_TOO_FEW_SEALS ? CS_ERR_NOT_ENOUGH_TRUST : err;
}

enum cs_err cmt_light_verify(const struct cmt_trusted *trusted,
			     const struct cmt_light_block *untrusted,
			     const struct cmt_light_options *options, const struct verify_time *now,
			     struct cs_why *why)
{
	const struct cmt_header *header = &untrusted->header;
	CS_TRY(cmt_light_options_check(options, why));
	CS_TRY(check_fresh(trusted->header, options, now, why));
	CS_TRY(cmt_header_check_protocol(header, options->block_protocol, why));
	CS_TRY(check_header(trusted->header, header, options, now, why));
	CS_TRY(cmt_light_block_check(untrusted, why));
	if (header->height != trusted->header->height + 1)
		CS_TRY(check_skip(trusted, untrusted, options, why));
	else if (!cmt_hash_eq(&header->validators_hash, &trusted->header->next_validators_hash))
		return cs_fail(why, CS_ERR_BAD_SIGNER_SET, "not the set that header %lld announced",
			       (long long)trusted->header->height);
	return cmt_commit_verify_light(&untrusted->commit, &untrusted->validators,
				       &header->chain_id, &untrusted->commit.block_id,
				       header->height, false, why);
}

int64_t cmt_light_pivot(int64_t trusted_height, int64_t target_height)
{
	if (target_height <= trusted_height || target_height - trusted_height < 2)
		return 0;
	return trusted_height + (target_height - trusted_height) / 2;
}

enum cs_err cmt_light_verify_parent(const struct cmt_header *trusted,
				    const struct cmt_header *parent, struct cs_why *why)
{
	CS_TRY(cmt_header_check(parent, why));
	struct cs_hash hash = cmt_header_hash(parent);
	struct cmt_hash expected = cmt_hash_of(&hash);
	if (!cmt_chain_id_eq(&trusted->chain_id, &parent->chain_id))
		return cs_fail(why, CS_ERR_WRONG_CHAIN, "header %lld", (long long)parent->height);
	if (cs_pb_time_cmp(parent->time, trusted->time) >= 0)
		return cs_fail(why, CS_ERR_BAD_TIME, "header %lld is not earlier",
			       (long long)parent->height);
	if (parent->height != trusted->height - 1 ||
	    !cmt_hash_eq(&trusted->last_block_id.hash, &expected))
		return cs_fail(why, CS_ERR_UNLINKED, "header %lld", (long long)parent->height);
	return CS_OK;
}

/* ---- attacks ---- */

static bool same(const struct cmt_light_block *a, const struct cmt_light_block *b)
{
	struct cs_hash x = cmt_header_hash(&a->header), y = cmt_header_hash(&b->header);
	return cs_hash_eq(&x, &y);
}

static enum cs_err step(const struct cmt_light_block *from, const struct cmt_light_block *to,
			const struct cmt_light_options *options, const struct verify_time *now,
			struct cs_why *why)
{
	struct cmt_trusted trusted = {&from->header, &from->validators};
	return cmt_light_verify(&trusted, to, options, now, why);
}

/* The steps from `at` up to `height`, each verified; *at stands at the last one. */
static enum cs_err climb(const struct cmt_light_block *trace, size_t count, size_t *at,
			 int64_t height, const struct cmt_light_options *options,
			 const struct verify_time *now, struct cs_why *why)
{
	while (*at + 1 < count && trace[*at + 1].header.height <= height) {
		CS_TRY(step(&trace[*at], &trace[*at + 1], options, now, why));
		(*at)++;
	}
	return CS_OK;
}

enum cs_err cmt_light_diverge(struct cmt_divergence *out, const struct cmt_light_block *first,
			      size_t first_count, const struct cmt_light_block *second,
			      size_t second_count, const struct cmt_light_options *options,
			      const struct verify_time *now, struct cs_why *why)
{
	size_t at = 0;
	if (first_count == 0 || second_count == 0 || !same(&first[0], &second[0]))
		return cs_fail(why, CS_ERR_UNLINKED, "traces that do not begin with one block");
	const struct cmt_light_block *common = &second[0];
	for (size_t i = 1; i < first_count; i++) {
		int64_t height = first[i].header.height;
		CS_TRY(step(&first[i - 1], &first[i], options, now, why));
		CS_TRY(climb(second, second_count, &at, height, options, now, why));
		const struct cmt_light_block *there = &second[at];
		if (there->header.height != height) {
			/* A block far ahead whose time the other chain has passed already. */
			if (cs_pb_time_cmp(first[i].header.time, there->header.time) > 0)
				return cs_fail(why, CS_ERR_NOT_FOUND,
					       "no block of height %lld to compare",
					       (long long)height);
			*out = (struct cmt_divergence){common, &first[i], there};
			return CS_OK;
		}
		if (!same(&first[i], there)) {
			*out = (struct cmt_divergence){common, &first[i], there};
			return CS_OK;
		}
		common = there;
	}
	return cs_fail(why, CS_ERR_NOT_FOUND, "the traces do not part");
}
