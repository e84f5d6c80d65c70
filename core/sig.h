/* Signatures over secp256k1, by libsecp256k1: BIP-340 Schnorr for statements, recoverable ECDSA for
 * transactions and seals. Randomness is an argument; the library's context is an object of the
 * caller, made once at start. */
#ifndef CS_SIG_H
#define CS_SIG_H

#include "core/ct.h"

struct cs_sig; /* libsecp256k1's context; one is enough for a thread */

/* BIP-340 as calldata carries it: R.x, the even R.y, s. */
struct cs_schnorr {
	struct cs_hash rx;
	struct cs_hash ry;
	struct cs_hash s;
};

/* s is in the lower half; parity is that of R.y (EIP-2098's y_parity): 0 or 1. */
struct cs_ecdsa {
	struct cs_hash r;
	struct cs_hash s;
	uint8_t parity;
};

/* Heap memory, freed by cs_sig_free. The seed blinds the library against side channels; 32 fresh
 * random bytes where secrets are used, NULL where only signatures are checked. NULL: no memory. */
CS_NODISCARD struct cs_sig *cs_sig_new(const struct cs_secret *seed);
void cs_sig_free(struct cs_sig *sig);

/* Whether the 32 bytes are a private key: 0 < key < n. */
bool cs_key_is_valid(const struct cs_sig *sig, const struct cs_secret *key);
/* INVALID when it is not a valid private key. */
CS_NODISCARD enum cs_err cs_key_x(const struct cs_sig *sig, struct cs_hash *x,
				  const struct cs_secret *key);
CS_NODISCARD enum cs_err cs_key_address(const struct cs_sig *sig, struct cs_address *address,
					const struct cs_secret *key);
/* x is the coordinate of a point: INVALID otherwise. y is the even one (BIP-340 lift_x). */
CS_NODISCARD enum cs_err cs_lift_x(const struct cs_sig *sig, struct cs_hash *y,
				   const struct cs_hash *x);

/* A private key made ready for BIP-340, which is half of the cost of a signature: made once, used
 * often. As secret as the key, wiped with cs_wipe; ready for the library version of this build
 * only, so never stored. */
struct cs_signer {
	uint8_t b[96];
};
/* INVALID when it is not a valid private key. */
CS_NODISCARD enum cs_err cs_signer_make(const struct cs_sig *sig, struct cs_signer *signer,
					const struct cs_secret *key);
/* As cs_schnorr_sign. */
CS_NODISCARD enum cs_err cs_schnorr_sign_by(const struct cs_sig *sig, struct cs_schnorr *out,
					    const struct cs_signer *signer,
					    const struct cs_hash *digest,
					    const struct cs_hash *aux);
/* BIP-340 over a 32-byte digest; aux: 32 fresh random bytes. INVALID when it is not a valid private key. */
CS_NODISCARD enum cs_err cs_schnorr_sign(const struct cs_sig *sig, struct cs_schnorr *out,
					 const struct cs_secret *key, const struct cs_hash *digest,
					 const struct cs_hash *aux);
/* BAD_SIGNATURE when it does not verify, when ry is not the even y of rx, or x is no point. */
CS_NODISCARD enum cs_err cs_schnorr_verify(const struct cs_sig *sig,
					   const struct cs_schnorr *signature,
					   const struct cs_hash *x, const struct cs_hash *digest);
/* The 64 bytes of BIP-340 alone. */
CS_NODISCARD enum cs_err cs_schnorr_verify64(const struct cs_sig *sig, const uint8_t signature[64],
					     const struct cs_hash *x, struct cs_bytes message);

/* RFC 6979 nonce, low s. INVALID when it is not a valid private key. */
CS_NODISCARD enum cs_err cs_ecdsa_sign(const struct cs_sig *sig, struct cs_ecdsa *out,
				       const struct cs_secret *key, const struct cs_hash *digest);
/* The signer's address. BAD_SIGNATURE when r or s is out of range or no key fits. High s is
 * accepted, as chains do in seals and old transactions: ask cs_ecdsa_is_low where a signature must
 * not have a twin. */
CS_NODISCARD enum cs_err cs_ecdsa_recover(const struct cs_sig *sig, struct cs_address *address,
					  const struct cs_ecdsa *signature,
					  const struct cs_hash *digest);
bool cs_ecdsa_is_low(const struct cs_ecdsa *signature);

#endif
