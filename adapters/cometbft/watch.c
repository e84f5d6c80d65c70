/*~ The watcher walks the chain header by header. Each must name the one before it, must be of the
 * validators which that one announced, and must carry the signatures of more than 2/3 of them. What
 * a block did is reported when the header above it is there, which commits to it: no node invented it. So blocks are never withdrawn. Another header of a height that was
 * reported is for witness.c. Polls, websocket messages and reconnections make it look. */
#include "adapters/cometbft/inner.h"
#include "host/alloc.h"
#include "host/log.h"

#include <stdlib.h>
#include <string.h>

#define RETRY_MS 200
/* Of the power of the newest set that is known: so much must have signed what is far ahead. */
#define SKIP_LEVEL ((struct cmt_fraction){2, 3})

struct slot {
	struct cs_hash hash;
	struct comet_header *header; /* NULL: from the cursor */
	size_t events;
};

struct comet_watch {
	struct comet *comet;
	struct slot slots[COMET_WATCH_WINDOW]; /* height modulo the window */
	uint64_t low;
	uint64_t next;               /* above the newest header that is known to be signed */
	uint64_t told;               /* above the newest block that was reported */
	struct comet_header *head;   /* below next */
	struct comet_header *target; /* the newest that a node showed */
	struct host_timer *poll;
	struct host_timer *soon;
	uint64_t head_changed_ms;
	uint64_t poll_count;
	bool stalled;
	bool busy;
	bool again;
	unsigned lacking;    /* a bit for each endpoint that does not have what comes next */
	uint64_t lacks_told; /* the height that none has */
	/* the stretch at hand */
	size_t endpoint;
	struct comet_header *chunk[COMET_WATCH_CHUNK];
	size_t count;
	size_t verified;
	uint64_t asked_to; /* above the blocks whose contents are asked for */
};

static void verify(struct comet_watch *watch);
static void next_chunk(struct comet_watch *watch);
static void read_contents(struct comet_watch *watch);

/* ---- what is remembered ---- */

static struct slot *slot_at(struct comet_watch *watch, uint64_t height)
{
	return &watch->slots[height % COMET_WATCH_WINDOW];
}

static void push(struct comet_watch *watch, const struct cs_hash *hash, struct comet_header *header,
		 size_t events)
{
	struct slot *slot = slot_at(watch, watch->next);

	comet_header_unref(slot->header);
	*slot = (struct slot){*hash, header, events};
	watch->next++;
	if (watch->next - watch->low > COMET_WATCH_WINDOW)
		watch->low = watch->next - COMET_WATCH_WINDOW;
}

bool comet_watch_hash(const struct comet_watch *watch, uint64_t height, struct cs_hash *hash)
{
	if (height < watch->low || height >= watch->next)
		return false;
	*hash = watch->slots[height % COMET_WATCH_WINDOW].hash;
	return true;
}

struct comet_header *comet_watch_header(const struct comet_watch *watch, uint64_t height)
{
	if (height < watch->low || height >= watch->next)
		return NULL;
	return watch->slots[height % COMET_WATCH_WINDOW].header;
}

size_t comet_watch_events(const struct comet_watch *watch, uint64_t height)
{
	if (height < watch->low || height >= watch->next)
		return 0;
	return watch->slots[height % COMET_WATCH_WINDOW].events;
}

struct comet_header *comet_watch_head(const struct comet_watch *watch)
{
	return watch->head;
}

const struct comet_header *comet_watch_done(const struct comet_watch *watch)
{
	return watch->told == 0 ? NULL : comet_watch_header(watch, watch->told - 1);
}

size_t comet_watch_endpoint(const struct comet_watch *watch)
{
	return watch->endpoint;
}

uint64_t comet_watch_low(const struct comet_watch *watch)
{
	return watch->low;
}

uint64_t comet_watch_next(const struct comet_watch *watch)
{
	return watch->told;
}

