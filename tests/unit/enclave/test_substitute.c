#include "enclave/oracle/substitute.h"
#include "tests/unit/support.h"

static uint8_t block[WIRE_SPEC_ARENA_SIZE], filled[SUBSTITUTE_ARENA_SIZE];
static struct cs_arena arena, out;

static struct cs_bytes json_of(const char *text)
{
	size_t n = strlen(text);
	uint8_t *p = keep(n);
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(text[i] == '\'' ? '"' : text[i]);
	return cs_bytes(p, n);
}

/* A source's members; the spec around them. */
static const struct wire_spec *spec_of(const char *source)
{
	static struct wire_spec spec;
	static uint8_t memory[WIRE_SPEC_SIZE_MAX];
	char text[4096];
	struct cs_buf buf;
	struct cs_why why = {""};
	(void)snprintf(text, sizeof text,
		       "{'version':1,'result':{'type':'string'},'sources':[{%s}]}", source);
	cs_arena_init(&arena, block, sizeof block);
	cs_buf_init(&buf, memory, sizeof memory);
	if (wire_spec_canonical(&buf, json_of(text), &arena, &why) != CS_OK)
		fail_msg("%s: %s", source, why.text);
	assert_ok(wire_spec_parse(&spec, cs_buf_view(&buf), &arena, &why));
	return &spec;
}

static struct substitute_values values_of(const char *a, const char *b, const char *secret)
{
	struct substitute_values values = {0};
	if (a != NULL)
		values.arguments[values.argument_count++] = cs_bytes_str(a);
	if (b != NULL)
		values.arguments[values.argument_count++] = cs_bytes_str(b);
	if (secret != NULL)
		values.secrets[values.secret_count++] =
			(struct substitute_secret){cs_bytes_str("key"), cs_bytes_str(secret)};
	return values;
}

static enum wire_oracle_code fill(struct substitute_request *request, const char *source,
				  const struct substitute_values *values, bool dry)
{
	struct cs_why why = {""};
	const struct wire_spec *spec = spec_of(source);
	enum wire_oracle_code code = substitute_check(spec, values, &why);
	cs_arena_init(&out, filled, sizeof filled);
	if (code == WIRE_ORACLE_OK)
		code = substitute_source(request, spec, 0, values, dry, &out, &why);
	assert_true(code == WIRE_ORACLE_OK || why.text[0] != '\0');
	/* No value is told. */
	assert_null(strstr(why.text, "hunter2"));
	return code;
}

#define POINTER ",'extract':{'pointer':'/a'}"
#define SCRIPT ",'extract':{'script':'return body'}"

static void test_url(void **state)
{
	(void)state;
	static const struct {
		const char *url, *a, *b, *target;
	} cases[] = {
		{"https://a.example", NULL, NULL, "/"},
		{"https://a.example/x?y", NULL, NULL, "/x?y"},
		{"https://a.example/x?", NULL, NULL, "/x?"},
		{"https://a.example/{0}/{1}?q={0}", "bit coin", "a/b?c#d",
		 "/bit%20coin/a%2Fb%3Fc%23d?q=bit%20coin"},
		{"https://a.example/{0}", "A-z_0.9~", NULL, "/A-z_0.9~"},
		{"https://a.example/{0}", "\xc3\xa9%41+&=", NULL, "/%C3%A9%2541%2B%26%3D"},
		{"https://a.example/{0}", "\r\nhost: evil", NULL, "/%0D%0Ahost%3A%20evil"},
		{"https://a.example/{0}", "{0}{secret:key}", NULL, "/%7B0%7D%7Bsecret%3Akey%7D"},
		{"https://a.example/{0}x", "..", NULL, "/..x"},
		{"https://a.example/v{0}?{1}", "", "../..", "/v?..%2F.."},
	};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		char source[512];
		struct substitute_request request;
		struct substitute_values values = values_of(cases[i].a, cases[i].b, NULL);
		(void)snprintf(source, sizeof source, "'url':'%s'" POINTER, cases[i].url);
		assert_int_equal(fill(&request, source, &values, false), WIRE_ORACLE_OK);
		assert_bytes(request.target, cs_bytes_str(cases[i].target));
		assert_int_equal(request.body.n, 0);
	}
}

