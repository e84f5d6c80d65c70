#include "core/json_pointer.h"
#include "tests/unit/support.h"
#include "wire/spec.h"
#include "wire/template.h"

static uint8_t block[WIRE_SPEC_ARENA_SIZE];
static struct cs_arena arena;

/* JSON with ' for ", so that it can be read. */
static struct cs_bytes json_of(const char *text)
{
	size_t n = strlen(text);
	uint8_t *p = keep(n);
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(text[i] == '\'' ? '"' : text[i]);
	return cs_bytes(p, n);
}

/* Any JSON: canonical first. */
static enum cs_err parse(struct wire_spec *spec, const char *text, struct cs_why *why)
{
	static uint8_t memory[WIRE_SPEC_SIZE_MAX];
	struct cs_buf buf;
	cs_arena_init(&arena, block, sizeof block);
	cs_buf_init(&buf, memory, sizeof memory);
	CS_TRY(wire_spec_canonical(&buf, json_of(text), &arena, why));
	cs_arena_init(&arena, block, sizeof block);
	return wire_spec_parse(spec, cs_buf_view(&buf), &arena, why);
}

static struct wire_spec parsed(const char *text)
{
	struct wire_spec spec;
	struct cs_why why = {""};
	enum cs_err err = parse(&spec, text, &why);
	if (err != CS_OK)
		fail_msg("%s: %s %s", text, cs_err_name(err), why.text);
	return spec;
}

#define SPEC(result, sources, more) \
	"{'version':1,'result':" result ",'sources':[" sources "]" more "}"
#define SOURCE(url, more) "{'url':'" url "','extract':{'pointer':'/a'}" more "}"
#define NUMBER "{'type':'int256'}"
#define PLAIN SOURCE("https://a.example/", "")

static void test_the_page(void **state)
{
	(void)state;
	struct wire_spec spec =
		parsed("{'aggregate': {'k': 1, 'kind': 'median', 'spread_ppm': 10000},"
		       "'result': {'decimals': 8, 'rounding': 'half_even', 'type': 'int256'},"
		       "'sources': [{'body': '', 'extract': {'pointer': '/data/{0}/usd'},"
		       "'headers': [['accept', 'application/json']], 'hosts': ['cdn.example.org'],"
		       "'method': 'GET', 'tls': {'lifetime_max_days': 90, 'pins': "
		       "['0x0101010101010101010101010101010101010101010101010101010101010101'],"
		       "'sct_min': 3, 'stapled': true},"
		       "'url': 'https://api.example.org:8443/v1/price?ids={0}&key={secret:key}'}],"
		       "'version': 1}");
	const struct wire_source *source = &spec.sources[0];
	assert_int_equal(spec.aggregate, WIRE_AGGREGATE_MEDIAN);
	assert_int_equal(spec.k, 1);
	assert_true(spec.spread_bounded);
	assert_int_equal(spec.spread_ppm, 10000);
	assert_int_equal(spec.type.kind, WIRE_TYPE_INT256);
	assert_int_equal(spec.type.decimals, 8);
	assert_int_equal(spec.rounding, CS_ROUND_HALF_EVEN);
	assert_int_equal(spec.argument_count, 1);
	assert_true(spec.has_secrets);
	assert_false(spec.has_script);
	assert_bytes(source->host, cs_bytes_str("api.example.org"));
	assert_int_equal(source->port, 8443);
	assert_false(source->address_literal);
	assert_bytes(source->path, cs_bytes_str("/v1/price"));
	assert_true(source->has_query);
	assert_bytes(source->query, cs_bytes_str("ids={0}&key={secret:key}"));
	assert_int_equal(source->host_count, 1);
	assert_int_equal(source->extract, WIRE_EXTRACT_POINTER);
	assert_bytes(source->text, cs_bytes_str("/data/{0}/usd"));
	assert_int_equal(source->tls.pin_count, 1);
	assert_int_equal(source->tls.pins[0].b[31], 1);
	assert_true(source->tls.sct_min_given);
	assert_int_equal(source->tls.sct_min, 3);
	assert_int_equal(source->tls.lifetime_max_days, 90);
	assert_true(source->tls.stapled);
	assert_bytes(wire_source_host_port(source, &arena), cs_bytes_str("api.example.org:8443"));
}

