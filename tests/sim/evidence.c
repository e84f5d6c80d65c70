/* Evidence on a simulated node: durable before the next effect and brought again at a start, as
 * relay_state/node/evidence_file.h and shell.c do it; and what must hold of it. */
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* From so many pieces on a commit leaves those that still wait: the node's megabyte, sooner. */
#define KEPT_MIN 8

/* ---- durable ---- */

static bool is_there(const struct sim_disk *disk, const struct cs_hash *hash)
{
	for (size_t i = 0; i < disk->evidence_count; i++) {
		if (cs_hash_eq(&disk->evidence[i].hash, hash))
			return true;
	}
	return false;
}

static void put(struct sim_disk *disk, struct cs_bytes bytes)
{
	struct sim_evidence piece = {.hash = cs_sha256(bytes), .size = bytes.n};
	if (is_there(disk, &piece.hash))
		return;
	disk->evidence = realloc(disk->evidence, (disk->evidence_count + 1) * sizeof piece);
	piece.bytes = malloc(bytes.n);
	cs_assert(disk->evidence != NULL && piece.bytes != NULL);
	memcpy(piece.bytes, bytes.p, bytes.n);
	disk->evidence[disk->evidence_count++] = piece;
}

void sim_evidence_free(struct sim_disk *disk)
{
	for (size_t i = 0; i < disk->evidence_count; i++)
		free(disk->evidence[i].bytes);
	free(disk->evidence);
	disk->evidence = NULL;
	disk->evidence_count = 0;
}

void sim_evidence_found(struct sim *sim, struct sim_node *node, struct cs_bytes bytes)
{
	sim_check_evidence(sim, node, bytes);
	put(&node->disk, bytes);
}

void sim_evidence_committed(struct sim_node *node)
{
	if (node->disk.evidence_count < KEPT_MIN)
		return;
	sim_evidence_free(&node->disk);
	for (size_t i = 0; i < bft_evidence_waiting(node->bft); i++)
		put(&node->disk, bft_evidence_at(node->bft, i));
}

void sim_evidence_bring(struct sim *sim, struct sim_node *node)
{
	struct bft_event event = {.type = BFT_EVENT_EVIDENCE};
	for (size_t i = 0; i < node->disk.evidence_count; i++) {
		const struct sim_evidence *piece = &node->disk.evidence[i];
		sim_answer(sim, node, 0, &event, cs_bytes(piece->bytes, piece->size));
	}
}

/* ---- whom it names ---- */

static void check_named(struct sim *sim, const struct sim_node *node,
			const struct cs_address *address)
{
	if (!sim_is_guilty(sim, sim_key_of(sim, address)))
		sim_fail(sim, "node %u blames an honest key", node->index);
}

/* An attack takes more than a third of the power: so much is named, or nobody where no round was
 * signed twice (amnesia). */
static void check_attack(struct sim *sim, const struct sim_node *node,
			 const struct cmt_evidence *evidence)
{
	const struct cmt_light_attack *attack = &evidence->light_attack;
	struct sim_attack *known = sim_attack_of(sim, evidence);
	int64_t power = 0;
	for (size_t i = 0; i < attack->byzantine_count; i++) {
		check_named(sim, node, &attack->byzantine[i].address);
		power += attack->byzantine[i].power;
	}
	if (known == NULL || !known->is_attack)
		sim_fail(sim, "node %u takes an attack that is none", node->index);
	else if (known->kind == SIM_AMNESIA ? power != 0
					    : !bft_is_one_third(power, attack->power_total))
		sim_fail(sim, "node %u: an attack names power %" PRId64 " of %" PRId64, node->index,
			 power, attack->power_total);
	else if (node->role == SIM_HONEST)
		known->taken = true;
}

/* 8, 9: evidence names nobody honest. */
static void check_one(struct sim *sim, const struct sim_node *node,
		      const struct cmt_evidence *evidence)
{
	if (evidence->kind == CMT_DUPLICATE_VOTE)
		check_named(sim, node, &evidence->duplicate_vote.a.validator);
	else
		check_attack(sim, node, evidence);
}

void sim_check_evidence(struct sim *sim, struct sim_node *node, struct cs_bytes bytes)
{
	struct cmt_evidence evidence;
	size_t mark = cs_arena_mark(&sim->scratch);
	if (cmt_evidence_decode(&evidence, bytes, &sim->scratch, NULL) != CS_OK)
		sim_fail(sim, "node %u makes evidence that nobody can read", node->index);
	else
		check_one(sim, node, &evidence);
	cs_arena_rewind(&sim->scratch, mark);
}

