/* Messages and statements as JSON: between gateways, for applications, and for `caisson verify`.
 * Reading is strict: unknown members, wrong types and sizes are refused with the member's name. */
#ifndef GATEWAY_ENVELOPE_JSON_H
#define GATEWAY_ENVELOPE_JSON_H

#include "gateway/journal.h"

#include <jansson.h>

/* ---- writing: new references ---- */
/* part: the path of one item; NULL: the whole batch. */
json_t *gateway_json_statement(const struct gateway_statement *statement,
			       const struct wire_signed *part);
json_t *gateway_json_message(const struct wire_message *message, const struct cs_hash *id);

/* ---- reading ---- */
/* Statement and signature; the ids are the caller's to fill. INVALID: of a kind that there
 * is not. */
CS_NODISCARD enum cs_err gateway_json_read_statement(const json_t *object,
						     struct gateway_statement *statement,
						     struct cs_why *why);
/* The hashes of the head are computed; a member "id" must fit: INVALID. of_peer: "evidence" and "steps",
 * which gateways add for one another and nobody signs, may be beside. The parts live in the arena. */
CS_NODISCARD enum cs_err gateway_json_read_message(const json_t *object, bool of_peer,
						   struct cs_arena *arena,
						   struct wire_message *message,
						   struct cs_why *why);

#endif
