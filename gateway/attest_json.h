/* A verdict on evidence as JSON (docs/attestation.md): for the command line, and for applications that link the
 * SDK. Decides nothing. */
#ifndef GATEWAY_ATTEST_JSON_H
#define GATEWAY_ATTEST_JSON_H

#include "verify/attest/ear.h"

#include <jansson.h>

/* The first of a claim's bytes that are shown: the longest claim is a public key. */
#define GATEWAY_ATTEST_CLAIM_SIZE_MAX 1024u

/* What belongs together: of one verification at one moment. */
struct gateway_attest_verdict {
	const struct attest_input *in;
	const struct attest_result *result;
	const struct attest_policy *policy;
	const struct attest_appraisal *appraisal;
};

/* Both new references; NULL: no memory. */
json_t *gateway_attest_json(const struct gateway_attest_verdict *verdict);
json_t *gateway_attest_ear(const struct gateway_attest_verdict *verdict);

#endif
