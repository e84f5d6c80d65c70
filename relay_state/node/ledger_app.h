/* The ledger application as a process has it: its database, the memory that it works in, a context for
 * signatures. For the node, and for the program that serves a CometBFT. Knows no block. */
#ifndef NODE_LEDGER_APP_H
#define NODE_LEDGER_APP_H

#include "relay_state/ledger/app.h"
#include "relay_state/node/ledger_db.h"

/* Beside the blocks, in the node's data folder. */
#define NODE_LEDGER_FILE "ledger.db"

struct node_ledger;

/* Makes the file where there is none. height_max: what is above it is taken back first, for a chain
 * that lost its newest blocks; 0: nothing is. The errors of node_ledger_db_open and _rollback, and of
 * ledger_app_init. */
CS_NODISCARD enum cs_err node_ledger_open(struct node_ledger **ledger, const char *path,
					  uint64_t height_max, uint64_t snapshot_interval,
					  struct cs_why *why);
/* The table whose state is the ledger's, as long as it is open. */
struct abci_app node_ledger_table(struct node_ledger *ledger);
uint64_t node_ledger_height(const struct node_ledger *ledger);
/* NULL is allowed. */
void node_ledger_close(struct node_ledger *ledger);

/* The whole state of the file as JSON for app_state: pairs of an export (ledger/genesis.h), owned by
 * the caller. CONFLICT: another process has it; UNAVAILABLE: its height is another; TOO_LARGE: above
 * size_max bytes. */
CS_NODISCARD enum cs_err node_ledger_export(char **app_state, const char *path, uint64_t height,
					    size_t size_max, struct cs_why *why);

#endif
