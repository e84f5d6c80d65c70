#include "core/digest.h"
#include "core/nistp.h"
#include "tests/unit/support.h"

/* RFC 6979, A.2.5 and A.2.6. */
static const struct {
	enum cs_curve curve;
	enum cs_digest_kind digest;
	const char *key, *message, *rs;
} published[] = {
	{CS_P256, CS_SHA256,
	 "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
	 "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
	 "sample",
	 "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
	 "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"},
	{CS_P256, CS_SHA256,
	 "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
	 "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
	 "test",
	 "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
	 "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083"},
	{CS_P384, CS_SHA384,
	 "ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64def8f0ea9055866064a254515"
	 "480bc"
	 "13"
	 "8015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1288b231c3ae0d4fe7344fd253"
	 "32647"
	 "20",
	 "sample",
	 "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c81a648152e44acf96e36dd1e8"
	 "0fabe"
	 "46"
	 "99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94fa329c145786e679e7b82c71a3"
	 "8628a"
	 "c8"},
};

static const char order_p256[] = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

struct example {
	struct cs_bytes key, digest, rs;
};

static struct example example_at(size_t i)
{
	struct cs_digest digest =
		cs_digest(published[i].digest, cs_bytes_str(published[i].message));
	uint8_t *kept = keep(digest.n);
	memcpy(kept, digest.b, digest.n);
	return (struct example){unhex(published[i].key), cs_bytes(kept, digest.n),
				unhex(published[i].rs)};
}

static struct cs_bytes flipped(struct cs_bytes bytes, size_t bit)
{
	uint8_t *p = keep(bytes.n);
	memcpy(p, bytes.p, bytes.n);
	p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	return cs_bytes(p, bytes.n);
}

static struct cs_nistp *context(void)
{
	struct cs_nistp *nistp = cs_nistp_new();
	assert_non_null(nistp);
	return nistp;
}

static void test_published(void **state)
{
	struct cs_nistp *nistp = context();
	(void)state;
	for (size_t i = 0; i < CS_LEN(published); i++) {
		struct example e = example_at(i);
		assert_ok(cs_nistp_verify(nistp, published[i].curve, e.key, e.digest, e.rs));
	}
	cs_nistp_free(nistp);
	cs_nistp_free(NULL);
}

static void test_every_bit_counts(void **state)
{
	struct cs_nistp *nistp = context();
	struct example e = example_at(0);
	(void)state;
	for (size_t bit = 0; bit < 8 * e.rs.n; bit += 3)
		assert_err(cs_nistp_verify(nistp, CS_P256, e.key, e.digest, flipped(e.rs, bit)),
			   CS_ERR_BAD_SIGNATURE);
	for (size_t bit = 0; bit < 8 * e.digest.n; bit += 3)
		assert_err(cs_nistp_verify(nistp, CS_P256, e.key, flipped(e.digest, bit), e.rs),
			   CS_ERR_BAD_SIGNATURE);
	/* A point with another bit is, but for luck, no point. */
	for (size_t bit = 0; bit < 8 * e.key.n; bit += 7)
		assert_err(cs_nistp_verify(nistp, CS_P256, flipped(e.key, bit), e.digest, e.rs),
			   CS_ERR_WRONG_KEY);
	cs_nistp_free(nistp);
}

static struct cs_bytes pair(const char *r, const char *s)
{
	char text[129];
	(void)snprintf(text, sizeof text, "%s%s", r, s);
	return unhex(text);
}

/* r and s of 0, of the order and above. */
static void test_ranges(void **state)
{
	static const char zero[] =
		"0000000000000000000000000000000000000000000000000000000000000000";
	static const char one[] =
		"0000000000000000000000000000000000000000000000000000000000000001";
	static const char most[] =
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
	const char *const bad[] = {zero, order_p256, most};
	struct cs_nistp *nistp = context();
	struct example e = example_at(0);
	(void)state;
	for (size_t i = 0; i < CS_LEN(bad); i++) {
		assert_err(cs_nistp_verify(nistp, CS_P256, e.key, e.digest, pair(bad[i], one)),
			   CS_ERR_BAD_SIGNATURE);
		assert_err(cs_nistp_verify(nistp, CS_P256, e.key, e.digest, pair(one, bad[i])),
			   CS_ERR_BAD_SIGNATURE);
	}
	cs_nistp_free(nistp);
}

