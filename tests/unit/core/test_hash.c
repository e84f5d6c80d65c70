#include "core/hash.h"
#include "tests/unit/support.h"

#include <openssl/evp.h>

/* Known answers: the empty string and "abc" (Keccak team), ERC-20's Transfer topic, and the hash of
 * empty RLP and code. */
static void test_keccak_known(void **state)
{
	(void)state;
	static const struct {
		const char *text, *hash;
	} cases[] = {
		{"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"},
		{"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"},
		{"Transfer(address,address,uint256)",
		 "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"},
		{"\x80", "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"},
		{"\xc0", "1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347"},
		{"The quick brown fox jumps over the lazy dog",
		 "4d741b6f1eb29cb2a9b9911c82f56fa8d73b04959d3d9d222895df6c0b28aa15"},
	};
	for (size_t i = 0; i < CS_LEN(cases); i++)
		assert_hash(cs_keccak256(cs_bytes_str(cases[i].text)), hash_of_text(cases[i].hash));
}

/* FIPS 202's padding differs from Keccak's by one byte of the last block: 0x06 in place of 0x01.
 * With that byte changed, the state that cs_keccak_end would permute is SHA3-256's: an independent
 * implementation of everything else. */
static struct cs_hash sha3_by_ours(struct cs_bytes bytes)
{
	struct cs_keccak keccak;
	cs_keccak_init(&keccak);
	cs_keccak_add(&keccak, bytes);
	/* The padding of ours is XORed onto the state at the end; 0x01 ^ 0x06 put there before
	 * makes it 0x06. */
	((uint8_t *)keccak.state)[keccak.n] ^= 0x01 ^ 0x06;
	return cs_keccak_end(&keccak);
}

static void test_sha3_differential(void **state)
{
	(void)state;
	static uint8_t input[1000];
	EVP_MD *sha3 = EVP_MD_fetch(NULL, "SHA3-256", NULL);
	assert_non_null(sha3);
	for (size_t i = 0; i < sizeof input; i++)
		input[i] = (uint8_t)(i * 7 + i / 256);
	for (size_t n = 0; n <= sizeof input; n++) {
		struct cs_hash theirs;
		unsigned size = 0;
		assert_int_equal(EVP_Digest(input, n, theirs.b, &size, sha3, NULL), 1);
		assert_int_equal(size, 32);
		assert_hash(sha3_by_ours(cs_bytes(input, n)), theirs);
	}
	EVP_MD_free(sha3);
}

/* However the input is cut, the hash is the same. */
static void test_pieces(void **state)
{
	(void)state;
	static uint8_t input[600];
	for (size_t i = 0; i < sizeof input; i++)
		input[i] = (uint8_t)i;
	struct cs_hash whole = cs_keccak256(CS_BYTES_OF(input));
	for (size_t first = 0; first <= sizeof input; first++) {
		for (size_t step = 1; step < 300; step += 67) {
			struct cs_keccak keccak;
			cs_keccak_init(&keccak);
			cs_keccak_add(&keccak, cs_bytes(input, first));
			for (size_t at = first; at < sizeof input; at += step) {
				size_t n = sizeof input - at < step ? sizeof input - at : step;
				cs_keccak_add(&keccak, cs_bytes(input + at, n));
			}
			assert_hash(cs_keccak_end(&keccak), whole);
		}
	}
}

/* FIPS 180-4's examples. */
static void test_sha256(void **state)
{
	(void)state;
	assert_hash(
		cs_sha256(CS_BYTES_NONE),
		hash_of_text("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
	assert_hash(
		cs_sha256(cs_bytes_str("abc")),
		hash_of_text("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
	assert_hash(
		cs_sha256(cs_bytes_str("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
		hash_of_text("248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keccak_known),
		cmocka_unit_test(test_sha3_differential),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_sha256),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
