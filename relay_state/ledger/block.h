/* Blocks of the ledger: what a transaction must be to be taken, what it costs, what its calls do, and
 * what contracts do before the first and after the last one. Knows no consensus engine's interface
 * beyond what a block tells (abci/messages.h), no disk, and no mempool. */
#ifndef LEDGER_BLOCK_H
#define LEDGER_BLOCK_H

#include "core/json.h"
#include "relay_state/abci/messages.h"
#include "relay_state/ledger/machine.h"
#include "relay_state/ledger/rules.h"
#include "relay_state/ledger/tx.h"

/* Fees go to this contract: the deposits and rewards of validators. */
#define LEDGER_STAKING_NUMBER 7u
/* Signatures that were found good, by the transaction's hash: a transaction is verified when it
 * comes, and not again when it is proposed and decided. As many as two full blocks hold. */
#define LEDGER_VERIFIED_MAX 16384u

enum ledger_code {
#define LEDGER_CODE(code, number, name, sentence) LEDGER_CODE_##code = (number),
#include "relay_state/ledger/codes.def"
#undef LEDGER_CODE
};
/* Static: "wrong-sequence", and what codes.def says. */
const char *ledger_code_name(enum ledger_code code);
const char *ledger_code_sentence(enum ledger_code code);

/* ---- contracts that take part in making blocks ---- */

struct ledger_genesis {
	struct cs_bytes chain_id;
	uint64_t time_s;
	uint64_t initial_height;
	struct abci_validator_updates validators;
	const struct abci_consensus_params *params; /* NULL: none given */
	struct cs_u256 supply;                      /* what all accounts hold */
	bool is_import;                             /* pairs of an export were put before */
};

struct ledger_begin {
	struct abci_commit_info last_commit;
	struct abci_misbehaviors misbehavior;
};

/* What the block's end says to the engine; lists in the call's arena. */
struct ledger_end {
	struct cs_u256 fees; /* of this block, with the contract of LEDGER_STAKING_NUMBER already */
	struct abci_validator_updates validator_updates;
	const struct abci_consensus_params *param_updates;
};

/* A contract with what it does besides being called; each call is one of the contract by nobody,
 * with gas without end. Whatever is not OK ends the application (at genesis: its start). */
struct ledger_module {
	const struct ledger_contract *contract;
	/* Its member of genesis' "contracts", NULL where it has none. */
	enum cs_err (*genesis)(struct ledger_call *call, const struct ledger_genesis *genesis,
			       const struct cs_json *section);
	/* Once the chain has its tag, which commits to what genesis put before. */
	enum cs_err (*named)(struct ledger_call *call, const struct cs_hash *chain_tag);
	enum cs_err (*begin)(struct ledger_call *call, const struct ledger_begin *begin);
	enum cs_err (*end)(struct ledger_call *call, struct ledger_end *end);
};

struct ledger_modules {
	const struct ledger_module *items; /* in the order in which they act */
	size_t count;
};
/* All of the ledger's contracts, in one table (modules.c). */
struct ledger_modules ledger_modules(void);

/* ---- admission ---- */

struct ledger_verified {
	struct cs_hash hashes[LEDGER_VERIFIED_MAX];
};

struct ledger_admission {
	struct ledger_state *state;
	const struct cs_sig *sig;
	struct ledger_verified *verified;
	struct ledger_rules rules;
	struct cs_hash chain; /* the chain's tag */
	uint64_t time_s;      /* of the block that would hold it; 0: not known */
	bool skip_signatures; /* they were verified when the transaction came */
};

/* Reads the rules and the tag of the state. DAMAGED; the failures of ledger_state_get. */
CS_NODISCARD enum cs_err ledger_admission_init(struct ledger_admission *admission,
					       struct ledger_state *state, const struct cs_sig *sig,
					       struct ledger_verified *verified, uint64_t time_s);
/* Gas that is taken before the first call: the transaction, its bytes, its signatures. */
uint64_t ledger_tx_gas(size_t size, size_t signature_count);
/* Is this the sender's next transaction, in form, and can it be paid? With LEDGER_CODE_OK the whole
 * limit's fee is taken and the sequence is the next one; else nothing has changed. `tx` is filled as
 * far as it was read. Failures: those of ledger_state_get, CRYPTO. */
CS_NODISCARD enum cs_err ledger_admit(struct ledger_admission *admission, enum ledger_code *code,
				      struct ledger_tx *tx, struct cs_bytes bytes);

/* ---- execution ---- */

struct ledger_result {
	enum ledger_code code;
	struct cs_bytes data; /* what the last call returned, or what one reverted with */
	uint64_t gas_wanted;
	uint64_t gas_used;
	struct cs_u256 fee;
	struct cs_address payer;
	struct ledger_logs logs;
};

struct ledger_execution {
	struct ledger_machine *machine;
	struct ledger_admission *admission;
	const struct ledger_block *block;
	struct cs_arena *arena;
	struct cs_why *why;
};

/* A transaction of a block: admitted or not, its calls all or none, what is left of the fee given
 * back. The result's views are the arena's. */
CS_NODISCARD enum cs_err ledger_execute(const struct ledger_execution *execution,
					struct ledger_result *result, struct cs_bytes bytes);
/* The calls alone, as a question: what they would use, from gas_used on. */
CS_NODISCARD enum cs_err ledger_execute_calls(const struct ledger_execution *execution,
					      struct ledger_result *result,
					      const struct ledger_tx *tx, uint64_t gas_used);

#endif