static void test_sizes(void **state)
{
	struct cs_nistp *nistp = context();
	struct example e = example_at(0);
	(void)state;
	assert_err(cs_nistp_verify(nistp, CS_P256, cs_bytes(e.key.p, 63), e.digest, e.rs),
		   CS_ERR_WRONG_KEY);
	assert_err(cs_nistp_verify(nistp, CS_P384, e.key, e.digest, e.rs), CS_ERR_WRONG_KEY);
	assert_err(cs_nistp_verify(nistp, CS_P256, e.key, e.digest, cs_bytes(e.rs.p, 63)),
		   CS_ERR_BAD_SIGNATURE);
	assert_err(cs_nistp_verify(nistp, CS_P256, e.key, CS_BYTES_NONE, e.rs),
		   CS_ERR_BAD_SIGNATURE);
	/* Of a longer digest the left part counts. */
	uint8_t longer[48] = {0};
	memcpy(longer, e.digest.p, 32);
	assert_ok(cs_nistp_verify(nistp, CS_P256, e.key, CS_BYTES_OF(longer), e.rs));
	/* Neither zeros, the point at infinity, nor coordinates above the field. */
	uint8_t point[64] = {0};
	assert_err(cs_nistp_verify(nistp, CS_P256, CS_BYTES_OF(point), e.digest, e.rs),
		   CS_ERR_WRONG_KEY);
	memset(point, 0xff, sizeof point);
	assert_err(cs_nistp_verify(nistp, CS_P256, CS_BYTES_OF(point), e.digest, e.rs),
		   CS_ERR_WRONG_KEY);
	cs_nistp_free(nistp);
}

/* More keys than are kept, in turns, with a bad one between: no answer changes. */
static void test_keys_that_come_and_go(void **state)
{
	static const char multiples[][129] = {
		/* 1, 2 and 3 times the generator (FIPS 186-4's base point; NIST's point tables) */
		"6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
		"4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
		"7cf27b188d034f7e8a52380304b51ac3c08969e277f21b35a60b48fc47669978"
		"07775510db8ed040293d9ac69f7430dbba7dade63ce982299e04b79d227873d1",
		"5ecbe4d1a6330a44c8f7ef951d4bf165e6c6b721efada985fb41661bc6e7fd6c"
		"8734640c4998ff7e374b06ce1a64a2ecd82ab036384fb83d9a79b127a27d5032",
	};
	struct cs_nistp *nistp = context();
	struct example e = example_at(0), wide = example_at(2);
	(void)state;
	for (size_t round = 0; round < 60; round++) {
		struct cs_bytes other = unhex(multiples[round % CS_LEN(multiples)]);
		/* No signature of theirs. */
		assert_err(cs_nistp_verify(nistp, CS_P256, other, e.digest, e.rs),
			   CS_ERR_BAD_SIGNATURE);
		assert_err(cs_nistp_verify(nistp, CS_P256, flipped(other, round), e.digest, e.rs),
			   CS_ERR_WRONG_KEY);
		assert_ok(cs_nistp_verify(nistp, CS_P256, e.key, e.digest, e.rs));
		assert_ok(cs_nistp_verify(nistp, CS_P384, wide.key, wide.digest, wide.rs));
	}
	cs_nistp_free(nistp);
}

/* What is over the limit is not looked at, good or bad; a size that is none does not count. */
static void test_limit(void **state)
{
	struct cs_nistp *nistp = context();
	struct example e = example_at(0);
	(void)state;
	cs_nistp_limit(nistp, 2);
	assert_ok(cs_nistp_verify(nistp, CS_P256, e.key, e.digest, e.rs));
	assert_err(cs_nistp_verify(nistp, CS_P384, e.key, e.digest, e.rs), CS_ERR_WRONG_KEY);
	assert_err(cs_nistp_verify(nistp, CS_P256, e.key, e.digest, flipped(e.rs, 9)),
		   CS_ERR_BAD_SIGNATURE);
	assert_err(cs_nistp_verify(nistp, CS_P256, e.key, e.digest, e.rs), CS_ERR_TOO_LARGE);
	cs_nistp_limit(nistp, 2);
	assert_ok(cs_nistp_spend(nistp));
	assert_ok(cs_nistp_verify(nistp, CS_P256, e.key, e.digest, e.rs));
	assert_err(cs_nistp_spend(nistp), CS_ERR_TOO_LARGE);
	cs_nistp_free(nistp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published),
		cmocka_unit_test(test_every_bit_counts),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_keys_that_come_and_go),
		cmocka_unit_test(test_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
