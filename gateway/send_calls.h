/* The calls that send a message or a transfer, as calldata of the gateway contract and of the bridge. */
#ifndef GATEWAY_SEND_CALLS_H
#define GATEWAY_SEND_CALLS_H

#include "core/buf.h"
#include "gateway/send_body.h"

/* Of the contract that takes the send: what it asks for it. The buffer is born in the arena. TOO_LARGE,
 * NO_MEMORY. */
CS_NODISCARD enum cs_err gateway_send_quote(struct cs_buf *buf,
					    const struct gateway_send_body *body,
					    struct cs_arena *arena);
/* The send itself. */
CS_NODISCARD enum cs_err gateway_send_data(struct cs_buf *buf, const struct gateway_send_body *body,
					   struct cs_arena *arena);
/* That suffices for it. */
uint64_t gateway_send_gas(const struct gateway_send_body *body);

#endif
