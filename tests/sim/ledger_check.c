/* What must hold of the ledger in every node and of both sides, after every block and at the end. */
#include "relay_state/ledger/account.h"
#include "relay_state/ledger/assets.h"
#include "relay_state/ledger/bridge.h"
#include "relay_state/ledger/gateway.h"
#include "tests/sim/ledger.h"

#include <inttypes.h>
#include <string.h>

#define ASSETS_MAX 64u
#define STAKING_WORDS 7u

struct asset_sum {
	struct cs_address asset;
	uint64_t supply;
	uint64_t balances;
	uint64_t in_bridge;
	uint64_t claimable;
};

struct sums {
	struct cs_u256 native;
	uint64_t staking; /* the account of contract 7 */
	struct asset_sum assets[ASSETS_MAX];
	size_t count;
};

static uint64_t u64_of(struct cs_bytes word)
{
	struct cs_u256 value;
	uint64_t low;
	cs_assert(cs_u256_from_bytes(&value, word) == CS_OK);
	cs_assert(cs_u256_to_u64(&low, &value) == CS_OK);
	return low;
}

static struct asset_sum *asset_at(struct sums *s, const uint8_t *asset)
{
	size_t i = 0;
	while (i < s->count && memcmp(s->assets[i].asset.b, asset, 20) != 0)
		i++;
	cs_assert(i < ASSETS_MAX);
	if (i == s->count) {
		s->assets[i] = (struct asset_sum){.supply = 0};
		memcpy(s->assets[s->count++].asset.b, asset, 20);
	}
	return &s->assets[i];
}

static enum cs_err on_pair(void *context, struct cs_bytes key, struct cs_bytes value)
{
	const struct cs_address bridge = ledger_contract_address(LEDGER_BRIDGE_NUMBER);
	const struct cs_address staking = ledger_contract_address(LEDGER_STAKING_NUMBER);
	struct sums *s = context;
	if (key.p[0] == LEDGER_OWN_KEYS && key.n == LEDGER_ACCOUNT_KEY_SIZE) {
		struct cs_u256 balance;
		cs_assert(cs_u256_from_bytes(&balance, cs_bytes(value.p + 8, 32)) == CS_OK);
		cs_assert(cs_u256_add(&s->native, &s->native, &balance) == CS_OK);
		if (memcmp(key.p + 1, staking.b, 20) == 0)
			s->staking = u64_of(cs_bytes(value.p + 8, 32));
	} else if (key.p[0] == LEDGER_ASSETS_NUMBER && key.p[1] == 't') {
		asset_at(s, key.p + 2)->supply = u64_of(value);
	} else if (key.p[0] == LEDGER_ASSETS_NUMBER && key.p[1] == 'b') {
		struct asset_sum *asset = asset_at(s, key.p + 2);
		asset->balances += u64_of(value);
		if (memcmp(key.p + 22, bridge.b, 20) == 0)
			asset->in_bridge = u64_of(value);
	} else if (key.p[0] == LEDGER_BRIDGE_NUMBER && key.p[1] == 'q') {
		asset_at(s, key.p + 2)->claimable += u64_of(value);
	}
	return CS_OK;
}

static struct sums sums_of(struct sim_ledger *l)
{
	const struct ledger_db db = memory_db_table(l->db);
	struct sums s = {.count = 0};
	cs_assert(db.scan(db.context, LEDGER_VALUES, CS_BYTES_NONE, CS_BYTES_NONE, on_pair, &s) ==
		  CS_OK);
	return s;
}

/* ---- one ledger ---- */

/* supply, bonded, unbonding, rewards, community, minted, burnt. */
static bool staking_totals(struct sim_ledger *l, uint64_t totals[STAKING_WORDS])
{
	const struct cs_bytes value = sim_ledger_ask(l, LEDGER_STAKING_NUMBER, "totals()", NULL, 0);
	if (value.n != 32 * STAKING_WORDS)
		return false;
	for (size_t i = 0; i < STAKING_WORDS; i++)
		totals[i] = u64_of(cs_bytes(value.p + 32 * i, 32));
	return true;
}

