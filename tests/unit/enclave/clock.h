/* A ledger (ledger.h) that is also the bridge's own: its nodes have time keys, the enclave takes its
 * time from them and anchors its state there. */
#ifndef TESTS_UNIT_ENCLAVE_CLOCK_H
#define TESTS_UNIT_ENCLAVE_CLOCK_H

#include "ledger.h"
#include "verify/cometbft/anchor.h"
#include "verify/time_answers.h"

#define CLOCK_KEYS 4
/* How old a proof of the anchor may be, and the trusting period of the clients. */
#define CLOCK_PROOF_AGE_S 100
#define CLOCK_TRUSTING_S 1000

struct clock {
	struct ledger *l;
	struct world *w;
	struct cs_hash ledger; /* identity of its register */
	struct cs_secret keys[CLOCK_KEYS];
	struct cs_hash x[CLOCK_KEYS];
	struct cs_hash nonce; /* of the last question */
};

static inline struct cs_hash clock_body_hash(const ProtobufCMessage *request)
{
	const size_t size = protobuf_c_message_get_packed_size(request);
	uint8_t *body = keep(size + 1);
	return cs_keccak256(cs_bytes(body, protobuf_c_message_pack(request, body)));
}

/* The enclave has been started; nothing else happened. */
static inline struct clock *clock_new(void)
{
	struct clock *c = keep(sizeof *c);
	c->l = ledger_new(4);
	c->w = c->l->w;
	struct manifest *m = &c->w->manifest;
	m->insecure_host_time = false;
	m->ledger.chain = m->chains[0];
	m->ledger.chain.remote_count = 0;
	m->ledger.chain.gateway = cmt_register_address;
	m->ledger.chain.identity = c->ledger = (struct cs_hash){{0x0e, 0xee}};
	m->ledger.time.keys.count = CLOCK_KEYS;
	m->ledger.time.keys.threshold = 3;
	m->ledger.time.error_s = 2;
	m->ledger.proof_age_max_s = CLOCK_PROOF_AGE_S;
	m->ledger.anchor_lag_max = 3;
	for (uint8_t i = 0; i < CLOCK_KEYS; i++) {
		c->keys[i] = (struct cs_secret){{0x71, i, 1}};
		assert_ok(cs_key_x(c->w->sig, &c->x[i], &c->keys[i]));
		m->ledger.time.keys.keys[i] = c->x[i];
	}
	world_restart(c->w);
	return c;
}

static inline void clock_free(struct clock *c)
{
	ledger_free(c->l);
}

static inline void clock_ask(struct clock *c, const struct cs_hash *inputs, size_t count)
{
	Caisson__Wire__ClockAskRequest in = CAISSON__WIRE__CLOCK_ASK_REQUEST__INIT;
	ProtobufCBinaryData *list = keep((count + 1) * sizeof *list);
	for (size_t i = 0; i < count; i++)
		list[i] = pb_hash(&inputs[i]);
	in.inputs = list;
	in.n_inputs = count;
	const Caisson__Wire__ClockAskReply *out =
		(const Caisson__Wire__ClockAskReply *)(const void *)world_ok(c->w, WIRE_CLOCK_ASK,
									     &in.base);
	c->nonce = wire_pb_hash(out->nonce);
}

static inline Caisson__Wire__ClockAnswer *
clock_answer_of(struct clock *c, size_t key, const struct cs_hash *nonce, uint64_t time_ms)
{
	Caisson__Wire__ClockAnswer *pb_answer = keep(sizeof *pb_answer);
	const struct cs_hash digest = verify_time_digest(nonce, time_ms), aux = {{3}};
	struct cs_schnorr signature;
	uint8_t both[64];
	assert_ok(cs_schnorr_sign(c->w->sig, &signature, &c->keys[key], &digest, &aux));
	memcpy(both, signature.rx.b, 32);
	memcpy(both + 32, signature.s.b, 32);
	caisson__wire__clock_answer__init(pb_answer);
	pb_answer->key = pb_hash(&c->x[key]);
	pb_answer->time_ms = time_ms;
	pb_answer->signature = pb(CS_BYTES_OF(both));
	return pb_answer;
}

