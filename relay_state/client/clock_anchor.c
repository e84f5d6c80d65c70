/* The anchor of the enclave's sealed state: what the ledger says of it, under the ledger's own light
 * client in the enclave, and what the ledger is told. */
#include "core/abi.h"
#include "host/alloc.h"
#include "host/log.h"
#include "host/loop.h"
#include "relay_state/client/clock_inner.h"
#include "relay_state/ledger/enclaves.h"
#include "relay_state/ledger/records.h"
#include "wire/convert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How often the anchor is looked at while it is written. */
#define LOOK_MS 1000u
/* A state is anchored after so long, however few followed the last one. */
#define ANCHOR_MS 600000u

/* ---- what the ledger says of the anchor ---- */

static void look_failed(struct ledger_clock *clock, enum cs_err err, const char *why)
{
	clock->looking = false;
	clock->look_ms = host_now_ms() + LOOK_MS;
	if (err == CS_ERR_CLOSED || err == CS_ERR_UNAVAILABLE || err == CS_ERR_NO_TIME)
		return;
	clock_say(clock, false, err, why);
	clock_ops(clock)->changed(clock->config.ctx);
}

void clock_take_anchor(struct ledger_clock *clock, const Caisson__Wire__AnchorStatus *anchor)
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
		clock_be_fine(clock);
	if (clock->state != before)
		clock_ops(clock)->changed(clock->config.ctx);
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
	clock_ops(clock)->changed(clock->config.ctx);
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
		clock_take_anchor(clock,
				  ((const Caisson__Wire__AnchorProveReply *)message)->status);
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
	clock->proof_height = clock->asked_height;
	clock->proof_ms = host_now_ms();
	clock->look_ms = clock->proof_ms + LOOK_MS;
	if (!clock->was_proven) {
		clock->was_proven = true;
		clock_ops(clock)->proven(clock->config.ctx);
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
		clock->asked_height = request.height;
		request.proof = (ProtobufCBinaryData){answers[0].proof.n,
						      (uint8_t *)(uintptr_t)answers[0].proof.p};
		err = clock_send(clock, WIRE_ANCHOR_PROVE, &request.base, prove_done, clock);
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
		clock_ops(clock)->seal(clock->config.ctx);
	else if (err != CS_ERR_CLOSED && err != CS_ERR_UNAVAILABLE)
		clock_say(clock, false, err, why);
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
	clock_ops(clock)->kick(clock->config.ctx);
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
	enum cs_err err = clock_send(clock, WIRE_ANCHOR_SIGN, &request.base, sign_done, clock);
	if (err == CS_OK)
		return;
	clock->signing = false;
	sign_failed(clock, err, NULL);
}

enum cs_err ledger_clock_send(struct ledger_clock *clock, struct ledger_writer *writer)
{
	if (!clock || (!clock->waiting && clock->announcement.n == 0))
		return CS_ERR_NOT_FOUND;
	const bool anchor = clock->waiting;
	const struct ledger_tx_call call = {
		.to = ledger_contract_address(anchor ? LEDGER_RECORDS_NUMBER
						     : LEDGER_ENCLAVES_NUMBER),
		.input = anchor ? CS_BYTES_OF(clock->calldata) : clock->announcement};
	const uint64_t kind = anchor ? clock->config.anchor_kind : clock->config.rotation_kind;
	CS_TRY(ledger_writer_send(writer, kind, &call, 1, 0));
	if (anchor)
		clock->waiting = false;
	return CS_OK;
}

void clock_forget_announcement(struct ledger_clock *clock)
{
	free((void *)(uintptr_t)clock->announcement.p);
	clock->announcement = CS_BYTES_NONE;
}

enum cs_err ledger_clock_announce(struct ledger_clock *clock,
				  const Caisson__Wire__RotateReply *reply)
{
	uint8_t memory[WIRE_EVM_CALL_ROTATION_SIZE_MAX];
	const struct cs_hash key = wire_pb_hash(reply->new_key);
	for (size_t i = 0; clock && i < reply->n_statements; i++) {
		struct wire_signed statement;
		struct cs_buf data;
		cs_buf_init(&data, memory, sizeof(memory));
		if (wire_signed_from_pb(&statement, reply->statements[i]) != CS_OK ||
		    !cs_hash_eq(&statement.statement.receiver, &clock->config.manifest->identity) ||
		    wire_evm_call_announce_rotation(&data, &statement, reply->new_epoch, &key) !=
			    CS_OK)
			continue;
		CS_TRY(clock_ops(clock)->keep(clock->config.ctx, cs_buf_view(&data)));
		clock_forget_announcement(clock);
		clock->announcement = cs_bytes(host_copy(cs_buf_view(&data)), data.n);
		clock_ops(clock)->kick(clock->config.ctx);
	}
	return CS_OK;
}

/* What the register refuses is the administrators' to settle. */
static void announced(struct ledger_clock *clock, enum cs_err err, const char *why)
{
	if (err == CS_OK)
		log_info("clock.rotation_announced");
	else
		log_warn("clock.rotation_not_announced", LOG_ERR(err), LOG_TEXT("why", why));
	if (err != CS_OK && err != CS_ERR_REVERTED)
		return;
	clock_forget_announcement(clock);
	clock_ops(clock)->told(clock->config.ctx);
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
	if (report->kind == clock->config.rotation_kind) {
		announced(clock, err, why);
		return;
	}
	clock->writing = false;
	clock->proof_ms = 0;
	clock->look_ms = host_now_ms() + (err == CS_OK ? 0 : LOOK_MS);
	if (err != CS_OK && clock->state != LEDGER_ANCHOR_PROVEN) {
		clock_say(clock, false, CS_ERR_NOT_ANCHORED, why);
		clock_ops(clock)->changed(clock->config.ctx);
	}
}

/* ---- turns ---- */

static bool proof_is_due(const struct ledger_clock *clock)
{
	const uint64_t age_ms = clock->config.manifest->proof_age_max_s * 1000;
	return clock->proof_ms == 0 || clock->state == LEDGER_ANCHOR_NOT_PROVEN ||
	       host_now_ms() - clock->proof_ms >= age_ms / 3;
}

void clock_anchor_turn(struct ledger_clock *clock)
{
	uint64_t now = host_now_ms();
	if (clock->looking || now < clock->look_ms || clock->state == LEDGER_ANCHOR_ROLLED_BACK)
		return;
	if (proof_is_due(clock)) {
		clock->looking = true;
		clock->wanted_height = 0;
		ask_block(clock);
	} else if (wants_seal(clock)) {
		clock->look_ms = now + LOOK_MS;
		clock_ops(clock)->seal(clock->config.ctx);
	} else if (wants_anchor(clock)) {
		sign_anchor(clock);
	}
}

uint64_t ledger_clock_proof_height(const struct ledger_clock *clock)
{
	return clock != NULL ? clock->proof_height : 0;
}
