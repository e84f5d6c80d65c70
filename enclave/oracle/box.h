/* Sealed boxes (libsodium: X25519, XSalsa20-Poly1305) for the secrets of requests. libsodium is used
 * nowhere else. */
#ifndef ENCLAVE_ORACLE_BOX_H
#define ENCLAVE_ORACLE_BOX_H

#include "core/ct.h"

#define BOX_OVERHEAD_SIZE 48u

/* Before the sandbox: chooses what the processor can do. */
CS_NODISCARD enum cs_err box_init(void);
CS_NODISCARD enum cs_err box_make(struct cs_secret *secret, struct cs_hash *x);
/* out has room for sealed.n - BOX_OVERHEAD_SIZE. False: not sealed to this key, or changed. */
bool box_open(uint8_t *out, struct cs_bytes sealed, const struct cs_secret *secret,
	      const struct cs_hash *x);

#endif
