/* Puts arguments and secrets into the templates of a source: what is sent is exactly this. No
 * value is read as a template again, and none leaves its place: encoded in a URL, escaped in
 * JSON, refused where neither is possible. */
#ifndef ENCLAVE_ORACLE_SUBSTITUTE_H
#define ENCLAVE_ORACLE_SUBSTITUTE_H

#include "core/json_pointer.h"
#include "wire/spec.h"

#define SUBSTITUTE_SECRETS_MAX 16u
#define SUBSTITUTE_SECRETS_SIZE_MAX 4096u
/* After substitution. */
#define SUBSTITUTE_TARGET_SIZE_MAX 8192u
#define SUBSTITUTE_HEADER_SIZE_MAX 4096u
#define SUBSTITUTE_BODY_SIZE_MAX 32768u
/* What one source needs of the arena; it keeps only what it used. */
#define SUBSTITUTE_ARENA_SIZE                                                               \
	(SUBSTITUTE_TARGET_SIZE_MAX + SUBSTITUTE_BODY_SIZE_MAX + CS_JSON_POINTER_SIZE_MAX + \
	 WIRE_SPEC_HEADERS_MAX * (SUBSTITUTE_HEADER_SIZE_MAX + 32u) + 256u)

struct substitute_secret {
	struct cs_bytes name;
	struct cs_bytes value;
};

struct substitute_values {
	size_t argument_count;
	struct cs_bytes arguments[WIRE_ARGUMENTS_MAX];
	size_t secret_count;
	struct substitute_secret secrets[SUBSTITUTE_SECRETS_MAX];
};

struct substitute_header {
	struct cs_bytes name;
	struct cs_bytes value;
};

/* One request as it goes out; everything in the arena, or views of the spec. */
struct substitute_request {
	struct cs_bytes target; /* path and query */
	size_t header_count;
	struct substitute_header headers[WIRE_SPEC_HEADERS_MAX];
	struct cs_bytes body;
	struct cs_bytes pointer; /* where the source extracts by one */
};

/* The plaintext of sealed secrets (section 7), for a request of asker (a word) with that spec and the
 * arguments in values. Adds to values->secrets; views into the arena. OK or SECRETS_INVALID. The
 * arena holds secrets: the caller wipes it. why never tells a value. */
enum wire_oracle_code substitute_open(struct substitute_values *values, struct cs_bytes plaintext,
				      const struct cs_hash *asker, const struct cs_hash *spec_hash,
				      struct cs_arena *arena, struct cs_why *why);
/* Count, sizes and UTF-8 of the arguments for this spec: OK or ARGUMENTS_INVALID. Before any
 * source. */
enum wire_oracle_code substitute_check(const struct wire_spec *spec,
				       const struct substitute_values *values, struct cs_why *why);
/* The request of one source. ARGUMENTS_INVALID, SECRETS_INVALID (one is missing or does not fit its
 * place). dry: every secret is the text "secret" (dry runs open none). The arena has room for
 * SUBSTITUTE_ARENA_SIZE (else a bug); all of its block may hold secrets afterwards. */
enum wire_oracle_code substitute_source(struct substitute_request *out,
					const struct wire_spec *spec, size_t index,
					const struct substitute_values *values, bool dry,
					struct cs_arena *arena, struct cs_why *why);

#endif
