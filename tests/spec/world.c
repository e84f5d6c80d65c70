#include "tests/spec/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_NS 1700000000000000000ll
#define STEP_NS 1000000ll

const char *const world_kind_names[WORLD_KINDS] = {"proposal", "prevote", "precommit"};

static void fail(struct world *world, const char *format, ...) CS_PRINTF(2, 3);

static void fail(struct world *world, const char *format, ...)
{
	va_list args;
	if (world->failure[0] != 0)
		return;
	va_start(args, format);
	(void)vsnprintf(world->failure, sizeof world->failure, format, args);
	va_end(args);
}

bool world_is_faulty(const struct world *world, int node)
{
	return (world->faulty >> node & 1) != 0;
}

int world_round(const struct world *world, int node)
{
	return bft_look(world->node[node].bft).round;
}

bool world_has_decided(const struct world *world, int node)
{
	return bft_look(world->node[node].bft).step == BFT_STEP_COMMIT;
}

/* ---- values ---- */

static struct world_value *value_find(struct world *world, int number)
{
	for (size_t i = 0; i < world->value_count; i++) {
		if (world->values[i].number == number)
			return &world->values[i];
	}
	return NULL;
}

static int value_of(struct world *world, const struct cmt_block_id *id)
{
	for (size_t i = 0; i < world->value_count; i++) {
		if (cmt_block_id_eq(&world->values[i].id, id))
			return world->values[i].number;
	}
	if (!cmt_block_id_is_nil(id))
		fail(world, "a block that nobody made");
	return WORLD_NIL;
}

static struct world_value *value_add(struct world *world, int number, const struct cmt_block_id *id)
{
	cs_assert(world->value_count < WORLD_VALUES_MAX);
	struct world_value *value = &world->values[world->value_count++];
	value->number = number;
	value->id = *id;
	return value;
}

static void value_fill(struct world_value *value, struct cs_bytes block)
{
	cs_assert(block.n <= sizeof value->bytes);
	memcpy(value->bytes, block.p, block.n);
	value->size = block.n;
}

/* A block of a faulty proposer, made when it is first spoken of. */
static struct world_value *value_make(struct world *world, int number)
{
	uint8_t bytes[WORLD_BLOCK_SIZE];
	char tx[32];
	struct cs_buf buf;
	struct cmt_block block;
	struct cmt_part_set parts;
	int owner = 0;
	size_t mark = cs_arena_mark(&world->scratch);
	while (!world_is_faulty(world, owner))
		owner++;
	memset(&block, 0, sizeof block);
	cs_assert(bft_state_header(&block.header, &world->state, &block.last_commit,
				   &world->state.now.set.list[owner].address) == CS_OK);
	(void)snprintf(tx, sizeof tx, "faulty value %d", number);
	struct cs_bytes view = cs_bytes_str(tx);
	block.txs = &view;
	block.tx_count = 1;
	cs_assert(cmt_block_fill_hashes(&block, &world->scratch) == CS_OK);
	cs_buf_init(&buf, bytes, sizeof bytes);
	cmt_block_encode(&buf, &block);
	cs_assert(cs_buf_end(&buf) == CS_OK);
	cs_assert(cmt_part_set_make(&parts, cs_buf_view(&buf), &world->scratch) == CS_OK);
	struct cs_hash hash = cmt_header_hash(&block.header);
	struct cmt_block_id id = {cmt_hash_of(&hash), parts.header};
	struct world_value *value = value_add(world, number, &id);
	value_fill(value, cs_buf_view(&buf));
	cs_arena_rewind(&world->scratch, mark);
	return value;
}

static struct cmt_block_id value_id(struct world *world, int number)
{
	const struct world_value *value = value_find(world, number);
	if (number == WORLD_NIL)
		return (struct cmt_block_id){0};
	return value != NULL ? value->id : value_make(world, number)->id;
}

/* ---- what an engine says ---- */

static void say(struct world *world, struct world_node *node, const char *format, ...)
	CS_PRINTF(3, 4);

static void say(struct world *world, struct world_node *node, const char *format, ...)
{
	size_t n = strlen(node->out);
	va_list args;
	if (n > 0)
		n += (size_t)snprintf(node->out + n, sizeof node->out - n, ", ");
	va_start(args, format);
	int more = n < sizeof node->out
			   ? vsnprintf(node->out + n, sizeof node->out - n, format, args)
			   : -1;
	va_end(args);
	if (more < 0 || n + (size_t)more >= sizeof node->out)
		fail(world, "too much was said at once");
}

