#include "core/nistp.h"

#include "core/ossl.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

/* Keys of a quote with all its collateral are 5, of a vTPM over it 7; two rounds of those. */
#define KEYS_MAX 16u
/* SEQUENCE of two INTEGERs of 48 bytes and a sign. */
#define DER_SIZE_MAX (2u + 2 * (2 + 49))

/* A key of OpenSSL's that gets one point after another: to set a point costs a quarter of making a key. */
struct key {
	EVP_PKEY *pkey; /* NULL until it is needed */
	EVP_PKEY_CTX *context;
	uint8_t point[CS_NISTP_KEY_SIZE_MAX];
	bool is_set;
	uint64_t used;
};

struct cs_nistp {
	EVP_PKEY *parameters[2]; /* a curve each; keys are made from them */
	struct key keys[2][KEYS_MAX];
	uint64_t uses;
	uint64_t left; /* signatures that will still be verified */
	bool failed;
};

size_t cs_curve_size(enum cs_curve curve)
{
	return curve == CS_P256 ? 32 : 48;
}

static EVP_PKEY *parameters_new(const char *name)
{
	EVP_PKEY *pkey = NULL;
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	bool made = context != NULL && EVP_PKEY_paramgen_init(context) == 1 &&
		    EVP_PKEY_CTX_set_group_name(context, name) == 1 &&
		    EVP_PKEY_paramgen(context, &pkey) == 1;
	EVP_PKEY_CTX_free(context);
	return made ? pkey : NULL;
}

struct cs_nistp *cs_nistp_new(void)
{
	struct cs_nistp *nistp = calloc(1, sizeof *nistp);
	if (nistp == NULL)
		return NULL;
	nistp->left = UINT64_MAX;
	nistp->parameters[CS_P256] = parameters_new("P-256");
	nistp->parameters[CS_P384] = parameters_new("P-384");
	if (nistp->parameters[CS_P256] == NULL || nistp->parameters[CS_P384] == NULL) {
		cs_nistp_free(nistp);
		return NULL;
	}
	return nistp;
}

void cs_nistp_limit(struct cs_nistp *nistp, unsigned signatures)
{
	nistp->left = signatures;
}

enum cs_err cs_nistp_spend(struct cs_nistp *nistp)
{
	if (nistp->left == 0)
		return CS_ERR_TOO_LARGE;
	nistp->left--;
	return CS_OK;
}

void cs_nistp_free(struct cs_nistp *nistp)
{
	if (nistp == NULL)
		return;
	for (size_t curve = 0; curve < CS_LEN(nistp->keys); curve++) {
		for (size_t i = 0; i < KEYS_MAX; i++) {
			EVP_PKEY_CTX_free(nistp->keys[curve][i].context);
			EVP_PKEY_free(nistp->keys[curve][i].pkey);
		}
		EVP_PKEY_free(nistp->parameters[curve]);
	}
	free(nistp);
}

static bool key_init(struct key *key, EVP_PKEY *parameters)
{
	if (key->context != NULL)
		return true;
	EVP_PKEY_free(key->pkey);
	key->pkey = EVP_PKEY_new();
	if (key->pkey == NULL || EVP_PKEY_copy_parameters(key->pkey, parameters) != 1)
		return false;
	key->context = EVP_PKEY_CTX_new(key->pkey, NULL);
	return key->context != NULL;
}

static enum cs_err key_set(struct key *key, EVP_PKEY *parameters, struct cs_bytes point)
{
	uint8_t encoded[1 + CS_NISTP_KEY_SIZE_MAX] = {0x04};
	memcpy(encoded + 1, point.p, point.n);
	memcpy(key->point, point.p, point.n);
	key->is_set = false;
	if (!key_init(key, parameters))
		return CS_ERR_CRYPTO;
	/* The order is prime on both curves: a point on the curve is in the group. */
	if (EVP_PKEY_set1_encoded_public_key(key->pkey, encoded, 1 + point.n) != 1)
		return CS_ERR_WRONG_KEY;
	if (EVP_PKEY_verify_init(key->context) != 1)
		return CS_ERR_CRYPTO;
	key->is_set = true;
	return CS_OK;
}

/* The key that has this point, else the one that was not used for the longest time, with this point. */
static enum cs_err key_find(struct cs_nistp *nistp, enum cs_curve curve, struct cs_bytes point,
			    struct key **out)
{
	struct key *keys = nistp->keys[curve], *oldest = &keys[0];
	for (size_t i = 0; i < KEYS_MAX; i++) {
		if (keys[i].is_set && memcmp(keys[i].point, point.p, point.n) == 0) {
			*out = &keys[i];
			return CS_OK;
		}
		if (keys[i].used < oldest->used)
			oldest = &keys[i];
	}
	*out = oldest;
	return key_set(oldest, nistp->parameters[curve], point);
}

enum cs_err cs_nistp_note(struct cs_nistp *nistp, enum cs_err err)
{
	nistp->failed |= err == CS_ERR_CRYPTO;
	return err;
}

bool cs_nistp_failed(struct cs_nistp *nistp)
{
	bool failed = nistp->failed;
	nistp->failed = false;
	return failed;
}

/* Big-endian without zeros at the front, and one where it would be negative. */
static size_t put_integer(uint8_t *der, const uint8_t *p, size_t n)
{
	while (n > 1 && p[0] == 0) {
		p++;
		n--;
	}
	size_t sign = p[0] >= 0x80 ? 1 : 0;
	der[0] = 0x02;
	der[1] = (uint8_t)(sign + n);
	der[2] = 0;
	memcpy(der + 2 + sign, p, n);
	return 2 + sign + n;
}

enum cs_err cs_nistp_verify(struct cs_nistp *nistp, enum cs_curve curve, struct cs_bytes key,
			    struct cs_bytes digest, struct cs_bytes rs)
{
	size_t size = cs_curve_size(curve);
	uint8_t der[DER_SIZE_MAX] = {0x30};
	struct key *found;
	if (key.n != 2 * size)
		return CS_ERR_WRONG_KEY;
	if (rs.n != 2 * size || digest.n == 0)
		return CS_ERR_BAD_SIGNATURE;
	enum cs_err err = cs_nistp_spend(nistp);
	if (err != CS_OK)
		return err;
	err = key_find(nistp, curve, key, &found);
	if (err == CS_OK) {
		found->used = ++nistp->uses;
		size_t n = 2;
		n += put_integer(der + n, rs.p, size);
		n += put_integer(der + n, rs.p + size, size);
		der[1] = (uint8_t)(n - 2);
		err = EVP_PKEY_verify(found->context, der, n, digest.p, digest.n) == 1
			      ? CS_OK
			      : CS_ERR_BAD_SIGNATURE;
	}
	return err == CS_OK ? err : cs_nistp_note(nistp, cs_ossl_refused(err));
}
