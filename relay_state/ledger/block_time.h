/* The time of each version's block, outside of the tree: a block that changes nothing leaves the
 * application hash as it is. It stands among the pages, under a key that no page has. Nothing that a
 * block does follows from it: it is for questions, for the mempool, and for snapshots. */
#ifndef LEDGER_BLOCK_TIME_H
#define LEDGER_BLOCK_TIME_H

#include "core/arena.h"
#include "relay_state/ledger/state.h"

#define LEDGER_TIME_SIZE 8u

/* Seconds; version 0: the newest. NOT_FOUND where no block has left one (genesis); DAMAGED; those of
 * ledger_db.get. */
CS_NODISCARD enum cs_err ledger_block_time_get(uint64_t *time_s, const struct ledger_db *db,
					       uint64_t version, struct cs_arena *arena);
/* The pages that a block changes, with its time in its place among them; in the arena. NO_MEMORY. */
CS_NODISCARD enum cs_err ledger_block_time_add(struct ledger_changes *pages, uint64_t time_s,
					       struct cs_arena *arena);

#endif
