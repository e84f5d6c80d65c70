#include "enclave/oracle/aggregate.h"

#include <string.h>

#define MILLION 1000000u
#define WORD 32u

__extension__ typedef unsigned __int128 wide;

static bool is_answer(const struct aggregate_input *input)
{
	return input->code == WIRE_ORACLE_OK;
}

/* The smallest of those that are refunded, or of the others; DISAGREEMENT where there is none. */
static enum wire_oracle_code smallest_error(const struct wire_spec *spec,
					    const struct aggregate_input *inputs, bool refunded)
{
	enum wire_oracle_code code = WIRE_ORACLE_DISAGREEMENT;
	for (size_t i = 0; i < spec->source_count; i++) {
		if (!is_answer(&inputs[i]) && inputs[i].code < code &&
		    wire_oracle_code_is_refunded(inputs[i].code) == refunded)
			code = inputs[i].code;
	}
	return code;
}

/* ---- equal ---- */

/* At least k of the sources, which is more than half of them: no two groups are that large. */
static enum wire_oracle_code equal(struct cs_bytes *value, uint32_t *used,
				   const struct wire_spec *spec,
				   const struct aggregate_input *inputs)
{
	for (size_t i = 0; i < spec->source_count; i++) {
		uint32_t group = 0;
		if (!is_answer(&inputs[i]))
			continue;
		for (size_t j = 0; j < spec->source_count; j++) {
			if (is_answer(&inputs[j]) && cs_bytes_eq(inputs[j].value, inputs[i].value))
				group |= UINT32_C(1) << j;
		}
		if (__builtin_popcount(group) < spec->k)
			continue;
		*value = inputs[i].value;
		*used = group;
		return WIRE_ORACLE_OK;
	}
	return WIRE_ORACLE_DISAGREEMENT;
}

/* ---- median ---- */

struct vote {
	struct cs_int256 number;
	struct cs_bytes value;
};

static struct cs_int256 number_of(const struct wire_spec *spec, struct cs_bytes value)
{
	struct cs_hash word;
	cs_assert(value.n == WORD);
	memcpy(word.b, value.p, WORD);
	if (spec->type.kind == WIRE_TYPE_INT256)
		return cs_int256_from_word(&word);
	return (struct cs_int256){false, cs_u256_from_word(&word)};
}

static void insert(struct vote *votes, size_t count, struct vote vote)
{
	size_t i = count;
	for (; i > 0 && cs_int256_cmp(&vote.number, &votes[i - 1].number) < 0; i--)
		votes[i] = votes[i - 1];
	votes[i] = vote;
}

/* Five limbs: nothing overflows. */
static void scale(uint64_t out[5], const struct cs_u256 *value, uint32_t by)
{
	wide carry = 0;
	for (size_t i = 0; i < 4; i++) {
		carry += (wide)value->limb[i] * by;
		out[i] = (uint64_t)carry;
		carry >>= 64;
	}
	out[4] = (uint64_t)carry;
}

/* (largest - smallest) / |median| is above spread_ppm millionths; any difference is above a
 * median of 0. */
static bool is_too_wide(const struct wire_spec *spec, const struct vote *votes, size_t count,
			const struct cs_int256 *median)
{
	struct cs_u256 distance;
	uint64_t is[5], may[5];
	/* Both are of one type, so that it fits. */
	cs_assert(cs_int256_distance(&distance, &votes[0].number, &votes[count - 1].number) ==
		  CS_OK);
	scale(is, &distance, MILLION);
	scale(may, &median->magnitude, spec->spread_ppm);
	for (size_t i = 5; i-- > 0;) {
		if (is[i] != may[i])
			return is[i] > may[i];
	}
	return false;
}

static enum wire_oracle_code median(struct cs_bytes *value, uint32_t *used,
				    const struct wire_spec *spec,
				    const struct aggregate_input *inputs)
{
	struct vote votes[WIRE_SOURCES_MAX];
	uint32_t group = 0;
	size_t count = 0;
	for (size_t i = 0; i < spec->source_count; i++) {
		if (!is_answer(&inputs[i]))
			continue;
		struct vote vote = {number_of(spec, inputs[i].value), inputs[i].value};
		insert(votes, count++, vote);
		group |= UINT32_C(1) << i;
	}
	const struct vote *middle = &votes[(count - 1) / 2];
	if (spec->spread_bounded && is_too_wide(spec, votes, count, &middle->number))
		return WIRE_ORACLE_DISAGREEMENT;
	*value = middle->value;
	*used = group;
	return WIRE_ORACLE_OK;
}

static enum wire_oracle_code combine(struct cs_bytes *value, uint32_t *used,
				     const struct wire_spec *spec,
				     const struct aggregate_input *inputs)
{
	switch (spec->aggregate) {
	case WIRE_AGGREGATE_EQUAL:
		return equal(value, used, spec, inputs);
	case WIRE_AGGREGATE_MEDIAN:
		return median(value, used, spec, inputs);
	}
	cs_bug("not an aggregate", __FILE__, __LINE__);
}

static size_t answer_count(const struct wire_spec *spec, const struct aggregate_input *inputs)
{
	size_t count = 0;
	for (size_t i = 0; i < spec->source_count; i++)
		count += is_answer(&inputs[i]);
	return count;
}

enum wire_oracle_code aggregate_value(struct cs_bytes *value, uint32_t *used,
				      const struct wire_spec *spec,
				      const struct aggregate_input *inputs)
{
	const bool enough = answer_count(spec, inputs) >= spec->k;
	if (enough && combine(value, used, spec, inputs) == WIRE_ORACLE_OK)
		return WIRE_ORACLE_OK;
	const enum wire_oracle_code refunded = smallest_error(spec, inputs, true);
	if (refunded != WIRE_ORACLE_DISAGREEMENT || enough)
		return refunded;
	return smallest_error(spec, inputs, false);
}

bool aggregate_is_enough(const struct wire_spec *spec, const struct aggregate_input *inputs)
{
	struct cs_bytes value;
	uint32_t used;
	return 2 * answer_count(spec, inputs) > spec->source_count &&
	       aggregate_value(&value, &used, spec, inputs) == WIRE_ORACLE_OK;
}
