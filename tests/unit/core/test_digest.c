#include "core/digest.h"
#include "tests/unit/support.h"

/* FIPS 180-4's examples: the empty message, "abc", and the one of two blocks. */
static const struct {
	const char *message;
	const char *digests[3];
} published[] = {
	{"",
	 {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	  "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f1"
	  "489"
	  "8b95b",
	  "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2"
	  "877"
	  "eec2f63b931bd47417a81a538327af927da3e"}},
	{"abc",
	 {"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	  "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca1"
	  "34c"
	  "825a7",
	  "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23"
	  "a3f"
	  "eebbd454d4423643ce80e2a9ac94fa54ca49f"}},
	{"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrl"
	 "mn"
	 "opqrsmnopqrstnopqrstu",
	 {"cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
	  "09330c33f71147e83d192fc782cd1b4753111b173b3b05d22fa08086e3b0f712fcc7c71a557e2db966c3e9fa"
	  "917"
	  "46039",
	  "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018501d289e4900f7e4331b99de"
	  "c4b"
	  "5433ac7d329eeb6dd26545e96e55b874be909"}},
};

static void test_published(void **state)
{
	(void)state;
	for (size_t i = 0; i < CS_LEN(published); i++) {
		for (enum cs_digest_kind kind = CS_SHA256; kind <= CS_SHA512; kind++) {
			struct cs_bytes message = cs_bytes_str(published[i].message);
			struct cs_bytes want = unhex(published[i].digests[kind]);
			struct cs_digest digest = cs_digest(kind, message);
			assert_int_equal(cs_digest_size(kind), want.n);
			assert_bytes(cs_digest_view(&digest), want);
		}
	}
}

static void test_join(void **state)
{
	(void)state;
	struct cs_bytes whole = cs_bytes_str(published[2].message);
	for (enum cs_digest_kind kind = CS_SHA256; kind <= CS_SHA512; kind++) {
		for (size_t n = 0; n <= whole.n; n++) {
			const struct cs_bytes pieces[] = {cs_bytes(whole.p, n),
							  cs_bytes(whole.p + n, whole.n - n)};
			struct cs_digest digest = cs_digest_join(kind, pieces, 2);
			assert_bytes(cs_digest_view(&digest), unhex(published[2].digests[kind]));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published),
		cmocka_unit_test(test_join),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
