/* `string` without patterns: bytes, ASCII case, repetition, format. Nothing depends on a locale. */
#include "enclave/vm/lua_inner.h"

#include <stdlib.h>

size_t script_position(lua_Integer at, size_t n)
{
	if (at > 0)
		return (lua_Unsigned)at < n ? (size_t)at : n;
	if (at == 0)
		return 0;
	return at < -(lua_Integer)n ? 0 : n + 1 - (size_t)-at;
}

/* Lua's [first, last], both counted from 1 or from the end, as a part of text. */
static struct cs_bytes part(struct cs_bytes text, lua_Integer first, lua_Integer last)
{
	if (first > (lua_Integer)text.n)
		return CS_BYTES_NONE;
	size_t begin = script_position(first, text.n), end = script_position(last, text.n);
	begin = begin > 0 ? begin - 1 : 0;
	return end > begin ? cs_bytes(text.p + begin, end - begin) : CS_BYTES_NONE;
}

static void push_part(lua_State *L, struct cs_bytes text)
{
	script_charge_bytes(L, text.n);
	if (text.n == 0)
		(void)lua_pushstring(L, "");
	else
		script_push_bytes(L, text);
}

static int string_sub(lua_State *L)
{
	struct cs_bytes text = script_check_text(L, 1);
	lua_Integer first = script_check_integer(L, 2);
	push_part(L, part(text, first, script_default_integer(L, 3, -1)));
	return 1;
}

static int string_len(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)script_check_text(L, 1).n);
	return 1;
}

static int string_byte(lua_State *L)
{
	struct cs_bytes text = script_check_text(L, 1);
	lua_Integer first = script_default_integer(L, 2, 1);
	text = part(text, first, script_default_integer(L, 3, first));
	script_check_room(L, (lua_Integer)text.n);
	for (size_t i = 0; i < text.n; i++)
		lua_pushinteger(L, text.p[i]);
	return (int)text.n;
}