/* So many keys, from the first on, say this time of the last nonce. */
static inline void clock_answers(struct clock *c, Caisson__Wire__ClockAnswersRequest *in,
				 size_t count, uint64_t time_s)
{
	caisson__wire__clock_answers_request__init(in);
	in->nonce = pb_hash(&c->nonce);
	in->answers = keep(CLOCK_KEYS * sizeof *in->answers);
	for (size_t i = 0; i < count; i++)
		in->answers[i] = clock_answer_of(c, i, &c->nonce, time_s * 1000);
	in->n_answers = count;
}

static inline void clock_answer(struct clock *c, uint64_t time_s)
{
	Caisson__Wire__ClockAnswersRequest in;
	clock_answers(c, &in, 3, time_s);
	(void)world_ok(c->w, WIRE_CLOCK_ANSWERS, &in.base);
}

/* A nonce that covers the request (NULL: none), answered with the time. */
static inline void clock_round(struct clock *c, const ProtobufCMessage *request, uint64_t time_s)
{
	struct cs_hash hash = {{0}};
	if (request != NULL)
		hash = clock_body_hash(request);
	clock_ask(c, &hash, request != NULL ? 1 : 0);
	clock_answer(c, time_s);
}

static inline uint64_t clock_time_of(const struct clock *c, int64_t height)
{
	return (uint64_t)c->l->blocks[height].header.time.s;
}

static inline Caisson__Wire__ClientCreateRequest clock_create(const struct clock *c,
							      const struct cs_hash *chain)
{
	Caisson__Wire__ClientCreateRequest in = CAISSON__WIRE__CLIENT_CREATE_REQUEST__INIT;
	in.chain = pb_hash(chain);
	in.header = pb(ledger_raw(&c->l->blocks[LEDGER_ANCHOR]));
	return in;
}

static inline Caisson__Wire__ClientUpdateRequest
clock_update(const struct clock *c, const struct cs_hash *chain, int64_t height)
{
	Caisson__Wire__ClientUpdateRequest in = CAISSON__WIRE__CLIENT_UPDATE_REQUEST__INIT;
	in.headers = keep(sizeof *in.headers);
	in.headers[0] = pb(ledger_raw(&c->l->blocks[height]));
	in.n_headers = 1;
	in.chain = pb_hash(chain);
	return in;
}

/* A client learns the newest block, in fresh time of the block. */
static inline void clock_follow(struct clock *c, const struct cs_hash *chain)
{
	Caisson__Wire__ClientUpdateRequest in = clock_update(c, chain, c->l->height);
	clock_round(c, &in.base, clock_time_of(c, c->l->height) + 1);
	(void)world_ok(c->w, WIRE_CLIENT_UPDATE, &in.base);
}

static inline const Caisson__Wire__HelloReply *clock_hello(struct clock *c)
{
	Caisson__Wire__HelloRequest in = CAISSON__WIRE__HELLO_REQUEST__INIT;
	const struct cs_hash nonce = {{5}};
	in.nonce = pb_hash(&nonce);
	return (const Caisson__Wire__HelloReply *)(const void *)world_ok(c->w, WIRE_HELLO,
									 &in.base);
}

/* Both clients, where the state has none, at the anchor. */
static inline void clock_create_all(struct clock *c)
{
	const struct cs_hash *both[2] = {&c->w->own, &c->ledger};
	for (size_t i = 0; i < CS_LEN(both); i++) {
		Caisson__Wire__ClientCreateRequest in = clock_create(c, both[i]);
		if (clock_hello(c)->clients[i]->head_height != 0)
			continue;
		clock_round(c, &in.base, clock_time_of(c, LEDGER_ANCHOR) + 1);
		(void)world_ok(c->w, WIRE_CLIENT_CREATE, &in.base);
	}
}

#endif
