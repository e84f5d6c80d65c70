#include "relay_state/ledger/staking_parts.h"

#include <string.h>

#define KIND_COUNTED 'p'
#define COUNTED_SIZE 16u

/* ---- power ---- */

struct cs_u256 staking_bond_min(const struct ledger_parameters *parameters)
{
	const struct cs_u256 unit = cs_u256_u64(parameters->values[LEDGER_PARAM_POWER_UNIT]);
	const struct cs_u256 units = cs_u256_u64(parameters->values[LEDGER_PARAM_POWER_MIN]);
	struct cs_u256 bond;
	enum cs_err err = cs_u256_mul(&bond, &unit, &units);
	cs_assert(err == CS_OK);
	return bond;
}

uint64_t staking_power_of(const struct cs_u256 *bonded, const struct ledger_parameters *parameters)
{
	uint64_t rest, power;
	const struct cs_u256 units =
		cs_u256_div_u64(&rest, bonded, parameters->values[LEDGER_PARAM_POWER_UNIT]);
	if (cs_u256_to_u64(&power, &units) != CS_OK || power > LEDGER_POWER_MAX)
		power = LEDGER_POWER_MAX;
	return power < parameters->values[LEDGER_PARAM_POWER_MIN] ? 0 : power;
}

static uint64_t power_now(const struct staking_validator *validator,
			  const struct ledger_parameters *parameters)
{
	if (validator->tombstoned || validator->jailed_until_s != 0)
		return 0;
	return staking_power_of(&validator->bonded, parameters);
}

/* ---- seats ---- */

/* A new one, or that of the last who waits and has less power. */
static struct staking_power *seat_for(struct staking_powers *seats, struct staking_powers *set,
				      uint64_t power)
{
	struct staking_power *last = NULL;
	if (seats->count < LEDGER_SEATS_MAX)
		return &seats->items[seats->count++];
	for (size_t i = 0; i < seats->count; i++) {
		struct staking_power *item = &seats->items[i];
		if (staking_powers_find(set, &item->address) == NULL &&
		    (last == NULL || staking_power_before(last, item)))
			last = item;
	}
	return last != NULL && last->power < power ? last : NULL;
}

enum cs_err staking_seat(struct ledger_call *call, bool *seated,
			 const struct staking_validator *validator,
			 const struct ledger_parameters *parameters)
{
	struct staking_powers seats, set;
	const uint64_t power = power_now(validator, parameters);
	CS_TRY(staking_powers_get(call, &seats, STAKING_SEATS));
	struct staking_power *item = staking_powers_find(&seats, &validator->address);
	if (validator->tombstoned || cs_u256_is_zero(&validator->bonded)) {
		*seated = false;
		if (item == NULL)
			return CS_OK;
		staking_powers_drop(&seats, item);
		return staking_powers_put(call, &seats, STAKING_SEATS);
	}
	if (item == NULL) {
		CS_TRY(staking_powers_get(call, &set, STAKING_SET));
		item = seat_for(&seats, &set, power);
	}
	*seated = item != NULL;
	if (item == NULL)
		return CS_OK;
	*item = (struct staking_power){.address = validator->address, .power = power};
	return staking_powers_put(call, &seats, STAKING_SEATS);
}

enum cs_err staking_is_last(struct ledger_call *call, bool *is_last,
			    const struct cs_address *address)
{
	struct staking_powers seats;
	bool has_power = false, others = false;
	CS_TRY(staking_powers_get(call, &seats, STAKING_SEATS));
	for (size_t i = 0; i < seats.count; i++) {
		if (seats.items[i].power == 0)
			continue;
		if (cs_address_eq(&seats.items[i].address, address))
			has_power = true;
		else
			others = true;
	}
	*is_last = has_power && !others;
	return CS_OK;
}

enum cs_err staking_seats_count(struct ledger_call *call,
				const struct ledger_parameters *parameters)
{
	uint8_t counted[COUNTED_SIZE], now[COUNTED_SIZE];
	const struct ledger_key key = ledger_key(KIND_COUNTED);
	struct staking_powers seats;
	CS_TRY(ledger_get_fixed(call, counted, sizeof counted, &key));
	cs_put_be64(now, parameters->values[LEDGER_PARAM_POWER_UNIT]);
	cs_put_be64(now + 8, parameters->values[LEDGER_PARAM_POWER_MIN]);
	if (memcmp(counted, now, sizeof now) == 0)
		return CS_OK;
	CS_TRY(staking_powers_get(call, &seats, STAKING_SEATS));
	for (size_t i = 0; i < seats.count; i++) {
		struct staking_validator validator;
		CS_TRY(staking_validator_get(call, &validator, &seats.items[i].address));
		seats.items[i].power = power_now(&validator, parameters);
	}
	CS_TRY(staking_powers_put(call, &seats, STAKING_SEATS));
	return ledger_put_fixed(call, &key, now, sizeof now);
}

/* ---- the set ---- */

