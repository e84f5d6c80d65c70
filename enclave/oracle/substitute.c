#include "enclave/oracle/substitute.h"

#include "core/utf8.h"
#include "wire/template.h"

#include <string.h>

/* How a value is written where it goes; false when it may not stand there. */
typedef bool put_value(struct cs_buf *buf, struct cs_bytes value);

/* ---- places ---- */

static bool put_url(struct cs_buf *buf, struct cs_bytes value)
{
	static const char hex[] = "0123456789ABCDEF";
	for (size_t i = 0; i < value.n; i++) {
		uint8_t c = value.p[i];
		bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
				  (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
				  c == '~';
		if (unreserved) {
			cs_put_u8(buf, c);
			continue;
		}
		cs_put_u8(buf, '%');
		cs_put_u8(buf, (uint8_t)hex[c >> 4]);
		cs_put_u8(buf, (uint8_t)hex[c & 15]);
	}
	return true;
}

/* The inside of a JSON string. */
static bool put_json(struct cs_buf *buf, struct cs_bytes value)
{
	size_t begin = buf->n;
	cs_json_write_string(buf, value);
	if (buf->failed)
		return true;
	size_t n = buf->n - begin - 2;
	memmove(buf->p + begin, buf->p + begin + 1, n);
	buf->n = begin + n;
	return true;
}

static bool put_pointer(struct cs_buf *buf, struct cs_bytes value)
{
	for (size_t i = 0; i < value.n; i++) {
		uint8_t c = value.p[i];
		if (c == '~' || c == '/')
			cs_put_u8(buf, '~');
		cs_put_u8(buf, c == '~' ? '0' : c == '/' ? '1' : c);
	}
	return true;
}

static bool put_plain(struct cs_buf *buf, struct cs_bytes value)
{
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] < 0x20 || value.p[i] == 0x7f)
			return false;
	}
	cs_put(buf, value);
	return true;
}

/* A header is visible ASCII. */
static bool put_header(struct cs_buf *buf, struct cs_bytes value)
{
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] > 0x7e)
			return false;
	}
	return put_plain(buf, value);
}

/* ---- templates ---- */

struct filling {
	const struct substitute_values *values;
	bool dry;
	struct cs_why *why;
};

static const struct substitute_secret *find_secret(const struct substitute_values *values,
						   struct cs_bytes name)
{
	for (size_t i = 0; i < values->secret_count; i++) {
		if (cs_bytes_eq(values->secrets[i].name, name))
			return &values->secrets[i];
	}
	return NULL;
}

static enum wire_oracle_code refuse(struct cs_why *why, enum wire_oracle_code code,
				    const char *text)
{
	cs_why_write(why, "%s", text);
	return code;
}

static enum wire_oracle_code put_argument(struct cs_buf *buf, const struct filling *filling,
					  size_t index, put_value *put)
{
	/* substitute_check saw that it is there. */
	cs_assert(index < filling->values->argument_count);
	if (!put(buf, filling->values->arguments[index]))
		return refuse(filling->why, WIRE_ORACLE_ARGUMENTS_INVALID,
			      "an argument has a character that its place does not take");
	return WIRE_ORACLE_OK;
}

static enum wire_oracle_code put_secret(struct cs_buf *buf, const struct filling *filling,
					struct cs_bytes name, put_value *put)
{
	if (filling->dry) {
		cs_put(buf, cs_bytes_str("secret"));
		return WIRE_ORACLE_OK;
	}
	const struct substitute_secret *secret = find_secret(filling->values, name);
	if (secret == NULL)
		return refuse(filling->why, WIRE_ORACLE_SECRETS_INVALID,
			      "the spec names a secret that was not given");
	if (!put(buf, secret->value))
		return refuse(filling->why, WIRE_ORACLE_SECRETS_INVALID,
			      "a secret has a character that its place does not take");
	return WIRE_ORACLE_OK;
}

static enum wire_oracle_code fill(struct cs_buf *buf, const struct filling *filling,
				  struct cs_bytes text, put_value *put)
{
	struct wire_piece piece;
	enum wire_oracle_code code = WIRE_ORACLE_OK;
	while (text.n > 0 && code == WIRE_ORACLE_OK) {
		/* wire_spec_parse saw that it is well formed. */
		cs_assert(wire_template_next(&piece, &text) == CS_OK);
		switch (piece.kind) {
		case WIRE_PIECE_TEXT:
			cs_put(buf, piece.text);
			break;
		case WIRE_PIECE_ARGUMENT:
			code = put_argument(buf, filling, piece.index, put);
			break;
		case WIRE_PIECE_SECRET:
			code = put_secret(buf, filling, piece.text, put);
			break;
		}
	}
	if (code == WIRE_ORACLE_OK && cs_buf_end(buf) != CS_OK)
		return refuse(filling->why, WIRE_ORACLE_ARGUMENTS_INVALID,
			      "what is to be sent is too long");
	return code;
}

