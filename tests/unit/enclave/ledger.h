/* A world (world.h) whose chain is a Caisson ledger: state in its tree, light blocks of the tests' own
 * validators, and the gateway's words as docs/protocol/envelope.md section 5 has them. */
#ifndef TESTS_UNIT_ENCLAVE_LEDGER_H
#define TESTS_UNIT_ENCLAVE_LEDGER_H

#include "relay_state/ledger/tree.h"
#include "tests/unit/cometbft/made.h"
#include "tests/unit/ledger/memory_db.h"
#include "world.h"

#define LEDGER_BLOCKS_MAX 32
/* Height of the anchor. */
#define LEDGER_ANCHOR 5

struct ledger {
	struct world *w;
	struct memory_db *db;
	struct ledger_db table;
	struct cs_arena arena;
	struct cmt_validator_set set;
	struct cs_hash root;                              /* of the newest version */
	int64_t height;                                   /* of the newest block */
	struct cmt_light_block blocks[LEDGER_BLOCKS_MAX]; /* by height */
};

/* With a sentinel, and blocks up to the anchor; so many validators sign. Not begun. */
struct ledger *ledger_new(size_t validators);
void ledger_free(struct ledger *l);
/* Init, and a light client at the anchor. */
void ledger_begin(struct ledger *l);

/* What the next block's transactions write; zero removes. */
void ledger_write(struct ledger *l, const struct cs_hash *slot, const struct cs_hash *word);
/* The same of any key. */
void ledger_put(struct ledger *l, struct cs_bytes key, struct cs_bytes value, bool remove);
/* A proof of any key under the application hash of the block at the height; a copy. */
struct cs_bytes ledger_prove(struct ledger *l, uint64_t height, struct cs_bytes key);
/* So many more blocks, of which nobody is told. */
void ledger_mine(struct ledger *l, size_t count);
/* So many more blocks, the last of them told to the client. */
void ledger_advance(struct ledger *l, size_t count);
struct cs_bytes ledger_raw(const struct cmt_light_block *block);
/* Is answered, or refused with the error. */
void ledger_update(struct ledger *l, const struct cmt_light_block *block, enum cs_err err);

/* Of the word under the application hash of the block at the height. */
Caisson__Wire__ProofNodes *ledger_proof(struct ledger *l, uint64_t height,
					const struct cs_hash *slot);
Caisson__Wire__ProofNodes *ledger_sentinel(struct ledger *l, uint64_t height);
Caisson__Wire__ProofNodes *ledger_no_account(void);

/* The words of a message that was sent, of a status, of the remote's key. */
void ledger_send(struct ledger *l, const struct wire_message_head *head);
void ledger_set_status(struct ledger *l, uint64_t sequence, enum wire_status status);
void ledger_register_key(struct ledger *l, uint64_t epoch, enum wire_key_state state);

#endif
