/* The chain's tag in its own state: what transactions are bound to (tx.h), at the key 0x00 ‖ "chain".
 * Made once, at genesis, of everything else that is there. */
#ifndef LEDGER_CHAIN_H
#define LEDGER_CHAIN_H

#include "relay_state/ledger/state.h"

/* The whole key, as proofs name it. */
struct cs_bytes ledger_chain_key(void);
/* DAMAGED: no such pair, or none of 32 bytes; the failures of ledger_state_get. */
CS_NODISCARD enum cs_err ledger_chain_get(struct ledger_state *state, struct cs_hash *tag);
CS_NODISCARD enum cs_err ledger_chain_put(struct ledger_state *state, const struct cs_hash *tag);

#endif
