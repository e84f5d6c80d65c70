#include "enclave/oracle/extract.h"

#include "core/json_pointer.h"
#include "core/utf8.h"

/* One extraction: a code other than OK ends it. */
struct extraction {
	const struct wire_spec *spec;
	const struct wire_source *source;
	const struct extract_input *input;
	struct cs_arena *arena;
	struct cs_why *why;
	enum wire_oracle_code code;
	struct wire_scalar items[WIRE_VALUE_COUNT_MAX];
	size_t count;
};

static bool refuse(struct extraction *x, enum wire_oracle_code code, const char *text)
{
	cs_why_write(x->why, "%s", text);
	x->code = code;
	return false;
}

/* ---- a text as a value of the type ---- */

static bool read_number(struct extraction *x, struct wire_scalar *item, struct cs_bytes text)
{
	struct cs_hash word;
	if (cs_decimal_parse(&item->number, text, x->spec->type.decimals, x->spec->rounding) !=
	    CS_OK)
		return refuse(x, WIRE_ORACLE_TYPE,
			      "not a number, or not one with so many decimals");
	bool fits = x->spec->type.kind == WIRE_TYPE_UINT256
			    ? !item->number.negative
			    : cs_int256_word(&word, &item->number) == CS_OK;
	return fits || refuse(x, WIRE_ORACLE_TYPE, "the number does not fit its type");
}

static bool read_bool(struct extraction *x, struct wire_scalar *item, struct cs_bytes text)
{
	item->boolean = cs_bytes_eq(text, cs_bytes_str("true"));
	return item->boolean || cs_bytes_eq(text, cs_bytes_str("false")) ||
	       refuse(x, WIRE_ORACLE_TYPE, "neither true nor false");
}

static bool read_bytes(struct extraction *x, struct wire_scalar *item, struct cs_bytes text)
{
	static const char wanted[] = "bytes are 0x and hex digits, two each";
	if (text.n < 2 || text.n % 2 != 0 || text.p[0] != '0' || text.p[1] != 'x')
		return refuse(x, WIRE_ORACLE_TYPE, wanted);
	size_t n = (text.n - 2) / 2;
	uint8_t *p = n <= WIRE_VALUE_SIZE_MAX ? cs_arena_alloc(x->arena, n) : NULL;
	if (p == NULL)
		return refuse(x, WIRE_ORACLE_TYPE, "the value is too long");
	if (cs_unhex(p, n, text) != CS_OK)
		return refuse(x, WIRE_ORACLE_TYPE, wanted);
	item->bytes = cs_bytes(p, n);
	return true;
}

static bool read_text(struct extraction *x, struct wire_scalar *item, struct cs_bytes text)
{
	item->bytes = text;
	return cs_utf8_is_valid(text) || refuse(x, WIRE_ORACLE_TYPE, "the text is not UTF-8");
}

static bool add_text(struct extraction *x, struct cs_bytes text)
{
	struct wire_scalar *item = &x->items[x->count++];
	*item = (struct wire_scalar){0};
	switch (x->spec->type.kind) {
	case WIRE_TYPE_UINT256:
	case WIRE_TYPE_INT256:
		return read_number(x, item, text);
	case WIRE_TYPE_BOOL:
		return read_bool(x, item, text);
	case WIRE_TYPE_STRING:
		return read_text(x, item, text);
	case WIRE_TYPE_BYTES:
		return read_bytes(x, item, text);
	}
	cs_bug("not a type", __FILE__, __LINE__);
}

/* ---- where texts come from ---- */

/* A JSON string may hold every type; a number and a bool are also written without quotes. */
static bool add_json(struct extraction *x, const struct cs_json *json)
{
	enum wire_type_kind kind = x->spec->type.kind;
	bool number = kind == WIRE_TYPE_UINT256 || kind == WIRE_TYPE_INT256;
	if (json->type == CS_JSON_STRING || (json->type == CS_JSON_NUMBER && number))
		return add_text(x, json->text);
	if (json->type == CS_JSON_BOOL && kind == WIRE_TYPE_BOOL)
		return add_text(x, cs_bytes_str(json->boolean ? "true" : "false"));
	return refuse(x, WIRE_ORACLE_TYPE, "what is there is not of the type");
}

