/* Diffie-Hellman over P-256 and P-384 against NIST's vectors (CAVP, "ECC CDH Primitive", count 0 of each
 * curve), and what is refused. */
#include "../support.h"
#include "core/nistp_dh.h"

static const struct row {
	enum cs_curve curve;
	const char *peer, *secret, *own, *shared;
} rows[] = {
	{CS_P256,
	 "700c48f77f56584c5cc632ca65640db91b6bacce3a4df6b42ce7cc838833d287"
	 "db71e509e3fd9b060ddb20ba5c51dcc5948d46fbf640dfe0441782cab85fa4ac",
	 "7d7dc5f71eb29ddaf80d6214632eeae03d9058af1fb6d22ed80badb62bc1a534",
	 "ead218590119e8876b29146ff89ca61770c4edbbf97d38ce385ed281d8a6b230"
	 "28af61281fd35e2fa7002523acc85a429cb06ee6648325389f59edfce1405141",
	 "46fc62106420ff012e54a434fbdd2d25ccc5852060561e68040dd7778997bd7b"},
	{CS_P384,
	 "a7c76b970c3b5fe8b05d2838ae04ab47697b9eaf52e764592efda27fe7513272734466b400091adbf2d68c58e"
	 "0c50066"
	 "ac68f19f2e1cb879aed43a9969b91a0839c4c38a49749b661efedf243451915ed0905a32b060992b468c64766"
	 "fc8437a",
	 "3cc3122a68f0d95027ad38c067916ba0eb8c38894d22e1b15618b6818a661774ad463b205da88cf699ab4d43c"
	 "9cf98a1",
	 "9803807f2f6d2fd966cdd0290bd410c0190352fbec7ff6247de1302df86f25d34fe4a97bef60cff548355c015"
	 "dbb3e5f"
	 "ba26ca69ec2f5b5d9dad20cc9da711383a9dbe34ea3fa5a2af75b46502629ad54dd8b7d73a8abb06a3a3be47d"
	 "650cc99",
	 "5f9d29dc5e31a163060356213669c8ce132e22f57c9a04f40ba7fcead493b457e5621e766c40a2e3d4d6a04b2"
	 "5e533f1"},
};

static struct cs_bytes bytes_at(uint8_t *p, const char *text)
{
	const size_t n = strlen(text) / 2;
	assert_int_equal(cs_unhex(p, n, cs_bytes_str(text)), CS_OK);
	return cs_bytes(p, n);
}

static void nists_numbers(void **state)
{
	(void)state;
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		uint8_t peer[96], secret[48], own[96], shared[48], expected[96];
		const struct cs_bytes q = bytes_at(peer, rows[i].peer),
				      d = bytes_at(secret, rows[i].secret);
		assert_int_equal(cs_nistp_exchange(own, shared, rows[i].curve, d, q), CS_OK);
		assert_memory_equal(own, bytes_at(expected, rows[i].own).p, q.n);
		assert_memory_equal(shared, bytes_at(expected, rows[i].shared).p, d.n);
	}
}

static void what_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		const enum cs_curve curve = rows[i].curve;
		uint8_t peer[96], secret[48], own[96] = {7}, shared[48] = {7}, none[48] = {0},
					      all[48];
		const struct cs_bytes q = bytes_at(peer, rows[i].peer),
				      d = bytes_at(secret, rows[i].secret);
		memset(all, 0xff, sizeof all);
		assert_int_equal(cs_nistp_exchange(own, shared, curve, cs_bytes(none, d.n), q),
				 CS_ERR_INVALID);
		assert_int_equal(cs_nistp_exchange(own, shared, curve, cs_bytes(all, d.n), q),
				 CS_ERR_INVALID);
		assert_int_equal(cs_nistp_exchange(own, shared, curve, cs_bytes(d.p, d.n - 1), q),
				 CS_ERR_INVALID);
		assert_int_equal(cs_nistp_exchange(own, shared, curve, d, cs_bytes(q.p, q.n - 1)),
				 CS_ERR_WRONG_KEY);
		peer[q.n - 1] ^= 1; /* beside the curve */
		assert_int_equal(cs_nistp_exchange(own, shared, curve, d, q), CS_ERR_WRONG_KEY);
		memset(peer, 0xff, q.n);
		assert_int_equal(cs_nistp_exchange(own, shared, curve, d, q), CS_ERR_WRONG_KEY);
		assert_int_equal(own[0] + shared[0], 14); /* untouched */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nists_numbers),
		cmocka_unit_test(what_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
