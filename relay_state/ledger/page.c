#include "relay_state/ledger/page.h"

#include <string.h>

#define MASK_SIZE 4u
#define HASH_SIZE sizeof(struct cs_hash)

unsigned ledger_nibble(const struct cs_hash *path, unsigned index)
{
	const uint8_t byte = path->b[index / 2];
	return index % 2 == 0 ? byte >> 4 : byte & 15u;
}

struct cs_bytes ledger_page_key(uint8_t memory[LEDGER_PAGE_KEY_SIZE_MAX],
				const struct cs_hash *path, unsigned depth)
{
	const size_t size = (depth + 1) / 2;
	cs_assert(depth < LEDGER_PATH_MAX);
	memcpy(memory, path->b, size);
	if (depth % 2 == 1)
		memory[size - 1] &= 0xf0;
	memory[size] = (uint8_t)depth;
	return cs_bytes(memory, size + 1);
}

/* ---- bytes ---- */

static bool take(struct cs_bytes *rest, struct cs_bytes *out, size_t n)
{
	if (rest->n < n)
		return false;
	*out = cs_bytes(rest->p, n);
	*rest = cs_bytes(rest->p + n, rest->n - n);
	return true;
}

static bool take_hash(struct cs_bytes *rest, struct cs_hash *hash)
{
	struct cs_bytes bytes;
	if (!take(rest, &bytes, HASH_SIZE))
		return false;
	memcpy(hash->b, bytes.p, HASH_SIZE);
	return true;
}

static bool is_below(const struct cs_hash *leaf, const struct cs_hash *path, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++) {
		if (ledger_nibble(leaf, i) != ledger_nibble(path, i))
			return false;
	}
	return true;
}

static bool read_leaf(struct ledger_place *place, struct cs_bytes *rest, const struct cs_hash *path,
		      unsigned depth, unsigned index)
{
	struct cs_bytes size;
	if (!take(rest, &size, 1) || size.p[0] == 0 || size.p[0] > LEDGER_KEY_SIZE_MAX ||
	    !take(rest, &place->key, size.p[0]) || !take_hash(rest, &place->hash))
		return false;
	place->path = cs_sha256(place->key);
	return is_below(&place->path, path, depth) && ledger_nibble(&place->path, depth) == index;
}

static bool read_places(struct ledger_page *page, struct cs_bytes bytes, const struct cs_hash *path,
			unsigned depth)
{
	struct cs_bytes mask, rest = bytes;
	if (!take(&rest, &mask, MASK_SIZE))
		return false;
	const uint32_t kinds = cs_be32(mask.p);
	for (unsigned i = 0; i < LEDGER_PLACES; i++) {
		struct ledger_place *place = &page->places[i];
		switch (kinds >> (2 * (LEDGER_PLACES - 1 - i)) & 3u) {
		case LEDGER_EMPTY:
			break;
		case LEDGER_LEAF:
			place->kind = LEDGER_LEAF;
			if (!read_leaf(place, &rest, path, depth, i))
				return false;
			break;
		case LEDGER_PAGE:
			place->kind = LEDGER_PAGE;
			if (depth + 1 == LEDGER_PATH_MAX || !take_hash(&rest, &place->hash))
				return false;
			break;
		default:
			return false;
		}
	}
	return rest.n == 0;
}

size_t ledger_page_count(const struct ledger_page *page, size_t *last)
{
	size_t count = 0;
	for (size_t i = 0; i < LEDGER_PLACES; i++) {
		if (page->places[i].kind == LEDGER_EMPTY)
			continue;
		*last = i;
		count++;
	}
	return count;
}

enum cs_err ledger_page_decode(struct ledger_page *out, struct cs_bytes bytes,
			       const struct cs_hash *path, unsigned depth)
{
	struct ledger_page page;
	size_t last = 0;
	memset(&page, 0, sizeof page);
	if (!read_places(&page, bytes, path, depth))
		return CS_ERR_DAMAGED;
	size_t count = ledger_page_count(&page, &last);
	if (count == 0 || (count == 1 && depth > 0 && page.places[last].kind == LEDGER_LEAF))
		return CS_ERR_DAMAGED;
	*out = page;
	return CS_OK;
}

