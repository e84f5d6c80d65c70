#include "core/json_pointer.h"

#include "core/utf8.h"

enum cs_err cs_json_pointer_check(struct cs_bytes pointer)
{
	if (pointer.n > CS_JSON_POINTER_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	if ((pointer.n > 0 && pointer.p[0] != '/') || !cs_utf8_is_valid(pointer))
		return CS_ERR_MALFORMED;
	for (size_t i = 0; i < pointer.n; i++) {
		if (pointer.p[i] == '~' &&
		    (i + 1 == pointer.n || (pointer.p[i + 1] != '0' && pointer.p[i + 1] != '1')))
			return CS_ERR_MALFORMED;
	}
	return CS_OK;
}

/* One character of the token at *at, unescaped. */
static uint8_t next_byte(struct cs_bytes token, size_t *at)
{
	uint8_t c = token.p[(*at)++];
	if (c != '~')
		return c;
	return token.p[(*at)++] == '0' ? '~' : '/';
}

static bool is_key(struct cs_bytes token, struct cs_bytes key)
{
	size_t at = 0, i = 0;
	while (at < token.n && i < key.n) {
		if (next_byte(token, &at) != key.p[i++])
			return false;
	}
	return at == token.n && i == key.n;
}

static const struct cs_json *member(const struct cs_json *object, struct cs_bytes token)
{
	const struct cs_json *child = object->child;
	while (child != NULL && !is_key(token, child->key))
		child = child->next;
	return child;
}

static const struct cs_json *element(const struct cs_json *array, struct cs_bytes token)
{
	struct cs_u256 wide;
	uint64_t index;
	if (cs_u256_from_decimal(&wide, token) != CS_OK || cs_u256_to_u64(&index, &wide) != CS_OK ||
	    index >= array->count)
		return NULL;
	const struct cs_json *child = array->child;
	while (index-- > 0)
		child = child->next;
	return child;
}

static const struct cs_json *step(const struct cs_json *json, struct cs_bytes token)
{
	if (json->type == CS_JSON_OBJECT)
		return member(json, token);
	return json->type == CS_JSON_ARRAY ? element(json, token) : NULL;
}

enum cs_err cs_json_pointer(const struct cs_json **out, const struct cs_json *root,
			    struct cs_bytes pointer)
{
	const struct cs_json *json = root;
	CS_TRY(cs_json_pointer_check(pointer));
	for (size_t at = 0; at < pointer.n && json != NULL;) {
		size_t begin = ++at;
		while (at < pointer.n && pointer.p[at] != '/')
			at++;
		json = step(json, cs_bytes(pointer.p + begin, at - begin));
	}
	if (json == NULL)
		return CS_ERR_NOT_FOUND;
	*out = json;
	return CS_OK;
}
