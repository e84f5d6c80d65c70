#include "core/aead.h"

#include <nettle/hmac.h>
#include <openssl/evp.h>
#include <string.h>

enum cs_err cs_aead_warm(void)
{
	static const struct cs_secret zero = {{0}};
	static const uint8_t nonce[CS_AEAD_NONCE_SIZE] = {0};
	uint8_t out[CS_AEAD_TAG_SIZE];
	return cs_aead_seal(out, &zero, nonce, CS_BYTES_NONE, CS_BYTES_NONE);
}

static bool seal(EVP_CIPHER_CTX *context, uint8_t *out, const uint8_t *key, const uint8_t *nonce,
		 struct cs_bytes aad, struct cs_bytes plain)
{
	int n = 0;
	if (EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, nonce) != 1)
		return false;
	if (aad.n > 0 && EVP_EncryptUpdate(context, NULL, &n, aad.p, (int)aad.n) != 1)
		return false;
	if (plain.n > 0 && (EVP_EncryptUpdate(context, out, &n, plain.p, (int)plain.n) != 1 ||
			    (size_t)n != plain.n))
		return false;
	if (EVP_EncryptFinal_ex(context, out + plain.n, &n) != 1 || n != 0)
		return false;
	return EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, (int)CS_AEAD_TAG_SIZE,
				   out + plain.n) == 1;
}

enum cs_err cs_aead_seal(uint8_t *out, const struct cs_secret *key,
			 const uint8_t nonce[CS_AEAD_NONCE_SIZE], struct cs_bytes aad,
			 struct cs_bytes plain)
{
	if (plain.n > CS_AEAD_SIZE_MAX || aad.n > CS_AEAD_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	if (context == NULL)
		return CS_ERR_CRYPTO;
	bool done = seal(context, out, key->b, nonce, aad, plain);
	EVP_CIPHER_CTX_free(context);
	if (done)
		return CS_OK;
	cs_wipe(out, plain.n);
	return CS_ERR_CRYPTO;
}

static enum cs_err open_sealed(EVP_CIPHER_CTX *context, uint8_t *out, const uint8_t *key,
			       const uint8_t *nonce, struct cs_bytes aad, struct cs_bytes cipher,
			       const uint8_t *tag_given)
{
	uint8_t tag[CS_AEAD_TAG_SIZE], none[1];
	int n = 0;
	memcpy(tag, tag_given, sizeof tag);
	if (EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, nonce) != 1)
		return CS_ERR_CRYPTO;
	if (aad.n > 0 && EVP_DecryptUpdate(context, NULL, &n, aad.p, (int)aad.n) != 1)
		return CS_ERR_CRYPTO;
	if (cipher.n > 0 && (EVP_DecryptUpdate(context, out, &n, cipher.p, (int)cipher.n) != 1 ||
			     (size_t)n != cipher.n))
		return CS_ERR_CRYPTO;
	if (EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, (int)sizeof tag, tag) != 1)
		return CS_ERR_CRYPTO;
	return EVP_DecryptFinal_ex(context, none, &n) == 1 ? CS_OK : CS_ERR_SEAL_BROKEN;
}

enum cs_err cs_aead_open(uint8_t *out, const struct cs_secret *key,
			 const uint8_t nonce[CS_AEAD_NONCE_SIZE], struct cs_bytes aad,
			 struct cs_bytes sealed)
{
	if (sealed.n < CS_AEAD_TAG_SIZE)
		return CS_ERR_TRUNCATED;
	if (sealed.n > CS_AEAD_SIZE_MAX || aad.n > CS_AEAD_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	struct cs_bytes cipher = cs_bytes(sealed.p, sealed.n - CS_AEAD_TAG_SIZE);
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	if (context == NULL)
		return CS_ERR_CRYPTO;
	enum cs_err err =
		open_sealed(context, out, key->b, nonce, aad, cipher, sealed.p + cipher.n);
	EVP_CIPHER_CTX_free(context);
	if (err != CS_OK && cipher.n > 0)
		cs_wipe(out, cipher.n);
	return err;
}

void cs_hkdf(uint8_t *out, size_t n, struct cs_bytes input_key, struct cs_bytes salt,
	     struct cs_bytes info)
{
	struct hmac_sha256_ctx context;
	uint8_t zero[SHA256_DIGEST_SIZE] = {0}, key[SHA256_DIGEST_SIZE], block[SHA256_DIGEST_SIZE];
	cs_assert(n <= CS_HKDF_SIZE_MAX);
	/* RFC 5869 section 2.2: no salt is a string of zeros. */
	if (salt.n == 0)
		salt = CS_BYTES_OF(zero);
	hmac_sha256_set_key(&context, salt.n, salt.p);
	hmac_sha256_update(&context, input_key.n, input_key.p);
	hmac_sha256_digest(&context, sizeof key, key);
	hmac_sha256_set_key(&context, sizeof key, key);
	uint8_t counter = 0;
	for (size_t done = 0; done < n;) {
		size_t part = n - done < sizeof block ? n - done : sizeof block;
		if (counter > 0)
			hmac_sha256_update(&context, sizeof block, block);
		counter++;
		hmac_sha256_update(&context, info.n, info.p);
		hmac_sha256_update(&context, 1, &counter);
		hmac_sha256_digest(&context, sizeof block, block);
		memcpy(out + done, block, part);
		done += part;
	}
	cs_wipe(&context, sizeof context);
	cs_wipe(key, sizeof key);
	cs_wipe(block, sizeof block);
}
