#include "core/pb.h"
#include "relay_state/ledger/page.h"
#include "relay_state/ledger/tree.h"

#include <string.h>

/*~ A walk stands at a place of a page, with the pages above it; the next place that is not empty, on
 * either side, is found by going up until there is one and down along its edge. */

struct step {
	struct ledger_page page;
	struct ledger_page_node nodes[LEDGER_PAGE_NODES];
};

struct walk {
	const struct ledger_db *db;
	uint64_t version;
	struct cs_arena *arena;
	const struct step *steps[LEDGER_PATH_MAX];
	unsigned places[LEDGER_PATH_MAX];
	unsigned count;
	struct cs_hash path; /* the nibbles down to the last page */
};

static const struct ledger_place *place_of(const struct walk *w)
{
	return &w->steps[w->count - 1]->page.places[w->places[w->count - 1]];
}

static void set_nibble(struct cs_hash *path, unsigned index, unsigned nibble)
{
	uint8_t *byte = &path->b[index / 2];
	*byte = index % 2 == 0 ? (uint8_t)((*byte & 0x0f) | nibble << 4)
			       : (uint8_t)((*byte & 0xf0) | nibble);
}

/* Into the page of the place where the walk stands, or the root's. */
static enum cs_err enter(struct walk *w)
{
	struct step *step = cs_arena_alloc(w->arena, sizeof *step);
	struct cs_bytes bytes;
	if (step == NULL)
		return CS_ERR_NO_MEMORY;
	if (w->count > 0)
		set_nibble(&w->path, w->count - 1, w->places[w->count - 1]);
	CS_TRY(ledger_page_read(&step->page, step->nodes, &bytes, w->db, w->version, &w->path,
				w->count, w->count > 0 ? &place_of(w)->hash : NULL, w->arena));
	w->steps[w->count] = step;
	w->places[w->count++] = 0;
	return CS_OK;
}

/* The place where the leaf of the path is or would be. */
static enum cs_err go_to(struct walk *w, const struct cs_hash *path)
{
	do {
		CS_TRY(enter(w));
		w->places[w->count - 1] = ledger_nibble(path, w->count - 1);
	} while (place_of(w)->kind == LEDGER_PAGE);
	return CS_OK;
}

/* The place itself or the nearest one on this side, within the page, that is not empty. */
static bool seek(struct walk *w, unsigned from, bool right)
{
	const struct ledger_page *page = &w->steps[w->count - 1]->page;
	for (unsigned i = from; i < LEDGER_PLACES; right ? i++ : i--) {
		if (page->places[i].kind == LEDGER_EMPTY)
			continue;
		w->places[w->count - 1] = i;
		return true;
	}
	return false;
}

/* The nearest leaf on this side; *found false: there is none. */
static enum cs_err go_beside(struct walk *w, bool right, bool *found)
{
	/* Left of the first place is none: the count wraps above LEDGER_PLACES. */
	while (!seek(w, right ? w->places[w->count - 1] + 1 : w->places[w->count - 1] - 1, right)) {
		if (--w->count == 0) {
			*found = false;
			return CS_OK;
		}
	}
	while (place_of(w)->kind == LEDGER_PAGE) {
		CS_TRY(enter(w));
		if (!seek(w, right ? 0 : LEDGER_PLACES - 1, right))
			return CS_ERR_DAMAGED;
	}
	*found = true;
	return CS_OK;
}

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
static void put_steps(struct cs_buf *buf, const struct walk *w)
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
				 const struct walk *w)
{
	const struct ledger_place *leaf = place_of(w);
	struct cs_bytes bytes;
	enum cs_err err =
		w->db->get(w->db->context, &bytes, LEDGER_VALUES, leaf->key, w->version, w->arena);
	if (err == CS_ERR_NOT_FOUND)
		return CS_ERR_DAMAGED;
	CS_TRY(err);
	struct cs_hash hash = cs_sha256(bytes);
	if (!cs_hash_eq(&hash, &leaf->hash))
		return CS_ERR_DAMAGED;
	size_t existence = cs_pb_begin(buf, field);
	cs_pb_put_bytes(buf, 1, leaf->key);
	cs_pb_put_bytes(buf, 2, bytes);
	put_leaf_op(buf);
	put_steps(buf, w);
	cs_pb_end(buf, existence);
	*value = bytes;
	return CS_OK;
}

static enum cs_err put_neighbour(struct cs_buf *buf, const struct walk *w,
				 const struct cs_hash *path, bool right)
{
	struct walk beside = *w;
	struct cs_bytes value;
	const struct ledger_place *leaf = place_of(w);
	/* What stands in the key's own place is a neighbour on one of the sides. */
	bool found = leaf->kind == LEDGER_LEAF &&
		     (memcmp(leaf->path.b, path->b, sizeof path->b) > 0) == right;
	if (!found)
		CS_TRY(go_beside(&beside, right, &found));
	return found ? put_existence(buf, right ? 3 : 2, &value, &beside) : CS_OK;
}

static enum cs_err put_absence(struct cs_buf *buf, const struct walk *w, struct cs_bytes key,
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
	struct walk *walk = cs_arena_calloc(arena, 1, sizeof *walk);
	const struct cs_hash path = cs_sha256(key);
	struct cs_bytes found = CS_BYTES_NONE;
	if (walk == NULL)
		return CS_ERR_NO_MEMORY;
	*walk = (struct walk){.db = db, .version = version, .arena = arena};
	CS_TRY(go_to(walk, &path));
	const struct ledger_place *place = place_of(walk);
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
