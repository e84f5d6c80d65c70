#include "core/ed25519.h"

#include <openssl/evp.h>
#include <string.h>

enum cs_err cs_ed25519_public(struct cs_ed25519_key *key, const struct cs_secret *secret)
{
	struct cs_ed25519_key made;
	size_t n = sizeof made.b;
	EVP_PKEY *pkey =
		EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret->b, sizeof secret->b);
	bool ok = pkey != NULL && EVP_PKEY_get_raw_public_key(pkey, made.b, &n) == 1 &&
		  n == sizeof made.b;
	EVP_PKEY_free(pkey);
	if (!ok)
		return CS_ERR_CRYPTO;
	*key = made;
	return CS_OK;
}

enum cs_err cs_ed25519_sign(uint8_t signature[CS_ED25519_SIGNATURE_SIZE],
			    const struct cs_secret *secret, struct cs_bytes message)
{
	uint8_t made[CS_ED25519_SIGNATURE_SIZE];
	size_t n = sizeof made;
	EVP_PKEY *pkey =
		EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret->b, sizeof secret->b);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool ok = pkey != NULL && context != NULL &&
		  EVP_DigestSignInit(context, NULL, NULL, NULL, pkey) == 1 &&
		  EVP_DigestSign(context, made, &n, message.p, message.n) == 1 && n == sizeof made;
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(pkey);
	if (!ok)
		return CS_ERR_CRYPTO;
	memcpy(signature, made, sizeof made);
	return CS_OK;
}
