/* The ledger as an application of ABCI 2.0: what a consensus engine asks, ours in process or a
 * CometBFT behind a socket. Reads and writes the state through the table that the shell gives; opens
 * no file, knows no clock, and holds nothing of a block that is not committed but what finalizing it
 * again would make anew.
 *
 * Answers: codes and their numbers are codes.def, codespace "ledger"; data of a transaction are what
 * its last call returned, or what a call reverted with. Events: "log" (address, topic0 …, data) for
 * each event of a contract, "fee" (payer, amount). The app hash is the root of the state tree after
 * the block.
 *
 * Questions (path: data → value):
 *     /store: key → value, with a proof op of type "ics23:smt" when one is asked for
 *     /account: address (20) → sequence (8) ‖ balance (32)
 *     /call: from (20) ‖ to (20) ‖ input → output, or with the code REVERTED what it reverts with
 *     /simulate: a transaction, its signatures there or not → gas used (8) ‖ output
 *     /chain: nothing → tag (32) ‖ app version (8) ‖ gas of a block (8) ‖ least price (16)
 *             ‖ time of the block (8)
 * each at a height within the window, 0 being the last committed one.
 *
 * Snapshots (snapshot.h) are of a version that the store keeps: the two newest are served while it
 * does, and forgotten by a restart. */
#ifndef LEDGER_APP_H
#define LEDGER_APP_H

#include "relay_state/abci/app.h"
#include "relay_state/ledger/block.h"

/* Of the rules by which state follows from blocks: gas, codes, formats. */
#define LEDGER_APP_VERSION 1u
/* What a question may read and write, and the gas of /call and /simulate beyond a transaction's own
 * limit. */
#define LEDGER_VIEW_GAS 50000000u

struct ledger_app;

struct ledger_app_options {
	struct ledger_db db;
	uint64_t version;         /* the db's newest; 0: nothing is there yet */
	const struct cs_sig *sig; /* the caller's, as long as the application */
	struct ledger_modules modules;
	uint8_t seed[16];           /* random (state.h) */
	uint64_t snapshot_interval; /* heights between two snapshots; 0: others' are restored */
};

/* Bytes of memory that the application takes; used as blocks need it. */
size_t ledger_app_size(void);
/* In memory of that size, 16-byte aligned. DAMAGED, IO: the version's root cannot be read. */
CS_NODISCARD enum cs_err ledger_app_init(struct ledger_app **app, void *memory,
					 const struct ledger_app_options *options,
					 struct cs_why *why);
/* The table whose state is the application. */
struct abci_app ledger_app_table(struct ledger_app *app);

#endif
