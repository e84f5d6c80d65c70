#include "relay_state/ledger/tree.h"

#include "relay_state/ledger/page.h"

#include <stdlib.h>
#include <string.h>

/* A changed value, by its place in the tree. */
struct item {
	struct cs_hash path;
	struct cs_hash value; /* its hash */
	const struct ledger_change *change;
};

/* A changed page. */
struct turned {
	struct turned *next;
	struct ledger_change change;
};

struct update {
	const struct ledger_db *db;
	struct cs_arena *arena;
	struct turned *turned;
	size_t turned_count;
};

static const struct cs_hash no_path = {{0}};

enum cs_err ledger_tree_root(struct cs_hash *root, const struct ledger_db *db, uint64_t version,
			     struct cs_arena *arena)
{
	struct ledger_page_node nodes[LEDGER_PAGE_NODES];
	struct ledger_page page;
	struct cs_bytes bytes;
	const struct ledger_page_id id = {.version = version};
	const size_t mark = cs_arena_mark(arena);
	enum cs_err err = ledger_page_read(&page, nodes, &bytes, db, &id, arena);
	cs_arena_rewind(arena, mark);
	CS_TRY(err);
	*root = nodes[1].hash;
	return CS_OK;
}

/* ---- pages that change ---- */

static enum cs_err turn_page(struct update *u, const struct cs_hash *path, unsigned depth,
			     struct cs_bytes bytes)
{
	struct turned *turned = cs_arena_calloc(u->arena, 1, sizeof *turned);
	uint8_t memory[LEDGER_PAGE_KEY_SIZE_MAX];
	struct cs_bytes key = cs_arena_copy(u->arena, ledger_page_key(memory, path, depth));
	if (turned == NULL || key.p == NULL)
		return CS_ERR_NO_MEMORY;
	*turned = (struct turned){u->turned, {key, bytes, bytes.n == 0}};
	u->turned = turned;
	u->turned_count++;
	return CS_OK;
}

/* What became of a page whose bytes were `old` (empty: it was not there): page, or the place of the
 * only leaf that is left, or nothing. */
static enum cs_err finish(struct update *u, struct ledger_place *place,
			  const struct ledger_page *page, struct cs_bytes old,
			  const struct cs_hash *path, unsigned depth)
{
	struct ledger_page_node nodes[LEDGER_PAGE_NODES];
	uint8_t memory[LEDGER_PAGE_SIZE_MAX];
	struct cs_buf buf;
	size_t last = 0, count = ledger_page_count(page, &last);
	const bool is_leaf = count == 1 && depth > 0 && page->places[last].kind == LEDGER_LEAF;
	if (count == 0 || is_leaf) {
		*place = is_leaf ? page->places[last] : (struct ledger_place){.kind = LEDGER_EMPTY};
		return old.n == 0 ? CS_OK : turn_page(u, path, depth, CS_BYTES_NONE);
	}
	ledger_page_hash(nodes, page);
	*place = (struct ledger_place){.kind = LEDGER_PAGE, .hash = nodes[1].hash};
	cs_buf_init(&buf, memory, sizeof memory);
	ledger_page_encode(&buf, page);
	CS_TRY(cs_buf_end(&buf));
	if (cs_bytes_eq(cs_buf_view(&buf), old))
		return CS_OK;
	struct cs_bytes bytes = cs_arena_copy(u->arena, cs_buf_view(&buf));
	return bytes.p == NULL ? CS_ERR_NO_MEMORY : turn_page(u, path, depth, bytes);
}

/* ---- going down ---- */

/* Is the committed value the one that the tree knows? It is about to be written over, and this is
 * the last moment at which what the store lost is seen. */
static enum cs_err check_value(struct update *u, const struct item *item,
			       const struct ledger_place *place)
{
	const bool is_leaf = place->kind == LEDGER_LEAF && cs_hash_eq(&place->path, &item->path);
	const size_t mark = cs_arena_mark(u->arena);
	struct cs_bytes value;
	enum cs_err err =
		u->db->get(u->db->context, &value, LEDGER_VALUES, item->change->key, 0, u->arena);
	bool is_same = err == CS_ERR_NOT_FOUND && !is_leaf;
	if (err == CS_OK && is_leaf) {
		struct cs_hash hash = cs_sha256(value);
		is_same = cs_hash_eq(&hash, &place->hash);
	}
	cs_arena_rewind(u->arena, mark);
	if (err != CS_OK && err != CS_ERR_NOT_FOUND)
		return err;
	return is_same ? CS_OK : CS_ERR_DAMAGED;
}

