/* Rounds of fresh time: one nonce after the other, each with what waits for it. */
#include "core/hash.h"
#include "host/alloc.h"
#include "host/log.h"
#include "host/loop.h"
#include "relay_state/client/clock_inner.h"
#include "wire/convert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The bound of ClockAsk. */
#define INPUTS_MAX 64u
#define TICK_MS 250u
/* A node that has not answered by then does not count in this round. */
#define ANSWERS_MS 3000u
/* After a round that failed. */
#define PAUSE_MS 500u
/* Fresh time is asked for though nothing waits: what is signed next says how late it is. */
#define REFRESH_MS 1000u
/* Where a sealed state has its counter, in the clear (docs/protocol/boundary.md). */
#define SEALED_COUNTER_AT 80u

const struct ledger_clock_ops *clock_ops(const struct ledger_clock *clock)
{
	return clock->config.ops;
}

bool clock_is_ready(const struct ledger_clock *clock)
{
	return clock_ops(clock)->ready(clock->config.ctx);
}

void clock_say(struct ledger_clock *clock, bool no_time, enum cs_err err, const char *why)
{
	char text[CLOCK_WHY_MAX + 1];
	snprintf(text, sizeof(text), "%s: %s", cs_err_name(err),
		 why && why[0] ? why : cs_err_sentence(err));
	bool is_news = clock->no_time != no_time || strcmp(text, clock->why) != 0;
	clock->no_time = no_time;
	memcpy(clock->why, text, sizeof(text));
	if (is_news)
		log_warn(no_time ? "clock.no_time" : "clock.not_anchored", LOG_TEXT("why", text),
			 LOG_TEXT("then", "nothing is signed; what waits goes on afterwards"));
}

void clock_be_fine(struct ledger_clock *clock)
{
	if (clock->why[0])
		log_info("clock.fine", LOG_TEXT("was", clock->why));
	clock->why[0] = 0;
	clock->no_time = false;
}

enum cs_err clock_send(struct ledger_clock *clock, enum wire_type type,
		       const ProtobufCMessage *message, host_enclave_done *done, void *ctx)
{
	struct cs_arena *arena = clock->config.scratch;
	struct cs_why why = {{0}};
	struct cs_buf buf;
	size_t mark = cs_arena_mark(arena);
	enum cs_err err = cs_buf_init_arena(&buf, arena, CS_FRAME_BODY_SIZE_MAX);
	if (err == CS_OK)
		err = wire_encode(&buf, message, &why);
	if (err == CS_OK)
		err = clock_ops(clock)->send(clock->config.ctx, type, cs_buf_view(&buf), done, ctx);
	cs_arena_rewind(arena, mark);
	return err;
}

/* ---- a round ---- */

static void request_free(struct clock_request *request)
{
	free((void *)(uintptr_t)request->body.p);
	free(request);
}

/* Those of the round leave the queue, in their order. */
static struct clock_request *take_round(struct ledger_clock *clock)
{
	struct clock_request *taken = NULL;
	struct clock_request **end = &taken;
	struct clock_request **at = &clock->first;
	while (*at) {
		struct clock_request *request = *at;
		if (!request->in_round) {
			at = &request->next;
			continue;
		}
		*at = request->next;
		request->next = NULL;
		*end = request;
		end = &request->next;
	}
	clock->last = at;
	return taken;
}

static void end_round(struct ledger_clock *clock, enum cs_err err, const char *why)
{
	struct clock_request *request = take_round(clock);
	struct clock_round *round = clock->round;
	clock->asking = false;
	clock->round = NULL;
	if (round) {
		round->clock = NULL;
		if (round->all)
			free(round);
	}
	while (request) {
		struct clock_request *next = request->next;
		enum cs_err sent = err;
		if (err == CS_OK)
			sent = clock_ops(clock)->send(clock->config.ctx, request->type,
						      request->body, request->done, request->ctx);
		if (sent != CS_OK)
			request->done(request->ctx, sent, why, CS_BYTES_NONE);
		request_free(request);
		request = next;
	}
}

static void round_failed(struct ledger_clock *clock, enum cs_err err, const char *why)
{
	clock->pause_ms = host_now_ms() + PAUSE_MS;
	if (err != CS_ERR_CLOSED)
		clock_say(clock, true, CS_ERR_NO_TIME, why && why[0] ? why : cs_err_sentence(err));
	end_round(clock, err == CS_ERR_CLOSED ? err : CS_ERR_NO_TIME, clock->why);
	clock_ops(clock)->changed(clock->config.ctx);
}

static void answers_done(void *ctx, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct ledger_clock *clock = ctx;
	struct clock_round *round = clock->round;
	(void)body;
	if (!round || !round->sent)
		return;
	if (err == CS_OK) {
		clock->answered_ms = host_now_ms();
		if (clock->no_time)
			clock_be_fine(clock);
		end_round(clock, CS_OK, "");
		clock_ops(clock)->changed(clock->config.ctx);
		if (clock->first)
			host_timer_start(clock->timer, 0, TICK_MS);
		return;
	}
	/* Some did not count: others may still answer. */
	round->sent = false;
	if (err != CS_ERR_UNAUTHORIZED || round->all)
		round_failed(clock, err, why);
}