static const char *value_text(char text[16], int value)
{
	(void)snprintf(text, 16, value == WORLD_NIL ? "nil" : "%d", value);
	return text;
}

static void keep(struct world *world, struct world_node *node, enum world_kind kind, int round,
		 int value, int pol, const struct bft_message *message)
{
	if (round < 0 || round >= WORLD_ROUNDS_MAX) {
		fail(world, "round %d", round);
		return;
	}
	struct world_sent *sent = &node->sent[kind][round];
	if (sent->some)
		fail(world, "a second %s of round %d", world_kind_names[kind], round);
	*sent = (struct world_sent){true, value, pol, *message};
}

static void on_sent_proposal(struct world *world, struct world_node *node,
			     const struct bft_message *message)
{
	const struct cmt_proposal *p = &message->proposal;
	char text[16];
	int value = value_of(world, &p->block_id);
	keep(world, node, WORLD_PROPOSAL, p->round, value, p->pol_round, message);
	say(world, node, "proposal %d %s %d", p->round, value_text(text, value), p->pol_round);
}

static void on_sent(struct world *world, struct world_node *node, const struct bft_effect *effect)
{
	struct bft_message message;
	char text[16];
	if (bft_message_decode(&message, effect->bytes) != CS_OK) {
		fail(world, "a message that does not decode");
		return;
	}
	if (message.type == BFT_MESSAGE_OWN_ASK) {
		/* Nobody holds anything of anybody yet. */
		for (uint32_t i = 0; i < WORLD_NODES; i++) {
			struct bft_event *event = &node->queue[node->queue_end];
			if (&world->node[i] == node ||
			    (effect->peer != BFT_PEER_ALL && effect->peer != i))
				continue;
			cs_assert(node->queue_end++ < WORLD_QUEUE_MAX - 1);
			*event = (struct bft_event){.type = BFT_EVENT_MESSAGE, .peer = i};
		}
	}
	if (effect->peer != BFT_PEER_ALL)
		return;
	if (message.type == BFT_MESSAGE_PROPOSAL)
		on_sent_proposal(world, node, &message);
	/* One part is a whole block here. */
	for (size_t i = 0; i < world->value_count && message.type == BFT_MESSAGE_PART; i++) {
		struct world_value *value = &world->values[i];
		if (cmt_part_check(&message.part.part, &value->id.parts) == CS_OK)
			value_fill(value, message.part.part.bytes);
	}
	if (message.type == BFT_MESSAGE_VOTE) {
		const struct cmt_vote *vote = &message.vote;
		enum world_kind kind = vote->type == CMT_PREVOTE ? WORLD_PREVOTE : WORLD_PRECOMMIT;
		int value = value_of(world, &vote->block_id);
		if (&world->node[vote->index] != node)
			return;
		keep(world, node, kind, vote->round, value, -1, &message);
		say(world, node, "%s %d %s", world_kind_names[kind], vote->round,
		    value_text(text, value));
	}
}

/* ---- what an engine asks ---- */

static struct bft_event *answer(struct world_node *node, enum bft_event_type type,
				const struct bft_effect *effect)
{
	cs_assert(node->queue_end < WORLD_QUEUE_MAX);
	struct bft_event *event = &node->queue[node->queue_end++];
	*event = (struct bft_event){.type = type,
				    .height = effect->height,
				    .round = effect->round,
				    .hash = effect->hash};
	return event;
}

static void sign(struct world *world, struct world_node *node, const struct bft_effect *effect)
{
	static const uint8_t none[BFT_SIGNATURE_SIZE];
	struct bft_event *event = answer(node, BFT_EVENT_SIGNED, effect);
	if (bft_sign_state_may(&node->signed_last, &effect->sign) != BFT_SIGN_NEW) {
		fail(world, "it asks to sign what it must not");
		event->type = BFT_EVENT_SIGN_REFUSED;
		event->step = effect->sign.step;
		return;
	}
	/* A new block of a correct proposer is numbered as its round. */
	if (effect->sign.step == BFT_SIGN_PROPOSAL && effect->sign.pol_round < 0)
		(void)value_add(world, effect->sign.round, &effect->sign.block_id);
	event->step = effect->sign.step;
	event->time_ns = effect->sign.time_ns;
	cs_assert(cs_ed25519_sign(event->signature, &world->secret[node - world->node],
				  effect->sign_bytes) == CS_OK);
	bft_sign_state_record(&node->signed_last, &effect->sign, event->signature, none);
}

