/* Scripts: what the language does, and that nothing gets out of it (tests/vectors/scripts). */
#include "enclave/vm/vm.h"
#include "tests/unit/support.h"

#include <dirent.h>
#include <time.h>

static uint8_t block[1024 * 1024];

static struct vm_call call_of(struct cs_bytes script)
{
	static struct cs_bytes arguments[2];
	arguments[0] = cs_bytes_str("ethereum");
	arguments[1] = cs_bytes_str("usd");
	return (struct vm_call){
		.script = script,
		.body = cs_bytes_str("{\"data\":[{\"price\":2345.67},{\"price\":\"2347.5\"}]}"),
		.arguments = arguments,
		.argument_count = 2,
		.limits = VM_LIMITS};
}

static enum cs_err run(struct vm_result *result, const struct vm_call *call, struct cs_why *why)
{
	struct cs_arena arena;
	cs_arena_init(&arena, block, sizeof block);
	return vm_run(result, &vm_lua, call, &arena, why);
}

static const char *text_of_result(const struct vm_result *result)
{
	static char text[4096];
	size_t n = 0;
	n += (size_t)snprintf(text + n, sizeof text - n, "%s", result->array ? "[" : "");
	for (size_t i = 0; i < result->count; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%.*s", i > 0 ? "," : "",
				      (int)result->items[i].n, (const char *)result->items[i].p);
	(void)snprintf(text + n, sizeof text - n, "%s", result->array ? "]" : "");
	return text;
}

static bool is_expected(const char *expected, enum cs_err err, const struct vm_result *result,
			const char *why)
{
	if (strncmp(expected, "returns ", 8) == 0)
		return err == CS_OK && strcmp(text_of_result(result), expected + 8) == 0;
	if (strcmp(expected, "fails") == 0)
		return err == CS_ERR_INVALID && why[0] != '\0';
	if (strcmp(expected, "malformed") == 0)
		return err == CS_ERR_MALFORMED && why[0] != '\0';
	if (strcmp(expected, "differs") == 0)
		return err == CS_ERR_CONFLICT;
	bool steps = strstr(why, "steps") != NULL, memory = strstr(why, "bytes") != NULL;
	if (strcmp(expected, "steps") == 0)
		return err == CS_ERR_TOO_LARGE && steps;
	if (strcmp(expected, "memory") == 0)
		return err == CS_ERR_TOO_LARGE && memory;
	if (strcmp(expected, "time") == 0)
		return err == CS_ERR_TIMEOUT;
	return strcmp(expected, "limit") == 0 && err == CS_ERR_TOO_LARGE && (steps || memory);
}

/* Time of this process: a busy machine changes nothing. */
static bool is_late(void *context)
{
	return clock() > *(const clock_t *)context;
}

/* All that is wrong is told before the test fails. */
static bool run_file(const char *path, struct cs_bytes script)
{
	char expected[512] = "malformed";
	struct vm_result result;
	struct cs_why why = {""};
	const uint8_t *end = memchr(script.p, '\n', script.n);
	if (end != NULL)
		(void)snprintf(expected, sizeof expected, "%.*s",
			       (int)(end - script.p - (long)strlen("-- expect: ")),
			       (const char *)script.p + strlen("-- expect: "));
	struct vm_call call = call_of(script);
	bool timed = strcmp(expected, "time") == 0;
	clock_t begin = clock(),
		end_at = begin + (timed ? CLOCKS_PER_SEC / 4 : 60 * CLOCKS_PER_SEC);
	call.expired = is_late;
	call.context = &end_at;
	enum cs_err err = run(&result, &call, &why);
	double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
	if (getenv("CS_SCRIPT_TIMES") != NULL)
		printf("%8.1f ms %s\n", 1000 * seconds, path);
	/* The clock is the last resort, and must come in time: not one call may take long. */
	if (timed && seconds > 10)
		fail_msg("%s took %.1f s", path, seconds);
	if (is_expected(expected, err, &result, why.text))
		return true;
	print_error("%s: wanted %s, got %s (%s) %s\n", path, expected, cs_err_name(err), why.text,
		    err == CS_OK ? text_of_result(&result) : "");
	return false;
}

static size_t run_folder(const char *folder)
{
	struct dirent **entries;
	size_t count = 0, wrong = 0;
	int n = scandir(folder, &entries, NULL, alphasort);
	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		char path[1024];
		(void)snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
		if (strstr(path, ".lua") != NULL) {
			wrong += !run_file(path, read_file(path));
			count++;
		}
		free(entries[i]);
	}
	free(entries);
	assert_int_equal(wrong, 0);
	return count;
}

