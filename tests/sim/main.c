/* sim [--above] --seed N [--trace] | --seeds A..B | --minutes M [FIRST] | --above A..B: runs seeds,
 * each twice with the same hash. --above: more guilty ones than the protocol bears. Of even seeds
 * f + 1 keys run twice, on both sides of a wall; of odd ones more than a third of the power, or two
 * thirds, forges headers for light clients. */
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SCRATCH_SIZE (2u * 1024 * 1024)

/* What kinds of trouble a seed has: by its number, so that ranges of seeds cover all. */
enum scene {
	SCENE_CALM,
	SCENE_NETWORK,
	SCENE_CRASHES,
	SCENE_DISK,
	SCENE_TWINS,
	SCENE_LIARS,
	SCENE_CHANGES,
	SCENE_ALL,
	SCENE_COUNT,
	SCENE_ABOVE = SCENE_COUNT, /* by its own option, and: */
	SCENE_FORGERS,
};

static void set_faults(struct sim *sim, enum scene scene)
{
	struct sim_faults *f = &sim->faults;
	*f = (struct sim_faults){.delay_ns = 1 * MS, .jitter_ns = 20 * MS};
	if (scene == SCENE_CALM || scene == SCENE_ABOVE)
		return;
	f->jitter_ns = (int64_t)(10 + sim_below(&sim->rng, 300)) * MS;
	f->loss = (unsigned)sim_below(&sim->rng, 2000);
	f->duplicate = (unsigned)sim_below(&sim->rng, 1000);
	f->partition = (unsigned)sim_below(&sim->rng, 6000);
	f->skew = 3000;
	f->slow = (unsigned)sim_below(&sim->rng, 500);
	f->precommit_loss = sim_chance(&sim->rng, 6000) ? (unsigned)sim_below(&sim->rng, 9000) : 0;
	if (scene != SCENE_NETWORK)
		f->crash = (unsigned)sim_below(&sim->rng, 60);
	if (scene == SCENE_DISK || scene == SCENE_ALL) {
		f->flip = 5000;
		f->restore = 3000;
		f->roll_back = 7000;
		f->crash = 30 + (unsigned)sim_below(&sim->rng, 120);
	}
	/* Fewer crashes and a longer life, so that there are heights to go back (to forge); prevotes that are
	 * lost, so that some lock and others propose another block. */
	if (sim->forgers) {
		f->jitter_ns = (int64_t)(5 + sim_below(&sim->rng, 50)) * MS;
		f->loss = (unsigned)sim_below(&sim->rng, 1000);
		f->partition = (unsigned)sim_below(&sim->rng, 1500);
		f->precommit_loss = 0;
	}
	if (sim->roll_backs) {
		f->jitter_ns = (int64_t)(5 + sim_below(&sim->rng, 30)) * MS;
		f->loss = 1500 + (unsigned)sim_below(&sim->rng, 1500);
		f->precommit_loss = 1000 + (unsigned)sim_below(&sim->rng, 3000);
		f->crash = 20 + (unsigned)sim_below(&sim->rng, 20);
		f->partition = 500;
	}
}

/* How many may be faulty: fewer than a third of the power, also when the last key has gone and the
 * powers differ by a fifth. */
static unsigned faulty_max(const struct sim *sim)
{
	unsigned gone = sim->set_changes && sim->keys > 4 ? 1 : 0;
	return (sim->keys - 1 - gone) / 3;
}

static void set_roles(struct sim *sim, enum scene scene)
{
	unsigned guilty = faulty_max(sim);
	if (scene == SCENE_FORGERS)
		guilty = sim->keys * (1 + (unsigned)sim_below(&sim->rng, 2)) / 3 + 1;
	/* The last key comes and goes, and must not be the only honest one. */
	if (scene == SCENE_FORGERS && guilty + 1 == sim->keys)
		sim->set_changes = false;
	for (unsigned i = 0; i < sim->nodes; i++) {
		sim->node[i].index = i;
		sim->node[i].key = i < sim->keys ? i : i - sim->keys;
	}
	if (scene == SCENE_ABOVE)
		guilty++;
	bool twins = scene == SCENE_TWINS || scene == SCENE_ABOVE ||
		     (scene == SCENE_ALL && sim_chance(&sim->rng, 5000));
	for (unsigned i = 0; i < guilty; i++) {
		if (twins && sim->keys + i < SIM_NODES_MAX) {
			sim->nodes = sim->keys + i + 1;
			sim->node[sim->keys + i] = sim->node[i];
			sim->node[sim->keys + i].index = sim->keys + i;
			sim->node[i].role = sim->node[sim->keys + i].role = SIM_TWIN;
		} else if (scene == SCENE_LIARS || scene == SCENE_ALL) {
			sim->node[i].role = SIM_LIAR;
		} else if (scene == SCENE_FORGERS) {
			sim->node[i].role = SIM_FORGER;
		}
	}
}