static void on_timer(struct world *world, struct world_node *node, const struct bft_effect *effect)
{
	if (effect->round < 0 || effect->round >= WORLD_ROUNDS_MAX)
		fail(world, "a timer of round %d", effect->round);
	else
		node->armed[effect->timer][effect->round] = true;
}

static void process(struct world *world, struct world_node *node, const struct bft_effect *effect)
{
	const struct world_value *bad = value_find(world, WORLD_UNACCEPTABLE);
	struct bft_event *event = answer(node, BFT_EVENT_PROCESSED, effect);
	event->accepted = bad == NULL || !cs_hash_eq(&bad->id.hash.hash, &effect->hash);
}

static void execute(struct world *world, struct world_node *node, const struct bft_effect *effect)
{
	char text[16];
	switch (effect->type) {
	case BFT_EFFECT_SEND:
		on_sent(world, node, effect);
		return;
	case BFT_EFFECT_TIMER:
		on_timer(world, node, effect);
		return;
	case BFT_EFFECT_SIGN:
		sign(world, node, effect);
		return;
	case BFT_EFFECT_PREPARE:
		(void)answer(node, BFT_EVENT_PREPARED, effect);
		return;
	case BFT_EFFECT_PROCESS:
		process(world, node, effect);
		return;
	case BFT_EFFECT_STORE:
		say(world, node, "decide %d %s", effect->round,
		    value_text(text, value_of(world, &effect->block_id)));
		return;
	case BFT_EFFECT_CONTINUE:
		(void)answer(node, BFT_EVENT_CONTINUE, effect);
		return;
	case BFT_EFFECT_PEER_FAULT:
		if (effect->provable && !world_is_faulty(world, (int)effect->peer))
			fail(world, "it blames validator %u: %s", effect->peer,
			     cs_err_name(effect->err));
		return;
	/* The log and the disk are the simulator's matter; the height ends with the decision. */
	case BFT_EFFECT_LOG:
	case BFT_EFFECT_SYNC:
	case BFT_EFFECT_FINALIZE:
	case BFT_EFFECT_EVIDENCE:
		return;
	case BFT_EFFECT_RAISE:
	case BFT_EFFECT_EXTEND:
	case BFT_EFFECT_VERIFY_EXTENSION:
	case BFT_EFFECT_SAVE_STATE:
	case BFT_EFFECT_COMMIT:
	case BFT_EFFECT_LOAD:
		fail(world, "effect %d has no place here", (int)effect->type);
		return;
	case BFT_EFFECT_ALARM:
	case BFT_EFFECT_HALT:
		fail(world, "%s", effect->why);
		return;
	}
}

/* What the queue cannot hold by value is made here. */
static void step(struct world *world, struct world_node *node, struct bft_event event)
{
	const struct bft_effects *effects;
	struct bft_message told = {.type = BFT_MESSAGE_OWN_VOTES};
	uint8_t bytes[64];
	char tx[32];
	struct cs_buf buf;
	struct cs_bytes view;
	event.now_ns = world->now_ns += STEP_NS;
	if (event.type == BFT_EVENT_MESSAGE && event.bytes.n == 0) {
		told.own_votes.height = 1;
		cs_buf_init(&buf, bytes, sizeof bytes);
		bft_message_encode(&buf, &told);
		cs_assert(cs_buf_end(&buf) == CS_OK);
		event.bytes = cs_buf_view(&buf);
	}
	if (event.type == BFT_EVENT_PREPARED) {
		(void)snprintf(tx, sizeof tx, "value %d", event.round);
		view = cs_bytes_str(tx);
		event.txs = &view;
		event.tx_count = 1;
	}
	if (bft_step(node->bft, &event, &effects) != CS_OK) {
		fail(world, "event %d is refused", (int)event.type);
		return;
	}
	for (size_t i = 0; i < effects->count; i++)
		execute(world, node, &effects->items[i]);
}

static void give(struct world *world, int index, const struct bft_event *event)
{
	struct world_node *node = &world->node[index];
	step(world, node, *event);
	while (node->queue_begin < node->queue_end && world->failure[0] == 0) {
		step(world, node, node->queue[node->queue_begin++]);
		if (node->queue_begin == node->queue_end)
			node->queue_begin = node->queue_end = 0;
	}
}

static bool begin(struct world *world, int node)
{
	world->node[node].out[0] = 0;
	if (world_is_faulty(world, node) || world->node[node].bft == NULL)
		fail(world, "validator %d is faulty", node);
	return world->failure[0] == 0;
}

/* ---- events ---- */

