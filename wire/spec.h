/* A spec (section 2 of docs/protocol/oracle.md): what an oracle is asked to look up. Canonical
 * bytes in, a checked structure of views out; and any JSON to its canonical bytes, for REST and
 * the command line. */
#ifndef WIRE_SPEC_H
#define WIRE_SPEC_H

#include "core/json.h"
#include "wire/oracle.h"
#include "wire/value.h"

#define WIRE_SPEC_SIZE_MAX 16384u
#define WIRE_SPEC_HEADERS_MAX 16u
#define WIRE_SPEC_HOSTS_MAX 4u
#define WIRE_SPEC_PINS_MAX 4u
#define WIRE_SPEC_BODY_SIZE_MAX 8192u
#define WIRE_SPEC_URL_SIZE_MAX 2048u
#define WIRE_SPEC_HEADER_SIZE_MAX 1024u
#define WIRE_SPEC_HOST_SIZE_MAX 253u
#define WIRE_SPEC_SECRET_NAME_SIZE_MAX 32u
/* Memory of wire_spec_parse beside struct wire_spec: the tree of 16 KiB of JSON. */
#define WIRE_SPEC_ARENA_SIZE (2u * 1024 * 1024)

enum wire_method {
	WIRE_METHOD_GET,
	WIRE_METHOD_POST,
};

enum wire_extract {
	WIRE_EXTRACT_POINTER,
	WIRE_EXTRACT_SCRIPT,
	WIRE_EXTRACT_WHOLE,
};

enum wire_aggregate {
	WIRE_AGGREGATE_EQUAL,
	WIRE_AGGREGATE_MEDIAN,
};

/* Text with placeholders, as it stands in the spec: wire/template.h reads it. */
struct wire_header {
	struct cs_bytes name;
	struct cs_bytes value; /* template */
};

struct wire_tls {
	size_t pin_count;
	struct cs_hash pins[WIRE_SPEC_PINS_MAX];
	bool sct_min_given; /* else 2, and 0 for a CA that the manifest trusts as a private one */
	uint8_t sct_min;
	uint16_t lifetime_max_days;
	bool stapled;
};

struct wire_source {
	struct cs_bytes host;
	uint16_t port;
	bool address_literal; /* host is an IPv4 address: only where the manifest allows it */
	struct cs_bytes path; /* template, begins with '/', without the query */
	bool has_query;
	struct cs_bytes query; /* template, without '?' */
	enum wire_method method;
	size_t header_count;
	struct wire_header headers[WIRE_SPEC_HEADERS_MAX];
	struct cs_bytes body; /* template */
	bool json_body;       /* by its content-type */
	size_t host_count;
	struct cs_bytes hosts[WIRE_SPEC_HOSTS_MAX]; /* a redirect may lead there too, port 443 */
	enum wire_extract extract;
	struct cs_bytes text; /* pointer (template) or script */
	struct wire_tls tls;
};

struct wire_spec {
	struct cs_hash hash;
	struct wire_value_type type;
	enum cs_rounding rounding;
	enum wire_aggregate aggregate;
	uint8_t k;
	bool spread_bounded;
	uint32_t spread_ppm;
	size_t argument_count; /* the highest placeholder + 1 */
	bool has_script;
	bool has_secrets; /* a placeholder asks for one */
	size_t source_count;
	struct wire_source sources[WIRE_SOURCES_MAX];
};

/* Views live in the arena or in text, which must outlive the spec. Errors of
 * cs_json_parse_canonical; TOO_LARGE, UNKNOWN_FIELD, MISSING_FIELD, INVALID, OVERFLOW…: all of
 * them are `spec_invalid`, but NO_MEMORY. why says which member of which source. */
CS_NODISCARD enum cs_err wire_spec_parse(struct wire_spec *out, struct cs_bytes text,
					 struct cs_arena *arena, struct cs_why *why);
/* Any JSON to canonical bytes, which are then a spec that wire_spec_parse accepts. buf: room for
 * WIRE_SPEC_SIZE_MAX. The same errors; scratch from the arena. */
CS_NODISCARD enum cs_err wire_spec_canonical(struct cs_buf *buf, struct cs_bytes text,
					     struct cs_arena *arena, struct cs_why *why);
/* An object of `url` and `tls` alone, as in a source but without placeholders: host, port, path, query
 * and tls of *out are set, views as above. INVALID, UNKNOWN_FIELD and so on; why names the member. */
CS_NODISCARD enum cs_err wire_endpoint_parse(struct wire_source *out, const struct cs_json *json,
					     struct cs_why *why);
/* Has a path, which begins with '/', a segment of one or two dots, encoded ones (%2e) included? */
bool wire_path_has_dots(struct cs_bytes path);
/* "host:port" of a source, as the evidence names it; in the arena, n is 0 when there is no room. */
struct cs_bytes wire_source_host_port(const struct wire_source *source, struct cs_arena *arena);

#endif
