#include "core/decimal.h"

#include <string.h>

/* A number's text taken apart: digits without the point, and the power of ten of the last one. */
struct parts {
	bool negative;
	struct cs_bytes whole;
	struct cs_bytes fraction;
	int exponent;
};

static uint8_t peek(struct cs_bytes text)
{
	return text.n > 0 ? text.p[0] : 0;
}

static struct cs_bytes after(struct cs_bytes text, size_t n)
{
	return cs_bytes(text.p + n, text.n - n);
}

static struct cs_bytes take_digits(struct cs_bytes *text)
{
	size_t n = 0;
	while (n < text->n && text->p[n] >= '0' && text->p[n] <= '9')
		n++;
	struct cs_bytes digits = cs_bytes(text->p, n);
	*text = after(*text, n);
	return digits;
}

static enum cs_err take_exponent(struct cs_bytes *text, int *exponent)
{
	bool negative = peek(*text) == '-';
	if (negative || peek(*text) == '+')
		*text = after(*text, 1);
	struct cs_bytes digits = take_digits(text);
	int value = 0;
	if (digits.n == 0)
		return CS_ERR_MALFORMED;
	for (size_t i = 0; i < digits.n; i++) {
		value = 10 * value + (digits.p[i] - '0');
		if (value > (int)CS_DECIMAL_EXPONENT_MAX)
			return CS_ERR_TOO_LARGE;
	}
	*exponent = negative ? -value : value;
	return CS_OK;
}

static enum cs_err take_apart(struct parts *parts, struct cs_bytes text)
{
	*parts = (struct parts){.negative = peek(text) == '-'};
	if (parts->negative)
		text = after(text, 1);
	parts->whole = take_digits(&text);
	if (parts->whole.n == 0 || (parts->whole.n > 1 && parts->whole.p[0] == '0'))
		return CS_ERR_MALFORMED;
	if (peek(text) == '.') {
		text = after(text, 1);
		parts->fraction = take_digits(&text);
		if (parts->fraction.n == 0)
			return CS_ERR_MALFORMED;
	}
	if ((peek(text) | 0x20) == 'e') {
		text = after(text, 1);
		CS_TRY(take_exponent(&text, &parts->exponent));
	}
	return text.n == 0 ? CS_OK : CS_ERR_MALFORMED;
}

static unsigned digit(const struct parts *parts, size_t i)
{
	size_t n = parts->whole.n;
	return (unsigned)(i < n ? parts->whole.p[i] : parts->fraction.p[i - n]) - '0';
}

static enum cs_err append_digit(struct cs_u256 *value, unsigned digit)
{
	struct cs_u256 ten = cs_u256_u64(10), last = cs_u256_u64(digit);
	CS_TRY(cs_u256_mul(value, value, &ten));
	return cs_u256_add(value, value, &last);
}

/* The digits from `kept` on do not fit: what they do to the value. */
static enum cs_err round_off(struct cs_u256 *value, const struct parts *parts, int kept,
			     enum cs_rounding rounding)
{
	size_t n = parts->whole.n + parts->fraction.n, first = kept > 0 ? (size_t)kept : 0;
	unsigned half = kept >= 0 ? digit(parts, first) : 0;
	bool rest = kept < 0 && digit(parts, 0) != 0, up = false;
	for (size_t i = first + 1; i < n && !rest; i++)
		rest = digit(parts, i) != 0;
	switch (rounding) {
	case CS_ROUND_EXACT:
		if (half != 0 || rest)
			return CS_ERR_INVALID;
		break;
	case CS_ROUND_DOWN:
		break;
	case CS_ROUND_HALF_EVEN:
		up = half > 5 || (half == 5 && (rest || (value->limb[0] & 1) != 0));
		break;
	}
	struct cs_u256 one = cs_u256_u64(1);
	return up ? cs_u256_add(value, value, &one) : CS_OK;
}

enum cs_err cs_decimal_parse(struct cs_int256 *out, struct cs_bytes text, unsigned decimals,
			     enum cs_rounding rounding)
{
	struct parts parts;
	struct cs_u256 value = {{0}};
	cs_assert(decimals <= CS_DECIMALS_MAX);
	if (text.n > CS_DECIMAL_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	CS_TRY(take_apart(&parts, text));
	int n = (int)(parts.whole.n + parts.fraction.n);
	/* Digits before the point once it has moved; more than there are mean zeros. */
	int kept = (int)parts.whole.n + parts.exponent + (int)decimals;
	for (int i = 0; i < kept; i++) {
		if (i >= n && cs_u256_is_zero(&value))
			break;
		CS_TRY(append_digit(&value, i < n ? digit(&parts, (size_t)i) : 0));
	}
	if (kept < n)
		CS_TRY(round_off(&value, &parts, kept, rounding));
	*out = (struct cs_int256){parts.negative && !cs_u256_is_zero(&value), value};
	return CS_OK;
}

void cs_decimal_text(char text[CS_DECIMAL_TEXT_SIZE], const struct cs_int256 *value,
		     unsigned decimals)
{
	char digits[CS_U256_DECIMAL_SIZE];
	cs_assert(decimals <= CS_DECIMALS_MAX);
	cs_u256_decimal(digits, &value->magnitude);
	size_t n = strlen(digits), zeros = n > decimals ? 0 : decimals + 1 - n;
	char *at = text;
	if (value->negative)
		*at++ = '-';
	for (size_t i = 0; i < zeros + n; i++) {
		if (i + decimals == zeros + n)
			*at++ = '.';
		*at++ = i < zeros ? '0' : digits[i - zeros];
	}
	*at = '\0';
}

#define SIGN_BIT (UINT64_C(1) << 63)

static void negate(struct cs_u256 *value)
{
	bool carry = true;
	for (size_t i = 0; i < 4; i++) {
		value->limb[i] = ~value->limb[i] + carry;
		carry = carry && value->limb[i] == 0;
	}
}

enum cs_err cs_int256_word(struct cs_hash *word, const struct cs_int256 *value)
{
	struct cs_u256 bits = value->magnitude;
	bool top = (bits.limb[3] & SIGN_BIT) != 0;
	if (value->negative)
		negate(&bits);
	/* -2^255 is its own complement; every other magnitude with the top bit is too large. */
	if (top && !(value->negative && (bits.limb[3] & SIGN_BIT) != 0))
		return CS_ERR_OVERFLOW;
	*word = cs_u256_word(&bits);
	return CS_OK;
}

struct cs_int256 cs_int256_from_word(const struct cs_hash *word)
{
	struct cs_int256 value = {(word->b[0] & 0x80) != 0, cs_u256_from_word(word)};
	if (value.negative)
		negate(&value.magnitude);
	return value;
}

int cs_int256_cmp(const struct cs_int256 *a, const struct cs_int256 *b)
{
	if (a->negative != b->negative)
		return a->negative ? -1 : 1;
	int order = cs_u256_cmp(&a->magnitude, &b->magnitude);
	return a->negative ? -order : order;
}

enum cs_err cs_int256_distance(struct cs_u256 *out, const struct cs_int256 *a,
			       const struct cs_int256 *b)
{
	if (a->negative != b->negative)
		return cs_u256_add(out, &a->magnitude, &b->magnitude);
	bool below = cs_u256_cmp(&a->magnitude, &b->magnitude) < 0;
	return below ? cs_u256_sub(out, &b->magnitude, &a->magnitude)
		     : cs_u256_sub(out, &a->magnitude, &b->magnitude);
}