static void check_native(struct sim *sim, struct sim_ledger *l, const struct sums *s,
			 const char *who)
{
	uint64_t t[STAKING_WORDS], native;
	const uint64_t given = SIM_ACCOUNTS * (uint64_t)SIM_FUNDS;
	cs_assert(cs_u256_to_u64(&native, &s->native) == CS_OK);
	if (l->side == SIM_FAR) {
		if (native != given)
			sim_fail(sim, "%s: the native asset is not conserved", who);
		return;
	}
	if (!staking_totals(l, t)) {
		sim_fail(sim, "%s: no totals", who);
		return;
	}
	if (native != t[0] || t[0] + t[6] != given + sim->keys * (uint64_t)SIM_BOND + t[5])
		sim_fail(sim, "%s: the native asset is not conserved", who);
	if (s->staking != t[1] + t[2] + t[3] + t[4] + l->fees)
		sim_fail(sim, "%s: deposits, rewards and fees are not what is held for them", who);
}

void sim_ledger_check(struct sim *sim, struct sim_ledger *l, const char *who)
{
	const struct sums s = sums_of(l);
	check_native(sim, l, &s, who);
	for (size_t i = 0; i < s.count; i++) {
		if (s.assets[i].supply != s.assets[i].balances)
			sim_fail(sim, "%s: an asset's balances are not its supply", who);
	}
}

/* ---- validators ---- */

static uint64_t told_power(struct cs_bytes set, const struct cs_address *address)
{
	for (size_t at = 64; at + 64 <= set.n; at += 64) {
		if (memcmp(set.p + at + 12, address->b, sizeof address->b) == 0)
			return u64_of(cs_bytes(set.p + at + 32, 32));
	}
	return 0;
}

/* Power from the deposit; 0 in jail or with a tombstone. */
static uint64_t power_of(struct sim *sim, struct sim_ledger *l, unsigned key)
{
	struct cs_hash word = {{0}};
	memcpy(word.b + 12, sim->address[key].b, 20);
	const struct cs_bytes v =
		sim_ledger_ask(l, LEDGER_STAKING_NUMBER, "validatorOf(address)", &word, 1);
	if (v.n != 7 * 32)
		return 0;
	const bool is_jailed = u64_of(cs_bytes(v.p + 4 * 32, 32)) != 0;
	const bool is_out = u64_of(cs_bytes(v.p + 5 * 32, 32)) != 0;
	if (is_out && !sim_is_guilty(sim, key))
		sim_fail(sim, "key %u has a tombstone, and has signed nothing twice", key);
	if (!is_out && sim->pair->must_be_out[key])
		sim_fail(sim, "key %u has no tombstone after its evidence", key);
	sim->pair->jailed += is_jailed;
	sim->pair->tombstoned += is_out;
	return is_jailed || is_out ? 0 : u64_of(cs_bytes(v.p + 2 * 32, 32)) / SIM_POWER_UNIT;
}

void sim_ledger_check_set(struct sim *sim, struct sim_node *node)
{
	uint64_t powers[SIM_NODES_MAX], all = 0;
	uint8_t bytes[64 + 64 * SIM_NODES_MAX];
	for (unsigned i = 0; i < sim->keys; i++)
		all += powers[i] = power_of(sim, node->ledger, i);
	const struct cs_bytes value =
		sim_ledger_ask(node->ledger, LEDGER_STAKING_NUMBER, "validators()", NULL, 0);
	cs_assert(value.n <= sizeof bytes);
	memcpy(bytes, value.p, value.n);
	/* Where nobody has power the last set stays. */
	for (unsigned i = 0; i < sim->keys && all > 0; i++) {
		const uint64_t told = told_power(cs_bytes(bytes, value.n), &sim->address[i]);
		if (told != powers[i])
			sim_fail(sim,
				 "node %u: key %u has power %" PRIu64 ", deposited for %" PRIu64
				 " at %" PRId64,
				 node->index, i, told, powers[i], node->disk.app.height);
	}
}