/* "." and ".." would lead elsewhere, whoever put them together. */
static void test_dots_refused(void **state)
{
	(void)state;
	static const struct {
		const char *url, *a, *b;
	} cases[] = {{"https://a.example/x/{0}/y", "..", NULL},
		     {"https://a.example/x/{0}", ".", NULL},
		     {"https://a.example/x/{0}{1}", ".", "."},
		     {"https://a.example/x/.{0}/y", ".", NULL},
		     {"https://a.example/x/%2e{0}/y", ".", NULL},
		     {"https://a.example/x/..{0}", "", NULL}};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		char source[512];
		struct substitute_request request;
		struct substitute_values values = values_of(cases[i].a, cases[i].b, NULL);
		(void)snprintf(source, sizeof source, "'url':'%s'" POINTER, cases[i].url);
		assert_int_equal(fill(&request, source, &values, false),
				 WIRE_ORACLE_ARGUMENTS_INVALID);
	}
}

static void test_headers(void **state)
{
	(void)state;
	struct substitute_request request;
	struct substitute_values values = values_of("v", NULL, "hunter2");
	static const char source[] = "'url':'https://a.example/','headers':[['x-a','{0} {{}}'],"
				     "['authorization','Bearer {secret:key}']]" POINTER;
	assert_int_equal(fill(&request, source, &values, false), WIRE_ORACLE_OK);
	assert_int_equal(request.header_count, 2);
	assert_bytes(request.headers[0].name, cs_bytes_str("x-a"));
	assert_bytes(request.headers[0].value, cs_bytes_str("v {}"));
	assert_bytes(request.headers[1].value, cs_bytes_str("Bearer hunter2"));
	/* A dry run knows no secret. */
	assert_int_equal(fill(&request, source, &values, true), WIRE_ORACLE_OK);
	assert_bytes(request.headers[1].value, cs_bytes_str("Bearer secret"));
}

static void test_headers_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {"a\r\nb: c", "\t", "\x7f", "\xc3\xa9", "\n", "\x01"};
	struct substitute_request request;
	for (size_t i = 0; i < CS_LEN(bad); i++) {
		struct substitute_values values = values_of(bad[i], NULL, NULL);
		assert_int_equal(fill(&request,
				      "'url':'https://a.example/','headers':[['x','a{0}']]" POINTER,
				      &values, false),
				 WIRE_ORACLE_ARGUMENTS_INVALID);
		values = values_of(NULL, NULL, bad[i]);
		assert_int_equal(
			fill(&request,
			     "'url':'https://a.example/','headers':[['x','a{secret:key}']]" POINTER,
			     &values, false),
			WIRE_ORACLE_SECRETS_INVALID);
	}
	static const char *const around[] = {"", " ", " a", "a "};
	for (size_t i = 0; i < CS_LEN(around); i++) {
		struct substitute_values values = values_of(around[i], NULL, NULL);
		assert_int_equal(fill(&request,
				      "'url':'https://a.example/','headers':[['x','{0}']]" POINTER,
				      &values, false),
				 WIRE_ORACLE_ARGUMENTS_INVALID);
	}
}

