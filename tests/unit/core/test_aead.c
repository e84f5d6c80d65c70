#include "core/aead.h"
#include "tests/unit/support.h"

static struct cs_secret key_of(const char *text)
{
	struct cs_hash hash = hash_of_text(text);
	struct cs_secret key;
	memcpy(key.b, hash.b, sizeof key.b);
	return key;
}

/* Test cases 13 to 16 of "The Galois/Counter Mode of Operation" (McGrew, Viega), which NIST took
 * over. */
static const struct {
	const char *key, *nonce, *aad, *plain, *sealed;
} cases[] = {
	{"0000000000000000000000000000000000000000000000000000000000000000",
	 "000000000000000000000000", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
	{"0000000000000000000000000000000000000000000000000000000000000000",
	 "000000000000000000000000", "", "00000000000000000000000000000000",
	 "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
	{"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
	 "cafebabefacedbaddecaf888", "",
	 "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	 "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
	 "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
	 "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"
	 "b094dac5d93471bdec1a502270e3cc6c"},
	{"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
	 "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
	 "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	 "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
	 "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
	 "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
	 "76fc6ece0f4e1768cddf8853bb2d551b"},
};

static void test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct cs_secret key = key_of(cases[i].key);
		struct cs_bytes nonce = unhex(cases[i].nonce), aad = unhex(cases[i].aad);
		struct cs_bytes plain = unhex(cases[i].plain), want = unhex(cases[i].sealed);
		uint8_t *sealed = keep(want.n), *opened = keep(plain.n);
		assert_ok(cs_aead_seal(sealed, &key, nonce.p, aad, plain));
		assert_bytes(cs_bytes(sealed, want.n), want);
		assert_ok(cs_aead_open(opened, &key, nonce.p, aad, want));
		assert_bytes(cs_bytes(opened, plain.n), plain);
	}
}

static void test_every_bit(void **state)
{
	(void)state;
	struct cs_secret key = key_of(cases[3].key);
	struct cs_bytes nonce = unhex(cases[3].nonce), aad = unhex(cases[3].aad),
			sealed = unhex(cases[3].sealed);
	struct {
		uint8_t *p;
		size_t n;
	} parts[] = {{keep(sealed.n), sealed.n},
		     {keep(nonce.n), nonce.n},
		     {keep(aad.n), aad.n},
		     {key.b, sizeof key.b}};
	uint8_t opened[128];
	memcpy(parts[0].p, sealed.p, sealed.n);
	memcpy(parts[1].p, nonce.p, nonce.n);
	memcpy(parts[2].p, aad.p, aad.n);
	for (size_t part = 0; part < CS_LEN(parts); part++) {
		for (size_t bit = 0; bit < 8 * parts[part].n; bit++) {
			parts[part].p[bit / 8] ^= (uint8_t)(1u << bit % 8);
			memset(opened, 0xaa, sizeof opened);
			assert_err(cs_aead_open(opened, &key, parts[1].p,
						cs_bytes(parts[2].p, parts[2].n),
						cs_bytes(parts[0].p, parts[0].n)),
				   CS_ERR_SEAL_BROKEN);
			/* Nothing of what was not authentic stays behind. */
			for (size_t i = 0; i < sealed.n - CS_AEAD_TAG_SIZE; i++)
				assert_int_equal(opened[i], 0);
			parts[part].p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}

static void test_sizes(void **state)
{
	(void)state;
	struct cs_secret key = key_of(cases[3].key);
	struct cs_bytes nonce = unhex(cases[3].nonce), sealed = unhex(cases[3].sealed);
	static const uint8_t byte[1] = {0};
	uint8_t out[128];
	for (size_t n = 0; n < sealed.n; n++) {
		enum cs_err err =
			cs_aead_open(out, &key, nonce.p, CS_BYTES_NONE, cs_bytes(sealed.p, n));
		assert_int_equal(err, n < CS_AEAD_TAG_SIZE ? CS_ERR_TRUNCATED : CS_ERR_SEAL_BROKEN);
	}
	/* Refused by its length alone: nothing is read. */
	struct cs_bytes large = {byte, CS_AEAD_SIZE_MAX + 1};
	assert_err(cs_aead_seal(out, &key, nonce.p, CS_BYTES_NONE, large), CS_ERR_TOO_LARGE);
	assert_err(cs_aead_seal(out, &key, nonce.p, large, CS_BYTES_NONE), CS_ERR_TOO_LARGE);
	assert_err(cs_aead_open(out, &key, nonce.p, CS_BYTES_NONE, large), CS_ERR_TOO_LARGE);
	assert_ok(cs_aead_warm());
}

/* RFC 5869, appendix A.1 to A.3. */
static void test_hkdf(void **state)
{
	(void)state;
	static const struct {
		const char *input, *salt, *info, *output;
	} rfc[] = {
		{"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
		 "f0f1f2f3f4f5f6f7f8f9",
		 "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185"
		 "865"},
		{"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223242526272"
		 "8292a2b2c2d2e2f"
		 "303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
		 "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f80818283848586878"
		 "8898a8b8c8d8e8f"
		 "909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
		 "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d"
		 "8d9dadbdcdddedf"
		 "e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
		 "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac782727"
		 "1cb41c65e590e09"
		 "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"},
		{"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
		 "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a9"
		 "6c8"},
	};
	for (size_t i = 0; i < CS_LEN(rfc); i++) {
		struct cs_bytes want = unhex(rfc[i].output);
		uint8_t *out = keep(want.n);
		cs_hkdf(out, want.n, unhex(rfc[i].input), unhex(rfc[i].salt), unhex(rfc[i].info));
		assert_bytes(cs_bytes(out, want.n), want);
	}
	static uint8_t longest[CS_HKDF_SIZE_MAX];
	cs_hkdf(longest, sizeof longest, cs_bytes_str("key"), CS_BYTES_NONE, CS_BYTES_NONE);
	assert_int_not_equal(longest[sizeof longest - 1] | longest[sizeof longest - 2] |
				     longest[sizeof longest - 3],
			     0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_every_bit),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_hkdf),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
