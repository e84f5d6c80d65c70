#include "relay_state/node/backfill.h"

#include "host/alloc.h"
#include "host/log.h"

#include <stdlib.h>
#include <string.h>

#define TICK_MS 50u
#define SCRATCH_SIZE BFT_SCRATCH_SIZE(BFT_BLOCK_SIZE_MAX)

struct slot {
	int64_t height; /* 0: free */
	uint32_t peer;  /* asked, or whose answer this is; BFT_PEER_NONE: nobody now */
	uint64_t deadline_ms;
	uint64_t tried; /* bit i: peer i */
	bool is_here;
	uint8_t *light, *evidence;
	size_t light_size, evidence_size;
};

struct peer {
	bool is_up;
	bool is_late;  /* did not answer in time, and not since */
	int64_t lacks; /* this height, and so what is below */
	uint32_t open; /* questions */
};

struct node_backfill {
	struct host_loop *loop;
	struct node_backfill_options options;
	struct node_backfill_store *store;
	const struct bft_state *state;
	struct node_backfill_events events;
	void *context;
	struct node_peers *peers;
	struct host_timer *tick;
	struct cmt_header above; /* the lowest that is believed */
	int64_t issued;          /* the lowest height that has had a slot */
	struct slot slots[NODE_BACKFILL_SLOTS];
	struct peer peer[BFT_PEERS_MAX];
	uint32_t last;     /* asked last */
	uint64_t retry_ms; /* 0: somebody may still have the next height */
	uint32_t rounds;   /* in which nobody had it */
	bool is_waiting;   /* nobody is there, and the log says so */
	bool is_over;
	enum cs_err err;
	struct cs_why why;
	uint8_t *memory;
	struct cs_arena scratch;
};

/* ---- what a light block must be ---- */

static bool is_hash_of(const struct cmt_hash *expected, const struct cs_hash *hash)
{
	struct cmt_hash given = cmt_hash_of(hash);
	return cmt_hash_eq(expected, &given);
}

static enum cs_err check_evidence(struct cs_hash **hashes, size_t *count, struct cs_bytes bytes,
				  const struct cmt_header *header, struct cs_arena *arena,
				  struct cs_why *why)
{
	struct cs_bytes one;
	struct cs_hash root;
	struct cs_pb pb;
	size_t i = 0;
	cs_pb_open(&pb, bytes);
	size_t n = cs_pb_count(&pb, 1, CMT_EVIDENCE_MAX);
	struct cmt_evidence *list = cs_arena_calloc(arena, n, sizeof *list);
	struct cs_hash *made = cs_arena_calloc(arena, n, sizeof *made);
	if (list == NULL || made == NULL)
		return CS_ERR_NO_MEMORY;
	while (i < n && cs_pb_element(&pb, 1, &one, SIZE_MAX))
		CS_TRY(cmt_evidence_decode(&list[i++], one, arena, why));
	enum cs_err err = cs_pb_close(&pb);
	if (err != CS_OK)
		return cs_fail(why, err, "the form of its evidence");
	CS_TRY(cmt_evidence_root(&root, list, n, arena));
	if (!is_hash_of(&header->evidence_hash, &root))
		return cs_fail(why, CS_ERR_BAD_PROOF, "other evidence than its header's");
	for (i = 0; i < n; i++)
		CS_TRY(cmt_evidence_hash(&made[i], &list[i], arena));
	*hashes = made;
	*count = n;
	return CS_OK;
}

enum cs_err node_backfill_check(struct cmt_light_block *out, struct cs_hash **hashes,
				size_t *hash_count, struct cs_bytes bytes, struct cs_bytes evidence,
				const struct cmt_header *above, struct cs_arena *arena,
				struct cs_why *why)
{
	struct cmt_light_block light;
	const struct cmt_header *h = &light.header;
	CS_TRY(cmt_light_block_decode(&light, bytes, arena, why));
	if (!cmt_chain_id_eq(&h->chain_id, &above->chain_id))
		return cs_fail(why, CS_ERR_WRONG_CHAIN, "a light block of another chain");
	if (h->height != above->height - 1)
		return cs_fail(why, CS_ERR_INVALID, "a light block of height %lld below %lld",
			       (long long)h->height, (long long)above->height);
	struct cs_hash hash = cmt_header_hash(h);
	if (!is_hash_of(&above->last_block_id.hash, &hash))
		return cs_fail(why, CS_ERR_UNLINKED, "another header than the one above names");
	CS_TRY(cmt_commit_verify_light(&light.commit, &light.validators, &h->chain_id,
				       &above->last_block_id, h->height, false, why));
	/* Every node must compare evidence with one commit: which of several is the chain's. */
	hash = cmt_commit_hash(&light.commit);
	if (!is_hash_of(&above->last_commit_hash, &hash))
		return cs_fail(why, CS_ERR_BAD_PROOF, "another commit than the next block's");
	CS_TRY(check_evidence(hashes, hash_count, evidence, h, arena, why));
	*out = light;
	return CS_OK;
}

