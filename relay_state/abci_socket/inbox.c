#include "relay_state/abci_socket/inbox.h"

#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

void abci_inbox_add(struct abci_inbox *inbox, struct cs_bytes bytes)
{
	if (inbox->taken == inbox->size) {
		inbox->size = inbox->taken = 0;
		if (inbox->room > ABCI_INBOX_KEPT_MAX)
			abci_inbox_done(inbox);
	} else if (inbox->taken > 0) {
		memmove(inbox->p, inbox->p + inbox->taken, inbox->size - inbox->taken);
		inbox->size -= inbox->taken;
		inbox->taken = 0;
	}
	inbox->p = host_append(inbox->p, &inbox->size, &inbox->room, bytes.p, bytes.n);
}

enum cs_err abci_inbox_next(struct abci_inbox *inbox, struct cs_bytes *body, size_t size_max)
{
	struct cs_bytes rest = cs_bytes(inbox->p + inbox->taken, inbox->size - inbox->taken);
	size_t head_size, body_size;
	if (rest.n == 0)
		return CS_ERR_TRUNCATED;
	CS_TRY(abci_frame_open(&head_size, &body_size, rest, size_max));
	if (body_size > rest.n - head_size)
		return CS_ERR_TRUNCATED;
	*body = cs_bytes(rest.p + head_size, body_size);
	inbox->taken += head_size + body_size;
	return CS_OK;
}

void abci_inbox_done(struct abci_inbox *inbox)
{
	free(inbox->p);
	memset(inbox, 0, sizeof *inbox);
}
