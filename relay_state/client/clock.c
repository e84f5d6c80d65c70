#include "relay_state/client/clock.h"

#include "core/abi.h"
#include "core/hash.h"
#include "host/alloc.h"
#include "host/log.h"
#include "host/loop.h"
#include "relay_state/ledger/records.h"
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
/* How often the anchor is looked at while it is written. */
#define LOOK_MS 1000u
/* A state is anchored after so long, however few followed the last one. */
#define ANCHOR_MS 600000u
#define WHY_MAX 200u
/* anchor(bytes32,uint64,uint64,bytes32,bytes32,bytes32) */
#define CALLDATA_SIZE (4u + 6u * 32u)
/* Where a sealed state has its counter, in the clear (docs/protocol/boundary.md). */
#define SEALED_COUNTER_AT 80u

struct request {
	struct request *next;
	enum wire_type type;
	struct cs_bytes body; /* heap */
	struct cs_hash hash;
	host_enclave_done *done;
	void *ctx;
	bool in_round;
};

/* One nonce. It ends when its round has and no node is asked any more. */
struct round {
	struct ledger_clock *clock; /* NULL: the round is over */
	size_t count;
	bool all;  /* nobody answers any more */
	bool sent; /* what came is with the enclave */
	struct cs_hash nonce;
	struct ledger_client_time_answer answers[LEDGER_CLIENT_NODES_MAX];
};

struct ledger_clock {
	struct ledger_clock_config config;
	struct host_timer *timer;
	struct request *first;
	struct request **last;
	struct round *round; /* the open one */
	bool asking;         /* from the question on, before there is a nonce too */
	uint64_t pause_ms;
	uint64_t answered_ms;
	/* the ledger's light client in the enclave */
	bool created;
	uint64_t final_height;
	uint64_t wanted_height; /* one that is needed in between; 0: the newest */
	uint64_t target_height; /* of the block that the enclave is shown */
	bool looking;
	uint64_t look_ms; /* not before it */
	/* the anchor */
	bool known; /* state is the enclave's own word of this session */
	bool was_proven;
	enum ledger_anchor_state state;
	uint64_t epoch;
	uint64_t proven_epoch;
	uint64_t proven_counter;
	struct cs_bytes key; /* heap */
	uint64_t proof_ms;
	bool has_stored;
	struct cs_hash stored;
	uint64_t stored_counter;
	bool signing;
	bool writing;
	bool waiting; /* calldata is to be sent */
	uint8_t calldata[CALLDATA_SIZE];
	uint64_t anchor_ms;
	char why[WHY_MAX + 1]; /* no time, or no anchor */
	bool no_time;
};

static const struct ledger_clock_ops *ops(const struct ledger_clock *clock)
{
	return clock->config.ops;
}

static bool is_ready(const struct ledger_clock *clock)
{
	return ops(clock)->ready(clock->config.ctx);
}

static void say(struct ledger_clock *clock, bool no_time, enum cs_err err, const char *why)
{
	char text[WHY_MAX + 1];
	snprintf(text, sizeof(text), "%s: %s", cs_err_name(err),
		 why && why[0] ? why : cs_err_sentence(err));
	bool is_news = clock->no_time != no_time || strcmp(text, clock->why) != 0;
	clock->no_time = no_time;
	memcpy(clock->why, text, sizeof(text));
	if (is_news)
		log_warn(no_time ? "clock.no_time" : "clock.not_anchored", LOG_TEXT("why", text),
			 LOG_TEXT("then", "nothing is signed; what waits goes on afterwards"));
}

static void be_fine(struct ledger_clock *clock)
{
	if (clock->why[0])
		log_info("clock.fine", LOG_TEXT("was", clock->why));
	clock->why[0] = 0;
	clock->no_time = false;
}

