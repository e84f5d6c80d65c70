/* What was signed for a submission, as the journals of gateways and oracles keep it: every attempt is
 * in the journal before it is sent, and after a start the adapter goes on from the attempts. The
 * tables are the journals' own; here are the statements on them, with how they are bound and read. */
#ifndef ADAPTERS_ATTEMPTS_H
#define ADAPTERS_ATTEMPTS_H

#include "adapters/adapter.h"
#include "core/arena.h"
#include "host/store.h"

/* terms.attempt: its number, from 0 in the order of signing. raw: a transaction as a node takes it. */
struct adapter_attempt {
	uint64_t submission; /* row */
	struct adapter_terms terms;
	struct cs_hash hash;
	struct cs_bytes raw;
};

#define ADAPTER_SQL_ATTEMPT_ADD                                                                \
	"INSERT INTO attempts(submission,attempt,nonce,gas_limit,max_fee,priority_fee,legacy," \
	"cancel,hash,raw,created_ms) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)"
#define ADAPTER_SQL_ATTEMPTS                                                         \
	"SELECT attempt,nonce,gas_limit,max_fee,priority_fee,legacy,cancel,hash,raw" \
	" FROM attempts WHERE submission=?1 ORDER BY attempt LIMIT ?2"
/* open, included, unknown: what is to be taken up */
#define ADAPTER_SQL_SUBMISSIONS_OPEN                                                               \
	"SELECT n FROM submissions WHERE chain=?1 AND state IN (0,1,4) AND n>?2 ORDER BY n LIMIT " \
	"?3"

/* Inside a writer. DUPLICATE: it is there. */
CS_NODISCARD enum cs_err adapter_attempt_add(struct host_stmt *stmt,
					     const struct adapter_attempt *attempt);
/* At most count_max, oldest first; raw bytes in the arena: NO_MEMORY. INVALID: a broken row. */
CS_NODISCARD enum cs_err adapter_attempts_read(struct host_stmt *stmt, uint64_t submission,
					       struct cs_arena *arena,
					       struct adapter_attempt *attempts, size_t count_max,
					       size_t *count);
/* Rows of submissions of this chain above `after`, ascending, at most count_max. */
CS_NODISCARD enum cs_err adapter_submissions_open(struct host_stmt *stmt,
						  const struct cs_hash *chain, uint64_t after,
						  uint64_t *rows, size_t count_max, size_t *count);

#endif
