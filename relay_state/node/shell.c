#include "host/alloc.h"
#include "relay_state/node/node_inner.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*~ One event at a time: the engine steps, its effects are executed in order, and what answers them at
 * once waits in a queue until the last effect is done. Disk and signer answer at once, the
 * application in a later turn, peers and timers whenever they do. */

static void drain(struct node *n);

static int64_t now_ns(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- the queue ---- */

static struct cs_bytes put(uint8_t *to, size_t *used, struct cs_bytes bytes)
{
	struct cs_bytes copy = cs_bytes(to + *used, bytes.n);
	if (bytes.n > 0)
		memcpy(to + *used, bytes.p, bytes.n);
	*used += bytes.n;
	return bytes.n > 0 ? copy : CS_BYTES_NONE;
}

/* finalized becomes the queue's. */
static void enqueue(struct node *n, const struct bft_event *event, struct node_finalized *finalized)
{
	size_t table = event->tx_count * sizeof(struct cs_bytes), used = table;
	size_t size = table + event->bytes.n + event->extension.n + event->commit.n;
	for (size_t i = 0; i < event->tx_count; i++)
		size += event->txs[i].n;
	struct node_queued *q = host_alloc(sizeof *q + size + sizeof(struct cs_bytes));
	/* The flexible member follows pointers: it is aligned for a table. */
	struct cs_bytes *txs = (void *)q->bytes;
	q->event = *event;
	for (size_t i = 0; i < event->tx_count; i++)
		txs[i] = put(q->bytes, &used, event->txs[i]);
	q->event.txs = txs;
	q->event.bytes = put(q->bytes, &used, event->bytes);
	q->event.extension = put(q->bytes, &used, event->extension);
	q->event.commit = put(q->bytes, &used, event->commit);
	q->finalized = finalized;
	q->event.finalized = finalized != NULL ? &finalized->finalized : NULL;
	*n->last = q;
	n->last = &q->next;
}

/* ---- questions to the application ---- */

struct node_asked {
	struct node_asked *next, **at; /* of the node's open ones */
	struct node *node;
	enum bft_effect_type type;
	struct bft_event answer;
	size_t size_max;
};

static struct node_asked *asked_of(struct node *n, const struct bft_effect *effect,
				   enum bft_event_type answer)
{
	struct node_asked *asked = host_alloc(sizeof *asked);
	asked->node = n;
	asked->next = n->asked;
	asked->at = &n->asked;
	if (asked->next != NULL)
		asked->next->at = &asked->next;
	n->asked = asked;
	asked->type = effect->type;
	asked->size_max = effect->size_max;
	asked->answer = (struct bft_event){.type = answer,
					   .height = effect->height,
					   .round = effect->round,
					   .hash = effect->hash,
					   .index = effect->index};
	return asked;
}

static void drop_asked(struct node_asked *asked)
{
	*asked->at = asked->next;
	if (asked->next != NULL)
		asked->next->at = asked->at;
	free(asked);
}

static void answer_prepared(struct node *n, struct node_asked *asked,
			    const struct abci_prepare_proposal_response *response)
{
	size_t size = 0;
	for (size_t i = 0; i < response->txs.count; i++)
		size += node_tx_size(response->txs.items[i]);
	if (size > asked->size_max || response->txs.count > CMT_TXS_MAX)
		return node_fail(n, CS_ERR_TOO_LARGE, "application",
				 "its proposal has more bytes than it was given");
	asked->answer.txs = response->txs.items;
	asked->answer.tx_count = response->txs.count;
	node_step(n, &asked->answer);
}

static void answer_finalized(struct node *n, struct node_asked *asked,
			     const struct abci_finalize_block_response *response)
{
	struct node_finalized *finalized = host_alloc(sizeof *finalized);
	struct cs_why why = {{0}};
	struct cmt_block block;
	size_t mark = cs_arena_mark(&n->arena);
	enum cs_err err =
		cmt_block_decode(&block, cs_bytes(n->block, n->block_size), &n->arena, &why);
	if (err == CS_OK)
		err = node_finalized_read(finalized, response, block.tx_count,
					  &bft_state_view(n->bft)->params, asked->answer.height,
					  &n->arena, &why);
	cs_arena_rewind(&n->arena, mark);
	if (err == CS_OK)
		err = node_disk_results(n->disk, asked->answer.height, response);
	if (err != CS_OK) {
		free(finalized);
		return node_fail(n, err, "application", why.text);
	}
	/* Whoever listens is told after the commit, when this answer is gone. */
	struct cs_bytes kept = node_disk_results_view(n->disk);
	free(n->results);
	n->results = host_copy(kept);
	n->results_size = kept.n;
	enqueue(n, &asked->answer, finalized);
	drain(n);
}

static void bound_mempool(struct node *n)
{
	node_mempool_bound(n->mempool, bft_look_data_room(n->bft),
			   bft_state_view(n->bft)->params.block_gas_max);
}

static enum cs_err tell_applied(struct node *n, struct cs_why *why)
{
	struct abci_response response;
	struct cmt_block block;
	size_t mark = cs_arena_mark(&n->arena);
	CS_TRY(cmt_block_decode(&block, cs_bytes(n->block, n->block_size), &n->arena, why));
	CS_TRY(abci_response_decode(&response, &n->arena, cs_bytes(n->results, n->results_size),
				    why));
	bound_mempool(n);
	node_mempool_update(n->mempool, block.header.height, block.txs, block.tx_count,
			    &response.finalize_block);
	const struct node_applied applied = {cs_bytes(n->block, n->block_size), &block, n->block_id,
					     &response.finalize_block};
	for (size_t i = 0; i < n->listener_count; i++)
		n->listeners[i].listener(n->listeners[i].context, &applied);
	cs_arena_rewind(&n->arena, mark);
	return CS_OK;
}

static void answer_committed(struct node *n, struct node_asked *asked,
			     const struct abci_commit_response *response)
{
	struct cs_why why = {{0}};
	node_disk_let_go(n->disk, response->retain_height);
	/* The mempool is right before the next height begins, and what it asks for comes after. */
	n->is_busy = true;
	enqueue(n, &asked->answer, NULL);
	enum cs_err err = tell_applied(n, &why);
	n->is_busy = false;
	if (err != CS_OK)
		return node_fail(n, err, "block", why.text);
	drain(n);
}

static void on_answer(void *context, enum cs_err err, const char *why,
		      const struct abci_response *response)
{
	struct node_asked *asked = context;
	struct node *n = asked->node;
	if (err != CS_OK) {
		node_fail(n, err, "application", why);
	} else if (asked->type == BFT_EFFECT_PREPARE) {
		answer_prepared(n, asked, &response->prepare_proposal);
	} else if (asked->type == BFT_EFFECT_FINALIZE) {
		answer_finalized(n, asked, &response->finalize_block);
	} else if (asked->type == BFT_EFFECT_COMMIT) {
		answer_committed(n, asked, &response->commit);
	} else {
		if (asked->type == BFT_EFFECT_PROCESS)
			asked->answer.accepted = response->process_proposal.status == ABCI_ACCEPT;
		else if (asked->type == BFT_EFFECT_EXTEND)
			asked->answer.bytes = response->extend_vote.vote_extension;
		else
			asked->answer.accepted =
				response->verify_vote_extension.status == ABCI_ACCEPT;
		node_step(n, &asked->answer);
	}
	drop_asked(asked);
}

static enum cs_err ask_about_block(struct node *n, const struct bft_effect *effect,
				   struct cs_why *why)
{
	struct node_block block;
	struct abci_request request;
	CS_TRY(node_block_read(&block, effect->bytes, &bft_state_view(n->bft)->last.set, &n->arena,
			       why));
	enum bft_event_type answer = BFT_EVENT_PROCESSED;
	if (effect->type == BFT_EFFECT_PROCESS) {
		request = node_ask_process(&block);
	} else if (effect->type == BFT_EFFECT_EXTEND) {
		request = node_ask_extend(&block);
		answer = BFT_EVENT_EXTENDED;
	} else {
		request = node_ask_finalize(&block);
		answer = BFT_EVENT_FINALIZED;
		free(n->block);
		n->block = host_copy(effect->bytes);
		n->block_size = effect->bytes.n;
		n->block_id = effect->block_id;
	}
	node_application_call(n->application, &request, on_answer, asked_of(n, effect, answer));
	return CS_OK;
}

static enum cs_err ask_prepare(struct node *n, const struct bft_effect *effect, struct cs_why *why)
{
	struct abci_request request;
	struct abci_bytes_list txs;
	CS_TRY(node_mempool_pick(n->mempool, &txs, effect->size_max, &n->arena));
	CS_TRY(node_ask_prepare(&request, bft_state_view(n->bft), effect, &txs,
				&n->validator_key.address, &n->arena, why));
	node_application_call(n->application, &request, on_answer,
			      asked_of(n, effect, BFT_EVENT_PREPARED));
	return CS_OK;
}

static void ask_verify_extension(struct node *n, const struct bft_effect *effect)
{
	const struct abci_request request = {
		.method = ABCI_VERIFY_VOTE_EXTENSION,
		.verify_vote_extension = {.hash = CS_BYTES_OF(effect->hash.b),
					  .validator_address = CS_BYTES_OF(effect->address.b),
					  .height = effect->height,
					  .vote_extension = effect->bytes}};
	node_application_call(n->application, &request, on_answer,
			      asked_of(n, effect, BFT_EVENT_EXTENSION_VERIFIED));
}

static void ask_commit(struct node *n, const struct bft_effect *effect)
{
	const struct abci_request commit = {.method = ABCI_COMMIT};
	node_mempool_hold(n->mempool);
	node_application_call(n->application, &commit, on_answer,
			      asked_of(n, effect, BFT_EVENT_COMMITTED));
}

static enum cs_err ask(struct node *n, const struct bft_effect *effect, struct cs_why *why)
{
	size_t mark = cs_arena_mark(&n->arena);
	enum cs_err err = CS_OK;
	if (effect->type == BFT_EFFECT_PREPARE)
		err = ask_prepare(n, effect, why);
	else if (effect->type == BFT_EFFECT_VERIFY_EXTENSION)
		ask_verify_extension(n, effect);
	else if (effect->type == BFT_EFFECT_COMMIT)
		ask_commit(n, effect);
	else
		err = ask_about_block(n, effect, why);
	cs_arena_rewind(&n->arena, mark);
	return err;
}

/* ---- effects ---- */

static void on_timer(void *context)
{
	struct node_timer *t = context;
	const struct bft_event event = {.type = BFT_EVENT_TIMEOUT,
					.timer = t->which,
					.height = t->height,
					.round = t->round};
	node_step(t->node, &event);
}

static void set_timer(struct node *n, const struct bft_effect *effect)
{
	struct node_timer *t = &n->timers[effect->timer];
	t->height = effect->height;
	t->round = effect->round;
	host_timer_start(t->timer, (uint64_t)(effect->delay_ns + 999999) / 1000000, 0);
}

static void send(struct node *n, const struct bft_effect *effect)
{
	struct cs_bytes message = effect->bytes;
	struct cs_pb_field field;
	if (cs_pb_next(&message, &field) == CS_OK && field.number == BFT_MESSAGE_BLOCK_REQUEST)
		n->asked_block_ms = host_now_ms();
	node_peers_send(n->peers, effect->peer, effect->bytes);
}

static enum cs_err sign(struct node *n, const struct bft_effect *effect, struct cs_why *why)
{
	struct bft_event answer = {0};
	CS_TRY(node_disk_sign(n->disk, &answer, effect, &n->validator_key.secret, why));
	enqueue(n, &answer, NULL);
	return CS_OK;
}

static enum cs_err load(struct node *n, const struct bft_effect *effect, struct cs_why *why)
{
	struct bft_event answer = {0};
	CS_TRY(node_disk_load(n->disk, &answer, effect->height, effect->peer, why));
	enqueue(n, &answer, NULL);
	return CS_OK;
}

static void fault(struct node *n, const struct bft_effect *effect)
{
	if (effect->provable)
		node_peers_ban(n->peers, effect->peer, effect->err);
	else
		log_debug("peer.fault", LOG_U64("peer", effect->peer), LOG_ERR(effect->err));
}

/* What an earlier life had found or taken and no block carried. */
static void bring_evidence(struct node *n)
{
	struct bft_event event = {.type = BFT_EVENT_EVIDENCE};
	size_t offset = 0;
	while (node_disk_evidence(n->disk, &offset, &event.bytes))
		enqueue(n, &event, NULL);
}

/* Evidence of a block that a crash kept from being applied was too early at the start. */
static enum cs_err commit(struct node *n, const struct bft_effect *effect, struct cs_why *why)
{
	CS_TRY(ask(n, effect, why));
	if (effect->height == node_disk_found(n->disk)->stored)
		bring_evidence(n);
	return CS_OK;
}

/* What is durable comes first where an effect is both the disk's and the application's. */
static enum cs_err execute(struct node *n, const struct bft_effect *effect, struct cs_why *why)
{
	const struct bft_event again = {.type = BFT_EVENT_CONTINUE};
	if (node_disk_takes(effect->type))
		CS_TRY(node_disk_execute(n->disk, effect, n->bft, why));
	switch (effect->type) {
	case BFT_EFFECT_LOG:
	case BFT_EFFECT_SYNC:
	case BFT_EFFECT_RAISE:
	case BFT_EFFECT_STORE:
	case BFT_EFFECT_SAVE_STATE:
		return CS_OK;
	case BFT_EFFECT_SEND:
		send(n, effect);
		return CS_OK;
	case BFT_EFFECT_TIMER:
		set_timer(n, effect);
		return CS_OK;
	case BFT_EFFECT_SIGN:
		return sign(n, effect, why);
	case BFT_EFFECT_PREPARE:
	case BFT_EFFECT_PROCESS:
	case BFT_EFFECT_EXTEND:
	case BFT_EFFECT_VERIFY_EXTENSION:
	case BFT_EFFECT_FINALIZE:
		return ask(n, effect, why);
	case BFT_EFFECT_COMMIT:
		return commit(n, effect, why);
	case BFT_EFFECT_LOAD:
		return load(n, effect, why);
	case BFT_EFFECT_PEER_FAULT:
		fault(n, effect);
		return CS_OK;
	case BFT_EFFECT_EVIDENCE:
		log_warn("consensus.evidence", LOG_U64("size", effect->bytes.n));
		return CS_OK;
	case BFT_EFFECT_ALARM:
		log_warn("consensus.alarm", LOG_TEXT("why", effect->why));
		return CS_OK;
	case BFT_EFFECT_HALT:
		return cs_fail(why, CS_ERR_CONFLICT, "%s", effect->why);
	case BFT_EFFECT_CONTINUE:
		enqueue(n, &again, NULL);
		return CS_OK;
	}
	return CS_OK;
}

static void step(struct node *n, const struct bft_event *given)
{
	const struct bft_effects *effects;
	struct bft_event event = *given;
	struct cs_why why = {{0}};
	const struct bft_view before = bft_look(n->bft);
	event.now_ns = now_ns();
	enum cs_err err = bft_step(n->bft, &event, &effects);
	if (err != CS_OK)
		return node_fail(n, err, "consensus", "an event that the engine does not take");
	for (size_t i = 0; i < effects->count && !n->is_over; i++) {
		const struct bft_effect *effect = &effects->items[i];
		for (size_t k = 0; k < n->watcher_count; k++)
			n->watchers[k].watcher.effect(n->watchers[k].context, effect);
		err = execute(n, effect, &why);
		if (err != CS_OK)
			node_fail(n, err, effect->type == BFT_EFFECT_HALT ? "halt" : "effect",
				  why.text);
	}
	for (size_t k = 0; k < n->watcher_count; k++)
		n->watchers[k].watcher.stepped(n->watchers[k].context, &before);
}

/* What listeners ask for inside a step waits too. */
static void drain(struct node *n)
{
	if (n->is_busy)
		return;
	n->is_busy = true;
	while (n->first != NULL) {
		struct node_queued *q = n->first;
		n->first = q->next;
		if (n->first == NULL)
			n->last = &n->first;
		if (!n->is_over)
			step(n, &q->event);
		free(q->finalized);
		free(q);
	}
	n->is_busy = false;
}

void node_step(struct node *n, const struct bft_event *event)
{
	if (n->is_over || n->bft == NULL)
		return;
	if (n->is_busy) {
		enqueue(n, event, NULL);
		return;
	}
	n->is_busy = true;
	step(n, event);
	n->is_busy = false;
	drain(n);
}

/* ---- peers ---- */

static void on_peer_up(void *context, uint32_t peer, const struct cs_address *validator)
{
	struct node *n = context;
	struct bft_event event = {
		.type = BFT_EVENT_PEER_UP, .peer = peer, .is_validator = validator != NULL};
	if (validator != NULL)
		event.address = *validator;
	node_step(n, &event);
	node_mempool_peer_up(n->mempool, peer);
}

static void on_peer_down(void *context, uint32_t peer)
{
	struct node *n = context;
	const struct bft_event event = {.type = BFT_EVENT_PEER_DOWN, .peer = peer};
	node_mempool_peer_down(n->mempool, peer);
	node_step(n, &event);
}

void node_event_message(struct node *n, uint32_t peer, struct cs_bytes message)
{
	const struct bft_event event = {.type = BFT_EVENT_MESSAGE, .peer = peer, .bytes = message};
	node_step(n, &event);
}

void node_event_evidence(struct node *n, struct cs_bytes evidence)
{
	const struct bft_event event = {.type = BFT_EVENT_EVIDENCE, .bytes = evidence};
	node_step(n, &event);
}

static void on_consensus(void *context, uint32_t peer, struct cs_bytes message)
{
	node_event_message(context, peer, message);
}

static void on_tx(void *context, uint32_t peer, struct cs_bytes tx)
{
	struct node *n = context;
	node_mempool_add(n->mempool, tx, peer, NULL, NULL);
}

static void on_drained(void *context, uint32_t peer)
{
	struct node *n = context;
	node_mempool_push(n->mempool, peer);
}

static void on_sync(void *context, uint32_t peer, struct cs_bytes message)
{
	struct node *n = context;
	enum cs_err err = node_statesync_serve(n->server, peer, message);
	if (err != CS_OK)
		node_peers_ban(n->peers, peer, err);
}

const struct node_peers_events node_shell_peer_events = {on_peer_up, on_peer_down, on_consensus,
							 on_tx,      on_drained,   on_sync};

/* ---- beginning and end ---- */

static void on_txs_available(void *context)
{
	const struct bft_event event = {.type = BFT_EVENT_TXS_AVAILABLE};
	node_step(context, &event);
}

struct node_peers_options node_peers_options_of(struct node *n)
{
	return (struct node_peers_options){
		.listen = n->options.p2p_listen,
		.dial = n->options.persistent_peers,
		.dial_count = n->options.persistent_peer_count,
		.unknown_max = n->options.unknown_peers_max,
		.node_key = &n->node_key,
		.validator_key = n->has_validator_key ? &n->validator_key : NULL,
		.chain_id = &n->genesis.chain_id,
		.genesis_hash = &n->genesis.hash,
		.moniker = n->options.moniker,
		.evidence_backend = n->options.evidence_backend,
		.evidence_state_folder = n->options.evidence_state_folder,
		.evidence_policy = n->options.evidence_policy,
		.evidence_collateral = n->options.evidence_collateral,
		.evidence_roots = n->options.evidence_roots};
}

static enum cs_err open_engine(struct node *n, struct cs_why *why)
{
	struct bft_config config = n->options.consensus;
	const struct node_disk_found *found = node_disk_found(n->disk);
	config.has_key = n->has_validator_key;
	config.key = n->validator_key.key;
	config.history = node_disk_history(n->disk);
	enum cs_err err = bft_new(&n->bft, &config, &n->state, found->last_commit);
	if (err != CS_OK)
		return cs_fail(why, err, "the engine does not take the state");
	CS_TRY(node_disk_restore(n->disk, n->bft, why));
	for (size_t i = 1; i < BFT_TIMER_END; i++) {
		struct node_timer *t = &n->timers[i];
		*t = (struct node_timer){.node = n, .which = (enum bft_timer)i};
		t->timer = host_timer_new(n->loop, on_timer, t);
	}
	n->mempool = node_mempool_new(&n->options.mempool, n->application, &n->peers,
				      on_txs_available, n);
	bound_mempool(n);
	const struct node_peers_options peers = node_peers_options_of(n);
	n->server = node_statesync_server_new(n->disk, n->application, &n->peers);
	return node_peers_new(&n->peers, n->loop, &peers, &node_shell_peer_events, n, why);
}

void node_start(struct node *n)
{
	const struct bft_event start = {.type = BFT_EVENT_START};
	struct bft_event own = {0};
	struct cs_why why = {{0}};
	int64_t stored = node_disk_found(n->disk)->stored;
	enum cs_err err = open_engine(n, &why);
	if (err == CS_OK && stored > n->state.last_height)
		err = node_disk_load(n->disk, &own, stored, BFT_PEER_NONE, &why);
	if (err != CS_OK)
		return node_fail(n, err, "start", why.text);
	n->is_started = true;
	/* Before the first step, whose effects change what was found. */
	enqueue(n, &start, NULL);
	if (own.type != 0)
		enqueue(n, &own, NULL);
	bring_evidence(n);
	drain(n);
	if (!n->is_over)
		n->events.started(n->context);
}

void node_shell_free(struct node *n)
{
	while (n->first != NULL) {
		struct node_queued *q = n->first;
		n->first = q->next;
		free(q->finalized);
		free(q);
	}
	/* The application is gone: nobody answers these. */
	for (struct node_asked *asked = n->asked, *next; asked != NULL; asked = next) {
		next = asked->next;
		free(asked);
	}
	for (size_t i = 1; i < BFT_TIMER_END; i++)
		host_timer_free(n->timers[i].timer);
	free(n->block);
	free(n->results);
	bft_free(n->bft);
}
