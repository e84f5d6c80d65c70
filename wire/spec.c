#include "wire/spec.h"

#include "core/ip.h"
#include "core/json_pointer.h"
#include "wire/template.h"

#include <stdio.h>
#include <string.h>

#define PORT_DEFAULT 443
#define DECIMALS_MAX 36u
#define SPREAD_PPM_MAX 1000000000u
#define SCT_MIN_MAX 3u
#define LIFETIME_MAX_DAYS 825u
#define LIFETIME_DEFAULT_DAYS 398
#define LABEL_SIZE_MAX 63u

#define INVALID(why, ...) cs_fail(why, CS_ERR_INVALID, __VA_ARGS__)

/* ---- members that may be left out ---- */

static enum cs_err optional_string(struct cs_bytes *out, const struct cs_json *json,
				   const char *key, size_t size_max, struct cs_why *why)
{
	return cs_json_find(json, key) != NULL
		       ? cs_json_member_string(out, json, key, size_max, why)
		       : CS_OK;
}

static enum cs_err optional_u64(uint64_t *out, const struct cs_json *json, const char *key,
				uint64_t max, struct cs_why *why)
{
	return cs_json_find(json, key) != NULL ? cs_json_member_u64(out, json, key, max, why)
					       : CS_OK;
}

static enum cs_err optional_bool(bool *out, const struct cs_json *json, const char *key,
				 struct cs_why *why)
{
	return cs_json_find(json, key) != NULL ? cs_json_member_bool(out, json, key, why) : CS_OK;
}

/* NULL when it is left out. */
static enum cs_err optional_member(const struct cs_json **out, const struct cs_json *json,
				   const char *key, enum cs_json_type type, struct cs_why *why)
{
	*out = NULL;
	return cs_json_find(json, key) != NULL ? cs_json_member(out, json, key, type, why) : CS_OK;
}

#define ONLY(json, why, ...)                                                   \
	do {                                                                   \
		static const char *const only_keys[] = {__VA_ARGS__};          \
		CS_TRY(cs_json_only(json, only_keys, CS_LEN(only_keys), why)); \
	} while (0)

/* ---- templates ---- */

/* What a place lets stand in its text. */
struct place {
	const char *name;
	bool (*allows)(uint8_t c);
	bool secrets;
	bool braces;
};

static bool is_of(uint8_t c, const char *set)
{
	return c != 0 && strchr(set, c) != NULL;
}