static void test_good(void **state)
{
	(void)state;
	assert_true(run_folder(CS_VECTORS "/scripts/good") >= 50);
}

static void test_hostile(void **state)
{
	(void)state;
	assert_true(run_folder(CS_VECTORS "/scripts/hostile") >= 180);
}

/* ---- limits ---- */

static enum cs_err run_text(const char *script, struct vm_limits limits, struct cs_why *why)
{
	struct vm_result result;
	struct vm_call call = call_of(cs_bytes_str(script));
	call.limits = limits;
	return run(&result, &call, why);
}

static void test_limits_are_the_callers(void **state)
{
	(void)state;
	static const char counting[] = "local n = 0 for i = 1, 10000 do n = n + i end return n";
	struct cs_why why;
	struct vm_limits limits = VM_LIMITS;
	limits.steps_max = 50000;
	assert_ok(run_text(counting, limits, &why));
	limits.steps_max = 20000;
	assert_err(run_text(counting, limits, &why), CS_ERR_TOO_LARGE);
	assert_string_equal(why.text, "the script takes more than 20000 steps");
	limits = VM_LIMITS;
	limits.memory_max = 64 * 1024;
	assert_ok(run_text(counting, limits, &why));
	assert_err(run_text("return #('x'):rep(60000)", limits, &why), CS_ERR_TOO_LARGE);
	assert_string_equal(why.text, "the script takes more than 65536 bytes");
	limits = VM_LIMITS;
	limits.result_size_max = 5;
	assert_ok(run_text("return {'ab', 'cde'}", limits, &why));
	assert_err(run_text("return {'abc', 'cde'}", limits, &why), CS_ERR_TOO_LARGE);
	/* Too little for a state at all. */
	limits = (struct vm_limits){1, 1000, 10};
	assert_err(run_text(counting, limits, &why), CS_ERR_TOO_LARGE);
	limits = (struct vm_limits){0, 0, 0};
	assert_err(run_text(counting, limits, &why), CS_ERR_TOO_LARGE);
}

/* At whatever allocation memory or steps end: an error each time, and no leak (the sanitizer
 * looks). */
static void test_every_limit_on_the_way(void **state)
{
	(void)state;
	static const char script[] =
		"local t = json.decode(body) local s = {} "
		"for k, v in pairs({a = 1, b = 2}) do s[#s + 1] = ('%s=%d'):format(k, v) end "
		"return (table.concat(s, ','):gsub('%w', {a = 'x'})) .. t.data[1].price";
	struct cs_why why;
	size_t good = 0, refused = 0;
	for (size_t memory = 0; memory < 40000; memory += 37) {
		struct vm_limits limits = {VM_STEPS_MAX, memory, 100};
		enum cs_err err = run_text(script, limits, &why);
		assert_true(err == CS_OK || err == CS_ERR_TOO_LARGE);
		*(err == CS_OK ? &good : &refused) += 1;
	}
	for (uint64_t steps = 0; steps < 3000; steps += 7) {
		struct vm_limits limits = {steps, VM_MEMORY_MAX, 100};
		enum cs_err err = run_text(script, limits, &why);
		assert_true(err == CS_OK || err == CS_ERR_TOO_LARGE);
		*(err == CS_OK ? &good : &refused) += 1;
	}
	assert_true(good > 100 && refused > 100);
}

static bool count_down(void *context)
{
	unsigned *left = context;
	return (*left)-- == 0;
}

static void test_expiry(void **state)
{
	(void)state;
	static const char *const scripts[] = {
		"while true do end", "while true do pcall(function() while true do end end) end",
		"return ('a'):rep(40):find(('a*'):rep(30) .. 'b')",
		"pcall(table.sort, {1, 2}, function() while true do end end) return 'x'",
		"local s = ('x'):rep(100000) while true do hash.sha256(s) end"};
	for (size_t i = 0; i < CS_LEN(scripts); i++) {
		struct vm_result result;
		struct cs_why why;
		unsigned left = 3;
		struct vm_call call = call_of(cs_bytes_str(scripts[i]));
		call.expired = count_down;
		call.context = &left;
		assert_err(run(&result, &call, &why), CS_ERR_TIMEOUT);
	}
}

static bool never(void *context)
{
	++*(unsigned *)context;
	return false;
}

static void test_clock_is_asked_often(void **state)
{
	(void)state;
	struct vm_result result;
	struct cs_why why;
	unsigned asked = 0;
	struct vm_call call = call_of(cs_bytes_str("while true do end"));
	call.expired = never;
	call.context = &asked;
	assert_err(run(&result, &call, &why), CS_ERR_TOO_LARGE);
	assert_true(asked > VM_STEPS_MAX / 1200);
}

