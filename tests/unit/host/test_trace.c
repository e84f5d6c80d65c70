/* The headers traceparent and tracestate: vectors of the specification's test suite, and its edges. */
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
	char trace[HOST_TRACEPARENT_SIZE] = "";
	(void)state;
	assert_int_equal(json_object_size(json_object_get(root, "taken")), 3);
	json_object_foreach(json_object_get(root, "taken"), name, value)
	{
		assert_ok(host_traceparent_parse(trace, name));
		assert_string_equal(trace, json_string_value(value));
	}
	assert_int_equal(json_array_size(json_object_get(root, "refused")), 20);
	json_array_foreach(json_object_get(root, "refused"), i, value)
	{
		char before[HOST_TRACEPARENT_SIZE] = "as it was";
		assert_int_equal(host_traceparent_parse(before, json_string_value(value)),
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
	char trace[HOST_TRACEPARENT_SIZE];
	(void)state;
	for (size_t i = 0; i < CS_LEN(refused); i++)
		assert_int_equal(host_traceparent_parse(trace, refused[i]), CS_ERR_MALFORMED);
	for (size_t i = 0; i < CS_LEN(taken); i++) {
		assert_ok(host_traceparent_parse(trace, taken[i].text));
		assert_string_equal(trace, taken[i].trace);
	}
}

/* ---- tracestate ---- */

static enum cs_err add_all(char trace[HOST_TRACESTATE_SIZE], const json_t *headers)
{
	const json_t *value;
	size_t i;
	json_array_foreach(headers, i, value)
		CS_TRY(host_tracestate_add(trace, json_string_value(value)));
	return CS_OK;
}

static void vectors_of_states(void **state)
{
	json_t *root = json_load_file(CS_VECTORS "/trace-context/tracestate.json", 0, NULL);
	const json_t *row;
	size_t i;
	(void)state;
	assert_int_equal(json_array_size(json_object_get(root, "taken")), 17);
	json_array_foreach(json_object_get(root, "taken"), i, row)
	{
		char taken[HOST_TRACESTATE_SIZE] = "";
		assert_ok(add_all(taken, json_object_get(row, "headers")));
		assert_string_equal(taken, json_string_value(json_object_get(row, "state")));
	}
	assert_int_equal(json_array_size(json_object_get(root, "refused")), 17);
	json_array_foreach(json_object_get(root, "refused"), i, row)
	{
		char refused[HOST_TRACESTATE_SIZE] = "";
		assert_int_equal(add_all(refused, row), CS_ERR_MALFORMED);
	}
	json_decref(root);
}

/* "a=…" of so many characters, of two members where one value cannot be so long. */
static const char *of_size(char *text, size_t n)
{
	memset(text, 'x', n);
	memcpy(text, "a=", 2);
	memcpy(text + 256, ",b=", 3);
	text[n] = 0;
	return text;
}

static void edges_of_states(void **state)
{
	static const char *const refused[] = {
		"a",   "=",     "=1",    "a=",    "a= ",    "a=1;b=2",    "a=1,b",       "1a=1",
		"_=1", "a@1=1", "A@b=1", "a@B=1", "a=\x7f", "a=\xc3\xa9", "a=1\r\nx: 1", "a=\t1",
	};
	static const char *const taken[][2] = {
		{",,,a=1,,", "a=1"},
		{"a= 1", "a= 1"},
		{"1@a=1", "1@a=1"},
		{"a=1,aa=1", "a=1,aa=1"},
		{"aa=1,a=1,a@a=1", "aa=1,a=1,a@a=1"},
	};
	char text[HOST_TRACESTATE_SIZE + 2];
	char out[HOST_TRACESTATE_SIZE];
	(void)state;
	for (size_t i = 0; i < CS_LEN(refused); i++) {
		memcpy(out, "k=v", sizeof("k=v"));
		assert_int_equal(host_tracestate_add(out, refused[i]), CS_ERR_MALFORMED);
		assert_string_equal(out, "k=v");
	}
	for (size_t i = 0; i < CS_LEN(taken); i++) {
		out[0] = 0;
		assert_ok(host_tracestate_add(out, taken[i][0]));
		assert_string_equal(out, taken[i][1]);
	}
	out[0] = 0;
	assert_ok(host_tracestate_add(out, of_size(text, HOST_TRACESTATE_SIZE - 1)));
	assert_int_equal(strlen(out), 512);
	assert_int_equal(host_tracestate_add(out, "c=1"), CS_ERR_MALFORMED);
	assert_ok(host_tracestate_add(out, " , \t"));
	out[0] = 0;
	assert_int_equal(host_tracestate_add(out, of_size(text, HOST_TRACESTATE_SIZE)),
			 CS_ERR_MALFORMED);
}

static void a_state_needs_a_parent(void **state)
{
	static const char good[] = "00-" TRACE "-" PARENT "-01";
	struct host_trace trace;
	(void)state;
	host_trace_read(&trace, good, "a=1, b=2");
	assert_string_equal(trace.parent, good);
	assert_string_equal(trace.state, "a=1,b=2");
	host_trace_read(&trace, good, "a=1,a=2");
	assert_string_equal(trace.parent, good);
	assert_string_equal(trace.state, "");
	host_trace_read(&trace, good, NULL);
	assert_string_equal(trace.state, "");
	host_trace_read(&trace, "00-" TRACE, "a=1");
	assert_string_equal(trace.parent, "");
	assert_string_equal(trace.state, "");
	host_trace_read(&trace, NULL, "a=1");
	assert_string_equal(trace.state, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),
		cmocka_unit_test(edges),
		cmocka_unit_test(vectors_of_states),
		cmocka_unit_test(edges_of_states),
		cmocka_unit_test(a_state_needs_a_parent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
