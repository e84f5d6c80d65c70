#include "core/sig.h"

#include "core/hash.h"

#include <secp256k1_extrakeys.h>
#include <secp256k1_recovery.h>
#include <secp256k1_schnorrsig.h>
#include <stdlib.h>
#include <string.h>

struct cs_sig {
	secp256k1_context *context;
};

/* Half of the group's order, rounded down: s above it is "high" (EIP-2). */
static const uint8_t order_half[32] = {0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
				       0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
				       0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d,
				       0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0};

struct cs_sig *cs_sig_new(const struct cs_secret *seed)
{
	struct cs_sig *sig = malloc(sizeof *sig);
	if (sig == NULL)
		return NULL;
	sig->context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
	if (sig->context == NULL ||
	    (seed != NULL && !secp256k1_context_randomize(sig->context, seed->b))) {
		cs_sig_free(sig);
		return NULL;
	}
	return sig;
}

void cs_sig_free(struct cs_sig *sig)
{
	if (sig == NULL)
		return;
	if (sig->context != NULL)
		secp256k1_context_destroy(sig->context);
	free(sig);
}

bool cs_key_is_valid(const struct cs_sig *sig, const struct cs_secret *key)
{
	return secp256k1_ec_seckey_verify(sig->context, key->b) == 1;
}

enum cs_err cs_key_x(const struct cs_sig *sig, struct cs_hash *x, const struct cs_secret *key)
{
	secp256k1_keypair pair;
	secp256k1_xonly_pubkey public;
	bool made = secp256k1_keypair_create(sig->context, &pair, key->b) == 1 &&
		    secp256k1_keypair_xonly_pub(sig->context, &public, NULL, &pair) == 1;
	cs_wipe(&pair, sizeof pair);
	if (!made)
		return CS_ERR_INVALID;
	(void)secp256k1_xonly_pubkey_serialize(sig->context, x->b, &public);
	return CS_OK;
}

/* The last 20 bytes of keccak-256 over x and y. */
static struct cs_address address_of(const struct cs_sig *sig, const secp256k1_pubkey *public)
{
	uint8_t point[65];
	size_t n = sizeof point;
	struct cs_address address;
	(void)secp256k1_ec_pubkey_serialize(sig->context, point, &n, public,
					    SECP256K1_EC_UNCOMPRESSED);
	struct cs_hash hash = cs_keccak256(cs_bytes(point + 1, 64));
	memcpy(address.b, hash.b + 12, sizeof address.b);
	return address;
}

enum cs_err cs_key_address(const struct cs_sig *sig, struct cs_address *address,
			   const struct cs_secret *key)
{
	secp256k1_pubkey public;
	if (secp256k1_ec_pubkey_create(sig->context, &public, key->b) != 1)
		return CS_ERR_INVALID;
	*address = address_of(sig, &public);
	return CS_OK;
}

enum cs_err cs_lift_x(const struct cs_sig *sig, struct cs_hash *y, const struct cs_hash *x)
{
	uint8_t compressed[33], point[65];
	size_t n = sizeof point;
	secp256k1_pubkey public;
	compressed[0] = 0x02;
	memcpy(compressed + 1, x->b, sizeof x->b);
	if (secp256k1_ec_pubkey_parse(sig->context, &public, compressed, sizeof compressed) != 1)
		return CS_ERR_INVALID;
	(void)secp256k1_ec_pubkey_serialize(sig->context, point, &n, &public,
					    SECP256K1_EC_UNCOMPRESSED);
	memcpy(y->b, point + 33, sizeof y->b);
	return CS_OK;
}

_Static_assert(sizeof(struct cs_signer) == sizeof(secp256k1_keypair),
	       "a signer is a key pair of the library");

enum cs_err cs_signer_make(const struct cs_sig *sig, struct cs_signer *signer,
			   const struct cs_secret *key)
{
	secp256k1_keypair pair;
	bool made = secp256k1_keypair_create(sig->context, &pair, key->b) == 1;
	if (made)
		memcpy(signer->b, &pair, sizeof signer->b);
	cs_wipe(&pair, sizeof pair);
	return made ? CS_OK : CS_ERR_INVALID;
}