static bool is_alphanumeric(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_hex(uint8_t c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* RFC 3986: pchar, and the separators of paths and queries. */
static bool url_allows(uint8_t c)
{
	return is_alphanumeric(c) || is_of(c, "-._~!$&'()*+,;=:@/?%");
}

static bool header_allows(uint8_t c)
{
	return c >= ' ' && c <= '~';
}

static bool body_allows(uint8_t c)
{
	(void)c;
	return true;
}

static const struct place place_path = {"path", url_allows, false, false};
static const struct place place_query = {"query", url_allows, true, false};
static const struct place place_header = {"header", header_allows, true, true};
static const struct place place_body = {"body", body_allows, true, true};
static const struct place place_pointer = {"pointer", body_allows, false, true};

static enum cs_err check_text(const struct place *place, struct cs_bytes text, struct cs_why *why)
{
	if (!place->braces && is_of(text.p[0], "{}"))
		return INVALID(why, "%s: braces are written %%7B and %%7D", place->name);
	for (size_t i = 0; i < text.n; i++) {
		if (!place->allows(text.p[i]))
			return INVALID(why, "%s: byte 0x%02x is not allowed", place->name,
				       text.p[i]);
		if (!place->braces && text.p[i] == '%' &&
		    (text.n - i < 3 || !is_hex(text.p[i + 1]) || !is_hex(text.p[i + 2])))
			return INVALID(why, "%s: two hex digits follow %%", place->name);
	}
	return CS_OK;
}

static enum cs_err check_template(struct wire_spec *spec, const struct place *place,
				  struct cs_bytes text, struct cs_why *why)
{
	struct wire_piece piece;
	while (text.n > 0) {
		if (wire_template_next(&piece, &text) != CS_OK)
			return INVALID(why, "%s: a brace that is no placeholder", place->name);
		switch (piece.kind) {
		case WIRE_PIECE_TEXT:
			CS_TRY(check_text(place, piece.text, why));
			break;
		case WIRE_PIECE_ARGUMENT:
			if (spec->argument_count <= piece.index)
				spec->argument_count = piece.index + 1;
			break;
		case WIRE_PIECE_SECRET:
			if (!place->secrets)
				return INVALID(why, "%s: a secret has no place here", place->name);
			spec->has_secrets = true;
			break;
		}
	}
	return CS_OK;
}

/* ---- url ---- */

static bool is_label(struct cs_bytes label)
{
	if (label.n < 1 || label.n > LABEL_SIZE_MAX || label.p[0] == '-' ||
	    label.p[label.n - 1] == '-')
		return false;
	for (size_t i = 0; i < label.n; i++) {
		uint8_t c = label.p[i];
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
			return false;
	}
	return true;
}

/* What a resolver may take for a number is none of our names (WHATWG URL, "ends in a number"). */
static bool is_number_like(struct cs_bytes label)
{
	if (label.n >= 2 && label.p[0] == '0' && label.p[1] == 'x')
		return true;
	for (size_t i = 0; i < label.n; i++) {
		if (label.p[i] < '0' || label.p[i] > '9')
			return false;
	}
	return true;
}

static enum cs_err check_host(bool *literal, struct cs_bytes host, struct cs_why *why)
{
	struct cs_ip ip;
	struct cs_bytes label = CS_BYTES_NONE;
	if (host.n < 1 || host.n > WIRE_SPEC_HOST_SIZE_MAX)
		return INVALID(why, "a host has 1 to %u bytes", WIRE_SPEC_HOST_SIZE_MAX);
	*literal = cs_ip4_parse(&ip, host) == CS_OK;
	for (size_t begin = 0; begin <= host.n; begin += label.n + 1) {
		size_t end = begin;
		while (end < host.n && host.p[end] != '.')
			end++;
		label = cs_bytes(host.p + begin, end - begin);
		if (!is_label(label))
			return INVALID(why, "a host is lower-case letters, digits, - and dots");
	}
	if (!*literal && is_number_like(label))
		return INVALID(why, "a host's last label is no number");
	return CS_OK;
}

static enum cs_err parse_port(uint16_t *port, struct cs_bytes text, struct cs_why *why)
{
	struct cs_u256 wide;
	uint64_t number = 0;
	if (cs_u256_from_decimal(&wide, text) != CS_OK || cs_u256_to_u64(&number, &wide) != CS_OK ||
	    number < 1 || number > UINT16_MAX)
		return INVALID(why, "url: a port is 1 to 65535");
	*port = (uint16_t)number;
	return CS_OK;
}

/* Offset of the first of two bytes, or the end. */
static size_t find_byte(struct cs_bytes text, uint8_t a, uint8_t b)
{
	size_t i = 0;
	while (i < text.n && text.p[i] != a && text.p[i] != b)
		i++;
	return i;
}

static enum cs_err parse_authority(struct wire_source *source, struct cs_bytes text,
				   struct cs_why *why)
{
	size_t colon = find_byte(text, ':', ':');
	source->host = cs_bytes(text.p, colon);
	source->port = PORT_DEFAULT;
	CS_TRY(check_host(&source->address_literal, source->host, why));
	if (colon == text.n)
		return CS_OK;
	return parse_port(&source->port, cs_bytes(text.p + colon + 1, text.n - colon - 1), why);
}

bool wire_path_has_dots(struct cs_bytes path)
{
	for (size_t i = 0; i < path.n;) {
		size_t dots = 0;
		/* i is behind a slash. */
		for (i++; i < path.n && path.p[i] != '/'; i++) {
			bool encoded = path.n - i >= 3 && path.p[i] == '%' &&
				       path.p[i + 1] == '2' && (path.p[i + 2] | 0x20) == 'e';
			bool dot = path.p[i] == '.' || encoded;
			dots = dot ? dots + 1 : SIZE_MAX / 2;
			i += encoded ? 2 : 0;
		}
		if (dots == 1 || dots == 2)
			return true;
	}
	return false;
}

static enum cs_err parse_url(struct wire_spec *spec, struct wire_source *source,
			     const struct cs_json *json, struct cs_why *why)
{
	static const char scheme[] = "https://";
	struct cs_bytes url;
	CS_TRY(cs_json_member_string(&url, json, "url", WIRE_SPEC_URL_SIZE_MAX, why));
	if (url.n < sizeof scheme || memcmp(url.p, scheme, sizeof scheme - 1) != 0)
		return INVALID(why, "url: begins with https://");
	url = cs_bytes(url.p + sizeof scheme - 1, url.n - (sizeof scheme - 1));
	size_t end = find_byte(url, '/', '?');
	CS_TRY(parse_authority(source, cs_bytes(url.p, end), why));
	source->path = cs_bytes_str("/");
	if (end == url.n)
		return CS_OK;
	if (url.p[end] != '/')
		return INVALID(why, "url: a path begins with /");
	url = cs_bytes(url.p + end, url.n - end);
	size_t path = find_byte(url, '?', '?');
	source->path = cs_bytes(url.p, path);
	source->has_query = path < url.n;
	if (source->has_query)
		source->query = cs_bytes(url.p + path + 1, url.n - path - 1);
	if (wire_path_has_dots(source->path))
		return INVALID(why, "url: . and .. are no parts of a path here");
	CS_TRY(check_template(spec, &place_path, source->path, why));
	return check_template(spec, &place_query, source->query, why);
}

/* ---- headers and body ---- */

static bool is_token(struct cs_bytes name)
{
	for (size_t i = 0; i < name.n; i++) {
		uint8_t c = name.p[i];
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		      is_of(c, "!#$%&'*+-.^_`|~")))
			return false;
	}
	return name.n > 0;
}