/* ---- both ---- */

static enum wire_status word_status(struct cs_bytes value)
{
	cs_assert(value.n == 32);
	return (enum wire_status)value.p[31];
}

static void look(struct sim *sim, struct sim_ledger *const sides[2], struct sim_flight *flight)
{
	struct cs_hash words[2] = {flight->message.head.source, {{0}}};
	cs_put_be64(words[1].b + 24, flight->message.head.sequence);
	const enum wire_status status =
		word_status(sim_ledger_ask(sides[1 - flight->from], LEDGER_GATEWAY_NUMBER,
					   "statusOf(bytes32,uint64)", words, 2));
	const enum wire_status outcome = word_status(sim_ledger_ask(
		sides[flight->from], LEDGER_GATEWAY_NUMBER, "outcomeOf(bytes32)", &flight->id, 1));
	if (flight->status >= WIRE_STATUS_DELIVERED && status != flight->status)
		sim_fail(sim, "what became of a message has changed");
	if (flight->outcome >= WIRE_STATUS_DELIVERED && outcome != flight->outcome)
		sim_fail(sim, "what is known of a message has changed");
	if (status == WIRE_STATUS_DELIVERED && outcome == WIRE_STATUS_DEAD)
		sim_fail(sim, "a message is delivered and refunded");
	if (outcome >= WIRE_STATUS_DELIVERED && !flight->has_signed[outcome])
		sim_fail(sim, "an outcome is taken that nobody has proven");
	const bool is_late = flight->message.head.deadline <= sim->pair->time_s[1 - flight->from];
	if (is_late && status != flight->status && status != WIRE_STATUS_DEAD)
		sim_fail(sim, "a message is tried after its deadline");
	if (!is_late && status == WIRE_STATUS_DEAD && !flight->is_closable)
		sim_fail(sim, "a message that nobody may close is dead before its deadline");
	sim->pair->retried +=
		status == WIRE_STATUS_DELIVERED && flight->status == WIRE_STATUS_FAILED;
	sim->pair->delivered += status == WIRE_STATUS_DELIVERED && flight->status != status;
	sim->pair->refunded += outcome == WIRE_STATUS_DEAD && flight->outcome != outcome;
	flight->status = status;
	flight->outcome = outcome;
}

static uint64_t with_people(struct sim_ledger *l)
{
	const struct cs_address owner = sim_ledger_address(SIM_OWNER);
	const struct cs_address asset = ledger_asset_of(&owner, cs_bytes_str("T"));
	struct sums s = sums_of(l);
	const struct asset_sum *sum = asset_at(&s, asset.b);
	return sum->supply - sum->in_bridge + sum->claimable;
}

/* What people hold on both sides, and what is on its way. */
void sim_pair_check(struct sim *sim, struct sim_ledger *near)
{
	struct sim_pair *pair = sim->pair;
	struct sim_ledger *const sides[2] = {near, pair->far};
	uint64_t all = 0;
	for (size_t i = 0; i < pair->flight_count; i++) {
		struct sim_flight *flight = &pair->flights[i];
		if (flight->outcome < WIRE_STATUS_DELIVERED || sim_chance(&sim->rng, 1000))
			look(sim, sides, flight);
		if (flight->status != WIRE_STATUS_DELIVERED && flight->outcome != WIRE_STATUS_DEAD)
			all += flight->amount;
	}
	const uint64_t near_has = with_people(near);
	all += near_has + with_people(pair->far);
	if (all != 0 && all != SIM_GIVEN)
		sim_fail(sim, "over both sides there are %" PRIu64 " of the asset, not %u", all,
			 SIM_GIVEN);
}
