/* `table`, and the one sort. Tables have no metatables here: every access is raw. */
#include "enclave/vm/lua_inner.h"

/* ---- sort: merging runs of two arrays that the script cannot reach ---- */

static int rank(lua_State *L, int index)
{
	int type = lua_type(L, index);
	return type == LUA_TNUMBER ? 0 : type == LUA_TSTRING ? 1 : type == LUA_TBOOLEAN ? 2 : 3;
}

static int order_of_texts(lua_State *L, int a, int b)
{
	size_t an, bn;
	const char *ap = lua_tolstring(L, a, &an), *bp = lua_tolstring(L, b, &bn);
	script_charge_bytes(L, an < bn ? an : bn);
	int order = memcmp(ap, bp, an < bn ? an : bn);
	return order != 0 ? order : an < bn ? -1 : an > bn;
}

/* Is the value at a before the one at b? Integers, then strings, then booleans. */
static bool is_before(lua_State *L, int a, int b)
{
	int ranks[] = {rank(L, a), rank(L, b)};
	if (ranks[0] > 2 || ranks[1] > 2)
		script_fail(L, "sort: a %s has no order",
			    lua_typename(L, lua_type(L, ranks[0] > 2 ? a : b)));
	if (ranks[0] != ranks[1])
		return ranks[0] < ranks[1];
	if (ranks[0] == 0)
		return lua_tointegerx(L, a, NULL) < lua_tointegerx(L, b, NULL);
	if (ranks[0] == 1)
		return order_of_texts(L, a, b) < 0;
	return lua_toboolean(L, a) < lua_toboolean(L, b);
}

static bool asked_before(lua_State *L, int function, int a, int b)
{
	lua_pushvalue(L, function);
	lua_pushvalue(L, a);
	lua_pushvalue(L, b);
	lua_call(L, 2, 1);
	bool before = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return before;
}

struct merge {
	int from;
	int to;
	int function;
};

/* [begin, middle) and [middle, end) of `from` become one run of `to`. */
static void merge_runs(lua_State *L, const struct merge *merge, lua_Integer begin,
		       lua_Integer middle, lua_Integer end)
{
	lua_Integer left = begin, right = middle;
	int top = lua_gettop(L);
	for (lua_Integer at = begin; at < end; at++) {
		bool from_right = left == middle;
		script_charge(L, 2);
		if (left < middle && right < end) {
			(void)lua_rawgeti(L, merge->from, right);
			(void)lua_rawgeti(L, merge->from, left);
			from_right = merge->function != 0
					     ? asked_before(L, merge->function, top + 1, top + 2)
					     : is_before(L, top + 1, top + 2);
			lua_settop(L, top);
		}
		(void)lua_rawgeti(L, merge->from, from_right ? right++ : left++);
		lua_rawseti(L, merge->to, at);
	}
}

static void copy_elements(lua_State *L, int from, int to, lua_Integer n)
{
	for (lua_Integer i = 1; i <= n; i++) {
		script_charge(L, 1);
		(void)lua_rawgeti(L, from, i);
		lua_rawseti(L, to, i);
	}
}

void script_sort(lua_State *L, int index, lua_Integer n, int function)
{
	script_check_room(L, 16);
	lua_createtable(L, 0, 0);
	lua_createtable(L, 0, 0);
	struct merge merge = {lua_gettop(L) - 1, lua_gettop(L), function};
	copy_elements(L, index, merge.from, n);
	for (lua_Integer width = 1; width < n; width *= 2) {
		for (lua_Integer begin = 1; begin <= n; begin += 2 * width) {
			lua_Integer rest = n + 1 - begin;
			merge_runs(L, &merge, begin, begin + (width < rest ? width : rest),
				   begin + (2 * width < rest ? 2 * width : rest));
		}
		merge = (struct merge){merge.to, merge.from, function};
	}
	copy_elements(L, merge.from, index, n);
	lua_pop(L, 2);
}