static void test_defaults(void **state)
{
	(void)state;
	struct wire_spec spec = parsed(SPEC(NUMBER, PLAIN "," PLAIN "," PLAIN, ""));
	const struct wire_source *source = &spec.sources[2];
	assert_int_equal(spec.aggregate, WIRE_AGGREGATE_EQUAL);
	assert_int_equal(spec.k, 3);
	assert_false(spec.spread_bounded);
	assert_int_equal(spec.rounding, CS_ROUND_EXACT);
	assert_int_equal(spec.type.decimals, 0);
	assert_int_equal(spec.argument_count, 0);
	assert_int_equal(source->method, WIRE_METHOD_GET);
	assert_int_equal(source->port, 443);
	assert_int_equal(source->header_count, 1);
	assert_bytes(source->headers[0].name, cs_bytes_str("accept"));
	assert_bytes(source->headers[0].value, cs_bytes_str("application/json"));
	assert_false(source->tls.sct_min_given);
	assert_int_equal(source->tls.lifetime_max_days, 398);
	assert_false(source->has_query);
	assert_bytes(wire_source_host_port(source, &arena), cs_bytes_str("a.example:443"));
}

static void test_vectors(void **state)
{
	(void)state;
	json_t *file = read_json(CS_VECTORS "/oracle/specs.json"), *one;
	size_t i;
	json_array_foreach(json_object_get(file, "specs"), i, one)
	{
		struct wire_spec spec;
		struct cs_why why;
		cs_arena_init(&arena, block, sizeof block);
		assert_ok(wire_spec_parse(&spec, bytes_of(one, "bytes"), &arena, &why));
		assert_hash(spec.hash, hash_of(one, "hash"));
	}
	json_decref(file);
}

