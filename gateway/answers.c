#include "gateway/answers.h"

#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

struct answer {
	struct cs_hash id;
	char side; /* of the query: s, d, or - for none */
	uint64_t n;
	uint64_t version;
	unsigned reload_count;
	const struct gateway_chain *pays; /* that must be able to, where the message wants it */
	struct cs_hash sha256;            /* of the text */
	uint8_t *text;
	size_t size;
	size_t room;
};

struct gateway_answers {
	struct answer of[GATEWAY_ANSWERS];
};

static struct answer *place(struct gateway *gateway, const struct cs_hash *id)
{
	if (!gateway->answers)
		gateway->answers = host_alloc(sizeof(*gateway->answers));
	return &gateway->answers->of[id->b[0] % GATEWAY_ANSWERS];
}

/* 0: neither, which nobody keeps. */
static char side_of(const char *side)
{
	if (!side)
		return '-';
	if (strcmp(side, "source") == 0)
		return 's';
	return strcmp(side, "destination") == 0 ? 'd' : 0;
}

struct cs_bytes gateway_answer(struct gateway *gateway, const struct cs_hash *id, const char *side,
			       const struct cs_hash **sha256)
{
	const struct answer *answer = place(gateway, id);
	if (answer->size == 0 || !cs_hash_eq(&answer->id, id) || answer->side != side_of(side) ||
	    answer->version != gateway_journal_version(gateway->journal, answer->n) ||
	    answer->reload_count != gateway->reload_count ||
	    (answer->pays && gateway_pool_is_out(answer->pays)))
		return CS_BYTES_NONE;
	*sha256 = &answer->sha256;
	return cs_bytes(answer->text, answer->size);
}

static const struct gateway_chain *payer(struct gateway *gateway, const struct gateway_message *m)
{
	return gateway_wants_pay(m) ? gateway_chain_of(gateway, &m->chain) : NULL;
}

/* A pause tells in it, and that nobody can pay for it, without a change of the message; and where both sides may be here and none was asked for, the
 * other one may come and is shown then. */
static bool may_keep(struct gateway *gateway, const struct gateway_message *m, const char *side)
{
	bool waits = m->side == RELAY_SOURCE ? m->state == RELAY_FINAL : m->state == RELAY_SIGNED;
	const struct gateway_chain *pays = payer(gateway, m);
	bool alone = m->side == RELAY_SOURCE || side || !gateway_chain_of(gateway, &m->remote);
	return !waits && alone && !(pays && gateway_pool_is_out(pays));
}

void gateway_answer_keep(struct gateway *gateway, const struct gateway_message *message,
			 const char *side, struct cs_bytes text)
{
	struct answer *answer = place(gateway, &message->id);
	if (!may_keep(gateway, message, side) || text.n == 0 || text.n > GATEWAY_ANSWER_SIZE_MAX)
		return;
	answer->id = message->id;
	answer->side = side_of(side);
	answer->n = message->n;
	answer->version = gateway_journal_version(gateway->journal, message->n);
	answer->reload_count = gateway->reload_count;
	answer->pays = payer(gateway, message);
	answer->sha256 = cs_sha256(text);
	answer->size = 0;
	answer->text = host_append(answer->text, &answer->size, &answer->room, text.p, text.n);
}

void gateway_answers_free(struct gateway *gateway)
{
	for (size_t i = 0; gateway->answers && i < GATEWAY_ANSWERS; i++)
		free(gateway->answers->of[i].text);
	free(gateway->answers);
	gateway->answers = NULL;
}
