/* The built-in kvstore's content in SQLite, for --proxy_app persistent_kvstore: what a commit says is
 * on the disk when the commit is answered, in one transaction, and a start gives it back. Knows no
 * block: what the application lacks, or has too much of, is the handshake's. */
#ifndef NODE_KVSTORE_DB_H
#define NODE_KVSTORE_DB_H

#include "relay_state/abci/kvstore.h"

struct node_kvstore_db;

/* Makes the file. INVALID: another program's; CONFLICT: another process has it; IO. */
CS_NODISCARD enum cs_err node_kvstore_db_open(struct node_kvstore_db **db, const char *path,
					      struct cs_why *why);
/* For abci_kvstore_options; the database must live longer than the store. */
struct abci_kvstore_hooks node_kvstore_db_hooks(struct node_kvstore_db *db);
/* Into a store that was just made. NO_MEMORY: it does not fit any more; DAMAGED: what no commit can
 * have written; IO. */
CS_NODISCARD enum cs_err node_kvstore_db_load(struct node_kvstore_db *db,
					      struct abci_kvstore *store, struct cs_why *why);
/* NULL is allowed. */
void node_kvstore_db_close(struct node_kvstore_db *db);

#endif
