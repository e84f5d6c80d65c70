/* The ledger's state in SQLite: the table of functions that relay_state/ledger reads and writes through
 * (ledger/state.h). Keeps the newest pairs, and for each change of the versions that are kept what was
 * there before, so that older versions are read and the newest ones taken back. Knows nothing of what
 * keys and values mean.
 *
 * What a commit says is whole, not durable: it is one transaction in SQLite's log, which waits for the
 * disk at its checkpoints alone. After a crash the newest version that is whole is there; the engine
 * has the blocks above it on its disk, and gives them again.
 *
 * Every row has a CRC-32C. What does not fit it, and a file that SQLite finds broken, is DAMAGED: told,
 * never repaired. A row that is gone altogether is found by the state tree, when what it had is
 * written or proven. */
#ifndef NODE_LEDGER_DB_H
#define NODE_LEDGER_DB_H

#include "relay_state/ledger/state.h"

/* Of the database in memory: the upper pages of the state tree for ten million keys, and the
 * indices' upper ones. */
#define NODE_LEDGER_CACHE_KIB (96u * 1024)
/* A commit forgets twice as many rows as it writes, and so many more: what a shorter window leaves
 * goes within a few blocks, and none of them waits for it. Of removed keys; of runs of the history. */
#define NODE_LEDGER_PRUNED_MIN 1024u
#define NODE_LEDGER_PRUNED_RUNS_MIN 32u

struct node_ledger_db;

/* Makes the file where there is none. What was put there at version 0 and not completed is forgotten.
 * INVALID: another program's file, or one of a newer version; CONFLICT: another process has it;
 * DAMAGED; IO. */
CS_NODISCARD enum cs_err node_ledger_db_open(struct node_ledger_db **db, const char *path,
					     struct cs_why *why);
/* Valid as long as the database. Of one thread. `take` of a scan may get and scan, never commit. Once a
 * commit or a clear has failed, everything fails as it did: what the disk has then is not known. */
struct ledger_db node_ledger_db_table(struct node_ledger_db *db);
/* The newest version, 0 when there is none, and the oldest that is kept. */
uint64_t node_ledger_db_version(const struct node_ledger_db *db);
uint64_t node_ledger_db_oldest(const struct node_ledger_db *db);
/* Takes back every version above this one. UNAVAILABLE: it is not among the kept ones; DAMAGED; IO.
 * All of it or nothing. */
CS_NODISCARD enum cs_err node_ledger_db_rollback(struct node_ledger_db *db, uint64_t version,
						 struct cs_why *why);
/* What the last failure was; never NULL. */
const char *node_ledger_db_why(const struct node_ledger_db *db);
/* NULL is allowed. */
void node_ledger_db_close(struct node_ledger_db *db);

#endif
