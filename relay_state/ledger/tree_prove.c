#include "core/pb.h"
#include "relay_state/ledger/tree.h"
#include "relay_state/ledger/tree_walk.h"

#include <string.h>

/* ---- protobuf: cosmos/ics23 proto/cosmos/ics23/v1/proofs.proto ---- */

#define SHA256 1u /* HashOp; LengthOp NO_PREFIX is 0 */
#define PROOF_EXIST 1u
#define PROOF_NONEXIST 2u

static void put_leaf_op(struct cs_buf *buf)
{
	static const uint8_t prefix[] = {0};
	size_t leaf = cs_pb_begin(buf, 3);
	cs_pb_put_uint(buf, 1, SHA256);
	cs_pb_put_uint(buf, 2, SHA256);
	cs_pb_put_uint(buf, 3, SHA256);
	cs_pb_put_bytes(buf, 5, CS_BYTES_OF(prefix));
	cs_pb_end(buf, leaf);
}

static void put_inner_op(struct cs_buf *buf, const struct cs_hash *sibling, bool is_right)
{
	uint8_t prefix[1 + sizeof sibling->b] = {1};
	size_t inner = cs_pb_begin(buf, 4);
	cs_pb_put_uint(buf, 1, SHA256);
	memcpy(prefix + 1, sibling->b, sizeof sibling->b);
	cs_pb_put_bytes(buf, 2, cs_bytes(prefix, is_right ? sizeof prefix : 1));
	if (!is_right)
		cs_pb_put_bytes(buf, 3, CS_BYTES_OF(sibling->b));
	cs_pb_end(buf, inner);
}

/* From the leaf up; a node that is no inner one is the leaf itself. */
static void put_steps(struct cs_buf *buf, const struct ledger_walk *w)
{
	for (unsigned i = w->count; i-- > 0;) {
		const struct ledger_page_node *nodes = w->steps[i]->nodes;
		for (size_t k = LEDGER_PLACES + w->places[i]; k > 1; k /= 2) {
			if (nodes[k / 2].kind == LEDGER_PAGE)
				put_inner_op(buf, &nodes[k ^ 1].hash, k % 2 == 1);
		}
	}
}

/* Where the walk stands, with its value. */
static enum cs_err put_existence(struct cs_buf *buf, uint32_t field, struct cs_bytes *value,
				 const struct ledger_walk *w)
{
	const struct ledger_place *leaf = ledger_walk_place(w);
	struct cs_bytes bytes;
	CS_TRY(ledger_walk_value(w, &bytes));
	size_t existence = cs_pb_begin(buf, field);
	cs_pb_put_bytes(buf, 1, leaf->key);
	cs_pb_put_bytes(buf, 2, bytes);
	put_leaf_op(buf);
	put_steps(buf, w);
	cs_pb_end(buf, existence);
	*value = bytes;
	return CS_OK;
}

static enum cs_err put_neighbour(struct cs_buf *buf, const struct ledger_walk *w,
				 const struct cs_hash *path, bool right)
{
	struct ledger_walk beside = *w;
	struct cs_bytes value;
	const struct ledger_place *leaf = ledger_walk_place(w);
	/* What stands in the key's own place is a neighbour on one of the sides. */
	bool found = leaf->kind == LEDGER_LEAF &&
		     (memcmp(leaf->path.b, path->b, sizeof path->b) > 0) == right;
	if (!found)
		CS_TRY(ledger_walk_beside(&beside, right, &found));
	return found ? put_existence(buf, right ? 3 : 2, &value, &beside) : CS_OK;
}

static enum cs_err put_absence(struct cs_buf *buf, const struct ledger_walk *w, struct cs_bytes key,
			       const struct cs_hash *path)
{
	size_t absence = cs_pb_begin(buf, PROOF_NONEXIST);
	cs_pb_put_bytes(buf, 1, key);
	CS_TRY(put_neighbour(buf, w, path, false));
	CS_TRY(put_neighbour(buf, w, path, true));
	cs_pb_end(buf, absence);
	return CS_OK;
}

enum cs_err ledger_tree_prove(struct cs_buf *proof, struct cs_bytes *value, bool *exists,
			      const struct ledger_db *db, uint64_t version, struct cs_bytes key,
			      struct cs_arena *arena)
{
	struct ledger_walk *walk = cs_arena_calloc(arena, 1, sizeof *walk);
	const struct cs_hash path = cs_sha256(key);
	struct cs_bytes found = CS_BYTES_NONE;
	if (walk == NULL)
		return CS_ERR_NO_MEMORY;
	ledger_walk_init(walk, db, version, arena);
	CS_TRY(ledger_walk_to(walk, &path));
	const struct ledger_place *place = ledger_walk_place(walk);
	const bool is_there = place->kind == LEDGER_LEAF && cs_hash_eq(&place->path, &path);
	if (walk->count == 1 && walk->steps[0]->nodes[1].kind == LEDGER_EMPTY)
		return CS_ERR_NOT_FOUND;
	if (is_there)
		CS_TRY(put_existence(proof, PROOF_EXIST, &found, walk));
	else
		CS_TRY(put_absence(proof, walk, key, &path));
	CS_TRY(cs_buf_end(proof));
	*value = found;
	*exists = is_there;
	return CS_OK;
}
