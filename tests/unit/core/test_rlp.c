#include "core/rlp.h"
#include "tests/unit/support.h"

#define ETHEREUM CS_VECTORS "/ethereum-tests/"

/* ---- ethereum-tests ---- */

static void put_value(struct cs_buf *buf, const json_t *value)
{
	struct cs_u256 number;
	size_t i;
	const json_t *item;
	if (json_is_integer(value)) {
		cs_rlp_put_u64(buf, (uint64_t)json_integer_value(value));
	} else if (json_is_array(value)) {
		size_t begin = cs_rlp_list_begin(buf);
		json_array_foreach(value, i, item) put_value(buf, item);
		cs_rlp_list_end(buf, begin);
	} else if (json_string_value(value)[0] != '#') {
		cs_rlp_put_bytes(buf,
				 cs_bytes(json_string_value(value), json_string_length(value)));
	} else if (cs_u256_from_decimal(&number, cs_bytes_str(json_string_value(value) + 1)) ==
		   CS_OK) {
		cs_rlp_put_u256(buf, &number);
	} else {
		/* The one number of the file that has more than 256 bits is 2^256. */
		cs_rlp_put_bytes(buf, unhex("010000000000000000000000000000000000000000000000000000"
					    "000000000000"));
	}
}

static void test_ethereum_valid(void **state)
{
	(void)state;
	json_t *cases = read_json(ETHEREUM "rlptest.json");
	const char *name;
	json_t *one;
	size_t count = 0;
	json_object_foreach(cases, name, one)
	{
		static uint8_t memory[4096];
		struct cs_buf buf;
		struct cs_bytes want = bytes_of(one, "out");
		cs_buf_init(&buf, memory, sizeof memory);
		put_value(&buf, json_object_get(one, "in"));
		assert_ok(cs_buf_end(&buf));
		assert_bytes(cs_buf_view(&buf), want);
		assert_ok(cs_rlp_check(want));
		/* Every shorter and every longer text of it is refused. */
		for (size_t n = 0; n < want.n; n++)
			assert_err(cs_rlp_check(cs_bytes(want.p, n)), CS_ERR_TRUNCATED);
		cs_put_u8(&buf, 0);
		assert_err(cs_rlp_check(cs_buf_view(&buf)), CS_ERR_TRAILING);
		count++;
	}
	assert_int_equal(count, 28);
	json_decref(cases);
}

static void test_ethereum_invalid(void **state)
{
	(void)state;
	json_t *cases = read_json(ETHEREUM "invalidRLPTest.json");
	const char *name;
	json_t *one;
	size_t count = 0;
	json_object_foreach(cases, name, one)
	{
		enum cs_err err = cs_rlp_check(bytes_of(one, "out"));
		if (err != CS_ERR_TRUNCATED && err != CS_ERR_NON_CANONICAL &&
		    err != CS_ERR_TRAILING)
			fail_msg("%s: %s", name, cs_err_name(err));
		count++;
	}
	assert_int_equal(count, 26);
	json_decref(cases);
}

/* ---- readers ---- */

static void test_numbers(void **state)
{
	(void)state;
	static const struct {
		const char *hex;
		enum cs_err err;
		uint64_t value;
	} cases[] = {
		{"80", CS_OK, 0},
		{"01", CS_OK, 1},
		{"7f", CS_OK, 127},
		{"8180", CS_OK, 128},
		{"88ffffffffffffffff", CS_OK, UINT64_MAX},
		{"00", CS_ERR_NON_CANONICAL, 0},
		{"8100", CS_ERR_NON_CANONICAL, 0},
		{"817f", CS_ERR_NON_CANONICAL, 0},
		{"820080", CS_ERR_NON_CANONICAL, 0},
		{"89010000000000000000", CS_ERR_OVERFLOW, 0},
		{"c0", CS_ERR_MALFORMED, 0},
		{"", CS_ERR_TRUNCATED, 0},
		{"82ff", CS_ERR_TRUNCATED, 0},
	};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct cs_rlp list = {unhex(cases[i].hex)};
		uint64_t value = 77;
		assert_err(cs_rlp_u64(&list, &value), cases[i].err);
		assert_int_equal(value, cases[i].err == CS_OK ? cases[i].value : 77);
		assert_int_equal(cs_rlp_more(&list),
				 cases[i].err != CS_OK && cases[i].hex[0] != '\0');
	}
}

