#include "core/x25519.h"

#include <nettle/hmac.h>
#include <openssl/evp.h>
#include <string.h>

enum cs_err cs_x25519_public(struct cs_x25519_key *key, const struct cs_secret *secret)
{
	struct cs_x25519_key made;
	size_t n = sizeof made.b;
	EVP_PKEY *pkey =
		EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret->b, sizeof secret->b);
	const bool ok = pkey != NULL && EVP_PKEY_get_raw_public_key(pkey, made.b, &n) == 1 &&
			n == sizeof made.b;
	EVP_PKEY_free(pkey);
	if (!ok)
		return CS_ERR_CRYPTO;
	*key = made;
	return CS_OK;
}

/* OpenSSL refuses a shared secret of zeros, and says no more than that it failed: what went wrong is
 * looked at by ourselves. Keys of low order are the only ones for which the result is zero. */
static enum cs_err derive(struct cs_secret *out, EVP_PKEY *own, EVP_PKEY *peer)
{
	struct cs_secret made = {{0}};
	size_t n = sizeof made.b;
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(own, NULL);
	const bool ready = context != NULL && EVP_PKEY_derive_init(context) == 1 &&
			   EVP_PKEY_derive_set_peer(context, peer) == 1;
	const bool done = ready && EVP_PKEY_derive(context, made.b, &n) == 1 && n == sizeof made.b;
	EVP_PKEY_CTX_free(context);
	static const struct cs_secret zero = {{0}};
	enum cs_err err = done ? CS_OK : CS_ERR_CRYPTO;
	if (ready && cs_ct_eq(made.b, zero.b, sizeof zero.b))
		err = CS_ERR_WRONG_KEY;
	if (err == CS_OK)
		*out = made;
	cs_wipe(&made, sizeof made);
	return err;
}

enum cs_err cs_x25519(struct cs_secret *shared, const struct cs_secret *secret,
		      const struct cs_x25519_key *key)
{
	EVP_PKEY *own =
		EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret->b, sizeof secret->b);
	EVP_PKEY *peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, key->b, sizeof key->b);
	const enum cs_err err =
		own == NULL || peer == NULL ? CS_ERR_CRYPTO : derive(shared, own, peer);
	EVP_PKEY_free(own);
	EVP_PKEY_free(peer);
	return err;
}

/* ---- HPKE: the labelled functions of RFC 9180, section 4 ---- */

#define PIECES_MAX 8u
/* "KEM" ‖ DHKEM(X25519, HKDF-SHA256); "HPKE" ‖ the same ‖ HKDF-SHA256 ‖ AES-256-GCM. */
#define SUITE_KEM cs_bytes("KEM\x00\x20", 5)
#define SUITE_HPKE cs_bytes("HPKE\x00\x20\x00\x01\x00\x02", 10)

static void hmac(struct cs_secret *out, struct cs_bytes key, const struct cs_bytes *pieces,
		 size_t count)
{
	struct hmac_sha256_ctx context;
	static const uint8_t none[1] = {0};
	hmac_sha256_set_key(&context, key.n, key.n > 0 ? key.p : none);
	for (size_t i = 0; i < count; i++)
		if (pieces[i].n > 0)
			hmac_sha256_update(&context, pieces[i].n, pieces[i].p);
	hmac_sha256_digest(&context, sizeof out->b, out->b);
	cs_wipe(&context, sizeof context);
}

static void labeled_extract(struct cs_secret *out, struct cs_bytes suite, struct cs_bytes salt,
			    const char *label, struct cs_bytes input)
{
	const struct cs_bytes pieces[] = {cs_bytes_str("HPKE-v1"), suite, cs_bytes_str(label),
					  input};
	hmac(out, salt, pieces, CS_LEN(pieces));
}

/* At most one block of the hash, which is all that is asked for. */
static void labeled_expand(uint8_t *out, uint8_t n, struct cs_bytes suite,
			   const struct cs_secret *key, const char *label, struct cs_bytes info)
{
	struct cs_secret block;
	const uint8_t size[] = {0, n}, one[] = {1};
	const struct cs_bytes pieces[] = {
		CS_BYTES_OF(size), cs_bytes_str("HPKE-v1"), suite, cs_bytes_str(label), info,
		CS_BYTES_OF(one)};
	cs_assert(n <= sizeof block.b);
	hmac(&block, CS_BYTES_OF(key->b), pieces, CS_LEN(pieces));
	memcpy(out, block.b, n);
	cs_wipe(&block, sizeof block);
}

