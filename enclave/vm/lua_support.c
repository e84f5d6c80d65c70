/* What every library of the engine uses: arguments, errors, text under construction. */
#include "enclave/vm/lua_inner.h"

#include <stdio.h>

/* "script:7: ", or nothing where no line of the script is running. */
static void push_place(lua_State *L)
{
	lua_Debug at;
	if (lua_getstack(L, 1, &at) != 0 && lua_getinfo(L, "Sl", &at) != 0 && at.currentline > 0)
		(void)lua_pushfstring(L, "%s:%d: ", at.short_src, at.currentline);
	else
		(void)lua_pushstring(L, "");
}

void script_fail(lua_State *L, const char *format, ...)
{
	va_list arguments;
	push_place(L);
	va_start(arguments, format);
	(void)lua_pushvfstring(L, format, arguments);
	va_end(arguments);
	lua_concat(L, 2);
	(void)lua_error(L);
	cs_bug("lua_error returned", __FILE__, __LINE__);
}

void script_fail_argument(lua_State *L, int argument, const char *what)
{
	script_fail(L, "argument %d: %s", argument, what);
}

static void fail_type(lua_State *L, int argument, const char *wanted)
{
	script_fail(L, "argument %d: %s expected, not %s", argument, wanted,
		    lua_typename(L, lua_type(L, argument)));
}

struct cs_bytes script_check_text(lua_State *L, int argument)
{
	size_t n;
	int type = lua_type(L, argument);
	if (type != LUA_TSTRING && type != LUA_TNUMBER)
		fail_type(L, argument, "string");
	const char *p = lua_tolstring(L, argument, &n);
	return cs_bytes(p, n);
}

lua_Integer script_check_integer(lua_State *L, int argument)
{
	if (lua_type(L, argument) != LUA_TNUMBER)
		fail_type(L, argument, "integer");
	cs_assert(lua_isinteger(L, argument));
	return lua_tointegerx(L, argument, NULL);
}

lua_Integer script_default_integer(lua_State *L, int argument, lua_Integer value)
{
	return lua_isnoneornil(L, argument) ? value : script_check_integer(L, argument);
}

void script_check_table(lua_State *L, int argument)
{
	if (!lua_istable(L, argument))
		fail_type(L, argument, "table");
}

void script_check_function(lua_State *L, int argument)
{
	if (!lua_isfunction(L, argument))
		fail_type(L, argument, "function");
}

void script_check_room(lua_State *L, lua_Integer n)
{
	if (n < 0 || n >= LUAI_MAXSTACK || lua_checkstack(L, (int)n) == 0)
		script_fail(L, "too many values");
	script_charge(L, (uint64_t)n / 8 + 1);
}

void script_push_bytes(lua_State *L, struct cs_bytes bytes)
{
	(void)lua_pushlstring(L, (const char *)bytes.p, bytes.n);
}

#define TEXT_SIZE_FIRST 256u

void script_text_begin(struct script_text *text, lua_State *L)
{
	uint8_t *p = lua_newuserdatauv(L, TEXT_SIZE_FIRST, 0);
	*text = (struct script_text){L, lua_gettop(L), p, 0, TEXT_SIZE_FIRST};
}

static void grow(struct script_text *text, size_t n)
{
	size_t memory_max = script_run_of(text->L)->call->limits.memory_max;
	if (n > memory_max - text->n)
		script_fail(text->L, "the text is too long");
	size_t size = 2 * text->size > text->n + n ? 2 * text->size : text->n + n;
	if (lua_checkstack(text->L, 1) == 0)
		script_fail(text->L, "too many values");
	uint8_t *p = lua_newuserdatauv(text->L, size, 0);
	memcpy(p, text->p, text->n);
	lua_replace(text->L, text->slot);
	text->p = p;
	text->size = size;
}

uint8_t *script_text_room(struct script_text *text, size_t n)
{
	script_charge_bytes(text->L, n);
	if (n > text->size - text->n)
		grow(text, n);
	uint8_t *p = text->p + text->n;
	text->n += n;
	return p;
}

void script_text_add(struct script_text *text, struct cs_bytes bytes)
{
	uint8_t *p = script_text_room(text, bytes.n);
	if (bytes.n > 0)
		memcpy(p, bytes.p, bytes.n);
}

void script_text_add_byte(struct script_text *text, uint8_t byte)
{
	if (text->n == text->size)
		grow(text, 1);
	text->p[text->n++] = byte;
}

void script_text_end(struct script_text *text)
{
	script_push_bytes(text->L, cs_bytes(text->p, text->n));
	lua_replace(text->L, text->slot);
}

void script_push_library(lua_State *L, const struct script_entry *entries, size_t count)
{
	lua_createtable(L, 0, (int)count);
	for (size_t i = 0; i < count; i++) {
		lua_pushcfunction(L, entries[i].function);
		lua_setfield(L, -2, entries[i].name);
	}
}

void script_push_tostring(lua_State *L, int index)
{
	char digits[24];
	switch (lua_type(L, index)) {
	case LUA_TSTRING:
		lua_pushvalue(L, index);
		break;
	case LUA_TNUMBER:
		cs_assert(lua_isinteger(L, index));
		(void)snprintf(digits, sizeof digits, "%lld", lua_tointegerx(L, index, NULL));
		(void)lua_pushstring(L, digits);
		break;
	case LUA_TBOOLEAN:
		(void)lua_pushstring(L, lua_toboolean(L, index) ? "true" : "false");
		break;
	case LUA_TLIGHTUSERDATA:
		(void)lua_pushstring(L, "null");
		break;
	default:
		(void)lua_pushstring(L, lua_typename(L, lua_type(L, index)));
		break;
	}
}