static void sort(struct staking_powers *powers)
{
	for (size_t i = 1; i < powers->count; i++) {
		const struct staking_power item = powers->items[i];
		size_t at = i;
		for (; at > 0 && staking_power_before(&item, &powers->items[at - 1]); at--)
			powers->items[at] = powers->items[at - 1];
		powers->items[at] = item;
	}
}

void staking_best(struct staking_powers *best, const struct staking_powers *seats,
		  uint64_t count_max)
{
	best->count = 0;
	for (size_t i = 0; i < seats->count; i++) {
		if (seats->items[i].power > 0)
			best->items[best->count++] = seats->items[i];
	}
	sort(best);
	if (best->count > count_max)
		best->count = count_max;
}

/* What changes, in the order in which it is told. */
struct changes {
	size_t count;
	struct staking_power items[LEDGER_VALIDATORS_MAX];
};

static void change(struct changes *changes, const struct cs_address *address, uint64_t power)
{
	cs_assert(changes->count < CS_LEN(changes->items));
	changes->items[changes->count++] =
		(struct staking_power){.address = *address, .power = power};
}

static void leave(struct staking_powers *set, struct changes *changes, struct staking_powers *best)
{
	size_t left = 0;
	for (size_t i = 0; i < set->count && left < LEDGER_LEAVES_MAX;) {
		struct staking_power *item = &set->items[i];
		if (staking_powers_find(best, &item->address) != NULL) {
			i++;
			continue;
		}
		change(changes, &item->address, 0);
		staking_powers_drop(set, item);
		left++;
	}
}

static void join(struct staking_powers *set, struct changes *changes,
		 const struct staking_powers *best, uint64_t count_max)
{
	size_t joined = 0;
	for (size_t i = 0; i < best->count && joined < LEDGER_JOINS_MAX && set->count < count_max;
	     i++) {
		const struct staking_power *item = &best->items[i];
		if (staking_powers_find(set, &item->address) != NULL)
			continue;
		change(changes, &item->address, item->power);
		set->items[set->count++] = *item;
		joined++;
	}
}

/* Beginning at another one in each block, so that nobody's change waits for ever behind others'. */
static void rise_and_fall(struct staking_powers *set, struct changes *changes,
			  struct staking_powers *best, uint64_t height)
{
	for (size_t k = 0; k < set->count && changes->count < CS_LEN(changes->items); k++) {
		struct staking_power *item = &set->items[(height + k) % set->count];
		const struct staking_power *wanted = staking_powers_find(best, &item->address);
		if (wanted == NULL || wanted->power == item->power)
			continue;
		change(changes, &item->address, wanted->power);
		item->power = wanted->power;
	}
}

static enum cs_err tell(struct ledger_call *call, struct abci_validator_updates *updates,
			const struct changes *changes)
{
	struct abci_validator_update *items =
		cs_arena_calloc(call->arena, changes->count, sizeof *items);
	if (items == NULL)
		return CS_ERR_NO_MEMORY;
	for (size_t i = 0; i < changes->count; i++) {
		struct staking_validator validator;
		CS_TRY(staking_validator_get(call, &validator, &changes->items[i].address));
		items[i].pub_key.type = ABCI_KEY_ED25519;
		items[i].pub_key.bytes = cs_arena_copy(call->arena, CS_BYTES_OF(validator.key.b));
		if (items[i].pub_key.bytes.p == NULL)
			return CS_ERR_NO_MEMORY;
		items[i].power = (int64_t)changes->items[i].power;
	}
	*updates = (struct abci_validator_updates){items, changes->count};
	return CS_OK;
}

static enum cs_err change_set(struct ledger_call *call, struct abci_validator_updates *updates,
			      uint64_t count_max)
{
	struct staking_powers seats, set, best;
	struct changes changes = {0};
	CS_TRY(staking_powers_get(call, &seats, STAKING_SEATS));
	CS_TRY(staking_powers_get(call, &set, STAKING_SET));
	staking_best(&best, &seats, count_max);
	/* A chain without validators is at its end: those whom nobody replaces go on. */
	if (best.count == 0)
		return CS_OK;
	leave(&set, &changes, &best);
	join(&set, &changes, &best, count_max);
	rise_and_fall(&set, &changes, &best, call->block->height);
	if (changes.count == 0)
		return CS_OK;
	sort(&set);
	CS_TRY(staking_powers_put(call, &set, STAKING_SET));
	return tell(call, updates, &changes);
}

enum cs_err ledger_staking_end(struct ledger_call *call, struct ledger_end *end)
{
	struct ledger_parameters parameters;
	struct staking_totals totals;
	enum cs_err err = staking_totals_get(call, &totals);
	if (err == CS_ERR_NOT_FOUND)
		return CS_OK;
	if (err != CS_OK)
		return err;
	CS_TRY(ledger_parameters_get(call->state, &parameters));
	CS_TRY(staking_seats_count(call, &parameters));
	return change_set(call, &end->validator_updates,
			  parameters.values[LEDGER_PARAM_VALIDATORS]);
}
