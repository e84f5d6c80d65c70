/* What the files of the simulated ledger share. */
#ifndef TESTS_SIM_LEDGER_H
#define TESTS_SIM_LEDGER_H

#include "relay_state/ledger/app.h"
#include "tests/sim/sim.h"
#include "tests/unit/ledger/memory_db.h"

#define SIM_USERS 6u
#define SIM_FUNDS 100000000u

struct sim_ledger {
	struct memory_db *db; /* the disk */
	struct ledger_app *app;
	struct abci_app abci;
	void *memory;
	struct cs_sig *sig;
	struct cs_arena arena; /* of one answer */
	struct cs_why why;
	struct cs_hash chain;
	unsigned starts;
	uint64_t taken, failed; /* transactions that were finalized */
};

struct sim_ledger *sim_ledger_new(struct cs_hash *genesis);
void sim_ledger_free(struct sim_ledger *ledger);
struct abci_call sim_ledger_call(struct sim_ledger *ledger);
struct cs_hash sim_ledger_finalize(struct sim_ledger *ledger, const struct cmt_block *block);
void sim_ledger_commit(struct sim_ledger *ledger);

/* ledger_check.c: after a commit. Balances of the native asset together are what genesis gave, and of
 * each other asset what was minted and not burnt. */
void sim_ledger_check(struct sim *sim, struct sim_node *node);

#endif
