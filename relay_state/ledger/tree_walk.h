/* A walk over the leaves of the state tree (tree.h) in the order of their keys' hashes: to one, and from
 * there to its neighbours. Believes no page that does not have the hash which its parent says. */
#ifndef LEDGER_TREE_WALK_H
#define LEDGER_TREE_WALK_H

#include "relay_state/ledger/page.h"

struct ledger_walk_step {
	struct ledger_page page;
	struct ledger_page_node nodes[LEDGER_PAGE_NODES];
	size_t mark; /* of the arena before it */
};

struct ledger_walk {
	const struct ledger_db *db;
	uint64_t version;
	struct cs_arena *arena;
	/* Pages that are left go back to the arena: memory for one path, whatever is walked over. For
	 * a walk that is not copied. */
	bool gives_back;
	const struct ledger_walk_step *steps[LEDGER_PATH_MAX];
	unsigned places[LEDGER_PATH_MAX];
	unsigned count;
	struct cs_hash path; /* the nibbles down to the last page */
};

void ledger_walk_init(struct ledger_walk *walk, const struct ledger_db *db, uint64_t version,
		      struct cs_arena *arena);
/* From the root to the place where the leaf of the path is or would be; once for a walk. Failures:
 * those of ledger_db.get, DAMAGED, NO_MEMORY. */
CS_NODISCARD enum cs_err ledger_walk_to(struct ledger_walk *walk, const struct cs_hash *path);
/* To the nearest leaf on this side of the place; *found false: there is none, and the walk is over. */
CS_NODISCARD enum cs_err ledger_walk_beside(struct ledger_walk *walk, bool right, bool *found);
/* Where it stands. */
const struct ledger_place *ledger_walk_place(const struct ledger_walk *walk);
/* Of the leaf where it stands, in the arena. DAMAGED: it is not the value that the tree knows. */
CS_NODISCARD enum cs_err ledger_walk_value(const struct ledger_walk *walk, struct cs_bytes *value);

#endif
