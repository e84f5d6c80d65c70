/* Envelopes made of the published vectors (tests/vectors/envelope), by the form of
 * `GET /v1/messages/{id}/envelope`: signed by code that is not ours to test. */
#ifndef TESTS_UNIT_SDK_VECTORS_H
#define TESTS_UNIT_SDK_VECTORS_H

#include <jansson.h>

#define SECURE "caisson/statement/v1"
#define INSECURE "caisson/statement/v1/insecure"

/* A file of the vectors; the caller's. */
json_t *vector_file(const char *name);
/* Of the key that signs for chain 1 or 2 in the vectors: its secret is keccak-256 of a label. */
void vector_key(char text[67], int number);
/* The envelope of the first call that carries this message alone. */
json_t *vector_envelope(const char *message, const char *domain);
/* A finalize call of one outcome of this status, and the message that it is about. */
json_t *vector_outcome(int status);

#endif