void world_start(struct world *world, int node)
{
	struct bft_event event = {.type = BFT_EVENT_START};
	if (!begin(world, node))
		return;
	give(world, node, &event);
	for (uint32_t i = 0; i < WORLD_NODES; i++) {
		event = (struct bft_event){.type = BFT_EVENT_PEER_UP, .peer = i};
		event.is_validator = true;
		event.address = world->state.now.set.list[i].address;
		if ((int)i != node)
			give(world, node, &event);
	}
	if (!bft_look(world->node[node].bft).may_sign)
		fail(world, "all have told and it may not sign");
	event = (struct bft_event){.type = BFT_EVENT_TIMEOUT, .timer = BFT_TIMER_COMMIT};
	event.height = 1;
	if (bft_look(world->node[node].bft).step == BFT_STEP_NEW_HEIGHT)
		give(world, node, &event);
	world->node[node].started = true;
}

static void give_message(struct world *world, int node, int src, const struct bft_message *message)
{
	static uint8_t bytes[BFT_MESSAGE_SIZE_MAX];
	struct bft_event event = {.type = BFT_EVENT_MESSAGE, .peer = (uint32_t)src};
	struct cs_buf buf;
	cs_buf_init(&buf, bytes, sizeof bytes);
	bft_message_encode(&buf, message);
	cs_assert(cs_buf_end(&buf) == CS_OK);
	event.bytes = cs_buf_view(&buf);
	give(world, node, &event);
}

static void give_block(struct world *world, int node, int src, int number)
{
	struct bft_message message = {.type = BFT_MESSAGE_PART};
	struct cmt_part_set parts;
	const struct world_value *value = value_find(world, number);
	if (value == NULL)
		return;
	size_t mark = cs_arena_mark(&world->scratch);
	cs_assert(cmt_part_set_make(&parts, cs_bytes(value->bytes, value->size), &world->scratch) ==
		  CS_OK);
	message.part.height = 1;
	message.part.round = world_round(world, node);
	for (uint32_t i = 0; i < parts.header.total; i++) {
		cmt_part_get(&message.part.part, &parts, i);
		give_message(world, node, src, &message);
	}
	cs_arena_rewind(&world->scratch, mark);
}

/* A faulty validator signs anything as itself. */
static void make_message(struct world *world, struct bft_message *message, enum world_kind kind,
			 int src, int round, int value, int pol)
{
	uint8_t bytes[CMT_SIGN_BYTES_MAX];
	struct cmt_vote *vote = &message->vote;
	struct cmt_proposal *p = &message->proposal;
	struct cmt_signature *signature = kind == WORLD_PROPOSAL ? &p->signature : &vote->signature;
	struct cs_buf buf;
	memset(message, 0, sizeof *message);
	cs_buf_init(&buf, bytes, sizeof bytes);
	if (kind == WORLD_PROPOSAL) {
		message->type = BFT_MESSAGE_PROPOSAL;
		*p = (struct cmt_proposal){.height = 1, .round = round, .pol_round = pol};
		p->block_id = value_id(world, value);
		p->time = bft_time_pb(world->now_ns);
		cmt_proposal_sign_bytes(&buf, p, &world->state.chain_id);
	} else {
		message->type = BFT_MESSAGE_VOTE;
		*vote = (struct cmt_vote){.height = 1, .round = round, .index = src};
		vote->type = kind == WORLD_PREVOTE ? CMT_PREVOTE : CMT_PRECOMMIT;
		vote->block_id = value_id(world, value);
		vote->time = bft_time_pb(world->now_ns);
		vote->validator = world->state.now.set.list[src].address;
		cmt_vote_sign_bytes(&buf, vote, &world->state.chain_id);
	}
	cs_assert(cs_buf_end(&buf) == CS_OK);
	signature->some = true;
	cs_assert(cs_ed25519_sign(signature->b, &world->secret[src], cs_buf_view(&buf)) == CS_OK);
}

void world_message(struct world *world, int node, enum world_kind kind, int src, int round,
		   int value, int pol)
{
	struct bft_message made;
	const struct bft_message *message = &made;
	if (!begin(world, node))
		return;
	if (world_is_faulty(world, src)) {
		make_message(world, &made, kind, src, round, value, pol);
	} else {
		const struct world_sent *sent = &world->node[src].sent[kind][round];
		if (!sent->some || sent->value != value || sent->pol != pol) {
			fail(world, "validator %d did not send that", src);
			return;
		}
		message = &sent->message;
	}
	give_message(world, node, src, message);
	if (kind == WORLD_PROPOSAL)
		give_block(world, node, src, value);
}

