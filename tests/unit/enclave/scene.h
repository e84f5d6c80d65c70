/* A request for a transaction in a small world: of one message of the remote, or of one outcome. */
#ifndef TESTS_UNIT_ENCLAVE_SCENE_H
#define TESTS_UNIT_ENCLAVE_SCENE_H

#include "world.h"

struct scene {
	struct world *w;
	struct wire_message message;
	Caisson__Wire__SignTransactionRequest in;
	Caisson__Wire__MessageFull *messages[2];
	Caisson__Wire__Outcome outcome;
	Caisson__Wire__Outcome *outcomes[1];
};

static inline void request_fill(struct scene *s, Caisson__Wire__Action action)
{
	caisson__wire__sign_transaction_request__init(&s->in);
	s->in.chain = pb_hash(&s->w->own);
	s->in.action = action;
	s->in.nonce = 7;
	s->in.gas_limit = 300000;
	s->in.max_fee_wei = 100;
	s->in.max_priority_fee_wei = 2;
}

/* The statement of one message, by a key. */
static inline void state_message(struct scene *s, const struct cs_secret *key)
{
	const struct cs_hash id = wire_message_id(&s->message.head);
	const struct cs_hash leaf = wire_leaf_message(&id);
	const struct wire_signed st = world_sign(s->w, WIRE_KIND_MESSAGE, &leaf, 1, key);
	s->in.statement = world_statement(&st);
	s->messages[0] = world_pb_message(&s->message);
	s->in.messages = s->messages;
	s->in.n_messages = 1;
}

static inline struct scene *scene_new(void)
{
	struct scene *s = keep(sizeof *s);
	s->w = world_new();
	world_begin(s->w);
	world_learn(s->w);
	s->message = world_message(s->w, 3);
	request_fill(s, CAISSON__WIRE__ACTION__ACTION_DELIVER);
	state_message(s, &s->w->remote_key);
	return s;
}

static inline struct scene *outcome_new(enum wire_status status)
{
	struct scene *s = scene_new();
	const struct cs_hash id = {{0x1d, 2}};
	const struct cs_hash leaf = wire_leaf_outcome(&id, status);
	const struct wire_signed st =
		world_sign(s->w, WIRE_KIND_OUTCOME, &leaf, 1, &s->w->remote_key);
	request_fill(s, CAISSON__WIRE__ACTION__ACTION_FINALIZE);
	caisson__wire__outcome__init(&s->outcome);
	s->outcome.message_id = pb_hash(&id);
	s->outcome.status = (uint32_t)status;
	s->outcomes[0] = &s->outcome;
	s->in.statement = world_statement(&st);
	s->in.outcomes = s->outcomes;
	s->in.n_outcomes = 1;
	return s;
}

static inline void refused(struct scene *s, enum cs_err err)
{
	world_refused(s->w, WIRE_SIGN_TRANSACTION, &s->in.base, err);
	world_free(s->w);
}

static inline const Caisson__Wire__SignTransactionReply *sign(struct scene *s)
{
	return (const Caisson__Wire__SignTransactionReply *)(const void *)world_ok(
		s->w, WIRE_SIGN_TRANSACTION, &s->in.base);
}

#endif