/* How many leaves a place without a page has after the items; the last of them in *place. */
static size_t count_leaves(struct ledger_place *place, const struct item *items, size_t count)
{
	const struct ledger_place old = *place;
	size_t leaves = 0;
	bool is_changed = false;
	*place = (struct ledger_place){.kind = LEDGER_EMPTY};
	for (size_t i = 0; i < count; i++) {
		const struct item *item = &items[i];
		is_changed |= old.kind == LEDGER_LEAF && cs_hash_eq(&old.path, &item->path);
		if (item->change->removed)
			continue;
		*place = (struct ledger_place){LEDGER_LEAF, item->change->key, item->path,
					       item->value};
		leaves++;
	}
	if (old.kind == LEDGER_LEAF && !is_changed) {
		*place = old;
		leaves++;
	}
	return leaves;
}

static enum cs_err change_place(struct update *u, struct ledger_place *place,
				const struct item *items, size_t count, unsigned depth);

/* The items, ascending, go to the places of their nibbles. */
static enum cs_err change_places(struct update *u, struct ledger_page *page,
				 const struct item *items, size_t count, unsigned depth)
{
	for (size_t begin = 0, end; begin < count; begin = end) {
		const unsigned nibble = ledger_nibble(&items[begin].path, depth);
		for (end = begin + 1;
		     end < count && ledger_nibble(&items[end].path, depth) == nibble;)
			end++;
		CS_TRY(change_place(u, &page->places[nibble], items + begin, end - begin,
				    depth + 1));
	}
	return CS_OK;
}

/* All items are below the place, which is at `depth` nibbles of their paths. Comes back to itself at
 * most LEDGER_PATH_MAX deep: two keys part by then. */
static enum cs_err change_place(struct update *u, struct ledger_place *place,
				const struct item *items, size_t count, unsigned depth)
{
	struct ledger_page_node nodes[LEDGER_PAGE_NODES];
	struct ledger_page page;
	struct cs_bytes old = CS_BYTES_NONE;
	if (place->kind == LEDGER_PAGE) {
		const struct ledger_page_id id = {0, items[0].path, depth, place->hash};
		CS_TRY(ledger_page_read(&page, nodes, &old, u->db, &id, u->arena));
	} else {
		struct ledger_place after = *place;
		if (count_leaves(&after, items, count) <= 1) {
			for (size_t i = 0; i < count; i++)
				CS_TRY(check_value(u, &items[i], place));
			*place = after;
			return CS_OK;
		}
		cs_assert(depth < LEDGER_PATH_MAX);
		memset(&page, 0, sizeof page);
		if (place->kind == LEDGER_LEAF)
			page.places[ledger_nibble(&place->path, depth)] = *place;
	}
	CS_TRY(change_places(u, &page, items, count, depth));
	return finish(u, place, &page, old, &items[0].path, depth);
}

/* ---- an update ---- */

static int by_path(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	return memcmp(x->path.b, y->path.b, sizeof x->path.b);
}

static int by_key(const void *a, const void *b)
{
	const struct ledger_change *x = a, *y = b;
	return cs_bytes_compare(x->key, y->key);
}

static enum cs_err sort_items(struct item **out, const struct ledger_changes *values,
			      struct cs_arena *arena)
{
	struct item *items = cs_arena_calloc(arena, values->count, sizeof *items);
	if (items == NULL)
		return CS_ERR_NO_MEMORY;
	for (size_t i = 0; i < values->count; i++) {
		const struct ledger_change *change = &values->items[i];
		cs_assert(change->removed || change->value.n > 0);
		items[i].path = cs_sha256(change->key);
		if (!change->removed)
			items[i].value = cs_sha256(change->value);
		items[i].change = change;
	}
	qsort(items, values->count, sizeof *items, by_path);
	*out = items;
	return CS_OK;
}

static enum cs_err collect(const struct update *u, struct ledger_changes *pages)
{
	struct ledger_change *list = cs_arena_calloc(u->arena, u->turned_count, sizeof *list);
	size_t count = 0;
	if (list == NULL)
		return CS_ERR_NO_MEMORY;
	for (const struct turned *turned = u->turned; turned != NULL; turned = turned->next)
		list[count++] = turned->change;
	qsort(list, count, sizeof *list, by_key);
	*pages = (struct ledger_changes){list, count};
	return CS_OK;
}

enum cs_err ledger_tree_update(struct cs_hash *root, struct ledger_changes *pages,
			       const struct ledger_db *db, const struct ledger_changes *values,
			       struct cs_arena *arena)
{
	struct update u = {.db = db, .arena = arena};
	struct ledger_page_node nodes[LEDGER_PAGE_NODES];
	struct ledger_place place;
	struct ledger_page page;
	struct ledger_changes changes;
	struct cs_bytes old;
	struct item *items = NULL;
	const struct ledger_page_id root_id = {0};
	CS_TRY(sort_items(&items, values, arena));
	CS_TRY(ledger_page_read(&page, nodes, &old, db, &root_id, arena));
	CS_TRY(change_places(&u, &page, items, values->count, 0));
	CS_TRY(finish(&u, &place, &page, old, &no_path, 0));
	CS_TRY(collect(&u, &changes));
	ledger_page_hash(nodes, &page);
	*root = nodes[1].hash;
	*pages = changes;
	return CS_OK;
}
