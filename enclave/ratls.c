#include "enclave/ratls.h"

#include "core/der_write.h"
#include "core/hash.h"
#include "core/utc.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

/* 2.23.133.5.4.9, tcg-dice-TaggedEvidence; 1.2.840.113741.1337.6 as Gramine writes it: tag and length stand
 * inside the identifier's own bytes. */
static const uint8_t oid_tcg_dice[] = {0x67, 0x81, 0x05, 0x05, 0x04, 0x09};
static const uint8_t oid_gramine_odd[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
					  0xf8, 0x4d, 0x8a, 0x39, 0x06};
static const uint8_t oid_common_name[] = {0x55, 0x04, 0x03};
static const uint8_t oid_basic_constraints[] = {0x55, 0x1d, 0x13};
static const uint8_t oid_key_usage[] = {0x55, 0x1d, 0x0f};
static const uint8_t oid_extended_key_usage[] = {0x55, 0x1d, 0x25};
/* SEQUENCE { OID 1.2.840.10045.4.3.2 }: ecdsa-with-SHA256 */
static const uint8_t algorithm[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
				    0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};

/* CBOR: types, and what stands under them here. */
#define CBOR_BYTES 0x40u
#define CBOR_TEXT 0x60u
#define CBOR_ARRAY 0x80u
#define CBOR_MAP 0xa0u
#define CBOR_TAG 0xc0u
#define TAG_EVIDENCE 60000u
#define HASH_SHA256 1u

/* ECDSA-Sig-Value of P-256 takes 72 bytes at most. */
#define SIGNATURE_SIZE_MAX 80u

/* ---- the key ---- */

static enum cs_err public_key(uint8_t spki[RATLS_SPKI_SIZE], const EVP_PKEY *key)
{
	uint8_t *der = NULL;
	const int n = i2d_PUBKEY(key, &der);
	if (n == (int)RATLS_SPKI_SIZE)
		memcpy(spki, der, RATLS_SPKI_SIZE);
	OPENSSL_free(der);
	return n == (int)RATLS_SPKI_SIZE ? CS_OK : CS_ERR_CRYPTO;
}

enum cs_err ratls_key_make(EVP_PKEY **out, uint8_t spki[RATLS_SPKI_SIZE])
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	const enum cs_err err = key == NULL ? CS_ERR_CRYPTO : public_key(spki, key);
	if (err == CS_OK)
		*out = key;
	else
		EVP_PKEY_free(key);
	return err;
}

void ratls_key_free(EVP_PKEY *key)
{
	EVP_PKEY_free(key);
}

/* ---- claims ---- */

/* Heads in their shortest form. */
static void put_cbor(struct cs_buf *out, unsigned type, size_t value)
{
	if (value < 24) {
		cs_put_u8(out, (uint8_t)(type | value));
	} else if (value < 0x100) {
		cs_put_u8(out, (uint8_t)(type | 24));
		cs_put_u8(out, (uint8_t)value);
	} else if (value < 0x10000) {
		cs_put_u8(out, (uint8_t)(type | 25));
		cs_put_u16(out, (uint16_t)value);
	} else {
		out->failed = true;
	}
}

static void put_cbor_string(struct cs_buf *out, unsigned type, struct cs_bytes bytes)
{
	put_cbor(out, type, bytes.n);
	cs_put(out, bytes);
}

enum cs_err ratls_claims(struct cs_buf *out, struct cs_bytes spki, const struct cs_hash *report)
{
	uint8_t memory[64];
	struct cs_buf pair;
	const struct cs_hash hash = cs_sha256(spki);
	cs_buf_init(&pair, memory, sizeof memory);
	put_cbor(&pair, CBOR_ARRAY, 2);
	put_cbor(&pair, 0, HASH_SHA256);
	put_cbor_string(&pair, CBOR_BYTES, CS_BYTES_OF(hash.b));
	CS_TRY(cs_buf_end(&pair));
	put_cbor(out, CBOR_MAP, 2);
	put_cbor_string(out, CBOR_TEXT, cs_bytes_str("pubkey-hash"));
	put_cbor_string(out, CBOR_BYTES, cs_buf_view(&pair));
	put_cbor_string(out, CBOR_TEXT, cs_bytes_str("caisson-report"));
	put_cbor_string(out, CBOR_BYTES, CS_BYTES_OF(report->b));
	return cs_buf_end(out);
}

enum cs_err ratls_tagged(struct cs_buf *out, struct cs_bytes evidence, struct cs_bytes claims)
{
	put_cbor(out, CBOR_TAG, TAG_EVIDENCE);
	put_cbor(out, CBOR_ARRAY, 2);
	put_cbor_string(out, CBOR_BYTES, evidence);
	put_cbor_string(out, CBOR_BYTES, claims);
	return cs_buf_end(out);
}

void ratls_report_data(uint8_t report_data[WIRE_REPORT_DATA_SIZE], struct cs_bytes hashed)
{
	const struct cs_hash hash = cs_sha256(hashed);
	memset(report_data, 0, WIRE_REPORT_DATA_SIZE);
	memcpy(report_data, hash.b, sizeof hash.b);
}

/* ---- the certificate ---- */

/* Of subject and issuer: it says nothing, evidence does. */
static void put_name(struct cs_buf *out)
{
	uint8_t memory[3][64];
	struct cs_buf pair, set, name;
	cs_buf_init(&pair, memory[0], sizeof memory[0]);
	cs_buf_init(&set, memory[1], sizeof memory[1]);
	cs_buf_init(&name, memory[2], sizeof memory[2]);
	cs_der_put(&pair, CS_DER_OID, CS_BYTES_OF(oid_common_name));
	cs_der_put(&pair, CS_DER_UTF8_STRING, cs_bytes_str("caisson attested port"));
	cs_der_put_buf(&set, CS_DER_SEQUENCE, &pair);
	cs_der_put_buf(&name, CS_DER_SET, &set);
	cs_der_put_buf(out, CS_DER_SEQUENCE, &name);
}

