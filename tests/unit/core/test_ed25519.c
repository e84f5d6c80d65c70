#include "core/ed25519.h"
#include "tests/unit/support.h"

/* RFC 8032 section 7.1, tests 1 to 3. */
static const struct {
	const char *secret, *public, *message, *signature;
} published[] = {
	{"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
	 "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
	 "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701"
	 "cf9"
	 "b46bd25bf5f0595bbe24655141438e7a100b"},
	{"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
	 "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
	 "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d"
	 "0f1"
	 "1d8c387b2eaeb4302aeeb00d291612bb0c00"},
	{"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
	 "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
	 "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f7609"
	 "84d"
	 "c6594a7c15e9716ed28dc027beceea1ec40a"},
};

static struct cs_secret secret_at(size_t i)
{
	struct cs_secret secret;
	memcpy(secret.b, unhex(published[i].secret).p, sizeof secret.b);
	return secret;
}

static void test_published(void **state)
{
	(void)state;
	for (size_t i = 0; i < CS_LEN(published); i++) {
		struct cs_secret secret = secret_at(i);
		struct cs_bytes message = unhex(published[i].message);
		struct cs_bytes want = unhex(published[i].signature);
		struct cs_ed25519_key key;
		uint8_t signature[CS_ED25519_SIGNATURE_SIZE];
		assert_ok(cs_ed25519_public(&key, &secret));
		assert_bytes(CS_BYTES_OF(key.b), unhex(published[i].public));
		assert_ok(cs_ed25519_sign(signature, &secret, message));
		assert_bytes(CS_BYTES_OF(signature), want);
		assert_ok(cs_ed25519_verify(&key, message, want));
	}
}

static void test_every_bit_counts(void **state)
{
	(void)state;
	struct cs_secret secret = secret_at(1);
	struct cs_ed25519_key key;
	uint8_t signature[CS_ED25519_SIGNATURE_SIZE], message[] = {0x72};
	assert_ok(cs_ed25519_public(&key, &secret));
	memcpy(signature, unhex(published[1].signature).p, sizeof signature);
	for (size_t bit = 0; bit < 8 * sizeof signature; bit++) {
		signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_err(cs_ed25519_verify(&key, CS_BYTES_OF(message), CS_BYTES_OF(signature)),
			   CS_ERR_BAD_SIGNATURE);
		signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (size_t bit = 0; bit < 8 * sizeof key.b; bit++) {
		key.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_err(cs_ed25519_verify(&key, CS_BYTES_OF(message), CS_BYTES_OF(signature)),
			   CS_ERR_BAD_SIGNATURE);
		key.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	message[0] ^= 1;
	assert_err(cs_ed25519_verify(&key, CS_BYTES_OF(message), CS_BYTES_OF(signature)),
		   CS_ERR_BAD_SIGNATURE);
	message[0] ^= 1;
	for (size_t n = 0; n < sizeof signature; n++)
		assert_err(cs_ed25519_verify(&key, CS_BYTES_OF(message), cs_bytes(signature, n)),
			   CS_ERR_BAD_SIGNATURE);
}

/* s + L is the same scalar, and not the same signature: refused, else a signature had a twin. */
static void test_no_second_form(void **state)
{
	(void)state;
	static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a,       0x63,
					  0x12, 0x58, 0xd6, 0x9c, 0xf7,       0xa2,
					  0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
	struct cs_secret secret = secret_at(0);
	struct cs_ed25519_key key;
	uint8_t twin[CS_ED25519_SIGNATURE_SIZE];
	unsigned carry = 0;
	assert_ok(cs_ed25519_public(&key, &secret));
	memcpy(twin, unhex(published[0].signature).p, sizeof twin);
	for (size_t i = 0; i < 32; i++) {
		carry += (unsigned)twin[32 + i] + order[i];
		twin[32 + i] = (uint8_t)carry;
		carry >>= 8;
	}
	assert_int_equal(carry, 0);
	assert_err(cs_ed25519_verify(&key, CS_BYTES_NONE, CS_BYTES_OF(twin)), CS_ERR_BAD_SIGNATURE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published),
		cmocka_unit_test(test_every_bit_counts),
		cmocka_unit_test(test_no_second_form),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