static bool is_reserved(struct cs_bytes name)
{
	static const char *const reserved[] = {
		"host",    "connection", "content-length", "transfer-encoding", "te",
		"trailer", "upgrade",    "expect",         "keep-alive",        "accept-encoding"};
	static const char proxy[] = "proxy-";
	for (size_t i = 0; i < CS_LEN(reserved); i++) {
		if (cs_bytes_eq(name, cs_bytes_str(reserved[i])))
			return true;
	}
	return name.n >= sizeof proxy - 1 && memcmp(name.p, proxy, sizeof proxy - 1) == 0;
}

/* application/json, or a type with the suffix +json (RFC 6839). */
static bool is_json_type(struct cs_bytes value)
{
	static const char json[] = "application/json", suffix[] = "+json";
	size_t n = find_byte(value, ';', ' ');
	char text[64];
	if (n >= sizeof text)
		return false;
	for (size_t i = 0; i < n; i++)
		text[i] = (char)(value.p[i] >= 'A' && value.p[i] <= 'Z' ? value.p[i] + 32
									: value.p[i]);
	text[n] = '\0';
	return strcmp(text, json) == 0 ||
	       (n >= sizeof suffix && strcmp(text + n - (sizeof suffix - 1), suffix) == 0);
}

static enum cs_err parse_header(struct wire_spec *spec, struct wire_source *source,
				const struct cs_json *pair, struct cs_why *why)
{
	struct wire_header header;
	if (pair->type != CS_JSON_ARRAY || pair->count != 2 ||
	    pair->child->type != CS_JSON_STRING || pair->child->next->type != CS_JSON_STRING)
		return INVALID(why, "headers: a pair of name and value belongs here");
	header = (struct wire_header){pair->child->text, pair->child->next->text};
	struct cs_bytes value = header.value;
	if (header.name.n > LABEL_SIZE_MAX || !is_token(header.name) || is_reserved(header.name))
		return INVALID(why, "headers: this name is not allowed");
	for (size_t i = 0; i < source->header_count; i++) {
		if (cs_bytes_eq(source->headers[i].name, header.name))
			return cs_fail(why, CS_ERR_DUPLICATE, "headers: a name is there twice");
	}
	if (value.n < 1 || value.n > WIRE_SPEC_HEADER_SIZE_MAX || value.p[0] == ' ' ||
	    value.p[value.n - 1] == ' ')
		return INVALID(why, "headers: a value has 1 to %u bytes, no space around it",
			       WIRE_SPEC_HEADER_SIZE_MAX);
	CS_TRY(check_template(spec, &place_header, value, why));
	if (cs_bytes_eq(header.name, cs_bytes_str("content-type"))) {
		if (find_byte(value, '{', '}') < value.n)
			return INVALID(why, "headers: content-type holds no placeholder");
		source->json_body = is_json_type(value);
	}
	source->headers[source->header_count++] = header;
	return CS_OK;
}

