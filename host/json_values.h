/* Values in JSON documents as every host process writes and reads them: bytes as 0x and hex digits,
 * numbers below 2^63. Reading is strict: wrong types and sizes are refused with the member's name. */
#ifndef HOST_JSON_VALUES_H
#define HOST_JSON_VALUES_H

#include "core/arena.h"
#include "core/hash.h"
#include "wire/envelope.h"

#include <jansson.h>

/* ---- writing: new references ---- */
json_t *host_json_hex(struct cs_bytes bytes);
json_t *host_json_hash(const struct cs_hash *hash);
/* Up to 2^63 - 1: sequences, deadlines and gas are kept below it wherever they come in. */
json_t *host_json_u64(uint64_t value);

/* ---- reading ---- */
/* Only members of the list (ended by NULL) are there: UNKNOWN_FIELD, MALFORMED when it is no
 * object. */
CS_NODISCARD enum cs_err host_json_known(const json_t *object, const char *const *names,
					 const char *where, struct cs_why *why);
/* MISSING_FIELD, MALFORMED. */
CS_NODISCARD enum cs_err host_json_read_hash(const json_t *object, const char *name,
					     struct cs_hash *hash, struct cs_why *why);
CS_NODISCARD enum cs_err host_json_read_u64(const json_t *object, const char *name, uint64_t *value,
					    struct cs_why *why);
/* 0x and hex digits, into the arena. TOO_LARGE, NO_MEMORY too. */
CS_NODISCARD enum cs_err host_json_read_hex(const json_t *object, const char *name, size_t size_max,
					    struct cs_arena *arena, struct cs_bytes *bytes,
					    struct cs_why *why);
/* The member "path" of a statement, if there is one: TOO_LARGE, MALFORMED. */
CS_NODISCARD enum cs_err host_json_read_path(const json_t *object, struct wire_signed *part,
					     struct cs_why *why);

#endif