/* What a disk had promised and lost makes a node as good as guilty: a lock that nobody else can
 * prove, votes that are gone. Safety is demanded with any number of such nodes, progress with as
 * many as are left of a third. Whoever is restored with log and signer's memory at once may sign
 * twice, and is one of those that the protocol bears. */
static void set_disks(struct sim *sim, enum scene scene)
{
	unsigned bad = faulty_max(sim);
	if (scene != SCENE_DISK && scene != SCENE_ALL)
		return;
	for (unsigned i = 0; i < sim->keys; i++) {
		if (sim->node[i].role != SIM_HONEST && bad > 0)
			bad--;
	}
	sim->roll_backs = scene == SCENE_DISK && sim_chance(&sim->rng, 5000);
	sim->above_disks = sim_chance(&sim->rng, 5000);
	unsigned kinds = sim->above_disks ? SIM_DISK_OLD_BOTH : SIM_DISK_FAULTS;
	for (unsigned i = 0; i < sim->keys; i++) {
		struct sim_node *node = &sim->node[i];
		if (node->role != SIM_HONEST || (!sim->above_disks && bad == 0))
			continue;
		node->bad_disk = true;
		node->disk_fault = (enum sim_disk_fault)sim_below(&sim->rng, kinds);
		if (sim->roll_backs)
			node->disk_fault = SIM_DISK_OLD_DATA;
		if (node->disk_fault == SIM_DISK_OLD_BOTH)
			node->role = SIM_RESTORED;
		bad = bad > 0 ? bad - 1 : 0;
	}
}

static void make_keys(struct sim *sim)
{
	for (unsigned i = 0; i < sim->keys; i++) {
		uint8_t text[16];
		cs_put_be64(text, sim->seed);
		cs_put_be64(text + 8, i);
		struct cs_hash hash = cs_sha256(CS_BYTES_OF(text));
		memcpy(sim->secret[i].b, hash.b, 32);
		cs_assert(cs_ed25519_public(&sim->key[i], &sim->secret[i]) == CS_OK);
		sim->address[i] = cmt_address(&sim->key[i]);
	}
}

static void make_genesis(struct sim *sim)
{
	struct cmt_validator list[SIM_NODES_MAX];
	struct bft_genesis genesis = {.chain_id = cs_bytes_str("sim"), .initial_height = 1};
	const struct cs_hash app_hash = sim_app_genesis(sim);
	const int64_t power = sim_app_power(sim);
	for (unsigned i = 0; i < sim->keys; i++)
		list[i] = cmt_validator_of(&sim->key[i], power);
	genesis.time = bft_time_pb(1700000000000 * MS);
	genesis.params = cmt_params_default();
	genesis.params.block_size_max = SIM_BLOCK_SIZE;
	genesis.params.evidence_size_max = SIM_BLOCK_SIZE / 4;
	genesis.params.extensions_from = sim->extensions ? 2 : 0;
	genesis.validators = list;
	genesis.count = sim->keys;
	genesis.app_hash = CS_BYTES_OF(app_hash.b);
	bft_state_init(&sim->genesis);
	cs_assert(bft_state_genesis(&sim->genesis, &genesis, &sim->scratch, NULL) == CS_OK);
}

static void make_config(struct sim *sim)
{
	sim->config = (struct bft_config){
		.block_size_max = SIM_BLOCK_SIZE,
		.rounds_kept = BFT_ROUNDS_KEPT_MIN + (uint32_t)sim_below(&sim->rng, 9),
		.stash_size = 64 * 1024,
		.propose_ns = 300 * MS,
		.propose_delta_ns = 100 * MS,
		.prevote_ns = 100 * MS,
		.prevote_delta_ns = 50 * MS,
		.precommit_ns = 100 * MS,
		.precommit_delta_ns = 50 * MS,
		.commit_ns = sim_chance(&sim->rng, 5000) ? 0 : 20 * MS,
		.status_ns = 200 * MS,
		.wait_for_txs = sim_chance(&sim->rng, 2000),
		.empty_ns = sim_chance(&sim->rng, 5000) ? 200 * MS : 0,
	};
}

