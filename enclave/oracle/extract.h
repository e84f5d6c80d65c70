/* From the body of one response to the ABI encoding of the one value that the spec wants. */
#ifndef ENCLAVE_ORACLE_EXTRACT_H
#define ENCLAVE_ORACLE_EXTRACT_H

#include "enclave/vm/vm.h"
#include "wire/spec.h"

/* The tree of a body of 1 MiB, the value, its encoding. */
#define EXTRACT_ARENA_SIZE (6u * 1024 * 1024)

struct extract_input {
	struct cs_bytes body;
	struct cs_bytes pointer; /* after substitution; where the source extracts by one */
	const struct cs_bytes *arguments;
	size_t argument_count;
	const struct vm_engine *engine; /* of scripts */
	struct vm_limits limits;
	bool (*expired)(void *context); /* as in struct vm_call */
	void *context;
};

/* OK: *value is the encoding, in the arena. TOO_LARGE and
 * MALFORMED_RESPONSE (of JSON), NOT_FOUND, TYPE, SCRIPT, TIMEOUT (a script, by the clock); why is for
 * the asker, never for a log. NO_MEMORY of the machine is cs_err, not a code: then nothing is to be
 * signed. */
CS_NODISCARD enum cs_err extract_value(enum wire_oracle_code *code, struct cs_bytes *value,
				       const struct wire_spec *spec, size_t index,
				       const struct extract_input *input, struct cs_arena *arena,
				       struct cs_why *why);

#endif
