/* The basic functions, `math` and `table`: what of Lua's own gives the same on every machine. */
#include "enclave/vm/lua_inner.h"

#include <limits.h>

#define RADIX_MIN 2
#define RADIX_MAX 36
/* Saving where to return to and leaving by an error. */
#define PCALL_STEPS 20

/* ---- errors ---- */

static int base_error(lua_State *L)
{
	bool placed = script_default_integer(L, 2, 1) != 0;
	lua_settop(L, 1);
	if (placed && lua_type(L, 1) == LUA_TSTRING)
		script_fail(L, "%s", lua_tolstring(L, 1, NULL));
	return lua_error(L);
}

static int base_assert(lua_State *L)
{
	if (lua_toboolean(L, 1))
		return lua_gettop(L);
	if (lua_type(L, 2) == LUA_TSTRING) {
		lua_settop(L, 2);
		return lua_error(L);
	}
	script_fail(L, "assertion failed");
}

/* A limit passes through: whoever has caught it is thrown out again. */
static int base_pcall(lua_State *L)
{
	struct script_run *run = script_run_of(L);
	script_check_function(L, 1);
	script_charge(L, PCALL_STEPS);
	lua_pushboolean(L, true);
	lua_insert(L, 1);
	int status = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0);
	if (run->stopped != SCRIPT_STOP_NONE || status == LUA_ERRMEM || status == LUA_ERRERR)
		script_end_run(L, SCRIPT_STOP_MEMORY);
	if (status == LUA_OK)
		return lua_gettop(L);
	lua_pushboolean(L, false);
	lua_insert(L, -2);
	return 2;
}

/* ---- types and texts ---- */

static int base_type(lua_State *L)
{
	if (lua_isnone(L, 1))
		script_fail_argument(L, 1, "a value expected");
	(void)lua_pushstring(L, lua_typename(L, lua_type(L, 1)));
	return 1;
}

static int base_tostring(lua_State *L)
{
	if (lua_isnone(L, 1))
		script_fail_argument(L, 1, "a value expected");
	script_push_tostring(L, 1);
	return 1;
}

static struct cs_bytes trim(struct cs_bytes text)
{
	while (text.n > 0 && (text.p[0] == ' ' || (text.p[0] >= '\t' && text.p[0] <= '\r')))
		text = cs_bytes(text.p + 1, text.n - 1);
	while (text.n > 0 && (text.p[text.n - 1] == ' ' ||
			      (text.p[text.n - 1] >= '\t' && text.p[text.n - 1] <= '\r')))
		text.n--;
	return text;
}

static int digit_of(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'z' ? c - 'a' + 10 : RADIX_MAX;
}

/* An integer of 64 bits, or none: nothing wraps and nothing is rounded. */
static bool parse_integer(lua_Integer *out, struct cs_bytes text, lua_Integer radix)
{
	uint64_t value = 0, max = INT64_MAX;
	bool negative = text.n > 0 && text.p[0] == '-';
	if (negative) {
		text = cs_bytes(text.p + 1, text.n - 1);
		max++;
	}
	if (text.n == 0)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		int digit = digit_of(text.p[i]);
		if (digit >= radix || __builtin_mul_overflow(value, (uint64_t)radix, &value) ||
		    __builtin_add_overflow(value, (uint64_t)digit, &value) || value > max)
			return false;
	}
	*out = (lua_Integer)(negative ? 0 - value : value);
	return true;
}

static int base_tonumber(lua_State *L)
{
	lua_Integer value, radix = script_default_integer(L, 2, 10);
	if (radix < RADIX_MIN || radix > RADIX_MAX)
		script_fail_argument(L, 2, "the radix is 2 to 36");
	if (lua_type(L, 1) == LUA_TNUMBER && lua_isnoneornil(L, 2)) {
		lua_settop(L, 1);
		return 1;
	}
	if (lua_type(L, 1) != LUA_TSTRING) {
		lua_pushnil(L);
		return 1;
	}
	struct cs_bytes text = trim(script_check_text(L, 1));
	script_charge_bytes(L, text.n);
	if (lua_isnoneornil(L, 2) && text.n > 2 && text.p[0] == '0' && (text.p[1] | 0x20) == 'x') {
		text = cs_bytes(text.p + 2, text.n - 2);
		radix = 16;
		if (text.p[0] == '-')
			radix = 0;
	}
	if (parse_integer(&value, text, radix))
		lua_pushinteger(L, value);
	else
		lua_pushnil(L);
	return 1;
}

