/* A ledger in a lab with the register of enclaves, relay records and answers, founded as
 * tools/register_vectors.py has it; and enclaves registered in it by administrators of the test. */
#ifndef TESTS_UNIT_LEDGER_REGISTER_LAB_H
#define TESTS_UNIT_LEDGER_REGISTER_LAB_H

#include "relay_state/ledger/answers.h"
#include "relay_state/ledger/enclaves.h"
#include "relay_state/ledger/records.h"
#include "tests/unit/ledger/contract_lab.h"

/* Accounts by their bytes. */
#define REGISTER_OWNER 0x0a
#define REGISTER_GUARDIAN 0x0b
#define REGISTER_BONDER 0x0c
#define REGISTER_OTHER 0x0d
#define REGISTER_GATEWAY 0x0e

#define REGISTER_DAY_S 86400u

/* Contracts 4, 5 and 9, founded and named; two of the three administrators 101, 102, 103 approve. */
struct lab *register_lab_new(void);
/* The same, whose register takes what stands under insecure flags and test roots. */
struct lab *register_lab_new_insecure(void);
/* Makes the calls of a vectors file's "story" in a row, each with what it must return or revert with. */
void register_lab_story(struct lab *lab, const json_t *file);
/* The terms of that; tests of founding change them. */
struct ledger_enclaves_terms register_lab_terms(const struct lab *lab);
/* A call of the contract by nobody, as at genesis. */
struct ledger_call register_lab_call(struct lab *lab, uint8_t number);
struct cs_hash register_lab_identity(void);

struct cs_secret register_lab_secret(uint64_t number);
struct cs_hash register_lab_x(const struct lab *lab, uint64_t secret);
/* rx and s. */
void register_lab_sign(const struct lab *lab, struct cs_hash words[2], uint64_t secret,
		       const struct cs_hash *digest);

/* A registration of an enclave with one key, approved by the first two administrators. */
struct ledger_registration register_lab_registration(const struct lab *lab, enum ledger_role role,
						     const struct cs_hash *identity,
						     uint64_t secret);
struct cs_bytes register_lab_calldata(const struct lab *lab, const struct ledger_registration *r);
/* Brought by the bonder with the bond; it must succeed. Is the enclave. */
struct cs_hash register_lab_register(struct lab *lab, const struct ledger_registration *r);

/* The next calls come from the account whose bytes are all this. */
void register_lab_from(struct lab *lab, uint8_t byte);
/* By the owner, through the timelock: scheduled, waited for, called, all of which must succeed. */
void register_lab_by_owner(struct lab *lab, uint8_t number, const char *signature,
			   const struct cs_hash *words, size_t count);

#endif