static void test_bodies(void **state)
{
	(void)state;
	struct substitute_request request;
	struct substitute_values values = values_of("a\"b\\c\n\x01\xc3\xa9", NULL, "hunter2");
	static const char json[] =
		"'url':'https://a.example/','method':'POST',"
		"'headers':[['content-type','application/json']],"
		"'body':'{{\\\"q\\\":\\\"{0}\\\",\\\"k\\\":\\\"{secret:key}\\\"}}'" POINTER;
	static const char plain[] =
		"'url':'https://a.example/','method':'POST','body':'q={0}'" POINTER;
	assert_int_equal(fill(&request, json, &values, false), WIRE_ORACLE_OK);
	assert_bytes(request.body,
		     cs_bytes_str("{\"q\":\"a\\\"b\\\\c\\n\\u0001\xc3\xa9\",\"k\":\"hunter2\"}"));
	assert_int_equal(fill(&request, plain, &values, false), WIRE_ORACLE_ARGUMENTS_INVALID);
	values = values_of("a\"b\\\xc3\xa9", NULL, NULL);
	assert_int_equal(fill(&request, plain, &values, false), WIRE_ORACLE_OK);
	assert_bytes(request.body, cs_bytes_str("q=a\"b\\\xc3\xa9"));
}

static void test_pointers(void **state)
{
	(void)state;
	struct substitute_request request;
	struct substitute_values values = values_of("a/b~c", "~1", NULL);
	assert_int_equal(fill(&request,
			      "'url':'https://a.example/','extract':{'pointer':'/x/{0}/{1}'}",
			      &values, false),
			 WIRE_ORACLE_OK);
	assert_bytes(request.pointer, cs_bytes_str("/x/a~1b~0c/~01"));
}

static void test_arguments_refused(void **state)
{
	(void)state;
	static char large[WIRE_ARGUMENT_SIZE_MAX + 2];
	struct substitute_request request;
	struct substitute_values values = values_of(NULL, NULL, NULL);
	memset(large, 'x', sizeof large - 1);
	/* Too few, too many, too long, not UTF-8. */
	assert_int_equal(fill(&request, "'url':'https://a.example/{0}'" POINTER, &values, false),
			 WIRE_ORACLE_ARGUMENTS_INVALID);
	values = values_of("a", NULL, NULL);
	assert_int_equal(fill(&request, "'url':'https://a.example/{1}'" POINTER, &values, false),
			 WIRE_ORACLE_ARGUMENTS_INVALID);
	assert_int_equal(fill(&request, "'url':'https://a.example/'" POINTER, &values, false),
			 WIRE_ORACLE_ARGUMENTS_INVALID);
	/* A script takes as many as there are. */
	assert_int_equal(fill(&request, "'url':'https://a.example/'" SCRIPT, &values, false),
			 WIRE_ORACLE_OK);
	values = values_of(large, NULL, NULL);
	assert_int_equal(fill(&request, "'url':'https://a.example/{0}'" POINTER, &values, false),
			 WIRE_ORACLE_ARGUMENTS_INVALID);
	values.arguments[0].n--;
	assert_int_equal(fill(&request, "'url':'https://a.example/{0}'" POINTER, &values, false),
			 WIRE_ORACLE_OK);
	values = values_of("\xff", NULL, NULL);
	assert_int_equal(fill(&request, "'url':'https://a.example/{0}'" POINTER, &values, false),
			 WIRE_ORACLE_ARGUMENTS_INVALID);
	values.argument_count = WIRE_ARGUMENTS_MAX + 1;
	assert_int_equal(fill(&request, "'url':'https://a.example/'" SCRIPT, &values, false),
			 WIRE_ORACLE_ARGUMENTS_INVALID);
}

