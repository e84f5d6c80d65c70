/* Server-sent events: whole, cut anywhere, too large. */
#include "sdk/c/src/inner.h"
#include "tests/unit/support.h"

#include <stdlib.h>
#include <string.h>

static const char stream[] = "retry: 500\n\n: still here\n\nid: 7\ndata: {\"a\":1}\n\n"
			     "event: dropped\ndata: {\"why\":\"slow\"}\n\n"
			     "id: 8\r\ndata:two\r\ndata: lines\r\n\r\nid: 9\n\nid: 10\ndata: cut";

struct seen {
	char text[256];
	unsigned calls_max;
	unsigned calls;
};

static bool on_told(void *context, struct cs_bytes data)
{
	struct seen *seen = context;
	size_t n = strlen(seen->text);
	assert_true(n + data.n + 2 < sizeof(seen->text));
	memcpy(seen->text + n, data.p, data.n);
	memcpy(seen->text + n + data.n, "|", 2);
	return ++seen->calls < seen->calls_max;
}

static void told_whatever_the_cuts(void **state)
{
	(void)state;
	struct sse *sse = malloc(sizeof(*sse));
	for (size_t part = 1; part < sizeof(stream); part++) {
		struct seen seen = {.calls_max = 9};
		bool too_large = true;
		memset(sse, 0, sizeof(*sse));
		for (size_t at = 0; at < sizeof(stream) - 1; at += part) {
			size_t left = sizeof(stream) - 1 - at;
			assert_true(sse_feed(sse, cs_bytes(stream + at, left < part ? left : part),
					     on_told, &seen, &too_large));
			assert_false(too_large);
		}
		assert_string_equal(seen.text, "{\"a\":1}|two\nlines|");
	}
	free(sse);
}

static void ends_when_it_is_told_to(void **state)
{
	(void)state;
	struct sse *sse = calloc(1, sizeof(*sse));
	struct seen seen = {.calls_max = 1};
	bool too_large = true;
	assert_false(sse_feed(sse, cs_bytes_str(stream), on_told, &seen, &too_large));
	assert_false(too_large);
	assert_int_equal(seen.calls, 1);
	free(sse);
}

static void too_large_is_refused(void **state)
{
	(void)state;
	static const char line[] = "data: 0123456789\n";
	struct sse *sse = calloc(1, sizeof(*sse));
	struct seen seen = {.calls_max = 9};
	bool too_large = false;
	size_t lines = 0;
	while (sse_feed(sse, cs_bytes_str(line), on_told, &seen, &too_large))
		assert_true(++lines <= EVENT_SIZE_MAX / 11);
	assert_true(too_large && lines == EVENT_SIZE_MAX / 11);
	memset(sse, 0, sizeof(*sse));
	for (size_t i = 0; i < EVENT_SIZE_MAX; i++)
		assert_true(sse_feed(sse, cs_bytes_str("x"), on_told, &seen, &too_large));
	assert_false(sse_feed(sse, cs_bytes_str("x"), on_told, &seen, &too_large));
	assert_true(too_large);
	free(sse);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(told_whatever_the_cuts),
		cmocka_unit_test(ends_when_it_is_told_to),
		cmocka_unit_test(too_large_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
