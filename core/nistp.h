/* ECDSA (FIPS 186-5) over P-256 and P-384 by OpenSSL: verification only, over a digest. The context
 * keeps the keys that it saw last ready for use, so that a check costs what the bare check costs; what
 * it keeps changes no answer. */
#ifndef CS_NISTP_H
#define CS_NISTP_H

#include "core/bytes.h"

enum cs_curve {
	CS_P256,
	CS_P384,
};

/* Of a point: x and y, big-endian, without the 0x04 of SEC 1. */
#define CS_NISTP_KEY_SIZE_MAX 96u

/* Bytes of a coordinate, and of r and of s: 32 or 48. */
size_t cs_curve_size(enum cs_curve curve);

struct cs_nistp;

/* NULL: no memory, or OpenSSL lacks a curve. Not to be used by two threads at once. */
struct cs_nistp *cs_nistp_new(void);
void cs_nistp_free(struct cs_nistp *nistp);
/* From now on so many signatures are verified, and the rest is refused with TOO_LARGE: for who answers
 * in a bounded time whatever is given. Without it there is no bound. */
void cs_nistp_limit(struct cs_nistp *nistp, unsigned signatures);
/* One of them goes for a signature of another kind, which the caller verifies. TOO_LARGE. */
CS_NODISCARD enum cs_err cs_nistp_spend(struct cs_nistp *nistp);

/* key: x and y, rs: r and s, each cs_curve_size(curve) bytes. The digest's leftmost bits count where it
 * is longer than the curve's order. BAD_SIGNATURE: not of this key and digest, r or s not in 1 to n - 1,
 * other sizes; WRONG_KEY: no point of the curve; TOO_LARGE: the limit; CRYPTO: OpenSSL failed. Both s and n - s are
 * accepted. */
CS_NODISCARD enum cs_err cs_nistp_verify(struct cs_nistp *nistp, enum cs_curve curve,
					 struct cs_bytes key, struct cs_bytes digest,
					 struct cs_bytes rs);

/* A failure of OpenSSL's in the caller's own use of it (RSA) counts as the context's. Gives err back. */
CS_NODISCARD enum cs_err cs_nistp_note(struct cs_nistp *nistp, enum cs_err err);
/* OpenSSL failed since the context was made, or since this was asked: what was answered meanwhile is no
 * verdict, because whoever tries several keys goes on to the next one. Forgets it. */
bool cs_nistp_failed(struct cs_nistp *nistp);

#endif
