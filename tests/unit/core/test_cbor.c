#include "core/cbor.h"
#include "tests/unit/support.h"

static struct cs_cbor cbor_of(const char *hex)
{
	struct cs_cbor cbor;
	cs_cbor_init(&cbor, unhex(hex));
	return cbor;
}

/* The encodings of RFC 8949, appendix A, in the forms that are read. */
static const char *const published[] = {
	"00",
	"01",
	"0a",
	"17",
	"1818",
	"1819",
	"1864",
	"1903e8",
	"1a000f4240",
	"1b000000e8d4a51000",
	"1bffffffffffffffff",
	"c249010000000000000000",
	"3bffffffffffffffff",
	"c349010000000000000000",
	"20",
	"29",
	"3863",
	"3903e7",
	"f90000",
	"f98000",
	"f93c00",
	"fb3ff199999999999a",
	"f93e00",
	"f97bff",
	"fa47c35000",
	"fa7f7fffff",
	"fb7e37e43c8800759c",
	"f90001",
	"f90400",
	"f9c400",
	"fbc010666666666666",
	"f97c00",
	"f97e00",
	"f9fc00",
	"fa7f800000",
	"fa7fc00000",
	"faff800000",
	"fb7ff0000000000000",
	"fb7ff8000000000000",
	"fbfff0000000000000",
	"f4",
	"f5",
	"f6",
	"f7",
	"f0",
	"f8ff",
	"c074323031332d30332d32315432303a30343a30305a",
	"c11a514b67b0",
	"c1fb41d452d9e8200000",
	"d74401020304",
	"d818456449455446",
	"d82076687474703a2f2f7777772e6578616d706c652e636f6d",
	"40",
	"4401020304",
	"60",
	"6161",
	"6449455446",
	"62225c",
	"62c3bc",
	"63e6b0b4",
	"64f0908591",
	"80",
	"83010203",
	"8301820203820405",
	"98190102030405060708090a0b0c0d0e0f101112131415161718181819",
	"a0",
	"a201020304",
	"a26161016162820203",
	"826161a161626163",
	"a56161614161626142616361436164614461656145",
};

static void test_published(void **state)
{
	(void)state;
	for (size_t i = 0; i < CS_LEN(published); i++) {
		struct cs_cbor cbor = cbor_of(published[i]);
		assert_ok(cs_cbor_skip(&cbor));
		assert_ok(cs_cbor_end(&cbor));
	}
}

/* No prefix of an item is an item: of all of them, at every length. */
static void test_truncated(void **state)
{
	(void)state;
	for (size_t i = 0; i < CS_LEN(published); i++) {
		const struct cs_bytes whole = unhex(published[i]);
		for (size_t n = 0; n < whole.n; n++) {
			uint8_t *p = keep(n);
			struct cs_cbor cbor;
			memcpy(p, whole.p, n);
			cs_cbor_init(&cbor, cs_bytes(p, n));
			assert_err(cs_cbor_skip(&cbor), CS_ERR_TRUNCATED);
		}
	}
}

static void test_values(void **state)
{
	(void)state;
	static const struct {
		const char *hex;
		uint64_t value;
	} rows[] = {{"00", 0},
		    {"17", 23},
		    {"1818", 24},
		    {"1864", 100},
		    {"1903e8", 1000},
		    {"1a000f4240", 1000000},
		    {"1b000000e8d4a51000", 1000000000000},
		    {"1bffffffffffffffff", UINT64_MAX}};
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		struct cs_cbor cbor = cbor_of(rows[i].hex);
		uint64_t value;
		assert_ok(cs_cbor_uint(&cbor, &value));
		assert_int_equal(value, rows[i].value);
		assert_ok(cs_cbor_end(&cbor));
	}
}

