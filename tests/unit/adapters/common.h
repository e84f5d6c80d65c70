/* Vectors for the tests of adapters/evm. */
#ifndef TESTS_UNIT_ADAPTERS_COMMON_H
#define TESTS_UNIT_ADAPTERS_COMMON_H

#include "adapters/evm/json.h"

/* cmocka needs what stands before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
/* clang-format on */

#define assert_err(err, call) assert_int_equal((call), CS_ERR_##err)
#define assert_ok(call) assert_int_equal((call), CS_OK)

static inline json_t *load(const char *name)
{
	char path[512];
	json_error_t error;

	snprintf(path, sizeof(path), "%s/%s", CS_VECTORS, name);
	json_t *json = json_load_file(path, 0, &error);
	if (json == NULL)
		fail_msg("%s: %s", path, error.text);
	return json;
}

static inline const json_t *at(const json_t *object, const char *key)
{
	const json_t *found = json_object_get(object, key);

	if (found == NULL)
		fail_msg("no %s in the vector", key);
	return found;
}

static inline struct cs_hash hash_at(const json_t *object, const char *key)
{
	struct cs_hash hash;

	assert_ok(evm_json_hash(&hash, at(object, key)));
	return hash;
}

/* Bytes of a "0x…" text, in memory of exactly that size; some vectors have no prefix. */
static inline struct cs_bytes bytes_of(const json_t *json)
{
	const char *text = json_string_value(json);

	assert_non_null(text);
	text += strncmp(text, "0x", 2) == 0 ? 2 : 0;
	size_t n = strlen(text) / 2;
	uint8_t *memory = malloc(n + 1);
	assert_ok(cs_unhex(memory, n, cs_bytes(text, 2 * n)));
	return cs_bytes(memory, n);
}

static inline void drop(struct cs_bytes bytes)
{
	free((void *)(uintptr_t)bytes.p);
}

static inline void assert_bytes(struct cs_bytes a, struct cs_bytes b)
{
	assert_int_equal(a.n, b.n);
	assert_memory_equal(a.p, b.p, a.n);
}

#endif
