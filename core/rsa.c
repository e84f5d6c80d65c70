#include "core/rsa.h"

#include "core/ossl.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <string.h>

static bool is_allowed(const struct cs_rsa_key *key)
{
	struct cs_bytes n = key->modulus, e = key->exponent;
	return n.n >= CS_RSA_SIZE_MIN && n.n <= CS_RSA_SIZE_MAX && n.p[0] != 0 &&
	       n.p[n.n - 1] % 2 == 1 && e.n >= 1 && e.n <= 4 && e.p[0] != 0 &&
	       e.p[e.n - 1] % 2 == 1 && (e.n > 1 || e.p[0] >= 3);
}

/* OpenSSL's numbers are in the machine's order: little-endian. */
static void reverse(uint8_t *to, struct cs_bytes from)
{
	for (size_t i = 0; i < from.n; i++)
		to[i] = from.p[from.n - 1 - i];
}

static EVP_PKEY *key_new(const struct cs_rsa_key *key)
{
	uint8_t modulus[CS_RSA_SIZE_MAX], exponent[4];
	reverse(modulus, key->modulus);
	reverse(exponent, key->exponent);
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_N, modulus, key->modulus.n),
		OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_E, exponent, key->exponent.n),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY *pkey = NULL;
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	if (context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
	    EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(context);
	return pkey;
}

static bool set(EVP_PKEY_CTX *context, enum cs_rsa_padding padding, enum cs_digest_kind kind)
{
	const EVP_MD *md = kind == CS_SHA256   ? EVP_sha256()
			   : kind == CS_SHA384 ? EVP_sha384()
					       : EVP_sha512();
	if (EVP_PKEY_verify_init(context) != 1)
		return false;
	if (padding == CS_RSA_PKCS1)
		return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1 &&
		       EVP_PKEY_CTX_set_signature_md(context, md) == 1;
	return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_signature_md(context, md) == 1 &&
	       EVP_PKEY_CTX_set_rsa_mgf1_md(context, md) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
}

enum cs_err cs_rsa_verify(const struct cs_rsa_key *key, enum cs_rsa_padding padding,
			  enum cs_digest_kind kind, const struct cs_digest *digest,
			  struct cs_bytes signature)
{
	if (!is_allowed(key))
		return CS_ERR_WRONG_KEY;
	if (signature.n != key->modulus.n || digest->n != cs_digest_size(kind))
		return CS_ERR_BAD_SIGNATURE;
	EVP_PKEY *pkey = key_new(key);
	EVP_PKEY_CTX *context = pkey == NULL ? NULL : EVP_PKEY_CTX_new(pkey, NULL);
	bool ready = context != NULL && set(context, padding, kind);
	bool good = ready &&
		    EVP_PKEY_verify(context, signature.p, signature.n, digest->b, digest->n) == 1;
	EVP_PKEY_CTX_free(context);
	EVP_PKEY_free(pkey);
	if (good)
		return CS_OK;
	return cs_ossl_refused(ready ? CS_ERR_BAD_SIGNATURE : CS_ERR_CRYPTO);
}

enum cs_err cs_rsa_public(uint8_t *out, const struct cs_rsa_key *key, struct cs_bytes in)
{
	size_t n = in.n;
	if (!is_allowed(key))
		return CS_ERR_WRONG_KEY;
	if (n != key->modulus.n || memcmp(in.p, key->modulus.p, n) >= 0)
		return CS_ERR_INVALID;
	EVP_PKEY *pkey = key_new(key);
	EVP_PKEY_CTX *context = pkey == NULL ? NULL : EVP_PKEY_CTX_new(pkey, NULL);
	bool good = context != NULL && EVP_PKEY_encrypt_init(context) == 1 &&
		    EVP_PKEY_CTX_set_rsa_padding(context, RSA_NO_PADDING) == 1 &&
		    EVP_PKEY_encrypt(context, out, &n, in.p, in.n) == 1 && n == in.n;
	EVP_PKEY_CTX_free(context);
	EVP_PKEY_free(pkey);
	return good ? CS_OK : cs_ossl_refused(CS_ERR_CRYPTO);
}
