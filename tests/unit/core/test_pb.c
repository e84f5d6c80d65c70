#include "core/pb.h"
#include "tests/unit/support.h"

static struct cs_buf buf_of(size_t size)
{
	struct cs_buf buf;
	cs_buf_init(&buf, keep(size), size);
	return buf;
}

static void is(const struct cs_buf *buf, const char *hex)
{
	assert_ok(cs_buf_end(buf));
	assert_bytes(cs_buf_view(buf), unhex(hex));
}

/* protobuf.dev/programming-guides/encoding: the examples of the page. */
static void test_published(void **state)
{
	(void)state;
	struct cs_buf buf = buf_of(64);
	cs_pb_put_uint(&buf, 1, 150);
	is(&buf, "089601");
	buf.n = 0;
	cs_pb_put_bytes(&buf, 2, cs_bytes_str("testing"));
	is(&buf, "120774657374696e67");
	buf.n = 0;
	size_t begin = cs_pb_begin(&buf, 3);
	cs_pb_put_uint(&buf, 1, 150);
	cs_pb_end(&buf, begin);
	is(&buf, "1a03089601");
	buf.n = 0;
	cs_pb_put_int(&buf, 1, -2);
	is(&buf, "08feffffffffffffffff01");
	buf.n = 0;
	cs_pb_put_sint(&buf, 1, -2);
	cs_pb_put_sint(&buf, 2, INT32_MAX);
	cs_pb_put_sint(&buf, 3, INT32_MIN);
	is(&buf, "080310feffffff0f18ffffffff0f");
}

static void test_nothing_for_zero(void **state)
{
	(void)state;
	struct cs_buf buf = buf_of(64);
	cs_pb_put_uint(&buf, 1, 0);
	cs_pb_put_int(&buf, 2, 0);
	cs_pb_put_sint(&buf, 3, 0);
	cs_pb_put_fixed64(&buf, 4, 0);
	cs_pb_put_sfixed64(&buf, 5, 0);
	cs_pb_put_bytes(&buf, 6, CS_BYTES_NONE);
	assert_int_equal(buf.n, 0);
	cs_pb_put_element(&buf, 7, CS_BYTES_NONE);
	cs_pb_put_time(&buf, 8, (struct cs_pb_time){0, 0});
	cs_pb_put_duration(&buf, 9, 0);
	is(&buf, "3a0042004a00");
}

static void test_times(void **state)
{
	(void)state;
	const struct cs_pb_time times[] = {{0, 0},
					   {0, 1},
					   {1, 0},
					   {-1, 999999999},
					   {1700000000, 5},
					   CS_PB_TIME_ZERO,
					   {CS_PB_TIME_MAX_S, CS_PB_TIME_NS_MAX}};
	const struct cs_pb_time wrong[] = {{CS_PB_TIME_MIN_S - 1, 0},
					   {CS_PB_TIME_MAX_S + 1, 0},
					   {0, -1},
					   {0, CS_PB_TIME_NS_MAX + 1}};
	for (size_t i = 0; i < CS_LEN(times); i++) {
		struct cs_buf buf = buf_of(32);
		struct cs_pb pb;
		cs_pb_put_time(&buf, 3, times[i]);
		cs_pb_open(&pb, cs_buf_view(&buf));
		assert_int_equal(cs_pb_time_cmp(cs_pb_time(&pb, 3), times[i]), 0);
		assert_ok(cs_pb_close(&pb));
		assert_int_equal(cs_pb_time_cmp(times[i], times[(i + 1) % CS_LEN(times)]),
				 -cs_pb_time_cmp(times[(i + 1) % CS_LEN(times)], times[i]));
	}
	for (size_t i = 0; i < CS_LEN(wrong); i++) {
		struct cs_buf buf = buf_of(32);
		struct cs_pb pb;
		cs_pb_put_time(&buf, 3, wrong[i]);
		assert_err(cs_buf_end(&buf), CS_ERR_TOO_LARGE);
		buf = buf_of(32);
		size_t begin = cs_pb_begin(&buf, 3);
		cs_pb_put_int(&buf, 1, wrong[i].s);
		cs_pb_put_int(&buf, 2, wrong[i].ns);
		cs_pb_end(&buf, begin);
		cs_pb_open(&pb, cs_buf_view(&buf));
		(void)cs_pb_time(&pb, 3);
		assert_err(cs_pb_close(&pb), CS_ERR_INVALID);
	}
	struct cs_pb pb;
	cs_pb_open(&pb, CS_BYTES_NONE);
	(void)cs_pb_time(&pb, 3);
	assert_err(cs_pb_close(&pb), CS_ERR_MISSING_FIELD);
}

