#include "core/u256.h"
#include "tests/unit/support.h"

static struct cs_u256 dec(const char *text)
{
	struct cs_u256 value;
	assert_ok(cs_u256_from_decimal(&value, cs_bytes_str(text)));
	return value;
}

static const char max_decimal[] =
	"115792089237316195423570985008687907853269984665640564039457584007913129639935";

static void assert_value(const struct cs_u256 *value, const char *decimal)
{
	char text[CS_U256_DECIMAL_SIZE];
	cs_u256_decimal(text, value);
	assert_string_equal(text, decimal);
}

static void test_decimal(void **state)
{
	(void)state;
	static const char *const good[] = {
		"0",
		"1",
		"9",
		"10",
		"18446744073709551615",
		"18446744073709551616",
		"340282366920938463463374607431768211456",
		max_decimal,
		"100000000000000000000000000000000000000000000000000000000000000000000000000000"};
	static const struct {
		const char *text;
		enum cs_err err;
	} bad[] = {
		{"", CS_ERR_MALFORMED},
		{"-1", CS_ERR_MALFORMED},
		{"+1", CS_ERR_MALFORMED},
		{" 1", CS_ERR_MALFORMED},
		{"1 ", CS_ERR_MALFORMED},
		{"0x1", CS_ERR_MALFORMED},
		{"1e3", CS_ERR_MALFORMED},
		{"00", CS_ERR_NON_CANONICAL},
		{"01", CS_ERR_NON_CANONICAL},
		{"115792089237316195423570985008687907853269984665640564039457584007913129639936",
		 CS_ERR_OVERFLOW},
		{"999999999999999999999999999999999999999999999999999999999999999999999999999999",
		 CS_ERR_OVERFLOW},
		{"1000000000000000000000000000000000000000000000000000000000000000000000000000000",
		 CS_ERR_OVERFLOW},
	};
	for (size_t i = 0; i < CS_LEN(good); i++) {
		struct cs_u256 value = dec(good[i]);
		assert_value(&value, good[i]);
	}
	for (size_t i = 0; i < CS_LEN(bad); i++) {
		struct cs_u256 value = cs_u256_u64(77);
		assert_err(cs_u256_from_decimal(&value, cs_bytes_str(bad[i].text)), bad[i].err);
		assert_int_equal(value.limb[0], 77);
	}
}

static void test_arithmetic(void **state)
{
	(void)state;
	struct cs_u256 max = dec(max_decimal), one = cs_u256_u64(1), zero = cs_u256_u64(0),
		       out = cs_u256_u64(9);
	struct cs_u256 a = dec("340282366920938463463374607431768211455"), b;
	assert_err(cs_u256_add(&out, &max, &one), CS_ERR_OVERFLOW);
	assert_err(cs_u256_sub(&out, &zero, &one), CS_ERR_OVERFLOW);
	assert_int_equal(out.limb[0], 9);
	assert_ok(cs_u256_sub(&out, &max, &max));
	assert_true(cs_u256_is_zero(&out));
	assert_ok(cs_u256_add(&out, &max, &zero));
	assert_value(&out, max_decimal);
	/* Carry and borrow through every limb. */
	assert_ok(cs_u256_add(&b, &a, &one));
	assert_value(&b, "340282366920938463463374607431768211456");
	assert_ok(cs_u256_sub(&b, &b, &one));
	assert_int_equal(cs_u256_cmp(&a, &b), 0);
	/* (2^128 - 1)^2 fits, 2^128 squared does not. */
	assert_ok(cs_u256_mul(&out, &a, &a));
	assert_value(
		&out,
		"115792089237316195423570985008687907852589419931798687112530834793049593217025");
	assert_ok(cs_u256_add(&b, &a, &one));
	assert_err(cs_u256_mul(&out, &b, &b), CS_ERR_OVERFLOW);
	assert_ok(cs_u256_mul(&out, &max, &one));
	assert_err(cs_u256_mul(&out, &max, &a), CS_ERR_OVERFLOW);
	assert_int_equal(cs_u256_cmp(&one, &max), -1);
	assert_int_equal(cs_u256_cmp(&max, &one), 1);
	uint64_t rest;
	b = cs_u256_div_u64(&rest, &max, 10);
	assert_int_equal(rest, 5);
	assert_value(
		&b,
		"11579208923731619542357098500868790785326998466564056403945758400791312963993");
}

