/* `json`, `hash` and `u256`: what scripts of an oracle need and Lua has not. Numbers stay text. */
#include "core/decimal.h"
#include "core/hash.h"
#include "core/json_pointer.h"
#include "enclave/vm/lua_inner.h"

/* ---- json ---- */

/* A light userdata of no address: `json.null`. */
static void push_null(lua_State *L)
{
	lua_pushlightuserdata(L, NULL);
}

/* At most CS_JSON_DEPTH_MAX deep. */
static void push_json(lua_State *L, const struct cs_json *json)
{
	lua_Integer n = 0;
	script_charge(L, 1);
	script_check_room(L, 4);
	switch (json->type) {
	case CS_JSON_NULL:
		push_null(L);
		return;
	case CS_JSON_BOOL:
		lua_pushboolean(L, json->boolean);
		return;
	case CS_JSON_NUMBER:
	case CS_JSON_STRING:
		script_push_bytes(L, json->text);
		return;
	case CS_JSON_ARRAY:
		lua_createtable(L, (int)json->count, 0);
		for (const struct cs_json *child = json->child; child != NULL;
		     child = child->next) {
			push_json(L, child);
			lua_rawseti(L, -2, ++n);
		}
		return;
	case CS_JSON_OBJECT:
		lua_createtable(L, 0, (int)json->count);
		for (const struct cs_json *child = json->child; child != NULL;
		     child = child->next) {
			script_push_bytes(L, child->key);
			push_json(L, child);
			lua_rawset(L, -3);
		}
		return;
	}
}

/* What the tree of a text can take at most: a node for each comma and bracket, strings as they
 * stand. */
static size_t tree_size(struct cs_bytes text)
{
	size_t nodes = 2, strings = 1;
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];
		nodes += c == ',' || c == '[' || c == '{';
		strings += c == '"';
	}
	return nodes * (sizeof(struct cs_json) + 16) + strings * 32 + text.n + 64;
}

/* The tree is in a value that stays on the stack while it is used. */
static const struct cs_json *parse(lua_State *L, struct cs_bytes text)
{
	struct cs_arena arena;
	const struct cs_json *json;
	struct cs_why why = {""};
	/* A member is compared with those before it, of which there may be many. */
	script_charge_bytes(L, 4 * text.n);
	size_t size = tree_size(text);
	if (size > script_run_of(L)->call->limits.memory_max)
		script_fail(L, "JSON: too large");
	cs_arena_init(&arena, lua_newuserdatauv(L, size, 0), size);
	enum cs_err err = cs_json_parse(&json, text, CS_JSON_ANY_NUMBER, &arena, &why);
	if (err != CS_OK)
		script_fail(L, "%s", why.text);
	return json;
}

static int json_decode(lua_State *L)
{
	push_json(L, parse(L, script_check_text(L, 1)));
	return 1;
}

/* nil where the pointer leads nowhere. */
static int json_pointer(lua_State *L)
{
	const struct cs_json *found, *json;
	struct cs_bytes text = script_check_text(L, 1), pointer = script_check_text(L, 2);
	json = parse(L, text);
	enum cs_err err = cs_json_pointer(&found, json, pointer);
	if (err == CS_ERR_NOT_FOUND)
		lua_pushnil(L);
	else if (err == CS_OK)
		push_json(L, found);
	else
		script_fail_argument(L, 2, "not a JSON Pointer");
	return 1;
}

/* ---- hash ---- */

static int push_hash(lua_State *L, struct cs_hash (*function)(struct cs_bytes))
{
	char text[2 + 64 + 1] = "0x";
	struct cs_bytes bytes = script_check_text(L, 1);
	script_charge(L, bytes.n / 2 + 100);
	struct cs_hash hash = function(bytes);
	cs_hex(text + 2, CS_BYTES_OF(hash.b));
	(void)lua_pushstring(L, text);
	return 1;
}

static int hash_keccak256(lua_State *L)
{
	return push_hash(L, cs_keccak256);
}

static int hash_sha256(lua_State *L)
{
	return push_hash(L, cs_sha256);
}

/* ---- u256: decimal strings from 0 to 2^256 - 1 ---- */

static struct cs_u256 check_u256(lua_State *L, int argument)
{
	struct cs_u256 value = {{0}};
	script_charge(L, 10);
	if (cs_u256_from_decimal(&value, script_check_text(L, argument)) != CS_OK)
		script_fail_argument(L, argument, "a whole number from 0 to 2^256 - 1 expected");
	return value;
}