static int string_char(lua_State *L)
{
	struct script_text text;
	int count = lua_gettop(L);
	script_charge(L, (uint64_t)count + 1);
	script_check_room(L, 1);
	script_text_begin(&text, L);
	for (int i = 1; i <= count; i++) {
		lua_Integer c = script_check_integer(L, i);
		if (c < 0 || c > UINT8_MAX)
			script_fail_argument(L, i, "a byte is 0 to 255");
		script_text_add_byte(&text, (uint8_t)c);
	}
	script_text_end(&text);
	return 1;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static uint8_t upper(uint8_t c)
{
	return c >= 'a' && c <= 'z' ? (uint8_t)(c - 32) : c;
}

static int map_bytes(lua_State *L, uint8_t (*map)(uint8_t), bool backwards)
{
	struct script_text text;
	struct cs_bytes bytes = script_check_text(L, 1);
	script_charge(L, bytes.n / 4 + 1);
	script_text_begin(&text, L);
	for (size_t i = 0; i < bytes.n; i++) {
		uint8_t c = bytes.p[backwards ? bytes.n - 1 - i : i];
		script_text_add_byte(&text, map != NULL ? map(c) : c);
	}
	script_text_end(&text);
	return 1;
}

static int string_lower(lua_State *L)
{
	return map_bytes(L, lower, false);
}

static int string_upper(lua_State *L)
{
	return map_bytes(L, upper, false);
}

static int string_reverse(lua_State *L)
{
	return map_bytes(L, NULL, true);
}

static uint8_t *copy(uint8_t *p, struct cs_bytes bytes)
{
	if (bytes.n > 0)
		memcpy(p, bytes.p, bytes.n);
	return p + bytes.n;
}

static int string_rep(lua_State *L)
{
	struct script_text text;
	struct cs_bytes bytes = script_check_text(L, 1);
	lua_Integer n = script_check_integer(L, 2);
	struct cs_bytes separator = lua_isnoneornil(L, 3) ? CS_BYTES_NONE : script_check_text(L, 3);
	size_t total = 0;
	if (n > 0 && (__builtin_mul_overflow(bytes.n + separator.n, (size_t)n, &total) ||
		      total > script_run_of(L)->call->limits.memory_max))
		script_fail(L, "string.rep: the result is too long");
	script_text_begin(&text, L);
	if (total > 0) {
		script_charge(L, (uint64_t)n / 4);
		uint8_t *p = script_text_room(&text, total - separator.n);
		for (lua_Integer i = 1; i < n; i++)
			p = copy(copy(p, bytes), separator);
		(void)copy(p, bytes);
	}
	script_text_end(&text);
	return 1;
}

/* ---- format ---- */

struct directive {
	bool left;
	bool zeros;
	char plus; /* '+', ' ' or none */
	size_t width;
	size_t precision;
	bool has_precision;
	uint8_t conversion;
};

#define DIRECTIVE_DIGITS_MAX 2

static size_t take_number(struct cs_bytes format, size_t *at)
{
	size_t value = 0;
	for (int i = 0; i < DIRECTIVE_DIGITS_MAX; i++) {
		if (*at >= format.n || format.p[*at] < '0' || format.p[*at] > '9')
			break;
		value = 10 * value + (size_t)(format.p[(*at)++] - '0');
	}
	return value;
}

/* After the percent sign. */
static struct directive take_directive(lua_State *L, struct cs_bytes format, size_t *at)
{
	struct directive directive = {0};
	for (; *at < format.n; ++*at) {
		uint8_t c = format.p[*at];
		if (c == '-')
			directive.left = true;
		else if (c == '0')
			directive.zeros = true;
		else if (c == '+' || (c == ' ' && directive.plus == '\0'))
			directive.plus = (char)c;
		else
			break;
	}
	directive.width = take_number(format, at);
	if (*at < format.n && format.p[*at] == '.') {
		++*at;
		directive.has_precision = true;
		directive.precision = take_number(format, at);
	}
	if (*at == format.n || memchr("dixXocs", format.p[*at], 7) == NULL)
		script_fail(L,
			    "string.format: only %%d %%i %%x %%X %%o %%c %%s %%%% are available");
	directive.conversion = format.p[(*at)++];
	return directive;
}

static void pad(struct script_text *text, uint8_t with, size_t n)
{
	while (n-- > 0)
		script_text_add_byte(text, with);
}

static void add_padded(struct script_text *text, const struct directive *directive,
		       struct cs_bytes bytes)
{
	size_t padding = bytes.n < directive->width ? directive->width - bytes.n : 0;
	if (!directive->left)
		pad(text, ' ', padding);
	script_text_add(text, bytes);
	if (directive->left)
		pad(text, ' ', padding);
}

/* The digits, of an unsigned number for every radix but ten. */
static size_t write_digits(uint8_t digits[24], uint64_t number, unsigned radix, bool capitals)
{
	const char *alphabet = capitals ? "0123456789ABCDEF" : "0123456789abcdef";
	size_t n = 0;
	for (; number != 0; number /= radix)
		digits[n++] = (uint8_t)alphabet[number % radix];
	for (size_t i = 0; i < n / 2; i++) {
		uint8_t c = digits[i];
		digits[i] = digits[n - 1 - i];
		digits[n - 1 - i] = c;
	}
	return n;
}

static void add_integer(struct script_text *text, const struct directive *directive,
			lua_Integer value)
{
	/* A sign, up to 99 zeros, 22 octal digits. */
	uint8_t digits[24], whole[128];
	bool decimal = directive->conversion == 'd' || directive->conversion == 'i';
	unsigned radix = decimal ? 10 : directive->conversion == 'o' ? 8 : 16;
	bool negative = decimal && value < 0;
	size_t n = write_digits(digits, negative ? 0 - (uint64_t)value : (uint64_t)value, radix,
				directive->conversion == 'X');
	size_t least = directive->has_precision ? directive->precision : 1, at = 0;
	char sign = negative ? '-' : decimal ? directive->plus : '\0';
	if (directive->zeros && !directive->left && !directive->has_precision)
		least = directive->width > (sign != '\0') ? directive->width - (sign != '\0') : 1;
	if (least < 1 && !directive->has_precision)
		least = 1;
	if (sign != '\0')
		whole[at++] = (uint8_t)sign;
	for (size_t i = n; i < least; i++)
		whole[at++] = '0';
	memcpy(whole + at, digits, n);
	add_padded(text, directive, cs_bytes(whole, at + n));
}

static void add_conversion(lua_State *L, struct script_text *text,
			   const struct directive *directive, int argument)
{
	if (lua_isnone(L, argument) || argument >= text->slot)
		script_fail_argument(L, argument, "a value expected");
	if (directive->conversion == 's') {
		script_push_tostring(L, argument);
		struct cs_bytes bytes = script_check_text(L, -1);
		if (directive->has_precision && directive->precision < bytes.n)
			bytes.n = directive->precision;
		add_padded(text, directive, bytes);
		lua_pop(L, 1);
		return;
	}
	lua_Integer value = script_check_integer(L, argument);
	if (directive->conversion == 'c') {
		uint8_t byte = (uint8_t)value;
		if (value < 0 || value > UINT8_MAX)
			script_fail_argument(L, argument, "a byte is 0 to 255");
		add_padded(text, directive, cs_bytes(&byte, 1));
		return;
	}
	add_integer(text, directive, value);
}

int script_string_format(lua_State *L)
{
	struct script_text text;
	struct cs_bytes format = script_check_text(L, 1);
	int argument = 1;
	script_charge(L, format.n + 1);
	script_check_room(L, 4);
	script_text_begin(&text, L);
	for (size_t at = 0; at < format.n;) {
		uint8_t c = format.p[at++];
		if (c != '%') {
			script_text_add_byte(&text, c);
		} else if (at < format.n && format.p[at] == '%') {
			script_text_add_byte(&text, format.p[at++]);
		} else {
			struct directive directive = take_directive(L, format, &at);
			add_conversion(L, &text, &directive, ++argument);
		}
	}
	script_text_end(&text);
	return 1;
}

void script_open_string(lua_State *L)
{
	static const struct script_entry string[] = {{"byte", string_byte},
						     {"char", string_char},
						     {"find", script_string_find},
						     {"format", script_string_format},
						     {"gmatch", script_string_gmatch},
						     {"gsub", script_string_gsub},
						     {"len", string_len},
						     {"lower", string_lower},
						     {"match", script_string_match},
						     {"rep", string_rep},
						     {"reverse", string_reverse},
						     {"sub", string_sub},
						     {"upper", string_upper}};
	script_push_library(L, string, CS_LEN(string));
	lua_pushvalue(L, -1);
	lua_setglobal(L, "string");
	/* ("x"):len() finds its functions; there is no arithmetic on strings. */
	(void)lua_pushstring(L, "");
	lua_createtable(L, 0, 1);
	lua_pushvalue(L, -3);
	lua_setfield(L, -2, "__index");
	(void)lua_setmetatable(L, -2);
	lua_pop(L, 2);
}
