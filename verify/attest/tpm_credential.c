#include "verify/attest/tpm_credential.h"

#include "core/ct.h"
#include "core/hash.h"
#include "core/nistp_dh.h"

#include <nettle/aes.h>
#include <nettle/cfb.h>
#include <nettle/hmac.h>
#include <string.h>

#define SECRET_SIZE_MIN 16u
#define TPM_ALG_SHA256 0x000bu
/* In RSA's padding and in the derivation for ECC; both hash the zero that ends it. */
static const char identity[] = "IDENTITY";

void tpm_name(uint8_t name[TPM_NAME_SIZE], struct cs_bytes public_area)
{
	struct cs_hash hash = cs_sha256(public_area);
	cs_put_be16(name, TPM_ALG_SHA256);
	memcpy(name + 2, hash.b, sizeof hash.b);
}

/* ---- what the templates fix ---- */

struct suite {
	enum cs_digest_kind hash;
	size_t hash_size;
	size_t aes_size;
};

static const struct suite low = {CS_SHA256, 32, AES128_KEY_SIZE};
static const struct suite high = {CS_SHA384, 48, AES256_KEY_SIZE};

/* NULL: no template's. */
static const struct suite *suite_of(const struct x509_key *ek)
{
	switch (ek->kind) {
	case X509_KEY_P256:
		return &low;
	case X509_KEY_P384:
		return &high;
	case X509_KEY_RSA:
		return ek->rsa.modulus.n == 256 ? &low : ek->rsa.modulus.n == 384 ? &high : NULL;
	case X509_KEY_OTHER:
		return NULL;
	}
	cs_assert(false);
	return NULL;
}

bool tpm_drawn_sizes(size_t *seed, size_t *padding, const struct x509_key *ek)
{
	const struct suite *suite = suite_of(ek);
	if (suite == NULL)
		return false;
	/* A coordinate of the curve is as long as the hash that goes with it. */
	*seed = suite->hash_size;
	*padding = ek->kind == X509_KEY_RSA ? suite->hash_size : 0;
	return true;
}

/* ---- HMAC and AES of a suite ---- */

static void hmac(uint8_t *out, size_t size, const struct suite *suite, const uint8_t *key,
		 const struct cs_bytes *pieces, size_t count)
{
	union {
		struct hmac_sha256_ctx low;
		struct hmac_sha384_ctx high;
	} with;
	if (suite == &low) {
		hmac_sha256_set_key(&with.low, suite->hash_size, key);
		for (size_t i = 0; i < count; i++)
			hmac_sha256_update(&with.low, pieces[i].n, pieces[i].p);
		hmac_sha256_digest(&with.low, size, out);
	} else {
		hmac_sha384_set_key(&with.high, suite->hash_size, key);
		for (size_t i = 0; i < count; i++)
			hmac_sha384_update(&with.high, pieces[i].n, pieces[i].p);
		hmac_sha384_digest(&with.high, size, out);
	}
	cs_wipe(&with, sizeof with);
}

/* One block of KDFa (part 1, 11.4.10.2), which is SP 800-108 in counter mode. */
static void kdfa(uint8_t *key, size_t size, const struct suite *suite, const uint8_t *seed,
		 const char *label, struct cs_bytes context)
{
	uint8_t one[4], bits[4];
	cs_put_be32(one, 1);
	cs_put_be32(bits, (uint32_t)size * 8);
	const struct cs_bytes pieces[] = {CS_BYTES_OF(one), cs_bytes(label, strlen(label) + 1),
					  context, CS_BYTES_OF(bits)};
	cs_assert(size <= suite->hash_size);
	hmac(key, size, suite, seed, pieces, CS_LEN(pieces));
}

static void cfb(uint8_t *out, const struct suite *suite, const uint8_t *key, struct cs_bytes plain)
{
	uint8_t iv[AES_BLOCK_SIZE] = {0};
	union {
		struct aes128_ctx low;
		struct aes256_ctx high;
	} with;
	if (suite == &low) {
		aes128_set_encrypt_key(&with.low, key);
		cfb_encrypt(&with.low, (nettle_cipher_func *)aes128_encrypt, AES_BLOCK_SIZE, iv,
			    plain.n, out, plain.p);
	} else {
		aes256_set_encrypt_key(&with.high, key);
		cfb_encrypt(&with.high, (nettle_cipher_func *)aes256_encrypt, AES_BLOCK_SIZE, iv,
			    plain.n, out, plain.p);
	}
	cs_wipe(&with, sizeof with);
}

/* ---- the seed, to the endorsement key ---- */

/* MGF1 (RFC 8017, B.2.1), added to what stands there. */
static void mask(uint8_t *block, size_t size, const struct suite *suite, struct cs_bytes seed)
{
	for (uint32_t i = 0; i * suite->hash_size < size; i++) {
		uint8_t counter[4];
		cs_put_be32(counter, i);
		const struct cs_bytes pieces[] = {seed, CS_BYTES_OF(counter)};
		const struct cs_digest hash = cs_digest_join(suite->hash, pieces, CS_LEN(pieces));
		for (size_t j = 0; j < hash.n && i * hash.n + j < size; j++)
			block[i * hash.n + j] ^= hash.b[j];
	}
}

