/* What must hold of a simulated ledger when all is over: the same state from genesis, from any snapshot
 * and from an export. */
#include "core/hash.h"
#include "relay_state/ledger/account.h"
#include "relay_state/ledger/genesis.h"
#include "tests/sim/ledger.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT_SIZE_MAX (4u * 1024 * 1024)

/* Blocks above those that the ledger has, up to the node's. */
static void replay(struct sim *sim, const struct sim_node *node, struct sim_ledger *l, int64_t from,
		   struct cs_hash *hash)
{
	for (int64_t h = from + 1; h <= node->disk.app.height; h++) {
		const struct sim_block *stored = &node->disk.blocks[h];
		const size_t mark = cs_arena_mark(&sim->scratch);
		const struct abci_finalize_block_request request =
			sim_ledger_block(sim, node, cs_bytes(stored->bytes, stored->size))
				.finalize_block;
		const struct abci_finalize_block_response response =
			sim_ledger_finalize(l, &request);
		memcpy(hash->b, response.app_hash.p, sizeof hash->b);
		sim_ledger_commit(l);
		cs_arena_rewind(&sim->scratch, mark);
	}
}

/* Every block from genesis on, by a process that has never died. */
static void check_replay(struct sim *sim, const struct sim_node *node)
{
	struct cs_hash hash;
	struct sim_ledger *fresh = sim_ledger_new(sim, SIM_NEAR, &hash);
	replay(sim, node, fresh, 0, &hash);
	if (!cs_hash_eq(&hash, &node->disk.app.hash))
		sim_fail(sim, "node %u: a replay from genesis comes to another state", node->index);
	sim_ledger_free(fresh);
}

/* ---- snapshots ---- */

static struct cs_bytes chunk_of(struct sim_ledger *l, const struct abci_snapshot *snapshot,
				uint32_t index)
{
	const struct abci_load_snapshot_chunk_request request = {
		.height = snapshot->height, .format = snapshot->format, .chunk = index};
	struct abci_load_snapshot_chunk_response response = {0};
	const struct abci_call call = sim_ledger_call(l);
	cs_assert(l->abci.load_snapshot_chunk(l->abci.state, &request, &response, &call) == CS_OK);
	return response.chunk;
}

/* Into a ledger with nothing on its disk; the chunks come from the node's. */
static bool restore(struct sim *sim, struct sim_ledger *from, struct sim_ledger *to,
		    const struct abci_snapshot *snapshot)
{
	const struct cs_hash *hash = &sim->app_hash[snapshot->height];
	const struct abci_offer_snapshot_request offer = {.snapshot = snapshot,
							  .app_hash = CS_BYTES_OF(hash->b)};
	struct abci_offer_snapshot_response offered = {0};
	struct abci_call call = sim_ledger_call(to);
	cs_assert(to->abci.offer_snapshot(to->abci.state, &offer, &offered, &call) == CS_OK);
	if (offered.result != ABCI_OFFER_ACCEPT)
		return false;
	for (uint32_t i = 0; i < snapshot->chunks; i++) {
		struct abci_apply_snapshot_chunk_response applied = {0};
		const struct abci_apply_snapshot_chunk_request apply = {
			.index = i, .chunk = chunk_of(from, snapshot, i)};
		call = sim_ledger_call(to);
		if (to->abci.apply_snapshot_chunk(to->abci.state, &apply, &applied, &call) !=
			    CS_OK ||
		    applied.result != ABCI_APPLY_ACCEPT)
			return false;
	}
	return true;
}

static void check_snapshot(struct sim *sim, const struct sim_node *node,
			   const struct abci_snapshot *snapshot)
{
	struct sim_ledger *fresh = sim_ledger_empty(SIM_NEAR);
	struct cs_hash hash = sim->app_hash[snapshot->height];
	if (!restore(sim, node->ledger, fresh, snapshot)) {
		sim_fail(sim, "node %u: its snapshot of %" PRIu64 " is not taken", node->index,
			 snapshot->height);
	} else {
		replay(sim, node, fresh, (int64_t)snapshot->height, &hash);
		if (!cs_hash_eq(&hash, &node->disk.app.hash))
			sim_fail(sim, "node %u: from a snapshot it comes to another state",
				 node->index);
		sim->pair->snapshots++;
	}
	sim_ledger_free(fresh);
}

/* What is offered is copied: the answers share one arena. */
static void check_snapshots(struct sim *sim, const struct sim_node *node)
{
	struct abci_list_snapshots_response response = {0};
	const struct abci_call call = sim_ledger_call(node->ledger);
	const size_t mark = cs_arena_mark(&sim->scratch);
	cs_assert(node->ledger->abci.list_snapshots(node->ledger->abci.state, &response, &call) ==
		  CS_OK);
	const size_t count = response.snapshots.count;
	struct abci_snapshot *list = cs_arena_calloc(&sim->scratch, count + 1, sizeof *list);
	cs_assert(list != NULL);
	for (size_t i = 0; i < count; i++) {
		list[i] = response.snapshots.items[i];
		list[i].hash = cs_arena_copy(&sim->scratch, list[i].hash);
		list[i].metadata = cs_arena_copy(&sim->scratch, list[i].metadata);
	}
	for (size_t i = 0; i < count; i++)
		check_snapshot(sim, node, &list[i]);
	cs_arena_rewind(&sim->scratch, mark);
}

