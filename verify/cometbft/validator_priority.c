#include "verify/cometbft/validator_state.h"

#include <string.h>

/* A sum of up to CMT_VALIDATORS_MAX priorities. */
__extension__ typedef __int128 wide;

static int64_t clip(wide value)
{
	if (value > INT64_MAX)
		return INT64_MAX;
	return value < INT64_MIN ? INT64_MIN : (int64_t)value;
}

void cmt_validator_rescale(struct cmt_validator_set *set, int64_t window)
{
	int64_t high = INT64_MIN, low = INT64_MAX;
	if (window < 1)
		return;
	for (size_t i = 0; i < set->count; i++) {
		int64_t priority = set->list[i].priority;
		high = priority > high ? priority : high;
		low = priority < low ? priority : low;
	}
	/* Go's arithmetic wraps, and so the difference of a set whose priorities came from
	 * elsewhere and are further apart than 2^63 must: ratio is then what Go computes too. */
	uint64_t wrapped = (uint64_t)high - (uint64_t)low;
	int64_t diff = (int64_t)(wrapped > INT64_MAX ? 0 - wrapped : wrapped);
	if (diff <= window)
		return;
	int64_t ratio = (int64_t)((uint64_t)diff + (uint64_t)window - 1) / window;
	/* Wrapped or not, it is neither 0 nor -1: window is at most 2^61. */
	for (size_t i = 0; i < set->count; i++)
		set->list[i].priority /= ratio;
}

/* Rounded down, as big.Int's Div by a number above 0; part by part, since a division of 128 bits is a
 * call into the compiler's library. */
static int64_t mean(const struct cmt_validator_set *set)
{
	int64_t count = (int64_t)set->count, rests = 0;
	wide whole = 0;
	for (size_t i = 0; i < set->count; i++) {
		int64_t part = set->list[i].priority / count, rest = set->list[i].priority % count;
		whole += rest < 0 ? part - 1 : part;
		rests += rest < 0 ? rest + count : rest;
	}
	return (int64_t)(whole + rests / count);
}

void cmt_validator_centre(struct cmt_validator_set *set)
{
	wide middle = mean(set);
	for (size_t i = 0; i < set->count; i++)
		set->list[i].priority = clip((wide)set->list[i].priority - middle);
}

/* Higher priority; of two equal ones the lower address. */
static bool comes_first(const struct cmt_validator *a, const struct cmt_validator *b)
{
	if (a->priority != b->priority)
		return a->priority > b->priority;
	return memcmp(a->address.b, b->address.b, sizeof a->address.b) < 0;
}

static struct cmt_validator *first(const struct cmt_validator_set *set)
{
	struct cmt_validator *found = &set->list[0];
	for (size_t i = 1; i < set->count; i++)
		if (comes_first(&set->list[i], found))
			found = &set->list[i];
	return found;
}

void cmt_validator_set_increment(struct cmt_validator_set *set, uint32_t times)
{
	struct cmt_validator *chosen = NULL;
	cs_assert(set->count > 0 && times > 0);
	cmt_validator_rescale(set, CMT_PRIORITY_WINDOW * set->power);
	cmt_validator_centre(set);
	for (uint32_t turn = 0; turn < times; turn++) {
		for (size_t i = 0; i < set->count; i++)
			set->list[i].priority =
				clip((wide)set->list[i].priority + set->list[i].power);
		chosen = first(set);
		chosen->priority = clip((wide)chosen->priority - set->power);
	}
	set->proposer = *chosen;
	set->has_proposer = true;
}

const struct cmt_validator *cmt_validator_set_proposer(const struct cmt_validator_set *set)
{
	cs_assert(set->count > 0);
	return set->has_proposer ? &set->proposer : first(set);
}

void cmt_validator_set_guess_proposer(struct cmt_validator_set *set)
{
	cs_assert(set->count > 0);
	const struct cmt_validator *last = &set->list[0];
	for (size_t i = 1; i < set->count; i++)
		if (comes_first(last, &set->list[i]))
			last = &set->list[i];
	set->proposer = *last;
	set->has_proposer = true;
}
