/* A signed batch in aligned parts: which of its leaves go into one call together, and the path that
 * leads from them to the root that was signed. PURE: it never knows what a leaf stands for. */
#ifndef ADAPTERS_PARTS_H
#define ADAPTERS_PARTS_H

#include "core/limits.h"
#include "wire/envelope.h"

struct adapter_part {
	uint32_t first;
	uint32_t count;
};
/* The fewest aligned parts that hold exactly the wanted leaves, each of cost at most cost_max; a
 * leaf that is marked alone is a part of its own, and one that costs too much by itself is left
 * out. Returns how many. */
size_t adapter_parts(struct adapter_part parts[CS_BATCH_MAX], size_t count, const bool *wanted,
		     const bool *alone, const uint64_t *cost, uint64_t cost_base,
		     uint64_t cost_max);
/* Of the part's leaves up to the root of all; returns how many siblings. The part is one that
 * adapter_parts makes, or the whole. */
size_t adapter_part_path(struct cs_hash path[CS_PATH_MAX], const struct cs_hash *leaves,
			 uint32_t total, const struct adapter_part *part);

#endif
