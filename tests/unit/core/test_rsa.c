/* What OpenSSL's own signer makes, and what must not verify. Signatures from outside (AMD's PSS of 4096
 * bits, Google's PKCS#1 v1.5) are in unit/verify/attest/x509. */
#include "core/rsa.h"
#include "tests/unit/support.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

static EVP_PKEY *private_key;
static struct cs_rsa_key public_key;

static struct cs_bytes number(const char *name)
{
	BIGNUM *value = NULL;
	assert_int_equal(EVP_PKEY_get_bn_param(private_key, name, &value), 1);
	size_t n = (size_t)BN_num_bytes(value);
	uint8_t *p = keep(n);
	assert_int_equal(BN_bn2bin(value, p), n);
	BN_free(value);
	return cs_bytes(p, n);
}

static int make_key(void **state)
{
	(void)state;
	private_key = EVP_RSA_gen(2048);
	assert_non_null(private_key);
	public_key.modulus = number(OSSL_PKEY_PARAM_RSA_N);
	public_key.exponent = number(OSSL_PKEY_PARAM_RSA_E);
	return 0;
}

static int free_key(void **state)
{
	(void)state;
	EVP_PKEY_free(private_key);
	return 0;
}

static struct cs_bytes sign(enum cs_rsa_padding padding, enum cs_digest_kind kind,
			    const struct cs_digest *digest, int salt)
{
	const EVP_MD *md = kind == CS_SHA256   ? EVP_sha256()
			   : kind == CS_SHA384 ? EVP_sha384()
					       : EVP_sha512();
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(private_key, NULL);
	size_t n = 256;
	uint8_t *p = keep(n);
	assert_int_equal(EVP_PKEY_sign_init(context), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(context, padding == CS_RSA_PSS
								       ? RSA_PKCS1_PSS_PADDING
								       : RSA_PKCS1_PADDING),
			 1);
	assert_int_equal(EVP_PKEY_CTX_set_signature_md(context, md), 1);
	if (padding == CS_RSA_PSS)
		assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(context, salt), 1);
	assert_int_equal(EVP_PKEY_sign(context, p, &n, digest->b, digest->n), 1);
	EVP_PKEY_CTX_free(context);
	return cs_bytes(p, n);
}

static void test_each_padding_and_hash(void **state)
{
	(void)state;
	for (enum cs_digest_kind kind = CS_SHA256; kind <= CS_SHA512; kind++) {
		struct cs_digest digest = cs_digest(kind, cs_bytes_str("message"));
		for (enum cs_rsa_padding padding = CS_RSA_PKCS1; padding <= CS_RSA_PSS; padding++) {
			enum cs_rsa_padding other =
				padding == CS_RSA_PSS ? CS_RSA_PKCS1 : CS_RSA_PSS;
			struct cs_bytes signature =
				sign(padding, kind, &digest, RSA_PSS_SALTLEN_DIGEST);
			assert_ok(cs_rsa_verify(&public_key, padding, kind, &digest, signature));
			assert_err(cs_rsa_verify(&public_key, other, kind, &digest, signature),
				   CS_ERR_BAD_SIGNATURE);
			digest.b[0] ^= 1;
			assert_err(cs_rsa_verify(&public_key, padding, kind, &digest, signature),
				   CS_ERR_BAD_SIGNATURE);
			digest.b[0] ^= 1;
		}
	}
}

static void test_refused_signatures(void **state)
{
	struct cs_digest digest = cs_digest(CS_SHA256, cs_bytes_str("message"));
	struct cs_digest wide = cs_digest(CS_SHA384, cs_bytes_str("message"));
	struct cs_bytes good = sign(CS_RSA_PSS, CS_SHA256, &digest, RSA_PSS_SALTLEN_DIGEST);
	uint8_t changed[257] = {0};
	(void)state;
	/* A salt of another length; a digest of another hash. */
	assert_err(cs_rsa_verify(&public_key, CS_RSA_PSS, CS_SHA256, &digest,
				 sign(CS_RSA_PSS, CS_SHA256, &digest, 20)),
		   CS_ERR_BAD_SIGNATURE);
	assert_err(cs_rsa_verify(&public_key, CS_RSA_PSS, CS_SHA256, &wide, good),
		   CS_ERR_BAD_SIGNATURE);
	for (size_t bit = 0; bit < 8 * good.n; bit += 41) {
		memcpy(changed, good.p, good.n);
		changed[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_err(cs_rsa_verify(&public_key, CS_RSA_PSS, CS_SHA256, &digest,
					 cs_bytes(changed, good.n)),
			   CS_ERR_BAD_SIGNATURE);
	}
	/* Shorter, and longer by a zero in front. */
	assert_err(cs_rsa_verify(&public_key, CS_RSA_PSS, CS_SHA256, &digest,
				 cs_bytes(good.p, good.n - 1)),
		   CS_ERR_BAD_SIGNATURE);
	changed[0] = 0;
	memcpy(changed + 1, good.p, good.n);
	assert_err(cs_rsa_verify(&public_key, CS_RSA_PSS, CS_SHA256, &digest,
				 cs_bytes(changed, good.n + 1)),
		   CS_ERR_BAD_SIGNATURE);
	/* The modulus itself, which is 0. */
	assert_err(cs_rsa_verify(&public_key, CS_RSA_PKCS1, CS_SHA256, &digest, public_key.modulus),
		   CS_ERR_BAD_SIGNATURE);
}

static void test_refused_keys(void **state)
{
	static const char *const exponents[] = {"01",     "02",         "00", "0003",
						"010000", "0100000001", ""};
	struct cs_digest digest = cs_digest(CS_SHA256, cs_bytes_str("message"));
	struct cs_bytes good = sign(CS_RSA_PKCS1, CS_SHA256, &digest, 0);
	uint8_t modulus[513];
	(void)state;
	for (size_t i = 0; i < CS_LEN(exponents); i++) {
		struct cs_rsa_key key = {public_key.modulus, unhex(exponents[i])};
		assert_err(cs_rsa_verify(&key, CS_RSA_PKCS1, CS_SHA256, &digest, good),
			   CS_ERR_WRONG_KEY);
	}
	static const size_t sizes[] = {0, 1, 128, 255, 513};
	memset(modulus, 0xff, sizeof modulus);
	for (size_t i = 0; i < CS_LEN(sizes); i++) {
		struct cs_rsa_key key = {cs_bytes(modulus, sizes[i]), public_key.exponent};
		assert_err(cs_rsa_verify(&key, CS_RSA_PKCS1, CS_SHA256, &digest,
					 cs_bytes(modulus, sizes[i])),
			   CS_ERR_WRONG_KEY);
	}
	/* Even, and with a zero in front. */
	struct cs_rsa_key key = {cs_bytes(modulus, 256), public_key.exponent};
	modulus[255] = 0xfe;
	assert_err(cs_rsa_verify(&key, CS_RSA_PKCS1, CS_SHA256, &digest, good), CS_ERR_WRONG_KEY);
	modulus[255] = 0xff;
	modulus[0] = 0;
	assert_err(cs_rsa_verify(&key, CS_RSA_PKCS1, CS_SHA256, &digest, good), CS_ERR_WRONG_KEY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_padding_and_hash),
		cmocka_unit_test(test_refused_signatures),
		cmocka_unit_test(test_refused_keys),
	};
	return cmocka_run_group_tests(tests, make_key, free_key);
}
