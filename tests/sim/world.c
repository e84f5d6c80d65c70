#include "tests/sim/sim.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- random numbers: splitmix64 ---- */

uint64_t sim_random(struct sim_rng *rng)
{
	uint64_t z = rng->state += 0x9e3779b97f4a7c15ull;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

uint64_t sim_below(struct sim_rng *rng, uint64_t n)
{
	return n == 0 ? 0 : sim_random(rng) % n;
}

bool sim_chance(struct sim_rng *rng, unsigned p)
{
	return p > 0 && sim_below(rng, 10000) < p;
}

/* ---- failure and trace ---- */

void sim_fail(struct sim *sim, const char *format, ...)
{
	va_list args;
	if (sim->failure[0] != 0)
		return;
	va_start(args, format);
	(void)vsnprintf(sim->failure, sizeof sim->failure, format, args);
	va_end(args);
	sim_trace(sim, "FAILURE %s\n", sim->failure);
}

/* FNV-1a, 64 bits. */
void sim_mix(struct sim *sim, const void *p, size_t n)
{
	const uint8_t *b = p;
	for (size_t i = 0; i < n; i++)
		sim->trace_hash = (sim->trace_hash ^ b[i]) * 0x100000001b3ull;
}

/* ---- the heap of what will happen ---- */

static bool before(const struct sim_happening *a, const struct sim_happening *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->sequence < b->sequence;
}

static void swap(struct sim_happening *a, struct sim_happening *b)
{
	struct sim_happening c = *a;
	*a = *b;
	*b = c;
}

void sim_schedule(struct sim *sim, int64_t delay_ns, struct sim_happening *happening)
{
	if (sim->heap_count == sim->heap_max) {
		sim->heap_max = sim->heap_max == 0 ? 1024 : 2 * sim->heap_max;
		sim->heap = realloc(sim->heap, sim->heap_max * sizeof *sim->heap);
		cs_assert(sim->heap != NULL);
	}
	happening->at_ns = sim->now_ns + (delay_ns > 0 ? delay_ns : 0);
	happening->sequence = sim->sequence++;
	size_t i = sim->heap_count++;
	sim->heap[i] = *happening;
	for (; i > 0 && before(&sim->heap[i], &sim->heap[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&sim->heap[i], &sim->heap[(i - 1) / 2]);
}

static struct sim_happening take(struct sim *sim)
{
	struct sim_happening first = sim->heap[0];
	sim->heap[0] = sim->heap[--sim->heap_count];
	for (size_t i = 0;;) {
		size_t child = 2 * i + 1;
		if (child >= sim->heap_count)
			break;
		if (child + 1 < sim->heap_count && before(&sim->heap[child + 1], &sim->heap[child]))
			child++;
		if (!before(&sim->heap[child], &sim->heap[i]))
			break;
		swap(&sim->heap[child], &sim->heap[i]);
		i = child;
	}
	return first;
}

/* ---- network ---- */

static void deliver_later(struct sim *sim, unsigned from, unsigned to, struct cs_bytes bytes)
{
	struct sim_happening h = {.type = SIM_DELIVER, .node = to, .from = from};
	h.size = bytes.n;
	h.bytes = malloc(bytes.n);
	cs_assert(h.bytes != NULL);
	memcpy(h.bytes, bytes.p, bytes.n);
	h.life = sim->node[to].life;
	sim_schedule(sim,
		     sim->faults.delay_ns +
			     (int64_t)sim_below(&sim->rng, (uint64_t)sim->faults.jitter_ns + 1),
		     &h);
}

/* Precommits get lost more often where the seed says so. Liars are blind to most prevotes: what
 * they propose then is fresh, whatever POL they claim. */
static bool is_lost(struct sim *sim, unsigned to, struct cs_bytes bytes)
{
	struct bft_message m;
	unsigned blind = sim->node[to].role == SIM_LIAR && !sim->healed ? 6000 : 0;
	if ((sim->faults.precommit_loss == 0 && blind == 0) ||
	    bft_message_decode(&m, bytes) != CS_OK || m.type != BFT_MESSAGE_VOTE)
		return false;
	return sim_chance(&sim->rng,
			  m.vote.type == CMT_PRECOMMIT ? sim->faults.precommit_loss : blind);
}

void sim_network(struct sim *sim, unsigned from, unsigned to, struct cs_bytes bytes)
{
	if (is_lost(sim, to, bytes))
		return;
	if (sim->blocked[from][to] || !sim->node[to].up || sim_chance(&sim->rng, sim->faults.loss))
		return;
	deliver_later(sim, from, to, bytes);
	if (sim_chance(&sim->rng, sim->faults.duplicate))
		deliver_later(sim, from, to, bytes);
}

/* ---- changes of the world ---- */

static void split(struct sim *sim)
{
	uint64_t side = sim_random(&sim->rng);
	bool one_way = sim_chance(&sim->rng, 3000);
	for (unsigned a = 0; a < sim->nodes; a++) {
		for (unsigned b = 0; b < sim->nodes; b++) {
			bool apart = (side >> a & 1) != (side >> b & 1);
			sim->blocked[a][b] = apart && (!one_way || (side >> a & 1) != 0);
		}
	}
}

static void change(struct sim *sim)
{
	if (sim_chance(&sim->rng, sim->faults.partition))
		split(sim);
	else
		memset(sim->blocked, 0, sizeof sim->blocked);
	if (sim_chance(&sim->rng, sim->faults.skew)) {
		struct sim_node *node = &sim->node[sim_below(&sim->rng, sim->nodes)];
		node->clock_skew_ns = ((int64_t)sim_below(&sim->rng, 20000) - 10000) * MS;
	}
	struct sim_happening next = {.type = SIM_CHANGE};
	sim_schedule(sim, (int64_t)(50 + sim_below(&sim->rng, 1500)) * MS, &next);
}

/* From here on nothing breaks any more, and progress is demanded. */
static void heal(struct sim *sim)
{
	sim->healed = true;
	if (!sim->above_f)
		memset(sim->blocked, 0, sizeof sim->blocked);
	sim->faults = (struct sim_faults){.delay_ns = 1 * MS, .jitter_ns = 10 * MS};
	for (unsigned i = 0; i < sim->nodes; i++) {
		sim->node[i].app_delay_ns = 1 * MS;
		sim->node[i].clock_skew_ns = 0;
		if (!sim->node[i].up && !sim->node[i].halted)
			sim_node_start(sim, &sim->node[i]);
	}
	sim_trace(sim, "%8.3f healed\n", (double)sim->now_ns / 1e9);
}

static void observe(struct sim *sim)
{
	struct sim_happening next = {.type = SIM_OBSERVE};
	sim_observe(sim);
	sim_schedule(sim, (int64_t)(50 + sim_below(&sim->rng, 500)) * MS, &next);
}

/* What an answer points to, from the bytes that travelled with it. */
struct attached {
	struct cs_bytes txs[8];
	struct bft_finalized finalized;
	struct cmt_validator updates[BFT_UPDATES_MAX];
	struct sim_app app;
};

static void attach(struct sim *sim, struct sim_node *node, const struct sim_happening *h,
		   struct bft_event *event, struct attached *a)
{
	struct cs_bytes bytes = cs_bytes(h->bytes, h->size);
	switch ((int)event->type) {
	case BFT_EVENT_EXTENDED:
	case BFT_EVENT_EVIDENCE:
		event->bytes = bytes;
		return;
	case BFT_EVENT_SIGNED:
		event->extension = bytes;
		return;
	case BFT_EVENT_PREPARED:
		for (size_t at = 0; at < bytes.n && event->tx_count < CS_LEN(a->txs);) {
			const size_t size = cs_be16(bytes.p + at);
			a->txs[event->tx_count++] = cs_bytes(bytes.p + at + 2, size);
			at += 2u + size;
		}
		event->txs = a->txs;
		return;
	case BFT_EVENT_BLOCK_LOADED:
		event->bytes = cs_bytes(bytes.p, (size_t)event->round);
		event->commit = cs_bytes(bytes.p + event->round, bytes.n - (size_t)event->round);
		return;
	case BFT_EVENT_FINALIZED:
		sim_app_finalize(sim, node, &a->app, bytes);
		a->finalized.app_hash = CS_BYTES_OF(a->app.hash.b);
		a->finalized.results_hash = a->app.results;
		a->finalized.updates = a->updates;
		a->finalized.updates_count = sim_app_updates(sim, event->height, a->updates);
		event->finalized = &a->finalized;
		sim_check_app(sim, node, event->height, &a->app.hash);
		return;
	default:
		return;
	}
}

static void happen(struct sim *sim, const struct sim_happening *h)
{
	struct attached attached = {0};
	struct sim_node *node = &sim->node[h->node];
	struct bft_event event = h->event;
	switch (h->type) {
	case SIM_DELIVER:
		if (!node->up || h->life != node->life)
			return;
		event = (struct bft_event){.type = BFT_EVENT_MESSAGE, .peer = h->from};
		event.bytes = cs_bytes(h->bytes, h->size);
		break;
	case SIM_TIMER:
		if (!node->up || h->life != node->life ||
		    h->generation != node->timer_generation[event.timer])
			return;
		break;
	case SIM_ANSWER:
		if (!node->up || h->life != node->life)
			return;
		attach(sim, node, h, &event, &attached);
		break;
	case SIM_RESTART:
		if (!node->up && !node->halted)
			sim_node_start(sim, node);
		return;
	case SIM_CHANGE:
		if (!sim->healed)
			change(sim);
		return;
	case SIM_HEAL:
		heal(sim);
		return;
	case SIM_OBSERVE:
		if (!sim->healed)
			observe(sim);
		return;
	}
	sim->steps++;
	sim_mix(sim, &h->at_ns, sizeof h->at_ns);
	sim_mix(sim, &h->node, sizeof h->node);
	uint32_t type = (uint32_t)event.type;
	sim_mix(sim, &type, sizeof type);
	sim_mix(sim, h->bytes, h->size);
	sim_node_event(sim, node, &event);
}

static int64_t lowest_height(const struct sim *sim)
{
	int64_t lowest = INT64_MAX;
	for (unsigned i = 0; i < sim->nodes; i++) {
		const struct sim_node *node = &sim->node[i];
		if (node->role == SIM_HONEST && node->disk.stored < lowest)
			lowest = node->disk.stored;
	}
	return lowest;
}

static int64_t highest_height(const struct sim *sim)
{
	int64_t highest = 0;
	for (unsigned i = 0; i < sim->nodes; i++) {
		if (sim->node[i].role == SIM_HONEST && sim->node[i].disk.stored > highest)
			highest = sim->node[i].disk.stored;
	}
	return highest;
}

/* Faults until heal_at, then every honest node must come three blocks beyond where the best one
 * was, and to the blocks with the evidence that was taken. */
#define LIVENESS_HEIGHTS 3
#define LIVENESS_NS (60000 * MS)

void sim_run(struct sim *sim)
{
	int64_t goal = -1;
	while (sim->heap_count > 0 && sim->failure[0] == 0) {
		struct sim_happening h = take(sim);
		sim->now_ns = h.at_ns;
		happen(sim, &h);
		free(h.bytes);
		if (highest_height(sim) + 2 >= SIM_HEIGHTS_MAX)
			return;
		if (!sim->healed)
			continue;
		if (sim->above_f)
			return;
		if (goal < 0)
			goal = highest_height(sim) + LIVENESS_HEIGHTS;
		if (lowest_height(sim) >= goal && sim_attacks_are_carried(sim))
			return;
		if (sim->now_ns <= sim->heal_at_ns + LIVENESS_NS)
			continue;
		if (sim->above_disks)
			return;
		sim_fail(sim, "no progress: lowest %" PRId64 ", goal %" PRId64, lowest_height(sim),
			 goal);
	}
}
