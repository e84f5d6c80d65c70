/* The bytes of one connection until they are whole frames. Grows with what has come, never with
 * what a length promises, and gives its memory back after a large frame. */
#ifndef ABCI_SOCKET_INBOX_H
#define ABCI_SOCKET_INBOX_H

#include "relay_state/abci/codec.h"

/* More than this is given back when the inbox is empty. */
#define ABCI_INBOX_KEPT_MAX (1024u * 1024)

struct abci_inbox {
	uint8_t *p;
	size_t size;
	size_t room;
	size_t taken; /* of size: frames that were told */
};

void abci_inbox_add(struct abci_inbox *inbox, struct cs_bytes bytes);
/* The body of the next frame, a view until the next add. TRUNCATED: it is not whole yet; else
 * whatever abci_frame_open says of its length. */
CS_NODISCARD enum cs_err abci_inbox_next(struct abci_inbox *inbox, struct cs_bytes *body,
					 size_t size_max);
void abci_inbox_done(struct abci_inbox *inbox);

#endif
