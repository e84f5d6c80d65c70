/* What GET /v1/messages/{id} answered, kept for as long as it is true: an application that looks at its message again
 * and again costs a look-up, not a message made of thirty rows. It never answers what the journal would not. */
#ifndef GATEWAY_ANSWERS_H
#define GATEWAY_ANSWERS_H

#include "gateway/gateway.h"

/* Kept at most: each below ANSWER_SIZE_MAX bytes, so 4 MiB of it at the very most, and usually a third. */
#define GATEWAY_ANSWERS 256u
#define GATEWAY_ANSWER_SIZE_MAX (16u * 1024)

/* side: of the query, NULL where it has none. Empty: there is none, or something has changed. Text and *sha256, which
 * is untouched then, are views until the next turn of the loop. */
struct cs_bytes gateway_answer(struct gateway *gateway, const struct cs_hash *id, const char *side,
			       const struct cs_hash **sha256);
/* To be called in the turn in which the text was made of the message. Copied; what may change without the journal,
 * or is too large, is not kept. */
void gateway_answer_keep(struct gateway *gateway, const struct gateway_message *message,
			 const char *side, struct cs_bytes text);
void gateway_answers_free(struct gateway *gateway);

#endif