static void test_allowed(void **state)
{
	(void)state;
	static const char *const texts[] = {
		SPEC("{'type':'string'}", "{'url':'https://a.example','extract':{'whole':true}}",
		     ""),
		SPEC("{'type':'bytes'}", "{'url':'https://a.example','extract':{'whole':true}}",
		     ""),
		SPEC("{'type':'bytes[]'}", PLAIN, ""),
		SPEC("{'type':'uint256[]','decimals':36}", PLAIN, ""),
		SPEC(NUMBER, SOURCE("https://a.example/?", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example:1/a%20b/(c);d=e?f=g/h?i", ""), ""),
		SPEC(NUMBER, SOURCE("https://xn--bcher-kva.example/", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example/...", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example/{0}/{7}", ""), ""),
		SPEC(NUMBER, SOURCE("https://1.a/", ",'method':'POST','body':'{{}}{secret:A-z_9}'"),
		     ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'headers':[]"), ""),
		SPEC(NUMBER,
		     SOURCE("https://a.example/", ",'headers':[['x-key','{secret:k} {{}}']]"), ""),
		SPEC(NUMBER, PLAIN "," PLAIN "," PLAIN, ",'aggregate':{'k':2}"),
		SPEC(NUMBER, PLAIN "," PLAIN "," PLAIN, ",'aggregate':{'k':1,'kind':'median'}"),
		SPEC(NUMBER, "{'url':'https://a.example/','extract':{'script':'return {0'}}", ""),
		SPEC(NUMBER, "{'url':'https://a.example/','extract':{'pointer':''}}", ""),
	};
	for (size_t i = 0; i < CS_LEN(texts); i++)
		(void)parsed(texts[i]);
	struct wire_spec spec = parsed(SPEC(NUMBER, SOURCE("https://127.0.0.1:8443/x", ""), ""));
	assert_true(spec.sources[0].address_literal);
	spec = parsed(texts[0]);
	assert_bytes(spec.sources[0].path, cs_bytes_str("/"));
	spec = parsed(texts[8]);
	assert_int_equal(spec.argument_count, 8);
	assert_true(parsed(texts[9]).has_secrets);
	assert_int_equal(parsed(texts[10]).sources[0].header_count, 0);
	assert_true(parsed(texts[14]).has_script);
}

static void test_refused(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"[]",
		"{}",
		"1",
		"{'version':1}",
		SPEC(NUMBER, "", ""),
		SPEC(NUMBER, "1", ""),
		SPEC(NUMBER, PLAIN, ",'extra':1"),
		"{'version':2,'result':" NUMBER ",'sources':[" PLAIN "]}",
		"{'version':'1','result':" NUMBER ",'sources':[" PLAIN "]}",
		"{'result':" NUMBER ",'sources':[" PLAIN "]}",
		"{'version':1,'sources':[" PLAIN "]}",
		/* result */
		SPEC("{}", PLAIN, ""),
		SPEC("{'type':'float'}", PLAIN, ""),
		SPEC("{'type':'int256','decimals':37}", PLAIN, ""),
		SPEC("{'type':'int256','decimals':-1}", PLAIN, ""),
		SPEC("{'type':'int256','rounding':'up'}", PLAIN, ""),
		SPEC("{'type':'string','decimals':0}", PLAIN, ""),
		SPEC("{'type':'bool','rounding':'exact'}", PLAIN, ""),
		SPEC("{'type':'int256','x':1}", PLAIN, ""),
		/* aggregate */
		SPEC(NUMBER, PLAIN, ",'aggregate':{'k':0}"),
		SPEC(NUMBER, PLAIN, ",'aggregate':{'k':2}"),
		SPEC(NUMBER, PLAIN "," PLAIN, ",'aggregate':{'k':1}"),
		SPEC(NUMBER, PLAIN "," PLAIN "," PLAIN "," PLAIN,
		     ",'aggregate':{'k':2,'kind':'equal'}"),
		SPEC(NUMBER, PLAIN, ",'aggregate':{'kind':'mean'}"),
		SPEC(NUMBER, PLAIN, ",'aggregate':{'spread_ppm':1}"),
		SPEC(NUMBER, PLAIN, ",'aggregate':{'kind':'median','spread_ppm':1000000001}"),
		SPEC(NUMBER, PLAIN, ",'aggregate':{'of':1}"),
		SPEC("{'type':'bool'}", PLAIN, ",'aggregate':{'kind':'median'}"),
		SPEC("{'type':'int256[]'}", PLAIN, ",'aggregate':{'kind':'median'}"),
		/* url */
		SPEC(NUMBER, "{'extract':{'pointer':''}}", ""),
		SPEC(NUMBER, SOURCE("http://a.example/", ""), ""),
		SPEC(NUMBER, SOURCE("HTTPS://a.example/", ""), ""),
		SPEC(NUMBER, SOURCE("file:///etc/passwd", ""), ""),
		SPEC(NUMBER, SOURCE("https://", ""), ""),
		SPEC(NUMBER, SOURCE("https:///x", ""), ""),
		SPEC(NUMBER, SOURCE("https://user@a.example/", ""), ""),
		SPEC(NUMBER, SOURCE("https://user:pass@a.example/", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example/#x", ""), ""),
		SPEC(NUMBER, SOURCE("https://A.example/", ""), ""),
		SPEC(NUMBER,
		     SOURCE("https://b\xc3\xbc"
			    "cher.example/",
			    ""),
		     ""),
		SPEC(NUMBER, SOURCE("https://a..example/", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example./", ""), ""),
		SPEC(NUMBER, SOURCE("https://-a.example/", ""), ""),
		SPEC(NUMBER, SOURCE("https://a-.example/", ""), ""),
		SPEC(NUMBER, SOURCE("https://a_b.example/", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example:/", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example:0/", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example:65536/", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example:0443/", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example:443:443/", ""), ""),
		SPEC(NUMBER, SOURCE("https://127.1/", ""), ""),
		SPEC(NUMBER, SOURCE("https://2130706433/", ""), ""),
		SPEC(NUMBER, SOURCE("https://0x7f.0.0.1/", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.0x7f/", ""), ""),
		SPEC(NUMBER, SOURCE("https://127.0.0.256/", ""), ""),
		SPEC(NUMBER, SOURCE("https://127.0.0.01/", ""), ""),
		SPEC(NUMBER, SOURCE("https://[::1]/", ""), ""),
		SPEC(NUMBER, SOURCE("https://{0}.example/", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example:{0}/", ""), ""),
		SPEC(NUMBER, SOURCE("https://{secret:a}/", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example?x", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example/{secret:a}", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example/a b", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example/a\\u0000", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example/\\r\\nhost:b", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example/\xc3\xbc", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example/%", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example/%2", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example/%2{0}", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example/%zz", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example/../x", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example/x/.", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example/%2e%2E/x", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example/.%2e", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example/{{0}}", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example/{8}", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example/{00}", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example/{", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example/}", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example/{}", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example/?{secret:}", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example/?{secret:a b}", ""), ""),
		SPEC(NUMBER, SOURCE("https://a.example/?{secret:a", ""), ""),
		SPEC(NUMBER,
		     SOURCE("https://a.example/?{secret:abcdefghijklmnopqrstuvwxyz0123456}", ""),
		     ""),
		SPEC(NUMBER, SOURCE("https://a.example/?{Secret:a}", ""), ""),
		/* method, body, headers */
		SPEC(NUMBER, SOURCE("https://a.example/", ",'method':'PUT'"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'method':'get'"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'body':'x'"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'method':'POST','body':'{'"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'method':'POST','body':1"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'headers':{}"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'headers':[['a']]"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'headers':[['a','b','c']]"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'headers':[['a',1]]"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'headers':[['A','b']]"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'headers':[['','b']]"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'headers':[['a:','b']]"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'headers':[['a{0}','b']]"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'headers':[['a','']]"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'headers':[['a',' b']]"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'headers':[['a','b ']]"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'headers':[['a','b\\r\\nc: d']]"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'headers':[['a','\\t']]"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'headers':[['a','\xc3\xbc']]"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'headers':[['a','b'],['a','c']]"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'headers':[['host','b']]"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'headers':[['connection','b']]"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'headers':[['content-length','1']]"),
		     ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'headers':[['transfer-encoding','x']]"),
		     ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'headers':[['te','x']]"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'headers':[['upgrade','x']]"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'headers':[['expect','x']]"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'headers':[['accept-encoding','br']]"),
		     ""),
		SPEC(NUMBER,
		     SOURCE("https://a.example/", ",'headers':[['proxy-authorization','x']]"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'headers':[['content-type','{0}']]"),
		     ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'x':1"), ""),
		/* hosts */
		SPEC(NUMBER, SOURCE("https://a.example/", ",'hosts':['B.example']"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'hosts':['b.example:443']"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'hosts':['']"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'hosts':['{0}']"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'hosts':[1]"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'hosts':['a','b','c','d','e']"), ""),
		/* extract */
		SPEC(NUMBER, "{'url':'https://a.example/'}", ""),
		SPEC(NUMBER, "{'url':'https://a.example/','extract':{}}", ""),
		SPEC(NUMBER, "{'url':'https://a.example/','extract':'/a'}", ""),
		SPEC(NUMBER, "{'url':'https://a.example/','extract':{'pointer':'a'}}", ""),
		SPEC(NUMBER, "{'url':'https://a.example/','extract':{'pointer':'/~'}}", ""),
		SPEC(NUMBER, "{'url':'https://a.example/','extract':{'pointer':'/~{0}'}}", ""),
		SPEC(NUMBER, "{'url':'https://a.example/','extract':{'pointer':'/{8}'}}", ""),
		SPEC(NUMBER, "{'url':'https://a.example/','extract':{'pointer':'/{secret:a}'}}",
		     ""),
		SPEC(NUMBER, "{'url':'https://a.example/','extract':{'pointer':'','whole':true}}",
		     ""),
		SPEC(NUMBER, "{'url':'https://a.example/','extract':{'whole':true}}", ""),
		SPEC("{'type':'string[]'}", "{'url':'https://a.example/','extract':{'whole':true}}",
		     ""),
		SPEC("{'type':'string'}", "{'url':'https://a.example/','extract':{'whole':false}}",
		     ""),
		SPEC(NUMBER, "{'url':'https://a.example/','extract':{'script':1}}", ""),
		SPEC(NUMBER, "{'url':'https://a.example/','extract':{'regex':'x'}}", ""),
		/* tls */
		SPEC(NUMBER, SOURCE("https://a.example/", ",'tls':{'sct_min':4}"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'tls':{'lifetime_max_days':0}"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'tls':{'lifetime_max_days':826}"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'tls':{'pins':['0x01']}"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'tls':{'pins':[1]}"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'tls':{'stapled':1}"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'tls':{'verify':false}"), ""),
		SPEC(NUMBER, SOURCE("https://a.example/", ",'tls':[]"), ""),
		/* JSON */
		SPEC("{'type':'int256','decimals':1.0}", PLAIN, ""),
		SPEC("{'type':'int256','decimals':1,'decimals':1}", PLAIN, ""),
	};
	for (size_t i = 0; i < CS_LEN(texts); i++) {
		struct wire_spec spec = {.source_count = 77};
		struct cs_why why = {""};
		if (parse(&spec, texts[i], &why) == CS_OK)
			fail_msg("accepted: %s", texts[i]);
		assert_true(why.text[0] != '\0');
		assert_int_equal(spec.source_count, 77);
	}
}

static void test_bounds(void **state)
{
	(void)state;
	static char text[40000], part[20000];
	struct wire_spec spec;
	struct cs_why why;
	/* Sources. */
	for (size_t count = 16; count <= 17; count++) {
		size_t n = (size_t)snprintf(text, sizeof text,
					    "{'version':1,'result':" NUMBER ",'sources':[");
		for (size_t i = 0; i < count; i++)
			n += (size_t)snprintf(text + n, sizeof text - n, "%s" PLAIN,
					      i > 0 ? "," : "");
		(void)snprintf(text + n, sizeof text - n, "]}");
		assert_err(parse(&spec, text, &why), count == 16 ? CS_OK : CS_ERR_INVALID);
	}
	/* Body, url, script: at the bound and one above. */
	static const struct {
		const char *before, *after;
		size_t size_max;
	} parts[] = {
		{"{'version':1,'result':" NUMBER ",'sources':["
		 "{'url':'https://a.example/','extract':"
		 "{'pointer':''},'method':'POST','body':'",
		 "'}]}", WIRE_SPEC_BODY_SIZE_MAX},
		{"{'version':1,'result':" NUMBER
		 ",'sources':[{'extract':{'pointer':''},'url':'https://a.example/",
		 "'}]}", WIRE_SPEC_URL_SIZE_MAX - 18},
		{"{'version':1,'result':" NUMBER
		 ",'sources':[{'url':'https://a.example/','extract':{'pointer':'/",
		 "'}}]}", CS_JSON_POINTER_SIZE_MAX - 1},
		{"{'version':1,'result':" NUMBER
		 ",'sources':[{'url':'https://a.example/','extract':"
		 "{'pointer':''},'headers':[['a','",
		 "']]}]}", WIRE_SPEC_HEADER_SIZE_MAX},
	};
	for (size_t i = 0; i < CS_LEN(parts); i++) {
		for (size_t more = 0; more < 2; more++) {
			memset(part, 'x', parts[i].size_max + more);
			part[parts[i].size_max + more] = '\0';
			(void)snprintf(text, sizeof text, "%s%s%s", parts[i].before, part,
				       parts[i].after);
			assert_int_equal(parse(&spec, text, &why) == CS_OK, more == 0);
		}
	}
	/* The whole. */
	memset(part, 'x', 17000);
	part[17000] = '\0';
	(void)snprintf(text, sizeof text,
		       "{'version':1,'result':" NUMBER
		       ",'sources':[{'url':'https://a.example/','extract':{'script':'%s'}}]}",
		       part);
	assert_err(parse(&spec, text, &why), CS_ERR_TOO_LARGE);
}

static void test_canonical_alone(void **state)
{
	(void)state;
	struct wire_spec spec;
	struct cs_why why;
	static const char *const texts[] = {
		"{'version':1,'sources':[" PLAIN "],'result':" NUMBER "}",
		"{'result':" NUMBER ",'sources':[{'extract':{'pointer':'/a'},'url':'https://"
		"a.example/'}],'version':1} ",
		"{'result':" NUMBER ",'sources':[{'extract':{'pointer':'/a'},'url':'https:\\/\\/"
		"a.example/'}],'version':1}",
	};
	for (size_t i = 0; i < CS_LEN(texts); i++) {
		cs_arena_init(&arena, block, sizeof block);
		assert_err(wire_spec_parse(&spec, json_of(texts[i]), &arena, &why),
			   CS_ERR_NON_CANONICAL);
	}
	cs_arena_init(&arena, block, sizeof block);
	assert_ok(wire_spec_parse(&spec,
				  json_of("{'result':" NUMBER
					  ",'sources':[{'extract':{'pointer':'/a'},"
					  "'url':'https://a.example/'}],'version':1}"),
				  &arena, &why));
	cs_arena_init(&arena, block, 4096);
	assert_err(wire_spec_parse(&spec, json_of("{'result':" NUMBER ",'sources':[],'version':1}"),
				   &arena, &why),
		   CS_ERR_NO_MEMORY);
}

static void test_why_names_the_source(void **state)
{
	(void)state;
	struct wire_spec spec;
	struct cs_why why;
	assert_err(parse(&spec, SPEC(NUMBER, PLAIN "," SOURCE("http://a.example/", ""), ""), &why),
		   CS_ERR_INVALID);
	assert_string_equal(why.text, "source 1: url: begins with https://");
}

static void test_json_bodies(void **state)
{
	(void)state;
	static const struct {
		const char *type;
		bool json;
	} cases[] = {{"application/json", true},
		     {"application/JSON; charset=utf-8", true},
		     {"application/vnd.api+json", true},
		     {"application/jsonp", false},
		     {"text/plain", false},
		     {"+json", false},
		     {"text/plain; x=application/json", false}};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		char text[512];
		(void)snprintf(
			text, sizeof text,
			SPEC(NUMBER,
			     SOURCE("https://a.example/", ",'headers':[['content-type','%s']]"),
			     ""),
			cases[i].type);
		assert_int_equal(parsed(text).sources[0].json_body, cases[i].json);
	}
}

static void test_template(void **state)
{
	(void)state;
	struct cs_bytes rest = cs_bytes_str("a{{b}}{3}{secret:key}c");
	static const struct wire_piece want[] = {
		{WIRE_PIECE_TEXT, {(const uint8_t *)"a", 1}, 0},
		{WIRE_PIECE_TEXT, {(const uint8_t *)"{", 1}, 0},
		{WIRE_PIECE_TEXT, {(const uint8_t *)"b", 1}, 0},
		{WIRE_PIECE_TEXT, {(const uint8_t *)"}", 1}, 0},
		{WIRE_PIECE_ARGUMENT, {NULL, 0}, 3},
		{WIRE_PIECE_SECRET, {(const uint8_t *)"key", 3}, 0},
		{WIRE_PIECE_TEXT, {(const uint8_t *)"c", 1}, 0}};
	for (size_t i = 0; i < CS_LEN(want); i++) {
		struct wire_piece piece;
		assert_ok(wire_template_next(&piece, &rest));
		assert_int_equal(piece.kind, want[i].kind);
		assert_int_equal(piece.index, want[i].index);
		assert_bytes(piece.text, want[i].text);
	}
	assert_int_equal(rest.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_page),        cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_vectors),         cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_refused),         cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_canonical_alone), cmocka_unit_test(test_why_names_the_source),
		cmocka_unit_test(test_json_bodies),     cmocka_unit_test(test_template),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
