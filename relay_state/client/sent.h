/* The transaction that is in flight, as the journals of gateways and oracles keep it: one row, written
 * before anybody else sees the bytes. The table is the journal's; here are the statements on it. */
#ifndef RELAY_STATE_CLIENT_SENT_H
#define RELAY_STATE_CLIENT_SENT_H

#include "core/arena.h"
#include "host/store.h"

/* As it is written down. */
struct ledger_sent {
	uint64_t kind; /* the owner's: what it is for */
	uint64_t sequence;
	uint64_t valid_until_s; /* no block of a later time takes it */
	struct cs_hash hash;
	struct cs_bytes raw; /* a view */
};

#define LEDGER_SQL_SENT_TABLE                                                               \
	"CREATE TABLE ledger_sent(n INTEGER PRIMARY KEY CHECK(n=1), kind INTEGER NOT NULL," \
	" sequence INTEGER NOT NULL, valid_until INTEGER NOT NULL, hash BLOB NOT NULL,"     \
	" raw BLOB NOT NULL, created_ms INTEGER NOT NULL) STRICT;"
#define LEDGER_SQL_SENT_PUT                                                        \
	"INSERT INTO ledger_sent(n,kind,sequence,valid_until,hash,raw,created_ms)" \
	" VALUES(1,?1,?2,?3,?4,?5,?6)"
#define LEDGER_SQL_SENT_GET "SELECT kind,sequence,valid_until,hash,raw FROM ledger_sent"
#define LEDGER_SQL_SENT_CLEAR "DELETE FROM ledger_sent"

/* Inside a writer. DUPLICATE: one is there. */
CS_NODISCARD enum cs_err ledger_sent_put(struct host_stmt *stmt, const struct ledger_sent *sent);
/* NOT_FOUND: none. raw is in the arena: NO_MEMORY. INVALID: a broken row. */
CS_NODISCARD enum cs_err ledger_sent_get(struct host_stmt *stmt, struct cs_arena *arena,
					 struct ledger_sent *sent);

#endif
