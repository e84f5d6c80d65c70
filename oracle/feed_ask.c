/* One request to the enclave for several feeds, and what becomes of its rounds. */
#include "host/alloc.h"
#include "oracle/feeds.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD 32u
/* A round that took longer is slow: some six round trips around the world, TLS included. */
#define SLOW_MS 1000u

struct taking {
	struct oracle_feed_flight *flight;
	uint32_t seen; /* members that have their round, by index */
	const Caisson__Wire__OracleReply *reply;
	struct oracle_statement good;   /* n 0: none */
	struct oracle_statement failed; /* the same */
	uint64_t now_ms;
};

/* ---- is it what was asked for? ---- */

/* Its index, or the flight's count. */
static size_t member_of(const struct oracle_feed_flight *flight,
			const Caisson__Wire__OracleResult *result)
{
	struct cs_hash id = wire_pb_hash(result->request_id);
	struct cs_hash spec = wire_pb_hash(result->spec_hash);
	for (size_t i = 0; i < flight->count; i++) {
		const struct oracle_feed_live *live = flight->members[i];
		if (cs_hash_eq(&live->id, &id) && cs_hash_eq(&live->row.spec_hash, &spec))
			return i;
	}
	return flight->count;
}

static struct cs_hash leaf_of(const Caisson__Wire__OracleResult *result)
{
	if (result->code == WIRE_ORACLE_OK) {
		const struct wire_feed_value value = {.feed_id = wire_pb_hash(result->request_id),
						      .spec_hash = wire_pb_hash(result->spec_hash),
						      .observed_at = result->observed_at,
						      .evidence_hash =
							      wire_pb_hash(result->evidence_hash),
						      .value = wire_pb_hash(result->value)};
		return wire_leaf_feed(&value);
	}
	const struct wire_answer answer = {.request_id = wire_pb_hash(result->request_id),
					   .spec_hash = wire_pb_hash(result->spec_hash),
					   .code = result->code,
					   .observed_at = result->observed_at,
					   .evidence_hash = wire_pb_hash(result->evidence_hash)};
	return wire_leaf_answer(&answer);
}

static enum cs_err check_results(struct oracle_statement *out, struct taking *taking,
				 const Caisson__Wire__Statement *statement,
				 Caisson__Wire__OracleResult *const *results, size_t count,
				 bool good)
{
	const struct oracle_feed_flight *flight = taking->flight;
	struct cs_hash leaves[ORACLE_BATCH_MAX];
	if (count == 0)
		return statement ? CS_ERR_INVALID : CS_OK;
	if (!statement || count > flight->count)
		return CS_ERR_INVALID;
	for (size_t i = 0; i < count; i++) {
		const Caisson__Wire__OracleResult *result = results[i];
		size_t member = member_of(flight, result);
		if ((result->code == WIRE_ORACLE_OK) != good || member == flight->count ||
		    result->value.len != (good ? WORD : 0) || taking->seen >> member & 1)
			return CS_ERR_INVALID;
		taking->seen |= UINT32_C(1) << member;
		leaves[i] = leaf_of(result);
	}
	CS_TRY(oracle_statement_take(out, statement, leaves, count));
	const struct wire_statement *st = &out->st.statement;
	if (st->kind != WIRE_KIND_ANSWER || !cs_hash_eq(&st->receiver, &flight->contract->identity))
		return CS_ERR_WRONG_DESTINATION;
	return CS_OK;
}

/* ---- one round ---- */

struct judged {
	uint32_t answered; /* bits by source */
	uint32_t agreed;
	struct cs_int256
		value; /* what was agreed with: the round's, or the middle of the answers */
};

static int by_value(const void *a, const void *b)
{
	return cs_int256_cmp(a, b);
}

