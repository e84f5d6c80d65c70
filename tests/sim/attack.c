/* Attacks on light clients: a header that is not the chain's, signed by more than a third of the
 * power, whose owners are honest in consensus. Somebody who saw it tells nodes, as a light client
 * does; or lies about honest ones, which no node may take. */
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- what a light client is given ---- */

/* The newest block of which another one carries the commit. */
static int64_t newest_of(const struct sim_node *node)
{
	return bft_state_view(node->bft)->last_height - 1;
}

/* Of an applied block, as the RPC serves it: the scratch arena's. */
static struct cmt_light_block served(struct sim *sim, struct sim_node *node, int64_t height)
{
	struct cmt_light_block block;
	struct bft_history history = sim_history(node);
	cs_assert(history.signed_header_at(node, &block.header, &block.commit, height,
					   &sim->scratch) == CS_OK);
	block.validators = node->disk.blocks[height].validators->set;
	return block;
}

/* ---- what is forged ---- */

static struct cmt_hash random_hash(struct sim *sim)
{
	struct cs_hash hash = {{0}};
	for (size_t i = 0; i < sizeof hash.b; i += 8)
		cs_put_be64(hash.b + i, sim_random(&sim->rng));
	return cmt_hash_of(&hash);
}

static struct cmt_validator_set set_of(struct sim *sim, const bool signs[SIM_NODES_MAX])
{
	struct cmt_validator list[SIM_NODES_MAX];
	struct cmt_validator_set set;
	size_t count = 0;
	for (unsigned key = 0; key < sim->keys; key++) {
		if (signs[key])
			list[count++] = cmt_validator_of(&sim->key[key], 10);
	}
	cs_assert(cmt_validator_set_init(&set, &sim->scratch, count) == CS_OK);
	cs_assert(cmt_validator_set_make(&set, list, count, &sim->scratch, NULL) == CS_OK);
	return set;
}

/* By the owner's secret; of somebody honest by another's, which is no signature. */
static void sign_one(struct sim *sim, struct cmt_commit *commit, size_t index, unsigned key)
{
	uint8_t bytes[CMT_SIGN_BYTES_MAX];
	struct cs_buf buf;
	struct cmt_vote vote = cmt_commit_vote(commit, index);
	const struct cs_secret *secret = &sim->secret[sim_is_guilty(sim, key) ? key : 0];
	cs_buf_init(&buf, bytes, sizeof bytes);
	cmt_vote_sign_bytes(&buf, &vote, &sim->genesis.chain_id);
	cs_assert(cs_buf_end(&buf) == CS_OK);
	commit->sigs[index].signature.some = true;
	cs_assert(cs_ed25519_sign(commit->sigs[index].signature.b, secret, cs_buf_view(&buf)) ==
		  CS_OK);
}

static void seal(struct sim *sim, struct cmt_light_block *block, int32_t round,
		 const bool signs[SIM_NODES_MAX])
{
	struct cmt_commit *commit = &block->commit;
	struct cs_hash set = cmt_validator_set_hash(&block->validators);
	block->header.validators_hash = cmt_hash_of(&set);
	struct cs_hash hash = cmt_header_hash(&block->header);
	*commit = (struct cmt_commit){.height = block->header.height,
				      .round = round,
				      .block_id = {cmt_hash_of(&hash), {1, cmt_hash_of(&hash)}},
				      .count = block->validators.count};
	commit->sigs = cs_arena_calloc(&sim->scratch, commit->count, sizeof *commit->sigs);
	cs_assert(commit->sigs != NULL);
	for (size_t i = 0; i < commit->count; i++) {
		unsigned key = sim_key_of(sim, &block->validators.list[i].address);
		commit->sigs[i] = CMT_SIG_ABSENT;
		if (!signs[key])
			continue;
		commit->sigs[i] =
			(struct cmt_commit_sig){.flag = CMT_COMMIT,
						.validator = block->validators.list[i].address,
						.time = block->header.time};
		sign_one(sim, commit, i, key);
	}
}

struct forged {
	struct cmt_light_block conflicting, trusted, common;
};

/* A header that no execution gives, by its signers as their own set; or another block of the same
 * state and set, in the round of the chain's or in the next one. */
