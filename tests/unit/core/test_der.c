#include "core/der.h"
#include "tests/unit/support.h"

static struct cs_der der_of(const char *hex)
{
	return (struct cs_der){unhex(hex)};
}

/* ---- headers (X.690, 8.1) ---- */

static void test_next(void **state)
{
	(void)state;
	struct cs_der der = der_of("30030201050500");
	struct cs_der_item item;
	assert_ok(cs_der_next(&der, &item));
	assert_int_equal(item.tag, CS_DER_SEQUENCE);
	assert_bytes(item.value, unhex("020105"));
	assert_bytes(item.whole, unhex("3003020105"));
	assert_true(cs_der_is(&der, CS_DER_NULL));
	assert_err(cs_der_end(&der), CS_ERR_TRAILING);
	assert_ok(cs_der_next(&der, &item));
	assert_int_equal(item.value.n, 0);
	assert_false(cs_der_more(&der));
	assert_ok(cs_der_end(&der));
}

static void test_long_length(void **state)
{
	(void)state;
	uint8_t bytes[4 + 256] = {0x04, 0x82, 0x01, 0x00};
	struct cs_der der = {CS_BYTES_OF(bytes)};
	struct cs_bytes value;
	assert_ok(cs_der_get(&der, &value, CS_DER_OCTET_STRING));
	assert_int_equal(value.n, 256);
}

static void test_refused_headers(void **state)
{
	static const struct {
		const char *hex;
		enum cs_err err;
	} all[] = {
		{"", CS_ERR_TRUNCATED},
		{"30", CS_ERR_TRUNCATED},
		{"3001", CS_ERR_TRUNCATED},
		{"308101", CS_ERR_NON_CANONICAL},
		{"3082", CS_ERR_TRUNCATED},
		{"30820001", CS_ERR_NON_CANONICAL},
		{"30810500", CS_ERR_NON_CANONICAL},
		{"3080020105", CS_ERR_MALFORMED}, /* indefinite */
		{"30808400000000", CS_ERR_MALFORMED},
		{"3084000000010500", CS_ERR_MALFORMED},
		{"30ff", CS_ERR_MALFORMED},
		{"1f0500", CS_ERR_MALFORMED}, /* a tag of more than one byte */
		{"bf200500", CS_ERR_MALFORMED},
		{"3083ffffff00", CS_ERR_TRUNCATED},
	};
	(void)state;
	for (size_t i = 0; i < CS_LEN(all); i++) {
		struct cs_der der = der_of(all[i].hex), before = der;
		struct cs_der_item item;
		assert_err(cs_der_next(&der, &item), all[i].err);
		assert_memory_equal(&der, &before, sizeof der);
	}
}

/* ---- values ---- */

static void test_values(void **state)
{
	struct cs_bytes value;
	struct cs_der der, inner;
	uint64_t number;
	uint8_t small;
	bool yes;
	(void)state;
	der = der_of("0101ff010100");
	assert_ok(cs_der_bool(&der, &yes));
	assert_true(yes);
	assert_ok(cs_der_bool(&der, &yes));
	assert_false(yes);
	der = der_of("020100");
	assert_ok(cs_der_u64(&der, &number));
	assert_int_equal(number, 0);
	der = der_of("020900ffffffffffffffff");
	assert_ok(cs_der_u64(&der, &number));
	assert_int_equal(number, UINT64_MAX);
	der = der_of("02020080");
	assert_ok(cs_der_unsigned(&der, &value));
	assert_bytes(value, unhex("80"));
	der = der_of("020180");
	assert_ok(cs_der_integer(&der, &value));
	assert_bytes(value, unhex("80"));
	der = der_of("0a0102");
	assert_ok(cs_der_enumerated(&der, &small));
	assert_int_equal(small, 2);
	der = der_of("06092a864886f84d010d01");
	assert_ok(cs_der_oid(&der, &value));
	assert_int_equal(value.n, 9);
	der = der_of("030200a5");
	assert_ok(cs_der_bits(&der, &value));
	assert_bytes(value, unhex("a5"));
	assert_ok(cs_der_one(&inner, unhex("3003020105"), CS_DER_SEQUENCE));
	assert_ok(cs_der_u64(&inner, &number));
	assert_int_equal(number, 5);
}

static void test_refused_values(void **state)
{
	struct cs_bytes value;
	struct cs_der der, inner;
	uint64_t number;
	uint8_t small;
	bool yes;
	(void)state;
	der = der_of("010101");
	assert_err(cs_der_bool(&der, &yes), CS_ERR_NON_CANONICAL);
	der = der_of("01020000");
	assert_err(cs_der_bool(&der, &yes), CS_ERR_MALFORMED);
	der = der_of("0200");
	assert_err(cs_der_integer(&der, &value), CS_ERR_MALFORMED);
	der = der_of("0202007f");
	assert_err(cs_der_integer(&der, &value), CS_ERR_NON_CANONICAL);
	der = der_of("0202ff80");
	assert_err(cs_der_integer(&der, &value), CS_ERR_NON_CANONICAL);
	der = der_of("0201ff");
	assert_err(cs_der_unsigned(&der, &value), CS_ERR_INVALID);
	der = der_of("0209010000000000000000");
	assert_err(cs_der_u64(&der, &number), CS_ERR_INVALID);
	der = der_of("0a020080");
	assert_err(cs_der_enumerated(&der, &small), CS_ERR_INVALID);
	der = der_of("0600");
	assert_err(cs_der_oid(&der, &value), CS_ERR_MALFORMED);
	der = der_of("06022a86");
	assert_err(cs_der_oid(&der, &value), CS_ERR_MALFORMED);
	der = der_of("06032a8001");
	assert_err(cs_der_oid(&der, &value), CS_ERR_NON_CANONICAL);
	der = der_of("0300");
	assert_err(cs_der_bits(&der, &value), CS_ERR_MALFORMED);
	der = der_of("030201a4");
	assert_err(cs_der_bits(&der, &value), CS_ERR_MALFORMED);
	der = der_of("020105");
	assert_err(cs_der_get(&der, &value, CS_DER_OCTET_STRING), CS_ERR_INVALID);
	assert_err(cs_der_one(&inner, unhex("300302010500"), CS_DER_SEQUENCE), CS_ERR_TRAILING);
}

