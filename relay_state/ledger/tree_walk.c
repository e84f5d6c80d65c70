#include "relay_state/ledger/tree_walk.h"

#include <string.h>

/*~ A walk stands at a place of a page, with the pages above it; the next place that is not empty, on
 * either side, is found by going up until there is one and down along its edge. */

void ledger_walk_init(struct ledger_walk *walk, const struct ledger_db *db, uint64_t version,
		      struct cs_arena *arena)
{
	*walk = (struct ledger_walk){.db = db, .version = version, .arena = arena};
}

const struct ledger_place *ledger_walk_place(const struct ledger_walk *w)
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
static enum cs_err enter(struct ledger_walk *w)
{
	const size_t mark = cs_arena_mark(w->arena);
	struct ledger_walk_step *step = cs_arena_alloc(w->arena, sizeof *step);
	struct cs_bytes bytes;
	if (step == NULL)
		return CS_ERR_NO_MEMORY;
	step->mark = mark;
	if (w->count > 0)
		set_nibble(&w->path, w->count - 1, w->places[w->count - 1]);
	struct ledger_page_id id = {.version = w->version, .path = w->path, .depth = w->count};
	if (w->count > 0)
		id.hash = ledger_walk_place(w)->hash;
	CS_TRY(ledger_page_read(&step->page, step->nodes, &bytes, w->db, &id, w->arena));
	w->steps[w->count] = step;
	w->places[w->count++] = 0;
	return CS_OK;
}

/* The place where the leaf of the path is or would be. */
enum cs_err ledger_walk_to(struct ledger_walk *w, const struct cs_hash *path)
{
	do {
		CS_TRY(enter(w));
		w->places[w->count - 1] = ledger_nibble(path, w->count - 1);
	} while (ledger_walk_place(w)->kind == LEDGER_PAGE);
	return CS_OK;
}

/* The place itself or the nearest one on this side, within the page, that is not empty. */
static bool seek(struct ledger_walk *w, unsigned from, bool right)
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
enum cs_err ledger_walk_beside(struct ledger_walk *w, bool right, bool *found)
{
	/* Left of the first place is none: the count wraps above LEDGER_PLACES. */
	while (!seek(w, right ? w->places[w->count - 1] + 1 : w->places[w->count - 1] - 1, right)) {
		w->count--;
		if (w->gives_back)
			cs_arena_rewind(w->arena, w->steps[w->count]->mark);
		if (w->count == 0) {
			*found = false;
			return CS_OK;
		}
	}
	while (ledger_walk_place(w)->kind == LEDGER_PAGE) {
		CS_TRY(enter(w));
		if (!seek(w, right ? 0 : LEDGER_PLACES - 1, right))
			return CS_ERR_DAMAGED;
	}
	*found = true;
	return CS_OK;
}

enum cs_err ledger_walk_value(const struct ledger_walk *w, struct cs_bytes *value)
{
	const struct ledger_place *leaf = ledger_walk_place(w);
	struct cs_bytes bytes;
	enum cs_err err =
		w->db->get(w->db->context, &bytes, LEDGER_VALUES, leaf->key, w->version, w->arena);
	if (err == CS_ERR_NOT_FOUND)
		return CS_ERR_DAMAGED;
	CS_TRY(err);
	struct cs_hash hash = cs_sha256(bytes);
	if (!cs_hash_eq(&hash, &leaf->hash))
		return CS_ERR_DAMAGED;
	*value = bytes;
	return CS_OK;
}