static void judge_sources(struct judged *judged, const struct oracle_feed_live *live,
			  const Caisson__Wire__OracleResult *result)
{
	struct oracle_round_source sources[WIRE_SOURCES_MAX] = {0};
	struct cs_int256 sorted[WIRE_SOURCES_MAX];
	size_t answers = 0;
	size_t count = result->n_sources < WIRE_SOURCES_MAX ? result->n_sources : WIRE_SOURCES_MAX;
	*judged = (struct judged){0};
	for (size_t i = 0; i < count; i++) {
		const Caisson__Wire__OracleSource *source = result->sources[i];
		sources[i].answered = source->code == WIRE_ORACLE_OK && source->value.len == WORD;
		if (!sources[i].answered)
			continue;
		struct cs_hash word = wire_pb_hash(source->value);
		sources[i].value = cs_int256_from_word(&word);
		sorted[answers++] = sources[i].value;
		judged->answered |= UINT32_C(1) << i;
	}
	if (answers == 0)
		return;
	qsort(sorted, answers, sizeof(sorted[0]), by_value);
	judged->value = sorted[(answers - 1) / 2];
	if (result->code == WIRE_ORACLE_OK) {
		struct cs_hash word = wire_pb_hash(result->value);
		judged->value = cs_int256_from_word(&word);
	}
	judged->agreed =
		oracle_round_agreeing(sources, count, &judged->value, live->settings.agree_ppm);
}

static void write_why(char why[ORACLE_WHY_MAX + 1], const struct oracle_feed_live *live,
		      const struct oracle_round_state *before, enum oracle_verdict verdict,
		      const struct oracle_round_result *result)
{
	const struct oracle_round_point *last =
		before->good.observed_at_s > before->chain.observed_at_s ? &before->good
									 : &before->chain;
	const char *name = wire_oracle_code_name(result->code);
	why[0] = 0;
	switch (verdict) {
	case ORACLE_VERDICT_GOOD:
		return;
	case ORACLE_VERDICT_OLD:
		snprintf(why, ORACLE_WHY_MAX + 1, "not newer than what is known");
		return;
	case ORACLE_VERDICT_FAILED:
		snprintf(why, ORACLE_WHY_MAX + 1, "no value: %s", name ? name : "unknown code");
		return;
	case ORACLE_VERDICT_DISAGREE:
		snprintf(why, ORACLE_WHY_MAX + 1,
			 "disagreement: %" PRIu32 " of %zu sources agree, %" PRIu32 " must",
			 result->agreed, live->source_count, live->settings.agree_min);
		return;
	case ORACLE_VERDICT_JUMP:
		snprintf(why, ORACLE_WHY_MAX + 1,
			 "jump: %" PRIu64 " millionths from the last value, at most %" PRIu32,
			 oracle_round_ppm(&result->value, &last->value), live->settings.jump_ppm);
		return;
	case ORACLE_VERDICT_UNFIT:
		snprintf(why, ORACLE_WHY_MAX + 1,
			 "unfit: the contract holds an int128 and 32 bits of seconds");
		return;
	}
}

static enum oracle_round_outcome outcome_of(enum oracle_verdict verdict)
{
	switch (verdict) {
	case ORACLE_VERDICT_GOOD:
	case ORACLE_VERDICT_OLD:
		return ORACLE_ROUND_HELD;
	case ORACLE_VERDICT_FAILED:
		return ORACLE_ROUND_FAILED;
	case ORACLE_VERDICT_DISAGREE:
	case ORACLE_VERDICT_JUMP:
	case ORACLE_VERDICT_UNFIT:
		return ORACLE_ROUND_REFUSED;
	}
	cs_bug("not a verdict", __FILE__, __LINE__);
}

static enum cs_err count_sources(struct oracle_feed_live *live, const struct judged *judged,
				 const Caisson__Wire__OracleResult *result)
{
	struct oracle_journal *journal = live->feeds->oracle->journal;
	for (size_t i = 0; i < result->n_sources && i < WIRE_SOURCES_MAX; i++) {
		bool answered = judged->answered >> i & 1;
		bool disagreed = answered && !(judged->agreed >> i & 1);
		CS_TRY(oracle_journal_count_source(journal, live->row.n, (uint32_t)i,
						   result->sources[i]->host_port, !answered,
						   disagreed));
		if (disagreed)
			oracle_feed_metrics_disagreed(live, (uint32_t)i);
	}
	return CS_OK;
}