static void test_flags(void **state)
{
	static const struct {
		const char *hex;
		enum cs_err err;
		uint16_t flags;
	} all[] = {
		{"03020106", CS_OK, 0x0600}, /* Intel's CAs: keyCertSign, cRLSign */
		{"03020104", CS_OK, 0x0400}, /* AMD's ASK: a zero too many */
		{"030206c0", CS_OK, 0xc000},
		{"0303070080", CS_OK, 0x0080},
		{"030100", CS_OK, 0},
		{"030207c0", CS_ERR_NON_CANONICAL, 0},
		{"030101", CS_ERR_MALFORMED, 0},
		{"030208c0", CS_ERR_MALFORMED, 0},
		{"030400ffffff", CS_ERR_INVALID, 0},
	};
	(void)state;
	for (size_t i = 0; i < CS_LEN(all); i++) {
		struct cs_der der = der_of(all[i].hex);
		uint16_t flags = 0;
		assert_err(cs_der_flags(&der, &flags), all[i].err);
		assert_int_equal(flags, all[i].flags);
	}
}

static struct cs_der time_of(unsigned tag, const char *text)
{
	uint8_t *p = keep(64);
	size_t n = strlen(text);
	p[0] = (uint8_t)tag;
	p[1] = (uint8_t)n;
	memcpy(p + 2, text, n);
	return (struct cs_der){cs_bytes(p, n + 2)};
}

static void test_times(void **state)
{
	static const struct {
		unsigned tag;
		const char *text;
		enum cs_err err;
		uint64_t seconds;
	} all[] = {
		{CS_DER_UTC_TIME, "180521104510Z", CS_OK, 1526899510},
		{CS_DER_UTC_TIME, "491231235959Z", CS_OK, 2524607999},
		{CS_DER_UTC_TIME, "700101000000Z", CS_OK, 0},
		{CS_DER_GENERALIZED_TIME, "99991231235959Z", CS_OK, 253402300799},
		{CS_DER_UTC_TIME, "500101000000Z", CS_ERR_INVALID, 0}, /* 1950 */
		{CS_DER_UTC_TIME, "1805211045Z", CS_ERR_MALFORMED, 0},
		{CS_DER_UTC_TIME, "180521104510+0000", CS_ERR_MALFORMED, 0},
		{CS_DER_UTC_TIME, "18052110451 Z", CS_ERR_INVALID, 0},
		{CS_DER_UTC_TIME, "180229104510Z", CS_ERR_INVALID, 0},
		{CS_DER_UTC_TIME, "180521244510Z", CS_ERR_INVALID, 0},
		{CS_DER_UTC_TIME, "180521104560Z", CS_ERR_INVALID, 0},
		{CS_DER_GENERALIZED_TIME, "20180521104510.5Z", CS_ERR_MALFORMED, 0},
		{CS_DER_GENERALIZED_TIME, "x0180521104510Z", CS_ERR_INVALID, 0},
		{CS_DER_PRINTABLE_STRING, "180521104510Z", CS_ERR_INVALID, 0},
	};
	(void)state;
	for (size_t i = 0; i < CS_LEN(all); i++) {
		struct cs_der der = time_of(all[i].tag, all[i].text);
		uint64_t seconds = 0;
		assert_err(cs_der_time(&der, &seconds), all[i].err);
		assert_int_equal(seconds, all[i].seconds);
	}
}

static void test_ecdsa(void **state)
{
	static const struct {
		const char *hex;
		enum cs_err err;
	} refused[] = {
		{"300602010102010200", CS_ERR_TRAILING},
		{"3003020101", CS_ERR_TRUNCATED},
		{"3009020101020102020103", CS_ERR_TRAILING},
		{"30060201ff020102", CS_ERR_INVALID},
		{"300702020001020102", CS_ERR_NON_CANONICAL},
		{"3008020301000102010200", CS_ERR_TRAILING},
		{"30080203010000020102", CS_ERR_INVALID},
		{"3106020101020102", CS_ERR_INVALID},
	};
	uint8_t rs[4];
	(void)state;
	assert_ok(cs_der_ecdsa(rs, 2, unhex("3006020101020102")));
	assert_bytes(CS_BYTES_OF(rs), unhex("00010002"));
	assert_ok(cs_der_ecdsa(rs, 2, unhex("300a020300ff0102030080ff")));
	assert_bytes(CS_BYTES_OF(rs), unhex("ff0180ff"));
	for (size_t i = 0; i < CS_LEN(refused); i++)
		assert_err(cs_der_ecdsa(rs, 2, unhex(refused[i].hex)), refused[i].err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_long_length),
		cmocka_unit_test(test_refused_headers),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_refused_values),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_ecdsa),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