static enum cs_err send(struct ledger_clock *clock, enum wire_type type,
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
		err = ops(clock)->send(clock->config.ctx, type, cs_buf_view(&buf), done, ctx);
	cs_arena_rewind(arena, mark);
	return err;
}

/* ---- a round ---- */

static void request_free(struct request *request)
{
	free((void *)(uintptr_t)request->body.p);
	free(request);
}

/* Those of the round leave the queue, in their order. */
static struct request *take_round(struct ledger_clock *clock)
{
	struct request *taken = NULL;
	struct request **end = &taken;
	struct request **at = &clock->first;
	while (*at) {
		struct request *request = *at;
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
	struct request *request = take_round(clock);
	struct round *round = clock->round;
	clock->asking = false;
	clock->round = NULL;
	if (round) {
		round->clock = NULL;
		if (round->all)
			free(round);
	}
	while (request) {
		struct request *next = request->next;
		enum cs_err sent = err;
		if (err == CS_OK)
			sent = ops(clock)->send(clock->config.ctx, request->type, request->body,
						request->done, request->ctx);
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
		say(clock, true, CS_ERR_NO_TIME, why && why[0] ? why : cs_err_sentence(err));
	end_round(clock, err == CS_ERR_CLOSED ? err : CS_ERR_NO_TIME, clock->why);
	ops(clock)->changed(clock->config.ctx);
}

static void answers_done(void *ctx, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct ledger_clock *clock = ctx;
	struct round *round = clock->round;
	(void)body;
	if (!round || !round->sent)
		return;
	if (err == CS_OK) {
		clock->answered_ms = host_now_ms();
		if (clock->no_time)
			be_fine(clock);
		end_round(clock, CS_OK, "");
		ops(clock)->changed(clock->config.ctx);
		if (clock->first)
			host_timer_start(clock->timer, 0, TICK_MS);
		return;
	}
	/* Some did not count: others may still answer. */
	round->sent = false;
	if (err != CS_ERR_UNAUTHORIZED || round->all)
		round_failed(clock, err, why);
}

static void send_answers(struct round *round)
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
	enum cs_err err = send(clock, WIRE_CLOCK_ANSWERS, &request.base, answers_done, clock);
	if (err != CS_OK)
		round_failed(clock, err, NULL);
}

static void time_answer(void *ctx, const struct ledger_client_time_answer *answer)
{
	struct round *round = ctx;
	if (!round->clock || round->count == CS_LEN(round->answers))
		return;
	round->answers[round->count++] = *answer;
	if (!round->sent && round->count >= round->clock->config.manifest->quorum)
		send_answers(round);
}

static void time_done(void *ctx, enum cs_err err, size_t answered, size_t asked)
{
	struct round *round = ctx;
	struct ledger_clock *clock = round->clock;
	char why[WHY_MAX];
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
	struct round *round = host_calloc(1, sizeof(*round));
	round->clock = clock;
	round->nonce = nonce;
	clock->round = round;
	if (err == CS_OK)
		err = ledger_client_time(clock->config.client, &nonce, ANSWERS_MS, time_answer,
					 time_done, round);
	if (err == CS_OK)
		return;
	round->all = true;
	round_failed(clock, err, why && why[0] ? why : "no node of the ledger answers");
}

static void begin_round(struct ledger_clock *clock)
{
	Caisson__Wire__ClockAskRequest ask = CAISSON__WIRE__CLOCK_ASK_REQUEST__INIT;
	ProtobufCBinaryData inputs[INPUTS_MAX];
	if (clock->asking || !is_ready(clock) || host_now_ms() < clock->pause_ms)
		return;
	for (struct request *r = clock->first; r && ask.n_inputs < INPUTS_MAX; r = r->next) {
		r->in_round = true;
		inputs[ask.n_inputs++] = (ProtobufCBinaryData){sizeof(r->hash.b), r->hash.b};
	}
	ask.inputs = inputs;
	clock->asking = true;
	enum cs_err err = send(clock, WIRE_CLOCK_ASK, &ask.base, ask_done, clock);
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
	if (!is_ready(clock))
		return CS_ERR_UNAVAILABLE;
	enum cs_err err = cs_buf_init_arena(&buf, arena, CS_FRAME_BODY_SIZE_MAX);
	if (err == CS_OK)
		err = wire_encode(&buf, message, &why);
	if (err == CS_OK) {
		struct request *request = host_calloc(1, sizeof(*request));
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

/* ---- what the ledger says of the anchor ---- */

static void look_failed(struct ledger_clock *clock, enum cs_err err, const char *why)
{
	clock->looking = false;
	clock->look_ms = host_now_ms() + LOOK_MS;
	if (err == CS_ERR_CLOSED || err == CS_ERR_UNAVAILABLE || err == CS_ERR_NO_TIME)
		return;
	say(clock, false, err, why);
	ops(clock)->changed(clock->config.ctx);
}

static void take_anchor(struct ledger_clock *clock, const Caisson__Wire__AnchorStatus *anchor)
{
	enum ledger_anchor_state before = clock->state;
	clock->state = (enum ledger_anchor_state)anchor->state;
	clock->epoch = anchor->epoch;
	clock->proven_epoch = anchor->proven_epoch;
	clock->proven_counter = anchor->proven_counter;
	if (clock->key.n != anchor->key.len ||
	    memcmp(clock->key.p, anchor->key.data, clock->key.n) != 0) {
		free((void *)(uintptr_t)clock->key.p);
		clock->key = cs_bytes(host_copy(wire_pb_view(anchor->key)), anchor->key.len);
	}
	if (clock->state == LEDGER_ANCHOR_PROVEN && !clock->no_time)
		be_fine(clock);
	if (clock->state != before)
		ops(clock)->changed(clock->config.ctx);
}

static void roll_back(struct ledger_clock *clock, const char *why)
{
	clock->looking = false;
	clock->state = LEDGER_ANCHOR_ROLLED_BACK;
	snprintf(clock->why, sizeof(clock->why), "rolled-back: %s", why ? why : "");
	clock->no_time = false;
	log_error("clock.rolled_back", LOG_TEXT("why", clock->why),
		  LOG_TEXT("then",
			   "the enclave signs nothing with this state: put back the newest one"));
	ops(clock)->changed(clock->config.ctx);
}

static void prove_done(void *ctx, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct ledger_clock *clock = ctx;
	size_t mark = cs_arena_mark(clock->config.scratch);
	ProtobufCMessage *message = NULL;
	if (err == CS_OK)
		err = host_enclave_reply(clock->config.scratch, body,
					 &caisson__wire__anchor_prove_reply__descriptor, &message);
	if (err == CS_OK)
		take_anchor(clock, ((const Caisson__Wire__AnchorProveReply *)message)->status);
	cs_arena_rewind(clock->config.scratch, mark);
	if (err == CS_ERR_ROLLED_BACK) {
		roll_back(clock, why);
		return;
	}
	if (err != CS_OK) {
		look_failed(clock, err, why);
		return;
	}
	clock->looking = false;
	clock->proof_ms = host_now_ms();
	clock->look_ms = clock->proof_ms + LOOK_MS;
	if (!clock->was_proven) {
		clock->was_proven = true;
		ops(clock)->proven(clock->config.ctx);
	}
}

static void proof_came(void *ctx, const struct ledger_client_answer *answers, size_t count)
{
	struct ledger_clock *clock = ctx;
	Caisson__Wire__AnchorProveRequest request = CAISSON__WIRE__ANCHOR_PROVE_REQUEST__INIT;
	enum cs_err err = count == 1 ? answers[0].err : CS_ERR_RPC;
	if (err == CS_OK && answers[0].proof.n == 0)
		err = CS_ERR_RPC;
	if (err == CS_OK) {
		request.height = answers[0].height + 1;
		request.proof = (ProtobufCBinaryData){answers[0].proof.n,
						      (uint8_t *)(uintptr_t)answers[0].proof.p};
		err = send(clock, WIRE_ANCHOR_PROVE, &request.base, prove_done, clock);
	}
	if (err != CS_OK)
		look_failed(clock, err, count == 1 ? answers[0].why : NULL);
}

static void ask_proof(struct ledger_clock *clock)
{
	static const char path[] = "/store";
	const struct ledger_client_query query = {
		.path = path, .data = clock->key, .height = clock->final_height - 1, .prove = true};
	enum cs_err err = clock->final_height > 1
				  ? ledger_client_query(clock->config.client, query.height, &query,
							1, proof_came, clock)
				  : CS_ERR_NOT_FOUND;
	if (err != CS_OK)
		look_failed(clock, err, "the ledger has no block to prove under yet");
}

/* ---- the ledger's light client ---- */

static void ask_block(struct ledger_clock *clock);

static void update_done(void *ctx, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct ledger_clock *clock = ctx;
	size_t mark = cs_arena_mark(clock->config.scratch);
	ProtobufCMessage *message = NULL;
	bool was_created = clock->created;
	if (err == CS_OK)
		err = host_enclave_reply(clock->config.scratch, body,
					 &caisson__wire__client_reply__descriptor, &message);
	if (err == CS_OK) {
		clock->created = true;
		clock->final_height =
			((const Caisson__Wire__ClientReply *)message)->status->final_height;
	}
	cs_arena_rewind(clock->config.scratch, mark);
	if (err == CS_ERR_NOT_ENOUGH_TRUST && clock->target_height > clock->final_height + 1) {
		clock->wanted_height =
			clock->final_height + (clock->target_height - clock->final_height) / 2;
		ask_block(clock);
	} else if (err == CS_OK && (!was_created || clock->wanted_height != 0)) {
		clock->wanted_height = 0;
		ask_block(clock);
	} else if (err == CS_OK || err == CS_ERR_STALE_HEADER) {
		/* Where no node has a newer block, the enclave's newest is the one to prove under. */
		ask_proof(clock);
	} else {
		look_failed(clock, err, why);
	}
}

static enum cs_err send_block(struct ledger_clock *clock, const struct adapter_header *header)
{
	struct cs_hash identity = clock->config.manifest->identity;
	ProtobufCBinaryData bytes = {header->rlp.n, (uint8_t *)(uintptr_t)header->rlp.p};
	ProtobufCBinaryData chain = {sizeof(identity.b), identity.b};
	if (!clock->created) {
		Caisson__Wire__ClientCreateRequest create =
			CAISSON__WIRE__CLIENT_CREATE_REQUEST__INIT;
		create.chain = chain;
		create.header = bytes;
		return ledger_clock_call(clock, WIRE_CLIENT_CREATE, &create.base, update_done,
					 clock);
	}
	Caisson__Wire__ClientUpdateRequest update = CAISSON__WIRE__CLIENT_UPDATE_REQUEST__INIT;
	update.chain = chain;
	update.headers = &bytes;
	update.n_headers = 1;
	return ledger_clock_call(clock, WIRE_CLIENT_UPDATE, &update.base, update_done, clock);
}

static void blocks_came(void *ctx, enum cs_err err, const char *why,
			const struct adapter_header *blocks, size_t count)
{
	struct ledger_clock *clock = ctx;
	if (err == CS_OK && count == 0)
		err = CS_ERR_NOT_FOUND;
	if (err == CS_OK) {
		clock->target_height = blocks[0].id.height;
		err = send_block(clock, &blocks[0]);
	}
	if (err != CS_OK)
		look_failed(clock, err, why);
}

/* The anchor's, the one that is needed in between, or the newest. */
static void ask_block(struct ledger_clock *clock)
{
	uint64_t height =
		clock->created ? clock->wanted_height : clock->config.manifest->anchor_height;
	enum cs_err err =
		ledger_client_light_blocks(clock->config.client, height, 1, blocks_came, clock);
	if (err != CS_OK)
		look_failed(clock, err, NULL);
}

/* ---- a new anchor ---- */

static void sign_failed(struct ledger_clock *clock, enum cs_err err, const char *why)
{
	clock->look_ms = host_now_ms() + LOOK_MS;
	/* A state of before the epoch that begins now: the next one says it. */
	if (err == CS_ERR_NOT_FOUND)
		ops(clock)->seal(clock->config.ctx);
	else if (err != CS_ERR_CLOSED && err != CS_ERR_UNAVAILABLE)
		say(clock, false, err, why);
}

static void write_anchor(struct ledger_clock *clock, const Caisson__Wire__AnchorSignReply *reply)
{
	static const char signature[] = "anchor(bytes32,uint64,uint64,bytes32,bytes32,bytes32)";
	struct cs_hash topic = cs_abi_topic(signature);
	struct cs_hash digest = wire_pb_hash(reply->digest);
	struct cs_hash x = wire_pb_hash(reply->public_key);
	struct cs_hash rx = wire_pb_hash(reply->rx);
	struct cs_hash s = wire_pb_hash(reply->s);
	struct cs_buf data;
	cs_buf_init(&data, clock->calldata, sizeof(clock->calldata));
	cs_put(&data, cs_bytes(topic.b, 4));
	cs_put_word(&data, &x);
	cs_put_word_u64(&data, reply->epoch);
	cs_put_word_u64(&data, reply->counter);
	cs_put_word(&data, &digest);
	cs_put_word(&data, &rx);
	cs_put_word(&data, &s);
	clock->writing = true;
	clock->anchor_ms = host_now_ms();
	log_info("clock.anchor", LOG_U64("epoch", reply->epoch),
		 LOG_U64("counter", reply->counter));
	clock->waiting = true;
	ops(clock)->kick(clock->config.ctx);
}

static void sign_done(void *ctx, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct ledger_clock *clock = ctx;
	size_t mark = cs_arena_mark(clock->config.scratch);
	ProtobufCMessage *message = NULL;
	clock->signing = false;
	if (err == CS_OK)
		err = host_enclave_reply(clock->config.scratch, body,
					 &caisson__wire__anchor_sign_reply__descriptor, &message);
	if (err == CS_OK)
		write_anchor(clock, (const Caisson__Wire__AnchorSignReply *)message);
	cs_arena_rewind(clock->config.scratch, mark);
	if (err != CS_OK)
		sign_failed(clock, err, why);
}

/* Of this epoch. */
static uint64_t counter_known(const struct ledger_clock *clock)
{
	return clock->proven_epoch == clock->epoch ? clock->proven_counter : 0;
}

/* The state that holds the newest key is not on disk: its seal was lost on the way. */
static bool wants_seal(const struct ledger_clock *clock)
{
	return clock->state == LEDGER_ANCHOR_KEYS && clock->was_proven && !clock->writing &&
	       !clock->signing &&
	       (!clock->has_stored || clock->stored_counter <= counter_known(clock));
}

static bool wants_anchor(const struct ledger_clock *clock)
{
	uint64_t known = counter_known(clock);
	if (clock->writing || clock->signing || !clock->has_stored || !clock->was_proven ||
	    clock->stored_counter <= known)
		return false;
	if (clock->state == LEDGER_ANCHOR_KEYS)
		return true;
	return 2 * (clock->stored_counter - known) >= clock->config.manifest->anchor_lag_max ||
	       host_now_ms() - clock->anchor_ms >= ANCHOR_MS;
}

static void sign_anchor(struct ledger_clock *clock)
{
	Caisson__Wire__AnchorSignRequest request = CAISSON__WIRE__ANCHOR_SIGN_REQUEST__INIT;
	request.digest = (ProtobufCBinaryData){sizeof(clock->stored.b), clock->stored.b};
	clock->signing = true;
	enum cs_err err = send(clock, WIRE_ANCHOR_SIGN, &request.base, sign_done, clock);
	if (err == CS_OK)
		return;
	clock->signing = false;
	sign_failed(clock, err, NULL);
}

enum cs_err ledger_clock_send(struct ledger_clock *clock, struct ledger_writer *writer,
			      uint64_t kind)
{
	if (!clock || !clock->waiting)
		return CS_ERR_NOT_FOUND;
	const struct ledger_tx_call call = {.to = ledger_contract_address(LEDGER_RECORDS_NUMBER),
					    .input = CS_BYTES_OF(clock->calldata)};
	enum cs_err err = ledger_writer_send(writer, kind, &call, 1, 0);
	if (err == CS_OK)
		clock->waiting = false;
	return err;
}

static enum cs_err err_of(const struct ledger_report *report)
{
	if (report->end == LEDGER_END_DONE)
		return CS_OK;
	if (report->end == LEDGER_END_REVERTED)
		return CS_ERR_REVERTED;
	return report->err != CS_OK ? report->err : CS_ERR_UNAVAILABLE;
}

void ledger_clock_ended(struct ledger_clock *clock, const struct ledger_report *report)
{
	if (!clock)
		return;
	enum cs_err err = err_of(report);
	const char *why = report->why && report->why[0] ? report->why : cs_err_sentence(err);
	clock->writing = false;
	clock->proof_ms = 0;
	clock->look_ms = host_now_ms() + (err == CS_OK ? 0 : LOOK_MS);
	if (err != CS_OK && clock->state != LEDGER_ANCHOR_PROVEN) {
		say(clock, false, CS_ERR_NOT_ANCHORED, why);
		ops(clock)->changed(clock->config.ctx);
	}
}

/* ---- turns ---- */

static bool proof_is_due(const struct ledger_clock *clock)
{
	const uint64_t age_ms = clock->config.manifest->proof_age_max_s * 1000;
	return clock->proof_ms == 0 || clock->state == LEDGER_ANCHOR_NOT_PROVEN ||
	       host_now_ms() - clock->proof_ms >= age_ms / 3;
}

static void tick(void *ctx)
{
	struct ledger_clock *clock = ctx;
	uint64_t now = host_now_ms();
	if (!is_ready(clock) || !clock->known)
		return;
	if (clock->first || now - clock->answered_ms >= REFRESH_MS)
		begin_round(clock);
	if (clock->looking || now < clock->look_ms || clock->state == LEDGER_ANCHOR_ROLLED_BACK)
		return;
	if (proof_is_due(clock)) {
		clock->looking = true;
		clock->wanted_height = 0;
		ask_block(clock);
	} else if (wants_seal(clock)) {
		clock->look_ms = now + LOOK_MS;
		ops(clock)->seal(clock->config.ctx);
	} else if (wants_anchor(clock)) {
		sign_anchor(clock);
	}
}

/* ---- the session ---- */

void ledger_clock_hello(struct ledger_clock *clock, const Caisson__Wire__HelloReply *hello)
{
	if (!clock || !hello->anchor)
		return;
	clock->known = true;
	take_anchor(clock, hello->anchor);
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
	for (struct request *r = clock->first; r; r = r->next)
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
	clock->last = &clock->first;
	clock->timer = host_timer_new(loop, tick, clock);
	*out = clock;
	return CS_OK;
}

void ledger_clock_free(struct ledger_clock *clock)
{
	if (!clock)
		return;
	while (clock->first) {
		struct request *next = clock->first->next;
		request_free(clock->first);
		clock->first = next;
	}
	host_timer_free(clock->timer);
	free((void *)(uintptr_t)clock->key.p);
	free(clock);
}
