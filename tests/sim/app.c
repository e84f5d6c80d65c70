/* The application of every simulated node: a chain of hashes over the transactions, fixed changes
 * of validators by height, answers that are sometimes slow. Pure until Commit. */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

#define BAD_TX 'X'

void sim_app_apply(struct sim *sim, struct sim_app *app, struct cs_bytes bytes)
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
	app->height = block.header.height;
	cs_arena_rewind(&sim->scratch, mark);
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

static void later(struct sim *sim, struct sim_node *node, const struct bft_event *event,
		  struct cs_bytes bytes)
{
	struct sim_happening h = {.type = SIM_ANSWER, .node = node->index, .life = node->life};
	int64_t delay = (int64_t)sim_below(&sim->rng, (uint64_t)node->app_delay_ns + 1);
	if (sim_chance(&sim->rng, sim->faults.slow))
		delay += (int64_t)sim_below(&sim->rng, 1500) * MS;
	h.event = *event;
	h.size = bytes.n;
	if (bytes.n > 0) {
		h.bytes = malloc(bytes.n);
		cs_assert(h.bytes != NULL);
		memcpy(h.bytes, bytes.p, bytes.n);
	}
	sim_schedule(sim, delay, &h);
}

/* A few transactions, sometimes as many as fit; a liar's may be bad. The count travels in `index`,
 * each with one byte of length. */
static void prepare(struct sim *sim, struct sim_node *node, const struct bft_effect *effect,
		    struct bft_event *event)
{
	uint8_t bytes[4096];
	size_t n = 0, room = effect->size_max < 3500 ? effect->size_max : 3500;
	uint64_t count = sim_below(&sim->rng, 4);
	event->type = BFT_EVENT_PREPARED;
	for (uint64_t i = 0; i < count; i++) {
		size_t size = 9 + (size_t)sim_below(&sim->rng, 200);
		if (n + size + 4 > room)
			break;
		bytes[n++] = (uint8_t)size;
		memset(bytes + n, 't', size);
		cs_put_be64(bytes + n + 1, (uint64_t)node->index << 32 | node->tx_counter++);
		if (node->role == SIM_LIAR && sim_chance(&sim->rng, 2000))
			bytes[n] = BAD_TX;
		n += size;
		event->index++;
	}
	later(sim, node, event, cs_bytes(bytes, n));
}

bool sim_app_accepts(struct sim *sim, struct cs_bytes bytes)
{
	struct cmt_block block;
	size_t mark = cs_arena_mark(&sim->scratch);
	bool good = cmt_block_decode(&block, bytes, &sim->scratch, NULL) == CS_OK;
	for (size_t i = 0; good && i < block.tx_count; i++)
		good = block.txs[i].n > 0 && block.txs[i].p[0] != BAD_TX;
	cs_arena_rewind(&sim->scratch, mark);
	return good;
}

void sim_app_answer(struct sim *sim, struct sim_node *node, const struct bft_effect *effect)
{
	struct bft_event event = {
		.height = effect->height, .round = effect->round, .hash = effect->hash};
	uint8_t extension[32];
	switch ((int)effect->type) {
	case BFT_EFFECT_PREPARE:
		prepare(sim, node, effect, &event);
		return;
	case BFT_EFFECT_PROCESS:
		event.type = BFT_EVENT_PROCESSED;
		event.accepted = sim_app_accepts(sim, effect->bytes);
		break;
	case BFT_EFFECT_EXTEND:
		event.type = BFT_EVENT_EXTENDED;
		cs_put_be64(extension, sim_random(&sim->rng));
		extension[8] = (uint8_t)node->index;
		later(sim, node, &event, cs_bytes(extension, 9));
		return;
	case BFT_EFFECT_VERIFY_EXTENSION:
		event.type = BFT_EVENT_EXTENSION_VERIFIED;
		event.index = effect->index;
		event.accepted = effect->bytes.n == 9;
		break;
	case BFT_EFFECT_FINALIZE:
		event.type = BFT_EVENT_FINALIZED;
		later(sim, node, &event, effect->bytes);
		return;
	case BFT_EFFECT_COMMIT:
		event.type = BFT_EVENT_COMMITTED;
		if (node->disk.app.height + 1 == effect->height) {
			const struct sim_block *block = &node->disk.blocks[effect->height];
			sim_app_apply(sim, &node->disk.app, cs_bytes(block->bytes, block->size));
		}
		break;
	default:
		cs_assert(!"no question to the application");
	}
	later(sim, node, &event, CS_BYTES_NONE);
}