static void tell_progress(struct comet_watch *watch)
{
	const struct adapter_listener *listener = &watch->comet->listener;
	struct adapter_cursor cursor = {.count = 0};
	uint64_t from = watch->told - watch->low > ADAPTER_CURSOR_BLOCKS
				? watch->told - ADAPTER_CURSOR_BLOCKS
				: watch->low;

	for (uint64_t height = from; height < watch->told; height++)
		cursor.recent[cursor.count++] =
			(struct adapter_block_id){height, slot_at(watch, height)->hash};
	if (listener->progress != NULL)
		listener->progress(listener->ctx, &cursor);
}

/* ---- the end of a step ---- */

static void drop_chunk(struct comet_watch *watch)
{
	for (size_t i = 0; i < watch->count; i++)
		comet_header_unref(watch->chunk[i]);
	watch->count = 0;
	watch->verified = 0;
}

/* Told once for each height: somebody must name a node that has it. */
static void tell_lack(struct comet_watch *watch, const char *why)
{
	watch->lacking = 0;
	if (watch->lacks_told == watch->told)
		return;
	watch->lacks_told = watch->told;
	log_error("adapter.not_kept", LOG_TEXT("chain", watch->comet->config.caip2),
		  LOG_U64("height", watch->told), LOG_TEXT("why", why));
}

/* This one does not have the block or its results, by its own word: the others are asked. */
static void lacks(struct comet_watch *watch, size_t endpoint, const char *why)
{
	unsigned all = (1u << adapter_rpc_endpoint_count(watch->comet->nodes.rpc)) - 1;

	adapter_rpc_lacks(watch->comet->nodes.rpc, endpoint, why);
	watch->lacking |= 1u << endpoint;
	if (watch->lacking == all)
		tell_lack(watch, why);
}

static void finish(struct comet_watch *watch, enum cs_err err)
{
	bool again = watch->again;

	if (err == CS_ERR_UNAVAILABLE && watch->lacking != 0)
		tell_lack(watch, "the nodes that answer do not have it");
	drop_chunk(watch);
	comet_header_unref(watch->target);
	watch->target = NULL;
	watch->busy = false;
	watch->again = false;
	if (watch->comet->ending)
		return;
	if (err != CS_OK)
		host_timer_start(watch->soon, RETRY_MS, 0);
	else if (again)
		host_timer_start(watch->soon, 0, 0);
}

/* ---- reporting ---- */

size_t comet_report_block(struct comet *comet, const struct comet_header *header,
			  const struct comet_content *content, bool late)
{
	comet->counters.events += late ? 0 : content->event_count;
	comet->counters.foreign += late ? 0 : content->left_out.foreign;
	comet->counters.unstorable += late ? 0 : content->left_out.unstorable;
	if (content->left_out.unstorable > 0)
		log_error("adapter.unstorable_event", LOG_TEXT("chain", comet->config.caip2),
			  LOG_U64("height", header->public.id.height),
			  LOG_U64("events", content->left_out.unstorable));
	struct adapter_block block = {.header = header->public,
				      .events = content->events,
				      .event_count = content->event_count,
				      .late = late};
	if (content->event_count > 0 && comet->listener.block != NULL)
		comet->listener.block(comet->listener.ctx, &block);
	return content->event_count;
}

static void tell_head(struct comet_watch *watch)
{
	struct comet *comet = watch->comet;
	const struct adapter_listener *listener = &comet->listener;

	adapter_hint_saw_head(comet->hint);
	if (listener->head != NULL)
		listener->head(listener->ctx, &watch->head->public);
}

static void tell_moves(struct comet_watch *watch)
{
	const struct adapter_listener *listener = &watch->comet->listener;

	watch->head_changed_ms = host_now_ms();
	if (watch->stalled && listener->stalled != NULL)
		listener->stalled(listener->ctx, 0);
	watch->stalled = false;
}

static void caught_up(struct comet_watch *watch)
{
	watch->lacking = 0;
	finish(watch, CS_OK);
}

