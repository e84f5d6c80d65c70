/* One question to the enclave of a peer: `caisson attest connect` as a child, whose output is read when
 * it has ended, or which is killed when it takes too long. A stranger's bytes are parsed in the child;
 * nothing here blocks, and what it says is judged by attested_state. */
#ifndef GATEWAY_ATTESTED_CHECK_H
#define GATEWAY_ATTESTED_CHECK_H

#include "gateway/attested_state.h"
#include "host/loop.h"

/* Names, connection, handshake, evidence and answer: the command bounds each by 15 s. */
#define GATEWAY_ATTESTED_TIMEOUT_MS 60000u
/* Of what it prints: evidence of 128 KiB thrice in hex, and room. A child that writes more gets an
 * error for it. */
#define GATEWAY_ATTESTED_OUTPUT_MAX (1024u * 1024)

struct gateway_attested_check;

/* Paths and texts are the caller's until the end of the call. */
struct gateway_attested_question {
	const char *program; /* as host_program_find takes it */
	const char *place;   /* HOST:PORT */
	const char *lineage; /* 64 hex digits */
	const char *policy;
	const char *collateral; /* NULL: none */
	const char *roots;      /* the same */
	uint64_t timeout_ms;
};

/* Once, unless the question was freed before; it may be freed inside. */
typedef void gateway_attested_answered(void *context,
				       const struct gateway_attested_verdict *verdict);

/* IO: there is no such program, or no descriptor for it. */
CS_NODISCARD enum cs_err gateway_attested_ask(struct gateway_attested_check **check,
					      struct host_loop *loop,
					      const struct gateway_attested_question *question,
					      gateway_attested_answered *answered, void *context,
					      struct cs_why *why);
/* Kills what is under way. NULL is allowed. */
void gateway_attested_check_free(struct gateway_attested_check *check);

#endif