static int push_u256(lua_State *L, const struct cs_u256 *value)
{
	char text[CS_U256_DECIMAL_SIZE];
	cs_u256_decimal(text, value);
	(void)lua_pushstring(L, text);
	return 1;
}

static int calculate(lua_State *L, enum cs_err (*function)(struct cs_u256 *, const struct cs_u256 *,
							   const struct cs_u256 *))
{
	struct cs_u256 a = check_u256(L, 1), b = check_u256(L, 2);
	if (function(&a, &a, &b) != CS_OK)
		script_fail(L, "u256: the result is not between 0 and 2^256 - 1");
	return push_u256(L, &a);
}

static int u256_add(lua_State *L)
{
	return calculate(L, cs_u256_add);
}

static int u256_sub(lua_State *L)
{
	return calculate(L, cs_u256_sub);
}

static int u256_mul(lua_State *L)
{
	return calculate(L, cs_u256_mul);
}

static int divide(lua_State *L, bool remainder)
{
	struct cs_u256 a = check_u256(L, 1), b = check_u256(L, 2), quotient, rest;
	script_charge(L, 100);
	if (cs_u256_is_zero(&b))
		script_fail(L, "u256: division by zero");
	cs_u256_div(&quotient, &rest, &a, &b);
	return push_u256(L, remainder ? &rest : &quotient);
}

static int u256_div(lua_State *L)
{
	return divide(L, false);
}

static int u256_mod(lua_State *L)
{
	return divide(L, true);
}

static int u256_cmp(lua_State *L)
{
	struct cs_u256 a = check_u256(L, 1), b = check_u256(L, 2);
	lua_pushinteger(L, cs_u256_cmp(&a, &b));
	return 1;
}

static unsigned check_decimals(lua_State *L, int argument)
{
	lua_Integer decimals = script_check_integer(L, argument);
	if (decimals < 0 || decimals > (lua_Integer)CS_DECIMALS_MAX)
		script_fail_argument(L, argument, "0 to 77 decimals");
	return (unsigned)decimals;
}

static enum cs_rounding check_rounding(lua_State *L, int argument)
{
	if (lua_isnoneornil(L, argument))
		return CS_ROUND_EXACT;
	struct cs_bytes name = script_check_text(L, argument);
	if (cs_bytes_eq(name, cs_bytes_str("down")))
		return CS_ROUND_DOWN;
	if (cs_bytes_eq(name, cs_bytes_str("half_even")))
		return CS_ROUND_HALF_EVEN;
	if (!cs_bytes_eq(name, cs_bytes_str("exact")))
		script_fail_argument(L, argument, "exact, down or half_even");
	return CS_ROUND_EXACT;
}

/* fixed("1.25e1", 2) is "1250". */
static int u256_fixed(lua_State *L)
{
	struct cs_int256 value;
	struct cs_bytes text = script_check_text(L, 1);
	unsigned decimals = check_decimals(L, 2);
	enum cs_rounding rounding = check_rounding(L, 3);
	script_charge(L, text.n + 10);
	enum cs_err err = cs_decimal_parse(&value, text, decimals, rounding);
	if (err == CS_OK && value.negative)
		err = CS_ERR_OVERFLOW;
	if (err != CS_OK)
		script_fail(L, "u256.fixed: %s", cs_err_sentence(err));
	return push_u256(L, &value.magnitude);
}

/* text("1250", 2) is "12.50". */
static int u256_text(lua_State *L)
{
	char text[CS_DECIMAL_TEXT_SIZE];
	struct cs_int256 value = {false, check_u256(L, 1)};
	cs_decimal_text(text, &value, check_decimals(L, 2));
	(void)lua_pushstring(L, text);
	return 1;
}

void script_open_data(lua_State *L)
{
	static const struct script_entry json[] = {{"decode", json_decode},
						   {"pointer", json_pointer}};
	static const struct script_entry hash[] = {{"keccak256", hash_keccak256},
						   {"sha256", hash_sha256}};
	static const struct script_entry u256[] = {
		{"add", u256_add}, {"cmp", u256_cmp}, {"div", u256_div},     {"mod", u256_mod},
		{"mul", u256_mul}, {"sub", u256_sub}, {"fixed", u256_fixed}, {"text", u256_text}};
	script_push_library(L, json, CS_LEN(json));
	push_null(L);
	lua_setfield(L, -2, "null");
	lua_setglobal(L, "json");
	script_push_library(L, hash, CS_LEN(hash));
	lua_setglobal(L, "hash");
	script_push_library(L, u256, CS_LEN(u256));
	lua_setglobal(L, "u256");
}
