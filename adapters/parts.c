#include "adapters/parts.h"

#include "core/bytes.h"

struct cut {
	struct adapter_part *parts;
	size_t made;
	size_t count;
	const bool *wanted;
	const bool *alone;
	const uint64_t *cost;
	uint64_t cost_base;
	uint64_t cost_max;
};

/* The block of `size` (a power of two) leaves from first on, cut at the end of the batch. */
static bool whole_block(const struct cut *cut, size_t first, size_t end)
{
	uint64_t cost = cut->cost_base;
	for (size_t i = first; i < end; i++) {
		if (!cut->wanted[i] || (cut->alone[i] && end - first > 1))
			return false;
		if (cut->cost[i] > cut->cost_max - cost)
			return false;
		cost += cut->cost[i];
	}
	return true;
}

size_t adapter_parts(struct adapter_part parts[CS_BATCH_MAX], size_t count, const bool *wanted,
		     const bool *alone, const uint64_t *cost, uint64_t cost_base, uint64_t cost_max)
{
	struct cut cut = {parts, 0, count, wanted, alone, cost, cost_base, cost_max};
	cs_assert(count <= CS_BATCH_MAX && cost_base <= cost_max);
	size_t first = 0;
	while (first < count) {
		/* The largest aligned block that begins here and is wanted as a whole. */
		size_t size = CS_BATCH_MAX;
		while (size > 1) {
			size_t end = first + size < count ? first + size : count;
			if (first % size == 0 && whole_block(&cut, first, end))
				break;
			size /= 2;
		}
		size_t end = first + size < count ? first + size : count;
		if (size > 1 || whole_block(&cut, first, end))
			parts[cut.made++] =
				(struct adapter_part){(uint32_t)first, (uint32_t)(end - first)};
		first = end;
	}
	return cut.made;
}

size_t adapter_part_path(struct cs_hash path[CS_PATH_MAX], const struct cs_hash *leaves,
			 uint32_t total, const struct adapter_part *part)
{
	struct cs_hash blocks[CS_BATCH_MAX];
	uint32_t size = 1;
	size_t made = 0;
	if (part->count == total)
		return 0;
	while (size < part->count)
		size *= 2;
	cs_assert(part->first % size == 0 && part->first + part->count <= total);
	for (uint32_t i = 0; i < total; i += size) {
		uint32_t left = total - i;
		blocks[made++] = wire_root(leaves + i, left < size ? left : size);
	}
	return wire_path(path, blocks, made, part->first / size);
}
