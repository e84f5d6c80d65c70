#include "core/u256.h"

#include <string.h>

__extension__ typedef unsigned __int128 wide;

/* 10^19 is the largest power of ten in 64 bits. */
#define CHUNK UINT64_C(10000000000000000000)
#define CHUNK_DIGITS 19u

struct cs_u256 cs_u256_u64(uint64_t value)
{
	return (struct cs_u256){{value, 0, 0, 0}};
}

struct cs_u256 cs_u256_from_word(const struct cs_hash *word)
{
	struct cs_u256 value;
	for (size_t i = 0; i < 4; i++)
		value.limb[i] = cs_be64(word->b + 24 - 8 * i);
	return value;
}

struct cs_hash cs_u256_word(const struct cs_u256 *value)
{
	struct cs_hash word;
	for (size_t i = 0; i < 4; i++)
		cs_put_be64(word.b + 24 - 8 * i, value->limb[i]);
	return word;
}

enum cs_err cs_u256_from_bytes(struct cs_u256 *out, struct cs_bytes bytes)
{
	struct cs_hash word = {{0}};
	if (bytes.n > sizeof word.b)
		return CS_ERR_TOO_LARGE;
	if (bytes.n > 0)
		memcpy(word.b + sizeof word.b - bytes.n, bytes.p, bytes.n);
	*out = cs_u256_from_word(&word);
	return CS_OK;
}

enum cs_err cs_u256_to_u64(uint64_t *out, const struct cs_u256 *value)
{
	if ((value->limb[1] | value->limb[2] | value->limb[3]) != 0)
		return CS_ERR_OVERFLOW;
	*out = value->limb[0];
	return CS_OK;
}

size_t cs_u256_size(const struct cs_u256 *value)
{
	for (size_t i = 4; i-- > 0;) {
		if (value->limb[i] != 0)
			return 8 * i + (size_t)(71 - __builtin_clzll(value->limb[i])) / 8;
	}
	return 0;
}

bool cs_u256_is_zero(const struct cs_u256 *value)
{
	return (value->limb[0] | value->limb[1] | value->limb[2] | value->limb[3]) == 0;
}

int cs_u256_cmp(const struct cs_u256 *a, const struct cs_u256 *b)
{
	for (size_t i = 4; i-- > 0;) {
		if (a->limb[i] != b->limb[i])
			return a->limb[i] < b->limb[i] ? -1 : 1;
	}
	return 0;
}

enum cs_err cs_u256_add(struct cs_u256 *out, const struct cs_u256 *a, const struct cs_u256 *b)
{
	struct cs_u256 sum;
	wide carry = 0;
	for (size_t i = 0; i < 4; i++) {
		carry += (wide)a->limb[i] + b->limb[i];
		sum.limb[i] = (uint64_t)carry;
		carry >>= 64;
	}
	if (carry != 0)
		return CS_ERR_OVERFLOW;
	*out = sum;
	return CS_OK;
}

enum cs_err cs_u256_sub(struct cs_u256 *out, const struct cs_u256 *a, const struct cs_u256 *b)
{
	struct cs_u256 difference;
	if (cs_u256_cmp(a, b) < 0)
		return CS_ERR_OVERFLOW;
	unsigned borrow = 0;
	for (size_t i = 0; i < 4; i++) {
		wide d = (wide)a->limb[i] - b->limb[i] - borrow;
		difference.limb[i] = (uint64_t)d;
		borrow = (d >> 64) != 0;
	}
	*out = difference;
	return CS_OK;
}

enum cs_err cs_u256_mul(struct cs_u256 *out, const struct cs_u256 *a, const struct cs_u256 *b)
{
	uint64_t product[8] = {0};
	for (size_t i = 0; i < 4; i++) {
		wide carry = 0;
		for (size_t j = 0; j < 4; j++) {
			carry += (wide)a->limb[i] * b->limb[j] + product[i + j];
			product[i + j] = (uint64_t)carry;
			carry >>= 64;
		}
		product[i + 4] = (uint64_t)carry;
	}
	if ((product[4] | product[5] | product[6] | product[7]) != 0)
		return CS_ERR_OVERFLOW;
	memcpy(out->limb, product, sizeof out->limb);
	return CS_OK;
}

