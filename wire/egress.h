/* What an enclave says to the egress proxy beside it: connect this end of a socket pair to that host.
 * One message a datagram, fixed places, one accepted form; the answers are for people and are
 * believed by nobody. ADR 11. */
#ifndef WIRE_EGRESS_H
#define WIRE_EGRESS_H

#include "core/buf.h"

#define WIRE_EGRESS_HOST_SIZE_MAX 253u
#define WIRE_EGRESS_SIZE_MAX (1u + 1u + 4u + 2u + 1u + WIRE_EGRESS_HOST_SIZE_MAX)

/* WIRE_EGRESS(NAME, number, text) */
#define WIRE_EGRESS_STATUSES(X)                                                       \
	X(CONNECTED, 0, "connected")                                                  \
	X(UNRESOLVED, 1, "the name has no address")                                   \
	X(FORBIDDEN, 2, "the name leads to an address that the proxy does not allow") \
	X(REFUSED, 3, "no connection could be made")                                  \
	X(TIMED_OUT, 4, "no connection came about in time")                           \
	X(FULL, 5, "the proxy has no room for another connection")                    \
	X(MALFORMED, 6, "the proxy did not understand")

enum wire_egress_status {
#define WIRE_EGRESS(name, number, text) WIRE_EGRESS_##name = (number),
	WIRE_EGRESS_STATUSES(WIRE_EGRESS)
#undef WIRE_EGRESS
};
/* NULL for a number that the table does not have. */
const char *wire_egress_status_text(uint32_t status);

/* Comes with exactly one descriptor, a stream socket (SCM_RIGHTS). */
struct wire_egress_request {
	uint32_t id; /* the enclave's, never 0 */
	uint16_t port;
	struct cs_bytes
		host; /* a name in lower-case ASCII or an address literal without brackets */
};

/* At most one for each request. */
struct wire_egress_reply {
	uint32_t id;
	enum wire_egress_status status;
};

/* version 1 ‖ type 1 ‖ id ‖ port ‖ size of host ‖ host */
void wire_egress_request_encode(struct cs_buf *buf, const struct wire_egress_request *request);
/* host is a view of bytes. TRUNCATED, TRAILING, UNSUPPORTED (version), MALFORMED (type, a character
 * that no host has, id or port 0), TOO_LARGE. */
CS_NODISCARD enum cs_err wire_egress_request_decode(struct wire_egress_request *request,
						    struct cs_bytes bytes);
/* version 1 ‖ type 2 ‖ id ‖ status */
void wire_egress_reply_encode(struct cs_buf *buf, const struct wire_egress_reply *reply);
/* As above; MALFORMED for a status that the table does not have. */
CS_NODISCARD enum cs_err wire_egress_reply_decode(struct wire_egress_reply *reply,
						  struct cs_bytes bytes);

#endif
