#include "verify/cometbft/evidence.h"
#include "verify/cometbft/order.h"

#include <string.h>

/* light/verifier.go DefaultTrustLevel. */
static const struct cmt_fraction third = {1, 3};

bool cmt_evidence_is_old(const struct cmt_evidence *evidence, const struct cmt_params *params,
			 int64_t height, struct cs_pb_time now)
{
	struct cs_pb_time then = cmt_evidence_time(evidence);
	int64_t age_s = now.s - then.s, age_ns;
	bool long_ago = age_s > 0;
	/* An age above 292 years is above every bound. */
	if (!__builtin_mul_overflow(age_s, 1000000000ll, &age_ns) &&
	    !__builtin_add_overflow(age_ns, now.ns - then.ns, &age_ns))
		long_ago = age_ns > params->evidence_age_ns;
	return long_ago && height - cmt_evidence_height(evidence) > params->evidence_age_blocks;
}

/* ---- two votes ---- */

enum cs_err cmt_duplicate_vote_make(struct cmt_duplicate_vote *evidence, const struct cmt_vote *one,
				    const struct cmt_vote *other,
				    const struct cmt_validator_set *set, struct cs_pb_time time)
{
	size_t at = cmt_validator_set_find(set, &one->validator);
	if (at == SIZE_MAX)
		return CS_ERR_NOT_FOUND;
	bool in_order = cmt_block_id_cmp(&one->block_id, &other->block_id) < 0;
	*evidence = (struct cmt_duplicate_vote){.a = in_order ? *one : *other,
						.b = in_order ? *other : *one,
						.power_total = set->power,
						.power = set->list[at].power,
						.time = time};
	return CS_OK;
}

enum cs_err cmt_duplicate_vote_verify(const struct cmt_duplicate_vote *e,
				      const struct cmt_chain_id *chain_id,
				      const struct cmt_validator_set *set, struct cs_pb_time time,
				      struct cs_why *why)
{
	size_t at = cmt_validator_set_find(set, &e->a.validator);
	if (at == SIZE_MAX)
		return cs_fail(why, CS_ERR_NOT_FOUND, "no validator of height %lld",
			       (long long)e->a.height);
	if (e->a.height != e->b.height || e->a.round != e->b.round || e->a.type != e->b.type)
		return cs_fail(why, CS_ERR_INVALID, "votes for two places");
	if (!cs_address_eq(&e->a.validator, &e->b.validator))
		return cs_fail(why, CS_ERR_INVALID, "votes of two validators");
	if (cmt_block_id_eq(&e->a.block_id, &e->b.block_id))
		return cs_fail(why, CS_ERR_INVALID, "two votes for one block");
	if (e->power != set->list[at].power || e->power_total != set->power ||
	    cs_pb_time_cmp(e->time, time) != 0)
		return cs_fail(why, CS_ERR_INVALID, "powers or a time that were not so");
	CS_TRY(cmt_vote_verify(&e->a, chain_id, &set->list[at].key));
	return cmt_vote_verify(&e->b, chain_id, &set->list[at].key);
}

/* ---- attacks on light clients ---- */

/* A header that no valid execution gives, seen from the right one. */
static bool is_lunatic(const struct cmt_header *trusted, const struct cmt_header *conflicting)
{
	return !cmt_hash_eq(&trusted->validators_hash, &conflicting->validators_hash) ||
	       !cmt_hash_eq(&trusted->next_validators_hash, &conflicting->next_validators_hash) ||
	       !cmt_hash_eq(&trusted->consensus_hash, &conflicting->consensus_hash) ||
	       !cs_bytes_eq(cmt_header_app_hash(trusted), cmt_header_app_hash(conflicting)) ||
	       !cmt_hash_eq(&trusted->last_results_hash, &conflicting->last_results_hash);
}

static bool guilty_before(const void *context, uint16_t a, uint16_t b)
{
	const struct cmt_validator *list = context;
	return cmt_validator_before(&list[a], &list[b]);
}

struct guilty {
	struct cmt_validator *list;
	size_t count;
};

/* Who signed the conflicting block and, for an equivocation, the trusted one too, whose votes then
 * have the same places. */
static void collect(struct guilty *found, const struct cmt_light_block *conflicting,
		    const struct cmt_commit *trusted, const struct cmt_validator_set *set)
{
	const struct cmt_commit *commit = &conflicting->commit;
	for (size_t i = 0; i < commit->count; i++) {
		if (commit->sigs[i].flag != CMT_COMMIT)
			continue;
		if (trusted != NULL && (i >= trusted->count || trusted->sigs[i].flag != CMT_COMMIT))
			continue;
		size_t at = cmt_validator_set_find(set, &commit->sigs[i].validator);
		if (at != SIZE_MAX)
			found->list[found->count++] = set->list[at];
	}
}