static struct forged forge(struct sim *sim, struct sim_node *node, enum sim_attack_kind kind,
			   const bool signs[SIM_NODES_MAX])
{
	struct forged f;
	int64_t newest = newest_of(node), ahead = 0;
	int64_t height = 2 + (int64_t)sim_below(&sim->rng, (uint64_t)newest - 1), common = height;
	if (kind == SIM_LUNATIC)
		common = 1 + (int64_t)sim_below(&sim->rng, (uint64_t)height - 1);
	if (kind == SIM_FORWARD) {
		height = newest;
		common = 1 + (int64_t)sim_below(&sim->rng, (uint64_t)newest);
		ahead = 1 + (int64_t)sim_below(&sim->rng, 5);
	}
	f.trusted = served(sim, node, height);
	f.common = served(sim, node, common);
	f.conflicting = f.trusted;
	f.conflicting.header.height += ahead;
	f.conflicting.header.data_hash = random_hash(sim);
	if (kind == SIM_LUNATIC || kind == SIM_FORWARD) {
		f.conflicting.header.app_hash.b[0] ^= 1;
		f.conflicting.validators = set_of(sim, signs);
	}
	seal(sim, &f.conflicting, f.trusted.commit.round + (kind == SIM_AMNESIA ? 1 : 0), signs);
	return f;
}

/* ---- what is evidence, and what is told ---- */

struct sim_attack *sim_attack_of(struct sim *sim, const struct cmt_evidence *evidence)
{
	struct cs_hash hash;
	size_t mark = cs_arena_mark(&sim->scratch);
	cs_assert(cmt_evidence_hash(&hash, evidence, &sim->scratch) == CS_OK);
	cs_arena_rewind(&sim->scratch, mark);
	for (size_t i = 0; i < sim->attack_count; i++) {
		if (cs_hash_eq(&sim->attacks[i].hash, &hash))
			return &sim->attacks[i];
	}
	return NULL;
}

static struct cs_bytes encoded(struct sim *sim, const struct cmt_evidence *evidence)
{
	struct cs_buf buf;
	cs_assert(cs_buf_init_arena(&buf, &sim->scratch, cmt_evidence_size_max(evidence)) == CS_OK);
	cmt_evidence_encode(&buf, evidence);
	cs_assert(cs_buf_end(&buf) == CS_OK);
	return cs_buf_view(&buf);
}

/* By a person, or by a guilty node as its own. */
static void tell(struct sim *sim, struct sim_node *node, struct cs_bytes bytes, bool by_peer)
{
	struct bft_event event = {.type = BFT_EVENT_EVIDENCE, .bytes = bytes};
	struct bft_message m = {.type = BFT_MESSAGE_EVIDENCE, .evidence = bytes};
	struct cs_buf buf;
	if (by_peer) {
		cs_assert(cs_buf_init_arena(&buf, &sim->scratch, bytes.n + 64) == CS_OK);
		bft_message_encode(&buf, &m);
		cs_assert(cs_buf_end(&buf) == CS_OK);
		event = (struct bft_event){.type = BFT_EVENT_MESSAGE, .peer = 0};
		event.bytes = cs_buf_view(&buf);
	}
	sim_node_event(sim, node, &event);
}

static bool listens(const struct sim_node *node)
{
	return node->role == SIM_HONEST && node->up && !node->halted;
}

static void tell_attack(struct sim *sim, struct sim_node *node, const struct sim_attack *attack)
{
	uint32_t life = node->life;
	bool can_judge = newest_of(node) >= attack->judged_from;
	bool was_carried = sim_is_carried(node, &attack->hash);
	tell(sim, node, cs_bytes(attack->bytes, attack->size), false);
	if (!node->up || node->life != life || was_carried)
		return;
	bool waits = bft_evidence_waits(node->bft, &attack->hash);
	if (waits && !attack->is_attack)
		sim_fail(sim, "node %u takes an attack by too few", node->index);
	if (!waits && attack->is_attack && can_judge)
		sim_fail(sim, "node %u refuses an attack of kind %d", node->index,
			 (int)attack->kind);
	sim->lies += attack->is_attack ? 0 : 1;
}

static int64_t power_of(const struct sim *sim, const struct cmt_validator_set *set,
			const bool signs[SIM_NODES_MAX])
{
	int64_t power = 0;
	for (size_t i = 0; i < set->count; i++) {
		if (signs[sim_key_of(sim, &set->list[i].address)])
			power += set->list[i].power;
	}
	return power;
}