/* Twins on either side, the honest ones dealt out: each side may have a quorum. */
static void build_wall(struct sim *sim)
{
	bool left[SIM_NODES_MAX];
	for (unsigned i = 0; i < sim->nodes; i++) {
		left[i] = i < sim->keys && (sim->node[i].role != SIM_HONEST || i % 2 == 0);
		sim_trace(sim, "node %u key %u %s\n", i, sim->node[i].key,
			  left[i] ? "left" : "right");
	}
	for (unsigned a = 0; a < sim->nodes; a++) {
		for (unsigned b = 0; b < sim->nodes; b++)
			sim->blocked[a][b] = left[a] != left[b];
	}
}

void sim_init(struct sim *sim, uint64_t seed, bool above, bool trace)
{
	memset(sim, 0, sizeof *sim);
	sim->seed = seed;
	sim->rng.state = seed * 0x2545f4914f6cdd1dull + 1;
	sim->trace = trace;
	sim->trace_hash = 0xcbf29ce484222325ull;
	sim->scratch_memory = malloc(SCRATCH_SIZE);
	cs_assert(sim->scratch_memory != NULL);
	cs_arena_init(&sim->scratch, sim->scratch_memory, SCRATCH_SIZE);
	enum scene scene = above ? SCENE_ABOVE : (enum scene)(seed % SCENE_COUNT);
	if (above && seed % 2 != 0)
		scene = SCENE_FORGERS;
	sim->forgers = scene == SCENE_FORGERS;
	sim->above_f = scene == SCENE_ABOVE;
	sim->keys = sim->nodes =
		4 + (unsigned)(sim_chance(&sim->rng, 3000) ? sim_below(&sim->rng, 7) : 0);
	sim->extensions = sim_chance(&sim->rng, 3000);
	sim->set_changes = scene == SCENE_CHANGES || scene == SCENE_ALL ||
			   (sim->forgers && sim_chance(&sim->rng, 3000));
	set_roles(sim, scene);
	sim->whispers = seed / SCENE_COUNT % 3 == 0;
	set_disks(sim, scene);
	set_faults(sim, scene);
	make_keys(sim);
	make_genesis(sim);
	make_config(sim);
	for (unsigned i = 0; i < sim->nodes; i++)
		sim->node[i].app_delay_ns = (int64_t)sim_below(&sim->rng, 20) * MS;
	if (sim->above_f)
		build_wall(sim);
}

void sim_done(struct sim *sim)
{
	for (size_t i = 0; i < sim->heap_count; i++)
		free(sim->heap[i].bytes);
	for (unsigned i = 0; i < sim->nodes; i++)
		sim_node_free(&sim->node[i]);
	free(sim->heap);
	for (size_t i = 0; i < sim->attack_count; i++)
		free(sim->attacks[i].bytes);
	free(sim->votes);
	sim_app_done(sim);
	free(sim->scratch_memory);
}

static void begin(struct sim *sim)
{
	struct sim_happening change = {.type = SIM_CHANGE}, heal = {.type = SIM_HEAL};
	struct sim_happening observe = {.type = SIM_OBSERVE};
	sim->heal_at_ns = (int64_t)((sim->roll_backs ? 20000
				     : sim->forgers  ? 8000
						     : 3000) +
				    sim_below(&sim->rng, 5000)) *
				  MS +
			  sim_app_life_ns();
	for (unsigned i = 0; i < sim->nodes; i++) {
		struct sim_happening start = {.type = SIM_RESTART, .node = i};
		sim_schedule(sim, (int64_t)sim_below(&sim->rng, 200) * MS, &start);
	}
	if (!sim->above_f)
		sim_schedule(sim, 500 * MS, &change);
	if (sim->forgers)
		sim_schedule(sim, 500 * MS, &observe);
	sim_schedule(sim, sim->heal_at_ns, &heal);
}

struct result {
	bool good;
	uint64_t hash;
	uint64_t steps, crashes, restores, decisions, evidence, rounds_max, syncs;
	bool forked;
	uint64_t restored_twice, attacks, lies;
	char failure[256];
};