/* ---- export ---- */

static enum cs_err on_pair(void *context, struct cs_bytes key, struct cs_bytes value)
{
	struct cs_buf *text = context;
	if (ledger_is_exported(key))
		ledger_export_pair(text, key, value);
	return CS_OK;
}

static void export_text(struct sim_ledger *l, struct cs_buf *text)
{
	const struct ledger_db db = memory_db_table(l->db);
	cs_put_text(text, "{\"pairs\":[\"0x");
	cs_assert(db.scan(db.context, LEDGER_VALUES, CS_BYTES_NONE, CS_BYTES_NONE, on_pair, text) ==
		  CS_OK);
	cs_put_text(text, "\"]}");
	cs_assert(cs_buf_end(text) == CS_OK);
}

/* What an import changes: the contracts' names for themselves, in rows `c` and the sentinel (slot 0),
 * and what the engine was told last. */
static bool is_renamed(struct cs_bytes key)
{
	static const uint8_t slot_zero[32];
	if (key.p[0] == LEDGER_OWN_KEYS || key.n < 2)
		return true;
	return (key.n == 2 && (key.p[1] == 'c' || key.p[1] == 'x')) ||
	       (key.n == 34 && key.p[1] == 's' && memcmp(key.p + 2, slot_zero, 32) == 0);
}

struct comparing {
	struct sim_ledger *other;
	struct cs_arena *arena;
	size_t count, missing;
};

static enum cs_err compare_pair(void *context, struct cs_bytes key, struct cs_bytes value)
{
	struct comparing *c = context;
	const struct ledger_db db = memory_db_table(c->other->db);
	const size_t mark = cs_arena_mark(c->arena);
	struct cs_bytes there = CS_BYTES_NONE;
	if (is_renamed(key) && !(key.p[0] == LEDGER_OWN_KEYS && key.n == 21))
		return CS_OK;
	const enum cs_err err = db.get(db.context, &there, LEDGER_VALUES, key, 0, c->arena);
	c->missing += err != CS_OK || !cs_bytes_eq(there, value);
	c->count++;
	cs_arena_rewind(c->arena, mark);
	return CS_OK;
}

/* The validators of the engine are those that the contract told it. */
static size_t validators_of(struct sim *sim, struct sim_ledger *l,
			    struct abci_validator_update *list)
{
	const struct cs_bytes set =
		sim_ledger_ask(l, LEDGER_STAKING_NUMBER, "validators()", NULL, 0);
	size_t count = 0;
	for (size_t at = 64; at + 64 <= set.n; at += 64, count++) {
		struct cs_address address;
		memcpy(address.b, set.p + at + 12, sizeof address.b);
		cs_assert(count < SIM_NODES_MAX);
		list[count] = (struct abci_validator_update){
			{ABCI_KEY_ED25519, CS_BYTES_OF(sim->key[sim_key_of(sim, &address)].b)},
			(int64_t)cs_be64(set.p + at + 56)};
	}
	return count;
}

static void compare(struct sim *sim, const struct sim_node *node, struct sim_ledger *fresh)
{
	const struct ledger_db db = memory_db_table(node->ledger->db);
	const size_t mark = cs_arena_mark(&sim->scratch);
	struct comparing c = {fresh, &sim->scratch, 0, 0};
	fresh->fees = node->ledger->fees;
	sim_ledger_check(sim, fresh, "an import");
	cs_assert(db.scan(db.context, LEDGER_VALUES, CS_BYTES_NONE, CS_BYTES_NONE, compare_pair,
			  &c) == CS_OK);
	if (c.missing != 0)
		sim_fail(sim, "node %u: %zu of %zu pairs are others after an import", node->index,
			 c.missing, c.count);
	sim->pair->exports++;
	cs_arena_rewind(&sim->scratch, mark);
}

static void check_export(struct sim *sim, const struct sim_node *node)
{
	struct abci_validator_update list[SIM_NODES_MAX];
	const struct abci_validator_updates validators = {list,
							  validators_of(sim, node->ledger, list)};
	struct sim_ledger *fresh = sim_ledger_empty(SIM_NEAR);
	char *bytes = malloc(EXPORT_SIZE_MAX);
	struct cs_buf text;
	struct cs_hash hash;
	cs_assert(bytes != NULL);
	cs_buf_init(&text, bytes, EXPORT_SIZE_MAX);
	export_text(node->ledger, &text);
	const enum cs_err err =
		sim_ledger_init_chain(fresh, &hash, cs_buf_view(&text), "sim-2", &validators);
	if (err != CS_OK)
		sim_fail(sim, "node %u: its export founds no chain: %s", node->index,
			 fresh->why.text);
	else
		compare(sim, node, fresh);
	free(bytes);
	sim_ledger_free(fresh);
}

void sim_app_check_end(struct sim *sim, struct sim_node *node)
{
	if (node->role != SIM_HONEST || node->ledger == NULL)
		return;
	sim_trace(sim, "node %u: %" PRIu64 " transactions finalized, %" PRIu64 " failed\n",
		  node->index, node->ledger->taken, node->ledger->failed);
	check_replay(sim, node);
	if (node->index % 2 == sim->seed % 2 && sim->failure[0] == 0)
		check_snapshots(sim, node);
	if (node->index % 2 != sim->seed % 2 && sim->failure[0] == 0)
		check_export(sim, node);
}