void ledger_page_encode(struct cs_buf *buf, const struct ledger_page *page)
{
	uint32_t kinds = 0;
	for (size_t i = 0; i < LEDGER_PLACES; i++)
		kinds = kinds << 2 | (uint32_t)page->places[i].kind;
	cs_put_u32(buf, kinds);
	for (size_t i = 0; i < LEDGER_PLACES; i++) {
		const struct ledger_place *place = &page->places[i];
		if (place->kind == LEDGER_EMPTY)
			continue;
		if (place->kind == LEDGER_LEAF) {
			cs_put_u8(buf, (uint8_t)place->key.n);
			cs_put(buf, place->key);
		}
		cs_put(buf, CS_BYTES_OF(place->hash.b));
	}
}

/* ---- hashes ---- */

static struct cs_hash hash_of_two(uint8_t prefix, const struct cs_hash *a, const struct cs_hash *b)
{
	uint8_t bytes[1 + 2 * HASH_SIZE];
	bytes[0] = prefix;
	memcpy(bytes + 1, a->b, HASH_SIZE);
	memcpy(bytes + 1 + HASH_SIZE, b->b, HASH_SIZE);
	return cs_sha256(CS_BYTES_OF(bytes));
}

static struct ledger_page_node node_of(const struct ledger_place *place)
{
	struct ledger_page_node node = {place->kind, place->hash};
	if (place->kind == LEDGER_LEAF)
		node.hash = hash_of_two(0, &place->path, &place->hash);
	return node;
}

/* A subtree with one leaf is that leaf. */
static struct ledger_page_node above(const struct ledger_page_node *left,
				     const struct ledger_page_node *right)
{
	if (left->kind == LEDGER_EMPTY && right->kind != LEDGER_PAGE)
		return *right;
	if (right->kind == LEDGER_EMPTY && left->kind != LEDGER_PAGE)
		return *left;
	return (struct ledger_page_node){LEDGER_PAGE, hash_of_two(1, &left->hash, &right->hash)};
}

void ledger_page_hash(struct ledger_page_node nodes[LEDGER_PAGE_NODES],
		      const struct ledger_page *page)
{
	for (size_t i = 0; i < LEDGER_PLACES; i++)
		nodes[LEDGER_PLACES + i] = node_of(&page->places[i]);
	for (size_t i = LEDGER_PLACES - 1; i > 0; i--)
		nodes[i] = above(&nodes[2 * i], &nodes[2 * i + 1]);
}

/* ---- the store ---- */

/* Below the root there is no page that was never written. */
static enum cs_err read_page(struct ledger_page *page, struct cs_bytes *bytes,
			     const struct ledger_db *db, const struct ledger_page_id *id,
			     struct cs_arena *arena)
{
	uint8_t memory[LEDGER_PAGE_KEY_SIZE_MAX];
	const struct cs_bytes key = ledger_page_key(memory, &id->path, id->depth);
	const enum cs_err err = db->get(db->context, bytes, LEDGER_PAGES, key, id->version, arena);
	if (err == CS_ERR_NOT_FOUND && id->depth > 0)
		return CS_ERR_DAMAGED;
	if (err == CS_ERR_NOT_FOUND) {
		memset(page, 0, sizeof *page);
		return CS_OK;
	}
	CS_TRY(err);
	return ledger_page_decode(page, *bytes, &id->path, id->depth);
}

enum cs_err ledger_page_read(struct ledger_page *page,
			     struct ledger_page_node nodes[LEDGER_PAGE_NODES],
			     struct cs_bytes *bytes, const struct ledger_db *db,
			     const struct ledger_page_id *id, struct cs_arena *arena)
{
	struct cs_bytes read = CS_BYTES_NONE;
	struct ledger_page_node below[LEDGER_PAGE_NODES];
	struct ledger_page decoded;
	CS_TRY(read_page(&decoded, &read, db, id, arena));
	ledger_page_hash(below, &decoded);
	if (id->depth > 0 && !cs_hash_eq(&below[1].hash, &id->hash))
		return CS_ERR_DAMAGED;
	*page = decoded;
	*bytes = read;
	memcpy(nodes, below, sizeof below);
	return CS_OK;
}