static bool add_json_array(struct extraction *x, const struct cs_json *json)
{
	if (json->type != CS_JSON_ARRAY || json->count < 1 || json->count > WIRE_VALUE_COUNT_MAX)
		return refuse(x, WIRE_ORACLE_TYPE, "not an array of 1 to 64 elements");
	for (const struct cs_json *child = json->child; child != NULL; child = child->next) {
		if (!add_json(x, child))
			return false;
	}
	return true;
}

static bool by_pointer(struct extraction *x)
{
	const struct cs_json *root, *found;
	enum cs_err err =
		cs_json_parse(&root, x->input->body, CS_JSON_ANY_NUMBER, x->arena, x->why);
	if (err != CS_OK) {
		/* Too many values, too deep: the bounds of core/limits.h, or the arena's. */
		bool large = err == CS_ERR_TOO_LARGE || err == CS_ERR_NO_MEMORY;
		x->code = large ? WIRE_ORACLE_TOO_LARGE : WIRE_ORACLE_MALFORMED_RESPONSE;
		return false;
	}
	if (cs_json_pointer(&found, root, x->input->pointer) != CS_OK)
		return refuse(x, WIRE_ORACLE_NOT_FOUND, "the pointer leads nowhere");
	return x->spec->type.array ? add_json_array(x, found) : add_json(x, found);
}

static bool whole(struct extraction *x)
{
	struct wire_scalar *item = &x->items[x->count++];
	*item = (struct wire_scalar){.bytes = x->input->body};
	return x->spec->type.kind == WIRE_TYPE_BYTES || read_text(x, item, x->input->body);
}

static enum cs_err by_script(struct extraction *x, bool *good)
{
	const struct extract_input *input = x->input;
	struct vm_result result;
	struct vm_call call = {.script = x->source->text,
			       .body = input->body,
			       .arguments = input->arguments,
			       .argument_count = input->argument_count,
			       .limits = input->limits,
			       .expired = input->expired,
			       .context = input->context};
	enum cs_err err = vm_run(&result, input->engine, &call, x->arena, x->why);
	*good = false;
	if (err == CS_ERR_NO_MEMORY)
		return err;
	if (err != CS_OK) {
		/* A clock is the machine's: whoever stops or loads it ends any script. */
		x->code = err == CS_ERR_TIMEOUT ? WIRE_ORACLE_TIMEOUT : WIRE_ORACLE_SCRIPT;
		return CS_OK;
	}
	if (result.array != x->spec->type.array || result.count < 1) {
		(void)refuse(x, WIRE_ORACLE_TYPE,
			     "the script's result is an array, empty or none, against the type");
		return CS_OK;
	}
	*good = true;
	for (size_t i = 0; i < result.count && *good; i++)
		*good = add_text(x, result.items[i]);
	return CS_OK;
}

static enum cs_err encode(struct extraction *x, struct cs_bytes *value)
{
	struct cs_buf buf;
	CS_TRY(cs_buf_init_arena(&buf, x->arena, WIRE_VALUE_SIZE_MAX));
	const struct wire_value items = {x->count, x->items};
	if (wire_value_encode(&buf, &x->spec->type, &items) == CS_OK)
		*value = cs_buf_view(&buf);
	else
		(void)refuse(x, WIRE_ORACLE_TYPE, "the value is too long");
	return CS_OK;
}

enum cs_err extract_value(enum wire_oracle_code *code, struct cs_bytes *value,
			  const struct wire_spec *spec, size_t index,
			  const struct extract_input *input, struct cs_arena *arena,
			  struct cs_why *why)
{
	struct extraction x = {.spec = spec,
			       .source = &spec->sources[index],
			       .input = input,
			       .arena = arena,
			       .why = why,
			       .code = WIRE_ORACLE_OK};
	bool good = false;
	cs_assert(index < spec->source_count);
	switch (x.source->extract) {
	case WIRE_EXTRACT_POINTER:
		good = by_pointer(&x);
		break;
	case WIRE_EXTRACT_SCRIPT:
		CS_TRY(by_script(&x, &good));
		break;
	case WIRE_EXTRACT_WHOLE:
		good = whole(&x);
		break;
	}
	if (good)
		CS_TRY(encode(&x, value));
	*code = x.code;
	return CS_OK;
}
