/* One page of the state tree (tree.h): its bytes, and the fifteen inner nodes above its sixteen
 * places. Reads one canonical form; knows no store.
 *
 *     page key = nibbles of the path, two a byte, the last half a byte zero where their number is
 *                odd ‖ their number (1): pages of one subtree stand together in the store
 *     page     = kinds of the places, two bits each from the first on (4) ‖ places
 *     leaf     = key's size (1) ‖ key ‖ SHA-256 of the value (32)
 *     page     = hash (32) */
#ifndef LEDGER_PAGE_H
#define LEDGER_PAGE_H

#include "core/buf.h"
#include "core/hash.h"
#include "relay_state/ledger/state.h"

#define LEDGER_PLACES 16u
/* Nibbles of a key's hash; a page's path has less. */
#define LEDGER_PATH_MAX 64u
#define LEDGER_PAGE_KEY_SIZE_MAX 33u
#define LEDGER_PAGE_SIZE_MAX (4u + LEDGER_PLACES * (1u + LEDGER_KEY_SIZE_MAX + 32u))
/* Node 1 is the page's own, 2i and 2i + 1 are below node i, the places are the last sixteen. */
#define LEDGER_PAGE_NODES (2u * LEDGER_PLACES)

enum ledger_place_kind {
	LEDGER_EMPTY,
	LEDGER_LEAF,
	LEDGER_PAGE,
};

struct ledger_place {
	enum ledger_place_kind kind;
	struct cs_bytes key; /* of a leaf: a view */
	struct cs_hash path; /* of a leaf: SHA-256 of its key */
	struct cs_hash hash; /* of a leaf its value's, of a page its node's */
};

struct ledger_page {
	struct ledger_place places[LEDGER_PLACES];
};

struct ledger_page_node {
	enum ledger_place_kind kind; /* PAGE: an inner node */
	struct cs_hash hash;         /* zero when empty */
};

/* Nibble `index` of a path, from the most significant on. */
unsigned ledger_nibble(const struct cs_hash *path, unsigned index);
/* The key of the page at the first `depth` nibbles (less than LEDGER_PATH_MAX), a view of the
 * memory. */
struct cs_bytes ledger_page_key(uint8_t memory[LEDGER_PAGE_KEY_SIZE_MAX],
				const struct cs_hash *path, unsigned depth);
/* Keys are views of the bytes. DAMAGED: what no page at this path can be. */
CS_NODISCARD enum cs_err ledger_page_decode(struct ledger_page *page, struct cs_bytes bytes,
					    const struct cs_hash *path, unsigned depth);
void ledger_page_encode(struct cs_buf *buf, const struct ledger_page *page);
/* How many places are not empty, and the last of these. */
size_t ledger_page_count(const struct ledger_page *page, size_t *last);
/* Node 0 is not used. */
void ledger_page_hash(struct ledger_page_node nodes[LEDGER_PAGE_NODES],
		      const struct ledger_page *page);

/* Which page: all zero is the newest root's. */
struct ledger_page_id {
	uint64_t version; /* as of ledger_db.get */
	struct cs_hash path;
	unsigned depth;      /* nibbles of the path that lead to it */
	struct cs_hash hash; /* that it must have; not looked at where depth is 0 */
};
/* At depth 0 whatever is there (nothing: a page without places, *bytes empty). DAMAGED, and the failures
 * of get. */
CS_NODISCARD enum cs_err ledger_page_read(struct ledger_page *page,
					  struct ledger_page_node nodes[LEDGER_PAGE_NODES],
					  struct cs_bytes *bytes, const struct ledger_db *db,
					  const struct ledger_page_id *id, struct cs_arena *arena);

#endif