/* Placeholders may multiply what they hold: each place has a bound. */
static void test_bounds(void **state)
{
	(void)state;
	static char argument[WIRE_ARGUMENT_SIZE_MAX + 1];
	struct substitute_request request;
	memset(argument, '/', sizeof argument - 1);
	struct substitute_values values = values_of(argument, NULL, NULL);
	assert_int_equal(
		fill(&request, "'url':'https://a.example/{0}{0}{0}{0}{0}'" POINTER, &values, false),
		WIRE_ORACLE_OK);
	assert_int_equal(request.target.n, 1 + 5 * 3 * WIRE_ARGUMENT_SIZE_MAX);
	assert_int_equal(fill(&request, "'url':'https://a.example/{0}{0}{0}{0}{0}{0}'" POINTER,
			      &values, false),
			 WIRE_ORACLE_ARGUMENTS_INVALID);
	assert_int_equal(fill(&request,
			      "'url':'https://a.example/','extract':{'pointer':'/{0}{0}'}", &values,
			      false),
			 WIRE_ORACLE_ARGUMENTS_INVALID);
	assert_int_equal(fill(&request,
			      "'url':'https://a.example/"
			      "','headers':[['x','{0}{0}{0}{0}{0}{0}{0}{0}']]" POINTER,
			      &values, false),
			 WIRE_ORACLE_OK);
	assert_int_equal(fill(&request,
			      "'url':'https://a.example/"
			      "','headers':[['x','{0}{0}{0}{0}{0}{0}{0}{0}a']]" POINTER,
			      &values, false),
			 WIRE_ORACLE_ARGUMENTS_INVALID);
}

/* ---- secrets ---- */

#define ASKER "0x1111111111111111111111111111111111111111111111111111111111111111"
#define SPEC "0x2222222222222222222222222222222222222222222222222222222222222222"

static enum wire_oracle_code open_text(struct substitute_values *values, struct cs_bytes text)
{
	struct cs_hash asker = hash_of_text(ASKER), spec = hash_of_text(SPEC);
	struct cs_why why = {""};
	cs_arena_init(&arena, block, sizeof block);
	enum wire_oracle_code code = substitute_open(values, text, &asker, &spec, &arena, &why);
	assert_true(code == WIRE_ORACLE_OK || why.text[0] != '\0');
	assert_null(strstr(why.text, "hunter2"));
	return code;
}

static void test_open(void **state)
{
	(void)state;
	struct substitute_values values = {0};
	assert_int_equal(open_text(&values, json_of("{'asker':'" ASKER "','spec':'" SPEC
						    "','values':{'a':'','key':'hunter2\\n'}}")),
			 WIRE_ORACLE_OK);
	assert_int_equal(values.secret_count, 2);
	assert_bytes(values.secrets[1].name, cs_bytes_str("key"));
	assert_bytes(values.secrets[1].value, cs_bytes_str("hunter2\n"));
}

static void test_open_for_arguments(void **state)
{
	(void)state;
	char hex[65], text[512];
	struct substitute_values values = values_of("a", "b", NULL);
	const struct cs_hash hash = wire_arguments_hash(values.arguments, values.argument_count);
	cs_hex(hex, CS_BYTES_OF(hash.b));
	(void)snprintf(text, sizeof text,
		       "{'arguments':'0x%s','asker':'" ASKER "','spec':'" SPEC
		       "','values':{'key':'hunter2'}}",
		       hex);
	assert_int_equal(open_text(&values, json_of(text)), WIRE_ORACLE_OK);
	assert_int_equal(values.secret_count, 1);
	struct substitute_values other = values_of("a", NULL, NULL);
	assert_int_equal(open_text(&other, json_of(text)), WIRE_ORACLE_SECRETS_INVALID);
	assert_int_equal(other.secret_count, 0);
	struct substitute_values turned = values_of("b", "a", NULL);
	assert_int_equal(open_text(&turned, json_of(text)), WIRE_ORACLE_SECRETS_INVALID);
}

