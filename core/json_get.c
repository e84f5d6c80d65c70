/* Reading of a parsed tree: members by key and type. */
#include "core/json.h"

const struct cs_json *cs_json_find(const struct cs_json *json, const char *key)
{
	const struct cs_bytes wanted = cs_bytes_str(key);
	if (json->type != CS_JSON_OBJECT)
		return NULL;
	for (const struct cs_json *member = json->child; member != NULL; member = member->next) {
		if (cs_bytes_eq(member->key, wanted))
			return member;
	}
	return NULL;
}

static bool is_among(struct cs_bytes key, const char *const *keys, size_t key_count)
{
	for (size_t i = 0; i < key_count; i++) {
		if (cs_bytes_eq(key, cs_bytes_str(keys[i])))
			return true;
	}
	return false;
}

enum cs_err cs_json_only(const struct cs_json *json, const char *const *keys, size_t key_count,
			 struct cs_why *why)
{
	if (json->type != CS_JSON_OBJECT)
		return cs_fail(why, CS_ERR_INVALID, "an object belongs here");
	for (const struct cs_json *member = json->child; member != NULL; member = member->next) {
		if (!is_among(member->key, keys, key_count))
			return cs_fail(why, CS_ERR_UNKNOWN_FIELD, "unknown key \"%.*s\"",
				       (int)(member->key.n < 64 ? member->key.n : 64),
				       (const char *)member->key.p);
	}
	return CS_OK;
}

enum cs_err cs_json_member(const struct cs_json **out, const struct cs_json *json, const char *key,
			   enum cs_json_type type, struct cs_why *why)
{
	static const char *const names[] = {"null",     "true or false", "a number",
					    "a string", "an array",      "an object"};
	const struct cs_json *member = cs_json_find(json, key);
	if (member == NULL)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "%s is missing", key);
	if (member->type != type)
		return cs_fail(why, CS_ERR_INVALID, "%s must be %s", key, names[type]);
	*out = member;
	return CS_OK;
}

enum cs_err cs_json_member_string(struct cs_bytes *out, const struct cs_json *json, const char *key,
				  size_t size_max, struct cs_why *why)
{
	const struct cs_json *member;
	CS_TRY(cs_json_member(&member, json, key, CS_JSON_STRING, why));
	if (member->text.n > size_max)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%s is longer than %zu bytes", key, size_max);
	*out = member->text;
	return CS_OK;
}

enum cs_err cs_json_member_bool(bool *out, const struct cs_json *json, const char *key,
				struct cs_why *why)
{
	const struct cs_json *member;
	CS_TRY(cs_json_member(&member, json, key, CS_JSON_BOOL, why));
	*out = member->boolean;
	return CS_OK;
}

enum cs_err cs_json_u64(uint64_t *out, const struct cs_json *json)
{
	uint64_t value = 0;
	if (json->type != CS_JSON_NUMBER)
		return CS_ERR_INVALID;
	if (json->text.p[0] == '-')
		return CS_ERR_OVERFLOW;
	for (size_t i = 0; i < json->text.n; i++) {
		/* A fraction or an exponent. */
		if (json->text.p[i] < '0' || json->text.p[i] > '9')
			return CS_ERR_INVALID;
		if (__builtin_mul_overflow(value, 10u, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(json->text.p[i] - '0'), &value))
			return CS_ERR_OVERFLOW;
	}
	*out = value;
	return CS_OK;
}

enum cs_err cs_json_member_u64(uint64_t *out, const struct cs_json *json, const char *key,
			       uint64_t max, struct cs_why *why)
{
	const struct cs_json *member;
	uint64_t value;
	CS_TRY(cs_json_member(&member, json, key, CS_JSON_NUMBER, why));
	enum cs_err err = cs_json_u64(&value, member);
	if (err != CS_OK || value > max)
		return cs_fail(why, err != CS_OK ? err : CS_ERR_OVERFLOW,
			       "%s must be an integer from 0 to %llu", key,
			       (unsigned long long)max);
	*out = value;
	return CS_OK;
}

enum cs_err cs_json_member_u256(struct cs_u256 *out, const struct cs_json *json, const char *key,
				struct cs_why *why)
{
	struct cs_bytes text;
	CS_TRY(cs_json_member_string(&text, json, key, CS_U256_DECIMAL_SIZE, why));
	enum cs_err err = cs_u256_from_decimal(out, text);
	return err == CS_OK ? err
			    : cs_fail(why, err, "%s must be a decimal number below 2^256", key);
}

enum cs_err cs_json_hex(void *p, size_t n, const struct cs_json *json)
{
	if (json->type != CS_JSON_STRING)
		return CS_ERR_INVALID;
	struct cs_bytes text = json->text;
	if (text.n < 2 || text.p[0] != '0' || text.p[1] != 'x')
		return CS_ERR_MALFORMED;
	for (size_t i = 2; i < text.n; i++) {
		if (text.p[i] >= 'A' && text.p[i] <= 'F')
			return CS_ERR_NON_CANONICAL;
	}
	return cs_unhex(p, n, text);
}

enum cs_err cs_json_member_hex(void *p, size_t n, const struct cs_json *json, const char *key,
			       struct cs_why *why)
{
	const struct cs_json *member;
	CS_TRY(cs_json_member(&member, json, key, CS_JSON_STRING, why));
	enum cs_err err = cs_json_hex(p, n, member);
	return err == CS_OK ? err
			    : cs_fail(why, err, "%s must be 0x and %zu lower-case hex digits", key,
				      2 * n);
}

enum cs_err cs_json_member_hashes(struct cs_hash *out, size_t *count, size_t count_max,
				  const struct cs_json *json, const char *key, struct cs_why *why)
{
	const struct cs_json *array = NULL;
	CS_TRY(cs_json_member(&array, json, key, CS_JSON_ARRAY, why));
	if (array->count > count_max)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%s has more than %zu", key, count_max);
	size_t n = 0;
	for (const struct cs_json *at = array->child; at != NULL; at = at->next) {
		const enum cs_err err = cs_json_hex(out[n].b, sizeof out[n].b, at);
		if (err != CS_OK)
			return cs_fail(why, err, "%s[%zu] is not 32 bytes of hex", key, n);
		for (size_t i = 0; i < n; i++)
			if (cs_hash_eq(&out[i], &out[n]))
				return cs_fail(why, CS_ERR_DUPLICATE, "%s[%zu] is there twice", key,
					       n);
		n++;
	}
	*count = n;
	return CS_OK;
}