static struct result run(uint64_t seed, bool above, bool trace)
{
	struct sim *sim = malloc(sizeof *sim);
	struct result r;
	cs_assert(sim != NULL);
	sim_init(sim, seed, above, trace);
	begin(sim);
	sim_run(sim);
	if (sim->forked)
		sim_check_fork(sim);
	for (unsigned i = 0; i < sim->nodes && sim->failure[0] == 0; i++)
		sim_check_waiting(sim, &sim->node[i]);
	for (unsigned i = 0; i < sim->nodes && sim->failure[0] == 0; i++)
		sim_app_check_end(sim, &sim->node[i]);
	if (sim->failure[0] == 0 && !sim_attacks_are_carried(sim))
		sim_fail(sim, "an attack was taken, and no block carries it");
	r = (struct result){sim->failure[0] == 0,
			    sim->trace_hash,
			    sim->steps,
			    sim->crashes,
			    sim->restores,
			    sim->decisions,
			    sim->carried,
			    sim->rounds_max,
			    sim->syncs,
			    sim->forked,
			    sim->restored_twice,
			    sim_attacks_taken(sim),
			    sim->lies,
			    {0}};
	memcpy(r.failure, sim->failure, sizeof r.failure);
	sim_done(sim);
	free(sim);
	return r;
}

struct totals {
	uint64_t seeds, failures, steps, crashes, restores, decisions, evidence, rounds_max, syncs,
		forks, restored_twice, attacks, lies;
};

static void run_twice(struct totals *t, uint64_t seed, bool above)
{
	struct result a = run(seed, above, false), b = run(seed, above, false);
	if (a.good && a.hash != b.hash) {
		a.good = false;
		(void)snprintf(a.failure, sizeof a.failure, "two runs of one seed differ");
	}
	if (!a.good) {
		printf("seed %" PRIu64 ": %s\n", seed, a.failure);
		(void)fflush(stdout);
		t->failures++;
	}
	t->seeds++;
	t->steps += a.steps;
	t->crashes += a.crashes;
	t->restores += a.restores;
	t->decisions += a.decisions;
	t->evidence += a.evidence;
	t->syncs += a.syncs;
	t->forks += a.forked ? 1 : 0;
	t->restored_twice += a.restored_twice;
	t->attacks += a.attacks;
	t->lies += a.lies;
	if (a.rounds_max > t->rounds_max)
		t->rounds_max = a.rounds_max;
}

static int report(const struct totals *t)
{
	printf("%" PRIu64 " seeds, %" PRIu64 " failed: %" PRIu64 " steps, %" PRIu64
	       " decisions, %" PRIu64 " crashes, %" PRIu64 " restored backups, %" PRIu64
	       " pieces of evidence in blocks, highest round %" PRIu64 ", %" PRIu64
	       " blocks for others, %" PRIu64 " forks, %" PRIu64
	       " double signatures after a full restore, %" PRIu64
	       " attacks on light clients in blocks, %" PRIu64 " lies refused\n",
	       t->seeds, t->failures, t->steps, t->decisions, t->crashes, t->restores, t->evidence,
	       t->rounds_max, t->syncs, t->forks, t->restored_twice, t->attacks, t->lies);
	sim_app_report();
	return t->failures == 0 ? 0 : 1;
}

static int one_seed(uint64_t seed, bool above, bool trace)
{
	struct result r = run(seed, above, trace);
	printf("seed %" PRIu64 ": %s, hash %016" PRIx64 ", %" PRIu64 " steps, %" PRIu64
	       " decisions, %" PRIu64 " crashes\n",
	       seed, r.good ? "good" : r.failure, r.hash, r.steps, r.decisions, r.crashes);
	return r.good ? 0 : 1;
}

static int usage(void)
{
	(void)fprintf(stderr, "sim --seeds A..B | --minutes M [FIRST] | --above A..B | "
			      "--seed N [--trace] | --above --seed N [--trace]\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct totals totals = {0};
	uint64_t first = 0, last = 0;
	bool above = argc > 1 && strcmp(argv[1], "--above") == 0;
	if (above && argc > 3) {
		argc--;
		argv++;
	}
	if (argc >= 3 && strcmp(argv[1], "--seed") == 0)
		return one_seed(strtoull(argv[2], NULL, 10), above,
				argc > 3 && strcmp(argv[3], "--trace") == 0);
	if (argc == 3 && (above || strcmp(argv[1], "--seeds") == 0)) {
		char *end;
		first = strtoull(argv[2], &end, 10);
		last = strncmp(end, "..", 2) == 0 ? strtoull(end + 2, NULL, 10) : first;
		for (uint64_t seed = first; seed <= last; seed++)
			run_twice(&totals, seed, above);
		return report(&totals);
	}
	if (!above && argc >= 3 && strcmp(argv[1], "--minutes") == 0) {
		time_t until = time(NULL) + 60 * (time_t)strtoul(argv[2], NULL, 10);
		uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1000000;
		while (time(NULL) < until)
			run_twice(&totals, seed++, false);
		return report(&totals);
	}
	return usage();
}