static void test_strings(void **state)
{
	(void)state;
	struct cs_bytes view;
	struct cs_cbor cbor = cbor_of("4401020304");
	assert_ok(cs_cbor_bytes(&cbor, &view));
	assert_bytes(view, unhex("01020304"));
	cbor = cbor_of("63e6b0b4");
	assert_ok(cs_cbor_text(&cbor, &view));
	assert_bytes(view, cs_bytes_str("\xe6\xb0\xb4"));
	cbor = cbor_of("62c328");
	assert_err(cs_cbor_text(&cbor, &view), CS_ERR_MALFORMED);
	assert_err(cs_cbor_skip(&cbor), CS_ERR_MALFORMED);
	cbor = cbor_of("5bffffffffffffffff00");
	assert_err(cs_cbor_bytes(&cbor, &view), CS_ERR_TRUNCATED);
}

static void test_counts(void **state)
{
	(void)state;
	size_t count;
	uint64_t tag;
	struct cs_cbor cbor = cbor_of("d9ea60820102");
	assert_ok(cs_cbor_tag(&cbor, &tag));
	assert_int_equal(tag, 60000);
	assert_ok(cs_cbor_array(&cbor, &count));
	assert_int_equal(count, 2);
	assert_err(cs_cbor_end(&cbor), CS_ERR_TRAILING);
	cbor = cbor_of("a201020304");
	assert_ok(cs_cbor_map(&cbor, &count));
	assert_int_equal(count, 2);
	cbor = cbor_of("9bffffffffffffffff00");
	assert_err(cs_cbor_array(&cbor, &count), CS_ERR_TRUNCATED);
	cbor = cbor_of("bb800000000000000000");
	assert_err(cs_cbor_map(&cbor, &count), CS_ERR_TRUNCATED);
	cbor = cbor_of("a3010203040506");
	assert_ok(cs_cbor_map(&cbor, &count));
	cbor = cbor_of("a30102030405");
	assert_err(cs_cbor_map(&cbor, &count), CS_ERR_TRUNCATED);
}

static void test_types(void **state)
{
	(void)state;
	uint64_t number;
	size_t count;
	struct cs_bytes view;
	struct cs_cbor cbor = cbor_of("01"), before = cbor;
	assert_err(cs_cbor_bytes(&cbor, &view), CS_ERR_INVALID);
	assert_err(cs_cbor_text(&cbor, &view), CS_ERR_INVALID);
	assert_err(cs_cbor_array(&cbor, &count), CS_ERR_INVALID);
	assert_err(cs_cbor_map(&cbor, &count), CS_ERR_INVALID);
	assert_err(cs_cbor_tag(&cbor, &number), CS_ERR_INVALID);
	assert_memory_equal(&cbor, &before, sizeof cbor);
	cbor = cbor_of("20");
	assert_err(cs_cbor_uint(&cbor, &number), CS_ERR_INVALID);
}

/* Heads that are longer than they need be, of indefinite length, reserved. */
static void test_not_strict(void **state)
{
	(void)state;
	static const struct {
		const char *hex;
		enum cs_err err;
	} rows[] = {
		{"1817", CS_ERR_NON_CANONICAL},
		{"1900ff", CS_ERR_NON_CANONICAL},
		{"1a0000ffff", CS_ERR_NON_CANONICAL},
		{"1b00000000ffffffff", CS_ERR_NON_CANONICAL},
		{"3817", CS_ERR_NON_CANONICAL},
		{"580100", CS_ERR_NON_CANONICAL},
		{"7900016161", CS_ERR_NON_CANONICAL},
		{"980100", CS_ERR_NON_CANONICAL},
		{"b8010000", CS_ERR_NON_CANONICAL},
		{"d81700", CS_ERR_NON_CANONICAL},
		{"5f42010243030405ff", CS_ERR_NON_CANONICAL},
		{"7f657374726561646d696e67ff", CS_ERR_NON_CANONICAL},
		{"9fff", CS_ERR_NON_CANONICAL},
		{"bf61610161629f0203ffff", CS_ERR_NON_CANONICAL},
		{"ff", CS_ERR_NON_CANONICAL},
		{"1c", CS_ERR_MALFORMED},
		{"5d", CS_ERR_MALFORMED},
		{"fe", CS_ERR_MALFORMED},
		{"f818", CS_ERR_MALFORMED},
		{"f81f", CS_ERR_MALFORMED},
	};
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		struct cs_cbor cbor = cbor_of(rows[i].hex);
		assert_err(cs_cbor_skip(&cbor), rows[i].err);
	}
}

