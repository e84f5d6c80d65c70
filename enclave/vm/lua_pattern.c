/* Lua's patterns without %b, %f and back-references: compiled into a short list of items,
 * matched with a budget. Backtracking is bounded by the run's steps, recursion by the number of
 * items. */
#include "enclave/vm/lua_inner.h"

/* Items of a pattern; each costs one C frame of the matcher. */
#define ITEMS_MAX 64u
#define CAPTURES_MAX 16u
/* Looks at a character between two looks at the limits. */
#define WORK_STEPS 64u

enum item_kind {
	ITEM_SET,
	ITEM_OPEN,
	ITEM_POSITION,
	ITEM_CLOSE,
	ITEM_END,
};

struct item {
	enum item_kind kind;
	uint8_t repeat; /* of a set: '*', '+', '-', '?', or 0 */
	uint64_t set[4];
};

struct pattern {
	bool anchored;
	size_t count;
	struct item items[ITEMS_MAX];
};

struct capture {
	const uint8_t *begin;
	const uint8_t *end; /* NULL while it is open */
	bool position;
};

struct match {
	lua_State *L;
	const struct pattern *pattern;
	struct cs_bytes text;
	uint64_t work;
	size_t capture_count;
	struct capture captures[CAPTURES_MAX];
};

/* ---- reading a pattern ---- */

static bool is_between(uint8_t c, char from, char to)
{
	return c >= (uint8_t)from && c <= (uint8_t)to;
}

/* ASCII alone. */
static bool is_of_class(uint8_t c, uint8_t class)
{
	bool letter = is_between(c | 0x20, 'a', 'z'), digit = is_between(c, '0', '9');
	switch (class) {
	case 'a':
		return letter;
	case 'c':
		return c < 0x20 || c == 0x7f;
	case 'd':
		return digit;
	case 'g':
		return is_between(c, '!', '~');
	case 'l':
		return is_between(c, 'a', 'z');
	case 'p':
		return is_between(c, '!', '~') && !letter && !digit;
	case 's':
		return c == ' ' || is_between(c, '\t', '\r');
	case 'u':
		return is_between(c, 'A', 'Z');
	case 'w':
		return letter || digit;
	case 'x':
		return digit || is_between(c | 0x20, 'a', 'f');
	default:
		return false;
	}
}

static void add_byte(uint64_t set[4], uint8_t c)
{
	set[c / 64] |= UINT64_C(1) << c % 64;
}

static bool has_byte(const uint64_t set[4], uint8_t c)
{
	return (set[c / 64] >> c % 64 & 1) != 0;
}

/* After '%': a class in either case, or the character itself. */
static void add_escaped(lua_State *L, uint64_t set[4], uint8_t c)
{
	uint8_t class = c | 0x20;
	if (!is_between(class, 'a', 'z') && !is_between(c, '0', '9')) {
		add_byte(set, c);
		return;
	}
	if (memchr("acdglpsuwx", class, 10) == NULL || is_between(c, '0', '9'))
		script_fail(L, "pattern: %%%c is not available", (int)c);
	for (unsigned i = 0; i <= UINT8_MAX; i++) {
		if (is_of_class((uint8_t)i, class) == (c == class))
			add_byte(set, (uint8_t)i);
	}
}

static void invert(uint64_t set[4])
{
	for (size_t i = 0; i < 4; i++)
		set[i] = ~set[i];
}

/* After '['. A ']' that comes first stands for itself. */
static size_t take_set(lua_State *L, uint64_t set[4], struct cs_bytes text, size_t at)
{
	bool inverted = at < text.n && text.p[at] == '^';
	at += inverted;
	for (size_t first = at; at == first || (at < text.n && text.p[at] != ']');) {
		if (at >= text.n)
			break;
		uint8_t c = text.p[at++];
		if (c == '%' && at < text.n) {
			add_escaped(L, set, text.p[at++]);
		} else if (at + 1 < text.n && text.p[at] == '-' && text.p[at + 1] != ']') {
			for (unsigned i = c; i <= text.p[at + 1]; i++)
				add_byte(set, (uint8_t)i);
			at += 2;
		} else {
			add_byte(set, c);
		}
	}
	if (at >= text.n)
		script_fail(L, "pattern: a set does not end");
	if (inverted)
		invert(set);
	return at + 1;
}

