/* What the parts of the Lua engine share: the run that a state belongs to, its limits, checks of
 * arguments, text under construction. Every function here may leave by Lua's error, so that nobody
 * holds anything that Lua does not collect. */
#ifndef ENCLAVE_VM_LUA_INNER_H
#define ENCLAVE_VM_LUA_INNER_H

#include "enclave/vm/lua_conf.h"
#include "enclave/vm/vm.h"

#include <lua.h>

enum script_stop {
	SCRIPT_STOP_NONE,
	SCRIPT_STOP_STEPS,
	SCRIPT_STOP_MEMORY,
	SCRIPT_STOP_TIME,
	SCRIPT_STOP_MACHINE, /* malloc had no more */
};

/* One run; the state's allocator leads to it. */
struct script_run {
	const struct vm_call *call;
	unsigned seed;
	uint64_t steps;   /* that are left */
	uint64_t unasked; /* since the clock was asked */
	size_t memory;    /* in use */
	enum script_stop stopped;
	bool malformed; /* not a program */
	struct vm_result *result;
	struct cs_arena *arena;
};

struct script_run *script_run_of(lua_State *L);
/* Ends the run for good: no pcall of the script gets hold of it. */
_Noreturn void script_end_run(lua_State *L, enum script_stop why);
/* Counts work that no instruction counts: loops of C over what the script chose. */
void script_charge(lua_State *L, uint64_t steps);
/* Bytes that are copied or hashed: sixteen are as much as an instruction. */
void script_charge_bytes(lua_State *L, size_t n);

/* An error of the script, with its line; the format is lua_pushfstring's. */
_Noreturn void script_fail(lua_State *L, const char *format, ...);
_Noreturn void script_fail_argument(lua_State *L, int argument, const char *what);
/* A string, or an integer as one. */
struct cs_bytes script_check_text(lua_State *L, int argument);
lua_Integer script_check_integer(lua_State *L, int argument);
lua_Integer script_default_integer(lua_State *L, int argument, lua_Integer value);
void script_check_table(lua_State *L, int argument);
void script_check_function(lua_State *L, int argument);
/* Room for n values, or an error of the script. */
void script_check_room(lua_State *L, lua_Integer n);
void script_push_bytes(lua_State *L, struct cs_bytes bytes);

/* Text that grows, in a value of the stack at `slot`; script_text_end puts the string in its
 * place. */
struct script_text {
	lua_State *L;
	int slot;
	uint8_t *p;
	size_t n;
	size_t size;
};
void script_text_begin(struct script_text *text, lua_State *L);
/* n bytes more, for the caller to fill at once. */
uint8_t *script_text_room(struct script_text *text, size_t n);
void script_text_add(struct script_text *text, struct cs_bytes bytes);
void script_text_add_byte(struct script_text *text, uint8_t byte);
void script_text_end(struct script_text *text);

struct script_entry {
	const char *name;
	lua_CFunction function;
};
/* A new table of functions, on the stack. */
void script_push_library(lua_State *L, const struct script_entry *entries, size_t count);

/* Pushes what tostring gives: never an address. */
void script_push_tostring(lua_State *L, int index);

/* Each leaves its globals in place. */
void script_open_base(lua_State *L);
void script_open_table(lua_State *L);
void script_open_string(lua_State *L);
void script_open_data(lua_State *L);

/* Parts of `string` that are in files of their own. */
int script_string_find(lua_State *L);
int script_string_match(lua_State *L);
int script_string_gmatch(lua_State *L);
int script_string_gsub(lua_State *L);
int script_string_format(lua_State *L);
/* Lua's positions, which may be negative, as an index from 0 to n. */
size_t script_position(lua_Integer at, size_t n);

/* Stable and finite whatever the comparison says. Sorts elements 1 to n of the table at `index`
 * (absolute). function: index of the script's comparison, or 0: integers or strings by their
 * bytes. */
void script_sort(lua_State *L, int index, lua_Integer n, int function);

#endif