void sim_check_carried(struct sim *sim, const struct sim_node *node, const struct cmt_block *block)
{
	for (size_t i = 0; i < block->evidence_count; i++)
		check_one(sim, node, &block->evidence[i]);
}

/* ---- nothing that was found is lost ---- */

/* Whether there is evidence of two votes by this validator at this height, on disk. */
static bool has_pair(struct sim *sim, const struct sim_node *node, int64_t height,
		     const struct cs_address *validator)
{
	bool found = false;
	for (size_t i = 0; i < node->disk.evidence_count && !found; i++) {
		const struct sim_evidence *piece = &node->disk.evidence[i];
		struct cmt_evidence evidence;
		size_t mark = cs_arena_mark(&sim->scratch);
		found = cmt_evidence_decode(&evidence, cs_bytes(piece->bytes, piece->size),
					    &sim->scratch, NULL) == CS_OK &&
			evidence.kind == CMT_DUPLICATE_VOTE &&
			evidence.duplicate_vote.a.height == height &&
			cs_address_eq(&evidence.duplicate_vote.a.validator, validator);
		cs_arena_rewind(&sim->scratch, mark);
	}
	return found;
}

/* Of every key the first vote of the log for each place; a second one is a conflict. Votes of rounds
 * that the engine may not have kept say nothing. */
#define ROUNDS_LOOKED_AT (BFT_ROUNDS_AHEAD + 1)

struct first_votes {
	bool have[SIM_NODES_MAX][ROUNDS_LOOKED_AT][2];
	struct cmt_block_id id[SIM_NODES_MAX][ROUNDS_LOOKED_AT][2];
};

static bool is_conflict(struct first_votes *first, unsigned key, const struct cmt_vote *vote)
{
	size_t type = vote->type == CMT_PREVOTE ? 0 : 1;
	if (key >= SIM_NODES_MAX || vote->round >= ROUNDS_LOOKED_AT)
		return false;
	if (first->have[key][vote->round][type])
		return !cmt_block_id_eq(&first->id[key][vote->round][type], &vote->block_id);
	first->have[key][vote->round][type] = true;
	first->id[key][vote->round][type] = vote->block_id;
	return false;
}

/* Evidence comes before the state behind which the log's records are passed over: whatever the log
 * holds of a conflict at this height is evidence by now, or the engine has enough of this one. */
void sim_check_logged(struct sim *sim, const struct sim_node *node, int64_t height)
{
	struct first_votes first = {0};
	struct bft_wal_record record;
	size_t offset = 0;
	struct cs_bytes log = cs_bytes(node->disk.log, node->disk.log_size);
	if (node->role != SIM_HONEST || node->bad_disk)
		return;
	while (bft_wal_get(&record, &offset, log) == CS_OK) {
		struct bft_event event;
		struct bft_message m;
		int64_t logged;
		if (record.type != BFT_WAL_EVENT ||
		    bft_record_decode(&event, &logged, record.bytes) != CS_OK || logged != height ||
		    event.type != BFT_EVENT_MESSAGE ||
		    bft_message_decode(&m, event.bytes) != CS_OK || m.type != BFT_MESSAGE_VOTE ||
		    m.vote.height != height)
			continue;
		unsigned key = sim_key_of(sim, &m.vote.validator);
		if (is_conflict(&first, key, &m.vote) &&
		    !has_pair(sim, node, height, &m.vote.validator))
			sim_fail(sim,
				 "node %u: key %u voted twice at %" PRId64
				 ", and there is no evidence of it",
				 node->index, key, height);
	}
}

/* What was ever found or taken waits for a block, over every crash, until one carries it. */
void sim_check_waiting(struct sim *sim, const struct sim_node *node)
{
	const struct sim_disk *disk = &node->disk;
	if (node->role != SIM_HONEST || node->bad_disk || !node->up || node->halted)
		return;
	for (size_t i = 0; i < disk->evidence_count; i++) {
		struct cmt_evidence evidence;
		struct cs_hash hash;
		struct cs_bytes bytes = cs_bytes(disk->evidence[i].bytes, disk->evidence[i].size);
		size_t mark = cs_arena_mark(&sim->scratch);
		cs_assert(cmt_evidence_decode(&evidence, bytes, &sim->scratch, NULL) == CS_OK &&
			  cmt_evidence_hash(&hash, &evidence, &sim->scratch) == CS_OK);
		cs_arena_rewind(&sim->scratch, mark);
		if (cmt_evidence_height(&evidence) <= bft_state_view(node->bft)->last_height &&
		    !bft_evidence_waits(node->bft, &hash) && !sim_is_carried(node, &hash))
			sim_fail(sim, "node %u has lost evidence of height %" PRId64, node->index,
				 cmt_evidence_height(&evidence));
	}
}
