/* api/openapi.json beside the code: the same routes both ways, with their query names and scopes; the
 * same names of states, steps, codes and flags; and the page that is made of it. What replies look
 * like is compared by tests/e2e/test_openapi.py. */
#include "gateway/gateway.h"
#include "tests/unit/support.h"

#define TEXT_MAX 256u

static json_t *description;
static struct gateway gateway;
static struct host_loop *loop;

static int start(void **state)
{
	struct cs_why why = {{0}};
	(void)state;
	description = json_loadb((const char *)gateway_openapi, gateway_openapi_size,
				 JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(description);
	loop = host_loop_new();
	gateway.loop = loop;
	assert_int_equal(host_http_server_new(&gateway.server, loop,
					      &(struct host_http_server_options){0}, &why),
			 CS_OK);
	gateway_api_routes(&gateway);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	gateway_events_stop(&gateway);
	host_http_server_free(gateway.server);
	host_loop_free(loop);
	free(gateway.reference);
	json_decref(description);
	return 0;
}

static json_t *at(json_t *from, const char *first, const char *second)
{
	return json_object_get(json_object_get(from, first), second);
}

static json_t *schema(const char *name)
{
	return json_object_get(at(description, "components", "schemas"), name);
}

/* ---- routes ---- */

/* "a&b" of what the operation takes in its query. */
static void query_of(char text[TEXT_MAX], const json_t *operation)
{
	size_t i;
	json_t *given;
	text[0] = 0;
	json_array_foreach(json_object_get(operation, "parameters"), i, given)
	{
		const char *to = json_string_value(json_object_get(given, "$ref"));
		const json_t *parameter =
			to ? json_object_get(at(description, "components", "parameters"),
					     strrchr(to, '/') + 1)
			   : given;
		assert_non_null(parameter);
		if (strcmp(json_string_value(json_object_get(parameter, "in")), "query") != 0)
			continue;
		size_t n = strlen(text);
		snprintf(text + n, TEXT_MAX - n, "%s%s", n > 0 ? "&" : "",
			 json_string_value(json_object_get(parameter, "name")));
	}
}

static uint32_t scopes_of(const json_t *operation)
{
	const json_t *security = json_object_get(operation, "security");
	const json_t *names = json_object_get(json_array_get(security, 0), "key");
	uint32_t scopes = 0;
	assert_true(json_is_array(security));
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = json_string_value(json_array_get(names, i));
		size_t bit = 0;
		while (gateway_scope_names[bit] && strcmp(gateway_scope_names[bit], name) != 0)
			bit++;
		assert_non_null(gateway_scope_names[bit]);
		scopes |= 1u << bit;
	}
	return scopes;
}

/* What is served and described otherwise, or not at all. */
static unsigned served_not_described(const json_t *paths)
{
	struct host_http_route_terms route;
	unsigned wrong = 0;
	for (uint32_t i = 0; host_http_server_route_terms(gateway.server, i, &route); i++) {
		char method[12] = "";
		char query[TEXT_MAX];
		for (size_t k = 0; route.method[k] != 0; k++)
			method[k] = (char)(route.method[k] - 'A' + 'a');
		const json_t *operation =
			json_object_get(json_object_get(paths, route.pattern), method);
		if (operation) {
			query_of(query, operation);
			if (scopes_of(operation) == route.scopes &&
			    strcmp(query, route.query ? route.query : "") == 0)
				continue;
		}
		wrong++;
	}
	return wrong;
}

static bool is_served(const char *path, const char *method)
{
	struct host_http_route_terms route;
	for (uint32_t i = 0; host_http_server_route_terms(gateway.server, i, &route); i++)
		if (strcmp(route.pattern, path) == 0 && strcasecmp(route.method, method) == 0)
			return true;
	return false;
}

/* Paths with servers of their own are on another port. */
static unsigned described_not_served(json_t *paths)
{
	const char *path;
	json_t *item;
	unsigned wrong = 0;
	json_object_foreach(paths, path, item)
	{
		const char *method;
		json_t *operation;
		if (json_object_get(item, "servers"))
			continue;
		json_object_foreach(item, method, operation)
		{
			wrong += !is_served(path, method);
		}
	}
	return wrong;
}

