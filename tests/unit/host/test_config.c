/* The configuration file: what is read, and what is refused by which sentence. */
#include "host/config.h"
#include "tests/unit/support.h"

#include <unistd.h>

static enum cs_err check_url(const char *text, struct cs_why *why)
{
	if (strncmp(text, "http://", 7) != 0)
		return cs_fail(why, CS_ERR_INVALID, "does not begin with http://");
	return CS_OK;
}

static enum cs_err check_even(const char *text, struct cs_why *why)
{
	if ((text[strlen(text) - 1] - '0') % 2 != 0)
		return cs_fail(why, CS_ERR_INVALID, "is odd");
	return CS_OK;
}

static const struct host_config_key keys[] = {
	{"name", HOST_CONFIG_TEXT, 1, 8, NULL, NULL, "Its name."},
	{"api.address", HOST_CONFIG_TEXT, 1, 45, "\"127.0.0.1\"", NULL, "Where it listens."},
	{"api.port", HOST_CONFIG_NUMBER, 0, 65534, "8080", check_even, "The port."},
	{"api.open", HOST_CONFIG_BOOL, 0, 0, "false", NULL, "Whether."},
	{"api.note", HOST_CONFIG_TEXT, 0, 0, "", NULL, "Optional."},
	{"chains[].id", HOST_CONFIG_TEXT, 1, 41, NULL, NULL, "Its id."},
	{"chains[].rpc", HOST_CONFIG_TEXTS, 1, 3, NULL, check_url, "Its nodes."},
	{"chains[].height", HOST_CONFIG_NUMBER, -5, INT64_MAX, "0", NULL, "Where to begin."},
	{"chains[].keys[].name", HOST_CONFIG_TEXT, 1, 9, NULL, NULL, "A key of a chain."},
	{"tls.file", HOST_CONFIG_TEXT, 1, 100, NULL, NULL, "Needed when there is a [tls]."},
};

static const struct host_config_table tables[] = {
	{"api", 0, 0, "The API."},
	{"chains[]", 1, 2, "The chains."},
	{"chains[].keys[]", 0, 0, "Keys of a chain."},
	{"tls", 0, 1, "TLS."},
};

static const struct host_config_schema schema = {keys, CS_LEN(keys), tables, CS_LEN(tables)};

#define GOOD "name = \"g\"\n[[chains]]\nid = \"eip155:1\"\nrpc = [\"http://a\"]\n"

static struct host_config *parse(const char *text)
{
	return host_config_parse(&schema, cs_bytes_str(text), "test.toml");
}

static void expect_good(struct host_config *config)
{
	for (uint32_t i = 0; i < host_config_error_count(config); i++)
		print_message("%s\n", host_config_error(config, i));
	assert_int_equal(host_config_error_count(config), 0);
}

static void test_defaults(void **state)
{
	(void)state;
	struct host_config *config = parse(GOOD);
	expect_good(config);
	assert_string_equal(host_config_text(config, "name"), "g");
	assert_string_equal(host_config_text(config, "api.address"), "127.0.0.1");
	assert_int_equal(host_config_number(config, "api.port"), 8080);
	assert_false(host_config_bool(config, "api.open"));
	assert_null(host_config_text(config, "api.note"));
	assert_int_equal(host_config_count(config, "chains"), 1);
	assert_int_equal(host_config_count(config, "chains[%u].rpc", 0u), 1);
	assert_string_equal(host_config_text(config, "chains[%u].rpc[%u]", 0u, 0u), "http://a");
	assert_int_equal(host_config_count(config, "chains[0].keys"), 0);
	host_config_free(config);
}