struct cs_u256 cs_u256_div_u64(uint64_t *remainder, const struct cs_u256 *a, uint64_t b)
{
	struct cs_u256 quotient;
	wide rest = 0;
	cs_assert(b != 0);
	for (size_t i = 4; i-- > 0;) {
		rest = rest << 64 | a->limb[i];
		quotient.limb[i] = (uint64_t)(rest / b);
		rest %= b;
	}
	*remainder = (uint64_t)rest;
	return quotient;
}

/* Bit by bit if b has more than one limb: a remainder below b may need one bit more than b, which
 * `carry` holds. */
void cs_u256_div(struct cs_u256 *quotient, struct cs_u256 *remainder, const struct cs_u256 *a,
		 const struct cs_u256 *b)
{
	struct cs_u256 result = {{0}}, rest = {{0}};
	cs_assert(!cs_u256_is_zero(b));
	if ((b->limb[1] | b->limb[2] | b->limb[3]) == 0) {
		uint64_t low;
		*quotient = cs_u256_div_u64(&low, a, b->limb[0]);
		*remainder = cs_u256_u64(low);
		return;
	}
	for (size_t bit = 256; bit-- > 0;) {
		bool carry = rest.limb[3] >> 63 != 0;
		for (size_t i = 3; i > 0; i--)
			rest.limb[i] = rest.limb[i] << 1 | rest.limb[i - 1] >> 63;
		rest.limb[0] = rest.limb[0] << 1 | (a->limb[bit / 64] >> bit % 64 & 1);
		if (!carry && cs_u256_cmp(&rest, b) < 0)
			continue;
		unsigned borrow = 0;
		for (size_t i = 0; i < 4; i++) {
			wide d = (wide)rest.limb[i] - b->limb[i] - borrow;
			rest.limb[i] = (uint64_t)d;
			borrow = (d >> 64) != 0;
		}
		result.limb[bit / 64] |= UINT64_C(1) << bit % 64;
	}
	*quotient = result;
	*remainder = rest;
}

enum cs_err cs_u256_from_decimal(struct cs_u256 *out, struct cs_bytes text)
{
	struct cs_u256 value = {{0}}, ten = cs_u256_u64(10);
	if (text.n == 0)
		return CS_ERR_MALFORMED;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return CS_ERR_MALFORMED;
	}
	if (text.n > 1 && text.p[0] == '0')
		return CS_ERR_NON_CANONICAL;
	if (text.n >= CS_U256_DECIMAL_SIZE)
		return CS_ERR_OVERFLOW;
	for (size_t i = 0; i < text.n; i++) {
		struct cs_u256 digit = cs_u256_u64((uint64_t)(text.p[i] - '0'));
		CS_TRY(cs_u256_mul(&value, &value, &ten));
		CS_TRY(cs_u256_add(&value, &value, &digit));
	}
	*out = value;
	return CS_OK;
}

void cs_u256_decimal(char text[CS_U256_DECIMAL_SIZE], const struct cs_u256 *value)
{
	char digits[5 * CHUNK_DIGITS];
	size_t at = sizeof digits;
	struct cs_u256 rest = *value;
	do {
		uint64_t low;
		rest = cs_u256_div_u64(&low, &rest, CHUNK);
		for (size_t i = 0; i < CHUNK_DIGITS; i++) {
			digits[--at] = (char)('0' + low % 10);
			low /= 10;
		}
	} while (!cs_u256_is_zero(&rest));
	while (at < sizeof digits - 1 && digits[at] == '0')
		at++;
	memcpy(text, digits + at, sizeof digits - at);
	text[sizeof digits - at] = '\0';
}
