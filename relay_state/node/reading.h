/* What a node's home holds, read without changing anything, also beside the node that writes it:
 * blocks, outcomes, the log, evidence, the last-sign state. Ends a file where it does not read, and says so;
 * judges nothing. For `export` and `forensics`. */
#ifndef NODE_READING_H
#define NODE_READING_H

#include "relay_state/bft/record.h"
#include "relay_state/node/chain_files.h"
#include "relay_state/node/segment.h"

/* All of it is a view until the call returns. NULL: not wanted. */
struct node_reading {
	void *context;
	/* Each is asked for what comes in the order in which it was written. Another error than OK
	 * ends the reading with it. */
	enum cs_err (*block)(void *context, const struct node_record *block);
	enum cs_err (*outcome)(void *context, const struct node_record *outcome);
	enum cs_err (*logged)(void *context, int64_t height, const struct bft_event *event,
			      const char *file);
	/* tendermint.types.Evidence that waited for a block. */
	enum cs_err (*evidence)(void *context, struct cs_bytes evidence);
	enum cs_err (*signed_last)(void *context, const struct bft_sign_state *state);
	/* The rest of this file was not read: torn, damaged, or just being written. */
	void (*unread)(void *context, const char *file, const char *why);
};

/* home/data: segments, the log, evidence, the last-sign state. NOT_FOUND, IO. */
CS_NODISCARD enum cs_err node_reading_walk(const char *home, const struct node_reading *reading,
					   struct cs_why *why);

#endif
