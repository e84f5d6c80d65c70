/* A ledger of a few built-in contracts for their tests: a state in memory, a block, and calls by
 * signature and words as transactions make them, one after the other. Failures of what a test
 * expects end it. */
#ifndef TESTS_UNIT_LEDGER_CONTRACT_LAB_H
#define TESTS_UNIT_LEDGER_CONTRACT_LAB_H

#include "relay_state/ledger/account.h"
#include "relay_state/ledger/machine.h"
#include "tests/unit/ledger/memory_db.h"
#include "tests/unit/support.h"

/* What a call gets unless lab->gas_limit says otherwise. */
#define LAB_GAS 50000000u

struct lab {
	struct memory_db *db; /* what is committed */
	struct ledger_state *state;
	struct ledger_machine machine;
	struct ledger_block block; /* begins at height 1, 2026-01-01 */
	struct cs_sig *sig;
	struct cs_arena arena; /* of one call: rewound by the next */
	struct ledger_run run; /* of the last call: its logs, its gas */
	uint64_t gas_limit;
	struct cs_address from; /* who calls next */
	struct cs_u256 value;   /* what the next call carries; 0 after it */
	bool is_view;
};

/* On the heap; the contracts as an application would give them. */
struct lab *lab_new(const struct ledger_contract *const *contracts, size_t count);
void lab_free(struct lab *lab);

/* The address whose bytes are all this, and word forms of what ABI words hold. */
struct cs_address lab_address(uint8_t byte);
struct cs_hash lab_word(uint64_t value);
struct cs_hash lab_address_word(const struct cs_address *address);
struct cs_hash lab_byte_word(uint8_t byte); /* a bytes32 whose bytes are all this */

/* Any calldata to the contract of the number: did it succeed? *output is a view until the next. */
bool lab_try(struct lab *lab, struct cs_bytes *output, uint8_t number, struct cs_bytes input);
/* Selector and words; the call must succeed, and is what it returned. */
struct cs_bytes lab_call(struct lab *lab, uint8_t number, const char *signature,
			 const struct cs_hash *words, size_t count);
/* The one word that it must return. */
struct cs_hash lab_ask(struct lab *lab, uint8_t number, const char *signature,
		       const struct cs_hash *words, size_t count);
/* The call must revert with exactly this error ("StatusIs(uint8)", its words); error NULL: without
 * data. Nothing has changed then. */
void lab_refuse(struct lab *lab, uint8_t number, const char *signature, const struct cs_hash *words,
		size_t count, const char *error, const struct cs_hash *error_words,
		size_t error_count);
/* The same for any calldata. */
void lab_refuse_input(struct lab *lab, uint8_t number, struct cs_bytes input, const char *error,
		      const struct cs_hash *error_words, size_t error_count);

/* How many logs of this event ("Transfer(address,address,uint256)") the last call made, and one of
 * them; a test ends where there is none. */
size_t lab_log_count(const struct lab *lab, const char *event);
const struct ledger_log *lab_log(const struct lab *lab, const char *event, size_t index);

/* The native asset of an account. */
void lab_fund(struct lab *lab, const struct cs_address *account, uint64_t amount);
uint64_t lab_funds(struct lab *lab, const struct cs_address *account);

/* What was changed is committed; the next block is so much later. */
void lab_next_block(struct lab *lab, uint64_t seconds);

/* Every selector is its signature's and there once, heads have words. Call it for each contract. */
void lab_check_table(const struct ledger_contract *contract);

/* For lists of words. */
#define LAB_WORDS(...)                           \
	((const struct cs_hash[]){__VA_ARGS__}), \
		sizeof((const struct cs_hash[]){__VA_ARGS__}) / sizeof(struct cs_hash)
#define LAB_NONE NULL, 0

#endif
