/* The small modules that everything stands on: bytes, buf, reader, arena, ct, err, utf8. */
#include "core/buf.h"
#include "core/ct.h"
#include "core/reader.h"
#include "core/utf8.h"
#include "tests/unit/support.h"

static void test_hex(void **state)
{
	(void)state;
	uint8_t out[3] = {9, 9, 9};
	char text[7];
	assert_ok(cs_unhex(out, 3, cs_bytes_str("0x00aBfF")));
	assert_bytes(CS_BYTES_OF(out), cs_bytes("\x00\xab\xff", 3));
	assert_ok(cs_unhex(out, 3, cs_bytes_str("010203")));
	cs_hex(text, CS_BYTES_OF(out));
	assert_string_equal(text, "010203");
	static const char *const bad[] = {"",       "0x",     "01020",    "0102030", "01020304",
					  "0x0102", "01020g", "0X010203", "01 203"};
	for (size_t i = 0; i < CS_LEN(bad); i++)
		assert_err(cs_unhex(out, 3, cs_bytes_str(bad[i])), CS_ERR_MALFORMED);
	assert_bytes(CS_BYTES_OF(out), cs_bytes("\x01\x02\x03", 3));
	assert_ok(cs_unhex(out, 0, CS_BYTES_NONE));
}

static void test_equality(void **state)
{
	(void)state;
	struct cs_hash a = {{1}}, b = {{1}}, zero = {{0}};
	assert_true(cs_hash_eq(&a, &b));
	b.b[31] = 1;
	assert_false(cs_hash_eq(&a, &b));
	assert_true(cs_hash_is_zero(&zero));
	assert_false(cs_hash_is_zero(&b));
	assert_true(cs_bytes_eq(CS_BYTES_NONE, cs_bytes("x", 0)));
	assert_false(cs_bytes_eq(cs_bytes_str("ab"), cs_bytes_str("abc")));
	assert_true(cs_ct_eq(a.b, a.b, 32));
	for (size_t bit = 0; bit < 256; bit++) {
		b = a;
		b.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(cs_ct_eq(a.b, b.b, 32));
	}
	cs_wipe(&a, sizeof a);
	assert_true(cs_hash_is_zero(&a));
}

static void test_buf(void **state)
{
	(void)state;
	uint8_t memory[14];
	struct cs_buf buf;
	cs_buf_init(&buf, memory, sizeof memory);
	cs_put_u8(&buf, 1);
	cs_put_u16(&buf, 0x0203);
	cs_put_u32(&buf, 0x04050607);
	cs_put_text(&buf, "%d", -10);
	cs_put_zeros(&buf, 4);
	assert_ok(cs_buf_end(&buf));
	assert_bytes(cs_buf_view(&buf), cs_bytes("\1\2\3\4\5\6\7-10\0\0\0\0", 14));
	cs_put(&buf, CS_BYTES_NONE);
	assert_ok(cs_buf_end(&buf));
	cs_put_u8(&buf, 1);
	assert_err(cs_buf_end(&buf), CS_ERR_TOO_LARGE);
	/* Failed for good, also for what would fit. */
	cs_buf_init(&buf, memory, 4);
	cs_put_u64(&buf, 1);
	assert_int_equal(buf.n, 0);
	cs_put_u8(&buf, 1);
	assert_int_equal(buf.n, 0);
	assert_err(cs_buf_end(&buf), CS_ERR_TOO_LARGE);
	cs_buf_init(&buf, memory, sizeof memory);
	cs_put_text(&buf, "%600d", 1);
	assert_err(cs_buf_end(&buf), CS_ERR_TOO_LARGE);
}

static void test_words(void **state)
{
	(void)state;
	uint8_t memory[64];
	struct cs_buf buf;
	struct cs_hash word = {{[0] = 0xaa, [31] = 0xbb}};
	cs_buf_init(&buf, memory, sizeof memory);
	cs_put_word_u64(&buf, 0x0102030405060708);
	cs_put_word(&buf, &word);
	assert_ok(cs_buf_end(&buf));
	assert_int_equal(cs_be64(memory + 24), 0x0102030405060708);
	assert_int_equal(cs_be64(memory), 0);
	assert_int_equal(memory[63], 0xbb);
}

static void test_reader(void **state)
{
	(void)state;
	struct cs_bytes bytes = unhex("0102030405060708090a0b0c0d0e0f");
	struct cs_reader reader;
	uint8_t copy[4] = {7, 7, 7, 7};
	cs_reader_init(&reader, bytes);
	assert_int_equal(cs_get_u8(&reader), 1);
	assert_int_equal(cs_get_u16(&reader), 0x0203);
	assert_int_equal(cs_get_u32(&reader), 0x04050607);
	assert_err(cs_reader_end(&reader), CS_ERR_TRAILING);
	assert_int_equal(cs_get_u64(&reader), 0x08090a0b0c0d0e0f);
	assert_ok(cs_reader_end(&reader));
	assert_int_equal(cs_get(&reader, 0).n, 0);
	assert_ok(cs_reader_end(&reader));
	cs_get_copy(&reader, copy, sizeof copy);
	assert_int_equal(copy[0] | copy[3], 0);
	assert_err(cs_reader_end(&reader), CS_ERR_TRUNCATED);
	cs_reader_init(&reader, bytes);
	assert_null(cs_get(&reader, SIZE_MAX).p);
	assert_int_equal(cs_get_u8(&reader), 0);
	assert_err(cs_reader_end(&reader), CS_ERR_TRUNCATED);
}

