/* The node's time key: with it the node tells an enclave, over the enclave's own nonce, what its clock
 * says (docs/protocol/time.md). A key of its own: what it signs can never be a vote.
 *
 * The file config/time_key has 64 hex digits and is readable by its owner alone. */
#ifndef NODE_TIME_KEY_H
#define NODE_TIME_KEY_H

#include "core/sig.h"

struct node_time_key;

/* A new key in a new file. CONFLICT when it is there; IO (no randomness too). */
CS_NODISCARD enum cs_err node_time_key_make(const char *path, struct cs_why *why);
/* *out is NULL where there is no file: the node has no time key. FORBIDDEN: others may read the file;
 * MALFORMED, INVALID: it holds no key; IO, NO_MEMORY. Freed by node_time_key_free. */
CS_NODISCARD enum cs_err node_time_key_load(struct node_time_key **out, const char *path,
					    struct cs_why *why);
/* NULL is allowed. */
void node_time_key_free(struct node_time_key *key);

const struct cs_hash *node_time_key_x(const struct node_time_key *key);
/* R.x and s over the digest. CRYPTO, IO (no randomness). */
CS_NODISCARD enum cs_err node_time_key_sign(const struct node_time_key *key, uint8_t signature[64],
					    const struct cs_hash *digest);

#endif
