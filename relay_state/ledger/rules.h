/* The few numbers of the state by which blocks are made and transactions admitted: what a block
 * holds, what gas costs at least, how many versions are kept. Genesis sets them, contract 10 changes
 * them; knows nothing of who may.
 *
 *     key   = 0x00 ‖ "rules"
 *     value = gas of a block (8) ‖ versions kept (8) ‖ least price of gas (16) */
#ifndef LEDGER_RULES_H
#define LEDGER_RULES_H

#include "core/u256.h"
#include "relay_state/ledger/state.h"

/* How many blocks back questions are answered and proven, unless genesis says otherwise: a relayer
 * that was away for an hour of blocks every four seconds finds its proof. */
#define LEDGER_VERSIONS_KEPT_DEFAULT 1000u
/* More would be an archive, which the chain itself is. */
#define LEDGER_VERSIONS_KEPT_MAX 100000u

struct ledger_rules {
	uint64_t block_gas;           /* at most LEDGER_BLOCK_GAS, for which memory is set aside */
	uint64_t versions_kept;       /* 1 to LEDGER_VERSIONS_KEPT_MAX */
	struct cs_u256 gas_price_min; /* below 2^128 */
};

/* DAMAGED: no such pair, or none of this form; the failures of ledger_state_get. */
CS_NODISCARD enum cs_err ledger_rules_get(struct ledger_state *state, struct ledger_rules *rules);
/* INVALID: outside of the bounds above. */
CS_NODISCARD enum cs_err ledger_rules_put(struct ledger_state *state,
					  const struct ledger_rules *rules);

#endif
