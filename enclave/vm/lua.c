/* The Lua engine: a state, its limits, one run. */
#include "enclave/vm/lua_inner.h"

#include <stdio.h>
#include <stdlib.h>

/* Instructions between two looks at the limits: a look costs about as much as ten. */
#define HOOK_STEPS 100
/* Steps between two looks at the clock, some microseconds. */
#define CLOCK_STEPS 1000u
/* Bytes that are allocated for the price of one instruction. */
#define STEP_BYTES 64u
/* A heap that is full is collected whole for every further allocation: bytes in use for the
 * price of one instruction. */
#define COLLECT_BYTES 32u
#define MESSAGE_SIZE 150u

struct script_run *script_run_of(lua_State *L)
{
	void *run;
	(void)lua_getallocf(L, &run);
	return run;
}

unsigned vm_lua_seed(lua_State *L)
{
	return script_run_of(L)->seed;
}

/* ---- limits ---- */

static void hook(lua_State *L, lua_Debug *activation)
{
	(void)activation;
	script_charge(L, HOOK_STEPS);
}

void script_end_run(lua_State *L, enum script_stop why)
{
	struct script_run *run = script_run_of(L);
	if (run->stopped == SCRIPT_STOP_NONE)
		run->stopped = why;
	/* Whoever catches this is thrown out again at his next instruction. */
	lua_sethook(L, hook, LUA_MASKCOUNT, 1);
	lua_pushnil(L);
	(void)lua_error(L);
	cs_bug("lua_error returned", __FILE__, __LINE__);
}

static void take_steps(struct script_run *run, uint64_t steps)
{
	run->steps -= steps < run->steps ? steps : run->steps;
	run->unasked += steps;
	if (run->steps == 0 && run->stopped == SCRIPT_STOP_NONE)
		run->stopped = SCRIPT_STOP_STEPS;
}

void script_charge(lua_State *L, uint64_t steps)
{
	struct script_run *run = script_run_of(L);
	take_steps(run, steps);
	if (run->unasked >= CLOCK_STEPS && run->stopped == SCRIPT_STOP_NONE) {
		run->unasked = 0;
		if (run->call->expired != NULL && run->call->expired(run->call->context))
			run->stopped = SCRIPT_STOP_TIME;
	}
	if (run->stopped != SCRIPT_STOP_NONE)
		script_end_run(L, run->stopped);
}

void script_charge_bytes(lua_State *L, size_t n)
{
	script_charge(L, n / 16 + 1);
}

static void *allocate(void *context, void *block, size_t old_size, size_t size)
{
	struct script_run *run = context;
	size_t before = block != NULL ? old_size : 0;
	if (size == 0) {
		free(block);
		run->memory -= before;
		return NULL;
	}
	if (size > before) {
		size_t more = size - before;
		/* Refused, Lua collects everything and asks once more. */
		if (more > run->call->limits.memory_max - run->memory) {
			take_steps(run, run->memory / COLLECT_BYTES);
			return NULL;
		}
		take_steps(run, more / STEP_BYTES + 1);
		if (run->steps == 0)
			return NULL;
	}
	void *p = realloc(block, size);
	if (p == NULL && size <= before)
		return block;
	if (p == NULL)
		run->stopped = SCRIPT_STOP_MACHINE;
	else
		run->memory = run->memory - before + size;
	return p;
}

static int panic(lua_State *L)
{
	(void)L;
	cs_bug("a Lua error outside of a call", __FILE__, __LINE__);
}

/* ---- one run ---- */

struct source {
	struct cs_bytes text;
	bool given;
};

static const char *read_source(lua_State *L, void *context, size_t *size)
{
	struct source *source = context;
	(void)L;
	*size = source->given ? 0 : source->text.n;
	source->given = true;
	return (const char *)source->text.p;
}

