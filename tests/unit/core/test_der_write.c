/* What is written is what the strict reader takes, and what X.690 and RFC 5280 say it is. */
#include "core/der_write.h"
#include "core/utc.h"
#include "tests/unit/support.h"

static uint8_t memory[0x20000];

static struct cs_buf buffer(void)
{
	struct cs_buf buf;
	cs_buf_init(&buf, memory, sizeof memory);
	return buf;
}

/* X.690, 8.1.3: the shortest form of a length. */
static void test_lengths(void **state)
{
	(void)state;
	static const struct {
		size_t size;
		const char *head;
	} rows[] = {
		{0, "0400"},      {1, "0401"},         {0x7f, "047f"},       {0x80, "048180"},
		{0xff, "0481ff"}, {0x100, "04820100"}, {0xffff, "0482ffff"},
	};
	static const uint8_t zeros[0xffff];
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		struct cs_buf buf = buffer();
		struct cs_der der;
		struct cs_bytes value;
		cs_der_put(&buf, CS_DER_OCTET_STRING, cs_bytes(zeros, rows[i].size));
		assert_ok(cs_buf_end(&buf));
		const struct cs_bytes head = unhex(rows[i].head);
		assert_bytes(cs_bytes(buf.p, head.n), head);
		der = (struct cs_der){cs_buf_view(&buf)};
		assert_ok(cs_der_get(&der, &value, CS_DER_OCTET_STRING));
		assert_int_equal(value.n, rows[i].size);
		assert_ok(cs_der_end(&der));
	}
}

static void test_too_large(void **state)
{
	(void)state;
	static const uint8_t zeros[0x10000];
	struct cs_buf buf = buffer();
	cs_der_put(&buf, CS_DER_OCTET_STRING, CS_BYTES_OF(zeros));
	assert_err(cs_buf_end(&buf), CS_ERR_TOO_LARGE);
	buf = buffer();
	cs_der_put_extension(&buf, unhex("551d13"), true, cs_bytes(zeros, 0xfff0));
	assert_err(cs_buf_end(&buf), CS_ERR_TOO_LARGE);
	uint8_t small[4];
	struct cs_buf inner;
	cs_buf_init(&inner, small, sizeof small);
	cs_der_put(&inner, CS_DER_OCTET_STRING, cs_bytes(zeros, 8));
	buf = buffer();
	cs_der_put_buf(&buf, CS_DER_SEQUENCE, &inner);
	assert_err(cs_buf_end(&buf), CS_ERR_TOO_LARGE);
}

/* The last second of UTCTime, the first of GeneralizedTime, the last of all. */
static void test_times(void **state)
{
	(void)state;
	static const struct {
		uint64_t seconds;
		const char *text;
		uint8_t tag;
	} rows[] = {
		{0, "700101000000Z", CS_DER_UTC_TIME},
		{UINT64_C(1769817600), "260131000000Z", CS_DER_UTC_TIME},
		{UINT64_C(2524607999), "491231235959Z", CS_DER_UTC_TIME},
		{UINT64_C(2524608000), "20500101000000Z", CS_DER_GENERALIZED_TIME},
		{CS_UTC_SECONDS_MAX, "99991231235959Z", CS_DER_GENERALIZED_TIME},
	};
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		struct cs_buf buf = buffer();
		uint64_t back = 1;
		cs_der_put_time(&buf, rows[i].seconds);
		assert_ok(cs_buf_end(&buf));
		assert_int_equal(buf.p[0], rows[i].tag);
		assert_bytes(cs_bytes(buf.p + 2, buf.n - 2), cs_bytes_str(rows[i].text));
		struct cs_der der = {cs_buf_view(&buf)};
		assert_ok(cs_der_time(&der, &back));
		assert_int_equal(back, rows[i].seconds);
	}
}

static void test_extensions(void **state)
{
	(void)state;
	struct cs_buf buf = buffer();
	cs_der_put_extension(&buf, unhex("551d13"), true, unhex("3000"));
	cs_der_put_extension(&buf, unhex("551d13"), false, unhex("3000"));
	assert_ok(cs_buf_end(&buf));
	assert_bytes(cs_buf_view(&buf), unhex("300c0603551d130101ff04023000"
					      "30090603551d1304023000"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_extensions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
