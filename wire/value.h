/* The one value of an answer: its types, the ABI encoding that is signed, and its text for people.
 */
#ifndef WIRE_VALUE_H
#define WIRE_VALUE_H

#include "core/buf.h"
#include "core/decimal.h"

/* Elements of an array. */
#define WIRE_VALUE_COUNT_MAX 64u
/* The ABI encoding: what a callback can be given within an ordinary gas limit. */
#define WIRE_VALUE_SIZE_MAX 16384u

enum wire_type_kind {
	WIRE_TYPE_UINT256,
	WIRE_TYPE_INT256,
	WIRE_TYPE_BOOL,
	WIRE_TYPE_STRING,
	WIRE_TYPE_BYTES,
};

struct wire_value_type {
	enum wire_type_kind kind;
	bool array;
	uint8_t decimals; /* of numbers */
};

struct wire_scalar {
	struct cs_int256 number; /* UINT256 (never negative), INT256 */
	bool boolean;
	struct cs_bytes bytes; /* STRING (UTF-8), BYTES */
};

/* count is 1 unless the type is an array. */
struct wire_value {
	size_t count;
	const struct wire_scalar *items;
};

/* "uint256", "string[]"; INVALID. decimals is left 0. */
CS_NODISCARD enum cs_err wire_value_type_parse(struct wire_value_type *out, struct cs_bytes text);
/* abi.encode of the one value. OVERFLOW for a number outside its type, TOO_LARGE above
 * WIRE_VALUE_SIZE_MAX or when buf is too small, INVALID for a count that is not allowed. */
CS_NODISCARD enum cs_err wire_value_encode(struct cs_buf *buf, const struct wire_value_type *type,
					   const struct wire_value *value);
/* Only what wire_value_encode writes; views into abi, items in the arena. */
CS_NODISCARD enum cs_err wire_value_decode(struct wire_value *out,
					   const struct wire_value_type *type, struct cs_bytes abi,
					   struct cs_arena *arena);
/* As canonical JSON: numbers as strings with all their decimals, bytes as 0x…, bool, string; an
 * array of them for arrays. */
CS_NODISCARD enum cs_err wire_value_json(struct cs_buf *buf, const struct wire_value_type *type,
					 const struct wire_value *value);

#endif
