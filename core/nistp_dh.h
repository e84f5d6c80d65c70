/* Diffie-Hellman over P-256 and P-384 (SP 800-56A revision 3, 5.7.1.2) by OpenSSL, for one use of a
 * private key that is made for it: what a protocol does with the shared coordinate is its caller's. */
#ifndef CS_NISTP_DH_H
#define CS_NISTP_DH_H

#include "core/nistp.h"

/* secret: big-endian, cs_curve_size(curve) bytes; peer: x and y. own[2 * cs_curve_size(curve)] is the
 * point of the secret, shared[cs_curve_size(curve)] the x of the common one; the caller wipes it. INVALID:
 * a secret of another size, or not in 1 to n - 1; WRONG_KEY: peer is no point of the curve; CRYPTO. */
CS_NODISCARD enum cs_err cs_nistp_exchange(uint8_t *own, uint8_t *shared, enum cs_curve curve,
					   struct cs_bytes secret, struct cs_bytes peer);

#endif