static void test_durations(void **state)
{
	(void)state;
	const int64_t all[] = {0, 1, -1, 1000000000, -1000000001, INT64_MAX, INT64_MIN};
	for (size_t i = 0; i < CS_LEN(all); i++) {
		struct cs_buf buf = buf_of(32);
		struct cs_pb pb;
		cs_pb_put_duration(&buf, 1, all[i]);
		cs_pb_open(&pb, cs_buf_view(&buf));
		assert_int_equal(cs_pb_duration(&pb, 1), all[i]);
		assert_ok(cs_pb_close(&pb));
	}
	static const struct {
		const char *hex;
		enum cs_err err;
	} wrong[] = {
		{"0a04080110ff", CS_ERR_TRUNCATED},
		{"0a0d080110ffffffffffffffffff01", CS_ERR_INVALID}, /* 1 s - 1 ns */
		{"0a061080a8d6b907", CS_ERR_INVALID},               /* 2,000,000,000 ns */
		{"0a0708808080808020", CS_ERR_OVERFLOW},
		{"", CS_ERR_MISSING_FIELD},
	};
	for (size_t i = 0; i < CS_LEN(wrong); i++) {
		struct cs_pb pb;
		cs_pb_open(&pb, unhex(wrong[i].hex));
		(void)cs_pb_duration(&pb, 1);
		assert_err(cs_pb_close(&pb), wrong[i].err);
	}
}

