/* The machine that runs calls to built-in contracts: finds the function of a selector, takes gas,
 * keeps what is logged and returned, and takes back what a call changed that reverts (contract.h is
 * what the contracts see of it). Knows no contract by name, no transaction and no fee. */
#ifndef LEDGER_MACHINE_H
#define LEDGER_MACHINE_H

#include "relay_state/ledger/contract.h"

struct ledger_contracts {
	const struct ledger_contract *const *items; /* each number once */
	size_t count;
};

/* What outlives calls; the caller's memory. */
struct ledger_machine {
	struct ledger_state *state;
	const struct cs_sig *sig;
	struct ledger_contracts contracts;
	/* What the calls that are open write that they return: one each. */
	uint8_t output[LEDGER_DEPTH_MAX][LEDGER_OUTPUT_SIZE_MAX];
};

/* What the calls of one transaction, or one question, have in common. */
struct ledger_run {
	const struct ledger_block *block;
	struct cs_arena *arena; /* output, logs' data, what contracts take */
	struct cs_why *why;
	struct cs_address origin;
	bool is_view;
	struct ledger_gas gas;
	struct ledger_logs logs;
};

void ledger_machine_init(struct ledger_machine *machine, struct ledger_state *state,
			 const struct cs_sig *sig, struct ledger_contracts contracts);
/* A run with so much gas and no logs yet. NO_MEMORY: the arena has no room for LEDGER_LOGS_MAX. */
CS_NODISCARD enum cs_err ledger_run_init(struct ledger_run *run, const struct ledger_block *block,
					 struct cs_arena *arena, struct cs_why *why,
					 const struct cs_address *origin, uint64_t gas_limit);

/* The origin calls `to` with all gas that is left. *success false: it reverted; state, balances and
 * logs are as before, the gas stays used. `output` is what it returned or reverted with, a view in
 * the arena. To an account without a contract: the value is moved, an input reverts (there is
 * nothing that reads it). The failures of ledger_state_get, and those of the arena: NO_MEMORY. */
CS_NODISCARD enum cs_err ledger_machine_call(struct ledger_machine *machine, struct ledger_run *run,
					     bool *success, struct cs_bytes *output,
					     const struct cs_address *to,
					     const struct cs_u256 *value, struct cs_bytes input);

/* A call of the contract by nobody, at depth 0: for what a contract does in blocks without being
 * called. `run` is its own, and outlives it. */
struct ledger_call ledger_machine_as(struct ledger_machine *machine, struct ledger_run *run,
				     const struct ledger_contract *contract);

/* The contract at the address, or NULL. */
const struct ledger_contract *ledger_machine_find(const struct ledger_machine *machine,
						  const struct cs_address *address);

#endif