enum cs_err cs_schnorr_sign_by(const struct cs_sig *sig, struct cs_schnorr *out,
			       const struct cs_signer *signer, const struct cs_hash *digest,
			       const struct cs_hash *aux)
{
	secp256k1_keypair pair;
	uint8_t bytes[64];
	struct cs_schnorr made;
	memcpy(&pair, signer->b, sizeof pair);
	bool signed_ok =
		secp256k1_schnorrsig_sign32(sig->context, bytes, digest->b, &pair, aux->b) == 1;
	cs_wipe(&pair, sizeof pair);
	if (!signed_ok)
		return CS_ERR_CRYPTO;
	memcpy(made.rx.b, bytes, 32);
	memcpy(made.s.b, bytes + 32, 32);
	CS_TRY(cs_lift_x(sig, &made.ry, &made.rx));
	*out = made;
	return CS_OK;
}

enum cs_err cs_schnorr_sign(const struct cs_sig *sig, struct cs_schnorr *out,
			    const struct cs_secret *key, const struct cs_hash *digest,
			    const struct cs_hash *aux)
{
	struct cs_signer signer;
	CS_TRY(cs_signer_make(sig, &signer, key));
	enum cs_err err = cs_schnorr_sign_by(sig, out, &signer, digest, aux);
	cs_wipe(&signer, sizeof signer);
	return err;
}

enum cs_err cs_schnorr_verify64(const struct cs_sig *sig, const uint8_t signature[64],
				const struct cs_hash *x, struct cs_bytes message)
{
	secp256k1_xonly_pubkey public;
	if (secp256k1_xonly_pubkey_parse(sig->context, &public, x->b) != 1)
		return CS_ERR_BAD_SIGNATURE;
	if (secp256k1_schnorrsig_verify(sig->context, signature, message.p, message.n, &public) !=
	    1)
		return CS_ERR_BAD_SIGNATURE;
	return CS_OK;
}

enum cs_err cs_schnorr_verify(const struct cs_sig *sig, const struct cs_schnorr *signature,
			      const struct cs_hash *x, const struct cs_hash *digest)
{
	uint8_t bytes[64];
	struct cs_hash y;
	memcpy(bytes, signature->rx.b, 32);
	memcpy(bytes + 32, signature->s.b, 32);
	CS_TRY(cs_schnorr_verify64(sig, bytes, x, CS_BYTES_OF(digest->b)));
	if (cs_lift_x(sig, &y, &signature->rx) != CS_OK || !cs_hash_eq(&y, &signature->ry))
		return CS_ERR_BAD_SIGNATURE;
	return CS_OK;
}

enum cs_err cs_ecdsa_sign(const struct cs_sig *sig, struct cs_ecdsa *out,
			  const struct cs_secret *key, const struct cs_hash *digest)
{
	secp256k1_ecdsa_recoverable_signature signature;
	uint8_t bytes[64];
	int parity;
	if (!cs_key_is_valid(sig, key))
		return CS_ERR_INVALID;
	if (secp256k1_ecdsa_sign_recoverable(sig->context, &signature, digest->b, key->b, NULL,
					     NULL) != 1)
		return CS_ERR_CRYPTO;
	(void)secp256k1_ecdsa_recoverable_signature_serialize_compact(sig->context, bytes, &parity,
								      &signature);
	/* R.x above the group's order (parity 2, 3) cannot be told to a chain; nobody has ever seen
	 * one. */
	if (parity > 1)
		return CS_ERR_CRYPTO;
	memcpy(out->r.b, bytes, 32);
	memcpy(out->s.b, bytes + 32, 32);
	out->parity = (uint8_t)parity;
	return CS_OK;
}

enum cs_err cs_ecdsa_recover(const struct cs_sig *sig, struct cs_address *address,
			     const struct cs_ecdsa *signature, const struct cs_hash *digest)
{
	secp256k1_ecdsa_recoverable_signature parsed;
	secp256k1_pubkey public;
	uint8_t bytes[64];
	if (signature->parity > 1)
		return CS_ERR_BAD_SIGNATURE;
	memcpy(bytes, signature->r.b, 32);
	memcpy(bytes + 32, signature->s.b, 32);
	if (secp256k1_ecdsa_recoverable_signature_parse_compact(sig->context, &parsed, bytes,
								signature->parity) != 1 ||
	    secp256k1_ecdsa_recover(sig->context, &public, &parsed, digest->b) != 1)
		return CS_ERR_BAD_SIGNATURE;
	*address = address_of(sig, &public);
	return CS_OK;
}

bool cs_ecdsa_is_low(const struct cs_ecdsa *signature)
{
	return memcmp(signature->s.b, order_half, sizeof order_half) <= 0;
}