/* types/evidence.go GetByzantineValidators. */
static enum cs_err find_guilty(struct guilty *found, const struct cmt_light_block *conflicting,
			       const struct cmt_header *trusted,
			       const struct cmt_commit *trusted_commit,
			       const struct cmt_validator_set *common, struct cs_arena *arena)
{
	size_t count = conflicting->commit.count;
	struct guilty any = {.list = cs_arena_calloc(arena, count, sizeof *any.list)};
	uint16_t *order = cs_arena_calloc(arena, count, sizeof *order);
	found->list = cs_arena_calloc(arena, count, sizeof *found->list);
	if (any.list == NULL || order == NULL || found->list == NULL)
		return CS_ERR_NO_MEMORY;
	if (is_lunatic(trusted, &conflicting->header))
		collect(&any, conflicting, NULL, common);
	else if (trusted_commit->round == conflicting->commit.round)
		collect(&any, conflicting, trusted_commit, &conflicting->validators);
	for (size_t i = 0; i < any.count; i++)
		order[i] = (uint16_t)i;
	cmt_order(order, any.count, guilty_before, any.list);
	for (size_t i = 0; i < any.count; i++)
		found->list[i] = any.list[order[i]];
	found->count = any.count;
	return CS_OK;
}

enum cs_err cmt_light_attack_make(struct cmt_light_attack *evidence,
				  const struct cmt_light_block *conflicting,
				  const struct cmt_light_block *trusted,
				  const struct cmt_light_block *common, struct cs_arena *arena)
{
	struct guilty found = {.count = 0};
	const struct cmt_light_block *from =
		is_lunatic(&trusted->header, &conflicting->header) ? common : trusted;
	CS_TRY(find_guilty(&found, conflicting, &trusted->header, &trusted->commit,
			   &common->validators, arena));
	*evidence = (struct cmt_light_attack){.conflicting = *conflicting,
					      .common_height = from->header.height,
					      .byzantine = found.list,
					      .byzantine_count = found.count,
					      .power_total = from->validators.power,
					      .time = from->header.time};
	return CS_OK;
}

static enum cs_err compare_guilty(const struct cmt_light_attack *e, const struct guilty *found,
				  struct cs_why *why)
{
	bool same = e->byzantine_count == found->count;
	/* Keys are compared too: an application punishes by the key. Priorities say nothing. */
	for (size_t i = 0; same && i < found->count; i++) {
		const struct cmt_validator *a = &e->byzantine[i], *b = &found->list[i];
		same = cs_address_eq(&a->address, &b->address) && a->power == b->power &&
		       memcmp(a->key.b, b->key.b, sizeof a->key.b) == 0;
	}
	return same ? CS_OK : cs_fail(why, CS_ERR_INVALID, "another list of the guilty");
}

static enum cs_err verify_signatures(const struct cmt_light_attack *e,
				     const struct cmt_header *common,
				     const struct cmt_validator_set *common_set,
				     const struct cmt_header *trusted, struct cs_why *why)
{
	const struct cmt_light_block *block = &e->conflicting;
	if (common->height != block->header.height)
		CS_TRY(cmt_commit_verify_trusting(&block->commit, common_set, &trusted->chain_id,
						  third, true, why));
	else if (is_lunatic(trusted, &block->header))
		return cs_fail(why, CS_ERR_INVALID,
			       "a header of the common height that no execution gives");
	return cmt_commit_verify_light(&block->commit, &block->validators, &trusted->chain_id,
				       &block->commit.block_id, block->header.height, true, why);
}

enum cs_err cmt_light_attack_verify(const struct cmt_light_attack *e,
				    const struct cmt_header *common,
				    const struct cmt_validator_set *common_set,
				    const struct cmt_header *trusted,
				    const struct cmt_commit *trusted_commit, struct cs_arena *arena,
				    struct cs_why *why)
{
	const struct cmt_header *header = &e->conflicting.header;
	struct guilty found = {.count = 0};
	if (common->height != e->common_height || cs_pb_time_cmp(common->time, e->time) != 0)
		return cs_fail(why, CS_ERR_INVALID, "another height or time in common");
	if (e->power_total != common_set->power)
		return cs_fail(why, CS_ERR_INVALID, "a total power that was not so");
	CS_TRY(verify_signatures(e, common, common_set, trusted, why));
	struct cs_hash ours = cmt_header_hash(trusted), theirs = cmt_header_hash(header);
	if (header->height > trusted->height && cs_pb_time_cmp(header->time, trusted->time) > 0)
		return cs_fail(why, CS_ERR_INVALID, "a block that may still come");
	if (cs_hash_eq(&ours, &theirs))
		return cs_fail(why, CS_ERR_INVALID, "the chain's own block");
	size_t mark = cs_arena_mark(arena);
	enum cs_err err =
		find_guilty(&found, &e->conflicting, trusted, trusted_commit, common_set, arena);
	if (err == CS_OK)
		err = compare_guilty(e, &found, why);
	cs_arena_rewind(arena, mark);
	return err;
}