static void test_everything(void **state)
{
	(void)state;
	struct host_config *config =
		parse("# a comment\r\n"
		      "name = 'a\\b' # literal\r\n"
		      "\t\n"
		      "[ api ]\n"
		      "address=\"::1\"\n"
		      "port = 1_024\n"
		      "open = true\n"
		      "note = \"q\\\"b\\\\t\\tn\\nu\\u00e9 \xc3\xa9 # no comment\"\n"
		      "[[chains]]\n"
		      "id = \"a\"\n"
		      "rpc = [ # first\n"
		      "  \"http://a\", 'http://b',\n"
		      "  # none\n"
		      "  \"http://c\",\n"
		      "]\n"
		      "height = -5\n"
		      "[[chains.keys]]\n"
		      "name = \"k0\"\n"
		      "[[chains]]\n"
		      "id = \"b\"\n"
		      "rpc = [\"http://d\"]\n"
		      "height = 9223372036854775807\n"
		      "[[chains.keys]]\n"
		      "name = \"k1\"\n"
		      "[[chains.keys]]\n"
		      "name = \"k2\"\n"
		      "[tls]\n"
		      "file = \"x\"");
	expect_good(config);
	assert_string_equal(host_config_text(config, "name"), "a\\b");
	assert_int_equal(host_config_number(config, "api.port"), 1024);
	assert_true(host_config_bool(config, "api.open"));
	assert_string_equal(host_config_text(config, "api.note"),
			    "q\"b\\t\tn\nu\xc3\xa9 \xc3\xa9 # no comment");
	assert_int_equal(host_config_count(config, "chains"), 2);
	assert_int_equal(host_config_count(config, "chains[0].rpc"), 3);
	assert_string_equal(host_config_text(config, "chains[0].rpc[2]"), "http://c");
	assert_int_equal(host_config_number(config, "chains[0].height"), -5);
	assert_int_equal(host_config_number(config, "chains[1].height"), INT64_MAX);
	assert_int_equal(host_config_count(config, "chains[0].keys"), 1);
	assert_int_equal(host_config_count(config, "chains[1].keys"), 2);
	assert_string_equal(host_config_text(config, "chains[1].keys[1].name"), "k2");
	host_config_free(config);
}

/* The file must have exactly this one error. */
static void expect_error(const char *text, const char *error)
{
	struct host_config *config = parse(text);
	if (host_config_error_count(config) != 1 ||
	    strcmp(host_config_error(config, 0), error) != 0) {
		print_message("%s\n", text);
		for (uint32_t i = 0; i < host_config_error_count(config); i++)
			print_message("  %s\n", host_config_error(config, i));
		fail_msg("expected: %s", error);
	}
	host_config_free(config);
}

static void test_schema_errors(void **state)
{
	(void)state;
	expect_error("[[chains]]\nid = \"e\"\nrpc = [\"http://a\"]\n",
		     "test.toml: name: is required: Its name.");
	expect_error(GOOD "id2 = 1\n",
		     "test.toml:5: chains[0].id2: is not known; did you mean chains[].id?");
	expect_error(GOOD "something = 1\n", "test.toml:5: chains[0].something: is not known");
	expect_error(GOOD "[api]\nprot = 1\n",
		     "test.toml:6: api.prot: is not known; did you mean api.port?");
	expect_error(GOOD "[other]\n",
		     "test.toml:5: other: is a table that is not known, or [[ ]] in place of [ ]");
	expect_error(GOOD "[[api]]\n",
		     "test.toml:5: api[0]: is a table that is not known, or [[ ]] in place of [ ]");
	expect_error(GOOD "[api]\nport = \"80\"\n", "test.toml:6: api.port: must be an integer");
	expect_error(GOOD "[api]\nopen = 1\n", "test.toml:6: api.open: must be true or false");
	expect_error(GOOD "[api]\naddress = [\"a\"]\n",
		     "test.toml:6: api.address: must be a string");
	expect_error(GOOD "[api]\nport = 70000\n",
		     "test.toml:6: api.port: is 70000, must be 0 to 65534");
	expect_error(GOOD "[api]\nport = -1\n", "test.toml:6: api.port: is -1, must be 0 to 65534");
	expect_error(GOOD "[api]\nport = 81\n", "test.toml:6: api.port: is odd");
	expect_error(GOOD "[api]\naddress = \"\"\n",
		     "test.toml:6: api.address: characters: 0, must be 1 to 45");
	expect_error("name = \"a\"\n[[chains]]\nid = \"e\"\nrpc = []\n",
		     "test.toml:4: chains[0].rpc: elements: 0, must be 1 to 3");
	expect_error("name = \"a\"\n[[chains]]\nid = \"e\"\nrpc = [\"http://a\", \"ftp://b\"]\n",
		     "test.toml:4: chains[0].rpc[1]: does not begin with http://");
	expect_error("name = \"a\"\n", "test.toml: chains: 0 entries, must be 1 to 2: [[chains]]");
	expect_error(GOOD "[[chains]]\nid = \"b\"\nrpc = [\"http://b\"]\n[[chains]]\nid = "
			  "\"c\"\nrpc = [\"http://c\"]\n",
		     "test.toml: chains: 3 entries, must be 1 to 2: [[chains]]");
	expect_error(GOOD "[tls]\n",
		     "test.toml: tls.file: is required: Needed when there is a [tls].");
	expect_error(GOOD "[[chains.keys]]\n",
		     "test.toml: chains[0].keys[0].name: is required: A key of a chain.");
}