static void test_arena(void **state)
{
	(void)state;
	static _Alignas(16) uint8_t block[256];
	struct cs_arena arena;
	cs_arena_init(&arena, block + 1, sizeof block - 1);
	size_t mark = cs_arena_mark(&arena);
	uint8_t *a = cs_arena_alloc(&arena, 1), *b = cs_arena_alloc(&arena, 1);
	assert_int_equal((uintptr_t)a % 16, 0);
	assert_true(b >= a + 16);
	assert_null(cs_arena_alloc(&arena, 256));
	assert_null(cs_arena_alloc(&arena, SIZE_MAX));
	assert_null(cs_arena_alloc(&arena, SIZE_MAX - 15));
	assert_null(cs_arena_calloc(&arena, SIZE_MAX / 2, 4));
	assert_null(cs_arena_copy(&arena, cs_bytes(block, 250)).p);
	assert_bytes(cs_arena_copy(&arena, cs_bytes_str("copy")), cs_bytes_str("copy"));
	cs_arena_rewind(&arena, mark);
	assert_ptr_equal(cs_arena_alloc(&arena, 1), a);
	for (size_t i = 0; cs_arena_alloc(&arena, 1) != NULL; i++)
		assert_true(i < 16);
	struct cs_buf buf;
	assert_err(cs_buf_init_arena(&buf, &arena, 200), CS_ERR_NO_MEMORY);
	/* A sanitizer would say so where it were not the caller's again. */
	cs_arena_rewind(&arena, mark);
	cs_arena_done(&arena);
	memset(block, 1, sizeof block);
	assert_null(cs_arena_alloc(&arena, 1));
}

/* ---- errors ---- */

static void test_errors(void **state)
{
	(void)state;
	for (int i = 0; i < CS_ERR_COUNT; i++) {
		enum cs_err err = (enum cs_err)i;
		assert_true(strlen(cs_err_name(err)) > 0 && strlen(cs_err_sentence(err)) > 0);
		int status = cs_err_http_status(err);
		assert_true(i == CS_OK ? status == 200 : status >= 400 && status < 600);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(cs_err_name(err), cs_err_name((enum cs_err)j));
	}
	assert_true(cs_err_may_retry(CS_ERR_UNAVAILABLE));
	assert_false(cs_err_may_retry(CS_ERR_MALFORMED));
	struct cs_why why;
	assert_err(cs_fail(&why, CS_ERR_INVALID, "%0300d", 1), CS_ERR_INVALID);
	assert_int_equal(strlen(why.text), sizeof why.text - 1);
	assert_err(cs_fail(NULL, CS_ERR_FULL, "x"), CS_ERR_FULL);
}

/* ---- UTF-8 ---- */

static void test_utf8(void **state)
{
	(void)state;
	static const struct {
		const char *hex;
		bool valid;
	} cases[] = {
		{"", true},       {"00", true},        {"7f", true},        {"c280", true},
		{"dfbf", true},   {"e0a080", true},    {"ed9fbf", true},    {"ee8080", true},
		{"efbfbf", true}, {"f0908080", true},  {"f48fbfbf", true},  {"80", false},
		{"bf", false},    {"c080", false},     {"c1bf", false},     {"c2", false},
		{"c241", false},  {"e09fbf", false},   {"eda080", false},   {"edbfbf", false},
		{"e280", false},  {"f08fbfbf", false}, {"f4908080", false}, {"f5808080", false},
		{"ff", false},    {"f8888080", false}, {"41c2", false},     {"f0908041", false},
	};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		if (cs_utf8_is_valid(unhex(cases[i].hex)) != cases[i].valid)
			fail_msg("%s", cases[i].hex);
	}
}

/* Every number: what can be written reads as one character of the same length. */
static void test_utf8_all(void **state)
{
	(void)state;
	for (uint32_t c = 0; c <= 0x110010; c++) {
		uint8_t out[CS_UTF8_SIZE_MAX];
		size_t n = cs_utf8_put(out, c);
		bool valid = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
		if ((n > 0) != valid || (valid && cs_utf8_next(cs_bytes(out, n)) != n))
			fail_msg("U+%X", (unsigned)c);
		if (n > 1 && cs_utf8_next(cs_bytes(out, n - 1)) != 0)
			fail_msg("U+%X, cut", (unsigned)c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hex),      cmocka_unit_test(test_equality),
		cmocka_unit_test(test_buf),      cmocka_unit_test(test_words),
		cmocka_unit_test(test_reader),   cmocka_unit_test(test_arena),
		cmocka_unit_test(test_errors),   cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_utf8_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