/* ---- determinism, results ---- */

static void test_steps_are_exact(void **state)
{
	(void)state;
	/* The least number of steps that suffices is the same every time. */
	static const char script[] = "local t = {} for i = 1, 300 do t['k' .. i] = i end "
				     "local n = 0 for k, v in pairs(t) do n = n + v end return n";
	uint64_t found[3];
	for (size_t round = 0; round < CS_LEN(found); round++) {
		uint64_t low = 1, high = VM_STEPS_MAX;
		struct cs_why why;
		while (low < high) {
			struct vm_limits limits = VM_LIMITS;
			limits.steps_max = low + (high - low) / 2;
			if (run_text(script, limits, &why) == CS_OK)
				high = limits.steps_max;
			else
				low = limits.steps_max + 1;
		}
		found[round] = low;
	}
	assert_true(found[0] == found[1] && found[1] == found[2]);
}

static void test_messages(void **state)
{
	(void)state;
	struct cs_why why;
	assert_err(run_text("local x\nreturn x.y", VM_LIMITS, &why), CS_ERR_INVALID);
	assert_string_equal(why.text, "script:2: attempt to index a nil value (local 'x')");
	assert_err(run_text("local a = 1\nreturn a / 2", VM_LIMITS, &why), CS_ERR_INVALID);
	assert_string_equal(why.text,
			    "script:2: there are no floats: use // and integers, or u256");
	assert_err(run_text("return 1 / 2", VM_LIMITS, &why), CS_ERR_MALFORMED);
	assert_err(run_text("\nstring.rep()", VM_LIMITS, &why), CS_ERR_INVALID);
	assert_string_equal(why.text, "script:2: argument 1: string expected, not no value");
	assert_err(run_text("return 1 +", VM_LIMITS, &why), CS_ERR_MALFORMED);
	assert_string_equal(why.text, "script:1: unexpected symbol near <eof>");
	assert_err(run_text("error('\\27[31m\\n\\xff')", VM_LIMITS, &why), CS_ERR_INVALID);
	assert_string_equal(why.text, "script:1: ?[31m??");
	assert_err(run_text("error(('x'):rep(5000))", VM_LIMITS, &why), CS_ERR_INVALID);
	assert_int_equal(strlen(why.text), 149);
}

static void test_result_memory(void **state)
{
	(void)state;
	struct vm_result result = {.count = 77};
	struct cs_why why;
	struct cs_arena small;
	struct vm_call call = call_of(cs_bytes_str("return ('x'):rep(1000)"));
	cs_arena_init(&small, block, 512);
	assert_err(vm_run(&result, &vm_lua, &call, &small, &why), CS_ERR_NO_MEMORY);
	assert_int_equal(result.count, 77);
	call = call_of(cs_bytes_str("return {'', 'a\\0b'}"));
	assert_ok(run(&result, &call, &why));
	assert_int_equal(result.count, 2);
	assert_int_equal(result.items[0].n, 0);
	assert_int_equal(result.items[1].n, 3);
}

/* ---- engines ---- */

static enum cs_err run_other(struct vm_result *out, const struct vm_call *call, unsigned number,
			     struct cs_arena *arena, struct cs_why *why)
{
	(void)call, (void)arena, (void)why;
	*out = (struct vm_result){.count = 1,
				  .items = {cs_bytes_str(number == 0 ? "first" : "second")}};
	return CS_OK;
}

static enum cs_err run_second_fails(struct vm_result *out, const struct vm_call *call,
				    unsigned number, struct cs_arena *arena, struct cs_why *why)
{
	CS_TRY(run_other(out, call, 0, arena, why));
	return number == 0 ? CS_OK : CS_ERR_TIMEOUT;
}

static void test_two_runs(void **state)
{
	(void)state;
	static const struct vm_engine other = {"other", run_other};
	static const struct vm_engine fails = {"fails", run_second_fails};
	struct vm_result result = {.count = 77};
	struct vm_call call = call_of(cs_bytes_str(""));
	struct cs_arena arena;
	struct cs_why why;
	cs_arena_init(&arena, block, sizeof block);
	assert_err(vm_run(&result, &other, &call, &arena, &why), CS_ERR_CONFLICT);
	assert_err(vm_run(&result, &fails, &call, &arena, &why), CS_ERR_TIMEOUT);
	assert_int_equal(result.count, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_limits_are_the_callers),
		cmocka_unit_test(test_every_limit_on_the_way),
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_clock_is_asked_often),
		cmocka_unit_test(test_steps_are_exact),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_result_memory),
		cmocka_unit_test(test_two_runs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
