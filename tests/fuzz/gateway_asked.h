/* A gateway whose chain, peer and enclave do not answer, in the process of a fuzz target and asked by HTTP over
 * a real socket, as an operator or an application asks it. One for all inputs: what an input changed, its target
 * takes back. */
#ifndef TESTS_FUZZ_GATEWAY_ASKED_H
#define TESTS_FUZZ_GATEWAY_ASKED_H

#include "gateway/gateway.h"

/* Runs from the first call to the end of the process, in a folder of its own below $TMPDIR or /tmp. */
struct gateway *gateway_asked(void);

struct gateway_said {
	int status;
	json_t *body; /* NULL: none; json_decref */
};
/* With every scope. Asserts what holds of each answer: there is one, in time; it is no failure of our own
 * (500), and a refusal is a problem with its code. */
struct gateway_said gateway_ask(const char *method, const char *path, struct cs_bytes body);
/* The same for a request that must succeed. */
json_t *gateway_ask_well(const char *method, const char *path, struct cs_bytes body);

#endif