static void routes_are_those_described(void **state)
{
	json_t *paths = json_object_get(description, "paths");
	(void)state;
	assert_int_equal(served_not_described(paths), 0);
	assert_int_equal(described_not_served(paths), 0);
}

/* The comparison sees one more, one less, another scope and another name. */
static void a_difference_is_seen(void **state)
{
	json_t *paths = json_deep_copy(json_object_get(description, "paths"));
	json_t *list = at(paths, "/v1/messages", "get");
	(void)state;
	json_object_set_new(paths, "/v1/more", json_pack("{s:{}}", "get"));
	assert_int_equal(described_not_served(paths), 1);
	json_object_del(paths, "/v1/status");
	assert_int_equal(served_not_described(paths), 1);
	json_array_remove(json_object_get(list, "parameters"), 0);
	assert_int_equal(served_not_described(paths), 2);
	json_object_set_new(at(paths, "/v1/transfers", "post"), "security",
			    json_pack("[{s:[s]}]", "key", "read"));
	assert_int_equal(served_not_described(paths), 3);
	json_decref(paths);
}

/* ---- tables ---- */

static void same_names(const char *name, const char *const *names, size_t count)
{
	const json_t *list = json_object_get(schema(name), "enum");
	assert_int_equal(json_array_size(list), count);
	for (size_t i = 0; i < count; i++)
		assert_string_equal(json_string_value(json_array_get(list, i)), names[i]);
}

static void names_are_those_of_the_tables(void **state)
{
	const char *names[64];
	size_t count = 0;
	(void)state;
	for (unsigned i = RELAY_STATE_NONE + 1; i < RELAY_STATE_END; i++)
		names[count++] = relay_state_name(i);
	same_names("State", names, count);
	count = 0;
	for (unsigned i = RELAY_STEP_NONE + 1; i < RELAY_STEP_END; i++)
		names[count++] = relay_step_name(i);
	same_names("StepName", names, count);
	count = 0;
	for (unsigned i = WIRE_STATUS_NONE; i <= WIRE_STATUS_DEAD; i++)
		names[count++] = relay_status_name(i);
	same_names("Delivery", names, count);
}

static enum cs_err err_named(const char *name)
{
	for (unsigned i = 0; i < CS_ERR_COUNT; i++)
		if (strcmp(cs_err_name(i), name) == 0)
			return i;
	return CS_ERR_COUNT;
}

/* Every code that a description of this status names has this status. Two belong to the protocol. */
static unsigned check_codes(long status, const char *words)
{
	unsigned codes = 0;
	for (const char *tick = strchr(words, '`'); tick; tick = strchr(tick, '`')) {
		char name[TEXT_MAX];
		size_t n = strcspn(tick + 1, "`");
		snprintf(name, sizeof(name), "%.*s", (int)n, tick + 1);
		tick += n + 2;
		enum cs_err err = err_named(name);
		if (err == CS_ERR_COUNT)
			continue;
		codes++;
		if (status != 426 || err != CS_ERR_UNSUPPORTED)
			assert_int_equal(cs_err_http_status(err), status);
	}
	return codes;
}

static const char *words_of(const json_t *response)
{
	const char *to = json_string_value(json_object_get(response, "$ref"));
	if (to)
		response = json_object_get(at(description, "components", "responses"),
					   strrchr(to, '/') + 1);
	const char *words = json_string_value(json_object_get(response, "description"));
	assert_non_null(words);
	return words;
}

static void codes_have_their_status(void **state)
{
	json_t *codes = json_object_get(schema("ProblemCode"), "enum");
	const char *path;
	const char *method;
	const char *status;
	json_t *item;
	json_t *operation;
	json_t *response;
	size_t i;
	json_t *code;
	(void)state;
	json_array_foreach(codes, i, code)
	{
		assert_int_not_equal(err_named(json_string_value(code)), CS_ERR_COUNT);
	}
	json_object_foreach(json_object_get(description, "paths"), path, item)
	{
		json_object_foreach(item, method, operation)
		{
			json_object_foreach(json_object_get(operation, "responses"), status,
					    response)
			{
				long number = strtol(status, NULL, 10);
				if (number >= 400 && check_codes(number, words_of(response)) == 0)
					fail_msg("%s %s %s names no code", method, path, status);
			}
		}
	}
}

