/* A chain of the staking contract and the parameters alone, for their tests and fuzz targets: blocks
 * as an engine makes them, with a validator set that is changed as CometBFT changes it. After each
 * block every sum is compared with its parts. A bug ends the process (cs_assert). */
#ifndef TESTS_UNIT_LEDGER_STAKING_WORLD_H
#define TESTS_UNIT_LEDGER_STAKING_WORLD_H

#include "relay_state/ledger/staking_parts.h"
#include "tests/unit/ledger/memory_db.h"
#include "verify/cometbft/validator_set.h"

/* Keys that there are: more than seats. */
#define WORLD_KEYS 80u
/* Of each operator's account at genesis. */
#define WORLD_FUNDS 1000000000ull
#define WORLD_TIME_BEGIN_S 1767225600ull

struct world_key {
	struct cs_secret secret;
	struct cs_ed25519_key key;
	struct cs_address address;
	struct cs_address operator;
};

struct world {
	struct memory_db *db;
	struct ledger_state *state;
	struct ledger_machine machine;
	struct ledger_block block;
	struct cs_sig *sig;
	struct cs_arena arena; /* of one call */
	struct cs_arena sets;
	struct ledger_run run; /* of the last call */
	struct cs_why why;
	struct world_key keys[WORLD_KEYS];
	struct cs_address owner; /* of the parameters; also guardian */
	struct cmt_validator_set last, now, next;
	struct ledger_end end; /* of the last block */
	uint64_t fees;         /* that came since the last block began */
};

/* What a block tells; NULL and 0: nothing of the kind. */
struct world_tells {
	const enum abci_block_id_flag *flags; /* of the voters in their order; NULL: all signed */
	const struct abci_misbehavior *misbehaviors;
	size_t misbehavior_count;
	uint64_t seconds; /* after the block before */
};

/* Keys and accounts, no contract's section yet. */
struct world *world_new(void);
void world_free(struct world *world);

/* The genesis of both contracts: sections as JSON, NULL for none; the engine's validators. */
CS_NODISCARD enum cs_err world_found(struct world *world, const char *parameters,
				     const char *staking,
				     const struct abci_validator_updates *validators);
/* Validators 0 to count - 1 with this bond each, and these values ("\"jail_s\": 5"). */
void world_found_equal(struct world *world, size_t count, uint64_t bond, const char *values);
/* The text of such a section, in memory that lives for ever. */
const char *world_section(const struct world *world, size_t count, uint64_t bond);

/* A transaction's call: did it succeed? *output is a view until the next. */
bool world_call(struct world *world, struct cs_bytes *output, const struct cs_address *from,
		uint64_t value, uint8_t contract, struct cs_bytes input);
/* By signature and words. */
bool world_do(struct world *world, struct cs_bytes *output, const struct cs_address *from,
	      uint64_t value, uint8_t contract, const char *signature, const struct cs_hash *words,
	      size_t count);
/* register(), with a good signature of key i for its operator. */
bool world_register(struct world *world, struct cs_bytes *output, size_t i, uint64_t bond);
/* Fees of this block. */
void world_pay_fees(struct world *world, const struct cs_address *from, uint64_t amount);

void world_begin(struct world *world, const struct world_tells *tells);
/* The end, the engine's changes, the commit, and all sums. */
void world_end(struct world *world);
/* Blocks of nothing, a second apart. */
void world_blocks(struct world *world, size_t count);

struct staking_validator world_validator(struct world *world, size_t i);
struct staking_totals world_totals(struct world *world);
uint64_t world_funds(struct world *world, const struct cs_address *account);
/* Of the set in force at height + 2; 0: not in it. */
uint64_t world_power(struct world *world, size_t i);
struct abci_misbehavior world_evidence(const struct world *world, size_t i,
				       enum abci_misbehavior_type type, uint64_t height,
				       uint64_t time_s);

#endif
