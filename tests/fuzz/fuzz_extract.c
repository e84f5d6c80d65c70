/* The first bytes choose the type and the rounding; up to a zero byte a pointer, then a body:
 * what is extracted is of the type and decodes. */
#include "core/json_pointer.h"
#include "enclave/oracle/extract.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct wire_spec spec;
	struct cs_arena *arena = fuzz_arena();
	struct cs_bytes value = CS_BYTES_NONE;
	enum wire_oracle_code code;
	struct wire_value decoded;
	struct cs_why why = {""};
	if (size < 4 || size > 65536)
		return 0;
	spec.source_count = 1;
	spec.type = (struct wire_value_type){(enum wire_type_kind)(data[0] % 5),
					     (data[0] & 64) != 0, data[1] % 37};
	spec.rounding = (enum cs_rounding)(data[2] % 3);
	spec.sources[0].extract = (data[0] & 128) != 0 ? WIRE_EXTRACT_WHOLE : WIRE_EXTRACT_POINTER;
	if (spec.sources[0].extract == WIRE_EXTRACT_WHOLE) {
		spec.type.array = false;
		spec.type.kind = spec.type.kind % 2 == 0 ? WIRE_TYPE_STRING : WIRE_TYPE_BYTES;
	}
	const uint8_t *end = memchr(data + 3, 0, size - 3);
	if (end == NULL)
		return 0;
	struct extract_input input = {.pointer = cs_bytes(data + 3, (size_t)(end - data) - 3),
				      .body = cs_bytes(end + 1, size - (size_t)(end - data) - 1)};
	/* wire_spec_parse refuses others. */
	if (cs_json_pointer_check(input.pointer) != CS_OK)
		return 0;
	cs_assert(extract_value(&code, &value, &spec, 0, &input, arena, &why) == CS_OK);
	cs_assert(wire_oracle_code_name(code) != NULL);
	if (code != WIRE_ORACLE_OK) {
		cs_assert(why.text[0] != '\0' && value.n == 0);
		return 0;
	}
	struct cs_buf buf;
	cs_assert(value.n <= WIRE_VALUE_SIZE_MAX);
	cs_assert(wire_value_decode(&decoded, &spec.type, value, arena) == CS_OK);
	cs_assert(cs_buf_init_arena(&buf, arena, WIRE_VALUE_SIZE_MAX) == CS_OK);
	cs_assert(wire_value_encode(&buf, &spec.type, &decoded) == CS_OK);
	fuzz_same(&buf, value);
	cs_assert(cs_buf_init_arena(&buf, arena, 6 * WIRE_VALUE_SIZE_MAX + 64) == CS_OK);
	cs_assert(wire_value_json(&buf, &spec.type, &decoded) == CS_OK);
	return 0;
}