static void put_usage(struct cs_buf *out)
{
	static const uint8_t leaf[] = {0x30, 0x00};
	static const uint8_t signature[] = {0x03, 0x02, 0x07, 0x80}; /* digitalSignature */
	static const uint8_t server[] = {0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06,
					 0x01, 0x05, 0x05, 0x07, 0x03, 0x01}; /* serverAuth */
	cs_der_put_extension(out, CS_BYTES_OF(oid_basic_constraints), true, CS_BYTES_OF(leaf));
	cs_der_put_extension(out, CS_BYTES_OF(oid_key_usage), true, CS_BYTES_OF(signature));
	cs_der_put_extension(out, CS_BYTES_OF(oid_extended_key_usage), false, CS_BYTES_OF(server));
}

static enum cs_err put_extensions(struct cs_buf *out, const struct ratls_content *content,
				  struct cs_arena *arena)
{
	struct cs_buf tagged, list, wrapped;
	CS_TRY(cs_buf_init_arena(&tagged, arena, RATLS_CERTIFICATE_SIZE_MAX));
	CS_TRY(cs_buf_init_arena(&list, arena, RATLS_CERTIFICATE_SIZE_MAX));
	CS_TRY(cs_buf_init_arena(&wrapped, arena, RATLS_CERTIFICATE_SIZE_MAX));
	CS_TRY(ratls_tagged(&tagged, content->evidence, content->claims));
	put_usage(&list);
	cs_der_put_extension(&list, CS_BYTES_OF(oid_tcg_dice), false, cs_buf_view(&tagged));
	if (content->legacy.n > 0)
		cs_der_put_extension(&list, CS_BYTES_OF(oid_gramine_odd), false, content->legacy);
	cs_der_put_buf(&wrapped, CS_DER_SEQUENCE, &list);
	cs_der_put_buf(out, CS_DER_CONTEXT_CONSTRUCTED | 3, &wrapped);
	return cs_buf_end(out);
}

/* What is signed. */
static enum cs_err put_tbs(struct cs_buf *out, const struct ratls_content *content,
			   struct cs_bytes spki, struct cs_arena *arena)
{
	static const uint8_t version[] = {0xa0, 0x03, 0x02, 0x01, 0x02};
	uint8_t serial[RATLS_SERIAL_SIZE], memory[64];
	struct cs_buf tbs, dates;
	memcpy(serial, content->serial, sizeof serial);
	serial[0] = (uint8_t)((serial[0] & 0x3f) | 0x40);
	CS_TRY(cs_buf_init_arena(&tbs, arena, RATLS_CERTIFICATE_SIZE_MAX));
	cs_buf_init(&dates, memory, sizeof memory);
	cs_der_put_time(&dates, content->not_before_s);
	cs_der_put_time(&dates, content->not_after_s);
	cs_put(&tbs, CS_BYTES_OF(version));
	cs_der_put(&tbs, CS_DER_INTEGER, CS_BYTES_OF(serial));
	cs_put(&tbs, CS_BYTES_OF(algorithm));
	put_name(&tbs);
	cs_der_put_buf(&tbs, CS_DER_SEQUENCE, &dates);
	put_name(&tbs);
	cs_put(&tbs, spki);
	CS_TRY(put_extensions(&tbs, content, arena));
	cs_der_put_buf(out, CS_DER_SEQUENCE, &tbs);
	return cs_buf_end(out);
}

/* bits[0]: the count of unused ones, of which there are none. */
static enum cs_err sign(uint8_t bits[1 + SIGNATURE_SIZE_MAX], size_t *size, EVP_PKEY *key,
			struct cs_bytes tbs)
{
	size_t n = SIGNATURE_SIZE_MAX;
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	const bool ok = context != NULL &&
			EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
			EVP_DigestSign(context, bits + 1, &n, tbs.p, tbs.n) == 1;
	EVP_MD_CTX_free(context);
	bits[0] = 0;
	*size = 1 + n;
	return ok ? CS_OK : CS_ERR_CRYPTO;
}

enum cs_err ratls_write(struct cs_buf *out, const struct ratls_content *content,
			struct cs_arena *arena)
{
	uint8_t spki[RATLS_SPKI_SIZE], bits[1 + SIGNATURE_SIZE_MAX];
	struct cs_buf tbs, whole;
	size_t size;
	if (content->not_after_s > CS_UTC_SECONDS_MAX ||
	    content->not_before_s > content->not_after_s)
		return CS_ERR_INVALID;
	CS_TRY(cs_buf_init_arena(&tbs, arena, RATLS_CERTIFICATE_SIZE_MAX));
	CS_TRY(cs_buf_init_arena(&whole, arena, RATLS_CERTIFICATE_SIZE_MAX));
	CS_TRY(public_key(spki, content->key));
	CS_TRY(put_tbs(&tbs, content, CS_BYTES_OF(spki), arena));
	CS_TRY(sign(bits, &size, content->key, cs_buf_view(&tbs)));
	cs_put(&whole, cs_buf_view(&tbs));
	cs_put(&whole, CS_BYTES_OF(algorithm));
	cs_der_put(&whole, CS_DER_BIT_STRING, cs_bytes(bits, size));
	cs_der_put_buf(out, CS_DER_SEQUENCE, &whole);
	return cs_buf_end(out);
}
