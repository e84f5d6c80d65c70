/* What is the same for every application: answers that are sometimes slow. */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of a proposal's transactions. */
#define PROPOSAL_SIZE_MAX 7000u

void sim_put_tx(struct cs_buf *buf, struct cs_bytes tx)
{
	cs_put_u16(buf, (uint16_t)tx.n);
	cs_put(buf, tx);
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

/* The count travels in `index`. */
static void prepare(struct sim *sim, struct sim_node *node, const struct bft_effect *effect,
		    struct bft_event *event)
{
	uint8_t bytes[PROPOSAL_SIZE_MAX];
	struct cs_buf txs;
	cs_buf_init(&txs, bytes, effect->size_max < sizeof bytes ? effect->size_max : sizeof bytes);
	event->type = BFT_EVENT_PREPARED;
	event->index = sim_app_prepare(sim, node, &txs);
	cs_assert(cs_buf_end(&txs) == CS_OK);
	later(sim, node, event, cs_buf_view(&txs));
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
		event.accepted = sim_app_accepts(sim, node, effect->bytes);
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
			sim_app_commit(sim, node, cs_bytes(block->bytes, block->size));
		}
		break;
	default:
		cs_assert(!"no question to the application");
	}
	later(sim, node, &event, CS_BYTES_NONE);
}
