/* X25519 against RFC 7748's own numbers, HPKE against those of RFC 9180's authors
 * (tests/vectors/hpke), and what must not open. */
#include "../support.h"
#include "core/x25519.h"

static struct cs_secret secret_of(const char *text)
{
	struct cs_secret secret;
	assert_int_equal(cs_unhex(secret.b, sizeof secret.b, cs_bytes_str(text)), CS_OK);
	return secret;
}

static struct cs_x25519_key key_of(const char *text)
{
	struct cs_x25519_key key;
	assert_int_equal(cs_unhex(key.b, sizeof key.b, cs_bytes_str(text)), CS_OK);
	return key;
}

/* RFC 7748, section 5.2. */
static void rfc_7748(void **state)
{
	(void)state;
	struct cs_secret shared;
	const struct cs_secret scalar =
		secret_of("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
	const struct cs_x25519_key u =
		key_of("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
	assert_int_equal(cs_x25519(&shared, &scalar, &u), CS_OK);
	const struct cs_secret expected =
		secret_of("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
	assert_memory_equal(shared.b, expected.b, 32);
}

static void weak_keys_are_refused(void **state)
{
	(void)state;
	/* Points of order 1, 2, 4 and 8 (RFC 7748, section 7; Curve25519's page lists them). */
	static const char *const weak[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};
	const struct cs_secret own =
		secret_of("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
	for (size_t i = 0; i < CS_LEN(weak); i++) {
		struct cs_secret shared = {{7}};
		uint8_t out[CS_HPKE_OVERHEAD + 1] = {0};
		const struct cs_x25519_key key = key_of(weak[i]);
		assert_int_equal(cs_x25519(&shared, &own, &key), CS_ERR_WRONG_KEY);
		assert_int_equal(shared.b[0], 7);
		assert_int_equal(cs_hpke_seal(out, &key, &own, CS_BYTES_NONE, CS_BYTES_NONE,
					      cs_bytes("x", 1)),
				 CS_ERR_WRONG_KEY);
		memcpy(out, key.b, 32);
		assert_int_equal(
			cs_hpke_open(out, &own, CS_BYTES_NONE, CS_BYTES_NONE, CS_BYTES_OF(out)),
			CS_ERR_WRONG_KEY);
	}
}

static void hpke_vectors(void **state)
{
	(void)state;
	json_t *all = read_json(CS_VECTORS "/hpke/x25519-sha256-aes256gcm-base.json");
	assert_true(json_array_size(all) > 0);
	size_t i;
	json_t *v;
	json_array_foreach(all, i, v)
	{
		const struct cs_secret ephemeral = secret_of(text_of(v, "skEm"));
		const struct cs_secret own = secret_of(text_of(v, "skRm"));
		const struct cs_x25519_key recipient = key_of(text_of(v, "pkRm"));
		const struct cs_bytes plain = bytes_of(v, "pt"), cipher = bytes_of(v, "ct");
		const struct cs_bytes enc = bytes_of(v, "enc");
		struct cs_x25519_key public;
		uint8_t out[256], back[256];
		assert_int_equal(cs_x25519_public(&public, &own), CS_OK);
		assert_memory_equal(public.b, recipient.b, 32);
		assert_int_equal(cs_hpke_seal(out, &recipient, &ephemeral, bytes_of(v, "info"),
					      bytes_of(v, "aad"), plain),
				 CS_OK);
		assert_memory_equal(out, enc.p, 32);
		assert_memory_equal(out + 32, cipher.p, cipher.n);
		const struct cs_bytes sealed = cs_bytes(out, 32 + cipher.n);
		assert_int_equal(
			cs_hpke_open(back, &own, bytes_of(v, "info"), bytes_of(v, "aad"), sealed),
			CS_OK);
		assert_memory_equal(back, plain.p, plain.n);
		/* Every byte counts, and so do info and aad. */
		for (size_t at = 0; at < sealed.n; at++) {
			out[at] ^= 1;
			const enum cs_err err = cs_hpke_open(back, &own, bytes_of(v, "info"),
							     bytes_of(v, "aad"), sealed);
			assert_true(err == CS_ERR_SEAL_BROKEN);
			out[at] ^= 1;
		}
		assert_int_equal(
			cs_hpke_open(back, &own, CS_BYTES_NONE, bytes_of(v, "aad"), sealed),
			CS_ERR_SEAL_BROKEN);
		assert_int_equal(
			cs_hpke_open(back, &own, bytes_of(v, "info"), CS_BYTES_NONE, sealed),
			CS_ERR_SEAL_BROKEN);
		assert_int_equal(cs_hpke_open(back, &ephemeral, bytes_of(v, "info"),
					      bytes_of(v, "aad"), sealed),
				 CS_ERR_SEAL_BROKEN);
		assert_int_equal(cs_hpke_open(back, &own, bytes_of(v, "info"), bytes_of(v, "aad"),
					      cs_bytes(out, CS_HPKE_OVERHEAD - 1)),
				 CS_ERR_TRUNCATED);
	}
	json_decref(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_7748),
		cmocka_unit_test(weak_keys_are_refused),
		cmocka_unit_test(hpke_vectors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