/* RSAES-OAEP (RFC 8017, 7.1.1): 0, masked padding, masked block. */
static enum cs_err send_by_rsa(struct tpm_credential *out, uint8_t *seed, const struct suite *suite,
			       const struct x509_key *ek, const struct tpm_drawn *drawn)
{
	uint8_t padded[CS_RSA_SIZE_MAX] = {0};
	const size_t n = ek->rsa.modulus.n, hash_size = suite->hash_size;
	uint8_t *first = padded + 1, *block = first + hash_size;
	const size_t block_size = n - 1 - hash_size;
	const struct cs_digest label = cs_digest(suite->hash, cs_bytes(identity, sizeof identity));
	memcpy(block, label.b, hash_size);
	memcpy(block + block_size - hash_size, drawn->seed.p, hash_size);
	block[block_size - hash_size - 1] = 1;
	memcpy(first, drawn->padding.p, hash_size);
	mask(block, block_size, suite, drawn->padding);
	mask(first, hash_size, suite, cs_bytes(block, block_size));
	const enum cs_err err =
		cs_rsa_public(out->encrypted_secret + 2, &ek->rsa, cs_bytes(padded, n));
	cs_wipe(padded, sizeof padded);
	memcpy(seed, drawn->seed.p, hash_size);
	cs_put_be16(out->encrypted_secret, (uint16_t)n);
	out->encrypted_secret_size = 2 + n;
	return err;
}

/* One-pass Diffie-Hellman and KDFe (part 1, 11.4.10.3; C.6.1): the seed is a hash of the common x, the label
 * and both keys' x; what goes out is the ephemeral point. */
static enum cs_err send_by_ecc(struct tpm_credential *out, uint8_t *seed, const struct suite *suite,
			       const struct x509_key *ek, const struct tpm_drawn *drawn)
{
	uint8_t own[CS_NISTP_KEY_SIZE_MAX], common[TPM_SEED_SIZE_MAX], one[4];
	const size_t size = suite->hash_size;
	CS_TRY(cs_nistp_exchange(own, common, ek->kind == X509_KEY_P256 ? CS_P256 : CS_P384,
				 drawn->seed, ek->point));
	cs_put_be32(one, 1);
	const struct cs_bytes pieces[] = {CS_BYTES_OF(one), cs_bytes(common, size),
					  cs_bytes(identity, sizeof identity), cs_bytes(own, size),
					  cs_bytes(ek->point.p, size)};
	struct cs_digest hash = cs_digest_join(suite->hash, pieces, CS_LEN(pieces));
	memcpy(seed, hash.b, size);
	cs_wipe(&hash, sizeof hash);
	cs_wipe(common, sizeof common);
	uint8_t *p = out->encrypted_secret;
	cs_put_be16(p, (uint16_t)(2 * (2 + size)));
	for (size_t i = 0; i < 2; i++) {
		cs_put_be16(p + 2 + i * (2 + size), (uint16_t)size);
		memcpy(p + 4 + i * (2 + size), own + i * size, size);
	}
	out->encrypted_secret_size = 2 + 2 * (2 + size);
	return CS_OK;
}

/* ---- the secret, under the seed ---- */

/* What the TPM opens: its size and the secret under AES, and before it an HMAC over that and the name
 * of the key that must be there. */
static void hide_secret(struct tpm_credential *out, const struct suite *suite,
			const uint8_t name[TPM_NAME_SIZE], struct cs_bytes secret,
			const uint8_t *seed)
{
	uint8_t key[TPM_SEED_SIZE_MAX], plain[2 + TPM_SECRET_SIZE_MAX];
	uint8_t *integrity = out->blob + 4, *hidden = integrity + suite->hash_size;
	const size_t size = 2 + secret.n;
	const struct cs_bytes named = cs_bytes(name, TPM_NAME_SIZE);
	cs_put_be16(plain, (uint16_t)secret.n);
	memcpy(plain + 2, secret.p, secret.n);
	kdfa(key, suite->aes_size, suite, seed, "STORAGE", named);
	cfb(hidden, suite, key, cs_bytes(plain, size));
	kdfa(key, suite->hash_size, suite, seed, "INTEGRITY", CS_BYTES_NONE);
	const struct cs_bytes pieces[] = {cs_bytes(hidden, size), named};
	hmac(integrity, suite->hash_size, suite, key, pieces, CS_LEN(pieces));
	cs_put_be16(out->blob, (uint16_t)(2 + suite->hash_size + size));
	cs_put_be16(out->blob + 2, (uint16_t)suite->hash_size);
	out->blob_size = 4 + suite->hash_size + size;
	cs_wipe(key, sizeof key);
	cs_wipe(plain, sizeof plain);
}

enum cs_err tpm_credential_make(struct tpm_credential *out, const struct x509_key *ek,
				const uint8_t name[TPM_NAME_SIZE], const struct tpm_drawn *drawn)
{
	struct tpm_credential made = {0};
	const struct suite *suite = suite_of(ek);
	uint8_t seed[TPM_SEED_SIZE_MAX];
	size_t seed_size, padding_size;
	if (suite == NULL || !tpm_drawn_sizes(&seed_size, &padding_size, ek))
		return CS_ERR_WRONG_KEY;
	if (drawn->secret.n < SECRET_SIZE_MIN || drawn->secret.n > TPM_SECRET_SIZE_MAX ||
	    drawn->seed.n != seed_size || drawn->padding.n != padding_size)
		return CS_ERR_INVALID;
	CS_TRY(ek->kind == X509_KEY_RSA ? send_by_rsa(&made, seed, suite, ek, drawn)
					: send_by_ecc(&made, seed, suite, ek, drawn));
	hide_secret(&made, suite, name, drawn->secret, seed);
	cs_wipe(seed, sizeof seed);
	*out = made;
	return CS_OK;
}
