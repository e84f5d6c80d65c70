/* The body of a request for an answer, of its dry run, of a spec that is published. The first byte
 * says which. What is taken keeps to every bound that the enclave has, and its spec is canonical; what
 * is refused says why and writes nothing. */
#include "core/utf8.h"
#include "oracle/request_body.h"
#include "tests/fuzz/fuzz.h"
#include "wire/spec.h"

static void check(const struct oracle_body *body, enum oracle_body_kind kind,
		  struct cs_arena *arena)
{
	struct wire_spec spec;
	struct cs_why why = {{0}};
	const struct oracle_query *query = &body->query;
	cs_assert(query->spec.n >= 1 && query->spec.n <= WIRE_SPEC_SIZE_MAX);
	cs_assert(wire_spec_parse(&spec, query->spec, arena, &why) == CS_OK);
	cs_assert(query->argument_count <= WIRE_ARGUMENTS_MAX);
	for (size_t i = 0; i < query->argument_count; i++)
		cs_assert(query->arguments[i].n <= WIRE_ARGUMENT_SIZE_MAX &&
			  cs_utf8_is_valid(query->arguments[i]));
	cs_assert(query->audience.n <= WIRE_AUDIENCE_SIZE_MAX && query->secrets.n <= 4144);
	cs_assert(body->max_age >= 1 && body->max_age <= WIRE_MAX_AGE_MAX);
	cs_assert(body->timeout_s >= 1 && body->timeout_s <= ORACLE_TIMEOUT_MAX_S);
	if (kind != ORACLE_BODY_REQUEST)
		cs_assert(query->secrets.n == 0 && query->audience.n == 0);
	if (kind == ORACLE_BODY_SPEC)
		cs_assert(query->argument_count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct oracle_body body;
	struct cs_arena *arena = fuzz_arena();
	struct cs_why why = {{0}};
	if (size == 0 || size > 65536)
		return 0;
	const enum oracle_body_kind kind = (enum oracle_body_kind)(data[0] % 3);
	json_t *json = json_loadb((const char *)data + 1, size - 1, JSON_REJECT_DUPLICATES, NULL);
	if (json == NULL)
		return 0;
	fuzz_fill(&body, sizeof body);
	if (oracle_body_read(&body, kind, json, arena, &why) == CS_OK) {
		check(&body, kind, arena);
	} else {
		fuzz_untouched(&body, sizeof body);
		cs_assert(why.text[0] != '\0');
	}
	json_decref(json);
	return 0;
}
