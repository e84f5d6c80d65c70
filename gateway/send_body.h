/* The bodies of POST /v1/messages and POST /v1/transfers (docs/rest.md): what is asked for, by the
 * configuration alone. Reading is strict, asks no chain and changes nothing. */
#ifndef GATEWAY_SEND_BODY_H
#define GATEWAY_SEND_BODY_H

#include "core/arena.h"
#include "core/u256.h"
#include "gateway/config.h"

#include <jansson.h>

#define GATEWAY_SEND_ATTRIBUTES_MAX 5u
/* The largest call, and an access list beside it. */
#define GATEWAY_TRANSACTION_SIZE_MAX 65536u

struct gateway_send_body {
	const struct gateway_chain_config *chain; /* of the configuration */
	bool transfer;
	bool sponsored; /* the mode; neither: prepare */
	bool submitted;
	struct cs_bytes transaction;              /* of submit: what the application signed */
	bool has_from;                            /* of prepare alone */
	struct cs_address from;
	struct cs_bytes recipient; /* ERC-7930, of a chain that there is a route to */
	struct cs_bytes payload;   /* of a message, up to CS_PAYLOAD_SIZE_MAX */
	struct cs_address token;   /* of a transfer */
	struct cs_u256 amount;     /* of a transfer: 1 to 2^128 - 1 */
	struct cs_address refund_to;
	/* ERC-7786: selector and argument */
	struct cs_bytes attributes[GATEWAY_SEND_ATTRIBUTES_MAX];
	size_t attribute_count;
};

struct gateway_send_terms {
	const struct gateway_config *config; /* with its manifest */
	bool transfer;
	bool may_sponsor; /* the caller's key has the scope */
};

/* The bytes live in the arena. why begins with the member that is refused. MALFORMED, INVALID,
 * MISSING_FIELD, UNKNOWN_FIELD, OVERFLOW, TOO_LARGE; NOT_FOUND: a chain that is not served;
 * NOT_IN_MANIFEST: no route there; FORBIDDEN, UNSUPPORTED: no scope, no operator account, no
 * bridge; NO_MEMORY. */
CS_NODISCARD enum cs_err gateway_send_body_read(struct gateway_send_body *body,
						const struct gateway_send_terms *terms,
						const json_t *json, struct cs_arena *arena,
						struct cs_why *why);

#endif
