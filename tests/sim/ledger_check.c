/* What must hold of the ledger in every node, after every block and at the end. */
#include "relay_state/ledger/account.h"
#include "relay_state/ledger/assets.h"
#include "relay_state/ledger/genesis.h"
#include "tests/sim/ledger.h"

#include <inttypes.h>
#include <string.h>

#define ASSETS_MAX 64u

struct asset_sum {
	struct cs_address asset;
	struct cs_u256 supply;
	struct cs_u256 balances;
};

struct sums {
	struct cs_u256 native;
	struct asset_sum assets[ASSETS_MAX];
	size_t count;
};

static void add(struct cs_u256 *sum, struct cs_bytes word)
{
	struct cs_u256 value;
	cs_assert(cs_u256_from_bytes(&value, word) == CS_OK);
	cs_assert(cs_u256_add(sum, sum, &value) == CS_OK);
}

static struct asset_sum *asset_at(struct sums *s, const uint8_t *asset)
{
	size_t i = 0;
	while (i < s->count && memcmp(s->assets[i].asset.b, asset, 20) != 0)
		i++;
	cs_assert(i < ASSETS_MAX);
	if (i == s->count)
		memcpy(s->assets[s->count++].asset.b, asset, 20);
	return &s->assets[i];
}

static enum cs_err on_pair(void *context, struct cs_bytes key, struct cs_bytes value)
{
	struct sums *s = context;
	if (key.p[0] == LEDGER_OWN_KEYS && key.n == LEDGER_ACCOUNT_KEY_SIZE)
		add(&s->native, cs_bytes(value.p + 8, 32));
	else if (key.p[0] == LEDGER_ASSETS_NUMBER && key.p[1] == 't')
		add(&asset_at(s, key.p + 2)->supply, value);
	else if (key.p[0] == LEDGER_ASSETS_NUMBER && key.p[1] == 'b')
		add(&asset_at(s, key.p + 2)->balances, value);
	return CS_OK;
}

void sim_ledger_check(struct sim *sim, struct sim_node *node)
{
	const struct ledger_db db = memory_db_table(node->ledger->db);
	const struct cs_u256 all = cs_u256_u64(SIM_USERS * (uint64_t)SIM_FUNDS);
	struct sums s = {.count = 0};
	cs_assert(db.scan(db.context, LEDGER_VALUES, CS_BYTES_NONE, CS_BYTES_NONE, on_pair, &s) ==
		  CS_OK);
	if (cs_u256_cmp(&s.native, &all) != 0)
		sim_fail(sim, "node %u: the native asset is not conserved at %" PRId64, node->index,
			 node->disk.app.height);
	for (size_t i = 0; i < s.count; i++) {
		if (cs_u256_cmp(&s.assets[i].supply, &s.assets[i].balances) != 0)
			sim_fail(sim, "node %u: an asset's balances are not its supply at %" PRId64,
				 node->index, node->disk.app.height);
	}
}

/* ---- at the end ---- */

/* Every block from genesis on, by a process that has never died. */
static void check_replay(struct sim *sim, struct sim_node *node)
{
	struct cs_hash hash;
	struct sim_ledger *fresh = sim_ledger_new(&hash);
	for (int64_t h = 1; h <= node->disk.app.height; h++) {
		const struct sim_block *stored = &node->disk.blocks[h];
		struct cmt_block block;
		const size_t mark = cs_arena_mark(&sim->scratch);
		cs_assert(cmt_block_decode(&block, cs_bytes(stored->bytes, stored->size),
					   &sim->scratch, NULL) == CS_OK);
		hash = sim_ledger_finalize(fresh, &block);
		sim_ledger_commit(fresh);
		cs_arena_rewind(&sim->scratch, mark);
	}
	if (!cs_hash_eq(&hash, &node->disk.app.hash))
		sim_fail(sim, "node %u: a replay from genesis comes to another state", node->index);
	sim_ledger_free(fresh);
}

void sim_app_check_end(struct sim *sim, struct sim_node *node)
{
	if (node->role != SIM_HONEST || node->ledger == NULL)
		return;
	sim_trace(sim, "node %u: %" PRIu64 " transactions finalized, %" PRIu64 " failed\n",
		  node->index, node->ledger->taken, node->ledger->failed);
	check_replay(sim, node);
}
