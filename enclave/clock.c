/* Whose time it is: the host's clock, where the manifest says so and shouts, or what nodes of the
 * ledger sign for a nonce of this process (docs/protocol/time.md). An answer bounds when its nonce was
 * made, so what has to be fresh is taken only when it was there before. */
#include "enclave/state.h"

#include <string.h>

/* The host's clock cannot push the enclave back, nor below what was verified. What the clock alone
 * said ends with the process: a clock that was wrong once must not stop an enclave for ever. */
static struct verify_time host_time(struct enclave *e, const struct verify_time *now)
{
	struct verify_time time = *now;
	if (time.low_s < e->clock_low_s)
		time.low_s = e->clock_low_s;
	e->clock_low_s = time.low_s;
	if (time.low_s < e->time_low_s)
		time.low_s = e->time_low_s;
	return time;
}

static struct verify_time ordered(struct verify_time time)
{
	if (time.high_s != 0 && time.high_s < time.low_s)
		time.high_s = time.low_s;
	return time;
}

struct verify_time enclave_time_of(struct enclave *e, const struct verify_time *now)
{
	if (e->ledger == NULL)
		return ordered(host_time(e, now));
	return ordered((struct verify_time){e->time_low_s, e->clock.nonces.asked_by_s});
}

struct verify_time enclave_time_of_input(struct enclave *e, const struct verify_time *now,
					 struct cs_bytes body)
{
	struct verify_time time = enclave_time_of(e, now);
	if (e->ledger == NULL)
		return time;
	const struct cs_hash hash = cs_keccak256(body);
	for (size_t i = 0; i < e->clock.covered.count; i++)
		if (cs_hash_eq(&e->clock.covered.hashes[i], &hash))
			return time;
	time.high_s = 0;
	return time;
}

void enclave_clock_reset(struct enclave *e)
{
	verify_clock_reset(&e->clock.nonces);
	e->clock.covered.count = 0;
}

static enum cs_err check_source(struct enclave_call *call)
{
	return call->e->ledger != NULL
		       ? CS_OK
		       : cs_fail(&call->why, CS_ERR_UNSUPPORTED,
				 "the manifest takes its time from the host's clock");
}

enum cs_err enclave_clock_ask(struct enclave_call *call)
{
	const Caisson__Wire__ClockAskRequest *in =
		(const Caisson__Wire__ClockAskRequest *)call->request;
	struct enclave_clock *clock = &call->e->clock;
	Caisson__Wire__ClockAskReply out = CAISSON__WIRE__CLOCK_ASK_REPLY__INIT;
	struct cs_hash nonce;
	CS_TRY(check_source(call));
	CS_TRY(enclave_random(call->e, nonce.b, sizeof nonce.b));
	out.nonce = wire_pb_bytes(&call->e->arena, CS_BYTES_OF(nonce.b));
	CS_TRY(enclave_reply(call, &out.base));
	for (size_t i = 0; i < in->n_inputs; i++)
		clock->inputs.hashes[i] = wire_pb_hash(in->inputs[i]);
	clock->inputs.count = in->n_inputs;
	verify_clock_ask(&clock->nonces, &nonce);
	return CS_OK;
}

static enum cs_err judge(struct enclave_call *call, struct verify_time_proof *proof,
			 const Caisson__Wire__ClockAnswersRequest *in)
{
	const struct cs_hash nonce = wire_pb_hash(in->nonce);
	struct verify_time_answer answers[VERIFY_TIME_KEYS_MAX];
	for (size_t i = 0; i < in->n_answers; i++) {
		const Caisson__Wire__ClockAnswer *pb = in->answers[i];
		answers[i].key = wire_pb_hash(pb->key);
		answers[i].time_ms = pb->time_ms;
		memcpy(answers[i].signature, pb->signature.data, sizeof answers[i].signature);
	}
	return verify_clock_judge(&call->e->clock.nonces, proof, &call->e->manifest.ledger.time,
				  &nonce, call->e->sig, answers, in->n_answers, &call->why);
}

enum cs_err enclave_clock_answers(struct enclave_call *call)
{
	const Caisson__Wire__ClockAnswersRequest *in =
		(const Caisson__Wire__ClockAnswersRequest *)call->request;
	struct enclave *e = call->e;
	struct enclave_clock *clock = &e->clock;
	Caisson__Wire__ClockAnswersReply out = CAISSON__WIRE__CLOCK_ANSWERS_REPLY__INIT;
	struct verify_time_proof proof;
	CS_TRY(check_source(call));
	CS_TRY(judge(call, &proof, in));
	out.asked_by_s = proof.asked_by_s;
	out.now_from_s = proof.now_from_s;
	out.counted = (uint32_t)proof.count;
	CS_TRY(enclave_reply(call, &out.base));
	clock->covered = clock->inputs;
	verify_clock_take(&clock->nonces, &e->time_low_s, &proof);
	return CS_OK;
}