/* ---- ends ---- */

static int64_t next_height(const struct node_backfill *b)
{
	return b->above.height - 1;
}

static void drop_bytes(struct slot *slot)
{
	free(slot->light);
	free(slot->evidence);
	slot->light = slot->evidence = NULL;
	slot->is_here = false;
	slot->peer = BFT_PEER_NONE;
}

/* The owner is told in a later turn: this may be inside an event of the peers. */
static void finish(struct node_backfill *b, enum cs_err err)
{
	b->is_over = true;
	b->err = err;
	host_timer_start(b->tick, 0, 0);
}

static void end(struct node_backfill *b, enum node_backfill_status status)
{
	finish(b, node_backfill_store_end(b->store, status, &b->why));
}

/* ---- whom to ask ---- */

static struct slot *slot_of(struct node_backfill *b, int64_t height)
{
	for (size_t i = 0; i < NODE_BACKFILL_SLOTS; i++) {
		if (b->slots[i].height == height)
			return &b->slots[i];
	}
	return NULL;
}

static bool may_have(const struct node_backfill *b, const struct slot *slot, uint32_t peer)
{
	const struct peer *p = &b->peer[peer];
	return p->is_up && slot->height > p->lacks && (slot->tried >> peer & 1) == 0;
}

/* The next in a ring; one that was late only where nobody else is left. */
static uint32_t choose(const struct node_backfill *b, const struct slot *slot)
{
	uint32_t late = BFT_PEER_NONE;
	bool is_busy = false;
	for (uint32_t i = 1; i <= BFT_PEERS_MAX; i++) {
		uint32_t at = (b->last + i) % BFT_PEERS_MAX;
		const struct peer *p = &b->peer[at];
		if (!may_have(b, slot, at))
			continue;
		if (!p->is_late && p->open < NODE_BACKFILL_PER_PEER)
			return at;
		if (!p->is_late)
			is_busy = true;
		else if (late == BFT_PEER_NONE && p->open < NODE_BACKFILL_PER_PEER)
			late = at;
	}
	return is_busy ? BFT_PEER_NONE : late;
}

static void send(struct node_backfill *b, uint32_t peer,
		 const struct node_statesync_message *message)
{
	uint8_t bytes[64];
	struct cs_buf buf;
	cs_buf_init(&buf, bytes, sizeof bytes);
	node_statesync_encode(&buf, message);
	cs_assert(cs_buf_end(&buf) == CS_OK);
	/* What a full queue drops is late. */
	(void)!node_peers_send_sync(b->peers, peer, cs_buf_view(&buf));
}

static void ask(struct node_backfill *b, struct slot *slot)
{
	const struct node_statesync_message m = {.type = NODE_LIGHT_REQUEST,
						 .height = (uint64_t)slot->height};
	uint32_t peer = choose(b, slot);
	if (peer == BFT_PEER_NONE)
		return;
	slot->peer = b->last = peer;
	slot->tried |= (uint64_t)1 << peer;
	slot->deadline_ms = host_now_ms() + b->options.request_ms;
	b->peer[peer].open++;
	send(b, peer, &m);
}

static void fill(struct node_backfill *b)
{
	for (size_t i = 0; i < NODE_BACKFILL_SLOTS && !b->is_over; i++) {
		struct slot *slot = &b->slots[i];
		if (slot->height == 0 && b->issued > b->state->initial_height)
			*slot = (struct slot){.height = --b->issued, .peer = BFT_PEER_NONE};
		if (slot->height != 0 && slot->peer == BFT_PEER_NONE)
			ask(b, slot);
	}
}

/* Asked and unanswered questions of this peer, and what it has answered: to be asked again. */
static void forget_peer(struct node_backfill *b, uint32_t peer)
{
	for (size_t i = 0; i < NODE_BACKFILL_SLOTS; i++) {
		struct slot *slot = &b->slots[i];
		slot->tried &= ~((uint64_t)1 << peer);
		if (slot->height != 0 && slot->peer == peer)
			drop_bytes(slot);
	}
}

/* ---- answers ---- */

static void refuse(struct node_backfill *b, uint32_t peer, enum cs_err err, const char *why)
{
	log_warn("statesync.refused", LOG_U64("peer", peer), LOG_TEXT("what", "a light block"),
		 LOG_ERR(err), LOG_TEXT("why", why));
	/* What else it has sent goes with it: on_down. */
	node_peers_ban(b->peers, peer, err);
}