static int base_select(lua_State *L)
{
	int count = lua_gettop(L) - 1;
	script_charge(L, (uint64_t)count / 8 + 1);
	if (lua_type(L, 1) == LUA_TSTRING && strcmp(lua_tolstring(L, 1, NULL), "#") == 0) {
		lua_pushinteger(L, count);
		return 1;
	}
	lua_Integer n = script_check_integer(L, 1);
	if (n < 0)
		n = n < -count ? 0 : count + n + 1;
	if (n <= 0)
		script_fail_argument(L, 1, "index out of range");
	return n > count ? 0 : count - (int)n + 1;
}

/* ---- iteration, in an order that is the same everywhere ---- */

/* The keys of the table at index 1 as an array on top: integers, strings, booleans. */
static lua_Integer push_keys(lua_State *L)
{
	lua_Integer n = 0;
	lua_createtable(L, 0, 0);
	for (lua_pushnil(L); lua_next(L, 1) != 0; lua_pop(L, 1)) {
		int type = lua_type(L, -2);
		if (type != LUA_TNUMBER && type != LUA_TSTRING && type != LUA_TBOOLEAN)
			script_fail(L, "pairs: a key is a %s, which has no order",
				    lua_typename(L, type));
		script_charge(L, 1);
		lua_pushvalue(L, -2);
		lua_rawseti(L, -4, ++n);
	}
	return n;
}

/* Upvalues: the table, its keys, how many were given out. */
static int pairs_next(lua_State *L)
{
	lua_Integer at = lua_tointegerx(L, lua_upvalueindex(3), NULL);
	for (;;) {
		script_charge(L, 1);
		lua_settop(L, 0);
		if (lua_rawgeti(L, lua_upvalueindex(2), ++at) == LUA_TNIL)
			return 1;
		lua_pushvalue(L, 1);
		if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
			break;
	}
	lua_pushinteger(L, at);
	lua_replace(L, lua_upvalueindex(3));
	return 2;
}

static int base_pairs(lua_State *L)
{
	script_check_table(L, 1);
	lua_settop(L, 1);
	lua_Integer n = push_keys(L);
	script_sort(L, 2, n, 0);
	lua_pushinteger(L, 0);
	lua_pushcclosure(L, pairs_next, 3);
	return 1;
}

static int ipairs_next(lua_State *L)
{
	lua_Integer at = (lua_Integer)((lua_Unsigned)script_check_integer(L, 2) + 1);
	script_check_table(L, 1);
	lua_pushinteger(L, at);
	return lua_rawgeti(L, 1, at) == LUA_TNIL ? 1 : 2;
}

static int base_ipairs(lua_State *L)
{
	script_check_table(L, 1);
	lua_pushcfunction(L, ipairs_next);
	lua_pushvalue(L, 1);
	lua_pushinteger(L, 0);
	return 3;
}

/* ---- math: integers ---- */

static int math_abs(lua_State *L)
{
	lua_Integer n = script_check_integer(L, 1);
	if (n == LUA_MININTEGER)
		script_fail(L, "math.abs: there is no such integer");
	lua_pushinteger(L, n < 0 ? -n : n);
	return 1;
}

static int extreme(lua_State *L, bool largest)
{
	lua_Integer best = script_check_integer(L, 1);
	int count = lua_gettop(L);
	script_charge(L, (uint64_t)count);
	for (int i = 2; i <= count; i++) {
		lua_Integer n = script_check_integer(L, i);
		if (largest ? n > best : n < best)
			best = n;
	}
	lua_pushinteger(L, best);
	return 1;
}

static int math_max(lua_State *L)
{
	return extreme(L, true);
}

static int math_min(lua_State *L)
{
	return extreme(L, false);
}

static int math_ult(lua_State *L)
{
	lua_pushboolean(L, (lua_Unsigned)script_check_integer(L, 1) <
				   (lua_Unsigned)script_check_integer(L, 2));
	return 1;
}

void script_open_base(lua_State *L)
{
	static const struct script_entry base[] = {
		{"assert", base_assert}, {"error", base_error},       {"ipairs", base_ipairs},
		{"pairs", base_pairs},   {"pcall", base_pcall},       {"select", base_select},
		{"type", base_type},     {"tostring", base_tostring}, {"tonumber", base_tonumber}};
	static const struct script_entry math[] = {
		{"abs", math_abs}, {"max", math_max}, {"min", math_min}, {"ult", math_ult}};
	for (size_t i = 0; i < CS_LEN(base); i++) {
		lua_pushcfunction(L, base[i].function);
		lua_setglobal(L, base[i].name);
	}
	script_push_library(L, math, CS_LEN(math));
	lua_pushinteger(L, LUA_MAXINTEGER);
	lua_setfield(L, -2, "maxinteger");
	lua_pushinteger(L, LUA_MININTEGER);
	lua_setfield(L, -2, "mininteger");
	lua_setglobal(L, "math");
}