static size_t take_single(lua_State *L, struct item *item, struct cs_bytes text, size_t at)
{
	uint8_t c = text.p[at++];
	item->kind = ITEM_SET;
	if (c == '[') {
		at = take_set(L, item->set, text, at);
	} else if (c == '.') {
		invert(item->set);
	} else if (c != '%') {
		add_byte(item->set, c);
	} else {
		if (at == text.n)
			script_fail(L, "pattern: ends with %%");
		add_escaped(L, item->set, text.p[at++]);
	}
	if (at < text.n && memchr("*+-?", text.p[at], 4) != NULL)
		item->repeat = text.p[at++];
	return at;
}

static size_t take_item(lua_State *L, struct item *item, struct cs_bytes text, size_t at)
{
	uint8_t c = text.p[at];
	*item = (struct item){0};
	if (c == '(') {
		bool position = at + 1 < text.n && text.p[at + 1] == ')';
		item->kind = position ? ITEM_POSITION : ITEM_OPEN;
		return at + 1 + position;
	}
	if (c == ')' || (c == '$' && at + 1 == text.n)) {
		item->kind = c == ')' ? ITEM_CLOSE : ITEM_END;
		return at + 1;
	}
	return take_single(L, item, text, at);
}

static void compile(lua_State *L, struct pattern *pattern, struct cs_bytes text)
{
	size_t open = 0, captures = 0;
	script_charge(L, text.n + 1);
	pattern->anchored = text.n > 0 && text.p[0] == '^';
	pattern->count = 0;
	for (size_t at = pattern->anchored; at < text.n;) {
		if (pattern->count == ITEMS_MAX)
			script_fail(L, "pattern: more than %d items", (int)ITEMS_MAX);
		struct item *item = &pattern->items[pattern->count++];
		at = take_item(L, item, text, at);
		open += item->kind == ITEM_OPEN;
		captures += item->kind == ITEM_OPEN || item->kind == ITEM_POSITION;
		if (item->kind == ITEM_CLOSE && open-- == 0)
			script_fail(L, "pattern: ) without (");
	}
	if (open != 0)
		script_fail(L, "pattern: ( without )");
	if (captures > CAPTURES_MAX)
		script_fail(L, "pattern: more than %d captures", (int)CAPTURES_MAX);
}

/* ---- matching ---- */

static const uint8_t *match_from(struct match *match, const uint8_t *at, size_t index);

static void count_work(struct match *match, uint64_t n)
{
	match->work += n;
	if (match->work >= WORK_STEPS) {
		uint64_t work = match->work;
		match->work = 0;
		script_charge(match->L, work);
	}
}

static const uint8_t *text_end(const struct match *match)
{
	return match->text.p + match->text.n;
}

static bool fits(const struct match *match, const uint8_t *at, const struct item *item)
{
	return at < text_end(match) && has_byte(item->set, *at);
}

static const uint8_t *match_most(struct match *match, const uint8_t *at, size_t index)
{
	const struct item *item = &match->pattern->items[index];
	size_t n = 0, least = item->repeat == '+', most = item->repeat == '?' ? 1 : SIZE_MAX;
	while (n < most && fits(match, at + n, item))
		n++;
	count_work(match, n / 4);
	for (;; n--) {
		if (n < least)
			return NULL;
		const uint8_t *end = match_from(match, at + n, index + 1);
		if (end != NULL || n == 0)
			return end;
	}
}

static const uint8_t *match_least(struct match *match, const uint8_t *at, size_t index)
{
	for (;; at++) {
		const uint8_t *end = match_from(match, at, index + 1);
		if (end != NULL || !fits(match, at, &match->pattern->items[index]))
			return end;
	}
}

static const uint8_t *match_open(struct match *match, const uint8_t *at, size_t index)
{
	bool position = match->pattern->items[index].kind == ITEM_POSITION;
	match->captures[match->capture_count++] =
		(struct capture){at, position ? at : NULL, position};
	const uint8_t *end = match_from(match, at, index + 1);
	if (end == NULL)
		match->capture_count--;
	return end;
}

static const uint8_t *match_close(struct match *match, const uint8_t *at, size_t index)
{
	size_t last = match->capture_count;
	/* compile saw that there is one. */
	while (match->captures[--last].end != NULL)
		cs_assert(last > 0);
	match->captures[last].end = at;
	const uint8_t *end = match_from(match, at, index + 1);
	if (end == NULL)
		match->captures[last].end = NULL;
	return end;
}

/* Where the match of the items from index on ends; NULL when there is none. One frame deeper for
 * each item that can be matched in more than one way. */