/* Above the blocks that can be reported now: what the newest one did only the next header shows. */
static uint64_t reportable(const struct comet_watch *watch)
{
	uint64_t end = watch->next;

	if (watch->head != NULL && watch->told < end && comet_header_has_txs(watch->head))
		end--;
	return end - watch->told < COMET_WATCH_CHUNK ? end : watch->told + COMET_WATCH_CHUNK;
}

static void go_on(struct comet_watch *watch)
{
	if (watch->told < reportable(watch))
		read_contents(watch);
	else if (watch->target != NULL && watch->next <= watch->target->public.id.height)
		next_chunk(watch);
	else
		caught_up(watch);
}

/* contents: of those that have transactions, in order. */
static void report(struct comet_watch *watch, uint64_t end, struct comet_content *contents)
{
	struct comet *comet = watch->comet;

	tell_moves(watch);
	for (; watch->told < end; watch->told++) {
		struct slot *slot = slot_at(watch, watch->told);

		comet->counters.blocks++;
		if (!comet_header_has_txs(slot->header))
			continue;
		slot->events = comet_report_block(comet, slot->header, contents, false);
		comet_submit_saw_block(comet->submit, slot->header, contents++);
	}
	tell_progress(watch);
	comet_submit_saw_head(comet->submit);
	go_on(watch);
}

static void contents_done(void *ctx, enum cs_err err, const char *why,
			  struct comet_content *contents, size_t endpoint)
{
	struct comet_watch *watch = ctx;

	if (err == CS_ERR_NOT_FOUND)
		lacks(watch, endpoint, why);
	if (err != CS_OK || watch->comet->ending)
		finish(watch, err);
	else
		report(watch, watch->asked_to, contents);
}

static void read_contents(struct comet_watch *watch)
{
	struct adapter_rpc_options options = {.pin = ADAPTER_RPC_ANY, .avoid = watch->lacking};
	struct comet_header *full[COMET_WATCH_CHUNK];
	struct comet_header *above[COMET_WATCH_CHUNK];
	uint64_t end = reportable(watch);
	size_t count = 0;

	options.height_min = end - 1;
	for (uint64_t height = watch->told; height < end; height++) {
		if (!comet_header_has_txs(slot_at(watch, height)->header))
			continue;
		full[count] = slot_at(watch, height)->header;
		above[count++] = slot_at(watch, height + 1)->header;
	}
	if (count == 0) {
		report(watch, end, NULL);
		return;
	}
	watch->asked_to = end;
	enum cs_err err = comet_contents_fetch(watch->comet, &options, full, above, count,
					       contents_done, watch);
	if (err != CS_OK)
		finish(watch, err);
}

/* ---- a conflict ---- */

static bool is_signed(const struct comet *comet, const struct comet_header *header)
{
	const struct cmt_validator_set *set =
		comet_set_find(&comet->nodes, &header->header.validators_hash.hash);
	struct cs_why why;

	return set != NULL && cmt_commit_verify_light(&header->commit, set, &comet->nodes.chain_id,
						      &header->commit.block_id,
						      header->header.height, false, &why) == CS_OK;
}

struct comet_header *comet_watch_newest(const struct comet_watch *watch)
{
	const struct comet *comet = watch->comet;
	struct comet_header *head = watch->head;
	struct comet_header *target = watch->target;
	struct cs_why why;

	if (head == NULL || target == NULL || target->public.id.height <= head->public.id.height)
		return head;
	const struct cmt_validator_set *set =
		comet_set_find(&comet->nodes, &head->header.validators_hash.hash);
	return set != NULL && cmt_commit_verify_trusting(&target->commit, set,
							 &comet->nodes.chain_id, SKIP_LEVEL, false,
							 &why) == CS_OK
		       ? target
		       : head;
}

