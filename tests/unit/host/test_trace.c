/* The header traceparent: vectors of the specification's test suite, and its edges. */
#include "host/trace.h"
#include "tests/unit/support.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"

static void vectors(void **state)
{
	json_t *root = json_load_file(CS_VECTORS "/trace-context/traceparent.json", 0, NULL);
	const char *name;
	json_t *value;
	size_t i;
	char trace[HOST_TRACE_SIZE] = "";
	(void)state;
	assert_int_equal(json_object_size(json_object_get(root, "taken")), 3);
	json_object_foreach(json_object_get(root, "taken"), name, value)
	{
		assert_ok(host_trace_parse(trace, name));
		assert_string_equal(trace, json_string_value(value));
	}
	assert_int_equal(json_array_size(json_object_get(root, "refused")), 20);
	json_array_foreach(json_object_get(root, "refused"), i, value)
	{
		char before[HOST_TRACE_SIZE] = "as it was";
		assert_int_equal(host_trace_parse(before, json_string_value(value)),
				 CS_ERR_MALFORMED);
		assert_string_equal(before, "as it was");
	}
	json_decref(root);
}

static void edges(void **state)
{
	static const char *const refused[] = {
		"",
		"00",
		"-",
		"00-" TRACE "-" PARENT,
		"00-" TRACE "-" PARENT "-",
		"00-" TRACE "-" PARENT "-1",
		"00-" TRACE "-" PARENT "-001",
		"00-" TRACE "-" PARENT "-0G",
		"00_" TRACE "_" PARENT "_01",
		" 00-" TRACE "-" PARENT "-01",
		"00-" TRACE "-" PARENT "-01 ",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01",
		"00-" TRACE "-00F067AA0BA902B7-01",
		"CC-" TRACE "-" PARENT "-01",
		"FF-" TRACE "-" PARENT "-01",
		"00-" TRACE "-" PARENT "-01,00-" TRACE "-" PARENT "-01",
	};
	static const struct {
		const char *text;
		const char *trace;
	} taken[] = {
		{"00-" TRACE "-" PARENT "-00", "00-" TRACE "-" PARENT "-00"},
		{"00-" TRACE "-" PARENT "-01", "00-" TRACE "-" PARENT "-01"},
		{"00-" TRACE "-" PARENT "-03", "00-" TRACE "-" PARENT "-03"},
		/* flags that nobody has defined */
		{"00-" TRACE "-" PARENT "-ff", "00-" TRACE "-" PARENT "-03"},
		{"00-" TRACE "-" PARENT "-f0", "00-" TRACE "-" PARENT "-00"},
		{"01-" TRACE "-" PARENT "-01-", "00-" TRACE "-" PARENT "-01"},
		{"fe-" TRACE "-" PARENT "-09", "00-" TRACE "-" PARENT "-01"},
	};
	char trace[HOST_TRACE_SIZE];
	(void)state;
	for (size_t i = 0; i < CS_LEN(refused); i++)
		assert_int_equal(host_trace_parse(trace, refused[i]), CS_ERR_MALFORMED);
	for (size_t i = 0; i < CS_LEN(taken); i++) {
		assert_ok(host_trace_parse(trace, taken[i].text));
		assert_string_equal(trace, taken[i].trace);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),
		cmocka_unit_test(edges),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
