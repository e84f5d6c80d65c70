/* The bodies of POST /v1/oracle/requests, its dry run and PUT /v1/oracle/specs (docs/rest.md).
 * Reading is strict and changes nothing. */
#ifndef ORACLE_REQUEST_BODY_H
#define ORACLE_REQUEST_BODY_H

#include "oracle/journal.h"

#include <jansson.h>

/* The enclave's own bound. */
#define ORACLE_TIMEOUT_MAX_S 3600u
#define ORACLE_TIMEOUT_DEFAULT_S 60u
#define ORACLE_MAX_AGE_DEFAULT_S 300u
/* Scratch: texts of the spec, its trees, and the spec itself. */
#define ORACLE_BODY_ARENA_SIZE (6u * 1024 * 1024)

enum oracle_body_kind {
	ORACLE_BODY_REQUEST,
	ORACLE_BODY_DRY_RUN, /* spec and arguments alone */
	ORACLE_BODY_SPEC,    /* spec alone */
};

struct oracle_body {
	struct oracle_query query; /* in the arena; the spec is canonical and valid */
	uint64_t max_age;          /* seconds */
	uint64_t timeout_s;
};

/* why begins with the member that is refused. MALFORMED, INVALID, MISSING_FIELD, UNKNOWN_FIELD,
 * OVERFLOW, TOO_LARGE, DUPLICATE, NON_CANONICAL (numbers of the spec that are no integers),
 * NO_MEMORY. */
CS_NODISCARD enum cs_err oracle_body_read(struct oracle_body *body, enum oracle_body_kind kind,
					  const json_t *json, struct cs_arena *arena,
					  struct cs_why *why);

#endif