static enum cs_err parse_headers(struct wire_spec *spec, struct wire_source *source,
				 const struct cs_json *json, struct cs_why *why)
{
	const struct cs_json *list;
	CS_TRY(optional_member(&list, json, "headers", CS_JSON_ARRAY, why));
	if (list == NULL) {
		source->headers[source->header_count++] = (struct wire_header){
			cs_bytes_str("accept"), cs_bytes_str("application/json")};
		return CS_OK;
	}
	if (list->count > WIRE_SPEC_HEADERS_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "headers: more than %u",
			       WIRE_SPEC_HEADERS_MAX);
	for (const struct cs_json *pair = list->child; pair != NULL; pair = pair->next)
		CS_TRY(parse_header(spec, source, pair, why));
	return CS_OK;
}

static enum cs_err parse_method(struct wire_spec *spec, struct wire_source *source,
				const struct cs_json *json, struct cs_why *why)
{
	struct cs_bytes method = cs_bytes_str("GET");
	CS_TRY(optional_string(&method, json, "method", 4, why));
	if (cs_bytes_eq(method, cs_bytes_str("POST")))
		source->method = WIRE_METHOD_POST;
	else if (!cs_bytes_eq(method, cs_bytes_str("GET")))
		return INVALID(why, "method must be GET or POST");
	CS_TRY(optional_string(&source->body, json, "body", WIRE_SPEC_BODY_SIZE_MAX, why));
	if (source->body.n > 0 && source->method != WIRE_METHOD_POST)
		return INVALID(why, "body: only a POST has one");
	return check_template(spec, &place_body, source->body, why);
}

static enum cs_err parse_hosts(struct wire_source *source, const struct cs_json *json,
			       struct cs_why *why)
{
	const struct cs_json *list;
	bool literal;
	CS_TRY(optional_member(&list, json, "hosts", CS_JSON_ARRAY, why));
	if (list == NULL)
		return CS_OK;
	if (list->count > WIRE_SPEC_HOSTS_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "hosts: more than %u", WIRE_SPEC_HOSTS_MAX);
	for (const struct cs_json *host = list->child; host != NULL; host = host->next) {
		if (host->type != CS_JSON_STRING)
			return INVALID(why, "hosts: strings belong here");
		CS_TRY(check_host(&literal, host->text, why));
		source->hosts[source->host_count++] = host->text;
	}
	return CS_OK;
}

/* ---- extraction ---- */

