/* What several unit tests need: files of tests/vectors, JSON fields as bytes, short hex literals.
 * Failures end the test. */
#ifndef TESTS_UNIT_SUPPORT_H
#define TESTS_UNIT_SUPPORT_H

#include "core/bytes.h"

/* cmocka.h needs the first four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* clang-format on */

/* One test program reads little and ends: nothing is freed. Reachable, so that leak checkers stay
 * quiet. */
static inline void *keep(size_t size)
{
	static void *kept[65536];
	static size_t count;
	assert_true(count < CS_LEN(kept));
	kept[count] = calloc(1, size + 1);
	assert_non_null(kept[count]);
	return kept[count++];
}

static inline struct cs_bytes read_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	if (file == NULL)
		fail_msg("cannot open %s", path);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	long size = ftell(file);
	assert_true(size >= 0);
	rewind(file);
	uint8_t *p = keep((size_t)size);
	assert_int_equal(fread(p, 1, (size_t)size, file), (size_t)size);
	(void)fclose(file);
	return cs_bytes(p, (size_t)size);
}

/* Exactly as many bytes of its own as it has, so that a sanitizer sees every step outside. */
static inline struct cs_bytes unhex(const char *text)
{
	size_t n = strlen(text);
	size_t size = (n - (n >= 2 && text[0] == '0' && text[1] == 'x' ? 2 : 0)) / 2;
	uint8_t *p = keep(size);
	assert_int_equal(cs_unhex(p, size, cs_bytes_str(text)), CS_OK);
	return cs_bytes(p, size);
}

static inline json_t *read_json(const char *path)
{
	json_error_t error;
	json_t *json = json_load_file(path, JSON_ALLOW_NUL, &error);
	if (json == NULL)
		fail_msg("%s: %s", path, error.text);
	return json;
}

static inline const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	if (text == NULL)
		fail_msg("no text %s", key);
	return text;
}

static inline struct cs_bytes bytes_of(const json_t *object, const char *key)
{
	return unhex(text_of(object, key));
}

static inline struct cs_hash hash_of_text(const char *text)
{
	struct cs_hash hash;
	assert_int_equal(cs_unhex(hash.b, sizeof hash.b, cs_bytes_str(text)), CS_OK);
	return hash;
}

static inline struct cs_hash hash_of(const json_t *object, const char *key)
{
	return hash_of_text(text_of(object, key));
}

/* A decimal string or a small number. */
static inline uint64_t u64_of(const json_t *object, const char *key)
{
	const json_t *field = json_object_get(object, key);
	if (json_is_integer(field))
		return (uint64_t)json_integer_value(field);
	return strtoull(text_of(object, key), NULL, 10);
}

#define assert_ok(call) assert_int_equal((call), CS_OK)
#define assert_err(call, err) assert_int_equal((call), (err))

static inline void assert_bytes(struct cs_bytes got, struct cs_bytes want)
{
	assert_int_equal(got.n, want.n);
	if (want.n > 0)
		assert_memory_equal(got.p, want.p, want.n);
}

static inline void assert_hash(struct cs_hash got, struct cs_hash want)
{
	assert_memory_equal(got.b, want.b, sizeof want.b);
}

#endif
