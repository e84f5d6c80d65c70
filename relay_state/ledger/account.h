/* The ledger's accounts: of an address the sequence of its next transaction and what it holds of the
 * native asset, as pairs of the state. Knows no key and no signature (tx.h), and takes no gas.
 *
 *     key   = 0x00 ‖ address (20)
 *     value = sequence (8) ‖ balance (32)
 *
 * An account that never sent anything and holds nothing has no pair. */
#ifndef LEDGER_ACCOUNT_H
#define LEDGER_ACCOUNT_H

#include "core/u256.h"
#include "relay_state/ledger/state.h"

#define LEDGER_ACCOUNT_KEY_SIZE 21u
#define LEDGER_ACCOUNT_SIZE 40u

struct ledger_account {
	uint64_t sequence;
	struct cs_u256 balance;
};

/* The first byte of the key of everything that belongs to no contract. */
#define LEDGER_OWN_KEYS 0u

void ledger_account_key(uint8_t key[LEDGER_ACCOUNT_KEY_SIZE], const struct cs_address *address);
/* DAMAGED: a pair that is no account; the failures of ledger_state_get but NOT_FOUND. */
CS_NODISCARD enum cs_err ledger_account_get(struct ledger_state *state,
					    struct ledger_account *account,
					    const struct cs_address *address);
CS_NODISCARD enum cs_err ledger_account_put(struct ledger_state *state,
					    const struct cs_address *address,
					    const struct ledger_account *account);
/* The bytes of a pair's value: DAMAGED when they are no account. */
CS_NODISCARD enum cs_err ledger_account_decode(struct ledger_account *account,
					       struct cs_bytes value);
/* *moved false, and nothing changes: `from` holds less, or `to` would hold more than there can be. */
CS_NODISCARD enum cs_err ledger_account_move(struct ledger_state *state, bool *moved,
					     const struct cs_address *from,
					     const struct cs_address *to,
					     const struct cs_u256 *amount);

#endif