static enum cs_err parse_extract(struct wire_spec *spec, struct wire_source *source,
				 const struct cs_json *json, struct cs_why *why)
{
	const struct cs_json *extract;
	bool whole;
	CS_TRY(cs_json_member(&extract, json, "extract", CS_JSON_OBJECT, why));
	ONLY(extract, why, "pointer", "script", "whole");
	if (extract->count != 1)
		return INVALID(why, "extract: one of pointer, script, whole");
	if (cs_json_find(extract, "script") != NULL) {
		source->extract = WIRE_EXTRACT_SCRIPT;
		spec->has_script = true;
		return cs_json_member_string(&source->text, extract, "script", WIRE_SPEC_SIZE_MAX,
					     why);
	}
	if (cs_json_find(extract, "whole") != NULL) {
		source->extract = WIRE_EXTRACT_WHOLE;
		CS_TRY(cs_json_member_bool(&whole, extract, "whole", why));
		bool fits = !spec->type.array && (spec->type.kind == WIRE_TYPE_STRING ||
						  spec->type.kind == WIRE_TYPE_BYTES);
		return whole && fits ? CS_OK
				     : INVALID(why, "extract: whole is true, for string or bytes");
	}
	source->extract = WIRE_EXTRACT_POINTER;
	CS_TRY(cs_json_member_string(&source->text, extract, "pointer", CS_JSON_POINTER_SIZE_MAX,
				     why));
	if (cs_json_pointer_check(source->text) != CS_OK)
		return INVALID(why, "extract: not a JSON Pointer");
	return check_template(spec, &place_pointer, source->text, why);
}

/* ---- tls ---- */

static enum cs_err parse_pins(struct wire_tls *tls, const struct cs_json *json, struct cs_why *why)
{
	const struct cs_json *list;
	CS_TRY(optional_member(&list, json, "pins", CS_JSON_ARRAY, why));
	if (list == NULL)
		return CS_OK;
	if (list->count > WIRE_SPEC_PINS_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "pins: more than %u", WIRE_SPEC_PINS_MAX);
	for (const struct cs_json *pin = list->child; pin != NULL; pin = pin->next) {
		if (cs_json_hex(tls->pins[tls->pin_count].b, sizeof tls->pins[0].b, pin) != CS_OK)
			return INVALID(why, "pins: 0x and 64 lower-case hex digits");
		tls->pin_count++;
	}
	return CS_OK;
}

static enum cs_err parse_tls(struct wire_tls *tls, const struct cs_json *json, struct cs_why *why)
{
	const struct cs_json *member;
	uint64_t sct_min = 0, lifetime = LIFETIME_DEFAULT_DAYS;
	CS_TRY(optional_member(&member, json, "tls", CS_JSON_OBJECT, why));
	tls->lifetime_max_days = LIFETIME_DEFAULT_DAYS;
	if (member == NULL)
		return CS_OK;
	ONLY(member, why, "lifetime_max_days", "pins", "sct_min", "stapled");
	CS_TRY(parse_pins(tls, member, why));
	tls->sct_min_given = cs_json_find(member, "sct_min") != NULL;
	CS_TRY(optional_u64(&sct_min, member, "sct_min", SCT_MIN_MAX, why));
	CS_TRY(optional_u64(&lifetime, member, "lifetime_max_days", LIFETIME_MAX_DAYS, why));
	if (lifetime < 1)
		return INVALID(why, "lifetime_max_days is at least 1");
	tls->sct_min = (uint8_t)sct_min;
	tls->lifetime_max_days = (uint16_t)lifetime;
	return optional_bool(&tls->stapled, member, "stapled", why);
}

/* ---- the whole ---- */

static enum cs_err parse_source(struct wire_spec *spec, struct wire_source *source,
				const struct cs_json *json, struct cs_why *why)
{
	ONLY(json, why, "body", "extract", "headers", "hosts", "method", "tls", "url");
	CS_TRY(parse_url(spec, source, json, why));
	CS_TRY(parse_method(spec, source, json, why));
	CS_TRY(parse_headers(spec, source, json, why));
	CS_TRY(parse_hosts(source, json, why));
	CS_TRY(parse_extract(spec, source, json, why));
	return parse_tls(&source->tls, json, why);
}

