#include "core/utc.h"
#include "tests/unit/support.h"

#include <time.h>

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		uint64_t seconds;
	} all[] = {
		{"1970-01-01T00:00:00Z", 0},          {"2025-06-19T10:56:11Z", 1750330571},
		{"2000-02-29T23:59:59Z", 951868799},  {"2024-02-29T00:00:00Z", 1709164800},
		{"2100-03-01T00:00:00Z", 4107542400}, {"9999-12-31T23:59:59Z", CS_UTC_SECONDS_MAX},
	};
	(void)state;
	for (size_t i = 0; i < CS_LEN(all); i++) {
		uint64_t seconds;
		char text[CS_UTC_SIZE];
		assert_ok(cs_utc_parse(&seconds, cs_bytes_str(all[i].text)));
		assert_int_equal(seconds, all[i].seconds);
		cs_utc_write(text, seconds);
		assert_string_equal(text, all[i].text);
	}
}

/* Every day of 400 years, the length of a calendar's cycle, as the C library has it. */
static void test_every_day(void **state)
{
	(void)state;
	for (uint64_t day = 0; day < 146097; day++) {
		time_t then = (time_t)(day * 86400 + day % 86400);
		struct tm tm;
		char text[CS_UTC_SIZE], want[CS_UTC_SIZE];
		uint64_t back;
		assert_non_null(gmtime_r(&then, &tm));
		assert_int_equal(strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%SZ", &tm), 20);
		cs_utc_write(text, (uint64_t)then);
		assert_string_equal(text, want);
		assert_ok(cs_utc_parse(&back, cs_bytes_str(text)));
		assert_int_equal(back, then);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *text;
		enum cs_err err;
	} all[] = {
		{"", CS_ERR_MALFORMED},
		{"2025-06-19T10:56:11", CS_ERR_MALFORMED},
		{"2025-06-19T10:56:11z", CS_ERR_MALFORMED},
		{"2025-06-19 10:56:11Z", CS_ERR_MALFORMED},
		{"2025-06-19T10:56:11.5Z", CS_ERR_MALFORMED},
		{"2025-06-19T10:56:11+00:00", CS_ERR_MALFORMED},
		{"2025-6-19T010:56:11Z", CS_ERR_MALFORMED},
		{"+025-06-19T10:56:11Z", CS_ERR_MALFORMED},
		{"1969-12-31T23:59:59Z", CS_ERR_INVALID},
		{"2025-00-19T10:56:11Z", CS_ERR_INVALID},
		{"2025-13-19T10:56:11Z", CS_ERR_INVALID},
		{"2025-06-00T10:56:11Z", CS_ERR_INVALID},
		{"2025-06-31T10:56:11Z", CS_ERR_INVALID},
		{"2025-02-29T10:56:11Z", CS_ERR_INVALID},
		{"2100-02-29T10:56:11Z", CS_ERR_INVALID},
		{"2025-06-19T24:00:00Z", CS_ERR_INVALID},
		{"2025-06-19T10:60:11Z", CS_ERR_INVALID},
		{"2016-12-31T23:59:60Z", CS_ERR_INVALID},
	};
	(void)state;
	for (size_t i = 0; i < CS_LEN(all); i++) {
		uint64_t seconds = 7;
		assert_err(cs_utc_parse(&seconds, cs_bytes_str(all[i].text)), all[i].err);
		assert_int_equal(seconds, 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_every_day),
		cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
