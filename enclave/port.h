/* What is said over the attested port, behind its TLS: the frames of wire/frame.h, one after the other, each
 * answered before the next is looked at (docs/protocol/attested-port.md). Knows nothing of TLS, and believes
 * nothing that comes: it is anybody's. */
#ifndef ENCLAVE_PORT_H
#define ENCLAVE_PORT_H

#include "enclave/state.h"

/* Bodies. A signature for one message with its proofs is 20 KiB, for a full batch more: that is the host's
 * to ask for. */
#define PORT_REQUEST_SIZE_MAX (64u * 1024)
/* Hello with 64 keys, 16 clients and evidence is 20 KiB. */
#define PORT_REPLY_SIZE_MAX (64u * 1024)
/* Of one connection; then it is over. */
#define PORT_REQUESTS_MAX 64u

struct port {
	struct enclave_visitor visitor;
	unsigned requests; /* that were answered */
};

/* Is the first frame of plain whole, or one that is refused? */
bool port_is_due(struct cs_bytes plain);
/* Answers the first frame of plain, which takes *used of its bytes (0: it is not whole yet), and appends the
 * frame of the reply. Else the connection is over: the errors of wire_frame_decode, TOO_LARGE, UNSUPPORTED
 * (no request), RATE_LIMITED (too many of them). call: the host's, that brought the bytes. */
CS_NODISCARD enum cs_err port_take(struct port *port, size_t *used, struct cs_buf *out,
				   const struct enclave_call *call, struct cs_bytes plain);

#endif
