/* The canonical form: what cs_json_write promises in json.h. */
#include "core/json.h"

#include <string.h>

/* A value that is being written: its children in the order of writing. */
struct level {
	const struct cs_json *node;
	const struct cs_json **children;
	size_t next;
};

void cs_json_write_string(struct cs_buf *buf, struct cs_bytes text)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt", hex[] = "0123456789abcdef";
	cs_put_u8(buf, '"');
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];
		const char *found = c == 0 ? NULL : strchr(from, c);
		if (found != NULL) {
			cs_put_u8(buf, '\\');
			cs_put_u8(buf, (uint8_t)to[found - from]);
		} else if (c < 0x20) {
			cs_put(buf, cs_bytes_str("\\u00"));
			cs_put_u8(buf, (uint8_t)hex[c >> 4]);
			cs_put_u8(buf, (uint8_t)hex[c & 15]);
		} else {
			cs_put_u8(buf, c);
		}
	}
	cs_put_u8(buf, '"');
}

static bool is_before(struct cs_bytes a, struct cs_bytes b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n == 0 ? 0 : memcmp(a.p, b.p, n);
	return order != 0 ? order < 0 : a.n < b.n;
}

/* Insertion: objects have at most CS_JSON_MEMBERS_MAX members and most come sorted. */
static void sort(const struct cs_json **members, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		const struct cs_json *moving = members[i];
		size_t j = i;
		for (; j > 0 && is_before(moving->key, members[j - 1]->key); j--)
			members[j] = members[j - 1];
		members[j] = moving;
	}
}

static enum cs_err open_level(struct level *level, const struct cs_json *node,
			      struct cs_arena *arena)
{
	const struct cs_json **children =
		cs_arena_calloc(arena, node->count, sizeof(struct cs_json *));
	size_t n = 0;
	if (children == NULL)
		return CS_ERR_NO_MEMORY;
	for (const struct cs_json *child = node->child; child != NULL; child = child->next)
		children[n++] = child;
	cs_assert(n == node->count);
	if (node->type == CS_JSON_OBJECT)
		sort(children, n);
	*level = (struct level){node, children, 0};
	return CS_OK;
}

static enum cs_err write_number(struct cs_buf *buf, struct cs_bytes text)
{
	if (cs_bytes_eq(text, cs_bytes_str("-0")))
		return CS_ERR_NON_CANONICAL;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] != '-' && (text.p[i] < '0' || text.p[i] > '9'))
			return CS_ERR_NON_CANONICAL;
	}
	cs_put(buf, text);
	return CS_OK;
}

/* A value without children, or the bracket that opens one. */
static enum cs_err write_begin(struct cs_buf *buf, const struct cs_json *node)
{
	switch (node->type) {
	case CS_JSON_NULL:
		cs_put(buf, cs_bytes_str("null"));
		break;
	case CS_JSON_BOOL:
		cs_put(buf, cs_bytes_str(node->boolean ? "true" : "false"));
		break;
	case CS_JSON_NUMBER:
		return write_number(buf, node->text);
	case CS_JSON_STRING:
		cs_json_write_string(buf, node->text);
		break;
	case CS_JSON_ARRAY:
		cs_put_u8(buf, '[');
		break;
	case CS_JSON_OBJECT:
		cs_put_u8(buf, '{');
		break;
	}
	return CS_OK;
}

static bool has_children(const struct cs_json *node)
{
	return node->type == CS_JSON_ARRAY || node->type == CS_JSON_OBJECT;
}

static enum cs_err write_tree(struct cs_buf *buf, const struct cs_json *json,
			      struct cs_arena *arena)
{
	struct level levels[CS_JSON_DEPTH_MAX];
	size_t depth = 0;
	CS_TRY(write_begin(buf, json));
	if (has_children(json))
		CS_TRY(open_level(&levels[depth++], json, arena));
	while (depth > 0) {
		struct level *level = &levels[depth - 1];
		bool object = level->node->type == CS_JSON_OBJECT;
		if (level->next == level->node->count) {
			cs_put_u8(buf, object ? '}' : ']');
			depth--;
			continue;
		}
		if (level->next > 0)
			cs_put_u8(buf, ',');
		const struct cs_json *child = level->children[level->next++];
		if (object) {
			cs_json_write_string(buf, child->key);
			cs_put_u8(buf, ':');
		}
		CS_TRY(write_begin(buf, child));
		if (has_children(child)) {
			cs_assert(depth < CS_JSON_DEPTH_MAX);
			CS_TRY(open_level(&levels[depth++], child, arena));
		}
	}
	return cs_buf_end(buf);
}

enum cs_err cs_json_write(struct cs_buf *buf, const struct cs_json *json, struct cs_arena *arena)
{
	size_t mark = cs_arena_mark(arena);
	enum cs_err err = write_tree(buf, json, arena);
	cs_arena_rewind(arena, mark);
	return err;
}
