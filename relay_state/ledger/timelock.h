/* An owner whose dangerous calls wait in public, a guardian who can only stop things, and the pause:
 * what contracts/evm/src/Timelocked.sol and Pausable.sol are, for the contract that is called. The
 * rows below are part of that contract's table. Knows nothing of what the calls do.
 *
 * Own state: 'p' owner (20) ‖ guardian (20) ‖ delay (8) ‖ paused (1); 't' ‖ id: when ready (8). */
#ifndef LEDGER_TIMELOCK_H
#define LEDGER_TIMELOCK_H

#include "relay_state/ledger/contract.h"

/* A scheduled call that is not made within this is void. */
#define LEDGER_OPERATION_LIFETIME_S (14u * 86400)
/* Of delays that a contract is given: sums with a block's time stay far below 2^64. */
#define LEDGER_DELAY_MAX_S (3650u * 86400)
/* Calldata that is scheduled: a hundred times the longest call that waits. */
#define LEDGER_OPERATION_SIZE_MAX 16384u

/* At genesis. INVALID: no owner, or a delay above the bound. */
CS_NODISCARD enum cs_err ledger_timelock_construct(struct ledger_call *call,
						   const struct cs_address *owner,
						   const struct cs_address *guardian,
						   uint64_t delay_s);

CS_NODISCARD enum cs_err ledger_timelock_delay_get(struct ledger_call *call, uint64_t *delay_s);

/* Revert with NotOwner(), NotOwnerOrGuardian(), InPause(). */
CS_NODISCARD enum cs_err ledger_only_owner(struct ledger_call *call);
CS_NODISCARD enum cs_err ledger_only_owner_or_guardian(struct ledger_call *call);
CS_NODISCARD enum cs_err ledger_not_paused(struct ledger_call *call);
/* Spends the scheduled operation that this call's input is. Reverts with NotOwner(),
 * OperationUnknown(), OperationEarly(uint256), OperationLate(). */
CS_NODISCARD enum cs_err ledger_after_delay(struct ledger_call *call);

ledger_function_fn ledger_timelock_owner, ledger_timelock_guardian, ledger_timelock_delay,
	ledger_timelock_lifetime, ledger_timelock_ready_at, ledger_timelock_schedule,
	ledger_timelock_cancel, ledger_timelock_set_owner, ledger_timelock_set_guardian,
	ledger_timelock_paused, ledger_timelock_pause, ledger_timelock_unpause;

/* clang-format off */
/* The owner's rows alone, for contracts without a pause. */
#define LEDGER_OWNER_FUNCTIONS                                                                  \
	{"owner()", 0x8da5cb5b, 0, false, 0, ledger_timelock_owner},                            \
	{"guardian()", 0x452a9320, 0, false, 0, ledger_timelock_guardian},                      \
	{"delay()", 0x6a42b8f8, 0, false, 0, ledger_timelock_delay},                            \
	{"LIFETIME()", 0xd3c576d8, 0, false, 0, ledger_timelock_lifetime},                      \
	{"readyAt(bytes32)", 0xbea20801, 1, false, 0, ledger_timelock_ready_at},                \
	{"schedule(bytes)", 0xdb26e34d, 1, false, 0, ledger_timelock_schedule},                 \
	{"cancel(bytes)", 0x3c5beeb4, 1, false, 0, ledger_timelock_cancel},                     \
	{"setOwner(address)", 0x13af4035, 1, false, 0, ledger_timelock_set_owner},              \
	{"setGuardian(address)", 0x8a0dac4a, 1, false, 0, ledger_timelock_set_guardian}
#define LEDGER_TIMELOCK_FUNCTIONS                                                               \
	LEDGER_OWNER_FUNCTIONS,                                                                 \
	{"paused()", 0x5c975abb, 0, false, 0, ledger_timelock_paused},                          \
	{"pause()", 0x8456cb59, 0, false, 0, ledger_timelock_pause},                            \
	{"unpause()", 0x3f4ba83a, 0, false, 0, ledger_timelock_unpause}
/* clang-format on */

#endif