static void test_open_refused(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"",
		"{}",
		"hunter2",
		/* of somebody else, of another spec */
		"{'asker':'" SPEC "','spec':'" SPEC "','values':{'key':'hunter2'}}",
		"{'asker':'" ASKER "','spec':'" ASKER "','values':{'key':'hunter2'}}",
		"{'asker':'0x11','spec':'" SPEC "','values':{'key':'hunter2'}}",
		"{'spec':'" SPEC "','values':{'key':'hunter2'}}",
		"{'asker':'" ASKER "','values':{'key':'hunter2'}}",
		"{'asker':'" ASKER "','spec':'" SPEC "'}",
		/* form */
		"{'asker':'" ASKER "','spec':'" SPEC "','values':{'key':'hunter2'}} ",
		"{'spec':'" SPEC "','asker':'" ASKER "','values':{'key':'hunter2'}}",
		"{'asker':'" ASKER "','spec':'" SPEC "','values':{'key':5}}",
		"{'asker':'" ASKER "','spec':'" SPEC "','values':{'k y':'hunter2'}}",
		"{'asker':'" ASKER "','spec':'" SPEC "','values':{'':'hunter2'}}",
		"{'asker':'" ASKER "','spec':'" SPEC "','values':{'k}{secret:a':'hunter2'}}",
		"{'asker':'" ASKER "','spec':'" SPEC
		"','values':{'abcdefghijklmnopqrstuvwxyz0123456':'x'}}",
		"{'asker':'" ASKER "','spec':'" SPEC "','values':['hunter2']}",
		"{'asker':'" ASKER "','more':1,'spec':'" SPEC "','values':{'key':'hunter2'}}",
		/* of other arguments than none */
		"{'arguments':'" ASKER "','asker':'" ASKER "','spec':'" SPEC
		"','values':{'key':'hunter2'}}",
		"{'arguments':[],'asker':'" ASKER "','spec':'" SPEC "','values':{'key':'hunter2'}}",
		"{'arguments':null,'asker':'" ASKER "','spec':'" SPEC
		"','values':{'key':'hunter2'}}",
		"{'asker':'" ASKER "','spec':'" SPEC
		"','values':{'a':'','b':'','c':'','d':'','e':'','f':'',"
		"'g':'','h':'','i':'','j':'','k':'','l':'','m':'','n':'','o':'','p':'','q':''}}",
	};
	for (size_t i = 0; i < CS_LEN(texts); i++) {
		struct substitute_values values = {0};
		if (open_text(&values, json_of(texts[i])) != WIRE_ORACLE_SECRETS_INVALID)
			fail_msg("accepted: %s", texts[i]);
		assert_int_equal(values.secret_count, 0);
	}
	static char large[SUBSTITUTE_SECRETS_SIZE_MAX + 200];
	struct substitute_values values = {0};
	int n = snprintf(large, sizeof large,
			 "{\"asker\":\"" ASKER "\",\"spec\":\"" SPEC
			 "\",\"values\":{\"key\":\"%0*d\"}}",
			 (int)SUBSTITUTE_SECRETS_SIZE_MAX - 180, 0);
	assert_int_equal(open_text(&values, cs_bytes(large, (size_t)n)), WIRE_ORACLE_OK);
	n = snprintf(large, sizeof large,
		     "{\"asker\":\"" ASKER "\",\"spec\":\"" SPEC
		     "\",\"values\":{\"key\":\"%0*d\"}}",
		     (int)SUBSTITUTE_SECRETS_SIZE_MAX - 160, 0);
	assert_int_equal(open_text(&values, cs_bytes(large, (size_t)n)),
			 WIRE_ORACLE_SECRETS_INVALID);
}

static void test_secret_is_missing(void **state)
{
	(void)state;
	struct substitute_request request;
	struct substitute_values values = values_of(NULL, NULL, "hunter2");
	assert_int_equal(fill(&request, "'url':'https://a.example/?k={secret:other}'" POINTER,
			      &values, false),
			 WIRE_ORACLE_SECRETS_INVALID);
	assert_int_equal(
		fill(&request, "'url':'https://a.example/?k={secret:key}'" POINTER, &values, false),
		WIRE_ORACLE_OK);
	assert_bytes(request.target, cs_bytes_str("/?k=hunter2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_url),
		cmocka_unit_test(test_dots_refused),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_headers_refused),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_pointers),
		cmocka_unit_test(test_arguments_refused),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_open_for_arguments),
		cmocka_unit_test(test_open_refused),
		cmocka_unit_test(test_secret_is_missing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
