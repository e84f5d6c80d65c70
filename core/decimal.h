/* Numbers of JSON text (RFC 8259, section 6) as fixed point of 256 bits, digit by digit: no
 * floating point is involved anywhere. Not constant time. */
#ifndef CS_DECIMAL_H
#define CS_DECIMAL_H

#include "core/u256.h"

/* A token: an exponent below 1000 and the 78 digits of 2^256 take some hundred; more is not a
 * number that somebody wants to publish. */
#define CS_DECIMAL_SIZE_MAX 1024u
#define CS_DECIMAL_EXPONENT_MAX 999u
/* 10^77 is the largest power of ten below 2^256. */
#define CS_DECIMALS_MAX 77u

/* Sign and magnitude; zero is never negative. */
struct cs_int256 {
	bool negative;
	struct cs_u256 magnitude;
};

enum cs_rounding {
	CS_ROUND_EXACT, /* digits that do not fit are INVALID */
	CS_ROUND_DOWN,  /* towards zero */
	CS_ROUND_HALF_EVEN,
};

/* text times 10^decimals (at most CS_DECIMALS_MAX, else a bug), rounded once. MALFORMED when
 * text is no JSON number, TOO_LARGE above the size or the exponent, INVALID when it is not exact
 * and must be, OVERFLOW when the magnitude is not below 2^256. */
CS_NODISCARD enum cs_err cs_decimal_parse(struct cs_int256 *out, struct cs_bytes text,
					  unsigned decimals, enum cs_rounding rounding);
/* With exactly `decimals` digits after the point ("-0.05"; no point for 0), terminated. */
#define CS_DECIMAL_TEXT_SIZE (CS_U256_DECIMAL_SIZE + CS_DECIMALS_MAX + 4u)
void cs_decimal_text(char text[CS_DECIMAL_TEXT_SIZE], const struct cs_int256 *value,
		     unsigned decimals);

/* Two's complement, as the contract ABI has it. OVERFLOW outside -2^255 to 2^255 - 1. */
CS_NODISCARD enum cs_err cs_int256_word(struct cs_hash *word, const struct cs_int256 *value);
struct cs_int256 cs_int256_from_word(const struct cs_hash *word);
/* Below, equal, above: -1, 0, 1. */
int cs_int256_cmp(const struct cs_int256 *a, const struct cs_int256 *b);
/* |a - b|, which fits when both are int256 or both uint256: OVERFLOW otherwise. */
CS_NODISCARD enum cs_err cs_int256_distance(struct cs_u256 *out, const struct cs_int256 *a,
					    const struct cs_int256 *b);

#endif