static const uint8_t *match_from(struct match *match, const uint8_t *at, size_t index)
{
	for (;; index++) {
		count_work(match, 1);
		if (index == match->pattern->count)
			return at;
		const struct item *item = &match->pattern->items[index];
		switch (item->kind) {
		case ITEM_OPEN:
		case ITEM_POSITION:
			return match_open(match, at, index);
		case ITEM_CLOSE:
			return match_close(match, at, index);
		case ITEM_END:
			return at == text_end(match) ? at : NULL;
		case ITEM_SET:
			break;
		}
		if (item->repeat == '-')
			return match_least(match, at, index);
		if (item->repeat != 0)
			return match_most(match, at, index);
		if (!fits(match, at, item))
			return NULL;
		at++;
	}
}

static const uint8_t *match_at(struct match *match, size_t at)
{
	match->capture_count = 0;
	return match_from(match, match->text.p + at, 0);
}

static void begin_match(struct match *match, lua_State *L, const struct pattern *pattern,
			struct cs_bytes text)
{
	*match = (struct match){.L = L, .pattern = pattern, .text = text};
}

/* First match at or after *at, which becomes where it begins. */
static const uint8_t *search(struct match *match, size_t *at)
{
	for (; *at <= match->text.n; ++*at) {
		const uint8_t *end = match_at(match, *at);
		if (end != NULL || match->pattern->anchored)
			return end;
	}
	return NULL;
}

static void push_capture(struct match *match, size_t index)
{
	const struct capture *capture = &match->captures[index];
	size_t n = (size_t)(capture->end - capture->begin);
	if (capture->position) {
		lua_pushinteger(match->L, capture->begin - match->text.p + 1);
		return;
	}
	script_charge_bytes(match->L, n);
	script_push_bytes(match->L, cs_bytes(capture->begin, n));
}

/* The captures, or the whole where there are none. */
static int push_captures(struct match *match, size_t begin, const uint8_t *end, bool whole)
{
	script_check_room(match->L, CAPTURES_MAX + 1);
	if (match->capture_count == 0 && whole) {
		const uint8_t *p = match->text.p + begin;
		script_charge_bytes(match->L, (size_t)(end - p));
		script_push_bytes(match->L, cs_bytes(p, (size_t)(end - p)));
		return 1;
	}
	for (size_t i = 0; i < match->capture_count; i++)
		push_capture(match, i);
	return (int)match->capture_count;
}

/* ---- the functions ---- */

/* Index of the first character to look at; false behind the end. */
static bool first_index(lua_State *L, size_t *at, size_t n)
{
	lua_Integer init = script_default_integer(L, 3, 1);
	if (init > (lua_Integer)n + 1)
		return false;
	*at = init > 0 ? (size_t)init - 1 : script_position(init, n);
	if (init < 0 && *at > 0)
		--*at;
	return true;
}

static int find_plain(lua_State *L, struct cs_bytes text, struct cs_bytes word, size_t at)
{
	script_charge(L, (text.n - at) / 8 + word.n / 8 + 1);
	const uint8_t *p =
		word.n == 0 ? text.p + at : memmem(text.p + at, text.n - at, word.p, word.n);
	if (p == NULL) {
		lua_pushnil(L);
		return 1;
	}
	lua_pushinteger(L, p - text.p + 1);
	lua_pushinteger(L, p - text.p + (lua_Integer)word.n);
	return 2;
}

static int find(lua_State *L, bool positions)
{
	struct pattern pattern;
	struct match match;
	struct cs_bytes text = script_check_text(L, 1), word = script_check_text(L, 2);
	size_t at = 0;
	if (!first_index(L, &at, text.n)) {
		lua_pushnil(L);
		return 1;
	}
	if (positions && lua_toboolean(L, 4))
		return find_plain(L, text, word, at);
	compile(L, &pattern, word);
	begin_match(&match, L, &pattern, text);
	const uint8_t *end = search(&match, &at);
	if (end == NULL) {
		lua_pushnil(L);
		return 1;
	}
	if (!positions)
		return push_captures(&match, at, end, true);
	lua_pushinteger(L, (lua_Integer)at + 1);
	lua_pushinteger(L, end - text.p);
	return 2 + push_captures(&match, at, end, false);
}

int script_string_find(lua_State *L)
{
	return find(L, true);
}

int script_string_match(lua_State *L)
{
	return find(L, false);
}

