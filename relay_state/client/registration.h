/* The proofs that a key is registered with the ledger (verify/cometbft/registration.h), asked of its nodes one
 * after the other: where the next value lies follows from those before it. Believes none of them: whoever
 * gets them verifies them. */
#ifndef RELAY_STATE_CLIENT_REGISTRATION_H
#define RELAY_STATE_CLIENT_REGISTRATION_H

#include "relay_state/client/client.h"
#include "verify/cometbft/registration.h"

/* err OK: `count` proofs, views that live until it returns; one alone says that nobody has the key. */
typedef void ledger_registration_fn(void *ctx, enum cs_err err, const char *why,
				    const struct cs_bytes *proofs, size_t count);
/* Of the state under the application hash of the block at `height`, above 1. UNAVAILABLE as
 * ledger_client_query; then done is not called. */
CS_NODISCARD enum cs_err ledger_registration_find(struct ledger_client *client,
						  const struct cs_hash *x, uint64_t height,
						  ledger_registration_fn *done, void *ctx);

#endif