/* Is this the last one? */
static bool take(struct node_backfill *b, struct slot *slot, const struct cmt_light_block *light,
		 const struct cs_hash *hashes, size_t hash_count)
{
	const struct bft_state *state = b->state;
	const struct node_backfilled made = {.height = slot->height,
					     .time = light->header.time,
					     .light = cs_bytes(slot->light, slot->light_size),
					     .evidence =
						     cs_bytes(slot->evidence, slot->evidence_size),
					     .hashes = hashes,
					     .hash_count = hash_count};
	if (node_backfill_is_old(slot->height, light->header.time, &state->params,
				 state->last_height, state->last_time)) {
		end(b, NODE_BACKFILL_WHOLE);
		return true;
	}
	enum cs_err err = node_backfill_store_put(b->store, &made, &b->why);
	if (err != CS_OK)
		finish(b, err);
	else
		b->above = light->header;
	if (err == CS_OK && slot->height == state->initial_height)
		end(b, NODE_BACKFILL_WHOLE);
	return b->is_over;
}

/* In the order of heights, as far as they are here. */
static void settle(struct node_backfill *b)
{
	struct slot *slot;
	while (!b->is_over && (slot = slot_of(b, next_height(b))) != NULL && slot->is_here) {
		struct cmt_light_block light;
		struct cs_hash *hashes;
		struct cs_why why = {{0}};
		size_t count;
		b->scratch.used = 0;
		enum cs_err err = node_backfill_check(&light, &hashes, &count,
						      cs_bytes(slot->light, slot->light_size),
						      cs_bytes(slot->evidence, slot->evidence_size),
						      &b->above, &b->scratch, &why);
		if (err != CS_OK)
			return refuse(b, slot->peer, err, why.text);
		if (take(b, slot, &light, hashes, count))
			return;
		b->rounds = 0;
		drop_bytes(slot);
		slot->height = 0;
		if (b->above.height % NODE_BACKFILL_TELL_HEIGHTS == 0)
			log_info("statesync.backfill", LOG_I64("height", b->above.height));
	}
}

static void on_light(struct node_backfill *b, uint32_t peer, const struct node_statesync_message *m)
{
	struct slot *slot = slot_of(b, (int64_t)m->height);
	if (slot == NULL || slot->is_here || slot->peer != peer)
		return;
	b->peer[peer].open--;
	b->peer[peer].is_late = false;
	if (m->bytes.n == 0) {
		if (slot->height > b->peer[peer].lacks)
			b->peer[peer].lacks = slot->height;
		slot->peer = BFT_PEER_NONE;
	} else {
		slot->is_here = true;
		slot->light = host_copy(m->bytes);
		slot->light_size = m->bytes.n;
		slot->evidence = host_copy(m->evidence);
		slot->evidence_size = m->evidence.n;
		settle(b);
	}
	fill(b);
}

/* ---- peers ---- */

static void on_up(void *context, uint32_t peer, const struct cs_address *validator)
{
	struct node_backfill *b = context;
	(void)validator;
	b->peer[peer] = (struct peer){.is_up = true};
	b->is_waiting = false;
	fill(b);
}

static void on_down(void *context, uint32_t peer)
{
	struct node_backfill *b = context;
	b->peer[peer] = (struct peer){.is_up = false};
	forget_peer(b, peer);
	fill(b);
}

static void on_sync(void *context, uint32_t peer, struct cs_bytes bytes)
{
	struct node_backfill *b = context;
	struct node_statesync_message m, nothing;
	if (b->is_over)
		return;
	enum cs_err err = node_statesync_decode(&m, bytes);
	if (err != CS_OK)
		return refuse(b, peer, err, "its form");
	if (m.type == NODE_LIGHT_ANSWER)
		return on_light(b, peer, &m);
	if (node_statesync_nothing(&nothing, &m))
		send(b, peer, &nothing);
}

static void on_message(void *context, uint32_t peer, struct cs_bytes bytes)
{
	(void)context, (void)peer, (void)bytes;
}

static void on_drained(void *context, uint32_t peer)
{
	(void)context, (void)peer;
}

/* ---- time ---- */

static void late(struct node_backfill *b, uint64_t now_ms)
{
	for (size_t i = 0; i < NODE_BACKFILL_SLOTS; i++) {
		struct slot *slot = &b->slots[i];
		if (slot->height == 0 || slot->peer == BFT_PEER_NONE || slot->is_here ||
		    now_ms < slot->deadline_ms)
			continue;
		b->peer[slot->peer].open--;
		b->peer[slot->peer].is_late = true;
		slot->peer = BFT_PEER_NONE;
	}
}

/* Everybody who is there was asked for the next height. */
static bool is_stuck(struct node_backfill *b)
{
	const struct slot *slot = slot_of(b, next_height(b));
	if (slot == NULL || slot->peer != BFT_PEER_NONE)
		return false;
	for (uint32_t i = 0; i < BFT_PEERS_MAX; i++) {
		if (may_have(b, slot, i))
			return false;
	}
	return true;
}