/* Upvalues: text, pattern, where to go on, end of the last match (0: none yet, else index + 1). */
static int gmatch_next(lua_State *L)
{
	struct pattern pattern;
	struct match match;
	lua_settop(L, 0);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_pushvalue(L, lua_upvalueindex(2));
	struct cs_bytes text = script_check_text(L, 1);
	size_t at = (size_t)lua_tointegerx(L, lua_upvalueindex(3), NULL);
	size_t last = (size_t)lua_tointegerx(L, lua_upvalueindex(4), NULL);
	compile(L, &pattern, script_check_text(L, 2));
	begin_match(&match, L, &pattern, text);
	for (; at <= text.n; at++) {
		const uint8_t *end = match_at(&match, at);
		size_t behind = end != NULL ? (size_t)(end - text.p) + 1 : 0;
		if (end == NULL || behind == last)
			continue;
		lua_pushinteger(L, (lua_Integer)behind - 1);
		lua_replace(L, lua_upvalueindex(3));
		lua_pushinteger(L, (lua_Integer)behind);
		lua_replace(L, lua_upvalueindex(4));
		return push_captures(&match, at, end, true);
	}
	return 0;
}

int script_string_gmatch(lua_State *L)
{
	(void)script_check_text(L, 1);
	struct cs_bytes word = script_check_text(L, 2);
	struct pattern pattern;
	compile(L, &pattern, word);
	if (pattern.anchored)
		script_fail(L, "string.gmatch: an anchored pattern matches once");
	lua_settop(L, 2);
	lua_pushinteger(L, 0);
	lua_pushinteger(L, 0);
	lua_pushcclosure(L, gmatch_next, 4);
	return 1;
}

/* "%0" to "%9" in the text at index 3. */
static void add_template(struct match *match, struct script_text *out, size_t begin,
			 const uint8_t *end)
{
	struct cs_bytes text = script_check_text(match->L, 3);
	const uint8_t *from = match->text.p + begin;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] != '%') {
			script_text_add_byte(out, text.p[i]);
			continue;
		}
		uint8_t c = ++i < text.n ? text.p[i] : 0;
		size_t index = (size_t)c - '0';
		if (c == '%') {
			script_text_add_byte(out, c);
		} else if (c == '0' || (c == '1' && match->capture_count == 0)) {
			script_text_add(out, cs_bytes(from, (size_t)(end - from)));
		} else if (is_between(c, '1', '9') && index <= match->capture_count) {
			push_capture(match, index - 1);
			script_text_add(out, script_check_text(match->L, -1));
			lua_pop(match->L, 1);
		} else {
			script_fail(match->L, "string.gsub: no such capture in the replacement");
		}
	}
	script_charge(match->L, text.n + 1);
}

/* One replacement; nil and false keep what was matched. */
static void add_replacement(struct match *match, struct script_text *out, size_t begin,
			    const uint8_t *end)
{
	lua_State *L = match->L;
	int type = lua_type(L, 3);
	if (type == LUA_TSTRING || type == LUA_TNUMBER) {
		add_template(match, out, begin, end);
		return;
	}
	int top = lua_gettop(L);
	script_check_room(L, CAPTURES_MAX + 4);
	if (type == LUA_TFUNCTION) {
		lua_pushvalue(L, 3);
		lua_call(L, push_captures(match, begin, end, true), 1);
	} else {
		(void)push_captures(match, begin, end, true);
		lua_settop(L, top + 1);
		(void)lua_rawget(L, 3);
	}
	const uint8_t *from = match->text.p + begin;
	if (!lua_toboolean(L, -1))
		script_text_add(out, cs_bytes(from, (size_t)(end - from)));
	else
		script_text_add(out, script_check_text(L, -1));
	lua_settop(L, top);
}

int script_string_gsub(lua_State *L)
{
	struct pattern pattern;
	struct match match;
	struct script_text out;
	struct cs_bytes text = script_check_text(L, 1), word = script_check_text(L, 2);
	lua_Integer most = script_default_integer(L, 4, LUA_MAXINTEGER), done = 0;
	if (lua_type(L, 3) != LUA_TTABLE && lua_type(L, 3) != LUA_TFUNCTION)
		(void)script_check_text(L, 3);
	lua_settop(L, 3);
	cs_assert(text.p != NULL);
	compile(L, &pattern, word);
	begin_match(&match, L, &pattern, text);
	script_text_begin(&out, L);
	size_t at = 0, last = 0;
	while (done < most) {
		const uint8_t *end = match_at(&match, at);
		size_t behind = end != NULL ? (size_t)(end - text.p) + 1 : 0;
		if (end != NULL && behind != last) {
			done++;
			add_replacement(&match, &out, at, end);
			last = behind;
			at = behind - 1;
		} else if (at < text.n) {
			script_text_add_byte(&out, text.p[at++]);
		} else {
			break;
		}
		if (pattern.anchored)
			break;
	}
	script_text_add(&out, cs_bytes(text.p + at, text.n - at));
	script_text_end(&out);
	lua_pushinteger(L, done);
	return 2;
}