void world_block(struct world *world, int node, int value)
{
	if (!begin(world, node))
		return;
	if (value_find(world, value) == NULL)
		fail(world, "nobody made block %d", value);
	else
		give_block(world, node, (node + 1) % WORLD_NODES, value);
}

void world_timeout(struct world *world, int node, enum bft_timer timer, int round)
{
	struct bft_event event = {.type = BFT_EVENT_TIMEOUT, .height = 1, .round = round};
	struct world_node *n = &world->node[node];
	if (!begin(world, node))
		return;
	if (!n->armed[timer][round] || n->spent[timer][round]) {
		fail(world, "the timer was not started");
		return;
	}
	n->spent[timer][round] = true;
	event.timer = timer;
	give(world, node, &event);
}

void world_view(char text[WORLD_TEXT_SIZE], struct world *world, int node)
{
	static const char *const names[] = {[BFT_STEP_NEW_HEIGHT] = "new",
					    [BFT_STEP_PROPOSE] = "propose",
					    [BFT_STEP_PREVOTE] = "prevote",
					    [BFT_STEP_PRECOMMIT] = "precommit",
					    [BFT_STEP_COMMIT] = "decided"};
	struct bft_view v = bft_look(world->node[node].bft);
	char locked[16], valid[16];
	(void)snprintf(text, WORLD_TEXT_SIZE, "%d %s %d %s %d %s", v.round, names[v.step],
		       v.locked_round, value_text(locked, value_of(world, &v.locked_id)),
		       v.valid_round, value_text(valid, value_of(world, &v.valid_id)));
}

/* ---- birth ---- */

static size_t proposer(void *context, const struct cmt_validator_set *set, int64_t height,
		       int32_t round)
{
	(void)context;
	(void)height;
	return (size_t)round % set->count;
}

/* The set has an order of its own: secrets go where their keys are. */
static void make_state(struct world *world)
{
	struct bft_genesis genesis = {.chain_id = cs_bytes_str("spec"), .initial_height = 1};
	struct cmt_validator list[WORLD_NODES];
	struct cs_secret secret[WORLD_NODES];
	struct cs_ed25519_key key;
	for (unsigned i = 0; i < WORLD_NODES; i++) {
		memset(secret[i].b, (int)(i + 1), sizeof secret[i].b);
		cs_assert(cs_ed25519_public(&key, &secret[i]) == CS_OK);
		list[i] = cmt_validator_of(&key, 1);
	}
	genesis.time = bft_time_pb(START_NS);
	genesis.params = cmt_params_default();
	genesis.params.block_size_max = WORLD_BLOCK_SIZE;
	genesis.params.evidence_size_max = WORLD_BLOCK_SIZE / 4;
	genesis.validators = list;
	genesis.count = WORLD_NODES;
	bft_state_init(&world->state);
	cs_assert(bft_state_genesis(&world->state, &genesis, &world->scratch, NULL) == CS_OK);
	for (unsigned i = 0; i < WORLD_NODES; i++)
		world->secret[cmt_validator_set_find(&world->state.now.set, &list[i].address)] =
			secret[i];
}

struct world *world_new(unsigned faulty)
{
	struct world *world = calloc(1, sizeof *world);
	cs_assert(world != NULL);
	cs_arena_init(&world->scratch, world->scratch_memory, sizeof world->scratch_memory);
	world->faulty = faulty;
	world->now_ns = START_NS;
	make_state(world);
	struct bft_config config = {.block_size_max = WORLD_BLOCK_SIZE,
				    .propose_ns = STEP_NS,
				    .prevote_ns = STEP_NS,
				    .precommit_ns = STEP_NS,
				    .commit_ns = STEP_NS,
				    .status_ns = STEP_NS,
				    .has_key = true,
				    .proposer = proposer};
	config.history = bft_history_none();
	for (int i = 0; i < WORLD_NODES; i++) {
		struct world_node *node = &world->node[i];
		bft_sign_state_init(&node->signed_last);
		if (world_is_faulty(world, i))
			continue;
		config.key = world->state.now.set.list[i].key;
		cs_assert(bft_new(&node->bft, &config, &world->state, CS_BYTES_NONE) == CS_OK);
		bft_set_sign_state(node->bft, &node->signed_last);
	}
	return world;
}

void world_free(struct world *world)
{
	for (unsigned i = 0; i < WORLD_NODES; i++)
		bft_free(world->node[i].bft);
	free(world);
}
