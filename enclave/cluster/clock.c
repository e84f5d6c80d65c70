/* Input waits for the time (docs/protocol/time.md): what the host sends is kept until nodes of the ledger have
 * signed the time for a nonce that was made after it came, and is judged by that. One rule in one place, as
 * output waits for the state: what protects by expiring, be it evidence, a certificate or a key, cannot be
 * used later than it says, however long the host holds anything back. */
#include "enclave/cluster/inner.h"

#include <string.h>

/* Ticks that a nonce waits for its answers: 2 s, then another one is made. */
#define PATIENCE 4u

static void ask(struct service *s)
{
	struct service_clock *clock = &s->clock;
	uint8_t body[96];
	struct cs_hash nonce;
	struct cs_buf question;
	memcpy(nonce.b, service_random(s)->b, sizeof nonce.b);
	verify_clock_ask(&clock->nonces, &nonce);
	cs_buf_init(&question, body, sizeof body);
	cs_put_word(&question, &nonce);
	clock->has_anchor = service_anchor_question(s, &question);
	clock->covered = clock->size;
	clock->patience = PATIENCE;
	service_tell(s, WIRE_PIPE_TIME_ASK, (uint32_t)clock->nonces.made, cs_buf_view(&question));
}

/* ---- what waits ---- */

static enum cs_err put(struct service *s, const struct wire_pipe_frame *frame, struct cs_bytes body,
		       struct cs_why *why)
{
	struct service_clock *clock = &s->clock;
	if (CLOCK_QUEUE_SIZE_MAX - clock->size < sizeof *frame + body.n)
		return cs_fail(why, CS_ERR_FULL, "more waits for the time than there is room for");
	memcpy(clock->queue + clock->size, frame, sizeof *frame);
	if (body.n > 0)
		memcpy(clock->queue + clock->size + sizeof *frame, body.p, body.n);
	clock->size += sizeof *frame + body.n;
	return CS_OK;
}

/* What was there when the nonce was made, in the order in which it came. */
static enum cs_err run_covered(struct service *s, struct cs_why *why)
{
	struct service_clock *clock = &s->clock;
	size_t at = 0;
	while (at < clock->covered) {
		struct wire_pipe_frame frame;
		memcpy(&frame, clock->queue + at, sizeof frame);
		at += sizeof frame;
		if (frame.type == WIRE_PIPE_TICK)
			clock->has_tick = false;
		CS_TRY(service_step(s, &frame, cs_bytes(clock->queue + at, frame.size), why));
		at += frame.size;
	}
	clock->size -= at;
	clock->covered = 0;
	memmove(clock->queue, clock->queue + at, clock->size);
	return CS_OK;
}

/* ---- answers ---- */

static enum cs_err read_answers(struct verify_time_answer *answers, size_t *count,
				struct cs_bytes body, struct cs_why *why)
{
	*count = body.n / WIRE_PIPE_TIME_SIZE;
	if (body.n % WIRE_PIPE_TIME_SIZE != 0 || *count > VERIFY_TIME_KEYS_MAX)
		return cs_fail(why, CS_ERR_MALFORMED, "not answers about the time");
	for (size_t i = 0; i < *count; i++) {
		const uint8_t *p = body.p + i * WIRE_PIPE_TIME_SIZE;
		memcpy(answers[i].key.b, p, 32);
		answers[i].time_ms = cs_be64(p + 32);
		memcpy(answers[i].signature, p + 40, 64);
	}
	return CS_OK;
}

static enum cs_err judge_time(struct service *s, struct verify_time_proof *proof, bool *is_enough,
			      struct cs_bytes body, struct cs_why *why)
{
	struct service_clock *clock = &s->clock;
	struct verify_time_answer answers[VERIFY_TIME_KEYS_MAX];
	size_t count = 0;
	CS_TRY(read_answers(answers, &count, body, why));
	*is_enough = verify_clock_judge(&clock->nonces, proof, &service_manifest(s)->time,
					&clock->nonces.nonce, s->tools.sig, answers, count,
					&clock->why) == CS_OK;
	return CS_OK;
}

/* Of the newest nonce; of an older one, or after enough had come, is how the host's answers come in. Where an
 * anchor is not proven yet, later answers may prove it, so that the nonce stays until the next tick. */
static enum cs_err take_answers(struct service *s, uint32_t number, struct cs_bytes body,
				struct cs_why *why)
{
	struct service_clock *clock = &s->clock;
	struct verify_time_proof proof = {.count = 0};
	bool is_enough = false;
	const bool is_newest = number == (uint32_t)clock->nonces.made;
	const bool is_open = clock->nonces.is_open && is_newest;
	if (is_newest && clock->has_anchor && (is_open || s->anchor.waits))
		CS_TRY(service_anchor_judge(s, &proof, &is_enough, body, why));
	else if (is_open)
		CS_TRY(judge_time(s, &proof, &is_enough, body, why));
	if (!is_open || !is_enough)
		return CS_OK; /* more may come; else the ticks run out */
	verify_clock_take(&clock->nonces, &clock->low_s, &proof);
	clock->is_late = false;
	s->now.low_s = clock->low_s;
	s->now.high_s = proof.asked_by_s > clock->low_s ? proof.asked_by_s : clock->low_s;
	CS_TRY(run_covered(s, why));
	if (clock->size > 0 && !s->anchor.waits)
		ask(s);
	return CS_OK;
}

/* ---- frames ---- */

/* The nonce that is open is given up, and another one covers what has come since. */
static void lose_patience(struct service *s)
{
	struct service_clock *clock = &s->clock;
	if (!clock->nonces.is_open || --clock->patience > 0)
		return;
	if (!clock->is_late)
		service_event(s, WIRE_PIPE_EVENT_FAILED, "no time of the ledger: %.150s",
			      clock->why.text[0] != '\0' ? clock->why.text : "no answers came");
	clock->is_late = true;
	ask(s);
}

/* What says nothing that could be too late: that a state was written, and what this process is. */
static bool is_timeless(const struct service *s, const struct wire_pipe_frame *frame,
			struct cs_bytes body)
{
	return frame->type == WIRE_PIPE_KEPT ||
	       (frame->type == WIRE_PIPE_ASK && s->begun && body.n == 1 &&
		body.p[0] == WIRE_CLUSTER_ASK_STATUS);
}

enum cs_err service_clock_take(struct service *s, const struct wire_pipe_frame *frame,
			       struct cs_bytes body, struct cs_why *why)
{
	struct service_clock *clock = &s->clock;
	if (frame->type == WIRE_PIPE_TIME_ANSWERS)
		return take_answers(s, frame->number, body, why);
	if (is_timeless(s, frame, body))
		return service_step(s, frame, body, why);
	if (frame->type == WIRE_PIPE_TICK) {
		lose_patience(s);
		CS_TRY(service_anchor_tick(s));
	}
	if (frame->type != WIRE_PIPE_TICK || !clock->has_tick)
		CS_TRY(put(s, frame, body, why));
	clock->has_tick = clock->has_tick || frame->type == WIRE_PIPE_TICK;
	if (!clock->nonces.is_open)
		ask(s);
	return CS_OK;
}