static void tell(const struct oracle_feed_live *live, const struct oracle_round_state *before,
		 enum oracle_verdict verdict)
{
	if (verdict != ORACLE_VERDICT_GOOD && verdict != ORACLE_VERDICT_OLD)
		log_warn("feed.no_round", LOG_TEXT("chain", live->contract->chain->config->id),
			 LOG_U64("index", live->row.index),
			 LOG_TEXT("verdict", oracle_verdict_name(verdict)),
			 LOG_U64("failures", live->state.failures), LOG_TEXT("why", live->why));
	if (live->state.tripped && !before->tripped)
		log_error("feed.tripped", LOG_U64("index", live->row.index),
			  LOG_U64("failures", live->state.failures), LOG_TEXT("why", live->why));
	if (!live->state.tripped && before->tripped)
		log_info("feed.agrees_again", LOG_U64("index", live->row.index));
}

/* protobuf-c writes at most what it said. */
static enum cs_err pack(struct cs_bytes *out, struct cs_arena *arena,
			const Caisson__Wire__OracleResult *result)
{
	size_t n = protobuf_c_message_get_packed_size(&result->base);
	uint8_t *p = cs_arena_alloc(arena, n);
	if (!p)
		return CS_ERR_NO_MEMORY;
	*out = cs_bytes(p, protobuf_c_message_pack(&result->base, p));
	return CS_OK;
}

static enum cs_err take_round(const struct taking *taking,
			      const Caisson__Wire__OracleResult *result,
			      const struct oracle_statement *statement, size_t leaf)
{
	struct oracle_feed_live *live = taking->flight->members[member_of(taking->flight, result)];
	struct oracle *oracle = taking->flight->feeds->oracle;
	const struct oracle_round_state before = live->state;
	struct oracle_round_row row = {.feed = live->row.n,
				       .time_ms = taking->now_ms,
				       .code = result->code,
				       .observed_at = result->observed_at,
				       .statement = statement->n,
				       .leaf = (uint32_t)leaf};
	struct judged judged;
	judge_sources(&judged, live, result);
	const struct oracle_round_result taken = {result->code, judged.value, result->observed_at,
						  (uint32_t)__builtin_popcount(judged.agreed)};
	enum oracle_verdict verdict =
		oracle_round_take(&live->state, &live->settings, &taken, taking->now_ms);
	row.outcome = outcome_of(verdict);
	row.agreed = judged.agreed;
	if (result->code == WIRE_ORACLE_OK)
		row.value = wire_pb_hash(result->value);
	write_why(row.why, live, &before, verdict, &taken);
	CS_TRY(pack(&row.result, &oracle->scratch, result));
	CS_TRY(oracle_journal_add_round(oracle->journal, &row));
	CS_TRY(count_sources(live, &judged, result));
	if (verdict == ORACLE_VERDICT_GOOD) {
		live->statement = statement->n;
		live->leaf = row.leaf;
		live->round = row.n;
		live->evidence_hash = wire_pb_hash(result->evidence_hash);
	}
	live->row.last_round = row.n;
	live->tries = 0;
	live->not_before_ms = 0;
	snprintf(live->why, sizeof(live->why), "%s", verdict == ORACLE_VERDICT_OLD ? "" : row.why);
	tell(live, &before, verdict);
	return oracle_feed_save(live);
}

/* ---- the reply ---- */

static enum cs_err write_rounds(void *context)
{
	struct taking *taking = context;
	struct oracle_journal *journal = taking->flight->feeds->oracle->journal;
	const Caisson__Wire__OracleReply *reply = taking->reply;
	if (reply->n_results > 0)
		CS_TRY(oracle_journal_add_statement(journal, &taking->good));
	if (reply->n_failed > 0)
		CS_TRY(oracle_journal_add_statement(journal, &taking->failed));
	for (size_t i = 0; i < reply->n_results; i++)
		CS_TRY(take_round(taking, reply->results[i], &taking->good, i));
	for (size_t i = 0; i < reply->n_failed; i++)
		CS_TRY(take_round(taking, reply->failed[i], &taking->failed, i));
	return CS_OK;
}