/* a = q * d + r for numbers of every width. */
static void test_division(void **state)
{
	(void)state;
	struct cs_u256 a = cs_u256_u64(0x9e3779b97f4a7c15), three = cs_u256_u64(3);
	for (size_t i = 0; i < 120; i++) {
		uint64_t divisor = a.limb[0] | 1, rest;
		struct cs_u256 d = cs_u256_u64(divisor), back,
			       quotient = cs_u256_div_u64(&rest, &a, divisor);
		assert_true(rest < divisor);
		assert_ok(cs_u256_mul(&back, &quotient, &d));
		struct cs_u256 r = cs_u256_u64(rest);
		assert_ok(cs_u256_add(&back, &back, &r));
		assert_int_equal(cs_u256_cmp(&back, &a), 0);
		if (cs_u256_mul(&a, &a, &three) != CS_OK)
			break;
	}
}

static void test_words(void **state)
{
	(void)state;
	static const uint8_t bytes[33] = {1, 2};
	struct cs_u256 value;
	uint64_t small;
	struct cs_hash word =
		hash_of_text("0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20");
	value = cs_u256_from_word(&word);
	assert_int_equal(value.limb[3], 0x0102030405060708);
	assert_hash(cs_u256_word(&value), word);
	assert_err(cs_u256_to_u64(&small, &value), CS_ERR_OVERFLOW);
	assert_ok(cs_u256_from_bytes(&value, cs_bytes(bytes, 2)));
	assert_ok(cs_u256_to_u64(&small, &value));
	assert_int_equal(small, 0x102);
	assert_ok(cs_u256_from_bytes(&value, CS_BYTES_NONE));
	assert_true(cs_u256_is_zero(&value));
	assert_err(cs_u256_from_bytes(&value, CS_BYTES_OF(bytes)), CS_ERR_TOO_LARGE);
	assert_int_equal(cs_u256_size(&value), 0);
	for (size_t n = 1; n <= 32; n++) {
		assert_ok(cs_u256_from_bytes(&value, cs_bytes(bytes, n)));
		assert_int_equal(cs_u256_size(&value), n);
	}
}

static void test_div(void **state)
{
	(void)state;
	struct cs_u256 quotient, rest, back;
	uint64_t seed = 88172645463325252u;
	for (size_t round = 0; round < 5000; round++) {
		struct cs_u256 a = {{0}}, b = {{0}};
		size_t a_size = round % 4 + 1, b_size = round / 4 % 4 + 1;
		for (size_t i = 0; i < 8; i++) {
			seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
			uint64_t limb = seed % 5 == 0 ? UINT64_MAX : seed >> seed % 64;
			if (i < 4 && i < a_size)
				a.limb[i] = limb;
			else if (i >= 4 && i - 4 < b_size)
				b.limb[i - 4] = limb;
		}
		if (cs_u256_is_zero(&b))
			continue;
		cs_u256_div(&quotient, &rest, &a, &b);
		assert_int_equal(cs_u256_cmp(&rest, &b), -1);
		assert_ok(cs_u256_mul(&back, &quotient, &b));
		assert_ok(cs_u256_add(&back, &back, &rest));
		assert_int_equal(cs_u256_cmp(&back, &a), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decimal),
		cmocka_unit_test(test_arithmetic),
		cmocka_unit_test(test_division),
		cmocka_unit_test(test_div),
		cmocka_unit_test(test_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
