/* Nodes that lie with their own key: an honest engine whose shell changes what leaves. */
#include "tests/sim/sim.h"

#include <string.h>

static void send_to(struct sim *sim, const struct sim_node *node, unsigned to,
		    const struct bft_message *message)
{
	uint8_t bytes[4096];
	struct cs_buf buf;
	cs_buf_init(&buf, bytes, sizeof bytes);
	bft_message_encode(&buf, message);
	if (cs_buf_end(&buf) == CS_OK)
		sim_network(sim, node->index, to, cs_buf_view(&buf));
}

static void sign_vote(struct sim *sim, const struct sim_node *node, struct cmt_vote *vote)
{
	uint8_t bytes[CMT_SIGN_BYTES_MAX];
	struct cs_buf buf;
	cs_buf_init(&buf, bytes, sizeof bytes);
	cmt_vote_sign_bytes(&buf, vote, &sim->genesis.chain_id);
	cs_assert(cs_ed25519_sign(vote->signature.b, &sim->secret[node->key], cs_buf_view(&buf)) ==
		  CS_OK);
}

/* Another vote for the same place: nil, or a block that nobody has. */
static void turn_vote(struct sim *sim, const struct sim_node *node, struct cmt_vote *vote)
{
	vote->extension = CS_BYTES_NONE;
	memset(&vote->extension_signature, 0, sizeof vote->extension_signature);
	if (cmt_block_id_is_nil(&vote->block_id) && vote->type == CMT_PREVOTE) {
		struct cs_hash hash;
		memset(hash.b, 7, sizeof hash.b);
		vote->block_id.hash = cmt_hash_of(&hash);
		vote->block_id.parts.hash = cmt_hash_of(&hash);
		vote->block_id.parts.total = 1;
	} else {
		memset(&vote->block_id, 0, sizeof vote->block_id);
	}
	sign_vote(sim, node, vote);
}

static void turn_proposal(struct sim *sim, const struct sim_node *node, struct cmt_proposal *p)
{
	uint8_t bytes[CMT_SIGN_BYTES_MAX];
	struct cs_buf buf;
	if (p->round > 0 && sim_chance(&sim->rng, 7000))
		p->pol_round = (int32_t)sim_below(&sim->rng, (uint64_t)p->round);
	else
		p->block_id.hash.hash.b[0] ^= 1;
	cs_buf_init(&buf, bytes, sizeof bytes);
	cmt_proposal_sign_bytes(&buf, p, &sim->genesis.chain_id);
	cs_assert(cs_ed25519_sign(p->signature.b, &sim->secret[node->key], cs_buf_view(&buf)) ==
		  CS_OK);
}

/* To many, or to one alone, who then is the only one that can convict. */
static bool is_told_twice(struct sim *sim, unsigned to)
{
	return sim->whispers ? to + 1 == sim->keys && sim_chance(&sim->rng, 6000)
			     : sim_chance(&sim->rng, 3000);
}

bool sim_lie(struct sim *sim, struct sim_node *node, uint32_t to, struct cs_bytes bytes)
{
	struct bft_message m, turned;
	if (node->role != SIM_LIAR || bft_message_decode(&m, bytes) != CS_OK)
		return false;
	for (unsigned i = 0; i < sim->nodes; i++) {
		if (i == node->index || (to != BFT_PEER_ALL && to != i))
			continue;
		/* Withhold. */
		if (sim_chance(&sim->rng, 1500))
			continue;
		bool own = m.type == BFT_MESSAGE_VOTE &&
			   cs_address_eq(&m.vote.validator, &sim->address[node->key]);
		turned = m;
		if (own && is_told_twice(sim, i)) {
			turn_vote(sim, node, &turned.vote);
			send_to(sim, node, i, &turned);
			if (!sim->whispers && sim_chance(&sim->rng, 5000))
				continue;
		}
		if (m.type == BFT_MESSAGE_PROPOSAL && sim_chance(&sim->rng, 5000)) {
			turn_proposal(sim, node, &turned.proposal);
			send_to(sim, node, i, &turned);
			continue;
		}
		if (m.type == BFT_MESSAGE_STATUS && sim_chance(&sim->rng, 2000)) {
			turned.status.height += (int64_t)sim_below(&sim->rng, 50);
			turned.status.round += (int32_t)sim_below(&sim->rng, 50);
			send_to(sim, node, i, &turned);
			continue;
		}
		/* A bit on the way: the peer sees somebody who sends rubbish. */
		if (sim_chance(&sim->rng, 200) && bytes.n < 2048) {
			uint8_t broken[2048];
			memcpy(broken, bytes.p, bytes.n);
			broken[sim_below(&sim->rng, bytes.n)] ^=
				(uint8_t)(1u << sim_below(&sim->rng, 8));
			sim_network(sim, node->index, i, cs_bytes(broken, bytes.n));
			continue;
		}
		/* A time that is long past: of three equal votes the earliest is the median. */
		if (own && m.vote.type == CMT_PRECOMMIT && m.vote.height % 2 == 0) {
			turned.vote.time = CS_PB_TIME_ZERO;
			sign_vote(sim, node, &turned.vote);
			send_to(sim, node, i, &turned);
			continue;
		}
		sim_network(sim, node->index, i, bytes);
	}
	return true;
}