static void send_answers(struct clock_round *round)
{
	struct ledger_clock *clock = round->clock;
	Caisson__Wire__ClockAnswersRequest request = CAISSON__WIRE__CLOCK_ANSWERS_REQUEST__INIT;
	Caisson__Wire__ClockAnswer rows[LEDGER_CLIENT_NODES_MAX];
	Caisson__Wire__ClockAnswer *list[LEDGER_CLIENT_NODES_MAX];
	for (size_t i = 0; i < round->count; i++) {
		struct ledger_client_time_answer *answer = &round->answers[i];
		caisson__wire__clock_answer__init(&rows[i]);
		rows[i].key = (ProtobufCBinaryData){sizeof(answer->key.b), answer->key.b};
		rows[i].time_ms = answer->time_ms;
		rows[i].signature =
			(ProtobufCBinaryData){sizeof(answer->signature), answer->signature};
		list[i] = &rows[i];
	}
	request.nonce = (ProtobufCBinaryData){sizeof(round->nonce.b), round->nonce.b};
	request.answers = list;
	request.n_answers = round->count;
	round->sent = true;
	enum cs_err err = clock_send(clock, WIRE_CLOCK_ANSWERS, &request.base, answers_done, clock);
	if (err != CS_OK)
		round_failed(clock, err, NULL);
}

static void time_answer(void *ctx, const struct ledger_client_time_answer *answer)
{
	struct clock_round *round = ctx;
	if (!round->clock || round->count == CS_LEN(round->answers))
		return;
	round->answers[round->count++] = *answer;
	if (!round->sent && round->count >= round->clock->config.manifest->quorum)
		send_answers(round);
}

static void time_done(void *ctx, enum cs_err err, size_t answered, size_t asked)
{
	struct clock_round *round = ctx;
	struct ledger_clock *clock = round->clock;
	char why[CLOCK_WHY_MAX];
	round->all = true;
	if (!clock) {
		free(round);
		return;
	}
	if (round->sent)
		return;
	snprintf(why, sizeof(why), "%zu of %zu nodes of the ledger told the time, %llu are needed",
		 answered, asked, (unsigned long long)clock->config.manifest->quorum);
	round_failed(clock, err == CS_ERR_CLOSED ? err : CS_ERR_NO_TIME, why);
}

static void ask_done(void *ctx, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct ledger_clock *clock = ctx;
	size_t mark = cs_arena_mark(clock->config.scratch);
	ProtobufCMessage *message = NULL;
	struct cs_hash nonce = {{0}};
	if (err == CS_OK)
		err = host_enclave_reply(clock->config.scratch, body,
					 &caisson__wire__clock_ask_reply__descriptor, &message);
	if (err == CS_OK)
		nonce = wire_pb_hash(((const Caisson__Wire__ClockAskReply *)message)->nonce);
	cs_arena_rewind(clock->config.scratch, mark);
	struct clock_round *round = host_calloc(1, sizeof(*round));
	round->clock = clock;
	round->nonce = nonce;
	clock->round = round;
	if (err == CS_OK)
		err = ledger_client_time(clock->config.client, &nonce, NULL, ANSWERS_MS,
					 time_answer, time_done, round);
	if (err == CS_OK)
		return;
	round->all = true;
	round_failed(clock, err, why && why[0] ? why : "no node of the ledger answers");
}

static void begin_round(struct ledger_clock *clock)
{
	Caisson__Wire__ClockAskRequest ask = CAISSON__WIRE__CLOCK_ASK_REQUEST__INIT;
	ProtobufCBinaryData inputs[INPUTS_MAX];
	if (clock->asking || !clock_is_ready(clock) || host_now_ms() < clock->pause_ms)
		return;
	for (struct clock_request *r = clock->first; r && ask.n_inputs < INPUTS_MAX; r = r->next) {
		r->in_round = true;
		inputs[ask.n_inputs++] = (ProtobufCBinaryData){sizeof(r->hash.b), r->hash.b};
	}
	ask.inputs = inputs;
	clock->asking = true;
	enum cs_err err = clock_send(clock, WIRE_CLOCK_ASK, &ask.base, ask_done, clock);
	if (err != CS_OK)
		round_failed(clock, err, "the enclave was not asked");
}

enum cs_err ledger_clock_call(struct ledger_clock *clock, enum wire_type type,
			      const ProtobufCMessage *message, host_enclave_done *done, void *ctx)
{
	struct cs_arena *arena = clock->config.scratch;
	struct cs_why why = {{0}};
	struct cs_buf buf;
	size_t mark = cs_arena_mark(arena);
	if (!clock_is_ready(clock))
		return CS_ERR_UNAVAILABLE;
	enum cs_err err = cs_buf_init_arena(&buf, arena, CS_FRAME_BODY_SIZE_MAX);
	if (err == CS_OK)
		err = wire_encode(&buf, message, &why);
	if (err == CS_OK) {
		struct clock_request *request = host_calloc(1, sizeof(*request));
		request->type = type;
		request->body = cs_bytes(host_copy(cs_buf_view(&buf)), buf.n);
		request->hash = cs_keccak256(request->body);
		request->done = done;
		request->ctx = ctx;
		*clock->last = request;
		clock->last = &request->next;
		host_timer_start(clock->timer, 0, TICK_MS);
	}
	cs_arena_rewind(arena, mark);
	return err;
}