static void test_numbers(void **state)
{
	(void)state;
	const int64_t all[] = {1, -1, 127, 128, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
	for (size_t i = 0; i < CS_LEN(all); i++) {
		struct cs_buf buf = buf_of(64);
		struct cs_pb pb;
		bool narrow = all[i] >= INT32_MIN && all[i] <= INT32_MAX;
		cs_pb_put_int(&buf, 1, all[i]);
		cs_pb_put_sint(&buf, 2, all[i]);
		cs_pb_put_sfixed64(&buf, 3, all[i]);
		cs_pb_put_int(&buf, 4, all[i]);
		cs_pb_open(&pb, cs_buf_view(&buf));
		assert_int_equal(cs_pb_int64(&pb, 1), all[i]);
		assert_int_equal(cs_pb_sint64(&pb, 2), all[i]);
		assert_int_equal(cs_pb_sfixed64(&pb, 3), all[i]);
		assert_int_equal(cs_pb_int32(&pb, 4), narrow ? all[i] : 0);
		assert_err(cs_pb_close(&pb), narrow ? CS_OK : CS_ERR_OVERFLOW);
	}
	struct cs_pb pb;
	cs_pb_open(&pb, unhex("0801"));
	assert_true(cs_pb_bool(&pb, 1));
	assert_ok(cs_pb_close(&pb));
	cs_pb_open(&pb, unhex("0802"));
	assert_false(cs_pb_bool(&pb, 1));
	assert_err(cs_pb_close(&pb), CS_ERR_OVERFLOW);
	for (uint64_t v = 1, n = 1; n <= 9; n++, v <<= 7) {
		assert_int_equal(cs_pb_varint_size(v), n);
		assert_int_equal(cs_pb_varint_size((v << 7) - 1), n);
	}
	assert_int_equal(cs_pb_varint_size(UINT64_MAX), CS_PB_VARINT_SIZE_MAX);
}

/* What a reader of {1: uint32 ≤ 100, 2: bytes ≤ 4, 3: repeated bytes, 5: message {1: uint}}
 * says. */
static enum cs_err read(const char *hex)
{
	struct cs_pb pb, inner;
	struct cs_bytes one;
	cs_pb_open(&pb, unhex(hex));
	(void)cs_pb_uint(&pb, 1, 100);
	(void)cs_pb_bytes(&pb, 2, 4);
	size_t count = cs_pb_count(&pb, 3, 2), seen = 0;
	while (cs_pb_element(&pb, 3, &one, 8))
		seen++;
	if (pb.err == CS_OK)
		assert_int_equal(seen, count);
	if (cs_pb_enter(&pb, 5, &inner))
		(void)cs_pb_uint(&inner, 1, UINT64_MAX);
	cs_pb_leave(&pb, &inner);
	return cs_pb_close(&pb);
}

static void test_canonical(void **state)
{
	(void)state;
	static const struct {
		const char *hex;
		enum cs_err err;
	} all[] = {
		{"", CS_OK},
		{"0801", CS_OK},
		{"0801120161", CS_OK},
		{"08011201611a001a0162", CS_OK},
		{"2a00", CS_OK},
		{"2a020801", CS_OK},
		{"0800", CS_ERR_NON_CANONICAL},       /* a zero that is there */
		{"08818000", CS_ERR_NON_CANONICAL},   /* 1, longer than it needs to be */
		{"88800001", CS_ERR_NON_CANONICAL},   /* the same of a tag */
		{"1281800061", CS_ERR_NON_CANONICAL}, /* and of a length */
		{"1200", CS_ERR_NON_CANONICAL},       /* empty bytes that are there */
		{"0865", CS_ERR_OVERFLOW},            /* above its maximum */
		{"12056162636465", CS_ERR_TOO_LARGE},
		{"1a001a001a00", CS_ERR_TOO_LARGE}, /* one element too many */
		{"08010802", CS_ERR_DUPLICATE},
		{"1201610801", CS_ERR_NON_CANONICAL}, /* out of order */
		{"3001", CS_ERR_UNKNOWN_FIELD},
		{"08013001", CS_ERR_UNKNOWN_FIELD},
		{"0d00000000", CS_ERR_MALFORMED}, /* fixed32 where a varint belongs */
		{"0b", CS_ERR_MALFORMED},         /* a group */
		{"0c", CS_ERR_MALFORMED},
		{"0e", CS_ERR_MALFORMED},   /* no type */
		{"0001", CS_ERR_MALFORMED}, /* field 0 */
		{"08", CS_ERR_TRUNCATED},
		{"0880", CS_ERR_TRUNCATED},
		{"1202", CS_ERR_TRUNCATED},
		{"12ffffffffffffffffff01", CS_ERR_TRUNCATED},
		{"08ffffffffffffffffff02", CS_ERR_OVERFLOW},   /* above 64 bits */
		{"08ffffffffffffffffffff01", CS_ERR_OVERFLOW}, /* eleven bytes */
		{"2a021001", CS_ERR_UNKNOWN_FIELD},            /* inside */
		{"2a0408010801", CS_ERR_DUPLICATE},
		{"2a002a00", CS_ERR_DUPLICATE},
		{"8080808010", CS_ERR_MALFORMED}, /* a field above 2^29 */
	};
	for (size_t i = 0; i < CS_LEN(all); i++) {
		enum cs_err err = read(all[i].hex);
		if (err != all[i].err)
			fail_msg("%s: %s, not %s", all[i].hex, cs_err_name(err),
				 cs_err_name(all[i].err));
	}
}

/* After the first failure nothing is read, and the first failure stays. */
static void test_failures_stay(void **state)
{
	(void)state;
	struct cs_pb pb, inner;
	struct cs_bytes one;
	cs_pb_open(&pb, unhex("0800120161"));
	assert_int_equal(cs_pb_uint(&pb, 1, 9), 0);
	assert_int_equal(cs_pb_bytes(&pb, 2, 9).n, 0);
	assert_false(cs_pb_is_next(&pb, 2));
	assert_false(cs_pb_element(&pb, 2, &one, 9));
	assert_int_equal(cs_pb_count(&pb, 2, 9), 0);
	assert_false(cs_pb_enter(&pb, 2, &inner));
	cs_pb_enter_required(&pb, 2, &inner);
	cs_pb_fail(&pb, CS_ERR_INVALID);
	assert_err(cs_pb_close(&pb), CS_ERR_NON_CANONICAL);
	assert_err(cs_pb_close(&pb), CS_ERR_NON_CANONICAL);
}

static void test_any_order(void **state)
{
	(void)state;
	struct cs_bytes rest = unhex("12016108011900000000000000011dffffffff0800");
	const uint32_t numbers[] = {2, 1, 3, 3, 1};
	const enum cs_pb_type types[] = {CS_PB_BYTES, CS_PB_VARINT, CS_PB_FIXED64, CS_PB_FIXED32,
					 CS_PB_VARINT};
	const uint64_t values[] = {0, 1, 1ull << 56, UINT32_MAX, 0};
	for (size_t i = 0; i < CS_LEN(numbers); i++) {
		struct cs_pb_field f;
		assert_ok(cs_pb_next(&rest, &f));
		assert_int_equal(f.number, numbers[i]);
		assert_int_equal(f.type, types[i]);
		assert_int_equal(f.value, values[i]);
	}
	assert_int_equal(rest.n, 0);
	static const char *const broken[] = {"08", "0980", "0d000000", "120261", "13", "07"};
	for (size_t i = 0; i < CS_LEN(broken); i++) {
		struct cs_bytes bytes = unhex(broken[i]), before = bytes;
		struct cs_pb_field f = {.number = 77};
		assert_true(cs_pb_next(&bytes, &f) != CS_OK);
		assert_int_equal(f.number, 77);
		assert_ptr_equal(bytes.p, before.p);
		assert_int_equal(bytes.n, before.n);
	}
}

static void test_delimited(void **state)
{
	(void)state;
	struct cs_buf buf = buf_of(512);
	struct cs_bytes rest, message;
	size_t begin = cs_pb_begin_delimited(&buf);
	cs_put_zeros(&buf, 200);
	cs_pb_end(&buf, begin);
	begin = cs_pb_begin_delimited(&buf);
	cs_pb_end(&buf, begin);
	rest = cs_buf_view(&buf);
	assert_err(cs_pb_take_delimited(&rest, &message, 199), CS_ERR_TOO_LARGE);
	assert_ok(cs_pb_take_delimited(&rest, &message, 200));
	assert_int_equal(message.n, 200);
	assert_ok(cs_pb_take_delimited(&rest, &message, 0));
	assert_int_equal(message.n, 0);
	assert_err(cs_pb_take_delimited(&rest, &message, 0), CS_ERR_TRUNCATED);
	uint64_t value = 7;
	rest = unhex("ffffffffffffffffff01");
	assert_ok(cs_pb_take_varint(&rest, &value));
	assert_true(value == UINT64_MAX && rest.n == 0);
	rest = unhex("ffffffffffffffffff02");
	assert_err(cs_pb_take_varint(&rest, &value), CS_ERR_OVERFLOW);
	assert_true(value == UINT64_MAX && rest.n == 10);
	rest = unhex("0361");
	assert_err(cs_pb_take_delimited(&rest, &message, 9), CS_ERR_TRUNCATED);
	assert_int_equal(rest.n, 2);
}

/* A buffer that is just large enough, and every one that is not. */
static void test_ceilings(void **state)
{
	(void)state;
	for (size_t size = 0; size <= 140; size++) {
		struct cs_buf buf = buf_of(size);
		size_t outer = cs_pb_begin(&buf, 1), inner = cs_pb_begin(&buf, 2);
		cs_put_zeros(&buf, 128);
		cs_pb_end(&buf, inner);
		cs_pb_end(&buf, outer);
		assert_err(cs_buf_end(&buf), size < 134 ? CS_ERR_TOO_LARGE : CS_OK);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published),     cmocka_unit_test(test_nothing_for_zero),
		cmocka_unit_test(test_times),         cmocka_unit_test(test_durations),
		cmocka_unit_test(test_numbers),       cmocka_unit_test(test_canonical),
		cmocka_unit_test(test_failures_stay), cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_delimited),     cmocka_unit_test(test_ceilings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