/* A buffer of the size that may be needed; keep() gives back what was not. */
static void begin(struct cs_buf *buf, size_t *mark, size_t size_max, struct cs_arena *arena)
{
	*mark = cs_arena_mark(arena);
	if (cs_buf_init_arena(buf, arena, size_max) != CS_OK)
		cs_bug("the arena is below SUBSTITUTE_ARENA_SIZE", __FILE__, __LINE__);
}

static struct cs_bytes keep(const struct cs_buf *buf, size_t mark, struct cs_arena *arena)
{
	cs_arena_rewind(arena, mark);
	cs_assert(cs_arena_alloc(arena, buf->n) == buf->p);
	return cs_bytes(buf->p, buf->n);
}

static enum wire_oracle_code fill_new(struct cs_bytes *out, const struct filling *filling,
				      struct cs_bytes text, put_value *put, size_t size_max,
				      struct cs_arena *arena)
{
	struct cs_buf buf;
	size_t mark;
	begin(&buf, &mark, size_max, arena);
	enum wire_oracle_code code = fill(&buf, filling, text, put);
	*out = keep(&buf, mark, arena);
	return code;
}

/* ---- a source ---- */

static enum wire_oracle_code fill_target(struct substitute_request *out,
					 const struct wire_source *source,
					 const struct filling *filling, struct cs_arena *arena)
{
	struct cs_buf buf;
	size_t mark;
	begin(&buf, &mark, SUBSTITUTE_TARGET_SIZE_MAX, arena);
	enum wire_oracle_code code = fill(&buf, filling, source->path, put_url);
	if (code != WIRE_ORACLE_OK)
		return code;
	if (wire_path_has_dots(cs_buf_view(&buf)))
		return refuse(filling->why, WIRE_ORACLE_ARGUMENTS_INVALID,
			      "an argument makes . or .. of a part of the path");
	if (source->has_query) {
		cs_put_u8(&buf, '?');
		code = fill(&buf, filling, source->query, put_url);
	}
	out->target = keep(&buf, mark, arena);
	return code;
}

static enum wire_oracle_code fill_headers(struct substitute_request *out,
					  const struct wire_source *source,
					  const struct filling *filling, struct cs_arena *arena)
{
	enum wire_oracle_code code = WIRE_ORACLE_OK;
	for (size_t i = 0; i < source->header_count && code == WIRE_ORACLE_OK; i++) {
		struct substitute_header *header = &out->headers[i];
		header->name = source->headers[i].name;
		code = fill_new(&header->value, filling, source->headers[i].value, put_header,
				SUBSTITUTE_HEADER_SIZE_MAX, arena);
		struct cs_bytes value = header->value;
		if (code == WIRE_ORACLE_OK &&
		    (value.n == 0 || value.p[0] == ' ' || value.p[value.n - 1] == ' '))
			code = refuse(filling->why, WIRE_ORACLE_ARGUMENTS_INVALID,
				      "a header's value is empty or has a space around it");
	}
	out->header_count = source->header_count;
	return code;
}

enum wire_oracle_code substitute_source(struct substitute_request *out,
					const struct wire_spec *spec, size_t index,
					const struct substitute_values *values, bool dry,
					struct cs_arena *arena, struct cs_why *why)
{
	cs_assert(index < spec->source_count);
	const struct wire_source *source = &spec->sources[index];
	const struct filling filling = {values, dry, why};
	struct substitute_request request = {.header_count = 0};
	enum wire_oracle_code code = fill_target(&request, source, &filling, arena);
	if (code == WIRE_ORACLE_OK)
		code = fill_headers(&request, source, &filling, arena);
	if (code == WIRE_ORACLE_OK)
		code = fill_new(&request.body, &filling, source->body,
				source->json_body ? put_json : put_plain, SUBSTITUTE_BODY_SIZE_MAX,
				arena);
	if (code == WIRE_ORACLE_OK && source->extract == WIRE_EXTRACT_POINTER)
		code = fill_new(&request.pointer, &filling, source->text, put_pointer,
				CS_JSON_POINTER_SIZE_MAX, arena);
	if (code == WIRE_ORACLE_OK)
		*out = request;
	return code;
}

/* ---- what was given ---- */

