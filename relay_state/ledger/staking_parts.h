/* What the files of the staking contract share: its pairs, and the functions by which one part calls
 * another. Not for other contracts.
 *
 * Own state, all numbers big-endian:
 *     'v' ‖ address   a validator, by the address of its key (CometBFT's)
 *     'u' ‖ address   parts of its deposit that wait, oldest first
 *     'n' ‖ address   what it earned and did in this epoch
 *     'w' ‖ address   the blocks of the window that it missed; no pair: none
 *     'e' ‖ address ‖ number of an epoch modulo LEDGER_EPOCHS_KEPT: what it did then
 *     'q' ‖ index     of everything that waits, in the order in which it is paid; 'h': from where to where
 *     'l'             seats: who is looked at for the set
 *     'm'             the set as the engine was told
 *     'a'             who was asked for the last commit, and how many blocks of the window it missed
 *     't'             totals of the asset
 *     'd'             what a unit of power has earned so far, and the epoch */
#ifndef LEDGER_STAKING_PARTS_H
#define LEDGER_STAKING_PARTS_H

#include "core/ed25519.h"
#include "relay_state/ledger/gas.h"
#include "relay_state/ledger/pairs.h"
#include "relay_state/ledger/parameters.h"
#include "relay_state/ledger/staking.h"

/* ---- pairs ---- */

struct staking_validator {
	struct cs_address address;
	struct cs_ed25519_key key;
	struct cs_address operator;
	struct cs_u256 bonded;
	uint64_t jailed_until_s; /* 0: not jailed */
	bool tombstoned;
};
/* NOT_FOUND. */
CS_NODISCARD enum cs_err staking_validator_get(struct ledger_call *call,
					       struct staking_validator *validator,
					       const struct cs_address *address);
CS_NODISCARD enum cs_err staking_validator_put(struct ledger_call *call,
					       const struct staking_validator *validator);

struct staking_unbonding {
	struct cs_u256 amount;
	uint64_t height; /* of the block that took it out of the deposit */
	uint64_t matures_s;
};
struct staking_unbondings {
	size_t count;
	struct staking_unbonding items[LEDGER_UNBONDINGS_MAX];
};
CS_NODISCARD enum cs_err staking_unbondings_get(struct ledger_call *call,
						struct staking_unbondings *unbondings,
						const struct cs_address *address);
CS_NODISCARD enum cs_err staking_unbondings_put(struct ledger_call *call,
						const struct staking_unbondings *unbondings,
						const struct cs_address *address);

/* Fixed point: rewards have 64 bits behind the point, expected proposals 96. */
struct staking_record {
	struct cs_u256 owed;
	struct cs_u256 reward_begin; /* of staking_shares, up to which it is in here */
	struct cs_u256 expected_begin;
	uint64_t blocks_begin;
	uint64_t epoch;
	uint64_t asked; /* blocks whose commit it belonged to */
	uint64_t missed;
	uint64_t proposed;
	struct cs_u256 expected;
};
CS_NODISCARD enum cs_err staking_record_get(struct ledger_call *call, struct staking_record *record,
					    const struct cs_address *address);
CS_NODISCARD enum cs_err staking_record_put(struct ledger_call *call,
					    const struct staking_record *record,
					    const struct cs_address *address);
CS_NODISCARD enum cs_err staking_epoch_get(struct ledger_call *call, struct staking_record *record,
					   const struct cs_address *address, uint64_t epoch);
CS_NODISCARD enum cs_err staking_epoch_put(struct ledger_call *call,
					   const struct staking_record *record,
					   const struct cs_address *address);

struct staking_totals {
	struct cs_u256 supply;
	struct cs_u256 bonded;
	struct cs_u256 unbonding;
	struct cs_u256 rewards; /* owed to validators, remainders too */
	struct cs_u256 community;
	struct cs_u256 minted;
	struct cs_u256 burnt;
};
#define STAKING_TOTALS_COUNT 7u
/* NOT_FOUND: the chain has no staking. */
CS_NODISCARD enum cs_err staking_totals_get(struct ledger_call *call,
					    struct staking_totals *totals);
CS_NODISCARD enum cs_err staking_totals_put(struct ledger_call *call,
					    const struct staking_totals *totals);

struct staking_shares {
	struct cs_u256 reward;   /* that a unit of power has earned since genesis */
	struct cs_u256 expected; /* proposals that a unit of power should have made */
	uint64_t reward_rest;    /* what was too little for a unit, 64 bits behind the point */
	uint64_t mint_rest;      /* in millionths of a unit and year */
	uint64_t blocks;         /* with a last commit, since genesis */
	uint64_t epoch;
	uint64_t epoch_blocks; /* of this epoch */
	uint64_t time_s;       /* of the last block */
};
CS_NODISCARD enum cs_err staking_shares_get(struct ledger_call *call,
					    struct staking_shares *shares);
CS_NODISCARD enum cs_err staking_shares_put(struct ledger_call *call,
					    const struct staking_shares *shares);