/* What is there in place of a header that was reported the witnesses' part looks at. */
static bool is_another(struct comet_watch *watch, struct comet_header *header, size_t endpoint)
{
	struct cs_hash known;

	if (!comet_watch_hash(watch, header->public.id.height, &known) ||
	    cs_hash_eq(&known, &header->public.id.hash))
		return false;
	comet_witness_examine(watch->comet->witness, endpoint, header);
	return true;
}

static void parent_fetched(void *ctx, enum cs_err err, const char *why,
			   struct comet_header *const *headers, size_t count, size_t endpoint)
{
	struct comet_watch *watch = ctx;

	(void)why;
	(void)count;
	if (err == CS_OK && !watch->comet->ending)
		(void)is_another(watch, headers[0], endpoint);
	finish(watch, err == CS_OK ? CS_ERR_UNLINKED : err);
}

/* A well signed header that does not name our newest one: what is at that one's height there? */
static void ask_for_parent(struct comet_watch *watch)
{
	struct adapter_rpc_options options = {.pin = watch->endpoint, .only_pin = true};
	enum cs_err err = comet_headers_fetch(&watch->comet->nodes, &options, watch->next - 1, 1,
					      parent_fetched, watch);

	if (err != CS_OK)
		finish(watch, err);
}

/* ---- checking ---- */

static void set_done(void *ctx, enum cs_err err, const char *why)
{
	struct comet_watch *watch = ctx;

	if (err != CS_OK || watch->comet->ending) {
		if (err != CS_OK && err != CS_ERR_CLOSED)
			log_debug("adapter.no_validators",
				  LOG_TEXT("chain", watch->comet->config.caip2),
				  LOG_TEXT("why", why));
		finish(watch, err);
	} else {
		verify(watch);
	}
}

/* The one before it, as far as it is known as a whole. */
static const struct comet_header *before(const struct comet_watch *watch, size_t index)
{
	if (index > 0)
		return watch->chunk[index - 1];
	return watch->next == 0 ? NULL : comet_watch_header(watch, watch->next - 1);
}

static enum cs_err check_link(struct comet_watch *watch, size_t index, const char **why)
{
	const struct comet_header *header = watch->chunk[index];
	const struct comet_header *parent = before(watch, index);
	const struct adapter_block_id *anchor = &watch->comet->config.anchor;
	struct cs_hash known;

	*why = "a header that is not of the validators that were announced";
	if (parent != NULL &&
	    !cmt_hash_eq(&parent->header.next_validators_hash, &header->header.validators_hash))
		return CS_ERR_RPC_LIE;
	*why = "another header than the anchor";
	if (header->public.id.height == anchor->height &&
	    !cs_hash_eq(&header->public.id.hash, &anchor->hash))
		return CS_ERR_RPC_LIE;
	*why = "a header that does not link";
	if (index == 0 && comet_watch_hash(watch, watch->next - 1, &known) &&
	    !cs_hash_eq(&known, &header->public.parent))
		return CS_ERR_UNLINKED;
	return CS_OK;
}

static void refuse(struct comet_watch *watch, enum cs_err err, const char *why)
{
	if (err == CS_ERR_UNLINKED && is_signed(watch->comet, watch->chunk[watch->verified])) {
		ask_for_parent(watch);
		return;
	}
	adapter_rpc_lied(watch->comet->nodes.rpc, watch->endpoint, why);
	finish(watch, CS_ERR_RPC_LIE);
}

/* The chunk is known to be signed. */
static void take_verified(struct comet_watch *watch)
{
	comet_header_unref(watch->head);
	watch->head = comet_header_ref(watch->chunk[watch->count - 1]);
	for (size_t i = 0; i < watch->count; i++)
		push(watch, &watch->chunk[i]->public.id.hash, comet_header_ref(watch->chunk[i]), 0);
	drop_chunk(watch);
	tell_head(watch);
	comet_witness_look(watch->comet->witness);
	comet_evidence_look(watch->comet->evidence);
	go_on(watch);
}