/* Some of the guilty, mostly all. */
static void choose_signers(struct sim *sim, bool signs[SIM_NODES_MAX])
{
	bool all = sim_chance(&sim->rng, 8000), any = false;
	for (unsigned key = 0; key < sim->keys; key++) {
		signs[key] = sim_is_guilty(sim, key) && (all || sim_chance(&sim->rng, 5000));
		any = any || signs[key];
	}
	signs[0] = signs[0] || !any;
}

static struct sim_attack *attack(struct sim *sim, struct sim_node *node)
{
	bool signs[SIM_NODES_MAX];
	enum sim_attack_kind kind = (enum sim_attack_kind)sim_below(&sim->rng, SIM_ATTACK_KINDS);
	struct cmt_evidence evidence = {.kind = CMT_LIGHT_ATTACK};
	struct sim_attack *out = &sim->attacks[sim->attack_count];
	choose_signers(sim, signs);
	struct forged f = forge(sim, node, kind, signs);
	int64_t power = power_of(sim, &f.common.validators, signs);
	int64_t total = f.common.validators.power;
	*out = (struct sim_attack){.kind = kind, .judged_from = newest_of(node)};
	/* A block of the chain's own set needs two thirds of it, one of the signers' own set a third
	 * of those whom the light client trusts. */
	out->is_attack = kind == SIM_LUNATIC || kind == SIM_FORWARD
				 ? bft_is_one_third(power, total)
				 : bft_is_two_thirds(power, total);
	cs_assert(cmt_light_attack_make(&evidence.light_attack, &f.conflicting, &f.trusted,
					&f.common, &sim->scratch) == CS_OK);
	cs_assert(cmt_evidence_check(&evidence, NULL) == CS_OK);
	cs_assert(cmt_evidence_hash(&out->hash, &evidence, &sim->scratch) == CS_OK);
	struct cs_bytes bytes = encoded(sim, &evidence);
	out->bytes = malloc(bytes.n);
	cs_assert(out->bytes != NULL);
	memcpy(out->bytes, bytes.p, bytes.n);
	out->size = bytes.n;
	sim->attack_count++;
	sim_trace(sim, "%8.3f attack %d at %" PRId64 " from %" PRId64 "%s\n",
		  (double)sim->now_ns / 1e9, (int)kind, f.conflicting.header.height,
		  evidence.light_attack.common_height, out->is_attack ? "" : ", by too few");
	return out;
}

/* ---- lies about honest ones ---- */

static unsigned somebody_honest(const struct sim *sim)
{
	unsigned key = 0;
	while (sim_is_guilty(sim, key))
		key++;
	return key;
}

/* A real attack with a false list: the honest one in the first place of it. */
static void false_list(struct sim *sim, struct cmt_evidence *e, struct sim_node *node,
		       const bool signs[SIM_NODES_MAX])
{
	struct cmt_light_attack *a = &e->light_attack;
	struct forged f = forge(sim, node, SIM_LUNATIC, signs);
	cs_assert(cmt_light_attack_make(a, &f.conflicting, &f.trusted, &f.common, &sim->scratch) ==
		  CS_OK);
	a->byzantine[0] = cmt_validator_of(&sim->key[somebody_honest(sim)], 10);
}

/* All sign, but the honest ones did not. */
static void false_signatures(struct sim *sim, struct cmt_evidence *e, struct sim_node *node)
{
	bool all[SIM_NODES_MAX];
	enum sim_attack_kind kind = sim_chance(&sim->rng, 5000) ? SIM_LUNATIC : SIM_EQUIVOCATION;
	memset(all, true, sizeof all);
	struct forged f = forge(sim, node, kind, all);
	cs_assert(cmt_light_attack_make(&e->light_attack, &f.conflicting, &f.trusted, &f.common,
					&sim->scratch) == CS_OK);
}

/* The chain's own block, and all who signed it. */
static void own_block(struct sim *sim, struct cmt_evidence *e, struct sim_node *node)
{
	int64_t height = 1 + (int64_t)sim_below(&sim->rng, (uint64_t)newest_of(node));
	struct cmt_light_block block = served(sim, node, height);
	cs_assert(cmt_light_attack_make(&e->light_attack, &block, &block, &block, &sim->scratch) ==
		  CS_OK);
}

