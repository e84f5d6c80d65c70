#include "core/json.h"

#include "core/utf8.h"

#include <string.h>

/* An object or array that is still open; its children are appended at the tail. */
struct frame {
	struct cs_json *node;
	struct cs_json *last;
};

struct parser {
	struct cs_bytes text;
	size_t at;
	enum cs_json_mode mode;
	struct cs_arena *arena;
	struct cs_why *why;
	struct frame open[CS_JSON_DEPTH_MAX];
	size_t depth;
	size_t nodes;
};

static enum cs_err fail(const struct parser *parser, enum cs_err err, const char *what)
{
	return cs_fail(parser->why, err, "JSON, byte %zu: %s", parser->at, what);
}

/* At the end: truncated; anything else: malformed. */
static enum cs_err unexpected(const struct parser *parser, const char *what)
{
	return fail(parser, parser->at == parser->text.n ? CS_ERR_TRUNCATED : CS_ERR_MALFORMED,
		    what);
}

/* The byte at hand; 0 at the end, which no token begins with. */
static uint8_t peek(const struct parser *parser)
{
	return parser->at < parser->text.n ? parser->text.p[parser->at] : 0;
}

static void skip_space(struct parser *parser)
{
	for (;;) {
		uint8_t c = peek(parser);
		if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
			return;
		parser->at++;
	}
}

