/* Unsigned 256-bit numbers for amounts and chain words: checked arithmetic, text, and no modular
 * surprises. Not constant time: never for secrets. */
#ifndef CS_U256_H
#define CS_U256_H

#include "core/bytes.h"

/* limb[0] is the least significant. */
struct cs_u256 {
	uint64_t limb[4];
};

/* Digits of 2^256 - 1 and the end. */
#define CS_U256_DECIMAL_SIZE 79u

struct cs_u256 cs_u256_u64(uint64_t value);
/* Big-endian words. */
struct cs_u256 cs_u256_from_word(const struct cs_hash *word);
struct cs_hash cs_u256_word(const struct cs_u256 *value);
/* Big-endian, at most 32 bytes, leading zeros allowed: TOO_LARGE when longer. */
CS_NODISCARD enum cs_err cs_u256_from_bytes(struct cs_u256 *out, struct cs_bytes bytes);
/* OVERFLOW above 2^64 - 1. */
CS_NODISCARD enum cs_err cs_u256_to_u64(uint64_t *out, const struct cs_u256 *value);
/* Bytes of the shortest big-endian form: 0 for 0, at most 32. */
size_t cs_u256_size(const struct cs_u256 *value);

bool cs_u256_is_zero(const struct cs_u256 *value);
/* Below, equal, above: -1, 0, 1. */
int cs_u256_cmp(const struct cs_u256 *a, const struct cs_u256 *b);
/* OVERFLOW when the result is above 2^256 - 1 or below 0; out may be an operand. */
CS_NODISCARD enum cs_err cs_u256_add(struct cs_u256 *out, const struct cs_u256 *a,
				     const struct cs_u256 *b);
CS_NODISCARD enum cs_err cs_u256_sub(struct cs_u256 *out, const struct cs_u256 *a,
				     const struct cs_u256 *b);
CS_NODISCARD enum cs_err cs_u256_mul(struct cs_u256 *out, const struct cs_u256 *a,
				     const struct cs_u256 *b);
/* Quotient and remainder by a small number; by 0 is a bug. */
struct cs_u256 cs_u256_div_u64(uint64_t *remainder, const struct cs_u256 *a, uint64_t b);

/* The same by any number; by 0 is a bug. */
void cs_u256_div(struct cs_u256 *quotient, struct cs_u256 *remainder, const struct cs_u256 *a,
		 const struct cs_u256 *b);

/* Decimal digits without leading zeros: MALFORMED, NON_CANONICAL, OVERFLOW. */
CS_NODISCARD enum cs_err cs_u256_from_decimal(struct cs_u256 *out, struct cs_bytes text);
/* Terminated text. */
void cs_u256_decimal(char text[CS_U256_DECIMAL_SIZE], const struct cs_u256 *value);

#endif
