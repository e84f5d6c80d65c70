#include "sdk/c/src/inner.h"

#include <stdlib.h>
#include <string.h>

/* An index of an array: no JSON of a gateway has more digits. */
#define INDEX_DIGITS_MAX 8u

struct caisson_answer *answer_new(json_t *json)
{
	struct caisson_answer *answer = json ? malloc(sizeof(*answer)) : NULL;
	if (!answer) {
		json_decref(json);
		return NULL;
	}
	answer->json = json;
	return answer;
}

json_t *answer_parse(struct cs_bytes body)
{
	json_t *json = json_loadb((const char *)body.p, body.n,
				  JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	if (!json_is_object(json)) {
		json_decref(json);
		return NULL;
	}
	return json;
}

void caisson_answer_free(struct caisson_answer *answer)
{
	if (!answer)
		return;
	json_decref(answer->json);
	free(answer);
}

char *caisson_answer_json(const struct caisson_answer *answer)
{
	return json_dumps(answer->json, JSON_COMPACT);
}

static const json_t *element(const json_t *array, const char *name, size_t n)
{
	size_t index = 0;
	if (n == 0 || n > INDEX_DIGITS_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (name[i] < '0' || name[i] > '9')
			return NULL;
		index = 10 * index + (size_t)(name[i] - '0');
	}
	return json_array_get(array, index);
}

static const json_t *member(const json_t *object, const char *name, size_t n)
{
	char key[64];
	if (n >= sizeof(key))
		return NULL;
	memcpy(key, name, n);
	key[n] = 0;
	return json_object_get(object, key);
}

static const json_t *at(const struct caisson_answer *answer, const char *path)
{
	const json_t *json = answer->json;
	if (!*path)
		return json;
	for (;;) {
		size_t n = strcspn(path, "/");
		json = json_is_array(json) ? element(json, path, n) : member(json, path, n);
		path += n;
		if (!*path || !json)
			return json;
		path++;
	}
}

const char *caisson_answer_text(const struct caisson_answer *answer, const char *path)
{
	return json_string_value(at(answer, path));
}

bool caisson_answer_number(const struct caisson_answer *answer, const char *path, uint64_t *value)
{
	const json_t *json = at(answer, path);
	if (!json_is_integer(json) || json_integer_value(json) < 0)
		return false;
	*value = (uint64_t)json_integer_value(json);
	return true;
}

bool caisson_answer_is_true(const struct caisson_answer *answer, const char *path)
{
	return json_is_true(at(answer, path));
}

bool caisson_answer_has(const struct caisson_answer *answer, const char *path)
{
	const json_t *json = at(answer, path);
	return json && !json_is_null(json);
}

size_t caisson_answer_count(const struct caisson_answer *answer, const char *path)
{
	return json_array_size(at(answer, path));
}