static void set_inputs(lua_State *L, const struct vm_call *call)
{
	script_push_bytes(L, call->body);
	lua_setglobal(L, "body");
	lua_createtable(L, (int)call->argument_count, 0);
	for (size_t i = 0; i < call->argument_count; i++) {
		script_push_bytes(L, call->arguments[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setglobal(L, "arguments");
}

/* The value on top becomes its text; false when it has none. */
static bool to_text(lua_State *L)
{
	if (lua_type(L, -1) == LUA_TSTRING)
		return true;
	if (lua_type(L, -1) != LUA_TBOOLEAN && lua_type(L, -1) != LUA_TNUMBER)
		return false;
	script_push_tostring(L, -1);
	lua_replace(L, -2);
	return true;
}

/* A C function: turns the result at index 1 into texts that stay on the stack from there on. */
static int read_result(lua_State *L)
{
	struct vm_result *result = script_run_of(L)->result;
	result->array = lua_istable(L, 1);
	result->count = 1;
	if (!result->array) {
		if (!to_text(L))
			script_fail(L, "the result is %s, not a string",
				    lua_typename(L, lua_type(L, 1)));
		return 1;
	}
	lua_Unsigned n = lua_rawlen(L, 1), members = 0;
	if (n > VM_ITEMS_MAX)
		script_fail(L, "the result has more than %d elements", (int)VM_ITEMS_MAX);
	script_check_room(L, VM_ITEMS_MAX + 4);
	for (lua_pushnil(L); members <= n && lua_next(L, 1) != 0; lua_pop(L, 1))
		members++;
	if (members != n)
		script_fail(L, "the result is a table, but not an array");
	lua_settop(L, 1);
	for (lua_Unsigned i = 1; i <= n; i++) {
		(void)lua_rawgeti(L, 1, (lua_Integer)i);
		if (!to_text(L))
			script_fail(L, "element %d of the result is no string", (int)i);
	}
	result->count = (size_t)n;
	return (int)n;
}

/* A C function: everything that may fail, in one protected call. Leaves the texts of the result. */
static int run_script(lua_State *L)
{
	const struct vm_call *call = script_run_of(L)->call;
	struct source source = {call->script, false};
	lua_sethook(L, hook, LUA_MASKCOUNT, HOOK_STEPS);
	script_open_base(L);
	script_open_table(L);
	script_open_string(L);
	script_open_data(L);
	set_inputs(L, call);
	script_charge_bytes(L, call->script.n + call->body.n);
	if (lua_load(L, read_source, &source, "=script", "t") != LUA_OK) {
		script_run_of(L)->malformed = true;
		return lua_error(L);
	}
	lua_call(L, 0, 1);
	lua_pushcfunction(L, read_result);
	lua_insert(L, -2);
	lua_call(L, 1, LUA_MULTRET);
	return lua_gettop(L);
}

static enum cs_err copy_result(lua_State *L, const struct script_run *run, struct cs_why *why)
{
	struct vm_result *result = run->result;
	size_t size = 0;
	for (size_t i = 0; i < result->count; i++) {
		size_t n;
		const char *p = lua_tolstring(L, (int)i + 1, &n);
		size += n;
		if (size > run->call->limits.result_size_max)
			return cs_fail(why, CS_ERR_TOO_LARGE, "the result is longer than %zu bytes",
				       run->call->limits.result_size_max);
		result->items[i] = cs_arena_copy(run->arena, cs_bytes(p, n));
		if (result->items[i].p == NULL)
			return CS_ERR_NO_MEMORY;
	}
	return CS_OK;
}

static enum cs_err explain(lua_State *L, enum cs_err err, struct cs_why *why)
{
	char text[MESSAGE_SIZE];
	size_t n = 0;
	const char *message =
		lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &n) : "an error without text";
	if (message[0] != '\0' && n == 0)
		n = strlen(message);
	n = n < sizeof text - 1 ? n : sizeof text - 1;
	for (size_t i = 0; i < n; i++)
		text[i] = message[i] >= ' ' && message[i] <= '~' ? message[i] : '?';
	text[n] = '\0';
	return cs_fail(why, err, "%s", text);
}

static enum cs_err judge(lua_State *L, struct script_run *run, int status, struct cs_why *why)
{
	enum script_stop stopped = run->stopped;
	if (stopped == SCRIPT_STOP_NONE && (status == LUA_ERRMEM || status == LUA_ERRERR))
		stopped = SCRIPT_STOP_MEMORY;
	switch (stopped) {
	case SCRIPT_STOP_NONE:
		break;
	case SCRIPT_STOP_STEPS:
		return cs_fail(why, CS_ERR_TOO_LARGE, "the script takes more than %llu steps",
			       (unsigned long long)run->call->limits.steps_max);
	case SCRIPT_STOP_MEMORY:
		return cs_fail(why, CS_ERR_TOO_LARGE, "the script takes more than %zu bytes",
			       run->call->limits.memory_max);
	case SCRIPT_STOP_TIME:
		return cs_fail(why, CS_ERR_TIMEOUT, "the script takes too long");
	case SCRIPT_STOP_MACHINE:
		return cs_fail(why, CS_ERR_NO_MEMORY, "no memory for a script");
	}
	if (status == LUA_OK)
		return copy_result(L, run, why);
	return explain(L, run->malformed ? CS_ERR_MALFORMED : CS_ERR_INVALID, why);
}

static enum cs_err run_lua(struct vm_result *out, const struct vm_call *call, unsigned number,
			   struct cs_arena *arena, struct cs_why *why)
{
	static const unsigned seeds[] = {0x9e3779b9, 0x7f4a7c15};
	struct vm_result result;
	struct script_run run = {.call = call,
				 .seed = seeds[number % CS_LEN(seeds)],
				 .steps = call->limits.steps_max,
				 .result = &result,
				 .arena = arena};
	lua_State *L = lua_newstate(allocate, &run);
	if (L == NULL)
		return cs_fail(why,
			       run.stopped == SCRIPT_STOP_MACHINE ? CS_ERR_NO_MEMORY
								  : CS_ERR_TOO_LARGE,
			       "no room for a script");
	(void)lua_atpanic(L, panic);
	lua_pushcfunction(L, run_script);
	int status = lua_pcall(L, 0, LUA_MULTRET, 0);
	lua_sethook(L, NULL, 0, 0);
	enum cs_err err = judge(L, &run, status, why);
	lua_close(L);
	if (err == CS_OK)
		*out = result;
	return err;
}

const struct vm_engine vm_lua = {"lua5.4", run_lua};