/* An honest vote, and one for the same place that somebody else signed. */
static void false_vote(struct sim *sim, struct cmt_evidence *e, struct sim_node *node)
{
	struct cmt_light_block block = served(sim, node, newest_of(node));
	size_t at = 0;
	while (block.commit.sigs[at].flag != CMT_COMMIT ||
	       sim_is_guilty(sim, sim_key_of(sim, &block.commit.sigs[at].validator))) {
		if (++at == block.commit.count)
			return false_signatures(sim, e, node);
	}
	struct cmt_vote real = cmt_commit_vote(&block.commit, at);
	struct cmt_hash other = random_hash(sim);
	block.commit.block_id = (struct cmt_block_id){other, {1, other}};
	sign_one(sim, &block.commit, at, sim_key_of(sim, &real.validator));
	struct cmt_vote forged = cmt_commit_vote(&block.commit, at);
	e->kind = CMT_DUPLICATE_VOTE;
	cs_assert(cmt_duplicate_vote_make(&e->duplicate_vote, &real, &forged, &block.validators,
					  block.header.time) == CS_OK);
}

/* What it is, and with which error it is refused. */
static enum cs_err choose_lie(struct sim *sim, struct cmt_evidence *evidence, struct sim_node *node)
{
	bool signs[SIM_NODES_MAX];
	for (unsigned key = 0; key < sim->keys; key++)
		signs[key] = sim_is_guilty(sim, key);
	switch (sim_below(&sim->rng, 4)) {
	case 0:
		false_list(sim, evidence, node, signs);
		return CS_ERR_INVALID;
	case 1:
		false_signatures(sim, evidence, node);
		return CS_ERR_BAD_SEAL;
	case 2:
		own_block(sim, evidence, node);
		return CS_ERR_INVALID;
	default:
		false_vote(sim, evidence, node);
		return CS_ERR_BAD_SEAL;
	}
}

static void lie(struct sim *sim, struct sim_node *node)
{
	struct cmt_evidence evidence = {.kind = CMT_LIGHT_ATTACK};
	struct bft_history history = sim_history(node);
	struct cs_hash hash;
	uint32_t life = node->life;
	enum cs_err expected = choose_lie(sim, &evidence, node);
	enum cs_err err = bft_evidence_check(&evidence, NULL, bft_state_view(node->bft), &history,
					     &sim->scratch, NULL);
	if (err != expected)
		sim_fail(sim, "a lie is refused with %s, not %s", cs_err_name(err),
			 cs_err_name(expected));
	cs_assert(cmt_evidence_hash(&hash, &evidence, &sim->scratch) == CS_OK);
	tell(sim, node, encoded(sim, &evidence), sim_chance(&sim->rng, 5000));
	if (node->up && node->life == life && bft_evidence_waits(node->bft, &hash))
		sim_fail(sim, "node %u takes evidence against honest ones", node->index);
	sim->lies++;
}

/* ---- the observer ---- */

/* Heights that a node must have, so that there is something to forge. */
#define HEIGHT_MIN 5

void sim_observe(struct sim *sim)
{
	unsigned first = (unsigned)sim_below(&sim->rng, sim->nodes), n = 0;
	while (n + 1 < sim->nodes && !listens(&sim->node[(first + n) % sim->nodes]))
		n++;
	struct sim_node *node = &sim->node[(first + n) % sim->nodes];
	if (!listens(node) || bft_state_view(node->bft)->last_height < HEIGHT_MIN)
		return;
	size_t mark = cs_arena_mark(&sim->scratch);
	if (sim_chance(&sim->rng, 4000)) {
		lie(sim, node);
	} else {
		const struct sim_attack *told =
			sim->attack_count < SIM_ATTACKS_MAX
				? attack(sim, node)
				: &sim->attacks[sim_below(&sim->rng, SIM_ATTACKS_MAX)];
		tell_attack(sim, node, told);
		for (unsigned i = 0; i < sim->nodes; i++) {
			if (listens(&sim->node[i]) && sim_chance(&sim->rng, 3000))
				tell_attack(sim, &sim->node[i], told);
		}
	}
	cs_arena_rewind(&sim->scratch, mark);
}

bool sim_attacks_are_carried(const struct sim *sim)
{
	bool carried = true;
	for (size_t i = 0; i < sim->attack_count; i++) {
		for (unsigned n = 0; n < sim->nodes && sim->attacks[i].taken; n++)
			carried = carried && (sim->node[n].role != SIM_HONEST ||
					      sim_is_carried(&sim->node[n], &sim->attacks[i].hash));
	}
	return carried;
}

uint64_t sim_attacks_taken(const struct sim *sim)
{
	uint64_t count = 0;
	for (size_t i = 0; i < sim->attack_count; i++)
		count += sim->attacks[i].taken ? 1 : 0;
	return count;
}
