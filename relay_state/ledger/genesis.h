/* The ledger's state at its beginning: the JSON of genesis' app_state, which founds accounts, rules
 * and contracts, or carries the pairs of an export. Read strictly: what it does not know it refuses.
 *
 *     { "accounts":  [ {"address": "0x…", "balance": "1000", "sequence": 0}, … ],
 *       "rules":     { "gas_price_min": "1", "versions_kept": 1000 },
 *       "contracts": { "gateway": {…}, … },          each contract's own
 *       "pairs":     [ "0x…", … ] }
 *
 * Every member may be missing, an account's sequence too. A string of pairs is a row of: size of the
 * key (1) ‖ key ‖ size of the value (4) ‖ value; the keys of all of them ascend. */
#ifndef LEDGER_GENESIS_H
#define LEDGER_GENESIS_H

#include "relay_state/ledger/block.h"

/* Accounts of a genesis; an export's are among its pairs. */
#define LEDGER_GENESIS_ACCOUNTS_MAX 3000u
/* Bytes of one string of pairs. */
#define LEDGER_GENESIS_PAIRS_SIZE_MAX (1024u * 1024)

struct ledger_founding {
	struct ledger_db db;            /* emptied first */
	struct ledger_machine *machine; /* its state is reset before and after */
	struct ledger_modules modules;
	const struct ledger_block *block; /* before the first: its height and time */
	struct cs_arena *arena;           /* of the question */
	struct cs_why *why;
};

/* Puts everything into the db as parts of version 0; `root` is that of the state, the app hash at
 * genesis. INVALID, MALFORMED and the like with what is wrong in `why`: another genesis is needed. The
 * failures of ledger_db. */
CS_NODISCARD enum cs_err ledger_found(const struct ledger_founding *founding, struct cs_hash *root,
				      const struct ledger_genesis *genesis,
				      struct cs_bytes app_state);

/* The chain's tag is not among what an export carries: another chain has another. */
bool ledger_is_exported(struct cs_bytes key);
/* One pair as a string of pairs has it, appended in hex without 0x. */
void ledger_export_pair(struct cs_buf *text, struct cs_bytes key, struct cs_bytes value);

#endif
