/* Messages and statements as JSON: between gateways, for applications, and for `caisson verify`.
 * Reading is strict: unknown members, wrong types and sizes are refused with the member's name. */
#ifndef GATEWAY_ENVELOPE_JSON_H
#define GATEWAY_ENVELOPE_JSON_H

#include "gateway/journal.h"

#include <jansson.h>

/* ---- writing: new references ---- */
json_t *gateway_json_hex(struct cs_bytes bytes);
json_t *gateway_json_hash(const struct cs_hash *hash);
json_t *gateway_json_u64(uint64_t value);
/* part: the path of one item; NULL: the whole batch. */
json_t *gateway_json_statement(const struct gateway_statement *statement,
			       const struct wire_signed *part);
json_t *gateway_json_message(const struct wire_message *message, const struct cs_hash *id);

/* ---- reading ---- */
/* Only members of the list (ended by NULL) are there: UNKNOWN_FIELD, MALFORMED when it is no
 * object. */
CS_NODISCARD enum cs_err gateway_json_known(const json_t *object, const char *const *names,
					    const char *where, struct cs_why *why);
/* MISSING_FIELD, MALFORMED. */
CS_NODISCARD enum cs_err gateway_json_read_hash(const json_t *object, const char *name,
						struct cs_hash *hash, struct cs_why *why);
CS_NODISCARD enum cs_err gateway_json_read_u64(const json_t *object, const char *name,
					       uint64_t *value, struct cs_why *why);
/* 0x and hex digits, into the arena. TOO_LARGE, NO_MEMORY too. */
CS_NODISCARD enum cs_err gateway_json_read_hex(const json_t *object, const char *name,
					       size_t size_max, struct cs_arena *arena,
					       struct cs_bytes *bytes, struct cs_why *why);
/* Statement and signature; the ids are the caller's to fill. INVALID: of a kind that there
 * is not. */
CS_NODISCARD enum cs_err gateway_json_read_statement(const json_t *object,
						     struct gateway_statement *statement,
						     struct cs_why *why);
/* The member "path" of a statement, if there is one. */
CS_NODISCARD enum cs_err gateway_json_read_path(const json_t *object, struct wire_signed *part,
						struct cs_why *why);
/* The hashes of the head are computed; a member "id" must fit: INVALID. The parts live in the
 * arena. */
CS_NODISCARD enum cs_err gateway_json_read_message(const json_t *object, struct cs_arena *arena,
						   struct wire_message *message,
						   struct cs_why *why);

#endif