static void test_depth(void **state)
{
	(void)state;
	char hex[2 * (CS_CBOR_DEPTH_MAX + 2) + 1] = "";
	for (size_t i = 0; i <= CS_CBOR_DEPTH_MAX; i++) {
		struct cs_cbor cbor;
		memset(hex, 0, sizeof hex);
		for (size_t j = 0; j < i; j++)
			memcpy(hex + 2 * j, j % 2 == 0 ? "81" : "c1", 2);
		memcpy(hex + 2 * i, "00", 2);
		cbor = cbor_of(hex);
		assert_ok(cs_cbor_skip(&cbor));
		assert_ok(cs_cbor_end(&cbor));
	}
	for (size_t j = 0; j <= CS_CBOR_DEPTH_MAX; j++)
		memcpy(hex + 2 * j, "81", 2);
	memcpy(hex + 2 * (CS_CBOR_DEPTH_MAX + 1), "00", 2);
	struct cs_cbor cbor = cbor_of(hex);
	assert_err(cs_cbor_skip(&cbor), CS_ERR_TOO_LARGE);
}

static void test_find(void **state)
{
	(void)state;
	struct cs_bytes value;
	/* {"b": [1, 2], "a": 3, 5: "b"} */
	const struct cs_bytes map = unhex("a361628201026161030561"
					  "62");
	assert_ok(cs_cbor_find(&value, map, "a"));
	assert_bytes(value, unhex("03"));
	assert_ok(cs_cbor_find(&value, map, "b"));
	assert_bytes(value, unhex("820102"));
	assert_err(cs_cbor_find(&value, map, "c"), CS_ERR_NOT_FOUND);
	assert_err(cs_cbor_find(&value, unhex("a0"), "a"), CS_ERR_NOT_FOUND);
	assert_err(cs_cbor_find(&value, unhex("a2616101616102"), "a"), CS_ERR_DUPLICATE);
	assert_err(cs_cbor_find(&value, unhex("a2616101010201"), "a"), CS_ERR_TRAILING);
	assert_err(cs_cbor_find(&value, unhex("a3616101010201"), "a"), CS_ERR_TRUNCATED);
	assert_err(cs_cbor_find(&value, unhex("a26161010118"), "a"), CS_ERR_TRUNCATED);
	assert_err(cs_cbor_find(&value, unhex("8161"), "a"), CS_ERR_INVALID);
	assert_bytes(value, unhex("820102"));
}

static void test_members(void **state)
{
	(void)state;
	uint8_t map[3 + 3 * (CS_CBOR_MEMBERS_MAX + 1)] = {0xb8};
	struct cs_bytes value;
	for (size_t count = CS_CBOR_MEMBERS_MAX; count <= CS_CBOR_MEMBERS_MAX + 1; count++) {
		size_t n = 2;
		map[1] = (uint8_t)count;
		for (size_t i = 0; i < count; i++) {
			if (i >= 24)
				map[n++] = 0x18;
			map[n++] = (uint8_t)i;
			map[n++] = 0x00;
		}
		assert_err(cs_cbor_find(&value, cs_bytes(map, n), "a"),
			   count == CS_CBOR_MEMBERS_MAX ? CS_ERR_NOT_FOUND : CS_ERR_TOO_LARGE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published),  cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_values),     cmocka_unit_test(test_strings),
		cmocka_unit_test(test_counts),     cmocka_unit_test(test_types),
		cmocka_unit_test(test_not_strict), cmocka_unit_test(test_depth),
		cmocka_unit_test(test_find),       cmocka_unit_test(test_members),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
