#include "host/json_values.h"

#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

/* ---- writing ---- */

json_t *host_json_hex(struct cs_bytes bytes)
{
	char *text = host_alloc(2 * bytes.n + 3);
	text[0] = '0';
	text[1] = 'x';
	cs_hex(text + 2, bytes);
	json_t *json = json_stringn_nocheck(text, 2 * bytes.n + 2);
	free(text);
	return json;
}

json_t *host_json_hash(const struct cs_hash *hash)
{
	return host_json_hex(CS_BYTES_OF(hash->b));
}

json_t *host_json_u64(uint64_t value)
{
	return json_integer((json_int_t)value);
}

/* ---- reading: strict ---- */

enum cs_err host_json_known(const json_t *object, const char *const *names, const char *where,
			    struct cs_why *why)
{
	const char *name;
	json_t *value;
	if (!json_is_object(object))
		return cs_fail(why, CS_ERR_MALFORMED, "%s: not an object", where);
	/* jansson's iteration takes a pointer to non-const and changes nothing. */
	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		size_t i = 0;
		while (names[i] && strcmp(names[i], name) != 0)
			i++;
		if (!names[i])
			return cs_fail(why, CS_ERR_UNKNOWN_FIELD, "%s: unknown member \"%.60s\"",
				       where, name);
	}
	return CS_OK;
}

enum cs_err host_json_read_u64(const json_t *object, const char *name, uint64_t *value,
			       struct cs_why *why)
{
	const json_t *field = json_object_get(object, name);
	if (!field)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "%s: is missing", name);
	if (!json_is_integer(field) || json_integer_value(field) < 0)
		return cs_fail(why, CS_ERR_MALFORMED, "%s: not a number from 0 to 2^63 - 1", name);
	*value = (uint64_t)json_integer_value(field);
	return CS_OK;
}

static enum cs_err read_text(const json_t *object, const char *name, struct cs_bytes *text,
			     struct cs_why *why)
{
	const json_t *field = json_object_get(object, name);
	if (!field)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "%s: is missing", name);
	if (!json_is_string(field) || json_string_length(field) < 2 ||
	    strncmp(json_string_value(field), "0x", 2) != 0)
		return cs_fail(why, CS_ERR_MALFORMED, "%s: not a text of 0x and hex digits", name);
	*text = cs_bytes(json_string_value(field) + 2, json_string_length(field) - 2);
	return CS_OK;
}

enum cs_err host_json_read_hash(const json_t *object, const char *name, struct cs_hash *hash,
				struct cs_why *why)
{
	struct cs_bytes text;
	struct cs_hash out;
	CS_TRY(read_text(object, name, &text, why));
	if (text.n != 64 || cs_unhex(out.b, sizeof(out.b), text) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED, "%s: not 32 bytes of hex", name);
	*hash = out;
	return CS_OK;
}

enum cs_err host_json_read_hex(const json_t *object, const char *name, size_t size_max,
			       struct cs_arena *arena, struct cs_bytes *bytes, struct cs_why *why)
{
	struct cs_bytes text;
	CS_TRY(read_text(object, name, &text, why));
	if (text.n % 2 != 0)
		return cs_fail(why, CS_ERR_MALFORMED, "%s: an odd number of hex digits", name);
	if (text.n / 2 > size_max)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%s: above %zu bytes", name, size_max);
	uint8_t *p = cs_arena_alloc(arena, text.n / 2 + 1);
	if (!p)
		return cs_fail(why, CS_ERR_NO_MEMORY, "%s: no memory", name);
	if (cs_unhex(p, text.n / 2, text) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED, "%s: not hex", name);
	*bytes = cs_bytes(p, text.n / 2);
	return CS_OK;
}

enum cs_err host_json_read_path(const json_t *object, struct wire_signed *part, struct cs_why *why)
{
	const json_t *path = json_object_get(object, "path");
	if (!path)
		return CS_OK;
	if (!json_is_array(path) || json_array_size(path) > CS_PATH_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "path: not a list of at most %u",
			       CS_PATH_MAX);
	for (size_t i = 0; i < json_array_size(path); i++) {
		const char *text = json_string_value(json_array_get(path, i));
		if (!text || strncmp(text, "0x", 2) != 0 ||
		    cs_unhex(part->path[i].b, 32, cs_bytes_str(text)) != CS_OK)
			return cs_fail(why, CS_ERR_MALFORMED, "path[%zu]: not 32 bytes of hex", i);
	}
	part->path_count = json_array_size(path);
	return CS_OK;
}
