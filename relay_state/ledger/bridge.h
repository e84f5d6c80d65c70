/* Contract 2, the ledger's bridge: what contracts/evm/src/CaissonTokenBridge.sol is, over the assets of
 * contract 3, with the same functions, errors, events and rules (docs/ledger.md says what differs). An
 * asset is locked at home and minted abroad, burned abroad and released at home; the payload of a
 * transfer and what bounds it are the Solidity contract's. It calls the gateway and the assets, and
 * nothing else. */
#ifndef LEDGER_BRIDGE_H
#define LEDGER_BRIDGE_H

#include "relay_state/ledger/contract.h"

#define LEDGER_BRIDGE_NUMBER 2u

extern const struct ledger_contract ledger_bridge;

/* Solidity's constructor arguments; the gateway is contract 1. */
struct ledger_bridge_terms {
	struct cs_address owner;
	struct cs_address guardian;
	uint64_t delay_s;
	uint64_t window_s; /* in which caps count */
};

/* At genesis, `call` being a call of contract 2 by nobody. INVALID: no owner, a delay above
 * LEDGER_DELAY_MAX_S, a window of 0. */
CS_NODISCARD enum cs_err ledger_bridge_construct(struct ledger_call *call,
						 const struct ledger_bridge_terms *terms);

#endif