static void expect_form(const char *line, const char *error)
{
	char text[512];
	char want[512];
	(void)snprintf(text, sizeof text, GOOD "[api]\n%s\n", line);
	(void)snprintf(want, sizeof want, "test.toml:6: %s", error);
	expect_error(text, want);
}

static void test_values(void **state)
{
	(void)state;
	static const char text[] =
		"api.note: is not a string in quotes, integer, true, false or list of strings";
	expect_form("note = yes", text);
	expect_form("note = True", text);
	expect_form("note =", text);
	expect_form("note = bare", text);
	expect_form("note = +1", text);
	expect_form("note = \"a", "api.note: the string has no end, or a control character");
	expect_form("note = \"a\tb\"", "api.note: the string has no end, or a control character");
	expect_form("note = \"a\\x\"", "api.note: an unknown escape, or too long a string");
	expect_form("note = \"a\\u12\"", "api.note: an unknown escape, or too long a string");
	expect_form("note = \"a\\u0000\"", "api.note: an unknown escape, or too long a string");
	expect_form("note = \"a\\ud800\"", "api.note: an unknown escape, or too long a string");
	expect_form("note = \"a\" b", "api.note: something follows the value");
	expect_form("note = \"\"\"a\"\"\"", "api.note: strings over several lines are not allowed");
	expect_form("note = '''a'''", "api.note: strings over several lines are not allowed");
	expect_form("note = { a = 1 }", "api.note: inline tables are not allowed");
	expect_form("port = 1.5", "api.port: is not an integer below 2^63");
	expect_form("port = 1e3", "api.port: is not an integer below 2^63");
	expect_form("port = 0x10", "api.port: is not an integer below 2^63");
	expect_form("port = 010", "api.port: is not an integer below 2^63");
	expect_form("port = 1__0", "api.port: is not an integer below 2^63");
	expect_form("port = 10_", "api.port: is not an integer below 2^63");
	expect_form("port = -", "api.port: is not an integer below 2^63");
	expect_form("port = 9223372036854775808", "api.port: is not an integer below 2^63");
	expect_form("port = 1979-05-27", "api.port: is not an integer below 2^63");
	expect_form("port = 2 3", "api.port: something follows the value");
	expect_form("a.b = 1", "expected: name = value, [table] or [[table]]");
	expect_form("\"note\" = 1", "expected: name = value, [table] or [[table]]");
	expect_form("note", "expected: name = value, [table] or [[table]]");
	expect_form("= 1", "expected: name = value, [table] or [[table]]");
	expect_form("note = [1]",
		    "api.note: only strings may be in a list, and it must end with ]");
	expect_form("note = [\"a\" \"b\"]", "api.note: a comma or ] is missing in the list");
	expect_form("note = [[\"a\"]]",
		    "api.note: only strings may be in a list, and it must end with ]");
	expect_form("note = [,]",
		    "api.note: only strings may be in a list, and it must end with ]");
	expect_error(GOOD "[api]\nport = 2\nport = 4\n", "test.toml:7: api.port: is there twice");
}

static void test_tables(void **state)
{
	(void)state;
	expect_error(GOOD "[api]\n[api]\n", "test.toml:6: api: the table is there twice");
	expect_error(GOOD "[chains]\n", "test.toml:5: chains: is an array of tables: write [[ ]]");
	expect_error(GOOD "[api\nport = 2\n",
		     "test.toml:5: api: expected ] and the end of the line");
	expect_error(GOOD "[[chains]\n",
		     "test.toml:5: chains[1]: expected ]] and the end of the line");
	expect_error(GOOD "[]\n", "test.toml:5: a table's name is missing or has other characters "
				  "than A-Z a-z 0-9 _ -");
	expect_error(GOOD "[\"api\"]\n", "test.toml:5: a table's name is missing or has other "
					 "characters than A-Z a-z 0-9 _ -");
	expect_error(GOOD "[api] x\n", "test.toml:5: api: expected ] and the end of the line");
	expect_error(GOOD "# \xff\n", "test.toml: the file is no UTF-8");
	expect_error(GOOD "# \x01\n", "test.toml:5: expected: name = value, [table] or [[table]]");
	expect_error(GOOD "[tls]\nfile = \"a\"\n[[tls]]\n", "test.toml:7: tls: is a table already");
}

