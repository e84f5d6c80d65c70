#include "tests/unit/ledger/staking_steps.h"

#include "core/reader.h"

#include <stdio.h>
#include <string.h>

#define CALLS_MAX 6u
#define EVIDENCE_MAX 3u
/* Keys that take part: more than seats only where the bytes say so. */
#define KEYS_FEW 12u

struct life {
	struct world *world;
	struct cs_reader in;
	size_t keys;
	struct staking_lived *lived;
};

static uint8_t next(struct life *life)
{
	return life->in.left == 0 ? 0 : cs_get_u8(&life->in);
}

static size_t any_key(struct life *life)
{
	return next(life) % life->keys;
}

/* Small ones, round ones, and more than anybody has. */
static uint64_t any_amount(struct life *life)
{
	static const uint64_t amounts[] = {0,   1,    2,      99,       100,        199,
					   200, 1000, 123457, 99999999, 2000000000, UINT64_MAX};
	const uint8_t byte = next(life);
	return byte < 128 ? (uint64_t)byte * 50 : amounts[byte % CS_LEN(amounts)];
}

static void count_call(struct life *life, bool success)
{
	if (success)
		life->lived->called++;
	else
		life->lived->refused++;
}

static void do_call(struct life *life)
{
	static const char *const names[] = {"bond(address)", "unbond(address,uint256)",
					    "unjail(address)", "withdrawRewards(address)",
					    "rewardsOf(address)"};
	struct world *world = life->world;
	const uint8_t which = next(life) % 8;
	const size_t i = any_key(life);
	const uint64_t amount = any_amount(life);
	const struct cs_hash words[] = {ledger_word_address(&world->keys[i].address),
					ledger_word_u64(amount)};
	const struct cs_address *from = &world->keys[i].operator;
	struct cs_bytes output;
	if (which == 5) {
		count_call(life, world_register(world, &output, i, amount));
	} else if (which == 6) {
		world_pay_fees(world, from, amount);
	} else if (which == 7) {
		const size_t n = next(life) % 96;
		count_call(life,
			   world_call(world, &output, from, 0, LEDGER_STAKING_NUMBER,
				      cs_get(&life->in, n < life->in.left ? n : life->in.left)));
	} else {
		count_call(life, world_do(world, &output, from, which == 0 ? amount : 0,
					  LEDGER_STAKING_NUMBER, names[which], words,
					  which == 1 ? 2 : 1));
	}
}

/* Nine of ten sign, but whoever the bytes choose to be down stays so for long. */
static void any_flags(struct life *life, enum abci_block_id_flag flags[LEDGER_VALIDATORS_MAX])
{
	const uint8_t down = next(life), kind = next(life);
	for (size_t i = 0; i < LEDGER_VALIDATORS_MAX; i++) {
		flags[i] = ABCI_BLOCK_ID_COMMIT;
		if (i == down % 5u && kind < 200)
			flags[i] = ABCI_BLOCK_ID_ABSENT;
		else if (i == kind % 7u && down < 20)
			flags[i] = ABCI_BLOCK_ID_NIL;
	}
}

static void do_block(struct life *life)
{
	struct world *world = life->world;
	struct abci_misbehavior evidence[EVIDENCE_MAX];
	enum abci_block_id_flag flags[LEDGER_VALIDATORS_MAX];
	const uint8_t shape = next(life);
	struct world_tells tells = {.flags = flags, .misbehaviors = evidence, .seconds = 1};
	const size_t before = world->next.count;
	any_flags(life, flags);
	tells.misbehavior_count = shape % 16 < EVIDENCE_MAX ? shape % 16 : 0;
	for (size_t i = 0; i < tells.misbehavior_count; i++) {
		const uint8_t age = next(life) % 32;
		const uint64_t height = world->block.height > age ? world->block.height - age : 1;
		evidence[i] = world_evidence(world, any_key(life),
					     age % 2 == 0 ? ABCI_DUPLICATE_VOTE
							  : ABCI_LIGHT_CLIENT_ATTACK,
					     height, world->block.time_s - age);
	}
	if (shape / 16 == 15)
		tells.seconds = 5000;
	world_begin(world, &tells);
	const struct cs_hash jailed = cs_abi_topic("Jailed(address,uint64)");
	const struct cs_hash tombstoned = cs_abi_topic("Tombstoned(address)");
	for (size_t i = 0; i < world->run.logs.count; i++) {
		const struct cs_hash *topic = &world->run.logs.items[i].topics[0];
		life->lived->jailed += cs_hash_eq(topic, &jailed);
		life->lived->tombstoned += cs_hash_eq(topic, &tombstoned);
	}
	for (size_t i = 0; i < shape / 16 % (CALLS_MAX + 1); i++)
		do_call(life);
	world_end(world);
	life->lived->blocks++;
	life->lived->joined += world->next.count > before;
}

void staking_live(struct staking_lived *lived, struct cs_bytes bytes)
{
	struct life life = {.world = world_new(), .lived = lived};
	char values[400];
	*lived = (struct staking_lived){0};
	cs_reader_init(&life.in, bytes);
	const size_t count = 1 + next(&life) % 8;
	life.keys = next(&life) % 4 == 0 ? WORLD_KEYS : KEYS_FEW;
	(void)snprintf(
		values, sizeof values,
		"\"power_unit\":100,\"power_min\":2,\"unbonding_s\":20,\"evidence_age_s\":10,"
		"\"downtime_window_blocks\":8,\"downtime_missed_blocks\":3,\"jail_s\":4,"
		"\"epoch_blocks\":7,\"validators\":%u,\"slash_to_community\":%u,"
		"\"inflation_ppm_per_year\":%u,\"slash_double_vote_ppm\":%u",
		8 + next(&life) % 25u, next(&life) % 2u, next(&life) % 2u * 200000u,
		next(&life) % 2u == 0 ? 50000u : 1000000u);
	world_found_equal(life.world, count, 1000, values);
	while (life.in.left > 0)
		do_block(&life);
	world_free(life.world);
}