static void test_wide_numbers(void **state)
{
	(void)state;
	struct cs_u256 value, want;
	struct cs_rlp list = {
		unhex("a0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff")};
	assert_ok(cs_rlp_u256(&list, &value));
	memset(&want, 0xff, sizeof want);
	assert_int_equal(cs_u256_cmp(&value, &want), 0);
	list.rest = unhex("a1010000000000000000000000000000000000000000000000000000000000000000");
	assert_err(cs_rlp_u256(&list, &value), CS_ERR_OVERFLOW);
	list.rest = unhex("a000ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff");
	assert_err(cs_rlp_u256(&list, &value), CS_ERR_NON_CANONICAL);
}

static void test_fixed(void **state)
{
	(void)state;
	struct cs_address address;
	struct cs_hash hash;
	struct cs_rlp list = {unhex("94000102030405060708090a0b0c0d0e0f10111213")};
	assert_err(cs_rlp_hash(&list, &hash), CS_ERR_MALFORMED);
	assert_ok(cs_rlp_address(&list, &address));
	assert_int_equal(address.b[19], 0x13);
	assert_err(cs_rlp_address(&list, &address), CS_ERR_TRUNCATED);
	list.rest = unhex("d4000102030405060708090a0b0c0d0e0f10111213");
	assert_err(cs_rlp_address(&list, &address), CS_ERR_MALFORMED);
}

static void test_lists(void **state)
{
	(void)state;
	/* [[1, 2], "dog", [[]]] */
	struct cs_bytes bytes = unhex("c9c2010283646f67c1c0");
	struct cs_rlp list, inner, deep;
	struct cs_rlp_item item;
	struct cs_bytes dog;
	uint64_t value;
	size_t count;
	assert_ok(cs_rlp_open(&list, bytes));
	assert_ok(cs_rlp_count(&list, 3, &count));
	assert_int_equal(count, 3);
	assert_err(cs_rlp_count(&list, 2, &count), CS_ERR_TOO_LARGE);
	assert_err(cs_rlp_bytes(&list, &dog), CS_ERR_MALFORMED);
	assert_ok(cs_rlp_list(&list, &inner));
	assert_ok(cs_rlp_u64(&inner, &value));
	assert_err(cs_rlp_end(&inner), CS_ERR_TRAILING);
	assert_ok(cs_rlp_u64(&inner, &value));
	assert_ok(cs_rlp_end(&inner));
	assert_err(cs_rlp_list(&list, &inner), CS_ERR_MALFORMED);
	assert_ok(cs_rlp_bytes(&list, &dog));
	assert_bytes(dog, cs_bytes_str("dog"));
	assert_ok(cs_rlp_next(&list, &item));
	assert_bytes(item.whole, unhex("c1c0"));
	assert_ok(cs_rlp_enter(&deep, &item));
	assert_ok(cs_rlp_skip(&deep, 1));
	assert_err(cs_rlp_skip(&deep, 1), CS_ERR_TRUNCATED);
	assert_ok(cs_rlp_end(&list));
	assert_err(cs_rlp_open(&list, unhex("83646f67")), CS_ERR_MALFORMED);
	assert_err(cs_rlp_open(&list, unhex("c000")), CS_ERR_TRAILING);
	/* An inner list that would reach over the end of the outer one. */
	assert_ok(cs_rlp_open(&list, unhex("c2c201")));
	assert_err(cs_rlp_list(&list, &inner), CS_ERR_TRUNCATED);
	assert_err(cs_rlp_check(unhex("c2c201")), CS_ERR_TRUNCATED);
}