static void test_all_errors_at_once(void **state)
{
	(void)state;
	struct host_config *config = parse(
		"nmae = \"x\"\n[api]\nport = 70000\nopen = 3\n[[chains]]\nrpc = [\"ftp://a\"]\n"
		"[[chains]]\nid = \"b\"\n");
	static const char *const want[] = {
		"test.toml:1: nmae: is not known; did you mean name?",
		"test.toml:3: api.port: is 70000, must be 0 to 65534",
		"test.toml:4: api.open: must be true or false",
		"test.toml:6: chains[0].rpc[0]: does not begin with http://",
		"test.toml: name: is required: Its name.",
		"test.toml: chains[0].id: is required: Its id.",
		"test.toml: chains[1].rpc: is required: Its nodes.",
	};
	assert_int_equal(host_config_error_count(config), CS_LEN(want));
	for (uint32_t i = 0; i < CS_LEN(want); i++)
		assert_string_equal(host_config_error(config, i), want[i]);
	host_config_complain(config, "chains[0].rpc", "and %d more", 3);
	assert_string_equal(host_config_error(config, CS_LEN(want)),
			    "test.toml:6: chains[0].rpc: and 3 more");
	host_config_free(config);
}

static void test_bounds(void **state)
{
	(void)state;
	size_t room = 2u * HOST_CONFIG_FILE_MAX;
	char *text = calloc(1, room);
	assert_non_null(text);
	memset(text, '#', HOST_CONFIG_FILE_MAX + 1);
	expect_error(text, "test.toml: the file is larger than 262144 bytes");
	/* More errors than are kept, more keys than are taken, deep names: none of it is a crash. */
	size_t n = 0;
	for (int i = 0; i < 5000; i++)
		n += (size_t)snprintf(text + n, room - n, "k%d = 1\n", i);
	struct host_config *config = parse(text);
	assert_int_equal(host_config_error_count(config), HOST_CONFIG_ERRORS_MAX);
	host_config_free(config);
	n = 0;
	for (int i = 0; i < 100; i++)
		n += (size_t)snprintf(text + n, room - n, "[[chains]]\n");
	config = parse(text);
	assert_true(host_config_error_count(config) > 0);
	host_config_free(config);
	memset(text, 'a', 1000);
	(void)snprintf(text + 1000, 100, " = 1\n");
	config = parse(text);
	assert_true(host_config_error_count(config) > 0);
	host_config_free(config);
	n = (size_t)snprintf(text, room, "name = [");
	for (int i = 0; i < 300; i++)
		n += (size_t)snprintf(text + n, room - n, "\"a\",");
	(void)snprintf(text + n, room - n, "]");
	config = parse(text);
	assert_non_null(strstr(host_config_error(config, 0), "has too many elements"));
	host_config_free(config);
	free(text);
}

/* Every prefix and every flipped byte of a good file is read without harm. */
static void test_mutations(void **state)
{
	(void)state;
	static const char good[] = GOOD "[api]\nport = 2 # c\nnote = \"a\\u0041\"\nopen = "
					"true\n[[chains.keys]]\nname = 'k'\n";
	char text[sizeof good];
	for (size_t n = 0; n < sizeof good; n++)
		host_config_free(host_config_parse(&schema, cs_bytes(good, n), "x"));
	for (size_t i = 0; i + 1 < sizeof good; i++)
		for (int bit = 0; bit < 8; bit++) {
			memcpy(text, good, sizeof good);
			text[i] = (char)(text[i] ^ (1 << bit));
			host_config_free(
				host_config_parse(&schema, cs_bytes(text, sizeof good - 1), "x"));
		}
}

