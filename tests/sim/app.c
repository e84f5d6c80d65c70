/* The application of every simulated node: a chain of hashes over the transactions, answers that are
 * sometimes slow, fixed changes of validators by height. Pure until Commit. */
#include "tests/sim/sim.h"

#include <string.h>

#define BAD_TX 'X'

static void apply(struct sim *sim, struct sim_app *app, struct cs_bytes bytes)
{
	struct cmt_block block;
	size_t mark = cs_arena_mark(&sim->scratch);
	cs_assert(cmt_block_decode(&block, bytes, &sim->scratch, NULL) == CS_OK);
	for (size_t i = 0; i < block.tx_count; i++) {
		struct cs_hash tx = cs_sha256(block.txs[i]);
		uint8_t both[64];
		memcpy(both, app->hash.b, 32);
		memcpy(both + 32, tx.b, 32);
		app->hash = cs_sha256(CS_BYTES_OF(both));
	}
	app->results = app->hash;
	app->height = block.header.height;
	cs_arena_rewind(&sim->scratch, mark);
}

int64_t sim_app_life_ns(void)
{
	return 0;
}

void sim_app_report(void)
{
}

/* ---- validators ---- */

/* Of 1, where halves and thirds are rounded; changes are by a tenth. */
int64_t sim_app_power(const struct sim *sim)
{
	return sim->set_changes ? 10 : 1;
}

struct change {
	bool some;
	unsigned key;
	int64_t power;
};

/* Every third height one power changes, or the last key goes or comes again. */
static struct change change_at(const struct sim *sim, int64_t height, bool *last_is_in)
{
	struct sim_rng rng = {sim->seed * 7919 + (uint64_t)height};
	struct change c = {false, 0, 0};
	if (!sim->set_changes || height % 3 != 0)
		return c;
	c.some = true;
	c.key = (unsigned)sim_below(&rng, sim->keys);
	c.power = 10 + (int64_t)sim_below(&rng, 3);
	if (sim->keys > 4 && c.key == sim->keys - 1) {
		*last_is_in = !*last_is_in;
		c.power = *last_is_in ? c.power : 0;
	}
	return c;
}

size_t sim_app_updates(struct sim *sim, int64_t height, struct cmt_validator *updates)
{
	bool last_is_in = true;
	struct change c = {false, 0, 0};
	for (int64_t h = 1; h <= height; h++)
		c = change_at(sim, h, &last_is_in);
	if (!c.some)
		return 0;
	updates[0] = cmt_validator_of(&sim->key[c.key], c.power);
	return 1;
}

/* ---- blocks ---- */

struct cs_hash sim_app_genesis(struct sim *sim)
{
	(void)sim;
	return (struct cs_hash){{0}};
}

void sim_app_start(struct sim *sim, struct sim_node *node)
{
	(void)sim, (void)node;
}

void sim_app_finalize(struct sim *sim, struct sim_node *node, struct sim_app *after,
		      struct cs_bytes bytes)
{
	*after = node->disk.app;
	apply(sim, after, bytes);
}

void sim_app_commit(struct sim *sim, struct sim_node *node, struct cs_bytes bytes)
{
	apply(sim, &node->disk.app, bytes);
}

void sim_app_take_back(struct sim *sim, struct sim_node *node, int64_t height)
{
	node->disk.app = (struct sim_app){height, sim->app_hash[height], sim->app_hash[height]};
}

void sim_app_check_end(struct sim *sim, struct sim_node *node)
{
	(void)sim, (void)node;
}

void sim_app_free(struct sim_node *node)
{
	(void)node;
}

/* A few transactions, sometimes as many as fit; a liar's may be bad. */
uint32_t sim_app_prepare(struct sim *sim, struct sim_node *node, struct cs_buf *txs)
{
	uint64_t wanted = sim_below(&sim->rng, 4);
	uint32_t count = 0;
	for (uint64_t i = 0; i < wanted; i++) {
		uint8_t tx[210];
		size_t size = 9 + (size_t)sim_below(&sim->rng, 200);
		if (txs->n + size + 4 > txs->size_max)
			break;
		memset(tx, 't', size);
		cs_put_be64(tx + 1, (uint64_t)node->index << 32 | node->tx_counter++);
		if (node->role == SIM_LIAR && sim_chance(&sim->rng, 2000))
			tx[0] = BAD_TX;
		sim_put_tx(txs, cs_bytes(tx, size));
		count++;
	}
	return count;
}

bool sim_app_accepts(struct sim *sim, struct sim_node *node, struct cs_bytes bytes)
{
	struct cmt_block block;
	(void)node;
	size_t mark = cs_arena_mark(&sim->scratch);
	bool good = cmt_block_decode(&block, bytes, &sim->scratch, NULL) == CS_OK;
	for (size_t i = 0; good && i < block.tx_count; i++)
		good = block.txs[i].n > 0 && block.txs[i].p[0] != BAD_TX;
	cs_arena_rewind(&sim->scratch, mark);
	return good;
}

void sim_app_done(struct sim *sim)
{
	(void)sim;
}