static int table_sort(lua_State *L)
{
	script_check_table(L, 1);
	if (!lua_isnoneornil(L, 2))
		script_check_function(L, 2);
	lua_settop(L, 2);
	script_sort(L, 1, (lua_Integer)lua_rawlen(L, 1), lua_isnil(L, 2) ? 0 : 2);
	return 0;
}

/* ---- elements ---- */

static int table_insert(lua_State *L)
{
	script_check_table(L, 1);
	lua_Integer n = (lua_Integer)lua_rawlen(L, 1), at = n + 1;
	int count = lua_gettop(L);
	if (count != 2 && count != 3)
		script_fail(L, "table.insert takes two or three arguments");
	if (count == 3)
		at = script_check_integer(L, 2);
	if (at < 1 || at > n + 1)
		script_fail_argument(L, 2, "position out of bounds");
	for (lua_Integer i = n; i >= at; i--) {
		script_charge(L, 1);
		(void)lua_rawgeti(L, 1, i);
		lua_rawseti(L, 1, i + 1);
	}
	lua_rawseti(L, 1, at);
	return 0;
}

static int table_remove(lua_State *L)
{
	script_check_table(L, 1);
	lua_Integer n = (lua_Integer)lua_rawlen(L, 1), at = script_default_integer(L, 2, n);
	lua_settop(L, 1);
	if (n == 0 && (at == 0 || at == n)) {
		lua_pushnil(L);
		return 1;
	}
	if (at < 1 || at > n)
		script_fail_argument(L, 2, "position out of bounds");
	(void)lua_rawgeti(L, 1, at);
	for (lua_Integer i = at; i < n; i++) {
		script_charge(L, 1);
		(void)lua_rawgeti(L, 1, i + 1);
		lua_rawseti(L, 1, i);
	}
	lua_pushnil(L);
	lua_rawseti(L, 1, n);
	return 1;
}

static int table_concat(lua_State *L)
{
	struct script_text text;
	script_check_table(L, 1);
	struct cs_bytes separator = lua_isnoneornil(L, 2) ? CS_BYTES_NONE : script_check_text(L, 2);
	lua_Integer first = script_default_integer(L, 3, 1);
	lua_Integer last = script_default_integer(L, 4, (lua_Integer)lua_rawlen(L, 1));
	lua_settop(L, 4);
	script_text_begin(&text, L);
	for (lua_Integer i = first; i <= last; i++) {
		int type = lua_rawgeti(L, 1, i);
		if (type != LUA_TSTRING && type != LUA_TNUMBER)
			script_fail(L, "table.concat: element is a %s", lua_typename(L, type));
		script_text_add(&text, script_check_text(L, -1));
		lua_pop(L, 1);
		if (i == last)
			break;
		script_text_add(&text, separator);
	}
	script_text_end(&text);
	return 1;
}

static int table_pack(lua_State *L)
{
	int n = lua_gettop(L);
	script_charge(L, (uint64_t)n);
	lua_createtable(L, n, 1);
	lua_insert(L, 1);
	for (int i = n; i >= 1; i--)
		lua_rawseti(L, 1, i);
	lua_pushinteger(L, n);
	lua_setfield(L, 1, "n");
	return 1;
}

static int table_unpack(lua_State *L)
{
	script_check_table(L, 1);
	lua_Integer first = script_default_integer(L, 2, 1), count;
	lua_Integer last = script_default_integer(L, 3, (lua_Integer)lua_rawlen(L, 1));
	if (first > last)
		return 0;
	if (__builtin_sub_overflow(last, first, &count) || count >= LUAI_MAXSTACK)
		script_fail(L, "too many values");
	script_check_room(L, count + 1);
	for (lua_Integer i = 0; i <= count; i++)
		(void)lua_rawgeti(L, 1, first + i);
	return (int)count + 1;
}

void script_open_table(lua_State *L)
{
	static const struct script_entry table[] = {
		{"concat", table_concat}, {"insert", table_insert}, {"pack", table_pack},
		{"remove", table_remove}, {"sort", table_sort},     {"unpack", table_unpack}};
	script_push_library(L, table, CS_LEN(table));
	lua_setglobal(L, "table");
}
