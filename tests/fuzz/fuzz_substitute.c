/* Up to the first zero byte a canonical spec, then two arguments and a secret, each up to the
 * next: what goes out has no character that could end a line, a header or a JSON string. */
#include "core/json_pointer.h"
#include "enclave/oracle/substitute.h"
#include "tests/fuzz/fuzz.h"

static struct cs_bytes take(struct cs_bytes *rest)
{
	size_t n = 0;
	while (n < rest->n && rest->p[n] != 0)
		n++;
	struct cs_bytes part = cs_bytes(rest->p, n);
	*rest = cs_bytes(rest->p + n, rest->n - n);
	if (rest->n > 0)
		*rest = cs_bytes(rest->p + 1, rest->n - 1);
	return part;
}

static void check(const struct substitute_request *request, const struct wire_source *source)
{
	cs_assert(request->target.n >= 1 && request->target.p[0] == '/');
	for (size_t i = 0; i < request->target.n; i++)
		cs_assert(request->target.p[i] > ' ' && request->target.p[i] < 0x7f &&
			  request->target.p[i] != '#');
	const uint8_t *query = memchr(request->target.p, '?', request->target.n);
	size_t path = query != NULL ? (size_t)(query - request->target.p) : request->target.n;
	cs_assert((query != NULL) == source->has_query);
	cs_assert(!wire_path_has_dots(cs_bytes(request->target.p, path)));
	cs_assert(request->header_count == source->header_count);
	for (size_t i = 0; i < request->header_count; i++) {
		struct cs_bytes value = request->headers[i].value;
		cs_assert(value.n >= 1);
		for (size_t j = 0; j < value.n; j++)
			cs_assert(value.p[j] >= ' ' && value.p[j] < 0x7f);
	}
	if (source->extract == WIRE_EXTRACT_POINTER)
		cs_assert(cs_json_pointer_check(request->pointer) == CS_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct wire_spec spec;
	struct cs_arena *arena = fuzz_arena();
	struct cs_bytes rest = cs_bytes(data, size);
	struct substitute_values values = {.argument_count = 2, .secret_count = 1};
	struct cs_why why = {""};
	if (size > 32768 || wire_spec_parse(&spec, take(&rest), arena, &why) != CS_OK)
		return 0;
	values.arguments[0] = take(&rest);
	values.arguments[1] = take(&rest);
	values.secrets[0] = (struct substitute_secret){cs_bytes_str("key"), take(&rest)};
	if (values.argument_count > spec.argument_count)
		values.argument_count = spec.argument_count;
	if (substitute_check(&spec, &values, &why) != WIRE_ORACLE_OK)
		return 0;
	for (size_t i = 0; i < spec.source_count; i++) {
		struct substitute_request request;
		size_t mark = cs_arena_mark(arena);
		enum wire_oracle_code code = substitute_source(&request, &spec, i, &values,
							       (size & 1) != 0, arena, &why);
		cs_assert(code == WIRE_ORACLE_OK || code == WIRE_ORACLE_ARGUMENTS_INVALID ||
			  code == WIRE_ORACLE_SECRETS_INVALID);
		if (code == WIRE_ORACLE_OK)
			check(&request, &spec.sources[i]);
		cs_arena_rewind(arena, mark);
	}
	return 0;
}