static void flags_and_answers_are_those_of_the_tables(void **state)
{
	static const char *const flags[] = {
#define INSECURE(bit, name, option, sentence) #name,
#include "enclave/insecure.def"
#undef INSECURE
	};
	static const char *const answers[] = {
#define WIRE_ORACLE(code, number, name, refunded) name,
#include "wire/oracle_codes.def"
#undef WIRE_ORACLE
	};
	const json_t *insecure =
		at(at(schema("Enclave"), "properties", "insecure"), "items", "enum");
	const json_t *answer =
		json_object_get(at(schema("ProviderAnswer"), "properties", "answer"), "enum");
	(void)state;
	assert_int_equal(json_array_size(insecure), CS_LEN(flags));
	for (size_t i = 0; i < CS_LEN(flags); i++)
		assert_string_equal(json_string_value(json_array_get(insecure, i)), flags[i]);
	assert_int_equal(json_array_size(answer), CS_LEN(answers));
	for (size_t i = 0; i < CS_LEN(answers); i++)
		assert_string_equal(json_string_value(json_array_get(answer, i)), answers[i]);
}

/* ---- the page ---- */

static void has(const char *page, const char *before, const char *name)
{
	char text[TEXT_MAX];
	snprintf(text, sizeof(text), "%s%s\"", before, name);
	if (!strstr(page, text))
		fail_msg("the page lacks %s", text);
}

static void the_page_has_all_of_it(void **state)
{
	const char *path;
	const char *name;
	json_t *item;
	json_t *each;
	(void)state;
	json_object_foreach(json_object_get(description, "paths"), path, item)
	{
		json_object_foreach(item, name, each)
		{
			const char *id = json_string_value(json_object_get(each, "operationId"));
			if (!id)
				continue; /* servers */
			has(gateway.reference, "<section id=\"", id);
			has(gateway.reference, "<a href=\"#", id);
		}
	}
	json_object_foreach(at(description, "components", "schemas"), name, each)
	{
		has(gateway.reference, "<section id=\"schema-", name);
	}
	assert_null(strstr(gateway.reference, "<script"));
	assert_null(strstr(gateway.reference, "href=\"http"));
	assert_null(strstr(gateway.reference, "src="));
	assert_null(strstr(gateway.reference, "url("));
}

/* Each name that is referred to is there. */
static void links_of_the_page_lead_somewhere(void **state)
{
	static const char link[] = "href=\"#";
	(void)state;
	for (const char *p = strstr(gateway.reference, link); p; p = strstr(p, link)) {
		char id[TEXT_MAX];
		p += strlen(link);
		snprintf(id, sizeof(id), "%.*s", (int)strcspn(p, "\""), p);
		if (strcmp(id, "main") != 0 && strcmp(id, "schemas") != 0)
			has(gateway.reference, "<section id=\"", id);
	}
}

static void what_is_described_is_no_markup(void **state)
{
	(void)state;
	json_t *hostile = json_deep_copy(description);
	json_t *list = at(json_object_get(hostile, "paths"), "/v1/messages", "get");
	json_object_set_new(list, "summary", json_string("<script>alert(1)</script>"));
	json_object_set_new(list, "description", json_string("a `<b>` & \"c\""));
	char *page = gateway_reference_html(hostile);
	assert_null(strstr(page, "<script"));
	assert_non_null(strstr(page, "&lt;script&gt;alert(1)&lt;/script&gt;"));
	assert_non_null(strstr(page, "a <code>&lt;b&gt;</code> &amp; &quot;c&quot;"));
	free(page);
	json_decref(hostile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(routes_are_those_described),
		cmocka_unit_test(a_difference_is_seen),
		cmocka_unit_test(names_are_those_of_the_tables),
		cmocka_unit_test(codes_have_their_status),
		cmocka_unit_test(flags_and_answers_are_those_of_the_tables),
		cmocka_unit_test(the_page_has_all_of_it),
		cmocka_unit_test(links_of_the_page_lead_somewhere),
		cmocka_unit_test(what_is_described_is_no_markup),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
