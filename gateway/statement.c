/* The leaves of a statement row, and the parts of it that go into a call. */
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

void gateway_part_signed(struct wire_signed *out, const struct gateway_statement *statement,
			 uint32_t first, uint32_t count)
{
	struct cs_hash leaves[CS_BATCH_MAX];
	gateway_leaves(leaves, statement);
	memset(out, 0, sizeof(*out));
	out->statement = statement->statement;
	out->signature = statement->signature;
	out->path_count = adapter_part_path(out->path, leaves, statement->count,
					    &(struct adapter_part){first, count});
}