struct staking_power {
	struct cs_address address;
	uint64_t power;
	uint32_t missed; /* of 'a' alone */
};
/* Room for whichever list is the longest. */
struct staking_powers {
	size_t count;
	struct staking_power items[LEDGER_SEATS_MAX];
};
enum staking_list {
	STAKING_SEATS = 'l', /* power 0: waits, is jailed or has too little */
	STAKING_SET = 'm',
	STAKING_VOTERS = 'a',
};
CS_NODISCARD enum cs_err staking_powers_get(struct ledger_call *call, struct staking_powers *powers,
					    enum staking_list list);
CS_NODISCARD enum cs_err staking_powers_put(struct ledger_call *call,
					    const struct staking_powers *powers,
					    enum staking_list list);
/* NULL: not in it. */
struct staking_power *staking_powers_find(struct staking_powers *powers,
					  const struct cs_address *address);
void staking_powers_drop(struct staking_powers *powers, struct staking_power *item);
/* More power first, then the lower address: CometBFT's order. */
bool staking_power_before(const struct staking_power *a, const struct staking_power *b);

/* ---- staking_set.c ---- */

/* Of a deposit: 0 when it is below the minimum. */
uint64_t staking_power_of(const struct cs_u256 *bonded, const struct ledger_parameters *parameters);
/* The least deposit that has power. */
struct cs_u256 staking_bond_min(const struct ledger_parameters *parameters);
/* The validator's seat follows from what it is now. *seated false: it has none, and there is none
 * for its power. */
CS_NODISCARD enum cs_err staking_seat(struct ledger_call *call, bool *seated,
				      const struct staking_validator *validator,
				      const struct ledger_parameters *parameters);
/* Is this the only one with power? */
CS_NODISCARD enum cs_err staking_is_last(struct ledger_call *call, bool *is_last,
					 const struct cs_address *address);
/* Every deposit's power anew: after a change of what power is. */
CS_NODISCARD enum cs_err staking_seats_count(struct ledger_call *call,
					     const struct ledger_parameters *parameters);
/* The set that the seats' powers make, in CometBFT's order; empty where nobody has power. */
void staking_best(struct staking_powers *best, const struct staking_powers *seats,
		  uint64_t count_max);

/* ---- staking_queue.c ---- */

/* Takes the amount out of the deposit, into what waits. Reverts with TooManyUnbondings(). */
CS_NODISCARD enum cs_err staking_unbond(struct ledger_call *call,
					struct staking_validator *validator,
					const struct cs_u256 *amount, uint64_t delay_s);
/* Pays what has waited long enough. */
CS_NODISCARD enum cs_err staking_release(struct ledger_call *call);

/* ---- staking_slash.c ---- */

CS_NODISCARD enum cs_err staking_punish(struct ledger_call *call,
					const struct abci_misbehaviors *misbehavior,
					const struct ledger_parameters *parameters);
/* A block of the last commit that the voter missed (or not, while it missed others): its window, and
 * the jail when there are too many. */
CS_NODISCARD enum cs_err staking_watch(struct ledger_call *call, struct staking_power *voter,
				       bool missed, const struct ledger_parameters *parameters);
CS_NODISCARD enum cs_err staking_window_forget(struct ledger_call *call,
					       const struct cs_address *address);

/* ---- staking_rewards.c ---- */

/* What the votes of the last commit, and the proposer, did; fees and inflation to those who signed. */
CS_NODISCARD enum cs_err staking_count(struct ledger_call *call,
				       const struct abci_commit_info *last_commit,
				       const struct ledger_parameters *parameters);
/* The record of a validator with everything up to now in it; written by the caller. */
CS_NODISCARD enum cs_err staking_record_now(struct ledger_call *call, struct staking_record *record,
					    const struct cs_address *address);
/* Whole units of what is owed are taken out of the record. */
struct cs_u256 staking_take_owed(struct staking_record *record);

/* ---- the asset ---- */

/* From the contract's account. A contract that cannot pay what it owes is DAMAGED. */
CS_NODISCARD enum cs_err staking_pay(struct ledger_call *call, const struct cs_address *to,
				     const struct cs_u256 *amount);
/* Sums of what there is cannot overflow, differences are of parts: anything else is DAMAGED. */
CS_NODISCARD enum cs_err staking_add(struct ledger_call *call, struct cs_u256 *sum,
				     const struct cs_u256 *more);
CS_NODISCARD enum cs_err staking_sub(struct ledger_call *call, struct cs_u256 *rest,
				     const struct cs_u256 *less);
CS_NODISCARD enum cs_err staking_mul(struct ledger_call *call, struct cs_u256 *product,
				     uint64_t factor);

/* ---- staking_views.c ---- */

ledger_function_fn staking_validator_of, staking_unbondings_of, staking_rewards_of, staking_set_now,
	staking_seats_now, staking_totals_now, staking_epoch_now, staking_efficiency_of;

#endif
