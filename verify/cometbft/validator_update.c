#include "verify/cometbft/validator_state.h"

#include <string.h>

/* Sums of powers before they are known to fit. */
__extension__ typedef __int128 wide;

/* What changes do to a set before anything is changed. */
struct outcome {
	struct cmt_validator_set changes; /* power 0 removes */
	struct cmt_validator *next;       /* the new list, in no order yet */
	size_t count;
	wide power;   /* of next */
	wide removed; /* of those who go */
};

static enum cs_err take_changes(struct outcome *o, const struct cmt_validator *changes,
				size_t count, struct cs_arena *arena, struct cs_why *why)
{
	CS_TRY(cmt_validator_set_init(&o->changes, arena, count));
	o->changes.count = count;
	for (size_t i = 0; i < count; i++) {
		if (changes[i].power < 0)
			return cs_fail(why, CS_ERR_INVALID, "change %zu to a power below 0", i);
		if (changes[i].power > CMT_POWER_MAX)
			return cs_fail(why, CS_ERR_OVERFLOW, "change %zu to a power above all", i);
		o->changes.list[i] = cmt_validator_of(&changes[i].key, changes[i].power);
	}
	if (cmt_validator_index(&o->changes) != CS_OK)
		return cs_fail(why, CS_ERR_DUPLICATE, "two changes of one validator");
	return CS_OK;
}

static void keep_or_change(struct outcome *o, const struct cmt_validator_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		struct cmt_validator v = set->list[i];
		size_t at = cmt_validator_set_find(&o->changes, &v.address);
		if (at != SIZE_MAX && o->changes.list[at].power == 0) {
			o->removed += v.power;
			continue;
		}
		if (at != SIZE_MAX)
			v.power = o->changes.list[at].power;
		o->power += v.power;
		o->next[o->count++] = v;
	}
}

/* Their priority is set when the total is known. */
static enum cs_err add_new(struct outcome *o, const struct cmt_validator_set *set,
			   struct cs_why *why)
{
	for (size_t i = 0; i < o->changes.count; i++) {
		const struct cmt_validator *v = &o->changes.list[i];
		if (cmt_validator_set_find(set, &v->address) != SIZE_MAX)
			continue;
		if (v->power == 0)
			return cs_fail(why, CS_ERR_NOT_FOUND, "change %zu removes a stranger", i);
		o->power += v->power;
		o->next[o->count++] = *v;
	}
	return CS_OK;
}

static bool list_before(const void *context, uint16_t a, uint16_t b)
{
	const struct cmt_validator *list = context;
	return cmt_validator_before(&list[a], &list[b]);
}

static void apply(struct cmt_validator_set *set, const struct outcome *o, uint16_t *order)
{
	set->count = o->count;
	set->power = (int64_t)o->power;
	memcpy(set->list, o->next, o->count * sizeof *o->next);
	cmt_validator_rescale(set, CMT_PRIORITY_WINDOW * set->power);
	cmt_validator_centre(set);
	memcpy(o->next, set->list, o->count * sizeof *o->next);
	for (size_t i = 0; i < o->count; i++)
		order[i] = (uint16_t)i;
	cmt_order(order, o->count, list_before, o->next);
	for (size_t i = 0; i < o->count; i++)
		set->list[i] = o->next[order[i]];
	/* Addresses are distinct: changes were, and who comes was not there. */
	cs_assert(cmt_validator_index(set) == CS_OK);
}

static enum cs_err update(struct cmt_validator_set *set, const struct cmt_validator *changes,
			  size_t count, struct cs_arena *arena, struct cs_why *why)
{
	struct outcome o = {.count = 0};
	CS_TRY(take_changes(&o, changes, count, arena, why));
	o.next = cs_arena_calloc(arena, set->count + count, sizeof *o.next);
	uint16_t *order = cs_arena_calloc(arena, set->count + count, sizeof *order);
	if (o.next == NULL || order == NULL)
		return CS_ERR_NO_MEMORY;
	keep_or_change(&o, set);
	size_t kept = o.count;
	CS_TRY(add_new(&o, set, why));
	if (o.count == 0)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "nobody would be left");
	if (o.power > CMT_POWER_MAX)
		return cs_fail(why, CS_ERR_OVERFLOW, "the total voting power");
	if (o.count > set->count_max)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%zu validators", o.count);
	int64_t before_removals = (int64_t)(o.power + o.removed);
	for (size_t i = kept; i < o.count; i++)
		o.next[i].priority = -(before_removals + (before_removals >> 3));
	apply(set, &o, order);
	return CS_OK;
}

enum cs_err cmt_validator_set_update(struct cmt_validator_set *set,
				     const struct cmt_validator *changes, size_t count,
				     struct cs_arena *arena, struct cs_why *why)
{
	if (count == 0)
		return CS_OK;
	if (count > CMT_VALIDATORS_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%zu changes", count);
	size_t mark = cs_arena_mark(arena);
	enum cs_err err = update(set, changes, count, arena, why);
	cs_arena_rewind(arena, mark);
	return err;
}
