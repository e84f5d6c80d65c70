/* The error of `/` and `^`. The one place that looks into Lua: an arithmetic instruction has not
 * told yet how far its registers reach, which raising an error must know. Part of the library
 * lua_engine. */
#include "enclave/vm/lua_conf.h"
#include "ldebug.h"
#include "lprefix.h"
#include "lstate.h"

void vm_lua_no_float(lua_State *L)
{
	if (isLua(L->ci))
		L->top = L->ci->top;
	luaG_runerror(L, "there are no floats: use // and integers, or u256");
}
