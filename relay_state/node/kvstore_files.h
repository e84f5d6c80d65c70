/* The built-in kvstore's snapshots in the node's folder: the two newest, so that a start need not
 * give it every block since the beginning, nor one that the node has let go. Trusts its files as far
 * as their checksums; what the application became by them is compared by the handshake.
 *
 * A file kvstore-NNNNNNNN is the content of a snapshot (abci/kvstore_snapshot.h) and its SHA-256. */
#ifndef NODE_KVSTORE_FILES_H
#define NODE_KVSTORE_FILES_H

#include "relay_state/abci/kvstore_snapshot.h"
#include "relay_state/node/file.h"

#define NODE_KVSTORE_PREFIX "kvstore-"
#define NODE_KVSTORE_FILES 2u

struct node_kvstore_files {
	struct node_folder *folder; /* the caller's; NULL: nothing is kept */
	int64_t heights[NODE_KVSTORE_FILES];
};

/* For abci_kvstore_snapshots_options.taken; the context is a node_kvstore_files. FULL, IO. */
CS_NODISCARD enum cs_err node_kvstore_files_put(void *context, int64_t height,
						struct cs_bytes content);
/* Into a store at height 0 the newest one that reads and is not above height_max, if there is any.
 * What does not read is passed over with a line in the log. IO. */
CS_NODISCARD enum cs_err node_kvstore_files_load(struct node_kvstore_files *files,
						 struct abci_kvstore_snapshots *snapshots,
						 int64_t height_max, struct cs_why *why);
/* Snapshots above this height are removed: the chain went back below them. */
CS_NODISCARD enum cs_err node_kvstore_files_drop(struct node_folder *folder, int64_t height_max,
						 struct cs_why *why);

#endif
