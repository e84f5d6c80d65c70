#include "core/shamir.h"

/* x^8 + x^4 + x^3 + x + 1 without its highest term. No tables and no branches: both would show the
 * operands to whoever shares the processor's caches. */
static uint8_t multiply(uint8_t a, uint8_t b)
{
	unsigned product = 0, shifted = a;
	for (unsigned i = 0; i < 8; i++) {
		product ^= shifted & (0u - (((unsigned)b >> i) & 1u));
		shifted = (shifted << 1) ^ (0x11bu & (0u - (shifted >> 7)));
	}
	return (uint8_t)product;
}

/* a^254, which is 1/a: the group has 255 elements. */
static uint8_t invert(uint8_t a)
{
	uint8_t power = a, result = 1;
	for (unsigned i = 0; i < 7; i++) {
		power = multiply(power, power);
		result = multiply(result, power);
	}
	return result;
}

/* By Horner's rule, the secret last. */
static uint8_t evaluate(const struct cs_secret *secret, const struct cs_secret *random,
			size_t degree, size_t byte, uint8_t x)
{
	uint8_t value = 0;
	for (size_t i = degree; i > 0; i--)
		value = multiply(value ^ random[i - 1].b[byte], x);
	return value ^ secret->b[byte];
}

void cs_shamir_split(struct cs_share *shares, size_t count, size_t threshold,
		     const struct cs_secret *secret, const struct cs_secret *random)
{
	cs_assert(threshold >= 1 && threshold <= count && count <= CS_SHARES_MAX);
	for (size_t i = 0; i < count; i++) {
		shares[i].x = (uint8_t)(i + 1);
		for (size_t byte = 0; byte < sizeof secret->b; byte++)
			shares[i].y.b[byte] =
				evaluate(secret, random, threshold - 1, byte, shares[i].x);
	}
}

/* Lagrange's polynomial of share i at 0. Places are not secret. */
static uint8_t weight(const struct cs_share *shares, size_t count, size_t i)
{
	uint8_t above = 1, below = 1;
	for (size_t k = 0; k < count; k++) {
		if (k == i)
			continue;
		above = multiply(above, shares[k].x);
		below = multiply(below, shares[k].x ^ shares[i].x);
	}
	return multiply(above, invert(below));
}

enum cs_err cs_shamir_combine(struct cs_secret *secret, const struct cs_share *shares, size_t count)
{
	struct cs_secret sum = {{0}};
	if (count == 0 || count > CS_SHARES_MAX)
		return CS_ERR_INVALID;
	for (size_t i = 0; i < count; i++) {
		if (shares[i].x == 0)
			return CS_ERR_INVALID;
		for (size_t k = 0; k < i; k++)
			if (shares[k].x == shares[i].x)
				return CS_ERR_DUPLICATE;
	}
	for (size_t i = 0; i < count; i++) {
		const uint8_t factor = weight(shares, count, i);
		for (size_t byte = 0; byte < sizeof sum.b; byte++)
			sum.b[byte] ^= multiply(shares[i].y.b[byte], factor);
	}
	*secret = sum;
	cs_wipe(&sum, sizeof sum);
	return CS_OK;
}