struct hpke_key {
	struct cs_secret key;
	uint8_t nonce[CS_AEAD_NONCE_SIZE];
};

/* Sections 4.1 (ExtractAndExpand) and 5.1 (KeySchedule of mode_base). */
static void schedule(struct hpke_key *out, const struct cs_secret *dh,
		     const struct cs_x25519_key *ephemeral, const struct cs_x25519_key *recipient,
		     struct cs_bytes info)
{
	struct cs_secret secret, shared, hash;
	uint8_t keys[2 * 32], context[1 + 2 * 32] = {0};
	memcpy(keys, ephemeral->b, 32);
	memcpy(keys + 32, recipient->b, 32);
	labeled_extract(&secret, SUITE_KEM, CS_BYTES_NONE, "eae_prk", CS_BYTES_OF(dh->b));
	labeled_expand(shared.b, sizeof shared.b, SUITE_KEM, &secret, "shared_secret",
		       CS_BYTES_OF(keys));
	labeled_extract(&hash, SUITE_HPKE, CS_BYTES_NONE, "psk_id_hash", CS_BYTES_NONE);
	memcpy(context + 1, hash.b, 32);
	labeled_extract(&hash, SUITE_HPKE, CS_BYTES_NONE, "info_hash", info);
	memcpy(context + 33, hash.b, 32);
	labeled_extract(&secret, SUITE_HPKE, CS_BYTES_OF(shared.b), "secret", CS_BYTES_NONE);
	labeled_expand(out->key.b, sizeof out->key.b, SUITE_HPKE, &secret, "key",
		       CS_BYTES_OF(context));
	labeled_expand(out->nonce, sizeof out->nonce, SUITE_HPKE, &secret, "base_nonce",
		       CS_BYTES_OF(context));
	cs_wipe(&secret, sizeof secret);
	cs_wipe(&shared, sizeof shared);
}

enum cs_err cs_hpke_seal(uint8_t *out, const struct cs_x25519_key *recipient,
			 const struct cs_secret *ephemeral, struct cs_bytes info,
			 struct cs_bytes aad, struct cs_bytes plain)
{
	struct cs_x25519_key enc;
	struct cs_secret dh;
	struct hpke_key key;
	if (info.n > CS_HPKE_INFO_SIZE_MAX || plain.n > CS_AEAD_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	CS_TRY(cs_x25519_public(&enc, ephemeral));
	CS_TRY(cs_x25519(&dh, ephemeral, recipient));
	schedule(&key, &dh, &enc, recipient, info);
	const enum cs_err err = cs_aead_seal(out + sizeof enc.b, &key.key, key.nonce, aad, plain);
	if (err == CS_OK)
		memcpy(out, enc.b, sizeof enc.b);
	cs_wipe(&dh, sizeof dh);
	cs_wipe(&key, sizeof key);
	return err;
}

enum cs_err cs_hpke_open(uint8_t *out, const struct cs_secret *secret, struct cs_bytes info,
			 struct cs_bytes aad, struct cs_bytes sealed)
{
	struct cs_x25519_key enc, own;
	struct cs_secret dh;
	struct hpke_key key;
	if (info.n > CS_HPKE_INFO_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	if (sealed.n < CS_HPKE_OVERHEAD)
		return CS_ERR_TRUNCATED;
	memcpy(enc.b, sealed.p, sizeof enc.b);
	CS_TRY(cs_x25519_public(&own, secret));
	CS_TRY(cs_x25519(&dh, secret, &enc));
	schedule(&key, &dh, &enc, &own, info);
	const enum cs_err err =
		cs_aead_open(out, &key.key, key.nonce, aad,
			     cs_bytes(sealed.p + sizeof enc.b, sealed.n - sizeof enc.b));
	cs_wipe(&dh, sizeof dh);
	cs_wipe(&key, sizeof key);
	return err;
}