static void test_load(void **state)
{
	(void)state;
	char path[] = "/tmp/caisson-config-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, GOOD, strlen(GOOD)), (ssize_t)strlen(GOOD));
	close(fd);
	struct host_config *config = host_config_load(&schema, path);
	expect_good(config);
	host_config_free(config);
	unlink(path);
	config = host_config_load(&schema, path);
	assert_int_equal(host_config_error_count(config), 1);
	assert_non_null(strstr(host_config_error(config, 0), "No such file"));
	host_config_free(config);
	config = host_config_load(&schema, "/tmp");
	assert_int_equal(host_config_error_count(config), 1);
	host_config_free(config);
}

/* The sample is a valid file but for what is required, and says everything. */
static void test_sample_and_reference(void **state)
{
	(void)state;
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);
	assert_non_null(to);
	host_config_write_sample(&schema, to);
	assert_int_equal(fclose(to), 0);
	struct host_config *config = host_config_parse(&schema, cs_bytes(text, size), "sample");
	for (uint32_t i = 0; i < host_config_error_count(config); i++)
		assert_non_null(strstr(host_config_error(config, i), "must be"));
	assert_true(host_config_error_count(config) > 0);
	host_config_free(config);
	assert_non_null(strstr(text, "[[chains]]\n# Its id.\nid = \"\" # required\n"));
	assert_non_null(strstr(text, "# Where it listens.\n# address = \"127.0.0.1\"\n"));
	free(text);
	to = open_memstream(&text, &size);
	assert_non_null(to);
	host_config_write_reference(&schema, to);
	assert_int_equal(fclose(to), 0);
	for (size_t i = 0; i < CS_LEN(keys); i++)
		assert_non_null(strstr(text, keys[i].sentence));
	assert_non_null(strstr(
		text, "| `chains[].rpc` | strings, 1 to 3 elements | required | Its nodes. |\n"));
	free(text);
}

/* ---- two files ---- */

static void note(void *context, const char *path)
{
	char *text = context;
	size_t n = strlen(text);
	snprintf(text + n, 256 - n, "%s ", path);
}

static void expect_changes(const char *from, const char *to, const char *expected)
{
	char changes[256] = "";
	struct host_config *a = host_config_parse(&schema, cs_bytes_str(from), "a");
	struct host_config *b = host_config_parse(&schema, cs_bytes_str(to), "b");
	assert_int_equal(host_config_error_count(a), 0);
	assert_int_equal(host_config_error_count(b), 0);
	host_config_compare(a, b, note, changes);
	assert_string_equal(changes, expected);
	host_config_free(a);
	host_config_free(b);
}

static void test_what_changed(void **state)
{
	(void)state;
	char other[1024];
	expect_changes(GOOD, GOOD, "");
	/* A comment is no change, a value is; one in an array of tables has its place. */
	snprintf(other, sizeof(other), "# another\n%s", GOOD);
	expect_changes(GOOD, other, "");
	snprintf(other, sizeof(other), "%s\n[[chains]]\nid = \"third\"\nrpc = [\"http://x\"]\n",
		 GOOD);
	char changes[256] = "";
	struct host_config *a = host_config_parse(&schema, cs_bytes_str(GOOD), "a");
	struct host_config *b = host_config_parse(&schema, cs_bytes_str(other), "b");
	assert_int_equal(host_config_error_count(b), 0);
	host_config_compare(a, b, note, changes);
	assert_non_null(strstr(changes, "].id "));
	assert_non_null(strstr(changes, "].rpc "));
	changes[0] = 0;
	host_config_compare(b, a, note, changes); /* what is gone is a change too */
	assert_non_null(strstr(changes, "].id "));
	host_config_free(a);
	host_config_free(b);
	assert_true(host_config_is_place("chains[].rpc", "chains[12].rpc"));
	assert_false(host_config_is_place("chains[].rpc", "chains[12].rpcs"));
	assert_false(host_config_is_place("chains[].rpc", "chains[12]"));
	assert_false(host_config_is_place("chains[].rpc", "peers[1].rpc"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),      cmocka_unit_test(test_everything),
		cmocka_unit_test(test_schema_errors), cmocka_unit_test(test_values),
		cmocka_unit_test(test_tables),        cmocka_unit_test(test_all_errors_at_once),
		cmocka_unit_test(test_bounds),        cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_load),          cmocka_unit_test(test_sample_and_reference),
		cmocka_unit_test(test_what_changed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
