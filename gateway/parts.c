#include "gateway/gateway.h"

#include <string.h>

void gateway_leaves(struct cs_hash leaves[CS_BATCH_MAX], const struct gateway_statement *statement)
{
	for (uint32_t i = 0; i < statement->count; i++) {
		if (statement->statement.kind == WIRE_KIND_OUTCOME)
			leaves[i] = wire_leaf_outcome(&statement->ids[i],
						      (enum wire_status)statement->statuses[i]);
		else if (statement->statement.kind == WIRE_KIND_ROTATION)
			leaves[i] = wire_leaf_rotation(statement->statement.epoch + 1,
						       &statement->ids[i]);
		else
			leaves[i] = wire_leaf_message(&statement->ids[i]);
	}
}

enum cs_err gateway_statement_check(const struct gateway_statement *statement)
{
	struct cs_hash leaves[CS_BATCH_MAX];
	if (statement->count == 0 || statement->count > CS_BATCH_MAX)
		return CS_ERR_INVALID;
	gateway_leaves(leaves, statement);
	struct cs_hash root = wire_root(leaves, statement->count);
	return cs_hash_eq(&root, &statement->statement.root) ? CS_OK : CS_ERR_INVALID;
}

struct cut {
	struct gateway_part *parts;
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

size_t gateway_parts(struct gateway_part parts[CS_BATCH_MAX], size_t count, const bool *wanted,
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
				(struct gateway_part){(uint32_t)first, (uint32_t)(end - first)};
		first = end;
	}
	return cut.made;
}

void gateway_part_signed(struct wire_signed *out, const struct gateway_statement *statement,
			 uint32_t first, uint32_t count)
{
	struct cs_hash leaves[CS_BATCH_MAX];
	struct cs_hash blocks[CS_BATCH_MAX];
	gateway_leaves(leaves, statement);
	memset(out, 0, sizeof(*out));
	out->statement = statement->statement;
	out->signature = statement->signature;
	if (count == statement->count)
		return;
	uint32_t size = 1;
	while (size < count)
		size *= 2;
	cs_assert(first % size == 0 && first + count <= statement->count);
	size_t made = 0;
	for (uint32_t i = 0; i < statement->count; i += size) {
		uint32_t left = statement->count - i;
		blocks[made++] = wire_root(leaves + i, left < size ? left : size);
	}
	out->path_count = wire_path(out->path, blocks, made, first / size);
}