enum cs_err wire_endpoint_parse(struct wire_source *out, const struct cs_json *json,
				struct cs_why *why)
{
	struct wire_spec spec = {.argument_count = 0};
	struct wire_source source = {.port = 0};
	ONLY(json, why, "tls", "url");
	CS_TRY(parse_url(&spec, &source, json, why));
	if (spec.argument_count != 0 || spec.has_secrets)
		return INVALID(why, "url: no placeholders here");
	CS_TRY(parse_tls(&source.tls, json, why));
	*out = source;
	return CS_OK;
}

static enum cs_err parse_sources(struct wire_spec *spec, const struct cs_json *json,
				 struct cs_why *why)
{
	const struct cs_json *list;
	CS_TRY(cs_json_member(&list, json, "sources", CS_JSON_ARRAY, why));
	if (list->count < 1 || list->count > WIRE_SOURCES_MAX)
		return INVALID(why, "sources: 1 to %u", WIRE_SOURCES_MAX);
	for (const struct cs_json *one = list->child; one != NULL; one = one->next) {
		struct cs_why inner = {""};
		size_t index = spec->source_count++;
		enum cs_err err = parse_source(spec, &spec->sources[index], one, &inner);
		if (err != CS_OK)
			return cs_fail(why, err, "source %zu: %.150s", index, inner.text);
	}
	return CS_OK;
}

static enum cs_err parse_result(struct wire_spec *spec, const struct cs_json *json,
				struct cs_why *why)
{
	const struct cs_json *result;
	struct cs_bytes type, rounding = cs_bytes_str("exact");
	uint64_t decimals = 0;
	CS_TRY(cs_json_member(&result, json, "result", CS_JSON_OBJECT, why));
	ONLY(result, why, "decimals", "rounding", "type");
	CS_TRY(cs_json_member_string(&type, result, "type", 16, why));
	if (wire_value_type_parse(&spec->type, type) != CS_OK)
		return INVALID(why, "result: type is none of the five, with or without []");
	bool number = spec->type.kind == WIRE_TYPE_UINT256 || spec->type.kind == WIRE_TYPE_INT256;
	if (!number && result->count > 1)
		return INVALID(why, "result: only numbers have decimals and rounding");
	CS_TRY(optional_u64(&decimals, result, "decimals", DECIMALS_MAX, why));
	spec->type.decimals = (uint8_t)decimals;
	CS_TRY(optional_string(&rounding, result, "rounding", 16, why));
	if (cs_bytes_eq(rounding, cs_bytes_str("exact")))
		spec->rounding = CS_ROUND_EXACT;
	else if (cs_bytes_eq(rounding, cs_bytes_str("down")))
		spec->rounding = CS_ROUND_DOWN;
	else if (cs_bytes_eq(rounding, cs_bytes_str("half_even")))
		spec->rounding = CS_ROUND_HALF_EVEN;
	else
		return INVALID(why, "result: rounding is exact, down or half_even");
	return CS_OK;
}

static enum cs_err parse_kind(struct wire_spec *spec, const struct cs_json *aggregate,
			      struct cs_why *why)
{
	struct cs_bytes kind = cs_bytes_str("equal");
	bool number = spec->type.kind == WIRE_TYPE_UINT256 || spec->type.kind == WIRE_TYPE_INT256;
	CS_TRY(optional_string(&kind, aggregate, "kind", 16, why));
	spec->aggregate = WIRE_AGGREGATE_EQUAL;
	if (cs_bytes_eq(kind, cs_bytes_str("equal")))
		return CS_OK;
	if (!cs_bytes_eq(kind, cs_bytes_str("median")))
		return INVALID(why, "aggregate: kind is equal or median");
	if (!number || spec->type.array)
		return INVALID(why, "aggregate: a median is of single numbers");
	spec->aggregate = WIRE_AGGREGATE_MEDIAN;
	return CS_OK;
}

