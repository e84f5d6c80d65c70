/* Any bytes as JSON: a tree of integers has a canonical form, which is accepted as such and is its
 * own canonical form. */
#include "core/json.h"
#include "core/utf8.h"
#include "tests/fuzz/fuzz.h"

static void touch(const struct cs_json *json)
{
	uint64_t number;
	uint8_t word[32];
	if (cs_json_u64(&number, json) == CS_OK)
		cs_assert(json->type == CS_JSON_NUMBER);
	if (cs_json_hex(word, sizeof word, json) == CS_OK)
		cs_assert(json->text.n == 66);
	if (json->type == CS_JSON_STRING)
		cs_assert(cs_utf8_is_valid(json->text));
	for (const struct cs_json *child = json->child; child != NULL; child = child->next)
		touch(child);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cs_arena *arena = fuzz_arena();
	const struct cs_json *json, *again;
	struct cs_why why;
	struct cs_buf buf;
	if (size > 65536)
		return 0;
	if (cs_json_parse(&json, cs_bytes(data, size), CS_JSON_ANY_NUMBER, arena, &why) != CS_OK) {
		cs_assert(cs_json_parse(&json, cs_bytes(data, size), CS_JSON_INTEGERS, arena,
					&why) != CS_OK);
		return 0;
	}
	touch(json);
	/* An escape that the canonical form needs is at most six bytes for one. */
	cs_assert(cs_buf_init_arena(&buf, arena, 6 * size) == CS_OK);
	if (cs_json_write(&buf, json, arena) != CS_OK)
		return 0;
	cs_assert(cs_json_parse_canonical(&again, cs_buf_view(&buf), arena, &why) == CS_OK);
	bool same = cs_bytes_eq(cs_buf_view(&buf), cs_bytes(data, size));
	enum cs_err err = cs_json_parse_canonical(&again, cs_bytes(data, size), arena, &why);
	cs_assert(err == (same ? CS_OK : CS_ERR_NON_CANONICAL));
	return 0;
}
