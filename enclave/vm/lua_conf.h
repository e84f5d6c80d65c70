/* Lua's own configuration points (luaconf.h, llimits.h), set so that a script has no floating
 * point and nothing of the machine: included before everything else by each of Lua's files and
 * by ours. The sources themselves are Debian's, unchanged; ADR 12 says why they are built here. */
#ifndef ENCLAVE_VM_LUA_CONF_H
#define ENCLAVE_VM_LUA_CONF_H

#include <luaconf.h>
#include <math.h>
#include <string.h>

struct lua_State;

/* Slots of the stack, about 64 KiB: what a call with many values may move in one instruction. */
#undef LUAI_MAXSTACK
#define LUAI_MAXSTACK 4000

/* C calls within C calls: pcall, sort and gsub with functions of the script, brackets within
 * brackets for the compiler. Each takes some KiB of the C stack. */
#define LUAI_MAXCCALLS 100

/* Strings never become numbers by themselves: `for i = "1", 2` would count in floats. */
#define LUA_NOCVTS2N

/* A numeral that is no 64-bit integer is none; `/` and `^` exist in the grammar alone. Thus no
 * value is ever a float, and what would compute with one is a bug. */
#undef lua_str2number
#define lua_str2number(s, p) (*(p) = (char *)(s), (lua_Number)0)
#undef lua_strx2number
#define lua_strx2number(s, p) lua_str2number(s, p)
#define luai_numdiv(L, a, b) (vm_lua_no_float(L), (void)(a), (b))
#define luai_numpow(L, a, b) (vm_lua_no_float(L), (void)(a), (b))
_Noreturn void vm_lua_no_float(struct lua_State *L);

static inline double vm_lua_float(void)
{
	__builtin_trap();
}
#define floor(x) ((void)(x), vm_lua_float())
#define fmod(x, y) ((void)(x), (void)(y), vm_lua_float())
#define pow(x, y) ((void)(x), (void)(y), vm_lua_float())
#define ldexp(x, e) ((void)(x), (void)(e), vm_lua_float())
#define frexp(x, e) ((void)(x), *(e) = 0, vm_lua_float())
#undef lua_number2str
#define lua_number2str(s, size, n) ((void)(s), (void)(n), (int)vm_lua_float())
#undef lua_getlocaledecpoint
#define lua_getlocaledecpoint() '.'

/* Order of bytes, whatever the locale. */
#define strcoll(a, b) strcmp(a, b)

/* Hash tables are seeded by the number of the run: a result that depends on their order differs
 * between the two runs, and is refused everywhere alike. */
#define luai_makeseed(L) vm_lua_seed(L)
unsigned vm_lua_seed(struct lua_State *L);

#endif
