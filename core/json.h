/* JSON (RFC 8259), strict and bounded: UTF-8 is checked, keys are unique, nothing follows the
 * value, nesting and count have ceilings; numbers stay text. For the trusted base (manifests); HOST
 * code uses jansson.
 *
 * The canonical form: no white space, keys sorted by their UTF-8 bytes, integers only, and in
 * strings only `"`, `\` and the control characters are escaped, the latter by their short form or
 * \u00xx in lower case. (RFC 8785 sorts by UTF-16 units; the two agree for every key of the basic
 * plane.) */
#ifndef CS_JSON_H
#define CS_JSON_H

#include "core/buf.h"
#include "core/hash.h"
#include "core/limits.h"
#include "core/u256.h"

enum cs_json_type {
	CS_JSON_NULL,
	CS_JSON_BOOL,
	CS_JSON_NUMBER,
	CS_JSON_STRING,
	CS_JSON_ARRAY,
	CS_JSON_OBJECT,
};

struct cs_json {
	enum cs_json_type type;
	bool boolean;
	struct cs_bytes key;         /* decoded; of a member */
	struct cs_bytes text;        /* a number as it stands, a string decoded */
	const struct cs_json *child; /* first element or member, in the order of the text */
	const struct cs_json *next;  /* sibling */
	size_t count;
};

enum cs_json_mode {
	CS_JSON_INTEGERS, /* a fraction or an exponent is INVALID */
	CS_JSON_ANY_NUMBER,
};

/* The tree lives in the arena. MALFORMED, TRUNCATED, TRAILING, DUPLICATE (key), TOO_LARGE (depth,
 * nodes, members), INVALID (number), NO_MEMORY; why says at which byte. */
CS_NODISCARD enum cs_err cs_json_parse(const struct cs_json **out, struct cs_bytes text,
				       enum cs_json_mode mode, struct cs_arena *arena,
				       struct cs_why *why);
/* Integers only and NON_CANONICAL when writing it again gives other bytes. */
CS_NODISCARD enum cs_err cs_json_parse_canonical(const struct cs_json **out, struct cs_bytes text,
						 struct cs_arena *arena, struct cs_why *why);
/* The canonical form; NON_CANONICAL for numbers that have none (fractions, exponents, -0). Takes
 * scratch from the arena. */
CS_NODISCARD enum cs_err cs_json_write(struct cs_buf *buf, const struct cs_json *json,
				       struct cs_arena *arena);
/* One canonical string with its quotes: UTF-8 in. */
void cs_json_write_string(struct cs_buf *buf, struct cs_bytes text);

/* NULL when there is no such member or json is no object. */
const struct cs_json *cs_json_find(const struct cs_json *json, const char *key);
/* Every member of the object is one of keys: else UNKNOWN_FIELD, INVALID when it is no object. */
CS_NODISCARD enum cs_err cs_json_only(const struct cs_json *json, const char *const *keys,
				      size_t key_count, struct cs_why *why);

/* Members of an object by key and type: MISSING_FIELD when absent, INVALID for another type,
 * OVERFLOW; why names the key. */
CS_NODISCARD enum cs_err cs_json_member(const struct cs_json **out, const struct cs_json *json,
					const char *key, enum cs_json_type type,
					struct cs_why *why);
CS_NODISCARD enum cs_err cs_json_member_string(struct cs_bytes *out, const struct cs_json *json,
					       const char *key, size_t size_max,
					       struct cs_why *why);
CS_NODISCARD enum cs_err cs_json_member_bool(bool *out, const struct cs_json *json, const char *key,
					     struct cs_why *why);
/* A number, 0 to max. */
CS_NODISCARD enum cs_err cs_json_member_u64(uint64_t *out, const struct cs_json *json,
					    const char *key, uint64_t max, struct cs_why *why);
/* A string of decimal digits: amounts. */
CS_NODISCARD enum cs_err cs_json_member_u256(struct cs_u256 *out, const struct cs_json *json,
					     const char *key, struct cs_why *why);
/* A string "0x" and exactly 2n lower-case hex digits. */
CS_NODISCARD enum cs_err cs_json_member_hex(void *p, size_t n, const struct cs_json *json,
					    const char *key, struct cs_why *why);
/* An array of at most count_max strings of 32 bytes each, all different: TOO_LARGE, DUPLICATE, and the
 * errors of cs_json_hex; why names the element. There may be none. */
CS_NODISCARD enum cs_err cs_json_member_hashes(struct cs_hash *out, size_t *count, size_t count_max,
					       const struct cs_json *json, const char *key,
					       struct cs_why *why);
/* Values of their own, for the elements of arrays. */
CS_NODISCARD enum cs_err cs_json_u64(uint64_t *out, const struct cs_json *json);
CS_NODISCARD enum cs_err cs_json_hex(void *p, size_t n, const struct cs_json *json);

#endif
