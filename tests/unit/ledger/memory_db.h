/* A ledger_db in memory, for tests: every version since keep_from, and failures by order. Slow on
 * purpose where that is simpler: sorted arrays, every value kept with its version. */
#ifndef TESTS_UNIT_LEDGER_MEMORY_DB_H
#define TESTS_UNIT_LEDGER_MEMORY_DB_H

#include "relay_state/ledger/state.h"

struct memory_db;

struct memory_db *memory_db_new(void);
/* NULL is allowed. */
void memory_db_free(struct memory_db *db);
/* Valid as long as the db. */
struct ledger_db memory_db_table(struct memory_db *db);

/* The newest version, 0 at first, and the oldest that is kept. */
uint64_t memory_db_version(const struct memory_db *db);
uint64_t memory_db_oldest(const struct memory_db *db);
/* Pairs of the newest version. */
size_t memory_db_count(const struct memory_db *db, enum ledger_space space);
/* Calls of get so far. */
size_t memory_db_gets(const struct memory_db *db);
/* Takes back every version above this one, which is kept. */
void memory_db_rollback(struct memory_db *db, uint64_t version);

/* From now on get (commit) fails with this; CS_OK: no more. */
void memory_db_fail_get(struct memory_db *db, enum cs_err err);
void memory_db_fail_commit(struct memory_db *db, enum cs_err err);
/* The value of the newest version, to be damaged in place: p is NULL where there is none. */
uint8_t *memory_db_value(struct memory_db *db, enum ledger_space space, struct cs_bytes key,
			 size_t *size);
/* The pair as if it had never been there, without a version. */
void memory_db_lose(struct memory_db *db, enum ledger_space space, struct cs_bytes key);

#endif
