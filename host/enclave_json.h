/* What an enclave says of itself, as JSON (docs/rest.md: /v1/enclave). It repeats the hello, and
 * checks nothing of it. */
#ifndef HOST_ENCLAVE_JSON_H
#define HOST_ENCLAVE_JSON_H

#include "wire/decode.h"

#include <jansson.h>

/* A new reference: everything but the keys, whose meaning is the process's. evidence_digest is what
 * the owner of a contract writes into it beside the key. */
json_t *host_enclave_json(const Caisson__Wire__HelloReply *hello);
/* A new reference: names of the bits of insecure.def that are set. */
json_t *host_insecure_json(uint64_t flags);
/* Of AnchorStatus.state; a literal. */
const char *host_enclave_anchor_name(uint32_t state);

#endif