/* Lengths near 2^64 must not wrap. */
static void test_huge_lengths(void **state)
{
	(void)state;
	assert_err(cs_rlp_check(unhex("bfffffffffffffffff")), CS_ERR_TRUNCATED);
	assert_err(cs_rlp_check(unhex("ffffffffffffffffff")), CS_ERR_TRUNCATED);
	assert_err(cs_rlp_check(unhex("bffffffffffffffff600")), CS_ERR_TRUNCATED);
	assert_err(cs_rlp_check(unhex("ff8000000000000000")), CS_ERR_TRUNCATED);
}

static void test_depth(void **state)
{
	(void)state;
	uint8_t nest[CS_RLP_DEPTH_MAX + 1];
	for (size_t depth = 1; depth <= sizeof nest; depth++) {
		for (size_t i = 0; i < depth && i < sizeof nest; i++)
			nest[i] = (uint8_t)(0xc0 + depth - 1 - i);
		assert_err(cs_rlp_check(cs_bytes(nest, depth)),
			   depth <= CS_RLP_DEPTH_MAX ? CS_OK : CS_ERR_TOO_LARGE);
	}
}

/* ---- writers ---- */

static void test_sizes(void **state)
{
	(void)state;
	static uint8_t memory[70000], payload[66000];
	static const size_t sizes[] = {0, 1, 2, 55, 56, 57, 255, 256, 65535, 65536};
	static const uint64_t numbers[] = {0, 1, 127, 128, 255, 256, 65535, 65536, UINT64_MAX};
	for (size_t i = 0; i < CS_LEN(sizes); i++) {
		struct cs_buf buf;
		struct cs_rlp_item item;
		struct cs_bytes bytes = cs_bytes(payload, sizes[i]);
		cs_buf_init(&buf, memory, sizeof memory);
		cs_rlp_put_bytes(&buf, bytes);
		assert_ok(cs_rlp_one(&item, cs_buf_view(&buf)));
		assert_bytes(item.payload, bytes);
		cs_buf_init(&buf, memory, sizeof memory);
		cs_rlp_put_list(&buf, sizes[i]);
		cs_put(&buf, bytes);
		assert_ok(cs_rlp_one(&item, cs_buf_view(&buf)));
		assert_true(item.is_list);
		static uint8_t other_memory[70000];
		struct cs_buf other;
		cs_buf_init(&other, other_memory, sizeof other_memory);
		size_t begin = cs_rlp_list_begin(&other);
		cs_put(&other, bytes);
		cs_rlp_list_end(&other, begin);
		assert_bytes(cs_buf_view(&other), cs_buf_view(&buf));
	}
	for (size_t i = 0; i < CS_LEN(numbers); i++) {
		struct cs_buf buf;
		uint64_t value;
		cs_buf_init(&buf, memory, sizeof memory);
		cs_rlp_put_u64(&buf, numbers[i]);
		struct cs_rlp list = {cs_buf_view(&buf)};
		assert_ok(cs_rlp_u64(&list, &value));
		assert_int_equal(value, numbers[i]);
	}
}

static void test_full_buffer(void **state)
{
	(void)state;
	uint8_t memory[57];
	struct cs_buf buf;
	cs_buf_init(&buf, memory, sizeof memory);
	size_t begin = cs_rlp_list_begin(&buf);
	cs_put_zeros(&buf, 56);
	cs_rlp_list_end(&buf, begin);
	assert_err(cs_buf_end(&buf), CS_ERR_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ethereum_valid), cmocka_unit_test(test_ethereum_invalid),
		cmocka_unit_test(test_numbers),        cmocka_unit_test(test_wide_numbers),
		cmocka_unit_test(test_fixed),          cmocka_unit_test(test_lists),
		cmocka_unit_test(test_huge_lengths),   cmocka_unit_test(test_depth),
		cmocka_unit_test(test_sizes),          cmocka_unit_test(test_full_buffer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
