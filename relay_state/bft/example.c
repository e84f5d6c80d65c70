/* The smallest use of the engine: four validators in one process that decide five blocks.
 *
 * Each has a shell of its own that executes effects in order. What is missing here for a real one
 * is said where it would stand: a log and a signer's file that are fsynced, a store, a network, a
 * clock. tests/sim/node.c is a shell with all of it over simulated disks. */
#include "relay_state/bft/bft.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODES 4u
#define HEIGHTS 5
#define QUEUE 4096u
#define BLOCK_SIZE 65536

struct node {
	struct bft *bft;
	struct cs_secret secret;
	struct cs_ed25519_key key;
	struct bft_sign_state signed_last;
	int64_t stored;
};

/* Events under way, with the bytes that they carry: first in, first out. */
struct item {
	unsigned to;
	struct bft_event event;
	uint8_t *bytes;
};

static struct node nodes[NODES];
static struct item queue[QUEUE];
static size_t queue_first, queue_last;
static int64_t now_ns = 1700000000000000000;

static void later(unsigned to, struct bft_event event, struct cs_bytes bytes)
{
	struct item *item = &queue[queue_last++ % QUEUE];
	cs_assert(queue_last - queue_first < QUEUE);
	*item = (struct item){to, event, malloc(bytes.n + 1)};
	cs_assert(item->bytes != NULL);
	if (bytes.n > 0)
		memcpy(item->bytes, bytes.p, bytes.n);
	item->event.bytes = cs_bytes(item->bytes, bytes.n);
}

/* A real signer writes and fsyncs the state before it gives the signature away. */
static void sign(unsigned self, const struct bft_effect *e)
{
	struct node *node = &nodes[self];
	struct bft_event event = {.height = e->height, .round = e->round, .step = e->sign.step};
	enum bft_sign_verdict verdict = bft_sign_state_may(&node->signed_last, &e->sign);
	uint8_t signature[BFT_SIGNATURE_SIZE];
	event.type = verdict == BFT_SIGN_REFUSE ? BFT_EVENT_SIGN_REFUSED : BFT_EVENT_SIGNED;
	if (verdict == BFT_SIGN_NEW) {
		cs_assert(cs_ed25519_sign(signature, &node->secret, e->sign_bytes) == CS_OK);
		bft_sign_state_record(&node->signed_last, &e->sign, signature, NULL);
	}
	event.time_ns = node->signed_last.time_ns;
	memcpy(event.signature, node->signed_last.signature, sizeof event.signature);
	later(self, event, CS_BYTES_NONE);
}

/* What is not here (LOG, SYNC, TIMER, SAVE_STATE, LOAD, reports: see bft.h) needs no answer in this
 * little world, whose application takes every block and puts one transaction into its own. */
static void execute(unsigned self, const struct bft_effect *e)
{
	static const struct cs_hash hash;
	static const struct bft_finalized finalized = {.app_hash = {hash.b, sizeof hash.b}};
	static const struct cs_bytes tx = {(const uint8_t *)"hello", 5};
	static const enum bft_event_type answers[] = {[BFT_EFFECT_PREPARE] = BFT_EVENT_PREPARED,
						      [BFT_EFFECT_PROCESS] = BFT_EVENT_PROCESSED,
						      [BFT_EFFECT_FINALIZE] = BFT_EVENT_FINALIZED,
						      [BFT_EFFECT_COMMIT] = BFT_EVENT_COMMITTED,
						      [BFT_EFFECT_CONTINUE] = BFT_EVENT_CONTINUE};
	struct bft_event event = {answers[e->type], .height = e->height, .round = e->round};
	event.hash = e->hash;
	event.txs = &tx;
	event.tx_count = 1;
	event.accepted = true;
	event.finalized = &finalized;
	if (e->type == BFT_EFFECT_SEND) {
		event = (struct bft_event){.type = BFT_EVENT_MESSAGE, .peer = self};
		for (unsigned to = 0; to < NODES; to++)
			if (to != self && (e->peer == BFT_PEER_ALL || e->peer == to))
				later(to, event, e->bytes);
	} else if (e->type == BFT_EFFECT_SIGN) {
		sign(self, e);
	} else if (e->type == BFT_EFFECT_STORE) {
		nodes[self].stored = e->height;
		printf("validator %u: block %d, round %d\n", self, (int)e->height, e->round);
	} else if (event.type != 0) {
		later(self, event, CS_BYTES_NONE);
	}
}

static void make_validators(struct bft_state *genesis, struct cs_arena *scratch)
{
	struct cmt_validator list[NODES];
	struct bft_genesis g = {.chain_id = cs_bytes_str("example"), .initial_height = 1};
	for (unsigned i = 0; i < NODES; i++) {
		memset(nodes[i].secret.b, (int)i + 1, sizeof nodes[i].secret.b);
		cs_assert(cs_ed25519_public(&nodes[i].key, &nodes[i].secret) == CS_OK);
		list[i] = cmt_validator_of(&nodes[i].key, 10);
	}
	g.time = bft_time_pb(now_ns);
	g.params = cmt_params_default();
	g.params.block_size_max = BLOCK_SIZE;
	g.params.evidence_size_max = BLOCK_SIZE / 4;
	g.validators = list;
	g.count = NODES;
	cs_assert(bft_state_genesis(genesis, &g, scratch, NULL) == CS_OK);
}

static void start(unsigned self, const struct bft_state *genesis)
{
	struct node *node = &nodes[self];
	struct bft_config config = {.block_size_max = BLOCK_SIZE,
				    .propose_ns = 1000000000,
				    .prevote_ns = 1000000000,
				    .precommit_ns = 1000000000,
				    .status_ns = 1000000000,
				    .has_key = true,
				    .key = node->key,
				    .history = bft_history_none()};
	cs_assert(bft_new(&node->bft, &config, genesis, CS_BYTES_NONE) == CS_OK);
	bft_sign_state_init(&node->signed_last);
	bft_set_sign_state(node->bft, &node->signed_last);
	later(self, (struct bft_event){.type = BFT_EVENT_START}, CS_BYTES_NONE);
	for (unsigned i = 0; i < NODES; i++) {
		struct bft_event up = {.type = BFT_EVENT_PEER_UP, .peer = i, .is_validator = true};
		up.address = cmt_address(&nodes[i].key);
		if (i != self)
			later(self, up, CS_BYTES_NONE);
	}
}

int main(void)
{
	static uint8_t memory[1 << 20];
	static struct bft_state genesis;
	struct cs_arena scratch;
	cs_arena_init(&scratch, memory, sizeof memory);
	make_validators(&genesis, &scratch);
	for (unsigned i = 0; i < NODES; i++)
		start(i, &genesis);
	while (queue_first < queue_last) {
		struct item item = queue[queue_first++ % QUEUE];
		const struct bft_effects *effects;
		item.event.now_ns = now_ns += 1000000;
		cs_assert(bft_step(nodes[item.to].bft, &item.event, &effects) == CS_OK);
		for (size_t i = 0; i < effects->count && nodes[0].stored < HEIGHTS; i++)
			execute(item.to, &effects->items[i]);
		free(item.bytes);
	}
	for (unsigned i = 0; i < NODES; i++)
		bft_free(nodes[i].bft);
	return nodes[0].stored == HEIGHTS ? 0 : 1;
}
