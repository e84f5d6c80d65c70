#include "verify/attest/tpm_credential.h"

#include "core/ct.h"
#include "core/hash.h"

#include <nettle/aes.h>
#include <nettle/cfb.h>
#include <nettle/hmac.h>
#include <string.h>

#define HASH_SIZE 32u
#define SECRET_SIZE_MIN 16u
#define TPM_ALG_SHA256 0x000bu
/* The padding hashes the label with the zero that ends it. */
static const char oaep_label[] = "IDENTITY";

void tpm_name(uint8_t name[TPM_NAME_SIZE], struct cs_bytes public_area)
{
	struct cs_hash hash = cs_sha256(public_area);
	cs_put_be16(name, TPM_ALG_SHA256);
	memcpy(name + 2, hash.b, HASH_SIZE);
}

/* One block of KDFa (part 1, 11.4.10.2), which is SP 800-108 in counter mode; bits: of the key. */
static void kdf(uint8_t *key, size_t size, const uint8_t seed[TPM_SEED_SIZE], const char *label,
		struct cs_bytes context)
{
	struct hmac_sha256_ctx hmac;
	uint8_t word[4];
	hmac_sha256_set_key(&hmac, TPM_SEED_SIZE, seed);
	cs_put_be32(word, 1);
	hmac_sha256_update(&hmac, sizeof word, word);
	hmac_sha256_update(&hmac, strlen(label) + 1, (const uint8_t *)label);
	if (context.n > 0)
		hmac_sha256_update(&hmac, context.n, context.p);
	cs_put_be32(word, (uint32_t)size * 8);
	hmac_sha256_update(&hmac, sizeof word, word);
	hmac_sha256_digest(&hmac, size, key);
	cs_wipe(&hmac, sizeof hmac);
}

/* MGF1 (RFC 8017, B.2.1), added to what stands there. */
static void mask(uint8_t *block, size_t size, struct cs_bytes seed)
{
	for (uint32_t i = 0; i * HASH_SIZE < size; i++) {
		uint8_t counter[4];
		cs_put_be32(counter, i);
		const struct cs_bytes pieces[] = {seed, CS_BYTES_OF(counter)};
		struct cs_hash hash = cs_sha256_join(pieces, CS_LEN(pieces));
		for (size_t j = 0; j < HASH_SIZE && i * HASH_SIZE + j < size; j++)
			block[i * HASH_SIZE + j] ^= hash.b[j];
	}
}

/* RSAES-OAEP (RFC 8017, 7.1.1) of the seed: 0, masked padding, masked block. */
static enum cs_err encrypt_seed(struct tpm_credential *out, const struct cs_rsa_key *ek,
				const uint8_t seed[TPM_SEED_SIZE],
				const uint8_t padding[TPM_SEED_SIZE])
{
	uint8_t padded[CS_RSA_SIZE_MAX] = {0};
	size_t n = ek->modulus.n;
	if (n < CS_RSA_SIZE_MIN || n > CS_RSA_SIZE_MAX)
		return CS_ERR_WRONG_KEY;
	uint8_t *first = padded + 1, *block = first + HASH_SIZE;
	size_t block_size = n - 1 - HASH_SIZE;
	struct cs_hash label = cs_sha256(cs_bytes(oaep_label, sizeof oaep_label));
	memcpy(block, label.b, HASH_SIZE);
	memcpy(block + block_size - TPM_SEED_SIZE, seed, TPM_SEED_SIZE);
	block[block_size - TPM_SEED_SIZE - 1] = 1;
	memcpy(first, padding, HASH_SIZE);
	mask(block, block_size, cs_bytes(padding, HASH_SIZE));
	mask(first, HASH_SIZE, cs_bytes(block, block_size));
	enum cs_err err = cs_rsa_public(out->encrypted_secret + 2, ek, cs_bytes(padded, n));
	cs_wipe(padded, sizeof padded);
	cs_put_be16(out->encrypted_secret, (uint16_t)n);
	out->encrypted_secret_size = 2 + n;
	return err;
}

/* What the TPM opens: its size and the secret under AES, and before it an HMAC over that and the name
 * of the key that must be there. */
static void hide_secret(struct tpm_credential *out, const uint8_t name[TPM_NAME_SIZE],
			struct cs_bytes secret, const uint8_t seed[TPM_SEED_SIZE])
{
	struct aes128_ctx aes;
	struct hmac_sha256_ctx hmac;
	uint8_t key[HASH_SIZE], iv[AES_BLOCK_SIZE] = {0}, plain[2 + TPM_SECRET_SIZE_MAX];
	uint8_t *integrity = out->blob + 4, *hidden = integrity + HASH_SIZE;
	size_t size = 2 + secret.n;
	cs_put_be16(plain, (uint16_t)secret.n);
	memcpy(plain + 2, secret.p, secret.n);
	kdf(key, AES128_KEY_SIZE, seed, "STORAGE", cs_bytes(name, TPM_NAME_SIZE));
	aes128_set_encrypt_key(&aes, key);
	cfb_encrypt(&aes, (nettle_cipher_func *)aes128_encrypt, AES_BLOCK_SIZE, iv, size, hidden,
		    plain);
	kdf(key, HASH_SIZE, seed, "INTEGRITY", CS_BYTES_NONE);
	hmac_sha256_set_key(&hmac, HASH_SIZE, key);
	hmac_sha256_update(&hmac, size, hidden);
	hmac_sha256_update(&hmac, TPM_NAME_SIZE, name);
	hmac_sha256_digest(&hmac, HASH_SIZE, integrity);
	cs_put_be16(out->blob, (uint16_t)(2 + HASH_SIZE + size));
	cs_put_be16(out->blob + 2, HASH_SIZE);
	out->blob_size = 4 + HASH_SIZE + size;
	cs_wipe(&aes, sizeof aes);
	cs_wipe(&hmac, sizeof hmac);
	cs_wipe(key, sizeof key);
	cs_wipe(plain, sizeof plain);
}

enum cs_err tpm_credential_make(struct tpm_credential *out, const struct cs_rsa_key *ek,
				const uint8_t name[TPM_NAME_SIZE], struct cs_bytes secret,
				const uint8_t seed[TPM_SEED_SIZE],
				const uint8_t padding[TPM_SEED_SIZE])
{
	struct tpm_credential made = {0};
	if (secret.n < SECRET_SIZE_MIN || secret.n > TPM_SECRET_SIZE_MAX)
		return CS_ERR_INVALID;
	CS_TRY(encrypt_seed(&made, ek, seed, padding));
	hide_secret(&made, name, secret, seed);
	*out = made;
	return CS_OK;
}