static enum cs_err hex4(struct parser *parser, uint32_t *value)
{
	uint32_t number = 0;
	for (size_t i = 0; i < 4; i++, parser->at++) {
		uint8_t c = peek(parser);
		if (c >= '0' && c <= '9')
			number = number << 4 | (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			number = number << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return unexpected(parser, "four hex digits belong here");
	}
	*value = number;
	return CS_OK;
}

/* After "\u": one unit, or the two of a surrogate pair. */
static enum cs_err unicode(struct parser *parser, uint8_t *out, size_t *n)
{
	uint32_t c, low;
	CS_TRY(hex4(parser, &c));
	if (c >= 0xd800 && c < 0xdc00) {
		if (peek(parser) != '\\')
			return unexpected(parser, "half of a surrogate pair");
		parser->at++;
		if (peek(parser) != 'u')
			return unexpected(parser, "half of a surrogate pair");
		parser->at++;
		CS_TRY(hex4(parser, &low));
		if (low < 0xdc00 || low > 0xdfff)
			return fail(parser, CS_ERR_MALFORMED, "half of a surrogate pair");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	*n = cs_utf8_put(out, c);
	return *n > 0 ? CS_OK : fail(parser, CS_ERR_MALFORMED, "half of a surrogate pair");
}

static enum cs_err escape(struct parser *parser, uint8_t *out, size_t *n)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	uint8_t c = peek(parser);
	if (c == 'u') {
		parser->at++;
		return unicode(parser, out, n);
	}
	const char *found = c == 0 ? NULL : strchr(from, c);
	if (found == NULL)
		return unexpected(parser, "no such escape");
	parser->at++;
	out[0] = (uint8_t)to[found - from];
	*n = 1;
	return CS_OK;
}

/* Bytes at hand that stand for themselves in a string: most strings are nothing else. */
static size_t plain_size(const struct parser *parser)
{
	size_t i = parser->at;
	while (i < parser->text.n && parser->text.p[i] >= 0x20 && parser->text.p[i] < 0x80 &&
	       parser->text.p[i] != '"' && parser->text.p[i] != '\\')
		i++;
	return i - parser->at;
}

/* Bytes between the quotes as they stand, or 0 where the string does not end: a bound for the
 * decoded text. */
static size_t raw_size(const struct parser *parser)
{
	size_t i = parser->at;
	while (i < parser->text.n && parser->text.p[i] != '"')
		i += parser->text.p[i] == '\\' ? 2 : 1;
	return (i < parser->text.n ? i : parser->text.n) - parser->at;
}

/* A character that does not stand for itself in one byte. */
static enum cs_err character(struct parser *parser, uint8_t *out, size_t *n)
{
	struct cs_bytes rest = cs_bytes(parser->text.p + parser->at, parser->text.n - parser->at);
	if (peek(parser) == '\\') {
		parser->at++;
		return escape(parser, out, n);
	}
	*n = cs_utf8_next(rest);
	if (*n < 2)
		return unexpected(parser, "not a character of a string");
	memcpy(out, rest.p, *n);
	parser->at += *n;
	return CS_OK;
}

static enum cs_err string(struct parser *parser, struct cs_bytes *out)
{
	if (peek(parser) != '"')
		return unexpected(parser, "a string belongs here");
	parser->at++;
	size_t plain = plain_size(parser), n = 0, size = 0;
	bool whole =
		parser->at + plain < parser->text.n && parser->text.p[parser->at + plain] == '"';
	uint8_t *p = cs_arena_alloc(parser->arena, whole ? plain : raw_size(parser));
	if (p == NULL)
		return fail(parser, CS_ERR_NO_MEMORY, "no room");
	for (;; plain = plain_size(parser)) {
		memcpy(p + n, parser->text.p + parser->at, plain);
		parser->at += plain;
		n += plain;
		if (peek(parser) == '"')
			break;
		CS_TRY(character(parser, p + n, &size));
		n += size;
	}
	parser->at++;
	*out = cs_bytes(p, n);
	return CS_OK;
}

static size_t digits(struct parser *parser)
{
	size_t begin = parser->at;
	while (peek(parser) >= '0' && peek(parser) <= '9')
		parser->at++;
	return parser->at - begin;
}

static enum cs_err number(struct parser *parser, struct cs_bytes *out)
{
	size_t begin = parser->at;
	bool integer = true;
	if (peek(parser) == '-')
		parser->at++;
	bool zero = peek(parser) == '0';
	size_t whole = digits(parser);
	if (whole == 0)
		return unexpected(parser, "a digit belongs here");
	if (zero && whole > 1)
		return fail(parser, CS_ERR_MALFORMED, "a number begins with 0");
	if (peek(parser) == '.') {
		integer = false;
		parser->at++;
		if (digits(parser) == 0)
			return unexpected(parser, "a digit belongs here");
	}
	if ((peek(parser) | 0x20) == 'e') {
		integer = false;
		parser->at++;
		if (peek(parser) == '+' || peek(parser) == '-')
			parser->at++;
		if (digits(parser) == 0)
			return unexpected(parser, "a digit belongs here");
	}
	if (!integer && parser->mode == CS_JSON_INTEGERS)
		return fail(parser, CS_ERR_INVALID, "only integers are allowed");
	*out = cs_bytes(parser->text.p + begin, parser->at - begin);
	return CS_OK;
}

static enum cs_err word(struct parser *parser, const char *text)
{
	for (; *text != '\0'; text++, parser->at++) {
		if (peek(parser) != (uint8_t)*text)
			return unexpected(parser, "no such word");
	}
	return CS_OK;
}

static enum cs_err push(struct parser *parser, struct cs_json *node)
{
	if (parser->depth == CS_JSON_DEPTH_MAX)
		return fail(parser, CS_ERR_TOO_LARGE, "nested too deep");
	parser->open[parser->depth++] = (struct frame){node, NULL};
	parser->at++;
	return CS_OK;
}

/* A value; of an array or object only its begin. */
static enum cs_err value(struct parser *parser, struct cs_json *node)
{
	switch (peek(parser)) {
	case '{':
		node->type = CS_JSON_OBJECT;
		return push(parser, node);
	case '[':
		node->type = CS_JSON_ARRAY;
		return push(parser, node);
	case '"':
		node->type = CS_JSON_STRING;
		return string(parser, &node->text);
	case 't':
	case 'f':
		node->type = CS_JSON_BOOL;
		node->boolean = peek(parser) == 't';
		return word(parser, node->boolean ? "true" : "false");
	case 'n':
		node->type = CS_JSON_NULL;
		return word(parser, "null");
	default:
		node->type = CS_JSON_NUMBER;
		return number(parser, &node->text);
	}
}

static enum cs_err new_node(struct parser *parser, struct cs_json **out)
{
	if (parser->nodes++ == CS_JSON_NODES_MAX)
		return fail(parser, CS_ERR_TOO_LARGE, "too many values");
	*out = cs_arena_calloc(parser->arena, 1, sizeof **out);
	return *out != NULL ? CS_OK : fail(parser, CS_ERR_NO_MEMORY, "no room");
}

static enum cs_err member_key(struct parser *parser, const struct cs_json *object,
			      struct cs_json *node)
{
	if (object->count == CS_JSON_MEMBERS_MAX)
		return fail(parser, CS_ERR_TOO_LARGE, "too many members");
	CS_TRY(string(parser, &node->key));
	for (const struct cs_json *member = object->child; member != NULL; member = member->next) {
		if (cs_bytes_eq(member->key, node->key))
			return fail(parser, CS_ERR_DUPLICATE, "a key is there twice");
	}
	skip_space(parser);
	if (peek(parser) != ':')
		return unexpected(parser, "a colon belongs here");
	parser->at++;
	skip_space(parser);
	return CS_OK;
}

/* One child of the innermost open value, or its end. */
static enum cs_err child(struct parser *parser)
{
	struct frame *frame = &parser->open[parser->depth - 1];
	struct cs_json *parent = frame->node, *node;
	bool object = parent->type == CS_JSON_OBJECT;
	skip_space(parser);
	if (peek(parser) == (object ? '}' : ']')) {
		parser->at++;
		parser->depth--;
		return CS_OK;
	}
	if (parent->count > 0) {
		if (peek(parser) != ',')
			return unexpected(parser, "a comma or the end belongs here");
		parser->at++;
		skip_space(parser);
	}
	CS_TRY(new_node(parser, &node));
	if (object)
		CS_TRY(member_key(parser, parent, node));
	if (frame->last == NULL)
		parent->child = node;
	else
		frame->last->next = node;
	frame->last = node;
	parent->count++;
	return value(parser, node);
}

static enum cs_err parse(struct parser *parser, struct cs_json **root)
{
	CS_TRY(new_node(parser, root));
	skip_space(parser);
	CS_TRY(value(parser, *root));
	while (parser->depth > 0)
		CS_TRY(child(parser));
	skip_space(parser);
	if (parser->at != parser->text.n)
		return fail(parser, CS_ERR_TRAILING, "something follows the value");
	return CS_OK;
}

enum cs_err cs_json_parse(const struct cs_json **out, struct cs_bytes text, enum cs_json_mode mode,
			  struct cs_arena *arena, struct cs_why *why)
{
	struct parser parser = {.text = text, .mode = mode, .arena = arena, .why = why};
	struct cs_json *root = NULL;
	CS_TRY(parse(&parser, &root));
	*out = root;
	return CS_OK;
}

enum cs_err cs_json_parse_canonical(const struct cs_json **out, struct cs_bytes text,
				    struct cs_arena *arena, struct cs_why *why)
{
	const struct cs_json *root;
	struct cs_buf again;
	CS_TRY(cs_json_parse(&root, text, CS_JSON_INTEGERS, arena, why));
	size_t mark = cs_arena_mark(arena);
	/* One byte more than the text: what does not fit into it is not canonical either. */
	CS_TRY(cs_buf_init_arena(&again, arena, text.n + 1));
	enum cs_err err = cs_json_write(&again, root, arena);
	bool same = err == CS_OK && cs_bytes_eq(cs_buf_view(&again), text);
	cs_arena_rewind(arena, mark);
	if (err == CS_ERR_NO_MEMORY)
		return err;
	if (!same)
		return cs_fail(why, CS_ERR_NON_CANONICAL, "JSON: not in the canonical form");
	*out = root;
	return CS_OK;
}