static void ask_all_again(struct node_backfill *b)
{
	b->retry_ms = 0;
	for (size_t i = 0; i < BFT_PEERS_MAX; i++)
		b->peer[i].lacks = 0;
	for (size_t i = 0; i < NODE_BACKFILL_SLOTS; i++)
		b->slots[i].tried = 0;
	fill(b);
}

/* Without a peer it waits: there is nothing else that this node could do. */
static void wait_for_peers(struct node_backfill *b)
{
	b->retry_ms = 0;
	b->rounds = 0;
	if (!b->is_waiting)
		log_info("statesync.backfill_waits", LOG_I64("height", next_height(b)));
	b->is_waiting = true;
}

static void stuck(struct node_backfill *b, uint64_t now_ms)
{
	if (node_peers_count(b->peers) == 0)
		return wait_for_peers(b);
	if (b->retry_ms == 0)
		b->retry_ms = now_ms + b->options.retry_ms;
	if (now_ms < b->retry_ms)
		return;
	if (++b->rounds < b->options.rounds)
		return ask_all_again(b);
	log_warn("statesync.backfill_short", LOG_I64("height", next_height(b)),
		 LOG_TEXT("why", "no peer has it: evidence about it and what is below ends this "
				 "node when a block carries it"));
	end(b, NODE_BACKFILL_SHORT);
}

static void on_tick(void *context)
{
	struct node_backfill *b = context;
	uint64_t now_ms = host_now_ms();
	if (b->is_over) {
		if (b->err != CS_OK)
			return b->events.failed(b->context, b->err, b->why.text);
		log_info("statesync.backfilled", LOG_I64("lowest", b->above.height));
		return b->events.done(b->context);
	}
	late(b, now_ms);
	fill(b);
	if (is_stuck(b))
		stuck(b, now_ms);
}

/* ---- the backfill itself ---- */

/* The header below which it goes on. */
static enum cs_err go_on(struct node_backfill *b, const struct cmt_header *base, struct cs_why *why)
{
	struct node_backfill_found found;
	struct node_backfilled lowest;
	struct cmt_light_block light;
	enum cs_err err = node_backfill_store_look(b->store, &found);
	b->above = *base;
	if (err == CS_OK && (found.status != NODE_BACKFILL_BEGUN || found.top != base->height))
		return node_backfill_store_begin(b->store, base->height, why);
	if (err == CS_OK && found.lowest == 0)
		return CS_OK;
	if (err == CS_OK)
		err = node_backfill_store_get(b->store, &lowest, found.lowest);
	if (err == CS_OK)
		err = cmt_light_block_decode(&light, lowest.light, &b->scratch, NULL);
	if (err != CS_OK)
		return cs_fail(why, err, "the light blocks below the base do not read");
	b->above = light.header;
	return CS_OK;
}

enum cs_err node_backfill_new(struct node_backfill **out, struct host_loop *loop,
			      const struct node_backfill_options *options,
			      const struct node_peers_options *peers,
			      struct node_backfill_store *store,
			      const struct node_backfill_events *events, void *context,
			      struct cs_why *why)
{
	static const struct node_peers_events peer_events = {on_up,      on_down,    on_message,
							     on_message, on_drained, on_sync};
	struct node_backfill *b = host_alloc(sizeof *b);
	b->loop = loop;
	b->options = *options;
	b->store = store;
	b->state = options->state;
	b->events = *events;
	b->context = context;
	b->memory = host_alloc(SCRATCH_SIZE);
	cs_arena_init(&b->scratch, b->memory, SCRATCH_SIZE);
	b->tick = host_timer_new(loop, on_tick, b);
	enum cs_err err = go_on(b, options->base, why);
	b->issued = b->above.height;
	b->options.base = NULL;
	if (err == CS_OK)
		err = node_peers_new(&b->peers, loop, peers, &peer_events, b, why);
	if (err != CS_OK) {
		node_backfill_free(b);
		return err;
	}
	host_timer_start(b->tick, TICK_MS, TICK_MS);
	if (b->above.height == b->state->initial_height)
		end(b, NODE_BACKFILL_WHOLE);
	*out = b;
	return CS_OK;
}

uint16_t node_backfill_port(const struct node_backfill *b)
{
	return node_peers_port(b->peers);
}

void node_backfill_free(struct node_backfill *b)
{
	if (b == NULL)
		return;
	node_peers_free(b->peers);
	host_timer_free(b->tick);
	for (size_t i = 0; i < NODE_BACKFILL_SLOTS; i++)
		drop_bytes(&b->slots[i]);
	free(b->memory);
	free(b);
}