static enum cs_err parse_aggregate(struct wire_spec *spec, const struct cs_json *json,
				   struct cs_why *why)
{
	const struct cs_json *aggregate;
	uint64_t k = spec->source_count, spread = 0;
	CS_TRY(optional_member(&aggregate, json, "aggregate", CS_JSON_OBJECT, why));
	spec->k = (uint8_t)k;
	if (aggregate == NULL)
		return CS_OK;
	ONLY(aggregate, why, "k", "kind", "spread_ppm");
	CS_TRY(parse_kind(spec, aggregate, why));
	CS_TRY(optional_u64(&k, aggregate, "k", spec->source_count, why));
	if (k < 1)
		return INVALID(why, "aggregate: k is at least 1");
	if (spec->aggregate == WIRE_AGGREGATE_EQUAL && 2 * k <= spec->source_count)
		return INVALID(why, "aggregate: equal needs more than half of the sources");
	spec->k = (uint8_t)k;
	spec->spread_bounded = cs_json_find(aggregate, "spread_ppm") != NULL;
	if (spec->spread_bounded && spec->aggregate != WIRE_AGGREGATE_MEDIAN)
		return INVALID(why, "aggregate: spread_ppm is for a median");
	CS_TRY(optional_u64(&spread, aggregate, "spread_ppm", SPREAD_PPM_MAX, why));
	spec->spread_ppm = (uint32_t)spread;
	return CS_OK;
}

enum cs_err wire_spec_parse(struct wire_spec *out, struct cs_bytes text, struct cs_arena *arena,
			    struct cs_why *why)
{
	const struct cs_json *json;
	uint64_t version;
	if (text.n > WIRE_SPEC_SIZE_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "a spec has at most %u bytes",
			       WIRE_SPEC_SIZE_MAX);
	CS_TRY(cs_json_parse_canonical(&json, text, arena, why));
	ONLY(json, why, "aggregate", "result", "sources", "version");
	CS_TRY(cs_json_member_u64(&version, json, "version", 1, why));
	if (version != 1)
		return cs_fail(why, CS_ERR_UNSUPPORTED, "version must be 1");
	struct wire_spec *spec = cs_arena_calloc(arena, 1, sizeof *spec);
	if (spec == NULL)
		return cs_fail(why, CS_ERR_NO_MEMORY, "no room for a spec");
	spec->hash = wire_spec_hash(text);
	CS_TRY(parse_result(spec, json, why));
	CS_TRY(parse_sources(spec, json, why));
	CS_TRY(parse_aggregate(spec, json, why));
	*out = *spec;
	return CS_OK;
}

enum cs_err wire_spec_canonical(struct cs_buf *buf, struct cs_bytes text, struct cs_arena *arena,
				struct cs_why *why)
{
	const struct cs_json *json;
	struct wire_spec spec;
	size_t begin = buf->n;
	CS_TRY(cs_json_parse(&json, text, CS_JSON_INTEGERS, arena, why));
	enum cs_err err = cs_json_write(buf, json, arena);
	if (err != CS_OK)
		return cs_fail(why, err, "the spec has no canonical form of that size");
	return wire_spec_parse(&spec, cs_bytes(buf->p + begin, buf->n - begin), arena, why);
}

struct cs_bytes wire_source_host_port(const struct wire_source *source, struct cs_arena *arena)
{
	size_t size = source->host.n + sizeof ":65535";
	char *text = cs_arena_alloc(arena, size);
	if (text == NULL)
		return CS_BYTES_NONE;
	int n = snprintf(text, size, "%.*s:%u", (int)source->host.n, (const char *)source->host.p,
			 (unsigned)source->port);
	return cs_bytes(text, (size_t)n);
}