/* Goes on with what is at hand until a set is missing. */
static void verify(struct comet_watch *watch)
{
	struct comet *comet = watch->comet;

	for (; watch->verified < watch->count; watch->verified++) {
		const struct comet_header *header = watch->chunk[watch->verified];
		const struct cs_hash *hash = &header->header.validators_hash.hash;
		const char *why = "";

		if (comet_set_find(&comet->nodes, hash) == NULL) {
			struct adapter_rpc_options options = {.pin = watch->endpoint,
							      .avoid = watch->lacking};
			enum cs_err err =
				comet_set_fetch(&comet->nodes, &options, header->public.id.height,
						hash, set_done, watch);
			if (err != CS_OK)
				finish(watch, err);
			return;
		}
		enum cs_err err = check_link(watch, watch->verified, &why);
		if (err == CS_OK && !is_signed(comet, header)) {
			err = CS_ERR_RPC_LIE;
			why = "a header that its validators did not sign";
		}
		if (err != CS_OK) {
			refuse(watch, err, why);
			return;
		}
	}
	take_verified(watch);
}

/* ---- a stretch ---- */

static void take_chunk(struct comet_watch *watch, struct comet_header *const *headers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		watch->chunk[i] = comet_header_ref(headers[i]);
	watch->count = count;
	watch->verified = 0;
	verify(watch);
}

static void chunk_done(void *ctx, enum cs_err err, const char *why,
		       struct comet_header *const *headers, size_t count, size_t endpoint)
{
	struct comet_watch *watch = ctx;

	watch->endpoint = endpoint;
	if (err == CS_ERR_NOT_FOUND)
		lacks(watch, endpoint, why);
	if (err != CS_OK || count == 0 || watch->comet->ending)
		finish(watch, err == CS_OK ? CS_ERR_NOT_FOUND : err);
	else
		take_chunk(watch, headers, count);
}

static void next_chunk(struct comet_watch *watch)
{
	uint64_t target = watch->target->public.id.height;
	struct adapter_rpc_options options = {
		.pin = ADAPTER_RPC_ANY, .avoid = watch->lacking, .height_min = target};
	uint64_t left = target - watch->next + 1;

	if (left == 1) {
		struct comet_header *only = watch->target;

		take_chunk(watch, &only, 1);
		return;
	}
	enum cs_err err = comet_headers_fetch(
		&watch->comet->nodes, &options, watch->next,
		left < COMET_WATCH_CHUNK ? (size_t)left : COMET_WATCH_CHUNK, chunk_done, watch);
	if (err != CS_OK)
		finish(watch, err);
}

/* ---- the newest one ---- */

static void newest_done(void *ctx, enum cs_err err, const char *why,
			struct comet_header *const *headers, size_t count, size_t endpoint)
{
	struct comet_watch *watch = ctx;

	(void)why;
	(void)count;
	if (err != CS_OK || watch->comet->ending) {
		finish(watch, err);
		return;
	}
	const struct adapter_block_id *id = &headers[0]->public.id;
	adapter_rpc_saw_height(watch->comet->nodes.rpc, endpoint, id->height);
	watch->endpoint = endpoint;
	if (id->height < watch->next) {
		(void)is_another(watch, headers[0], endpoint);
		go_on(watch);
		return;
	}
	watch->target = comet_header_ref(headers[0]);
	go_on(watch);
}

static void top_done(void *ctx, enum cs_err err, const char *why,
		     struct comet_header *const *headers, size_t count, size_t endpoint)
{
	struct comet_watch *watch = ctx;
	struct slot *slot = slot_at(watch, watch->next - 1);

	(void)count;
	if (err == CS_ERR_NOT_FOUND)
		lacks(watch, endpoint, why);
	if (err == CS_OK && is_another(watch, headers[0], endpoint))
		err = CS_ERR_UNLINKED;
	if (err == CS_OK && !watch->comet->ending) {
		slot->header = comet_header_ref(headers[0]);
		watch->head = comet_header_ref(headers[0]);
		watch->again = true;
	}
	finish(watch, err);
}