enum wire_oracle_code substitute_check(const struct wire_spec *spec,
				       const struct substitute_values *values, struct cs_why *why)
{
	size_t count = values->argument_count;
	if (count > WIRE_ARGUMENTS_MAX || count < spec->argument_count)
		return refuse(why, WIRE_ORACLE_ARGUMENTS_INVALID,
			      "the spec has more placeholders than there are arguments");
	if (count > spec->argument_count && !spec->has_script)
		return refuse(why, WIRE_ORACLE_ARGUMENTS_INVALID,
			      "there are more arguments than the spec has placeholders");
	for (size_t i = 0; i < count; i++) {
		if (values->arguments[i].n > WIRE_ARGUMENT_SIZE_MAX ||
		    !cs_utf8_is_valid(values->arguments[i]))
			return refuse(why, WIRE_ORACLE_ARGUMENTS_INVALID,
				      "an argument is too long or not UTF-8");
	}
	return WIRE_ORACLE_OK;
}

static bool is_name(struct cs_bytes name)
{
	/* As in a placeholder: then it can be found. */
	char text[sizeof "{secret:}" + WIRE_SPEC_SECRET_NAME_SIZE_MAX];
	struct cs_buf buf;
	struct wire_piece piece;
	cs_buf_init(&buf, text, sizeof text);
	cs_put(&buf, cs_bytes_str("{secret:"));
	cs_put(&buf, name);
	cs_put_u8(&buf, '}');
	struct cs_bytes rest = cs_buf_view(&buf);
	return cs_buf_end(&buf) == CS_OK && wire_template_next(&piece, &rest) == CS_OK &&
	       piece.kind == WIRE_PIECE_SECRET && rest.n == 0;
}

/* Whoever has the box may ask with other arguments, unless it names them. */
static enum cs_err check_arguments(const struct cs_json *json,
				   const struct substitute_values *values)
{
	struct cs_hash bound;
	if (cs_json_find(json, "arguments") == NULL)
		return CS_OK;
	CS_TRY(cs_json_member_hex(bound.b, sizeof bound.b, json, "arguments", NULL));
	const struct cs_hash given = wire_arguments_hash(values->arguments, values->argument_count);
	return cs_hash_eq(&bound, &given) ? CS_OK : CS_ERR_FORBIDDEN;
}

static enum cs_err read_secrets(struct substitute_values *values, struct cs_bytes plaintext,
				const struct cs_hash *asker, const struct cs_hash *spec_hash,
				struct cs_arena *arena)
{
	static const char *const keys[] = {"arguments", "asker", "spec", "values"};
	const struct cs_json *json, *list;
	struct cs_hash bound;
	/* The details of JSON tell of what is secret. */
	if (plaintext.n > SUBSTITUTE_SECRETS_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	CS_TRY(cs_json_parse_canonical(&json, plaintext, arena, NULL));
	CS_TRY(cs_json_only(json, keys, CS_LEN(keys), NULL));
	CS_TRY(cs_json_member_hex(bound.b, sizeof bound.b, json, "asker", NULL));
	if (!cs_hash_eq(&bound, asker))
		return CS_ERR_FORBIDDEN;
	CS_TRY(cs_json_member_hex(bound.b, sizeof bound.b, json, "spec", NULL));
	if (!cs_hash_eq(&bound, spec_hash))
		return CS_ERR_FORBIDDEN;
	CS_TRY(check_arguments(json, values));
	CS_TRY(cs_json_member(&list, json, "values", CS_JSON_OBJECT, NULL));
	if (list->count > SUBSTITUTE_SECRETS_MAX)
		return CS_ERR_TOO_LARGE;
	size_t count = 0;
	for (const struct cs_json *one = list->child; one != NULL; one = one->next) {
		if (one->type != CS_JSON_STRING || !is_name(one->key))
			return CS_ERR_INVALID;
		values->secrets[count++] = (struct substitute_secret){one->key, one->text};
	}
	values->secret_count = count;
	return CS_OK;
}

enum wire_oracle_code substitute_open(struct substitute_values *values, struct cs_bytes plaintext,
				      const struct cs_hash *asker, const struct cs_hash *spec_hash,
				      struct cs_arena *arena, struct cs_why *why)
{
	enum cs_err err = read_secrets(values, plaintext, asker, spec_hash, arena);
	if (err == CS_OK)
		return WIRE_ORACLE_OK;
	values->secret_count = 0;
	return refuse(why, WIRE_ORACLE_SECRETS_INVALID,
		      err == CS_ERR_FORBIDDEN
			      ? "the secrets are of another asker, another spec or other arguments"
			      : "the secrets have not the form that they must have");
}
