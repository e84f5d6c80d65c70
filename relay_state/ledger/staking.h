/* Contract 7: who validates. Validators' deposits, which are bonded, unbond after a delay and are
 * slashed by committed evidence; what validators earn; and the validator set that follows, told to
 * the engine at the end of each block. Deposits are the operator's own: there is no delegation
 * (docs/adr/0038).
 *
 * All that the contract owes lies in its account, so that the sum of all accounts is the supply. */
#ifndef LEDGER_STAKING_H
#define LEDGER_STAKING_H

#include "relay_state/ledger/block.h"

/* Validators that are looked at when the set is made: all that are in it, and as many who wait. Who
 * bonds more than the last who waits takes their seat. */
#define LEDGER_SEATS_MAX 64u
/* Parts of one validator's deposit that wait for the end of the delay; one more is refused. */
#define LEDGER_UNBONDINGS_MAX 8u
/* Of what has waited long enough, paid in one block; the rest in the next ones. */
#define LEDGER_RELEASES_MAX 16u
/* Validators that may leave the set, and that may join it, in one block: a third, so that light
 * clients that skip a few blocks find the validators that they know. */
#define LEDGER_LEAVES_MAX 10u
#define LEDGER_JOINS_MAX 10u
/* One validator's power: 64 of them together stay below CometBFT's bound of the sum (2^60), as it is
 * when changes are applied. */
#define LEDGER_POWER_MAX ((uint64_t)1 << 54)
/* All of the native asset, in its smallest unit. */
#define LEDGER_SUPPLY_BITS_MAX 128u
/* What a chain that stood still mints for at most. */
#define LEDGER_INFLATION_STEP_MAX_S 3600u
/* Epochs of which a validator's efficiency is kept: a ring. */
#define LEDGER_EPOCHS_KEPT 64u

extern const struct ledger_contract ledger_staking;

/* What a key signs to be a validator's: H( TAG("caisson/ledger/validator/v1") ‖ chain tag ‖ operator
 * (32) ). A key that its holder did not give to this operator cannot be bonded. */
struct cs_hash ledger_validator_digest(const struct cs_hash *chain_tag,
				       const struct cs_address *operator);

/* ---- the module's functions (block.h); nothing happens on a chain that was founded without
 * validators here ---- */

/* After the parameters. The section is
 *
 *     {"validators": [{"key": "0x…", "operator": "0x…", "bond": "1000000"}, …]}
 *
 * Bonds are created with it, beside what accounts hold. The set that follows must be the engine's,
 * that of an export too. INVALID: no validators, a bond below the minimum, an engine's set that
 * differs; DUPLICATE; TOO_LARGE: more than seats; OVERFLOW: a supply above its bound; the errors of
 * cs_json_member_…. */
CS_NODISCARD enum cs_err ledger_staking_genesis(struct ledger_call *call,
						const struct ledger_genesis *genesis,
						const struct cs_json *section);
/* Evidence, what was signed and missed, rewards, what has waited long enough, the end of an epoch. */
CS_NODISCARD enum cs_err ledger_staking_begin(struct ledger_call *call,
					      const struct ledger_begin *begin);
/* The changes of the set, in force at height + 2. */
CS_NODISCARD enum cs_err ledger_staking_end(struct ledger_call *call, struct ledger_end *end);

/* ---- for other contracts, each from a call of its own: gas is taken from it ---- */

/* Burns this much of the native asset in the calling contract's own account: out of the supply, where
 * the chain keeps one. DAMAGED: it does not hold as much. */
CS_NODISCARD enum cs_err ledger_staking_burn(struct ledger_call *call,
					     const struct cs_u256 *amount);

#endif
