/* Lines of the log: both forms, escaping, level, rate. */
#include "host/log.h"
#include "tests/unit/support.h"

#include <unistd.h>

static FILE *file;

static void open_log(enum host_log_level level, bool json, uint32_t rate_max)
{
	if (file != NULL)
		(void)fclose(file);
	file = tmpfile();
	assert_non_null(file);
	host_log_open(&(struct host_log_options){level, json, fileno(file), rate_max});
}

/* What was written since it was opened. */
static char *written(void)
{
	static char text[65536];
	ssize_t n = pread(fileno(file), text, sizeof text - 1, 0);
	assert_true(n >= 0);
	text[n] = 0;
	return text;
}

/* Without the time in front. */
static void expect_line(const char *want)
{
	char *text = written();
	assert_true(strlen(text) > 25);
	assert_int_equal(text[4], '-');
	assert_int_equal(text[23], 'Z');
	assert_string_equal(text + 25, want);
}

static void test_for_people(void **state)
{
	(void)state;
	struct cs_hash hash = {{0xab}};
	open_log(HOST_LOG_INFO, false, 0);
	log_info("chain.head", LOG_U64("height", 18446744073709551615u), LOG_I64("diff", -3),
		 LOG_BOOL("final", true), LOG_TEXT("chain", "eip155:1"),
		 LOG_TEXT("why", "two words"), LOG_TEXT("empty", ""), LOG_TEXT("none", NULL),
		 LOG_HASH("hash", &hash), LOG_ERR(CS_ERR_NOT_FINAL));
	expect_line("info  chain.head height=18446744073709551615 diff=-3 final=true "
		    "chain=eip155:1 why=\"two words\" "
		    "empty=\"\" none=null "
		    "hash=0xab00000000000000000000000000000000000000000000000000000000000000 "
		    "err=not-final\n");
}

static void test_no_fields(void **state)
{
	(void)state;
	open_log(HOST_LOG_INFO, false, 0);
	log_error("started");
	expect_line("error started\n");
}

static void test_escapes(void **state)
{
	(void)state;
	open_log(HOST_LOG_INFO, false, 0);
	log_warn("x", LOG_TEXT("t", "a\nb\x1b[31m\"\\ \xc3\xa9\x7f"));
	expect_line("warn  x t=\"a\\nb\\u001b[31m\\\"\\\\ \\u00c3\\u00a9\\u007f\"\n");
}

static void test_json(void **state)
{
	(void)state;
	struct cs_hash hash = {{1}};
	open_log(HOST_LOG_DEBUG, true, 0);
	log_debug("part.what", LOG_U64("n", 7), LOG_I64("i", -7), LOG_BOOL("b", false),
		  LOG_TEXT("t", "a\"\\\n\x01\xff"), LOG_TEXT("none", NULL), LOG_HASH("h", &hash),
		  LOG_ERR(CS_ERR_IO));
	json_t *root = json_loads(written(), JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	assert_string_equal(text_of(root, "level"), "debug");
	assert_string_equal(text_of(root, "event"), "part.what");
	assert_int_equal(u64_of(root, "n"), 7);
	assert_int_equal(json_integer_value(json_object_get(root, "i")), -7);
	assert_true(json_is_false(json_object_get(root, "b")));
	assert_true(json_is_null(json_object_get(root, "none")));
	assert_string_equal(text_of(root, "t"), "a\"\\\n\x01\xc3\xbf");
	assert_int_equal(strlen(text_of(root, "h")), 66);
	assert_string_equal(text_of(root, "err"), "io");
	assert_int_equal(strlen(text_of(root, "time")), 24);
	json_decref(root);
}

static void test_level(void **state)
{
	(void)state;
	enum host_log_level level = HOST_LOG_DEBUG;
	open_log(HOST_LOG_WARN, false, 0);
	log_debug("no");
	log_info("no");
	log_warn("yes");
	expect_line("warn  yes\n");
	assert_ok(host_log_level_parse(&level, "error"));
	assert_int_equal(level, HOST_LOG_ERROR);
	assert_err(host_log_level_parse(&level, "loud"), CS_ERR_INVALID);
	assert_int_equal(level, HOST_LOG_ERROR);
}

static uint32_t count_of(const char *text, const char *what)
{
	uint32_t count = 0;
	for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what))
		count++;
	return count;
}

static void test_rate(void **state)
{
	(void)state;
	open_log(HOST_LOG_INFO, false, 5);
	for (int i = 0; i < 1000; i++)
		log_info("storm");
	log_info("calm");
	/* The loop may touch two seconds or three, never a hundred. */
	uint32_t lines = count_of(written(), "storm");
	assert_true(lines >= 5 && lines <= 100);
	assert_int_equal(count_of(written(), "calm"), 1);
	/* In a later second the next line says how many were left out. */
	uint64_t deadline = 300;
	while (count_of(written(), "left_out=") == 0 && deadline-- > 0) {
		usleep(10000);
		log_info("storm");
	}
	assert_true(count_of(written(), "left_out=") >= 1);
}

static void test_long_fields(void **state)
{
	(void)state;
	char text[3000];
	memset(text, 'y', sizeof text - 1);
	text[sizeof text - 1] = 0;
	open_log(HOST_LOG_INFO, true, 0);
	log_info("long", LOG_TEXT("t", text));
	json_t *root = json_loads(written(), 0, NULL);
	assert_non_null(root);
	assert_int_equal(strlen(text_of(root, "t")), 515);
	json_decref(root);
	/* More than a line holds: fields are left out, the line stays one JSON value. */
	memset(text, '\x01', sizeof text - 1);
	open_log(HOST_LOG_INFO, true, 0);
	log_info("long", LOG_TEXT("a", text), LOG_TEXT("b", text), LOG_TEXT("c", text),
		 LOG_U64("d", 1));
	root = json_loads(written(), 0, NULL);
	assert_non_null(root);
	assert_non_null(json_object_get(root, "a"));
	assert_null(json_object_get(root, "c"));
	assert_int_equal(u64_of(root, "d"), 1);
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_for_people),  cmocka_unit_test(test_no_fields),
		cmocka_unit_test(test_escapes),     cmocka_unit_test(test_json),
		cmocka_unit_test(test_level),       cmocka_unit_test(test_rate),
		cmocka_unit_test(test_long_fields),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (file != NULL)
		(void)fclose(file);
	return failed;
}
