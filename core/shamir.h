/* Shamir's secret sharing (Communications of the ACM 22, 1979) of 32 bytes, byte by byte over GF(2^8) with
 * AES's polynomial (FIPS 197, section 4). Constant time in the secret; randomness is an argument. A set of
 * shares says nothing about whether they belong together: whoever combines them checks what comes out. */
#ifndef CS_SHAMIR_H
#define CS_SHAMIR_H

#include "core/ct.h"

#define CS_SHARES_MAX 16u

struct cs_share {
	uint8_t x; /* 1 to 255: the place of the polynomial; 0 is the secret's */
	struct cs_secret y;
};

/* Shares 1 to count, of which any `threshold` give the secret back. random: threshold - 1 fresh secrets, the
 * coefficients. 1 <= threshold <= count <= CS_SHARES_MAX, else a bug. */
void cs_shamir_split(struct cs_share *shares, size_t count, size_t threshold,
		     const struct cs_secret *secret, const struct cs_secret *random);
/* From exactly as many as the threshold says. INVALID: none, more than CS_SHARES_MAX, or x of 0;
 * DUPLICATE: one x twice. */
CS_NODISCARD enum cs_err cs_shamir_combine(struct cs_secret *secret, const struct cs_share *shares,
					   size_t count);

#endif