/* After a start the newest block is known by its hash alone: who may sign the next one is in its
 * header. */
static bool is_top_known(const struct comet_watch *watch)
{
	return watch->next == watch->low || comet_watch_header(watch, watch->next - 1) != NULL;
}

static void step(struct comet_watch *watch)
{
	struct adapter_rpc_options options = {.pin = ADAPTER_RPC_ANY, .height_min = watch->next};
	bool known = is_top_known(watch);

	if (watch->busy) {
		watch->again = true;
		return;
	}
	watch->busy = true;
	if (!known)
		options.avoid = watch->lacking;
	enum cs_err err =
		comet_headers_fetch(&watch->comet->nodes, &options, known ? 0 : watch->next - 1, 1,
				    known ? newest_done : top_done, watch);
	if (err != CS_OK)
		finish(watch, err);
}

/* ---- life ---- */

static void look_for_stall(struct comet_watch *watch)
{
	const struct adapter_listener *listener = &watch->comet->listener;
	const struct comet *comet = watch->comet;
	uint64_t quiet_ms = host_now_ms() - watch->head_changed_ms;
	bool idle = comet->config.blocks_on_demand &&
		    adapter_rpc_silent_ms(comet->nodes.rpc) < comet->config.stalled_ms &&
		    comet_submit_waits_ms(comet->submit) < comet->config.stalled_ms;

	if (idle && watch->stalled && listener->stalled != NULL)
		listener->stalled(listener->ctx, 0);
	watch->stalled = watch->stalled && !idle;
	if (idle || quiet_ms < comet->config.stalled_ms)
		return;
	watch->stalled = true;
	if (listener->stalled != NULL)
		listener->stalled(listener->ctx, quiet_ms);
}

static void on_poll(void *ctx)
{
	struct comet_watch *watch = ctx;

	/* What a websocket tells need not be asked for as often. */
	if (watch->poll_count++ % 2 == 0 || !adapter_hint_is_alive(watch->comet->hint))
		step(watch);
	look_for_stall(watch);
}

static void on_soon(void *ctx)
{
	step(ctx);
}

void comet_watch_kick(struct comet_watch *watch)
{
	step(watch);
}

struct comet_watch *comet_watch_new(struct comet *comet)
{
	struct comet_watch *watch = host_alloc(sizeof(*watch));

	watch->comet = comet;
	watch->low = watch->next = watch->told = comet->config.anchor.height;
	watch->poll = host_timer_new(comet->loop, on_poll, watch);
	watch->soon = host_timer_new(comet->loop, on_soon, watch);
	return watch;
}

enum cs_err comet_watch_load(struct comet_watch *watch, const struct adapter_cursor *cursor)
{
	if (cursor == NULL || cursor->count == 0)
		return CS_OK;
	if (cursor->count > ADAPTER_CURSOR_BLOCKS)
		return CS_ERR_INVALID;
	for (size_t i = 1; i < cursor->count; i++)
		if (cursor->recent[i].height != cursor->recent[i - 1].height + 1)
			return CS_ERR_INVALID;
	watch->low = watch->next = cursor->recent[0].height;
	for (size_t i = 0; i < cursor->count; i++)
		push(watch, &cursor->recent[i].hash, NULL, 0);
	watch->told = watch->next;
	return CS_OK;
}

void comet_watch_start(struct comet_watch *watch)
{
	watch->head_changed_ms = host_now_ms();
	host_timer_start(watch->poll, 0, watch->comet->config.poll_ms);
}

void comet_watch_free(struct comet_watch *watch)
{
	if (watch == NULL)
		return;
	host_timer_free(watch->poll);
	host_timer_free(watch->soon);
	drop_chunk(watch);
	comet_header_unref(watch->head);
	comet_header_unref(watch->target);
	for (size_t i = 0; i < COMET_WATCH_WINDOW; i++)
		comet_header_unref(watch->slots[i].header);
	free(watch);
}
