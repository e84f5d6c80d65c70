#include "oracle/request_body.h"

#include "host/json_values.h"
#include "wire/spec.h"

#include <stdlib.h>
#include <string.h>

/* White space may make a spec larger than its canonical form. */
#define TEXT_SIZE_MAX (64u * 1024)

static enum cs_err read_spec(struct oracle_body *body, const json_t *json, struct cs_arena *arena,
			     struct cs_why *why)
{
	const json_t *spec = json_object_get(json, "spec");
	struct cs_why inner = {{0}};
	struct cs_buf buf;
	if (!spec)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "spec: must be there");
	if (!json_is_object(spec))
		return cs_fail(why, CS_ERR_MALFORMED, "spec: is no object");
	size_t size = json_dumpb(spec, NULL, 0, JSON_COMPACT);
	if (size == 0 || size > TEXT_SIZE_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "spec: above %u bytes", WIRE_SPEC_SIZE_MAX);
	char *text = cs_arena_alloc(arena, size);
	if (!text)
		return CS_ERR_NO_MEMORY;
	(void)json_dumpb(spec, text, size, JSON_COMPACT);
	CS_TRY(cs_buf_init_arena(&buf, arena, WIRE_SPEC_SIZE_MAX));
	enum cs_err err =
		wire_spec_canonical(&buf, cs_bytes((const uint8_t *)text, size), arena, &inner);
	if (err != CS_OK)
		return cs_fail(why, err, "spec: %.180s", inner.text);
	body->query.spec = cs_buf_view(&buf);
	return CS_OK;
}

static enum cs_err copy_text(struct cs_bytes *out, const json_t *text, size_t size_max,
			     const char *name, struct cs_arena *arena, struct cs_why *why)
{
	if (!json_is_string(text))
		return cs_fail(why, CS_ERR_MALFORMED, "%s: is no text", name);
	struct cs_bytes bytes =
		cs_bytes((const uint8_t *)json_string_value(text), json_string_length(text));
	if (bytes.n > size_max)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%s: above %zu bytes", name, size_max);
	*out = cs_arena_copy(arena, bytes);
	return out->p || bytes.n == 0 ? CS_OK : CS_ERR_NO_MEMORY;
}

static enum cs_err read_arguments(struct oracle_body *body, const json_t *json,
				  struct cs_arena *arena, struct cs_why *why)
{
	const json_t *list = json_object_get(json, "arguments");
	if (!list)
		return CS_OK;
	if (!json_is_array(list))
		return cs_fail(why, CS_ERR_MALFORMED, "arguments: is no array");
	if (json_array_size(list) > WIRE_ARGUMENTS_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "arguments: above %u", WIRE_ARGUMENTS_MAX);
	for (size_t i = 0; i < json_array_size(list); i++) {
		char name[32];
		snprintf(name, sizeof(name), "arguments[%zu]", i);
		CS_TRY(copy_text(&body->query.arguments[i], json_array_get(list, i),
				 WIRE_ARGUMENT_SIZE_MAX, name, arena, why));
		body->query.argument_count++;
	}
	return CS_OK;
}

static enum cs_err read_seconds(uint64_t *out, const json_t *json, const char *name, uint64_t max,
				struct cs_why *why)
{
	uint64_t value = 0;
	if (!json_object_get(json, name))
		return CS_OK;
	CS_TRY(host_json_read_u64(json, name, &value, why));
	if (value == 0 || value > max)
		return cs_fail(why, CS_ERR_INVALID, "%s: is not 1 to %llu", name,
			       (unsigned long long)max);
	*out = value;
	return CS_OK;
}

static enum cs_err read_terms(struct oracle_body *body, const json_t *json, struct cs_arena *arena,
			      struct cs_why *why)
{
	const json_t *audience = json_object_get(json, "audience");
	if (audience)
		CS_TRY(copy_text(&body->query.audience, audience, WIRE_AUDIENCE_SIZE_MAX,
				 "audience", arena, why));
	if (json_object_get(json, "secrets"))
		CS_TRY(host_json_read_hex(json, "secrets", ORACLE_SECRETS_SIZE_MAX, arena,
					  &body->query.secrets, why));
	CS_TRY(read_seconds(&body->max_age, json, "max_age", WIRE_MAX_AGE_MAX, why));
	return read_seconds(&body->timeout_s, json, "timeout_s", ORACLE_TIMEOUT_MAX_S, why);
}

enum cs_err oracle_body_read(struct oracle_body *out, enum oracle_body_kind kind,
			     const json_t *json, struct cs_arena *arena, struct cs_why *why)
{
	static const char *const request[] = {"spec",    "arguments", "secrets", "audience",
					      "max_age", "timeout_s", NULL};
	static const char *const dry_run[] = {"spec", "arguments", NULL};
	static const char *const spec[] = {"spec", NULL};
	static const char *const *const names[] = {[ORACLE_BODY_REQUEST] = request,
						   [ORACLE_BODY_DRY_RUN] = dry_run,
						   [ORACLE_BODY_SPEC] = spec};
	struct oracle_body body = {.max_age = ORACLE_MAX_AGE_DEFAULT_S,
				   .timeout_s = ORACLE_TIMEOUT_DEFAULT_S};
	CS_TRY(host_json_known(json, names[kind], "", why));
	CS_TRY(read_spec(&body, json, arena, why));
	CS_TRY(read_arguments(&body, json, arena, why));
	CS_TRY(read_terms(&body, json, arena, why));
	*out = body;
	return CS_OK;
}
