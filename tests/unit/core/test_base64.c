#include "core/base64.h"
#include "tests/unit/support.h"

/* RFC 4648, section 10, and one with every character that the alphabets differ in. */
static const struct {
	const char *hex, *standard, *url;
} published[] = {
	{"", "", ""},
	{"66", "Zg==", "Zg"},
	{"666f", "Zm8=", "Zm8"},
	{"666f6f", "Zm9v", "Zm9v"},
	{"666f6f62", "Zm9vYg==", "Zm9vYg"},
	{"666f6f6261", "Zm9vYmE=", "Zm9vYmE"},
	{"666f6f626172", "Zm9vYmFy", "Zm9vYmFy"},
	{"fbefbeff", "++++/w==", "----_w"},
};

static void test_published(void **state)
{
	(void)state;
	for (size_t i = 0; i < CS_LEN(published); i++) {
		struct cs_bytes bytes = unhex(published[i].hex);
		char text[32];
		uint8_t p[32];
		size_t n;
		assert_int_equal(cs_base64(text, bytes, CS_BASE64), strlen(published[i].standard));
		assert_string_equal(text, published[i].standard);
		assert_int_equal(cs_base64(text, bytes, CS_BASE64_URL), strlen(published[i].url));
		assert_string_equal(text, published[i].url);
		assert_ok(cs_unbase64(p, &n, cs_bytes_str(published[i].standard), CS_BASE64));
		assert_bytes(cs_bytes(p, n), bytes);
		assert_ok(cs_unbase64(p, &n, cs_bytes_str(published[i].url), CS_BASE64_URL));
		assert_bytes(cs_bytes(p, n), bytes);
	}
}

/* All bytes at all places, decoded into the text's own memory. */
static void test_in_place(void **state)
{
	uint8_t bytes[256];
	char text[CS_BASE64_SIZE(256)];
	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 167);
	for (size_t n = 0; n <= sizeof bytes; n++) {
		for (enum cs_base64 form = CS_BASE64; form <= CS_BASE64_URL; form++) {
			size_t size = cs_base64(text, cs_bytes(bytes, n), form), back;
			assert_ok(cs_unbase64((uint8_t *)text, &back, cs_bytes(text, size), form));
			assert_bytes(cs_bytes(text, back), cs_bytes(bytes, n));
		}
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *text;
		enum cs_base64 form;
		enum cs_err err;
	} all[] = {
		{"Zg", CS_BASE64, CS_ERR_MALFORMED},
		{"Zg=", CS_BASE64, CS_ERR_MALFORMED},
		{"Zg===", CS_BASE64, CS_ERR_MALFORMED},
		{"Zg==Zg==", CS_BASE64, CS_ERR_MALFORMED},
		{"Z===", CS_BASE64, CS_ERR_MALFORMED},
		{"====", CS_BASE64, CS_ERR_MALFORMED},
		{"Zm9\n", CS_BASE64, CS_ERR_MALFORMED},
		{"Zm9v ", CS_BASE64, CS_ERR_MALFORMED},
		{"----", CS_BASE64, CS_ERR_MALFORMED},
		{"++++", CS_BASE64_URL, CS_ERR_MALFORMED},
		{"Zg==", CS_BASE64_URL, CS_ERR_MALFORMED},
		{"Z", CS_BASE64_URL, CS_ERR_MALFORMED},
		{"Zh==", CS_BASE64, CS_ERR_NON_CANONICAL},
		{"Zm9=", CS_BASE64, CS_ERR_NON_CANONICAL},
		{"Zh", CS_BASE64_URL, CS_ERR_NON_CANONICAL},
		{"Zm9", CS_BASE64_URL, CS_ERR_NON_CANONICAL},
	};
	(void)state;
	for (size_t i = 0; i < CS_LEN(all); i++) {
		uint8_t p[32];
		size_t n = 77;
		assert_err(cs_unbase64(p, &n, cs_bytes_str(all[i].text), all[i].form), all[i].err);
		assert_int_equal(n, 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published),
		cmocka_unit_test(test_in_place),
		cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
