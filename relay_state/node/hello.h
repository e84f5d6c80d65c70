/* The first frame of each end of a connection: which chain it is on, and, if it validates, the proof
 * that it holds the validator's key. Bytes alone: what is believed of them is peers.c's matter. */
#ifndef NODE_HELLO_H
#define NODE_HELLO_H

#include "core/pb.h"

#define NODE_HELLO_VERSION 1u
#define NODE_HELLO_SIZE_MAX 512u
#define NODE_MONIKER_SIZE_MAX 70u

/* Views. */
struct node_hello {
	uint32_t version;
	struct cs_bytes chain_id;
	struct cs_bytes genesis; /* 32 bytes: SHA-256 of the genesis */
	struct cs_bytes moniker;
	struct cs_bytes key;       /* of a validator, 32 bytes; empty: none */
	struct cs_bytes signature; /* by that key, 64 bytes; empty: none */
};

void node_hello_encode(struct cs_buf *buf, const struct node_hello *hello);
/* The errors of cs_pb; INVALID: a genesis, key or signature of another size, one of the last two
 * without the other. Views into `bytes`. */
CS_NODISCARD enum cs_err node_hello_decode(struct node_hello *hello, struct cs_bytes bytes);

#endif
