/* Any bytes as a spec: what is accepted is canonical and within its bounds; any JSON that becomes
 * canonical bytes gives a spec that is accepted as such. */
#include "tests/fuzz/fuzz.h"
#include "wire/spec.h"
#include "wire/template.h"

static void check_template(struct cs_bytes text, size_t argument_count)
{
	struct wire_piece piece;
	while (text.n > 0) {
		cs_assert(wire_template_next(&piece, &text) == CS_OK);
		cs_assert(piece.kind != WIRE_PIECE_ARGUMENT || piece.index < argument_count);
	}
}

static void check(const struct wire_spec *spec)
{
	cs_assert(spec->source_count >= 1 && spec->source_count <= WIRE_SOURCES_MAX);
	cs_assert(spec->k >= 1 && spec->k <= spec->source_count);
	cs_assert(spec->argument_count <= WIRE_ARGUMENTS_MAX);
	for (size_t i = 0; i < spec->source_count; i++) {
		const struct wire_source *source = &spec->sources[i];
		cs_assert(source->host.n >= 1 && source->port != 0 && source->path.p[0] == '/');
		for (size_t j = 0; j < source->host.n; j++)
			cs_assert(source->host.p[j] > ' ' && source->host.p[j] < 0x7f);
		check_template(source->path, spec->argument_count);
		check_template(source->query, spec->argument_count);
		check_template(source->body, spec->argument_count);
		for (size_t j = 0; j < source->header_count; j++)
			check_template(source->headers[j].value, spec->argument_count);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t memory[WIRE_SPEC_SIZE_MAX];
	struct cs_arena *arena = fuzz_arena();
	struct wire_spec spec, again;
	struct cs_why why = {""};
	struct cs_buf buf;
	if (size > 65536)
		return 0;
	enum cs_err direct = wire_spec_parse(&spec, cs_bytes(data, size), arena, &why);
	cs_assert(direct != CS_ERR_NO_MEMORY);
	if (direct == CS_OK)
		check(&spec);
	else
		cs_assert(why.text[0] != '\0');
	cs_buf_init(&buf, memory, sizeof memory);
	if (wire_spec_canonical(&buf, cs_bytes(data, size), arena, &why) != CS_OK) {
		cs_assert(direct != CS_OK);
		return 0;
	}
	cs_assert(wire_spec_parse(&again, cs_buf_view(&buf), arena, &why) == CS_OK);
	if (direct == CS_OK) {
		fuzz_same(&buf, cs_bytes(data, size));
		cs_assert(cs_hash_eq(&spec.hash, &again.hash));
	}
	return 0;
}
