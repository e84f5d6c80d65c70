#include "enclave/oracle/box.h"

#include <sodium.h>

_Static_assert(BOX_OVERHEAD_SIZE == crypto_box_SEALBYTES, "libsodium's sealed boxes");
_Static_assert(sizeof(struct cs_secret) == crypto_box_SECRETKEYBYTES, "X25519");

enum cs_err box_init(void)
{
	return sodium_init() < 0 ? CS_ERR_CRYPTO : CS_OK;
}

enum cs_err box_make(struct cs_secret *secret, struct cs_hash *x)
{
	return crypto_box_keypair(x->b, secret->b) == 0 ? CS_OK : CS_ERR_CRYPTO;
}

bool box_open(uint8_t *out, struct cs_bytes sealed, const struct cs_secret *secret,
	      const struct cs_hash *x)
{
	return sealed.n >= BOX_OVERHEAD_SIZE &&
	       crypto_box_seal_open(out, sealed.p, sealed.n, x->b, secret->b) == 0;
}