/* ---- turns ---- */

static void tick(void *ctx)
{
	struct ledger_clock *clock = ctx;
	uint64_t now = host_now_ms();
	if (!clock_is_ready(clock) || !clock->known)
		return;
	if (clock->first || now - clock->answered_ms >= REFRESH_MS)
		begin_round(clock);
	clock_anchor_turn(clock);
}

/* ---- the session ---- */

void ledger_clock_hello(struct ledger_clock *clock, const Caisson__Wire__HelloReply *hello)
{
	if (!clock || !hello->anchor)
		return;
	clock->known = true;
	clock_take_anchor(clock, hello->anchor);
	for (size_t i = 0; i < hello->n_clients; i++) {
		struct cs_hash identity = wire_pb_hash(hello->clients[i]->chain);
		if (!cs_hash_eq(&identity, &clock->config.manifest->identity))
			continue;
		clock->created = hello->clients[i]->head_height != 0;
		clock->final_height = hello->clients[i]->final_height;
	}
}

void ledger_clock_up(struct ledger_clock *clock)
{
	if (clock)
		host_timer_start(clock->timer, 0, TICK_MS);
}

void ledger_clock_down(struct ledger_clock *clock)
{
	if (!clock)
		return;
	clock->known = clock->was_proven = clock->looking = clock->signing = false;
	clock->state = LEDGER_ANCHOR_NOT_PROVEN;
	clock->proof_ms = clock->answered_ms = 0;
	clock->proof_height = 0;
	for (struct clock_request *r = clock->first; r; r = r->next)
		r->in_round = true;
	end_round(clock, CS_ERR_CLOSED, "the enclave is gone");
}

void ledger_clock_stored(struct ledger_clock *clock, struct cs_bytes sealed)
{
	if (!clock || sealed.n < SEALED_COUNTER_AT + 8)
		return;
	clock->has_stored = true;
	clock->stored = cs_keccak256(sealed);
	clock->stored_counter = cs_be64(sealed.p + SEALED_COUNTER_AT);
}

/* ---- for others ---- */

bool ledger_clock_signs(const struct ledger_clock *clock)
{
	return !clock || (clock->known && clock->state == LEDGER_ANCHOR_PROVEN && !clock->no_time);
}

const char *ledger_clock_trouble(const struct ledger_clock *clock)
{
	if (ledger_clock_signs(clock))
		return NULL;
	if (clock->why[0])
		return clock->why;
	return clock->state == LEDGER_ANCHOR_KEYS ? "the enclave's keys are not anchored yet"
						  : "the enclave's state is not proven yet";
}

bool ledger_clock_seals(const struct ledger_clock *clock)
{
	return !clock || clock->state == LEDGER_ANCHOR_PROVEN || clock->state == LEDGER_ANCHOR_KEYS;
}

bool ledger_clock_wants(const struct ledger_clock *clock, enum wire_type type)
{
	return clock && (type == WIRE_CLIENT_CREATE || type == WIRE_CLIENT_UPDATE);
}

/* ---- life ---- */

static enum cs_err check(const struct ledger_clock_config *config, struct cs_why *why)
{
	if (!config->client)
		return cs_fail(why, CS_ERR_MISSING_FIELD,
			       "[ledger]: the manifest takes its time from %s",
			       config->manifest->caip2);
	if (strcmp(config->manifest->caip2, config->ledger->id) != 0 ||
	    !cs_hash_eq(&config->manifest->genesis, &config->ledger->tag))
		return cs_fail(why, CS_ERR_INVALID,
			       "[ledger] is another one than %s of the manifest",
			       config->manifest->caip2);
	return CS_OK;
}

enum cs_err ledger_clock_new(struct ledger_clock **out, struct host_loop *loop,
			     const struct ledger_clock_config *config, struct cs_why *why)
{
	*out = NULL;
	if (!config->manifest->is_there)
		return CS_OK;
	CS_TRY(check(config, why));
	struct ledger_clock *clock = host_calloc(1, sizeof(*clock));
	clock->config = *config;
	clock->config.announcement = CS_BYTES_NONE;
	clock->last = &clock->first;
	clock->timer = host_timer_new(loop, tick, clock);
	if (config->announcement.n > 0)
		clock->announcement =
			cs_bytes(host_copy(config->announcement), config->announcement.n);
	*out = clock;
	return CS_OK;
}

void ledger_clock_free(struct ledger_clock *clock)
{
	if (!clock)
		return;
	while (clock->first) {
		struct clock_request *next = clock->first->next;
		request_free(clock->first);
		clock->first = next;
	}
	host_timer_free(clock->timer);
	clock_forget_announcement(clock);
	free((void *)(uintptr_t)clock->key.p);
	free(clock);
}