static enum cs_err take_reply(struct oracle_feed_flight *flight, struct cs_bytes body)
{
	struct oracle *oracle = flight->feeds->oracle;
	struct taking taking = {.flight = flight, .now_ms = host_wall_ms()};
	ProtobufCMessage *message = NULL;
	CS_TRY(oracle_enclave_reply(&oracle->scratch, body,
				    &caisson__wire__oracle_reply__descriptor, &message));
	const Caisson__Wire__OracleReply *reply = (const Caisson__Wire__OracleReply *)message;
	taking.reply = reply;
	CS_TRY(check_results(&taking.good, &taking, reply->statement, reply->results,
			     reply->n_results, true));
	CS_TRY(check_results(&taking.failed, &taking, reply->failed_statement, reply->failed,
			     reply->n_failed, false));
	if (reply->n_results + reply->n_failed != flight->count)
		return CS_ERR_INVALID;
	return oracle_write(oracle, write_rounds, &taking);
}

static void hold_up(struct oracle_feed_flight *flight, enum cs_err err, const char *why)
{
	for (size_t i = 0; i < flight->count; i++)
		oracle_feed_hold_up(flight->members[i], err, why);
}

/* Whose source it was nobody knows while several are asked at once: each is then asked by itself,
 * and goes with the others again once its own round was quick. */
static void note_time(struct oracle_feed_flight *flight)
{
	bool slow = host_now_ms() - flight->asked_ms > SLOW_MS;
	for (size_t i = 0; i < flight->count; i++)
		flight->members[i]->slow = slow;
}

static void asked(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct oracle_feed_flight *flight = context;
	struct cs_arena *arena = &flight->feeds->oracle->scratch;
	size_t mark = cs_arena_mark(arena);
	note_time(flight);
	/* Those that were removed meanwhile stay members, so that the leaves are all there; their
	 * rows are gone. */
	for (size_t i = 0; i < flight->count && err == CS_OK; i++) {
		if (flight->members[i]->removed)
			err = CS_ERR_CONFLICT;
	}
	if (err == CS_OK) {
		err = take_reply(flight, body);
		why = "the enclave's reply is not one to what was asked";
	}
	cs_arena_rewind(arena, mark);
	if (err != CS_OK)
		hold_up(flight, err, why);
	oracle_feed_land(flight);
}

/* ---- the request ---- */

static enum cs_err send(struct oracle_feed_flight *flight)
{
	struct oracle *oracle = flight->feeds->oracle;
	Caisson__Wire__FeedsRequest request = CAISSON__WIRE__FEEDS_REQUEST__INIT;
	Caisson__Wire__FeedClaim claims[ORACLE_BATCH_MAX];
	Caisson__Wire__FeedClaim *list[ORACLE_BATCH_MAX];
	for (size_t i = 0; i < flight->count; i++) {
		const struct oracle_feed_live *live = flight->members[i];
		caisson__wire__feed_claim__init(&claims[i]);
		claims[i].index = live->row.index;
		claims[i].spec =
			(ProtobufCBinaryData){live->spec.n, (uint8_t *)(uintptr_t)live->spec.p};
		list[i] = &claims[i];
	}
	request.receiver = (ProtobufCBinaryData){sizeof(flight->contract->identity.b),
						 flight->contract->identity.b};
	request.epoch = flight->contract->rotation.epoch;
	request.claims = list;
	request.n_claims = flight->count;
	flight->asked_ms = host_now_ms();
	return oracle_enclave_call(oracle, WIRE_FEEDS, &request.base, ORACLE_ANSWER_TIMEOUT_MS,
				   asked, flight);
}

void oracle_feed_ask(struct oracle_feed_flight *flight)
{
	uint64_t now_ms = host_wall_ms();
	/* What the look told may have changed what is due. */
	for (size_t i = flight->count; i-- > 0;) {
		struct oracle_feed_live *live = flight->members[i];
		if (!oracle_round_asks_along(&live->settings, &live->state, now_ms))
			oracle_feed_leave(flight, i);
	}
	enum cs_err err = flight->count > 0 ? send(flight) : CS_OK;
	for (size_t i = 0; i < flight->count && err == CS_OK; i++)
		oracle_round_asked(&flight->members[i]->state, now_ms);
	if (err != CS_OK)
		hold_up(flight, err, NULL);
	if (err != CS_OK || flight->count == 0)
		oracle_feed_land(flight);
}
